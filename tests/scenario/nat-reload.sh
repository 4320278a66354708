#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# H09 for the NAT: a configuration is applied over and over, with other forwards, limits, networks and routes: flows that it says nothing
# about go on without a loss, real ones too; what it takes away has ended.  SOAK=1: 1000 times.
#
#   in1 (by hand), in2 (ping) -- lan -- [ vfabd: apply, apply, apply ] -- out1 (by hand), out2
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/nat-fabric.sh"

nat_fabric interface "nat: {rate: 0}, forwards: [\"8080:10.0.0.11:80\"]"
wait_for 5 run in2 ping -q -c 1 -W 1 198.51.100.20
mute in1 out1
nat_yaml "nat: {rate: 0}, forwards: [\"8080:10.0.0.11:80\"]" "" >"$T/a.yaml"
NETWORKS="  other: {mode: nat, vlan: 30, uplink: wan, ipv4: 10.3.0.0/24, forwards: [\"9090:10.3.0.5:90\"]}"
nat_yaml "nat: {rate: 1000, sessions: 1000, timeouts: {udp: 200s}, exempt: [192.0.2.0/24]}, forwards: [\"8080:10.0.0.11:80\", \"7000-7999:10.0.0.12:7000-7999\"]" \
	"addresses: [198.51.100.9/32]" >"$T/b.yaml"
echo "routes: [{from: lan, to: other}]" >>"$T/b.yaml"
nsenter --net="/run/netns/$in2" ping -q -i 0.01 -W 1 198.51.100.20 >"$T/ping" 2>&1 </dev/null &
pinging=$!
defer end_process $pinging

TURNS=$([ -z "${SOAK:-}" ] && echo 15 || echo 500) nat_py <<'PY'
from nat import *

w = World()
a, o = w.in1, w.out1
end = w.one(a, udp(a.ip, 5000, o.ip, 53), o, "UDP").source
t = Tcp(w, a, 5001, o, 80).open()
served = lambda: w.exchange(o, tcp(o.ip, 1234, w.public, 8080, ACK, 1, 1), a)[a]
w.one(o, tcp(o.ip, 1234, w.public, 8080, SYN), a, "a forward")
at_in2 = lambda: [p for p in w.exchange(o, tcp(o.ip, 77, w.public, 7500, SYN), w.in2)[w.in2] if p.dport == 7500]
turns = int(os.environ["TURNS"])
for turn in range(turns):
    for name in ("b", "a"):
        if vfab("apply", f"{os.environ['T']}/{name}.yaml") is None:
            sys.exit("FAIL: apply")
        if w.one(a, udp(a.ip, 5000, o.ip, 53), o, "UDP").source != end:
            sys.exit("FAIL: the mapping changed")
        w.one(o, udp(o.ip, 53, *end), a, "its answer")
        if not t.lives():
            sys.exit("FAIL: TCP ended")
        if len(served()) != 1:
            sys.exit("FAIL: the forward's flow ended")
        if name == "b":
            if not at_in2():
                sys.exit("FAIL: a forward that came")
expect(True, True, f"{2 * turns} configurations, nothing lost")
expect(at_in2(), [], "a forward that went")
print(f"soak: {2 * turns} configurations under NAT")
PY

kill -INT "$pinging"
wait "$pinging" || fail "pings were lost: $(tail -n 5 "$T/ping")"
pings_lost "$T/ping" 1
