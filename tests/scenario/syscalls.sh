#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# S02, and with sandbox.sh Q7: the system calls of the switch process, and of the resolver.  strace writes down what it calls on a tour of all that it can
# do, and the filter that it loads; the filter is then walked: nothing is allowed that nobody called, but for a list of
# reasons, and what the filter only allows with some arguments it does not allow with others.  Then calls are put into the running
# switch by ptrace: an allowed one goes through, others kill it, and the broker starts it again.  SOAK=1 strings all other
# scenarios to the tour.
#
#   c1, c2, c3, h1, n1 -- office, inner, outer -- [ switch -- seccomp | broker | resolver -- seccomp ] -- a server of names
. "$(dirname "$0")/../lib/scenario.sh"

[ "$SLOW" = 1 ] || skip "sanitizers call more; the filter is judged on the normal build"
[ "$(uname -m)" = x86_64 ] || skip "numbers of system calls are those of x86-64"
for program in strace tcpdump; do
	command -v $program >/dev/null || skip "needs $program"
done
NUMBERS=/usr/include/x86_64-linux-gnu/asm/unistd_64.h
[ -e $NUMBERS ] || skip "needs the headers of the C library"
export NUMBERS

REAL=$BUILD
mkdir "$T/build" "$T/traces"
cat >"$T/build/vfabd" <<SH
#!/bin/sh
exec strace -D -f -qq -v -s 0 -o $T/traces/\$\$ $REAL/vfabd "\$@"
SH
chmod +x "$T/build/vfabd"
ln -s "$REAL/vfab" "$T/build/vfab"

for name in c1 c2 c3 h1 n1; do ns $name; done
allow_log 'switch|confirmed|resolver'
BUILD=$T/build
fabric --log-level debug <<EOF
networks:
  office: {mode: internal, vlan: 10}
  inner: {mode: host-only, ipv4: 10.66.0.0/24}
  outer: {mode: nat, ipv4: 10.67.0.0/24}
dns: {servers: ["127.0.0.1:5353"]}
workers: {cpus: [0, 1]}
ports:
$(tap c1 "network: office, ipv4: 10.77.0.1/24, queues: 2")
$(tap c2 "network: office, ipv4: 10.77.0.2/24")
$(tap h1 "network: inner, ipv4: 10.66.0.9/24")
$(tap n1 "network: outer, ipv4: 10.67.0.9/24")
EOF
wait_for 20 ports_up c1 c2 h1 n1
cp "$T/fabric.yaml" "$T/same.yaml"

traffic()
{
	wait_for 10 run c1 ping -q -c 3 -i 0.02 -W 1 10.77.0.2
}
traffic
expect run h1 ping -q -c 3 -i 0.02 -W 1 10.66.0.1
# A name that is asked for outside, by UDP, and by TCP when that was cut short.
cat >"$T/names.py" <<'PY'
import socket

udp, tcp = socket.socket(type=socket.SOCK_DGRAM), socket.socket()
for sock in udp, tcp:
    sock.bind(("127.0.0.1", 5353))
tcp.listen()
while True:
    query, whom = udp.recvfrom(512)
    udp.sendto(query[:2] + b"\x83" + query[3:], whom)
    with tcp.accept()[0] as conn:
        query = conn.recv(512)
        conn.sendall(query[:4] + b"\x81\x83" + query[6:])
PY
start fab /usr/bin/python3 "$T/names.py"
asks_outside()
{
	run n1 /usr/bin/python3 -c '
import socket
with socket.socket(type=socket.SOCK_DGRAM) as sock:
    sock.settimeout(5)
    sock.connect(("10.67.0.1", 53))
    sock.send(b"\0\7\1\0\0\1" + bytes(6) + b"\7outside\7example\0\0\1\0\1")
    assert sock.recv(512)[3] & 15 == 3'
}
wait_for 10 asks_outside
for noun in net port mac; do
	vfab $noun ls >"$T/out"
done
for verb in drops stats events "config show" "port show c1" "net show office"; do
	# shellcheck disable=SC2086
	vfab $verb >"$T/out"
