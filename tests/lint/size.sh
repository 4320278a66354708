#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sizes: a .c file 800 lines, a header 200, a function 80, nesting 3, a line 100 columns (a comment 132).
#
# A function that is a table may be excused, up to 110 lines: one line "file:function reason" in the list below.
set -u
cd "$(dirname "$0")/../.." || exit 1

excused='
'

git ls-files -co --exclude-standard '*.c' '*.h' | sort | xargs awk -v excused="$excused" '
	function say(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; bad = 1 }
	function columns(line,  i, n, c) {
		n = 0
		for (i = 1; i <= length(line); i++) {
			c = substr(line, i, 1)
			n = c == "\t" ? n + 8 - n % 8 : n + 1
		}
		return n
	}
	function end_file(  limit) {
		limit = name ~ /\.h$/ ? 200 : 800
		if (lines > limit) {
			printf "%s: %d lines, more than %d\n", name, lines, limit
			bad = 1
		}
	}
	FNR == 1 { if (name != "") end_file(); name = FILENAME; in_function = 0; signature = "" }
	{ lines = FNR }
	columns($0) > (/\*/ ? 132 : 100) { say("a line of " columns($0) " columns") }
	# The last line that begins in the first column names the function that opens below it.
	/^[a-zA-Z_].*\(/ { signature = $0 }
	/^{/ { in_function = 1; start = FNR }
	in_function && /^\t\t\t\t+(if|for|while|switch|do|else)[ ({]/ { say("nesting deeper than 3") }
	in_function && /^}/ {
		in_function = 0
		who = signature
		sub(/\(.*/, "", who)
		sub(/.*[ *]/, "", who)
		limit = index(excused, "\n" FILENAME ":" who " ") ? 110 : 80
		if (FNR - start + 1 > limit)
			say("function " who " has " FNR - start + 1 " lines, more than " limit)
	}
	END { end_file(); exit bad }
'
