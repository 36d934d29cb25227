#!/bin/sh
# Start the egress: its folders lie in memory, its configuration was rendered by the service `render`.
set -eu

umask 077
etc=${EGRESS_ETC:-/etc/heedline-switch}
run=${EGRESS_RUN:-/run/asterisk}
for part in log db lib keys cache spool/outgoing spool/tmp spool/system; do
    mkdir -p "$run/$part"
done
# In the foreground, as the one process of the container.
exec "${HEEDLINE_ASTERISK:-asterisk}" -f -C "$etc/asterisk.conf"
