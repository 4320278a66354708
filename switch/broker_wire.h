/* SPDX-License-Identifier: GPL-2.0-or-later */
/* broker_wire: one message with its descriptors, on the sockets between broker and switch, and to front-ends. */
#ifndef VFAB_SWITCH_BROKER_WIRE_H
#define VFAB_SWITCH_BROKER_WIRE_H

#include <stddef.h>
#include <sys/types.h>

/* Sends a message with n descriptors, which stay the caller's; flags as for sendmsg().  0 or -errno; -EPIPE: the other
 * end is gone. */
int wire_send(int sock, const void *bytes, size_t size, int flags, const int *fds, unsigned n);

/*
 * Receives a message of at most size bytes with at most max descriptors, *n_fds of them, which are
 * the caller's then.  Its length; else -errno and no descriptor: -EPIPE: the other end is gone,
 * -EMSGSIZE: a longer one, -EMFILE: more descriptors than max, or than this process may have.
 */
ssize_t wire_receive(int sock, void *bytes, size_t size, int flags, int *fds, unsigned max,
		     unsigned *n_fds);

#endif
