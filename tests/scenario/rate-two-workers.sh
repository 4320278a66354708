#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# --rate and storm limits, as in rate.sh, with two workers: senders that are received by both share one limit.
#
#   c1, c2, c3 -- [ vfabd, workers on two CPUs ]
#
# Threads: two workers
[ "$(nproc)" -ge 2 ] || { echo "needs two CPUs"; exit 77; }
CPUS="0, 1" exec "$(dirname "$0")/rate.sh"
