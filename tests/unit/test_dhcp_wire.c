/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_dhcp_wire: DHCP messages that are written and read, options in pieces and in odd places among them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dhcp/wire.h"

static const struct mac our_mac = {{0x02, 0x76, 0x66, 0, 0, 1}};

static struct ip ip_of(const char *text)
{
	struct ip ip;

	assert_true(ip_parse(text, &ip));
	return ip;
}

static void check_ip(const struct ip *got, const char *want)
{
	char text[IP_TEXT];

	assert_string_equal(ip_text(got, text), want);
}

static struct dhcp_header header(void)
{
	return (struct dhcp_header){.op = DHCP_REPLY_OP,
				    .xid = 0x01020304,
				    .secs = 5,
				    .flags = DHCP_BROADCAST,
				    .hops = 2,
				    .ciaddr = ip_of("10.0.0.1"),
				    .yiaddr = ip_of("10.0.0.2"),
				    .siaddr = ip_of("10.0.0.3"),
				    .giaddr = ip_of("10.0.0.4"),
				    .chaddr = our_mac};
}

static void reads_what_it_wrote(void **state)
{
	uint8_t bytes[DHCP_MAX_BYTES], big[600];
	struct dhcp_header h = header();
	struct dhcp_message m;
	struct dhcp_writer w;
	const uint8_t *p;
	uint16_t n;

	(void)state;
	for (unsigned i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i * 7);
	dhcp_write_begin(&w, bytes, sizeof(bytes), &h, DHCP_OFFER);
	dhcp_write(&w, 80, big, 0);
	dhcp_write(&w, 200, big, sizeof(big));
	assert_true(dhcp_read(&m, bytes, dhcp_write_end(&w)));
	assert_int_equal(m.type, DHCP_OFFER);
	assert_int_equal(m.h.xid, h.xid);
	assert_int_equal(m.h.hops, 2);
	assert_int_equal(m.h.secs, 5);
	assert_int_equal(m.h.flags, DHCP_BROADCAST);
	check_ip(&m.h.ciaddr, "10.0.0.1");
	check_ip(&m.h.yiaddr, "10.0.0.2");
	check_ip(&m.h.siaddr, "10.0.0.3");
	check_ip(&m.h.giaddr, "10.0.0.4");
	assert_non_null(dhcp_get(&m, 80, &n));
	assert_int_equal(n, 0);
	assert_null(dhcp_get(&m, 81, &n));
	p = dhcp_get(&m, 200, &n);
	assert_non_null(p);
	assert_int_equal(n, sizeof(big));
	assert_memory_equal(p, big, sizeof(big));

	dhcp_write_begin(&w, bytes, 300, &h, DHCP_OFFER);
	dhcp_write(&w, 200, big, 100);
	assert_int_equal(dhcp_write_end(&w), 0);
	dhcp_write_begin(&w, bytes, 100, &h, DHCP_OFFER);
	assert_int_equal(dhcp_write_end(&w), 0);
}

static void reads_overloaded_fields(void **state)
{
	uint8_t bytes[DHCP_MAX_BYTES];
	struct dhcp_header h = header();
	struct dhcp_message m;
	struct dhcp_writer w;
	const uint8_t *p;
	uint16_t len;
	size_t n;

	(void)state;
	dhcp_write_begin(&w, bytes, sizeof(bytes), &h, DHCP_ACK);
	dhcp_write(&w, DHCP_OPT_OVERLOAD, "\3", 1);
	dhcp_write(&w, 200, "abc", 3);
	n = dhcp_write_end(&w);
	memcpy(bytes + 108,
	       "\xc8\x02"
	       "de\xff",
	       5); /* file */
	memcpy(bytes + 44,
	       "\xc8\x01"
	       "f\x0c\x01x\xff",
	       7); /* sname */
	assert_true(dhcp_read(&m, bytes, n));
	p = dhcp_get(&m, 200, &len);
	assert_int_equal(len, 6);
	assert_memory_equal(p, "abcdef", 6);
	p = dhcp_get(&m, DHCP_OPT_HOST_NAME, &len);
	assert_int_equal(len, 1);
	memset(bytes + 108, 200, 128); /* no end, and too long */
	assert_false(dhcp_read(&m, bytes, n));
}

