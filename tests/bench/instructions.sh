#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Instructions a frame in forward(), counted by callgrind over the frames of bench_forward: exact, whatever else the
# machine does.
#
#   instructions.sh recorder       as built, the recorder off
#   instructions.sh no-recorder    with forward.c compiled so that the recorder is not there at all
#
# Prints "recorder=on-board instructions=N.N" for each argument.  tx of the fake port is part of it, and is no more
# than a loop that sets what each frame became.
set -euo pipefail
cd "$(dirname "$0")/../.."

BUILD=${BUILD:-build}
MAKE=${MAKE:-make}
ROUNDS=2

count()
{
	local out frames total

	out=$(mktemp -d)
	frames=$(valgrind --quiet --tool=callgrind --callgrind-out-file="$out/callgrind" --collect-atstart=no \
		--toggle-collect=forward "$1" $ROUNDS | grep -o 'frames=[0-9]*')
	total=$(awk '$1 == "summary:" || $1 == "totals:" { n = $2 } END { print n }' "$out/callgrind")
	rm -rf "$out"
	awk -v total="$total" -v frames="${frames#frames=}" 'BEGIN { printf "%.2f\n", total / frames }'
}

# forward.c as the Makefile compiles it, with one macro more, linked in front of the archive that holds the other one.
build_bare()
{
	local dir=$BUILD/tests/bench/bare compile

	mkdir -p "$dir"
	compile=$($MAKE --no-print-directory --eval 'bench-compile: ; @echo '"'"'$(CC) $(CFLAGS) $(FLAGS)'"'" bench-compile)
	sh -c "$compile -DNO_RECORDER -c -o $dir/forward.o switch/forward.c"
	sh -c "$($MAKE --no-print-directory --eval 'bench-link: ; @echo '"'"'$(CC) $(CFLAGS) $(LINK) $(LDFLAGS)'"'" bench-link) \
		-o $dir/bench_forward $BUILD/tests/bench/bench_forward.o $dir/forward.o $BUILD/libvfab.a \
		$($MAKE --no-print-directory --eval 'bench-libs: ; @echo '"'"'$(LIBS)'"'" bench-libs)"
	echo "$dir/bench_forward"
}

for what; do
	case $what in
	recorder) echo "recorder=off instructions=$(count "$BUILD/tests/bench/bench_forward")" ;;
	no-recorder) echo "recorder=absent instructions=$(count "$(build_bare)")" ;;
	*) echo "usage: instructions.sh recorder|no-recorder..." >&2; exit 2 ;;
	esac
done
