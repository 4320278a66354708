#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The switch process is killed under traffic: every session, mapping and forward is there again with the same ends; a TCP connection of
# real kernels goes on, so do connections made by hand and answers to UDP.  (Q5, H01 for the NAT)
#
#   in1 (by hand), in2 (iperf3) -- lan -- [ switch: killed | broker ] -- out1 (by hand), out2 (iperf3)
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/nat-fabric.sh"

nat_fabric interface "nat: {rate: 0}, forwards: [\"8080:10.0.0.11:80\"]"
allow_log '[Ss]witch'
start out2 iperf3 -s -p 5201
wait_for 5 run in2 ping -q -c 1 -W 1 198.51.100.20
mute in1 out1
nsenter --net="/run/netns/$in2" iperf3 -c 198.51.100.20 -p 5201 -t $((2 + SLOW)) -b 100M -l 16K >"$T/iperf" 2>&1 </dev/null &
iperf=$!
defer end_process $iperf

SWITCH=$(switch_pid) BROKER=$FABRIC_PID nat_py <<'PY'
from nat import *

w = World()
a, o = w.in1, w.out1
w.back_end(o, a)
udps = {p.sport: p for p in w.exchange(a, [udp(a.ip, 5000 + n, o.ip, 53, struct.pack("!H", n)) for n in range(500)], o)[o]}
expect(len(udps), 500, "500 UDP sessions")
tcps = [Tcp(w, a, 6000 + n, o, 80).open() for n in range(20)]
e = w.one(a, echo(a.ip, o.ip, 7), o, "an echo")
w.one(o, tcp(o.ip, 1234, w.public, 8080, SYN), a, "a forward")


def known():
    return {(s["network"], s["proto"], s["inside"], s["outside"], s["remote"], s["kind"], s["state"]) for s in sessions()
            if "10.0.0.11:" in s["inside"]}


def another(old):
    children = subprocess.run(["pgrep", "-P", os.environ["BROKER"]], capture_output=True, text=True).stdout.split()
    return children and children[0] != old and vfab("port", "ls", "-o", "json") is not None and children[0]


before, pid = known(), os.environ["SWITCH"]
os.kill(int(pid), signal.SIGKILL)
start = time.monotonic()
wait_for(8, "another switch", lambda: another(pid))
wait_for(5, "the switch passes again", lambda: w.exchange(a, udp(a.ip, 5000, o.ip, 53), o)[o])
print(f"traffic {1000 * (time.monotonic() - start):.0f} ms after the signal")
after = known()
expect(after - before, set(), "no session that was not there")
expect(before - after, set(), f"each of {len(before)} sessions is there again")
w.back.clear()
lost = sum(len(w.exchange(o, udp(o.ip, 53, *p.source), a)[a]) != 1 for p in udps.values())
expect(lost, 0, "answers to all UDP sessions pass")
expect([t.lives() for t in tcps], [True] * 20, "all TCP connections live")
w.one(o, echo(o.ip, e.src, e.ident, reply=True), a, "the echo's answer")
w.one(a, tcp(a.ip, 80, o.ip, 1234, SYN | ACK, 1, 1), o, "the forward's answer")
PY
wait "$iperf" || fail "iperf3 ended: $(tail -n 3 "$T/iperf")"
tail -n 4 "$T/iperf"
