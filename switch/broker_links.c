/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker_links: every interface of the host that the switch asked for, kept and watched.
 *
 * How it fits.  broker_stock.c calls it for each request about links; it calls broker_link.c for the
 * interface itself.
 *
 * Theory of operation.  As in broker_taps.c, a message of the kernel is only a reason to look, and
 * what is true now is then asked of the kernel.
 *
 *                  opened                gone, or no longer usable
 *   (request) ----------------> OPEN ------------------------------> WAITING
 *        |                        ^                                     |
 *        |  not there or usable   |  an event that names it, or of      |
 *        '----> WAITING ----------+--- an address while one is in the --'
 *                                      way: tried again
 *
 * While open an interface is followed by its index, whatever it is called; while waiting, by the name
 * in its spec.  Only a try that failed for want of memory or descriptors is repeated by a timer.
 */
#include "switch/broker_links.h"

#include <assert.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "switch/base/log.h"
#include "switch/broker_check.h"
#include "switch/broker_kept.h"
#include "switch/broker_link.h"
#include "switch/broker_taps.h"

enum { RETRY_MS = 1000 };

struct kept_link {
	struct kept kept;
	struct link_spec spec;
	struct link_device dev; /* sock -1: it waits */
	int trouble;		/* why, as -errno; 0: it does not */
	bool is_marked;		/* something may have changed: look */
	bool has_lost_helper;	/* the helper's link was deleted */
	bool has_conflict;	/* the host has taken a refused address meanwhile */
	char text[TAP_TEXT_SIZE];
};

struct links {
	struct loop *loop;
	const struct taps *taps;
	struct rtnl *rtnl;
	int monitor_fd;
	int retry_timer; /* 0: none runs */
	uint32_t serial; /* of the last answer or notice */
	bool addresses_changed;
	struct kept_list list;
};

static struct kept_link *link_of(struct kept *k)
{
	return (struct kept_link *)k; /* which it begins with */
}

static bool is_open(const struct kept_link *k)
{
	return k->dev.sock >= 0;
}

static enum port_state state_of(const struct kept_link *k)
{
	return is_open(k) ? kept_link_state(&k->dev.link) : PORT_WAITING;
}

static void fill_answer(struct links *t, const struct kept_link *k, struct link_answer *a)
{
	memset(a, 0, sizeof(*a));
	memcpy(a->port, k->spec.port, sizeof(a->port));
	a->state = (uint8_t)state_of(k);
	a->serial = ++t->serial;
	memcpy(a->ifname, k->spec.interface, sizeof(a->ifname));
	memcpy(a->text, k->text, sizeof(a->text));
	if (!is_open(k))
		return;
	a->n_fds = k->dev.helper >= 0 ? 2 : 1;
	a->can = k->dev.can;
	a->mtu = k->dev.link.mtu;
	a->ifindex = k->dev.link.ifindex;
	a->mac = k->dev.link.mac;
	memcpy(a->ifname, k->dev.link.name, sizeof(a->ifname));
}

/* The link's text says what happened; the switch is told when it listens. */
static void tell(struct links *t, struct kept_link *k)
{
	log_debug("uplink %s: %s", k->spec.port, k->text);
	kept_note(&t->list, &k->kept);
}

/* --- opening ---------------------------------------------------------------------------- */

/* A tap or a helper of our own: frames would go round in circles. */
static bool is_ours(const struct links *t, const struct rtnl_link *l)
{
	const struct kept_link *k;

	for (k = link_of(t->list.first); k; k = link_of(k->kept.next)) {
		if (k->dev.helper_index && k->dev.helper_index == l->ifindex)
			return true;
	}
	return taps_has(t->taps, l->name);
}

/* Somebody else's uplink already. */
static const struct kept_link *owner_of(const struct links *t, const struct kept_link *but,
					int ifindex)
{
	const struct kept_link *k;

	for (k = link_of(t->list.first); k; k = link_of(k->kept.next)) {
		if (k != but && is_open(k) && k->dev.link.ifindex == ifindex)
			return k;
	}
	return NULL;
}

