/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * apply: from the running configuration to the next.
 *
 *   1 validate the whole
 *   2 open     ports that are new; ports whose device changes, or goes to another port, are closed first   (can fail: undone)
 *   3 set      MTU, addresses of devices that stay                                 (can fail: undone)
 *     host     nftables and sysctls of the host, for its uplinks                   (can fail: undone)
 *   4 prepare  policers, worker threads, the next fabric, the NAT's plan           (can fail: undone)
 *   5 keep     the text goes to the broker                                         (can fail: undone)
 *   -- commit: from here nothing fails --
 *   6 publish  the new fabric; wait until no worker uses the old one
 *   7 close    ports that are gone; flush what the table knew of them
 *
 * A port that is in both and unchanged is not touched: the same struct port goes into the next fabric.
 */
#include "switch/apply.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "switch/base/log.h"
#include "switch/base/rcu.h"
#include "switch/broker.h"
#include "switch/device.h"
#include "switch/legs.h"
#include "switch/lessor.h"
#include "switch/uplink.h"
#include "switch/want.h"
#include "switch/watch.h"

/* A port that step 2 took out; it stays whole until the end, so that it can come back without memory. */
struct closed {
	struct want want;
	struct port *port;
};

/* A port whose limits change, and the policer that it had; once undone, the one that it would have had. */
struct limits {
	struct port *port;
	struct police *other;
};

/* One call of apply_conf(): what it did, to be undone. */
struct attempt {
	struct daemon *d;
	const struct conf *to;
	bool may_wait;
	struct conf_error *err;
	struct port *next[SLOT_MAX]; /* ports of the next fabric */
	struct want *wants;
	size_t n_wants;
	struct closed *closed;
	size_t n_closed;
	struct fabric *before; /* what was published before the first of them left */
	size_t n_set;	       /* wants whose devices step 3 went over */
	struct limits *limits;
	size_t n_limits;
	struct worker *worker[WORKERS_MAX]; /* other workers, held until they get to work */
	unsigned n_workers;		    /* 0: those that there are stay */
	struct fabric *fab;		    /* the next one */
	struct nat_plan *plan;		    /* and what its NAT works by */
	bool is_host_set;
};

static void copy_name(char *dst, size_t size, const char *src)
{
	snprintf(dst, size, "%s", src);
}

static int fail(struct attempt *a, int error, const char *object, const char *text)
{
	*a->err = (struct conf_error){0};
	if (*object)
		snprintf(a->err->object, sizeof(a->err->object), "%s %s",
			 conf_find_uplink(a->to, object) ? "uplink" : "port", object);
	copy_name(a->err->text, sizeof(a->err->text), text);
	return error;
}

/* The address that the kernel gave a device which this attempt closed: made again it has the same, for its peers know it.
 * One that was configured goes with its port. */
static struct mac mac_before(const struct attempt *a, const struct tap_spec *spec)
{
	for (size_t i = 0; i < a->n_closed; i++) {
		const struct tap_spec *was = &a->closed[i].want.spec;

		if (*spec->ifname && mac_is_zero(&was->mac) &&
		    strcmp(was->ifname, spec->ifname) == 0 && strcmp(was->netns, spec->netns) == 0)
			return a->closed[i].port->first_mac;
	}
	return spec->mac;
}

static int open_port(struct attempt *a, const struct want *w)
{
	struct want want = *w;
	char why[TAP_TEXT_SIZE];
	struct port *p = device_create(a->d, w);
	int rc;

	if (!p)
		return fail(a, -ENOMEM, w->spec.port, "no memory, or too many ports");
	if (mac_is_zero(&want.spec.mac))
		want.spec.mac = mac_before(a, &want.spec);
	rc = device_open(a->d, p, &want, a->may_wait, why);
	if (rc < 0) {
		state_slot_put(a->d->state, p->slot);
		device_free(p);
		return fail(a, rc, w->spec.port, why);
	}
	a->next[p->slot] = p;
	return 0;
}

