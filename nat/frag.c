/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frag: fragments on their way through the NAT.
 *
 * nat.c notes each fragment here first, translates the first one of a datagram as any packet, and says what it became.
 *
 *   sources[hash of (vid, source)] -> datagram -> datagram ...     at most FRAG_PER_SOURCE: also the way to find one
 *   oldest <-> ... <-> youngest                                    all have the same time to live
 *   datagram: bitmap of its bytes in units of 8, fate, frames that wait
 *   ready -> datagram -> ...                                       fate known, frames still waiting
 *   slots:  header, headroom, bytes | bytes | bytes                a frame is a chain of them
 *
 * RFC 791 3.2, RFC 8200 4.5, RFC 1858, RFC 3128, RFC 5722, RFC 6864.
 *
 * Trust.  packet_parse() has checked that a fragment lies within 64 KiB and, but for the last, ends on a unit.  Sources and
 * identifications are anybody's: the hash is keyed, lists are bounded, nothing is allocated.
 */
#include "nat/frag.h"

#include <stdlib.h>
#include <string.h>

#include "switch/base/csum.h"

enum {
	SOURCES = 1024,
	UNITS = 8192, /* of 8 bytes, in 64 KiB */
	WORD_BITS = 64,
	HEAD_BYTES = 128, /* of a waiting frame's first slot */
	FIRST_BYTES = FRAG_SLOT_BYTES - HEAD_BYTES - FRAME_HEADROOM,
	PIECES = FRAME_MAX / FRAG_SLOT_BYTES + 2,
	NONE = 0xffff,
	TRIES = 8, /* old datagrams that are given up for one frame */
};

static const uint64_t lifetime_ns = FRAG_LIFETIME_S * 1000000000ULL;

enum state { FREE, WAITING, DECIDED };

struct datagram {
	struct ip src, dst; /* as they come */
	uint32_t id;
	uint16_t vid, source;
	uint8_t proto; /* of IPv4; in IPv6 the identification is one for all */
	uint8_t state;
	bool is_ready;
	uint16_t older, younger; /* of all */
	uint16_t source_older, source_younger;
	uint16_t ready_next;
	uint16_t held_first, held_last; /* slots */
	uint32_t end;			/* bytes of the payload; 0: not known yet */
	uint32_t top, n_units;		/* first unit behind all that came; units that came */
	uint64_t born_ns;
	struct frag_fate fate;
	uint64_t seen[UNITS / WORD_BITS];
};

struct source {
	uint16_t oldest, youngest, n_datagrams, n_slots;
};

/* At the beginning of the first slot of a waiting frame. */
struct held {
	struct frame f;
	uint16_t next, n_slots;
};
_Static_assert(sizeof(struct held) <= HEAD_BYTES, "it has that room");

struct frag {
	uint64_t seed[2];
	uint16_t n_used; /* datagrams from there on were never used: their pages are not touched */
	uint16_t free_datagram, oldest, youngest, ready;
	uint16_t free_slot,
		delivered; /* delivered: given out by frag_next(), of source delivered_source */
	uint16_t delivered_source;
	uint32_t n_slots, n_held;
	uint64_t lost;
	struct iovec iov[PIECES];
	struct source source[SOURCES];
	uint16_t slot_next[FRAG_SLOTS];
	struct datagram datagram[FRAG_DATAGRAMS];
	uint8_t (*slot)[FRAG_SLOT_BYTES];
};

struct frag *frag_create(const uint64_t seed[2])
{
	struct frag *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->slot = calloc(FRAG_SLOTS, sizeof(*g->slot));
	if (!g->slot) {
		free(g);
		return NULL;
	}
	memcpy(g->seed, seed, sizeof(g->seed));
	g->oldest = g->youngest = g->ready = g->delivered = g->free_datagram = NONE;
	for (unsigned i = 0; i < SOURCES; i++)
		g->source[i].oldest = g->source[i].youngest = NONE;
	for (unsigned i = 0; i < FRAG_SLOTS; i++)
		g->slot_next[i] = (uint16_t)(i + 1 < FRAG_SLOTS ? i + 1 : NONE);
	return g;
}

void frag_destroy(struct frag *g)
{
	if (!g)
		return;
	free(g->slot);
	free(g);
}

/* --- Frames that wait --- */

static struct held *held_at(const struct frag *g, uint16_t slot)
{
	void *p = g->slot[slot];

	return p;
}

