/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * server6: the DHCPv6 server.
 *
 * How it fits.  switch/lessor.c hands datagrams in and sends answers; lease.c has the addresses, net.c what the network says,
 * wire6.c knows the bytes.
 *
 * Theory of operation.  A message is one exchange, `struct talk`.  `rules` says what each type of message must and must not have
 * (RFC 8415 16.2 to 16.12); what passes goes to the handler of its type, which writes the answer as it decides, one identity
 * association after the other.  give() is the one place where an address is chosen.
 *
 * Whose is it?  An identity is IAID and DUID, which a client chooses as it likes, and a guest may know another's.  So a live lease
 * belongs to the port by which it was asked for: RELEASE and DECLINE by another port, or from another MAC, are ignored, as is
 * everything about it where that port is tied to its leases (D07, D17 of DHCPv4), or where that port is there and the lease, which
 * is bound, another MAC's.  A message in which one association is somebody else's is ignored as a whole.
 *
 * Reservations.  Their MAC is that of the frame, not the one in a DUID, which may be of another card, or another's.  The one
 * address goes to the first association that asks, the others of that client get addresses of the pool.  Firmware and system of
 * one machine have different DUIDs, so the reserved address goes from one identity to the next of the same machine.  While somebody
 * else uses it there is one of the pool.  What was offered, or is renewed, stays as it is: the reserved one comes by SOLICIT.
 *
 * RFC 8415 16, 18.3, 18.4, 20.1 (no authentication), 21; RFC 3646 3, 4; RFC 5908 4.1.
 *
 * Trust.  Each byte of the datagram is a guest's; wire6.c has checked its form.  Its source MAC and port are what the switch saw.
 */
#include "dhcp/server6.h"

#include <stdlib.h>
#include <string.h>

#include "dhcp/wire6.h"

enum {
	SECOND_MS = 1000,
	OUR_DUID_BYTES = 10,
	DUID_LL = 3,
	ETHERNET = 1,
	NTP_ADDRESS = 1, /* sub-option, RFC 5908 4.1 */
	OPT_SEARCH4 = 119,
	SEARCH_BYTES = 512,
};

struct dhcp6_server {
	struct leases *leases;
	struct dhcp_world world;
	struct dhcp6_counters count;
};

/* One message, and what is known of it. */
struct talk {
	struct dhcp6_server *v;
	const struct dhcp_net *net;
	const struct dhcp_ask *ask;
	const struct dhcp6_message *m;
	uint64_t now_ms;
	struct lease_id id[DHCP6_IAS];		 /* of each association of m */
	const struct dhcp_reservation *reserved; /* of an IPv6 address; or NULL */
	struct lease_want want;
	char name[LEASE_NAME_SIZE];
	struct dhcp6_writer w;
};

/* --- Who asks -------------------------------------------------------------------------------------- */

static bool is_live(const struct lease *l)
{
	return l->state == LEASE_OFFERED || l->state == LEASE_BOUND;
}

static bool is_address_ia(const struct dhcp6_ia *ia)
{
	return ia->option == DHCP6_OPT_IA_NA;
}

static bool is_id_of(const struct lease_id *id, const struct lease *l)
{
	return id->len == l->id_len && memcmp(id->b, l->id, l->id_len) == 0;
}

/* What association i of m has or had; or NULL. */
static struct lease *lease_of(const struct talk *t, unsigned i)
{
	if (!t->net->pool6 || !is_address_ia(&t->m->ia[i]))
		return NULL;
	return leases_find(t->v->leases, t->net->pool6, &t->id[i]);
}

static bool has_its_mac(const struct talk *t, const struct lease *l)
{
	return memcmp(&l->mac, &t->ask->src_mac, sizeof(l->mac)) == 0;
}

/* Is a live lease that of another port, and not to be moved to this one? */
static bool is_anothers(const struct talk *t, const struct lease *l)
{
	const struct dhcp_world *w = &t->v->world;

	if (strcmp(l->port, t->ask->port) == 0)
		return false;
	return w->is_tied(w->arg, l->port) ||
	       (l->state == LEASE_BOUND && !has_its_mac(t, l) && w->is_there(w->arg, l->port));
}

