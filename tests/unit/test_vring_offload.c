/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tags, checksums and segmentation on the way into a guest's receive ring, and what a hostile sender says of them: rows G07,
 * G09, G10 and G14 of what has to hold.
 */
#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/base/isa.h"
#include "switch/conf.h"
#include "switch/forward.h"
#include "switch/port/gso.h"
#include "tests/lib/fake_port.h"
#include "tests/lib/ring_rx.h"

enum {
	TCP4 = ETH_HEADER + 20, /* where TCP begins */
	HEADERS = TCP4 + 20,
	FEW = 4, /* buffers at hand */
};

/* --- tags, offloads ---------------------------------------------------------------------- */

static unsigned sum16(unsigned sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		sum += (unsigned)p[i] << (i % 2 ? 0 : 8);
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static void write16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* Frame 0 is TCP over IPv4, its checksum partial; gso_size 0: in one piece.  Its fields are as forward() leaves them. */
static struct frame *make_tcp(uint32_t payload, uint16_t gso_size, uint32_t in_snap)
{
	static const uint8_t ip[] = {0x45, 0, 0,  0, 0, 7, 0x40, 0, 64, 6,
				     0,	   0, 10, 0, 0, 1, 10,	 0, 0,	2};
	uint8_t *b = rx_bytes[0];
	uint32_t len = HEADERS + payload, tcp_len = 20 + payload;
	struct frame *f;

	lab_fill(b, len, 3);
	b[0] = 2;
	b[6] = 2;
	write16(b + 12, ETYPE_IPV4);
	memcpy(b + ETH_HEADER, ip, 20);
	write16(b + ETH_HEADER + 2, (len - ETH_HEADER) & 0xffff);
	write16(b + ETH_HEADER + 10, ~sum16(0, b + ETH_HEADER, 20));
	b[TCP4 + 12] = 0x50;
	b[TCP4 + 13] = 0x18;
	write16(b + TCP4 + 16, sum16(6 + tcp_len / 65536 + tcp_len % 65536, ip + 12, 8));
	f = rx_make(0, len, in_snap, 3000);
	f->off = (struct offload){
		OFFLOAD_NEEDS_CSUM, gso_size ? GSO_TCPV4 : GSO_NONE, HEADERS, gso_size, TCP4, 16};
	assert_int_equal(frame_check_offload(f), DROP_NONE);
	memcpy(b, f->snap, f->snap_len);
	return f;
}

/* A received frame, untagged again where it has a tag: its checksum is right, or left to the guest, as its header says. */
static void expect_csum(uint32_t len, bool is_partial, unsigned shift)
{
	uint32_t tcp_len = len - TCP4;
	unsigned pseudo = sum16(6 + tcp_len / 65536 + tcp_len % 65536, rx_got + ETH_HEADER + 12, 8);

	assert_int_equal(rx_header.off.flags, is_partial ? OFFLOAD_NEEDS_CSUM : 0);
	assert_int_equal(rx_header.off.csum_start, is_partial ? TCP4 + shift : 0);
	assert_int_equal(rx_header.off.csum_offset, is_partial ? 16 : 0);
	if (is_partial)
		assert_int_equal(rx_got[TCP4 + 16] << 8 | rx_got[TCP4 + 17], pseudo);
	else
		assert_int_equal(sum16(pseudo, rx_got + TCP4, tcp_len), 0xffff);
}

static const struct tag tags[] = {{0, 0}, {ETYPE_8021Q, 0xa123}, {ETYPE_8021AD, 0x0fff}};

/* Takes the tag off a received frame, as the test gave it. */
static uint32_t untag(uint32_t len, struct tag tag)
{
	if (!tag.tpid)
		return len;
	assert_int_equal(rx_got[12] << 8 | rx_got[13], tag.tpid);
	assert_int_equal(rx_got[14] << 8 | rx_got[15], tag.tci);
	memmove(rx_got + 12, rx_got + 16, len - 16);
	return len - TAG_BYTES;
}

static void check_tags(void)
{
	for (unsigned k = 1; k < 3; k++)
		for (uint32_t len = 14; len < 3000; len = len * 5 / 4 + 1) {
			lab_alloc_all(rx_lab);
			/* Into one buffer, into one that just holds it, and into pieces. */
			rx_post(rx_lab->r.header + len + 100, 1);
			rx_post(rx_lab->r.header + len + TAG_BYTES, 1);
			rx_post_chain((uint32_t[]){13, 3, 2, 5, len}, 5, false);
			for (unsigned i = 0; i < 3; i++) {
				rx_make_plain(i, len);
				rx_tx[i].tag = tags[k];
			}
			assert_int_equal(lab_tx(rx_lab, rx_tx, 3), 0);
			for (unsigned i = 0; i < 3; i++) {
				assert_int_equal(untag(rx_receive(), tags[k]), len);
				assert_memory_equal(rx_got, rx_bytes[i], len);
			}
		}
}

static void G10_tags(void **state)
{
	(void)state;
	rx_for_shapes(check_tags);
}

static void receive_whole(uint32_t payload, bool is_gso, struct tag tag)
{
	unsigned shift = tag.tpid ? TAG_BYTES : 0;
	struct offload want = rx_frames[0].off;

	assert_int_equal(untag(rx_receive(), tag), HEADERS + payload);
	assert_memory_equal(rx_got, rx_bytes[0], HEADERS + payload);
	want.csum_start = (uint16_t)(want.csum_start + shift);
	want.hdr_len = (uint16_t)(is_gso ? want.hdr_len + shift : 0);
	assert_memory_equal(&rx_header.off, &want, sizeof(want));
}

static void pass_whole(bool in_pieces, bool is_gso, struct tag tag)
{
	lab_alloc_all(rx_lab);
	if (in_pieces)
		rx_post_chain((uint32_t[]){7, 5, 40, 30, 9000}, 5, false);
	else
		rx_post(9000, 1);
	make_tcp(5000, is_gso ? 1000 : 0, 80);
	rx_tx[0].tag = tag;
	assert_int_equal(lab_tx(rx_lab, rx_tx, 1), 0);
	receive_whole(5000, is_gso, tag);
}

/* A guest that can gets it as it is; offsets count from where the tag moved them. */
static void check_passed(void)
{
	rx_lab->r.can = LAB_ALL_CAN;
	for (unsigned k = 0; k < 3; k++)
		for (unsigned how = 0; how < 4; how++)
			pass_whole(how & 1, how & 2, tags[k]);
}

static void G14_passed(void **state)
{
	(void)state;
	rx_for_shapes(check_passed);
}

static void expect_segments(unsigned n, bool is_partial, struct tag tag)
{
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(untag(rx_receive(), tag), HEADERS + 1000);
		assert_memory_equal(rx_got + HEADERS, rx_bytes[0] + HEADERS + i * 1000, 1000);
		assert_int_equal(rx_header.off.gso_type, GSO_NONE);
		assert_int_equal(rx_header.off.gso_size, 0);
		assert_int_equal(rx_header.off.hdr_len, 0);
		expect_csum(HEADERS + 1000, is_partial, tag.tpid ? TAG_BYTES : 0);
	}
	rx_expect_none();
}

