/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gateway: the vector in passes, and what is due by time.
 *
 * forward.c collects the frames of a vector that are for legs and hands them over; gateway_internal.h lists the files that
 * do the rest.
 *
 *   1 sort     each frame: ARP and ND here; of packets: parsed, who may send what where; asks for the NAT's index line
 *   2 fetch    each packet: reads the line, asks for the session
 *   3 carry    each packet: translated, hop, MTU, neighbour -> goes on, waits, is answered or dropped
 *   4 free     what waited and need not wait any more: made frames
 *
 * Most packets are UDP or TCP of IPv4 from a network of mode nat to an address far from ours: for these passes 1 and 3 have short
 * forms, which do what the long ones would do, or leave the packet to them before anything was changed.
 *
 * The cache misses of one pass overlap.  All of it is under one lock, which workers alone take and hold for a vector at most:
 * what they share is the NAT, the neighbours and the limits.  Frames leave after the lock was given back, from memory that is
 * the worker's (gateway_made.c).
 *
 * Time.  next_ns is when something is due; each turn of each worker reads it, and whoever finds it past does the work.
 *
 * Trust.  Only the snapshot is read.  Each file says what it checks.
 */
#include "switch/gateway.h"

#include <assert.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "switch/base/packet_plain.h"
#include "switch/gateway_internal.h"
#include "switch/port/scratch.h"

enum {
	RING_BYTES = 4 << 20,
	ERRORS_PER_S = 1000,
	ERRORS_BURST = 200,
	DUE_ROOM = 4, /* made frames that one question, or one error, may need */
	WAIT_TICK_NS = 1000000000,
};

/* --- the lock ---------------------------------------------------------------------------- */

void gateway_lock(struct gateway *g)
{
	while (atomic_flag_test_and_set_explicit(&g->lock, memory_order_acquire))
		sched_yield();
}

void gateway_unlock(struct gateway *g)
{
	atomic_flag_clear_explicit(&g->lock, memory_order_release);
}

static void enter(struct gateway *g, const struct gateway_call *call)
{
	assert(call->conf->is_sealed);
	gateway_lock(g);
	g->call = call;
	g->hop_to = NULL;
	gateway_made_begin(g);
}

static void leave(struct gateway *g)
{
	bool has_served = g->has_served;

	g->has_served = false;
	g->call = NULL;
	gateway_unlock(g);
	/* Once for all of them, and not under the lock: who is woken may take this CPU. */
	if (has_served)
		gateway_call_service(g);
}

/* --- what is free to go now -------------------------------------------------------------- */

/* Frames whose neighbour is known now. */
static void release(struct gateway *g)
{
	struct neigh_ready r;

	while (gateway_made_room(g) > 0 && neigh_released(g->neigh, &r)) {
		struct work w = {.to = gateway_leg_of(g->call->conf, r.vid)};
		struct frame *f = gateway_made_held(g, r.place);

		if (w.to->vid != 0 && packet_parse(&w.k, f) == DROP_NONE &&
		    gateway_leave(g, &w, &r.mac) == DROP_NONE)
			continue;
		gateway_made_cancel(g, f);
		g->stats.made_lost++;
	}
}

/* Fragments whose first one came.  Where they came from is not known any more, so that no error is sent about them. */
static void release_fragments(struct gateway *g)
{
	struct frame fragment;
	uint16_t vid;
	struct work w = {0};

	while (gateway_made_room(g) > 0 &&
	       nat_held(g->nat, &w.k, &fragment, &vid, g->call->now_ns)) {
		uint16_t place = hold_put(g->hold, &fragment, (struct hold_origin){0});
		struct frame *f;

		w.to = gateway_leg_of(g->call->conf, vid);
		if (place == HOLD_NONE) {
			g->stats.made_lost++;
			continue;
		}
		f = gateway_made_held(g, place);
		w.k.f = f;
		if (w.to->vid == 0 || gateway_hop(g, &w) != DROP_NONE)
			g->stats.made_lost++;
		else if (f->out == OUT_NONE)
			continue;
		gateway_made_cancel(g, f);
	}
}

/* --- a vector ---------------------------------------------------------------------------- */

static void pull(const struct gateway *g, struct frame *f, unsigned i, uint16_t n)
{
	if (f->snap_len < n && f->snap_len < f->len)
		frame_pull(f, g->call->head_long + (size_t)i * HEAD_LONG_STRIDE + FRAME_HEADROOM,
			   n);
}

