#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# N06 UDP mappings live 5 minutes, or as long as the file says, N07 what refreshes them and what does not, N20 TCP by its state,
# N21 four minutes after a reset, N22 a query of 59 s, N31 two minutes of rest for a port.  Hours pass by a test clock, which only
# the builds with sanitizers have.
#
#   in1 .11, in2 .12 -- lan -- [ vfabd ] .1 --+-- out1 .10
#                                             '-- out2 .20
#
# RFC 4787 REQ-5, REQ-6; RFC 5382 REQ-5; RFC 5508 REQ-2; RFC 6888 REQ-8; RFC 7857 2.1, RFC 7857 2.2, RFC 7857 7, RFC 7857 7.1
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/nat-fabric.sh"

nat_fabric interface "nat: {rate: 0}"
needs_clock
mute in1 in2 out1 out2

nat_py <<'PY'
from nat import *

ports = iter(range(5000, 6000))


def later(w, seconds):
    advance(seconds)
    w.refresh()


class Flow:
    """A UDP mapping and one remote end."""

    def __init__(self, w):
        self.w, self.port = w, next(ports)
        self.end = self.out()

    def out(self):
        return self.w.one(self.w.in1, udp(self.w.in1.ip, self.port, self.w.out1.ip, 53), self.w.out1, "outwards").source

    def back(self):
        """The packet that came back, or None."""
        got = self.w.exchange(self.w.out1, udp(self.w.out1.ip, 53, *self.end), self.w.in1)[self.w.in1]
        return got[0] if got else None