static int check_ours(const struct links *t, const struct kept_link *k,
		      char why[static TAP_TEXT_SIZE])
{
	const struct kept_link *owner;
	struct rtnl_link l;

	if (rtnl_link_get(t->rtnl, RTNL_OWN, k->spec.interface, &l) < 0)
		return 0; /* which the open says better */
	if (is_ours(t, &l))
		return broker_fail(why, -EINVAL, "interface %s is one of the fabric's own", l.name);
	owner = owner_of(t, k, l.ifindex);
	if (owner)
		return broker_fail(why, -EBUSY, "interface %s is that of port %s already", l.name,
				   owner->spec.port);
	return 0;
}

/* 0, or -errno and the text says why it waits. */
static int try_open(struct links *t, struct kept_link *k)
{
	int err = check_ours(t, k, k->text);

	if (!err)
		err = link_device_open(t->rtnl, &k->spec, &k->dev, k->text);
	if (!err)
		k->has_lost_helper = k->has_conflict = false;
	k->trouble = err;
	return err;
}

/* Reasons that end with an event. */
static bool is_of_the_host(int err)
{
	return err == -ENODEV || err == -EINVAL || err == -EBUSY || err == -EADDRINUSE;
}

static void try_all(struct links *t);

static void on_retry(void *arg, uint32_t events)
{
	struct links *t = arg;

	(void)events;
	t->retry_timer = 0;
	try_all(t);
}

static void plan_retry(struct links *t, int err)
{
	if (is_of_the_host(err) || t->retry_timer > 0)
		return;
	t->retry_timer = loop_after(t->loop, RETRY_MS, on_retry, t);
	if (t->retry_timer < 0)
		log_err("no timer for uplinks that wait: %s", strerror(-t->retry_timer));
}

/* Tries one that waits, and tells what is new of it. */
static void try_one(struct links *t, struct kept_link *k)
{
	char was[TAP_TEXT_SIZE];
	int trouble = k->trouble, err;

	memcpy(was, k->text, sizeof(was));
	err = try_open(t, k);
	if (err) {
		plan_retry(t, err);
		/* That it is gone was said, by the name it had. */
		if (err == -ENODEV && trouble == -ENODEV)
			memcpy(k->text, was, sizeof(was));
		else if (strcmp(was, k->text) != 0)
			tell(t, k);
		return;
	}
	k->kept.is_new = true;
	if (k->text[0] == '\0')
		snprintf(k->text, sizeof(k->text), "interface %s is there%s", k->dev.link.name,
			 state_of(k) == PORT_UP	      ? ""
			 : k->dev.link.flags & IFF_UP ? ", without carrier"
						      : ", set down");
	tell(t, k);
}

static void try_all(struct links *t)
{
	struct kept_link *k;

	for (k = link_of(t->list.first); k; k = link_of(k->kept.next)) {
		if (!is_open(k))
			try_one(t, k);
	}
}

/* --- watching --------------------------------------------------------------------------- */

static void lose(struct links *t, struct kept_link *k)
{
	link_device_close(t->rtnl, &k->dev);
	k->kept.is_new = k->has_conflict = false;
}

/* What changed in an interface that is still there, in words; false: nothing that anybody would want to know. */
static bool note_change(struct kept_link *k, const struct rtnl_link *was)
{
	const struct rtnl_link *is = &k->dev.link;
	char ignored[TAP_TEXT_SIZE];
	bool is_told = kept_link_change(was, is, k->text);

	if (!is_told && was->mtu == is->mtu)
		return false;
	if (!is_told)
		snprintf(k->text, sizeof(k->text), "interface %s now has MTU %u", is->name,
			 is->mtu);
	if (memcmp(&was->mac, &is->mac, sizeof(is->mac)) != 0 &&
	    link_device_set(&k->dev, &k->spec, ignored) < 0)
		log_warn("uplink %s: %s", k->spec.port, ignored);
	return true;
}

/* Asks the kernel what became of an interface, and tells it. */
static void look(struct links *t, struct kept_link *k)
{
	struct rtnl_link was = k->dev.link;
	char why[TAP_TEXT_SIZE];
	int err;

	k->is_marked = false;
	err = link_device_look(t->rtnl, &k->dev, why);
	if (!err && !k->has_lost_helper) {
		if (note_change(k, &was))
			tell(t, k);
		return;
	}
	if (err && !is_of_the_host(err)) {
		log_limited(LOG_LEVEL_WARN, "uplink %s: %s", k->spec.port, why);
		return;
	}
	if (!err)
		broker_fail(why, 0, "interface %s: its helper was deleted", was.name);
	lose(t, k);
	/* It may be there under its name, as after an event that was lost. */
	err = try_open(t, k);
	if (err)
		plan_retry(t, err);
	k->kept.is_new = !err;
	if (err || k->text[0] == '\0')
		memcpy(k->text, why, sizeof(k->text));
	tell(t, k);
}

