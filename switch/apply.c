/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * apply: from the running configuration to the next.
 *
 *   1 validate the whole
 *   2 open     ports that are new; ports whose device changes are closed first     (can fail: undone)
 *   3 set      MTU, addresses of devices that stay                                 (can fail: undone)
 *   4 keep     the text goes to the broker                                         (can fail: undone)
 *   -- commit: from here nothing fails --
 *   5 publish  a new fabric; wait until no worker uses the old one
 *   6 close    ports that are gone; flush what the table knew of them
 *
 * A port that is in both and unchanged is not touched: the same struct port goes into the next fabric.
 */
#include "switch/apply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "switch/base/log.h"
#include "switch/base/rcu.h"
#include "switch/broker.h"
#include "switch/port/tap.h"
#include "switch/watch.h"

enum { BURST_BYTES_MIN = 128 * 1024, LOOP_CAP_PPS = 100, MTU_DEFAULT = 1500 };

/* A port that the next configuration wants: of a conf_port, or of a host-only network. */
struct want {
	struct tap_spec spec;
	enum port_kind kind;
	const struct conf_port *conf; /* NULL: the device of a host-only network */
	bool is_new;		      /* opened by this attempt */
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
	struct tap_spec *closed; /* specs of ports that step 2 closed, to be opened again */
	size_t n_closed;
	size_t n_set; /* wants whose devices step 3 went over */
};

static void copy_name(char *dst, size_t size, const char *src)
{
	snprintf(dst, size, "%s", src);
}

static struct want want_of_port(const struct conf *c, const struct conf_port *cp)
{
	const struct conf_network *net = *cp->network ? conf_find_network(c, cp->network) : NULL;
	struct want w = {.kind = PORT_TAP, .conf = cp};

	copy_name(w.spec.port, sizeof(w.spec.port), cp->name);
	copy_name(w.spec.ifname, sizeof(w.spec.ifname), cp->tap);
	copy_name(w.spec.netns, sizeof(w.spec.netns), cp->netns);
	w.spec.mac = cp->mac;
	w.spec.mtu = cp->mtu ? cp->mtu : net && net->mtu ? net->mtu : MTU_DEFAULT;
	w.spec.queues = cp->queues;
	w.spec.ipv4 = cp->ipv4;
	w.spec.ipv6 = cp->ipv6;
	w.spec.gateway = cp->gateway;
	w.spec.has_gateway = cp->has_gateway;
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

/* Every port that a configuration has; malloc'd. */
static struct want *wants_of(const struct conf *c, size_t *n)
{
	struct want *wants = calloc(c->n_ports + c->n_networks + 1, sizeof(*wants));

	*n = 0;
	if (!wants)
		return NULL;
	for (size_t i = 0; i < c->n_ports; i++)
		wants[(*n)++] = want_of_port(c, &c->ports[i]);
	for (size_t i = 0; i < c->n_networks; i++)
		if (c->networks[i].mode == NET_HOST_ONLY)
			wants[(*n)++] = want_of_host(&c->networks[i]);
	return wants;
}

static int fail(struct attempt *a, int error, const char *object, const char *text)
{
	*a->err = (struct conf_error){0};
	if (*object)
		snprintf(a->err->object, sizeof(a->err->object), "port %s", object);
	copy_name(a->err->text, sizeof(a->err->text), text);
	return error;
}

static struct port *port_of(struct daemon *d, const char *name)
{
	for (unsigned slot = 0; slot < SLOT_MAX; slot++)
		if (d->port[slot] && strcmp(d->port[slot]->name, name) == 0)
			return d->port[slot];
	return NULL;
}

void apply_port_free(struct port *p)
{
	if (!p)
		return;
	if (p->ops)
		p->ops->close(p);
	free(p->police);
	free(p);
}

/* A struct port without descriptors, in the slot that its name has. */
static struct port *port_create(struct daemon *d, const struct want *w)
{
	struct port *p;
	int slot = state_slot_take(d->state, w->spec.port);

