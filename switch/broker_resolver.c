/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker_resolver: the resolver process, as the broker keeps it.
 *
 * How it fits.  broker_stock.c gives it each BROKER_RESOLVER_SET and asks what is to be told; broker_spawn.c makes the process,
 * resolv_conf.c follows the host's servers.
 *
 * Theory of operation.  Two socket pairs: broker and process, switch and process.  The second is made here whenever one of both
 * is new; its one end goes to the process together with the servers, the other one is held in switch_fd until an answer or a notice
 * has taken it.  Nothing waits for the process: what it does not read costs it its life.
 *
 * Trust.  A set comes from the switch, in a sealed memfd, and is copied before it is checked.  A switch that a guest has taken
 * over can have DNS questions sent to addresses of its choice, from this host; what DNS questions are, the process looks at.
 * Nothing is read from the process.
 */
#include "switch/broker_resolver.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "switch/base/log.h"
#include "switch/broker_check.h"
#include "switch/broker_file.h"
#include "switch/broker_spawn.h"
#include "switch/broker_wire.h"
#include "switch/resolv_conf.h"

enum {
	RESTART_MIN_MS = 1000,
	RESTART_MAX_MS = 32000,
	SHORT_LIFE_MS = 5000,
	ROOM_BYTES = 1 << 20, /* of a socket to the switch: all answers of a bad moment */
};

struct helper {
	struct helper_needs needs;
	struct resolver_servers servers; /* as they were asked for */
	struct resolv_conf *host;	 /* NULL: the set names servers, or there is none */
	bool is_wanted;			 /* there is a set */
	bool is_claimed;		 /* by the switch that lives */
	pid_t pid;			 /* 0: none lives */
	int fd;				 /* towards the process; -1: none lives */
	int switch_fd; /* an end for the switch that it does not have yet; -1: none */
	uint32_t news; /* to be told with it */
	int start_timer;
	uint64_t started_ms;
	uint32_t restart_ms;
};

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* --- what the process is sent ----------------------------------------------------------- */

static void kill_process(struct helper *h)
{
	if (h->pid > 0)
		kill(h->pid, SIGKILL);
}

/* The servers that hold now, with the end of a socket for the switch, or -1. */
static int send_servers(struct helper *h, int end)
{
	struct resolver_servers s = h->servers;
	int err;

	if (s.set[0].n == 0 && h->host)
		s.set[0].n = resolv_conf_servers(h->host, s.set[0].server);
	err = wire_send(h->fd, &s, sizeof(s), MSG_DONTWAIT, &end, end >= 0);
	if (err == -EAGAIN) {
		log_err("the resolver does not take its servers: it is killed");
		kill_process(h);
	}
	return err;
}

/* A socket between the switch and the process; the switch's end is in switch_fd then. */
static int connect_switch(struct helper *h)
{
	const int room = ROOM_BYTES;
	int pair[2], err;

	close_end(&h->switch_fd);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	/* What does not fit is lost, and asked again: with the usual room it works as well, less smoothly. */
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	err = send_servers(h, pair[1]);
	close(pair[1]);
	if (err) {
		close(pair[0]);
		return err;
	}
	h->switch_fd = pair[0];
	return 0;
}

/* --- its life --------------------------------------------------------------------------- */

static int start(struct helper *h)
{
	int pair[2], err;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	pid = resolver_spawn(pair[1], h->needs.log_level);
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return pid;
	}
	h->pid = pid;
	h->fd = pair[0];
	h->started_ms = clock_ms();
	err = connect_switch(h);
	/* It is there and has died already, or will be killed: that is noticed by its end. */
	if (err)
		log_debug("resolver: %s", strerror(-err));
	return 0;
}

static void on_start(void *arg, uint32_t events);

static void plan_start(struct helper *h, uint32_t ms)
{
	h->start_timer = loop_after(h->needs.loop, ms, on_start, h);
}

static void on_start(void *arg, uint32_t events)
{
	struct helper *h = arg;
	int err;

	(void)events;
	h->start_timer = 0;
	err = start(h);
	if (err) {
		log_err("the resolver cannot be started: %s", strerror(-err));
		plan_start(h, RESTART_MAX_MS);
		return;
	}
	if (!h->is_claimed)
		return;
	h->news |= RESOLVER_IS_NEW;
	h->needs.due(h->needs.arg);
}

/* After a second, twice that when it did not live long, and so on. */
static void plan_restart(struct helper *h)
{
	uint64_t lived_ms = clock_ms() - h->started_ms;
	uint32_t wait_ms;

	if (lived_ms >= SHORT_LIFE_MS || h->restart_ms == 0)
		h->restart_ms = RESTART_MIN_MS;
	else if (h->restart_ms < RESTART_MAX_MS)
		h->restart_ms *= 2;
	wait_ms = lived_ms < h->restart_ms ? h->restart_ms - (uint32_t)lived_ms : 0;
	plan_start(h, wait_ms);
}

