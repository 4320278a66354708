/* SPDX-License-Identifier: GPL-2.0-or-later */
/* forward_internal: what one call of forward() keeps; forward.c's own, and forwarder.c gives it memory. */
#ifndef VFAB_SWITCH_FORWARD_INTERNAL_H
#define VFAB_SWITCH_FORWARD_INTERNAL_H

#include "switch/forward.h"

enum { LATE_MAX = 16384 }; /* copies of flooded frames that failed; more count as lost at once */

/* A copy that an output did not take, while others may have taken theirs. */
struct late {
	uint8_t frame;
	uint8_t drop;
	uint16_t slot;
};

/* What stage 1 finds out about a frame for stage 2. */
struct lookup {
	fdb_key src, dst;
	const struct fdb_bucket *src_bucket, *dst_bucket;
};

/* What one call of forward() knows. */
struct pass {
	struct forwarder *w;
	const struct fabric *fab;
	const struct fabric_port *in;
	uint16_t in_slot;
	uint32_t now_s;
	unsigned n_late;
	unsigned n_odd;		/* frames that are dropped, or local */
	struct vec *v;		/* in hand: the worker's, or what the gateway made */
	const struct gateway_conf *legs; /* NULL: none */
	unsigned n_taken;	/* frames for the gateway */
	uint8_t taken[VEC_SIZE];
	bool is_capped; /* the port is in a loop: little of what it sends passes, and nothing is learned */
	bool has_limits; /* something of admit_limits() is to be looked at */
	bool is_plain;	 /* neither that, nor anything else of most frames is worth a word */
	struct lookup look[VEC_SIZE];
	struct late late[LATE_MAX];
};

/* A group destination: DROP_RESERVED; or f->out says OUT_LOCAL, a loop probe of ours; or it goes on. */
enum drop forward_admit_group(struct pass *p, struct frame *f);
/* What some ports ask of a source, and of the rate at which frames come. */
enum drop forward_admit_limits(struct pass *p, struct frame *f, struct recorder *rec);
/* Limits on what is copied to everybody. */
enum drop forward_police_flood(struct pass *p, const struct frame *f);
/* May a frame leave by the device of a host-only network?  To its addresses alone. */
bool forward_is_for_host(const struct fabric_port *host, const struct frame *f);

#endif