	if (slot < 0 || posix_memalign((void **)&p, 64, sizeof(*p)) != 0)
		return NULL;
	memset(p, 0, sizeof(*p));
	p->kind = w->kind;
	copy_name(p->name, sizeof(p->name), w->spec.port);
	p->slot = (uint16_t)slot;
	p->queues = w->spec.queues;
	rate_init(&p->loop_cap, LOOP_CAP_PPS, LOOP_CAP_PPS);
	if (tap_open(p) < 0) {
		free(p);
		return NULL;
	}
	return p;
}

static void take_answer(struct port *p, const struct tap_answer *a, const int *fds)
{
	p->mac = a->mac;
	p->tap_serial = a->serial;
	if (a->n_fds > 0)
		tap_attach(p, fds, a->n_fds, a->can);
	atomic_store(&p->state, a->state);
}

static int open_port(struct attempt *a, struct want *w)
{
	struct tap_answer answer = {0};
	int fds[PORT_QUEUES_MAX];
	struct port *p = port_create(a->d, w);
	int rc;

	if (!p)
		return fail(a, -ENOMEM, w->spec.port, "no memory, or too many ports");
	w->spec.may_wait = a->may_wait;
	rc = broker_tap_open(&w->spec, &answer, fds);
	if (rc < 0) {
		state_slot_put(a->d->state, p->slot);
		apply_port_free(p);
		return fail(a, rc, w->spec.port, *answer.text ? answer.text : strerror(-rc));
	}
	take_answer(p, &answer, fds);
	a->next[p->slot] = p;
	w->is_new = true;
	return 0;
}

/* Publishes a fabric of conf over ports, waits until the old one is free and destroys it. */
static int publish(struct daemon *d, const struct conf *conf, struct port *const *ports,
		   unsigned n_workers)
{
	struct fabric *old = d->fabric;
	unsigned n_slots = 0;
	struct fabric *fab;

	for (unsigned slot = 0; slot < SLOT_MAX; slot++)
		if (ports[slot])
			n_slots = slot + 1;
	fab = fabric_create(conf, ports, n_slots, d->fdb, n_workers, old ? old->generation + 1 : 1);
	if (!fab)
		return -ENOMEM;
	fab->loop_id = d->state->loop_id;
	rcu_set(&d->fabric, fab);
	for (unsigned i = 0; i < d->n_workers; i++)
		worker_wake(d->worker[i]);
	rcu_wait();
	fabric_destroy(old);
	return 0;
}

int apply_publish(struct daemon *d)
{
	return publish(d, d->conf, d->port, d->n_workers);
}

static void forget_fds(struct daemon *d, const struct port *p)
{
	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++) {
		int fd = atomic_load(&p->fd[q]);

		for (unsigned i = 0; fd >= 0 && i < d->n_workers; i++)
			worker_forget(d->worker[i], fd);
	}
}

/* Closes a port that no fabric shows any more. */
static void close_port(struct daemon *d, struct port *p, bool keeps_slot)
{
	forget_fds(d, p);
	broker_tap_close(p->name);
	if (!keeps_slot)
		state_slot_put(d->state, p->slot);
	apply_port_free(p);
}

static bool is_of_slot(const struct fdb_entry *e, void *arg)
{
	const uint16_t *slot = arg;

	return e->slot == *slot;
}

/* Is it the same device, so that the port can stay open? */
static bool is_same_device(const struct tap_spec *a, const struct tap_spec *b)
{
	return strcmp(a->ifname, b->ifname) == 0 && strcmp(a->netns, b->netns) == 0 &&
	       a->queues == b->queues;
}

static const struct want *find_want(const struct want *wants, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(wants[i].spec.port, name) == 0)
			return &wants[i];
	return NULL;
}

/* Takes a running port out of the fabric and closes it, because its device will be another. */
static int take_out(struct attempt *a, const struct tap_spec *old, struct port *p)
{
	struct daemon *d = a->d;
	int rc;

	d->port[p->slot] = NULL;
	rc = apply_publish(d);
	if (rc < 0) {
		d->port[p->slot] = p;
		return fail(a, rc, p->name, "no memory");
	}
	a->closed[a->n_closed++] = *old;
	fdb_flush(d->fdb, is_of_slot, &p->slot, false);
	close_port(d, p, true);
	return 0;
}

