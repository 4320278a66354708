#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a DHCPv4 server says to whom, message by message: D02 reply addressing, D03 to D06 the ways of REQUEST, D07 DECLINE and RELEASE,
# D08 INFORM, D09 and D10 client identifiers, D12 options, D17 spoofed ones, D20 and M10 malformed ones.
#
#   c1, c2 (by hand) -- office 10.10.0.0/24 -- [ vfabd ]
#
# RFC 2131 4.1, 4.3; RFC 2132; RFC 3396; RFC 4361; RFC 6842
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/dhcp-fabric.sh"

LEGS=office
OFFICE='per-port: 50, options: {ntp: 10.10.0.7, search: "a.example,b.example", 150: "hex:0a0a0009",
  224: "text:'$(printf 'x%.0s' {1..180})'", 225: "text:'$(printf 'y%.0s' {1..120})'"}'
NETWORK_KEYS="domain: office.example, mtu: 1400"
dhcp_fabric c1:office c2:office
mute c1 c2
before=$(switch_pid)

dhcp_py <<'PY'
from dhcp import *

a, b = Client("c1"), Client("c2")
pool = [f"10.10.0.{n}" for n in range(100, 200)]
fresh = iter(macs(1000))


def client():
    """A client that nobody has seen, of c1."""
    return next(fresh)


print("-- a lease")
offer = a.one(a.discover(), "DISCOVER", OFFER)
expect(offer.yiaddr in pool, True, f"an address of the range: {offer.yiaddr}")
expect(state_of(offer.yiaddr), "offered", "which is offered")
ack = a.one(a.select(offer), "REQUEST", ACK)
expect((ack.yiaddr, ack.ip(SERVER_ID), ack.xid, ack.chaddr), (offer.yiaddr, "10.10.0.1", offer.xid, a.mac), "ACK of the same")
expect((ack.ip(MASK), ack.ip(ROUTER), ack.ip(DNS), ack.number(MTU), ack.text(DOMAIN)),
       ("255.255.255.0", "10.10.0.1", "10.10.0.1", 1400, "office.example"), "mask, router, DNS, MTU, domain")
expect((ack.number(LEASE_TIME), ack.number(T1), ack.number(T2)), (3600, 1800, 3150), "lease, T1, T2")
row = lease_of(ack.yiaddr)
expect((row["network"], row["mac"], row["state"]), ("office", a.mac, "bound"), "lease ls")
expect(3590 <= row["expires_s"] <= 3600, True, f"its end: {row['expires_s']}")
expect(a.one(a.discover(), "DISCOVER again", OFFER).yiaddr, ack.yiaddr, "a client that has a lease is offered it")
expect(state_of(ack.yiaddr), "bound", "and keeps it")
mine = ack.yiaddr

print("-- D02")
m = client()
for flags, want in ((B_FLAG, (BROADCAST, ALL)), (0, None)):
    offer = a.one(a.discover(mac=m, flags=flags), "D02 OFFER", OFFER)
    expect((offer.eth_dst, offer.dst), want or (m, offer.yiaddr), f"D02: OFFER, flags {flags:#x}")
    ack = a.one(a.select(offer, flags=flags), "D02 ACK", ACK)
    expect((ack.eth_dst, ack.dst, ack.dport, ack.flags), (want or (m, ack.yiaddr)) + (68, flags), f"D02: ACK, flags {flags:#x}")
    expect((ack.eth_src, ack.src), ("02:76:66:00:00:0a", "10.10.0.1"), "D02: from the gateway")
for flags in 0, B_FLAG:
    got = a.one(a.renew(mine, flags=flags), "D02 RENEW", ACK)
    expect((got.eth_dst, got.dst, got.ciaddr), (a.mac, mine, mine), f"D02: to ciaddr where it is set, flags {flags:#x}")

print("-- D03")
m = client()
offer = a.one(a.discover(mac=m), "D03 OFFER", OFFER)
a.none(a.select(offer, server="10.10.0.66"), "D03: silence when another server is chosen")
expect(state_of(offer.yiaddr), None, "D03: the address is free again")
n = client()
expect(a.one(a.discover(option(REQUESTED, offer.yiaddr), mac=n), "D03", OFFER).yiaddr, offer.yiaddr, "D03: and is offered to the next who asks for it")

