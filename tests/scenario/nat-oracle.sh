#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# N39: the same script of flows, answers, strangers, errors and fragments through vfabd and through the kernel's masquerade: the same
# packets pass and reach the same hosts.  Outside ports are compared by what they lead to, not by number.
#
#   in1, in2 -- [ vfabd, and then a kernel that routes ] -- out1, out2
#
# Differences, each with its reason:
#   mapping       the kernel's depends on the remote end when two guests use one port; a stranger here is one whom the guest never spoke to
#   tcp_loose     the kernel takes up connections in the middle by default; RFC 7857 2 does not: off there
#   invalid       the kernel lets what it does not know out untranslated; dropped there by a rule, as by us
#   inner sums    the kernel translates errors with a bad inner header checksum; RFC 5508 3.1 drops them: not sent
#   reset         after a RST the kernel keeps a session for 10 s, we 4 minutes (RFC 7857 2.2): not sent
# SOAK=1: 20000 steps.
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/nat-fabric.sh"

SEED=${SEED:-$RANDOM}
if [ "${1:-}" != kernel ]; then
	SEED=$SEED "$0" kernel "$T/kernel.json" >"$T/kernel.log" 2>&1 || fail "the oracle: $(tail -n 5 "$T/kernel.log")"
	nat_fabric interface "nat: {rate: 0}"
	results=$T/ours.json
else
	nat_fabric kernel
	nsenter --net="/run/netns/$fab" sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0
	results=$2
fi
mute in1 in2 out1 out2

STEPS=$([ -z "${SOAK:-}" ] && echo 600 || echo 20000)
RESULTS=$results SEED=$SEED STEPS=$STEPS nat_py <<'PY'
from nat import *

STEPS, SEED = int(os.environ["STEPS"]), int(os.environ["SEED"])


class Flow:
    """One session as both ends know it; next sequence numbers of a TCP one."""

    def __init__(self, inside, outside, proto, port, remote):
        self.inside, self.outside, self.proto, self.port, self.remote = inside, outside, proto, port, remote
        self.end = self.heard = None
        self.seq, self.ack, self.open = 1000, 5000, False


