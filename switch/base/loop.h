/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop: an epoll loop with timers, for the control thread and the broker.  Callbacks may add and
 * remove watches, their own included.  One thread.
 */
#ifndef VFAB_BASE_LOOP_H
#define VFAB_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
typedef void (*loop_fn)(void *arg, uint32_t events); /* events: EPOLLIN ...; 0 for a timer */

struct loop *loop_create(void); /* NULL: no memory or no descriptor */
void loop_destroy(struct loop *loop);

/* Watches fd, which stays the caller's.  0 or -errno. */
int loop_add(struct loop *loop, int fd, uint32_t events, loop_fn fn, void *arg);
int loop_mod(struct loop *loop, int fd, uint32_t events);
void loop_del(struct loop *loop, int fd); /* before close; unknown fd is fine */

/* A timer that fires once, after ms.  Returns an id > 0, or -errno. */
int loop_after(struct loop *loop, uint32_t ms, loop_fn fn, void *arg);
void loop_cancel(struct loop *loop, int timer); /* 0 and unknown ids are fine */

int loop_run(struct loop *loop); /* until loop_stop; 0, or -errno of epoll_wait */
void loop_stop(struct loop *loop);

uint64_t clock_ms(void); /* monotonic */
uint64_t clock_ns(void);
#ifdef VFAB_TEST_CLOCK
/* Puts this process's clock ahead: what waits hours runs in seconds.  Any thread. */
void clock_advance(uint64_t ns);
#endif

#endif
