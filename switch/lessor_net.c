/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lessor_net: from a configuration to what the servers work by: networks, pools, views of DNS, and whom the resolver asks.
 *
 * Called by lessor.c for each new configuration, which was validated.  Networks are made anew each time; pools keep their leases,
 * and DNS its names, as long as the network keeps its name and VLAN.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/base/log.h"
#include "switch/legs.h"
#include "switch/lessor_internal.h"

enum { PROBES_PER_S = 100, CAP_MOST = GUARD_BINDINGS };

/* --- the lists of the configuration, as the servers want them: borrowed by dhcp_net_create(), then freed --- */

static bool copy_opts(struct dhcp_opts *out, const struct conf_options *from)
{
	*out = (struct dhcp_opts){.next_server = from->next_server};
	out->opt = calloc(from->n + 1, sizeof(*out->opt));
	if (!out->opt)
		return false;
	for (size_t i = 0; i < from->n; i++) {
		out->opt[i].code = from->list[i].code;
		out->opt[i].len = from->list[i].len;
		memcpy(out->opt[i].bytes, from->list[i].bytes, sizeof(out->opt[i].bytes));
	}
	out->n = (uint16_t)from->n;
	return true;
}

static bool fill_classes(struct dhcp_class *out, const struct conf_dhcp *c)
{
	for (size_t i = 0; i < c->n_classes; i++) {
		const struct conf_class *from = &c->classes[i];

		snprintf(out[i].vendor, sizeof(out[i].vendor), "%s", from->vendor);
		memcpy(out[i].arch, from->arch, sizeof(out[i].arch));
		out[i].n_arch = from->n_arch;
		if (!copy_opts(&out[i].opts, &from->options))
			return false;
	}
	return true;
}

static bool fill_reservations(struct dhcp_reservation *out, const struct conf_dhcp *c)
{
	for (size_t i = 0; i < c->n_reservations; i++) {
		const struct conf_reservation *from = &c->reservations[i];

		out[i].mac = from->mac;
		out[i].id_len = from->client_id_len;
		memcpy(out[i].id, from->client_id, from->client_id_len);
		snprintf(out[i].port, sizeof(out[i].port), "%s", from->port);
		out[i].ip = from->ip;
		out[i].ip6 = from->ip6;
		snprintf(out[i].name, sizeof(out[i].name), "%s", from->name);
		if (!copy_opts(&out[i].opts, &from->options))
			return false;
	}
	return true;
}

static bool fill_lists(struct dhcp_net *n, const struct conf_dhcp *c)
{
	n->classes = calloc(c->n_classes + 1, sizeof(*n->classes));
	n->reservations = calloc(c->n_reservations + 1, sizeof(*n->reservations));
	n->n_classes = (uint16_t)c->n_classes;
	n->n_reservations = (uint32_t)c->n_reservations;
	return n->classes && n->reservations && copy_opts(&n->opts, &c->options) &&
	       fill_classes(n->classes, c) && fill_reservations(n->reservations, c);
}

static void free_lists(struct dhcp_net *n)
{
	for (size_t i = 0; n->classes && i < n->n_classes; i++)
		free(n->classes[i].opts.opt);
	for (size_t i = 0; n->reservations && i < n->n_reservations; i++)
		free(n->reservations[i].opts.opt);
	free(n->opts.opt);
	free(n->classes);
	free(n->reservations);
}

static uint32_t lease_s_of(const struct conf_dhcp *c)
{
	uint64_t s = c->lease_ms / 1000;

	return c->lease_ms == 0 || s >= UINT32_MAX ? UINT32_MAX : (uint32_t)s;
}

static void fill_ntp(struct dhcp_net *n, const struct conf_dhcp *c)
{
	memcpy(n->ntp6, c->ntp6, c->n_ntp6 * sizeof(c->ntp6[0]));
	n->n_ntp6 = c->n_ntp6;
}

static void fill_relays(struct dhcp_net *n, const struct conf_dhcp *c)
{
	_Static_assert((int)DHCP_NET_RELAYS >= (int)CONF_RELAYS_MAX, "all of the list");

	memcpy(n->relays, c->relays, c->n_relays * sizeof(c->relays[0]));
	n->n_relays = c->n_relays;
}