done
expect vfab port add c3 --net office --tap eth0 --netns "$c3"
expect vfab port set c3 --mtu 1400 --rate 10mbit
expect vfab mac add office 02:00:00:00:00:55 c3
expect vfab mac del office 02:00:00:00:00:55
expect vfab port del c3
expect vfab diff "$T/same.yaml"
expect vfab apply "$T/same.yaml"
sed -i 's/cpus: \[0, 1\]/cpus: [1]/' "$T/same.yaml"
expect vfab apply --confirm 1 "$T/same.yaml"
wait_for 5 has_event confirm_timeout
sed -i '/^workers/d' "$T/same.yaml"
expect vfab apply "$T/same.yaml"
expect vfab config save "$T/saved.yaml"
vfab version >"$T/out"
expect vfab config save
kill -HUP "$FABRIC_PID"
start c1 ping -q -i 0.01 10.77.0.2
pinging=$STARTED
expect vfab trace icmp --count 5
vfab trace icmp --count 5 -o json >"$T/out"
expect vfab capture all -w "$T/all.pcapng" --count 20
vfab capture c1 icmp -w - --count 5 >"$T/out"
# A reader who is slow, and one who leaves.
(vfab trace || true) | (sleep 0.5; head -c 100 >/dev/null)
frames <<'PY'
from frames import *

# Large requests, a large answer, one who sends half, a burst.
ctl("conf.diff", text="# " + "x" * 3000000)
try:
    ctl("conf.diff", text="# " + "x" * 9000000)
except RuntimeError as refused:
    print(refused)
c1 = Station("c1")
for i in range(3000):
    c1.send(eth(BROADCAST, f"02:01:00:00:{i >> 8:02x}:{i & 255:02x}", b"here"))
wait_for(20, "addresses", lambda: len(ctl("mac.ls")) > 2500)
with socket.socket(socket.AF_UNIX) as sock:
    sock.connect(SOCKET)
    sock.send(b'{"verb"')
with socket.socket(socket.AF_UNIX) as sock:
    sock.connect(SOCKET)
    sock.send(b"nonsense\n")
    sock.recv(1000)
PY
# Guests: memory, an inflight area, a ring that is polled, frames, and one who goes.
expect vfab port add vm1 --net office --vhost-user "$T/vm1.sock"
frames <<'PY'
from vhost import *

c1 = Station("c1")
guest = Guest("vm1", protocol=bits(P_REPLY_ACK, P_INFLIGHT))
guest.start().until("up")
guest.ask(GET_INFLIGHT_FD, inflight(0, 0, 2, 256))
guest.must(SET_VRING_KICK, u64(1 | NO_FD))
for sender, receiver in (guest, c1), (c1, guest):  # a ping is under way beside it
    frame = eth(BROADCAST, sender.mac, b"with a guest")
    sender.send(frame)
    wait_for(5, f"a frame from {sender}", lambda: frame in receiver.drain())
PY
expect vfab port del vm1
# A capture into a pipe that nobody reads, whose client leaves: its thread is called back from write().
frames <<'PY'
import array
import fcntl
from frames import *

out, into = os.pipe()
fcntl.fcntl(into, 1031, 4096)  # F_SETPIPE_SZ
with socket.socket(socket.AF_UNIX) as sock:
    sock.connect(SOCKET)
    sock.sendmsg([b'{"verb": "capture", "port": "all"}\n'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [into]))])
    sock.recv(1000)
    c1 = Station("c1")
    for i in range(200):
        c1.send(eth(BROADCAST, c1.mac, bytes(1000)))
    time.sleep(0.3)
ctl("version")
time.sleep(0.5)
PY
end_process "$pinging"
# Stopped in the middle of a sleep, and gone on.
kill -STOP "$(switch_pid)"
kill -CONT "$(switch_pid)"
kill -9 "$(switch_pid)"
traffic
vfab events --since 1h >"$T/out"
ip -n "$c2" link del eth0
wait_for 10 eval '[ "$(port_value c2 .state)" != up ]'
stop_fabric
BUILD=$REAL

if [ -n "${SOAK:-}" ]; then
	for other in "$ROOT"/tests/scenario/*.sh; do
		case ${other##*/} in
		syscalls.sh | no-memory.sh | limits.sh) continue ;;
		esac
		echo "tour: ${other##*/}"
		# Only what they call counts here; under strace some are too slow to succeed.
		SOAK='' BUILD=$T/build timeout 300 "$other" >/dev/null 2>&1 </dev/null || true
	done
fi

frames <<'PY'
import glob
import re
from frames import *

