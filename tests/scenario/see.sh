#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the fabric shows of itself: port ls, net ls, mac ls, drops, stats, top and events, as tables and as JSON with the
# promised keys; counters to the frame and to the byte under mixed traffic.  (Q6)
#
#   c1, c2  office 10 ---.            .-- tr  trunk 10, 20-22
#   i1, i2  isolated, 10 +-[ vfabd ]--+-- h1  inner, host-only
#   wt      waiting -----'            '-- un  native-untagged 10, trunks 20
. "$(dirname "$0")/../lib/scenario.sh"

for name in c1 c2 i1 i2 tr un h1; do ns $name; done
fabric <<EOF
networks:
  office: {mode: internal, vlan: 10, macs: {"02:00:00:00:00:99": c2}}
  store: {mode: internal, ipv6: "fd66::/64"}
  inner: {mode: host-only, ipv4: 10.66.0.0/24, ifname: tohost}
ports:
$(tap c1 "network: office")
$(tap c2 "network: office, guard: mac")
$(tap i1 "network: office, isolated: true")
$(tap i2 "network: office, isolated: true, mtu: 600")
$(tap tr "vlan-mode: trunk, trunks: [10, 20-22]")
$(tap un "vlan-mode: native-untagged, tag: 10, trunks: [20]")
$(tap h1 "network: inner")
  wt: {tap: eth0, netns: $TAG-nobody, network: store}
EOF
wait_for 5 ports_up c1 c2 i1 i2 tr un h1

# has_keys VERB KEY:TYPE... FILTER: every object that the verb shows has these keys, of these types
has_keys()
{
	local verb=$1 want
	shift

	want=$(printf '%s\n' "$@" | jq -R 'split(":") | {(.[0]): (.[1] | split("|"))}' | jq -s add)
	# shellcheck disable=SC2086 # the verb is words
	vfab $verb -o json | jq -e --argjson want "$want" '
		length > 0 and all(.[]; . as $o | $want | to_entries | all(
			.key as $k | .value as $types |
			($o | try getpath($k / ".") catch error("no \($k)")) | type | IN($types[])))' >/dev/null ||
		fail "keys of $verb: $(vfab $verb -o json)"
	echo "ok: keys of $verb"
}
counters=(state:string rx.frames:number rx.bytes:number tx.frames:number tx.bytes:number tx.lost:number
	forwarded:number local:number drops:number)
frames <<'PY'
from frames import *

c1, c2, tr = stations("c1", "c2", "tr")
learn(c1, c2)
dropped(c1, eth(BROADCAST, c1.mac, b"", tag(10)), "vlan")
PY
has_keys "port ls" name:string kind:string 'network:string|null' vlan:object vlan.mode:string 'vlan.tag:number|null' \
	'vlan.trunks:array|null' 'netns:string|null' ifname:string 'socket:string|null' "${counters[@]}"
has_keys "net ls" name:string mode:string vlan:number 'ipv4:string|null' 'ipv6:string|null' 'gateway:string|null' \
	'uplink:string|null' ports:array
has_keys "mac ls" 'network:string|null' vlan:number mac:string port:string kind:string 'age_s:number|null'
has_keys drops port:string reason:string frames:number
has_keys stats port:string "${counters[@]}"

# What they say.
ask()
{
	local verb=$1

	# shellcheck disable=SC2086
	vfab $verb -o json | jq -c "$2"
}
expect_eq trunk "$(ask "port ls" '.[] | select(.name == "tr") | [.kind, .network, .vlan, .state]')" \
	'["tap",null,{"mode":"trunk","tag":null,"trunks":[10,"20-22"]},"up"]'
expect_eq native "$(ask "port ls" '.[] | select(.name == "un") | .vlan')" '{"mode":"native-untagged","tag":10,"trunks":[20]}'
expect_eq access "$(ask "port ls" '.[] | select(.name == "c1") | [.network, .vlan, .netns, .ifname, .socket]')" \
	"[\"office\",{\"mode\":\"access\",\"tag\":10,\"trunks\":null},\"$c1\",\"eth0\",null]"
expect_eq host "$(ask "port ls" '.[] | select(.name == "tohost") | [.kind, .network, .netns, .state]')" \
	'["host","inner",null,"up"]'
