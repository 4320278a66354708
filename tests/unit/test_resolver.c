/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_resolver: the resolver process against servers of ours on 127.0.0.1, in a network namespace of its own (M11): random ids,
 * ports and letters, forged answers, truncation, time, other servers, domains, limits; and what its sandbox leaves (S02, H10).
 *
 *   test: broker and switch  <-- socket pairs -->  child: resolver_serve()  <-- UDP, TCP -->  test: servers on ports PORT ...
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "switch/base/loop.h"
#include "switch/broker_wire.h"
#include "switch/resolver.h"
#include "switch/resolver_query.h"
#include "switch/resolver_wire.h"
#include "switch/sandbox.h"

enum { PORT = 5300, SERVERS = 3, HEAD = 12, WAIT_MS = 1000, SLOW_MS = 3500 };

static bool has_lab;
static int broker = -1, asker = -1;    /* our ends */
static int udp[SERVERS], tcp[SERVERS]; /* listening on PORT + i */
static pid_t child;

/* --- the lab ---------------------------------------------------------------------------- */

static struct sockaddr_in address(const char *text, uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};

	assert_int_equal(inet_pton(AF_INET, text, &a.sin_addr), 1);
	return a;
}

static int bound(const char *text, uint16_t port, int type)
{
	struct sockaddr_in a = address(text, port);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static bool own_network(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd, rc;

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return false;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	rc = ioctl(fd, SIOCSIFFLAGS, &lo);
	close(fd);
	return rc == 0;
}

static struct resolver_server server(int i)
{
	struct resolver_server s = {.port = (uint16_t)(PORT + i)};

	assert_true(ip_parse("127.0.0.1", &s.ip));
	return s;
}

/* The set for all: servers 0 to n - 1. */
static struct resolver_servers servers(unsigned n)
{
	struct resolver_servers s = {.n_sets = 1};
	unsigned i;

	s.set[0].n = n;
	for (i = 0; i < n; i++)
		s.set[0].server[i] = server((int)i);
	return s;
}

/* What the broker does for each switch: it gets a socket to the resolver. */
static void connect_switch(const struct resolver_servers *s)
{
	int pair[2];

	if (asker >= 0)
		close(asker);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(wire_send(broker, s, sizeof(*s), 0, &pair[1], 1), 0);
	close(pair[1]);
	asker = pair[0];
}

static bool readable(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, ms) == 1;
}

static int start(void **state)
{
	int pair[2], i;

	(void)state;
	has_lab = own_network();
	if (!has_lab)
		return 0;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		close(pair[0]);
		exit(resolver_serve(pair[1]) == 0 ? 0 : 1);
	}
	close(pair[1]);
	broker = pair[0];
	for (i = 0; i < SERVERS; i++) {
		udp[i] = bound("127.0.0.1", (uint16_t)(PORT + i), SOCK_DGRAM);
		tcp[i] = bound("127.0.0.1", (uint16_t)(PORT + i), SOCK_STREAM);
		assert_int_equal(listen(tcp[i], 16), 0);
	}
	return 0;
}