/* A fabric of conf over ports; NULL without memory. */
static struct fabric *next_fabric(struct daemon *d, const struct conf *conf,
				  struct port *const *ports, unsigned n_workers)
{
	unsigned n_slots = 0;
	struct fabric *fab;

	for (unsigned slot = 0; slot < SLOT_MAX; slot++)
		if (ports[slot])
			n_slots = slot + 1;
	fab = fabric_create(conf, ports, n_slots, d->fdb, n_workers,
			    d->fabric ? d->fabric->generation + 1 : 1);
	if (!fab)
		return NULL;
	fab->loop_id = d->state->loop_id;
	fab->legs = legs_create(conf, d->uplinks, ports);
	if (fab->legs)
		return fab;
	fabric_destroy(fab);
	return NULL;
}

/* Publishes a fabric and waits until no worker uses the old one, which it returns. */
static struct fabric *swap_fabric(struct daemon *d, struct fabric *fab)
{
	struct fabric *old = d->fabric;

	rcu_set(&d->fabric, fab);
	for (unsigned i = 0; i < d->n_workers; i++)
		worker_wake(d->worker[i]);
	rcu_wait();
	return old;
}

static void publish(struct daemon *d, struct fabric *fab)
{
	fabric_destroy(swap_fabric(d, fab));
}

/* Entries of ports that are gone or no longer carry the VLAN, and of legs that are others now. */
static bool is_stale(const struct fdb_entry *e, void *arg)
{
	const struct fabric *fab = arg;
	uint16_t vid = e->key & TCI_VID;
	unsigned leg = fab->legs->leg_of[vid];
	const struct port *p;

	if (e->slot == OUT_LOCAL)
		return !leg || fdb_key_of(fab->legs->leg[leg].mac.b, vid) != e->key;
	if (e->slot >= fab->n_slots || !fab->port[e->slot].port ||
	    !vlan_set_has(&fab->port[e->slot].vlan.carries, vid))
		return true;
	p = fab->port[e->slot].port;
	return (e->flags & FDB_STATIC) && p->kind == PORT_PACKET &&
	       fdb_key_of(p->mac.b, vid) != e->key;
}

struct nat_change {
	struct gateway *gateway;
	struct nat_plan *plan;
	const struct gateway_conf *legs; /* to be announced; NULL: as they were */
};

static void commit_nat(struct forwarder *fwd, void *arg)
{
	struct nat_change *k = arg;

	gateway_lock(k->gateway);
	if (k->plan)
		k->plan = nat_commit(gateway_nat(k->gateway), k->plan);
	if (k->legs)
		gateway_announce(k->gateway, k->legs, fwd->now_ns);
	gateway_unlock(k->gateway);
}

/* The workers' NAT works by that plan from now on. */
static void set_nat(struct daemon *d, struct nat_plan *plan)
{
	struct nat_change change = {.gateway = d->gateway, .plan = plan};

	worker_call(d->worker[0], commit_nat, &change);
	d->nat_plan = plan;
	nat_plan_destroy(change.plan);
}

/* The host behind an interface uplink has the interface's address, and no guest may take it. */
static void pin_hosts(struct daemon *d)
{
	const struct fabric *fab = d->fabric;

	for (uint16_t slot = 0; slot < fab->n_slots; slot++) {
		const struct port *p = fab->port[slot].port;

		if (!p || p->kind != PORT_PACKET || mac_is_zero(&p->mac))
			continue;
		for (uint16_t vid = 1; vid < 4095; vid++) {
			const struct gateway_leg *leg = &fab->legs->leg[fab->legs->leg_of[vid]];

			if (vlan_set_has(&fab->port[slot].vlan.carries, vid) &&
			    memcmp(&leg->mac, &p->mac, sizeof(p->mac)) != 0)
				fdb_add_static(d->fdb, fdb_key_of(p->mac.b, vid), slot, 0);
		}
	}
}

