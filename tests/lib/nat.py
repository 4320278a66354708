# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts inside and outside of a NAT, packets of exact bytes, and what became of them.

The namespaces are those of tests/lib/nat-fabric.sh, muted: their kernel answers ARP and neighbour discovery, all the rest is this
module's.  Whatever a Host receives has right checksums and lengths (UDP: or none), or the test fails.

exchange() is the usual test: packets are sent, after them one of a flow that always passes to each host that is watched; what a host
saw before that last one is all that came.  Nothing sleeps, and "did not arrive" is certain.

    w = World()
    got = w.exchange(w.in1, [udp(w.in1.ip, 5000, w.out1.ip, 53, b"query")], w.out1)
    expect([p.sport for p in got[w.out1]], [...], "one packet at out1")

Addresses are text, of either family; ports are numbers.  The same works with the kernel as the router (KIND=kernel), which is how these
helpers are tested and what the oracle is.
"""
import ipaddress
import random
import subprocess

from frames import *

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
KIND = os.environ.get("KIND", "interface")
BUILD = os.environ["BUILD"]
# What an echo of ours, a sentinel, says; and the port of both of its ends.
SENTINEL, SENTINEL_PORT = b"sentinel", 40000


def raw_ip(text):
    return ipaddress.ip_address(text).packed


def text_ip(raw):
    return str(ipaddress.ip_address(raw))


def is_v6(text):
    return ":" in text


def csum(data, start=0):
    """RFC 1071: 0 over data that holds its own right checksum."""
    if len(data) & 1:
        data += b"\0"
    total = start + sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def l4_csum(src, dst, proto, l4):
    """Of a whole TCP, UDP or ICMPv6 message, or ICMPv4's."""
    if proto == ICMP:
        return csum(l4)
    return csum(raw_ip(src) + raw_ip(dst) + struct.pack("!II", len(l4), proto) + l4)


def put(data, at, fmt, *values):
    size = struct.calcsize(fmt)
    return data[:at] + struct.pack(fmt, *values) + data[at + size:]


# --- Packets: bytes from the IP header on ---

_ident = [random.randrange(1 << 16)]


def ip(src, dst, proto, payload, ttl=64, ident=None, df=True, more=False, offset=0, options=b"", total=None):
    """offset in bytes; IPv6 becomes a fragment by more or offset."""
    if ident is None:
        _ident[0] = ident = (_ident[0] + 1) & 0xFFFF
    if is_v6(src):
        if more or offset:
            payload = struct.pack("!BBHI", proto, 0, offset | more, ident) + payload
            proto = 44
        return struct.pack("!IHBB", 6 << 28, len(payload) if total is None else total, proto, ttl) + raw_ip(src) + raw_ip(dst) + payload
    ihl = 5 + len(options) // 4
    head = struct.pack("!BBHHHBBH", 4 << 4 | ihl, 0, ihl * 4 + len(payload) if total is None else total, ident,
                       (0x4000 if df else 0) | (0x2000 if more else 0) | offset >> 3, ttl, proto, 0)
    head += raw_ip(src) + raw_ip(dst) + options
    return put(head, 10, "!H", csum(head)) + payload


def with_csum(src, dst, proto, l4, at):
    value = l4_csum(src, dst, proto, l4)
    return put(l4, at, "!H", value or (0xFFFF if proto == UDP else 0))


def udp(src, sport, dst, dport, payload=b"data", **more):
    l4 = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload
    return ip(src, dst, UDP, with_csum(src, dst, UDP, l4, 6), **more)


def tcp(src, sport, dst, dport, flags, seq=0, ack=0, payload=b"", options=b"", window=65535, doff=None, urgent=0, **more):
    doff = 5 + len(options) // 4 if doff is None else doff
    l4 = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, doff << 4, flags, window, 0, urgent) + options + payload
    return ip(src, dst, TCP, with_csum(src, dst, TCP, l4, 16), **more)


def icmp(src, dst, kind, code, rest=b"", **more):
    """Message with the four bytes after the checksum and the body in rest."""
    proto = ICMP6 if is_v6(src) else ICMP
    return ip(src, dst, proto, with_csum(src, dst, proto, struct.pack("!BBH", kind, code, 0) + rest, 2), **more)


