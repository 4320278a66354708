#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# B14: storm limits, isolated ports, isolated networks, MAC limits.
#
#   st (storm 50/60/70)  i1, i2 (isolated)  m1 (4 MACs, flood)  m2 (4 MACs, drop)  sink  -- access 10 --[ vfabd ]
#   n1, n2 -- network apart (isolate)
. "$(dirname "$0")/../lib/scenario.sh"

for name in st i1 i2 m1 m2 sink n1 n2; do ns $name; done
fabric <<EOF
networks:
  office: {mode: internal, vlan: 10}
  apart: {mode: internal, vlan: 20, isolate: true}
ports:
$(tap st "network: office, storm: {broadcast: 50, multicast: 60, unknown: 70}")
$(tap i1 "network: office, isolated: true")
$(tap i2 "network: office, isolated: true")
$(tap m1 "network: office, mac-limit: 4")
$(tap m2 "network: office, mac-limit: 4, mac-limit-action: drop")
$(tap sink "network: office")
$(tap n1 "network: apart")
$(tap n2 "network: apart")
EOF
wait_for 5 ports_up

frames <<'PY'
from frames import *

st, i1, i2, m1, m2, sink, n1, n2 = stations("st", "i1", "i2", "m1", "m2", "sink", "n1", "n2")
learn(sink)

# Each kind of flood has its own limit; unicast to a known station has none.
for dst, limit in ((BROADCAST, 50), ("01:00:5e:00:00:99", 60), ("02:00:00:00:99:99", 70)):
    start = time.monotonic()
    before = drops_of("st").get("storm", 0)
    got = len(deliver(st, [eth(dst, st.mac, b"flood")] * 1000, [sink])[sink])
    took = time.monotonic() - start
    expect(drops_of("st").get("storm", 0) - before, 1000 - got, f"what is over the limit for {dst} is counted")
    expect(1 <= got <= limit * (2 + took), True, f"{got} of 1000 frames to {dst} pass a limit of {limit} a second")
got = deliver(st, [eth(sink.mac, st.mac, b"unicast")] * 1000, [sink])
expect(len(got[sink]), 1000, "unicast to a known station is no flood")

# Isolated ports reach others, not each other: flooded, known and unknown.
learn(i1, i2)
for dst in (BROADCAST, "02:00:00:00:12:34"):
    got = deliver(i1, eth(dst, i1.mac, b"x"), [i2, sink])
    expect((len(got[i2]), len(got[sink])), (0, 1), f"isolated i1 to {dst}: sink only")
dropped(i1, eth(i2.mac, i1.mac, b"x"), "isolated", [i2, sink])
expect(len(deliver(sink, eth(i1.mac, sink.mac, b"x"), [i1])[i1]), 1, "others reach an isolated port")
expect(len(deliver(i1, eth(sink.mac, i1.mac, b"x"), [sink])[sink]), 1, "an isolated port reaches others")

# A network with isolate: its members reach no member.
learn(n1, n2)
dropped(n1, [eth(BROADCAST, n1.mac, b"x"), eth(n2.mac, n1.mac, b"x")], "isolated", [n2, sink])

# Over the MAC limit frames still pass and are not learned; or are dropped, as the port says.
def sources(port, n):
    return [eth(sink.mac, f"02:00:00:{port:02x}:00:{i:02x}", b"who am I") for i in range(n)]


def learned(name):
    return len([e for e in ctl("mac.ls") if e["port"] == name and e["kind"] == "learned"])


expect(len(deliver(m1, sources(1, 20), [sink])[sink]), 20, "over the limit, action flood: all pass")
expect(learned("m1"), 4, "addresses learned of m1")
expect(len(deliver(m2, sources(2, 20), [sink])[sink]), 4, "over the limit, action drop: the first four pass")
expect(drops_of("m2").get("mac_limit"), 16, "dropped by mac_limit")
expect(learned("m2"), 4, "addresses learned of m2")
PY

wait_for 3 has_event mac_limit m1
wait_for 3 has_event mac_limit m2
