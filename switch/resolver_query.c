/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resolver_query: one question on its way through the servers that may answer it.
 *
 * How it fits.  resolver.c begins one for each question of the switch, ticks all that are out, and passes the answers on.
 *
 * Why not c-ares: one of its channels has one UDP socket for all, so a port for each question takes a channel for each, and a
 * channel reads /etc/resolv.conf and /dev/urandom when it is made, neither of which is there in an empty root (then it takes
 * rand()); and it compares names without regard to case.  What is left of it is this file.
 *
 * RFC 1035 4.2 (UDP, TCP), RFC 5452 9 (id, port, source, question), RFC 7766 5 (TCP after TC, and at once).
 *
 * Trust.  Whatever arrives may be forged, by somebody who sees nothing of what we send.  The socket is connected, and the source is
 * looked at all the same: what came between its bind and its connect passed no filter.  What does not match is left and awaited
 * further; only what comes by TCP from the server itself ends its turn by being wrong.
 */
#include "switch/resolver_query.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "switch/resolver_wire.h"

enum {
	TCP_HEAD = 2,
	STREAM_BYTES = TCP_HEAD + RESOLVER_ANSWER_MAX,
	BURST = 16, /* datagrams of one socket in a turn */
	RCODE_SERVFAIL = 2,
	RCODE_NOTIMP = 4,
	RCODE_REFUSED = 5,
};

static void ask_next(struct resolver_query *q, int err);

/* --- ids -------------------------------------------------------------------------------- */

static void put_id(struct resolver_query *q)
{
	q->all->ids[q->id / 64] &= ~(1ULL << (q->id % 64));
}

/* A new id, that no other query has, and other letters.  0 is none. */
static int draw(struct resolver_query *q)
{
	uint8_t bits[RESOLVER_LETTERS];
	uint16_t id;

	do {
		if (getrandom(&id, sizeof(id), 0) != sizeof(id))
			return -EIO;
	} while (id == 0 || (q->all->ids[id / 64] >> (id % 64) & 1));
	if (getrandom(bits, sizeof(bits), 0) != sizeof(bits))
		return -EIO;
	put_id(q);
	q->id = id;
	q->all->ids[id / 64] |= 1ULL << (id % 64);
	memcpy(q->query, q->asked, q->n);
	q->query[0] = (uint8_t)(id >> 8);
	q->query[1] = (uint8_t)id;
	if (!q->is_plain)
		resolver_wire_letters(q->query, q->question, bits);
	return 0;
}

/* --- sockets ---------------------------------------------------------------------------- */

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t fill_address(union address *a, const struct resolver_server *s)
{
	memset(a, 0, sizeof(*a));
	if (ip_is_v4(&s->ip)) {
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons(s->port);
		memcpy(&a->v4.sin_addr, s->ip.b + 12, 4);
		return sizeof(a->v4);
	}
	a->v6.sin6_family = AF_INET6;
	a->v6.sin6_port = htons(s->port);
	memcpy(&a->v6.sin6_addr, s->ip.b, 16);
	return sizeof(a->v6);
}

static bool is_from(const union address *from, socklen_t n, const struct resolver_server *s)
{
	union address want;

	if (n != fill_address(&want, s) || from->any.sa_family != want.any.sa_family)
		return false;
	if (want.any.sa_family == AF_INET)
		return from->v4.sin_port == want.v4.sin_port &&
		       from->v4.sin_addr.s_addr == want.v4.sin_addr.s_addr;
	return from->v6.sin6_port == want.v6.sin6_port &&
	       memcmp(&from->v6.sin6_addr, &want.v6.sin6_addr, 16) == 0;
}

static const struct resolver_server *asked_server(const struct resolver_query *q)
{
	return &q->server[q->next_server - 1];
}

static void close_socket(struct resolver_query *q)
{
	if (q->fd >= 0) {
		loop_del(q->all->loop, q->fd);
		close(q->fd);
	}
	q->fd = -1;
	free(q->stream);
	q->stream = NULL;
	q->at = 0;
	q->is_sent = false;
}

