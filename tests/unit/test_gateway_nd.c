/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gateway: neighbour discovery, router advertisements, routed IPv6, announcements, services, what it only hears. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/gateway_lab.h"

enum {
	IP = ETH_HEADER,
	L4 = IP + 40,
	TARGET = L4 + 8,
	OPTION = L4 + 24,
	NS = 135,
	NA = 136,
	RS = 133,
	RA = 134
};

static struct gate_frame in, out;

/* A message about target; option: type of one with the host's MAC, 0: none. */
static void make_nd(uint16_t vid, uint8_t type, const char *src, const char *dst,
		    const char *target, uint8_t flags, uint8_t option)
{
	struct gate_say say = {
		.vid = vid, .src = src, .dst = dst, .proto = PROTO_ICMPV6, .ttl = 255};
	uint8_t l4[32] = {type, 0, 0, 0, flags};
	unsigned n = type == RS ? 8 : 24;
	struct mac mac;
	struct ip ip;

	if (type != RS) {
		assert_true(ip_parse(target, &ip));
		memcpy(l4 + 8, &ip, 16);
	}
	assert_true(ip_parse(src, &ip));
	mac = gate_host(vid, ip.b[15]);
	if (option) {
		l4[n] = option;
		l4[n + 1] = 1;
		memcpy(l4 + n + 2, &mac, 6);
		n += 8;
	}
	gate_ip(&in, &say, l4, n);
	assert_true(ip_parse(dst, &ip));
	if (ip.b[0] == 0xff) {
		in.b[0] = 0x33;
		in.b[1] = 0x33;
		memcpy(in.b + 2, ip.b + 12, 4);
	}
}

static void assert_advert(const struct lab *l, uint16_t vid, const char *target, uint8_t flags)
{
	struct mac mac = gate_leg(vid);

	assert_int_equal(l->made.vec.n, 1);
	assert_int_equal(l->made.vec.f[0].tci, vid);
	gate_made(l, 0, &out);
	assert_int_equal(out.b[IP + 7], 255);
	assert_int_equal(out.b[L4], NA);
	assert_int_equal(out.b[L4 + 4], flags);
	assert_true(gate_has_ip(&out, TARGET, target));
	assert_int_equal(out.b[OPTION], 2);
	assert_memory_equal(out.b + OPTION + 2, &mac, 6);
}

static void test_solicited(void **state)
{
	struct lab *l = *state;
	const struct gateway_leg *a = &l->conf->leg[LAB_A];

	make_nd(VID_A, NS, "fd00:a::5", "ff02::1:ff00:1", "fd00:a::1", 0, 1);
	assert_true(gateway_wants(a, gate_give(l, VID_A, &in, 64)));
	assert_int_equal(gate_pass(l, VID_A, &in)->out, OUT_LOCAL);
	assert_advert(l, VID_A, "fd00:a::1", 0xe0);
	assert_true(gate_has_ip(&out, IP + 24, "fd00:a::5"));
	assert_memory_equal(out.b, in.b + 6, 6);
	/* he is known now */
	gate_udp(&in, &(struct gate_say){.vid = VID_U, .src = "192.0.2.7", .dst = "192.0.2.1"}, 1,
		 8080, 1);
	/* our link-local address, by unicast */
	make_nd(VID_A, NS, "fe80::5", "fe80::76:66ff:fe00:a", "fe80::76:66ff:fe00:a", 0, 1);
	gate_pass(l, VID_A, &in);
	assert_advert(l, VID_A, "fe80::76:66ff:fe00:a", 0xe0);
	/* DAD: to all nodes, and not as an answer */
	make_nd(VID_A, NS, "::", "ff02::1:ff00:1", "fd00:a::1", 0, 0);
	gate_pass(l, VID_A, &in);
	assert_advert(l, VID_A, "fd00:a::1", 0xa0);
	assert_true(gate_has_ip(&out, IP + 24, "ff02::1"));
	/* the same group, another host; and not of the network */
	make_nd(VID_A, NS, "fd00:a::5", "ff02::1:ff00:1", "fd00:a::1:0:1", 0, 1);
	gate_clear(l);
	assert_false(gateway_wants(a, gate_give(l, VID_A, &in, 64)));
}