static bool is_owner(const struct talk *t, const struct lease *l)
{
	return strcmp(l->port, t->ask->port) == 0 && has_its_mac(t, l);
}

/* Is one of the associations somebody else's? */
static bool is_spoofed(const struct talk *t)
{
	bool is_end = t->m->type == DHCP6_RELEASE || t->m->type == DHCP6_DECLINE;

	for (unsigned i = 0; i < t->m->n_ias; i++) {
		const struct lease *l = lease_of(t, i);

		if (l && is_live(l) && (is_end ? !is_owner(t, l) : is_anothers(t, l)))
			return true;
	}
	return false;
}

static void know(struct talk *t)
{
	static const struct ip none;
	const struct dhcp6_duid *duid = &t->m->client;
	static const uint8_t any_iaid[4];
	struct lease_id id;

	if (!duid->len)
		return;
	for (unsigned i = 0; i < t->m->n_ias; i++)
		lease_id_of_duid(&t->id[i], t->m->ia[i].iaid, duid->b, duid->len);
	lease_id_of_duid(&id, any_iaid, duid->b, duid->len);
	t->reserved = dhcp_net_reservation(t->net, &id, &t->ask->src_mac, t->ask->port);
	if (t->reserved && ip_equal(&t->reserved->ip6, &none))
		t->reserved = NULL;
	if (!t->m->name_len || !lease_name_clean(t->m->name, t->m->name_len, t->name))
		t->name[0] = '\0';
	t->want = (struct lease_want){
		.mac = t->ask->src_mac,
		.name = t->name,
		.port = t->ask->port,
		.is_relayed = t->ask->is_shared,
	};
}

/* --- Addresses ------------------------------------------------------------------------------------- */

/* Of one machine, or of the port that the reservation is for. */
static bool is_same_machine(const struct talk *t, const struct lease *l)
{
	if (is_anothers(t, l))
		return false;
	return has_its_mac(t, l) || (t->reserved->port[0] && strcmp(l->port, t->ask->port) == 0);
}

/*
 * Is the reserved address for association i?  has: its lease, or NULL.  Not if another one of this message has it, or somebody
 * else.  One that this machine had under another identity is taken from that.
 */
static bool is_for_him(struct talk *t, unsigned i, const struct lease *has)
{
	struct lease *l;

	if (!t->reserved)
		return false;
	if (has && is_live(has) && t->m->type != DHCP6_SOLICIT)
		return ip_equal(&has->ip, &t->reserved->ip6);
	l = leases_at(t->v->leases, t->net->pool6, &t->reserved->ip6);
	if (!l || l->state == LEASE_PAST || is_id_of(&t->id[i], l))
		return true;
	for (unsigned k = 0; k < t->m->n_ias; k++)
		if (is_address_ia(&t->m->ia[k]) && is_id_of(&t->id[k], l))
			return false;
	if (!is_live(l) || !is_same_machine(t, l))
		return false;
	leases_release(t->v->leases, l, t->now_ms);
	return true;
}

static void set_hint(struct talk *t, const struct dhcp6_ia *ia)
{
	t->want.has_hint = false;
	for (unsigned k = 0; k < ia->n && !t->want.has_hint; k++) {
		t->want.has_hint = prefix_holds(&t->net->v6, &ia->addr[k]);
		t->want.hint = ia->addr[k];
	}
}

static uint64_t end_ms(const struct talk *t)
{
	uint32_t lease_s = t->net->lease_s;

	return lease_s == UINT32_MAX ? UINT64_MAX : t->now_ms + (uint64_t)lease_s * SECOND_MS;
}

/* An address for association i, bound or only offered; NULL: none, which was counted. */
static struct lease *give(struct talk *t, unsigned i, bool is_bound)
{
	enum lease_why why = LEASE_NONE_FREE;
	const struct lease_range *range;
	struct lease *l = lease_of(t, i);

