/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_ctl: the control socket against a whole control side in one process: requests and refusals, clients that
 * are slow, broken or many (M15), streams.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/expect.h"

static unsigned count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void test_requests(void **state)
{
	static const struct {
		const char *request, *part;
	} cases[] = {
		{"{\"verb\": \"version\"}", "{\"ok\":true,\"result\":{\"version\":"},
		{" {\"verb\": \"net.ls\"} \r", "{\"ok\":true,\"result\":[]}"},
		{"{\"verb\": \"help\"}", "{\"verb\":\"conf.merge\",\"help\":"},
		{"", "\"status\":2"},
		{"[]", "a request is an object with a \\\"verb\\\""},
		{"null", "\"status\":2"},
		{"{}", "a request is an object with a \\\"verb\\\""},
		{"{\"verb\": 5}", "a request is an object"},
		{"{\"verb\": \"prot.ls\"}",
		 "unknown verb \\\"prot.ls\\\" (did you mean \\\"port.ls\\\"?)"},
		{"{\"verb\": \"\\u0000\"}", "the request is not JSON"},
		{"{\"verb\": \"\xff\"}", "the request is not JSON"},
		{"{\"verb\": \"port.ls\"} x", "the request is not JSON"},
		{"{\"verb\": \"port.ls\"", "the request is not JSON"},
		{"{\"verb\": \"port.ls\", \"verb\": \"version\"}", "duplicate object key"},
		{"{\"verb\": \"port.ls\", \"x\": 1}",
		 "\"status\":2,\"error\":\"verb port.ls: unknown member \\\"x\\\"\"}"},
		{"{\"verb\": \"mac.ls\", \"prot\": \"a\"}", "(did you mean \\\"port\\\"?)"},
		{"{\"verb\": \"mac.ls\", \"port\": [1]}",
		 "verb mac.ls: \\\"port\\\" must be a string of 1 to 63 bytes"},
		{"{\"verb\": \"mac.ls\", \"port\": \"\"}", "must be a string of 1 to 63 bytes"},
		{"{\"verb\": \"mac.ls\", \"port\": null}", "must be a string"},
		{"{\"verb\": \"conf.merge\", \"how\": \"sideways\", \"text\": \"\"}",
		 "verb conf.merge: \\\"how\\\" must be add, set or del"},
		{"{\"verb\": \"conf.merge\", \"how\": \"add\"}",
		 "verb conf.merge: \\\"text\\\" is missing"},
		{"{\"verb\": \"conf.apply\", \"text\": 5}", "\\\"text\\\" must be a string"},
		{"{\"verb\": \"conf.apply\", \"text\": \"\", \"confirm_s\": -5}",
		 "\\\"confirm_s\\\" must be a number from 1 to 86400"},
		{"{\"verb\": \"conf.apply\", \"text\": \"\", \"confirm_s\": 1.5}",
		 "must be a number from 1 to 86400"},
		{"{\"verb\": \"events\", \"follow\": 1}", "\\\"follow\\\" must be true or false"},
		{"{\"verb\": \"events\", \"since_ms\": 99999999999999999999}", "not JSON"},
		{"{\"verb\": \"trace\", \"filter\": \"tcp\"}", "\\\"filter\\\" must be an array"},
		{"{\"verb\": \"drops\", \"port\": \"nobody\"}",
		 "port \\\"nobody\\\" does not exist\""},
		{"{\"verb\": \"mac.ls\", \"network\": \"none\"}",
		 "network \\\"none\\\" does not exist\""},
		{"[[[[[[[[[1]]]]]]]]]", "nested too deeply"},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		expect(*state, cases[i].request, cases[i].part);
}

/* A request that parses into a thousand times its size is refused before it is parsed. */
static void test_many_values(void **state)
{
	enum { BYTES = 1 << 20 };
	char *text = malloc(BYTES + 1);
	size_t i;

	assert_non_null(text);
	memset(text, '[', BYTES);
	text[BYTES] = '\0';
	expect(*state, text, "nested too deeply");
	for (i = 1; i < BYTES; i++)
		text[i] = "[],"[(i - 1) % 3];
	expect(*state, text, "too many values");
	/* In a string they are no values. */
	memcpy(text, "{\"verb\":\"", 9);
	text[BYTES - 2] = '"';
	text[BYTES - 1] = '}';
	expect(*state, text, "unknown verb");
	free(text);
}

static void test_pieces_and_half_closed(void **state)
{
	static const char request[] = "{\"verb\":\"net.ls\"}";
	struct world *w = *state;
	int fd = world_connect(w);
	char *line;
	size_t i;

	for (i = 0; i < strlen(request); i++)
		assert_true(world_send(w, fd, request + i, 1));
	/* No newline: the end of what it sends ends the line. */
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	line = world_line(w, fd);
	assert_string_equal(line, "{\"ok\":true,\"result\":[]}");
	free(line);
	assert_null(world_line(w, fd));
	close(fd);

	fd = world_connect(w);
	assert_true(world_send(w, fd, request, 5));
	shutdown(fd, SHUT_WR);
	line = world_line(w, fd);
	assert_non_null(strstr(line, "not JSON"));
	free(line);
	close(fd);
}

static void send_fds(int fd, unsigned n, const char *text)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(253 * sizeof(int))];
	} control = {0};
	char copy[64];
	struct iovec iov = {copy, strlen(text)};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.bytes,
			   .msg_controllen = CMSG_SPACE(n * sizeof(int))};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	unsigned i;
	int null = 2;

	strcpy(copy, text);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	for (i = 0; i < n; i++)
		memcpy(CMSG_DATA(c) + i * sizeof(int), &null, sizeof(int));
	assert_int_equal(sendmsg(fd, &m, 0), (int)iov.iov_len);
}