static void test_bad(void **state)
{
	struct lab *l = *state;

	for (unsigned i = 0; i < 7; i++) {
		make_nd(VID_A, NS, "fd00:a::5", "ff02::1:ff00:1", "fd00:a::1", 0, 1);
		switch (i) {
		case 0: /* it was forwarded */
			in.b[IP + 7] = 254;
			break;
		case 1:
			in.b[L4 + 2] ^= 1;
			break;
		case 2: /* an option without length */
			in.b[OPTION + 1] = 0;
			break;
		case 3: /* one that is longer than the message */
			in.b[OPTION + 1] = 2;
			break;
		case 4: /* an unspecified source has no MAC to tell */
			make_nd(VID_A, NS, "::", "ff02::1:ff00:1", "fd00:a::1", 0, 1);
			break;
		case 5: /* and asks the group */
			make_nd(VID_A, NS, "::", "fd00:a::1", "fd00:a::1", 0, 0);
			break;
		default: /* an answer to everybody that was asked for */
			make_nd(VID_A, NA, "fd00:a::5", "ff02::1", "fd00:a::5", 0x60, 2);
			break;
		}
		assert_int_equal(gate_pass(l, VID_A, &in)->drop, DROP_BAD_ARP);
		assert_int_equal(l->made.vec.n, 0);
	}
	make_nd(VID_A, 137, "fe80::5", "fd00:a::1", "fd00:a::5", 0, 0);
	assert_int_not_equal(gate_pass(l, VID_A, &in)->drop, DROP_NONE);
}

static void test_resolved(void **state)
{
	struct lab *l = *state;
	struct gate_say say = {.vid = VID_A, .src = "fd00:a::5", .dst = "2001:db8:7::7"};

	gate_udp(&in, &say, 4000, 53, 100);
	assert_int_equal(gate_pass(l, VID_A, &in)->out, OUT_LOCAL);
	assert_int_equal(l->made.vec.n, 1);
	gate_made(l, 0, &out);
	assert_int_equal(out.b[L4], NS);
	assert_true(gate_has_ip(&out, IP + 24, "ff02::1:ff00:fe"));
	assert_true(gate_has_ip(&out, TARGET, "2001:db8::fe"));
	make_nd(VID_U, NA, "2001:db8::fe", "2001:db8::1", "2001:db8::fe", 0x60, 2);
	gate_pass(l, VID_U, &in);
	assert_int_equal(l->made.vec.n, 1);
	gate_made(l, 0, &out);
	assert_true(gate_has_ip(&out, IP + 8, "2001:db8::1"));
	assert_int_equal(l->made.vec.f[0].tci, VID_U);
}

/* Networks behind us whose IPv6 is routed: we answer for them outside, and packets pass as they are. */
static void test_routed(void **state)
{
	struct lab *l = *state;
	struct gate_say to = {.vid = VID_R, .src = "2001:db8:40::5", .dst = "2001:db8:7::7"};
	struct gate_say from = {.vid = VID_U, .src = "2001:db8:7::7", .dst = "2001:db8:40::5"};
	struct frame *f;

	make_nd(VID_U, NS, "2001:db8::fe", "ff02::1:ff00:5", "2001:db8:40::5", 0, 1);
	assert_true(gateway_wants(&l->conf->leg[LAB_U], gate_give(l, VID_U, &in, 64)));
	gate_pass(l, VID_U, &in);
	assert_advert(l, VID_U, "2001:db8:40::5", 0xc0); /* no override */
	make_nd(VID_U, NS, "2001:db8::fe", "ff02::1:ff00:5", "fd00:a::5", 0, 1);
	gate_clear(l);
	assert_false(gateway_wants(&l->conf->leg[LAB_U], gate_give(l, VID_U, &in, 64)));
	gate_meet(l, VID_U, "2001:db8::fe");
	gate_meet(l, VID_R, "2001:db8:40::5");
	gate_udp(&in, &to, 1, 2, 3);
	f = gate_pass(l, VID_R, &in);
	assert_int_equal(f->out, OUT_NONE);
	gate_read(&out, f);
	assert_true(gate_has_ip(&out, IP + 8, "2001:db8:40::5"));
	assert_int_equal(out.b[IP + 7], 63);
	gate_udp(&in, &from, 1, 2, 3);
	f = gate_pass(l, VID_U, &in);
	assert_int_equal(f->out, OUT_NONE);
	assert_int_equal(f->tci, VID_R);
	/* nobody there: the one outside hears of it */
	from.dst = "2001:db8:40::99";
	gate_udp(&in, &from, 1, 2, 3);
	assert_int_equal(gate_pass(l, VID_U, &in)->out, OUT_LOCAL);
	for (unsigned i = 0; i < 3; i++)
		gate_tick(l, 1);
	assert_int_equal(l->made.vec.n, 1);
	gate_made(l, 0, &out);
	assert_int_equal(l->made.vec.f[0].tci, VID_U);
	assert_int_equal(out.b[L4], 1);
	assert_int_equal(out.b[L4 + 1], 3);
	assert_true(gate_has_ip(&out, IP + 8, "2001:db8::1"));
}

