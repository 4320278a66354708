/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guard strict, one frame (B16, D16, CVE-2020-10749): each line of the table in guard.h both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/conf.h"
#include "switch/forward.h"
#include "tests/lib/fake_port.h"
#include "tests/lib/guard_lab.h"

enum { AH = 51 };

/* --- the table --------------------------------------------------------------------------- */

static void test_source_mac(void **state)
{
	(void)state;
	gl_bind_fixed(A, "10.10.0.5");
	gl_ip4(&gl_mac_a, "10.10.0.5", "10.10.0.6", PROTO_TCP, 0, 0);
	gl_zeros(64);
	gl_goes();
	gl_ip4(&gl_mac_b, "10.10.0.5", "10.10.0.6", PROTO_TCP, 0, 0);
	gl_zeros(64);
	gl_is_refused(DROP_GUARD_MAC);
	gl_arp(&gl_mac_b, 1, &gl_mac_b, "10.10.0.5", "10.10.0.6");
	gl_is_refused(DROP_GUARD_MAC);
	gl_nd(&gl_mac_b, "::", 135, "fe80::b", 0, NULL);
	gl_is_refused(DROP_GUARD_MAC);
	gl_eth(&gl_mac_b, 0x888e);
	gl_zeros(46);
	gl_is_refused(DROP_GUARD_MAC);
}

/* Without a MAC of its own the port has that of its first address. */
static void test_source_mac_of_first_address(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		const struct mac *m = round ? &gl_mac_b : &gl_mac_a;

		gl_ip4(m, "0.0.0.0", "255.255.255.255", PROTO_UDP, 0, 0);
		gl_udp(68, 67);
		assert_int_equal(gl_ask(A, &gl_none, SNAP),
				 DROP_NONE); /* no address yet: any MAC asks */
	}
	assert_int_equal(gl_bind_at(A, "10.10.0.5", &gl_mac_a, NOW_S + 60, false), 0);
	assert_int_equal(gl_ask(A, &gl_none, SNAP), DROP_GUARD_MAC);
	gl_ip4(&gl_mac_b, "10.10.0.5", "10.10.0.6", PROTO_TCP, 0, 0);
	gl_zeros(64);
	assert_int_equal(gl_ask(A, &gl_none, SNAP), DROP_GUARD_MAC);
	gl_nd(&gl_mac_b, "::", 135, "fe80::b", 0, NULL);
	assert_int_equal(gl_ask(A, &gl_none, SNAP), DROP_GUARD_MAC);
	gl_eth(&gl_mac_b, 0x88cc);
	gl_zeros(46);
	assert_int_equal(gl_ask(A, &gl_none, SNAP), DROP_GUARD_MAC);
	gl_ip4(&gl_mac_a, "10.10.0.5", "10.10.0.6", PROTO_TCP, 0, 0);
	gl_zeros(64);
	assert_int_equal(gl_ask(A, &gl_none, SNAP), DROP_NONE);
	gl_now_s += 60; /* the lease is over */
	assert_int_equal(gl_ask(A, &gl_none, SNAP), DROP_GUARD_IP);
	gl_nd(&gl_mac_b, "::", 135, "fe80::b", 0, NULL);
	assert_int_equal(gl_ask(A, &gl_none, SNAP), DROP_NONE); /* learned: ties B's MAC */
	gl_nd(&gl_mac_a, "::", 135, "fe80::a", 0, NULL);
	assert_int_equal(gl_ask(A, &gl_none, SNAP), DROP_GUARD_MAC);
	gl_now_s += GUARD_IDLE_S;
	assert_int_equal(gl_ask(A, &gl_none, SNAP), DROP_NONE);
}

/* A binding without a MAC is for any, on a port without one. */
static void test_source_mac_of_any(void **state)
{
	(void)state;
	gl_bind_fixed(A, "10.10.0.5");
	for (unsigned round = 0; round < 2; round++) {
		gl_ip4(round ? &gl_mac_b : &gl_mac_a, "10.10.0.5", "10.10.0.6", PROTO_TCP, 0, 0);
		gl_zeros(64);
		assert_int_equal(gl_ask(A, &gl_none, SNAP), DROP_NONE);
	}
}

