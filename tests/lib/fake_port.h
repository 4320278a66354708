/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake_port: a port in memory.  With it the whole path runs in one process without rights: a test gives it frames,
 * forwards, and reads what came out, tags written and offloads untouched.
 */
#ifndef VFAB_TESTS_FAKE_PORT_H
#define VFAB_TESTS_FAKE_PORT_H

#include "switch/port/port.h"
#include "switch/port/scratch.h"

enum { FAKE_FRAMES = 256 };

struct fake_frame {
	uint8_t *bytes; /* the frame; FRAME_HEADROOM bytes are free in front of it on the way in */
	uint32_t len;
	struct offload off;
};

struct fake {
	struct port port;
	struct fake_frame in[FAKE_FRAMES], out[FAKE_FRAMES];
	unsigned n_in, n_out;
	unsigned room;	   /* frames that tx still takes; UINT_MAX at first */
	uint32_t snap_max; /* bytes a snapshot holds; SNAP_MAX at first */
	bool discards;	   /* tx only counts (benchmarks) */
};

struct fake *fake_create(const char *name,
			 uint16_t slot); /* NULL without memory; state is PORT_UP */
void fake_destroy(struct fake *f);

/* Queues a copy of a frame to be received. */
void fake_give(struct fake *f, const void *bytes, uint32_t len, const struct offload *off);
/* Forgets what was sent. */
void fake_clear(struct fake *f);

#endif
