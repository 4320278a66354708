/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DHCPv6 as bytes: malformed messages (M10, D20), the longest answer, lists of names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/base/packet.h"
#include "tests/lib/dhcp6_lab.h"

/* --- M10: malformed -------------------------------------------------------------------------------- */

static void test_malformed(void **state)
{
	static const uint16_t codes[] = {
		DHCP6_OPT_CLIENT_ID, DHCP6_OPT_IA_NA, DHCP6_OPT_IA_TA,	      DHCP6_OPT_IA_PD,
		DHCP6_OPT_ASKED,     DHCP6_OPT_FQDN,  DHCP6_OPT_RAPID_COMMIT, 4711};
	static uint8_t big[65536];
	struct six_lab *l = *state;
	struct dhcp6_writer w;
	struct ip ip = six_ip("fd00:a::1000");
	uint8_t duid[200] = {0, 4};
	size_t n, before;

	/* Every length of a good one: cut anywhere it is none, but between two options. */
	six_begin(l, DHCP6_SOLICIT);
	six_add_ia(l, DHCP6_OPT_IA_NA, 1, &ip);
	six_add_asked(l);
	n = dhcp6_write_end(&l->w);
	for (size_t cut = 0; cut < n; cut++)
		if (six_ask_bytes(l, l->bytes, cut) > 0)
			assert_true(cut == 4 + 4 + 14 || cut == n - 12);
	assert_int_equal(six_count(l)->malformed, n - 2);
	/* Option lengths, of those that are known, and of one that is not. */
	for (unsigned i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		for (unsigned len = 1; len < 65536; len += len < 40 ? 1 : 997) {
			six_begin(l, DHCP6_SOLICIT);
			before = dhcp6_write_end(&l->w);
			dhcp6_write(&l->w, codes[i], big, 0);
			write_be16(l->bytes + before + 2, (uint16_t)len);
			assert_int_equal(six_ask(l), 0);
			if (len >= 40)
				continue;
			/* Of the right size as an option, full of zeros. */
			six_begin(l, DHCP6_SOLICIT);
			dhcp6_write(&l->w, codes[i], big, len);
			six_ask(l);
		}
	/* DUIDs of no byte, too few, too many, and two. */
	for (n = 0; n < sizeof(duid); n++) {
		dhcp6_write_begin(&l->w, l->bytes, sizeof(l->bytes), DHCP6_SOLICIT, duid);
		dhcp6_write(&l->w, DHCP6_OPT_CLIENT_ID, duid, n);
		assert_int_equal(six_ask(l) > 0, n >= 3 && n <= 130);
	}
	six_begin(l, DHCP6_SOLICIT);
	dhcp6_write(&l->w, DHCP6_OPT_CLIENT_ID, six_his_duid, sizeof(six_his_duid));
	assert_int_equal(six_ask(l), 0);
	/* An association in an association, and in an address; an address in an address. */
	for (unsigned i = 0; i < 3; i++) {
		const struct dhcp6_ia ia = {.option = i == 2 ? DHCP6_OPT_IA_PD : DHCP6_OPT_IA_NA};
		size_t outer, inner;

		six_begin(l, DHCP6_SOLICIT);
		outer = dhcp6_open_ia(&l->w, &ia, 0, 0);
		inner = l->w.n;
		dhcp6_write_address(&l->w, &ip, 0, 0);
		if (i == 0)
			dhcp6_close_ia(&l->w, dhcp6_open_ia(&l->w, &ia, 0, 0));
		else
			dhcp6_write_address(&l->w, &ip, 0, 0);
		if (i == 1)
			dhcp6_close_ia(&l->w, inner);
		dhcp6_close_ia(&l->w, outer);
		assert_int_equal(six_ask(l), 0);
	}
	/* 64 k of options; and addresses without end. */
	dhcp6_write_begin(&w, big, sizeof(big), DHCP6_SOLICIT, duid);
	dhcp6_write(&w, DHCP6_OPT_CLIENT_ID, six_his_duid, sizeof(six_his_duid));
	while (!w.is_full)
		dhcp6_write(&w, 4711, NULL, 0);
	assert_true(six_ask_bytes(l, big, w.n) > 0);
	six_begin(l, DHCP6_SOLICIT);
	n = dhcp6_open_ia(&l->w, &(struct dhcp6_ia){.option = DHCP6_OPT_IA_NA}, 0, 0);
	for (unsigned i = 0; i <= DHCP6_ADDRS; i++)
		dhcp6_write_address(&l->w, &ip, 0, 0);
	dhcp6_close_ia(&l->w, n);
	assert_int_equal(six_ask(l), 0);
}

/* The longest answer that there can be has room, and says everything that it must. */
static void test_longest(void **state)
{
	struct six_lab *l = *state;
	uint8_t duid[DHCP6_DUID_MAX] = {0, 4};
	struct ip there = six_ip("fd00:b::1");
	struct six_option o;

	l->made->n_dns6 = l->made->n_ntp6 = DHCP_NET_DNS;
	for (unsigned round = 0; round < 2; round++) {
		dhcp6_write_begin(&l->w, l->bytes, sizeof(l->bytes),
				  round ? DHCP6_REBIND : DHCP6_SOLICIT, duid);
		dhcp6_write(&l->w, DHCP6_OPT_CLIENT_ID, duid, sizeof(duid));
		if (round == 0)
			dhcp6_write(&l->w, DHCP6_OPT_RAPID_COMMIT, NULL, 0);
		for (uint8_t i = 0; i < DHCP6_IAS; i++) {
			const struct dhcp6_ia ia = {.option = DHCP6_OPT_IA_NA, .iaid = {i}};
			size_t at_ia = dhcp6_open_ia(&l->w, &ia, 0, 0);

			for (unsigned k = 0; k < DHCP6_ADDRS / DHCP6_IAS; k++)
				dhcp6_write_address(&l->w, &there, 0, 0);
			dhcp6_close_ia(&l->w, at_ia);
		}
		six_add_asked(l);
		assert_true(six_ask(l) > 0);
		for (unsigned i = 0; i < DHCP6_IAS; i++)
			six_got(l, i);
	}
	o = six_find(l, DHCP6_OPT_IA_NA, DHCP6_IAS - 1);
	assert_int_equal(o.n, 12 + 3 * 28);
}

/* --- Lists of names -------------------------------------------------------------------------------- */

static void test_search(void **state)
{
	static const uint8_t packed[] = "\3lab\7example\3org\0\3web\300\4\1x\300\21"; /* + 0 */
	static const uint8_t flat[] =
		"\3lab\7example\3org\0\3web\7example\3org\0\1x\3web\7example\3org";
	static const struct {
		size_t n;
		const char *bytes;
	} bad[] = {
		{1, "\3"},	  {4, "\3abc"}, {2, "\300\0"},
		{2, "\300\2"},	  {1, "\300"},	{6, "\1a\300\0\0"},
		{4, "\1a\300\0"}, {2, "\100a"}, {6, "\1a\300\4\300\2"},
	};
	uint8_t out[256], exact[64];
	struct dhcp_opt opt = {.code = 119, .len = sizeof(packed) - 1};
	struct six_lab *l = *state;
	struct six_option o;
	size_t used = 0;

	assert_int_equal(dhcp6_expand_search(packed, sizeof(packed) - 1, out, sizeof(out)),
			 sizeof(flat));
	assert_memory_equal(out, flat, sizeof(flat));
	for (size_t size = 0; size < sizeof(flat); size++)
		assert_int_equal(dhcp6_expand_search(packed, sizeof(packed) - 1, exact, size), 0);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(dhcp6_expand_search((const uint8_t *)bad[i].bytes, bad[i].n, out,
						     sizeof(out)),
				 0);
	assert_true(dhcp6_put_domain(out, sizeof(out), &used, "a.bc.", 5));
	assert_int_equal(used, 6);
	assert_false(dhcp6_put_domain(out, sizeof(out), &used, "a..b", 4));
	assert_false(dhcp6_put_domain(out, sizeof(out), &used, ".a", 2));
	assert_false(dhcp6_put_domain(out, sizeof(out), &used, "a..", 3));
	assert_false(dhcp6_put_domain(out, sizeof(out), &used, ".", 1));
	assert_false(dhcp6_put_domain(out, 10, &used, "abc", 3));
	assert_int_equal(used, 6);
	/* What DHCPv4 was told counts for both. */
	memcpy(opt.bytes, packed, opt.len);
	l->net.opts = (struct dhcp_opts){.opt = &opt, .n = 1};
	six_apply(l, "fd00:a::1000", "fd00:a::1fff", 0);
	six_begin(l, DHCP6_INFORMATION);
	six_add_asked(l);
	six_ask(l);
	o = six_find(l, DHCP6_OPT_SEARCH, 0);
	assert_int_equal(o.n, sizeof(flat));
	assert_memory_equal(o.b, flat, sizeof(flat));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_malformed, six_setup, six_teardown),
		cmocka_unit_test_setup_teardown(test_longest, six_setup, six_teardown),
		cmocka_unit_test_setup_teardown(test_search, six_setup, six_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
