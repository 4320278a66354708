#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# B18: one corpus of more than 5000 frames - plain, of every protocol, of odd sizes, with headers that lie, tagged - through vfabd, Open
# vSwitch's userspace datapath (action NORMAL) and the Linux bridge.  Each station has a leg in every switch and sends the
# same frame into all three; the same stations must receive the same bytes.  Where a switch differs, the class of the frame
# is in DIFFERENCES below with the reason, and a difference that is listed and never seen fails as well.  (VLAN modes are judged
# in vlan-oracle.sh.)
#
#                .-- eth0 -- [ vfabd ]
#    a b c d  --+--- ovs0 -- [ ovs-vswitchd ]     every port native-untagged 1, all VLANs
#                '-- lbr0 -- [ bridge ]           no VLAN filtering: tagged frames are not sent there
. "$(dirname "$0")/../lib/scenario.sh"

for program in ovs-vswitchd ovsdb-server ovs-vsctl ovsdb-tool; do
	command -v $program >/dev/null || skip "needs $program"
done
stations=(a b c d)
for name in "${stations[@]}"; do ns "$name"; done
fabric <<YAML
ports:
$(for name in "${stations[@]}"; do tap "$name" "vlan-mode: native-untagged, tag: 1"; done)
YAML
wait_for 5 ports_up

ns linux
# The host's packet filter judges IP of bridges where it is loaded; a switch does not.
for key in iptables ip6tables arptables; do
	file=/proc/sys/net/bridge/bridge-nf-call-$key
	[ ! -e $file ] || run linux tee $file <<<0 >/dev/null
done
ip -n "$linux" link add br0 type bridge mcast_snooping 0 stp_state 0 forward_delay 0
ip -n "$linux" link set br0 up

ns oracle
export OVS_RUNDIR=$T OVS_LOGDIR=$T
ovsdb-tool create "$T/ovs.db" /usr/share/openvswitch/vswitch.ovsschema
start oracle ovsdb-server "$T/ovs.db" "--remote=punix:$T/ovs.sock" "--unixctl=$T/ovsdb.ctl"
wait_for 5 test -S "$T/ovs.sock"
vsctl()
{
	ovs-vsctl --timeout=10 "--db=unix:$T/ovs.sock" --no-wait "$@"
}
vsctl -- init -- set Open_vSwitch . other_config:vlan-limit=2
start oracle ovs-vswitchd "unix:$T/ovs.sock" "--unixctl=$T/ovs.ctl" --disable-system --disable-system-route
vsctl add-br br0 -- set bridge br0 datapath_type=netdev

for name in "${stations[@]}"; do
	device=$TAG-$name
	vsctl add-port br0 "$device" vlan_mode=native-untagged tag=1 -- set interface "$device" type=tap
	wait_for 5 ip -n "${oracle:?}" link show "$device"
	ip -n "$oracle" link set "$device" netns "${!name}" name ovs0
	ip -n "${!name}" link set ovs0 up
	link "$name" lbr0 linux "port-$name"
	ip -n "$linux" link set "port-$name" master br0
done

TURNS=$([ -z "${SOAK:-}" ] && echo 270 || echo 5000) frames <<'PY'
import random
import select
from collections import Counter
from frames import *

NAMES = "abcd"
SWITCHES = ("vfabd", "Open vSwitch", "bridge")
FRAMES_A_TURN = 20
MARK = 0x88B7  # IEEE 802 OUI extended: the last frame of a turn

# (class of frame, who differs from vfabd): why.
DIFFERENCES = {
    ("group source", "Open vSwitch"): "a group address is nobody's: dropped by us and the bridge (bad_source)",
    ("zero source", "Open vSwitch"): "the same of 00:00:00:00:00:00",
    ("bridge group", "bridge"): "01:80:c2:00:00:00 passes a Linux bridge without STP; reserved (802.1Q table 8-1) to us and Open vSwitch",
    ("vendor reserved", "Open vSwitch"): "it counts protocols of single vendors (01:00:0c:cc:cc:cc) as reserved",
    ("zero destination", "Open vSwitch"): "it has learned 00:00:00:00:00:00 from such a source",
    ("VID 4095", "Open vSwitch"): "reserved for implementations (802.1Q table 9-2): dropped by us (vlan_reserved), a VLAN there",
}