static enum drop parse(const struct gateway *g, struct packet *k, struct frame *f, unsigned i)
{
	enum drop drop;

	pull(g, f, i, PACKET_SNAP);
	drop = packet_parse(k, f);
	if (__builtin_expect(drop, 0) && f->snap_len < f->len) { /* long options */
		pull(g, f, i, SNAP_MAX);
		drop = packet_parse(k, f);
	}
	/* The packet that an error holds, and the options of neighbour discovery. */
	if (!drop && (k->proto == PROTO_ICMP || k->proto == PROTO_ICMPV6))
		pull(g, f, i, SNAP_MAX);
	return drop;
}

/* Pass 1 for one frame.  *goes: it is in w, and to be carried. */
static enum drop sort(struct gateway *g, struct work *w, struct frame *f, unsigned i, bool *goes)
{
	const struct gateway_leg *leg = gateway_leg_of(g->call->conf, f->tci & TCI_VID);
	enum drop drop;

	*goes = false;
	f->out = OUT_NONE;
	if (__builtin_expect(f->etype == ETYPE_ARP, 0)) {
		pull(g, f, i, ARP_BYTES);
		return gateway_arp(g, leg, f);
	}
	if (f->etype != ETYPE_IPV4 && f->etype != ETYPE_IPV6) {
		note(g->call->rec, f, STAGE_GATEWAY, "neither IP nor ARP");
		return DROP_NO_SERVICE;
	}
	drop = parse(g, &w->k, f, i);
	if (__builtin_expect(drop, 0)) {
		note(g->call->rec, f, STAGE_GATEWAY, "%s", drop_text(drop));
		return drop;
	}
	if (__builtin_expect(w->k.proto == PROTO_ICMPV6, 0) && gateway_is_nd(&w->k))
		return gateway_nd(g, leg, &w->k);
	w->from = leg;
	return gateway_sort(g, w, goes);
}

/* --- most packets: short forms ----------------------------------------------------------- */

/*
 * Pass 1 for a packet of which gateway_sort() has nothing to say: from a host of a network of mode nat to an address that is far
 * from all of ours.  True: it is one, is in w and goes out.  False: nothing was done.
 */
static inline bool sort_plain(struct gateway *g, const struct gateway_leg *leg, struct work *w,
			      struct frame *f)
{
	uint32_t src, dst, host;

	if (!packet_parse_plain(&w->k, f))
		return false;
	src = gateway_v4(&w->k.src);
	dst = gateway_v4(&w->k.dst);
	host = src & ~leg->mask4;
	if ((src & leg->mask4) != leg->net4 || host == 0 || host == ~leg->mask4 ||
	    src == gateway_v4(&leg->v4.ip) || w->k.ttl <= 1 ||
	    (leg->conf->odd4[dst >> 22] >> (dst >> 16 & 63) & 1))
		return false;
	w->from = leg;
	w->to = &leg->conf->leg[leg->outside];
	w->way = WAY_OUT;
	w->may_begin = false;
	w->is_held = false;
	w->is_plain = true;
	w->is_translated = false;
	w->j.k = &w->k;
	w->j.vid = leg->vid;
	w->j.slot = g->call->in_slot;
	f->out = OUT_NONE;
	return true;
}

/* The way on for such a packet, to a next hop that this vector met before; else gateway_hop(). */
static inline enum drop hop_plain(struct gateway *g, struct work *w)
{
	const struct gateway_leg *to = w->to;
	struct packet *k = &w->k;
	struct frame *f = k->f;

	if (__builtin_expect(g->hop_to != to || f->off.gso_type != GSO_NONE ||
				     k->ip_bytes > to->mtu || to->more_links ||
				     (gateway_v4(&k->dst) & to->mask4) == to->net4,
			     0))
		return gateway_hop(g, w);
	packet_take_hop_plain(k);
	memcpy(f->snap, g->hop_eth, sizeof(g->hop_eth));
	f->tci = (uint16_t)((f->tci & ~TCI_VID) | to->vid);
	if (f->len != ETH_HEADER + k->ip_bytes)
		gateway_trim(k);
	return DROP_NONE;
}

