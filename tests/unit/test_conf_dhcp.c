/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of addresses and names in a configuration: what a network serves, options and their bytes, verbs that change one
 * reservation, and a network of full size.  Texts and their errors are in tests/unit/conf (test_conf.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "switch/apply.h"
#include "switch/conf.h"

static struct conf *parse(const char *text)
{
	struct conf *c = conf_create();
	struct conf_error err;

	assert_non_null(c);
	if (conf_merge(c, text, strlen(text), CONF_ADD, &err) || conf_validate(c, NULL, &err))
		fail_msg("%s: %s", text, err.text);
	return c;
}

/* The line of a verb on error, else "". */
static const char *verb(struct conf *c, enum conf_merge how, const char *text)
{
	static char line[CONF_ERROR_TEXT];
	struct conf *old = conf_copy(c);
	struct conf_error err;

	line[0] = 0;
	assert_non_null(old);
	if (conf_merge(c, text, strlen(text), how, &err) || conf_validate(c, old, &err))
		conf_error_line(&err, NULL, line);
	conf_destroy(old);
	return line;
}

/* --- What a network serves --- */

static const struct {
	const char *keys, *range, *range6; /* "": none */
	enum conf_dhcp6 six;
	bool dns;
} served[] = {
	{"mode: nat, ipv4: 10.0.0.0/24", "10.0.0.128-10.0.0.254", "", CONF_DHCP6_OFF, true},
	{"mode: host-only, ipv4: 10.0.0.0/24", "10.0.0.128-10.0.0.254", "", CONF_DHCP6_OFF, true},
	{"mode: internal, ipv4: 10.0.0.0/24", "", "", CONF_DHCP6_OFF, false},
	{"mode: internal, ipv4: 10.0.0.0/24, dhcp: {}", "10.0.0.128-10.0.0.254", "", CONF_DHCP6_OFF,
	 true},
	{"mode: nat, ipv4: 10.0.0.0/24, no-dhcp: true", "", "", CONF_DHCP6_OFF, false},
	{"mode: nat, ipv4: 10.0.0.0/8", "10.128.0.0-10.255.255.254", "", CONF_DHCP6_OFF, true},
	{"mode: nat, ipv4: 10.0.0.4/30", "10.0.0.6-10.0.0.6", "", CONF_DHCP6_OFF, true},
	{"mode: nat, ipv4: 10.0.0.4/30, gateway: 10.0.0.6", "10.0.0.5-10.0.0.5", "", CONF_DHCP6_OFF,
	 true},
	{"mode: nat, ipv4: 10.0.0.8/29", "10.0.0.12-10.0.0.14", "", CONF_DHCP6_OFF, true},
	{"mode: nat, ipv4: 10.0.0.0/24, dhcp: 10.0.0.5-10.0.0.5", "10.0.0.5-10.0.0.5", "",
	 CONF_DHCP6_OFF, true},
	{"mode: nat, ipv6: 'fd00::/64'", "", "fd00::1000:0-fd00::ffff:ffff", CONF_DHCP6_STATELESS,
	 true},
	{"mode: nat, ipv6: 'fd00:0:0:1::/64', dhcp: {ipv6: stateful}", "",
	 "fd00::1:0:0:1000:0-fd00::1:0:0:ffff:ffff", CONF_DHCP6_STATEFUL, true},
	{"mode: nat, ipv6: 'fd00::/96', dhcp: {ipv6: stateful}", "", "fd00::1000:0-fd00::ffff:ffff",
	 CONF_DHCP6_STATEFUL, true},
	{"mode: nat, ipv6: 'fd00::/120', dhcp: {ipv6: stateful}", "", "fd00::80-fd00::ff",
	 CONF_DHCP6_STATEFUL, true},
	{"mode: nat, ipv6: 'fd00::/126', dhcp: {ipv6: stateful}", "", "fd00::2-fd00::3",
	 CONF_DHCP6_STATEFUL, true},
	{"mode: nat, ipv6: 'fd00::/64', dhcp: {ipv6: stateful, range6: 'fd00::5-fd00::6'}", "",
	 "fd00::5-fd00::6", CONF_DHCP6_STATEFUL, true},
	{"mode: nat, ipv4: 10.0.0.0/24, ipv6: 'fd00::/64', dhcp: {ipv6: off}",
	 "10.0.0.128-10.0.0.254", "", CONF_DHCP6_OFF, true},
	{"mode: nat, ipv6: 'fd00::/64', no-dhcp: yes", "", "", CONF_DHCP6_OFF, false},
	{"mode: host-only, ipv4: 10.0.0.0/24, ipv6: 'fd00::/64'", "10.0.0.128-10.0.0.254", "",
	 CONF_DHCP6_OFF, true},
	{"mode: internal, ipv6: 'fd00::/64'", "", "", CONF_DHCP6_OFF, false},
	{"mode: internal, ipv6: 'fd00::/64', dhcp: {}", "", "fd00::1000:0-fd00::ffff:ffff",
	 CONF_DHCP6_STATELESS, true},
	{"mode: nat, ipv4: 10.0.0.0/24, dns: [192.0.2.1]", "10.0.0.128-10.0.0.254", "",
	 CONF_DHCP6_OFF, false},
	{"mode: nat, ipv4: 10.0.0.0/24, dns: [192.0.2.1, 10.0.0.1]", "10.0.0.128-10.0.0.254", "",
	 CONF_DHCP6_OFF, true},
	{"mode: nat, ipv4: 10.0.0.0/24, gateway: 10.0.0.9, dns: [10.0.0.1]",
	 "10.0.0.128-10.0.0.254", "", CONF_DHCP6_OFF, false},
	{"mode: nat, ipv6: 'fd00::/64', dns: ['fd00::1']", "", "fd00::1000:0-fd00::ffff:ffff",
	 CONF_DHCP6_STATELESS, true},
};

static void expect_range(bool is_served, const struct ip *first, const struct ip *last,
			 const char *want)
{
	char a[IP_TEXT], b[IP_TEXT], got[2 * IP_TEXT] = "";

	if (is_served)
		snprintf(got, sizeof(got), "%s-%s", ip_text(first, a), ip_text(last, b));
	assert_string_equal(got, want);
}

static void serves(void **state)
{
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(served) / sizeof(served[0]); i++) {
		struct ip first = {0}, last = {0};
		const struct conf_network *n;
		enum conf_dhcp6 six;
		struct conf *c;

		snprintf(text, sizeof(text), "networks: {a: {%s}}", served[i].keys);
		c = parse(text);
		n = &c->networks[0];
		expect_range(conf_network_dhcp(n, &first, &last), &first, &last, served[i].range);
		six = conf_network_dhcp6(n, &first, &last);
		assert_int_equal(six, served[i].six);
		expect_range(six != CONF_DHCP6_OFF, &first, &last, served[i].range6);
		assert_int_equal(conf_network_dns(n), served[i].dns);
		conf_destroy(c);
	}
}

