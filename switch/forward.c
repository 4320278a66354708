/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * forward: THE packet path.
 *
 * worker.c fills w->vec from one port queue and calls forward(); nothing here waits or allocates.
 *
 *   1 admit    each frame: length, VLAN, source, guard, offload fields, rate       -> go on or a drop
 *   2 switch   each frame: learn the source, look the destination up, choose outputs -> output lists
 *     gateway  those for an address of the switch's own: routed ones go on in another VLAN -> output lists
 *   3 send     each output: its filter, MTU, rate and tag, then one tx for the list
 *   4 account  each frame: forwarded, local, or one drop
 *   5 made     what the gateway made: 2 (without learning) and 3 for these
 *
 * Stages are separate short loops, so that the cache misses of one stage overlap: 1 prefetches the table
 * lines that 2 reads.
 *
 * Most frames have nothing special about them.  For those each of the first two stages has a short form, which says
 * "it is one of them" or leaves the frame to the long form; what it does is what the long form would do.
 *
 * The path is compiled with the recorder as a constant NULL and with one, and both once more for AVX2 (isa.h); a
 * version is chosen for each vector.
 *
 * Trust.  The bytes of a frame and its offload fields are the sender's.  Only the snapshot is read, never past
 * snap_len, and every field is checked before it decides.
 */
#include "switch/forward.h"

#include <endian.h>
#include <string.h>

#include "switch/base/isa.h"
#include "switch/base/stage.h"
#include "switch/forward_internal.h"
#include "switch/port/gso.h"

#define INLINE	    static inline __attribute__((always_inline))
#define unlikely(x) __builtin_expect(!!(x), 0)

static const fdb_key GROUP_BIT = 0x10000; /* of the address in a key, its lowest bit */

/*
 * The keys of both addresses, by one load each: 8 bytes from the start hold the destination and two more, 8 bytes
 * from offset 4 the source behind two others.
 */
INLINE fdb_key dst_key(const struct frame *f)
{
	uint64_t m;

	memcpy(&m, f->snap, sizeof(m));
	return le64toh(m) << 16 | (f->tci & TCI_VID);
}

INLINE fdb_key src_key(const struct frame *f)
{
	uint64_t m;

	memcpy(&m, f->snap + 4, sizeof(m));
	return (le64toh(m) & ~0xffffULL) | (f->tci & TCI_VID);
}

/* The first four bytes of the addresses that gateways of a fabric have, whatever the VLAN: 02:76:66:00. */
INLINE bool is_own_mac(fdb_key key)
{
	return (uint32_t)(key >> 16) == 0x00667602;
}

INLINE enum drop admit_vlan(const struct pass *p, struct frame *f, struct recorder *rec)
{
	enum drop drop = vlan_ingress(&p->in->vlan, f);

	if (unlikely(drop))
		note(rec, f, STAGE_VLAN, "%s port does not take this %s frame",
		     vlan_mode_word(p->in->vlan.mode), f->rx_tpid ? "tagged" : "untagged");
	else
		note(rec, f, STAGE_VLAN, "%s port: VLAN %u, priority %u",
		     vlan_mode_word(p->in->vlan.mode), f->tci & TCI_VID, f->tci >> TCI_PCP_SHIFT);
	return drop;
}

/* The table lines that stage 2 will read. */
INLINE void look_ahead(const struct pass *p, struct lookup *l)
{
	l->src_bucket = fdb_bucket_of(p->fab->fdb, l->src);
	l->dst_bucket = fdb_bucket_of(p->fab->fdb, l->dst);
	__builtin_prefetch(l->src_bucket);
	__builtin_prefetch(l->dst_bucket);
}

