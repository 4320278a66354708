#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a vhost-user front-end may say, and what it may not: V02 features, V03 protocol features, V04 REPLY_ACK, V08 SET_VRING_NUM,
# V09 SET_VRING_ADDR, V13 headers, V16 the messages that are offered, and those that are not.  What is wrong in form ends the
# connection, what is refused is said so where an answer was asked for; the others never notice.
#
#   c1, c2 -- office -- [ vfabd ] -- lab -- c3, vm1 (rude), vm2 (honest)
. "$(dirname "$0")/../lib/scenario.sh"
. "$ROOT/tests/lib/guest-fabric.sh"

guest_fabric "vm1: {vhost-user: $T/vm1.sock, network: lab}" "vm2: {vhost-user: $T/vm2.sock, network: lab}"
allow_log 'vm1'

BROKER=$FABRIC_PID frames <<'PY'
from vhost import *

SOAK = bool(os.environ.get("SOAK"))
witness, c3, honest = scene()
guest = Guest("vm1")


def ready(features=None, protocol=None, memory=True):
    """A connection that has negotiated and shares its memory."""
    guest.again()
    guest.negotiate(features, protocol)
    if memory:
        guest.set_memory()
    for ring in guest.rings:
        ring.reset()
        ring.open()
    return guest


# V02.
guest.connect()
offered = guest.ask_u64(GET_FEATURES)
for name in "VERSION_1 MRG_RXBUF INDIRECT EVENT_IDX PACKED IN_ORDER ANY_LAYOUT CSUM GUEST_CSUM HOST_TSO4 GUEST_TSO6 PROTOCOL".split():
    expect(bool(offered & bits(globals()["F_" + name])), True, f"V02 {name} is offered")
ready()
for bit in range(64):
    if not offered & bits(bit):
        guest.refuses(f"V02 feature {bit}", SET_FEATURES, u64(guest.features | bits(bit)))
guest.must(SET_FEATURES, u64(guest.features))
guest.must(SET_FEATURES, u64(guest.features))
ready(protocol=0)
guest.raw(SET_FEATURES, u64(1 << 63))
guest.hangs_up("V02 features that are not offered, without REPLY_ACK")
guest.restart().carries(c3, "V02 features, set once")
guest.tell(SET_FEATURES, u64(guest.features ^ bits(F_MRG_RXBUF)))
guest.tell(SET_FEATURES, u64(0))
witness.alive("V02 other features while rings run")

# V03.
guest.again()
can = guest.ask_u64(GET_PROTOCOL_FEATURES)
expect(bool(can & bits(P_MQ)) and bool(can & bits(P_REPLY_ACK)), True, "V03 protocol features before SET_FEATURES")
expect(bool(can & bits(P_INBAND)), False, "V03 in-band notifications are not offered")
guest.raw(SET_PROTOCOL_FEATURES, u64(bits(P_INBAND)))
guest.hangs_up("V03 in-band notifications without what they need")
for bit in range(64):
    if not can & bits(bit):
        guest.again()
        guest.raw(SET_PROTOCOL_FEATURES, u64(can | bits(bit)))
        guest.hangs_up(f"V03 protocol feature {bit}")

# V04.
ready()
for request, payload, fds in ((SET_OWNER, b"", ()), (SET_FEATURES, u64(guest.features), ()), (SET_VRING_NUM, vring_state(0, 256), ()),
                              (SET_VRING_BASE, vring_state(0, 0), ()), (SET_VRING_ADDR, guest.rings[0].addresses(), ()),
                              (SET_VRING_CALL, u64(0), [guest.rings[0].call_fd]), (SET_VRING_KICK, u64(0), [guest.rings[0].kick_fd]),
                              (SET_VRING_ERR, u64(0 | NO_FD), ()), (SET_VRING_ENABLE, vring_state(0, 1), ()),
                              (SET_MEM_TABLE, mem_table([guest.memory.region()]), [guest.memory.fd])):
    expect(guest.tell(request, payload, fds), 0, f"V04 {message_word(request)}: 0")
    expect(guest.is_silent(), True, f"V04 {message_word(request)}: one answer")
for request, payload, size in ((GET_FEATURES, b"", 8), (GET_PROTOCOL_FEATURES, b"", 8), (GET_QUEUE_NUM, b"", 8),
                               (GET_VRING_BASE, vring_state(0, 0), 8)):
    guest.raw(request, payload, flags=VERSION | NEED_REPLY)
    expect(len(guest.reply()[2]), size, f"V04 {message_word(request)}: its own reply")
    expect(guest.is_silent(), True, f"V04 {message_word(request)}: and no other")
