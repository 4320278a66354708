#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# N01 endpoint-independent mapping, N03 no port for two, N04 classes of ports, N05 parity (not kept: RFC 7857 8 makes it optional),
# N09 filtering by address and port, or by neither if the file says so; all of it again at 90 % and 100 % of the sessions
# that a network may have (N12), and as a STUN client sees it, after RFC 5780 (N40).  IPv4 and IPv6.
#
#   in1 .11 --.                            .-- out1 .10, .11
#              +-- lan -- [ vfabd ] .1 ----+
#   in2 .12 --'   sessions: 300            '-- out2 .20
#
# RFC 4787 REQ-1, REQ-3, REQ-4, REQ-8, REQ-11; RFC 5382 REQ-1, REQ-3, REQ-7; RFC 5508 REQ-1; RFC 6888 REQ-7; RFC 7857 5, RFC 7857 8
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/nat-fabric.sh"

nat_fabric interface "nat: {sessions: 300, rate: 0}"
mute in1 in2 out1 out2

nat_py <<'PY'
from nat import *

LIMIT = 300


def classes(w, base, load):
    """N01, N03 and N09 with ports from base on; about 20 sessions."""
    a, b, o1, o2 = w.in1, w.in2, w.out1, w.out2

    def outside(host, make, to, what):
        return w.one(host, make, to, what).source

    # N01
    for name, make in (("UDP", lambda dst, port: udp(a.ip, base, dst, port)),
                       ("TCP", lambda dst, port: tcp(a.ip, base, dst, port, SYN)),
                       ("ICMP", lambda dst, port: echo(a.ip, dst, base))):
        ends = {outside(a, make(o1.ip, 53), o1, name), outside(a, make(o1.ip, 54), o1, name), outside(a, make(o2.ip, 53), o2, name)}
        expect(len(ends), 1, f"N01 {name}: one outside end for three remote ends, {load}")
        expect(next(iter(ends))[0], w.public, f"N01 {name}: the outside address")
    # N03
    one, two = (outside(h, udp(h.ip, base + 1, o1.ip, 53, b"q"), o1, "N03") for h in (a, b))
    expect(one != two, True, f"N03: two guests with one port have two outside ends, {load}")
    for end, host, other in ((one, a, b), (two, b, a)):
        got = w.exchange(o1, udp(o1.ip, 53, *end, b"answer"), host, other)
        expect([(p.dst, p.dport, p.payload) for p in got[host]], [(host.ip, base + 1, b"answer")], f"N03: the answer reaches {host}")
        expect(got[other], [], f"N03: and not {other}")
    # N09
    refused = drops("nat_no_session")
    w.none(o1, udp(o1.ip, 99, *one, b"another port"), a, f"N09 UDP: from another port, {load}")
    w.none(o2, udp(o2.ip, 53, *one, b"another address"), a, f"N09 UDP: from another address, {load}")
    t = Tcp(w, a, base + 2, o1, 80).open()
    w.none(o1, tcp(o1.ip, 81, *t.end, SYN), a, f"N09 TCP: from another port, {load}")
    w.none(o2, tcp(o2.ip, 80, *t.end, SYN), a, f"N09 TCP: from another address, {load}")
    expect_drops("nat_no_session", refused, 4, "N09: drops by nat_no_session")
    expect(t.lives(), True, f"the connection passes, {load}")
    return one, t


def fill(w, up_to):
    """Sessions of in2 until there are so many."""
    missing = up_to - len(sessions(network="lan"))
    for i in range(missing):
        w.in2.send_ip(udp(w.in2.ip, 10000 + fill.serial + i, w.out2.ip, 9))
    fill.serial += missing
    w.collect(w.in2, w.out2)
    expect(len(sessions(network="lan")), up_to, f"sessions of {LIMIT}")


