/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_stream: hostile segments to the TCP of the DNS server.
 *
 * Input: steps.  Each is a byte, what it does, and perhaps more: a length (little-endian, two bytes) and as many bytes.
 *
 *    0 k n  those n bytes as a segment of end k, as they are
 *    1 k n  ... with the numbers that connection k expects written into the header
 *    2 k    a SYN of end k
 *    3 ms   time passes (two bytes)           4     until something is due
 *    5 n    an answer of n bytes to the last message          6     the VLAN is flushed
 *
 * Held: connections within their limit, no segment larger than it may be, never more segments than a window for one that came,
 * time goes on after each tick, and nothing but answers comes out.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dhcp/segment.h"
#include "dhcp/stream.h"
#include "switch/base/packet.h"
#include "tests/lib/fuzz_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS = 7, ENDS = 256, HEADER = 20, MOST_AT_ONCE = 16 };

static struct {
	struct streams *s;
	uint64_t now_ms, conn;
	unsigned sent;		       /* since the last step */
	uint32_t seq[ENDS], ack[ENDS]; /* what the server wants, and what it said last */
} f;

static struct stream_ends ends_of(uint8_t k)
{
	struct stream_ends e = {.vid = 10, .slot = k / 32, .sport = 1000, .dport = 53};

	e.sport = (uint16_t)(e.sport + k);
	e.mac.b[0] = 2;
	e.src.b[15] = k;
	e.dst.b[15] = 1;
	return e;
}

static void on_send(void *arg, const struct stream_ends *e, const uint8_t *bytes, size_t n)
{
	uint8_t k = (uint8_t)(e->sport - 1000);
	struct segment g;

	(void)arg;
	f.sent++;
	assert(n <= STREAM_HEADER_MAX + STREAM_MSS && segment_read(&g, bytes, n));
	assert(g.n <= STREAM_MSS && (g.n == 0 || !(g.flags & (SEG_SYN | SEG_RST))));
	for (size_t i = 0; i < g.n;
	     i++) /* all that is answered is of this byte, but for the lengths */
		assert(g.data[i] == 0x55 || g.data[i] < 0x45);
	f.seq[k] = g.ack;
	f.ack[k] = g.seq + (uint32_t)g.n + !!(g.flags & SEG_SYN) + !!(g.flags & SEG_FIN);
}

static void on_message(void *arg, uint64_t conn, const struct stream_ends *e, const uint8_t *bytes,
		       size_t n)
{
	uint8_t sum = 0;

	(void)arg;
	(void)e;
	assert(n > 0 && n <= STREAM_IN && conn != 0);
	for (size_t i = 0; i < n; i++)
		sum ^= bytes[i];
	f.conn = conn;
	if (sum & 1)
		streams_answer(f.s, conn, (const uint8_t[]){0x55}, 1, f.now_ms);
	else if (sum == 2)
		streams_flush(f.s, 10);
}

static void on_gone(void *arg, uint64_t conn)
{
	(void)arg;
	assert(conn != 0);
}

static void receive(uint8_t k, struct input in, bool is_right)
{
	/* Of the exact size, so that a sanitizer sees the first byte beyond. */
	uint8_t *exact = malloc(in.n ? in.n : 1);
	struct stream_ends e = ends_of(k);

	assert(exact);
	memcpy(exact, in.bytes, in.n);
	if (is_right && in.n >= HEADER) {
		uint32_t seq = f.seq[k] + read_be32(exact + 4) % 3, ack = f.ack[k] - exact[11] % 3;

		for (unsigned i = 0; i < 4; i++) {
			exact[4 + i] = (uint8_t)(seq >> (24 - 8 * i));
			exact[8 + i] = (uint8_t)(ack >> (24 - 8 * i));
		}
		exact[12] = (uint8_t)(5 << 4);
		exact[13] |= SEG_ACK;
	}
	streams_receive(f.s, &e, exact, in.n, f.now_ms);
	free(exact);
}

static void greet(uint8_t k)
{
	const struct segment syn = {.seq = k * 1000u, .flags = SEG_SYN, .window = 3000, .mss = 700};
	uint8_t b[STREAM_HEADER_MAX];
	struct stream_ends e = ends_of(k);

	streams_receive(f.s, &e, b, segment_write(b, &syn, e.sport, e.dport), f.now_ms);
	receive(k, (struct input){(const uint8_t[HEADER]){[14] = 0x20}, HEADER}, true);
}

static void tick(uint64_t ms)
{
	uint64_t due_ms;

	f.now_ms += ms;
	due_ms = streams_tick(f.s, f.now_ms);
	assert(due_ms > f.now_ms);
	assert((due_ms == UINT64_MAX) == (streams_count(f.s) == 0));
}

static void step(struct input *in)
{
	static uint8_t answer[STREAM_OUT + 256];
	unsigned what = take_u8(in) % STEPS;
	uint8_t k;

	f.sent = 0;
	switch (what) {
	case 0:
	case 1:
		k = take_u8(in);
		receive(k, take_bytes(in), what == 1);
		break;
	case 2:
		greet(take_u8(in));
		break;
	case 3:
		tick(take_u16(in));
		return; /* of many connections */
	case 4:
		tick(streams_count(f.s) ? streams_tick(f.s, f.now_ms) - f.now_ms : 0);
		return;
	case 5:
		memset(answer, 0x55, sizeof(answer));
		streams_answer(f.s, f.conn, answer, take_u16(in) % STREAM_OUT / 256 * 256 + 0x55,
			       f.now_ms);
		break;
	default:
		streams_flush(f.s, 10);
		assert(streams_count(f.s) == 0 && f.sent == 0);
		break;
	}
	assert(f.sent <= MOST_AT_ONCE);
	assert(streams_count(f.s) <= STREAMS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t secret[2] = {1, 2};
	const struct stream_ways ways = {NULL, on_send, on_message, on_gone};
	struct input in = {data, size};

	memset(&f, 0, sizeof(f));
	f.now_ms = 1000;
	f.s = streams_create(&ways, secret);
	assert(f.s);
	while (in.n > 0)
		step(&in);
	/* Whatever was said: after a while everything is over. */
	for (unsigned i = 0; i < 100 && streams_count(f.s) > 0; i++)
		tick(1000);
	assert(streams_count(f.s) == 0);
	streams_destroy(f.s);
	return 0;
}
