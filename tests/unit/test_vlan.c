/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of vlan/vlan: B04 ingress filter, B05 trunk without native VLAN, B06 VID 4095 and 0, B07 no hop with two tags,
 * B08 other TPIDs, B09 egress tags.  One table for each direction: every mode, every kind of tag.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vlan/vlan.h"

enum { MODES = 5, SERVICE = 30, OTHER_SERVICE = 31, PCP5 = 5 << TCI_PCP_SHIFT };

static struct vlan_set service;
static struct vlan_port
	port[MODES]; /* trunks carry 20, 30 and, natively, 10; the tunnel is of VLAN 30 */
static uint8_t memory[FRAME_HEADROOM + 64];

static int set_up(void **state)
{
	(void)state;
	vlan_set_add(&service, SERVICE);
	vlan_set_add(&service, OTHER_SERVICE);
	for (unsigned mode = 0; mode < MODES; mode++) {
		struct vlan_port *v = &port[mode];

		v->mode = (enum vlan_mode)mode;
		v->service = &service;
		v->tag = mode == VLAN_TRUNK ? 0 : mode == VLAN_DOT1Q_TUNNEL ? SERVICE : 10;
		if (v->tag)
			vlan_set_add(&v->carries, v->tag);
		if (mode == VLAN_ACCESS || mode == VLAN_DOT1Q_TUNNEL)
			continue;
		vlan_set_add(&v->carries, 20);
		vlan_set_add(&v->carries, SERVICE);
	}
	return 0;
}

/* 64 bytes: addresses, up to two tags, an IPv4 EtherType, and bytes that tell their place. */
static struct frame make(struct tag outer, struct tag inner)
{
	struct frame f = {.snap = memory + FRAME_HEADROOM, .len = 64, .snap_len = 64};
	unsigned at = 12;

	for (unsigned i = 0; i < 64; i++)
		f.snap[i] = (uint8_t)(0x80 + i);
	if (outer.tpid) {
		tag_write(f.snap + at, outer);
		at += TAG_BYTES;
	}
	if (inner.tpid) {
		tag_write(f.snap + at, inner);
		at += TAG_BYTES;
	}
	f.snap[at] = 8;
	f.snap[at + 1] = 0;
	return f;
}

/* What becomes of one kind of frame at a port of each mode: V the drop, or the VLAN; KEEP: the tag stays as payload. */
enum { VLAN_DROP = -1, RESERVED_DROP = -2, KEEP = 0x10000 };

static const struct {
	const char *what;
	struct tag tag;
	int want[MODES]; /* access, trunk, native-untagged, native-tagged, dot1q-tunnel */
} ingress[] = {
	{"untagged", {0, 0}, {10, VLAN_DROP, 10, 10, 30}},
	{"priority 5", {0x8100, PCP5}, {10 | PCP5, VLAN_DROP, 10 | PCP5, 10 | PCP5, KEEP | 30}},
	{"priority 0, DEI",
	 {0x8100, TCI_DEI},
	 {10 | TCI_DEI, VLAN_DROP, 10 | TCI_DEI, 10 | TCI_DEI, KEEP | 30}},
	{"the port's own VLAN",
	 {0x8100, 10 | PCP5},
	 {VLAN_DROP, VLAN_DROP, 10 | PCP5, 10 | PCP5, KEEP | 30}},
	{"a VLAN of trunks",
	 {0x8100, 20 | PCP5},
	 {VLAN_DROP, 20 | PCP5, 20 | PCP5, 20 | PCP5, KEEP | 30}},
	{"a VLAN not in trunks",
	 {0x8100, 21},
	 {VLAN_DROP, VLAN_DROP, VLAN_DROP, VLAN_DROP, KEEP | 30}},
	{"VID 4095",
	 {0x8100, 4095},
	 {RESERVED_DROP, RESERVED_DROP, RESERVED_DROP, RESERVED_DROP, RESERVED_DROP}},
	{"VID 4095 by 88a8",
	 {0x88a8, 4095},
	 {RESERVED_DROP, RESERVED_DROP, RESERVED_DROP, RESERVED_DROP, RESERVED_DROP}},
	{"VID 4094", {0x8100, 4094}, {VLAN_DROP, VLAN_DROP, VLAN_DROP, VLAN_DROP, KEEP | 30}},
	{"88a8 of a service VLAN",
	 {0x88a8, SERVICE | PCP5},
	 {KEEP | 10, SERVICE | PCP5, SERVICE | PCP5, SERVICE | PCP5, KEEP | 30}},
	{"88a8 of a service VLAN that is not carried",
	 {0x88a8, OTHER_SERVICE},
	 {KEEP | 10, VLAN_DROP, VLAN_DROP, VLAN_DROP, KEEP | 30}},
	{"88a8 of a VLAN of trunks",
	 {0x88a8, 20},
	 {KEEP | 10, VLAN_DROP, KEEP | 10, KEEP | 10, KEEP | 30}},
	{"88a8 of no VLAN here",
	 {0x88a8, 77},
	 {KEEP | 10, VLAN_DROP, KEEP | 10, KEEP | 10, KEEP | 30}},
	{"88a8 with VID 0",
	 {0x88a8, PCP5},
	 {KEEP | 10, VLAN_DROP, KEEP | 10, KEEP | 10, KEEP | 30}},
	{"8100 of a service VLAN",
	 {0x8100, SERVICE},
	 {VLAN_DROP, VLAN_DROP, VLAN_DROP, VLAN_DROP, KEEP | 30}},
	{"9100 is no tag", {0x9100, 20}, {KEEP | 10, VLAN_DROP, KEEP | 10, KEEP | 10, KEEP | 30}},
};

