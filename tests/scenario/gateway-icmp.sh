#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the gateway says: echo, time exceeded as traceroute needs it, and what it must not say: R06 answers to spoofed broadcasts,
# errors about errors, groups and later fragments; errors are limited in number (RFC 1812 4.3.2, RFC 4443 2.4).
#
#   in1 .11, in2 .12 -- lan -- [ vfabd ] .1 -- out1 .10
#
# RFC 5508 REQ-9, REQ-10, REQ-11
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/nat-fabric.sh"

nat_fabric interface "nat: {rate: 0}"
# With real kernels first.
expect run in1 ping -q -c 3 -i 0.05 -W 1 10.0.0.1
expect run in1 ping -q -c 3 -i 0.05 -W 1 -s 1400 10.0.0.1
wait_for 5 run in1 ping -q -c 1 -W 1 fd00:10::1
expect run out1 ping -q -c 3 -i 0.05 -W 1 198.51.100.1
expect run in1 ping -q -c 3 -i 0.05 -W 1 198.51.100.10
# traceroute: the gateway, then the host.
refuse run in1 ping -q -c 1 -W 1 -t 1 198.51.100.10
run in1 ping -c 1 -W 1 -t 1 198.51.100.10 >"$T/hop" || true
expect grep -E '^From 10\.0\.0\.1.*Time to live exceeded' "$T/hop"
expect run in1 ping -q -c 1 -W 1 -t 2 198.51.100.10
mute in1 in2 out1

nat_py <<'PY'
from nat import *


def test(w):
    a, b, o = w.in1, w.in2, w.out1
    mac = a.mac_of(w.gateway)
    data = os.urandom(1200)
    got = w.exchange(a, echo(a.ip, w.gateway, 5, 6, data), a)[a]
    expect([(p.src, p.ident, p.sequence, p.payload) for p in got], [(w.gateway, 5, 6, data)], "echo of the gateway")
    got = w.exchange(o, echo(o.ip, w.public, 5, 6, data), o)[o]
    expect([(p.src, p.ident, p.sequence, p.payload) for p in got], [(w.public, 5, 6, data)], "echo of the outside address")

    # A traceroute by UDP: hop 1 the gateway, hop 2 the port that nobody has.
    kind = 3 if w.v6 else 11
    got = w.exchange(a, udp(a.ip, 33000, o.ip, 33434, ttl=1), a)[a]
    expect([(p.src, p.kind, p.inner.dport) for p in got], [(w.gateway, kind, 33434)], "hop 1")
    p = w.one(a, udp(a.ip, 33000, o.ip, 33435, ttl=2), o, "hop 2")
    expect(p.ttl, 1, "TTL is one less")
    unreachable = (1, 4) if w.v6 else (3, 3)
    e = w.one(o, icmp_error(o.ip, w.public, *unreachable, p.raw), a, "hop 2 answers")
    expect((e.src, e.inner.dport), (o.ip, 33435), "hop 2")

    # What is not answered: R06.
    wide = "ff02::1" if w.v6 else "10.0.0.255"
    every = "33:33:00:00:00:01" if w.v6 else BROADCAST
    later = (lambda ttl: ip(a.ip, o.ip, UDP, bytes(64), ttl=ttl, df=False, offset=8))
    silent = {"echo to a broadcast": (echo(a.ip, wide, 7), every), "echo from a broadcast": (echo(wide, w.gateway, 7), mac),
              "echo to all": (echo(a.ip, "ff02::1" if w.v6 else "255.255.255.255", 7), every),
              "echo from nobody": (echo("::" if w.v6 else "0.0.0.0", w.gateway, 7), mac),
              "echo from the gateway itself": (echo(w.gateway, w.gateway, 7), mac),
              "echo for the gateway in a broadcast frame": (echo(a.ip, w.gateway, 7), BROADCAST),
              "TTL 1 of an error": (icmp_error(a.ip, o.ip, *unreachable, udp(o.ip, 1, a.ip, 1), ttl=1), mac),
              "TTL 1 of a later fragment": (later(1), mac),
              "TTL 1 from a group": (udp("ff02::1" if w.v6 else "224.0.0.5", 1, o.ip, 1, ttl=1), mac),
              "TTL 1 to a group": (udp(a.ip, 1, "ff0e::5" if w.v6 else "224.0.0.5", 1, ttl=1), mac)}
    for what, (packet, dst) in silent.items():
        a.drain()
        b.drain()
        a.send_ip(packet, dst)
        got = [p for p in w.collect(a, a)]
        expect(got, [], f"R06: nothing is said to {what}")

    # Limited: of 3000 that all ask for an error few get one; echo and traffic go on.
    got = w.exchange(a, [udp(a.ip, 33000, o.ip, 33434 + i % 50, ttl=1) for i in range(3000)], a)[a]
    print(f"{len(got)} errors for 3000")
    expect(0 < len(got) < 1500, True, "N26 R06: errors are limited")
    got = w.exchange(a, udp(a.ip, 33000, o.ip, 33434), o)[o]
    expect(len(got), 1, "traffic goes on")
    expect(len(w.exchange(b, echo(b.ip, w.gateway, 5, 6), b)[b]), 1, "and in2 has its echo")


both_families(test)
PY
