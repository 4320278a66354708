/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * show_out: uplinks, forwards, routes and neighbours as JSON, and the test clock.
 *
 * ctl.c calls the handlers in the control thread.  What the configuration says and what became of it are there; neighbours
 * belong to the workers, one of which is asked between two vectors for a few at a time.
 */
#include <stdlib.h>
#include <string.h>

#include "switch/gateway.h"
#include "switch/show.h"
#include "switch/uplink.h"

enum { NEIGH_PIECE = 512 };

static json_t *prefix_or_null(const struct prefix *p)
{
	char text[PREFIX_TEXT];

	return p->is_set ? json_string(prefix_text(p, text)) : json_null();
}

static json_t *ip_or_null(bool has, const struct ip *ip)
{
	char text[IP_TEXT];

	return has ? json_string(ip_text(ip, text)) : json_null();
}

static json_t *mac_or_null(const struct mac *mac)
{
	char text[MAC_TEXT];

	return mac_is_zero(mac) ? json_null() : json_string(mac_text(mac, text));
}

/* --- Uplinks --- */

static const struct uplink_state *state_of(const struct daemon *d, const char *name)
{
	const struct uplink_state *s;

	for (unsigned i = 0; (s = uplink_at(d->uplinks, i)); i++)
		if (!strcmp(s->name, name))
			return s;
	return NULL;
}

/* What the configuration says of its addresses, as far as nothing else became of them. */
static void add_addresses(json_t *row, const struct conf_uplink *u, const struct uplink_state *s)
{
	static const char *const dhcp[] = {
		[UPLINK_STATIC] = NULL, [UPLINK_ASKING] = "asking", [UPLINK_BOUND] = "bound"};
	const char *word = s ? dhcp[s->dhcp] : u->dhcp ? "asking" : NULL;
	json_t *more = json_array();

	for (unsigned i = 0; more && i < u->n_more; i++)
		json_array_append_new(more, prefix_or_null(&u->more[i]));
	json_object_set_new(row, "address",
			    prefix_or_null(s && s->v4.is_set ? &s->v4 : &u->address));
	json_object_set_new(row, "address6",
			    prefix_or_null(s && s->v6.is_set ? &s->v6 : &u->address6));
	json_object_set_new(row, "addresses", more);
	json_object_set_new(row, "gateway",
			    s && s->has_next4 ? ip_or_null(true, &s->next4)
					      : ip_or_null(u->has_gateway, &u->gateway));
	json_object_set_new(row, "gateway6",
			    s && s->has_next6 ? ip_or_null(true, &s->next6)
					      : ip_or_null(u->has_gateway6, &u->gateway6));
	json_object_set_new(row, "dhcp", word ? json_string(word) : json_null());
	json_object_set_new(row, "lease_s",
			    s && s->dhcp == UPLINK_BOUND ? json_integer(s->lease_s) : json_null());
}

static json_t *networks_on(const struct conf *c, const struct conf_uplink *u)
{
	json_t *names = json_array();

	for (size_t i = 0; names && i < c->n_networks; i++)
		if (!strcmp(c->networks[i].uplink, u->name))
			json_array_append_new(names, json_string(c->networks[i].name));
	return names;
}

static json_t *show_uplink(const struct daemon *d, const struct conf_uplink *u)
{
	const struct uplink_state *s = state_of(d, u->name);
	const struct port *p = s && s->slot < SLOT_MAX ? d->port[s->slot] : NULL;
	enum port_state state = p ? (enum port_state)atomic_load(&p->state) : PORT_WAITING;
	char ifname[CONF_IFNAME_SIZE];
	bool is_host = u->kind == UPLINK_HOST;
	json_t *row;

	row = json_pack("{s:s,s:s,s:o,s:o,s:o,s:s,s:o}", "name", u->name, "kind",
			is_host ? "host" : "interface", "interface",
			is_host ? json_null() : json_string(u->interface), "driver",
			is_host ? json_null() : json_string("af_packet"), "ifname",
			ctl_text(p && *p->ifname ? p->ifname : conf_uplink_ifname(u, ifname)),
			"state", port_state_word(state), "mac",
			s ? mac_or_null(&s->mac) : json_null());
	if (!row)
		return NULL;
	add_addresses(row, u, s);
	json_object_set_new(row, "mtu", p ? json_integer(uplink_mtu(p, s)) : json_null());
	json_object_set_new(row, "vlan", json_integer(u->vlan));
	json_object_set_new(row, "networks", networks_on(d->conf, u));
	json_object_set_new(row, "lost", json_integer(s ? (json_int_t)s->lost : 0));
	json_object_set_new(row, "trouble",
			    s && s->trouble[0] ? ctl_text(s->trouble) : json_null());
	return row;
}

