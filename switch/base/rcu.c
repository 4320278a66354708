/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rcu: liburcu's QSBR flavour behind names of our own.
 *
 * Workers are the readers, the control thread is the writer.  QSBR makes a reader free of charge:
 * it says between two vectors that it holds nothing.
 *
 * ThreadSanitizer cannot see the order that liburcu makes, because the library is not instrumented,
 * and would call each free() after a grace period a race.  The gate tells it: what a reader did
 * before it was quiet happens before what a writer does after its wait.
 */
#include "switch/base/rcu.h"

#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#define WITH_TSAN
#endif
#endif
#ifdef __SANITIZE_THREAD__
#define WITH_TSAN
#endif

/* The inline functions are for programs whose licence is compatible with the LGPL; ours is.  Not
 * under ThreadSanitizer, which would then see half of liburcu's accesses. */
#ifdef WITH_TSAN
#include <sanitizer/tsan_interface.h>
#else
#define _LGPL_SOURCE
#endif
#include <urcu-qsbr.h>

#ifdef WITH_TSAN
static char gate;

static void gate_release(void)
{
	__tsan_release(&gate);
}

static void gate_acquire(void)
{
	__tsan_acquire(&gate);
}
#else
static void gate_release(void)
{
}

static void gate_acquire(void)
{
}
#endif

void rcu_thread_start(void)
{
	rcu_register_thread();
}

void rcu_thread_stop(void)
{
	gate_release();
	rcu_unregister_thread();
}

void rcu_quiet(void)
{
	gate_release();
	rcu_quiescent_state();
}

void rcu_offline(void)
{
	gate_release();
	rcu_thread_offline();
}

void rcu_online(void)
{
	rcu_thread_online();
}

void rcu_wait(void)
{
	synchronize_rcu();
	gate_acquire();
}