/* Legs of the published fabric: stations for L2, and news for their neighbours. */
static void settle_legs(struct daemon *d)
{
	const struct gateway_conf *legs = d->fabric->legs;
	struct nat_change change = {.gateway = d->gateway, .legs = legs};

	fdb_flush(d->fdb, is_stale, d->fabric, true);
	for (unsigned i = 1; i < legs->n_legs; i++) {
		const struct gateway_leg *leg = &legs->leg[i];

		if (leg->is_host_only || mac_is_zero(&leg->mac))
			continue;
		if (fdb_add_static(d->fdb, fdb_key_of(leg->mac.b, leg->vid), OUT_LOCAL, FDB_LOCAL) <
		    0)
			log_warn("gateway of VLAN %u: no room for its address", leg->vid);
	}
	pin_hosts(d);
	worker_call(d->worker[0], commit_nat, &change);
}

int apply_publish(struct daemon *d)
{
	struct fabric *fab = next_fabric(d, d->conf, d->port, d->n_workers), *old;
	struct nat_plan *plan = fab ? legs_nat_plan(d->conf, fab->legs) : NULL;

	if (!plan) {
		fabric_destroy(fab);
		return -ENOMEM;
	}
	set_nat(d, plan);
	old = swap_fabric(d, fab);
	settle_legs(d);
	fabric_destroy(old);
	uplinks_apply(d->uplinks);
	lessor_apply(d->lessor);
	return 0;
}

/* Closes a port that no fabric shows any more. */
static void close_port(struct daemon *d, struct port *p, bool keeps_slot)
{
	device_close(d, p);
	if (!keeps_slot)
		state_slot_put(d->state, p->slot);
	device_free(p);
}

/* Takes a running port out of the fabric and closes its device, because that will be another. */
static int take_out(struct attempt *a, const struct want *old, struct port *p)
{
	struct daemon *d = a->d;
	struct fabric *fab;

	d->port[p->slot] = NULL;
	fab = next_fabric(d, d->conf, d->port, d->n_workers);
	if (!fab) {
		d->port[p->slot] = p;
		return fail(a, -ENOMEM, p->name, "no memory");
	}
	if (a->before)
		publish(d, fab);
	else
		a->before = swap_fabric(d, fab);
	a->closed[a->n_closed++] = (struct closed){*old, p};
	fdb_flush_slot(d->fdb, p->slot);
	device_close(d, p);
	return 0;
}

/* Some port that is to be opened wants what is behind that one. */
static bool is_wanted(const struct attempt *a, const struct want *old)
{
	for (size_t i = 0; i < a->n_wants; i++)
		if (a->wants[i].is_new && want_are_rivals(&a->wants[i], old))
			return true;
	return false;
}

/* Ports that stay open as they are go into the next fabric; the others are new. */
static void sort_wants(struct attempt *a, const struct want *old, size_t n_old)
{
	for (size_t i = 0; i < a->n_wants; i++) {
		struct want *w = &a->wants[i];
		const struct want *was = want_find(old, n_old, w->spec.port);
		struct port *p = device_port(a->d, w->spec.port);

		w->is_new = !p || !was || !want_is_same_device(was, w);
		if (!w->is_new)
			a->next[p->slot] = p;
	}
}

/* Step 2.  What is in the way goes first, so that ports may take each other's devices. */
static int open_ports(struct attempt *a, const struct want *old, size_t n_old)
{
	int rc = 0;

	sort_wants(a, old, n_old);
	for (size_t i = 0; rc == 0 && i < n_old; i++) {
		const char *name = old[i].spec.port;
		struct port *p = device_port(a->d, name);

		if (!p || a->next[p->slot] == p)
			continue;
		if (want_find(a->wants, a->n_wants, name) || is_wanted(a, &old[i]))
			rc = take_out(a, &old[i], p);
	}
	for (size_t i = 0; rc == 0 && i < a->n_wants; i++)
		if (a->wants[i].is_new)
			rc = open_port(a, &a->wants[i]);
	return rc;
}

