/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * client: one request, one answer or a stream of them.
 *
 *   connect -> {"verb": ...}\n (descriptor attached) -> {"ok": ...}\n [-> object\n ...]
 *
 * A stream ends when the switch closes it or when the user has had enough: Ctrl-C closes our half of the
 * connection, the switch sends what it still has (a capture its last figures) and closes.
 *
 * Trust.  The switch may have been taken over by a guest: an answer is bounded, every member is type-checked before use, and
 * what is shown goes through text_clean().
 */
#include "tools/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "switch/base/loop.h"
#include "tools/say.h"

#define SOCKET_DEFAULT "/run/vfab/vfab.sock"

enum { CLIENT_LOOK_MS = 500 };

static const char *socket_path;
static volatile sig_atomic_t interrupted;

/* What came from the switch and is not used yet. */
struct lines {
	int fd;
	char *buf;
	size_t used, size; /* bytes in buf, bytes of buf */
	size_t line;	   /* length of the line handed out, its newline included */
};

void client_use_socket(const char *path)
{
	socket_path = path;
}

const char *client_socket(void)
{
	const char *env;

	if (socket_path)
		return socket_path;
	env = getenv("VFAB_SOCKET");
	return env && *env ? env : SOCKET_DEFAULT;
}

static void on_signal(int signal)
{
	(void)signal;
	interrupted = 1;
}

void client_catch_signals(void)
{
	/* Without SA_RESTART: poll() and read() come back with EINTR. */
	struct sigaction sa = {.sa_handler = on_signal};

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
}

bool client_interrupted(void)
{
	return interrupted;
}

json_t *client_request(const char *verb)
{
	return need(json_pack("{s:s}", "verb", verb));
}

static int no_answer(int error)
{
	return fail(EXIT_REFUSED, "no vfabd answers on %s: %s", client_socket(), strerror(error));
}

