/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lessor_ties: what hangs on a lease: its line in the journal, its names, what `guard: strict` lets its port use, and the event.
 *
 * A lease gives its address two names: the one that the client says it has, and, behind an access port, that of the port (a
 * container's, a VM's).  dns.c knows which source is the stronger one.
 *
 * A strict port is bound to the addresses of its leases, to reservations by its name or by its MAC, and to the addresses that the
 * configuration puts on its tap.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/base/log.h"
#include "switch/lessor_internal.h"

static const struct ip NO_IP;

static struct dhcp_net *net_of(const struct lease *lease)
{
	return lease_pool_range(lease->pool)->arg;
}

static struct port *port_named(const struct lessor *l, const char *name)
{
	if (*name && l->d->port[l->asking] && strcmp(l->port[l->asking].name, name) == 0)
		return l->d->port[l->asking];
	for (unsigned slot = 0; *name && slot < SLOT_MAX; slot++)
		if (l->d->port[slot] && strcmp(l->port[slot].name, name) == 0)
			return l->d->port[slot];
	return NULL;
}

bool lessor_is_tied(void *lessor, const char *port)
{
	const struct lessor *l = lessor;
	const struct port *p = port_named(l, port);

	return p && l->port[p->slot].is_strict && atomic_load(&p->state) == PORT_UP;
}

bool lessor_is_there(void *lessor, const char *port)
{
	const struct port *p = port_named(lessor, port);

	return p && atomic_load(&p->state) == PORT_UP;
}

/* --- names --- */

/* Who says that he is called so: the same for both families, so that nobody gets the IPv6 half of another's name. */
static uint64_t owner_of(const struct lease *lease)
{
	uint64_t owner = 0;

	memcpy(&owner, &lease->mac, sizeof(lease->mac));
	return owner;
}

static void name_lease(struct lessor *l, const struct lease *lease)
{
	const struct dhcp_net *n = net_of(lease);
	const struct port *p = port_named(l, lease->port);
	char label[LEASE_NAME_SIZE];

	if (*lease->name)
		dns_name_claim(l->dns, n->vid, lease->name, &lease->ip, owner_of(lease));
	else
		dns_name_drop(l->dns, n->vid, DNS_OF_LEASE, &lease->ip);
	if (p && !lease->is_relayed && !l->port[p->slot].is_shared &&
	    lease_name_clean((const uint8_t *)lease->port, strlen(lease->port), label))
		dns_name_set(l->dns, n->vid, DNS_OF_PORT, label, &lease->ip);
}

static void unname(struct lessor *l, const struct lease *lease)
{
	const struct dhcp_net *n = net_of(lease);

	dns_name_drop(l->dns, n->vid, DNS_OF_LEASE, &lease->ip);
	dns_name_drop(l->dns, n->vid, DNS_OF_PORT, &lease->ip);
}

/* --- guard --- */

static uint32_t end_s_of(uint64_t end_ms)
{
	uint64_t end_s = end_ms / 1000 + (end_ms % 1000 > 0);

	return end_s < UINT32_MAX ? (uint32_t)end_s : UINT32_MAX;
}

static const char *bind_words(int rc)
{
	return rc == -EADDRINUSE ? "it is another port's, or the gateway's"
	       : rc == -ENOSPC	 ? "the port has as many as it may"
				 : "no memory";
}

static void guard_lease(struct lessor *l, const struct lease *lease)
{
	const struct port *p = port_named(l, lease->port);
	const struct guard_binding b = {
		.vid = net_of(lease)->vid,
		.mac = lease->mac,
		.ip = lease->ip,
		.end_s = end_s_of(lease->end_ms),
	};

	char text[IP_TEXT];
	int rc;

	if (!p || !l->port[p->slot].is_strict) {
		guard_unbind(l->d->guard, b.vid, &b.ip, false);
		return;
	}
	rc = guard_bind(l->d->guard, p->slot, &b);
	if (rc < 0)
		log_limited(LOG_LEVEL_WARN, "port %s: guard: %s is not let through: %s", p->name,
			    ip_text(&b.ip, text), bind_words(rc));
}

/* --- news --- */