/* Stage 1 for one frame. */
INLINE enum drop admit(struct pass *p, unsigned i, struct recorder *rec)
{
	struct frame *f = &p->w->vec.f[i];
	struct lookup *l = &p->look[i];
	enum drop drop;

	f->out = OUT_NONE;
	if (unlikely(f->snap_len < ETH_HEADER)) {
		if (f->drop) { /* a guest's chain that is no frame */
			note(rec, f, STAGE_RX, "%s", drop_text(f->drop));
			return f->drop;
		}
		note(rec, f, STAGE_RX, "%u bytes are no Ethernet frame", f->len);
		return DROP_RUNT;
	}
	if (unlikely(frame_is_group(f))) {
		drop = forward_admit_group(p, f);
		if (drop || f->out == OUT_LOCAL) {
			note(rec, f, STAGE_GUARD,
			     drop ? "reserved destination" : "a loop probe of this switch");
			return drop;
		}
	}
	drop = admit_vlan(p, f, rec);
	if (unlikely(drop))
		return drop;
	l->src = src_key(f);
	l->dst = dst_key(f);
	if (unlikely((l->src >> 16 & 1) || l->src >> 16 == 0 ||
		     (is_own_mac(l->src) && !p->in->is_host))) {
		note(rec, f, STAGE_GUARD, "source address is a group, zero or the switch's own");
		return DROP_BAD_SOURCE;
	}
	if (f->off.flags | f->off.gso_type) {
		drop = frame_check_offload(f);
		if (unlikely(drop)) {
			note(rec, f, STAGE_RX, "offload fields do not fit the frame");
			return drop;
		}
	}
	if (unlikely(p->has_limits)) {
		drop = forward_admit_limits(p, f, rec);
		if (drop)
			return drop;
	}
	look_ahead(p, l);
	return DROP_NONE;
}

/* What the short forms need, in registers: a store to a frame may, for all that the compiler knows, change a struct pass. */
struct plain {
	const struct fdb_table *table;
	const struct fabric_port *port;
	struct out_list *out;
	uint32_t now_s;
	uint16_t n_slots, in, vid;
	bool has_leg; /* the VLAN has one */
};

INLINE struct plain plain_of(const struct pass *p)
{
	return (struct plain){p->fab->fdb->table, p->fab->port,
			      p->w->out,	  p->now_s,
			      p->fab->n_slots,	  p->in_slot,
			      p->in->vlan.tag,	  p->legs && p->legs->leg_of[p->in->vlan.tag]};
}

/*
 * Stage 1 for a frame of which it has nothing to say: untagged, between two stations, without offloads, by a port without
 * limits.  True: that is what it is.  admit() would find the same, one question after the other.
 */
INLINE bool admit_plain(const struct plain *k, struct frame *f, struct lookup *l)
{
	uint64_t first, second;
	fdb_key src, dst;
	uint16_t etype, offloads;

	memcpy(&offloads, &f->off, sizeof(offloads)); /* flags and gso_type */
	if (unlikely(f->snap_len < ETH_HEADER || offloads))
		return false;
	memcpy(&first, f->snap, sizeof(first));
	memcpy(&second, f->snap + 4, sizeof(second));
	etype = frame_etype(f);
	src = (le64toh(second) & ~0xffffULL) | k->vid;
	dst = le64toh(first) << 16 | k->vid;
	if (unlikely(((src | dst) & GROUP_BIT) || src < GROUP_BIT || is_own_mac(src) ||
		     etype == ETYPE_8021Q || etype == ETYPE_8021AD))
		return false;
	l->src = src;
	l->dst = dst;
	l->src_bucket = &k->table->bucket[fdb_first(fdb_hash(k->table, src))];
	l->dst_bucket = &k->table->bucket[fdb_first(fdb_hash(k->table, dst))];
	__builtin_prefetch(l->src_bucket);
	__builtin_prefetch(l->dst_bucket);
	f->etype = etype;
	f->tci = k->vid;
	f->rx_tpid = 0;
	f->out = OUT_NONE;
	return true;
}

