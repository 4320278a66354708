/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lessor_taps: ports with `ipv4: dhcp`: the switch, which is the DHCP server of their network, takes a lease for them and has the
 * broker put address and default route on the tap.  So a namespace needs no DHCP client, and has its address as soon as it has
 * its port.
 *
 * The lease is the port's, by its name: it stays the same whatever MAC the kernel gives the tap.  It is renewed at its half,
 * like any other, and given back when the port goes.  A port whose tap is not there yet waits: the notice of its coming brings
 * another lessor_apply().
 */
#include <stdio.h>
#include <string.h>

#include "switch/base/log.h"
#include "switch/device.h"
#include "switch/lessor_internal.h"
#include "switch/want.h"

enum { RETRY_MS = 10000 };

static const struct ip NO_IP;

static void id_of(struct lease_id *id, const char *port)
{
	size_t n = strlen(port);

	id->b[0] = LEASE_BY_PORT;
	memcpy(id->b + 1, port, n);
	id->len = (uint16_t)(n + 1);
}

void lessor_tap_leaves(struct lessor *l, unsigned slot)
{
	struct lessor_port *p = &l->port[slot];
	struct lease_pool *pool = ip_equal(&p->leased, &NO_IP)
					  ? NULL
					  : leases_pool_find(l->leases, p->leased_net, false);
	struct lease_id id;
	struct lease *lease;

	id_of(&id, p->name);
	lease = pool ? leases_find(l->leases, pool, &id) : NULL;
	if (lease && lease->state != LEASE_PAST)
		leases_release(l->leases, lease, clock_ms());
	p->leased = NO_IP;
}

/* Puts the address of the lease on the tap; false: it did not take it. */
static bool set_address(struct lessor *l, struct port *p, const struct conf_port *cp,
			const struct dhcp_net *n, const struct lease *lease)
{
	struct want want = want_of_port(l->d->conf, cp);
	char why[TAP_TEXT_SIZE];

	want.spec.ipv4 = n->v4;
	want.spec.ipv4.ip = lease->ip;
	if (!cp->has_gateway && n->is_router) {
		want.spec.gateway = n->v4.ip;
		want.spec.has_gateway = true;
	}
	if (device_set(p, &want, why) == 0)
		return true;
	log_limited(LOG_LEVEL_WARN, "port %s: its lease: %s", p->name, why);
	return false;
}

/* When the port wants to be looked at again. */
static uint64_t lease_to(struct lessor *l, struct port *p, const struct conf_port *cp,
			 const struct dhcp_net *n, uint64_t now_ms)
{
	struct lessor_port *lp = &l->port[p->slot];
	const struct dhcp_reservation *r;
	struct lease_want w = {.name = p->name, .port = p->name, .mac = p->mac};
	struct lease_id id;
	enum lease_why why;
	struct lease *lease;
	uint64_t span_ms = n->lease_s == UINT32_MAX ? UINT64_MAX : n->lease_s * UINT64_C(1000);

	if (!ip_equal(&lp->leased, &NO_IP) && strcmp(lp->leased_net, n->name) != 0)
		lessor_tap_leaves(l, p->slot);
	id_of(&id, p->name);
	w.id = &id;
	r = dhcp_net_reservation(n, NULL, &p->mac, p->name);
	if (r && ip_is_v4(&r->ip)) {
		w.has_fixed = true;
		w.fixed = r->ip;
	}
	lease = leases_offer(l->leases, n->pool4, &w, now_ms, &why);
	if (!lease) {
		log_limited(LOG_LEVEL_WARN, "port %s: network %s has no address for it", p->name,
			    n->name);
		return now_ms + RETRY_MS;
	}
	if ((lease->state != LEASE_BOUND || lease->end_ms == UINT64_MAX ||
	     lease->end_ms - now_ms <= span_ms / 2) &&
	    !leases_bind(l->leases, lease, &w,
			 span_ms == UINT64_MAX ? UINT64_MAX : now_ms + span_ms))
		return now_ms + RETRY_MS;
	if (!ip_equal(&lp->leased, &lease->ip)) {
		if (!set_address(l, p, cp, n, lease))
			return now_ms + RETRY_MS;
		lp->leased = lease->ip;
		snprintf(lp->leased_net, sizeof(lp->leased_net), "%s", n->name);
	}
	return lease->end_ms == UINT64_MAX ? UINT64_MAX : lease->end_ms - span_ms / 2;
}

uint64_t lessor_taps_tick(struct lessor *l, uint64_t now_ms)
{
	const struct conf *c = l->d->conf;
	uint64_t due_ms = UINT64_MAX;

	if (now_ms < l->taps_ms)
		return l->taps_ms;
	for (size_t i = 0; i < c->n_ports; i++) {
		const struct conf_port *cp = &c->ports[i];
		const struct conf_network *net =
			cp->dhcp && *cp->network ? conf_find_network(c, cp->network) : NULL;
		const struct dhcp_net *n = net ? l->net[net->vlan] : NULL;
		struct port *p = n && n->pool4 ? device_port(l->d, cp->name) : NULL;
		uint64_t next_ms;

		if (!p || atomic_load(&p->state) == PORT_WAITING)
			continue;
		next_ms = lease_to(l, p, cp, n, now_ms);
		if (next_ms < due_ms)
			due_ms = next_ms;
	}
	l->taps_ms = due_ms;
	return due_ms;
}