/* Pass 3 for one. */
static inline enum drop carry_plain(struct gateway *g, struct work *w)
{
	struct packet *k = &w->k;
	uint64_t src = packet_low(&k->src);
	enum drop drop;

	drop = nat_out(g->nat, &w->j, g->call->now_ns, &w->is_held);
	w->is_translated = src != packet_low(&k->src);
	if (__builtin_expect(drop, 0))
		return gateway_carry_refused(g, w, drop);
	w->to = gateway_leg_of(g->call->conf, w->j.vid);
	if (__builtin_expect(w->to->vid == 0, 0))
		return DROP_NO_ROUTE;
	return hop_plain(g, w);
}

/* --- a vector, in passes ----------------------------------------------------------------- */

/* Something was taken: sessions may have begun, and questions are open. */
static void wake_by(struct gateway *g)
{
	uint64_t soon_ns = g->call->now_ns + WAIT_TICK_NS, neigh_ns = neigh_next_ns(g->neigh);

	if (neigh_ns < soon_ns)
		soon_ns = neigh_ns;
	if (gateway_made_room(g) == 0)
		soon_ns = 0;
	if (soon_ns < atomic_load_explicit(&g->next_ns, memory_order_relaxed))
		atomic_store_explicit(&g->next_ns, soon_ns, memory_order_relaxed);
}

static __attribute__((noinline)) bool sort_any(struct gateway *g, struct work *w, struct frame *f,
					       unsigned i)
{
	bool goes;

	w->is_plain = false;
	f->drop = (uint8_t)sort(g, w, f, i, &goes);
	return goes;
}

/* The passes are functions of their own, so that each loop has all registers. */

/* Pass 1.  Returns how many packets are to be carried; *plain of them by the short forms. */
static __attribute__((noinline)) unsigned sort_vec(struct gateway *g, struct vec *v,
						   const uint8_t *index, unsigned n,
						   unsigned *plain)
{
	const struct gateway_conf *conf = g->call->conf;
	const struct gateway_leg *leg = conf->leg;
	bool is_recorded = RECORDER_ON(g->call->rec);
	struct nat_job **job = g->plain;
	struct work *w = g->work;
	unsigned vid = 0;

	for (unsigned i = 0; i < n; i++) {
		struct frame *f = &v->f[index[i]];

		if ((f->tci & TCI_VID) != vid) {
			vid = f->tci & TCI_VID;
			leg = gateway_leg_of(conf, (uint16_t)vid);
		}
		if (leg->is_plain && !is_recorded && sort_plain(g, leg, w, f))
			*job++ = &w++->j;
		else
			w += sort_any(g, w, f, index[i]);
	}
	*plain = (unsigned)(job - g->plain);
	nat_seek_out(g->nat, g->plain, *plain);
	return (unsigned)(w - g->work);
}

/* Pass 2. */
static void fetch_vec(struct gateway *g, unsigned n, unsigned plain)
{
	nat_fetch_out(g->nat, g->plain, plain);
	for (unsigned i = 0; i < n && plain < n; i++)
		if (!g->work[i].is_plain && g->work[i].way != WAY_PLAIN)
			nat_fetch(g->nat, &g->work[i].j);
}

/* Pass 3. */
static __attribute__((noinline)) void carry_vec(struct gateway *g, unsigned n)
{
	for (struct work *w = g->work; w < g->work + n; w++) {
		enum drop drop = w->is_plain ? carry_plain(g, w) : gateway_carry(g, w);

		w->k.f->drop = (uint8_t)drop;
	}
}

void gateway_take(struct gateway *g, const struct gateway_call *call, struct vec *v,
		  const uint8_t *index, unsigned n)
{
	unsigned going, plain;

	enter(g, call);
	going = sort_vec(g, v, index, n, &plain);
	fetch_vec(g, going, plain);
	carry_vec(g, going);
	release(g);
	release_fragments(g);
	wake_by(g);
	leave(g);
}

/* --- time -------------------------------------------------------------------------------- */

/* Nobody answered for the neighbour that this frame waited for. */
static void give_up(struct gateway *g, const struct neigh_due *due)
{
	struct hold_origin from;
	struct frame *f = hold_frame(g->hold, due->place, &from);
	struct work w = {.way = from.way};

	g->stats.unanswered++;
	w.from = from.vid ? gateway_leg_of(g->call->conf, from.vid) : NULL;
	w.to = gateway_leg_of(g->call->conf, due->vid);
	if (w.to->vid && (!w.from || w.from->vid) && packet_parse(&w.k, f) == DROP_NONE) {
		w.is_translated =
			w.way == WAY_IN || (w.way == WAY_OUT && gateway_is_own(w.to, &w.k.src));
		gateway_error(g, &w, DROP_NO_NEIGHBOUR);
	}
	hold_free(g->hold, due->place);
}

