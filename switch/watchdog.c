/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watchdog: a timer, its signal, and what that signal looks at.
 *
 * worker.c adds its thread.  The timer runs while guests are called: who calls starts it, and the first look at which nobody
 * called since the last stops it.
 *
 *      timer -> SIGUSR2 on the control thread -> the same call as at the last look? -> SIGUSR1 on that worker -> EINTR
 *
 * The handler runs on the control thread, which alone adds and deletes: what it sees is whole, and nothing that it looks at
 * is freed under it.  It reads atomics and sends signals, no more.
 */
#include "switch/watchdog.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "switch/port/port.h"

enum {
	WATCHDOG_MS = 50,	       /* two looks at the same call end it */
	THREADS_MAX = 2 * WORKERS_MAX, /* while one set of workers follows another */
};

static struct watched {
	_Atomic bool is_used;
	pthread_t thread;
	const struct scratch *s;
	uintptr_t calling; /* as at the last look */
	uint32_t calls;
} watched[THREADS_MAX];

static timer_t timer;
static bool has_timer;
static _Atomic bool is_asleep = true; /* the timer is off: who calls starts it */

static void set_timer(long ms)
{
	struct itimerspec when = {.it_interval.tv_nsec = ms * 1000000L};

	when.it_value = when.it_interval;
	timer_settime(timer, 0, &when, NULL);
}

static void wake(void)
{
	if (atomic_load(&is_asleep) && atomic_exchange(&is_asleep, false))
		set_timer(WATCHDOG_MS);
}

/* True when it called somebody since the last look. */
static bool look(struct watched *w)
{
	uintptr_t calling = atomic_load(&w->s->calling);
	uint32_t calls = atomic_load(&w->s->calls);
	bool is_calling = calling || calls != w->calls;

	if (calling && calling == w->calling && calls == w->calls)
		pthread_kill(w->thread, SIGUSR1);
	w->calling = calling;
	w->calls = calls;
	return is_calling;
}

static bool look_at_all(void)
{
	bool is_calling = false;

	for (unsigned i = 0; i < THREADS_MAX; i++)
		if (atomic_load(&watched[i].is_used))
			is_calling |= look(&watched[i]);
	return is_calling;
}

static void on_look(int signo)
{
	int saved = errno;

	(void)signo;
	if (!look_at_all()) {
		/* Off before it says so, and looked at once more after: who began to call meanwhile did not start it. */
		set_timer(0);
		atomic_store(&is_asleep, true);
		if (look_at_all())
			wake();
	}
	errno = saved;
}

static void on_interrupt(int signo)
{
	(void)signo; /* that the call ends is all that it is for */
}

int watchdog_start(void)
{
	struct sigaction look_now = {.sa_handler = on_look, .sa_flags = SA_RESTART};
	struct sigaction interrupt = {.sa_handler = on_interrupt};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2};

	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	if (sigaction(SIGUSR2, &look_now, NULL) < 0 || sigaction(SIGUSR1, &interrupt, NULL) < 0)
		return -errno;
	if (!has_timer && timer_create(CLOCK_MONOTONIC, &event, &timer) < 0)
		return -errno;
	has_timer = true;
	return 0;
}

int watchdog_add(pthread_t thread, struct scratch *s)
{
	for (int i = 0; i < THREADS_MAX; i++) {
		if (atomic_load(&watched[i].is_used))
			continue;
		watched[i].thread = thread;
		watched[i].s = s;
		watched[i].calling = 0;
		watched[i].calls = atomic_load(&s->calls);
		s->on_call = wake;
		atomic_store(&watched[i].is_used, true);
		return i;
	}
	return -1;
}

void watchdog_del(int handle)
{
	if (handle >= 0)
		atomic_store(&watched[handle].is_used, false);
}