void helper_reap(struct helper *h)
{
	int wstatus;

	if (h->pid == 0 || waitpid(h->pid, &wstatus, WNOHANG) != h->pid)
		return;
	h->pid = 0;
	close_end(&h->fd);
	close_end(&h->switch_fd);
	if (!h->is_wanted)
		return;
	if (WIFSIGNALED(wstatus))
		log_warn("the resolver died of signal %d: it is started again", WTERMSIG(wstatus));
	else
		log_warn("the resolver ended with status %d: it is started again",
			 WEXITSTATUS(wstatus));
	plan_restart(h);
}

static void end(struct helper *h)
{
	h->is_wanted = false;
	loop_cancel(h->needs.loop, h->start_timer);
	h->start_timer = 0;
	resolv_conf_destroy(h->host);
	h->host = NULL;
	h->news = 0;
	h->restart_ms = 0;
	close_end(&h->switch_fd);
	close_end(&h->fd);
	kill_process(h);
	if (h->pid > 0)
		waitpid(h->pid, NULL, 0);
	h->pid = 0;
}

/* --- servers ---------------------------------------------------------------------------- */

static void on_host(void *arg)
{
	struct helper *h = arg;

	log_debug("resolver: this host has other servers");
	if (h->fd >= 0)
		send_servers(h, -1);
	if (!h->is_claimed)
		return;
	h->news |= RESOLVER_HAS_OTHERS;
	h->needs.due(h->needs.arg);
}

/* Follows the host where the set names no servers. */
static int follow(struct helper *h, bool is_needed, char why[static TAP_TEXT_SIZE])
{
	if (!is_needed) {
		resolv_conf_destroy(h->host);
		h->host = NULL;
	} else if (!h->host) {
		h->host = resolv_conf_create(h->needs.loop, h->needs.resolv_conf, on_host, h);
		if (!h->host)
			return broker_fail(why, -errno, "%s: %s", h->needs.resolv_conf,
					   strerror(errno));
	}
	return 0;
}

static int read_set(int memfd, struct resolver_servers *s, char why[static TAP_TEXT_SIZE])
{
	if (text_check(memfd) != (ssize_t)sizeof(*s) ||
	    pread(memfd, s, sizeof(*s), 0) != (ssize_t)sizeof(*s))
		return broker_fail(why, -EINVAL, "no servers of a resolver");
	return broker_resolver_check(s, why);
}

/* The process has the set, if it lives; a switch that has no socket to it yet gets one. */
static int bring(struct helper *h)
{
	int err;

	if (h->pid == 0 && h->start_timer > 0)
		err = 0; /* a notice brings it */
	else if (h->pid == 0)
		err = start(h);
	else if (h->is_claimed)
		err = send_servers(h, -1);
	else
		err = connect_switch(h);
	/* It is about to be started again. */
	return h->pid > 0 && (err == -EPIPE || err == -EAGAIN) ? 0 : err;
}

int helper_take(struct helper *h, int memfd, int *fd, char why[static TAP_TEXT_SIZE])
{
	struct resolver_servers next;
	int err;

	*fd = -1;
	err = read_set(memfd, &next, why);
	if (!err)
		err = follow(h, next.set[0].n == 0, why);
	if (err)
		return err;
	h->servers = next;
	h->is_wanted = true;
	err = bring(h);
	if (err)
		return broker_fail(why, err, "the resolver cannot be started: %s", strerror(-err));
	h->is_claimed = true;
	/* One that a notice is due to bring stays that notice's. */
	if (!(h->news & RESOLVER_IS_NEW))
		*fd = h->switch_fd;
	return 0;
}

void helper_answered(struct helper *h)
{
	if (!(h->news & RESOLVER_IS_NEW))
		close_end(&h->switch_fd);
}

void helper_unclaim(struct helper *h)
{
	h->is_claimed = false;
	h->news = 0;
	close_end(&h->switch_fd);
}

void helper_sweep(struct helper *h)
{
	if (h->is_wanted && !h->is_claimed)
		end(h);
}

int helper_tell(struct helper *h, helper_send send, void *arg)
{
	int err;

	if (h->news == 0 || !h->is_claimed)
		return 0;
	/* It has died again since: the next one is told of. */
	if (h->switch_fd < 0)
		h->news &= ~(uint32_t)RESOLVER_IS_NEW;
	if (h->news == 0)
		return 0;
	err = send(h->news, h->switch_fd, arg);
	if (err)
		return err;
	h->news = 0;
	close_end(&h->switch_fd);
	return 0;
}

struct helper *helper_create(const struct helper_needs *needs)
{
	struct helper *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->needs = *needs;
	h->fd = h->switch_fd = -1;
	return h;
}

void helper_destroy(struct helper *h)
{
	if (!h)
		return;
	end(h);
	free(h);
}
