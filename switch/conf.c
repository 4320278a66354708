/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf: the life of struct conf, and finding things in it.
 *
 *   text --conf_yaml.c--> tree --conf_merge.c, by conf_schema.c--> struct conf --conf_check.c--> ready to apply
 *
 * Objects of a kind are one array without spare room: configurations are made anew for each change and thrown away
 * whole.  Where many names are looked up, conf_names sorts them first; a configuration that was checked keeps them so.
 */
#include "switch/conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/conf_names.h"

void conf_set_objects(struct conf *c, const struct conf_kind *kind, void *objects, size_t n)
{
	memcpy(conf_field(c, kind->array), &objects, sizeof(objects));
	memcpy(conf_field(c, kind->count), &n, sizeof(n));
}

void conf_object_fini(const struct conf_kind *kind, void *object)
{
	if (kind == &conf_networks) {
		free(((struct conf_network *)object)->macs);
		free(((struct conf_network *)object)->forwards);
		conf_dhcp_fini(&((struct conf_network *)object)->dhcp);
	} else if (kind == &conf_containers) {
		free(((struct conf_container *)object)->run);
		free(((struct conf_container *)object)->nics);
	} else if (kind == &conf_dns) {
		free(((struct conf_dns *)object)->domains);
	}
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int conf_names_init(struct conf_names *names, const struct conf *c, const struct conf_kind *kind)
{
	const char *objects = conf_objects(c, kind, &names->n);

	names->name = calloc(names->n + 1, sizeof(names->name[0]));
	if (!names->name)
		return -ENOMEM;
	for (size_t i = 0; i < names->n; i++)
		names->name[i] = objects + i * kind->size;
	qsort(names->name, names->n, sizeof(names->name[0]), compare_names);
	return 0;
}

void conf_names_fini(struct conf_names *names)
{
	free(names->name);
}

const void *conf_names_find(const struct conf_names *names, const char *name)
{
	const char *const *at =
		bsearch(&name, names->name, names->n, sizeof(names->name[0]), compare_names);

	return at ? *at : NULL;
}

int conf_index_make(struct conf *c)
{
	conf_index_drop(c);
	c->index = calloc(1, sizeof(*c->index));
	if (!c->index || conf_names_init(&c->index->networks, c, &conf_networks) ||
	    conf_names_init(&c->index->uplinks, c, &conf_uplinks))
		return -ENOMEM;
	return conf_names_init(&c->index->ports, c, &conf_ports);
}

void conf_index_drop(struct conf *c)
{
	if (!c->index)
		return;
	conf_names_fini(&c->index->networks);
	conf_names_fini(&c->index->uplinks);
	conf_names_fini(&c->index->ports);
	free(c->index);
	c->index = NULL;
}

struct conf *conf_create(void)
{
	return calloc(1, sizeof(struct conf));
}

/* A copy of n objects; NULL without memory, but never for n == 0. */
static void *duplicate(const void *from, size_t n, size_t size)
{
	void *to = malloc((n + 1) * size);

	if (!to)
		return NULL;
	if (n)
		memcpy(to, from, n * size);
	return to;
}

static bool copy_objects(struct conf *to, const struct conf *from, const struct conf_kind *kind)
{
	size_t n;
	const void *old = conf_objects(from, kind, &n);
	void *new = duplicate(old, n, kind->size);

	if (new)
		conf_set_objects(to, kind, new, n);
	return new;
}

/* What an object holds, one by one, so that a failure leaves nothing shared. */
static bool copy_networks(struct conf *to)
{
	bool ok = true;

	for (size_t i = 0; i < to->n_networks; i++) {
		struct conf_network *n = &to->networks[i];

		n->macs = ok ? duplicate(n->macs, n->n_macs, sizeof(*n->macs)) : NULL;
		ok = ok && n->macs;
		n->forwards =
			ok ? duplicate(n->forwards, n->n_forwards, sizeof(*n->forwards)) : NULL;
		ok = ok && n->forwards;
		ok = conf_dhcp_copy(&n->dhcp, ok);
	}
	return ok;
}

static bool copy_containers(struct conf *to)
{
	bool ok = true;

	for (size_t i = 0; i < to->n_containers; i++) {
		struct conf_container *c = &to->containers[i];
		const char *run = c->run;

		c->nics = ok ? duplicate(c->nics, c->n_nics, sizeof(*c->nics)) : NULL;
		c->run = ok && run ? strdup(run) : NULL;
		ok = ok && c->nics && !run == !c->run;
	}
	return ok;
}

struct conf *conf_copy(const struct conf *c)
{
	struct conf *to = conf_create();
	bool ok;

	if (!to)
		return NULL;
	to->workers = c->workers;
	to->dns = c->dns;
	to->routes = duplicate(c->routes, c->n_routes, sizeof(*c->routes));
	to->n_routes = to->routes ? c->n_routes : 0;
	ok = conf_dns_copy(&to->dns) && to->routes && copy_objects(to, c, &conf_networks) &&
	     copy_networks(to) && copy_objects(to, c, &conf_uplinks) &&
	     copy_objects(to, c, &conf_ports) && copy_objects(to, c, &conf_containers) &&
	     copy_containers(to);
	if (ok)
		return to;
	conf_destroy(to);
	return NULL;
}

void conf_destroy(struct conf *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n_networks; i++)
		conf_object_fini(&conf_networks, &c->networks[i]);
	for (size_t i = 0; i < c->n_containers; i++)
		conf_object_fini(&conf_containers, &c->containers[i]);
	conf_object_fini(&conf_dns, &c->dns);
	conf_index_drop(c);
	free(c->networks);
	free(c->uplinks);
	free(c->routes);
	free(c->ports);
	free(c->containers);
	free(c);
}

