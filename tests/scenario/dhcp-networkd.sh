#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# D01 for systemd-networkd, which here is a program like any other: no unit of it is started, nor its package installed.  It gets
# its address, a name of its own, and by router advertisements what DHCPv6 has for it.  The RELEASE of version 252 has no server
# identifier, which RFC 2131 table 5 wants: it is not believed (D07), and the address is free when its time is over.
#
#   n (systemd-networkd) -- office 10.10.0.0/24, fd00:a::/64, lease 12 s -- [ vfabd ]
#
# Pace: mostly waits
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/dhcp-fabric.sh"

NETWORKD=/lib/systemd/systemd-networkd
[ -x $NETWORKD ] || skip "this system has no systemd-networkd"
getent passwd systemd-network >/dev/null || skip "this system has no user systemd-network"

LEGS=office LEASE=12s OFFICE="ipv6: stateful"
NETWORK_KEYS="domain: office.example, mtu: 1400"
dhcp_fabric n:office

mkdir -p "$T/etc" "$T/run"
chmod 755 "$T" "$T/etc" "$T/run"
cat >"$T/etc/eth0.network" <<-'EOF'
	[Match]
	Name=eth0
	[Network]
	DHCP=yes
	IPv6AcceptRA=yes
	LinkLocalAddressing=ipv6
	[DHCPv4]
	UseMTU=yes
	UseDomains=yes
	Hostname=networkd-guest
	ClientIdentifier=duid
	SendRelease=yes
EOF
: >"$T/etc/networkd.conf"
# A /sys that cannot be written says that there is no udev to wait for; its state is this test's.
start n unshare -m sh -c "mount -t sysfs -o ro sysfs /sys && mount -t tmpfs tmpfs /etc/systemd && mkdir /etc/systemd/network &&
	cp '$T'/etc/eth0.network /etc/systemd/network/ && mkdir -p /run/systemd && mount --bind '$T/run' /run/systemd &&
	mkdir -p /run/systemd/netif/links /run/systemd/netif/leases && chown -R systemd-network: /run/systemd/netif &&
	SYSTEMD_LOG_LEVEL=info SYSTEMD_LOG_TARGET=console exec $NETWORKD"
networkd=$STARTED

has_address()
{
	[ -n "$(ipv4_of n)" ]
}
wait_for 15 has_address
address=$(ipv4_of n)
expect_eq "prefix" "$(ip -n "$n" -4 -j addr show dev eth0 | jq '.[0].addr_info[0].prefixlen')" 24
has_route()
{
	ip -n "$n" -j route show default | jq -e 'any(.gateway == "10.10.0.1")'
}
wait_for 5 has_route
has_mtu()
{
	[ "$(link_value n eth0 .mtu)" = 1400 ]
}
wait_for 5 has_mtu
expect_eq "state" "$(lease_value "$address" .state)" bound
expect_eq "name" "$(lease_value "$address" .hostname)" networkd-guest
has_in_state()
{
	grep -rqE "$1" "$T/run/netif"
}
wait_for 5 has_in_state '^(DNS|SERVERS?)=.*10\.10\.0\.1'
wait_for 5 has_in_state '^(DOMAINS|DOMAINNAME)=.*office\.example'
expect run n ping -q -c 1 -W 2 10.10.0.1
has_address6()
{
	ip -n "$n" -6 -j addr show dev eth0 scope global | jq -e '[.[].addr_info[]?.local] | any(startswith("fd00:a::"))'
}
wait_for 15 has_address6
ip -n "$n" -6 addr show dev eth0 scope global

is_renewed()
{
	[ "$(lease_value "$address" .expires_s)" -gt 8 ]
}
is_halfway()
{
	[ "$(lease_value "$address" .expires_s)" -le 7 ]
}
wait_for 12 is_halfway
wait_for 8 is_renewed
expect_eq "after T1" "$(ipv4_of n)" "$address"

end_process "$networkd"
is_free()
{
	! has_lease "$address" bound
}
wait_for 14 is_free
