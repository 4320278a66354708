/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * journal_sync: a thread that calls fdatasync(), which may take a second, so that the control thread does not.
 *
 * Both files have a count of what was asked and one of what is done; one call serves all that was asked before it.  The lock is not
 * held meanwhile.  The descriptors stay open until the thread has ended.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "dhcp/journal_internal.h"

struct journal_sync {
	pthread_t thread;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t work;
	int fd[2];
	uint64_t asked[2], done[2], count;
	int error[2];
	bool is_over;
};

/* One that has work, or -1. */
static int next_file(const struct journal_sync *y)
{
	return y->asked[0] != y->done[0] ? 0 : y->asked[1] != y->done[1] ? 1 : -1;
}

static void *run(void *arg)
{
	struct journal_sync *y = arg;
	int i;

	pthread_mutex_lock(&y->lock);
	while (!y->is_over) {
		uint64_t asked;
		int error;

		i = next_file(y);
		if (i < 0) {
			pthread_cond_wait(&y->work, &y->lock);
			continue;
		}
		asked = y->asked[i];
		pthread_mutex_unlock(&y->lock);
		error = fdatasync(y->fd[i]) == 0 ? 0 : errno;
		pthread_mutex_lock(&y->lock);
		y->done[i] = asked;
		y->error[i] = error;
		y->count++;
	}
	pthread_mutex_unlock(&y->lock);
	return NULL;
}

struct journal_sync *journal_sync_create(const int fd[static 2])
{
	struct journal_sync *y = calloc(1, sizeof(*y));
	sigset_t all, before;
	int error;

	if (!y)
		return NULL;
	y->fd[0] = fd[0];
	y->fd[1] = fd[1];
	pthread_mutex_init(&y->lock, NULL);
	pthread_cond_init(&y->work, NULL);
	/* Signals are for the control thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	error = pthread_create(&y->thread, NULL, run, y);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!error)
		return y;
	pthread_cond_destroy(&y->work);
	pthread_mutex_destroy(&y->lock);
	free(y);
	errno = error;
	return NULL;
}

void journal_sync_destroy(struct journal_sync *y)
{
	if (!y)
		return;
	pthread_mutex_lock(&y->lock);
	y->is_over = true;
	pthread_cond_signal(&y->work);
	pthread_mutex_unlock(&y->lock);
	pthread_join(y->thread, NULL);
	pthread_cond_destroy(&y->work);
	pthread_mutex_destroy(&y->lock);
	free(y);
}

uint64_t journal_sync_ask(struct journal_sync *y, unsigned i)
{
	uint64_t ticket;

	pthread_mutex_lock(&y->lock);
	ticket = ++y->asked[i];
	pthread_cond_signal(&y->work);
	pthread_mutex_unlock(&y->lock);
	return ticket;
}

uint64_t journal_sync_done(struct journal_sync *y, unsigned i, int *error)
{
	uint64_t done;

	pthread_mutex_lock(&y->lock);
	done = y->done[i];
	*error = y->error[i];
	pthread_mutex_unlock(&y->lock);
	return done;
}

uint64_t journal_sync_count(struct journal_sync *y)
{
	uint64_t count;

	pthread_mutex_lock(&y->lock);
	count = y->count;
	pthread_mutex_unlock(&y->lock);
	return count;
}