/* Learns the source; a limit is told to the control thread once, by a bit. */
INLINE enum drop learn(struct pass *p, unsigned i, struct recorder *rec)
{
	struct frame *f = &p->w->vec.f[i];
	const struct lookup *l = &p->look[i];
	enum fdb_learned what = unlikely(p->is_capped) ? FDB_KNOWN
						       : fdb_learn_in(p->fab->fdb, l->src_bucket,
								      l->src, p->in_slot, p->now_s);
	uint64_t bit = 1ULL << (p->in_slot & 63);
	uint64_t *hits = &p->w->mac_limit_hits[p->in_slot >> 6];

	if (what == FDB_KNOWN)
		return DROP_NONE;
	note(rec, f, STAGE_LEARN, "%s",
	     what == FDB_NEW	   ? "source is new: learned"
	     : what == FDB_MOVED   ? "source moved here from another port"
	     : what == FDB_LIMITED ? "not learned: MAC limit"
	     : what == FDB_FULL	   ? "not learned: table is full there"
	     : what == FDB_PINNED  ? "a static entry says another port: it stands"
				   : "not learned this time");
	if (what != FDB_LIMITED)
		return DROP_NONE;
	if (!(__atomic_load_n(hits, __ATOMIC_RELAXED) & bit))
		__atomic_or_fetch(hits, bit, __ATOMIC_RELEASE);
	return p->in->mac_limit_drop ? DROP_MAC_LIMIT : DROP_NONE;
}

/* May a frame that came in by p->in leave by out?  Isolation, whole networks of it included. */
INLINE bool is_apart(const struct pass *p, const struct fabric_port *out, uint16_t vid)
{
	if (p->in->isolated && out->isolated)
		return true;
	return vlan_set_has(&p->fab->isolated, vid) && !p->in->is_host && !out->is_host;
}

/* The leg on the VLAN of a frame, or NULL. */
INLINE const struct gateway_leg *leg_of(const struct pass *p, const struct frame *f)
{
	unsigned leg = p->legs ? p->legs->leg_of[f->tci & TCI_VID] : LEG_NONE;

	return leg ? &p->legs->leg[leg] : NULL;
}

/* A frame for the gateway: it decides when it has them all. */
INLINE void take(struct pass *p, unsigned i)
{
	p->w->vec.f[i].out = OUT_LOCAL;
	p->taken[p->n_taken++] = (uint8_t)i;
}

INLINE void append(struct forwarder *w, uint16_t slot, unsigned i)
{
	struct out_list *o = &w->out[slot];

	if (o->n == 0)
		w->touched[w->n_touched++] = slot;
	o->frame[o->n++] = (uint8_t)i;
}

/* A copy for each port that carries the VLAN, but for the one it came in by. */
static __attribute__((noinline)) enum drop flood(struct pass *p, unsigned i, struct recorder *rec)
{
	struct frame *f = &p->w->vec.f[i];
	uint16_t vid = f->tci & TCI_VID;
	const struct fabric_members *m = p->fab->members[vid];
	const struct gateway_leg *leg = leg_of(p, f);
	enum drop why = forward_police_flood(p, f);
	unsigned copies = 0;

	if (why) {
		note(rec, f, STAGE_POLICE, "%s", drop_text(why));
		return why;
	}
	if (leg && frame_is_group(f)) {
		if (gateway_wants(leg, f)) {
			take(p, i);
			return DROP_NONE;
		}
		gateway_hear(p->w->gateway, p->legs, f, p->w->now_ns);
	}
	why = DROP_NO_OUTPUT;
	for (unsigned k = 0; k < m->n; k++) {
		uint16_t slot = m->slot[k];
		const struct fabric_port *out = &p->fab->port[slot];

		if (slot == p->in_slot)
			continue;
		if (is_apart(p, out, vid))
			why = DROP_ISOLATED;
		else if (atomic_load_explicit(&out->port->state, memory_order_relaxed) != PORT_UP)
			why = DROP_PORT_DOWN;
		else if (out->is_host && !forward_is_for_host(out, f))
			why = DROP_HOST_ONLY;
		else {
			append(p->w, slot, i);
			copies++;
		}
	}
	f->out = OUT_FLOOD;
	f->copies = (uint16_t)copies;
	note(rec, f, STAGE_LOOKUP, "%s destination: flood to %u of the %u ports of VLAN %u",
	     frame_is_group(f) ? "group" : "unknown", copies, m->n, vid);
	return copies ? DROP_NONE : why;
}

