#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An uplink into the host's own stack: guests leave with the host's address, which may change; H09: it lives beside the tables of others, is
# put back after a foreign flush, says so when somebody else's policy stands in the way; ip_forward comes and goes with it; nothing
# is left at the end.
#
#   in1 .11, in2 .12 -- lan -- [ vfabd ] -- vu-wan -- fab's stack -- up0 198.51.100.1 --+-- out1
#                                                                                      '-- out2
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/nat-fabric.sh"

nat_world
forwarding()
{
	nsenter --net="/run/netns/$fab" sysctl -n net.ipv4.ip_forward net.ipv6.conf.all.forwarding | tr '\n' ' '
}
rules()
{
	nsenter --net="/run/netns/$fab" nft list ruleset
}
nsenter --net="/run/netns/$fab" sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0
# A table of somebody else, as ufw and Docker have them.
nsenter --net="/run/netns/$fab" nft -f - <<-EOF
	table inet other {
		chain in { type filter hook input priority 0; policy accept; }
	}
	table ip docker {
		chain post { type nat hook postrouting priority srcnat; ip saddr 172.17.0.0/16 masquerade; }
	}
EOF
rules >"$T/rules.before"
ip -n "$fab" -o link show >/dev/null
nat_fabric host "nat: {rate: 0}, forwards: [\"8080:10.0.0.11:80\"]"

is_masqueraded()
{
	run in1 ping -q -c 1 -W 1 198.51.100.10 && run in1 ping -q -c 1 -W 1 2001:db8:51::10
}
wait_for 5 is_masqueraded
expect_eq "forwarding" "$(forwarding)" "1 1 "
expect_eq "uplink ls" "$(vfab uplink ls -o json | jq -r '.[] | "\(.name) \(.kind) \(.state)"')" "wan host up"
rules | grep 'table inet vfab' >/dev/null || fail "no table vfab"
rules | grep 'ip saddr 172.17.0.0/16' >/dev/null || fail "the table of others is gone"
nft_lines=$(rules | sed -n '/table inet vfab/,/^}/p' | wc -l)

# The conformance that a second NAT leaves: mapping, both ways, errors, TCP.
mute in1 in2 out1 out2
nat_py <<'PY'
from nat import *


def test(w):
    a, b, o = w.in1, w.in2, w.out1
    one, two = (w.one(h, udp(h.ip, 5000, o.ip, 53), o, "N03").source for h in (a, b))
    expect((one[0], two[0], one != two), (w.public, w.public, True), "N03: the host's address, two ports")
    expect(w.one(a, udp(a.ip, 5000, w.out2.ip, 53), w.out2, "N01").source, one, "N01: the same for another remote end")
    for end, host in ((one, a), (two, b)):
        p = w.one(o, udp(o.ip, 53, *end, b"answer"), host, "an answer")
        expect((p.dst, p.dport), (host.ip, 5000), "an answer reaches its guest")
    w.none(w.out2, udp(w.out2.ip, 99, *one), a, "N09: others do not")
    t = Tcp(w, a, 5001, o, 80).open()
    expect(t.lives(), True, "TCP")
    e = w.one(o, icmp_error(o.ip, w.public, *((1, 4) if w.v6 else (3, 3)), udp(*one, o.ip, 53)), a, "N14")
    expect((e.inner.src, e.inner.sport), (a.ip, 5000), "N14 N24: an error, through both translators")
    e = w.one(a, echo(a.ip, o.ip, 5002), o, "echo")
    w.one(o, echo(o.ip, e.src, e.ident, reply=True), a, "N22: echo")
    got = w.exchange(a, udp(a.ip, 5000, o.ip, 53, ttl=2), a)[a]
    print(f"TTL 2: {got}")
    if not w.v6:
        o.send_ip(tcp(o.ip, 77, w.public, 8080, SYN))
        p = a.wait_packet("a SYN to the forward", lambda p: p.dport == 80)
        expect((p.src, p.sport, p.dport), (o.ip, 77, 80), "N36: a forward answers on the host's address, the client keeps its own")
        p = w.one(a, tcp(a.ip, 80, o.ip, 77, SYN | ACK, 1, 1), o, "its answer")
        expect(p.source, (w.public, 8080), "N36: its answer")


