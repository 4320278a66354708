#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# H08: the switch gets no CPU for a while (stopped for 3 s; 30 s with SOAK=1), then goes on as if nothing had been: no restart,
# no stampede, nothing of what it knew is gone.
#
#   c1, c2 -- office, VLAN 10 -- [ vfabd ]
. "$(dirname "$0")/../lib/scenario.sh"

pair
expect run c1 ping -q -c 2 -i 0.05 -W 1 10.77.0.2

switch=$(switch_pid)
defer kill -CONT "$switch"
kill -STOP "$switch"
length=3
[ -z "${SOAK:-}" ] || length=30
refuse run c1 ping -q -w $length -i 0.01 10.77.0.2
kill -CONT "$switch"
echo "soak: stopped for $length s"

expect run c1 ping -q -c 50 -i 0.01 -W 1 10.77.0.2
expect_eq "the process that switches" "$(switch_pid)" "$switch"
refuse has_event restart
expect_eq "what it knows" "$(vfab mac ls -o json | jq '[.[] | select(.kind == "learned")] | length')" 2
