#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# H10: nothing listens.  The control socket is a file of mode 0660 that another user cannot open; guests find no port open but those of
# DHCP and DNS where they are served, and the host's network none.
#
#   c1 .9 -- inner, host-only 10.66.0.0/24 -- [ vfabd in fab ] -- vf-inner .1
. "$(dirname "$0")/../lib/scenario.sh"

ns c1
fabric <<EOF
networks:
  inner: {mode: host-only, ipv4: 10.66.0.0/24}
ports:
$(tap c1 "network: inner, ipv4: 10.66.0.9/24")
EOF
wait_for 5 ports_up

group=$(getent group vfab | cut -d : -f 3 || true)
expect_eq "mode of the socket" "$(stat -c '%F %a' "$SOCKET")" "socket 660"
expect_eq "owner of the socket" "$(stat -c '%u %g' "$SOCKET")" "0 ${group:-0}"

# Where the daemon is and where the guest is: no TCP, UDP, raw or packet socket is bound.
for name in fab c1; do
	expect_eq "sockets in $name" "$(run $name ss -H -l -n -t -u -w 2>/dev/null)" ""
done

# Another user, who can reach the directory, cannot connect.
chmod 755 "$T"
expect_status 1 setpriv --reuid 65534 --regid 65534 --clear-groups /usr/bin/python3 -c '
import socket, sys
try:
    socket.socket(socket.AF_UNIX).connect(sys.argv[1])
except PermissionError:
    sys.exit(1)
' "$SOCKET"

# A guest finds at the gateway the servers of addresses and names, and nothing where they are switched off.
scan()
{
	run c1 nmap -n -Pn "$1" -p "$2" --max-retries 1 -oG - 10.66.0.1 >"$T/scan"
	expect grep -q 'Host: 10.66.0.1' "$T/scan"
	grep -oE '[0-9]+/open/' "$T/scan" | grep -oE '[0-9]+' | paste -sd ' ' || true
}
UDP=53,67,68,123,161,547,4789,6081
if command -v nmap >/dev/null; then
	expect_eq "TCP ports open" "$(scan -sT 1-2000 | tail -n 1)" 53
	scan -sU $UDP | tail -n 1 >"$T/udp"
	refuse grep -vxE '53|53 67' "$T/udp"
	expect vfab net set inner --no-dhcp
	expect_eq "TCP ports open" "$(scan -sT 1-2000 | tail -n 1 | grep -v '^expect')" ""
	expect_eq "UDP ports open" "$(scan -sU $UDP | tail -n 1 | grep -v '^expect')" ""
fi
