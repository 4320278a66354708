#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Q6 at speed through NAT and uplinks, as in nat-iperf.sh, with two workers, which share the gateway and the NAT.
#
#   in1, in2, up0 -- [ vfabd, workers on two CPUs ]
#
# Threads: two workers
[ "$(nproc)" -ge 2 ] || { echo "needs two CPUs"; exit 77; }
CPUS="0, 1" exec "$(dirname "$0")/nat-iperf.sh"
