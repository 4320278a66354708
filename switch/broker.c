/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker: the privileged half: supervisor and dispatcher of requests.
 *
 * How it fits.  main.c calls broker_run().  Requests are checked by broker_check.c and carried out
 * by broker_stock.c and broker_file.c; the other end of both sockets is broker_client.c in the switch.
 *
 * Theory of operation.  One thread, one loop.
 *
 *           start                 BROKER_READY
 *   (none) -------> STARTING --------------------> RUNNING <--- notices, requests
 *                      |                              | died
 *                      | died before the first READY  v
 *                      v                           restart after 0, 100, 200 ... 2000 ms
 *                   vfabd ends with its status
 *
 * All that a switch needs is here and not there: descriptors of taps, guests and links, listening sockets, the
 * text that was applied last, the state region, the sessions of the NAT.  A new one gets the same at fixed descriptor numbers
 * (broker.h) and an image of the same program.  A second crash within CRASH_WINDOW_MS gets empty
 * regions: what is in the tables may be what killed it.  The journal of leases stays: each line of it is checked, and an address
 * that was given is nobody else's.
 *
 * Notices are never queued here: what is to be told is a flag at what it is about, and is sent when
 * the socket has room.
 *
 * Trust.  The switch is hostile once a guest has taken it over.  Each message is checked whole
 * before it is acted on, descriptors that nobody asked for are closed, an answer that it does not
 * take costs it its life, and the state region is cleaned when it is mapped.
 */
#include "switch/broker.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "switch/base/log.h"
#include "switch/base/loop.h"
#include "switch/broker_check.h"
#include "switch/broker_file.h"
#include "switch/broker_spawn.h"
#include "switch/broker_stock.h"
#include "switch/broker_wire.h"
#include "switch/sandbox.h"
#include "switch/state.h"

enum {
	STATUS_BAD_DATA = 65,
	CRASH_WINDOW_MS = 5000,
	RESTART_MIN_MS = 100,
	RESTART_MAX_MS = 2000,
	STOP_MS = 2000, /* for the switch to end by itself */
	RELOAD_MS =
		5000, /* after which systemd is told that a reload is over, whatever became of it */
	REQUEST_FDS = GUEST_KEEP_FDS,
};

struct broker {
	const struct broker_options *options;
	struct loop *loop;
	struct stock *stock;
	char host_record[GUEST_PATH_SIZE + 8]; /* beside the control socket */
	struct listen_socket control;
	int state_dir_fd; /* holds the lock; -1: in memory only */
	int state_fd, nat_fd;
	int journal_fd[JOURNAL_FILES];
	int signal_fd;
	int text_fd;	       /* what the next switch starts with */
	const char *text_name; /* and what it calls that */

	pid_t pid;		   /* of the switch; 0: none lives */
	int request_fd, notice_fd; /* our ends; -1: none lives */
	bool is_blocked;	   /* notice_fd had no room and is watched */
	bool was_ready;		   /* some switch was, ever */
	bool is_stopping, stop_due, is_reloading;
	int reload_fd;			/* text of a NOTICE_RELOAD that is due; -1: none */
	char reload_why[TAP_TEXT_SIZE]; /* why one that is due has no text; "": none is */

	unsigned crashes; /* in a row, each soon after the last */
	uint64_t restarts, died_ms;
	char died_of[64];
	int start_timer, kill_timer, flush_timer, reload_timer;
	int status;
};