static void check_ingress(unsigned row, enum vlan_mode mode, struct tag inner)
{
	struct tag none = {0};
	struct frame f = make(ingress[row].tag, ingress[row].tag.tpid ? inner : none), was = f;
	int want = ingress[row].want[mode];
	uint8_t bytes[64];
	enum drop drop;

	memcpy(bytes, f.snap, 64);
	drop = vlan_ingress(&port[mode], &f);
	if (want < 0) {
		assert_int_equal(drop, want == VLAN_DROP ? DROP_VLAN : DROP_VLAN_RESERVED);
		assert_memory_equal(was.snap, bytes, 64);
		return;
	}
	assert_int_equal(drop, DROP_NONE);
	assert_int_equal(f.tci, want & 0xffff);
	assert_int_equal(f.etype, frame_etype(&f));
	if ((want & KEEP) || !ingress[row].tag.tpid) {
		assert_int_equal(f.rx_tpid, 0);
		assert_ptr_equal(f.snap, was.snap);
		assert_int_equal(f.len, 64);
		assert_memory_equal(f.snap, bytes, 64);
		return;
	}
	assert_int_equal(f.rx_tpid, ingress[row].tag.tpid);
	assert_int_equal(f.rx_tci, ingress[row].tag.tci);
	assert_int_equal(f.len, 60);
	assert_int_equal(f.snap_len, 60);
	assert_memory_equal(f.snap, bytes, 12);
	assert_memory_equal(f.snap + 12, bytes + 16, 48);
	assert_int_equal(f.etype, inner.tpid ? inner.tpid : ETYPE_IPV4);
}

static void ingress_table(void **state)
{
	static const struct tag inner[] = {{0, 0}, {0x8100, 20}, {0x8100, 4095}, {0x88a8, SERVICE}};

	(void)state;
	for (unsigned row = 0; row < sizeof(ingress) / sizeof(ingress[0]); row++)
		for (unsigned mode = 0; mode < MODES; mode++)
			for (unsigned i = 0; i < sizeof(inner) / sizeof(inner[0]); i++)
				check_ingress(row, (enum vlan_mode)mode, inner[i]);
}

/* A tag that is cut off, by the frame's end or the snapshot's. */
static void ingress_cut(void **state)
{
	(void)state;
	for (unsigned mode = 0; mode < MODES; mode++)
		for (uint16_t len = ETH_HEADER; len < ETH_HEADER + TAG_BYTES; len++) {
			struct frame f = make((struct tag){0x8100, 20}, (struct tag){0});

			f.len = f.snap_len = len;
			assert_int_equal(vlan_ingress(&port[mode], &f), DROP_RUNT);
			assert_int_equal(f.len, len);
		}
}

