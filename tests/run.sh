#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs tests, one line each, and counts them.
#
#   tests/run.sh KIND FILE... [: KIND FILE...]...
#
#   cmocka   a unit binary: each of its cases is a test
#   corpus   a fuzz binary: replays every file of tests/fuzz/corpus/NAME
#   script   exit status 0 passed, 77 skipped (its last line is the reason), anything else failed; one whose head says
#            "# Pace: mostly waits" runs beside the others
#
# BUILD is where the binaries lie and the logs go; SAN the sanitizers they were built with.  With RESULTS
# set, lines are added to that file and somebody else sums up.  Exit status 1 when a test failed.
set -u
shopt -s nullglob
cd "$(dirname "$0")/.." || exit 1

BUILD=${BUILD:-build}
SAN=${SAN:-}
tag=${SAN:+$SAN }
logs=$BUILD/log
mkdir -p "$logs"
results=${RESULTS:-$logs/results.$$}
[ -n "${RESULTS:-}" ] || trap 'rm -f "$results"' EXIT
touch "$results"
failed_before=$(grep -c '^FAIL' "$results" 2>/dev/null)
limit_s=${TEST_SECONDS:-120}
[ -z "$SAN" ] || limit_s=$((limit_s * 3))

case $SAN in
*address*) leaks=1 ;;
*) leaks=0 ;;
esac
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=0:second_deadlock_stack=1
export PYTHONDONTWRITEBYTECODE=1

now_ms()
{
	local t=$EPOCHREALTIME

	echo $((${t%[.,]*} * 1000 + 10#${t#*[.,]} / 1000))
}

# report ok|FAIL|skip NAME MS [REASON]
report()
{
	local seconds

	printf -v seconds '%d.%03d' $(($3 / 1000)) $(($3 % 1000))
	printf '%-4s  %-60s %8s s%s\n' "$1" "$tag$2" "$seconds" "${4:+  ($4)}"
	printf '%s\t%s\t%s\t%s\n' "$1" "$tag$2" "$seconds" "${4:-}" >>"$results"
}

show_log()
{
	echo "----- $1"
	tail -n 150 "$1" | tr -cd '\11\12\15\40-\176\200-\377' | sed 's/^/      /'
	echo "-----"
}

why()
{
	case $1 in
	124 | 137) echo "no end after $limit_s s" ;;
	*) echo "exit status $1" ;;
	esac
}

# The cases of a cmocka run: "STATUS NAME MS" lines out of its XML report.
cases()
{
	awk '
		function value(key,  v) { v = $0; sub(".* " key "=\"", "", v); sub("\".*", "", v); return v }
		/<testcase / { name = value("name"); ms = int(value("time") * 1000); status = "ok" }
		/<failure>|<error>/ { status = "FAIL" }
		/<skipped\/>/ { status = "skip" }
		/<\/testcase>/ { print status, name, ms }
	' "$@"
}

# What the cases that failed say, out of the same report.
failures()
{
	awk '
		/<testcase / { name = $0; sub(/.* name="/, "", name); sub(/".*/, "", name) }
		/<failure>/ { said = 1; print name ":" }
		said { sub(/.*<!\[CDATA\[/, ""); last = /<\/failure>/; sub(/\]\]>.*/, ""); print "  " $0; if (last) said = 0 }
	' "$@"
}

run_cmocka()
{
	local name=${1##*/test_} log=$logs/unit-${1##*/test_}.log start status case_status case_name ms bad=0

	rm -f "$logs/unit-$name"-*.xml
	start=$(now_ms)
	CMOCKA_MESSAGE_OUTPUT=XML CMOCKA_XML_FILE="$logs/unit-$name-%g.xml" \
		ASAN_OPTIONS=detect_leaks=$leaks timeout -k 5 "$limit_s" "$1" >"$log" 2>&1 </dev/null
	status=$?
	while read -r case_status case_name ms; do
		report "$case_status" "unit/$name: $case_name" "$ms"
		[ "$case_status" != FAIL ] || bad=1
	done < <(cases /dev/null "$logs/unit-$name"-*.xml)
	if [ $bad = 1 ]; then
		failures "$logs/unit-$name"-*.xml >>"$log"
		show_log "$log"
	elif [ $status != 0 ] || ! grep -qs '<testcase' "$logs/unit-$name"-*.xml; then
		report FAIL "unit/$name" $(($(now_ms) - start)) "$(why $status)"
		show_log "$log"
	fi
}

run_corpus()
{
	local name=${1##*/fuzz_} log=$logs/fuzz-${1##*/fuzz_}.log start status
	local files=(tests/fuzz/corpus/"$name"/*)

	start=$(now_ms)
	ASAN_OPTIONS=detect_leaks=$leaks timeout -k 5 "$limit_s" "$1" "${files[@]}" >"$log" 2>&1 </dev/null
	status=$?
	if [ ${#files[@]} = 0 ]; then
		report FAIL "fuzz/$name" 0 "no files in tests/fuzz/corpus/$name"
	elif [ $status = 0 ]; then
		report ok "fuzz/$name: ${#files[@]} inputs" $(($(now_ms) - start))
	else
		report FAIL "fuzz/$name" $(($(now_ms) - start)) "$(why $status)"
		show_log "$log"
	fi
}

run_script()
{
	local name=${1#tests/} start status log
	name=${name%.sh}
	log=$logs/${name//\//-}.log

	start=$(now_ms)
	# What a scenario reads of a sanitizer is in the daemon's log: leaks there are the kernel's to reclaim.
	BUILD=$BUILD ASAN_OPTIONS=detect_leaks=0 timeout -k 10 "$limit_s" "$1" >"$log" 2>&1 </dev/null
	status=$?
	case $status in
	0) report ok "$name" $(($(now_ms) - start)) ;;
	77) report skip "$name" $(($(now_ms) - start)) "$(tail -n 1 "$log")" ;;
	*)
		report FAIL "$name" $(($(now_ms) - start)) "$(why $status)"
		show_log "$log"
		;;
	esac
}

# Scripts that mostly wait, as they say at their head, run one after the other beside all the rest.
waits()
{
	[ "$kind" = script ] && grep -q '^# Pace: mostly waits' "$1"
}

# each FUNCTION ARGUMENT...: calls it for every file, whose kind is then in $kind.
each()
{
	local call=$1 arg
	shift

	kind=
	for arg; do
		case $arg in
		cmocka | corpus | script) kind=$arg ;;
		:) kind= ;;
		*) "$call" "$arg" ;;
		esac
	done
}

run_waiting()
{
	if waits "$1"; then run_script "$1"; fi
}

run_other()
{
	if ! waits "$1"; then "run_${kind:?no kind before $1}" "$1"; fi
}

each run_waiting "$@" &
each run_other "$@"
wait

[ -n "${RESULTS:-}" ] || tests/run-summary.sh "$results"
[ "$(grep -c '^FAIL' "$results")" = "${failed_before:-0}" ]
