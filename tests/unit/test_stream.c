/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DNS over TCP (M11): a scripted peer for each rule, and hostile ones.  A bad wire: test_stream_wire.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dhcp/segment.h"
#include "dhcp/stream.h"
#include "switch/base/packet.h"

enum { KEPT = 512, ISN = 1000, WINDOW = 30000, START_MS = 5000 };

struct sent {
	struct stream_ends ends;
	struct segment g; /* data lies in bytes */
	uint8_t bytes[STREAM_HEADER_MAX + STREAM_MSS];
};

/* What a test sees of the module. */
struct lab {
	struct streams *s;
	uint64_t now_ms;
	unsigned n_sent, n_messages, n_gone;
	struct sent sent[KEPT];
	uint8_t message[STREAM_IN];
	size_t message_len;
	uint64_t conn, gone;
	bool answers_at_once, flushes;
};

static void on_send(void *arg, const struct stream_ends *e, const uint8_t *segment, size_t n)
{
	struct lab *l = arg;
	struct sent *k = &l->sent[l->n_sent++ % KEPT];

	assert_true(n <= sizeof(k->bytes));
	memcpy(k->bytes, segment, n);
	k->ends = *e;
	assert_true(segment_read(&k->g, k->bytes, n));
	assert_int_equal(read_be16(segment), e->dport);
	assert_int_equal(read_be16(segment + 2), e->sport);
	assert_int_equal(read_be16(segment + 16), 0);
}

static void on_message(void *arg, uint64_t conn, const struct stream_ends *e, const uint8_t *bytes,
		       size_t n)
{
	struct lab *l = arg;

	assert_true(n <= sizeof(l->message));
	assert_int_equal(e->dport, 53);
	memcpy(l->message, bytes, n);
	l->message_len = n;
	l->conn = conn;
	l->n_messages++;
	if (l->flushes)
		streams_flush(l->s, e->vid);
	if (l->answers_at_once)
		streams_answer(l->s, conn, bytes, n, l->now_ms);
}

static void on_gone(void *arg, uint64_t conn)
{
	struct lab *l = arg;

	l->gone = conn;
	l->n_gone++;
}

static struct stream_ends ends_of(uint16_t slot, uint16_t sport)
{
	struct stream_ends e = {.vid = 10, .slot = slot, .sport = sport, .dport = 53};

	e.mac = (struct mac){{2, 0, 0, 0, 0, (uint8_t)slot}};
	assert_true(ip_parse("10.10.0.5", &e.src));
	assert_true(ip_parse("10.10.0.1", &e.dst));
	return e;
}

static int setup(void **state)
{
	static const uint64_t secret[2] = {1, 2};
	struct lab *l = calloc(1, sizeof(*l));
	const struct stream_ways ways = {l, on_send, on_message, on_gone};

	if (!l)
		return -1;
	l->now_ms = START_MS;
	l->s = streams_create(&ways, secret);
	*state = l;
	return l->s ? 0 : -1;
}

static int teardown(void **state)
{
	struct lab *l = *state;

	streams_destroy(l->s);
	free(l);
	return 0;
}

static void give(struct lab *l, const struct stream_ends *e, const struct segment *g)
{
	uint8_t b[4096];
	size_t n = segment_write(b, g, e->sport, e->dport);
	uint8_t *exact = malloc(n);

	assert_non_null(exact);
	memcpy(exact, b, n);
	streams_receive(l->s, e, exact, n, l->now_ms);
	free(exact);
}

static const struct sent *last(const struct lab *l)
{
	assert_true(l->n_sent > 0);
	return &l->sent[(l->n_sent - 1) % KEPT];
}

/* A peer on a perfect wire. */
struct peer {
	struct lab *l;
	struct stream_ends ends;
	uint32_t seq, ack; /* the next of his, the next that he expects */
	uint16_t window;
};