static void test_ipv4_source(void **state)
{
	(void)state;
	gl_bind_fixed(A, "10.10.0.5");
	gl_bind_fixed(B, "10.10.0.6");
	assert_int_equal(gl_bind_at(A, "10.10.0.7", &gl_mac_b, UINT32_MAX, false), 0);
	assert_int_equal(gl_bind_at(A, "10.10.0.8", &gl_mac_a, NOW_S + 1, false), 0);
	for (unsigned last = 0; last < 256; last++) {
		char text[16];

		snprintf(text, sizeof(text), "10.10.0.%u", last);
		gl_ip4(&gl_mac_a, text, "10.10.0.6", PROTO_ICMP, 0, 0);
		gl_zeros(64);
		if (last == 5 || last == 8)
			gl_goes();
		else
			gl_is_refused(DROP_GUARD_IP);
	}
	gl_now_s++;
	gl_ip4(&gl_mac_a, "10.10.0.8", "10.10.0.6", PROTO_ICMP, 0, 0);
	gl_is_refused(DROP_GUARD_IP);
	gl_ip4(&gl_mac_a, "10.10.0.5", "10.10.0.6", PROTO_TCP, 0, 40);
	gl_zeros(64);
	gl_goes();
	gl_vid = VID + 1; /* bound elsewhere */
	gl_is_refused(DROP_GUARD_IP);
}

static void test_ipv4_form(void **state)
{
	(void)state;
	gl_bind_fixed(A, "10.10.0.5");
	gl_ip4(&gl_mac_a, "10.10.0.5", "10.10.0.6", PROTO_TCP, 0, 0);
	gl_buf[14] = 0x44;
	gl_is_refused(DROP_GUARD_IP);
	gl_buf[14] = 0x65;
	gl_is_refused(DROP_GUARD_IP);
	gl_buf[14] = 0x45;
	gl_goes();
	gl_len--;
	gl_is_refused(DROP_GUARD_IP);
	gl_ip4(&gl_mac_a, "10.10.0.5", "10.10.0.6", PROTO_UDP, 0, 0);
	gl_zeros(7); /* a UDP header that ends */
	gl_is_refused(DROP_GUARD_IP);
	gl_zeros(1);
	gl_goes();
}

