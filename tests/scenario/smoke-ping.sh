#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Containers of one network reach each other, those of another do not, over IPv4 and IPv6; a host-only network
# reaches its host.  (Q6: the sums match at the end, as in every scenario.)
#
#   c1 .1 --eth0--.                          .--eth0-- s1 .3   storage, VLAN 20
#                  +--[ vfabd in fab ]------+
#   c2 .2 --eth0--'          |
#   office, VLAN 10          '-- vf-inner 10.66.0.1 (fab)  --  h1 .9  inner, host-only
. "$(dirname "$0")/../lib/scenario.sh"

ns c1 -6
ns c2 -6
ns s1 -6
ns h1
fabric <<EOF
networks:
  office: {mode: internal, vlan: 10}
  storage: {mode: internal, vlan: 20}
  inner: {mode: host-only, ipv4: 10.66.0.0/24}
ports:
$(tap c1 "network: office, ipv4: 10.77.0.1/24, ipv6: 'fd77::1/64'")
$(tap c2 "network: office, ipv4: 10.77.0.2/24, ipv6: 'fd77::2/64', mac: '02:00:00:00:00:02'")
$(tap s1 "network: storage, ipv4: 10.77.0.3/24, ipv6: 'fd77::3/64'")
$(tap h1 "network: inner, ipv4: 10.66.0.9/24")
EOF
wait_for 5 ports_up c1 c2 s1 h1

expect run c1 ping -q -c 5 -i 0.1 -W 1 10.77.0.2
refuse run c1 ping -q -c 2 -i 0.2 -W 1 10.77.0.3
wait_for 5 run c1 ping -q -c 1 -W 1 fd77::2
expect run c1 ping -q -c 5 -i 0.1 -W 1 fd77::2
refuse run c1 ping -q -c 2 -i 0.2 -W 1 fd77::3
expect run h1 ping -q -c 3 -i 0.1 -W 1 10.66.0.1
expect run fab ping -q -c 3 -i 0.1 -W 1 10.66.0.9

# What the switch says of it.
expect_eq "device of c2" "$(link_value c2 eth0 .address)" 02:00:00:00:00:02
expect_eq "where c2 is" "$(vfab mac ls -o json | jq -r '.[] | select(.mac == "02:00:00:00:00:02") |
	"\(.network) \(.vlan) \(.port) \(.kind)"')" "office 10 c2 learned"
expect_eq "networks" "$(vfab net ls -o json | jq -r '[.[] | .name] | sort | join(" ")')" "inner office storage"
expect_eq "state of s1" "$(port_value s1 .state)" up
