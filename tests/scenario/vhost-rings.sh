#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# V05: the states of a vhost-user ring: before ENABLE what is sent is consumed and discarded and receive buffers are left alone, a kick
# starts, ENABLE toggles, GET_VRING_BASE stops and says where, and nothing is touched after its reply.  V10: rings begin at any
# index.  V17: messages in any order while rings run (3000 of them, 10^6 with SOAK=1).
#
#   c1, c2 -- office -- [ vfabd ] -- lab -- c3, vm1, vm2 (honest), vm3 (two queue pairs)
. "$(dirname "$0")/../lib/scenario.sh"
. "$ROOT/tests/lib/guest-fabric.sh"

guest_fabric "vm1: {vhost-user: $T/vm1.sock, network: lab}" \
	"vm2: {vhost-user: $T/vm2.sock, network: lab}" \
	"vm3: {vhost-user: $T/vm3.sock, network: lab, queues: 2}"
allow_log 'vm1'

BROKER=$FABRIC_PID frames <<'PY'
import random
from vhost import *

SOAK = bool(os.environ.get("SOAK"))
expect([port_of(p)["state"] for p in ("vm1", "vm2")], ["waiting", "waiting"], "ports without a front-end wait")
witness, c3, honest = scene()
learn(c3)


def from_c3(count, what):
    """Frames for the guest, counted by the switch."""
    send_settled(c3, [eth(guest.mac, c3.mac, what + bytes([n])) for n in range(count)])


def has_all():
    """What was sent before has come back."""
    guest.reclaim(guest.tx[0])
    return len(guest.tx[0].free) == guest.tx[0].size


def sends(count, what):
    wait_for(2, "frames sent before returned", has_all)
    for n in range(count):
        guest.post(eth(c3.mac, guest.mac, what + bytes([n])))
    guest.tx[0].kick()


def consumed(count):
    """The device has returned that many of what was sent, since the last time."""
    done = []
    def all_done():
        while (used := guest.tx[0].take_used()) is not None:
            guest.tx[0].free.append(used[0])
            done.append(used)
        return len(done) >= count
    wait_for(2, f"{count} frames consumed", all_done)
    time.sleep(0.05)
    all_done()
    expect(len(done), count, f"{count} frames are consumed")


def nothing_at_c3(what):
    expect([f for f in c3.drain() if f[6:12] == mac_bytes(guest.mac)], [], what)


def snapshot(everything=True):
    """The guest's memory, or what belongs to its receive ring."""
    ring = guest.rx[0]
    if everything:
        return {0: guest.memory.map[:]}
    return {at: guest.memory.map[at:at + size] for at, size in ((ring.start, RING_SPACE), (ring.buffers, ring.size * BUFFER))}


def untouched(before, what):
    """Nothing there is another than it was."""
    time.sleep(0.1)
    for start, bytes_ in before.items():
        now = guest.memory.map[start:start + len(bytes_)]
        if now != bytes_:
            at = next(i for i in range(len(now)) if now[i] != bytes_[i])
            sys.exit(f"FAIL: {what}: byte {start + at:#x} of the memory is {now[at]:#x}, was {bytes_[at]:#x}")
    print(f"ok: {what}: the memory is left alone")


