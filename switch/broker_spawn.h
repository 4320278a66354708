/* SPDX-License-Identifier: GPL-2.0-or-later */
/* broker_spawn: the birth of a switch or resolver process, and the memory that outlives a switch. */
#ifndef VFAB_SWITCH_BROKER_SPAWN_H
#define VFAB_SWITCH_BROKER_SPAWN_H

#include <sys/types.h>

#include "switch/broker.h"

enum { SWITCH_FDS = SWITCH_FD_END - SWITCH_FD_REQUEST };

struct switch_start {
	int fd[SWITCH_FDS];    /* become SWITCH_FD_REQUEST and those after it */
	const char *log_level; /* arguments of broker_client_init() */
	const char *text_name;
};

/* The same program as a switch, with these descriptors, the standard ones and no others.  Its pid, or -errno. */
pid_t switch_spawn(const struct switch_start *s);
/* Likewise as a resolver, with its end of the socket to us. */
pid_t resolver_spawn(int broker_fd, const char *log_level);

/* A region of zeros that can neither grow nor shrink, so that no reader of it ever meets SIGBUS.  -errno. */
int region_create(void);
/* The same for the sessions of the NAT: mostly address space, which costs no memory. */
int nat_region_create(void);
/* Puts a new one in the place of *region: empty tables, the same events.  Without memory the old one stays. */
void region_renew(int *region);
void nat_region_renew(int *region);

#endif
