#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# M01, M02, M05, M08, M09 at the gateway, as in gateway-hostile.sh, with two workers, which share the gateway and the NAT.
#
#   in1, in2, up0 -- [ vfabd, workers on two CPUs ]
#
# Threads: two workers
[ "$(nproc)" -ge 2 ] || { echo "needs two CPUs"; exit 77; }
CPUS="0, 1" exec "$(dirname "$0")/gateway-hostile.sh"
