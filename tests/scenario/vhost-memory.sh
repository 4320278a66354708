#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# V06: the memory of a vhost-user guest replaced, shrunk, grown, reordered, in many regions, and in regions that cannot be, while its rings
# run.  V07: its file cut off under the switch.  Only files of tmpfs and hugetlbfs are taken: others could hang us.
#
#   c1, c2 -- office -- [ vfabd ] -- lab -- c3, vm1 (rude), vm2 (honest)
. "$(dirname "$0")/../lib/scenario.sh"
. "$ROOT/tests/lib/guest-fabric.sh"

guest_fabric "vm1: {vhost-user: $T/vm1.sock, network: lab}" "vm2: {vhost-user: $T/vm2.sock, network: lab}"
allow_log 'vm1'

ON_DISK=$(mktemp "$BUILD/guest.XXXXXX")
defer rm -f "$ON_DISK"
[ "$(stat -f -c %T "$ON_DISK")" != tmpfs ] || skip "needs a build directory on a disk"

ON_DISK=$ON_DISK BROKER=$FABRIC_PID frames <<'PY'
from vhost import *

witness, c3, honest = scene()
PAGE = 4096


def rested(what):
    guest.disconnect()
    guest.until("waiting")
    witness.unleaked(what)


def moved(guest):
    """The guest's memory copied into another file, which is its memory from now on; the old one, to be left alone."""
    old = guest.memory
    guest.memory = Memory(old.size)
    guest.memory.map[:] = old.map[:]
    for ring in guest.rings:
        ring.memory = guest.memory
    return old


def split_at(memory, *cuts):
    """Regions of a file, cut at these places."""
    edges = [0, *cuts, memory.size]
    return [(GPA + a, b - a, UVA + a, a) for a, b in zip(edges, edges[1:])]


def give(regions, fds=None):
    return guest.tell(SET_MEM_TABLE, mem_table(regions), [guest.memory.fd] * len(regions) if fds is None else fds)


# V06: what a machine may do.
for packed in (False, True):
    guest = Guest("vm1", packed=packed).start()
    kind = "packed" if packed else "split"
    guest.carries(c3, f"V06 {kind}")
    running = witness.descriptors()
    for i in range(20):
        old = moved(guest)
        expect(give([guest.memory.region()]), 0, f"V06 {kind}: another file")
        old.fill(0, old.size, 0xA5)
        guest.carries(c3, f"V06 {kind}: in another file")
        expect(old.map[:] == b"\xA5" * old.size, True, f"V06 {kind}: the old file is left alone")
        old.close()
    buffers = guest.rings[0].buffers
    for what, regions in {"two regions": split_at(guest.memory, buffers), "reordered": split_at(guest.memory, buffers)[::-1],
                          "eight regions": split_at(guest.memory, *(buffers + n * PAGE * 16 for n in range(7))),
                          "eight, reordered": split_at(guest.memory, *(buffers + n * PAGE * 16 for n in range(7)))[::-1],
                          "one again": [guest.memory.region()]}.items():
        expect(give(regions), 0, f"V06 {kind}: {what}")
        guest.carries(c3, f"V06 {kind}: {what}")
    # Frames whose buffers are gone are lost; the others and the guest go on.
    expect(give(split_at(guest.memory, buffers)[:1]), 0, f"V06 {kind}: shrunk to the rings")
    for n in range(20):
        guest.post(eth(c3.mac, guest.mac, b"nowhere"))
        c3.send(eth(guest.mac, c3.mac, b"nowhere"))
    guest.tx[0].kick()
    witness.alive(f"V06 {kind}: shrunk")
    expect([f for f in c3.drain() if b"nowhere" in f], [], "a frame without its memory goes nowhere")
    guest.restart().carries(c3, f"V06 {kind}: started anew after it had shrunk")
    try:
        give([])
    except Closed:
        pass
    witness.alive(f"V06 {kind}: no region at all")
    print(f"ok: no region: {'lives' if guest.lives() else 'closed'}")
    guest.restart().carries(c3, f"V06 {kind}: started anew after it had none")
    if witness.descriptors() > running:
        sys.exit(f"FAIL: V06 {kind}: descriptors {running}, now {witness.descriptors()}")
    rested(f"V06 {kind}")
    guest.close()

