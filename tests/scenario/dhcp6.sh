#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# DHCPv6 and router advertisements say the same: a stateful network, a stateless one and one without either; message by message, and
# by dhclient -6 and dhcpcd.  dhcp-networkd.sh has another client.
#
#   c1, c2 (by hand), d (dhclient -6), p (dhcpcd) -- full, VLAN 10, fd00:a::/64, stateful, lease 20 s --.
#   s1 (by hand), k (the kernel), ds (dhclient -6 -S) -- less, VLAN 20, fd00:b::/64, stateless ----------+-- [ vfabd ]
#   n1 (by hand) -- none, VLAN 30, fd00:c::/64, off ----------------------------------------------------'
#
# RFC 8415 16, 18.3; RFC 3646; RFC 4861 4.2; RFC 8106
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/dhcp-fabric.sh"

for program in dhclient dhcpcd; do
	command -v $program >/dev/null || skip "needs $program"
done

LEGS=
NETWORKS="
  full: {mode: nat, vlan: 10, ipv4: 10.10.0.0/24, ipv6: 'fd00:a::/64', domain: full.example, mtu: 1400,
         dhcp: {range: 10.10.0.100-10.10.0.199, lease: 20s, ipv6: stateful, range6: 'fd00:a::1000-fd00:a::10ff', per-port: 20,
                reservations: [{mac: '02:00:00:00:00:0a', ip: 10.10.0.10, ip6: 'fd00:a::10', name: web}]}}
  less: {mode: nat, vlan: 20, ipv4: 10.20.0.0/24, ipv6: 'fd00:b::/64', domain: less.example}
  none: {mode: nat, vlan: 30, ipv4: 10.30.0.0/24, ipv6: 'fd00:c::/64', dhcp: {ipv6: off}}"
dhcp_fabric c1:full c2:full d:full p:full s1:less k:less ds:less n1:none
mute c1 c2 s1 n1

dhcp_py <<'PY'
from dhcp6 import *

c, d, s, n = Client6("c1"), Client6("c2"), Client6("s1"), Client6("n1")
OURS = link_local("02:76:66:00:00:0a")

print("-- advertisements")
for station, vid, managed, other, slaac in ((c, 10, True, True, False), (s, 20, False, True, True), (n, 30, False, False, True)):
    ra = station.solicit_router()
    own = f"fd00:{'abc'[vid // 10 - 1]}::"
    expect((ra.ttl, ra.src, ra.eth_src), (255, link_local(f"02:76:66:00:00:{vid:02x}"), f"02:76:66:00:00:{vid:02x}"), f"VLAN {vid}: from the gateway's link-local address")
    expect((ra.managed, ra.other), (managed, other), f"VLAN {vid}: M, O")
    expect([(p["prefix"], p["on_link"], p["slaac"]) for p in ra.prefixes], [(own + "/64", True, slaac)], f"VLAN {vid}: prefix, L, A")
    expect(ra.lifetime > 0, True, f"VLAN {vid}: a router")
    if vid != 30:
        expect(ra.rdnss, [own + "1"], f"VLAN {vid}: RDNSS")
        expect(ra.search[:1], [f"{'full' if vid == 10 else 'less'}.example"], f"VLAN {vid}: DNSSL")
expect(c.solicit_router().mtu, 1400, "MTU")

print("-- stateful")
a = c.one(c.solicit(), "ADVERTISE", ADVERTISE)
expect((a.dst, a.eth_dst, a.src, a.duid), (link_local(c.mac), c.mac, OURS, c.duid), "ADVERTISE to the asker, with his DUID")
expect((len(a.addresses), a.addresses[0].startswith("fd00:a::10")), (1, True), f"of the range: {a.addresses}")
expect((a.dns(), names_of(a.value(SEARCH))[:1]), (["fd00:a::1"], ["full.example"]), "DNS and search list")
r = c.one(c.request(a), "REPLY", REPLY)
mine = r.addresses
expect((mine, r.server, r.times, r.lifetimes[0][1]), (a.addresses, a.server, [10, 16], 20), "REPLY: address, server, T1 and T2, lifetime")
expect(state_of6(mine[0]), "bound", "lease ls")
expect(c.one(c.solicit(), "SOLICIT again", ADVERTISE).addresses, mine, "who has a lease is offered it")
expect(c.bind(iaid=2).addresses != mine, True, "another IAID, another address")
for kind in RENEW, REBIND:
    r = c.one(c.request(a, kind), KINDS[kind], REPLY)
    expect((r.addresses, r.lifetimes[0][1]), (mine, 20), KINDS[kind])
