/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net: a network as its DHCP servers see it, and whose address is reserved.
 *
 *   id, mac, port, ip --hash--> slot --> place of the reservation, plus one      four tables of open addressing, half full at most
 *
 * The tables are built once.  Their keys are the operator's, so that they need no secret: a client can only ask.
 *
 * Called by the servers and, by way of dhcp_net_is_taken(), by the store when it chooses an address.
 */
#include "dhcp/net.h"

#include <stdlib.h>
#include <string.h>

#include "switch/base/siphash.h"

enum kind { BY_ID, BY_MAC, BY_PORT, BY_IP, KINDS };

struct dhcp_net_index {
	uint32_t mask; /* of all four */
	uint32_t *slot[KINDS];
};

struct key {
	const void *bytes;
	size_t n; /* 0: there is none */
};

static struct key key_of_ip(const struct ip *ip)
{
	static const struct ip zero;
	/* Zero of either family: none. */
	bool is_none = ip_equal(ip, &zero) || (ip_is_v4(ip) && memcmp(ip->b + 12, zero.b, 4) == 0);

	return (struct key){ip, is_none ? 0 : sizeof(*ip)};
}

/* What a reservation is found by; second: the other address. */
static struct key key_of(const struct dhcp_reservation *r, enum kind kind, bool second)
{
	switch (kind) {
	case BY_ID:
		return (struct key){r->id, second ? 0 : r->id_len};
	case BY_MAC:
		return (struct key){&r->mac, second || mac_is_zero(&r->mac) ? 0 : sizeof(r->mac)};
	case BY_PORT:
		return (struct key){r->port, second ? 0 : strlen(r->port)};
	default:
		return key_of_ip(second ? &r->ip6 : &r->ip);
	}
}

static bool same(struct key a, struct key b)
{
	return a.n == b.n && memcmp(a.bytes, b.bytes, a.n) == 0;
}

/* The slot of that key, or the empty one where it would be. */
static uint32_t *slot_of(const struct dhcp_net *n, enum kind kind, struct key key)
{
	static const uint64_t no_secret[2];
	const struct dhcp_net_index *x = n->index;
	uint32_t at = (uint32_t)siphash(no_secret, key.bytes, key.n) & x->mask;
	uint32_t *slot;

	for (;; at = (at + 1) & x->mask) {
		const struct dhcp_reservation *r;

		slot = &x->slot[kind][at];
		if (*slot == 0)
			return slot;
		r = &n->reservations[*slot - 1];
		if (same(key_of(r, kind, false), key) || same(key_of(r, kind, true), key))
			return slot;
	}
}

static const struct dhcp_reservation *find(const struct dhcp_net *n, enum kind kind, struct key key)
{
	uint32_t place;

	if (n->n_reservations == 0 || key.n == 0)
		return NULL;
	place = *slot_of(n, kind, key);
	return place ? &n->reservations[place - 1] : NULL;
}

/* Of two with the same key the first one has it. */
static void put(struct dhcp_net *n, uint32_t place, enum kind kind, bool second)
{
	struct key key = key_of(&n->reservations[place], kind, second);
	uint32_t *slot;

	if (key.n == 0)
		return;
	slot = slot_of(n, kind, key);
	if (*slot == 0)
		*slot = place + 1;
}

static bool build_index(struct dhcp_net *n)
{
	struct dhcp_net_index *x = n->index = calloc(1, sizeof(*x));
	uint32_t slots = 4;

	if (!x)
		return false;
	/* An address of each family for each reservation. */
	while (slots / 4 < n->n_reservations)
		slots *= 2;
	x->mask = slots - 1;
	for (unsigned kind = 0; kind < KINDS; kind++) {
		x->slot[kind] = calloc(slots, sizeof(uint32_t));
		if (!x->slot[kind])
			return false;
	}
	for (uint32_t i = 0; i < n->n_reservations; i++) {
		for (unsigned kind = 0; kind < KINDS; kind++) {
			put(n, i, kind, false);
			put(n, i, kind, true);
		}
	}
	return true;
}

/* --- The copy --- */

/* Of n things; NULL of none, or without memory. */
static void *copy(const void *from, size_t n, size_t size)
{
	void *to = n ? calloc(n, size) : NULL;

	if (to)
		memcpy(to, from, n * size);
	return to;
}

static bool copy_opts(struct dhcp_opts *o)
{
	o->opt = copy(o->opt, o->n, sizeof(*o->opt));
	if (o->opt || o->n == 0)
		return true;
	o->n = 0;
	return false;
}

