# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames of exact bytes, in and out of the namespaces of a scenario.

A Station is a raw socket on an interface inside a namespace that tests/lib/scenario.sh made.  It sends any bytes and
receives what comes with its tags, which the kernel takes off and this module puts back.  The switch's loop probes and what
the station itself sent are not seen.

deliver() is the usual test: send, wait until the switch has counted every frame (rx = forwarded + local + drops; a frame that is
counted has been written to its outputs, and a tap hands it to the sockets before write() returns), then
collect what each station got.  Nothing sleeps, and "did not arrive" is certain.

    c1, c2, c3 = stations("c1", "c2", "c3")
    got = deliver(c1, [eth(BROADCAST, c1.mac, b"hello")], [c2, c3])
    expect(got[c2], [...], "c2 gets it")
"""
import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import sys
import time

TAG = os.environ["TAG"]
SOCKET = os.environ["SOCKET"]
SLOW = int(os.environ.get("SLOW", "1"))

BROADCAST = "ff:ff:ff:ff:ff:ff"
ETYPE_TEST = 0x88B6  # IEEE 802 local experimental 2: nobody answers it
ETYPE_PROBE = 0x88B5  # the switch's own loop probe
ETH_P_ALL = 3
SOL_PACKET, PACKET_AUXDATA, PACKET_IGNORE_OUTGOING = 263, 8, 23
SO_RCVBUFFORCE = 33
SIOCSIFTXQLEN = 0x8943
CLONE_NEWNET = 0x40000000
STATUS_VLAN_VALID, STATUS_VLAN_TPID_VALID = 1 << 4, 1 << 6

_libc = ctypes.CDLL(None, use_errno=True)


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


class inside:
    """with inside("c1"): what is opened here belongs to that namespace."""

    def __init__(self, netns):
        self.path = f"/run/netns/{TAG}-{netns}"

    def __enter__(self):
        self.back = os.open("/proc/self/ns/net", os.O_RDONLY)
        there = os.open(self.path, os.O_RDONLY)
        _setns(there)
        os.close(there)

    def __exit__(self, *_):
        _setns(self.back)
        os.close(self.back)


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def mac_text(raw):
    return ":".join(f"{b:02x}" for b in raw)


def tag(vid, pcp=0, tpid=0x8100, dei=0):
    """One 802.1Q (or, by tpid, 802.1ad) tag."""
    return struct.pack("!HH", tpid, pcp << 13 | dei << 12 | vid)


def eth(dst, src, payload=b"", tags=b"", etype=ETYPE_TEST, pad=True):
    """A frame; padded with zeros to 60 bytes, as a network card would."""
    frame = mac_bytes(dst) + mac_bytes(src) + tags + struct.pack("!H", etype) + payload
    return frame.ljust(60, b"\0") if pad else frame


class Station:
    def __init__(self, netns, ifname="eth0", port=None):
        self.netns, self.ifname, self.port = netns, ifname, port or netns
        with inside(netns):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            for name, value in ((PACKET_AUXDATA, 1), (PACKET_IGNORE_OUTGOING, 1)):
                self.sock.setsockopt(SOL_PACKET, name, value)
            self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 256 << 20)
            self.sock.bind((ifname, ETH_P_ALL))
            # A tap takes frames without a limit on the sender and drops what its queue cannot hold: long enough, then, that
            # what is missing is missing because of the switch.
            fcntl.ioctl(self.sock, SIOCSIFTXQLEN, struct.pack("16si12x", ifname.encode(), 50000))
            self.mac = mac_text(self.sock.getsockname()[4])

    def __repr__(self):
        return self.port

    def send(self, frame):
        self.sock.send(frame)

    def receive(self, wait_s=0.0):
        """The next frame with its tag, or None."""
        self.sock.settimeout(wait_s) if wait_s else self.sock.setblocking(False)
        while True:
            try:
                data, extra, _, _ = self.sock.recvmsg(70000, 64)
            except (BlockingIOError, TimeoutError):
                return None
            finally:
                self.sock.setblocking(True)
            for level, kind, value in extra:
                if level != SOL_PACKET or kind != PACKET_AUXDATA:
                    continue
                status, _, _, _, _, tci, tpid = struct.unpack("=IIIHHHH", value[:20])
                if status & STATUS_VLAN_VALID:
                    tpid = tpid if status & STATUS_VLAN_TPID_VALID else 0x8100
                    data = data[:12] + struct.pack("!HH", tpid, tci) + data[12:]
            if struct.unpack_from("!H", data, 12)[0] != ETYPE_PROBE:
                return data
            self.sock.setblocking(False)

    def drain(self):
        """Every frame that is there."""
        frames = []
        while (frame := self.receive()) is not None:
            frames.append(frame)
        return frames


def stations(*names):
    return [Station(name) for name in names]


def ctl(verb, **args):
    """One request to the switch; its result, or RuntimeError."""
    with socket.socket(socket.AF_UNIX) as sock:
        # First the connection: with a time limit, a full backlog would be an error instead of a wait.
        sock.connect(SOCKET)
        sock.settimeout(10 * SLOW)
        sock.sendall(json.dumps({"verb": verb, **args}).encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            more = sock.recv(1 << 16)
            if not more:
                break
            answer += more
    answer = json.loads(answer)
    if not answer["ok"]:
        raise RuntimeError(answer["error"])
    return answer.get("result")


def port_of(name):
    return next(p for p in ctl("port.ls") if p["name"] == name)


def drops_of(name):
    return {row["reason"]: row["frames"] for row in ctl("drops") if row["port"] == name}


def wait_for(seconds, what, test):
    """Polls until test() is true and returns what it gave."""
    end = time.monotonic() + seconds * SLOW
    while not (value := test()):
        if time.monotonic() > end:
            raise SystemExit(f"FAIL: in vain waited for {what}")
        time.sleep(0.01)
    return value


def settled(name, frames):
    """True once the port has received that many frames and the switch is done with all of them."""
    port = port_of(name)
    done = port["forwarded"] + port["local"] + port["drops"]
    return port["rx"]["frames"] >= frames and done == port["rx"]["frames"]


def send_settled(sender, frames):
    """Sends, and waits until the switch has counted all of them."""
    before = port_of(sender.port)["rx"]["frames"]
    for frame in frames:
        sender.send(frame)
    wait_for(10, f"port {sender.port}: {len(frames)} frames counted",
             lambda: settled(sender.port, before + len(frames)))


def deliver(sender, frames, receivers):
    """Sends frames, and gives what each receiver got: {station: [frame, ...]}."""
    if isinstance(frames, bytes):
        frames = [frames]
    for station in receivers:
        station.drain()
    send_settled(sender, frames)
    return {station: station.drain() for station in receivers}


def dropped(sender, frames, reason, receivers=()):
    """Sends frames that must all be dropped with that reason and reach nobody."""
    if isinstance(frames, bytes):
        frames = [frames]
    before = drops_of(sender.port).get(reason, 0)
    got = deliver(sender, frames, list(receivers))
    for station, seen in got.items():
        expect(len(seen), 0, f"frames that reach {station}, to be dropped by {reason}")
    expect(drops_of(sender.port).get(reason, 0) - before, len(frames), f"port {sender.port} drops by {reason}")


def show(value):
    if isinstance(value, bytes):
        return f"{len(value)} bytes {value[:40].hex(' ')}"
    if isinstance(value, list):
        return "[" + ", ".join(show(v) for v in value[:6]) + ("" if len(value) <= 6 else f", ... {len(value)} in all") + "]"
    return repr(value)


def expect(got, want, what):
    if got != want:
        sys.exit(f"FAIL: {what}: got {show(got)}, want {show(want)}")
    print(f"ok: {what}")


def learn(*known):
    """Makes the switch know where stations are: each sends one frame to nobody in particular, and another one when the
    table was in another worker's hands just then."""
    for station in known:
        send_settled(station, [eth(BROADCAST, station.mac, b"here")])
    macs = {entry["mac"] for entry in ctl("mac.ls")}
    for station in known:
        if station.mac not in macs:
            send_settled(station, [eth(BROADCAST, station.mac, b"here")])
    for station in known:
        station.drain()


