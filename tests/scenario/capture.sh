#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `vfab capture`, read back with tshark: interfaces, direction, nanoseconds, verdicts as comments, tags as on the wire,
# frames of TSO whole; --dir, --count, --snaplen and filters.  M14: a stopped reader costs counted losses and not
# forwarding; FIFO, full disk, link, directory.
#
#   c1, c2  office 10 --[ vfabd ]-- tr  trunk 10, 20
. "$(dirname "$0")/../lib/scenario.sh"

command -v tshark >/dev/null || skip "needs tshark"
ns c1
ns c2
ns tr
fabric <<EOF
networks:
  office: {mode: internal, vlan: 10}
  store: {mode: internal, vlan: 20}
ports:
$(tap c1 "network: office, ipv4: 10.77.0.1/24")
$(tap c2 "network: office, ipv4: 10.77.0.2/24")
$(tap tr "vlan-mode: trunk, trunks: [10, 20]")
EOF
wait_for 5 ports_up

# capture FILE WORD...: in the background; the switch writes to FILE and sees every frame from now on.  What it says is in
# capture.said, its id in CAPTURE.
capture()
{
	local file=$1
	shift

	[ ! -e "$file" ] || : >"$file"
	timeout 60 "$BUILD/vfab" -s "$SOCKET" capture "$@" -w "$file" 2>"$T/capture.said" &
	CAPTURE=$!
	defer end_process "$CAPTURE"
	wait_for 5 test -s "$file"
	# The file begins while the request is served; who is answered after it, is answered by a switch that captures.
	vfab port ls >/dev/null
}

# end_capture FRAMES LOST: by Ctrl-C
end_capture()
{
	kill -INT "$CAPTURE"
	captured 0 "$1" "$2"
}

# captured STATUS FRAMES LOST: it has ended, so
captured()
{
	local status=0

	wait_for 10 process_gone "$CAPTURE"
	wait "$CAPTURE" || status=$?
	cat "$T/capture.said"
	expect_eq "status of the capture" "$status" "$1"
	expect_eq "what it says" "$(head -n 1 "$T/capture.said")" "$2 frames captured, $3 lost"
}

# shark FILE FILTER FIELD...: a line a frame, fields apart by |
shark()
{
	local file=$1 filter=$2 field
	local fields=()
	shift 2

	for field; do fields+=(-e "$field"); done
	TZ=UTC tshark -n -r "$file" -Y "$filter" -T fields -E separator='|' "${fields[@]}" 2>/dev/null
}

# A mix of frames: 5 of each kind, 25 in all, of which c1 sends 15.
mix()
{
	frames <<'PY'
from frames import *

c1, c2, tr = stations("c1", "c2", "tr")
for _ in range(5):
    send_settled(c1, [eth(c2.mac, c1.mac, b"A" * 100, etype=0x9001)])
    send_settled(c2, [eth(c1.mac, c2.mac, b"B" * 100, etype=0x9002)])
    send_settled(c1, [eth(BROADCAST, c1.mac, b"C" * 100, etype=0x9003)])
    send_settled(c1, [eth(c2.mac, c1.mac, b"D" * 100, tag(10), etype=0x9004)])
    send_settled(tr, [eth(c2.mac, tr.mac, b"E" * 100, tag(10, 3), etype=0x9005)])
PY
}
frames <<'PY'
from frames import *

c1, c2, tr = stations("c1", "c2", "tr")
learn(c1, c2)
for vid in (10, 20):
    send_settled(tr, [eth(BROADCAST, tr.mac, b"here", tag(vid))])
PY

FILE=$T/all.pcapng
before=$EPOCHREALTIME
capture "$FILE" all
expect_eq "mode of the file" "$(stat -c %a "$FILE")" 600
mix
end_capture 50 0 # in: 25; out: 5 + 5 + 10 + 0 + 5
after=$EPOCHREALTIME
shark "$FILE" eth frame.interface_name frame.packet_flags_direction frame.comment vlan.id vlan.priority frame.len frame.cap_len \
	frame.protocols >"$T/seen"
