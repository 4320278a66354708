#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# N13 no ICMP message ends or refreshes a session, N14 errors of any router reach the guest, N15 the path's MTU, N22 queries of two
# guests with one identifier, N23 errors with headers that lie, N24 how errors are rewritten both ways, N26 errors of our own,
# M09 errors about nonsense.
#
#   in1 .11, in2 .12 -- lan, MTU 1500 -- [ vfabd ] -- up0, MTU 1400 --+-- out1 .10, also a router far away
#                                                                     '-- out2 .20
#
# RFC 4787 REQ-12, REQ-13; RFC 5382 REQ-9, REQ-10; RFC 5508 REQ-1, REQ-3, REQ-4, REQ-5, REQ-6, REQ-10, REQ-11; RFC 7857 11
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/nat-fabric.sh"

nat_world
ip -n "$fab" link set up0 mtu 1400
nat_fabric "${NAT_KIND:-interface}" "nat: {rate: 0}"
mute in1 in2 out1 out2

nat_py <<'PY'
from nat import *

ports = iter(range(5000, 6000))


def errors(w):
    """(type, code) of every error that a router may send."""
    return ((1, 0), (1, 3), (1, 4), (2, 0), (3, 0), (3, 1), (4, 0), (4, 2)) if w.v6 else \
        ((3, 0), (3, 1), (3, 3), (3, 4), (3, 13), (4, 0), (11, 0), (11, 1), (12, 0))


