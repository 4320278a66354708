#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Instructions a frame in forward(), counted by callgrind over the frames of bench_forward: exact, whatever else the
# machine does.
#
#   instructions.sh recorder       as built, the recorder off
#   instructions.sh no-recorder    with forward.c compiled so that the recorder is not there at all
#   instructions.sh split|packed   the whole path from one guest's ring to another's (bench_vring, 64-byte frames)
#
# Prints "recorder=off instructions=N" or "recorder=absent instructions=N".  tx of the fake port is part of it, and is no more
# than a loop that sets what each frame became.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")/../.."

BUILD=${BUILD:-build}
MAKE=${MAKE:-make}
ROUNDS=2

# count FUNCTION PROGRAM ARGUMENT...
count()
{
	local out frames total function=$1
	shift

	out=$(mktemp -d)
	frames=$(valgrind --quiet --tool=callgrind --callgrind-out-file="$out/callgrind" --collect-atstart=no \
		--toggle-collect="$function" "$@" $ROUNDS | grep -oE '\bframes=[0-9]*')
	total=$(awk '$1 == "summary:" || $1 == "totals:" { n = $2 } END { print n }' "$out/callgrind")
	rm -rf "$out"
	awk -v total="$total" -v frames="${frames#frames=}" 'BEGIN { printf "%.2f\n", total / frames }'
}

# A variable of the Makefile, expanded but not unquoted.
variable()
{
	$MAKE --no-print-directory --eval "show-it: ; \$(info $1)@:" show-it
}

# forward.c as the Makefile compiles it, with one macro more, linked in front of the archive that holds the other one.
build_bare()
{
	local dir=$BUILD/tests/bench/bare

	mkdir -p "$dir"
	sh -c "$(variable '$(CC) $(CFLAGS) $(FLAGS)') -DNO_RECORDER -c -o $dir/forward.o switch/forward.c"
	sh -c "$(variable '$(CC) $(CFLAGS) $(FLAGS) $(WIDE_FLAGS)') -DNO_RECORDER -c -o $dir/forward_wide.o \
		switch/forward.c"
	sh -c "$(variable '$(CC) $(CFLAGS) $(LINK) $(LDFLAGS)') -o $dir/bench_forward \
		$BUILD/tests/bench/bench_forward.o $dir/forward.o $dir/forward_wide.o $BUILD/libvfab.a $(variable '$(LIBS)')"
	echo "$dir/bench_forward"
}

for what; do
	case $what in
	recorder)
		instructions=$(count forward "$BUILD/tests/bench/bench_forward")
		echo "recorder=off instructions=$instructions"
		;;
	no-recorder)
		program=$(build_bare)
		instructions=$(count forward "$program")
		echo "recorder=absent instructions=$instructions"
		;;
	split | packed)
		instructions=$(count bench_turn "$BUILD/tests/bench/bench_vring" "$what" 60)
		echo "ring=$what instructions=$instructions"
		;;
	*)
		echo "usage: instructions.sh recorder|no-recorder|split|packed..." >&2
		exit 2
		;;
	esac
done
