#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# V01 with a guest that polls, DPDK's virtio-user: split and packed rings, mergeable buffers, in order, 1, 2 and 4 queues,
# rings of 64 to 4096, on either end of the socket; every two of these meet in one combination at least.  Numbered frames of
# every length run both ways: each arrives once, in the order of its queue and bit for bit, or was counted as
# lost.  Where buffers are mergeable they are small, so that long frames take several.
# SOAK=1: all combinations, FRAMES each way each.  CPUS="0, 1" runs it with two workers.
#
#   sent.pcap --- virtio-user a0 --- network n0 --- virtio-user b0 --- sent.pcap      up to four such pairs in one testpmd
#   got.pcap ---'                                                '--- got.pcap
. "$(dirname "$0")/../lib/scenario.sh"

command -v dpdk-testpmd >/dev/null || skip "needs dpdk-testpmd"
fabric <<EOF
workers: {cpus: [${CPUS:-0}]}
EOF

FRAMES=${FRAMES:-20000} SOAK=${SOAK:-} frames <<'PY'
import itertools
from testpmd import *

FRAMES, IS_SOAK = int(os.environ["FRAMES"]), bool(os.environ["SOAK"])
PAIRS_MAX = 4
VALUES = {"packed": (0, 1), "mrg": (0, 1), "in_order": (0, 1), "queues": (1, 2, 4),
          "size": (64, 128, 256, 512, 1024, 2048, 4096), "server": (0, 1)}
ODD = {128: 112, 512: 496, 2048: 1984}  # a packed ring need not be a power of two; testpmd wants sixteenths
base = open(f"{T}/fabric.yaml").read()


def meetings(row):
    return set(itertools.combinations(enumerate(row), 2))


def pairwise(rows):
    """Some of the rows: any two values that meet anywhere meet in one of them."""
    missing = set().union(*map(meetings, rows))
    chosen = []
    while missing:
        chosen.append(max(rows, key=lambda row: len(missing & meetings(row))))
        missing -= meetings(chosen[-1])
    return chosen


rows = list(itertools.product(*VALUES.values()))
rows = rows if IS_SOAK else pairwise(rows)


def groups():
    """One testpmd has one number of queues and one size of buffers."""
    for queues, mrg in itertools.product(VALUES["queues"], VALUES["mrg"]):
        mine = [dict(zip(VALUES, row)) for row in rows]
        mine = [row for row in mine if row["queues"] == queues and row["mrg"] == mrg]
        mine += mine[:len(mine) % 2]
        for start in range(0, len(mine), 2 * PAIRS_MAX):
            yield queues, mine[start:start + 2 * PAIRS_MAX]


def nics_of(group):
    for i, row in enumerate(group):
        if row["packed"]:
            row = dict(row, size=ODD.get(row["size"], row["size"]))
        yield Nic(f"{'ab'[i % 2]}{i // 2}", side=1 + i % 2, **row)


def is_over(nic, peer):
    """The switch received all that it sends, and the peer all that the switch gave it."""
    mine, theirs = port_of(nic.port), port_of(peer.port)
    return (mine["rx"]["frames"] == FRAMES == mine["forwarded"] + mine["drops"] and
            guests.stats(peer)["RX-packets"] == theirs["tx"]["frames"])


def judge(nic, peer):
    """What testpmd counted is what the switch counted; nothing is missing that is not in a counter."""
    sent, mine, got, theirs = guests.stats(nic), port_of(nic.port), guests.stats(peer), port_of(peer.port)
    expect((sent["TX-packets"], sent["TX-bytes"]), (mine["rx"]["frames"], mine["rx"]["bytes"]), f"{nic}: sent")
    expect(drops_of(nic.port).get("tx_full", 0), mine["drops"], f"{nic}: dropped because the ring of {peer.port} was full")
    expect((theirs["tx"]["frames"], theirs["tx"]["lost"]), (mine["forwarded"], 0), f"{peer}: what was forwarded")
    expect((got["RX-packets"], got["RX-bytes"]), (theirs["tx"]["frames"], theirs["tx"]["bytes"]), f"{peer}: received")
    expect(got["RX-errors"] + got["RX-nombuf"], 0, f"{peer}: errors")
    expect(theirs["tx"]["frames"] > FRAMES // 10, True, f"{peer}: {mine['drops']} of {FRAMES} found no room")


begin = time.monotonic()
for queues, group in groups():
    nics = list(nics_of(group))
    pairs = list(zip(nics[::2], nics[1::2]))
    for side, queue in itertools.product((1, 2), range(queues)):
        write_frames(Nic("", side).sent(queue), side, queue, range(FRAMES // queues + (queue < FRAMES % queues)))
    networks = "".join(f"  n{i}: {{mode: internal, vlan: {100 + i}}}\n" for i in range(len(pairs)))
    ports = "".join(a.line(f"n{i}") + b.line(f"n{i}") for i, (a, b) in enumerate(pairs))
    ctl("conf.apply", text=f"{base}networks:\n{networks}ports:\n{ports}")
    guests = Testpmd(nics)
    wait_for(5, f"all ports up: {', '.join(map(str, nics))}", lambda: is_up(*nics))
    guests.command("start")
    ways = [way for a, b in pairs for way in ((a, b), (b, a))]
    for nic, peer in ways:
        wait_for(20 + FRAMES // 5000, f"frames from {nic} to {peer}", lambda: is_over(nic, peer))
    for nic, peer in ways:
        judge(nic, peer)
    received = {nic: guests.stats(nic) for nic in nics}
    guests.command("stop")
    guests.quit()
    for nic in nics:
        expect(nic.check(), (received[nic]["RX-packets"], received[nic]["RX-bytes"]), f"V01 {nic}: right, once, in order")
    wait_for(5, "ports without a guest", lambda: all(port["state"] == "waiting" for port in ctl("port.ls")))
    ctl("conf.apply", text=base)
print(f"soak: {len(rows)} combinations, {FRAMES} frames each way, {time.monotonic() - begin:.0f} s")
PY
