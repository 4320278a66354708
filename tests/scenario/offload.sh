#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Offloads: TCP and UDP, v4 and v6, with and without segmentation and checksums by the device on either side, end with right
# checksums.  A guest trusts a frame whose checksum is still to be made, so r forwards what it gets to z over a link without
# offloads: its kernel segments and sums by the fields that the switch passed on, and z checks the result.
#
#   a .1 (MTU 9000, 2 queues) --.                             .--- link without offloads ---.
#   m .3 (MTU 1500) -------------+-- office -- [ vfabd ] -- r .2 (MTU 9000, 2 queues)       z 10.78.0.2
#
#   x .1 -- [ vfabd ] -- ta (trunk) -- bridge in mid -- tb (trunk) -- [ second vfabd ] -- y .2      MTU 65520
#
# CPUS="0, 1" runs it with two workers.
. "$(dirname "$0")/../lib/scenario.sh"

BYTES=$([ "$SLOW" = 1 ] && echo 16M || echo 4M)
for name in a r m z x y mid; do ns $name -6; done
fabric <<EOF
networks:
  office: {mode: internal, vlan: 10, mtu: 9000}
  far: {mode: internal, vlan: 20, mtu: 65520}
workers: {cpus: [${CPUS:-0}]}
ports:
$(tap a "network: office, queues: 2, ipv4: 10.77.0.1/24, ipv6: 'fd77::1/64'")
$(tap r "network: office, queues: 2, ipv4: 10.77.0.2/24, ipv6: 'fd77::2/64'")
$(tap m "network: office, mtu: 1500, ipv4: 10.77.0.3/24, ipv6: 'fd77::3/64'")
$(tap x "network: far, ipv4: 10.79.0.1/24")
  ta: {tap: ta, netns: $mid, vlan-mode: trunk, trunks: [20], mtu: 65520}
EOF
wait_for 5 ports_up

# z behind r.
link r out0 z in0
run r ethtool -K out0 tx off tso off gso off >/dev/null
ip -n "$r" link set out0 mtu 9000
ip -n "$z" link set in0 mtu 9000
for address in 10.78.0.1/24 fd78::1/64; do ip -n "$r" addr add $address dev out0 nodad; done
for address in 10.78.0.2/24 fd78::2/64; do ip -n "$z" addr add $address dev in0 nodad; done
run r sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip -n "$z" route add default via 10.78.0.1
ip -n "$z" -6 route add default via fd78::1
for name in a m; do
	ip -n "${!name}" route add default via 10.77.0.2
	ip -n "${!name}" -6 route add default via fd77::2
done

listens()
{
	run "$1" ss -Hltn "sport = :$2" | grep -q .
}

for name in z y; do
	start $name iperf3 -s -p 5201
	wait_for 5 listens $name 5201
done
wait_for 5 run a ping -q -c 1 -W 1 fd78::2
expect run a ping -q -c 1 -W 1 10.78.0.2

no_bad_checksums()
{
	expect_eq "bad checksums at $1" "$(run "$1" nstat -aszj TcpInCsumErrors UdpInCsumErrors Udp6InCsumErrors IcmpInCsumErrors \
		Icmp6InCsumErrors | jq '[.kernel | to_entries[] | .value] | add')" 0
}

# all_good FILE KIND: every frame in it has right checksums, and there are some.
all_good()
{
	local count

	count=$(tshark -r "$1" -o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE -o udp.check_checksum:TRUE \
		-T fields -e ip.checksum.status -e "$2.checksum.status" 2>/dev/null | sort | uniq -c)
	echo "checksums in ${1##*/} (1 is good): $(tr '\n' ';' <<<"$count")"
	grep -qP '\t1$' <<<"$count" || fail "no frame with a $2 checksum in ${1##*/}"
	# Fields are a number each, empty where there is no such header: 0 would be bad.
	if grep -qP ' 0\t|\t0$' <<<"$count"; then
		tshark -r "$1" -o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE -o udp.check_checksum:TRUE \
			-Y "ip.checksum.status == 0 || $2.checksum.status == 0" -V -x 2>/dev/null | head -n 150
		fail "bad checksums in ${1##*/}"
	fi
}

# captured NS IF NAME FILTER CMD...: what came in meanwhile is in $T/NAME.
captured()
{
	local where=$1 interface=$2 file=$T/$3 filter=$4 pid
	shift 4

	run "$where" tcpdump -q -Z root -i "$interface" -Q in -s 0 -c 2000 -U -w "$file" "$filter" 2>"$file.err" &
	pid=$!
	defer end_process $pid
	wait_for 5 grep -q listening "$file.err"
	"$@"
	end_process $pid
}

send_tcp()
{
	local to=$1
	shift

	run a timeout 60 iperf3 -c "$to" -p 5201 -n "$BYTES" "$@" >"$T/iperf" || fail "iperf3 to $to: $(tail -n 3 "$T/iperf")"
}

# frame_size PORT BEFORE: bytes of a frame that came in by it since, on average; BEFORE is what .rx was.
frame_size()
{
	port_value "$1" ".rx | (.bytes - $(jq .bytes <<<"$2")) / (.frames - $(jq .frames <<<"$2")) | floor"
}

for sender in on off; do
	for receiver in on off; do
		run a ethtool -K eth0 tso $sender tx $sender >/dev/null 2>&1
		run r ethtool -K eth0 tso $receiver tx $receiver >/dev/null 2>&1
		echo "offloads $sender at a, $receiver at r"
		for to in 10.78.0.2 fd78::2; do
			before=$(port_value a .rx)
			captured z in0 "tcp-$sender-$receiver-$to" tcp send_tcp $to
			size=$(frame_size a "$before")
			echo "frames of a: $size bytes on average"
			[ $sender = off ] || [ "$size" -gt 20000 ] || fail "a did not send large pieces"
			[ $sender = on ] || [ "$size" -le 9014 ] || fail "a sent large pieces"
			all_good "$T/tcp-$sender-$receiver-$to" tcp
			send_tcp $to -R
		done
		no_bad_checksums z
		no_bad_checksums a
	done
