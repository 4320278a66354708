#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Leases last: D13 the same client gets the same address, also when its lease is long over, forgotten or the pool was full meanwhile; D14
# no address that somebody uses; D15 both processes are killed under 50 leases, and none is given twice, whatever
# the end of the journal looks like; D18 one port cannot take them all.
#
#   c1, c2 (by hand), x (10.10.0.150, set by hand) -- office, .100-.199, 60 for each port -- [ vfabd: killed ]
#   l1, l2 (by hand) -- lab, four addresses, lease 3 s
#
# Pace: mostly waits
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/dhcp-fabric.sh"

# Where there is no test clock, its end is waited for.
export LAB_S=$([ "$SLOW" = 1 ] && echo 3 || echo 30)
LEGS="office lab" OFFICE="per-port: 60" LAB="lease: ${LAB_S}s, per-port: 4"
dhcp_fabric c1:office c2:office x:office:"ipv4: 10.10.0.150/24" l1:lab l2:lab
mute c1 c2 l1 l2

echo "-- D13: past, full, forgotten"
dhcp_py <<'PY'
from dhcp import *

a, b = Client("l1", server="10.20.0.1"), Client("l2", server="10.20.0.1")
pool = [f"10.20.0.{n}" for n in range(50, 54)]
LAB_S = int(os.environ["LAB_S"])


def has_ended(count):
    return len(leases(network="lab", state="bound")) <= count


def let_pass(count=0):
    """Until so few of the leases are left."""
    if has_clock():
        advance(LAB_S + 1)
    wait_for(6, "the end of the leases", lambda: has_ended(count))


held = {mac: a.bind(mac=mac).yiaddr for mac in macs(3)}
expect(len(set(held.values())), 3, "three clients, three addresses")
let_pass()
for mac in reversed(held):
    offer = a.one(a.discover(mac=mac), "D13", OFFER)
    expect(offer.yiaddr, held[mac], f"D13: {mac} is offered what it had")
    a.none(a.select(offer, server="10.20.0.66"), "but goes elsewhere")
fourth = b.bind()
expect(set(pool) - set(held.values()), {fourth.yiaddr}, "who is new gets what nobody had")
# The pool is full: whose lease is over the longest loses, and nobody else.
stay = list(held)[1:]
for mac in stay:
    a.bind(mac=mac)
