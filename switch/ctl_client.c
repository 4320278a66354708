/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctl_client: the connections of the control socket.
 *
 * ctl.c starts it and gets whole requests from it; it runs in the control loop and never waits.  Each
 * client is in the list of its state, oldest first:
 *
 *   reading   a request is awaited, for calls.patience_ms after the connection
 *   ending    an answer is being sent; as long for each piece
 *   streams   no deadline
 *
 * so one timer for the heads of the first two lists serves all deadlines.  What is full gives way to
 * the newcomer, so that nobody can lock others out: over CTL_CLIENTS_MAX connections, or without a
 * descriptor left, the oldest of `reading` goes, then of `ending`; streams are limited to less than
 * that.  Over CTL_MEMORY_MAX bytes the largest holder of the two goes; streams have a budget of their
 * own and lose objects instead.  Buffers grow with what arrives.
 *
 * A few connections are accepted each turn of the loop, and each is read at once: a request that
 * came with its connection is answered before a storm of others can push it out.
 *
 * Only sendmsg and recvmsg are used: the sandbox knows no other.
 *
 * Trust.  Bytes, descriptors and pace are the client's.  This file looks for the newline and
 * counts; what the bytes say is checked in ctl.c.
 */
#include "switch/ctl_client.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	ACCEPTS_A_TURN = 16,
	PAUSE_MS = 100, /* without descriptors left */
	BUF_MIN = 4096, /* first size of a buffer, and least room for a read */
	TRIM_BYTES = 1 << 20,
	STREAM_EVENTS = EPOLLRDHUP,
};

enum client_state { CLIENT_READING, CLIENT_BUSY, CLIENT_STREAM, CLIENT_ENDING };

struct buf {
	char *p;
	size_t n, size;
};

struct client_list {
	struct client *head, *tail; /* oldest first */
	unsigned n;
};

struct client {
	struct clients *all;
	struct client_list *list; /* NULL while busy */
	struct client *prev, *next;
	enum client_state state;
	bool is_stream; /* which budget its buffers count in; stays while it ends */
	bool is_broken; /* nothing can be sent any more */
	int fd;
	uint32_t events;      /* what the loop watches for */
	uint64_t deadline_ms; /* in reading and ending */
	struct buf in, out;
	size_t sent;	      /* bytes of out */
	int fds[CTL_FDS_MAX]; /* came with the request */
	unsigned n_fds;
	struct ucred cred;
	void (*on_close)(void *arg);
	void *on_close_arg;
};

struct clients {
	struct loop *loop;
	int listen_fd;
	struct client_calls calls;
	struct client_list reading, ending, streams;
	size_t held, stream_held; /* bytes of buffers */
	unsigned n;		  /* clients, the busy one included */
	int timer;		  /* 0: none runs */
	int pause_timer;
};

/* Lists */

static void unlist(struct client *cl)
{
	struct client_list *l = cl->list;

	if (!l)
		return;
	*(cl->prev ? &cl->prev->next : &l->head) = cl->next;
	*(cl->next ? &cl->next->prev : &l->tail) = cl->prev;
	cl->prev = cl->next = NULL;
	cl->list = NULL;
	l->n--;
}

static void enlist(struct client *cl, struct client_list *l)
{
	unlist(cl);
	cl->list = l;
	cl->prev = l->tail;
	*(l->tail ? &l->tail->next : &l->head) = cl;
	l->tail = cl;
	l->n++;
}

/* Buffers */

static size_t *budget(struct client *cl)
{
	return cl->is_stream ? &cl->all->stream_held : &cl->all->held;
}

static void buf_free(struct client *cl, struct buf *b)
{
	bool is_large = b->size >= TRIM_BYTES;

	*budget(cl) -= b->size;
	free(b->p);
	*b = (struct buf){0};
	/* What was made beside it, a JSON tree of a whole table, would stay in the heap for ever. */
	if (is_large)
		malloc_trim(0);
}

static void client_close(struct client *cl);

static size_t holding(const struct client *cl)
{
	return cl->in.size + cl->out.size;
}

/* The client that holds most, of those that may go; never `but`. */
static struct client *find_largest(const struct clients *all, const struct client *but)
{
	const struct client_list *lists[] = {&all->reading, &all->ending};
	struct client *cl, *found = NULL;
	size_t i;

	for (i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		for (cl = lists[i]->head; cl; cl = cl->next) {
			/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not see that client_close() unlists. */
			if (cl != but && !cl->is_stream && !cl->on_close &&
			    (!found || holding(cl) > holding(found)))
				found = cl;
		}
	}
	return found;
}

