#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The life of tap ports: a namespace that comes late, goes and returns, also under another process; a device that is
# set down, renamed, deleted by hand, adopted.  Each ends in the state that `port ls` promises, and frames pass again.
#
#   c1 (always there) --.
#   late (comes, goes) --+-- office, VLAN 10 -- vfabd in fab -- own0 (in fab itself, a persistent tap: adopted)
#   kept (a persistent tap inside: adopted, and given up with the name of its namespace)
. "$(dirname "$0")/../lib/scenario.sh"

late=$TAG-late
pinned=$TAG-kept

state_is()
{
	[ "$(port_value "$1" .state)" = "$2" ]
}

# has_left PID: it is in a namespace of its own.
has_left()
{
	[ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]
}

# add_late: the namespace comes as `ip netns add` makes it.
add_late()
{
	ip netns add "$late"
	ip -n "$late" link set lo up
}
drop_namespaces()
{
	local full
	for full in "$late" "$pinned"; do
		[ ! -e "/run/netns/$full" ] || ip netns del "$full"
	done
}
defer drop_namespaces

ns c1
ns fab
ip netns add "$pinned"
ip -n "$pinned" tuntap add eth0 mode tap
ip -n "$fab" tuntap add own0 mode tap
fabric <<YAML
networks:
  office: {mode: internal, vlan: 10}
ports:
$(tap c1 "network: office, ipv4: 10.77.0.1/24")
  late: {tap: eth0, netns: $late, network: office, mac: "02:00:00:00:00:02", ipv4: 10.77.0.2/24}
  kept: {tap: eth0, netns: $pinned, network: office, ipv4: 10.77.0.3/24}
  own: {tap: own0, network: office, ipv4: 10.77.0.4/24}
YAML
wait_for 5 ports_up c1 kept own
expect state_is late waiting

# The namespace comes: the tap is made there, with its address, and works.
add_late
wait_for 5 ports_up late
expect_eq "address" "$(link_value late eth0 .address)" 02:00:00:00:00:02
expect run c1 ping -q -c 2 -i 0.1 -W 2 10.77.0.2
expect run c1 ping -q -c 2 -i 0.1 -W 2 10.77.0.4
expect has_event port_up "port late"

# Set down and up, renamed.
run late ip link set eth0 down
wait_for 2 state_is late down
run late ip link set eth0 name other
run late ip link set other up
wait_for 2 state_is late up
expect has_event port_down "is now called other"
expect run c1 ping -q -c 1 -W 2 10.77.0.2

# Deleted by hand in a living namespace: waited for, adopted.
run late ip link del other
wait_for 2 state_is late waiting
run late ip tuntap add eth0 mode tap
wait_for 2 state_is late up
expect run c1 ping -q -c 2 -i 0.1 -W 2 10.77.0.2

# The namespace goes with its name although we hold the adopted device; a new one of that name gets a new tap.
ip netns del "$late"
wait_for 2 state_is late waiting
add_late
wait_for 5 state_is late up
expect run c1 ping -q -c 2 -i 0.1 -W 2 10.77.0.2
ip netns del "$late"
wait_for 2 state_is late waiting
add_late
wait_for 5 state_is late up

# Waiting survives a restart of the switch, and the device of another port does not change.
ip netns del "$late"
wait_for 2 state_is late waiting
index=$(link_value c1 eth0 .ifindex)
allow_log 'the switch died'
kill -9 "$(switch_pid)"
wait_for 5 ports_up c1 own kept
expect state_is late waiting
expect_eq "ifindex of c1" "$(link_value c1 eth0 .ifindex)" "$index"
add_late
wait_for 5 state_is late up

# A process: its end is the end of the port.
unshare -n sleep 1000 &
process=$!
defer end_process $process
wait_for 2 has_left $process
expect vfab port add proc --net office --tap eth0 --netns $process
expect state_is proc up
end_process $process
wait_for 2 state_is proc waiting
expect has_event port_waiting "port proc"

# What cannot be had is refused in words, and leaves nothing.
ip -n "$fab" link add v0 type veth peer name v1
expect_status 1 vfab port add bad --net office --tap v0 2>"$T/err"
expect grep -q 'v0 exists and is no tap' "$T/err"
expect_status 1 vfab port add bad --net office --tap own0 2>"$T/err"
expect_status 1 vfab port add bad --net office --tap x0 --netns "$TAG-nowhere" 2>"$T/err"
expect grep -q 'does not exist' "$T/err"

# At the end adopted devices stay, without the addresses that we set.
stop_fabric
expect ip -n "$fab" link show own0
expect_eq "addresses left" "$(ip -n "$fab" -4 -o addr show own0)" ""
expect_eq "state of an adopted tap" "$(ip -n "$pinned" -4 -o addr show eth0)" ""
