#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# D16: a server answers in its own VLAN and nowhere else; where there is none, guests may have one of their own, and a port with
# guard strict may not.
#
#   c1, c2, g (guard strict) -- office, VLAN 10 --.
#   l1 -- lab (internal, served), VLAN 20 ---------+-- [ vfabd ]
#   q1, q2 -- quiet (no-dhcp), VLAN 30 ------------+
#   h1 -- h (host-only), VLAN 50 ------------------+
#   t (trunk 10, 20, 30), by hand -----------------'
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/dhcp-fabric.sh"

dhcp_fabric c1:office c2:office g:office:"guard: strict" l1:lab q1:quiet q2:quiet h1:h
ns t -6
expect vfab port add t --vlan-mode trunk --trunks 10,20,30 --tap eth0 --netns "$t"
wait_for 5 ports_up
mute c1 c2 g l1 q1 q2 h1 t

dhcp_py <<'PY'
from dhcp import *

c1, c2, g = Client("c1"), Client("c2"), Client("g")
l1, q1, q2, h1 = Client("l1", server="10.20.0.1"), Client("q1"), Client("q2"), Client("h1", server="10.50.0.1")
t = Client("t")


def dhcp_of(station):
    """Every DHCP message that is there: (VLAN or None, op, source)."""
    seen = []
    for frame in station.drain():
        vid = None
        if frame[12:14] == b"\x81\x00":
            vid, frame = struct.unpack_from("!H", frame, 14)[0] & 0xFFF, frame[:12] + frame[16:]
        p = parse(frame)
        if p and p.proto == UDP and {p.sport, p.dport} & {67, 68}:
            seen.append((vid, p.payload[:1], p.src))
    return seen


def heard(sender, frame, *watched):
    """Sends, and when a server that was asked later has answered elsewhere: what was seen where."""
    for station in watched:
        station.drain()
    send_settled(sender, [frame])
    c1.ask([])
    l1.ask([])
    return [dhcp_of(station) for station in watched]


for station, first in ((c1, "10.10.0."), (l1, "10.20.0."), (h1, "10.50.0.")):
    ack = station.bind()
    expect(ack.yiaddr.startswith(first), True, f"{station} gets an address of its own network: {ack.yiaddr}")
expect(ROUTER in l1.one(l1.discover(), "internal", OFFER).options, False, "an internal network has no router")

# VLAN 30 has no server: its members hear the question, and nobody answers.
got = heard(q1, q1.discover(), q1, q2)
expect(got, [[], [(None, b"\1", ANY)]], "D16: no answer on VLAN 30")
# By the trunk: VLAN 10 and 20 answer in kind, 30 does not.
for vid, server in ((10, "10.10.0.1"), (20, "10.20.0.1"), (30, None)):
    # VLAN 20 is small.
    frame = t.discover(mac=f"02:33:00:00:00:{vid:02x}", flags=B_FLAG)
    frame = frame[:12] + tag(vid) + frame[12:]
    seen = heard(t, frame, t)[0]
    expect([s for s in seen if s[1] == b"\2"], [(vid, b"\2", server)] if server else [], f"D16: DISCOVER on VLAN {vid} of a trunk")
# One network's server is not another's, though its address is named.
got = heard(q1, q1.renew("10.10.0.100", eth_dst="02:76:66:00:00:0a"), q1)
expect(got, [[]], "D16: nor by the address of another network's server")
got = heard(q1, q1.frame(bootp(DISCOVER, q1.mac), dst="10.30.0.1", eth_dst="02:76:66:00:00:1e"), q1)
expect(got, [[]], "D16: nor at the gateway where no-dhcp is said")
expect(leases(network="quiet"), [], "no lease of it")

# A server of a guest.
def rogue(station, port=67, dst=ALL, eth_dst=BROADCAST):
    return station.frame(bootp(op=2, kind=OFFER, chaddr=c2.mac, yiaddr="10.10.0.66", options=option(SERVER_ID, "10.10.0.66")),
                         src="10.10.0.66", dst=dst, eth_dst=eth_dst, sport=port, dport=68)


def answered(frame, what):
    """The next answer at g, where nobody else may ask."""
    g.drain()
    g.send(frame)
    return wait_for(3, what, lambda: next(filter(None, map(answer_of, g.drain())), None))


got = heard(q1, rogue(q1), q2)
expect(got, [[(None, b"\2", "10.10.0.66")]], "a guest may serve where we do not and nobody guards")
held = answered(g.select(answered(g.discover(), "an OFFER")), "an ACK").yiaddr
for frame, what in ((rogue(g), "to all"), (rogue(g, dst="10.10.0.100", eth_dst=c2.mac), "to one")):
    dropped(g, frame, "rogue_dhcp", [c1, c2])
fragment = udp("10.10.0.66", 67, ALL, 68, bytes(400))
dropped(g, eth(BROADCAST, g.mac, ip("10.10.0.66", ALL, UDP, fragment[20:60], df=False, more=True, ident=3), etype=0x0800), "rogue_dhcp", [c1, c2])
expect(answered(g.renew(held), "D16: a guarded port is still served").yiaddr, held, "D16: and renews")
PY
