#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Descriptors that a vhost-user front-end passes: V11 kick, call and err, V12 surplus ones on every message, V14 the in-flight buffer; a
# call counter that is full and blocks (the watchdog takes the worker out and closes that port), and R08 a storm of kicks.
# None is left with broker or switch, and the others never notice.  SOAK=1: 10^5 rounds of V12.
#
#   c1, c2 -- office -- [ vfabd ] -- lab -- c3, vm1 (rude), vm2 (honest)
. "$(dirname "$0")/../lib/scenario.sh"
. "$ROOT/tests/lib/guest-fabric.sh"

guest_fabric "vm1: {vhost-user: $T/vm1.sock, network: lab}" "vm2: {vhost-user: $T/vm2.sock, network: lab}"
allow_log 'vm1'

BROKER=$FABRIC_PID frames <<'PY'
import random
from vhost import *

SOAK = bool(os.environ.get("SOAK"))
witness, c3, honest = scene()
guest = Guest("vm1")


def while_connected(what):
    """Descriptors of a guest that runs, compared with those of one that runs and did nothing else."""
    if witness.descriptors() > running:
        sys.exit(f"FAIL: {what}: descriptors {running}, now {witness.descriptors()}")
    print(f"ok: {what}: no descriptor is left")


def rested(what):
    guest.disconnect()
    guest.until("waiting")
    witness.unleaked(what)


# V11.
guest.start().carries(c3, "V11 at first")
running = witness.descriptors()
tx, rx = guest.tx[0], guest.rx[0]
for i in range(300):
    for ring in guest.rings:
        kick, call = os.eventfd(0, os.EFD_NONBLOCK), os.eventfd(0, os.EFD_NONBLOCK)
        guest.must(SET_VRING_KICK, u64(ring.index), [kick])
        guest.must(SET_VRING_CALL, u64(ring.index), [call])
        guest.must(SET_VRING_ERR, u64(ring.index), [call])
        ring.close()
        ring.kick_fd, ring.call_fd = kick, call
guest.must(SET_VRING_ERR, u64(0 | NO_FD))
guest.must(SET_VRING_ERR, u64(1 | NO_FD))
while_connected("V11 kick, call and err 300 times")
guest.carries(c3, "V11 with the last of them")
rx.calls()
c3.send(eth(guest.mac, c3.mac, b"call"))
expect(bool(select.select([rx.call_fd], [], [], 1)[0]), True, "V11 the last call descriptor is called")
guest.drain()

guest.must(SET_VRING_CALL, u64(rx.index | NO_FD))
guest.carries(c3, "V11 without a call descriptor")
guest.must(SET_VRING_KICK, u64(tx.index | NO_FD))
expect(guest.post(eth(c3.mac, guest.mac, b"polled")), True, "V11 a frame without a kick")
frame = c3.receive(1)
expect(frame is not None and frame[14:20], b"polled", "V11 a ring without a kick descriptor is looked at")
used = witness.cpu_s()
time.sleep(1)
print(f"ok: V11 a polled ring costs {100 * (witness.cpu_s() - used):.0f} % of a CPU")
guest.must(SET_VRING_KICK, u64(tx.index), [tx.kick_fd])
guest.carries(c3, "V11 kicked again")

pipe, other_end = os.pipe()
scratch = os.open(os.environ["T"] + "/file", os.O_RDWR | os.O_CREAT)
null = os.open("/dev/null", os.O_RDWR)
epoll = select.epoll()
ours, theirs = socket.socketpair()
directory = os.open("/", os.O_RDONLY)
path = os.open(os.environ["T"], os.O_PATH)
kinds = {"a file": scratch, "a pipe": pipe, "a pipe's other end": other_end, "/dev/null": null, "a directory": directory,
         "epoll": epoll.fileno(), "a socket": ours.fileno(), "memory": guest.memory.fd, "a path": path}
for request in (SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ERR):
    for what, fd in kinds.items():
        guest.unwelcome(f"V11 {message_word(request)}: {what}", request, u64(0), [fd]) and guest.restart()
    for index in (2, 9, 255):
        guest.unwelcome(f"V11 {message_word(request)}: ring {index}", request, u64(index), [tx.call_fd]) and guest.restart()
    for what, fds, value in (("none, and no word of it", [], 0), ("one, and the word that there is none", [tx.call_fd], NO_FD),
                             ("two", [tx.call_fd, rx.call_fd], 0)):
        # Surplus ones may be closed and forgotten; a missing one cannot be made up.
        try:
            guest.tell(request, u64(value), fds)
        except Closed:
            pass
        print(f"ok: V11 {message_word(request)}: {what}: {'lives' if guest.lives() else 'closed'}")
        guest.restart()
