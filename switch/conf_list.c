/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf_list: values that are lists, or maps of entries, merged into their object.
 *
 * conf_merge.c comes here for each value that is no scalar and no map of keys.  A list replaces the one before; entries
 * of a map change one by one, where a verb sends them: static addresses by MAC and, from `vfab forward`, forwards by spec:
 *
 *   forwards: ["8080:10.0.0.5:80"]                     all of them
 *   forwards: {"8080:10.0.0.5:80": {}, "tcp/0.0.0.0:81": null}   one more, and the one with that id no more
 *
 * Trust.  As conf_merge.c: the shape is checked, names and values are anybody's; entries are counted before
 * memory is taken for them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/conf_merge.h"
#include "switch/conf_names.h"

static int compare_macs(const void *a, const void *b)
{
	const struct conf_static_mac *x = a, *y = b;

	return memcmp(&x->mac, &y->mac, sizeof(x->mac));
}

/* One line of `macs`; a null port takes the entry away. */
static int take_mac(struct merge *m, const struct conf_node *k, struct conf_static_mac *out)
{
	const struct conf_node *port = k->next;
	char why[CONF_WHY];

	*out = (struct conf_static_mac){.line = k->line, .column = k->column};
	if (!conf_mac_check(k->text, &out->mac, why))
		return conf_fail(m, k, "%s", why);
	if (m->how == CONF_SET && conf_node_is_null(port))
		return 0;
	if (port->kind != NODE_SCALAR || conf_node_is_null(port))
		return conf_fail(m, port, "a static entry must be the name of a port, not %s",
				 conf_node_words(port, why));
	if (!conf_name_check(port->text, why))
		return conf_fail(m, port, "%s", why);
	memcpy(out->port, port->text, port->n);
	return 0;
}

static int fail_mac(struct merge *m, const struct conf_static_mac *at, const char *what)
{
	char text[MAC_TEXT];

	m->err->fault = CONF_BAD_VALUE;
	m->err->line = at->line;
	m->err->column = at->column;
	snprintf(m->err->text, sizeof(m->err->text), "%s %s", mac_text(&at->mac, text), what);
	return -EINVAL;
}

/* The old entries and the new ones, both sorted; a new one wins.  The number of entries in out, or an error. */
static int join_macs(struct merge *m, const struct conf_network *net,
		     const struct conf_static_mac *new, size_t n_new, struct conf_static_mac *out)
{
	size_t o = 0, i = 0, n_out = 0;

	while (o < net->n_macs || i < n_new) {
		int order = o == net->n_macs ? 1
			    : i == n_new     ? -1
					     : compare_macs(&net->macs[o], &new[i]);

		if (order < 0) {
			out[n_out++] = net->macs[o++];
			continue;
		}
		if (order > 0 && !new[i].port[0])
			return conf_fail_because(m, CONF_REFUSED,
						 fail_mac(m, &new[i], "has no static entry"));
		o += order == 0;
		if (new[i].port[0])
			out[n_out++] = new[i];
		i++;
	}
	return (int)n_out;
}

static int merge_macs(struct merge *m, const struct conf_node *map, struct conf_network *net)
{
	size_t n = map->n / 2, i = 0;
	struct conf_static_mac *new, *all;
	int err = 0;

	if (n > CONF_MACS_MAX)
		return conf_fail(m, map, "macs has more than %d entries", CONF_MACS_MAX);
	new = calloc(n + 1, sizeof(*new));
	all = calloc(net->n_macs + n + 1, sizeof(*all));
	if (!new || !all)
		err = conf_fail_memory(m);
	for (const struct conf_node *k = map->first; k && !err; k = k->next->next)
		err = take_mac(m, k, &new[i++]);
	if (!err)
		qsort(new, n, sizeof(*new), compare_macs);
	for (i = 1; i < n && !err; i++)
		if (!compare_macs(&new[i - 1], &new[i]))
			err = fail_mac(m, &new[i], "is there twice");
	if (!err)
		err = join_macs(m, net, new, n, all);
	free(new);
	if (err < 0) {
		free(all);
		return err;
	}
	free(net->macs);
	net->macs = all;
	net->n_macs = (size_t)err;
	return 0;
}

/* [10, 20-29], or the same as a string, "10,20-29": the way in which verbs take it. */
typedef bool (*take_item)(const struct conf_key *key, const char *item, void *object, char *why);

