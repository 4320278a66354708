#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# V01 as in vhost-testpmd.sh, with two workers: each takes from its own queues of a guest, and gives to a ring of its own.
# Not for ThreadSanitizer: the guest hands a buffer from one queue to another, and how it orders that is not seen.
#
#   virtio-user a0 --- [ vfabd, workers on two CPUs ] --- virtio-user b0
[ "$(nproc)" -ge 2 ] || { echo "needs two CPUs"; exit 77; }
CPUS="0, 1" exec "$(dirname "$0")/vhost-testpmd.sh"