	if (t->net->pool6) {
		range = lease_pool_range(t->net->pool6);
		t->want.id = &t->id[i];
		t->want.has_fixed = is_for_him(t, i, l);
		if (t->want.has_fixed)
			t->want.fixed = t->reserved->ip6;
		else if (l && is_live(l) && range->is_taken && range->is_taken(range->arg, &l->ip))
			leases_release(t->v->leases, l, t->now_ms); /* somebody's since */
		set_hint(t, &t->m->ia[i]);
		l = leases_offer(t->v->leases, t->net->pool6, &t->want, t->now_ms, &why);
	}
	if (l && is_bound && !leases_bind(t->v->leases, l, &t->want, end_ms(t))) {
		l = NULL;
		why = LEASE_PORT_CAP;
	}
	if (!l && why == LEASE_PORT_CAP)
		t->v->count.port_cap++;
	else if (!l)
		t->v->count.none_free++;
	return l;
}

/* --- What an answer is made of --------------------------------------------------------------------- */

/* The times of a lease: RFC 8415 21.4 recommends half and 4/5 of it. */
static size_t open_ia(struct talk *t, const struct dhcp6_ia *ia, bool has_times)
{
	uint32_t lease_s = t->net->lease_s;

	if (!has_times)
		return dhcp6_open_ia(&t->w, ia, 0, 0);
	if (lease_s == UINT32_MAX)
		return dhcp6_open_ia(&t->w, ia, lease_s, lease_s);
	return dhcp6_open_ia(&t->w, ia, lease_s / 2, (uint32_t)((uint64_t)lease_s * 4 / 5));
}

static void write_ia_status(struct talk *t, const struct dhcp6_ia *ia, enum dhcp6_status status)
{
	size_t at = open_ia(t, ia, false);

	dhcp6_write_status(&t->w, status);
	dhcp6_close_ia(&t->w, at);
}

/* His address; and, when he renews, that those which he has not got any more are over. */
static void write_ia(struct talk *t, unsigned i, const struct lease *l)
{
	const struct dhcp6_ia *ia = &t->m->ia[i];
	bool is_renewed = t->m->type == DHCP6_RENEW || t->m->type == DHCP6_REBIND;
	size_t at = open_ia(t, ia, l);

	if (l)
		dhcp6_write_address(&t->w, &l->ip, t->net->lease_s, t->net->lease_s);
	else if (!is_renewed || ia->n == 0)
		dhcp6_write_status(&t->w, DHCP6_NO_ADDRS_AVAIL);
	for (unsigned k = 0; is_renewed && k < ia->n; k++)
		if (!l || !ip_equal(&l->ip, &ia->addr[k]))
			dhcp6_write_address(&t->w, &ia->addr[k], 0, 0);
	dhcp6_close_ia(&t->w, at);
}

/* RFC 8415 18.3.10: both identifiers; ours is a DUID-LL (11.4), his is as he said it. */
static void our_duid(const struct dhcp_net *net, uint8_t out[static OUR_DUID_BYTES])
{
	static const uint8_t head[4] = {0, DUID_LL, 0, ETHERNET};

	memcpy(out, head, sizeof(head));
	memcpy(out + sizeof(head), net->mac.b, sizeof(net->mac.b));
}

static void begin(struct talk *t, struct dhcp6_answer *out)
{
	uint8_t duid[OUR_DUID_BYTES];

	dhcp6_write_begin(&t->w, out->payload, sizeof(out->payload), DHCP6_REPLY, t->m->xid);
	if (t->m->client.len)
		dhcp6_write(&t->w, DHCP6_OPT_CLIENT_ID, t->m->client.b, t->m->client.len);
	our_duid(t->net, duid);
	dhcp6_write(&t->w, DHCP6_OPT_SERVER_ID, duid, sizeof(duid));
}

