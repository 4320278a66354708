#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# R01: one port sends from as many addresses as it can.  The table stays within its limits, each port within its own, nobody's
# entry goes, and what others send to each other is not flooded.  (Q4 for the table.)  SOAK=1 sends a million.
#
#   evil (mac-limit default 4096) --.
#   evil2 .. evil17 ----------------+-- office, VLAN 10 -- [ vfabd ] -- v1, v2, sink
. "$(dirname "$0")/../lib/scenario.sh"

evils=(evil evil{2..17})
for name in "${evils[@]}" v1 v2 sink; do ns "$name"; done
fabric <<EOF
networks:
  office: {mode: internal, vlan: 10}
ports:
$(for name in "${evils[@]}" v1 v2 sink; do tap "$name" "network: office"; done)
EOF
wait_for 5 ports_up

FLOOD=$([ -z "${SOAK:-}" ] && echo 6000 || echo 1000000) frames <<'PY'
from frames import *

FLOOD = int(os.environ["FLOOD"])
evils = stations("evil", *(f"evil{i}" for i in range(2, 18)))
v1, v2, sink = stations("v1", "v2", "sink")
learn(v1, v2, sink)


def learned():
    count = {}
    for entry in ctl("mac.ls"):
        count[entry["port"]] = count.get(entry["port"], 0) + 1
    return count


# To a known station, so that the flood is of addresses and not of copies.
for i, evil in enumerate(evils):
    n = FLOOD if i == 0 else 4500
    before = port_of(evil.port)["rx"]["frames"]
    for serial in range(n):
        evil.send(eth(sink.mac, f"02:{i:02x}:{serial >> 24 & 255:02x}:{serial >> 16 & 255:02x}:{serial >> 8 & 255:02x}:{serial & 255:02x}"))
    wait_for(20, f"{evil} counted", lambda: settled(evil.port, before + n))
    if i == 0:
        expect(learned()["evil"], 4096, "addresses learned of evil")
    sink.drain()

print(f"soak: {FLOOD} addresses from one port, 4500 from each of 16")
count = learned()
expect(max(count.values()), 4096, "the most of any port")
expect(sum(count.values()) <= 65536, True, f"{sum(count.values())} addresses in all")
expect([count.get(n, 0) for n in ("v1", "v2", "sink")], [1, 1, 1], "entries of the others stay")
got = deliver(v1, [eth(v2.mac, v1.mac, b"between us")] * 100, [v2, sink] + evils[:2])
expect([len(got[s]) for s in (v2, sink, evils[0], evils[1])], [100, 0, 0, 0], "v1 to v2 is not flooded")
PY
wait_for 3 has_event mac_limit evil
