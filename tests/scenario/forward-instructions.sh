#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Instructions that forwarding spends on a frame, counted by callgrind: what SPECIFICATION.md says, to 2 %, and less
# than 1 % of it for a recorder that nobody uses.
#
#   bench_forward: 8 fake ports --> forward() --> 8 fake ports, in memory, no kernel
#
# A count depends on the compiler and its flags, so the figure is that of gcc 12 and the Makefile's own.
. "$(dirname "$0")/../lib/scenario.sh"

command -v valgrind >/dev/null || skip "needs valgrind"
[ -z "${SAN:-}" ] || skip "a sanitizer counts too"
[ "$(uname -m) $(cc -dumpversion)" = "x86_64 12" ] || skip "the figure is that of gcc 12 on x86-64"
[ "${CFLAGS:--O2 -g}" = "-O2 -g" ] || skip "CFLAGS are not the Makefile's"

cd "$ROOT"
make --no-print-directory "BUILD=$BUILD" "$BUILD/tests/bench/bench_forward" >"$T/make.log" 2>&1 ||
	fail "bench_forward is not built: $(tail -n 3 "$T/make.log")"

want=$(awk -F'|' '/instructions a frame/ { print $5 + 0 }' SPECIFICATION.md)
off=$(tests/bench/instructions.sh recorder | grep -o '[0-9.]*$')
absent=$(tests/bench/instructions.sh no-recorder | grep -o '[0-9.]*$')
echo "instructions a frame: $off, SPECIFICATION.md says $want; without a recorder in the build $absent"

expect awk "BEGIN { exit !($off <= 1.02 * $want) }"
# A figure that became better is written down, or the next step back would go unseen.
expect awk "BEGIN { exit !($off >= 0.98 * $want) }"
expect awk "BEGIN { exit !($off <= 1.01 * $absent) }"
