/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resolver: the process that asks the DNS servers outside.
 *
 * How it fits.  The broker starts it (broker_resolver.c), main.c calls resolver_run(); dns.c asks through the switch's descriptor.
 * Here: what comes from the broker and the switch, who is to be asked, and the table of what is out; resolver_query.c asks.
 *
 * Theory of operation.  One thread, one loop, no state but what is out: a switch that dies takes its questions with it, and the
 * broker brings the descriptor of the next one.  What the switch does not read in time is lost: it gives its guests an error by
 * itself.
 *
 * Trust.  The switch may be taken over by a guest: a message that is not what resolver.h says is refused, and nothing but DNS
 * questions goes out, to servers that the broker has checked.  The broker is trusted.
 */
#include "switch/resolver.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "switch/base/log.h"
#include "switch/base/loop.h"
#include "switch/broker_wire.h"
#include "switch/resolver_query.h"
#include "switch/sandbox.h"

enum {
	TICK_MS = 100,
	BURST = 64,	  /* messages of the switch in a turn */
	ASIDE_MS = 30000, /* a server that did not answer is asked last for so long */
	ARGUMENTS = 3,
	STATUS_USAGE = 2,
};

struct resolver {
	struct resolver_queries queries;
	int broker_fd;
	int switch_fd;	      /* -1: there is none now */
	int tick;	      /* timer; 0: nothing is out */
	unsigned n_out, last; /* last: the slot that was taken last */
	struct resolver_servers servers;
	uint64_t aside_ms[1 + RESOLVER_DOMAINS][RESOLVER_SERVERS]; /* until then */
	struct resolver_query query[RESOLVER_OUT_MAX];
};

/* --- who is asked ----------------------------------------------------------------------- */

static bool is_in_domain(const char *name, const char *domain)
{
	size_t n = strlen(name), m = strlen(domain);

	if (n < m || strcasecmp(name + n - m, domain) != 0)
		return false;
	return n == m || name[n - m - 1] == '.';
}

/* The set of the longest domain that the name is in; else the first one. */
static unsigned find_set(const struct resolver_servers *s, const char *name)
{
	size_t longest = 0, n;
	unsigned found = 0, i;

	for (i = 1; i < s->n_sets; i++) {
		n = strlen(s->set[i].domain);
		if (n > longest && is_in_domain(name, s->set[i].domain)) {
			longest = n;
			found = i;
		}
	}
	return found;
}

/* The servers of a set in their order, those that did not answer lately last; the only one twice.  How many. */
static uint16_t order_servers(const struct resolver *r, unsigned set, uint64_t now_ms,
			      struct resolver_server out[static RESOLVER_SERVERS])
{
	const struct resolver_set *s = &r->servers.set[set];
	unsigned pass, i;
	uint16_t n = 0;

	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < s->n; i++) {
			if ((r->aside_ms[set][i] > now_ms) == (pass == 1))
				out[n++] = s->server[i];
		}
	}
	if (n == 1)
		out[n++] = out[0];
	return n;
}

static void on_failed(void *arg, const struct resolver_server *failed)
{
	uint64_t until_ms = clock_ms() + ASIDE_MS;
	const struct resolver_server *s;
	struct resolver *r = arg;
	unsigned set, i;

	for (set = 0; set < r->servers.n_sets; set++) {
		for (i = 0; i < r->servers.set[set].n; i++) {
			s = &r->servers.set[set].server[i];
			if (s->port == failed->port && ip_equal(&s->ip, &failed->ip))
				r->aside_ms[set][i] = until_ms;
		}
	}
}

/* --- answers ---------------------------------------------------------------------------- */

