/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest: the connections of vhost-user ports.
 *
 * device.c opens and closes ports here; port/vhost_msg.c carries messages out; the broker binds, connects and keeps.
 *
 * A message is looked at before it is taken from the socket, so that a switch that dies leaves it for the next one:
 *
 *   peek -> carry out -> the broker keeps the effect -> take it from the socket -> answer
 *
 * A death before the third arrow: the next switch finds the message and does it again, which does what it does once.  A
 * death after it: it finds the effect.  Between taking and answering nobody knows what the front-end got: a mark in the
 * state region says so, and the next switch ends that connection.
 *
 * The connection is watched edge-triggered: half a message is data that was not taken, and would wake us for ever.
 *
 * Trust.  A front-end may send anything, at any pace, or nothing.  A message that is not whole within HALF_MS ends its
 * connection; so do answers that are not read.  Nothing here waits for it.
 */
#include "switch/guest.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "switch/apply.h"
#include "switch/base/log.h"
#include "switch/broker_wire.h"
#include "switch/device.h"
#include "switch/port/vhost_msg.h"
#include "switch/watchdog.h"

enum {
	HALF_MS = 1000, /* for the rest of a message */
	ROUND = 64,	/* messages of one guest before others have their turn */
};
_Static_assert((int)GUEST_PLACES == (int)VHOST_FDS, "the broker keeps every descriptor");
_Static_assert(sizeof(struct vhost_saved) <= GUEST_SAVED_SIZE, "and the rest");
_Static_assert(GUEST_KEEP_FDS >= GUEST_REGIONS_MAX + 2, "of one message");

/* The connection of one port; by slot. */
struct guest {
	struct daemon *d;
	struct port *port; /* NULL: no vhost-user port is in this slot */
	int listen_fd;	   /* -1: a client, or not yet */
	int fd;		   /* -1: no front-end */
	int half_timer;	   /* for the rest of a message; 0: none */
	int again_timer;   /* more of its messages are there */
};

struct guest_table {
	struct guest guest[SLOT_MAX];
	int event_fd;
};

static struct guest *guest_of(struct daemon *d, const struct port *p)
{
	return &d->guests->guest[p->slot];
}

