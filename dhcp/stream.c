/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream: see stream.h.
 *
 * How it fits.  switch/lessor.c gives it the segments to port 53 of the gateway's addresses, and takes messages and segments
 * from it.
 *
 *   (none) -- SYN --> SYN_RECEIVED -- ACK --> ESTABLISHED -- FIN --> CLOSE_WAIT -- all answered --> LAST_ACK -- ACK --> (none)
 *                          | 5 s                  | 10 s of silence
 *                          v                      v
 *                       (none)                 FIN_WAIT -- FIN, and ours acknowledged --> (none)
 *
 * There is no TIME-WAIT: what comes late meets a reset, and a new connection of the same ends has other numbers (RFC 6528).
 *
 * What is to be sent lies in `out`, from the first byte that is not acknowledged on:
 *
 *      una          una + sent                 una + out_len   + 1: our FIN
 *       |--- in flight ---|--- not yet ----------------|
 *
 * After a timeout nothing is taken to be in flight, and all of it goes out again, one segment first (go-back-N; RFC 5681 3.1).  The
 * timeout never is less than 1 s (RFC 6298 2.4), and hosts on a virtual wire answer sooner: so round trips are not measured.
 *
 * Nothing is amplified for who has not shown that he is there: a SYN is answered by three segments at most, what cannot be
 * accepted by one, and these are limited: for each connection, and in all for what belongs to none.
 *
 * RFC 9293 3.4.1, 3.5, 3.7.1, 3.8.6, 3.10.7; RFC 5961 3 to 5; RFC 6298 2, 5; RFC 6528 3; RFC 6928; RFC 7766 6.2, 8.  Not done:
 * window scale, selective acknowledgements, timestamps, urgent data (its bytes are data like others), TIME-WAIT, fast
 * retransmission.
 *
 * Trust.  Every byte of a segment is a guest's.  Lengths are compared before bytes are read, sequence numbers by their distance
 * from ours; offsets into `in` and `out` are only ours.
 */
#include "dhcp/stream.h"

#include <stdlib.h>
#include <string.h>

#include "dhcp/segment.h"
#include "switch/base/frame.h"
#include "switch/base/packet.h"
#include "switch/base/rate.h"
#include "switch/base/siphash.h"

enum {
	MSS_LEAST = 64, /* less makes floods of crumbs */
	MSS_V4 = 536,	/* RFC 9293 3.7.1: when none is told */
	MSS_V6 = 1220,
	FIRST_WINDOW = 10, /* segments, RFC 6928 */
	SHARE = STREAMS_MAX / 4,
	LEN_BYTES = 2,
};

enum {
	HALF_OPEN_MS = 5000,
	HALF_MESSAGE_MS = 5000,
	CLOSING_MS = 5000,
	IDLE_MS = 10000,
	RTO_MS = 1000,
	RTO_MAX_MS = 8000,
	CHALLENGE_MS = 100, /* between two, RFC 5961 7 */
	RESETS_PER_S = 1000,
	RESETS_BURST = 100,
};

enum state { FREE, SYN_RECEIVED, ESTABLISHED, CLOSE_WAIT, FIN_WAIT, LAST_ACK };

struct conn {
	uint64_t id; /* of the caller's: a number that never comes again, and the place */
	struct stream_ends ends;
	uint8_t state;
	bool is_fin_wanted, is_fin_sent; /* sent: since the last timeout */
	bool needs_ack;
	uint64_t active_ms;    /* something new came or went */
	uint64_t half_ms;      /* the message in `in` began */
	uint64_t rto_at_ms;    /* UINT64_MAX: nothing is out */
	uint64_t challenge_ms; /* the next one may go then */
	uint32_t rto_ms;
	unsigned pending; /* messages without an answer */
	uint32_t rcv_nxt;
	uint32_t una, snd_max; /* not acknowledged; behind the last that ever was sent */
	uint32_t wl1, wl2;     /* of the segment that told the window */
	uint32_t window, cwnd;
	uint16_t mss;
	uint16_t in_len;
	uint32_t out_len, sent;
	uint8_t in[LEN_BYTES + STREAM_IN];
};

