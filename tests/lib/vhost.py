# SPDX-License-Identifier: GPL-2.0-or-later
"""A scripted vhost-user front-end, as honest or as hostile as a test wants it.

A Guest is a virtual machine without a machine: memory (memfd), rings (split or packed, of one or more queue pairs) and a
connection to a port's socket, or a socket of its own that a port connects to.  It has the words of a Station of
frames.py, so that deliver() takes both.

    vm1 = Guest("vm1")                       socket $T/vm1.sock, the port of that name
    vm1.start()                              every message until the rings are on
    vm1.send(frame); vm1.receive(1.0)

Below that, everything can be said by hand, and wrong:

    vm1.connect()
    vm1.negotiate(features=..., protocol=...)
    vm1.raw(SET_VRING_NUM, vring_state(0, 3), fds=[...], flags=..., size=...)      bytes as they are
    vm1.tell(SET_VRING_NUM, vring_state(0, 256))      with need_reply once REPLY_ACK is on: 0, or what the back-end refused with
    vm1.ask(GET_FEATURES)                    the payload of the reply
    for word in vm1.script(): ...            start(), one message a turn
    vm1.tx[0], vm1.rx[0]                     the rings: .poke() a descriptor, .offer() it, .kick()

Witness looks at the rest of the world meanwhile: same processes, control socket, two taps that forward, descriptors.

QEMU docs/interop/vhost-user.rst; virtio 1.2, 2.7 (split), 2.8 (packed), 5.1 (network device).
"""
import collections
import contextlib
import errno
import fcntl
import mmap
import select

from frames import *

HEADER = struct.Struct("<III")
VERSION, REPLY, NEED_REPLY = 1, 4, 8

MESSAGES = """GET_FEATURES SET_FEATURES SET_OWNER RESET_OWNER SET_MEM_TABLE SET_LOG_BASE SET_LOG_FD SET_VRING_NUM
    SET_VRING_ADDR SET_VRING_BASE GET_VRING_BASE SET_VRING_KICK SET_VRING_CALL SET_VRING_ERR GET_PROTOCOL_FEATURES
    SET_PROTOCOL_FEATURES GET_QUEUE_NUM SET_VRING_ENABLE SEND_RARP NET_SET_MTU SET_BACKEND_REQ_FD IOTLB_MSG SET_VRING_ENDIAN
    GET_CONFIG SET_CONFIG CREATE_CRYPTO_SESSION CLOSE_CRYPTO_SESSION POSTCOPY_ADVISE POSTCOPY_LISTEN POSTCOPY_END
    GET_INFLIGHT_FD SET_INFLIGHT_FD GPU_SET_SOCKET RESET_DEVICE VRING_KICK GET_MAX_MEM_SLOTS ADD_MEM_REG REM_MEM_REG
    SET_STATUS GET_STATUS GET_SHARED_OBJECT SET_DEVICE_STATE_FD CHECK_DEVICE_STATE""".split()
(GET_FEATURES, SET_FEATURES, SET_OWNER, RESET_OWNER, SET_MEM_TABLE, SET_LOG_BASE, SET_LOG_FD, SET_VRING_NUM,
 SET_VRING_ADDR, SET_VRING_BASE, GET_VRING_BASE, SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ERR, GET_PROTOCOL_FEATURES,
 SET_PROTOCOL_FEATURES, GET_QUEUE_NUM, SET_VRING_ENABLE, SEND_RARP, NET_SET_MTU, SET_BACKEND_REQ_FD, IOTLB_MSG, SET_VRING_ENDIAN,
 GET_CONFIG, SET_CONFIG, CREATE_CRYPTO_SESSION, CLOSE_CRYPTO_SESSION, POSTCOPY_ADVISE, POSTCOPY_LISTEN, POSTCOPY_END,
 GET_INFLIGHT_FD, SET_INFLIGHT_FD, GPU_SET_SOCKET, RESET_DEVICE, VRING_KICK, GET_MAX_MEM_SLOTS, ADD_MEM_REG, REM_MEM_REG,
 SET_STATUS, GET_STATUS, GET_SHARED_OBJECT, SET_DEVICE_STATE_FD, CHECK_DEVICE_STATE) = range(1, len(MESSAGES) + 1)