static void say(struct peer *p, uint8_t flags, const void *data, size_t n)
{
	const struct segment g = {.seq = p->seq,
				  .ack = p->ack,
				  .flags = flags,
				  .window = p->window,
				  .data = data,
				  .n = n};

	give(p->l, &p->ends, &g);
	p->seq += (uint32_t)n + !!(flags & SEG_FIN);
}

static struct peer greet(struct lab *l, uint16_t slot, uint16_t sport, uint16_t mss)
{
	struct peer p = {.l = l, .ends = ends_of(slot, sport), .seq = ISN, .window = WINDOW};
	const struct segment syn = {.seq = ISN, .flags = SEG_SYN, .window = WINDOW, .mss = mss};

	give(l, &p.ends, &syn);
	p.seq++;
	return p;
}

static struct peer connect_as(struct lab *l, uint16_t slot, uint16_t sport, uint16_t mss)
{
	struct peer p = greet(l, slot, sport, mss);
	const struct sent *k = last(l);

	assert_int_equal(k->g.flags, SEG_SYN | SEG_ACK);
	assert_int_equal(k->g.ack, ISN + 1);
	assert_int_equal(k->g.mss, STREAM_MSS);
	assert_int_equal(k->g.window, STREAM_MSS);
	p.ack = k->g.seq + 1;
	say(&p, SEG_ACK, NULL, 0);
	return p;
}

static struct peer connect_one(struct lab *l)
{
	return connect_as(l, 1, 4000, 1000);
}

static size_t question(uint8_t *b, size_t n)
{
	write_be16(b, (uint16_t)n);
	for (size_t i = 0; i < n; i++)
		b[2 + i] = (uint8_t)(i * 7);
	return n + 2;
}

static void later(struct lab *l, uint64_t ms)
{
	l->now_ms += ms;
	streams_tick(l->s, l->now_ms);
}

/* --- The way of one question ----------------------------------------------------------------------- */

static void test_question(void **state)
{
	struct lab *l = *state;
	struct peer p = connect_one(l);
	uint8_t b[600];
	size_t n = question(b, 40);

	say(&p, SEG_ACK | SEG_PSH, b, n);
	assert_int_equal(l->n_messages, 1);
	assert_int_equal(l->message_len, 40);
	assert_memory_equal(l->message, b + 2, 40);
	assert_int_equal(last(l)->g.ack, p.seq);
	/* The answer, later. */
	assert_true(streams_answer(l->s, l->conn, b, 100, l->now_ms));
	assert_int_equal(last(l)->g.n, 102);
	assert_int_equal(read_be16(last(l)->g.data), 100);
	assert_memory_equal(last(l)->g.data + 2, b, 100);
	assert_int_equal(last(l)->g.seq, p.ack);
	p.ack += 102;
	say(&p, SEG_ACK, NULL, 0);
	/* Both ends close. */
	say(&p, SEG_ACK | SEG_FIN, NULL, 0);
	assert_int_equal(last(l)->g.flags & SEG_FIN, SEG_FIN);
	assert_int_equal(last(l)->g.ack, p.seq);
	p.ack++;
	say(&p, SEG_ACK, NULL, 0);
	assert_int_equal(streams_count(l->s), 0);
	assert_int_equal(l->gone, l->conn);
	assert_false(streams_answer(l->s, l->conn, b, 1, l->now_ms));
	assert_int_equal(streams_tick(l->s, l->now_ms), UINT64_MAX);
}

/* In pieces of one byte, several in one segment, and a whole and a half (RFC 7766 8). */
static void test_pieces(void **state)
{
	struct lab *l = *state;
	struct peer p = connect_one(l);
	uint8_t b[1400];
	size_t n = question(b, 30);

	for (size_t i = 0; i < n; i++)
		say(&p, SEG_ACK, b + i, 1);
	assert_int_equal(l->n_messages, 1);
	assert_memory_equal(l->message, b + 2, 30);
	l->answers_at_once = true;
	n += question(b + n, 512);
	n += question(b + n, 12);
	n += question(b + n, 100);
	say(&p, SEG_ACK, b, n - 50);
	assert_int_equal(l->n_messages, 4);
	assert_int_equal(l->message_len, 12);
	assert_int_equal(last(l)->g.n, 32 + 514 + 14); /* the answers in one segment */
	say(&p, SEG_ACK, b + n - 50, 50);
	assert_int_equal(l->n_messages, 5);
	assert_int_equal(l->message_len, 100);
}

