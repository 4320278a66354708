#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# make check: everything once, the whole suite once more under ASan and UBSan, and the scenarios with two
# workers under TSan.  A build or a suite that fails does not stop the others; the sum decides.
set -u
cd "$(dirname "$0")/.." || exit 1

make=${MAKE:-make}
export RESULTS=$PWD/build/results.check
mkdir -p build
: >"$RESULTS"
jobs=$(nproc)
two_workers=$(grep -l '^# Threads: two workers' tests/scenario/*.sh | tr '\n' ' ')

# build NAME ARGUMENT...: a build that breaks is one failed test.
build()
{
	local log=build/log/build-$1.log name=$1
	shift

	mkdir -p build/log
	echo "== build $name"
	if "$make" --no-print-directory -j"$jobs" "$@" >"$log" 2>&1; then
		printf 'ok\tbuild %s\t\t\n' "$name" >>"$RESULTS"
	else
		printf 'FAIL\tbuild %s\t\tsee %s\n' "$name" "$log" >>"$RESULTS"
		tail -n 40 "$log"
		return 1
	fi
}

failures()
{
	grep -c '^FAIL' "$RESULTS"
}

# suite ARGUMENT...: one that ends badly without naming a test that failed is itself a failed test.
suite()
{
	local before
	before=$(failures)

	echo "== $*"
	"$make" --no-print-directory -j"$jobs" "$@" && return
	[ "$(failures)" != "$before" ] || printf 'FAIL\tmake %s\t\tdid not run\n' "$*" >>"$RESULTS"
}

if build plain all; then
	suite unit
	suite scenario
fi
if build address,undefined SAN=address,undefined all; then
	suite SAN=address,undefined unit
	suite SAN=address,undefined scenario
fi
if [ -n "$two_workers" ] && build thread SAN=thread all; then
	suite SAN=thread scenario SCENARIOS="$two_workers"
fi

echo "== all"
exec tests/run-summary.sh "$RESULTS"
