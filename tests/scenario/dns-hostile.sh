#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# M11: questions and answers of somebody who means harm: pointer loops, 128 labels, lengths that lie, a reset in the middle of a query, ten
# thousand questions without an answer, forged answers.  The other guest is answered all the while, and the switch rests afterwards.
#
#   c1 .20 (hostile), c2 .21 -- office 10.10.0.0/24 -- [ vfabd ] -- up 198.51.100.53 (upstream.py, hostile as well)
#
# RFC 1035 4.1.4; RFC 5452 4
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/dhcp-fabric.sh"

outside 198.51.100.53
upstream
LEGS=office UPLINKS="  wan: {kind: host}"
dhcp_fabric c1:office:"ipv4: 10.10.0.20/24" c2:office:"ipv4: 10.10.0.21/24"
answers()
{
	run c2 dig +short +tries=1 +time=1 @10.10.0.1 first.example | grep -q 192.0.2.53
}
wait_for 8 answers
before=$(switch_pid)

dhcp_py <<'PY'
from frames import *
from names import *

c1, c2 = Guest(inside("c1")), Guest(inside("c2"))
serial = iter(range(1 << 30))


def fresh(label="host"):
    return f"{label}.n{next(serial)}.example"


def lives(what):
    start = time.monotonic()
    own, other = c2.ask("web.office.vfab"), c2.ask(fresh())
    took = time.monotonic() - start
    expect((own and own.data(A), other and other.data(A), took < 2 * SLOW), (["10.10.0.10"], ["192.0.2.53"], True), f"the other guest is answered: {what}")


def say(raw, seconds=0.3):
    """What comes, parsed: or None."""
    return c1.say(raw, seconds * SLOW)


print("-- ten thousand questions that nobody answers")
start = time.monotonic()
with c1.udp() as sock:
    codes = {}
    for n in range(10000):
        sock.send(question(fresh("slow")))
        if n % 500 == 0:
            time.sleep(0.01)
        if n == 5000:
            lives("in the midst of them")
            took = time.monotonic() - start
    time.sleep(0.2)
    while True:
        try:
            got = Message(sock.recv(4096, socket.MSG_DONTWAIT))
            code = got.rcode
            if code not in (SERVFAIL, REFUSED) and code not in codes:
                print(f"not refused: {got}")
            codes[code] = codes.get(code, 0) + 1
        except BlockingIOError:
            break
    print(f"10000 in {time.monotonic() - start:.1f} s; at once: {codes}")
    expect(set(codes) <= {SERVFAIL, REFUSED}, True, "what is too much is refused at once")
    lives("after them")
    # What is said of these takes as long as a question may wait.
    malformed = {label: c2.udp() for label in ("loop", "lies", "short", "extra")}
    for label, other in malformed.items():
        other.send(question(fresh(label)))
    # Those that were taken end too.
    sock.settimeout(8 * SLOW)
    late = 0
    try:
        while True:
            Message(sock.recv(4096))
            late += 1
            sock.settimeout(0.5 * SLOW)
    except TimeoutError:
        pass
    print(f"{late} more in the end")

print("-- questions")
head = struct.pack("!HHHHHH", 7, RD, 1, 0, 0, 0)
labels = lambda n, label: (bytes([len(label)]) + label) * n + b"\0"
for what, raw in (
        ("nothing", b""), ("a byte", b"\0"), ("eleven bytes", head[:11]), ("a header alone", head),
        ("a pointer to itself", head + b"\xc0\x0c\0\1\0\1"), ("a pointer to a pointer to it", head + b"\xc0\x0e\xc0\x0c\0\1\0\1"),
        ("a pointer behind the end", head + b"\xff\xff\0\1\0\1"), ("half a pointer", head + b"\xc0"), ("a pointer into the header", head + b"\xc0\x00\0\1\0\1"),
        ("128 labels", head + labels(128, b"a") + b"\0\1\0\1"), ("127 labels", head + labels(127, b"a") + b"\0\1\0\1"),
        ("a name of 256 bytes", head + labels(4, b"a" * 63) + b"\0\1\0\1"), ("a label of 64", head + b"\x40" + b"a" * 64 + b"\0\0\1\0\1"),
        ("a label of 128", head + b"\x80" + b"a" * 128 + b"\0\0\1\0\1"), ("a label past the end", head + b"\x3fabc"), ("no type", head + name_bytes("x.example")),
        ("no root", head + b"\1x"), ("an empty name", head + b"\0\0\1\0\1"), ("65535 questions", head[:4] + b"\xff\xff" + head[6:] + name_bytes("x.example") + b"\0\1\0\1"),
        ("no question", question("x.example", count=0)), ("two questions", question("x.example", count=2, extra=name_bytes("y.example") + b"\0\1\0\1")),
        ("an answer", question("x.example", flags=QR | RD)), ("an answer of a name of ours", question("web.office.vfab", flags=QR | AA)),
        ("counts that lie", head[:6] + b"\xff\xff\xff\xff\xff\xff" + name_bytes("x.example") + b"\0\1\0\1"),
        ("two OPTs", question("x.example", edns=1232, extra=b"\0" + struct.pack("!HHIH", OPT, 1232, 0, 0))),
        ("an OPT that is cut", question("x.example", edns=1232)[:-1]), ("EDNS version 1", question("x.example", edns=512)[:-6] + b"\0\1\0\0\0\0"),
        ("EDNS of 0 bytes", question("big.example")[:10] + b"\0\1" + question("big.example")[12:] + b"\0" + struct.pack("!HHIH", OPT, 0, 0, 0)),
        ("bytes behind it", question("x.example", extra=b"garbage" * 20)), ("class CHAOS", question("version.bind", TXT, klass=3)), ("class 0", question("x.example", klass=0)),
        ("AXFR", question("office.vfab", 252)), ("IXFR", question("office.vfab", 251)), ("type 0", question("x.example", 0)), ("type OPT", question("x.example", OPT)),
        ("names of control characters", question(b"\x04\x00\x01\x0a\xff\x07example\0")), ("a dot in a label", question(b"\x0aweb.office\x04vfab\0")),
        ("opcode 15", question("x.example", flags=15 << 11)), ("all flags", question("x.example", flags=0x7FFF)), ("600 bytes", question("x.example", extra=b"\0" * 600)),
        ("1400 bytes", b"\xff" * 1400)):
    got = say(raw)
    print(f"ok: {what}: {got and got.rcode}")
    expect(not got or len(got.raw) <= max(512, len(raw)), True, f"{what}: no large answer: {got and len(got.raw)}")