/* Step 3: devices that stay and get another MTU, MAC or address. */
static int set_ports(struct attempt *a, const struct want *old, size_t n_old)
{
	for (; a->n_set < a->n_wants; a->n_set++) {
		struct want *w = &a->wants[a->n_set];
		const struct want *was = want_find(old, n_old, w->spec.port);
		struct port *p = device_port(a->d, w->spec.port);
		char why[TAP_TEXT_SIZE];
		int rc;

		if (!was || !p || a->next[p->slot] != p || want_is_same_setting(was, w))
			continue;
		rc = device_set(p, w, why);
		if (rc < 0)
			return fail(a, rc, w->spec.port, why);
	}
	return 0;
}

/* Ports that step 2 took out, into the fabric again: a new one, as their MACs may be others, or the very one that was. */
static void bring_back(struct attempt *a)
{
	struct daemon *d = a->d;
	struct fabric *fab;

	for (size_t i = 0; i < a->n_closed; i++) {
		struct want *w = &a->closed[i].want;
		struct port *p = a->closed[i].port;
		char why[TAP_TEXT_SIZE];

		if (mac_is_zero(&w->spec.mac))
			w->spec.mac = p->first_mac;
		if (device_open(d, p, w, true, why) < 0) {
			state_event(d->state, "port_lost", p->name, "could not be opened again: %s",
				    why);
			log_err("port %s: could not be opened again: %s", p->name, why);
			atomic_store(&p->state, PORT_DOWN);
		}
		d->port[p->slot] = p;
	}
	fab = next_fabric(d, d->conf, d->port, d->n_workers);
	if (!fab) {
		fab = a->before;
		fab->generation = d->fabric->generation + 1;
		a->before = NULL;
	}
	publish(d, fab);
	a->n_closed = 0;
}

/* The fabric is as it was; devices go back too, as well as they can. */
static void undo(struct attempt *a, const struct want *old, size_t n_old)
{
	struct daemon *d = a->d;
	char why[LINK_TEXT_SIZE];

	if (a->is_host_set)
		uplinks_set_host(d->uplinks, d->conf, a->to, why);
	for (size_t i = 0; i < a->n_set; i++) {
		const struct want *was = want_find(old, n_old, a->wants[i].spec.port);
		struct port *p = was ? device_port(d, was->spec.port) : NULL;

		if (p && !want_is_same_setting(was, &a->wants[i]))
			device_set(p, was, why);
	}
	for (unsigned slot = 0; slot < SLOT_MAX; slot++)
		if (a->next[slot] && a->next[slot] != d->port[slot])
			close_port(d, a->next[slot],
				   want_find(old, n_old, a->next[slot]->name) != NULL);
	if (a->n_closed)
		bring_back(a);
}

/* The port of the next fabric with that name. */
static struct port *next_port(const struct attempt *a, const char *name)
{
	for (unsigned slot = 0; slot < SLOT_MAX; slot++)
		if (a->next[slot] && strcmp(a->next[slot]->name, name) == 0)
			return a->next[slot];
	return NULL;
}

/* Before step 4: the host's side of its uplinks. */
static int set_host(struct attempt *a)
{
	char why[LINK_TEXT_SIZE];
	int rc = uplinks_set_host(a->d->uplinks, a->to, a->d->fabric ? a->d->conf : NULL, why);

	if (rc < 0)
		return fail(a, rc, "", *why ? why : strerror(-rc));
	a->is_host_set = true;
	return 0;
}

