/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * forward: THE packet path.  A vector in, stages that each say "go on" or a drop reason, output lists, one tx for
 * each output port.
 */
#ifndef VFAB_SWITCH_FORWARD_H
#define VFAB_SWITCH_FORWARD_H

#include <stdint.h>

#include "switch/fabric.h"
#include "switch/gateway.h"
#include "switch/guard.h"
#include "switch/port/scratch.h"
#include "switch/trace.h"

/* Frames of the vector in hand that leave by one port. */
struct out_list {
	uint16_t n;
	uint8_t frame[VEC_SIZE];
	uint8_t reserved[62]; /* a list is found by shifts */
};

struct pass;

/* What forwarding needs of the worker that runs it. */
struct forwarder {
	unsigned worker; /* index: which port_counters are its own */
	uint64_t now_ns; /* monotonic, read once a turn of the loop */
	struct scratch *scratch;
	struct recorder *recorder;
	struct gateway *gateway; /* of the fabric, shared by its workers; NULL: no VLAN has a leg */
	struct guard *guard;	 /* shared by the workers; there is one when a port is strict */
	struct gateway_made made;
	struct pass *pass;	    /* forward.c's own, between begin and end of a vector */
	struct out_list *out;	    /* SLOT_MAX of them, all empty between vectors */
	uint16_t touched[SLOT_MAX]; /* slots whose list is not empty */
	unsigned n_touched;
	uint64_t mac_limit_hits
		[SLOT_MAX /
		 64]; /* slots over their MAC limit, for the event; bits set by the worker, atomically */
	uint64_t loop_hits[SLOT_MAX / 64]; /* slots that received a loop probe of this fabric */
	uint16_t loop_from[SLOT_MAX];	   /* and what it claimed: the slot that sent it */
	uint64_t loop_nonce[SLOT_MAX];	   /* and its nonce; the control thread judges */
	struct tx_frame tx[VEC_SIZE];
	struct vec vec; /* what rx fills */
};

/* A loop probe: Ethernet header, "vfab", then at these offsets fabric, slot and nonce. */
enum { PROBE_ID = 18, PROBE_SLOT = 26, PROBE_NONCE = 28 };
extern const uint8_t loop_probe_mac[6];

struct forwarder *forwarder_create(unsigned worker); /* NULL without memory */
void forwarder_destroy(struct forwarder *w);

/* Decides and sends all frames of w->vec, which came in by port slot `in`. */
void forward(struct forwarder *w, const struct fabric *fab, uint16_t in);

/*
 * Each turn of the worker: what the gateway has to do by now.  Returns when the next turn may come at the latest, if no frame comes
 * before; UINT64_MAX: whenever.
 */
uint64_t forward_tick(struct forwarder *w, const struct fabric *fab);

/* Writes the probe that finds loops: an Ethernet frame of ETH_MIN bytes, sent out of port `slot`. */
void forward_loop_probe(uint8_t frame[static ETH_MIN], uint64_t id, uint16_t slot, uint64_t nonce);

#endif
