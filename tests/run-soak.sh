#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# make soak: the scenarios in their full length, over and over for SOAK_SECONDS, every round with more frames.  FRAMES and SOAK=1
# are what a scenario reads to know that it has time.  Ends at the first failure; prints rounds and what was sent.
set -u
cd "$(dirname "$0")/.." || exit 1

seconds=${SOAK_SECONDS:-3600}
end=$((SECONDS + seconds))
round=0
export SOAK=1 FRAMES=1000000 TEST_SECONDS=7200
while [ $round = 0 ] || [ $SECONDS -lt $end ]; do
	round=$((round + 1))
	echo "== round $round, $((end - SECONDS)) s left"
	RESULTS=build/results.soak tests/run.sh script tests/scenario/*.sh || {
		tests/run-summary.sh build/results.soak
		exit 1
	}
done
echo "$round rounds in $SECONDS s"
tests/run-summary.sh build/results.soak