/* Offsets count from the untagged frame once the tag is off, and stay when it is payload. */
static void ingress_offload(void **state)
{
	struct frame f = make((struct tag){0x8100, 20}, (struct tag){0});

	(void)state;
	f.off = (struct offload){
		.flags = OFFLOAD_NEEDS_CSUM, .csum_start = 38, .csum_offset = 6, .hdr_len = 46};
	assert_int_equal(vlan_ingress(&port[VLAN_TRUNK], &f), DROP_NONE);
	assert_int_equal(f.off.csum_start, 34);
	assert_int_equal(f.off.hdr_len, 42);
	f = make((struct tag){0x8100, 20}, (struct tag){0});
	f.off.csum_start = 38;
	assert_int_equal(vlan_ingress(&port[VLAN_DOT1Q_TUNNEL], &f), DROP_NONE);
	assert_int_equal(f.off.csum_start, 38);
}

static const struct {
	enum vlan_mode mode;
	enum vlan_prio_tags prio;
	uint16_t tci;
	struct tag want;
} egress[] = {
	{VLAN_ACCESS, PRIO_TAGS_NEVER, 10, {0, 0}},
	{VLAN_ACCESS, PRIO_TAGS_NEVER, 10 | PCP5, {0, 0}},
	{VLAN_ACCESS, PRIO_TAGS_IF_NONZERO, 10, {0, 0}},
	{VLAN_ACCESS, PRIO_TAGS_IF_NONZERO, 10 | TCI_DEI, {0, 0}},
	{VLAN_ACCESS, PRIO_TAGS_IF_NONZERO, 10 | PCP5, {0x8100, PCP5}},
	{VLAN_ACCESS, PRIO_TAGS_ALWAYS, 10, {0x8100, 0}},
	{VLAN_ACCESS, PRIO_TAGS_ALWAYS, 10 | PCP5 | TCI_DEI, {0x8100, PCP5 | TCI_DEI}},
	{VLAN_TRUNK, PRIO_TAGS_NEVER, 20 | PCP5, {0x8100, 20 | PCP5}},
	{VLAN_TRUNK, PRIO_TAGS_ALWAYS, 20, {0x8100, 20}},
	{VLAN_TRUNK, PRIO_TAGS_NEVER, SERVICE | PCP5, {0x88a8, SERVICE | PCP5}},
	{VLAN_NATIVE_UNTAGGED, PRIO_TAGS_NEVER, 10 | PCP5, {0, 0}},
	{VLAN_NATIVE_UNTAGGED, PRIO_TAGS_IF_NONZERO, 10 | PCP5, {0x8100, PCP5}},
	{VLAN_NATIVE_UNTAGGED, PRIO_TAGS_IF_NONZERO, 10, {0, 0}},
	{VLAN_NATIVE_UNTAGGED, PRIO_TAGS_ALWAYS, 10, {0x8100, 0}},
	{VLAN_NATIVE_UNTAGGED, PRIO_TAGS_NEVER, 20 | PCP5, {0x8100, 20 | PCP5}},
	{VLAN_NATIVE_UNTAGGED, PRIO_TAGS_NEVER, SERVICE, {0x88a8, SERVICE}},
	{VLAN_NATIVE_TAGGED, PRIO_TAGS_NEVER, 10 | PCP5, {0x8100, 10 | PCP5}},
	{VLAN_NATIVE_TAGGED, PRIO_TAGS_ALWAYS, 20, {0x8100, 20}},
	{VLAN_NATIVE_TAGGED, PRIO_TAGS_NEVER, SERVICE, {0x88a8, SERVICE}},
	{VLAN_DOT1Q_TUNNEL, PRIO_TAGS_NEVER, SERVICE | PCP5, {0, 0}},
	{VLAN_DOT1Q_TUNNEL, PRIO_TAGS_ALWAYS, SERVICE | PCP5, {0, 0}},
};