def echo(src, dst, ident, seq=1, payload=b"ping data", reply=False, **more):
    kind = (129 if reply else 128) if is_v6(src) else 0 if reply else 8
    return icmp(src, dst, kind, 0, struct.pack("!HH", ident, seq) + payload, **more)


def icmp_error(src, dst, kind, code, inner, rest=0, **more):
    return icmp(src, dst, kind, code, struct.pack("!I", rest) + inner, **more)


class Packet:
    """What a frame holds: fields by name, None where there are none.  `l4` is the bytes after the IP headers, `raw` all from the IP header
    on without padding."""

    def __init__(self, data, is_inner=False):
        self.sport = self.dport = self.flags = self.seq = self.ack = self.kind = self.code = self.ident = self.window = None
        self.payload, self.inner = b"", None
        if data[0] >> 4 == 4:
            self._parse4(data, is_inner)
        else:
            self._parse6(data)
        self.is_fragment = self.more or self.offset > 0
        if self.offset == 0:
            self._parse_l4(is_inner)

    def _parse4(self, data, is_inner):
        ihl = (data[0] & 15) * 4
        total, self.id, frag = struct.unpack_from("!HHH", data, 2)
        self.tos, self.ttl, self.proto = data[1], data[8], data[9]
        self.df, self.more, self.offset = bool(frag & 0x4000), bool(frag & 0x2000), (frag & 0x1FFF) * 8
        self.src, self.dst, self.options = text_ip(data[12:16]), text_ip(data[16:20]), data[20:ihl]
        self.l3_good = csum(data[:ihl]) == 0
        if not is_inner and (total > len(data) or not self.l3_good):
            raise ValueError(f"bad IPv4 header: {data[:ihl].hex(' ')}, {len(data)} bytes")
        self.raw = data[:total]
        self.l4 = self.raw[ihl:]

    def _parse6(self, data):
        length, self.proto, self.ttl = struct.unpack_from("!HBB", data, 4)
        self.src, self.dst, self.options, self.tos = text_ip(data[8:24]), text_ip(data[24:40]), b"", 0
        self.df, self.more, self.offset, self.id, self.l3_good = True, False, 0, 0, True
        self.raw = data[:40 + length]
        self.l4 = self.raw[40:]
        if self.proto == 44 and len(self.l4) >= 8:
            self.proto, _, frag, self.id = struct.unpack_from("!BBHI", self.l4)
            self.more, self.offset = bool(frag & 1), frag & 0xFFF8
            self.l4 = self.l4[8:]

    def _parse_l4(self, is_inner):
        l4 = self.l4
        if not is_inner and not self.more:
            zero = self.proto == UDP and l4[6:8] == b"\0\0"
            if self.proto in (TCP, UDP, ICMP, ICMP6) and not zero and l4_csum(self.src, self.dst, self.proto, l4):
                raise ValueError(f"bad L4 checksum: {self.raw.hex(' ')}")
        if self.proto == UDP and len(l4) >= 8:
            self.sport, self.dport = struct.unpack_from("!HH", l4)
            self.payload = l4[8:]
        elif self.proto == TCP and len(l4) >= 8:
            self.sport, self.dport, self.seq = struct.unpack_from("!HHI", l4)
            if len(l4) >= 20:
                self.ack, doff, self.flags, self.window = struct.unpack_from("!IBBH", l4, 8)
                self.tcp_options, self.payload = l4[20:(doff >> 4) * 4], l4[(doff >> 4) * 4:]
        elif self.proto in (ICMP, ICMP6) and len(l4) >= 8:
            self.kind, self.code = l4[0], l4[1]
            self.ident, self.sequence = struct.unpack_from("!HH", l4, 4)
            self.payload = l4[8:]
            if self.is_error and len(self.payload) >= 20:
                self.inner = Packet(self.payload, True)

    @property
    def is_error(self):
        return self.kind is not None and (self.kind in (3, 4, 5, 11, 12) if self.proto == ICMP else self.kind < 128)

    @property
    def source(self):
        """(address, port or identifier): of what came through the NAT, its outside end."""
        return self.src, self.ident if self.proto in (ICMP, ICMP6) else self.sport

    def __repr__(self):
        what = {TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMP6: "icmp6"}.get(self.proto, self.proto)
        more = f" type {self.kind} code {self.code}" if self.kind is not None else ""
        more += f" flags {self.flags:#x}" if self.flags is not None else ""
        more += f" offset {self.offset} more {self.more}" if self.is_fragment else ""
        more += f" of <{self.inner}>" if self.inner else ""
        return f"{what} {self.src}:{self.sport} > {self.dst}:{self.dport}{more} ttl {self.ttl} {self.payload[:24]!r}"


