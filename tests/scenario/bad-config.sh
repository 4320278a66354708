#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# M13: bad files, by check, apply, diff and reload.  Each is one line on standard error that names file and line, exit 65, and
# the running fabric is untouched: c1 and c2 ping through all of it without a loss.  (Q2)
#
#   c1, c2 -- office -- [ vfabd ]
. "$(dirname "$0")/../lib/scenario.sh"

pair
expect run c1 ping -q -c 1 -W 1 10.77.0.2
vfab config show >"$T/running.yaml"
cp "$T/fabric.yaml" "$T/good.yaml"

mkdir "$T/bad"
bad()
{
	cat >"$T/bad/$1.yaml"
}

bad unknown-key <<<'networks: {office: {mode: internal, vlann: 10}}'
bad unknown-section <<<'netwroks: {}'
bad wrong-type <<<'networks: [office]'
bad wrong-word <<<'networks: {office: {mode: bridgy}}'
bad not-a-number <<<'networks: {office: {mode: internal, vlan: ten}}'
bad negative <<<'networks: {office: {mode: internal, vlan: -1}}'
bad huge <<<'networks: {office: {mode: internal, vlan: 99999999999999999999999999}}'
bad reserved-vlan <<<'networks: {office: {mode: internal, vlan: 4095}}'
bad float <<<'networks: {office: {mode: internal, vlan: 1.5}}'
bad one-vlan-twice <<'Y'
networks:
  office: {mode: internal, vlan: 10}
  store: {mode: internal, vlan: 10}
Y
bad one-name-twice <<'Y'
networks: {office: {mode: internal}}
ports:
  c1: {tap: eth0, network: office}
  c1: {tap: eth1, network: office}
Y
bad one-key-twice <<<'networks: {office: {mode: internal, mode: internal}}'
bad one-tap-twice <<'Y'
networks: {office: {mode: internal}}
ports:
  c1: {tap: t0, network: office}
  c2: {tap: t0, network: office}
Y
bad long-ifname <<<'ports: {c1: {tap: abcdefghijklmnop, vlan-mode: access, tag: 10}}'
bad slash-ifname <<<'ports: {c1: {tap: ../../x, vlan-mode: access, tag: 10}}'
bad long-name <<<"networks: {$(printf 'n%.0s' {1..64}): {mode: internal}}"
bad strange-name <<<'networks: {"of fice": {mode: internal}}'
bad unicode-name <<<'networks: {büro: {mode: internal}}'
bad no-network <<<'ports: {c1: {tap: eth0, network: ofice}}'
bad bad-mac <<<'ports: {c1: {tap: eth0, vlan-mode: access, tag: 10, mac: "02:00:00:00:00"}}'
bad group-mac <<<'ports: {c1: {tap: eth0, vlan-mode: access, tag: 10, mac: "03:00:00:00:00:01"}}'
bad bad-prefix <<<'networks: {office: {mode: host-only, ipv4: 10.0.0.0/33}}'
bad bad-range <<<'ports: {c1: {tap: eth0, vlan-mode: trunk, trunks: [20-10]}}'
bad bad-rate <<<'ports: {c1: {tap: eth0, vlan-mode: access, tag: 10, rate: 10mbytes}}'
bad not-yet-driver <<<'uplinks: {lan: {kind: interface, interface: eth1, driver: af_xdp}}'
bad nat-without-prefix <<<'networks: {office: {mode: nat}}'
bad bridged-on-host <<<'networks: {office: {mode: bridged, uplink: wan}}
uplinks: {wan: {kind: host}}'
bad no-uplink <<<'networks: {office: {mode: nat, ipv4: 10.0.0.0/24, uplink: wan}}'
bad inside-holds-outside <<'Y'
networks: {office: {mode: nat, ipv4: 10.0.0.0/24}}
uplinks: {lan: {kind: interface, interface: eth1, address: 10.0.0.9/8}}
Y
bad forward-grammar <<<'networks: {office: {mode: nat, ipv4: 10.0.0.0/24, forwards: ["80:10.0.0.5"]}}'
bad forward-overlap <<<'networks: {office: {mode: nat, ipv4: 10.0.0.0/24, forwards: ["80:10.0.0.5:80", "70-90:10.0.0.6:70-90"]}}'
bad route-to-nowhere <<<'routes: [{from: office, to: dmz}]'
bad not-yet-key <<<'networks: {office: {mode: internal, dhcp: {range: 10.0.0.1-10.0.0.9}}}'
bad not-yet-section <<<'tunnels: {dc: {kind: vxlan}}'
bad guard-word <<<'ports: {c1: {tap: eth0, vlan-mode: access, tag: 10, guard: stricter}}'
bad dhcp-range <<<'networks: {n: {mode: internal, ipv4: 10.0.0.0/24, dhcp: 10.0.1.5-10.0.1.9}}'
bad anchor <<<'networks: {office: &a {mode: internal}, store: *a}'
bad yaml-tag <<<'networks: !!map {}'
bad two-documents <<'Y'
networks: {}
---
networks: {}
Y
bad not-yaml <<<'networks: {office: [}'
bad half-written <<<'networks: {office: {mode: intern'
bad tab-indent < <(printf 'networks:\n\toffice: {mode: internal}\n')
bad nul < <(printf 'networks: {off\0ice: {mode: internal}}\n')
bad not-utf8 < <(printf 'networks: {off\377ice: {mode: internal}}\n')
bad random < <(head -c 5000 "$BUILD/vfabd")
bad deep < <(printf 'networks: '; printf '[%.0s' {1..2000}; printf ']%.0s' {1..2000})
bad deep-block < <(for i in {0..200}; do printf "%${i}sa:\n" ''; done)
bad anchors < <(for i in {1..1000}; do echo "a$i: &a$i [*a$((i - 1)), *a$((i - 1))]"; done)
bad long-line < <(printf 'networks: {a: "'; head -c 10000000 /dev/zero | tr '\0' x; echo '"}')
bad long-scalar < <(printf 'networks: {office: {mode: "'; head -c 1000000 /dev/zero | tr '\0' x; echo '"}}')
bad too-many-ports < <(echo ports:; for i in {1..4100}; do echo "  p$i: {tap: t$i, vlan-mode: access, tag: 1}"; done)