/* 0.0.0.0 is a DHCP client that asks, and nothing else. */
static void test_ipv4_nobody(void **state)
{
	static const struct {
		const char *dst;
		unsigned proto, fragment, sport, dport;
		bool good;
	} row[] = {
		{"255.255.255.255", PROTO_UDP, 0, 68, 67, true},
		{"255.255.255.255", PROTO_UDP, 0x4000, 68, 67, true}, /* DF */
		{"255.255.255.255", PROTO_UDP, 0x2000, 68, 67, false},
		{"255.255.255.255", PROTO_UDP, 1, 68, 67, false},
		{"255.255.255.255", PROTO_TCP, 0, 68, 67, false},
		{"255.255.255.255", PROTO_UDP, 0, 69, 67, false},
		{"255.255.255.255", PROTO_UDP, 0, 68, 53, false},
		{"10.10.0.1", PROTO_UDP, 0, 68, 67, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		gl_ip4(&gl_mac_a, "0.0.0.0", row[i].dst, row[i].proto, row[i].fragment, 0);
		gl_udp(row[i].sport, row[i].dport);
		if (row[i].good)
			gl_goes();
		else
			gl_is_refused(DROP_GUARD_IP);
	}
}

static void test_arp(void **state)
{
	(void)state;
	gl_bind_fixed(A, "10.10.0.5");
	gl_bind_fixed(B, "10.10.0.6");
	assert_int_equal(gl_bind_at(B, "10.10.0.9", &gl_none, NOW_S + 5, false), 0);
	for (unsigned op = 1; op <= 2; op++) {
		gl_arp(&gl_mac_a, op, &gl_mac_a, "10.10.0.5", "10.10.0.6");
		gl_goes();
		gl_arp(&gl_mac_a, op, &gl_mac_a, "10.10.0.6", "10.10.0.5"); /* another port's */
		gl_is_refused(DROP_GUARD_ARP);
		gl_arp(&gl_mac_a, op, &gl_mac_a, "10.10.0.1", "10.10.0.6"); /* the gateway's */
		gl_is_refused(DROP_GUARD_ARP);
		gl_arp(&gl_mac_a, op, &gl_mac_b, "10.10.0.5", "10.10.0.6"); /* another MAC inside */
		gl_is_refused(DROP_GUARD_ARP);
	}
	gl_arp(&gl_mac_a, 1, &gl_mac_a, "0.0.0.0", "10.10.0.5"); /* probes */
	gl_goes();
	gl_arp(&gl_mac_a, 1, &gl_mac_a, "0.0.0.0", "10.10.0.77");
	gl_goes();
	gl_arp(&gl_mac_a, 1, &gl_mac_a, "0.0.0.0", "10.10.0.6");
	gl_is_refused(DROP_GUARD_ARP);
	gl_arp(&gl_mac_a, 1, &gl_mac_a, "0.0.0.0", "10.10.0.9");
	gl_is_refused(DROP_GUARD_ARP);
	gl_now_s += 5;
	gl_goes();
	gl_arp(&gl_mac_a, 2, &gl_mac_a, "0.0.0.0", "10.10.0.5");
	gl_is_refused(DROP_GUARD_ARP);
}

static void test_arp_form(void **state)
{
	(void)state;
	gl_bind_fixed(A, "10.10.0.5");
	gl_arp(&gl_mac_a, 1, &gl_mac_a, "10.10.0.5", "10.10.0.6");
	gl_zeros(18);
	gl_goes();
	gl_len = 41;
	gl_is_refused(DROP_GUARD_ARP);
	for (unsigned at = 14; at < 20; at++) {
		gl_arp(&gl_mac_a, 1, &gl_mac_a, "10.10.0.5", "10.10.0.6");
		gl_buf[at] ^= 1;
		gl_is_refused(DROP_GUARD_ARP);
	}
}

static void test_ipv6_source(void **state)
{
	static const struct {
		const char *src;
		bool good;
	} row[] = {
		{"fd01::5", true},
		{"fd01::6", false}, /* bound */
		{"fe80::a", true},
		{"fd00::a", true}, /* learned */
		{"fe80::", false},
		{"fd00::", false}, /* the routers' anycast */
		{"fe80::76:66ff:fe00:a", false},
		{"fd00::1", false}, /* the gateway's */
		{"fe80:0:0:1::a", false},
		{"fd00:0:0:1::a", false}, /* other prefixes */
		{"ff02::1", false},
		{"::1", false},
		{"2001:db8::1", false},
		{"::", false},
	};

	(void)state;
	gl_bind_fixed(A, "fd01::5");
	gl_bind_fixed(A, "10.10.0.5");
	gl_bind_fixed(B, "fd01::6");
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		gl_ip6(&gl_mac_a, row[i].src, PROTO_TCP, 0);
		gl_zeros(20);
		gl_seal6();
		if (row[i].good)
			gl_goes();
		else
			gl_is_refused(DROP_GUARD_IP);
	}
	gl_ip6(&gl_mac_a, "::", PROTO_TCP, 0); /* a bound IPv4 address, mapped */
	gl_zeros(20);
	gl_seal6();
	memcpy(gl_buf + 22 + 10, (uint8_t[]){0xff, 0xff, 10, 10, 0, 5}, 6);
	gl_is_refused(DROP_GUARD_IP);
	gl_ip6(&gl_mac_a, "fd00::a", PROTO_TCP, 0);
	gl_zeros(20);
	gl_seal6();
	gl_buf[14] = 0x45;
	gl_is_refused(DROP_GUARD_IP);
	gl_vid = VID + 1; /* nothing announced there */
	gl_buf[14] = 0x60;
	gl_is_refused(DROP_GUARD_IP);
}