static void tell(struct lessor *l, const struct lease *lease, const char *kind, const char *what)
{
	char ip[IP_TEXT], mac[MAC_TEXT], object[EVENT_OBJECT_SIZE];

	if (!rate_take(&l->events, 1, clock_ns())) {
		l->untold++;
		return;
	}
	if (l->untold > 0) {
		state_event(l->d->state, "lease_many", "", "%llu events of leases were not told",
			    (unsigned long long)l->untold);
		l->untold = 0;
	}
	snprintf(object, sizeof(object), "network %s", net_of(lease)->name);
	state_event(l->d->state, kind, object, "%s %s, %s%s%s, port %s", ip_text(&lease->ip, ip),
		    what, mac_text(&lease->mac, mac), *lease->name ? " " : "", lease->name,
		    *lease->port ? lease->port : "none");
}

/* The lease is nobody's any more: who said so is the port that is asking. */
static void tell_conflict(struct lessor *l, const struct lease *lease)
{
	char ip[IP_TEXT], object[EVENT_OBJECT_SIZE];

	if (!rate_take(&l->events, 1, clock_ns())) {
		l->untold++;
		return;
	}
	snprintf(object, sizeof(object), "network %s", net_of(lease)->name);
	state_event(l->d->state, "lease_conflict", object,
		    "%s is in use by somebody else, says port %s: not given for a while",
		    ip_text(&lease->ip, ip), l->port[l->asking].name);
}

void lessor_news(void *lessor, const struct lease *lease, enum lease_news news)
{
	struct lessor *l = lessor;
	const struct journal_clock now = lessor_clock(l);

	journal_note(l->journal, lease, news, &now);
	if (!lease->pool)
		return; /* of a network that is not there */
	if (news != LEASE_NEW && news != LEASE_RENEWED && lease->id_len > 0 &&
	    lease->id[0] == LEASE_BY_PORT)
		l->taps_ms = 0; /* its tap wants another */
	if (news == LEASE_NEW || news == LEASE_RENEWED) {
		name_lease(l, lease);
		guard_lease(l, lease);
	} else {
		unname(l, lease);
		guard_unbind(l->d->guard, net_of(lease)->vid, &lease->ip, false);
	}
	switch (news) {
	case LEASE_NEW:
		tell(l, lease, "lease_new", "given");
		break;
	case LEASE_ENDED:
		tell(l, lease, "lease_end", "not renewed");
		break;
	case LEASE_RELEASED:
		tell(l, lease, "lease_release", "given back");
		break;
	case LEASE_REFUSED:
		tell_conflict(l, lease);
		break;
	case LEASE_RENEWED:
	case LEASE_GONE:
		break;
	}
}

static bool tie(void *lessor, const struct lease *lease)
{
	if (lease->state == LEASE_BOUND) {
		name_lease(lessor, lease);
		guard_lease(lessor, lease);
	}
	return true;
}

void lessor_tie_again(struct lessor *l, const struct dhcp_net *net)
{
	if (net->pool4)
		leases_each_of(l->leases, net->pool4, tie, l);
	if (net->pool6)
		leases_each_of(l->leases, net->pool6, tie, l);
}

/* --- a configuration --- */

bool lessor_apply_ports(struct lessor *l)
{
	bool is_new = false;

	for (unsigned slot = 0; slot < SLOT_MAX; slot++) {
		const struct port *p = l->d->port[slot];
		const struct conf_port *cp = p ? conf_find_port(l->d->conf, p->name) : NULL;
		struct lessor_port next = {0};

		if (p)
			snprintf(next.name, sizeof(next.name), "%s", p->name);
		next.is_shared = p && !(cp && *cp->network);
		next.is_strict = cp && cp->guard == GUARD_STRICT;
		if (l->port[slot].is_strict &&
		    (!next.is_strict || strcmp(next.name, l->port[slot].name) != 0))
			guard_forget(l->d->guard, (uint16_t)slot);
		is_new |= next.is_strict &&
			  (!l->port[slot].is_strict || strcmp(next.name, l->port[slot].name) != 0);
		next.device = p;
		if (p == l->port[slot].device) {
			next.n_claims = l->port[slot].n_claims;
			next.claims_ms = l->port[slot].claims_ms;
		}
		if (cp && cp->dhcp && p == l->port[slot].device) {
			next.leased = l->port[slot].leased;
			memcpy(next.leased_net, l->port[slot].leased_net, sizeof(next.leased_net));
		}
		if (!ip_equal(&l->port[slot].leased, &next.leased))
			lessor_tap_leaves(l, slot);
		l->port[slot] = next;
	}
	return is_new;
}

