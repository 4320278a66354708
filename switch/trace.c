/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * trace: the recorder.
 *
 * forward.c calls recorder_begin(), the notes, recorder_output() and recorder_end() for each vector
 * while somebody watches; watch.c publishes the watches and reads the trace rings; capture.c reads
 * the capture rings.
 *
 * A vector:
 *
 *   begin   which watches look at this port; filters are run, matching frames get a story:
 *           the watches that want it, first bytes as they came in, room for notes
 *   note    a line more in the frame's story
 *   output  a note and an output more in the story; tx captures take the frame here, with the
 *           tag of that wire, since it is still held
 *   end     verdict known: traces take their stories, rx captures their frames; sleeping
 *           consumers are woken, once a vector
 *
 * A record is written in this order: take one of watch->left, reserve in the ring, fill, commit.
 * Without room the take is given back, so `--count N` delivers exactly N however many were lost.
 *
 * Names.  The writer of a capture knows no ports.  Before a slot is first used in a ring, its name
 * goes there as a record of its own; a new fabric (a slot may have another port) starts that over.
 *
 * Trust.  Frame bytes are the sender's: here they are copied, and only filter.c reads them.
 */
#include "switch/trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "switch/filter.h"

enum { SLOT_WORDS = SLOT_MAX / 64, ADDRESSES = 12, NS_PER_S = 1000000000 };

struct watch_list {
	uint64_t serial;
	unsigned n;
	struct watch *watch[WATCHES_MAX];
};

struct story {
	uint16_t watches; /* bit i: watch i wants it */
	bool is_told;	  /* a trace wants it: notes are taken */
	struct trace_record rec;
};

/* What a recorder knows of the vector in hand. */
struct recorder_work {
	struct watch_list
		lists[2]; /* control thread: one is published, the other is free to be filled */
	uint64_t serial;  /* control thread: of the list published last */

	const struct watch_list *list; /* of this vector; the grace period keeps it */
	const struct fabric *fab;
	uint64_t time_ns;
	uint16_t tx_watches;			 /* captures of what leaves */
	uint16_t wrote;				 /* watches whose ring got a record */
	size_t ring_head[WATCHES_MAX];		 /* where that ring was before */
	uint64_t named_serial, named_generation; /* what named[] is about */
	uint64_t named[WATCHES_MAX][SLOT_WORDS]; /* slots whose name is in the ring */
	unsigned n_stories;
	struct story story[VEC_SIZE];
	uint8_t room[FILTER_ROOM];
};

/* The bytes of a record: a prefix, then the frame from an offset on. */
struct frame_bytes {
	const struct frame *f;
	uint32_t from;
	uint32_t prefix_len;
	const uint8_t *prefix;
};

const char *stage_word(enum stage s)
{
	static const char *const words[] = {"rx",     "guard", "vlan",	  "police", "learn",
					    "lookup", "host",  "gateway", "nat",    "tx"};

	_Static_assert(sizeof(words) / sizeof(words[0]) == STAGE_COUNT, "a word for each stage");
	return (unsigned)s < STAGE_COUNT ? words[s] : "?";
}

const char *verdict_word(enum verdict v)
{
	static const char *const words[] = {"forward", "flood", "local", "drop"};

	return (unsigned)v < sizeof(words) / sizeof(words[0]) ? words[v] : "?";
}

static enum verdict verdict_of(const struct frame *f)
{
	if (f->drop)
		return VERDICT_DROP;
	if (f->out == OUT_LOCAL)
		return VERDICT_LOCAL;
	return f->out == OUT_FLOOD ? VERDICT_FLOOD : VERDICT_FORWARD;
}

static uint64_t wall_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static const char *slot_name(const struct fabric *fab, uint16_t slot)
{
	return slot < fab->n_slots && fab->port[slot].port ? fab->port[slot].port->name : "?";
}

/* Takes one of the frames that a watch still wants; false when it has had them all. */
static bool watch_take(struct watch *w)
{
	uint64_t left = atomic_load_explicit(&w->left, memory_order_relaxed);

	while (left != UINT64_MAX)
		if (left == 0)
			return false;
		else if (atomic_compare_exchange_weak_explicit(&w->left, &left, left - 1,
							       memory_order_relaxed,
							       memory_order_relaxed))
			return true;
	return true;
}

static void watch_give_back(struct watch *w)
{
	if (atomic_load_explicit(&w->left, memory_order_relaxed) != UINT64_MAX)
		atomic_fetch_add_explicit(&w->left, 1, memory_order_relaxed);
}

