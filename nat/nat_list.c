/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nat_list: the sessions as users see them: listed, counted, ended, logged.
 *
 * ctl.c's verbs `nat ls|stats|flush` come here, in steps, between two vectors; the log is written by the packet path and read
 * by the control thread.
 *
 * The log after RFC 6888 REQ-12 and REQ-14: off by default; on, a mapping is one record at its begin and one at its end, whatever
 * the number of its remote ends, and none of them is named; a network that logs destinations has them for each session.
 */
#include <string.h>

#include "nat/frag.h"
#include "nat/nat_internal.h"

enum { LIST_STEP = 4096, FLUSH_STEP = 1024 };

static const char *const state_words[SESSION_STATES] = {
	[SESSION_FREE] = "free",
	[SESSION_NEW] = "new",
	[SESSION_ANSWERED] = "answered",
	[SESSION_SYN_SENT] = "syn_sent",
	[SESSION_SYN_RECEIVED] = "syn_received",
	[SESSION_ESTABLISHED] = "established",
	[SESSION_CLOSING] = "closing",
	[SESSION_CLOSED] = "closed",
	[SESSION_RESET] = "reset",
};

static void fill(const struct nat *n, const struct session *s, struct nat_entry *e)
{
	const struct session_more *m = session_more(n->table, s);
	const struct session_pool *outside;

	*e = (struct nat_entry){
		.vid = s->vid,
		.proto = s->proto,
		.kind = s->kind,
		.inside_ip = s->inside,
		.outside_ip = s->inside,
		.remote_ip = s->remote,
		.inside_port = s->inside_port,
		.outside_port = s->outside_port,
		.remote_port = s->remote_port,
		.state = state_words[s->state < SESSION_STATES ? s->state : SESSION_FREE],
		.rx_frames = (uint64_t)m->rx_high << 32 | s->rx_frames,
		.tx_frames = (uint64_t)m->tx_high << 32 | s->tx_frames,
	};
	if (s->kind == NAT_ROUTED) {
		e->outside_vid = s->outside & (uint16_t)~SESSION_ROUTED;
		e->outside_port = s->inside_port;
		return;
	}
	outside = session_outside(n->table, s);
	e->outside_vid = outside->vid;
	e->outside_ip = outside->ip;
}

static bool is_wanted(const struct nat *n, const struct session *s, const struct nat_filter *f)
{
	if (f->vid && s->vid != f->vid)
		return false;
	if (f->proto && s->proto != f->proto &&
	    !(f->proto == PROTO_ICMP && s->proto == PROTO_ICMPV6))
		return false;
	return !f->slot_plus_1 || session_more(n->table, s)->slot == f->slot_plus_1 - 1;
}

unsigned nat_list(const struct nat *n, const struct nat_filter *filter, uint64_t *cursor,
		  struct nat_entry *out, unsigned max, uint64_t now_ns)
{
	uint32_t places = session_places(n->table), now_s = (uint32_t)(now_ns / 1000000000);
	unsigned found = 0, looked = 0;

	for (; *cursor < places && found < max && looked < LIST_STEP; looked++, ++*cursor) {
		struct session *s = session_at(n->table, (uint32_t)*cursor);
		uint32_t life;

		if (!s || !is_wanted(n, s, filter))
			continue;
		life = nat_lifetime(s, n);
		if (life == 0) /* the plan does not know it any more */
			continue;
		fill(n, s, &out[found]);
		out[found].idle_s = now_s > s->seen_s ? now_s - s->seen_s : 0;
		if (out[found].idle_s > life)
			continue;
		out[found].expires_s = life - out[found].idle_s;
		out[found].serial =
			(uint64_t)session_more(n->table, s)->generation << 32 | (uint32_t)*cursor;
		found++;
	}
	if (*cursor >= places)
		*cursor = UINT64_MAX;
	return found;
}

unsigned nat_flush(struct nat *n, const struct nat_filter *filter, uint64_t *cursor,
		   uint64_t now_ns)
{
	unsigned ended = 0, looked = 0;

	nat_set_time(n, now_ns);
	for (; *cursor < session_places(n->table) && looked < FLUSH_STEP; looked++, ++*cursor) {
		struct session *s = session_at(n->table, (uint32_t)*cursor);

		if (!s || !is_wanted(n, s, filter))
			continue;
		session_end(n->table, s, now_ns);
		ended++;
	}
	if (*cursor >= session_places(n->table))
		*cursor = UINT64_MAX;
	return ended;
}

void nat_stats(const struct nat *n, struct nat_stats *out)
{
	struct session_counts counts = session_counts_all(n->table);
	struct frag_stats frag = frag_stats(n->frag);

	memset(out, 0, sizeof(*out));
	out->sessions = counts.sessions;
	out->mappings = counts.mappings;
	out->guests = counts.guests;
	out->fragments = frag.waiting;
	out->fragment_bytes = frag.bytes;
	out->fragments_lost = frag.lost;
	out->log_lost = atomic_load_explicit(&n->log->lost, memory_order_relaxed);
	for (unsigned i = 0; n->plan && i < n->plan->n_pool; i++) {
		out->pool[i].ip = n->plan->pool[i].ip;
		out->pool[i].ports[0] = session_ports(n->table, i, PROTO_TCP);
		out->pool[i].ports[1] = session_ports(n->table, i, PROTO_UDP);
		out->pool[i].ports[2] = session_ports(n->table, i, PROTO_ICMP);
		out->n_pool++;
	}
}

bool nat_net_stats(const struct nat *n, uint16_t vid, struct nat_net_stats *out)
{
	const struct plan_net *net = n->plan ? plan_net(n->plan, vid) : NULL;
	struct session_counts counts;

	if (!net)
		return false;
	counts = session_counts_net(n->table, vid);
	*out = (struct nat_net_stats){
		.vid = vid,
		.sessions = counts.sessions,
		.mappings = counts.mappings,
		.guests = counts.guests,
		.limit = net->conf.sessions,
		.created = net->created,
		.expired = net->expired,
	};
	memcpy(out->refused, net->refused, sizeof(out->refused));
	return true;
}

/* Does the mapping of this session begin or end with it? */
static bool is_only_one(const struct nat *n, const struct session *s)
{
	struct session_key k = {
		.near = s->inside, .near_port = s->inside_port, .side = s->vid, .proto = s->proto};
	struct mapping m;

	if (s->kind != NAT_DYNAMIC)
		return true;
	return !mapping_find_inside(n->table, &k, 0, NAT_POOL_MAX, &m) || m.sessions <= 1;
}

void nat_log_session(struct nat *n, const struct session *s, bool is_end)
{
	const struct plan_net *net = plan_net(n->plan, s->vid);
	bool with_remote = net && net->conf.log == NAT_LOG_DESTINATIONS;
	struct nat_log_record *r;

	if (!with_remote && !is_only_one(n, s))
		return;
	r = ring_reserve(n->log, sizeof(*r));
	if (!r)
		return;
	memset(r, 0, sizeof(*r));
	r->time_ns = n->now_ns;
	r->is_end = is_end;
	fill(n, s, &r->e);
	if (!with_remote) {
		memset(&r->e.remote_ip, 0, sizeof(r->e.remote_ip));
		r->e.remote_port = 0;
	}
	ring_commit(n->log, sizeof(*r));
}

bool nat_log_read(struct nat *n, struct nat_log_record *out)
{
	size_t bytes;
	const void *r = ring_peek(n->log, &bytes);

	if (!r)
		return false;
	memcpy(out, r, sizeof(*out));
	ring_pop(n->log);
	return true;
}