/* Stage 2 for one frame. */
INLINE enum drop choose(struct pass *p, unsigned i, struct recorder *rec)
{
	struct frame *f = &p->w->vec.f[i];
	enum drop drop = learn(p, i, rec);
	const struct fabric_port *out;
	uint16_t slot;

	if (unlikely(drop))
		return drop;
	slot = frame_is_group(f)
		       ? OUT_FLOOD
		       : fdb_lookup_in(p->fab->fdb, p->look[i].dst_bucket, p->look[i].dst, NULL);
	if (unlikely(slot == OUT_LOCAL && leg_of(p, f))) {
		note(rec, f, STAGE_LOOKUP, "destination is the gateway of VLAN %u",
		     f->tci & TCI_VID);
		take(p, i);
		return DROP_NONE;
	}
	if (unlikely(slot >= p->fab->n_slots || !p->fab->port[slot].port))
		return flood(p, i, rec);
	out = &p->fab->port[slot];
	note(rec, f, STAGE_LOOKUP, "destination is behind port %s", out->port->name);
	if (unlikely(slot == p->in_slot))
		return DROP_SAME_PORT;
	if (unlikely(!vlan_set_has(&out->vlan.carries, f->tci & TCI_VID)))
		return flood(p, i, rec);
	if (unlikely(!out->is_plain_out)) {
		const struct gateway_leg *leg = out->is_host ? leg_of(p, f) : NULL;

		if (is_apart(p, out, f->tci & TCI_VID))
			return DROP_ISOLATED;
		if (leg && gateway_routes(p->legs, leg, f)) {
			take(p, i);
			return DROP_NONE;
		}
		if (out->is_host && !forward_is_for_host(out, f)) {
			note(rec, f, STAGE_HOST, "not for the host's address on this network");
			return DROP_HOST_ONLY;
		}
		if (leg)
			gateway_hear(p->w->gateway, p->legs, f, p->w->now_ns);
	}
	f->out = slot;
	append(p->w, slot, i);
	return DROP_NONE;
}

/* Stage 2 for a frame between two stations that are known, out of a port that has nothing to say.  True: it is one. */
INLINE bool choose_plain(const struct plain *k, struct pass *p, unsigned i)
{
	const struct lookup *l = &p->look[i];
	const struct fabric_port *out;
	struct out_list *o;
	uint64_t value;
	uint16_t slot;

	if (unlikely(!fdb_is_known(l->src_bucket, l->src, k->in, k->now_s) ||
		     !fdb_read(l->dst_bucket, l->dst, &value)))
		return false;
	slot = (uint16_t)(value >> FDB_SLOT_SHIFT);
	if (unlikely(slot >= k->n_slots || slot == k->in)) {
		if (slot != OUT_LOCAL || !k->has_leg)
			return false;
		take(p, i);
		return true;
	}
	out = &k->port[slot];
	if (unlikely(!out->is_plain_out ||
		     (out->only_vid != k->vid && !vlan_set_has(&out->vlan.carries, k->vid))))
		return false;
	p->w->vec.f[i].out = slot;
	o = &k->out[slot];
	if (o->n == 0)
		p->w->touched[p->w->n_touched++] = slot;
	o->frame[o->n++] = (uint8_t)i;
	return true;
}

