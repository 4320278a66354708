#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# R07 descriptors, address space, disk: what runs out is refused in one clear line, nothing ends, c1 and c2 ping each other all the time
# without a loss, and what was refused is taken once there is room again.  (Memory that runs out at any one
# allocation: no-memory.sh.  Q3.)
#
#   c1, c2, then p1 .. in "room" -- office, VLAN 10 -- [ switch | broker ] -- file, state and captures in a tmpfs of 1 MiB
. "$(dirname "$0")/../lib/scenario.sh"

ns room
allow_log '[Tt]oo many open files|[Mm]emory|descriptors|[Nn]o space'
mkdir "$T/disk"
mount -t tmpfs -o size=1m vfab-test "$T/disk"
defer umount "$T/disk"

# one_line STATUS CMD...: it must end so, and say one line on standard error, or none when it goes well.
one_line()
{
	local want=$1 got=0
	shift

	"$@" >"$T/out" 2>"$T/stderr" || got=$?
	# What a capture counted is no error.
	grep -v '^[0-9]* frames captured' "$T/stderr" >"$T/said" || true
	cat "$T/said"
	expect_eq "status of $1 ${2:-} ${3:-} ${4:-}" "$got" "$want"
	expect_eq "lines that it says" "$(wc -l <"$T/said")" "$([ "$want" = 0 ] && echo 0 || echo 1)"
}

pair
expect run c1 ping -q -c 1 -W 1 10.77.0.2
switch=$(switch_pid)
start c1 ping -q -i 0.01 -W 1 10.77.0.2
pinging=$STARTED

# limits_of PID ARG...: prlimit as the user of that process, which even root may need to be.
limits_of()
{
	local pid=$1 uid gid
	shift

	uid=$(awk '/^Uid/ { print $2 }' "/proc/$pid/status")
	gid=$(awk '/^Gid/ { print $2 }' "/proc/$pid/status")
	setpriv --reuid "$uid" --regid "$gid" --clear-groups prlimit --pid "$pid" "$@"
}

add()
{
	vfab port add "p$1" --net office --tap "p$1" --netns "${room:?}"
}

# full WHAT PID: ports are added until PID, which may have 24 descriptors more than now, has none left.
full()
{
	local limit last before

	echo "-- descriptors of the $1"
	limit=$(($(find "/proc/$2/fd" -mindepth 1 | wc -l) + 24))
	before=$(limits_of "$2" --nofile -o SOFT --noheadings | tr -d ' ')
	limits_of "$2" --nofile="$limit:"
	for ((last = 1; last <= 40; last++)); do
		add $last 2>"$T/said" || break
	done
	expect test "$last" -gt 5 -a "$last" -lt 40
	echo "ok: $((last - 1)) ports"
	one_line 1 add $last
	expect grep -qiE 'descriptors|too many open files' "$T/said"
	expect_eq "ports that there are" "$(vfab port ls -o json | jq length)" $((last + 1))
	one_line 0 vfab port del p1
	one_line 0 add $last
	limits_of "$2" --nofile="$before:"
	one_line 0 add 1
	for ((; last >= 1; last--)); do
		vfab port del "p$last"
	done
	expect_eq "taps in room" "$(taps_of "$room")" ""
}
full switch "$switch"
full broker "$FABRIC_PID"

if [ "$SLOW" = 1 ]; then
	echo "-- address space of the switch"
	{
		sed '/^ports:/,$d' "$T/fabric.yaml"
		for i in {11..3000}; do
			echo "  n$i: {mode: internal, vlan: $i}"
		done
		sed -n '/^ports:/,$p' "$T/fabric.yaml"
	} >"$T/large.yaml"
	one_line 0 vfab check "$T/large.yaml"
	size=$(awk '/^VmSize/ { print $2 * 1024 }' "/proc/$switch/status")
	limits_of "$switch" --as="$((size + 65536)):"
	one_line 1 vfab apply "$T/large.yaml"
	expect grep -qi memory "$T/said"
	expect_eq "networks" "$(vfab net ls -o json | jq length)" 1
	limits_of "$switch" --as=unlimited:
	one_line 0 vfab apply "$T/large.yaml"
	expect_eq "networks" "$(vfab net ls -o json | jq length)" 2991
	one_line 0 vfab apply "$T/fabric.yaml"
fi

echo "-- disk"
echo 'networks: {office: {mode: internal, vlan: 10}}' >"$T/disk/other.yaml"
cp "$T/disk/other.yaml" "$T/other.yaml"
dd if=/dev/zero of="$T/disk/filler" bs=4k 2>/dev/null || true
one_line 1 vfab config save "$T/disk/saved.yaml"
expect grep -qi 'no space' "$T/said"
refuse test -s "$T/disk/saved.yaml"
one_line 1 vfab capture all -w "$T/disk/full.pcapng"
expect grep -qi 'no space' "$T/said"
# A second vfabd whose file and state lie there: the file is whole, the old one or the new one.
other()
{
	"$BUILD/vfab" -s "$T/other.sock" "$@"
}
start fab "$BUILD/vfabd" -c "$T/disk/other.yaml" -s "$T/other.sock" --state "$T/disk/state"
second=$STARTED
wait_for 5 other net ls
one_line 0 other net add more --mode internal --vlan 11
one_line 1 other config save
expect grep -qi 'no space' "$T/said"
expect cmp "$T/disk/other.yaml" "$T/other.yaml"
rm "$T/disk/filler"
one_line 0 other config save
expect grep -q more "$T/disk/other.yaml"
end_process "$second"
one_line 0 vfab config save "$T/disk/saved.yaml"
one_line 0 vfab check "$T/disk/saved.yaml"
one_line 0 vfab capture all --count 5 -w "$T/disk/good.pcapng"

kill -INT "$pinging"
wait "$pinging" || fail "pings were lost: $(tail -n 5 "$T/background.log")"
pings_lost "$T/background.log" 1
expect_eq "the process that switches" "$(switch_pid)" "$switch"
stop_fabric

# The same at the start: whatever the limit, vfabd is ready, or says one line and ends.
started=0
refused=0
decided()
{
	grep -q 'info: ready' "$T/start.log" || process_gone "$1"
}

# begins LIMIT...: vfabd with limits of prlimit.
begins()
{
	local pid status=0

	: >"$T/start.log"
	nsenter --net="/run/netns/${fab:?}" prlimit "$@" "$BUILD/vfabd" -c "$T/fabric.yaml" -s "$SOCKET" --state "$T/state" \
		2>"$T/start.log" </dev/null &
	pid=$!
	defer end_process "$pid"
	wait_for 10 decided "$pid" || fail "$*: neither ready nor ended"
	if grep -q 'info: ready' "$T/start.log"; then
		kill -TERM "$pid"
		wait "$pid" || fail "$*: ended with status $?"
		started=$((started + 1))
		return
	fi
	wait "$pid" || status=$?
	[ "$status" = 1 ] || fail "$*: status $status: $(cat "$T/start.log")"
	[ "$(grep -vc info: "$T/start.log")" = 1 ] || fail "$* says: $(cat "$T/start.log")"
	refused=$((refused + 1))
	echo "$*: $(cat "$T/start.log")"
}
for limit in 4 6 8 10 12 14 16 20 24 64; do
	begins --nofile=$limit:$limit
done
if [ "$SLOW" = 1 ]; then
	for limit in 16 20 24 28 32 40 48 64 96 128 256 1024 8192; do
		begins --as=$((limit << 20))
	done
fi
echo "ok: under limits $started starts, $refused refused"
expect test $started -gt 0 -a $refused -gt 2
