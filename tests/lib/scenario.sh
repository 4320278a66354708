# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Words for scenarios.  A scenario is a bash script that sources this file first; it fails at the first command that
# fails, and undoes in reverse whatever it made, however it ends.
#
#   ns NAME [-6]             a network namespace; its full name is then in the variable NAME.  IPv6 stays off without -6
#   link A IFA B IFB         a veth pair between two namespaces, both ends up
#   fabric [ARG...] <<YAML   starts vfabd in a namespace of its own ("fab") with that file, and waits for its socket; by way of the command
#                            FABRIC_IN, which ends with exec of what follows it, if there is one
#   tap NAME [KEYS]          the line of a fabric's file for port NAME: eth0 in namespace NAME
#   stop_fabric              SIGTERM; it must end with 0 within 5 s and leave nothing behind
#   run NS CMD...            runs CMD in a namespace, printed
#   vfab ...                 the command, on this fabric's socket
#   frames <<PY              a Python program that knows tests/lib/frames.py
#   expect CMD...            CMD must succeed         refuse CMD...      CMD must fail
#   expect_status N CMD...   CMD must end with N      expect_eq WHAT GOT WANT
#   says N TEXT CMD...       CMD must end with N and say one line, which holds TEXT
#   wait_for SECONDS CMD...  until CMD succeeds; fails when it did not in time.  Nothing sleeps blindly
#   port_value PORT FILTER   a jq filter on one object of `vfab port ls`
#   link_value NS IF FILTER  a jq filter on what `ip link` says of an interface there
#   pair                     namespaces c1 (10.77.0.1) and c2 (10.77.0.2), ports of those names on network office, VLAN 10, up
#   ports_up [PORT...]       every port, or those named, is up
#   pings_lost FILE MOST     the summary of ping in FILE tells of answers, and of at most so many that did not come; a ping that was
#                            stopped by a signal may have one on its way
#   switch_pid               the process that switches; FABRIC_PID is the broker
#   has_event KIND [TEXT]    `vfab events` tells of it
#   allow_log PATTERN        a warning or error that the daemon's log may hold
#   defer CMD...             undone at the end, last first
#   skip REASON              exit 77
#
# At the end of a scenario that went well: each port's rx.frames is forwarded + local + drops to the frame, vfabd stops
# cleanly, no tap or process of it is left, and its log holds no line of level warn or err that was not
# allowed, and no report of a sanitizer.  After one that failed: counters, drops, events and the log are printed.
#
# Everything lies in the private directory $T, and every name carries this process' id: scenarios run side by side
# and never meet what an earlier one may have left.  BUILD says which build is tested; SLOW is 1, or more
# under a sanitizer: times that must hold are multiplied by it.

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=$(cd "$ROOT" && realpath "${BUILD:-build}")
T=$(mktemp -d "${TMPDIR:-/tmp}/vfab-test.XXXXXX")
TAG=vt$$
SOCKET=$T/vfab.sock
LOG=$T/vfabd.log
FABRIC_PID=
SLOW=1
case $BUILD in
*address* | *thread*) SLOW=5 ;;
esac
export BUILD T TAG SOCKET SLOW
DEFERRED=()
NAMESPACES=()
ALLOWED_LOG=()
FABRIC_IN=()

defer()
{
	DEFERRED+=("$(printf '%q ' "$@")")
}

skip()
{
	echo "$*"
	exit 77
}

complain()
{
	echo "FAIL: $*" >&2
	return 1
}

fail()
{
	complain "$@" || exit 1
}

allow_log()
{
	ALLOWED_LOG+=("$1")
}

wait_for()
{
	local end=$((${EPOCHREALTIME%[.,]*} + $1 * SLOW + 1))
	shift

	until "$@" >/dev/null 2>&1; do
		if [ "${EPOCHREALTIME%[.,]*}" -ge "$end" ]; then
			echo "FAIL: in vain waited for: $*" >&2
			return 1
		fi
		sleep 0.02
	done
}

expect()
{
	echo "expect $*"
	"$@" || fail "expected to succeed: $*"
}

refuse()
{
	echo "refuse $*"
	if "$@"; then
		fail "expected to fail: $*"
	fi
}

expect_status()
{
	local want=$1 got=0
	shift

	echo "expect status $want: $*"
	"$@" || got=$?
	[ "$got" = "$want" ] || fail "status $got, not $want: $*"
}