/* What the output itself refuses before tx sees the frame. */
INLINE enum drop police_output(const struct pass *p, const struct fabric_port *out,
			       const struct frame *f)
{
	uint32_t payload = f->off.gso_type ? gso_mtu_bytes(f) : f->len - ETH_HEADER;

	if (unlikely(payload > out->mtu)) { /* a second tag does not count */
		bool is_tagged = f->etype == ETYPE_8021Q || f->etype == ETYPE_8021AD;

		if (!is_tagged || payload > out->mtu + TAG_BYTES)
			return DROP_TOO_BIG;
	}
	if (unlikely(!out->is_plain_out) && out->police &&
	    !rate_take(&out->police->tx, 8ULL * f->len, p->w->now_ns))
		return DROP_RATE;
	return DROP_NONE;
}

/* A frame that its only output refused is dropped; a copy among others waits for stage 4. */
static __attribute__((noinline, cold)) void refuse(struct pass *p, const struct tx_frame *t,
						   uint16_t slot)
{
	struct vec *v = p->v;
	unsigned i = (unsigned)(t->f - v->f);

	if (v != &p->w->vec) { /* nobody sent it but we */
		count(&p->fab->port[slot].port->counters[p->w->worker].tx_lost, 1);
		return;
	}
	p->n_odd++;
	if (v->f[i].out != OUT_FLOOD) {
		v->f[i].drop = t->drop;
		return;
	}
	v->f[i].copies--;
	if (p->n_late < LATE_MAX)
		p->late[p->n_late++] = (struct late){(uint8_t)i, t->drop, slot};
	else
		count(&p->fab->port[slot].port->counters[p->w->worker].tx_lost, 1);
}

/* Frames that tx refused or segmented: the totals said otherwise. */
static __attribute__((noinline)) void settle_tx(struct pass *p, unsigned n, uint16_t slot,
						uint64_t *frames, uint64_t *bytes)
{
	const struct tx_frame *tx = p->w->tx;

	for (unsigned k = 0; k < n; k++) {
		uint64_t whole = tx[k].f->len + (tx[k].tag.tpid ? TAG_BYTES : 0);

		if (tx[k].drop) {
			*frames -= 1;
			*bytes -= whole;
			refuse(p, &tx[k], slot);
		} else if (tx[k].frames != 1) {
			*frames += tx[k].frames - 1U;
			*bytes += tx[k].bytes - whole;
		}
	}
}

/*
 * The list of an output that tags nothing and limits nothing but the length.  Returns the bytes; *n is less than the list when
 * something was refused.
 */
INLINE uint64_t list_plain(struct pass *p, const struct vec *v, uint16_t slot, unsigned listed,
			   unsigned *n)
{
	const struct fabric_port *out = &p->fab->port[slot];
	const struct out_list *o = &p->w->out[slot];
	uint32_t most = out->mtu + ETH_HEADER;
	struct tx_frame *t = p->w->tx;
	uint64_t bytes = 0;

	for (unsigned k = 0; k < listed; k++) {
		const struct frame *f = &v->f[o->frame[k]];
		enum drop drop = DROP_NONE;

		t->f = f;
		t->tag = (struct tag){0};
		t->frames = 1;
		t->drop = DROP_NONE;
		if (unlikely(f->len > most)) { /* perhaps its segments are not */
			drop = police_output(p, out, f);
			if (drop) {
				t->drop = (uint8_t)drop;
				refuse(p, t, slot);
				continue;
			}
		}
		bytes += f->len;
		t++;
	}
	*n = (unsigned)(t - p->w->tx);
	return bytes;
}