lives("questions that are none")
# Questions of every kind must not become answers about answers.
expect(say(question("web.office.vfab", flags=QR)), None, "an answer is not answered")
rng = random.Random(11)
whole = question("web.office.vfab", edns=1232)
with c1.udp() as sock:
    for n in range(3000):
        raw = bytearray(whole if n % 2 else question(fresh()))
        for _ in range(rng.randrange(1, 5)):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        sock.send(raw)
lives("3000 broken ones")

print("-- TCP")


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


for what, raw in (("a length of 0", b"\0\0"), ("a length of 65535", b"\xff\xff" + whole), ("a length that is too long", struct.pack("!H", len(whole) + 40) + whole),
                  ("a length that is too short", struct.pack("!H", 20) + whole), ("half a length", b"\0"), ("half a question", struct.pack("!H", len(whole)) + whole[:15]),
                  ("a garbage", b"GET / HTTP/1.0\r\n\r\n" * 30)):
    sock = c1.tcp()
    sock.sendall(raw)
    reset(sock)
    sock = c1.tcp()
    sock.sendall(raw)
    sock.shutdown(socket.SHUT_WR)
    c1.next(sock)
    sock.close()
    print(f"ok: {what}, reset, and ended")
lives("TCP that lies")
for _ in range(50):
    # aardvark-dns, CVE-2026-35406: half a query, then a reset.
    sock = c1.tcp()
    sock.sendall(struct.pack("!H", len(whole)) + whole[:7])
    reset(sock)
    sock = c1.tcp()
    sock.sendall(struct.pack("!H", 40) + question(fresh("slow")))
    reset(sock)
lives("a hundred resets in the middle")
many = []
for _ in range(200):
    try:
        many.append(c1.tcp(0.2))
        many[-1].sendall(b"\0")
    except OSError:
        break
print(f"{len(many)} connections that say half of something")
expect(c2.ask_tcp("web.office.vfab").data(A), ["10.10.0.10"], "the other guest has a connection")
for sock in many:
    reset(sock)
with c1.tcp() as sock:
    # Nobody reads: what the switch keeps for him is bounded.
    sock.setblocking(False)
    try:
        for _ in range(2000):
            sock.send(struct.pack("!H", len(whole)) + whole)
    except OSError:
        pass
    lives("answers that nobody reads")

print("-- answers")
for label, sock in malformed.items():
    sock.settimeout(8 * SLOW)
    try:
        got = Message(sock.recv(4096))
    except TimeoutError:
        got = None
    expect(got is None or got.rcode == SERVFAIL or got.data(A) in ([], ["192.0.2.53"]), True, f"a malformed answer ({label}) is not passed on: {got}")
# What is left of the above may use up the share of c1.
wait_for(8, "a share of c1", lambda: c1.ask(fresh()).rcode == NOERROR)
for _ in range(3):
    name = fresh("forged")
    got = c1.ask(name)
    expect((got.data(A), c2.ask(name).data(A)), (["192.0.2.53"], ["192.0.2.53"]), "forged answers are not believed, nor kept")
expect(c1.ask("other.example").data(A), ["192.0.2.53"], "nor one about another name")
lives("forged answers")
PY
expect_eq "the switch is the same process" "$(switch_pid)" "$before"
ticks()
{
	awk '{ print $14 + $15 }' "/proc/$before/stat"
}
is_idle()
{
	local from
	from=$(ticks)
	sleep 0.5
	[ $(($(ticks) - from)) -le 10 ]
}
wait_for 10 is_idle
