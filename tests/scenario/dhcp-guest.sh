#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# D01 for a guest in QEMU, whose virtio-net leaves checksums to the switch: busybox udhcpc in it gets an address, applies it and lets
# go of it; its name is known, and it finds others by theirs.
#
#   vm0 (vhost-user), c1 (10.10.0.20) -- office 10.10.0.0/24 -- [ vfabd ]
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/dhcp-fabric.sh"
[ -z "${SAN:-}" ] || [ -n "${SOAK:-}" ] || skip "guest-reconnect.sh has guests under the sanitizers too"
. "$ROOT/tests/lib/guest.sh"

LEGS=office NETWORK_KEYS="mtu: 1400"
dhcp_fabric c1:office:"ipv4: 10.10.0.20/24"
expect vfab port add vm0 --net office --vhost-user "$T/vm0.sock"
guest_start vm0 10.77.0.3
guest_ready vm0

guest_run vm0 "ip addr flush dev eth0; printf '%s\n' '#!/bin/sh' 'case \$1 in' 'bound|renew) ip addr replace \$ip/\$mask dev eth0; ip link set eth0 mtu \$mtu;' \
	'ip route replace default via \$router; echo nameserver \$dns >/etc/resolv.conf ;;' 'esac' >/tmp/script; chmod +x /tmp/script; mkdir -p /etc"
expect guest_run vm0 "udhcpc -i eth0 -n -q -R -t 5 -s /tmp/script -O mtu -x hostname:vm-guest" 20
address=$(guest_run vm0 "ip -4 -o addr show dev eth0" | awk '{ sub("/.*", "", $4); print $4 }')
expect_eq "state of $address" "$(lease_value "$address" .state)" bound
expect_eq "its name" "$(lease_value "$address" .hostname)" vm-guest
expect_eq "its MTU" "$(guest_run vm0 'cat /sys/class/net/eth0/mtu')" 1400
expect guest_run vm0 "ping -q -c 1 -W 2 10.10.0.1"
expect guest_run vm0 "ping -q -c 1 -W 2 10.10.0.20"
expect guest_run vm0 "nslookup web.office.vfab 10.10.0.1 | grep -q 10.10.0.10"
expect_eq "c1 asks for it" "$(run c1 dig +short +tries=2 +time=2 @10.10.0.1 vm-guest.office.vfab)" "$address"

# In the background, with a release when it ends.
guest_run vm0 "udhcpc -i eth0 -f -R -s /tmp/script >/tmp/udhcpc 2>&1 & echo \$! >/tmp/pid; sleep 3; kill -TERM \$(cat /tmp/pid); sleep 1; cat /tmp/udhcpc" 10
is_free()
{
	! has_lease "$address" bound
}
wait_for 5 is_free
guest_stop vm0