cut -d'|' -f1-7 "$T/seen" | sort | uniq -c | sed 's/^ *//' >"$T/kinds"
cat >"$T/want" <<'EOF'
5 c1|0x00000001|drop: vlan|10|0|118|118
5 c1|0x00000001|flood to 2 ports|||114|114
5 c1|0x00000001|forward to c2|||114|114
5 c1|0x00000002|from c2|||114|114
5 c2|0x00000001|forward to c1|||114|114
5 c2|0x00000002|from c1|||114|114
5 c2|0x00000002|from c1|||114|114
5 c2|0x00000002|from tr|||114|114
5 tr|0x00000001|forward to c2|10|3|118|118
5 tr|0x00000002|from c1|10|0|118|118
EOF
# Both kinds from c1 to c2 look the same there.
sed -i '/^5 c2.*from c1/d; $a10 c2|0x00000002|from c1|||114|114' "$T/want"
sort "$T/want" >"$T/want.sorted"
sort "$T/kinds" >"$T/kinds.sorted"
expect diff "$T/want.sorted" "$T/kinds.sorted"
expect_eq "interfaces" "$(TZ=UTC capinfos -I "$FILE" 2>/dev/null | awk '/Number of interfaces/ { print $NF }')" 3

# Times: nanoseconds, in order, when it happened.
shark "$FILE" eth frame.time_epoch >"$T/times"
expect grep -qE '\.[0-9]{6}([0-9]{2}[1-9]|[0-9][1-9]0|[1-9]00)$' "$T/times"
expect sort -n -c "$T/times"
expect awk -v from="$before" -v to="$after" '$1 < from || $1 > to { bad = 1 } END { exit bad }' "$T/times"

# --dir, one port, filter: with the word vlan as on the wire of that port, else without the tag.
# only WANT WORD...: so many frames of the mix; the fields of each in $T/seen
only()
{
	local want=$1
	shift

	FILE=$T/only.pcapng
	capture "$FILE" "$@"
	mix
	end_capture "$want" 0
	shark "$FILE" eth frame.interface_name frame.packet_flags_direction eth.type vlan.etype | sort -u >"$T/seen"
	expect_eq "frames that tshark reads" "$(shark "$FILE" eth frame.number | wc -l)" "$want"
}
only 25 all --dir rx
refuse grep 0x00000002 "$T/seen"
only 25 all --dir=tx
refuse grep 0x00000001 "$T/seen"
only 20 c1
refuse grep -v '^c1' "$T/seen"
only 15 c2 --dir tx
only 10 all vlan and '(ether proto 0x9003 or ether proto 0x9004)'
only 15 all vlan
only 10 all 'ether proto 0x9005'
only 5 tr "vlan 10" --dir tx

# --count is exact and ends it; --snaplen cuts, and the file says how long the frame was.
for count in 1 7; do
	FILE=$T/count.pcapng
	capture "$FILE" all --count "$count"
	mix
	captured 0 "$count" 0
	expect_eq "frames in the file" "$(shark "$FILE" eth frame.number | wc -l)" "$count"
done
for snaplen in 1 40 65535; do
	FILE=$T/snaplen.pcapng
	capture "$FILE" c1 --dir rx --snaplen "$snaplen"
	mix
	end_capture 15 0
	# Not every dissector likes one byte: these need none.
	TZ=UTC tshark -n -r "$FILE" -T fields -E separator='|' -e frame.cap_len -e frame.len 2>/dev/null | sort -u >"$T/seen"
	printf '%s\n' $((snaplen < 114 ? snaplen : 114))'|114' $((snaplen < 118 ? snaplen : 118))'|118' >"$T/want"
	expect diff "$T/want" "$T/seen"
done