static void zones(void **state)
{
	static const char *const names[][2] = {
		{"office", "office.vfab"}, {"Office_1", "office-1.vfab"},
		{"a.b.", "a-b.vfab"},	   {"_", "net.vfab"},
		{"_x_", "x.vfab"},
	};
	char text[256], buf[CONF_DOMAIN_SIZE];
	struct conf *c;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(text, sizeof(text), "networks: {%s: {mode: internal}}", names[i][0]);
		c = parse(text);
		assert_string_equal(conf_network_zone(&c->networks[0], buf), names[i][1]);
		conf_destroy(c);
	}
	memset(text, 0, sizeof(text));
	memset(text, 'n', CONF_NAME_SIZE - 1);
	snprintf(buf, sizeof(buf), "networks: {%.63s: {mode: internal}}", text);
	c = parse(buf);
	assert_int_equal(strlen(conf_network_zone(&c->networks[0], buf)), 63 + strlen(".vfab"));
	conf_destroy(c);
	c = parse("networks: {a: {mode: nat, ipv4: 10.0.0.0/24, domain: Corp.Example.}}");
	assert_string_equal(conf_network_zone(&c->networks[0], buf), "corp.example");
	conf_destroy(c);
}

/* --- Options --- */

static const struct {
	const char *key, *text;
	uint8_t code, len;
	const char *bytes;
	const char *back; /* NULL: as text */
} options[] = {
	{"router", "10.0.0.1", 3, 4, "\x0a\0\0\1", NULL},
	{"ntp", "10.0.0.1, 10.0.0.2", 42, 8, "\x0a\0\0\1\x0a\0\0\2", "10.0.0.1,10.0.0.2"},
	{"dns", " 10.0.0.1 ,10.0.0.2 ", 6, 8, "\x0a\0\0\1\x0a\0\0\2", "10.0.0.1,10.0.0.2"},
	{"mtu", "1400", 26, 2, "\x05\x78", NULL},
	{"default-ttl", "64", 23, 1, "\x40", NULL},
	{"time-offset", "-3600", 2, 4, "\xff\xff\xf1\xf0", NULL},
	{"time-offset", "3600", 2, 4, "\0\0\x0e\x10", NULL},
	{"time-offset", "-2147483648", 2, 4, "\x80\0\0\0", NULL},
	{"ipv6-only", "300", 108, 4, "\0\0\x01\x2c", NULL},
	{"boot-file", "pxelinux.0", 67, 10, "pxelinux.0", NULL},
	{"wpad", "http://10.0.0.1/a, b", 252, 20, "http://10.0.0.1/a, b", NULL},
	{"domain", "A.Example.", 15, 9, "a.example", "a.example"},
	{"search", "a.example,b", 119, 14, "\1a\7example\0\1b\0", NULL},
	/* RFC 3442: the examples of its table. */
	{"routes", "0.0.0.0/0 10.0.0.1", 121, 5, "\0\x0a\0\0\1", NULL},
	{"routes", "10.0.0.0/8 10.0.0.1", 121, 6, "\x08\x0a\x0a\0\0\1", NULL},
	{"routes", "10.17.0.0/16 10.0.0.1", 121, 7, "\x10\x0a\x11\x0a\0\0\1", NULL},
	{"routes", "10.27.129.0/24 10.0.0.1", 121, 8, "\x18\x0a\x1b\x81\x0a\0\0\1", NULL},
	{"routes", "10.229.0.128/25 10.0.0.1", 121, 9, "\x19\x0a\xe5\0\x80\x0a\0\0\1", NULL},
	{"routes", "10.198.122.47/32 10.0.0.1", 121, 9, "\x20\x0a\xc6\x7a\x2f\x0a\0\0\1", NULL},
	{"routes", "10.0.0.0/8   10.0.0.1 , 0.0.0.0/0 10.0.0.2", 121, 11,
	 "\x08\x0a\x0a\0\0\1\0\x0a\0\0\2", "10.0.0.0/8 10.0.0.1,0.0.0.0/0 10.0.0.2"},
	{"vendor", "01020A", 43, 3, "\1\2\x0a", "01:02:0a"},
	{"150", "ip:10.0.0.9", 150, 4, "\x0a\0\0\x09", NULL},
	{"tftp-server-address", "10.0.0.9", 150, 4, "\x0a\0\0\x09", NULL},
	{"224", "text:a", 224, 1, "a", NULL},
	{"224", "hex:00:ff", 224, 2, "\0\xff", NULL},
	{"42", "ip:10.0.0.1", 42, 4, "\x0a\0\0\1", NULL},
};