static void test_ipv6_nobody(void **state)
{
	(void)state;
	for (unsigned type = 1; type < 256; type++) {
		if (type == 134 || type == 136 || type == 137)
			continue;
		gl_nd(&gl_mac_a, "::", type, "fe80::a", 0, NULL);
		if (type == 133) {
			gl_len = 62;
			gl_seal6();
		}
		if (type == 131 || type == 132 || type == 133 || type == 135 || type == 143)
			gl_goes();
		else
			gl_is_refused(DROP_GUARD_IP);
	}
	gl_ip6(&gl_mac_a, "::", PROTO_UDP, 0);
	gl_udp(546, 547);
	gl_seal6();
	gl_goes();
	gl_ip6(&gl_mac_a, "::", PROTO_UDP, 0);
	gl_udp(546, 53);
	gl_seal6();
	gl_is_refused(DROP_GUARD_IP);
	gl_ip6(&gl_mac_a, "::", 44, 0); /* a later fragment, whatever it says it is of */
	gl_put8(PROTO_ICMPV6);
	gl_put8(0);
	gl_put16(8);
	gl_zeros(4);
	gl_icmp6(135);
	gl_seal6();
	gl_is_refused(DROP_GUARD_IP);
}

static void test_nd(void **state)
{
	(void)state;
	gl_bind_fixed(A, "fd01::5");
	gl_bind_fixed(B, "fd01::6");
	gl_nd(&gl_mac_a, "fe80::a", 136, "fe80::a", 2, &gl_mac_a); /* of one's own */
	gl_goes();
	gl_nd(&gl_mac_a, "fe80::a", 136, "fd01::5", 2, &gl_mac_a);
	gl_goes();
	gl_nd(&gl_mac_a, "fe80::a", 136, "fd00::77", 0, NULL); /* learned by it */
	gl_goes();
	gl_nd(&gl_mac_a, "fe80::a", 136, "fd01::6", 2, &gl_mac_a); /* of another's */
	gl_is_refused(DROP_GUARD_ND);
	gl_nd(&gl_mac_a, "fe80::a", 136, "fd00::1", 2, &gl_mac_a); /* the gateway's */
	gl_is_refused(DROP_GUARD_ND);
	gl_nd(&gl_mac_a, "fe80::a", 136, "fe80::76:66ff:fe00:a", 0, NULL);
	gl_is_refused(DROP_GUARD_ND);
	gl_nd(&gl_mac_a, "fe80::a", 136, "fe80::a", 2, &gl_mac_b);
	gl_is_refused(DROP_GUARD_ND);
	gl_nd(&gl_mac_a, "fe80::a", 136, "fe80::a", 2, &gl_mac_a);
	gl_option(2, &gl_mac_b); /* and a second one */
	gl_seal6();
	gl_is_refused(DROP_GUARD_ND);
	gl_nd(&gl_mac_a, "fe80::b", 136, "fe80::a", 0, NULL);
	gl_goes();						   /* both are its own: learned */
	gl_nd(&gl_mac_a, "fe80::a", 135, "fd01::6", 1, &gl_mac_a); /* a question about another */
	gl_goes();
	gl_nd(&gl_mac_a, "fe80::a", 135, "fd01::6", 1, &gl_mac_b);
	gl_is_refused(DROP_GUARD_ND);
	gl_nd(&gl_mac_a, "fe80::a", 135, "fd01::6", 2, &gl_mac_b);
	gl_is_refused(DROP_GUARD_ND);
	gl_nd(&gl_mac_a, "::", 135, "fd01::5", 0, NULL); /* DAD */
	gl_goes();
	gl_nd(&gl_mac_a, "::", 135, "fd01::6", 0, NULL);
	gl_is_refused(DROP_GUARD_ND);
	gl_nd(&gl_mac_a, "::", 135, "2001:db8::1", 0, NULL);
	gl_is_refused(DROP_GUARD_ND);
}

