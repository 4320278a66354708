/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * copy_device: the least that any switch must do: a thread that copies frames from the transmit ring of one guest into the
 * receive ring of another, and trusts everything.  Split rings; no address is looked at, nothing is decided, checked or counted.
 * What a switch is measured against, on the same pages and driven by the same driver.
 */
#ifndef VFAB_TESTS_COPY_DEVICE_H
#define VFAB_TESTS_COPY_DEVICE_H

#include "tests/lib/front_end.h"

struct copy_device;

/* Copies from[i] to to[i], n of them, batch frames at a time, on a CPU.  NULL: errno. */
struct copy_device *copy_device_start(struct fe_ring *const *from, struct fe_ring *const *to,
				      unsigned n, unsigned batch, int cpu);
/* So far: TSC cycles of the turns that found a frame, and frames copied. */
void copy_device_read(const struct copy_device *d, uint64_t *busy, uint64_t *frames);
void copy_device_stop(struct copy_device *d);

#endif
