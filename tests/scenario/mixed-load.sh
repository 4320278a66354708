#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# F13: everything at once, for LOAD_SECONDS (8; make soak: its whole time): streams, pings, nonsense, captures and traces, ports that come and
# go, configurations that change.  At the end every frame is accounted for, no ping was lost, no descriptor is left, and memory has
# not grown: 1 % a day, of which a run of minutes can only see what is more than 1 MiB.  (Q1, Q6)
#
#   c1 -- iperf3 --> c2, c3 -- ping -- c4     office, VLAN 10 --.
#   c5 -- random bytes -->  c6                storage, VLAN 20 -+-- [ vfabd, two workers ]
#   c7 -- ping -- the host                    inner, host-only -'
#   c8: added, changed and removed all the time
#
# Threads: two workers
. "$(dirname "$0")/../lib/scenario.sh"

seconds=${LOAD_SECONDS:-8}
for name in c{1..8}; do ns "$name"; done
fabric <<EOF
networks:
  office: {mode: internal, vlan: 10}
  storage: {mode: internal, vlan: 20}
  inner: {mode: host-only, ipv4: 10.66.0.0/24}
workers: {cpus: [0, 1]}
ports:
$(tap c1 "network: office, ipv4: 10.77.0.1/24, queues: 2")
$(tap c2 "network: office, ipv4: 10.77.0.2/24, queues: 2")
$(tap c3 "network: office, ipv4: 10.77.0.3/24")
$(tap c4 "network: office, ipv4: 10.77.0.4/24")
$(tap c5 "network: storage")
$(tap c6 "network: storage")
$(tap c7 "network: inner, ipv4: 10.66.0.7/24")
EOF
wait_for 5 ports_up
allow_log 'client'
cp "$T/fabric.yaml" "$T/with.yaml"
tap c8 "network: office, storm: {broadcast: 100}" >>"$T/with.yaml"
switch=$(switch_pid)

start c2 iperf3 -s --forceflush
wait_for 5 grep -q 'Server listening' "$T/background.log"
expect run c3 ping -q -c 1 -W 1 10.77.0.4
expect run c7 ping -q -c 1 -W 1 10.66.0.1

pings=()
# A process of ours, not of a subshell, so that SIGINT reaches it.
nsenter --net="/run/netns/$c3" ping -q -i 0.02 -W 1 10.77.0.4 >"$T/ping-c3" 2>&1 &
pings+=($!)
nsenter --net="/run/netns/$c7" ping -q -i 0.02 -W 1 10.66.0.1 >"$T/ping-c7" 2>&1 &
pings+=($!)
defer kill "${pings[@]}"
start c1 iperf3 -c 10.77.0.2 -t 86400 -b 200M --forceflush
"$BUILD/vfab" -s "$SOCKET" events --follow >/dev/null 2>&1 &
defer kill $!

nonsense()
{
	frames <<'PY'
import random
from frames import *

c5 = Station("c5")
for _ in range(300):
    size = random.choice((14, 60, random.randrange(14, 1514)))
    frame = os.urandom(size)
    c5.send(random.choice((frame, bytes((2, 0, 0, 0, 0, 6, 2, 0, 0, 0, 5, random.randrange(256))) + frame[12:])))
PY
}

# One turn of all that an operator does.
turn()
{
	nonsense >/dev/null
	vfab apply "$T/with.yaml" >/dev/null
	vfab port set c8 --mtu $((1400 + RANDOM % 100)) --isolated
	timeout 5 "$BUILD/vfab" -s "$SOCKET" trace icmp --count 3 >/dev/null
	timeout 5 "$BUILD/vfab" -s "$SOCKET" capture all -w "$T/capture" --count 50 2>/dev/null
	vfab port ls >/dev/null
	vfab mac ls -o json >/dev/null
	vfab mac flush --port c5 >/dev/null
	vfab config show >/dev/null
	vfab apply "$T/fabric.yaml" >/dev/null
	kill -HUP "$FABRIC_PID"
}

# KiB that both processes hold; the state region is as large as it is, and its pages come with the addresses that hit them.
memory()
{
	awk '/^RssAnon/ { sum += $2 } END { print sum }' "/proc/$switch/status" "/proc/$FABRIC_PID/status"
}
descriptors()
{
	echo "$(find "/proc/$switch/fd" -mindepth 1 | wc -l) $(find "/proc/$FABRIC_PID/fd" -mindepth 1 | wc -l)"
}
same_descriptors()
{
	[ "$(descriptors)" = "$before_fds" ]
}

# Heaps are as large as they get after some 40 turns, give pages back and take them again: the most before is held against the
# least after.  A short run has no time for that.
turns=0
warm=3
slack_kb=4096
if [ "$seconds" -ge 60 ]; then
	warm=80
	slack_kb=1024
fi
before_kb=0
for ((i = 0; i < warm; i++)); do
	turn
	kb=$(memory)
	[ "$kb" -lt "$before_kb" ] || before_kb=$kb
done
before_fds=$(descriptors)
end=$((SECONDS + seconds))
while [ $SECONDS -lt $end ] || [ $turns -lt 2 ]; do
	turn
	turns=$((turns + 1))
	# A long one need not be a busy one.
	[ "$seconds" -lt 60 ] || sleep 10
done
after_kb=$(memory)
for _ in 1 2 3; do
	turn
	kb=$(memory)
	[ "$kb" -gt "$after_kb" ] || after_kb=$kb
done

kill -INT "${pings[@]}"
wait "${pings[@]}" || true
for name in c3 c7; do
	tail -n 2 "$T/ping-$name"
	# Some are on their way when ping is stopped: more than one where the machine stands still for a moment.
	pings_lost "$T/ping-$name" 25
done
expect_eq "the process that switches" "$(switch_pid)" "$switch"
wait_for 5 same_descriptors
echo "$turns turns: memory $before_kb KiB, then $after_kb KiB"
if [ "$SLOW" = 1 ]; then
	expect test $((after_kb - before_kb)) -le $((slack_kb + before_kb * seconds / 86400 / 100))
fi
echo "soak: $seconds s, $turns turns, $(port_value c1 .rx.frames) frames of TCP, memory $before_kb then $after_kb KiB"
