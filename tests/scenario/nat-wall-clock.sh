#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# H07 the wall clock jumps a year ahead and two years back, and the switch is stopped for a while: sessions, neighbours and addresses
# live by the monotonic clock, none ends, and what is forwarded goes on.
#
#   in1 (by hand) -- lan -- [ vfabd + tests/fault/wall_clock.c ] -- out1 (by hand)
#
# Pace: mostly waits
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/nat-fabric.sh"

[ "$SLOW" = 1 ] || skip "a sanitizer has to be loaded first"
command -v "${CC:-cc}" >/dev/null || skip "needs a compiler"
"${CC:-cc}" -std=c11 -D_GNU_SOURCE -O2 -fPIC -shared -o "$T/wall_clock.so" "$ROOT/tests/fault/wall_clock.c"
head -c 4096 /dev/zero >"$T/clock"
mkdir "$T/build"
cat >"$T/build/vfabd" <<SH
#!/bin/sh
LD_PRELOAD=$T/wall_clock.so VFAB_WALL_CLOCK=$T/clock exec $BUILD/vfabd "\$@"
SH
chmod +x "$T/build/vfabd"
ln -s "$BUILD/vfab" "$T/build/vfab"
BUILD=$T/build

nat_fabric interface "nat: {rate: 0}"
mute in1 out1
CLOCK=$T/clock SWITCH=$(switch_pid) nat_py <<'PY'
import mmap

from nat import *

YEAR = 365 * 86400
w = World()
a, o = w.in1, w.out1
w.back_end(o, a)
with open(os.environ["CLOCK"], "r+b") as file:
    control = mmap.mmap(file.fileno(), 16)
udps = [w.one(a, udp(a.ip, 5000 + n, o.ip, 53), o, "outwards").source for n in range(20)]
tcps = [Tcp(w, a, 6000 + n, o, 80).open() for n in range(5)]


def known():
    return {(s["proto"], s["inside"], s["outside"], s["remote"]) for s in sessions() if "10.0.0.11:" in s["inside"]}


before = known()
expect(len(before) >= 25, True, "the sessions")


def live(what):
    expect(before - known(), set(), f"H07: {what}: each of {len(before)} sessions is there")
    lost = sum(len(w.exchange(o, udp(o.ip, 53, *end), a)[a]) != 1 for end in udps)
    expect(lost, 0, f"H07: {what}: answers pass")
    expect([t.lives() for t in tcps], [True] * 5, f"H07: {what}: connections live")


for n, (what, ahead) in enumerate((("a year ahead", YEAR), ("a year back", -YEAR), ("as it was", 0))):
    control[0:8] = struct.pack("q", ahead)
    asked = struct.unpack("Q", control[8:16])[0]
    vfab("net", "add", f"other{n}", "--mode", "internal")
    vfab("port", "add", f"p{n}", "--net", f"other{n}", "--tap", f"px{n}")  # an event, which has the time
    time.sleep(1.2)  # of ticks, expiry and questions to neighbours
    expect(struct.unpack("Q", control[8:16])[0] > asked, True, f"H07: {what}: the switch asked that clock")
    live(what)

os.kill(int(os.environ["SWITCH"]), signal.SIGSTOP)
time.sleep(3)
os.kill(int(os.environ["SWITCH"]), signal.SIGCONT)
live("stopped for a while")
PY
