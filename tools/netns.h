/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netns: named network namespaces, kept as `ip netns` keeps them: bind mounts under /run/netns. */
#ifndef VFAB_TOOLS_NETNS_H
#define VFAB_TOOLS_NETNS_H

#include <sys/types.h>

#include "tools/proc.h"

enum { NETNS_PATH_SIZE = 128 };

/* Makes a namespace with lo up.  Once it is there and before it has its name, record is told the inode that tells it
 * from others, so that nothing is left that no record knows, whenever the process is killed.  0, -EEXIST, -errno, or
 * what record returned when that is not 0: then there is no namespace. */
int netns_add(const char *name, int (*record)(ino_t inode, void *arg), void *arg);

/* Takes the name away if it still is the namespace with that inode, or was not given to any.  0 (also when it was gone),
 * -ESTALE: another one has the name by now; -errno. */
int netns_del(const char *name, ino_t inode);

/* Runs `/bin/sh -c command` inside, in a session of its own, output appended to log.  0 or -errno. */
int netns_run(const char *name, const char *command, const char *log, struct proc *p);

#endif