struct streams {
	struct stream_ways ways;
	uint64_t secret[2];
	uint64_t last_id;
	struct rate resets;
	struct conn *busy; /* its segment is in hand: what it has to say goes out at the end */
	unsigned n;
	uint16_t held[SLOT_MAX + 1]; /* connections of each port; the last: of all beyond */
	struct conn conn[STREAMS_MAX];
	uint8_t out[STREAMS_MAX][STREAM_OUT];
};

/* --- Segments that go ------------------------------------------------------------------------------ */

static void send_segment(struct streams *s, const struct stream_ends *e, const struct segment *g)
{
	uint8_t b[STREAM_HEADER_MAX + STREAM_MSS];

	s->ways.send(s->ways.arg, e, b, segment_write(b, g, e->dport, e->sport));
}

/* Without data; after a timeout too it has the number that he expects, not that of what goes out again. */
static void send_ack(struct streams *s, struct conn *c, uint8_t more_flags)
{
	const struct segment g = {.seq = c->snd_max,
				  .ack = c->rcv_nxt,
				  .flags = SEG_ACK | more_flags,
				  .window = STREAM_MSS};

	c->needs_ack = false;
	send_segment(s, &c->ends, &g);
}

static void send_syn_ack(struct streams *s, struct conn *c, uint64_t now_ms)
{
	const struct segment g = {.seq = c->una - 1,
				  .ack = c->rcv_nxt,
				  .flags = SEG_SYN | SEG_ACK,
				  .window = STREAM_MSS,
				  .mss = STREAM_MSS};

	c->rto_at_ms = now_ms + c->rto_ms;
	send_segment(s, &c->ends, &g);
}

/* RFC 9293 3.5.2: to what belongs to no connection. */
static void refuse(struct streams *s, const struct stream_ends *e, const struct segment *in,
		   uint64_t now_ms)
{
	struct segment g = {.flags = SEG_RST};

	if ((in->flags & SEG_RST) || !rate_take(&s->resets, 1, now_ms * 1000000))
		return;
	if (in->flags & SEG_ACK) {
		g.seq = in->ack;
	} else {
		g.flags |= SEG_ACK;
		g.ack = in->seq + (uint32_t)in->n + !!(in->flags & SEG_SYN) +
			!!(in->flags & SEG_FIN);
	}
	send_segment(s, e, &g);
}

/* RFC 5961 3 to 5, and RFC 9293 3.10.7.4 for what lies outside of the window. */
static void challenge(struct streams *s, struct conn *c, uint64_t now_ms)
{
	if (now_ms < c->challenge_ms)
		return;
	c->challenge_ms = now_ms + CHALLENGE_MS;
	send_ack(s, c, 0);
}

/* --- Connections ----------------------------------------------------------------------------------- */

static uint16_t *held_by(struct streams *s, uint16_t slot)
{
	return &s->held[slot < SLOT_MAX ? slot : SLOT_MAX];
}

static void forget(struct streams *s, struct conn *c)
{
	uint64_t id = c->id;

	c->state = FREE;
	c->id = 0;
	s->n--;
	--*held_by(s, c->ends.slot);
	s->ways.gone(s->ways.arg, id);
}

static void reset(struct streams *s, struct conn *c)
{
	send_ack(s, c, SEG_RST);
	forget(s, c);
}

/* Another port or MAC with the same addresses is somebody else, who cannot meddle. */
static struct conn *find(struct streams *s, const struct stream_ends *e)
{
	for (unsigned i = 0; i < STREAMS_MAX; i++) {
		struct conn *c = &s->conn[i];
		const struct stream_ends *o = &c->ends;

		if (c->state != FREE && o->sport == e->sport && o->dport == e->dport &&
		    o->vid == e->vid && o->slot == e->slot && ip_equal(&o->src, &e->src) &&
		    ip_equal(&o->dst, &e->dst) && memcmp(&o->mac, &e->mac, sizeof(o->mac)) == 0)
			return c;
	}
	return NULL;
}

/* The port that holds most, so that none can keep the others out. */
static uint16_t busiest(struct streams *s, uint16_t slot)
{
	for (unsigned i = 0; i < STREAMS_MAX; i++)
		if (s->conn[i].state != FREE &&
		    *held_by(s, s->conn[i].ends.slot) > *held_by(s, slot))
			slot = s->conn[i].ends.slot;
	return slot;
}