def is_noise(p):
    """What kernels say by themselves: neighbour discovery, MLD, DHCP, and anything to a group."""
    return p.proto == ICMP6 and p.kind in (130, 131, 132, 133, 134, 135, 136, 143) or p.proto in (0, 2) or \
        ipaddress.ip_address(p.dst).is_multicast or p.dst == "255.255.255.255"


# --- Hosts ---

class Host(Station):
    """A station with an address of each family, and a router for all others."""

    def __init__(self, netns, addresses, routers, ifname="eth0", port=None):
        super().__init__(netns, ifname, port)
        self.ip, self.ip6 = addresses
        self.routers = {False: routers[0], True: routers[1]}
        self.macs = {}

    def mac_of(self, address):
        """Asked as often as it takes, by ARP or neighbour discovery of our own."""
        if address not in self.macs:
            self.macs[address] = wait_for(8, f"an answer at {self.netns} where {address} is", lambda: self._ask(address))
        return self.macs[address]

    def _ask(self, address):
        if is_v6(address):
            group = "ff02::1:ff" + ipaddress.ip_address(address).exploded[-7:]
            body = struct.pack("!I", 0) + raw_ip(address) + b"\1\1" + mac_bytes(self.mac)
            packet = icmp(self.ip6, group, 135, 0, body, ttl=255)
            self.send(eth("33:33:" + mac_text(raw_ip(group)[12:]), self.mac, packet, etype=0x86DD))
        else:
            self.send(self.arp(1, address))
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            frame = self.receive(0.1)
            if frame is None:
                continue
            etype = frame[12:14]
            if etype == b"\x08\x06" and frame[20:22] == b"\0\2" and frame[28:32] == raw_ip(address)[:4] and not is_v6(address):
                return mac_text(frame[22:28])
            if etype == b"\x86\xdd" and frame[20] == ICMP6 and frame[54] == 136 and frame[62:78] == raw_ip(address):
                return mac_text(frame[6:12])
        return None

    def arp(self, op, target, sender=None, mac=None, dst=BROADCAST, target_mac="00:00:00:00:00:00"):
        body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, op) + mac_bytes(mac or self.mac) + raw_ip(sender or self.ip) + \
            mac_bytes(target_mac) + raw_ip(target)
        return eth(dst, self.mac, body, etype=0x0806)

    def frame(self, packet, dst=None, pad=True):
        """A packet as it goes to the router, or to that MAC."""
        v6 = packet[0] >> 4 == 6
        return eth(dst or self.mac_of(self.routers[v6]), self.mac, packet, etype=0x86DD if v6 else 0x0800, pad=pad)

    def send_ip(self, packet, dst=None):
        self.send(self.frame(packet, dst))

    def packets(self):
        """Every IP packet that is there, but for noise."""
        return [p for p in map(parse, self.drain()) if p and not is_noise(p)]

    def wait_packet(self, what, match, seconds=5):
        """The next one that matches; others are forgotten."""
        end = time.monotonic() + seconds * SLOW
        while time.monotonic() < end:
            frame = self.receive(0.1)
            p = parse(frame) if frame else None
            if p and not is_noise(p) and match(p):
                return p
        sys.exit(f"FAIL: {what} never reached {self.netns}")


# Set by a test that sends lies: what has a wrong sum then is not seen.
lenient = []


def parse(frame):
    if frame[12:14] not in (b"\x08\x00", b"\x86\xdd"):
        return None
    try:
        return Packet(frame[14:])
    except (ValueError, struct.error, IndexError):
        if lenient:
            return None
        raise