/* Descriptors that nobody asked for, few and many, in one message and in several, are closed. */
static void test_descriptors(void **state)
{
	static const unsigned numbers[] = {1, 4, 5, 16, 253};
	struct world *w = *state;
	unsigned before = count_fds(), i;
	char *line;
	int fd;

	for (i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		fd = world_connect(w);
		send_fds(fd, numbers[i], "{\"verb\":");
		send_fds(fd, numbers[i], "\"net.ls\"}\n");
		line = world_line(w, fd);
		assert_string_equal(line, "{\"ok\":true,\"result\":[]}");
		free(line);
		close(fd);
		fd = world_connect(w);
		send_fds(fd, numbers[i], "half");
		world_turn(w);
		close(fd);
		world_turn(w);
		assert_int_equal(count_fds(), before);
	}
}

static void test_request_too_large(void **state)
{
	enum { CHUNK = 1 << 16 };
	static char chunk[CHUNK];
	struct world *w = *state;
	int fd = world_connect(w);
	size_t sent = 0;
	char *line;

	memset(chunk, 'x', CHUNK);
	while (sent < 2 * (size_t)CTL_REQUEST_MAX && world_send(w, fd, chunk, CHUNK))
		sent += CHUNK;
	assert_in_range(sent, CTL_REQUEST_MAX - CHUNK, CTL_REQUEST_MAX + 16 * CHUNK);
	line = world_line(w, fd);
	assert_non_null(strstr(line, "the request is too large"));
	free(line);
	close(fd);
}

/* The oldest of those who say nothing gives way; whoever asks is answered. */
static void test_too_many_clients(void **state)
{
	enum { CROWD = CTL_CLIENTS_MAX + 100 };
	static int fd[CROWD];
	struct world *w = *state;
	unsigned i;
	char *line;

	for (i = 0; i < CROWD; i++) {
		fd[i] = world_connect(w);
		assert_true(fd[i] >= 0);
		world_turn(w);
	}
	expect(w, "{\"verb\": \"net.ls\"}", "\"ok\":true");
	line = world_line(w, fd[0]);
	assert_non_null(strstr(line, "too many clients"));
	free(line);
	line = world_line(w, fd[99]);
	assert_non_null(strstr(line, "too many clients"));
	free(line);
	assert_true(world_send(w, fd[CROWD - 1], "{\"verb\": \"net.ls\"}\n", 19));
	line = world_line(w, fd[CROWD - 1]);
	assert_non_null(line);
	free(line);
	for (i = 0; i < CROWD; i++)
		close(fd[i]);
}