for request, payload in ((SET_VRING_NUM, vring_state(0, 3)), (SET_FEATURES, u64(1 << 63)), (SET_VRING_ADDR, vring_addr(0, 1, 2, 3))):
    guest.unwelcome(f"V04 {message_word(request)} that is wrong", request, payload) and ready()
ready(protocol=bits(P_MQ))
guest.raw(SET_VRING_NUM, vring_state(0, 256))
guest.raw(SET_OWNER)
expect(guest.is_silent(), True, "V04 without REPLY_ACK: no answer")

# V08.
ready()
for size in (0, 3, 255, 257, 65535, 65536, 65536 + 256, 1 << 31, 0xFFFFFFFF):
    guest.refuses(f"V08 a ring of {size}", SET_VRING_NUM, vring_state(0, size))
for size in (1, 64, 4096, 32768):
    expect(guest.tell(SET_VRING_NUM, vring_state(0, size)), 0, f"V08 a ring of {size}")
for index in (2, 3, 64, 255, 256, 0x10000, 0x10001, 0xFFFFFFFF):
    if guest.unwelcome(f"V08 ring {index:#x}", SET_VRING_NUM, vring_state(index, 256)):
        ready()
ready()
before, rounds = witness.memory_kb(), 1000000 if SOAK else 20000
for i in range(rounds):
    guest.raw(SET_VRING_NUM, vring_state(i & 1, 64 << (i & 7)))
guest.sync()
# A sanitizer keeps what was freed for a while.
expect(witness.memory_kb() < before + (2048 if SLOW == 1 else 1 << 18), True, f"V08 {rounds} times: {before} KiB, then {witness.memory_kb()}")
print(f"soak: {rounds} SET_VRING_NUM")

# V09: at the latest when the ring is to run, it is said that it cannot.
memory_end = UVA + guest.memory.size
ring = guest.rings[0]
good = (ring.uva(ring.desc), ring.uva(ring.device), ring.uva(ring.driver))
for what, addresses in {
        "nowhere": (1 << 40, good[1], good[2]),
        "zero": (0, 0, 0),
        "the last address": ((1 << 64) - 16, good[1], good[2]),
        "guest-physical": (ring.gpa(ring.desc), ring.gpa(ring.device), ring.gpa(ring.driver)),
        "descriptors over the end": (memory_end - 16 * 255, good[1], good[2]),
        "used ring over the end": (good[0], memory_end - 8 * 256, good[2]),
        "available ring over the end": (good[0], good[1], memory_end - 2 * 256),
        "unaligned descriptors": (good[0] + 1, good[1], good[2]),
        "unaligned available ring": (good[0], good[1], good[2] + 1),
        "unaligned used ring": (good[0], good[1] + 2, good[2])}.items():
    ready()
    try:
        said = [guest.tell(SET_VRING_NUM, vring_state(0, 256)), guest.tell(SET_VRING_BASE, vring_state(0, 0)),
                guest.tell(SET_VRING_CALL, u64(0), [ring.call_fd]), guest.tell(SET_VRING_ADDR, vring_addr(0, *addresses)),
                guest.tell(SET_VRING_KICK, u64(0), [ring.kick_fd]), guest.tell(SET_VRING_ENABLE, vring_state(0, 1))]
    except Closed:
        said = [1]
    expect(any(said), True, f"V09 {what}")
half = guest.memory.size // 2
for what, table in {"straddling two regions": [(GPA, 2048, UVA, 0), (GPA + 4096, half, UVA + 2048, 4096)],
                    "without memory": []}.items():
    ready(memory=False)
    try:
        said = [guest.tell(SET_MEM_TABLE, mem_table(table), [guest.memory.fd] * len(table)) if table else 0]
        expect(said, [0], f"V09 {what}: the table")
        said = [guest.tell(SET_VRING_NUM, vring_state(0, 256)), guest.tell(SET_VRING_ADDR, ring.addresses()),
                guest.tell(SET_VRING_KICK, u64(0), [ring.kick_fd]), guest.tell(SET_VRING_ENABLE, vring_state(0, 1))]
    except Closed:
        said = [1]
    if table:
        expect(any(said), True, f"V09 {what}")
    elif said != [1]:
        # Not wrong: the ring waits for its memory.
        guest.set_memory()
        print(f"ok: V09 {what}: the ring waits")
    witness.alive(f"V09 {what}")
ready()
guest.must(SET_VRING_NUM, vring_state(0, 256))
guest.tell(SET_VRING_ADDR, vring_addr(0, good[0], good[0], good[0]))
witness.alive("V09 rings that overlap")
for index in (2, 255, 0x100, 0x10000, 0x10001, 0xFFFFFFFF):
    ready()
    guest.unwelcome(f"V09 ring {index:#x}", SET_VRING_ADDR, vring_addr(index, *good))

