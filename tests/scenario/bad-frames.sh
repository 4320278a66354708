#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# M01 random bytes, M02 every truncation of good frames, M03 towers of tags, M05 IPv4 and IPv6 headers that lie, each plain and
# with an offload header that lies too; into an access port, a trunk and a dot1q-tunnel.  v1 and v2 ping each other
# all the time and lose nothing; the process that switches is the same at the end; every frame is counted.  (Q1.)  SOAK=1: 10^8 of M01.
#
#   ac (access 10) --.
#   tr (trunk) ------+-- [ vfabd ] -- v1, v2 (access 10)
#   qq (tunnel 30) --'
. "$(dirname "$0")/../lib/scenario.sh"

for name in ac tr qq v1 v2; do ns $name; done
fabric <<EOF
workers: {cpus: [${CPUS:-0}]}
ports:
$(tap ac "vlan-mode: access, tag: 10, mtu: 9000")
$(tap tr "vlan-mode: trunk, mtu: 9000")
$(tap qq "vlan-mode: dot1q-tunnel, tag: 30, mtu: 9000")
$(tap v1 "vlan-mode: access, tag: 10, mtu: 9000, ipv4: 10.77.0.1/24")
$(tap v2 "vlan-mode: access, tag: 10, mtu: 9000, ipv4: 10.77.0.2/24, mac: '02:00:00:00:00:02'")
EOF
wait_for 5 ports_up
expect run v1 ping -q -c 1 -W 1 10.77.0.2
switch=$(switch_pid)
start v1 ping -q -i 0.01 -W 1 10.77.0.2
pinging=$STARTED

FACTOR=$([ -z "${SOAK:-}" ] && echo 1 || echo 5600) frames <<'PY'
import itertools
import random
from frames import *

FACTOR = int(os.environ["FACTOR"])
PACKET_VNET_HDR = 15
seed = int.from_bytes(os.urandom(4), "big")
random.seed(seed)
print(f"seed {seed}")
everyone = ac, tr, qq = stations("ac", "tr", "qq")
V2 = "02:00:00:00:00:02"
for station in everyone:
    # The same interface, with a virtio-net header in front of each frame; what comes in is not read.
    with inside(station.netns):
        station.raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        station.raw.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        station.raw.bind((station.ifname, 0))


def send(frame):
    """By every port, plain and with offload fields that mean nothing.  What the kernel itself refuses is not ours to test."""
    for station in everyone:
        try:
            station.send(frame)
        except OSError:
            pass
        lie = struct.pack("<BBHHHH", random.choice((0, 1)), random.choice((0, 1, 4, 5, 0x81)), random.choice((0, 14, 54, 66, 1000)),
                          random.choice((0, 1, 8, 100, 1448, 65535)), random.choice((0, 14, 34, 54, 65535)),
                          random.choice((0, 6, 16, 65535)))
        try:
            station.raw.send(lie + frame)
        except OSError:
            pass


def l2(payload, etype, tags=b"", dst=None):
    return eth(dst or random.choice((BROADCAST, V2, "33:33:00:00:00:01", "02:00:00:00:aa:aa")), "02:00:00:00:ee:ee", payload, tags,
               etype, pad=False)


# M01
for _ in range(3000 * FACTOR):
    send(os.urandom(random.choice((14, 15, 60, random.randrange(14, 200), random.randrange(14, 9014)))))
print(f"soak: {3000 * FACTOR * 2 * len(everyone)} frames of M01")
print("ok: M01 random bytes")

# M02
tcp = struct.pack("!HHIIBBHHH", 1234, 80, 1, 2, 0x50, 0x18, 65535, 0, 0) + b"GET / HTTP/1.0\r\n\r\n"
udp = struct.pack("!HHHH", 68, 67, 8 + 40, 0) + bytes(40)
icmp = struct.pack("!BBHHH", 8, 0, 0, 1, 1) + bytes(56)


