#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Q6 at speed: TCP out and, by a forward, in, through both kinds of uplink; every frame of every port, the uplink's too, is
# forwarded, local or one counted drop.
#
#   in1: client, and server behind 5201 -- lan -- [ vfabd ] -- up0 -- out1
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/nat-fabric.sh"

BYTES=$([ "$SLOW" = 1 ] && echo 48M || echo 4M)
nat_world
start out1 iperf3 -s -p 5202
for kind in interface host; do
	echo "-- uplink of kind $kind"
	nat_fabric $kind "forwards: [\"5201:10.0.0.11:5201\", \"5201:10.0.0.11:5201/udp\"]"
	nsenter --net="/run/netns/$in1" ethtool -K eth0 tx on tso on gso on >/dev/null
	nsenter --net="/run/netns/$fab" ethtool -K up0 tx on >/dev/null
	start in1 iperf3 -s -p 5201
	server=$STARTED
	wait_for 5 run in1 ping -q -c 1 -W 1 198.51.100.10
	wait_for 5 eval 'nsenter --net="/run/netns/$in1" ss -Hltn "sport = :5201" | grep . >/dev/null'
	# TO FROM ARGUMENT...
	for way in "in1 198.51.100.10 -p 5202" "in1 198.51.100.10 -p 5202 -R" "out1 198.51.100.1 -p 5201" \
		"in1 198.51.100.10 -p 5202 -u -b 500M -l 1200" "in1 2001:db8:51::10 -p 5202"; do
		# shellcheck disable=SC2086
		set -- $way
		run "$1" timeout 30 iperf3 -c "${@:2}" -n "$BYTES" -J >"$T/iperf" || fail "iperf3 $way: $(jq -r .error "$T/iperf")"
		mbits=$(jq '.end | (.sum_received // .sum) | .bits_per_second / 1e6 | floor' "$T/iperf")
		echo "$way: $mbits Mbit/s"
		[[ $way == *-u* ]] || [ "$SLOW" != 1 ] || [ "$mbits" -ge 500 ] || fail "too slow"
	done
	wait_for 5 sums_match
	vfab port ls
	vfab port ls -o json | jq -e 'map(.name) | index("wan")' || fail "the uplink is no port"
	end_process "$server"
	stop_fabric
	ip -n "$fab" addr flush dev up0
done
