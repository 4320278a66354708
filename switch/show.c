/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * show: ports, networks and counters as JSON, with the keys that users rely on.
 *
 * ctl.c calls the handlers in the control thread.  The configuration says what should be, the struct
 * port of a slot what is, the fabric what was decided: one row has all three.  A port of the
 * configuration always has its row, also when nothing of it is open yet.  Counters are summed over
 * the workers while these count on: each is exact, and together they are once the frames in hand are done.
 */
#include "switch/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "switch/base/units.h"

#ifndef VFAB_VERSION
#define VFAB_VERSION "unknown"
#endif

/* A port as the configuration has it, and what is open of it. */
struct row {
	char name[CONF_NAME_SIZE];
	const struct conf_port *conf;	 /* NULL: the device of a host-only network, or an uplink */
	const struct conf_network *host; /* that network */
	const struct conf_uplink *uplink;
	const struct port *port; /* NULL: nothing is open */
};

struct rows {
	struct row *row;
	size_t n;
};

static int by_name(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return strverscmp(x->name, y->name);
}

/* Every port, sorted by name.  row is NULL without memory; the caller frees it. */
static struct rows rows_create(const struct daemon *d)
{
	const struct conf *c = d->conf;
	struct rows r = {calloc(c->n_ports + c->n_networks + c->n_uplinks + 1, sizeof(*r.row)), 0};
	struct row *row, key;
	size_t i;

	if (!r.row)
		return r;
	for (i = 0; i < c->n_ports; i++) {
		row = &r.row[r.n++];
		row->conf = &c->ports[i];
		memcpy(row->name, row->conf->name, sizeof(row->name));
	}
	for (i = 0; i < c->n_networks; i++) {
		if (c->networks[i].mode != NET_HOST_ONLY)
			continue;
		row = &r.row[r.n++];
		row->host = &c->networks[i];
		conf_network_ifname(row->host, row->name);
	}
	for (i = 0; i < c->n_uplinks; i++) {
		row = &r.row[r.n++];
		row->uplink = &c->uplinks[i];
		memcpy(row->name, row->uplink->name, sizeof(row->name));
	}
	qsort(r.row, r.n, sizeof(*r.row), by_name);
	for (i = 0; i < SLOT_MAX; i++) {
		if (!d->port[i])
			continue;
		memcpy(key.name, d->port[i]->name, sizeof(key.name));
		row = bsearch(&key, r.row, r.n, sizeof(*r.row), by_name);
		if (row)
			row->port = d->port[i];
	}
	return r;
}

/* A JSON string, or null for an empty one. */
static json_t *text_or_null(const char *text)
{
	return text && text[0] ? ctl_text(text) : json_null();
}

/* Counters */

static uint64_t sum_of_drops(const struct port *p)
{
	uint64_t sum = 0;
	int i;

	for (i = DROP_NONE + 1; i < DROP_COUNT; i++)
		sum += port_sum(p, &p->counters[0].drops[i]);
	return sum;
}

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

/* state rx tx forwarded local drops. */
static void add_counters(json_t *obj, const struct port *p)
{
	enum port_state state = p ? (enum port_state)atomic_load(&p->state) : PORT_WAITING;
	const struct port_counters *c = p ? &p->counters[0] : NULL;

	json_object_set_new(obj, "state", json_string(port_state_word(state)));
	json_object_set_new(obj, "rx",
			    json_pack("{s:o,s:o}", "frames",
				      number(p ? port_sum(p, &c->rx_frames) : 0), "bytes",
				      number(p ? port_sum(p, &c->rx_bytes) : 0)));
	json_object_set_new(obj, "tx",
			    json_pack("{s:o,s:o,s:o}", "frames",
				      number(p ? port_sum(p, &c->tx_frames) : 0), "bytes",
				      number(p ? port_sum(p, &c->tx_bytes) : 0), "lost",
				      number(p ? port_sum(p, &c->tx_lost) : 0)));
	json_object_set_new(obj, "forwarded", number(p ? port_sum(p, &c->forwarded) : 0));
	json_object_set_new(obj, "local", number(p ? port_sum(p, &c->local) : 0));
	json_object_set_new(obj, "drops", number(p ? sum_of_drops(p) : 0));
}

