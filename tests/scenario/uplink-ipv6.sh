#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `ipv6: routed`: a network whose IPv6 goes out as it is, while its IPv4 is translated: the outside asks for its addresses and the
# uplink answers (neighbour discovery by proxy), for that prefix only.
#
#   in1 2001:db8:52::11, 10.0.0.11 -- lan -- [ vfabd ] -- up0 -- out1 2001:db8:51::10, to whom 2001:db8:52::/64 is on the link
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/nat-fabric.sh"

nat_world
ip -n "$out1" -6 route add 2001:db8:52::/64 dev eth0
fabric <<EOF
networks:
  lan: {mode: nat, vlan: 10, uplink: wan, ipv4: 10.0.0.0/24, ipv6: '2001:db8:52::/64', nat: {ipv6: routed}}
uplinks:
  wan: {kind: interface, interface: up0, address: 198.51.100.1/24, gateway: 198.51.100.10,
        address6: '2001:db8:51::1/64', gateway6: '2001:db8:51::10'}
ports:
$(tap in1 "network: lan, ipv4: 10.0.0.11/24, ipv6: '2001:db8:52::11/64', gateway: 10.0.0.1")
EOF
wait_for 5 ports_up in1
ip -n "$in1" -6 route replace default via 2001:db8:52::1
wait_for 5 run in1 ping -q -c 1 -W 1 198.51.100.10
wait_for 5 run in1 ping -q -c 1 -W 1 2001:db8:51::10
wait_for 5 run out1 ping -q -c 1 -W 1 2001:db8:52::11
refuse run out1 ping -q -c 1 -W 1 2001:db8:52::99
expect run out1 ping -q -c 3 -i 0.1 -W 1 -s 1300 2001:db8:52::11
run out1 tcpdump -q -Z root -n -i eth0 -c 1 -l "icmp6 and src 2001:db8:52::11 and ip6[40] == 128" >"$T/seen" 2>"$T/seen.err" &
pid=$!
defer end_process $pid
wait_for 5 grep -q listening "$T/seen.err"
expect run in1 ping -q -c 1 -W 1 2001:db8:51::10
wait_for 3 grep -q '2001:db8:52::11' "$T/seen"
expect_eq "IPv6 sessions" "$(vfab nat ls -o json | jq '[.[] | select(.inside | startswith("["))] | length')" 0
# The uplink's answer is not for any address.
expect_eq "who answers for in1" "$(ip -n "$out1" -j neigh show 2001:db8:52::11 | jq -r '.[0].lladdr')" \
	"$(ip -n "$out1" -j neigh show 198.51.100.1 | jq -r '.[0].lladdr')"
expect run in1 ping -q -c 1 -W 1 -t 2 2001:db8:51::10
refuse run in1 ping -q -c 1 -W 1 -t 1 2001:db8:51::10