class Script:
    def __init__(self, w):
        self.w, self.flows, self.rng, self.results, self.port = w, [], random.Random(f"{SEED} {w.v6}"), [], 1999

    def note(self, op, packets):
        """Without ports that the translators choose."""
        def what(p):
            inner = (p.inner.src, p.inner.sport if p.inner.src in self.inside() else 0,
                     0 if p.inner.dst == self.w.public else p.inner.dport) if p.inner else ()
            dport = p.dport if p.dst in self.inside() else 0
            return [p.proto, p.src, p.dst, dport or 0, p.kind or 0, p.code or 0, p.flags or 0, p.payload[:16].hex() if not p.inner else "", inner]
        self.results.append([op, [what(p) for p in packets]])

    def inside(self):
        return self.w.in1.ip, self.w.in2.ip

    def packet_out(self, f, flags=0, payload=b"out", **more):
        a, o = f.inside.ip, f.outside.ip
        if f.proto == "udp":
            return udp(a, f.port, o, f.remote, payload, **more)
        if f.proto == "tcp":
            return tcp(a, f.port, o, f.remote, flags, f.seq, f.ack if flags & ACK else 0, **more)
        return echo(a, o, f.port, payload=payload, **more)

    def packet_back(self, f, flags=0, payload=b"back", src=None, sport=None):
        src, sport = src or f.outside.ip, sport or f.remote
        if f.proto == "udp":
            return udp(src, sport, *f.end, payload)
        if f.proto == "tcp":
            return tcp(src, sport, *f.end, flags, f.ack, f.seq if flags & ACK else 0)
        return echo(src, f.end[0], f.end[1], payload=payload, reply=True)

    def begin(self):
        r, w = self.rng, self.w
        proto = r.choice(("udp", "tcp", "echo"))
        host = r.choice((w.in1, w.in2))
        # Ports that the other guest uses too, now and then.
        self.port += r.choice((0, 1))
        f = Flow(host, r.choice((w.out1, w.out2)), proto, self.port, r.choice((53, 80, 443)) if proto != "echo" else 0)
        if any((g.inside, g.outside, g.proto, g.port, g.remote) == (f.inside, f.outside, f.proto, f.port, f.remote) for g in self.flows):
            return
        got = w.exchange(host, self.packet_out(f, SYN), f.outside)[f.outside]
        self.note(f"begin {proto}", got)
        if got:
            f.end = got[0].source
            self.flows.append(f)
        if proto == "tcp":
            f.seq += 1

    def flow(self, *protos):
        fit = [f for f in self.flows if not protos or f.proto in protos]
        return self.rng.choice(fit) if fit else None

    def again(self):
        if f := self.flow("udp", "echo"):
            self.note(f"again {f.proto}", self.w.exchange(f.inside, self.packet_out(f), f.outside)[f.outside])

    def answer(self):
        if f := self.flow("udp", "echo"):
            got = self.w.exchange(f.outside, self.packet_back(f), self.w.in1, self.w.in2)
            self.note(f"answer {f.proto}", got[self.w.in1] + got[self.w.in2])
            f.heard = got[f.inside][0] if got[f.inside] else f.heard

    def stranger(self):
        if f := self.flow():
            other = self.rng.choice(((f.outside, None, 9999), (f.outside, self.w.also if f.outside is self.w.out1 else None, 7777)))
            got = self.w.exchange(other[0], self.packet_back(f, SYN, b"stranger", other[1], other[2]), self.w.in1, self.w.in2)
            if f.proto != "echo" or other[1]:
                self.note(f"stranger {f.proto}", got[self.w.in1] + got[self.w.in2])

    def unknown(self):
        w, port = self.w, self.rng.randrange(50000, 60000)
        p = self.rng.choice((udp(w.out1.ip, 1, w.public, port), tcp(w.out1.ip, 1, w.public, port, SYN), tcp(w.out1.ip, 1, w.public, port, ACK),
                             echo(w.also, w.public, port, reply=True)))
        got = w.exchange(w.out1, p, w.in1, w.in2)
        self.note("unknown", got[w.in1] + got[w.in2])

    def error_in(self):
        if f := self.flow():
            w = self.w
            kind, code = self.rng.choice(((1, 0), (1, 4), (2, 0), (3, 0)) if w.v6 else ((3, 0), (3, 1), (3, 3), (3, 4), (11, 0), (12, 0)))
            sent = Packet(self.packet_out(f, ACK))
            l4 = put(sent.l4, 4 if f.proto == "echo" else 0, "!H", f.end[1])
            proto = sent.proto
            l4 = with_csum(f.end[0], f.outside.ip, proto, put(l4, {UDP: 6, TCP: 16}.get(proto, 2), "!H", 0), {UDP: 6, TCP: 16}.get(proto, 2))
            inner = ip(f.end[0], f.outside.ip, proto, l4)
            src = self.rng.choice((f.outside.ip, "2001:db8:9::9" if w.v6 else "203.0.113.9"))
            got = w.exchange(f.outside, icmp_error(src, f.end[0], kind, code, inner), w.in1, w.in2)
            self.note(f"error {kind} {code} in {f.proto}", got[w.in1] + got[w.in2])

    def error_out(self):
        f = self.flow("udp")
        if f and f.heard:
            kind, code = self.rng.choice(((1, 4), (3, 0)) if self.w.v6 else ((3, 3), (11, 0)))
            got = self.w.exchange(f.inside, icmp_error(f.inside.ip, f.outside.ip, kind, code, f.heard.raw), f.outside)[f.outside]
            self.note(f"error {kind} {code} out", got)

    def pieces(self):
        if f := self.flow("udp"):
            p = Packet(self.packet_out(f, payload=b"p" * 1200))
            parts = [ip(p.src, p.dst, UDP, p.l4[:800], ident=7, df=False, more=True), ip(p.src, p.dst, UDP, p.l4[800:], ident=7, df=False, offset=800)]
            if self.rng.random() < 0.5:
                parts.reverse()
            got = self.w.exchange(f.inside, parts, f.outside)[f.outside]
            size = sum(len(p.l4) for p in got)
            self.results.append(["pieces", [size, sorted({p.src for p in got})]])

    def short_lived(self):
        if f := self.flow("udp", "echo"):
            got = self.w.exchange(f.inside, self.packet_out(f, ttl=1), f.inside, f.outside)
            self.note("TTL 1", got[f.outside])

    def connect(self):
        f = self.flow("tcp")
        if not f or f.open:
            return
        got = self.w.exchange(f.outside, self.packet_back(f, SYN | ACK), self.w.in1, self.w.in2)
        self.note("SYN-ACK", got[self.w.in1] + got[self.w.in2])
        f.ack += 1
        self.note("ACK", self.w.exchange(f.inside, self.packet_out(f, ACK), f.outside)[f.outside])
        f.open = True

    def talk(self):
        f = self.flow("tcp")
        if f and f.open:
            got = self.w.exchange(f.outside, self.packet_back(f, PSH | ACK), self.w.in1, self.w.in2)
            self.note("TCP back", got[self.w.in1] + got[self.w.in2])
            self.note("TCP out", self.w.exchange(f.inside, self.packet_out(f, PSH | ACK), f.outside)[f.outside])

    def close(self):
        f = self.flow("tcp")
        if f and f.open:
            self.note("FIN", self.w.exchange(f.inside, self.packet_out(f, FIN | ACK), f.outside)[f.outside])
            f.seq += 1
            got = self.w.exchange(f.outside, self.packet_back(f, FIN | ACK), self.w.in1, self.w.in2)
            self.note("FIN back", got[self.w.in1] + got[self.w.in2])
            f.ack += 1
            self.note("last ACK", self.w.exchange(f.inside, self.packet_out(f, ACK), f.outside)[f.outside])
            self.flows.remove(f)
            self.port += 1

    def run(self):
        ops = [self.begin] * 3 + [self.again, self.answer, self.answer, self.stranger, self.unknown, self.error_in, self.error_out, self.pieces,
                                  self.short_lived, self.connect, self.connect, self.talk, self.close]
        for _ in range(STEPS):
            self.rng.choice(ops)()
        return self.results