static void option_bytes(void **state)
{
	char key[CONF_OPTION_TEXT], text[CONF_OPTION_TEXT], why[320];
	struct conf_option o, again;

	(void)state;
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (!conf_option_parse(options[i].key, options[i].text, &o, why, sizeof(why)))
			fail_msg("%s: %s", options[i].text, why);
		assert_int_equal(o.code, options[i].code);
		assert_int_equal(o.len, options[i].len);
		assert_memory_equal(o.bytes, options[i].bytes, o.len);
		conf_option_text(&o, key, text);
		assert_string_equal(key, options[i].key);
		assert_string_equal(text, options[i].back ? options[i].back : options[i].text);
		assert_true(conf_option_parse(key, text, &again, why, sizeof(why)));
		assert_memory_equal(&o, &again, sizeof(o));
	}
}

/* What the server says by itself: identity, times, overload, echoes. */
static void option_owners(void **state)
{
	static const int owned[] = {0, 50, 51, 52, 53, 54, 55, 57, 58, 59, 61, 82, 255};
	struct conf_option o;
	char key[8], why[320];

	(void)state;
	for (int code = 0, i = 0; code <= 256; code++) {
		bool is_owned = i < (int)(sizeof(owned) / sizeof(owned[0])) && owned[i] == code;

		snprintf(key, sizeof(key), "%d", code);
		assert_int_equal(conf_option_parse(key, "hex:01", &o, why, sizeof(why)),
				 !is_owned && code < 256);
		i += is_owned;
	}
	assert_false(conf_option_parse("042", "ip:10.0.0.1", &o, why, sizeof(why)));
	assert_false(conf_option_parse("", "x", &o, why, sizeof(why)));
}