def message_word(request):
    return MESSAGES[request - 1] if 0 < request <= len(MESSAGES) else f"request {request:#x}"


def bits(*numbers):
    return sum(1 << n for n in numbers)


F_CSUM, F_GUEST_CSUM, F_MTU, F_GUEST_TSO4, F_GUEST_TSO6, F_GUEST_ECN = 0, 1, 3, 7, 8, 9
F_HOST_TSO4, F_HOST_TSO6, F_HOST_ECN, F_MRG_RXBUF, F_STATUS, F_CTRL_VQ, F_MQ = 11, 12, 13, 15, 16, 17, 22
F_ANY_LAYOUT, F_INDIRECT, F_EVENT_IDX, F_PROTOCOL, F_VERSION_1, F_PACKED, F_IN_ORDER = 27, 28, 29, 30, 32, 34, 35
P_MQ, P_LOG_SHMFD, P_RARP, P_REPLY_ACK, P_NET_MTU, P_BACKEND_REQ, P_CONFIG = 0, 1, 2, 3, 4, 5, 9
P_INFLIGHT, P_RESET_DEVICE, P_INBAND, P_MEM_SLOTS, P_STATUS = 12, 13, 14, 15, 16

NO_FD = 0x100  # SET_VRING_KICK, CALL, ERR: there is none
NET_HEADER = 12
DESC_NEXT, DESC_WRITE, DESC_INDIRECT = 1, 2, 4
PACKED_AVAIL, PACKED_USED = 1 << 7, 1 << 15

GPA, UVA = 0x4000_0000, 0x7F00_0000_0000  # where the first byte of memory is, for the guest and for the front-end
RING_SPACE, BUFFER = 1 << 16, 2048


class Refused(Exception):
    """The back-end answered that it will not."""


class Closed(Exception):
    """The back-end ended the connection."""


def u64(value):
    return struct.pack("<Q", value & (1 << 64) - 1)


def vring_state(index, value):
    return struct.pack("<II", index, value & 0xFFFFFFFF)


def vring_addr(index, desc, used, avail, flags=0, log=0):
    return struct.pack("<IIQQQQ", index, flags, desc, used, avail, log)


def mem_table(regions, count=None):
    """regions: (guest-physical address, bytes, user address, offset in the file) each."""
    body = struct.pack("<II", len(regions) if count is None else count, 0)
    return body + b"".join(struct.pack("<QQQQ", *r) for r in regions)


def mem_reg(region):
    return struct.pack("<QQQQQ", 0, *region)


def inflight(size, offset, queues, queue_size):
    return struct.pack("<QQHH", size, offset, queues, queue_size)


def config_space(offset, size, data=b"", flags=0):
    return struct.pack("<III", offset, size, flags) + data.ljust(size, b"\0")


class Memory:
    """The guest's memory, one file; its regions say where it lies."""

    def __init__(self, size, gpa=GPA, uva=UVA):
        self.fd = os.memfd_create("guest", os.MFD_CLOEXEC)
        os.ftruncate(self.fd, size)
        self.map = mmap.mmap(self.fd, size)
        self.words = memoryview(self.map).cast("H")
        self.size, self.gpa, self.uva = size, gpa, uva

    def region(self):
        return (self.gpa, self.size, self.uva, 0)

    def fill(self, offset, size, byte):
        self.map[offset:offset + size] = bytes([byte]) * size

    def close(self):
        self.words.release()
        self.map.close()
        os.close(self.fd)


