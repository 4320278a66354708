/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker_taps: every tap that the switch asked for, kept and watched.
 *
 * How it fits.  broker.c calls it for each request about taps; it calls broker_tap.c for the device
 * itself.
 *
 * Theory of operation.  A message of the kernel is only a reason to look: the monitor
 * (bridge/rtnl.h), inotify on the directories of namespaces and pidfds mark taps, and what is true
 * now is then asked of the kernel.  So lost, late and repeated messages do no harm.
 *
 *                   opened
 *   (request) ------------------> OPEN ---- deleted by hand ----> WAIT_DEVICE
 *        |                        ^  |  ^------- adopted -----------'  |
 *        | no namespace     made, |  | namespace gone                  | namespace gone
 *        v               adopted  |  v                                 v
 *   WAIT_NETNS <------------------+--+------------------------------ (same)
 *
 *   WAIT_NEVER, in the place of WAIT_NETNS: the namespace was that of a process, which does not return
 *
 * A device that somebody deleted in a living namespace is not made again, since somebody meant it.
 * An adopted device in another namespace keeps that alive by our descriptors: it is given up when
 * the name of the namespace, or its process, goes.
 *
 * While a tap waits for a namespace there is a timer, 10 ms after an event and slower from then on,
 * up to 1 s: the file under /run/netns comes a moment before the namespace is mounted on it, which
 * inotify does not tell, and the directory itself may not be there yet.  Without such a tap nothing
 * runs.
 */
#include "switch/broker_taps.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bridge/netns.h"
#include "switch/base/log.h"
#include "switch/broker_check.h"
#include "switch/broker_kept.h"
#include "switch/broker_tap.h"

enum {
	RETRY_MIN_MS = 10,
	RETRY_MAX_MS = 1000,
	WATCHES_MAX = 1024, /* directories, over the whole life */
};

enum wait { WAIT_NETNS, WAIT_DEVICE, WAIT_NEVER };

struct kept_tap {
	struct kept kept;
	struct taps *taps;
	struct tap_spec spec;
	struct tap_device dev; /* queues 0: it waits */
	struct mac
		made_mac; /* that the kernel gave a device of ours: made again it has the same, for its peers know it */
	struct mac first_mac; /* see struct tap_answer; zero: never open in this namespace */
	enum wait wait;
	bool is_marked;		/* something may have changed: look */
	bool ns_is_gone;	/* the kernel said so of its nsid */
	int pid_fd;		/* of the process of a pinned namespace; -1 */
	uint64_t not_before_ms; /* the last try failed: not again before */
	int nsid;		/* where it is, or was before it waited */
	char text[TAP_TEXT_SIZE];
};

struct taps {
	struct tap_home home;
	struct loop *loop;
	int own_nsid; /* the id that our namespace has for itself, if any */
	int monitor_fd, inotify_fd;
	int retry_timer;
	uint32_t retry_ms;
	bool must_retry; /* an event named an interface that some tap waits for */
	uint32_t serial; /* of the last answer or notice */
	struct kept_list list;
};

static struct kept_tap *tap_of(struct kept *k)
{
	return (struct kept_tap *)k; /* which it begins with */
}

static bool is_open(const struct kept_tap *k)
{
	return k->dev.queues > 0;
}

static enum port_state state_of(const struct kept_tap *k)
{
	return is_open(k) ? kept_link_state(&k->dev.link) : PORT_WAITING;
}

static void fill_answer(const struct kept_tap *k, struct tap_answer *a)
{
	memset(a, 0, sizeof(*a));
	memcpy(a->port, k->spec.port, sizeof(a->port));
	a->state = (uint8_t)state_of(k);
	a->adopted = is_open(k) && k->dev.is_adopted;
	a->n_fds = (uint16_t)k->dev.queues;
	a->can = k->dev.can;
	a->serial = ++k->taps->serial;
	a->mac = is_open(k) ? k->dev.link.mac : k->spec.mac;
	a->first_mac = k->first_mac;
	memcpy(a->ifname, is_open(k) ? k->dev.link.name : k->spec.ifname, sizeof(a->ifname));
	memcpy(a->text, k->text, sizeof(a->text));
}

/* The tap's text says what happened; the switch is told when it listens. */
static void tell(struct kept_tap *k)
{
	log_debug("port %s: %s", k->spec.port, k->text);
	kept_note(&k->taps->list, &k->kept);
}

static void stop_pid_watch(struct kept_tap *k)
{
	if (k->pid_fd < 0)
		return;
	loop_del(k->taps->loop, k->pid_fd);
	close(k->pid_fd);
	k->pid_fd = -1;
}

