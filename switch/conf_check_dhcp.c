/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf_check_dhcp: addresses and names: part of conf_validate().
 *
 * Each network alone: what it serves, its ranges, its reservations, which no two may have the same of; then the zones, which no two
 * networks may share.  Reservations are sorted by each of their keys, so that thousands are judged in milliseconds.
 *
 * A reservation by port holds for a port of the network, also for one that the lab runner makes of a container's interface.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "switch/conf_check.h"

/* Fills the error for a key of `dhcp`; NULL: the whole. */
__attribute__((format(printf, 4, 5))) static int wrong_key(struct check *k,
							   const struct conf_network *n,
							   const char *key, const char *fmt, ...)
{
	char text[CONF_WHY];
	size_t used;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	conf_wrong(k, &conf_networks, n, "dhcp", "%s", text);
	used = strlen(k->err->path);
	if (key)
		snprintf(k->err->path + used, sizeof(k->err->path) - used, ".%s", key);
	return -EINVAL;
}

/* The same of a reservation. */
__attribute__((format(printf, 4, 5))) static int wrong_reservation(struct check *k,
								   const struct conf_network *n,
								   const struct conf_reservation *r,
								   const char *fmt, ...)
{
	static const struct ip none;
	char text[CONF_WHY - IP_TEXT - 32], ip[IP_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	wrong_key(k, n, NULL, "reservation of %s: %s",
		  ip_text(ip_equal(&r->ip, &none) ? &r->ip6 : &r->ip, ip), text);
	snprintf(k->err->path, sizeof(k->err->path), "networks.%s.dhcp.reservations[%zu]", n->name,
		 (size_t)(r - n->dhcp.reservations));
	if (r->line && k->err->line) {
		k->err->line = r->line;
		k->err->column = r->column;
	}
	return -EINVAL;
}

static bool is_given(const struct ip *ip)
{
	static const struct ip none;

	return !ip_equal(ip, &none);
}

static bool is_between(const struct ip *ip, const struct ip *first, const struct ip *last)
{
	return memcmp(first, ip, sizeof(*ip)) <= 0 && memcmp(ip, last, sizeof(*ip)) <= 0;
}

/* DHCPv6 is served where the gateway advertises the prefix; in a host-only network the kernel is the router. */
static bool may_serve6(const struct conf_network *n)
{
	return n->ipv6.is_set && (n->mode == NET_NAT || n->mode == NET_INTERNAL);
}

/* The address of the switch in that network; false: it has none of the family. */
static bool own_address(const struct conf_network *n, bool is_v4, struct ip *out)
{
	if (is_v4)
		return conf_network_gateway(n, out);
	*out = prefix_first(&n->ipv6);
	return n->ipv6.is_set;
}

/* --- A network --- */

static int check_range(struct check *k, const struct conf_network *n, const char *key,
		       const struct ip *first, const struct ip *last)
{
	bool is_v4 = ip_is_v4(first);
	const struct prefix *net = is_v4 ? &n->ipv4 : &n->ipv6;
	struct ip own;

	if (!own_address(n, is_v4, &own))
		return conf_missing(
			k, wrong_key(k, n, key, "%s needs %s", key, is_v4 ? "ipv4" : "ipv6"));
	if (!conf_is_host_of(net, first) || !conf_is_host_of(net, last))
		return wrong_key(k, n, key,
				 "%s does not lie among the hosts of the network's prefix", key);
	if (is_between(&own, first, last))
		return wrong_key(k, n, key, "%s holds the address of the gateway", key);
	return 0;
}

static int check_served(struct check *k, const struct conf_network *n)
{
	const struct conf_dhcp *d = &n->dhcp;
	int err = 0;

	if (n->mode == NET_BRIDGED)
		return wrong_key(k, n, NULL,
				 "a bridged network has the addresses of the real one: leave out "
				 "dhcp");
	if (is_given(&d->first))
		err = check_range(k, n, "range", &d->first, &d->last);
	if (!err && !n->ipv4.is_set && !may_serve6(n))
		err = conf_missing(k, wrong_key(k, n, NULL, "dhcp needs ipv4"));
	if (!err && d->ipv6 == CONF_DHCP6_STATEFUL && !may_serve6(n))
		err = n->ipv6.is_set
			      ? wrong_key(k, n, "ipv6",
					  "ipv6 stateful goes with mode nat and internal alone")
			      : conf_missing(k,
					     wrong_key(k, n, "ipv6", "ipv6 stateful needs ipv6"));
	if (!err && is_given(&d->first6) && d->ipv6 != CONF_DHCP6_STATEFUL)
		err = conf_missing(
			k, wrong_key(k, n, "range6", "range6 goes with ipv6 stateful alone"));
	if (!err && is_given(&d->first6))
		err = check_range(k, n, "range6", &d->first6, &d->last6);
	for (unsigned i = 0; !err && i < d->n_ntp6; i++)
		if (ip_is_v4(&d->ntp6[i]))
			err = wrong_key(
				k, n, "ntp6",
				"ntp6 has IPv6 addresses; those of IPv4 are the option ntp");
	for (unsigned i = 0; !err && i < d->n_relays; i++)
		if (!ip_is_v4(&d->relays[i]))
			err = wrong_key(k, n, "relays",
					"relays has IPv4 addresses: DHCPv6 is not relayed");
	return err;
}

/* Names that dhcp/dns.c answers itself in every network, and the reverse zones. */
static bool is_taken_zone(const char *domain)
{
	static const char *const taken[] = {"vfab",	     "internal",	 "localhost",
					    "host.internal", "gateway.internal", "arpa"};
	const char *dot = strrchr(domain, '.');

	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (!strcmp(taken[i], domain))
			return true;
	return dot && (!strcmp(dot + 1, "arpa") || !strcmp(dot + 1, "localhost"));
}

static int check_names(struct check *k, const struct conf_network *n)
{
	bool has_dhcp, has_dns = n->n_dns, has_ra = n->ipv6.is_set && n->mode == NET_NAT;
	const char *key = n->domain[0] ? "domain" : "dns";
	struct ip first, last;
	char text[IP_TEXT];

	if (!n->domain[0] && !has_dns)
		return 0;
	has_dhcp = conf_network_dhcp(n, &first, &last) ||
		   conf_network_dhcp6(n, &first, &last) != CONF_DHCP6_OFF;
	if (n->mode == NET_BRIDGED)
		return conf_wrong(k, &conf_networks, n, key,
				  "a bridged network has the names of the real one: leave out %s",
				  key);
	if (!has_dhcp && !(has_dns && !n->domain[0] && has_ra))
		return conf_wrong(k, &conf_networks, n, key,
				  "%s is told by DHCP, which the network does not serve", key);
	for (unsigned i = 0; i < n->n_dns; i++)
		if (!(ip_is_v4(&n->dns[i]) ? n->ipv4.is_set : n->ipv6.is_set))
			return conf_wrong(k, &conf_networks, n, "dns",
					  "the network has no %s to reach %s with",
					  ip_is_v4(&n->dns[i]) ? "ipv4" : "ipv6",
					  ip_text(&n->dns[i], text));
	if (is_taken_zone(n->domain))
		return conf_wrong(k, &conf_networks, n, "domain",
				  "domain \"%s\" is one that the switch answers itself", n->domain);
	return 0;
}

/* --- Reservations --- */

/* The ports that the lab runner makes, by name. */
struct nic_port {
	char name[CONF_NAME_SIZE];
	const char *network;
};
struct nic_ports {
	struct nic_port *list;
	size_t n;
};

static int compare_nic_ports(const void *a, const void *b)
{
	return strcmp(((const struct nic_port *)a)->name, ((const struct nic_port *)b)->name);
}

static int gather_nic_ports(const struct conf *c, struct nic_ports *out)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_containers; i++)
		n += c->containers[i].n_nics;
	out->list = calloc(n + 1, sizeof(*out->list));
	if (!out->list)
		return -ENOMEM;
	for (size_t i = 0; i < c->n_containers; i++)
		for (size_t j = 0; j < c->containers[i].n_nics; j++) {
			struct nic_port *p = &out->list[out->n++];

			conf_nic_port(&c->containers[i], j, p->name);
			p->network = c->containers[i].nics[j].network;
		}
	qsort(out->list, n, sizeof(*out->list), compare_nic_ports);
	return 0;
}

