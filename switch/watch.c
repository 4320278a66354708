/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watch: the control side of traces and captures.
 *
 * ctl.c calls watch_trace() and watch_capture() with a request.  They check it, make a struct watch with
 * a ring for each worker, and publish it to the recorders (trace.c).  A trace is read here, on the
 * control thread, and goes to the client as JSON (story.c); a capture has a thread (capture.c), and
 * the client gets its counters.
 *
 *   request -> ON ---- client leaves -----------------------------> OFF -> freed
 *               |                                                    ^
 *               +---- count reached, or the file failed -> ENDED ----+ on_close
 *
 * OFF takes the watch from the recorders and waits a grace period; then nobody writes to its rings.
 * A capture whose reader is stuck stays a little longer without a client, and is interrupted
 * by a timer.
 *
 * Trust.  The request is an operator's: ctl.c has checked types and ranges; here the filter program
 * (filter.c), the name of the port and the kind of descriptor are checked.  Every client costs at most
 * its rings; one that does not read its stories loses them.
 */
#include "switch/watch.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "switch/base/rcu.h"
#include "switch/base/units.h"
#include "switch/capture.h"
#include "switch/ctl.h"
#include "switch/filter.h"
#include "switch/story.h"

enum {
	TRACE_RING = 1 << 20,
	CAPTURE_RING = 8 << 20,
	SNAPLEN_MAX = 262144, /* what readers of pcapng take as no limit */
	STORIES_A_TURN = 64,  /* then other clients have theirs */
	REPORT_MS = 1000,
	FAREWELL_MS =
		20, /* a client that leaves waits so long for the last counters of its capture */
	STATUS_FAILED = 1,
	STATUS_USAGE = 2,
	STATUS_BAD_DATA = 65,
};

/* A client and what it watches. */
struct watcher {
	struct watcher *next;
	struct daemon *d;
	struct client *cl; /* NULL: gone */
	struct watch w;
	bool is_on; /* the recorders have it */
	struct capture *capture;
	uint64_t count;	    /* frames asked for, 0: no end */
	uint64_t sent;	    /* stories given to the client */
	uint64_t lost_slow; /* stories that it did not read in time */
	uint64_t lost_told;
	int report_timer, kick_timer;
};

static void destroy(struct watcher *x)
{
	struct watcher **at = &x->d->watchers;

	while (*at && *at != x)
		at = &(*at)->next;
	if (*at)
		*at = x->next;
	loop_cancel(x->d->loop, x->report_timer);
	loop_cancel(x->d->loop, x->kick_timer);
	if (x->capture)
		loop_del(x->d->loop, capture_done_fd(x->capture));
	capture_destroy(x->capture);
	if (x->w.wake_fd >= 0) {
		loop_del(x->d->loop, x->w.wake_fd);
		close(x->w.wake_fd);
	}
	for (unsigned i = 0; i < WORKERS_MAX; i++)
		ring_destroy(x->w.ring[i]);
	free(x->w.filter);
	free(x->w.lost);
	free(x);
}

/* A ring for each worker there is; workers that come later get theirs from watch_publish(). */
static bool make_rings(struct watcher *x)
{
	for (unsigned i = 0; i < x->d->n_workers; i++) {
		struct ring *ring;

		if (x->w.ring[i])
			continue;
		ring = ring_create(x->w.is_capture ? CAPTURE_RING : TRACE_RING);
		if (!ring)
			return false;
		rcu_set(&x->w.ring[i], ring);
	}
	return true;
}

void watch_publish(struct daemon *d)
{
	struct watch *on[WATCHES_MAX];
	unsigned n = 0;

	for (struct watcher *x = d->watchers; x; x = x->next) {
		if (!x->is_on || n == WATCHES_MAX)
			continue;
		make_rings(x); /* a worker without a ring records nothing for this watch */
		on[n++] = &x->w;
	}
	for (unsigned i = 0; i < d->n_workers; i++)
		recorder_set(worker_forwarder(d->worker[i])->recorder, on, n);
	rcu_wait();
}

static void set_off(struct watcher *x)
{
	if (!x->is_on)
		return;
	x->is_on = false;
	watch_publish(x->d);
}

static uint64_t lost(const struct watcher *x)
{
	uint64_t sum = x->lost_slow;

	for (unsigned i = 0; i < WORKERS_MAX; i++)
		if (x->w.ring[i])
			sum += atomic_load(&x->w.ring[i]->lost);
	return sum;
}