static void see_networks(struct lessor *l)
{
	const struct gateway_conf *legs = l->d->fabric->legs;

	for (size_t i = 0; i < l->d->conf->n_networks; i++) {
		const struct conf_network *net = &l->d->conf->networks[i];
		const struct gateway_leg *leg = &legs->leg[legs->leg_of[net->vlan]];
		struct guard_net g = {.vid = net->vlan};

		if (leg->vid) {
			g.gateway = leg->mac;
			g.own4 = leg->v4.is_set ? leg->v4.ip : NO_IP;
			g.own6 = leg->v6.is_set ? leg->v6.ip : NO_IP;
			if (leg->advertises && leg->is_slaac)
				g.slaac = leg->v6;
		}
		if (guard_net(l->d->guard, &g) < 0)
			log_err("network %s: guard: no memory", net->name);
	}
}

static void add_fixed(struct guard_binding *list, unsigned *n, uint16_t vid, const struct mac *mac,
		      const struct ip *ip)
{
	static const struct mac any;

	list[(*n)++] = (struct guard_binding){
		.vid = vid,
		.mac = mac ? *mac : any,
		.ip = *ip,
		.end_s = UINT32_MAX,
		.is_fixed = true,
	};
}

/* What the configuration says of a strict port's addresses. */
static void bind_fixed(struct lessor *l, unsigned slot, const struct conf_port *cp, uint16_t vid)
{
	const struct dhcp_net *net = l->net[vid];
	const struct mac mac = mac_is_zero(&cp->mac) ? l->d->port[slot]->first_mac : cp->mac;
	const struct dhcp_reservation *r =
		net ? dhcp_net_reservation(net, NULL, &mac, cp->name) : NULL;
	struct guard_binding list[4];
	unsigned n = 0;
	int rc;

	if (cp->ipv4.is_set)
		add_fixed(list, &n, vid, NULL, &cp->ipv4.ip);
	if (cp->ipv6.is_set)
		add_fixed(list, &n, vid, NULL, &cp->ipv6.ip);
	if (r && ip_is_v4(&r->ip))
		add_fixed(list, &n, vid, &r->mac, &r->ip);
	if (r && !ip_equal(&r->ip6, &NO_IP))
		add_fixed(list, &n, vid, &r->mac, &r->ip6);
	rc = guard_set_fixed(l->d->guard, (uint16_t)slot, list, n);
	if (rc < 0)
		log_warn("port %s: guard: an address of the configuration is not let through: %s",
			 cp->name, bind_words(rc));
}

static void name_static(struct lessor *l, uint16_t vid, const char *label, const struct prefix *p)
{
	if (!p->is_set || dns_name_set(l->dns, vid, DNS_OF_PORT, label, &p->ip) < 0)
		return;
	l->names[l->n_names++] = (struct static_name){vid, p->ip};
}

/* Names of the ports that have addresses of their own. */
static void name_ports(struct lessor *l)
{
	const struct conf *c = l->d->conf;
	struct static_name *room = calloc(2 * c->n_ports + 1, sizeof(*room));
	char label[LEASE_NAME_SIZE];

	for (size_t i = 0; i < l->n_names; i++)
		dns_name_drop(l->dns, l->names[i].vid, DNS_OF_PORT, &l->names[i].ip);
	free(l->names);
	l->names = room;
	l->n_names = 0;
	for (size_t i = 0; room && i < c->n_ports; i++) {
		const struct conf_port *p = &c->ports[i];
		const struct conf_network *net =
			*p->network ? conf_find_network(c, p->network) : NULL;

		if (!net || !lease_name_clean((const uint8_t *)p->name, strlen(p->name), label))
			continue;
		name_static(l, net->vlan, label, &p->ipv4);
		name_static(l, net->vlan, label, &p->ipv6);
	}
}

void lessor_apply_ties(struct lessor *l, bool is_new)
{
	const struct conf *c = l->d->conf;

	see_networks(l);
	name_ports(l);
	for (unsigned slot = 0; slot < SLOT_MAX; slot++) {
		const struct conf_port *cp =
			l->port[slot].is_strict ? conf_find_port(c, l->port[slot].name) : NULL;
		const struct conf_network *net =
			cp && *cp->network ? conf_find_network(c, cp->network) : NULL;

		if (cp)
			bind_fixed(l, slot, cp, net ? net->vlan : cp->tag);
	}
	for (unsigned vid = 0; is_new && vid < VLANS; vid++)
		if (l->net[vid])
			lessor_tie_again(l, l->net[vid]);
}
