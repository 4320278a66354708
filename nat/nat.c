/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nat: what a packet means for its session, and what it becomes.
 *
 * gateway.c calls the verbs; begin.c asks for new sessions, session.c has the table, plan.c the configuration, tcp.c the states of
 * connections, icmp.c the errors, frag.c what is to be known of fragments, life.c the NAT as a whole; nat_list.c shows it all.
 *
 *   nat_out   out-index -> session -> source becomes the outside end      none: begin_out
 *             destination is an outside address of ours: nat_in follows (hairpin)
 *   nat_in    in-index  -> session -> destination becomes the inside end  none: begin_in: rule, then an open mapping
 *   nat_route out-index, or the in-index for answers                      no end changes
 *
 * A session that is found needs its own line and nothing else; what translation does to the checksums was summed up when it
 * began.  hit.h and the short forms here (light) are for that; find() and the long forms know every other case.  All else -
 * errors, fragments, source routes, protocols that have no ports - leaves that way at the start (is_plain).
 *
 * Directions.  "Out" is from the side that s->inside is on.  For ICMP queries that is the one that asks: requests go out, answers
 * come in, so that an identifier of a guest never answers for the gateway.
 *
 * When a session is refreshed (RFC 4787 REQ-6): by what goes out; by what comes in once both sides have spoken, so that a flood
 * to a forward or an open mapping keeps nothing alive; by TCP within its window (tcp.c).
 *
 * Trust.  packet_parse() has checked the packet; its ends and all it says are anybody's.
 */
#include "nat/nat.h"

#include "nat/begin.h"
#include "nat/frag.h"
#include "nat/hit.h"
#include "nat/icmp.h"
#include "nat/nat_internal.h"
#include "nat/tcp.h"
#include "switch/base/packet_plain.h"

#define INLINE static inline __attribute__((always_inline))

/* --- One packet of a session --- */

uint16_t nat_far_vid(const struct nat *n, const struct session *s)
{
	if (s->kind == NAT_ROUTED)
		return s->outside & (uint16_t)~SESSION_ROUTED;
	return session_outside(n->table, s)->vid;
}

/* One with both ends in the packet, and none of the things that are looked after elsewhere. */
static bool is_plain(const struct packet *k)
{
	if (k->fragment != FRAGMENT_NONE || k->is_source_routed)
		return false;
	return k->proto == PROTO_UDP || k->proto == PROTO_TCP || packet_is_query(k);
}

static inline bool is_udp_or_tcp(const struct packet *k)
{
	return k->proto == PROTO_UDP || k->proto == PROTO_TCP;
}

/* Into *key, member by member: a copy of one that was just written waits for the stores. */
static void set_key(struct session_key *key, const struct packet *k, enum nat_way way,
		    uint16_t side)
{
	bool is_in = way == NAT_IN;

	key->near = is_in ? k->dst : k->src;
	key->far = is_in ? k->src : k->dst;
	key->near_port = is_in ? k->dport : k->sport;
	key->far_port = is_in ? k->sport : k->dport;
	key->side = side;
	key->proto = k->proto;
	/* Of a query both are the identifier, which is ours. */
	if (is_icmp_proto(k->proto))
		key->far_port = 0;
}

/* The rule of a forward was deleted and came back before its sessions were swept: it has another slot now. */
static struct plan_rule *find_rule_again(struct nat *n, struct session *s)
{
	struct plan_rule *r = plan_rule_of(n->plan, s, session_outside(n->table, s));

	nat_count_rule(n, s->rule, -1);
	s->rule = r ? r->slot : 0;
	nat_count_rule(n, s->rule, 1);
	return r;
}

static __attribute__((noinline)) void count_for_rule(struct nat *n, struct session *s)
{
	struct plan_rule *r = nat_rule_at(n, s->rule);

	if (!r)
		r = find_rule_again(n, s);
	if (r)
		atomic_store_explicit(&r->frames,
				      atomic_load_explicit(&r->frames, memory_order_relaxed) + 1,
				      memory_order_relaxed);
}

/* Adds to a counter of which the session's line has the lower half. */
INLINE void count_frame(struct nat *n, struct session *s, unsigned from)
{
	uint32_t *low = from == FROM_INSIDE ? &s->rx_frames : &s->tx_frames;
	struct session_more *m;

	if (++*low == 0) {
		m = session_more(n->table, s);
		*(from == FROM_INSIDE ? &m->rx_high : &m->tx_high) += 1;
	}
	if (s->rule)
		count_for_rule(n, s);
}

