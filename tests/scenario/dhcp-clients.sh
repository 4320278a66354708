#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# D01: the clients that people use, all at once, each in a namespace of its own: address, mask, router, DNS and MTU are what the server
# said and are applied; the lease is renewed at T1; its release frees it.  D08: and nmap asks what is served here.
#
#   d (dhclient), u (udhcpc), p (dhcpcd), s (nmap) -- office 10.10.0.0/24, lease 20 s -- [ vfabd ]
#
# dhcp-networkd.sh has systemd-networkd, dhcp-guest.sh a guest in QEMU.
#
# Pace: mostly waits
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/dhcp-fabric.sh"

for program in dhclient dhcpcd busybox nmap; do
	command -v $program >/dev/null || skip "needs $program"
done

LEGS=office LEASE=20s
NETWORK_KEYS="domain: office.example, mtu: 1400"
dhcp_fabric d:office u:office p:office s:office:"ipv4: 10.10.0.20/24"

# What a client does with a lease is its script's; these do what those of Debian do, in the namespace alone.
cat >"$T/dhclient-script" <<'SH'
#!/bin/sh
echo "$reason $new_ip_address $new_domain_name_servers $new_domain_name" >>"$SAID"
case $reason in
BOUND | RENEW | REBIND | REBOOT)
	ip addr replace "$new_ip_address/$new_subnet_mask" dev "$interface" valid_lft "$new_dhcp_lease_time" preferred_lft "$new_dhcp_lease_time"
	ip link set "$interface" mtu "$new_interface_mtu"
	ip route replace default via "$new_routers" dev "$interface"
	;;
RELEASE | STOP) ip addr flush dev "$interface" ;;
esac
SH
cat >"$T/udhcpc-script" <<'SH'
#!/bin/sh
echo "$1 $ip $dns $domain" >>"$SAID"
case $1 in
bound | renew)
	ip addr replace "$ip/$mask" dev "$interface" valid_lft "$lease" preferred_lft "$lease"
	ip link set "$interface" mtu "$mtu"
	ip route replace default via "$router" dev "$interface"
	;;
deconfig) ip addr flush dev "$interface" ;;
esac
SH
chmod +x "$T"/*-script
printf 'request subnet-mask, routers, domain-name-servers, domain-name, interface-mtu, dhcp-lease-time;\nsend host-name "dhclient-guest";\n' >"$T/dhclient.conf"

for name in d u p; do : >"$T/$name.said"; done
SAID=$T/d.said start d dhclient -4 -d -cf "$T/dhclient.conf" -lf "$T/d.leases" -pf "$T/d.pid" -sf "$T/dhclient-script" \
	-e SAID="$T/d.said" eth0
SAID=$T/u.said start u busybox udhcpc -f -i eth0 -R -s "$T/udhcpc-script" -O mtu -x hostname:udhcpc-guest
udhcpc=$STARTED
# Its files are below /var/lib and /run: elsewhere they are this test's.
cat >"$T/dhcpcd.conf" <<-'EOF'
	clientid
	hostname dhcpcd-guest
	option domain_name_servers, domain_name, interface_mtu
	noipv4ll
	noipv6rs
	noarp
	ipv4only
EOF
printf '#!/bin/sh\necho "$reason $new_ip_address $new_domain_name_servers $new_domain_name" >>%s\n' "$T/p.said" >"$T/dhcpcd-hook"
chmod +x "$T/dhcpcd-hook"
mkdir "$T/dhcpcd-db" "$T/dhcpcd-run"
start p unshare -m sh -c "mkdir -p /run/dhcpcd /var/lib/dhcpcd && mount --bind '$T/dhcpcd-run' /run/dhcpcd &&
	mount --bind '$T/dhcpcd-db' /var/lib/dhcpcd && exec dhcpcd -B -4 -f '$T/dhcpcd.conf' -c '$T/dhcpcd-hook' eth0"
dhcpcd=$STARTED

has_address()
{
	[ -n "$(ipv4_of "$1")" ]
}
declare -A ADDRESS
for name in d u p; do
	wait_for 15 has_address $name
	ADDRESS[$name]=$(ipv4_of $name)
	expect_eq "$name: length of the prefix" "$(ip -n "${!name}" -4 -j addr show dev eth0 | jq '.[0].addr_info[0].prefixlen')" 24
	wait_for 3 grep -qE "10\.10\.0\.1 office\.example" "$T/$name.said"
	has_route()
	{
		ip -n "${!name}" -j route show default | jq -e 'any(.gateway == "10.10.0.1")'
	}
	wait_for 3 has_route
	expect_eq "$name: state of ${ADDRESS[$name]}" "$(lease_value "${ADDRESS[$name]}" .state)" bound
	expect_eq "$name: whose it is" "$(lease_value "${ADDRESS[$name]}" .mac)" "$(link_value $name eth0 .address)"
	case $name in
	d) host=dhclient-guest ;;
	u) host=udhcpc-guest ;;
	p) host=dhcpcd-guest ;;
	esac
	expect_eq "$name: its name" "$(lease_value "${ADDRESS[$name]}" .hostname)" $host
	if [ $name = p ]; then
		# dhcpcd gives an MTU to its routes.
		expect_eq "p: MTU of the route" "$(ip -n "$p" -j route show default | jq '.[0] | (.metrics // [.])[0].mtu')" 1400
	else
		expect_eq "$name: MTU" "$(link_value $name eth0 .mtu)" 1400
	fi
	expect run $name ping -q -c 1 -W 2 10.10.0.1
done
expect_eq "different addresses" "$(printf '%s\n' "${ADDRESS[@]}" | sort -u | wc -l)" 3
expect run d ping -q -c 1 -W 2 "${ADDRESS[u]}"

# D08
run s nmap -n -Pn -sU -p 67 --script dhcp-discover 10.10.0.1 >"$T/nmap" 2>&1 || true
cat "$T/nmap"
expect grep -q "DHCP Message Type: DHCPACK" "$T/nmap"
expect grep -q "Router: 10.10.0.1" "$T/nmap"

# T1 is 10 s from the lease: more is left of it than was then.
has_renewed()
{
	[ "$(grep -ciE '^(renew|bound|rebind)' "$T/$1.said")" -ge 2 ] || [ "$1" = p ] || return 1
	[ "$(vfab lease ls -o json | jq --arg ip "${ADDRESS[$1]}" '.[] | select(.ip == $ip) | .expires_s')" -gt 12 ]
}
is_halfway()
{
	[ "$(lease_value "${ADDRESS[$1]}" .expires_s)" -le 11 ]
}
for name in d u p; do
	[ $name != p ] || wait_for 12 is_halfway p || true
	wait_for 14 has_renewed $name
	expect_eq "$name after T1" "$(ipv4_of $name)" "${ADDRESS[$name]}"
done

# Released.
run d dhclient -4 -r -cf "$T/dhclient.conf" -lf "$T/d.leases" -pf "$T/d.pid" -sf "$T/dhclient-script" -e SAID="$T/d.said" eth0 \
	>>"$T/background.log" 2>&1 || true
end_process "$udhcpc"
# ALRM: release and end.
kill -ALRM "$dhcpcd"
is_free()
{
	! has_lease "$1" bound
}
for name in d u p; do
	wait_for 5 is_free "${ADDRESS[$name]}"
	echo "ok: $name has released ${ADDRESS[$name]}"
done
