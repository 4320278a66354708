#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `vfab attach` of a running LXC container, by its name.
#
#   c1 --[ vfabd ]-- an LXC container without a network of its own making
. "$(dirname "$0")/../lib/scenario.sh"

command -v lxc-execute >/dev/null || skip "needs lxc-execute"
ns c1
fabric <<EOF
networks:
  office: {mode: internal, vlan: 10}
ports:
$(tap c1 "network: office, ipv4: 10.77.0.1/24")
EOF
wait_for 5 ports_up

# Nothing is downloaded and no bridge is needed: the container has this host's files.
NAME=$TAG-lxc
cat >"$T/lxc.conf" <<EOF
lxc.net.0.type = empty
lxc.uts.name = $NAME
lxc.console.path = none
lxc.mount.auto = proc:mixed sys:ro
EOF
lxc-execute -n "$NAME" -f "$T/lxc.conf" -o "$T/lxc.log" -l WARN -- sleep 600 </dev/null >"$T/lxc.out" 2>&1 &
CONTAINER=$!
end_container()
{
	lxc-stop -k -n "$NAME" || true
	end_process "$CONTAINER"
}
defer end_container
container_pid()
{
	lxc-info -n "$NAME" -p -H 2>/dev/null | grep -x '[0-9][0-9]*'
}
runs_or_ended()
{
	container_pid || process_gone "$CONTAINER"
}
wait_for 20 runs_or_ended
container_pid >/dev/null || skip "LXC starts no container here: $(grep ERROR "$T/lxc.log" | head -n 1 | tr -s ' ')"
pid=$(container_pid)
nsenter --net="/proc/$pid/ns/net" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1

expect vfab attach "$NAME" --net office --ipv4 10.77.0.2/24
wait_for 5 ports_up "$NAME"
expect_eq "the port" "$(port_value "$NAME" '[.network, .ifname, .netns] | join(" ")')" "office eth0 $pid"
expect run c1 ping -q -c 3 -i 0.05 -W 1 10.77.0.2
expect nsenter --net="/proc/$pid/ns/net" ping -q -c 3 -i 0.05 -W 1 10.77.0.1
expect vfab attach "lxc:$NAME" --net office --ifname eth1 --name second
wait_for 5 ports_up second
expect_status 1 vfab attach "lxc:$NAME-nobody" --net office

# It ends, and the ports wait.
allow_log "port ($NAME|second)"
expect lxc-stop -k -n "$NAME"
are_waiting()
{
	[ "$(port_value "$NAME" .state) $(port_value second .state)" = "waiting waiting" ]
}
wait_for 5 are_waiting
