#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Many ports: 64 on one network, each hears a flooded frame once; they are added and removed, one by one, many at once and by
# whole files, while c1 sends to c2, and c2 misses nothing.  Names of ports, interfaces and namespaces at their limits.
#
#   c1, c2 -- office, VLAN 10 -- [ vfabd in fab ] -- p1 .. p31 in fab itself, p32 .. p62 in farm
#
# CPUS="0, 1" runs it with two workers.
. "$(dirname "$0")/../lib/scenario.sh"

for name in fab farm c1 c2; do ns $name; done

# ports FIRST LAST: lines of the file, the first 31 in fab, the others in farm.
ports()
{
	local i
	for ((i = $1; i <= $2; i++)); do
		echo "  p$i: {tap: eth$i$([ "$i" -le 31 ] || echo ", netns: $farm"), network: office}"
	done
}

cat >"$T/few.yaml" <<EOF
networks:
  office: {mode: internal, vlan: 10}
workers: {cpus: [${CPUS:-0}]}
ports:
$(tap c1 "network: office")
$(tap c2 "network: office")
EOF
{ cat "$T/few.yaml"; ports 1 62; } >"$T/all.yaml"
{ cat "$T/few.yaml"; ports 20 45; } >"$T/some.yaml"
fabric <"$T/all.yaml"
wait_for 10 ports_up
expect_eq "ports" "$(vfab port ls -o json | jq length)" 64

frames <<'PY'
from frames import *

T = os.environ["T"]
c1, c2 = stations("c1", "c2")
farm = [Station("fab" if i <= 31 else "farm", f"eth{i}", f"p{i}") for i in range(1, 63)]
learn(c1, c2, *farm)

# Everybody hears c1 once, and what is for one is heard by that one.
hello = eth(BROADCAST, c1.mac, b"hello")
expect([s for s, got in deliver(c1, [hello] * 3, [c2] + farm).items() if got != [hello] * 3], [], "63 ports hear three frames")
for s in farm[::10]:
    got = deliver(s, eth(farm[0].mac if s is not farm[0] else c2.mac, s.mac, b"for one"), [c1, c2] + farm)
    expect(sum(map(len, got.values())), 1, f"{s} to one")
expect(len(ctl("mac.ls")), 64, "addresses known")
for s in farm:
    s.sock.close()

serials = Serials(c1, c2, 20)


def port(i):
    where = {} if i <= 31 else {"netns": f"{TAG}-farm"}
    return {"tap": f"eth{i}", "network": "office", **where}


def merge(how, numbers):
    start = time.monotonic()
    text = {f"p{i}": port(i) if how == "add" else {} for i in numbers}
    ctl("conf.merge", how=how, text=json.dumps({"ports": text}))
    serials.drain()
    return time.monotonic() - start


def apply(name):
    ctl("conf.apply", text=open(f"{T}/{name}.yaml").read())
    serials.drain()


def there():
    return sorted((p["name"] for p in ctl("port.ls")), key=lambda n: (n[0], int(n[1:])))


with serials:
    for i in (1, 2, 33, 34):
        print(f"ok: p{i} removed in {merge('del', [i]) * 1000:.0f} ms, added in {merge('add', [i]) * 1000:.0f} ms")
    merge("del", range(1, 63))
    expect(there(), ["c1", "c2"], "62 removed at once")
    merge("add", [*range(10, 20), *range(40, 50)])
    expect(len(there()), 22, "20 added at once")
    apply("some")
    expect(there(), ["c1", "c2"] + [f"p{i}" for i in range(20, 46)], "a file with others")
    apply("few")
    expect(there(), ["c1", "c2"], "a file with few")
    apply("all")
    expect(len(there()), 64, "a file with all")
    try:
        merge("add", [1])
        sys.exit("FAIL: a port that exists was added")
    except RuntimeError as error:
        print(f"ok: {error}")
PY
wait_for 10 ports_up
expect vfab apply "$T/few.yaml" >"$T/changes"
expect_eq "lines of what changed" "$(grep -c '^- port p' "$T/changes")" 62
expect_eq "taps left in farm" "$(taps_of "$farm")" ""

# Names at their limits, and one beyond.
repeat()
{
	printf "%0$2d" 0 | tr 0 "$1"
}
long_port=$(repeat p 63)
long_if=$(repeat i 15)
long_ns=$TAG-$(repeat n $((107 - ${#TAG} - 1)))
ip netns add "$long_ns"
defer ip netns del "$long_ns"
expect vfab port add "$long_port" --net office --tap "$long_if" --netns "$long_ns"
wait_for 2 ports_up "$long_port"
expect ip -n "$long_ns" link show "$long_if"
expect_eq "interface" "$(port_value "$long_port" .ifname)" "$long_if"
expect vfab port set "$long_port" --rate 1gbit
ip -n "$long_ns" link set "$long_if" down
wait_for 2 has_event port_down "port $long_port"
expect vfab port del "$long_port"
expect_eq "taps left" "$(taps_of "$long_ns")" ""
refused()
{
	local words=$1
	shift

	expect_status 65 vfab port add "$@" 2>"$T/err"
	expect grep -qF "$words" "$T/err"
}
refused "longer than 63 characters" "${long_port}p" --net office --tap eth0
refused "longer than 15 characters" b --net office --tap "${long_if}i"
refused "longer than 107 characters" b --net office --tap eth0 --netns "${long_ns}n"
for name in "a b" "a/b" "" "-x" ".x" $'a\nb' "ä"; do
	expect_status 65 vfab port add --net office --tap eth0 -- "$name" 2>"$T/err"
	expect_eq "lines that refuse it" "$(wc -l <"$T/err")" 1
done
# Two host-only networks whose devices would have one name after 15 characters.
long_net=$(repeat h 62)
expect vfab net add "${long_net}1" --mode host-only --ipv4 10.80.0.0/24
expect ip -n "$fab" link show "vf-$(repeat h 12)"
expect_status 1 vfab net add "${long_net}2" --mode host-only --ipv4 10.81.0.0/24
expect vfab net add "${long_net}2" --mode host-only --ipv4 10.81.0.0/24 --ifname "$long_if"
wait_for 2 ports_up "$long_if"
expect_status 1 vfab port add "$long_if" --net office --tap eth0
expect_status 1 vfab port add b --net office --tap "$long_if"
