/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load_station: loops of the load generator over the rings of front_end; see load_station.h.
 *
 * Each loop exists twice, split and packed: is_packed is a constant where it is inlined.  What the load asks for is read
 * once a batch; the frames are bytes, so the compiler has to expect that writing one changes it.
 *
 * Trust.  Ids and lengths in the rings are the device's: an id is cut to the ring, a length is judged before it is used.
 */
#include "tests/lib/load_station.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

enum {
	LINE = 64,
	PAGE = 4096,
	HEADROOM =
		128, /* a frame begins on a line of its own; its virtio-net header lies before it */
	STRIDE =
		2304, /* an odd number of pairs of lines, so that buffers do not share sets of the cache */
	DESCS_A_LINE = LINE / sizeof(struct fe_desc),
	BOTH = FE_PACKED_AVAIL | FE_PACKED_USED,
};

#define HOT static inline __attribute__((always_inline))

struct got {
	uint32_t id, len;
};

/* The driver cannot go on: the device did what it must not. */
static void give_up(const struct station *s, const char *why)
{
	fprintf(stderr, "station %u: %s\n", s->who, why);
	exit(1);
}

/* Lines of a frame. */

HOT void write_lines(uint8_t *frame, uint32_t bytes, uint32_t at, uint64_t word)
{
	memcpy(frame + at, &word, sizeof(word));
	if (bytes <= LINE)
		return;
	for (at += LINE; at + sizeof(word) <= bytes; at += LINE)
		memcpy(frame + at, &word, sizeof(word));
	memcpy(frame + bytes - sizeof(word), &word, sizeof(word));
}

HOT uint64_t read_lines(const uint8_t *frame, uint32_t bytes)
{
	uint64_t word, sum = 0;

	for (uint32_t at = 0; at + sizeof(word) <= bytes; at += LINE) {
		memcpy(&word, frame + at, sizeof(word));
		sum += word;
	}
	return sum;
}

/* A line that will be written: fetched as ours at once. */
HOT void prefetch_write(const void *p)
{
	__asm__ volatile("prefetchw %0" : : "m"(*(const uint8_t *)p));
}

/* Sending. */

static unsigned target(const struct station *s, unsigned flow)
{
	return (s->who + 1 + flow % (s->load->stations - 1)) % s->load->stations;
}

static uint8_t *frame_at(const struct station *s, uint32_t k)
{
	return s->tx + (size_t)k * s->tx_stride + FE_HEADER;
}

static unsigned random_flow(struct station *s)
{
	s->dice = s->dice * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)((s->dice >> 33) * s->load->flows >> 31);
}

static void fill_all(struct station *s, uint8_t *frame, unsigned flow)
{
	uint32_t data = s->data, bytes = s->bytes - FE_HEADER;

	memcpy(frame, s->head[flow], data - LOAD_GAP);
	load_data_write(frame + data, bytes - data,
			s->seq << 16 | (uint64_t)s->who << 8 | target(s, flow));
}

/* n frames from s->put on; the first n_heads bytes change with the flow. */
HOT void fill(struct station *s, unsigned n)
{
	const uint8_t(*head)[LOAD_HEAD] = (const uint8_t(*)[LOAD_HEAD])s->head;
	bool is_random = s->load->is_random, is_tso = s->load->is_tso,
	     touches = s->load->is_touched;
	uint32_t bytes = s->bytes - FE_HEADER, data = s->data, mask = s->frames - 1;
	uint64_t seq = s->seq;

	for (unsigned i = 0; i < n; i++) {
		uint32_t k = (s->put + i) & mask;
		uint8_t *frame = frame_at(s, k);
		unsigned flow = is_random ? random_flow(s) : k % s->load->flows;

		if (s->checks) {
			fill_all(s, frame, flow);
			s->seq++;
			continue;
		}
		if (is_random)
			memcpy(frame, head[flow], is_tso ? LOAD_HEAD : LOAD_HEAD_UDP);
		if (touches)
			write_lines(frame, bytes, data, seq + i);
	}
	if (!s->checks)
		s->seq += n;
}