print("-- D04")
expect(a.one(a.reboot(mine), "D04", ACK).yiaddr, mine, "D04: INIT-REBOOT of a known client")
other = next(p for p in pool if p != mine and not lease_of(p))
for address, what in (("192.168.77.5", "of a wrong network"), (other, "with a wrong address")):
    nak = a.one(a.reboot(address), f"D04 {what}", NAK)
    expect((nak.eth_dst, nak.dst, nak.yiaddr, nak.ciaddr, nak.siaddr), (BROADCAST, ALL, ANY, ANY, ANY), f"D04: NAK {what} to all, yiaddr 0")
    expect(set(nak.options) - {KIND_OPTION, SERVER_ID, MESSAGE, CLIENT_ID, VENDOR, RELAY}, set(), "RFC 2131 table 3: options of a NAK")
a.none(a.reboot(other, mac=client()), "D04: silence for an unknown client")
expect(state_of(mine), "bound", "D04: the lease stands")

print("-- D05, D06")
before = lease_of(mine)["expires_s"]
expect(a.one(a.renew(mine), "D05", ACK).number(LEASE_TIME), 3600, "D05: RENEW")
expect(a.one(a.rebind(mine), "D05", ACK).yiaddr, mine, "D05: REBIND")
expect(lease_of(mine)["expires_s"] >= before, True, "D05: extended")
theirs = b.bind().yiaddr
for make, what in ((a.renew, "RENEW"), (a.rebind, "REBIND")):
    nak = a.one(make(theirs), f"D05 {what}", NAK)
    expect((nak.yiaddr, nak.dst), (ANY, ALL), f"D05: {what} of another's address: NAK")
expect(lease_of(theirs)["mac"], b.mac, "D05: whose it stays")
nak = a.one(a.rebind("172.16.9.9"), "D06", NAK)
expect((nak.eth_dst, nak.dst, nak.yiaddr), (BROADCAST, ALL, ANY), "D06: a foreign address: NAK to 255.255.255.255")

print("-- D07")
victim = Client("c1", mac=client(), client_id=b"\x01victim")
held = victim.bind().yiaddr
for what, frame in (("a wrong chaddr", victim.release(held, mac=client())),
                    ("a wrong client-id", victim.release(held, client_id=b"\x01other")),
                    ("no client-id", victim.release(held, client_id=b"")),
                    ("no server-id", victim.release(held, options=b"")),
                    ("another's server-id", victim.release(held, options=option(SERVER_ID, "10.10.0.66"))),
                    ("no ciaddr", victim.release(ANY, src=held))):
    victim.none(frame, f"RELEASE with {what}")
    expect(state_of(held), "bound", f"D07: RELEASE with {what} does nothing")
for what, frame in (("a wrong chaddr", victim.decline(held, mac=client())),
                    ("a wrong client-id", victim.decline(held, client_id=b"\x01other")),
                    ("no server-id", victim.decline(held, options=option(REQUESTED, held))),
                    ("no requested address", victim.decline(held, options=option(SERVER_ID, "10.10.0.1"))),
                    ("another address", victim.decline(theirs))):
    victim.none(frame, f"DECLINE with {what}")
    expect((state_of(held), state_of(theirs)), ("bound", "bound"), f"D07: DECLINE with {what} does nothing")
victim.none(victim.release(held), "RELEASE")
expect(state_of(held) in (None, "past"), True, "D07: the right RELEASE frees it")
expect(victim.bind().yiaddr, held, "D13: and who comes back has it again")
victim.none(victim.decline(held), "DECLINE")
expect(state_of(held), "declined", "D07: the right DECLINE puts it into quarantine")
for who in (victim, a):
    m = client()
    got = who.one(who.discover(option(REQUESTED, held), mac=m, client_id=b"\x01" + mac_bytes(m)), "after DECLINE", OFFER)
    expect(got.yiaddr != held, True, "D07: a declined address is not offered, though asked for")
again = victim.bind().yiaddr
expect(again != held, True, "D07: nor to him")

print("-- D08")
ack = a.one(a.inform("10.10.0.77", option(WANTED, DNS, DOMAIN)), "D08", ACK)
expect((ack.dst, ack.eth_dst, ack.yiaddr, ack.ciaddr), ("10.10.0.77", a.mac, ANY, "10.10.0.77"), "D08: to ciaddr, no yiaddr")
expect((ack.ip(DNS), [c for c in (LEASE_TIME, T1, T2) if c in ack.options]), ("10.10.0.1", []), "D08: configuration, no times")
expect(state_of("10.10.0.77"), None, "D08: no lease comes of it")
a.one(a.inform("10.10.0.77", dst=ALL), "D08: INFORM to all", ACK)

