/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guard strict: two workers and the control thread at once.  What is always bound always passes, what never was never does, half of
 * one address and half of another is none, and of two ports that want an address one has it.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/base/packet.h"
#include "switch/guard.h"

enum { VID = 10, PORTS = 2, TURNS = 100000, HOSTS = 12, LOCALS = 12, FRAME_BYTES = 74 };

static const uint64_t secret[2] = {1, 2};
static struct guard *g;
static atomic_bool done;
static atomic_uint passed[4];
static atomic_int owner[LOCALS]; /* slot + 1; 0: nobody yet */

struct worker {
	pthread_t thread;
	uint16_t slot;
	uint64_t random;
	uint8_t bytes[FRAME_BYTES];
};

static struct mac port_mac(uint16_t slot)
{
	return (struct mac){{2, 0, 0, 0, 0, (uint8_t)slot}};
}

/* Both halves say who it is. */
static struct ip host(uint8_t high, uint8_t low)
{
	return (struct ip){{0xfd, high, [15] = low}};
}

static struct ip steady(uint16_t slot)
{
	return host(0xff, (uint8_t)slot);
}

static unsigned draw(struct worker *w, unsigned n)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (unsigned)(w->random % n);
}

static bool goes(struct worker *w, const struct ip *src)
{
	struct mac m = port_mac(w->slot);
	struct frame f = {.snap = w->bytes,
			  .len = FRAME_BYTES,
			  .snap_len = FRAME_BYTES,
			  .etype = ETYPE_IPV6,
			  .tci = VID};
	struct guard_ask a = {.slot = w->slot, .mac = m, .now_s = 100};

	memcpy(w->bytes + 6, &m, 6);
	w->bytes[14] = 0x60;
	w->bytes[19] = FRAME_BYTES - 54;
	w->bytes[20] = PROTO_TCP;
	memcpy(w->bytes + 22, src, sizeof(*src));
	return guard_check(g, &a, &f) == DROP_NONE;
}

static void pass(unsigned what, bool good)
{
	if (good)
		atomic_fetch_add_explicit(&passed[what], 1, memory_order_relaxed);
}

/* A guest without a guard has one of the addresses that all want; whoever is asked takes what locks there are. */
static bool is_others(void *arg, uint16_t vid, const struct ip *ip, const struct mac *mac,
		      uint16_t slot)
{
	struct ip nobody = {{0xfe, 0x80, [15] = 0xff}};
	struct mac m = port_mac(slot);

	(void)arg;
	assert_memory_equal(mac, &m, sizeof(m));
	guard_unbind(g, vid, &nobody, false);
	return ip->b[15] == LOCALS;
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (unsigned i = 0; i < TURNS; i++) {
		uint8_t h = (uint8_t)draw(w, HOSTS), l = (uint8_t)draw(w, LOCALS);
		struct ip local = {{0xfe, 0x80, [15] = (uint8_t)(l + 1)}};
		struct ip own = steady(w->slot), other = steady(w->slot ^ 1);
		struct ip bound = host(h, h), torn = host(h, (uint8_t)((h + 1) % HOSTS));
		int nobody = 0;

		assert_true(goes(w, &own));
		assert_false(goes(w, &other));
		assert_false(goes(w, &torn));
		pass(0, goes(w, &bound));
		if (!goes(w, &local))
			continue;
		assert_int_not_equal(l + 1, LOCALS);
		pass(1, true);
		if (!atomic_compare_exchange_strong(&owner[l], &nobody, w->slot + 1))
			assert_int_equal(nobody, w->slot + 1);
	}
	return NULL;
}

static void count_one(void *arg, const struct guard_binding *b, bool is_learned)
{
	unsigned *n = arg;

	assert_true(b->vid == VID && (is_learned || b->ip.b[0] == 0xfd));
	*n += 1;
}

/* Leases come, move and go; the configuration is applied again and again. */
static void *control(void *arg)
{
	struct worker w = {.random = 77};
	unsigned seen = 0;

	(void)arg;
	while (!atomic_load(&done)) {
		uint16_t slot = (uint16_t)draw(&w, PORTS);
		uint8_t h = (uint8_t)draw(&w, HOSTS);
		struct guard_binding fixed = {
			.vid = VID, .ip = steady(slot), .end_s = UINT32_MAX, .is_fixed = true};
		struct guard_binding lease = {.vid = VID,
					      .mac = port_mac(slot),
					      .ip = host(h, h),
					      .end_s = 99 + draw(&w, 3)};
		struct guard_net net = {.vid = VID, .own6 = host(0xfe, (uint8_t)draw(&w, 2))};

		assert_int_equal(guard_bind(g, slot, &lease), 0);
		lease.ip.b[1] = lease.ip.b[15] = (uint8_t)draw(&w, HOSTS);
		guard_unbind(g, VID, &lease.ip, false);
		assert_int_equal(guard_set_fixed(g, slot, &fixed, 1), 0);
		assert_int_equal(guard_net(g, &net), 0);
		guard_each(g, slot, count_one, &seen);
		/* A third port is made and goes again. */
		assert_int_equal(guard_bind(g, PORTS,
					    &(struct guard_binding){
						    .vid = VID, .ip = lease.ip, .end_s = 200}),
				 0);
		guard_forget(g, PORTS);
	}
	pass(2, seen > 0);
	return NULL;
}

static void test_race(void **state)
{
	struct worker *w = calloc(PORTS, sizeof(*w));
	pthread_t thread;

	(void)state;
	g = guard_create(secret);
	assert_non_null(g);
	assert_non_null(w);
	guard_ask_others(g, is_others, NULL);
	for (uint16_t slot = 0; slot < PORTS; slot++) {
		struct guard_binding b = {
			.vid = VID, .ip = steady(slot), .end_s = UINT32_MAX, .is_fixed = true};

		assert_int_equal(guard_bind(g, slot, &b), 0);
		w[slot].slot = slot;
		w[slot].random = slot + 1u;
	}
	assert_int_equal(pthread_create(&thread, NULL, control, NULL), 0);
	for (unsigned i = 0; i < PORTS; i++)
		assert_int_equal(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	for (unsigned i = 0; i < PORTS; i++)
		pthread_join(w[i].thread, NULL);
	atomic_store(&done, true);
	pthread_join(thread, NULL);
	assert_true(passed[0] > 0 && passed[1] > 0 && passed[2] > 0);
	guard_destroy(g);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_race)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
