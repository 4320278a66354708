# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients of DHCPv4 that say exactly what a test wants, and judge every answer.

A Client is a Station in the namespace of tests/lib/dhcp-fabric.sh: raw frames, any number of hardware addresses.  Each answer that it
sees is well formed to the last byte (RFC 2131, 2132, 3396; no byte that nobody wrote), or the test fails.

ask() is the usual test: messages are sent, after them an INFORM of a host that always gets its ACK; the server takes one after the
other, so what came before that ACK is all that came.  Nothing sleeps, and silence is certain.

    a = Client("c1")
    offer = a.one(a.discover(), "an offer")
    ack = a.one(a.select(offer), "an ack")
    expect(ack.yiaddr, "10.10.0.100", "the first address")
"""
import random
import struct
import sys
import time

from nat import *

DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)
KINDS = ("0", "DISCOVER", "OFFER", "REQUEST", "DECLINE", "ACK", "NAK", "RELEASE", "INFORM")
MASK, ROUTER, DNS, HOSTNAME, DOMAIN, MTU, NTP = 1, 3, 6, 12, 15, 26, 42
REQUESTED, LEASE_TIME, OVERLOAD, KIND_OPTION, SERVER_ID, WANTED, MESSAGE, MAX_SIZE = 50, 51, 52, 53, 54, 55, 56, 57
T1, T2, VENDOR, CLIENT_ID, TFTP, BOOTFILE, FQDN, RELAY, ARCH, SEARCH, ROUTES = 58, 59, 60, 61, 66, 67, 81, 82, 93, 119, 121
COOKIE = b"\x63\x82\x53\x63"
END = b"\xff"
B_FLAG = 0x8000
ANY, ALL = "0.0.0.0", "255.255.255.255"
# The host whose INFORMs are always answered: an address that nobody else has.
SENTINEL_HOST = 250
# Every answer that was seen, for judges from outside: see save().
answers = []


def option(code, *values):
    """Values: bytes, text, addresses or numbers of one byte."""
    raw = b"".join(bytes([v]) if isinstance(v, int) else v if isinstance(v, bytes) else raw_ip(v) if is_address(v) else v.encode()
                   for v in values)
    return bytes([code, len(raw)]) + raw


def is_address(text):
    parts = text.split(".")
    return len(parts) == 4 and all(p.isdigit() for p in parts)


def bootp(kind=None, chaddr="02:00:00:00:00:01", xid=0, flags=0, ciaddr=ANY, giaddr=ANY, options=b"", op=1, htype=1, hlen=6, hops=0,
          secs=0, sname=b"", file=b"", cookie=COOKIE, end=END, yiaddr=ANY, size=300):
    """A message; kind None: without option 53.  Padded to size."""
    head = struct.pack("!BBBBIHH", op, htype, hlen, hops, xid, secs, flags)
    head += raw_ip(ciaddr) + raw_ip(yiaddr) + raw_ip(ANY) + raw_ip(giaddr) + mac_bytes(chaddr).ljust(16, b"\0")
    head += sname.ljust(64, b"\0") + file.ljust(128, b"\0") + cookie
    return (head + (option(KIND_OPTION, kind) if kind else b"") + options + end).ljust(size, b"\0")


class Answer:
    """An answer of a server.  `options` maps codes to values, put together where they came in parts; `order` is as they came."""

    def __init__(self, frame, packet):
        self.frame, self.packet, self.raw = frame, packet, packet.payload
        self.eth_dst, self.eth_src, self.src, self.dst = mac_text(frame[:6]), mac_text(frame[6:12]), packet.src, packet.dst
        self.sport, self.dport = packet.sport, packet.dport
        raw = self.raw
        if len(raw) < 300:
            self._bad(f"{len(raw)} bytes: some clients drop what is below 300")
        self.op, self.htype, self.hlen, self.hops, self.xid, self.secs, self.flags = struct.unpack_from("!BBBBIHH", raw)
        self.ciaddr, self.yiaddr, self.siaddr, self.giaddr = (text_ip(raw[at:at + 4]) for at in (12, 16, 20, 24))
        self.chaddr, self.sname, self.file = mac_text(raw[28:34]), raw[44:108], raw[108:236]
        if (self.op, raw[34:44], raw[236:240]) != (2, bytes(10), COOKIE):
            self._bad("not the head of a BOOTREPLY")
        self.options, self.order = {}, []
        overload = self._walk(raw[240:], "options")
        self.overload = overload
        if overload & 1:
            self._walk(self.file, "file")
        elif b"\0" not in self.file or self.file.split(b"\0", 1)[1].strip(b"\0"):
            self._bad("file is no text")
        if overload & 2:
            self._walk(self.sname, "sname")
        elif b"\0" not in self.sname or self.sname.split(b"\0", 1)[1].strip(b"\0"):
            self._bad("sname is no text")
        self.kind = self.options.get(KIND_OPTION, b"\0")[0]
        answers.append(frame)

    def _bad(self, why):
        sys.exit(f"FAIL: an answer is malformed: {why}: {self.raw.hex(' ')}")

    def _walk(self, raw, where):
        """RFC 2131 4.1; what follows END is zeros."""
        at, overload = 0, 0
        while True:
            if at >= len(raw):
                self._bad(f"{where} has no END")
            code = raw[at]
            if code == 255:
                break
            if code == 0:
                at += 1
                continue
            if at + 2 > len(raw) or at + 2 + raw[at + 1] > len(raw):
                self._bad(f"option {code} in {where} is cut off")
            value = raw[at + 2:at + 2 + raw[at + 1]]
            if code == OVERLOAD:
                if where != "options" or len(value) != 1:
                    self._bad("option 52")
                overload = value[0]
            if code == RELAY and where != "options":
                self._bad("option 82 in an overloaded field")
            self.options[code] = self.options.get(code, b"") + value
            self.order.append(code)
            at += 2 + len(value)
        if raw[at + 1:].strip(b"\0"):
            self._bad(f"bytes after END in {where}")
        return overload

    def ip(self, code):
        """The first address of an option; None without it."""
        value = self.options.get(code)
        return text_ip(value[:4]) if value else None

    def number(self, code):
        value = self.options.get(code)
        return int.from_bytes(value, "big") if value else None

    def text(self, code):
        value = self.options.get(code)
        return value.decode() if value is not None else None

    def __repr__(self):
        return f"<{KINDS[self.kind]} {self.yiaddr} for {self.chaddr} to {self.eth_dst} {self.dst}:{self.dport}>"


def answer_of(frame):
    """An Answer, or None: something else.  A server's frame that does not parse ends the test."""
    p = parse(frame)
    if p is None or p.proto != UDP or p.sport != 67 or p.is_fragment or p.payload[:1] != b"\2":
        return None
    return Answer(frame, p)


