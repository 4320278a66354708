#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# N16 fragments in any order, both ways, UDP and ICMP: all of them translated; N17 and R04 first fragments without end, from both
# sides: memory stays within its limit and other traffic passes; M06 fragments that overlap, repeat, or say what cannot be.
# SOAK=1: 200 000 of N17.
#
#   in1 .11, in2 .12 -- lan -- [ vfabd ] .1 --+-- out1 .10
#                                             '-- out2 .20
#
# RFC 4787 REQ-14; RFC 7857 10
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/nat-fabric.sh"

nat_fabric "${NAT_KIND:-interface}" "nat: {rate: 0}"
mute in1 in2 out1 out2

SWITCH=$([ "$KIND" = kernel ] || switch_pid) FLOOD=$([ -z "${SOAK:-}" ] && echo 4000 || echo 200000) nat_py <<'PY'
import itertools
from nat import *

FLOOD = int(os.environ["FLOOD"])
idents = itertools.count(1000)
ours = KIND != "kernel"


def cut(packet, sizes, ident=None):
    """The packet in pieces of these sizes and a last one with the rest."""
    p = Packet(packet)
    ident = next(idents) if ident is None else ident
    pieces, at = [], 0
    for size in (*sizes, len(p.l4)):
        piece = p.l4[at:at + size]
        pieces.append(ip(p.src, p.dst, p.proto, piece, ident=ident, df=False, more=at + size < len(p.l4), offset=at))
        at += size
    return pieces


def whole(packets):
    """The datagram that these fragments make; they are of one source, one identification, and do not overlap."""
    packets = sorted(packets, key=lambda p: p.offset)
    if len({(p.src, p.dst, p.id, p.proto) for p in packets}) != 1 or packets[-1].more:
        return None
    data = b""
    for p in packets:
        if p.offset != len(data):
            return None
        data += p.l4
    return Packet(ip(packets[0].src, packets[0].dst, packets[0].proto, data))


def lives(w, a, o, end, what):
    for i in range(20):
        w.one(a, udp(a.ip, 5000, o.ip, 53, b"%d" % i), o, f"{what}: out")
        w.one(o, udp(o.ip, 53, *end, b"%d" % i), a, f"{what}: in")
        got = w.exchange(a, cut(udp(a.ip, 5000, o.ip, 53, bytes(2000)), [1000, 504]), o)[o]
        if whole(got) is None:
            sys.exit(f"FAIL: {what}: a datagram in three pieces: {got}")
    expect(True, True, f"{what}: 20 packets each way and 20 datagrams in pieces pass")


