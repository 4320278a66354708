/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that writes while its rings are read (row G06 of what has to hold), and many frames from one guest's descriptors into
 * another's buffers, byte for byte.
 *
 * With SOAK set the race takes ten minutes in all, and there are a hundred times as many frames.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <cmocka.h>

#include "switch/base/isa.h"
#include "tests/lib/ring_rx.h"
#include "tests/lib/stepper.h"

enum { LEN = 200, RING = 64, PARTS = 32, TCP4 = ETH_HEADER + 20 };

static const struct lab_shape shapes[] = {
	{.size = RING, .base = 65530, .header = 12, .has_mrg = true, .has_indirect = true},
	{.size = RING, .header = 10, .has_indirect = true, .is_in_order = true},
	{.size = 61, .base = 55, .header = 12, .has_indirect = true, .is_packed = true},
	{.size = 67,
	 .base = 60,
	 .header = 12,
	 .has_mrg = true,
	 .has_indirect = true,
	 .is_packed = true,
	 .is_in_order = true},
};
enum { SHAPES = sizeof(shapes) / sizeof(shapes[0]) };

static struct ring_lab *l;
static struct lab_part parts[PARTS];
static unsigned n_parts;

static void add(uint64_t gpa, uint32_t len, uint16_t flags)
{
	assert_true(n_parts < PARTS);
	parts[n_parts++] = (struct lab_part){gpa, len, flags};
}

static void send_parts(void)
{
	assert_true(lab_put(l, parts, n_parts) >= 0);
	n_parts = 0;
}

static void send_frame(unsigned number)
{
	n_parts = 0;
	add(lab_write_frame(l, number, LEN), l->r.header + LEN, 0);
	send_parts();
}

static struct lab_part good_table(unsigned number)
{
	uint64_t at = lab_write_frame(l, number, LEN);

	return lab_table(l, (struct lab_part[]){{at, 20, 0}, {at + 20, l->r.header + LEN - 20, 0}},
			 2);
}

/* --- each word is read once -------------------------------------------------------------- */

/* Ring and frames of the lab in pages that can be shut. */
struct shut {
	uint8_t *mem;
	size_t bytes;
};
enum { SHUT_FRAMES = 64 * 1024, SHUT_RING = 4096 };

static struct shut shut_create(void)
{
	struct shut s = {.bytes = SHUT_FRAMES + 3 * SHUT_RING};

