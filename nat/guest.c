/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest: the inside addresses that have sessions.
 *
 * session.c makes one with its first session and forgets it with its last.  Chains in a table of as many buckets as there may be
 * guests; the hash is keyed, since addresses are guests' choice.
 */
#include "nat/guest.h"

#include <string.h>

#include "nat/room.h"

enum { BUCKETS = NAT_GUESTS_MAX };

static const uint64_t SECOND_NS = 1000000000;

static size_t guests_bytes(void)
{
	return NAT_GUESTS_MAX * sizeof(struct guest);
}

static size_t buckets_bytes(void)
{
	return BUCKETS * sizeof(uint32_t);
}

bool guests_init(struct guests *g, const uint64_t seed[2])
{
	*g = (struct guests){.seed = {seed[0], seed[1]}};
	g->guest = room_take(guests_bytes());
	g->bucket = room_take(buckets_bytes());
	return places_init(&g->places, NAT_GUESTS_MAX) && g->guest && g->bucket;
}

void guests_fini(struct guests *g)
{
	room_put(g->guest, guests_bytes());
	room_put(g->bucket, buckets_bytes());
	places_fini(&g->places);
}

static uint32_t *bucket_of(const struct guests *g, uint16_t vid, const struct ip *ip)
{
	unsigned __int128 m;
	uint64_t w[2];

	memcpy(w, ip->b, sizeof(w));
	m = (unsigned __int128)(w[0] + g->seed[0]) * (w[1] + (vid * SECOND_NS ^ g->seed[1]));
	return &g->bucket[((uint64_t)m ^ (uint64_t)(m >> 64)) % BUCKETS];
}

struct guest *guest_find(const struct guests *g, uint16_t vid, const struct ip *ip)
{
	uint32_t place = *bucket_of(g, vid, ip) - 1;

	while (place != PLACES_NONE) {
		struct guest *guest = &g->guest[place];

		if (guest->vid == vid && memcmp(&guest->ip, ip, sizeof(*ip)) == 0)
			return guest;
		place = guest->next;
	}
	return NULL;
}

struct guest *guest_make(struct guests *g, uint16_t vid, const struct ip *ip)
{
	uint32_t *bucket = bucket_of(g, vid, ip), place = places_take(&g->places);

	if (place == PLACES_NONE)
		return NULL;
	g->guest[place] = (struct guest){
		.ip = *ip,
		.vid = vid,
		.slot = SLOT_MAX,
		.address = GUEST_NO_ADDRESS,
		.next = *bucket - 1,
	};
	*bucket = place + 1;
	return &g->guest[place];
}

void guest_forget(struct guests *g, struct guest *guest)
{
	uint32_t *bucket = bucket_of(g, guest->vid, &guest->ip), place = guest_place(g, guest), at;

	if (*bucket == place + 1) {
		*bucket = guest->next + 1;
	} else {
		for (at = *bucket - 1; g->guest[at].next != place; at = g->guest[at].next)
			;
		g->guest[at].next = guest->next;
	}
	places_give(&g->places, place);
}

bool guest_may_begin(struct guest *guest, uint32_t per_s, uint64_t now_ns)
{
	uint64_t full = guest->full_ns > now_ns ? guest->full_ns : now_ns, cost;

	if (per_s == 0)
		return true;
	cost = SECOND_NS / per_s;
	if (full + cost > now_ns + SECOND_NS)
		return false;
	guest->full_ns = full + cost;
	return true;
}