seed = int(os.environ.get("SEED") or int.from_bytes(os.urandom(4), "big"))
random.seed(seed)
print(f"seed {seed}")
legs = {name: [Station(name, ifname) for ifname in ("eth0", "ovs0", "lbr0")] for name in NAMES}
macs = {name: f"02:00:00:00:00:{i:02x}" for i, name in enumerate(NAMES, 1)}
UNKNOWN, ROAMER = "02:00:00:00:99:99", "02:00:00:00:77:77"
VIDS = (2, 3, 10, 4094)
GROUPS = [BROADCAST, "01:00:5e:00:00:05", "01:00:5e:7f:ff:fa", "33:33:00:00:00:01", "33:33:ff:00:00:09", "03:00:00:00:00:01",
          "01:80:c2:00:00:10", "01:80:c2:00:00:21", "01:80:c2:00:00:2f", "01:1b:19:00:00:00"]


def destination():
    return random.choice(list(macs.values()) * 2 + [UNKNOWN] + GROUPS)


def ipv4(payload, proto, ihl=5, version=4, total=None, frag=0):
    total = 20 + len(payload) if total is None else total
    return struct.pack("!BBHHHBBH4s4s", version << 4 | ihl, random.randrange(256), total, random.randrange(65536), frag,
                       random.choice((0, 1, 64, 255)), proto, random.randrange(65536), os.urandom(4), os.urandom(4)) + payload


def ipv6(payload, following, length=None):
    return struct.pack("!IHBB", 6 << 28 | random.randrange(1 << 28), len(payload) if length is None else length, following,
                       64) + os.urandom(32) + payload


def l4():
    proto = random.choice((1, 2, 6, 17, 33, 41, 47, 50, 58, 89, 103, 112, 132, 136))
    return proto, os.urandom(random.randrange(8, 1400))


def make(kind, source):
    dst, size = destination(), random.randrange(46, 1400)
    payload, etype, tags = os.urandom(size), ETYPE_TEST, b""
    if kind == "IPv4":
        proto, body = l4()
        payload, etype = ipv4(body, proto), 0x0800
    elif kind == "IPv6":
        proto, body = l4()
        payload, etype = ipv6(body, proto), 0x86DD
    elif kind == "ARP":
        etype = random.choice((0x0806, 0x8035))
        payload = struct.pack("!HHBBH", 1, 0x800, 6, 4, random.randrange(1, 5)) + os.urandom(20)
    elif kind == "odd ARP":
        etype, payload = 0x0806, os.urandom(random.randrange(0, 60))
    elif kind == "IP that lies":
        proto, body = l4()
        if random.random() < 0.5:
            payload = ipv4(body, proto, random.randrange(16), random.randrange(16), random.randrange(65536),
                           random.choice((0, 0x2000, 0x1FFF, 0x3FFF, 0x8000)))
            etype = 0x0800
        else:
            payload, etype = ipv6(body, random.choice((0, 43, 44, 50, 51, 60, 135)), random.randrange(65536)), 0x86DD
        payload = payload[:random.choice((len(payload), random.randrange(len(payload))))]
    elif kind == "LLC":
        etype, payload = size, random.choice((b"\x42\x42\3", b"\xaa\xaa\3\0\0\0\x08\0", b"\xff\xff", b"\xe0\xe0\3")) + payload
    elif kind == "length that lies":
        etype = random.randrange(1536)
    elif kind == "any EtherType":
        etype = random.choice([e for e in (random.randrange(0x600, 0x10000), 0x8847, 0x8848, 0x8863, 0x8864, 0x88F7, 0x88E5, 0x88CC,
                                           0x8906, 0xFFFF) if e not in (0x8100, 0x88A8, 0x9100, ETYPE_PROBE, MARK)])
    elif kind == "sizes":
        payload = os.urandom(random.choice((0, 1, 45, 46, 47, 49, 50, 1498, 1499, 1500)))
    elif kind == "group source":
        source = random.choice((BROADCAST, "01:00:5e:00:00:01", "03:00:00:00:00:07"))
    elif kind == "zero source":
        source = "00:00:00:00:00:00"
    elif kind == "zero destination":
        dst = "00:00:00:00:00:00"
    elif kind == "to itself":
        dst = source
    elif kind == "roaming source":
        # Nobody sends to it: Open vSwitch learns of a move only when it looks at the flow again.  (learning.sh judges moves.)
        source = ROAMER
    elif kind == "bridge group":
        dst = "01:80:c2:00:00:00"
    elif kind == "reserved":
        dst = f"01:80:c2:00:00:{random.randrange(1, 16):02x}"
    elif kind == "vendor reserved":
        dst = "01:00:0c:cc:cc:cc"
    elif kind == "VID 4095":
        tags = tag(4095, random.randrange(8))
    elif kind == "tagged":
        tags = tag(random.choice(VIDS), random.randrange(8))
    elif kind == "tagged native":
        tags = tag(1, random.randrange(8))
    elif kind == "priority tag":
        tags = tag(0, random.randrange(8))
    elif kind == "two tags":
        tags = tag(random.choice(VIDS), random.randrange(8)) + tag(random.randrange(4096), random.randrange(8))
    return eth(dst, source, payload, tags, etype, pad=kind not in ("sizes", "odd ARP", "IP that lies"))