/* Makes room in the budget for cl to hold `more` bytes; whoever holds most gives way. */
static bool make_room(struct client *cl, size_t more)
{
	struct clients *all = cl->all;
	struct client *largest;

	if (cl->is_stream)
		return all->stream_held + more <= CTL_STREAM_MEMORY_MAX;
	while (all->held + more > CTL_MEMORY_MAX) {
		largest = find_largest(all, cl);
		if (!largest || holding(largest) < holding(cl) + more)
			return false;
		client_close(largest);
	}
	return true;
}

/* Room for n more bytes in b. */
static bool buf_reserve(struct client *cl, struct buf *b, size_t n)
{
	size_t size = b->size > BUF_MIN ? b->size : BUF_MIN;
	char *p;

	if (b->size - b->n >= n)
		return true;
	while (size - b->n < n)
		size *= 2;
	if (!make_room(cl, size - b->size))
		return false;
	p = realloc(b->p, size);
	if (!p)
		return false;
	*budget(cl) += size - b->size;
	b->p = p;
	b->size = size;
	return true;
}

/* Sending and closing */

static void watch(struct client *cl, uint32_t events)
{
	if (cl->events == events)
		return;
	/* Cannot fail for a descriptor that is watched. */
	loop_mod(cl->all->loop, cl->fd, events);
	cl->events = events;
}

/* Sends what the socket takes.  True: nothing is left, or nothing can be sent any more. */
static bool flush(struct client *cl)
{
	struct iovec iov;
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t r;

	while (cl->sent < cl->out.n && !cl->is_broken) {
		iov = (struct iovec){cl->out.p + cl->sent, cl->out.n - cl->sent};
		r = sendmsg(cl->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (r >= 0)
			cl->sent += (size_t)r;
		else if (errno == EAGAIN)
			return false;
		else if (errno != EINTR)
			cl->is_broken = true;
	}
	client_unqueue(cl);
	return true;
}

/* Tells the owner of a stream, once. */
static void leave(struct client *cl)
{
	void (*fn)(void *) = cl->on_close;

	cl->on_close = NULL;
	if (fn)
		fn(cl->on_close_arg);
}

static void client_close(struct client *cl)
{
	unsigned i;

	leave(cl);
	loop_del(cl->all->loop, cl->fd);
	close(cl->fd);
	for (i = 0; i < cl->n_fds; i++)
		close(cl->fds[i]);
	buf_free(cl, &cl->in);
	buf_free(cl, &cl->out);
	unlist(cl);
	cl->all->n--;
	free(cl);
}

/* Deadlines */

static void on_timer(void *arg, uint32_t events);

static void arm(struct clients *all)
{
	const struct client *r = all->reading.head, *e = all->ending.head;
	uint64_t now = clock_ms(), due;

	if (all->timer > 0 || (!r && !e))
		return;
	due = r && (!e || r->deadline_ms < e->deadline_ms) ? r->deadline_ms : e->deadline_ms;
	/* Without memory for a timer the next client tries again. */
	all->timer = loop_after(all->loop, due > now ? (uint32_t)(due - now) : 0, on_timer, all);
}

static void set_deadline(struct client *cl, struct client_list *l)
{
	cl->deadline_ms = clock_ms() + cl->all->calls.patience_ms;
	enlist(cl, l);
	arm(cl->all);
}

/* Tells a client that has no whole request why it goes, as far as its socket takes that, and closes it. */
static void drop(struct client *cl, const char *why)
{
	unlist(cl);
	buf_free(cl, &cl->in);
	cl->state = CLIENT_BUSY;
	cl->all->calls.refused(cl, why);
	flush(cl);
	client_close(cl);
}

static void on_timer(void *arg, uint32_t events)
{
	struct clients *all = arg;
	uint64_t now = clock_ms();
	struct client *cl;

	(void)events;
	all->timer = 0;
	while ((cl = all->reading.head) && cl->deadline_ms <= now)
		drop(cl, "no whole request came in time");
	while ((cl = all->ending.head) && cl->deadline_ms <= now)
		client_close(cl);
	arm(all);
}

/* Reading */

/* Keeps the descriptors of a message, the first CTL_FDS_MAX of a request. */
static void keep_fds(struct client *cl, struct msghdr *m)
{
	struct cmsghdr *c;
	size_t n, i;
	int fd;

	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(fd);
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (cl->n_fds < CTL_FDS_MAX)
				cl->fds[cl->n_fds++] = fd;
			else
				close(fd);
		}
	}
}

