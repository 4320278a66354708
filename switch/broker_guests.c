/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker_guests: every vhost-user socket that the switch asked for, and what it keeps of the guest
 * behind it.
 *
 * How it fits.  broker.c calls it for each request about guests; broker_file.c binds.  The switch
 * accepts on the listening socket and reads connections by itself: nothing of a guest is parsed
 * here.
 *
 * Theory of operation.
 *
 *   server:  WAITING --- bound ---> LISTENING                    WAITING: each RETRY_LISTEN_MS
 *
 *   client:  WAITING --- connected ---> SILENT --- it speaks ---> KEPT
 *               ^                         | ends, or says         | forget
 *               |                         v something else        |
 *               '-------------------------+-----------------------'
 *
 * One timer serves all that wait, and runs only while one does.  What is kept is a list of places:
 * the switch alone knows what lies in which, place 0 excepted, which is the connection.
 *
 * Trust.  A switch that a guest has taken over must not reach other sockets of this machine through
 * the broker, which as root may connect to all of them.  So a connection is handed over only after
 * the other end has begun as a vhost-user front-end does: such a one speaks first, where services
 * (Docker, D-Bus, libvirt) wait for their client to do it.  Kept descriptors are never used here.
 */
#include "switch/broker_guests.h"

#include <assert.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "switch/base/frame.h"
#include "switch/base/log.h"
#include "switch/base/units.h"
#include "switch/broker_check.h"
#include "switch/broker_file.h"
#include "switch/broker_kept.h"

enum {
	RETRY_CONNECT_MS = 200,
	RETRY_LISTEN_MS = 1000,
	RETRY_STRANGER_MS = 1000, /* what speaks otherwise is no front-end that is just starting */
	PLACE_CONNECTION = 0,
};

struct guest {
	struct kept kept; /* due: its connection or socket came */
	struct guests *guests;
	struct guest_spec spec;
	struct listen_spec file;     /* server: with the owner found */
	struct listen_socket listen; /* server: fd -1: it waits */
	int silent_fd;		     /* client: connected, and nobody has spoken; -1 */
	int place[GUEST_PLACES];     /* -1: empty */
	uint32_t n_saved;
	uint8_t saved[GUEST_SAVED_SIZE];
	uint64_t not_before_ms; /* of the next try */
	bool is_told;		/* that it cannot connect was logged */
};

struct guests {
	struct loop *loop;
	int timer;
	struct kept_list list;
};

static struct guest *guest_of(struct kept *k)
{
	return (struct guest *)k; /* which it begins with */
}

static bool is_waiting(const struct guest *g)
{
	if (!g->spec.is_client)
		return g->listen.fd < 0;
	return g->silent_fd < 0 && g->place[PLACE_CONNECTION] < 0;
}

static void tell(struct guest *g)
{
	kept_note(&g->guests->list, &g->kept);
}

/* --- what is kept ----------------------------------------------------------------------- */

static void put_place(struct guest *g, unsigned place, int fd)
{
	if (g->place[place] >= 0)
		close(g->place[place]);
	g->place[place] = fd;
}

static void forget(struct guest *g)
{
	unsigned i;

	for (i = 0; i < GUEST_PLACES; i++)
		put_place(g, i, -1);
	g->n_saved = 0;
}

/* --- client: connections ---------------------------------------------------------------- */

static void on_retry(void *arg, uint32_t events);

static void start_timer(struct guests *t)
{
	if (t->timer > 0)
		return;
	t->timer = loop_after(t->loop, RETRY_CONNECT_MS, on_retry, t);
	if (t->timer < 0)
		log_err("no timer for guests that wait: %s", strerror(-t->timer));
}

static void try_later(struct guest *g, uint32_t ms, const char *why)
{
	if (!g->is_told)
		log_info("port %s: %s: %s: tried again until a guest is there", g->spec.port,
			 g->spec.path, why);
	g->is_told = true;
	g->not_before_ms = clock_ms() + ms;
	start_timer(g->guests);
}

static void stop_watch(struct guest *g)
{
	loop_del(g->guests->loop, g->silent_fd);
	g->silent_fd = -1;
}

enum opening { OPENING_NONE, OPENING_GUEST, OPENING_STRANGER, OPENING_END };