static void free_held(struct frag *g, uint16_t slot, uint16_t source)
{
	uint16_t n = held_at(g, slot)->n_slots, last = slot;

	for (uint16_t i = 1; i < n; i++)
		last = g->slot_next[last];
	g->slot_next[last] = g->free_slot;
	g->free_slot = slot;
	g->n_slots -= n;
	g->source[source].n_slots = (uint16_t)(g->source[source].n_slots - n);
}

static void lose_held(struct frag *g, struct datagram *d)
{
	while (d->held_first != NONE) {
		uint16_t slot = d->held_first;

		d->held_first = held_at(g, slot)->next;
		free_held(g, slot, d->source);
		g->n_held--;
		g->lost++;
	}
}

/* --- Datagrams --- */

static uint16_t place_of(const struct frag *g, const struct datagram *d)
{
	return (uint16_t)(d - g->datagram);
}

static struct datagram *at(struct frag *g, uint16_t place)
{
	return place == NONE ? NULL : &g->datagram[place];
}

/* Takes it out of a list of two ends. */
static void unlink_all(struct frag *g, struct datagram *d)
{
	*(d->older == NONE ? &g->oldest : &g->datagram[d->older].younger) = d->younger;
	*(d->younger == NONE ? &g->youngest : &g->datagram[d->younger].older) = d->older;
}

static void unlink_source(struct frag *g, struct datagram *d)
{
	struct source *s = &g->source[d->source];
	uint16_t *before =
		d->source_older == NONE ? &s->oldest : &g->datagram[d->source_older].source_younger;
	uint16_t *behind = d->source_younger == NONE ? &s->youngest
						     : &g->datagram[d->source_younger].source_older;

	*before = d->source_younger;
	*behind = d->source_older;
	s->n_datagrams--;
}

static void unlink_ready(struct frag *g, struct datagram *d)
{
	uint16_t *link = &g->ready;

	if (!d->is_ready)
		return;
	while (*link != place_of(g, d))
		link = &g->datagram[*link].ready_next;
	*link = d->ready_next;
	d->is_ready = false;
}

static void forget(struct frag *g, struct datagram *d)
{
	lose_held(g, d);
	unlink_ready(g, d);
	unlink_all(g, d);
	unlink_source(g, d);
	d->state = FREE;
	d->younger = g->free_datagram;
	g->free_datagram = place_of(g, d);
}

/* Keyed by multiplication: which sources share a list cannot be chosen from outside. */
static uint16_t source_of(const struct frag *g, const struct ip *src, uint16_t vid)
{
	unsigned __int128 product;
	uint64_t half[2];

	memcpy(half, src, sizeof(half));
	half[0] ^= g->seed[0];
	half[1] ^= g->seed[1] ^ vid;
	product = (unsigned __int128)half[0] * (half[1] | 1);
	product = (unsigned __int128)((uint64_t)product ^ (uint64_t)(product >> 64) ^ half[1]) *
		  (g->seed[0] | 1);
	return (uint16_t)((uint64_t)(product >> 64) % SOURCES);
}

static struct datagram *find(struct frag *g, uint16_t source, const struct packet *k, uint16_t vid)
{
	uint8_t proto = k->is_v6 ? 0 : k->proto;

	for (struct datagram *d = at(g, g->source[source].youngest); d; d = at(g, d->source_older))
		if (d->id == k->fragment_id && d->vid == vid && d->proto == proto &&
		    ip_equal(&d->src, &k->src) && ip_equal(&d->dst, &k->dst))
			return d;
	return NULL;
}

static struct datagram *add(struct frag *g, uint16_t source, const struct packet *k, uint16_t vid,
			    uint64_t now_ns)
{
	struct source *s = &g->source[source];
	struct datagram *d;

	if (s->n_datagrams >= FRAG_PER_SOURCE)
		forget(g, &g->datagram[s->oldest]);
	if (g->free_datagram == NONE && g->n_used == FRAG_DATAGRAMS)
		forget(g, &g->datagram[g->oldest]);
	if (g->free_datagram != NONE) {
		d = &g->datagram[g->free_datagram];
		g->free_datagram = d->younger;
	} else {
		d = &g->datagram[g->n_used++];
	}
	*d = (struct datagram){
		.src = k->src,
		.dst = k->dst,
		.id = k->fragment_id,
		.vid = vid,
		.source = source,
		.proto = k->is_v6 ? 0 : k->proto,
		.state = WAITING,
		.older = g->youngest,
		.younger = NONE,
		.source_older = s->youngest,
		.source_younger = NONE,
		.ready_next = NONE,
		.held_first = NONE,
		.held_last = NONE,
		.born_ns = now_ns,
	};
	*(g->youngest == NONE ? &g->oldest : &g->datagram[g->youngest].younger) = place_of(g, d);
	*(s->youngest == NONE ? &s->oldest : &g->datagram[s->youngest].source_younger) =
		place_of(g, d);
	g->youngest = s->youngest = place_of(g, d);
	s->n_datagrams++;
	return d;
}

