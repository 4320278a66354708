/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vring_chain: chains of descriptors that are more than one plain one: linked, indirect, or bad.  vring_fetch.h comes here for
 * each of them.
 *
 * A chain becomes iovecs of the worker's scratch.  Each of its descriptors is read once, in its order, and it ends after
 * VRING_CHAIN_MAX of them whatever it says.
 *
 * virtio 1.2: 2.7.5 (split), 2.7.5.3 (indirect), 2.8.6 and 2.8.7 (packed).
 *
 * Trust.  Every number is the guest's.
 */
#include "switch/port/vring_window.h"

/* A chain that is being gathered. */
struct chain {
	struct vring *r;
	struct scratch *s;
	uint16_t want; /* DESC_WRITE or 0: what its descriptors have to say */
	unsigned steps;
	unsigned iovs;
	uint64_t bytes;
};

static bool chain_add(struct chain *c, const struct desc *d)
{
	uint8_t *at = guest_mem_at(c->r->mem, d->addr, d->len, &c->r->hint);

	if (!at || (d->flags & DESC_WRITE) != c->want || ++c->steps > VRING_CHAIN_MAX)
		return false;
	if (d->len == 0)
		return true;
	if (c->s->iovs + c->iovs == SCRATCH_IOVS)
		return false;
	c->s->iov[c->s->iovs + c->iovs++] = (struct iovec){at, d->len};
	c->bytes += d->len;
	return true;
}

/* The table of an indirect descriptor: split follows `next`, packed goes to its end (virtio 1.2, 2.7.5.3, 2.8.7). */
static bool chain_add_table(struct chain *c, const struct desc *d, bool packed)
{
	const uint8_t *table = guest_mem_at(c->r->mem, d->addr, d->len, &c->r->hint);
	unsigned n = d->len / DESC_BYTES, i = 0;

	if (!c->r->has_indirect || !table || (d->flags & DESC_NEXT) || n == 0 ||
	    d->len % DESC_BYTES || ((uintptr_t)table & 7) || n > VRING_CHAIN_MAX)
		return false;
	for (unsigned step = 0; step < n; step++) {
		struct desc e = load_desc(table + (size_t)i * DESC_BYTES, packed);

		/* DPDK up to 22.11 says WRITE of the header that it sends: what it may be read for is its own anyway. */
		if (packed && c->want == 0)
			e.flags &= (uint16_t)~DESC_WRITE;
		if ((e.flags & DESC_INDIRECT) || !chain_add(c, &e))
			return false;
		if (packed)
			i++;
		else if (!(e.flags & DESC_NEXT))
			return true;
		else
			i = e.id;
		if (i >= n)
			return packed;
	}
	return packed; /* a split one that has not ended is a loop */
}

void gather_split(struct vring *r, struct scratch *s, struct window *w, unsigned i, struct desc d)
{
	struct chain c = {.r = r, .s = s, .want = r->is_transmit ? 0 : DESC_WRITE};
	bool good = true;

	for (unsigned step = 0; good; step++) {
		if (d.flags & DESC_INDIRECT) {
			good = chain_add_table(&c, &d, false);
			break;
		}
		good = chain_add(&c, &d);
		if (!good || !(d.flags & DESC_NEXT))
			break;
		good = d.id < r->size && step < r->size;
		if (good)
			d = load_desc(slot_of(r, d.id), false);
	}
	w->iov[i] = (uint16_t)s->iovs;
	w->iovs[i] = good && c.bytes <= UINT32_MAX ? (uint16_t)c.iovs : 0;
	w->bytes[i] = (uint32_t)c.bytes;
	s->iovs += w->iovs[i];
}

/* The chain lies in slots one after the other, its id in the last. */
bool gather_packed(struct vring *r, struct scratch *s, struct window *w, unsigned i, unsigned slot,
		   struct desc d)
{
	struct chain c = {.r = r, .s = s, .want = r->is_transmit ? 0 : DESC_WRITE};
	bool good = true;
	unsigned span = 1;

	for (;; span++) {
		good = good && (d.flags & DESC_INDIRECT ? chain_add_table(&c, &d, true)
							: chain_add(&c, &d));
		if (!(d.flags & DESC_NEXT))
			break;
		if (span == r->size)
			return false;
		if (++slot == r->size)
			slot = 0;
		d = load_desc(slot_of(r, slot), true);
	}
	w->id[i] = d.id;
	w->span[i] = (uint16_t)span;
	w->iov[i] = (uint16_t)s->iovs;
	w->iovs[i] = good && c.bytes <= UINT32_MAX ? (uint16_t)c.iovs : 0;
	w->bytes[i] = (uint32_t)c.bytes;
	s->iovs += w->iovs[i];
	return true;
}
