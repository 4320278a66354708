#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every object survives `config save` and a restart unchanged, with every key that vfab.yaml(5) knows, whether a file or a verb
# made it; a reload with a bad, a half-written or a missing file changes nothing (M13); apply --confirm goes
# back also when the switch dies meanwhile; diff's exit status; the examples of the manual are files that check accepts.
#
#   c1, c2  office 10 --[ vfabd ]-- every other kind of port, network and uplink
. "$(dirname "$0")/../lib/scenario.sh"

MAN=$ROOT/tools/vfab.yaml.5
ns fab -6
ns c1 -6
ns c2

# What is shown of all objects, without counters and what changes by itself.
state()
{
	vfab config show >"$1.yaml"
	{
		vfab net ls -o json | jq -S 'sort_by(.name)'
		vfab port ls -o json | jq -S 'sort_by(.name) | map(del(.rx, .tx, .forwarded, .local, .drops, .mac, .addresses))'
		vfab mac ls -o json | jq -S '[.[] | select(.kind == "static")] | sort_by(.mac, .vlan)'
		vfab uplink ls -o json | jq -S 'sort_by(.name) | map(del(.mac, .mtu, .lost, .trouble))'
		vfab forward ls -o json | jq -S 'sort_by(.id)'
		vfab route ls -o json
	} >"$1.json"
}

same_state()
{
	state "$2"
	expect diff "$1.yaml" "$2.yaml"
	expect diff "$1.json" "$2.json"
}

cat >"$T/all.yaml" <<EOF
networks:
  office: {mode: internal, vlan: 10, mtu: 1450, isolate: false, mac-ageing: 17s, macs: {"02:00:00:00:00:77": c1, "02:00:00:00:00:78": trunk}}
  inner: {mode: host-only, vlan: 20, ipv4: 10.66.0.0/24, ipv6: "fd66::/64", gateway: 10.66.0.9, ifname: tohost, mtu: 1400}
  apart: {mode: internal, isolate: true, mac-ageing: 0}
  chosen: {mode: internal, vlan: 4000, vlan-auto: true}
  web: {mode: nat, vlan: 50, ipv4: 10.88.0.0/24, uplink: wan,
        forwards: ["8080-8089:10.88.0.5:80-89/both", {spec: "127.0.0.1:53:10.88.0.53:53/udp", allow-from: [192.0.2.0/24, 198.51.100.7]}]}
  six: {mode: nat, vlan: 51, ipv4: 10.88.0.0/24, ipv6: "fd88::/64", uplink: lan,
        nat: {filtering: endpoint-independent, timeouts: {udp: 2m, tcp: 3h, tcp-transitory: 5m, icmp: 90s}, sessions: 1000,
              per-guest: 100, rate: 0, log: destinations, ipv6: routed, exempt: [10.0.0.0/8, 192.0.2.99]}}
  leases: {mode: nat, vlan: 54, ipv4: 10.89.0.0/24, ipv6: "fd89::/64", uplink: wan, dns: [10.89.0.1, 192.0.2.53], domain: leases.example,
           dhcp: {range: 10.89.0.100-10.89.0.199, lease: 90m, per-port: 7, ipv6: stateful, range6: "fd89::100-fd89::1ff", ntp6: ["fd89::123"], relays: [10.88.0.9, 10.89.0.9],
                  options: {ntp: [192.0.2.123, 192.0.2.124], mtu: 1400, time-offset: -3600, routes: "10.9.0.0/16 10.89.0.7", search: "a.example,b",
                            150: "ip:10.89.0.9", 224: "text:it's \"so\"", 225: "hex:00ff", vendor: "01020a", next-server: 10.89.0.5},
                  classes: [{vendor: PXEClient, arch: [0, 7], options: {boot-file: pxelinux.0}}, {arch: 16}],
                  reservations: [{mac: "02:00:00:00:00:0d", ip: 10.89.0.10, name: web, options: {ntp: 192.0.2.125}},
                                 {client-id: "ff:00:01", ip: 10.89.0.11, ip6: "fd89::11"}, {port: leased, ip: 10.89.0.12}]}}
  silent: {mode: nat, vlan: 55, ipv4: 10.90.0.0/24, uplink: wan, no-dhcp: true}
  asked: {mode: internal, vlan: 56, ipv4: 10.91.0.0/24, dhcp: {}}
  street: {mode: bridged, vlan: 52, uplink: lan}
  lane: {mode: bridged, vlan: 53, uplink: lan, tagged: true}
