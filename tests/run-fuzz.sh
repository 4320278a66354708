#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# make fuzz: each fuzz target for FUZZ_SECONDS with clang's engine, ASan and UBSan.  What it finds new lies in
# build/fuzz/found/NAME; an input that breaks something in build/fuzz/crash, to become a file of tests/fuzz/corpus/NAME.
#
#   FUZZ="conf ctl" runs these only.  Without clang the corpora are replayed with the compiler that is there.
set -u
cd "$(dirname "$0")/.." || exit 1

make=${MAKE:-make}
seconds=${FUZZ_SECONDS:-60}
bad=0

if ! command -v clang >/dev/null; then
	echo "no clang, so no engine: the corpora are replayed under ASan and UBSan instead"
	"$make" --no-print-directory SAN=address,undefined fuzzers || exit 1
	sources=(tests/fuzz/fuzz_*.c)
	binaries=("${sources[@]/#/build/address-undefined/}")
	BUILD=build/address-undefined SAN=address,undefined exec tests/run.sh corpus "${binaries[@]%.c}"
fi

"$make" --no-print-directory CC=clang SAN=fuzzer-no-link,address,undefined BUILD=build/fuzz \
	ENGINE=-fsanitize=fuzzer,address,undefined fuzzers || exit 1

mkdir -p build/fuzz/crash
for source in tests/fuzz/fuzz_*.c; do
	name=${source##*/fuzz_}
	name=${name%.c}
	[[ " ${FUZZ:-$name} " == *" $name "* ]] || continue
	mkdir -p "build/fuzz/found/$name"
	dictionary=tests/fuzz/$name.dict
	if UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 "build/fuzz/tests/fuzz/fuzz_$name" \
		-max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1 \
		-artifact_prefix="build/fuzz/crash/$name-" ${dictionary:+$([ ! -e "$dictionary" ] || echo "-dict=$dictionary")} \
		"build/fuzz/found/$name" "tests/fuzz/corpus/$name" >"build/fuzz/$name.log" 2>&1; then
		runs=$(awk '/number_of_executed_units/ { print $2 }' "build/fuzz/$name.log")
		printf 'ok    fuzz/%-40s %s runs in %s s\n' "$name" "${runs:-?}" "$seconds"
	else
		printf 'FAIL  fuzz/%s\n' "$name"
		tail -n 60 "build/fuzz/$name.log"
		bad=1
	fi
done
exit $bad
