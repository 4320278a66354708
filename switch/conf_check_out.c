/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf_check_out: uplinks, NAT, forwards and routes: part of conf_validate().
 *
 * First what was left out gets its value: the uplink of a nat network, the addresses on the link of a host uplink.  Then each
 * network and each uplink alone, then what several want: outside ports that two forwards name, prefixes that a packet could not
 * tell apart.  Networks of different VLANs may have the same prefix, as the NAT knows them by their VLAN; only those that a route
 * joins may not, and none may hold an address of the uplink that it leaves by: its guests would take the outside for a neighbour.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "switch/conf_check.h"

static const char auto_uplink[] = "host";

static bool is_marked(const struct conf_kind *kind, const void *object, const char *key)
{
	const struct conf_mark *marks = conf_field(object, kind->marks);

	return marks[conf_key_find(kind->keys, key) - kind->keys].line;
}

static bool is_given(const struct conf_kind *kind, const void *object, const char *key)
{
	return !conf_key_equal(conf_key_find(kind->keys, key), object, kind->initial);
}

/* --- An uplink for each nat network --- */

static int make_uplink(struct check *k, const struct conf_network *n)
{
	struct conf *c = k->c;
	struct conf_uplink *all = realloc(c->uplinks, (c->n_uplinks + 2) * sizeof(*all)), *u;

	if (!all)
		return -ENOMEM;
	c->uplinks = all;
	if (c->n_uplinks == CONF_UPLINKS_MAX)
		return conf_wrong(k, &conf_networks, n, "uplink", "which uplink? there are %d",
				  CONF_UPLINKS_MAX);
	u = &all[c->n_uplinks++];
	memcpy(u, conf_uplinks.initial, sizeof(*u));
	memcpy(u->name, auto_uplink, sizeof(auto_uplink));
	u->kind = UPLINK_HOST;
	return 0;
}

/* The only uplink there is, else the one called host, else a new one of that name. */
static int choose_uplink(struct check *k, struct conf_network *n)
{
	const struct conf_uplink *u =
		k->c->n_uplinks == 1 ? &k->c->uplinks[0] : conf_find_uplink(k->c, auto_uplink);
	int err = u ? 0 : make_uplink(k, n);

	if (err)
		return err;
	if (k->c->n_uplinks > 1 && u && u->kind != UPLINK_HOST)
		return conf_wrong(k, &conf_networks, n, "uplink",
				  "which uplink? there are %zu, and \"%s\" is not of kind host",
				  k->c->n_uplinks, auto_uplink);
	snprintf(n->uplink, sizeof(n->uplink), "%s", u ? u->name : auto_uplink);
	return 0;
}

int conf_choose_uplinks(struct check *k)
{
	int err = 0;

	for (size_t i = 0; i < k->c->n_networks && !err; i++) {
		struct conf_network *n = &k->c->networks[i];
		bool has_uplink = n->mode == NET_NAT || n->mode == NET_BRIDGED;

		if (n->mode == NET_NAT && !n->uplink[0])
			err = choose_uplink(k, n);
		/* Of a network that was nat before: nobody asked for it now. */
		else if (!has_uplink && !is_marked(&conf_networks, n, "uplink"))
			memset(n->uplink, 0, sizeof(n->uplink));
	}
	return err;
}

/* --- The link of a host uplink --- */

/* Another host uplink has an address in the same network. */
static bool is_link_taken(const struct conf *c, const struct conf_uplink *u, const struct prefix *p)
{
	for (size_t i = 0; i < c->n_uplinks; i++) {
		const struct conf_uplink *other = &c->uplinks[i];

		if (other != u && other->kind == UPLINK_HOST &&
		    ((other->address.is_set && prefix_overlaps(&other->address, p)) ||
		     (other->address6.is_set && prefix_overlaps(&other->address6, p))))
			return true;
	}
	return false;
}

