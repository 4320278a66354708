/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gateway_made: frames that the gateway sends of its own: where they lie and how their headers are written.
 *
 * One vector of them for each worker.  The snapshot of a made frame lies in the worker's memory; its body, if it has one, is
 * that of a frame in the vector in hand (a long echo, fragments).  A frame that waited stays where it is, in its place of the hold:
 * the worker has the place until it calls again, because it sends after the lock is given back and another worker may
 * have it.
 */
#include <errno.h>
#include <stdlib.h>

#include "switch/base/csum.h"
#include "switch/gateway_internal.h"
#include "switch/port/scratch.h"

int gateway_made_init(struct gateway_made *m)
{
	*m = (struct gateway_made){0};
	m->mem = calloc(GATEWAY_MADE, HEAD_LONG_STRIDE);
	return m->mem ? 0 : -ENOMEM;
}

void gateway_made_fini(struct gateway_made *m)
{
	free(m->mem);
	m->mem = NULL;
}

void gateway_made_begin(struct gateway *g)
{
	struct gateway_made *m = g->call->made;

	while (m->n_places > 0)
		hold_free(g->hold, m->place[--m->n_places]);
	m->vec.n = 0;
	m->n_iov = 0;
	m->n_snap = 0;
}

unsigned gateway_made_room(const struct gateway *g)
{
	const struct gateway_made *m = g->call->made;
	unsigned used = m->vec.n > m->n_snap ? m->vec.n : m->n_snap;

	return GATEWAY_MADE - used;
}

static void lose(struct gateway *g)
{
	g->call->made->lost++;
	g->stats.made_lost++;
}

struct frame *gateway_made_new(struct gateway *g, const struct gateway_leg *leg)
{
	struct gateway_made *m = g->call->made;
	struct frame *f;

	if (gateway_made_room(g) == 0) {
		lose(g);
		return NULL;
	}
	f = &m->vec.f[m->vec.n++];
	*f = (struct frame){
		.snap = m->mem + (size_t)m->n_snap++ * HEAD_LONG_STRIDE + FRAME_HEADROOM,
		.tci = leg->vid,
		.out = OUT_NONE,
	};
	return f;
}

void gateway_made_cancel(struct gateway *g, struct frame *f)
{
	struct vec *v = &g->call->made->vec;
	size_t behind = (size_t)(v->f + v->n - (f + 1));

	memmove(f, f + 1, behind * sizeof(*f));
	v->n--;
}

struct frame *gateway_made_held(struct gateway *g, uint16_t place)
{
	struct gateway_made *m = g->call->made;
	struct frame *f;

	if (m->vec.n == GATEWAY_MADE) {
		hold_free(g->hold, place);
		lose(g);
		return NULL;
	}
	m->place[m->n_places++] = place;
	f = &m->vec.f[m->vec.n++];
	*f = *hold_frame(g->hold, place, NULL);
	f->out = OUT_NONE;
	f->drop = DROP_NONE;
	return f;
}

bool gateway_made_body(struct gateway *g, struct frame *f, const struct frame *from, uint32_t off,
		       uint32_t n)
{
	struct gateway_made *m = g->call->made;
	struct frame part = *from;
	int used;

	if (n == 0)
		return true;
	part.len = off + n;
	used = frame_iov(&part, off, &m->iov[m->n_iov], (int)(GATEWAY_IOVS - m->n_iov));
	if (used < 0) {
		lose(g);
		return false;
	}
	f->body = &m->iov[m->n_iov];
	f->body_cnt = (uint16_t)used;
	f->len += n;
	m->n_iov += (unsigned)used;
	return true;
}

void gateway_write_eth(uint8_t *snap, const struct mac *dst, const struct mac *src, uint16_t etype)
{
	memcpy(snap, dst, 6);
	memcpy(snap + 6, src, 6);
	write_be16(snap + 12, etype);
}

static void write_ipv4(struct gateway *g, uint8_t *ip, const struct gateway_ip *what)
{
	memset(ip, 0, IPV4_BYTES);
	ip[0] = 0x45;
	write_be16(ip + 2, (uint16_t)(IPV4_BYTES + what->l4));
	write_be16(ip + 4, g->ip_id++);
	ip[8] = what->hops;
	ip[9] = what->proto;
	memcpy(ip + 12, what->src.b + 12, 4);
	memcpy(ip + 16, what->dst.b + 12, 4);
	write_be16(ip + 10, csum_fold(csum_add(0, ip, IPV4_BYTES)));
}

static void write_ipv6(uint8_t *ip, const struct gateway_ip *what)
{
	memset(ip, 0, 8);
	ip[0] = 0x60;
	write_be16(ip + 4, (uint16_t)what->l4);
	ip[6] = what->proto;
	ip[7] = what->hops;
	memcpy(ip + 8, what->src.b, 16);
	memcpy(ip + 24, what->dst.b, 16);
}

uint8_t *gateway_made_ip(struct gateway *g, const struct gateway_ip *what, struct frame **out)
{
	struct frame *f = gateway_made_new(g, what->leg);
	bool is_v6 = !ip_is_v4(&what->src);
	unsigned header = ETH_HEADER + (is_v6 ? IPV6_BYTES : IPV4_BYTES);

	*out = f;
	if (!f)
		return NULL;
	f->etype = is_v6 ? ETYPE_IPV6 : ETYPE_IPV4;
	gateway_write_eth(f->snap, &what->mac, &what->leg->mac, f->etype);
	if (is_v6)
		write_ipv6(f->snap + ETH_HEADER, what);
	else
		write_ipv4(g, f->snap + ETH_HEADER, what);
	f->len = header + what->l4;
	f->snap_len = (uint16_t)(f->len < SNAP_MAX ? f->len : SNAP_MAX);
	return f->snap + header;
}

void gateway_seal(struct frame *f, const struct gateway_ip *what, unsigned field)
{
	bool is_v6 = !ip_is_v4(&what->src);
	uint8_t *l4 = f->snap + ETH_HEADER + (is_v6 ? IPV6_BYTES : IPV4_BYTES);
	unsigned skip = is_v6 ? 0 : 12;
	uint64_t sum = 0;

	write_be16(l4 + field, 0);
	if (what->proto != PROTO_ICMP) /* that of IPv4 has no pseudo-header */
		sum = csum_pseudo(what->src.b + skip, what->dst.b + skip, 16 - skip, what->proto,
				  what->l4);
	write_be16(l4 + field, csum_fold(csum_add(sum, l4, what->l4)));
}
