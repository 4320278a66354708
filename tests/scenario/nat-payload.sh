#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# N11 payload is never touched, N29 destinations that are not translated, N33 identifications of fragments do not collide, N38 padding
# and trailers are no payload, M07 odd packets change nothing for the flow after them.
#
#   in1 .11, in2 .12 -- lan -- [ vfabd ] .1 --+-- out1 .10
#                                             '-- out2 .20: exempt
#
# RFC 4787 REQ-10; RFC 5382 REQ-6; RFC 6888 REQ-6; RFC 7857 10
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/nat-fabric.sh"

nat_fabric interface "nat: {rate: 0, exempt: [198.51.100.20/32, '2001:db8:51::20/128']}"
mute in1 in2 out1 out2

nat_py <<'PY'
from nat import *

FTP = b"PORT 10,0,0,11,19,137\r\n"
EPRT = b"EPRT |2|fd00:10::11|5001|\r\n"
SIP = (b"INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.11:5060\r\nContact: <sip:alice@10.0.0.11>\r\n"
       b"Content-Length: 24\r\n\r\nc=IN IP4 10.0.0.11\r\nm=a\r\n")


def test(w):
    a, b, o = w.in1, w.in2, w.out1

    # N11
    t = Tcp(w, a, 5000, o, 21).open()
    for text in (FTP, EPRT):
        expect([p.payload for p in t.out(PSH | ACK, text)], [text], "N11: FTP passes as it is")
        t.seq += len(text)
    p = w.one(a, udp(a.ip, 5060, o.ip, 5060, SIP), o, "N11: SIP")
    expect(p.payload, SIP, "N11: SIP passes as it is")
    expect(w.one(o, udp(o.ip, 5060, *p.source, SIP), a, "N11: SIP").payload, SIP, "N11: and inwards")

    # N29: what is exempt goes out as it is, its answers come back; nothing else of there comes in.
    far = w.out2
    p = w.exchange(a, udp(a.ip, 5000, far.ip, 53, b"plain"), o)
    a.send_ip(udp(a.ip, 5001, far.ip, 53, b"plain"))
    p = far.wait_packet("N29: a packet that is exempt", lambda p: p.payload == b"plain" and p.dport == 53 and p.sport == 5001)
    expect(p.src, a.ip, "N29: not translated")
    far.send_ip(udp(far.ip, 53, a.ip, 5001, b"answer"))
    p = a.wait_packet("N29: its answer", lambda p: p.payload == b"answer")
    expect((p.src, p.sport, p.dport), (far.ip, 53, 5001), "N29: its answer")
    for packet in (udp(far.ip, 54, a.ip, 5001, b"other"), udp(far.ip, 53, a.ip, 22, b"other"), tcp(far.ip, 53, a.ip, 22, SYN),
                   echo(far.ip, a.ip, 5, payload=b"other")):
        far.send_ip(packet)
    far.send_ip(udp(far.ip, 53, a.ip, 5001, b"last"))
    seen = []
    a.wait_packet("N29: the last answer", lambda p: seen.append(p) or p.payload == b"last")
    expect(len(seen), 1, f"N29: nobody else gets in: {seen}")

    # N33
    if not w.v6:
        used = set()
        for ident in list(range(40)) + [0, 0, 65535]:
            for h in (a, b):
                data = udp(h.ip, 5000, o.ip, 53, bytes(1000))
                l4 = Packet(data).l4
                pieces = [ip(h.ip, o.ip, UDP, l4[:504], ident=ident, df=False, more=True),
                          ip(h.ip, o.ip, UDP, l4[504:], ident=ident, df=False, offset=504)]
                got = w.exchange(h, pieces, o)[o]
                expect(len({p.id for p in got}), 1, "N33: one datagram, one identification") if len({p.id for p in got}) != 1 else None
                if got[0].id in used and ident not in (0, 65535):
                    sys.exit(f"FAIL: N33: two datagrams of identification {got[0].id}")
                used.add(got[0].id)
        expect(True, True, f"N33: identifications of two guests do not collide: {len(used)}")

    # N38
    end = w.one(a, udp(a.ip, 5002, o.ip, 53), o, "a mapping").source
    for trailer in (b"\xff" * 18, b"\xaa" * 300, b"\x01"):
        for what, packet in (("UDP", udp(a.ip, 5002, o.ip, 53, b"")), ("UDP", udp(a.ip, 5002, o.ip, 53, b"odd")),
                             ("echo", echo(a.ip, o.ip, 5003, payload=b"")), ("TCP", tcp(a.ip, 5004, o.ip, 80, SYN))):
            o.drain()
            a.send(a.frame(packet, pad=False) + trailer)
            got = w.collect(a, o)
            # Packet() cuts at the length that the header says and checks the sum over just that.
            expect([(p.src, len(p.raw), p.payload) for p in got], [(w.public, len(packet), Packet(packet).payload)], f"N38: {what} with {len(trailer)} bytes behind")
        o.send(o.frame(udp(o.ip, 53, *end, b"in"), pad=False) + trailer)
        expect([p.payload for p in w.collect(o, a)], [b"in"], "N38: and inwards")

    # A sum that translation makes zero is written as its other zero: none would be something else (RFC 768).
    base = with_csum(end[0], o.ip, UDP, struct.pack("!HHHH", end[1], 53, 10, 0) + b"\0\0", 6)
    payload = base[6:8]  # what is to be added makes the sum all ones
    p = w.one(a, udp(a.ip, 5002, o.ip, 53, payload), o, "a sum of zero")
    expect((p.l4[6:8], p.payload), (b"\xff\xff", payload), "UDP: a checksum of zero is sent as all ones")

    # M07
    probe = udp(a.ip, 5005, o.ip, 53, b"probe", ident=77)
    want = w.one(a, probe, o, "M07").raw
    src, dst = a.ip, o.ip
    odd = [ip(src, dst, 0, bytes(40)), ip(src, dst, 255, bytes(20)), ip(src, dst, 43, bytes(40)), ip(src, dst, 58 if not w.v6 else 1, bytes(30)),
           ip(src, dst, UDP, b"\0\1"), ip(src, dst, UDP, struct.pack("!HHHH", 5005, 53, 4, 0)), ip(src, dst, UDP, struct.pack("!HHHH", 5005, 53, 900, 0)),
           ip(src, dst, UDP, struct.pack("!HHHH", 0, 53, 8, 0)), udp(src, 5005, dst, 0), ip(src, dst, TCP, bytes(19)), tcp(src, 5005, dst, 53, SYN, doff=15),
           tcp(src, 5005, dst, 53, SYN, doff=4), tcp(src, 5005, dst, 53, SYN, options=b"\x02\0\0\0"), tcp(src, 5005, dst, 53, SYN, options=b"\x02\xff\0\0"),
           icmp(src, dst, 135, 7, bytes(20)), icmp(src, dst, 136, 200, bytes(24)), ip(dst, dst, UDP, bytes(8)), ip(src, src, UDP, bytes(8)),
           udp(src, 5005, w.public, 53), udp("::1" if w.v6 else "127.0.0.1", 5005, dst, 53), udp("ff02::1" if w.v6 else "224.0.0.1", 5005, dst, 53),
           udp(src, 5005, "::" if w.v6 else "0.0.0.0", 53), ip(src, dst, UDP, bytes(8), total=0), ip(src, dst, UDP, bytes(8), total=60000)]
    for packet in odd:
        w.exchange(a, packet, o)
        got = w.one(a, probe, o, "M07: the flow after an odd packet")
        if got.raw != want:
            sys.exit(f"FAIL: M07: after {packet.hex(' ')}: {got.raw.hex(' ')}, want {want.hex(' ')}")
    for etype in (0x0801, 0x6558, 0x8847, 0x8863, 0x9000, 0x86DE, 0x05DC, 0x0000):
        a.send(eth(a.mac_of(w.gateway), a.mac, probe, etype=etype))
        expect(w.one(a, probe, o, f"M07: after ethertype {etype:#x}").raw, want, f"M07: the flow after ethertype {etype:#x}")
    expect(True, True, "M07: the flow is the same after each odd packet")


both_families(test)
PY
