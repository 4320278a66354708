#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# B16, D16, CVE-2020-10749: a port with `guard: strict` speaks for its own addresses alone, is no DHCP server and no router; each
# refusal has its counter, and all others go on.
#
#   g1, g2 (strict, static addresses) --.
#                                        +-- office, VLAN 10 -- [ vfabd ] -- lab, VLAN 20 -- g4, g5 (strict, IPv6 of a kernel)
#   c3 (no guard) ----------------------'
. "$(dirname "$0")/../lib/scenario.sh"

ns g1
ns g2
ns c3
ns g4 -6
ns g5 -6
fabric <<EOF
workers: {cpus: [${CPUS:-0}]}
networks:
  office: {mode: internal, vlan: 10}
  lab: {mode: internal, vlan: 20}
ports:
$(tap g1 "network: office, mac: '02:00:00:00:00:01', guard: strict, ipv4: 10.77.0.1/24")
$(tap g2 "network: office, mac: '02:00:00:00:00:02', guard: strict, ipv4: 10.77.0.2/24")
$(tap c3 "network: office, mac: '02:00:00:00:00:03', ipv4: 10.77.0.3/24")
$(tap g4 "network: lab, guard: strict, ipv4: 10.78.0.4/24, ipv6: 'fd78::4/64'")
$(tap g5 "network: lab, guard: strict, ipv4: 10.78.0.5/24, ipv6: 'fd78::5/64'")
EOF
wait_for 5 ports_up

# Kernels that behave notice nothing.
expect run g1 ping -q -c 3 -i 0.1 -W 1 10.77.0.2
expect run c3 ping -q -c 3 -i 0.1 -W 1 10.77.0.1

cat >"$T/strict.py" <<'PY'
from nat import *

V4, ARP, V6 = 0x0800, 0x0806, 0x86DD
NODES, GATEWAY = "ff02::1", "fe80::76:66ff:fe00:a"
SOURCE, TARGET = 1, 2


def arp(src, op, sender, spa, tpa, dst=BROADCAST):
    return eth(dst, src, struct.pack("!HHBBH", 1, V4, 6, 4, op) + mac_bytes(sender) + raw_ip(spa) + bytes(6) + raw_ip(tpa), etype=ARP)


def v4(station, packet, dst=BROADCAST):
    return eth(dst, station.mac, packet, etype=V4)


def v6(station, packet, dst="33:33:00:00:00:01"):
    return eth(dst, station.mac, packet, etype=V6)


def option(kind, mac):
    return bytes([kind, 1]) + mac_bytes(mac)


def nd(src, kind, target, rest=b"", flags=0, dst=NODES):
    return icmp(src, dst, kind, 0, struct.pack("!I", flags) + raw_ip(target) + rest, ttl=255)


def ra(src, rest=b""):
    return icmp(src, NODES, 134, 0, struct.pack("!BBHII", 64, 0, 1800, 0, 0) + rest, ttl=255)


def behind(packet, *kinds):
    """Extension headers between the IPv6 header and what follows."""
    chain, kinds = b"", list(kinds) + [packet[6]]
    for kind, after in zip(kinds, kinds[1:]):
        chain += bytes([after]) + (b"\1" + bytes(10) if kind == 51 else bytes(7))
    return put(packet[:40], 4, "!HB", len(chain) + len(packet) - 40, kinds[0]) + chain + packet[40:]


def passes(sender, frame, receivers, what):
    got = deliver(sender, frame, receivers)
    for station in receivers:
        expect(got[station], [frame], f"{what}: {station} gets it")
PY
strict()
{
	PYTHONPATH=$ROOT/tests/lib:$T PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -
}

strict <<'PY'
from strict import *

g1, g2, c3 = stations("g1", "g2", "c3")
others = [g2, c3]
learn(c3)

# Source MAC.
passes(g1, v4(g1, udp("10.77.0.1", 1, "10.77.0.9", 2)), others, "its own MAC and address")
dropped(g1, eth(BROADCAST, g2.mac, udp("10.77.0.1", 1, "10.77.0.9", 2), etype=V4), "guard_mac", others)
dropped(g1, arp(c3.mac, 1, c3.mac, "10.77.0.1", "10.77.0.2"), "guard_mac", others)

# IPv4 source.
for last in range(2, 256):
    dropped(g1, v4(g1, udp(f"10.77.0.{last}", 1, "10.77.0.9", 2), c3.mac), "guard_ip", others)