print("-- D09, D10")
m = client()
duid = b"\xff" + struct.pack("!I", 7) + b"\x00\x02" + b"\x00\x00\x9d\x10" + os.urandom(8)
ids = (b"\x01" + mac_bytes(m), duid, b"\x00opaque\xff\x00")
held = [a.bind(mac=m, client_id=i).yiaddr for i in ids]
expect(len(set(held)), 3, "D09: three client-ids of one chaddr, three addresses")
expect(a.bind(mac=client(), client_id=duid).yiaddr, held[1], "D09: one client-id of another chaddr, the same address")
expect(a.bind(mac=m, client_id=b"").yiaddr not in held, True, "D09: without client-id the chaddr is another client")
for i in ids:
    offer = a.one(a.discover(mac=m, client_id=i), "D10", OFFER)
    ack = a.one(a.select(offer, client_id=i), "D10", ACK)
    nak = a.one(a.reboot("192.168.77.5", mac=m, client_id=i), "D10", NAK)
    expect([x.options.get(CLIENT_ID) for x in (offer, ack, nak)], [i] * 3, f"D10: OFFER, ACK, NAK echo {i[:4]!r}...")
offer = a.one(a.discover(), "D10", OFFER)
expect(CLIENT_ID in offer.options or CLIENT_ID in a.one(a.select(offer), "D10", ACK).options, False, "D10: none without one")

print("-- reservations")
got = a.bind(mac="02:00:00:00:00:0a")
expect(got.yiaddr, "10.10.0.10", "by MAC")
expect(a.bind(client_id=b"\x01\x02\x03").yiaddr, "10.10.0.11", "by client-id")
m = client()
expect(a.one(a.discover(option(REQUESTED, "10.10.0.10"), mac=m), "another's reservation", OFFER).yiaddr in pool, True, "a reserved address is nobody else's")
a.one(a.reboot("10.10.0.10"), "INIT-REBOOT for a reserved one", NAK)

print("-- D12")
many = bytes([WANTED, 12, MASK, 150, SEARCH, NTP, DOMAIN, DNS, ROUTER, MTU, LEASE_TIME, 224, 225, T1])
# Not the times and what else every answer has: these come first.
order = [c for c in many[2:] if c not in (LEASE_TIME, T1)]
m = client()
got = a.one(a.message(DISCOVER, many + option(MAX_SIZE, b"\x05\xdc"), mac=m), "D12", OFFER)
seen = [c for c in got.order if c in order]
expect(seen, [c for c in order if c in seen], "D12: options come in the order of option 55")
expect([c for c in order if c not in seen], [], "D12: and all of them where there is room")
expect((got.options.get(150), got.ip(NTP)), (b"\x0a\x0a\x00\x09", "10.10.0.7"), "D12: what the file says")
for size, most in ((None, 576), (576, 576), (300, 576), (0, 576), (700, 700), (1472, 1472)):
    got = a.one(a.message(DISCOVER, many + (option(MAX_SIZE, struct.pack("!H", size)) if size is not None else b""), mac=m), "D12", OFFER)
    expect(len(got.packet.raw) <= most, True, f"D12: option 57 {size}: {len(got.packet.raw)} bytes of IP, options {got.order}, overload {got.overload}")
    expect({MASK, ROUTER, DNS, LEASE_TIME, SERVER_ID} <= set(got.options), True, "D12: what a client needs is there")
# What the client overloads is read: its list in file, its address in sname.
want = next(p for p in pool if not lease_of(p))
m = client()
got = a.one(a.message(DISCOVER, option(OVERLOAD, 3), mac=m, file=option(WANTED, MASK, NTP) + END, sname=option(REQUESTED, want) + END), "D12", OFFER)
expect((got.yiaddr, NTP in got.options), (want, True), "D12: option 52 is read")
# RFC 3396: an option in two parts is one.
m = client()
long_id = b"\x00" + bytes(range(1, 200))
got = a.one(a.discover(option(CLIENT_ID, long_id[:90]) + option(HOSTNAME, "split") + option(CLIENT_ID, long_id[90:]), mac=m), "D12", OFFER)
expect(got.options.get(CLIENT_ID), long_id, "D12: an option in two parts is put together")
got = a.one(a.discover(option(230, b"unknown") + b"\0\0\0" + option(77, b"class") + option(175, b"\xb0\x01\x01"), mac=client()), "D12", OFFER)
expect(bool({230, 77, 175} & set(got.options)), False, "D12: unknown options are not answered")

