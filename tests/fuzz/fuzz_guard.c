/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_guard: a hostile frame on a strict port: what passes has a source that is the port's, is no server's and no router's
 * message, and claims no other address.  The judge is here, knows only the network below, and reads the frame in one piece, slowly.
 *
 *   port A: 02:..:0a, 10.10.0.5, fd01::5     port B: 10.10.0.6, fd01::6, fe80::b learned      switch: 10.10.0.1, fd00::1 (SLAAC)
 *
 * Input: how much of the frame is in the snapshot, in fours from 16 on; what is put right: bit 0 source MAC, 1 IPv4 source, 2 IPv6
 * source, 3 IPv6 length, 4 ARP sender, 5 the frame is a GSO frame; then the frame.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "switch/base/packet.h"
#include "switch/guard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { KNOBS = 2, BYTES_MAX = 4096, VID = 10, A = 1, B = 2, L3 = 14 };

static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 0xa}, mac_b[6] = {2, 0, 0, 0, 0, 0xb};
static const uint8_t v4_a[4] = {10, 10, 0, 5}, v4_b[4] = {10, 10, 0, 6};
static const uint8_t v6_a[16] = {0xfd, 1, [15] = 5}, v6_b[16] = {0xfd, 1, [15] = 6};
static const uint8_t local_b[16] = {0xfe, 0x80, [15] = 0xb};
static const uint8_t local_switch[16] = {0xfe, 0x80, [9] = 0x76, 0x66, 0xff, 0xfe, 0, 0, 10};
static const uint8_t own6[16] = {0xfd, [15] = 1}, nobody[16];
static uint8_t room[FRAME_HEADROOM + SNAP_MAX];

/* --- the judge --------------------------------------------------------------------------- */

struct bytes {
	const uint8_t *p;
	size_t n;
};

static unsigned at8(const struct bytes *b, size_t i)
{
	assert(i < b->n);
	return b->p[i];
}

static unsigned at16(const struct bytes *b, size_t i)
{
	return at8(b, i) << 8 | at8(b, i + 1);
}

static bool is_at(const struct bytes *b, size_t i, const void *what, size_t n)
{
	return i + n <= b->n && memcmp(b->p + i, what, n) == 0;
}

/* An IPv6 address that A may claim. */
static bool is_claimable(const struct bytes *b, size_t i)
{
	static const uint8_t zeros[8];

	if (is_at(b, i, v6_a, 16))
		return true;
	if (is_at(b, i, local_b, 16) || is_at(b, i, local_switch, 16) || is_at(b, i, own6, 16) ||
	    is_at(b, i + 8, zeros, 8))
		return false;
	return is_at(b, i, local_b, 8) || is_at(b, i, own6, 8);
}

static void judge_arp(const struct bytes *b)
{
	static const uint8_t head[6] = {0, 1, 8, 0, 6, 4};

	assert(b->n >= 42 && is_at(b, L3, head, 6) && is_at(b, L3 + 8, mac_a, 6));
	if (is_at(b, L3 + 14, v4_a, 4))
		return;
	assert(is_at(b, L3 + 14, nobody, 4) && at16(b, L3 + 6) == 1 && !is_at(b, L3 + 24, v4_b, 4));
}

static void judge_ipv4(const struct bytes *b)
{
	size_t l4 = L3 + (at8(b, L3) & 15) * 4;
	bool has_ports = at8(b, L3 + 9) == 17 && (at16(b, L3 + 6) & 0x1fff) == 0;

	assert(at8(b, L3) >> 4 == 4 && l4 >= L3 + 20);
	if (has_ports)
		assert(at16(b, l4) != 67 && at16(b, l4 + 2) != 68);
	if (is_at(b, L3 + 12, v4_a, 4))
		return;
	assert(is_at(b, L3 + 12, nobody, 4) && is_at(b, L3 + 16, "\xff\xff\xff\xff", 4));
	assert(has_ports && at16(b, l4) == 68 && at16(b, l4 + 2) == 67 &&
	       !(at16(b, L3 + 6) & 0x2000));
}

/* Every option that names a MAC names A's. */
static void judge_options(const struct bytes *b, size_t at, size_t end)
{
	while (at < end) {
		unsigned kind = at8(b, at), units = at8(b, at + 1);

		assert(units > 0 && at + units * 8 <= end);
		assert((kind != 1 && kind != 2) || is_at(b, at + 2, mac_a, 6));
		at += units * 8;
	}
}

static void judge_icmp6(const struct bytes *b, size_t at, size_t end, bool in_fragment,
			bool is_nobody)
{
	unsigned type = at8(b, at);

	assert(type != 134 && type != 137);
	if (is_nobody)
		assert(type == 133 || type == 135 || type == 131 || type == 132 || type == 143);
	if (type < 133 || type > 136)
		return;
	assert(!in_fragment && end <= b->n);
	judge_options(b, at + (type == 133 ? 8 : 24), end);
	if (type == 136 || (type == 135 && is_nobody))
		assert(is_claimable(b, at + 8));
}

static size_t extension_bytes(const struct bytes *b, unsigned kind, size_t at)
{
	switch (kind) {
	case 44:
		return 8;
	case 51:
		return (at8(b, at + 1) + 2) * 4;
	default:
		return (at8(b, at + 1) + 1) * 8;
	}
}