/* --- what is said unasked ---------------------------------------------------------------- */

static unsigned count_made(const struct lab *l, uint16_t vid, uint8_t type)
{
	unsigned n = 0;

	for (unsigned i = 0; i < l->made.vec.n; i++) {
		if (l->made.vec.f[i].tci != vid)
			continue;
		gate_made(l, i, &out);
		n += type ? out.b[12] == 0x86 && out.b[L4] == type
			  : out.b[12] == 8 && out.b[13] == 6;
	}
	return n;
}

static void test_announced(void **state)
{
	struct lab *l = *state;

	gateway_announce(l->g, l->conf, l->call.now_ns);
	assert_int_equal(gate_tick(l, 0), l->call.now_ns + 1000000000);
	assert_int_equal(count_made(l, VID_A, 0), 1);
	assert_int_equal(count_made(l, VID_A, NA), 1);
	assert_int_equal(count_made(l, VID_A, RA), 1);
	assert_int_equal(count_made(l, VID_U, 0), 1);
	assert_int_equal(count_made(l, VID_U, RA), 0);
	assert_int_equal(count_made(l, VID_H, 0), 0); /* the kernel's */
	gate_tick(l, 1);
	assert_int_equal(count_made(l, VID_A, 0), 1);
	gate_tick(l, 2);
	assert_int_equal(l->made.vec.n, 0);
	/* again, with nothing changed: nothing is said */
	gateway_announce(l->g, l->conf, l->call.now_ns);
	gate_tick(l, 0);
	assert_int_equal(l->made.vec.n, 0);
	/* another MTU: hosts hear of it */
	l->conf->leg[LAB_A].mtu = 1400;
	gateway_announce(l->g, l->conf, l->call.now_ns);
	gate_tick(l, 0);
	assert_int_equal(count_made(l, VID_A, RA), 1);
	assert_int_equal(count_made(l, VID_A, 0), 0);
}