static void fill_dns(struct dhcp_net *n, const struct conf_network *net,
		     const struct gateway_leg *leg)
{
	_Static_assert((int)DHCP_NET_DNS >= (int)CONF_DNS_MAX, "all of the list");

	for (unsigned i = 0; i < net->n_dns; i++)
		if (ip_is_v4(&net->dns[i]))
			n->dns[n->n_dns++] = net->dns[i];
		else
			n->dns6[n->n_dns6++] = net->dns[i];
	/* The gateway is among them if it is to be. */
	if (net->n_dns > 0 || !(leg->serves & SERVES_DNS))
		return;
	if (leg->v4.is_set)
		n->dns[n->n_dns++] = leg->v4.ip;
	if (leg->v6.is_set)
		n->dns6[n->n_dns6++] = leg->v6.ip;
}

/* Is there a way on for its hosts? */
static bool is_router(const struct gateway_leg *leg)
{
	if (leg->outside || leg->reaches)
		return true;
	for (unsigned i = 1; i < leg->conf->n_legs; i++) {
		const struct gateway_leg *from = &leg->conf->leg[i];
		unsigned place = (unsigned)(leg - leg->conf->leg);

		if (from->reaches && (from->reaches[place / 64] >> (place & 63) & 1))
			return true;
	}
	return false;
}

/* What its servers work by; NULL: no memory. */
static struct dhcp_net *create_net(const struct conf_network *net, const struct gateway_leg *leg)
{
	const struct conf_dhcp *c = &net->dhcp;
	struct dhcp_net n = {
		.vid = net->vlan,
		.serves_v4 = leg->serves & SERVES_DHCP,
		.v6_mode = !(leg->serves & SERVES_DHCP6) ? DHCP6_OFF
			   : leg->ra_flags & RA_MANAGED	 ? DHCP6_STATEFUL
							 : DHCP6_STATELESS,
		.v4 = leg->v4,
		.v6 = leg->v6,
		.mac = leg->mac,
		.is_router = is_router(leg),
		.lease_s = lease_s_of(c),
		.mtu = leg->told_mtu < UINT16_MAX ? (uint16_t)leg->told_mtu : UINT16_MAX,
		.probes = PROBES_PER_S,
	};
	struct dhcp_net *made = NULL;

	snprintf(n.name, sizeof(n.name), "%s", net->name);
	conf_network_zone(net, n.domain);
	fill_dns(&n, net, leg);
	fill_ntp(&n, c);
	fill_relays(&n, c);
	if (fill_lists(&n, c))
		made = dhcp_net_create(&n);
	free_lists(&n);
	return made;
}

/* --- pools --- */

/* How many live leases one port may have: half of what there is, so that another port always gets one, and no more than a
 * strict port could use. */
static uint32_t cap_of(const struct conf_dhcp *c, const struct ip *first, const struct ip *last)
{
	uint64_t n = 0;

	if (c->per_port)
		return c->per_port;
	for (unsigned i = 8; i < 16; i++)
		n = (n << 8) + last->b[i] - (uint64_t)first->b[i];
	if (memcmp(first->b, last->b, 8) != 0 || n / 2 >= CAP_MOST)
		return CAP_MOST;
	return n < 2 ? 1 : (uint32_t)((n + 1) / 2);
}

static struct lease_pool *apply_pool(struct lessor *l, struct dhcp_net *n,
				     const struct conf_network *net, bool is_v6)
{
	struct lease_range r = {.is_taken = dhcp_net_is_taken, .arg = n};
	bool serves = is_v6 ? conf_network_dhcp6(net, &r.first, &r.last) == CONF_DHCP6_STATEFUL
			    : conf_network_dhcp(net, &r.first, &r.last);

	if (!serves || (is_v6 ? n->v6_mode != DHCP6_STATEFUL : !n->serves_v4))
		return NULL;
	snprintf(r.network, sizeof(r.network), "%s", n->name);
	r.net = is_v6 ? n->v6 : n->v4;
	r.port_cap = cap_of(&net->dhcp, &r.first, &r.last);
	return leases_pool_apply(l->leases, &r, clock_ms());
}

