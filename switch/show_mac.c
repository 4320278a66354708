/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * show_mac: the forwarding table as JSON, and forgetting parts of it.
 *
 * ctl.c calls the handlers.  The table is copied while the workers go on learning, sorted by VLAN and
 * address, and written out; a full one is 65536 learned rows beside the static ones.
 */
#include <stdlib.h>
#include <string.h>

#include "switch/show.h"

/* What a request asks for; vid 0 and slot OUT_FLOOD: any. */
struct want {
	uint16_t vid, slot;
};

struct entries {
	struct want want;
	struct fdb_entry *entry;
	size_t n, size;
	bool no_memory;
};

static uint16_t vid_of(fdb_key key)
{
	return key & TCI_VID;
}

static bool is_wanted(const struct fdb_entry *e, void *arg)
{
	const struct want *w = arg;

	return (w->vid == 0 || vid_of(e->key) == w->vid) &&
	       (w->slot == OUT_FLOOD || e->slot == w->slot);
}

static void add_entry(const struct fdb_entry *e, void *arg)
{
	struct entries *all = arg;
	struct fdb_entry *p;
	size_t size;

	if (all->no_memory || !is_wanted(e, &all->want))
		return;
	if (all->n == all->size) {
		size = all->size ? all->size * 2 : 256;
		p = realloc(all->entry, size * sizeof(*p));
		if (!p) {
			all->no_memory = true;
			return;
		}
		all->entry = p;
		all->size = size;
	}
	all->entry[all->n++] = *e;
}

/* By VLAN, then by address as its text sorts. */
static int by_vlan(const void *a, const void *b)
{
	const struct fdb_entry *x = a, *y = b;
	uint64_t mx, my;

	if (vid_of(x->key) != vid_of(y->key))
		return vid_of(x->key) < vid_of(y->key) ? -1 : 1;
	mx = __builtin_bswap64(x->key >> 16);
	my = __builtin_bswap64(y->key >> 16);
	return mx < my ? -1 : mx > my;
}

static json_t *show_entry(const struct daemon *d, const struct fdb_entry *e,
			  const char *const *network, uint32_t now_s)
{
	const struct port *p = e->slot < SLOT_MAX ? d->port[e->slot] : NULL;
	uint64_t bytes = e->key >> 16;
	const char *kind = "learned";
	char text[MAC_TEXT];
	struct mac mac;
	json_t *age;

	memcpy(mac.b, &bytes, sizeof(mac.b));
	if (e->flags & FDB_LOCAL)
		kind = "local";
	else if (e->flags & FDB_STATIC)
		kind = "static";
	if (e->flags & (FDB_LOCAL | FDB_STATIC))
		age = json_null();
	else
		age = json_integer(now_s > e->seen_s ? now_s - e->seen_s : 0);
	return json_pack("{s:s?,s:i,s:s,s:s?,s:s,s:o}", "network", network[vid_of(e->key)], "vlan",
			 (int)vid_of(e->key), "mac", mac_text(&mac, text), "port",
			 p ? p->name : NULL, "kind", kind, "age_s", age);
}

/* False: refused. */
static bool read_want(const struct daemon *d, struct client *cl, const json_t *req,
		      struct want *want)
{
	const struct conf_network *net;
	const struct port *port;

	if (!show_find_network(d, cl, req, &net) || !show_find_port(d, cl, req, &port))
		return false;
	want->vid = net ? net->vlan : 0;
	want->slot = port ? port->slot : OUT_FLOOD;
	return true;
}

void show_macs(struct daemon *d, struct client *cl, const json_t *req)
{
	const char *network[4096] = {0};
	struct entries all = {0};
	uint32_t now_s = (uint32_t)(clock_ms() / 1000);
	json_t *array = NULL;
	size_t i;

	if (!read_want(d, cl, req, &all.want))
		return;
	for (i = 0; i < d->conf->n_networks; i++)
		network[d->conf->networks[i].vlan & TCI_VID] = d->conf->networks[i].name;
	fdb_walk(d->fdb, add_entry, &all);
	if (!all.no_memory) {
		if (all.n > 0)
			qsort(all.entry, all.n, sizeof(*all.entry), by_vlan);
		array = json_array();
	}
	for (i = 0; array && i < all.n; i++)
		json_array_append_new(array, show_entry(d, &all.entry[i], network, now_s));
	free(all.entry);
	ctl_answer(cl, array);
}

void show_mac_flush(struct daemon *d, struct client *cl, const json_t *req)
{
	struct want want;

	if (!read_want(d, cl, req, &want))
		return;
	ctl_answer(cl,
		   json_pack("{s:i}", "flushed", (int)fdb_flush(d->fdb, is_wanted, &want, false)));
}
