#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Names: those of guests by reservation, by the file and by lease, forwards and back; host.internal; all others asked of the host's
# servers, by UDP and TCP; nothing of ours is ever asked outside, an internal network has no way out through here, and nobody outside
# is answered at all.
#
#   c1 .20, c2 .21, c3 (DHCP) -- office 10.10.0.0/24, fd00:a::/64, VLAN 10 --.
#   q1 .20 -- quiet 10.30.0.0/24 (no-dhcp), VLAN 30 --------------+-- [ vfabd ] -- up0 .1 -- up 198.51.100.53, .54 (upstream.py)
#   l1 .20 -- lab (internal) 10.20.0.0/24, VLAN 20 ---------------+            '-- up1 -- out 203.0.113.10
#   n1 .20 -- net2 (uplink up1) 10.70.0.0/24, VLAN 70 ------------'
#
# RFC 1034, RFC 1035 4; RFC 2308; RFC 4343; RFC 5452 9; RFC 6761; RFC 7766; RFC 8482
#
# Pace: mostly waits
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/dhcp-fabric.sh"

command -v dig >/dev/null || skip "needs dig"
outside 198.51.100.53
upstream
ns out
link fab up1 out eth0
ip -n "$out" addr add 203.0.113.10/24 dev eth0
ip -n "$out" route add default via 203.0.113.1
NETWORKS="  net2: {mode: nat, vlan: 70, uplink: side, ipv4: 10.70.0.0/24}"
UPLINKS="  wan: {kind: host}
  side: {kind: interface, interface: up1, address: 203.0.113.1/24, gateway: 203.0.113.10}"
LEGS="lab"
NETWORKS+="
  office: {mode: nat, vlan: 10, uplink: wan, ipv4: 10.10.0.0/24, ipv6: 'fd00:a::/64', dhcp: {range: 10.10.0.100-10.10.0.199, per-port: 50,
           reservations: [{mac: '02:00:00:00:00:0a', ip: 10.10.0.10, ip6: 'fd00:a::10', name: web}, {client-id: '01:02:03', ip: 10.10.0.11, name: db}]}}
  quiet: {mode: nat, vlan: 30, uplink: wan, ipv4: 10.30.0.0/24, no-dhcp: true}"
dhcp_fabric c1:office:"ipv4: 10.10.0.20/24, ipv6: 'fd00:a::20/64', gateway: 10.10.0.1" c2:office:"ipv4: 10.10.0.21/24, gateway: 10.10.0.1" \
	c3:office q1:quiet:"ipv4: 10.30.0.20/24, gateway: 10.30.0.1" l1:lab:"ipv4: 10.20.0.20/24" n1:net2:"ipv4: 10.70.0.20/24, gateway: 10.70.0.1"
ip -n "$c1" -6 addr replace fd00:a::20/64 dev eth0 nodad

# asks NS SERVER DIG-WORD...: what dig has to say in short; one try.
asks()
{
	run "$1" dig +short +tries=1 +time=$((3 * SLOW)) "@$2" "${@:3}" || true
}
answers()
{
	[ -n "$(asks c1 10.10.0.1 first.example)" ]
}
wait_for 8 answers

echo "-- names of the file"
expect_eq "web.office.vfab" "$(asks c1 10.10.0.1 web.office.vfab)" 10.10.0.10
expect_eq "web" "$(asks c1 10.10.0.1 web)" 10.10.0.10
expect_eq "WeB.Office.VFAB." "$(asks c1 10.10.0.1 WeB.Office.VFAB.)" 10.10.0.10
expect_eq "by TCP" "$(asks c1 10.10.0.1 +tcp web.office.vfab)" 10.10.0.10
expect_eq "by IPv6" "$(asks c1 fd00:a::1 web.office.vfab)" 10.10.0.10
expect_eq "by IPv6 and TCP" "$(asks c1 fd00:a::1 +tcp web.office.vfab)" 10.10.0.10
expect_eq "AAAA of web" "$(asks c1 10.10.0.1 web.office.vfab AAAA)" fd00:a::10
expect_eq "db" "$(asks c1 10.10.0.1 db.office.vfab)" 10.10.0.11
expect_eq "a port with an address" "$(asks c1 10.10.0.1 c2.office.vfab)" 10.10.0.21
expect_eq "back" "$(asks c1 10.10.0.1 -x 10.10.0.10)" web.office.vfab.
expect_eq "back by IPv6" "$(asks c1 10.10.0.1 -x fd00:a::10)" web.office.vfab.
expect_eq "gateway.internal" "$(asks c1 10.10.0.1 gateway.internal)" 10.10.0.1
host=$(asks c1 10.10.0.1 host.internal)
echo "host.internal is $host"
expect_eq "host.internal is an address" "$(grep -cE '^[0-9.]+$' <<<"$host")" 1
expect run c1 ping -q -c 1 -W 2 "$host"

