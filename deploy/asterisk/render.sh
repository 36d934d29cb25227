#!/bin/sh
# Render the egress's whole configuration into EGRESS_OUT: the one-shot service `render` of docker-compose.yml.
set -eu

umask 077
out=${EGRESS_OUT:-/etc/heedline-switch}
set --
for country in ${HEEDLINE_EMERGENCY_COUNTRIES:-}; do
    set -- "$@" --country "$country"
done

# What it prints is for a person who installs by hand, and holds a secret that is not used here. The folder is ours, so a
# file that was changed in it is replaced; its copy stays beside it.
heedline pbx install --etc "$out" --role egress --carrier carrier \
    --agi "$HEEDLINE_SERVICE_ADDRESS:4573" --force --json "$@" > /dev/null
python "$(dirname "$0")/render.py" "$out"
echo "rendered the egress's configuration into $out"
