#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Q3: vfabd does not end by itself.  Its switch dies of every signal that a bug can give, over and over (100 times with SOAK=1), and with
# tables full of nonsense; the broker is the same process afterwards, with the same taps, the same descriptors and the same
# configuration, and c1 reaches c2.  H11, and H01 without vhost-user.  At last the broker is killed: nothing is left that
# keeps a new one from its place, and guests are back within 2 s (the part of Q5 that taps have).
#
#   c1, c2 -- office, VLAN 10 -- [ switch: dies | broker: stays ]
. "$(dirname "$0")/../lib/scenario.sh"

pair
# A sanitizer tells of the signals that we send.
allow_log 'the switch|the broker is gone|Sanitizer|state region'
expect run c1 ping -q -c 2 -i 0.02 -W 1 10.77.0.2
broker=$FABRIC_PID
ifindex=$(run c1 cat /sys/class/net/eth0/ifindex)
vfab config show >"$T/before.yaml"

descriptors()
{
	find "/proc/$broker/fd" -mindepth 1 | wc -l
}
before=$(descriptors)

is_another()
{
	[ -n "$(switch_pid)" ] && [ "$(switch_pid)" != "$1" ] && vfab port ls
}

# dies SIGNAL: and everything is as it was.
dies()
{
	local pid

	pid=$(switch_pid)
	kill "-$1" "$pid"
	wait_for 8 is_another "$pid"
	wait_for 2 run c1 ping -q -c 1 -W 1 10.77.0.2
}
signals=(KILL SEGV BUS ABRT SYS KILL)
count=${#signals[@]}
[ -z "${SOAK:-}" ] || count=100
for ((i = 0; i < count; i++)); do
	dies "${signals[i % ${#signals[@]}]}" 2>/dev/null
done
expect_eq "restarts" "$(vfab version -o json | jq '.vfabd.crashes // .crashes')" $count

vfab config show >"$T/after.yaml"
expect diff "$T/before.yaml" "$T/after.yaml"
expect_eq "ifindex of c1" "$(run c1 cat /sys/class/net/eth0/ifindex)" "$ifindex"
expect_eq "descriptors of the broker" "$(descriptors)" "$before"
expect_eq "children of the broker" "$(pgrep -P "$broker" | wc -l)" 1
expect kill -0 "$broker"

# A switch that does not answer does not keep vfabd from ending.
kill -STOP "$(switch_pid)"
stop_fabric

echo "soak: $count deaths of the switch"

# What the next switch finds in its tables is nonsense.  The old one is stopped, lest it find it first; each is the first
# that a vfabd loses, for after a second crash tables are empty.
scribble()
{
	/usr/bin/python3 - "/proc/$(switch_pid)/fd/6" "$1" <<'PY'
import os
import random
import sys

path, how = sys.argv[1:]
seed = int.from_bytes(os.urandom(4), "big")
random.seed(seed)
print(f"seed {seed}, {how}")
with open(path, "r+b", buffering=0) as region:
    size = os.fstat(region.fileno()).st_size
    if how == "all":
        for at in range(0, size, 1 << 16):
            os.pwrite(region.fileno(), os.urandom(min(1 << 16, size - at)), at)
    for _ in range(20000 if how == "some" else 0):
        # Past the first page, so that it is still taken for a region.
        os.pwrite(region.fileno(), random.choice((b"\xff", b"\0", os.urandom(8))), random.randrange(4096, size - 8))
PY
}
for how in some all some; do
	fabric <"$T/before.yaml"
	wait_for 5 ports_up
	run c1 ping -q -c 1 -W 1 10.77.0.2
	kill -STOP "$(switch_pid)"
	scribble $how
	dies KILL 2>/dev/null
	vfab mac ls >"$T/out"
	vfab events >"$T/out"
	vfab stats >"$T/out"
	expect run c1 ping -q -c 10 -i 0.01 -W 1 10.77.0.2
	expect_eq "restarts" "$(vfab version -o json | jq '.vfabd.crashes // .crashes')" 1
	stop_fabric
done

fabric <"$T/before.yaml"
wait_for 5 ports_up
switch=$(switch_pid)
kill -9 "$FABRIC_PID"
wait "$FABRIC_PID" 2>/dev/null || true
wait_for 2 process_gone "$switch"
has_no_tap()
{
	[ -z "$(taps_of "$1")" ]
}
wait_for 2 has_no_tap "$c1"
is_silent()
{
	! vfab port ls >/dev/null 2>&1
}
wait_for 5 is_silent # the last descriptor of its socket goes with the process
FABRIC_PID=
fabric <"$T/before.yaml"
wait_for 2 run c1 ping -q -c 1 -W 1 10.77.0.2