static __attribute__((noinline)) void track_tcp(struct nat *n, struct session *s,
						const struct packet *k, unsigned from)
{
	struct session_more *m = &n->table->more[s - n->table->session];
	enum tcp_effect effect = tcp_track(s, m, k, from);

	if (effect != TCP_NONE)
		s->seen_s = n->now_s;
	if (effect == TCP_SHORTENS)
		session_file(n->table, s, n->now_ns);
}

/* What the packet means for the time at which its session ends.  from: FROM_*. */
INLINE void track(struct nat *n, struct session *s, const struct packet *k, unsigned from)
{
	count_frame(n, s, from);
	if (s->proto == PROTO_TCP) {
		track_tcp(n, s, k, from);
		return;
	}
	if (s->state == SESSION_NEW && s->rx_frames && s->tx_frames)
		s->state = SESSION_ANSWERED;
	if (from == FROM_INSIDE || s->state == SESSION_ANSWERED)
		s->seen_s = n->now_s;
}

/*
 * An identification of our own, since guests with the same outside address do not know of each other's: a counter of its
 * destination (RFC 6864 4.1, RFC 7739).  Atomic packets need none.
 */
static __attribute__((noinline)) void make_unique(struct nat *n, struct packet *k)
{
	const struct offload *off = &k->f->off;
	uint32_t hash;
	uint16_t *counter;

	if (k->is_v6) {
		if (k->fragment_header) {
			uint8_t *id = k->f->snap + k->fragment_header + 4;

			k->fragment_id = n->id6++;
			write_be16(id, (uint16_t)(k->fragment_id >> 16));
			write_be16(id + 2, (uint16_t)k->fragment_id);
		}
		return;
	}
	if (k->dont_fragment && k->fragment == FRAGMENT_NONE)
		return;
	hash = (uint32_t)((read_be32(k->dst.b + 12) ^ n->seed[0]) * (n->seed[1] | 1) >> 32);
	counter = &n->id[hash % ID_COUNTERS];
	packet_set_id(k, *counter);
	/* The segments of a GSO frame take the next ones. */
	*counter = (uint16_t)(*counter + (off->gso_size ? k->ip_bytes / off->gso_size : 0) + 1);
}

/* Only IPv4 without options has its ports there. */
INLINE void put_end(struct packet *k, bool is_src, const struct ip *ip, uint16_t port,
		    uint16_t addresses, uint16_t all)
{
	if (k->l4 == PACKET_PLAIN_L4 && is_udp_or_tcp(k))
		packet_put_end_plain(k, k->proto == PROTO_UDP, is_src, ip, port, addresses, all);
	else
		packet_put_end(k, is_src, ip, port, addresses, all);
}

INLINE void pass_out(struct nat *n, struct session *s, struct packet *k, uint16_t *vid)
{
	const struct session_pool *outside;

	track(n, s, k, FROM_INSIDE);
	if (s->kind == NAT_ROUTED) {
		*vid = nat_far_vid(n, s);
		return;
	}
	outside = &n->table->region->address[s->outside];
	put_end(k, true, &outside->ip, s->outside_port, s->csum_l3, s->csum_l4);
	make_unique(n, k);
	*vid = outside->vid;
}

INLINE void pass_in(struct nat *n, struct session *s, struct packet *k, uint16_t *vid)
{
	track(n, s, k, FROM_OUTSIDE);
	*vid = s->vid;
	if (s->kind != NAT_ROUTED)
		put_end(k, false, &s->inside, s->inside_port, (uint16_t)~s->csum_l3,
			(uint16_t)~s->csum_l4);
}

static __attribute__((noinline)) void out_hit(struct nat *n, struct session *s, struct nat_job *j)
{
	pass_out(n, s, j->k, &j->vid);
}

static __attribute__((noinline)) void in_hit(struct nat *n, struct session *s, struct nat_job *j)
{
	pass_in(n, s, j->k, &j->vid);
}

/*
 * Most of all: a UDP packet without options, of a session that is translated and that no rule made.  For it pass_out() and
 * pass_in() call nobody, and are short.
 */
