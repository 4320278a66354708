#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `vfab attach` of a running Podman container, by its name.
#
#   c1 --[ vfabd ]-- a Podman container with --network none
. "$(dirname "$0")/../lib/scenario.sh"

command -v podman >/dev/null || skip "needs podman"
command -v busybox >/dev/null || skip "needs busybox"
ns c1
fabric <<EOF
networks:
  office: {mode: internal, vlan: 10}
ports:
$(tap c1 "network: office, ipv4: 10.77.0.1/24")
EOF
wait_for 5 ports_up

# Podman's store, records and limits are the scenario's own; nothing is downloaded, its only file is busybox.
NAME=$TAG-pod
mkdir -p "$T/rootfs/bin" "$T/rootfs/proc" "$T/rootfs/sys" "$T/rootfs/dev" "$T/rootfs/etc" "$T/rootfs/tmp" "$T/rootfs/run"
cp "$(command -v busybox)" "$T/rootfs/bin/busybox"
cat >"$T/storage.conf" <<EOF
[storage]
driver = "vfs"
graphroot = "$T/store"
runroot = "$T/run"
EOF
cat >"$T/containers.conf" <<EOF
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=512:512"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
tmp_dir = "$T/libpod"
EOF
export CONTAINERS_STORAGE_CONF=$T/storage.conf CONTAINERS_CONF=$T/containers.conf
start_container()
{
	"$@" podman run -d --name "$NAME" --log-driver none --network none --rootfs "$T/rootfs" /bin/busybox sleep 600 \
		</dev/null >"$T/podman.log" 2>&1
}
# crun wants one version of cgroups: on a host that has both, the container is started where only the old one is seen.
with_old_cgroups()
{
	# shellcheck disable=SC2016 # for the inner shell
	timeout 60 unshare --mount sh -c 'umount -l /sys/fs/cgroup/unified && exec "$@"' sh "$@"
}
end_container()
{
	timeout 60 podman rm -t 0 -f "$NAME"
}
defer end_container
if ! start_container timeout 60; then
	reason=$(tail -n 1 "$T/podman.log")
	end_container >/dev/null 2>&1 || true
	start_container with_old_cgroups || skip "Podman starts no container here: $reason"
fi
pid=$(podman inspect --type container "$NAME" | jq -r '.[0].State.Pid')
nsenter --net="/proc/$pid/ns/net" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1

expect vfab attach "$NAME" --net office --ipv4 10.77.0.2/24
wait_for 5 ports_up "$NAME"
expect_eq "the port" "$(port_value "$NAME" '[.network, .ifname] | join(" ")')" "office eth0"
expect run c1 ping -q -c 3 -i 0.05 -W 1 10.77.0.2
expect timeout 20 podman exec "$NAME" /bin/busybox ping -c 1 -W 1 10.77.0.1
expect vfab attach "podman:$NAME" --net office --ifname eth1 --name second
wait_for 5 ports_up second
expect_status 1 vfab attach "podman:$NAME-nobody" --net office

# It ends, and the ports wait.
allow_log "port ($NAME|second)"
end_container >/dev/null
are_waiting()
{
	[ "$(port_value "$NAME" .state) $(port_value second .state)" = "waiting waiting" ]
}
wait_for 5 are_waiting
