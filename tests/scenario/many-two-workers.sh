#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 64 ports that come and go under traffic, as in many.sh, with two workers.
#
#   c1, c2, p1 .. p62 -- [ vfabd, workers on two CPUs ]
#
# Threads: two workers
[ "$(nproc)" -ge 2 ] || { echo "needs two CPUs"; exit 77; }
CPUS="0, 1" exec "$(dirname "$0")/many.sh"
