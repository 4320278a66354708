/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netns: network namespaces by name, path or process, and going into one and back.
 *
 * A spec is all digits (a process), a path that starts with /, or a name under /run/netns.
 *
 * Limits.  The calling process has one thread.  A descriptor of a namespace keeps it alive: close
 * it soon.
 */
#ifndef VFAB_BRIDGE_NETNS_H
#define VFAB_BRIDGE_NETNS_H

#include <stdbool.h>
#include <sys/types.h>

#define NETNS_DIR "/run/netns"
enum { NETNS_PATH_SIZE = 160 };

/* A descriptor of the namespace; -ENOENT: there is none of that name, -EINVAL: something else is there; else -errno. */
int netns_open(const char *spec);
int netns_open_own(void);

/* The process that a spec means, also as /proc/PID/ns/net; 0: it means none. */
pid_t netns_pid(const char *spec);
/* The directory in which the name of a spec comes and goes; NULL for a process. */
const char *netns_dir(const char *spec, char buf[static NETNS_PATH_SIZE]);
/* What it is called in messages: network namespace "c1", process 17. */
const char *netns_words(const char *spec, char buf[static NETNS_PATH_SIZE]);

bool netns_is_same(int a, int b);

/* Goes into a namespace; 0 or -errno.  netns_return() goes back to `own`; it ends the process when that fails,
 * since everything after would be done in the wrong place. */
int netns_enter(int fd);
void netns_return(int own);

#endif