static inline bool is_light(const struct session *s, const struct packet *k, uint32_t frames)
{
	return k->proto == PROTO_UDP && k->l4 == PACKET_PLAIN_L4 && s->rule == 0 &&
	       s->kind == NAT_DYNAMIC && frames != UINT32_MAX;
}

static inline void pass_out_light(struct nat *n, struct session *s, struct nat_job *j)
{
	const struct session_pool *outside = &n->table->region->address[s->outside];
	struct packet *k = j->k;

	s->rx_frames++;
	s->seen_s = n->now_s;
	if (s->state == SESSION_NEW && s->tx_frames)
		s->state = SESSION_ANSWERED;
	packet_put_end_plain(k, true, true, &outside->ip, s->outside_port, s->csum_l3, s->csum_l4);
	if (!k->dont_fragment)
		make_unique(n, k);
	j->vid = outside->vid;
}

static inline void pass_in_light(struct nat *n, struct session *s, struct nat_job *j)
{
	s->tx_frames++;
	if (s->state == SESSION_NEW && s->rx_frames)
		s->state = SESSION_ANSWERED;
	if (s->state == SESSION_ANSWERED)
		s->seen_s = n->now_s;
	packet_put_end_plain(j->k, true, false, &s->inside, s->inside_port, (uint16_t)~s->csum_l3,
			     (uint16_t)~s->csum_l4);
	j->vid = s->vid;
}

/* --- Verbs --- */

INLINE void seek(const struct session_table *t, struct nat_job *j, bool is_in)
{
	j->hash = hit_hash(t, j->k, is_in, j->vid);
	__builtin_prefetch(index_first(hit_index(t, is_in), j->hash));
}

/* Nearly always the first packet of a new one. */
static __attribute__((noinline)) void expect(const struct session_table *t, const struct nat_job *j)
{
	struct session_key key;

	set_key(&key, j->k, NAT_OUT, j->vid);
	session_expect(t, &key);
	__builtin_prefetch(index_second(&t->out, j->hash));
}

INLINE void fetch(const struct session_table *t, struct nat_job *j, bool is_in)
{
	const struct index *x = hit_index(t, is_in);

	j->session = index_guess(x, index_first(x, j->hash), j->hash);
	if (__builtin_expect(j->session != SESSION_NONE, 1))
		__builtin_prefetch(&t->session[j->session], 1);
	else if (!is_in)
		expect(t, j);
}

void nat_seek(struct nat *n, struct nat_job *j, enum nat_way way)
{
	j->sought = 0;
	if (!is_plain(j->k))
		return;
	j->session = SESSION_NONE;
	j->sought = (uint8_t)(way + 1);
	seek(n->table, j, way == NAT_IN);
}

void nat_fetch(struct nat *n, struct nat_job *j)
{
	if (j->sought)
		fetch(n->table, j, j->sought == NAT_IN + 1);
}

void nat_seek_out(struct nat *n, struct nat_job *const *j, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		j[i]->sought = NAT_OUT + 1;
		seek(n->table, j[i], false);
	}
}

void nat_fetch_out(struct nat *n, struct nat_job *const *j, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		fetch(n->table, j[i], false);
}

static struct session *find(struct nat *n, const struct nat_job *j, enum nat_way way)
{
	struct session_key key;
	bool was_sought = j->sought == way + 1 || (way == NAT_OUT && j->sought == NAT_ROUTE + 1);

	set_key(&key, j->k, way, j->vid);
	return session_find(n->table, way, &key,
			    was_sought ? j->hash : session_hash(n->table, &key),
			    was_sought ? j->session : SESSION_NONE, n->now_s);
}

/* The session by the first look, as nearly always; NULL: find() knows. */
static inline struct session *hit(const struct nat *n, const struct nat_job *j, bool is_in)
{
	const struct session_table *t = n->table;
	const struct packet *k = j->k;
	struct session *s;

	if (__builtin_expect(
		    j->session == SESSION_NONE || n->now_s > t->sure_s || !is_udp_or_tcp(k), 0))
		return NULL;
	s = &t->session[j->session];
	return (is_in ? hit_is_in(t, s, k, j->vid) : hit_is_out(s, k, j->vid)) ? s : NULL;
}

