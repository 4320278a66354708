#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `vfab trace`: each stage's line, verdicts and drop reasons, the filter with and without the outer tag, --port, --count,
# --drops; every frame once while two workers run; and nothing is left of a trace that ended.
#
#   c1, c2  office 10 ------------.                .-- tr  trunk 10, 20
#   gm      office, guard mac ----+-- [ vfabd, ] --+-- lm, st, rt  20: mac-limit 0; storm 0; rate
#   i1, i2  office, isolated -----'   2 workers    +-- sm  alone in 30
#                                                  '-- hn  inner, host-only
. "$(dirname "$0")/../lib/scenario.sh"

for name in c1 c2 gm i1 i2 tr lm st rt sm hn; do ns $name; done
fabric <<EOF
networks:
  office: {mode: internal, vlan: 10, macs: {"02:00:00:00:00:99": c2}}
  store: {mode: internal, vlan: 20}
  lonely: {mode: internal, vlan: 30}
  inner: {mode: host-only, vlan: 40, ipv4: 10.66.0.0/24}
ports:
$(tap c1 "network: office, mac: '02:00:00:00:00:01'")
$(tap c2 "network: office, mac: '02:00:00:00:00:02'")
$(tap gm "network: office, guard: mac")
$(tap i1 "network: office, isolated: true")
$(tap i2 "network: office, isolated: true, mtu: 600")
$(tap tr "vlan-mode: trunk, trunks: [10, 20]")
$(tap lm "network: store, mac-limit: 0, mac-limit-action: drop")
$(tap st "network: store, storm: {broadcast: 0}")
$(tap rt "network: store, rate: 1kbit")
$(tap sm "network: lonely")
$(tap hn "network: inner")
workers: {cpus: [0, 1]}
EOF
wait_for 5 ports_up

cat >"$T/tracing.py" <<'PY'
import re
import selectors
import subprocess
from frames import *

VFAB = [os.environ["BUILD"] + "/vfab", "-s", SOCKET]


def udp(dst, src, dport, tags=b"", payload=b"x" * 30):
    """UDP over IPv4 from 10.0.0.1:1000 to 10.0.0.2:dport; the port is also a serial number."""
    l4 = struct.pack("!HHHH", 1000, dport, 8 + len(payload), 0) + payload
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(l4), 0, 0, 64, 17, 0, bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]))
    total = sum(struct.unpack("!10H", head))
    head = head[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + head[12:]
    return eth(dst, src, head + l4, tags, 0x0800)


def arp(src, sender, target):
    return eth(BROADCAST, src, bytes.fromhex("0001080006040001") + mac_bytes(src) + bytes(sender) + bytes(6) + bytes(target),
               etype=0x0806)


class Trace:
    """vfab trace in the background, line by line."""

    def __init__(self, *words, form="json"):
        self.process = subprocess.Popen(VFAB + ["trace", "-o", form, *words], stdout=subprocess.PIPE, bufsize=0)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)
        self.rest = b""

    def line(self, wait_s):
        """The next line, or None when none came in that time, or the end came."""
        end = time.monotonic() + wait_s
        while b"\n" not in self.rest:
            if not self.selector.select(max(0, end - time.monotonic())):
                return None
            more = os.read(self.process.stdout.fileno(), 1 << 16)
            if not more:
                return None
            self.rest += more
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode()

    def story(self, wait_s=10.0):
        line = self.line(wait_s * SLOW)
        return json.loads(line) if line else None

    def begin(self, nudge):
        """Sends until the trace answers, then takes what is still on its way: from here on every frame counts."""
        for _ in range(500):
            nudge()
            if self.line(0.02 * SLOW) is not None:
                break
        else:
            sys.exit("FAIL: the trace shows nothing")
        while self.line(0.1 * SLOW) is not None:
            pass

    def end(self):
        """Ctrl-C; the rest of its lines."""
        self.process.send_signal(2)
        rest = []
        while (line := self.line(10 * SLOW)) is not None:
            rest.append(line)
        expect(self.process.wait(10 * SLOW), 0, "the trace ends on Ctrl-C")
        return rest


def steps(story):
    return [(s["stage"], s["what"]) for s in story["steps"]]
PY
traced()
{
	PYTHONPATH=$ROOT/tests/lib:$T PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -
}

# What each stage says, and how each frame ends.
traced <<'PY'
from tracing import *

c1, c2, gm, i1, i2, tr, lm, st, rt, sm, hn = stations("c1", "c2", "gm", "i1", "i2", "tr", "lm", "st", "rt", "sm", "hn")
learn(c1, c2, i1, i2)
for vid in (10, 20):
    send_settled(tr, [eth(BROADCAST, tr.mac, b"here", tag(vid))])