static void test_advertised(void **state)
{
	static const uint8_t prefix[] = {3,    4,    64, 0xc0, 0, 1, 0x51, 0x80, 0, 0,
					 0x38, 0x40, 0,	 0,    0, 0, 0xfd, 0,	 0, 0x0a};
	struct lab *l = *state;
	unsigned n = 0;

	make_nd(VID_A, RS, "fe80::5", "ff02::2", NULL, 0, 1);
	assert_true(gateway_wants(&l->conf->leg[LAB_A], gate_give(l, VID_A, &in, 64)));
	assert_false(gateway_wants(&l->conf->leg[LAB_B], &l->v.f[0]));
	gate_pass(l, VID_A, &in);
	assert_int_equal(l->made.vec.n, 1);
	gate_made(l, 0, &out);
	assert_true(gate_has_ip(&out, IP + 24, "fe80::5"));
	assert_true(gate_has_ip(&out, IP + 8, "fe80::76:66ff:fe00:a"));
	assert_int_equal(out.b[L4], RA);
	assert_int_equal(read_be16(out.b + L4 + 6), 1800);
	assert_int_equal(read_be32(out.b + L4 + 28), 1500);
	assert_memory_equal(out.b + L4 + 32, prefix, sizeof(prefix));
	assert_int_equal(out.len, L4 + 64);
	/* without a source address: to all, and at most every 3 s */
	make_nd(VID_A, RS, "::", "ff02::2", NULL, 0, 0);
	gate_pass(l, VID_A, &in);
	assert_int_equal(l->made.vec.n, 1);
	gate_pass(l, VID_A, &in);
	assert_int_equal(l->made.vec.n, 0);
	/* three soon, then every 200 to 600 s */
	gateway_announce(l->g, l->conf, l->call.now_ns);
	for (unsigned s = 0; s < 40; s++) {
		gate_tick(l, 1);
		n += count_made(l, VID_A, RA);
	}
	assert_int_equal(n, 3);
	for (unsigned s = 0; s < 6000; s++) {
		gate_tick(l, 1);
		n += count_made(l, VID_A, RA);
	}
	assert_in_range(n, 3 + 10, 3 + 30);
	/* no way out: no default router */
	l->conf->leg[LAB_A].outside = LEG_NONE;
	*l->conf->leg[LAB_A].reaches = 0;
	make_nd(VID_A, RS, "fe80::5", "ff02::2", NULL, 0, 1);
	gate_pass(l, VID_A, &in);
	gate_made(l, 0, &out);
	assert_int_equal(read_be16(out.b + L4 + 6), 0);
}

/* The option of that type in `out`, the k-th; NULL: there is none. */
static const uint8_t *find_option(uint8_t type, unsigned k)
{
	for (unsigned at = L4 + 16; at < out.len; at += out.b[at + 1] * 8u) {
		assert_in_range(out.b[at + 1], 1, (out.len - at) / 8);
		if (out.b[at] == type && k-- == 0)
			return out.b + at;
	}
	return NULL;
}

static void advertise(struct lab *l)
{
	gateway_announce(l->g, l->conf, l->call.now_ns);
	gate_tick(l, 0);
	assert_int_equal(count_made(l, VID_A, RA), 1);
	for (unsigned i = 0; i < l->made.vec.n; i++) {
		gate_made(l, i, &out);
		if (l->made.vec.f[i].tci == VID_A && out.b[12] == 0x86 && out.b[L4] == RA)
			return;
	}
	fail();
}

/* What DHCPv6 has, and name servers and domains (RFC 8106). */
static void test_advertised_names(void **state)
{
	static const uint8_t domains[32] = "\3lab\4test\0\7example\3org";
	struct lab *l = *state;
	struct gateway_leg *a = &l->conf->leg[LAB_A];
	const uint8_t *o;

	advertise(l);
	assert_int_equal(out.b[L4 + 5], 0);
	assert_null(find_option(25, 0));
	assert_null(find_option(31, 0));
	a->ra_flags = RA_MANAGED | RA_OTHER;
	a->n_rdnss = 2;
	assert_true(ip_parse("fd00:a::1", &a->rdnss[0]));
	assert_true(ip_parse("2001:db8::53", &a->rdnss[1]));
	a->dnssl = strdup("lab.test bad..name example.org.");
	advertise(l);
	assert_int_equal(out.b[L4 + 5], 0xc0);
	o = find_option(25, 0);
	assert_non_null(o);
	assert_int_equal(o[1], 5);
	assert_int_equal(read_be32(o + 4), 1800);
	assert_memory_equal(o + 8, a->rdnss, 32);
	o = find_option(31, 0);
	assert_non_null(o);
	assert_int_equal(o[1], 4);
	assert_int_equal(read_be32(o + 4), 1800);
	assert_memory_equal(o + 8, domains, 24);
	/* Nothing is new, then one server is. */
	gateway_announce(l->g, l->conf, l->call.now_ns);
	gate_tick(l, 0);
	assert_int_equal(l->made.vec.n, 0);
	a->n_rdnss = 1;
	advertise(l);
	/* More domains than there is room for. */
	free(a->dnssl);
	a->dnssl = calloc(1, 2000);
	assert_non_null(a->dnssl);
	for (unsigned i = 0; i < 100; i++)
		strcat(a->dnssl, "some.where.example ");
	advertise(l);
	o = find_option(31, 0);
	assert_non_null(o);
	assert_int_equal(o[1], 1 + 30); /* twelve of 20 bytes */
}

