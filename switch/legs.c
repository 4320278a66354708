/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * legs: out of a configuration: legs for gateway.c, a plan for nat.c, the host's side for the broker.
 *
 * Legs stand in the order of the file, networks before uplinks; the outsides of the NAT in that of the uplinks.
 *
 * A host uplink's forwards.  The host's nftables sends what comes for a forward to the far end of the link, and by its
 * destination alone the switch must know which bind it came by.  So each bind of a host uplink has a far address of its own,
 * in the order in which the file names them:
 *
 *    far       forwards for every address of the host
 *    far + k   the k-th bind that differs from the ones before
 */
#include "switch/legs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/fabric.h"

enum { MTU_DEFAULT = 1500 };

static const struct ip ANY;

static struct port *port_named(struct port *const *ports, const char *name)
{
	for (unsigned slot = 0; slot < SLOT_MAX; slot++)
		if (ports[slot] && strcmp(ports[slot]->name, name) == 0)
			return ports[slot];
	return NULL;
}

static const struct uplink_state *state_of(const struct uplinks *u, const char *name)
{
	const struct uplink_state *s;

	for (unsigned i = 0; (s = uplink_at(u, i)) != NULL; i++)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

/* The place of an uplink among them, or -1. */
static int uplink_place(const struct conf *c, const char *name)
{
	for (size_t i = 0; i < c->n_uplinks; i++)
		if (strcmp(c->uplinks[i].name, name) == 0)
			return (int)i;
	return -1;
}

/* A bind of some forward on a host uplink, and its far address. */
static struct ip far_of_bind(const struct ip *far, unsigned k)
{
	struct ip ip = *far;

	ip.b[15] = (uint8_t)(ip.b[15] + k);
	return ip;
}

static bool is_forward_of(const struct conf *c, const struct conf_network *n, size_t uplink)
{
	return n->mode == NET_NAT && uplink_place(c, n->uplink) == (int)uplink;
}

/* Which of the uplink's binds this one is: 1, 2, ... in the order of the file; 0: it has none. */
static unsigned bind_number(const struct conf *c, size_t uplink, const struct conf_forward *f)
{
	struct ip seen[CONF_BINDS_MAX];
	unsigned n = 0;

	if (!f->has_bind)
		return 0;
	for (size_t i = 0; i < c->n_networks; i++) {
		const struct conf_network *net = &c->networks[i];

		for (size_t k = 0; is_forward_of(c, net, uplink) && k < net->n_forwards; k++) {
			const struct conf_forward *g = &net->forwards[k];
			unsigned at = 0;

			if (!g->has_bind || ip_is_v4(&g->guest) != ip_is_v4(&f->guest))
				continue;
			while (at < n && !ip_equal(&seen[at], &g->bind))
				at++;
			if (ip_equal(&g->bind, &f->bind))
				return at + 1;
			if (at == n && n < CONF_BINDS_MAX)
				seen[n++] = g->bind;
		}
	}
	return 0;
}

/* How many different binds an uplink has in one family. */
static unsigned count_binds(const struct conf *c, size_t uplink, bool is_v6)
{
	unsigned most = 0;

	for (size_t i = 0; i < c->n_networks; i++) {
		const struct conf_network *net = &c->networks[i];

		for (size_t k = 0; is_forward_of(c, net, uplink) && k < net->n_forwards; k++) {
			const struct conf_forward *f = &net->forwards[k];
			unsigned number = bind_number(c, uplink, f);

			if (ip_is_v4(&f->guest) != is_v6 && number > most)
				most = number;
		}
	}
	return most;
}

/* What is served there, and what advertisements say of it: both from one place, so that they agree.  False: no memory. */
static bool fill_services(struct gateway_leg *leg, const struct conf_network *net)
{
	char zone[CONF_DOMAIN_SIZE];
	struct ip first, last;
	enum conf_dhcp6 six = conf_network_dhcp6(net, &first, &last);
	bool has_names = conf_network_dns(net);

	leg->is_slaac = six != CONF_DHCP6_STATEFUL;
	if (conf_network_dhcp(net, &first, &last))
		leg->serves |= SERVES_DHCP;
	if (has_names)
		leg->serves |= SERVES_DNS;
	if (!leg->advertises)
		return true;
	if (six != CONF_DHCP6_OFF)
		leg->serves |= SERVES_DHCP6;
	if (six == CONF_DHCP6_STATEFUL)
		leg->ra_flags = RA_MANAGED | RA_OTHER;
	else if (six == CONF_DHCP6_STATELESS)
		leg->ra_flags = RA_OTHER;
	_Static_assert(sizeof(leg->rdnss) >= sizeof(net->dns), "all of the list");
	for (unsigned i = 0; i < net->n_dns; i++)
		if (!ip_is_v4(&net->dns[i]))
			leg->rdnss[leg->n_rdnss++] = net->dns[i];
	if (has_names && net->n_dns == 0) /* of a list the gateway is part if it is to be */
		leg->rdnss[leg->n_rdnss++] = leg->v6.ip;
	if (leg->n_rdnss > 0) {
		leg->dnssl = strdup(conf_network_zone(net, zone));
		return leg->dnssl != NULL;
	}
	return true;
}

static bool fill_inside(struct gateway_leg *leg, const struct conf *c,
			const struct conf_network *net, unsigned first_uplink)
{
	int out = net->mode == NET_NAT ? uplink_place(c, net->uplink) : -1;

	leg->vid = net->vlan;
	leg->slot = SLOT_MAX;
	leg->mac = fabric_gateway_mac(net->vlan);
	leg->v4 = net->ipv4;
	leg->v4.is_set = conf_network_gateway(net, &leg->v4.ip);
	leg->v6 = net->ipv6;
	if (net->ipv6.is_set)
		leg->v6.ip = prefix_first(&net->ipv6);
	leg->mtu = net->mtu ? net->mtu : MTU_DEFAULT;
	leg->told_mtu = net->mtu;
	leg->is_host_only = net->mode == NET_HOST_ONLY;
	leg->is_nat = out >= 0;
	leg->outside = out >= 0 ? (uint16_t)(first_uplink + (unsigned)out) : LEG_NONE;
	leg->routes_v6 = net->nat.ipv6 == IPV6_ROUTED;
	leg->advertises = leg->v6.is_set && !leg->is_host_only;
	return fill_services(leg, net);
}

/* The far addresses of a host uplink's binds are ours too. */
static void add_binds(struct gateway_leg *leg, const struct conf *c, size_t uplink, bool is_v6)
{
	const struct prefix *far = is_v6 ? &leg->v6 : &leg->v4;
	unsigned n = far->is_set ? count_binds(c, uplink, is_v6) : 0;

	for (unsigned k = 1; k <= n && leg->n_more < sizeof(leg->more) / sizeof(*leg->more); k++) {
		leg->more[leg->n_more] = *far;
		leg->more[leg->n_more++].ip = far_of_bind(&far->ip, k);
	}
}

static void fill_outside(struct gateway_leg *leg, const struct conf *c, size_t place,
			 const struct uplinks *u, struct port *const *ports)
{
	const struct conf_uplink *cu = &c->uplinks[place];
	const struct port *p = port_named(ports, cu->name);
	const struct uplink_state *s = state_of(u, cu->name);
	struct prefix own, far;

	leg->vid = cu->vlan;
	leg->is_outside = true;
	leg->slot = p ? p->slot : SLOT_MAX;
	leg->mac = uplink_leg_mac(cu, p);
	leg->mtu = p ? uplink_mtu(p, s) : MTU_DEFAULT;
	if (cu->kind == UPLINK_HOST) {
		if (conf_uplink_ends(c, cu, false, &own, &far))
			leg->v4 = far, leg->next4 = own.ip;
		if (conf_uplink_ends(c, cu, true, &own, &far))
			leg->v6 = far, leg->next6 = own.ip;
		add_binds(leg, c, place, false);
		add_binds(leg, c, place, true);
		return;
	}
	leg->v4 = cu->address;
	leg->v6 = cu->address6;
	leg->next4 = cu->has_gateway ? cu->gateway : ANY;
	leg->next6 = cu->has_gateway6 ? cu->gateway6 : ANY;
	if (cu->dhcp && s && s->dhcp == UPLINK_BOUND) {
		leg->v4 = s->v4;
		leg->next4 = s->has_next4 ? s->next4 : ANY;
	}
	for (unsigned i = 0; i < cu->n_more; i++)
		leg->more[leg->n_more++] = cu->more[i];
}

static bool has_leg(const struct conf *c, const struct conf_network *net)
{
	struct ip first, last;

	if (net->mode == NET_NAT || conf_network_dhcp(net, &first, &last) ||
	    conf_network_dhcp6(net, &first, &last) != CONF_DHCP6_OFF)
		return true;
	for (size_t i = 0; net->mode == NET_HOST_ONLY && i < c->n_routes; i++)
		if (strcmp(c->routes[i].from, net->name) == 0 ||
		    strcmp(c->routes[i].to, net->name) == 0)
			return true;
	return false;
}

/* What hosts are told where the configuration names no MTU: what goes out by the uplink in one piece. */
static void tell_mtu(const struct gateway_conf *g, struct gateway_leg *leg)
{
	const struct gateway_leg *out = &g->leg[leg->outside];

	if (leg->told_mtu == 0 && leg->outside && out->mtu < leg->mtu)
		leg->told_mtu = out->mtu;
}

/* Which legs may begin to speak to which. */
static bool fill_routes(struct gateway_conf *g, const struct conf *c)
{
	unsigned words = (g->n_legs + 63) / 64;

	for (size_t i = 0; i < c->n_routes; i++) {
		const struct conf_network *from = conf_find_network(c, c->routes[i].from);
		const struct conf_network *to = conf_find_network(c, c->routes[i].to);
		struct gateway_leg *leg = from ? &g->leg[g->leg_of[from->vlan]] : NULL;
		unsigned target = to ? g->leg_of[to->vlan] : LEG_NONE;

		if (!leg || !target)
			continue;
		if (!leg->reaches)
			leg->reaches = calloc(words, sizeof(*leg->reaches));
		if (!leg->reaches)
			return false;
		leg->reaches[target / 64] |= 1ULL << (target & 63);
	}
	return true;
}

struct gateway_conf *legs_create(const struct conf *c, const struct uplinks *u,
				 struct port *const ports[static SLOT_MAX])
{
	struct gateway_conf *g = calloc(1, sizeof(*g));
	unsigned n = 1, first_uplink;

	if (!g)
		return NULL;
	g->leg = calloc(c->n_networks + c->n_uplinks + 1, sizeof(*g->leg));
	if (!g->leg)
		goto err;
	for (size_t i = 0; i < c->n_networks; i++)
		n += has_leg(c, &c->networks[i]);
	first_uplink = n;
	g->n_legs = n; /* what is to be freed */
	n = 1;
	for (size_t i = 0; i < c->n_networks; i++)
		if (has_leg(c, &c->networks[i]) &&
		    !fill_inside(&g->leg[n++], c, &c->networks[i], first_uplink))
			goto err;
	for (size_t i = 0; i < c->n_uplinks; i++)
		fill_outside(&g->leg[n++], c, i, u, ports);
	g->n_legs = n;
	for (unsigned i = 1; i < n; i++)
		g->leg_of[g->leg[i].vid] = (uint16_t)i;
	for (unsigned i = 1; i < first_uplink; i++)
		tell_mtu(g, &g->leg[i]);
	for (unsigned i = 1; i < first_uplink; i++)
		if (g->leg[i].routes_v6 && g->leg[i].outside)
			g->leg[g->leg[i].outside].routes_v6 = true;
	if (fill_routes(g, c)) {
		gateway_conf_seal(g);
		return g;
	}
err:
	gateway_conf_destroy(g);
	return NULL;
}

/* --- the plan of the NAT --- */

static uint32_t seconds(uint64_t ms)
{
	return (uint32_t)((ms + 999) / 1000);
}

static void fill_net(struct nat_net *out, const struct conf *c, const struct conf_network *net)
{
	const struct conf_nat *nat = &net->nat;

	*out = (struct nat_net){
		.vid = net->vlan,
		.outside = net->mode == NET_NAT ? (uint16_t)uplink_place(c, net->uplink)
						: NAT_NO_OUTSIDE,
		.is_open = nat->is_open,
		.routes_v6 = nat->ipv6 == IPV6_ROUTED,
		.udp_s = seconds(nat->udp_ms),
		.tcp_s = seconds(nat->tcp_ms),
		.tcp_transitory_s = seconds(nat->tcp_transitory_ms),
		.icmp_s = seconds(nat->icmp_ms),
		.sessions = nat->sessions,
		.per_guest = nat->per_guest,
		.rate = nat->rate,
		.log = nat->log,
		.n_exempt = nat->n_exempt,
	};
	memcpy(out->exempt, nat->exempt, nat->n_exempt * sizeof(nat->exempt[0]));
}

static void fill_pool(struct nat_outside *out, const struct gateway_leg *leg)
{
	out->vid = leg->vid;
	if (leg->v4.is_set)
		out->pool[out->n_pool++] = leg->v4.ip;
	if (leg->v6.is_set)
		out->pool[out->n_pool++] = leg->v6.ip;
	for (unsigned i = 0; i < leg->n_more; i++)
		if (out->n_pool < sizeof(out->pool) / sizeof(out->pool[0]))
			out->pool[out->n_pool++] = leg->more[i].ip;
}

/* One rule for each protocol of a forward; returns how many. */
static unsigned fill_rules(struct nat_rule *out, const struct conf *c,
			   const struct conf_network *net, const struct conf_forward *f,
			   const struct gateway_leg *leg)
{
	size_t uplink = (size_t)uplink_place(c, net->uplink);
	bool is_host = c->uplinks[uplink].kind == UPLINK_HOST;
	const struct prefix *far = ip_is_v4(&f->guest) ? &leg->v4 : &leg->v6;
	unsigned n = 0;

	for (unsigned bit = FORWARD_TCP; bit <= FORWARD_UDP; bit <<= 1) {
		struct nat_rule *r = &out[n];
		struct conf_forward one = *f; /* each protocol is a rule with a name of its own */

		if (!(f->proto & bit))
			continue;
		*r = (struct nat_rule){
			.vid = net->vlan,
			.outside = (uint16_t)uplink,
			.proto = bit == FORWARD_TCP ? PROTO_TCP : PROTO_UDP,
			.first = f->first,
			.last = f->last,
			.guest_first = f->guest_first,
			.guest = f->guest,
			.n_allow = f->n_allow,
		};
		one.proto = (uint8_t)bit;
		conf_forward_id(net->name, &one, r->id);
		/* What the host binds to an address of its own, guests reach by that address, if the host lets them. */
		r->is_outside_only = is_host && f->has_bind;
		if (is_host)
			r->bind = far_of_bind(&far->ip, bind_number(c, uplink, f));
		else if (f->has_bind)
			r->bind = f->bind;
		memcpy(r->allow, f->allow, f->n_allow * sizeof(f->allow[0]));
		n++;
	}
	return n;
}

struct nat_plan *legs_nat_plan(const struct conf *c, const struct gateway_conf *g)
{
	struct nat_net *nets = calloc(c->n_networks + 1, sizeof(*nets));
	struct nat_outside *outsides = calloc(c->n_uplinks + 1, sizeof(*outsides));
	struct nat_rule *rules = calloc(2 * CONF_FORWARDS_MAX, sizeof(*rules));
	struct nat_conf conf = {.nets = nets, .outsides = outsides, .rules = rules};
	struct nat_plan *plan = NULL;

	if (!nets || !outsides || !rules)
		goto out;
	for (size_t i = 0; i < c->n_uplinks; i++)
		fill_pool(&outsides[conf.n_outsides++], &g->leg[g->leg_of[c->uplinks[i].vlan]]);
	for (size_t i = 0; i < c->n_networks; i++) {
		const struct conf_network *net = &c->networks[i];
		const struct gateway_leg *leg;

		if (!has_leg(c, net))
			continue;
		fill_net(&nets[conf.n_nets++], c, net); /* routes have sessions too */
		if (net->mode != NET_NAT)
			continue;
		leg = &g->leg[g->leg[g->leg_of[net->vlan]].outside];
		for (size_t k = 0; k < net->n_forwards; k++)
			conf.n_rules +=
				fill_rules(&rules[conf.n_rules], c, net, &net->forwards[k], leg);
	}
	plan = nat_plan_create(&conf);
out:
	free(nets);
	free(outsides);
	free(rules);
	return plan;
}

/* --- the host's side --- */

static void fill_host_uplink(struct nft_uplink *out, const struct conf *c,
			     const struct conf_uplink *cu)
{
	struct prefix own, far;

	conf_uplink_ifname(cu, out->ifname);
	if (conf_uplink_ends(c, cu, false, &own, &far))
		out->own4 = own.ip, out->far4 = far.ip;
	if (conf_uplink_ends(c, cu, true, &own, &far))
		out->own6 = own.ip, out->far6 = far.ip;
}

static unsigned fill_host_forwards(struct nft_forward *out, const struct conf *c,
				   const struct conf_forward *f, size_t uplink, unsigned place,
				   const struct nft_uplink *ends)
{
	bool is_v6 = !ip_is_v4(&f->guest);
	unsigned n = 0;

	for (unsigned bit = FORWARD_TCP; bit <= FORWARD_UDP; bit <<= 1)
		if (f->proto & bit)
			out[n++] = (struct nft_forward){
				.uplink = (uint16_t)place,
				.proto = bit == FORWARD_TCP ? PROTO_TCP : PROTO_UDP,
				.is_v6 = is_v6,
				.bind = f->has_bind ? f->bind : ANY,
				.to = far_of_bind(is_v6 ? &ends->far6 : &ends->far4,
						  bind_number(c, uplink, f)),
				.first = f->first,
				.last = f->last,
			};
	return n;
}

int legs_host_set(const struct conf *c, struct host_set *set, struct nft_uplink **uplinks,
		  struct nft_forward **forwards)
{
	*set = (struct host_set){0};
	*uplinks = calloc(c->n_uplinks + 1, sizeof(**uplinks));
	*forwards = calloc(2 * CONF_FORWARDS_MAX, sizeof(**forwards));
	if (!*uplinks || !*forwards) {
		free(*uplinks);
		free(*forwards);
		return -ENOMEM;
	}
	for (size_t i = 0; i < c->n_uplinks; i++) {
		unsigned place = set->n_uplinks;

		if (c->uplinks[i].kind != UPLINK_HOST)
			continue;
		set->leaves_forwarding |= c->uplinks[i].leaves_forwarding;
		fill_host_uplink(&(*uplinks)[place], c, &c->uplinks[i]);
		set->n_uplinks++;
		for (size_t k = 0; k < c->n_networks; k++) {
			const struct conf_network *net = &c->networks[k];

			for (size_t j = 0; is_forward_of(c, net, i) && j < net->n_forwards; j++)
				set->n_forwards += fill_host_forwards(&(*forwards)[set->n_forwards],
								      c, &net->forwards[j], i,
								      place, &(*uplinks)[place]);
		}
	}
	return 0;
}
