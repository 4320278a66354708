/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client: against a server that answers well, badly, or not at all. */
#include "tools/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/call.h"
#include "tools/say.h"

/* After ours: it has a macro fail(). */
#include <cmocka.h>

static char dir[] = "/tmp/vfab-test-client.XXXXXX";
static char path[64];

/* Answers one connection: reads a line (a descriptor that came is written to), sends answer, closes. */
static void serve(int listener, const char *answer)
{
	char buf[4096], room[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {.iov_base = buf, .iov_len = sizeof(buf)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = room};
	struct cmsghdr *c;
	int fd, got;

	fd = accept(listener, NULL, NULL);
	msg.msg_controllen = sizeof(room);
	if (fd < 0 || recvmsg(fd, &msg, 0) <= 0)
		_exit(1);
	c = CMSG_FIRSTHDR(&msg);
	if (c) {
		memcpy(&got, CMSG_DATA(c), sizeof(got));
		if (write(got, "seen", 4) != 4)
			_exit(1);
	}
	if (send(fd, answer, strlen(answer), MSG_NOSIGNAL) < 0)
		_exit(1);
	_exit(0);
}

static pid_t start(const char *answer)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	pid_t pid;
	int fd;

	strcpy(sun.sun_path, path);
	unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_return_code(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_return_code(listen(fd, 4), 0);
	pid = fork();
	if (!pid)
		serve(fd, answer);
	close(fd);
	return pid;
}

static void stop(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_answers(void **state)
{
	static const struct {
		const char *answer;
		int rc;
	} cases[] = {
		{"{\"ok\":true,\"result\":[1]}\n", 0},
		{"{\"ok\":true}\n", 0},
		{"{\"ok\":false,\"status\":65,\"error\":\"bad\",\"path\":\"ports.a\",\"line\":3}\n",
		 65},
		{"{\"ok\":false,\"status\":2,\"error\":\"bad\"}\n", 2},
		{"{\"ok\":false,\"status\":0}\n", 1},
		{"{\"ok\":false,\"status\":\"x\",\"error\":5,\"object\":[]}\n", 1},
		{"{\"ok\":1}\n", 1},
		{"[]\n", 1},
		{"hello\n", 1},
		{"\n", 1},
		{"{\"ok\":true}", 1}, /* no end of line: cut off */
	};
	json_t *result;
	pid_t pid;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		pid = start(cases[i].answer);
		result = NULL;
		assert_int_equal(client_ask(client_request("x"), i & 1 ? "f.yaml" : NULL, &result),
				 cases[i].rc);
		assert_true(!cases[i].rc == !!result);
		json_decref(result);
		stop(pid);
	}
}

static void test_nobody(void **state)
{
	char lengthy[256];

	(void)state;
	unlink(path);
	assert_int_equal(client_ask(client_request("x"), NULL, NULL), EXIT_REFUSED);
	assert_false(client_is_answered());
	memset(lengthy, 'a', sizeof(lengthy));
	lengthy[255] = '\0';
	client_use_socket(lengthy);
	assert_int_equal(client_ask(client_request("x"), NULL, NULL), EXIT_REFUSED);
	client_use_socket(path);
}

struct seen {
	int n, enough;
};

static bool see(json_t *obj, void *arg)
{
	struct seen *s = arg;

	assert_int_equal(json_integer_value(json_object_get(obj, "n")), s->n);
	return ++s->n < s->enough;
}

static void test_stream(void **state)
{
	static const char three[] =
		"{\"ok\":true,\"stream\":true}\n{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n";
	struct seen s = {.enough = 100};
	char got[8] = "";
	pid_t pid;
	int fd[2];

	(void)state;
	assert_return_code(pipe(fd), 0);
	pid = start(three);
	assert_int_equal(client_stream(client_request("x"), fd[1], see, &s), 0);
	assert_int_equal(s.n, 3);
	assert_int_equal(read(fd[0], got, sizeof(got)), 4);
	assert_string_equal(got, "seen");
	close(fd[0]);
	close(fd[1]);
	stop(pid);

	s = (struct seen){.enough = 2};
	pid = start(three);
	assert_int_equal(client_stream(client_request("x"), -1, see, &s), 0);
	assert_int_equal(s.n, 2);
	stop(pid);

	s = (struct seen){.enough = 100};
	pid = start("{\"ok\":true}\n[]\n");
	assert_int_equal(client_stream(client_request("x"), -1, see, &s), EXIT_REFUSED);
	stop(pid);
}

static void test_read_file(void **state)
{
	char name[64], *text;
	size_t n;
	int status;
	FILE *f;

	(void)state;
	snprintf(name, sizeof(name), "%s/file", dir);
	f = fopen(name, "w");
	assert_non_null(f);
	fputs("ports: {}\n", f);
	fclose(f);
	text = client_read_file(name, &n, &status);
	assert_string_equal(text, "ports: {}\n");
	assert_int_equal(n, 10);
	free(text);
	/* As large as a file may be, and one byte more. */
	assert_return_code(truncate(name, CLIENT_FILE_MAX), 0);
	text = client_read_file(name, &n, &status);
	assert_int_equal(n, CLIENT_FILE_MAX);
	free(text);
	assert_return_code(truncate(name, CLIENT_FILE_MAX + 1), 0);
	assert_null(client_read_file(name, &n, &status));
	assert_int_equal(status, EXIT_DATA);
	unlink(name);
	assert_null(client_read_file(name, &n, &status));
	assert_int_equal(status, EXIT_REFUSED);
	assert_null(client_read_file(dir, &n, &status));
	assert_int_equal(status, EXIT_REFUSED);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/sock", dir);
	client_use_socket(path);
	return 0;
}

static int clean_up(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_nobody),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_read_file),
	};

	return cmocka_run_group_tests(tests, set_up, clean_up);
}
