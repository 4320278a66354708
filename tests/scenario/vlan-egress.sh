#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# B09: every pair of ports, for unicast, broadcast and multicast: the exact tags, the payload bit for bit, and nobody who
# should not get it.  A second model of the five VLAN modes, below, says what is right.
#
#   ac  access 10            tr  trunk 10, 20, 30         q1  dot1q-tunnel 30
#   pi  access 10 if-nonzero nu  native-untagged 10 + 20  q2  dot1q-tunnel 30
#   pa  access 10 always     nt  native-tagged 10 + 20    a2  access 20
. "$(dirname "$0")/../lib/scenario.sh"

for name in ac pi pa tr nu nt q1 q2 a2; do ns $name; done
fabric <<EOF
ports:
$(tap ac "vlan-mode: access, tag: 10")
$(tap pi "vlan-mode: access, tag: 10, priority-tags: if-nonzero")
$(tap pa "vlan-mode: access, tag: 10, priority-tags: always")
$(tap tr "vlan-mode: trunk, trunks: [10, 20, 30]")
$(tap nu "vlan-mode: native-untagged, tag: 10, trunks: [20]")
$(tap nt "vlan-mode: native-tagged, tag: 10, trunks: [20]")
$(tap q1 "vlan-mode: dot1q-tunnel, tag: 30")
$(tap q2 "vlan-mode: dot1q-tunnel, tag: 30")
$(tap a2 "vlan-mode: access, tag: 20")
EOF
wait_for 5 ports_up

frames <<'PY'
from frames import *

MODE = {"ac": ("access", 10), "pi": ("access", 10), "pa": ("access", 10), "a2": ("access", 20),
        "tr": ("trunk", None), "nu": ("native-untagged", 10), "nt": ("native-tagged", 10),
        "q1": ("tunnel", 30), "q2": ("tunnel", 30)}
CARRIES = {name: {vid} for name, (_, vid) in MODE.items()} | {"tr": {10, 20, 30}, "nu": {10, 20}, "nt": {10, 20}}
SERVICE = 30
everyone = stations(*MODE)
payload = bytes((7 * i) & 0xFF for i in range(90))
MULTICAST = "01:00:5e:01:02:03"

# (what comes after the addresses on the wire, VLAN, priority, what is inside), by mode of the port it is sent into.
def offers(name):
    mode, vid = MODE[name]
    if mode == "tunnel":
        for customer in (b"", tag(5, 3), tag(0, 6), tag(6, tpid=0x88A8) + tag(7)):
            yield customer, vid, 0, customer
        return
    if vid and mode != "trunk":
        yield b"", vid, 0, b""
        yield tag(0, 5), vid, 5, b""
    if mode != "access":
        for member in sorted(CARRIES[name]):
            tpid = 0x88A8 if member == SERVICE else 0x8100
            yield tag(member, 2, tpid), member, 2, b""
            yield tag(member, 4, tpid) + tag(99), member, 4, tag(99)
            yield tag(member, 4, tpid) + tag(20), member, 4, tag(20)


def leaves(name, vid, pcp, inner):
    """The tags with which a frame leaves a port that carries its VLAN."""
    mode, own = MODE[name]
    if mode == "native-untagged" and vid == own and inner == tag(20):
        return tag(vid, pcp) + inner  # untagged, it would be a frame of VLAN 20
    if mode == "tunnel":
        return inner
    if mode == "access" or (mode == "native-untagged" and vid == own):
        always = name == "pa" or (name == "pi" and pcp)
        return (tag(0, pcp) if always else b"") + inner
    return tag(vid, pcp, 0x88A8 if vid == SERVICE else 0x8100) + inner


def enter(name, vid):
    """How a station speaks in a VLAN that its port carries."""
    mode, own = MODE[name]
    if mode == "tunnel" or (own == vid and mode != "trunk"):
        return b""
    return tag(vid, 0, 0x88A8 if vid == SERVICE else 0x8100)


for station in everyone:
    for vid in CARRIES[station.port]:
        send_settled(station, [eth(BROADCAST, station.mac, b"learn me", enter(station.port, vid))])

cases = 0
for sender in everyone:
    for wire, vid, pcp, inner in offers(sender.port):
        for dst in [BROADCAST, MULTICAST] + [s.mac for s in everyone if s is not sender]:
            members = [s for s in everyone if s is not sender and vid in CARRIES[s.port]]
            known = [s for s in members if s.mac == dst]
            takers = known or members
            got = deliver(sender, eth(dst, sender.mac, payload, wire), [s for s in everyone if s is not sender])
            for station, frames in got.items():
                want = [eth(dst, sender.mac, payload, leaves(station.port, vid, pcp, inner))] if station in takers else []
                if frames != want:
                    expect(frames, want, f"{sender} sends {wire.hex()} to {dst}: {station}")
            cases += 1
print(f"ok: {cases} frames, each at every port as the model says")

# Where a service VLAN is carried, only an 802.1ad tag is taken for it.
tr = everyone[3]
dropped(tr, eth(BROADCAST, tr.mac, payload, tag(SERVICE)), "vlan", [s for s in everyone if s is not tr])
PY