/* The list of any other output, or of one that is recorded. */
INLINE uint64_t list_any(struct pass *p, const struct vec *v, uint16_t slot, unsigned listed,
			 unsigned *n, struct recorder *rec)
{
	const struct fabric_port *out = &p->fab->port[slot];
	struct forwarder *w = p->w;
	uint32_t most = out->mtu + ETH_HEADER;
	struct tx_frame *t = w->tx;
	uint64_t bytes = 0;

	for (unsigned k = 0; k < listed; k++) {
		const struct frame *f = &v->f[w->out[slot].frame[k]];
		enum drop drop = DROP_NONE;

		if (unlikely(f->len > most || out->police))
			drop = police_output(p, out, f);
		*t = (struct tx_frame){.f = f, .frames = 1, .drop = (uint8_t)drop};
		if (!out->is_untagged)
			t->tag = vlan_egress(&out->vlan, f);
		if (unlikely(drop)) {
			refuse(p, t, slot);
			if (rec)
				recorder_output(rec, t, slot);
			continue;
		}
		bytes += f->len + (t->tag.tpid ? TAG_BYTES : 0);
		t++;
	}
	*n = (unsigned)(t - w->tx);
	return bytes;
}

/* Stage 3 for one output of frames of v. */
INLINE void send_list(struct pass *p, const struct vec *v, uint16_t slot, struct recorder *rec)
{
	struct forwarder *w = p->w;
	const struct fabric_port *out = &p->fab->port[slot];
	struct port_counters *c = &out->port->counters[w->worker];
	unsigned n, listed = w->out[slot].n;
	uint64_t frames, bytes;

	if (!rec && out->is_untagged && out->is_plain_out)
		bytes = list_plain(p, v, slot, listed, &n);
	else
		bytes = list_any(p, v, slot, listed, &n, rec);
	w->out[slot].n = 0;
	frames = n;
	STAGE(LIST);
	if (n && unlikely(out->port->ops->tx(out->port, w->worker, w->scratch, w->tx, n)))
		settle_tx(p, n, slot, &frames, &bytes);
	for (unsigned k = 0; rec && k < n; k++)
		recorder_output(rec, &w->tx[k], slot);
	count(&c->tx_frames, frames);
	count(&c->tx_bytes, bytes);
}

/* Copies that failed: lost where others took the frame, else the reason why it was dropped. */
static __attribute__((noinline)) void settle_late(struct pass *p)
{
	struct vec *v = &p->w->vec;

	for (unsigned k = 0; k < p->n_late; k++) {
		struct frame *f = &v->f[p->late[k].frame];

		if (f->copies)
			count(&p->fab->port[p->late[k].slot].port->counters[p->w->worker].tx_lost,
			      1);
		else if (!f->drop)
			f->drop = p->late[k].drop;
	}
}

/* Stage 4, where not every frame of the vector was simply forwarded: returns how many were. */
static __attribute__((noinline)) unsigned account_odd(struct pass *p)
{
	const struct vec *v = &p->w->vec;
	struct port_counters *c = &p->in->port->counters[p->w->worker];
	unsigned forwarded = 0, local = 0;

	settle_late(p);
	for (unsigned i = 0; i < v->n; i++) {
		const struct frame *f = &v->f[i];

		if (f->drop)
			count(&c->drops[f->drop], 1);
		else if (f->out == OUT_LOCAL)
			local++;
		else
			forwarded++;
	}
	count(&c->local, local);
	return forwarded;
}

/* A copy for each port that carries the VLAN of what the gateway sends. */
static enum drop flood_routed(struct pass *p, unsigned i)
{
	struct frame *f = &p->v->f[i];
	const struct fabric_members *m = p->fab->members[f->tci & TCI_VID];
	enum drop why = DROP_NO_OUTPUT;

	f->out = OUT_FLOOD;
	f->copies = 0;
	for (unsigned k = 0; k < m->n; k++) {
		const struct fabric_port *out = &p->fab->port[m->slot[k]];

		if (atomic_load_explicit(&out->port->state, memory_order_relaxed) != PORT_UP)
			why = DROP_PORT_DOWN;
		else if (out->is_host && !forward_is_for_host(out, f))
			why = DROP_HOST_ONLY;
		else {
			append(p->w, m->slot[k], i);
			f->copies++;
		}
	}
	return f->copies ? DROP_NONE : why;
}