# V13: wrong in form.
for what, message in {
        "a size of 2^32 - 1": HEADER.pack(SET_OWNER, VERSION, 0xFFFFFFFF), "a size of 2^31": HEADER.pack(SET_OWNER, VERSION, 1 << 31),
        "a size of 4096": HEADER.pack(SET_MEM_TABLE, VERSION, 4096) + bytes(4096),
        "version 0": HEADER.pack(GET_FEATURES, 0, 0), "version 2": HEADER.pack(GET_FEATURES, 2, 0),
        "version 3": HEADER.pack(GET_FEATURES, 3, 0), "the reply bit": HEADER.pack(GET_FEATURES, VERSION | REPLY, 0),
        "SET_FEATURES of 4 bytes": HEADER.pack(SET_FEATURES, VERSION, 4) + bytes(4),
        "SET_FEATURES of 0 bytes": HEADER.pack(SET_FEATURES, VERSION, 0),
        "SET_FEATURES of 16 bytes": HEADER.pack(SET_FEATURES, VERSION, 16) + bytes(16),
        "SET_VRING_ADDR of 39 bytes": HEADER.pack(SET_VRING_ADDR, VERSION, 39) + bytes(39),
        "SET_MEM_TABLE of 7 bytes": HEADER.pack(SET_MEM_TABLE, VERSION, 7) + bytes(7),
        "SET_MEM_TABLE whose count is a lie": HEADER.pack(SET_MEM_TABLE, VERSION, 40) + mem_table([guest.memory.region()], 8)}.items():
    guest.again()
    guest.raw_bytes(message, [guest.memory.fd] if "MEM" in what else ())
    guest.hangs_up(f"V13 {what}")
for request in [0, *range(CHECK_DEVICE_STATE + 1, 64), 0x7F, 0xFF, 0x100, 0x101, 0x80000001, 0xFFFFFFFF]:
    guest.again()
    guest.unwelcome(f"V13 request {request:#x}", request)
witness.alive("V13 wrong in form")

# V13: half a message; the others go on meanwhile.
for what, part in {"half a header": HEADER.pack(SET_FEATURES, VERSION, 8)[:5], "a header": HEADER.pack(SET_FEATURES, VERSION, 8),
                   "half a payload": HEADER.pack(SET_FEATURES, VERSION, 8) + bytes(4)}.items():
    guest.again()
    start = time.monotonic()
    guest.raw_bytes(part)
    honest.carries(c3, f"V13 beside {what}")
    guest.hangs_up(f"V13 {what} and no more", 3)
    took = time.monotonic() - start
    expect(took > 0.5, True, f"V13 {what}: waited for, {took:.2f} s")
    guest.again()
    guest.raw_bytes(part, [guest.memory.fd])
    guest.sock.shutdown(socket.SHUT_WR)
    guest.hangs_up(f"V13 {what}, a descriptor and the end", 3)
guest.again()
start = time.monotonic()
try:
    for byte in HEADER.pack(SET_FEATURES, VERSION, 8) + bytes(7):
        guest.raw_bytes(bytes([byte]))
        time.sleep(0.3)
except Closed:
    pass
took = time.monotonic() - start
expect(guest.is_closed(0.1) and took < 3 * SLOW, True, f"V13 a byte each 0.3 s: closed after {took:.1f} s")
guest.again()
whole = HEADER.pack(SET_OWNER, VERSION, 0) + HEADER.pack(SET_FEATURES, VERSION, 8) + u64(bits(F_VERSION_1)) + HEADER.pack(GET_FEATURES, VERSION, 0)
for i in range(len(whole)):
    guest.raw_bytes(whole[i:i + 1])
expect(guest.reply()[0], GET_FEATURES, "V13 one byte a write")
guest.raw_bytes(HEADER.pack(GET_FEATURES, VERSION, 0) * 50)
expect([guest.reply()[0] for _ in range(50)], [GET_FEATURES] * 50, "V13 fifty messages in one write")
# A front-end does not wait between messages that have no answer: each has its own descriptors, and not those of the next.
ready(protocol=bits(P_MQ))
os.kill(witness.switch, signal.SIGSTOP)
for ring in guest.rings:
    guest.set_ring(ring)
guest.fill()
guest.enable()
os.kill(witness.switch, signal.SIGCONT)
guest.until("up").carries(c3, "V13 a handshake in one go")
# One that asks and never listens: hung up on, or no longer read; nobody waits for it.
guest.sock.settimeout(1)
try:
    for _ in range(3000):
        guest.sock.sendall(HEADER.pack(GET_FEATURES, VERSION, 0) * 50)