/* Step 2. */
static int open_ports(struct attempt *a, const struct want *old, size_t n_old)
{
	for (size_t i = 0; i < a->n_wants; i++) {
		struct want *w = &a->wants[i];
		const struct want *was = find_want(old, n_old, w->spec.port);
		struct port *p = port_of(a->d, w->spec.port);
		int rc;

		if (p && was && is_same_device(&was->spec, &w->spec) && was->kind == w->kind) {
			a->next[p->slot] = p;
			continue;
		}
		if (p && was) {
			rc = take_out(a, &was->spec, p);
			if (rc < 0)
				return rc;
		}
		rc = open_port(a, w);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static bool is_same_setting(const struct tap_spec *a, const struct tap_spec *b)
{
	return a->mtu == b->mtu && memcmp(&a->mac, &b->mac, sizeof(a->mac)) == 0 &&
	       memcmp(&a->ipv4, &b->ipv4, sizeof(a->ipv4)) == 0 &&
	       memcmp(&a->ipv6, &b->ipv6, sizeof(a->ipv6)) == 0 &&
	       a->has_gateway == b->has_gateway && ip_equal(&a->gateway, &b->gateway);
}

/* Step 3: devices that stay and get another MTU, MAC or address. */
static int set_ports(struct attempt *a, const struct want *old, size_t n_old)
{
	for (; a->n_set < a->n_wants; a->n_set++) {
		struct want *w = &a->wants[a->n_set];
		const struct want *was = find_want(old, n_old, w->spec.port);
		struct tap_answer answer = {0};
		struct port *p = port_of(a->d, w->spec.port);
		int rc;

		if (!was || !p || a->next[p->slot] != p || is_same_setting(&was->spec, &w->spec))
			continue;
		rc = broker_tap_set(&w->spec, &answer);
		if (rc < 0)
			return fail(a, rc, w->spec.port,
				    *answer.text ? answer.text : strerror(-rc));
		p->mac = answer.mac;
		p->tap_serial = answer.serial;
	}
	return 0;
}

/* The fabric is as it was; devices go back too, as well as they can. */
static void undo(struct attempt *a, const struct want *old, size_t n_old)
{
	struct daemon *d = a->d;

	for (size_t i = 0; i < a->n_set; i++) {
		const struct want *was = find_want(old, n_old, a->wants[i].spec.port);
		struct tap_answer answer;

		if (was && !is_same_setting(&was->spec, &a->wants[i].spec))
			broker_tap_set(&was->spec, &answer);
	}
	for (unsigned slot = 0; slot < SLOT_MAX; slot++)
		if (a->next[slot] && a->next[slot] != d->port[slot])
			close_port(d, a->next[slot],
				   find_want(old, n_old, a->next[slot]->name) != NULL);
	for (size_t i = 0; i < a->n_closed; i++) {
		const struct want *was = find_want(old, n_old, a->closed[i].port);
		struct attempt again = {.d = d, .may_wait = true, .err = &(struct conf_error){0}};
		struct want w = *was;

		if (open_port(&again, &w) < 0) {
			state_event(d->state, "port_lost", again.err->object,
				    "could not be opened again: %s", again.err->text);
			log_err("%s: could not be opened again: %s", again.err->object,
				again.err->text);
			continue;
		}
		for (unsigned slot = 0; slot < SLOT_MAX; slot++)
			if (again.next[slot])
				d->port[slot] = again.next[slot];
	}
	if (a->n_closed)
		apply_publish(d);
}

static struct police *police_of(const struct conf_port *cp)
{
	uint64_t burst = cp->rate_bits / 100; /* 10 ms */
	struct police *police;
	struct {
		struct rate *rate;
		uint64_t pps;
	} storm[3];

	if (!cp->rate_bits && cp->storm_broadcast == UINT64_MAX &&
	    cp->storm_multicast == UINT64_MAX && cp->storm_unknown == UINT64_MAX)
		return NULL;
	police = calloc(1, sizeof(*police));
	if (!police)
		return NULL;
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
	return police;
}

static bool has_same_limits(const struct conf_port *a, const struct conf_port *b)
{
	return a->rate_bits == b->rate_bits && a->storm_broadcast == b->storm_broadcast &&
	       a->storm_multicast == b->storm_multicast && a->storm_unknown == b->storm_unknown;
}

/* New policers where the limits changed; the old ones are returned for when no worker sees them. */
static size_t change_police(struct attempt *a, struct police **old)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n_wants; i++) {
		const struct conf_port *cp = a->wants[i].conf;
		const struct conf_port *was = cp ? conf_find_port(a->d->conf, cp->name) : NULL;
		struct port *p = port_of(a->d, a->wants[i].spec.port);

		if (!p || !cp)
			continue;
		atomic_store(&a->d->fdb->port_limit[p->slot], cp->mac_limit);
		if (!a->wants[i].is_new && was && has_same_limits(was, cp))
			continue;
		if (p->police)
			old[n++] = p->police;
		p->police = police_of(cp);
	}
	return n;
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
	struct port *p = port_of(d, port);

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

/* Entries of ports that are gone or no longer carry the VLAN. */
static bool is_stale(const struct fdb_entry *e, void *arg)
{
	const struct fabric *fab = arg;
	uint16_t vid = e->key & TCI_VID;

	return e->slot >= fab->n_slots || !fab->port[e->slot].port ||
	       !vlan_set_has(&fab->port[e->slot].vlan.carries, vid);
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

/*
 * Other workers: all stop, then the new ones start.  Queues are not received meanwhile (milliseconds), so none is
 * ever received by two.
 */
static int change_workers(struct daemon *d, const struct conf *to)
{
	unsigned n = (unsigned)count_workers(to);

	for (unsigned i = 0; i < d->n_workers; i++) {
		worker_stop(d->worker[i]);
		d->worker[i] = NULL;
	}
	d->n_workers = 0;
	for (unsigned i = 0; i < n; i++) {
		d->worker[i] =
			worker_start(i, to->workers.n_cpus ? to->workers.cpus[i] : -1, &d->fabric);
		if (!d->worker[i])
			return -errno;
		d->n_workers++;
	}
	watch_publish(d); /* new workers have new recorders */
	return 0;
}

/* Steps 5 and 6. */
static int commit(struct attempt *a, struct conf *to)
{
	struct daemon *d = a->d;
	struct police **police = calloc(a->n_wants + 1, sizeof(*police));
	struct port *gone[SLOT_MAX];
	struct conf *old = d->conf;
	bool other_workers = !d->n_workers || !has_same_workers(old, to);
	size_t n_gone = 0, n_police;
	int rc = 0;

	for (unsigned slot = 0; slot < SLOT_MAX; slot++) {
		if (d->port[slot] && d->port[slot] != a->next[slot])
			gone[n_gone++] = d->port[slot];
		d->port[slot] = a->next[slot];
	}
	n_police = police ? change_police(a, police) : 0;
	d->conf = to;
	walk_statics(d, old, to, drop_static);
	if (other_workers)
		rc = change_workers(d, to);
	if (rc == 0)
		rc = apply_publish(d);
	if (d->fabric)
		fdb_flush(d->fdb, is_stale, d->fabric, true);
	walk_statics(d, to, NULL, add_static);
	while (n_gone > 0)
		close_port(d, gone[--n_gone], false);
	while (n_police > 0)
		free(police[--n_police]);
	free(police);
	conf_destroy(old);
	return rc;
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
	char *text = conf_print(a->to);
	int rc = text ? broker_conf_keep(text, strlen(text)) : -ENOMEM;

	free(text);
	return rc < 0 ? fail(a, rc, "", "the configuration could not be kept") : 0;
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
		rc = keep_text(a);
	if (rc < 0) {
		undo(a, old, n_old);
		goto out;
	}
	rc = commit(a, to);
	to = NULL;
	if (rc < 0)
		fail(a, rc, "", "the fabric could not be published: no memory or no thread");
out:
	conf_destroy(to);
	free(old);
	if (a) {
		free(a->wants);
		free(a->closed);
	}
	free(a);
	return rc;
}

void apply_tap_notice(struct daemon *d, const struct tap_answer *a, const int *fds, unsigned n_fds)
{
	struct port *p = port_of(d, a->port);
	int old[PORT_QUEUES_MAX];
	unsigned n_old = 0;
	char object[EVENT_OBJECT_SIZE];

	/* No such port any more, or the answer to a later request overtook this notice. */
	if (!p || (int32_t)(a->serial - p->tap_serial) <= 0) {
		while (n_fds > 0)
			close(fds[--n_fds]);
		return;
	}
	if (n_fds > 0 || a->state == PORT_WAITING) {
		forget_fds(d, p);
		n_old = tap_detach(p, old);
		rcu_wait();
		while (n_old > 0)
			close(old[--n_old]);
	}
	if (n_fds > 0)
		tap_attach(p, fds, n_fds, a->can);
	p->mac = a->mac;
	p->tap_serial = a->serial;
	atomic_store(&p->state, a->state);
	if (a->state != PORT_UP)
		fdb_flush(d->fdb, is_of_slot, &p->slot, false);
	snprintf(object, sizeof(object), "port %s", p->name);
	state_event(d->state,
		    a->state == PORT_UP	    ? "port_up"
		    : a->state == PORT_DOWN ? "port_down"
					    : "port_waiting",
		    object, "%s", a->text);
	apply_publish(d);
}
