/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker: the loop of one data thread: poll, forward, send, rest.
 *
 * A worker receives the queues that the fabric gives it.  A queue with traffic is hot and polled each turn; one that gave
 * nothing for a while is armed, checked once more and left to epoll.  With no hot queue the worker
 * goes offline (RCU) and sleeps.
 */
#ifndef VFAB_SWITCH_WORKER_H
#define VFAB_SWITCH_WORKER_H

#include <stdint.h>

#include "switch/fabric.h"
#include "switch/forward.h"

struct worker;

/* Starts a data thread on a CPU (-1: any), which rests until worker_go().  fabric: where the current one is published
 * (rcu_get).  NULL: no memory or thread, errno says. */
struct worker *worker_start(unsigned index, int cpu, struct fabric *const *fabric);
/* Lets it receive its queues of the published fabric. */
void worker_go(struct worker *w);
void worker_stop(struct worker *w); /* joins it; NULL is fine */

/* Control thread: the worker looks at the published fabric again (new queues, new watches). */
void worker_wake(struct worker *w);
/* Control thread: the worker no longer sleeps on this descriptor; call before it is closed (the broker holds
 * another of the same file, so closing alone would not end the watch). */
void worker_forget(struct worker *w, int fd);

struct forwarder *worker_forwarder(struct worker *w);

/* Control thread: has the worker run fn between two vectors, and waits until it has; it is to be short (100 us). */
void worker_call(struct worker *w, void (*fn)(struct forwarder *fwd, void *arg), void *arg);

#endif
