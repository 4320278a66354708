#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# N37: a forward answers on the address that it is bound to and nowhere else, whatever a neighbour on the outside puts into frames
# for our MAC; one of 127.0.0.1 is the host's own.  Both kinds of uplink.
#
#   in1 .11: 80 --.                            .-- out1 .10
#                  +-- lan -- [ vfabd ] .1 ----+
#   in2 .12: 22 --'                            '-- out2 .20, which tries all addresses
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/nat-fabric.sh"

# tries ALSO: the other outside address that nothing is bound to.
tries()
{
	nat_py <<'PY'
from nat import *

w = World()
a, b, bad = w.in1, w.in2, w.out2
w.back_end(bad, a)
w.back_end(bad, b)
# The host may have to ask where the forward is first.
bad.send_ip(tcp(bad.ip, 77, w.public, 8080, SYN))
p = a.wait_packet("a SYN to the address that it is bound to", lambda p: p.proto == TCP)
expect((p.src, p.dport), (bad.ip, 80), "N37: the bound address reaches in1, from the client's address")

ports = (22, 80, 2200, 8080)
addresses = ["127.0.0.1", "127.0.0.2", a.ip, b.ip, "10.0.0.1", "198.51.100.2", "198.51.100.200", "0.0.0.0", "255.255.255.255", "224.0.0.1",
             "169.254.118.1", "169.254.118.2", "198.51.100.255", "198.51.100.10"]
for address in addresses:
    for port in ports:
        for packet in (tcp(bad.ip, 78, address, port, SYN), udp(bad.ip, 78, address, port), tcp("127.0.0.1", 79, address, port, SYN),
                       tcp(a.ip, 79, address, port, SYN), tcp("198.51.100.10", 79, address, port, SYN)):
            bad.send_ip(packet)
    bad.send_ip(echo(bad.ip, address, 5))
for host in (a, b):
    seen = w.collect(bad, host)
    expect(seen, [], f"N37: nothing of {len(addresses)} other addresses reaches {host}")
for port in (22, 80, 2200):
    bad.send_ip(tcp(bad.ip, 80, w.public, port, SYN))
expect([w.collect(bad, h) for h in (a, b)], [[], []], "N37: nor other ports of the bound one")
PY
}

FORWARDS='"198.51.100.1:8080:10.0.0.11:80"'
nat_world
nat_fabric host "forwards: [$FORWARDS, \"127.0.0.1:2200:10.0.0.12:22\"]"
# A second address of the host, which is nobody's.
ip -n "$fab" addr add 198.51.100.2/24 dev up0
mute in1 in2 out1 out2
tries

# By the host itself: 127.0.0.1 reaches in2, from the gateway; the outside address does not have that port.
nat_py <<'PY'
from nat import *

w = World()


def connects(address, port):
    with inside("fab"):
        sock = socket.socket()
    sock.setblocking(False)
    try:
        sock.connect((address, port))
    except BlockingIOError:
        pass
    return sock


sock = connects("127.0.0.1", 2200)
p = w.in2.wait_packet("a connection of the host", lambda p: p.proto == TCP and p.dport == 22 and p.flags == SYN)
print(f"the host's connection comes from {p.src}")
expect(p.src in ("10.0.0.1", "198.51.100.1") or p.src.startswith("169.254.118."), True, "N37: the host appears as the gateway")
w.in2.send_ip(tcp(w.in2.ip, 22, p.src, p.sport, SYN | ACK, 700, p.seq + 1))
p = w.in2.wait_packet("the third packet", lambda p: p.proto == TCP and p.dport == 22 and p.flags == ACK)
expect(p.ack, 701, "N37: it is answered")
other = connects("198.51.100.1", 2200)
w.none(w.out2, udp(w.out2.ip, 1, w.public, 1), w.in2, "N37: the host's outside address has no port 2200")
again = connects("198.51.100.1", 8080)
p = w.in1.wait_packet("a connection of the host", lambda p: p.proto == TCP and p.dport == 80 and p.flags == SYN)
expect(True, True, "N37: the host reaches a forward by its own address")
PY
stop_fabric
ip -n "$fab" addr flush dev up0

# A 127.0.0.1 bind means nothing on an interface uplink: refused or deaf, never open.
export KIND=interface
fabric < <(nat_yaml "forwards: [$FORWARDS]" "addresses: [198.51.100.2/32]")
wait_for 5 ports_up
for name in in1 in2; do nsenter --net="/run/netns/${!name}" ethtool -K eth0 tx off >/dev/null; done
vfab forward add lan 127.0.0.1:2200:10.0.0.12:22 || echo "refused"
tries
