#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every source names its licence in its first lines, nothing is left for later, scripts parse, man pages are well formed.
set -u
cd "$(dirname "$0")/../.." || exit 1

bad=0
say()
{
	echo "$*"
	bad=1
}

while read -r file; do
	head -n 2 "$file" | grep -q 'SPDX-License-Identifier: GPL-2.0-or-later' || say "$file: no licence line"
	case $file in
	tests/lint/*) continue ;;
	esac
	later=$(grep -nE '\b(TODO|FIXME|XXX|HACK)\b' "$file") && say "$file: left for later: $later"
done < <(git ls-files -co --exclude-standard '*.c' '*.h' '*.sh' '*.py' Makefile)

while read -r script; do
	bash -n "$script" || say "$script: does not parse"
	[ -x "$script" ] || [ "${script#tests/lib/}" != "$script" ] || say "$script: not executable"
done < <(git ls-files -co --exclude-standard '*.sh')

if command -v mandoc >/dev/null; then
	while read -r page; do
		mandoc -T lint -W warning "$page" || say "$page: see above"
	done < <(git ls-files -co --exclude-standard '*.[1-9]')
fi
exit $bad