/* Reserves in this worker's ring of watch i, and remembers where the ring was when the vector began. */
static void *reserve(struct recorder *r, unsigned i, size_t bytes)
{
	struct recorder_work *k = r->work;
	struct ring *ring = rcu_get(&k->list->watch[i]->ring[r->worker]);

	if (!ring)
		return NULL;
	if (!(k->wrote & 1u << i)) {
		k->wrote |= (uint16_t)(1u << i);
		k->ring_head[i] = atomic_load_explicit(&ring->head, memory_order_relaxed);
	}
	return ring_reserve(ring, bytes);
}

static void commit(struct recorder *r, unsigned i, size_t bytes)
{
	ring_commit(rcu_get(&r->work->list->watch[i]->ring[r->worker]), bytes);
}

/* A consumer that had read everything before this vector may sleep.  The fence orders our head before
 * its tail; the consumer has one between its tail and its last look at head, so one of us sees the other. */
static void wake_consumers(struct recorder *r)
{
	struct recorder_work *k = r->work;

	if (!k->wrote)
		return;
	__sync_synchronize();
	for (unsigned i = 0; i < k->list->n; i++) {
		const struct watch *w = k->list->watch[i];
		const struct ring *ring = w->ring[r->worker];
		static const uint64_t one = 1;

		if (!(k->wrote & 1u << i))
			continue;
		if ((ssize_t)(atomic_load_explicit(&ring->tail, memory_order_relaxed) -
			      k->ring_head[i]) >= 0 &&
		    write(w->wake_fd, &one, sizeof(one)) < 0)
			continue; /* EAGAIN: the counter is full, so the consumer has been told */
	}
	k->wrote = 0;
}

/* Makes sure that the ring of watch i knows the name of a slot; false without room. */
static bool name_slot(struct recorder *r, unsigned i, uint16_t slot)
{
	struct recorder_work *k = r->work;
	struct capture_record *rec;
	const char *name;
	size_t len;

	if (slot >= SLOT_MAX || k->named[i][slot >> 6] & 1ULL << (slot & 63))
		return true;
	name = slot_name(k->fab, slot);
	len = strlen(name);
	rec = reserve(r, i, sizeof(*rec) + len);
	if (!rec)
		return false;
	*rec = (struct capture_record){
		.time_ns = k->time_ns, .cap_len = (uint32_t)len, .slot = slot, .dir = CAPTURE_NAME};
	memcpy(rec + 1, name, len);
	commit(r, i, sizeof(*rec) + len);
	k->named[i][slot >> 6] |= 1ULL << (slot & 63);
	return true;
}

static void write_capture(struct recorder *r, unsigned i, const struct capture_record *head,
			  const struct frame_bytes *b)
{
	struct watch *w = r->work->list->watch[i];
	uint32_t cap = head->len < w->snaplen ? head->len : w->snaplen;
	uint32_t prefix = b->prefix_len < cap ? b->prefix_len : cap;
	struct capture_record *rec = NULL;
	uint8_t *bytes;

	if (!watch_take(w))
		return;
	if (name_slot(r, i, head->slot) && name_slot(r, i, head->from_slot) &&
	    name_slot(r, i, head->out_slot))
		rec = reserve(r, i, sizeof(*rec) + cap);
	if (!rec) {
		watch_give_back(w);
		if (w->lost)
			atomic_fetch_add_explicit(&w->lost[head->slot], 1, memory_order_relaxed);
		return;
	}
	*rec = *head;
	bytes = (uint8_t *)(rec + 1);
	memcpy(bytes, b->prefix, prefix);
	rec->cap_len = prefix + frame_copy(b->f, b->from, bytes + prefix, cap - prefix);
	commit(r, i, sizeof(*rec) + rec->cap_len);
}

static void write_trace(struct recorder *r, unsigned i, const struct trace_record *rec)
{
	size_t bytes = offsetof(struct trace_record, notes) + rec->notes_len;
	struct watch *w = r->work->list->watch[i];
	void *room;

	if ((w->drops_only && !rec->drop) || !watch_take(w))
		return;
	room = reserve(r, i, bytes);
	if (!room) {
		watch_give_back(w);
		return;
	}
	memcpy(room, rec, bytes);
	commit(r, i, bytes);
}

/* Names are told again when the watches changed, or the fabric, and with it what a slot means. */
static void forget_names(struct recorder_work *k)
{
	if (k->named_serial == k->list->serial && k->named_generation == k->fab->generation)
		return;
	memset(k->named, 0, sizeof(k->named));
	k->named_serial = k->list->serial;
	k->named_generation = k->fab->generation;
}

