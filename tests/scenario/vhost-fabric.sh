#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The fabric on vhost-user ports, as on taps: VLAN modes (B04, B05, B09), guard mac (B16), rate, storm and MAC limits, isolation
# (B14), MTU (B12), counters to the frame, traces and captures of a guest's frames, beyond what of them is looked at.
#
#   c1 (10), c2 (20) -- taps       a (10, guard mac)  t (trunk 10,20)  n (native-untagged 10, 20)  q (dot1q-tunnel 30)  q2 (30)
#                                  i1, i2 (10, isolated)  s (10, storm, 4 MACs)  r (10, 1 Mbit/s)  -- guests
. "$(dirname "$0")/../lib/scenario.sh"

for name in c1 c2; do ns $name; done
guest()
{
	echo "  $1: {vhost-user: $T/$1.sock, $2}"
}
fabric <<YAML
networks:
  office: {mode: internal, vlan: 10}
  lab: {mode: internal, vlan: 20}
ports:
$(tap c1 "network: office")
$(tap c2 "network: lab")
$(guest a "network: office, mac: '02:00:00:00:00:0a', guard: mac")
$(guest t "vlan-mode: trunk, trunks: [10, 20]")
$(guest n "vlan-mode: native-untagged, tag: 10, trunks: [20]")
$(guest q "vlan-mode: dot1q-tunnel, tag: 30")
$(guest q2 "vlan-mode: dot1q-tunnel, tag: 30")
$(guest i1 "network: office, isolated: true")
$(guest i2 "network: office, isolated: true")
$(guest s "network: office, storm: {broadcast: 50}, mac-limit: 4, mac-limit-action: drop")
$(guest r "network: office, rate: 1mbit")
YAML
wait_for 5 ports_up c1 c2

TRACE="$T/trace.json" frames <<'PY'
import json
import subprocess
from vhost import *

c1, c2 = stations("c1", "c2")
macs = {"a": "02:00:00:00:00:0a"}
a, t, n, q, q2, i1, i2, s, r = (
    Guest(name, packed=k % 2 == 1, mac=macs.get(name)).start().until("up")
    for k, name in enumerate(("a", "t", "n", "q", "q2", "i1", "i2", "s", "r")))
learn(c1, c2)

# VLAN modes, both ways.
got = deliver(c1, eth(BROADCAST, c1.mac, b"from 10"), [a, t, n, q, c2])
expect([len(got[x]) for x in (a, t, n, q, c2)], [1, 1, 1, 0, 0], "VLAN 10 goes to who carries it")
expect(got[t][0][12:16], tag(10), "a trunk has it tagged")
expect(got[n][0][12:14], got[a][0][12:14], "native and access have it untagged")
got = deliver(t, [eth(BROADCAST, t.mac, b"to 20", tag(20)), eth(BROADCAST, t.mac, b"to 30", tag(30)), eth(BROADCAST, t.mac, b"to none")],
              [c1, c2, n])
expect((len(got[c1]), len(got[c2]), len(got[n])), (0, 1, 1), "a trunk's tag decides, and no other passes")
expect(drops_of("t").get("vlan"), 2, "what a trunk does not carry is counted")
expect(got[n][0][12:16], tag(20), "what is not native leaves tagged")
inner = eth(BROADCAST, q.mac, b"customer", tag(7))
expect(deliver(q, inner, [q2, t, c1])[q2], [inner], "a tunnel carries the frame as it is")
dropped(a, eth(BROADCAST, a.mac, b"tagged", tag(10)), "vlan", [c1])

# Who may say what, and how much.
dropped(a, eth(c1.mac, "02:00:00:00:00:99", b"forged"), "guard_mac", [c1])
learn(i1, i2)
dropped(i1, eth(i2.mac, i1.mac, b"x"), "isolated", [i2])
expect(len(deliver(i1, eth(c1.mac, i1.mac, b"x"), [c1])[c1]), 1, "an isolated guest reaches others")
got = len(deliver(s, [eth(BROADCAST, s.mac, b"flood")] * 200, [c1])[c1])
expect(drops_of("s").get("storm", 0), 200 - got, "what is over the storm limit is counted")
expect(got < 150, True, f"{got} of 200 broadcasts pass a limit of 50 a second")
for k in range(8):
    s.send(eth(c1.mac, f"02:00:00:00:05:{k:02x}", b"many"))
wait_for(2, "the MAC limit is met", lambda: drops_of("s").get("mac_limit", 0) >= 4)
expect(len([e for e in ctl("mac.ls") if e["port"] == "s"]), 4, "4 addresses are learned and no more")
for k in range(200):
    r.send(eth(c1.mac, r.mac, bytes(1400)))
    if k % 20 == 19:
        time.sleep(0.005)
wait_for(2, "a rate is policed", lambda: drops_of("r").get("rate", 0) > 50)
dropped(t, eth(c1.mac, t.mac, bytes(1600), tag(10)), "too_big", [c1])

# Counters to the frame.
for p in ctl("port.ls"):
    expect(p["rx"]["frames"], p["forwarded"] + p["local"] + p["drops"], f"sum of {p['name']}")

# A trace, by bytes that lie beyond what a guest's frame is usually looked at for.
needle = eth(c1.mac, a.mac, bytes(600) + b"NEEDLE!!" + bytes(100))
trace = subprocess.Popen([os.environ["BUILD"] + "/vfab", "-s", SOCKET, "trace", "ether[614:4] = 0x4e454544", "--count", "1", "-o", "json"],
                         stdout=open(os.environ["TRACE"], "w"))
time.sleep(0.3)
expect(deliver(a, [eth(c1.mac, a.mac, bytes(700)), needle], [c1])[c1][-1], needle, "a traced frame is whole")
expect(trace.wait(5), 0, "the trace ends with its frame")
story = json.load(open(os.environ["TRACE"]))
expect((story["port"], story["verdict"], story["out"]), ("a", "forward", ["c1"]), "its story")
PY

timeout 5 "$BUILD/vfab" -s "$SOCKET" capture a -w "$T/a.pcapng" --count 1 &
capture=$!
sleep 0.3
frames <<'PY'
from vhost import *

c1 = Station("c1")
a = Guest("a", mac="02:00:00:00:00:0a")
before = port_of("a")["rx"]["frames"]
a.start().until("up").send(eth(c1.mac, a.mac, bytes(range(256)) * 5))
wait_for(2, "the frame is taken", lambda: port_of("a")["rx"]["frames"] > before)
PY
wait $capture
expect_eq "bytes of a captured frame" "$(tshark -r "$T/a.pcapng" -T fields -e frame.len 2>/dev/null)" 1294
