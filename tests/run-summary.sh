#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sums up a file of results: what failed, what was skipped and why, and the last line of every test run.
set -u
awk -F '\t' '
	$1 == "ok" { passed++ }
	$1 == "FAIL" { failed++; print "FAIL  " $2 ($4 == "" ? "" : "  (" $4 ")") }
	$1 == "skip" { skipped++; print "skip  " $2 "  (" $4 ")" }
	END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped; exit failed > 0 }
' "$1"