uplinks:
  wan: {kind: host, address: 169.254.200.2/28, address6: "fd76::2/64", forwarding: leave, ifname: vt-out, vlan: 60}
  lan: {kind: interface, interface: vt-nic, driver: af_packet, address: 192.0.2.10/24, gateway: 192.0.2.1,
        address6: "2001:db8::10/64", gateway6: "fe80::1", addresses: [192.0.2.11/24, "2001:db8::11/64"], mac: interface}
  dyn: {kind: interface, interface: vt-nic2, dhcp: true, mac: "02:00:00:00:00:09"}
routes: [{from: web, to: inner}, {from: inner, to: web}]
dns: {servers: ["192.0.2.53:5353", "2001:db8::53"], domains: {corp.example: ["[2001:db8::54]:54"], b.example: [192.0.2.54]}}
ports:
  c1: {tap: eth0, netns: $c1, network: office, ipv4: 10.77.0.1/24, ipv6: "fd77::1/64", gateway: 10.77.0.2, mac: "02:00:00:00:00:01", mtu: 1300}
  c2: {tap: eth0, netns: /run/netns/$c2, network: office, ipv4: 10.77.0.2/24, queues: 2, guard: mac, priority-tags: always}
  leased: {tap: eth1, netns: $c2, network: leases, ipv4: dhcp, guard: strict}
  limits: {tap: vt-limits, network: apart, isolated: true, rate: 12345678, storm: {broadcast: 0, multicast: 11, unknown: 12},
           mac-limit: 0, mac-limit-action: drop, priority-tags: if-nonzero}
  tunnel: {tap: vt-tunnel, vlan-mode: dot1q-tunnel, tag: 30}
  trunk: {tap: vt-trunk, vlan-mode: trunk, trunks: [10, 20-29, 4094]}
  none: {tap: vt-none, vlan-mode: trunk, trunks: []}
  every: {tap: vt-every, vlan-mode: trunk}
  native: {tap: vt-native, vlan-mode: native-untagged, tag: 10, trunks: "20-22,31"}
  tagged: {tap: vt-tagged, vlan-mode: native-tagged, tag: 10}
  access: {tap: vt-access, vlan-mode: access, tag: 3999}
  later: {tap: eth0, netns: "$TAG-nobody", network: chosen}
  vm0: {vhost-user: $T/vm0.sock, socket-owner: "nobody:nogroup", socket-mode: 0600, network: apart, queues: 16, mac: "02:00:00:00:00:06", guard: mac}
  vm1: {vhost-user: $T/vm1.sock, client: true, vlan-mode: trunk, trunks: [11]}
containers:
  node: {run: "echo 'one: two' # \"three\"; exec sleep 5", nics: [{network: office, mac: "02:00:00:00:00:0a", ipv4: 10.77.0.9/24, gateway: 10.77.0.1, ifname: data}, {network: apart}]}
  idle: {}
workers: {cpus: [0], idle: poll}
EOF

# Is there a value for every key of the manual?
awk '/^\.Sh (NETWORKS|UPLINKS|NAT|ADDRESSES AND NAMES|PORTS|CONTAINERS|WORKERS)/ { on = 1; next } /^\.Sh/ { on = 0 }
	on && /^\.It Cm [a-z0-9-]+ :/ { print $3 }' "$MAN" | sort -u >"$T/keys"
expect test "$(wc -l <"$T/keys")" -ge 60
while read -r key; do
	grep -qE "[{ ,]$key:" "$T/all.yaml" || fail "no value for the key $key of the manual"
done <"$T/keys"

expect "$BUILD/vfab" check "$T/all.yaml"
fabric <"$T/all.yaml"
wait_for 5 ports_up c1 c2
expect_status 0 vfab diff "$T/all.yaml"
state "$T/one"
while read -r key; do
	grep -qE "[{ ,\"]$key\"?:" "$T/one.yaml" || fail "config show forgets the key $key"