for packed in (False, True):
    kind = "packed" if packed else "split"
    guest = Guest("vm1", packed=packed)
    # V05: every message but ENABLE.
    guest.connect()
    guest.until("down")
    guest.negotiate()
    guest.set_memory()
    for ring in guest.rings:
        ring.reset()
        ring.open()
        guest.set_ring(ring)
    guest.memory.fill(guest.rx[0].buffers, guest.rx[0].size * BUFFER, 0xA5)
    guest.fill()
    expect(guest.is_state("down"), True, f"V05 {kind}: a port none of whose rings is on is down")
    sends(50, b"too early")
    consumed(50)
    nothing_at_c3(f"V05 {kind}: what is sent before ENABLE is discarded")
    before = snapshot(False)
    from_c3(20, b"too early")
    untouched(before, f"V05 {kind}: before ENABLE")

    # ENABLE on and off, twice; each ring by itself.
    for turn in range(2):
        guest.enable()
        guest.until("up")
        guest.carries(c3, f"V05 {kind}: enabled")
        guest.reclaim(guest.tx[0])
        guest.enable(0)
        guest.until("down")
        sends(20, b"off")
        consumed(20)
        before = snapshot(False)
        from_c3(20, b"off")
        untouched(before, f"V05 {kind}: disabled")
        nothing_at_c3(f"V05 {kind}: disabled")
    guest.enable()
    guest.must(SET_VRING_ENABLE, vring_state(guest.rx[0].index, 0))
    guest.reclaim(guest.tx[0])
    sends(5, b"one way")
    consumed(5)
    expect(len([f for f in c3.drain() if b"one way" in f]), 5, f"V05 {kind}: only the transmit ring is on")
    before = snapshot(False)
    from_c3(5, b"not this way")
    untouched(before, f"V05 {kind}: only the receive ring is off")
    guest.enable()
    guest.carries(c3, f"V05 {kind}: both are on")

    # GET_VRING_BASE, under traffic from both sides.
    guest.reclaim(guest.tx[0])
    for n in range(100):
        guest.post(eth(c3.mac, guest.mac, b"last"))
        c3.send(eth(guest.mac, c3.mac, b"last"))
    guest.tx[0].kick()
    bases = guest.stop()
    before = snapshot()
    guest.tx[0].kick()
    guest.rx[0].kick()
    from_c3(50, b"stopped")
    untouched(before, f"V05 {kind}: after GET_VRING_BASE")
    guest.drain()
    if not packed:
        for ring, base in zip(guest.rings, bases):
            expect(base, ring.used_index(), f"V05 ring {ring.index} stopped at its index {base}, nothing in hand")
    guest.until("down")

    # The rings go on where they stopped.
    for ring, base in zip(guest.rings, bases):
        guest.set_ring(ring, base)
    guest.enable()
    guest.carries(c3, f"V05 {kind}: goes on at {bases[0]:#x} and {bases[1]:#x}")
    # SET_VRING_BASE of a ring that runs, and GET_VRING_BASE twice.
    guest.tell(SET_VRING_BASE, vring_state(0, 7))
    guest.ask(GET_VRING_BASE, vring_state(0, 0))
    guest.ask(GET_VRING_BASE, vring_state(0, 0))
    witness.alive(f"V05 {kind}")
    guest.restart().carries(c3, f"V05 {kind}: a new connection")
    # From here on a new connection only: it is stopped by its end.
    guest.disconnect()
    guest.until("waiting")
    before = snapshot()
    from_c3(20, b"gone")
    untouched(before, f"V05 {kind}: after the connection")
    witness.unleaked(f"V05 {kind}")
    guest.close()

# Without VHOST_USER_F_PROTOCOL_FEATURES rings are on as soon as they start.
guest = Guest("vm1", features=bits(F_VERSION_1, F_MRG_RXBUF))
guest.want_protocol = 0
guest.start()
guest.until("up")
guest.carries(c3, "V05 without protocol features")
guest.disconnect()
guest.until("waiting")
guest.close()