/* What a tap waits for whose namespace is missing: a process that ended does not come back, and its number may be another's. */
static enum wait wait_for_netns(const struct tap_spec *spec)
{
	return netns_pid(spec->netns) ? WAIT_NEVER : WAIT_NETNS;
}

/* Asks to be told when a name comes or goes beside that of the spec. */
static void watch_names(struct taps *t, const struct tap_spec *spec)
{
	char buf[NETNS_PATH_SIZE];
	const char *dir = spec->netns[0] ? netns_dir(spec->netns, buf) : NULL;
	int wd;

	if (!dir)
		return;
	wd = inotify_add_watch(t->inotify_fd, dir,
			       IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
				       IN_DELETE_SELF | IN_ONLYDIR);
	/* A directory that is not there is looked for by the timer. */
	if (wd > WATCHES_MAX)
		inotify_rm_watch(t->inotify_fd, wd);
}

/* The device is gone or given up: the tap waits. */
static void lose(struct kept_tap *k, enum wait wait)
{
	stop_pid_watch(k);
	tap_device_drop(&k->dev);
	k->wait = wait;
	/* With a namespace goes whoever could have changed the address; one that deletes its device keeps it. */
	if (wait != WAIT_DEVICE)
		k->first_mac = (struct mac){0};
	k->kept.is_new = false;
	watch_names(k->taps, &k->spec);
}

static void on_pid_end(void *arg, uint32_t events)
{
	struct kept_tap *k = arg;
	char words[NETNS_PATH_SIZE];

	(void)events;
	lose(k, WAIT_NEVER);
	snprintf(k->text, sizeof(k->text), "%s ended", netns_words(k->spec.netns, words));
	tell(k);
}

/* The device is there: notes where, and watches what could make us give it up. */
static void opened(struct kept_tap *k)
{
	pid_t pid = netns_pid(k->spec.netns);

	if (!k->dev.is_adopted)
		k->made_mac = k->dev.link.mac;
	if (mac_is_zero(&k->first_mac))
		k->first_mac = k->dev.link.mac;
	k->nsid = k->dev.nsid;
	k->text[0] = '\0';
	if (!k->dev.is_pinning)
		return;
	if (!pid) {
		watch_names(k->taps, &k->spec);
		return;
	}
	k->pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (k->pid_fd >= 0 && loop_add(k->taps->loop, k->pid_fd, EPOLLIN, on_pid_end, k) == 0)
		return;
	stop_pid_watch(k);
	log_warn("port %s: the end of process %d cannot be watched", k->spec.port, (int)pid);
}

static bool is_absent(int err)
{
	return err == -ENOENT || err == -ENODEV;
}

/* Opens the device of a tap that waits.  0; -ENOENT, -ENODEV: it is still not there; -EAGAIN: tried a moment ago;
 * else it is there and cannot be had, and its text says why. */
static int try_open(struct kept_tap *k)
{
	struct tap_spec spec = k->spec;
	char why[TAP_TEXT_SIZE] = "";
	int err;

	if (k->wait == WAIT_NEVER)
		return -ENOENT;
	/* A try that fails late makes events of its own, which would call for the next at once. */
	if (clock_ms() < k->not_before_ms)
		return -EAGAIN;
	watch_names(k->taps, &k->spec);
	if (mac_is_zero(&spec.mac))
		spec.mac = k->made_mac;
	err = tap_device_open(&k->taps->home, &spec, k->wait == WAIT_NETNS, &k->dev, why);
	if (err == 0) {
		opened(k);
		return 0;
	}
	if (err == -ENOENT)
		k->wait = wait_for_netns(&k->spec);
	if (is_absent(err))
		return err;
	memcpy(k->text, why, sizeof(k->text));
	k->not_before_ms = clock_ms() + RETRY_MAX_MS;
	return err;
}

static void on_retry(void *arg, uint32_t events);

/* The timer runs while something waits for a namespace. */
static void start_timer(struct taps *t, uint32_t ms)
{
	loop_cancel(t->loop, t->retry_timer);
	t->retry_ms = ms;
	t->retry_timer = loop_after(t->loop, ms, on_retry, t);
	if (t->retry_timer < 0)
		log_err("no timer for taps that wait: %s", strerror(-t->retry_timer));
}

