/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_dhcp_reply: what an answer of the DHCPv4 server says, in which order and where: rows D10, D11 and D12, and M10. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/dhcp_lab.h"

enum { SNAME_AT = 44, FILE_AT = 108 };

static int setup(void **state)
{
	*state = dhcp_lab_create();
	return 0;
}

static int teardown(void **state)
{
	dhcp_lab_destroy(*state);
	return 0;
}

static void check_order(const struct dhcp_lab *lab, const uint8_t *want, unsigned n)
{
	uint8_t codes[256];

	assert_int_equal(dhcp_lab_order(lab, codes), n);
	assert_memory_equal(codes, want, n);
}

static bool has(const struct dhcp_lab *lab, uint8_t option)
{
	uint16_t n;

	return dhcp_get(&lab->said, option, &n);
}

static void check_bytes(const struct dhcp_lab *lab, uint8_t option, const char *want, size_t n)
{
	uint16_t len = 0;
	const uint8_t *p = dhcp_get(&lab->said, option, &len);

	assert_non_null(p);
	assert_int_equal(len, n);
	assert_memory_equal(p, want, n);
}
#define CHECK(lab, option, want) check_bytes(lab, option, want, sizeof(want) - 1)

static uint32_t number(const struct dhcp_lab *lab, uint8_t option)
{
	uint32_t v = 0;

	assert_true(dhcp_get_u32(&lab->said, option, &v));
	return v;
}

static void check_ip(const struct ip *got, const char *want)
{
	char text[IP_TEXT];

	assert_string_equal(ip_text(got, text), want);
}

/* --- What is told --- */

/* D12: what must be there, then what option 55 lists, in its order, each once, and nothing that it does not list. */
static void d12_tells_what_was_asked_for_in_that_order(void **state)
{
	static const uint8_t all[] = {53, 54, 51, 58, 59, 1, 61, 15, 6, 3, 28, 26, 42};
	static const uint8_t none[] = {53, 54, 51, 58, 59, 1};
	static const uint8_t refusal[] = {53, 54, 56, 61};
	struct dhcp_lab *lab = *state;
	struct dhcp_lab_ask a = {.type = DHCP_DISCOVER, .mac = 1, .id = "one"};

	a.wants = "\17\6\3\1\3\34\6\32\52\365\62\65\377\122\173";
	dhcp_lab_expect(lab, &a, DHCP_OFFER);
	check_order(lab, all, sizeof(all));
	CHECK(lab, DHCP_OPT_MASK, "\xff\xff\xff\0");
	CHECK(lab, DHCP_OPT_SERVER, "\12\0\12\1");
	CHECK(lab, DHCP_OPT_ROUTER, "\12\0\12\1");
	CHECK(lab, DHCP_OPT_DNS, "\12\0\12\1\12\0\12\2");
	CHECK(lab, DHCP_OPT_DOMAIN, "office.example");
	CHECK(lab, DHCP_OPT_BROADCAST, "\12\0\12\xff");
	CHECK(lab, DHCP_OPT_MTU, "\5\334");
	assert_int_equal(number(lab, DHCP_OPT_LEASE), 3600);
	assert_int_equal(number(lab, DHCP_OPT_T1), 1800);
	assert_int_equal(number(lab, DHCP_OPT_T2), 3150);
	check_ip(&lab->said.h.siaddr, "10.0.10.5");
	check_ip(&lab->said.h.ciaddr, "0.0.0.0");

	a = (struct dhcp_lab_ask){.type = DHCP_DISCOVER, .mac = 2, .wants = "\375"};
	dhcp_lab_expect(lab, &a, DHCP_OFFER);
	check_order(lab, none, sizeof(none));

	a = (struct dhcp_lab_ask){.type = DHCP_REQUEST, .mac = 3, .id = "one", .wants = "\3\6"};
	a.address = "192.0.2.1";
	dhcp_lab_expect(lab, &a, DHCP_NAK);
	check_order(lab, refusal, sizeof(refusal));
	check_ip(&lab->said.h.siaddr, "0.0.0.0");
}

static void who_asks_for_nothing_gets_all(void **state)
{
	static const uint8_t all[] = {53, 54, 51, 58, 59, 1, 3, 6, 15, 26, 28, 42, 121, 150};
	struct dhcp_lab *lab = *state;
	struct dhcp_lab_ask a = {.type = DHCP_DISCOVER, .mac = 1};

	dhcp_lab_expect(lab, &a, DHCP_OFFER);
	check_order(lab, all, sizeof(all));
}