static void test_nd_form(void **state)
{
	uint32_t whole;

	(void)state;
	gl_nd(&gl_mac_a, "fe80::a", 136, "fe80::a", 2, &gl_mac_a);
	whole = gl_len;
	for (gl_len = 54; gl_len < whole;
	     gl_len++) { /* options and all of it, by the length of the packet */
		gl_seal6();
		if (gl_len == 78)
			gl_goes();
		else
			gl_is_refused(gl_len < 62 ? DROP_GUARD_IP : DROP_GUARD_ND);
	}
	gl_seal6();
	gl_goes();
	gl_buf[79] = 0; /* an option of no length, or of more than there is */
	gl_is_refused(DROP_GUARD_ND);
	gl_buf[79] = 2;
	gl_is_refused(DROP_GUARD_ND);
	gl_nd(&gl_mac_a, "fe80::a", 136, "fe80::a", 2, &gl_mac_a);
	gl_len = whole - 1; /* the packet says that it is longer than its frame */
	gl_is_refused(DROP_GUARD_IP);
	gl_ip6(&gl_mac_a, "fe80::a", PROTO_ICMPV6, 0);
	gl_icmp6(133);
	gl_option(1, &gl_mac_a);
	gl_seal6();
	gl_goes();
	memcpy(gl_buf + 64, &gl_mac_b, 6);
	gl_is_refused(DROP_GUARD_ND);
	/* Options beyond any snapshot. */
	gl_ip6(&gl_mac_a, "fe80::a", PROTO_ICMPV6, 0);
	gl_icmp6(133);
	while (gl_len < SNAP_MAX + 32) {
		gl_put8(14);
		gl_put8(1);
		gl_zeros(6);
	}
	gl_seal6();
	gl_is_refused(DROP_GUARD_ND);
}

/* D16, B16: a guest's own DHCP server. */
static void test_rogue_dhcp(void **state)
{
	static const struct {
		unsigned sport, dport, fragment;
		enum drop drop4, drop6;
	} row[] = {
		{67, 68, 0, DROP_ROGUE_DHCP, DROP_NONE},
		{67, 67, 0, DROP_ROGUE_DHCP, DROP_NONE},
		{67, 1234, 0, DROP_ROGUE_DHCP, DROP_NONE},
		{1234, 68, 0, DROP_ROGUE_DHCP, DROP_NONE},
		{68, 67, 0, DROP_NONE, DROP_NONE},
		{547, 546, 0, DROP_NONE, DROP_ROGUE_DHCP},
		{547, 547, 0, DROP_NONE, DROP_ROGUE_DHCP},
		{1234, 546, 0, DROP_NONE, DROP_ROGUE_DHCP},
		{546, 547, 0, DROP_NONE, DROP_NONE},
		{53, 53, 0, DROP_NONE, DROP_NONE},
		{67, 68, 0x2000, DROP_ROGUE_DHCP, DROP_NONE}, /* the first fragment */
		{67, 68, 0x2001, DROP_NONE, DROP_NONE},	      /* a later one holds no ports */
	};

	(void)state;
	gl_bind_fixed(A, "10.10.0.5");
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		for (uint32_t options = 0; options <= 40; options += 20) {
			gl_ip4(&gl_mac_a, "10.10.0.5", "10.10.0.6", PROTO_UDP, row[i].fragment,
			       options);
			gl_udp(row[i].sport, row[i].dport);
			if (row[i].drop4)
				gl_is_refused(row[i].drop4);
			else
				gl_goes();
		}
		gl_ip6(&gl_mac_a, "fe80::a", PROTO_UDP, 0);
		gl_udp(row[i].sport, row[i].dport);
		gl_seal6();
		if (row[i].drop6)
			gl_is_refused(row[i].drop6);
		else
			gl_goes();
	}
	/* Whatever address it says it has. */
	gl_ip4(&gl_mac_a, "10.10.0.1", "255.255.255.255", PROTO_UDP, 0, 0);
	gl_udp(67, 68);
	gl_is_refused(DROP_ROGUE_DHCP);
	gl_ip4(&gl_mac_a, "10.10.0.5", "10.10.0.6", PROTO_TCP, 0, 0);
	gl_udp(67, 68);
	gl_goes();
}

/* One extension header of that kind, of 8 bytes (AH: 12), with what follows it. */
static void extension(unsigned kind, unsigned next)
{
	gl_put8(next);
	gl_put8(kind == AH ? 1 : 0);
	gl_zeros(kind == AH ? 10 : 6);
}

