#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# B15: ports that come and go under traffic, as in port-removal.sh, with two workers that receive and send at once.
#
#   c1 .. c4 -- [ vfabd, workers on two CPUs ]
#
# Threads: two workers
[ "$(nproc)" -ge 2 ] || { echo "needs two CPUs"; exit 77; }
CPUS="0, 1" exec "$(dirname "$0")/port-removal.sh"