static void judge_ipv6(const struct bytes *b, bool is_gso)
{
	size_t at = L3 + 40, end = at + at16(b, L3 + 4);
	bool is_nobody = is_at(b, L3 + 8, nobody, 16), in_fragment = false;
	unsigned kind = at8(b, L3 + 6);

	assert(at8(b, L3) >> 4 == 6);
	assert(is_nobody || is_claimable(b, L3 + 8));
	if (is_gso && end == at)
		end = b->n;
	while (kind == 0 || kind == 43 || kind == 44 || kind == 51 || kind == 60 || kind == 135 ||
	       kind == 139 || kind == 140) {
		size_t n = extension_bytes(b, kind, at);

		assert(at + 8 <= end);
		if (kind == 44 && (at16(b, at + 2) & 0xfff8)) {
			assert(!is_nobody);
			return;
		}
		in_fragment |= kind == 44;
		kind = at8(b, at);
		at += n;
		assert(at <= end && at <= SNAP_MAX);
	}
	if (kind == 58 || kind == 17)
		assert(at + 8 <= end);
	if (kind == 58)
		judge_icmp6(b, at, end, in_fragment, is_nobody);
	else if (kind == 17)
		assert(at16(b, at) != 547 && at16(b, at + 2) != 546);
	else
		assert(!is_nobody);
	if (kind == 17 && is_nobody)
		assert(at16(b, at) == 546 && at16(b, at + 2) == 547 && !in_fragment);
}

static void judge(const struct bytes *b, bool is_gso)
{
	assert(is_at(b, 6, mac_a, 6));
	switch (at16(b, 12)) {
	case 0x0800:
		judge_ipv4(b);
		break;
	case 0x0806:
		judge_arp(b);
		break;
	case 0x86dd:
		judge_ipv6(b, is_gso);
		break;
	default:
		assert(at16(b, 12) == 0x888e || at16(b, 12) == 0x88cc);
	}
}

/* --- the guard --------------------------------------------------------------------------- */

static struct ip v4(const uint8_t *b)
{
	return (struct ip){{[10] = 0xff, 0xff, b[0], b[1], b[2], b[3]}};
}

static struct ip v6(const uint8_t *b)
{
	struct ip ip;

	memcpy(&ip, b, sizeof(ip));
	return ip;
}

static void bind_to(struct guard *g, uint16_t slot, struct ip ip)
{
	struct guard_binding b = {.vid = VID, .ip = ip, .end_s = UINT32_MAX};

	assert(guard_bind(g, slot, &b) == 0);
}

static enum drop ask(struct guard *g, uint16_t slot, const uint8_t *mac, struct frame *f)
{
	struct guard_ask a = {.slot = slot, .now_s = 100, .room = room + FRAME_HEADROOM};

	memcpy(&a.mac, mac, 6);
	f->etype = frame_etype(f);
	f->tci = VID;
	return guard_check(g, &a, f);
}

static struct guard *make_guard(void)
{
	static const uint64_t secret[2] = {3, 4};
	struct guard_net net = {.vid = VID, .gateway = {{2, 0x76, 0x66, 0, 0, VID}}};
	uint8_t hello[62] = {[12] = 0x86, 0xdd, 0x60, [18] = 0, 8, 6, 64};
	struct frame f = {.snap = hello, .len = sizeof(hello), .snap_len = sizeof(hello)};
	struct guard *g = guard_create(secret);

	assert(g);
	net.own4 = v4((uint8_t[]){10, 10, 0, 1});
	net.own6 = v6(own6);
	net.slaac = (struct prefix){net.own6, 64, true};
	assert(guard_net(g, &net) == 0);
	bind_to(g, A, v4(v4_a));
	bind_to(g, A, v6(v6_a));
	bind_to(g, B, v4(v4_b));
	bind_to(g, B, v6(v6_b));
	memcpy(hello + 6, mac_b, 6);
	memcpy(hello + 22, local_b, 16);
	assert(ask(g, B, mac_b, &f) == DROP_NONE);
	return g;
}

static void put_right(uint8_t *frame, size_t n, unsigned knobs)
{
	if ((knobs & 1) && n >= 12)
		memcpy(frame + 6, mac_a, 6);
	if ((knobs & 2) && n >= 34)
		memcpy(frame + 26, v4_a, 4);
	if ((knobs & 4) && n >= 38)
		memcpy(frame + 22, v6_a, 16);
	if ((knobs & 8) && n >= 54) {
		frame[18] = (uint8_t)((n - 54) >> 8);
		frame[19] = (uint8_t)(n - 54);
	}
	if ((knobs & 16) && n >= 32) {
		memcpy(frame + 22, mac_a, 6);
		memcpy(frame + 28, v4_a, 4);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct guard *g;
	struct frame f = {0};
	struct iovec body;
	uint8_t *whole, *snap, *rest;
	size_t n = size - KNOBS, head;

	if (size < KNOBS + ETH_HEADER || size > BYTES_MAX)
		return 0;
	if (!g)
		g = make_guard();
	guard_forget(g, A); /* no input depends on the one before */
	bind_to(g, A, v4(v4_a));
	bind_to(g, A, v6(v6_a));
	head = 16 + data[0] * 4u;
	if (head > n)
		head = n;
	/* Of the exact sizes, so that a sanitizer sees the first byte beyond. */
	whole = malloc(n);
	snap = malloc(head);
	rest = malloc(n - head + 1);
	assert(whole && snap && rest);
	memcpy(whole, data + KNOBS, n);
	put_right(whole, n, data[1]);
	memcpy(snap, whole, head);
	memcpy(rest, whole + head, n - head);
	body = (struct iovec){rest, n - head};
	f.snap = snap;
	f.snap_len = (uint16_t)head;
	f.len = (uint32_t)n;
	f.body = &body;
	f.body_cnt = n > head;
	f.off.gso_type = data[1] & 32 ? GSO_TCPV6 : GSO_NONE;
	if (ask(g, A, mac_a, &f) == DROP_NONE)
		judge(&(struct bytes){whole, n}, data[1] & 32);
	assert(f.len == n && memcmp(f.snap, whole, f.snap_len) == 0);
	free(whole);
	free(snap);
	free(rest);
	return 0;
}