/* Random values of each type come back as they went. */
static void option_random(void **state)
{
	static const char *const keys[] = {"ntp", "routes", "vendor", "search", "224"};
	char text[CONF_OPTION_TEXT], key[CONF_OPTION_TEXT], back[CONF_OPTION_TEXT], why[320];
	struct conf_option o, again;
	uint32_t random = 7;
	size_t taken = 0;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		unsigned kind = (unsigned)i % 5, n, items;

		random = random * 1664525 + 1013904223;
		items = 1 + (random >> 20) % 60;
		n = kind == 2 || kind == 4
			    ? (unsigned)snprintf(text, sizeof(text), kind == 4 ? "hex:" : "")
			    : 0;
		for (unsigned k = 0; k < items && n < sizeof(text) - 64; k++) {
			random = random * 1664525 + 1013904223;
			if (kind == 0)
				n += (unsigned)sprintf(text + n, "%s%u.1.2.%u", k ? "," : "",
						       1 + (random >> 8) % 223, random >> 24);
			else if (kind == 1)
				n += (unsigned)sprintf(
					text + n, "%s%u.0.0.0/%u 10.0.0.%u", k ? "," : "",
					random >> 24, 8 + (random >> 8) % 25, (random >> 16) & 255);
			else if (kind == 3)
				n += (unsigned)sprintf(text + n, "%sa%u.b%u", k ? "," : "",
						       random >> 16, random & 255);
			else
				n += (unsigned)sprintf(text + n, "%02x", random >> 24);
		}
		if (!conf_option_parse(keys[kind], text, &o, why, sizeof(why))) {
			assert_non_null(strstr(why, "longer than 255 bytes"));
			continue;
		}
		taken++;
		conf_option_text(&o, key, back);
		assert_true(conf_option_parse(key, back, &again, why, sizeof(why)));
		assert_memory_equal(&o, &again, sizeof(o));
	}
	assert_true(taken > 5000);
}

/* --- Verbs --- */

struct step {
	enum conf_merge how;
	const char *text, *error; /* error NULL: it works */
	const char *print;	  /* a piece of what is printed then */
};

#define ONE(s) "{networks: {office: {dhcp: {reservations: {" s "}}}}}"

