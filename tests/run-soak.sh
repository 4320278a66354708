#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# make soak: every scenario once in its full length, then everything at once (mixed-load.sh) for the rest of SOAK_SECONDS.  SOAK=1 and
# FRAMES are what a scenario reads to know that it has time; SCENARIOS names those to run instead of all.  A
# failure does not stop the others.  What ran, its rows and its result are a table in build/soak.md, for SPECIFICATION.md.
set -u
cd "$(dirname "$0")/.." || exit 1

seconds=${SOAK_SECONDS:-3600}
export RESULTS=$PWD/build/results.soak SOAK=1 FRAMES=${FRAMES:-1000000} TEST_SECONDS=$((7200 + seconds))
mkdir -p build
: >"$RESULTS"

# rows FILE: the rows that the comment at its head names; those of a case with two workers are the other file's.
rows()
{
	local file=$1

	[ "$file" = "${file%-two-workers.sh}" ] || [ ! -e "${file%-two-workers.sh}.sh" ] || file=${file%-two-workers.sh}.sh
	sed -n '3,/^[^#]/p' "$file" | grep '^#' | grep -oE '\b([BDFGHMRSV][0-9]{2}|Q[0-9]+)\b' | sort -u | paste -sd ' '
}

run()
{
	echo "== ${1##*/}, $((seconds - SECONDS)) s left"
	tests/run.sh script "$1"
}

# shellcheck disable=SC2206
scenarios=(${SCENARIOS:-tests/scenario/*.sh})
for scenario in "${scenarios[@]}"; do
	[ "${scenario##*/}" = mixed-load.sh ] || run "$scenario"
done
LOAD_SECONDS=$((seconds > SECONDS + 60 ? seconds - SECONDS : 60))
export LOAD_SECONDS
run tests/scenario/mixed-load.sh

{
	echo "| scenario | rows | what ran | result | seconds | date |"
	echo "|---|---|---|---|---|---|"
	while IFS=$'\t' read -r result name took why; do
		file=tests/$name.sh
		[ "$result" != skip ] || result="skipped: $why"
		echo "| $(basename "$name") | $(rows "$file") | $(sed -n 's/^soak: //p' "${BUILD:-build}/log/${name//\//-}.log" | paste -sd ';' | sed 's/;/; /g') | $result | ${took%.*} | $(date +%F) |"
	done <"$RESULTS"
} >build/soak.md
echo "== the table is in build/soak.md; $SECONDS s"
tests/run-summary.sh "$RESULTS"
