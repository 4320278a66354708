#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# D19: a thousand clients, 500 leases a second by perfdhcp, of which not one is left without an answer.  It speaks as a relay does.  How
# long the answers took is printed and is for benches to judge: this machine does other things too.  6 s; SOAK=1: 60 s.
#
#   g (perfdhcp, 10.60.0.2) -- big, 10.60.0.0/20 -- [ vfabd ]
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/dhcp-fabric.sh"

command -v perfdhcp >/dev/null || skip "needs perfdhcp"
SECONDS_OF_LOAD=$([ -n "${SOAK:-}" ] && echo 60 || echo 6)
RATE=$((SLOW == 1 ? 500 : 100))

LEGS= NETWORKS='  big: {mode: nat, vlan: 60, ipv4: 10.60.0.0/20, dhcp: {range: 10.60.4.0-10.60.11.255, lease: 10m, per-port: 2048}}'
dhcp_fabric g:big:"ipv4: 10.60.0.2/20"

# perfdhcp counts what is still out when it ends as a drop: of the last tenth of a second.
run g timeout $((SECONDS_OF_LOAD + 60)) perfdhcp -4 -l eth0 -r $RATE -R 1000 -p $SECONDS_OF_LOAD -W 1000000 >"$T/perfdhcp" 2>&1 || true
cat "$T/perfdhcp"
vfab lease stats
# value SECTION KEY: of the report about DISCOVER-OFFER or REQUEST-ACK.
value()
{
	awk -v section="$1" -v key="$2" 'index($0, "Statistics for: " section) { on = 1; next } /Statistics for:/ { on = 0 }
		on && index($0, key ":") == 1 { print $NF == "ms" ? $(NF - 1) : $NF; exit }' "$T/perfdhcp"
}
for section in DISCOVER-OFFER REQUEST-ACK; do
	expect_eq "drops of $section" "$(value $section drops)" 0
	echo "$section: average $(value $section "avg delay") ms, longest $(value $section "max delay") ms"
done
sent=$(value DISCOVER-OFFER "sent packets")
[ "$sent" -ge $((RATE * SECONDS_OF_LOAD * 8 / 10)) ] || fail "only $sent exchanges were begun"
soak_line="$sent leases at $RATE a second for $SECONDS_OF_LOAD s, none lost"
expect_eq "leases" "$(vfab lease ls -o json | jq '[.[] | select(.state == "bound")] | length > 500')" true
echo "soak: $soak_line"
