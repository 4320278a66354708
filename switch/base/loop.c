/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop: an epoll loop with timers.
 *
 * The control thread of the switch and the broker run one each.  Watches are found by descriptor in
 * an array.  Each carries a serial number that epoll hands back with the event: a callback may
 * remove a watch, close its descriptor and add another of the same number, and an event of the old
 * one that waits in the same batch is told from the new one's by the serial.
 *
 * Timers are a list, soonest first; the head of it is the timeout of epoll_wait().  There are tens
 * of them, and all are slow.  Descriptors are served before a timer of 0 ms that a callback starts.
 */
#include "switch/base/loop.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, NS_PER_MS = 1000000 };

struct watch_fd {
	uint32_t serial; /* 0: not watched */
	loop_fn fn;
	void *arg;
};

struct timer {
	struct timer *next;
	uint64_t due_ns;
	int id;
	loop_fn fn;
	void *arg;
};

struct loop {
	int epoll;
	bool is_stopped;
	uint32_t serial;	/* the last one given */
	int timer_id;		/* likewise */
	struct watch_fd *watch; /* by descriptor */
	size_t n_watches;
	struct timer *timers; /* soonest first */
};

#ifdef VFAB_TEST_CLOCK
static _Atomic uint64_t ahead_ns;

void clock_advance(uint64_t ns)
{
	atomic_fetch_add(&ahead_ns, ns);
}
#endif

uint64_t clock_ns(void)
{
	struct timespec ts;
	uint64_t ns;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ns = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
#ifdef VFAB_TEST_CLOCK
	ns += atomic_load_explicit(&ahead_ns, memory_order_relaxed);
#endif
	return ns;
}

uint64_t clock_ms(void)
{
	return clock_ns() / NS_PER_MS;
}

static struct watch_fd *find_watch(const struct loop *loop, int fd)
{
	if (fd < 0 || (size_t)fd >= loop->n_watches || loop->watch[fd].serial == 0)
		return NULL;
	return &loop->watch[fd];
}

/* Makes room for descriptors up to fd. */
static int grow(struct loop *loop, int fd)
{
	size_t n = loop->n_watches ? loop->n_watches : 64, i;
	struct watch_fd *w;

	if ((size_t)fd < loop->n_watches)
		return 0;
	while (n <= (size_t)fd)
		n *= 2;
	w = realloc(loop->watch, n * sizeof(*w));
	if (!w)
		return -ENOMEM;
	for (i = loop->n_watches; i < n; i++)
		w[i] = (struct watch_fd){0};
	loop->watch = w;
	loop->n_watches = n;
	return 0;
}

static int control(struct loop *loop, int op, int fd, uint32_t events, uint32_t serial)
{
	struct epoll_event e = {.events = events};

	e.data.u64 = (uint64_t)serial << 32 | (uint32_t)fd;
	return epoll_ctl(loop->epoll, op, fd, &e) == 0 ? 0 : -errno;
}

static bool has_timer(const struct loop *loop, int id)
{
	const struct timer *t;

	for (t = loop->timers; t; t = t->next) {
		if (t->id == id)
			return true;
	}
	return false;
}

/* Runs what is due now; what callbacks start meanwhile waits for the next turn. */
static void run_timers(struct loop *loop)
{
	uint64_t now = clock_ns();
	struct timer *t;

	while (!loop->is_stopped && loop->timers && loop->timers->due_ns <= now) {
		t = loop->timers;
		loop->timers = t->next;
		t->fn(t->arg, 0);
		free(t);
	}
}

/* ms until the first timer, rounded up so that it is due then; -1 when there is none. */
static int next_timeout(const struct loop *loop)
{
	uint64_t now, ms;

	if (!loop->timers)
		return -1;
	now = clock_ns();
	if (loop->timers->due_ns <= now)
		return 0;
	ms = (loop->timers->due_ns - now + NS_PER_MS - 1) / NS_PER_MS;
	return ms < INT_MAX ? (int)ms : INT_MAX;
}

static void dispatch(struct loop *loop, const struct epoll_event *e)
{
	struct watch_fd *w = find_watch(loop, (int)(uint32_t)e->data.u64);

	/* Removed, or removed and added anew, by a callback before us in this batch. */
	if (!w || w->serial != e->data.u64 >> 32)
		return;
	w->fn(w->arg, e->events);
}

struct loop *loop_create(void)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return NULL;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0) {
		free(loop);
		return NULL;
	}
	return loop;
}

void loop_destroy(struct loop *loop)
{
	struct timer *t;

	if (!loop)
		return;
	while ((t = loop->timers)) {
		loop->timers = t->next;
		free(t);
	}
	close(loop->epoll);
	free(loop->watch);
	free(loop);
}

int loop_add(struct loop *loop, int fd, uint32_t events, loop_fn fn, void *arg)
{
	int err;

	if (fd < 0)
		return -EBADF;
	err = grow(loop, fd);
	if (err)
		return err;
	if (++loop->serial == 0)
		loop->serial = 1;
	err = control(loop, EPOLL_CTL_ADD, fd, events, loop->serial);
	if (err)
		return err;
	loop->watch[fd] = (struct watch_fd){.serial = loop->serial, .fn = fn, .arg = arg};
	return 0;
}

int loop_mod(struct loop *loop, int fd, uint32_t events)
{
	const struct watch_fd *w = find_watch(loop, fd);

	return w ? control(loop, EPOLL_CTL_MOD, fd, events, w->serial) : -ENOENT;
}

void loop_del(struct loop *loop, int fd)
{
	struct watch_fd *w = find_watch(loop, fd);

	if (!w)
		return;
	w->serial = 0;
	control(loop, EPOLL_CTL_DEL, fd, 0, 0);
}

int loop_after(struct loop *loop, uint32_t ms, loop_fn fn, void *arg)
{
	struct timer *t = malloc(sizeof(*t)), **at;

	if (!t)
		return -ENOMEM;
	/* After two thousand million timers the ids begin again, and old timers may still run. */
	do {
		loop->timer_id = loop->timer_id < INT_MAX ? loop->timer_id + 1 : 1;
	} while (has_timer(loop, loop->timer_id));
	*t = (struct timer){
		.due_ns = clock_ns() + (uint64_t)ms * NS_PER_MS,
		.id = loop->timer_id,
		.fn = fn,
		.arg = arg,
	};
	for (at = &loop->timers; *at && (*at)->due_ns <= t->due_ns; at = &(*at)->next)
		;
	t->next = *at;
	*at = t;
	return t->id;
}

void loop_cancel(struct loop *loop, int timer)
{
	struct timer **at, *t;

	for (at = &loop->timers; *at; at = &(*at)->next) {
		t = *at;
		if (t->id != timer)
			continue;
		*at = t->next;
		free(t);
		return;
	}
}

int loop_run(struct loop *loop)
{
	struct epoll_event events[BATCH];
	int n, i, err = 0;

	while (!loop->is_stopped) {
		n = epoll_wait(loop->epoll, events, BATCH, next_timeout(loop));
		if (n < 0 && errno != EINTR) {
			err = -errno;
			break;
		}
		for (i = 0; i < n && !loop->is_stopped; i++)
			dispatch(loop, &events[i]);
		run_timers(loop);
	}
	loop->is_stopped = false;
	return err;
}

void loop_stop(struct loop *loop)
{
	loop->is_stopped = true;
}