/* What the client hears of losses and of the end: of a trace only when there is something new. */
static void report(struct watcher *x)
{
	uint64_t now_lost = lost(x);
	json_t *o;

	if (!x->capture && now_lost == x->lost_told)
		return;
	x->lost_told = now_lost;
	if (!x->capture) {
		ctl_stream_send(x->cl, json_pack("{s:I}", "lost", (json_int_t)now_lost));
		return;
	}
	o = json_pack("{s:I, s:I}", "frames", (json_int_t)capture_frames(x->capture), "lost",
		      (json_int_t)now_lost);
	if (capture_is_done(x->capture) && capture_error(x->capture))
		json_object_set_new(o, "error", json_string(strerror(capture_error(x->capture))));
	ctl_stream_send(x->cl, o);
}

static void on_report(void *arg, uint32_t events)
{
	struct watcher *x = arg;

	(void)events;
	report(x);
	x->report_timer = loop_after(x->d->loop, REPORT_MS, on_report, x);
}

/* Ends it from our side; on_close() will follow. */
static void finish(struct watcher *x)
{
	set_off(x);
	loop_cancel(x->d->loop, x->report_timer);
	loop_del(x->d->loop, x->w.wake_fd);
	report(x);
	ctl_stream_end(x->cl);
}

/* Traces */

static const char *name_of_slot(void *arg, uint16_t slot)
{
	const struct daemon *d = arg;

	return slot < SLOT_MAX && d->port[slot] ? d->port[slot]->name : NULL;
}

/* The oldest record of all rings, or NULL. */
static const struct trace_record *oldest(const struct watcher *x, struct ring **ring)
{
	const struct trace_record *best = NULL;

	for (unsigned i = 0; i < WORKERS_MAX; i++) {
		size_t bytes;
		const struct trace_record *rec =
			x->w.ring[i] ? ring_peek(x->w.ring[i], &bytes) : NULL;

		if (!rec || (best && best->time_ns <= rec->time_ns))
			continue;
		best = rec;
		*ring = x->w.ring[i];
	}
	return best;
}

static bool has_all(const struct watcher *x)
{
	return x->count != 0 && x->sent + x->lost_slow >= x->count;
}

/* Gives at most max stories to the client; false when none is left. */
static bool send_stories(struct watcher *x, unsigned max)
{
	const struct trace_record *rec;
	struct ring *ring = NULL;

	for (unsigned i = 0; i < max; i++) {
		rec = has_all(x) ? NULL : oldest(x, &ring);
		if (!rec)
			return false;
		if (ctl_stream_send(x->cl, story_json(rec, name_of_slot, x->d)))
			x->sent++;
		else
			x->lost_slow++;
		ring_pop(ring);
	}
	return true;
}

static void on_stories(void *arg, uint32_t events)
{
	struct watcher *x = arg;
	struct ring *ring;
	uint64_t told = 1;
	bool is_more;

	(void)events;
	if (read(x->w.wake_fd, &told, sizeof(told)) < 0 && errno != EAGAIN)
		return;
	is_more = send_stories(x, STORIES_A_TURN);
	if (has_all(x)) {
		finish(x);
		return;
	}
	/* Pairs with the fence of the recorder: it sees that the rings are empty, or we see its record. */
	__sync_synchronize();
	told = 1;
	if ((is_more || oldest(x, &ring)) && write(x->w.wake_fd, &told, sizeof(told)) < 0)
		return; /* EAGAIN: it is readable already */
}

/* Captures */

static void on_kick(void *arg, uint32_t events)
{
	struct watcher *x = arg;

	(void)events;
	capture_stop(x->capture);
	x->kick_timer = loop_after(x->d->loop, CAPTURE_KICK_MS, on_kick, x);
}

/* The thread has ended: because the client left, or by itself. */
static void on_capture_done(void *arg, uint32_t events)
{
	struct watcher *x = arg;

	(void)events;
	loop_del(x->d->loop, capture_done_fd(x->capture));
	if (x->cl)
		finish(x);
	else
		destroy(x);
}

/* Stops the capture of a client that leaves; most end at once, and then the last counters are true. */
static void stop_capture(struct watcher *x)
{
	struct pollfd p = {.fd = capture_done_fd(x->capture), .events = POLLIN};

	capture_stop(x->capture);
	poll(&p, 1, FAREWELL_MS);
	if (capture_is_done(x->capture))
		return;
	x->kick_timer = loop_after(x->d->loop, CAPTURE_KICK_MS, on_kick, x);
}