	s.mem = mmap(NULL, s.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(s.mem, MAP_FAILED);
	memcpy(s.mem, l->mem.span[0].host, SHUT_FRAMES);
	for (unsigned i = 0; i < 3; i++)
		memcpy(s.mem + SHUT_FRAMES + i * SHUT_RING, l->part[i], l->part_bytes[i]);
	l->mem.span[0].host = s.mem;
	l->r.desc = s.mem + SHUT_FRAMES;
	l->r.driver = s.mem + SHUT_FRAMES + SHUT_RING;
	l->r.device = s.mem + SHUT_FRAMES + 2 * SHUT_RING;
	return s;
}

static void take_shut(void *arg)
{
	(void)arg;
	vring_take(&l->r, &l->scratch, &l->vec, VEC_SIZE);
}

/*
 * Is this an access whose value decides something: to a ring, to a table, to the first word of a header?  The other bytes of
 * frames are copied, and a copy may overlap itself.
 */
static bool decides(size_t at, const struct lab_part *table, const uint64_t heads[static 4])
{
	if (at >= SHUT_FRAMES || LAB_GPA + at - table->gpa < table->len)
		return true;
	for (unsigned i = 0; i < 4; i++)
		if (LAB_GPA + at == heads[i])
			return true;
	return false;
}

/* A packed head is polled for its flags, which are not those that are acted upon. */
static bool is_polled(size_t at)
{
	return l->shape.is_packed && at >= SHUT_FRAMES && at < SHUT_FRAMES + SHUT_RING &&
	       at % 16 == 14;
}

static void expect_read_once(const struct shut *s, const uintptr_t at[], size_t n,
			     const struct lab_part *table, const uint64_t heads[static 4])
{
	unsigned seen = 0;

	for (size_t i = 0; i < n; i++) {
		size_t offset = at[i] - (uintptr_t)s->mem;

		if (!decides(offset, table, heads) || is_polled(offset))
			continue;
		seen++;
		for (size_t k = 0; k < i; k++)
			if (at[k] == at[i])
				fail_msg("offset %zx is read twice", offset);
	}
	/* Four heads, seven descriptors of the ring and of the table by two words each. */
	assert_true(seen >= 4 + 2 * 8);
}

static void check_reads(void)
{
	static uintptr_t at[20000];
	uint8_t *saved = l->mem.span[0].host;
	uint64_t heads[4];
	struct lab_part table;
	struct shut s;
	size_t n;

	heads[0] = l->brk;
	send_frame(1);
	heads[1] = l->brk;
	table = good_table(2);
	parts[n_parts++] = table;
	send_parts();
	heads[2] = lab_write_frame(l, 3, LEN);
	add(heads[2], 5, 0);
	add(heads[2] + 5, 50, 0);
	add(heads[2] + 55, l->r.header + LEN - 55, 0);
	send_parts();
	/* With offload fields: the long way of a head. */
	heads[3] = lab_write_frame(l, 4, LEN);
	*(uint8_t *)lab_at(l, heads[3]) = OFFLOAD_NEEDS_CSUM;
	add(heads[3], l->r.header + LEN, 0);
	send_parts();
	s = shut_create();
	n = stepper_accesses(take_shut, NULL, s.mem, s.bytes, at, 20000);
	assert_int_equal(l->vec.n, 4);
	for (unsigned i = 0; i < 4; i++)
		lab_expect_frame(&l->vec.f[i], i + 1, LEN);
	assert_true(n < 20000);
	expect_read_once(&s, at, n, &table, heads);
	l->mem.span[0].host = saved;
	munmap(s.mem, s.bytes);
}

static void G06_read_once(void **state)
{
	(void)state;
	if (!stepper_works())
		skip();
	for (unsigned i = 0; i < SHAPES; i++) {
		struct lab_shape shape = shapes[i];

		shape.can = LAB_ALL_CAN;
		l = lab_create(&shape, true);
		check_reads();
		lab_destroy(l);
	}
}

/* --- a guest that writes meanwhile ------------------------------------------------------- */

static struct ring_lab *victim[2]; /* transmit, receive */
static _Atomic bool is_over;

/* Words that mean something somewhere: in a descriptor, in an index, in a header. */
static uint64_t odd_word(unsigned *seed)
{
	static const uint64_t words[] = {
		0,
		1,
		0xffff,
		0x8000,
		0x7fff,
		0x80,
		0xffffffff,
		0xffffffffffffffff,
		LAB_GPA,
		LAB_ADJACENT - 1,
		LAB_HOLE,
		LAB_FAR,
		0x0101010101010101,
		0x0004000400040004,
		0x8001008000020004,
		0x00020010002a0101,
		0x0000000100000010,
		65535ULL << 32 | 12,
	};
	unsigned pick = (unsigned)rand_r(seed);

	if (pick % 3 == 0)
		return (uint64_t)rand_r(seed) << 32 ^ (uint64_t)rand_r(seed);
	return words[pick / 4 % (sizeof(words) / sizeof(words[0]))];
}

static void *scribble(void *arg)
{
	unsigned seed = 1;

	(void)arg;
	while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
		struct ring_lab *v = victim[rand_r(&seed) % 2];
		unsigned where = (unsigned)rand_r(&seed) % 6, bytes = 1u << rand_r(&seed) % 3 << 1;
		uint8_t *at = where < 3 ? v->part[where] : v->mem.span[0].host;
		size_t room = where < 3 ? v->part_bytes[where] : 16 * 4096;
		uint64_t word = odd_word(&seed);

		if (room < bytes)
			continue;
		at += (size_t)rand_r(&seed) % (room / bytes) * bytes;
		if (where > 3) /* the first words of what a descriptor points to */
			at = v->mem.span[0].host + (size_t)(rand_r(&seed) % 16) * 4096 +
			     (size_t)(rand_r(&seed) % 8) * 8;
		if (bytes == 2)
			__atomic_store_n((uint16_t *)(void *)at, (uint16_t)word, __ATOMIC_RELAXED);
		else if (bytes == 4)
			__atomic_store_n((uint32_t *)(void *)at, (uint32_t)word, __ATOMIC_RELAXED);
		else
			__atomic_store_n((uint64_t *)(void *)at, word, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* A page of the guest: a header that asks for segmentation and the start of such a frame, or a table. */
static void write_page(struct ring_lab *v, unsigned page)
{
	static const uint8_t start[] = {1, 1, 54,   0, 100, 0,	  34, 0, 16,   0, 0,  0,
					2, 0, 0,    0, 0,   1,	  2,  0, 0,    0, 0,  2,
					8, 0, 0x45, 0, 5,   0xdc, 0,  7, 0x40, 0, 64, 6};
	uint8_t *at = (uint8_t *)lab_at(v, LAB_GPA) + (size_t)page * 4096;
	struct lab_desc *d = (struct lab_desc *)(void *)at;

	if (page % 4) {
		memset(at, 0x50, 200);
		memcpy(at + (12 - v->r.header), start, sizeof(start));
		return;
	}
	for (unsigned i = 0; i < 8; i++) {
		uint16_t flags = v->is_transmit ? 0 : LAB_WRITE, next = i < 7 ? LAB_NEXT : 0;

		d[i] = (struct lab_desc){LAB_GPA + (i + 1) * 4096, 700, flags | next,
					 (uint16_t)(i + 1)};
		if (v->shape.is_packed) {
			d[i].third = 0;
			d[i].last = flags;
		}
	}
}

/* The ring as an honest guest would have it, or nearly: much is available. */
static void refresh(struct ring_lab *v, unsigned *seed)
{
	uint16_t size = v->shape.size, rw = v->is_transmit ? 0 : LAB_WRITE;
	uint16_t *avail = (uint16_t *)(void *)v->part[1];

	for (unsigned page = 0; page < 16; page++)
		write_page(v, page);
	for (unsigned i = 0; i < size; i++) {
		unsigned kind = (unsigned)rand_r(seed) % 8, page = (unsigned)rand_r(seed) % 16;
		bool wrap = i >= v->r.taken ? v->r.taken_wrap : !v->r.taken_wrap;
		uint16_t flags = kind == 0 ? LAB_INDIRECT : kind == 1 ? rw | LAB_NEXT : rw;
		struct lab_desc d = {LAB_GPA + page * 4096, 1500, flags, (uint16_t)(i + 1)};

		if (flags == LAB_INDIRECT) {
			d.addr = LAB_GPA + page / 4 * 4 * 4096;
			d.len = 128;
		}
		if (v->shape.is_packed) {
			d.third = (uint16_t)i;
			d.last = (uint16_t)(flags | (wrap ? LAB_AVAIL : LAB_USED));
		}
		*lab_desc(v, i) = d;
		if (!v->shape.is_packed)
			avail[2 + i] = (uint16_t)i;
	}
	if (!v->shape.is_packed)
		__atomic_store_n(&avail[1], (uint16_t)(v->r.taken + rand_r(seed) % (size + 1)),
				 __ATOMIC_RELEASE);
	if (!lab_is_broken(v))
		return;
	atomic_store(&v->r.mode, RING_STOPPED);
	vring_start(&v->r, (uint16_t)(v->r.taken | (v->shape.is_packed ? LAB_WRAP : 0)), false);
	atomic_store(&v->r.mode, RING_ON);
}

static bool is_in_memory(const struct guest_mem *m, const struct iovec *iov)
{
	for (unsigned i = 0; i < m->n; i++) {
		uint64_t off = (uint64_t)((uint8_t *)iov->iov_base - m->span[i].host);

		if (off < m->span[i].size && iov->iov_len <= m->span[i].size - off)
			return true;
	}
	return false;
}

static void check_frame(const struct ring_lab *v, const struct frame *f)
{
	uint64_t bytes = f->snap_len;

	if (f->drop) {
		assert_true(f->drop < DROP_COUNT && f->snap_len == 0 && f->body_cnt == 0);
		return;
	}
	assert_true(f->len > 0 && f->len <= FRAME_MAX && f->snap_len <= SNAP_MAX);
	for (unsigned i = 0; i < f->body_cnt; i++) {
		assert_true(is_in_memory(&v->mem, &f->body[i]));
		bytes += f->body[i].iov_len;
	}
	assert_int_equal(bytes, f->len);
}

/* One vector from the hostile transmit ring to the hostile receive ring. */
static void pass_vector(struct ring_lab *from, struct ring_lab *to, unsigned *seed)
{
	static const struct tag tag = {ETYPE_8021Q, 7};
	struct tx_frame t[VEC_SIZE];
	unsigned n = 0;

	vring_take(&from->r, &from->scratch, &from->vec, VEC_SIZE);
	for (unsigned i = 0; i < from->vec.n; i++) {
		struct frame *f = &from->vec.f[i];

		check_frame(from, f);
		if (f->drop || f->snap_len < ETH_HEADER)
			continue;
		if ((f->off.flags | f->off.gso_type) && frame_check_offload(f) != DROP_NONE)
			continue;
		t[n] = (struct tx_frame){.f = f, .frames = 1};
		if (rand_r(seed) % 4 == 0)
			t[n].tag = tag;
		n++;
	}
	to->r.can = (uint8_t)(rand_r(seed) & LAB_ALL_CAN);
	vring_put(&to->r, &from->scratch, t, n);
	vring_return(&from->r, &from->scratch);
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void race(const struct lab_shape *shape, double seconds)
{
	struct lab_shape s = *shape;
	double end = now_s() + seconds;
	unsigned seed = 2, vectors = 0;
	pthread_t guest;

	s.can = LAB_ALL_CAN;
	victim[0] = lab_create(&s, true);
	victim[1] = lab_create(&s, false);
	atomic_store(&is_over, false);
	assert_int_equal(pthread_create(&guest, NULL, scribble, NULL), 0);
	for (; now_s() < end; vectors++) {
		refresh(victim[0], &seed);
		refresh(victim[1], &seed);
		pass_vector(victim[0], victim[1], &seed);
	}
	atomic_store(&is_over, true);
	pthread_join(guest, NULL);
	assert_true(vectors > 100);
	for (unsigned i = 0; i < 2; i++)
		lab_destroy(victim[i]);
}

static void G06_race(void **state)
{
	double seconds = getenv("SOAK") ? 75 : 0.3;

	(void)state;
#ifdef __SANITIZE_THREAD__
	skip(); /* that it is a race is the point */
#endif
	for (unsigned i = 0; i < SHAPES; i++)
		race(&shapes[i], seconds);
}

/* --- from one guest to another ----------------------------------------------------------- */

/* The frame of that number in a chain of any layout. */
static void send_somehow(unsigned number, uint32_t len)
{
	uint32_t bytes = len + l->r.header, at = 0;
	uint64_t gpa = lab_write_frame(l, number, len);
	struct lab_part table;

	n_parts = 0;
	while (at < bytes) {
		uint32_t now = rand() % 3 ? bytes - at : (uint32_t)rand() % 40;

		if (now > bytes - at || n_parts == 6)
			now = bytes - at;
		add(gpa + at, now, 0);
		at += now;
	}
	if (n_parts > 1 && rand() % 2) {
		table = lab_table(l, parts, n_parts);
		n_parts = 0;
		parts[n_parts++] = table;
	}
	send_parts();
}

/* A place for a frame of that length, of any layout. */
static void post_somehow(uint32_t len)
{
	uint32_t room = len + rx_lab->r.header + TAG_BYTES, layout[8], n = 0;

	if (rx_lab->shape.has_mrg) {
		uint32_t each = room / 7 + (uint32_t)rand() % 2000 + 40;

		for (uint32_t at = 0; at < room; at += each)
			rx_post(each, 1);
		return;
	}
	while (n < 5 && rand() % 2)
		layout[n++] = (uint32_t)rand() % 50;
	layout[n++] = room + (uint32_t)rand() % 50;
	rx_post_chain(layout, n, n > 1 && rand() % 2);
}

static uint32_t some_len(void)
{
	switch (rand() % 40) {
	case 0:
		return 14 + (uint32_t)rand() % (FRAME_MAX - 14);
	case 1 ... 10:
		return 14 + (uint32_t)rand() % 300;
	default:
		return 14 + (uint32_t)rand() % 1600;
	}
}

/* Frames number, number + 1... in one vector; returns how many. */
static unsigned carry(unsigned number, const struct tag *tags, unsigned n_tags)
{
	unsigned n = (unsigned)rand() % 5 + 1, shift;
	struct tx_frame t[5];
	uint32_t len[5];

	lab_alloc_all(l);
	lab_alloc_all(rx_lab);
	for (unsigned i = 0; i < n; i++) {
		len[i] = some_len();
		send_somehow(number + i, len[i]);
		post_somehow(len[i]);
	}
	assert_int_equal(lab_take(l), n);
	for (unsigned i = 0; i < n; i++) {
		const struct frame *f = &l->vec.f[i];

		assert_int_equal(f->drop, DROP_NONE);
		t[i] = (struct tx_frame){
			.f = f, .frames = 1, .tag = tags[(unsigned)rand() % n_tags]};
	}
	assert_int_equal(vring_put(&rx_lab->r, &l->scratch, t, n), 0);
	lab_return(l);
	for (unsigned i = 0; i < n; i++) {
		static uint8_t want[FRAME_MAX];

		shift = t[i].tag.tpid ? TAG_BYTES : 0;
		lab_fill(want, len[i], number + i);
		assert_int_equal(rx_receive(), len[i] + shift);
		assert_memory_equal(rx_got, want, 12);
		if (shift)
			assert_int_equal(rx_got[14] << 8 | rx_got[15], t[i].tag.tci);
		assert_memory_equal(rx_got + 12 + shift, want + 12, len[i] - 12);
	}
	assert_int_equal(lab_used_all(l), n);
	/* Buffers that are left over. */
	while (rx_lab->n_free < rx_lab->shape.size) {
		rx_make_plain(0, 20);
		assert_int_equal(lab_tx(rx_lab, rx_tx, 1), 0);
		rx_expect_plain(0, 20);
	}
	assert_false(lab_is_broken(l) || lab_is_broken(rx_lab));
	return n;
}

static void from_guest_to_guest(void **state)
{
	static const struct tag tags[] = {{0}, {0}, {ETYPE_8021Q, 0x6123}, {ETYPE_8021AD, 5}};
	unsigned frames = (getenv("SOAK") ? 10000000 : 100000) / (2 * SHAPES * SHAPES);

	(void)state;
	srand(9);
	for (unsigned i = 0; i < SHAPES; i++)
		for (unsigned k = 0; k < SHAPES; k++) {
			l = lab_create(&shapes[i], true);
			rx_start(&shapes[k]);
			for (unsigned number = 0; number < frames;)
				number += carry(number, tags, 4);
			rx_stop();
			lab_destroy(l);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(G06_read_once),
		cmocka_unit_test(G06_race),
		cmocka_unit_test(from_guest_to_guest),
	};

	/* The version of this processor, and the one for any. */
	int failed = cmocka_run_group_tests_name("processor", tests, NULL, NULL);

	isa_wide = false;
	return failed + cmocka_run_group_tests_name("any", tests, NULL, NULL);
}