HOT void put_split(struct station *s, uint32_t k)
{
	uint64_t gpa = s->tx_gpa + (uint64_t)k * s->tx_stride;
	uint32_t head = k * s->chunks;
	uint16_t *slot = &s->out->avail->ring[s->put & (s->out->size - 1U)];

	if (s->chunks == 1) {
		s->out->desc[head] = (struct fe_desc){gpa, s->bytes, 0, 0};
	} else {
		for (uint32_t c = 0; c < s->chunks; c++)
			s->out->desc[head + c] = (struct fe_desc){
				gpa + (uint64_t)c * STATION_TSO_CHUNK, STATION_TSO_CHUNK,
				c + 1 < s->chunks ? FE_DESC_NEXT : 0, (uint16_t)(head + c + 1)};
	}
	if (*slot != head)
		*slot = (uint16_t)head;
}

/* Length, id and flags of a packed descriptor become visible in one store. */
HOT void store_packed(struct fe_packed_desc *d, uint64_t gpa, uint32_t len, uint32_t id,
		      unsigned flags)
{
	uint64_t tail = (uint64_t)flags << 48 | (uint64_t)id << 32 | len;

	d->addr = gpa;
	__atomic_store_n((uint64_t *)(void *)&d->len, tail, __ATOMIC_RELEASE);
}

/* The id is the slot of the chain's last descriptor: the one after it is where the next used one will be. */
HOT void put_packed(struct station *s, uint32_t k)
{
	struct fe_packed_desc *d = &s->out->packed[k * s->chunks];
	uint64_t gpa = s->tx_gpa + (uint64_t)k * s->tx_stride;
	unsigned flags = s->put & s->frames ? FE_PACKED_USED : FE_PACKED_AVAIL;
	uint32_t id = (k + 1) * s->chunks - 1;

	if (s->chunks == 1) {
		store_packed(d, gpa, s->bytes, id, flags);
		return;
	}
	/* The head last: the device takes the chain when it sees that. */
	for (uint32_t c = s->chunks; c-- > 0;)
		store_packed(&d[c], gpa + (uint64_t)c * STATION_TSO_CHUNK, STATION_TSO_CHUNK, id,
			     flags | (c + 1 < s->chunks ? FE_DESC_NEXT : 0));
}

static void kick_if_asked(struct fe_ring *r)
{
	uint16_t flags;

	/* What was put is visible before we read whether a kick is wanted. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	flags = r->is_packed ? __atomic_load_n(&r->device_event->flags, __ATOMIC_RELAXED)
			     : __atomic_load_n(&r->used->flags, __ATOMIC_RELAXED);
	if (__builtin_expect(!(flags & FE_QUIET), 0))
		fe_kick(r);
}

HOT void publish(struct station *s, unsigned n, bool is_packed)
{
	for (unsigned i = 0; i < n; i++, s->put++) {
		uint32_t k = s->put & (s->frames - 1);

		if (is_packed)
			put_packed(s, k);
		else
			put_split(s, k);
	}
	if (!is_packed)
		__atomic_store_n(&s->out->avail->idx, (uint16_t)s->put, __ATOMIC_RELEASE);
	kick_if_asked(s->out);
}

static void reap_split(struct station *s)
{
	uint16_t idx = __atomic_load_n(&s->out->used->idx, __ATOMIC_ACQUIRE);

	if (s->is_in_order) {
		s->back += (uint16_t)(idx - s->back);
		return;
	}
	for (; (uint16_t)s->back != idx; s->back++) {
		uint32_t id = s->out->used->ring[s->back & (s->out->size - 1U)].id;

		if (id != (s->back & (s->frames - 1)) * s->chunks)
			give_up(s, "transmit buffers come back out of order");
	}
}

static void reap_packed(struct station *s)
{
	while (s->back != s->put) {
		uint32_t k = s->back & (s->frames - 1);
		const struct fe_packed_desc *d = &s->out->packed[k * s->chunks];
		uint16_t flags = __atomic_load_n(&d->flags, __ATOMIC_ACQUIRE);

		if ((flags & BOTH) != (s->back & s->frames ? 0 : BOTH))
			return;
		/* In order, one descriptor may stand for many: its id says up to where. */
		s->back += ((d->id / s->chunks - k) & (s->frames - 1)) + 1;
	}
}