class World:
    """in1, in2, out1 (which also has the address `also`) and out2; the flows between them that always pass."""

    def __init__(self, *names, v6=False):
        table = {
            "in1": (("10.0.0.11", "fd00:10::11"), ("10.0.0.1", "fd00:10::1")),
            "in2": (("10.0.0.12", "fd00:10::12"), ("10.0.0.1", "fd00:10::1")),
            "out1": (("198.51.100.10", "2001:db8:51::10"), ("198.51.100.1", "2001:db8:51::1")),
            "out2": (("198.51.100.20", "2001:db8:51::20"), ("198.51.100.1", "2001:db8:51::1")),
        }
        self.v6 = v6
        self.also = "2001:db8:51::11" if v6 else "198.51.100.11"
        self.public = "2001:db8:51::1" if v6 else "198.51.100.1"
        self.gateway = "fd00:10::1" if v6 else "10.0.0.1"
        self.hosts = [Host(name, *table[name]) for name in names or table]
        for host in self.hosts:
            if v6:
                host.ip = host.ip6
            setattr(self, host.netns, host)
        self.serial = 0
        self.back = {}  # (outside, inside): the outside end of the sentinel flow

    def _sentinel(self, sender, receiver):
        self.serial += 1
        text = b"%s %s %d" % (SENTINEL, sender.netns.encode(), self.serial)
        outwards, inwards = sender.netns.startswith("in"), receiver.netns.startswith("in")
        if sender is receiver:
            sender.send_ip(echo(sender.ip, self.gateway if outwards else self.public, 9, self.serial & 0xFFFF, text))
        elif outwards == inwards:
            sender.send(eth(receiver.mac, sender.mac, text))
        elif outwards:
            sender.send_ip(udp(sender.ip, SENTINEL_PORT, receiver.ip, SENTINEL_PORT, text))
        else:
            address, port = self.back_end(sender, receiver)
            sender.send_ip(udp(sender.ip, SENTINEL_PORT, address, port, text))
        return text

    def back_end(self, outside, inside):
        """The outside end of the inside host's sentinel mapping; the flow exists after this."""
        if (outside, inside) not in self.back:
            self.collect(inside, outside)
        return self.back[outside, inside]

    def refresh(self):
        """After time has passed, or sessions were flushed: the flows are begun anew."""
        known, self.back = list(self.back), {}
        for outside, inside in known:
            self.back_end(outside, inside)

    def collect(self, sender, receiver):
        """What the receiver has seen when the sender's sentinels have come: two of them, one after the other, for what the gateway itself
        says, or had kept, leaves after the frames of the same vector."""
        return self._collect(sender, receiver) + self._collect(sender, receiver)

    def _collect(self, sender, receiver):
        seen = []

        def has_come():
            text = self._sentinel(sender, receiver)
            end = time.monotonic() + 0.5
            while (left := end - time.monotonic()) > 0:
                frame = receiver.receive(left)
                if frame is None:
                    continue
                if frame[12:14] == struct.pack("!H", ETYPE_TEST) and frame[14:14 + len(text)] == text:
                    return True
                p = parse(frame)
                if p is None or is_noise(p):
                    continue
                if p.payload.startswith(SENTINEL) and p.kind not in (8, 128):
                    if sender.netns.startswith("in") and not receiver.netns.startswith("in"):
                        self.back[receiver, sender] = p.source
                    if p.payload == text:
                        return True
                elif not p.payload.startswith(SENTINEL) and not (p.inner and SENTINEL in p.inner.payload):
                    seen.append(p)
            return False

        wait_for(8, f"a sentinel from {sender.netns} at {receiver.netns}", has_come)
        return seen

    def exchange(self, sender, packets, *watched):
        """Sends; {host: [Packet, ...]} of those that are watched."""
        for host in watched:
            if host is not sender:
                self.collect(sender, host)
            host.drain()
        for packet in [packets] if isinstance(packets, bytes) else packets:
            sender.send_ip(packet)
        return {host: self.collect(sender, host) for host in watched}

    def one(self, sender, packet, receiver, what):
        """Sends a packet of which exactly one must arrive there; it."""
        got = self.exchange(sender, packet, receiver)[receiver]
        if len(got) != 1:
            sys.exit(f"FAIL: {what}: one packet at {receiver.netns} expected, got {got}")
        return got[0]

    def none(self, sender, packet, receiver, what):
        expect(self.exchange(sender, packet, receiver)[receiver], [], what)

    def prime(self, *addresses):
        """The NAT knows where these further addresses of out1 are: what is sent to them waits for nobody."""
        for address in addresses:
            def has_come():
                self.in1.send_ip(echo(self.in1.ip, address, 8, 1, SENTINEL))
                return any(p.dst == address for p in self._seen(self.out1, 0.3))
            wait_for(8, f"a first packet to {address}", has_come)

    @staticmethod
    def _seen(host, seconds):
        frame = host.receive(seconds)
        frames = ([frame] if frame else []) + host.drain()
        return [p for p in map(parse, frames) if p]


