/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan: what changes between two configurations, object by object.
 *
 * `vfab diff` shows it, every change is answered with it, and apply.c goes by it.  Kinds in the order of the schema
 * (networks before the ports on them); in each, objects of `to` that are new or changed, in its order, then
 * the objects of `from` that are gone.  Routes come last.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/apply.h"
#include "switch/conf_internal.h"

enum { PLAN_GROW = 64 };

static struct change *plan_add(struct plan *p, enum change_kind kind, const char *object,
			       const char *name)
{
	struct change *c;

	if (p->n % PLAN_GROW == 0) {
		c = realloc(p->changes, (p->n + PLAN_GROW) * sizeof(*c));
		if (!c)
			return NULL;
		p->changes = c;
	}
	c = &p->changes[p->n++];
	*c = (struct change){.kind = kind, .object = object};
	snprintf(c->name, sizeof(c->name), "%s", name);
	return c;
}

/* The keys that differ; cut at the end of a word when there are too many. */
static void compare_keys(const struct conf_kind *kind, const void *from, const void *to,
			 struct change *c)
{
	size_t used = 0;

	for (const struct conf_key *k = kind->keys; k->name; k++) {
		size_t room = sizeof(c->what) - used;
		int n;

		if (conf_key_equal(k, from, to))
			continue;
		if (k->reopens)
			c->kind = CHANGE_REPLACE;
		n = snprintf(c->what + used, room, "%s%s", used ? ", " : "", k->name);
		if ((size_t)n < room)
			used += (size_t)n;
		else
			c->what[used] = 0;
	}
}

static bool plan_object(struct plan *p, const struct conf_kind *kind, const void *from,
			const void *to, const char *name)
{
	struct change *c;

	if (from && to && conf_object_equal(kind, from, to))
		return true;
	c = plan_add(p, !from ? CHANGE_ADD : !to ? CHANGE_DEL : CHANGE_SET, kind->word, name);
	if (c && from && to)
		compare_keys(kind, from, to, c);
	return c;
}

/* Objects that one has and the other may have, told to plan_object() in the order in which they stand. */
static bool plan_kind(struct plan *p, const struct conf_kind *kind, const struct conf *from,
		      const struct conf *to)
{
	struct conf_names old = {0}, new = {0};
	size_t n_old, n_new;
	const char *a = conf_objects(from, kind, &n_old);
	const char *b = conf_objects(to, kind, &n_new);
	bool ok = !conf_names_init(&old, from, kind) && !conf_names_init(&new, to, kind);

	for (size_t i = 0; ok && i < n_new; i++, b += kind->size)
		ok = plan_object(p, kind, conf_names_find(&old, b), b, b);
	for (size_t i = 0; ok && i < n_old; i++, a += kind->size)
		if (!conf_names_find(&new, a))
			ok = plan_object(p, kind, a, NULL, a);
	conf_names_fini(&old);
	conf_names_fini(&new);
	return ok;
}

static bool has_route(const struct conf *c, const struct conf_route *r)
{
	for (size_t i = 0; i < c->n_routes; i++)
		if (!strcmp(c->routes[i].from, r->from) && !strcmp(c->routes[i].to, r->to))
			return true;
	return false;
}

/* A route has no name: it is that of the network that it is from, and says where to. */
static bool plan_routes(struct plan *p, enum change_kind kind, const struct conf *has,
			const struct conf *has_not)
{
	struct change *c;

	for (size_t i = 0; i < has->n_routes; i++) {
		if (has_route(has_not, &has->routes[i]))
			continue;
		c = plan_add(p, kind, "route", has->routes[i].from);
		if (!c)
			return false;
		snprintf(c->what, sizeof(c->what), "to %s", has->routes[i].to);
	}
	return true;
}

struct plan *plan_create(const struct conf *from, const struct conf *to)
{
	struct plan *p = calloc(1, sizeof(*p));
	bool ok = p;

	for (size_t k = 0; ok && conf_kinds[k]; k++)
		ok = conf_is_single(conf_kinds[k])
			     ? plan_object(p, conf_kinds[k], conf_field(from, conf_kinds[k]->array),
					   conf_field(to, conf_kinds[k]->array), "")
			     : plan_kind(p, conf_kinds[k], from, to);
	ok = ok && plan_routes(p, CHANGE_ADD, to, from) && plan_routes(p, CHANGE_DEL, from, to);
	if (ok)
		return p;
	plan_destroy(p);
	return NULL;
}

void plan_destroy(struct plan *p)
{
	if (!p)
		return;
	free(p->changes);
	free(p);
}

const char *change_word(enum change_kind kind)
{
	static const char *const words[] = {
		[CHANGE_ADD] = "add",
		[CHANGE_DEL] = "del",
		[CHANGE_SET] = "set",
		[CHANGE_REPLACE] = "replace",
	};

	return words[kind];
}