/* He says that he is done before the answer is there. */
static void test_half_close(void **state)
{
	struct lab *l = *state;
	struct peer p = connect_one(l);
	uint8_t b[64];

	say(&p, SEG_ACK | SEG_FIN, b, question(b, 20));
	assert_int_equal(l->n_messages, 1);
	assert_int_equal(last(l)->g.flags, SEG_ACK);
	assert_int_equal(last(l)->g.ack, p.seq);
	assert_true(streams_answer(l->s, l->conn, b, 20, l->now_ms));
	assert_int_equal(last(l)->g.flags, SEG_ACK | SEG_PSH | SEG_FIN);
	assert_int_equal(last(l)->g.n, 22);
	p.ack += 23;
	say(&p, SEG_ACK, NULL, 0);
	assert_int_equal(streams_count(l->s), 0);
}

static uint32_t distance(uint32_t from, const struct sent *k)
{
	return k->g.seq + (uint32_t)k->g.n - from;
}

/* A long answer: by his MSS and window, and no more at a time than is allowed. */
static void test_long_answer(void **state)
{
	static uint8_t answer[STREAM_OUT];
	struct lab *l = *state;
	struct peer p = connect_one(l);
	uint8_t b[64];
	unsigned before;

	p.window = 2500;
	say(&p, SEG_ACK, b, question(b, 20));
	before = l->n_sent;
	assert_true(streams_answer(l->s, l->conn, answer, 16384, l->now_ms));
	assert_int_equal(l->n_sent, before + 2);
	for (uint32_t got = 0; got < 16386; got += 1000) {
		assert_int_equal(l->sent[before % KEPT].g.seq, p.ack);
		p.ack += (uint32_t)l->sent[before % KEPT].g.n;
		before++;
		say(&p, SEG_ACK, NULL, 0);
		assert_true(distance(p.ack, last(l)) <= 2500);
	}
	assert_int_equal(before, l->n_sent);
	/* Now with a window as large as it can be: ten segments. */
	p.window = 65535;
	say(&p, SEG_ACK, b, question(b, 20));
	before = l->n_sent;
	assert_true(streams_answer(l->s, l->conn, answer, 16384, l->now_ms));
	assert_int_equal(l->n_sent, before + 10);
}

/* A window of nothing: asked again and again, one byte at a time, and at last given up. */
static void test_window_closed(void **state)
{
	struct lab *l = *state;
	struct peer p = connect_one(l);
	uint8_t b[64];
	unsigned before;

	p.window = 0;
	say(&p, SEG_ACK, b, question(b, 20));
	before = l->n_sent;
	assert_true(streams_answer(l->s, l->conn, b, 40, l->now_ms));
	assert_int_equal(l->n_sent, before);
	later(l, 1000);
	assert_int_equal(l->n_sent, before + 1);
	assert_int_equal(last(l)->g.n, 1);
	p.ack++;
	p.window = 1000;
	say(&p, SEG_ACK, NULL, 0);
	assert_int_equal(last(l)->g.n, 41);
	p.ack += 41;
	p.window = 0;
	say(&p, SEG_ACK, NULL, 0);
	say(&p, SEG_ACK, b, question(b, 20));
	assert_true(streams_answer(l->s, l->conn, b, 40, l->now_ms));
	before = l->n_sent;
	for (unsigned s = 0; s < 10; s++) {
		assert_int_equal(streams_count(l->s), 1);
		later(l, 1000);
		say(&p, SEG_ACK, NULL, 0); /* alive, and nothing else */
	}
	assert_int_equal(streams_count(l->s), 0);
	assert_true(l->n_sent <= before + 6);
}