print("-- D17")
held = b.bind().yiaddr
spoofed = vfab("lease", "stats", "-o", "json")["dhcp"]["spoofed"]
for what, frame in (("RELEASE", a.release(held, mac=b.mac)), ("DECLINE", a.decline(held, mac=b.mac)),
                    ("RELEASE with another sender", a.release(held, mac=b.mac, eth_src=a.mac)),
                    ("DECLINE with another sender", a.decline(held, mac=b.mac, eth_src=a.mac))):
    a.none(frame, what)
    expect(state_of(held), "bound", f"D17: {what} for another port's lease does nothing")
m = client()
a.none(a.discover(mac=m, eth_src=a.mac), "D17: chaddr that is not the sender's: silence")
expect(leases(mac=m), [], "D17: and no lease")
expect(vfab("lease", "stats", "-o", "json")["dhcp"]["spoofed"] - spoofed, 5, "D17: each is counted")
# b is learned where it is again.
b.one(b.renew(held), "D17: the owner renews", ACK)
save(os.environ["T"] + "/answers.pcap")
PY

expect_eq "D12: what tshark has to say of $(tshark -r "$T/answers.pcap" 2>/dev/null | wc -l) answers" \
	"$(tshark -r "$T/answers.pcap" -Y '_ws.expert.severity >= "Warning" || _ws.malformed' 2>/dev/null | head)" ""

dhcp_py <<'PY'
from dhcp import *

a = Client("c1")
fresh = iter(macs(1000, 5000))


def lives(what):
    """Every answer until now was well formed (dhcp.py), and there is one more."""
    a.one(a.discover(), f"alive after {what}", OFFER)
    print(f"ok: alive after {what}")


print("-- M10")
whole = bootp(DISCOVER, next(fresh), options=option(HOSTNAME, "guest") + option(WANTED, MASK, ROUTER))
a.ask([a.frame(whole[:n], eth_src=mac_text(whole[28:34])) for n in range(0, 301)])
lives("every length up to 300")


def say(options=b"", mac=None, **fields):
    mac = mac or next(fresh)
    return a.frame(bootp(fields.pop("kind", DISCOVER), mac, xid=1, options=options, **fields), eth_src=mac)


silent = [
    ("no cookie", say(cookie=b"")), ("a wrong cookie", say(cookie=b"\x63\x82\x53\x64")), ("op 2", say(op=2)), ("op 0", say(op=0)),
    ("no option 53", say(kind=None)), ("option 53 of two bytes", say(b"\x35\x02\x01\x01", kind=None)), ("option 53 empty", say(b"\x35\x00", kind=None)),
    ("type 0", say(option(KIND_OPTION, 0), kind=None)), ("type 99", say(option(KIND_OPTION, 99), kind=None)),
    ("a server's OFFER", say(kind=OFFER)), ("a server's ACK", say(kind=ACK)), ("a server's NAK", say(kind=NAK)),
]
for what, frame in silent:
    a.none(frame, f"M10: {what}: silence")