/* The connection, or -1 with errno. */
static int open_socket(void)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	const char *path = client_socket();
	int fd, saved;

	if (strlen(path) >= sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sun.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (!connect(fd, (struct sockaddr *)&sun, sizeof(sun)))
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* Sends all of text, the descriptor with its first byte.  0 or -errno. */
static int send_text(int sock, const char *text, size_t bytes, int fd)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov;
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *c;
	ssize_t n;

	if (fd >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	while (bytes) {
		iov = (struct iovec){.iov_base = (void *)(uintptr_t)text, .iov_len = bytes};
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		bytes -= (size_t)n;
		msg.msg_control = NULL;
		msg.msg_controllen = 0;
	}
	return 0;
}

static int send_request(int sock, json_t *request, int fd)
{
	char *text;
	size_t n;
	int rc;

	text = need(json_dumps(request, JSON_COMPACT));
	n = strlen(text);
	text[n] = '\n'; /* in place of the NUL: the length is known */
	rc = send_text(sock, text, n + 1, fd);
	free(text);
	/* A request that is refused early is answered before it is read: the answer says more than EPIPE. */
	return rc == -EPIPE || rc == -ECONNRESET ? 0 : rc;
}

/*
 * Waits for bytes until the deadline (0: none).  0, -ETIMEDOUT, or without a deadline -EINTR once the user has had enough.  A
 * signal may come just before poll(): hence a look twice a second.
 */
static int wait_bytes(int fd, uint64_t deadline_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint64_t now, left_ms;
	int n;

	for (;;) {
		now = clock_ms();
		if (deadline_ms && now >= deadline_ms)
			return -ETIMEDOUT;
		if (interrupted && !deadline_ms)
			return -EINTR;
		left_ms = deadline_ms ? deadline_ms - now : CLIENT_LOOK_MS;
		n = poll(&p, 1, left_ms < CLIENT_LOOK_MS ? (int)left_ms : CLIENT_LOOK_MS);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static void lines_grow(struct lines *l)
{
	if (l->size - l->used >= 4096)
		return;
	l->size = l->size ? l->size * 2 : 16384;
	l->buf = need(realloc(l->buf, l->size));
}

/*
 * The next line, without its newline, valid until the next call.  0; -ENODATA at the end; -ETIMEDOUT, -EINTR, -EMSGSIZE or
 * what read() said.
 */
static int lines_next(struct lines *l, uint64_t deadline_ms, char **line)
{
	size_t seen;
	ssize_t n;
	char *nl;
	int rc;

	l->used -= l->line;
	if (l->used)
		memmove(l->buf, l->buf + l->line, l->used);
	l->line = 0;
	seen = 0;
	for (;;) {
		nl = l->used > seen ? memchr(l->buf + seen, '\n', l->used - seen) : NULL;
		if (nl) {
			*nl = '\0';
			*line = l->buf;
			l->line = (size_t)(nl - l->buf) + 1;
			return 0;
		}
		seen = l->used;
		if (l->used > CLIENT_LINE_MAX)
			return -EMSGSIZE;
		rc = wait_bytes(l->fd, deadline_ms);
		if (rc)
			return rc;
		lines_grow(l);
		n = read(l->fd, l->buf + l->used, l->size - l->used);
		if (n < 0)
			return -errno;
		if (!n)
			return -ENODATA;
		l->used += (size_t)n;
	}
}

/* "FILE:LINE:COL: PATH: TEXT" for a file, "OBJECT: TEXT" for a verb. */
static int refused(json_t *answer, const char *file)
{
	const char *text, *object, *path;
	int line, column, status;
	char at[64] = "";

	text = json_string_value(json_object_get(answer, "error"));
	object = json_string_value(json_object_get(answer, "object"));
	path = json_string_value(json_object_get(answer, "path"));
	line = (int)json_integer_value(json_object_get(answer, "line"));
	column = (int)json_integer_value(json_object_get(answer, "column"));
	status = (int)json_integer_value(json_object_get(answer, "status"));
	if (status != EXIT_USAGE && status != EXIT_DATA)
		status = EXIT_REFUSED;
	text = text && *text ? text : "vfabd refused and gave no reason";
	/* What the system refuses has an object, but no place in the file. */
	if (!file || (line <= 0 && !path))
		path = object;
	path = path ? path : "";
	if (!file)
		return fail(status, "%s%s%s", path, *path ? ": " : "", text);
	if (line > 0)
		snprintf(at, sizeof(at), "%d:%d: ", line, column);
	return fail(status, "%s:%s%s%s%s%s", file, *at ? "" : " ", at, path, *path ? ": " : "",
		    text);
}

/* The first answer, checked.  0 and *answer, or the exit status. */
static int read_answer(struct lines *l, const char *file, json_t **answer)
{
	json_error_t err;
	json_t *obj;
	char *line;
	int rc;

	rc = lines_next(l, clock_ms() + CLIENT_WAIT_MS, &line);
	if (rc == -ETIMEDOUT)
		return fail(EXIT_REFUSED, "vfabd on %s did not answer within %d s", client_socket(),
			    CLIENT_WAIT_MS / 1000);
	if (rc)
		return fail(EXIT_REFUSED, "vfabd on %s closed the connection: %s", client_socket(),
			    rc == -ENODATA ? "no answer" : strerror(-rc));
	obj = json_loads(line, JSON_ALLOW_NUL, &err);
	if (!json_is_object(obj) || !json_is_boolean(json_object_get(obj, "ok"))) {
		json_decref(obj);
		return fail(EXIT_REFUSED, "%s answers, but not as vfabd does", client_socket());
	}
	if (json_is_false(json_object_get(obj, "ok"))) {
		rc = refused(obj, file);
		json_decref(obj);
		return rc;
	}
	*answer = obj;
	return 0;
}

/* Connects and sends; the status, or 0 with the connection in *l. */
static int begin(json_t *request, int fd, struct lines *l)
{
	int rc;

	*l = (struct lines){.fd = open_socket()};
	if (l->fd < 0)
		return no_answer(errno);
	rc = send_request(l->fd, request, fd);
	if (!rc)
		return 0;
	close(l->fd);
	return no_answer(-rc);
}

int client_ask(json_t *request, const char *file, json_t **result)
{
	struct lines l;
	json_t *answer;
	int rc;

	rc = begin(request, -1, &l);
	json_decref(request);
	if (rc)
		return rc;
	rc = read_answer(&l, file, &answer);
	if (!rc && result) {
		*result = json_incref(json_object_get(answer, "result"));
		if (!*result)
			*result = need(json_null());
	}
	if (!rc)
		json_decref(answer);
	close(l.fd);
	free(l.buf);
	return rc;
}

bool client_is_answered(void)
{
	json_t *request;
	struct lines l;
	char *line;
	bool yes;

	l = (struct lines){.fd = open_socket()};
	if (l.fd < 0)
		return false;
	request = client_request("version");
	yes = !send_request(l.fd, request, -1) && !lines_next(&l, clock_ms() + 5000, &line);
	json_decref(request);
	close(l.fd);
	free(l.buf);
	return yes;
}

/* Objects until an end: 0, or the exit status. */
static int run_stream(struct lines *l, client_each each, void *arg)
{
	uint64_t deadline_ms;
	bool go_on;
	json_t *obj;
	char *line;
	int rc;

	deadline_ms = 0;
	for (go_on = true; go_on; json_decref(obj)) {
		if (interrupted && !deadline_ms) {
			shutdown(l->fd, SHUT_WR);
			deadline_ms = clock_ms() + CLIENT_END_MS;
		}
		obj = NULL;
		rc = lines_next(l, deadline_ms, &line);
		if (rc == -EINTR)
			continue;
		if (rc == -ENODATA || (rc == -ETIMEDOUT && interrupted))
			return 0;
		if (rc)
			return fail(EXIT_REFUSED, "the stream of vfabd broke: %s", strerror(-rc));
		obj = json_loads(line, JSON_ALLOW_NUL, NULL);
		if (!json_is_object(obj)) {
			json_decref(obj);
			return fail(EXIT_REFUSED, "vfabd streamed what is no object");
		}
		go_on = each(obj, arg);
	}
	return 0;
}

int client_stream(json_t *request, int fd, client_each each, void *arg)
{
	struct lines l;
	json_t *answer;
	int rc;

	rc = begin(request, fd, &l);
	json_decref(request);
	if (rc)
		return rc;
	rc = read_answer(&l, NULL, &answer);
	if (!rc) {
		json_decref(answer);
		client_catch_signals();
		rc = run_stream(&l, each, arg);
	}
	close(l.fd);
	free(l.buf);
	return rc;
}

/* Reads fd to its end, at most one byte more than a file may have.  0 or -errno. */
static int read_all(int fd, char *buf, size_t *bytes)
{
	ssize_t n;

	*bytes = 0;
	while (*bytes <= CLIENT_FILE_MAX) {
		n = read(fd, buf + *bytes, CLIENT_FILE_MAX + 1 - *bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return 0;
		*bytes += (size_t)n;
	}
	return -EFBIG;
}

char *client_read_file(const char *path, size_t *bytes, int *status)
{
	bool is_stdin = !strcmp(path, "-");
	char *buf;
	int fd, rc;

	fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		*status = fail(EXIT_REFUSED, "%s: %s", path, strerror(errno));
		return NULL;
	}
	buf = need(malloc(CLIENT_FILE_MAX + 2));
	rc = read_all(fd, buf, bytes);
	if (!is_stdin)
		close(fd);
	if (!rc) {
		buf[*bytes] = '\0';
		return buf;
	}
	free(buf);
	*status = rc == -EFBIG ? fail(EXIT_DATA, "%s:1:1: the text is longer than 4 MiB", path)
			       : fail(EXIT_REFUSED, "%s: %s", path, strerror(-rc));
	return NULL;
}