# Frames as the sender's kernel hands them over, larger than any wire's, whole or cut.
bulk()
{
	BYTES=$1 frames <<'PY'
import hashlib
import threading
from frames import *

data = os.urandom(1 << 16) * (int(os.environ["BYTES"]) >> 16)
got = hashlib.sha256()
with inside("c2"):
    listener = socket.create_server(("10.77.0.2", 7000))
with inside("c1"):
    sender = socket.socket()


def receive():
    connection, _ = listener.accept()
    while (part := connection.recv(1 << 20)):
        got.update(part)


thread = threading.Thread(target=receive)
thread.start()
sender.settimeout(20 * SLOW)
sender.connect(("10.77.0.2", 7000))
sender.sendall(data)
sender.close()
thread.join()
expect(got.digest(), hashlib.sha256(data).digest(), f"{len(data)} bytes of TCP arrive")
PY
}
FILE=$T/tso.pcapng
capture "$FILE" c1 --dir rx tcp dst port 7000
bulk $((4 << 20))
kill -INT "$CAPTURE"
wait_for 10 process_gone "$CAPTURE"
expect grep -q ' 0 lost' "$T/capture.said"
expect_eq "payload in the file" "$(shark "$FILE" 'tcp.len > 0 && !tcp.analysis.retransmission' tcp.len |
	awk '{ n += $1 } END { print n }')" $((4 << 20))
expect test "$(shark "$FILE" tcp frame.len | sort -n | tail -n 1)" -gt 9000
shark "$FILE" 'frame.cap_len != frame.len' frame.number >"$T/seen"
expect test ! -s "$T/seen"

# Standard output, with -w - and without.
for words in "-w -" ""; do
	# shellcheck disable=SC2086 # words are words
	timeout 20 "$BUILD/vfab" -s "$SOCKET" capture all --count 3 $words 2>/dev/null >"$T/pipe.pcapng" &
	CAPTURE=$!
	wait_for 5 test -s "$T/pipe.pcapng"
	vfab port ls >/dev/null
	mix
	expect wait "$CAPTURE"
	expect_eq "frames through standard output" "$(shark "$T/pipe.pcapng" eth frame.number | wc -l)" 3
done
timeout 20 "$BUILD/vfab" -s "$SOCKET" capture all --count 3 -w - 2>/dev/null | cat >"$T/pipe.pcapng" &
CAPTURE=$!
wait_for 5 test -s "$T/pipe.pcapng"
vfab port ls >/dev/null
mix
expect wait "$CAPTURE"
expect_eq "frames through a pipe" "$(shark "$T/pipe.pcapng" eth frame.number | wc -l)" 3

# M14: targets.  A link is followed, since it is the user's; what cannot be written is said in one line, and a file
# is not cut to nothing for a port that does not exist.
echo precious >"$T/precious"
one_line()
{
	local text=$1
	shift

	expect_status 1 vfab capture "$@" 2>"$T/said"
	expect_eq "lines said" "$(wc -l <"$T/said")" 1
	expect grep -F -- "$text" "$T/said"
}
one_line "Is a directory" all -w "$T"
one_line "No such file or directory" all -w "$T/none/file"
one_line 'did you mean "c1"' c11 -w "$T/precious"
expect_eq "the file" "$(cat "$T/precious")" precious
ln -s "$T/target.pcapng" "$T/symlink"
FILE=$T/symlink
capture "$FILE" all --count 2
mix
captured 0 2 0
expect_eq "frames behind the link" "$(shark "$T/target.pcapng" eth frame.number | wc -l)" 2

# M14: a FIFO; when its reader goes away, the capture ends and says why.
mkfifo "$T/fifo"
timeout 20 "$BUILD/vfab" -s "$SOCKET" capture all -w "$T/fifo" 2>"$T/fifo.said" &
CAPTURE=$!
exec 7<"$T/fifo"
head -c 28 <&7 >"$T/head"
expect_eq "what a pcapng begins with" "$(head -c 4 "$T/head" | od -An -tx1 | tr -d ' ')" 0a0d0d0a
vfab port ls >/dev/null
exec 7<&-
mix
status=0
wait "$CAPTURE" || status=$?
expect_eq "status without a reader" "$status" 1
expect grep 'capture: Broken pipe' "$T/fifo.said"

