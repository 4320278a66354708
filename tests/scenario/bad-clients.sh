#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# M15: clients of the control socket that say nothing, half a request, a gigabyte, nonsense, or never read.  Each is dropped or
# refused; another client is answered within a second all the time; no descriptor is left.  (Q2.)  SOAK=1: 10^5 connections.
#
#   c1, c2 -- office -- [ vfabd ] -- control socket -- many rude clients, one polite
. "$(dirname "$0")/../lib/scenario.sh"

pair
allow_log 'client'
expect run c1 ping -q -c 1 -W 1 10.77.0.2
run c1 ping -q -i 0.02 -c 200 -W 1 10.77.0.2 >"$T/ping" 2>&1 &
pinging=$!

SWITCH=$(switch_pid) frames <<'PY'
import array
import resource
from frames import *

resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
SWITCH = os.environ["SWITCH"]


def descriptors():
    return len(os.listdir(f"/proc/{SWITCH}/fd"))


def memory_kb():
    with open(f"/proc/{SWITCH}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def connect(wait_s=5):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(SOCKET)
    sock.settimeout(wait_s * SLOW)
    return sock


def polite(what):
    """Answered within a second, whatever the others do."""
    start = time.monotonic()
    names = [p["name"] for p in ctl("port.ls")]
    took = time.monotonic() - start
    if names != ["c1", "c2"] or took > 1 * SLOW:
        sys.exit(f"FAIL: {what}: a polite client got {names} after {took:.2f} s")
    print(f"ok: {what}: others are answered ({took * 1000:.0f} ms)")


def until_closed(sock, send=b""):
    """Sends the same over and over until the switch hangs up; bytes that it took."""
    sent = 0
    try:
        while sent < 1 << 30:
            sent += sock.send(send)
    except (BrokenPipeError, ConnectionResetError, TimeoutError):
        pass
    return sent


polite("at rest")
base, base_kb = descriptors(), memory_kb()

silent = [connect() for _ in range(300)]
polite("300 who say nothing")
half = [connect() for _ in range(100)]
for sock in half:
    sock.send(b'{"verb": "port.')
polite("100 with half a request")

sock = connect()
sent = until_closed(sock, b"x" * (1 << 16))
expect(sent < 100 << 20, True, f"a gigabyte: hung up after {sent >> 20} MiB")
polite("a gigabyte")

# Requests without end from one that never reads.
greedy = connect(1)
greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
taken = until_closed(greedy, b'{"verb": "port.ls"}\n' * 100)
expect(taken < 100 << 20, True, f"pipelined without reading: {taken >> 10} KiB taken")
polite("one who never reads")

# Followers that never read, while events happen.
watchers = []
for _ in range(100):
    sock = connect()
    sock.send(b'{"verb": "events", "follow": true}\n')
    watchers.append(sock)
for i in range(30):
    ctl("conf.merge", how="set", text=json.dumps({"ports": {"c2": {"mac-limit": 100 + i}}}))
polite("100 followers who never read")

# Nonsense is refused or hung up on, with nothing broken.
refused = 0
for nonsense in (b"\n", b"{}\n", b"[]\n", b"null\n", b"\0\0\0\n", b'{"verb": 5}\n', b'{"verb": "no.such"}\n', b'{"verb": null}\n',
                 b"[" * 100000 + b"\n", b'{"a":' * 50000 + b"\n", b'{"verb": "mac.ls", "network": [1]}\n',
                 b'{"verb": "conf.merge"}\n', b'{"verb": "conf.merge", "how": "sideways", "text": "{}"}\n',
                 b'{"verb": "conf.apply", "text": 5}\n', b'{"verb": "conf.apply", "text": "{}", "confirm_s": -5}\n',
                 b'{"verb": "trace", "filter": [[1,2]]}\n', b'{"verb": "trace", "filter": "tcp"}\n',
                 b'{"verb": "trace", "filter": [[6, 0, 0, 4294967296]]}\n', b'{"verb": "trace", "filter": [[5, 0, 0, 4000000000]]}\n',
                 b'{"verb": "trace", "count": -1}\n', b'{"verb": "capture"}\n', b'{"verb": "capture", "port": "all"}\n',
                 b'{"verb": "capture", "port": "c1", "snaplen": -1}\n', b'{"verb": "drops", "port": "nobody"}\n',
                 b'{"verb": "port.ls", "verb": "conf.save"}\n', b'{"verb": "\xff\xfe"}\n', b'{"verb": "port.ls"} trailing\n',
                 b'{"verb": "events", "since_ms": "yesterday"}\n', b'{"verb": "' + b"v" * 100000 + b'"}\n'):
    sock = connect()
    sock.sendall(nonsense)
    answer = b""
    try:
        while not answer.endswith(b"\n") and (more := sock.recv(65536)):
            answer += more
    except ConnectionResetError:
        pass
    except TimeoutError:
        sys.exit(f"FAIL: no answer to {nonsense[:60]!r}")
    if answer and json.loads(answer)["ok"]:
        sys.exit(f"FAIL: {nonsense[:60]!r} is taken: {answer[:100]!r}")
    refused += 1
    sock.close()
polite(f"{refused} kinds of nonsense")

# Descriptors that nobody asked for, of every kind and number.
with open("/dev/null") as null:
    for n in (1, 2, 4, 5, 16, 64, 253):
        for verb in (b'{"verb": "port.ls"}\n', b'{"verb": "', b'{"verb": "capture", "port": "nobody"}\n'):
            sock = connect()
            sock.sendmsg([verb], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [null.fileno()] * n))])
            sock.close()
polite("surplus descriptors")

# More clients than there is room for: some are turned away, and a place is found again when they leave.
crowd = []
try:
    for _ in range(1500):
        sock = socket.socket(socket.AF_UNIX)
        sock.setblocking(False)
        sock.connect(SOCKET)
        crowd.append(sock)
except (BlockingIOError, ConnectionRefusedError):
    pass
for sock in crowd + silent + half + watchers + [greedy]:
    sock.close()

wait_for(5, "a place after the crowd has left", lambda: ctl("version"))
polite(f"after a crowd of {len(crowd)}")

# Connect and leave, many times.
COMINGS = 100000 if os.environ.get("SOAK") else 3000
for _ in range(COMINGS):
    connect().close()
polite(f"{COMINGS} who come and go")
print(f"soak: {COMINGS} connections")

wait_for(5, f"as few descriptors as before ({base})", lambda: descriptors() <= base)
expect(memory_kb() < base_kb + (40 << 10) * SLOW, True, f"memory went from {base_kb} to {memory_kb()} KiB")
PY

wait "$pinging" || fail "pings were lost: $(cat "$T/ping")"
pings_lost "$T/ping" 0
