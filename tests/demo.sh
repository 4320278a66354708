#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# make demo: the fabric at work on real traffic.  Brings up examples/first-lab.yaml and shows what happens in it; leaves it
# running to look around in.  DEMO_STOP=1 takes it down at the end.
set -euo pipefail
cd "$(dirname "$0")/.."

BUILD=${BUILD:-build}
LAB=examples/first-lab.yaml
PATH=$PWD/$BUILD:$PATH

if [ "$(id -u)" != 0 ]; then
	echo "make demo makes network namespaces, so it needs root: sudo make demo" >&2
	exit 1
fi

bold='' blue='' plain=''
if [ -t 1 ]; then
	bold=$'\033[1m' blue=$'\033[36m' plain=$'\033[0m'
fi

say()
{
	printf '\n%s%s%s\n' "$bold" "$*" "$plain"
}

# Shows a command as one would type it, and runs it.
show()
{
	printf '%s# %s%s\n' "$blue" "$*" "$plain"
	"$@"
}

in_container()
{
	local name=$1
	shift

	printf '%s%s# %s%s\n' "$blue" "$name" "$*" "$plain"
	ip netns exec "$name" "$@"
}

# fetch HOST PORT: a page, with what this shell has: no program is asked to be there.
fetch()
{
	timeout 2 bash -c 'exec 3<>"/dev/tcp/$0/$1" && printf "GET / HTTP/1.0\r\n\r\n" >&3 && sed "1,/^\r\$/d" <&3' "$1" "$2"
}

# What `run` starts in a container may need a moment after the lab is up.
wait_for()
{
	for _ in {1..100}; do
		"$@" >/dev/null 2>&1 && return
		sleep 0.05
	done
	echo "demo: in vain waited for: $*" >&2
	return 1
}

if vfab lab ls 2>/dev/null | grep -q first-lab; then
	say "The lab of an earlier run is still up; it goes first."
	show vfab lab down $LAB
fi

say "1. One file, one command: four containers on three networks."
grep -v '^#' $LAB
show vfab lab up $LAB
wait_for ip netns exec client busybox wget -q -O - http://10.10.0.10/
wait_for sh -c 'ip netns exec bench ss -H -l -t -n sport = :5201 | grep -q .'
show vfab port ls

say "2. Addresses and names: given by the switch, kept over restarts."
show vfab lease ls
in_container client ping -c 3 -i 0.2 web

say "   Across networks nothing gets through: the same prefix, another VLAN, no answer."
in_container client ping -c 2 -i 0.2 -W 1 10.10.0.30 || echo "(as it should be)"

say "3. A page, fetched by one container from another by its name ..."
in_container client busybox wget -q -O - http://web.office.vfab/ | head -n 5

say "   ... and from this host, through the static forward; with the trace of that very connection."
vfab trace 'tcp port 80' --count 1 &
trace=$!
for _ in {1..50}; do
	page=$(fetch 127.0.0.1 8080 || true)
	kill -0 $trace 2>/dev/null || break
done
wait $trace
printf '%s# http://127.0.0.1:8080/ from this host%s\n%s\n' "$blue" "$plain" "$page"
show vfab forward ls

say "4. Throughput, container to container through the userspace switch (3 s)."
in_container probe iperf3 --client 10.10.0.30 --time 3 --format g | grep -E 'sender|receiver'

say "5. What the switch has learned, and what it has dropped and why."
show vfab mac ls
show vfab drops

say "6. What it does with one ping, step by step."
# The trace is there before the ping is, so that the ping is in it.
vfab trace icmp --port client --count 1 &
trace=$!
for _ in {1..50}; do
	ip netns exec client ping -q -c 1 -W 1 10.10.0.10 >/dev/null || true
	kill -0 $trace 2>/dev/null || break
done
wait $trace

say "It keeps running.  Look around:"
cat <<EOF
  vfab port ls            vfab net ls          vfab lease ls             vfab nat ls
  vfab stats --watch      vfab events
  vfab trace --drops      vfab top             vfab capture all -w - | tshark -r -
  ip netns exec client sh
  (PATH=$PWD/$BUILD:\$PATH)
Stop it:
  vfab lab down $LAB
EOF

if [ -n "${DEMO_STOP:-}" ]; then
	say "Stopping, as DEMO_STOP says."
	show vfab lab down $LAB
fi