trace = Trace()
trace.begin(lambda: c1.send(udp(c2.mac, c1.mac, 9)))


def story_of(sender, frame):
    sender.send(frame)
    while True:
        story = trace.story()
        if not story:
            sys.exit(f"FAIL: no story of a frame of {sender}")
        if story["port"] == sender.port:
            return story


def ends(what, sender, frame, verdict, out, reason=None, **stages):
    """One story: its end, and for each stage named its line, or a list of lines."""
    story = story_of(sender, frame)
    expect((story["verdict"], sorted(story["out"]), story["reason"]), (verdict, sorted(out), reason), what)
    for stage, want in stages.items():
        got = sorted(w for s, w in steps(story) if s == stage)
        expect(got, sorted([want] if isinstance(want, str) else want), f"{what}: line of {stage}")
    return story


story = ends("known", c1, udp(c2.mac, c1.mac, 53), "forward", ["c2"], vlan="access port: VLAN 10, priority 0", learn=[],
             lookup="destination is behind port c2", tx="out by c2, untagged")
expect(sorted(story), sorted(["time", "frame", "port", "steps", "verdict", "out", "reason"]), "the keys of a story")
expect(bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", story["time"])), True, "time is RFC 3339 in nanoseconds")
frame = story["frame"]
expect([frame[k] for k in ("src", "dst", "type", "vlan", "pcp", "len")], [c1.mac, c2.mac, "ipv4", 10, 0, 72], "the frame's own")
expect(frame["ip"], {"proto": "udp", "src": "10.0.0.1", "dst": "10.0.0.2", "sport": 1000, "dport": 53}, "its IP header")

everyone = ["c2", "gm", "i1", "i2", "tr"]
flooded = [f"out by {p}, untagged" for p in everyone if p != "tr"]
ends("new source, unknown destination", c1, eth("02:00:00:00:aa:aa", "02:00:00:00:11:11"), "flood", everyone,
     learn="source is new: learned", lookup="unknown destination: flood to 5 of the 6 ports of VLAN 10",
     tx=flooded + ["out by tr, tag 10"])
ends("priority", c1, eth(BROADCAST, c1.mac, b"", tag(0, 5)), "flood", everyone, vlan="access port: VLAN 10, priority 5",
     lookup="group destination: flood to 5 of the 6 ports of VLAN 10", tx=flooded + ["out by tr, tag 10, priority 5"])
ends("moved", c2, eth(c1.mac, "02:00:00:00:11:11"), "forward", ["c1"], learn="source moved here from another port")
ends("pinned", c1, eth(c2.mac, "02:00:00:00:00:99"), "forward", ["c2"],
     learn="a static entry says another port: it stands")

ends("tagged into an access port", c1, eth(c2.mac, c1.mac, b"", tag(10)), "drop", [], "vlan",
     vlan="access port does not take this tagged frame")
ends("untagged into a trunk", tr, eth(c2.mac, tr.mac), "drop", [], "vlan", vlan="trunk port does not take this untagged frame")
ends("VLAN 4095", tr, eth(c2.mac, tr.mac, b"", tag(4095)), "drop", [], "vlan_reserved")
ends("reserved", c1, eth("01:80:c2:00:00:0e", c1.mac), "drop", [], "reserved", guard="reserved destination")
ends("bad source", c1, eth(c2.mac, BROADCAST), "drop", [], "bad_source",
     guard="source address is a group, zero or the switch's own")
ends("guard", gm, eth(c2.mac, c1.mac), "drop", [], "guard_mac", guard=f"guard mac: this port may use {gm.mac} only")
ends("same port", c1, eth(c1.mac, c1.mac), "drop", [], "same_port", lookup="destination is behind port c1")
ends("isolated", i1, eth(i2.mac, i1.mac), "drop", [], "isolated")
ends("too big", c1, eth(i2.mac, c1.mac, b"x" * 700), "drop", [], "too_big", tx="i2: too_big")
# A copy that one output of several does not take: the others have it.
ends("too big for one", c1, eth(BROADCAST, c1.mac, b"x" * 700), "flood", [p for p in everyone if p != "i2"],
     tx=[line for line in flooded if "i2" not in line] + ["i2: too_big", "out by tr, tag 10"])
ends("MAC limit", lm, eth(BROADCAST, lm.mac), "drop", [], "mac_limit", learn="not learned: MAC limit")
ends("storm", st, eth(BROADCAST, st.mac), "drop", [], "storm", police="over the port's broadcast, multicast or unknown limit")
ends("nobody there", sm, eth(BROADCAST, sm.mac), "drop", [], "no_output",
     lookup="group destination: flood to 0 of the 1 ports of VLAN 30")
ends("the host", hn, arp(hn.mac, (10, 66, 0, 9), (10, 66, 0, 1)), "flood", ["vf-inner"], tx="out by vf-inner, untagged")
ends("beside the host", hn, arp(hn.mac, (10, 66, 0, 9), (10, 66, 0, 7)), "drop", [], "host_only")
host_mac = next(e["mac"] for e in ctl("mac.ls") if e["port"] == "vf-inner")
ends("past the host", hn, udp(host_mac, hn.mac, 53), "drop", [], "host_only",
     host="not for the host's address on this network")
trace.end()

# The rate's burst is spent first.
trace = Trace("--port", "rt", "--drops")
big = eth(st.mac, rt.mac, b"x" * 1400)
for _ in range(100):
    rt.send(big)
trace.begin(lambda: rt.send(big))
story = story_of(rt, big)
expect((story["verdict"], story["reason"], steps(story)[-1]), ("drop", "rate", ("police", "over the rate of the port")), "rate")
trace.end()
PY

# The same as text.
traced <<'PY'
from tracing import *

c1, c2 = stations("c1", "c2")
learn(c1, c2)


def block(words, send):
    """The text of one frame's story."""
    trace = Trace(*words, form="table")
    trace.begin(send)
    send()
    lines = []
    while (line := trace.line(10 * SLOW)):
        lines.append(line)
    trace.end()
    return lines


lines = block(["udp", "port", "53"], lambda: c1.send(udp(c2.mac, c1.mac, 53)))
expect(bool(re.fullmatch(rf"\S+Z  c1  {c1.mac} > {c2.mac}, ipv4, vlan 10, 72 bytes", lines[0])), True, lines[0])
expect(lines[1:], ["    udp 10.0.0.1 port 1000 > 10.0.0.2 port 53",
                   "    vlan     access port: VLAN 10, priority 0",
                   "    lookup   destination is behind port c2",
                   "    tx       out by c2, untagged",
                   "    => forward to c2"], "a block of text")
lines = block(["--drops", "--port", "c1"], lambda: c1.send(eth(c2.mac, c1.mac, b"", tag(10))))
expect(lines[-1], "    => drop: vlan", "the end of a drop's block")
PY

# Which frames: filter, --port, --drops, --count.
traced <<'PY'
from tracing import *

c1, c2, tr, st = stations("c1", "c2", "tr", "st")
learn(c1, c2)
for vid in (10, 20):
    send_settled(tr, [eth(BROADCAST, tr.mac, b"here", tag(vid))])

MIX = {"web": (c1, udp(c2.mac, c1.mac, 80)), "dns": (c1, udp(c2.mac, c1.mac, 53)), "back": (c2, udp(c1.mac, c2.mac, 53)),
       "t10": (tr, udp(c1.mac, tr.mac, 53, tag(10))), "t20": (tr, udp(st.mac, tr.mac, 53, tag(20))),
       "bad": (c1, udp(c2.mac, c1.mac, 53, tag(10))), "storm": (st, udp(BROADCAST, st.mac, 53))}


def name_of(story):
    """Which of the mix it was."""
    frame, port = story["frame"], story["port"]
    if port == "tr":
        return f"t{frame['vlan']}"
    if port == "c1":
        return "bad" if story["verdict"] == "drop" else {80: "web", 53: "dns"}[frame["ip"]["dport"]]
    return {"c2": "back", "st": "storm"}[port]


def shows(words, *want):
    """With these words a trace shows exactly these of the mix, each as often as it is sent."""
    trace = Trace(*words)
    trace.begin(lambda: MIX[want[0]][0].send(MIX[want[0]][1]))
    for _ in range(5):
        for sender, frame in MIX.values():
            send_settled(sender, [frame])
    names = {}
    while sum(names.values()) < 5 * len(want) and (story := trace.story()):
        names[name_of(story)] = names.get(name_of(story), 0) + 1
    while (story := trace.story(0.1)):
        names[name_of(story)] = names.get(name_of(story), 0) + 1
    trace.end()
    expect(names, {name: 5 for name in names | dict.fromkeys(want) if name in want}, f"trace {' '.join(words)}")


shows([], *MIX)
shows(["udp port 53"], "dns", "back", "t10", "t20", "bad", "storm")
shows(["udp", "port", "80"], "web")
shows(["udp port 53", "--port", "c1"], "dns", "bad")
shows(["--port=tr"], "t10", "t20")
shows(["--drops", "udp"], "bad", "storm")
shows(["--drops", "--port", "c1"], "bad")
# With the word vlan a filter sees the frame as on the wire: what came untagged has none.
shows(["vlan"], "t10", "t20", "bad")
shows(["vlan 20 and udp"], "t20")
shows(["vlan 10"], "t10", "bad")
shows(["udp and not vlan"], "web", "dns", "back", "storm")

# --count is exact, and ends it.
for count in (1, 7, 300):
    trace = Trace("--count", str(count), "udp port 80")
    lines, end = 0, time.monotonic() + 20 * SLOW
    while trace.process.poll() is None and time.monotonic() < end:
        for _ in range(50):
            c1.send(udp(c2.mac, c1.mac, 80))
        while trace.line(0.005):
            lines += 1
    while trace.line(1):
        lines += 1
    expect((trace.process.wait(1), lines), (0, count), f"--count {count}")
PY

# Two workers: c1 and c2 are received by one each; every frame of both is told once, in its port's order.
traced <<'PY'
import threading
from tracing import *

c1, c2 = stations("c1", "c2")
learn(c1, c2)
trace = Trace("udp")
trace.begin(lambda: (c1.send(udp(c2.mac, c1.mac, 1)), c2.send(udp(c1.mac, c2.mac, 1))))
N = 3000


def send_all(a, b):
    for serial in range(N):
        a.send(udp(b.mac, a.mac, serial))
        if serial % 20 == 19:
            time.sleep(0.002 * int(os.environ["SLOW"])) # a reader that is too slow is told what it lost


both = [threading.Thread(target=send_all, args=pair) for pair in ((c1, c2), (c2, c1))]
for thread in both:
    thread.start()
told = {"c1": [], "c2": []}
while min(len(s) for s in told.values()) < N and (story := trace.story()):
    told[story["port"]].append(story["frame"]["ip"]["dport"])
for thread in both:
    thread.join()
expect(trace.end(), [], "nothing comes twice")
for port, serials in told.items():
    expect(serials, list(range(N)), f"each frame of {port} is told once, in order")
PY

# What is refused, each in one line.
one_line()
{
	local want=$1 text=$2
	shift 2

	expect_status "$want" vfab "$@" 2>"$T/said"
	expect_eq "lines said" "$(wc -l <"$T/said")" 1
	expect grep -F -- "$text" "$T/said"
}
one_line 65 'filter "prot udp"' trace prot udp
one_line 1 'did you mean "c1"' trace --port c11
one_line 65 count trace --count 0
one_line 65 count trace --count many
one_line 2 colour trace --colour

# What ended leaves nothing: many come and go, by Ctrl-C, TERM and KILL, and the switch has the descriptors it had, and
# not more memory each time.
pid=$(switch_pid)
descriptors()
{
	find "/proc/$pid/fd" -type l | wc -l
}
had=$(descriptors)
has_its_descriptors()
{
	[ "$(descriptors)" = "$had" ]
}
memory()
{
	awk '/^VmRSS/ { print $2 }' "/proc/$pid/status"
}
many()
{
	TURNS=$1 traced <<'PY'
from tracing import *

c1, c2 = stations("c1", "c2")
for turn in range(int(os.environ["TURNS"])):
    traces = [Trace() for _ in range(15)]
    waiting = list(traces)
    while waiting:
        c1.send(udp(c2.mac, c1.mac, 7))
        waiting = [trace for trace in waiting if not trace.line(0.01)]
    for n, trace in enumerate(traces):
        trace.process.send_signal((2, 15, 9)[n % 3])
    for trace in traces:
        trace.process.wait(10 * SLOW)
PY
}
many 1
wait_for 5 has_its_descriptors
before=$(memory)
many 4
wait_for 5 has_its_descriptors
echo "memory: $before, then $(memory) kB"
[ "$SLOW" != 1 ] || expect test $(($(memory) - before)) -lt 4096

# There is room for all sixteen again, and for no other; and while they have nothing to show, the switch rests.
PID=$pid traced <<'PY'
from tracing import *

c1, c2 = stations("c1", "c2")
traces = [Trace() for _ in range(16)]
waiting = list(traces)
while waiting:
    c1.send(udp(c2.mac, c1.mac, 7))
    waiting = [trace for trace in waiting if not trace.line(0.01)]
more = subprocess.run(VFAB + ["trace"], capture_output=True, text=True, timeout=10 * SLOW)
expect((more.returncode, more.stderr), (1, "vfab: too many traces and captures: 16\n"), "one more is refused")
for trace in traces:
    while trace.line(0.05):
        pass


def cpu_ns():
    tasks = f"/proc/{os.environ['PID']}/task"
    return sum(int(open(f"{tasks}/{task}/schedstat").read().split()[0]) for task in os.listdir(tasks))


before = cpu_ns()
time.sleep(0.5)
used = (cpu_ns() - before) / 0.5e9
print(f"{used:.2%} of a CPU")
expect(used < 0.02 * SLOW, True, "an idle switch with sixteen traces takes no CPU")
for trace in traces:
    trace.end()
PY