/* New policers where limits change.  Workers see a policer by their fabric only, so it can be in its port before. */
static int prepare_limits(struct attempt *a)
{
	a->limits = calloc(a->n_wants + 1, sizeof(*a->limits));
	if (!a->limits)
		return -ENOMEM;
	for (size_t i = 0; i < a->n_wants; i++) {
		const struct conf_port *cp = a->wants[i].conf;
		const struct conf_port *was = cp ? conf_find_port(a->d->conf, cp->name) : NULL;
		struct port *p = cp ? next_port(a, cp->name) : NULL;
		struct police *police;

		if (!p || (!a->wants[i].is_new && was && want_is_same_police(was, cp)))
			continue;
		if (!want_police(cp, &police))
			return -ENOMEM;
		a->limits[a->n_limits++] = (struct limits){p, p->police};
		p->police = police;
	}
	return 0;
}

static void undo_limits(struct attempt *a)
{
	for (size_t i = 0; i < a->n_limits; i++) {
		struct port *p = a->limits[i].port;
		struct police *police;

		assert(p);
		police = p->police;
		p->police = a->limits[i].other;
		a->limits[i].other = police;
	}
}

/* Static entries of a configuration: the file's, and the gateway address of each host-only network. */
typedef void (*see_static)(struct daemon *d, const struct conf *other, fdb_key key,
			   const char *port, uint16_t flags);

static void walk_statics(struct daemon *d, const struct conf *c, const struct conf *other,
			 see_static see)
{
	for (size_t i = 0; i < c->n_networks; i++) {
		const struct conf_network *net = &c->networks[i];
		struct mac gateway = fabric_gateway_mac(net->vlan);
		char ifname[CONF_IFNAME_SIZE];

		for (size_t k = 0; k < net->n_macs; k++)
			see(d, other, fdb_key_of(net->macs[k].mac.b, net->vlan), net->macs[k].port,
			    FDB_STATIC);
		if (net->mode == NET_HOST_ONLY)
			see(d, other, fdb_key_of(gateway.b, net->vlan),
			    conf_network_ifname(net, ifname), FDB_STATIC | FDB_LOCAL);
	}
}

static void add_static(struct daemon *d, const struct conf *other, fdb_key key, const char *port,
		       uint16_t flags)
{
	struct port *p = device_port(d, port);

	(void)other;
	if (p && fdb_add_static(d->fdb, key, p->slot, flags) < 0)
		log_warn("port %s: no room for a static entry", port);
}

/* Takes out an entry of the old configuration that the next one does not have. */
static void drop_static(struct daemon *d, const struct conf *other, fdb_key key, const char *port,
			uint16_t flags)
{
	(void)port;
	(void)flags;
	for (size_t i = 0; i < other->n_networks; i++) {
		const struct conf_network *net = &other->networks[i];
		struct mac gateway = fabric_gateway_mac(net->vlan);

		if (net->vlan != (key & TCI_VID))
			continue;
		if (net->mode == NET_HOST_ONLY && fdb_key_of(gateway.b, net->vlan) == key)
			return;
		for (size_t k = 0; k < net->n_macs; k++)
			if (fdb_key_of(net->macs[k].mac.b, net->vlan) == key)
				return;
	}
	fdb_del(d->fdb, key);
}

static size_t count_workers(const struct conf *c)
{
	return c->workers.n_cpus ? c->workers.n_cpus : 1;
}

static bool has_same_workers(const struct conf *a, const struct conf *b)
{
	return a->workers.n_cpus == b->workers.n_cpus &&
	       memcmp(a->workers.cpus, b->workers.cpus,
		      a->workers.n_cpus * sizeof(a->workers.cpus[0])) == 0;
}

static int prepare_workers(struct attempt *a)
{
	const struct conf *to = a->to;
	unsigned n = (unsigned)count_workers(to);

	if (a->d->n_workers && has_same_workers(a->d->conf, to))
		return 0;
	for (; a->n_workers < n; a->n_workers++) {
		int cpu = to->workers.n_cpus ? to->workers.cpus[a->n_workers] : -1;
		struct worker *w = worker_start(a->n_workers, cpu, &a->d->fabric);

		if (!w)
			return -errno;
		worker_forwarder(w)->gateway = a->d->gateway;
		worker_forwarder(w)->guard = a->d->guard;
		a->worker[a->n_workers] = w;
	}
	return 0;
}

