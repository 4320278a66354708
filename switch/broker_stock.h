/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker_stock: all that the broker keeps for a switch and a new one finds again: taps, guests, links, the host's side, the
 * resolver; and the requests and notices about them.
 */
#ifndef VFAB_SWITCH_BROKER_STOCK_H
#define VFAB_SWITCH_BROKER_STOCK_H

#include "switch/base/loop.h"
#include "switch/broker.h"

struct stock;

struct stock_needs {
	struct loop *loop;
	const char *host_record; /* path of struct host_needs */
	const char *log_level;	 /* of struct helper_needs */
	void (*due)(void *arg);	 /* called when stock_tell() has something to tell */
	void *arg;
};
/* NULL: errno, and what could not be had. */
struct stock *stock_create(const struct stock_needs *needs, const char **what);
void stock_destroy(struct stock *s); /* closes and takes back everything; NULL is fine */

/* What goes with an answer; the descriptors stay the stock's. */
struct attached {
	unsigned n;
	int fd[BROKER_FDS_MAX];
};

/* Carries out a request that has passed broker_request_check(); false: it is none of the stock's.  fds: what came with it, and what
 * is taken is -1 then. */
bool stock_act(struct stock *s, const struct broker_request *q, int *fds, struct broker_reply *r,
	       struct attached *out);

/* The answer with what was attached has been sent, or was not to be. */
void stock_answered(struct stock *s);

/* A child of the broker has ended. */
void stock_reap(struct stock *s);

/* A new switch starts and has asked for nothing yet; later, what it did not ask for goes. */
void stock_unclaim(struct stock *s);
void stock_sweep(struct stock *s);

/* Gives each notice that is due to send; ends when send is not 0 and returns that. */
typedef int (*stock_send)(const struct broker_notice *n, const int *fds, unsigned n_fds, void *arg);
int stock_tell(struct stock *s, stock_send send, void *arg);

#endif
