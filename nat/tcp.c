/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp: the states of a TCP session.
 *
 * nat.c calls it for each segment of a session, in either direction, before it is rewritten.
 *
 *                 SYN from inside -> SYN_SENT         SYN from outside -> SYN_RECEIVED
 *                            \                         /
 *                 SYNs of both sides, each acknowledged (also at once: simultaneous open)
 *                                       |
 *             .------------------> ESTABLISHED ----------- FIN ----> CLOSING --- both FINs acknowledged ---> CLOSED
 *             | any other segment       |                               |                                      |
 *             | within the window       | RST within the window         | RST                                  |
 *             '------- RESET <----------'<------------------------------'                                      |
 *                        '------------------ a new SYN of either side begins anew <---------------------------'
 *
 * An RST never ends a session: within the window it makes the session live four minutes more, and any other segment takes that back
 * (RFC 7857 2.2).  One that is blind, outside the window, does nothing.  One FIN keeps the long time, since the other
 * direction may go on for hours; the transitory one runs from the second FIN (RFC 6146 3.5.2.2).
 *
 * The window: seq[d] is the end of the data that side d has sent, and the other side never offered more than window[1 - d] beyond
 * what it has acknowledged.  So a segment of d lies within that much of seq[d], on either side of it.  Windows are
 * kept at their largest; too wide by little is better than a connection cut off.
 *
 * Trust.  Header lengths were checked by packet_parse(); all else is the peers' word, or a stranger's who guessed the ends of the
 * connection.  Nobody outside the window changes anything.
 */
#include "nat/tcp.h"

#include "nat/nat_internal.h"

enum {
	FIN = 1,
	SYN = 2,
	RST = 4,
	ACK = 16,
	HEADER = 20,
	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_SCALE = 3, /* RFC 7323 2.2 */
	SCALE_MAX = 14,
};

/* What session_more.window holds of a side besides the largest window that it offered. */
enum {
	WINDOW = 0xffff, /* as it is in the header */
	SCALE_SHIFT = 16,
	SCALE = 15 << SCALE_SHIFT,
	HAS_SCALE = 1 << 20,
	HAS_SYN = 1 << 21,
	HAS_ACKED = 1 << 22, /* the SYN of the other one */
	HAS_FIN = 1 << 23,
	FIN_ACKED = 1 << 24, /* by the other one */
};

struct segment {
	uint32_t seq, ack, end; /* end: behind its data, SYN and FIN */
	uint16_t window;
	uint8_t flags;
};

static struct segment read_segment(const struct packet *k)
{
	const uint8_t *p = k->f->snap + k->l4;
	struct segment g = {
		.seq = read_be32(p + 4),
		.ack = read_be32(p + 8),
		.window = read_be16(p + 14),
		.flags = p[13],
	};

	g.end = g.seq + (k->l3 + k->ip_bytes - k->l4 - (p[12] >> 4) * 4u);
	g.end += (g.flags & SYN ? 1u : 0) + (g.flags & FIN ? 1u : 0);
	return g;
}

bool tcp_begins(const struct packet *k)
{
	return (k->f->snap[k->l4 + 13] & (FIN | SYN | RST | ACK)) == SYN;
}

/* The window scale option of a SYN, in the form of session_more.window; 0: none. */
static uint32_t read_scale(const struct packet *k)
{
	const uint8_t *p = k->f->snap + k->l4;
	unsigned end = (p[12] >> 4) * 4u, at = HEADER;

	if (k->l4 + end > k->f->snap_len)
		end = k->f->snap_len - k->l4;
	while (at + 3 <= end && p[at] != OPTION_END) {
		if (p[at] == OPTION_NOP) {
			at++;
			continue;
		}
		if (p[at] == OPTION_SCALE && p[at + 1] == 3)
			return HAS_SCALE | (uint32_t)(p[at + 2] < SCALE_MAX ? p[at + 2] : SCALE_MAX)
						   << SCALE_SHIFT;
		if (p[at + 1] < 2)
			return 0;
		at += p[at + 1];
	}
	return 0;
}

/* Bytes that side d has offered at most; at least one, so that a probe of a closed window is within it. */
static int32_t window_of(const struct session_more *m, unsigned d)
{
	uint32_t w = m->window[d] & WINDOW;

	if (m->window[0] & m->window[1] & HAS_SCALE)
		w <<= (m->window[d] & SCALE) >> SCALE_SHIFT;
	return w ? (int32_t)w : 1;
}

static int32_t distance(uint32_t from, uint32_t to)
{
	return (int32_t)(to - from);
}

static bool is_within(const struct session_more *m, const struct segment *g, unsigned from)
{
	int32_t window = window_of(m, 1 - from);

	return distance(m->seq[from], g->end) <= window &&
	       distance(m->seq[from], g->seq) >= -window;
}

/* The first SYN of a side, or one that begins anew. */
static void take_syn(struct session_more *m, const struct packet *k, const struct segment *g,
		     unsigned from)
{
	m->seq[from] = g->end;
	m->window[from] = HAS_SYN | g->window | read_scale(k);
}

