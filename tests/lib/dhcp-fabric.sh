# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The world of the scenarios about addresses and names; sourced after scenario.sh.
#
#   office  nat        VLAN 10  10.10.0.0/24, fd00:a::/64   addresses .100-.199; web is .10 (02:00:00:00:00:0a), db .11 (client id 01:02:03)
#   lab     internal   VLAN 20  10.20.0.0/24                addresses .50-.53
#   quiet   nat        VLAN 30  10.30.0.0/24                no-dhcp
#   far     nat        VLAN 40  10.40.0.0/24                for clients behind a relay
#   h       host-only  VLAN 50  10.50.0.0/24
#
#   dhcp_fabric NS:NETWORK[:KEYS]...   vfabd with those networks and a tap eth0 in each of these namespaces, which it makes; KEYS are more
#                             keys of the port.  OFFICE, LAB, FAR: more keys of `dhcp` of that network; NETWORK_KEYS: of office itself;
#                             LEASE: the time of office; NETWORKS, UPLINKS, SECTIONS: more lines.  LEGS: of the networks, those that there are
#   dhcp_yaml                 the same file, for `vfab apply`
#   fabric_again              vfabd, after its death, with that file and the same state
#   fabric_dies               kill -9 of both of its processes
#   mute NS...                the kernel there says nothing at all; dhcp.py does
#   dhcp_py <<PY              a Python program that knows tests/lib/dhcp.py
#   needs_clock               skips unless this build has a test clock
#   has_clock                 says whether it has
#   pass_time SECONDS         on the test clock; without one it is waited for
#   lease_value IP FILTER     a jq filter on that row of `vfab lease ls`, empty without one
#   has_lease IP [STATE]      there is one, in that state
#   ipv4_of NS                the address that eth0 has there
#   outside [SERVER...]       before dhcp_fabric: namespace up, 198.51.100.53 and .54 on a link to up0 of fab, whose way out it is; and an /etc of
#                             vfabd's own, whose resolv.conf names these servers
#   upstream                  tests/lib/upstream.py in up, a server of names that says what a test wants; what it was asked goes to $T/asked
#   resolv_conf SERVER...     another one takes its place

NETWORKS= UPLINKS= SECTIONS= OFFICE= LAB= FAR= NETWORK_KEYS= LEASE=1h
LEGS="office lab quiet far h"
DHCP_PORTS=()

mute()
{
	local name

	for name; do
		nsenter --net="/run/netns/${!name}" nft -f - <<-EOF
			table inet mute {
				chain in { type filter hook prerouting priority -400; policy drop; }
				chain out { type filter hook output priority -400; policy drop; }
			}
			table arp mute {
				chain in { type filter hook input priority 0; policy drop; }
				chain out { type filter hook output priority 0; policy drop; }
			}
		EOF
	done
}

leg()
{
	case $1 in
	office) cat <<-EOF ;;
		  office: {mode: nat, vlan: 10, ipv4: 10.10.0.0/24, ipv6: 'fd00:a::/64', dhcp: {range: 10.10.0.100-10.10.0.199, lease: $LEASE,
		           reservations: [{mac: "02:00:00:00:00:0a", ip: 10.10.0.10, name: web},
		                          {client-id: "01:02:03", ip: 10.10.0.11, name: db}]${OFFICE:+, $OFFICE}}${NETWORK_KEYS:+, $NETWORK_KEYS}}
	EOF
	lab) echo "  lab: {mode: internal, vlan: 20, ipv4: 10.20.0.0/24, dhcp: {range: 10.20.0.50-10.20.0.53${LAB:+, $LAB}}}" ;;
	quiet) echo "  quiet: {mode: nat, vlan: 30, ipv4: 10.30.0.0/24, no-dhcp: true}" ;;
	far) echo "  far: {mode: nat, vlan: 40, ipv4: 10.40.0.0/24, dhcp: {range: 10.40.0.100-10.40.0.199${FAR:+, $FAR}}}" ;;
	h) echo "  h: {mode: host-only, vlan: 50, ipv4: 10.50.0.0/24}" ;;
	esac
}