dhcp_py <<'PY'
import dhcp
from frames import *
from names import *

c1, c2 = Guest(inside("c1")), Guest(inside("c2"))
lab, quiet, net2 = Guest(inside("l1"), "10.20.0.1"), Guest(inside("q1"), "10.30.0.1"), Guest(inside("n1"), "10.70.0.1")


def asked():
    """What came to the servers outside."""
    return [json.loads(line.lower()) for line in open(os.environ["T"] + "/asked") if line.startswith("{")]


def times(name):
    return len([q for q in asked() if q["name"] == name])


def rcode(answer):
    return answer and answer.rcode


print("-- details of our own")
got = c1.ask("web.office.vfab")
expect((got.rcode, bool(got.flags & AA), bool(got.flags & RA), got.data(A), got.answers[0][2]), (NOERROR, True, True, ["10.10.0.10"], 60), "authoritative, TTL 60")
got = c1.ask("web.office.vfab", MX)
expect((got.rcode, got.answers, [r[1] for r in got.authority]), (NOERROR, [], [SOA]), "another type: no data, SOA")
got = c1.ask("nobody.office.vfab")
expect((got.rcode, [r[1] for r in got.authority]), (NXDOMAIN, [SOA]), "no such name: NXDOMAIN, SOA")
expect(c1.ask("db.office.vfab", AAAA).rcode, NOERROR, "no AAAA of a name that has A: no data")
got = c1.ask("web.office.vfab", ANY)
expect((got.rcode, bool(got.answers)), (NOERROR, True), "ANY: something")
for name, kind in (("99.0.10.10.in-addr.arpa", PTR), ("77.0.10.10.in-addr.arpa", PTR), ("nobody.office.vfab", A), ("x.internal", A), ("other.vfab", A),
                   ("vfab", SOA), ("nobody", A)):
    expect(rcode(c1.ask(name, kind)) in (NXDOMAIN, NOERROR) and not c1.ask(name, kind).data(PTR), True, f"{name}: answered here")
expect(c1.ask("localhost").data(A) in ([], ["127.0.0.1"]), True, "localhost")
print("-- leases")
guest = dhcp.Client("c3", mac="02:00:00:00:01:01")


def lease(name, mac):
    return guest.bind(dhcp.option(dhcp.HOSTNAME, name), mac=mac).yiaddr


address = lease("Guest-One.of.somewhere", "02:00:00:00:01:01")
expect(c1.ask("guest-one.office.vfab").data(A), [address], "a guest's name is the first label of what it says")
expect(c1.ask("guest-one").data(A), [address], "bare")
expect(c1.ask("c3.office.vfab").data(A), [address], "and the port has a name too")
expect(c1.ask(".".join(reversed(address.split("."))) + ".in-addr.arpa", PTR).data(PTR), ["c3.office.vfab"], "which is the stronger one, and back")
other = lease("web", "02:00:00:00:01:02")
expect(c1.ask("web.office.vfab").data(A), ["10.10.0.10"], "nobody takes the name of a reservation by saying that he has it")
other = lease("c2", "02:00:00:00:01:03")
expect(c1.ask("c2.office.vfab").data(A), ["10.10.0.21"], "nor that of a port")
second = lease("guest-one", "02:00:00:00:01:04")
expect(c1.ask("guest-one.office.vfab").data(A), [address], "nor that of an earlier lease")
for name in ("gateway", "host", "localhost", "*", "a_b", "-x-", "\u00e9"):
    lease(name, "02:00:00:00:01:05")
expect(c1.ask("gateway.internal").data(A), ["10.10.0.1"], "gateway.internal stays")
guest.send(guest.release(address))


def is_forgotten():
    return c1.ask("guest-one.office.vfab").data(A) != [address]


