/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker_guests: every vhost-user socket that the switch asked for, and what it keeps of the guest
 * behind it.
 *
 * What.  A guest outlives the switch process: its connection, memory, rings and whatever else the
 * switch put into a place here are given to who asks again for the same socket.
 *
 * Ownership.  Descriptors that are answered or told stay ours; those to keep are taken.
 *
 * Limits.  SLOT_MAX sockets, GUEST_PLACES descriptors and GUEST_SAVED_SIZE bytes each.
 */
#ifndef VFAB_SWITCH_BROKER_GUESTS_H
#define VFAB_SWITCH_BROKER_GUESTS_H

#include "switch/base/loop.h"
#include "switch/broker.h"

struct guests;

/* due is called when guests_tell() has something to tell.  NULL: no memory. */
struct guests *guests_create(struct loop *loop, void (*due)(void *arg), void *arg);
void guests_destroy(struct guests *t); /* closes everything and removes the sockets; NULL is fine */

/*
 * Requests; specs and keeps have passed broker_request_check().  guests_open() fills *answer and
 * puts its descriptors into fds; text says why not, or what is waited for, else it is "".
 * guests_keep() sets those that it took to -1.  0 or -errno; -ENOENT: no such port.
 */
int guests_open(struct guests *t, const struct guest_spec *spec, struct guest_answer *answer,
		int fds[static BROKER_FDS_MAX], char text[static TAP_TEXT_SIZE]);
int guests_keep(struct guests *t, const struct guest_keep *keep, int *fds);
int guests_close(struct guests *t, const char *port);

/* A new switch starts and has asked for nothing yet; later, what it did not ask for is closed. */
void guests_unclaim(struct guests *t);
void guests_sweep(struct guests *t);

/* Gives each connection and socket that came since the last time to send; ends when send is not 0 and returns that. */
typedef int (*guests_send)(const struct guest_notice *n, int fd, void *arg);
int guests_tell(struct guests *t, guests_send send, void *arg);

#endif