/* What the other end has said so far, which stays there for the switch.  QEMU docs/interop/vhost-user.rst, "Header". */
static enum opening look(int fd)
{
	struct {
		uint32_t request, flags, size;
	} h;
	ssize_t n = recv(fd, &h, sizeof(h), MSG_PEEK | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return OPENING_NONE;
	if (n <= 0)
		return OPENING_END;
	if ((size_t)n < sizeof(h))
		return OPENING_NONE;
	/* Version 1 in bits 0 and 1, and no reply, which is bit 2. */
	if (h.request < 1 || h.request > 64 || (h.flags & 7) != 1 || h.size > 4096)
		return OPENING_STRANGER;
	return OPENING_GUEST;
}

static void on_speech(void *arg, uint32_t events)
{
	struct guest *g = arg;
	int fd = g->silent_fd;
	enum opening what = look(fd);

	(void)events;
	if (what == OPENING_NONE)
		return;
	stop_watch(g);
	if (what == OPENING_GUEST) {
		put_place(g, PLACE_CONNECTION, fd);
		g->is_told = false;
		tell(g);
		return;
	}
	close(fd);
	if (what == OPENING_END)
		try_later(g, RETRY_CONNECT_MS, "hangs up");
	else
		try_later(g, RETRY_STRANGER_MS, "is no vhost-user front-end");
}

static int try_connect(struct guest *g)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err;

	if (fd < 0) {
		err = -errno;
		goto out;
	}
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", g->spec.path);
	err = connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
	/* By edges: half a header is no reason to look again until more comes. */
	if (!err)
		err = loop_add(g->guests->loop, fd, EPOLLIN | EPOLLET, on_speech, g);
	if (!err) {
		g->silent_fd = fd;
		return 0;
	}
	close(fd);
out:
	try_later(g, RETRY_CONNECT_MS, strerror(-err));
	return err;
}

/* --- server: listening sockets ---------------------------------------------------------- */

/* By name, else by number, as for chown(1).  The group: the user's, where it has one. */
static bool find_user(const char *text, uid_t *uid, gid_t *gid)
{
	const struct passwd *pw = getpwnam(text);
	uint64_t id = 0;

	if (!pw && !units_number(text, 0, UINT32_MAX - 1, &id))
		return false;
	if (!pw)
		pw = getpwuid((uid_t)id);
	*uid = pw ? pw->pw_uid : (uid_t)id;
	if (pw)
		*gid = pw->pw_gid;
	return true;
}

static bool find_group(const char *text, gid_t *gid)
{
	const struct group *gr = getgrnam(text);
	uint64_t id = 0;

	if (!gr && !units_number(text, 0, UINT32_MAX - 1, &id))
		return false;
	*gid = gr ? gr->gr_gid : (gid_t)id;
	return true;
}

/* USER[:GROUP] */
static int find_owner(struct guest *g, char why[static TAP_TEXT_SIZE])
{
	char user[GUEST_OWNER_SIZE], *group;

	g->file.uid = (uid_t)-1;
	g->file.gid = (gid_t)-1;
	if (g->spec.owner[0] == '\0')
		return 0;
	memcpy(user, g->spec.owner, sizeof(user));
	group = strchr(user, ':');
	if (group)
		*group++ = '\0';
	if (!find_user(user, &g->file.uid, &g->file.gid))
		return broker_fail(why, -EINVAL, "%s: there is no user %s", g->spec.path, user);
	if (group && !find_group(group, &g->file.gid))
		return broker_fail(why, -EINVAL, "%s: there is no group %s", g->spec.path, group);
	return 0;
}

static int try_listen(struct guest *g, char why[static TAP_TEXT_SIZE])
{
	g->not_before_ms = clock_ms() + RETRY_LISTEN_MS;
	return listen_socket_open(&g->listen, &g->file, why);
}

/* --- all of them ------------------------------------------------------------------------ */

static void try_again(struct guest *g)
{
	char why[TAP_TEXT_SIZE];

	if (g->spec.is_client)
		try_connect(g);
	else if (try_listen(g, why) == 0)
		tell(g);
}

static void on_retry(void *arg, uint32_t events)
{
	struct guests *t = arg;
	uint64_t now_ms = clock_ms();
	struct guest *g;

	(void)events;
	t->timer = 0;
	for (g = guest_of(t->list.first); g; g = guest_of(g->kept.next)) {
		if (!is_waiting(g))
			continue;
		if (now_ms >= g->not_before_ms)
			try_again(g);
		if (is_waiting(g))
			start_timer(t);
	}
}

static void free_guest(struct kept *kept, void *arg)
{
	struct guest *g = guest_of(kept);
	int silent_fd = g->silent_fd;

	(void)arg;
	if (silent_fd >= 0) {
		stop_watch(g);
		close(silent_fd);
	}
	if (!g->spec.is_client)
		listen_socket_close(&g->listen);
	forget(g);
	free(g);
}

struct guests *guests_create(struct loop *loop, void (*due)(void *arg), void *arg)
{
	struct guests *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->loop = loop;
	t->list = (struct kept_list){.free_one = free_guest, .due = due, .due_arg = arg};
	return t;
}

void guests_destroy(struct guests *t)
{
	if (!t)
		return;
	kept_clear(&t->list);
	loop_cancel(t->loop, t->timer);
	free(t);
}

/* Two ports with one socket would take each other's guests.  A port of another name that had it under the switch before
 * this one, and is not asked for any more, makes way. */