/* The watches that look at what comes in by this port. */
static uint16_t rx_watches(const struct watch_list *l, uint16_t slot)
{
	uint16_t set = 0;

	for (unsigned i = 0; i < l->n; i++) {
		const struct watch *w = l->watch[i];

		if ((w->slot == WATCH_SLOT_ALL || w->slot == slot) &&
		    (!w->is_capture || (w->dir & WATCH_RX)) &&
		    atomic_load_explicit(&w->left, memory_order_relaxed))
			set |= (uint16_t)(1u << i);
	}
	return set;
}

/* Which watches of a set have a filter that matches f as on a wire that it has with this tag. */
static uint16_t match(struct recorder_work *k, uint16_t set, const struct frame *f, struct tag tag)
{
	struct filter_view view = {0};
	int has = -1; /* the view is with the tag (1), without (0), not made yet */

	for (unsigned i = 0; set >> i; i++) {
		const struct watch *w = k->list->watch[i];

		if (!(set & 1u << i) || !w->filter)
			continue;
		if (has != w->sees_tag)
			view = filter_view(f, tag, w->sees_tag, k->room);
		has = w->sees_tag;
		if (!filter_match(w->filter, &view))
			set &= (uint16_t) ~(1u << i);
	}
	return set;
}

/* Opens the story of a frame that some watches want. */
static void tell(struct recorder_work *k, struct frame *f, uint16_t watches)
{
	struct story *s = &k->story[k->n_stories++];
	struct trace_record *rec = &s->rec;

	f->traced = (uint8_t)k->n_stories;
	f->tci = 0; /* of an earlier vector; ingress sets it, if the frame gets there */
	s->watches = watches;
	s->is_told = false;
	for (unsigned i = 0; watches >> i; i++)
		if (watches & 1u << i && !k->list->watch[i]->is_capture)
			s->is_told = true;
	rec->time_ns = k->time_ns;
	rec->len = f->len;
	rec->slot = f->in;
	rec->off = f->off;
	rec->tci = 0;
	rec->n_outs = 0;
	rec->notes_len = 0;
	rec->notes_cut = 0;
	rec->snap_len = (uint16_t)frame_copy(f, 0, rec->data, TRACE_SNAP);
}

void recorder_begin(struct recorder *r, const struct fabric *fab, struct vec *v)
{
	struct recorder_work *k = r->work;
	uint16_t rx;

	k->list = rcu_get(&r->list);
	k->n_stories = 0;
	k->tx_watches = 0;
	for (unsigned i = 0; i < v->n; i++)
		v->f[i].traced = 0;
	if (!k->list)
		return;
	k->fab = fab;
	k->time_ns = wall_ns();
	forget_names(k);
	for (unsigned i = 0; i < k->list->n; i++)
		if (k->list->watch[i]->is_capture && (k->list->watch[i]->dir & WATCH_TX))
			k->tx_watches |= (uint16_t)(1u << i);
	rx = v->n ? rx_watches(k->list, v->f[0].in) : 0;
	for (unsigned i = 0; rx && i < v->n; i++) {
		uint16_t set = match(k, rx, &v->f[i], (struct tag){0});

		if (set)
			tell(k, &v->f[i], set);
	}
}

/* A note that does not fit ends the story; how many were cut is kept. */
void recorder_note(struct recorder *r, const struct frame *f, enum stage s, const char *fmt, ...)
{
	struct story *story = &r->work->story[f->traced - 1];
	struct trace_record *rec = &story->rec;
	size_t room = NOTE_BYTES - rec->notes_len;
	va_list ap;
	int n = 0;

	if (!story->is_told)
		return;
	if (!rec->tci) /* the VLAN that it came in by: routing changes it */
		rec->tci = f->tci;
	if (room > 2 && !rec->notes_cut) {
		rec->notes[rec->notes_len] = (char)s;
		va_start(ap, fmt);
		n = vsnprintf(rec->notes + rec->notes_len + 1, room - 1, fmt, ap);
		va_end(ap);
	}
	if (n <= 0 || (size_t)n + 2 > room)
		rec->notes_cut++;
	else
		rec->notes_len += (uint16_t)(n + 2);
}

/* The line of one output: "out by c2, tag 10", "c3: tx_full". */
static void note_output(struct recorder *r, const struct tx_frame *t, const char *name)
{
	unsigned vid = t->tag.tci & TCI_VID, priority = t->tag.tci >> TCI_PCP_SHIFT;
	const char *service = t->tag.tpid == ETYPE_8021AD ? "service " : "";

	if (t->drop)
		recorder_note(r, t->f, STAGE_TX, "%s: %s", name, drop_word(t->drop));
	else if (!t->tag.tpid)
		recorder_note(r, t->f, STAGE_TX, "out by %s, untagged", name);
	else if (vid && !priority)
		recorder_note(r, t->f, STAGE_TX, "out by %s, %stag %u", name, service, vid);
	else
		recorder_note(r, t->f, STAGE_TX, "out by %s, %stag %u, priority %u", name, service,
			      vid, priority);
}

