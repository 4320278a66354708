#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Whom the switch asks: the servers of the host's resolv.conf, as that changes; those of the configuration, and of a domain those of that
# domain only; each question with an id and from a port that nobody can guess; another server where one is silent, and after
# the resolver's death another resolver.
#
#   c1 .20 -- office 10.10.0.0/24 -- [ vfabd ] -- up 198.51.100.53, .54 (upstream.py)
#
# RFC 5452 9.2
#
# Pace: mostly waits
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/dhcp-fabric.sh"

outside 198.51.100.53
upstream
LEGS=office UPLINKS="  wan: {kind: host}"
dhcp_fabric c1:office:"ipv4: 10.10.0.20/24"
# by NAME: the last number of the server that answered.
by()
{
	nsenter --net="/run/netns/$c1" dig +short +tries=1 +time=$((4 * SLOW)) @10.10.0.1 "n${EPOCHREALTIME//[.,]/}.$1" | sed -n 's/^192\.0\.2\.//p'
}
answered_by()
{
	[ "$(by "$2")" = "$1" ]
}
wait_for 8 answered_by 53 example

echo "-- resolv.conf"
resolv_conf 198.51.100.54
wait_for 3 answered_by 54 example
: >"$T/etc/resolv.conf"
printf 'search nowhere\noptions ndots:1\nnameserver 198.51.100.53\n' >"$T/etc/resolv.conf"
wait_for 3 answered_by 53 example
# As systemd-resolved and others have it: a link.
mkdir "$T/etc/run"
printf 'nameserver 198.51.100.54\n' >"$T/etc/run/real.conf"
ln -s run/real.conf "$T/etc/link"
mv -T "$T/etc/link" "$T/etc/resolv.conf"
wait_for 3 answered_by 54 example
printf 'nameserver 198.51.100.53\n' >"$T/etc/run/next.conf"
mv "$T/etc/run/next.conf" "$T/etc/run/real.conf"
wait_for 3 answered_by 53 example
echo "ok: resolv.conf is followed: replaced, written, a link, and what the link names"
rm "$T/etc/resolv.conf"
resolv_conf 198.51.100.66 198.51.100.54
wait_for 8 answered_by 54 example
echo "ok: the second server where the first is silent"
printf 'garbage\nnameserver\nnameserver not-an-address\n\xff\xfe\nnameserver 198.51.100.53 # comment\n' >"$T/etc/resolv.conf"
wait_for 8 answered_by 53 example
echo "ok: lines that are none are left"

echo "-- the file"
SECTIONS='dns: {servers: [198.51.100.54], domains: {corp.example: [198.51.100.53], deep.corp.example: [198.51.100.54]}}'
dhcp_yaml >"$T/again.yaml"
expect vfab apply "$T/again.yaml"
wait_for 5 answered_by 54 example
expect_eq "corp.example" "$(by corp.example)" 53
expect_eq "a.b.corp.example" "$(by a.b.corp.example)" 53
expect_eq "deep.corp.example" "$(by deep.corp.example)" 54
expect_eq "notcorp.example" "$(by notcorp.example)" 54
expect_eq "CORP.example" "$(by CORP.EXAMPLE)" 53
resolv_conf 198.51.100.53
expect_eq "resolv.conf does not count then" "$(by example)" 54
expect_eq "corp.example was asked of .54" "$(jq -s '[.[] | objects | select((.name | test("^n[0-9]+\\.([a-z.]*\\.)?corp\\.example$"; "i")) and (.name | test("deep"; "i") | not) and .server == "198.51.100.54")] | length' "$T/asked")" 0
SECTIONS=
dhcp_yaml >"$T/again.yaml"
expect vfab apply "$T/again.yaml"
wait_for 5 answered_by 53 example
echo "ok: and the host's again"

echo "-- 200 questions"
dhcp_py <<'PY'
from frames import *
from names import *

c1 = Guest(inside("c1"))
with c1.udp() as sock:
    sock.settimeout(8 * SLOW)
    for n in range(200):
        sock.send(question(f"r{n}.random.example"))
        if n % 10 == 9:
            for _ in range(10):
                Message(sock.recv(4096))
asked = [json.loads(line) for line in open(os.environ["T"] + "/asked") if line.startswith("{") and "random.example" in line.lower()]
expect(len(asked) >= 200, True, f"{len(asked)} questions came")
for key, low in (("id", 0), ("port", 1024)):
    values = [q[key] for q in asked]
    steps = [b - a for a, b in zip(values, values[1:])]
    most = max(steps.count(s) for s in set(steps))
    print(f"{key}: {len(set(values))} different ones, {min(values)} to {max(values)}, the commonest step {most} times")
    expect((len(set(values)) > 185, max(values) - min(values) > 20000, most <= 4), (True, True, True), f"{key}s are random")
PY

echo "-- the resolver dies"
resolver()
{
	pgrep -P "$FABRIC_PID" | grep -vx "$(switch_pid)"
}
pid=$(resolver | tail -n 1)
[ -n "$pid" ] || fail "there is no resolver among the children of the broker: $(pgrep -a -P "$FABRIC_PID")"
allow_log '[Rr]esolver'
kill -9 "$pid"
wait_for 8 answered_by 53 example
echo "-- and the switch"
before=$(switch_pid)
allow_log '[Ss]witch'
kill -9 "$before"
wait_for 8 answered_by 53 example
expect_eq "sockets of the switch" "$(nsenter --net="/run/netns/$fab" ss -Hulnp | grep -c ':53 ')" 0