/* A guest that cannot segment gets segments; one that cannot check either, whole checksums. */
static void check_segmented(void)
{
	static const uint8_t cans[] = {0, CAN_CSUM, CAN_CSUM | CAN_TSO6 | CAN_USO | CAN_ECN};

	for (unsigned k = 0; k < 3; k++)
		for (unsigned c = 0; c < 3; c++) {
			rx_lab->r.can = cans[c];
			lab_alloc_all(rx_lab);
			rx_post(1526, 60);
			make_tcp(45000, 1000, 100);
			rx_tx[0].tag = tags[k];
			assert_int_equal(lab_tx(rx_lab, rx_tx, 1), 1);
			assert_int_equal(rx_tx[0].drop, DROP_NONE);
			assert_int_equal(rx_tx[0].frames, 45);
			assert_int_equal(rx_tx[0].bytes,
					 45 * (HEADERS + 1000 + (tags[k].tpid ? TAG_BYTES : 0)));
			expect_segments(45, cans[c] & CAN_CSUM, tags[k]);
			/* The buffers that are left are for the next. */
			make_tcp(300, 0, 100);
			assert_int_equal(lab_tx(rx_lab, rx_tx, 1), 0);
			assert_int_equal(rx_receive(), HEADERS + 300);
			expect_csum(HEADERS + 300, cans[c] & CAN_CSUM, 0);
			rx_make_plain(0, 60);
			while (lab_tx(rx_lab, rx_tx, 1) == 0)
				rx_expect_plain(0, 60);
		}
}