dropped(g1, v4(g1, tcp("192.0.2.1", 1, "10.77.0.9", 2, SYN)), "guard_ip", others)
dropped(g1, v4(g1, udp("0.0.0.0", 1, "255.255.255.255", 2)), "guard_ip", others)
passes(g1, v4(g1, udp("0.0.0.0", 68, "255.255.255.255", 67, bytes(300))), others, "a DHCP client that has no address yet")

# ARP, requests and answers: each of the addresses of its sender.
for op in (1, 2):
    passes(g1, arp(g1.mac, op, g1.mac, "10.77.0.1", "10.77.0.9"), others, f"ARP {op} of its own")
    dropped(g1, arp(g1.mac, op, g1.mac, "10.77.0.2", "10.77.0.9"), "guard_arp", others)
    dropped(g1, arp(g1.mac, op, g1.mac, "10.77.0.3", "10.77.0.3"), "guard_arp", others)
    dropped(g1, arp(g1.mac, op, g2.mac, "10.77.0.1", "10.77.0.9"), "guard_arp", others)
passes(g1, arp(g1.mac, 1, g1.mac, "0.0.0.0", "10.77.0.1"), others, "a probe of its own address")
dropped(g1, arp(g1.mac, 1, g1.mac, "0.0.0.0", "10.77.0.2"), "guard_arp", others)

# D16: a DHCP server on a guest port, by either of its ports, whole and as first fragment.
for source in ("10.77.0.1", "10.77.0.254"):
    dropped(g1, v4(g1, udp(source, 67, "255.255.255.255", 68, bytes(300))), "rogue_dhcp", others)
    dropped(g1, v4(g1, udp(source, 1067, "255.255.255.255", 68, bytes(300))), "rogue_dhcp", others)
    dropped(g1, v4(g1, udp(source, 67, "255.255.255.255", 68, bytes(304), df=False, more=True)), "rogue_dhcp", others)
dropped(g1, v6(g1, udp("fe80::1", 547, NODES, 546, bytes(60))), "rogue_dhcp", others)
passes(g1, v6(g1, udp("fe80::1", 546, "ff02::1:2", 547, bytes(60))), others, "a DHCPv6 client")

# Routers: advertisements and redirects, whatever they are wrapped in.
for source in ("fe80::1", GATEWAY):
    dropped(g1, v6(g1, ra(source)), "rogue_ra", others)
    for kinds in ([0], [60], [43], [51], [60, 60, 60], [0, 60, 43, 51, 60]):
        dropped(g1, v6(g1, behind(ra(source), *kinds)), "rogue_ra", others)
dropped(g1, v6(g1, icmp("fe80::1", NODES, 137, 0, bytes(36), ttl=255)), "rogue_ra", others)
dropped(g1, v6(g1, behind(ra("fe80::1"), *[60] * 9)), "guard_ip", others)
cut = ip("fe80::1", NODES, 60, bytes([58, 0]) + bytes(6), more=True)
dropped(g1, v6(g1, cut), "guard_ip", others)

# IPv6 sources: first come, first served.
passes(g2, v6(g2, nd("::", 135, "fe80::2")), [g1, c3], "DAD of an address that nobody has")
dropped(g1, v6(g1, udp("fe80::2", 1, NODES, 2)), "guard_ip", others)
dropped(g1, v6(g1, nd("::", 135, "fe80::2")), "guard_nd", others)
for wrong in ("2001:db8::1", "fe80:0:0:1::1", "ff02::1", "::"):
    dropped(g1, v6(g1, udp(wrong, 1, NODES, 2)), "guard_ip", others)
passes(g2, v6(g2, udp("fe80::2", 1, NODES, 2)), [g1, c3], "its holder uses it on")

# Neighbour discovery.
passes(g1, v6(g1, nd("fe80::1", 136, "fe80::1", option(TARGET, g1.mac))), others, "advertisement of its own")
dropped(g1, v6(g1, nd("fe80::1", 136, "fe80::2", option(TARGET, g1.mac))), "guard_nd", others)
dropped(g1, v6(g1, nd("fe80::1", 136, "fe80::1", option(TARGET, g2.mac))), "guard_nd", others)
passes(g1, v6(g1, nd("fe80::1", 135, "fe80::2", option(SOURCE, g1.mac))), others, "question about another")
dropped(g1, v6(g1, nd("fe80::1", 135, "fe80::2", option(SOURCE, c3.mac))), "guard_nd", others)
advert = nd("fe80::1", 136, "fe80::1", option(TARGET, g1.mac))
dropped(g1, v6(g1, behind(advert, 44)), "guard_nd", others)