# M14: a full disk ends the capture, at the cap; what fits is there and can be read.
mkdir "$T/small"
mount -t tmpfs -o size=1m,mode=700 tmpfs "$T/small"
defer umount "$T/small"
FILE=$T/small/full.pcapng
capture "$FILE" all
bulk $((8 << 20))
status=0
wait_for 10 process_gone "$CAPTURE"
wait "$CAPTURE" || status=$?
expect_eq "status on a full disk" "$status" 1
expect grep 'No space left on device' "$T/capture.said"
expect test "$(stat -c %s "$FILE")" -le $((1 << 20))
expect test "$(shark "$FILE" eth frame.number | wc -l)" -gt 5

# M14: the reader is stopped.  Whatever is sent arrives, what had no room is counted, and the sum is exact.
mkfifo "$T/slow"
cat "$T/slow" >"$T/slow.pcapng" &
READER=$!
defer end_process "$READER"
was=$(vfab port ls -o json | jq '[.[] | .rx.frames] | add')
timeout 100 "$BUILD/vfab" -s "$SOCKET" capture all --dir rx -w "$T/slow" 2>"$T/slow.said" &
CAPTURE=$!
defer end_process "$CAPTURE"
wait_for 5 test -s "$T/slow.pcapng"
vfab port ls >/dev/null
expect_eq "frames while it began" "$(vfab port ls -o json | jq '[.[] | .rx.frames] | add')" "$was"
kill -STOP "$READER"
frames <<'PY'
from frames import *

c1, c2 = stations("c1", "c2")
learn(c1, c2)
N, seen = 60000, 0
for first in range(0, N, 200):
    for serial in range(first, first + 200):
        c1.send(eth(c2.mac, c1.mac, struct.pack("!I", serial) + b"x" * 1000))
    time.sleep(0.002)
    seen += len(c2.drain())


def all_there():
    global seen
    seen += len(c2.drain())
    return seen >= N


wait_for(10, f"all {N} frames", all_there)
expect(seen, N, "frames that arrive while the reader is stopped")
PY
expect run c1 ping -q -c 200 -i 0.002 -W 1 10.77.0.2 | tee "$T/ping"
pings_lost "$T/ping" 0
kill -CONT "$READER"
kill -INT "$CAPTURE"
wait_for 10 process_gone "$CAPTURE"
expect wait "$CAPTURE"
wait "$READER"
now=$(vfab port ls -o json | jq '[.[] | .rx.frames] | add')
read -r written _ _ lost _ <"$T/slow.said"
echo "written $written, lost $lost"
expect test "$lost" -gt 10000
# A reader that still has not caught up 500 ms after the end takes the last counts with it: what it reads then is in the file and
# not counted.  Never more than there were.
expect test $((written + lost)) -le $((now - was))
in_file=$(shark "$T/slow.pcapng" eth frame.number | wc -l)
expect test "$in_file" -ge "$written"
expect test $((in_file + lost)) -le $((now - was))

# Nor does TCP slow down: in one of some rounds, each beside one without a capture, it keeps 95 %.
command -v iperf3 >/dev/null || exit 0
start c2 iperf3 -s
wait_for 5 run c1 iperf3 -c 10.77.0.2 -n 1K
speed()
{
	run c1 timeout 20 iperf3 -c 10.77.0.2 -t 1 -J | jq '.end.sum_received.bits_per_second | round'
}
keeps_up()
{
	local alone beside

	alone=$(speed)
	timeout 60 "$BUILD/vfab" -s "$SOCKET" capture all -w - 2>/dev/null >"$T/slow" &
	CAPTURE=$!
	head -c 28 <&7 >"$T/head"
	beside=$(speed)
	end_process "$CAPTURE"
	echo "alone $alone, beside a stopped reader $beside"
	[ "$alone" -gt 0 ] && [ $((beside * 100)) -ge $((alone * 95)) ]
}
exec 7<>"$T/slow"
for round in {1..6}; do
	if keeps_up; then break; fi
	[ "$round" != 6 ] || fail "TCP is slower while a reader is stopped"
done
