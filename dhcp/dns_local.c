/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dns_local: answers out of the tables.
 *
 * How it fits.  dns.c calls it for each question before anything else; it reads dns_view.c's zones and dns_name.c's names, and
 * writes straight into the answer.
 *
 * Theory of operation.  A question is one of three:
 *
 *   web                  bare      names of the asker's network; A and AAAA of others are said not to exist, other types (DS of a
 *                                  top-level domain, for a guest that validates) go on
 *   web.office.vfab      in a zone the longest one of those that he sees; else the longest one of ours: there is no such name
 *   10.0.10.10.in-addr.arpa        in a network that he sees: the name of the address, or that it has none
 *
 * Negative answers carry the SOA of the zone, by which the asker knows how long to believe them (RFC 2308 2).  Its owner stands
 * in the question, so it is a pointer; for a bare name that is the root.
 *
 * RFC 1035 3.3 to 3.5, RFC 2308 2, RFC 3596 2.5, RFC 6303 (loopback), RFC 6761, RFC 8482.
 *
 * Trust.  The question was read and checked; names in the table are labels.
 */
#include "dhcp/dns_local.h"

#include <string.h>

enum {
	NEGATIVE_TTL_S = 5, /* short: a guest that starts soon has that name */
	SOA_SERIAL = 1,
	SOA_REFRESH_S = 3600,
	SOA_RETRY_S = 600,
	SOA_EXPIRE_S = 86400,
	V4_LABELS = 4,
	V6_LABELS = 32,
	MAPPED_BYTES = 12,
};

static const uint8_t label_gateway[] = "\7gateway";
static const uint8_t label_host[] = "\4host";
static const uint8_t name_localhost[] = "\11localhost";

static const struct ip loopback[2] = {
	{{[10] = 0xff, [11] = 0xff, 127, 0, 0, 1}},
	{{[15] = 1}},
};

/* Which SOA speaks for what is not there: its owner's place in the message, 0: the root; and the zone that names its host. */
struct authority {
	uint16_t owner_at;
	uint16_t zone;
	bool is_owner; /* the zone is the owner */
};

static bool is_label(const uint8_t *at, const uint8_t *label)
{
	return memcmp(at, label, 1u + label[0]) == 0;
}

static uint16_t place_of(const struct dns_question *q, unsigned label)
{
	return (uint16_t)(DNS_HEADER_BYTES + q->label[label]);
}

static bool wants(const struct dns_question *q, bool is_v6)
{
	return q->type == (is_v6 ? DNS_AAAA : DNS_A);
}

/* --- Records ----------------------------------------------------------------------------- */

/* A name in that zone: one more label, if it fits, and the zone, by a pointer if it stands somewhere.  Returns where it stands. */
static uint16_t put_in_zone(struct dns_writer *w, const uint8_t *label, const struct dns_zone *z,
			    uint16_t zone_at)
{
	if (z->len + 1u + label[0] <= DNS_NAME_MAX)
		dns_put_bytes(w, label, 1u + label[0]);
	if (zone_at) {
		dns_put_pointer(w, zone_at);
		return zone_at;
	}
	zone_at = w->n;
	dns_put_bytes(w, z->name, z->len);
	return zone_at;
}

static void put_soa(const struct dns_local *l, const struct authority *a, enum dns_section section)
{
	static const uint8_t hostmaster[] = "\12hostmaster";
	static const uint32_t numbers[] = {SOA_SERIAL, SOA_REFRESH_S, SOA_RETRY_S, SOA_EXPIRE_S,
					   NEGATIVE_TTL_S};
	const struct dns_zone *z = &l->scopes->zone[a->zone];
	uint16_t at;

	dns_put_record(l->w, a->owner_at, DNS_SOA, NEGATIVE_TTL_S);
	at = put_in_zone(l->w, label_gateway, z, a->is_owner ? a->owner_at : 0);
	if (!l->w->is_full)
		put_in_zone(l->w, hostmaster, z, at);
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		dns_put_u32(l->w, numbers[i]);
	dns_put_end(l->w, section);
}

static enum dns_rcode say_no_data(const struct dns_local *l, const struct authority *a)
{
	put_soa(l, a, DNS_AUTHORITY);
	return DNS_NOERROR;
}