static void egress_table(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(egress) / sizeof(egress[0]); i++) {
		struct vlan_port v = port[egress[i].mode];
		struct frame f = make((struct tag){0}, (struct tag){0});
		struct tag tag;

		v.prio_tags = egress[i].prio;
		f.etype = ETYPE_IPV4;
		f.tci = egress[i].tci;
		tag = vlan_egress(&v, &f);
		assert_int_equal(tag.tpid, egress[i].want.tpid);
		assert_int_equal(tag.tci, egress[i].want.tci);
	}
}

/* Writes what left as it is on the wire, and lets a port of the same kind take it. */
static enum drop take_at_far_end(const struct vlan_port *v, const struct frame *f, struct tag tag,
				 struct frame *out)
{
	static uint8_t wire[FRAME_HEADROOM + 128];
	uint8_t *p = wire + FRAME_HEADROOM;
	unsigned n = tag.tpid ? TAG_BYTES : 0;

	*out = (struct frame){
		.snap = p, .len = f->len + n, .snap_len = (uint16_t)(f->snap_len + n)};
	memcpy(p, f->snap, 12);
	if (n)
		tag_write(p + 12, tag);
	memcpy(p + 12 + n, f->snap + 12, f->snap_len - 12u);
	return vlan_ingress(v, out);
}

/* B07: what leaves a native-untagged port is of the same VLAN for the port at the far end, whatever tags are inside. */
static void no_hop(void **state)
{
	static const struct tag inner[] = {{0, 0},
					   {0x8100, 20},
					   {0x8100, 10},
					   {0x8100, PCP5},
					   {0x8100, 99},
					   {0x8100, 4095},
					   {0x88a8, SERVICE},
					   {0x88a8, 20},
					   {0x8100, SERVICE},
					   {0x88a8, OTHER_SERVICE}};
	const struct vlan_port *nu = &port[VLAN_NATIVE_UNTAGGED];

	(void)state;
	for (unsigned i = 0; i < sizeof(inner) / sizeof(inner[0]); i++) {
		struct frame f = make((struct tag){0x8100, 0}, inner[i]), far;
		struct tag tag;

		assert_int_equal(vlan_ingress(&port[VLAN_ACCESS], &f), DROP_NONE);
		tag = vlan_egress(nu, &f);
		if (take_at_far_end(nu, &f, tag, &far) == DROP_NONE)
			assert_int_equal(far.tci & TCI_VID, 10);
		/* Only a tag that would be taken makes the difference. */
		assert_int_equal(tag.tpid != 0, i == 1 || i == 2 || i == 3 || i == 6);
	}
}

static void sets(void **state)
{
	struct vlan_set s = {{0}};

	(void)state;
	assert_true(vlan_set_is_empty(&s));
	vlan_set_add(&s, 4095);
	assert_false(vlan_set_is_empty(&s));
	assert_true(vlan_set_has(&s, 4095));
	vlan_set_add_range(&s, 60, 130);
	for (uint16_t vid = 0; vid < 4095; vid++)
		assert_int_equal(vlan_set_has(&s, vid), vid >= 60 && vid <= 130);
	s = (struct vlan_set){{0}};
	vlan_set_add_range(&s, 5, 4);
	assert_true(vlan_set_is_empty(&s));
	vlan_set_add_range(&s, 0, 4095);
	for (uint16_t vid = 0; vid < 4096; vid++)
		assert_true(vlan_set_has(&s, vid));
}

static void words(void **state)
{
	(void)state;
	assert_string_equal(vlan_mode_word(VLAN_ACCESS), "access");
	assert_string_equal(vlan_mode_word(VLAN_TRUNK), "trunk");
	assert_string_equal(vlan_mode_word(VLAN_NATIVE_UNTAGGED), "native-untagged");
	assert_string_equal(vlan_mode_word(VLAN_NATIVE_TAGGED), "native-tagged");
	assert_string_equal(vlan_mode_word(VLAN_DOT1Q_TUNNEL), "dot1q-tunnel");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ingress_table),   cmocka_unit_test(ingress_cut),
		cmocka_unit_test(ingress_offload), cmocka_unit_test(egress_table),
		cmocka_unit_test(no_hop),	   cmocka_unit_test(sets),
		cmocka_unit_test(words),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
