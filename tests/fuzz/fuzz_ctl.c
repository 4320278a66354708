/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_ctl: the control protocol.  The input is what one client sends, a descriptor attached to its first byte; a
 * whole control side with a broker that says yes answers it.
 *
 * Every input but an empty one gets an answer, which is JSON, one object a line, "ok" in the first; then the
 * switch hangs up, and another client is served.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "switch/base/log.h"
#include "tests/lib/fake_broker.h"
#include "tests/lib/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 1 << 20, TURNS_MAX = 100000, PORTS_MAX = 32 };

/* Sends one byte with a descriptor, then the rest. */
static void send_input(struct world *w, int fd, const uint8_t *data, size_t size)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	uint8_t first = data[0];
	struct iovec iov = {&first, 1};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.bytes,
			   .msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int pair[2];

	if (pipe2(pair, O_CLOEXEC))
		abort();
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &pair[1], sizeof(int));
	assert(sendmsg(fd, &m, MSG_NOSIGNAL) == 1);
	close(pair[1]);
	world_send(w, fd, data + 1, size - 1);
	shutdown(fd, SHUT_WR);
	/* A capture finds nobody who reads. */
	close(pair[0]);
}

static void check_line(const char *line, bool is_first)
{
	json_t *obj = json_loads(line, JSON_REJECT_DUPLICATES, NULL);

	assert(json_is_object(obj));
	assert(!is_first || json_is_boolean(json_object_get(obj, "ok")));
	json_decref(obj);
}

/* Until the switch hangs up; bytes of answer that came. */
static size_t read_answer(struct world *w, int fd)
{
	static char answer[8 << 20];
	char *line, *end;
	size_t n = 0;
	ssize_t r = 1;
	int turns;

	for (turns = 0; r != 0 && turns < TURNS_MAX; turns++) {
		world_turn(w);
		r = recv(fd, answer + n, sizeof(answer) - 1 - n, 0);
		if (r < 0 && errno != EAGAIN)
			break;
		n += r > 0 ? (size_t)r : 0;
	}
	assert(turns < TURNS_MAX);
	answer[n] = '\0';
	for (line = answer; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		check_line(line, line == answer);
	}
	assert(!*line);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world *w;
	char *line;
	int fd;

	if (size == 0 || size > INPUT_MAX)
		return 0;
	if (!w) {
		log_init("fuzz_ctl", LOG_LEVEL_ERR);
		w = world_create();
	}
	assert(w);
	fd = world_connect(w);
	assert(fd >= 0);
	send_input(w, fd, data, size);
	assert(read_answer(w, fd) > 0);
	close(fd);
	line = world_ask(w, "{\"verb\":\"version\"}");
	assert(line);
	free(line);
	/* What inputs leave behind must not slow those after them. */
	if (w->d.conf->n_ports + w->d.conf->n_networks > PORTS_MAX || w->d.confirm_conf) {
		world_destroy(w);
		fake_broker_reset();
		w = NULL;
	}
	return 0;
}