/* A storm in one turn: a request that comes along with its connection is served nevertheless. */
static void test_storm(void **state)
{
	enum { CROWD = 3000, EACH = 10 };
	static const char request[] = "{\"verb\":\"net.ls\"}\n";
	static int fd[CROWD];
	struct world *w = *state;
	unsigned i, answered = 0;
	char byte;

	for (i = 0; i < CROWD; i++) {
		fd[i] = world_connect(w);
		if (fd[i] >= 0 && i % EACH == 0)
			assert_true(send(fd[i], request, sizeof(request) - 1, 0) > 0);
	}
	for (i = 0; i < 1000; i++)
		world_turn(w);
	for (i = 0; i < CROWD; i++) {
		if (fd[i] >= 0 && i % EACH == 0 && recv(fd[i], &byte, 1, 0) == 1)
			answered++;
		if (fd[i] >= 0)
			close(fd[i]);
	}
	assert_int_equal(answered, CROWD / EACH);
}

static void test_no_descriptors_left(void **state)
{
	struct world *w = *state;
	struct rlimit was, few;
	int idle[8], fd, i;
	char *line;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	for (i = 0; i < 8; i++)
		idle[i] = world_connect(w);
	world_turn(w);
	fd = world_connect(w);
	assert_true(fd >= 0);
	few = was;
	/* Below the descriptor that the next accept would take. */
	few.rlim_cur = (rlim_t)fd + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_true(send(fd, "{\"verb\":\"net.ls\"}\n", 18, 0) > 0);
	line = world_line(w, fd);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_non_null(line);
	assert_string_equal(line, "{\"ok\":true,\"result\":[]}");
	free(line);
	close(fd);
	for (i = 0; i < 8; i++)
		close(idle[i]);
}

/* Ten half requests of ten megabytes: the largest go, a small one is served. */
static void test_memory(void **state)
{
	enum { N = 10, CHUNK = 1 << 20 };
	static char chunk[CHUNK];
	struct world *w = *state;
	unsigned i, k, alive = 0;
	int fd[N];
	char byte;

	memset(chunk, ' ', CHUNK);
	for (i = 0; i < N; i++) {
		fd[i] = world_connect(w);
		for (k = 0; k < 10; k++)
			world_send(w, fd[i], chunk, CHUNK);
	}
	expect(w, "{\"verb\": \"net.ls\"}", "\"ok\":true");
	for (i = 0; i < N; i++) {
		alive += recv(fd[i], &byte, 1, 0) < 0 && errno == EAGAIN;
		close(fd[i]);
	}
	assert_in_range(alive, 1, 6);
}

/* A megabyte of answer for one that does not read it yet. */
static void test_slow_reader(void **state)
{
	static const char request[] = "{\"verb\":\"conf.show\"}\n";
	struct world *w = *state;
	char *text = malloc(2 << 20), *line, *p = text;
	int fd = world_connect(w), small = 4096, i;

	assert_non_null(text);
	p += sprintf(p, "{\"verb\":\"conf.apply\",\"text\":\"containers:\\n");
	for (i = 0; i < 400; i++)
		p += sprintf(p, "  c%d: {run: '%02000d'}\\n", i, i);
	sprintf(p, "\"}");
	expect(w, text, "\"ok\":true");
	free(text);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	assert_true(world_send(w, fd, request, sizeof(request) - 1));
	for (i = 0; i < 10; i++)
		expect(w, "{\"verb\": \"net.ls\"}", "\"ok\":true");
	line = world_line(w, fd);
	assert_true(line && strlen(line) > 800000);
	free(line);
	close(fd);
}

/* Streams */

static int follow(struct world *w)
{
	static const char request[] = "{\"verb\":\"events\",\"follow\":true}\n";
	int fd = world_connect(w);
	char *line;

	assert_true(fd >= 0);
	assert_true(world_send(w, fd, request, sizeof(request) - 1));
	line = world_line(w, fd);
	assert_string_equal(line, "{\"ok\":true,\"stream\":true}");
	free(line);
	return fd;
}

