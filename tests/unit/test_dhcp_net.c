/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of dhcp/net: the copy is its own; reservations by client id, DUID, MAC, port and address; what is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dhcp/net.h"

enum { MANY = 16384 };

static struct ip ip_of(const char *text)
{
	struct ip ip;

	assert_true(ip_parse(text, &ip));
	return ip;
}

static struct prefix prefix_of(const char *text)
{
	struct prefix p;

	assert_true(prefix_parse(text, &p));
	return p;
}

static struct lease_id client_id(const char *bytes, size_t n)
{
	struct lease_id id;

	assert_true(lease_id_of_client(&id, (const uint8_t *)bytes, n));
	return id;
}

/* A network of four reservations, each found by something else. */
static struct dhcp_net *make(void)
{
	struct dhcp_opt opt[2] = {{.code = 42, .len = 4, .bytes = "abcd"},
				  {.code = 66, .len = 1, .bytes = "x"}};
	struct dhcp_class class = {.vendor = "PXEClient", .opts = {.opt = opt, .n = 2}};
	struct dhcp_reservation r[4] = {
		{.mac = {{2, 0, 0, 0, 0, 1}},
		 .ip = ip_of("10.0.0.10"),
		 .ip6 = ip_of("fd00::10"),
		 .opts = {.opt = opt, .n = 1}},
		{.id_len = 4,
		 .id = "DUID",
		 .ip = ip_of("10.0.0.11"),
		 .ip6 = ip_of("fd00::11"),
		 .name = "web"},
		{.port = "vm0", .ip = ip_of("10.0.0.12")},
		{.mac = {{2, 0, 0, 0, 0, 1}}, .port = "vm1", .ip6 = ip_of("fd00::13")},
	};
	struct dhcp_net from = {.name = "office",
				.v4 = prefix_of("10.0.0.1/24"),
				.v6 = prefix_of("fd00::1/64"),
				.opts = {.opt = opt, .n = 2},
				.classes = &class,
				.n_classes = 1,
				.reservations = r,
				.n_reservations = 4};
	struct dhcp_net *n = dhcp_net_create(&from);

	assert_non_null(n);
	/* What it was made of is gone. */
	memset(opt, 0xff, sizeof(opt));
	memset(&class, 0xff, sizeof(class));
	memset(r, 0xff, sizeof(r));
	return n;
}

static void copies(void **state)
{
	struct dhcp_net *n = make();

	(void)state;
	assert_string_equal(n->name, "office");
	assert_int_equal(n->opts.opt[1].code, 66);
	assert_string_equal(n->classes[0].vendor, "PXEClient");
	assert_int_equal(n->classes[0].opts.opt[0].code, 42);
	assert_int_equal(n->reservations[0].opts.opt[0].len, 4);
	assert_ptr_not_equal(n->reservations[0].opts.opt, n->opts.opt);
	assert_null(n->reservations[1].opts.opt);
	dhcp_net_destroy(n);
	dhcp_net_destroy(NULL);
	n = dhcp_net_create(&(struct dhcp_net){.name = "empty"});
	assert_null(dhcp_net_reservation(n, NULL, &(struct mac){{2}}, "a"));
	dhcp_net_destroy(n);
}