says()
{
	local want=$1 text=$2 status=0
	shift 2

	"$@" 2>"$T/said" || status=$?
	cat "$T/said"
	expect_eq "status of $*" "$status" "$want"
	expect_eq "lines said" "$(wc -l <"$T/said")" 1
	expect grep -qF -- "$text" "$T/said"
}

expect_eq()
{
	[ "$2" = "$3" ] || fail "$1: got '$2', want '$3'"
	echo "ok: $1 = $2"
}

ns()
{
	local full=$TAG-$1

	ip netns add "$full"
	defer ip netns del "$full"
	NAMESPACES+=("$full")
	declare -g "$1=$full"
	if [ "${2:-}" != -6 ]; then
		nsenter --net="/run/netns/$full" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 \
			net.ipv6.conf.default.disable_ipv6=1
	fi
	ip -n "$full" link set lo up
}

# Processes of a namespace end before it: an interface lives as long as they do.
run()
{
	local full=${!1}
	echo "[$1] ${*:2}" >&2
	shift

	nsenter --net="/run/netns/$full" "$@"
}

# Like run, in the background, until the end; its id is in STARTED.
start()
{
	local full=${!1}
	echo "[$1] ${*:2} &" >&2
	shift

	nsenter --net="/run/netns/$full" "$@" >>"$T/background.log" 2>&1 </dev/null &
	STARTED=$!
	defer end_process "$STARTED"
}

end_process()
{
	kill "$1" 2>/dev/null || return 0
	for _ in {1..150}; do
		kill -0 "$1" 2>/dev/null || break
		sleep 0.02
	done
	kill -9 "$1" 2>/dev/null || true
	wait "$1" 2>/dev/null || true
}

link()
{
	local a=${!1} b=${!3}

	ip link add "$2" netns "$a" type veth peer name "$4" netns "$b"
	ip -n "$a" link set "$2" up
	ip -n "$b" link set "$4" up
}

vfab()
{
	timeout $((20 * SLOW)) "$BUILD/vfab" -s "$SOCKET" "$@"
}

frames()
{
	PYTHONPATH=$ROOT/tests/lib PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -
}

port_value()
{
	vfab port ls -o json | jq -r --arg name "$1" ".[] | select(.name == \$name) | $2"
}

link_value()
{
	ip -n "${!1}" -s -d -j link show "$2" | jq -r ".[0] | $3"
}

ports_up()
{
	vfab port ls -o json |
		jq -e 'map(select($ARGS.positional == [] or (.name | IN($ARGS.positional[])))) |
			length >= ($ARGS.positional | length) and all(.state == "up")' --args "$@"
}

has_event()
{
	vfab events -o json |
		jq -es --arg kind "$1" --arg text "${2:-}" 'flatten |
			any(.kind == $kind and ((.object + " " + .text) | contains($text)))' >/dev/null
}

pings_lost()
{
	awk -v most="$2" '/packets transmitted/ { good = $4 > 0 && $1 - $4 <= most } END { exit !good }' "$1" ||
		fail "pings were lost: $(grep transmitted "$1" || tail -n 3 "$1")"
}

tap()
{
	echo "  $1: {tap: eth0, netns: ${!1}${2:+, $2}}"
}

switch_pid()
{
	pgrep -P "$FABRIC_PID" -f -- ' --as-switch ' | head -n 1
}

fabric_lives()
{
	[ -n "$FABRIC_PID" ] && kill -0 "$FABRIC_PID" 2>/dev/null
}

fabric_answers()
{
	# One that ended will not answer any more; the caller looks at it.
	! fabric_lives || vfab port ls
}

fabric()
{
	[ -n "${fab:-}" ] || ns fab
	cat >"$T/fabric.yaml"
	if [ -s "$T/fabric.yaml" ]; then
		set -- -c "$T/fabric.yaml" "$@"
	fi
	# Not through run: the process must be ours to wait for, and its own log.
	nsenter --net="/run/netns/$fab" "${FABRIC_IN[@]}" "$BUILD/vfabd" -s "$SOCKET" --state "$T/state" "$@" 2>>"$LOG" </dev/null &
	FABRIC_PID=$!
	defer end_fabric
	wait_for 5 fabric_answers
	fabric_lives || fail "vfabd ended at its start: $(tail -n 3 "$LOG")"
	wait_for 5 test -n "$(switch_pid)"
}