both_families(test)
PY
for name in in1 in2 out1 out2; do nsenter --net="/run/netns/${!name}" nft delete table inet mute; done

# A foreign flush: there again, if it ever went.
nsenter --net="/run/netns/$fab" nft flush ruleset
has_table()
{
	[ "$(rules | sed -n '/table inet vfab/,/^}/p' | wc -l)" = "$nft_lines" ]
}
wait_for 5 has_table
wait_for 5 is_masqueraded
# Where the kernel lets a table have an owner, this is refused.
nsenter --net="/run/netns/$fab" nft delete table inet vfab 2>/dev/null || true
wait_for 5 has_table
wait_for 5 is_masqueraded
# Somebody's policy in the way.
nsenter --net="/run/netns/$fab" nft -f - <<-EOF
	table ip blocker {
		chain FORWARD { type filter hook forward priority 0; policy drop; }
	}
EOF
says_blocked()
{
	vfab uplink ls -o json | jq -e '.[0] | tostring | contains("blocker")'
}
wait_for 5 says_blocked
expect has_event uplink_host blocker
vfab uplink ls
nsenter --net="/run/netns/$fab" nft delete table ip blocker
is_unblocked()
{
	! says_blocked
}
wait_for 5 is_unblocked
wait_for 5 is_masqueraded

# Roaming: another address.
ip -n "$fab" addr del 198.51.100.1/24 dev up0
ip -n "$fab" addr add 198.51.100.5/24 dev up0
ip -n "$fab" route replace default via 198.51.100.10
run out1 tcpdump -q -Z root -n -i eth0 -c 1 -l "icmp[0] == 8 and src 198.51.100.5" >"$T/roamed" 2>"$T/roamed.err" &
pid=$!
defer end_process $pid
wait_for 5 grep -q listening "$T/roamed.err"
wait_for 5 run in1 ping -q -c 1 -W 1 198.51.100.10
wait_for 3 grep -q 'IP 198.51.100.5' "$T/roamed"

# Another port of this host is refused to a forward, by name.
start fab socat TCP-LISTEN:9999,fork /dev/null
wait_for 5 eval 'run fab ss -Hltn "sport = :9999" | grep . >/dev/null'
says 1 9999 vfab forward add lan 9999:10.0.0.11:99

# Others delete the tap, or turn forwarding off: both are mended.
ip -n "$fab" link del vu-wan
wait_for 5 ports_up
nsenter --net="/run/netns/$fab" ethtool -K vu-wan tx off >/dev/null
wait_for 5 run in1 ping -q -c 1 -W 1 198.51.100.10
nsenter --net="/run/netns/$fab" sysctl -qw net.ipv4.ip_forward=0
wait_for 8 run in1 ping -q -c 1 -W 1 198.51.100.10

# The end.
nsenter --net="/run/netns/$fab" nft -f - <<-EOF
	table inet other {
		chain in { type filter hook input priority 0; policy accept; }
	}
	table ip docker {
		chain post { type nat hook postrouting priority srcnat; ip saddr 172.17.0.0/16 masquerade; }
	}
EOF
wait_for 3 sums_match
stop_fabric
expect_eq "forwarding afterwards" "$(forwarding)" "0 0 "
rules >"$T/rules.after"
expect diff "$T/rules.before" "$T/rules.after"
ip -n "$fab" -o link show | grep -E 'vu-|vf-' && fail "a device is left"

# forwarding: leave.  And after a death of all of it, the next one finds nothing in its way.
KIND=host
fabric < <(nat_yaml "" "forwarding: leave")
wait_for 5 ports_up
expect_eq "forwarding: leave" "$(forwarding)" "0 0 "
refuse run in1 ping -q -c 1 -W 1 198.51.100.10