/* Both */

static void on_close(void *arg)
{
	struct watcher *x = arg;

	if (x->is_on) {
		set_off(x);
		loop_cancel(x->d->loop, x->report_timer);
		if (x->capture)
			stop_capture(x);
		else
			send_stories(x, UINT32_MAX);
		report(x);
	}
	x->cl = NULL;
	if (!x->capture || capture_is_done(x->capture))
		destroy(x);
}

/* The program of a request, checked and malloc'd.  False: the client has its answer. */
static bool take_filter(struct client *cl, const json_t *req, struct watch *w)
{
	const json_t *prog = json_object_get(req, "filter"), *insn;
	size_t n = json_array_size(prog), i;
	const char *wrong;

	w->sees_tag = json_is_true(json_object_get(req, "sees_tag"));
	if (!prog || json_is_null(prog))
		return true;
	if (n > FILTER_INSNS_MAX)
		n = FILTER_INSNS_MAX + 1; /* filter_check() says what is wrong */
	w->filter = calloc(n + 1, sizeof(*w->filter));
	if (!w->filter) {
		ctl_refuse(cl, STATUS_FAILED, "no memory");
		return false;
	}
	for (i = 0; i < n; i++) {
		static const json_int_t max[4] = {UINT16_MAX, UINT8_MAX, UINT8_MAX, UINT32_MAX};
		json_int_t v[4];

		insn = json_array_get(prog, i);
		for (size_t k = 0; k < 4; k++) {
			const json_t *field = json_array_get(insn, k);

			v[k] = json_integer_value(field);
			if (json_is_integer(field) && v[k] >= 0 && v[k] <= max[k])
				continue;
			ctl_refuse(cl, STATUS_BAD_DATA,
				   "filter: instruction %zu is not [code, jt, jf, k]", i);
			return false;
		}
		w->filter[i] = (struct bpf_insn){(u_short)v[0], (u_char)v[1], (u_char)v[2],
						 (bpf_u_int32)v[3]};
	}
	wrong = filter_check(w->filter, (unsigned)n);
	if (wrong)
		ctl_refuse(cl, STATUS_BAD_DATA, "filter: %s", wrong);
	return !wrong;
}

/* The port of a request; none and "all" are every port.  False: the client has its answer. */
static bool take_port(struct client *cl, const json_t *req, struct watcher *x)
{
	const char *name = json_string_value(json_object_get(req, "port")), *nearest;
	const char **names;
	size_t n = 0;

	x->w.slot = WATCH_SLOT_ALL;
	if (!name || (x->w.is_capture && strcmp(name, "all") == 0))
		return true;
	names = calloc(SLOT_MAX + 1, sizeof(*names));
	if (!names) {
		ctl_refuse(cl, STATUS_FAILED, "no memory");
		return false;
	}
	for (unsigned slot = 0; slot < SLOT_MAX; slot++) {
		if (!x->d->port[slot])
			continue;
		names[n++] = x->d->port[slot]->name;
		if (strcmp(name, x->d->port[slot]->name) == 0)
			x->w.slot = (uint16_t)slot;
	}
	if (x->w.slot == WATCH_SLOT_ALL) {
		nearest = nearest_word(name, names);
		ctl_refuse(cl, STATUS_FAILED, "port \"%s\" does not exist%s%s%s", name,
			   nearest ? " (did you mean \"" : "", nearest ? nearest : "",
			   nearest ? "\"?)" : "");
	}
	free(names);
	return x->w.slot != WATCH_SLOT_ALL;
}

/* What traces and captures have in common.  NULL: the client has its answer. */
static struct watcher *create(struct daemon *d, struct client *cl, const json_t *req,
			      bool is_capture)
{
	struct watcher *x = calloc(1, sizeof(*x));
	unsigned others = 0;

	for (const struct watcher *o = d->watchers; o; o = o->next)
		others++;
	if (!x || others >= WATCHES_MAX) {
		ctl_refuse(cl, STATUS_FAILED, x ? "too many traces and captures: %d" : "no memory",
			   WATCHES_MAX);
		free(x);
		return NULL;
	}
	x->d = d;
	x->cl = cl;
	x->w.is_capture = is_capture;
	x->count = (uint64_t)json_integer_value(json_object_get(req, "count"));
	atomic_init(&x->w.left, x->count ? x->count : UINT64_MAX);
	x->w.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!take_port(cl, req, x) || !take_filter(cl, req, &x->w)) {
		destroy(x);
		return NULL;
	}
	if (is_capture)
		x->w.lost = calloc(SLOT_MAX, sizeof(*x->w.lost));
	if (x->w.wake_fd < 0 || !make_rings(x) || (is_capture && !x->w.lost)) {
		ctl_refuse(cl, STATUS_FAILED, "no memory for the rings");
		destroy(x);
		return NULL;
	}
	return x;
}