/* An address that the host must not hold came while the link is open: its user is told, and decides. */
static void look_at_addresses(struct links *t, struct kept_link *k)
{
	char why[TAP_TEXT_SIZE];
	bool had = k->has_conflict;

	k->has_conflict = link_check_addresses(t->rtnl, &k->spec, why) == -EADDRINUSE;
	if (k->has_conflict == had)
		return;
	if (k->has_conflict)
		memcpy(k->text, why, sizeof(k->text));
	else
		snprintf(k->text, sizeof(k->text), "this host has given up the uplink's address");
	tell(t, k);
}

static void on_event(const struct rtnl_event *e, void *arg)
{
	struct links *t = arg;
	struct kept_link *k;

	if (e->kind == RTNL_ADDR_CHANGED)
		t->addresses_changed = true;
	for (k = link_of(t->list.first); k; k = link_of(k->kept.next)) {
		if (e->kind != RTNL_LINK_CHANGED && e->kind != RTNL_LINK_GONE)
			continue;
		if (!is_open(k)) {
			k->is_marked |= strcmp(k->spec.interface, e->name) == 0;
			continue;
		}
		k->is_marked |= k->dev.link.ifindex == e->ifindex;
		if (e->kind == RTNL_LINK_GONE && k->dev.helper_index == e->ifindex)
			k->is_marked = k->has_lost_helper = true;
	}
}

static void on_monitor(void *arg, uint32_t events)
{
	struct links *t = arg;
	bool lost_some;
	struct kept_link *k;

	(void)events;
	lost_some = rtnl_monitor_read(t->monitor_fd, on_event, t) < 0;
	for (k = link_of(t->list.first); k; k = link_of(k->kept.next)) {
		bool addresses = t->addresses_changed || lost_some;

		if (is_open(k) && (k->is_marked || lost_some))
			look(t, k);
		else if (!is_open(k) && (k->is_marked || addresses))
			try_one(t, k);
		if (is_open(k) && addresses && k->spec.n_refused > 0)
			look_at_addresses(t, k);
		k->is_marked = false;
	}
	t->addresses_changed = false;
}

/* --- requests --------------------------------------------------------------------------- */

static void free_link(struct kept *kept, void *arg)
{
	struct links *t = arg;
	struct kept_link *k = link_of(kept);

	link_device_close(t->rtnl, &k->dev);
	free(k);
}

struct links *links_create(struct loop *loop, const struct taps *taps, void (*due)(void *arg),
			   void *arg)
{
	struct links *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return NULL;
	*t = (struct links){
		.loop = loop,
		.taps = taps,
		.list = {.free_one = free_link, .free_arg = t, .due = due, .due_arg = arg},
	};
	t->rtnl = rtnl_create();
	t->monitor_fd = t->rtnl ? rtnl_monitor_open_own() : -errno;
	err = t->monitor_fd < 0 ? t->monitor_fd
				: loop_add(loop, t->monitor_fd, EPOLLIN, on_monitor, t);
	if (!err)
		return t;
	links_destroy(t);
	errno = -err;
	return NULL;
}

void links_destroy(struct links *t)
{
	if (!t)
		return;
	kept_clear(&t->list);
	loop_cancel(t->loop, t->retry_timer);
	if (t->monitor_fd >= 0) {
		loop_del(t->loop, t->monitor_fd);
		close(t->monitor_fd);
	}
	rtnl_destroy(t->rtnl);
	free(t);
}

/* The same interface is asked for again. */
static int reuse(struct links *t, struct kept_link *k, const struct link_spec *spec,
		 char why[static TAP_TEXT_SIZE])
{
	struct link_spec was = k->spec;
	int err = 0;

	k->spec = *spec;
	if (is_open(k))
		look(t, k);
	if (is_open(k)) {
		k->text[0] = '\0';
		err = link_check_addresses(t->rtnl, spec, k->text);
		k->has_conflict = err == -EADDRINUSE;
		if (!err)
			err = link_device_renew(&k->dev, spec, k->text);
		if (err == -EADDRINUSE && spec->may_wait)
			lose(t, k);
	} else {
		err = try_open(t, k);
	}
	if (err && !spec->may_wait) {
		memcpy(why, k->text, TAP_TEXT_SIZE);
		k->spec = was;
		return err;
	}
	plan_retry(t, err ? err : -ENODEV);
	return 0;
}

