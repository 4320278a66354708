/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_broker: requests of a hostile switch, and a state region that it wrote.
 *
 * The first byte says what the rest is: even, a request with (byte / 2) % 64 descriptors; odd, bytes laid over the head, the
 * names and the events of a state region.  What was taken must be within the limits of broker.h and state.h.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bridge/netns.h"
#include "switch/broker_check.h"
#include "switch/broker_spawn.h"
#include "switch/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tap(const struct tap_spec *t)
{
	char buf[NETNS_PATH_SIZE];

	assert(strnlen(t->port, sizeof(t->port)) < sizeof(t->port) && t->port[0] != '\0');
	assert(strnlen(t->ifname, sizeof(t->ifname)) < sizeof(t->ifname) && t->ifname[0] != '\0');
	assert(strnlen(t->netns, sizeof(t->netns)) < sizeof(t->netns));
	assert(!strchr(t->ifname, '/') && !strchr(t->ifname, '%') && !strchr(t->port, '/'));
	assert(t->queues >= 1 && t->queues <= PORT_QUEUES_MAX);
	assert(t->mtu == 0 || (t->mtu >= 68 && t->mtu <= 65520));
	assert(!t->ipv4.is_set || t->ipv4.len <= 32);
	assert(!t->ipv6.is_set || t->ipv6.len <= 128);
	assert(tap_spec_same_device(t, t));
	if (t->netns[0] == '\0')
		return;
	netns_dir(t->netns, buf);
	netns_words(t->netns, buf);
	assert(netns_pid(t->netns) >= 0);
}

static void check_guest(const struct guest_spec *g)
{
	assert(strnlen(g->port, sizeof(g->port)) < sizeof(g->port) && !strchr(g->port, '/'));
	assert(strnlen(g->path, sizeof(g->path)) < sizeof(g->path) && g->path[0] == '/');
	assert(strnlen(g->owner, sizeof(g->owner)) < sizeof(g->owner));
	assert(g->mode <= 0777 && g->is_client <= 1 && g->may_wait <= 1);
	assert(guest_spec_same_socket(g, g));
}

static void check_keep(const struct guest_keep *k, unsigned n_fds)
{
	unsigned i;

	assert(strnlen(k->port, sizeof(k->port)) < sizeof(k->port) && k->port[0] != '\0');
	assert(k->n == n_fds && n_fds <= GUEST_KEEP_FDS && k->n_saved <= GUEST_SAVED_SIZE);
	for (i = 0; i < k->n; i++)
		assert(k->place[i] < GUEST_PLACES);
	for (i = GUEST_PLACES; i < sizeof(k->empty) * 8; i++)
		assert(!(k->empty[i / 64] >> (i % 64) & 1));
	assert(!k->forget || (k->forget == 1 && n_fds == 0));
}

static void try_request(const uint8_t *data, size_t size, unsigned n_fds)
{
	struct broker_request out;
	char why[TAP_TEXT_SIZE] = "";

	if (broker_request_check(data, size, n_fds, &out, why) < 0) {
		assert(why[0] != '\0');
		return;
	}
	assert(out.op > 0 && out.op < BROKER_OP_END);
	if (out.op == BROKER_TAP_OPEN || out.op == BROKER_TAP_SET)
		check_tap(&out.tap);
	else if (out.op == BROKER_GUEST_OPEN)
		check_guest(&out.guest);
	else if (out.op == BROKER_GUEST_KEEP)
		check_keep(&out.keep, n_fds);
}

static void try_region(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct event e;
	struct state *s;
	uint64_t i;
	bool fresh;

	if (fd < 0)
		fd = region_create();
	assert(fd >= 0);
	s = state_map(fd, &fresh);
	assert(s);
	if (size > offsetof(struct state, fdb))
		size = offsetof(struct state, fdb);
	memcpy(s, data, size);
	state_unmap(s);
	s = state_map(fd, &fresh);
	assert(s);
	for (i = 0; i < SLOT_MAX; i++)
		assert(strnlen(s->port_name[i], PORT_NAME_SIZE) < PORT_NAME_SIZE);
	for (i = 0; i < 2 * EVENTS_KEPT; i++) {
		if (!state_event_get(s, i, &e))
			continue;
		assert(strnlen(e.kind, sizeof(e.kind)) < sizeof(e.kind));
		assert(strnlen(e.text, sizeof(e.text)) < sizeof(e.text));
	}
	state_event(s, "kind", "object", "text");
	assert(state_event_get(s, s->event_serial, &e));
	assert(state_slot_take(s, "web") >= 0);
	/* The next input meets a region that was never written. */
	memset(s, 0, offsetof(struct state, fdb));
	state_unmap(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] & 1)
		try_region(data + 1, size - 1);
	else
		try_request(data + 1, size - 1, data[0] / 2 % 64);
	return 0;
}
