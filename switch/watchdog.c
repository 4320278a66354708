/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watchdog: a timer, its signal, and what that signal looks at.
 *
 * worker.c adds its thread, guest.c switches the timer on while guests are connected.
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
	/* Two looks at the same call end it.  Longer while nobody is called: the first look after that is a little late. */
	WATCHDOG_MS = 50,
	WATCHDOG_IDLE_MS = 500,
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
static long period_ms; /* 0: off */

static void set_period(long ms)
{
	struct itimerspec when = {.it_interval.tv_nsec = ms * 1000000L};

	if (ms == period_ms)
		return;
	period_ms = ms;
	when.it_value = when.it_interval;
	timer_settime(timer, 0, &when, NULL);
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

static void on_look(int signo)
{
	int saved = errno;
	bool is_calling = false;

	(void)signo;
	for (unsigned i = 0; i < THREADS_MAX; i++)
		if (atomic_load(&watched[i].is_used))
			is_calling |= look(&watched[i]);
	if (period_ms)
		set_period(is_calling ? WATCHDOG_MS : WATCHDOG_IDLE_MS);
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

void watchdog_watch(bool is_on)
{
	if (has_timer)
		set_period(is_on ? WATCHDOG_MS : 0);
}

int watchdog_add(pthread_t thread, const struct scratch *s)
{
	for (int i = 0; i < THREADS_MAX; i++) {
		if (atomic_load(&watched[i].is_used))
			continue;
		watched[i].thread = thread;
		watched[i].s = s;
		watched[i].calling = 0;
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
