/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf_merge: a tree of nodes merged into a struct conf by the schema: conf_merge().
 *
 *   text --conf_yaml.c--> tree --merge, by conf_schema.c--> struct conf --conf_check.c--> ready to apply
 *
 * The file and the verbs take the same way: a verb is a fragment of the file.  merge_section() goes
 * through the objects of one section, conf_merge_keys() through the keys of one object, merge_value() takes
 * one value.  struct merge carries the path, so that each error can say where it is.
 *
 * A merge that fails leaves a struct conf that is half changed but sound: the caller destroys it.
 *
 * Trust.  The tree has the shape that conf_yaml.c promises: limits kept, no key twice.  Names, keys and values are still
 * anybody's; objects are counted before memory is taken for them.
 */
#include "switch/conf_merge.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/conf_names.h"

size_t conf_path_add(struct merge *m, const char *fmt, ...)
{
	size_t before = m->path, room = sizeof(m->err->path) - m->path;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(m->err->path + m->path, room, fmt, ap);
	va_end(ap);
	m->path += (size_t)n < room ? (size_t)n : room - 1;
	return before;
}

void conf_path_cut(struct merge *m, size_t before)
{
	m->path = before;
	m->err->path[before] = 0;
}

int conf_fail(struct merge *m, const struct conf_node *at, const char *fmt, ...)
{
	va_list ap;

	m->err->fault = CONF_BAD_VALUE;
	m->err->line = at->line;
	m->err->column = at->column;
	va_start(ap, fmt);
	vsnprintf(m->err->text, sizeof(m->err->text), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

int conf_fail_because(struct merge *m, enum conf_fault fault, int err)
{
	m->err->fault = fault;
	return err;
}

int conf_fail_memory(struct merge *m)
{
	snprintf(m->err->text, sizeof(m->err->text), "out of memory");
	return -ENOMEM;
}

/* `what` names the key: an error of a verb shows its object and this text, not the path. */
static int fail_shape(struct merge *m, const struct conf_node *n, const char *what,
		      const char *expected)
{
	char found[CONF_WHY];

	return conf_fail(m, n, "%s must be %s, not %s", what, expected, conf_node_words(n, found));
}

int conf_fail_type(struct merge *m, const struct conf_node *n, const struct conf_key *key)
{
	char expects[CONF_WHY];

	return fail_shape(m, n, key->name, conf_expects(key, expects));
}

/* Nothing stands there.  Written out as null it is a mistake, but for the verbs, which take things back with it. */
static bool is_left_out(const struct merge *m, const struct conf_node *n)
{
	return conf_node_is_null(n) && (m->how != CONF_ADD || !n->text[0]);
}

static void *object_at(const struct conf_kind *kind, const void *objects, size_t i)
{
	return conf_field(objects, i * kind->size);
}

/* Forgets where things stood in the text before this one. */
static void clear_marks(struct conf *c)
{
	for (size_t k = 0; conf_kinds[k]; k++) {
		const struct conf_kind *kind = conf_kinds[k];
		size_t n;
		char *objects = conf_objects(c, kind, &n);

		for (size_t i = 0; kind->marks && i < n; i++) {
			memset(objects + i * kind->size + kind->line, 0, 2 * sizeof(int));
			memset(objects + i * kind->size + kind->marks, 0,
			       CONF_KEYS_MAX * sizeof(struct conf_mark));
		}
	}
	for (size_t i = 0; i < c->n_networks; i++) {
		struct conf_network *n = &c->networks[i];

		for (size_t j = 0; j < n->n_forwards; j++)
			n->forwards[j].line = 0;
		for (size_t j = 0; j < n->dhcp.n_reservations; j++)
			n->dhcp.reservations[j].line = 0;
	}
	for (size_t i = 0; i < c->n_routes; i++)
		c->routes[i].line = 0;
}

static void set_line(const struct conf_kind *kind, void *object, const struct conf_node *at)
{
	int *line = conf_field(object, kind->line);

	line[0] = at->line;
	line[1] = at->column;
}

/* What a key of addresses and names holds beside its field. */
static void reset_dhcp(const struct conf_key *key, void *object)
{
	struct conf_network *net = object;

	if (key->type == CONF_OPTIONS)
		conf_options_fini(conf_field(object, key->at));
	if (key->type == CONF_CLASSES) {
		for (size_t i = 0; i < net->dhcp.n_classes; i++)
			conf_options_fini(&net->dhcp.classes[i].options);
		free(net->dhcp.classes);
		net->dhcp.n_classes = 0;
	}
	if (key->type == CONF_RESERVATIONS) {
		for (size_t i = 0; i < net->dhcp.n_reservations; i++)
			conf_options_fini(&net->dhcp.reservations[i].options);
		free(net->dhcp.reservations);
		net->dhcp.n_reservations = 0;
	}
	if (key->type == CONF_DOMAINS) {
		free(((struct conf_dns *)object)->domains);
		((struct conf_dns *)object)->n_domains = 0;
	}
}

void conf_reset_key(const struct conf_kind *kind, const struct conf_key *key, void *object)
{
	if (key->has)
		*(bool *)conf_field(object, key->has) = false;
	if (key->dhcp)
		*(bool *)conf_field(object, key->dhcp) = false;
	if (key->type == CONF_MAP || key->type == CONF_DHCP) {
		for (const struct conf_key *k = key->keys; k->name; k++)
			conf_reset_key(kind, k, object);
		return;
	}
	reset_dhcp(key, object);
	if (key->type == CONF_STRING)
		free(*(char **)conf_field(object, key->at));
	if (key->type == CONF_MACS) {
		struct conf_network *net = object;

		free(net->macs);
		net->n_macs = 0;
	}
	if (key->type == CONF_NICS) {
		struct conf_container *node = object;

		free(node->nics);
		node->n_nics = 0;
	}
	if (key->type == CONF_FORWARDS) {
		struct conf_network *net = object;

		free(net->forwards);
		net->n_forwards = 0;
	}
	if (key->count)
		*(uint8_t *)conf_field(object, key->count) = 0;
	if (key->type == CONF_CPUS) {
		((struct conf_workers *)object)->n_cpus = 0;
		return;
	}
	memcpy(conf_field(object, key->at), conf_field(kind->initial, key->at), key->size);
}

static const struct conf_mark *mark_of(const struct conf_kind *kind, const struct conf_key *key,
				       const void *object)
{
	const struct conf_mark *marks = conf_field(object, kind->marks);

	return &marks[key - kind->keys];
}

int conf_check_required(struct merge *m, const struct conf_kind *kind, const struct conf_node *at,
			const void *object)
{
	for (const struct conf_key *k = kind->keys; k->name; k++)
		if (k->is_required && !mark_of(kind, k, object)->line)
			return conf_fail_because(m, CONF_MISSING,
						 conf_fail(m, at, "%s is missing", k->name));
	return 0;
}

/* `dhcp: FIRST-LAST` is short for the map with that range alone, which is its first key. */
static int merge_dhcp_value(struct merge *m, const struct conf_kind *kind,
			    const struct conf_key *key, const struct conf_node *n, void *object)
{
	struct conf_key range = key->keys[0];
	char why[CONF_WHY];

	range.name = key->name;
	if (n->kind == NODE_LIST)
		return conf_fail_type(m, n, key);
	if (n->kind == NODE_MAP)
		return conf_merge_keys(m, kind, key->keys, n, object);
	return conf_scalar_parse(&range, n->text, object, why) ? 0 : conf_fail(m, n, "%s", why);
}

static int merge_value(struct merge *m, const struct conf_kind *kind, const struct conf_key *key,
		       const struct conf_node *n, void *object)
{
	bool is_scalar = key->type < CONF_VIDS;
	char why[CONF_WHY];
	int err = 0;

	if (conf_node_is_null(n)) {
		if (m->how != CONF_SET || !kind->section)
			return conf_fail(m, n, "%s has no value", key->name);
		if (key->is_required)
			return conf_fail(m, n, "%s cannot be taken back", key->name);
		conf_reset_key(kind, key, object);
		return 0;
	}
	if ((is_scalar && n->kind != NODE_SCALAR) || (key->type == CONF_MAP && n->kind != NODE_MAP))
		return conf_fail_type(m, n, key);
	if (is_scalar && conf_is_later(key, n->text))
		return conf_fail(m, n, "%s \"%s\" is not yet available", key->name, n->text);
	if (is_scalar && !conf_scalar_parse(key, n->text, object, why))
		return why[0] ? conf_fail(m, n, "%s", why) : conf_fail_memory(m);
	if (key->type == CONF_MAP)
		err = conf_merge_keys(m, kind, key->keys, n, object);
	else if (key->type == CONF_DHCP)
		err = merge_dhcp_value(m, kind, key, n, object);
	else if (!is_scalar)
		err = conf_merge_list(m, kind, key, n, object);
	if (key->has)
		*(bool *)conf_field(object, key->has) = true;
	return err;
}

static int fail_unknown_key(struct merge *m, const struct conf_node *k, const struct conf_key *keys)
{
	char quoted[CONF_QUOTE], near[CONF_QUOTE];
	const char *words[CONF_KEYS_MAX];
	size_t n = 0;

	for (; keys->name; keys++)
		words[n++] = keys->name;
	words[n] = NULL;
	return conf_fail(m, k, "unknown key \"%s\"%s", conf_quote(k->text, quoted),
			 conf_nearest(k->text, words, near));
}

int conf_merge_keys(struct merge *m, const struct conf_kind *kind, const struct conf_key *keys,
		    const struct conf_node *map, void *object)
{
	/* Only the keys of the object itself have marks, not those of a map in it. */
	struct conf_mark *marks =
		kind->marks && keys == kind->keys ? conf_field(object, kind->marks) : NULL;
	int err;

	if (map->kind != NODE_MAP)
		return fail_shape(m, map, "this", "a map of keys");
	for (const struct conf_node *k = map->first; k; k = k->next->next) {
		const struct conf_key *key = conf_key_find(keys, k->text);
		size_t before;

		if (!key)
			return fail_unknown_key(m, k, keys);
		before = conf_path_add(m, ".%s", key->name);
		if (marks)
			marks[key - keys] = (struct conf_mark){k->next->line, k->next->column};
		err = merge_value(m, kind, key, k->next, object);
		if (err)
			return err;
		conf_path_cut(m, before);
	}
	return 0;
}

/* An id that is given is no longer the fabric's choice, unless the text says so too. */
static void settle_vlan(const struct conf_kind *kind, void *object)
{
	const struct conf_key *vlan = conf_key_find(kind->keys, "vlan");
	const struct conf_key *is_auto = conf_key_find(kind->keys, "vlan-auto");

	if (is_auto && mark_of(kind, vlan, object)->line && !mark_of(kind, is_auto, object)->line)
		*(bool *)conf_field(object, is_auto->at) = false;
}

static int merge_object(struct merge *m, const struct conf_kind *kind, const struct conf_node *k,
			void *object)
{
	int err = 0;

	set_line(kind, object, k);
	if (!is_left_out(m, k->next))
		err = conf_merge_keys(m, kind, kind->keys, k->next, object);
	if (!err)
		settle_vlan(kind, object);
	if (!err && m->how == CONF_ADD)
		err = conf_check_required(m, kind, k, object);
	return err;
}

/* Room for n more objects; the array has room for what is in use and no more. */
static int reserve(struct merge *m, const struct conf_kind *kind, const struct conf_node *map)
{
	size_t n, more = map->n / 2;
	void *objects = conf_objects(m->c, kind, &n);

	if (n + more > kind->max)
		return conf_fail_because(
			m, CONF_REFUSED,
			conf_fail(m, map, "more than %zu %s", kind->max, kind->section));
	objects = realloc(objects, (n + more + 1) * kind->size);
	if (!objects)
		return conf_fail_memory(m);
	conf_set_objects(m->c, kind, objects, n);
	return 0;
}

static int add_object(struct merge *m, const struct conf_kind *kind, const struct conf_node *k)
{
	size_t n;
	void *objects = conf_objects(m->c, kind, &n);
	void *object = object_at(kind, objects, n);

	memcpy(object, kind->initial, kind->size);
	memcpy(object, k->text, k->n);
	conf_set_objects(m->c, kind, objects, n + 1);
	return merge_object(m, kind, k, object);
}

/* One entry of a section; gone[] has a place for each object that was there before. */
static int merge_entry(struct merge *m, const struct conf_kind *kind,
		       const struct conf_names *names, const struct conf_node *k, bool *gone)
{
	char why[CONF_WHY], near[CONF_QUOTE];
	const char *object, *objects;
	size_t n;

	if (!conf_name_check(k->text, why))
		return conf_fail(m, k, "%s", why);
	conf_path_add(m, ".%s", k->text);
	snprintf(m->err->object, sizeof(m->err->object), "%s %s", kind->word, k->text);
	objects = conf_objects(m->c, kind, &n);
	object = conf_names_find(names, k->text);
	if (m->how == CONF_ADD && object)
		return conf_fail_because(m, CONF_REFUSED, conf_fail(m, k, "exists already"));
	if (m->how == CONF_ADD)
		return add_object(m, kind, k);
	if (!object)
		return conf_fail_because(m, CONF_REFUSED,
					 conf_fail(m, k, "does not exist%s",
						   conf_nearest(k->text, names->name, near)));
	if (m->how == CONF_DEL)
		gone[(size_t)(object - objects) / kind->size] = true;
	else
		return merge_object(m, kind, k, conf_field(object, 0));
	return 0;
}

static void drop_gone(struct conf *c, const struct conf_kind *kind, const bool *gone)
{
	size_t n, kept = 0;
	void *objects = conf_objects(c, kind, &n);

	for (size_t i = 0; i < n; i++) {
		if (gone[i])
			conf_object_fini(kind, object_at(kind, objects, i));
		else if (kept++ != i)
			memcpy(object_at(kind, objects, kept - 1), object_at(kind, objects, i),
			       kind->size);
	}
	conf_set_objects(c, kind, objects, kept);
}

static int merge_section(struct merge *m, const struct conf_kind *kind, const struct conf_node *map)
{
	struct conf_names names;
	size_t n, before = m->path;
	bool *gone;
	int err;

	if (is_left_out(m, map))
		return 0;
	if (map->kind != NODE_MAP)
		return fail_shape(m, map, kind->section, "a map of objects by name");
	err = m->how == CONF_ADD ? reserve(m, kind, map) : 0;
	if (err)
		return err;
	conf_objects(m->c, kind, &n);
	gone = calloc(n + 1, sizeof(*gone));
	err = gone ? conf_names_init(&names, m->c, kind) : -ENOMEM;
	if (err) {
		free(gone);
		return conf_fail_memory(m);
	}
	for (const struct conf_node *k = map->first; k && !err; k = k->next->next) {
		err = merge_entry(m, kind, &names, k, gone);
		if (err)
			break;
		conf_path_cut(m, before);
		m->err->object[0] = 0;
	}
	if (!err && m->how == CONF_DEL)
		drop_gone(m->c, kind, gone);
	conf_names_fini(&names);
	free(gone);
	return err;
}

/* There is one object of this kind, always; it is new while it has its defaults. */
static int merge_single(struct merge *m, const struct conf_kind *kind, const struct conf_node *map)
{
	void *object = conf_field(m->c, kind->array);
	union {
		struct conf_workers workers;
		struct conf_dns dns;
	} old;
	int err;

	snprintf(m->err->object, sizeof(m->err->object), "%s", kind->word);
	memcpy(&old, object, kind->size);
	if (m->how != CONF_SET)
		memcpy(object, kind->initial, kind->size);
	err = m->how == CONF_DEL || is_left_out(m, map)
		      ? 0
		      : conf_merge_keys(m, kind, kind->keys, map, object);
	if (!err && m->how == CONF_ADD && !conf_object_equal(kind, &old, kind->initial) &&
	    !conf_object_equal(kind, &old, object))
		err = conf_fail_because(m, CONF_REFUSED, conf_fail(m, map, "exists already"));
	if (m->how != CONF_SET)
		conf_object_fini(kind, &old);
	if (!err)
		m->err->object[0] = 0;
	return err;
}

static int fail_unknown_section(struct merge *m, const struct conf_node *k)
{
	char quoted[CONF_QUOTE], near[CONF_QUOTE];
	const char *words[16];
	size_t n = 0;

	for (size_t i = 0; conf_kinds[i]; i++)
		words[n++] = conf_kinds[i]->section;
	words[n++] = "routes";
	for (size_t i = 0; conf_later_sections[i]; i++) {
		words[n++] = conf_later_sections[i];
		if (!strcmp(k->text, conf_later_sections[i]))
			return conf_fail(m, k, "%s is not yet available", k->text);
	}
	words[n] = NULL;
	return conf_fail(m, k, "unknown key \"%s\"%s", conf_quote(k->text, quoted),
			 conf_nearest(k->text, words, near));
}

static int merge_root(struct merge *m, const struct conf_node *root)
{
	int err = 0;

	if (!root || is_left_out(m, root))
		return 0;
	if (root->kind != NODE_MAP)
		return fail_shape(m, root, "the text", "a map of sections");
	for (const struct conf_node *k = root->first; k && !err; k = k->next->next) {
		const struct conf_kind *kind = NULL;

		for (size_t i = 0; conf_kinds[i] && !kind; i++)
			if (!strcmp(conf_kinds[i]->section, k->text))
				kind = conf_kinds[i];
		bool is_routes = !strcmp(k->text, "routes");

		if (!kind && !is_routes)
			return fail_unknown_section(m, k);
		conf_path_add(m, "%s", k->text);
		if (is_routes)
			err = is_left_out(m, k->next) ? 0 : conf_merge_routes(m, k->next);
		else if (conf_is_single(kind))
			err = merge_single(m, kind, k->next);
		else
			err = merge_section(m, kind, k->next);
		if (!err)
			conf_path_cut(m, 0);
	}
	return err;
}

int conf_merge(struct conf *c, const char *text, size_t bytes, enum conf_merge how,
	       struct conf_error *err)
{
	struct merge m = {.c = c, .how = how, .err = err};
	struct conf_tree tree;
	int status;

	*err = (struct conf_error){0};
	clear_marks(c);
	conf_index_drop(c);
	status = conf_tree_parse(&tree, text, bytes, err);
	if (!status)
		status = merge_root(&m, tree.root);
	conf_tree_free(&tree);
	return status;
}

int conf_merge_file(struct conf *c, const char *text, size_t bytes, struct conf_error *err)
{
	if (bytes > 0)
		return conf_merge(c, text, bytes, CONF_ADD, err);
	*err = (struct conf_error){.line = 1, .column = 1};
	snprintf(err->text, sizeof(err->text),
		 "the file is empty: \"{}\" would say nothing at all");
	return -EINVAL;
}
