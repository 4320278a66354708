/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ports: the ports of one outside address for one protocol.
 *
 * session.c takes one for a new mapping and gives it back with the mapping's last session.
 *
 *   open bit set ---take---> in use (sessions > 0) ---give---> at rest (sessions = RESTING, in the queue of its class)
 *        ^                                                          |  NAT_QUIET_S later, or first in the queue while
 *        '----------------------------------------------------------'  nothing is open and the caller may
 *
 * A reserved port has no open bit.  It may be in use, if it was before, and then rests as any other; when its time has come it
 * just leaves the queue.
 *
 * The draw.  Some random ports are tried; each is open with the chance that is the open share of the class.  Else, of n that are
 * open, a random one is counted off, by blocks, groups of 64 and bits.
 */
#include "nat/ports.h"

#include <string.h>

#include "nat/nat.h"

enum { TRIES = 8, LOW_PORTS = 1024, GROUP = 64, RELEASED_AT_ONCE = 4 };
_Static_assert(LOW_PORTS % PORTS_BLOCK == 0, "a block is of one class");

static uint64_t rotate(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static void sip_rounds(uint64_t v[4], unsigned n)
{
	while (n-- > 0) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32) + v[3];
		v[2] += v[1];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[2] = rotate(v[2], 32);
	}
}

