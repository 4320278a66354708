/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_broker: requests of a hostile switch, and a state region that it wrote.
 *
 * The first byte says what the rest is: even, a request with (byte / 2) % 64 descriptors; 4n + 1, bytes laid over the head, the
 * names and the events of a state region; 8n + 3, the arrays of a BROKER_HOST_SET behind a byte for how many each has; 8n + 7, the
 * servers of a BROKER_RESOLVER_SET.  What was taken must be within the limits of broker.h, resolver.h and state.h.
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

static void check_link(const struct link_spec *l)
{
	unsigned i;

	assert(strnlen(l->port, sizeof(l->port)) < sizeof(l->port) && l->port[0] != '\0');
	assert(strnlen(l->interface, sizeof(l->interface)) < sizeof(l->interface));
	assert(l->interface[0] != '\0' && !strchr(l->interface, '/'));
	assert(l->promisc <= 1 && l->may_wait <= 1 && l->n_refused <= LINK_REFUSED_MAX);
	assert(!mac_is_group(&l->mac));
	for (i = l->n_refused; i < LINK_REFUSED_MAX; i++)
		assert(memcmp(&l->refused[i], &(struct ip){{0}}, sizeof(struct ip)) == 0);
}

enum { UPLINKS = 8, FORWARDS = 32 };

static void try_arrays(const uint8_t *data, size_t size)
{
	struct nft_uplink uplinks[UPLINKS] = {0};
	struct nft_forward forwards[FORWARDS] = {0};
	struct host_set set;
	char why[TAP_TEXT_SIZE] = "";
	size_t n;
	unsigned i;

	if (size < 2)
		return;
	set = (struct host_set){.n_uplinks = data[0] % (UPLINKS + 1),
				.n_forwards = data[1] % (FORWARDS + 1)};
	data += 2;
	size -= 2;
	n = size < sizeof(uplinks) ? size : sizeof(uplinks);
	memcpy(uplinks, data, n);
	size -= n;
	memcpy(forwards, data + n, size < sizeof(forwards) ? size : sizeof(forwards));
	if (broker_host_check(&set, uplinks, forwards, why) < 0) {
		assert(why[0] != '\0');
		return;
	}
	for (i = 0; i < set.n_uplinks; i++)
		assert(strnlen(uplinks[i].ifname, 16) < 16 && uplinks[i].ifname[0] != '\0' &&
		       !strchr(uplinks[i].ifname, '/'));
	for (i = 0; i < set.n_forwards; i++)
		assert(forwards[i].uplink < set.n_uplinks && forwards[i].first > 0 &&
		       forwards[i].first <= forwards[i].last);
}

static void try_servers(const uint8_t *data, size_t size)
{
	static struct resolver_servers s;
	char why[TAP_TEXT_SIZE] = "";
	unsigned i, k;

	memset(&s, 0, sizeof(s));
	memcpy(&s, data, size < sizeof(s) ? size : sizeof(s));
	if (broker_resolver_check(&s, why) < 0) {
		assert(why[0] != '\0');
		return;
	}
	assert(s.n_sets >= 1 && s.n_sets <= 1 + RESOLVER_DOMAINS);
	for (i = 0; i < s.n_sets; i++) {
		assert(strnlen(s.set[i].domain, RESOLVER_DOMAIN_SIZE) < RESOLVER_DOMAIN_SIZE);
		assert((s.set[i].domain[0] == '\0') == (i == 0));
		assert(s.set[i].n <= RESOLVER_SERVERS && (i == 0 || s.set[i].n > 0));
		for (k = 0; k < s.set[i].n; k++)
			assert(s.set[i].server[k].port != 0);
	}
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
	else if (out.op == BROKER_LINK_OPEN || out.op == BROKER_LINK_SET)
		check_link(&out.link);
	else if (out.op == BROKER_RESOLVER_SET)
		assert(n_fds == 1);
	else if (out.op == BROKER_HOST_SET)
		assert(n_fds == 1 && out.host.n_uplinks <= NFT_UPLINKS_MAX &&
		       out.host.n_forwards <= NFT_FORWARDS_MAX);
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
	if ((data[0] & 7) == 7)
		try_servers(data + 1, size - 1);
	else if ((data[0] & 7) == 3)
		try_arrays(data + 1, size - 1);
	else if (data[0] & 1)
		try_region(data + 1, size - 1);
	else
		try_request(data + 1, size - 1, data[0] / 2 % 64);
	return 0;
}
