#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An uplink of kind interface: B19 offloads on and off end with right checksums; an address of the host's is refused; addresses by DHCP,
# renewed and given back; N08 one that overlaps a network of ours is never a silent hole.
#
#   in1 .11, in2 .12 -- lan -- [ vfabd ] -- up0 -- seg --+-- out1: iperf3, dnsmasq
#                                                        '-- out2
#
# RFC 4787 REQ-7
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/nat-fabric.sh"

nat_fabric interface
BYTES=$([ "$SLOW" = 1 ] && echo 24M || echo 2M)
ethtool_of()
{
	nsenter --net="/run/netns/${!1}" ethtool -K "${@:2}" >/dev/null 2>&1
}
start out1 iperf3 -s -p 5201
wait_for 5 run in1 ping -q -c 1 -W 1 198.51.100.10
wait_for 5 run in1 ping -q -c 1 -W 1 2001:db8:51::10

# B19: the sum is made by the guest, by the switch or by the interface; out1 looks at every one of them.
for guest in on off; do
	for wire in on off; do
		ethtool_of in1 eth0 tx $guest tso $guest gso $guest
		ethtool_of fab up0 tx $wire tso $wire gso $wire
		for to in 198.51.100.10 2001:db8:51::10; do
			# One sender is enough to show that IPv6 is no other.
			[ $guest = on ] || [ $to = 198.51.100.10 ] || continue
			if [ $wire = off ]; then
				run out1 tcpdump -q -Z root -i eth0 -Q in -s 0 -c 500 -U -w "$T/capture" tcp 2>"$T/capture.err" &
				pid=$!
				defer end_process $pid
				wait_for 5 grep -q listening "$T/capture.err"
			fi
			run in1 timeout 60 iperf3 -c $to -p 5201 -n "$BYTES" >"$T/iperf" || fail "iperf3 to $to: $(tail -n 3 "$T/iperf")"
			grep sender "$T/iperf"
			run in1 timeout 60 iperf3 -c $to -p 5201 -n "$BYTES" -R >"$T/iperf" || fail "iperf3 from $to: $(tail -n 3 "$T/iperf")"
			grep receiver "$T/iperf"
			if [ $wire = off ]; then
				end_process $pid
				bad=$(tshark -r "$T/capture" -o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE \
					-Y "ip.checksum.status == 0 || tcp.checksum.status == 0" 2>/dev/null | wc -l)
				expect_eq "bad checksums of $(tshark -r "$T/capture" 2>/dev/null | wc -l) frames, guest $guest, to $to" "$bad" 0
				expect_eq "frames with an inside address" "$(tshark -r "$T/capture" -Y 'ip.addr == 10.0.0.0/8 || ipv6.addr == fd00::/8' \
					2>/dev/null | wc -l)" 0
			fi
		done
	done
done
for name in in1 out1; do
	expect_eq "bad checksums at $name" "$(nsenter --net="/run/netns/${!name}" nstat -aszj TcpInCsumErrors UdpInCsumErrors |
		jq '[.kernel | to_entries[] | .value] | add')" 0
done
stop_fabric
ip -n "$fab" -o link show | grep -vE ' (lo|up0)@?' && fail "a device is left"
expect_eq "promiscuity of up0" "$(ip -n "$fab" -d -j link show up0 | jq '.[0].promiscuity')" 0

# What the host itself has is not the switch's.
ip -n "$fab" addr add 198.51.100.1/24 dev up0
nat_yaml "" "" >"$T/conflict.yaml"
fabric <"$T/conflict.yaml"
is_refused()
{
	vfab uplink ls -o json | jq -e '.[0] | tostring | contains("198.51.100.1")' &&
		vfab uplink ls -o json | jq -e '.[0].state != "up"'
}
wait_for 5 is_refused
vfab uplink ls
ip -n "$fab" addr flush dev up0
wait_for 8 run in1 ping -q -c 1 -W 1 198.51.100.10
allow_log '198\.51\.100\.1|uplink|wan'
stop_fabric

# DHCP.
command -v dnsmasq >/dev/null || exit 0
serve()
{
	start out1 dnsmasq -d -C /dev/null --port=0 --interface=eth0 --bind-interfaces --dhcp-authoritative --no-ping --log-dhcp \
		--dhcp-range="$1" --dhcp-option=3,"$2" --dhcp-leasefile="$T/leases" --pid-file=
	dnsmasq=$STARTED
	wait_for 5 serves
}
serves()
{
	nsenter --net="/run/netns/$out1" ss -Hlun "sport = :67" | grep . >/dev/null
}
dhcp_yaml()
{
	cat <<-EOF
		networks:
		  lan: {mode: nat, vlan: 10, uplink: wan, ipv4: 10.0.0.0/24}
		uplinks:
		  wan: {kind: interface, interface: up0, dhcp: true}
		ports:
		$(tap in1 "network: lan, ipv4: 10.0.0.11/24, gateway: 10.0.0.1")
	EOF
}
serve 198.51.100.50,198.51.100.59,255.255.255.0,2m 198.51.100.10
fabric < <(dhcp_yaml)
wait_for 5 ports_up in1
is_bound()
{
	vfab uplink ls -o json | jq -e '.[0] | tostring | test("198\\.51\\.100\\.5[0-9]")'
}
wait_for 15 is_bound
vfab uplink ls
wait_for 5 run in1 ping -q -c 1 -W 1 198.51.100.10
expect run in1 ping -q -c 3 -i 0.1 -W 1 198.51.100.20
expect_eq "leases" "$(grep -c . "$T/leases")" 1
stop_fabric
wait_for 3 grep -q DHCPRELEASE "$T/background.log"
end_process "$dnsmasq"

# N08: dnsmasq serves what its interface is in; it is not there at once, and the client asks again.
ip -n "$out1" addr add 10.0.0.254/24 dev eth0
fabric < <(dhcp_yaml)
serve 10.0.0.50,10.0.0.59,255.255.255.0,2m 10.0.0.254
says_overlap()
{
	vfab uplink ls -o json | jq -e '.[0] | tostring | test("10\\.0\\.0\\.")' &&
		vfab uplink ls -o json | jq -e '.[0] | tostring | test("lan|overlap|conflict"; "i")'
}
wait_for 15 says_overlap
vfab uplink ls
