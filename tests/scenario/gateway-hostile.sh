#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# M01 M02 M05 M08 M09 at the gateway's MAC, from inside and outside: headers that lie, every truncation of good packets, TCP and ICMP
# that cannot be, random bytes.  in2 and out2 ping each other's way all the time and lose nothing; the process that switches is
# the same at the end; every frame is counted.  SOAK=1: 300 times as many.
#
#   in1 (hostile), in2 -- lan -- [ vfabd ] .1 --+-- out1 (hostile)
#                                               '-- out2
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/nat-fabric.sh"

nat_fabric interface "nat: {rate: 0}, forwards: [\"8080:10.0.0.11:80\"]"
mute in1 out1
wait_for 5 run in2 ping -q -c 1 -W 1 198.51.100.20
switch=$(switch_pid)
start in2 ping -q -i 0.01 -W 1 198.51.100.20
pinging=$STARTED

FACTOR=$([ -z "${SOAK:-}" ] && echo 1 || echo 300) nat_py <<'PY'
import itertools
from nat import *

FACTOR = int(os.environ["FACTOR"])
seed = int.from_bytes(os.urandom(4), "big")
random.seed(seed)
print(f"seed {seed}")
w, w6 = World(), World(v6=True)
a, o = w.in1, w.out1
inward, outward = a.mac_of("10.0.0.1"), o.mac_of("198.51.100.1")
a.mac_of("fd00:10::1")
o.mac_of("2001:db8:51::1")
lenient.append(True)
# Something to lie about.
end = w.one(a, udp(a.ip, 5000, o.ip, 53), o, "a mapping").source
t = Tcp(w, a, 5001, o, 80).open()
end6 = w6.one(w6.in1, udp(w6.in1.ip, 5000, w6.out1.ip, 53), w6.out1, "a mapping").source


def send(frame):
    for host, mac in ((a, inward), (o, outward)):
        try:
            host.send(mac_bytes(mac) + frame[6:])
        except OSError:
            pass


def both(packet, etype=None):
    etype = etype or (0x86DD if packet and packet[0] >> 4 == 6 else 0x0800)
    send(eth(inward, a.mac, packet, etype=etype, pad=False))


print("M01")
for _ in range(2000 * FACTOR):
    both(os.urandom(random.choice((1, 20, 40, 60, random.randrange(1500)))), random.choice((0x0800, 0x86DD, 0x0806)))
print("M02")
A4, O4, P4 = a.ip, o.ip, w.public
A6, O6, P6 = w6.in1.ip, w6.out1.ip, w6.public
good = []
for A, O, P, e in ((A4, O4, P4, end), (A6, O6, P6, end6)):
    error = (1, 4) if is_v6(A) else (3, 3)
    good += [udp(A, 5000, O, 53, b"q" * 20), udp(O, 53, *e, b"a" * 20), tcp(A, 5002, O, 80, SYN, options=b"\2\4\5\xb4\1\1\1\0"), echo(A, O, 7), echo(A, w.gateway, 7)
             if not is_v6(A) else echo(A, w6.gateway, 7), icmp_error(O, P, *error, udp(*e, O, 53, b"x" * 20)), icmp_error(A, O, *error, udp(O, 53, A, 5000, b"y" * 20)),
             udp(A, 5000, O, 53, more=True, df=False), udp(A, 5000, O, 53, df=False, offset=8), udp(O, 77, P, 8080), tcp(O, 77, P, 8080, SYN)]
for packet in good:
    for size in range(1, len(packet) + 1):
        both(packet[:size])
    for at in range(min(len(packet), 90)):
        for value in (0, 0xFF, packet[at] ^ 0x80, random.randrange(256)):
            both(put(packet, at, "B", value))
print("M05")
for version, ihl in itertools.product((0, 4, 5, 6, 15), range(16)):
    for total in (0, 1, 19, 20, 21, 27, 28, 1500, 65535):
        head = put(good[0], 0, "!BBH", version << 4 | ihl, 0, total)
        both(put(head, 10, "!H", csum(put(head, 10, "!H", 0)[:max(ihl, 5) * 4])), 0x0800)
for options in (b"\x83\x07\x04" + raw_ip(O4) + b"\0", b"\x89\x07\x04" + raw_ip(O4) + b"\0", b"\x07\x27\x04" + bytes(37), b"\x44\x28\x05\0" + bytes(36),
                b"\x83\0\0\0", b"\x83\xff\0\0", b"\1" * 40):
    both(udp(A4, 5000, O4, 53, options=options))
    both(udp(O4, 53, *end, options=options))
for following in (0, 43, 44, 50, 51, 60, 59, 135, 253):
    for n in (1, 2, 8, 100):
        header = bytes((following, 0)) + bytes(6)
        body = header * n + Packet(good[11]).l4
        both(ip(A6, O6, following, body))
        both(ip(O6, end6[0], following, body))
both(ip(A6, O6, 43, bytes((17, 4, 0, 2)) + bytes(36) + Packet(good[11]).l4))
both(ip(A6, O6, 0, bytes((17, 0, 0xC2, 4)) + struct.pack("!I", 1 << 20) + Packet(good[11]).l4, total=0))
print("M08")
for flags, doff in itertools.product(range(64), (0, 4, 5, 6, 15)):
    both(tcp(A4, 5003, O4, 80, flags, t.seq, t.ack, doff=doff, urgent=65535))
    both(tcp(O4, 80, *t.end, flags & ~RST, t.ack - 5, t.seq, doff=doff, urgent=65535))
for options in (b"\2\4\0\0", b"\2\0\0\0", b"\2\1\0\0", b"\2\xff\0\0", b"\2\4\xff\xff", b"\2\4\0\1", b"\3\3\xff\0", b"\2\2\2\2", b"\1\1\1\2"):
    both(tcp(A4, 5004, O4, 80, SYN, options=options))
    both(tcp(A6, 5004, O6, 80, SYN, options=options))
print("M09")
for kind, code in itertools.product((3, 4, 5, 11, 12, 9, 10, 13, 17), (0, 1, 4, 255)):
    inner = udp(*end, O4, 53, b"x" * 30)
    for cut in (0, 7, 8, 19, 20, 21, 27, 28):
        both(icmp_error(O4, P4, kind, code, inner[:cut]))
    for first in (0x40, 0x44, 0x46, 0x4F, 0x60, 0x00):
        both(icmp_error(O4, P4, kind, code, bytes([first]) + inner[1:]))
    both(icmp_error(O4, P4, kind, code, icmp_error(P4, O4, kind, code, inner)))
for kind, code in itertools.product((1, 2, 3, 4, 100, 127, 130, 133, 134, 137, 255), (0, 1, 4, 255)):
    for cut in (0, 7, 39, 40, 47, 48, 70):
        both(icmp_error(O6, P6, kind, code, udp(*end6, O6, 53, b"x" * 30)[:cut]))
        both(icmp_error("fe80::99", P6, kind, code, udp(*end6, O6, 53, b"x" * 30)[:cut], ttl=255))

wait_for(10, "every frame of in1 counted", lambda: settled("in1", 0))
expect(w.one(a, udp(a.ip, 5000, o.ip, 53), o, "the mapping").source, end, "the mapping is as it was")
w6.one(w6.in1, udp(w6.in1.ip, 6000, w6.out1.ip, 53), w6.out1, "and IPv6 passes")
PY

kill -INT "$pinging"
wait "$pinging" || fail "pings were lost: $(tail -n 5 "$T/background.log")"
pings_lost "$T/background.log" 1
expect_eq "the process that switches" "$(switch_pid)" "$switch"
