/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker_links: every interface of the host that the switch asked for as an uplink, kept over its restarts and watched.
 *
 * What.  Set down and up, without carrier, renamed, with another MTU or MAC: told once each.  Deleted, moved away, or made a
 * port of a bridge: it waits, and is opened again when the name it was asked for is there and usable.  Nothing polls.
 *
 * Limits.  LINKS_MAX interfaces, each of one port.
 */
#ifndef VFAB_SWITCH_BROKER_LINKS_H
#define VFAB_SWITCH_BROKER_LINKS_H

#include "switch/base/loop.h"
#include "switch/broker.h"

enum { LINKS_MAX = 64 };

struct links;
struct taps;

/* taps: those of ours, which no uplink may be.  due is called when links_tell() has something to tell.  NULL with errno. */
struct links *links_create(struct loop *loop, const struct taps *taps, void (*due)(void *arg), void *arg);
void links_destroy(struct links *t); /* closes every one; NULL is fine */

/* Requests.  Each fills *answer, error and text included; fds gets the answer's n_fds descriptors, which stay ours.
 * Who opens what is open gets the same helper and a new socket: what lies in the old ring was another process'. */
void links_open(struct links *t, const struct link_spec *spec, struct link_answer *answer, int fds[static 2]);
void links_set(struct links *t, const struct link_spec *spec, struct link_answer *answer);
int links_close(struct links *t, const char *port); /* 0 or -ENOENT */

/* A new switch starts and has asked for nothing yet; later, what it did not ask for is closed. */
void links_unclaim(struct links *t);
void links_sweep(struct links *t);

/* Gives each change since the last time to send, the latest only; ends when send is not 0 and returns that. */
typedef int (*links_send)(const struct link_answer *a, const int *fds, void *arg);
int links_tell(struct links *t, links_send send, void *arg);

#endif