expect_eq waiting "$(ask "port ls" '.[] | select(.name == "wt") | [.state, .rx.frames, .netns]')" "[\"waiting\",0,\"$TAG-nobody\"]"
expect_eq networks "$(ask "net ls" '[.[] | [.name, .mode, .ipv4, .ipv6, .gateway]] | sort')" \
	'[["inner","host-only","10.66.0.0/24",null,"10.66.0.1"],["office","internal",null,null,null],["store","internal",null,"fd66::/64","fd66::1"]]'
expect_eq "ids that the fabric gave" "$(ask "net ls" '[.[] | select(.name != "office") | .vlan] | sort')" '[4093,4094]'
expect_eq members "$(ask "net ls" '.[] | select(.name == "office") | .ports | sort')" '["c1","c2","i1","i2"]'
expect_eq "addresses by kind" "$(ask "mac ls" 'group_by(.kind) | map([.[0].kind, length])')" '[["learned",2],["local",1],["static",1]]'
expect_eq "of one port" "$(vfab mac ls --port c2 -o json | jq -c '[.[] | .kind] | sort')" '["learned","static"]'
expect_eq "of one network" "$(vfab mac ls --net inner -o json | jq -c '[.[] | [.port, .age_s]]')" '[["tohost",null]]'
expect_eq drops "$(ask "drops" '[.[] | [.port, .reason, .frames]]')" '[["c1","vlan",1]]'
expect_eq "drops of another port" "$(vfab drops --port c2 -o json | jq -c .)" '[]'

# The tables: a head and a line for each object.
table()
{
	local verb=$1 head=$2 lines=$3

	# shellcheck disable=SC2086
	vfab $verb >"$T/table"
	expect_eq "head of $verb" "$(head -n 1 "$T/table" | tr -s ' ')" "$head"
	expect_eq "lines of $verb" "$(wc -l <"$T/table")" "$lines"
	# shellcheck disable=SC2086
	expect_eq "$verb -o table" "$(vfab $verb -o table | tr -d '0-9')" "$(tr -d '0-9' <"$T/table")"
}
table "port ls" "NAME KIND NETWORK VLAN STATE NETNS IFNAME RX TX LOST DROPS" 10
table "net ls" "NAME MODE VLAN IPV4 IPV6 GATEWAY UPLINK PORTS" 4
table "mac ls" "NETWORK VLAN MAC PORT KIND AGE" 5
table "stats" "PORT STATE RX-FRAMES RX-BYTES TX-FRAMES TX-BYTES LOST FORWARDED LOCAL DROPS" 10
table "drops" "PORT REASON FRAMES MEANING" 2
expect_status 2 vfab port ls -o xml 2>/dev/null
expect_status 1 vfab drops --port c9 2>/dev/null
expect_status 1 vfab net show ofice 2>"$T/said"
expect grep -F 'did you mean "office"' "$T/said"
expect_eq "net show" "$(vfab net show office -o json | jq -r 'if type == "array" then .[0] else . end | .name')" office

# Counters to the frame and the byte: 40 rounds of every kind of frame, against a naive model.
frames <<'PY'
from frames import *

everyone = c1, c2, i1, i2, tr, un, h1 = stations("c1", "c2", "i1", "i2", "tr", "un", "h1")
names = [s.port for s in everyone] + ["tohost"]
learn(c1, c2, i1, i2, un)
for vid in (10, 20):
    send_settled(tr, [eth(BROADCAST, tr.mac, b"here", tag(vid))])
host = next(e["mac"] for e in ctl("mac.ls") if e["port"] == "tohost")
TAGGED = {"tr"}  # in VLAN 10 tags leave there alone


def fields(row):
    return {"rx": row["rx"]["frames"], "rx_bytes": row["rx"]["bytes"], "tx": row["tx"]["frames"], "tx_bytes": row["tx"]["bytes"],
            "lost": row["tx"]["lost"], "forwarded": row["forwarded"], "local": row["local"], "drops": row["drops"]}


def counters():
    return {row["port"]: fields(row) for row in ctl("stats") if row["port"] in names}


model = counters()
reasons = {name: drops_of(name) for name in names}


def goes(sender, frame, outs=(), reason=None, lost=()):
    """What this frame adds."""
    m, is_tagged = model[sender.port], frame[12:14] == b"\x81\x00"
    m["rx"] += 1
    m["rx_bytes"] += len(frame)
    m["drops" if reason else "forwarded"] += 1
    if reason:
        reasons[sender.port][reason] = reasons[sender.port].get(reason, 0) + 1
    for out in outs:
        model[out]["tx"] += 1
        model[out]["tx_bytes"] += len(frame) - 4 * is_tagged + 4 * (out in TAGGED)
    for out in lost:
        model[out]["lost"] += 1
    sender.send(frame)