/* A message of ICMPv6 behind n headers of that kind. */
static void behind(unsigned kind, unsigned n, unsigned type)
{
	gl_ip6(&gl_mac_a, "fe80::a", kind, 0);
	for (unsigned k = 1; k < n; k++)
		extension(kind, kind);
	extension(kind, PROTO_ICMPV6);
	gl_icmp6(type);
	gl_zeros(40);
	gl_seal6();
}

/* CVE-2020-10749: a guest that makes itself the router, behind whatever headers (RFC 7113). */
static void test_rogue_ra(void **state)
{
	static const uint8_t kinds[] = {0, 43, 44, AH, 60, 135, 139, 140};

	(void)state;
	for (unsigned type = 134; type <= 137; type += 3) {
		gl_ip6(&gl_mac_a, "fe80::a", PROTO_ICMPV6, 0);
		gl_icmp6(type);
		gl_zeros(40);
		gl_seal6();
		gl_is_refused(DROP_ROGUE_RA);
		gl_ip6(&gl_mac_a, "fe80::76:66ff:fe00:a", PROTO_ICMPV6, 0); /* as the gateway */
		gl_icmp6(type);
		gl_zeros(40);
		gl_seal6();
		gl_is_refused(DROP_ROGUE_RA);
		for (size_t i = 0; i < sizeof(kinds); i++)
			for (unsigned n = 1; n <= 9; n++) {
				behind(kinds[i], n, type);
				gl_is_refused(n < 9 ? DROP_ROGUE_RA : DROP_GUARD_IP);
			}
	}
}

static void test_chain(void **state)
{
	(void)state;
	gl_ip6(&gl_mac_a, "fe80::a", 60, 0); /* options of 1 KiB are read too */
	gl_put8(PROTO_ICMPV6);
	gl_put8(127);
	gl_zeros(1022);
	gl_icmp6(134);
	gl_seal6();
	gl_is_refused(DROP_ROGUE_RA);
	gl_buf[54 + 1024] = 128;
	gl_goes();
	gl_ip6(&gl_mac_a, "fe80::a", 60, 0); /* beyond any snapshot */
	gl_put8(PROTO_ICMPV6);
	gl_put8(255);
	gl_zeros(2046);
	gl_icmp6(128);
	gl_seal6();
	gl_is_refused(DROP_GUARD_IP);
	/* RFC 7113 2: the packet ends before its upper layer, and what lies behind it in the frame looks good. */
	gl_ip6(&gl_mac_a, "fe80::a", 44, 16);
	gl_put8(60);
	gl_put8(0);
	gl_put16(1);
	gl_zeros(4);
	gl_put8(PROTO_ICMPV6);
	gl_put8(0);
	gl_zeros(6);
	gl_icmp6(128);
	gl_is_refused(DROP_GUARD_IP);
	gl_buf[19] = 24;
	gl_goes();
	/* Neighbour discovery in fragments, also an atomic one (RFC 6980); echo may be. */
	for (unsigned more = 0; more < 2; more++) {
		struct ip target = gl_ip_of("fe80::a");

		gl_ip6(&gl_mac_a, "fe80::a", 44, 0);
		gl_put8(PROTO_ICMPV6);
		gl_put8(0);
		gl_put16(more);
		gl_zeros(4);
		gl_icmp6(136);
		gl_put(&target, 16);
		gl_seal6();
		gl_is_refused(DROP_GUARD_ND);
		gl_buf[62] = 128;
		gl_goes();
	}
	gl_ip6(&gl_mac_a, "fe80::a", 44, 0); /* a later fragment has its source judged alone */
	gl_put8(PROTO_ICMPV6);
	gl_put8(0);
	gl_put16(8);
	gl_zeros(4);
	gl_icmp6(134);
	gl_seal6();
	gl_goes();
	gl_ip6(&gl_mac_a, "fe80::a", 59, 0); /* no next header */
	gl_seal6();
	gl_goes();
	gl_ip6(&gl_mac_a, "fe80::a", 60, 0); /* the chain ends with the packet */
	gl_zeros(7);
	gl_seal6();
	gl_is_refused(DROP_GUARD_IP);
}

