/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf_check_ways: forwards, which are the ways in, and routes between networks: part of conf_validate().
 *
 * Outside ports belong to the uplink, so forwards of all networks on one uplink are judged together: sorted by uplink,
 * protocol, family and port, each is compared with those that reach furthest among the ones before it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "switch/conf_check.h"

/* --- Prefixes --- */

struct net_prefix {
	const struct prefix *p;
	const struct conf_network *n;
};

static int compare_prefixes(const void *a, const void *b)
{
	const struct net_prefix *x = a, *y = b;
	int order = memcmp(&x->p->ip, &y->p->ip, sizeof(x->p->ip));

	if (order)
		return order;
	return x->p->len != y->p->len ? x->p->len - y->p->len : (x->n > y->n) - (x->n < y->n);
}

/* Two prefixes are apart or one holds the other, so when any two overlap, two neighbours in the sorted list do. */
int conf_check_apart(struct check *k, const struct conf_network *const *nets, size_t n_nets,
		     const char *key)
{
	struct net_prefix *list = calloc(n_nets + 1, sizeof(*list));
	const struct conf_key *field = conf_key_find(conf_networks.keys, key);
	size_t n = 0;
	int err = list ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < n_nets; i++) {
		const struct prefix *p = conf_field(nets[i], field->at);

		if (p->is_set)
			list[n++] = (struct net_prefix){p, nets[i]};
	}
	if (!err)
		qsort(list, n, sizeof(*list), compare_prefixes);
	for (size_t i = 1; !err && i < n; i++) {
		bool is_swapped = list[i - 1].n > list[i].n;

		if (prefix_overlaps(list[i - 1].p, list[i].p))
			err = conf_wrong(k, &conf_networks, list[i - is_swapped].n, key,
					 "%s overlaps the prefix of network \"%s\"", key,
					 list[i - !is_swapped].n->name);
	}
	free(list);
	return err;
}

/* --- Forwards --- */

/* Outside ports of one protocol that a forward takes. */
struct taken {
	const struct conf_network *n;
	const struct conf_forward *f;
	const struct conf_uplink *u;
	uint8_t proto;
	size_t order; /* in the text */
};

/* Fills the error for a forward. */
__attribute__((format(printf, 4, 5))) static int wrong_forward(struct check *k,
							       const struct conf_network *n,
							       const struct conf_forward *f,
							       const char *fmt, ...)
{
	char text[CONF_WHY];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	conf_wrong(k, &conf_networks, n, "forwards", "forward \"%s\": %s", f->spec, text);
	snprintf(k->err->path, sizeof(k->err->path), "networks.%s.forwards[%zu]", n->name,
		 (size_t)(f - n->forwards));
	if (f->line && k->err->line) {
		k->err->line = f->line;
		k->err->column = f->column;
	}
	return -EINVAL;
}

static bool is_loopback(const struct ip *ip)
{
	static const struct ip loop6 = {.b = {[15] = 1}};

	return ip_is_v4(ip) ? ip->b[12] == 127 : ip_equal(ip, &loop6);
}

/* An uplink that may have that address: a host's are known to the host alone, those of DHCP to nobody yet. */
static bool may_have(const struct conf_uplink *u, const struct ip *ip)
{
	bool is_v4 = ip_is_v4(ip);

	if (u->kind == UPLINK_HOST)
		return is_v4 || !is_loopback(ip); /* the kernel has no way back to ::1 */
	if (is_loopback(ip))
		return false;
	for (unsigned i = 0; i < u->n_more; i++)
		if (ip_equal(&u->more[i].ip, ip))
			return true;
	return is_v4 ? u->dhcp || (u->address.is_set && ip_equal(&u->address.ip, ip))
		     : u->address6.is_set && ip_equal(&u->address6.ip, ip);
}

