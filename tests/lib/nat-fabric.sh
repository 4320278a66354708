# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The world of the scenarios about NAT, gateway, forwards and uplinks; sourced after scenario.sh.
#
#   in1 .11 --.                                            .-- out1 198.51.100.10, .11
#              +-- lan 10.0.0.0/24 -- [ vfabd ] up0 -- seg-+
#   in2 .12 --'    fd00:10::/64         .1                 '-- out2 198.51.100.20          2001:db8:51::/64
#
#   nat_world [NS...]         out1, out2 on a segment with up0 in fab, and in1, in2 and NS without a link
#   nat_fabric KIND [LAN [WAN]]   and vfabd between them, of KIND: an uplink `interface` on up0, which then has no address in the host, or
#                             `host`, for which up0 is the host's way out.  LAN, WAN: more keys of the network and the uplink, in
#                             braces' inside; NETWORKS, UPLINKS, PORTS: more lines of those sections.  `kernel` is a router of the kernel with
#                             masquerade instead of vfabd: the oracle, and what the helpers are tried against
#   nat_apply [LAN [WAN]]     other keys for the same, on the running switch
#   mute NS...                the kernel there answers ARP and neighbour discovery only; nat.py does the rest
#   nat_py <<PY               a Python program that knows tests/lib/nat.py
#   needs_clock               skips unless this build has a test clock
#   outside_mac               of the end of the uplink that the segment sees

NETWORKS= UPLINKS= PORTS=
export KIND=interface

# mute NS...
mute()
{
	local name

	for name; do
		nsenter --net="/run/netns/${!name}" nft -f - <<-EOF
			table inet mute {
				chain in { type filter hook prerouting priority -400; policy drop;
					icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept; }
				chain out { type filter hook output priority -400; policy drop;
					icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept; }
			}
		EOF
	done
}

# segment_port NS ADDRESS...: eth0 there, on the segment.
segment_port()
{
	local name=$1 address
	shift

	link "$name" eth0 seg "$name"
	ip -n "${seg:?}" link set "$name" master br0
	for address; do ip -n "${!name}" addr add "$address" dev eth0; done
	nsenter --net="/run/netns/${!name}" ethtool -K eth0 tx off tso off gso off >/dev/null
}

nat_world()
{
	local name

	for name in fab seg out1 out2 in1 in2 "$@"; do
		ns "$name" -6
		# Nothing that a kernel says by itself should count, nor an address that it chooses.
		nsenter --net="/run/netns/${!name}" sysctl -qw net.ipv6.conf.default.accept_ra=0 net.ipv6.conf.default.router_solicitations=0 \
			net.ipv6.conf.default.accept_dad=0 2>/dev/null
	done
	ip -n "${seg:?}" link add br0 type bridge mcast_snooping 0
	ip -n "$seg" link set br0 up
	segment_port out1 198.51.100.10/24 198.51.100.11/24 2001:db8:51::10/64 2001:db8:51::11/64
	segment_port out2 198.51.100.20/24 2001:db8:51::20/64
	link fab up0 seg fab
	ip -n "$seg" link set fab master br0
}

host_side()
{
	ip -n "${fab:?}" addr add 198.51.100.1/24 dev up0
	ip -n "$fab" addr add 2001:db8:51::1/64 dev up0
	ip -n "$fab" route replace default via 198.51.100.10
	ip -n "$fab" -6 route replace default via 2001:db8:51::10
	# What the host says itself has whole checksums, as nat.py expects.
	nsenter --net="/run/netns/$fab" ethtool -K up0 tx off >/dev/null
}

# nat_yaml LAN WAN: the file.
nat_yaml()
{
	local lan=$1 wan=$2 uplink="kind: host"

	[ "$KIND" = host ] ||
		uplink="kind: interface, interface: up0, address: 198.51.100.1/24, gateway: 198.51.100.10, address6: '2001:db8:51::1/64', gateway6: '2001:db8:51::10'"
	cat <<-EOF
		networks:
		  lan: {mode: nat, vlan: 10, uplink: wan, ipv4: 10.0.0.0/24, ipv6: 'fd00:10::/64'${lan:+, $lan}}
		$NETWORKS
		uplinks:
		  wan: {$uplink${wan:+, $wan}}
		$UPLINKS
		workers: {cpus: [${CPUS:-0}]}
		ports:
		$(tap in1 "network: lan, ipv4: 10.0.0.11/24, ipv6: 'fd00:10::11/64', gateway: 10.0.0.1")
		$(tap in2 "network: lan, ipv4: 10.0.0.12/24, ipv6: 'fd00:10::12/64', gateway: 10.0.0.1")
		$PORTS
	EOF
}

# nat_fabric KIND [LAN [WAN]]
nat_fabric()
{
	local name

	export KIND=$1
	[ -n "${fab:-}" ] || nat_world
	if [ "$KIND" = kernel ]; then
		kernel_router
		return
	fi
	[ "$KIND" = interface ] || host_side
	fabric < <(nat_yaml "${2:-}" "${3:-}")
	wait_for 5 ports_up
	# As up0: what the host says has whole checksums.
	[ "$KIND" = interface ] || nsenter --net="/run/netns/$fab" ethtool -K vu-wan tx off >/dev/null
	for name in in1 in2; do
		nsenter --net="/run/netns/${!name}" ethtool -K eth0 tx off tso off gso off >/dev/null
		ip -n "${!name}" -6 route replace default via fd00:10::1
	done
}

# nat_apply [LAN [WAN]]: other keys, on the running switch.
nat_apply()
{
	nat_yaml "${1:-}" "${2:-}" >"$T/again.yaml"
	expect vfab apply "$T/again.yaml"
}

kernel_router()
{
	local name

	host_side
	ip -n "$fab" link add lan type bridge mcast_snooping 0
	ip -n "$fab" link set lan up
	ip -n "$fab" addr add 10.0.0.1/24 dev lan
	ip -n "$fab" addr add fd00:10::1/64 dev lan
	for name in in1 in2; do
		link $name eth0 fab $name
		ip -n "$fab" link set $name master lan
		ip -n "${!name}" addr add "10.0.0.1${name#in}/24" dev eth0
		ip -n "${!name}" addr add "fd00:10::1${name#in}/64" dev eth0
		ip -n "${!name}" route replace default via 10.0.0.1
		ip -n "${!name}" -6 route replace default via fd00:10::1
	done
	nsenter --net="/run/netns/$fab" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	nsenter --net="/run/netns/$fab" nft -f - <<-EOF
		table inet oracle {
			# Asking for the state turns tracking on, of which the settings are this namespace's.
			chain post { type nat hook postrouting priority srcnat; oifname up0 iifname lan masquerade; }
			chain forward { type filter hook forward priority 0; policy drop; ct state invalid drop;
				iifname lan accept; ct state established,related accept; }
		}
	EOF
}

nat_py()
{
	PYTHONPATH=$ROOT/tests/lib PYTHONDONTWRITEBYTECODE=1 timeout $((100 * SLOW)) /usr/bin/python3 -
}

needs_clock()
{
	vfab debug clock advance 1ms >/dev/null 2>&1 || skip "this build has no test clock: see the sanitizer pass"
}

outside_mac()
{
	run out1 ip -j neigh show 198.51.100.1 | jq -r '.[0].lladdr // empty'
}
