#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# B16 as in guard-strict.sh, with two workers: what one of them learns, the other knows.
#
#   g1, g2, c3, g4, g5 -- [ vfabd, workers on two CPUs ]
#
# Threads: two workers
[ "$(nproc)" -ge 2 ] || { echo "needs two CPUs"; exit 77; }
CPUS="0, 1" exec "$(dirname "$0")/guard-strict.sh"
