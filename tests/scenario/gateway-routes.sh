#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Networks are apart unless the file lets one begin to speak to another: then answers come back and nothing else does; nothing is
# translated between them; a route that is taken away ends what it let pass.
#
#   in1 .11, in2 .12 -- lan 10.0.0.0/24, VLAN 10 ----.
#   d1 .11 -- dmz (nat) 10.1.0.0/24, VLAN 20 ---------+-- [ vfabd ] .1 -- out1
#   h1 .11 -- back (host-only) 10.2.0.0/24, VLAN 30 --'
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/nat-fabric.sh"

nat_world d1 h1
NETWORKS="
  dmz: {mode: nat, vlan: 20, uplink: wan, ipv4: 10.1.0.0/24, ipv6: 'fd00:11::/64'}
  back: {mode: host-only, vlan: 30, ipv4: 10.2.0.0/24, ipv6: 'fd00:12::/64'}"
PORTS="$(tap d1 "network: dmz, ipv4: 10.1.0.11/24, ipv6: 'fd00:11::11/64'")
$(tap h1 "network: back, ipv4: 10.2.0.11/24, ipv6: 'fd00:12::11/64'")"
nat_fabric interface "nat: {rate: 0}"
mute in1 in2 out1 d1 h1

probe()
{
	ROUTES=$1 nat_py <<'PY'
from nat import *

ROUTES = os.environ["ROUTES"]


def test(w):
    a = w.in1
    d = Host("d1", ("10.1.0.11", "fd00:11::11"), ("10.1.0.1", "fd00:11::1"))
    h = Host("h1", ("10.2.0.11", "fd00:12::11"), ("10.2.0.1", "fd00:12::1"))
    for host in (d, h):
        host.ip = host.ip6 if w.v6 else host.ip
    port = 5000 if ROUTES else 4000

    def arrives(src, packet, dst, want, what):
        """One that must not has been counted before anybody looks; one that must may wait for a neighbour first."""
        dst.drain()
        send_settled(src, [src.frame(packet)])
        text = Packet(packet).payload
        if want:
            p = dst.wait_packet(what, lambda p: p.payload == text and not p.is_error)
            expect(True, True, what)
            return p
        expect([p for p in dst.packets() if p.payload == text], [], what)
        return None

    before = drops("networks_apart")
    for host, name in ((d, "dmz"), (h, "back")):
        may = name in ROUTES
        for packet in (udp(a.ip, port, host.ip, 53, b"to %s" % name.encode()), echo(a.ip, host.ip, port, payload=b"echo %s" % name.encode())):
            p = arrives(a, packet, host, may, f"lan to {name}: {'passes' if may else 'does not pass'}")
            if p:
                expect((p.src, p.ttl), (a.ip, 63), "untranslated, one hop further")
        # The other way only as an answer.
        arrives(host, udp(host.ip, 53, a.ip, 99, b"unasked"), a, False, f"{name} to lan: does not pass")
        arrives(host, tcp(host.ip, 53, a.ip, port, SYN, payload=b"unasked SYN"), a, False, f"{name} to lan: does not pass")
        if may:
            p = arrives(host, udp(host.ip, 53, a.ip, port, b"answer"), a, True, f"{name} to lan: an answer passes")
            expect((p.src, p.dst, p.dport), (host.ip, a.ip, port), "untranslated")
            e = icmp_error(host.ip, a.ip, *((1, 4) if w.v6 else (3, 3)), udp(a.ip, port, host.ip, 53, b"x", ttl=63))
            a.drain()
            host.send_ip(e)
            p = a.wait_packet("an error about it", lambda p: p.is_error)
            expect((p.src, p.inner.src, p.inner.sport), (host.ip, a.ip, port), "an error about it")
    expect(drops("networks_apart") > before, True, "drops by networks_apart")
    # By the outside they do not meet either.
    arrives(d, udp(d.ip, 53, h.ip, 99, b"dmz to back"), h, False, "dmz to back: does not pass")


both_families(test)
PY
}
probe ""
{
	nat_yaml "nat: {rate: 0}" ""
	echo "routes: [{from: lan, to: dmz}, {from: lan, to: back}]"
} >"$T/routed.yaml"
expect vfab apply "$T/routed.yaml"
probe "dmz back"
nat_apply "nat: {rate: 0}"
probe ""
printf 'routes: [{from: lan, to: nowhere}]\n' | cat "$T/again.yaml" - >"$T/bad.yaml"
expect_status 65 vfab check "$T/bad.yaml"
