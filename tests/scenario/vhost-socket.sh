#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# V18: the socket of a vhost-user port.  A stale one is taken over, anything else in its place is left alone and said; its owner and mode
# are those that were asked for, whatever the umask; symbolic links lead nobody astray; a second front-end is hung up on while the
# first works; a storm of connections leaves no descriptor (10k); it goes with its port, with vfabd, and with its switch it stays.
# And the other way round: vfabd as client connects when a socket appears, and again.
#
#   c1, c2 -- office -- [ vfabd ] -- lab -- c3, vm1, vm2 (client)
. "$(dirname "$0")/../lib/scenario.sh"
. "$ROOT/tests/lib/guest-fabric.sh"

umask 077
guest_fabric
allow_log 'vm[0-9]|the switch'

stale()
{
	/usr/bin/python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$1"
}

# Like the tools, with the file as the only witness.
add()
{
	vfab port add "$1" --net lab --vhost-user "$2" "${@:3}"
}

stale "$T/vm1.sock"
expect add vm1 "$T/vm1.sock"
expect_eq "type, mode and owner" "$(stat -c '%F %a %U:%G' "$T/vm1.sock")" "socket 660 root:root"
expect_eq "state" "$(port_value vm1 .state)" waiting
expect_eq "socket" "$(port_value vm1 .socket)" "$T/vm1.sock"
refuse add vm9 "$T/vm1.sock"
expect_eq "the first one's socket" "$(stat -c %F "$T/vm1.sock")" socket
vfab port del vm1
refuse test -e "$T/vm1.sock"

# Owner and mode.
expect add vm1 "$T/vm1.sock" --socket-mode 0600 --socket-owner nobody
expect_eq "mode and owner" "$(stat -c '%a %U' "$T/vm1.sock")" "600 nobody"
vfab port del vm1
expect add vm1 "$T/vm1.sock" --socket-owner nobody:nogroup
expect_eq "mode and owner" "$(stat -c '%a %U:%G' "$T/vm1.sock")" "660 nobody:nogroup"
vfab port del vm1
for wrong in 01777 888 -1 0x1ff; do
	refuse add vm1 "$T/vm1.sock" --socket-mode $wrong
done
refuse add vm1 "$T/vm1.sock" --socket-owner no-such-user
refuse test -e "$T/vm1.sock"

# What is in its place and is not a stale socket stays.
echo precious >"$T/file"
mkdir "$T/directory"
mkfifo "$T/fifo"
ln -s "$T/file" "$T/to-file"
ln -s "$T/nothing" "$T/dangling"
for place in file directory fifo to-file dangling; do
	before=$(stat -c '%F %i %a %U' "$T/$place")
	refuse add vm1 "$T/$place"
	expect_eq "$place" "$(stat -c '%F %i %a %U' "$T/$place")" "$before"
	refuse grep -q . <(vfab port ls -o json | jq '.[] | select(.name == "vm1")')
done
expect_eq "the file" "$(cat "$T/file")" precious
refuse test -e "$T/nothing"
refuse add vm1 "$T/no-such/directory/vm1.sock"
# Somebody else's, who listens.
/usr/bin/python3 -c 'import signal, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
open(sys.argv[1] + ".ready", "w")
signal.pause()' "$T/alien.sock" &
alien=$!
defer end_process $alien
wait_for 5 test -e "$T/alien.sock.ready"
before=$(stat -c %i "$T/alien.sock")
refuse add vm1 "$T/alien.sock"
expect_eq "a socket that somebody listens on" "$(stat -c %i "$T/alien.sock")" "$before"

# Lengths: 107 bytes and a zero are what an address takes.
base=$T/$(printf 'l%.0s' {1..200})
expect add vm1 "${base:0:107}"
vfab port del vm1
for length in 108 109 200; do
	refuse add vm1 "${base:0:$length}"
done

# A symbolic link on the way is the operator's: the socket lies where it leads.
mkdir "$T/real"
ln -s "$T/real" "$T/link"
expect add vm1 "$T/link/vm1.sock"
expect test -S "$T/real/vm1.sock"
vfab port del vm1
refuse test -e "$T/real/vm1.sock"

# A socket that was replaced meanwhile is somebody else's, and stays when the port goes.
expect add vm1 "$T/vm1.sock"
rm "$T/vm1.sock"
echo precious >"$T/vm1.sock"
vfab port del vm1
expect_eq "what took its place" "$(cat "$T/vm1.sock")" precious
rm "$T/vm1.sock"

