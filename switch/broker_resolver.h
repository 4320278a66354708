/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker_resolver: the resolver process, as the broker keeps it: its life, its servers, and the switch's way to it.
 *
 *   BROKER_RESOLVER_SET ---> helper ---- servers, a socket for the switch ----> process (resolver.h)
 *   resolv_conf.h ------------^  '--- the other end of it: answer, or NOTICE_RESOLVER ---> switch
 *
 * It runs from the first set on until no switch asks for one.  Its death is nobody else's: it is started again, a second after its
 * last start at the earliest, later when it keeps dying.  A new switch gets a new socket, the process stays.
 */
#ifndef VFAB_SWITCH_BROKER_RESOLVER_H
#define VFAB_SWITCH_BROKER_RESOLVER_H

#include "switch/base/loop.h"
#include "switch/broker.h"

struct helper;

struct helper_needs {
	struct loop *loop;
	const char *resolv_conf; /* path; not copied, as the next */
	const char *log_level;	 /* word, handed to the process */
	void (*due)(void *arg);	 /* called when helper_tell() has something to tell */
	void *arg;
};
struct helper *helper_create(const struct helper_needs *needs); /* NULL without memory */
void helper_destroy(struct helper *h); /* ends the process; NULL is fine */

/* A BROKER_RESOLVER_SET with its memfd, which stays the caller's.  *fd: for the answer, until helper_answered(); -1: none.
 * 0; -errno, and why. */
int helper_take(struct helper *h, int memfd, int *fd, char why[static TAP_TEXT_SIZE]);
void helper_answered(struct helper *h);

/* A child has ended, maybe ours. */
void helper_reap(struct helper *h);

/* A new switch starts and has asked for nothing yet; later, a process that was not asked for ends. */
void helper_unclaim(struct helper *h);
void helper_sweep(struct helper *h);

/* Gives what is due to send; ends when send is not 0 and returns that.  news: enum resolver_news; fd: -1: none. */
typedef int (*helper_send)(uint32_t news, int fd, void *arg);
int helper_tell(struct helper *h, helper_send send, void *arg);

#endif
