#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Two networks with the same prefix, guests with the same address and port: one NAT keeps them apart, both ways, and they do not reach
# each other.  A third one uses another uplink of its own.
#
#   in1 10.0.0.11 -- lan, VLAN 10 ----.
#                                      +-- [ vfabd ] -- up0 -- out1
#   x1 10.0.0.11 -- same, VLAN 20 ----'
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/nat-fabric.sh"

nat_world x1
NETWORKS="  same: {mode: nat, vlan: 20, uplink: wan, ipv4: 10.0.0.0/24, ipv6: 'fd00:10::/64', nat: {filtering: endpoint-independent}}"
PORTS=$(tap x1 "network: same, ipv4: 10.0.0.11/24, ipv6: 'fd00:10::11/64'")
nat_fabric interface "nat: {rate: 0}"
mute in1 in2 x1 out1

nat_py <<'PY'
from nat import *


def test(w):
    a, o = w.in1, w.out1
    x = Host("x1", ("10.0.0.11", "fd00:10::11"), ("10.0.0.1", "fd00:10::1"))
    x.ip = a.ip
    expect((a.mac_of(w.gateway), x.mac_of(w.gateway)), ("02:76:66:00:00:0a", "02:76:66:00:00:14"), "each has its gateway")
    end_a = w.one(a, udp(a.ip, 5000, o.ip, 53, b"in1"), o, "in1").source
    x.send_ip(udp(x.ip, 5000, o.ip, 53, b"x1"))
    end_x = o.wait_packet("x1's packet", lambda p: p.payload == b"x1").source
    expect(end_a != end_x, True, "one address and port inside, two ends outside")
    for end, host, other in ((end_a, a, x), (end_x, x, a)):
        for h in (host, other):
            h.drain()
        o.send_ip(udp(o.ip, 53, *end, b"for %s" % host.netns.encode()))
        p = host.wait_packet("its answer", lambda p: p.payload.startswith(b"for"))
        expect(p.payload, b"for %s" % host.netns.encode(), "the answer of each reaches it")
        expect([p for p in other.packets() if p.payload.startswith(b"for")], [], "and nobody else")
    networks = {s["network"] for s in sessions(proto="udp") if s["inside"].endswith(":5000")}
    expect(networks, {"lan", "same"}, "nat ls tells them apart")
    # Filtering is each network's own.
    o.send_ip(udp(o.ip, 54, *end_a, b"stranger"))
    o.send_ip(udp(o.ip, 54, *end_x, b"stranger"))
    x.wait_packet("a stranger at x1", lambda p: p.payload == b"stranger")
    expect([p for p in w.collect(o, a) if p.payload == b"stranger"], [], "filtering of lan")
    # A flush of one is not the other's.
    vfab("nat", "flush", "--net", "same")
    w.one(o, udp(o.ip, 53, *end_a), a, "in1's session is left")


both_families(test)
PY