done <"$T/keys"

# Saved over its own file and into another one; both are what runs, and what runs after a restart, twice.
chmod 640 "$T/fabric.yaml"
expect vfab config save "$T/saved.yaml"
expect vfab config save
expect_eq "mode of the file" "$(stat -c %a "$T/fabric.yaml")" 640
expect cmp "$T/saved.yaml" "$T/fabric.yaml"
expect_status 0 vfab diff "$T/saved.yaml"
expect "$BUILD/vfab" check "$T/saved.yaml"
restart()
{
	stop_fabric
	cp "$T/fabric.yaml" "$T/kept.yaml"
	fabric <"$T/kept.yaml"
	wait_for 5 ports_up c1 c2
}
restart
same_state "$T/one" "$T/two"
expect_status 0 vfab diff "$T/all.yaml"
expect vfab config save
expect cmp "$T/saved.yaml" "$T/fabric.yaml"
# So is it when the switch alone begins anew.
allow_log '[Ss]witch'
kill -9 "$(switch_pid)"
wait_for 5 has_event restart
wait_for 5 ports_up c1 c2
same_state "$T/one" "$T/three"
expect_status 0 vfab diff "$T/all.yaml"

# The same by verbs: from nothing but the workers, every option.
stop_fabric
fabric <<<'workers: {cpus: [0]}'
expect vfab net add office --mode internal --vlan 10 --mtu 1450 --mac-ageing 17s
expect vfab net add inner --mode host-only --ipv4 10.66.0.0/24 --ipv6 fd66::/64 --gateway 10.66.0.9 --ifname tohost
expect vfab net add apart --mode internal --isolate
expect vfab port add c1 --net office --tap eth0 --netns "$c1" --ipv4 10.77.0.1/24 --gateway 10.77.0.2 --mac 02:00:00:00:00:01 --mtu 1300
expect vfab port add c2 --net office --tap eth0 --netns "$c2" --ipv4 10.77.0.2/24 --queues 2 --guard mac --priority-tags always
expect vfab port add limits --net apart --tap vt-limits --isolated --rate 10mbit --storm broadcast=10,multicast=11,unknown=12 \
	--mac-limit 7 --mac-limit-action drop
expect vfab port add native --tap vt-native --vlan-mode native-untagged --tag 10 --trunks 20,30-39
expect vfab port add tunnel --tap vt-tunnel --vlan-mode dot1q-tunnel --tag 31
expect vfab port add vm0 --net office --vhost-user "$T/vm0.sock" --socket-owner nobody --socket-mode 0600 --queues 4
expect vfab port add vm1 --net office --vhost-user "$T/vm1.sock" --client --mac 02:00:00:00:00:07 --guard mac
expect vfab net add web --mode nat --ipv4 10.88.0.0/24 --nat-filtering endpoint-independent --nat-rate 7 --nat-log on
expect vfab net set web --nat-timeouts udp=2m,icmp=90s --nat-exempt 10.0.0.0/8 --nat-rate none
says 1 'vt-nic does not exist' vfab uplink add lan --interface vt-nic --address 192.0.2.10/24
expect run fab ip link add vt-nic up type veth peer vt-wire
expect vfab uplink add lan --interface vt-nic --address 192.0.2.10/24 --gateway 192.0.2.1
expect vfab uplink set lan --address 2001:db8::10/64 --gateway fe80::1 --mac interface --addresses 192.0.2.11/24
expect vfab net add six --mode nat --ipv6 fd88::/64 --uplink lan --nat-ipv6 routed
expect vfab net add lane --mode bridged --uplink lan --vlan 53 --tagged
expect vfab net add leases --mode nat --ipv4 10.89.0.0/24 --ipv6 fd89::/64 --uplink host --dhcp 10.89.0.100-10.89.0.199 --dhcp-lease 90m \
	--dhcp-per-port 7 --dhcp-ipv6 stateful --dhcp-range6 fd89::100-fd89::1ff --dns 10.89.0.1,192.0.2.53 --domain leases.example