/*
 * Stage 2 for a frame of the gateway's: where L2 sends it in the VLAN that it has now.  Nothing is learned, the port that the
 * packet came in by may be the one that it leaves by, and isolation is between guests, not between a guest and its gateway.
 */
INLINE enum drop route(struct pass *p, unsigned i, struct recorder *rec)
{
	struct frame *f = &p->v->f[i];
	uint16_t vid = f->tci & TCI_VID, slot = OUT_FLOOD;
	const struct fabric_port *out;

	if (!frame_is_group(f))
		slot = fdb_lookup(p->fab->fdb, dst_key(f), NULL);
	if (unlikely(slot == OUT_LOCAL))
		return DROP_NO_ROUTE;
	out = slot < p->fab->n_slots ? &p->fab->port[slot] : NULL;
	if (unlikely(!out || !out->port || !vlan_set_has(&out->vlan.carries, vid))) {
		note(rec, f, STAGE_LOOKUP, "to every port of VLAN %u", vid);
		return flood_routed(p, i);
	}
	note(rec, f, STAGE_LOOKUP, "in VLAN %u behind port %s", vid, out->port->name);
	if (unlikely(out->is_host) && !forward_is_for_host(out, f))
		return DROP_HOST_ONLY;
	f->out = slot;
	append(p->w, slot, i);
	return DROP_NONE;
}

/* What the gateway made goes out; nobody sent it, so that it is counted where it leaves alone. */
static __attribute__((noinline)) void send_made(struct pass *p, struct recorder *rec)
{
	struct forwarder *w = p->w;

	p->v = &w->made.vec;
	for (unsigned i = 0; i < p->v->n; i++) {
		p->v->f[i].in = OUT_NONE;
		p->v->f[i].traced = 0;
		route(p, i, NULL);
	}
	for (unsigned k = 0; k < w->n_touched; k++)
		send_list(p, p->v, w->touched[k], rec);
	w->n_touched = 0;
	p->v->n = 0;
	p->v = &w->vec;
}

/* Where the frames that were taken go on.  Most of a vector go to the same next hop: found once, that is known for the others. */
INLINE void route_taken(struct pass *p, struct recorder *rec)
{
	struct forwarder *w = p->w;
	unsigned n = p->n_taken, odd = 0;
	fdb_key last = 0; /* whose slot is known; no station has 0 */
	uint16_t slot = OUT_NONE;

	for (unsigned k = 0; k < n; k++) {
		unsigned i = p->taken[k];
		struct frame *f = &w->vec.f[i];

		if (unlikely(f->drop || f->out == OUT_LOCAL)) {
			odd++;
			continue;
		}
		if (!rec && dst_key(f) == last) {
			f->out = slot;
			append(w, slot, i);
			continue;
		}
		f->drop = (uint8_t)route(p, i, rec);
		odd += f->drop != 0;
		slot = f->out;
		last = !f->drop && slot < p->fab->n_slots && !p->fab->port[slot].is_host
			       ? dst_key(f)
			       : 0;
	}
	p->n_odd += odd;
	p->n_taken = 0;
}

/* Between stages 2 and 3, for the frames that were taken. */
static __attribute__((noinline)) void pass_gateway(struct pass *p, struct recorder *rec)
{
	struct forwarder *w = p->w;
	struct gateway_call call = {
		.conf = p->legs,
		.made = &w->made,
		.now_ns = w->now_ns,
		.in_slot = p->in_slot,
		.head_long = w->scratch->head_long,
		.rec = rec,
	};

	gateway_take(w->gateway, &call, &w->vec, p->taken, p->n_taken);
	route_taken(p, rec);
}

