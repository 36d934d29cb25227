# Two images for docker-compose.yml: `heedline`, and `egress`, an Asterisk. docs/how-to/deploy-with-compose.md
#
# The lock file is for Python 3.11. Debian has Asterisk in sid alone; another base may be named whose packages have
# Asterisk 20 or newer (ASTERISK_IMAGE), and the build ends when it does not fit.
ARG PYTHON_IMAGE=python:3.11-slim-trixie
ARG ASTERISK_IMAGE=debian:sid-slim

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# The tools that build the wheel stay in this stage; they too come from a lock file with hashes.
COPY requirements.lock requirements-dev.lock ./
RUN python -m venv /tools \
    && /tools/bin/pip install --require-hashes -r requirements-dev.lock \
    && python -m venv --without-pip /opt/heedline \
    && /tools/bin/pip --python /opt/heedline/bin/python install --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY dialer dialer
COPY agi agi
COPY db db
COPY deploy/asterisk deploy/asterisk
RUN /tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
    && /tools/bin/pip --python /opt/heedline/bin/python install --no-deps /dist/*.whl \
    && mkdir /modules \
    && /opt/heedline/bin/python deploy/asterisk/render.py --modules > /modules/list

FROM ${PYTHON_IMAGE} AS heedline
# 999 is PostgreSQL's user in its own image: secrets, which keep the owner that they have on the host, are read by both.
RUN groupadd --gid 999 heedline \
    && useradd --uid 999 --gid 999 --no-create-home --home-dir /var/lib/heedline --shell /usr/sbin/nologin heedline \
    && install -d -o 999 -g 999 -m 0700 /var/lib/heedline /etc/heedline-switch
COPY --from=build /opt/heedline /opt/heedline
COPY deploy/heedline.toml deploy/policy.toml /etc/heedline/
COPY deploy/asterisk /opt/egress
ENV PATH=/opt/heedline/bin:$PATH \
    HEEDLINE_HOME=/var/lib/heedline \
    HEEDLINE_CONFIG=/etc/heedline/heedline.toml \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 999:999
WORKDIR /var/lib/heedline
EXPOSE 4573
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --retries=3 CMD ["heedline", "status"]
ENTRYPOINT ["heedline"]
CMD ["serve"]

FROM ${ASTERISK_IMAGE} AS egress
# The user comes first, before a package takes the number.
RUN groupadd --gid 999 egress \
    && useradd --uid 999 --gid 999 --no-create-home --home-dir /run/asterisk --shell /usr/sbin/nologin egress \
    && apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends asterisk \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o 999 -g 999 -m 0700 /etc/heedline-switch /run/asterisk
COPY deploy/asterisk/start.sh deploy/asterisk/healthcheck.sh deploy/asterisk/verify.sh /opt/egress/
COPY --from=build /modules/list /opt/egress/modules
RUN /opt/egress/verify.sh /opt/egress/modules
USER 999:999
EXPOSE 5060/udp
HEALTHCHECK --interval=15s --timeout=10s --start-period=30s --retries=3 CMD ["/opt/egress/healthcheck.sh"]
ENTRYPOINT ["/opt/egress/start.sh"]
