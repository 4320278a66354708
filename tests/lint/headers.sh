#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every header compiles alone, with the warnings of the build.
set -u
cd "$(dirname "$0")/../.." || exit 1

flags="-std=c11 -D_GNU_SOURCE -I. -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Werror"
bad=0
mapfile -t headers < <(git ls-files -co --exclude-standard '*.h')
one_for_all=$(printf '#include "%s"\n' "${headers[@]}" "${headers[@]}")

# All of them twice in one unit is quick and shows include guards and clashes; each alone is the rule itself.
# shellcheck disable=SC2086
echo "$one_for_all" | ${CC:-cc} $flags -fsyntax-only -x c - || bad=1
for header in "${headers[@]}"; do
	# shellcheck disable=SC2086
	echo "#include \"$header\"" | ${CC:-cc} $flags -fsyntax-only -x c - || {
		echo "$header: does not compile alone"
		bad=1
	}
done
exit $bad
