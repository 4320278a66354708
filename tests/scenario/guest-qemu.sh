#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# V01, G12, H04: a Linux guest in QEMU is a neighbour like any other.  Pings, TCP with and without segmentation offload on either
# side, whole files, counters to the frame, another network that is not reached; then the guest is reset under traffic,
# panics and is killed under traffic, and comes back on the same socket with another kind of ring, while
# its neighbours notice nothing.  SOAK=1: 200 resets, 200 kills.
#
#   vm0 .3 (packed ring, two queues, all offloads) --.
#   vm1 .4 (split ring, no offloads) ----------------+-- office, VLAN 10 -- [ vfabd ] -- c1 .1 (tap)
#                                  (vm1 is on "other" for a while)
. "$(dirname "$0")/../lib/scenario.sh"
[ -z "${SAN:-}" ] || [ -n "${SOAK:-}" ] || skip "guest-reconnect.sh has guests under the sanitizers too"
. "$ROOT/tests/lib/guest.sh"

declare -A ADDRESS=([c1]=10.77.0.1 [vm0]=10.77.0.3 [vm1]=10.77.0.4)
ROUNDS=${SOAK:+200}
ROUNDS=${ROUNDS:-1}

ns c1
fabric <<EOF
networks:
  office: {mode: internal, vlan: 10}
  other: {mode: internal, vlan: 20}
ports:
$(tap c1 "network: office, ipv4: 10.77.0.1/24")
$(vhost vm0 "network: office, queues: 2")
EOF
expect vfab port add vm1 --net office --vhost-user "$T/vm1.sock"
expect_eq "vm0 without a guest" "$(port_value vm0 .state)" waiting
guest_start vm0 10.77.0.3 queues=2 packed=on
# shellcheck disable=SC2046 # words
guest_start vm1 10.77.0.4 $(no_offloads)
guest_ready vm0
guest_ready vm1
wait_for 2 ports_up
expect has_event port_up "port vm0"

# at NAME CMD: in the container or in a guest.
at()
{
	if [ "$1" = c1 ]; then
		run c1 timeout $((${3:-10} * SLOW)) sh -c "$2"
	else
		guest_run "$@"
	fi
}

pings()
{
	expect at "$1" "ping -q -c 3 -i 0.1 -W 2 ${ADDRESS[$2]}"
}

listens()
{
	at "$1" "netstat -ltn 2>/dev/null | grep -q :$2 || ss -ltn 2>/dev/null | grep -q :$2"
}

for from in c1 vm0 vm1; do
	for to in c1 vm0 vm1; do
		[ $from = $to ] || pings $from $to
	done
done
expect_eq "queues of vm0" "$(guest_run vm0 'ethtool -l eth0' | awk '/^Combined/ { n = $2 } END { print n }')" 2

# Another network is not reached, not even by a broadcast.
expect vfab port set vm1 --net other
before=$(port_value vm1 .tx.frames)
refuse at vm0 "ping -q -c 3 -i 0.1 -W 1 10.77.0.4"
refuse at c1 "ping -q -c 3 -i 0.1 -W 1 10.77.0.4"
refuse at vm1 "ping -q -c 3 -i 0.1 -W 1 10.77.0.3"
expect_eq "frames that vm1 got from its old network" "$(port_value vm1 .tx.frames)" "$before"
expect vfab port set vm1 --net office
pings vm0 vm1

# iperf FROM TO: a second of TCP.
iperf()
{
	local rate

	rate=$(at "$1" "iperf3 -c ${ADDRESS[$2]} -t 1 -J 2>/dev/null" 20 |
		jq '.end.sum_received.bits_per_second / 1e6 | floor') || fail "no TCP from $1 to $2"
	echo "TCP from $1 to $2: $rate Mbit/s"
	[ "$rate" -ge 1 ] || fail "TCP from $1 to $2 crawls"
}

# frame_size PORT BEFORE: bytes of a frame that came in by it since, on average; BEFORE is what .rx was.
frame_size()
{
	port_value "$1" ".rx | (.bytes - $(jq .bytes <<<"$2")) / (.frames - $(jq .frames <<<"$2")) | floor"
}

# tcp FROM TO large|small: and frames of FROM are as a sender makes them that leaves cutting to the device, or that cuts itself.
tcp()
{
	local before size

	before=$(port_value "$1" .rx)
	iperf "$1" "$2"
	size=$(frame_size "$1" "$before")
	echo "frames of $1: $size bytes on average"
	if [ "$3" = large ]; then
		[ "$size" -gt 3000 ] || fail "$1 did not send large segments"
	else
		[ "$size" -le 1514 ] || fail "$1 sent large segments"
	fi
}

serve()
{
	if [ "$1" = c1 ]; then
		start c1 iperf3 -s
	else
		guest_run "$1" 'iperf3 -s -D'
	fi
	wait_for 5 listens "$1" 5201
}
for name in c1 vm0 vm1; do serve $name; done
tcp vm0 c1 large
tcp vm0 vm1 large
tcp vm1 vm0 small
tcp vm1 c1 small
iperf c1 vm0
iperf c1 vm1
guest_run vm0 'ethtool -K eth0 tso off gso off tx off' >/dev/null
tcp vm0 vm1 small
tcp vm0 c1 small
guest_run vm0 'ethtool -K eth0 tx on gso on tso on' >/dev/null