static void test_other_types(void **state)
{
	static const uint16_t good[] = {0x888e, 0x88cc};
	static const uint16_t bad[] = {ETYPE_8021Q, ETYPE_8021AD, 0x0040, 0x05ff, 0x8035, 0x8863,
				       0x8864,	    0x9000,	  0x88b6, 0x88e5, 0};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		gl_eth(&gl_mac_a, good[i]);
		gl_zeros(46);
		gl_goes();
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		gl_eth(&gl_mac_a, bad[i]);
		gl_zeros(46);
		gl_is_refused(DROP_GUARD_IP);
	}
}

/* --- in the packet path ------------------------------------------------------------------ */

static struct fake *fake[2];

/* Two ports on VLAN 10, the first one strict; what they receive has a short snapshot, as from a guest's memory. */
static struct fabric *make_fabric(struct fdb *fdb)
{
	static const char text[] =
		"{networks: {a: {mode: internal, vlan: 10}}, ports: {"
		"p: {tap: p, network: a, guard: strict, mac: '02:00:00:00:00:0a'}, "
		"q: {tap: q, network: a}}}";
	struct conf *conf = conf_create();
	struct port *ports[2];
	struct conf_error err;
	struct fabric *fab;

	assert_int_equal(conf_merge(conf, text, strlen(text), CONF_ADD, &err), 0);
	assert_int_equal(conf_validate(conf, NULL, &err), 0);
	for (unsigned i = 0; i < 2; i++) {
		fake[i] = fake_create(i ? "q" : "p", (uint16_t)i);
		fake[i]->snap_max = SNAP;
		ports[i] = &fake[i]->port;
	}
	fab = fabric_create(conf, ports, 2, fdb, 1, 1);
	conf_destroy(conf);
	assert_non_null(fab);
	return fab;
}

static void give(struct forwarder *w, const struct fabric *fab, unsigned in)
{
	struct port *p = &fake[in]->port;

	fake_clear(fake[!in]);
	fake_give(fake[in], gl_buf, gl_len, NULL);
	assert_int_equal(p->ops->rx(p, 0, w->scratch, &w->vec, VEC_SIZE), 1);
	forward(w, fab, (uint16_t)in);
	p->ops->rx_done(p, 0, NULL);
}

/* An ICMPv6 message behind 1 KiB of options, most of which is not in the snapshot. */
static void far_message(unsigned type)
{
	gl_ip6(&gl_mac_a, "fe80::a", 60, 0);
	gl_put8(PROTO_ICMPV6);
	gl_put8(127);
	for (unsigned i = 0; i < 1022; i++)
		gl_put8(i & 0xff);
	gl_icmp6(type);
	gl_zeros(300);
	gl_seal6();
}

static void test_forward(void **state)
{
	static const uint64_t seed[2] = {1, 2};
	struct fdb_table *table = aligned_alloc(64, sizeof(*table));
	struct fdb *fdb = fdb_create(table, true, seed);
	struct fabric *fab = make_fabric(fdb);
	struct forwarder *w = forwarder_create(0);
	const struct port_counters *c = &fake[0]->port.counters[0];

	(void)state;
	assert_non_null(w);
	w->guard = gl;
	w->now_ns = NOW_S * 1000000000ULL;
	gl_arp(&gl_mac_a, 2, &gl_mac_a, "10.10.0.5", "10.10.0.6");
	give(w, fab, 0);
	assert_int_equal(fake[1]->n_out, 0);
	assert_int_equal(c->drops[DROP_GUARD_ARP], 1);
	assert_int_equal(gl_bind_at(0, "10.10.0.5", &gl_none, UINT32_MAX, true), 0);
	give(w, fab, 0);
	assert_int_equal(fake[1]->n_out, 1);
	gl_arp(&gl_mac_b, 2, &gl_mac_b, "10.10.0.5", "10.10.0.6");
	give(w, fab, 0);
	assert_int_equal(c->drops[DROP_GUARD_MAC], 1);
	give(w, fab, 1); /* which is not strict */
	assert_int_equal(fake[0]->n_out, 1);
	far_message(134);
	give(w, fab, 0);
	assert_int_equal(c->drops[DROP_ROGUE_RA], 1);
	assert_int_equal(fake[1]->n_out, 0);
	far_message(128);
	give(w, fab, 0);
	assert_int_equal(fake[1]->n_out, 1);
	assert_int_equal(fake[1]->out[0].len, gl_len);
	assert_memory_equal(fake[1]->out[0].bytes, gl_buf, gl_len);
	fabric_destroy(fab);
	forwarder_destroy(w);
	fake_destroy(fake[0]);
	fake_destroy(fake[1]);
	fdb_destroy(fdb);
	free(table);
}

