#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# H05: the interface of an uplink goes down and up, is renamed, is deleted and made again, changes its MTU: guests are back each time,
# with one line for each change, without a busy loop and with no descriptor more.  SOAK=1: 1000 times down and up.
#
#   in1 .11, in2 .12 -- lan -- [ vfabd ] -- up0 -- seg -- out1
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/nat-fabric.sh"

nat_fabric interface "nat: {rate: 0}"
allow_log 'uplink|up0|wan'
passes()
{
	run in1 ping -q -c 1 -W 1 198.51.100.10
}
uplink_is()
{
	[ "$(vfab uplink ls -o json | jq -r '.[0].state')" = "$1" ]
}
descriptors()
{
	find "/proc/$1/fd" -mindepth 1 | wc -l
}
wait_for 5 passes
switch=$(switch_pid)
before="$(descriptors "$switch") $(descriptors "$FABRIC_PID")"
lines=$(wc -l <"$LOG")

count=$([ -z "${SOAK:-}" ] && echo 5 || echo 1000)
for ((i = 0; i < count; i++)); do
	ip -n "$fab" link set up0 down
	[ "$i" -gt 0 ] || wait_for 3 uplink_is down
	ip -n "$fab" link set up0 up
	wait_for 3 uplink_is up
	wait_for 3 passes
done
echo "soak: $count times down and up"
added=$(($(wc -l <"$LOG") - lines))
[ $added -le $((count * 4)) ] || fail "$added lines of log for $count times down and up"

# Down for a while: no busy loop.
ip -n "$fab" link set up0 down
wait_for 3 uplink_is down
ticks()
{
	awk '{ print $14 + $15 }' "/proc/$(switch_pid)/stat"
}
one=$(ticks)
sleep 0.5
two=$(ticks)
[ $((two - one)) -le $((10 * SLOW)) ] || fail "$((two - one)) ticks of CPU in 0.5 s with the uplink down"
ip -n "$fab" link set up0 up
wait_for 3 passes

# Renamed: followed.
ip -n "$fab" link set up0 down
ip -n "$fab" link set up0 name other0
ip -n "$fab" link set other0 up
sleep 0.2
vfab uplink ls
ip -n "$fab" link set other0 down
ip -n "$fab" link set other0 name up0
ip -n "$fab" link set up0 up
wait_for 5 passes

# Deleted, and made again.
for _ in 1 2; do
	ip -n "$fab" link del up0
	wait_for 3 uplink_is waiting
	refuse run in1 ping -q -c 1 -W 0.3 198.51.100.10
	link fab up0 seg fab
	ip -n "${seg:?}" link set fab master br0
	wait_for 5 uplink_is up
	wait_for 5 passes
done

# Its MTU.
for mtu in 1400 1300 1500; do
	ip -n "$fab" link set up0 mtu $mtu
	ip -n "$out1" link set eth0 mtu $mtu
	ip -n "$in1" route flush cache
	is_told()
	{
		run in1 ping -c 1 -W 1 -M do -s 1450 198.51.100.10 >"$T/told" 2>&1 || true
		grep -E "mtu ?= ?$1" "$T/told"
	}
	if [ $mtu = 1500 ]; then
		wait_for 3 run in1 ping -q -c 1 -W 1 -M do -s 1450 198.51.100.10
	else
		wait_for 3 is_told $mtu
		expect run in1 ping -q -c 1 -W 1 -M dont -s 1450 198.51.100.10
	fi
done
expect has_event uplink_down
expect has_event uplink_up
expect has_event uplink_changed
expect_eq "the process that switches" "$(switch_pid)" "$switch"
expect_eq "descriptors" "$(descriptors "$switch") $(descriptors "$FABRIC_PID")" "$before"
