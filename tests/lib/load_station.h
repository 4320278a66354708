/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load_station: a guest that sends and receives as much as goes: the light driver of the load generator, over front_end.
 *
 * Frames and buffers stay with their places in the rings, so a turn costs what a driver cannot avoid: descriptors are
 * written again, each line of a frame that is sent is written (its number), each line of one that came is read.
 * No system call is made while the device asks for no kick.
 *
 * Frames come back in order where the device said so (IN_ORDER); else it is held to that, as all devices known do it.
 */
#ifndef VFAB_TESTS_LOAD_STATION_H
#define VFAB_TESTS_LOAD_STATION_H

#include "tests/lib/front_end.h"
#include "tests/lib/load_frame.h"

enum {
	STATIONS_MAX = 16,
	STATION_BATCH_MAX = 256,
	STATION_ROOM = 2048,	   /* bytes of a receive buffer, with the virtio-net header */
	STATION_TSO_BYTES = 65536, /* of a segment, with it */
	STATION_TSO_CHUNK = 32768, /* of one descriptor of a segment: page fragments of a kernel */
};

/* What all guests of a load have in common; constant. */
struct load {
	unsigned stations;
	unsigned flows; /* pairs of addresses of each guest; flow f goes to the (f mod others)th of the others */
	bool is_packed, is_tso, is_random; /* is_random: each frame is of a random flow, else of its place's */
	bool is_touched;
	uint32_t bytes;		     /* of an untagged frame */
	uint32_t tx_ring, rx_ring;   /* descriptors, powers of 2 */
	uint32_t tx_batch, rx_batch; /* frames, buffers */
	uint32_t rx_buffer;	     /* bytes */
	unsigned vid[STATIONS_MAX];  /* of the tag of a guest's frames; 0: none */
};

struct station {
	const struct load *load;
	unsigned who;
	struct fe *fe;
	struct fe_ring *out, *in; /* seen from the guest */
	bool is_in_order;
	bool checks; /* frames sent are filled, frames received compared */

	/* Frame k of `out` lies at tx + k * tx_stride, virtio-net header first; likewise buffer k of `in`. */
	uint8_t *tx, *rx;
	uint64_t tx_gpa, rx_gpa;
	uint32_t tx_stride, rx_stride;
	uint32_t bytes; /* of a frame with its virtio-net header, sent or received */
	uint32_t data;	/* where it begins in a frame */

	uint32_t frames, chunks;    /* of `out`: frames, and descriptors of one */
	uint32_t put, back;	    /* frames put and come back, ever */
	uint32_t taken;		    /* buffers of `in`, ever */
	uint16_t more;		    /* buffers of the frame in hand still to come */
	uint32_t have;		    /* and its bytes so far */
	uint8_t *whole;		    /* the frame in hand, where it is compared */
	uint8_t (*head)[LOAD_HEAD]; /* of each flow */
	uint64_t dice, seq, sink;
	uint64_t newest[STATIONS_MAX]; /* number of the last frame, by sender, plus 1 */

	struct station_counts {
		uint64_t sent, received;
		uint64_t odd;			   /* received, but of another length */
		uint64_t looks, full;		   /* at `out`, and without room for a batch */
		uint64_t misdelivered, corrupt;	   /* where they are compared */
		uint64_t disorder;		   /* older than the one before, or the same again */
	} count;
};

/* Memory, rings and frames.  0 or -errno. */
int station_init(struct station *s, const struct load *load, unsigned who);
/* Agrees on features (IN_ORDER if in_order and offered) over the connection of s->fe, and starts the rings. */
int station_start(struct station *s, bool in_order);
void station_fini(struct station *s);

/* All receive buffers are the device's, which is to send no interrupts.  Once, after the start. */
void station_open(struct station *s);
/* Sends one frame of a flow to everybody; false: there is no room. */
bool station_announce(struct station *s, unsigned flow);
/* Frames are of their flows again: after the last announcement. */
void station_refill(struct station *s);
/* Receives a batch and sends one: what moved. */
unsigned station_turn(struct station *s, bool sends);

#endif
