# SPDX-License-Identifier: GPL-2.0-or-later
"""A server of names outside, by UDP and TCP, that says what a test wants: the first label of a name chooses.

    upstream.py FILE ADDRESS...      each query becomes a line of JSON in FILE: {"server", "proto", "port", "id", "name", "type"}

    slow        never answers                    nx, nodata, servfail   as they say, negative TTL 5
    forged      others' answers first: another id, port, address, name and type; then the right one
    trunc       cut by UDP, whole by TCP         big                    60 addresses
    ttl1        for a second                     cname                  an alias of target.NAME, with its address
    loop, lies, short, extra                     answers that are malformed
    any other   192.0.2.N, N the last number of the server's own address, for a minute
"""
import json
import socket
import struct
import sys
import threading
import time

from names import *

FORGED = socket.inet_aton("203.0.113.66")


def head(query, flags, answers, authority=0):
    return query.raw[:2] + struct.pack("!HHHHH", QR | RA | RD | flags, 1, answers, authority, 0)


def soa(query):
    zone = query.questions[0][0].split(".")[-1]
    return record(zone, SOA, 5, name_bytes("ns." + zone) + name_bytes("root." + zone) + struct.pack("!IIIII", 1, 2, 3, 4, 5))


def answer(query, server, is_tcp):
    """The message; None: none."""
    name, kind = query.questions[0]
    asked = query.raw[12:12 + len(name_bytes(name)) + 4]
    label = name.lower().split(".")[0].rstrip("0123456789")
    here = socket.inet_aton("192.0.2." + server.split(".")[-1])
    if label == "slow":
        return None
    if label in ("nx", "nodata"):
        return head(query, NXDOMAIN if label == "nx" else 0, 0, 1) + asked + soa(query)
    if label == "servfail":
        return head(query, SERVFAIL, 0) + asked
    if label == "trunc" and not is_tcp:
        return head(query, TC, 0) + asked
    if label == "loop":
        at = 12 + len(asked)
        return head(query, 0, 1) + asked + struct.pack("!H", 0xC000 | at) + struct.pack("!HHIH", A, 1, 60, 4) + here
    if label == "lies":
        return head(query, 0, 9) + asked + record(b"\xc0\x0c", A, 60, here)
    if label == "extra":
        return head(query, 0, 1) + asked + record(b"\xc0\x0c", A, 60, here) + b"more than was said"
    if label == "short":
        return query.raw[:2] + b"\x81"
    if kind == TXT:
        return head(query, 0, 1) + asked + record(b"\xc0\x0c", TXT, 60, b"\x04text")
    if kind != A:
        return head(query, 0, 0, 1) + asked + soa(query)
    if label == "big":
        return head(query, 0, 60) + asked + b"".join(record(b"\xc0\x0c", A, 60, bytes([192, 0, 2, n])) for n in range(60))
    if label == "cname":
        target = name_bytes("target." + name)
        return head(query, 0, 2) + asked + record(b"\xc0\x0c", CNAME, 60, target) + record(target, A, 60, here)
    return head(query, 0, 1) + asked + record(b"\xc0\x0c", A, 1 if label == "ttl" else 60, here)


def forge(sock, query, to):
    """What somebody else would try, before the right one comes."""
    name, _ = query.questions[0]
    asked = query.raw[12:12 + len(name_bytes(name)) + 4]
    lie = record(b"\xc0\x0c", A, 60, FORGED)
    rest = head(query, 0, 1)[2:] + asked + lie
    wrong_ids = [struct.pack("!H", query.id ^ bit) for bit in (1, 0x8000, 0xFFFF)]
    for ident in wrong_ids:
        sock.sendto(ident + rest, to)
    other = query.raw[:2] + head(query, 0, 1)[2:]
    sock.sendto(other + name_bytes("other.example") + struct.pack("!HH", A, 1) + lie, to)
    sock.sendto(other + name_bytes(name) + struct.pack("!HH", TXT, 1) + lie, to)
    sock.sendto(other + name_bytes(name) + struct.pack("!HH", A, 3) + lie, to)
    sock.sendto(query.raw[:2] + struct.pack("!HHHHH", RD, 1, 1, 0, 0) + asked + lie, to)
    for address, port in ((sock.getsockname()[0], 5353), ("198.51.100.66", 53)):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as liar:
            liar.bind((address, port))
            liar.sendto(query.raw[:2] + rest, to)
    time.sleep(0.1)


class Upstream:
    def __init__(self, path):
        self.out, self.lock = open(path, "a", encoding="ascii", buffering=1), threading.Lock()

    def note(self, server, proto, port, query):
        with self.lock:
            name, kind = query.questions[0]
            self.out.write(json.dumps({"server": server, "proto": proto, "port": port, "id": query.id, "name": name, "type": kind}) + "\n")

    def serve_udp(self, server):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)
        sock.bind((server, 53))
        threading.Thread(target=self._datagrams, args=(sock, server), daemon=True).start()

    def _datagrams(self, sock, server):
        while True:
            raw, to = sock.recvfrom(4096)
            try:
                query = Message(raw)
                self.note(server, "udp", to[1], query)
            except (ValueError, IndexError, struct.error):
                continue
            if query.questions[0][0].lower().startswith("forged"):
                threading.Thread(target=self._late, args=(sock, query, server, to), daemon=True).start()
                continue
            got = answer(query, server, False)
            if got:
                sock.sendto(got, to)

    @staticmethod
    def _late(sock, query, server, to):
        forge(sock, query, to)
        sock.sendto(answer(query, server, False), to)

    def serve_tcp(self, server):
        sock = socket.create_server((server, 53))
        threading.Thread(target=self._connections, args=(sock, server), daemon=True).start()

    def _connections(self, sock, server):
        while True:
            conn, peer = sock.accept()
            threading.Thread(target=self._connection, args=(conn, peer, server), daemon=True).start()

    def _connection(self, conn, peer, server):
        with conn:
            while (query := Guest.next(conn)) is not None:
                self.note(server, "tcp", peer[1], query)
                got = answer(query, server, True)
                if got:
                    conn.sendall(struct.pack("!H", len(got)) + got)


def main():
    path, *servers = sys.argv[1:]
    upstream = Upstream(path)
    for server in servers:
        upstream.serve_udp(server)
        upstream.serve_tcp(server)
    upstream.out.write('"ready"\n')
    threading.Event().wait()


if __name__ == "__main__":
    main()
