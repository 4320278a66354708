/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stage: where the cycles of the packet path go, in a build with STAGES=1 (x86-64); nothing at all in any other.
 *
 * STAGE(name) at the end of a stage adds the cycles since the last one on this thread to its sum.  Each reads the time stamp
 * counter once a vector, not once a frame.
 */
#ifndef VFAB_BASE_STAGE_H
#define VFAB_BASE_STAGE_H

/*           symbol    what */
#define STAGES_OF_PATH(X)                                                                          \
	X(IDLE, "between two vectors")                                                             \
	X(FETCH, "transmit ring: descriptors, addresses")                                          \
	X(TAKE, "headers and heads of frames")                                                     \
	X(ADMIT, "forward 1: admit")                                                               \
	X(CHOOSE, "forward 2: learn, look up, choose")                                             \
	X(LIST, "forward 3: lists of the outputs")                                                 \
	X(ROOM, "receive ring: descriptors, addresses")                                            \
	X(PUT, "copies")                                                                           \
	X(PUBLISH, "used entries, fence, look at the guest's wish")                                \
	X(RETURN, "transmit ring: used entries, fence, wish")

#ifdef VFAB_STAGES
#include <stdint.h>
#include <stdio.h>
#include <x86intrin.h>

enum stage_of_path {
#define X(symbol, text) STAGE_OF_##symbol,
	STAGES_OF_PATH(X)
#undef X
		STAGES_COUNT
};

extern __thread struct stage_clock {
	uint64_t last, sum[STAGES_COUNT];
} stage_clock;

static inline void stage_end(enum stage_of_path s)
{
	uint64_t now = __rdtsc();

	stage_clock.sum[s] += now - stage_clock.last;
	stage_clock.last = now;
}

/* What this thread has summed up, by frame. */
void stage_print(FILE *f, uint64_t frames);

#define STAGE(symbol)	stage_end(STAGE_OF_##symbol)
#define STAGE_CLEAR()	(stage_clock = (struct stage_clock){.last = stage_clock.last})
#else
#define STAGE(symbol)	((void)0)
#define STAGE_CLEAR()	((void)0)
#endif

#endif
