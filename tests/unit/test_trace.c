/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of switch/trace, switch/filter and switch/story: vectors by hand, records out of the rings. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/types.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>
#include <pcap/pcap.h>

#include "switch/filter.h"
#include "switch/story.h"
#include "switch/trace.h"

enum { PORTS = 80, FRAME_BYTES = 98, BUFFER = FRAME_HEADROOM + 2048, IN = 1, OUT = 2 };

struct bench {
	struct fabric fab;
	struct fabric_port fport[PORTS];
	struct port port[PORTS];
	struct recorder *rec;
	struct watch watch[WATCHES_MAX];
	unsigned n;
	struct vec vec;
	uint8_t buffer[VEC_SIZE][BUFFER];
};

/* 02:..:02 <- 02:..:01, ICMP echo request 10.0.0.1 -> 10.0.0.2 */
static const uint8_t ping[FRAME_BYTES] = {2,	0, 0,  0,  0, 2, 2, 0, 0,    0,	   0, 1, 0x08, 0,
					  0x45, 0, 0,  84, 0, 1, 0, 0, 64,   1,	   0, 0, 10,   0,
					  0,	1, 10, 0,  0, 2, 8, 0, 0x12, 0x34, 0, 1, 0,    1};

static int set_up(void **state)
{
	struct bench *b = NULL;

	if (posix_memalign((void **)&b, 64, sizeof(*b)) != 0)
		return -1;
	memset(b, 0, sizeof(*b));
	b->rec = recorder_create(0);
	b->fab.generation = 1;
	b->fab.n_slots = PORTS;
	b->fab.port = b->fport;
	for (unsigned i = 0; i < PORTS; i++) {
		b->fport[i].port = &b->port[i];
		snprintf(b->port[i].name, sizeof(b->port[i].name), "c%u", i);
	}
	*state = b;
	return b->rec ? 0 : -1;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	for (unsigned i = 0; i < b->n; i++) {
		ring_destroy(b->watch[i].ring[0]);
		free(b->watch[i].filter);
		free(b->watch[i].lost);
		close(b->watch[i].wake_fd);
	}
	recorder_destroy(b->rec);
	free(b);
	return 0;
}

/* A program as vfab would send it. */
static struct bpf_insn *compile(const char *text)
{
	pcap_t *dead = pcap_open_dead(DLT_EN10MB, 65535);
	struct bpf_program program;
	struct bpf_insn *copy;

	assert_int_equal(pcap_compile(dead, &program, text, 1, PCAP_NETMASK_UNKNOWN), 0);
	assert_null(filter_check(program.bf_insns, program.bf_len));
	copy = malloc(program.bf_len * sizeof(*copy));
	memcpy(copy, program.bf_insns, program.bf_len * sizeof(*copy));
	pcap_freecode(&program);
	pcap_close(dead);
	return copy;
}

static struct watch *add_watch(struct bench *b, const char *filter, size_t ring_bytes)
{
	struct watch *w = &b->watch[b->n++], *all[WATCHES_MAX];

	w->slot = WATCH_SLOT_ALL;
	atomic_init(&w->left, UINT64_MAX);
	w->snaplen = 65536;
	w->filter = filter ? compile(filter) : NULL;
	w->ring[0] = ring_create(ring_bytes);
	w->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	for (unsigned i = 0; i < b->n; i++)
		all[i] = &b->watch[i];
	recorder_set(b->rec, all, b->n);
	return w;
}

static struct watch *add_capture(struct bench *b, const char *filter, uint8_t dir,
				 size_t ring_bytes)
{
	struct watch *w = add_watch(b, filter, ring_bytes);

	w->is_capture = true;
	w->dir = dir;
	w->lost = calloc(SLOT_MAX, sizeof(*w->lost));
	return w;
}

/* A vector of n frames, come in by port IN. */
static void fill(struct bench *b, unsigned n, const uint8_t *bytes, uint32_t len)
{
	memset(&b->vec, 0xa5, sizeof(b->vec)); /* what an earlier vector left */
	b->vec.n = n;
	for (unsigned i = 0; i < n; i++) {
		struct frame *f = &b->vec.f[i];

		memset(f, 0, sizeof(*f));
		f->snap = b->buffer[i] + FRAME_HEADROOM;
		memcpy(f->snap, bytes, len);
		f->len = len;
		f->snap_len = (uint16_t)len;
		f->in = IN;
		f->out = OUT;
		f->tci = 0x0fff;
		f->traced = 77;
	}
}