class Client(Asks, Station):
    """By default a client of its interface's own address on 10.10.0.0/24."""

    kinds = KINDS

    def __init__(self, netns, server="10.10.0.1", mac=None, client_id=None, ifname="eth0"):
        super().__init__(netns, ifname)
        self.server, self.client_id = server, client_id
        self.mac = mac or self.mac
        # VLAN 10 is 10.10.0.0/24, and so on; the gateway's MAC is made of the VLAN.
        self.gateway = f"02:76:66:00:00:{int(server.split('.')[1]):02x}"
        self.informer_mac = f"02:5e:00:00:{random.randrange(256):02x}:{random.randrange(256):02x}"
        self.informer = server.rsplit(".", 1)[0] + f".{SENTINEL_HOST}"

    # --- Messages: frames ---

    def frame(self, payload, src=ANY, dst=ALL, eth_src=None, eth_dst=None, sport=68, dport=67):
        return eth(eth_dst or (self.gateway if dst == self.server else BROADCAST), eth_src or self.mac, udp(src, sport, dst, dport, payload), etype=0x0800)

    def message(self, kind, options=b"", mac=None, eth_src=None, client_id=None, src=ANY, dst=ALL, eth_dst=None, sport=68, **fields):
        """client_id: b"" sends none where the client has one."""
        mac = mac or self.mac
        client_id = self.client_id if client_id is None else client_id
        if client_id:
            options = option(CLIENT_ID, client_id) + options
        fields.setdefault("xid", random.randrange(1, 1 << 32))
        return self.frame(bootp(kind, mac, options=options, **fields), src, dst, eth_src or mac, eth_dst, sport)

    def discover(self, options=b"", **fields):
        return self.message(DISCOVER, options + option(WANTED, MASK, ROUTER, DNS, DOMAIN, MTU, LEASE_TIME, T1, T2), **fields)

    def select(self, offer, options=b"", **fields):
        """The REQUEST that takes an offer."""
        fields.setdefault("mac", offer.chaddr)
        return self.message(REQUEST, option(REQUESTED, fields.pop("address", offer.yiaddr)) +
                            option(SERVER_ID, fields.pop("server", offer.ip(SERVER_ID))) + options, xid=offer.xid, **fields)

    def reboot(self, address, options=b"", **fields):
        return self.message(REQUEST, option(REQUESTED, address) + options, **fields)

    def renew(self, address, options=b"", **fields):
        return self.message(REQUEST, options, ciaddr=address, src=address, dst=self.server, **fields)

    def rebind(self, address, options=b"", **fields):
        return self.message(REQUEST, options, ciaddr=address, src=address, **fields)

    def release(self, address, options=None, **fields):
        fields.setdefault("src", address)
        return self.message(RELEASE, option(SERVER_ID, self.server) if options is None else options, ciaddr=address, dst=self.server, **fields)

    def decline(self, address, options=None, **fields):
        return self.message(DECLINE, option(REQUESTED, address) + option(SERVER_ID, self.server) if options is None else options, **fields)

    def inform(self, address, options=b"", **fields):
        return self.message(INFORM, options, ciaddr=address, src=address, dst=fields.pop("dst", self.server), **fields)

    # --- Exchanges ---

    def ask(self, frames):
        """Sends; every answer that comes of it."""
        self.drain()
        for frame in [frames] if isinstance(frames, bytes) else frames:
            self.send(frame)
        # Two, one after the other: what the first shares its turn with may be sent after it.
        return self._until_sentinel() + self._until_sentinel()

    def _until_sentinel(self):
        seen = []

        def has_come():
            xid, mac = random.randrange(1, 1 << 32), self.informer_mac
            self.send(self.inform(self.informer, mac=mac, xid=xid, client_id=b""))
            end = time.monotonic() + 1
            while (left := end - time.monotonic()) > 0:
                frame = self.receive(left)
                answer = answer_of(frame) if frame else None
                if answer and answer.xid == xid:
                    return True
                if answer and answer.chaddr != mac:
                    seen.append(answer)
            return False

        wait_for(8, f"the ACK of an INFORM at {self.netns}", has_come)
        return seen

    def bind(self, options=b"", **fields):
        """DISCOVER to ACK; the ACK."""
        got = self.ask(self.discover(options, **fields))
        if len(got) != 1 or got[0].kind != OFFER:
            sys.exit(f"FAIL: an OFFER expected, got {got}")
        ack = self.one(self.select(got[0], options, **fields), "an ACK", ACK)
        if ack.yiaddr != got[0].yiaddr:
            sys.exit(f"FAIL: {got[0]} became {ack}")
        return ack

    def bind_many(self, macs):
        """Clients of one port, all at once; {mac: address} of those that got an ACK."""
        offers = {o.chaddr: o for o in self.ask([self.discover(mac=mac) for mac in macs]) if o.kind == OFFER}
        acks = self.ask([self.select(o) for o in offers.values()])
        return {a.chaddr: a.yiaddr for a in acks if a.kind == ACK}

    def arp_reply(self, address, mac=None, to=BROADCAST):
        """Somebody has that address."""
        mac = mac or self.mac
        body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2) + mac_bytes(mac) + raw_ip(address) + mac_bytes(to) + raw_ip(ANY)
        return eth(to, mac, body, etype=0x0806)


def macs(count, first=0):
    return [f"02:aa:00:{n >> 16 & 255:02x}:{n >> 8 & 255:02x}:{n & 255:02x}" for n in range(first, first + count)]


# --- The switch ---

def leases(**match):
    """Rows of `vfab lease ls` with these values."""
    return [row for row in vfab("lease", "ls", "-o", "json") if all(row.get(k) == v for k, v in match.items())]


def lease_of(address):
    """The row of that address, or None."""
    return next(iter(leases(ip=address)), None)


def state_of(address):
    row = lease_of(address)
    return row and row["state"]


def expect_state(address, want, what):
    wait_for(3, f"{what}: {address} {want}", lambda: state_of(address) == want)
    print(f"ok: {what}")


def save(path):
    """All answers that were seen, as a capture file."""
    with open(path, "wb") as out:
        out.write(struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for n, frame in enumerate(answers):
            out.write(struct.pack("=IIII", n, 0, len(frame), len(frame)) + frame)