static void begin(struct watcher *x)
{
	x->next = x->d->watchers;
	x->d->watchers = x;
	x->is_on = true;
	x->report_timer = loop_after(x->d->loop, REPORT_MS, on_report, x);
	ctl_stream_begin(x->cl, on_close, x);
	watch_publish(x->d);
}

void watch_trace(struct daemon *d, struct client *cl, const json_t *req)
{
	struct watcher *x = create(d, cl, req, false);
	int rc;

	if (!x)
		return;
	x->w.drops_only = json_is_true(json_object_get(req, "drops"));
	rc = loop_add(d->loop, x->w.wake_fd, EPOLLIN, on_stories, x);
	if (rc < 0) {
		ctl_refuse(cl, STATUS_FAILED, "%s", strerror(-rc));
		destroy(x);
		return;
	}
	begin(x);
}

/* The ports that are in the file from the start. */
static unsigned list_ports(const struct watcher *x, struct capture_port *ports)
{
	unsigned n = 0;

	for (unsigned slot = 0; slot < SLOT_MAX; slot++) {
		const struct port *p = x->d->port[slot];

		if (!p || (x->w.slot != WATCH_SLOT_ALL && x->w.slot != slot))
			continue;
		ports[n].slot = (uint16_t)slot;
		memcpy(ports[n++].name, p->name, sizeof(p->name));
	}
	return n;
}

/* 0 or errno; the descriptor is the capture's, or closed. */
static int start_capture(struct watcher *x, int fd)
{
	struct capture_port *ports = calloc(SLOT_MAX, sizeof(*ports));
	int err = 0, rc;

	if (ports)
		x->capture = capture_start(&x->w, fd, x->count, ports, list_ports(x, ports));
	if (!x->capture) {
		err = ports ? errno : ENOMEM;
		close(fd);
	}
	free(ports);
	if (err)
		return err;
	rc = loop_add(x->d->loop, capture_done_fd(x->capture), EPOLLIN, on_capture_done, x);
	return -rc;
}

void watch_capture(struct daemon *d, struct client *cl, const json_t *req)
{
	const char *dir = json_string_value(json_object_get(req, "dir"));
	uint32_t snaplen = (uint32_t)json_integer_value(json_object_get(req, "snaplen"));
	int fd = ctl_take_fd(cl), err;
	struct watcher *x;

	if (fd < 0) {
		ctl_refuse(cl, STATUS_USAGE, "a capture needs a descriptor to write to");
		return;
	}
	x = create(d, cl, req, true);
	if (!x) {
		close(fd);
		return;
	}
	x->w.dir = !dir || strcmp(dir, "both") == 0 ? WATCH_RX | WATCH_TX
		   : strcmp(dir, "rx") == 0	    ? WATCH_RX
						    : WATCH_TX;
	x->w.snaplen = snaplen ? snaplen : SNAPLEN_MAX;
	err = start_capture(x, fd);
	if (err) {
		ctl_refuse(cl, err == EINVAL ? STATUS_USAGE : STATUS_FAILED, "capture: %s",
			   err == EINVAL ? "not a file, a pipe, a socket or a terminal"
					 : strerror(err));
		destroy(x);
		return;
	}
	begin(x);
}

void watch_shutdown(struct daemon *d)
{
	uint64_t end_ms = clock_ms() + CAPTURE_LINGER_MS;
	struct watcher *next;

	for (struct watcher *x = d->watchers; x; x = next) {
		struct pollfd p = {.fd = capture_done_fd(x->capture), .events = POLLIN};

		next = x->next;
		while (!capture_is_done(x->capture) && clock_ms() < end_ms) {
			capture_stop(x->capture);
			poll(&p, 1, CAPTURE_KICK_MS);
		}
		/* One that hangs in the kernel ends with the process; its memory stays for it. */
		if (capture_is_done(x->capture))
			destroy(x);
	}
}