static __attribute__((noinline)) enum drop in_plain(struct nat *n, struct nat_job *j)
{
	struct packet *k = j->k;
	struct session *s = NULL;
	enum drop drop;

	/* A request to an identifier that a guest uses is for the gateway all the same. */
	if (!is_icmp_proto(k->proto) || !is_request(k))
		s = find(n, j, NAT_IN);
	if (!s) {
		drop = begin_in(n, k, j->vid, &s);
		if (drop != DROP_NONE)
			return drop;
	}
	pass_in(n, s, k, &j->vid);
	return DROP_NONE;
}

static enum drop in_error(struct nat *n, struct nat_job *j)
{
	return icmp_error(n, j->k, NAT_IN, &j->vid);
}

/* It was translated on its way out; if it is for an outside address of ours it comes in at once. */
static enum drop turn(struct nat *n, struct nat_job *j,
		      enum drop (*in)(struct nat *, struct nat_job *))
{
	struct nat_job back = {.k = j->k, .slot = SLOT_MAX};
	enum drop drop;

	if (!plan_side(n->plan, &j->k->dst, j->vid, &back.vid))
		return DROP_NONE;
	drop = in(n, &back);
	j->vid = back.vid;
	return drop;
}

static __attribute__((noinline)) enum drop out_plain(struct nat *n, struct nat_job *j)
{
	struct packet *k = j->k;
	struct session *s = NULL;
	enum drop drop;

	if (!is_icmp_proto(k->proto) || is_request(k))
		s = find(n, j, NAT_OUT);
	if (!s) {
		drop = begin_out(n, j, &s);
		if (drop != DROP_NONE)
			return drop;
	}
	pass_out(n, s, k, &j->vid);
	if (s->flags & SESSION_HAIRPIN)
		return turn(n, j, in_plain);
	return DROP_NONE;
}

static enum drop out_error(struct nat *n, struct nat_job *j)
{
	enum drop drop = icmp_error(n, j->k, NAT_OUT, &j->vid);

	return drop == DROP_NONE ? turn(n, j, in_error) : drop;
}

/* What is neither plain nor a fragment. */
static enum drop judge_odd(const struct packet *k)
{
	return k->is_source_routed ? DROP_BAD_IP : DROP_NAT_PROTOCOL;
}

static bool has_ports(const struct packet *k)
{
	return k->proto == PROTO_UDP || k->proto == PROTO_TCP || packet_is_query(k);
}

static enum drop out_any(struct nat *n, struct nat_job *j)
{
	if (packet_is_error(j->k))
		return out_error(n, j);
	if (j->k->is_source_routed || !has_ports(j->k))
		return judge_odd(j->k);
	return out_plain(n, j);
}

static enum drop in_any(struct nat *n, struct nat_job *j)
{
	if (packet_is_error(j->k))
		return in_error(n, j);
	if (!j->k->is_source_routed && has_ports(j->k))
		return in_plain(n, j);
	if (session_place(n->table, &j->k->dst, j->vid) >= 0)
		return DROP_NO_SERVICE;
	return judge_odd(j->k);
}

/* --- Routes --- */

static enum drop route_error(struct nat *n, struct nat_job *j)
{
	uint16_t vid = j->vid;

	/* About a packet that came from where this goes to: in that direction it went out, or was an answer. */
	if (icmp_error(n, j->k, NAT_IN, &vid) != DROP_NONE) {
		vid = j->vid;
		if (icmp_error(n, j->k, NAT_OUT, &vid) != DROP_NONE)
			return DROP_NAT_ERROR;
	}
	j->vid = j->to_vid;
	return vid == j->to_vid ? DROP_NONE : DROP_NAT_ERROR;
}

static enum drop route_any(struct nat *n, struct nat_job *j, bool may_begin)
{
	struct packet *k = j->k;
	bool is_icmp = is_icmp_proto(k->proto), is_asked = !is_icmp || !is_request(k);
	struct session *s = NULL;
	enum drop drop;

