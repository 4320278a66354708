/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker_host: the host's side of all host uplinks: the nftables table, forwarding, who holds a port.  What is done when is said at
 * struct host_set (broker_uplink.h).
 */
#ifndef VFAB_SWITCH_BROKER_HOST_H
#define VFAB_SWITCH_BROKER_HOST_H

#include "switch/base/loop.h"
#include "switch/broker.h"
#include "switch/broker_uplink.h"

struct host;
struct taps;

/* What a host needs of others. */
struct host_needs {
	struct loop *loop;
	const struct taps *taps; /* what an uplink's interface must be one of */
	const char *record;	 /* path of a file for what a killed process leaves (sysctl.h); not copied */
	void (*due)(void *arg);	 /* called when host_tell() has something to tell */
	void *arg;
};
struct host *host_create(const struct host_needs *needs); /* NULL without memory */
void host_destroy(struct host *h); /* takes everything back; NULL is fine */

/* A BROKER_HOST_SET with its memfd, which stays the caller's. 0, and text says what stands in the way; or -errno, text says
 * why, and all is as it was. */
int host_take(struct host *h, const struct host_set *set, int fd, char text[static TAP_TEXT_SIZE]);

/* The tap of that name was made again: it has lost what was set on it. */
void host_tap_came(struct host *h, const char *ifname);

/* A new switch starts and has asked for nothing yet; later, what it did not ask for is taken back. */
void host_unclaim(struct host *h);
void host_sweep(struct host *h);

/* Gives what happened since the last time to send; ends when send is not 0 and returns that. */
typedef int (*host_send)(const char *text, enum host_news news, void *arg);
int host_tell(struct host *h, host_send send, void *arg);

#endif