UNTAGGED = ["plain", "IPv4", "IPv6", "ARP", "odd ARP", "IP that lies", "LLC", "length that lies", "any EtherType", "sizes", "group source",
            "zero source", "zero destination", "to itself", "roaming source", "bridge group", "reserved", "vendor reserved"]
TAGGED = ["VID 4095", "tagged", "tagged native", "priority tag", "two tags"]


def is_mark(frame, serial):
    return frame[12:14] == struct.pack("!H", MARK) and frame[14:18] == struct.pack("!I", serial)


def mark(name, which, serial):
    """Sends a frame that floods, and gives what each other station received before it."""
    legs[name][which].send(eth(BROADCAST, macs[name], struct.pack("!I", serial), etype=MARK))
    got, waiting = {}, {n for n in NAMES if n != name}
    end = time.monotonic() + 5 * SLOW
    while waiting:
        if time.monotonic() > end:
            sys.exit(f"FAIL: {SWITCHES[which]}: the mark of {name} did not come to {sorted(waiting)}")
        select.select([legs[n][which].sock for n in waiting], [], [], 0.1)
        for n in list(waiting):
            while (frame := legs[n][which].receive()) is not None:
                if is_mark(frame, serial):
                    waiting.discard(n)
                    break
                got.setdefault(n, []).append(frame)
    return got


def through(name, which, frames, serial):
    """Sends frames and collects.  Two marks: Open vSwitch may forward frames of one burst in another order."""
    for station in NAMES:
        legs[station][which].drain()
    for frame in frames:
        legs[name][which].send(frame)
    got = {n: [] for n in NAMES if n != name}
    for i in (0, 1):
        for n, seen in mark(name, which, serial + i).items():
            got[n] += seen
    expect_none = legs[name][which].drain()
    if expect_none:
        sys.exit(f"FAIL: {SWITCHES[which]}: comes back to {name}: {show(expect_none)}")
    return {n: sorted(seen) for n, seen in got.items()}


sent, seen = Counter(), set()
# Everybody is known everywhere before it begins: Open vSwitch goes on flooding by a flow that it made before it learned.
for which in range(3):
    for name in NAMES:
        for vid in VIDS if which < 2 else ():
            legs[name][which].send(eth(BROADCAST, macs[name], b"here", tag(vid)))
        mark(name, which, 0)
for turn in range(int(os.environ["TURNS"])):
    kind = (UNTAGGED + TAGGED)[turn % len(UNTAGGED + TAGGED)]
    name = random.choice(NAMES)
    frames = [make(kind, macs[name]) for _ in range(FRAMES_A_TURN)]
    sent[kind] += len(frames)
    results = [through(name, which, frames, 2 * turn + 1) for which in range(3 if kind in UNTAGGED else 2)]
    for which in range(1, len(results)):
        if results[which] == results[0]:
            continue
        if (kind, SWITCHES[which]) in DIFFERENCES:
            seen.add((kind, SWITCHES[which]))
            continue
        for n in results[0]:
            ours, theirs = Counter(results[0][n]), Counter(results[which][n])
            for frame, side in ([(f, "vfabd") for f in ours - theirs] + [(f, SWITCHES[which]) for f in theirs - ours])[:3]:
                print(f"{side} alone gives {n}: {show(frame)}")
        sys.exit(f"FAIL: turn {turn}: {kind} from {name}: {SWITCHES[which]} and vfabd differ")
for difference in DIFFERENCES:
    expect(difference in seen, True, f"{difference[0]}: {difference[1]} differs: {DIFFERENCES[difference]}")
print(f"soak: {sum(sent.values())} frames through three switches")
expect(sum(sent.values()) >= 5000, True, f"{sum(sent.values())} frames of {len(sent)} kinds, the same bytes at the same stations")
PY