expect add vm1 "$T/vm1.sock"
expect add vm2 "$T/vm2.sock" --client
BROKER=$FABRIC_PID frames <<'PY'
from vhost import *

witness = Witness()
c3 = Station("c3")
guest = Guest("vm1").start()
guest.carries(c3, "the first front-end")
running = witness.descriptors()

second = Guest("vm1")
for i in range(20):
    try:
        second.connect()
        second.hangs_up(f"V18 front-end {i + 2}")
    except ConnectionRefusedError:
        print(f"ok: V18 front-end {i + 2}: refused")
    guest.carries(c3, "V18 the first goes on")
expect(witness.descriptors() <= running, True, "V18 second front-ends leave no descriptor")


def storm(count, what):
    start = time.monotonic()
    refused = 0
    for _ in range(count):
        with socket.socket(socket.AF_UNIX) as sock:
            try:
                sock.connect(guest.path)
            except ConnectionRefusedError:
                refused += 1
    print(f"{what}: {count} connections, {refused} refused, in {time.monotonic() - start:.1f} s")


storm(5000, "beside a guest")
guest.carries(c3, "V18 after a storm beside it")
witness.alive("V18 a storm beside a guest")
expect(witness.descriptors() <= running, True, "V18 the storm leaves no descriptor")
guest.disconnect()
guest.until("waiting")
storm(10000, "on an empty port")
witness.alive("V18 a storm")
guest.until("waiting", 10)
witness.unleaked("V18 a storm")
guest.start().carries(c3, "V18 after the storm")
# At once: whoever comes back before the end of its last connection was seen may be hung up on, for a moment.
for _ in range(20):
    guest.disconnect()
    end = time.monotonic() + 1 * SLOW
    while True:
        try:
            guest.start()
            break
        except (Closed, ConnectionRefusedError):
            if time.monotonic() > end:
                sys.exit("FAIL: V18 one that comes back at once is turned away for a second")
guest.carries(c3, "V18 twenty times come back at once")

# The switch dies: its socket stays and answers.
os.kill(witness.switch, signal.SIGKILL)
wait_for(5, "another switch", lambda: witness.switch_now() not in (0, witness.switch))
wait_for(5, "its answer", lambda: os.path.exists(SOCKET) and ctl("port.ls"))
witness.switch = witness.switch_now()
guest.disconnect()
guest.until("waiting", 5)
guest.start().carries(c3, "V18 a new front-end of a new switch")

# Client.
expect(port_of("vm2")["state"], "waiting", "V18 a client without a server waits")
server = Guest("vm2", listen=True)
server.start().until("up").carries(c3, "V18 client")
for _ in range(3):
    server.disconnect()
    server.start().until("up").carries(c3, "V18 client, again")
# It does not knock without end on one that hangs up.
server.disconnect()
start, knocks = time.monotonic(), 0
server.listener.settimeout(0.1)
while time.monotonic() < start + 2:
    with contextlib.suppress(TimeoutError):
        server.listener.accept()[0].close()
        knocks += 1
expect(0 < knocks < 200, True, f"V18 {knocks} attempts in 2 s on a server that hangs up")
server.close()
os.unlink(server.path)
server = Guest("vm2", listen=True)
server.start().until("up").carries(c3, "V18 client, after the server came back")
witness.alive("V18")
server.close()
guest.close()
PY

# With vfabd killed the socket is left; the next one takes it over.
cp "$T/fabric.yaml" "$T/again.yaml"
sed -i '/^ports:/a\  vm1: {vhost-user: '"$T"'/vm1.sock, network: lab}' "$T/again.yaml"
switch=$(switch_pid)
kill -9 "$FABRIC_PID"
wait "$FABRIC_PID" 2>/dev/null || true
wait_for 2 process_gone "$switch"
is_gone()
{
	local name

	for name in c1 c2 c3; do
		[ -z "$(taps_of "${!name}")" ] || return 1
	done
	! vfab port ls
}
wait_for 5 is_gone # the last descriptors go with the process
expect test -S "$T/vm1.sock"
FABRIC_PID=
allow_log 'the broker is gone'
fabric <"$T/again.yaml"
BROKER=$FABRIC_PID frames <<'PY'
from vhost import *

guest = Guest("vm1").start()
guest.carries(Station("c3"), "V18 a socket that a dead vfabd left")
PY
stop_fabric
refuse test -e "$T/vm1.sock"
