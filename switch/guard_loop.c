/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guard_loop: called by the control thread's tick; reads what workers left in their forwarders (probes that
 * came in) and in the table (addresses that moved), sends probes itself.
 *
 *            moves > LOOP_MOVES                 probe came back
 *   quiet ----------------------> suspect  ----------------------> capped --- LOOP_HOLD_S without a probe ---> quiet
 *                 (a probe goes out)             (event "loop")       (a probe every LOOP_PROBE_S)  (event "loop_end")
 */
#include "switch/guard_loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "switch/base/log.h"
#include "switch/daemon.h"
#include "switch/port/scratch.h"

struct watched {
	uint32_t moves;	   /* port_moves at the last tick */
	uint32_t probed_s; /* when a probe last went out */
	uint64_t nonce;	   /* of that probe; 0: none */
	bool is_capped;
};

struct guard_loop {
	struct scratch scratch; /* the control thread's own, for tx */
	struct watched port[SLOT_MAX];
};

struct guard_loop *guard_loop_create(void)
{
	struct guard_loop *g = calloc(1, sizeof(*g));

	if (g && scratch_init(&g->scratch) < 0) {
		free(g);
		return NULL;
	}
	return g;
}

void guard_loop_destroy(struct guard_loop *g)
{
	if (!g)
		return;
	scratch_fini(&g->scratch);
	free(g);
}

static void probe(struct guard_loop *g, struct daemon *d, struct port *p)
{
	uint8_t bytes[ETH_MIN];
	struct frame f = {.snap = bytes, .snap_len = ETH_MIN, .len = ETH_MIN};
	struct tx_frame t = {.f = &f, .frames = 1};
	uint64_t nonce = 0;

	/* A new one each time: who saw an old probe, or another port's, can forge none. */
	if (getrandom(&nonce, sizeof(nonce), 0) != sizeof(nonce) || nonce == 0)
		return;
	g->port[p->slot].nonce = nonce;
	forward_loop_probe(bytes, d->state->loop_id, p->slot, nonce);
	p->ops->tx(p, 0, &g->scratch, &t, 1);
}

/*
 * What the port seems to have learned came round the loop: it goes, so that stations elsewhere are found again with
 * their next frame.  Nothing is learned from a capped port.
 */
static void cap(struct guard_loop *g, struct daemon *d, struct port *p, uint32_t now_s)
{
	atomic_store(&p->loop_until_s, now_s + LOOP_HOLD_S);
	fdb_flush_slot(d->fdb, p->slot);
	g->port[p->slot].is_capped = true;
}

/* A probe of port `from` came in by port `in`. */
static void found(struct guard_loop *g, struct daemon *d, uint16_t in, uint16_t from,
		  uint64_t nonce, uint32_t now_s)
{
	struct port *a = from < SLOT_MAX ? d->port[from] : NULL, *b = d->port[in];
	bool is_new;
	char object[EVENT_OBJECT_SIZE];

	if (!a || !b || !nonce || g->port[from].nonce != nonce)
		return; /* forged, or older than the last */
	is_new = !g->port[a->slot].is_capped || !g->port[b->slot].is_capped;
	cap(g, d, a, now_s);
	cap(g, d, b, now_s);
	if (!is_new)
		return;
	snprintf(object, sizeof(object), "port %s", a->name);
	if (a == b)
		state_event(d->state, "loop", object,
			    "what it sends comes back: what it sends is limited to 100 frames a "
			    "second");
	else
		state_event(d->state, "loop", object,
			    "in a loop with port %s: each is limited to 100 frames a second",
			    b->name);
}

/* Probes that workers saw since the last tick. */
static void collect(struct guard_loop *g, struct daemon *d, uint32_t now_s)
{
	for (unsigned i = 0; i < d->n_workers; i++) {
		struct forwarder *w = worker_forwarder(d->worker[i]);

		for (unsigned word = 0; word < SLOT_MAX / 64; word++) {
			uint64_t bits = __atomic_load_n(&w->loop_hits[word], __ATOMIC_RELAXED);

			if (bits)
				bits = __atomic_exchange_n(&w->loop_hits[word], 0,
							   __ATOMIC_ACQUIRE);
			for (; bits; bits &= bits - 1) {
				uint16_t in =
					(uint16_t)(word * 64 + (unsigned)__builtin_ctzll(bits));

				found(g, d, in,
				      __atomic_load_n(&w->loop_from[in], __ATOMIC_RELAXED),
				      __atomic_load_n(&w->loop_nonce[in], __ATOMIC_RELAXED), now_s);
			}
		}
	}
}

static void tick_port(struct guard_loop *g, struct daemon *d, struct port *p, uint32_t now_s)
{
	struct watched *x = &g->port[p->slot];
	uint32_t moves = atomic_load_explicit(&d->fdb->port_moves[p->slot], memory_order_relaxed);
	bool is_suspect = moves - x->moves > LOOP_MOVES;
	char object[EVENT_OBJECT_SIZE];

	x->moves = moves;
	if (x->is_capped && now_s >= atomic_load(&p->loop_until_s)) {
		x->is_capped = false;
		atomic_store(&p->loop_until_s, 0);
		snprintf(object, sizeof(object), "port %s", p->name);
		state_event(d->state, "loop_end", object, "no loop is seen any more");
	}
	if ((is_suspect && now_s != x->probed_s) ||
	    (x->is_capped && now_s - x->probed_s >= LOOP_PROBE_S)) {
		x->probed_s = now_s;
		probe(g, d, p);
	}
}

void guard_loop_tick(struct guard_loop *g, struct daemon *d, uint64_t now_ms)
{
	uint32_t now_s = (uint32_t)(now_ms / 1000);

	collect(g, d, now_s);
	for (unsigned slot = 0; slot < SLOT_MAX; slot++)
		if (d->port[slot] && atomic_load(&d->port[slot]->state) == PORT_UP)
			tick_port(g, d, d->port[slot], now_s);
}