/* RFC 3397 2, RFC 3442. */
static void search_list_and_routes(void **state)
{
	struct dhcp_lab *lab = *state;
	struct dhcp_lab_ask a = {.type = DHCP_DISCOVER, .mac = 1, .wants = "\171\167"};

	dhcp_lab_expect(lab, &a, DHCP_OFFER);
	/* Whoever takes these routes takes no other: the default one is among them. */
	CHECK(lab, DHCP_OPT_ROUTES, "\20\12\11\12\0\12\7\0\12\0\12\1");
	CHECK(lab, DHCP_OPT_SEARCH, "\6office\7example\0");
	/* Where the operator gave no routes and no domain, there are none. */
	assert_true(dhcp_lab_send(lab, LAB_STORAGE, &a));
	assert_false(has(lab, DHCP_OPT_ROUTES) || has(lab, DHCP_OPT_SEARCH));
}

/* A client may have less time than it could, never more (RFC 2131 4.3.1). */
static void a_lease_is_as_short_as_asked_for(void **state)
{
	static const uint32_t table[][2] = {{0, 3600},	  {1, 120},	     {119, 120},
					    {120, 120},	  {600, 600},	     {3600, 3600},
					    {7200, 3600}, {UINT32_MAX, 3600}};
	struct dhcp_lab *lab = *state;

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct dhcp_lab_ask a = {.mac = 1, .lease_s = table[i][0]};
		char ip[IP_TEXT];

		dhcp_lab_bound(lab, &a, ip);
		assert_int_equal(number(lab, DHCP_OPT_LEASE), table[i][1]);
		assert_int_equal(number(lab, DHCP_OPT_T1), table[i][1] / 2);
		assert_int_equal(number(lab, DHCP_OPT_T2), table[i][1] * 7 / 8);
		assert_int_equal(dhcp_lab_lease(lab, ip)->end_ms,
				 lab->now_ms + table[i][1] * UINT64_C(1000));
	}
	lab->net[LAB_OFFICE]->lease_s = lab->twin->net[LAB_OFFICE]->lease_s = UINT32_MAX;
	for (unsigned i = 0; i < 2; i++) {
		struct dhcp_lab_ask a = {.mac = 1, .lease_s = i ? 600 : 0};
		char ip[IP_TEXT];

		dhcp_lab_bound(lab, &a, ip);
		assert_int_equal(number(lab, DHCP_OPT_LEASE), i ? 600 : UINT32_MAX);
		assert_int_equal(has(lab, DHCP_OPT_T1), i);
		assert_int_equal(dhcp_lab_lease(lab, ip)->end_ms == UINT64_MAX, !i);
	}
}

/* D10: RFC 6842; with every answer, by dhcp_lab's own check, here also of the longest. */
static void d10_the_client_id_comes_back(void **state)
{
	struct dhcp_lab *lab = *state;
	struct dhcp_lab_ask a = {.type = DHCP_DISCOVER, .mac = 1, .wants = "\3"};
	uint8_t more[2 + 255 + 2 + 1] = {DHCP_OPT_CLIENT_ID, 255};

	dhcp_lab_expect(lab, &a, DHCP_OFFER);
	assert_false(has(lab, DHCP_OPT_CLIENT_ID));
	memset(more + 2, 'x', 255);
	a.more = more;
	a.n_more = 2 + 255;
	dhcp_lab_expect(lab, &a, DHCP_OFFER);
	assert_true(has(lab, DHCP_OPT_CLIENT_ID));
	more[2 + 255] = DHCP_OPT_CLIENT_ID; /* no client has more: RFC 3396 would allow it */
	more[2 + 255 + 1] = 1;
	a.n_more = sizeof(more);
	dhcp_lab_expect(lab, &a, 0);
	a.n_more = 2;
	more[1] = 0;
	dhcp_lab_expect(lab, &a, DHCP_OFFER); /* it is its MAC, then */
}