/* A socket towards the server that is asked, at a port of the kernel's choice, which is random. */
static int open_socket(struct resolver_query *q, int type, uint32_t events, loop_fn fn)
{
	union address a;
	socklen_t n = fill_address(&a, asked_server(q));

	q->fd = socket(a.any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (q->fd < 0 || (connect(q->fd, &a.any, n) < 0 && errno != EINPROGRESS))
		return -errno;
	return loop_add(q->all->loop, q->fd, events, fn, q);
}

/* --- ends ------------------------------------------------------------------------------- */

static void leave(struct resolver_query *q)
{
	close_socket(q);
	put_id(q);
	q->n_servers = 0;
}

static void fail(struct resolver_query *q, int err)
{
	leave(q);
	q->all->done(q->all->arg, q, err, NULL, 0);
}

/* An answer that matches.  One that says no more than that this server will not say it is taken from the last one only. */
static void take(struct resolver_query *q, uint8_t *bytes, size_t n)
{
	unsigned rcode = resolver_wire_rcode(bytes);

	if (q->next_server < q->n_servers &&
	    (rcode == RCODE_SERVFAIL || rcode == RCODE_NOTIMP || rcode == RCODE_REFUSED)) {
		ask_next(q, -EAGAIN);
		return;
	}
	leave(q);
	memcpy(bytes, q->asked, 2);
	memcpy(bytes + RESOLVER_HEAD, q->asked + RESOLVER_HEAD, q->question);
	q->all->done(q->all->arg, q, 0, bytes, n);
}

static void server_failed(struct resolver_query *q, int err)
{
	q->all->failed(q->all->arg, asked_server(q));
	ask_next(q, err);
}

/* --- TCP -------------------------------------------------------------------------------- */

/* The whole message is there, behind its length. */
static void take_stream(struct resolver_query *q)
{
	uint8_t *stream = q->stream;
	size_t n = q->at - TCP_HEAD;

	if (resolver_wire_match(q->query, q->question, stream + TCP_HEAD, n) == RESOLVER_STRANGE ||
	    resolver_wire_is_cut(stream + TCP_HEAD)) {
		ask_next(q, -EBADMSG);
		return;
	}
	q->stream = NULL; /* what comes next frees it, and the bytes are needed still */
	take(q, stream + TCP_HEAD, n);
	free(stream);
}

static void receive_stream(struct resolver_query *q)
{
	uint32_t want = TCP_HEAD;
	ssize_t n;

	for (;;) {
		if (q->at >= TCP_HEAD)
			want = TCP_HEAD + (uint32_t)(q->stream[0] << 8 | q->stream[1]);
		if (want > STREAM_BYTES) {
			ask_next(q, -EMSGSIZE);
			return;
		}
		if (q->at >= TCP_HEAD && q->at == want) {
			take_stream(q);
			return;
		}
		n = read(q->fd, q->stream + q->at, want - q->at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			server_failed(q, n < 0 ? -errno : -ECONNRESET);
			return;
		}
		q->at += (uint32_t)n;
	}
}

static void on_stream(void *arg, uint32_t events)
{
	struct resolver_query *q = arg;
	uint32_t want = TCP_HEAD + q->n;
	ssize_t n;

	(void)events;
	if (q->is_sent) {
		receive_stream(q);
		return;
	}
	n = write(q->fd, q->stream + q->at, want - q->at);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0) {
		server_failed(q, -errno);
		return;
	}
	q->at += (uint32_t)n;
	if (q->at < want)
		return;
	q->is_sent = true;
	q->at = 0;
	loop_mod(q->all->loop, q->fd, EPOLLIN);
}

/* The same server, the same id and letters, by TCP; its time begins anew. */
static void ask_by_tcp(struct resolver_query *q)
{
	uint64_t now_ms = clock_ms();
	int err;

	close_socket(q);
	q->stream = malloc(STREAM_BYTES);
	err = q->stream ? open_socket(q, SOCK_STREAM, EPOLLOUT, on_stream) : -ENOMEM;
	if (err) {
		ask_next(q, err);
		return;
	}
	q->stream[0] = (uint8_t)(q->n >> 8);
	q->stream[1] = (uint8_t)q->n;
	memcpy(q->stream + TCP_HEAD, q->query, q->n);
	q->try_ms = now_ms + RESOLVER_TRY_MS;
}

/* --- UDP -------------------------------------------------------------------------------- */

/* True: the socket is not q's any more. */
static bool take_datagram(struct resolver_query *q, uint8_t *bytes, size_t n)
{
	enum resolver_match match = resolver_wire_match(q->query, q->question, bytes, n);

	if (match == RESOLVER_STRANGE)
		return false;
	/* Where TCP does not help either, what follows goes without: a box at home may know no better. */
	if (match == RESOLVER_CASE)
		q->is_plain = true;
	if (match == RESOLVER_CASE || resolver_wire_is_cut(bytes))
		ask_by_tcp(q);
	else
		take(q, bytes, n);
	return true;
}

static void on_datagram(void *arg, uint32_t events)
{
	static uint8_t bytes[RESOLVER_ANSWER_MAX];
	struct resolver_query *q = arg;
	union address from;
	socklen_t from_n;
	ssize_t n;
	int i;

	(void)events;
	for (i = 0; i < BURST; i++) {
		from_n = sizeof(from);
		n = recvfrom(q->fd, bytes, sizeof(bytes), MSG_TRUNC, &from.any, &from_n);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			server_failed(q, -errno);
			return;
		}
		if ((size_t)n <= sizeof(bytes) && is_from(&from, from_n, asked_server(q)) &&
		    take_datagram(q, bytes, (size_t)n))
			return;
	}
}

static int ask_by_udp(struct resolver_query *q)
{
	int err = draw(q);

	if (!err)
		err = open_socket(q, SOCK_DGRAM, EPOLLIN, on_datagram);
	if (!err && write(q->fd, q->query, q->n) < 0)
		err = -errno;
	return err;
}

/* The next server that can be sent anything; err: what the query ends with if there is none. */
static void ask_next(struct resolver_query *q, int err)
{
	uint64_t now_ms = clock_ms();

	close_socket(q);
	while (q->next_server < q->n_servers && now_ms < q->end_ms) {
		q->next_server++;
		err = ask_by_udp(q);
		if (!err) {
			q->try_ms = now_ms + RESOLVER_TRY_MS;
			return;
		}
		close_socket(q);
	}
	fail(q, err);
}

/* --- exported --------------------------------------------------------------------------- */

int resolver_query_begin(struct resolver_queries *all, struct resolver_query *q, uint64_t now_ms)
{
	size_t question = resolver_wire_question(q->asked, q->n);

	if (question == 0) {
		q->n_servers = 0;
		return -EINVAL;
	}
	q->all = all;
	q->question = (uint16_t)question;
	q->id = 0;
	q->next_server = 0;
	q->is_plain = false;
	q->fd = -1;
	q->stream = NULL;
	q->end_ms = now_ms + RESOLVER_END_MS;
	ask_next(q, -ENETUNREACH);
	return 0;
}

void resolver_query_tick(struct resolver_query *q, uint64_t now_ms)
{
	if (now_ms >= q->end_ms) {
		q->all->failed(q->all->arg, asked_server(q));
		fail(q, -ETIMEDOUT);
	} else if (now_ms >= q->try_ms) {
		server_failed(q, -ETIMEDOUT);
	}
}

void resolver_query_drop(struct resolver_query *q)
{
	leave(q);
}
