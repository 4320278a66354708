/* SPDX-License-Identifier: GPL-2.0-or-later */
/* broker_lab: a loop and the broker's taps, in the namespaces of net_lab. */
#include "tests/lib/broker_lab.h"

#include <assert.h>
#include <unistd.h>

void broker_lab_due(void *lab)
{
	struct broker_lab *l = lab;

	loop_stop(l->loop);
}

bool broker_lab_open(struct broker_lab *l)
{
	*l = (struct broker_lab){.loop = loop_create()};
	assert(l->loop);
	if (access("/dev/net/tun", R_OK | W_OK) < 0 || !net_lab_open(&l->net))
		return false;
	l->is_open = true;
	l->taps = taps_create(l->loop, broker_lab_due, l);
	assert(l->taps);
	return true;
}

void broker_lab_close(struct broker_lab *l)
{
	taps_destroy(l->taps);
	loop_destroy(l->loop);
	if (l->is_open)
		net_lab_close(&l->net);
}

struct wait {
	struct loop *loop;
	bool is_over;
};

static void on_time(void *arg, uint32_t events)
{
	struct wait *w = arg;

	(void)events;
	w->is_over = true;
	loop_stop(w->loop);
}

bool broker_lab_wait(struct broker_lab *l, unsigned ms, bool (*ask)(void))
{
	struct wait w = {.loop = l->loop};
	int timer = loop_after(l->loop, ms, on_time, &w);
	bool was_told = false;

	while (!w.is_over && !was_told) {
		loop_run(l->loop);
		was_told = ask();
	}
	loop_cancel(l->loop, timer);
	return was_told;
}