guest.restart().carries(c3, "V11 after wrong kinds")
while_connected("V11 wrong kinds")
os.eventfd_read(tx.kick_fd)
os.eventfd_write(tx.kick_fd, (1 << 64) - 2)
honest.carries(c3, "V11 beside a full kick counter")
rested("V11")
used = witness.cpu_s()
time.sleep(0.5)
expect(witness.cpu_s() - used < 0.1 * SLOW, True, "V11 nothing spins afterwards")
witness.alive("V11")

# V12: any number of any kind with any message, in any state.
seed = int.from_bytes(os.urandom(4), "big")
print(f"seed {seed}")
chance = random.Random(seed)
some = [*kinds.values(), tx.call_fd, tx.kick_fd, rx.call_fd]
payloads = {SET_FEATURES: u64(guest.want), SET_MEM_TABLE: mem_table([guest.memory.region()]), SET_VRING_NUM: vring_state(0, 256),
            SET_VRING_ADDR: rx.addresses(), SET_VRING_BASE: vring_state(0, 0), GET_VRING_BASE: vring_state(0, 0),
            SET_VRING_KICK: u64(0), SET_VRING_CALL: u64(1), SET_VRING_ERR: u64(0), SET_PROTOCOL_FEATURES: u64(guest.protocol),
            SET_VRING_ENABLE: vring_state(0, 1), SEND_RARP: u64(1), NET_SET_MTU: u64(1500), GET_CONFIG: config_space(0, 12),
            SET_CONFIG: config_space(0, 12), GET_INFLIGHT_FD: inflight(0, 0, 2, 256), SET_INFLIGHT_FD: inflight(8192, 0, 2, 256),
            ADD_MEM_REG: mem_reg(guest.memory.region()), REM_MEM_REG: mem_reg(guest.memory.region()), SET_STATUS: u64(1),
            SET_LOG_BASE: struct.pack("<QQ", 4096, 0)}


def surplus(request, n):
    """A message with n descriptors, then either a start or a hasty end; nothing is read in time."""
    fds = chance.choices(some, k=n)
    try:
        guest.raw(request, payloads.get(request, b""), fds, VERSION | chance.choice((0, NEED_REPLY)))
    except Closed:
        pass
    guest.disconnect()
    guest.until("waiting", 5)


def connect_in_some_state():
    guest.connect()
    try:
        stage = chance.randrange(3)
        if stage > 0:
            guest.negotiate(protocol=guest.ask_u64(GET_PROTOCOL_FEATURES) if stage > 1 else None)
        if stage > 1:
            guest.set_memory()
    except Closed:
        sys.exit("FAIL: V12 a new connection is closed")


started = time.monotonic()
cases = [(r, n) for r in range(1, CHECK_DEVICE_STATE + 2) for n in (0, 1, 2, 3, 8, 9, 31, 32, 33, 64, 253)]
if SOAK:
    cases = [chance.choice(cases) for _ in range(100000)]
for request, n in cases:
    connect_in_some_state()
    surplus(request, n)
print(f"ok: V12 {len(cases)} messages with 0 to 253 descriptors in {time.monotonic() - started:.1f} s")
print(f"soak: {len(cases)} messages with surplus descriptors")
rested("V12")
# On one connection that lives.
guest.start()
running = witness.descriptors()
for n in (1, 2, 8, 31, 32):
    for request in (GET_FEATURES, SET_OWNER, SET_VRING_NUM, GET_QUEUE_NUM):
        try:
            guest.raw(request, payloads.get(request, b""), chance.choices(some, k=n))
            guest.sync() if request in (SET_OWNER, SET_VRING_NUM) else guest.reply()
        except Closed:
            guest.restart()
# Cut into two: the descriptors come with the first byte, and with the second.
for _ in range(5):
    try:
        guest.raw_bytes(HEADER.pack(GET_FEATURES, VERSION, 0)[:1], chance.choices(some, k=8))
        guest.raw_bytes(HEADER.pack(GET_FEATURES, VERSION, 0)[1:], chance.choices(some, k=8))
        guest.reply()
    except Closed:
        guest.restart()