class Tcp:
    """One TCP connection from an inside host, its packets made by hand.  Afterwards `outside` is (address, port) that the server
    sees, and both sequence numbers are those of the next byte."""

    def __init__(self, world, inside, sport, outside, dport, remote=None):
        self.w, self.inside, self.sport, self.server, self.dport = world, inside, sport, outside, dport
        self.remote = remote or outside.ip
        self.seq, self.ack = random.randrange(1 << 32), random.randrange(1 << 32)
        self.end = None

    def out(self, flags, payload=b"", **more):
        """From the inside; (packet, what came), sequence numbers as they are."""
        more = {"seq": self.seq, "ack": self.ack if flags & ACK else 0, **more}
        p = tcp(self.inside.ip, self.sport, self.remote, self.dport, flags, payload=payload, **more)
        return self.w.exchange(self.inside, p, self.server)[self.server]

    def back(self, flags, payload=b"", **more):
        more = {"seq": self.ack, "ack": self.seq if flags & ACK else 0, **more}
        p = tcp(self.remote, self.dport, self.end[0], self.end[1], flags, payload=payload, **more)
        return self.w.exchange(self.server, p, self.inside)[self.inside]

    def open(self):
        got = self.out(SYN, ack=0)
        if len(got) != 1:
            sys.exit(f"FAIL: a SYN from {self.inside.netns}:{self.sport}: one at {self.server.netns} expected, got {got}")
        self.end = got[0].source
        self.seq += 1
        if len(self.back(SYN | ACK)) != 1:
            sys.exit("FAIL: the SYN-ACK did not arrive")
        self.ack += 1
        if len(self.out(ACK)) != 1:
            sys.exit("FAIL: the ACK did not arrive")
        return self

    def lives(self):
        """Data passes both ways, acknowledged."""
        if len(self.out(PSH | ACK, b"1234")) != 1:
            return False
        self.seq += 4
        if len(self.back(PSH | ACK, b"5678")) != 1:
            return False
        self.ack += 4
        return len(self.out(ACK)) == 1


# --- The switch ---

def vfab(*args):
    """The command; what it says with -o json, else {}; None when it failed."""
    done = subprocess.run([f"{BUILD}/vfab", "-s", SOCKET, *args], capture_output=True, timeout=20 * SLOW)
    if done.returncode:
        return None
    return json.loads(done.stdout) if "json" in args else {}


def sessions(**match):
    """Rows of `vfab nat ls` with these values."""
    return [s for s in vfab("nat", "ls", "-o", "json") if all(s[k] == v for k, v in match.items())]


def has_clock():
    """Whether this build can be told that time has passed."""
    return vfab("debug", "clock", "advance", "1ms") is not None


def advance(seconds):
    if vfab("debug", "clock", "advance", f"{seconds}s") is None:
        sys.exit("FAIL: debug clock advance")


def drops(reason):
    """Of all ports."""
    return sum(row["frames"] for row in ctl("drops") if row["reason"] == reason)


def expect_drops(reason, before, count, what):
    """So many more than there were; a frame is counted a moment after others of its vector have left."""
    end = time.monotonic() + 2 * SLOW
    while drops(reason) - before < count and time.monotonic() < end:
        time.sleep(0.01)
    expect(drops(reason) - before, count, what)


def both_families(test):
    """test(World) once for each."""
    for v6 in (False, True):
        print(f"-- {'IPv6' if v6 else 'IPv4'}")
        test(World(v6=v6))


class Asks:
    """Of a client that has ask(); kinds are the words of its messages."""

    def one(self, frame, what, kind=None):
        """Exactly one answer must come; it."""
        got = self.ask(frame)
        if len(got) != 1 or kind and got[0].kind != kind:
            sys.exit(f"FAIL: {what}: one {self.kinds[kind] if kind else 'answer'} expected, got {got}")
        return got[0]

    def none(self, frame, what):
        expect(self.ask(frame), [], what)