static void G14_segmented(void **state)
{
	(void)state;
	rx_for_shapes(check_segmented);
}

/* Buffers for some of the segments only: the guest has those. */
static void check_some_segments(void)
{
	rx_lab->r.can = 0;
	rx_post(1526, FEW);
	make_tcp(8000, 1000, 100);
	make_tcp(8000, 1000, 100);
	assert_int_equal(lab_tx(rx_lab, rx_tx, 1), 1);
	assert_int_equal(rx_tx[0].drop, DROP_NONE);
	assert_int_equal(rx_tx[0].frames, FEW);
	for (unsigned i = 0; i < FEW; i++)
		assert_int_equal(rx_receive(), HEADERS + 1000);
	rx_expect_none();
	make_tcp(8000, 1000, 100);
	assert_int_equal(lab_tx(rx_lab, rx_tx, 1), 1);
	assert_int_equal(rx_tx[0].drop, DROP_TX_FULL);
}

static void G09_some_segments(void **state)
{
	(void)state;
	rx_for_shapes(check_some_segments);
}

/* What a device at the other end says of checksums is told only to a guest that agreed to hear it (virtio 1.2, 5.1.6.4.1). */
static void check_valid(void)
{
	for (unsigned can = 0; can < 2; can++)
		for (unsigned in_pieces = 0; in_pieces < 2; in_pieces++) {
			rx_lab->r.can = can ? CAN_CSUM : 0;
			lab_alloc_all(rx_lab);
			rx_post_chain((uint32_t[]){500, 500}, 1 + in_pieces, false);
			rx_make_plain(0, 60)->off.flags = OFFLOAD_DATA_VALID;
			assert_int_equal(lab_tx(rx_lab, rx_tx, 1), 0);
			assert_int_equal(rx_receive(), 60);
			assert_int_equal(rx_header.off.flags, can ? OFFLOAD_DATA_VALID : 0);
		}
}

static void G14_data_valid(void **state)
{
	(void)state;
	rx_for_shapes(check_valid);
}

/* --- what a sender asks for -------------------------------------------------------------- */

/* A fabric of three ports; frames come in by the first, out of a guest's ring. */
struct fab {
	struct conf *conf;
	struct fdb_table *table;
	struct fdb *fdb;
	struct fake *port[3];
	struct fabric *fab;
	struct forwarder *w;
};

static void fab_create(struct fab *b)
{
	static const char text[] = "networks: {a: {mode: internal, vlan: 10}}\n"
				   "ports: {p: {tap: p, network: a}, q: {tap: q, network: a}, r: "
				   "{tap: r, network: a}}\n";
	static const uint64_t seed[2] = {1, 2};
	struct port *ports[3];
	struct conf_error err = {0};

	b->conf = conf_create();
	assert_int_equal(conf_merge(b->conf, text, strlen(text), CONF_ADD, &err), 0);
	assert_int_equal(conf_validate(b->conf, NULL, &err), 0);
	b->table = aligned_alloc(64, sizeof(*b->table));
	b->fdb = fdb_create(b->table, true, seed);
	for (unsigned i = 0; i < 3; i++) {
		b->port[i] = fake_create(b->conf->ports[i].name, (uint16_t)i);
		ports[i] = &b->port[i]->port;
	}
	b->fab = fabric_create(b->conf, ports, 3, b->fdb, 1, 1);
	b->w = forwarder_create(0);
	assert_non_null(b->fab);
	assert_non_null(b->w);
	b->w->now_ns = 5000000000;
}

static void fab_destroy(struct fab *b)
{
	fabric_destroy(b->fab);
	forwarder_destroy(b->w);
	for (unsigned i = 0; i < 3; i++)
		fake_destroy(b->port[i]);
	fdb_destroy(b->fdb);
	free(b->table);
	conf_destroy(b->conf);
}