guest.restart()
while_connected("V12 on a connection that lives")
rested("V12 on one connection")
witness.alive("V12")

# V14.
guest.connect()
can = guest.ask_u64(GET_PROTOCOL_FEATURES)
guest.want_protocol = can


def with_inflight():
    guest.again()
    guest.negotiate()
    guest.set_memory()
    for ring in guest.rings:
        ring.reset()
        ring.open()


if can & bits(P_INFLIGHT):
    with_inflight()
    before = None
    for _ in range(300):
        size, offset, queues, queue_size = struct.unpack("<QQHH", guest.ask(GET_INFLIGHT_FD, inflight(0, 0, 2, 256)))
        expect_size = os.fstat(guest.came[0]).st_size
        if len(guest.came) != 1 or not 0 < size + offset <= expect_size or (queues, queue_size) != (2, 256):
            sys.exit(f"FAIL: V14 GET_INFLIGHT_FD: {size} at {offset} of {expect_size}, {queues} of {queue_size}")
        os.close(guest.came[0])
        before = before or witness.descriptors()
    expect(witness.descriptors() <= before, True, "V14 GET_INFLIGHT_FD 300 times: no descriptor is left")
    guest.ask(GET_INFLIGHT_FD, inflight(0, 0, 2, 256))
    region = guest.came[0]
    for i in range(300):
        guest.must(SET_INFLIGHT_FD, inflight(size, 0, 2, 256), [region])
    expect(witness.descriptors() <= before, True, "V14 SET_INFLIGHT_FD 300 times: no descriptor is left")
    # One that is not sealed is a guest's to cut off: refused, or the end of that port and of nothing else.
    own = os.memfd_create("own")
    os.ftruncate(own, size)
    for what, fd in (("the one that was given", region), ("one of its own", own)):
        with_inflight()
        if guest.tell(SET_INFLIGHT_FD, inflight(size, 0, 2, 256), [fd]) != 0:
            print(f"ok: V14 {what} is refused")
            continue
        try:
            for ring in guest.rings:
                guest.set_ring(ring)
            guest.enable()
            guest.fill()
            guest.carries(c3, f"V14 with {what}")
            os.ftruncate(fd, 0)
            for n in range(50):
                guest.tx[0].kick()
                guest.post(eth(c3.mac, guest.mac, bytes([n])))
                c3.send(eth(guest.mac, c3.mac, bytes([n])))
            c3.drain()
        except PermissionError:
            print(f"ok: V14 {what} is sealed")
        except Closed as e:
            print(f"ok: V14 {what}: closed, {e}")
        witness.alive(f"V14 {what} is cut off")
    small = os.memfd_create("small")
    os.ftruncate(small, 64)
    large = os.memfd_create("large")
    os.ftruncate(large, size)
    for what, args, fd in (("65535 queues", (size, 0, 65535, 256), large), ("65535 entries", (size, 0, 2, 65535), large),
                           ("a size of 0", (0, 0, 2, 256), large), ("a size of 8", (8, 0, 2, 256), large),
                           ("more than the file", (size, 0, 2, 256), small), ("an offset over the end", (size, size, 2, 256), large),
                           ("an offset that overflows", (size, (1 << 64) - size, 2, 256), large),
                           ("a size that overflows", ((1 << 64) - 1, 1, 2, 256), large), ("a pipe", (size, 0, 2, 256), pipe),
                           ("a directory", (size, 0, 2, 256), directory), ("an eventfd", (size, 0, 2, 256), guest.tx[0].call_fd)):
        with_inflight()
        if not guest.unwelcome(f"V14 SET_INFLIGHT_FD: {what}", SET_INFLIGHT_FD, inflight(*args), [fd]):
            guest.lives()
    with_inflight()
    for queues, queue_size in ((65535, 256), (2, 65535), (0, 256), (65535, 65535)):
        try:
            guest.raw(GET_INFLIGHT_FD, inflight(0, 0, queues, queue_size))
            got = guest.reply(1)
            for fd in got[3] if got else ():
                if os.fstat(fd).st_size > 1 << 24:
                    sys.exit(f"FAIL: V14 GET_INFLIGHT_FD gives {os.fstat(fd).st_size} bytes")
                os.close(fd)
            guest.lives() or with_inflight()
        except Closed:
            with_inflight()
        print(f"ok: V14 GET_INFLIGHT_FD of {queues} queues of {queue_size}")
    rested("V14")
