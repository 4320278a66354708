#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# B02: learning, ageing, station move, static entries.  B10: sources that are never learned.
#
#   c1, c2, c3 -- access, office (VLAN 10, ageing 2 s) -- [ vfabd ] -- the host's vf-office
. "$(dirname "$0")/../lib/scenario.sh"

ns c1
ns c2
ns c3
fabric <<EOF
networks:
  office: {mode: host-only, vlan: 10, ipv4: 10.66.0.0/24, mac-ageing: 2s}
  other: {mode: internal, vlan: 20}
ports:
$(tap c1 "network: office")
$(tap c2 "network: office")
$(tap c3 "network: office")
EOF
wait_for 5 ports_up c1 c2 c3
expect vfab mac add office 02:00:00:00:5a:5a c3

frames <<'PY'
from frames import *

c1, c2, c3 = stations("c1", "c2", "c3")
B, STATIC = "02:00:00:00:00:bb", "02:00:00:00:5a:5a"


def where(mac):
    return [(e["port"], e["kind"]) for e in ctl("mac.ls") if e["mac"] == mac]


def seen(frame, sender):
    got = deliver(sender, frame, [s for s in (c1, c2, c3) if s is not sender])
    return sorted(str(s) for s, frames in got.items() if frames == [frame])


# Flood, then unicast, then flood again when the entry has aged.
to_b = eth(B, c1.mac, b"to b")
expect(seen(to_b, c1), ["c2", "c3"], "unknown: flooded")
send_settled(c2, [eth(BROADCAST, B, b"here")])
expect(where(B), [("c2", "learned")], "learned behind c2")
expect(seen(to_b, c1), ["c2"], "known: to c2 only")

# A station that moves is found at once, and the way back too.
send_settled(c3, [eth(BROADCAST, B, b"moved")])
expect(seen(to_b, c1), ["c3"], "moved: to c3 only")
send_settled(c2, [eth(BROADCAST, B, b"back")])
expect(seen(to_b, c1), ["c2"], "moved back: to c2 only")

# A frame for an address behind its own port goes nowhere.
dropped(c2, eth(B, "02:00:00:00:00:cc", b"same side"), "same_port", [c1, c3])

# Static: known from the start, cannot be taken by a frame, does not age and does not keep others from it.
to_static = eth(STATIC, c1.mac, b"to static")
expect(seen(to_static, c1), ["c3"], "static entry: to c3 only")
send_settled(c2, [eth(BROADCAST, STATIC, b"mine!")])
expect(seen(to_static, c1), ["c3"], "a frame does not take a static entry")
wait_for(6, "ageing of what was learned", lambda: not [e for e in ctl("mac.ls") if e["kind"] == "learned"])
expect(where(STATIC), [("c3", "static")], "a static entry does not age")
expect(seen(to_b, c1), ["c2", "c3"], "aged: flooded again")

# B10: group, zero, broadcast and the switch's own address as source.
for source in ("01:00:5e:00:00:01", "03:00:00:00:00:01", "00:00:00:00:00:00", BROADCAST, "02:76:66:00:00:0a"):
    dropped(c1, eth(BROADCAST, source, b"bad source"), "bad_source", [c2, c3])
    expect([e for e in where(source) if e[1] == "learned"], [], f"{source} is not learned")

# Flushing takes what was learned and leaves what is static.
learn(c1, c2)
ctl("mac.flush", network="office")
expect(where(c2.mac) + where(STATIC), [("c3", "static")], "flush leaves static entries")
PY

expect_eq "default ageing stands in the file only when set" "$(vfab config show | grep -c mac-ageing)" 1
