#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `vfab lab up | down | ls`: all of a file comes up and goes, with the vfabd that it started or on one that was there; what
# fails in the middle is undone; what is another's stays.
#
#   web, pc   office 10 --[ vfabd, started by the lab ]-- store 20   web (second nic), db
. "$(dirname "$0")/../lib/scenario.sh"

export VFAB_RUN=$T/run
ns fab

# Only ours: other scenarios may run beside this one.
namespaces()
{
	ip netns list | awk -v tag="$TAG-" 'index($1, tag) == 1 { print $1 }' | sort
}
namespaces >"$T/namespaces"

# The lab's commands run in namespace fab, so that a vfabd that is started lies there.
lab()
{
	LAB_OF=$T nsenter --net="/run/netns/$fab" timeout $((60 * SLOW)) "$BUILD/vfab" -s "$SOCKET" lab "$@"
}

write_lab()
{
	cat >"$T/one.yaml" <<YAML
networks:
  office: {mode: internal, vlan: 10}
  store: {mode: internal, vlan: 20}
containers:
  $TAG-web:
    run: "echo hello from web; sleep 6001 & sleep 6002 & exec busybox httpd -f -p 80 -h $T/page"
    nics:
      - {network: office, mac: "02:00:00:00:00:0a", ipv4: 10.77.0.1/24}
      - {network: store, ipv4: 10.88.0.1/24, ifname: data}
  $TAG-pc: {nics: [{network: office, ipv4: 10.77.0.2/24}]}
  $TAG-db: {run: "sleep 6003", nics: [{network: store, ipv4: 10.88.0.2/24}]}
YAML
}

inside()
{
	local name=$1
	shift

	nsenter --net="/run/netns/$TAG-$name" "$@"
}

is_there()
{
	[ "$(inside pc timeout 2 busybox wget -qO- http://10.77.0.1/index.html)" = "a page" ] &&
		inside db ping -q -c 1 -W 1 10.88.0.1
}

# What a lab started, by its environment.
ours()
{
	local pid

	for pid in /proc/[0-9]*; do
		if grep -qzxF "LAB_OF=$T" "$pid/environ" 2>/dev/null; then echo "${pid#/proc/}"; fi
	done
	pgrep -f "vfabd .*$SOCKET" || true
}

# Nothing of any lab: namespaces, processes, records, logs, socket, taps.
nothing_is_left()
{
	expect diff "$T/namespaces" <(namespaces)
	expect_eq "processes that are left" "$(ours)" ""
	expect_eq "records that are left" "$(find "$VFAB_RUN/lab" -mindepth 1 ! -name .lock 2>/dev/null)" ""
	expect_eq "labs" "$(lab ls -o json | jq -c .)" '[]'
	expect test ! -e "$SOCKET"
	expect_eq "taps that are left" "$(taps_of "$fab")" ""
}

end_what_is_left()
{
	local pid name

	for pid in $(ours); do kill -9 "$pid"; done
	for name in $(namespaces); do ip netns del "$name"; done
}
defer end_what_is_left
mkdir "$T/page"
echo "a page" >"$T/page/index.html"
write_lab

# Up: containers, addresses, commands; what ls and the fabric say.
expect_eq "labs before the first" "$(lab ls -o json | jq -c .)" '[]'
expect lab up "$T/one.yaml"
wait_for 5 is_there
lab ls -o json >"$T/ls"
expect_eq "what ls says" "$(jq -c 'sort_by(.port) | map([.lab, .state, .port, .command, .network, .ifname, .ipv4, .port_state])' "$T/ls")" \
	"$(jq -cn --arg tag "$TAG" '[["one","up",$tag + "-db","running","store","eth0","10.88.0.2/24","up"],
		["one","up",$tag + "-pc","none","office","eth0","10.77.0.2/24","up"],
		["one","up",$tag + "-web","running","office","eth0","10.77.0.1/24","up"],
		["one","up",$tag + "-web-2","running","store","data","10.88.0.1/24","up"]]')"
expect_eq "lines of ls" "$(lab ls | wc -l)" 5
expect_eq "hardware address" "$(ip -n "$TAG-web" -j link show eth0 | jq -r '.[0].address')" 02:00:00:00:00:0a
expect_eq "ports of the fabric" "$(vfab port ls -o json | jq length)" 4
expect_eq "what web wrote" "$(cat "$VFAB_RUN/lab/one/$TAG-web.log")" "hello from web"
expect test -s "$VFAB_RUN/vfabd.log"
expect test "$(ours | wc -l)" -ge 5

# A second one of the same is refused, and harms nothing.
says 1 "is up already" lab up "$T/one.yaml"
expect is_there

# Another one on the same vfabd: with a name that exists it is undone, else it comes up beside the first.
cat >"$T/two.yaml" <<YAML
networks:
  office: {mode: internal}
containers:
  $TAG-x1: {nics: [{network: office}]}
YAML
says 1 office lab up "$T/two.yaml"
expect test ! -e "/run/netns/$TAG-x1"
sed -i 's/office/attic/' "$T/two.yaml"
sed -i "s/x1: {/x1: {run: sleep 6004, /" "$T/two.yaml"
expect lab up "$T/two.yaml"
expect_eq "labs" "$(lab ls -o json | jq -c '[.[] | .lab] | unique')" '["one","two"]'

