/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proc: programs that vfab starts, and processes told apart from others that got their number.
 *
 * Nothing here uses a shell.  A process is named by its pid and the time it started: a pid alone may be somebody else's by now.
 */
#ifndef VFAB_TOOLS_PROC_H
#define VFAB_TOOLS_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct proc {
	pid_t pid;
	uint64_t start; /* clock ticks after boot; 0: no such process */
};

/* Runs a program to its end and gives what it wrote to standard output (malloc'd; standard error is dropped).  Its exit status,
 * or -errno: -ENOENT when there is no such program, -ETIMEDOUT after PROC_RUN_MS. */
enum { PROC_RUN_MS = 20000, PROC_OUT_MAX = 8 << 20 };
int proc_run(const char *const *argv, char **out);

/* Starts a program in a session of its own, nothing on its standard input, output appended to log.  0 or -errno. */
int proc_start(const char *const *argv, const char *log, struct proc *p);

/* When a process started, 0 when it is gone. */
uint64_t proc_started(pid_t pid);
bool proc_lives(const struct proc *p);

/* When a child that was not waited for started, ended or not. */
uint64_t proc_child_started(pid_t child);

/* True when other is of that session and in the network namespace with that inode. */
bool proc_is_member(pid_t other, pid_t session, ino_t netns);

/* The inode of a process's network namespace, 0 when it cannot be read. */
ino_t proc_netns(pid_t pid);

/* Ends p and, when netns is not 0, its session's processes in that namespace: SIGTERM, and SIGKILL after wait_ms.  True when
 * all are gone. */
bool proc_end(const struct proc *p, ino_t netns, unsigned wait_ms);

#endif