/* What forward.c does, for frames that all go to one output; drop: what becomes of them there. */
static void pass(struct bench *b, enum drop drop, struct tag tag)
{
	struct recorder *rec = recorder_get(b->rec);

	if (!rec)
		return;
	recorder_begin(rec, &b->fab, &b->vec);
	for (unsigned i = 0; i < b->vec.n; i++) {
		struct frame *f = &b->vec.f[i];
		struct tx_frame t = {.f = f, .tag = tag, .drop = (uint8_t)drop};

		f->tci = 10;
		note(rec, f, STAGE_VLAN, "access port: VLAN %u", 10);
		f->drop = (uint8_t)drop;
		recorder_output(rec, &t, OUT);
	}
	recorder_end(rec, &b->vec);
}

static unsigned drain(struct watch *w)
{
	size_t bytes;
	unsigned n = 0;

	for (; ring_peek(w->ring[0], &bytes); n++)
		ring_pop(w->ring[0]);
	return n;
}

static bool was_woken(const struct watch *w)
{
	uint64_t told;

	return read(w->wake_fd, &told, sizeof(told)) == sizeof(told);
}

static void off_is_off(void **state)
{
	struct bench *b = *state;

	assert_null(recorder_get(b->rec));
	add_watch(b, NULL, 1 << 16);
	assert_ptr_equal(recorder_get(b->rec), b->rec);
	recorder_set(b->rec, NULL, 0);
	assert_null(recorder_get(b->rec));
	/* The last watch may go between recorder_get() and recorder_begin(). */
	fill(b, 2, ping, FRAME_BYTES);
	recorder_begin(b->rec, &b->fab, &b->vec);
	assert_int_equal(b->vec.f[1].traced, 0);
	recorder_end(b->rec, &b->vec);
}

static const char *name_of(void *arg, uint16_t slot)
{
	struct bench *b = arg;

	return slot < PORTS ? b->port[slot].name : NULL;
}

static void story_of_a_ping(void **state)
{
	struct bench *b = *state;
	struct watch *w = add_watch(b, "icmp and host 10.0.0.2", 1 << 16);
	const char *expect =
		"{\"frame\": {\"len\": 98, \"vlan\": 10, \"pcp\": 0, \"dst\": "
		"\"02:00:00:00:00:02\", \"src\": \"02:00:00:00:00:01\", \"type\": \"ipv4\", "
		"\"ip\": {\"proto\": \"icmp\", \"src\": \"10.0.0.1\", \"dst\": \"10.0.0.2\", "
		"\"type\": 8, \"code\": 0}}, \"port\": \"c1\", \"steps\": [{\"stage\": "
		"\"vlan\", \"what\": \"access port: VLAN 10\"}, {\"stage\": \"tx\", \"what\": "
		"\"out by c2, tag 10\"}], \"verdict\": \"forward\", \"out\": [\"c2\"], "
		"\"reason\": null}";
	size_t bytes;
	json_t *o;
	char *text;

	fill(b, 1, ping, FRAME_BYTES);
	pass(b, DROP_NONE, (struct tag){ETYPE_8021Q, 10});
	assert_true(was_woken(w));
	o = story_json(ring_peek(w->ring[0], &bytes), name_of, b);
	assert_non_null(o);
	assert_true(json_is_string(json_object_get(o, "time")));
	json_object_del(o, "time");
	text = json_dumps(o, 0);
	assert_string_equal(text, expect);
	free(text);
	json_decref(o);
}

