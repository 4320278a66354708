/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker_host: the host's side of all host uplinks: the nftables table, forwarding, who holds a port.  What is done when is said at
 * struct host_set (broker_uplink.h).
 */
#ifndef VFAB_SWITCH_BROKER_HOST_H
#define VFAB_SWITCH_BROKER_HOST_H

#include "switch/base/loop.h"
#include "switch/broker.h"

struct host;
struct taps;

/* taps: what an uplink's interface must be one of.  due is called when host_tell() has something to tell.  NULL with errno. */
struct host *host_create(struct loop *loop, const struct taps *taps, void (*due)(void *arg), void *arg);
void host_destroy(struct host *h); /* takes everything back; NULL is fine */

/* A BROKER_HOST_SET with its memfd, which stays the caller's.  0, and text says what stands in the way; or -errno, text says why, and
 * all is as it was. */
int host_take(struct host *h, const struct host_set *set, int fd, char text[static TAP_TEXT_SIZE]);

/* A new switch starts and has asked for nothing yet; later, what it did not ask for is taken back. */
void host_unclaim(struct host *h);
void host_sweep(struct host *h);

/* Gives what happened since the last time to send; ends when send is not 0 and returns that. */
typedef int (*host_send)(const char *text, void *arg);
int host_tell(struct host *h, host_send send, void *arg);

#endif
