#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Installs the Debian 12 packages that a task needs and this machine lacks, and says which and why.  Silent
# when nothing is missing.  No service is started and nothing that the machine boots with is touched.
#
#   tests/install-packages.sh SET...      sets: build check demo bench
set -euo pipefail

# set      package               why
table='
build      gcc                   compiles the fabric
build      make                  runs the Makefile
build      pkg-config            finds the libraries
build      git                   the version, and the list of files the lints read
build      libc6-dev             headers of the C library
build      libyaml-dev           reads the configuration file
build      libjansson-dev        JSON of the control socket
build      liburcu-dev           swaps the configuration under running workers
build      libmnl-dev            rtnetlink: links, addresses, namespaces
build      libnftnl-dev          nftables: the table of host uplinks
build      libseccomp-dev        the allow-list of system calls of the switch
build      libcap-ng-dev         gives up capabilities
build      libpcap-dev           compiles filters
check      libcmocka-dev         unit tests
check      iproute2              namespaces, links, bridge of the scenarios
check      iputils-ping          pings
check      procps                finds processes of a test
check      util-linux            nsenter, setpriv, flock
check      python3               scenarios that make frames
check      python3-scapy         frames of every protocol
check      nftables              tables of others, and a look at ours
check      dnsmasq-base          gives an uplink its address
check      isc-dhcp-client       dhclient, a client of the DHCP servers
check      dhcpcd-base           dhcpcd, another client
check      bind9-dnsutils        dig, and queries by TCP
check      kea-admin             perfdhcp, a thousand clients at once
check      jq                    reads the JSON of vfab
check      iperf3                throughput, and rates that must hold
check      tcpdump               reads the captures that vfab writes
check      tshark                judges checksums and capture files
check      ethtool               switches offloads of a guest
check      strace                system calls of the sandbox
check      socat                 plain clients and servers
check      nmap                  looks for open ports from a guest
check      busybox-static        a small container
check      lxc                   attach to an LXC container
check      podman                attach to a Podman container
check      openvswitch-switch    the oracle beside which VLAN switching is judged
check      mandoc                judges man pages
check      valgrind              instructions a frame
check      dpdk-dev              dpdk-testpmd, a guest that polls
check      qemu-system-x86       a guest with a kernel
demo       iproute2              namespaces
demo       iputils-ping          pings
demo       busybox-static        web server and client
demo       iperf3                throughput
bench      iproute2              namespaces and the Linux bridge, a peer
bench      iputils-ping          round trips
bench      iperf3                throughput
bench      python3               runs them all
bench      util-linux            nsenter
bench      openvswitch-switch    a peer
bench      vde2                  a peer
bench      valgrind              instructions a frame
bench      dpdk-dev              dpdk-testpmd, a peer
bench      openvswitch-switch-dpdk  a peer
bench      nftables              NAT of the kernel, a peer
bench      passt                 pasta, a peer
bench      slirp4netns           a peer
bench      kea-admin             perfdhcp, clients of the DHCP servers
bench      dnsmasq-base          DHCP and DNS, a peer
bench      dnsperf               queries of names
'

if [ $# = 0 ]; then
	echo "usage: tests/install-packages.sh build|check|demo|bench..." >&2
	exit 2
fi

# "package why" of the sets asked for, each package once.
wanted=$(for set; do awk -v set="$set" '$1 == set' <<<"$table"; done |
	awk '!seen[$2]++ { name = $2; $1 = $2 = ""; sub(/^ */, ""); print name, $0 }')

is_debian_12()
{
	[ -r /etc/os-release ] && (. /etc/os-release && [ "${ID:-}" = debian ] && [ "${VERSION_ID:-}" = 12 ])
}

if ! is_debian_12; then
	# Elsewhere the names differ and are not ours to guess: what the programs are is enough to go on.
	if [ -n "${VFAB_PACKAGES_OK:-}" ]; then
		exit 0
	fi
	echo "These are packages of Debian 12, which this system is not; install what they stand for, then"
	echo "set VFAB_PACKAGES_OK=1:"
	printf '%s\n' "$wanted" | sed 's/^\([^ ]*\) /  \1\t/' | expand -t 26
	exit 1
fi

has_package()
{
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=()
while read -r package why; do
	has_package "$package" && continue
	[ ${#missing[@]} -gt 0 ] || echo "Packages of Debian that are missing here:"
	printf '  %-22s %s\n' "$package" "$why"
	missing+=("$package")
done <<<"$wanted"

[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "Run this as root, or: apt-get install --no-install-recommends ${missing[*]}" >&2
	exit 1
fi

# While this file says 101, no package starts its service.  A policy that is already there stays.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	trap 'rm -f "$policy"' EXIT
	trap 'exit 1' INT TERM HUP
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
fi

# A boot image is rebuilt by triggers of packages that change it; none of these do, and none may.
export DEBIAN_FRONTEND=noninteractive INITRD=No
apt-get -q update
apt-get -q -y --no-install-recommends install "${missing[@]}"
