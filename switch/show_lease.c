/* SPDX-License-Identifier: GPL-2.0-or-later */
/* show_lease: leases and reservations as JSON, their end, and the figures of the servers.  ctl.c calls the handlers. */
#include <errno.h>
#include <string.h>

#include "switch/guard.h"
#include "switch/lessor.h"
#include "switch/show.h"

enum { HEX_MAX = 3 * LEASE_ID_MAX };

struct rows {
	json_t *array;
	const struct dhcp_net *net;
	uint64_t now_ms;
};

static json_t *text_or_null(const char *text)
{
	return *text ? ctl_text(text) : json_null();
}

static json_t *mac_or_null(const struct mac *mac)
{
	char text[MAC_TEXT];

	return mac_is_zero(mac) ? json_null() : json_string(mac_text(mac, text));
}

/* Bytes as 01:02:..; null: there are none. */
static json_t *hex_or_null(const uint8_t *b, size_t n)
{
	static const char digit[] = "0123456789abcdef";
	char text[HEX_MAX];

	if (n == 0 || n > HEX_MAX / 3)
		return json_null();
	for (size_t i = 0; i < n; i++) {
		text[3 * i] = digit[b[i] >> 4];
		text[3 * i + 1] = digit[b[i] & 15];
		text[3 * i + 2] = ':';
	}
	return json_stringn(text, 3 * n - 1);
}

static json_t *show_row(const char *network, const struct ip *ip, json_t *mac, const char *name,
			const char *state)
{
	char text[IP_TEXT];

	return json_pack("{s:s,s:s,s:o,s:o,s:s}", "network", network, "ip", ip_text(ip, text),
			 "mac", mac, "hostname", text_or_null(name), "state", state);
}

static bool add_lease(void *arg, const struct lease *l)
{
	struct rows *r = arg;
	const struct dhcp_reservation *of = dhcp_net_reserved(r->net, &l->ip);
	bool has_id = l->id_len > 1 && l->id[0] != LEASE_BY_MAC;
	json_t *row;

	if (l->state == LEASE_PAST)
		return true;
	row = show_row(r->net->name, &l->ip, mac_or_null(&l->mac),
		       of && *of->name ? of->name : l->name,
		       lease_state_word((enum lease_state)l->state));
	if (!row)
		return false;
	json_object_set_new(
		row, "expires_s",
		l->end_ms == UINT64_MAX
			? json_null()
			: json_integer(l->end_ms > r->now_ms
					       ? (json_int_t)((l->end_ms - r->now_ms) / 1000)
					       : 0));
	json_object_set_new(row, "client_id",
			    hex_or_null(has_id ? l->id + 1 : NULL, has_id ? l->id_len - 1U : 0));
	json_object_set_new(row, "port", text_or_null(l->port));
	json_array_append_new(r->array, row);
	return true;
}

static void add_reserved(struct rows *r, struct leases *s, const struct dhcp_reservation *of,
			 const struct ip *ip, const struct lease_pool *pool)
{
	const struct lease *l = pool ? leases_at(s, pool, ip) : NULL;
	json_t *row;

	if (ip_equal(ip, &(struct ip){0}) || (l && l->state != LEASE_PAST))
		return;
	row = show_row(r->net->name, ip, mac_or_null(&of->mac), of->name, "reserved");
	if (!row)
		return;
	json_object_set_new(row, "expires_s", json_null());
	json_object_set_new(row, "client_id", hex_or_null(of->id, of->id_len));
	json_object_set_new(row, "port", text_or_null(of->port));
	json_array_append_new(r->array, row);
}

static void add_net(struct rows *r, struct leases *s)
{
	const struct dhcp_net *n = r->net;

	if (n->pool4)
		leases_each_of(s, n->pool4, add_lease, r);
	if (n->pool6)
		leases_each_of(s, n->pool6, add_lease, r);
	for (uint32_t i = 0; i < n->n_reservations; i++) {
		const struct dhcp_reservation *of = &n->reservations[i];

		add_reserved(r, s, of, &of->ip, n->pool4);
		add_reserved(r, s, of, &of->ip6, n->pool6);
	}
}

void show_leases(struct daemon *d, struct client *cl, const json_t *req)
{
	const struct conf_network *only;
	struct rows r = {.now_ms = clock_ms()};

	if (!show_find_network(d, cl, req, &only))
		return;
	r.array = json_array();
	for (size_t i = 0; r.array && i < d->conf->n_networks; i++) {
		const struct conf_network *net = &d->conf->networks[i];

		r.net = !only || only == net ? lessor_net(d->lessor, net->name) : NULL;
		if (r.net)
			add_net(&r, lessor_leases(d->lessor));
	}
	ctl_answer(cl, r.array);
}