static int check_port_of(struct check *k, const struct conf_network *n,
			 const struct conf_reservation *r, const struct nic_ports *nics)
{
	const struct conf_port *p = conf_find_port(k->c, r->port);
	struct nic_port wanted, *nic;
	char near[CONF_QUOTE];

	memcpy(wanted.name, r->port, sizeof(wanted.name));
	nic = bsearch(&wanted, nics->list, nics->n, sizeof(wanted), compare_nic_ports);
	if (!p && !nic)
		return wrong_reservation(k, n, r, "port \"%s\" does not exist%s", r->port,
					 conf_nearest(r->port, k->c->index->ports.name, near));
	if (p ? !conf_port_carries(p, n) : strcmp(nic->network, n->name) != 0)
		return wrong_reservation(k, n, r, "port \"%s\" is not on this network", r->port);
	return 0;
}

static int check_reserved(struct check *k, const struct conf_network *n,
			  const struct conf_reservation *r, const struct ip *ip)
{
	bool is_v4 = ip_is_v4(ip);
	struct ip own;

	if (!is_given(ip))
		return 0;
	if (!own_address(n, is_v4, &own))
		return wrong_reservation(k, n, r, "the network has no %s", is_v4 ? "ipv4" : "ipv6");
	if (!conf_is_host_of(is_v4 ? &n->ipv4 : &n->ipv6, ip))
		return wrong_reservation(k, n, r,
					 "%s is not an address of a host in the network's prefix",
					 is_v4 ? "ip" : "ip6");
	if (ip_equal(&own, ip))
		return wrong_reservation(k, n, r, "%s is the address of the gateway",
					 is_v4 ? "ip" : "ip6");
	return 0;
}