guest.want_protocol = Guest.PROTOCOL

# A call counter that is full, and blocks: somebody clears O_NONBLOCK again and again.
def beside(body):
    """A process that does that until it is killed."""
    child = os.fork()
    if child == 0:
        try:
            while os.getppid() != 1:
                body()
        finally:
            os._exit(0)
    return child


def end(child):
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def far(a, b):
    """Seconds from one station to another."""
    start = time.monotonic()
    a.send(eth(b.mac, a.mac, b"far"))
    if b.receive(5) is None:
        sys.exit(f"FAIL: nothing comes from {a} to {b}")
    return time.monotonic() - start


for attempt in range(3):
    guest.restart().carries(c3, "one whose call counter will be full")
    call = guest.rx[0].call_fd
    guest.rx[0].calls()
    os.eventfd_write(call, (1 << 64) - 2)
    racer = beside(lambda: fcntl.fcntl(call, fcntl.F_SETFL, os.O_RDWR))
    time.sleep(0.05)
    start = time.monotonic()
    worst = 0
    while time.monotonic() - start < 2 and not guest.is_closed(0):
        c3.send(eth(guest.mac, c3.mac, b"to be called for"))
        worst = max(worst, far(witness.a, witness.b))
    end(racer)
    guest.hangs_up(f"a call counter that blocks, after {time.monotonic() - start:.2f} s")
    expect(worst < 0.35 * SLOW, True, f"others wait for it {worst * 1000:.0f} ms at most")
    guest.until("waiting")
    honest.carries(c3, "after it")
    fcntl.fcntl(call, fcntl.F_SETFL, os.O_RDWR | os.O_NONBLOCK)
    witness.alive("after a call counter that blocks")
rested("a call counter that blocks")

# The same with the descriptor by which a guest hears that its ring broke.
err = os.eventfd(0, os.EFD_NONBLOCK)
os.eventfd_write(err, 2**64 - 2)
racer = beside(lambda: fcntl.fcntl(err, fcntl.F_SETFL, os.O_RDWR))
start = time.monotonic()
# ThreadSanitizer keeps signals back from a thread that waits for others in RCU, and it would wait for ever.
for _ in range(0 if os.environ.get("SAN") == "thread" else 30):
    guest.restart()
    for ring in guest.rings:
        guest.must(SET_VRING_ERR, u64(ring.index), [err])
        ring.publish(ring.avail + 5000 & 0xffff)
        ring.kick()
    ctl("port.ls")
    guest.disconnect()
    guest.until("waiting")
end(racer)
fcntl.fcntl(err, fcntl.F_SETFL, os.O_RDWR | os.O_NONBLOCK)
os.close(err)
witness.alive(f"after 30 error descriptors that block, {time.monotonic() - start:.1f} s")
honest.carries(c3, "after error descriptors that block")

# R08: kicks without end, and without a frame.
def p99():
    return sorted(far(witness.a, witness.b) for _ in range(300))[296]


guest.restart().carries(c3, "one who will kick")
kicks = os.memfd_create("kicks")
os.ftruncate(kicks, 4096)
count = mmap.mmap(kicks, 4096)


def storm():
    for _ in range(1000):
        os.eventfd_write(guest.tx[0].kick_fd, 1)
        os.eventfd_write(guest.rx[0].kick_fd, 1)
    struct.pack_into("<Q", count, 0, struct.unpack_from("<Q", count)[0] + 2000)


rest = p99()
kicker = beside(storm)
start = time.monotonic()
for _ in range(3):
    worst = p99()
    if worst < 2 * rest + 0.02 * SLOW:
        break
witness.alive("R08 beside a storm of kicks")
honest.carries(c3, "R08 beside a storm of kicks")
end(kicker)
rate = struct.unpack_from("<Q", count)[0] / (time.monotonic() - start)
expect(worst < 2 * rest + 0.02 * SLOW, True, f"R08 {rate / 1e6:.1f} million kicks a second: p99 {worst * 1e6:.0f} us, at rest {rest * 1e6:.0f}")
guest.carries(c3, "R08 the one who kicked")
rested("R08")
PY
