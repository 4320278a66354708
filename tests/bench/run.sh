#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Measures the fabric beside its peers, in network namespaces that it makes and removes.
#
#   make bench                          everything, some minutes
#   BENCH="tcp udp" make bench          those only: tcp udp rtt idle memory start forward vhost nat dhcp
#   BENCH=vhost VHOST=1518 make bench   one of its scenarios (vhost.py)
#   ROUNDS=3 make bench                 fewer rounds
#
# Prints key=value lines and fails only when something could not be measured; what the figures are compared
# with stands in SPECIFICATION.md.
set -euo pipefail
cd "$(dirname "$0")/../.."

BUILD=${BUILD:-build}
MAKE=${MAKE:-make}

[ "$(id -u)" = 0 ] || { echo "bench: needs root, for network namespaces" >&2; exit 1; }
tests/install-packages.sh build bench
$MAKE --no-print-directory "$BUILD"/tests/bench/{udp_load,first_frame,bench_forward,bench_nat,bench_vring,vhost_load,vhost_wake,ping_pong,dhcp_load}

BUILD=$BUILD PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 tests/bench/bench.py "$@"
