#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What `vfab` says when it does not do what was asked, and its exit status: 1 refused, 2 bad usage, 65 bad data.  What may and
# what may not happen while `apply --confirm` waits, by SIGHUP too.
#
#   [ vfabd in fab ]   without ports
. "$(dirname "$0")/../lib/scenario.sh"

ns fab -6
fabric </dev/null
expect vfab net add office --mode internal --vlan 10

says 65 'network x: vlan must be a number from 1 to 4094, not "4095"' vfab net add x --mode internal --vlan 4095
says 65 'network x: vlan must be a number from 1 to 4094, not "010"' vfab net add x --mode internal --vlan 010
says 65 'network x: unknown mode "foo"' vfab net add x --mode foo
says 65 'is link-local' vfab net add x --mode host-only --ipv6 fe80::/64
says 65 'port p: "zz" is not a MAC address' vfab port add p --net office --tap t0 --mac zz
says 65 'port p: VLAN range "5-3" ends' vfab port add p --tap t0 --vlan-mode trunk --trunks 5-3
says 65 'option --storm does not take "5"' vfab port add p --net office --tap t0 --storm 5
says 65 'option --isolated does not take "maybe"' vfab port add p --net office --tap t0 --isolated=maybe
says 2 '"none" is one argument too many; usage: vfab net set NAME' vfab net set office --isolate none
expect vfab net set office --isolate=yes
expect vfab net set office --isolate=off
: >"$T/empty.yaml"
for verb in check diff apply; do says 65 'empty.yaml:1:1: the file is empty' vfab $verb "$T/empty.yaml"; done
says 2 'network x: mode is missing' vfab net add x
says 2 'port p: needs tap or vhost-user' vfab port add p --net office
says 2 'port p: needs network or vlan-mode' vfab port add p --tap t0
says 1 'network "ofice" does not exist (did you mean "office"?)' vfab port add p --net ofice --tap t0
says 1 'port p: a port is one thing' vfab port add p --net office --tap t0 --vhost-user /p
says 1 'port p: netns goes with tap alone' vfab port add p --net office --vhost-user /p --netns 1
says 1 'port p: socket-mode goes with vhost-user alone' vfab port add p --net office --tap t0 --socket-mode 0600
says 65 'port p: guard mac on a vhost-user port needs mac' vfab port add p --net office --vhost-user p --guard mac
says 65 'port p: socket-mode must be four octal digits' vfab port add p --net office --vhost-user p --socket-mode 660
# A path is seen from where the user stands.
from_usr()
{
	(cd /usr && vfab "$@")
}
says 65 'port p: socket "/usr/a/../p" has an empty' from_usr port add p --net office --vhost-user ./a/../p
says 65 'port p: socket "/a//p" has an empty' from_usr port add p --net office --vhost-user ../a//p
says 2 'network x: a nat network needs ipv4 or ipv6' vfab net add x --mode nat
says 2 'network x: a bridged network needs uplink' vfab net add x --mode bridged
says 65 'network x: dns must be an IP address, not "10.1.0"' vfab net add x --mode nat --ipv4 10.1.0.0/24 --dns 10.1.0
says 65 'network x: dhcp must be two addresses' vfab net add x --mode nat --ipv4 10.1.0.0/24 --dhcp 10.1.0.5
says 65 'network x: lease must be a duration' vfab net add x --mode nat --ipv4 10.1.0.0/24 --dhcp 10.1.0.5-10.1.0.9 --dhcp-lease 8x
says 1 'network x: range holds the address of the gateway' vfab net add x --mode nat --ipv4 10.1.0.0/24 --dhcp 10.1.0.1-10.1.0.9
says 2 'lease reserve: needs one of --mac, --client-id and --port' vfab lease reserve office --ip 10.10.0.7
says 2 'lease reserve: needs --ip or --ip6' vfab lease reserve office --mac 02:00:00:00:00:07
says 65 'network office: "10.10.0" is not an IP address' vfab lease unreserve office 10.10.0
says 1 'network office: there is no reservation of 10.10.0.7' vfab lease unreserve office 10.10.0.7
says 65 'uplink u: driver "dpdk" is not yet available' vfab uplink add u --interface eth7 --driver dpdk
says 65 'uplink u: driver "af_xdp" is not yet available' vfab uplink add u --interface eth7 --driver af_xdp
says 2 'uplink add: needs --host or --interface IFNAME' vfab uplink add u
says 2 'uplink add: --host and --interface exclude each other' vfab uplink add u --host --interface eth7
says 1 'uplink u: does not exist' vfab uplink set u --interface eth7
says 1 'network office: forwards goes with mode nat alone' vfab forward add office 80:10.10.0.5:80
says 65 'network office: forward "80" is not [BIND:]PORT' vfab forward add office 80
says 65 '"office" is no id of a forward' vfab forward del office
says 1 'network office: forward "tcp/0.0.0.0:80" does not exist' vfab forward del office/tcp/0.0.0.0:80
says 2 'forward import: needs --net NETWORK' vfab forward import "$T/rules"
says 1 'route from office to lab: network "office" has no gateway' vfab route add office lab
says 1 'route from a to b: does not exist' vfab route del a b
says 1 'network office: exists already' vfab net add office --mode internal
says 1 'network lab: does not exist' vfab net del lab