done
# The last had none anywhere: the very frames that the tap gave are whole.
captured r eth0 plain tcp send_tcp 10.78.0.2
all_good "$T/plain" tcp

# UDP, in large pieces that the device is to split where the kernel has that.
run a ethtool -K eth0 tx on tso on tx-udp-segmentation on >/dev/null 2>&1 || true
send_udp()
{
	# send_udp FROM TO: 50 times 40 datagrams of 1200 bytes, each as one piece; the receiver checks every byte.
	: >"$T/udp.port"
	run "$3" timeout 30 /usr/bin/python3 - "$2" "$T/udp.port" <<-'PY' &
		import socket, sys
		s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
		s.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)
		s.bind((sys.argv[1], 6000))
		s.settimeout(10)
		open(sys.argv[2], "w").write("ready")
		want = bytes(range(256)) * 188
		want = [want[i:i + 1200] for i in range(0, 48000, 1200)]
		for turn in range(50):
		    for part in want:
		        if s.recv(70000) != part:
		            sys.exit("wrong bytes, or order")
	PY
	local receiver=$!
	wait_for 5 test -s "$T/udp.port"
	run "$1" /usr/bin/python3 - "$2" <<-'PY'
		import socket, sys, time
		s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
		s.setsockopt(17, 103, 1200)
		data = (bytes(range(256)) * 188)[:48000]
		for turn in range(50):
		    s.sendto(data, (sys.argv[1], 6000))
		    time.sleep(0.002)
	PY
	wait $receiver || fail "UDP from $1 to $2: not every byte arrived"
}

splits_udp()
{
	run a ethtool -k eth0 | grep -q 'tx-udp-segmentation: on'
}

for to in 10.78.0.2 fd78::2; do
	before=$(port_value a .rx.frames)
	captured z in0 "udp-$to" udp send_udp a $to z
	all_good "$T/udp-$to" udp
	frames=$(($(port_value a .rx.frames) - before))
	echo "2000 datagrams to $to came in as $frames frames"
	! splits_udp || [ $frames -lt 100 ] || fail "UDP did not come in whole"
done
send_udp a 10.77.0.2 r
send_udp a 10.77.0.3 m
no_bad_checksums z
no_bad_checksums r
no_bad_checksums m

# MTU 9000 on both sides, and mixed: TCP finds its size, what is too big is counted, in one piece or to be split.
expect run a ping -q -c 3 -i 0.1 -M do -s 8972 -W 2 10.77.0.2
start m iperf3 -s -p 5201
wait_for 5 listens m 5201
send_tcp 10.77.0.3
send_tcp 10.77.0.3 -R
too_big()
{
	vfab drops -o json | jq '[.[] | select(.port == "a" and .reason == "too_big") | .frames] | add // 0'
}
before=$(too_big)
refuse run a ping -q -c 3 -i 0.1 -M do -s 8972 -W 1 10.77.0.3
expect_eq "too big for m" $(($(too_big) - before)) 3
if splits_udp; then
	run a /usr/bin/python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(17, 103, 3000)
s.sendto(bytes(30000), ("10.77.0.3", 6000))'
	wait_for 3 sums_match
	expect_eq "too big for m, with a piece whose segments are" $(($(too_big) - before)) 4
fi

# Frames of 64 KiB across two trunks: tagged, to be split and in one piece.
ns fab2
cat >"$T/second.yaml" <<EOF
networks:
  far: {mode: internal, vlan: 20, mtu: 65520}
workers: {cpus: [${CPUS:-0}]}
ports:
$(tap y "network: far, ipv4: 10.79.0.2/24")
  tb: {tap: tb, netns: $mid, vlan-mode: trunk, trunks: [20], mtu: 65520}
EOF
start fab2 "$BUILD/vfabd" -s "$T/second.sock" --state "$T/second" -c "$T/second.yaml"
second_up()
{
	SOCKET=$T/second.sock ports_up y tb
}
wait_for 10 second_up
ip -n "$mid" link add br0 type bridge
for port in ta tb; do ip -n "$mid" link set $port master br0; done
ip -n "$mid" link set br0 mtu 65520 up
wait_for 5 run x ping -q -c 1 -W 1 10.79.0.2
expect run x ping -q -c 3 -i 0.1 -M do -s 65450 -W 2 10.79.0.2
ip -n "$x" route change 10.79.0.0/24 dev eth0 advmss 1400
ip -n "$y" route change 10.79.0.0/24 dev eth0 advmss 1400
before=$(port_value x .rx)
run x timeout 60 iperf3 -c 10.79.0.2 -p 5201 -n "$BYTES" >"$T/iperf" || fail "iperf3 over trunks: $(tail -n 3 "$T/iperf")"
size=$(frame_size x "$before")
echo "frames over the trunk: $size bytes on average, segments of 1400"
[ "$size" -gt 5000 ] || fail "frames did not cross the trunk whole"
no_bad_checksums x
no_bad_checksums y
PID2=$STARTED
expect kill -TERM "$PID2"
wait_for 5 process_gone "$PID2"
expect_eq "warnings of the second switch" "$(grep -cE '^[a-z]+: (warn|err)|Sanitizer|runtime error:' "$T/background.log")" 0