/* 169.254.118.(16n+2)/28, going on in 169.254.119, and fd76:6661:6200:n::2/64 */
static struct prefix nth_link(unsigned n, bool is_v6)
{
	struct prefix v4 = {.ip.b = {[10] = 0xff,
				     0xff,
				     169,
				     254,
				     (uint8_t)(118 + n / 16),
				     (uint8_t)(n % 16 * 16 + 2)},
			    .len = 28,
			    .is_set = true};
	struct prefix v6 = {.ip.b = {0xfd, 0x76, 0x66, 0x61, 0x62, 0, 0, (uint8_t)n, [15] = 2},
			    .len = 64,
			    .is_set = true};

	return is_v6 ? v6 : v4;
}

/* What it was stays. */
static void keep_link(struct check *k, struct conf_uplink *u, bool is_v6)
{
	const struct conf_uplink *old = k->keep ? conf_find_uplink(k->keep, u->name) : NULL;
	struct prefix *at = is_v6 ? &u->address6 : &u->address, p;

	if (!old || old->kind != UPLINK_HOST || at->is_set)
		return;
	p = is_v6 ? old->address6 : old->address;
	if (p.is_set && !is_link_taken(k->c, u, &p))
		*at = p;
}

/* The first that is free; there are as many as there may be uplinks. */
static void choose_link(struct check *k, struct conf_uplink *u, bool is_v6)
{
	struct prefix *at = is_v6 ? &u->address6 : &u->address, p;

	for (unsigned n = 0; n < CONF_UPLINKS_MAX && !at->is_set; n++) {
		p = nth_link(n, is_v6);
		if (!is_link_taken(k->c, u, &p))
			*at = p;
	}
}

static int check_link(struct check *k, const struct conf_uplink *u)
{
	bool is_taken = u->address.is_set && is_link_taken(k->c, u, &u->address);
	bool is_taken6 = u->address6.is_set && is_link_taken(k->c, u, &u->address6);

	if (!is_taken && !is_taken6)
		return 0;
	return conf_wrong(k, &conf_uplinks, u, is_taken ? "address" : "address6",
			  "its link overlaps that of another host uplink");
}

int conf_choose_links(struct check *k)
{
	struct conf *c = k->c;
	int err = 0;

	for (size_t i = 0; i < c->n_uplinks && !err; i++)
		if (c->uplinks[i].kind == UPLINK_HOST)
			err = check_link(k, &c->uplinks[i]);
	for (unsigned pass = 0; pass < 4 && !err; pass++) {
		void (*set)(struct check *, struct conf_uplink *, bool) =
			pass < 2 ? keep_link : choose_link;

		for (size_t i = 0; i < c->n_uplinks; i++)
			if (c->uplinks[i].kind == UPLINK_HOST)
				set(k, &c->uplinks[i], pass % 2);
	}
	return err;
}

/* --- One uplink --- */

static int check_uplink_kind(struct check *k, const struct conf_uplink *u)
{
	static const char *const of_interface[] = {"interface", "driver", "addresses", "gateway",
						   "gateway6",	"dhcp",	  "mac",       NULL};
	static const char *const of_host[] = {"forwarding", "ifname", NULL};
	bool is_host = u->kind == UPLINK_HOST;

	for (const char *const *key = is_host ? of_interface : of_host; *key; key++)
		if (is_given(&conf_uplinks, u, *key))
			return conf_wrong(k, &conf_uplinks, u, *key, "%s goes with kind %s alone",
					  *key, is_host ? "interface" : "host");
	if (!is_host && !u->interface[0])
		return conf_missing(k, conf_wrong(k, &conf_uplinks, u, "kind",
						  "an uplink of kind interface needs interface"));
	if (is_host && u->address.is_set && u->address.len > 31)
		return conf_wrong(
			k, &conf_uplinks, u, "address",
			"the link to the host needs two addresses: a length of at most 31");
	if (is_host && u->address6.is_set && u->address6.len > 127)
		return conf_wrong(
			k, &conf_uplinks, u, "address6",
			"the link to the host needs two addresses: a length of at most 127");
	return 0;
}

static bool is_link_local6(const struct ip *ip)
{
	return ip->b[0] == 0xfe && (ip->b[1] & 0xc0) == 0x80;
}