/* RFC 6298: what is not acknowledged goes out again, 1, 2, 4 s later. */
static void test_timeout(void **state)
{
	struct lab *l = *state;
	struct peer p = connect_one(l);
	uint8_t b[3000] = {0};
	unsigned before;

	say(&p, SEG_ACK, b, question(b, 20));
	assert_true(streams_answer(l->s, l->conn, b, 2400, l->now_ms));
	before = l->n_sent;
	later(l, 999);
	assert_int_equal(l->n_sent, before);
	later(l, 1);
	assert_int_equal(l->n_sent, before + 1); /* one segment only */
	assert_int_equal(last(l)->g.seq, p.ack);
	later(l, 1999);
	assert_int_equal(l->n_sent, before + 1);
	later(l, 1);
	assert_int_equal(l->n_sent, before + 2);
	/* He has had all of them. */
	p.ack += 2402;
	say(&p, SEG_ACK, NULL, 0);
	assert_int_equal(l->n_sent, before + 2);
	assert_int_equal(streams_tick(l->s, l->now_ms), l->now_ms + 10000);
	/* Silence: an end, by FIN. */
	later(l, 10000);
	assert_int_equal(last(l)->g.flags & SEG_FIN, SEG_FIN);
	p.ack++;
	say(&p, SEG_ACK, NULL, 0);
	assert_int_equal(streams_count(l->s), 1);
	say(&p, SEG_ACK | SEG_FIN, NULL, 0);
	assert_int_equal(last(l)->g.ack, p.seq);
	assert_int_equal(streams_count(l->s), 0);
}

static void test_syn_lost(void **state)
{
	struct lab *l = *state;
	struct peer p = greet(l, 1, 4000, 0);
	const struct segment syn = {.seq = ISN, .flags = SEG_SYN, .window = WINDOW};
	uint32_t ours = last(l)->g.seq;

	later(l, 1000);
	assert_int_equal(last(l)->g.flags, SEG_SYN | SEG_ACK);
	give(l, &p.ends, &syn);
	assert_int_equal(last(l)->g.seq, ours);
	assert_int_equal(streams_count(l->s), 1);
	/* An acknowledgement of what was not sent: a reset, and it still may come right. */
	p.ack = ours + 2;
	say(&p, SEG_ACK, NULL, 0);
	assert_int_equal(last(l)->g.flags, SEG_RST);
	assert_int_equal(last(l)->g.seq, ours + 2);
	later(l, 3999);
	assert_int_equal(streams_count(l->s), 1);
	later(l, 1);
	assert_int_equal(streams_count(l->s), 0);
	assert_int_equal(l->n_gone, 1);
}

/* --- What is not acceptable ------------------------------------------------------------------------ */

static void test_stray(void **state)
{
	struct lab *l = *state;
	struct peer p = {.l = l, .ends = ends_of(1, 4000), .seq = 77, .ack = 88, .window = WINDOW};

	say(&p, SEG_ACK, NULL, 0);
	assert_int_equal(last(l)->g.flags, SEG_RST);
	assert_int_equal(last(l)->g.seq, 88);
	say(&p, SEG_FIN, "abc", 3);
	assert_int_equal(last(l)->g.flags, SEG_RST | SEG_ACK);
	assert_int_equal(last(l)->g.ack, 77 + 4);
	say(&p, SEG_RST, NULL, 0);
	assert_int_equal(l->n_sent, 2);
	/* And not more than so many. */
	for (unsigned i = 0; i < 10000; i++)
		say(&p, SEG_ACK, NULL, 0);
	assert_in_range(l->n_sent, 50, 200);
	assert_int_equal(streams_count(l->s), 0);
}