/* Room for CTL_FDS_MAX descriptors: the kernel closes the surplus (MSG_CTRUNC). */
static ssize_t receive(struct client *cl)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(CTL_FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = {cl->in.p + cl->in.n, cl->in.size - cl->in.n};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.bytes,
			   .msg_controllen = sizeof(control.bytes)};
	ssize_t r = recvmsg(cl->fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (r >= 0)
		keep_fds(cl, &m);
	return r;
}

static void take_request(struct client *cl, size_t n)
{
	unlist(cl);
	cl->state = CLIENT_BUSY;
	cl->all->calls.request(cl->all->calls.arg, cl, cl->in.p, n);
	buf_free(cl, &cl->in);
	if (cl->state == CLIENT_ENDING && flush(cl))
		client_close(cl);
}

static void read_request(struct client *cl)
{
	const char *newline;
	size_t before = cl->in.n, n;
	ssize_t r;

	if (!buf_reserve(cl, &cl->in, BUF_MIN)) {
		drop(cl, "no memory for the request");
		return;
	}
	r = receive(cl);
	if (r < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* The end of what it sends ends a line too: `printf ... | socat - UNIX:...` gets its answer. */
	if (r < 0 || (r == 0 && before == 0)) {
		client_close(cl);
		return;
	}
	cl->in.n += (size_t)r;
	newline = memchr(cl->in.p + before, '\n', (size_t)r);
	n = newline ? (size_t)(newline - cl->in.p) : cl->in.n;
	if (n > CTL_REQUEST_MAX)
		drop(cl, "the request is too large");
	else if (newline || r == 0)
		take_request(cl, n);
}

static void serve_stream(struct client *cl, uint32_t events)
{
	if (events & (EPOLLHUP | EPOLLERR)) {
		client_close(cl);
		return;
	}
	if (events & EPOLLOUT && flush(cl))
		watch(cl, STREAM_EVENTS);
	if (events & EPOLLRDHUP || cl->is_broken) {
		leave(cl);
		client_end(cl);
	}
}

static void serve_ending(struct client *cl, uint32_t events)
{
	size_t before = cl->sent;

	if (events & (EPOLLHUP | EPOLLERR) || flush(cl))
		client_close(cl);
	else if (cl->sent > before)
		set_deadline(cl, &cl->all->ending);
}

static void on_client(void *arg, uint32_t events)
{
	struct client *cl = arg;

	if (cl->state == CLIENT_READING)
		read_request(cl);
	else if (cl->state == CLIENT_STREAM)
		serve_stream(cl, events);
	else
		serve_ending(cl, events);
}

/* Accepting */

static void on_pause_end(void *arg, uint32_t events)
{
	struct clients *all = arg;

	(void)events;
	all->pause_timer = 0;
	loop_mod(all->loop, all->listen_fd, EPOLLIN);
}

/* Stops listening for a moment: a connection that cannot be accepted would wake us for ever. */
static void pause_listening(struct clients *all)
{
	all->pause_timer = loop_after(all->loop, PAUSE_MS, on_pause_end, all);
	if (all->pause_timer > 0)
		loop_mod(all->loop, all->listen_fd, 0);
}

/* Makes room for one connection. */
static bool drop_oldest(struct clients *all)
{
	if (all->reading.head)
		drop(all->reading.head, "too many clients, and this one was the oldest");
	else if (all->ending.head)
		client_close(all->ending.head);
	else
		return false;
	return true;
}

static void admit(struct clients *all, int fd)
{
	struct client *cl;
	socklen_t n = sizeof(cl->cred);

	if (all->n >= CTL_CLIENTS_MAX)
		drop_oldest(all);
	cl = calloc(1, sizeof(*cl));
	if (!cl || loop_add(all->loop, fd, EPOLLIN, on_client, cl)) {
		free(cl);
		close(fd);
		return;
	}
	cl->all = all;
	cl->fd = fd;
	cl->events = EPOLLIN;
	cl->state = CLIENT_READING;
	/* Only for the log: the rights of the socket file have decided already. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cl->cred, &n))
		cl->cred = (struct ucred){.pid = -1, .uid = (uid_t)-1};
	all->n++;
	set_deadline(cl, &all->reading);
	read_request(cl);
}

static void on_listen(void *arg, uint32_t events)
{
	struct clients *all = arg;
	int fd, i;

	(void)events;
	for (i = 0; i < ACCEPTS_A_TURN; i++) {
		fd = accept4(all->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			admit(all, fd);
			continue;
		}
		if (errno == EAGAIN)
			return;
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		/* Our own descriptors are used up: one of ours gives way.  The machine's: wait. */
		if (errno != EMFILE || !drop_oldest(all))
			pause_listening(all);
		return;
	}
}

