/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rcu: liburcu's QSBR flavour, and what ThreadSanitizer needs to know about it.
 *
 * A reader thread registers, and between two calls of rcu_quiet() may use what
 * rcu_get() returned.  Before it sleeps it goes offline.  A writer publishes with
 * rcu_set(), waits with rcu_wait(), then frees the old.
 */
#ifndef VFAB_BASE_RCU_H
#define VFAB_BASE_RCU_H

void rcu_thread_start(void);  /* register the calling thread; it is online */
void rcu_thread_stop(void);
void rcu_quiet(void);         /* I hold nothing */
void rcu_offline(void);       /* I hold nothing and will sleep */
void rcu_online(void);
void rcu_wait(void);          /* until every online thread has been quiet; not inside a read section */

/* Pointers that are published: release on set, acquire on get. */
#define rcu_set(pp, p) __atomic_store_n((pp), (p), __ATOMIC_RELEASE)
#define rcu_get(pp) __atomic_load_n((pp), __ATOMIC_ACQUIRE)

#endif
