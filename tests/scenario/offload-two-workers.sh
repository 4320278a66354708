#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Offloads and ports of two queues, as in offload.sh, with two workers: each receives one queue of a port and sends by its own.
#
#   a, r, m, x -- [ vfabd, workers on two CPUs ]
#
# Threads: two workers
[ "$(nproc)" -ge 2 ] || { echo "needs two CPUs"; exit 77; }
CPUS="0, 1" exec "$(dirname "$0")/offload.sh"
