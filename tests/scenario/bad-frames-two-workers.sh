#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# M01, M02, M03, M05, as in bad-frames.sh, with two workers that receive and send at once.
#
#   ac, tr, qq, v1, v2 -- [ vfabd, workers on two CPUs ]
#
# Threads: two workers
[ "$(nproc)" -ge 2 ] || { echo "needs two CPUs"; exit 77; }
CPUS="0, 1" exec "$(dirname "$0")/bad-frames.sh"
