#!/bin/sh
# While the image is built: is this Asterisk new enough, and has it every module of the list? verify.sh LIST [MODULES]
set -eu

program=${HEEDLINE_ASTERISK:-asterisk}
version=$("$program" -V)
major=$(echo "$version" | sed -n 's/^Asterisk \([0-9]\{1,\}\)\..*/\1/p')
if [ "${major:-0}" -lt 20 ]; then
    echo "error: $version; the egress needs Asterisk 20 or newer, so name another base image in ASTERISK_IMAGE" >&2
    exit 1
fi

folder=${2:-}
if [ -z "$folder" ]; then
    for folder in /usr/lib/*/asterisk/modules /usr/lib/asterisk/modules; do
        [ -d "$folder" ] && break
    done
fi
missing=
while read -r name; do
    [ -e "$folder/$name.so" ] || missing="$missing $name"
done < "$1"
if [ -n "$missing" ]; then
    echo "error: $folder lacks$missing" >&2
    exit 1
fi
echo "$version: every module is there"