/* What was configured for DHCPv4, the reservation's before the network's, else the domain; so both families say the same. */
static size_t search_list(const struct talk *t, uint8_t out[static SEARCH_BYTES])
{
	const struct dhcp_opts *layer[2] = {t->reserved ? &t->reserved->opts : NULL, &t->net->opts};
	const char *domain = t->net->domain;
	size_t n = 0;

	for (unsigned i = 0; i < 2; i++)
		for (unsigned k = 0; layer[i] && k < layer[i]->n; k++)
			if (layer[i]->opt[k].code == OPT_SEARCH4)
				return dhcp6_expand_search(layer[i]->opt[k].bytes,
							   layer[i]->opt[k].len, out, SEARCH_BYTES);
	if (domain[0] && !dhcp6_put_domain(out, SEARCH_BYTES, &n, domain, strlen(domain)))
		return 0;
	return n;
}

/* What he asked for, as far as there is something, and room. */
static void write_options(struct talk *t)
{
	const struct dhcp_net *net = t->net;
	uint8_t search[SEARCH_BYTES], ntp[DHCP_NET_DNS][4 + sizeof(struct ip)];
	size_t n = search_list(t, search);

	if (net->n_dns6 > 0 && dhcp6_is_asked(t->m, DHCP6_OPT_DNS))
		dhcp6_write_if_fits(&t->w, DHCP6_OPT_DNS, net->dns6,
				    net->n_dns6 * sizeof(struct ip));
	if (n > 0 && dhcp6_is_asked(t->m, DHCP6_OPT_SEARCH))
		dhcp6_write_if_fits(&t->w, DHCP6_OPT_SEARCH, search, n);
	for (unsigned i = 0; i < net->n_ntp6; i++) {
		const uint8_t head[4] = {0, NTP_ADDRESS, 0, sizeof(struct ip)};

		memcpy(ntp[i], head, sizeof(head));
		memcpy(ntp[i] + sizeof(head), &net->ntp6[i], sizeof(struct ip));
	}
	if (net->n_ntp6 > 0 && dhcp6_is_asked(t->m, DHCP6_OPT_NTP))
		dhcp6_write_if_fits(&t->w, DHCP6_OPT_NTP, ntp, net->n_ntp6 * sizeof(ntp[0]));
}

/* --- Each type of message: is there an answer? ------------------------------------------------------ */

/* RFC 8415 18.3.1: what could be had, or with rapid commit at once what he has. */
static bool on_solicit(struct talk *t)
{
	bool is_bound = false, is_rapid = t->m->is_rapid && t->net->v6_mode == DHCP6_STATEFUL;

	for (unsigned i = 0; i < t->m->n_ias; i++) {
		const struct lease *l;

		if (!is_address_ia(&t->m->ia[i])) {
			write_ia_status(t, &t->m->ia[i], DHCP6_NO_PREFIX_AVAIL);
			continue;
		}
		l = give(t, i, is_rapid);
		is_bound |= is_rapid && l;
		write_ia(t, i, l);
	}
	if (is_bound)
		dhcp6_write(&t->w, DHCP6_OPT_RAPID_COMMIT, NULL, 0);
	else
		t->w.bytes[0] = DHCP6_ADVERTISE;
	write_options(t);
	return true;
}

static bool is_on_link(const struct talk *t, const struct dhcp6_ia *ia)
{
	for (unsigned k = 0; k < ia->n; k++)
		if (!prefix_holds(&t->net->v6, &ia->addr[k]))
			return false;
	return true;
}

/* RFC 8415 18.3.2. */
static bool on_request(struct talk *t)
{
	for (unsigned i = 0; i < t->m->n_ias; i++) {
		const struct dhcp6_ia *ia = &t->m->ia[i];

		if (!is_address_ia(ia))
			write_ia_status(t, ia, DHCP6_NO_PREFIX_AVAIL);
		else if (!is_on_link(t, ia))
			write_ia_status(t, ia, DHCP6_NOT_ON_LINK);
		else
			write_ia(t, i, give(t, i, true));
	}
	write_options(t);
	return true;
}