static void filters_choose(void **state)
{
	struct bench *b = *state;
	struct watch *tcp = add_watch(b, "tcp", 1 << 16), *icmp = add_watch(b, "icmp", 1 << 16),
		     *all = add_watch(b, NULL, 1 << 16),
		     *deep = add_watch(b, "ether[2000] = 0", 1 << 16),
		     *other = add_watch(b, NULL, 1 << 16),
		     *longer = add_watch(b, "greater 98", 1 << 16),
		     *longest = add_watch(b, "greater 99", 1 << 16);

	other->slot = OUT;
	fill(b, 3, ping, FRAME_BYTES);
	pass(b, DROP_NONE, (struct tag){0});
	assert_int_equal(drain(tcp), 0);
	assert_int_equal(drain(icmp), 3);
	assert_int_equal(drain(all), 3);
	assert_int_equal(drain(deep), 0);
	assert_int_equal(drain(other), 0);
	assert_int_equal(drain(longer), 3);
	assert_int_equal(drain(longest), 0);
	assert_false(was_woken(tcp));
}

/* A tagged frame: without its tag for most filters, as on the wire for those that say vlan. */
static void filters_and_tags(void **state)
{
	struct bench *b = *state;
	struct watch *plain = add_watch(b, "icmp", 1 << 16),
		     *wire = add_watch(b, "vlan 7 and icmp", 1 << 16),
		     *miss = add_watch(b, "vlan 8", 1 << 16);
	uint8_t tagged[FRAME_BYTES + TAG_BYTES];

	wire->sees_tag = miss->sees_tag = true;
	memcpy(tagged, ping, 12);
	tag_write(tagged + 12, (struct tag){ETYPE_8021Q, 7});
	memcpy(tagged + 16, ping + 12, FRAME_BYTES - 12);
	fill(b, 1, tagged, sizeof(tagged));
	pass(b, DROP_NONE, (struct tag){0});
	assert_int_equal(drain(plain), 1);
	assert_int_equal(drain(wire), 1);
	assert_int_equal(drain(miss), 0);
	assert_memory_equal(b->vec.f[0].snap, tagged, sizeof(tagged));
}

static void drops_only(void **state)
{
	struct bench *b = *state;
	struct watch *w = add_watch(b, NULL, 1 << 16);
	const struct trace_record *rec;
	size_t bytes;
	json_t *o;

	w->drops_only = true;
	fill(b, 2, ping, FRAME_BYTES);
	pass(b, DROP_NONE, (struct tag){0});
	assert_int_equal(drain(w), 0);
	fill(b, 2, ping, FRAME_BYTES);
	pass(b, DROP_TX_FULL, (struct tag){0});
	rec = ring_peek(w->ring[0], &bytes);
	assert_int_equal(rec->verdict, VERDICT_DROP);
	assert_int_equal(rec->n_outs, 0);
	o = story_json(rec, name_of, b);
	assert_string_equal(json_string_value(json_object_get(o, "reason")), "tx_full");
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(json_object_get(o, "steps"), 1), "what")),
			    "c2: tx_full");
	json_decref(o);
	assert_int_equal(drain(w), 2);
}

static void count_is_exact(void **state)
{
	struct bench *b = *state;
	struct watch *w = add_watch(b, NULL, 1 << 20);

	atomic_store(&w->left, 130);
	for (unsigned i = 0; i < 3; i++) {
		fill(b, 100, ping, FRAME_BYTES);
		pass(b, DROP_NONE, (struct tag){0});
	}
	assert_int_equal(drain(w), 130);
	assert_int_equal(atomic_load(&w->left), 0);
	assert_int_equal(atomic_load(&w->ring[0]->lost), 0);
}

/* Records that found no room are counted and do not count for `count`. */
static void losses(void **state)
{
	struct bench *b = *state;
	struct watch *w = add_capture(b, NULL, WATCH_RX, 4096);
	unsigned got = 0;
	size_t bytes;

	atomic_store(&w->left, 100);
	fill(b, 128, ping, FRAME_BYTES);
	pass(b, DROP_NONE, (struct tag){0});
	for (const struct capture_record *rec; (rec = ring_peek(w->ring[0], &bytes)) != NULL;
	     ring_pop(w->ring[0]))
		got += rec->dir != CAPTURE_NAME;
	assert_in_range(got, 1, 50);
	assert_int_equal(atomic_load(&w->ring[0]->lost), 128 - got);
	assert_int_equal(atomic_load(&w->lost[IN]), 128 - got);
	assert_int_equal(atomic_load(&w->left), 100 - got);
}