static void test_thousand_followers(void **state)
{
	enum { N = 1000 };
	static int fd[N];
	struct world *w = *state;
	uint64_t start;
	char *line;
	int i;

	for (i = 0; i < N; i++)
		fd[i] = follow(w);
	start = clock_ms();
	state_event(w->d.state, "port_up", "port web", "it is \"up\"");
	for (i = 0; i < N; i++) {
		line = world_line(w, fd[i]);
		assert_non_null(line);
		assert_non_null(strstr(line, "\"kind\":\"port_up\",\"object\":\"port web\","
					     "\"text\":\"it is \\\"up\\\"\"}"));
		free(line);
	}
	assert_true(clock_ms() - start < 5000);
	expect(w, "{\"verb\": \"net.ls\"}", "\"ok\":true");
	for (i = 0; i < N; i++)
		close(fd[i]);
	for (i = 0; i < 100; i++)
		world_turn(w);
	assert_null(w->d.followers);
}

static void test_too_many_streams(void **state)
{
	static int fd[CTL_STREAMS_MAX];
	struct world *w = *state;
	int i;

	for (i = 0; i < CTL_STREAMS_MAX; i++)
		fd[i] = follow(w);
	expect(w, "{\"verb\":\"events\",\"follow\":true}", "1024 streams are open already");
	state_event(w->d.state, "test", "", "nobody is hurt");
	expect(w, "{\"verb\": \"net.ls\"}", "\"ok\":true");
	for (i = 0; i < CTL_STREAMS_MAX; i++)
		close(fd[i]);
}

/* One that does not read loses events and learns how many; the others get all. */
static void test_slow_follower(void **state)
{
	enum { N = 20000 };
	struct world *w = *state;
	int slow = follow(w), quick = follow(w), i, got = 0;
	char *line;
	unsigned long long lost = 0;
	const char *at;

	for (i = 0; i < N; i++) {
		state_event(w->d.state, "test", "port web", "event %d", i);
		if (i % 100 != 99)
			continue;
		for (int k = 0; k < 100; k++) {
			line = world_line(w, quick);
			assert_non_null(line);
			free(line);
		}
	}
	for (;;) {
		line = world_line(w, slow);
		if (!line)
			break;
		at = strstr(line, "\"kind\":\"lost\"");
		if (at)
			lost += strtoull(strstr(at, "\"text\":\"") + 8, NULL, 10);
		else
			got++;
		free(line);
		/* Now there is room: the next event tells. */
		if (got == 1000)
			state_event(w->d.state, "test", "port web", "one more");
	}
	assert_true(lost > 0);
	assert_int_equal(got + lost, N + 1);
	close(slow);
	close(quick);
}

static void test_leaving_a_stream(void **state)
{
	struct world *w = *state;
	int fd = follow(w);

	state_event(w->d.state, "test", "", "queued before it leaves");
	shutdown(fd, SHUT_WR);
	free(world_line(w, fd));
	assert_null(world_line(w, fd));
	assert_null(w->d.followers);
	close(fd);
}

static void test_time(void **state)
{
	static const struct {
		uint64_t ms;
		const char *text;
	} cases[] = {
		{0, "1970-01-01T00:00:00.000Z"},
		{951782399999, "2000-02-28T23:59:59.999Z"},
		{951782400000, "2000-02-29T00:00:00.000Z"},
		{951868800000, "2000-03-01T00:00:00.000Z"},
		{1704067199000, "2023-12-31T23:59:59.000Z"},
		{1763726400123, "2025-11-21T12:00:00.123Z"},
		{4107542400000, "2100-03-01T00:00:00.000Z"},
	};
	char buf[CTL_TIME_TEXT];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(ctl_time(cases[i].ms, buf), cases[i].text);
	ctl_time(UINT64_MAX, buf);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, expect_setup, expect_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_requests),
		TEST(test_many_values),
		TEST(test_pieces_and_half_closed),
		TEST(test_descriptors),
		TEST(test_request_too_large),
		TEST(test_too_many_clients),
		TEST(test_storm),
		TEST(test_no_descriptors_left),
		TEST(test_memory),
		TEST(test_slow_reader),
		TEST(test_thousand_followers),
		TEST(test_too_many_streams),
		TEST(test_slow_follower),
		TEST(test_leaving_a_stream),
		TEST(test_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