static int check_next_hop(struct check *k, const struct conf_uplink *u, const char *key,
			  const struct ip *ip, const struct prefix *at)
{
	bool is_local = !ip_is_v4(ip) && is_link_local6(ip);

	if (!at->is_set)
		return conf_missing(k, conf_wrong(k, &conf_uplinks, u, key, "%s needs %s", key,
						  ip_is_v4(ip) ? "address" : "address6"));
	if (ip_equal(ip, &at->ip) || (!is_local && !conf_is_host_of(at, ip)))
		return conf_wrong(k, &conf_uplinks, u, key,
				  "%s is not another host in the uplink's prefix", key);
	return 0;
}

int conf_check_uplink(struct check *k, const struct conf_uplink *u)
{
	int err = check_uplink_kind(k, u);

	if (err)
		return err;
	if (u->dhcp && (u->address.is_set || u->has_gateway))
		return conf_wrong(k, &conf_uplinks, u, "dhcp",
				  "dhcp brings address and gateway: leave out dhcp or %s",
				  u->address.is_set ? "address" : "gateway");
	if (u->has_gateway)
		err = check_next_hop(k, u, "gateway", &u->gateway, &u->address);
	if (!err && u->has_gateway6)
		err = check_next_hop(k, u, "gateway6", &u->gateway6, &u->address6);
	return err;
}

/* --- One network --- */

/* An uplink that is gone while a network is still on it: the one who took it away wants to hear of the uplink. */
static int wrong_uplink(struct check *k, const struct conf_network *n)
{
	const struct conf_uplink *old = k->keep ? conf_find_uplink(k->keep, n->uplink) : NULL;
	char near[CONF_QUOTE];

	if (!old || n->line)
		return conf_wrong(k, &conf_networks, n, "uplink", "uplink \"%s\" does not exist%s",
				  n->uplink,
				  conf_nearest(n->uplink, k->c->index->uplinks.name, near));
	conf_wrong(k, &conf_uplinks, old, NULL, "network \"%s\" is still on it", n->name);
	k->err->line = k->err->column = 0;
	return -EINVAL;
}

static int check_bridged(struct check *k, const struct conf_network *n)
{
	static const char *const not [] = {"ipv4", "ipv6", "gateway", NULL};
	const struct conf_uplink *u = conf_find_uplink(k->c, n->uplink);

	for (const char *const *key = not ; *key; key++)
		if (is_given(&conf_networks, n, *key))
			return conf_wrong(k, &conf_networks, n, *key,
					  "a bridged network has the addresses of the real one: "
					  "leave out %s",
					  *key);
	if (!n->uplink[0])
		return conf_missing(k, conf_wrong(k, &conf_networks, n, "uplink",
						  "a bridged network needs uplink"));
	if (!u)
		return wrong_uplink(k, n);
	if (u->kind != UPLINK_INTERFACE)
		return conf_wrong(k, &conf_networks, n, "uplink",
				  "a bridged network needs an uplink of kind interface, and \"%s\" "
				  "is of kind host",
				  n->uplink);
	if (n->tagged && (!n->vlan || n->vlan_auto))
		return conf_missing(k, conf_wrong(k, &conf_networks, n, "tagged",
						  "a tagged network needs vlan: the id that its "
						  "frames carry on the uplink"));
	return 0;
}

/* The uplink has, or will have, an address of that family. */
static bool has_family(const struct conf_uplink *u, bool is_v4)
{
	return u->kind == UPLINK_HOST ||
	       (is_v4 ? u->address.is_set || u->dhcp : u->address6.is_set);
}

