/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker_spawn: the birth of a switch or resolver process, and the memory that outlives a switch.
 *
 * How it fits.  broker.c and broker_resolver.c call it at the start and after each death; main.c of the new image finds
 * what it got by broker_client_init() or resolver_run().
 *
 * Trust.  The old region may have been written by a hostile switch: state_map() cleans it before
 * anything is read.
 */
#include "switch/broker_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "nat/nat.h"
#include "switch/base/log.h"
#include "switch/state.h"

enum { FIRST_FD = 3, FDS_MAX = SWITCH_FDS, ARGUMENTS = 5 };

_Static_assert((int)SWITCH_FD_REQUEST == FIRST_FD && (int)RESOLVER_FD_BROKER == FIRST_FD,
	       "they follow the standard ones");

static int create(const char *name, size_t bytes)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int err;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)bytes) == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int region_create(void)
{
	return create("vfab-state", sizeof(struct state));
}

int nat_region_create(void)
{
	return create("vfab-nat", nat_region_bytes());
}

/* Where each ring of a guest was is known nowhere else, if it is packed: that stays, and with it the slots. */
static void keep_rings(struct state *new, const struct state *old)
{
	for (unsigned slot = 0; slot < SLOT_MAX; slot++) {
		if (!*old->port_name[slot])
			continue;
		memcpy(new->port_name[slot], old->port_name[slot], PORT_NAME_SIZE);
		memcpy(new->ring[slot], old->ring[slot], sizeof(new->ring[slot]));
		new->is_answering[slot] = old->is_answering[slot];
	}
}

void region_renew(int *region)
{
	int fd = region_create();
	struct state *old, *new;
	bool fresh;

	if (fd < 0) {
		log_err("no new state region: %s", strerror(-fd));
		return;
	}
	old = state_map(*region, &fresh);
	new = state_map(fd, &fresh);
	if (old && new) {
		memcpy(new->event, old->event, sizeof(new->event));
		new->event_serial = old->event_serial;
		keep_rings(new, old);
	}
	state_unmap(new);
	state_unmap(old);
	close(*region);
	*region = fd;
}

void nat_region_renew(int *region)
{
	int fd = nat_region_create();

	if (fd < 0) {
		log_err("no new region for sessions: %s", strerror(-fd));
		return;
	}
	close(*region);
	*region = fd;
}

/* Descriptors of a new process, from FIRST_FD on, and its arguments. */
struct birth {
	const int *fd;
	unsigned n_fds;
	const char *argument[ARGUMENTS]; /* NULL at the end */
};

/* In the child: fixed descriptors, nothing else, and the same program.  Does not return. */
static void become(const struct birth *b)
{
	unsigned end = FIRST_FD + b->n_fds, i;
	int high[FDS_MAX], null;
	sigset_t none;

	/* First out of the way, so that no dup2() closes one that is still to be moved. */
	for (i = 0; i < b->n_fds; i++) {
		high[i] = fcntl(b->fd[i], F_DUPFD, end);
		if (high[i] < 0)
			goto err;
	}
	for (i = 0; i < b->n_fds; i++)
		dup2(high[i], (int)(FIRST_FD + i));
	/* Of the standard ones it needs the log; the others may be a terminal or a file of the user. */
	null = open("/dev/null", O_RDWR);
	if (null < 0)
		_exit(1);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	if (close_range(end, ~0u, 0) < 0)
		goto err;
	/* What a terminal sends to all of us is for the broker. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	unsetenv("NOTIFY_SOCKET");
	execve("/proc/self/exe", (char *const *)(uintptr_t)b->argument, environ);
err:
	log_err("a process of vfabd cannot be started: %s", strerror(errno));
	_exit(1);
}

static pid_t spawn(const struct birth *b)
{
	pid_t self = getpid(), pid = fork();

	if (pid != 0)
		return pid < 0 ? -errno : pid;
	/* Killed, the broker takes it along; if that was before this line, it has another parent. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == self)
		become(b);
	_exit(1);
}

pid_t switch_spawn(const struct switch_start *s)
{
	const struct birth b = {
		.fd = s->fd,
		.n_fds = SWITCH_FDS,
		.argument = {"vfabd", BROKER_SWITCH_MARK, s->log_level, s->text_name},
	};

	return spawn(&b);
}

pid_t resolver_spawn(int broker_fd, const char *log_level)
{
	const struct birth b = {
		.fd = &broker_fd,
		.n_fds = 1,
		.argument = {"vfabd", RESOLVER_MARK, log_level},
	};

	return spawn(&b);
}