	if (packet_is_error(k))
		return route_error(n, j);
	if (k->is_source_routed || !has_ports(k))
		return judge_odd(k);
	if (may_begin && (!is_icmp || is_request(k)))
		s = find(n, j, NAT_OUT);
	if (s && s->kind == NAT_ROUTED && nat_far_vid(n, s) == j->to_vid) {
		pass_out(n, s, k, &j->vid);
		return DROP_NONE;
	}
	/* Not the way of a session that began here: an answer, or the first packet of one. */
	s = is_asked ? find(n, j, NAT_IN) : NULL;
	if (s && s->kind == NAT_ROUTED && s->vid == j->to_vid) {
		pass_in(n, s, k, &j->vid);
		return DROP_NONE;
	}
	if (!may_begin)
		return DROP_NETWORKS_APART;
	drop = begin_route(n, j, &s);
	if (drop == DROP_NONE)
		pass_out(n, s, k, &j->vid);
	return drop;
}

/* --- Fragments --- */

struct verb {
	enum nat_way way;
	bool may_begin;
};

static enum drop run(struct nat *n, struct nat_job *j, const struct verb *v)
{
	if (v->way == NAT_OUT)
		return out_any(n, j);
	return v->way == NAT_IN ? in_any(n, j) : route_any(n, j, v->may_begin);
}

static enum drop run_fragment(struct nat *n, struct nat_job *j, const struct verb *v, bool *held)
{
	const struct frag_fate *known;
	struct packet *k = j->k;
	struct frag_fate fate;
	unsigned ticket;
	enum drop drop;

	drop = frag_note(n->frag, k, j->vid, n->now_ns, &ticket, &known);
	if (drop != DROP_NONE)
		return drop;
	if (k->fragment == FRAGMENT_FIRST) {
		fate.drop = run(n, j, v);
		fate.src = k->src;
		fate.dst = k->dst;
		fate.id = k->fragment_id;
		fate.vid = j->vid;
		frag_decide(n->frag, ticket, &fate);
		return fate.drop;
	}
	if (!known) {
		drop = frag_hold(n->frag, ticket, k->f);
		*held = drop == DROP_NONE;
		return drop;
	}
	if (known->drop == DROP_NONE) {
		frag_apply(k, known);
		j->vid = known->vid;
	}
	return known->drop;
}

static enum drop pass(struct nat *n, struct nat_job *j, const struct verb *v, uint64_t now_ns,
		      bool *held)
{
	nat_set_time(n, now_ns);
	*held = false;
	if (!n->plan)
		return DROP_NO_ROUTE;
	if (j->k->fragment != FRAGMENT_NONE)
		return run_fragment(n, j, v, held);
	return run(n, j, v);
}

/* These two are the hit path: what a hit needs of this file is inline, all else is not. */
enum drop nat_out(struct nat *n, struct nat_job *j, uint64_t now_ns, bool *held)
{
	static const struct verb out = {.way = NAT_OUT};
	struct session *s;

	if (__builtin_expect(!j->sought || !n->plan, 0))
		return pass(n, j, &out, now_ns, held);
	nat_set_time(n, now_ns);
	*held = false;
	s = hit(n, j, false);
	if (__builtin_expect(!s || (s->flags & SESSION_HAIRPIN), 0))
		return out_plain(n, j);
	if (__builtin_expect(is_light(s, j->k, s->rx_frames), 1))
		pass_out_light(n, s, j);
	else
		out_hit(n, s, j);
	return DROP_NONE;
}

enum drop nat_in(struct nat *n, struct nat_job *j, uint64_t now_ns, bool *held)
{
	static const struct verb in = {.way = NAT_IN};
	struct session *s;

	if (__builtin_expect(!j->sought || !n->plan, 0))
		return pass(n, j, &in, now_ns, held);
	nat_set_time(n, now_ns);
	*held = false;
	s = hit(n, j, true);
	if (__builtin_expect(!s, 0))
		return in_plain(n, j);
	if (__builtin_expect(is_light(s, j->k, s->tx_frames), 1))
		pass_in_light(n, s, j);
	else
		in_hit(n, s, j);
	return DROP_NONE;
}

enum drop nat_route(struct nat *n, struct nat_job *j, bool may_begin, uint64_t now_ns, bool *held)
{
	const struct verb route = {.way = NAT_ROUTE, .may_begin = may_begin};

	return pass(n, j, &route, now_ns, held);
}

bool nat_held(struct nat *n, struct packet *k, struct frame *f, uint16_t *vid, uint64_t now_ns)
{
	struct frag_fate fate;

	nat_set_time(n, now_ns);
	if (!frag_next(n->frag, k, f, &fate))
		return false;
	frag_apply(k, &fate);
	*vid = fate.vid;
	return true;
}