/* RFC 8415 18.3.3: whether the addresses are of this network, no more; of none nothing can be said. */
static bool on_confirm(struct talk *t)
{
	bool is_right = true;
	unsigned n = 0;

	for (unsigned i = 0; i < t->m->n_ias; i++) {
		n += t->m->ia[i].n;
		is_right &= is_on_link(t, &t->m->ia[i]);
	}
	if (n == 0)
		return false;
	dhcp6_write_status(&t->w, is_right ? DHCP6_SUCCESS : DHCP6_NOT_ON_LINK);
	return true;
}

/* RFC 8415 18.3.4 and 18.3.5. */
static bool on_renew(struct talk *t)
{
	for (unsigned i = 0; i < t->m->n_ias; i++) {
		const struct dhcp6_ia *ia = &t->m->ia[i];
		const struct lease *l = lease_of(t, i);

		if (l && l->state == LEASE_BOUND) {
			write_ia(t, i, give(t, i, true));
			continue;
		}
		t->v->count.unknown++;
		if (t->m->type == DHCP6_REBIND && ia->n > 0 && !is_on_link(t, ia))
			write_ia(t, i, NULL);
		else
			write_ia_status(t, ia, DHCP6_NO_BINDING);
	}
	write_options(t);
	return true;
}

static bool has_address(const struct dhcp6_ia *ia, const struct ip *ip)
{
	for (unsigned k = 0; k < ia->n; k++)
		if (ip_equal(&ia->addr[k], ip))
			return true;
	return false;
}

/* RFC 8415 18.3.7, 18.3.8: that it was his, and his to end, was checked. */
static bool on_end(struct talk *t)
{
	for (unsigned i = 0; i < t->m->n_ias; i++) {
		const struct dhcp6_ia *ia = &t->m->ia[i];
		struct lease *l = lease_of(t, i);

		if (!l || l->state != LEASE_BOUND) {
			t->v->count.unknown++;
			write_ia_status(t, ia, DHCP6_NO_BINDING);
		} else if (has_address(ia, &l->ip) && t->m->type == DHCP6_DECLINE) {
			leases_decline(t->v->leases, l, t->now_ms);
		} else if (has_address(ia, &l->ip)) {
			leases_release(t->v->leases, l, t->now_ms);
		}
	}
	dhcp6_write_status(&t->w, DHCP6_SUCCESS);
	return true;
}

/* RFC 8415 18.3.6. */
static bool on_information(struct talk *t)
{
	write_options(t);
	return true;
}

/* --- What is true of every message ----------------------------------------------------------------- */

enum server_id { MAY, MUST, MUST_NOT };

/* RFC 8415 16.2 to 16.12, and 18.4: what may come by unicast gets an answer, if only that it must not. */
static const struct rule {
	bool (*handle)(struct talk *t);
	uint8_t server_id; /* enum */
	bool has_client_id, has_ia, is_refused_unicast;
	size_t counter; /* its place in struct dhcp6_counters */
} rules[] = {
	[DHCP6_SOLICIT] = {on_solicit, MUST_NOT, true, true, false,
			   offsetof(struct dhcp6_counters, solicit)},
	[DHCP6_REQUEST] = {on_request, MUST, true, true, true,
			   offsetof(struct dhcp6_counters, request)},
	[DHCP6_CONFIRM] = {on_confirm, MUST_NOT, true, true, false,
			   offsetof(struct dhcp6_counters, confirm)},
	[DHCP6_RENEW] = {on_renew, MUST, true, true, true, offsetof(struct dhcp6_counters, renew)},
	[DHCP6_REBIND] = {on_renew, MUST_NOT, true, true, false,
			  offsetof(struct dhcp6_counters, rebind)},
	[DHCP6_RELEASE] = {on_end, MUST, true, true, true,
			   offsetof(struct dhcp6_counters, release)},
	[DHCP6_DECLINE] = {on_end, MUST, true, true, true,
			   offsetof(struct dhcp6_counters, decline)},
	[DHCP6_INFORMATION] = {on_information, MAY, false, false, false,
			       offsetof(struct dhcp6_counters, information)},
};