static int take_items(struct merge *m, const struct conf_key *key, const struct conf_node *n,
		      take_item take, void *object)
{
	const struct conf_node *item = n->kind == NODE_LIST ? n->first : n;
	char why[CONF_WHY];
	size_t i = 0;

	if (n->kind == NODE_MAP)
		return conf_fail_type(m, n, key);
	/* A text has a next one too: that of the map it stands in. */
	for (; item; item = n->kind == NODE_LIST ? item->next : NULL, i++) {
		size_t before = m->path;

		if (n->kind == NODE_LIST)
			conf_path_add(m, "[%zu]", i);
		if (item->kind != NODE_SCALAR || conf_node_is_null(item))
			return conf_fail_type(m, item, key);
		for (const char *p = item->text, *end; p; p = *end ? end + 1 : NULL) {
			char word[PREFIX_TEXT];
			size_t bytes;

			end = strchrnul(p, ',');
			bytes = (size_t)(end - p) < sizeof(word) ? (size_t)(end - p)
								 : sizeof(word) - 1;
			snprintf(word, sizeof(word), "%.*s", (int)bytes, p);
			if (!take(key, word, object, why))
				return conf_fail(m, item, "%s", why);
		}
		conf_path_cut(m, before);
	}
	return 0;
}

static bool take_vids(const struct conf_key *key, const char *item, void *object, char *why)
{
	return conf_vids_parse(item, conf_field(object, key->at), why);
}

static bool take_cpu(const struct conf_key *key, const char *item, void *object, char *why)
{
	(void)key;
	return conf_cpu_parse(item, object, why);
}

/* The place of one more item, NULL: the list has all that it may have. */
static void *next_item(const struct conf_key *key, void *object, size_t size, char *why)
{
	uint8_t *n = conf_field(object, key->count);

	if (*n < key->max)
		return conf_field(object, key->at + (*n)++ * size);
	snprintf(why, CONF_WHY, "%s has more than %u entries", key->name, (unsigned)key->max);
	return NULL;
}

static bool take_prefix(const struct conf_key *key, const char *item, void *object, char *why)
{
	struct prefix *prefix = next_item(key, object, sizeof(*prefix), why);

	return prefix && conf_prefix_parse(key, item, prefix, why);
}

static bool take_ip(const struct conf_key *key, const char *item, void *object, char *why)
{
	struct conf_key one = {.name = key->name, .type = CONF_IP, .size = sizeof(struct ip)};
	struct ip *ip = next_item(key, object, sizeof(*ip), why);

	return ip && conf_scalar_parse(&one, item, ip, why);
}

static bool take_server(const struct conf_key *key, const char *item, void *object, char *why)
{
	struct conf_server *server = next_item(key, object, sizeof(*server), why);

	return server && conf_server_parse(item, server, why);
}

static bool take_arch(const struct conf_key *key, const char *item, void *object, char *why)
{
	struct conf_key one = {.name = key->name,
			       .type = CONF_NUMBER,
			       .size = sizeof(uint16_t),
			       .max = UINT16_MAX};
	uint16_t *arch = next_item(key, object, sizeof(*arch), why);

	return arch && conf_scalar_parse(&one, item, arch, why);
}

/* A list of maps, which replaces the one before. */
static int merge_nics(struct merge *m, const struct conf_node *list, struct conf_container *node)
{
	const struct conf_node *item = list->first;
	int err = 0;

	if (list->n > CONF_NICS_MAX)
		return conf_fail(m, list, "nics has more than %d interfaces", CONF_NICS_MAX);
	node->nics = calloc(list->n + 1, sizeof(*node->nics));
	if (!node->nics)
		return conf_fail_memory(m);
	for (; item && !err; item = item->next) {
		struct conf_nic *nic = &node->nics[node->n_nics];
		size_t before = conf_path_add(m, "[%zu]", node->n_nics);

		nic->line = item->line;
		nic->column = item->column;
		node->n_nics++;
		err = conf_merge_keys(m, &conf_nics, conf_nics.keys, item, nic);
		if (!err)
			err = conf_check_required(m, &conf_nics, item, nic);
		if (!err)
			conf_path_cut(m, before);
	}
	return err;
}

/* Everything of one forward: "SPEC", {spec: SPEC, allow-from: [...]}, or, under its spec as key, {allow-from: [...]}. */
static int take_forward(struct merge *m, const struct conf_node *item, const struct conf_node *spec,
			struct conf_forward *f)
{
	const struct conf_key *key = conf_forwards.keys;
	char why[CONF_WHY];
	int err = 0;

