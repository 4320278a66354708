#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Arrows between folders point one way:
#
#   tools ---------------------------> switch/conf.h, switch/base
#   switch/*.c -> vlan nat dhcp bridge tunnel -> switch/port -> switch/base -> system
#
# Feature folders never include each other nor anything of switch/ above port/; conf is pure and knows base
# only.  Our headers are named from the root, in quotes, and a .c file includes its own header first, which
# shows that each header stands alone.
set -u
cd "$(dirname "$0")/../.." || exit 1

git ls-files -co --exclude-standard '*.c' '*.h' | sort | xargs awk '
	function layer(path) {
		if (path ~ /^switch\/base\//) return "base"
		if (path ~ /^switch\/port\//) return "port"
		if (path ~ /^switch\/conf[^\/]*$/) return "conf"
		if (path ~ /^switch\//) return "switch"
		return substr(path, 1, index(path, "/") - 1)
	}
	function say(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; bad = 1 }
	function exists(path,  line, found) {
		found = (getline line < path) >= 0
		close(path)
		return found
	}
	BEGIN {
		allowed["base"] = "base"
		allowed["port"] = "base port"
		allowed["conf"] = "base conf"
		n = split("vlan nat dhcp bridge tunnel", feature)
		all = "base port conf switch"
		for (i = 1; i <= n; i++) {
			allowed[feature[i]] = "base port " feature[i]
			all = all " " feature[i]
		}
		allowed["switch"] = all
		allowed["tools"] = "base conf tools"
		allowed["tests"] = all " tools tests"
	}
	FNR == 1 { first = 1 }
	/^#include "/ {
		split($0, part, "\"")
		target = part[2]
		own = FILENAME
		sub(/c$/, "h", own)
		if (target !~ /\// || !exists(target))
			say("\"" target "\" is not a header named from the root")
		else if (index(" " allowed[layer(FILENAME)] " ", " " layer(target) " ") == 0)
			say(layer(FILENAME) " must not include " target)
		if (first && FILENAME ~ /\.c$/ && FILENAME !~ /^tests/ && target != own && exists(own))
			say("the first include is not " own)
	}
	/^#include/ {
		if (first && $0 !~ /"/ && FILENAME ~ /\.c$/ && FILENAME !~ /^tests/) {
			own = FILENAME
			sub(/c$/, "h", own)
			if (exists(own))
				say("the first include is not " own)
		}
		first = 0
	}
	END { exit bad }
'
