#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# H11 and the short form of H01: the switch process is killed under traffic.  The broker starts it again with the same tap
# descriptors, configuration, MAC table and events; frames pass again within 200 ms, and `vfab events` says so.  (Q3, Q5)
#
#   c1 --.
#         +-- office, VLAN 10 -- [ switch | broker ]
#   c2 --'
. "$(dirname "$0")/../lib/scenario.sh"

pair
allow_log '[Ss]witch'
expect vfab port set c2 --mtu 1400
vfab config show >"$T/before.yaml"
ifindex=$(link_value c1 eth0 .ifindex)
broker=$FABRIC_PID

# crash SIGNAL: kills the switch while c1 sends to c2; fails when frames are not back in time.
crash()
{
	SIGNAL=$1 PID=$(switch_pid) LIMIT_MS=$((${2:-200} * SLOW)) frames <<'PY'
from frames import *

c1, c2 = stations("c1", "c2")
learn(c1, c2)
pid, limit_ms = int(os.environ["PID"]), int(os.environ["LIMIT_MS"])
known = [e for e in ctl("mac.ls") if e["mac"] == c2.mac]
expect(len(known), 1, "the switch knows c2")


def send_until(first, enough):
    """Sends one frame each millisecond; the time from the start to the first received with a serial of `first` or more."""
    start, serial = time.monotonic(), first
    while time.monotonic() - start < 5 * SLOW:
        c1.send(eth(c2.mac, c1.mac, struct.pack("!I", serial)))
        serial += 1
        time.sleep(0.001)
        for frame in c2.drain():
            got = struct.unpack_from("!I", frame, 14)[0]
            if got >= first:
                enough -= 1
        if enough <= 0:
            return serial, (time.monotonic() - start) * 1000
    sys.exit("FAIL: no frames within 5 s")


serial, _ = send_until(0, 50)
os.kill(pid, int(os.environ["SIGNAL"]))
serial, took_ms = send_until(serial, 1)
print(f"first new frame {took_ms:.0f} ms after the signal")
if took_ms > limit_ms:
    sys.exit(f"FAIL: frames are back after {took_ms:.0f} ms, more than {limit_ms}")
send_until(serial, 50)
PY
}

crash 9
wait_for 2 vfab port ls
expect has_event restart
expect_eq "broker" "$FABRIC_PID" "$broker"
expect_eq "ifindex of c1" "$(link_value c1 eth0 .ifindex)" "$ifindex"
vfab config show >"$T/after.yaml"
expect diff "$T/before.yaml" "$T/after.yaml"
expect_eq "MACs that survived" "$(vfab mac ls -o json | jq '[.[] | select(.kind == "learned")] | length')" 2

# A second one within 5 s starts with empty tables, and frames still pass.
# Under ASan a SIGSEGV is a report, which no log may hold.
crash $([ "$SLOW" = 1 ] && echo 11 || echo 6) 500
wait_for 2 vfab port ls
vfab config show >"$T/after.yaml"
expect diff "$T/before.yaml" "$T/after.yaml"
expect run c1 ping -q -c 5 -i 0.05 -W 1 10.77.0.2
expect_eq "restarts in the events" "$(vfab events -o json | jq -s 'flatten | map(select(.kind == "restart")) | length')" 2

# What is changed after a restart is kept over the next one.
expect vfab port set c2 --isolated
vfab config show >"$T/before.yaml"
crash 9 1000
wait_for 2 vfab port ls
vfab config show >"$T/after.yaml"
expect diff "$T/before.yaml" "$T/after.yaml"