static enum dns_rcode say_no_name(const struct dns_local *l, const struct authority *a)
{
	put_soa(l, a, DNS_AUTHORITY);
	return DNS_NXDOMAIN;
}

void dns_local_any(struct dns_writer *w)
{
	dns_put_record(w, DNS_HEADER_BYTES, DNS_HINFO, DNS_TTL_S);
	dns_put_bytes(w, "\7RFC8482", 9); /* and an empty string */
	dns_put_end(w, DNS_ANSWER);
}

/* A name that exists and has these addresses. */
static enum dns_rcode say_addresses(const struct dns_local *l, const struct authority *a,
				    const struct ip *const *ip, unsigned n)
{
	bool is_said = false;

	if (l->q->type == DNS_ANY) {
		dns_local_any(l->w);
		return DNS_NOERROR;
	}
	for (unsigned i = 0; i < n; i++) {
		if (!wants(l->q, !ip_is_v4(ip[i])))
			continue;
		dns_put_address(l->w, ip[i], DNS_TTL_S);
		is_said = true;
	}
	return is_said ? DNS_NOERROR : say_no_data(l, a);
}

/* Up to one address of each family.  False: it has none, so there is no such name. */
static bool say_pair(const struct dns_local *l, const struct authority *a, const struct ip pair[2],
		     enum dns_rcode *rcode)
{
	const struct ip *ip[2];
	unsigned n = 0;

	for (unsigned i = 0; i < 2; i++)
		if (!dns_ip_is_zero(&pair[i]))
			ip[n++] = &pair[i];
	if (n > 0)
		*rcode = say_addresses(l, a, ip, n);
	return n > 0;
}

/* --- Names ------------------------------------------------------------------------------- */

static bool sees_zone(const struct dns_local *l, uint16_t zone)
{
	const struct dns_scopes *s = l->scopes;

	if (s->zone[zone].kind != DNS_OF_NETWORKS)
		return true;
	for (unsigned i = 0; i < l->scope->n_sees; i++)
		if (s->scope[l->scope->sees[i]].zone == zone)
			return true;
	return false;
}

/* One label in a zone that the asker sees. */
static bool say_host(const struct dns_local *l, const struct authority *a, enum dns_rcode *rcode)
{
	const struct dns_scopes *s = l->scopes;
	const uint8_t *label = l->q->name;
	struct dns_addresses found;

	if (s->zone[a->zone].kind == DNS_OF_HOST) {
		if (is_label(label, label_host) && say_pair(l, a, l->scope->host, rcode))
			return true;
		if (is_label(label, label_gateway) && say_pair(l, a, l->scope->gateway, rcode))
			return true;
	}
	for (unsigned i = 0; i < l->scope->n_sees; i++) {
		const struct dns_scope *o = &s->scope[l->scope->sees[i]];

		if (o->zone != a->zone)
			continue;
		if (dns_names_find(l->names, o->vid, label, &found)) {
			*rcode = say_addresses(l, a, found.ip, found.n);
			return true;
		}
		if (is_label(label, label_gateway) && say_pair(l, a, o->gateway, rcode))
			return true;
	}
	return false;
}

/* The zone itself. */
static enum dns_rcode say_zone(const struct dns_local *l, const struct authority *a)
{
	if (l->q->type == DNS_ANY) {
		dns_local_any(l->w);
	} else if (l->q->type == DNS_SOA) {
		put_soa(l, a, DNS_ANSWER);
	} else if (l->q->type == DNS_NS) {
		dns_put_record(l->w, a->owner_at, DNS_NS, DNS_TTL_S);
		put_in_zone(l->w, label_gateway, &l->scopes->zone[a->zone], a->owner_at);
		dns_put_end(l->w, DNS_ANSWER);
	} else {
		return say_no_data(l, a);
	}
	return DNS_NOERROR;
}

/* Is it in a zone of ours: the longest that he sees, else the longest that he does not (*is_seen)? */
static bool find_zone(const struct dns_local *l, unsigned *label, uint16_t *zone, bool *is_seen)
{
	const struct dns_question *q = l->q;
	bool is_found = false;

	*is_seen = false;
	*label = 0;
	*zone = DNS_NO_ZONE;
	for (unsigned i = 0; i < q->n_labels && !*is_seen; i++) {
		uint16_t z = dns_zone_find(l->scopes, q, i);

		if (z == DNS_NO_ZONE)
			continue;
		*is_seen = sees_zone(l, z);
		if (is_found && !*is_seen)
			continue;
		is_found = true;
		*label = i;
		*zone = z;
	}
	return is_found;
}