ten = ["c1", "c2", "i1", "i2", "tr", "un"]
for turn in range(40):
    body = bytes(turn * 13)
    goes(c1, eth(c2.mac, c1.mac, body), ["c2"])
    goes(c2, eth(c1.mac, c2.mac, body, tag(0, 5)), ["c1"])
    goes(c1, eth(BROADCAST, c1.mac, body[:500]), [p for p in ten if p != "c1"])
    goes(c1, eth(BROADCAST, c1.mac, bytes(700)), [p for p in ten if p not in ("c1", "i2")], lost=["i2"])
    goes(c1, eth("02:00:00:00:77:77", c1.mac, body[:500]), [p for p in ten if p != "c1"])
    goes(i1, eth(BROADCAST, i1.mac, body), [p for p in ten if p not in ("i1", "i2")])
    goes(tr, eth(c1.mac, tr.mac, body, tag(10, turn % 8)), ["c1"])
    goes(tr, eth(un.mac, tr.mac, body, tag(10)), ["un"])
    goes(un, eth(tr.mac, un.mac, body), ["tr"])
    goes(c1, eth("02:00:00:00:00:99", c1.mac, body), ["c2"])
    goes(c1, eth(i2.mac, c1.mac, bytes(700)), reason="too_big")
    goes(i1, eth(i2.mac, i1.mac, body), reason="isolated")
    goes(c1, eth(c2.mac, c1.mac, body, tag(10)), reason="vlan")
    goes(tr, eth(c2.mac, tr.mac, body, tag(30)), reason="vlan")
    goes(tr, eth(c2.mac, tr.mac, body, tag(4095)), reason="vlan_reserved")
    goes(c1, eth("01:80:c2:00:00:00", c1.mac, body), reason="reserved")
    goes(c2, eth(c1.mac, i1.mac, body), reason="guard_mac")
    goes(c1, eth(c1.mac, c1.mac, body), reason="same_port")
    goes(c1, eth(c2.mac, "03:00:00:00:00:01", body), reason="bad_source")
    goes(h1, eth(host, h1.mac, body, etype=0x0800), reason="host_only")
wait_for(10, "all frames counted", lambda: all(
    m["rx"] <= got["rx"] == got["forwarded"] + got["local"] + got["drops"]
    for m, got in ((model[n], c) for n, c in counters().items())))
got = counters()
for name in names:
    expect(got[name], model[name], f"counters of {name}")
    expect(drops_of(name), reasons[name], f"drops of {name}")
for row in ctl("port.ls"):
    if row["name"] in names:
        expect({**fields(row)}, got[row["name"]], f"port ls says the same of {row['name']}")
PY

# Rates: a line a second until Ctrl-C; what rests shows 0.
frames <<'PY' &
from frames import *

c1, c2 = stations("c1", "c2")
end = time.monotonic() + 4
while time.monotonic() < end:
    c1.send(eth(c2.mac, c1.mac, bytes(86)))
    time.sleep(0.001)
PY
SENDER=$!
defer end_process "$SENDER"
sent_some()
{
	[ "$(port_value c1 .rx.frames)" -gt "$1" ]
}
wait_for 5 sent_some $(($(port_value c1 .rx.frames) + 20))
timeout -s INT 2.6 "$BUILD/vfab" -s "$SOCKET" stats --watch -o json >"$T/watch" && status=0 || status=$?
# timeout says 124 for what it interrupted; that the command itself ends with 0 is tested below.
expect_eq "status" "$status" 124
expect_eq "rounds" "$(wc -l <"$T/watch")" 2
expect jq -es 'all(.[]; (.time_ms | type == "number") and
	(.ports | INDEX(.port) | (.c1.rx.frames_s > 100 and .c1.rx.frames_s < 1100) and
		((.c1.rx.bits_s / .c1.rx.frames_s | round) == 800) and .c2.tx.frames_s > 100 and
		.wt.rx.frames_s == 0 and .c1.drops_s == 0 and .c2.tx.lost_s == 0 and .wt.state == "waiting"))' "$T/watch" >"$T/said"