HOT unsigned send_batch(struct station *s, bool is_packed)
{
	unsigned n = s->load->tx_batch;

	if (s->frames - (s->put - s->back) < n) {
		if (is_packed)
			reap_packed(s);
		else
			reap_split(s);
	}
	s->count.looks++;
	if (s->frames - (s->put - s->back) < n) {
		s->count.full++;
		return 0;
	}
	for (unsigned i = 0; i < n; i++) {
		uint32_t k = (s->put + i) & (s->frames - 1);

		if (k % DESCS_A_LINE == 0)
			prefetch_write(&s->out->desc[k * s->chunks]);
		prefetch_write(frame_at(s, k));
	}
	fill(s, n);
	publish(s, n, is_packed);
	s->count.sent += n;
	return n;
}

/* Receiving. */

HOT const uint8_t *buffer_at(const struct station *s, uint32_t id)
{
	return s->rx + (size_t)id * s->rx_stride;
}

/* Buffers that were used, at most max; what will be read of them is on its way. */
HOT unsigned gather(struct station *s, struct got *got, unsigned max, bool is_packed)
{
	const struct fe_ring *r = s->in;
	uint32_t mask = r->size - 1U;
	unsigned n = 0;

	if (!is_packed) {
		n = (uint16_t)(__atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE) - s->taken);
		max = n < max ? n : max;
	}
	for (unsigned i = 0; !is_packed && i < max; i += LINE / sizeof(struct fe_used_elem))
		_mm_prefetch(&r->used->ring[(s->taken + i) & mask], _MM_HINT_T0);
	for (n = 0; n < max; n++) {
		uint32_t slot = (s->taken + n) & mask;

		if (slot % DESCS_A_LINE == 0)
			prefetch_write(&r->desc[slot]); /* of a packed ring as well */
		if (is_packed) {
			const struct fe_packed_desc *d = &r->packed[slot];
			uint16_t flags = __atomic_load_n(&d->flags, __ATOMIC_ACQUIRE);

			if ((flags & BOTH) != ((s->taken + n) & r->size ? 0 : BOTH))
				break;
			got[n] = (struct got){d->id & mask, d->len};
		} else {
			got[n] = (struct got){r->used->ring[slot].id & mask,
					      r->used->ring[slot].len};
		}
		_mm_prefetch(buffer_at(s, got[n].id), _MM_HINT_T0);
		_mm_prefetch(buffer_at(s, got[n].id) + FE_HEADER, _MM_HINT_T0);
	}
	return n;
}

/* Gives n buffers to the device, in the places of those that it used. */
HOT void post(struct station *s, const struct got *got, unsigned n, bool is_packed)
{
	struct fe_ring *r = s->in;
	uint32_t mask = r->size - 1U, len = s->load->rx_buffer;

	for (unsigned i = 0; i < n; i++, s->taken++) {
		uint32_t slot = s->taken & mask, id = got[i].id;
		uint64_t gpa = s->rx_gpa + (uint64_t)id * s->rx_stride;
		/* On its next lap, when the wrap counter is the other one. */
		unsigned flags = s->taken & r->size ? FE_PACKED_AVAIL : FE_PACKED_USED;

		if (is_packed) {
			store_packed(&r->packed[slot], gpa, len, id, FE_DESC_WRITE | flags);
			continue;
		}
		r->desc[id] = (struct fe_desc){gpa, len, FE_DESC_WRITE, 0};
		if (r->avail->ring[slot] != id)
			r->avail->ring[slot] = (uint16_t)id;
	}
	if (!is_packed)
		__atomic_store_n(&r->avail->idx, (uint16_t)(s->taken + r->size), __ATOMIC_RELEASE);
	kick_if_asked(r);
}

static void check(struct station *s)
{
	uint32_t at = FE_HEADER + s->data;
	uint64_t first;
	unsigned from;

	memcpy(&first, s->whole + at, sizeof(first));
	from = (first >> 8) & 0xff;
	if (from >= s->load->stations || !load_data_is(s->whole + at, s->bytes - at, first)) {
		s->count.corrupt++;
		return;
	}
	if ((first & 0xff) != s->who)
		s->count.misdelivered++;
	if ((first >> 16) + 1 <= s->newest[from])
		s->count.disorder++;
	else
		s->newest[from] = (first >> 16) + 1;
}

