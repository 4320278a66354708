#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# As vhost-memory.sh, with two workers that receive and send at once.
#
#   c1, c2 -- office -- [ vfabd, workers on two CPUs ] -- lab -- c3, vm1, vm2
#
# Threads: two workers
[ "$(nproc)" -ge 2 ] || { echo "needs two CPUs"; exit 77; }
CPUS="0, 1" exec "$(dirname "$0")/vhost-memory.sh"
