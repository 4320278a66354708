#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# N36: static forwards: clients keep their address, a range is one entry, no dynamic mapping takes such a port, overlap is refused, they come
# and go while other flows live, their own flows end with them, allow-from, hairpin, what VirtualBox and VMware call
# them, and `config save`.
#
#   in1 .11: 80, 53, 90 --.                            .-- out1 .10, .11
#                          +-- lan -- [ vfabd ] .1 ----+
#   in2 .12: 22-31 -------'                            '-- out2 .20: may use 9090
#
# RFC 4787 REQ-3; RFC 6888 REQ-9
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/nat-fabric.sh"

cat >"$T/keys" <<'EOF'
nat: {rate: 0}, forwards: ["8080:10.0.0.11:80/tcp", "2200-2209:10.0.0.12:22-31", "198.51.100.1:5353:10.0.0.11:53/udp",
      {spec: "9090:10.0.0.11:90/tcp", allow-from: [198.51.100.20/32]}, "[2001:db8:51::1]:8080:[fd00:10::11]:80/tcp",
      "[::]:2200-2209:[fd00:10::12]:22-31", "7000:10.0.0.11:7000/both"]
EOF
nat_fabric interface "$(cat "$T/keys")"
mute in1 in2 out1 out2

nat_py <<'PY'
from nat import *


def test(w):
    a, b, o, o2 = w.in1, w.in2, w.out1, w.out2
    public = w.public
    w.prime(o.ip, w.also)

    def comes(src, packet, host, want, what):
        p = w.one(src, packet, host, what)
        expect((p.src, p.sport, p.dst, p.dport), want, what)
        return p

    # The client's own address arrives, the answer is the forward's.
    comes(o, tcp(o.ip, 1234, public, 8080, SYN), a, (o.ip, 1234, a.ip, 80), "N36: 8080 goes to in1:80")
    comes(a, tcp(a.ip, 80, o.ip, 1234, SYN | ACK, 1, 1), o, (public, 8080, o.ip, 1234), "N36: its answer")
    comes(o, tcp(w.also, 1234, public, 8080, SYN), a, (w.also, 1234, a.ip, 80), "N36: another client")
    for port in (2200, 2205, 2209):
        comes(o, tcp(o.ip, 1234, public, port, SYN), b, (o.ip, 1234, b.ip, port - 2178), f"N36: {port} of a range")
    for port in (2199, 2210, 8081, 80):
        got = w.exchange(o, tcp(o.ip, 1234, public, port, SYN), a, b)
        expect(got, {a: [], b: []}, f"N36: {port} goes nowhere")
    got = w.exchange(o, udp(o.ip, 1234, public, 8080), a, b)
    expect(got, {a: [], b: []}, "N36: UDP of a TCP forward")
    # A guest's own flow from the port of a forward leaves as that forward.
    p = w.one(a, tcp(a.ip, 80, o2.ip, 999, SYN), o2, "N36: in1:80 begins a flow")
    print(f"in1:80 leaves as {p.source}")
    if not w.v6:
        comes(o, udp(o.ip, 1234, public, 5353), a, (o.ip, 1234, a.ip, 53), "N36: UDP")
        for make in (lambda: udp(o.ip, 1234, public, 7000), lambda: tcp(o.ip, 1234, public, 7000, SYN)):
            comes(o, make(), a, (o.ip, 1234, a.ip, 7000), "N36: both")
        # allow-from
        before = drops("nat_denied")
        w.none(o, tcp(o.ip, 1234, public, 9090, SYN), a, "N36: not allowed")
        expect_drops("nat_denied", before, 1, "N36: drop by nat_denied")
        comes(o2, tcp(o2.ip, 1234, public, 9090, SYN), a, (o2.ip, 1234, a.ip, 90), "N36: allowed")

    # Hairpin: in1 by the outside address to in2, and to itself.
    p = w.one(a, tcp(a.ip, 1235, public, 2200, SYN), b, "N36: hairpin")
    expect((p.src, p.dst, p.dport), (public, b.ip, 22), "N36: hairpin: in2 sees the outside address")
    p = w.one(b, tcp(b.ip, 22, p.src, p.sport, SYN | ACK, 1, 1), a, "N36: hairpin back")
    expect((p.src, p.sport, p.dport), (public, 2200, 1235), "N36: hairpin: the answer is the forward's")

    # Seen.
    row = next(f for f in vfab("forward", "ls", "-o", "json") if f["proto"] == "tcp" and f["guest"].startswith("[fd" if w.v6 else "10") and "8080" in f["id"])
    print(row)
    expect(row["sessions"] >= 2 and row["frames"] >= 3, True, "N36: sessions and frames are counted")
    expect({"id", "network", "spec", "bind", "proto", "ports", "guest", "allow_from", "sessions", "frames"} - set(row), set(), "N36: the keys")
    kinds = {(s["inside"].rsplit(":", 1)[1], s["kind"]) for s in sessions(proto="tcp")}
    expect(("80", "forward") in kinds, True, "N36: nat ls names the kind")


both_families(test)
PY

# Refused: what overlaps, in every way; accepted: another protocol, another address family.
for spec in 8080:10.0.0.12:80 198.51.100.1:8080:10.0.0.12:80/tcp 2209-2215:10.0.0.11:1-7 2100-2300:10.0.0.11:2100-2300 \
	7000:10.0.0.12:7000/udp 8080:10.0.0.12:8080/both; do
	expect_status 1 vfab forward add lan $spec