/* n bytes at the end of the queue, to be filled; NULL: over a limit, or nothing may be queued now. */
static char *queue_space(struct client *cl, size_t n)
{
	size_t max = cl->is_stream ? CTL_STREAM_QUEUE_MAX : CTL_QUEUE_MAX;

	if (cl->state != CLIENT_BUSY && cl->state != CLIENT_STREAM)
		return NULL;
	if (cl->is_stream && cl->out.n - cl->sent + n > max)
		flush(cl);
	if (n > max || cl->out.n - cl->sent > max - n)
		return NULL;
	if (cl->sent > 0 && cl->out.size - cl->out.n < n) {
		cl->out.n -= cl->sent;
		memmove(cl->out.p, cl->out.p + cl->sent, cl->out.n);
		cl->sent = 0;
	}
	if (!buf_reserve(cl, &cl->out, n))
		return NULL;
	cl->out.n += n;
	if (cl->state == CLIENT_STREAM)
		watch(cl, STREAM_EVENTS | EPOLLOUT);
	return cl->out.p + cl->out.n - n;
}

/* Exported */

struct clients *clients_create(struct loop *loop, int listen_fd, const struct client_calls *calls)
{
	struct clients *all;
	int flags = fcntl(listen_fd, F_GETFL), err;

	/* Connections are taken until there is none left. */
	if (flags < 0 || fcntl(listen_fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return NULL;
	all = calloc(1, sizeof(*all));
	if (!all)
		return NULL;
	all->loop = loop;
	all->listen_fd = listen_fd;
	all->calls = *calls;
	err = loop_add(loop, listen_fd, EPOLLIN, on_listen, all);
	if (err) {
		free(all);
		errno = -err;
		return NULL;
	}
	return all;
}

void clients_destroy(struct clients *all)
{
	if (!all)
		return;
	loop_cancel(all->loop, all->pause_timer);
	loop_del(all->loop, all->listen_fd);
	close(all->listen_fd);
	while (all->streams.head)
		client_close(all->streams.head);
	while (all->ending.head)
		client_close(all->ending.head);
	while (all->reading.head)
		client_close(all->reading.head);
	loop_cancel(all->loop, all->timer);
	free(all);
}

bool client_is_busy(const struct client *cl)
{
	return cl->state == CLIENT_BUSY;
}

pid_t client_pid(const struct client *cl)
{
	return cl->cred.pid;
}

uid_t client_uid(const struct client *cl)
{
	return cl->cred.uid;
}

int client_take_fd(struct client *cl)
{
	int fd;

	if (cl->n_fds == 0)
		return -1;
	fd = cl->fds[0];
	memmove(cl->fds, cl->fds + 1, --cl->n_fds * sizeof(*cl->fds));
	return fd;
}

bool client_queue(struct client *cl, const void *bytes, size_t n)
{
	char *p = queue_space(cl, n);

	if (p)
		memcpy(p, bytes, n);
	return p;
}

bool client_queue_line(struct client *cl, const char *line, size_t n)
{
	char *p = queue_space(cl, n + 1);

	if (!p)
		return false;
	memcpy(p, line, n);
	p[n] = '\n';
	return true;
}

void client_unqueue(struct client *cl)
{
	buf_free(cl, &cl->out);
	cl->sent = 0;
}

void client_end(struct client *cl)
{
	if (cl->state == CLIENT_ENDING)
		return;
	cl->state = CLIENT_ENDING;
	set_deadline(cl, &cl->all->ending);
	watch(cl, EPOLLOUT);
}

bool client_stream_begin(struct client *cl, void (*on_close)(void *arg), void *arg)
{
	cl->on_close = on_close;
	cl->on_close_arg = arg;
	if (cl->all->streams.n >= CTL_STREAMS_MAX)
		return false;
	cl->all->held -= holding(cl);
	cl->all->stream_held += holding(cl);
	cl->is_stream = true;
	cl->state = CLIENT_STREAM;
	enlist(cl, &cl->all->streams);
	watch(cl, STREAM_EVENTS | EPOLLOUT);
	return true;
}