/* Sends frame 0 of rx_bytes with these offload fields, in one descriptor or in many; what became of it. */
static enum drop send_with(struct fab *b, struct ring_lab *from, const struct offload *off,
			   uint32_t len, uint32_t piece)
{
	struct rx_header h = {*off, htole16(77)};
	struct lab_part part[128];
	unsigned n = 0;
	uint64_t at;

	lab_alloc_all(from);
	at = lab_alloc(from, from->r.header + len);
	memcpy(lab_at(from, at), &h, from->r.header);
	memcpy((uint8_t *)lab_at(from, at) + from->r.header, rx_bytes[0], len);
	for (uint32_t left = from->r.header + len; left > 0; n++) {
		uint32_t now = left < piece ? left : piece;

		part[n] = (struct lab_part){at, now, 0};
		at += now;
		left -= now;
	}
	assert_true(lab_put(from, part, n) >= 0);
	memset(b->port[0]->port.counters, 0, sizeof(b->port[0]->port.counters));
	assert_int_equal(vring_take(&from->r, b->w->scratch, &b->w->vec, VEC_SIZE), 1);
	forward(b->w, b->fab, 0);
	lab_return(from);
	assert_int_equal(lab_used_all(from), 1);
	for (unsigned d = 1; d < DROP_COUNT; d++)
		if (atomic_load(&b->port[0]->port.counters[0].drops[d]))
			return d;
	assert_int_equal(b->port[0]->port.counters[0].forwarded, 1);
	return DROP_NONE;
}

enum { TSO_PAYLOAD = 3000, SHORT_PAYLOAD = 1400, ALL = LAB_ALL_CAN };

/* TCP over IPv4, what is asked of it by a guest that may ask for `can`, and what becomes of it. */
static const struct {
	struct offload off;
	uint32_t payload;
	uint8_t can;
	enum drop want;
} asked[] = {
	/* flags and type, hdr_len, gso_size, csum_start, csum_offset */
	{{0, 0, 0, 0, 0, 0}, SHORT_PAYLOAD, 0, DROP_NONE},
	{{0, 0, 0xffff, 0xffff, 0xffff, 0xffff}, SHORT_PAYLOAD, 0, DROP_NONE},
	{{0xfe, 0, 0xffff, 0xffff, 0xffff, 0xffff}, SHORT_PAYLOAD, 0, DROP_NONE},
	{{1, 0, 0, 0, TCP4, 16}, SHORT_PAYLOAD, CAN_CSUM, DROP_NONE},
	{{1, 0, 0, 0, TCP4, 16}, SHORT_PAYLOAD, 0, DROP_BAD_OFFLOAD},
	{{1, 0, 0, 0, HEADERS + SHORT_PAYLOAD - 2, 0}, SHORT_PAYLOAD, ALL, DROP_NONE},
	{{1, 0, 0, 0, HEADERS + SHORT_PAYLOAD - 1, 0}, SHORT_PAYLOAD, ALL, DROP_BAD_OFFLOAD},
	{{1, 0, 0, 0, HEADERS + SHORT_PAYLOAD, 0}, SHORT_PAYLOAD, ALL, DROP_BAD_OFFLOAD},
	{{1, 0, 0, 0, 15, HEADERS + SHORT_PAYLOAD - 17}, SHORT_PAYLOAD, ALL, DROP_NONE},
	{{1, 0, 0, 0, 15, HEADERS + SHORT_PAYLOAD - 16}, SHORT_PAYLOAD, ALL, DROP_BAD_OFFLOAD},
	{{1, 0, 0, 0, 0, 16}, SHORT_PAYLOAD, ALL, DROP_BAD_OFFLOAD},
	{{1, 0, 0, 0, 0xffff, 0xffff}, SHORT_PAYLOAD, ALL, DROP_BAD_OFFLOAD},
	{{1, 0, 0, 0, 0xffff, 0}, SHORT_PAYLOAD, ALL, DROP_BAD_OFFLOAD},
	{{1, 1, HEADERS, 1000, TCP4, 16}, TSO_PAYLOAD, ALL, DROP_NONE},
	{{1, 0x81, HEADERS, 1000, TCP4, 16}, TSO_PAYLOAD, ALL, DROP_NONE},
	{{1, 1, 0xffff, 1000, TCP4, 16}, TSO_PAYLOAD, ALL, DROP_NONE},
	{{1, 1, 0, 1000, TCP4, 16}, TSO_PAYLOAD, ALL, DROP_NONE},
	{{0, 1, HEADERS, 1000, 0, 0}, TSO_PAYLOAD, ALL, DROP_NONE},
	{{1, 1, HEADERS, 0, TCP4, 16}, TSO_PAYLOAD, ALL, DROP_BAD_OFFLOAD},
	{{1, 1, HEADERS, 1, TCP4, 16}, TSO_PAYLOAD, ALL, DROP_BAD_OFFLOAD},
	{{1, 1, HEADERS, 1, TCP4, 16}, SHORT_PAYLOAD - 100, ALL, DROP_NONE},
	{{1, 1, HEADERS, 0xffff, TCP4, 16}, SHORT_PAYLOAD, ALL, DROP_NONE}, /* one segment */
	{{1, 1, HEADERS, 1000, TCP4 + 1, 16}, TSO_PAYLOAD, ALL, DROP_BAD_OFFLOAD},
	{{1, 1, HEADERS, 1000, TCP4, 15}, TSO_PAYLOAD, ALL, DROP_BAD_OFFLOAD},
	{{1, 4, HEADERS, 1000, TCP4, 16}, TSO_PAYLOAD, ALL, DROP_BAD_OFFLOAD},
	{{1, 5, HEADERS, 1000, TCP4, 16}, TSO_PAYLOAD, ALL, DROP_BAD_OFFLOAD},
	{{1, 3, HEADERS, 1000, TCP4, 16}, TSO_PAYLOAD, ALL, DROP_BAD_OFFLOAD}, /* UFO */
	{{1, 2, HEADERS, 1000, TCP4, 16}, TSO_PAYLOAD, ALL, DROP_BAD_OFFLOAD},
	{{1, 0x7f, HEADERS, 1000, TCP4, 16}, TSO_PAYLOAD, ALL, DROP_BAD_OFFLOAD},
	{{1, 0x80, HEADERS, 1000, TCP4, 16}, TSO_PAYLOAD, ALL, DROP_BAD_OFFLOAD},
	{{1, 0xff, HEADERS, 1000, TCP4, 16}, TSO_PAYLOAD, ALL, DROP_BAD_OFFLOAD},
	{{1, 1, HEADERS, 1000, TCP4, 16},
	 TSO_PAYLOAD,
	 CAN_CSUM | CAN_TSO6 | CAN_USO | CAN_ECN,
	 DROP_BAD_OFFLOAD},
	{{1, 0x81, HEADERS, 1000, TCP4, 16}, TSO_PAYLOAD, CAN_CSUM | CAN_TSO4, DROP_BAD_OFFLOAD},
	{{0, 1, HEADERS, 1000, 0, 0}, TSO_PAYLOAD, 0, DROP_BAD_OFFLOAD},
};