says 1 'vfab: vfabd was started without -c: name a file' vfab config save
says 2 'there is no "net foo"; usage: vfab net add|ls|' vfab help net foo
says 2 'there is no "net ad" (did you mean "add"?)' vfab help net ad
says 2 'there is no "foo"; see vfab help' vfab foo
says 1 'tunnel: not yet' vfab help tunnel
expect vfab help net add >/dev/null
expect_status 2 "$BUILD/vfab" -s 2>"$T/said"
expect grep -qxF 'vfab: -s takes the path of a socket' "$T/said"
{
	echo 'networks: {}'
	head -c $((4 << 20)) /dev/zero | tr '\0' '#'
} >"$T/long.yaml"
says 65 "$T/long.yaml:1:1: the text is longer than 4 MiB" vfab check "$T/long.yaml"
expect vfab net add six --mode host-only --ipv6 fd00:20::/64
expect_eq "gateway of IPv6 alone" "$(vfab net ls -o json | jq -r '.[] | select(.name == "six").gateway')" fd00:20::1
stop_fabric

# A wait for a confirmation.
file()
{
	echo "networks: {office: {mode: internal, vlan: $1}}"
}
is_vlan()
{
	[ "$(vfab net ls -o json | jq '.[0].vlan')" = "$1" ]
}
fabric < <(file 10)
allow_log 'confirm|fabric.yaml:'
for vlan in 20 30; do
	file $vlan >"$T/$vlan.yaml"
done
expect vfab apply "$T/20.yaml" --confirm 60
says 1 'an apply waits to be confirmed and goes back in' vfab net set office --mtu 9000
expect grep -qE 'in (60|59|58) s: vfab config confirm$' "$T/said"
says 1 'waits to be confirmed' vfab config save
says 1 'waits to be confirmed' vfab config save "$T/saved.yaml"
expect test ! -e "$T/saved.yaml"
expect_status 0 vfab diff "$T/20.yaml"
# Another that waits: the first way back.
expect vfab apply "$T/30.yaml" --confirm 1
wait_for 3 is_vlan 10
expect has_event confirm_timeout
# A plain one stays.
expect vfab apply "$T/20.yaml" --confirm 1
expect vfab apply "$T/30.yaml"
expect has_event confirm 'another apply settles'
says 1 'nothing waits' vfab config confirm
expect vfab net set office --mtu 9000
# A bad file decides nothing, a good one does.
expect vfab apply "$T/20.yaml" --confirm 60
file 4095 >"$T/fabric.yaml"
kill -HUP "$FABRIC_PID"
bad="$T/fabric.yaml:1:43: networks.office.vlan: vlan must be a number from 1 to 4094, not \"4095\""
wait_for 3 has_event reload_failed "$bad"
expect grep -qF "$bad" "$LOG"
says 1 'waits to be confirmed' vfab net set office --mtu 8000
file 10 >"$T/fabric.yaml"
kill -HUP "$FABRIC_PID"
wait_for 3 has_event confirm 'a reload settles'
expect is_vlan 10
expect vfab config save
