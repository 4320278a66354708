#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# B11 no reflection and no duplicate, B13 order: frames with serial numbers through eight ports.  CPUS="0, 1" runs it
# with two workers, RATE_FRAMES changes the number of frames.
#
#   c1 .. c8 -- access 10 -- [ vfabd ]     all eight speak; each port sees each serial of each other once, in order
. "$(dirname "$0")/../lib/scenario.sh"

names=(c1 c2 c3 c4 c5 c6 c7 c8)
for name in "${names[@]}"; do ns "$name"; done
fabric <<EOF
networks:
  office: {mode: internal, vlan: 10}
workers: {cpus: [${CPUS:-0}]}
ports:
$(for name in "${names[@]}"; do tap "$name" "network: office"; done)
EOF
wait_for 5 ports_up

FRAMES=${FRAMES:-3000} frames <<'PY'
from frames import *

FRAMES = int(os.environ["FRAMES"])
everyone = stations(*(f"c{i}" for i in range(1, 9)))
index = {s.mac: i for i, s in enumerate(everyone)}
learn(*everyone)

ROUND = 500  # frames of each; more would not fit the queue of its own device, which drops before we see them


def send(i, station, serials):
    neighbour = everyone[(i + 1) % 8].mac
    for serial in serials:
        dst = BROADCAST if serial % 2 else neighbour
        station.send(eth(dst, station.mac, struct.pack("!BI", i, serial) + bytes(serial % 200)))


def send_all(serials):
    """Each of the eight floods, and sends to one known neighbour, by turns; a child for each keeps them all busy at once."""
    before = {s: port_of(s.port)["rx"]["frames"] for s in everyone}
    children = []
    for i, station in enumerate(everyone):
        pid = os.fork()
        if pid == 0:
            send(i, station, serials)
            os._exit(0)
        children.append(pid)
    for pid in children:
        if os.waitpid(pid, 0)[1] != 0:
            sys.exit("FAIL: a sender ended badly")
    for station in everyone:
        wait_for(20, f"port {station}: all counted", lambda: settled(station.port, before[station] + len(serials)))


last = [[-1] * 8 for _ in everyone]
count = [[0] * 8 for _ in everyone]


def receive_all():
    for j, station in enumerate(everyone):
        for frame in station.drain():
            sender, serial = struct.unpack_from("!BI", frame, 14)
            if sender == j:
                sys.exit(f"FAIL: {station} sees its own serial {serial}")
            if serial <= last[j][sender]:
                sys.exit(f"FAIL: {station}: serial {serial} of c{sender + 1} after {last[j][sender]}")
            if serial % 2 == 0 and j != (sender + 1) % 8:
                sys.exit(f"FAIL: {station}: serial {serial} of c{sender + 1} is for another port")
            last[j][sender] = serial
            count[j][sender] += 1


EACH = FRAMES // 8
for start in range(0, EACH, ROUND):
    send_all(range(start, min(start + ROUND, EACH)))
    receive_all()
for j, station in enumerate(everyone):
    want = [0 if i == j else EACH if (i + 1) % 8 == j else EACH // 2 for i in range(8)]
    lost = port_of(station.port)["tx"]["lost"]
    if count[j] != want and sum(want) - sum(count[j]) != lost:
        expect(count[j], want, f"frames at {station}, lost {lost}")
print(f"soak: {FRAMES} frames through eight ports")
print("ok: each serial at most once, in order, none back, none astray")
PY