static void wakes_only_a_sleeper(void **state)
{
	struct bench *b = *state;
	struct watch *w = add_watch(b, NULL, 1 << 16);

	fill(b, 2, ping, FRAME_BYTES);
	pass(b, DROP_NONE, (struct tag){0});
	assert_true(was_woken(w));
	pass(b, DROP_NONE, (struct tag){0});
	assert_false(was_woken(w)); /* it has not read what it was woken for */
	assert_int_equal(drain(w), 4);
	pass(b, DROP_NONE, (struct tag){0});
	assert_true(was_woken(w));
}

/* The next frame of a capture; names on the way are checked and counted. */
static const struct capture_record *next(struct bench *b, struct watch *w, unsigned *names)
{
	const struct capture_record *rec;
	size_t bytes;

	while ((rec = ring_peek(w->ring[0], &bytes)) != NULL) {
		assert_int_equal(bytes, sizeof(*rec) + rec->cap_len);
		if (rec->dir != CAPTURE_NAME)
			return rec;
		assert_memory_equal(rec + 1, name_of(b, rec->slot), rec->cap_len);
		(*names)++;
		ring_pop(w->ring[0]);
	}
	return NULL;
}

/* What comes in is captured as it was on the wire, though ingress takes the tag off and the body is apart. */
static void capture_rx_restores_the_tag(void **state)
{
	struct bench *b = *state;
	struct watch *w = add_capture(b, NULL, WATCH_RX, 1 << 16);
	uint8_t tagged[FRAME_BYTES + TAG_BYTES + 300], body[300];
	struct frame *f = &b->vec.f[0];
	struct iovec iov[2] = {{body, 100}, {body + 100, 200}};
	const struct capture_record *rec;
	unsigned names = 0;

	for (unsigned i = 0; i < sizeof(body); i++)
		body[i] = (uint8_t)i;
	memcpy(tagged, ping, 12);
	tag_write(tagged + 12, (struct tag){ETYPE_8021AD, 0x6007});
	memcpy(tagged + 16, ping + 12, FRAME_BYTES - 12);
	memcpy(tagged + FRAME_BYTES + TAG_BYTES, body, sizeof(body));
	fill(b, 1, tagged, FRAME_BYTES + TAG_BYTES);
	f->body = iov;
	f->body_cnt = 2;
	f->len += (uint32_t)sizeof(body);
	recorder_begin(b->rec, &b->fab, &b->vec);
	memmove(f->snap + TAG_BYTES, f->snap, 12);
	f->snap += TAG_BYTES;
	f->snap_len -= TAG_BYTES;
	f->len -= TAG_BYTES;
	f->drop = DROP_GUARD_MAC;
	recorder_end(b->rec, &b->vec);
	rec = next(b, w, &names);
	assert_non_null(rec);
	assert_int_equal(rec->len, sizeof(tagged));
	assert_int_equal(rec->cap_len, sizeof(tagged));
	assert_memory_equal(rec + 1, tagged, sizeof(tagged));
	assert_int_equal(rec->verdict, VERDICT_DROP);
	assert_int_equal(rec->drop, DROP_GUARD_MAC);
	assert_int_equal(names, 2);
}

static void capture_tx_has_the_tag_of_its_wire(void **state)
{
	struct bench *b = *state;
	struct watch *w = add_capture(b, "vlan 10", WATCH_TX, 1 << 16);
	struct watch *other = add_capture(b, NULL, WATCH_TX, 1 << 16);
	uint8_t expect[FRAME_BYTES + TAG_BYTES];
	const struct capture_record *rec;
	unsigned names = 0;

	w->sees_tag = true;
	w->snaplen = 20;
	w->slot = OUT;
	other->slot = IN;
	memcpy(expect, ping, 12);
	tag_write(expect + 12, (struct tag){ETYPE_8021Q, 0x200a});
	memcpy(expect + 16, ping + 12, FRAME_BYTES - 12);
	fill(b, 1, ping, FRAME_BYTES);
	pass(b, DROP_TX_FULL, (struct tag){ETYPE_8021Q, 0x200a});
	assert_int_equal(b->vec.f[0].traced, 0);
	rec = next(b, w, &names);
	assert_non_null(rec);
	assert_int_equal(rec->len, sizeof(expect));
	assert_int_equal(rec->cap_len, 20);
	assert_memory_equal(rec + 1, expect, 20);
	assert_int_equal(rec->slot, OUT);
	assert_int_equal(rec->from_slot, IN);
	assert_int_equal(rec->drop, DROP_TX_FULL);
	ring_pop(w->ring[0]);
	assert_null(next(b, other, &names));
	pass(b, DROP_NONE, (struct tag){0}); /* untagged: no match */
	assert_null(next(b, w, &names));
}