static int check_forward(struct check *k, const struct conf_network *n,
			 const struct conf_forward *f, const struct conf_uplink *u)
{
	bool is_v4 = ip_is_v4(&f->guest);
	const struct prefix *inside = is_v4 ? &n->ipv4 : &n->ipv6;
	struct ip gateway = prefix_first(inside);

	if (is_v4)
		conf_network_gateway(n, &gateway);
	if (!inside->is_set || !conf_is_host_of(inside, &f->guest))
		return wrong_forward(k, n, f, "the guest is not a host in the network's prefix");
	if (ip_equal(&gateway, &f->guest))
		return wrong_forward(k, n, f, "the guest's address is that of the gateway");
	if (!is_v4 && n->nat.ipv6 == IPV6_ROUTED)
		return wrong_forward(k, n, f,
				     "the network's IPv6 is routed: no port is translated");
	if (f->has_bind && !may_have(u, &f->bind))
		return wrong_forward(k, n, f, "it is bound to no address of uplink \"%s\"",
				     u->name);
	for (unsigned i = 0; i < f->n_allow; i++)
		if (ip_is_v4(&f->allow[i].ip) != is_v4)
			return wrong_forward(k, n, f, "allow-from is of another family");
	return 0;
}

static int compare_taken(const struct taken *x, const struct taken *y)
{
	bool is_v4 = ip_is_v4(&x->f->guest);

	if (x->u != y->u)
		return x->u < y->u ? -1 : 1;
	if (x->proto != y->proto)
		return x->proto - y->proto;
	return is_v4 != ip_is_v4(&y->f->guest) ? (is_v4 ? -1 : 1) : 0;
}

static int compare_ports(const void *a, const void *b)
{
	const struct taken *x = a, *y = b;
	int order = compare_taken(x, y);

	if (!order)
		order = x->f->first - y->f->first;
	return order ? order : (x->order > y->order) - (x->order < y->order);
}

static int compare_binds(const void *a, const void *b)
{
	const struct taken *x = a, *y = b;
	int order = compare_taken(x, y);

	if (!order)
		order = memcmp(&x->f->bind, &y->f->bind, sizeof(x->f->bind));
	return order ? order : compare_ports(a, b);
}

static bool overlaps(const struct taken *before, const struct taken *t)
{
	return before && !compare_taken(before, t) && before->f->last >= t->f->first;
}

static int wrong_overlap(struct check *k, const struct taken *a, const struct taken *b)
{
	const struct taken *first = a->order < b->order ? a : b, *second = first == a ? b : a;
	char id[CONF_SPEC_SIZE];

	return wrong_forward(k, second->n, second->f, "overlaps %s, which is on uplink \"%s\" too",
			     conf_forward_id(first->n->name, first->f, id), first->u->name);
}

/* Which of two reaches further. */
static const struct taken *further(const struct taken *a, const struct taken *b)
{
	return !a || compare_taken(a, b) || a->f->last < b->f->last ? b : a;
}

static struct ip plus(struct ip ip, unsigned n)
{
	for (unsigned i = 16; i-- > 0; n >>= 8) {
		n += ip.b[i];
		ip.b[i] = (uint8_t)n;
	}
	return ip;
}

/* How many binds a host uplink's link has far addresses for. */
static unsigned room_for_binds(const struct conf *c, const struct conf_uplink *u, bool is_v4)
{
	struct prefix own, far;
	unsigned n = 0;
	struct ip ip;

	if (!conf_uplink_ends(c, u, !is_v4, &own, &far))
		return 0;
	for (; n < CONF_BINDS_MAX; n++) {
		ip = plus(far.ip, n + 1);
		if (!conf_is_host_of(&far, &ip) || ip_equal(&ip, &own.ip))
			break;
	}
	return n;
}

