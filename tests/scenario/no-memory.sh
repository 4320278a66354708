#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# R07 memory: each allocation of the switch fails once, and then all from it on, while it carries out each verb; the same in the broker.
# A verb succeeds or is refused in one line, the configuration is what it was or what was asked for and nothing between, no
# process ends, and c1 and c2 ping each other all the time without a loss.  Last: vfabd starts, or ends with one
# clear error, whichever allocation of its start fails.  SOAK=1 takes every allocation, else some are picked.  (Q3)
#
#   c1, c2 -- office, VLAN 10 -- [ vfabd + tests/fault/alloc.c ] -- control socket -- verbs
. "$(dirname "$0")/../lib/scenario.sh"

[ "$SLOW" = 1 ] || skip "the allocator of a sanitizer cannot be made to fail"
command -v "${CC:-cc}" >/dev/null || skip "needs a compiler"
"${CC:-cc}" -std=c11 -D_GNU_SOURCE -O2 -fPIC -shared -o "$T/alloc.so" "$ROOT/tests/fault/alloc.c"
head -c 4096 /dev/zero >"$T/fault"

ns c1
ns c2
ns c3
ns c4
# Preloaded into vfabd alone: scenario.sh starts it from here.
mkdir "$T/build"
cat >"$T/build/vfabd" <<SH
#!/bin/sh
LD_PRELOAD=$T/alloc.so VFAB_FAULT=$T/fault exec $BUILD/vfabd "\$@"
SH
chmod +x "$T/build/vfabd"
ln -s "$BUILD/vfab" "$T/build/vfab"
REAL=$BUILD
BUILD=$T/build
fabric <<YAML
networks:
  office: {mode: internal, vlan: 10}
ports:
$(tap c1 "network: office, ipv4: 10.77.0.1/24")
$(tap c2 "network: office, ipv4: 10.77.0.2/24")
$(tap c3 "network: office, mac-limit: 5")
YAML
wait_for 5 ports_up
allow_log '[Mm]emory|allocat'
expect run c1 ping -q -c 1 -W 1 10.77.0.2
switch=$(switch_pid)
start c1 ping -q -i 0.01 -W 1 10.77.0.2
pinging=$STARTED

C4=$c4 BROKER=$FABRIC_PID SWITCH=$switch frames <<'PY'
import array
import mmap
import random
from frames import *

seed = int.from_bytes(os.urandom(4), "big")
random.seed(seed)
print(f"seed {seed}")
EVERY, PICKED = bool(os.environ.get("SOAK")), 40
BROKER, SWITCH = int(os.environ["BROKER"]), int(os.environ["SWITCH"])
with open(os.path.join(os.environ["T"], "fault"), "r+b") as file:
    page = mmap.mmap(file.fileno(), 4096)
FOREVER = 1 << 40


def set_fault(armed, pid=0, first=FOREVER, count=0):
    struct.pack_into("=5Q", page, 0, 0, pid, first, count, 0)
    struct.pack_into("=Q", page, 0, armed)


def seen():
    return struct.unpack_from("=Q", page, 32)[0]


