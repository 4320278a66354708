/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * want: called by apply.c alone.  A host-only network wants a port too: its device in the host, with the gateway's addresses.
 */
#include "switch/want.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/fabric.h"

enum { BURST_BYTES_MIN = 128 * 1024, MTU_DEFAULT = 1500 };

static void copy_name(char *dst, size_t size, const char *src)
{
	snprintf(dst, size, "%s", src);
}

static uint32_t mtu_of(const struct conf_port *cp, const struct conf_network *net)
{
	return cp->mtu ? cp->mtu : net && net->mtu ? net->mtu : MTU_DEFAULT;
}

static struct want want_of_guest(const struct conf_port *cp, const struct conf_network *net)
{
	struct want w = {.kind = PORT_VHOST_USER, .conf = cp};

	copy_name(w.spec.port, sizeof(w.spec.port), cp->name);
	w.spec.queues = cp->queues;
	w.spec.mac = cp->mac;
	w.spec.mtu = mtu_of(cp, net);
	copy_name(w.guest.port, sizeof(w.guest.port), cp->name);
	copy_name(w.guest.path, sizeof(w.guest.path), cp->vhost_user);
	copy_name(w.guest.owner, sizeof(w.guest.owner), cp->socket_owner);
	w.guest.mode = cp->socket_mode;
	w.guest.is_client = cp->client;
	return w;
}

struct want want_of_port(const struct conf *c, const struct conf_port *cp)
{
	const struct conf_network *net = *cp->network ? conf_find_network(c, cp->network) : NULL;
	struct want w = {.kind = PORT_TAP, .conf = cp};

	if (*cp->vhost_user)
		return want_of_guest(cp, net);
	copy_name(w.spec.port, sizeof(w.spec.port), cp->name);
	copy_name(w.spec.ifname, sizeof(w.spec.ifname), cp->tap);
	copy_name(w.spec.netns, sizeof(w.spec.netns), cp->netns);
	w.spec.mac = cp->mac;
	w.spec.mtu = mtu_of(cp, net);
	w.spec.queues = cp->queues;
	w.spec.ipv4 = cp->ipv4;
	w.spec.ipv6 = cp->ipv6;
	w.spec.gateway = cp->gateway;
	w.spec.has_gateway = cp->has_gateway;
	w.spec.is_leased = cp->dhcp;
	return w;
}

static struct want want_of_host(const struct conf_network *net)
{
	struct want w = {.kind = PORT_HOST};

	conf_network_ifname(net, w.spec.ifname);
	copy_name(w.spec.port, sizeof(w.spec.port), w.spec.ifname);
	w.spec.mac = fabric_gateway_mac(net->vlan);
	w.spec.mtu = net->mtu ? net->mtu : MTU_DEFAULT;
	w.spec.queues = 1;
	w.spec.ipv4 = net->ipv4;
	w.spec.ipv4.is_set = conf_network_gateway(net, &w.spec.ipv4.ip);
	w.spec.ipv6 = net->ipv6;
	if (net->ipv6.is_set)
		w.spec.ipv6.ip = prefix_first(&net->ipv6);
	return w;
}

/* The tap of a host uplink has the host's end of the link. */
static struct want want_of_host_uplink(const struct conf *c, const struct conf_uplink *u)
{
	struct want w = {.kind = PORT_UPLINK};
	struct prefix own, far;

	copy_name(w.spec.port, sizeof(w.spec.port), u->name);
	conf_uplink_ifname(u, w.spec.ifname);
	w.spec.mtu = MTU_DEFAULT;
	w.spec.queues = 1;
	if (conf_uplink_ends(c, u, false, &own, &far))
		w.spec.ipv4 = own;
	if (conf_uplink_ends(c, u, true, &own, &far))
		w.spec.ipv6 = own;
	return w;
}

static bool is_bridged_on(const struct conf *c, const struct conf_uplink *u)
{
	for (size_t i = 0; i < c->n_networks; i++)
		if (c->networks[i].mode == NET_BRIDGED &&
		    strcmp(c->networks[i].uplink, u->name) == 0)
			return true;
	return false;
}

/* Its own MAC and the addresses that it stands for; the host must have none of them. */
static struct want want_of_link(const struct conf *c, const struct conf_uplink *u)
{
	struct want w = {.kind = PORT_PACKET};
	struct link_spec *l = &w.link;

	copy_name(w.spec.port, sizeof(w.spec.port), u->name);
	copy_name(w.spec.ifname, sizeof(w.spec.ifname), u->interface);
	w.spec.queues = 1;
	copy_name(l->port, sizeof(l->port), u->name);
	copy_name(l->interface, sizeof(l->interface), u->interface);
	l->promisc = is_bridged_on(c, u) || u->mac_mode == UPLINK_MAC_AUTO;
	if (u->mac_mode == UPLINK_MAC_GIVEN)
		l->mac = u->mac;
	if (u->address.is_set)
		l->refused[l->n_refused++] = u->address.ip;
	if (u->address6.is_set)
		l->refused[l->n_refused++] = u->address6.ip;
	for (unsigned i = 0; i < u->n_more; i++)
		l->refused[l->n_refused++] = u->more[i].ip;
	return w;
}

