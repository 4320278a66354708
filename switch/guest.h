/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest: the connections of vhost-user ports: accepts them, reads their messages, and has the broker keep what became of them.
 * Control thread.
 */
#ifndef VFAB_SWITCH_GUEST_H
#define VFAB_SWITCH_GUEST_H

#include "switch/broker.h"
#include "switch/daemon.h"

/* Readies the process for hostile memory and calls that hang.  0 or -errno. */
int guest_start(struct daemon *d);
void guest_stop(struct daemon *d); /* ports are closed after it */

/* Puts the socket of spec behind the vhost-user port p, and what the broker kept of its guest.  0, or -errno with the reason. */
int guest_open(struct daemon *d, struct port *p, const struct guest_spec *spec, bool may_wait,
	       char why[static TAP_TEXT_SIZE]);
void guest_close(struct daemon *d, struct port *p);

/* A connection or a socket of ours came; takes fd (-1: none). */
void guest_notice(struct daemon *d, const struct guest_notice *n, int fd);

#endif
