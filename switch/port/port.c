/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * port: what all kinds of ports share outside the path of a frame: how they begin, sums of counters, and words.
 *
 * Each worker counts for itself (struct port_counters); whoever shows a port adds them up here.
 */
#include "switch/port/port.h"

#include <assert.h>
#include <stddef.h>

void port_open(struct port *p, const struct port_ops *ops, void *priv)
{
	unsigned q;

	p->ops = ops;
	p->priv = priv;
	for (q = 0; q < PORT_QUEUES_MAX; q++)
		atomic_store_explicit(&p->fd[q], -1, memory_order_relaxed);
}

uint64_t port_sum(const struct port *p, const _Atomic uint64_t *first)
{
	size_t off = (uintptr_t)first - (uintptr_t)&p->counters[0];
	const _Atomic uint64_t *c;
	uint64_t sum = 0;
	unsigned i;

	assert(off <= sizeof(p->counters[0]) - sizeof(*first));
	for (i = 0; i < WORKERS_MAX; i++) {
		c = (const void *)((const char *)&p->counters[i] + off);
		sum += atomic_load_explicit(c, memory_order_relaxed);
	}
	return sum;
}

const char *port_state_word(enum port_state state)
{
	switch (state) {
	case PORT_WAITING:
		return "waiting";
	case PORT_DOWN:
		return "down";
	case PORT_UP:
		return "up";
	}
	return "unknown";
}