/* Networks that are not advertised any more: RFC 4862 5.5.3 (lifetimes of 0), RFC 4861 6.2.5. */
static void test_taken_back(void **state)
{
	struct lab *l = *state;
	struct gateway_leg *a = &l->conf->leg[LAB_A];
	const struct prefix first = a->v6;
	const uint8_t *o;
	unsigned n = 0;

	advertise(l);
	/* Hosts get their addresses by DHCPv6 now: the network is still theirs. */
	a->is_slaac = false;
	advertise(l);
	o = find_option(3, 0);
	assert_int_equal(o[3], 0x80);
	assert_int_equal(read_be32(o + 4), 86400);
	o = find_option(3, 1);
	assert_non_null(o);
	assert_int_equal(o[3], 0x40);
	assert_int_equal(read_be32(o + 4), 0);
	assert_int_equal(read_be32(o + 8), 0);
	assert_memory_equal(o + 16, &first.ip, 8);
	/* Something else changes: it is still said; they may again: no more. */
	a->mtu = 1400;
	advertise(l);
	assert_non_null(find_option(3, 1));
	a->is_slaac = true;
	advertise(l);
	assert_null(find_option(3, 1));
	/* Another network. */
	assert_true(prefix_parse("fd00:aa::1/64", &a->v6));
	advertise(l);
	o = find_option(3, 1);
	assert_non_null(o);
	assert_int_equal(o[3], 0xc0);
	assert_int_equal(read_be32(o + 4) + read_be32(o + 8), 0);
	assert_memory_equal(o + 16, &first.ip, 8);
	assert_null(find_option(3, 2));
	/* Three times. */
	for (unsigned s = 0; s < 900; s++) {
		gate_tick(l, 1);
		if (count_made(l, VID_A, RA))
			n += find_option(3, 1) != NULL;
	}
	assert_int_equal(n, 2);
	/* And back. */
	a->v6 = first;
	advertise(l);
	assert_non_null(find_option(3, 1));
	/* No advertisements at all: three last ones, that we are no router. */
	a->advertises = false;
	advertise(l);
	assert_int_equal(read_be16(out.b + L4 + 6), 0);
	o = find_option(3, 0);
	assert_non_null(o);
	assert_int_equal(read_be32(o + 4) + read_be32(o + 8), 0);
	assert_null(find_option(3, 1));
	for (n = 0; n < 900; n++) {
		gate_tick(l, 1);
		if (count_made(l, VID_A, RA))
			assert_true(n < 33);
	}
}

static void test_claim(void **state)
{
	struct lab *l = *state;

	make_nd(VID_A, NA, "fd00:a::66", "ff02::1", "fd00:a::1", 0x20, 2);
	assert_true(gateway_wants(&l->conf->leg[LAB_A], gate_give(l, VID_A, &in, 64)));
	gate_pass(l, VID_A, &in);
	assert_advert(l, VID_A, "fd00:a::1", 0xa0);
	gate_pass(l, VID_A, &in);
	assert_int_equal(l->made.vec.n, 0);
}

/* --- what is only heard ------------------------------------------------------------------ */

static uint8_t mac_of(struct lab *l, uint16_t vid, const char *text)
{
	struct neigh_wish wish = {.vid = vid};
	struct mac mac = {{0}};
	bool ask;

	assert_true(ip_parse(text, &wish.ip));
	neigh_resolve(gateway_neigh(l->g), &wish, l->call.now_ns, &mac, &ask);
	return mac.b[5];
}

/* What the gateway tells others of neighbours. */
static uint8_t neighbour_of(struct lab *l, uint16_t vid, const char *text)
{
	struct mac mac;
	struct ip ip;

	assert_true(ip_parse(text, &ip));
	return gateway_neighbour(l->g, vid, &ip, l->call.now_ns, &mac) ? mac.b[5] : 0;
}

