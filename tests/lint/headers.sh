#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every header compiles alone, with the warnings of the build.
set -u
cd "$(dirname "$0")/../.." || exit 1

flags="-std=c11 -D_GNU_SOURCE -I. -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Werror"
bad=0
while read -r header; do
	# Twice, which shows its include guard.
	# shellcheck disable=SC2086
	printf '#include "%s"\n' "$header" "$header" | ${CC:-cc} $flags -fsyntax-only -x c - || {
		echo "$header: does not compile alone"
		bad=1
	}
done < <(git ls-files -co --exclude-standard '*.h')
exit $bad
