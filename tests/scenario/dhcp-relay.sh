#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# D11: clients behind a relay: by ISC's dhcrelay, which adds option 82 and checks that it comes back; and by hand, sub-option by
# sub-option.
#
#   k (udhcpc) -- eth1 10.40.0.240, r (dhcrelay), eth0 10.10.0.240 -- office, VLAN 10 --.
#                                                      c1 (by hand) -- office ----------+-- [ vfabd ]
#                           lab 10.20.0.0/24, and far 10.40.0.0/24, which office reaches --'
#
# RFC 2131 4.1; RFC 3046 2.2; RFC 3527; RFC 5107
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/dhcp-fabric.sh"

# Who may be reached may be asked for, by the relays that it names.
LEGS="office lab far" SECTIONS="routes: [{from: office, to: far}]"
OFFICE='per-port: 50, options: {224: "text:'$(printf 'x%.0s' {1..180})'", 225: "text:'$(printf 'y%.0s' {1..150})'"}'
FAR="per-port: 50, options: {ntp: 10.40.0.7}, relays: [10.40.0.240, 10.10.0.240, 10.40.0.241, 10.10.0.241]"
dhcp_fabric r:office:"ipv4: 10.10.0.240/24, gateway: 10.10.0.1" c1:office
mute c1

dhcp_py <<'PY'
from dhcp import *

a = Client("c1")
AGENT = option(1, b"port 7 of a switch") + option(2, b"\x00\x01remote")
fresh = iter(macs(200))


def relayed(kind, mac, agent=AGENT, giaddr="10.40.0.241", options=b"", src="10.10.0.241", **fields):
    options += option(WANTED, MASK, ROUTER, NTP) + (option(RELAY, agent) if agent is not None else b"")
    return a.message(kind, options, mac=mac, eth_src=a.mac, eth_dst="02:76:66:00:00:0a", src=src, dst="10.10.0.1", sport=67,
                     giaddr=giaddr, hops=1, **fields)


def judge(answer, agent, what, giaddr="10.40.0.241"):
    expect((answer.dst, answer.dport, answer.eth_dst, answer.giaddr), (giaddr, 67, a.mac, giaddr), f"D02, D11: {what} goes to giaddr, port 67")
    expect(answer.options.get(RELAY), agent, f"D11: {what}: option 82 as it came")
    if agent is not None:
        expect(answer.order[-1], RELAY, f"D11: {what}: and it is the last")


print("-- by giaddr")
m = next(fresh)
offer = a.one(relayed(DISCOVER, m), "OFFER", OFFER)
judge(offer, AGENT, "OFFER")
expect((offer.yiaddr.startswith("10.40.0."), offer.ip(ROUTER), offer.ip(NTP)), (True, "10.40.0.1", "10.40.0.7"), "D11: of the network of giaddr")
take = option(REQUESTED, offer.yiaddr) + option(SERVER_ID, offer.ip(SERVER_ID))
ack = a.one(relayed(REQUEST, m, options=take), "ACK", ACK)
judge(ack, AGENT, "ACK")
expect(lease_of(ack.yiaddr)["network"], "far", "lease ls")
nak = a.one(relayed(REQUEST, m, options=option(REQUESTED, "192.168.7.7")), "NAK", NAK)
judge(nak, AGENT, "NAK")
expect(bool(nak.flags & B_FLAG), True, "RFC 2131 4.3.2: a NAK by a relay has the broadcast bit")
judge(a.one(relayed(DISCOVER, next(fresh), agent=None), "OFFER", OFFER), None, "OFFER without option 82")

print("-- link selection, server identifier override, and what nobody knows")
for agent, first, what in ((option(5, "10.40.0.0") + AGENT, "10.40.0.", "sub-option 5"), (AGENT + option(5, "10.10.0.0"), "10.10.0.", "sub-option 5 of office"),
                           (option(200, b"\0\1") + option(201, b"") + AGENT, "10.10.0.", "unknown sub-options")):
    got = a.one(relayed(DISCOVER, next(fresh), agent, giaddr="10.10.0.241"), what, OFFER)
    judge(got, agent, what, "10.10.0.241")
    expect(got.yiaddr.startswith(first), True, f"D11: {what}: {got.yiaddr}")