def test(w):
    a, o = w.in1, w.out1
    w.back_end(w.out2, a)

    # N06
    flow, long, gone = Flow(w), Flow(w), Flow(w)
    later(w, 119)
    expect(bool(flow.back()), True, "N06: alive after 119 s")
    later(w, 179)
    expect(bool(long.back()), True, "N06: alive after 298 s")
    later(w, 5)
    expect(gone.back(), None, "N06: gone after 303 s")

    # N07
    kept, unkept, shut = Flow(w), Flow(w), Flow(w)
    heard = shut.back()
    later(w, 200)
    expect(kept.out(), kept.end, "N07: the mapping is the same")
    kind, code = (1, 4) if w.v6 else (3, 3)
    w.one(a, icmp_error(a.ip, o.ip, kind, code, heard.raw), o, "N07: an error goes out")
    later(w, 200)
    expect(bool(kept.back()), True, "N07: a packet outwards refreshes")
    expect(shut.back(), None, "N07: an error outwards does not")
    expect(unkept.back(), None, "N07: nothing does not")
    flow = Flow(w)
    later(w, 200)
    for kind in ((1, 2, 3, 4) if w.v6 else (3, 4, 11, 12)):
        sent = udp(*flow.end, o.ip, 53)
        w.exchange(w.out2, icmp_error(w.out2.ip, w.public, kind, 0, sent), a)
    later(w, 110)
    expect(flow.back(), None, "N07 N13: errors from outside do not refresh")

    # N20
    t = Tcp(w, a, next(ports), o, 80).open()
    half = Tcp(w, a, next(ports), o, 80)
    half.end = half.out(SYN)[0].source
    half.seq += 1
    closing, gone, one_way = (Tcp(w, a, next(ports), o, 80).open() for _ in range(3))
    for c in (closing, gone, one_way):
        c.out(FIN | ACK)
        c.seq += 1
    for c in (closing, gone):
        c.back(FIN | ACK)
        c.ack += 1
        c.out(ACK)
    later(w, 239)
    expect(len(half.back(SYN | ACK)), 1, "N20: half open for 3 min 59 s")
    expect(len(closing.back(ACK)), 1, "N20: closing for 3 min 59 s")
    later(w, 6)
    expect(gone.back(ACK), [], "N20: closing for longer")
    later(w, 3600)
    expect(len(one_way.back(PSH | ACK, b"more")), 1, "N20: half closed for an hour (RFC 7857 2)")
    later(w, 2 * 3600 + 180 - 239 - 6 - 3600)
    expect(t.lives(), True, "N20: established and idle for 2 h 3 min")
    later(w, 7440 + 5)
    expect(t.back(PSH | ACK, b"late"), [], "N20: established and idle for 2 h 4 min 5 s")

    # N21, RFC 7857 2.2
    t = Tcp(w, a, next(ports), o, 80).open()
    expect(len(t.back(RST | ACK)), 1, "N21: a RST")
    for _ in range(4):
        later(w, 200)
        expect(t.lives(), True, "N21: while packets go on, so does the session")
    t = Tcp(w, a, next(ports), o, 80).open()
    t.back(RST | ACK)
    later(w, 245)
    expect(t.back(PSH | ACK, b"late"), [], "N21: 4 minutes after a RST")
    t = Tcp(w, a, next(ports), o, 80).open()
    w.exchange(w.out2, tcp(o.ip, 80, *t.end, RST, t.ack + (1 << 30)), a)
    later(w, 1000)
    expect(t.lives(), True, "N21: a RST outside of the window ends nothing")

    # N22
    e = w.one(a, echo(a.ip, o.ip, next(ports)), o, "a query")
    later(w, 59)
    w.one(o, echo(o.ip, e.src, e.ident, reply=True), a, "N22: its answer after 59 s")
    later(w, 65)
    w.none(o, echo(o.ip, e.src, e.ident, reply=True), a, "N22: and not after more than 60 s more")

    # N31: all low ports but a few belong to in1, are left, and are not given to in2 at once.
    vfab("nat", "flush")
    w.refresh()
    taken = {p.sport for p in w.exchange(a, [udp(a.ip, port, o.ip, 9) for port in range(1, 901)], o)[o]}
    expect(len(taken), 900, "N31: ports of in1")
    vfab("nat", "flush")
    w.refresh()
    b = w.in2
    fresh = {p.sport for p in w.exchange(b, [udp(b.ip, port, o.ip, 9) for port in range(1, 101)], o)[o]}
    expect((len(fresh), fresh & taken), (100, set()), "N31: none of them for in2")
    later(w, 125)
    fresh = {p.sport for p in w.exchange(b, [udp(b.ip, port, o.ip, 9) for port in range(101, 501)], o)[o]}
    expect((len(fresh), bool(fresh & taken)), (400, True), "N31: after 2 minutes they are used again")
    vfab("nat", "flush")
    w.refresh()


both_families(test)
PY

# N06: settable.
nat_apply "nat: {rate: 0, timeouts: {udp: 130s, tcp: 300s, tcp-transitory: 20s, icmp: 10s}}"
nat_py <<'PY'
from nat import *


def test(w):
    a, o = w.in1, w.out1
    end = w.one(a, udp(a.ip, 5000, o.ip, 53), o, "udp").source
    e = w.one(a, echo(a.ip, o.ip, 5000), o, "icmp")
    t, half = Tcp(w, a, 5001, o, 80).open(), Tcp(w, a, 5002, o, 80)
    half.end = half.out(SYN)[0].source
    advance(25)
    w.refresh()
    w.none(o, echo(o.ip, e.src, e.ident, reply=True), a, "N06: icmp: 10s")
    expect(half.back(SYN | ACK), [], "N20: tcp-transitory: 20s")
    advance(100)
    w.refresh()
    w.one(o, udp(o.ip, 53, *end), a, "N06: udp: 130s, after 125")
    advance(135)
    w.refresh()
    w.none(o, udp(o.ip, 53, *end), a, "N06: udp: 130s, after 135 more")
    expect(t.lives(), True, "N20: tcp: 300s, after 260")
    advance(305)
    w.refresh()
    expect(t.back(PSH | ACK, b"late"), [], "N20: tcp: 300s, after 305 more")


both_families(test)
PY