static void finds(void **state)
{
	const struct mac one = {{2, 0, 0, 0, 0, 1}}, other = {{2, 0, 0, 0, 0, 9}}, none = {{0}};
	struct dhcp_net *n = make();
	struct lease_id id = client_id("DUID", 4), mac_id, duid;

	(void)state;
	lease_id_of_mac(&mac_id, &one);
	assert_true(lease_id_of_duid(&duid, (const uint8_t *)"iaid", (const uint8_t *)"DUID", 4));
	/* By identity first, then MAC, then port. */
	assert_ptr_equal(dhcp_net_reservation(n, &id, &one, "vm0"), &n->reservations[1]);
	assert_ptr_equal(dhcp_net_reservation(n, &mac_id, &one, "vm0"), &n->reservations[0]);
	assert_ptr_equal(dhcp_net_reservation(n, &mac_id, &other, "vm0"), &n->reservations[2]);
	assert_ptr_equal(dhcp_net_reservation(n, NULL, NULL, "vm1"), &n->reservations[3]);
	assert_ptr_equal(dhcp_net_reservation(n, NULL, &one, NULL), &n->reservations[0]);
	assert_null(dhcp_net_reservation(n, NULL, &none, ""));
	assert_null(dhcp_net_reservation(n, NULL, &other, "vm2"));
	/* A DUID, of DHCPv6 and of a client of RFC 4361. */
	assert_ptr_equal(dhcp_net_reservation(n, &duid, &other, NULL), &n->reservations[1]);
	id = client_id("\xff"
		       "iaidDUID",
		       9);
	assert_ptr_equal(dhcp_net_reservation(n, &id, &other, NULL), &n->reservations[1]);
	id = client_id("\xff"
		       "iaid",
		       5);
	assert_null(dhcp_net_reservation(n, &id, &other, NULL));
	id = client_id("DUI", 3);
	assert_null(dhcp_net_reservation(n, &id, &other, NULL));
	/* An identity that is a port's, or a MAC's, is no DUID. */
	duid.b[0] = LEASE_BY_PORT;
	assert_null(dhcp_net_reservation(n, &duid, &other, NULL));
	dhcp_net_destroy(n);
}

static void taken(void **state)
{
	static const struct {
		const char *ip;
		bool is_taken;
	} table[] = {
		{"10.0.0.0", true},
		{"10.0.0.1", true},
		{"10.0.0.2", false},
		{"10.0.0.9", false},
		{"10.0.0.10", true},
		{"10.0.0.12", true},
		{"10.0.0.13", false},
		{"10.0.0.255", true},
		{"10.0.0.254", false},
		{"10.0.1.255", false},
		{"fd00::", true},
		{"fd00::1", true},
		{"fd00::2", false},
		{"fd00::10", true},
		{"fd00::13", true},
		{"fd00::12", false},
		{"fd00::ffff:ffff:ffff:ffff", false},
	};
	struct dhcp_net *n = make();
	struct ip ip = ip_of("fd00::11"), zero4 = ip_of("0.0.0.0");

	(void)state;
	for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct ip a = ip_of(table[i].ip);

		assert_true(dhcp_net_is_taken(n, &a) == table[i].is_taken);
	}
	assert_ptr_equal(dhcp_net_reserved(n, &ip), &n->reservations[1]);
	assert_null(dhcp_net_reserved(n, &zero4));
	assert_null(dhcp_net_reserved(n, &(struct ip){{0}}));
	dhcp_net_destroy(n);
	/* RFC 3021: of two addresses, or of one, none is an edge. */
	n = dhcp_net_create(&(struct dhcp_net){.v4 = prefix_of("10.0.0.2/31")});
	ip = ip_of("10.0.0.3");
	assert_false(dhcp_net_is_taken(n, &ip));
	dhcp_net_destroy(n);
}

static void many(void **state)
{
	struct dhcp_reservation *r = calloc(MANY, sizeof(*r));
	struct dhcp_net *n;

	(void)state;
	assert_non_null(r);
	for (unsigned i = 0; i < MANY; i++) {
		r[i].mac = (struct mac){{2, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i}};
		r[i].ip = ip_of("10.0.0.0");
		r[i].ip6 = ip_of("fd00::");
		r[i].ip.b[14] = r[i].ip6.b[14] = (uint8_t)(i >> 8);
		r[i].ip.b[15] = r[i].ip6.b[15] = (uint8_t)i;
	}
	n = dhcp_net_create(&(struct dhcp_net){.reservations = r, .n_reservations = MANY});
	assert_non_null(n);
	for (unsigned i = 0; i < MANY; i++) {
		assert_ptr_equal(dhcp_net_reservation(n, NULL, &r[i].mac, NULL),
				 &n->reservations[i]);
		assert_ptr_equal(dhcp_net_reserved(n, &r[i].ip), &n->reservations[i]);
		assert_ptr_equal(dhcp_net_reserved(n, &r[i].ip6), &n->reservations[i]);
	}
	dhcp_net_destroy(n);
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(copies), cmocka_unit_test(finds),
					   cmocka_unit_test(taken), cmocka_unit_test(many)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
