#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/RFC.md: each requirement of the RFCs about NAT (tests/rfc-requirements.txt), where it is implemented, where it is tested, or why not.
#
#   tests/rfc-index.sh          writes tests/RFC.md
#   tests/rfc-index.sh check    fails when tests/RFC.md is not what would be written, a requirement is named nowhere in
#                               the source, or a tag names none
#
# A tag is what a comment says anyway: "RFC 4787 REQ-5", also with a letter or a list ("RFC 4787 REQ-1, REQ-3a"), or a section of RFC 7857
# ("RFC 7857 2.2").  In a source it means: here it is done; in a test: here it is shown.
set -euo pipefail
cd "$(dirname "$0")/.."

# "KIND FILE RFC NUMBER" of every tag; lists are taken apart, letters dropped, and a tag may go on in the next line of its comment.
tags()
{
	git ls-files -co --exclude-standard -- '*.c' '*.h' 'tests/*.sh' 'tests/*.py' | grep -vE '^tests/(rfc-index\.sh|bench/)' | sort |
		xargs awk '
		function find(file, text,  kind, tag, n, i, word) {
			kind = file ~ /^tests\// ? "test" : "source"
			while (match(text, /RFC (4787|5382|5508|6888),? REQ-[0-9]+[a-z]?((,| and|, and)? REQ-[0-9]+[a-z]?)*|RFC 7857,? [0-9]+(\.[0-9]+)?/)) {
				tag = substr(text, RSTART, RLENGTH)
				text = substr(text, RSTART + RLENGTH)
				n = split(tag, word, /[ ,]+/)
				for (i = 3; i <= n; i++)
					if (word[i] ~ /^(REQ-)?[0-9]/) {
						sub(/[a-z]$/, "", word[i])
						print kind, file, word[2], word[i]
					}
			}
		}
		FNR == 1 { find(last, text); text = ""; last = FILENAME }
		{ sub(/^[ \t]*[#*]+ */, ""); text = text $0 " " }
		END { find(last, text) }
	' | sort -u
}

render()
{
	cat <<-'TEXT'
		# RFC index

		What the RFCs ask of a NAT, where it is done, and which test shows it. Written by `tests/rfc-index.sh` out of the tags in source and
		tests; the words are ours, the RFCs are the authority. A requirement is *done* when a source names it, *shown* when a test does.
	TEXT
	awk -F'|' -v tags="$1" '
		function trim(s) { sub(/^ +/, "", s); sub(/ +$/, "", s); return s }
		BEGIN {
			while ((getline line < tags) > 0) {
				split(line, f, " ")
				name = f[2]
				sub(/^tests\/(scenario|unit|fuzz)\//, "", name)
				key = f[1] " " f[3] " " f[4]
				where[key] = where[key] (where[key] ? ", " : "") "`" name "`"
			}
		}
		/^#/ || !NF { next }
		{
			split($1, id, " ")
			if (id[1] != rfc) {
				rfc = id[1]
				printf "\n## RFC %s\n\n| requirement | state | source | tests |\n|---|---|---|---|\n", rfc
			}
			key = id[1] " " id[2]
			source = where["source " key]; test = where["test " key]; why = trim($3)
			state = why ? "exception" : source && test ? "done, shown" : source ? "done" : test ? "shown" : "to do"
			text = trim($2)
			if (why) { sub(/^exception: /, "", why); text = text ". *Exception*: " why }
			printf "| **%s** %s | %s | %s | %s |\n", id[2], text, state, source, test
			count[state]++
		}
		END {
			printf "\n"
			n = split("done, shown|done|shown|exception|to do", s, "|")
			for (i = 1; i <= n; i++)
				if (count[s[i]]) printf "%s: %d. ", s[i], count[s[i]]
			printf "\n"
		}
	' tests/rfc-requirements.txt
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tags >"$work/tags"
render "$work/tags" | sed 's/ *$//' >"$work/RFC.md"
if [ "${1:-}" != check ]; then
	cp "$work/RFC.md" tests/RFC.md
	exit 0
fi

bad=0
cmp -s "$work/RFC.md" tests/RFC.md || { echo "tests/RFC.md is not current: run tests/rfc-index.sh"; bad=1; }
grep -E '^\| .* \| (to do|shown) \|' "$work/RFC.md" | sed 's/^| \*\*\([^*]*\)\*\* \(.*\)/no source names it: \1 \2/' && bad=1
known=$(awk -F'|' '!/^#/ && NF { split($1, id, " "); print id[1], id[2] }' tests/rfc-requirements.txt)
unknown=$(awk '{ print $3, $4 }' "$work/tags" | sort -u | grep -vxF "$known" || true)
[ -z "$unknown" ] || { echo "no such requirement: $unknown"; bad=1; }
exit $bad
