#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# H09: applying without a loss, as in apply.sh, with two workers that receive and send at once.
#
#   c1, c2, c3 -- [ vfabd, workers on two CPUs ]
#
# Threads: two workers
[ "$(nproc)" -ge 2 ] || { echo "needs two CPUs"; exit 77; }
CPUS="0, 1" exec "$(dirname "$0")/apply.sh"