/* The narrower wins, option by option. */
static void reservations_come_before_the_network(void **state)
{
	struct dhcp_lab *lab = *state;
	struct dhcp_lab_ask a = {.type = DHCP_DISCOVER, .mac = 0xaa, .wants = "\6\14\52\103"};

	dhcp_lab_expect(lab, &a, DHCP_OFFER);
	CHECK(lab, DHCP_OPT_DNS, "\12\0\12\65");
	CHECK(lab, DHCP_OPT_HOST_NAME, "web");
	CHECK(lab, 42, "\12\0\12\1");
	CHECK(lab, DHCP_OPT_BOOT_FILE, "web.img");
	assert_int_equal(number(lab, DHCP_OPT_LEASE), 600);
	a = (struct dhcp_lab_ask){.type = DHCP_DISCOVER, .mac = 1, .wants = "\6\14", .name = "me"};
	dhcp_lab_expect(lab, &a, DHCP_OFFER);
	assert_false(has(lab, DHCP_OPT_HOST_NAME));
}

/* RFC 4578: classes by vendor and architecture; their options are told unasked, and by the fields of BOOTP. */
static void firmware_is_told_what_to_boot(void **state)
{
	static const struct {
		const char *more;
		uint8_t n;
		const char *file, *server;
	} table[] = {
		{"\x3c\x0cPXEClient:A0\x5d\x02\0\0", 18, "pxelinux.0", "10.0.10.5"},
		{"\x3c\x09PXEClient\x5d\x02\0\x07", 15, "grubx64.efi", ""},
		{"\x3c\x09PXEClient\x5d\x04\0\x06\0\x09", 17, "grubx64.efi", ""},
		{"\x3c\x09PXEClient\x5d\x02\0\x06", 15, "", ""},
		{"\x3c\x09PXEClient\x5d\x01\0", 14, "", ""},
		{"\x3c\x09PXEClient", 11, "", ""},
		{"\x3c\x08PXEClien\x5d\x02\0\0", 14, "", ""},
		{"\x5d\x02\0\0", 4, "", ""},
	};
	struct dhcp_lab *lab = *state;

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct dhcp_lab_ask a = {.type = DHCP_DISCOVER, .mac = 1, .wants = "\1"};

		a.more = (const uint8_t *)table[i].more;
		a.n_more = table[i].n;
		dhcp_lab_expect(lab, &a, DHCP_OFFER);
		assert_string_equal((char *)lab->out.payload + FILE_AT, table[i].file);
		assert_string_equal((char *)lab->out.payload + SNAME_AT, table[i].server);
		assert_int_equal(has(lab, DHCP_OPT_BOOT_FILE), table[i].file[0] != 0);
		assert_int_equal(has(lab, DHCP_OPT_TFTP_SERVER), table[i].server[0] != 0);
		if (table[i].file[0])
			check_bytes(lab, DHCP_OPT_BOOT_FILE, table[i].file, strlen(table[i].file));
		assert_false(has(lab, DHCP_OPT_VENDOR));
	}
}

static void http_boot_is_answered_as_such(void **state)
{
	struct dhcp_lab *lab = *state;
	struct dhcp_lab_ask a = {.type = DHCP_DISCOVER, .mac = 1, .wants = "\1"};

	a.more = (const uint8_t *)"\x3c\x14HTTPClient:Arch:0016";
	a.n_more = 22;
	dhcp_lab_expect(lab, &a, DHCP_OFFER);
	CHECK(lab, DHCP_OPT_VENDOR, "HTTPClient");
}

/* --- Where it has room --- */

/* A network whose options take n bytes each, codes from 224 on. */
static void fill(struct dhcp_lab *lab, unsigned options, uint8_t n)
{
	for (; lab; lab = lab->twin) {
		struct dhcp_net *net = lab->net[LAB_STORAGE];

		free(net->opts.opt);
		net->opts.opt = calloc(options, sizeof(struct dhcp_opt));
		assert_non_null(net->opts.opt);
		net->opts.n = (uint16_t)options;
		for (unsigned i = 0; i < options; i++) {
			net->opts.opt[i].code = (uint8_t)(224 + i);
			net->opts.opt[i].len = n;
			memset(net->opts.opt[i].bytes, (int)(1 + i), n);
		}
	}
}

/* One option of storage is that. */
static void set(struct dhcp_lab *lab, unsigned i, uint8_t code, const char *bytes, size_t n)
{
	for (; lab; lab = lab->twin) {
		struct dhcp_opt *o = &lab->net[LAB_STORAGE]->opts.opt[i];

		o->code = code;
		o->len = (uint8_t)n;
		memcpy(o->bytes, bytes, n);
	}
}
#define SET(lab, i, code, bytes) set(lab, i, code, bytes, sizeof(bytes) - 1)

