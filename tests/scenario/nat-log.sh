#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# N34: sessions are logged only if the file says so, without their destinations unless it says that too; more of them than the log takes
# are counted, not waited for.
#
#   in1 .11, in2 .12 -- lan -- [ vfabd ] .1 -- out1 .10
#
# RFC 6888 REQ-12, REQ-14
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/nat-fabric.sh"

nat_fabric interface "nat: {rate: 0}"
mute in1 in2 out1

# flows FIRST N: of in1.
flows()
{
	FIRST=$1 N=$2 nat_py <<'PY'
from nat import *

w = World()
first, n = int(os.environ["FIRST"]), int(os.environ["N"])
got = w.exchange(w.in1, [udp(w.in1.ip, first + i, w.out1.ip, 53) for i in range(n)], w.out1)[w.out1]
expect(len(got), n, f"{n} new flows")
PY
}

# logged PATTERN: in the log of vfabd or its events.
logged()
{
	{ cat "$LOG"; vfab events; } | grep -E -- "$1" >/dev/null
}

flows 5000 3
refuse logged '10\.0\.0\.11:500[0-2]'
nat_apply "nat: {rate: 0, log: on}"
flows 5010 3
wait_for 3 logged '10\.0\.0\.11:5010.*198\.51\.100\.1:|198\.51\.100\.1:.*10\.0\.0\.11:5010'
refuse logged '198\.51\.100\.10:53'
expect vfab nat flush
wait_for 5 logged 'end.*10\.0\.0\.11:5010|10\.0\.0\.11:5010.*end'
nat_apply "nat: {rate: 0, log: destinations}"
flows 5020 3
wait_for 3 logged '10\.0\.0\.11:5020.*198\.51\.100\.10:53'
# A flood: traffic goes on and the log has a limit.
before=$(wc -c <"$LOG")
flows 10000 20000
wait_for 3 vfab port ls
after=$(wc -c <"$LOG")
echo "20000 flows: $((after - before)) bytes of log"
nat_apply "nat: {rate: 0}"
flows 5030 3
refuse logged '10\.0\.0\.11:503[0-2]'