def test(w):
    a, b, o = w.in1, w.in2, w.out1
    end = w.one(a, udp(a.ip, 5000, o.ip, 53), o, "a mapping").source
    end_b = w.one(b, udp(b.ip, 5000, o.ip, 53), o, "of in2").source
    data = bytes(random.randrange(256) for _ in range(2500))

    # N16
    for order in itertools.permutations(range(3)):
        for what, make, src, dst, want in (
                ("UDP out", udp(a.ip, 5000, o.ip, 53, data), a, o, (*end, o.ip, 53)),
                ("UDP in", udp(o.ip, 53, *end, data), o, a, (o.ip, 53, a.ip, 5000)),
                ("echo out", echo(a.ip, o.ip, 5001, payload=data), a, o, None)):
            pieces = cut(make, [1000, 800])
            got = w.exchange(src, [pieces[i] for i in order], dst)[dst]
            p = whole(got)
            if p is None or p.payload != data:
                sys.exit(f"FAIL: N16 {what} in the order {order}: {got}")
            if want:
                expect((p.src, p.sport, p.dst, p.dport), want, f"N16 {what} in the order {order}")
            else:
                expect((p.src, p.dst), (w.public, o.ip), f"N16 {what} in the order {order}")
    # Two datagrams of one guest and one of another at once, the same identification.
    sets = [cut(udp(h.ip, 5000, o.ip, 53, bytes([n]) * 2500), [1000, 800], ident)
            for h, n, ident in ((a, 1, 77), (a, 2, 78), (b, 3, 77))]
    for h, i in itertools.product((a, b), (2, 0, 1)):
        for s in sets:
            if Packet(s[0]).src == h.ip:
                h.send_ip(s[i])
    got = w.collect(a, o) + w.collect(b, o)
    by = {}
    for p in got:
        by.setdefault(p.id, []).append(p)
    if ours:
        expect(sorted(whole(s).payload[0] if whole(s) else None for s in by.values()), [1, 2, 3], "N16 N33: three datagrams interleaved")

    # N17, R04: in pieces of which the others never come.
    before = int(open(f"/proc/{os.environ['SWITCH']}/statm").read().split()[1]) if ours else 0
    # Last ones first too: those wait for the first.
    for i in range(FLOOD):
        first, last = cut(udp(a.ip, 6000 + i % 50, o.ip, 53, bytes(1000)), [504], i & 0xFFFF)
        a.send_ip(first if i % 2 else last)
        first, last = cut(udp(w.out2.ip, 53, *end, bytes(1000)), [504], i & 0xFFFF)
        w.out2.send_ip(first if i % 2 else last)
        if i % 1000 == 0:
            w.collect(a, o)
    w.collect(a, o)
    print(f"soak: {2 * FLOOD} first fragments of N17")
    lost = 0
    for i in range(200):
        lost += len(w.exchange(b, udp(b.ip, 5000, o.ip, 53), o)[o]) != 1
        lost += len(w.exchange(o, udp(o.ip, 53, *end_b), b)[b]) != 1
        lost += whole(w.exchange(b, cut(udp(b.ip, 5000, o.ip, 53, bytes(2000)), [1000, 504]), o)[o]) is None
    expect(lost < 6 or not ours, True, f"N17: of 600 others fewer than 1 % are lost: {lost}")
    if ours:
        grown = (int(open(f"/proc/{os.environ['SWITCH']}/statm").read().split()[1]) - before) * 4096
        expect(grown < 32 << 20, True, f"N17 R04: memory grew by {grown >> 10} KiB")

    # M06
    whole_one = udp(a.ip, 5000, o.ip, 53, bytes(2000))
    l4 = Packet(whole_one).l4

    def piece(data, offset, more, ident, host=a, dst=None, proto=UDP):
        return ip(host.ip, dst or o.ip, proto, data, ident=ident, df=False, more=more, offset=offset)

    odd = {
        "overlap by 8 bytes": [piece(l4[:1000], 0, True, 1), piece(l4[992:], 992, False, 1)],
        "teardrop": [piece(l4[:1000], 0, True, 2), piece(l4[8:40], 8, False, 2)],
        "one inside another": [piece(l4[:1000], 0, True, 3), piece(b"\xff" * 504, 248, True, 3), piece(l4[1000:], 1000, False, 3)],
        "beyond 65535": [piece(l4[:1000], 0, True, 4), piece(bytes(1400), 65528, False, 4)],
        "a first one without ports": [piece(l4[:8], 0, True, 5)] if w.v6 else [piece(b"", 0, True, 5), piece(l4[8:1008], 8, False, 5)],
        "the rewrite of the ports": [piece(l4[:8], 0, True, 6), piece(l4[:8], 0, True, 6), piece(l4[8:1008], 8, False, 6)],
        "one byte at the end": [piece(l4[:1000], 0, True, 7), piece(l4[1000:2000], 1000, True, 7), piece(b"\0", 2000, False, 7)],
        "a piece that is no multiple of 8": [piece(l4[:999], 0, True, 8), piece(l4[1000:], 1000, False, 8)],
    }
    for what, pieces in odd.items():
        got = w.exchange(a, pieces, o)[o]
        for p in got:
            expect(p.src, w.public, f"M06 {what}: no inside address gets out")
        again = w.exchange(a, list(reversed(pieces)), o)[o]
        for p in again:
            expect(p.src, w.public, f"M06 {what}, reversed: no inside address gets out")
        for seen in (got, again):
            held = [byte for p in seen for byte in range(p.offset, p.offset + len(p.l4))]
            expect(len(held) == len(set(held)) or not ours, True, f"M06 {what}: no byte twice")
    for host, dst in ((a, o.ip), (o, end[0])):
        for i in range(800):
            host.send_ip(piece(l4[:504], 0, True, 9, host, dst))
            host.send_ip(piece(l4[504:1008], 504 + 8 * (i % 100), True, 9, host, dst))
    if w.v6:
        got = w.exchange(a, ip(a.ip, o.ip, 44, struct.pack("!BBHI", UDP, 0, 0, 5) + l4[:200].ljust(200)), o)[o]
        print(f"an atomic fragment: {got}")
    lives(w, a, o, end, "M06: afterwards")


for v6 in (False, True):
    if not (KIND == "kernel" and v6):
        test(World(v6=v6))
PY