/* Ports */

/* The VLANs of a trunk as the file spells them: [10, "20-29"]. */
static json_t *show_trunks(const struct conf_port *c)
{
	json_t *list = json_array();
	unsigned vid, last;

	for (vid = 1; vid < 4095; vid = last + 1) {
		last = vid;
		if (!(c->trunks[vid / 64] >> vid % 64 & 1))
			continue;
		while (last + 1 < 4095 && c->trunks[(last + 1) / 64] >> (last + 1) % 64 & 1)
			last++;
		json_array_append_new(list, vid == last ? json_integer(vid)
							: json_sprintf("%u-%u", vid, last));
	}
	return list;
}

/* What the fabric decided for the port, or NULL when it is in none. */
static const struct fabric_port *fabric_port_of(const struct daemon *d, const struct port *p)
{
	const struct fabric *f = d->fabric;

	if (!p || !f || p->slot >= f->n_slots || f->port[p->slot].port != p)
		return NULL;
	return &f->port[p->slot];
}

static json_t *show_vlan(const struct daemon *d, const struct row *row)
{
	const struct fabric_port *f = fabric_port_of(d, row->port);
	enum vlan_mode mode = VLAN_ACCESS;
	uint16_t tag = row->host ? row->host->vlan : row->uplink ? row->uplink->vlan : 0;

	if (f) {
		mode = f->vlan.mode;
		tag = f->vlan.tag;
	} else if (row->conf) {
		mode = (enum vlan_mode)row->conf->vlan_mode;
		tag = row->conf->tag;
	}
	return json_pack("{s:s,s:o,s:o}", "mode", vlan_mode_word(mode), "tag",
			 tag ? json_integer(tag) : json_null(), "trunks",
			 row->conf && row->conf->has_trunks ? show_trunks(row->conf) : json_null());
}

static json_t *show_mac_of(const struct port *p)
{
	char text[MAC_TEXT];

	return p && !mac_is_zero(&p->mac) ? json_string(mac_text(&p->mac, text)) : json_null();
}

/* What the device is called now; it may have been renamed in its namespace. */
static const char *show_ifname(const struct row *row, char buf[static CONF_IFNAME_SIZE])
{
	if (row->port && *row->port->ifname)
		return row->port->ifname;
	if (!row->uplink)
		return row->conf ? row->conf->tap : row->name;
	return row->uplink->kind == UPLINK_HOST ? conf_uplink_ifname(row->uplink, buf)
						: row->uplink->interface;
}

static json_t *limit(uint64_t n)
{
	return n == UINT64_MAX ? json_null() : number(n);
}

static json_t *show_prefix(const struct prefix *p)
{
	char text[PREFIX_TEXT];

	return p->is_set ? json_string(prefix_text(p, text)) : json_null();
}

/* What is set, as the file says it; the device of a host-only network has none of it. */
static void add_settings(json_t *obj, const struct conf_port *c)
{
	static const char *const prio_tags[] = {[PRIO_TAGS_NEVER] = "never",
						[PRIO_TAGS_IF_NONZERO] = "if-nonzero",
						[PRIO_TAGS_ALWAYS] = "always"};
	char rate[UNITS_TEXT], gateway[IP_TEXT];

	json_object_set_new(obj, "ipv4", show_prefix(&c->ipv4));
	json_object_set_new(obj, "ipv6", show_prefix(&c->ipv6));
	json_object_set_new(obj, "gateway",
			    c->has_gateway ? json_string(ip_text(&c->gateway, gateway))
					   : json_null());
	json_object_set_new(obj, "guard",
			    json_string(c->guard == GUARD_STRICT ? "strict"
					: c->guard == GUARD_MAC	 ? "mac"
								 : "off"));
	json_object_set_new(obj, "priority_tags", json_string(prio_tags[c->prio_tags]));
	json_object_set_new(obj, "rate",
			    c->rate_bits ? json_string(units_bits_text(c->rate_bits, rate))
					 : json_null());
	json_object_set_new(obj, "storm",
			    json_pack("{s:o,s:o,s:o}", "broadcast", limit(c->storm_broadcast),
				      "multicast", limit(c->storm_multicast), "unknown",
				      limit(c->storm_unknown)));
	json_object_set_new(obj, "mac_limit", json_integer(c->mac_limit));
	json_object_set_new(obj, "mac_limit_action",
			    json_string(c->mac_limit_drop ? "drop" : "flood"));
}

