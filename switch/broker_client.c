/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker_client: the switch's side of the sockets to the broker.
 *
 * How it fits.  apply.c and switch.c call it from the control thread; broker.c answers.  One
 * request is under way at a time, and the caller waits: the broker has nothing slower to do than to
 * make a tap.
 *
 * Trust.  The broker is trusted; a message of a wrong size is a broken broker, and ends in -EPROTO.
 */
#include "switch/broker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "switch/base/log.h"
#include "switch/broker_file.h"
#include "switch/broker_wire.h"

static void drop(int *fds, unsigned n)
{
	while (n > 0)
		close(fds[--n]);
}

/* Receives one message of exactly size bytes with at most max descriptors. */
static int receive(int sock, void *bytes, size_t size, int flags, int *fds, unsigned max,
		   unsigned *n_fds)
{
	ssize_t n = wire_receive(sock, bytes, size, flags, fds, max, n_fds);

	if (n == (ssize_t)size)
		return 0;
	drop(fds, *n_fds);
	*n_fds = 0;
	return n >= 0 || n == -EMSGSIZE ? -EPROTO : (int)n;
}

/* One request, n descriptors with it, and its answer, with at most max.  0 or -errno: ours, or the broker's. */
static int ask(const struct broker_request *q, const int *send_fds, unsigned n,
	       struct broker_reply *r, int *fds, unsigned max, unsigned *n_fds)
{
	int err = wire_send(SWITCH_FD_REQUEST, q, sizeof(*q), 0, send_fds, n);

	*n_fds = 0;
	memset(r, 0, sizeof(*r));
	if (!err)
		err = receive(SWITCH_FD_REQUEST, r, sizeof(*r), 0, fds, max, n_fds);
	if (err) {
		memset(r, 0, sizeof(*r));
		return err;
	}
	r->text[sizeof(r->text) - 1] = '\0';
	r->tap.text[sizeof(r->tap.text) - 1] = '\0';
	r->link.text[sizeof(r->link.text) - 1] = '\0';
	return -r->error;
}

/* An answer without words of its own gets those of the reply, or of errno. */
static void explain(char text[static TAP_TEXT_SIZE], const struct broker_reply *r, int err)
{
	if (err && text[0] == '\0')
		snprintf(text, TAP_TEXT_SIZE, "%s", r->text[0] ? r->text : strerror(-err));
}

int broker_tap_open(const struct tap_spec *spec, struct tap_answer *answer,
		    int fds[static PORT_QUEUES_MAX])
{
	struct broker_request q = {.op = BROKER_TAP_OPEN, .tap = *spec};
	struct broker_reply r;
	unsigned n_fds;
	int err = ask(&q, NULL, 0, &r, fds, PORT_QUEUES_MAX, &n_fds);

	*answer = r.tap;
	if (!err && n_fds != r.tap.n_fds)
		err = -EPROTO;
	if (!err)
		return 0;
	drop(fds, n_fds);
	answer->n_fds = 0;
	explain(answer->text, &r, err);
	return err;
}

/* A request without descriptors in its answer. */
static int ask_plain(const struct broker_request *q, const int *send_fds, unsigned n,
		     struct broker_reply *r)
{
	int fds[1], err;
	unsigned n_fds;

	err = ask(q, send_fds, n, r, fds, 1, &n_fds);
	drop(fds, n_fds);
	return err;
}

static int ask_close(enum broker_op op, const char *port)
{
	struct broker_request q = {.op = op};
	struct broker_reply r;

	snprintf(q.port, sizeof(q.port), "%s", port);
	return ask_plain(&q, NULL, 0, &r);
}

int broker_tap_set(const struct tap_spec *spec, struct tap_answer *answer)
{
	struct broker_request q = {.op = BROKER_TAP_SET, .tap = *spec};
	struct broker_reply r;
	int err = ask_plain(&q, NULL, 0, &r);

	*answer = r.tap;
	explain(answer->text, &r, err);
	return err;
}

int broker_tap_close(const char *port)
{
	return ask_close(BROKER_TAP_CLOSE, port);
}

/* An answer that is true to itself, and to the descriptors that came with it. */
static bool is_guest_answer(const struct guest_answer *a, unsigned n_fds)
{
	unsigned i;

	if (a->has_listen > 1 || a->n > GUEST_PLACES || a->n_saved > GUEST_SAVED_SIZE)
		return false;
	for (i = 0; i < a->n; i++) {
		if (a->place[i] >= GUEST_PLACES)
			return false;
	}
	return n_fds == (unsigned)a->has_listen + a->n;
}

int broker_guest_open(const struct guest_spec *spec, struct guest_answer *answer, int *fds,
		      unsigned *n_fds, char *text)
{
	struct broker_request q = {.op = BROKER_GUEST_OPEN, .guest = *spec};
	struct broker_reply r;
	int err = ask(&q, NULL, 0, &r, fds, BROKER_FDS_MAX, n_fds);

	if (!err && !is_guest_answer(&r.guest, *n_fds))
		err = -EPROTO;
	*answer = r.guest;
	snprintf(text, TAP_TEXT_SIZE, "%s", r.text[0] || !err ? r.text : strerror(-err));
	if (!err)
		return 0;
	memset(answer, 0, sizeof(*answer));
	drop(fds, *n_fds);
	*n_fds = 0;
	return err;
}

int broker_guest_keep(const struct guest_keep *keep, const int *fds)
{
	struct broker_request q = {.op = BROKER_GUEST_KEEP, .keep = *keep};
	struct broker_reply r;

	return ask_plain(&q, fds, keep->n, &r);
}

