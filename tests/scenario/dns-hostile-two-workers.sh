#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# M11, as in dns-hostile.sh, with two workers, which share the server of names.
#
#   c1, c2, up0 -- [ vfabd, workers on two CPUs ]
#
# Threads: two workers
[ "$(nproc)" -ge 2 ] || { echo "needs two CPUs"; exit 77; }
CPUS="0, 1" exec "$(dirname "$0")/dns-hostile.sh"
