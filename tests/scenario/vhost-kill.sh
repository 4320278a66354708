#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The switch dies under vhost-user guests.  H02: at every message boundary of a handshake, for split and packed rings, with the last message
# answered and with it still unread; each guest goes on with the rest, or begins again where its connection was closed.
# H01: under numbered traffic from guest to guest: it flows again within 2 s, no frame comes twice, out of order or to a wrong port, no
# ring stalls, and what was sent while nobody was there arrives without another kick.  SOAK=1: 100 deaths.
#
#   c1, c2 -- office -- [ switch: dies | broker: stays ] -- lab -- c3, a0 .. (split), b0 .. (packed)
. "$(dirname "$0")/../lib/scenario.sh"

BOUNDARIES=24
for name in c1 c2 c3; do ns $name; done
guests()
{
	local i

	for ((i = 0; i < BOUNDARIES; i++)); do
		echo "  a$i: {vhost-user: $T/a$i.sock, network: lab}"
		echo "  b$i: {vhost-user: $T/b$i.sock, network: lab}"
	done
}
cat >"$T/kill.yaml" <<YAML
networks:
  office: {mode: internal, vlan: 10}
  lab: {mode: internal, vlan: 20}
ports:
$(tap c1 "network: office")
$(tap c2 "network: office")
$(tap c3 "network: lab")
$(guests)
YAML
allow_log 'the switch|Sanitizer'

handshakes()
{
	fabric <"$T/kill.yaml"
	wait_for 5 ports_up c1 c2 c3
	HOW=$1 BOUNDARIES=$BOUNDARIES BROKER=$FABRIC_PID frames <<'PY'
import threading
from vhost import *

HOW, BOUNDARIES = os.environ["HOW"], int(os.environ["BOUNDARIES"])
witness = Witness()
c3 = Station("c3")
guests = [Guest(f"{'ab'[packed]}{k}", packed=packed, size=64) for packed in (False, True) for k in range(BOUNDARIES)]


class Talk(threading.Thread):
    """A guest that says k messages, then waits for the signal to go on."""

    def __init__(self, guest, k):
        super().__init__(daemon=True)
        self.guest, self.k, self.done, self.begun, self.error = guest, k, "", 0, None
        self.script = guest.script()
        self.is_whole = False
        for _ in range(k + 1):
            self.step()

    def step(self):
        try:
            self.done = next(self.script)
        except StopIteration:
            self.is_whole = True

    def run(self):
        try:
            while not self.is_whole:
                self.step()
            self.guest.sync()
        except Closed:
            self.begun += 1
            self.again()
        except BaseException as e:
            self.error = e

    def again(self):
        end = time.monotonic() + 2 * SLOW
        while True:
            try:
                self.guest.start()
                return
            except (Closed, Refused, ConnectionRefusedError) as e:
                if time.monotonic() > end:
                    self.error = e
                    return
                time.sleep(0.02)


talks = [Talk(guest, int(guest.port[1:])) for guest in guests]
expect(any(talk.is_whole for talk in talks), True, f"there are fewer than {BOUNDARIES} messages in a handshake")
if HOW == "unread":
    os.kill(witness.switch, signal.SIGSTOP)
    for talk in talks:
        talk.start()
    time.sleep(0.3)
died = time.monotonic()
os.kill(witness.switch, signal.SIGKILL)
if HOW != "unread":
    for talk in talks:
        talk.start()
for talk in talks:
    talk.join(5 * SLOW)
    if talk.is_alive() or talk.error:
        sys.exit(f"FAIL: H02 {talk.guest} after {talk.done}: {talk.error or 'no answer'}")
took = time.monotonic() - died
begun = sorted((talk.k, talk.guest.port) for talk in talks if talk.begun)
print(f"{HOW}: {took:.2f} s; closed and begun again: {', '.join(port for _, port in begun) or 'none'}")
expect(took < 2 * SLOW, True, "H02 every handshake is over within 2 s")
for talk in talks:
    talk.guest.until("up")
    talk.guest.carries(c3, f"H02 killed after {talk.k} messages, {HOW}", 2)
witness.switch = witness.switch_now()
witness.alive(f"H02 {HOW}")
PY
	stop_fabric
}
handshakes read
handshakes unread

fabric <"$T/kill.yaml"
wait_for 5 ports_up c1 c2 c3
SOAK=${SOAK:-} BROKER=$FABRIC_PID frames <<'PY'
from vhost import *

ROUNDS = 100 if os.environ["SOAK"] else 3
QUIET_S = 5.5  # after that the next death is a first one again
witness = Witness()
bystander = Guest("a9").start()


