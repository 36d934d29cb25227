# Two commands: `make run` shows it working, `make test` proves it. Everything that is installed goes into .venv and
# HEEDLINE_HOME (default ~/.local/share/heedline); nothing else on the machine is changed, but for the Debian packages
# that only tests need, which `make test` installs when it runs as root.

PYTHON ?= python3
BIN := .venv/bin
# one stamp for each state of the lock files
STAMP := .venv/.installed-$(shell cat requirements-dev.lock pyproject.toml | sha256sum | cut -c1-16)

.DEFAULT_GOAL := help
.PHONY: help setup run demo test lint bench soak lock clean

help: ## what there is
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

$(STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: Heedline needs Python 3.11 or newer; name one with 'make PYTHON=python3.12 $(MAKECMDGOALS)'"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "error: this Python makes no virtual environments; run 'apt-get install python3-venv'"; exit 1; }
	@echo "setting up .venv from the lock file"
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

setup: $(STAMP) ## the virtual environment, from the lock file

run: $(STAMP) ## three real Asterisks, real calls, a table; stays up until Ctrl-C
	@$(BIN)/heedline demo --stay

demo: $(STAMP) ## the same, but ends after the table; fails if a row is not as it should be
	@$(BIN)/heedline demo

test: $(STAMP) ## the whole suite: real PostgreSQL, real Asterisk, SIPp
	@$(BIN)/python -m tests.packages
	@$(BIN)/pytest -n 2 --dist loadgroup -m "not soak"

lint: $(STAMP) ## ruff, mypy --strict, the layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(STAMP) ## benchmarks: ratios, medians, the method beside them
	@$(BIN)/python -m tests.benchmarks

soak: $(STAMP) ## long races and fault campaigns
	@$(BIN)/pytest -m soak

lock: ## write the lock files anew (needs uv)
	@uv pip compile -q --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
	  --python-version 3.11 --extra speech pyproject.toml -o requirements.lock
	@uv pip compile -q --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
	  --python-version 3.11 --extra dev pyproject.toml -o requirements-dev.lock

clean: ## the virtual environment and caches; HEEDLINE_HOME is yours to delete
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis dist build
