#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Ports with `ipv4: dhcp`: the switch takes their lease and has it put on the tap; it stays over restarts of the switch and of
# vfabd, and goes with the port.  And a lab whose containers have addresses and names without a word about them.
#
#   p1, p2 (strict) -- office 10.10.0.0/24, VLAN 10 -- [ vfabd ]
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/dhcp-fabric.sh"

LEGS="office lab"
OFFICE="per-port: 4"
NETWORK_KEYS="uplink: host"
# As many name servers as there may be: once the gateway was one too many.
# The way out of jumpy has an MTU of 1400.
ns fab -6
ns out
link fab up0 out eth0
ip -n "$fab" link set up0 mtu 1400
UPLINKS="  host: {kind: host}
  short: {kind: interface, interface: up0, address: 192.0.2.1/24}"
NETWORKS="  jumpy: {mode: nat, vlan: 62, ipv4: 10.62.0.0/24, ipv6: 'fd00:62::/64', uplink: short}
  six: {mode: nat, vlan: 60, uplink: host, ipv4: 10.60.0.0/24, ipv6: 'fd00:60::/64', dns: ['fd00:60::1','fd00:60::2','fd00:60::3','fd00:60::4']}
  four: {mode: nat, vlan: 61, uplink: host, ipv4: 10.61.0.0/24, ipv6: 'fd00:61::/64', dns: [10.61.0.1, 192.0.2.9, 192.0.2.8, 192.0.2.7]}"
dhcp_fabric j1:jumpy s1:six f1:four p1:office:"ipv4: dhcp" p2:office:"ipv4: dhcp, guard: strict" l1:lab:"ipv4: dhcp"

has_address()
{
	[ -n "$(ipv4_of "$1")" ]
}
for name in p1 p2 l1; do
	wait_for 5 has_address $name
done
first=$(ipv4_of p1)
expect_eq "state of p1's lease" "$(lease_value "$first" .state)" bound
expect_eq "its port" "$(lease_value "$first" .port)" p1
expect run p1 ping -q -c 1 -W 2 10.10.0.1
expect run p1 ping -q -c 1 -W 2 "$(ipv4_of p2)"
expect_eq "default route of p1" "$(ip -n "$p1" -4 route show default | awk '{ print $3 }')" 10.10.0.1
expect_eq "default route of l1: there is no way out" "$(ip -n "$l1" -4 route show default)" ""

echo "-- full lists of name servers"
for name in s1 f1; do
	expect run $name timeout 10 busybox udhcpc -i eth0 -n -q -f -s /bin/true
done
refuse has_event restart

echo "-- the MTU of the way out is told, by DHCP and by advertisements"
cat >"$T/told" <<'EOS'
#!/bin/sh
[ "$1" != bound ] || echo "told an MTU of $mtu"
EOS
chmod +x "$T/told"
expect_eq "by DHCP" "$(run j1 timeout 10 busybox udhcpc -i eth0 -n -q -f -O mtu -s "$T/told" 2>/dev/null | grep told)" "told an MTU of 1400"
has_told()
{
	[ "$(nsenter --net="/run/netns/$j1" sysctl -n net.ipv6.conf.eth0.mtu)" = 1400 ]
}
nsenter --net="/run/netns/$j1" sysctl -qw net.ipv6.conf.eth0.accept_ra=2 net.ipv6.conf.eth0.router_solicitations=3
ip -n "$j1" link set eth0 down
ip -n "$j1" link set eth0 up
wait_for 20 has_told

echo "-- the switch dies: nothing is lost, and the address was never away"
run p1 ping -i 0.05 -W 2 10.10.0.1 >"$T/pings" &
pinger=$!
defer kill "$pinger"
ip -n "$p1" -4 monitor address >"$T/moves" &
monitor=$!
defer kill "$monitor"
kill -9 "$(switch_pid)"
wait_for 5 has_event restart
wait_for 5 ports_up
expect run p1 ping -q -c 1 -W 2 10.10.0.1
expect_eq "p1 after the switch" "$(ipv4_of p1)" "$first"
expect_eq "changes of p1's address" "$(cat "$T/moves")" ""
kill "$pinger" "$monitor"
allow_log "the switch was killed"
allow_log "switch"

echo "-- vfabd dies: the same address again"
fabric_dies
fabric_again
wait_for 5 has_address p1
expect_eq "p1 after vfabd" "$(ipv4_of p1)" "$first"

echo "-- a lease taken away by hand: the port gets one again"
expect vfab lease release "$first"
wait_for 5 has_lease "$first" bound
expect run p1 ping -q -c 1 -W 2 10.10.0.1

echo "-- a reservation by the port's name"
expect vfab lease reserve office --port p1 --ip 10.10.0.42 --name first
renewed()
{
	[ "$(ipv4_of p1)" = 10.10.0.42 ]
}
wait_for 5 renewed
expect run p1 ping -q -c 1 -W 2 10.10.0.1
refuse has_lease "$first"

echo "-- another network, and the port goes"
expect vfab lease unreserve office 10.10.0.42
expect vfab port set p1 --net lab
moved()
{
	case $(ipv4_of p1) in 10.20.0.*) true ;; *) false ;; esac
}
wait_for 5 moved
refuse has_lease 10.10.0.42 bound
second=$(ipv4_of p1)
expect has_lease "$second" bound
expect vfab port del p1
refuse has_lease "$second"

echo "-- where nothing is served"
ns q1
expect vfab net add bare --mode internal --ipv4 10.60.0.0/24
says 1 "bare" vfab port add q1 --net bare --tap eth0 --netns "$q1" --ipv4 dhcp

echo "-- a lab: addresses by default, and names"
export VFAB_RUN=$T/run
cat >"$T/lab.yaml" <<YAML
networks:
  shop: {mode: nat, vlan: 77, ipv4: 10.77.0.0/24, domain: shop.example}
containers:
  $TAG-a: {nics: [{network: shop}]}
  $TAG-b: {run: "busybox httpd -f -p 80 -h $T/page", nics: [{network: shop}]}
YAML
mkdir "$T/page"
echo "a page" >"$T/page/index.html"
lab()
{
	nsenter --net="/run/netns/$fab" timeout $((60 * SLOW)) "$BUILD/vfab" -s "$SOCKET" lab "$@"
}
expect lab up "$T/lab.yaml"
defer lab down "$T/lab.yaml"
page()
{
	[ "$(timeout 5 ip netns exec "$TAG-a" busybox wget -qO- "http://$TAG-b/index.html")" = "a page" ]
}
wait_for 10 page
expect_eq "what the container asks" "$(cat "/etc/netns/$TAG-a/resolv.conf")" "nameserver 10.77.0.1
search shop.example"
expect lab down "$T/lab.yaml"
expect test ! -e "/etc/netns/$TAG-a"