class Flow:
    """Numbered frames from one guest to another."""

    def __init__(self, a, b):
        self.a, self.b = a, b
        self.next, self.last, self.got, self.since = 0, -1, 0, time.monotonic()
        self.gap, self.lost = 0.0, 0

    def send(self, n):
        """No more on their way than there are buffers, unless they are lost."""
        if self.next - 1 - self.last > 96 and time.monotonic() - self.since < 0.05:
            return
        for _ in range(n):
            if not self.a.post(eth(self.b.mac, self.a.mac, struct.pack("!I", self.next))):
                break
            self.next += 1
        self.a.tx[0].kick()

    def take(self, floods=False):
        """Everything that came is the next of these, unless who is unknown may be flooded."""
        for frame in self.b.drain():
            if floods and frame[:6] != mac_bytes(self.b.mac):
                continue
            serial = struct.unpack_from("!I", frame, 14)[0]
            if frame[:12] != mac_bytes(self.b.mac) + mac_bytes(self.a.mac):
                sys.exit(f"FAIL: H01 {self.b} has a frame that is not its own: {show(frame)}")
            if not self.last < serial < self.next:
                sys.exit(f"FAIL: H01 {self.a} to {self.b}: serial {serial} after {self.last}, {self.next} were sent")
            self.lost += serial - self.last - 1
            self.last = serial
            self.got += 1
            now = time.monotonic()
            self.gap = max(self.gap, now - self.since)
            self.since = now


pairs = [(Guest("a0"), Guest("a1")), (Guest("b0", packed=True), Guest("b1", packed=True)), (Guest("a2"), Guest("b2", packed=True))]
flows = []
for a, b in pairs:
    a.start()
    b.start()
    a.carries(b, "H01 at first")
    flows += [Flow(a, b), Flow(b, a)]
for guest in (bystander, *(g for pair in pairs for g in pair)):
    guest.drain()


def traffic(seconds, n=8):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for flow in flows:
            flow.send(n)
        for flow in flows:
            flow.take()


def all_arrive(what):
    """Without another kick."""
    def arrived():
        for flow in flows:
            flow.take()
        return all(flow.last == flow.next - 1 for flow in flows)
    wait_for(2, f"{what}: " + ", ".join(f"{f.a}>{f.b} {f.last} of {f.next - 1}" for f in flows), arrived)


def closed():
    return [g.port for pair in pairs for g in pair if g.is_closed(0)]


traffic(0.5)
all_arrive("H01 before")
for i in range(ROUNDS):
    for flow in flows:
        flow.gap, flow.since, flow.lost = 0.0, time.monotonic(), 0
    traffic(0.2)
    os.kill(witness.switch, signal.SIGKILL)
    died = time.monotonic()
    traffic(0.3 * SLOW)
    while any(flow.since < time.monotonic() - 0.2 * SLOW for flow in flows) and time.monotonic() < died + 2 * SLOW:
        traffic(0.05)
    ended = time.monotonic()
    expect(closed(), [], "H01 no connection is closed")
    witness.switch = wait_for(5, "another switch", lambda: witness.switch_now() not in (0, witness.switch) and witness.switch_now())
    for flow in flows:
        if flow.since < ended - 0.2 * SLOW:
            sys.exit(f"FAIL: H01 {flow.a} to {flow.b}: nothing for {ended - flow.since:.2f} s, {flow.last} of {flow.next - 1}")
        expect(flow.gap < 2 * SLOW, True, f"H01 {flow.a} to {flow.b}: a pause of {flow.gap * 1000:.0f} ms, {flow.lost} lost")
    for flow in flows:
        # More than a ring full: no buffer was lost on the way.
        for _ in range(4 * 256 // 32):
            flow.send(32)
            all_arrive(f"H01 round {i}, a ring full")
        if len(flow.a.tx[0].free) < 256:
            flow.a.reclaim(flow.a.tx[0])
        expect(len(flow.a.tx[0].free), 256, f"H01 {flow.a}: every buffer came back")
    expect(bystander.drain(), [], "H01 nothing for a third")
    traffic(QUIET_S if i + 1 < ROUNDS else 0)
print(f"soak: {ROUNDS} deaths under traffic, {sum(f.got for f in flows)} frames")

# What is sent while nobody is there, with one kick.
time.sleep(QUIET_S)
os.kill(witness.switch, signal.SIGSTOP)
time.sleep(0.1)
for flow in flows:
    flow.send(100)
os.kill(witness.switch, signal.SIGKILL)
all_arrive("H01 sent to nobody")
print("ok: H01 what was sent to nobody arrives")

# A second death at once: tables are empty then, and a guest may be asked to connect again; nothing is ever delivered twice.
for _ in range(2):
    before = witness.switch_now()
    os.kill(before, signal.SIGKILL)
    wait_for(5, "another switch", lambda: witness.switch_now() not in (0, before))
    wait_for(5, "its answer", lambda: os.path.exists(SOCKET) and ctl("port.ls"))
end = time.monotonic() + 2 * SLOW
for flow in flows:
    for guest in (flow.a, flow.b):
        if guest.is_closed(0):
            guest.start()
    flow.take(True)
    while True:
        before = flow.got
        flow.send(1)
        time.sleep(0.01)
        flow.take(True)
        if flow.got > before:
            break
        if time.monotonic() > end:
            sys.exit(f"FAIL: H01 {flow.a} to {flow.b}: nothing passes after a second death")
print("ok: H01 everybody is back after three deaths in a row")
for frame in bystander.drain():
    expect(frame[0] & 1 or mac_text(frame[:6]) in {g.mac for pair in pairs for g in pair}, True, "H01 a third sees floods only")
witness.switch = witness.switch_now()
witness.alive("H01")
PY