/* How the socket of a guest is made. */
static void add_socket(json_t *obj, const struct conf_port *c)
{
	char mode[8];

	snprintf(mode, sizeof(mode), "%04o", c->socket_mode);
	json_object_set_new(obj, "client", json_boolean(c->client));
	json_object_set_new(obj, "socket_owner", text_or_null(c->socket_owner));
	json_object_set_new(obj, "socket_mode", c->client ? json_null() : json_string(mode));
}

static bool is_guest(const struct conf_port *c)
{
	return c && *c->vhost_user;
}

static json_t *show_port(const struct daemon *d, const struct row *row)
{
	const struct conf_port *c = row->conf;
	const struct fabric_port *f = fabric_port_of(d, row->port);
	char ifname[CONF_IFNAME_SIZE];
	json_t *obj;

	obj = json_pack("{s:s,s:s,s:o,s:o,s:o,s:o,s:o,s:o}", "name", row->name, "kind",
			row->host     ? "host"
			: row->uplink ? "uplink"
			: is_guest(c) ? "vhost-user"
				      : "tap",
			"network",
			text_or_null(c		 ? c->network
				     : row->host ? row->host->name
						 : NULL),
			"vlan", show_vlan(d, row), "netns",
			c ? text_or_null(c->netns) : json_null(), "mac", show_mac_of(row->port),
			"ifname", text_or_null(show_ifname(row, ifname)), "socket",
			c ? text_or_null(c->vhost_user) : json_null());
	if (!obj)
		return NULL;
	json_object_set_new(obj, "queues", json_integer(c ? c->queues : 1));
	json_object_set_new(obj, "mtu", f ? json_integer(f->mtu) : json_null());
	json_object_set_new(obj, "isolated", json_boolean(c && c->isolated));
	if (c)
		add_settings(obj, c);
	if (is_guest(c))
		add_socket(obj, c);
	if (c && c->guard == GUARD_STRICT && row->port)
		json_object_set_new(obj, "addresses", show_guarded(d, row->port));
	add_counters(obj, row->port);
	return obj;
}

void show_ports(struct daemon *d, struct client *cl, const json_t *req)
{
	struct rows r = rows_create(d);
	json_t *array = r.row ? json_array() : NULL;
	size_t i;

	(void)req;
	for (i = 0; array && i < r.n; i++)
		json_array_append_new(array, show_port(d, &r.row[i]));
	free(r.row);
	ctl_answer(cl, array);
}

void show_stats(struct daemon *d, struct client *cl, const json_t *req)
{
	struct rows r = rows_create(d);
	json_t *array = r.row ? json_array() : NULL, *obj;
	size_t i;

	(void)req;
	for (i = 0; array && i < r.n; i++) {
		obj = json_pack("{s:s}", "port", r.row[i].name);
		add_counters(obj, r.row[i].port);
		json_array_append_new(array, obj);
	}
	free(r.row);
	ctl_answer(cl, array);
}

static void add_drops(json_t *array, const struct port *p)
{
	uint64_t n;
	int i;

	for (i = DROP_NONE + 1; i < DROP_COUNT; i++) {
		n = port_sum(p, &p->counters[0].drops[i]);
		if (n > 0)
			json_array_append_new(array, json_pack("{s:s,s:s,s:o,s:s}", "port", p->name,
							       "reason", drop_word((enum drop)i),
							       "frames", number(n), "text",
							       drop_text((enum drop)i)));
	}
}

