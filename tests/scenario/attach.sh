#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `vfab attach` of a namespace by name, of a process by pid, and of what a container engine names; with each option, and
# what it refuses.  The engine is a stand-in here that answers as `docker inspect` and `podman inspect` do: the real
# ones have their own scenarios.
#
#   c1, c2 (names), a process without a name, "web" (container) -- [ vfabd ] -- office 10
. "$(dirname "$0")/../lib/scenario.sh"

ns c1
ns c2 -6
ns c3
fabric <<EOF
networks:
  office: {mode: internal, vlan: 10}
EOF

# process: a sleep in a network namespace without a name; its id is in NAMELESS
process()
{
	unshare --net sleep 600 </dev/null >/dev/null 2>&1 &
	NAMELESS=$!
	defer end_process "$NAMELESS"
	wait_for 5 has_own_network "$NAMELESS"
	nsenter --net="/proc/$NAMELESS/ns/net" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
}
has_own_network()
{
	[ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]
}

# By name, plain and with its prefix, and by pid; they reach each other.
expect vfab attach "$c1" --net office --ipv4 10.77.0.1/24
expect vfab attach "netns:$c2" --net office --ipv4 10.77.0.2/24 --ipv6 fd77::2/64 --gateway 10.77.0.1 --ifname data \
	--mac 02:00:00:00:00:02 --mtu 1400 --name second
process
expect vfab attach "$NAMELESS" --net office --ipv4 10.77.0.3/24
wait_for 5 ports_up "$c1" second "pid-$NAMELESS"
expect_eq "the first" "$(vfab port ls -o json | jq -c --arg name "$c1" '.[] | select(.name == $name) | [.kind, .network, .netns, .ifname]')" \
	"[\"tap\",\"office\",\"$c1\",\"eth0\"]"
expect_eq "device of the second" "$(link_value c2 data '"\(.address) \(.mtu) \(.flags | contains(["UP"]))"')" "02:00:00:00:00:02 1400 true"
expect_eq "its addresses" "$(ip -n "$c2" -j addr show data | jq -c '[.[0].addr_info[] | select(.scope == "global") | .local] | sort')" \
	'["10.77.0.2","fd77::2"]'
expect_eq "its route" "$(ip -n "$c2" -j route show default | jq -r '.[0] | "\(.gateway) \(.dev)"')" "10.77.0.1 data"
expect run c1 ping -q -c 2 -i 0.05 -W 1 10.77.0.2
expect run c1 ping -q -c 2 -i 0.05 -W 1 10.77.0.3
# By path: one under /run/netns means the name.
expect vfab attach "/run/netns/$c1" --net office --ifname more --name by-path
expect_eq "namespace of by-path" "$(port_value by-path .netns)" "$c1"
expect vfab port del by-path
expect vfab attach "/proc/$NAMELESS/ns/net" --net office --ifname more
expect_eq "device of net" "$(port_value net .ifname)" more
expect vfab port del net
says 1 "there is none" vfab attach /run/netns/ --net office
says 1 "there is none" vfab attach /nowhere/at/all --net office
expect nsenter --net="/proc/$NAMELESS/ns/net" ping -q -c 2 -i 0.05 -W 1 10.77.0.2

# What it refuses, changing nothing.
vfab config show >"$T/before"
says 1 "$c1" vfab attach "$c1" --net office
says 1 "eth0" vfab attach "$c1" --net office --name other
says 1 'did you mean "office"' vfab attach "$c3" --net ofice
says 2 "--net" vfab attach "$c3"
says 65 "ipv4" vfab attach "$c3" --net office --ipv4 10.77.0.300/24
says 65 "longer than 15" vfab attach "$c3" --net office --ifname a-name-that-is-too-long
says 1 "there is none" vfab attach "$TAG-nobody" --net office
says 1 "there is none" vfab attach "netns:$TAG-nobody" --net office
says 1 "there is none" vfab attach netns:../../proc/self/ns/net --net office
says 1 "no process" vfab attach 4194304 --net office
says 2 "names nothing" vfab attach "" --net office
vfab config show >"$T/after"
expect diff "$T/before" "$T/after"

# The process ends, and its namespace with it: the port waits.  It is removed; so is one whose device is still there.
is_waiting()
{
	[ "$(port_value "$1" .state)" = waiting ]
}
allow_log "pid-$NAMELESS"
end_process "$NAMELESS"
wait_for 5 is_waiting "pid-$NAMELESS"
expect vfab port del "pid-$NAMELESS"
expect vfab port del second
refuse ip -n "$c2" link show data 2>/dev/null
expect vfab attach "$c2" --net office --ipv4 10.77.0.2/24
wait_for 5 ports_up "$c2"
# It is another device, with another address than c1 remembers.
ip -n "$c1" neigh flush all
expect run c1 ping -q -c 2 -i 0.05 -W 1 10.77.0.2

# What an engine names.  The stand-ins know "web"; "twin" is known to both, "host" has the host's network.
process
mkdir "$T/bin" "$T/engine"
for engine in docker podman lxc-info; do
	cat >"$T/bin/$engine" <<'SH'
#!/bin/sh
for name; do :; done
case ${0##*/} in
lxc-info) name=$2 ;;
esac
cat "${0%/bin/*}/engine/${0##*/}-$name" 2>/dev/null || { echo "no such container" >&2; exit 125; }
SH
	chmod +x "$T/bin/$engine"
done
container()
{
	echo "[{\"Id\": \"ab12\", \"Name\": \"$2\", \"State\": {\"Pid\": $3, \"Running\": true}, \"NetworkSettings\": {\"SandboxKey\": \"${4:-}\"}}]" \
		>"$T/engine/$1-${2#/}"
}
PATH=$T/bin:$PATH
container docker /web "$NAMELESS"
container podman twin "$NAMELESS"
echo "$FABRIC_PID" >"$T/engine/lxc-info-twin"
container docker /host $$
container docker /dead 0
echo 'not JSON [' >"$T/engine/docker-odd"
expect vfab attach web --net office --ipv4 10.77.0.5/24
wait_for 5 ports_up web
expect run c1 ping -q -c 2 -i 0.05 -W 1 10.77.0.5
says 1 "both LXC and Podman" vfab attach twin --net office
says 1 "no network of its own" vfab attach docker:host --net office
says 1 "there is none" vfab attach dead --net office
says 1 "there is none" vfab attach odd --net office
expect vfab port del web
expect vfab attach podman:twin --net office --ipv4 10.77.0.7/24
wait_for 5 ports_up twin
expect run c1 ping -q -c 2 -i 0.05 -W 1 10.77.0.7

# Where Podman says which mount holds the container's namespace, that is taken: it outlives the process.
start c3 sleep 600
wait_for 5 has_own_network "$STARTED"
container podman kept "$STARTED" "/run/netns/$c3"
expect vfab attach kept --net office --ipv4 10.77.0.6/24
wait_for 5 ports_up kept
expect_eq "namespace of the port" "$(port_value kept .netns)" "/run/netns/$c3"
expect run c1 ping -q -c 2 -i 0.05 -W 1 10.77.0.6