void show_lease_release(struct daemon *d, struct client *cl, const json_t *req)
{
	const char *text = json_string_value(json_object_get(req, "ip"));
	const struct conf_network *only;
	struct ip ip;
	int rc;

	if (!show_find_network(d, cl, req, &only))
		return;
	if (!ip_parse(text, &ip)) {
		ctl_refuse(cl, 65, "lease %.60s: is no address", text);
		return;
	}
	rc = lessor_release(d->lessor, only ? only->name : NULL, &ip);
	if (rc == -EBUSY)
		ctl_refuse(cl, 1, "lease %s: several networks have one: name the network", text);
	else if (rc < 0)
		ctl_refuse(cl, 1, "lease %s: there is none", text);
	else
		ctl_answer(cl, json_object());
}

/* --- guard --- */

struct guarded {
	json_t *rows;
	uint32_t now_s;
};

static void add_guarded(void *arg, const struct guard_binding *b, bool is_learned)
{
	struct guarded *g = arg;
	char ip[IP_TEXT];

	json_array_append_new(g->rows, json_pack("{s:s,s:o,s:s,s:o}", "ip", ip_text(&b->ip, ip),
						 "mac", mac_or_null(&b->mac), "kind",
						 is_learned    ? "learned"
						 : b->is_fixed ? "fixed"
							       : "lease",
						 "expires_s",
						 b->end_s == UINT32_MAX || b->end_s < g->now_s
							 ? json_null()
							 : json_integer(b->end_s - g->now_s)));
}

json_t *show_guarded(const struct daemon *d, const struct port *p)
{
	struct guarded g = {json_array(), (uint32_t)(clock_ms() / 1000)};

	if (g.rows)
		guard_each(d->guard, p->slot, add_guarded, &g);
	return g.rows;
}

/* --- figures --- */

/* The structs of counters are numbers in the order of their names, and nothing else. */
#define X(name) #name,
static const char *const dhcp_names[] = {DHCP_COUNTERS(X)};
static const char *const dhcp6_names[] = {DHCP6_COUNTERS(X)};
static const char *const dns_names[] = {DNS_COUNTERS(X)};
#undef X
#define NAMES(names) names, sizeof(names) / sizeof((names)[0])
#define NAMED(type, names)                                                                         \
	(sizeof(struct type) / sizeof(uint64_t) == sizeof(names) / sizeof((names)[0]))
_Static_assert(NAMED(dhcp_counters, dhcp_names), "a name each");
_Static_assert(NAMED(dhcp6_counters, dhcp6_names), "a name each");
_Static_assert(NAMED(dns_counters, dns_names), "a name each");

static json_t *show_counters(const void *counters, const char *const *name, size_t n)
{
	json_t *out = json_object();
	const uint64_t *value = counters;

	for (size_t i = 0; out && i < n; i++)
		json_object_set_new(out, name[i], json_integer((json_int_t)value[i]));
	return out;
}

static json_t *show_journal(const struct journal_stats *s)
{
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:b}", "records", (json_int_t)s->records,
			 "bytes", (json_int_t)s->bytes, "syncs", (json_int_t)s->syncs,
			 "compactions", (json_int_t)s->compactions, "errors", (json_int_t)s->errors,
			 "read", (json_int_t)s->read, "refused", (json_int_t)s->refused,
			 "is_broken", s->is_broken);
}

static json_t *show_pool(struct leases *s, const struct dhcp_net *n, const struct lease_pool *p)
{
	const struct lease_range *range = lease_pool_range(p);
	char first[IP_TEXT], last[IP_TEXT];
	struct lease_count c;

	leases_count(s, p, &c);
	return json_pack("{s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:o,s:I}", "network", n->name, "first",
			 ip_text(&range->first, first), "last", ip_text(&range->last, last),
			 "offered", (json_int_t)c.offered, "bound", (json_int_t)c.bound, "past",
			 (json_int_t)c.past, "declined", (json_int_t)c.declined, "free",
			 c.free == UINT32_MAX ? json_null() : json_integer((json_int_t)c.free),
			 "per_port", (json_int_t)range->port_cap);
}

void show_lease_stats(struct daemon *d, struct client *cl, const json_t *req)
{
	json_t *pools = json_array();
	struct leases *leases = lessor_leases(d->lessor);
	struct lessor_stats s;

	(void)req;
	lessor_stats(d->lessor, &s);
	for (size_t i = 0; pools && i < d->conf->n_networks; i++) {
		const struct dhcp_net *n = lessor_net(d->lessor, d->conf->networks[i].name);

		if (n && n->pool4)
			json_array_append_new(pools, show_pool(leases, n, n->pool4));
		if (n && n->pool6)
			json_array_append_new(pools, show_pool(leases, n, n->pool6));
	}
	ctl_answer(cl, json_pack("{s:o,s:o,s:o,s:o,s:o,s:I}", "dhcp",
				 show_counters(&s.v4, NAMES(dhcp_names)), "dhcp6",
				 show_counters(&s.v6, NAMES(dhcp6_names)), "dns",
				 show_counters(&s.dns, NAMES(dns_names)), "journal",
				 show_journal(&s.journal), "pools", pools, "unsent",
				 (json_int_t)s.unsent));
}