static int check_nat(struct check *k, const struct conf_network *n)
{
	const struct conf_uplink *u = conf_find_uplink(k->c, n->uplink);
	bool is_routed = n->nat.ipv6 == IPV6_ROUTED;

	if (!u)
		return wrong_uplink(k, n);
	if (is_routed && !n->ipv6.is_set)
		return conf_missing(
			k, conf_wrong(k, &conf_networks, n, "nat", "nat: ipv6 routed needs ipv6"));
	if (is_routed && u->kind != UPLINK_INTERFACE)
		return conf_wrong(k, &conf_networks, n, "nat",
				  "nat: ipv6 routed needs an uplink of kind interface");
	if ((n->ipv4.is_set && has_family(u, true)) || (n->ipv6.is_set && has_family(u, false)))
		return 0;
	return conf_wrong(k, &conf_networks, n, "uplink",
			  "uplink \"%s\" has no %s address: it needs %s", n->uplink,
			  n->ipv4.is_set ? "IPv4" : "IPv6",
			  n->ipv4.is_set ? "address or dhcp" : "address6");
}

int conf_check_net_out(struct check *k, const struct conf_network *n)
{
	static const char *const of_nat[] = {"nat", "forwards", NULL};

	for (const char *const *key = of_nat; n->mode != NET_NAT && *key; key++)
		if (is_given(&conf_networks, n, *key))
			return conf_wrong(k, &conf_networks, n, *key, "%s goes with mode nat alone",
					  *key);
	if (n->tagged && n->mode != NET_BRIDGED)
		return conf_wrong(k, &conf_networks, n, "tagged",
				  "tagged goes with mode bridged alone");
	if (n->mode == NET_BRIDGED)
		return check_bridged(k, n);
	if (n->mode == NET_NAT)
		return check_nat(k, n);
	if (n->uplink[0])
		return conf_wrong(k, &conf_networks, n, "uplink",
				  "uplink goes with mode nat and bridged alone");
	return 0;
}

/* --- All --- */

static int check_untagged(struct check *k)
{
	const struct conf *c = k->c;

	for (size_t i = 0; i < c->n_uplinks; i++) {
		const struct conf_network *first = NULL;

		for (size_t j = 0; j < c->n_networks; j++) {
			const struct conf_network *n = &c->networks[j];

			if (n->mode != NET_BRIDGED || n->tagged ||
			    strcmp(n->uplink, c->uplinks[i].name))
				continue;
			if (first)
				return conf_wrong(k, &conf_networks, n, "uplink",
						  "network \"%s\" is untagged on uplink \"%s\" "
						  "already: only one can be",
						  first->name, n->uplink);
			first = n;
		}
	}
	return 0;
}

/* The inside holds an address of the outside, so that guests would look for it among themselves (RFC 4787 REQ-7). */
static int check_conflict(struct check *k, const struct conf_network *n)
{
	const struct conf_uplink *u = conf_find_uplink(k->c, n->uplink);
	const struct prefix *ours[2 + CONF_ADDRESSES_MAX] = {&u->address, &u->address6};
	size_t n_ours = 2;
	char text[PREFIX_TEXT];

	for (unsigned i = 0; i < u->n_more; i++)
		ours[n_ours++] = &u->more[i];
	for (size_t i = 0; i < n_ours; i++) {
		bool is_v6 = ours[i]->is_set && !ip_is_v4(&ours[i]->ip);
		const struct prefix *inside = is_v6 ? &n->ipv6 : &n->ipv4;

		if (ours[i]->is_set && inside->is_set && prefix_holds(inside, &ours[i]->ip))
			return conf_wrong(k, &conf_networks, n, is_v6 ? "ipv6" : "ipv4",
					  "the prefix holds address %s of uplink \"%s\": take "
					  "another prefix for the inside",
					  prefix_text(ours[i], text), u->name);
	}
	if (u->has_gateway && n->ipv4.is_set && prefix_holds(&n->ipv4, &u->gateway))
		return conf_wrong(k, &conf_networks, n, "ipv4",
				  "the prefix holds the gateway of uplink \"%s\": take another "
				  "prefix for the inside",
				  u->name);
	return 0;
}

int conf_check_out(struct check *k)
{
	int err = check_untagged(k);

	for (size_t i = 0; i < k->c->n_networks && !err; i++)
		if (k->c->networks[i].mode == NET_NAT)
			err = check_conflict(k, &k->c->networks[i]);
	if (!err)
		err = conf_check_forwards(k);
	return err ? err : conf_check_routes(k);
}
