/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf_merge_dhcp: options, classes, reservations of a network and domains of the section `dns`, merged into their object.
 *
 * conf_list.c sends these here.  A list or map of them replaces the one before.  Reservations may also come one by one, from
 * `vfab lease reserve` and `unreserve`, as a map by address:
 *
 *   reservations: [{mac: M, ip: 10.0.0.5}]                           all of them
 *   reservations: {10.0.0.5: {mac: M, name: web}, 10.0.0.6: null}    one more, and one no more
 *
 * There may be thousands in a network, of which a map may name thousands: what it names is sorted, and the old ones are gone
 * through once.
 *
 * Trust.  As conf_merge.c: the shape is checked, names and values are anybody's; entries are counted before memory is taken
 * for them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/conf_merge.h"
#include "switch/conf_names.h"

/* --- Options --- */

/* A text, or a list of texts: the same with commas.  A value of an option has at most so much text. */
static int join_text(struct merge *m, const struct conf_node *n, char out[static CONF_OPTION_TEXT])
{
	const struct conf_node *item = n->kind == NODE_LIST ? n->first : n;
	char found[CONF_WHY];
	size_t used = 0;

	if (n->kind == NODE_MAP || (n->kind == NODE_LIST && !n->n))
		return conf_fail(m, n, "an option must be a text or a list of texts, not %s",
				 conf_node_words(n, found));
	for (; item; item = n->kind == NODE_LIST ? item->next : NULL) {
		int bytes;

		if (item->kind != NODE_SCALAR || conf_node_is_null(item))
			return conf_fail(m, item,
					 "an option must be a text or a list of texts, not %s",
					 conf_node_words(item, found));
		bytes = snprintf(out + used, CONF_OPTION_TEXT - used, "%s%s", used ? "," : "",
				 item->text);
		if ((size_t)bytes >= CONF_OPTION_TEXT - used)
			return conf_fail(m, item, "the value is longer than 255 bytes");
		used += (size_t)bytes;
	}
	return 0;
}

static int take_option(struct merge *m, const struct conf_node *k, struct conf_options *o)
{
	static const struct conf_key server = {
		.name = "next-server", .type = CONF_IPV4, .size = sizeof(struct ip)};
	char text[CONF_OPTION_TEXT] = "", why[CONF_WHY];
	struct conf_option option;
	size_t at = 0;
	int err = join_text(m, k->next, text);

	if (err)
		return err;
	if (!strcmp(k->text, server.name))
		return conf_scalar_parse(&server, text, &o->next_server, why)
			       ? 0
			       : conf_fail(m, k->next, "%s", why);
	if (!conf_option_parse(k->text, text, &option, why, sizeof(why)))
		return conf_fail(m, k, "%s", why);
	while (at < o->n && o->list[at].code < option.code)
		at++;
	if (at < o->n && o->list[at].code == option.code)
		return conf_fail(m, k, "option %u is there twice", option.code);
	memmove(o->list + at + 1, o->list + at, (o->n - at) * sizeof(option));
	o->list[at] = option;
	o->n++;
	return 0;
}

static int merge_options(struct merge *m, const struct conf_node *map, struct conf_options *o)
{
	size_t n = map->n / 2;
	int err = 0;

	if (n > CONF_OPTIONS_MAX)
		return conf_fail(m, map, "more than %d options", CONF_OPTIONS_MAX);
	o->list = n ? calloc(n, sizeof(*o->list)) : NULL;
	if (n && !o->list)
		return conf_fail_memory(m);
	for (const struct conf_node *k = map->first; k && !err; k = k->next->next) {
		size_t before = conf_path_add(m, ".%s", k->text);

		err = take_option(m, k, o);
		if (!err)
			conf_path_cut(m, before);
	}
	return err;
}

/* --- Classes --- */

static int merge_classes(struct merge *m, const struct conf_node *list, struct conf_dhcp *d)
{
	int err = 0;

	if (list->n > CONF_CLASSES_MAX)
		return conf_fail(m, list, "more than %d classes", CONF_CLASSES_MAX);
	d->classes = calloc(list->n + 1, sizeof(*d->classes));
	if (!d->classes)
		return conf_fail_memory(m);
	for (const struct conf_node *item = list->first; item && !err; item = item->next) {
		struct conf_class *c = &d->classes[d->n_classes];
		size_t before = conf_path_add(m, "[%zu]", d->n_classes++);

		c->line = item->line;
		c->column = item->column;
		err = conf_merge_keys(m, &conf_classes, conf_classes.keys, item, c);
		if (!err && !c->vendor[0] && !c->n_arch)
			err = conf_fail_because(m, CONF_MISSING,
						conf_fail(m, item, "a class needs vendor or arch"));
		if (!err)
			conf_path_cut(m, before);
	}
	return err;
}

/* --- Reservations --- */