def ipv4(payload, proto, ihl=5, version=4, total=None, frag=0, options=b"", ttl=64):
    total = 20 + len(options) + len(payload) if total is None else total
    return struct.pack("!BBHHHBBH4s4s", version << 4 | ihl, 0, total & 0xFFFF, 7, frag, ttl, proto, 0, bytes((10, 77, 0, 9)),
                       bytes((10, 77, 0, 2))) + options + payload


def ipv6(payload, following, length=None, version=6):
    length = len(payload) if length is None else length
    return struct.pack("!IHBB", version << 28, length, following, 64) + bytes(15) + b"\1" + bytes(15) + b"\2" + payload


arp = struct.pack("!HHBBH6s4s6s4s", 1, 0x800, 6, 4, 1, mac_bytes("02:00:00:00:ee:ee"), bytes((10, 77, 0, 9)), bytes(6),
                  bytes((10, 77, 0, 2)))
chain = b"".join(bytes((0, 0, 1, 4, 0, 0, 0, 0)) for _ in range(20))
good = [l2(arp, 0x0806), l2(ipv4(tcp, 6), 0x0800), l2(ipv4(udp, 17), 0x0800), l2(ipv4(icmp, 1), 0x0800),
        l2(ipv4(udp, 17, ihl=15, options=bytes(40)), 0x0800), l2(ipv6(tcp, 6), 0x86DD), l2(ipv6(udp, 17), 0x86DD),
        l2(ipv6(chain + udp, 0), 0x86DD), l2(ipv6(bytes((17, 0, 0, 1, 0, 0, 0, 9)) + udp, 44), 0x86DD),
        l2(ipv4(tcp, 6), 0x0800, tag(10)), l2(ipv4(tcp, 6), 0x0800, tag(30, tpid=0x88A8) + tag(5))]
for frame in good:
    for size in range(14, len(frame) + 1):
        send(frame[:size])
print("ok: M02 every truncation")

# M03: towers of every kind of tag, and a tag as the last bytes of a frame.
for tpid, height in itertools.product((0x8100, 0x88A8, 0x9100, 0x8847), itertools.chain(range(1, 40), (100, 399, 400))):
    tower = tag(10, tpid=tpid) * height
    send(l2(ipv4(tcp, 6), 0x0800, tower))
    for cut in range(1, 6):
        send(l2(b"", 0x0800, tower)[:-cut])
print("ok: M03 towers of tags")

# M05
for version, ihl in itertools.product((0, 4, 5, 6, 15), range(16)):
    for total in (0, 1, 19, 20, 21, 39, 40, 1500, 65535):
        send(l2(ipv4(tcp, 6, ihl, version, total), 0x0800))
for proto, frag in itertools.product((0, 1, 2, 6, 17, 41, 47, 58, 132, 255), (0, 0x2000, 0x2001, 0x1FFF, 0x3FFF, 0x4000, 0x8000)):
    send(l2(ipv4(tcp, proto, frag=frag), 0x0800))
for following in (0, 43, 44, 50, 51, 60, 135, 139, 59, 253):
    for length in (0, 1, 7, 8, 40, 65535):
        for n in (0, 1, 8, 100):
            header = bytes((following, 0 if n < 100 else 255)) + bytes(6)
            send(l2(ipv6(header * n + tcp, following, length), 0x86DD))
routing0 = bytes((6, 4, 0, 2)) + bytes(36)
jumbo = bytes((6, 0, 0xC2, 4)) + struct.pack("!I", 1 << 20)
for payload, following in ((routing0 + tcp, 43), (jumbo + tcp, 0)):
    send(l2(ipv6(payload, following), 0x86DD))
    send(l2(ipv6(payload, following, 0), 0x86DD))
print("ok: M05 headers")

for station in everyone:
    wait_for(10, f"port {station} counts every frame", lambda: settled(station.port, 0))
print("ok:", {name: sum(drops_of(name).values()) for name in ("ac", "tr", "qq")}, "dropped")
PY

kill -INT "$pinging"
wait "$pinging" || fail "pings were lost: $(tail -n 5 "$T/background.log")"
pings_lost "$T/background.log" 1
expect_eq "the process that switches" "$(switch_pid)" "$switch"