static bool say_in_zone(const struct dns_local *l, enum dns_rcode *rcode)
{
	struct authority a = {.is_owner = true};
	unsigned label;
	bool is_seen;

	if (!find_zone(l, &label, &a.zone, &is_seen))
		return false;
	a.owner_at = place_of(l->q, label);
	if (l->scopes->zone[a.zone].kind == DNS_OF_LOOPBACK)
		return say_pair(l, &a, loopback, rcode); /* RFC 6761 6.3: with all below it */
	if (is_seen && label == 0) {
		*rcode = say_zone(l, &a);
		return true;
	}
	if (is_seen && label == 1 && say_host(l, &a, rcode))
		return true;
	/* A zone below that he does not see is there all the same (RFC 8020 2). */
	*rcode = dns_zone_find(l->scopes, l->q, 0) == DNS_NO_ZONE ? say_no_name(l, &a)
								  : say_no_data(l, &a);
	return true;
}

static bool say_bare(const struct dns_local *l, enum dns_rcode *rcode)
{
	const struct authority a = {.zone = l->scope->zone};
	const struct dns_question *q = l->q;
	uint16_t zone = dns_zone_find(l->scopes, q, 0);
	struct dns_addresses found;

	if (zone != DNS_NO_ZONE && l->scopes->zone[zone].kind == DNS_OF_LOOPBACK)
		return false;
	if (dns_names_find(l->names, l->scope->vid, q->name, &found)) {
		*rcode = say_addresses(l, &a, found.ip, found.n);
		return true;
	}
	if (zone != DNS_NO_ZONE || (!wants(q, false) && !wants(q, true) && q->type != DNS_ANY))
		return false;
	*rcode = say_no_name(l, &a);
	return true;
}

/* --- Addresses --------------------------------------------------------------------------- */

/* A label of one to three digits, without a zero in front; below 0: it is none. */
static int number_of(const uint8_t *label)
{
	int v = 0;

	if (label[0] > 3 || (label[0] > 1 && label[1] == '0'))
		return -1;
	for (unsigned i = 1; i <= label[0]; i++) {
		if (label[i] < '0' || label[i] > '9')
			return -1;
		v = 10 * v + label[i] - '0';
	}
	return v <= UINT8_MAX ? v : -1;
}

