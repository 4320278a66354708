/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watchdog: gets a worker out of a call of a guest that does not return.
 *
 * A guest can make its interrupt descriptor block, and a worker that writes to it then hangs, with everybody who waits for
 * that worker: the control thread too.  So a timer's signal interrupts that one, wherever it is, and a second signal the
 * worker.  Control thread.
 */
#ifndef VFAB_SWITCH_WATCHDOG_H
#define VFAB_SWITCH_WATCHDOG_H

#include <pthread.h>

#include "switch/port/scratch.h"

/* For the calling thread, once, before the sandbox.  0 or -errno. */
int watchdog_start(void);
/* A thread whose calls are seen in that scratch, until it was joined.  A handle, or -1: it is not watched. */
int watchdog_add(pthread_t thread, struct scratch *s);
void watchdog_del(int handle);

#endif