# All else.
for etype in (0x88B6, 0x8035, 0x8863, 0x0026):
    dropped(g1, eth(BROADCAST, g1.mac, b"something", etype=etype), "guard_ip", others)
dropped(g1, eth(BROADCAST, g1.mac, udp("10.77.0.1", 1, "10.77.0.9", 2), etype=V4, tags=tag(0) + tag(20)), "guard_ip", others)
passes(g1, eth(BROADCAST, g1.mac, bytes(46), etype=0x888E), others, "802.1X")

# Nobody was moved, nothing forged is in the table, and a port without a guard says what it likes.
expect(sorted(e["mac"] for e in ctl("mac.ls") if e["port"] == "g1"), [g1.mac], "g1 is known by its own MAC")
passes(c3, arp(c3.mac, 2, c3.mac, "10.77.0.1", "10.77.0.9"), [g1, g2], "c3 is not guarded")
PY

# What a trace says: what was claimed, and what the port may use.
strict <<'PY'
from strict import *

g1, = stations("g1")
trace = subprocess.Popen([f"{BUILD}/vfab", "-s", SOCKET, "trace", "--port", "g1", "--count", "1", "--drops", "-o", "json"],
                         stdout=subprocess.PIPE)
os.set_blocking(trace.stdout.fileno(), False)


def line():
    g1.send(v4(g1, udp("10.77.0.66", 1, "10.77.0.9", 2)))
    time.sleep(0.02)
    return trace.stdout.readline()


story = json.loads(wait_for(10, "a story", line))
said = [s["what"] for s in story["steps"] if s["stage"] == "guard"][-1]
expect(story["reason"], "guard_ip", "the reason")
for word in ("10.77.0.66", "10.77.0.1", g1.mac):
    expect(word in said, True, f"'{said}' names {word}")
expect(trace.wait(10 * SLOW), 0, "the trace ends")
PY

# Kernels with IPv6: link-local and static addresses of both families, and one that is not theirs.
expect run g4 ping -q -c 3 -i 0.1 -W 1 10.78.0.5
wait_for 5 run g4 ping -q -c 1 -W 1 fd78::5
expect run g5 ping -q -c 3 -i 0.1 -W 1 fd78::4
local5=$(ip -n "$g5" -j -6 addr show dev eth0 scope link | jq -r '[.[].addr_info[].local | strings][0]')
expect run g4 ping -q -c 3 -i 0.1 -W 1 "$local5%eth0"
ip -n "$g4" addr add fd78::66/64 dev eth0 nodad
ip -n "$g4" addr add 10.78.0.66/24 dev eth0
refuse run g4 ping -q -c 2 -i 0.1 -W 0.3 -I fd78::66 fd78::5
refuse run g4 ping -q -c 2 -i 0.1 -W 0.3 -I 10.78.0.66 10.78.0.5
refuse run g5 ping -q -c 1 -W 0.3 fd78::66
drops_by()
{
	vfab drops -o json | jq -e --arg port "$1" --arg reason "$2" \
		'any(.[]; .port == $port and .reason == $reason and .frames > 0)'
}
expect drops_by g4 guard_ip
ip -n "$g4" addr add fd78::67/64 dev eth0
wait_for 3 drops_by g4 guard_nd # duplicate address detection claims it
expect run g4 ping -q -c 1 -W 1 -I fd78::4 fd78::5

# Taken off and put on while it runs; and the switch starts again.
forge()
{
	run g1 ping -q -c 2 -i 0.1 -W 0.3 -I 10.77.0.66 10.77.0.3
}
ip -n "$g1" addr add 10.77.0.66/24 dev eth0
refuse forge
expect vfab port set g1 --guard off
wait_for 3 forge
expect vfab port set g1 --guard strict
refuse forge
expect run g1 ping -q -c 1 -W 1 -I 10.77.0.1 10.77.0.3
switch=$(switch_pid)
kill -KILL "$switch"
allow_log "died of signal 9"
wait_for 5 has_event restart
wait_for 5 ports_up
refuse forge
expect run g1 ping -q -c 1 -W 1 -I 10.77.0.1 10.77.0.3

# An address that the configuration takes away is gone, another one works.
expect vfab port set g1 --ipv4 10.77.0.66/24
wait_for 3 forge
ip -n "$g1" addr replace 10.77.0.1/24 dev eth0
refuse run g1 ping -q -c 2 -i 0.1 -W 0.3 -I 10.77.0.1 10.77.0.3
