#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# N35: nat ls, flush and stats, as tables and JSON: each key is there, counts fit, filters choose, a flush ends what it says and
# nothing else; the neighbour table and `uplink ls` beside them; explain and trace name what NAT does.
#
#   in1 .11, in2 .12 -- lan -- [ vfabd ] .1 -- out1 .10
#
# RFC 6888 REQ-10
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/nat-fabric.sh"

nat_fabric interface
mute in1 in2 out1

nat_py <<'PY'
from nat import *


def test(w):
    a, b, o = w.in1, w.in2, w.out1
    text = (lambda address, port: f"[{address}]:{port}") if w.v6 else lambda address, port: f"{address}:{port}"
    end = w.one(a, udp(a.ip, 5000, o.ip, 53, b"x" * 10), o, "UDP").source
    w.one(o, udp(o.ip, 53, *end), a, "its answer")
    w.one(o, udp(o.ip, 53, *end), a, "its answer")
    t = Tcp(w, a, 5001, o, 80).open()
    e = w.one(b, echo(b.ip, o.ip, 5002), o, "echo")

    row = next(s for s in sessions(proto="udp") if s["inside"] == text(a.ip, 5000))
    keys = {"network", "proto", "inside", "outside", "remote", "state", "kind", "idle_s", "expires_s", "rx_frames", "tx_frames"}
    expect(keys - set(row), set(), "N35: the keys of INTERFACE")
    expect({k: row[k] for k in ("network", "outside", "remote", "kind", "rx_frames", "tx_frames")},
           {"network": "lan", "outside": text(*end), "remote": text(o.ip, 53), "kind": "dynamic", "rx_frames": 1, "tx_frames": 2}, "N35: a row")
    expect((row["idle_s"] < 10 * SLOW, 280 < row["expires_s"] <= 300), (True, True), "N35: its times")
    states = {(s["proto"], s["inside"]): s["state"] for s in sessions()}
    expect((states["tcp", text(a.ip, 5001)], states["udp", text(a.ip, 5000)], states["icmp", text(b.ip, 5002)]),
           ("established", "answered", "new"), "N35: states")

    # Filters.
    ls = lambda *args: {(s["proto"], s["inside"]) for s in vfab("nat", "ls", *args, "-o", "json")}
    expect(ls("--proto", "tcp"), {("tcp", text(a.ip, 5001))}, "N35: --proto")
    expect({i for _, i in ls("--port", "in2")} & {text(a.ip, 5000), text(b.ip, 5002)}, {text(b.ip, 5002)}, "N35: --port")
    expect(len(ls("--net", "lan")), len(sessions()), "N35: --net")
    expect(vfab("nat", "ls", "--net", "nobody", "-o", "json"), None, "N35: a network that is not there")
    expect(vfab("nat", "ls", "--proto", "sctp", "-o", "json"), None, "N35: a protocol that is not there")

    stats = vfab("nat", "stats", "-o", "json")
    print(json.dumps(stats))
    expect(str(len(sessions())) in json.dumps(stats), True, "N35: stats count the sessions")

    # Flush.
    expect(vfab("nat", "flush", "--proto", "tcp") is not None, True, "N35: flush")
    expect(ls("--proto", "tcp"), set(), "N35: those are gone")
    w.one(o, udp(o.ip, 53, *end), a, "N35: others are not")
    expect(t.back(PSH | ACK, b"late"), [], "N35: a flushed session passes nothing")
    vfab("nat", "flush", "--port", "in2")
    w.refresh()
    w.none(o, echo(o.ip, e.src, e.ident, reply=True), b, "N35: those of in2 are gone")
    w.one(o, udp(o.ip, 53, *end), a, "N35: those of in1 are not")
    vfab("nat", "flush")
    w.refresh()
    w.none(o, udp(o.ip, 53, *end), a, "N35: all are gone")

    # Trace tells of it, on the path that the frame itself took.
    trace = subprocess.Popen([f"{BUILD}/vfab", "-s", SOCKET, "trace", "udp port 5053", "--port", "in1", "--count", "1", "-o", "json"],
                             stdout=subprocess.PIPE)
    while trace.poll() is None:
        w.exchange(a, udp(a.ip, 5003, o.ip, 5053), o)
        time.sleep(0.02)
    told = json.loads(trace.stdout.read().splitlines()[0])
    stages = {step["stage"] for step in told["steps"]}
    print(told)
    expect(("nat" in stages, told["verdict"], told["out"]), (True, "forward", ["wan"]), "trace of a packet through NAT")


both_families(test)
PY

for verb in "nat ls" "nat stats" "uplink ls" "forward ls"; do
	expect vfab $verb
done
expect_eq "uplink ls" "$(vfab uplink ls -o json | jq -r '.[] | "\(.name) \(.kind)"')" "wan interface"
says 1 'network "nobody"' vfab nat flush --net nobody
expect_status 2 vfab nat dance
vfab drops -o json | jq -e 'map(.reason) | index("nat_no_session")' || fail "no drop by nat_no_session"