/* RFC 2132 9.3: what has no room among the options goes into file, then sname; a field has a text or options. */
static void writes_overloaded_fields(void **state)
{
	uint8_t bytes[DHCP_MAX_BYTES], value[200];
	struct dhcp_header h = header();
	struct dhcp_message m;
	struct dhcp_writer w;
	const uint8_t *p;
	uint16_t len;

	(void)state;
	memset(value, 7, sizeof(value));
	dhcp_write_begin(&w, bytes, sizeof(bytes), &h, DHCP_ACK);
	assert_true(dhcp_write_field(&w, DHCP_FILE, value, 127));
	assert_false(dhcp_write_field(&w, DHCP_SNAME, value, 64)); /* its zero has no room */
	dhcp_write_overload(&w);
	assert_true(dhcp_read(&m, bytes, dhcp_write_end(&w)));
	assert_null(dhcp_get(&m, DHCP_OPT_OVERLOAD, &len));
	assert_memory_equal(bytes + 108, value, 127);
	assert_int_equal(bytes[44] | bytes[108 + 127], 0);

	dhcp_write_begin(&w, bytes, sizeof(bytes), &h, DHCP_ACK);
	assert_false(dhcp_write_over(&w, 200, value, 126));
	assert_true(dhcp_write_over(&w, 200, value, 125)); /* and END */
	assert_false(dhcp_write_over(&w, 201, value, 62));
	assert_true(dhcp_write_over(&w, 202, value, 30));
	assert_true(dhcp_write_over(&w, 203, value, 29));
	assert_false(dhcp_write_over(&w, 204, value, 0));
	dhcp_write_overload(&w);
	assert_true(dhcp_read(&m, bytes, dhcp_write_end(&w)));
	p = dhcp_get(&m, DHCP_OPT_OVERLOAD, &len);
	assert_true(p && len == 1 && p[0] == 3);
	assert_non_null(dhcp_get(&m, 200, &len));
	assert_int_equal(len, 125);
	assert_null(dhcp_get(&m, 201, &len));
	assert_non_null(dhcp_get(&m, 203, &len));
	assert_int_equal(len, 29);

	assert_int_equal(dhcp_option_bytes(0), 2);
	assert_int_equal(dhcp_option_bytes(255), 257);
	assert_int_equal(dhcp_option_bytes(256), 260);
}

/* Getters take what has the size that RFC 2132 says, and nothing else. */
static void gets_what_has_the_right_size(void **state)
{
	uint8_t bytes[DHCP_MAX_BYTES];
	struct dhcp_header h = header();
	struct dhcp_message m;
	struct dhcp_writer w;
	struct ip ip[2];
	uint16_t v16 = 7;
	uint32_t v32 = 7;

	(void)state;
	dhcp_write_begin(&w, bytes, sizeof(bytes), &h, DHCP_ACK);
	dhcp_write_u16(&w, DHCP_OPT_MTU, 1400);
	dhcp_write_u32(&w, DHCP_OPT_LEASE, 86400);
	dhcp_write(&w, DHCP_OPT_T1, "abc", 3);
	dhcp_write(&w, DHCP_OPT_ROUTER, "\12\0\0\1\12\0\0\2\12\0\0\3", 12);
	dhcp_write(&w, DHCP_OPT_DNS, "\12\0\0\1\12", 5);
	assert_true(dhcp_read(&m, bytes, dhcp_write_end(&w)));
	assert_true(dhcp_get_u16(&m, DHCP_OPT_MTU, &v16) && v16 == 1400);
	assert_true(dhcp_get_u32(&m, DHCP_OPT_LEASE, &v32) && v32 == 86400);
	assert_false(dhcp_get_u16(&m, DHCP_OPT_LEASE, &v16));
	assert_false(dhcp_get_u32(&m, DHCP_OPT_T1, &v32));
	assert_false(dhcp_get_u32(&m, DHCP_OPT_T2, &v32));
	assert_int_equal(dhcp_get_ips(&m, DHCP_OPT_ROUTER, ip, 2), 2);
	check_ip(&ip[1], "10.0.0.2");
	assert_int_equal(dhcp_get_ips(&m, DHCP_OPT_DNS, ip, 2), 0);
	assert_int_equal(dhcp_get_ips(&m, DHCP_OPT_SERVER, ip, 2), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_it_wrote),
		cmocka_unit_test(reads_overloaded_fields),
		cmocka_unit_test(writes_overloaded_fields),
		cmocka_unit_test(gets_what_has_the_right_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