# The first goes: its own, and not the vfabd, which the second uses by now.
lab_pid=$(pgrep -f "vfabd .*$SOCKET" | head -n 1)
expect lab down "$T/one.yaml"
expect_eq "ports that stay" "$(vfab port ls -o json | jq -c '[.[] | [.name, .state]]')" "[[\"$TAG-x1\",\"up\"]]"
expect_eq "networks that stay" "$(vfab net ls -o json | jq -c '[.[] | .name]')" '["attic"]'
expect kill -0 "$lab_pid"
expect test ! -e "/run/netns/$TAG-web"
says 1 "is not up" lab down "$T/one.yaml"
# And again beside it, then both end; the last ends the vfabd.
expect lab up "$T/one.yaml"
wait_for 5 is_there
expect lab down "$T/two.yaml"
expect is_there
expect lab down "$T/one.yaml"
nothing_is_left

# A lab of one container without nics is a lab; one whose vfabd died is not up.
echo "containers: {$TAG-idle: {}}" >"$T/idle.yaml"
expect lab up "$T/idle.yaml"
expect_eq "labs" "$(lab ls -o json | jq -c 'map([.lab, .state, .node, .command, .port])')" "[[\"idle\",\"up\",\"$TAG-idle\",\"none\",null]]"
kill -KILL "$(pgrep -o -f "vfabd .*$SOCKET")"
state_is()
{
	[ "$(lab ls -o json | jq -r '.[0].state')" = "$1" ]
}
wait_for 5 state_is "no vfabd"
expect lab down "$T/idle.yaml"
rm -f "$SOCKET"
nothing_is_left

# What fails in the middle is undone: a namespace that exists, and is another's, stays as it is.
ip netns add "$TAG-db"
theirs=$(stat -L -c %i "/run/netns/$TAG-db")
says 1 "$TAG-db" lab up "$T/one.yaml"
expect_eq "the other's namespace" "$(stat -L -c %i "/run/netns/$TAG-db")" "$theirs"
ip netns del "$TAG-db"
nothing_is_left

# A file that is wrong starts nothing.
sed 's/vlan: 20/vlan: 5000/' "$T/one.yaml" >"$T/wrong.yaml"
says 65 "wrong.yaml:3:" lab up "$T/wrong.yaml"
nothing_is_left
says 1 "No such file" lab up "$T/none.yaml"
says 2 "does not name a lab" lab up "$T/a lab.yaml"

# A command that ends at once is told of, and the lab is up; what it left behind goes with the lab.
sed 's/run: "sleep 6003"/run: "sleep 6006 \& echo no >\&2; exit 3"/' "$T/one.yaml" >"$T/ends.yaml"
says 0 "$TAG-db: run ended with status 3" lab up "$T/ends.yaml"
expect_eq "its command" "$(lab ls -o json | jq -r --arg node "$TAG-db" '.[] | select(.node == $node) | .command')" exited
expect grep -qx no "$VFAB_RUN/lab/ends/$TAG-db.log"
expect lab down "$T/ends.yaml"
nothing_is_left

# Ctrl-C in the middle undoes; a kill leaves a record, with which `down` undoes.
{
	echo "networks: {office: {mode: internal}}"
	echo "containers:"
	for i in {1..40}; do echo "  $TAG-n$i: {run: sleep 6005, nics: [{network: office}]}"; done
} >"$T/many.yaml"
begun()
{
	[ -e "/run/netns/$TAG-n$1" ]
}
# interrupted SIGNAL N: the status of an `up` that got it when the N-th namespace was there
interrupted()
{
	local pid status=0

	LAB_OF=$T nsenter --net="/run/netns/$fab" "$BUILD/vfab" -s "$SOCKET" lab up "$T/many.yaml" 2>"$T/said" &
	pid=$!
	wait_for 10 begun "$2"
	kill "-$1" "$pid"
	wait "$pid" || status=$?
	echo "$status"
}
expect_eq "status on Ctrl-C" "$(interrupted INT 3)" 1
expect grep -q interrupted "$T/said"
nothing_is_left
for when in 2 5 8 13; do
	expect_eq "status of what was killed" "$(interrupted KILL $when)" 137
		says 1 "vfab lab down" lab up "$T/many.yaml"
	expect lab down "$T/many.yaml"
	nothing_is_left
done

# A namespace that somebody else put in the place of the lab's own stays.
expect lab up "$T/one.yaml"
ip netns del "$TAG-pc"
ip netns add "$TAG-pc"
says 0 "$TAG-pc: its namespace is another's by now, and stays" lab down "$T/one.yaml"
ip netns del "$TAG-pc"
nothing_is_left

# On a vfabd that was there already only the lab's own goes.
ns c1
fabric <<EOF
networks:
  office: {mode: internal, vlan: 10}
ports:
$(tap c1 "network: office, ipv4: 10.77.0.9/24")
EOF
wait_for 5 ports_up
vfab config show >"$T/before"
namespaces >"$T/namespaces"
cat >"$T/joins.yaml" <<YAML
networks:
  store: {mode: internal}
ports:
  $TAG-wait: {tap: eth0, netns: $TAG-nobody, network: store}
containers:
  $TAG-pc: {nics: [{network: store, ipv4: 10.77.0.2/24}]}
workers: {cpus: [0]}
YAML
expect lab up "$T/joins.yaml"
expect_eq "state of what has no namespace" "$(port_value "$TAG-wait" .state)" waiting
expect lab down "$T/joins.yaml"
vfab config show >"$T/after"
expect diff "$T/before" "$T/after"
expect diff "$T/namespaces" <(namespaces)
says 1 office lab up "$T/one.yaml"
vfab config show >"$T/after"
expect diff "$T/before" "$T/after"
expect diff "$T/namespaces" <(namespaces)