/* Ends the connection of that port that is idle the longest; false: it has none. */
static bool evict(struct streams *s, uint16_t slot)
{
	struct conn *idlest = NULL;

	for (unsigned i = 0; i < STREAMS_MAX; i++) {
		struct conn *c = &s->conn[i];

		if (c->state != FREE && c->ends.slot == slot &&
		    (!idlest || c->active_ms < idlest->active_ms))
			idlest = c;
	}
	if (!idlest)
		return false;
	if (idlest->state == SYN_RECEIVED)
		forget(s, idlest);
	else
		reset(s, idlest);
	return true;
}

static struct conn *make_place(struct streams *s, const struct stream_ends *e)
{
	if (*held_by(s, e->slot) >= SHARE)
		evict(s, e->slot);
	else if (s->n == STREAMS_MAX && !evict(s, busiest(s, e->slot)))
		return NULL;
	for (unsigned i = 0; i < STREAMS_MAX; i++)
		if (s->conn[i].state == FREE)
			return &s->conn[i];
	return NULL;
}

/* RFC 6528 3: a clock of 4 us, from a place that depends on the ends. */
static uint32_t first_number(const struct streams *s, const struct stream_ends *e, uint64_t now_ms)
{
	uint16_t ends[3 + 2 * sizeof(struct ip) / 2] = {e->vid, e->sport, e->dport};

	memcpy(&ends[3], &e->src, sizeof(e->src));
	memcpy(&ends[3 + sizeof(e->src) / 2], &e->dst, sizeof(e->dst));
	return (uint32_t)(siphash(s->secret, ends, sizeof(ends)) + now_ms * 250);
}

static uint16_t mss_of(const struct stream_ends *e, uint16_t told)
{
	uint16_t mss = told ? told : ip_is_v4(&e->src) ? MSS_V4 : MSS_V6;

	if (mss < MSS_LEAST)
		return MSS_LEAST;
	return mss < STREAM_MSS ? mss : STREAM_MSS;
}

/* RFC 9293 3.10.7.2.  Data on a SYN is left to be sent again. */
static void listen_to(struct streams *s, const struct stream_ends *e, const struct segment *g,
		      uint64_t now_ms)
{
	struct conn *c;

	if ((g->flags & (SEG_SYN | SEG_ACK | SEG_RST | SEG_FIN)) != SEG_SYN) {
		refuse(s, e, g, now_ms);
		return;
	}
	c = make_place(s, e);
	if (!c)
		return;
	*c = (struct conn){
		.id = ++s->last_id * STREAMS_MAX + (uint64_t)(c - s->conn),
		.ends = *e,
		.state = SYN_RECEIVED,
		.active_ms = now_ms,
		.rto_ms = RTO_MS,
		.rcv_nxt = g->seq + 1,
		.una = first_number(s, e, now_ms) + 1,
		.wl1 = g->seq,
		.window = g->window,
		.mss = mss_of(e, g->mss),
	};
	c->snd_max = c->una;
	c->wl2 = c->una;
	c->cwnd = (uint32_t)FIRST_WINDOW * c->mss;
	s->n++;
	++*held_by(s, e->slot);
	send_syn_ack(s, c, now_ms);
}

/* --- Output ---------------------------------------------------------------------------------------- */

static uint32_t distance(uint32_t from, uint32_t to)
{
	return to - from;
}

/* How many bytes may go now; is_forced: one at least, to ask whether his window is open again (RFC 9293 3.8.6.1). */
static uint32_t may_send(const struct conn *c, bool is_forced)
{
	uint32_t window = c->window < c->cwnd ? c->window : c->cwnd;
	uint32_t room = window > c->sent ? window - c->sent : 0;
	uint32_t left = c->out_len - c->sent, n = left < c->mss ? left : c->mss;

	if (is_forced && room == 0)
		room = 1;
	if (n <= room)
		return n;
	return c->sent > 0 ? 0 : room; /* no crumbs behind what is out (RFC 9293 3.8.6.2.1) */
}