static void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The one line of a vfabd that does not start. */
static void complain(const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fprintf(stderr, "vfabd: %s\n", line);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* --- what the switch is sent ------------------------------------------------------------ */

/* One notice with n descriptors, without waiting.  0 or -errno. */
static int send_notice(const struct broker_notice *n, const int *fds, unsigned n_fds, void *arg)
{
	struct broker *b = arg;

	return wire_send(b->notice_fd, n, sizeof(*n), MSG_DONTWAIT, fds, n_fds);
}

static int send_stop(struct broker *b)
{
	struct broker_notice n = {.kind = NOTICE_STOP};

	return send_notice(&n, NULL, 0, b);
}

static bool is_reload_due(const struct broker *b)
{
	return b->reload_fd >= 0 || b->reload_why[0];
}

static int send_reload(struct broker *b)
{
	struct broker_notice n = {.kind = NOTICE_RELOAD};

	memcpy(n.tap.text, b->reload_why, sizeof(n.tap.text));
	return send_notice(&n, &b->reload_fd, b->reload_fd >= 0, b);
}

static void forget_reload(struct broker *b)
{
	close_fd(&b->reload_fd);
	b->reload_why[0] = '\0';
}

/* Sends what is due, in the order in which it matters. */
static int send_due(struct broker *b)
{
	int err;

	if (b->stop_due) {
		err = send_stop(b);
		if (err)
			return err;
		b->stop_due = false;
	}
	err = stock_tell(b->stock, send_notice, b);
	if (err || !is_reload_due(b))
		return err;
	err = send_reload(b);
	if (!err)
		forget_reload(b);
	return err;
}

static void flush(struct broker *b);

static void on_room(void *arg, uint32_t events)
{
	(void)events;
	flush(arg);
}

static void flush(struct broker *b)
{
	int err;

	if (b->notice_fd < 0)
		return;
	err = send_due(b);
	if (err == -EAGAIN && !b->is_blocked) {
		b->is_blocked = loop_add(b->loop, b->notice_fd, EPOLLOUT, on_room, b) == 0;
	} else if (err != -EAGAIN && b->is_blocked) {
		loop_del(b->loop, b->notice_fd);
		b->is_blocked = false;
	}
	/* Anything else: the switch is dying, and the next one asks for everything anyway. */
	if (err && err != -EAGAIN)
		log_debug("notice: %s", strerror(-err));
}

static void on_flush(void *arg, uint32_t events)
{
	struct broker *b = arg;

	(void)events;
	b->flush_timer = 0;
	flush(b);
}

/* The stock says it in the middle of its work: it is sent when that is done. */
static void on_due(void *arg)
{
	struct broker *b = arg;

	if (b->flush_timer <= 0)
		b->flush_timer = loop_after(b->loop, 0, on_flush, b);
}

/* --- what the switch asks for ----------------------------------------------------------- */

static void end_reload(struct broker *b)
{
	if (!b->is_reloading)
		return;
	b->is_reloading = false;
	loop_cancel(b->loop, b->reload_timer);
	tell_systemd("READY=1");
}

static void refuse(struct broker_reply *r, int err, const char *text)
{
	r->error = -err;
	snprintf(r->text, sizeof(r->text), "%s", text);
}

static void keep_text(struct broker *b, int *fd, struct broker_reply *r)
{
	r->error = -text_take(*fd, r->text);
	if (r->error)
		return;
	close_fd(&b->text_fd);
	b->text_fd = *fd;
	*fd = -1;
	end_reload(b);
}

static void switch_is_ready(struct broker *b)
{
	stock_sweep(b->stock);
	end_reload(b);
	if (!b->was_ready) {
		log_info("ready, control socket %s", b->options->socket_path);
		tell_systemd("READY=1");
	}
	b->was_ready = true;
}

/* Carries out a request.  fds: what came with it, and what is taken is -1 then. */
static void act(struct broker *b, const struct broker_request *q, int *fds, struct broker_reply *r,
		struct attached *out)
{
	if (stock_act(b->stock, q, fds, r, out))
		return;
	switch (q->op) {
	case BROKER_CONF_KEEP:
		keep_text(b, &fds[0], r);
		break;
	case BROKER_CONF_SAVE:
		r->error = -conf_file_save(b->options->conf_file, fds[0], r->text);
		break;
	case BROKER_READY:
		switch_is_ready(b);
		break;
	}
}

static void on_kill(void *arg, uint32_t events)
{
	struct broker *b = arg;

	(void)events;
	b->kill_timer = 0;
	if (b->pid > 0)
		kill(b->pid, SIGKILL);
}

/* It closed its end, which an exit does too: it gets the time to do that. */
static void hang_up(struct broker *b)
{
	loop_del(b->loop, b->request_fd);
	if (b->kill_timer <= 0)
		b->kill_timer = loop_after(b->loop, STOP_MS, on_kill, b);
}

/* n: bytes of a request, or -errno that says what was wrong with the message. */
static void serve(struct broker *b, const void *bytes, ssize_t n, int *fds, unsigned n_fds)
{
	struct broker_reply r = {0};
	struct attached out = {0};
	struct broker_request q;
	char why[TAP_TEXT_SIZE];
	int err;

	if (n < 0)
		err = broker_fail(why, (int)n, "a message that is too long, or its descriptors");
	else
		err = broker_request_check(bytes, (size_t)n, n_fds, &q, why);
	if (err) {
		log_limited(LOG_LEVEL_ERR, "request of the switch: %s", why);
		refuse(&r, err, why);
	} else {
		act(b, &q, fds, &r, &out);
	}
	err = wire_send(b->request_fd, &r, sizeof(r), MSG_DONTWAIT, out.fd, r.error ? 0 : out.n);
	stock_answered(b->stock);
	if (!err || err == -EPIPE)
		return;
	log_err("the switch does not take its answer (%s): it is killed", strerror(-err));
	on_kill(b, 0);
}

static void on_request(void *arg, uint32_t events)
{
	struct broker *b = arg;
	struct broker_request q;
	int fds[REQUEST_FDS];
	unsigned n_fds, i;
	ssize_t n;

	(void)events;
	n = wire_receive(b->request_fd, &q, sizeof(q), MSG_DONTWAIT, fds, REQUEST_FDS, &n_fds);
	if (n == -EAGAIN)
		return;
	if (n >= 0 || n == -EMSGSIZE || n == -EMFILE)
		serve(b, &q, n, fds, n_fds);
	else
		hang_up(b);
	for (i = 0; i < n_fds; i++)
		close_fd(&fds[i]);
}

/* --- supervisor ------------------------------------------------------------------------- */

static void note_restart(struct broker *b, bool is_empty)
{
	uint64_t after_ms = clock_ms() - b->died_ms;
	const char *tables = is_empty ? ", with empty tables" : "";
	struct state *s;
	bool fresh;

	log_warn("the switch %s: started again after %" PRIu64 " ms%s", b->died_of, after_ms,
		 tables);
	s = state_map(b->state_fd, &fresh);
	if (!s)
		return;
	s->crashes = b->restarts;
	state_event(s, "restart", "", "the switch %s and was started again after %" PRIu64 " ms%s",
		    b->died_of, after_ms, tables);
	state_unmap(s);
}

/* 0, or -errno and nothing has changed. */
static int start_switch(struct broker *b)
{
	struct switch_start start;
	int request[2], notice[2], err;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, request) < 0)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, notice) < 0) {
		err = -errno;
		goto err_request;
	}
	err = loop_add(b->loop, request[0], EPOLLIN, on_request, b);
	if (err)
		goto err_notice;
	stock_unclaim(b->stock);
	lseek(b->text_fd, 0, SEEK_SET);
	start = (struct switch_start){
		.fd = {request[1], notice[1], b->control.fd, b->state_fd, b->text_fd, b->nat_fd,
		       b->journal_fd[0], b->journal_fd[1]},
		.log_level = b->options->log_level,
		.text_name = b->text_name,
	};
	pid = switch_spawn(&start);
	if (pid < 0) {
		err = pid;
		goto err_watch;
	}
	b->pid = pid;
	b->request_fd = request[0];
	b->notice_fd = notice[0];
	close(request[1]);
	close(notice[1]);
	return 0;