class Serials:
    """A process sends numbered frames from one station to another, `burst` of them each ms and a broadcast with every thousandth, while
    the body runs.  The body calls drain() often enough for the receiver's buffer; at its end every frame must have arrived,
    once and in order."""

    def __init__(self, sender, receiver, burst):
        self.sender, self.receiver, self.burst = sender, receiver, burst
        self.seen, self.wrong = 0, []

    def __enter__(self):
        self.reader, writer = os.pipe()
        self.child = os.fork()
        if self.child == 0:
            os.write(writer, struct.pack("!I", self._send()))
            os._exit(0)
        os.close(writer)
        return self

    def _send(self):
        ends = []
        signal.signal(signal.SIGTERM, lambda *_: ends.append(True))
        n = 0
        while not ends:
            for _ in range(self.burst):
                self.sender.send(eth(self.receiver.mac, self.sender.mac, struct.pack("!I", n)))
                n += 1
            if n % 1000 == 0:
                self.sender.send(eth(BROADCAST, self.sender.mac, b"to all that there are"))
            time.sleep(0.001)
        return n

    def drain(self):
        for frame in self.receiver.drain():
            if frame[0] == 0xFF:
                continue
            serial = struct.unpack_from("!I", frame, 14)[0]
            if serial != self.seen:
                self.wrong.append((self.seen, serial))
            self.seen = serial + 1

    def _is_all(self, sent):
        self.drain()
        return self.seen == sent

    def __exit__(self, kind, *_):
        os.kill(self.child, signal.SIGTERM)
        os.waitpid(self.child, 0)
        if kind:
            return
        sent = struct.unpack("!I", os.read(self.reader, 4))[0]
        wait_for(5, f"all {sent} frames", lambda: self._is_all(sent))
        expect(self.wrong, [], f"of {sent} frames none is lost, doubled or out of order")
