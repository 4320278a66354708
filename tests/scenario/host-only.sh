#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A host-only network: the host reaches its guests, guests reach the gateway's address and nothing else of the
# host, not even where the host forwards between its networks.  What is refused counts as host_only, to the frame.
#
#   h1 .9 --.                                        .-- 10.99.0.1, fd99::1 on lo, forwarding on
#            +-- inner, VLAN 10 -- vf-inner .1 -- fab
#   h2 .8 --'                                        '-- hostside 10.67.0.254 -- second, VLAN 20 -- g1 .9
. "$(dirname "$0")/../lib/scenario.sh"

ns fab -6
ns h1 -6
ns h2 -6
ns g1
run fab sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip -n "$fab" addr add 10.99.0.1/32 dev lo
ip -n "$fab" addr add fd99::1/128 dev lo
fabric <<EOF
networks:
  inner: {mode: host-only, vlan: 10, ipv4: 10.66.0.0/24, ipv6: "fd66::/64"}
  second: {mode: host-only, vlan: 20, ipv4: 10.67.0.0/24, gateway: 10.67.0.254, ifname: hostside}
ports:
$(tap h1 "network: inner, ipv4: 10.66.0.9/24, ipv6: 'fd66::9/64', gateway: 10.66.0.1")
$(tap h2 "network: inner, ipv4: 10.66.0.8/24, ipv6: 'fd66::8/64', gateway: 10.66.0.1")
$(tap g1 "network: second, ipv4: 10.67.0.9/24, gateway: 10.67.0.254")
EOF
wait_for 5 ports_up
ip -n "$h1" -6 route add default via fd66::1
# What is counted below is ours alone: no neighbour is asked again whether it is still there.
for where in "fab vf-inner" "h1 eth0" "h2 eth0"; do
	run "${where% *}" sysctl -qw "net.ipv4.neigh.${where#* }.delay_first_probe_time=600" \
		"net.ipv6.neigh.${where#* }.delay_first_probe_time=600"
done

# The device is the gateway: its MAC, its address; the names are the default and the one that was given.
expect_eq "MAC of vf-inner" "$(link_value fab vf-inner .address)" 02:76:66:00:00:0a
expect_eq "MAC of hostside" "$(link_value fab hostside .address)" 02:76:66:00:00:14
expect_eq "address of vf-inner" "$(ip -n "$fab" -4 -j addr show vf-inner | jq -r '.[0].addr_info[] |
	"\(.local)/\(.prefixlen)"')" 10.66.0.1/24
expect_eq "address of hostside" "$(ip -n "$fab" -4 -j addr show hostside | jq -r '.[0].addr_info[] |
	"\(.local)/\(.prefixlen)"')" 10.67.0.254/24
expect_eq "where the gateway is" "$(vfab mac ls -o json | jq -r '[.[] | select(.kind == "local") |
	"\(.network) \(.mac) \(.port)"] | sort | join(", ")')" \
	"inner 02:76:66:00:00:0a vf-inner, second 02:76:66:00:00:14 hostside"

# Both ways, ARP and neighbour discovery included; and among the guests.
expect run h1 ping -q -c 2 -i 0.1 -W 2 10.66.0.1
expect run fab ping -q -c 2 -i 0.1 -W 2 10.66.0.8
expect run g1 ping -q -c 2 -i 0.1 -W 2 10.67.0.254
expect run h1 ping -q -c 2 -i 0.1 -W 2 10.66.0.8
wait_for 5 run h1 ping -q -c 1 -W 1 fd66::1
wait_for 5 run fab ping -q -c 1 -W 1 fd66::8
link_local=$(ip -n "$fab" -6 -j addr show vf-inner scope link | jq -r '[.[].addr_info[]?.local | values] | first')
refuse run h1 ping -q -c 2 -i 0.1 -W 1 "$link_local%eth0" # neighbour discovery alone uses it
expect_eq "ARP of h1" "$(ip -n "$h1" -j neigh show 10.66.0.1 | jq -r '.[0].lladdr')" 02:76:66:00:00:0a
expect_eq "neighbour of h1" "$(ip -n "$h1" -j neigh show fd66::1 | jq -r '.[0].lladdr')" 02:76:66:00:00:0a

# Nothing else of the host, though it would answer and forward.
for address in 10.99.0.1 10.67.0.254 10.67.0.9 fd99::1; do
	refuse run h1 ping -q -c 2 -i 0.2 -W 1 $address