/* Names come once in a ring, and again when a slot may mean another port. */
static void names_are_told_again(void **state)
{
	struct bench *b = *state;
	struct watch *w = add_capture(b, NULL, WATCH_RX, 1 << 16);
	unsigned names = 0;

	for (unsigned i = 0; i < 4; i++) {
		fill(b, 2, ping, FRAME_BYTES);
		if (i == 3)
			b->fab.generation++;
		pass(b, DROP_NONE, (struct tag){0});
		while (next(b, w, &names))
			ring_pop(w->ring[0]);
		assert_int_equal(names, i < 3 ? 2 : 4);
	}
}

/* More outputs and notes than a record holds. */
static void long_story(void **state)
{
	struct bench *b = *state;
	struct watch *w = add_watch(b, NULL, 1 << 16);
	struct tx_frame t = {.f = &b->vec.f[0]};
	const struct trace_record *rec;
	size_t bytes, n;
	json_t *o;

	fill(b, 1, ping, FRAME_BYTES);
	recorder_begin(b->rec, &b->fab, &b->vec);
	for (uint16_t slot = 2; slot < PORTS; slot++)
		recorder_output(b->rec, &t, slot);
	b->vec.f[0].out = OUT_FLOOD;
	recorder_end(b->rec, &b->vec);
	rec = ring_peek(w->ring[0], &bytes);
	assert_int_equal(rec->verdict, VERDICT_FLOOD);
	assert_int_equal(rec->n_outs, PORTS - 2);
	assert_in_range(rec->notes_len, NOTE_BYTES / 2, NOTE_BYTES);
	assert_true(rec->notes_cut > 0);
	o = story_json(rec, name_of, b);
	assert_int_equal(json_array_size(json_object_get(o, "out")), OUTS_MAX);
	n = json_array_size(json_object_get(o, "steps"));
	assert_int_equal(n - 1 + rec->notes_cut, PORTS - 2);
	json_decref(o);
}

/* Every length of a frame, with headers that promise more than there is. */
static void story_of_anything(void **state)
{
	struct bench *b = *state;
	struct watch *w = add_watch(b, NULL, 1 << 16);
	static const uint16_t etypes[] = {ETYPE_IPV4,  ETYPE_IPV6,   ETYPE_ARP,
					  ETYPE_8021Q, ETYPE_8021AD, 0x88cc};
	uint8_t bytes[160];
	size_t n;

	for (unsigned round = 0; round < 20000; round++) {
		uint32_t len = (uint32_t)(rand() % 160);
		uint16_t etype = etypes[rand() % 6], inner = etypes[rand() % 6];
		json_t *o;

		for (unsigned i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)rand();
		bytes[12] = (uint8_t)(etype >> 8);
		bytes[13] = (uint8_t)etype;
		bytes[16] = (uint8_t)(inner >> 8);
		bytes[17] = (uint8_t)inner;
		if (rand() % 2)
			bytes[14] = etype == ETYPE_IPV6 ? 0x60 : 0x45;
		fill(b, 1, bytes, len);
		b->vec.f[0].off.gso_type = (uint8_t)rand();
		pass(b, DROP_NONE, (struct tag){0});
		o = story_json(ring_peek(w->ring[0], &n), name_of, b);
		assert_non_null(o);
		json_decref(o);
		ring_pop(w->ring[0]);
	}
}

static void times(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} row[] = {
		{0, "1970-01-01T00:00:00.000000000Z"},
		{951782400000000001, "2000-02-29T00:00:00.000000001Z"},
		{1709251199999999999, "2024-02-29T23:59:59.999999999Z"},
		{4107542400000000000, "2100-03-01T00:00:00.000000000Z"},
		{1735689599000000000, "2024-12-31T23:59:59.000000000Z"},
	};
	char text[STORY_TIME_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		assert_string_equal(story_time(row[i].ns, text), row[i].text);
}

