#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Ports and devices change hands: one file renames a port, lets two ports exchange their devices, gives the device of a port that goes
# to one that comes; when such a file fails in the middle, all is as it was.
#
#   a --.
#   b --+-- lan, VLAN 10 -- [ vfabd ]
#   c --'
. "$(dirname "$0")/../lib/scenario.sh"

ns a
ns b
ns c
fabric <<EOF
networks:
  lan: {mode: internal, vlan: 10}
ports:
$(tap a "network: lan, ipv4: 10.0.0.1/24")
$(tap b "network: lan, ipv4: 10.0.0.2/24")
$(tap c "network: lan, ipv4: 10.0.0.3/24")
EOF
wait_for 5 ports_up
cp "$T/fabric.yaml" "$T/first.yaml"

flows()
{
	expect run c ping -q -c 2 -i 0.1 -W 1 10.0.0.1
	expect run c ping -q -c 2 -i 0.1 -W 1 10.0.0.2
}
flows

# What diff says is what apply does.
sed 's/^  a:/  a2:/' "$T/first.yaml" >"$T/renamed.yaml"
vfab diff "$T/renamed.yaml" >"$T/diff" || expect_eq "status of diff" $? 1
expect_eq "changes" "$(sort "$T/diff" | paste -sd,)" "+ port a2,- port a"
vfab apply "$T/renamed.yaml" >"$T/changes"
expect diff "$T/diff" "$T/changes"
wait_for 3 ports_up a2 b c
expect_eq "ports" "$(vfab port ls -o json | jq -r '[.[].name] | sort | join(" ")')" "a2 b c"
expect has_event port_del "port a removed"
expect has_event port_add "port a2 added"
flows
expect vfab apply "$T/first.yaml"
wait_for 3 ports_up a b c
flows

# An exchange, by apply and back by SIGHUP.
sed "s/netns: $a,/netns: X,/; s/netns: $b,/netns: $a,/; s/netns: X,/netns: $b,/" "$T/first.yaml" >"$T/exchanged.yaml"
expect vfab apply "$T/exchanged.yaml"
wait_for 3 ports_up a b c
expect_eq "namespaces" "$(vfab port ls -o json | jq -r '[.[] | select(.name == ("a", "b")) | .netns] | join(" ")')" "$b $a"
# The devices keep their hardware addresses, the others move with the ports.
ip -n "$c" neigh flush dev eth0
flows
cp "$T/first.yaml" "$T/fabric.yaml"
kill -HUP "$FABRIC_PID"
is_back()
{
	[ "$(port_value a .netns)" = "$a" ] && ports_up a b c
}
wait_for 5 is_back
ip -n "$c" neigh flush dev eth0
flows

# A hardware address that was configured goes with its port, and nobody else gets it.
sed 's/^  a: {tap: eth0,/  a: {tap: eth0, mac: "02:00:00:00:00:0a",/' "$T/first.yaml" >"$T/mac.yaml"
sed "s/netns: $a,/netns: X,/; s/netns: $b,/netns: $a,/; s/netns: X,/netns: $b,/" "$T/mac.yaml" >"$T/mac-exchanged.yaml"
expect vfab apply "$T/mac.yaml"
expect vfab apply "$T/mac-exchanged.yaml"
wait_for 3 ports_up a b c
expect_eq "address of a" "$(port_value a .mac)" 02:00:00:00:00:0a
expect_eq "its device" "$(link_value b eth0 .address)" 02:00:00:00:00:0a
refuse test "$(port_value b .mac)" = 02:00:00:00:00:0a
expect vfab apply "$T/first.yaml"
wait_for 3 ports_up a b c
ip -n "$c" neigh flush dev eth0
flows

# One that fails behind the exchange: a device of that name is there, and is no tap.
link c veth0 a veth1
{ cat "$T/exchanged.yaml"; echo "  d: {tap: veth0, netns: $c, network: lan}"; } >"$T/bad.yaml"
expect_status 1 vfab apply "$T/bad.yaml" 2>"$T/err"
expect grep -q 'port d:' "$T/err"
wait_for 5 is_back
flows
expect_status 0 vfab diff "$T/first.yaml"
{ cat "$T/renamed.yaml"; echo "  d: {tap: veth0, netns: $c, network: lan}"; } >"$T/bad.yaml"
expect_status 1 vfab apply "$T/bad.yaml" 2>"$T/err"
wait_for 5 is_back
flows
expect_status 0 vfab diff "$T/first.yaml"
