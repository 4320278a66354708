#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# N18 every way in which TCP connections open and end, N19 a SYN that nobody awaits, N21 resets: those in the window and those made
# up by somebody who only knows addresses and ports.
#
#   in1 .11 -- lan -- [ vfabd ] .1 --+-- out1 .10
#                                    '-- out2 .20, which lies about who it is
#
# RFC 5382 REQ-2, REQ-4; RFC 7857 2, RFC 7857 2.2
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/nat-fabric.sh"

nat_fabric "${NAT_KIND:-interface}"
mute in1 in2 out1 out2

nat_py <<'PY'
from nat import *

ports = iter(range(5000, 6000))


def end_by_fin(t, half_close=False):
    expect(len(t.out(FIN | ACK)), 1, "a FIN passes")
    t.seq += 1
    expect(len(t.back(ACK)), 1, "and its ACK")
    if half_close:
        for i in range(3):
            expect(len(t.back(PSH | ACK, b"more")), 1, "half closed: data from the other side")
            t.ack += 4
            expect(len(t.out(ACK)), 1, "half closed: acknowledged")
    expect(len(t.back(FIN | ACK)), 1, "the other FIN")
    t.ack += 1
    expect(len(t.out(ACK)), 1, "the last ACK")


def state(t):
    rows = [s["state"] for s in sessions(network="lan", proto="tcp") if s["inside"].endswith(f":{t.sport}")]
    return rows[0] if rows else None


def test(w):
    a, o = w.in1, w.out1
    new = lambda: Tcp(w, a, next(ports), o, 80)

    # N18
    t = new().open()
    expect(t.lives(), True, "N18: three-way handshake")
    end_by_fin(t)
    again = Tcp(w, a, t.sport, o, 80)
    again.seq = t.seq + 100000
    again.open()
    expect(again.lives(), True, "N18: FIN, FIN, and a new SYN of the same ports")
    t = new().open()
    end_by_fin(t, half_close=True)

    t = new()
    t.end = t.out(SYN)[0].source
    t.seq += 1
    expect(len(t.back(SYN)), 1, "N18: simultaneous open: the other SYN")
    expect(len(t.out(SYN | ACK, seq=t.seq - 1, ack=t.ack + 1)), 1, "N18: simultaneous open: SYN-ACK")
    expect(len(t.back(SYN | ACK)), 1, "N18: simultaneous open: the other SYN-ACK")
    t.ack += 1
    expect(t.lives(), True, "N18: simultaneous open")

    t = new()
    t.end = t.out(SYN)[0].source
    expect(t.out(SYN)[0].source, t.end, "N18: a SYN sent again has the same outside end")
    t.seq += 1
    expect([len(t.back(SYN | ACK)) for _ in range(3)], [1, 1, 1], "N18: a SYN-ACK that is sent again")
    t.ack += 1
    t.out(ACK)
    expect(t.lives(), True, "N18: after that it is open")

    t = new().open()
    expect(len(t.out(RST | ACK)), 1, "N18: a RST from inside")
    again = Tcp(w, a, t.sport, o, 80)
    again.seq = t.seq + 100000
    expect(again.open().lives(), True, "N18: RST, and a new SYN of the same ports")

    # Every set of flags on a connection that is open, M08: it goes on.
    t = new().open()
    for flags in range(64):
        if not flags & (RST | SYN | FIN):
            t.out(flags, seq=t.seq - 1)
            t.back(flags, seq=t.ack - 1)
    expect(t.lives(), True, "M08: odd flags change nothing")

    # N19: a SYN for a mapping that others have, for a port of nobody; and one that is soon awaited.
    end = new().open().end
    for what, packet in (("a mapping of others", tcp(o.ip, 99, *end, SYN)), ("nobody's port", tcp(o.ip, 99, w.public, 4999, SYN))):
        got = w.exchange(o, packet, a, o) if KIND != "kernel" else w.exchange(o, packet, a)
        expect(got[a], [], f"N19: a SYN to {what} goes nowhere")
        expect(got.get(o, []), [], f"N19: a SYN to {what} is not answered")
    sport = next(ports)
    end = w.one(a, tcp(a.ip, sport, w.out2.ip, 80, SYN), w.out2, "a mapping").source
    w.none(o, tcp(o.ip, 80, *end, SYN, 700), a, "N19: the SYN that comes first is dropped")
    if KIND != "kernel":
        expect(w.one(a, tcp(a.ip, sport, o.ip, 80, SYN, 500), o, "N19").source, end, "N19: then the inside asks for it")
        w.one(o, tcp(o.ip, 80, *end, SYN, 700), a, "N19: the SYN again, now it passes")

    # A segment that starts no connection makes no session.
    if KIND != "kernel":
        refused = drops("nat_tcp")
        for flags in (ACK, PSH | ACK, FIN | ACK, RST, SYN | ACK, 0, SYN | RST, SYN | FIN):
            w.none(a, tcp(a.ip, 4998, o.ip, 80, flags, 5, 5), o, f"flags {flags:#x} begin nothing")
        expect_drops("nat_tcp", refused, 8, "drops by nat_tcp")

    # N21
    t = new().open()
    before = state(t) if KIND != "kernel" else "established"
    expect(before, "established", "N21: the state")
    liar = w.out2
    for seq in (t.ack + (1 << 30), t.ack - 100000, t.ack + (1 << 31)):
        liar.send_ip(tcp(o.ip, 80, *t.end, RST, seq))
    w.collect(liar, a)
    if KIND != "kernel":
        expect(state(t), "established", "N21: a RST outside of the window changes nothing")
    expect(t.lives(), True, "N21: and the connection lives")
    got = t.back(RST | ACK)
    expect([p.flags for p in got], [RST | ACK], "N21: a RST in the window is translated")
    expect(len(t.back(PSH | ACK, b"late")), 1, "N21: what was on its way passes after it")


both_families(test)
PY