static int take_path(struct guests *t, const struct guest_spec *spec,
		     char why[static TAP_TEXT_SIZE])
{
	struct guest *g;

	g = guest_of(t->list.first);
	while (g && strcmp(g->spec.path, spec->path) != 0)
		g = guest_of(g->kept.next);
	if (g && g->kept.is_claimed)
		return broker_fail(why, -EADDRINUSE, "%s: is the socket of port %s", spec->path,
				   g->spec.port);
	if (g)
		kept_remove(&t->list, &g->kept);
	return 0;
}

/* A guest that waits. */
static int add(struct guests *t, const struct guest_spec *spec, struct guest **out,
	       char why[static TAP_TEXT_SIZE])
{
	struct guest *g;
	unsigned i;
	int err = take_path(t, spec, why);

	if (err)
		return err;
	g = t->list.n < SLOT_MAX ? calloc(1, sizeof(*g)) : NULL;
	if (!g)
		return broker_fail(why, -ENOSPC, "no memory, or more than %d guests", SLOT_MAX);
	g->guests = t;
	g->spec = *spec;
	g->kept.port = g->spec.port;
	g->file.path = g->spec.path;
	g->file.mode = spec->mode;
	g->listen.fd = g->silent_fd = -1;
	for (i = 0; i < GUEST_PLACES; i++)
		g->place[i] = -1;
	err = find_owner(g, why);
	if (err) {
		free(g);
		return err;
	}
	kept_add(&t->list, &g->kept);
	*out = g;
	return 0;
}

static void fill_answer(const struct guest *g, struct guest_answer *a,
			int fds[static BROKER_FDS_MAX])
{
	unsigned i, n = 0;

	memset(a, 0, sizeof(*a));
	if (g->listen.fd >= 0) {
		a->has_listen = 1;
		fds[n++] = g->listen.fd;
	}
	for (i = 0; i < GUEST_PLACES; i++) {
		if (g->place[i] < 0)
			continue;
		a->place[a->n++] = (uint8_t)i;
		fds[n++] = g->place[i];
	}
	a->n_saved = g->n_saved;
	memcpy(a->saved, g->saved, g->n_saved);
}

int guests_open(struct guests *t, const struct guest_spec *spec, struct guest_answer *answer,
		int fds[static BROKER_FDS_MAX], char text[static TAP_TEXT_SIZE])
{
	struct guest *g = guest_of(kept_find(&t->list, spec->port));
	int err = 0;

	text[0] = '\0';
	if (g && !guest_spec_same_socket(&g->spec, spec)) {
		kept_remove(&t->list, &g->kept);
		g = NULL;
	}
	if (!g)
		err = add(t, spec, &g, text);
	if (err)
		return err;
	assert(g); /* found or added */
	if (is_waiting(g))
		err = spec->is_client ? try_connect(g) : try_listen(g, text);
	if (err && spec->is_client)
		broker_fail(text, err, "%s: %s", spec->path, strerror(-err));
	/* Who connects has to wait for the other to be there. */
	if (err && !spec->is_client && !spec->may_wait) {
		kept_remove(&t->list, &g->kept);
		return err;
	}
	if (is_waiting(g))
		start_timer(t);
	kept_claim(&g->kept);
	fill_answer(g, answer, fds);
	return 0;
}

int guests_keep(struct guests *t, const struct guest_keep *keep, int *fds)
{
	struct guest *g = guest_of(kept_find(&t->list, keep->port));
	unsigned i;

	if (!g)
		return -ENOENT;
	if (keep->forget)
		forget(g);
	for (i = 0; i < GUEST_PLACES; i++) {
		if (keep->empty[i / 64] >> (i % 64) & 1)
			put_place(g, i, -1);
	}
	for (i = 0; i < keep->n; i++) {
		put_place(g, keep->place[i], fds[i]);
		fds[i] = -1;
	}
	if (keep->n_saved > 0) {
		g->n_saved = keep->n_saved;
		memcpy(g->saved, keep->saved, keep->n_saved);
	}
	if (!is_waiting(g))
		return 0;
	/* A connection that ended before it was told is not news any more. */
	kept_told(&g->kept);
	start_timer(t);
	return 0;
}

int guests_close(struct guests *t, const char *port)
{
	return kept_close(&t->list, port);
}

void guests_unclaim(struct guests *t)
{
	kept_unclaim(&t->list);
}

void guests_sweep(struct guests *t)
{
	kept_sweep(&t->list);
}

int guests_tell(struct guests *t, guests_send send, void *arg)
{
	struct guest_notice n = {0};
	struct kept *due;
	int err;

	for (due = kept_due(t->list.first); due; due = kept_due(due->next)) {
		const struct guest *g = guest_of(due);

		memcpy(n.port, g->spec.port, sizeof(n.port));
		n.is_listen = !g->spec.is_client;
		err = send(&n, n.is_listen ? g->listen.fd : g->place[PLACE_CONNECTION], arg);
		if (err)
			return err;
		kept_told(due);
	}
	return 0;
}
