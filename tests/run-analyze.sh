#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# make analyze: gcc -fanalyzer, cppcheck and clang-tidy over the whole tree.  A finding is an error; what is silenced is
# silenced here, in .clang-tidy or at the line, with its reason.  A tool that is missing is said and skipped.
set -u
cd "$(dirname "$0")/.." || exit 1

# As the Makefile would type them.
eval "flags=(${ANALYZE_FLAGS:?set by the Makefile})"
mapfile -t sources < <(git ls-files '*.c' | grep -v '^tests/')
mkdir -p build/log
bad=0

# verdict NAME STATUS LOG
verdict()
{
	if [ "$2" = 0 ]; then
		echo "ok    $1"
	else
		echo "FAIL  $1"
		cat "$3"
		bad=1
	fi
}

# shift-count-overflow: it takes the high half of a 64-bit word for one of a byte.
# use-of-uninitialized-value: gcc 12 loses values that a callback or a copy of memory wrote.
# malloc-leak, fd-leak: it does not follow what a structure keeps.
analyzer=(-fanalyzer -Wno-analyzer-use-of-uninitialized-value -Wno-analyzer-malloc-leak -Wno-analyzer-file-leak
	-Wno-analyzer-shift-count-overflow)
analyze_gcc()
{
	local source status=0

	for source in "${sources[@]}"; do
		gcc "${flags[@]}" -O1 "${analyzer[@]}" -Werror -c -o /dev/null "$source" || status=1
	done
	return $status
}

# unusedStructMember: members of wire formats are there for their place.  missingInclude: not a finding.
# leakReturnValNotUsed: it takes a function that says whether it could allocate for an allocator.
# uninitvar: it is cppcheck 2.10's weakest; gcc and clang look for the same and see further.
analyze_cppcheck()
{
	# The loops of jansson, whose headers it does not read.
	cat >build/log/jansson_loops.h <<-'EOF'
		#define json_array_foreach(a, i, v) for (i = 0; v = json_array_get(a, i), i < json_array_size(a); i++)
		#define json_object_foreach(o, k, v) for (k = json_key(o); v = json_value(o, k), k; k = json_next(o, k))
	EOF
	cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
		--suppress=missingInclude --suppress=missingIncludeSystem --suppress=unusedStructMember \
		--suppress=leakReturnValNotUsed --suppress=uninitvar --suppress=legacyUninitvar \
		--include=build/log/jansson_loops.h -D_GNU_SOURCE -D__x86_64__ -I. "${sources[@]}"
}

analyze_tidy()
{
	clang-tidy --quiet --warnings-as-errors='*' "${sources[@]}" -- -x c "${flags[@]}"
}

for tool in gcc cppcheck tidy; do
	program=${tool/#tidy/clang-tidy}
	if ! command -v "$program" >/dev/null; then
		echo "skip  $program is not installed"
		continue
	fi
	status=0
	"analyze_$tool" >"build/log/analyze-$tool.log" 2>&1 || status=$?
	verdict "$program" $status "build/log/analyze-$tool.log"
done
exit $bad