static int nibble_of(const uint8_t *label)
{
	uint8_t c = label[1];

	if (label[0] != 1)
		return -1;
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* An address out of its reverse name, or the first part of one. */
struct reverse {
	struct ip ip;
	unsigned n_labels, n_all; /* of the address; of a whole one */
	unsigned bits;		  /* that are said, of its family */
	bool is_v6;
};

/* RFC 1035 3.5, RFC 3596 2.5.  The last label of the question is the first of the address. */
static bool read_reverse(const struct dns_question *q, struct reverse *r)
{
	static const uint8_t v4_zone[] = "\7in-addr\4arpa", v6_zone[] = "\3ip6\4arpa";
	const uint8_t *tail = q->n_labels >= 3 ? q->name + q->label[q->n_labels - 2] : NULL;
	int v;

	if (!tail)
		return false;
	r->is_v6 = memcmp(tail, v6_zone, tail[0] == 3 ? sizeof(v6_zone) : 1) == 0;
	if (!r->is_v6 && (tail[0] != 7 || memcmp(tail, v4_zone, sizeof(v4_zone)) != 0))
		return false;
	r->n_labels = q->n_labels - 2u;
	r->n_all = r->is_v6 ? V6_LABELS : V4_LABELS;
	r->bits = r->n_labels * (r->is_v6 ? 4 : 8);
	r->ip = (struct ip){{0}};
	if (!r->is_v6)
		r->ip.b[10] = r->ip.b[11] = 0xff;
	if (r->n_labels > r->n_all)
		return false;
	for (unsigned i = 0; i < r->n_labels; i++) {
		const uint8_t *label = q->name + q->label[r->n_labels - 1 - i];

		v = r->is_v6 ? nibble_of(label) : number_of(label);
		if (v < 0)
			return false;
		if (r->is_v6)
			r->ip.b[i / 2] |= (uint8_t)(i % 2 ? v : v << 4);
		else
			r->ip.b[MAPPED_BYTES + i] = (uint8_t)v;
	}
	return true;
}

/* The name of an address: label, and the zone, which may be none: the label is the whole name. */
static enum dns_rcode say_name(const struct dns_local *l, const struct authority *a,
			       const uint8_t *label, const struct dns_zone *z)
{
	if (l->q->type == DNS_ANY) {
		dns_local_any(l->w);
		return DNS_NOERROR;
	}
	if (l->q->type != DNS_PTR)
		return say_no_data(l, a);
	dns_put_record(l->w, DNS_HEADER_BYTES, DNS_PTR, DNS_TTL_S);
	dns_put_bytes(l->w, label, 1u + label[0]);
	dns_put_bytes(l->w, z ? z->name : (const uint8_t *)"", z ? z->len : 1);
	dns_put_end(l->w, DNS_ANSWER);
	return DNS_NOERROR;
}

/* A whole address in the network of that scope. */
static enum dns_rcode say_reverse(const struct dns_local *l, const struct authority *a,
				  const struct dns_scope *o, const struct reverse *r)
{
	const struct dns_zone *z = &l->scopes->zone[o->zone];
	uint8_t label[DNS_LABEL_SIZE];

	if (dns_names_of(l->names, o->vid, &r->ip, label) && z->len + 1u + label[0] <= DNS_NAME_MAX)
		return say_name(l, a, label, z);
	if (ip_equal(&r->ip, &o->gateway[r->is_v6]) && z->len < DNS_NAME_MAX - label_gateway[0])
		return say_name(l, a, label_gateway, z);
	return say_no_name(l, a);
}

/* How many labels of the question stand in front of the reverse zone of a network, or of the part of it that was asked for. */
static unsigned labels_before(const struct reverse *r, unsigned len)
{
	unsigned zone = len / (r->is_v6 ? 4 : 8);

	if (zone == 0)
		zone = 1;
	return zone < r->n_labels ? r->n_labels - zone : 0;
}

/* The first part of addresses: the reverse zone itself, or a place within it. */
static enum dns_rcode say_part(const struct dns_local *l, const struct authority *a)
{
	if (l->q->type != DNS_SOA || a->owner_at != DNS_HEADER_BYTES)
		return say_no_data(l, a);
	put_soa(l, a, DNS_ANSWER);
	return DNS_NOERROR;
}

static bool say_address(const struct dns_local *l, enum dns_rcode *rcode)
{
	static const struct prefix loops[2] = {
		{{{[10] = 0xff, [11] = 0xff, 127}}, 8, true},
		{{{[15] = 1}}, 128, true},
	};
	struct authority a = {.zone = l->scope->zone};
	struct reverse r;

	if (!read_reverse(l->q, &r))
		return false;
	if (r.bits >= loops[r.is_v6].len && prefix_holds(&loops[r.is_v6], &r.ip)) {
		a.owner_at = place_of(l->q, labels_before(&r, loops[r.is_v6].len));
		*rcode = ip_equal(&r.ip, &loopback[r.is_v6]) ? say_name(l, &a, name_localhost, NULL)
			 : r.n_labels < r.n_all		     ? say_no_data(l, &a)
							     : say_no_name(l, &a);
		return true;
	}
	for (unsigned i = 0; i < l->scope->n_sees; i++) {
		const struct dns_scope *o = &l->scopes->scope[l->scope->sees[i]];
		const struct prefix *net = &o->net[r.is_v6];

		if (r.bits < net->len || !prefix_holds(net, &r.ip))
			continue;
		a.zone = o->zone;
		a.owner_at = place_of(l->q, labels_before(&r, net->len));
		*rcode = r.n_labels < r.n_all ? say_part(l, &a) : say_reverse(l, &a, o, &r);
		return true;
	}
	return false;
}

bool dns_local(const struct dns_local *l, enum dns_rcode *rcode)
{
	if (l->q->n_labels == 1 && say_bare(l, rcode))
		return true;
	return say_in_zone(l, rcode) || say_address(l, rcode);
}