static void programs_are_checked(void **state)
{
	static const struct bpf_insn ret = BPF_STMT(BPF_RET | BPF_K, 1);
	struct bpf_insn loop[] = {BPF_STMT(BPF_LD | BPF_IMM, 1),
				  BPF_STMT(BPF_JMP | BPF_JA, UINT32_MAX - 1), ret};
	struct bpf_insn far[] = {BPF_STMT(BPF_JMP | BPF_JA, 1), ret};
	struct bpf_insn near[] = {BPF_STMT(BPF_JMP | BPF_JA, 0), ret};
	struct bpf_insn shift[] = {BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), ret};
	struct bpf_insn divide[] = {BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), ret};
	struct bpf_insn memory[] = {BPF_STMT(BPF_ST, BPF_MEMWORDS), ret};
	struct bpf_insn unknown[] = {BPF_STMT(0xff00 | BPF_LD | BPF_IMM, 1),
				     ret}; /* bpf_filter() aborts */
	struct bpf_insn endless[] = {BPF_STMT(BPF_LD | BPF_IMM, 1)};

	(void)state;
	assert_null(filter_check(&ret, 1));
	assert_null(filter_check(near, 2));
	assert_non_null(filter_check(&ret, 0));
	assert_non_null(filter_check(loop, 3));
	assert_non_null(filter_check(far, 2));
	assert_non_null(filter_check(shift, 2));
	assert_non_null(filter_check(divide, 2));
	assert_non_null(filter_check(memory, 2));
	assert_non_null(filter_check(endless, 1));
	assert_non_null(filter_check(unknown, 2));
	assert_non_null(filter_check(&ret, FILTER_INSNS_MAX + 1));
}

struct side {
	struct bench *b;
	struct recorder *rec;
};

static void *run_side(void *arg)
{
	struct side *s = arg;

	for (unsigned i = 0; i < 2000; i++) {
		recorder_begin(s->rec, &s->b->fab, &s->b->vec);
		recorder_end(s->rec, &s->b->vec);
	}
	return NULL;
}

/* Two workers and one watch: together they deliver what was asked for, and not one more. */
static void two_workers_one_count(void **state)
{
	struct bench *b = *state, *other;
	struct watch *w = add_watch(b, NULL, 1 << 21);
	struct side side[2] = {{b, b->rec}};
	pthread_t thread[2];
	size_t bytes;
	unsigned n = 0;
	void *copy;

	assert_int_equal(set_up(&copy), 0);
	other = copy;
	recorder_destroy(other->rec);
	other->rec = recorder_create(1);
	w->ring[1] = ring_create(1 << 21);
	recorder_set(other->rec, &w, 1);
	side[1] = (struct side){other, other->rec};
	atomic_store(&w->left, 5000);
	for (unsigned i = 0; i < 2; i++) {
		fill(side[i].b, 2, ping, FRAME_BYTES);
		pthread_create(&thread[i], NULL, run_side, &side[i]);
	}
	for (unsigned i = 0; i < 2; i++) {
		pthread_join(thread[i], NULL);
		for (; ring_peek(w->ring[i], &bytes); n++)
			ring_pop(w->ring[i]);
	}
	assert_int_equal(n + atomic_load(&w->left), 5000);
	assert_true(atomic_load(&w->left) == 0 || atomic_load(&w->ring[0]->lost) ||
		    atomic_load(&w->ring[1]->lost));
	ring_destroy(w->ring[1]);
	tear_down(&copy);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(off_is_off),
		CASE(story_of_a_ping),
		CASE(filters_choose),
		CASE(filters_and_tags),
		CASE(drops_only),
		CASE(count_is_exact),
		CASE(losses),
		CASE(wakes_only_a_sleeper),
		CASE(capture_rx_restores_the_tag),
		CASE(capture_tx_has_the_tag_of_its_wire),
		CASE(names_are_told_again),
		CASE(long_story),
		CASE(story_of_anything),
		CASE(two_workers_one_count),
		cmocka_unit_test(times),
		cmocka_unit_test(programs_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