/* A buffer of a frame that is not one of many alike: it takes several, is of another length, or is to be compared. */
static void take_slowly(struct station *s, const uint8_t *buffer, uint32_t len)
{
	if (s->more == 0) {
		memcpy(&s->more, buffer + FE_HEADER - sizeof(s->more), sizeof(s->more));
		s->have = 0;
		if (s->more == 0)
			give_up(s, "a frame in no buffer");
	}
	if (len > s->load->rx_buffer || len > STATION_TSO_BYTES + LOAD_TAG - s->have)
		give_up(s, "more bytes than a buffer has");
	if (s->checks)
		memcpy(s->whole + s->have, buffer, len);
	else if (
		s->load->is_touched) /* of a segment only what the driver reads: else we were slower than a switch */
		s->sink += read_lines(buffer, s->load->is_tso && len > LINE ? LINE : len);
	s->have += len;
	if (--s->more > 0)
		return;
	if (s->have != s->bytes) {
		s->count.odd++;
		return;
	}
	s->count.received++;
	if (s->checks)
		check(s);
}

HOT void take(struct station *s, const struct got *got, unsigned n)
{
	bool is_slow = s->checks, touches = s->load->is_touched;
	uint32_t bytes = s->bytes;
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++) {
		const uint8_t *buffer = buffer_at(s, got[i].id);
		uint16_t buffers;

		memcpy(&buffers, buffer + FE_HEADER - sizeof(buffers), sizeof(buffers));
		if (is_slow || s->more || buffers != 1 || got[i].len != bytes) {
			take_slowly(s, buffer, got[i].len);
			continue;
		}
		s->count.received++;
		if (touches)
			sum += read_lines(buffer + FE_HEADER, bytes - FE_HEADER);
	}
	s->sink += sum;
}

HOT unsigned receive_batch(struct station *s, bool is_packed)
{
	struct got got[STATION_BATCH_MAX];
	unsigned n = gather(s, got, s->load->rx_batch, is_packed);

	if (n > 0) {
		take(s, got, n);
		post(s, got, n, is_packed);
	}
	return n;
}

HOT unsigned turn(struct station *s, bool sends, bool is_packed)
{
	unsigned moved = receive_batch(s, is_packed);

	return sends ? moved + send_batch(s, is_packed) : moved;
}

unsigned station_turn(struct station *s, bool sends)
{
	return s->load->is_packed ? turn(s, sends, true) : turn(s, sends, false);
}

/* Set-up. */

static struct load_frame describe(const struct station *s, unsigned flow)
{
	return (struct load_frame){.from = s->who,
				   .to = target(s, flow),
				   .flow = flow,
				   .vid = s->load->vid[s->who],
				   .is_tso = s->load->is_tso,
				   .bytes = s->bytes - FE_HEADER};
}

/* Guest memory: the rings and what they point to. */
static int lay_out(struct station *s)
{
	const struct load *l = s->load;
	/* Segments fill whole pages, header first, as those of a kernel do. */
	uint32_t shift = l->is_tso ? 0 : HEADROOM - FE_HEADER;
	size_t tx, rx;

	s->chunks = l->is_tso ? STATION_TSO_BYTES / STATION_TSO_CHUNK : 1;
	s->frames = l->tx_ring / s->chunks;
	s->tx_stride = l->is_tso ? STATION_TSO_BYTES : STRIDE;
	s->rx_stride = l->is_tso ? l->rx_buffer : STRIDE;
	tx = (size_t)s->tx_stride * s->frames;
	rx = (size_t)s->rx_stride * l->rx_ring;
	s->fe = fe_create(tx + rx + (size_t)(l->tx_ring + l->rx_ring) * 2 * LINE + 16 * PAGE);
	if (!s->fe)
		return -errno;
	s->in = fe_ring_add(s->fe, 0, (uint16_t)l->rx_ring, l->is_packed, 0);
	s->out = fe_ring_add(s->fe, 1, (uint16_t)l->tx_ring, l->is_packed, 0);
	s->tx_gpa = fe_alloc(s->fe, tx, PAGE) + shift;
	s->rx_gpa = fe_alloc(s->fe, rx, PAGE) + shift;
	if (!s->in || !s->out || s->tx_gpa == shift || s->rx_gpa == shift)
		return -ENOMEM;
	s->tx = fe_at(s->fe, s->tx_gpa);
	s->rx = fe_at(s->fe, s->rx_gpa);
	return 0;
}