INLINE void forward_vec(struct pass *p, struct recorder *rec)
{
	struct forwarder *w = p->w;
	struct port_counters *c = &p->in->port->counters[w->worker];
	struct vec *v = &w->vec;
	unsigned n = v->n, odd = 0;
	uint64_t bytes = 0;
	struct plain plain = plain_of(p);
	bool is_plain = p->is_plain && !rec;

	for (unsigned i = 0; i < n; i++) {
		struct frame *f = &v->f[i];

		bytes += f->len;
		vec_call_ahead(v, n + i);
		if (is_plain && admit_plain(&plain, f, &p->look[i]))
			continue;
		f->drop = (uint8_t)admit(p, i, rec);
		odd += f->drop || f->out == OUT_LOCAL;
	}
	STAGE(ADMIT);
	for (unsigned i = 0; i < n; i++) {
		struct frame *f = &v->f[i];

		if (unlikely(odd) && (f->drop || f->out == OUT_LOCAL))
			continue;
		if (is_plain && choose_plain(&plain, p, i))
			continue;
		f->drop = (uint8_t)choose(p, i, rec);
		p->n_odd += f->drop != 0;
	}
	STAGE(CHOOSE);
	if (unlikely(p->n_taken))
		pass_gateway(p, rec);
	for (unsigned k = 0; k < w->n_touched; k++)
		send_list(p, v, w->touched[k], rec);
	w->n_touched = 0;
	count(&c->forwarded, odd || p->n_odd ? account_odd(p) : n);
	count(&c->rx_frames, n);
	count(&c->rx_bytes, bytes);
	if (unlikely(w->made.vec.n))
		send_made(p, rec);
}

/* The same while somebody watches: a function of its own, so that the other has all registers. */
static __attribute__((noinline)) void forward_recorded(struct pass *p, struct recorder *rec)
{
	struct forwarder *w = p->w;

	/* Filters see of a frame what they see of any other, wherever it lies. */
	for (unsigned i = 0; i < w->vec.n; i++) {
		w->vec.f[i].in = p->in_slot;
		frame_pull(&w->vec.f[i],
			   w->scratch->head_long + (size_t)i * HEAD_LONG_STRIDE + FRAME_HEADROOM,
			   SNAP_MAX);
	}
	recorder_begin(rec, p->fab, &w->vec);
	forward_vec(p, rec);
	recorder_end(rec, &w->vec);
}

void PATH(forward_made)(struct forwarder *w, const struct fabric *fab);

void PATH(forward_made)(struct forwarder *w, const struct fabric *fab)
{
	struct pass *p = w->pass;
	struct recorder *rec = RECORDER_ON(recorder_get(w->recorder));

	p->w = w;
	p->fab = fab;
	w->vec.n = 0;
	if (rec)
		recorder_begin(rec, fab, &w->vec);
	send_made(p, rec);
	if (rec)
		recorder_end(rec, &w->vec);
}

void PATH(forward)(struct forwarder *w, const struct fabric *fab, uint16_t in);

void PATH(forward)(struct forwarder *w, const struct fabric *fab, uint16_t in)
{
	struct pass *p = w->pass;
	struct recorder *rec = RECORDER_ON(recorder_get(w->recorder));
	uint32_t until;

	p->w = w;
	p->fab = fab;
	p->in = &fab->port[in];
	p->in_slot = in;
	p->now_s = (uint32_t)(w->now_ns / 1000000000);
	until = atomic_load_explicit(&p->in->port->loop_until_s, memory_order_relaxed);
	p->v = &w->vec;
	p->legs = w->gateway ? fab->legs : NULL;
	p->n_taken = 0;
	p->n_late = 0;
	p->n_odd = 0;
	p->is_capped = until != 0 && p->now_s < until;
	p->has_limits = p->is_capped || p->in->guard_mac || p->in->guard_strict || p->in->police;
	p->is_plain = p->in->is_plain_in && !p->is_capped;
	if (unlikely(rec))
		forward_recorded(p, rec);
	else
		forward_vec(p, NULL);
}