static bool is_given(const struct ip *ip)
{
	static const struct ip none;

	return !ip_equal(ip, &none);
}

/* What one reservation has to have; the others are for conf_check_dhcp.c. */
static int check_whole(struct merge *m, const struct conf_node *at,
		       const struct conf_reservation *r)
{
	int ways = !mac_is_zero(&r->mac) + !!r->client_id_len + !!r->port[0];

	if (!ways)
		return conf_fail_because(
			m, CONF_MISSING,
			conf_fail(m, at, "a reservation needs mac, client-id or port"));
	if (ways > 1)
		return conf_fail(m, at,
				 "a reservation is by one thing: leave out all but one of mac, "
				 "client-id and port");
	if (!is_given(&r->ip) && !is_given(&r->ip6))
		return conf_fail_because(m, CONF_MISSING,
					 conf_fail(m, at, "a reservation needs ip or ip6"));
	return 0;
}

/* On error too *r is to be freed. */
static int take_reservation(struct merge *m, const struct conf_node *item, const struct ip *ip,
			    struct conf_reservation *r)
{
	char found[CONF_WHY];
	struct ip *at;
	int err;

	*r = (struct conf_reservation){.line = item->line, .column = item->column};
	if (item->kind != NODE_MAP)
		return conf_fail(m, item,
				 "a reservation must be a map such as {mac: "
				 "\"02:00:00:00:00:0a\", ip: 10.10.0.10}, not %s",
				 conf_node_words(item, found));
	err = conf_merge_keys(m, &conf_reservations, conf_reservations.keys, item, r);
	if (err)
		return err;
	if (ip) {
		at = ip_is_v4(ip) ? &r->ip : &r->ip6;
		if (is_given(at) && !ip_equal(at, ip))
			return conf_fail(m, item, "the reservation has another address inside");
		*at = *ip;
	}
	return check_whole(m, item, r);
}

/* Room for n more reservations. */
static int reserve_room(struct merge *m, const struct conf_node *at, struct conf_dhcp *d, size_t n)
{
	struct conf_reservation *more;

	if (d->n_reservations + n > CONF_RESERVATIONS_MAX)
		return conf_fail_because(
			m, CONF_REFUSED,
			conf_fail(m, at, "more than %d reservations", CONF_RESERVATIONS_MAX));
	more = realloc(d->reservations, (d->n_reservations + n + 1) * sizeof(*more));
	if (!more)
		return conf_fail_memory(m);
	d->reservations = more;
	return 0;
}

static int merge_reservation_list(struct merge *m, const struct conf_node *list,
				  struct conf_dhcp *d)
{
	int err = reserve_room(m, list, d, list->n);

	for (const struct conf_node *item = list->first; item && !err; item = item->next) {
		size_t before = conf_path_add(m, "[%zu]", d->n_reservations);

		err = take_reservation(m, item, NULL, &d->reservations[d->n_reservations++]);
		if (!err)
			conf_path_cut(m, before);
	}
	return err;
}

/* One entry of a map of changes. */
struct entry {
	struct ip ip;
	const struct conf_node *node; /* the key; its value is what comes next */
	bool is_found;
};

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return memcmp(&x->ip, &y->ip, sizeof(x->ip));
}

static int read_entries(struct merge *m, const struct conf_node *map, struct entry *e)
{
	char quoted[CONF_QUOTE];
	size_t n = 0;

	for (const struct conf_node *k = map->first; k; k = k->next->next, n++) {
		e[n] = (struct entry){.node = k};
		if (!ip_parse(k->text, &e[n].ip))
			return conf_fail(m, k, "\"%s\" is not an IP address",
					 conf_quote(k->text, quoted));
	}
	qsort(e, n, sizeof(*e), compare_entries);
	for (size_t i = 1; i < n; i++)
		if (!compare_entries(&e[i - 1], &e[i]))
			return conf_fail(m, e[i].node, "the address is there twice");
	return 0;
}

static struct entry *find_entry(struct entry *e, size_t n, const struct ip *ip)
{
	struct entry wanted = {.ip = *ip};

	return is_given(ip) ? bsearch(&wanted, e, n, sizeof(*e), compare_entries) : NULL;
}

