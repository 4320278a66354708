# SPDX-License-Identifier: GPL-2.0-or-later
"""dpdk-testpmd as a guest that polls: virtio-user ports, each joined inside testpmd to a file of numbered frames.

A Nic is a virtio-user port and how it is to be.  In testpmd it is joined to a pcap port: what a file holds is sent to the
switch, and what comes from the switch is written to another file; a pair of files for each queue.  testpmd tries again until
a frame is in the ring ("retry"), so that every frame which is lost was lost, and counted, by the switch.

    nic, peer = Nic("a", 1, packed=1, size=64), Nic("b", 2)      ports a and b, sockets $T/a.sock and $T/b.sock
    write_frames(nic.sent(0), nic.side, 0, range(1000))          and those of the peer
    guests = Testpmd([nic, peer])
    guests.command("start"); guests.stats(nic)["RX-packets"]; guests.command("stop"); guests.quit()
    nic.check()                                                  what it received is what its peer sent

Each frame says of which queue it is and its number there, and its other bytes and its length follow from that.
"""
import atexit
import mmap
import re
import select
import subprocess
import threading

from frames import *

T = os.environ["T"]
MAGIC, LINK_ETHERNET, SNAP = 0xA1B2C3D4, 1, 65535
FILE_HEADER, RECORD = struct.Struct("<IHHiIII"), struct.Struct("<IIII")
NUMBER = struct.Struct("!BxI")
PATTERN = bytes((i * 167 + (i >> 8) * 13) & 0xFF for i in range(4096))
FRAME_MIN, FRAME_MAX = 60, 1514
SMALL_MBUF, BIG_MBUF = 512, 2176  # 128 of them for the headroom: a long frame takes several of the small ones
MAC = {side: f"02:00:00:00:00:0{side}" for side in (1, 2)}


def is_up(*nics):
    states = {port["name"]: port["state"] for port in ctl("port.ls")}
    return all(states[nic.port] == "up" for nic in nics)


def length_of(n):
    """Most are short; each sixteenth is of any length."""
    return FRAME_MIN + (n * 2654435761 >> 7) % (FRAME_MAX - FRAME_MIN + 1 if n % 16 == 0 else 69)


def body_of(queue, n, length):
    start = (n * 31 + queue) % 2048
    return NUMBER.pack(queue, n) + PATTERN[start:start + length - 20]


def write_frames(path, side, queue, numbers):
    """A file of the frames that the station of that side sends to the other, in one queue."""
    head = mac_bytes(MAC[3 - side]) + mac_bytes(MAC[side]) + struct.pack("!H", ETYPE_TEST)
    with open(path, "wb", buffering=1 << 20) as out:
        out.write(FILE_HEADER.pack(MAGIC, 2, 4, 0, 0, SNAP, LINK_ETHERNET))
        for n in numbers:
            length = length_of(n)
            out.write(RECORD.pack(0, 0, length, length) + head + body_of(queue, n, length))


