#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# H01 with QEMU: the switch is killed under traffic and its successor takes the guests over from the broker: they notice a pause and
# nothing else.  Then both processes are killed and vfabd is started again: QEMU and vfabd find each other, whoever listens,
# and traffic passes within 2 s.  No frame comes twice, none goes to another network.  A packed ring cannot be
# resumed after that, since where it stood is in nobody's memory: its guest has to reset the device.
# SOAK=1: 100 deaths of the switch, and vfabd stays away for 0, 10 and 90 s.
#
#   vm0 .3 (QEMU listens; split, two queues) --.
#   vm1 .4 (QEMU connects; split) -------------+-- office, VLAN 10 -- [ switch | broker ] -- c1 .1 (tap)
#   vm2 .5 (QEMU connects; packed) ------------'   other, VLAN 20 -----------------------  -- c2 (tap), which gets no frame
. "$(dirname "$0")/../lib/scenario.sh"
. "$ROOT/tests/lib/guest.sh"

MOST_MS=2000
AIM_MS=200

ns c1
ns c2
fabric <<EOF
networks:
  office: {mode: internal, vlan: 10}
  other: {mode: internal, vlan: 20}
ports:
$(tap c1 "network: office, ipv4: 10.77.0.1/24")
$(tap c2 "network: other")
$(vhost vm1 "network: office")
$(vhost vm2 "network: office")
EOF
expect vfab port add vm0 --net office --vhost-user "$T/vm0.sock" --client --queues 2
expect_eq "vm0 without a guest" "$(port_value vm0 .state)" waiting
allow_log 'the switch|the broker is gone|state region'
guest_start vm0 10.77.0.3 server queues=2
guest_start vm1 10.77.0.4
guest_start vm2 10.77.0.5 packed=on
for name in vm0 vm1 vm2; do guest_ready $name; done
wait_for 3 ports_up
vfab config show >"$T/before.yaml"

# steady SECONDS: pings between all, 50 a second each, in the background.
steady()
{
	local address

	rm -f "$T"/pings-*
	PINGS=()
	for address in 10.77.0.3 10.77.0.4 10.77.0.5; do
		nsenter --net="/run/netns/$c1" ping -q -i 0.02 -c $(($1 * 50)) -W 1 $address >"$T/pings-c1-$address" 2>&1 &
		PINGS+=($!)
	done
	guest_run vm0 "ping -q -i 0.02 -c $(($1 * 50)) -W 1 10.77.0.4 >/tmp/pings 2>&1 &"
	guest_run vm1 "ping -q -i 0.02 -c $(($1 * 50)) -W 1 10.77.0.5 >/tmp/pings 2>&1 &"
}

# gap MOST: the pings come to their end, and none stood still for more than MOST ms: neither were so many lost, nor did one take so
# long.  What a guest sends while no switch runs waits in its ring.
gap()
{
	local name file lost slowest_ms gap_ms worst_ms=0

	wait "${PINGS[@]}" || true
	for name in vm0 vm1; do
		guest_run $name 'while pidof ping; do usleep 20000; done >/dev/null; cat /tmp/pings' >"$T/pings-$name"
	done
	for file in "$T"/pings-*; do
		refuse grep duplicates "$file"
		lost=$(awk '/packets transmitted/ { print $1 - $4 }' "$file")
		slowest_ms=$(awk -F '[ /]' '/min\/avg\/max/ { sub(/.*= /, ""); split($0, ms, "/"); print int(ms[3]) }' "$file")
		[ -n "$lost" ] && [ -n "$slowest_ms" ] || fail "nothing came back: $(cat "$file")"
		echo "${file##*/pings-}: $lost lost, the slowest took $slowest_ms ms"
		gap_ms=$((lost * 20 > slowest_ms ? lost * 20 : slowest_ms))
		[ $gap_ms -le $worst_ms ] || worst_ms=$gap_ms
	done
	echo "a gap of $worst_ms ms; the aim is $AIM_MS"
	[ $worst_ms -le $(($1 * SLOW)) ] || fail "a gap of $worst_ms ms, more than $1"
}