err_watch:
	loop_del(b->loop, request[0]);
err_notice:
	close(notice[0]);
	close(notice[1]);
err_request:
	close(request[0]);
	close(request[1]);
	return err;
}

static void on_start(void *arg, uint32_t events)
{
	bool is_empty;
	struct broker *b = arg;
	int err;

	(void)events;
	b->start_timer = 0;
	is_empty = b->crashes > 1;
	if (is_empty) {
		region_renew(&b->state_fd);
		nat_region_renew(&b->nat_fd);
	}
	b->restarts++;
	note_restart(b, is_empty);
	err = start_switch(b);
	if (!err)
		return;
	log_err("the switch cannot be started: %s", strerror(-err));
	b->start_timer = loop_after(b->loop, RESTART_MAX_MS, on_start, b);
}

static void plan_restart(struct broker *b)
{
	uint64_t now_ms = clock_ms();
	uint32_t delay_ms = 0;

	if (b->crashes > 0 && now_ms - b->died_ms > CRASH_WINDOW_MS)
		b->crashes = 0;
	b->crashes++;
	b->died_ms = now_ms;
	if (b->crashes > 1)
		delay_ms = b->crashes > 6 ? RESTART_MAX_MS : RESTART_MIN_MS << (b->crashes - 2);
	if (delay_ms > RESTART_MAX_MS)
		delay_ms = RESTART_MAX_MS;
	if (delay_ms == 0)
		on_start(b, 0);
	else
		b->start_timer = loop_after(b->loop, delay_ms, on_start, b);
}