class Reader:
    """Frames as they were received, one after another: feed() bytes of a pcap file.  period: numbers begin anew after so many,
    and fewer than half of them are missing at once.  Not is_ordered: only what is in a frame is looked at."""

    def __init__(self, name, side, period=0, is_ordered=True):
        self.name, self.period, self.is_ordered = name, period, is_ordered
        self.head = mac_bytes(MAC[side]) + mac_bytes(MAC[3 - side]) + struct.pack("!H", ETYPE_TEST)
        self.frames, self.bytes, self.skipped = 0, 0, 0
        self.last, self.seen_header, self.rest = {}, False, b""

    def feed(self, data):
        data = self.rest + data if self.rest else data
        at, end = 0, len(data)
        if not self.seen_header and end >= FILE_HEADER.size:
            at, self.seen_header = FILE_HEADER.size, True
        while self.seen_header and at + RECORD.size <= end:
            _, _, length, whole = RECORD.unpack_from(data, at)
            if not FRAME_MIN <= length == whole <= FRAME_MAX:
                sys.exit(f"FAIL: {self.name}: a frame of {length} bytes of {whole}")
            if at + RECORD.size + length > end:
                break
            self.frame(data[at + RECORD.size:at + RECORD.size + length])
            at += RECORD.size + length
        self.rest = bytes(data[at:])

    def frame(self, frame):
        queue, n = NUMBER.unpack_from(frame, 14)
        start = (n * 31 + queue) % 2048
        if (frame[:14] != self.head or frame[20:] != PATTERN[start:start + len(frame) - 20] or len(frame) != length_of(n)):
            sys.exit(f"FAIL: {self.name}: a frame that nobody sent to it: {frame.hex(' ')}")
        step = n - self.last.get(queue, -1)
        if self.period:
            step %= self.period
            is_next = queue not in self.last or 0 < step <= self.period // 2
        else:
            is_next = step > 0
        if self.is_ordered and not is_next:
            sys.exit(f"FAIL: {self.name}: frame {n} of queue {queue} after {self.last[queue]}")
        self.skipped += step - 1 if queue in self.last or not self.period else 0
        self.last[queue] = n
        self.frames += 1
        self.bytes += len(frame)


class Follower(threading.Thread):
    """Reads what testpmd writes to a FIFO as it comes, and knows the longest pause since forget_pauses()."""

    def __init__(self, path, reader):
        super().__init__(daemon=True)
        self.path, self.reader = path, reader
        self.error = None
        self.forget_pauses()
        if os.path.exists(path):
            os.unlink(path)
        os.mkfifo(path)
        self.start()

    def forget_pauses(self):
        self.pause, self.since, self.skipped_before = 0.0, time.monotonic(), self.reader.skipped

    def run(self):
        try:
            with open(self.path, "rb", buffering=0) as fifo:
                while data := fifo.read(1 << 14):
                    now = time.monotonic()
                    self.pause, self.since = max(self.pause, now - self.since), now
                    self.reader.feed(data)
        except SystemExit as why:
            self.error = str(why)


