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
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "switch/base/log.h"
#include "switch/broker_file.h"

/* Receives one message of exactly size bytes.  *n_fds descriptors come along; more than fit cannot. */
static int receive(int sock, void *bytes, size_t size, int flags, int *fds, unsigned *n_fds)
{
	char control[CMSG_SPACE(sizeof(int) * PORT_QUEUES_MAX)] __attribute__((aligned(8)));
	struct iovec iov = {.iov_base = bytes, .iov_len = size};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = sizeof(control)};
	struct cmsghdr *c;
	ssize_t n;

	*n_fds = 0;
	do {
		n = recvmsg(sock, &m, flags | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n == 0 || errno == ECONNRESET ? -EPIPE : -errno;
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		*n_fds = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(c), *n_fds * sizeof(int));
	}
	if ((size_t)n == size && !(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return 0;
	while (*n_fds > 0)
		close(fds[--*n_fds]);
	/* CTRUNC: this process has as many descriptors open as it may. */
	return m.msg_flags & MSG_CTRUNC ? -EMFILE : -EPROTO;
}

static int send_request(const struct broker_request *q, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = {0};
	struct broker_request copy = *q;
	struct iovec iov = {.iov_base = &copy, .iov_len = sizeof(copy)};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *c;
	ssize_t n;

	if (fd >= 0) {
		m.msg_control = control;
		m.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	do {
		n = sendmsg(SWITCH_FD_REQUEST, &m, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	return 0;
}

/* One request and its answer.  fd: goes along, or -1.  0 or -errno: ours, or the broker's. */
static int ask(const struct broker_request *q, int fd, struct broker_reply *r, int *fds,
	       unsigned *n_fds)
{
	int err = send_request(q, fd);

	*n_fds = 0;
	memset(r, 0, sizeof(*r));
	if (!err)
		err = receive(SWITCH_FD_REQUEST, r, sizeof(*r), 0, fds, n_fds);
	if (err) {
		memset(r, 0, sizeof(*r));
		return err;
	}
	r->text[sizeof(r->text) - 1] = '\0';
	r->tap.text[sizeof(r->tap.text) - 1] = '\0';
	return -r->error;
}

static void drop(int *fds, unsigned n)
{
	while (n > 0)
		close(fds[--n]);
}

int broker_tap_open(const struct tap_spec *spec, struct tap_answer *answer,
		    int fds[static PORT_QUEUES_MAX])
{
	struct broker_request q = {.op = BROKER_TAP_OPEN, .tap = *spec};
	struct broker_reply r;
	unsigned n_fds;
	int err = ask(&q, -1, &r, fds, &n_fds);

	*answer = r.tap;
	if (!err && n_fds != r.tap.n_fds)
		err = -EPROTO;
	if (!err)
		return 0;
	drop(fds, n_fds);
	answer->n_fds = 0;
	if (answer->text[0] == '\0')
		snprintf(answer->text, sizeof(answer->text), "%s",
			 r.text[0] ? r.text : strerror(-err));
	return err;
}

/* A request without descriptors in its answer. */
static int ask_plain(const struct broker_request *q, int fd, struct broker_reply *r)
{
	int fds[PORT_QUEUES_MAX], err;
	unsigned n_fds;

	err = ask(q, fd, r, fds, &n_fds);
	drop(fds, n_fds);
	return err;
}

int broker_tap_set(const struct tap_spec *spec, struct tap_answer *answer)
{
	struct broker_request q = {.op = BROKER_TAP_SET, .tap = *spec};
	struct broker_reply r;
	int err = ask_plain(&q, -1, &r);

	*answer = r.tap;
	if (err && answer->text[0] == '\0')
		snprintf(answer->text, sizeof(answer->text), "%s",
			 r.text[0] ? r.text : strerror(-err));
	return err;
}

int broker_tap_close(const char *port)
{
	struct broker_request q = {.op = BROKER_TAP_CLOSE};
	struct broker_reply r;

	snprintf(q.port, sizeof(q.port), "%s", port);
	return ask_plain(&q, -1, &r);
}

static int send_text(enum broker_op op, const char *text, size_t bytes)
{
	struct broker_request q = {.op = op};
	struct broker_reply r;
	int fd = text_create(text, bytes), err;

	if (fd < 0)
		return fd;
	err = ask_plain(&q, fd, &r);
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

	return ask_plain(&q, -1, &r);
}

int broker_notice_read(struct broker_notice *n, int fds[static PORT_QUEUES_MAX], unsigned *n_fds)
{
	int err = receive(SWITCH_FD_NOTICE, n, sizeof(*n), MSG_DONTWAIT, fds, n_fds);

	if (!err)
		n->tap.text[sizeof(n->tap.text) - 1] = '\0';
	return err;
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
	for (fd = SWITCH_FD_REQUEST; fd <= SWITCH_FD_CONF; fd++) {
		if (fstat(fd, &st) < 0)
			return false;
	}
	log_init("vfabd", level);
	*conf_name = argv[3];
	return true;
}