pair()
{
	ns c1
	ns c2
	fabric <<-EOF
		networks:
		  office: {mode: internal, vlan: 10}
		ports:
		$(tap c1 "network: office, ipv4: 10.77.0.1/24")
		$(tap c2 "network: office, ipv4: 10.77.0.2/24")
	EOF
	wait_for 5 ports_up
}

end_fabric()
{
	[ -z "$FABRIC_PID" ] || end_process "$FABRIC_PID"
	FABRIC_PID=
}

# Returns 1 rather than exit, since finish calls it too.
stop_fabric()
{
	local pid=$FABRIC_PID switch status=0 full

	switch=$(switch_pid)
	kill -TERM "$pid"
	wait_for 5 process_gone "$pid" || return 1
	wait "$pid" || status=$?
	FABRIC_PID=
	[ "$status" = 0 ] || complain "vfabd ended with status $status" || return 1
	[ -z "$switch" ] || wait_for 1 process_gone "$switch" || return 1
	[ ! -e "$SOCKET" ] || complain "the control socket is left" || return 1
	for full in "${NAMESPACES[@]}"; do
		[ -z "$(taps_of "$full")" ] || complain "a tap is left in $full: $(taps_of "$full")" || return 1
	done
}

# A child that ended and was not waited for is gone too.
process_gone()
{
	[ ! -e "/proc/$1/stat" ] || grep -q '^[0-9]* ([^)]*) Z' "/proc/$1/stat"
}

taps_of()
{
	ip -n "$1" -d -o link show 2>/dev/null | awk '/ tun type tap/ && !/persist on/ { print $2 }'
}

sums_match()
{
	vfab port ls -o json | jq -e 'all(.[]; .rx.frames == .forwarded + .local + .drops)'
}

log_surprises()
{
	local pattern=''

	[ -e "$LOG" ] || return 0
	[ ${#ALLOWED_LOG[@]} = 0 ] || pattern=$(printf '%s\n' "${ALLOWED_LOG[@]}")
	grep -E '^[a-z]+: (warn|err)|Sanitizer|runtime error:' "$LOG" |
		if [ -n "$pattern" ]; then grep -vE "$pattern"; else cat; fi || true
}

diagnose()
{
	echo "--- ports"
	timeout 5 "$BUILD/vfab" -s "$SOCKET" port ls -o json | jq -c '.[]'
	echo "--- drops"
	timeout 5 "$BUILD/vfab" -s "$SOCKET" drops
	echo "--- mac"
	timeout 5 "$BUILD/vfab" -s "$SOCKET" mac ls | head -n 40
	echo "--- events"
	timeout 5 "$BUILD/vfab" -s "$SOCKET" events | tail -n 30
}

finish()
{
	local status=$? i

	trap - EXIT
	trap '' INT TERM HUP
	set +e
	if [ $status = 0 ]; then
		end_checks || status=1
	fi
	if [ $status != 0 ] && [ $status != 77 ]; then
		{
			fabric_lives && diagnose
			[ ! -s "$T/background.log" ] || { echo "--- background"; tail -n 30 "$T/background.log"; }
			[ ! -s "$LOG" ] || { echo "--- log of vfabd"; tail -n 80 "$LOG"; }
		} 2>&1
	fi
	for ((i = ${#DEFERRED[@]} - 1; i >= 0; i--)); do
		eval "${DEFERRED[i]}" >/dev/null 2>&1
	done
	rm -rf "$T"
	exit $status
}

end_checks()
{
	local surprises

	if [ -n "$FABRIC_PID" ]; then
		fabric_lives || complain "vfabd ended in the middle" || return 1
		wait_for 3 sums_match || return 1
		stop_fabric || return 1
	fi
	surprises=$(log_surprises)
	[ -z "$surprises" ] || complain "unexpected in the log of vfabd: $surprises"
}

trap finish EXIT
trap 'exit 130' INT TERM HUP
trap 'echo "FAIL: line $LINENO of ${BASH_SOURCE[0]##*/}: $BASH_COMMAND" >&2' ERR

[ "$(id -u)" = 0 ] || skip "needs root"
[ -c /dev/net/tun ] || skip "needs /dev/net/tun"
[ -x "$BUILD/vfabd" ] || fail "$BUILD/vfabd is not built"
