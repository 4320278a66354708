/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guard_lab: frames of the tests of the guard, byte by byte, and the question to it. */
#include "tests/lib/guard_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint64_t secret[2] = {7, 11};
const struct mac gl_mac_a = {{2, 0, 0, 0, 0, 0xa}}, gl_mac_b = {{2, 0, 0, 0, 0, 0xb}};
const struct mac gl_gateway_mac = {{2, 0x76, 0x66, 0, 0, VID}}, gl_none;
struct guard *gl;
uint32_t gl_now_s;
uint16_t gl_vid;
static uint8_t *room;

/* A frame as it is put together. */
uint8_t gl_buf[4096];
uint32_t gl_len;

struct ip gl_ip_of(const char *text)
{
	struct ip ip;

	assert_true(ip_parse(text, &ip));
	return ip;
}

int gl_setup(void **state)
{
	struct guard_net net = {.vid = VID, .gateway = gl_gateway_mac};

	(void)state;
	gl = guard_create(secret);
	room = malloc(FRAME_HEADROOM + SNAP_MAX);
	assert_non_null(gl);
	assert_non_null(room);
	gl_now_s = NOW_S;
	gl_vid = VID;
	net.own4 = gl_ip_of("10.10.0.1");
	net.own6 = gl_ip_of("fd00::1");
	assert_true(prefix_parse("fd00::1/64", &net.slaac));
	assert_int_equal(guard_net(gl, &net), 0);
	return 0;
}

int gl_teardown(void **state)
{
	(void)state;
	guard_destroy(gl);
	free(room);
	return 0;
}

int gl_bind_at(uint16_t slot, const char *ip, const struct mac *m, uint32_t end_s, bool fixed)
{
	struct guard_binding b = {
		.vid = VID, .mac = *m, .ip = gl_ip_of(ip), .end_s = end_s, .is_fixed = fixed};

	return guard_bind(gl, slot, &b);
}

void gl_bind_fixed(uint16_t slot, const char *ip)
{
	assert_int_equal(gl_bind_at(slot, ip, &gl_none, UINT32_MAX, true), 0);
}

/* --- frames ------------------------------------------------------------------------------ */

void gl_put(const void *bytes, uint32_t n)
{
	memcpy(gl_buf + gl_len, bytes, n);
	gl_len += n;
}

void gl_put8(unsigned v)
{
	gl_buf[gl_len++] = (uint8_t)v;
}

void gl_put16(unsigned v)
{
	gl_put8(v >> 8 & 0xff);
	gl_put8(v & 0xff);
}

void gl_zeros(uint32_t n)
{
	memset(gl_buf + gl_len, 0, n);
	gl_len += n;
}

void gl_eth(const struct mac *src, uint16_t etype)
{
	gl_len = 0;
	memset(gl_buf, 0xff, 6);
	gl_len = 6;
	gl_put(src, 6);
	gl_put16(etype);
}

void gl_ip4(const struct mac *m, const char *src, const char *dst, unsigned proto,
	    unsigned fragment, uint32_t options)
{
	struct ip s = gl_ip_of(src), d = gl_ip_of(dst);

	gl_eth(m, ETYPE_IPV4);
	gl_put8(0x45 + options / 4);
	gl_put8(0);
	gl_put16(20 + options + 64);
	gl_put16(1);
	gl_put16(fragment);
	gl_put8(64);
	gl_put8(proto);
	gl_put16(0);
	gl_put(s.b + 12, 4);
	gl_put(d.b + 12, 4);
	gl_zeros(options);
}

void gl_udp(unsigned sport, unsigned dport)
{
	gl_put16(sport);
	gl_put16(dport);
	gl_put16(64);
	gl_put16(0);
	gl_zeros(56);
}

void gl_ip6(const struct mac *m, const char *src, unsigned next, unsigned payload)
{
	struct ip s = gl_ip_of(src), d = gl_ip_of("ff02::1");

	gl_eth(m, ETYPE_IPV6);
	gl_put8(0x60);
	gl_zeros(3);
	gl_put16(payload);
	gl_put8(next);
	gl_put8(255);
	gl_put(&s, 16);
	gl_put(&d, 16);
}