void show_uplinks(struct daemon *d, struct client *cl, const json_t *req)
{
	json_t *array = json_array();

	(void)req;
	uplinks_look(d->uplinks);
	for (size_t i = 0; array && i < d->conf->n_uplinks; i++)
		json_array_append_new(array, show_uplink(d, &d->conf->uplinks[i]));
	ctl_answer(cl, array);
}

/* --- Forwards --- */

/* The two rules of a forward of both protocols may have an id each. */
static void sum_rules(const struct daemon *d, const struct conf_network *n,
		      const struct conf_forward *f, uint32_t *sessions, uint64_t *frames)
{
	struct conf_forward one = *f;
	char id[CONF_SPEC_SIZE];
	uint64_t rule_frames;
	uint32_t rule_sessions;
	bool found = false;

	*sessions = 0;
	*frames = 0;
	for (uint8_t proto = FORWARD_TCP; proto <= FORWARD_UDP; proto++) {
		one.proto = proto;
		if (!(f->proto & proto) ||
		    !nat_rule_stats(d->nat_plan, conf_forward_id(n->name, &one, id), &rule_sessions,
				    &rule_frames))
			continue;
		*sessions += rule_sessions;
		*frames += rule_frames;
		found = true;
	}
	if (!found)
		nat_rule_stats(d->nat_plan, conf_forward_id(n->name, f, id), sessions, frames);
}

static json_t *show_ports_of(unsigned first, unsigned last)
{
	return first == last ? json_sprintf("%u", first) : json_sprintf("%u-%u", first, last);
}

static json_t *show_guest(const struct conf_forward *f)
{
	unsigned last = f->guest_first + (f->last - f->first);
	const char *form = ip_is_v4(&f->guest) ? "%s:%u" : "[%s]:%u";
	const char *range = ip_is_v4(&f->guest) ? "%s:%u-%u" : "[%s]:%u-%u";
	char ip[IP_TEXT];

	return json_sprintf(last == f->guest_first ? form : range, ip_text(&f->guest, ip),
			    (unsigned)f->guest_first, last);
}

static json_t *show_forward(const struct daemon *d, const struct conf_network *n,
			    const struct conf_forward *f)
{
	static const char *const protos[] = {
		[FORWARD_TCP] = "tcp", [FORWARD_UDP] = "udp", [FORWARD_TCP | FORWARD_UDP] = "both"};
	const char *any = ip_is_v4(&f->guest) ? "0.0.0.0" : "::";
	char id[CONF_SPEC_SIZE], bind[IP_TEXT];
	json_t *allow = json_array();
	uint32_t sessions = 0;
	uint64_t frames = 0;

	for (unsigned i = 0; allow && i < f->n_allow; i++)
		json_array_append_new(allow, prefix_or_null(&f->allow[i]));
	if (d->nat_plan)
		sum_rules(d, n, f, &sessions, &frames);
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:o,s:o,s:o,s:I,s:I}", "id",
			 conf_forward_id(n->name, f, id), "network", n->name, "spec", f->spec,
			 "bind", f->has_bind ? ip_text(&f->bind, bind) : any, "proto",
			 protos[f->proto], "ports", show_ports_of(f->first, f->last), "guest",
			 show_guest(f), "allow_from", allow, "sessions", (json_int_t)sessions,
			 "frames", (json_int_t)frames);
}

void show_forwards(struct daemon *d, struct client *cl, const json_t *req)
{
	const struct conf_network *only;
	json_t *array;

	if (!show_find_network(d, cl, req, &only))
		return;
	array = json_array();
	for (size_t i = 0; array && i < d->conf->n_networks; i++) {
		const struct conf_network *n = &d->conf->networks[i];

		for (size_t j = 0; (!only || n == only) && j < n->n_forwards; j++)
			json_array_append_new(array, show_forward(d, n, &n->forwards[j]));
	}
	ctl_answer(cl, array);
}

void show_routes(struct daemon *d, struct client *cl, const json_t *req)
{
	json_t *array = json_array();

	(void)req;
	for (size_t i = 0; array && i < d->conf->n_routes; i++)
		json_array_append_new(array, json_pack("{s:s,s:s}", "from", d->conf->routes[i].from,
						       "to", d->conf->routes[i].to));
	ctl_answer(cl, array);
}

/* --- Neighbours --- */

/* What a worker is asked for. */
struct neigh_step {
	struct gateway *gateway;
	uint16_t vid; /* 0: all */
	uint64_t cursor;
	unsigned n;
	struct neigh_entry entry[NEIGH_PIECE];
};

