#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Two workers: the same traffic arrives, once and in order, and the number of workers changes under it.  What the
# switch counted is what the kernel counted on the other side of every tap, frames and bytes.
#
#   c1 <--serials--> c2, c3 floods --.
#                                     +-- office, VLAN 10 -- [ vfabd ]
#   m1 == iperf3, 4 streams == m2 ---'    (m1, m2: two queues)
#
# Threads: two workers
. "$(dirname "$0")/../lib/scenario.sh"

[ "$(nproc)" -ge 2 ] || skip "needs two CPUs"
for name in c1 c2 c3 m1 m2; do ns $name; done
fabric <<EOF
networks:
  office: {mode: internal, vlan: 10}
workers: {cpus: [0, 1]}
ports:
$(tap c1 "network: office")
$(tap c2 "network: office")
$(tap c3 "network: office")
$(tap m1 "network: office, queues: 2, ipv4: 10.77.0.1/24")
$(tap m2 "network: office, queues: 2, ipv4: 10.77.0.2/24")
EOF
wait_for 5 ports_up

listens()
{
	run m2 ss -Hltn "sport = :5201" | grep -q .
}
start m2 iperf3 -s
wait_for 5 listens

# A trace that began with other workers sees what these do.
run m1 timeout 20 "$BUILD/vfab" -s "$SOCKET" trace icmp --port m1 --count 2 -o json >"$T/trace" 2>"$T/trace.err" &
trace=$!
defer end_process $trace
run m1 timeout 60 iperf3 -c 10.77.0.2 -P 4 -t 3 >"$T/iperf" 2>&1 &
iperf=$!

frames <<'PY'
from frames import *

T = os.environ["T"]
text = open(f"{T}/fabric.yaml").read()
c1, c2, c3 = stations("c1", "c2", "c3")
learn(c1, c2)
PAIRS = ((c1, c2), (c2, c1))

reader, writer = os.pipe()
children = []
for sender, receiver in PAIRS + ((c3, None),):
    pid = os.fork()
    if pid == 0:
        # Until the pipe is closed at its other end, for that is the parent's sign to stop.
        os.close(writer)
        os.set_blocking(reader, False)
        n = 0
        while True:
            for _ in range(10):
                dst = receiver.mac if receiver else BROADCAST
                sender.send(eth(dst, sender.mac, struct.pack("!I", n) + bytes(n % 300)))
                n += 1
            time.sleep(0.001)
            try:
                if os.read(reader, 1) == b"":
                    break
            except BlockingIOError:
                pass
        with open(f"{T}/sent-{sender}", "w") as out:
            out.write(str(n))
        os._exit(0)
    children.append(pid)
os.close(reader)

seen = {(sender, receiver): 0 for receiver in (c1, c2) for sender in (c1, c2, c3) if sender is not receiver}
wrong = []


def drain():
    for receiver in (c1, c2):
        for frame in receiver.drain():
            sender = next((s for s in (c1, c2, c3) if mac_bytes(s.mac) == frame[6:12]), None)
            if not sender or (frame[:6] == b"\xff" * 6) != (sender is c3):
                continue
            serial = struct.unpack_from("!I", frame, 14)[0]
            if serial != seen[sender, receiver]:
                wrong.append((sender, receiver, seen[sender, receiver], serial))
            seen[sender, receiver] = serial + 1
    c3.drain()


for turn in range(12):
    cpus = ("[0]", "[1, 0]", "[1]", "[0, 1]")[turn % 4]
    ctl("conf.apply", text=text.replace("[0, 1]", cpus))
    end = time.monotonic() + 0.2
    while time.monotonic() < end:
        drain()
        time.sleep(0.01)
os.close(writer)
for pid in children:
    expect(os.waitpid(pid, 0)[1], 0, "a sender ended well")
sent = {s: int(open(f"{T}/sent-{s}").read()) for s in (c1, c2, c3)}


def all_there():
    drain()
    return all(seen[sender, receiver] == sent[sender] for sender, receiver in seen)


wait_for(5, f"all frames: {sent} sent, {seen} seen", all_there)
expect(wrong, [], f"of {sum(sent.values())} frames through 12 changes none is lost, doubled or out of order")
PY
wait "$iperf" || fail "iperf3: $(tail -n 3 "$T/iperf")"
expect run m1 ping -q -c 2 -i 0.1 -W 1 10.77.0.2
wait "$trace" || fail "the trace saw nothing: $(cat "$T/trace.err")"
expect_eq "frames in the trace" "$(jq -s length <"$T/trace")" 2

# same_totals PORT: both sides of its tap counted alike.
same_totals()
{
	local switch kernel
	switch=$(port_value "$1" '"\(.rx.frames) \(.rx.bytes) \(.tx.frames) \(.tx.bytes)"')
	kernel=$(link_value "$1" eth0 '.stats64 | "\(.tx.packets) \(.tx.bytes) \(.rx.packets) \(.rx.bytes)"')
	echo "$1: $switch; its kernel: $kernel"
	[ "$switch" = "$kernel" ]
}
for name in c1 c2 c3 m1 m2; do
	wait_for 2 same_totals $name
	same_totals $name
done
expect_eq "workers" "$(vfab config show | grep -A1 'workers' | tr -d ' \n{}')" "workers:cpus:[0,1]"
