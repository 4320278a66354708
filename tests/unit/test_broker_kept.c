/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_broker_kept: what is kept, claimed, swept and told, and the words for an interface that changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "switch/broker_kept.h"

static unsigned freed, dues;

static void on_free(struct kept *k, void *arg)
{
	assert_ptr_equal(arg, &freed);
	k->port = NULL;
	freed++;
}

static void on_due(void *arg)
{
	assert_ptr_equal(arg, &dues);
	dues++;
}

/* Three of them, found as c, b, a. */
static struct kept_list list_of(struct kept k[static 3])
{
	static const char *const port[] = {"a", "b", "c"};
	struct kept_list l = {
		.free_one = on_free, .free_arg = &freed, .due = on_due, .due_arg = &dues};

	freed = dues = 0;
	for (unsigned i = 0; i < 3; i++) {
		k[i] = (struct kept){.port = port[i]};
		kept_add(&l, &k[i]);
	}
	return l;
}

static void test_find_and_close(void **state)
{
	struct kept k[3];
	struct kept_list l = list_of(k);

	(void)state;
	assert_int_equal(l.n, 3);
	assert_ptr_equal(kept_find(&l, "b"), &k[1]);
	assert_null(kept_find(&l, "d"));
	assert_int_equal(kept_close(&l, "d"), -ENOENT);
	assert_int_equal(kept_close(&l, "b"), 0);
	assert_null(k[1].port);
	assert_null(kept_find(&l, "b"));
	assert_ptr_equal(kept_find(&l, "a"), &k[0]);
	kept_clear(&l);
	assert_int_equal(freed, 3);
	assert_int_equal(l.n, 0);
	assert_null(l.first);
}

static void test_sweep(void **state)
{
	struct kept k[3];
	struct kept_list l = list_of(k);

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		kept_claim(&k[i]);
	kept_sweep(&l);
	assert_int_equal(l.n, 3);
	kept_unclaim(&l);
	kept_claim(&k[1]);
	kept_sweep(&l);
	assert_int_equal(freed, 2);
	assert_ptr_equal(l.first, &k[1]);
	assert_null(k[1].next);
}

static void test_told(void **state)
{
	struct kept k[3];
	struct kept_list l = list_of(k);

	(void)state;
	kept_note(&l, &k[1]); /* nobody's: not told */
	assert_int_equal(dues, 0);
	assert_null(kept_due(l.first));
	kept_claim(&k[0]);
	kept_claim(&k[2]);
	kept_note(&l, &k[0]);
	kept_note(&l, &k[2]);
	k[0].is_new = true;
	assert_int_equal(dues, 2);
	assert_ptr_equal(kept_due(l.first), &k[2]);
	kept_told(&k[2]);
	assert_ptr_equal(kept_due(l.first), &k[0]);
	/* Whoever asks knows; whoever starts anew knows nothing of it. */
	kept_claim(&k[0]);
	assert_false(k[0].is_new);
	assert_null(kept_due(l.first));
	kept_note(&l, &k[0]);
	kept_unclaim(&l);
	assert_null(kept_due(l.first));
}

static void test_words(void **state)
{
	const unsigned lower_up = 0x10000; /* IFF_LOWER_UP */
	struct rtnl_link was = {.name = "eth0", .flags = IFF_UP | lower_up, .mtu = 1500}, is = was;
	char text[TAP_TEXT_SIZE] = "as it was";

	(void)state;
	is.mtu = 9000;
	assert_false(kept_link_change(&was, &is, text));
	assert_string_equal(text, "as it was");
	is.mac.b[0] = 2;
	assert_true(kept_link_change(&was, &is, text));
	assert_string_equal(text, "interface eth0 now has the address 02:00:00:00:00:00");
	is.flags = IFF_UP;
	assert_int_equal(kept_link_state(&is), PORT_DOWN);
	assert_true(kept_link_change(&was, &is, text));
	assert_string_equal(text, "interface eth0 has no carrier");
	is.flags = lower_up;
	assert_true(kept_link_change(&was, &is, text));
	assert_string_equal(text, "interface eth0 was set down");
	assert_true(kept_link_change(&is, &was, text));
	assert_string_equal(text, "interface eth0 is up");
	strcpy(is.name, "wan0");
	assert_true(kept_link_change(&was, &is, text));
	assert_string_equal(text, "interface eth0 is now called wan0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find_and_close),
		cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_told),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
