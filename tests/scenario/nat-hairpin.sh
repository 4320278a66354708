#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# N10: guests of one NAT reach each other by their outside ends: UDP, TCP and errors about both; either sees the other's outside
# address and port, never the inside one.  Filtering holds there as everywhere: both must have spoken.
#
#   in1 .11 --.
#              +-- lan -- [ vfabd ] .1 -- out1
#   in2 .12 --'
#
# RFC 4787 REQ-9; RFC 5382 REQ-8; RFC 5508 REQ-7; RFC 7857 12
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/nat-fabric.sh"

nat_fabric interface
mute in1 in2 out1

nat_py <<'PY'
from nat import *


def test(w):
    a, b, o = w.in1, w.in2, w.out1
    end_a = w.one(a, udp(a.ip, 5000, o.ip, 53), o, "in1's mapping").source
    end_b = w.one(b, udp(b.ip, 6000, o.ip, 53), o, "in2's mapping").source
    w.none(b, udp(b.ip, 6000, *end_a, b"unasked"), a, "in1 has not spoken to in2: filtered")
    p = w.one(a, udp(a.ip, 5000, *end_b, b"hello"), b, "in2 has spoken to in1")
    expect((p.src, p.sport, p.dst, p.dport, p.payload), (*end_a, b.ip, 6000, b"hello"), "UDP: in2 sees in1's outside end")
    p = w.one(b, udp(b.ip, 6000, *end_a, b"hello back"), a, "and back")
    expect((p.src, p.sport, p.dst, p.dport, p.payload), (*end_b, a.ip, 5000, b"hello back"), "UDP: in1 sees in2's")
    expect(w.exchange(a, udp(a.ip, 5000, *end_b), o)[o], [], "nothing of it goes outside")

    # An error about it: in2 says that nobody listens there.
    heard = w.one(a, udp(a.ip, 5000, *end_b, b"anybody?"), b, "to in2")
    kind, code = (1, 4) if w.v6 else (3, 3)
    e = w.one(b, icmp_error(b.ip, heard.src, kind, code, heard.raw), a, "the error")
    expect((e.kind, e.code, e.inner.src, e.inner.sport, e.inner.dst, e.inner.dport), (kind, code, a.ip, 5000, *end_b),
           "ICMP: in1 reads of the packet that it sent")
    expect(e.src, end_b[0], "ICMP: from in2's outside address")

    # TCP: both open at once, since either is filtered until the other has spoken.
    end_a = w.one(a, tcp(a.ip, 5001, o.ip, 80, SYN), o, "in1's mapping").source
    end_b = w.one(b, tcp(b.ip, 6001, o.ip, 80, SYN), o, "in2's mapping").source
    w.none(a, tcp(a.ip, 5001, *end_b, SYN, 100), b, "TCP: filtered")
    p = w.one(b, tcp(b.ip, 6001, *end_a, SYN, 200), a, "TCP: a SYN that is awaited")
    expect((p.src, p.sport, p.flags), (*end_b, SYN), "TCP: from in2's outside end")
    p = w.one(a, tcp(a.ip, 5001, *end_b, SYN | ACK, 100, 201), b, "TCP: SYN-ACK")
    expect((p.src, p.sport, p.seq, p.ack), (*end_a, 100, 201), "TCP: from in1's")
    w.one(b, tcp(b.ip, 6001, *end_a, SYN | ACK, 200, 101), a, "TCP: the other SYN-ACK")
    w.one(a, tcp(a.ip, 5001, *end_b, PSH | ACK, 101, 201, b"data"), b, "TCP: data")
    p = w.one(b, tcp(b.ip, 6001, *end_a, PSH | ACK, 201, 105, b"more"), a, "TCP: data back")
    expect(p.payload, b"more", "TCP: a connection of two guests")


both_families(test)
PY