def test(w):
    a, b, o, far = w.in1, w.in2, w.out1, "2001:db8:9::9" if w.v6 else "203.0.113.9"
    ours = KIND != "kernel"

    # N14, N24: from a router that nobody asked, about UDP, TCP and echo.
    end = w.one(a, udp(a.ip, 5000, o.ip, 53), o, "UDP").source
    t = Tcp(w, a, 5001, o, 80).open()
    e = w.one(a, echo(a.ip, o.ip, 5002, 7), o, "echo")
    for what, sent, want in (("UDP", udp(*end, o.ip, 53), (a.ip, 5000, 53)),
                             ("TCP", tcp(*t.end, o.ip, 80, ACK, t.seq, t.ack), (a.ip, 5001, 80)),
                             ("echo", e.raw, (a.ip, 5002, None))):
        for kind, code in errors(w):
            p = w.one(o, icmp_error(far, w.public, kind, code, sent, rest=1300), a, f"N14 {what}: type {kind} code {code}")
            inner = p.inner
            got = (inner.src, inner.ident if what == "echo" else inner.sport, inner.dport)
            expect((p.src, p.dst, p.kind, p.code, got, inner.dst, inner.l3_good), (far, a.ip, kind, code, want, o.ip, True),
                   f"N14 N24 {what}: type {kind} code {code} from {far} as of the inside packet")
            expect(p.l4[4:8], struct.pack("!I", 1300), "N24: the rest of its header")
            inner_l4 = inner.l4
            expect(l4_csum(inner.src, inner.dst, inner.proto, inner_l4), 0, "N24: the inner checksum fits again")

    # N24: errors of the inside about what came in: its source is ours, the header inside as the outside sent it.
    heard = w.one(o, udp(o.ip, 53, *end, b"answer"), a, "an answer")
    kind, code = (1, 4) if w.v6 else (3, 3)
    for source, what in ((a.ip, "the guest"), (w.gateway.replace("::1", "::99").replace("0.0.1", "0.0.99"), "a router inside")):
        p = w.one(a, icmp_error(source, o.ip, kind, code, heard.raw), o, f"N24: an error from {what}")
        expect((p.src, p.kind, p.code, p.inner.dst, p.inner.dport, p.inner.src, p.inner.sport, p.inner.l3_good),
               (w.public, kind, code, *end, o.ip, 53, True), f"N24: an error from {what}, as of the outside packet")
    # No mapping: silence.
    refused = drops("nat_error") if ours else 0
    w.none(o, icmp_error(far, w.public, kind, code, udp(w.public, 4444, o.ip, 53)), a, "N24: about a packet that never passed")
    w.none(o, icmp_error(far, w.public, kind, code, udp(*end, w.out2.ip, 53)), a, "N24: about a packet to somebody else")
    if ours:
        w.none(a, icmp_error(a.ip, o.ip, kind, code, udp(o.ip, 9999, a.ip, 9999)), o, "N24: outwards, about nothing")
        expect_drops("nat_error", refused, 3, "N24: drops by nat_error")

    # N23
    good = udp(*end, o.ip, 53, b"x" * 40)
    bad_outer = icmp_error(far, w.public, kind, code, good)
    at = 40 if w.v6 else 20
    w.none(o, put(bad_outer, at + 2, "!H", 0xBEEF), a, "N23: a bad checksum of the message")
    if not w.v6 and ours:
        w.none(o, icmp_error(far, w.public, kind, code, put(good, 10, "!H", 0xBEEF)), a, "N23: a bad checksum of the header inside")
    if not w.v6:
        optioned = udp(*end, o.ip, 53, b"x" * 40, options=b"\1\1\1\0")
        p = w.one(o, icmp_error(far, w.public, kind, code, optioned), a, "N23: options inside")
        expect((p.inner.src, p.inner.sport, p.inner.l3_good), (a.ip, 5000, True), "N23: options inside are stepped over")
    p = w.one(o, icmp_error(far, w.public, kind, code, put(good, at + 6, "!H", 0x1234)), a, "N23: a bad L4 checksum inside")
    expect((p.inner.src, p.inner.sport), (a.ip, 5000), "N23: a bad L4 checksum inside is not looked at")
    short = tcp(*t.end, o.ip, 80, ACK, t.seq, t.ack)[:at + 8]
    p = w.one(o, icmp_error(far, w.public, kind, code, short), a, "N23: 8 bytes of TCP inside")
    expect((p.inner.src, p.inner.sport, p.inner.seq), (a.ip, 5001, t.seq & 0xFFFFFFFF), "N23: 8 bytes of TCP inside are enough")
    # RFC 4884: the packet padded to 128 bytes, its length in the header, an extension behind.
    padded = good.ljust(128, b"\0")
    extension = struct.pack("!BBH", 0x20, 0, 0) + struct.pack("!HBB", 8, 1, 1) + b"\0\1\2\3"
    extension = put(extension, 2, "!H", csum(extension))
    rest = (len(padded) // 8 << 24) if w.v6 else (len(padded) // 4 << 16)
    p = w.one(o, icmp_error(far, w.public, *((1, 4) if w.v6 else (3, 3)), padded + extension, rest=rest), a, "N23: an extension")
    expect((p.inner.src, p.inner.sport, p.payload[128:]), (a.ip, 5000, extension), "N23: an extension of RFC 4884 is left alone")

    # M09
    for inner in (b"", good[:7], good[:19], good[:at], good[:at + 3], b"\x45" + bytes(60), b"\x4f" + good[1:], b"\x40" + good[1:],
                  b"\x60" + bytes(39) if not w.v6 else b"\x45" + bytes(50), icmp_error(w.public, o.ip, kind, code, good),
                  udp(o.ip, 53, *end), udp(*end, *end), udp(*end, o.ip, 53, more=True, df=False, offset=8)[:at + 20], os.urandom(64)):
        got = w.exchange(o, icmp_error(far, w.public, kind, code, inner), a)[a]
        if ours:
            expect(got, [], f"M09: an error about {len(inner)} odd bytes")

    # N13: nothing of all that ended or refreshed them.
    if ours:
        # Types that are requests are answered by our own address, all others are forged for the flow.
        for kind in range(256):
            for code in (0, 1, 3, 4, 15, 255):
                o.send_ip(icmp_error(far, w.public, kind, code, udp(*end, o.ip, 53)))
                o.send_ip(icmp_error(o.ip, w.public, kind, code, tcp(*t.end, o.ip, 80, ACK, t.seq, t.ack)))
        w.collect(o, a)
        rows = [s["state"] for s in sessions(proto="tcp") if s["inside"].endswith(":5001") and a.ip in s["inside"]]
        expect(rows, ["established"], "N13: the TCP session is as it was")
    expect(t.lives(), True, "N13: and lives")
    expect(w.one(a, udp(a.ip, 5000, o.ip, 53), o, "N13").source, end, "N13: the UDP mapping is the same")
    w.one(o, udp(o.ip, 53, *end), a, "N13: and passes inwards")

    # N22
    ends = [w.one(h, echo(h.ip, o.ip, 5005), o, "N22") for h in (a, b)]
    expect(ends[0].source != ends[1].source, True, "N22: one identifier of two guests")
    for h, other, p in ((a, b, ends[0]), (b, a, ends[1])):
        got = w.exchange(o, echo(o.ip, p.src, p.ident, 9, b"for %s" % h.netns.encode(), reply=True), h, other)
        expect([(q.dst, q.ident, q.sequence, q.payload) for q in got[h]], [(h.ip, 5005, 9, b"for %s" % h.netns.encode())], f"N22: {h}")
        expect(got[other], [], f"N22: not {other}")
    w.none(w.out2, echo(w.out2.ip, ends[0].src, ends[0].ident, reply=True), a, "N22: a reply of somebody else")

    # N15
    big = udp(a.ip, 5000, o.ip, 53, bytes(1400))
    got = w.exchange(a, big, a, o)
    expect(got[o], [], "N15: larger than the path, not to be fragmented")
    p = next(p for p in got[a] if p.is_error)
    expect((p.src, p.kind, p.code, p.l4[6:8], p.inner.src, p.inner.sport),
           (w.gateway, *((2, 0) if w.v6 else (3, 4)), struct.pack("!H", 1400), a.ip, 5000), "N15: told of 1400 bytes")
    if not w.v6:
        got = w.exchange(a, udp(a.ip, 5000, o.ip, 53, bytes(range(256)) * 5 + bytes(120), df=False), o)[o]
        expect([(p.source[0], p.offset > 0, p.more, len(p.raw) <= 1400) for p in got],
               [(w.public, False, True, True), (w.public, True, False, True)], "N15: DF=0: two fragments in order")
        whole = b"".join(p.l4 for p in got)
        expect((len(whole), l4_csum(w.public, o.ip, UDP, whole), got[0].id == got[1].id), (1408, 0, True), "N15: that fit together")

    # The MSS of TCP is clamped to the path, both ways, never raised; other options are left alone.
    if ours:
        most = 1340 if w.v6 else 1360
        for asked, want in ((1460, most), (65535, most), (1000, 1000)):
            options = b"\1\3\3\7" + struct.pack("!BBH", 2, 4, asked) + b"\4\2\1\1"
            want = b"\1\3\3\7" + struct.pack("!BBH", 2, 4, want) + b"\4\2\1\1"
            m = Tcp(w, a, next(ports), o, 80)
            p = w.one(a, tcp(a.ip, m.sport, o.ip, 80, SYN, m.seq, options=options), o, "a SYN with an MSS")
            expect(p.tcp_options, want, f"MSS {asked} on its way out")
            p = w.one(o, tcp(o.ip, 80, *p.source, SYN | ACK, 7, m.seq + 1, options=options), a, "a SYN-ACK with an MSS")
            expect(p.tcp_options, want, f"MSS {asked} on its way in")

    # N26
    got = w.exchange(a, udp(a.ip, 5000, o.ip, 53, ttl=1), a, o)
    expect(got[o], [], "N26: TTL 1 goes nowhere")
    kind = 3 if w.v6 else 11
    p = next(p for p in got[a] if p.is_error)
    expect((p.src, p.kind, p.code, p.inner.src, p.inner.sport), (w.gateway, kind, 0, a.ip, 5000), "N26: the gateway says so")
    got = w.exchange(o, udp(o.ip, 53, *end, ttl=1), a, o)
    expect(got[a], [], "N26: inwards, TTL 1 goes nowhere")
    p = next(p for p in got[o] if p.is_error)
    expect((p.src, p.kind, p.inner.dst, p.inner.dport), (w.public, kind, *end), "N26: the outside address says so")
    if not w.v6 and ours:
        for what, rest, kind in (("timestamp", bytes(16), 13), ("mask", bytes(8), 17), ("information", bytes(4), 15), ("router", bytes(4), 10)):
            got = w.exchange(a, icmp(a.ip, w.gateway, kind, 0, rest), a)[a]
            expect(got, [], f"N26: no answer to a {what} request")


both_families(test)
PY