static void send_data(struct streams *s, struct conn *c, uint32_t n)
{
	bool is_last = c->sent + n == c->out_len;
	const struct segment g = {
		.seq = c->una + c->sent,
		.ack = c->rcv_nxt,
		.flags = SEG_ACK | (is_last ? SEG_PSH : 0) |
			 (is_last && c->is_fin_wanted ? SEG_FIN : 0),
		.window = STREAM_MSS,
		.data = s->out[c - s->conn] + c->sent,
		.n = n,
	};
	uint32_t end;

	c->sent += n;
	c->is_fin_sent = is_last && c->is_fin_wanted;
	c->needs_ack = false;
	end = c->una + c->sent + c->is_fin_sent;
	if (distance(c->una, end) > distance(c->una, c->snd_max))
		c->snd_max = end;
	send_segment(s, &c->ends, &g);
}

/* All that may go now, and an acknowledgement if nothing else carries it. */
static void output(struct streams *s, struct conn *c, bool is_forced, uint64_t now_ms)
{
	uint32_t n;

	if (c->state == CLOSE_WAIT && c->pending == 0) {
		c->state = LAST_ACK;
		c->is_fin_wanted = true;
	}
	while ((n = may_send(c, is_forced)) > 0) {
		send_data(s, c, n);
		is_forced = false;
	}
	if (c->is_fin_wanted && !c->is_fin_sent && c->sent == c->out_len)
		send_data(s, c, 0);
	if (c->needs_ack)
		send_ack(s, c, 0);
	if (c->rto_at_ms == UINT64_MAX && (c->out_len > 0 || c->is_fin_sent))
		c->rto_at_ms = now_ms + c->rto_ms;
}

/* --- Input ----------------------------------------------------------------------------------------- */

/* RFC 9293 3.10.7.4: some of it lies within the window. */
static bool is_acceptable(const struct conn *c, const struct segment *g)
{
	uint32_t len = (uint32_t)g->n + !!(g->flags & SEG_SYN) + !!(g->flags & SEG_FIN);

	if (distance(c->rcv_nxt, g->seq) < STREAM_MSS)
		return true;
	return len > 0 && distance(c->rcv_nxt, g->seq + len - 1) < STREAM_MSS;
}

/* Bytes in order.  False: the connection is gone. */
static bool take_bytes(struct streams *s, struct conn *c, const uint8_t *p, size_t n,
		       uint64_t now_ms)
{
	uint64_t id = c->id;

	while (n > 0) {
		size_t want = LEN_BYTES, now;

		if (c->in_len >= LEN_BYTES)
			want += read_be16(c->in);
		else if (c->in_len == 0)
			c->half_ms = now_ms;
		now = want - c->in_len < n ? want - c->in_len : n;
		memcpy(c->in + c->in_len, p, now);
		c->in_len = (uint16_t)(c->in_len + now);
		p += now;
		n -= now;
		if (c->in_len < want)
			return true;
		if (want == LEN_BYTES) {
			if (read_be16(c->in) == 0 || read_be16(c->in) > STREAM_IN) {
				reset(s, c);
				return false;
			}
			continue;
		}
		c->in_len = 0;
		c->pending++;
		s->ways.message(s->ways.arg, id, &c->ends, c->in + LEN_BYTES, want - LEN_BYTES);
		if (c->id != id)
			return false;
	}
	return true;
}

/* What he has now, and how much more he takes.  False: nothing else of the segment counts. */
static bool take_ack(struct streams *s, struct conn *c, const struct segment *g, uint64_t now_ms)
{
	uint32_t acked = distance(c->una, g->ack), n;

	if (acked > distance(c->una, c->snd_max)) {
		if (distance(g->ack, c->una) <= UINT16_MAX)
			return true; /* an old one */
		challenge(s, c, now_ms);
		return false;
	}
	if (distance(c->wl1, g->seq) - 1 < INT32_MAX ||
	    (c->wl1 == g->seq && distance(c->wl2, g->ack) <= INT32_MAX)) {
		c->window = g->window;
		c->wl1 = g->seq;
		c->wl2 = g->ack;
	}
	if (acked == 0)
		return true;
	n = acked < c->out_len ? acked : c->out_len;
	c->out_len -= n;
	memmove(s->out[c - s->conn], s->out[c - s->conn] + n, c->out_len);
	c->sent = c->sent > n ? c->sent - n : 0;
	c->una = g->ack;
	if (acked > n) /* our FIN */
		c->is_fin_wanted = c->is_fin_sent = false;
	c->cwnd += c->mss;
	if (c->cwnd > (uint32_t)FIRST_WINDOW * c->mss)
		c->cwnd = (uint32_t)FIRST_WINDOW * c->mss;
	c->active_ms = now_ms;
	c->rto_ms = RTO_MS;
	c->rto_at_ms = c->sent > 0 || c->is_fin_sent ? now_ms + RTO_MS : UINT64_MAX;
	return true;
}