/* Step 4: everything that needs memory or a thread. */
static int prepare(struct attempt *a)
{
	struct daemon *d = a->d;
	int rc = prepare_limits(a);

	if (rc == 0)
		rc = prepare_workers(a);
	if (rc < 0)
		return fail(a, rc, "", "no memory, or no thread");
	a->fab = next_fabric(d, a->to, a->next, a->n_workers ? a->n_workers : d->n_workers);
	a->plan = a->fab ? legs_nat_plan(a->to, a->fab->legs) : NULL;
	return a->plan ? 0 : fail(a, -ENOMEM, "", "no memory");
}

static void undo_prepare(struct attempt *a)
{
	undo_limits(a);
	while (a->n_workers > 0)
		worker_stop(a->worker[--a->n_workers]);
	fabric_destroy(a->fab);
	nat_plan_destroy(a->plan);
}

/* Other workers: the old ones stop before the new fabric is there, so that no queue is ever received by two. */
static void replace_workers(struct attempt *a)
{
	struct daemon *d = a->d;

	for (unsigned i = 0; i < d->n_workers; i++) {
		worker_stop(d->worker[i]);
		d->worker[i] = NULL;
	}
	memcpy(d->worker, a->worker, a->n_workers * sizeof(a->worker[0]));
	d->n_workers = a->n_workers;
	watch_publish(d); /* new workers have new recorders */
}

/* Ports that come and go by verb or file; those of the start are no news. */
static void tell_ports(const struct attempt *a, struct port *const *gone, size_t n_gone)
{
	char object[EVENT_OBJECT_SIZE];

	if (!a->d->ctl)
		return;
	for (size_t i = 0; i < n_gone; i++) {
		snprintf(object, sizeof(object), "port %s", gone[i]->name);
		state_event(a->d->state, "port_del", object, "removed");
	}
	for (size_t i = 0; i < a->n_wants; i++) {
		if (!a->wants[i].is_new)
			continue;
		snprintf(object, sizeof(object), "port %s", a->wants[i].spec.port);
		state_event(a->d->state, "port_add", object, "added, %s %s",
			    a->wants[i].kind == PORT_VHOST_USER ? "socket" : "device",
			    a->wants[i].kind == PORT_VHOST_USER ? a->wants[i].guest.path
								: a->wants[i].spec.ifname);
	}
}

/* Steps 6 and 7. */
static void commit(struct attempt *a, struct conf *to)
{
	struct daemon *d = a->d;
	struct port *gone[SLOT_MAX];
	struct conf *old = d->conf;
	struct fabric *was;
	size_t n_gone = 0;

	for (unsigned slot = 0; slot < SLOT_MAX; slot++) {
		const struct conf_port *cp =
			a->next[slot] ? conf_find_port(to, a->next[slot]->name) : NULL;

		if (d->port[slot] && d->port[slot] != a->next[slot])
			gone[n_gone++] = d->port[slot];
		d->port[slot] = a->next[slot];
		if (cp)
			atomic_store(&d->fdb->port_limit[slot], cp->mac_limit);
	}
	for (size_t i = 0; i < a->n_closed; i++) {
		if (want_find(a->wants, a->n_wants, a->closed[i].port->name))
			continue;
		gone[n_gone++] = a->closed[i].port;
		a->closed[i].port = NULL;
	}
	d->conf = to;
	walk_statics(d, old, to, drop_static);
	if (d->n_workers)
		uplinks_leave(d->uplinks, to);
	if (a->n_workers)
		replace_workers(a);
	set_nat(d, a->plan);
	was = swap_fabric(d, a->fab);
	for (unsigned i = 0; i < a->n_workers; i++)
		worker_go(d->worker[i]);
	settle_legs(d);
	fabric_destroy(was);
	walk_statics(d, to, NULL, add_static);
	uplinks_apply(d->uplinks);
	lessor_apply(d->lessor);
	tell_ports(a, gone, n_gone);
	while (n_gone > 0)
		close_port(d, gone[--n_gone], false);
	conf_destroy(old);
}

