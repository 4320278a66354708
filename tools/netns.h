/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netns: named network namespaces, kept as `ip netns` keeps them: bind mounts under /run/netns. */
#ifndef VFAB_TOOLS_NETNS_H
#define VFAB_TOOLS_NETNS_H

#include <sys/types.h>

#include "tools/proc.h"

enum { NETNS_PATH_SIZE = 128 };

/* Makes a namespace with lo up; *inode tells it from others.  0, -EEXIST or -errno. */
int netns_add(const char *name, ino_t *inode);

/* Takes the name away if it still is the namespace with that inode.  0 (also when it was gone), -ESTALE: another
 * one has the name by now; -errno. */
int netns_del(const char *name, ino_t inode);

/* Runs `/bin/sh -c command` inside, in a session of its own, output appended to log.  0 or -errno. */
int netns_run(const char *name, const char *command, const char *log, struct proc *p);

#endif