/* False: the connection is gone. */
static bool take_fin(struct streams *s, struct conn *c, uint64_t now_ms)
{
	c->rcv_nxt++;
	c->needs_ack = true;
	c->active_ms = now_ms;
	if (c->in_len > 0) { /* half a message, and never the rest */
		reset(s, c);
		return false;
	}
	if (c->state == ESTABLISHED) {
		c->state = CLOSE_WAIT;
	} else if (c->is_fin_wanted) { /* he has not seen ours */
		c->state = LAST_ACK;
	} else {
		send_ack(s, c, 0);
		forget(s, c);
		return false;
	}
	return true;
}

/* The text of an acceptable segment.  False: the connection is gone. */
static bool take_text(struct streams *s, struct conn *c, const struct segment *g, uint64_t now_ms)
{
	uint32_t skip = distance(g->seq, c->rcv_nxt);
	bool has_fin = g->flags & SEG_FIN;
	size_t n;

	if (g->n == 0 && !has_fin)
		return true;
	c->needs_ack = true;
	/* Behind a gap, or after his FIN: not taken.  skip over INT32_MAX: seq is ahead of what we want. */
	if (skip > INT32_MAX || (c->state != ESTABLISHED && c->state != FIN_WAIT))
		return true;
	n = g->n > skip ? g->n - skip : 0;
	if (n >
	    STREAM_MSS) { /* of what is beyond the window nothing is known, that it ends neither */
		n = STREAM_MSS;
		has_fin = false;
	}
	if (n > 0 && c->state == FIN_WAIT) { /* we have closed: nobody would answer */
		reset(s, c);
		return false;
	}
	if (n > 0) {
		c->rcv_nxt += (uint32_t)n;
		c->active_ms = now_ms;
		if (!take_bytes(s, c, g->data + skip, n, now_ms))
			return false;
	}
	return !has_fin || g->seq + g->n != c->rcv_nxt || take_fin(s, c, now_ms);
}

/* RFC 9293 3.10.7.4, in its order.  False: the connection is gone. */
static bool take_segment(struct streams *s, struct conn *c, const struct segment *g,
			 uint64_t now_ms)
{
	if (c->state == SYN_RECEIVED && (g->flags & (SEG_SYN | SEG_ACK | SEG_RST)) == SEG_SYN &&
	    g->seq + 1 == c->rcv_nxt) {
		send_syn_ack(s, c, now_ms); /* it was lost */
		return true;
	}
	if (!is_acceptable(c, g) && !(g->flags & SEG_RST)) {
		challenge(s, c, now_ms);
		return true;
	}
	if (g->flags & SEG_RST) {
		if (g->seq == c->rcv_nxt) {
			forget(s, c);
			return false;
		}
		if (is_acceptable(c, g))
			challenge(s, c, now_ms);
		return true;
	}
	if (g->flags & SEG_SYN) {
		challenge(s, c, now_ms);
		return true;
	}
	if (!(g->flags & SEG_ACK))
		return true;
	if (c->state == SYN_RECEIVED) {
		if (g->ack != c->una) {
			refuse(s, &c->ends, g, now_ms);
			return true;
		}
		c->state = ESTABLISHED;
		c->active_ms = now_ms;
		c->rto_ms = RTO_MS;
		c->rto_at_ms = UINT64_MAX;
	}
	if (!take_ack(s, c, g, now_ms))
		return true;
	if (c->state == LAST_ACK && !c->is_fin_wanted) {
		forget(s, c);
		return false;
	}
	return take_text(s, c, g, now_ms);
}

/* --- Time ------------------------------------------------------------------------------------------ */

static uint64_t deadline_ms(const struct conn *c)
{
	uint64_t idle_ms = c->active_ms + IDLE_MS;

	if (c->state == SYN_RECEIVED)
		return c->active_ms + HALF_OPEN_MS;
	if (c->state == FIN_WAIT || c->state == LAST_ACK)
		return c->active_ms + CLOSING_MS;
	if (c->in_len > 0 && c->half_ms + HALF_MESSAGE_MS < idle_ms)
		return c->half_ms + HALF_MESSAGE_MS;
	return idle_ms;
}