void show_drops(struct daemon *d, struct client *cl, const json_t *req)
{
	const struct port *only;
	struct rows r;
	json_t *array;
	size_t i;

	if (!show_find_port(d, cl, req, &only))
		return;
	r = rows_create(d);
	array = r.row ? json_array() : NULL;
	for (i = 0; array && i < r.n; i++) {
		if (r.row[i].port && (!only || r.row[i].port == only))
			add_drops(array, r.row[i].port);
	}
	free(r.row);
	ctl_answer(cl, array);
}

/* Networks */

static int by_network(const void *a, const void *b)
{
	const struct conf_network *const *x = a, *const *y = b;

	return strverscmp((*x)->name, (*y)->name);
}

static int compare_network(const void *name, const void *b)
{
	const struct conf_network *const *y = b;

	return strverscmp(name, (*y)->name);
}

/* The address that the network's gateway has, or would have; "" without a prefix. */
static const char *gateway_text(const struct conf_network *n, char buf[static IP_TEXT])
{
	struct ip ip;

	buf[0] = '\0';
	if (conf_network_gateway(n, &ip)) {
		ip_text(&ip, buf);
	} else if (n->ipv6.is_set) {
		ip = prefix_first(&n->ipv6);
		ip_text(&ip, buf);
	}
	return buf;
}

/* What it gives out, and how it calls its hosts. */
static void add_services(json_t *row, const struct conf_network *n)
{
	char a[IP_TEXT], b[IP_TEXT], zone[CONF_DOMAIN_SIZE];
	struct ip first, last;
	json_t *dns = json_array();

	json_object_set_new(row, "dhcp",
			    conf_network_dhcp(n, &first, &last)
				    ? json_sprintf("%s-%s", ip_text(&first, a), ip_text(&last, b))
				    : json_null());
	json_object_set_new(row, "dhcp6",
			    conf_network_dhcp6(n, &first, &last) != CONF_DHCP6_STATEFUL
				    ? json_null()
				    : json_sprintf("%s-%s", ip_text(&first, a), ip_text(&last, b)));
	for (unsigned i = 0; i < n->n_dns; i++)
		json_array_append_new(dns, json_string(ip_text(&n->dns[i], a)));
	if (n->n_dns == 0 && conf_network_dns(n) && conf_network_gateway(n, &first))
		json_array_append_new(dns, json_string(ip_text(&first, a)));
	json_object_set_new(row, "dns", dns);
	json_object_set_new(row, "domain",
			    conf_network_dns(n) || *n->domain
				    ? json_string(conf_network_zone(n, zone))
				    : json_null());
}

static json_t *show_network(const struct conf_network *n)
{
	static const char *const modes[] = {[NET_INTERNAL] = "internal",
					    [NET_HOST_ONLY] = "host-only",
					    [NET_NAT] = "nat",
					    [NET_BRIDGED] = "bridged"};
	char gateway[IP_TEXT], ifname[CONF_IFNAME_SIZE] = "";
	json_t *row;

	if (n->mode == NET_HOST_ONLY)
		conf_network_ifname(n, ifname);
	row = json_pack("{s:s,s:s,s:i,s:o,s:o,s:o,s:o,s:b,s:i,s:o,s:i,s:b,s:o,s:b,s:o}", "name",
			n->name, "mode", modes[n->mode], "vlan", (int)n->vlan, "ipv4",
			show_prefix(&n->ipv4), "ipv6", show_prefix(&n->ipv6), "gateway",
			text_or_null(gateway_text(n, gateway)), "uplink", text_or_null(n->uplink),
			"tagged", n->tagged, "forwards", (int)n->n_forwards, "ifname",
			text_or_null(ifname), "mtu", n->mtu ? (int)n->mtu : 1500, "isolate",
			n->isolate, "mac_ageing_s", number(n->mac_ageing_ms / 1000), "vlan_auto",
			n->vlan_auto, "ports", json_array());
	if (row)
		add_services(row, n);
	return row;
}

