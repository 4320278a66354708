/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * world: a whole control side in one process: struct daemon with its loop, state region, tables, workers and control
 * socket (an abstract one), and clients of it that never wait.
 *
 * The program that uses it brings its own broker_tap_open() and the other requests to the broker.
 */
#ifndef VFAB_TESTS_WORLD_H
#define VFAB_TESTS_WORLD_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "switch/ctl.h"
#include "switch/daemon.h"

struct world {
	struct daemon d;
	void *nat_region;
	struct sockaddr_un address;
	socklen_t address_bytes;
};

struct world *world_create(void); /* with an empty configuration; NULL: errno */
void world_destroy(struct world *w);

void world_turn(struct world *w);	     /* one turn of the loop, without waiting */
int world_run(struct world *w, uint32_t ms); /* turns for so long */
int world_connect(const struct world *w);    /* a non-blocking client, or -1 with errno */

/* The line that answers a request, malloc'd, without newline; NULL when the switch hung up without one. */
char *world_ask(struct world *w, const char *request);
/* Sends all of it while the loop turns; false when the switch hung up. */
bool world_send(struct world *w, int fd, const void *bytes, size_t n);
/* The next line from fd, malloc'd; NULL at the end of the stream, or when nothing came in a second. */
char *world_line(struct world *w, int fd);

#endif