static const struct rule *rule_of(const struct dhcp6_message *m)
{
	if (m->type >= sizeof(rules) / sizeof(*rules) || !rules[m->type].handle)
		return NULL;
	return &rules[m->type];
}

static bool is_valid(const struct rule *r, const struct dhcp6_message *m)
{
	if ((r->has_client_id && !m->client.len) || (!r->has_ia && m->has_ia))
		return false;
	return r->server_id == MAY || (r->server_id == MUST) == (m->server.len > 0);
}

static bool is_to_us(const struct talk *t)
{
	uint8_t duid[OUR_DUID_BYTES];

	our_duid(t->net, duid);
	return !t->m->server.len || (t->m->server.len == sizeof(duid) &&
				     memcmp(t->m->server.b, duid, sizeof(duid)) == 0);
}

/* He took another server's offer: ours is free again. */
static void take_back(struct talk *t)
{
	for (unsigned i = 0; i < t->m->n_ias; i++) {
		struct lease *l = lease_of(t, i);

		if (l && l->state == LEASE_OFFERED && is_owner(t, l))
			leases_release(t->v->leases, l, t->now_ms);
	}
}

/* An address that one station can have; to the group only its link-local one (RFC 8415 13.1). */
static bool is_client(const struct dhcp_ask *ask, bool is_unicast)
{
	static const struct ip none;
	const uint8_t *b = ask->src.b;

	if (is_unicast)
		return b[0] != 0xff && !ip_equal(&ask->src, &none) && !ip_is_v4(&ask->src);
	return b[0] == 0xfe && (b[1] & 0xc0) == 0x80;
}

static bool answer(struct talk *t, const struct rule *rule, bool is_unicast)
{
	if (is_unicast) {
		dhcp6_write_status(&t->w, DHCP6_USE_MULTICAST);
		return true;
	}
	if (is_spoofed(t)) {
		t->v->count.spoofed++;
		return false;
	}
	return rule->handle(t);
}

void dhcp6_server_receive(struct dhcp6_server *v, const struct dhcp_net *net,
			  const struct dhcp_ask *ask, uint64_t now_ms, struct dhcp6_answer *out)
{
	struct dhcp6_message m;
	struct talk t = {.v = v, .net = net, .ask = ask, .m = &m, .now_ms = now_ms};
	bool is_unicast = ask->dst.b[0] != 0xff;
	const struct rule *rule;

	out->len = 0;
	if (net->v6_mode == DHCP6_OFF || !net->v6.is_set)
		return;
	if (!is_client(ask, is_unicast) || !dhcp6_read(&m, ask->payload, ask->len) ||
	    !(rule = rule_of(&m)) || !is_valid(rule, &m) ||
	    (is_unicast && !rule->is_refused_unicast)) {
		v->count.malformed++;
		return;
	}
	++*(uint64_t *)((uint8_t *)&v->count + rule->counter);
	know(&t);
	if (!is_to_us(&t)) {
		v->count.other_server++;
		if (m.type == DHCP6_REQUEST && !is_unicast)
			take_back(&t);
		return;
	}
	begin(&t, out);
	if (!answer(&t, rule, is_unicast))
		return;
	out->len = (uint16_t)dhcp6_write_end(&t.w);
	if (out->len > 0 && out->payload[0] == DHCP6_ADVERTISE)
		v->count.advertise++;
	else if (out->len > 0)
		v->count.reply++;
}

struct dhcp6_server *dhcp6_server_create(struct leases *s, const struct dhcp_world *world)
{
	struct dhcp6_server *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->leases = s;
	v->world = *world;
	return v;
}

void dhcp6_server_destroy(struct dhcp6_server *v)
{
	free(v);
}

const struct dhcp6_counters *dhcp6_server_counters(const struct dhcp6_server *v)
{
	return &v->count;
}