def test(w):
    a, o1 = w.in1, w.out1
    for inside in (w.in1, w.in2):
        for outside in (w.out1, w.out2):
            w.back_end(outside, inside)
    classes(w, 5000, "empty")
    end, t = classes(w, 5010, "empty")

    # N04, N05
    low = [w.one(a, udp(a.ip, port, o1.ip, 53), o1, "N04").sport for port in (1, 500, 1023)]
    high = [w.one(a, udp(a.ip, port, o1.ip, 53), o1, "N04").sport for port in (1024, 65535, *range(6000, 6040, 2))]
    expect(all(1 <= port < 1024 for port in low), True, "N04: ports below 1024 stay there")
    expect(all(port >= 1024 for port in high), True, "N04: ports above stay above")
    expect({port % 2 for port in high}, {0, 1}, "N05: even ports become odd ones too, as RFC 7857 allows")

    # N12
    fill.serial = 0
    fill(w, LIMIT * 9 // 10)
    classes(w, 5020, "at 90 %")
    fill(w, LIMIT)
    expect(t.lives(), True, "N12: at 100 % a connection passes both ways")
    expect(w.one(a, udp(a.ip, 5011, o1.ip, 53), o1, "N12").source, end, "N12: at 100 % a mapping is the same")
    w.one(o1, udp(o1.ip, 53, *end), a, "N12: at 100 % answers pass")
    w.none(w.out2, udp(w.out2.ip, 53, *end), a, "N12: at 100 % others do not")
    w.none(a, udp(a.ip, 5099, o1.ip, 53), o1, "N12: at 100 % nothing new begins")
    expect(len(sessions(network="lan")), LIMIT, "N12: and nothing was evicted")
    vfab("nat", "flush")
    w.refresh()


both_families(test)
PY

nat_apply "nat: {filtering: endpoint-independent}"
nat_py <<'PY'
from nat import *


def test(w):
    for proto, make, back in (("UDP", lambda: udp(w.in1.ip, 5500, w.out1.ip, 53), lambda o, port, end: udp(o.ip, port, *end)),
                              ("TCP", lambda: tcp(w.in1.ip, 5500, w.out1.ip, 53, SYN), lambda o, port, end: tcp(o.ip, port, *end, SYN))):
        end = w.one(w.in1, make(), w.out1, proto).source
        for outside, port in ((w.out1, 53), (w.out1, 99), (w.out2, 53)):
            p = w.one(outside, back(outside, port, end), w.in1, f"N09 {proto}: endpoint-independent, from {outside} port {port}")
            expect((p.src, p.sport, p.dst, p.dport), (outside.ip, port, w.in1.ip, 5500), f"N09 {proto}: from {outside} port {port}")


both_families(test)
PY

# N40: RFC 5780 4.3 and 4.4 with the two addresses of out1, once for each kind of filtering.
probe_by_stun()
{
	FILTERING=$1 nat_py <<'PY'
from nat import *

COOKIE = 0x2112A442


def request(change=0):
    body = struct.pack("!HHI", 3, 4, change) if change else b""
    return struct.pack("!HHI", 1, len(body), COOKIE) + os.urandom(12) + body


def answer(p, w):
    """What a server with two addresses and two ports does (RFC 5780 6.1): its response and where that comes from."""
    change = struct.unpack_from("!I", p.payload, 24)[0] if len(p.payload) > 20 else 0
    src, sport = p.dst, p.dport
    if change & 4:
        src = w.also if src == w.out1.ip else w.out1.ip
    if change & 2:
        sport = 3479 if sport == 3478 else 3478
    family = 2 if w.v6 else 1
    mapped = bytes(a ^ b for a, b in zip(raw_ip(p.src), p.payload[4:20]))
    body = struct.pack("!HHBBH", 0x20, 4 + len(mapped), 0, family, p.sport ^ COOKIE >> 16) + mapped
    return udp(src, sport, p.src, p.sport, struct.pack("!HH", 0x101, len(body)) + p.payload[4:20] + body)


def binding(w, dst, port, change=0):
    """(address, port) that the server saw, None without an answer."""
    text = request(change)
    seen = w.exchange(w.in1, udp(w.in1.ip, 5600, dst, port, text), w.out1)[w.out1]
    expect(len(seen), 1, f"a request at {dst}:{port}")
    got = w.exchange(w.out1, answer(seen[0], w), w.in1)[w.in1]
    if not got:
        return None
    p = got[0].payload
    expect((p[:2], p[4:20]), (b"\1\1", text[4:20]), "a response to it")
    return text_ip(bytes(a ^ b for a, b in zip(p[28:], p[4:20]))), struct.unpack_from("!H", p, 26)[0] ^ COOKIE >> 16


def test(w):
    w.prime(w.out1.ip, w.also)
    first = binding(w, w.out1.ip, 3478)
    expect(first[0], w.public, "N40: behind a NAT")
    mapping = "endpoint-independent" if binding(w, w.also, 3478) == first and binding(w, w.also, 3479) == first else "dependent"
    vfab("nat", "flush")
    w.refresh()
    binding(w, w.out1.ip, 3478)
    filtering = "endpoint-independent" if binding(w, w.out1.ip, 3478, 6) else \
        "address-dependent" if binding(w, w.out1.ip, 3478, 2) else "address-and-port-dependent"
    expect((mapping, filtering), ("endpoint-independent", os.environ["FILTERING"]), "N40: mapping and filtering by RFC 5780")


both_families(test)
PY
}
probe_by_stun endpoint-independent
nat_apply
probe_by_stun address-and-port-dependent