/* Puts the name of every port into its network's row; sorted[i] is the network of array[i]. */
static void add_members(json_t *array, const struct conf_network *const *sorted, size_t n,
			const struct rows *r)
{
	const struct conf_network *const *at;
	const char *network;
	size_t i;

	for (i = 0; i < r->n; i++) {
		if (r->row[i].uplink)
			continue;
		network = r->row[i].host ? r->row[i].host->name : r->row[i].conf->network;
		at = bsearch(network, sorted, n, sizeof(*sorted), compare_network);
		if (at)
			json_array_append_new(
				json_object_get(json_array_get(array, (size_t)(at - sorted)),
						"ports"),
				json_string(r->row[i].name));
	}
}

void show_networks(struct daemon *d, struct client *cl, const json_t *req)
{
	const struct conf *c = d->conf;
	const struct conf_network **sorted = calloc(c->n_networks + 1, sizeof(*sorted));
	struct rows r = rows_create(d);
	json_t *array = sorted && r.row ? json_array() : NULL;
	size_t i;

	(void)req;
	if (array) {
		for (i = 0; i < c->n_networks; i++)
			sorted[i] = &c->networks[i];
		qsort(sorted, c->n_networks, sizeof(*sorted), by_network);
		for (i = 0; i < c->n_networks; i++)
			json_array_append_new(array, show_network(sorted[i]));
		add_members(array, sorted, c->n_networks, &r);
	}
	free(sorted);
	free(r.row);
	ctl_answer(cl, array);
}

void show_version(struct daemon *d, struct client *cl, const json_t *req)
{
	(void)req;
	ctl_answer(cl,
		   json_pack("{s:s,s:i,s:o,s:o,s:o}", "version", VFAB_VERSION, "pid", (int)getpid(),
			     "generation", number(d->fabric ? d->fabric->generation : 0), "crashes",
			     number(d->state->crashes), "started_ms",
			     number(ctl_started_ms(d->ctl))));
}

/* Names in requests */

static void refuse_name(struct client *cl, const char *what, const char *name,
			const char *const *names)
{
	const char *near = names ? nearest_word(name, names) : NULL;

	if (near)
		ctl_refuse(cl, 1, "%s \"%s\" does not exist (did you mean \"%s\"?)", what, name,
			   near);
	else
		ctl_refuse(cl, 1, "%s \"%s\" does not exist", what, name);
}

bool show_find_port(const struct daemon *d, struct client *cl, const json_t *req,
		    const struct port **out)
{
	const char *name = json_string_value(json_object_get(req, "port")), **names;
	size_t i, n = 0;

	*out = NULL;
	if (!name)
		return true;
	names = calloc(SLOT_MAX + 1, sizeof(*names));
	for (i = 0; i < SLOT_MAX; i++) {
		if (!d->port[i])
			continue;
		if (strcmp(d->port[i]->name, name) == 0)
			*out = d->port[i];
		if (names)
			names[n++] = d->port[i]->name;
	}
	if (!*out)
		refuse_name(cl, "port", name, names);
	free(names);
	return *out;
}

bool show_find_network(const struct daemon *d, struct client *cl, const json_t *req,
		       const struct conf_network **out)
{
	const char *name = json_string_value(json_object_get(req, "network")), **names;
	size_t i;

	*out = NULL;
	if (!name)
		return true;
	*out = conf_find_network(d->conf, name);
	if (*out)
		return true;
	names = calloc(d->conf->n_networks + 1, sizeof(*names));
	for (i = 0; names && i < d->conf->n_networks; i++)
		names[i] = d->conf->networks[i].name;
	refuse_name(cl, "network", name, names);
	free(names);
	return false;
}