except (TimeoutError, BrokenPipeError, ConnectionResetError):
    pass
witness.alive("V13 one that never reads its replies")

# V16: each message of a feature that is not negotiated, and of those that are not offered.
ready(protocol=bits(P_MQ, P_REPLY_ACK))
for request, payload in ((GET_CONFIG, config_space(0, 12)), (SET_CONFIG, config_space(0, 12)), (GET_INFLIGHT_FD, inflight(0, 0, 2, 256)),
                         (RESET_DEVICE, b""), (GET_MAX_MEM_SLOTS, b""), (SET_STATUS, u64(1)), (GET_STATUS, b""),
                         (SET_LOG_BASE, struct.pack("<QQ", 4096, 0)), (SET_LOG_FD, b""), (SET_BACKEND_REQ_FD, b""), (IOTLB_MSG, bytes(32)),
                         (SET_VRING_ENDIAN, vring_state(0, 1)), (CREATE_CRYPTO_SESSION, bytes(64)), (CLOSE_CRYPTO_SESSION, u64(1)),
                         (POSTCOPY_ADVISE, b""), (POSTCOPY_LISTEN, b""), (POSTCOPY_END, b""), (GPU_SET_SOCKET, b""), (VRING_KICK, vring_state(0, 0)),
                         (GET_SHARED_OBJECT, bytes(16)), (SET_DEVICE_STATE_FD, bytes(8)), (CHECK_DEVICE_STATE, b"")):
    if guest.unwelcome(f"V16 {message_word(request)} without its feature", request, payload):
        ready(protocol=bits(P_MQ, P_REPLY_ACK))
witness.alive("V16 what is not negotiated")

# V16: what is.
guest.want_protocol = can
ready()
expect(guest.protocol, can, "V16 everything that is offered is taken")
if can & bits(P_CONFIG):
    space = guest.ask(GET_CONFIG, config_space(0, 12))
    expect(len(space), 24, "V16 GET_CONFIG")
    for offset, size in ((0, 257), (250, 10), (0xFFFFFFFF, 12), (4, 0xFFFFFFF0)):
        guest.raw(GET_CONFIG, struct.pack("<III", offset, size, 0) + bytes(12))
        try:
            got = guest.reply(1)
            expect(got is None or len(got[2]) in (0, 12, 24), True, f"V16 GET_CONFIG of {size:#x} at {offset:#x}")
        except Closed:
            print(f"ok: V16 GET_CONFIG of {size:#x} at {offset:#x}: closed")
            ready()
    if guest.unwelcome("V16 SET_CONFIG", SET_CONFIG, config_space(0, 12)):
        ready()
if can & bits(P_NET_MTU):
    guest.must(NET_SET_MTU, u64(1500))
    for mtu in (0, 67, 65536, 1 << 63):
        if guest.unwelcome(f"V16 an MTU of {mtu}", NET_SET_MTU, u64(mtu)):
            ready()
if can & bits(P_MEM_SLOTS):
    slots = guest.ask_u64(GET_MAX_MEM_SLOTS)
    expect(slots >= 8, True, f"V16 {slots} memory slots")
if can & bits(P_STATUS):
    for status in (0, 1, 3, 11, 15):
        guest.must(SET_STATUS, u64(status))
        expect(guest.ask_u64(GET_STATUS), status, f"V16 status {status}")
    if guest.unwelcome("V16 a status of 9 bits", SET_STATUS, u64(0x100)):
        ready()
guest.restart().carries(c3, "V16 with every protocol feature")
if can & bits(P_RARP):
    c3.drain()
    guest.must(SEND_RARP, mac_bytes("52:54:00:12:34:56") + bytes(2))
    rarps, end = [], time.monotonic() + 0.5
    while time.monotonic() < end:
        if (frame := c3.receive(0.1)) is not None and frame[12:14] == b"\x80\x35":
            rarps.append(frame)
    expect([mac_text(f[6:12]) for f in rarps], ["52:54:00:12:34:56"], "V16 RARP, once")
if can & bits(P_RESET_DEVICE):
    guest.must(RESET_DEVICE)
    guest.memory.fill(0, guest.memory.size, 0xA5)
    for n in range(20):
        c3.send(eth(guest.mac, c3.mac, bytes([n])))
    time.sleep(0.2)
    expect(guest.memory.map[:] == b"\xA5" * guest.memory.size, True, "V16 after RESET_DEVICE the memory is left alone")
    guest.restart().carries(c3, "V16 after RESET_DEVICE, a new start")
witness.alive("V16 what is offered")
guest.close()
guest.until("waiting")
honest.carries(c3, "at last")
witness.unleaked("every message")
PY