	*f = (struct conf_forward){.line = item->line, .column = item->column};
	if (!spec && item->kind == NODE_SCALAR && !conf_node_is_null(item))
		spec = item;
	if (spec && !conf_scalar_parse(key, spec->text, f, why))
		return conf_fail(m, spec, "%s", why);
	if (item->kind == NODE_LIST)
		return conf_fail(m, item, "a forward must be a text or a map, not a list");
	if (spec != item)
		err = conf_merge_keys(m, &conf_forwards, key + (spec != NULL), item, f);
	if (!err && !f->spec[0])
		err = conf_fail_because(m, CONF_MISSING, conf_fail(m, item, "spec is missing"));
	return err;
}

/* Room for n more forwards. */
static int reserve_forwards(struct merge *m, const struct conf_node *at, struct conf_network *net,
			    size_t n)
{
	struct conf_forward *more;

	if (net->n_forwards + n > CONF_FORWARDS_MAX)
		return conf_fail_because(
			m, CONF_REFUSED,
			conf_fail(m, at, "more than %d forwards", CONF_FORWARDS_MAX));
	more = realloc(net->forwards, (net->n_forwards + n + 1) * sizeof(*more));
	if (!more)
		return conf_fail_memory(m);
	net->forwards = more;
	return 0;
}

static int merge_forward_list(struct merge *m, const struct conf_node *list,
			      struct conf_network *net)
{
	int err = reserve_forwards(m, list, net, list->n);

	for (const struct conf_node *item = list->first; item && !err; item = item->next) {
		size_t before = conf_path_add(m, "[%zu]", net->n_forwards);

		err = take_forward(m, item, NULL, &net->forwards[net->n_forwards]);
		if (err)
			break;
		net->n_forwards++;
		conf_path_cut(m, before);
	}
	return err;
}

/* The forward that text means: its id without the network, or its spec. */
static struct conf_forward *find_forward(const struct conf_network *net, const char *text)
{
	struct conf_forward f;
	char why[CONF_WHY];

	if (!conf_forward_parse_id(text, &f) && !conf_forward_parse(text, &f, why, sizeof(why)))
		return NULL;
	for (size_t i = 0; i < net->n_forwards; i++)
		if (conf_forward_is(&net->forwards[i], &f))
			return &net->forwards[i];
	return NULL;
}

static int merge_forward_entry(struct merge *m, const struct conf_node *k, struct conf_network *net)
{
	struct conf_forward *old = find_forward(net, k->text), new;
	char quoted[CONF_QUOTE];
	int err;

	if (conf_node_is_null(k->next)) {
		if (!old)
			return conf_fail_because(m, CONF_REFUSED,
						 conf_fail(m, k, "forward \"%s\" does not exist",
							   conf_quote(k->text, quoted)));
		net->n_forwards--;
		memmove(old, old + 1,
			(size_t)(net->forwards + net->n_forwards - old) * sizeof(*old));
		return 0;
	}
	if (old)
		return conf_fail_because(m, CONF_REFUSED,
					 conf_fail(m, k, "forward \"%s\" exists already",
						   conf_quote(k->text, quoted)));
	err = take_forward(m, k->next, k, &new);
	if (!err)
		net->forwards[net->n_forwards++] = new;
	return err;
}

/* One by one: a verb adds and takes away without a word about the others. */
static int merge_forward_map(struct merge *m, const struct conf_node *map, struct conf_network *net)
{
	int err = reserve_forwards(m, map, net, map->n / 2);

	for (const struct conf_node *k = map->first; k && !err; k = k->next->next)
		err = merge_forward_entry(m, k, net);
	return err;
}

