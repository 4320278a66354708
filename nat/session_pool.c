/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * session_pool: the outside addresses of the session table.
 *
 * nat.c gives the pool of each configuration; sessions name an address by its number, which it keeps while any session has
 * it, whatever its place in the pool: so a pool may change its order, and an address may go and come back, and sessions that still
 * live find it.
 *
 *   place in the pool 0 1 2 ... ---address_at---> number ---> region->address[number]: ip, VLAN    (survives)
 *                               <---address[].place---        ports of tcp, udp, icmp              (made again)
 */
#include <string.h>

#include "nat/session_internal.h"

static bool is_same(const struct session_pool *a, const struct session_pool *b)
{
	return a->vid == b->vid && memcmp(&a->ip, &b->ip, sizeof(a->ip)) == 0;
}

static uint16_t *bucket_of(struct session_table *t, const struct session_pool *a)
{
	static const struct ip none;
	uint64_t i = session_mix(t, &a->ip, &none, a->vid);

	for (;; i++) {
		uint16_t *bucket = &t->pool_bucket[i % POOL_BUCKETS];

		if (*bucket == 0 || is_same(&t->region->address[t->address_at[*bucket - 1]], a))
			return bucket;
	}
}

int session_place(const struct session_table *t, const struct ip *ip, uint16_t vid)
{
	struct session_pool a = {*ip, vid};

	/* Only looks. */
	return *bucket_of((struct session_table *)(uintptr_t)t, &a) - 1;
}

const struct session_pool *session_outside(const struct session_table *t, const struct session *s)
{
	return &t->region->address[s->outside];
}

static unsigned number_of(const struct session_table *t, const struct session_pool *a)
{
	unsigned i = 0;

	while (i < ADDRESSES && !is_same(&t->region->address[i], a))
		i++;
	return i;
}

/* A number that nobody needs any more, for that address. */
static unsigned new_number(struct session_table *t, const struct session_pool *a)
{
	unsigned i = 0;

	while (i < ADDRESSES && (t->address[i].place >= 0 || t->address[i].sessions > 0))
		i++;
	if (i == ADDRESSES)
		return i;
	t->region->address[i] = *a;
	memset(&t->is_ready[i * PROTOS], 0, PROTOS);
	return i;
}

struct ports *session_ready_ports(struct session_table *t, unsigned address, uint8_t proto)
{
	unsigned i = address * PROTOS + proto_index(proto);

	if (!t->is_ready[i]) {
		ports_init(&t->ports[i], proto_index(proto) == 2);
		t->is_ready[i] = true;
	}
	return &t->ports[i];
}

void session_set_pool(struct session_table *t, const struct session_pool *pool, unsigned n)
{
	if (n > NAT_POOL_MAX)
		n = NAT_POOL_MAX;
	for (unsigned i = 0; i < ADDRESSES; i++)
		t->address[i].place = -1;
	t->n_pool = n;
	/* Those that are known first, so that none of them is taken for a new one. */
	for (unsigned i = 0; i < n; i++) {
		t->address_at[i] = (uint16_t)number_of(t, &pool[i]);
		if (t->address_at[i] < ADDRESSES)
			t->address[t->address_at[i]].place = (int16_t)i;
	}
	memset(t->pool_bucket, 0, sizeof(t->pool_bucket));
	for (unsigned i = 0; i < n; i++) {
		if (t->address_at[i] == ADDRESSES)
			t->address_at[i] = (uint16_t)new_number(t, &pool[i]);
		if (t->address_at[i] == ADDRESSES)
			continue;
		t->address[t->address_at[i]].place = (int16_t)i;
		*bucket_of(t, &pool[i]) = (uint16_t)(i + 1);
	}
}

void session_reserve(struct session_table *t, unsigned place, uint8_t proto, uint16_t first,
		     uint16_t last)
{
	if (place < t->n_pool && t->address_at[place] < ADDRESSES && first <= last)
		ports_reserve(session_ready_ports(t, t->address_at[place], proto), first, last);
}

void session_commit(struct session_table *t)
{
	for (unsigned i = 0; i < ADDRESSES * PROTOS; i++)
		if (t->is_ready[i])
			ports_reserve_commit(&t->ports[i]);
	t->is_configured = true;
	t->swept = 0;
	t->is_sweeping = t->all.sessions > 0;
	t->sure_s = 0;
}

uint32_t session_ports(const struct session_table *t, unsigned place, uint8_t proto)
{
	if (place >= t->n_pool || t->address_at[place] == ADDRESSES)
		return 0;
	return ports_at(t, t->address_at[place], proto)->n_used;
}

/* The sum of one's complement of an address. */
static uint32_t sum_ip(const struct ip *ip)
{
	uint32_t sum = 0;

	for (unsigned i = ip_is_v4(ip) ? 12 : 0; i < 16; i += 2)
		sum += (uint32_t)ip->b[i] << 8 | ip->b[i + 1];
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)(sum + (sum >> 16));
}

void session_set_checksums(const struct session_table *t, struct session *s)
{
	uint32_t l3 = 0, l4;

	if (!is_routed(s))
		l3 = fold(sum_ip(&t->region->address[s->outside].ip)) +
		     (uint16_t)~fold(sum_ip(&s->inside));
	l4 = (s->proto == PROTO_ICMP ? 0 : l3) + s->outside_port + (uint16_t)~s->inside_port;
	s->csum_l3 = fold(l3);
	s->csum_l4 = fold(l4);
}
