#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# DPDK's virtio-user, which polls and keeps its rings full, and what ends around it.  Frames run both ways meanwhile, as fast as
# they can: none is changed or comes to another port, and no ring stalls.
# G12: one testpmd stops and starts its ports 20 times while another sends to them, and is killed 20 times and started
#   anew on the same sockets: each time frames pass again, and vfabd has no more descriptors than before.
# H01: the switch is killed and its successor takes the guests over; then both processes are killed and vfabd is started
#   again.  A virtio-user that listens is back within 2 s, split from its used index and packed by a reset of its
#   own; one that connects does so once in its life (DPDK 22.11) and has to be started anew.  The frames are numbered
#   here: none comes twice or out of order.
# SOAK=1: 100 of each.
#
#   pcap --- x0 (connects, split)  --- network n0 --- x1 (connects, packed) --- pcap
#   pcap --- y0 (listens, split)   --- network n1 --- y1 (listens, packed)  --- pcap       c1 .1 (tap) on a network of its own
. "$(dirname "$0")/../lib/scenario.sh"

command -v dpdk-testpmd >/dev/null || skip "needs dpdk-testpmd"
ns c1
cat >"$T/ports.yaml" <<EOF
networks:
  n0: {mode: internal, vlan: 100}
  n1: {mode: internal, vlan: 101}
  other: {mode: internal, vlan: 200}
ports:
$(tap c1 "network: other")
  x0: {vhost-user: $T/x0.sock, network: n0}
  x1: {vhost-user: $T/x1.sock, network: n0}
  y0: {vhost-user: $T/y0.sock, network: n1, client: true}
  y1: {vhost-user: $T/y1.sock, network: n1, client: true}
EOF
fabric <"$T/ports.yaml"
allow_log 'the switch|the broker is gone|state region'

SOAK=${SOAK:-} BROKER=$FABRIC_PID frames <<'PY' &
from testpmd import *

TIMES = 100 if os.environ["SOAK"] else 20
DEATHS = 100 if os.environ["SOAK"] else 3
PERIOD = 16384  # numbers; more than rings can hold between two frames that arrive
QUIET_S = 5.5  # after that the next death of the switch is a first one again
MOST_S = 2 * SLOW
broker = int(os.environ["BROKER"])


def switch_pid():
    with open(f"/proc/{broker}/task/{broker}/children") as children:
        pids = children.read().split()
    return int(pids[0]) if pids else 0


def descriptors():
    return [len(os.listdir(f"/proc/{pid}/fd")) for pid in (broker, switch_pid())]


def followers(*nics):
    return [follower for nic in nics for follower in nic.followers]


def run(seconds, *nics):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.02)
        judge(*nics)


def judge(*nics):
    for follower in followers(*nics):
        if follower.error:
            sys.exit(follower.error)


def passes(what, *nics):
    """From now on each receives frames; how long it took."""
    begin, before = time.monotonic(), [follower.reader.frames for follower in followers(*nics)]

    def is_moving():
        judge(*nics)
        return all(follower.reader.frames > n + 1000 for follower, n in zip(followers(*nics), before))
    wait_for(5, f"frames: {what}", is_moving)
    took = time.monotonic() - begin
    if took > MOST_S:
        sys.exit(f"FAIL: {what}: frames pass after {took:.1f} s only")
    return took


x0, x1 = Nic("x0", 1, packed=0), Nic("x1", 2, packed=1)
y0, y1 = Nic("y0", 1, packed=0, server=1, size=1024), Nic("y1", 2, packed=1, server=1, in_order=0)
everyone = (x0, x1, y0, y1)
for side in (1, 2):
    write_frames(Nic("", side).sent(0), side, 0, range(PERIOD))


def start(nics, is_ordered):
    guests = Testpmd(nics, PERIOD, is_ordered)
    wait_for(5, "ports up", lambda: is_up(*nics))
    guests.command("start")
    return guests


def stops(guests):
    """Its ports are stopped and started while another testpmd sends to them."""
    worst = 0.0
    for _ in range(TIMES):
        guests.command("stop")
        for nic in guests.nics:
            guests.command(f"port stop {guests.place[nic]}")
            guests.command(f"port start {guests.place[nic]}")
        guests.command("start")
        worst = max(worst, passes("after ports were stopped", *everyone))
    print(f"ok: G12 {TIMES} times stopped: {guests.nics[0]}, {guests.nics[1]}; frames after {worst * 1000:.0f} ms")