dhcp_yaml()
{
	local name network keys leg

	echo "networks:"
	for leg in $LEGS; do leg "$leg"; done
	[ -z "$NETWORKS" ] || echo "$NETWORKS"
	[ -z "$UPLINKS" ] || printf 'uplinks:\n%s\n' "$UPLINKS"
	[ -z "$SECTIONS" ] || echo "$SECTIONS"
	echo "workers: {cpus: [${CPUS:-0}]}"
	echo "ports:"
	for port in "${DHCP_PORTS[@]}"; do
		IFS=: read -r name network keys <<<"$port"
		tap "$name" "network: $network${keys:+, $keys}"
	done
}

# dhcp_fabric NS:NETWORK[:KEYS]...
dhcp_fabric()
{
	local port name

	DHCP_PORTS=("$@")
	[ -n "${fab:-}" ] || ns fab -6
	for port; do
		name=${port%%:*}
		[ -z "${!name:-}" ] || continue
		ns "$name" -6
		# Nothing that a kernel says by itself should count, nor an address that it chooses.
		nsenter --net="/run/netns/${!name}" sysctl -qw net.ipv6.conf.default.accept_ra=0 net.ipv6.conf.default.router_solicitations=0 \
			net.ipv6.conf.default.accept_dad=0 2>/dev/null
	done
	fabric_again
}

fabric_again()
{
	fabric < <(dhcp_yaml)
	wait_for 5 ports_up
}

fabric_dies()
{
	local switch

	switch=$(switch_pid)
	# The broker first: it would start another switch.
	kill -9 "$FABRIC_PID" "$switch"
	wait_for 5 process_gone "$FABRIC_PID"
	wait_for 5 process_gone "$switch"
	wait "$FABRIC_PID" 2>/dev/null || true
	FABRIC_PID=
}

dhcp_py()
{
	PYTHONPATH=$ROOT/tests/lib PYTHONDONTWRITEBYTECODE=1 timeout $((100 * SLOW)) /usr/bin/python3 -
}

has_clock()
{
	vfab debug clock advance 1ms >/dev/null 2>&1
}

needs_clock()
{
	has_clock || skip "this build has no test clock: see the sanitizer pass"
}

pass_time()
{
	if has_clock; then
		expect vfab debug clock advance "$1s"
	else
		sleep "$1"
	fi
}

lease_value()
{
	vfab lease ls -o json | jq -r --arg ip "$1" ".[] | select(.ip == \$ip) | $2"
}

has_lease()
{
	vfab lease ls -o json | jq -e --arg ip "$1" --arg state "${2:-}" 'any(.ip == $ip and ($state == "" or .state == $state))' >/dev/null
}

ipv4_of()
{
	ip -n "${!1}" -4 -j addr show dev eth0 | jq -r '.[0].addr_info[0].local // empty'
}

outside()
{
	ns fab -6
	ns up -6
	link fab up0 up eth0
	ip -n "$fab" addr add 198.51.100.1/24 dev up0
	ip -n "$fab" route add default via 198.51.100.53
	for address in 198.51.100.53 198.51.100.54 198.51.100.66; do ip -n "$up" addr add $address/24 dev eth0; done
	mkdir "$T/etc"
	chmod 755 "$T/etc"
	cp /etc/passwd /etc/group /etc/nsswitch.conf /etc/hosts "$T/etc/"
	cp /etc/ld.so.* "$T/etc/" 2>/dev/null || true
	resolv_conf "$@"
	# Namespaces that are made later are to be seen there too.
	FABRIC_IN=(unshare -m --propagation slave sh -c 'mount --bind "$0" /etc && exec "$@"' "$T/etc")
}

resolv_conf()
{
	printf 'nameserver %s\n' "$@" >"$T/etc/resolv.conf.new"
	mv "$T/etc/resolv.conf.new" "$T/etc/resolv.conf"
}

upstream()
{
	: >"$T/asked"
	start up python3 -B "$ROOT/tests/lib/upstream.py" "$T/asked" 198.51.100.53 198.51.100.54
	wait_for 5 grep -q ready "$T/asked"
}