/* The same to the letter: nothing at all is to be done. */
static bool is_unchanged(const struct daemon *d, const struct conf *to)
{
	char *was = conf_print(d->conf), *now = conf_print(to);
	bool is_same = d->fabric && was && now && strcmp(was, now) == 0;

	free(was);
	free(now);
	return is_same;
}

static int keep_text(struct attempt *a)
{
	char *text = conf_print(a->to), why[128];
	int rc = text ? broker_conf_keep(text, strlen(text)) : -ENOMEM;

	free(text);
	if (rc == 0)
		return 0;
	snprintf(why, sizeof(why), "the configuration could not be kept: %s", strerror(-rc));
	return fail(a, rc, "", why);
}

/* What is left of an attempt once the old fabric is not used any more, or stands again. */
static void free_attempt(struct attempt *a)
{
	for (size_t i = 0; i < a->n_limits; i++)
		free(a->limits[i].other);
	for (size_t i = 0; i < a->n_closed; i++)
		device_free(a->closed[i].port);
	fabric_destroy(a->before);
	free(a->limits);
	free(a->closed);
	free(a->wants);
}

int apply_conf(struct daemon *d, struct conf *to, bool may_wait, struct conf_error *err)
{
	struct attempt *a = calloc(1, sizeof(*a));
	struct want *old = NULL;
	size_t n_old = 0;
	int rc = a ? conf_validate(to, d->conf, err) : -ENOMEM;

	if (rc < 0 || is_unchanged(d, to))
		goto out;
	*a = (struct attempt){.d = d, .to = to, .may_wait = may_wait, .err = err};
	old = wants_of(d->conf, &n_old);
	a->wants = wants_of(to, &a->n_wants);
	a->closed = calloc(n_old + 1, sizeof(*a->closed));
	rc = old && a->wants && a->closed ? 0 : fail(a, -ENOMEM, "", "no memory");
	if (rc == 0)
		rc = open_ports(a, old, n_old);
	if (rc == 0)
		rc = set_ports(a, old, n_old);
	if (rc == 0)
		rc = set_host(a);
	if (rc == 0)
		rc = prepare(a);
	if (rc == 0)
		rc = keep_text(a);
	if (rc == 0) {
		commit(a, to);
		to = NULL;
	} else {
		undo_prepare(a);
		undo(a, old, n_old);
	}
	free_attempt(a);
out:
	conf_destroy(to);
	free(old);
	free(a);
	if (rc < 0 && !*err->text)
		copy_name(err->text, sizeof(err->text), "no memory");
	return rc;
}

void apply_tap_notice(struct daemon *d, const struct tap_answer *a, const int *fds, unsigned n_fds)
{
	struct port *p = device_port(d, a->port);
	char object[EVENT_OBJECT_SIZE];

	/* No such port any more, or the answer to a later request overtook this notice. */
	if (!p || (int32_t)(a->serial - p->tap_serial) <= 0) {
		while (n_fds > 0)
			close(fds[--n_fds]);
		return;
	}
	device_take_tap(d, p, a, fds);
	if (a->state != PORT_UP)
		fdb_flush_slot(d->fdb, p->slot);
	snprintf(object, sizeof(object), "port %s", p->name);
	state_event(d->state,
		    a->state == PORT_UP	    ? "port_up"
		    : a->state == PORT_DOWN ? "port_down"
					    : "port_waiting",
		    object, "%s", a->text);
	apply_publish(d);
}