static void remove_pool(struct lessor *l, const char *network, bool is_v6)
{
	struct lease_pool *p = leases_pool_find(l->leases, network, is_v6);

	if (p)
		leases_pool_remove(l->leases, p);
}

/* --- views --- */

static void fill_host(struct dns_view *v, const struct conf *c, const struct conf_network *net,
		      const struct gateway_leg *leg)
{
	const struct conf_uplink *u =
		net->mode == NET_NAT ? conf_find_uplink(c, net->uplink) : NULL;
	struct prefix own, far;

	if (net->mode == NET_HOST_ONLY) {
		v->host4 = leg->v4.is_set ? leg->v4.ip : v->host4;
		v->host6 = leg->v6.is_set ? leg->v6.ip : v->host6;
	}
	if (u && conf_uplink_ends(c, u, false, &own, &far))
		v->host4 = own.ip;
	if (u && conf_uplink_ends(c, u, true, &own, &far))
		v->host6 = own.ip;
}

static void fill_view(struct dns_view *v, const struct conf *c, const struct conf_network *net,
		      const struct gateway_leg *leg)
{
	*v = (struct dns_view){.vid = net->vlan, .v4 = leg->v4, .v6 = leg->v6};
	conf_network_zone(net, v->zone);
	if (leg->v4.is_set)
		v->gateway4 = leg->v4.ip;
	if (leg->v6.is_set)
		v->gateway6 = leg->v6.ip;
	fill_host(v, c, net, leg);
	v->forwards = net->mode == NET_NAT;
	for (size_t i = 0; i < c->n_routes && v->n_reaches < DNS_REACH_MAX; i++) {
		const struct conf_network *to = conf_find_network(c, c->routes[i].to);

		if (to && strcmp(c->routes[i].from, net->name) == 0)
			v->reaches[v->n_reaches++] = to->vlan;
	}
}

static void apply_views(struct lessor *l)
{
	const struct conf *c = l->d->conf;
	const struct gateway_conf *legs = l->d->fabric->legs;
	struct dns_view *views = calloc(c->n_networks + 1, sizeof(*views));
	unsigned n = 0;

	for (size_t i = 0; views && i < c->n_networks; i++) {
		const struct conf_network *net = &c->networks[i];
		const struct gateway_leg *leg = &legs->leg[legs->leg_of[net->vlan]];

		if (leg->vid && (leg->serves & SERVES_DNS))
			fill_view(&views[n++], c, net, leg);
	}
	if (!views || dns_apply(l->dns, views, n) < 0)
		log_err("DNS: no memory for the networks: it answers as before");
	free(views);
}

/* The names of reservations, with or without a lease. */
static void name_reservations(struct lessor *l, const struct dhcp_net *n)
{
	dns_names_flush(l->dns, n->vid, DNS_OF_RESERVATION);
	for (uint32_t i = 0; i < n->n_reservations; i++) {
		const struct dhcp_reservation *r = &n->reservations[i];

		if (!*r->name)
			continue;
		if (ip_is_v4(&r->ip))
			dns_name_set(l->dns, n->vid, DNS_OF_RESERVATION, r->name, &r->ip);
		if (!ip_equal(&r->ip6, &(struct ip){0}))
			dns_name_set(l->dns, n->vid, DNS_OF_RESERVATION, r->name, &r->ip6);
	}
}

/* --- networks --- */

static bool is_same_net(const struct dhcp_net *a, const struct dhcp_net *b)
{
	return a && b && strcmp(a->name, b->name) == 0;
}

static void drop_names(struct lessor *l, uint16_t vid)
{
	dns_names_flush(l->dns, vid, DNS_OF_LEASE);
	dns_names_flush(l->dns, vid, DNS_OF_PORT);
	dns_names_flush(l->dns, vid, DNS_OF_RESERVATION);
	streams_flush(l->streams, vid);
}