is_another()
{
	[ -n "$(switch_pid)" ] && [ "$(switch_pid)" != "$1" ] && vfab port ls
}

kill_switch()
{
	local pid

	pid=$(switch_pid)
	kill -9 "$pid"
	wait_for 5 is_another "$pid"
}

moved()
{
	[ "$(port_value vm1 .rx.frames)" -gt $((before + $1)) ]
}

link_changes()
{
	local name

	for name in vm0 vm1 vm2; do
		guest_run $name 'cat /sys/class/net/eth0/carrier_changes'
	done | paste -sd ' '
}

# The second within 5 s begins with empty tables.
changes=$(link_changes)
broker=$FABRIC_PID
deaths=3
[ -z "${SOAK:-}" ] || deaths=100
steady 1
gap $MOST_MS
for ((i = 0; i < deaths; i++)); do
	before=$(port_value vm1 .rx.frames)
	steady 3
	wait_for 2 moved 20
	kill_switch
	gap $MOST_MS
	expect ports_up
done
expect_eq "the broker" "$FABRIC_PID" "$broker"
echo "soak: $deaths deaths of the switch under pings between guests"

# With full rings: a stream of TCP goes on.
guest_run vm0 'iperf3 -s -D'
wait_for 5 guest_run vm0 'netstat -ltn | grep -q :5201'
guest_run vm1 'iperf3 -c 10.77.0.3 -t 4 -J >/tmp/iperf 2>&1 &'
before=$(port_value vm1 .rx.frames)
wait_for 5 moved 200
kill_switch
before=$(port_value vm1 .rx.frames)
wait_for 2 moved 200
guest_run vm1 'while pidof iperf3; do usleep 20000; done >/dev/null; cat /tmp/iperf' 20 >"$T/iperf"
expect jq -e '.end.sum_received.bytes > 0' "$T/iperf"
expect_eq "changes of link that guests saw" "$(link_changes)" "$changes"
vfab config show >"$T/after.yaml"
expect diff "$T/before.yaml" "$T/after.yaml"

now_ms()
{
	local t=$EPOCHREALTIME

	echo $((${t%[.,]*} * 1000 + 10#${t#*[.,]} / 1000))
}

# passes_again NAME...: c1 reaches each within 2 s of $start_ms.
passes_again()
{
	local name took_ms

	for name; do
		until run c1 ping -q -c 1 -W 0.1 "$name" >/dev/null 2>&1; do
			[ "$(now_ms)" -lt $((start_ms + 5 * MOST_MS * SLOW)) ] || break
		done
		took_ms=$(($(now_ms) - start_ms))
		echo "$name is back $took_ms ms after the start of vfabd"
		[ $took_ms -le $((MOST_MS * SLOW)) ] || fail "$name is back after $took_ms ms, more than $MOST_MS"
	done
}

absences=0
[ -z "${SOAK:-}" ] || absences="0 10 90"
for absence in $absences; do
	before=$(port_value vm1 .rx.frames)
	steady 1
	wait_for 2 moved 20
	switch=$(switch_pid)
	kill -9 "$FABRIC_PID" "$switch"
	wait "$FABRIC_PID" 2>/dev/null || true
	wait_for 2 process_gone "$switch"
	FABRIC_PID=
	wait "${PINGS[@]}" || true
	sleep "$absence" # its length is what is tested
	start_ms=$(now_ms)
	fabric <"$T/before.yaml"
	passes_again 10.77.0.3 10.77.0.4
	expect run c1 ping -q -c 3 -i 0.1 -W 1 10.77.0.3
	expect guest_run vm0 'ping -q -c 3 -i 0.1 -W 1 10.77.0.4'
	guest_reboot vm2
	guest_ready vm2
	expect guest_run vm2 'ping -q -c 3 -i 0.1 -W 1 10.77.0.4'
done
echo "soak: vfabd was away for $absences s"
steady 1
gap $MOST_MS
expect_eq "frames that went to another network" "$(port_value c2 .tx.frames)" 0
expect_eq "frames that c2 got" "$(link_value c2 eth0 .stats64.rx.packets)" 0
