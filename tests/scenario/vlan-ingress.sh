#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Which frames a port takes, and in which VLAN.
# B01 reserved group addresses, B03 learning per VLAN, B04 ingress filter, B05 trunk without native VLAN,
# B06 VID 4095 and 0 on a trunk, B07 double tag hop, B08 other TPIDs.
#
#   a10, b10  access 10 --.                  .-- tr  trunk 10, 20
#   a20       access 20 --+-- [ vfabd ] -----+
#                                            '-- nu  native-untagged 10, trunks 20
. "$(dirname "$0")/../lib/scenario.sh"

for name in a10 b10 a20 tr nu; do ns $name; done
fabric <<EOF
networks:
  ten: {mode: internal, vlan: 10}
  twenty: {mode: internal, vlan: 20}
ports:
$(tap a10 "network: ten")
$(tap b10 "network: ten")
$(tap a20 "network: twenty")
$(tap tr "vlan-mode: trunk, trunks: [10, 20]")
$(tap nu "vlan-mode: native-untagged, tag: 10, trunks: [20]")
EOF
wait_for 5 ports_up a10 b10 a20 tr nu

frames <<'PY'
from frames import *

a10, b10, a20, tr, nu = everyone = stations("a10", "b10", "a20", "tr", "nu")


def but(*some):
    return [s for s in everyone if s not in some]


def reaches(sender, frame, want, what):
    """want: {station: the frame it gets}; nobody else gets one."""
    got = deliver(sender, frame, but(sender))
    for station in but(sender):
        expect(got[station], [want[station]] if station in want else [], f"{what}: {station}")


# B01: :00 to :0f stay here, tagged or not; :10 to :2f are ordinary multicast.
for low in range(0x30):
    group = f"01:80:c2:00:00:{low:02x}"
    plain = eth(group, a10.mac, b"plain")
    tagged = eth(group, tr.mac, b"tagged", tag(10))
    if low < 0x10:
        dropped(a10, plain, "reserved", but(a10))
        dropped(tr, tagged, "reserved", but(tr))
    else:
        reaches(a10, plain, {b10: plain, nu: plain, tr: eth(group, a10.mac, b"plain", tag(10), pad=False).ljust(64, b"\0")},
                f"{group} is forwarded")

# B03: one address behind a10 in VLAN 10 and behind a20 in VLAN 20.
twin = "02:00:00:00:33:33"
for station in (a10, a20):
    send_settled(station, [eth(BROADCAST, twin, b"I am here")])
reaches(tr, eth(twin, tr.mac, b"to ten", tag(10)), {a10: eth(twin, tr.mac, b"to ten", pad=False).ljust(56, b"\0")},
        "VLAN 10 has its own entry")
reaches(tr, eth(twin, tr.mac, b"to twenty", tag(20)), {a20: eth(twin, tr.mac, b"to twenty", pad=False).ljust(56, b"\0")},
        "VLAN 20 has its own entry")

# B04: an access port takes no tagged frame, its own VID included; a priority tag is its VLAN with a priority.
dropped(a10, eth(BROADCAST, a10.mac, b"x", tag(20)), "vlan", but(a10))
dropped(a10, eth(BROADCAST, a10.mac, b"x", tag(10)), "vlan", but(a10))
whole = bytes(range(64))
reaches(a10, eth(BROADCAST, a10.mac, whole, tag(0, 5)),
        {b10: eth(BROADCAST, a10.mac, whole), nu: eth(BROADCAST, a10.mac, whole),
         tr: eth(BROADCAST, a10.mac, whole, tag(10, 5))}, "priority tag on an access port")

# B05: a trunk without native VLAN takes neither untagged frames nor priority tags.
dropped(tr, eth(BROADCAST, tr.mac, whole), "vlan", but(tr))
dropped(tr, eth(BROADCAST, tr.mac, whole, tag(0, 3)), "vlan", but(tr))
dropped(tr, eth(BROADCAST, tr.mac, whole, tag(30)), "vlan", but(tr))

# B06: 4095 never; VID 0 with a native VLAN is that VLAN.
dropped(tr, eth(BROADCAST, tr.mac, whole, tag(4095)), "vlan_reserved", but(tr))
dropped(nu, eth(BROADCAST, nu.mac, whole, tag(4095)), "vlan_reserved", but(nu))
reaches(nu, eth(BROADCAST, nu.mac, whole, tag(0, 7)),
        {a10: eth(BROADCAST, nu.mac, whole), b10: eth(BROADCAST, nu.mac, whole),
         tr: eth(BROADCAST, nu.mac, whole, tag(10, 7))}, "priority tag with a native VLAN")

# B07: an access port of the native VLAN cannot hop: its frame is dropped, and one from the trunk stays in VLAN 10 with the
# inner tag as payload.
dropped(a10, eth(BROADCAST, a10.mac, whole, tag(10) + tag(20)), "vlan", but(a10))
inner = eth(BROADCAST, nu.mac, whole, tag(20))
reaches(nu, eth(BROADCAST, nu.mac, whole, tag(10) + tag(20)),
        {a10: inner, b10: inner, tr: eth(BROADCAST, nu.mac, whole, tag(10) + tag(20))},
        "the inner of two tags is payload")

# Nor does it hop by a priority tag, which goes at ingress, or by the native VLAN, whose tag goes at egress: a frame that would
# show its inner tag in front of the trunk keeps the outer one.
for sender, wire, inner in ((a10, tag(0) + tag(20), tag(20)), (tr, tag(10) + tag(20), tag(20)),
                            (a10, tag(0) + tag(0) + tag(20), tag(0) + tag(20)), (tr, tag(10) + tag(0) + tag(20), tag(0) + tag(20))):
    got = deliver(sender, eth(BROADCAST, sender.mac, whole, wire), but(sender))
    expect((got[a20], got[nu]), ([], [eth(BROADCAST, sender.mac, whole, tag(10) + inner)]), f"{wire.hex()} from {sender} does not hop")

# B08: an outer 802.1ad tag is payload here, and kept.
double = tag(3, tpid=0x88A8) + tag(5)
reaches(a10, eth(BROADCAST, a10.mac, whole, double),
        {b10: eth(BROADCAST, a10.mac, whole, double), nu: eth(BROADCAST, a10.mac, whole, double),
         tr: eth(BROADCAST, a10.mac, whole, tag(10) + double)}, "802.1ad is payload")
dropped(tr, eth(BROADCAST, tr.mac, whole, double), "vlan", but(tr))
PY