int conf_merge_list(struct merge *m, const struct conf_kind *kind, const struct conf_key *key,
		    const struct conf_node *n, void *object)
{
	bool is_list = n->kind == NODE_LIST;

	if (key->type == CONF_MACS)
		return n->kind == NODE_MAP ? merge_macs(m, n, object) : conf_fail_type(m, n, key);
	if (key->type == CONF_FORWARDS && m->how == CONF_SET && n->kind == NODE_MAP)
		return merge_forward_map(m, n, object);
	if (key->type >= CONF_OPTIONS)
		return conf_merge_dhcp(m, kind, key, n, object);
	conf_reset_key(kind, key, object);
	switch (key->type) {
	case CONF_IPS:
		return take_items(m, key, n, take_ip, object);
	case CONF_SERVERS:
		return take_items(m, key, n, take_server, object);
	case CONF_ARCHS:
		return take_items(m, key, n, take_arch, object);
	case CONF_VIDS:
		return take_items(m, key, n, take_vids, object);
	case CONF_CPUS:
		return take_items(m, key, n, take_cpu, object);
	case CONF_NETS:
	case CONF_HOSTS:
		return take_items(m, key, n, take_prefix, object);
	case CONF_FORWARDS:
		return is_list ? merge_forward_list(m, n, object) : conf_fail_type(m, n, key);
	default:
		return is_list ? merge_nics(m, n, object) : conf_fail_type(m, n, key);
	}
}

static struct conf_route *find_route(const struct conf *c, const struct conf_route *r)
{
	for (size_t i = 0; i < c->n_routes; i++)
		if (!strcmp(c->routes[i].from, r->from) && !strcmp(c->routes[i].to, r->to))
			return &c->routes[i];
	return NULL;
}

/* {from: NETWORK, to: NETWORK} */
static int take_route(struct merge *m, const struct conf_node *item, struct conf_route *r)
{
	char why[CONF_WHY], quoted[CONF_QUOTE];

	*r = (struct conf_route){.line = item->line, .column = item->column};
	if (item->kind != NODE_MAP)
		return conf_fail(m, item,
				 "a route must be a map such as {from: office, to: dmz}, not %s",
				 conf_node_words(item, why));
	for (const struct conf_node *k = item->first; k; k = k->next->next) {
		bool is_from = !strcmp(k->text, "from");

		if (!is_from && strcmp(k->text, "to"))
			return conf_fail(m, k, "unknown key \"%s\"; a route has from and to",
					 conf_quote(k->text, quoted));
		if (k->next->kind != NODE_SCALAR)
			return conf_fail(m, k->next, "%s must be a network, not %s", k->text,
					 conf_node_words(k->next, why));
		if (!conf_name_check(k->next->text, why))
			return conf_fail(m, k->next, "%s", why);
		memcpy(is_from ? r->from : r->to, k->next->text, k->next->n);
	}
	if (!r->from[0] || !r->to[0])
		return conf_fail_because(
			m, CONF_MISSING,
			conf_fail(m, item, "%s is missing", r->from[0] ? "to" : "from"));
	return 0;
}

static int merge_route(struct merge *m, const struct conf_node *item)
{
	struct conf *c = m->c;
	struct conf_route r, *old;
	int err = take_route(m, item, &r);

	if (err)
		return err;
	snprintf(m->err->object, sizeof(m->err->object), "route from %.38s to %.38s", r.from, r.to);
	old = find_route(c, &r);
	if (!old == (m->how == CONF_DEL))
		return conf_fail_because(
			m, CONF_REFUSED,
			conf_fail(m, item, old ? "exists already" : "does not exist"));
	if (!old)
		c->routes[c->n_routes++] = r;
	else
		memmove(old, old + 1, (size_t)(c->routes + --c->n_routes - old) * sizeof(*old));
	m->err->object[0] = 0;
	return 0;
}

/* Added to and taken from one by one, but set as a whole. */
int conf_merge_routes(struct merge *m, const struct conf_node *n)
{
	struct conf *c = m->c;
	struct conf_route *more;
	char found[CONF_WHY];
	size_t i = 0;
	int err = 0;

	if (n->kind != NODE_LIST)
		return conf_fail(m, n,
				 "routes must be a list such as [{from: office, to: dmz}], not %s",
				 conf_node_words(n, found));
	if (m->how == CONF_SET)
		c->n_routes = 0;
	if (c->n_routes + n->n > CONF_ROUTES_MAX)
		return conf_fail_because(m, CONF_REFUSED,
					 conf_fail(m, n, "more than %d routes", CONF_ROUTES_MAX));
	more = realloc(c->routes, (c->n_routes + n->n + 1) * sizeof(*more));
	if (!more)
		return conf_fail_memory(m);
	c->routes = more;
	for (const struct conf_node *item = n->first; item && !err; item = item->next) {
		size_t before = conf_path_add(m, "[%zu]", i++);

		err = merge_route(m, item);
		if (!err)
			conf_path_cut(m, before);
	}
	return err;
}
