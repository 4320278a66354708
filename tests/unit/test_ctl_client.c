/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_ctl_client: the deadlines of connections, with a short patience and a verb that echoes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "switch/ctl_client.h"

enum { PATIENCE_MS = 400, ANSWER_BYTES = 4 << 20 };

struct fixture {
	struct loop *loop;
	struct clients *clients;
	struct sockaddr_un address;
	socklen_t address_bytes;
	unsigned requests;
};

/* Answers "big" with more than a socket takes at once, anything else with itself. */
static void on_request(void *arg, struct client *cl, const char *text, size_t n)
{
	struct fixture *f = arg;
	char *big;

	f->requests++;
	assert_true(client_is_busy(cl));
	assert_int_equal(client_pid(cl), getpid());
	if (n == 3 && memcmp(text, "big", 3) == 0) {
		big = calloc(1, ANSWER_BYTES);
		assert_true(client_queue(cl, big, ANSWER_BYTES));
		free(big);
	} else {
		assert_true(client_queue(cl, text, n));
	}
	client_end(cl);
	assert_false(client_queue(cl, text, n));
}

static void on_refused(struct client *cl, const char *why)
{
	assert_true(client_queue(cl, why, strlen(why)));
	client_end(cl);
}

static int setup(void **state)
{
	static struct fixture f;
	struct client_calls calls = {.request = on_request,
				     .refused = on_refused,
				     .arg = &f,
				     .patience_ms = PATIENCE_MS};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	f = (struct fixture){.loop = loop_create(), .address_bytes = sizeof(sa_family_t)};
	f.address.sun_family = AF_UNIX;
	/* The kernel chooses an abstract name. */
	if (bind(fd, (struct sockaddr *)&f.address, f.address_bytes) || listen(fd, 64))
		return -1;
	f.address_bytes = sizeof(f.address);
	getsockname(fd, (struct sockaddr *)&f.address, &f.address_bytes);
	f.clients = clients_create(f.loop, fd, &calls);
	*state = &f;
	return f.clients ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	clients_destroy(f->clients);
	loop_destroy(f->loop);
	return 0;
}

static void stop(void *loop, uint32_t events)
{
	(void)events;
	loop_stop(loop);
}

static void run(struct fixture *f, uint32_t ms)
{
	assert_true(loop_after(f->loop, ms, stop, f->loop) > 0);
	assert_int_equal(loop_run(f->loop), 0);
}

static int connect_to(struct fixture *f)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&f->address, f->address_bytes), 0);
	return fd;
}

/* Sends text, and again after half of the patience, and expects what follows. */
static void expect_after(struct fixture *f, const char *first, const char *second, const char *end)
{
	int fd = connect_to(f);
	char buf[64] = "";

	assert_int_equal(send(fd, first, strlen(first), MSG_NOSIGNAL), (int)strlen(first));
	run(f, PATIENCE_MS / 2);
	assert_int_equal(recv(fd, buf, 1, 0), -1);
	send(fd, second, strlen(second), MSG_NOSIGNAL);
	run(f, PATIENCE_MS);
	assert_int_equal(recv(fd, buf, sizeof(buf) - 1, 0), (int)strlen(end));
	assert_string_equal(buf, end);
	assert_int_equal(recv(fd, buf, 1, 0), 0);
	close(fd);
}

/* A trickle does not extend the time. */
static void test_half_requests(void **state)
{
	struct fixture *f = *state;

	expect_after(f, "", "", "no whole request came in time");
	expect_after(f, "half", "", "no whole request came in time");
	expect_after(f, "half", " and a bit", "no whole request came in time");
	assert_int_equal(f->requests, 0);
	expect_after(f, "half", " and half\n", "half and half");
	assert_int_equal(f->requests, 1);
}

/* Bytes that can be read until the end, or until nothing comes any more. */
static size_t drain(int fd, bool *is_closed)
{
	static char buf[1 << 16];
	size_t n = 0;
	ssize_t r;

	while ((r = recv(fd, buf, sizeof(buf), 0)) > 0)
		n += (size_t)r;
	*is_closed = r == 0;
	return n;
}

/* Who reads now and then gets all of it, who does not read is dropped. */
static void test_slow_readers(void **state)
{
	struct fixture *f = *state;
	int reader = connect_to(f), sleeper = connect_to(f), i;
	bool is_closed = false;
	size_t n = 0;

	assert_int_equal(send(reader, "big\n", 4, 0), 4);
	assert_int_equal(send(sleeper, "big\n", 4, 0), 4);
	for (i = 0; i < 1000 && !is_closed; i++) {
		run(f, i < 5 ? PATIENCE_MS / 2 : 0);
		n += drain(reader, &is_closed);
	}
	assert_int_equal(n, ANSWER_BYTES);
	n = drain(sleeper, &is_closed);
	assert_true(is_closed);
	assert_true(n < ANSWER_BYTES);
	close(reader);
	close(sleeper);
}

/* What a client sends after its request is nobody's. */
static void test_more_than_a_request(void **state)
{
	struct fixture *f = *state;
	char buf[64] = "";
	int fd = connect_to(f);

	assert_int_equal(send(fd, "one\ntwo\n", 8, 0), 8);
	run(f, 0);
	assert_int_equal(recv(fd, buf, sizeof(buf), 0), 3);
	assert_string_equal(buf, "one");
	assert_int_equal(f->requests, 1);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_half_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_readers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_more_than_a_request, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
