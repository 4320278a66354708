#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Bridged networks: guests on the real segment with their own MACs, untagged and in a VLAN of it; guests and the host whose NIC it is
# reach each other; nothing is reflected or doubled; the NIC is promiscuous only meanwhile, and nothing is left.
#
#   b1 .31, b2 .32 -- real (untagged) --.                    .-- out1 .10
#                                        +-- [ vfabd ] up0 --+
#   t1 -- tagged (VLAN 30 of the wire) --'     host .1       '-- out2 .20
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/nat-fabric.sh"

nat_world b1 b2 t1
host_side
nsenter --net="/run/netns/$fab" ethtool -K up0 tx on >/dev/null
before=$(ip -n "$fab" -o link show | wc -l)
bridged_yaml()
{
	cat <<-EOF
		networks:
		  real: {mode: bridged, vlan: 10, uplink: nic}
		  tagged: {mode: bridged, vlan: 30, uplink: nic, tagged: true}
		uplinks:
		  nic: {kind: interface, interface: up0}
		ports:
		$(tap b1 "network: real, ipv4: 198.51.100.31/24, ipv6: '2001:db8:51::31/64'")
		$(tap b2 "network: real, ipv4: 198.51.100.32/24, ipv6: '2001:db8:51::32/64'")
		$(tap t1 "network: tagged")
	EOF
}
fabric < <(bridged_yaml)
wait_for 5 ports_up b1 b2 t1

# Everybody reaches everybody.
mesh()
{
	local from to

	for from in b1 b2 out1 fab; do
		for to in 198.51.100.31 198.51.100.32 198.51.100.10 198.51.100.20 198.51.100.1 2001:db8:51::31 2001:db8:51::10 2001:db8:51::1; do
			wait_for 4 run $from ping -q -c 1 -W 1 $to
		done
	done
}
mesh
expect run b1 ping -q -c 20 -i 0.02 -W 1 198.51.100.1
expect run fab ping -q -c 20 -i 0.02 -W 1 198.51.100.31
expect run b1 ping -q -c 20 -i 0.02 -W 1 198.51.100.10
expect run b1 ping -q -c 3 -i 0.05 -W 1 -s 4000 198.51.100.1
mac=$(link_value b1 eth0 .address)
expect_eq "b1's own MAC on the segment" "$(ip -n "$out1" -j neigh show 198.51.100.31 | jq -r '.[0].lladdr')" "$mac"
[ "$(ip -n "$fab" -d -j link show up0 | jq '.[0].promiscuity')" -ge 1 ] || fail "up0 is not promiscuous"

# TCP both ways with the host, large pieces.
start fab iperf3 -s -p 5201
start out1 iperf3 -s -p 5202
for args in "198.51.100.1 -p 5201" "198.51.100.1 -p 5201 -R" "198.51.100.10 -p 5202" "198.51.100.10 -p 5202 -R"; do
	# shellcheck disable=SC2086
	wait_for 5 run b1 timeout 20 iperf3 -c $args -n 8M
done

# Frames of exact bytes: once each, and nobody gets his own.
mute b1 b2 t1 out1 out2
frames <<'PY'
import itertools
from frames import *

b1, b2, t1 = stations("b1", "b2", "t1")
o1, o2 = Station("out1"), Station("out2")
everyone = (b1, b2, t1, o1, o2)
serial = itertools.count()


def sends(sender, dst, tags=b""):
    """{station: [tags and type of each copy]} of those that got it."""
    text = b"frame %d" % next(serial)
    for station in everyone:
        station.drain()
    sender.send(eth(dst, sender.mac, text, tags))
    # Frames of the segment pass the switch unasked: a last one by the same ways tells that all are through.
    last = b"last %d" % next(serial)
    sender.send(eth(BROADCAST, sender.mac, last, tags))
    receivers = reach(sender, tags)
    seen = {s: [] for s in everyone}

    def through():
        for s in everyone:
            seen[s] += s.drain()
        return all(any(last in f for f in seen[s]) for s in receivers)
    wait_for(5, f"the last frame of {sender}", through)
    time.sleep(0.02)
    through()
    return {s: [f[12:f.index(text)] for f in v if text in f] for s, v in seen.items() if any(text in f for f in v)}


def reach(sender, tags):
    """Who gets a broadcast of it."""
    if sender is t1 or tags:
        return {t1, o1, o2} - {sender}
    return {b1, b2, o1, o2} - {sender}


TEST = struct.pack("!H", ETYPE_TEST)
learn(b1, b2, t1)
for sender in (b1, b2, o1, o2):
    sends(sender, BROADCAST)
for sender, receiver in itertools.permutations((b1, b2, o1, o2), 2):
    expect(sends(sender, receiver.mac), {receiver: [TEST]}, f"{sender} to {receiver}: once, to nobody else")
for sender in (b1, b2, o1, o2):
    expect(sends(sender, BROADCAST), {s: [TEST] for s in (b1, b2, o1, o2) if s is not sender}, f"broadcast of {sender}: once each, none back")
    expect(sends(sender, "01:00:5e:00:00:05"), {s: [TEST] for s in (b1, b2, o1, o2) if s is not sender}, f"multicast of {sender}")
expect(sends(b1, "02:00:00:00:99:99"), {s: [TEST] for s in (b2, o1, o2)}, "unknown unicast of b1: flooded once")
# A VLAN of the wire.
expect(sends(o1, BROADCAST, tag(30)), {t1: [TEST], o2: [tag(30) + TEST]}, "VLAN 30 of the wire reaches t1 untagged")
expect(sends(o1, t1.mac, tag(30, 5))[t1], [TEST], "and with a priority")
expect(sends(t1, BROADCAST), {o1: [tag(30) + TEST], o2: [tag(30) + TEST]}, "t1 goes out tagged")
expect(sends(t1, o1.mac), {o1: [tag(30) + TEST]}, "t1 to out1")
o1.send(eth(BROADCAST, o1.mac, b"another VLAN", tag(40)))
wait_for(5, "the drop of VLAN 40", lambda: drops_of("nic").get("vlan", 0) > 0)
expect([f for s in (b1, b2, t1) for f in s.drain() if b"another VLAN" in f], [], "VLAN 40 reaches nobody")
PY
for name in b1 b2 t1 out1 out2; do nsenter --net="/run/netns/${!name}" nft delete table inet mute; done

# A death of the switch: the host's way to its guests is back.
allow_log '[Ss]witch'
old=$(switch_pid)
kill -9 "$old"
is_another()
{
	[ -n "$(switch_pid)" ] && [ "$(switch_pid)" != "$old" ] && vfab port ls
}
wait_for 5 is_another
wait_for 3 run fab ping -q -c 1 -W 1 198.51.100.31
wait_for 3 run b1 ping -q -c 1 -W 1 198.51.100.10

wait_for 3 sums_match
stop_fabric
expect_eq "promiscuity of up0" "$(ip -n "$fab" -d -j link show up0 | jq '.[0].promiscuity')" 0
expect_eq "devices" "$(ip -n "$fab" -o link show | wc -l)" "$before"
expect_eq "queueing of up0" "$(tc -n "$fab" qdisc show dev up0 | grep -c -E 'clsact|ingress' || true)" 0
expect run fab ping -q -c 1 -W 1 198.51.100.10
