/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_frame: a hostile frame through ingress, the check of its offload fields, egress and segmentation.
 *
 * Input: mode of the port in, of the port out, limit of the snapshot in fours, abilities of the output, size of the body's
 * pieces, 0; the offload fields, little-endian; bytes that the body is longer than the input, little-endian; the frame.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "switch/base/csum.h"
#include "switch/port/gso.h"
#include "vlan/vlan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	KNOBS = 6,
	HEAD = KNOBS + 10 + 2,
	MODES = 5,
	PIECES = 4096,
	CAPACITY = 128 * 1024,
	EMITS = 3000
};

struct input {
	enum vlan_mode in, out;
	unsigned snap_max, can, piece;
	struct vlan_set service;
};

/* The frame in memory of exact sizes, so that a sanitizer sees the first byte beyond. */
struct sample {
	struct frame f;
	uint8_t *memory, *body;
	struct iovec *iov;
};

static struct vlan_port make_port(const struct input *in, enum vlan_mode mode, bool many)
{
	struct vlan_port v = {.mode = mode, .service = &in->service};

	v.prio_tags = in->can % 3;
	v.tag = mode == VLAN_TRUNK ? 0 : mode == VLAN_DOT1Q_TUNNEL ? 30 : 10;
	if (v.tag)
		vlan_set_add(&v.carries, v.tag);
	if (mode == VLAN_ACCESS || mode == VLAN_DOT1Q_TUNNEL)
		return v;
	vlan_set_add(&v.carries, 20);
	vlan_set_add(&v.carries, 30);
	if (many)
		vlan_set_add_range(&v.carries, 0, 4094);
	return v;
}

static void cut(struct sample *s, const struct input *in, uint32_t body_bytes)
{
	uint32_t at = 0;

	while (at < body_bytes) {
		uint32_t n = s->f.body_cnt + 1 == PIECES ? body_bytes - at : 1 + in->piece * 7;

		if (n > body_bytes - at)
			n = body_bytes - at;
		s->iov[s->f.body_cnt++] = (struct iovec){s->body + at, n};
		at += n;
	}
	s->f.body = s->iov;
}

static void sample_init(struct sample *s, const struct input *in, const uint8_t *bytes, uint32_t n,
			uint32_t more)
{
	uint32_t in_snap = n < in->snap_max ? n : in->snap_max, body_bytes;

	if (n + more > FRAME_MAX)
		more = FRAME_MAX - n;
	body_bytes = n - in_snap + more;
	s->f.len = n + more;
	s->f.snap_len = (uint16_t)in_snap;
	s->memory = malloc(FRAME_HEADROOM + in_snap);
	s->body = malloc(body_bytes + 1);
	s->iov = malloc(PIECES * sizeof(*s->iov));
	assert(s->memory && s->body && s->iov);
	s->f.snap = s->memory + FRAME_HEADROOM;
	memcpy(s->f.snap, bytes, in_snap);
	for (uint32_t i = 0; i < body_bytes; i++)
		s->body[i] = in_snap + i < n ? bytes[in_snap + i] : (uint8_t)(i * 31);
	cut(s, in, body_bytes);
}

static void sample_fini(struct sample *s)
{
	free(s->memory);
	free(s->body);
	free(s->iov);
}

static void check_checked(const struct frame *f)
{
	const struct offload *o = &f->off;

	assert(o->flags <= 2);
	if (o->flags == OFFLOAD_NEEDS_CSUM)
		assert(o->csum_start >= ETH_HEADER &&
		       (uint32_t)o->csum_start + o->csum_offset + 2 <= f->len);
	else
		assert(o->csum_start == 0 && o->csum_offset == 0);
	if (o->gso_type == GSO_NONE) {
		assert(o->gso_size == 0 && o->hdr_len == 0);
		return;
	}
	assert(o->flags == OFFLOAD_NEEDS_CSUM && o->gso_size > 0);
	assert(o->hdr_len > o->csum_start + o->csum_offset && o->hdr_len <= f->snap_len);
	assert(f->len - o->hdr_len > o->gso_size);
	assert(gso_mtu_bytes(f) <= 65535 + 40 + 2 * TAG_BYTES);
}

/* What emit saw. */
struct seen {
	const struct frame *f;
	struct frame_l4 l4;
	unsigned can, n;
	uint64_t payload;
};