done
for spec in 0:10.0.0.11:80 8080 10-5:10.0.0.11:10-5 1-10:10.0.0.11:1-9 70000:10.0.0.11:80 80:10.9.9.9:80 80:10.0.0.11:80/sctp; do
	refuse vfab forward add lan "$spec"
done
expect vfab forward add lan 8080:10.0.0.12:80/udp
expect vfab forward del lan/udp/0.0.0.0:8080
expect_status 1 vfab forward del lan/udp/0.0.0.0:8080

# Live: flows of others go on, a dynamic mapping too that has the very port; new clients are the forward's; the end of a forward is
# that of its flows.
nat_py <<'PY'
from nat import *

w = World()
a, b, o = w.in1, w.in2, w.out1
other = Tcp(w, a, 5000, o, 80).open()
mapped = Tcp(w, a, 5001, o, 80).open()
taken = mapped.end[1]
spec = f"{taken}:10.0.0.12:80"
expect(vfab("forward", "add", "lan", spec) is not None, True, f"N36: a forward of {taken}, which a flow has")
expect(other.lives(), True, "N36: other flows go on")
expect(mapped.lives(), True, "N36: and that flow")
p = w.one(w.out2, tcp(w.out2.ip, 77, w.public, taken, SYN), b, "N36: a new client is the forward's")
w.one(b, tcp(b.ip, 80, p.src, p.sport, SYN | ACK, 9, 1), w.out2, "N36: answered")
expect(vfab("forward", "del", f"lan/tcp/0.0.0.0:{taken}") is not None, True, "N36: deleted")
w.none(w.out2, tcp(w.out2.ip, 77, w.public, taken, ACK, 1, 10), b, "N36: its flow has ended, inwards")
w.none(b, tcp(b.ip, 80, p.src, p.sport, ACK, 10, 1), w.out2, "N36: and outwards")
expect(other.lives(), True, "N36: other flows go on")

# Of 1023 low ports a forward has all but 23: who comes after those have found theirs gets a high one.
expect(vfab("forward", "add", "lan", "1-1000:10.0.0.12:1-1000") is not None, True, "a thousand ports, one entry")
got = w.exchange(a, [tcp(a.ip, port, o.ip, 99, SYN) for port in range(1, 60)], o)[o]
expect(len(got), 59, "N36: every flow got out")
expect(min(p.sport for p in got) > 1000 and sum(p.sport < 1024 for p in got) >= 20, True, "N36: dynamic mappings keep off it")
w.one(o, tcp(o.ip, 5, w.public, 777, SYN), b, "N36: one of the thousand")
expect(vfab("forward", "del", "lan/tcp/0.0.0.0:1") is not None, True, "and away")

start = time.monotonic()
for n in range(20):
    port = 10000 + n * 2500
    expect(vfab("forward", "add", "lan", f"{port}-{port + 2499}:10.0.0.12:{port}-{port + 2499}") is not None, True, f"ports from {port} on")
print(f"50000 ports in 20 ranges took {time.monotonic() - start:.3f} s, the command included")
w.one(o, tcp(o.ip, 5, w.public, 43210, SYN), b, "N36: one of 50000")
w.one(a, tcp(a.ip, 6000, o.ip, 80, SYN), o, "N36: and dynamic ones still have ports")
for n in range(20):
    vfab("forward", "del", f"lan/tcp/0.0.0.0:{10000 + n * 2500}")
expect(len(vfab("forward", "ls", "-o", "json")), 7, "the forwards of the file are left")
PY

# Rules as others write them.
cat >"$T/natpf" <<'EOF'
ssh,tcp,,2322,10.0.0.11,22
Rule 2,udp,198.51.100.1,2323,10.0.0.12,23
EOF
cat >"$T/nat.conf" <<'EOF'
[host]
ip = 10.0.0.1
[incomingtcp]
# a comment
8889 = 10.0.0.12:80
[incomingudp]
6060 = 10.0.0.11:6060
EOF
expect vfab forward import "$T/natpf" --net lan
expect vfab forward import "$T/nat.conf" --net lan
nat_py <<'PY'
from nat import *

w = World()
o = w.out1
for packet, host, port in ((tcp(o.ip, 5, w.public, 2322, SYN), w.in1, 22), (udp(o.ip, 5, w.public, 2323), w.in2, 23),
                           (tcp(o.ip, 5, w.public, 8889, SYN), w.in2, 80), (udp(o.ip, 5, w.public, 6060), w.in1, 6060)):
    expect(w.one(o, packet, host, "imported").dport, port, f"N36: imported, to {host}:{port}")
PY

# Kept.
vfab forward ls -o json | jq -S 'map(del(.sessions, .frames))' >"$T/before.json"
expect vfab config save "$T/saved.yaml"
stop_fabric
NETWORKS='' fabric <"$T/saved.yaml"
wait_for 5 ports_up
vfab forward ls -o json | jq -S 'map(del(.sessions, .frames))' >"$T/after.json"
expect diff "$T/before.json" "$T/after.json"
nat_py <<'PY'
from nat import *

w = World()
expect(w.one(w.out1, tcp(w.out1.ip, 1234, w.public, 8889, SYN), w.in2, "after a restart").dport, 80, "N36: after config save and a restart")
PY