let_pass()
held_now = {mac: a.bind(mac=mac).yiaddr for mac in stay}
expect(held_now, {mac: held[mac] for mac in stay}, "D13: bound again, the same")
b.bind()
got = b.bind(mac="02:bb:00:00:00:01")
expect(got.yiaddr, held[list(held)[0]], "a fifth one gets the address whose lease is over the longest")
b.none(b.discover(mac="02:bb:00:00:00:02"), "with all four live, a sixth gets nothing")
let_pass()
# A renewal keeps it live over its first end.
first = a.bind()
for _ in range(3):
    advance(LAB_S // 2) if has_clock() else time.sleep(LAB_S / 2)
    a.one(a.renew(first.yiaddr), "RENEW", ACK)
expect(state_of(first.yiaddr), "bound", "a lease that is renewed at its half lives longer")
PY

echo "-- D14"
dhcp_py <<'PY'
from dhcp import *

USED = "10.10.0.150"
a = Client("c1")
# The client asks for that very address: it is offered at first, for nobody has said anything yet; x answers the probe.
offers = [a.one(a.discover(option(REQUESTED, USED), mac=m), "D14", OFFER) for m in macs(3, 100)]


def is_known():
    return state_of(USED) == "declined"


if any(o.yiaddr == USED for o in offers):
    wait_for(3, "D14: the conflict is found", is_known)
    print("ok: D14: the address that somebody uses is in quarantine")
    taken = next(o for o in offers if o.yiaddr == USED)
    got = a.ask(a.select(taken))
    expect([g.kind for g in got if g.kind != NAK], [], "D14: a REQUEST for it is not acknowledged")
for m in macs(3, 200):
    expect(a.one(a.discover(option(REQUESTED, USED), mac=m), "D14", OFFER).yiaddr != USED, True, "D14: and is not offered any more")
# Who answers for his own address is no conflict.
ack = a.bind(mac="02:aa:00:00:01:f4")
a.send(a.arp_reply(ack.yiaddr, "02:aa:00:00:01:f4"))
a.one(a.renew(ack.yiaddr, mac="02:aa:00:00:01:f4"), "D14: his own address", ACK)
expect(state_of(ack.yiaddr), "bound", "D14: a client that answers for its own address keeps it")
a.none(a.release(ack.yiaddr, mac="02:aa:00:00:01:f4"), "RELEASE")
PY

echo "-- D15"
bind_fifty()
{
	dhcp_py <<'PY'
from dhcp import *

a = Client("c1")
held = a.bind_many(macs(50, 1000))
expect((len(held), len(set(held.values()))), (50, 50), "D15: 50 clients, 50 addresses")
json.dump(held, open(os.environ["T"] + "/held", "w"))
expect({r["ip"] for r in leases(network="office", state="bound")} >= set(held.values()), True, "D15: lease ls has them")
PY
}
# compare MISSING: all of the 50 are there, but for so many at most, and none of them is given to anybody else.
compare()
{
	MISSING=$1 dhcp_py <<'PY'
from dhcp import *

held = json.load(open(os.environ["T"] + "/held"))
MISSING = int(os.environ["MISSING"])
now = {r["mac"]: r["ip"] for r in leases(network="office", state="bound") if r["mac"] in held}
expect(all(held[m] == ip for m, ip in now.items()), True, "D15: whoever is there has the address that he had")
expect(len(held) - len(now) <= MISSING, True, f"D15: of {len(held)} leases {len(held) - len(now)} are missing, {MISSING} may")
b = Client("c2")
others = b.bind_many(macs(40, random.randrange(1 << 16, 1 << 20)))
expect(len(others) > 20, True, f"D15: {len(others)} new clients get addresses")
expect(set(others.values()) & set(now.values()), set(), "D15: none of them an address that somebody has")
for mac, ip in others.items():
    b.send(b.release(ip, mac=mac))
a = Client("c1")
got = {x.chaddr: x.yiaddr for x in a.ask([a.renew(ip, mac=mac) for mac, ip in now.items()]) if x.kind == ACK}
expect(got, now, "D15: each of them renews")
again = a.bind_many([m for m in held if m not in now])
expect(again, {m: held[m] for m in again}, "D15: and who was lost gets the same again")
PY
}
bind_fifty
ls -l "$T/state"
fabric_dies
fabric_again
compare 0
echo "-- D15: the switch alone dies"
before=$(switch_pid)
kill -9 "$before"
allow_log '[Ss]witch'
another()
{
	local now
	now=$(switch_pid)
	[ -n "$now" ] && [ "$now" != "$before" ] && vfab lease ls && ports_up
}
wait_for 5 another
compare 0

newest()
{
	find "$T/state" -name 'leases.[ab]' -size +0 -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2
}
allow_log 'lease|journal'
for tail in half garbage cut zeros; do
	echo "-- D15: the journal ends in $tail"
	fabric_dies
	file=$(newest)
	case $tail in
	half) printf '{"network": "office", "ip": "10.10.0.1' >>"$file" ;;
	garbage) head -c 3000 /dev/urandom >>"$file" ;;
	cut) truncate -s -7 "$file" ;;
	zeros) head -c 4096 /dev/zero >>"$file" ;;
	esac
	fabric_again
	compare $([ $tail = cut ] && echo 1 || echo 0)
done
echo "-- D15: a journal that is none"
fabric_dies
find "$T/state" -name 'leases.[ab]' -exec sh -c 'head -c 20000 /dev/urandom >"$1"' sh {} \;
fabric_again
bind_fifty

echo "-- D18"
OFFICE="per-port: 4"
dhcp_yaml >"$T/again.yaml"
expect vfab apply "$T/again.yaml"
vfab lease ls -o json | jq -r '.[] | select(.state != "reserved") | .ip' >"$T/ips"
while read -r ip; do vfab lease release "$ip" || true; done <"$T/ips"
dhcp_py <<'PY'
from dhcp import *

a, b = Client("c1"), Client("c2")
COUNT = 10000
start = time.monotonic()
rng = random.Random(18)
offers = []
for burst in range(COUNT // 100):
    for n in range(100):
        m = f"02:dd:{rng.randrange(256):02x}:{rng.randrange(256):02x}:{burst:02x}:{n:02x}"
        a.send(a.discover(mac=m))
    offers += [o for o in map(answer_of, a.drain()) if o and o.kind == OFFER]
    if burst == COUNT // 200:
        # In the midst of it: somebody else.
        asked = time.monotonic()
        ack = b.bind(mac="02:ee:00:00:00:01")
        took = time.monotonic() - asked
        print(f"another port's lease after {1000 * took:.0f} ms")
        expect(took < SLOW, True, "D18: another port gets a lease within a second")
offers += [o for o in a.ask([]) if o.kind == OFFER]
print(f"{COUNT} DISCOVERs in {time.monotonic() - start:.1f} s, {len(offers)} OFFERs")
# x answers where it lives: that offer did not stand.
found = {o.yiaddr for o in offers} - {"10.10.0.150"}
expect(len(found) <= 4, True, f"D18: no more than 4 addresses are offered: {len(found)}")
a.ask([a.select(o) for o in offers[:100]])
mine = [r for r in leases(network="office") if (r["mac"] or "").startswith("02:dd")]
expect(len(mine) <= 4, True, f"D18: no more than 4 leases of that port: {len(mine)}")
got = b.bind(mac="02:ee:00:00:00:02")
expect(state_of(got.yiaddr), "bound", "D18: and the other port gets another")
PY