static void ask_due(struct gateway *g)
{
	struct neigh_due due;

	while (gateway_made_room(g) > DUE_ROOM && neigh_due(g->neigh, &due, g->call->now_ns)) {
		const struct gateway_leg *leg = gateway_leg_of(g->call->conf, due.vid);

		if (due.failed)
			give_up(g, &due);
		else if (leg->vid)
			gateway_ask(g, leg, &due.ip, mac_is_zero(&due.mac) ? NULL : &due.mac);
	}
}

static uint64_t earliest(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool is_due(struct gateway *g, const struct gateway_call *call, uint64_t next_ns)
{
	return call->now_ns >= next_ns || call->made->n_places > 0 ||
	       atomic_load_explicit(&g->has_queued, memory_order_relaxed);
}

uint64_t gateway_tick(struct gateway *g, const struct gateway_call *call)
{
	uint64_t next_ns = atomic_load_explicit(&g->next_ns, memory_order_relaxed);

	if (!is_due(g, call, next_ns))
		return next_ns;
	enter(g, call);
	/* Before the ring is read: what comes after that calls again. */
	atomic_exchange_explicit(&g->has_queued, false, memory_order_acquire);
	gateway_send_queued(g);
	next_ns = nat_tick(g->nat, call->now_ns);
	ask_due(g);
	release(g);
	release_fragments(g);
	gateway_legs_tick(g);
	next_ns = earliest(next_ns, earliest(neigh_next_ns(g->neigh), g->legs_due_ns));
	if (gateway_made_room(g) <= DUE_ROOM) /* perhaps not all of it */
		next_ns = call->now_ns;
	atomic_store_explicit(&g->next_ns, next_ns, memory_order_relaxed);
	if (gateway_made_room(g) == 0)
		atomic_store_explicit(&g->has_queued, true, memory_order_relaxed);
	leave(g);
	return next_ns;
}

/* --- control ----------------------------------------------------------------------------- */

struct nat *gateway_nat(struct gateway *g)
{
	return g->nat;
}

struct neigh *gateway_neigh(struct gateway *g)
{
	return g->neigh;
}

void gateway_stats(const struct gateway *g, struct gateway_stats *out)
{
	*out = g->stats;
	out->wait_lost = neigh_lost(g->neigh);
}

/* --- life -------------------------------------------------------------------------------- */

struct gateway *gateway_create(struct neigh_table *neigh, bool is_fresh_neigh, void *nat_region,
			       bool is_fresh_nat, const uint64_t seed[2], uint64_t now_ns)
{
	struct gateway *g = aligned_alloc(_Alignof(struct gateway), sizeof(*g));

	if (!g)
		return NULL;
	memset(g, 0, sizeof(*g));
	atomic_flag_clear(&g->lock);
	g->random = seed[0] ^ seed[1] ^ now_ns;
	g->random += !g->random; /* xorshift stays at 0 */
	g->ip_id = (uint16_t)gateway_random(g);
	g->legs_due_ns = UINT64_MAX;
	rate_init(&g->errors, ERRORS_PER_S, ERRORS_BURST);
	g->service_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	g->state = calloc(VLANS, sizeof(*g->state));
	g->inbox = ring_create(RING_BYTES);
	g->outbox = ring_create(RING_BYTES);
	g->waiting = calloc(SLOT_MAX, sizeof(*g->waiting));
	g->hold = hold_create();
	if (g->hold)
		g->neigh = neigh_create(neigh, is_fresh_neigh, seed, g->hold, now_ns);
	g->nat = nat_create(nat_region, is_fresh_nat, now_ns, seed);
	if (g->service_fd >= 0 && g->state && g->inbox && g->outbox && g->waiting && g->neigh &&
	    g->nat)
		return g;
	gateway_destroy(g);
	return NULL;
}

void gateway_destroy(struct gateway *g)
{
	if (!g)
		return;
	nat_destroy(g->nat);
	neigh_destroy(g->neigh);
	hold_destroy(g->hold);
	ring_destroy(g->outbox);
	ring_destroy(g->inbox);
	free(g->waiting);
	free(g->state);
	if (g->service_fd >= 0)
		close(g->service_fd);
	free(g);
}
