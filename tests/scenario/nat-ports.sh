#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# N32 ports of 10 000 mappings: no runs, evenly spread (chi-squared, p > 0.001, so that it does not fail by chance one day in ten), not
# shared; N35 a class of ports is used to 95 % and more before one is refused.
#
#   in1 .11, in2 .12 -- lan -- [ vfabd ] .1 -- out1 .10
#
# RFC 4787 REQ-3; RFC 6888 REQ-13, REQ-15; RFC 7857 3, RFC 7857 9
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/nat-fabric.sh"

nat_fabric interface "nat: {rate: 0}"
mute in1 in2 out1

nat_py <<'PY'
import collections
from nat import *

N, BINS = 10000, 63
w = World()
a, b, o = w.in1, w.in2, w.out1
w.back_end(o, a)
w.back_end(o, b)
seen = []
for start in range(0, N, 500):
    for host in (a, b):
        got = w.exchange(host, [udp(host.ip, 2000 + n, o.ip, 53) for n in range(start // 2, start // 2 + 250)], o)[o]
        expect(len(got), 250, f"mappings of {host} from {start // 2} on") if len(got) != 250 else None
        seen += [p.sport for p in got]
expect((len(seen), len(set(seen))), (N, N), "N32: 10000 mappings, 10000 ports")
expect(min(seen) >= 1024, True, "N04: of the upper class")
steps = collections.Counter(abs(y - x) for x, y in zip(seen, seen[1:]))
expect(steps[1] + steps[2] <= 12, True, f"N32: neighbours follow each other no more often than by chance: {steps[1] + steps[2]}")
width = (65536 - 1024) / BINS
counts = collections.Counter(int((port - 1024) / width) for port in seen)
expected = N / BINS
# Without replacement the variance is smaller by what is left.
chi2 = sum((counts[i] - expected) ** 2 / expected for i in range(BINS)) / (1 - N / (65536 - 1024))
# 62 degrees of freedom: 102.2 is p = 0.001, and 33 is as improbable on the other side.
expect(30 < chi2 < 102.2, True, f"N32: chi-squared of {BINS} classes is {chi2:.1f}")
low = sum(y > x for x, y in zip(seen, seen[1:])) / (N - 1)
expect(0.47 < low < 0.53, True, f"N32: up as often as down: {low:.3f}")

# N35: ports 1-1023 of one protocol.
got = w.exchange(a, [tcp(a.ip, port, o.ip, 80, SYN) for port in range(1, 1024)], o)[o]
expect(len(got) >= 0.95 * 1023, True, f"N35: {len(got)} of 1023 low ports are used")
expect(len({p.sport for p in got}), len(got), "N35: each once")
got = w.exchange(b, [tcp(b.ip, port, o.ip, 80, SYN) for port in range(1, 1024)], o)[o]
expect(len(got), 1023, "N35: another guest has its low ports all the same")
expect(sum(p.sport >= 1024 for p in got) >= 0.95 * 1023, True, "N35: by high ones")
w.one(b, tcp(b.ip, 5000, o.ip, 80, SYN), o, "N35: others are not")
PY