results = []
for v6 in (False, True):
    w = World(v6=v6)
    for inside in (w.in1, w.in2):
        for outside in (w.out1, w.out2):
            w.back_end(outside, inside)
    w.prime(w.also)
    results += Script(w).run()
with open(os.environ["RESULTS"], "w") as f:
    json.dump(results, f)
PY
[ "${1:-}" != kernel ] || exit 0

echo "soak: $STEPS steps of each family beside the kernel, seed $SEED"
/usr/bin/python3 - "$T/ours.json" "$T/kernel.json" <<'PY'
import collections
import json
import sys

ours, oracle = (json.load(open(name)) for name in sys.argv[1:])
if len(ours) != len(oracle):
    first = next((i for i, (a, b) in enumerate(zip(ours, oracle)) if a[0] != b[0]), min(len(ours), len(oracle)))
    print(f"the scripts part at step {first}")
differences = [(i, a, b) for i, (a, b) in enumerate(zip(ours, oracle)) if a != b]
print(f"{len(ours)} packets and what became of them: {dict(collections.Counter(a[0] for a in ours))}")
for i, a, b in differences[:5]:
    print(f"step {i}: vfabd {a}\n         kernel {b}")
sys.exit(f"FAIL: {len(differences)} differences" if differences else 0)
PY