/* The different binds on each host uplink; t is sorted by them within uplink, protocol and family. */
static int check_binds(struct check *k, const struct taken *t, size_t n)
{
	const struct conf_uplink *u = NULL;
	struct ip seen[2 * CONF_BINDS_MAX];
	unsigned n_seen = 0, of_family[2] = {0}, j;

	for (size_t i = 0; i < n; i++) {
		const struct conf_forward *f = t[i].f;
		bool is_v4 = ip_is_v4(&f->guest);

		if (u != t[i].u)
			n_seen = of_family[0] = of_family[1] = 0;
		u = t[i].u;
		if (u->kind != UPLINK_HOST || !f->has_bind)
			continue;
		for (j = 0; j < n_seen && !ip_equal(&seen[j], &f->bind); j++)
			continue;
		if (j < n_seen)
			continue;
		if (of_family[is_v4]++ == room_for_binds(k->c, u, is_v4))
			return wrong_forward(k, t[i].n, f,
					     "uplink \"%s\" has room for %u addresses to bind to",
					     u->name, of_family[is_v4] - 1);
		seen[n_seen++] = f->bind;
	}
	return 0;
}

/* Two that are bound to the same, which are neighbours by bind; then one of all addresses and any other. */
static int check_taken(struct check *k, struct taken *t, size_t n)
{
	const struct taken *any = NULL, *one = NULL;
	int err = 0;

	qsort(t, n, sizeof(*t), compare_binds);
	for (size_t i = 1; i < n && !err; i++)
		if (overlaps(&t[i - 1], &t[i]) && ip_equal(&t[i - 1].f->bind, &t[i].f->bind))
			err = wrong_overlap(k, &t[i - 1], &t[i]);
	if (!err)
		err = check_binds(k, t, n);
	qsort(t, n, sizeof(*t), compare_ports);
	for (size_t i = 0; i < n && !err; i++) {
		const struct taken *rival = t[i].f->has_bind ? any : one;

		if (overlaps(rival, &t[i]))
			err = wrong_overlap(k, rival, &t[i]);
		if (t[i].f->has_bind)
			one = further(one, &t[i]);
		else
			any = further(any, &t[i]);
	}
	return err;
}

/* Checks the forwards of a network and notes what they take. */
static int take_forwards(struct check *k, const struct conf_network *net, struct taken *all,
			 size_t *n)
{
	const struct conf_uplink *u = conf_find_uplink(k->c, net->uplink);
	int err = 0;

	for (size_t i = 0; i < net->n_forwards && !err; i++) {
		const struct conf_forward *f = &net->forwards[i];

		err = check_forward(k, net, f, u);
		for (uint8_t proto = FORWARD_TCP; proto <= FORWARD_UDP; proto++) {
			if (f->proto & proto)
				all[*n] = (struct taken){net, f, u, proto, *n};
			*n += (f->proto & proto) != 0;
		}
	}
	return err;
}

int conf_check_forwards(struct check *k)
{
	const struct conf *c = k->c;
	struct taken *all;
	size_t n = 0;
	int err = 0;

	for (size_t i = 0; i < c->n_networks; i++)
		n += c->networks[i].n_forwards;
	all = calloc(2 * n + 1, sizeof(*all));
	if (!all)
		return -ENOMEM;
	n = 0;
	for (size_t i = 0; i < c->n_networks && !err; i++)
		err = take_forwards(k, &c->networks[i], all, &n);
	if (!err)
		err = check_taken(k, all, n);
	free(all);
	return err;
}

/* --- Routes --- */