static void forget_switch(struct broker *b)
{
	loop_del(b->loop, b->request_fd);
	loop_del(b->loop, b->notice_fd);
	b->is_blocked = false;
	close_fd(&b->request_fd);
	close_fd(&b->notice_fd);
	forget_reload(b);
	loop_cancel(b->loop, b->kill_timer);
	b->kill_timer = 0;
	b->pid = 0;
	end_reload(b);
}

static void switch_died(struct broker *b, int wstatus)
{
	forget_switch(b);
	if (WIFSIGNALED(wstatus))
		snprintf(b->died_of, sizeof(b->died_of), "died of signal %d", WTERMSIG(wstatus));
	else
		snprintf(b->died_of, sizeof(b->died_of), "ended with status %d",
			 WEXITSTATUS(wstatus));
	if (b->is_stopping) {
		loop_stop(b->loop);
		return;
	}
	if (b->was_ready) {
		plan_restart(b);
		return;
	}
	/* It has said why itself, unless it could not. */
	if (WIFSIGNALED(wstatus))
		complain("the switch %s before it was ready", b->died_of);
	b->status =
		WIFEXITED(wstatus) && WEXITSTATUS(wstatus) == STATUS_BAD_DATA ? STATUS_BAD_DATA : 1;
	loop_stop(b->loop);
}

/* --- signals ---------------------------------------------------------------------------- */

static void stop(struct broker *b)
{
	if (b->is_stopping) {
		on_kill(b, 0);
		return;
	}
	b->is_stopping = true;
	tell_systemd("STOPPING=1");
	if (b->pid == 0) {
		loop_stop(b->loop);
		return;
	}
	b->stop_due = true;
	flush(b);
	if (b->kill_timer <= 0)
		b->kill_timer = loop_after(b->loop, STOP_MS, on_kill, b);
}

static void on_reload_end(void *arg, uint32_t events)
{
	struct broker *b = arg;

	(void)events;
	b->reload_timer = 0;
	end_reload(b);
}

static void reload(struct broker *b)
{
	const char *path = b->options->conf_file;
	char message[80];
	int fd;

	if (!path) {
		log_warn("SIGHUP: vfabd was started without -c");
		return;
	}
	forget_reload(b); /* an earlier one that is still due */
	fd = conf_file_read(path, false);
	if (fd < 0) {
		snprintf(b->reload_why, sizeof(b->reload_why),
			 "%s: the configuration stays as it is",
			 fd == -ESPIPE	? "is no regular file"
			 : fd == -EFBIG ? "is longer than 4 MiB"
					: strerror(-fd));
		log_err("%s: %s", path, b->reload_why);
	} else {
		b->reload_fd = fd;
	}
	snprintf(message, sizeof(message), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		 clock_ns() / 1000);
	tell_systemd(message);
	b->is_reloading = true;
	loop_cancel(b->loop, b->reload_timer);
	b->reload_timer = loop_after(b->loop, RELOAD_MS, on_reload_end, b);
	flush(b);
}

static void reap(struct broker *b)
{
	int wstatus;

	if (b->pid > 0 && waitpid(b->pid, &wstatus, WNOHANG) == b->pid)
		switch_died(b, wstatus);
	stock_reap(b->stock);
}

static void on_signal(void *arg, uint32_t events)
{
	struct signalfd_siginfo info;
	struct broker *b = arg;

	(void)events;
	while (read(b->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			reap(b);
		else if (info.ssi_signo == SIGHUP)
			reload(b);
		else
			stop(b);
	}
}

static int watch_signals(struct broker *b)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	b->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (b->signal_fd < 0)
		return -errno;
	return loop_add(b->loop, b->signal_fd, EPOLLIN, on_signal, b);
}

/* --- start and end ---------------------------------------------------------------------- */