/* Each after the one before. */
static const struct step steps[] = {
	{CONF_SET, ONE("10.0.0.5: {mac: '02:00:00:00:00:05', name: web}"), NULL,
	 "dhcp: {reservations: [{mac: \"02:00:00:00:00:05\", ip: 10.0.0.5, name: web}]}"},
	{CONF_SET, ONE("'fd00::6': {port: web, ip: 10.0.0.6, options: {ntp: 10.0.0.1}}"), NULL,
	 "{port: web, ip: 10.0.0.6, ip6: \"fd00::6\", options: {ntp: \"10.0.0.1\"}}"},
	{CONF_SET, ONE("10.0.0.5: {mac: '02:00:00:00:00:07'}"),
	 "network office: the reservation of 10.0.0.5 exists already", NULL},
	{CONF_SET, ONE("10.0.0.7: {mac: '02:00:00:00:00:05'}"),
	 "network office: reservation of 10.0.0.7: its mac is that of the reservation of 10.0.0.5 "
	 "already",
	 NULL},
	{CONF_SET, ONE("10.0.0.7: {mac: '02:00:00:00:00:07', ip: 10.0.0.8}"),
	 "network office: the reservation has another address inside", NULL},
	{CONF_SET, ONE("10.0.0.7: null"), "network office: there is no reservation of 10.0.0.7",
	 NULL},
	{CONF_SET, ONE("10.0.7: null"), "network office: \"10.0.7\" is not an IP address", NULL},
	{CONF_SET, ONE("'fd00::6': null, 'fd00:0::6': null"),
	 "network office: the address is there twice", NULL},
	{CONF_SET, "{networks: {office: {dhcp: 10.0.0.50-10.0.0.60}}}", NULL,
	 "dhcp: {range: 10.0.0.50-10.0.0.60, reservations: [{mac"},
	{CONF_SET, "{networks: {office: {dhcp: {lease: 8h}}}}", NULL,
	 "dhcp: {range: 10.0.0.50-10.0.0.60, lease: 8h, reservations: [{mac"},
	{CONF_SET, "{networks: {office: {dhcp: {range: null, lease: null}}}}", NULL,
	 "dhcp: {reservations: [{mac"},
	{CONF_SET, ONE("10.0.0.5: null, 10.0.0.8: {mac: '02:00:00:00:00:05'}"), NULL,
	 "reservations: [{port: web, ip: 10.0.0.6, ip6: \"fd00::6\", options: {ntp: "
	 "\"10.0.0.1\"}}, {mac: \"02:00:00:00:00:05\", ip: 10.0.0.8}]"},
	{CONF_DEL, "{ports: {web: null}}",
	 "network office: reservation of 10.0.0.6: port \"web\" does not exist", NULL},
	{CONF_SET, ONE("'fd00::6': null"), NULL,
	 "reservations: [{mac: \"02:00:00:00:00:05\", ip: 10.0.0.8}]"},
	{CONF_SET, "{networks: {office: {dhcp: {reservations: [{port: web, ip: 10.0.0.9}]}}}}",
	 NULL, "reservations: [{port: web, ip: 10.0.0.9}]"},
	{CONF_SET, "{networks: {office: {dhcp: {reservations: null}}}}", NULL, "dhcp: {}}"},
	{CONF_SET, "{networks: {office: {no-dhcp: true}}}", NULL, "dhcp: {}, no-dhcp: true"},
	{CONF_SET, "{networks: {office: {dhcp: null, no-dhcp: true}}}", NULL, "no-dhcp: true"},
	{CONF_SET, "{networks: {office: {no-dhcp: null, domain: a.example, dns: '10.0.0.1'}}}",
	 NULL, "dns: [10.0.0.1], domain: a.example}"},
	{CONF_SET, "{networks: {office: {domain: null, dns: null}}}", NULL,
	 "ipv6: \"fd00::/64\", uplink: host}"},
	{CONF_SET, "{networks: {office: {dhcp: {options: {ntp: 10.0.0.1}}}}}", NULL,
	 "options: {ntp: \"10.0.0.1\"}"},
	{CONF_SET, "{networks: {office: {dhcp: {options: {42: 'ip:10.0.0.2'}}}}}", NULL,
	 "options: {\"42\": \"ip:10.0.0.2\"}"},
	{CONF_SET, "{ports: {web: {ipv4: dhcp}}}", NULL, "network: office, ipv4: dhcp}"},
	{CONF_SET, "{ports: {web: {ipv4: 10.0.0.5/24}}}", NULL,
	 "network: office, ipv4: 10.0.0.5/24}"},
	{CONF_SET, "{ports: {web: {ipv4: dhcp}}}", NULL, "network: office, ipv4: dhcp}"},
	{CONF_SET, "{ports: {web: {ipv4: null, guard: strict}}}", NULL,
	 "network: office, guard: strict}"},
	{CONF_ADD, "{dns: {servers: [192.0.2.1]}}", NULL, "dns: {servers: [192.0.2.1]}"},
	{CONF_ADD, "{dns: {servers: [192.0.2.2]}}", "dns: exists already", NULL},
	{CONF_ADD, "{dns: {servers: [192.0.2.1]}}", NULL, "dns: {servers: [192.0.2.1]}"},
	{CONF_SET, "{dns: {domains: {x.example: 192.0.2.2}}}", NULL,
	 "dns: {servers: [192.0.2.1], domains: {x.example: [192.0.2.2]}}"},
	{CONF_SET, "{dns: {servers: null}}", NULL, "dns: {domains: {x.example: [192.0.2.2]}}"},
	{CONF_DEL, "{dns: null}", NULL, "guard: strict}\n"},
};

static struct conf *office(void)
{
	return parse(
		"networks: {office: {mode: nat, vlan: 7, ipv4: 10.0.0.0/24, ipv6: 'fd00::/64'}}\n"
		"ports: {web: {tap: eth0, netns: c1, network: office}}\n");
}

static void verbs(void **state)
{
	struct conf *c = office(), *next;

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		const struct step *s = &steps[i];
		char *text;

		next = conf_copy(c);
		assert_string_equal(verb(next, s->how, s->text), s->error ? s->error : "");
		text = s->error ? NULL : conf_print(next);
		if (text && !strstr(text, s->print))
			fail_msg("%s: %s", s->text, text);
		free(text);
		conf_destroy(s->error ? next : c);
		c = s->error ? c : next;
	}
	conf_destroy(c);
}