# V06: what cannot be.
guest = Guest("vm1")
fd, size = guest.memory.fd, guest.memory.size
top = 1 << 64
bad_tables = {
    "size 0": ([(GPA, 0, UVA, 0)], 1), "two that overlap for the guest": ([(GPA, 8192, UVA, 0), (GPA + PAGE, 8192, UVA + (1 << 30), 0)], 2),
    "two that overlap for the front-end": ([(GPA, 8192, UVA, 0), (GPA + (1 << 30), 8192, UVA + PAGE, 0)], 2),
    "the same twice": ([(GPA, 8192, UVA, 0)] * 2, 2),
    "guest addresses that overflow": ([(top - PAGE, 2 * PAGE, UVA, 0)], 1), "user addresses that overflow": ([(GPA, 2 * PAGE, top - PAGE, 0)], 1),
    "size and offset that overflow": ([(GPA, top - PAGE, UVA, 2 * PAGE)], 1), "an offset over the end": ([(GPA, size, UVA, PAGE)], 1),
    "an offset that overflows": ([(GPA, PAGE, UVA, top - PAGE)], 1),
    "more than the file has": ([(GPA, size + PAGE, UVA, 0)], 1), "2^63 bytes": ([(GPA, 1 << 63, 0, 0)], 1), "all there is": ([(0, top - 1, 0, 0)], 1)}
for what, (regions, n) in bad_tables.items():
    guest.again()
    guest.negotiate()
    guest.unwelcome(f"V06 {what}", SET_MEM_TABLE, mem_table(regions), [fd] * n)
for what, payload, n in (("nine regions", mem_table(split_at(guest.memory, *(i * PAGE for i in range(1, 9)))), 9),
                         ("a count of nine", mem_table(split_at(guest.memory, *(i * PAGE for i in range(1, 8))), 9), 8),
                         ("a count of 2^32 - 1", mem_table([guest.memory.region()], 0xFFFFFFFF), 1),
                         ("two regions, one descriptor", mem_table(split_at(guest.memory, PAGE)), 1),
                         ("two regions, no descriptor", mem_table(split_at(guest.memory, PAGE)), 0),
                         ("one region, two descriptors", mem_table([guest.memory.region()]), 2),
                         ("one region, eight descriptors", mem_table([guest.memory.region()]), 8)):
    guest.again()
    guest.negotiate()
    guest.unwelcome(f"V06 {what}", SET_MEM_TABLE, payload, [fd] * n)
rested("V06 bad tables")

read_only = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY)
short = os.memfd_create("short", os.MFD_ALLOW_SEALING)
os.ftruncate(short, PAGE)
fcntl.fcntl(short, 1033, 0xF)  # F_ADD_SEALS: none of shrink, grow, write
on_disk = os.open(os.environ["ON_DISK"], os.O_RDWR)
os.ftruncate(on_disk, size)
pipe, _ = os.pipe()
ours, _theirs = socket.socketpair()
epoll = select.epoll()
kinds = {"a file of a disk": on_disk, "a directory": os.open("/", os.O_RDONLY), "a directory of tmpfs": os.open("/dev/shm", os.O_RDONLY),
         "a socket": ours.fileno(), "epoll": epoll.fileno(), "an eventfd": os.eventfd(0), "a pipe": pipe,
         "/dev/zero": os.open("/dev/zero", os.O_RDWR), "/dev/null": os.open("/dev/null", os.O_RDWR), "a file of /proc": os.open("/proc/self/status", os.O_RDONLY),
         "/proc/self/mem": os.open("/proc/self/mem", os.O_RDWR), "a path": os.open(f"/proc/self/fd/{fd}", os.O_PATH),
         "a short sealed memfd": short, "a memfd that can only be read": read_only}
for what, wrong in kinds.items():
    guest.again()
    guest.negotiate()
    guest.unwelcome(f"V06 {what}", SET_MEM_TABLE, mem_table([guest.memory.region()]), [wrong])
    guest.restart()
    try:
        guest.unwelcome(f"V06 {what}, while rings run", SET_MEM_TABLE, mem_table([guest.memory.region()]), [wrong])
        guest.tx[0].kick()
        c3.send(eth(guest.mac, c3.mac, b"and now"))
    except Closed:
        pass
rested("V06 kinds of files")
with open("/dev/shm/" + os.environ["TAG"], "w+b") as shared:
    os.unlink(shared.name)
    os.ftruncate(shared.fileno(), size)
    file = guest.memory
    guest.memory = Memory.__new__(Memory)
    guest.memory.fd, guest.memory.size, guest.memory.gpa, guest.memory.uva = os.dup(shared.fileno()), size, GPA, UVA
    guest.memory.map = mmap.mmap(shared.fileno(), size)
    guest.memory.words = memoryview(guest.memory.map).cast("H")
    for ring in guest.rings:
        ring.memory = guest.memory
    guest.start().carries(c3, "V06 a file of /dev/shm")
    rested("V06 a file of /dev/shm")