int broker_guest_close(const char *port)
{
	return ask_close(BROKER_GUEST_CLOSE, port);
}

int broker_link_open(const struct link_spec *spec, struct link_answer *answer, int fds[static 2])
{
	struct broker_request q = {.op = BROKER_LINK_OPEN, .link = *spec};
	struct broker_reply r;
	unsigned n_fds;
	int err = ask(&q, NULL, 0, &r, fds, 2, &n_fds);

	if (!err && n_fds != r.link.n_fds)
		err = -EPROTO;
	*answer = r.link;
	if (err) {
		drop(fds, n_fds);
		n_fds = answer->n_fds = 0;
		explain(answer->text, &r, err);
	}
	for (; n_fds < 2; n_fds++)
		fds[n_fds] = -1;
	return err;
}

int broker_link_set(const struct link_spec *spec, struct link_answer *answer)
{
	struct broker_request q = {.op = BROKER_LINK_SET, .link = *spec};
	struct broker_reply r;
	int err = ask_plain(&q, NULL, 0, &r);

	*answer = r.link;
	explain(answer->text, &r, err);
	return err;
}

int broker_link_close(const char *port)
{
	return ask_close(BROKER_LINK_CLOSE, port);
}

/* Both arrays, one behind the other, as a sealed memfd. */
static int host_arrays(const struct host_set *set, const struct nft_uplink *uplinks,
		       const struct nft_forward *forwards)
{
	size_t n = set->n_uplinks * sizeof(*uplinks), m = set->n_forwards * sizeof(*forwards);
	char *both = malloc(n + m + 1);
	int fd;

	if (!both)
		return -ENOMEM;
	if (n > 0)
		memcpy(both, uplinks, n);
	if (m > 0)
		memcpy(both + n, forwards, m);
	fd = text_create(both, n + m);
	free(both);
	return fd;
}

int broker_host_set(const struct host_set *set, const struct nft_uplink *uplinks,
		    const struct nft_forward *forwards, char text[static LINK_TEXT_SIZE])
{
	struct broker_request q = {.op = BROKER_HOST_SET, .host = *set};
	struct broker_reply r = {.text = ""};
	int fd = host_arrays(set, uplinks, forwards), err = fd;

	if (fd >= 0) {
		err = ask_plain(&q, &fd, 1, &r);
		close(fd);
	}
	snprintf(text, LINK_TEXT_SIZE, "%s", r.text[0] || !err ? r.text : strerror(-err));
	return err;
}

int broker_resolver_set(const struct resolver_servers *s, int *fd,
			char why[static RESOLVER_TEXT_SIZE])
{
	struct broker_request q = {.op = BROKER_RESOLVER_SET};
	int memfd = text_create((const char *)s, sizeof(*s)), err = memfd;
	struct broker_reply r = {.text = ""};
	unsigned n_fds = 0;

	if (memfd >= 0) {
		err = ask(&q, &memfd, 1, &r, fd, 1, &n_fds);
		close(memfd);
	}
	snprintf(why, RESOLVER_TEXT_SIZE, "%s", r.text[0] || !err ? r.text : strerror(-err));
	if (err)
		drop(fd, n_fds);
	if (err || n_fds == 0)
		*fd = -1;
	return err;
}

static int send_text(enum broker_op op, const char *text, size_t bytes)
{
	struct broker_request q = {.op = op};
	struct broker_reply r;
	int fd = text_create(text, bytes), err;

	if (fd < 0)
		return fd;
	err = ask_plain(&q, &fd, 1, &r);
	close(fd);
	if (err)
		log_err("broker: %s", r.text[0] ? r.text : strerror(-err));
	return err;
}

int broker_conf_keep(const char *text, size_t bytes)
{
	return send_text(BROKER_CONF_KEEP, text, bytes);
}

int broker_conf_save(const char *text, size_t bytes)
{
	return send_text(BROKER_CONF_SAVE, text, bytes);
}

int broker_ready(void)
{
	struct broker_request q = {.op = BROKER_READY};
	struct broker_reply r;

	return ask_plain(&q, NULL, 0, &r);
}

int broker_notice_read(struct broker_notice *n, int fds[static PORT_QUEUES_MAX], unsigned *n_fds)
{
	int err =
		receive(SWITCH_FD_NOTICE, n, sizeof(*n), MSG_DONTWAIT, fds, PORT_QUEUES_MAX, n_fds);

	if (err)
		return err;
	n->tap.text[sizeof(n->tap.text) - 1] = '\0';
	n->link.text[sizeof(n->link.text) - 1] = '\0';
	n->text[sizeof(n->text) - 1] = '\0';
	return 0;
}

bool broker_client_init(int argc, char **argv, const char **conf_name)
{
	enum log_level level;
	struct stat st;
	int type = 0, fd;
	socklen_t size = sizeof(type);

	if (argc != 4 || !log_level_parse(argv[2], &level))
		return false;
	/* Started by hand it would take whatever lies at these numbers for what it is not. */
	if (getsockopt(SWITCH_FD_REQUEST, SOL_SOCKET, SO_TYPE, &type, &size) < 0 ||
	    type != SOCK_SEQPACKET)
		return false;
	for (fd = SWITCH_FD_REQUEST; fd < SWITCH_FD_END; fd++) {
		if (fstat(fd, &st) < 0)
			return false;
	}
	log_init("vfabd", level);
	*conf_name = argv[3];
	return true;
}