/* What has nothing to do with the rest of the fabric is bad data; the rest is a refusal. */
static void faults(void **state)
{
	static const struct {
		const char *text;
		enum conf_fault fault;
	} wrongs[] = {
		{ONE("10.0.0.5: {mac: x}"), CONF_BAD_VALUE},
		{ONE("x: {mac: '02:00:00:00:00:05'}"), CONF_BAD_VALUE},
		{ONE("10.0.0.5: {}"), CONF_MISSING},
		{ONE("10.0.1.5: {mac: '02:00:00:00:00:05'}"), CONF_REFUSED},
		{ONE("10.0.0.1: {mac: '02:00:00:00:00:05'}"), CONF_REFUSED},
		{ONE("10.0.0.5: {port: c9}"), CONF_REFUSED},
		{ONE("10.0.0.5: null"), CONF_REFUSED},
		{"{networks: {office: {dhcp: 10.0.1.5-10.0.1.6}}}", CONF_REFUSED},
		{"{networks: {office: {dhcp: 5}}}", CONF_BAD_VALUE},
		{"{networks: {office: {domain: a b}}}", CONF_BAD_VALUE},
		{"{ports: {web: {netns: null, ipv4: dhcp}}}", CONF_MISSING},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		struct conf *c = office();
		struct conf_error err;
		int status = conf_merge(c, wrongs[i].text, strlen(wrongs[i].text), CONF_SET, &err);

		if (!status)
			status = conf_validate(c, NULL, &err);
		assert_int_equal(status, -EINVAL);
		if (err.fault != wrongs[i].fault)
			print_message("%s: %s\n", wrongs[i].text, err.text);
		assert_int_equal(err.fault, wrongs[i].fault);
		conf_destroy(c);
	}
}

/* Each key makes a difference, and none is left in a copy. */
static void differences(void **state)
{
	static const char *const keys[] = {
		"dhcp: {}",
		"dhcp: {range: 10.0.0.5-10.0.0.6}",
		"dhcp: {range: 10.0.0.5-10.0.0.7}",
		"dhcp: {lease: 2h}",
		"dhcp: {per-port: 5}",
		"dhcp: {ipv6: stateful}",
		"dhcp: {ipv6: stateful, range6: 'fd00::5-fd00::6'}",
		"dhcp: {options: {ntp: 10.0.0.1}}",
		"dhcp: {options: {ntp: 10.0.0.2}}",
		"dhcp: {options: {next-server: 10.0.0.2}}",
		"dhcp: {classes: [{vendor: a}]}",
		"dhcp: {classes: [{vendor: b}]}",
		"dhcp: {classes: [{arch: 7}]}",
		"dhcp: {classes: [{arch: '7,9'}]}",
		"dhcp: {classes: [{arch: 7, options: {ntp: 10.0.0.1}}]}",
		"dhcp: {reservations: [{port: web, ip: 10.0.0.5}]}",
		"dhcp: {reservations: [{port: web, ip: 10.0.0.6}]}",
		"dhcp: {reservations: [{port: web, ip: 10.0.0.5, name: a}]}",
		"dhcp: {reservations: [{port: web, ip: 10.0.0.5, options: {ntp: 10.0.0.1}}]}",
		"dhcp: {reservations: [{client-id: '0102', ip: 10.0.0.5}]}",
		"dhcp: {reservations: [{client-id: '010200', ip: 10.0.0.5}]}",
		"no-dhcp: true",
		"dns: [10.0.0.1]",
		"dns: [10.0.0.2]",
		"dns: [10.0.0.1, 10.0.0.2]",
		"domain: a",
	};
	enum { N = sizeof(keys) / sizeof(keys[0]) };
	struct conf *all[N], *copy;
	char text[512];

	(void)state;
	for (size_t i = 0; i < N; i++) {
		snprintf(text, sizeof(text), "{networks: {office: {%s}}}", keys[i]);
		all[i] = office();
		assert_string_equal(verb(all[i], CONF_SET, text), "");
		for (size_t j = 0; j < i; j++)
			assert_false(
				conf_network_equal(&all[i]->networks[0], &all[j]->networks[0]));
		copy = conf_copy(all[i]);
		assert_true(conf_network_equal(&all[i]->networks[0], &copy->networks[0]));
		assert_string_equal(verb(copy, CONF_SET,
					 "{networks: {office: {dhcp: null, no-dhcp: null, dns: "
					 "null, domain: null}}}"),
				    "");
		assert_false(conf_network_equal(&all[i]->networks[0], &copy->networks[0]));
		conf_destroy(copy);
	}
	for (size_t i = 0; i < N; i++)
		conf_destroy(all[i]);
}