class Ring:
    """What both kinds have: where it lies, its buffers, its descriptors.  `start` is its place in the file."""

    def __init__(self, memory, index, size, start, buffers):
        self.memory, self.index, self.size, self.start = memory, index, size, start
        self.buffers = buffers
        self.kick_fd = self.call_fd = None
        self.reset()

    def reset(self, first=0):
        """As the driver of a machine that just booted; first: the index or slot to begin with."""
        self.memory.fill(self.start, RING_SPACE, 0)
        self.free = collections.deque(range(self.size))

    def open(self):
        """New eventfds."""
        self.close()
        self.kick_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.call_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def close(self):
        for fd in (self.kick_fd, self.call_fd):
            if fd is not None:
                os.close(fd)
        self.kick_fd = self.call_fd = None

    def put(self, fmt, offset, *values):
        struct.pack_into(fmt, self.memory.map, offset, *values)

    def put16(self, offset, value):
        """In one store: pack_into() writes zeros first, and the device looks at any time."""
        self.memory.words[offset // 2] = value & 0xFFFF

    def get16(self, offset):
        return self.memory.words[offset // 2]

    def buffer(self, i):
        """Place of buffer i in the file."""
        return self.buffers + i * BUFFER

    def gpa(self, offset):
        return self.memory.gpa + offset

    def uva(self, offset):
        return self.memory.uva + offset

    def addresses(self):
        """For SET_VRING_ADDR."""
        return vring_addr(self.index, self.uva(self.desc), self.uva(self.device), self.uva(self.driver))

    def kick(self):
        os.eventfd_write(self.kick_fd, 1)

    def calls(self):
        """Interrupts since the last time."""
        try:
            return os.eventfd_read(self.call_fd)
        except BlockingIOError:
            return 0

    def give(self, i, size, is_writable):
        """Buffer i, to be seen by the device at the next offer()."""
        self.poke(i, self.gpa(self.buffer(i)), size, DESC_WRITE if is_writable else 0)
        self.offer(i)


class SplitRing(Ring):
    is_packed = False

    def reset(self, first=0):
        super().reset()
        self.desc = self.start
        self.driver = self.start + 16 * self.size
        self.device = (self.driver + 6 + 2 * self.size + 3) & ~3
        self.avail = self.used = first
        self.publish(first)
        self.put16(self.device + 2, first)

    def poke(self, i, addr, size, flags=0, next_=0):
        """Writes descriptor i of the table."""
        self.put("<QIHH", self.desc + 16 * i, addr & (1 << 64) - 1, size & 0xFFFFFFFF, flags, next_)

    def offer(self, head, publish=True):
        self.put16(self.driver + 4 + 2 * (self.avail % self.size), head)
        self.avail = (self.avail + 1) & 0xFFFF
        if publish:
            self.publish(self.avail)

    def publish(self, index):
        self.put16(self.driver + 2, index)

    def used_index(self):
        return self.get16(self.device + 2)

    def take_used(self):
        """(id, bytes written) of the next chain that the device has returned, or None."""
        if self.used_index() == self.used:
            return None
        at = self.device + 4 + 8 * (self.used % self.size)
        self.used = (self.used + 1) & 0xFFFF
        return struct.unpack_from("<II", self.memory.map, at)

    def base(self):
        """For SET_VRING_BASE after a connection was lost: what is not used is given again."""
        return self.used_index()

    def quiet(self, is_quiet):
        """Asks for no interrupts."""
        self.put16(self.driver, int(is_quiet))


class PackedRing(Ring):
    """Each chain is one descriptor here; id and slot are apart."""
    is_packed = True

    def reset(self, first=0):
        super().reset()
        self.desc = self.start
        self.driver = self.start + 16 * self.size
        self.device = self.driver + 4
        self.slot = self.used = first
        self.wrap = self.used_wrap = True
        self.pending = {}

    def poke(self, i, addr, size, flags=0, next_=0):
        """What offer(i) will write into the next slot; chains are made by write()."""
        self.pending[i] = (addr & (1 << 64) - 1, size & 0xFFFFFFFF, flags)

    def write(self, slot, addr, size, id_, flags):
        """A slot as it is, flags last."""
        at = self.desc + 16 * slot
        self.put("<QIH", at, addr & (1 << 64) - 1, size & 0xFFFFFFFF, id_)
        self.put16(at + 14, flags)

    def ready(self):
        """The flags that make the next slot available."""
        return PACKED_AVAIL if self.wrap else PACKED_USED

    def step(self):
        self.slot += 1
        if self.slot == self.size:
            self.slot, self.wrap = 0, not self.wrap

    def offer(self, head, publish=True):
        addr, size, flags = self.pending.pop(head)
        self.write(self.slot, addr, size, head, flags | self.ready())
        self.step()

    def take_used(self):
        at = self.desc + 16 * self.used
        flags = self.get16(at + 14)
        if bool(flags & PACKED_AVAIL) != self.used_wrap or bool(flags & PACKED_USED) != self.used_wrap:
            return None
        size, id_ = struct.unpack_from("<IH", self.memory.map, at + 8)
        self.used += 1
        if self.used == self.size:
            self.used, self.used_wrap = 0, not self.used_wrap
        return id_, size

    def base(self):
        """Where the driver is, for a device that lost everything; what it had is lost."""
        return (self.slot | self.wrap << 15) * 0x1_0001

    def quiet(self, is_quiet):
        self.put16(self.driver + 2, int(is_quiet))


class Guest:
    FEATURES = bits(F_VERSION_1, F_MRG_RXBUF, F_PROTOCOL)
    PROTOCOL = bits(P_MQ, P_REPLY_ACK)

    def __init__(self, port, path=None, listen=False, packed=False, size=256, pairs=1, features=None, protocol=None, mac=None):
        self.port, self.path = port, path or f"{os.environ['T']}/{port}.sock"
        self.pairs, self.want_protocol = pairs, self.PROTOCOL if protocol is None else protocol
        self.want = (self.FEATURES if features is None else features) | (bits(F_PACKED) if packed else 0)
        if pairs > 1:
            self.want |= bits(F_MQ, F_CTRL_VQ)
        self.mac = mac or "52:54:00:" + mac_text(port.encode().rjust(3, b"\0")[-3:])
        self.sock = self.listener = None
        self.features = self.protocol = 0
        if listen:
            self.listen()
        self.build(packed, size)

    def __repr__(self):
        return self.port

    def build(self, packed, size):
        """Memory: the rings, then the buffers of each."""
        n = 2 * self.pairs
        self.memory = Memory(n * (RING_SPACE + size * BUFFER))
        kind = PackedRing if packed else SplitRing
        self.rings = [kind(self.memory, i, size, i * RING_SPACE, n * RING_SPACE + i * size * BUFFER) for i in range(n)]
        self.rx, self.tx = self.rings[0::2], self.rings[1::2]

    # The connection.

    def listen(self):
        self.listener = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self.listener.bind(self.path)
        self.listener.listen(4)

    def connect(self, wait_s=5):
        self.disconnect()
        if self.listener:
            self.listener.settimeout(wait_s * SLOW)
            self.sock = self.listener.accept()[0]
        else:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.connect(self.path)
        self.features = self.protocol = 0

    def disconnect(self):
        if self.sock:
            self.sock.close()
        self.sock = None

    def close(self):
        """The machine is gone, all of it."""
        self.disconnect()
        for ring in self.rings:
            ring.close()
        self.memory.close()
        if self.listener:
            self.listener.close()

    # Messages.

    def raw(self, request, payload=b"", fds=(), flags=VERSION, size=None):
        self.raw_bytes(HEADER.pack(request, flags, len(payload) if size is None else size) + payload, fds)

    def raw_bytes(self, data, fds=()):
        self.sock.setblocking(True)
        try:
            if fds:
                sent = socket.send_fds(self.sock, [data], fds)
                data = data[sent:]
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as e:
            raise Closed(str(e)) from None

    def _bytes(self, n, end, fds):
        data = b""
        while len(data) < n:
            self.sock.settimeout(max(end - time.monotonic(), 0.001))
            try:
                more, new, _, _ = socket.recv_fds(self.sock, n - len(data), 32)
            except ConnectionResetError:
                more, new = b"", []
            fds += new
            if not more:
                raise Closed(f"after {len(data)} of {n} bytes")
            data += more
        return data

    def reply(self, wait_s=5):
        """(request, flags, payload, descriptors) of the next reply; None when none comes."""
        fds, end = [], time.monotonic() + wait_s * SLOW
        try:
            request, flags, size = HEADER.unpack(self._bytes(HEADER.size, end, fds))
        except TimeoutError:
            return None
        return request, flags, self._bytes(size, end, fds), fds

    def is_silent(self, wait_s=0.05):
        """No reply, and the connection stands."""
        return not select.select([self.sock], [], [], wait_s)[0]

    def is_closed(self, wait_s=1):
        """The back-end hangs up within that time; replies until then are read and forgotten."""
        end = time.monotonic() + wait_s * SLOW
        try:
            while select.select([self.sock], [], [], max(end - time.monotonic(), 0))[0]:
                got = self.reply(1)
                for fd in got[3] if got else ():
                    os.close(fd)
        except Closed:
            return True
        return False

    def _reply_to(self, request):
        got = self.reply()
        if got is None:
            raise TimeoutError(f"no reply to {message_word(request)}")
        if got[0] != request or got[1] & 7 != VERSION | REPLY:
            raise SystemExit(f"FAIL: {self}: reply to {message_word(request)} is {message_word(got[0])}, flags {got[1]:#x}")
        return got

    def ask(self, request, payload=b"", fds=()):
        """The payload of the reply; descriptors that came with it are in self.came."""
        self.raw(request, payload, fds)
        _, _, answer, self.came = self._reply_to(request)
        return answer

    def ask_u64(self, request, payload=b""):
        return struct.unpack("<Q", self.ask(request, payload))[0]

    def tell(self, request, payload=b"", fds=()):
        """With REPLY_ACK: what the back-end says, 0 is yes.  Without: 0, since nobody says anything."""
        if not self.protocol & bits(P_REPLY_ACK):
            self.raw(request, payload, fds)
            return 0
        self.raw(request, payload, fds, VERSION | NEED_REPLY)
        return struct.unpack("<Q", self._reply_to(request)[2])[0]

    def must(self, request, payload=b"", fds=()):
        if (said := self.tell(request, payload, fds)) != 0:
            raise Refused(f"{message_word(request)}: {said}")

    def sync(self):
        """Everything said so far has been heard."""
        self.ask(GET_FEATURES)

    def lives(self):
        """The connection stands and is answered."""
        try:
            self.ask(GET_FEATURES)
            return True
        except Closed:
            return False

    def refuses(self, what, request, payload=b"", fds=()):
        """The back-end says no, and the connection goes on."""
        try:
            said = self.tell(request, payload, fds)
        except Closed:
            sys.exit(f"FAIL: {what}: {message_word(request)} ends the connection instead of being refused")
        if said == 0 or not self.lives():
            sys.exit(f"FAIL: {what}: {message_word(request)} is accepted" if said == 0 else f"FAIL: {what}: refused, then closed")
        print(f"ok: {what}: refused")

    def unwelcome(self, what, request, payload=b"", fds=()):
        """The back-end says no, or hangs up; a message that has a reply anyhow is told by a reply of no bytes."""
        try:
            self.raw(request, payload, fds, VERSION | NEED_REPLY)
            got = self.reply(2)
            if got is None:
                sys.exit(f"FAIL: {what}: {message_word(request)}: neither refused nor closed")
            for fd in got[3]:
                os.close(fd)
            if len(got[2]) == 8 and request not in (GET_VRING_BASE,) and struct.unpack("<Q", got[2])[0] == 0:
                sys.exit(f"FAIL: {what}: {message_word(request)} is accepted")
            word = "refused"
        except Closed:
            word = "closed"
        print(f"ok: {what}: {word}")
        return word == "closed"

    def hangs_up(self, what, wait_s=1):
        if not self.is_closed(wait_s):
            sys.exit(f"FAIL: {what}: the connection is still there after {wait_s} s")
        print(f"ok: {what}: closed")

    # Step by step.

    def _negotiation(self, features, protocol):
        offered = self.ask_u64(GET_FEATURES)
        yield "GET_FEATURES"
        if offered & bits(F_PROTOCOL):
            can = self.ask_u64(GET_PROTOCOL_FEATURES)
            yield "GET_PROTOCOL_FEATURES"
            self.raw(SET_PROTOCOL_FEATURES, u64(can & self.want_protocol if protocol is None else protocol))
            self.protocol = can & self.want_protocol if protocol is None else protocol
            yield "SET_PROTOCOL_FEATURES"
        if self.protocol & bits(P_MQ):
            self.ask(GET_QUEUE_NUM)
            yield "GET_QUEUE_NUM"
        self.must(SET_OWNER)
        yield "SET_OWNER"
        self.features = offered & self.want if features is None else features
        self.must(SET_FEATURES, u64(self.features))
        yield "SET_FEATURES"

    def negotiate(self, features=None, protocol=None):
        """Until SET_FEATURES; None: what is wanted of what is offered."""
        for _ in self._negotiation(features, protocol):
            pass

    def _ring_messages(self, ring, base):
        i = ring.index
        self.must(SET_VRING_NUM, vring_state(i, ring.size))
        yield f"SET_VRING_NUM {i}"
        self.must(SET_VRING_BASE, vring_state(i, base))
        yield f"SET_VRING_BASE {i}"
        self.must(SET_VRING_ADDR, ring.addresses())
        yield f"SET_VRING_ADDR {i}"
        self.must(SET_VRING_CALL, u64(i), [ring.call_fd])
        yield f"SET_VRING_CALL {i}"
        self.must(SET_VRING_KICK, u64(i), [ring.kick_fd])
        yield f"SET_VRING_KICK {i}"

    def set_memory(self):
        self.must(SET_MEM_TABLE, mem_table([self.memory.region()]), [self.memory.fd])

    def set_ring(self, ring, base=None):
        for _ in self._ring_messages(ring, self.first_base(ring) if base is None else base):
            pass

    @staticmethod
    def first_base(ring):
        return 0x8000_8000 if ring.is_packed else 0

    def enable(self, is_on=1):
        for ring in self.rings:
            self.must(SET_VRING_ENABLE, vring_state(ring.index, is_on))

    def script(self, is_fresh=True):
        """One message a turn, from the connection until the rings are on.  Fresh: the driver starts anew; else the rings go on where
        the device's used index says."""
        self.connect()
        for ring in self.rings:
            if is_fresh:
                ring.reset()
            ring.open()
        yield "connect"
        yield from self._negotiation(None, None)
        self.set_memory()
        yield "SET_MEM_TABLE"
        for ring in self.rings:
            yield from self._ring_messages(ring, self.first_base(ring) if is_fresh else ring.base())
        for ring in self.rings:
            if self.features & bits(F_PROTOCOL):
                self.must(SET_VRING_ENABLE, vring_state(ring.index, 1))
                yield f"SET_VRING_ENABLE {ring.index}"
        if is_fresh:
            self.fill()

    def start(self, is_fresh=True):
        for _ in self.script(is_fresh):
            pass
        self.sync()
        return self

    def stop(self):
        """GET_VRING_BASE of every ring: what the device says."""
        return [struct.unpack("<II", self.ask(GET_VRING_BASE, vring_state(r.index, 0)))[1] for r in self.rings]

    # Frames.

    def fill(self):
        """Every free receive buffer to the device."""
        for ring in self.rx:
            while ring.free:
                ring.give(ring.free.popleft(), BUFFER, True)
            ring.kick()

    def reclaim(self, ring):
        while (used := ring.take_used()) is not None:
            ring.free.append(used[0])

    def post(self, frame, pair=0, header=bytes(NET_HEADER)):
        """A frame into the ring, without a kick.  False: no buffer is free."""
        ring = self.tx[pair]
        if not ring.free:
            self.reclaim(ring)
        if not ring.free:
            return False
        i, data = ring.free.popleft(), header + frame
        at = ring.buffer(i)
        self.memory.map[at:at + len(data)] = data
        ring.give(i, len(data), False)
        return True

    def send(self, frame, pair=0, header=bytes(NET_HEADER), wait_s=5):
        end = time.monotonic() + wait_s * SLOW
        while not self.post(frame, pair, header):
            self.tx[pair].kick()
            if time.monotonic() > end:
                raise SystemExit(f"FAIL: {self}: the transmit ring stalls")
            time.sleep(0.0005)
        self.tx[pair].kick()

    def _take(self, ring):
        """One frame with its header out of a receive ring; its buffers are given back."""
        used = ring.take_used()
        if used is None:
            return None
        data, more = b"", 1
        while True:
            i, size = used
            at = ring.buffer(i)
            part = self.memory.map[at:at + size]
            if not data and self.features & bits(F_MRG_RXBUF):
                more = struct.unpack_from("<H", part, 10)[0]
            data += part
            ring.give(i, BUFFER, True)
            more -= 1
            if more <= 0:
                return data
            used = ring.take_used()
            if used is None:
                raise SystemExit(f"FAIL: {self}: a frame of several buffers is published in parts")

    def receive_whole(self, wait_s=0.0):
        """The next frame with its header, or None."""
        end = time.monotonic() + wait_s * SLOW
        while True:
            for ring in self.rx:
                if (data := self._take(ring)) is not None:
                    ring.kick()
                    return data
            left = end - time.monotonic()
            if left <= 0:
                return None
            select.select([ring.call_fd for ring in self.rx], [], [], min(left, 0.005))
            for ring in self.rx:
                ring.calls()

    def receive(self, wait_s=0.0):
        """The next frame, or None."""
        while (data := self.receive_whole(wait_s)) is not None:
            if struct.unpack_from("!H", data, NET_HEADER + 12)[0] != ETYPE_PROBE:
                return data[NET_HEADER:]
        return None

    def drain(self):
        frames = []
        while (frame := self.receive()) is not None:
            frames.append(frame)
        return frames

    def is_state(self, state):
        return port_of(self.port)["state"] == state

    def again(self, wait_s=2):
        """Another connection, once the port is done with the last one."""
        self.disconnect()
        self.until("waiting", wait_s)
        self.connect()
        return self

    def restart(self):
        """The machine boots again, on a new connection."""
        self.disconnect()
        self.until("waiting")
        return self.start()

    def until(self, state, wait_s=2):
        wait_for(wait_s, f"port {self} to be {state}, which is {port_of(self.port)['state']}", lambda: self.is_state(state))
        return self

    def carries(self, peer, what, wait_s=2):
        """Frames pass both ways between this guest and a station or another guest, within that time."""
        end = time.monotonic() + wait_s * SLOW
        for sender, receiver in ((self, peer), (peer, self)):
            number = 0
            while True:
                number += 1
                frame = eth(receiver.mac, sender.mac, struct.pack("!I", number) + b"carried")
                sender.send(frame)
                got = receiver.receive(0.05)
                while got is not None and got[18:25] != b"carried":
                    got = receiver.receive(0.05)
                if got is not None:
                    break
                if time.monotonic() > end:
                    raise SystemExit(f"FAIL: {what}: nothing passes from {sender} to {receiver}")
            peer.drain()
            self.drain()
        print(f"ok: {what}: {self} and {peer} are connected")


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        return [int(child) for child in children.read().split()]


class Witness:
    """Whoever has nothing to do with it: two taps, the control socket, the processes.  BROKER is the daemon's id."""

    def __init__(self, a="c1", b="c2"):
        self.broker = int(os.environ["BROKER"])
        self.switch = self.switch_now()
        self.a, self.b = stations(a, b)
        learn(self.a, self.b)
        self.base = self.descriptors()

    def switch_now(self):
        return (children_of(self.broker) or [0])[0]

    def descriptors(self):
        """Open descriptors of broker and switch."""
        return tuple(len(os.listdir(f"/proc/{pid}/fd")) for pid in (self.broker, self.switch_now()))

    def memory_kb(self):
        with open(f"/proc/{self.switch_now()}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    def cpu_s(self):
        """Seconds of CPU that the switch has used."""
        with open(f"/proc/{self.switch_now()}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def alive(self, what):
        """The same switch, which answers within a second and forwards every frame of the others."""
        start = time.monotonic()
        ctl("port.ls")
        took = time.monotonic() - start
        if took > 1 * SLOW:
            sys.exit(f"FAIL: {what}: the control socket answers after {took:.2f} s")
        if self.switch_now() != self.switch:
            sys.exit(f"FAIL: {what}: the switch is another process")
        for sender, receiver in ((self.a, self.b), (self.b, self.a)):
            frames = [eth(receiver.mac, sender.mac, struct.pack("!I", n)) for n in range(100)]
            got = deliver(sender, frames, [receiver])[receiver]
            if got != frames:
                sys.exit(f"FAIL: {what}: {sender} to {receiver}: {len(got)} of {len(frames)}")
        print(f"ok: {what}: alive ({took * 1000:.0f} ms)")

    def unleaked(self, what):
        """As many descriptors as when this began."""
        wait_for(5, f"{what}: descriptors {self.base}, now {self.descriptors()}", lambda: self.descriptors() <= self.base)
        print(f"ok: {what}: no descriptor is left")


def scene():
    """Who else is there in a guest_fabric: a witness of the rest, and beside the guest under test a tap and an honest guest."""
    witness = Witness()
    c3 = Station("c3")
    honest = Guest("vm2").start().until("up")
    witness.base = witness.descriptors()
    return witness, c3, honest