int station_init(struct station *s, const struct load *load, unsigned who)
{
	struct load_frame l;
	int err;

	*s = (struct station){.load = load, .who = who, .dice = who + 1};
	s->bytes = FE_HEADER + load->bytes + (load->vid[who] ? LOAD_TAG : 0);
	s->head = aligned_alloc(LINE, sizeof(*s->head) * load->flows);
	s->whole = malloc(STATION_TSO_BYTES + LOAD_TAG);
	err = s->head && s->whole ? lay_out(s) : -ENOMEM;
	if (err < 0)
		return err;
	for (unsigned f = 0; f < load->flows; f++) {
		l = describe(s, f);
		load_frame_make(&l, s->head[f]);
	}
	s->data = load_frame_headers(&l) + LOAD_GAP;
	for (uint32_t k = 0; k < s->frames; k++)
		load_frame_offload(&l, frame_at(s, k) - FE_HEADER);
	return 0;
}

int station_start(struct station *s, bool in_order)
{
	uint64_t features = FE_FEATURES | FEATURE(VIRTIO_NET_F_MRG_RXBUF);
	int err;

	if (s->load->is_packed)
		features |= FEATURE(VIRTIO_F_RING_PACKED);
	if (s->load->is_tso)
		features |= FEATURE(VIRTIO_NET_F_CSUM) | FEATURE(VIRTIO_NET_F_GUEST_CSUM) |
			    FEATURE(VIRTIO_NET_F_HOST_TSO4) | FEATURE(VIRTIO_NET_F_GUEST_TSO4);
	err = fe_negotiate(s->fe, features | (in_order ? FEATURE(VIRTIO_F_IN_ORDER) : 0),
			   FEATURE(VHOST_PROTOCOL_REPLY_ACK));
	if (err == 0 && (s->fe->features & features) != features)
		err = -EOPNOTSUPP;
	if (err == 0)
		err = fe_ring_start(s->in, false);
	if (err == 0)
		err = fe_ring_start(s->out, false);
	s->is_in_order = s->fe->features & FEATURE(VIRTIO_F_IN_ORDER);
	return err;
}

void station_fini(struct station *s)
{
	fe_destroy(s->fe);
	free(s->head);
	free(s->whole);
}

void station_open(struct station *s)
{
	if (s->load->is_packed)
		s->in->driver_event->flags = s->out->driver_event->flags = FE_QUIET;
	else
		s->in->avail->flags = s->out->avail->flags = FE_QUIET;
	/* As if the ring had been used up once before. */
	s->taken = -(uint32_t)s->in->size;
	for (uint32_t id = 0; id < s->in->size; id++)
		post(s, &(struct got){id, 0}, 1, s->load->is_packed);
}

static void set_flow(struct station *s, uint32_t k, unsigned flow)
{
	memset(frame_at(s, k), 0, s->bytes - FE_HEADER);
	memcpy(frame_at(s, k), s->head[flow], s->data - LOAD_GAP);
}

bool station_announce(struct station *s, unsigned flow)
{
	uint32_t k = s->put & (s->frames - 1);

	if (s->load->is_packed)
		reap_packed(s);
	else
		reap_split(s);
	if (s->put - s->back == s->frames)
		return false;
	set_flow(s, k, flow);
	memset(frame_at(s, k), 0xff, 6);
	publish(s, 1, s->load->is_packed);
	return true;
}

void station_refill(struct station *s)
{
	for (uint32_t k = 0; k < s->frames; k++)
		set_flow(s, k, k % s->load->flows);
}
