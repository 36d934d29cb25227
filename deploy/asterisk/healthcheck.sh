#!/bin/sh
# Is the egress up, with the gate's dialplan and the carrier's endpoint? Whether Heedline answers is not asked: without it the
# egress works as it should, and refuses.
set -eu

etc=${EGRESS_ETC:-/etc/heedline-switch}
ask() {
    "${HEEDLINE_ASTERISK:-asterisk}" -C "$etc/asterisk.conf" -rx "$1"
}

ask 'core waitfullybooted' > /dev/null
ask 'dialplan show heedline-egress' | grep -q 'heedline-egress-gate'
ask 'pjsip show transport udp' | grep -q 'external_signaling_address'
ask 'pjsip show endpoint carrier' | grep -q 'from-carrier'