/* Leases of networks that serve nothing any more, or are gone. */
static void remove_pools(struct lessor *l, struct dhcp_net *const *old)
{
	for (unsigned vid = 0; vid < VLANS; vid++) {
		const struct conf_network *net =
			old[vid] ? conf_find_network(l->d->conf, old[vid]->name) : NULL;
		const struct dhcp_net *now = net ? l->net[net->vlan] : NULL;

		if (!old[vid])
			continue;
		if (!now || !now->pool4)
			remove_pool(l, old[vid]->name, false);
		if (!now || !now->pool6)
			remove_pool(l, old[vid]->name, true);
		if (!is_same_net(old[vid], l->net[vid]))
			drop_names(l, (uint16_t)vid);
	}
}

void lessor_apply_nets(struct lessor *l)
{
	const struct conf *c = l->d->conf;
	const struct gateway_conf *legs = l->d->fabric->legs;
	struct dhcp_net **old = l->net;

	l->net = calloc(VLANS, sizeof(struct dhcp_net *));
	if (!l->net) {
		l->net = old;
		log_err("DHCP: no memory for the networks: they are served as before");
		return;
	}
	for (size_t i = 0; i < c->n_networks; i++) {
		const struct conf_network *net = &c->networks[i];
		const struct gateway_leg *leg = &legs->leg[legs->leg_of[net->vlan]];
		struct dhcp_net *n;

		if (!leg->vid || !leg->serves)
			continue;
		n = create_net(net, leg);
		l->net[net->vlan] = n;
		if (!n) {
			log_err("network %s: no memory: DHCP is not served", net->name);
			continue;
		}
		n->pool4 = apply_pool(l, n, net, false);
		n->pool6 = apply_pool(l, n, net, true);
	}
	remove_pools(l, old);
	apply_views(l);
	for (unsigned vid = 0; vid < VLANS; vid++) {
		if (l->net[vid])
			name_reservations(l, l->net[vid]);
		if (l->net[vid] && !is_same_net(old[vid], l->net[vid]))
			lessor_tie_again(l, l->net[vid]);
		dhcp_net_destroy(old[vid]);
	}
	free(old);
}

const struct dhcp_net *lessor_net_of_link(void *lessor, const struct dhcp_net *from,
					  const struct ip *link)
{
	const struct lessor *l = lessor;
	const struct conf *c = l->d->conf;

	if (prefix_holds(&from->v4, link))
		return from;
	for (size_t i = 0; i < c->n_routes; i++) {
		const struct conf_network *to = conf_find_network(c, c->routes[i].to);
		const struct dhcp_net *net = to ? l->net[to->vlan] : NULL;

		if (net && strcmp(c->routes[i].from, from->name) == 0 &&
		    prefix_holds(&net->v4, link))
			return net;
	}
	return NULL;
}

/* --- whom the resolver asks --- */

static void fill_set(struct resolver_set *out, const struct conf_server *server, unsigned n)
{
	out->n = n;
	for (unsigned i = 0; i < n; i++) {
		out->server[i].ip = server[i].ip;
		out->server[i].port = server[i].port;
	}
}

void lessor_apply_resolver(struct lessor *l)
{
	const struct conf_dns *c = &l->d->conf->dns;
	struct resolver_servers next = {.n_sets = 1};
	char why[RESOLVER_TEXT_SIZE];
	bool is_wanted = false;
	int fd = -1, rc;

	for (size_t i = 0; i < l->d->conf->n_networks; i++) {
		const struct conf_network *net = &l->d->conf->networks[i];

		is_wanted |= net->mode == NET_NAT && conf_network_dns(net);
	}
	fill_set(&next.set[0], c->server, c->n);
	for (size_t i = 0; i < c->n_domains && i < RESOLVER_DOMAINS; i++) {
		struct resolver_set *set = &next.set[next.n_sets++];

		snprintf(set->domain, sizeof(set->domain), "%s", c->domains[i].name);
		fill_set(set, c->domains[i].server, c->domains[i].n);
	}
	if (!is_wanted || memcmp(&next, &l->servers, sizeof(next)) == 0)
		return;
	rc = broker_resolver_set(&next, &fd, why);
	if (rc < 0) {
		log_err("DNS: the resolver: %s", why);
		return;
	}
	l->servers = next;
	dns_cache_flush(l->dns);
	if (fd >= 0)
		lessor_resolver(l, RESOLVER_IS_NEW, fd);
}