uint64_t ports_sip(const uint64_t key[2], uint64_t word)
{
	const uint64_t length = 8ULL << 56;
	uint64_t v[4] = {key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
			 key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573};

	v[3] ^= word;
	sip_rounds(v, 2);
	v[0] ^= word;
	v[3] ^= length;
	sip_rounds(v, 2);
	v[0] ^= length;
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* 16 random bits. */
static uint16_t draw(struct ports_random *r)
{
	uint16_t bits;

	if (r->n_bits == 0) {
		r->bits = ports_sip(r->key, r->counter++);
		r->n_bits = 64;
	}
	bits = (uint16_t)r->bits;
	r->bits >>= 16;
	r->n_bits -= 16;
	return bits;
}

/* 0 ... n - 1, n up to 65536; none is likelier than another by more than n / 65536 of itself. */
static unsigned draw_below(struct ports_random *r, unsigned n)
{
	return (unsigned)draw(r) * n >> 16;
}

static unsigned first_of(const struct ports *p, enum ports_class class)
{
	return class == PORTS_HIGH && !p->is_identifiers ? LOW_PORTS : 0;
}

static unsigned end_of(enum ports_class class)
{
	return class == PORTS_LOW ? LOW_PORTS : PORTS;
}

enum ports_class ports_class_of(const struct ports *p, uint16_t port)
{
	return port < LOW_PORTS && !p->is_identifiers ? PORTS_LOW : PORTS_HIGH;
}

static bool has(const uint64_t *map, uint16_t port)
{
	return map[port / GROUP] >> port % GROUP & 1;
}

static void set_open(struct ports *p, uint16_t port)
{
	p->open[port / GROUP] |= 1ULL << port % GROUP;
	p->n_open[port / PORTS_BLOCK]++;
	p->class[ports_class_of(p, port)].n_open++;
}

static void set_closed(struct ports *p, uint16_t port)
{
	p->open[port / GROUP] &= ~(1ULL << port % GROUP);
	p->n_open[port / PORTS_BLOCK]--;
	p->class[ports_class_of(p, port)].n_open--;
}

void ports_init(struct ports *p, bool is_identifiers)
{
	if (p->is_ready)
		memset(p, 0, sizeof(*p));
	p->is_ready = true;
	p->is_identifiers = is_identifiers;
	memset(p->open, 0xff, sizeof(p->open));
	for (unsigned i = 0; i < PORTS / PORTS_BLOCK; i++)
		p->n_open[i] = PORTS_BLOCK;
	p->class[PORTS_LOW].n_open = is_identifiers ? 0 : LOW_PORTS;
	p->class[PORTS_HIGH].n_open = is_identifiers ? PORTS : PORTS - LOW_PORTS;
	if (!is_identifiers)
		set_closed(p, 0); /* is no port (RFC 768, RFC 9293 3.1) */
}

/* The oldest at rest leaves the queue. */
static uint16_t wake(struct ports *p, enum ports_class class)
{
	uint16_t port = p->class[class].oldest;

	p->class[class].oldest = p->port[port].next;
	p->class[class].n_resting--;
	__builtin_prefetch(&p->port[p->class[class].oldest], 1);
	p->port[port] = (struct port){0};
	return port;
}

/* The lower halves of the clock are compared: after 18 hours without a use a port may seem to rest a little longer. */
static bool has_rested(const struct ports *p, uint16_t port, uint32_t now_s)
{
	return (uint16_t)(now_s - p->port[port].since) > NAT_QUIET_S;
}

/* Opens what has rested enough: a few, or until there is one. */
static void release(struct ports *p, enum ports_class class, uint32_t now_s)
{
	for (unsigned i = 0; i < RELEASED_AT_ONCE || p->class[class].n_open == 0; i++) {
		uint16_t port;

		if (p->class[class].n_resting == 0 || !has_rested(p, p->class[class].oldest, now_s))
			return;
		port = wake(p, class);
		if (!has(p->reserved, port))
			set_open(p, port);
	}
}

/* Of the open ports from block `first` on, the one that has n before it; there are more than n. */
static uint16_t nth_open(const struct ports *p, unsigned first, unsigned n)
{
	unsigned block = first / PORTS_BLOCK, group;
	uint64_t bits;

	for (; n >= p->n_open[block]; block++)
		n -= p->n_open[block];
	group = block * (PORTS_BLOCK / GROUP);
	for (; n >= (unsigned)__builtin_popcountll(p->open[group]); group++)
		n -= (unsigned)__builtin_popcountll(p->open[group]);
	for (bits = p->open[group]; n > 0; n--)
		bits &= bits - 1;
	return (uint16_t)(group * GROUP + (unsigned)__builtin_ctzll(bits));
}

static uint16_t pick(const struct ports *p, enum ports_class class, struct ports_random *random)
{
	unsigned first = first_of(p, class), end = end_of(class);

	for (unsigned i = 0; i < TRIES; i++) {
		uint16_t port = (uint16_t)(first + draw_below(random, end - first));

		if (has(p->open, port))
			return port;
	}
	return nth_open(p, first, draw_below(random, p->class[class].n_open));
}

int ports_take(struct ports *p, enum ports_class class, bool may_rest_less, uint32_t now_s,
	       struct ports_random *random)
{
	uint16_t port;

	release(p, class, now_s);
	if (p->class[class].n_open > 0) {
		port = pick(p, class, random);
		set_closed(p, port);
		p->n_used++;
		return port;
	}
	while (may_rest_less && p->class[class].n_resting > 0) {
		port = wake(p, class);
		if (!has(p->reserved, port)) {
			p->n_used++;
			return port;
		}
	}
	return -1;
}

bool ports_claim(struct ports *p, uint16_t port)
{
	if (!has(p->open, port))
		return false;
	set_closed(p, port);
	p->n_used++;
	return true;
}

void ports_give(struct ports *p, uint16_t port, uint32_t now_s)
{
	enum ports_class class = ports_class_of(p, port);

	p->port[port] = (struct port){.sessions = PORTS_RESTING, .since = (uint16_t)now_s};
	if (p->class[class].n_resting++ == 0)
		p->class[class].oldest = port;
	else
		p->port[p->class[class].newest].next = port;
	p->class[class].newest = port;
	p->n_used--;
}

void ports_reserve(struct ports *p, uint16_t first, uint16_t last)
{
	p->has_wanted = true;
	for (unsigned i = first / GROUP; i <= last / GROUP; i++) {
		uint64_t bits = ~0ULL;

		if (i == first / GROUP)
			bits &= ~0ULL << first % GROUP;
		if (i == last / GROUP)
			bits &= ~0ULL >> (GROUP - 1 - last % GROUP);
		p->wanted[i] |= bits;
	}
}

/* Those of a group that are wanted now and were not, or the other way round. */
static void change_group(struct ports *p, unsigned group)
{
	uint64_t changed = p->wanted[group] ^ p->reserved[group];

	p->reserved[group] = p->wanted[group];
	p->wanted[group] = 0;
	for (; changed; changed &= changed - 1) {
		uint16_t port = (uint16_t)(group * GROUP + (unsigned)__builtin_ctzll(changed));

		if (has(p->reserved, port)) {
			if (has(p->open, port))
				set_closed(p, port);
		} else if (p->port[port].sessions == 0 && (port != 0 || p->is_identifiers)) {
			set_open(p, port);
		}
	}
}

void ports_reserve_commit(struct ports *p)
{
	if (!p->has_reserved && !p->has_wanted)
		return;
	for (unsigned i = 0; i < PORTS_WORDS; i++)
		change_group(p, i);
	p->has_reserved = p->has_wanted;
	p->has_wanted = false;
}
