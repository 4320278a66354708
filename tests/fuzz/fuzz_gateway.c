/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_gateway: hostile frames to the legs of a gateway with its NAT: no access out of bounds, and whatever becomes of a frame
 * is one of the three things that gateway.h names (tests/lib/gateway_lab.c checks it).
 *
 * Input: records of a byte that says what (OP_*), a byte that says which leg and how long the snapshot is, the length of
 * the frame, little-endian, and its bytes; with OP_OFFLOAD the first 10 of them are the offload fields.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "switch/base/csum.h"
#include "tests/lib/gateway_lab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	OP_FIX = 1, /* our MAC, the EtherType and the header checksum are put right */
	OP_OFFLOAD = 2,
	OP_RUN = 4,   /* what was given so far goes through */
	OP_TICK = 8,  /* and a second passes */
	OP_HEAR = 16, /* by gateway_hear() instead */
	OP_LONG = 32, /* 20000 bytes more */
	OP_KNOW = 64, /* some neighbours are known */
	HEAD = 4,
	OFFLOAD_BYTES = 10,
	LONG_BYTES = 20000,
};

static const uint16_t vids[] = {VID_A, VID_B, VID_H, VID_R, VID_U};
static struct gate_frame frame;

static uint16_t read_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static void fix(struct gate_frame *f, uint16_t vid)
{
	struct mac leg = gate_leg(vid);
	uint8_t *ip = f->b + ETH_HEADER;

	if (f->len < ETH_HEADER + 20)
		return;
	if (!(f->b[0] & 1))
		memcpy(f->b, &leg, 6);
	f->b[6] &= 0xfe;
	if (ip[0] >> 4 == 6) {
		write_be16(f->b + 12, ETYPE_IPV6);
	} else if (ip[0] >> 4 == 4) {
		unsigned header = (ip[0] & 15) * 4u;

		write_be16(f->b + 12, ETYPE_IPV4);
		if (read_be16(ip + 2) > f->len - ETH_HEADER)
			write_be16(ip + 2, (uint16_t)(f->len - ETH_HEADER));
		write_be16(ip + 10, 0);
		if (header <= f->len - ETH_HEADER)
			write_be16(ip + 10, csum_fold(csum_add(0, ip, header)));
	}
}

/* As forward.c, before a frame comes to the gateway. */
static bool admit(struct frame *f)
{
	return f->off.flags == 0 && f->off.gso_type == 0 ? true
							 : frame_check_offload(f) == DROP_NONE;
}

static void give(struct lab *l, uint8_t op, uint8_t where, struct offload off)
{
	uint16_t vid = vids[where % 5];
	const struct gateway_leg *leg = &l->conf->leg[l->conf->leg_of[vid]];
	struct frame *f;

	if (op & OP_FIX)
		fix(&frame, vid);
	f = gate_give(l, vid, &frame, SNAP_MIN + (where / 5) * 4u);
	f->off = off;
	if (!admit(f))
		goto not_taken;
	if (op & OP_HEAR) {
		gateway_hear(l->g, l->conf, f, l->call.now_ns);
		goto not_taken;
	}
	if (frame_is_group(f) && !gateway_wants(leg, f))
		goto not_taken;
	if (leg->is_host_only && !gateway_routes(l->conf, leg, f))
		goto not_taken;
	return;

not_taken:
	l->v.n--;
	for (unsigned i = 0; i < 2; i++) {
		free(l->mem[2 * l->v.n + i]);
		l->mem[2 * l->v.n + i] = NULL;
	}
}

static void know(struct lab *l)
{
	gate_meet(l, VID_U, "192.0.2.254");
	gate_meet(l, VID_U, "2001:db8::fe");
	gate_meet(l, VID_A, "10.10.0.5");
	gate_meet(l, VID_A, "fd00:a::5");
	gate_meet(l, VID_B, "10.20.0.9");
	gate_meet(l, VID_R, "2001:db8:40::5");
}

/* One record; returns the bytes that it took. */
static size_t step(struct lab *l, const uint8_t *data, size_t size)
{
	uint32_t n = read_le16(data + 2);
	struct offload off = {0};
	uint8_t op = data[0];

	if (n > size - HEAD)
		n = (uint32_t)(size - HEAD);
	memcpy(frame.b, data + HEAD, n);
	frame.len = n;
	if ((op & OP_OFFLOAD) && n >= OFFLOAD_BYTES) {
		memcpy(&off, frame.b, OFFLOAD_BYTES);
		frame.len -= OFFLOAD_BYTES;
		memmove(frame.b, frame.b + OFFLOAD_BYTES, frame.len);
	}
	if (op & OP_LONG) {
		memset(frame.b + frame.len, 0x5a, LONG_BYTES);
		frame.len += LONG_BYTES;
	}
	if (op & OP_KNOW)
		know(l);
	if (frame.len >= ETH_HEADER && frame.len <= FRAME_MAX)
		give(l, op, data[1], off);
	if ((op & (OP_RUN | OP_TICK)) || l->v.n == VEC_SIZE) {
		gate_run(l);
		gate_clear(l);
	}
	if (op & OP_TICK)
		gate_tick(l, 1);
	return HEAD + n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lab *l = gate_create();

	for (size_t at = 0; size - at > HEAD;)
		at += step(l, data + at, size - at);
	gate_run(l);
	for (unsigned i = 0; i < 5; i++)
		gate_tick(l, 1);
	gate_destroy(l);
	return 0;
}
