#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The gateway's address: ARP and neighbour discovery answered and asked; M04 odd and hostile ARP: the gateway stays where it is, and so do
# guests; packets wait for an answer, a few; router advertisements give a Linux guest its address and its way out.
#
#   in1 .11, in2 .12, sl (by SLAAC) -- lan -- [ vfabd ] .1 -- out1 .10
#
# RFC 826, 4861, 4862
#
# Pace: mostly waits
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/nat-fabric.sh"

nat_world sl
nsenter --net="/run/netns/$sl" sysctl -qw net.ipv6.conf.default.accept_ra=2 net.ipv6.conf.default.router_solicitations=5 \
	net.ipv6.conf.default.router_solicitation_interval=1
PORTS=$(tap sl "network: lan, ipv4: 10.0.0.13/24, gateway: 10.0.0.1")
nat_fabric interface "nat: {rate: 0}"
allow_log 'is ours, and .* claims it'

# SLAAC: an address out of the prefix, the way out by the gateway's link-local address.
has_address()
{
	ip -n "$sl" -6 addr show dev eth0 scope global | grep 'inet6 fd00:10::.*/64' >/dev/null
}
has_route()
{
	ip -n "$sl" -6 route show default | grep 'via fe80::.*dev eth0' >/dev/null
}
wait_for 8 has_address
wait_for 8 has_route
ip -n "$sl" -6 addr show dev eth0 scope global
ip -n "$sl" -6 route show default
wait_for 5 run sl ping -q -c 1 -W 1 fd00:10::1
wait_for 5 run sl ping -q -c 1 -W 1 2001:db8:51::10
expect run sl ping -q -c 2 -i 0.1 -W 1 198.51.100.10
expect_eq "the gateway's MAC" "$(ip -n "$sl" -j neigh show 10.0.0.1 | jq -r '.[0].lladdr')" 02:76:66:00:00:0a
mute in1 in2 out1 out2

nat_py <<'PY'
from nat import *

w = World()
a, b, o = w.in1, w.in2, w.out1
GATEWAY = "02:76:66:00:00:0a"
expect(a.mac_of("10.0.0.1"), GATEWAY, "ARP: the gateway")
expect(a.mac_of("fd00:10::1"), GATEWAY, "ND: the gateway")
outside = o.mac_of("198.51.100.1")
expect(o.mac_of("2001:db8:51::1"), outside, "ARP and ND outside: one address")


def answers(host, frames, match=lambda f: f[12:14] == b"\x08\x06" and f[20:22] == b"\0\2" and f[28:32] == raw_ip("10.0.0.1")):
    """ARP replies for the gateway that came back."""
    host.drain()
    for frame in frames:
        host.send(frame)
    seen = []
    end = time.monotonic() + 0.15 * SLOW
    while time.monotonic() < end:
        frame = host.receive(0.05)
        if frame and match(frame):
            seen.append(frame)
    return seen


def raw(htype=1, ptype=0x0800, hlen=6, plen=4, op=1, sha=None, spa=None, tha="00:00:00:00:00:00", tpa="10.0.0.1", dst=BROADCAST, cut=28):
    body = struct.pack("!HHBBH", htype, ptype, hlen, plen, op) + mac_bytes(sha or a.mac) + raw_ip(spa or a.ip) + mac_bytes(tha) + raw_ip(tpa)
    return eth(dst, a.mac, body[:cut], etype=0x0806, pad=cut == 28)


expect(len(answers(a, [raw()])), 1, "ARP: a question, an answer")
expect(len(answers(a, [raw(dst=GATEWAY)])), 1, "ARP: a question to the gateway alone")
expect(len(answers(a, [raw(spa="0.0.0.0")])), 1, "ARP: a probe is answered (RFC 5227)")
odd = [raw(htype=6), raw(ptype=0x86DD), raw(hlen=5), raw(hlen=16), raw(plen=16), raw(plen=0), raw(op=0), raw(op=3), raw(op=9), raw(op=65535),
       raw(cut=27), raw(cut=8), raw(cut=1), raw(spa="255.255.255.255"), raw(spa="224.0.0.1"), raw(sha=BROADCAST), raw(sha="01:00:5e:00:00:01"),
       raw(tpa="10.0.0.2"), raw(tpa="198.51.100.1"), raw(tpa="127.0.0.1")]