/* The captures that look at what leaves by this port. */
static void capture_output(struct recorder *r, const struct tx_frame *t, uint16_t slot)
{
	struct recorder_work *k = r->work;
	const struct frame *f = t->f;
	uint8_t prefix[ADDRESSES + TAG_BYTES];
	struct frame_bytes b = {.f = f, .prefix = prefix};
	struct capture_record head = {.len = f->len,
				      .slot = slot,
				      .from_slot = f->in,
				      .out_slot = slot,
				      .dir = WATCH_TX,
				      .drop = t->drop};
	uint16_t set = 0;

	for (unsigned i = 0; k->tx_watches >> i; i++)
		if (k->tx_watches & 1u << i &&
		    (k->list->watch[i]->slot == WATCH_SLOT_ALL || k->list->watch[i]->slot == slot))
			set |= (uint16_t)(1u << i);
	if (set)
		set = match(k, set, f, t->tag);
	if (!set)
		return;
	if (t->tag.tpid && f->snap_len >= ADDRESSES) {
		memcpy(prefix, f->snap, ADDRESSES);
		tag_write(prefix + ADDRESSES, t->tag);
		b.prefix_len = sizeof(prefix);
		b.from = ADDRESSES;
		head.len += TAG_BYTES;
	}
	head.time_ns = wall_ns();
	for (unsigned i = 0; set >> i; i++)
		if (set & 1u << i)
			write_capture(r, i, &head, &b);
}

void recorder_output(struct recorder *r, const struct tx_frame *t, uint16_t slot)
{
	struct recorder_work *k = r->work;

	if (t->f->traced) {
		struct trace_record *rec = &k->story[t->f->traced - 1].rec;

		note_output(r, t, slot_name(k->fab, slot));
		if (!t->drop && rec->n_outs++ < OUTS_MAX)
			rec->outs[rec->n_outs - 1] = slot;
	}
	if (k->tx_watches)
		capture_output(r, t, slot);
}

/* Gives a finished story to the watches that want it. */
static void end_story(struct recorder *r, const struct frame *f, struct story *s)
{
	struct trace_record *rec = &s->rec;
	struct capture_record head = {.time_ns = rec->time_ns,
				      .len = rec->len,
				      .slot = rec->slot,
				      .from_slot = rec->slot,
				      .out_slot = f->out,
				      .dir = WATCH_RX,
				      .verdict = (uint8_t)verdict_of(f),
				      .drop = f->drop,
				      .taken = rec->n_outs};
	/* The headers as they came in, then what nobody rewrites.  Ingress took off what f is shorter. */
	struct frame_bytes b = {.f = f,
				.from = rec->snap_len - (rec->len - f->len),
				.prefix = rec->data,
				.prefix_len = rec->snap_len};

	if (!rec->tci)
		rec->tci = f->tci;
	rec->verdict = head.verdict;
	rec->drop = f->drop;
	for (unsigned i = 0; s->watches >> i; i++)
		if (!(s->watches & 1u << i))
			continue;
		else if (r->work->list->watch[i]->is_capture)
			write_capture(r, i, &head, &b);
		else
			write_trace(r, i, rec);
}

void recorder_end(struct recorder *r, const struct vec *v)
{
	struct recorder_work *k = r->work;

	if (!k->list)
		return;
	for (unsigned i = 0; k->n_stories && i < v->n; i++)
		if (v->f[i].traced)
			end_story(r, &v->f[i], &k->story[v->f[i].traced - 1]);
	wake_consumers(r);
}

void recorder_set(struct recorder *r, struct watch *const *watches, unsigned n)
{
	struct recorder_work *k = r->work;
	struct watch_list *l = &k->lists[++k->serial & 1];

	if (n > WATCHES_MAX)
		n = WATCHES_MAX;
	l->serial = k->serial;
	l->n = n;
	for (unsigned i = 0; i < n; i++)
		l->watch[i] = watches[i];
	rcu_set(&r->list, n ? l : NULL);
}

struct recorder *recorder_create(unsigned worker)
{
	struct recorder *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->worker = worker;
	r->work = calloc(1, sizeof(*r->work));
	if (!r->work) {
		free(r);
		return NULL;
	}
	return r;
}

void recorder_destroy(struct recorder *r)
{
	if (!r)
		return;
	free(r->work);
	free(r);
}