/* A port of another name that had the interface under the switch before this one, and is not asked for any more. */
static void make_way(struct links *t, const struct link_spec *spec)
{
	struct kept_link *k;

	for (k = link_of(t->list.first); k; k = link_of(k->kept.next)) {
		if (!k->kept.is_claimed && strcmp(k->spec.interface, spec->interface) == 0) {
			kept_remove(&t->list, &k->kept);
			return;
		}
	}
}

static int add(struct links *t, const struct link_spec *spec, char why[static TAP_TEXT_SIZE])
{
	struct kept_link *k = t->list.n < LINKS_MAX ? calloc(1, sizeof(*k)) : NULL;
	int err;

	if (!k)
		return broker_fail(why, -ENOSPC, "no memory, or more than %d interfaces",
				   LINKS_MAX);
	make_way(t, spec);
	k->spec = *spec;
	k->kept.port = k->spec.port;
	k->dev.sock = k->dev.helper = -1;
	err = try_open(t, k);
	if (err && !spec->may_wait) {
		memcpy(why, k->text, TAP_TEXT_SIZE);
		free(k);
		return err;
	}
	if (err)
		plan_retry(t, err);
	kept_add(&t->list, &k->kept);
	return 0;
}

static void refuse(struct link_answer *a, const char *port, int err, const char *why)
{
	memset(a, 0, sizeof(*a));
	snprintf(a->port, sizeof(a->port), "%s", port);
	snprintf(a->text, sizeof(a->text), "%s", why);
	a->error = -err;
}

static bool is_same_link(const struct link_spec *a, const struct link_spec *b)
{
	return strcmp(a->interface, b->interface) == 0;
}

void links_open(struct links *t, const struct link_spec *spec, struct link_answer *answer,
		int fds[static 2])
{
	struct kept_link *k = link_of(kept_find(&t->list, spec->port));
	char why[TAP_TEXT_SIZE] = "";
	int err;

	if (k && !is_same_link(&k->spec, spec)) {
		kept_remove(&t->list, &k->kept);
		k = NULL;
	}
	err = k ? reuse(t, k, spec, why) : add(t, spec, why);
	if (err) {
		refuse(answer, spec->port, err, why);
		return;
	}
	k = link_of(kept_find(&t->list, spec->port));
	assert(k); /* reused or added */
	kept_claim(&k->kept);
	fill_answer(t, k, answer);
	fds[0] = k->dev.sock;
	fds[1] = k->dev.helper;
}

void links_set(struct links *t, const struct link_spec *spec, struct link_answer *answer)
{
	struct kept_link *k = link_of(kept_find(&t->list, spec->port));
	char why[TAP_TEXT_SIZE] = "", ignored[TAP_TEXT_SIZE];
	int err;

	if (!k || !is_same_link(&k->spec, spec)) {
		refuse(answer, spec->port, -ENOENT, "no such interface is open");
		return;
	}
	err = link_check_addresses(t->rtnl, spec, why);
	if (!err && is_open(k)) {
		err = link_device_set(&k->dev, spec, why);
		if (err)
			link_device_set(&k->dev, &k->spec, ignored);
	}
	if (err) {
		refuse(answer, spec->port, err, why);
		return;
	}
	k->spec = *spec;
	k->has_conflict = false;
	fill_answer(t, k, answer);
	answer->n_fds = 0;
}

int links_close(struct links *t, const char *port)
{
	return kept_close(&t->list, port);
}

void links_unclaim(struct links *t)
{
	kept_unclaim(&t->list);
}

void links_sweep(struct links *t)
{
	kept_sweep(&t->list);
}

int links_tell(struct links *t, links_send send, void *arg)
{
	struct link_answer a;
	struct kept *due;
	int fds[2], err;

	for (due = kept_due(t->list.first); due; due = kept_due(due->next)) {
		const struct kept_link *k = link_of(due);

		fill_answer(t, k, &a);
		if (!due->is_new)
			a.n_fds = 0;
		fds[0] = k->dev.sock;
		fds[1] = k->dev.helper;
		err = send(&a, fds, arg);
		if (err)
			return err;
		kept_told(due);
	}
	return 0;
}