/* Every port that a configuration has; malloc'd. */
struct want *wants_of(const struct conf *c, size_t *n)
{
	struct want *wants = calloc(c->n_ports + c->n_networks + c->n_uplinks + 1, sizeof(*wants));

	*n = 0;
	if (!wants)
		return NULL;
	for (size_t i = 0; i < c->n_ports; i++)
		wants[(*n)++] = want_of_port(c, &c->ports[i]);
	for (size_t i = 0; i < c->n_networks; i++)
		if (c->networks[i].mode == NET_HOST_ONLY)
			wants[(*n)++] = want_of_host(&c->networks[i]);
	for (size_t i = 0; i < c->n_uplinks; i++)
		wants[(*n)++] = c->uplinks[i].kind == UPLINK_HOST
					? want_of_host_uplink(c, &c->uplinks[i])
					: want_of_link(c, &c->uplinks[i]);
	return wants;
}

static bool is_same_socket(const struct guest_spec *a, const struct guest_spec *b)
{
	return strcmp(a->path, b->path) == 0 && strcmp(a->owner, b->owner) == 0 &&
	       a->mode == b->mode && a->is_client == b->is_client;
}

/* Is it the same device, so that the port can stay open? */
bool want_is_same_device(const struct want *a, const struct want *b)
{
	return a->kind == b->kind && strcmp(a->spec.ifname, b->spec.ifname) == 0 &&
	       strcmp(a->spec.netns, b->spec.netns) == 0 && a->spec.queues == b->spec.queues &&
	       is_same_socket(&a->guest, &b->guest);
}

/* A namespace may be named in more than one way, so that the name of the device alone decides. */
bool want_are_rivals(const struct want *a, const struct want *b)
{
	return (*a->spec.ifname && strcmp(a->spec.ifname, b->spec.ifname) == 0) ||
	       (*a->guest.path && strcmp(a->guest.path, b->guest.path) == 0);
}

const struct want *want_find(const struct want *wants, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(wants[i].spec.port, name) == 0)
			return &wants[i];
	return NULL;
}

static bool is_same_link(const struct link_spec *a, const struct link_spec *b)
{
	return a->promisc == b->promisc && memcmp(&a->mac, &b->mac, sizeof(a->mac)) == 0 &&
	       a->n_refused == b->n_refused &&
	       memcmp(a->refused, b->refused, a->n_refused * sizeof(a->refused[0])) == 0;
}

static bool is_same_tap(const struct tap_spec *a, const struct tap_spec *b)
{
	return a->mtu == b->mtu && memcmp(&a->mac, &b->mac, sizeof(a->mac)) == 0 &&
	       memcmp(&a->ipv4, &b->ipv4, sizeof(a->ipv4)) == 0 &&
	       memcmp(&a->ipv6, &b->ipv6, sizeof(a->ipv6)) == 0 &&
	       a->has_gateway == b->has_gateway && ip_equal(&a->gateway, &b->gateway);
}

bool want_is_same_setting(const struct want *a, const struct want *b)
{
	return is_same_tap(&a->spec, &b->spec) && is_same_link(&a->link, &b->link);
}

/* The policer of a port, or NULL when nothing of it is limited; false without memory. */
bool want_police(const struct conf_port *cp, struct police **out)
{
	uint64_t burst = cp->rate_bits / 100; /* 10 ms */
	struct police *police;
	struct {
		struct rate *rate;
		uint64_t pps;
	} storm[3];

	*out = NULL;
	if (!cp->rate_bits && cp->storm_broadcast == UINT64_MAX &&
	    cp->storm_multicast == UINT64_MAX && cp->storm_unknown == UINT64_MAX)
		return true;
	*out = police = calloc(1, sizeof(*police));
	if (!police)
		return false;
	if (burst < 8 * BURST_BYTES_MIN)
		burst = 8 * BURST_BYTES_MIN;
	rate_init(&police->rx, cp->rate_bits, burst);
	rate_init(&police->tx, cp->rate_bits, burst);
	storm[0].rate = &police->broadcast, storm[0].pps = cp->storm_broadcast;
	storm[1].rate = &police->multicast, storm[1].pps = cp->storm_multicast;
	storm[2].rate = &police->unknown, storm[2].pps = cp->storm_unknown;
	for (unsigned i = 0; i < 3; i++) {
		uint64_t pps = storm[i].pps;

		if (pps == UINT64_MAX)
			rate_init(storm[i].rate, 0, 0);
		else /* a burst of 0 lets nothing pass: a limit of 0 */
			rate_init(storm[i].rate, pps ? pps : 1, pps < 10 ? pps : pps / 10);
	}
	return true;
}

bool want_is_same_police(const struct conf_port *a, const struct conf_port *b)
{
	return a->rate_bits == b->rate_bits && a->storm_broadcast == b->storm_broadcast &&
	       a->storm_multicast == b->storm_multicast && a->storm_unknown == b->storm_unknown;
}