/* Tries one tap; true when it is to be tried again. */
static bool try_one(struct kept_tap *k)
{
	char words[NETNS_PATH_SIZE], was[TAP_TEXT_SIZE];
	int err;

	memcpy(was, k->text, sizeof(was));
	err = try_open(k);
	if (err == 0) {
		k->kept.is_new = true;
		snprintf(k->text, sizeof(k->text), "%s %s%s%s",
			 k->dev.is_adopted ? "adopted" : "made", k->spec.ifname,
			 k->spec.netns[0] ? " in " : "",
			 k->spec.netns[0] ? netns_words(k->spec.netns, words) : "");
		tell(k);
		return false;
	}
	if (!is_absent(err) && strcmp(was, k->text) != 0)
		tell(k);
	return k->wait == WAIT_NETNS || !is_absent(err);
}

/* Tries every tap that waits; true when some are to be tried again. */
static bool try_all(struct taps *t)
{
	bool again = false;
	struct kept_tap *k;

	for (k = tap_of(t->list.first); k; k = tap_of(k->kept.next)) {
		if (!is_open(k))
			again |= try_one(k);
	}
	return again;
}

static void on_retry(void *arg, uint32_t events)
{
	struct taps *t = arg;
	uint32_t next = t->retry_ms * 2;

	(void)events;
	t->retry_timer = 0;
	if (try_all(t))
		start_timer(t, next < RETRY_MAX_MS ? next : RETRY_MAX_MS);
}

/* Asks the kernel what became of a device.  True when there is something to tell. */
static bool look(struct kept_tap *k)
{
	struct rtnl_link was = k->dev.link;
	char words[NETNS_PATH_SIZE];
	bool ns_is_gone = k->ns_is_gone;
	int err;

	k->is_marked = false;
	k->ns_is_gone = false;
	err = tap_device_look(&k->taps->home, &k->dev);
	if (err == 0) {
		k->nsid = k->dev.nsid;
		return kept_link_change(&was, &k->dev.link, k->text);
	}
	if (err != -ENODEV && err != -ESTALE) {
		log_limited(LOG_LEVEL_WARN, "port %s: %s", k->spec.port, strerror(-err));
		return false;
	}
	if ((err == -ESTALE || ns_is_gone) && k->spec.netns[0]) {
		lose(k, wait_for_netns(&k->spec));
		snprintf(k->text, sizeof(k->text), "%s is gone", netns_words(k->spec.netns, words));
	} else {
		lose(k, WAIT_DEVICE);
		snprintf(k->text, sizeof(k->text), "interface %s was deleted", was.name);
	}
	return true;
}

static void on_event(const struct rtnl_event *e, void *arg)
{
	struct taps *t = arg;
	int nsid = e->nsid == t->own_nsid ? RTNL_OWN : e->nsid;
	bool is_link = e->kind == RTNL_LINK_CHANGED || e->kind == RTNL_LINK_GONE;
	struct kept_tap *k;

	if (e->kind == RTNL_NSID_NEW &&
	    rtnl_nsid_get(t->home.rtnl, t->home.netns_fd, &t->own_nsid) < 0)
		t->own_nsid = RTNL_OWN;
	for (k = tap_of(t->list.first); k; k = tap_of(k->kept.next)) {
		if (is_link && is_open(k) && k->nsid == nsid && k->dev.link.ifindex == e->ifindex)
			k->is_marked = true;
		if (is_link && !is_open(k) && k->wait == WAIT_DEVICE &&
		    strcmp(k->spec.ifname, e->name) == 0)
			t->must_retry = true;
		if (e->kind != RTNL_NSID_GONE || k->nsid != nsid)
			continue;
		if (is_open(k))
			k->is_marked = k->ns_is_gone = true;
		else if (k->wait == WAIT_DEVICE && k->spec.netns[0])
			k->wait = wait_for_netns(&k->spec);
	}
}

static void on_monitor(void *arg, uint32_t events)
{
	struct taps *t = arg;
	bool lost_some, must_retry;
	struct kept_tap *k;

	(void)events;
	t->must_retry = false;
	lost_some = rtnl_monitor_read(t->monitor_fd, on_event, t) < 0;
	must_retry = t->must_retry || lost_some;
	for (k = tap_of(t->list.first); k; k = tap_of(k->kept.next)) {
		if (!is_open(k) || (!k->is_marked && !lost_some))
			continue;
		if (look(k))
			tell(k);
		must_retry |= !is_open(k);
	}
	if (must_retry)
		start_timer(t, RETRY_MIN_MS);
}