static void end(struct streams *s, struct conn *c, uint64_t now_ms)
{
	if (c->state == SYN_RECEIVED) {
		forget(s, c);
	} else if (c->in_len > 0 || c->out_len > 0 || c->state == FIN_WAIT ||
		   c->state == LAST_ACK) {
		reset(s, c);
	} else {
		c->state = c->state == ESTABLISHED ? FIN_WAIT : LAST_ACK;
		c->is_fin_wanted = true;
		c->active_ms = now_ms;
		output(s, c, false, now_ms);
	}
}

/* RFC 6298 5.4 to 5.6. */
static void on_timeout(struct streams *s, struct conn *c, uint64_t now_ms)
{
	c->rto_ms = c->rto_ms * 2 < RTO_MAX_MS ? c->rto_ms * 2 : RTO_MAX_MS;
	if (c->state == SYN_RECEIVED) {
		send_syn_ack(s, c, now_ms);
		return;
	}
	c->rto_at_ms = UINT64_MAX;
	c->sent = 0;
	c->is_fin_sent = false;
	c->cwnd = c->mss;
	output(s, c, true, now_ms);
}

/* --- What the caller calls ------------------------------------------------------------------------- */

struct streams *streams_create(const struct stream_ways *w, const uint64_t secret[2])
{
	struct streams *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->ways = *w;
	memcpy(s->secret, secret, sizeof(s->secret));
	rate_init(&s->resets, RESETS_PER_S, RESETS_BURST);
	return s;
}

void streams_destroy(struct streams *s)
{
	free(s);
}

void streams_receive(struct streams *s, const struct stream_ends *e, const uint8_t *segment,
		     size_t n, uint64_t now_ms)
{
	struct conn *c;
	struct segment g;

	if (!segment_read(&g, segment, n))
		return;
	c = find(s, e);
	if (!c) {
		listen_to(s, e, &g, now_ms);
		return;
	}
	s->busy = c;
	if (take_segment(s, c, &g, now_ms) && c->state != SYN_RECEIVED)
		output(s, c, false, now_ms);
	s->busy = NULL;
}

bool streams_answer(struct streams *s, uint64_t conn, const uint8_t *bytes, size_t n,
		    uint64_t now_ms)
{
	struct conn *c = &s->conn[conn % STREAMS_MAX];
	uint8_t *out = s->out[conn % STREAMS_MAX];

	if (conn == 0 || c->id != conn || (c->state != ESTABLISHED && c->state != CLOSE_WAIT))
		return false;
	if (n > STREAM_OUT - LEN_BYTES || c->out_len > STREAM_OUT - LEN_BYTES - n) {
		reset(s, c);
		return false;
	}
	write_be16(out + c->out_len, (uint16_t)n);
	memcpy(out + c->out_len + LEN_BYTES, bytes, n);
	c->out_len += (uint32_t)(LEN_BYTES + n);
	if (c->pending > 0)
		c->pending--;
	c->active_ms = now_ms;
	if (s->busy != c)
		output(s, c, false, now_ms);
	return true;
}

uint64_t streams_tick(struct streams *s, uint64_t now_ms)
{
	uint64_t next_ms = UINT64_MAX;

	for (unsigned i = 0; i < STREAMS_MAX; i++) {
		struct conn *c = &s->conn[i];
		uint64_t due_ms;

		if (c->state != FREE && now_ms >= deadline_ms(c))
			end(s, c, now_ms);
		else if (c->state != FREE && now_ms >= c->rto_at_ms)
			on_timeout(s, c, now_ms);
		if (c->state == FREE)
			continue;
		due_ms = deadline_ms(c);
		if (c->rto_at_ms < due_ms)
			due_ms = c->rto_at_ms;
		if (due_ms < next_ms)
			next_ms = due_ms;
	}
	return next_ms;
}

void streams_flush(struct streams *s, uint16_t vid)
{
	for (unsigned i = 0; i < STREAMS_MAX; i++)
		if (s->conn[i].state != FREE && s->conn[i].ends.vid == vid)
			forget(s, &s->conn[i]);
}

unsigned streams_count(const struct streams *s)
{
	return s->n;
}