# top, not on a terminal: one round, the busiest first, no escape.
vfab top >"$T/top"
expect_eq "head of top" "$(head -n 1 "$T/top" | tr -s ' ')" "PORT STATE RX-FRAME/S RX-BIT/S TX-FRAME/S TX-BIT/S LOST/S DROPS/S"
expect grep -q '^c[12] ' <(sed -n 2p "$T/top")
expect grep -q '^DROPPED ON' "$T/top"
refuse grep -q $'\033' "$T/top"
vfab top -o json >"$T/top"
expect_eq "lines of top -o json" "$(wc -l <"$T/top")" 1
expect jq -e '(.ports[0].port | IN("c1", "c2")) and (.drops | length == 6) and (.drops[0].frames >= .drops[5].frames)' "$T/top"
wait "$SENDER"

# top on a terminal: redraws on the other screen, q ends it, and the terminal is as it was.
frames <<'PY'
import pty
import subprocess
import termios
from frames import *

ours, theirs = pty.openpty()
before = termios.tcgetattr(theirs)
top = subprocess.Popen([os.environ["BUILD"] + "/vfab", "-s", SOCKET, "top"], stdin=theirs, stdout=theirs, stderr=theirs)
seen = b""
while seen.count(b"PORT ") < 2:
    seen += os.read(ours, 1 << 16)
expect(seen.startswith(b"\x1b[?1049h"), True, "top takes the other screen")
os.write(ours, b"q")
expect(top.wait(5), 0, "q ends top")
while not seen.endswith(b"\x1b[?1049l"):
    seen += os.read(ours, 1 << 16)
expect(termios.tcgetattr(theirs), before, "the terminal is as it was")

watch = subprocess.Popen([os.environ["BUILD"] + "/vfab", "-s", SOCKET, "stats", "--watch"], stdout=subprocess.PIPE)
watch.stdout.readline()
watch.send_signal(2)
watch.stdout.read()
expect(watch.wait(5), 0, "Ctrl-C ends stats --watch")
PY

# Events: keys, --since, --follow with and without what was.
reload()
{
	kill -HUP "$FABRIC_PID"
}
events_of()
{
	vfab events -o json | jq "[.[] | select(.kind == \"$1\")] | length"
}
is_reloaded()
{
	[ "$(events_of reload)" = "$1" ]
}
reload
wait_for 5 is_reloaded 1
has_keys events time:string kind:string object:string text:string
expect jq -e 'all(.[]; .time | test("^20[0-9-]{8}T[0-9:]{8}\\.[0-9]{3}Z$"))' <(vfab events -o json)
"$BUILD/vfab" -s "$SOCKET" events --follow -o json >"$T/new" &
FOLLOW_NEW=$!
defer end_process "$FOLLOW_NEW"
"$BUILD/vfab" -s "$SOCKET" events --follow --since 1h -o json >"$T/both" &
FOLLOW_BOTH=$!
defer end_process "$FOLLOW_BOTH"
lines()
{
	[ "$(wc -l <"$1")" -ge "$2" ]
}
wait_for 5 lines "$T/both" 1
# Both are asked in turn; a reload that both see begins the count.
n=1
until lines "$T/new" 1; do
	reload
	n=$((n + 1))
	wait_for 5 is_reloaded "$n"
done
first=$n
for _ in {1..5}; do
	reload
	n=$((n + 1))
	wait_for 5 is_reloaded "$n"
done
wait_for 5 lines "$T/both" "$n"
wait_for 5 lines "$T/new" $((n - first + 1))
vfab events -o json | jq -c '.[]' >"$T/all"
expect diff "$T/all" "$T/both"
expect diff <(tail -n $((n - first + 1)) "$T/all") "$T/new"
kill -INT "$FOLLOW_NEW" "$FOLLOW_BOTH"
expect wait "$FOLLOW_NEW"
expect wait "$FOLLOW_BOTH"
old()
{
	[ "$(vfab events --since "$1" -o json | jq length)" = 0 ]
}
wait_for 5 old 500ms
reload
n=$((n + 1))
wait_for 5 is_reloaded "$n"
expect_eq "of the last moments" "$(vfab events --since 500ms -o json | jq length)" 1
expect_eq "of the last hour" "$(vfab events --since 1h -o json | jq length)" "$(wc -l <"$T/all" | awk '{ print $1 + 1 }')"
expect_eq "lines of text" "$(vfab events | wc -l)" "$(vfab events -o json | jq length)"
expect_status 65 vfab events --since soon 2>/dev/null
