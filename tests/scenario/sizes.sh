#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# B12: frames of every size.  A tap cannot be made to give fewer than 14 bytes: those are a unit test's.
#
#   big (MTU 65520) --.                 .-- mid   (MTU 9000)
#                      +-- [ vfabd ] --+
#   peer (MTU 65520) -'                 '-- small (MTU 1500)
. "$(dirname "$0")/../lib/scenario.sh"

for name in big peer mid small; do ns $name; done
fabric <<EOF
ports:
$(tap big "vlan-mode: access, tag: 10, mtu: 65520")
$(tap peer "vlan-mode: access, tag: 10, mtu: 65520")
$(tap mid "vlan-mode: access, tag: 10, mtu: 9000")
$(tap small "vlan-mode: access, tag: 10, mtu: 1500")
EOF
wait_for 5 ports_up

frames <<'PY'
from frames import *

big, peer, mid, small = stations("big", "peer", "mid", "small")
learn(peer, mid, small)
HEADER, MTU = 14, {peer: 65520, mid: 9000, small: 1500}


def frame_of(size, dst):
    return eth(dst, big.mac, bytes((i * 31) & 0xFF for i in range(size - HEADER)), pad=False)


def same(got, sent):
    """As it was sent; what a network card would pad may be padded, with zeros only."""
    return len(got) == 1 and got[0][:len(sent)] == sent and len(got[0]) <= max(len(sent), 60) and not any(got[0][len(sent):])


# Something that a leak would show: old bytes in every buffer.
deliver(big, [eth(BROADCAST, big.mac, b"\xa5" * 1486)] * 300, [peer, mid, small])

for size in (14, 15, 59, 60, 61, 64, 127, 128, 129, 1513, 1514, 1515, 1518, 1522, 2047, 2048, 2049, 4096, 9014, 9015, 9018,
             32768, 65533, 65534):
    for to in (peer, mid, small):
        frame = frame_of(size, to.mac)
        if size - HEADER > MTU[to]:
            dropped(big, frame, "too_big", [peer, mid, small])
            continue
        got = deliver(big, frame, [peer, mid, small])
        if not same(got[to], frame) or sum(map(len, got.values())) != 1:
            expect(got[to], [frame], f"{size} bytes to {to}")
    print(f"ok: {size} bytes")

# A tag does not count against the MTU, and one that floods is lost only where it does not fit.
frame = frame_of(4000, BROADCAST)
before = port_of("small")["tx"]["lost"]
got = deliver(big, frame, [peer, mid, small])
expect([len(got[s]) for s in (peer, mid, small)], [1, 1, 0], "4000 bytes flooded")
expect(port_of("small")["tx"]["lost"] - before, 1, "lost at small")
PY