def kills(guests):
    had, nics = descriptors(), guests.nics
    for _ in range(TIMES):
        guests.kill()
        wait_for(5, "ports without a guest", lambda: all(port_of(nic.port)["state"] == "waiting" for nic in nics))
        guests = start(nics, False)
        passes("after testpmd was killed", *everyone)
    wait_for(2, f"descriptors of broker and switch: {had} before, {descriptors()} after {TIMES} kills",
             lambda: descriptors() == had)
    print(f"ok: G12 {TIMES} times killed: {nics[0]}, {nics[1]}; descriptors {had} as before")
    return guests


# Those of a network are in different processes: one goes on while the other is away.
split, packed = start((x0, y0), False), start((x1, y1), False)
passes("at first", *everyone)
stops(split)
stops(packed)
split, packed = kills(split), kills(packed)
split.kill()
packed.kill()

# Those of a network are in one process: what it sends while it does not receive is limited by its rings.
wait_for(5, "ports without a guest", lambda: all(port_of(nic.port)["state"] == "waiting" for nic in everyone))
connecting, listening = start((x0, x1), True), start((y0, y1), True)
passes("with both of a network in one testpmd", *everyone)
for i in range(DEATHS):
    run(QUIET_S if i else 0.3, *everyone)
    for follower in followers(*everyone):
        follower.forget_pauses()
    had, before = descriptors(), switch_pid()
    os.kill(before, signal.SIGKILL)
    run(0.8 * SLOW, *everyone)
    for nic, follower in zip(everyone, followers(*everyone)):
        pause = max(follower.pause, time.monotonic() - follower.since)
        expect(pause < MOST_S, True, f"H01 {nic}: a pause of {pause * 1000:.0f} ms, "
               f"{follower.reader.skipped - follower.skipped_before} not received")
    expect(switch_pid() not in (0, before), True, "H01 another switch")
    passes("after the switch died", *everyone)
    expect(is_up(*everyone), True, "H01 all ports up")
    wait_for(2, f"descriptors as before: {had}, {descriptors()}", lambda: descriptors() == had)
print(f"soak: {TIMES} stops and {TIMES} kills of testpmd, {DEATHS} deaths of the switch, "
      f"{sum(f.reader.frames for f in followers(*everyone))} frames since")

for i in range(5 if os.environ["SOAK"] else 1):
    run(0.3, *everyone)
    open(f"{T}/kill-both", "w").close()
    wait_for(20, "another vfabd", lambda: os.path.exists(f"{T}/is-back"))
    with open(f"{T}/is-back") as file:
        broker = int(file.read())
    os.unlink(f"{T}/is-back")
    wait_for(2, "those that listen", lambda: is_up(y0, y1))
    took = passes("after vfabd died", y0, y1)
    print(f"after vfabd died: {y0}, {y1}: frames {took * 1000:.0f} ms after its start; {x0}: {port_of('x0')['state']}")
    connecting.kill()
    connecting = start((x0, x1), True)
    passes("after those that connect were started anew", *everyone)
    expect(is_up(*everyone), True, "H01 all are back after vfabd died")
expect(port_of("c1")["tx"]["frames"], 0, "frames to another network")
open(f"{T}/is-over", "w").close()
connecting.kill()
listening.kill()
PY
python=$!
defer end_process $python

is_asked()
{
	[ -e "$T/kill-both" ] || [ -e "$T/is-over" ] || process_gone $python
}

# Its main thread may be a zombie while others of it still hold what it had open.
nobody_listens()
{
	! run fab ss -Hxl | grep -qF "$SOCKET"
}

until [ -e "$T/is-over" ] || process_gone $python; do
	wait_for 1000 is_asked
	if [ -e "$T/kill-both" ]; then
		switch=$(switch_pid)
		kill -9 "$FABRIC_PID" "$switch"
		wait "$FABRIC_PID" 2>/dev/null || true
		wait_for 2 process_gone "$switch"
		wait_for 2 nobody_listens
		FABRIC_PID=
		rm "$T/kill-both"
		fabric <"$T/ports.yaml"
		echo "$FABRIC_PID" >"$T/back"
		mv "$T/back" "$T/is-back"
	fi
done
wait $python || fail "numbered frames: see above"
