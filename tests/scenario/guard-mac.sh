#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# B16, source MAC: a port with `guard: mac` sends from its own address only.
#
#   g1 (guard mac) --.
#                     +-- office, VLAN 10 -- [ vfabd ]
#   c2 --------------'
. "$(dirname "$0")/../lib/scenario.sh"

ns g1
ns c2
fabric <<EOF
networks:
  office: {mode: internal, vlan: 10}
ports:
$(tap g1 "network: office, mac: '02:00:00:00:00:01', guard: mac, ipv4: 10.77.0.1/24")
$(tap c2 "network: office, mac: '02:00:00:00:00:02', ipv4: 10.77.0.2/24")
EOF
wait_for 5 ports_up

expect run g1 ping -q -c 3 -i 0.1 -W 1 10.77.0.2

frames <<'PY'
from frames import *

g1, c2 = stations("g1", "c2")
good = eth(c2.mac, g1.mac, b"mine")
expect(deliver(g1, good, [c2])[c2], [good], "its own address passes")
for last in range(1, 256):
    if last == 1:
        continue
    dropped(g1, eth(c2.mac, f"02:00:00:00:00:{last:02x}", b"forged"), "guard_mac", [c2])
dropped(g1, eth(BROADCAST, c2.mac, b"I am c2"), "guard_mac", [c2])
expect([e["port"] for e in ctl("mac.ls") if e["mac"] == c2.mac], ["c2"], "a forged frame moves nobody")
expect(sorted(e["mac"] for e in ctl("mac.ls") if e["port"] == "g1"), [g1.mac], "and nothing forged is learned")
PY

# Taken off and put on while it runs.
expect vfab port set g1 --guard off
frames <<'PY'
from frames import *

g1, c2 = stations("g1", "c2")
frame = eth(c2.mac, "02:00:00:00:00:77", b"free")
expect(deliver(g1, frame, [c2])[c2], [frame], "without guard any source passes")
PY
expect vfab port set g1 --guard mac
frames <<'PY'
from frames import *

g1, c2 = stations("g1", "c2")
dropped(g1, eth(c2.mac, "02:00:00:00:00:77", b"forged"), "guard_mac", [c2])
PY