wait_for(3, "a name that goes with its lease", is_forgotten)
print("-- other networks")
expect(rcode(lab.ask("l1.lab.vfab")), NOERROR, "an internal network has its own names")
expect(rcode(lab.ask("www.example")), REFUSED, "and no others: REFUSED")
expect(rcode(lab.ask_tcp("www.example")), REFUSED, "by TCP as well")
expect(lab.ask("web.office.vfab").data(A), [], "nor those of a network that it does not reach")
expect(c1.ask("l1.lab.vfab").data(A), [], "nor the other way round")
expect(quiet.ask("www.example", seconds=1 * SLOW), None, "where no DHCP is, no DNS is")
expect(net2.ask("over.example").data(A), ["192.0.2.53"], "a network with another uplink asks as well")
print("-- forwarded")
got = c1.ask("one.example")
expect((got.rcode, got.data(A), bool(got.flags & AA)), (NOERROR, ["192.0.2.53"], False), "a name outside")
first = got.answers[0][2]
expect(c2.ask("one.EXAMPLE").data(A), ["192.0.2.53"], "again, by another guest and in other letters")
expect((times("one.example"), c1.ask("one.example").answers[0][2] <= first), (1, True), "out of the cache, with what is left of its TTL")
expect((rcode(c1.ask("nx.example")), rcode(c1.ask("nx.example")), times("nx.example")), (NXDOMAIN, NXDOMAIN, 1), "NXDOMAIN is kept")
got = [c1.ask("nodata.example") for _ in range(2)]
expect(([g.rcode for g in got], got[1].answers, times("nodata.example")), ([NOERROR] * 2, [], 1), "no data is kept")
c1.ask("ttl1.example")
time.sleep(1.2)
c1.ask("ttl1.example")
expect(times("ttl1.example"), 2, "what is over is asked for again")
got = c1.ask("cname.example")
expect(([n.lower() for n in got.data(CNAME)], got.data(A)), (["target.cname.example"], ["192.0.2.53"]), "an alias and its address")
expect(c1.ask("text.example", TXT).rcode, NOERROR, "another type")
expect(rcode(c1.ask("servfail.example")), SERVFAIL, "SERVFAIL")
expect([rcode(c1.ask("web.office.vfab", flags=f)) for f in (2 << 11, 4 << 11, 5 << 11)], [NOTIMP] * 3, "status, notify, update: NOTIMP")
print("-- long answers")
got = c1.ask("big.example")
expect((got.is_cut, len(got.raw) <= 512), (True, True), "512 bytes without EDNS, and cut")
got = c1.ask("big.example", edns=4096)
expect((got.is_cut, len(got.data(A)), len(got.raw) <= 1232), (False, 60, True), "with EDNS: whole")
expect(len(c1.ask_tcp("big.example").data(A)), 60, "by TCP: whole")
expect((c1.ask("trunc.example", edns=1232).data(A), [q["proto"] for q in asked() if q["name"] == "trunc.example"]), (["192.0.2.53"], ["udp", "tcp"]),
       "what is cut outside is asked for by TCP")
print("-- TCP")
with c1.tcp() as sock:
    for name in ("web.office.vfab", "one.example", "nobody.office.vfab", "two.example"):
        expect(c1.over(sock, question(name)).questions[0][0], name, f"one connection: {name}")
    both = [question("web.office.vfab", ident=n) for n in (1, 2, 3)]
    sock.sendall(b"".join(struct.pack("!H", len(b)) + b for b in both))
    expect(sorted(c1.next(sock).id for _ in both), [1, 2, 3], "three questions in one go")
    for byte in struct.pack("!H", len(both[0])) + both[0]:
        sock.send(bytes([byte]))
    expect(c1.next(sock).data(A), ["10.10.0.10"], "one in single bytes")
print("-- joined")
socks = [c1.udp() for _ in range(20)]
for n, sock in enumerate(socks):
    sock.settimeout(8 * SLOW)
    sock.send(question("forged5.example", ident=n))
expect([Message(sock.recv(4096)).data(A) for sock in socks], [["192.0.2.53"]] * 20, "twenty guests ask the same")
expect(times("forged5.example") <= 2, True, f"which is one question outside: {times('forged5.example')}")
print("-- nothing of ours went outside")
leaked = [q["name"] for q in asked() if q["name"].endswith(("vfab", "internal", "localhost", "10.in-addr.arpa", "nobody", "guest-one")) or "." not in q["name"]]
expect(leaked, [], f"of {len(asked())} questions")
PY

echo "-- nobody outside is answered"
ip -n "$up" route add 10.10.0.0/24 via 198.51.100.1
for server in 198.51.100.1 10.10.0.1; do
	for how in +notcp +tcp; do
		expect_eq "$server $how from up" "$(nsenter --net="/run/netns/$up" dig +short +tries=1 +time=1 $how "@$server" web.office.vfab | grep -v '^;;')" ""
	done
done
for how in +notcp +tcp; do
	expect_eq "203.0.113.1 $how from out" "$(nsenter --net="/run/netns/$out" dig +short +tries=1 +time=1 $how "@203.0.113.1" one.example | grep -v '^;;')" ""
done
run out nmap -n -Pn -sU -p 53,67,547 203.0.113.1 >"$T/nmap" 2>&1 || true
expect_eq "open ports of the uplink" "$(grep -cE '/udp +open +' "$T/nmap")" 0
