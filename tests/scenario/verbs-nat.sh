#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The verbs of the way out and the way in: keys of their JSON, narrowing, what is refused and what it says, imports of other
# programs' rules, and labs that share an uplink (N35, N36).
#
#   c1, c2 --office 10 (nat)--[ vfabd ]--uplink host--[ fab ]
. "$(dirname "$0")/../lib/scenario.sh"

ns fab -6
ns c1
ns c2
fabric </dev/null
expect vfab net add office --mode nat --vlan 10 --ipv4 10.10.0.0/24
expect vfab port add c1 --net office --tap eth0 --netns "$c1" --ipv4 10.10.0.5/24 --gateway 10.10.0.1
expect vfab port add c2 --net office --tap eth0 --netns "$c2" --ipv4 10.10.0.6/24 --gateway 10.10.0.1
wait_for 5 ports_up c1 c2

# The uplink that nobody named.
one()
{
	local noun=$1 filter=$2

	vfab "$noun" ls -o json | jq -c "$filter"
}
expect_eq "the uplink" "$(one uplink '.[] | [.name, .kind, .ifname, .state, .address, .networks]')" \
	'["host","host","vu-host","up","169.254.118.2/28",["office"]]'
expect_eq "uplink of the network" "$(one net '.[] | [.mode, .uplink]')" '["nat","host"]'
says 1 'uplink host: network "office" is still on it' vfab uplink del host
says 1 'uplink "hots" does not exist (did you mean "host"?)' vfab net set office --uplink hots

# Forwards: added together or not at all.
expect vfab forward add office 8080:10.10.0.5:80 8443:10.10.0.5:443/both
says 1 'overlaps office/tcp/0.0.0.0:8080' vfab forward add office 9000:10.10.0.5:90 127.0.0.1:8080:10.10.0.6:80
says 1 'forward "8080:10.10.0.6:80" exists already' vfab forward add office 8080:10.10.0.6:80
says 65 'ports are numbers' vfab forward add office 0:10.10.0.5:80
says 1 'the guest is not a host' vfab forward add office 9000:10.11.0.5:80
says 1 'network ofice: does not exist (did you mean "office"?)' vfab forward add ofice 9000:10.10.0.5:80
expect_eq "forwards" "$(one forward '[.[] | .id]')" '["office/tcp/0.0.0.0:8080","office/both/0.0.0.0:8443"]'
expect vfab forward del office/both/0.0.0.0:8443
says 1 'forward "both/0.0.0.0:8443" does not exist' vfab forward del office/both/0.0.0.0:8443
says 1 'network "ofice" does not exist' vfab forward ls --net ofice

# Rules of others.
cat >"$T/rules" <<'R'
# VirtualBox
Forwarding(0)="ssh,tcp,,2222,10.10.0.5,22"
VBoxManage natnetwork modify --netname n --port-forward-4 "dns:udp:[127.0.0.1]:5353:[10.10.0.6]:53"
R
cat >"$T/nat.conf" <<'R'
[host]
ip = 172.16.3.1
[incomingtcp]
8081 = 10.10.0.5:81
[incomingudp]
6000 = 10.10.0.6:6001
R
expect vfab forward import "$T/rules" --net office
expect vfab forward import "$T/nat.conf" --net office --allow-from 192.0.2.0/24
expect_eq "imported" "$(one forward '[.[1:][] | [.spec, .allow_from]]')" \
	'[["2222:10.10.0.5:22",[]],["127.0.0.1:5353:10.10.0.6:53/udp",[]],["8081:10.10.0.5:81",["192.0.2.0/24"]],["6000:10.10.0.6:6001/udp",["192.0.2.0/24"]]]'
printf '\na,tcp,,80,,80\n' >"$T/bad"
says 65 "$T/bad:2: the rule names no guest address" vfab forward import "$T/bad" --net office
for i in $(seq 0 99); do echo "$((10000 + i * 500))-$((10499 + i * 500)):10.10.0.6:$((10000 + i * 500))-$((10499 + i * 500))"; done >"$T/many"
expect vfab forward import "$T/many" --net office
expect_eq "forwards" "$(one forward length)" 105