/* RFC 5961: a stranger who guesses the ports still has to know the numbers. */
static void test_challenge(void **state)
{
	struct lab *l = *state;
	struct peer p = connect_one(l), blind = p;
	unsigned before = l->n_sent;

	blind.seq += 5; /* within the window, but not the next */
	say(&blind, SEG_RST, NULL, 0);
	assert_int_equal(l->n_sent, before + 1);
	assert_int_equal(last(l)->g.flags, SEG_ACK);
	assert_int_equal(last(l)->g.ack, p.seq);
	say(&blind, SEG_RST, NULL, 0);
	say(&blind, SEG_SYN, NULL, 0);
	assert_int_equal(l->n_sent, before + 1); /* not so often */
	later(l, 100);
	say(&blind, SEG_SYN, NULL, 0);
	assert_int_equal(l->n_sent, before + 2);
	later(l, 100);
	blind = p;
	blind.ack += 1000000;
	say(&blind, SEG_ACK, "x", 1);
	assert_int_equal(l->n_sent, before + 3);
	assert_int_equal(last(l)->g.ack, p.seq); /* nothing of it was taken */
	later(l, 100);
	blind = p;
	blind.seq += 70000;
	say(&blind, SEG_RST, NULL, 0); /* outside of it: not even that */
	assert_int_equal(l->n_sent, before + 3);
	say(&blind, SEG_ACK, "x", 1);
	assert_int_equal(l->n_sent, before + 4);
	assert_int_equal(streams_count(l->s), 1);
	/* From another MAC or port: nobody's connection. */
	blind = p;
	blind.ends.mac.b[5]++;
	say(&blind, SEG_RST, NULL, 0);
	blind = p;
	blind.ends.slot++;
	say(&blind, SEG_RST, NULL, 0);
	assert_int_equal(streams_count(l->s), 1);
	say(&p, SEG_RST, NULL, 0);
	assert_int_equal(streams_count(l->s), 0);
}

/* Data behind a gap, twice, overlapping, beyond the window, with a FIN out of order, after the FIN. */
static void test_order(void **state)
{
	struct lab *l = *state;
	struct peer p = connect_one(l), q;
	static uint8_t b[4000];
	size_t n = question(b, 100);

	q = p;
	q.seq += 10;
	say(&q, SEG_ACK | SEG_FIN, b + 10, n - 10);
	assert_int_equal(last(l)->g.ack, p.seq);
	say(&p, SEG_ACK, b, 40);
	q = p;
	q.seq -= 40;
	say(&q, SEG_ACK, b, n); /* all of it once more, and the rest */
	assert_int_equal(l->n_messages, 1);
	assert_memory_equal(l->message, b + 2, 100);
	assert_int_equal(last(l)->g.ack, q.seq);
	p = q;
	q.seq -= 50;
	say(&q, SEG_ACK, b, 50);
	assert_int_equal(l->n_messages, 1);
	/* More than the window: its part is taken, the FIN is not. */
	memset(b, 0, sizeof(b));
	for (unsigned i = 0; i < 2000; i += 100)
		question(b + i, 98);
	q = p;
	say(&q, SEG_ACK | SEG_FIN, b, 2000);
	assert_int_equal(last(l)->g.ack, p.seq + STREAM_MSS);
	assert_int_equal(l->n_messages, 15);
	p.seq += STREAM_MSS;
	say(&p, SEG_ACK | SEG_FIN, b, 100);
	assert_int_equal(l->n_messages, 16);
	say(&p, SEG_ACK, b, 100);
	assert_int_equal(l->n_messages, 16);
}

/* --- M11: lies, and aardvark-dns CVE-2026-35406 ---------------------------------------------------- */

static void test_lengths(void **state)
{
	static const uint16_t bad[] = {0, STREAM_IN + 1, 1024, 65535};
	struct lab *l = *state;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct peer p = connect_as(l, 1, (uint16_t)(4000 + i), 1000);
		uint8_t b[64] = {0};

		write_be16(b, bad[i]);
		say(&p, SEG_ACK, b, 1);
		assert_int_equal(streams_count(l->s), 1);
		say(&p, SEG_ACK, b + 1, 40);
		assert_int_equal(last(l)->g.flags & SEG_RST, SEG_RST);
		assert_int_equal(streams_count(l->s), 0);
	}
	assert_int_equal(l->n_messages, 0);
	assert_int_equal(l->n_gone, 4);
}