file.close()
guest.close()

# V16, memory by the region.
guest = Guest("vm1", protocol=bits(P_MQ, P_REPLY_ACK, P_MEM_SLOTS))
guest.connect()
guest.negotiate()
if guest.protocol & bits(P_MEM_SLOTS):
    slots = guest.ask_u64(GET_MAX_MEM_SLOTS)
    before = None
    table = split_at(guest.memory, *(n * PAGE for n in range(1, 32)))
    for _ in range(10):
        for region in table[:slots]:
            guest.must(ADD_MEM_REG, mem_reg(region), [guest.memory.fd])
        for region in table[:slots]:
            guest.must(REM_MEM_REG, mem_reg(region))
        before = before or witness.descriptors()
    expect(witness.descriptors() <= before, True, f"V16 {slots} regions added and removed: no descriptor is left")
    guest.must(ADD_MEM_REG, mem_reg(table[0]), [guest.memory.fd])
    # The same again is what a switch that died in between has heard before.
    guest.must(ADD_MEM_REG, mem_reg(table[0]), [guest.memory.fd])
    for what, request, region, fds in (("a region that overlaps", ADD_MEM_REG, (GPA + 1, PAGE, UVA + 1, 0), 1),
                                       ("a region without a descriptor", ADD_MEM_REG, table[1], 0), ("a region with two", ADD_MEM_REG, table[1], 2),
                                       ("size 0", ADD_MEM_REG, (GPA + PAGE, 0, UVA + PAGE, 0), 1),
                                       ("to remove what is not there", REM_MEM_REG, table[1], 0), ("to remove half of it", REM_MEM_REG, (GPA, 2048, UVA, 0), 0)):
        if guest.unwelcome(f"V16 {what}", request, mem_reg(region), [guest.memory.fd] * fds):
            guest.again()
            guest.negotiate()
            guest.must(ADD_MEM_REG, mem_reg(table[0]), [guest.memory.fd])
    guest.must(REM_MEM_REG, mem_reg(table[0]), [guest.memory.fd])
    guest.again()
    guest.negotiate()
    for region in table[:slots]:
        guest.must(ADD_MEM_REG, mem_reg(region), [guest.memory.fd])
    guest.unwelcome(f"V16 region {slots + 1}", ADD_MEM_REG, mem_reg((1 << 50, PAGE, 1 << 50, 0)), [guest.memory.fd])
    # The rings run while a region comes and goes; then that of the buffers goes.
    guest.restart()
    extra = Memory(PAGE, GPA + (1 << 30), UVA + (1 << 30))
    for _ in range(20):
        guest.must(ADD_MEM_REG, mem_reg(extra.region()), [extra.fd])
        guest.tx[0].kick()
        guest.must(REM_MEM_REG, mem_reg(extra.region()))
    guest.carries(c3, "V16 regions come and go")
    guest.tell(REM_MEM_REG, mem_reg(guest.memory.region()))
    guest.tx[0].kick()
    c3.send(eth(guest.mac, c3.mac, b"nowhere"))
    witness.alive("V16 the region of the rings is removed")
rested("V16 memory slots")
guest.close()

# V07.  Whoever touches the memory after its end gets SIGBUS, and so would this test: it only kicks from then on.
for packed in (False, True):
    for what, left in {"all of it": lambda g: 0, "all but the rings": lambda g: g.rings[0].buffers,
                       "all but the first page": lambda g: PAGE}.items():
        guest = Guest("vm1", packed=packed)
        guest.start().carries(c3, f"V07 before {what} is cut off")
        for n in range(100):
            guest.post(eth(c3.mac, guest.mac, bytes([n]) * 1400))
        os.ftruncate(guest.memory.fd, left(guest))
        for n in range(100):
            guest.tx[0].kick()
            c3.send(eth(guest.mac, c3.mac, bytes([n]) * 1400))
        guest.hangs_up(f"V07 {'packed' if packed else 'split'}: {what} is cut off", 2)
        honest.carries(c3, f"V07 after {what} was cut off")
        witness.alive(f"V07 {what}")
        rested(f"V07 {what}")
        guest.close()
# In the middle of traffic from the outside, and healed before anybody looks: then nothing needs to happen.
guest = Guest("vm1").start()
os.ftruncate(guest.memory.fd, 0)
os.ftruncate(guest.memory.fd, guest.memory.size)
for n in range(50):
    c3.send(eth(guest.mac, c3.mac, bytes([n])))
    guest.tx[0].kick()
witness.alive("V07 cut off and healed")
guest.restart().carries(c3, "V07 at last")
rested("V07")
PY