const char *conf_error_line(const struct conf_error *err, const char *file,
			    char buf[static CONF_ERROR_TEXT])
{
	/* What the system refuses has an object, but no place in the text. */
	const char *what = err->line || err->path[0] ? err->path : err->object;
	size_t n = 0;

	if (!file) {
		snprintf(buf, CONF_ERROR_TEXT, "%s%s%s", err->object, err->object[0] ? ": " : "",
			 err->text);
		return buf;
	}
	n = (size_t)snprintf(buf, CONF_ERROR_TEXT / 4, "%s", file);
	n = n < CONF_ERROR_TEXT / 4 ? n : CONF_ERROR_TEXT / 4 - 1;
	if (err->line)
		n += (size_t)snprintf(buf + n, CONF_ERROR_TEXT - n, ":%d:%d", err->line,
				      err->column);
	snprintf(buf + n, CONF_ERROR_TEXT - n, ": %s%s%s", what, what[0] ? ": " : "", err->text);
	return buf;
}

const void *conf_find(const struct conf *c, const struct conf_kind *kind,
		      const struct conf_names *names, const char *name)
{
	const char *object;
	size_t n;

	if (names)
		return conf_names_find(names, name);
	object = conf_objects(c, kind, &n);
	for (; n > 0; n--, object += kind->size)
		if (!strcmp(object, name))
			return object;
	return NULL;
}

const struct conf_network *conf_find_network(const struct conf *c, const char *name)
{
	return conf_find(c, &conf_networks, c->index ? &c->index->networks : NULL, name);
}

const struct conf_port *conf_find_port(const struct conf *c, const char *name)
{
	return conf_find(c, &conf_ports, c->index ? &c->index->ports : NULL, name);
}

const char *conf_network_ifname(const struct conf_network *n, char buf[static CONF_IFNAME_SIZE])
{
	if (n->ifname[0])
		snprintf(buf, CONF_IFNAME_SIZE, "%s", n->ifname);
	else
		snprintf(buf, CONF_IFNAME_SIZE, "vf-%.*s", CONF_IFNAME_SIZE - 4, n->name);
	return buf;
}

bool conf_network_gateway(const struct conf_network *n, struct ip *out)
{
	if (!n->ipv4.is_set)
		return false;
	*out = n->has_gateway ? n->gateway : prefix_first(&n->ipv4);
	return true;
}

const char *conf_nic_port(const struct conf_container *c, size_t n, char buf[static CONF_NAME_SIZE])
{
	if (n)
		snprintf(buf, CONF_NAME_SIZE, "%.*s-%zu", CONF_NAME_SIZE - 4, c->name, n + 1);
	else
		snprintf(buf, CONF_NAME_SIZE, "%s", c->name);
	return buf;
}

const char *conf_nic_ifname(const struct conf_container *c, size_t n,
			    char buf[static CONF_IFNAME_SIZE])
{
	if (c->nics[n].ifname[0])
		snprintf(buf, CONF_IFNAME_SIZE, "%s", c->nics[n].ifname);
	else
		snprintf(buf, CONF_IFNAME_SIZE, "eth%u", (unsigned)n);
	return buf;
}