static void send_answer(struct resolver *r, uint32_t token, int error, const uint8_t *bytes,
			size_t n)
{
	struct {
		uint32_t token;
		int32_t error;
		uint32_t len;
	} head = {token, error, (uint32_t)n};
	struct iovec iov[2] = {
		{&head, sizeof(head)},
		{(void *)(uintptr_t)bytes, n},
	};
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = n > 0 ? 2 : 1};

	_Static_assert(sizeof(head) == offsetof(struct resolver_answer, bytes), "wire format");
	if (sendmsg(r->switch_fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_limited(LOG_LEVEL_DEBUG, "resolver: an answer: %s", strerror(errno));
}

static void on_done(void *arg, struct resolver_query *q, int error, const uint8_t *bytes, size_t n)
{
	struct resolver *r = arg;

	r->n_out--;
	send_answer(r, q->token, error, bytes, n);
}

static void on_tick(void *arg, uint32_t events)
{
	struct resolver *r = arg;
	uint64_t now_ms = clock_ms();
	unsigned i;

	(void)events;
	r->tick = 0;
	for (i = 0; i < RESOLVER_OUT_MAX; i++) {
		if (r->query[i].n_servers > 0)
			resolver_query_tick(&r->query[i], now_ms);
	}
	if (r->n_out > 0)
		r->tick = loop_after(r->queries.loop, TICK_MS, on_tick, r);
}

/* --- questions -------------------------------------------------------------------------- */

static struct resolver_query *find_free(struct resolver *r)
{
	unsigned i;

	if (r->n_out == RESOLVER_OUT_MAX)
		return NULL;
	for (i = r->last; r->query[i].n_servers > 0;)
		i = (i + 1) % RESOLVER_OUT_MAX;
	r->last = i;
	return &r->query[i];
}

/* A message of n bytes.  0: it is out, or answered; else why not. */
static int begin(struct resolver *r, const struct resolver_ask *a, size_t n)
{
	uint64_t now_ms = clock_ms();
	struct resolver_query *q;
	int err;

	if (a->len > n - offsetof(struct resolver_ask, query) ||
	    !memchr(a->domain, '\0', sizeof(a->domain)))
		return -EINVAL;
	q = find_free(r);
	if (!q)
		return -EAGAIN;
	q->n_servers = order_servers(r, find_set(&r->servers, a->domain), now_ms, q->server);
	if (q->n_servers == 0)
		return -ENETUNREACH;
	q->token = a->token;
	q->n = a->len;
	memcpy(q->asked, a->query, a->len);
	r->n_out++;
	err = resolver_query_begin(&r->queries, q, now_ms);
	if (err)
		r->n_out--;
	else if (r->tick <= 0)
		r->tick = loop_after(r->queries.loop, TICK_MS, on_tick, r);
	return err;
}

static void forget_switch(struct resolver *r)
{
	unsigned i;

	for (i = 0; i < RESOLVER_OUT_MAX; i++) {
		if (r->query[i].n_servers > 0)
			resolver_query_drop(&r->query[i]);
	}
	r->n_out = 0;
	if (r->switch_fd >= 0) {
		loop_del(r->queries.loop, r->switch_fd);
		close(r->switch_fd);
	}
	r->switch_fd = -1;
}

static void on_switch(void *arg, uint32_t events)
{
	struct resolver_ask a;
	struct resolver *r = arg;
	unsigned i, none;
	ssize_t n;
	int err;

	(void)events;
	for (i = 0; i < BURST; i++) {
		n = wire_receive(r->switch_fd, &a, sizeof(a), MSG_DONTWAIT, NULL, 0, &none);
		if (n == -EAGAIN)
			return;
		if (n == -EMSGSIZE || n == -EMFILE ||
		    (n >= 0 && (size_t)n < offsetof(struct resolver_ask, query)))
			continue;
		if (n < 0) {
			forget_switch(r);
			return;
		}
		err = begin(r, &a, (size_t)n);
		if (err)
			send_answer(r, a.token, err, NULL, 0);
	}
}

/* --- the broker ------------------------------------------------------------------------- */

static void on_broker(void *arg, uint32_t events)
{
	struct resolver_servers s;
	struct resolver *r = arg;
	unsigned n_fds;
	ssize_t n;
	int fd;

	(void)events;
	n = wire_receive(r->broker_fd, &s, sizeof(s), MSG_DONTWAIT, &fd, 1, &n_fds);
	if (n == -EAGAIN)
		return;
	if (n != (ssize_t)sizeof(s)) {
		loop_stop(r->queries.loop);
		return;
	}
	r->servers = s;
	memset(r->aside_ms, 0, sizeof(r->aside_ms));
	if (n_fds == 0)
		return;
	forget_switch(r);
	if (loop_add(r->queries.loop, fd, EPOLLIN, on_switch, r) == 0)
		r->switch_fd = fd;
	else
		close(fd);
}

int resolver_serve(int broker_fd)
{
	struct resolver *r = calloc(1, sizeof(*r));
	int err = -ENOMEM;

	if (!r)
		return err;
	r->broker_fd = broker_fd;
	r->switch_fd = -1;
	r->servers.n_sets = 1;
	r->queries.arg = r;
	r->queries.done = on_done;
	r->queries.failed = on_failed;
	r->queries.loop = loop_create();
	if (r->queries.loop)
		err = loop_add(r->queries.loop, broker_fd, EPOLLIN, on_broker, r);
	if (!err) {
		err = loop_run(r->queries.loop);
		forget_switch(r);
	}
	loop_destroy(r->queries.loop);
	free(r);
	return err;
}

static bool is_started_by_broker(int argc, char **argv)
{
	enum log_level level;
	int type = 0;
	socklen_t size = sizeof(type);

	if (argc != ARGUMENTS || !log_level_parse(argv[2], &level) ||
	    getsockopt(RESOLVER_FD_BROKER, SOL_SOCKET, SO_TYPE, &type, &size) < 0 ||
	    type != SOCK_SEQPACKET)
		return false;
	log_init("vfabd", level);
	return true;
}

int resolver_run(int argc, char **argv)
{
	const char *step;
	int err;

	if (!is_started_by_broker(argc, argv)) {
		log_err("%s is for vfabd itself", RESOLVER_MARK);
		return STATUS_USAGE;
	}
	prctl(PR_SET_NAME, "vfabd-resolver");
	signal(SIGPIPE, SIG_IGN);
	err = sandbox_resolver(&step);
	if (err) {
		log_err("resolver: sandbox: %s: %s", step, strerror(-err));
		return 1;
	}
	return resolver_serve(RESOLVER_FD_BROKER) ? 1 : 0;
}