# Allowed, and not called on the tour: why it stays.
BOTH = {
    "epoll_pwait": "is epoll_wait on other machines",
    "mremap": "realloc(), where a block has pages of its own",
    "tgkill": "abort()",
    "getpid": "abort()",
    "restart_syscall": "the kernel's own: after a stop in poll() or a futex with a timeout",
}
REASONS = {
    "switch": BOTH | {
        "ppoll": "is poll on other machines",
        "fstat": "other versions of the C library call it for fstat()",
        "sched_yield": "a writer of the forwarding table that meets another",
    },
    "resolver": BOTH | {
        "brk": "malloc(), when many questions are out",
        "munmap": "free() of a large block",
        "exit_group": "the end: the broker is gone, and it was not killed",
        "clock_gettime": "the time, where the vDSO cannot tell it",
        "rt_sigprocmask": "abort()",
        "rt_sigreturn": "SIGALRM, before it is ignored",
    },
}
KILL, ERRNO, ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
ARCH = 0xC000003E
numbers = {}
for line in open(os.environ["NUMBERS"]):
    if match := re.match(r"#define __NR_(\w+) (\d+)", line):
        numbers[match[1]] = int(match[2])
names = {number: name for name, number in numbers.items()}

# The filters, as strace shows them, and the calls after each: the switch's, and that of the resolver, which alone may call connect().
programs, calls = {}, {"switch": set(), "resolver": set()}
traces = glob.glob(os.path.join(os.environ["T"], "traces", "*"))
for path in traces:
    kind = {}
    for line in open(path):
        tid, call = line.split(None, 1)
        if "seccomp(SECCOMP_SET_MODE_FILTER" in call and "filter=[" in call and call.rstrip().endswith("= 0"):
            text = call[call.index("filter=[") + 8:call.rindex("]")]
            kind[tid] = "resolver" if f"BPF_JEQ, {numbers['connect']:#x}," in text else "switch"
            programs.setdefault(kind[tid], text)  # they differ in the process that tgkill() may name
            continue
        if tid not in kind:
            continue
        if match := re.match(r"(?:<\.\.\. )?(\w+)(?:\(| resumed>)", call):
            calls[kind[tid]].add(match[1])
        if match := re.search(r"clone.* = (\d+)$", call.rstrip()):
            kind[match[1]] = kind[tid]
expect(sorted(programs), ["resolver", "switch"], f"filters in {len(traces)} traces")

CONSTANTS = {"SECCOMP_RET_KILL_PROCESS": KILL, "SECCOMP_RET_KILL_THREAD": 0, "SECCOMP_RET_ALLOW": ALLOW, "SECCOMP_RET_ERRNO": ERRNO}


def value(word):
    return sum(CONSTANTS[w] if w in CONSTANTS else int(w, 0) for w in word.split("|"))


def instructions(program):
    for _, args in re.findall(r"BPF_(STMT|JUMP)\(([^)]*)\)", program):
        args = [a.strip() for a in args.split(",")]
        yield args[0].split("|"), value(args[1]), *(int(a, 0) for a in args[2:])


codes = {who: list(instructions(text)) for who, text in programs.items()}
code = []


def walk(data):
    """What the filter says to some seccomp_data: words of 32 bits by offset; a word that is missing may be anything."""
    verdicts, todo, seen = set(), [(0, None)], set()
    while todo:
        at, a = todo.pop()
        if (at, a) in seen:
            continue
        seen.add((at, a))
        op, k, *jump = code[at]
        if op[0] == "BPF_RET":
            verdicts.add(k)
        elif op[0] == "BPF_LD":
            todo.append((at + 1, data.get(k)))
        elif op[0] == "BPF_ALU":
            assert op[-1] == "BPF_AND", op
            todo.append((at + 1, None if a is None else a & k))
        elif op[-1] == "BPF_JA":
            todo.append((at + 1 + k, a))
        else:
            test = {"BPF_JEQ": lambda: a == k, "BPF_JGE": lambda: a >= k, "BPF_JGT": lambda: a > k, "BPF_JSET": lambda: a & k}[op[-1]]
            for taken in (True, False) if a is None else (bool(test()),):
                todo.append((at + 1 + jump[0 if taken else 1], a))
    return verdicts


def call(name, *args, arch=ARCH, number=None):
    data = {0: numbers[name] if number is None else number, 4: arch}
    for i, arg in enumerate(args):
        data[16 + 8 * i], data[20 + 8 * i] = arg & 0xFFFFFFFF, arg >> 32 & 0xFFFFFFFF
    return walk(data)


