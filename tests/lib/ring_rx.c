/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ring_rx: a guest's receive buffers, and frames for them; see ring_rx.h. */
#include "tests/lib/ring_rx.h"

#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { PIECES = 16, CHAIN_MAX = 64, CHAINS = 1024, BEHIND = 64 };

struct ring_lab *rx_lab;
bool rx_has_canaries = true;
uint8_t rx_bytes[RX_FRAMES][FRAME_MAX];
struct frame rx_frames[RX_FRAMES];
struct tx_frame rx_tx[RX_FRAMES];
uint8_t rx_got[2 * FRAME_MAX];
struct rx_header rx_header;

static struct chain {
	struct lab_part part[CHAIN_MAX];
	unsigned n;
} chains[CHAINS], kept[CHAINS]; /* by id */
static uint8_t heads[RX_FRAMES][FRAME_HEADROOM + SNAP_MAX];
static struct iovec pieces[RX_FRAMES][PIECES];

/* With and without buffers that merge; the last two are a legacy guest's. */
const struct lab_shape rx_shapes[RX_SHAPES] = {
	{.size = RX_RING, .base = 65500, .header = 12, .has_mrg = true, .has_indirect = true},
	{.size = RX_RING, .base = 65500, .header = 12, .has_indirect = true, .is_in_order = true},
	{.size = 999,
	 .base = 990,
	 .header = 12,
	 .has_mrg = true,
	 .has_indirect = true,
	 .is_packed = true},
	{.size = 999,
	 .base = 990,
	 .header = 12,
	 .has_indirect = true,
	 .is_packed = true,
	 .is_in_order = true},
	{.size = RX_RING, .header = 10, .has_indirect = true},
	{.size = RX_RING, .header = 12, .has_mrg = true},
};
void rx_for_shapes(void (*check)(void))
{
	for (unsigned i = 0; i < RX_SHAPES; i++) {
		rx_start(&rx_shapes[i]);
		check();
		rx_stop();
	}
}

void rx_start(const struct lab_shape *shape)
{
	assert_true(shape->size <= CHAINS);
	rx_lab = lab_create(shape, false);
	memset(chains, 0, sizeof(chains));
}

void rx_stop(void)
{
	lab_destroy(rx_lab);
}

void rx_keep(void)
{
	memcpy(kept, chains, sizeof(chains));
}

void rx_go_back(void)
{
	memcpy(chains, kept, sizeof(chains));
}

/* --- the guest --------------------------------------------------------------------------- */

struct lab_part rx_canary(uint32_t n)
{
	struct lab_part p = {lab_alloc(rx_lab, n + BEHIND), n, LAB_WRITE};

	memset(lab_at(rx_lab, p.gpa), RX_CANARY, n + BEHIND);
	return p;
}

/* A chain of n parts of these lengths; in a table if it says so. */
void rx_post_chain(const uint32_t *len, unsigned n, bool in_table)
{
	struct chain c = {.n = n};
	struct lab_part table;
	int id;

	for (unsigned i = 0; i < n; i++)
		c.part[i] = rx_canary(len[i]);
	if (in_table)
		table = lab_table(rx_lab, c.part, n);
	id = in_table ? lab_put(rx_lab, &table, 1) : lab_put(rx_lab, c.part, n);
	assert_true(id >= 0);
	chains[id] = c;
}

void rx_post(uint32_t len, unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		rx_post_chain(&len, 1, false);
}

/* Is there nothing but canaries from `from` to the end of a part, and behind it? */
static bool is_intact(const struct lab_part *p, uint32_t from)
{
	const uint8_t *at = lab_at(rx_lab, p->gpa);
	unsigned other = 0;

	for (uint32_t k = from; k < p->len + BEHIND; k++)
		other |= at[k] ^ RX_CANARY;
	return other == 0;
}

/* The bytes that a used chain came with; behind them nothing was written. */
static uint32_t read_chain(uint8_t *to, uint32_t room)
{
	uint32_t len = 0, left, done = 0;
	const struct chain *c;
	uint16_t id;

	assert_true(lab_used(rx_lab, &id, &len));
	assert_true(len <= room);
	c = &chains[id];
	left = len;
	for (unsigned i = 0; i < c->n; i++) {
		uint32_t now = left < c->part[i].len ? left : c->part[i].len;

		memcpy(to + done, lab_at(rx_lab, c->part[i].gpa), now);
		assert_true(!rx_has_canaries || is_intact(&c->part[i], now));
		done += now;
		left -= now;
	}
	assert_int_equal(left, 0);
	return len;
}

uint32_t rx_receive(void)
{
	static uint8_t all[sizeof(rx_got)];
	unsigned header = rx_lab->r.header, n_chains = 0, buffers = 1;
	uint32_t n = 0;

	for (; n < header || n_chains < buffers; n_chains++) {
		n += read_chain(all + n, (uint32_t)sizeof(all) - n);
		if (rx_lab->shape.has_mrg && n >= header)
			buffers = (unsigned)(all[10] | all[11] << 8);
		if (n == 0 && !rx_lab->shape.has_mrg)
			return 0;
		assert_true(rx_lab->shape.has_mrg || n_chains == 0);
	}
	assert_int_equal(n_chains, buffers);
	assert_true(n > header);
	memset(&rx_header, 0, sizeof(rx_header));
	memcpy(&rx_header, all, header);
	if (header == 12)
		assert_int_equal(le16toh(rx_header.num_buffers), buffers);
	memcpy(rx_got, all + header, n - header);
	return n - header;
}

/* --- the switch -------------------------------------------------------------------------- */

/* Frame i of the vector: of that length, `in_snap` bytes of it in the snapshot, the rest in pieces. */
struct frame *rx_make(unsigned i, uint32_t len, uint32_t in_snap, uint32_t piece)
{
	struct frame *f = &rx_frames[i];

	*f = (struct frame){.snap = heads[i] + FRAME_HEADROOM, .len = len, .body = pieces[i]};
	f->snap_len = (uint16_t)(len < in_snap ? len : in_snap);
	for (uint32_t at = f->snap_len; at < len; f->body_cnt++) {
		uint32_t now = f->body_cnt + 1 == PIECES || len - at < piece ? len - at : piece;

		pieces[i][f->body_cnt] = (struct iovec){rx_bytes[i] + at, now};
		at += now;
	}
	memcpy(f->snap, rx_bytes[i], f->snap_len);
	rx_tx[i] = (struct tx_frame){.f = f, .frames = 1};
	return f;
}

struct frame *rx_make_plain(unsigned i, uint32_t len)
{
	lab_fill(rx_bytes[i], len, i);
	return rx_make(i, len, 128, 1000);
}

void rx_expect_plain(unsigned i, uint32_t len)
{
	static const struct offload none;

	assert_int_equal(rx_receive(), len);
	assert_memory_equal(&rx_header.off, &none, sizeof(none));
	assert_memory_equal(rx_got, rx_bytes[i], len);
}

void rx_expect_none(void)
{
	assert_int_equal(lab_used_all(rx_lab), 0);
}
