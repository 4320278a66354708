# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients of DHCPv6 and of router advertisements, as dhcp.py is for DHCPv4: messages of exact bytes, and answers that are judged to the
last byte (RFC 8415, 3646, 4861, 8106).

    c = Client6("c1")
    a = c.one(c.solicit(), "an ADVERTISE", ADVERTISE)
    r = c.one(c.request(a), "a REPLY", REPLY)
    expect(r.addresses, ["fd00:a::1000"], "an address")
"""
import random
import struct
import sys
import time

from nat import *

SOLICIT, ADVERTISE, REQUEST, CONFIRM, RENEW, REBIND, REPLY, RELEASE, DECLINE, RECONFIGURE, INFORMATION = range(1, 12)
KINDS = ("0", "SOLICIT", "ADVERTISE", "REQUEST", "CONFIRM", "RENEW", "REBIND", "REPLY", "RELEASE", "DECLINE", "RECONFIGURE", "INFORMATION")
CLIENT_ID, SERVER_ID, IA_NA, IA_TA, IAADDR, ORO, PREFERENCE, ELAPSED, RELAY_MESSAGE = 1, 2, 3, 4, 5, 6, 7, 8, 9
STATUS, RAPID, DNS, SEARCH, IA_PD, FQDN, NTP = 13, 14, 23, 24, 25, 39, 56
SUCCESS, UNSPEC, NO_ADDRESSES, NO_BINDING, NOT_ON_LINK, USE_MULTICAST, NO_PREFIX = range(7)
ALL_SERVERS = "ff02::1:2"


def link_local(mac):
    raw = mac_bytes(mac)
    return text_ip(bytes.fromhex("fe80000000000000") + bytes([raw[0] ^ 2]) + raw[1:3] + b"\xff\xfe" + raw[3:])


def duid_of(mac):
    return b"\x00\x03\x00\x01" + mac_bytes(mac)


def group_mac(group):
    return "33:33:" + mac_text(raw_ip(group)[12:])


def option6(code, *values):
    raw = b"".join(values)
    return struct.pack("!HH", code, len(raw)) + raw


def oro(*codes):
    return option6(ORO, b"".join(struct.pack("!H", c) for c in codes))


def ia_na(iaid=1, addresses=(), t1=0, t2=0, kind=IA_NA):
    inner = b"".join(option6(IAADDR, raw_ip(a), struct.pack("!II", 0, 0)) for a in addresses)
    return option6(kind, struct.pack("!III", iaid, t1, t2), inner)


def walk(raw, bad):
    """[(code, value)] that fill raw exactly."""
    found = []
    while raw:
        if len(raw) < 4 or len(raw) < 4 + struct.unpack_from("!H", raw, 2)[0]:
            bad("an option is cut off")
        code, size = struct.unpack_from("!HH", raw)
        found.append((code, raw[4:4 + size]))
        raw = raw[4 + size:]
    return found


def names_of(raw):
    """Domain names without compression."""
    names, labels = [], []
    while raw:
        size, raw = raw[0], raw[1:]
        if size > 63:
            sys.exit("FAIL: a compressed or long label in a list of domains")
        if size == 0:
            names.append(".".join(labels))
            labels = []
        else:
            labels.append(raw[:size].decode())
            raw = raw[size:]
    if labels:
        sys.exit("FAIL: a domain without an end")
    return [n for n in names if n]


class Answer6:
    def __init__(self, frame, packet):
        self.frame, self.raw, self.src, self.dst, self.eth_dst = frame, packet.payload, packet.src, packet.dst, mac_text(frame[:6])
        self.kind, self.xid = self.raw[0], int.from_bytes(self.raw[1:4], "big")
        if self.kind not in (ADVERTISE, REPLY):
            self._bad("neither ADVERTISE nor REPLY")
        self.options = walk(self.raw[4:], self._bad)
        self.duid, self.server = self.value(CLIENT_ID), self.value(SERVER_ID)
        self.statuses, self.addresses, self.lifetimes, self.times = [], [], [], None
        self.status = self._status(self.value(STATUS))
        for code, value in self.options:
            if code == IA_NA:
                self.iaid, *self.times = struct.unpack_from("!III", value)
                self._identity(walk(value[12:], self._bad))
        if len([c for c, _ in self.options if c in (CLIENT_ID, SERVER_ID)]) > 2:
            self._bad("identifiers twice")

    def _identity(self, options):
        for code, value in options:
            if code == IAADDR:
                self.addresses.append(text_ip(value[:16]))
                self.lifetimes.append(struct.unpack_from("!II", value, 16))
                for inner, more in walk(value[24:], self._bad):
                    if inner == STATUS:
                        self.statuses.append(self._status(more))
            if code == STATUS:
                self.statuses.append(self._status(value))

    @staticmethod
    def _status(value):
        return None if value is None else struct.unpack_from("!H", value)[0]

    def _bad(self, why):
        sys.exit(f"FAIL: an answer is malformed: {why}: {self.raw.hex(' ')}")

    def value(self, code):
        return next((v for c, v in self.options if c == code), None)

    def dns(self):
        raw = self.value(DNS) or b""
        return [text_ip(raw[at:at + 16]) for at in range(0, len(raw), 16)]

    def __repr__(self):
        return f"<{KINDS[self.kind]} {self.addresses} status {self.status} {self.statuses} to {self.dst}>"


def answer6_of(frame):
    p = parse(frame)
    if p is None or p.proto != UDP or p.sport != 547 or p.dport != 546:
        return None
    return Answer6(frame, p)


class Client6(Asks, Station):
    kinds = KINDS

    def __init__(self, netns, mac=None, server="fd00:a::1"):
        super().__init__(netns)
        self.mac, self.server = mac or self.mac, server
        self.duid = duid_of(self.mac)
        self.informer_mac = f"02:5e:06:00:{random.randrange(256):02x}:{random.randrange(256):02x}"

    def message(self, kind, options=b"", mac=None, duid=None, xid=None, src=None, dst=ALL_SERVERS, eth_dst=None, dport=547, elapsed=True):
        """duid: b"" for none."""
        mac = mac or self.mac
        duid = duid_of(mac) if duid is None else duid
        xid = random.randrange(1, 1 << 24) if xid is None else xid
        body = struct.pack("!I", kind << 24 | xid) + (option6(CLIENT_ID, duid) if duid else b"") + \
            (option6(ELAPSED, b"\0\0") if elapsed else b"") + options
        return self.frame6(udp(src or link_local(mac), 546, dst, dport, body), mac, eth_dst or group_mac(dst))

    @staticmethod
    def frame6(packet, mac, eth_dst):
        return eth(eth_dst, mac, packet, etype=0x86DD)

    def solicit(self, options=None, **fields):
        return self.message(SOLICIT, (ia_na() if options is None else options) + oro(DNS, SEARCH), **fields)

    def request(self, answer, kind=REQUEST, addresses=None, iaid=1, options=b"", **fields):
        server = answer.server if answer else None
        return self.message(kind, (option6(SERVER_ID, server) if server and kind not in (REBIND, CONFIRM) else b"") +
                            ia_na(iaid, answer.addresses if addresses is None else addresses) + options + oro(DNS, SEARCH), **fields)

    def ask(self, frames):
        """Sends; every answer that comes of it: up to that of an INFORMATION-REQUEST, and another one."""
        self.drain()
        for frame in [frames] if isinstance(frames, bytes) else frames:
            self.send(frame)
        return self._until_sentinel() + self._until_sentinel()

    def _until_sentinel(self):
        seen = []

        def has_come():
            xid, mac = random.randrange(1, 1 << 24), self.informer_mac
            self.send(self.message(INFORMATION, oro(DNS), mac=mac, xid=xid))
            end = time.monotonic() + 1
            while (left := end - time.monotonic()) > 0:
                frame = self.receive(left)
                answer = answer6_of(frame) if frame else None
                if answer and answer.xid == xid and answer.eth_dst == mac:
                    return True
                if answer and answer.eth_dst != mac:
                    seen.append(answer)
            return False

        wait_for(8, f"the REPLY to an INFORMATION-REQUEST at {self.netns}", has_come)
        return seen

    def bind(self, iaid=1, **fields):
        offer = self.one(self.solicit(ia_na(iaid), **fields), "ADVERTISE", ADVERTISE)
        return self.one(self.request(offer, iaid=iaid, **fields), "REPLY", REPLY)

    # --- Router advertisements ---

    def solicit_router(self):
        """The next advertisement, asked for as often as it takes."""
        def asked():
            self.drain()
            own = link_local(self.mac)
            self.send(self.frame6(icmp(own, "ff02::2", 133, 0, struct.pack("!I", 0) + b"\1\1" + mac_bytes(self.mac), ttl=255), self.mac, group_mac("ff02::2")))
            end = time.monotonic() + 1
            while (left := end - time.monotonic()) > 0:
                frame = self.receive(left)
                p = parse(frame) if frame else None
                if p and p.proto == ICMP6 and p.kind == 134:
                    return Advertisement(frame, p)
            return None
        return wait_for(8, f"a router advertisement at {self.netns}", asked)


class Advertisement:
    def __init__(self, frame, packet):
        raw = packet.l4
        self.src, self.dst, self.ttl, self.eth_src = packet.src, packet.dst, packet.ttl, mac_text(frame[6:12])
        flags, self.lifetime = raw[5], struct.unpack_from("!H", raw, 6)[0]
        self.managed, self.other = bool(flags & 0x80), bool(flags & 0x40)
        self.prefixes, self.rdnss, self.search, self.mtu, self.link_layer = [], [], [], None, None
        at = 16
        while at < len(raw):
            kind, size = raw[at], raw[at + 1] * 8
            if size == 0 or at + size > len(raw):
                sys.exit(f"FAIL: an option of an advertisement is malformed: {raw.hex(' ')}")
            value = raw[at:at + size]
            if kind == 1:
                self.link_layer = mac_text(value[2:8])
            elif kind == 3:
                valid, preferred = struct.unpack_from("!II", value, 4)
                self.prefixes.append({"prefix": f"{text_ip(value[16:32])}/{value[2]}", "on_link": bool(value[3] & 0x80),
                                      "slaac": bool(value[3] & 0x40), "valid": valid, "preferred": preferred})
            elif kind == 5:
                self.mtu = struct.unpack_from("!I", value, 4)[0]
            elif kind == 25:
                self.rdnss += [text_ip(value[n:n + 16]) for n in range(8, size, 16)]
            elif kind == 31:
                self.search += names_of(value[8:])
            at += size


def leases6(**match):
    return [row for row in vfab("lease", "ls", "-o", "json") if ":" in row["ip"] and all(row.get(k) == v for k, v in match.items())]


def state_of6(address):
    return next((row["state"] for row in vfab("lease", "ls", "-o", "json") if row["ip"] == address), None)