static void check_asked(const struct lab_shape *shape, struct fab *b)
{
	static const uint32_t at_once[] = {100000, 1000, 37, 10};
	struct ring_lab *from = lab_create(shape, true);

	for (unsigned i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
		for (unsigned k = 0; k < 4; k++) {
			uint32_t len = HEADERS + asked[i].payload;
			const struct offload *out = &b->port[1]->out[0].off;

			if (len / at_once[k] > 120)
				continue;
			make_tcp(asked[i].payload, 0, 100);
			from->r.can = asked[i].can;
			fake_clear(b->port[1]);
			fake_clear(b->port[2]);
			assert_int_equal(send_with(b, from, &asked[i].off, len, at_once[k]),
					 asked[i].want);
			assert_int_equal(b->port[1]->n_out, asked[i].want == DROP_NONE);
			if (asked[i].want)
				continue;
			assert_int_equal(b->port[1]->out[0].len, len);
			/* Nobody hears of what the sender wrote where it means nothing. */
			assert_int_equal(out->hdr_len, out->gso_type ? HEADERS : 0);
			assert_int_equal(out->flags & ~OFFLOAD_NEEDS_CSUM, 0);
			if (!out->flags)
				assert_int_equal(out->csum_start | out->csum_offset, 0);
		}
	lab_destroy(from);
}

static void G07_asked(void **state)
{
	struct fab b = {0};

	(void)state;
	fab_create(&b);
	for (unsigned i = 0; i < RX_SHAPES; i++)
		check_asked(&rx_shapes[i], &b);
	fab_destroy(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(G10_tags),	  cmocka_unit_test(G14_passed),
		cmocka_unit_test(G14_segmented),  cmocka_unit_test(G09_some_segments),
		cmocka_unit_test(G14_data_valid), cmocka_unit_test(G07_asked),
	};

	/* The version of this processor, and the one for any. */
	int failed = cmocka_run_group_tests_name("processor", tests, NULL, NULL);

	isa_wide = false;
	return failed + cmocka_run_group_tests_name("any", tests, NULL, NULL);
}