/* What the operator says comes before what the network is; what cannot be does not. */
static void options_come_before_what_is_made(void **state)
{
	struct dhcp_lab *lab = *state;
	struct dhcp_lab_ask a = {.type = DHCP_DISCOVER, .mac = 1, .wants = "\3\171\167"};

	fill(lab, 4, 0);
	SET(lab, 0, DHCP_OPT_ROUTER, "\12\0\24\7");
	SET(lab, 1, DHCP_OPT_T1, "\0\0\0\144");
	SET(lab, 2, DHCP_OPT_T2, "\0\0\0\310");
	SET(lab, 3, DHCP_OPT_ROUTES, "\10\11\12\0\24\10");
	for (struct dhcp_lab *i = lab; i; i = i->twin)
		strcpy(i->net[LAB_STORAGE]->domain, "a..b");
	assert_true(dhcp_lab_send(lab, LAB_STORAGE, &a));
	CHECK(lab, DHCP_OPT_ROUTER, "\12\0\24\7");
	CHECK(lab, DHCP_OPT_ROUTES, "\10\11\12\0\24\10\0\12\0\24\7");
	assert_int_equal(number(lab, DHCP_OPT_T1), 100);
	assert_int_equal(number(lab, DHCP_OPT_T2), 200);
	assert_false(has(lab, DHCP_OPT_SEARCH)); /* that domain has no wire form */
	a.lease_s = 150;			 /* T2 would be after its end */
	assert_true(dhcp_lab_send(lab, LAB_STORAGE, &a));
	assert_int_equal(number(lab, DHCP_OPT_T1), 75);

	SET(lab, 3, DHCP_OPT_ROUTES, "\10\11\12\0\24\10\0\12\0\24\11");
	assert_true(dhcp_lab_send(lab, LAB_STORAGE, &a));
	CHECK(lab, DHCP_OPT_ROUTES, "\10\11\12\0\24\10\0\12\0\24\11");
	/* Without a way on there is no default route either. */
	SET(lab, 0, DHCP_OPT_ROUTER - 1, "");
	SET(lab, 3, DHCP_OPT_ROUTES, "\10\11\12\0\24\10");
	lab->net[LAB_STORAGE]->is_router = lab->twin->net[LAB_STORAGE]->is_router = false;
	assert_true(dhcp_lab_send(lab, LAB_STORAGE, &a));
	assert_false(has(lab, DHCP_OPT_ROUTER));
	CHECK(lab, DHCP_OPT_ROUTES, "\10\11\12\0\24\10");
}

/* D12: options 57 and 52; what does not fit is the least wanted, and what fits nowhere. */
static void d12_uses_the_fields_when_there_is_no_room(void **state)
{
	struct dhcp_lab *lab = *state;
	struct dhcp_lab_ask a = {.type = DHCP_DISCOVER, .mac = 1};

	a.wants = "\340\341\342\343\344\345\346\347\350\351";
	fill(lab, 10, 50); /* 520 bytes, and 308 - 40 that the option space has */
	assert_true(dhcp_lab_send(lab, LAB_STORAGE, &a));
	assert_true(lab->out.len <= 548);
	CHECK(lab, DHCP_OPT_OVERLOAD, "\3");
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(has(lab, (uint8_t)(224 + i)), i < 5 + 2 + 1);
	/* Of whom more may be expected, more is. */
	a.max_size = 600;
	assert_true(dhcp_lab_send(lab, LAB_STORAGE, &a));
	assert_true(lab->out.len <= 572);
	a.max_size = 1500;
	assert_true(dhcp_lab_send(lab, LAB_STORAGE, &a));
	assert_false(has(lab, DHCP_OPT_OVERLOAD));
	for (unsigned i = 0; i < 10; i++)
		assert_true(has(lab, (uint8_t)(224 + i)));
	a.max_size = 100; /* nobody may take less than 576 */
	assert_true(dhcp_lab_send(lab, LAB_STORAGE, &a));
	CHECK(lab, DHCP_OPT_OVERLOAD, "\3");
	/* One field is enough. */
	a.max_size = 0;
	fill(lab, 6, 50);
	assert_true(dhcp_lab_send(lab, LAB_STORAGE, &a));
	CHECK(lab, DHCP_OPT_OVERLOAD, "\1");
	/* Not more than the network carries whole. */
	lab->net[LAB_STORAGE]->mtu = lab->twin->net[LAB_STORAGE]->mtu = 600;
	fill(lab, 10, 50);
	a.max_size = 1500;
	assert_true(dhcp_lab_send(lab, LAB_STORAGE, &a));
	assert_true(lab->out.len <= 572);
}