/* Somebody without a guard, behind slot B. */
struct others {
	struct ip ip;
	unsigned n_asked;
};

static bool is_others(void *arg, uint16_t vid, const struct ip *ip, const struct mac *m,
		      uint16_t slot)
{
	struct others *o = arg;
	struct ip nobody = gl_ip_of("fe80::dead");

	o->n_asked++;
	assert_int_equal(vid, VID);
	assert_int_equal(slot, A);
	assert_memory_equal(m, &gl_mac_a, sizeof(*m));
	guard_unbind(gl, VID, &nobody, false); /* the lock is free */
	return ip_equal(ip, &o->ip);
}

/* B16: nobody takes by first come what a guest without a guard has. */
static void test_others(void **state)
{
	static const char *const has[] = {"fd00::77", "fe80::77"};
	struct others o = {0};

	(void)state;
	gl_bind_fixed(A, "10.10.0.5");
	guard_ask_others(gl, is_others, &o);
	for (unsigned i = 0; i < 2; i++) {
		o.ip = gl_ip_of(has[i]);
		gl_ip6(&gl_mac_a, has[i], PROTO_TCP, 20);
		gl_zeros(20);
		gl_is_refused(DROP_GUARD_IP);
		gl_nd(&gl_mac_a, "::", 135, has[i], 0, NULL);
		gl_is_refused(DROP_GUARD_ND);
		gl_nd(&gl_mac_a, "fe80::a", 136, has[i], 2, &gl_mac_a);
		gl_is_refused(DROP_GUARD_ND);
	}
	o.ip = gl_ip_of("10.10.0.77");
	gl_arp(&gl_mac_a, 1, &gl_mac_a, "0.0.0.0", "10.10.0.77");
	gl_is_refused(DROP_GUARD_ARP);
	gl_arp(&gl_mac_a, 1, &gl_mac_a, "0.0.0.0", "10.10.0.78");
	gl_goes();
	/* What is the port's already is not asked for, nor what it could not learn. */
	o.n_asked = 0;
	o.ip = gl_ip_of("fe80::a");
	gl_ip6(&gl_mac_a, "fe80::a", PROTO_TCP, 20);
	gl_zeros(20);
	gl_goes();
	o.ip = gl_ip_of("10.10.0.5");
	gl_arp(&gl_mac_a, 1, &gl_mac_a, "10.10.0.5", "10.10.0.77");
	gl_goes();
	gl_ip6(&gl_mac_a, "2001:db8::1", PROTO_TCP, 20);
	gl_zeros(20);
	gl_is_refused(DROP_GUARD_IP);
	gl_nd(&gl_mac_a, "::", 135, "fd00::1", 0, NULL);
	gl_is_refused(DROP_GUARD_ND);
	assert_int_equal(o.n_asked, 0);
	/* It is gone. */
	o.ip = gl_ip_of("fe80::dead");
	gl_ip6(&gl_mac_a, "fd00::77", PROTO_TCP, 20);
	gl_zeros(20);
	gl_goes();
	assert_int_equal(o.n_asked, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, gl_setup, gl_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_source_mac),
		TEST(test_source_mac_of_first_address),
		TEST(test_source_mac_of_any),
		TEST(test_ipv4_source),
		TEST(test_ipv4_form),
		TEST(test_ipv4_nobody),
		TEST(test_arp),
		TEST(test_arp_form),
		TEST(test_ipv6_source),
		TEST(test_ipv6_nobody),
		TEST(test_nd),
		TEST(test_nd_form),
		TEST(test_rogue_dhcp),
		TEST(test_rogue_ra),
		TEST(test_chain),
		TEST(test_other_types),
		TEST(test_forward),
		TEST(test_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
