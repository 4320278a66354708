#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# B15: a port is removed and comes back under traffic: its entries are flushed, nobody else notices, traffic is back within 1 s.
# The same when its namespace goes away and returns.
#
#   c1 --.
#         +-- office, VLAN 10 -- [ vfabd ]      c1 sends to c2 all the time; c3 and c4 ping each other throughout
#   c2 --'          c3, c4 --'
. "$(dirname "$0")/../lib/scenario.sh"

for name in c1 c2 c3 c4; do ns $name; done
fabric <<EOF
networks:
  office: {mode: internal, vlan: 10}
workers: {cpus: [${CPUS:-0}]}
ports:
$(tap c1 "network: office")
$(tap c2 "network: office, ipv4: 10.77.0.2/24, mac: '02:00:00:00:00:02'")
$(tap c3 "network: office, ipv4: 10.77.0.3/24")
$(tap c4 "network: office, ipv4: 10.77.0.4/24")
EOF
wait_for 5 ports_up

start c1 /usr/bin/python3 -c '
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
frame = bytes.fromhex("020000000002" "020000000001" "88b6") + bytes(100)
while True:
    for i in range(50):
        s.send(frame)
    socket.socket().close()
'
run c3 ping -q -i 0.01 -c 300 -W 1 10.77.0.4 >"$T/neighbours" 2>&1 &
neighbours=$!

received()
{
	link_value c2 eth0 .stats64.rx.packets
}

# Frames for c2 go to c2 again.
flows()
{
	local before
	before=$(received) && wait_for 1 more_than "$before"
}

more_than()
{
	[ "$(received)" -gt "$(($1 + 100))" ]
}

knows_c2()
{
	vfab mac ls -o json | jq -e 'any(.mac == "02:00:00:00:00:02")'
}

is_waiting()
{
	[ "$(port_value c2 .state)" = waiting ]
}

speak()
{
	run c2 ping -c 1 -W 1 10.77.0.3
}

expect speak
expect flows
expect knows_c2

for round in 1 2 3; do
	echo "round $round: port del and add"
	expect vfab port del c2
	refuse knows_c2
	refuse run c2 ip link show eth0
	expect vfab port add c2 --net office --tap eth0 --netns "$c2" --mac 02:00:00:00:00:02
	wait_for 1 ports_up c2
	expect flows
done

echo "the namespace goes and comes back"
ip netns del "$c2"
wait_for 3 is_waiting
refuse knows_c2
ip netns add "$c2"
wait_for 3 ports_up c2
expect flows

wait "$neighbours" || fail "c3 and c4 did not reach each other: $(cat "$T/neighbours")"
pings_lost "$T/neighbours" 0