/* The payload length is what is there. */
void gl_seal6(void)
{
	gl_buf[18] = (uint8_t)((gl_len - 54) >> 8);
	gl_buf[19] = (uint8_t)(gl_len - 54);
}

void gl_icmp6(unsigned type)
{
	gl_put8(type);
	gl_put8(0);
	gl_put16(0);
	gl_zeros(4);
}

void gl_option(unsigned type, const struct mac *m)
{
	gl_put8(type);
	gl_put8(1);
	gl_put(m, 6);
}

/* A neighbour's solicitation or advertisement; option 0: none. */
void gl_nd(const struct mac *m, const char *src, unsigned type, const char *target, unsigned opt,
	   const struct mac *named)
{
	struct ip t = gl_ip_of(target);

	gl_ip6(m, src, PROTO_ICMPV6, 0);
	gl_icmp6(type);
	gl_put(&t, 16);
	if (opt)
		gl_option(opt, named);
	gl_seal6();
}

void gl_arp(const struct mac *m, unsigned op, const struct mac *sender, const char *spa,
	    const char *tpa)
{
	struct ip s = gl_ip_of(spa), t = gl_ip_of(tpa);

	gl_eth(m, ETYPE_ARP);
	gl_put16(1);
	gl_put16(ETYPE_IPV4);
	gl_put8(6);
	gl_put8(4);
	gl_put16(op);
	gl_put(sender, 6);
	gl_put(s.b + 12, 4);
	gl_zeros(6);
	gl_put(t.b + 12, 4);
}

/* Asks, with a snapshot of so many bytes and the rest elsewhere, both in memory of the exact size. */
enum drop gl_ask(uint16_t slot, const struct mac *m, uint32_t snap_max)
{
	uint32_t snap = gl_len < snap_max ? gl_len : snap_max;
	uint8_t *head = malloc(snap), *tail = malloc(gl_len - snap + 1), after[16];
	struct iovec body = {tail, gl_len - snap};
	struct frame f = {.snap = head,
			  .len = gl_len,
			  .snap_len = (uint16_t)snap,
			  .body = &body,
			  .body_cnt = gl_len > snap,
			  .etype = read_be16(gl_buf + 12),
			  .tci = gl_vid};
	struct guard_ask a = {
		.slot = slot, .mac = *m, .now_s = gl_now_s, .room = room + FRAME_HEADROOM};
	enum drop drop;

	assert_non_null(head);
	assert_non_null(tail);
	memcpy(head, gl_buf, snap);
	memcpy(tail, gl_buf + snap, gl_len - snap);
	drop = guard_check(gl, &a, &f);
	/* Whatever it pulled, the frame is what it was. */
	assert_int_equal(f.len, gl_len);
	assert_memory_equal(f.snap, gl_buf, f.snap_len);
	assert_int_equal(frame_copy(&f, gl_len > 16 ? gl_len - 16 : 0, after, 16),
			 gl_len > 16 ? 16 : gl_len);
	assert_memory_equal(after, gl_buf + (gl_len > 16 ? gl_len - 16 : 0),
			    gl_len > 16 ? 16 : gl_len);
	free(head);
	free(tail);
	return drop;
}

/* The frame in buf, from port A, which has a MAC of its own. */
void gl_goes(void)
{
	assert_string_equal(drop_word(gl_ask(A, &gl_mac_a, SNAP)), "none");
	assert_int_equal(gl_ask(A, &gl_mac_a, SNAP_MAX), DROP_NONE);
}

void gl_is_refused(enum drop why)
{
	assert_string_equal(drop_word(gl_ask(A, &gl_mac_a, SNAP)), drop_word(why));
	assert_int_equal(gl_ask(A, &gl_mac_a, SNAP_MAX), why);
}