static void list_step(struct forwarder *fwd, void *arg)
{
	struct neigh_step *s = arg;

	(void)fwd;
	gateway_lock(s->gateway);
	s->n = neigh_list(gateway_neigh(s->gateway), &s->cursor, s->entry, NEIGH_PIECE);
	gateway_unlock(s->gateway);
}

static void flush_step(struct forwarder *fwd, void *arg)
{
	struct neigh_step *s = arg;

	(void)fwd;
	gateway_lock(s->gateway);
	neigh_flush(gateway_neigh(s->gateway), s->vid, NULL);
	gateway_unlock(s->gateway);
}

/* The VLAN that the request narrows to, 0: all.  False: refused. */
static bool read_vid(const struct daemon *d, struct client *cl, const json_t *req, uint16_t *vid)
{
	const char *name = json_string_value(json_object_get(req, "uplink"));
	const struct conf_uplink *u = name ? conf_find_uplink(d->conf, name) : NULL;
	const struct conf_network *n;

	if (!show_find_network(d, cl, req, &n))
		return false;
	if (name && !u) {
		ctl_refuse(cl, 1, "uplink \"%s\" does not exist", name);
		return false;
	}
	*vid = n ? n->vlan : u ? u->vlan : 0;
	return true;
}

struct vlan_names {
	const char *network[4096], *uplink[4096];
};

static void find_names(const struct conf *c, struct vlan_names *names)
{
	memset(names, 0, sizeof(*names));
	for (size_t i = 0; i < c->n_networks; i++)
		names->network[c->networks[i].vlan & TCI_VID] = c->networks[i].name;
	for (size_t i = 0; i < c->n_uplinks; i++)
		names->uplink[c->uplinks[i].vlan & TCI_VID] = c->uplinks[i].name;
}

static json_t *show_neigh(const struct neigh_entry *e, const struct vlan_names *names,
			  uint32_t now_s)
{
	static const char *const states[] = {[NEIGH_INCOMPLETE] = "incomplete",
					     [NEIGH_REACHABLE] = "reachable",
					     [NEIGH_STALE] = "stale",
					     [NEIGH_PROBE] = "probe"};
	bool is_known = e->state != NEIGH_INCOMPLETE, was_confirmed = is_known && e->seen_s;
	uint32_t age_s = now_s > e->seen_s ? now_s - e->seen_s : 0;
	uint16_t vid = e->vid & TCI_VID;
	char ip[IP_TEXT];

	return json_pack("{s:s?,s:s?,s:i,s:s,s:o,s:s,s:o}", "network", names->network[vid],
			 "uplink", names->uplink[vid], "vlan", (int)vid, "ip", ip_text(&e->ip, ip),
			 "mac", is_known ? mac_or_null(&e->mac) : json_null(), "state",
			 states[e->state], "age_s",
			 was_confirmed ? json_integer(age_s) : json_null());
}

void show_neighs(struct daemon *d, struct client *cl, const json_t *req)
{
	uint32_t now_s = (uint32_t)(clock_ns() / 1000000000);
	struct vlan_names *names = malloc(sizeof(*names));
	struct neigh_step *s = calloc(1, sizeof(*s));
	json_t *array = names && s ? json_array() : NULL;
	uint16_t vid = 0;

	if (!read_vid(d, cl, req, &vid)) {
		json_decref(array);
		goto out;
	}
	if (array) {
		s->gateway = d->gateway;
		find_names(d->conf, names);
	}
	while (array && s->cursor != UINT64_MAX) {
		worker_call(d->worker[0], list_step, s);
		for (unsigned i = 0; i < s->n; i++)
			if (!vid || s->entry[i].vid == vid)
				json_array_append_new(array,
						      show_neigh(&s->entry[i], names, now_s));
	}
	ctl_answer(cl, array);
out:
	free(names);
	free(s);
}

void show_neigh_flush(struct daemon *d, struct client *cl, const json_t *req)
{
	struct neigh_step *s = calloc(1, sizeof(*s));
	uint16_t vid = 0;

	if (s && read_vid(d, cl, req, &vid)) {
		s->gateway = d->gateway;
		s->vid = vid;
		worker_call(d->worker[0], flush_step, s);
		ctl_answer(cl, json_object());
	} else if (!s) {
		ctl_answer(cl, NULL);
	}
	free(s);
}

/* --- The test clock --- */

void show_clock(struct daemon *d, struct client *cl, const json_t *req)
{
#ifdef VFAB_TEST_CLOCK
	clock_advance((uint64_t)json_integer_value(json_object_get(req, "advance_ms")) * 1000000);
	for (unsigned i = 0; i < d->n_workers; i++)
		worker_wake(d->worker[i]);
	ctl_answer(cl, json_object());
#else
	(void)d;
	(void)req;
	ctl_refuse(cl, 1, "this vfabd has no test clock: it was not built with SAN=...");
#endif
}