/* A question that is cut short, then a reset, a FIN, or nothing. */
static void test_cut_short(void **state)
{
	struct lab *l = *state;
	struct peer p = connect_one(l);
	uint8_t b[64];
	size_t n = question(b, 40);

	say(&p, SEG_ACK, b, n - 1);
	say(&p, SEG_RST, NULL, 0);
	assert_int_equal(streams_count(l->s), 0);
	assert_int_equal(streams_tick(l->s, l->now_ms), UINT64_MAX);
	p = connect_one(l);
	say(&p, SEG_ACK, b, 1);
	say(&p, SEG_ACK | SEG_FIN, NULL, 0);
	assert_int_equal(last(l)->g.flags & SEG_RST, SEG_RST);
	assert_int_equal(streams_count(l->s), 0);
	/* A byte now and then does not keep it open. */
	p = connect_one(l);
	for (unsigned i = 0; i < 5; i++) {
		say(&p, SEG_ACK, b + i, 1);
		assert_int_equal(streams_count(l->s), 1);
		later(l, 1000);
	}
	assert_int_equal(last(l)->g.flags & SEG_RST, SEG_RST);
	assert_int_equal(streams_count(l->s), 0);
	assert_int_equal(l->n_messages, 0);
	/* A reset while the answer is sought. */
	p = connect_one(l);
	say(&p, SEG_ACK, b, n);
	say(&p, SEG_RST, NULL, 0);
	assert_int_equal(l->gone, l->conn);
	assert_false(streams_answer(l->s, l->conn, b, 10, l->now_ms));
}

static void test_headers(void **state)
{
	struct lab *l = *state;
	struct stream_ends e = ends_of(1, 4000);
	uint8_t b[60] = {0};

	/* Too short, a header that is shorter or longer than it can be. */
	for (size_t n = 0; n < sizeof(b); n++)
		for (unsigned words = 0; words < 16; words++) {
			uint8_t *exact = malloc(n ? n : 1);

			assert_non_null(exact);
			b[12] = (uint8_t)(words << 4);
			b[13] = SEG_RST;
			memcpy(exact, b, n);
			streams_receive(l->s, &e, exact, n, l->now_ms);
			free(exact);
		}
	/* Options: without length, with one past the end, MSS of the wrong size, urgent data. */
	for (unsigned i = 0; i < 256; i++) {
		e.sport = (uint16_t)(5000 + i);
		memset(b, 0, sizeof(b));
		b[12] = 6 << 4;
		b[13] = SEG_SYN | 0x20;
		b[18] = b[19] = 0xff;
		b[20] = (uint8_t)(i & 3);
		b[21] = (uint8_t)(i >> 2);
		streams_receive(l->s, &e, b, 24, l->now_ms);
	}
	assert_int_equal(streams_count(l->s), STREAMS_MAX / 4);
	/* Flags that make no sense begin nothing. */
	streams_flush(l->s, 10);
	for (unsigned flags = 0; flags < 256; flags++) {
		b[13] = (uint8_t)flags;
		streams_receive(l->s, &e, b, 24, l->now_ms);
		assert_int_equal(streams_count(l->s), (flags & 0x17) == SEG_SYN);
		streams_flush(l->s, 10);
	}
}

/* An MSS of one byte makes no flood of segments. */
static void test_small_mss(void **state)
{
	struct lab *l = *state;
	struct peer p = connect_as(l, 1, 4000, 1);
	uint8_t b[1000] = {0};
	unsigned before;

	say(&p, SEG_ACK, b, question(b, 20));
	before = l->n_sent;
	assert_true(streams_answer(l->s, l->conn, b, 1000, l->now_ms));
	assert_int_equal(l->n_sent, before + 10);
	assert_int_equal(last(l)->g.n, 64);
}

