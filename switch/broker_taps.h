/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker_taps: every tap that the switch asked for, kept over its restarts and watched.
 *
 * What.  A tap outlives the switch process: who asks again for the same one gets its descriptors at
 * once.  Namespaces and devices that go leave the tap waiting; when they return it is opened again.
 * What happened is told once by taps_tell().
 *
 * Limits.  SLOT_MAX taps.
 */
#ifndef VFAB_SWITCH_BROKER_TAPS_H
#define VFAB_SWITCH_BROKER_TAPS_H

#include "switch/base/loop.h"
#include "switch/broker.h"

struct taps;

/* due is called when taps_tell() has something to tell.  NULL with errno. */
struct taps *taps_create(struct loop *loop, void (*due)(void *arg), void *arg);
void taps_destroy(struct taps *t); /* closes every tap; NULL is fine */

/* Requests.  Each fills *answer, error and text included; fds gets the answer's n_fds descriptors, which stay ours. */
void taps_open(struct taps *t, const struct tap_spec *spec, struct tap_answer *answer,
	       int fds[static PORT_QUEUES_MAX]);
void taps_set(struct taps *t, const struct tap_spec *spec, struct tap_answer *answer);
int taps_close(struct taps *t, const char *port); /* 0 or -ENOENT */

/* Whether an interface of that name in our own namespace is one of them. */
bool taps_has(const struct taps *t, const char *ifname);

/* A new switch starts and has asked for nothing yet; later, what it did not ask for is closed. */
void taps_unclaim(struct taps *t);
void taps_sweep(struct taps *t);

/* Gives each change since the last time to send, the latest only; ends when send is not 0 and returns that. */
typedef int (*taps_send)(const struct tap_answer *a, const int *fds, void *arg);
int taps_tell(struct taps *t, taps_send send, void *arg);

#endif
