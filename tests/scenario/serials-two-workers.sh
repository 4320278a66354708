#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# B11 and B13 as in serials.sh, with two workers that receive and send at once.
#
#   c1 .. c8 -- access 10 -- [ vfabd, workers on two CPUs ]
#
# Threads: two workers
[ "$(nproc)" -ge 2 ] || { echo "needs two CPUs"; exit 77; }
CPUS="0, 1" exec "$(dirname "$0")/serials.sh"