no_bad_checksums()
{
	local file=$T/snmp-$1

	at "$1" 'cat /proc/net/snmp' >"$file"
	# Each protocol has a line of names and one of values.
	expect_eq "bad checksums at $1" "$(awk '{
		for (i = 2; i <= NF; i++)
			if (name[$1, i] == "InCsumErrors") n += $i
			else name[$1, i] = $i
	} END { print n + 0 }' "$file")" 0
}
for name in c1 vm0 vm1; do no_bad_checksums $name; done

# Since its driver began, a guest has counted the very frames that its port did.
counters_agree()
{
	local statistics=/sys/class/net/eth0/statistics

	[ "$(guest_run "$1" "cat $statistics/tx_packets $statistics/rx_packets" | paste -sd ' ')" = \
		"$(port_value "$1" '"\(.rx.frames) \(.tx.frames)"')" ]
}
for name in vm0 vm1; do wait_for 5 counters_agree $name; done
wait_for 2 sums_match

# receive NAME, send NAME TO: all of $T/file, in a guest /tmp/file.  An nc whose input ends says so, and the other would take
# that for the end of all: the one that receives has an input that stays open.
receive()
{
	if [ "$1" = c1 ]; then
		start c1 socat -u TCP-LISTEN:9000,reuseaddr "OPEN:$T/file,creat,trunc"
	else
		guest_run "$1" 'sleep 100 | nc -l -p 9000 >/tmp/file &'
	fi
	wait_for 5 listens "$1" 9000
}
send()
{
	if [ "$1" = c1 ]; then
		expect run c1 timeout $((30 * SLOW)) socat -u "OPEN:$T/file" "TCP:${ADDRESS[$2]}:9000"
	else
		expect guest_run "$1" "nc ${ADDRESS[$2]} 9000 </tmp/file" 30
	fi
	if [ "$2" = c1 ]; then
		wait "$STARTED"
	else
		guest_run "$2" 'while pidof nc; do usleep 10000; done >/dev/null'
	fi
}

# Once around, and back.
head -c 20M /dev/urandom >"$T/file"
sum=$(sha256sum <"$T/file")
for way in "c1 vm0 vm1 c1" "c1 vm1 vm0 c1"; do
	from=
	for to in $way; do
		if [ -n "$from" ]; then
			receive "$to"
			send "$from" "$to"
		fi
		from=$to
	done
	expect_eq "20 MiB by way of $way" "$(sha256sum <"$T/file")" "$sum"
done
for name in vm0 vm1; do guest_run $name 'rm /tmp/file'; done

# From here on vm1 is the neighbour to whom nothing may happen.
nsenter --net="/run/netns/$c1" ping -q -i 0.02 10.77.0.4 >"$T/neighbour" 2>&1 &
neighbour=$!
defer end_process $neighbour

# G12: the rings stop in the middle of traffic both ways, and are others afterwards.
flows()
{
	[ "$(port_value vm0 .rx.frames)" -gt $((before + 200)) ]
}
for ((i = 0; i < ROUNDS; i++)); do
	start c1 iperf3 -c 10.77.0.3 -t 3600 --bidir
	traffic=$STARTED
	before=$(port_value vm0 .rx.frames)
	wait_for 5 flows
	guest_reboot vm0
	guest_ready vm0
	expect guest_run vm0 'ping -q -c 1 -W 1 10.77.0.1'
	expect guest_run vm0 'ping -q -c 1 -W 1 10.77.0.4'
	end_process $traffic
	serve vm0
done
echo "soak: $ROUNDS resets of a guest under traffic"

# H04: a guest that panics takes nothing any more, and its ring fills up; then QEMU is killed.
is_waiting()
{
	[ "$(port_value "$1" .state)" = waiting ]
}
for ((i = 0; i < ROUNDS; i++)); do
	start c1 ping -q -f -s 1000 10.77.0.3
	traffic=$STARTED
	if [ $((i % 10)) = 0 ]; then
		guest_run vm0 '(usleep 100000; echo c >/proc/sysrq-trigger) &'
		wait_for 5 grep -q 'Kernel panic' "$T/vm0.console"
	fi
	guest_kill vm0
	wait_for 1 is_waiting vm0
	expect has_event port_waiting "port vm0"
	end_process $traffic
	if [ $((i % 2)) = 0 ]; then
		guest_start vm0 10.77.0.3
	else
		guest_start vm0 10.77.0.3 packed=on queues=2
	fi
	guest_ready vm0
	expect guest_run vm0 'ping -q -c 1 -W 1 10.77.0.1'
done
echo "soak: $ROUNDS kills of a guest under traffic"

kill -INT $neighbour
wait $neighbour || true
tail -n 2 "$T/neighbour"
pings_lost "$T/neighbour" 1

# What is there now has all offloads; in a short run on a split ring.
serve vm0
tcp vm0 c1 large
tcp vm0 vm1 large
iperf c1 vm0

# One that ends by itself, and a port that goes.
guest_stop vm1
wait_for 1 is_waiting vm1
expect has_event port_waiting "port vm1"
pings c1 vm0
expect vfab port del vm1
refuse test -e "$T/vm1.sock"
