#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# D02 to D10, D12, D17, D20, M10, as in dhcp-protocol.sh, with two workers, which share the servers.
#
#   c1, c2 -- [ vfabd, workers on two CPUs ]
#
# Threads: two workers
[ "$(nproc)" -ge 2 ] || { echo "needs two CPUs"; exit 77; }
CPUS="0, 1" exec "$(dirname "$0")/dhcp-protocol.sh"
