#!/bin/sh
# Write the deployment's secrets, each random, 0600, one a file: deploy/make-secrets.sh [FOLDER]
# Nothing is ever overwritten: when one is there already, nothing is written and the exit code is 1.
set -eu

folder=${1:-$(dirname "$0")/secrets}
# Every container runs under this id, and compose lays files in with the owner that they have here.
owner=999
names='postgres_password database_owner_password database_service_password ami_secret'

for name in $names; do
    if [ -e "$folder/$name" ] || [ -L "$folder/$name" ]; then
        echo "error: \`$folder/$name\` exists already; move it away if you mean to make new secrets" >&2
        exit 1
    fi
done

umask 077
set -C # noclobber: not even a file that came up just now is overwritten
mkdir -p "$folder"
chmod 700 "$folder"
for name in $names; do
    secret=$(od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n')
    if [ "${#secret}" -ne 64 ]; then
        echo "error: /dev/urandom gave too little" >&2
        exit 1
    fi
    echo "$secret" > "$folder/$name"
    echo "wrote $folder/$name"
done

if [ "$(id -u)" -eq 0 ]; then
    for name in $names; do
        chown "$owner:$owner" "$folder/$name"
    done
elif [ "$(id -u)" -ne "$owner" ]; then
    echo "one step is left, since the containers read the files as user $owner:"
    echo "  sudo sh -c 'chown $owner:$owner $folder/*'"
fi
