#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# S01, and with syscalls.sh Q7: what the switch process may: nothing; and the resolver: send from where the host does.  Read from /proc
# while they work.
#
#   c1, c2 -- office -- [ switch: no capabilities, empty root, seccomp | broker | resolver: the same ]
. "$(dirname "$0")/../lib/scenario.sh"

[ "$SLOW" = 1 ] || skip "the sandbox is judged on the normal build"
ns c1
ns c2
fabric <<EOF
networks:
  office: {mode: internal, vlan: 10}
  outer: {mode: nat, ipv4: 10.67.0.0/24}
workers: {cpus: [0]}
ports:
$(tap c1 "network: office, ipv4: 10.77.0.1/24")
$(tap c2 "network: office, ipv4: 10.77.0.2/24")
EOF
wait_for 5 ports_up
expect run c1 ping -q -c 3 -i 0.05 -W 1 10.77.0.2

status_of()
{
	awk -v key="$2:" '$1 == key { $1 = ""; sub(/^ /, ""); print }' "$1/status"
}

# harmless PROC: every thread of it, the workers too.
harmless()
{
	local proc=$1 task name set ids kind

	for task in "$proc"/task/*; do
		name=$(cat "$task/comm")
		for set in CapInh CapPrm CapEff CapBnd CapAmb; do
			expect_eq "$name $set" "$(status_of "$task" $set)" 0000000000000000
		done
		expect_eq "$name NoNewPrivs" "$(status_of "$task" NoNewPrivs)" 1
		expect_eq "$name Seccomp" "$(status_of "$task" Seccomp)" 2
		for ids in Uid Gid; do
			refuse grep -qw 0 <<<"$(status_of "$task" $ids)"
		done
	done
	expect_eq "supplementary groups" "$(status_of "$proc" Groups | tr -d ' ')" ""

	# Not dumpable: its files in /proc belong to root though it is nobody.
	expect_eq "owner of its /proc" "$(stat -c %u "$proc/mem")" 0

	for kind in mnt ipc uts; do
		[ "$(readlink "$proc/ns/$kind")" != "$(readlink "/proc/$FABRIC_PID/ns/$kind")" ] ||
			fail "namespace $kind is the broker's"
		echo "ok: own $kind namespace"
	done
	expect_eq "entries in its root" "$(find "$proc/root/" -mindepth 1 | wc -l)" 0
	expect_eq "its root is read-only" "$(awk '$5 == "/" { print $6 }' "$proc/mountinfo" | grep -cw ro)" 1
	expect_eq "mounts it sees" "$(wc -l <"$proc/mountinfo")" 1
}

resolver=/proc/$(pgrep -P "$FABRIC_PID" -f -- ' --as-resolver ')
harmless "$resolver"
expect_eq "what the resolver holds" "$(readlink "$resolver"/fd/* | grep -cv '^/dev/null$\|^socket:\|^anon_inode:\[eventpoll\]$\|vfabd.log$')" 0
proc=/proc/$(switch_pid)
harmless "$proc"
[ "$(readlink "$proc/ns/net")" != "$(readlink "/proc/$FABRIC_PID/ns/net")" ] || fail "namespace net is the broker's"

# No descriptor leads to a file of the machine but the standard ones it was started with, and the two of the journal of leases: taps,
# sockets, eventfds, memfds.
for fd in "$proc"/fd/*; do
	[ "${fd##*/}" -gt 2 ] || continue
	target=$(readlink "$fd") || continue
	case $target in
	socket:* | pipe:* | anon_inode:* | /dev/net/tun | /memfd:*) ;;
	*/leases.[ab]) expect_eq "what ${target##*/} is" "$(stat -c '%a %u %h' "$target")" "600 0 1" ;;
	*) fail "descriptor ${fd##*/} is $target" ;;
	esac
done
echo "ok: descriptors"

# It cannot be traced or signalled by its own user, and cannot signal others: the broker is root's.
expect_eq "uid of the broker" "$(status_of "/proc/$FABRIC_PID" Uid | tr -d " 0")" ""
