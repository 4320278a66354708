#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# N02 one guest has one outside address, N30 all addresses of a pool are used, N27 sessions of a guest, N25 of a network: refused with a
# reason, told by ICMP, and nothing that lives is evicted; N28 remote ends count too; the rate of new sessions; R02 a flood
# of new flows: memory and neighbours.  SOAK=1: a million of R02.
#
#   in1 .11, in2 .12 -- lan -- [ vfabd ] .1, .2, .77, .200 --+-- out1 .10
#                                                            '-- out2 .20
#
# RFC 4787 REQ-2; RFC 5508 REQ-8; RFC 6888 REQ-1, REQ-2, REQ-3, REQ-4, REQ-5, REQ-11; RFC 7857 4
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/nat-fabric.sh"

nat_fabric interface "nat: {rate: 0}" "addresses: [198.51.100.2/32, 198.51.100.77/32, 198.51.100.200/32]"
mute in1 in2 out1 out2
POOL="198.51.100.1 198.51.100.2 198.51.100.77 198.51.100.200"

# N02, N30: guests of one port by their addresses; each has all its sessions by one outside address.
POOL=$POOL nat_py <<'PY'
from nat import *

w = World()
pool = set(os.environ["POOL"].split())
a, o = w.in1, w.out1
guests = [f"10.0.0.{i}" for i in range(20, 84)]
got = w.exchange(a, [udp(guest, 5000 + n, o.ip, 53) for guest in guests for n in range(5)], o)[o]
by = {s["outside"].rsplit(":", 1)[0]: 0 for s in sessions(network="lan")}
rows = sessions(network="lan")
for guest in guests:
    used = {s["outside"].rsplit(":", 1)[0] for s in rows if s["inside"].rsplit(":", 1)[0] == guest}
    if len(used) != 1:
        sys.exit(f"FAIL: N02: {guest} leaves by {used}")
expect(len(got), 5 * len(guests), "N02: all of them leave")
expect(set(by), pool, "N30: every address of the pool is used")
got = w.exchange(a, [udp(a.ip, 5000 + n, dst.ip, 53) for n in range(50) for dst in (o, w.out2)], o, w.out2)
expect(len({p.src for h in got for p in got[h]}), 1, "N02: 50 flows of one guest, one outside address")
# The answer of each is asked for by ARP on its own address.
for p in got[o][:1]:
    w.one(o, udp(o.ip, 53, *p.source), a, "N30: an answer to an address of the pool")
    o.mac_of(p.src)
for address in pool:
    expect(o.mac_of(address), o.mac_of(w.public), f"ARP for {address}")
PY

nat_apply "nat: {sessions: 150, per-guest: 100, rate: 0}"
expect vfab nat flush
nat_py <<'PY'
from nat import *


def test(w):
    a, b, o = w.in1, w.in2, w.out1
    for h in (a, b):
        w.back_end(o, h)
    error = (1, (1,)) if w.v6 else (3, (1, 13))
    base = len(sessions(network="lan"))
    expect(base, 2, "sessions of the sentinels")

    # N27
    before = drops("nat_guest_full")
    got = w.exchange(a, [udp(a.ip, 5000 + n, o.ip, 53) for n in range(110)], a, o)
    expect(len(got[o]), 99, "N27: sessions of in1, with that of the sentinel 100")
    expect_drops("nat_guest_full", before, 11, "N27: the others are refused with a reason")
    errors = [p for p in got[a] if p.is_error]
    expect(len(errors) > 0 and all(p.kind == error[0] and p.code in error[1] and p.inner.src == a.ip for p in errors), True,
           f"N25: and told by ICMP: {errors[:1]}")
    refused = w.one(b, udp(b.ip, 5000, o.ip, 53), o, "N27: in2 goes on")
    ends = {p.sport for p in got[o]}

    # N25: the network is full.
    before = drops("nat_full")
    got = w.exchange(b, [udp(b.ip, 6000 + n, o.ip, 53) for n in range(60)], b, o)
    expect(len(got[o]), 48, "N25: sessions of in2, until there are 150")
    expect_drops("nat_full", before, 12, "N25: then the network is full")
    errors = [p for p in got[b] if p.is_error]
    expect(len(errors) > 0 and all(p.kind == error[0] and p.code in error[1] for p in errors), True, f"N25: told by ICMP: {errors[:1]}")
    for what, packet in (("TCP", tcp(b.ip, 7000, o.ip, 80, SYN)), ("echo", echo(b.ip, o.ip, 7000))):
        w.none(b, packet, o, f"N25: {what} is refused too")
    again = w.exchange(a, [udp(a.ip, 5000 + n, o.ip, 53) for n in range(99)], o)[o]
    expect({p.sport for p in again}, ends, "N25: nothing was evicted, all 99 are as they were")
    for p in again[::10]:
        w.one(o, udp(o.ip, 53, *p.source), a, "N25: and pass inwards")
    expect(len(sessions(network="lan")), 150, "N25: sessions in all")
    vfab("nat", "flush")
    w.refresh()
    w.one(b, udp(b.ip, 6000, o.ip, 53), o, "after a flush there is room")
    vfab("nat", "flush")