# one_line NAME STATUS: the message of the last command is one line of the right shape, and short enough to read.
one_line()
{
	local name=$1 lines

	lines=$(wc -l <"$T/stderr")
	[ "$lines" = 1 ] || fail "$name: $lines lines on standard error: $(head -c 500 "$T/stderr")"
	grep -q '^vfab: ' "$T/stderr" || fail "$name: $(cat "$T/stderr")"
	grep -qE "$name.yaml:([0-9]+:[0-9]+:| larger than)" "$T/stderr" ||
		fail "$name: names no file and line: $(cat "$T/stderr")"
	[ "$(wc -c <"$T/stderr")" -lt 600 ] || fail "$name: a message of $(wc -c <"$T/stderr") bytes"
	# Nothing that a terminal would act upon.
	refuse grep -qP '[\x00-\x08\x0b-\x1f\x7f]' "$T/stderr" >/dev/null
}

run c1 ping -q -i 0.02 -c 250 -W 1 10.77.0.2 >"$T/ping" 2>&1 &
pinging=$!
for file in "$T"/bad/*.yaml; do
	name=$(basename "$file" .yaml)
	for verb in check apply diff; do
		status=0
		vfab $verb "$file" >/dev/null 2>"$T/stderr" || status=$?
		[ $status = 65 ] || fail "$verb $name: status $status: $(head -c 300 "$T/stderr")"
		one_line "$name" >/dev/null
	done
	echo "ok: $name: $(cat "$T/stderr")"
done

# The nearest right word.
status=0
vfab check "$T/bad/no-network.yaml" 2>"$T/stderr" || true
expect grep -q 'ofice' "$T/stderr"
vfab check "$T/bad/unknown-key.yaml" 2>"$T/stderr" || true
expect grep -q 'did you mean "vlan"' "$T/stderr"

# What is not a file at all.
for odd in "$T/nowhere.yaml" "$T" /dev/full; do
	refuse vfab check "$odd" 2>"$T/stderr"
	expect_eq "lines about $odd" "$(wc -l <"$T/stderr")" 1
done

# Reload of a half-written, a bad, an empty and a missing file: the old fabric stands, the log and the events say why.
allow_log 'fabric.yaml|reload'
complaints()
{
	grep -cE ': (warn|err): ' "$LOG" || true
}
complains()
{
	[ "$(complaints)" -gt "$1" ]
}
for file in half-written unknown-key nul long-line; do
	before=$(complaints)
	cp "$T/bad/$file.yaml" "$T/fabric.yaml"
	kill -HUP "$FABRIC_PID"
	wait_for 3 complains "$before"
done
before=$(complaints)
: >"$T/fabric.yaml" # as it is for a moment while an editor writes it
kill -HUP "$FABRIC_PID"
wait_for 3 complains "$before"
before=$(complaints)
rm "$T/fabric.yaml"
kill -HUP "$FABRIC_PID"
wait_for 3 complains "$before"
vfab config show >"$T/after.yaml"
expect diff "$T/running.yaml" "$T/after.yaml"

# And a good one works again.
sed 's/vlan: 10/vlan: 11/' "$T/good.yaml" >"$T/fabric.yaml"
wait "$pinging" || fail "pings were lost: $(cat "$T/ping")"
pings_lost "$T/ping" 0
kill -HUP "$FABRIC_PID"
is_eleven()
{
	vfab config show | grep -q 'vlan: 11'
}
wait_for 3 is_eleven

# A daemon does not start with a bad file.
expect_status 65 nsenter --net="/run/netns/$fab" "$BUILD/vfabd" -c "$T/bad/unknown-key.yaml" -s "$T/second.sock" \
	--state "$T/state2" 2>"$T/stderr"
expect grep -q 'unknown-key.yaml:1' "$T/stderr"