def request(verb, fd=None, stream=False, **args):
    """True when it was done, False when it was refused in one line, or the client was dropped."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(5)
        try:
            sock.connect(SOCKET)
            line = json.dumps({"verb": verb, **args}).encode() + b"\n"
            sock.sendmsg([line], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))] if fd else [])
            answer = b""
            while b"\n" not in answer:
                more = sock.recv(1 << 16)
                if not more:
                    return False
                answer += more
            if stream:
                end = time.monotonic() + 0.03
                sock.settimeout(0.01)
                while time.monotonic() < end:
                    try:
                        if not sock.recv(1 << 16):
                            break
                    except TimeoutError:
                        pass
        except (ConnectionResetError, BrokenPipeError):
            return False
        except TimeoutError:
            sys.exit(f"FAIL: no answer to {verb}")
    answer = json.loads(answer.split(b"\n")[0])
    if not answer["ok"] and (not answer["error"] or "\n" in answer["error"]):
        sys.exit(f"FAIL: {verb}: refused without one clear line: {answer}")
    return answer["ok"]


def config():
    return ctl("conf.show")


before = config()
text = before["text"] if isinstance(before, dict) else before
more = json.dumps({"networks": {"extra": {"mode": "internal", "vlan": 99}},
                   "ports": {"c4": {"tap": "eth0", "netns": os.environ["C4"], "network": "extra"}}})
changed = json.dumps({"ports": {"c2": {"mac-limit": 77, "storm": {"broadcast": 1000}}, "c3": {"queues": 2, "rate": "1gbit"}}})
less = json.dumps({"ports": {"c3": {}}})
workers = json.dumps({"workers": {"cpus": [0, 1]}})
ICMP = [[0x28, 0, 0, 12], [0x15, 0, 1, 0x800], [6, 0, 0, 65535], [6, 0, 0, 0]]
capture = os.memfd_create("capture")
VERBS = [
    ("version", {}), ("help", {}), ("port.ls", {}), ("net.ls", {}), ("mac.ls", {}), ("drops", {}), ("stats", {}), ("events", {}),
    ("conf.show", {}), ("conf.diff", {"text": text}), ("conf.apply", {"text": text}), ("conf.merge", {"how": "add", "text": more}),
    ("conf.merge", {"how": "set", "text": changed}), ("conf.merge", {"how": "del", "text": less}),
    ("conf.merge", {"how": "set", "text": workers}), ("mac.flush", {"network": "office"}), ("no.such", {}),
    ("events", {"follow": True, "stream": True}), ("trace", {"filter": ICMP, "count": 20, "stream": True}),
    ("capture", {"port": "all", "fd": capture, "stream": True}), ("conf.save", {}),
]


def check(what, wants, has_devices=True):
    for pid in (BROKER, SWITCH):
        if not os.path.exists(f"/proc/{pid}/root"):
            sys.exit(f"FAIL: {what}: process {pid} is gone")
    now = config()
    if now not in wants:
        sys.exit(f"FAIL: {what}: the configuration is neither the old nor the new one:\n{now}")
    if now != before:
        ctl("conf.apply", text=text)
        if config() != before:
            sys.exit(f"FAIL: {what}: no way back from\n{now}\nto\n{before}\nbut to\n{config()}")
    down = [p["name"] for p in ctl("port.ls") if p["state"] != "up"]
    if down and has_devices:
        sys.exit(f"FAIL: {what}: ports that are not up: {down}")


def try_all(verb, args, pid, who):
    what = verb + (f" {args['how']}" if "how" in args else "") + f", memory of the {who}"
    set_fault(1, pid)
    if not request(verb, **args) and verb != "no.such":
        sys.exit(f"FAIL: {what}: refused with all the memory there is")
    total = seen()
    set_fault(0)
    done = config()
    check(what, [done])
    points = range(total) if EVERY or total <= PICKED else sorted(random.sample(range(total), PICKED))
    refused = 0
    for first in points:
        for count in (1, FOREVER):
            set_fault(1, pid, first, count)
            refused += not request(verb, **args)
            set_fault(0)
            check(f"{what}, allocation {first} of {total}, {'alone' if count == 1 else 'and the rest'}",
                  [before, done], pid == SWITCH)
    print(f"ok: {what}: {2 * len(points)} tries at {total} allocations, {refused} refused")


for verb, args in VERBS:
    try_all(verb, args, SWITCH, "switch")
for verb, args in VERBS:
    if verb.startswith("conf."):
        try_all(verb, args, BROKER, "broker")
PY

kill -INT "$pinging"
wait "$pinging" || fail "pings were lost: $(tail -n 5 "$T/background.log")"
pings_lost "$T/background.log" 1
expect_eq "the process that switches" "$(switch_pid)" "$switch"
sums_match >/dev/null || fail "counters do not add up"
stop_fabric
BUILD=$REAL

# The start.  The library counts for both processes, each from its own first allocation on.
T=$T frames <<'PY'
import mmap
import random
import subprocess
from frames import *

EVERY, PICKED = bool(os.environ.get("SOAK")), 15
T = os.environ["T"]
with open(os.path.join(T, "fault"), "r+b") as file:
    page = mmap.mmap(file.fileno(), 4096)
FOREVER = 1 << 40


def start(first, count):
    """Status and error lines of a vfabd that started so, or None and nothing when it is ready."""
    struct.pack_into("=5Q", page, 0, 1, 0, first, count, 0)
    log_path = os.path.join(T, "start.log")
    with inside("fab"), open(log_path, "w") as log:
        daemon = subprocess.Popen([f"{T}/build/vfabd", "-c", f"{T}/fabric.yaml", "-s", SOCKET, "--state", f"{T}/state"], stderr=log,
                                  stdin=subprocess.DEVNULL)

    def is_decided():
        with open(log_path) as log:
            return daemon.poll() is not None or "info: ready" in log.read()

    wait_for(10, f"vfabd whose allocation {first} fails to be ready or to end", is_decided)
    seen = struct.unpack_from("=Q", page, 32)[0]
    struct.pack_into("=Q", page, 0, 0)
    status = daemon.poll()
    if status is None:
        daemon.terminate()
        if daemon.wait(10) != 0:
            sys.exit(f"FAIL: allocation {first} of the start failed; it started, but stopped with status {daemon.returncode}")
    with open(log_path) as log:
        lines = [line for line in log if not line.startswith(("vfabd: info", "switch: info", "broker: info"))]
    return status, lines, seen


_, _, total = start(FOREVER, 0)
points = range(total) if EVERY else sorted(random.sample(range(total), min(PICKED, total)))
refused = in_library = 0
for first in points:
    for count in (1, FOREVER):
        status, lines, _ = start(first, count)
        if status is None:
            continue
        refused += 1
        # The C library's look for a group crashes or asserts without memory, before there is anything to lose.
        if status in (-6, -11) and in_library < 5:
            in_library += 1
            continue
        # 127: the loader of programs; of two lines one is the C library's, where libseccomp frees twice.
        if status not in (1, 65, 127) or not 1 <= len(lines) <= 2:
            sys.exit(f"FAIL: allocation {first} of {total}: status {status}, says {lines}")
print(f"soak: {2 * len(points)} starts, and every verb, with allocations that fail")
print(f"ok: {2 * len(points)} starts at {total} allocations, {refused} refused")
PY