done
refuse run g1 ping -q -c 2 -i 0.2 -W 1 10.66.0.9

frames <<'PY'
from frames import *

h1, h2 = stations("h1", "h2")
host = Station("fab", "vf-inner")
GATEWAY = "02:76:66:00:00:0a"
learn(h1, h2)


def ip4(address):
    return bytes(int(part) for part in address.split("."))


def ip6(address):
    return socket.inet_pton(socket.AF_INET6, address)


def to4(dst, mac=GATEWAY):
    return eth(mac, h1.mac, struct.pack("!BBHHHBBH", 0x45, 0, 28, 1, 0, 64, 253, 0) + ip4("10.66.0.9") + ip4(dst) + b"payload.",
               etype=0x0800)


def to6(dst, mac=GATEWAY):
    return eth(mac, h1.mac, struct.pack("!IHBB", 6 << 28, 8, 253, 64) + ip6("fd66::9") + ip6(dst) + b"payload.", etype=0x86DD)


def arp(target, op=1, mac=BROADCAST):
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, op) + mac_bytes(h1.mac) + ip4("10.66.0.9") + bytes(6) + ip4(target)
    return eth(mac, h1.mac, body, etype=0x0806)


def seen_by_host(frame, times=1):
    got = deliver(h1, [frame] * times, [host])[host]
    return len([f for f in got if f == frame])


# To the gateway's MAC: only what is for its addresses arrives, all the rest is dropped and counted.
for what, frame in (("its IPv4 address", to4("10.66.0.1")), ("its IPv6 address", to6("fd66::1")),
                    ("ARP for it", arp("10.66.0.1", mac=GATEWAY)),
                    ("its solicited-node group", to6("ff02::1:ff00:1", "33:33:ff:00:00:01"))):
    expect(seen_by_host(frame, 5), 5, f"the host gets what is for {what}")
refused = [to4("10.99.0.1"), to4("10.66.0.255"), to4("10.66.0.2"), to4("127.0.0.1"), to4("224.0.0.1"), to4("10.67.0.254"),
           to6("fd99::1"), to6("fd66::2"), to6("::1"), to6("fe80::1"), to6("fe80::76:66ff:fe00:a"), to6("ff02::1"), to6("ff02::1:ff00:1"[:-1] + "2"),
           arp("10.99.0.1", mac=GATEWAY), eth(GATEWAY, h1.mac, b"neither IP nor ARP"),
           eth(GATEWAY, h1.mac, b"", etype=0x0800, pad=False), eth(GATEWAY, h1.mac, b"\x45" * 15, etype=0x0800, pad=False),
           eth(GATEWAY, h1.mac, b"\x60" * 23, etype=0x86DD, pad=False), eth(GATEWAY, h1.mac, b"\x00" * 10, etype=0x0806, pad=False)]
dropped(h1, refused * 3, "host_only", [host])

# Flooded frames reach the other guest and are not the host's.
for frame in (arp("10.66.0.77"), to4("10.66.0.255", BROADCAST), to6("ff02::1", "33:33:00:00:00:01")):
    got = deliver(h1, [frame] * 4, [h2, host])
    expect((got[h2].count(frame), got[host].count(frame)), (4, 0), "flooded: to the guest, not to the host")
got = deliver(h1, arp("10.66.0.1"), [h2, host])
expect((len(got[h2]), got[host][0] == arp("10.66.0.1")), (1, True), "ARP for the gateway: to both")
PY

# By a verb, with a name; taken away with its network.
ns k1
expect vfab net add third --mode host-only --ipv4 10.68.0.0/24 --ifname third0 --vlan 30
expect vfab port add k1 --net third --tap eth0 --netns "$k1" --ipv4 10.68.0.9/24
wait_for 2 ports_up k1 third0
expect run k1 ping -q -c 2 -i 0.1 -W 2 10.68.0.1
expect run fab ping -q -c 2 -i 0.1 -W 2 10.68.0.9
expect vfab net set third --ipv4 10.69.0.0/24
expect_eq "address after a change" "$(ip -n "$fab" -4 -j addr show third0 | jq -r '[.[0].addr_info[].local] | join(" ")')" 10.69.0.1
expect vfab port set k1 --ipv4 10.69.0.9/24
expect run k1 ping -q -c 2 -i 0.1 -W 2 10.69.0.1
expect vfab port del k1
expect vfab net del third
refuse ip -n "$fab" link show third0