static void on_names(void *arg, uint32_t events)
{
	char buf[4096] __attribute__((aligned(8))), words[NETNS_PATH_SIZE];
	struct taps *t = arg;
	struct kept_tap *k;

	(void)events;
	/* Which name it was does not matter: each is looked at. */
	while (read(t->inotify_fd, buf, sizeof(buf)) > 0)
		;
	for (k = tap_of(t->list.first); k; k = tap_of(k->kept.next)) {
		if (!is_open(k) || !k->dev.is_pinning || netns_pid(k->spec.netns) ||
		    tap_device_is_at(&k->dev, &k->spec))
			continue;
		lose(k, WAIT_NETNS);
		snprintf(k->text, sizeof(k->text), "%s was removed",
			 netns_words(k->spec.netns, words));
		tell(k);
	}
	start_timer(t, RETRY_MIN_MS);
}

static int watch_all(struct taps *t)
{
	int err;

	t->monitor_fd = rtnl_monitor_open();
	if (t->monitor_fd < 0)
		return t->monitor_fd;
	t->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (t->inotify_fd < 0)
		return -errno;
	if (rtnl_nsid_get(t->home.rtnl, t->home.netns_fd, &t->own_nsid) < 0)
		t->own_nsid = RTNL_OWN;
	err = loop_add(t->loop, t->monitor_fd, EPOLLIN, on_monitor, t);
	if (!err)
		err = loop_add(t->loop, t->inotify_fd, EPOLLIN, on_names, t);
	return err;
}

static void free_tap(struct kept *kept, void *arg)
{
	struct taps *t = arg;
	struct kept_tap *k = tap_of(kept);

	stop_pid_watch(k);
	tap_device_close(&t->home, &k->dev, &k->spec);
	free(k);
}

struct taps *taps_create(struct loop *loop, void (*due)(void *arg), void *arg)
{
	struct taps *t = calloc(1, sizeof(*t));
	int err = ENOMEM;

	if (!t)
		return NULL;
	t->loop = loop;
	t->list =
		(struct kept_list){.free_one = free_tap, .free_arg = t, .due = due, .due_arg = arg};
	t->monitor_fd = t->inotify_fd = -1;
	err = -tap_home_init(&t->home);
	if (err) {
		free(t);
		errno = err;
		return NULL;
	}
	err = -watch_all(t);
	if (err) {
		taps_destroy(t);
		errno = err;
		return NULL;
	}
	return t;
}

/* The devices in our namespace go together: one by one they would take 17 ms each.  The group is a
 * number that nobody else has, for as long as this takes. */
static void delete_together(struct taps *t)
{
	uint32_t group = 0;
	struct kept_tap *k;

	if (getrandom(&group, sizeof(group), GRND_NONBLOCK) < 0 || group == 0)
		return;
	for (k = tap_of(t->list.first); k; k = tap_of(k->kept.next))
		tap_device_join(&t->home, &k->dev, group);
	rtnl_group_del(t->home.rtnl, group);
}

void taps_destroy(struct taps *t)
{
	if (!t)
		return;
	delete_together(t);
	kept_clear(&t->list);
	loop_cancel(t->loop, t->retry_timer);
	loop_del(t->loop, t->monitor_fd);
	loop_del(t->loop, t->inotify_fd);
	if (t->monitor_fd >= 0)
		close(t->monitor_fd);
	if (t->inotify_fd >= 0)
		close(t->inotify_fd);
	tap_home_fini(&t->home);
	free(t);
}

/* Sets what differs; when that fails, puts back what was. */
static int change(struct kept_tap *k, const struct tap_spec *asked, char why[static TAP_TEXT_SIZE])
{
	struct tap_spec wanted = *asked, *spec = &wanted;
	char ignored[TAP_TEXT_SIZE];
	int err = 0;

	/* Its address comes when the lease is there: until then what it has stays, over a restart of the switch too. */
	if (spec->is_leased && !spec->ipv4.is_set && k->spec.is_leased) {
		spec->ipv4 = k->spec.ipv4;
		spec->gateway = k->spec.gateway;
		spec->has_gateway = k->spec.has_gateway;
	}
	if (is_open(k)) {
		err = tap_device_set(&k->taps->home, &k->dev, &k->spec, spec, why);
		if (err)
			tap_device_set(&k->taps->home, &k->dev, spec, &k->spec, ignored);
	}
	if (err)
		return err;
	if (is_open(k) && !mac_is_zero(&spec->mac))
		k->first_mac = spec->mac;
	k->spec = *spec;
	return 0;
}

/* The same device is asked for again: the switch was started anew, or thought again. */
static int reuse(struct kept_tap *k, const struct tap_spec *spec, char why[static TAP_TEXT_SIZE])
{
	int err;

	if (is_open(k)) {
		look(k);
		if (is_open(k))
			k->text[0] = '\0';
	}
	err = change(k, spec, why);
	if (err || is_open(k))
		return err;
	err = try_open(k);
	if (err == 0 || spec->may_wait)
		return 0;
	memcpy(why, k->text, TAP_TEXT_SIZE);
	return err;
}