expect vfab net set leases --dhcp-per-port 8 --dns none
expect vfab net add silent --mode nat --ipv4 10.90.0.0/24 --uplink host --no-dhcp
expect vfab port add leased --net leases --tap eth1 --netns "$c2" --ipv4 dhcp --guard strict
expect vfab lease reserve leases --port leased --ip 10.89.0.12 --name leased
expect vfab lease reserve leases --client-id ff:00:01 --ip 10.89.0.11 --ip6 fd89::11
expect vfab lease reserve leases --mac 02:00:00:00:00:0d --ip6 fd89::13
expect vfab lease unreserve leases fd89::13
expect vfab forward add web 8080:10.88.0.5:80 81-89:10.88.0.5:81-89/both
expect vfab forward add web 127.0.0.1:53:10.88.0.53:53/udp --allow-from 192.0.2.0/24,198.51.100.7
expect vfab forward del web/tcp/0.0.0.0:8080
expect vfab route add web inner
expect vfab route add inner web
expect vfab route del inner web
expect vfab port set vm0 --socket-owner none --socket-mode 0666
expect vfab port set limits --storm broadcast=5 --mac-limit none --isolated=none
expect vfab net set office --mac-ageing none
expect vfab mac add office 02:00:00:00:00:99 c2
start c1 sleep 600
expect vfab attach "pid:$STARTED" --net apart --ifname eth7 --name attached
# The id that the fabric gave is kept, though another network would get it by now.
expect vfab net add before --mode internal
expect vfab net add after --mode internal
given=$(vfab net show after -o json | jq 'if type == "array" then .[0] else . end | .vlan')
expect vfab net del before
wait_for 5 ports_up c1 c2
state "$T/one"
expect vfab config save
expect_status 0 vfab diff "$T/fabric.yaml"
restart
same_state "$T/one" "$T/two"
expect_eq "the id that was given" "$(vfab net show after -o json | jq 'if type == "array" then .[0] else . end | .vlan')" "$given"
expect run c1 ping -q -c 2 -i 0.05 -W 1 10.77.0.2

# A link stays a link, and its file is replaced.
mkdir "$T/elsewhere"
ln -s "$T/elsewhere/real.yaml" "$T/linked.yaml"
: >"$T/elsewhere/real.yaml"
expect vfab config save "$T/linked.yaml"
expect test -L "$T/linked.yaml"
expect cmp "$T/fabric.yaml" "$T/elsewhere/real.yaml"
expect_status 1 vfab config save "$T/none/file" 2>/dev/null
# What is no file stays what it is; a file keeps its owner and mode.
mkfifo "$T/fifo"
mknod "$T/null" c 1 3
ln -s "$T/null" "$T/to-null"
for thing in "$SOCKET" "$T/fifo" "$T/null" "$T/to-null"; do
	expect_status 1 vfab config save "$thing" 2>"$T/err"
	expect grep -qF "vfab: $thing: is no regular file" "$T/err"
done
expect test -p "$T/fifo"
expect test -c "$T/null"
expect test -S "$SOCKET"
chown nobody "$T/elsewhere/real.yaml"
chmod 640 "$T/elsewhere/real.yaml"
expect vfab config save "$T/linked.yaml"
expect_eq "owner and mode" "$(stat -c '%U %a' "$T/elsewhere/real.yaml")" "nobody 640"
expect_status 1 vfab config save "$T/elsewhere" 2>/dev/null
expect_eq "what is left beside them" "$(find "$T/elsewhere" -type f | wc -l)" 1

