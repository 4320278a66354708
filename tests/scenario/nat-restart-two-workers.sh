#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# As nat-restart.sh, with two workers that share the gateway and its NAT.
#
# Threads: two workers
[ "$(nproc)" -ge 2 ] || { echo "needs two CPUs"; exit 77; }
CPUS="0, 1" exec "$(dirname "$0")/nat-restart.sh"