__attribute__((format(printf, 3, 4))) static int wrong_route(struct check *k,
							     const struct conf_route *r,
							     const char *fmt, ...)
{
	va_list ap;

	*k->err = (struct conf_error){.line = r->line, .column = r->column};
	snprintf(k->err->path, sizeof(k->err->path), "routes[%zu]", (size_t)(r - k->c->routes));
	snprintf(k->err->object, sizeof(k->err->object), "route from %.38s to %.38s", r->from,
		 r->to);
	va_start(ap, fmt);
	vsnprintf(k->err->text, sizeof(k->err->text), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int check_route_end(struct check *k, const struct conf_route *r, const char *name)
{
	const struct conf_network *n = conf_find_network(k->c, name);
	const struct conf_network *old = k->keep ? conf_find_network(k->keep, name) : NULL;
	char near[CONF_QUOTE];

	if (n && (n->mode == NET_NAT || n->mode == NET_HOST_ONLY))
		return 0;
	if (n)
		return wrong_route(k, r,
				   "network \"%s\" has no gateway: only nat and host-only "
				   "networks have",
				   name);
	if (r->line || !old)
		return wrong_route(k, r, "network \"%s\" does not exist%s", name,
				   conf_nearest(name, k->c->index->networks.name, near));
	conf_wrong(k, &conf_networks, old, NULL, "the route from %s to %s is still there", r->from,
		   r->to);
	k->err->line = k->err->column = 0;
	return -EINVAL;
}

static int compare_routes(const void *a, const void *b)
{
	const struct conf_route *const *x = a, *const *y = b;
	int order = strcmp((*x)->from, (*y)->from);

	return order ? order : strcmp((*x)->to, (*y)->to);
}

static int check_once(struct check *k)
{
	const struct conf *c = k->c;
	const struct conf_route **sorted = calloc(c->n_routes + 1, sizeof(*sorted));
	int err = sorted ? 0 : -ENOMEM;

	for (size_t i = 0; sorted && i < c->n_routes; i++)
		sorted[i] = &c->routes[i];
	if (sorted)
		qsort(sorted, c->n_routes, sizeof(*sorted), compare_routes);
	for (size_t i = 1; i < c->n_routes && !err; i++)
		if (!compare_routes(&sorted[i - 1], &sorted[i]))
			err = wrong_route(k, sorted[i], "is there twice");
	free(sorted);
	return err;
}

/* A packet for a network, or an answer from it, must find one network alone: its own prefix and those of all that routes
 * join with it. */
static int check_joined(struct check *k, const struct conf_network *n)
{
	const struct conf *c = k->c;
	const struct conf_network **nets = calloc(2 * c->n_routes + 1, sizeof(*nets));
	bool *seen = calloc(c->n_networks, sizeof(*seen));
	size_t n_nets = 0;
	int err = nets && seen ? 0 : -ENOMEM;

	if (!err) {
		nets[n_nets++] = n;
		seen[n - c->networks] = true;
	}
	for (size_t i = 0; i < c->n_routes && !err; i++) {
		const struct conf_route *r = &c->routes[i];
		const char *name = !strcmp(r->from, n->name) ? r->to
				   : !strcmp(r->to, n->name) ? r->from
							     : NULL;
		const struct conf_network *other = name ? conf_find_network(c, name) : NULL;

		if (!other || seen[other - c->networks])
			continue;
		seen[other - c->networks] = true;
		nets[n_nets++] = other;
	}
	if (!err)
		err = conf_check_apart(k, nets, n_nets, "ipv4");
	if (!err)
		err = conf_check_apart(k, nets, n_nets, "ipv6");
	free(nets);
	free(seen);
	return err;
}

int conf_check_routes(struct check *k)
{
	const struct conf *c = k->c;
	int err = 0;

	for (size_t i = 0; i < c->n_routes && !err; i++) {
		const struct conf_route *r = &c->routes[i];

		err = check_route_end(k, r, r->from);
		if (!err)
			err = check_route_end(k, r, r->to);
		if (!err && !strcmp(r->from, r->to))
			err = wrong_route(k, r, "leads nowhere");
	}
	if (!err)
		err = check_once(k);
	for (size_t i = 0; i < c->n_routes && !err; i++) {
		err = check_joined(k, conf_find_network(c, c->routes[i].from));
		if (!err)
			err = check_joined(k, conf_find_network(c, c->routes[i].to));
	}
	return err;
}