for who, code in sorted(codes.items()):
    allowed, used = {names[n] for n in names if ALLOW in walk({0: n, 4: ARCH})}, calls[who]
    print(f"{who}: {len(code)} instructions allow {len(allowed)} calls; {len(used & allowed)} were used on the tour")
    expect(sorted(used - allowed - {"clone3", "ioctl"}), [], "calls that are used and not allowed")
    print("allowed and not called:", sorted(allowed - used))
    expect(sorted(allowed - used - set(REASONS[who])), [], "calls that are allowed and nobody's")
    expect(sorted(set(REASONS[who]) - allowed), [], "reasons for what is not allowed")

# Never, whatever the arguments.
NEVER = ("execve", "execveat", "open", "openat", "openat2", "creat", "socket", "socketpair", "connect", "bind", "listen", "accept", "ptrace",
             "process_vm_readv", "process_vm_writev", "kill", "tkill", "fork", "vfork", "mount", "umount2", "pivot_root", "chroot",
             "unshare", "setns", "setuid", "setgid", "setresuid", "setresgid", "setgroups", "capset", "bpf", "perf_event_open",
             "io_uring_setup", "io_uring_enter", "userfaultfd", "keyctl", "add_key", "request_key", "init_module", "finit_module",
             "kexec_load", "reboot", "unlink", "rename", "link", "symlink", "mkdir", "chmod", "chown", "mknod", "truncate", "getdents64",
             "readlink", "stat", "access", "dup", "dup2", "dup3", "pipe", "pipe2", "sendmmsg", "setsockopt", "shmget", "shmat", "msgget",
             "semget", "prlimit64", "setrlimit", "personality", "modify_ldt", "arch_prctl", "seccomp", "memfd_secret", "pidfd_open",
             "pidfd_getfd", "process_madvise", "clock_settime", "settimeofday", "iopl", "ioperm", "sched_setscheduler", "setpriority",
             "rt_sigqueueinfo", "timer_create", "alarm", "setitimer", "inotify_init1", "fanotify_init", "name_to_handle_at",
             "open_by_handle_at", "splice", "tee", "vmsplice", "copy_file_range", "sendfile", "sendto", "nanosleep")
code = codes["resolver"]
for name in (*NEVER, "clone", "clone3", "mprotect", "accept4", "fcntl", "prctl", "getsockopt", "newfstatat", "memfd_create", "pread64", "pwrite64", "ftruncate"):
    if name not in ("socket", "connect"):
        expect(call(name), {KILL}, f"{name} kills the resolver")
DGRAM, STREAM, FLAGS = 2, 1, 0o2004000
for verdict, *args in ((ALLOW, 2, DGRAM | FLAGS), (ALLOW, 2, STREAM | FLAGS), (ALLOW, 10, DGRAM | FLAGS), (ALLOW, 10, STREAM | FLAGS),
                       (KILL, 1, STREAM | FLAGS), (KILL, 16, 3 | FLAGS), (KILL, 17, 3 | FLAGS), (KILL, 2, 3 | FLAGS), (KILL, 2, DGRAM)):
    expect(call("socket", *args, 0), {verdict}, f"socket({', '.join(hex(a) for a in args)}) gives {verdict:#x}")

code = codes["switch"]
for name in (*NEVER, "recvfrom"):
    expect(call(name), {KILL}, f"{name} kills")

# By their arguments.
THREAD = 0x3D0F00
for verdict, name, *args in (
        (ALLOW, "mmap", 0, 4096, 3), (KILL, "mmap", 0, 4096, 7), (KILL, "mmap", 0, 4096, 4), (KILL, "mmap", 0, 4096, 1 << 32 | 5),
        (ALLOW, "mprotect", 0, 4096, 1), (KILL, "mprotect", 0, 4096, 5), (ALLOW, "clone", THREAD), (KILL, "clone", 17),
        (KILL, "clone", THREAD & ~0x10000), (KILL, "clone", THREAD | 0x10000000), (KILL, "clone", THREAD | 0x20000),
        (KILL, "clone", THREAD | 0x2000), (ERRNO | 38, "clone3", 0, 88), (ALLOW, "prctl", 15), (KILL, "prctl", 4), (KILL, "prctl", 22),
        (KILL, "prctl", 1), (KILL, "prctl", 38), (ERRNO | 25, "ioctl", 1, 0x5401), (KILL, "ioctl", 5, 0x400454CA), (KILL, "ioctl", 1, 0x5412),
        (KILL, "fcntl", 3, 8), (ALLOW, "fcntl", 3, 3), (KILL, "tgkill", 1, 1, 9), (KILL, "getsockopt", 3, 1, 9), (ALLOW, "getsockopt", 3, 1, 17),
        (KILL, "newfstatat", -100 & 0xFFFFFFFF, 0, 0, 0)):
    expect(call(name, *args), {verdict}, f"{name}({', '.join(hex(a) for a in args)}) gives {verdict:#x}")