/* The broker goes, and the process with it, of its own accord. */
static int stop(void **state)
{
	int status, i;

	(void)state;
	if (!has_lab)
		return 0;
	close(broker);
	close(asker);
	for (i = 0; i < SERVERS; i++) {
		close(udp[i]);
		close(tcp[i]);
	}
	return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* --- messages --------------------------------------------------------------------------- */

struct message {
	size_t n;
	uint8_t b[2048];
};

/* A question for that name, type A, with an OPT record. */
static void make_ask(struct resolver_ask *a, uint32_t token, const char *name)
{
	static const uint8_t opt[11] = {0, 0, 41, 4, 0xd0};
	uint8_t *p = a->query + HEAD;
	const char *dot;

	*a = (struct resolver_ask){.token = token};
	snprintf(a->domain, sizeof(a->domain), "%s", name);
	memcpy(a->query, "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01", HEAD);
	for (; *name; name = *dot ? dot + 1 : dot) {
		dot = strchrnul(name, '.');
		*p++ = (uint8_t)(dot - name);
		memcpy(p, name, (size_t)(dot - name));
		p += dot - name;
	}
	memcpy(p, "\0\0\1\0\1", 5);
	memcpy(p + 5, opt, sizeof(opt));
	a->len = (uint16_t)(p + 5 + sizeof(opt) - a->query);
}

static void ask(uint32_t token, const char *name)
{
	struct resolver_ask a;

	make_ask(&a, token, name);
	assert_true(send(asker, &a, offsetof(struct resolver_ask, query) + a.len, 0) > 0);
}

/* What server i was asked, and by whom; false: nothing. */
static bool served(int i, int ms, struct message *m, struct sockaddr_in *from)
{
	socklen_t size = sizeof(*from);

	if (!readable(udp[i], ms))
		return false;
	m->n = (size_t)recvfrom(udp[i], m->b, sizeof(m->b), 0, (struct sockaddr *)from, &size);
	return true;
}

/* The question becomes an answer: one address. */
static void make_answer(struct message *m, uint8_t last)
{
	uint8_t record[16] = {0xc0, HEAD, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, last};

	m->n -= 11;
	m->b[2] |= 0x80;
	m->b[7] = 1;
	m->b[11] = 0;
	memcpy(m->b + m->n, record, sizeof(record));
	m->n += sizeof(record);
}

static void reply(int fd, const struct message *m, const struct sockaddr_in *to)
{
	assert_int_equal(sendto(fd, m->b, m->n, 0, (const struct sockaddr *)to, sizeof(*to)), m->n);
}

/* What the switch gets; false: nothing in that time. */
static bool answered(int ms, struct resolver_answer *a)
{
	ssize_t n;

	if (!readable(asker, ms))
		return false;
	n = recv(asker, a, sizeof(*a), 0);
	assert_true(n >= (ssize_t)offsetof(struct resolver_answer, bytes));
	assert_int_equal((size_t)n, offsetof(struct resolver_answer, bytes) + a->len);
	assert_true(a->error == 0 ? a->len > 0 : a->len == 0);
	return true;
}

static void expect_answer(uint32_t token, int error)
{
	struct resolver_answer a;

	assert_true(answered(WAIT_MS, &a));
	assert_int_equal(a.token, token);
	assert_int_equal(a.error, error);
}

/* A question that server i answers. */
static void roundtrip(int i, uint32_t token, const char *name)
{
	struct sockaddr_in from;
	struct message m;

	ask(token, name);
	assert_true(served(i, WAIT_MS, &m, &from));
	make_answer(&m, 1);
	reply(udp[i], &m, &from);
	expect_answer(token, 0);
}

static bool begin(unsigned n_servers)
{
	struct resolver_servers s = servers(n_servers);

	if (has_lab)
		connect_switch(&s);
	return has_lab;
}
#define NEEDS_LAB(n)                                                                               \
	do {                                                                                       \
		(void)state;                                                                       \
		if (!begin(n))                                                                     \
			skip();                                                                    \
	} while (0)

/* --- ids, ports, letters ---------------------------------------------------------------- */

/* M11: over 100 questions ids, ports and letters are as good as never the same; what comes back is the question as it was asked. */
static void test_random(void **state)
{
	enum { N = 100 };
	static uint8_t seen_id[65536], seen_port[65536];
	unsigned ids = 0, ports = 0, neighbours = 0, plain = 0, i;
	uint16_t id, port, last_id = 0, last_port = 0;
	struct sockaddr_in from;
	struct resolver_answer a;
	struct resolver_ask sent;
	struct message m;

	NEEDS_LAB(1);
	make_ask(&sent, 0, "www.example.com");
	for (i = 0; i < N; i++) {
		ask(i, "www.example.com");
		assert_true(served(0, WAIT_MS, &m, &from));
		id = (uint16_t)(m.b[0] << 8 | m.b[1]);
		port = ntohs(from.sin_port);
		ids += !seen_id[id];
		ports += !seen_port[port];
		seen_id[id] = seen_port[port] = 1;
		neighbours += (uint16_t)(id - last_id) < 3 || (uint16_t)(port - last_port) < 3;
		last_id = id;
		last_port = port;
		plain += memcmp(m.b + HEAD, sent.query + HEAD, 17) == 0;
		make_answer(&m, (uint8_t)i);
		reply(udp[0], &m, &from);
		assert_true(answered(WAIT_MS, &a));
		assert_int_equal(a.token, i);
		assert_memory_equal(a.bytes, sent.query, 2);
		assert_memory_equal(a.bytes + HEAD, sent.query + HEAD, 17 + 4);
		assert_int_equal(a.bytes[a.len - 1], i);
	}
	assert_true(ids > N - 4);
	assert_true(ports > N - 8);
	assert_true(neighbours < 4);
	assert_true(plain < 4);
}

/* All ids of what is out at one time differ, and their sockets. */
static void test_unique(void **state)
{
	static uint8_t seen_id[65536], seen_port[65536];
	struct sockaddr_in from;
	struct message m;
	unsigned i, id;

	NEEDS_LAB(1);
	for (i = 0; i < 200; i++)
		ask(i, "a.example");
	for (i = 0; i < 200; i++) {
		assert_true(served(0, WAIT_MS, &m, &from));
		id = (unsigned)(m.b[0] << 8 | m.b[1]);
		assert_int_equal(seen_id[id]++, 0);
		assert_int_equal(seen_port[ntohs(from.sin_port)]++, 0);
	}
}

/* --- forgeries -------------------------------------------------------------------------- */

/* M11: what does not match to the letter, or comes from elsewhere, is left; the answer after it is taken. */
static void test_forged(void **state)
{
	int other_port, other_address;
	struct sockaddr_in from;
	struct resolver_answer a;
	struct message m, bad;

	NEEDS_LAB(1);
	other_port = bound("127.0.0.1", PORT + 100, SOCK_DGRAM);
	other_address = bound("127.0.0.2", PORT, SOCK_DGRAM);
	ask(1, "bank.example");
	assert_true(served(0, WAIT_MS, &m, &from));
	make_answer(&m, 1);
	reply(other_port, &m, &from);
	reply(other_address, &m, &from);
#define BAD(change)                                                                                \
	do {                                                                                       \
		bad = m;                                                                           \
		change;                                                                            \
		reply(udp[0], &bad, &from);                                                        \
	} while (0)
	BAD(bad.b[1] ^= 1);		 /* id */
	BAD(bad.b[2] &= 0x7f);		 /* a question */
	BAD(bad.b[2] |= 0x28);		 /* another opcode */
	BAD(bad.b[HEAD + 1] ^= 1);	 /* name */
	BAD(bad.b[HEAD + 15] ^= 28 ^ 1); /* type */
	BAD(bad.b[HEAD + 17] ^= 2);	 /* class */
	BAD(bad.b[5] = 0);		 /* no question */
	BAD(bad.b[5] = 2);		 /* two */
	BAD(bad.b[4] = 1);		 /* 257 */
	BAD(bad.n = HEAD + 17);		 /* cut in its question */
	BAD(bad.n = 0);
	BAD(bad.n = 11);
#undef BAD
	assert_false(answered(100, &a));
	reply(udp[0], &m, &from);
	expect_answer(1, 0);
	/* The second one comes to nobody. */
	sendto(udp[0], m.b, m.n, 0, (struct sockaddr *)&from, sizeof(from));
	assert_false(answered(50, &a));
	close(other_port);
	close(other_address);
}

/* --- TCP -------------------------------------------------------------------------------- */

static int accept_from(int i)
{
	assert_true(readable(tcp[i], WAIT_MS));
	return accept4(tcp[i], NULL, NULL, SOCK_CLOEXEC);
}

/* The question that came by TCP. */
static void read_stream(int fd, struct message *m)
{
	uint8_t head[2];

	assert_int_equal(recv(fd, head, 2, MSG_WAITALL), 2);
	m->n = (size_t)(head[0] << 8 | head[1]);
	assert_true(m->n > HEAD && m->n <= sizeof(m->b));
	assert_int_equal(recv(fd, m->b, m->n, MSG_WAITALL), m->n);
}

static void write_stream(int fd, const struct message *m)
{
	uint8_t both[2 + sizeof(m->b)] = {(uint8_t)(m->n >> 8), (uint8_t)m->n};

	memcpy(both + 2, m->b, m->n);
	assert_int_equal(send(fd, both, m->n + 2, MSG_NOSIGNAL), m->n + 2);
}

/* A question that server 0 sends to TCP; the connection, and the question in m. */
static int by_tcp(uint32_t token, struct message *m)
{
	struct sockaddr_in from;
	struct message cut;
	int fd;

	ask(token, "long.example");
	assert_true(served(0, WAIT_MS, &cut, &from));
	m->n = cut.n;
	memcpy(m->b, cut.b, cut.n);
	make_answer(&cut, 1);
	cut.b[2] |= 2;
	reply(udp[0], &cut, &from);
	fd = accept_from(0);
	read_stream(fd, &cut);
	assert_int_equal(cut.n, m->n);
	assert_memory_equal(cut.b, m->b, m->n);
	return fd;
}

static void test_truncated(void **state)
{
	static uint8_t big[2 + RESOLVER_ANSWER_MAX];
	struct resolver_answer a;
	struct message m;
	size_t at, n;
	int fd;

	NEEDS_LAB(1);
	fd = by_tcp(1, &m);
	make_answer(&m, 7);
	write_stream(fd, &m);
	expect_answer(1, 0);
	close(fd);
	/* As long as can be, in pieces. */
	fd = by_tcp(2, &m);
	make_answer(&m, 7);
	big[0] = RESOLVER_ANSWER_MAX >> 8;
	big[1] = RESOLVER_ANSWER_MAX & 0xff;
	memcpy(big + 2, m.b, m.n);
	for (at = 0; at < sizeof(big); at += n) {
		n = at < 4 ? 1 : 1000;
		n = n < sizeof(big) - at ? n : sizeof(big) - at;
		assert_int_equal(send(fd, big + at, n, MSG_NOSIGNAL), n);
		usleep(100);
	}
	assert_true(answered(WAIT_MS, &a));
	assert_int_equal(a.error, 0);
	assert_int_equal(a.len, RESOLVER_ANSWER_MAX);
	close(fd);
}

/* M11: lengths that lie, a reset, a hang-up, another id: the next server is asked, at once. */
static void test_bad_streams(void **state)
{
	static const struct linger reset = {.l_onoff = 1};
	struct sockaddr_in from;
	struct message m, next;
	unsigned i;
	int fd;

	(void)state;
	for (i = 0; i < 6; i++) {
		NEEDS_LAB(2); /* nobody is set aside */
		fd = by_tcp(i, &m);
		make_answer(&m, 1);
		if (i == 0)
			assert_int_equal(send(fd, "\xff\xff", 2, 0), 2);
		else if (i == 1)
			assert_int_equal(send(fd, "\0\0", 2, 0), 2);
		else if (i == 2)
			assert_int_equal(send(fd, "\0\x20half", 6, 0), 6);
		else if (i == 3)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		m.b[0] ^= i == 4;
		m.b[2] |= i == 5 ? 2 : 0; /* truncated again */
		if (i > 3)
			write_stream(fd, &m);
		else
			close(fd);
		assert_true(served(1, WAIT_MS, &next, &from));
		make_answer(&next, 2);
		reply(udp[1], &next, &from);
		expect_answer(i, 0);
		if (i > 3)
			close(fd);
	}
}

/* A server that changes the case of letters, or somebody who guesses: TCP, where it does not matter. */
static void test_letters(void **state)
{
	struct resolver_servers s = servers(1);
	struct sockaddr_in from;
	struct message m;
	unsigned i;
	int fd;

	NEEDS_LAB(1);
	ask(1, "abcdefghijklmnopqrstuvwxyz.example");
	assert_true(served(0, WAIT_MS, &m, &from));
	make_answer(&m, 1);
	m.b[HEAD + 1] ^= 0x20;
	reply(udp[0], &m, &from);
	fd = accept_from(0);
	read_stream(fd, &m);
	make_answer(&m, 1);
	for (i = HEAD + 1; i < HEAD + 27; i++)
		m.b[i] |= 0x20;
	write_stream(fd, &m);
	expect_answer(1, 0);
	close(fd);
	/* One that speaks no TCP either: the letters as they were asked. */
	connect_switch(&s);
	ask(2, "abcdefghijklmnopqrstuvwxyz.example");
	assert_true(served(0, WAIT_MS, &m, &from));
	make_answer(&m, 1);
	m.b[HEAD + 1] ^= 0x20;
	reply(udp[0], &m, &from);
	close(accept_from(0));
	assert_true(served(0, WAIT_MS, &m, &from));
	assert_memory_equal(m.b + HEAD + 1, "abcdefghijklmnopqrstuvwxyz", 26);
	make_answer(&m, 1);
	reply(udp[0], &m, &from);
	expect_answer(2, 0);
}

/* --- servers and time ------------------------------------------------------------------- */

static void test_time(void **state)
{
	uint64_t begin_ms;
	struct sockaddr_in from;
	struct resolver_answer a;
	struct message m, again;

	NEEDS_LAB(1);
	begin_ms = clock_ms();
	ask(1, "silent.example");
	assert_true(served(0, WAIT_MS, &m, &from));
	/* The only server is asked once more, with another id and from another port. */
	assert_true(served(0, SLOW_MS, &again, &from));
	assert_true(clock_ms() - begin_ms >= RESOLVER_TRY_MS);
	assert_memory_not_equal(m.b, again.b, 2);
	assert_true(answered(SLOW_MS, &a));
	assert_int_equal(a.error, -ETIMEDOUT);
	assert_in_range(clock_ms() - begin_ms, 2 * RESOLVER_TRY_MS, RESOLVER_END_MS + WAIT_MS);
}

static void test_second_server(void **state)
{
	struct sockaddr_in from;
	struct resolver_answer a;
	struct message m;

	NEEDS_LAB(2);
	ask(1, "silent.example");
	assert_true(served(0, WAIT_MS, &m, &from));
	assert_true(served(1, SLOW_MS, &m, &from));
	make_answer(&m, 1);
	reply(udp[1], &m, &from);
	assert_true(answered(WAIT_MS, &a));
	assert_int_equal(a.error, 0);
	/* The silent one is asked last now. */
	roundtrip(1, 2, "next.example");
	/* One that nobody is at is found out at once. */
	NEEDS_LAB(2);
	close(udp[0]);
	ask(3, "gone.example");
	assert_true(served(1, WAIT_MS, &m, &from));
	make_answer(&m, 1);
	reply(udp[1], &m, &from);
	expect_answer(3, 0);
	udp[0] = bound("127.0.0.1", PORT, SOCK_DGRAM);
}

/* SERVFAIL is the answer only when all say so. */
static void test_refusals(void **state)
{
	static const uint8_t rcode[] = {2, 4, 5, 3, 0};
	struct sockaddr_in from;
	struct resolver_answer a;
	struct message m;
	unsigned i;

	NEEDS_LAB(2);
	for (i = 0; i < sizeof(rcode); i++) {
		ask(i, "refused.example");
		assert_true(served(0, WAIT_MS, &m, &from));
		make_answer(&m, 1);
		m.b[3] = (uint8_t)((m.b[3] & 0xf0) | rcode[i]);
		reply(udp[0], &m, &from);
		if (i < 3) {
			assert_true(served(1, WAIT_MS, &m, &from));
			make_answer(&m, 1);
			m.b[3] = (uint8_t)((m.b[3] & 0xf0) | rcode[i]);
			reply(udp[1], &m, &from);
		}
		assert_true(answered(WAIT_MS, &a));
		assert_int_equal(a.error, 0);
		assert_int_equal(a.bytes[3] & 0xf, rcode[i]);
	}
}

static void test_domains(void **state)
{
	struct resolver_servers s = servers(1);

	NEEDS_LAB(1);
	s.n_sets = 3;
	strcpy(s.set[1].domain, "corp.example");
	s.set[1].n = 1;
	s.set[1].server[0] = server(1);
	strcpy(s.set[2].domain, "lab.corp.example");
	s.set[2].n = 1;
	s.set[2].server[0] = server(2);
	assert_int_equal(wire_send(broker, &s, sizeof(s), 0, NULL, 0), 0);
	usleep(50000); /* it comes by another socket than questions */
	roundtrip(0, 1, "www.example");
	roundtrip(1, 2, "corp.example");
	roundtrip(1, 3, "www.CORP.example");
	roundtrip(0, 4, "xcorp.example");
	roundtrip(2, 5, "a.lab.corp.example");
	roundtrip(1, 6, "slab.corp.example");
	/* A domain of its own is served where nothing else is. */
	s.set[0].n = 0;
	connect_switch(&s);
	roundtrip(1, 7, "corp.example");
	ask(8, "www.example");
	expect_answer(8, -ENETUNREACH);
}

/* --- the switch ------------------------------------------------------------------------- */

static void test_bad_asks(void **state)
{
	struct resolver_ask good, a;
	struct resolver_answer got;
	struct message m;
	struct sockaddr_in from;
	uint32_t token = 100;
	size_t i;

	NEEDS_LAB(1);
	make_ask(&good, 0, "a.example");
#define BAD(change)                                                                                \
	do {                                                                                       \
		a = good;                                                                          \
		a.token = ++token;                                                                 \
		change;                                                                            \
		assert_int_equal(send(asker, &a, sizeof(a), 0), sizeof(a));                        \
		expect_answer(token, -EINVAL);                                                     \
	} while (0)
	for (i = 0; i < good.len; i++)
		BAD(a.len = (uint16_t)i);
	BAD(a.len++);
	BAD(a.len = RESOLVER_QUERY_MAX + 1);
	BAD(a.len = UINT16_MAX);
	BAD(memset(a.domain, 'a', sizeof(a.domain)));
	BAD(a.query[2] |= 0x80);
	BAD(a.query[2] |= 0x28);
	BAD(a.query[5] = 2);
	BAD(a.query[7] = 1);
	BAD(a.query[9] = 1);
	BAD(a.query[11] = 0);
	BAD(a.query[11] = 2);
	BAD(a.query[HEAD] = 0xc0);
	BAD(a.query[HEAD] = 64);
	BAD(a.query[good.len - 1] = 1);
#undef BAD
	/* Shorter than it says; less than a head, or more than there can be, is nothing at all. */
	i = offsetof(struct resolver_ask, query);
	good.token = ++token;
	assert_true(send(asker, &good, i + good.len - 1, 0) > 0);
	expect_answer(token, -EINVAL);
	assert_true(send(asker, &good, i - 1, 0) > 0);
	assert_true(send(asker, (char[sizeof(good) + 1]){0}, sizeof(good) + 1, 0) > 0);
	assert_false(served(0, 50, &m, &from));
	assert_false(answered(10, &got));
	connect_switch(&(struct resolver_servers){.n_sets = 1});
	ask(1, "a.example");
	expect_answer(1, -ENETUNREACH);
}

/* M11: thousands outstanding.  So many are out, the rest is refused at once; a new switch begins with none, and finds room. */
static void test_limit(void **state)
{
	struct resolver_answer a;
	struct resolver_servers s = servers(1);
	unsigned i, refused = 0;

	NEEDS_LAB(1);
	for (i = 0; i < RESOLVER_OUT_MAX + 200; i++) {
		ask(i, "flood.example");
		while (answered(0, &a))
			refused += a.error == -EAGAIN;
	}
	while (refused < 200 && answered(WAIT_MS, &a))
		refused += a.error == -EAGAIN;
	assert_int_equal(refused, 200);
	connect_switch(&s);
	close(udp[0]); /* with all that waits there */
	udp[0] = bound("127.0.0.1", PORT, SOCK_DGRAM);
	roundtrip(0, 1, "new.example");
}

/* S02, H10: nothing that could listen, read a file or start a program is left; what asks is. */
static void test_sandbox(void **state)
{
	static const char *const name[] = {"bind", "listen", "open", "netlink", "unix",
					   "raw",  "execve", "fork", "kill"};
	struct sockaddr_in a = address("127.0.0.1", 0);
	const char *step;
	int i, status, fd;
	pid_t pid;

	(void)state;
	if (!has_lab || geteuid() != 0)
		skip();
	for (i = -1; i < (int)(sizeof(name) / sizeof(name[0])); i++) {
		pid = fork();
		if (pid == 0) {
			if (sandbox_resolver(&step) != 0)
				_exit(77);
			fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
			if (i == 0)
				bind(fd, (struct sockaddr *)&a, sizeof(a));
			else if (i == 1)
				listen(fd, 1);
			else if (i == 2)
				fd = open("/", O_RDONLY);
			else if (i == 3)
				fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
			else if (i == 4)
				fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
			else if (i == 5)
				fd = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 1);
			else if (i == 6)
				execl("/proc/self/exe", "x", NULL);
			else if (i == 7)
				fork();
			else if (i == 8)
				kill(getppid(), 0);
			_exit(fd >= 0 ? 0 : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
			skip(); /* a container that cannot have one */
#ifdef VFAB_SANITIZED
		continue; /* whose filter is wider */
#endif
		if (i < 0)
			assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		else if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fail_msg("%s does not kill", name[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),	    cmocka_unit_test(test_unique),
		cmocka_unit_test(test_forged),	    cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_bad_streams), cmocka_unit_test(test_letters),
		cmocka_unit_test(test_time),	    cmocka_unit_test(test_second_server),
		cmocka_unit_test(test_refusals),    cmocka_unit_test(test_domains),
		cmocka_unit_test(test_bad_asks),    cmocka_unit_test(test_limit),
		cmocka_unit_test(test_sandbox),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