/* Takes away those that are null, and refuses those that are there and are to be made. */
static int drop_entries(struct merge *m, struct conf_dhcp *d, struct entry *e, size_t n)
{
	size_t kept = 0;
	int err = 0;

	for (size_t i = 0; i < d->n_reservations; i++) {
		struct conf_reservation *r = &d->reservations[i];
		struct entry *by[] = {find_entry(e, n, &r->ip), find_entry(e, n, &r->ip6)};
		bool goes = false;

		for (int j = 0; j < 2; j++) {
			if (!by[j])
				continue;
			by[j]->is_found = true;
			goes = conf_node_is_null(by[j]->node->next);
			if (!goes)
				err = conf_fail_because(
					m, CONF_REFUSED,
					conf_fail(m, by[j]->node,
						  "the reservation of %.45s exists already",
						  by[j]->node->text));
		}
		if (goes && !err)
			conf_options_fini(&r->options);
		else if (kept++ != i)
			d->reservations[kept - 1] = *r;
	}
	d->n_reservations = kept;
	for (size_t i = 0; i < n && !err; i++)
		if (conf_node_is_null(e[i].node->next) && !e[i].is_found)
			err = conf_fail_because(m, CONF_REFUSED,
						conf_fail(m, e[i].node,
							  "there is no reservation of %.45s",
							  e[i].node->text));
	return err;
}

static int merge_reservation_map(struct merge *m, const struct conf_node *map, struct conf_dhcp *d)
{
	size_t n = map->n / 2;
	struct entry *e = calloc(n + 1, sizeof(*e));
	int err = e ? read_entries(m, map, e) : conf_fail_memory(m);
	struct ip ip;

	if (!err)
		err = drop_entries(m, d, e, n);
	free(e);
	if (!err)
		err = reserve_room(m, map, d, n);
	/* In the order of the text. */
	for (const struct conf_node *k = map->first; k && !err; k = k->next->next)
		if (!conf_node_is_null(k->next) && ip_parse(k->text, &ip))
			err = take_reservation(m, k->next, &ip,
					       &d->reservations[d->n_reservations++]);
	return err;
}

/* --- Domains of the section dns --- */

static int compare_domains(const void *a, const void *b)
{
	const struct conf_domain *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static int check_domains_once(struct merge *m, const struct conf_node *map,
			      const struct conf_dns *d)
{
	const struct conf_domain *sorted[CONF_DOMAINS_MAX];

	for (size_t i = 0; i < d->n_domains; i++)
		sorted[i] = &d->domains[i];
	qsort(sorted, d->n_domains, sizeof(sorted[0]), compare_domains);
	for (size_t i = 1; i < d->n_domains; i++)
		if (!compare_domains(&sorted[i - 1], &sorted[i]))
			return conf_fail(m, map, "domain \"%.80s\" is there twice",
					 sorted[i]->name);
	return 0;
}

static int merge_domains(struct merge *m, const struct conf_node *map, struct conf_dns *d)
{
	static const struct conf_domain initial;
	static const struct conf_key servers = {.name = "domains",
						.type = CONF_SERVERS,
						.at = offsetof(struct conf_domain, server),
						.size = sizeof(initial.server),
						.count = offsetof(struct conf_domain, n),
						.max = CONF_DNS_MAX};
	static const struct conf_kind kind = {.word = "domain", .initial = &initial};
	char why[CONF_WHY];
	int err = 0;

	if (map->n / 2 > CONF_DOMAINS_MAX)
		return conf_fail(m, map, "more than %d domains", CONF_DOMAINS_MAX);
	d->domains = calloc(map->n / 2 + 1, sizeof(*d->domains));
	if (!d->domains)
		return conf_fail_memory(m);
	for (const struct conf_node *k = map->first; k && !err; k = k->next->next) {
		struct conf_domain *domain = &d->domains[d->n_domains];
		size_t before;

		if (!conf_domain_parse(k->text, domain->name, why))
			return conf_fail(m, k, "%s", why);
		before = conf_path_add(m, ".%s", domain->name);
		d->n_domains++;
		if (k->next->kind == NODE_LIST ? !k->next->n : conf_node_is_null(k->next))
			return conf_fail(m, k->next, "domain \"%.80s\" has no server",
					 domain->name);
		err = conf_merge_list(m, &kind, &servers, k->next, domain);
		if (!err)
			conf_path_cut(m, before);
	}
	return err ? err : check_domains_once(m, map, d);
}

int conf_merge_dhcp(struct merge *m, const struct conf_kind *kind, const struct conf_key *key,
		    const struct conf_node *n, void *object)
{
	bool is_map = key->type == CONF_OPTIONS || key->type == CONF_DOMAINS;
	bool is_change = key->type == CONF_RESERVATIONS && m->how == CONF_SET;
	struct conf_network *net = object;

	if (is_change && n->kind == NODE_MAP)
		return merge_reservation_map(m, n, &net->dhcp);
	if (n->kind != (is_map ? NODE_MAP : NODE_LIST))
		return conf_fail_type(m, n, key);
	conf_reset_key(kind, key, object);
	switch (key->type) {
	case CONF_OPTIONS:
		return merge_options(m, n, conf_field(object, key->at));
	case CONF_CLASSES:
		return merge_classes(m, n, &net->dhcp);
	case CONF_RESERVATIONS:
		return merge_reservation_list(m, n, &net->dhcp);
	default:
		return merge_domains(m, n, object);
	}
}