/* A port of another name that had the device under the switch before this one, and is not asked for any more. */
static void make_way(struct taps *t, const struct tap_spec *spec)
{
	struct kept_tap *k;

	for (k = tap_of(t->list.first); k; k = tap_of(k->kept.next)) {
		if (!k->kept.is_claimed && strcmp(k->spec.ifname, spec->ifname) == 0 &&
		    strcmp(k->spec.netns, spec->netns) == 0) {
			kept_remove(&t->list, &k->kept);
			return;
		}
	}
}

static int add(struct taps *t, const struct tap_spec *spec, char why[static TAP_TEXT_SIZE])
{
	struct kept_tap *k = t->list.n < SLOT_MAX ? calloc(1, sizeof(*k)) : NULL;
	int err;

	if (!k) {
		snprintf(why, TAP_TEXT_SIZE, "no memory, or more than %d taps", SLOT_MAX);
		return -ENOSPC;
	}
	k->taps = t;
	k->spec = *spec;
	k->kept.port = k->spec.port;
	k->pid_fd = -1;
	k->nsid = RTNL_OWN;
	make_way(t, spec);
	err = tap_device_open(&t->home, spec, true, &k->dev, why);
	if (err && (err != -ENOENT || !spec->may_wait)) {
		free(k);
		return err;
	}
	kept_add(&t->list, &k->kept);
	if (!err) {
		opened(k);
		return 0;
	}
	memcpy(k->text, why, sizeof(k->text));
	lose(k, wait_for_netns(spec));
	return 0;
}

static void refuse(struct tap_answer *a, const char *port, int err, const char *why)
{
	memset(a, 0, sizeof(*a));
	snprintf(a->port, sizeof(a->port), "%s", port);
	snprintf(a->text, sizeof(a->text), "%s", why);
	a->error = -err;
}

void taps_open(struct taps *t, const struct tap_spec *spec, struct tap_answer *answer,
	       int fds[static PORT_QUEUES_MAX])
{
	struct kept_tap *k = tap_of(kept_find(&t->list, spec->port));
	char why[TAP_TEXT_SIZE] = "";
	int err;

	if (k && !tap_spec_same_device(&k->spec, spec)) {
		kept_remove(&t->list, &k->kept);
		k = NULL;
	}
	err = k ? reuse(k, spec, why) : add(t, spec, why);
	if (err) {
		refuse(answer, spec->port, err, why);
		return;
	}
	k = tap_of(kept_find(&t->list, spec->port));
	assert(k); /* reused or added */
	if (!is_open(k))
		start_timer(t, RETRY_MIN_MS);
	kept_claim(&k->kept);
	fill_answer(k, answer);
	memcpy(fds, k->dev.fd, sizeof(fds[0]) * k->dev.queues);
}

void taps_set(struct taps *t, const struct tap_spec *spec, struct tap_answer *answer)
{
	struct kept_tap *k = tap_of(kept_find(&t->list, spec->port));
	char why[TAP_TEXT_SIZE] = "";
	int err;

	if (!k || !tap_spec_same_device(&k->spec, spec)) {
		refuse(answer, spec->port, -ENOENT, "no such tap is open");
		return;
	}
	err = change(k, spec, why);
	if (err) {
		refuse(answer, spec->port, err, why);
		return;
	}
	fill_answer(k, answer);
	answer->n_fds = 0;
}

int taps_close(struct taps *t, const char *port)
{
	return kept_close(&t->list, port);
}

bool taps_has(const struct taps *t, const char *ifname)
{
	const struct kept_tap *k;

	for (k = tap_of(t->list.first); k; k = tap_of(k->kept.next)) {
		if (is_open(k) && k->dev.nsid == RTNL_OWN && strcmp(k->dev.link.name, ifname) == 0)
			return true;
	}
	return false;
}

void taps_unclaim(struct taps *t)
{
	kept_unclaim(&t->list);
}

void taps_sweep(struct taps *t)
{
	kept_sweep(&t->list);
}

int taps_tell(struct taps *t, taps_send send, void *arg)
{
	struct tap_answer a;
	struct kept *due;
	int err;

	for (due = kept_due(t->list.first); due; due = kept_due(due->next)) {
		const struct kept_tap *k = tap_of(due);

		fill_answer(k, &a);
		if (!due->is_new)
			a.n_fds = 0;
		err = send(&a, k->dev.fd, arg);
		if (err)
			return err;
		kept_told(due);
	}
	return 0;
}