agent = option(11, "10.40.0.241") + AGENT
m = next(fresh)
got = a.one(relayed(DISCOVER, m, agent), "sub-option 11", OFFER)
judge(got, agent, "sub-option 11")
expect(got.ip(SERVER_ID), "10.40.0.241", "D11: sub-option 11 is the server identifier")
got = a.one(relayed(REQUEST, m, agent, options=option(REQUESTED, got.yiaddr) + option(SERVER_ID, "10.40.0.241")), "REQUEST by it", ACK)
judge(got, agent, "ACK of it")
for giaddr, what in (("172.16.5.1", "a network that nobody has"), ("10.20.0.241", "a network that office does not reach"), ("127.0.0.1", "a loopback"), (ALL, "a broadcast")):
    a.none(relayed(DISCOVER, next(fresh), giaddr=giaddr), f"giaddr of {what}: silence")
for link in "172.16.5.0", "10.20.0.0":
    a.none(relayed(DISCOVER, next(fresh), option(5, link) + AGENT), f"link selection of {link}: silence")

print("-- who is no relay of that network, or not the one that it says")
before = vfab("lease", "stats", "-o", "json")["dhcp"]["spoofed"]
for giaddr, src, agent, what in (("10.40.0.50", "10.10.0.241", AGENT, "a giaddr that far does not name"),
                                 ("10.10.0.50", "10.10.0.50", option(5, "10.40.0.0"), "a link selection by one that far does not name"),
                                 ("10.40.0.241", "10.10.0.50", AGENT, "from an address that far does not name"),
                                 ("10.10.0.1", "10.10.0.50", AGENT, "the gateway as giaddr")):
    a.none(relayed(DISCOVER, next(fresh), agent, giaddr=giaddr, src=src), f"{what}: silence")
expect(vfab("lease", "stats", "-o", "json")["dhcp"]["spoofed"] - before, 4, "they are counted as spoofed")

print("-- small answers")
big = option(1, b"z" * 200) + option(2, b"r" * 40)
for size in 576, 700, 1400:
    got = a.one(relayed(DISCOVER, next(fresh), big, giaddr="10.10.0.241", options=option(WANTED, 224, 225, MASK) + option(MAX_SIZE, struct.pack("!H", size))),
                f"{size} bytes", OFFER)
    judge(got, big, f"in {size} bytes, overload {got.overload}", "10.10.0.241")
    expect(len(got.packet.raw) <= size, True, f"D12: no more than {size} bytes of IP: {len(got.packet.raw)}")

print("-- clients of another network are many: no port's share counts them")
held = {a.one(relayed(DISCOVER, next(fresh), giaddr="10.40.0.241"), "OFFER", OFFER).yiaddr for _ in range(60)}
expect(len(held), 60, "60 offers by one port, whose share is 50")
save(os.environ["T"] + "/answers.pcap")
for agent in (b"", b"\x01", b"\x01\xff", b"\x05\x03\x0a\x28\x00", b"\x0b\x00", option(5, ANY), option(11, ANY)):
    a.ask(relayed(DISCOVER, next(fresh), agent))
a.one(relayed(DISCOVER, next(fresh)), "alive after relays that lie", OFFER)
PY
expect_eq "what tshark has to say" "$(tshark -r "$T/answers.pcap" -Y '_ws.expert.severity >= "Warning" || _ws.malformed' 2>/dev/null | head)" ""

relay=$("$ROOT/tests/lib/unpacked.sh" isc-dhcp-relay) || skip "needs the package isc-dhcp-relay or the network"
echo "-- dhcrelay"
ns k
link r eth1 k eth0
ip -n "$r" addr add 10.40.0.240/24 dev eth1
run r sysctl -qw net.ipv4.ip_forward=1
start r "$relay/usr/sbin/dhcrelay" -4 -d -a -m forward -pf "$T/dhcrelay.pid" --no-pid -id eth1 -iu eth0 10.10.0.1
cat >"$T/script" <<'SH'
#!/bin/sh
[ "$1" != bound ] || { ip addr replace "$ip/$mask" dev "$interface" && echo "$ip $ntpsrv $router" >"$SAID"; }
SH
chmod +x "$T/script"
listens()
{
	nsenter --net="/run/netns/$r" ss -Hlun "sport = :67" | grep . >/dev/null
}
wait_for 5 listens
SAID=$T/said expect run k timeout $((20 * SLOW)) busybox udhcpc -f -n -q -t 5 -T 2 -i eth0 -O ntpsrv -s "$T/script"
cat "$T/said"
expect grep -qE '^10\.40\.0\.1[0-9][0-9] 10\.40\.0\.7 10\.40\.0\.1$' "$T/said"
address=$(ipv4_of k)
expect_eq "lease of $address" "$(lease_value "$address" '"\(.network) \(.state) \(.mac)"')" "far bound $(link_value k eth0 .address)"