/* The same bytes are the same option, however written. */
static void same_option(void **state)
{
	struct conf *a = office(), *b = office();
	struct plan *plan;

	(void)state;
	verb(a, CONF_SET, "{networks: {office: {dhcp: {options: {ntp: 10.0.0.1}}}}}");
	verb(b, CONF_SET, "{networks: {office: {dhcp: {options: {42: 'hex:0a000001'}}}}}");
	assert_true(conf_network_equal(&a->networks[0], &b->networks[0]));
	assert_string_equal(verb(b, CONF_ADD, "{dns: {servers: [192.0.2.1]}}"), "");
	plan = plan_create(a, b);
	assert_int_equal(plan->n, 1);
	assert_string_equal(plan->changes[0].object, "dns");
	assert_string_equal(plan->changes[0].what, "servers");
	plan_destroy(plan);
	conf_destroy(a);
	conf_destroy(b);
}

/* --- Size --- */

static double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void put_all(FILE *f, const char *format)
{
	for (unsigned i = 0; i < CONF_RESERVATIONS_MAX; i++)
		fprintf(f, format, i / 250, i % 250 + 2, i >> 8, i & 255);
}

/* As many as there may be, given at once and one by one; and taken away so. */
static void is_quick(void **state)
{
	char *text = NULL;
	size_t bytes;
	FILE *f = open_memstream(&text, &bytes);
	struct conf *c = parse("networks: {a: {mode: nat, ipv4: 10.0.0.0/16, dhcp: {}}}");
	double start = cpu_ms();

	(void)state;
	fprintf(f, "networks: {a: {dhcp: {reservations: {");
	put_all(f, "10.0.%u.%u: {mac: \"02:00:00:00:%02x:%02x\"},\n");
	fprintf(f, "}}}}");
	fclose(f);
	assert_string_equal(verb(c, CONF_SET, text), "");
	assert_int_equal(c->networks[0].dhcp.n_reservations, CONF_RESERVATIONS_MAX);
	assert_string_equal(
		verb(c, CONF_SET,
		     "{networks: {a: {dhcp: {reservations: {10.0.250.5: {port: x}}}}}}"),
		"network a: more than 16384 reservations");
	assert_string_equal(
		verb(c, CONF_SET, "{networks: {a: {dhcp: {reservations: {10.0.0.2: null}}}}}"), "");
	assert_string_equal(verb(c, CONF_SET,
				 "{networks: {a: {dhcp: {reservations: {10.0.0.2: {mac: "
				 "'02:00:00:00:00:01'}}}}}}"),
			    "network a: reservation of 10.0.0.2: its mac is that of the "
			    "reservation of 10.0.0.3 already");
	free(text);
	conf_destroy(c);
	c = parse("networks: {a: {mode: nat, ipv4: 10.0.0.0/16, dhcp: {}}}");
	f = open_memstream(&text, &bytes);
	fprintf(f, "networks: {a: {dhcp: {reservations: [");
	put_all(f, "{ip: 10.0.%u.%u, mac: \"02:00:00:00:%02x:%02x\"},\n");
	fprintf(f, "]}}}");
	fclose(f);
	assert_string_equal(verb(c, CONF_SET, text), "");
	free(text);
	f = open_memstream(&text, &bytes);
	fprintf(f, "networks: {a: {dhcp: {reservations: {");
	put_all(f, "10.0.%u.%u: null, # %u %u\n");
	fprintf(f, "}}}}");
	fclose(f);
	assert_string_equal(verb(c, CONF_SET, text), "");
	assert_int_equal(c->networks[0].dhcp.n_reservations, 0);
	free(text);
	conf_destroy(c);
#ifndef VFAB_SANITIZED
	assert_true(cpu_ms() - start < 1500);
#else
	(void)start;
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(serves),	 cmocka_unit_test(zones),
		cmocka_unit_test(option_bytes),	 cmocka_unit_test(option_owners),
		cmocka_unit_test(option_random), cmocka_unit_test(verbs),
		cmocka_unit_test(faults),	 cmocka_unit_test(differences),
		cmocka_unit_test(same_option),	 cmocka_unit_test(is_quick),
	};

	return cmocka_run_group_tests_name("conf_dhcp", tests, NULL, NULL);
}