static bool is_opening(const struct session *s)
{
	return s->state == SESSION_SYN_SENT || s->state == SESSION_SYN_RECEIVED;
}

/* The first packet of a session, or a SYN where the connection before it is over (RFC 9293 3.6.1, RFC 6191). */
static void open_anew(struct session *s, struct session_more *m, const struct packet *k,
		      const struct segment *g, unsigned from)
{
	m->window[1 - from] = 0;
	take_syn(m, k, g, from);
	s->state = from == FROM_INSIDE ? SESSION_SYN_SENT : SESSION_SYN_RECEIVED;
}

/* Does it acknowledge the SYN of the other side, or a little data behind it (RFC 7413)? */
static bool acks_syn(const struct session_more *m, const struct segment *g, unsigned from)
{
	int32_t d = distance(m->seq[1 - from], g->ack);

	return (g->flags & ACK) && (m->window[1 - from] & HAS_SYN) && d >= -WINDOW && d <= WINDOW;
}

/* While it opens.  The initiator may try again with another number; an answer must acknowledge the SYN that it answers.
 * False: the segment says nothing that counts. */
static bool track_opening(struct session *s, struct session_more *m, const struct packet *k,
			  const struct segment *g, unsigned from)
{
	bool is_first = from == (s->state == SESSION_SYN_RECEIVED);

	if ((g->flags & ACK) && !acks_syn(m, g, from))
		return false;
	if (g->flags & SYN) {
		if (!(m->window[from] & HAS_SYN) || (is_first && !(g->flags & ACK)))
			take_syn(m, k, g, from);
	} else if (!(m->window[from] & HAS_SYN)) {
		return false;
	}
	if (g->flags & ACK)
		m->window[from] |= HAS_ACKED;
	if (m->window[0] & m->window[1] & HAS_ACKED)
		s->state = SESSION_ESTABLISHED;
	/* RFC 4787 REQ-6: strangers' SYNs alone keep nothing alive. */
	return from == FROM_INSIDE || s->state != SESSION_SYN_RECEIVED;
}

/* An RST in answer to a SYN has no sequence number of its own; it acknowledges the SYN (RFC 9293 3.10.7.3). */
static void track_reset(struct session *s, const struct session_more *m, const struct segment *g,
			unsigned from)
{
	bool is_good = is_within(m, g, from);

	if (!(m->window[from] & HAS_SYN))
		is_good = (g->flags & ACK) && g->ack == m->seq[1 - from];
	if (is_good && s->state != SESSION_CLOSED)
		s->state = SESSION_RESET;
}

/* A segment of a connection that is open, within the window. */
static void track_open(struct session *s, struct session_more *m, const struct segment *g,
		       unsigned from)
{
	if (distance(m->seq[from], g->end) >= 0) {
		m->seq[from] = g->end;
		if (g->flags & FIN)
			m->window[from] |= HAS_FIN;
	}
	if (g->window > (m->window[from] & WINDOW))
		m->window[from] = (m->window[from] & ~(uint32_t)WINDOW) | g->window;
	if (is_opening(s))
		return;
	if ((g->flags & ACK) && (m->window[1 - from] & HAS_FIN) && g->ack == m->seq[1 - from])
		m->window[1 - from] |= FIN_ACKED;
	if (m->window[0] & m->window[1] & FIN_ACKED)
		s->state = SESSION_CLOSED;
	else if ((m->window[0] | m->window[1]) & HAS_FIN)
		s->state = SESSION_CLOSING;
	else
		s->state = SESSION_ESTABLISHED;
}

/* One FIN keeps the long time (RFC 6146 3.5.2.2). */
static bool lives_long(const struct session *s, const struct session_more *m)
{
	return s->state == SESSION_ESTABLISHED ||
	       (s->state == SESSION_CLOSING && !(m->window[0] & m->window[1] & HAS_FIN));
}

static bool track(struct session *s, struct session_more *m, const struct packet *k, unsigned from)
{
	struct segment g = read_segment(k);

	if (g.flags & RST) {
		track_reset(s, m, &g, from);
		return false;
	}
	if ((g.flags & (SYN | ACK | FIN)) == SYN &&
	    (s->state >= SESSION_CLOSED || !((m->window[0] | m->window[1]) & HAS_SYN))) {
		open_anew(s, m, k, &g, from);
		return true;
	}
	if (is_opening(s) && !track_opening(s, m, k, &g, from))
		return from == FROM_INSIDE;
	if (g.flags & SYN)
		return is_opening(s) || from == FROM_INSIDE;
	if (!is_within(m, &g, from))
		return from == FROM_INSIDE;
	track_open(s, m, &g, from);
	return true;
}

enum tcp_effect tcp_track(struct session *s, struct session_more *m, const struct packet *k,
			  unsigned from)
{
	bool was_long = lives_long(s, m), refreshes = track(s, m, k, from);

	if (was_long && !lives_long(s, m))
		return TCP_SHORTENS;
	return refreshes ? TCP_REFRESHES : TCP_NONE;
}

uint32_t tcp_lifetime(const struct session *s, const struct session_more *m,
		      const struct nat_net *net)
{
	return lives_long(s, m) ? net->tcp_s : net->tcp_transitory_s;
}