/* The bits of [first, last) in word w of the bitmap. */
static uint64_t bits_in(unsigned w, unsigned first, unsigned last)
{
	unsigned from = w * WORD_BITS, to = from + WORD_BITS;
	uint64_t bits = UINT64_MAX;

	if (first > from)
		bits &= UINT64_MAX << (first - from);
	if (last < to)
		bits &= UINT64_MAX >> (to - last);
	return bits;
}

/* Bytes of the payload that this fragment has. */
static uint32_t payload_bytes(const struct packet *k)
{
	unsigned header = k->fragment_header ? k->fragment_header + 8u : k->l4;

	return k->l3 + k->ip_bytes - header;
}

/* Marks what it brings; false when some of that was there, or it disagrees about the end. */
static bool mark(struct datagram *d, const struct packet *k)
{
	uint32_t end = k->fragment_at + payload_bytes(k);
	unsigned first = k->fragment_at / 8u, last = (end + 7) / 8;

	if (d->end && (end > d->end || !k->fragment_more))
		return false;
	if (!k->fragment_more && last < d->top)
		return false;
	for (unsigned w = first / WORD_BITS; w * WORD_BITS < last; w++)
		if (d->seen[w] & bits_in(w, first, last))
			return false;
	for (unsigned w = first / WORD_BITS; w * WORD_BITS < last; w++)
		d->seen[w] |= bits_in(w, first, last);
	d->n_units += last - first;
	if (last > d->top)
		d->top = last;
	if (!k->fragment_more)
		d->end = end;
	return true;
}

static bool is_whole(const struct datagram *d)
{
	return d->end && d->n_units == d->top && d->state == DECIDED && d->held_first == NONE;
}

enum drop frag_note(struct frag *g, const struct packet *k, uint16_t vid, uint64_t now_ns,
		    unsigned *ticket, const struct frag_fate **fate)
{
	uint16_t source = source_of(g, &k->src, vid);
	struct datagram *d = find(g, source, k, vid);

	if (d && now_ns - d->born_ns >= lifetime_ns) {
		forget(g, d);
		d = NULL;
	}
	if (!d)
		d = add(g, source, k, vid, now_ns);
	if (!mark(d, k))
		return DROP_FRAGMENT;
	*ticket = place_of(g, d);
	*fate = d->state == DECIDED ? &d->fate : NULL;
	/* What is whole needs no memory; its fate is read before the next call. */
	if (is_whole(d))
		forget(g, d);
	return DROP_NONE;
}

void frag_decide(struct frag *g, unsigned ticket, const struct frag_fate *fate)
{
	struct datagram *d = &g->datagram[ticket];

	d->fate = *fate;
	d->state = DECIDED;
	if (fate->drop != DROP_NONE)
		lose_held(g, d);
	if (is_whole(d)) {
		forget(g, d);
		return;
	}
	if (d->held_first == NONE)
		return;
	d->is_ready = true;
	d->ready_next = g->ready;
	g->ready = place_of(g, d);
}

/* n slots for a frame of that datagram, as a chain; NONE without room.  Older datagrams have to go for it. */
static uint16_t take_slots(struct frag *g, const struct datagram *d, unsigned n)
{
	uint16_t first, last;

	for (unsigned i = 0; i < TRIES && g->n_slots + n > FRAG_SLOTS; i++) {
		if (g->oldest == place_of(g, d))
			return NONE;
		forget(g, &g->datagram[g->oldest]);
	}
	if (g->n_slots + n > FRAG_SLOTS)
		return NONE;
	first = last = g->free_slot;
	for (unsigned i = 1; i < n; i++)
		last = g->slot_next[last];
	g->free_slot = g->slot_next[last];
	g->slot_next[last] = NONE;
	g->n_slots += n;
	g->source[d->source].n_slots = (uint16_t)(g->source[d->source].n_slots + n);
	return first;
}