static struct vhost *device_of(const struct guest *g)
{
	return vhost_of(g->port);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* --- what others see --------------------------------------------------------------------- */

static void tell(const struct guest *g, const char *kind, const char *text)
{
	char object[EVENT_OBJECT_SIZE];

	snprintf(object, sizeof(object), "port %s", g->port->name);
	state_event(g->d->state, kind, object, "%s", text);
}

/* Its state by what is connected and runs; workers are shown what changed. */
static void settle(struct guest *g, const char *text)
{
	static const char *const kinds[] = {"port_waiting", "port_down", "port_up"};
	struct port *p = g->port;
	struct vhost *vh = device_of(g);
	enum port_state state = g->fd < 0 ? PORT_WAITING : vhost_is_ready(vh) ? PORT_UP : PORT_DOWN;
	bool is_other = atomic_exchange(&p->state, state) != state;

	if (!is_other && !vh->is_moved)
		return;
	vh->is_moved = false;
	if (g->d->port[p->slot] != p) /* it is being opened: the fabric that shows it is to come */
		return;
	if (is_other) {
		if (state != PORT_UP)
			fdb_flush_slot(g->d->fdb, p->slot);
		tell(g, kinds[state], text);
	}
	apply_publish(g->d);
}

static void forget(void *arg, int fd)
{
	struct daemon *d = arg;

	for (unsigned i = 0; i < d->n_workers; i++)
		worker_forget(d->worker[i], fd);
}

/* --- a connection ------------------------------------------------------------------------ */

static void on_message(void *arg, uint32_t events);

static int keep_nothing(const struct guest *g)
{
	struct guest_keep *keep = calloc(1, sizeof(*keep));
	int err = -ENOMEM;

	if (keep) {
		snprintf(keep->port, sizeof(keep->port), "%s", g->port->name);
		keep->forget = true;
		err = broker_guest_keep(keep, NULL);
	}
	free(keep);
	return err;
}

static void forget_connection(struct guest *g)
{
	struct daemon *d = g->d;

	if (g->fd < 0)
		return;
	loop_del(d->loop, g->fd);
	loop_cancel(d->loop, g->half_timer);
	loop_cancel(d->loop, g->again_timer);
	g->half_timer = g->again_timer = 0;
	close_fd(&g->fd);
	vhost_reset(device_of(g));
	d->state->is_answering[g->port->slot] = false;
}

static void disconnect(struct guest *g, const char *text)
{
	int err;

	forget_connection(g);
	err = keep_nothing(g);
	if (err)
		log_err("port %s: the broker does not forget: %s", g->port->name, strerror(-err));
	settle(g, text);
}

static int watch(struct guest *g, int fd)
{
	int err = loop_add(g->d->loop, fd, EPOLLIN | EPOLLRDHUP | EPOLLET, on_message, g);

	if (err)
		return err;
	g->fd = fd;
	return 0;
}

/* Gives what became of a message, or a new connection, to the broker. */
static int keep(const struct guest *g, const struct vhost_effect *e)
{
	const struct vhost *vh = device_of(g);
	struct guest_keep *k;
	int err;

	if (!e->changed && !e->n && !e->empty[0] && !e->empty[1] && !e->empty[2])
		return 0;
	k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	snprintf(k->port, sizeof(k->port), "%s", g->port->name);
	k->n = (uint8_t)e->n;
	memcpy(k->place, e->place, e->n);
	memcpy(k->empty, e->empty, sizeof(k->empty));
	if (e->changed) {
		k->n_saved = sizeof(vh->now);
		memcpy(k->saved, &vh->now, sizeof(vh->now));
	}
	err = broker_guest_keep(k, e->fd);
	free(k);
	return err;
}

/* A front-end came.  Takes fd. */
static void connect_guest(struct guest *g, int fd)
{
	struct vhost_effect e = {
		.changed = true, .n = 1, .place = {VHOST_FD_CONNECTION}, .fd = {fd}};
	int err;

	for (unsigned i = 0; i < VHOST_RINGS_MAX; i++)
		atomic_store(&g->d->state->ring[g->port->slot][i].used, 0);
	err = keep(g, &e);
	if (!err)
		err = watch(g, fd);
	if (err) {
		log_err("port %s: connection: %s", g->port->name, strerror(-err));
		close(fd);
		keep_nothing(g);
		return;
	}
	settle(g, "a front-end connected");
	on_message(g, EPOLLIN);
}

/* True when its peer has gone, whatever it left unread. */
static bool has_hung_up(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

static void on_listen(void *arg, uint32_t events)
{
	struct guest *g = arg;
	int fd = accept4(g->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0)
		return;
	if (g->fd >= 0 && has_hung_up(g->fd))
		disconnect(g, "the front-end went away");
	if (g->fd >= 0) { /* one front-end a port */
		close(fd);
		log_limited(LOG_LEVEL_INFO, "port %s: a second front-end is refused",
			    g->port->name);
		return;
	}
	connect_guest(g, fd);
}

/* --- messages ---------------------------------------------------------------------------- */

static void on_half(void *arg, uint32_t events)
{
	struct guest *g = arg;

	(void)events;
	g->half_timer = 0;
	disconnect(g, "half a message, and no more came");
}

/* Looks at the first bytes that wait.  How many; 0: none yet; -EPIPE: the end. */
static ssize_t look(const struct guest *g, void *bytes, size_t n)
{
	struct iovec iov = {bytes, n};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t got = recvmsg(g->fd, &h, MSG_PEEK | MSG_DONTWAIT);

	if (got == 0)
		return -EPIPE;
	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	return got;
}

/*
 * The descriptors of the whole message m, n of them; copies, as it stays where it is.  Only for one that says it has some: a
 * look goes on to the next message when this one ends, and brings what is that one's (Linux, unix_stream_read_generic()).
 */
static int look_at_fds(const struct guest *g, struct vhost_msg *m, int *fds, unsigned *n,
		       char why[static GUEST_WHY_SIZE])
{
	ssize_t got = wire_receive(g->fd, m, VHOST_HEADER + m->size, MSG_PEEK | MSG_DONTWAIT, fds,
				   VHOST_MSG_FDS, n);

	if (got == -EMFILE)
		snprintf(why, GUEST_WHY_SIZE, "more descriptors than a message may carry");
	return got < 0 ? (int)got : 0;
}

/* Looks at a message without taking it: 1: it is whole; 0: not yet; -errno; -EPIPE: the end.  Descriptors, n of them. */
static int peek(const struct guest *g, struct vhost_msg *m, int *fds, unsigned *n,
		char why[static GUEST_WHY_SIZE])
{
	ssize_t got = look(g, m, VHOST_HEADER);
	int err;

	*n = 0;
	if (got < VHOST_HEADER)
		return got < 0 ? (int)got : 0;
	if (!vhost_msg_header(m, why))
		return -EPROTO;
	got = look(g, m, VHOST_HEADER + m->size);
	if (got < (ssize_t)(VHOST_HEADER + m->size))
		return got < 0 ? (int)got : 0;
	if (vhost_msg_fds(m) == 0)
		return 1;
	err = look_at_fds(g, m, fds, n, why);
	return err ? err : 1;
}

/* Nothing at all is there to be read. */
static bool has_none(const struct guest *g)
{
	char byte;

	return look(g, &byte, 1) == 0;
}

/*
 * Takes a message that was looked at from the socket.  -EPROTO: it had descriptors and says that it has none, or the other way
 * round.  There is no room for them here: the kernel drops them without giving them to us, and to close one may hang, if
 * it is of a file system that the guest serves itself.
 */
static int take(const struct guest *g, const struct vhost_msg *m, unsigned n_fds)
{
	size_t left = VHOST_HEADER + m->size;
	char buffer[sizeof(struct vhost_msg)];
	bool had = false;

	while (left > 0) {
		struct iovec iov = {buffer, left};
		struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
		ssize_t got = recvmsg(g->fd, &h, MSG_DONTWAIT);

		if (got <= 0)
			return -EPIPE;
		had |= h.msg_flags & MSG_CTRUNC;
		left -= (size_t)got;
	}
	/* A region that is removed may be named by its descriptor too. */
	return had == (n_fds > 0) || m->request == VHOST_USER_REM_MEM_REG ? 0 : -EPROTO;
}

/* A whole message.  0, or -errno: the connection is to end. */
static int serve(struct guest *g, const struct vhost_msg *m, int *fds, unsigned n_fds,
		 char why[static GUEST_WHY_SIZE])
{
	uint8_t *is_answering = &g->d->state->is_answering[g->port->slot];
	struct vhost_answer *a = calloc(1, sizeof(*a));
	int err = -ENOMEM;

	if (!a) {
		while (n_fds > 0)
			close(fds[--n_fds]);
		return err;
	}
	err = vhost_msg_handle(device_of(g), m, fds, n_fds, a);
	if (*a->why)
		log_limited(err ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, "port %s: %s", g->port->name,
			    a->why);
	if (!err)
		err = keep(g, &a->effect);
	vhost_effect_done(&a->effect);
	if (!err) {
		__atomic_store_n(is_answering, a->has_reply, __ATOMIC_RELEASE);
		err = take(g, m, n_fds);
		if (err == -EPROTO)
			snprintf(a->why, sizeof(a->why), "%s: not the descriptors that it says",
				 vhost_msg_word(m->request));
	}
	if (!err && a->has_reply)
		err = wire_send(g->fd, &a->reply, VHOST_HEADER + a->reply.size, MSG_DONTWAIT,
				&a->fd, a->fd >= 0);
	__atomic_store_n(is_answering, 0, __ATOMIC_RELEASE);
	snprintf(why, GUEST_WHY_SIZE, "%s", a->why);
	free(a);
	return err;
}

static void on_again(void *arg, uint32_t events)
{
	struct guest *g = arg;

	(void)events;
	g->again_timer = 0;
	on_message(g, EPOLLIN);
}

static void end(struct guest *g, int err, const char *why)
{
	char text[EVENT_TEXT_SIZE];

	if (err == -EPIPE || err == -ECONNRESET) {
		disconnect(g, "the front-end went away");
		return;
	}
	snprintf(text, sizeof(text), "the front-end is disconnected: %.100s",
		 *why ? why : strerror(-err));
	disconnect(g, text);
}

static void on_message(void *arg, uint32_t events)
{
	struct guest *g = arg;
	char why[GUEST_WHY_SIZE] = "";
	int fds[VHOST_MSG_FDS], rc = 1;
	struct vhost_msg m;
	unsigned n = 0, round = 0;
	bool is_half;

	for (; rc == 1 && round < ROUND; round++) {
		rc = peek(g, &m, fds, &n, why);
		if (rc == 1) {
			int err = serve(g, &m, fds, n, why);

			n = 0;
			if (err)
				rc = err;
		}
		while (n > 0)
			close(fds[--n]);
	}
	if (rc < 0) {
		end(g, rc, why);
		return;
	}
	is_half = rc == 0 && !has_none(g);
	if (is_half && (events & (EPOLLRDHUP | EPOLLHUP))) { /* the rest will not come */
		end(g, -EPIPE, why);
		return;
	}
	/* One timer for a message, however slowly its bytes come. */
	if (round > 1 || !is_half) {
		loop_cancel(g->d->loop, g->half_timer);
		g->half_timer = 0;
	}
	if (is_half && g->half_timer <= 0)
		g->half_timer = loop_after(g->d->loop, HALF_MS, on_half, g);
	if (rc == 1 && g->again_timer <= 0)
		g->again_timer = loop_after(g->d->loop, 0, on_again, g);
	if (atomic_load(&device_of(g)->announce))
		device_of(g)->is_moved = true; /* a worker has to look */
	settle(g, vhost_is_ready(device_of(g)) ? "its guest is ready" : "its guest is not ready");
}

/* --- trouble ----------------------------------------------------------------------------- */

static void look_at_rings(struct guest *g)
{
	struct vhost *vh = device_of(g);
	const char *why;

	for (unsigned i = 0; i < VHOST_RINGS_MAX; i++) {
		char text[EVENT_TEXT_SIZE];

		if (atomic_load(&vh->ring[i].mode) != RING_BROKEN)
			continue;
		why = atomic_exchange(&vh->ring[i].why, NULL);
		if (!why)
			continue;
		snprintf(text, sizeof(text), "ring %u: %s", i, why);
		tell(g, "guest_error", text);
		if (strcmp(why, VRING_STUCK) == 0) {
			disconnect(g, text);
			return;
		}
	}
	vhost_show(vh);
	settle(g, "a ring of its guest is broken");
}

/* Some guest took its memory away, or broke a ring. */
static void on_trouble(void *arg, uint32_t events)
{
	struct daemon *d = arg;
	uint64_t n;

	(void)events;
	if (read(d->guests->event_fd, &n, sizeof(n)) < 0)
		return;
	for (unsigned slot = 0; slot < SLOT_MAX; slot++) {
		struct guest *g = &d->guests->guest[slot];

		if (!g->port || g->fd < 0)
			continue;
		if (atomic_load(&device_of(g)->dead)) {
			tell(g, "guest_error", "the guest took its memory away");
			disconnect(g, "the guest took its memory away");
		} else if (atomic_exchange(&device_of(g)->trouble, false)) {
			look_at_rings(g);
		}
	}
}

/* --- life -------------------------------------------------------------------------------- */

int guest_start(struct daemon *d)
{
	int fd = guest_guard_start(), err = watchdog_start();

	if (fd < 0 || err < 0)
		return fd < 0 ? fd : err;
	d->guests = calloc(1, sizeof(*d->guests));
	if (!d->guests)
		return -ENOMEM;
	d->guests->event_fd = fd;
	return loop_add(d->loop, fd, EPOLLIN, on_trouble, d);
}

void guest_stop(struct daemon *d)
{
	free(d->guests);
	d->guests = NULL;
}

static void listen_on(struct guest *g, int fd)
{
	int err = loop_add(g->d->loop, fd, EPOLLIN, on_listen, g);

	if (err) {
		log_err("port %s: socket: %s", g->port->name, strerror(-err));
		close(fd);
		return;
	}
	g->listen_fd = fd;
}

/* What the broker kept of a guest: as it was, or it is to connect again. */
static void restore(struct guest *g, const struct guest_answer *a, int fd[static VHOST_FDS])
{
	const struct vhost_saved *saved = (const void *)a->saved;
	char why[GUEST_WHY_SIZE] = "a message was being answered";
	int connection = fd[VHOST_FD_CONNECTION], err = -EINVAL;

	fd[VHOST_FD_CONNECTION] = -1;
	if (g->d->state->is_answering[g->port->slot])
		for (unsigned i = 0; i < VHOST_FDS; i++)
			close_fd(&fd[i]);
	else
		err = vhost_restore(device_of(g), saved, fd, true, why);
	if (!err)
		err = watch(g, connection);
	if (!err) {
		settle(g, "");
		/* What it sent meanwhile: the watch began after it. */
		g->again_timer = loop_after(g->d->loop, 0, on_again, g);
		return;
	}
	log_info("port %s: its guest has to connect again: %s", g->port->name,
		 *why ? why : strerror(-err));
	vhost_reset(device_of(g));
	close(connection);
	g->d->state->is_answering[g->port->slot] = false;
	keep_nothing(g);
}

static void take_answer(struct guest *g, const struct guest_answer *a, const int *fds, unsigned n)
{
	int fd[VHOST_FDS];
	unsigned at = 0;

	for (unsigned i = 0; i < VHOST_FDS; i++)
		fd[i] = -1;
	if (a->has_listen && n > 0)
		listen_on(g, fds[at++]);
	for (unsigned i = 0; at < n; i++, at++) {
		if (i < a->n && a->place[i] < VHOST_FDS && fd[a->place[i]] < 0)
			fd[a->place[i]] = fds[at];
		else
			close(fds[at]);
	}
	if (fd[VHOST_FD_CONNECTION] >= 0 && a->n_saved == sizeof(struct vhost_saved)) {
		restore(g, a, fd);
		return;
	}
	if (fd[VHOST_FD_CONNECTION] >= 0) /* handed over, and nothing was read of it */
		connect_guest(g, fd[VHOST_FD_CONNECTION]);
	for (unsigned i = VHOST_FD_CONNECTION + 1; i < VHOST_FDS; i++)
		close_fd(&fd[i]);
}

int guest_open(struct daemon *d, struct port *p, const struct guest_spec *spec, bool may_wait,
	       char why[static TAP_TEXT_SIZE])
{
	struct guest *g = guest_of(d, p);
	struct guest_answer *a = calloc(1, sizeof(*a));
	struct guest_spec mine = *spec;
	int fds[BROKER_FDS_MAX], err;
	unsigned n = 0;

	snprintf(why, TAP_TEXT_SIZE, "no memory");
	if (!a)
		return -ENOMEM;
	*g = (struct guest){.d = d, .port = p, .listen_fd = -1, .fd = -1};
	mine.may_wait = may_wait;
	err = broker_guest_open(&mine, a, fds, &n, why);
	if (!err) {
		device_of(g)->forget = forget;
		device_of(g)->forget_arg = d;
		atomic_store(&p->state, PORT_WAITING);
		take_answer(g, a, fds, n);
	} else {
		g->port = NULL;
	}
	free(a);
	return err;
}

void guest_close(struct daemon *d, struct port *p)
{
	struct guest *g = guest_of(d, p);

	if (g->port != p)
		return;
	forget_connection(g);
	if (g->listen_fd >= 0)
		loop_del(d->loop, g->listen_fd);
	close_fd(&g->listen_fd);
	g->port = NULL;
	atomic_store(&p->state, PORT_WAITING);
	broker_guest_close(p->name);
}

void guest_notice(struct daemon *d, const struct guest_notice *n, int fd)
{
	struct port *p = device_port(d, n->port);
	struct guest *g = p && p->kind == PORT_VHOST_USER ? guest_of(d, p) : NULL;

	if (fd < 0)
		return;
	if (!g || (n->is_listen ? g->listen_fd : g->fd) >= 0)
		close(fd); /* of a port that is no more, or a socket that it has */
	else if (n->is_listen)
		listen_on(g, fd);
	else
		connect_guest(g, fd);
}