expect(answers(a, odd), [], "M04: none of the odd ones is answered")
# The gateway's own address claimed by a guest: by answers, questions, announcements, to all and to the gateway.
claims = [raw(op=op, sha=b.mac, spa="10.0.0.1", tpa=t, dst=d) for op in (1, 2) for t in ("10.0.0.1", "10.0.0.12", "198.51.100.1")
          for d in (BROADCAST, GATEWAY)]
answers(a, claims * 20)
before = w.one(b, udp(b.ip, 5000, o.ip, 53), o, "M04: the gateway still routes").source
fresh = Host("in2", ("10.0.0.12", "fd00:10::12"), ("10.0.0.1", "fd00:10::1"))
expect(fresh.mac_of("10.0.0.1"), GATEWAY, "M04: the gateway's binding is unchanged")
w.one(o, udp(o.ip, 53, *before), b, "M04: and in2 is reached")
# Outside, the same claims of our outside address.
for op in (1, 2):
    for dst in (BROADCAST, outside):
        o.send(o.arp(op, "198.51.100.10", sender="198.51.100.1", mac="02:00:00:00:00:99", dst=dst))
w.one(o, udp(o.ip, 53, *before), b, "M04: the outside address too")
# A neighbour that lies about who in2 is, unasked: answers to nobody's question.
for _ in range(100):
    a.send(raw(op=2, spa="10.0.0.77", tpa="10.0.0.1", dst=GATEWAY))
# A storm of announcements of addresses that there are not: no place is taken from others.
for n in range(3000):
    a.send(raw(spa=f"10.0.0.{n % 256}" if n % 256 not in (11, 12, 1, 13) else "10.0.0.99", tpa=f"10.0.0.{n % 200}"))
w.one(b, udp(b.ip, 5000, o.ip, 53), o, "M04: after a storm the gateway routes")
w.one(o, udp(o.ip, 53, *before), b, "M04: and reaches in2")

# ND that cannot be: hop limit not 255, bad code, an option of length 0, from outside of the prefix; a claim of the gateway's address.
target = "fd00:10::1"
group = "ff02::1:ff00:1"
solicit = lambda **more: icmp(a.ip6, group, 135, more.pop("code", 0), struct.pack("!I", 0) + raw_ip(more.pop("target", target)) +
                              more.pop("option", b"\1\1" + mac_bytes(a.mac)), **{"ttl": 255, **more})
to_group = lambda p: eth("33:33:ff:00:00:01", a.mac, p, etype=0x86DD)
is_na = lambda f: f[12:14] == b"\x86\xdd" and f[20] == 58 and f[54] == 136 and f[62:78] == raw_ip(target)
expect(len(answers(a, [to_group(solicit())], is_na)), 1, "ND: a question, an answer")
bad = [solicit(ttl=254), solicit(code=1), solicit(option=b"\1\0" + bytes(6)), solicit(option=b"\1\5" + bytes(6)), solicit(target="ff02::1"),
       solicit(target="fd00:10::2"), solicit(option=b"\1")]
expect(len(answers(a, [to_group(p) for p in bad], is_na)), 0, "M04: ND that cannot be is not answered")
claim = icmp("fd00:10::1", "ff02::1", 136, 0, struct.pack("!I", 0x20000000) + raw_ip(target) + b"\2\1" + mac_bytes(a.mac), ttl=255)
for dst in ("33:33:00:00:00:01", GATEWAY):
    a.send(eth(dst, a.mac, claim, etype=0x86DD))
v6 = World(v6=True)
v6.one(v6.in2, udp(v6.in2.ip, 5000, v6.out1.ip, 53), v6.out1, "M04: the gateway's IPv6 is unchanged")

# Waiting for a neighbour: a few packets, and the sender is told when nobody answers.
got = w.exchange(a, [udp(a.ip, 5001, "198.51.100.99", 53, b"%d" % i) for i in range(20)], a)
p = a.wait_packet("word that nobody answers", lambda p: p.kind == 3 and p.inner and p.inner.dst == "198.51.100.99", 8)
expect((p.src, p.code), ("10.0.0.1", 1), "host unreachable, from the gateway")
PY