/* Each pointer of n, which are another's, becomes one of its own, or NULL; also when there is no memory. */
static bool copy_all(struct dhcp_net *n)
{
	bool is_done = copy_opts(&n->opts);

	n->index = NULL;
	n->classes = copy(n->classes, n->n_classes, sizeof(*n->classes));
	n->reservations = copy(n->reservations, n->n_reservations, sizeof(*n->reservations));
	is_done &= (n->classes || n->n_classes == 0) && (n->reservations || n->n_reservations == 0);
	n->n_classes = n->classes ? n->n_classes : 0;
	n->n_reservations = n->reservations ? n->n_reservations : 0;
	for (uint16_t i = 0; i < n->n_classes; i++)
		is_done &= copy_opts(&n->classes[i].opts);
	for (uint32_t i = 0; i < n->n_reservations; i++)
		is_done &= copy_opts(&n->reservations[i].opts);
	return is_done;
}

struct dhcp_net *dhcp_net_create(const struct dhcp_net *from)
{
	struct dhcp_net *n = copy(from, 1, sizeof(*from));

	if (!n)
		return NULL;
	if (copy_all(n) && build_index(n))
		return n;
	dhcp_net_destroy(n);
	return NULL;
}

void dhcp_net_destroy(struct dhcp_net *n)
{
	if (!n)
		return;
	for (uint16_t i = 0; i < n->n_classes; i++)
		free(n->classes[i].opts.opt);
	for (uint32_t i = 0; i < n->n_reservations; i++)
		free(n->reservations[i].opts.opt);
	for (unsigned kind = 0; n->index && kind < KINDS; kind++)
		free(n->index->slot[kind]);
	free(n->index);
	free(n->opts.opt);
	free(n->classes);
	free(n->reservations);
	free(n);
}

/* --- Questions --- */

/* By the identity as the client says it; of a client that names a DUID (DHCPv6; RFC 4361 6.1 in DHCPv4) also by that alone, so that
 * one line of the configuration serves both families. */
static const struct dhcp_reservation *find_by_id(const struct dhcp_net *n,
						 const struct lease_id *id)
{
	enum { KIND = 1, IAID = 4, RFC_4361 = 255 };
	const struct dhcp_reservation *r = NULL;

	if (id->len <= KIND)
		return NULL;
	if (id->b[0] == LEASE_BY_CLIENT_ID) {
		r = find(n, BY_ID, (struct key){id->b + KIND, id->len - KIND});
		if (!r && id->b[KIND] == RFC_4361 && id->len > KIND + 1 + IAID)
			r = find(n, BY_ID, (struct key){id->b + 6, id->len - 6u});
	} else if (id->b[0] == LEASE_BY_DUID && id->len > KIND + IAID) {
		r = find(n, BY_ID, (struct key){id->b + KIND + IAID, id->len - 5u});
	}
	return r;
}

const struct dhcp_reservation *dhcp_net_reservation(const struct dhcp_net *n,
						    const struct lease_id *id,
						    const struct mac *mac, const char *port)
{
	const struct dhcp_reservation *r = id ? find_by_id(n, id) : NULL;

	if (!r && mac && !mac_is_zero(mac))
		r = find(n, BY_MAC, (struct key){mac, sizeof(*mac)});
	if (!r && port)
		r = find(n, BY_PORT, (struct key){port, strlen(port)});
	return r;
}

const struct dhcp_reservation *dhcp_net_reserved(const struct dhcp_net *n, const struct ip *ip)
{
	return find(n, BY_IP, key_of_ip(ip));
}

/* The first or the last address of that network, which no station has: the network's own and the broadcast (RFC 1122 3.2.1.3), in
 * IPv6 the anycast address of routers (RFC 4291 2.6.1). */
static bool is_edge(const struct prefix *p, const struct ip *ip)
{
	bool is_v4 = ip_is_v4(ip), is_first = true, is_last = is_v4;
	unsigned from = (is_v4 ? 96 : 0) + p->len;

	/* Two addresses or one: all of them are stations (RFC 3021, RFC 6164). */
	if (!prefix_holds(p, ip) || from > 126)
		return false;
	for (unsigned i = from; i < 128; i++) {
		bool bit = ip->b[i / 8] & (0x80 >> i % 8);

		is_first &= !bit;
		is_last &= bit;
	}
	return is_first || is_last;
}

bool dhcp_net_is_taken(void *net, const struct ip *ip)
{
	const struct dhcp_net *n = net;

	return ip_equal(ip, &n->v4.ip) || ip_equal(ip, &n->v6.ip) || is_edge(&n->v4, ip) ||
	       is_edge(&n->v6, ip) || dhcp_net_reserved(n, ip);
}