r = c.one(c.request(a, CONFIRM), "CONFIRM", REPLY)
expect(r.status, SUCCESS, "CONFIRM: on link")
r = c.one(c.request(a, CONFIRM, addresses=["fd00:77::5"]), "CONFIRM", REPLY)
expect(r.status, NOT_ON_LINK, "CONFIRM of another link")
r = c.one(c.solicit(ia_na(9) + option6(RAPID)), "rapid commit", REPLY)
expect((r.value(RAPID) is not None, state_of6(r.addresses[0])), (True, "bound"), "rapid commit: REPLY at once, bound")
r = c.one(c.request(a, RENEW, addresses=["fd00:a::10fe"], iaid=77), "RENEW of nothing", REPLY)
expect(NO_BINDING in r.statuses or r.addresses != [], True, "RENEW of an unknown binding: NoBinding, or one is made")
ack = c.one(c.solicit(mac="02:00:00:00:00:0a"), "reserved", ADVERTISE)
expect(ack.addresses, ["fd00:a::10"], "a reservation")

print("-- D07 in DHCPv6")
theirs = d.bind()
for what, frame in (("another DUID", c.request(theirs, RELEASE)), ("another server", d.message(RELEASE, option6(SERVER_ID, b"\0\3\0\1other!") + ia_na(1, theirs.addresses))),
                    ("no server", d.message(RELEASE, ia_na(1, theirs.addresses)))):
    c.ask(frame) if "DUID" in what else d.ask(frame)
    expect(state_of6(theirs.addresses[0]), "bound", f"RELEASE with {what} does nothing")
c.ask(c.request(theirs, RELEASE, mac=d.mac))
expect(state_of6(theirs.addresses[0]), "bound", "D17: RELEASE from another port does nothing")
expect(d.one(d.request(theirs, RELEASE), "RELEASE", REPLY).status in (SUCCESS, None), True, "RELEASE: Success")
expect(state_of6(theirs.addresses[0]) in (None, "past"), True, "and it is free")
expect(d.bind().addresses, theirs.addresses, "D13: who comes back has it again")
d.one(d.request(theirs, DECLINE), "DECLINE", REPLY)
expect(state_of6(theirs.addresses[0]), "declined", "DECLINE: quarantine")
expect(d.bind().addresses != theirs.addresses, True, "and another one")
for kind, options in ((REQUEST, ia_na(1)), (RENEW, ia_na(1, mine))):
    got = c.ask(c.message(kind, option6(SERVER_ID, b"\0\3\0\1other!") + options))
    expect(got, [], f"{KINDS[kind]} to another server: silence")
r = c.ask(c.message(REQUEST, option6(SERVER_ID, a.server) + ia_na(1), dst="fd00:a::1", eth_dst="02:76:66:00:00:0a", src="fd00:a::1000"))
expect([x.status for x in r], [USE_MULTICAST] * len(r), "unicast: UseMulticast, or silence")
got = c.one(c.message(SOLICIT, option6(IA_PD, struct.pack("!III", 1, 0, 0)) + oro(DNS)), "prefix delegation")
expect(NO_PREFIX in [struct.unpack_from("!H", v, 16)[0] for k, v in got.options if k == IA_PD and len(v) >= 18] or got.status is not None, True, "prefix delegation: none")

print("-- the share of a port: 20 of 256")
got = [x for x in c.ask([c.solicit(mac=f"02:cc:00:00:00:{i:02x}") for i in range(60)]) if x.addresses]
expect(len({x.addresses[0] for x in got}) <= 20, True, f"D18: no more than 20 offers: {len(got)}")
expect(d.one(d.solicit(mac="02:cd:00:00:00:01"), "another port", ADVERTISE).addresses != [], True, "D18: another port gets one")

print("-- stateless")
r = s.one(s.message(INFORMATION, oro(DNS, SEARCH)), "INFORMATION-REQUEST", REPLY)
expect((r.dns(), names_of(r.value(SEARCH))[:1], r.addresses), (["fd00:b::1"], ["less.example"], []), "configuration without an address")
got = s.ask(s.solicit())
expect([x.addresses for x in got], [[]] * len(got), "a SOLICIT gets no address")
expect(all(NO_ADDRESSES in [x.status, *x.statuses] for x in got), True, "and is told so")

print("-- off")
n.drain()
send_settled(n, [n.solicit(), n.message(INFORMATION, oro(DNS))])
c.ask([])
s.ask([])
expect([x for x in map(answer6_of, n.drain()) if x], [], "silence where it is off")

print("-- malformed")
whole = c.solicit()[62:]


def say(body, mac=None):
    mac = mac or c.mac
    return c.frame6(udp(link_local(mac), 546, ALL_SERVERS, 547, body), mac, group_mac(ALL_SERVERS))


c.ask([say(whole[:i]) for i in range(len(whole))])
head = struct.pack("!I", SOLICIT << 24 | 5)
who = option6(CLIENT_ID, c.duid)
for what, body in (("a message of a server", struct.pack("!I", ADVERTISE << 24) + who), ("kind 0", bytes(4) + who), ("kind 255", b"\xff\0\0\1" + who),
                   ("no DUID", head + ia_na()), ("an empty DUID", head + option6(CLIENT_ID) + ia_na()), ("a DUID of 300 bytes", head + option6(CLIENT_ID, b"x" * 300) + ia_na()),
                   ("two DUIDs", head + who + who + ia_na()), ("a server id in a SOLICIT", head + who + option6(SERVER_ID, a.server) + ia_na()),
                   ("an IA of 11 bytes", head + who + option6(IA_NA, bytes(11))), ("an IA in an IA", head + who + option6(IA_NA, bytes(12), ia_na())),
                   ("an address of 23 bytes", head + who + option6(IA_NA, bytes(12), option6(IAADDR, bytes(23)))),
                   ("a hundred IAs", head + who + b"".join(ia_na(i) for i in range(80))), ("an ORO of an odd length", head + who + option6(ORO, b"\0")),
                   ("a relay's message", bytes([12, 0]) + bytes(32) + option6(RELAY_MESSAGE, head + who + ia_na())),
                   ("a thousand empty options", head + who + option6(99) * 300)):
    c.ask(say(body))
    c.one(c.solicit(), f"alive after {what}", ADVERTISE)
    print(f"ok: alive after {what}")