class Nic:
    def __init__(self, port, side=1, packed=0, mrg=1, in_order=1, queues=1, size=256, server=0):
        self.port, self.side = port, side
        self.packed, self.mrg, self.in_order, self.queues, self.size, self.server = packed, mrg, in_order, queues, size, server
        self.socket = f"{T}/{port}.sock"
        self.followers = []

    def __str__(self):
        return (f"{self.port} ({('split', 'packed')[self.packed]}, mrg_rxbuf={self.mrg}, in_order={self.in_order}, "
                f"queues={self.queues}, queue_size={self.size}, {('client', 'server')[self.server]})")

    def line(self, network):
        """Of the fabric's file."""
        return (f"  {self.port}: {{vhost-user: {self.socket}, client: {('false', 'true')[self.server]}, "
                f"queues: {self.queues}, network: {network}}}\n")

    def virtio(self, n):
        return (f"net_virtio_user{n},path={self.socket},queues={self.queues},queue_size={self.size},packed_vq={self.packed},"
                f"mrg_rxbuf={self.mrg},in_order={self.in_order}" + (",server=1" if self.server else ""))

    def sent(self, queue):
        return f"{T}/sent-{self.side}-{queue}.pcap"

    def got(self, queue):
        return f"{T}/got-{self.port}-{queue}.pcap"

    def mbufs(self):
        return self.queues * (2 * self.size + 1024)

    def check(self):
        """What it received, checked; the files are gone then.  (frames, bytes)"""
        frames = total = 0
        numbers = {}
        for queue in range(self.queues):
            reader = Reader(f"{self}, queue {queue}", self.side)
            with open(self.got(queue), "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as data:
                for at in range(0, len(data), 1 << 20):
                    reader.feed(data[at:at + (1 << 20)])
            if reader.rest:
                sys.exit(f"FAIL: {reader.name}: half a frame at the end")
            for sender, n in reader.last.items():
                # One worker has a queue of the sender, and one ring of the receiver: no number can come in two of them.
                if sender in numbers:
                    sys.exit(f"FAIL: {self}: frames of queue {sender} in two queues")
                numbers[sender] = n
            os.unlink(self.got(queue))
            frames, total = frames + reader.frames, total + reader.bytes
        return frames, total


class Testpmd:
    """infinite: the files, so many frames each, are sent again and again, and what comes is followed instead of kept."""

    def __init__(self, nics, infinite=0, is_ordered=True):
        self.nics = nics
        self.place = {nic: 2 * i + 1 for i, nic in enumerate(nics)}
        queues, cpus = nics[0].queues, ",".join(map(str, os.sched_getaffinity(0)))
        is_small = all(nic.mrg for nic in nics) and not infinite  # what is sent again and again lies in one buffer each
        mbufs = sum(nic.mbufs() for nic in nics) + infinite * queues * len(nics) + 4096
        eal = ["--lcores", f"(0,1)@({cpus})", "--no-huge", "-m", "2048", "--no-shconf", "--no-pci", "--no-telemetry",
               f"--file-prefix={os.path.basename(T)}"]
        own = ["-i", "--no-mlockall", "--nb-cores=1", "--forward-mode=io", "--port-topology=paired", "--no-flush-rx",
               "--disable-device-start", f"--rxq={queues}", f"--txq={queues}", "--rxd=4096", "--txd=4096",
               f"--total-num-mbufs={mbufs}", f"--mbuf-size={SMALL_MBUF if is_small else BIG_MBUF}"]
        devices = [word for i, nic in enumerate(nics) for word in self.devices(i, nic, infinite, is_ordered)]
        self.process = subprocess.Popen(
            ["stdbuf", "-oL", "dpdk-testpmd", *eal, *devices, "--", *own], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env=dict(os.environ, RUNTIME_DIRECTORY=T))
        atexit.register(self.kill)
        self.said = ""
        self.listen(20)
        for nic in nics:
            self.command(f"port config {self.place[nic]} tx_offload multi_segs on")
            if is_small:
                self.command(f"port config {self.place[nic]} rx_offload scatter on")
        self.command("set fwd io retry")
        self.command("set burst tx delay 1 retry 4000000000")
        self.command("port start all")
        if re.search("[Ff]ail", self.said):
            sys.exit(f"FAIL: testpmd: {self.said}")

    @staticmethod
    def devices(i, nic, infinite, is_ordered):
        if nic.server and os.path.exists(nic.socket):
            os.unlink(nic.socket)  # one that was killed left it, and bind() would fail
        files = ",".join(f"rx_pcap={nic.sent(queue)},tx_pcap={nic.got(queue)}" for queue in range(nic.queues))
        if infinite:
            nic.followers = [Follower(nic.got(queue), Reader(f"{nic}, queue {queue}", nic.side, infinite, is_ordered))
                             for queue in range(nic.queues)]
        return "--vdev", f"net_pcap{i},{files},infinite_rx={int(bool(infinite))}", "--vdev", nic.virtio(i)

    def listen(self, seconds=10):
        """What it says until its next prompt."""
        said, end = "", time.monotonic() + seconds * SLOW
        while not said.endswith("testpmd> "):
            ready = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))[0]
            data = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not data:
                sys.exit(f"FAIL: testpmd {'ended' if ready else 'does not answer'}: {self.said + said}")
            said += data.decode(errors="replace")
        self.said = (self.said + said)[-10000:]
        return said

    def order(self, words):
        self.process.stdin.write(words.encode() + b"\n")
        self.process.stdin.flush()

    def command(self, words, seconds=10):
        self.order(words)
        return self.listen(seconds)

    def stats(self, nic):
        """The counters of its virtio-user port."""
        said = self.command(f"show port stats {self.place[nic]}")
        return {key: int(value) for key, value in re.findall(r"([RT]X-[a-z]+): *(\d+)", said)}

    def quit(self):
        self.order("quit")
        self.process.communicate(timeout=20 * SLOW)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        atexit.unregister(self.kill)
