#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# B16, source MAC: a port with `guard: mac` sends from its own address only; without a `mac` key that is the one which its device
# had at first, whatever the guest makes of it.
#
#   g1, g3 (guard mac) --.
#                         +-- office, VLAN 10 -- [ vfabd ]
#   c2 ------------------'
. "$(dirname "$0")/../lib/scenario.sh"

ns g1
ns c2
ns g3
fabric <<EOF
networks:
  office: {mode: internal, vlan: 10}
ports:
$(tap g1 "network: office, mac: '02:00:00:00:00:01', guard: mac, ipv4: 10.77.0.1/24")
$(tap c2 "network: office, mac: '02:00:00:00:00:02', ipv4: 10.77.0.2/24")
$(tap g3 "network: office, guard: mac, ipv4: 10.77.0.3/24")
EOF
wait_for 5 ports_up

expect run g1 ping -q -c 3 -i 0.1 -W 1 10.77.0.2

frames <<'PY'
from frames import *

g1, c2 = stations("g1", "c2")
good = eth(c2.mac, g1.mac, b"mine")
expect(deliver(g1, good, [c2])[c2], [good], "its own address passes")
for last in range(1, 256):
    if last == 1:
        continue
    dropped(g1, eth(c2.mac, f"02:00:00:00:00:{last:02x}", b"forged"), "guard_mac", [c2])
dropped(g1, eth(BROADCAST, c2.mac, b"I am c2"), "guard_mac", [c2])
expect([e["port"] for e in ctl("mac.ls") if e["mac"] == c2.mac], ["c2"], "a forged frame moves nobody")
expect(sorted(e["mac"] for e in ctl("mac.ls") if e["port"] == "g1"), [g1.mac], "and nothing forged is learned")
PY

# Taken off and put on while it runs.
expect vfab port set g1 --guard off
frames <<'PY'
from frames import *

g1, c2 = stations("g1", "c2")
frame = eth(c2.mac, "02:00:00:00:00:77", b"free")
expect(deliver(g1, frame, [c2])[c2], [frame], "without guard any source passes")
PY
expect vfab port set g1 --guard mac
frames <<'PY'
from frames import *

g1, c2 = stations("g1", "c2")
dropped(g1, eth(c2.mac, "02:00:00:00:00:77", b"forged"), "guard_mac", [c2])
PY

# g3 takes another address, in every way that it has.
is_held()
{
	local before

	before=$(vfab drops -o json | jq '[.[] | select(.port == "g3" and .reason == "guard_mac") | .frames] | add // 0')
	ip -n "$g3" neigh flush dev eth0
	refuse run g3 ping -q -c 2 -i 0.1 -W 0.3 10.77.0.2 >/dev/null
	[ "$(vfab drops -o json | jq '[.[] | select(.port == "g3" and .reason == "guard_mac") | .frames] | add // 0')" -gt "$before" ] ||
		fail "no frame of g3 was dropped: $1"
}
has_address()
{
	[ "$(port_value g3 .mac)" = "$1" ]
}
first=$(link_value g3 eth0 .address)
expect run g3 ping -q -c 1 -W 1 10.77.0.2
ip -n "$g3" link set eth0 address 02:00:00:00:00:33
wait_for 3 has_address 02:00:00:00:00:33
is_held "by ip link"
switch=$(switch_pid)
kill -KILL "$switch"
allow_log "died of signal 9"
wait_for 5 has_event restart
wait_for 5 ports_up
is_held "and the switch was started again"
ip -n "$g3" link set eth0 address "$first"
wait_for 3 has_address "$first"
expect run g3 ping -q -c 1 -W 1 10.77.0.2
is_waiting()
{
	[ "$(port_value g3 .state)" = waiting ]
}
ip -n "$g3" link del eth0
wait_for 3 is_waiting
run g3 ip tuntap add eth0 mode tap vnet_hdr
ip -n "$g3" link set eth0 address 02:00:00:00:00:34 up
wait_for 3 ports_up g3
expect_eq "address of the device that was adopted" "$(link_value g3 eth0 .address)" "$first"
ip -n "$g3" link set eth0 address 02:00:00:00:00:34
wait_for 3 has_address 02:00:00:00:00:34
is_held "with another device"
expect vfab port set g3 --mac 02:00:00:00:00:35
expect run g3 ping -q -c 1 -W 1 10.77.0.2