chaos = [
    ("hlen 255", say(hlen=255)), ("hlen 0", say(hlen=0)), ("hlen 17", say(hlen=17)), ("htype 6", say(htype=6)), ("hops 255", say(hops=255)),
    ("an option past the end", say(b"\x0c\xff" + b"x" * 20, end=b"", size=0)), ("option code alone", say(b"\x0c", end=b"", size=0)),
    ("no END", say(option(HOSTNAME, "x"), end=b"", size=0)), ("no END but pads", say(end=b"")),
    ("option 52 that names itself", say(option(OVERLOAD, 3), file=option(OVERLOAD, 3) + END, sname=option(OVERLOAD, 3) + END)),
    ("option 52 without END", say(option(OVERLOAD, 3), file=b"\x0c\x7f" + b"y" * 126, sname=b"\x0c\x3e" + b"z" * 62)),
    ("option 52 past its field", say(option(OVERLOAD, 3), file=b"\x0c\xff" + b"y" * 126, sname=b"\x0c\xff" + b"z" * 62)),
    ("option 52 of 0, 4, 255", [say(option(OVERLOAD, n)) for n in (0, 4, 255)]), ("option 52 empty", say(option(OVERLOAD))),
    ("option 52 twice", say(option(OVERLOAD, 1) + option(OVERLOAD, 2))),
    ("empty options", say(b"".join(bytes([c, 0]) for c in range(1, 255) if c != KIND_OPTION), size=0)),
    ("five hundred options", say(option(55) * 250 + option(61) * 250, size=0)), ("pads alone", say(b"\0" * 1100, size=0)),
    ("option 82 in itself", say(option(RELAY, option(1, option(RELAY, option(1, b"x")))))),
    ("option 82 that is cut", say(option(RELAY, b"\x01\xff\x00"))), ("option 82 empty", say(option(RELAY))),
    ("client-id empty", say(option(CLIENT_ID))), ("client-id of a byte", say(option(CLIENT_ID, 0))),
    ("client-id of 510 bytes", say(option(CLIENT_ID, b"a" * 255) * 2)), ("option 55 of 255", say(option(WANTED, bytes(range(255))))),
    ("option 57 of one byte", say(option(MAX_SIZE, 1))), ("option 57 of 65535", say(option(MAX_SIZE, b"\xff\xff") + option(WANTED, bytes(range(255))))),
    ("option 50 of three bytes", say(option(REQUESTED, b"\1\2\3"))), ("option 50 of five", say(option(REQUESTED, b"\x0a\x0a\0\x64\1"))),
    ("option 50: 0, 255.255.255.255, ours, the network's", [say(option(REQUESTED, x)) for x in (ANY, ALL, "10.10.0.1", "10.10.0.0", "10.10.0.255", "127.0.0.1")]),
    ("REQUEST with nothing", say(kind=REQUEST)), ("REQUEST with option 54 short", say(option(SERVER_ID, b"\x0a\x0a"), kind=REQUEST)),
    ("RELEASE with nothing", say(kind=RELEASE)), ("DECLINE of 0", say(option(REQUESTED, ANY) + option(SERVER_ID, "10.10.0.1"), kind=DECLINE)),
    ("INFORM without an address", say(kind=INFORM)), ("chaddr of a group", say(mac="03:00:00:00:00:01")), ("chaddr 0", say(mac="00:00:00:00:00:00")),
]
for what, frame in chaos:
    a.ask(frame)
    lives(what)
print("-- D20")
names = [b"", b"\0", b"x", b"-", b".", b"..", b"a" * 63, b"b" * 64, b"c" * 255, b"a.b.c", b"\xff\xfe\x00\x01", b"%n%s", b"../../x", b'"],[', b"host\nname",
         b"localhost", b"gateway", b"web"]
for name in names:
    for options in option(HOSTNAME, name), option(FQDN, b"\x00\x00\x00" + name[:252]), option(FQDN, b"\x04\x00\x00" + bytes([len(name) & 63]) + name[:200]):
        m = next(fresh)
        got = a.ask(a.discover(options, mac=m))
        if got:
            got = a.ask(a.select(got[0], options))
            # The share of a port is not for names.
            a.ask(a.release(got[0].yiaddr, mac=m))
for options in (option(HOSTNAME, b"d" * 200) * 2, option(FQDN), option(FQDN, b"\1"), option(FQDN, b"\1\0\0") * 90, option(FQDN, b"\x04\0\0\xc0\x00"),
                option(FQDN, b"\x04\0\0\xff" + b"e" * 100)):
    a.ask(a.discover(options, mac=next(fresh)))
lives("names of every kind")
for frame in [a.frame(whole, dst=d, eth_src=mac_text(whole[28:34])) for d in ("10.10.0.255", "10.10.0.2", "224.0.0.1", "127.0.0.1", "8.8.8.8")]:
    a.ask(frame)
# A datagram in two fragments, and one whose length lies.
packet = udp(ANY, 68, ALL, 67, whole)
l4 = packet[20:]
a.ask([eth(BROADCAST, a.mac, ip(ANY, ALL, UDP, l4[:64], df=False, more=True, ident=9), etype=0x0800),
       eth(BROADCAST, a.mac, ip(ANY, ALL, UDP, l4[64:], df=False, offset=64, ident=9), etype=0x0800)])
for length in 0, 7, 8, 65535:
    a.ask(eth(BROADCAST, a.mac, packet[:24] + struct.pack("!H", length) + b"\0\0" + packet[28:], etype=0x0800))
lives("fragments and lengths that lie")
rng = random.Random(7)
for _ in range(40):
    broken = []
    for _ in range(50):
        raw = bytearray(whole)
        for _ in range(rng.randrange(1, 6)):
            raw[rng.choice((rng.randrange(len(whole)), rng.randrange(236, 280)))] = rng.randrange(256)
        # The rest of chaddr would come back, as it may.
        raw[28:44] = mac_bytes(a.mac) + bytes(10)
        broken.append(a.frame(bytes(raw)))
    a.ask(broken)
lives("2000 broken ones")
PY
expect_eq "the switch is the same process" "$(switch_pid)" "$before"