# Two queue pairs, each by itself.
for packed in (False, True):
    kind = "packed" if packed else "split"
    guest = Guest("vm3", packed=packed, pairs=2).start()
    guest.until("up")
    for pair in (0, 1):
        guest.send(eth(c3.mac, guest.mac, bytes([pair]) + b"pair"), pair)
        frame = c3.receive(1)
        expect(frame is not None and frame[14:19], bytes([pair]) + b"pair", f"V05 {kind}: queue pair {pair} sends")
    guest.carries(c3, f"V05 {kind}: two queue pairs")
    for off in (1, 0):
        for ring in guest.rings:
            guest.must(SET_VRING_ENABLE, vring_state(ring.index, int(ring.index // 2 != off)))
        guest.send(eth(c3.mac, guest.mac, b"this one"), 1 - off)
        guest.send(eth(c3.mac, guest.mac, b"not this"), off)
        from_c3(50, b"to one")
        expect(len([f for f in guest.drain() if b"to one" in f]), 50, f"V05 {kind}: queue pair {1 - off} receives")
        expect([f[14:22] for f in c3.drain()], [b"this one"], f"V05 {kind}: queue pair {1 - off} alone sends")
    guest.unwelcome("V09 ring 4 of two pairs", SET_VRING_NUM, vring_state(4, 256))
    guest.close()
    guest.until("waiting")

# V10.
for packed in (False, True):
    size = 64
    guest = Guest("vm1", packed=packed, size=size)
    for first in (0, 1, size - 1, *(() if packed else (size, size + 1, 255, 32767, 32768, 65472, 65534, 65535))):
        guest.disconnect()
        guest.until("waiting")
        guest.connect()
        guest.negotiate()
        guest.set_memory()
        for ring in guest.rings:
            ring.reset(first)
            ring.open()
            guest.set_ring(ring, (first | 0x8000) * 0x1_0001 if packed else first)
        guest.fill()
        guest.enable()
        guest.until("up")
        c3.drain()
        for n in range(3 * size):
            frame = eth(c3.mac, guest.mac, struct.pack("!I", n))
            guest.send(frame)
            c3.send(eth(guest.mac, c3.mac, struct.pack("!I", n)))
            for way, got in (("from", c3.receive(1)), ("to", guest.receive(1))):
                if got is None or struct.unpack_from("!I", got, 14)[0] != n:
                    sys.exit(f"FAIL: V10 {'packed' if packed else 'split'} ring from {first}: frame {n} {way} it: {show(got)}")
        print(f"ok: V10 {'packed' if packed else 'split'} ring from {first}: {3 * size} frames each way")
    for base in (0x1_0000, 0xFFFF_FFFF, size, 0x8000 | size, 0x7FFF, 0xFFFF):
        guest.disconnect()
        guest.until("waiting")
        guest.connect()
        guest.negotiate()
        guest.set_memory()
        for ring in guest.rings:
            ring.reset()
            ring.open()
        try:
            for ring in guest.rings:
                guest.set_ring(ring, base)
            guest.enable()
            guest.fill()
            sends(3, b"from anywhere")
            c3.send(eth(guest.mac, c3.mac, b"to anywhere"))
        except (Refused, Closed) as e:
            print(f"ok: V10 base {base:#x}: {e}")
        witness.alive(f"V10 {'packed' if packed else 'split'} base {base:#x}")
    guest.disconnect()
    guest.until("waiting")
    guest.close()
witness.unleaked("V10")

# V17.
seed = int.from_bytes(os.urandom(4), "big")
print(f"seed {seed}")
chance = random.Random(seed)
rounds = 1000000 if SOAK else 3000
done = closed = 0
guests = [Guest("vm1", packed=packed, protocol=(1 << 64) - 1) for packed in (False, True)]
while done < rounds:
    for guest in guests:
        guest.disconnect()
    guest = chance.choice(guests)
    guest.restart()
    for _ in range(100):
        done += 1
        ring = chance.choice(guest.rings)
        request, payload, fds = chance.choice((
            (GET_FEATURES, b"", ()), (SET_FEATURES, u64(guest.features), ()), (SET_OWNER, b"", ()),
            (GET_PROTOCOL_FEATURES, b"", ()), (SET_PROTOCOL_FEATURES, u64(guest.protocol), ()), (GET_QUEUE_NUM, b"", ()),
            (SET_MEM_TABLE, mem_table([guest.memory.region()]), (guest.memory.fd,)),
            (SET_VRING_NUM, vring_state(ring.index, chance.choice((64, 256))), ()), (SET_VRING_ADDR, ring.addresses(), ()),
            (SET_VRING_BASE, vring_state(ring.index, chance.choice((0, ring.base()))), ()), (GET_VRING_BASE, vring_state(ring.index, 0), ()),
            (SET_VRING_KICK, u64(ring.index), (ring.kick_fd,)), (SET_VRING_CALL, u64(ring.index), (ring.call_fd,)),
            (SET_VRING_ERR, u64(ring.index | NO_FD), ()), (SET_VRING_ENABLE, vring_state(ring.index, chance.randrange(2)), ()),
            (SEND_RARP, u64(0x1200545452), ()), (NET_SET_MTU, u64(1500), ()), (GET_CONFIG, config_space(0, 12), ()),
            (GET_INFLIGHT_FD, inflight(0, 0, 2, 256), ()), (RESET_DEVICE, b"", ()), (RESET_OWNER, b"", ()), (GET_MAX_MEM_SLOTS, b"", ()),
            (ADD_MEM_REG, mem_reg((GPA + (1 << 30), 4096, UVA + (1 << 30), 0)), (guest.memory.fd,)),
            (REM_MEM_REG, mem_reg((GPA + (1 << 30), 4096, UVA + (1 << 30), 0)), ()),
            (REM_MEM_REG, mem_reg(guest.memory.region()), ()), (SET_STATUS, u64(chance.choice((0, 1, 15))), ()), (GET_STATUS, b"", ())))
        try:
            guest.raw(request, payload, fds, VERSION | chance.choice((0, NEED_REPLY)))
            guest.post(eth(c3.mac, guest.mac, b"disorder"))
            guest.tx[0].kick()
            c3.send(eth(guest.mac, c3.mac, b"disorder"))
            while not guest.is_silent(0):
                for fd in (guest.reply() or ((),) * 4)[3]:
                    os.close(fd)
        except Closed:
            closed += 1
            break
    c3.drain()
    if done % 1000 < 100:
        honest.carries(c3, f"V17 after {done} messages")
print(f"ok: V17 {done} messages in any order, {closed} connections closed")
print(f"soak: {done} messages in any order")
for guest in guests:
    guest.disconnect()
for guest in guests:
    guest.restart().carries(c3, "V17 at last")
    guest.disconnect()
    guest.until("waiting")
witness.alive("V17")
witness.unleaked("V17")
PY
