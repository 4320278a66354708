#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# B18: the same frames through vfabd and through Open vSwitch's userspace datapath (action NORMAL, the same five VLAN modes): the
# same ports get the same bytes, but for the differences listed below.  Each station has a leg in either switch.
#
#                .-- eth0 -- [ vfabd ]
#    station  --+                               a b access 10    c access 20    t trunk 10, 20, 30
#                '-- ovs0 -- [ ovs-vswitchd ]   u native-untagged 10 + 20       n native-tagged 10 + 20
#                                               p q dot1q-tunnel 30
#
# Differences, each with its reason:
#   an outer 802.1ad tag off a dot1q-tunnel's VLAN   payload to us, a VLAN tag to Open vSwitch: not sent
#   VID 4095                                         never forwarded by us (802.1Q 9.6), a VLAN to Open vSwitch: not sent
#   a group, zero or own address as source           dropped by us, forwarded there: not sent
#   a tag behind an 802.1Q tag                       payload to us, unless it would hop; Open vSwitch removes it behind a
#                                                    priority tag and sends no such frame out untagged: not sent
#   a priority tag of priority 0                     no tag to us; there it may take the cached flow of an untagged frame and
#                                                    keep its tag: not sent
. "$(dirname "$0")/../lib/scenario.sh"

for program in ovs-vswitchd ovsdb-server ovs-vsctl ovsdb-tool; do
	command -v $program >/dev/null || skip "needs $program"
done
stations=(a b c t u n p q)
for name in "${stations[@]}"; do ns "$name"; done
fabric <<EOF
ports:
$(tap a "vlan-mode: access, tag: 10")
$(tap b "vlan-mode: access, tag: 10, priority-tags: if-nonzero")
$(tap c "vlan-mode: access, tag: 20")
$(tap t "vlan-mode: trunk, trunks: [10, 20, 30]")
$(tap u "vlan-mode: native-untagged, tag: 10, trunks: [20]")
$(tap n "vlan-mode: native-tagged, tag: 10, trunks: [20]")
$(tap p "vlan-mode: dot1q-tunnel, tag: 30")
$(tap q "vlan-mode: dot1q-tunnel, tag: 30")
EOF
wait_for 5 ports_up

ns oracle
export OVS_RUNDIR=$T OVS_LOGDIR=$T
ovsdb-tool create "$T/ovs.db" /usr/share/openvswitch/vswitch.ovsschema
start oracle ovsdb-server "$T/ovs.db" "--remote=punix:$T/ovs.sock" "--unixctl=$T/ovsdb.ctl"
wait_for 5 test -S "$T/ovs.sock"
vsctl()
{
	ovs-vsctl --timeout=10 "--db=unix:$T/ovs.sock" --no-wait "$@"
}
# Two tags are what it must look at; our access ports take whole stacks as payload.
vsctl -- init -- set Open_vSwitch . other_config:vlan-limit=2
start oracle ovs-vswitchd "unix:$T/ovs.sock" "--unixctl=$T/ovs.ctl" --disable-system --disable-system-route
vsctl add-br br0 -- set bridge br0 datapath_type=netdev

# oracle_port NAME KEY=VALUE...: what the station's port is called in Open vSwitch.
oracle_port()
{
	local name=$1 device="$TAG-$1"
	shift

	vsctl add-port br0 "$device" "$@" -- set interface "$device" type=tap
	wait_for 5 ip -n "${oracle:?}" link show "$device"
	ip -n "$oracle" link set "$device" netns "${!name}" name ovs0
	ip -n "${!name}" link set ovs0 up
}
oracle_port a vlan_mode=access tag=10
oracle_port b vlan_mode=access tag=10 other_config:priority-tags=if-nonzero
oracle_port c vlan_mode=access tag=20
oracle_port t vlan_mode=trunk trunks=10,20,30
oracle_port u vlan_mode=native-untagged tag=10 trunks=20
oracle_port n vlan_mode=native-tagged tag=10 trunks=20
oracle_port p vlan_mode=dot1q-tunnel tag=30
oracle_port q vlan_mode=dot1q-tunnel tag=30

TURNS=$([ -z "${SOAK:-}" ] && echo 120 || echo 3000) frames <<'PY'
import random
import select
import subprocess
from frames import *

NAMES = "abctunpq"
seed = int.from_bytes(os.urandom(4), "big")
random.seed(seed)
print(f"seed {seed}")
ours = {name: Station(name) for name in NAMES}
theirs = {name: Station(name, "ovs0") for name in NAMES}
macs = {name: f"02:00:00:00:00:{i:02x}" for i, name in enumerate(NAMES, 1)}
addresses = list(macs.values()) + [BROADCAST, "01:00:5e:00:00:05", "33:33:00:00:00:01", "02:00:00:00:99:99", "01:80:c2:00:00:03",
                                   "01:80:c2:00:00:21"]


def quiet(stations, seconds):
    """Collects until nothing came for a while: Open vSwitch cannot be asked whether it is done."""
    got = {s: [] for s in stations}
    while select.select([s.sock for s in stations], [], [], seconds)[0]:
        for station in stations:
            got[station] += station.drain()
    return got


def tags_for(name):
    if name in "pq":
        return random.choice((b"", tag(5, 3), tag(10), tag(30, 1), tag(0, 4)))
    if name == "t" and random.random() < 0.2:
        return tag(30, random.randrange(8), 0x88A8) + random.choice((b"", tag(5, 3)))
    return random.choice((b"", b"", tag(0, random.randrange(1, 8)), tag(10, random.randrange(8)), tag(20, random.randrange(8)), tag(40)))


def digest(frames):
    """What a station got, in order for each source: switches may interleave flows as they like."""
    return sorted(frames, key=lambda f: (f[6:12], f[-4:]))


serial = total = 0
quiet(list(theirs.values()), 0.5)
for turn in range(int(os.environ["TURNS"])):
    name = random.choice(NAMES)
    frames = []
    # One source a turn, and no flow of an earlier one: its cached flows follow what it learns half a second late.
    source = macs[name] if random.random() < 0.8 else random.choice(list(macs.values()))
    subprocess.run(["ovs-appctl", "-t", os.environ["T"] + "/ovs.ctl", "revalidator/purge"], check=True)
    for _ in range(40):
        serial += 1
        frames.append(eth(random.choice(addresses), source, os.urandom(random.randrange(56, 300)) + struct.pack("!I", serial),
                          tags_for(name)))
    total += len(frames)
    others = [n for n in NAMES if n != name]
    mine = deliver(ours[name], frames, [ours[n] for n in others])
    for frame in frames:
        theirs[name].send(frame)
    other = quiet([theirs[n] for n in others], 0.03 * SLOW)
    for n in others:
        if digest(mine[ours[n]]) == digest(other[theirs[n]]):
            continue
        # One late batch of the oracle is not a difference.
        for late, more in quiet([theirs[m] for m in others], 0.5).items():
            other[late] += more
        a, b = digest(mine[ours[n]]), digest(other[theirs[n]])
        if a == b:
            continue
        only_a, only_b = [f for f in a if f not in b], [f for f in b if f not in a]
        culprit = (only_a or only_b)[0][-4:]
        sent = next(f for f in frames if f[-4:] == culprit)
        sys.exit(f"FAIL: turn {turn}: {name} sends {show(sent)}; at {n} vfabd alone gives {show(only_a)}, "
                 f"Open vSwitch alone {show(only_b)}")
print(f"soak: {total} frames beside Open vSwitch")
print(f"ok: {total} frames, the same bytes at the same ports")
PY