# M13: SIGHUP with a bad, a missing and a half-written file: one line with the position in the log, an event, and the
# fabric as it was; not one ping is lost.
state "$T/one"
cp "$T/fabric.yaml" "$T/good.yaml"
events_of()
{
	vfab events -o json | jq "[.[] | select(.kind == \"$1\")] | length"
}
has_events()
{
	[ "$(events_of "$1")" = "$2" ]
}
failed=0
# reload_fails TEXT: with the file as it is
reload_fails()
{
	kill -HUP "$FABRIC_PID"
	failed=$((failed + 1))
	wait_for 5 has_events reload_failed "$failed"
	vfab events -o json | jq -e --arg text "$1" \
		'[.[] | select(.kind == "reload_failed")] | last | (.object + ": " + .text) | contains($text)' >/dev/null ||
		fail "not '$1' but: $(vfab events | tail -n 1)"
}
allow_log 'err: .*/fabric.yaml'
start c1 ping -q -i 0.01 -W 1 10.77.0.2
PINGS=$STARTED
echo 'networks: {office: {mode: internal, vlna: 10}}' >"$T/fabric.yaml"
reload_fails "fabric.yaml:1:37: networks.office"
printf 'networks:\n  office: {mode: internal}\nports:\n  c1: {tap: eth0, network: ofice}\n' >"$T/fabric.yaml"
reload_fails "fabric.yaml:4:"
printf 'networks: {\0}' >"$T/fabric.yaml"
reload_fails ""
rm "$T/fabric.yaml"
reload_fails "fabric.yaml: No such file or directory: the configuration stays as it is"
mkdir "$T/fabric.yaml"
reload_fails "fabric.yaml: is no regular file: the configuration stays as it is"
rmdir "$T/fabric.yaml"
# A map in braces is whole only at its end.
cat >"$T/whole.yaml" <<EOF
{networks: {office: {mode: internal, vlan: 10}, apart: {mode: internal}},
 ports: {c1: {tap: eth0, netns: $c1, network: office}, c9: {tap: vt-nine, network: apart, trunks: [1, 2]}}}
EOF
size=$(stat -c %s "$T/whole.yaml")
for part in 1 2 15 40 80 120 140 170 190 $((size - 4)) $((size - 3)); do
	head -c "$part" "$T/whole.yaml" >"$T/fabric.yaml"
	reload_fails ""
done
same_state "$T/one" "$T/two"
kill -INT "$PINGS"
wait_for 5 process_gone "$PINGS"
pings_lost "$T/background.log" 1
expect_eq "lines of the log that tell of it" "$(grep -c "err: $T/fabric.yaml" "$LOG")" "$failed"
cp "$T/good.yaml" "$T/fabric.yaml"
kill -HUP "$FABRIC_PID"
wait_for 5 has_events reload 1
same_state "$T/one" "$T/two"

# diff: 0 the same, 1 a change, 65 bad, 1 no file; it changes nothing.
grep -v '^  *#' "$T/good.yaml" | sed 's/mtu: 1300/mtu: 1301/' >"$T/other.yaml"
refuse cmp -s "$T/good.yaml" "$T/other.yaml"
expect_status 0 vfab diff "$T/good.yaml"
expect_status 1 vfab diff "$T/other.yaml"
echo 'ports: 7' >"$T/bad.yaml"
expect_status 65 vfab diff "$T/bad.yaml" 2>/dev/null
expect_status 1 vfab diff "$T/none.yaml" 2>/dev/null
same_state "$T/one" "$T/two"

# apply --confirm: back by itself, all of it; kept when confirmed; back also when the switch dies in between.
allow_log confirm
is_back()
{
	vfab config show | cmp -s - "$T/one.yaml"
}
expect vfab apply "$T/other.yaml" --confirm 1
refuse is_back
wait_for 4 is_back
same_state "$T/one" "$T/two"
expect has_event confirm_timeout
expect vfab apply "$T/other.yaml" --confirm 2
restarts=$(events_of restart)
kill -9 "$(switch_pid)"
wait_for 5 has_events restart $((restarts + 1))
wait_for 8 is_back
same_state "$T/one" "$T/two"
expect vfab apply "$T/other.yaml" --confirm 30
expect vfab config confirm
expect_status 0 vfab diff "$T/other.yaml"
expect_eq "MTU" "$(link_value c1 eth0 .mtu)" 1301
expect_status 65 vfab apply "$T/other.yaml" --confirm soon 2>/dev/null

# The manual's examples, and those beside it.
awk -v dir="$T" '/^\.Sh/ { on = /EXAMPLES/ } on && /^\.Bd/ { n++; in_it = 1; next } /^\.Ed/ { in_it = 0 }
	in_it { gsub(/\\&/, ""); gsub(/\\-/, "-"); print > dir "/example-" n ".yaml" }' "$MAN"
expect test -s "$T/example-3.yaml"
for example in "$T"/example-*.yaml "$ROOT"/examples/*.yaml; do
	expect "$BUILD/vfab" check "$example"
done
