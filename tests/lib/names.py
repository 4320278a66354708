# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages of DNS, exactly as a test wants them, and what one that came says (RFC 1035 4.1, 6891).  Sockets are those of a namespace."""
import random
import socket
import struct
import sys

A, NS, CNAME, SOA, PTR, HINFO, MX, TXT, AAAA, OPT, ANY = 1, 2, 5, 6, 12, 13, 15, 16, 28, 41, 255
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)
QR, AA, TC, RD, RA = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080


def name_bytes(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.strip(".").split(".") if label) + b"\0"


def question(name, kind=A, ident=None, flags=RD, edns=None, klass=1, count=1, extra=b""):
    ident = random.randrange(1 << 16) if ident is None else ident
    raw = name if isinstance(name, bytes) else name_bytes(name)
    head = struct.pack("!HHHHHH", ident, flags, count, 0, 0, 1 if edns else 0)
    return head + raw + struct.pack("!HH", kind, klass) + (b"\0" + struct.pack("!HHIH", OPT, edns, 0, 0) if edns else b"") + extra


def record(name, kind, ttl, data):
    raw = name if isinstance(name, bytes) else name_bytes(name)
    return raw + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


class Message:
    """A message that parses to its last byte, or ValueError."""

    def __init__(self, raw):
        if len(raw) < 12:
            raise ValueError("no header")
        self.raw = raw
        self.id, self.flags, *counts = struct.unpack_from("!HHHHHH", raw)
        self.rcode, self.is_answer, self.is_cut = self.flags & 15, bool(self.flags & QR), bool(self.flags & TC)
        self.at = 12
        self.questions = [self._question() for _ in range(counts[0])]
        self.answers, self.authority, self.additional = ([self._record() for _ in range(n)] for n in counts[1:])
        if self.at != len(raw):
            raise ValueError(f"{len(raw) - self.at} bytes behind the last record")

    def _name(self, at=None):
        labels, jumps, is_first = [], 0, at is None
        at = self.at if is_first else at
        while True:
            size = self.raw[at]
            if size & 0xC0 == 0xC0:
                target = struct.unpack_from("!H", self.raw, at)[0] & 0x3FFF
                if is_first:
                    self.at, is_first = at + 2, False
                if target >= at or (jumps := jumps + 1) > 128:
                    raise ValueError("a pointer that does not go back")
                at = target
                continue
            at += 1
            if size == 0:
                break
            labels.append(self.raw[at:at + size].decode("latin-1"))
            at += size
        if is_first:
            self.at = at
        return ".".join(labels)

    def _question(self):
        name = self._name()
        kind, _ = struct.unpack_from("!HH", self.raw, self.at)
        self.at += 4
        return name, kind

    def _record(self):
        name = self._name()
        kind, _, ttl, size = struct.unpack_from("!HHIH", self.raw, self.at)
        self.at += 10
        start, self.at = self.at, self.at + size
        data = self.raw[start:self.at]
        if len(data) != size:
            raise ValueError("a record is cut off")
        if kind in (A, AAAA):
            data = socket.inet_ntop(socket.AF_INET if kind == A else socket.AF_INET6, data)
        elif kind in (CNAME, PTR, NS):
            data = self._name(start)
        return name, kind, ttl, data

    def data(self, kind=None):
        return sorted(d for _, k, _, d in self.answers if kind is None or k == kind)

    def __repr__(self):
        return f"<rcode {self.rcode}{' cut' if self.is_cut else ''} {self.questions} {self.answers}>"


class Guest:
    """A guest's sockets, towards a server of names."""

    def __init__(self, inside, server="10.10.0.1"):
        self.inside, self.server = inside, server

    def udp(self):
        with self.inside:
            sock = socket.socket(socket.AF_INET6 if ":" in self.server else socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)
        sock.connect((self.server, 53))
        return sock

    def tcp(self, seconds=5):
        with self.inside:
            sock = socket.socket(socket.AF_INET6 if ":" in self.server else socket.AF_INET, socket.SOCK_STREAM)
        sock.settimeout(seconds)
        sock.connect((self.server, 53))
        return sock

    def ask(self, name, kind=A, seconds=8, **more):
        """The answer; None when none came."""
        return self.say(question(name, kind, **more), seconds)

    def say(self, raw, seconds=8):
        with self.udp() as sock:
            sock.settimeout(seconds)
            sock.send(raw)
            try:
                got = Message(sock.recv(65536))
            except (TimeoutError, ConnectionRefusedError):
                return None
        if raw[:2] != got.raw[:2] or not got.is_answer:
            sys.exit(f"FAIL: an answer to something else: {got}")
        return got

    def ask_tcp(self, name, kind=A, seconds=8, **more):
        with self.tcp(seconds) as sock:
            return self.over(sock, question(name, kind, **more))

    @staticmethod
    def over(sock, raw):
        sock.sendall(struct.pack("!H", len(raw)) + raw)
        return Guest.next(sock)

    @staticmethod
    def next(sock):
        """The next message of a connection; None when it ends."""
        got = b""
        while len(got) < 2 or len(got) < 2 + struct.unpack_from("!H", got)[0]:
            missing = 2 - len(got) if len(got) < 2 else 2 + struct.unpack_from("!H", got)[0] - len(got)
            try:
                more = sock.recv(missing)
            except (ConnectionResetError, TimeoutError):
                return None
            if not more:
                return None
            got += more
        return Message(got[2:])
