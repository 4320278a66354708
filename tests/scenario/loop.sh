#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# B17: two ports cabled together.  The storm is capped, one event names both, the others keep talking.
#
#   c1 --.                   .-- eth0 --.
#         +-- [ vfabd ] ----+            br0 (a cable) in the namespace cable
#   c2 --'                   '-- eth1 --'
. "$(dirname "$0")/../lib/scenario.sh"

ns c1
ns c2
ns cable
fabric <<EOF
networks:
  office: {mode: internal, vlan: 10}
ports:
$(tap c1 "network: office, mac: '02:00:00:00:00:01', ipv4: 10.77.0.1/24")
$(tap c2 "network: office, mac: '02:00:00:00:00:02', ipv4: 10.77.0.2/24")
  l1: {tap: eth0, netns: $cable, network: office}
  l2: {tap: eth1, netns: $cable, network: office}
EOF
wait_for 5 ports_up
expect run c1 ping -q -c 2 -i 0.1 -W 1 10.77.0.2
run c1 ip neigh replace 10.77.0.2 lladdr 02:00:00:00:00:02 dev eth0
run c2 ip neigh replace 10.77.0.1 lladdr 02:00:00:00:00:01 dev eth0

ip -n "$cable" link add br0 type bridge
for ifname in eth0 eth1; do
	ip -n "$cable" link set $ifname master br0
done
ip -n "$cable" link set br0 up

# A station that nobody knows calls, and its call goes round and round.
frames <<'PY'
from frames import *

c1, c2 = stations("c1", "c2")
for i in range(20):
    c1.send(eth(BROADCAST, "02:00:00:00:11:11", b"round and round"))
PY
wait_for 5 has_event loop l1
expect has_event loop l2
expect_eq "events of the loop" "$(vfab events -o json | jq -s 'flatten | map(select(.kind == "loop")) | length')" 1
expect test "$(vfab drops -o json | jq '[.[] | select(.reason == "loop") | .frames] | add')" -gt 0

# Only the two are capped: what c1 and c2 flood passes, and they reach each other.
expect_eq "drops of c1 and c2 by the cap" "$(vfab drops -o json |
	jq '[.[] | select(.reason == "loop" and (.port | IN("c1", "c2")))] | length')" 0
expect run c1 ping -q -c 100 -i 0.01 -W 1 10.77.0.2

# And the switch is not busy with the storm: under half a CPU for a second.
ticks()
{
	awk '{ print $14 + $15 }' "/proc/$(switch_pid)/stat"
}
before=$(ticks)
run c1 ping -q -c 10 -i 0.1 -W 1 10.77.0.2 >/dev/null
used=$(($(ticks) - before))
[ $used -lt $((50 * SLOW)) ] || fail "the switch used $used ticks of CPU in a second"
echo "ok: $used ticks of CPU in a second"