static int lock_state(struct broker *b)
{
	const struct broker_options *o = b->options;

	b->state_dir_fd = state_dir_lock(o->state_dir);
	if (b->state_dir_fd >= 0)
		return 0;
	if (o->state_dir_given) {
		complain("%s: %s", o->state_dir,
			 b->state_dir_fd == -EBUSY ? "another vfabd keeps its state there"
						   : strerror(-b->state_dir_fd));
		return -1;
	}
	log_warn("%s: %s: state is kept in memory only", o->state_dir,
		 b->state_dir_fd == -EBUSY ? "another vfabd keeps its state there"
					   : strerror(-b->state_dir_fd));
	return 0;
}

static int fail_start(const char *what, int err)
{
	complain("%s: %s", what, strerror(-err));
	return -1;
}

/* Leases: on disk where the state directory is ours, else as long as this process lives. */
static int open_journal(struct broker *b)
{
	const char *bad, *in_memory;
	int err = journal_files_open(b->state_dir_fd, b->journal_fd, &bad);

	if (!err)
		return 0;
	if (b->state_dir_fd < 0 || journal_files_open(-1, b->journal_fd, &in_memory) != 0)
		return fail_start("files of leases", err);
	log_err("%s/%s: %s: leases are kept in memory only", b->options->state_dir, bad,
		err == -EPERM || err == -ELOOP ? "is no file of root's alone" : strerror(-err));
	return 0;
}

static int read_conf(struct broker *b)
{
	const char *path = b->options->conf_file;

	b->text_name = path ? path : "";
	b->text_fd = path ? conf_file_read(path, true) : text_create("", 0);
	if (b->text_fd >= 0)
		return 0;
	if (b->text_fd == -EFBIG) {
		complain("%s: the file is longer than 4 MiB", path);
		b->status = STATUS_BAD_DATA;
		return -1;
	}
	complain("%s: %s", path ? path : "configuration", strerror(-b->text_fd));
	return -1;
}

/* Everything before the loop; what was begun is undone by finish(). */
static int prepare(struct broker *b)
{
	char why[TAP_TEXT_SIZE];
	struct stock_needs needs;
	const char *what;
	int err;

	err = sandbox_broker();
	if (err)
		return fail_start("capabilities (vfabd has to be root)", err);
	if (lock_state(b) < 0 || read_conf(b) < 0 || open_journal(b) < 0)
		return -1;
	err = control_socket_open(&b->control, b->options->socket_path, why);
	if (err) {
		complain("%s", why);
		return -1;
	}
	b->loop = loop_create();
	if (!b->loop)
		return fail_start("event loop", -errno);
	err = watch_signals(b);
	if (err)
		return fail_start("signals", err);
	b->state_fd = region_create();
	if (b->state_fd < 0)
		return fail_start("state region", b->state_fd);
	b->nat_fd = nat_region_create();
	if (b->nat_fd < 0)
		return fail_start("region for sessions", b->nat_fd);
	snprintf(b->host_record, sizeof(b->host_record), "%s.host", b->options->socket_path);
	needs = (struct stock_needs){.loop = b->loop,
				     .host_record = b->host_record,
				     .log_level = b->options->log_level,
				     .due = on_due,
				     .arg = b};
	b->stock = stock_create(&needs, &what);
	if (!b->stock)
		return fail_start(what, -errno);
	err = start_switch(b);
	if (err)
		return fail_start("the switch cannot be started", err);
	return 0;
}

static void finish(struct broker *b)
{
	stock_destroy(b->stock);
	listen_socket_close(&b->control);
	loop_destroy(b->loop);
	close_fd(&b->signal_fd);
	close_fd(&b->state_fd);
	close_fd(&b->nat_fd);
	close_fd(&b->journal_fd[0]);
	close_fd(&b->journal_fd[1]);
	close_fd(&b->text_fd);
	close_fd(&b->reload_fd);
	close_fd(&b->state_dir_fd);
}

/* A port needs a descriptor for each queue, here and there: as many as the administrator allows. */
static void raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int broker_run(const struct broker_options *o)
{
	struct broker b = {
		.options = o,
		.state_dir_fd = -1,
		.state_fd = -1,
		.nat_fd = -1,
		.journal_fd = {-1, -1},
		.signal_fd = -1,
		.text_fd = -1,
		.request_fd = -1,
		.notice_fd = -1,
		.reload_fd = -1,
		.control = {.fd = -1},
		.status = 1,
	};

	raise_limits();
	if (prepare(&b) == 0) {
		b.status = 0;
		if (loop_run(b.loop) < 0)
			b.status = 1;
	}
	finish(&b);
	return b.status;
}