/* Names of option 66 and 67 that have lost their field are options, first of all. */
static void d12_names_give_way(void **state)
{
	struct dhcp_lab *lab = *state;
	struct dhcp_lab_ask a = {.type = DHCP_DISCOVER, .mac = 1};

	a.wants = "\340\341\342\343\344\345\346\347\350\351";
	fill(lab, 10, 50);
	for (struct dhcp_lab *i = lab; i; i = i->twin) {
		i->net[LAB_STORAGE]->opts.opt[0].code = DHCP_OPT_TFTP_SERVER;
		i->net[LAB_STORAGE]->opts.opt[1].code = DHCP_OPT_BOOT_FILE;
	}
	assert_true(dhcp_lab_send(lab, LAB_STORAGE, &a));
	assert_true(has(lab, DHCP_OPT_TFTP_SERVER) && has(lab, DHCP_OPT_BOOT_FILE));
	/* What is too long for a field is an option only, when asked for. */
	fill(lab, 2, 200);
	for (struct dhcp_lab *i = lab; i; i = i->twin) {
		i->net[LAB_STORAGE]->opts.opt[0].code = DHCP_OPT_TFTP_SERVER;
		i->net[LAB_STORAGE]->opts.opt[1].code = DHCP_OPT_BOOT_FILE;
	}
	a.wants = "\102\103";
	a.max_size = 1500;
	assert_true(dhcp_lab_send(lab, LAB_STORAGE, &a));
	assert_true(has(lab, DHCP_OPT_TFTP_SERVER) && has(lab, DHCP_OPT_BOOT_FILE));
	assert_int_equal(lab->out.payload[FILE_AT] | lab->out.payload[SNAME_AT], 0);
}

/* D11: option 82 is the last, whole, and never in a field, however little room there is (dhcp_lab checks); RFC 3046 2.2. */
static void d11_option_82_comes_back(void **state)
{
	struct dhcp_lab *lab = *state;
	struct dhcp_lab_ask a = {.type = DHCP_DISCOVER, .mac = 1, .src_mac = 9};
	uint8_t more[1200];

	fill(lab, 10, 50);
	a.src = "10.0.10.9";
	a.giaddr = "10.0.20.9";
	for (unsigned n = 0; n < 1000; n += 7) {
		size_t at = 0;

		for (unsigned left = n, now; left > 0 || at == 0; left -= now) {
			now = left < 255 ? left : 255;
			more[at] = DHCP_OPT_RELAY;
			more[at + 1] = (uint8_t)now;
			memset(more + at + 2, 0xcc, now);
			at += 2 + now;
		}
		a.more = more;
		a.n_more = at;
		a.type = DHCP_DISCOVER;
		a.max_size = 0;
		assert_int_equal(dhcp_lab_send(lab, LAB_OFFICE, &a), n < 280);
		a.max_size = 1500;
		assert_true(dhcp_lab_send(lab, LAB_OFFICE, &a));
		a.type = DHCP_REQUEST;
		a.address = "192.0.2.1";
		assert_true(dhcp_lab_send(lab, LAB_OFFICE, &a));
		assert_int_equal(lab->said.type, DHCP_NAK);
		a.address = NULL;
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(d12_tells_what_was_asked_for_in_that_order),
		TEST(who_asks_for_nothing_gets_all),
		TEST(search_list_and_routes),
		TEST(a_lease_is_as_short_as_asked_for),
		TEST(d10_the_client_id_comes_back),
		TEST(reservations_come_before_the_network),
		TEST(firmware_is_told_what_to_boot),
		TEST(http_boot_is_answered_as_such),
		TEST(options_come_before_what_is_made),
		TEST(d12_uses_the_fields_when_there_is_no_room),
		TEST(d12_names_give_way),
		TEST(d11_option_82_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
