#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A loop through a learning bridge (B17): everything comes round, unicast too, and stations seem to be behind the
# looped ports.  Those two are named and capped; two stations elsewhere hardly notice, during the loop and after it.
#
#   a --.                  .-- l1 --.
#       +-- [ vfabd ] -----+        +-- br0, a Linux bridge
#   b --'                  '-- l2 --'
. "$(dirname "$0")/../lib/scenario.sh"

ns a
ns b
fabric <<EOF
networks:
  office: {mode: internal, vlan: 10}
ports:
  l1: {tap: l1, network: office}
  l2: {tap: l2, network: office}
$(tap a "network: office, ipv4: 10.1.0.1/24")
$(tap b "network: office, ipv4: 10.1.0.2/24")
EOF
wait_for 5 ports_up

lost()
{
	awk '/packets transmitted/ { print $1 - $4 }' "$1"
}

expect run a ping -q -c 2 -i 0.1 -W 2 10.1.0.2
ip -n "$fab" link add br0 type bridge
ip -n "$fab" link set l1 master br0
ip -n "$fab" link set l2 master br0
ip netns exec "$a" ping -q -c 30 -i 0.1 -W 1 10.1.0.2 >"$T/during" &
ping_pid=$!
ip -n "$fab" link set br0 up
wait_for 5 has_event loop
wait $ping_pid || true
expect test "$(lost "$T/during")" -le $((6 * SLOW))

# The loop is opened: stations are where they were, at once.
ip -n "$fab" link del br0
ip netns exec "$a" ping -q -c 10 -i 0.1 -W 1 10.1.0.2 >"$T/after" || true
expect test "$(lost "$T/after")" -le 1
expect_eq "ports that are said to be in a loop" \
	"$(vfab events -o json | jq -r '[.[] | select(.kind == "loop") | .object, .text] | join(" ") | [scan("l[12]")] | unique | join(" ")')" "l1 l2"