both_families(test)
PY

# N28: with open filtering every remote end that speaks is a session of the guest, and counts.
nat_apply "nat: {per-guest: 50, rate: 0, filtering: endpoint-independent}"
nat_py <<'PY'
from nat import *

w = World()
a, o = w.in1, w.out1
end = w.one(a, udp(a.ip, 5000, o.ip, 53), o, "a mapping").source
got = w.exchange(o, [udp(f"203.0.113.{n}", 53, *end) for n in range(1, 200)], a)[a]
rows = len(sessions(network="lan"))
print(f"{len(got)} of 199 remote ends pass, {rows} sessions")
expect(rows <= 50, True, "N28: remote ends do not take more than the guest may have")
PY

# The rate of new sessions.
nat_apply "nat: {rate: 50}"
expect vfab nat flush
nat_py <<'PY'
from nat import *

w = World()
a, b, o = w.in1, w.in2, w.out1
w.back_end(o, b)
before = drops("nat_rate")
got = w.exchange(a, [udp(a.ip, 5000 + n, o.ip, 53) for n in range(300)], o)[o]
expect(45 <= len(got) <= 50 + 50 * SLOW, True, f"a rate of 50 new sessions a second: {len(got)} of 300 at once")
expect_drops("nat_rate", before, 300 - len(got), "the others are drops by nat_rate")
w.one(b, udp(b.ip, 5000, o.ip, 53), o, "in2 has its own")
PY

# R02
nat_apply "nat: {sessions: 200000, per-guest: 20000, rate: 0}"
expect vfab nat flush
SWITCH=$(switch_pid) FLOOD=$([ -z "${SOAK:-}" ] && echo 60000 || echo 1000000) nat_py <<'PY'
from nat import *

w = World()
a, b, o = w.in1, w.in2, w.out1
w.back_end(o, b)
flood = int(os.environ["FLOOD"])


def memory():
    with open(f"/proc/{os.environ['SWITCH']}/smaps_rollup") as f:
        return next(int(line.split()[1]) << 10 for line in f if line.startswith("Pss:"))


before = memory()
kinds = [bytearray(a.frame(p)) for p in (udp(a.ip, 1, w.out2.ip, 9, b""), tcp(a.ip, 1, w.out2.ip, 9, SYN))]
lost = 0
for i in range(flood):
    frame = kinds[i & 1]
    # Both ports change and their sum does not: the checksum stays right.
    port = 1024 + (i >> 1) % 60000
    struct.pack_into("!HH", frame, 34, port, 65545 - port)
    a.send(frame)
    if i % 2000 == 0:
        w.out2.drain()
        lost += len(w.exchange(b, udp(b.ip, 5000, o.ip, 53), o)[o]) != 1
print(f"soak: {flood} new flows of R02")
count = vfab("nat", "stats", "-o", "json")
print(count)
expect(lost, 0, "R02: a flood of in1 costs in2 nothing")
expect(drops("nat_guest_full") > 0, True, "R02: what is over in1's sessions is refused")
grown = memory() - before
expect(grown < 20000 * 400 + (8 << 20), True, f"R02: memory for 20000 sessions grew by {grown >> 10} KiB")
PY
