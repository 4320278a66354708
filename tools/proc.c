/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proc: starting, recognising and ending processes.
 *
 * Ending is by two marks.  The process itself must have the recorded start time.  What it left behind is found by
 * its session, which the kernel gives to nobody else while a member lives, and by the network namespace, so that a process
 * which was given the same numbers after a restart of the machine is never hit.
 */
#include "tools/proc.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "switch/base/loop.h"
#include "tools/say.h"

enum { LOOK_MS = 20, STAT_SESSION = 6, STAT_START = 22 };

/* Reads fd to its end into *out before the deadline. */
static int read_output(int fd, char **out, uint64_t deadline_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t used, size;
	uint64_t now;
	ssize_t n;

	used = 0;
	size = 16384;
	*out = need(malloc(size));
	for (;;) {
		now = clock_ms();
		if (now >= deadline_ms)
			return -ETIMEDOUT;
		if (poll(&p, 1, (int)(deadline_ms - now)) <= 0)
			continue;
		if (size - used < 4096) {
			size *= 2;
			*out = need(realloc(*out, size));
		}
		n = read(fd, *out + used, size - used - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		(*out)[used += (size_t)n] = '\0';
		if (!n)
			return 0;
		if (used > PROC_OUT_MAX)
			return -EMSGSIZE;
	}
}

/* posix_spawnp wants char *const *, though it changes nothing. */
static int spawn(pid_t *pid, const posix_spawn_file_actions_t *files, bool own_session,
		 const char *const *argv)
{
	posix_spawnattr_t attr;
	sigset_t none;
	int rc;

	posix_spawnattr_init(&attr);
	sigemptyset(&none);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(
		&attr, (short)(POSIX_SPAWN_SETSIGMASK | (own_session ? POSIX_SPAWN_SETSID : 0)));
	rc = posix_spawnp(pid, argv[0], files, &attr, (char *const *)(uintptr_t)argv, environ);
	posix_spawnattr_destroy(&attr);
	return -rc;
}

int proc_run(const char *const *argv, char **out)
{
	posix_spawn_file_actions_t files;
	int fd[2], rc, status;
	pid_t pid;

	*out = NULL;
	if (pipe2(fd, O_CLOEXEC))
		return -errno;
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, fd[1], STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	rc = spawn(&pid, &files, false, argv);
	posix_spawn_file_actions_destroy(&files);
	close(fd[1]);
	if (!rc) {
		rc = read_output(fd[0], out, clock_ms() + PROC_RUN_MS);
		if (rc)
			kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			continue;
		if (!rc)
			rc = WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
	}
	close(fd[0]);
	if (rc < 0) {
		free(*out);
		*out = NULL;
	}
	return rc;
}

int proc_start(const char *const *argv, const char *log, struct proc *p)
{
	posix_spawn_file_actions_t files;
	int rc;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_APPEND,
					 0644);
	posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
	rc = spawn(&p->pid, &files, true, argv);
	posix_spawn_file_actions_destroy(&files);
	if (!rc)
		p->start = proc_child_started(p->pid);
	return rc;
}

/* A field of /proc/PID/stat, counted from the one after the name (state is 3); false when there is no such process.  A
 * zombie has ended, only its parent has not looked yet: it counts where its parent asks. */
static bool stat_field(pid_t pid, int field, bool or_zombie, uint64_t *value)
{
	char path[64], line[1024];
	char *at;
	FILE *f;
	int i;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	at = fgets(line, sizeof(line), f);
	fclose(f);
	/* The name may hold anything, parentheses too: fields are counted from its last. */
	at = at ? strrchr(line, ')') : NULL;
	if (!at || at[1] != ' ' || (at[2] == 'Z' && !or_zombie) || at[2] == 'X')
		return false;
	for (i = 2; at && i < field; i++)
		at = strchr(at + 1, ' ');
	if (!at)
		return false;
	*value = strtoull(at, NULL, 10);
	return true;
}

uint64_t proc_started(pid_t pid)
{
	uint64_t start;

	return pid > 0 && stat_field(pid, STAT_START, false, &start) ? start : 0;
}

uint64_t proc_child_started(pid_t child)
{
	uint64_t start;

	return stat_field(child, STAT_START, true, &start) ? start : 0;
}

bool proc_lives(const struct proc *p)
{
	return p->start && proc_started(p->pid) == p->start;
}

ino_t proc_netns(pid_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	return stat(path, &st) ? 0 : st.st_ino;
}

bool proc_is_member(pid_t other, pid_t session, ino_t netns)
{
	uint64_t sid;

	return netns && stat_field(other, STAT_SESSION, false, &sid) && (pid_t)sid == session &&
	       proc_netns(other) == netns;
}

/* Sends a signal to p and to its session's members; returns how many there were. */
static unsigned signal_all(const struct proc *p, ino_t netns, int sig)
{
	struct dirent *entry;
	unsigned n;
	pid_t pid;
	DIR *dir;

	n = 0;
	if (proc_lives(p)) {
		kill(p->pid, sig);
		n++;
	}
	dir = netns ? opendir("/proc") : NULL;
	if (!dir)
		return n;
	while ((entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		pid = (pid_t)atoi(entry->d_name);
		if (pid == p->pid || !proc_is_member(pid, p->pid, netns))
			continue;
		kill(pid, sig);
		n++;
	}
	closedir(dir);
	return n;
}

bool proc_end(const struct proc *p, ino_t netns, unsigned wait_ms)
{
	uint64_t deadline;
	int sig;

	if (p->pid <= 1)
		return true;
	for (sig = SIGTERM; sig; sig = sig == SIGTERM ? SIGKILL : 0) {
		if (!signal_all(p, netns, sig))
			return true;
		for (deadline = clock_ms() + wait_ms; clock_ms() < deadline;) {
			poll(NULL, 0, LOOK_MS);
			/* Our own children stay zombies until they are asked for. */
			waitpid(p->pid, NULL, WNOHANG);
			if (!signal_all(p, netns, 0))
				return true;
		}
	}
	return false;
}