/* The next hop moves to another MAC: its announcement has us ask the old one, then everybody. */
static void test_moves(void **state)
{
	static const struct mac nobody;
	struct lab *l = *state;

	assert_int_equal(neighbour_of(l, VID_U, "192.0.2.254"), 0);
	gate_meet(l, VID_U, "192.0.2.254");
	assert_int_equal(neighbour_of(l, VID_U, "192.0.2.254"), 254);
	l->call.now_ns += 5000000000;
	gate_arp(&in, VID_U, 1, gate_host(VID_U, 253), "192.0.2.254", "192.0.2.254", nobody);
	gate_clear(l);
	assert_false(gateway_wants(&l->conf->leg[LAB_U], gate_give(l, VID_U, &in, 64)));
	gateway_hear(l->g, l->conf, &l->v.f[0], l->call.now_ns);
	assert_int_equal(mac_of(l, VID_U, "192.0.2.254"), 254);
	gate_tick(l, 0);
	assert_int_equal(l->made.vec.n, 1);
	gate_made(l, 0, &out);
	assert_int_equal(out.b[5], 254);
	gate_tick(l, 1);
	gate_made(l, 0, &out);
	assert_int_equal(out.b[5], 0xff);
	gate_arp(&in, VID_U, 2, gate_host(VID_U, 253), "192.0.2.254", "192.0.2.1", gate_leg(VID_U));
	gate_pass(l, VID_U, &in);
	assert_int_equal(mac_of(l, VID_U, "192.0.2.254"), 253);
	/* a liar, while the holder answers */
	l->call.now_ns += 5000000000;
	gate_arp(&in, VID_U, 2, gate_host(VID_U, 66), "192.0.2.254", "192.0.2.1", gate_leg(VID_U));
	gate_pass(l, VID_U, &in);
	gate_arp(&in, VID_U, 2, gate_host(VID_U, 253), "192.0.2.254", "192.0.2.1", gate_leg(VID_U));
	gate_pass(l, VID_U, &in);
	assert_int_equal(mac_of(l, VID_U, "192.0.2.254"), 253);
}

static void test_heard(void **state)
{
	struct lab *l = *state;
	struct gate_say b_h = {.vid = VID_H, .src = "10.30.0.5", .dst = "10.20.0.9"};
	struct gate_say h_b = {.vid = VID_B, .src = "10.20.0.9", .dst = "10.30.0.5"};

	/* The answer of a host on a host-only network goes to the kernel, which has our MAC; we hear it. */
	gate_meet(l, VID_B, "10.20.0.9");
	gate_udp(&in, &b_h, 1, 2, 3);
	gate_pass(l, VID_H, &in);
	gate_udp(&in, &h_b, 2, 1, 3);
	assert_int_equal(gate_pass(l, VID_B, &in)->out, OUT_LOCAL);
	gate_arp(&in, VID_H, 2, gate_host(VID_H, 5), "10.30.0.5", "10.30.0.1", gate_leg(VID_H));
	gate_clear(l);
	gateway_hear(l->g, l->conf, gate_give(l, VID_H, &in, 64), l->call.now_ns);
	gate_tick(l, 0);
	assert_int_equal(l->made.vec.n, 1);
	gate_made(l, 0, &out);
	assert_int_equal(l->made.vec.f[0].tci, VID_H);
	assert_int_equal(out.b[5], 5);
	/* an advertisement to all */
	gate_meet(l, VID_A, "fd00:a::5");
	l->call.now_ns += 5000000000;
	make_nd(VID_A, NA, "fd00:a::5", "ff02::1", "fd00:a::5", 0x20, 2);
	in.b[OPTION + 7] = 9;
	in.b[L4 + 3] = (uint8_t)(in.b[L4 + 3] - 4); /* the checksum */
	gate_clear(l);
	assert_false(gateway_wants(&l->conf->leg[LAB_A], gate_give(l, VID_A, &in, 64)));
	gateway_hear(l->g, l->conf, &l->v.f[0], l->call.now_ns);
	gate_tick(l, 0);
	assert_int_equal(count_made(l, VID_A, NS), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_solicited, gate_setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_bad, gate_setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_resolved, gate_setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_routed, gate_setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_announced, gate_setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_advertised, gate_setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_advertised_names, gate_setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_taken_back, gate_setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_claim, gate_setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_moves, gate_setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_heard, gate_setup, gate_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