expect(call("read", arch=0x40000003), {KILL}, "32-bit read kills")
expect(call("read", number=0x40000000), {KILL}, "x32 read kills")
PY

# A switch that nobody traces.
fabric <<EOF
networks:
  office: {mode: internal, vlan: 10}
ports:
$(tap c1 "network: office, ipv4: 10.77.0.1/24")
$(tap c3 "network: office, ipv4: 10.77.0.3/24")
EOF
wait_for 5 ports_up
cat >"$T/inject.py" <<'PY'
"""inject.py TID NUMBER ARGUMENT...: makes a thread that sleeps in a system call call another one, and prints what it returned."""
import ctypes
import os
import signal
import sys

ATTACH, DETACH, PEEKTEXT, GETREGS, SETREGS, SINGLESTEP, WALL = 16, 17, 1, 12, 13, 9, 0x40000000
R10, R9, R8, RAX, RDX, RSI, RDI, ORIG_RAX, RIP = 7, 8, 9, 10, 12, 13, 14, 15, 16
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def ptrace(request, at=0, data=0):
    ctypes.set_errno(0)
    got = libc.ptrace(request, tid, at, data)
    if ctypes.get_errno():
        raise OSError(ctypes.get_errno(), f"ptrace {request}")
    return got


tid, *call = (int(word, 0) for word in sys.argv[1:])
call += [0] * (7 - len(call))
ptrace(ATTACH)
os.waitpid(tid, WALL)
before = (ctypes.c_uint64 * 27)()
ptrace(GETREGS, 0, ctypes.addressof(before))
if ptrace(PEEKTEXT, before[RIP] - 2) & 0xFFFF != 0x050F:
    sys.exit("the thread is in no system call")
regs = (ctypes.c_uint64 * 27)(*before)
regs[RIP] -= 2
regs[ORIG_RAX] = 2**64 - 1  # no call is to be restarted
regs[RAX], regs[RDI], regs[RSI], regs[RDX], regs[R10], regs[R8], regs[R9] = call
ptrace(SETREGS, 0, ctypes.addressof(regs))
ptrace(SINGLESTEP)
_, status = os.waitpid(tid, WALL)
if os.WIFSIGNALED(status):
    sys.exit(f"killed by signal {os.WTERMSIG(status)}")
ptrace(GETREGS, 0, ctypes.addressof(regs))
print(regs[RAX])
ptrace(SETREGS, 0, ctypes.addressof(before))
ptrace(DETACH)
PY

number()
{
	awk -v name="__NR_$1" '$2 == name { print $3 }' $NUMBERS
}

# inject THREAD CALL ARGUMENT...
inject()
{
	/usr/bin/python3 "$T/inject.py" "$1" "$(number "$2")" "${@:3}"
}

switch=$(switch_pid)
expect_eq "getpid, put into the switch, gives" "$(inject "$switch" getpid)" "$switch"
expect run c1 ping -q -c 3 -i 0.02 -W 1 10.77.0.3

deaths=0
worker_of()
{
	grep -l '^worker' /proc/"$1"/task/*/comm | head -n 1 | cut -d / -f 5
}
is_another()
{
	[ -n "$(switch_pid)" ] && [ "$(switch_pid)" != "$1" ] && vfab port ls
}

# kills WHO CALL ARGUMENT...: the switch dies of it by SIGSYS, and another forwards.
kills()
{
	local who=$1 pid

	shift
	pid=$(switch_pid)
	[ "$who" = control ] || who=$(worker_of "$pid")
	[ "$who" != control ] || who=$pid
	refuse inject "$who" "$@"
	deaths=$((deaths + 1))
	wait_for 5 is_another "$pid"
	wait_for 2 ports_up
	expect_eq "restarts for signal 31" "$(vfab events -o json | jq -s 'flatten | map(select(.kind == "restart" and (.text | contains("signal 31")))) | length')" $deaths
	expect run c1 ping -q -c 2 -i 0.02 -W 1 10.77.0.3
}
kills control execve 0 0 0
kills worker openat -100 0 0
kills control socket 2 1 0
kills worker mmap 0 4096 7 0x22 -1 0
[ -z "${SOAK:-}" ] || for name in ptrace kill mount setresuid bpf io_uring_setup fork unshare connect process_vm_writev seccomp; do
	kills control $name 0 0 0
done