/* What no two reservations of a network may have in common: bytes that are not all zero. */
struct unique {
	const char *key;
	uint16_t at, size;
};

#define UNIQUE(key, f, n)                                                                          \
	{                                                                                          \
		key, offsetof(struct conf_reservation, f), n                                       \
	}
static const struct unique uniques[] = {
	UNIQUE("ip", ip, sizeof(struct ip)),
	UNIQUE("ip6", ip6, sizeof(struct ip)),
	UNIQUE("mac", mac, sizeof(struct mac)),
	UNIQUE("client-id", client_id, CONF_CLIENT_ID_SIZE + 1),
	UNIQUE("port", port, CONF_NAME_SIZE),
	UNIQUE("name", name, CONF_LABEL_SIZE),
};

/* By those bytes, then in the order of the text. */
static int compare_reservations(const void *a, const void *b, void *arg)
{
	const struct conf_reservation *const *x = a, *const *y = b;
	const struct unique *u = arg;
	int order = memcmp(conf_field(*x, u->at), conf_field(*y, u->at), u->size);

	return order ? order : (*x > *y) - (*x < *y);
}

static int check_unique(struct check *k, const struct conf_network *n, const struct unique *u,
			const struct conf_reservation **list)
{
	static const uint8_t zero[CONF_CLIENT_ID_SIZE + 1];
	const struct conf_reservation *first = NULL, *second = NULL;
	struct unique arg = *u;
	char ip[IP_TEXT];
	size_t used = 0;

	for (size_t i = 0; i < n->dhcp.n_reservations; i++)
		if (memcmp(conf_field(&n->dhcp.reservations[i], u->at), zero, u->size) != 0)
			list[used++] = &n->dhcp.reservations[i];
	qsort_r(list, used, sizeof(list[0]), compare_reservations, &arg);
	for (size_t i = 1; i < used; i++) {
		if (memcmp(conf_field(list[i - 1], u->at), conf_field(list[i], u->at), u->size) ||
		    (second && second < list[i]))
			continue;
		first = list[i - 1];
		second = list[i];
	}
	if (!second)
		return 0;
	return wrong_reservation(k, n, second, "its %s is that of the reservation of %s already",
				 u->key,
				 ip_text(is_given(&first->ip) ? &first->ip : &first->ip6, ip));
}

static int check_reservations(struct check *k, const struct conf_network *n,
			      const struct nic_ports *nics)
{
	const struct conf_reservation **list;
	int err = 0;

	if (!n->dhcp.n_reservations)
		return 0;
	for (size_t i = 0; i < n->dhcp.n_reservations && !err; i++) {
		const struct conf_reservation *r = &n->dhcp.reservations[i];

		err = check_reserved(k, n, r, &r->ip);
		if (!err)
			err = check_reserved(k, n, r, &r->ip6);
		if (!err && r->port[0])
			err = check_port_of(k, n, r, nics);
	}
	if (err)
		return err;
	list = calloc(n->dhcp.n_reservations, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(uniques) / sizeof(uniques[0]) && !err; i++)
		err = check_unique(k, n, &uniques[i], list);
	free(list);
	return err;
}

/* --- Zones --- */

struct zone {
	char name[CONF_DOMAIN_SIZE];
	const struct conf_network *n;
};

static int compare_zones(const void *a, const void *b)
{
	const struct zone *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : (x->n > y->n) - (x->n < y->n);
}

static int check_zones(struct check *k)
{
	struct zone *zones = calloc(k->c->n_networks + 1, sizeof(*zones));
	const struct zone *second = NULL;
	struct ip first, last;
	size_t n = 0;

	if (!zones)
		return -ENOMEM;
	for (size_t i = 0; i < k->c->n_networks; i++) {
		const struct conf_network *net = &k->c->networks[i];

		if (!conf_network_dhcp(net, &first, &last) &&
		    conf_network_dhcp6(net, &first, &last) == CONF_DHCP6_OFF)
			continue;
		conf_network_zone(net, zones[n].name);
		zones[n++].n = net;
	}
	qsort(zones, n, sizeof(*zones), compare_zones);
	for (size_t i = 1; i < n; i++)
		if (!strcmp(zones[i - 1].name, zones[i].name) &&
		    (!second || zones[i].n < second->n))
			second = &zones[i];
	if (second)
		conf_wrong(k, &conf_networks, second->n, "domain",
			   "its domain \"%s\" is that of network \"%s\" already", second->name,
			   second[-1].n->name);
	free(zones);
	return second ? -EINVAL : 0;
}

int conf_check_dhcp(struct check *k)
{
	const struct conf *c = k->c;
	struct nic_ports nics = {0};
	int err = gather_nic_ports(c, &nics);

	for (size_t i = 0; i < c->n_networks && !err; i++) {
		const struct conf_network *n = &c->networks[i];

		err = n->dhcp.is_asked ? check_served(k, n) : 0;
		if (!err)
			err = check_names(k, n);
		if (!err)
			err = check_reservations(k, n, &nics);
	}
	free(nics.list);
	return err ? err : check_zones(k);
}