/* --- Limits ---------------------------------------------------------------------------------------- */

static void test_out_full(void **state)
{
	static uint8_t answer[STREAM_OUT];
	struct lab *l = *state;
	struct peer p = connect_one(l);
	uint8_t b[64];

	say(&p, SEG_ACK, b, question(b, 20));
	assert_false(streams_answer(l->s, l->conn, answer, STREAM_OUT - 1, l->now_ms));
	assert_int_equal(last(l)->g.flags & SEG_RST, SEG_RST);
	p = connect_one(l);
	say(&p, SEG_ACK, b, question(b, 20));
	assert_true(streams_answer(l->s, l->conn, answer, STREAM_OUT - 2, l->now_ms));
	assert_false(streams_answer(l->s, l->conn, answer, 0, l->now_ms));
	assert_int_equal(streams_count(l->s), 0);
	assert_int_equal(l->n_gone, 2);
}

/* One port keeps its share; many together cannot keep another out (R08). */
static void test_share(void **state)
{
	struct lab *l = *state;
	struct peer first;

	first = connect_as(l, 9, 1, 0);
	for (uint16_t i = 0; i < 1000; i++) {
		l->now_ms++;
		greet(l, 1, (uint16_t)(1000 + i), 0);
	}
	assert_int_equal(streams_count(l->s), STREAMS_MAX / 4 + 1);
	for (uint16_t slot = 2; slot < 6; slot++)
		for (uint16_t i = 0; i < 1000; i++)
			greet(l, slot, (uint16_t)(1000 + i), 0);
	assert_int_equal(streams_count(l->s), STREAMS_MAX);
	connect_as(l, 7, 1, 0);
	assert_int_equal(streams_count(l->s), STREAMS_MAX);
	/* Of who held one only, it stands. */
	l->answers_at_once = true;
	say(&first, SEG_ACK, "\0\1x", 3);
	assert_int_equal(l->n_messages, 1);
	later(l, 5000);
	assert_int_equal(streams_count(l->s), 2);
	/* Ports that are no slots */
	for (unsigned slot = 4000; slot < 5000; slot++)
		greet(l, (uint16_t)slot, 1, 0);
	assert_in_range(streams_count(l->s), STREAMS_MAX / 2, STREAMS_MAX);
}

static void test_flush(void **state)
{
	struct lab *l = *state;
	struct peer p = connect_one(l);
	uint8_t b[64];
	unsigned before = l->n_sent;

	streams_flush(l->s, 11);
	assert_int_equal(streams_count(l->s), 1);
	/* Even from within a message. */
	l->flushes = true;
	l->answers_at_once = true;
	say(&p, SEG_ACK, b, question(b, 20));
	assert_int_equal(streams_count(l->s), 0);
	assert_int_equal(l->n_sent, before);
	assert_int_equal(l->n_gone, 1);
}

/* RFC 6528: no two connections begin alike, and with time it goes on. */
static void test_numbers(void **state)
{
	struct lab *l = *state;
	uint32_t first;

	greet(l, 1, 4000, 0);
	first = last(l)->g.seq;
	greet(l, 1, 4001, 0);
	assert_int_not_equal(last(l)->g.seq, first);
	streams_flush(l->s, 10);
	l->now_ms += 1000;
	greet(l, 1, 4000, 0);
	assert_int_equal(last(l)->g.seq, first + 250000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_question, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_half_close, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_window_closed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_timeout, setup, teardown),
		cmocka_unit_test_setup_teardown(test_syn_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stray, setup, teardown),
		cmocka_unit_test_setup_teardown(test_challenge, setup, teardown),
		cmocka_unit_test_setup_teardown(test_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lengths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut_short, setup, teardown),
		cmocka_unit_test_setup_teardown(test_headers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_small_mss, setup, teardown),
		cmocka_unit_test_setup_teardown(test_out_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_share, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flush, setup, teardown),
		cmocka_unit_test_setup_teardown(test_numbers, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