# Sessions.
run c1 ping -q -c 2 -i 0.05 -W 1 169.254.118.1 >/dev/null
run c2 ping -q -c 2 -i 0.05 -W 1 169.254.118.1 >/dev/null
expect_eq "sessions" "$(one nat '[.[] | [.network, .proto, .kind, .state, .rx_frames, .tx_frames]] | unique')" \
	'[["office","icmp","dynamic","answered",2,2]]'
expect_eq "keys" "$(one nat '.[0] | keys')" \
	'["expires_s","idle_s","inside","kind","network","outside","proto","remote","rx_frames","state","tx_frames"]'
expect_eq "of a port" "$(vfab nat ls --port c1 -o json | jq -r '.[].inside' | cut -d: -f1)" 10.10.0.5
expect_eq "of a protocol" "$(vfab nat ls --proto udp -o json)" '[]'
expect_eq "sessions in the figures" "$(vfab nat stats -o json | jq -c '[.sessions, .networks[0].sessions, .networks[0].network]')" '[2,2,"office"]'
expect_eq "flushed" "$(vfab nat flush --port c1)" "1 flushed"
expect_eq "who is left" "$(one nat '[.[].inside]' | grep -c 10.10.0.6)" 1
expect_eq "neighbours" "$(vfab neigh ls --net office -o json | jq -c '[.[] | [.network, .ip, .vlan]] | sort')" \
	'[["office","10.10.0.5",10],["office","10.10.0.6",10]]'
expect_eq "of the uplink" "$(vfab neigh ls --uplink host -o json | jq -r '.[] | select(.uplink == "host").ip' | head -n 1)" 169.254.118.1
expect vfab neigh flush --net office
expect_eq "neighbours" "$(vfab neigh ls --net office -o json)" '[]'
says 1 'uplink "wan" does not exist' vfab neigh ls --uplink wan

# Routes.
expect vfab net add dmz --mode nat --ipv4 10.20.0.0/24
expect vfab route add office dmz
says 1 'route from office to dmz: exists already' vfab route add office dmz
says 1 'the route from office to dmz is still there' vfab net del dmz
says 1 'overlaps the prefix of network' vfab net set dmz --ipv4 10.10.0.0/25
expect_eq "routes" "$(vfab route ls -o json | jq -c .)" '[{"from":"office","to":"dmz"}]'
expect vfab route del office dmz
expect vfab net del dmz

# Labs: an uplink that others use by now stays, and one that vfabd made for a lab goes with it.
export VFAB_RUN=$T/run
lab()
{
	nsenter --net="/run/netns/$fab" timeout $((60 * SLOW)) "$BUILD/vfab" -s "$SOCKET" lab "$@"
}
way()
{
	echo "networks: {$1: {mode: nat, ipv4: 10.99.0.0/24, forwards: [\"$2:10.99.0.5:$2\"]}, $1-in: {mode: nat, ipv4: 10.98.0.0/24}}"
	echo "routes: [{from: $1, to: $1-in}]"
}
uplinks()
{
	one uplink '[.[].name]'
}
way first 7001 >"$T/first.yaml"
way second 7002 >"$T/second.yaml"
way third 7001 >"$T/third.yaml"
expect lab up "$T/first.yaml"
expect_eq "no other uplink" "$(uplinks)" '["host"]'
says 1 'overlaps first/tcp/0.0.0.0:7001' lab up "$T/third.yaml"
expect lab down "$T/first.yaml"
for port in c1 c2; do expect vfab port del $port; done
expect vfab net del office
expect vfab uplink del host
expect lab up "$T/first.yaml"
expect lab up "$T/second.yaml"
expect_eq "the lab's uplink" "$(uplinks)" '["host"]'
expect lab down "$T/first.yaml"
expect_eq "the other lab's now" "$(uplinks)" '["host"]'
expect_eq "routes" "$(one route .)" '[{"from":"second","to":"second-in"}]'
expect lab down "$T/second.yaml"
expect lab up "$T/third.yaml"
expect lab down "$T/third.yaml"
expect_eq "networks" "$(one net length)" 0