rng = random.Random(8)
for _ in range(40):
    broken = []
    for _ in range(50):
        raw = bytearray(whole)
        for _ in range(rng.randrange(1, 5)):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        broken.append(say(bytes(raw)))
    c.ask(broken)
c.one(c.solicit(), "alive after 2000 broken ones", ADVERTISE)
PY

echo "-- dhclient -6, dhcpcd"
for name in d p k ds; do
	nsenter --net="/run/netns/${!name}" sysctl -qw net.ipv6.conf.eth0.accept_ra=1 net.ipv6.conf.eth0.router_solicitations=3
	ip -n "${!name}" link set eth0 down
	ip -n "${!name}" link set eth0 up
done
has_local()
{
	ip -n "${!1}" -6 -j addr show dev eth0 scope link | jq -e 'any(.[].addr_info[]?; (.local // "") != "" and (.tentative | not))' >/dev/null
}
for name in d p ds; do wait_for 5 has_local $name; done
cat >"$T/script" <<'SH'
#!/bin/sh
echo "$reason $new_ip6_address $new_dhcp6_name_servers $new_dhcp6_domain_search" >>"$SAID"
case $reason in
BOUND6 | RENEW6 | REBIND6) ip addr replace "$new_ip6_address/$new_ip6_prefixlen" dev "$interface" ;;
RELEASE6 | STOP6) ip addr del "$old_ip6_address/$old_ip6_prefixlen" dev "$interface" ;;
esac
exit 0
SH
chmod +x "$T/script"
printf 'request dhcp6.name-servers, dhcp6.domain-search;\n' >"$T/dhclient.conf"
start d dhclient -6 -d -cf "$T/dhclient.conf" -lf "$T/d.leases" -pf "$T/d.pid" -sf "$T/script" -e SAID="$T/d.said" eth0
start ds dhclient -6 -S -d -cf "$T/dhclient.conf" -lf "$T/ds.leases" -pf "$T/ds.pid" -sf "$T/script" -e SAID="$T/ds.said" eth0
cat >"$T/dhcpcd.conf" <<-'EOF'
	duid ll
	option dhcp6_name_servers, dhcp6_domain_search
	interface eth0
	ipv6rs
	ia_na 1
EOF
printf '#!/bin/sh\nenv | grep -E "^(reason|new_dhcp6|nd1_)" >>%s\n' "$T/p.said" >"$T/hook"
chmod +x "$T/hook"
mkdir "$T/db" "$T/rundir"
start p unshare -m sh -c "mkdir -p /run/dhcpcd /var/lib/dhcpcd && mount --bind '$T/rundir' /run/dhcpcd && mount --bind '$T/db' /var/lib/dhcpcd &&
	exec dhcpcd -B -6 -f '$T/dhcpcd.conf' -c '$T/hook' eth0"
has_range6()
{
	ip -n "${!1}" -6 -j addr show dev eth0 scope global | jq -e '[.[].addr_info[]?.local // empty] | any(startswith("fd00:a::10"))' >/dev/null
}
for name in d p; do
	wait_for 20 has_range6 $name
	address=$(ip -n "${!name}" -6 -j addr show dev eth0 scope global | jq -r '[.[].addr_info[]?.local // empty | select(startswith("fd00:a::10"))][0]')
	expect_eq "$name: $address" "$(lease_value "$address" .state)" bound
done
wait_for 5 grep -qE '^BOUND6 fd00:a::10.. fd00:a::1 full\.example' "$T/d.said"
wait_for 5 grep -qE '^new_dhcp6_name_servers=fd00:a::1' "$T/p.said"
wait_for 15 grep -qE 'fd00:b::1 less\.example' "$T/ds.said"
has_slaac()
{
	ip -n "$k" -6 -j addr show dev eth0 scope global | jq -e '[.[].addr_info[]?.local // empty] | any(startswith("fd00:b:"))' >/dev/null
}
wait_for 5 has_slaac
expect_eq "no address of SLAAC where addresses are managed" \
	"$(ip -n "$d" -6 -j addr show dev eth0 scope global | jq '[.[].addr_info[]?.local // empty | select(startswith("fd00:a:") and (startswith("fd00:a::10") | not))] | length')" 0
wait_for 5 run d ping -q -c 1 -W 1 fd00:a::1
expect grep -qF "via fe80::" <(ip -n "$k" -6 route show default)
