/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * forwarder: what the packet path of forward.c needs around it: the memory of one that forwards, the choice between its two
 * versions, and the probe that finds loops.
 */
#include "switch/forward.h"

#include <stdlib.h>
#include <string.h>

#include "switch/base/isa.h"
#include "switch/forward_internal.h"

/* A local group address. */
const uint8_t loop_probe_mac[6] = {0x03, 0x76, 0x66, 0x61, 0x62, 0x01};

void forward_loop_probe(uint8_t frame[static ETH_MIN], uint64_t id, uint16_t slot, uint64_t nonce)
{
	struct mac own = fabric_gateway_mac(0);

	memset(frame, 0, ETH_MIN);
	memcpy(frame, loop_probe_mac, 6);
	memcpy(frame + 6, own.b, 6);
	frame[12] = ETYPE_LOOP_PROBE >> 8;
	frame[13] = ETYPE_LOOP_PROBE & 0xff;
	memcpy(frame + ETH_HEADER, "vfab", 4);
	memcpy(frame + PROBE_ID, &id, sizeof(id));
	frame[PROBE_SLOT] = (uint8_t)(slot >> 8);
	frame[PROBE_SLOT + 1] = (uint8_t)slot;
	memcpy(frame + PROBE_NONCE, &nonce, sizeof(nonce));
}

struct forwarder *forwarder_create(unsigned worker)
{
	struct forwarder *w = NULL;

	if (posix_memalign((void **)&w, 64, sizeof(*w)) != 0)
		return NULL;
	memset(w, 0, sizeof(*w));
	w->worker = worker;
	w->scratch = calloc(1, sizeof(*w->scratch));
	w->out = calloc(SLOT_MAX, sizeof(*w->out));
	w->pass = calloc(1, sizeof(*w->pass));
	w->recorder = recorder_create(worker);
	if (!w->scratch || scratch_init(w->scratch) < 0) {
		free(w->scratch);
		w->scratch = NULL;
	}
	if (w->scratch)
		w->scratch->calls_guests = true;
	if (!w->scratch || !w->out || !w->pass || !w->recorder || gateway_made_init(&w->made) < 0) {
		forwarder_destroy(w);
		return NULL;
	}
	return w;
}

void forwarder_destroy(struct forwarder *w)
{
	if (!w)
		return;
	if (w->scratch)
		scratch_fini(w->scratch);
	free(w->scratch);
	free(w->out);
	free(w->pass);
	recorder_destroy(w->recorder);
	gateway_made_fini(&w->made);
	free(w);
}

void forward_made_base(struct forwarder *w, const struct fabric *fab);

uint64_t forward_tick(struct forwarder *w, const struct fabric *fab)
{
	struct gateway_call call = {
		.conf = fab->legs,
		.made = &w->made,
		.now_ns = w->now_ns,
		.in_slot = OUT_NONE,
		.head_long = w->scratch->head_long,
	};
	uint64_t next;

	if (!w->gateway || !fab->legs)
		return UINT64_MAX;
	next = gateway_tick(w->gateway, &call);
	if (w->made.vec.n)
		forward_made_base(w, fab);
	return next;
}

void forward_base(struct forwarder *w, const struct fabric *fab, uint16_t in);
#ifdef __x86_64__
void forward_wide(struct forwarder *w, const struct fabric *fab, uint16_t in);
#else
#define forward_wide forward_base
#endif

void forward(struct forwarder *w, const struct fabric *fab, uint16_t in)
{
	if (isa_wide)
		forward_wide(w, fab, in);
	else
		forward_base(w, fab, in);
}