static void check_segment(const struct seen *s, const struct segment *seg)
{
	const uint8_t *ip = seg->bytes + s->l4.l3, *src = ip + (s->l4.is_ipv6 ? 8 : 12);
	size_t addr_bytes = s->l4.is_ipv6 ? 16 : 4;
	uint32_t n = seg->len - s->l4.l4;
	uint64_t sum = csum_pseudo(src, src + addr_bytes, addr_bytes, s->l4.proto, n);

	assert(seg->len > s->f->off.hdr_len && seg->len <= s->f->off.hdr_len + s->f->off.gso_size);
	assert(seg->off.gso_type == GSO_NONE);
	if (s->l4.is_ipv6)
		assert((uint32_t)(ip[4] << 8 | ip[5]) == seg->len - s->l4.l3 - 40);
	else
		assert((uint32_t)(ip[2] << 8 | ip[3]) == seg->len - s->l4.l3 &&
		       csum_fold(csum_add(0, ip, s->l4.l4 - s->l4.l3)) == 0);
	if (seg->off.flags == 0 && !s->l4.is_routed)
		assert(csum_fold(csum_add(sum, seg->bytes + s->l4.l4, n)) == 0);
}

static bool see(const struct segment *seg, void *arg)
{
	struct seen *s = arg;

	if (!(s->can & CAN_CSUM))
		assert(!(seg->off.flags & OFFLOAD_NEEDS_CSUM));
	if (s->f->off.gso_type == GSO_NONE || gso_passes(s->f, s->can)) {
		assert(seg->len == s->f->len);
	} else {
		check_segment(s, seg);
		s->payload += seg->len - s->f->off.hdr_len;
	}
	return ++s->n < EMITS;
}

static void check_segments(const struct frame *f, unsigned can)
{
	uint8_t *buf = malloc(CAPACITY);
	struct seen s = {.f = f, .can = can};
	unsigned n;

	assert(buf);
	if (f->off.gso_type != GSO_NONE)
		assert(frame_find_l4(f, &s.l4));
	n = gso_segment(f, can, buf, CAPACITY, see, &s);
	assert(n > 0 && n >= s.n - 1);
	if (s.payload && s.n < EMITS)
		assert(s.payload == f->len - f->off.hdr_len);
	free(buf);
}

/* What leaves a port is of the same VLAN for a port of the same kind, or dropped by one that cannot tell. */
static void check_egress(const struct vlan_port *v, const struct frame *f)
{
	struct tag tag = vlan_egress(v, f);
	uint8_t *wire = malloc(FRAME_HEADROOM + f->snap_len + TAG_BYTES),
		*p = wire + FRAME_HEADROOM;
	unsigned n = tag.tpid ? TAG_BYTES : 0;
	struct frame far = {.snap = p, .len = f->len + n, .snap_len = (uint16_t)(f->snap_len + n)};
	enum drop drop;

	assert(wire);
	memcpy(p, f->snap, 12);
	tag_write(p + 12, tag);
	memcpy(p + 12 + n, f->snap + 12, f->snap_len - 12u);
	drop = vlan_ingress(v, &far);
	if (drop == DROP_NONE)
		assert((far.tci & TCI_VID) == (f->tci & TCI_VID));
	else
		assert(v->mode == VLAN_ACCESS || !n || v->prio_tags != PRIO_TAGS_NEVER);
	free(wire);
}

static void run(const struct input *in, struct sample *s)
{
	struct vlan_port rx = make_port(in, in->in, in->piece & 1),
			 tx = make_port(in, in->out, true);
	struct frame *f = &s->f;
	uint32_t len = f->len;
	struct frame_l4 h;

	if (f->snap_len < ETH_HEADER || vlan_ingress(&rx, f) != DROP_NONE)
		return;
	assert(f->len == len - (f->rx_tpid ? TAG_BYTES : 0) && f->snap_len <= f->len);
	assert(f->snap >= s->memory && f->etype == frame_etype(f));
	assert(vlan_set_has(&rx.carries, f->tci & TCI_VID) && (f->tci & TCI_VID) % 4095 != 0);
	if (frame_find_l4(f, &h))
		assert(h.l3 >= ETH_HEADER && h.l4 > h.l3 && h.l4 < f->snap_len);
	if (vlan_set_has(&tx.carries, f->tci & TCI_VID))
		check_egress(&tx, f);
	if (frame_check_offload(f) != DROP_NONE)
		return;
	check_checked(f);
	check_segments(f, in->can);
	check_segments(f, 0);
}

static uint16_t read_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {0};
	struct sample s = {0};

	if (size < HEAD || size - HEAD > FRAME_MAX)
		return 0;
	in.in = data[0] % MODES;
	in.out = data[1] % MODES;
	in.snap_max = SNAP_MIN + data[2] * 4u;
	in.can = data[3];
	in.piece = data[4];
	vlan_set_add(&in.service, 30);
	sample_init(&s, &in, data + HEAD, (uint32_t)(size - HEAD), read_le16(data + HEAD - 2));
	s.f.off = (struct offload){
		.flags = data[KNOBS],
		.gso_type = data[KNOBS + 1],
		.hdr_len = read_le16(data + KNOBS + 2),
		.gso_size = read_le16(data + KNOBS + 4),
		.csum_start = read_le16(data + KNOBS + 6),
		.csum_offset = read_le16(data + KNOBS + 8),
	};
	run(&in, &s);
	sample_fini(&s);
	return 0;
}