static void copy_in(struct frag *g, uint16_t slot, const struct frame *f, uint16_t n_slots)
{
	struct held *h = held_at(g, slot);
	struct frame_reader r;

	*h = (struct held){.f = *f, .next = NONE, .n_slots = n_slots};
	frame_reader_init(&r, f, 0);
	frame_read(&r, g->slot[slot] + HEAD_BYTES + FRAME_HEADROOM, FIRST_BYTES);
	for (uint16_t s = g->slot_next[slot]; s != NONE; s = g->slot_next[s])
		frame_read(&r, g->slot[s], FRAG_SLOT_BYTES);
}

enum drop frag_hold(struct frag *g, unsigned ticket, const struct frame *f)
{
	struct datagram *d = &g->datagram[ticket];
	unsigned more = f->len > FIRST_BYTES ? f->len - FIRST_BYTES : 0;
	unsigned n = 1 + (more + FRAG_SLOT_BYTES - 1) / FRAG_SLOT_BYTES;
	uint16_t slot;

	if (g->source[d->source].n_slots + n > FRAG_SOURCE_SLOTS)
		return DROP_FRAGMENT;
	slot = take_slots(g, d, n);
	if (slot == NONE)
		return DROP_FRAGMENT;
	copy_in(g, slot, f, (uint16_t)n);
	if (d->held_first == NONE)
		d->held_first = slot;
	else
		held_at(g, d->held_last)->next = slot;
	d->held_last = slot;
	g->n_held++;
	return DROP_NONE;
}

void frag_apply(struct packet *k, const struct frag_fate *fate)
{
	uint8_t *id = k->f->snap + k->fragment_header + 4;

	if (!ip_equal(&k->src, &fate->src))
		packet_set_src(k, &fate->src, 0);
	if (!ip_equal(&k->dst, &fate->dst))
		packet_set_dst(k, &fate->dst, 0);
	if (k->fragment_id == fate->id)
		return;
	if (!k->is_v6) {
		packet_set_id(k, (uint16_t)fate->id);
		return;
	}
	write_be16(id, (uint16_t)(fate->id >> 16));
	write_be16(id + 2, (uint16_t)fate->id);
	k->fragment_id = fate->id;
}

/* The frame of a chain of slots; its body is in g->iov. */
static void give_out(struct frag *g, uint16_t slot, struct frame *f)
{
	uint32_t left;

	*f = held_at(g, slot)->f;
	f->snap = g->slot[slot] + HEAD_BYTES + FRAME_HEADROOM;
	f->snap_len = (uint16_t)(f->len < FIRST_BYTES ? f->len : FIRST_BYTES);
	f->body = g->iov;
	f->body_cnt = 0;
	left = f->len - f->snap_len;
	for (uint16_t s = g->slot_next[slot]; left > 0; s = g->slot_next[s]) {
		uint32_t n = left < FRAG_SLOT_BYTES ? left : FRAG_SLOT_BYTES;

		g->iov[f->body_cnt++] = (struct iovec){g->slot[s], n};
		left -= n;
	}
}

bool frag_next(struct frag *g, struct packet *k, struct frame *f, struct frag_fate *fate)
{
	struct datagram *d;
	uint16_t slot;

	if (g->delivered != NONE)
		free_held(g, g->delivered, g->delivered_source);
	g->delivered = NONE;
	if (g->ready == NONE)
		return false;
	d = &g->datagram[g->ready];
	slot = d->held_first;
	d->held_first = held_at(g, slot)->next;
	g->n_held--;
	g->delivered = slot;
	g->delivered_source = d->source;
	give_out(g, slot, f);
	*fate = d->fate;
	if (d->held_first == NONE)
		unlink_ready(g, d);
	if (is_whole(d))
		forget(g, d);
	/* It was parsed when it came. */
	return packet_parse(k, f) == DROP_NONE;
}

uint64_t frag_tick(struct frag *g, uint64_t now_ns)
{
	while (g->oldest != NONE && now_ns - g->datagram[g->oldest].born_ns >= lifetime_ns)
		forget(g, &g->datagram[g->oldest]);
	return g->oldest == NONE ? UINT64_MAX : g->datagram[g->oldest].born_ns + lifetime_ns;
}

struct frag_stats frag_stats(const struct frag *g)
{
	return (struct frag_stats){
		.waiting = g->n_held,
		.bytes = (uint64_t)g->n_slots * FRAG_SLOT_BYTES,
		.lost = g->lost,
	};
}
