/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guard_check: the guard's word about one frame of a strict port.
 *
 * forward_rare.c asks for each of them; the table is guard.c's.  The usual frame, IPv4 from a bound address, is answered by a look
 * at a place or two of its port.  What a frame is comes before whose it is: a server's message or a router's is that, whatever
 * address it claims.
 *
 *   ARP    RFC 826, RFC 5227                     IPv6   chain (RFC 8200 4, RFC 7112, RFC 7113 2) -> rogue_dhcp, rogue_ra
 *   IPv4   ports of UDP -> rogue_dhcp, source           source, which may be learned
 *                                                       ND (RFC 4861 4, RFC 6980)
 *
 * An upper layer that nobody here knows is no extension header, so that nothing can follow it; tunnels are not looked into.
 *
 * Trust.  All bytes are the guest's; the caller has seen that the snapshot holds an Ethernet header, ingress has set VLAN and
 * etype.  Each header is compared with the end of the packet, by its own length field and the frame's, and with the snapshot
 * before it is read: reach().  Only the snapshot is read, since the rest may be memory that the guest still writes.
 */
#include "switch/guard.h"

#include <endian.h>
#include <stdio.h>

#include "switch/base/packet_plain.h"
#include "switch/guard_internal.h"

#define unlikely(x) __builtin_expect(!!(x), 0)

enum {
	IPV4_BYTES = 20,
	IPV6_BYTES = 40,
	UPPER_BYTES = 8, /* of UDP, of ICMPv6, of TCP up to its ports */
	EXTENSIONS_MAX = 8,
	EXTENSION_UNIT = 8,
	ARP_BYTES = 42, /* with Ethernet: RFC 826 for Ethernet and IPv4 */
	ARP_REQUEST = 1,
	ETYPE_EAPOL = 0x888e,
	ETYPE_LLDP = 0x88cc,
};

enum extension {
	EXT_HOP_BY_HOP = 0,
	EXT_ROUTING = 43,
	EXT_FRAGMENT = 44,
	EXT_AUTHENTICATION = 51,
	EXT_OPTIONS = 60,
	EXT_MOBILITY = 135,
	EXT_HIP = 139,
	EXT_SHIM6 = 140,
};

enum icmpv6 {
	MLD_REPORT = 131,
	MLD_DONE = 132,
	ROUTER_SOLICIT = 133,
	ROUTER_ADVERT = 134,
	NEIGHBOUR_SOLICIT = 135,
	NEIGHBOUR_ADVERT = 136,
	REDIRECT = 137,
	MLD2_REPORT = 143,
};

enum nd {
	ND_TARGET = 8,
	ND_BYTES = 24,
	RS_BYTES = 8,
	OPTION_SOURCE = 1,
	OPTION_TARGET = 2,
};

enum dhcp_port { DHCP_SERVER = 67, DHCP_CLIENT = 68, DHCP6_CLIENT = 546, DHCP6_SERVER = 547 };

/* One frame in question. */
struct query {
	struct guard *g;
	const struct guard_ask *a;
	struct frame *f;
	struct guard_port *port;
	fdb_key who;	   /* source MAC and VLAN */
	bool is_mac_given; /* and it is the port's own */
};

/* --- in words ---------------------------------------------------------------------------- */

struct list {
	char text[512];
	size_t n;
	bool is_cut;
};

static void add_to_list(void *arg, const struct guard_binding *b, bool is_learned)
{
	struct list *l = arg;
	char ip[IP_TEXT], mac[MAC_TEXT];

	if (l->n + IP_TEXT + MAC_TEXT + 32 > sizeof(l->text)) {
		l->is_cut = true;
		return;
	}
	l->n += (size_t)snprintf(
		l->text + l->n, sizeof(l->text) - l->n, "%s%s%s%s%s", l->n ? ", " : "",
		ip_text(&b->ip, ip), mac_is_zero(&b->mac) ? "" : " of ",
		mac_is_zero(&b->mac) ? "" : mac_text(&b->mac, mac), is_learned ? " (learned)" : "");
}

/* A refusal, and for who looks: what was claimed (NULL: nothing that has an address), and what the port may use. */
static __attribute__((noinline, cold)) enum drop refuse(const struct query *q, enum drop why,
							const char *what, const struct ip *claimed)
{
	char ip[IP_TEXT] = "", mac[MAC_TEXT], own[MAC_TEXT], text[256];
	struct list l = {.text = "no address yet"};
	struct mac src;

	if (!q->a->rec || !q->f->traced)
		return why;
	if (!claimed && why != DROP_GUARD_MAC) {
		note(q->a->rec, q->f, STAGE_GUARD, "guard strict: %s", what);
		return why;
	}
	memcpy(&src, q->f->snap + 6, sizeof(src));
	snprintf(text, sizeof(text), "%s%s%s from %s", what, claimed ? " " : "",
		 claimed ? ip_text(claimed, ip) : "", mac_text(&src, mac));
	guard_each(q->g, q->a->slot, add_to_list, &l);
	note(q->a->rec, q->f, STAGE_GUARD, "guard strict: %s; this port may use %s%s%s%s", text,
	     l.text, l.is_cut ? " and more" : "", q->is_mac_given ? ", as " : "",
	     q->is_mac_given ? mac_text(&q->a->mac, own) : "");
	return why;
}

static const char *answer_text(enum guard_answer a)
{
	static const char *const text[] = {
		[GUARD_OTHER] = "another port's address",
		[GUARD_NEVER] = "address",
		[GUARD_FULL] = "one address more than are learned:",
		[GUARD_BUSY] = "an address not learned this time:",
	};

	return text[a];
}

/* --- whose ------------------------------------------------------------------------------- */

/* An address as two loads: IPv4 differs in the second half alone. */
struct halves {
	uint64_t high, low;
};

static inline struct halves halves_of(const struct ip *ip)
{
	struct halves h;

	memcpy(&h, ip, sizeof(h));
	return h;
}

/* Is the place for that address, and for the MAC that asks?  *life is its life then. */
static inline bool place_fits(const struct guard_place *p, fdb_key who, struct halves h,
			      uint64_t *life)
{
	uint64_t its_who, its_ip[2];

	if (atomic_load_explicit(&p->ip[1], memory_order_relaxed) != h.low)
		return false;
	return guard_read(p, life, &its_who, its_ip) && its_ip[0] == h.high && its_ip[1] == h.low &&
	       (its_who == who || its_who == (who & TCI_VID));
}

static inline bool is_bound_to(const struct guard_port *port, fdb_key who, struct halves h,
			       uint32_t now_s)
{
	const struct guard_place *p = port->place;
	unsigned n = atomic_load_explicit(&port->n_bound, memory_order_acquire);
	uint64_t life;

	for (unsigned i = 0; i < n; i++)
		if (place_fits(&p[i], who, h, &life) && now_s < guard_time(life))
			return true;
	return false;
}

static bool is_bound(const struct query *q, const struct ip *ip)
{
	return is_bound_to(q->port, q->who, halves_of(ip), q->a->now_s);
}

/* Learned by the port: says that it was used now, once a second. */
static bool is_known(const struct query *q, const struct ip *ip)
{
	struct halves h = halves_of(ip);
	struct guard_place *p = q->port->place + GUARD_BINDINGS;
	unsigned n = atomic_load_explicit(&q->port->n_learned, memory_order_acquire);
	uint64_t life, used;

	for (unsigned i = 0; i < n; i++) {
		if (!place_fits(&p[i], q->who, h, &life))
			continue;
		used = (life & UINT32_MAX) | (uint64_t)q->a->now_s << PLACE_TIME_SHIFT;
		if (guard_time(life) < q->a->now_s) /* lost when it was changed meanwhile */
			atomic_compare_exchange_strong_explicit(&p[i].life, &life, used,
								memory_order_relaxed,
								memory_order_relaxed);
		return true;
	}
	return false;
}

/* May the port use this MAC, on this VLAN?  Its own; else one of an address of its; any as long as there is none. */
static bool has_mac(const struct query *q)
{
	bool is_other = false;

	for (unsigned at = 0; at < GUARD_PLACES && !q->is_mac_given; at++) {
		uint64_t life, who, ip[2];
		bool is_over;

		if (!guard_read(&q->port->place[at], &life, &who, ip) || (who ^ q->who) & TCI_VID)
			continue;
		is_over = at < GUARD_BINDINGS ? q->a->now_s >= guard_time(life)
					      : guard_is_idle(life, q->a->now_s);
		if (is_over)
			continue;
		if (who == q->who || who >> 16 == 0)
			return true;
		is_other = true;
	}
	return !is_other;
}

/* The frame claims no address: the MAC decides. */
static enum drop pass_mac(const struct query *q)
{
	return has_mac(q) ? DROP_NONE : refuse(q, DROP_GUARD_MAC, "source", NULL);
}

/* The IPv6 address is the port's, or is learned now; else `why` it is not, or that the MAC is not. */
static enum drop claim(const struct query *q, const struct ip *ip, enum drop why)
{
	struct guard_wish w = {.slot = q->a->slot, .now_s = q->a->now_s, .who = q->who, .ip = *ip};
	enum guard_answer answer;
	char text[IP_TEXT];
	enum drop drop;

	if (ip_is_v4(
		    ip)) /* in the clothes of IPv6 (RFC 4291 2.5.5.2), which is for nobody on a wire */
		return refuse(q, why, "address", ip);
	if (is_bound(q, ip) || is_known(q, ip))
		return DROP_NONE;
	drop = pass_mac(q);
	if (drop)
		return drop;
	answer = guard_learn(q->g, &w);
	if (answer != GUARD_YES)
		return refuse(q, why, answer_text(answer), ip);
	(void)text;
	note(q->a->rec, q->f, STAGE_GUARD, "guard strict: %s is this port's, by first come",
	     ip_text(ip, text));
	return DROP_NONE;
}

/* --- what -------------------------------------------------------------------------------- */

/* Are n bytes of the frame within the packet, which ends at `end`, and in the snapshot, or are they now? */
static inline bool reach(const struct query *q, uint32_t end, uint32_t n)
{
	struct frame *f = q->f;

	if (unlikely(n > end))
		return false;
	if (unlikely(f->snap_len < n && f->snap_len < f->len))
		frame_pull(f, q->a->room, SNAP_MAX);
	return f->snap_len >= n;
}

static bool is_server(uint16_t sport, uint16_t dport, enum dhcp_port server, enum dhcp_port client)
{
	return sport == server || dport == client;
}

static enum drop refuse_server(const struct query *q)
{
	return refuse(q, DROP_ROGUE_DHCP, "a DHCP server's message, and this port is none", NULL);
}

/* Without an address: DHCP of a client (RFC 2131 4.1). */
static enum drop check_nobody(const struct query *q, const uint8_t *l4)
{
	static const struct ip zero = {{[10] = 0xff, 0xff}};
	const uint8_t *ip = q->f->snap + ETH_HEADER;

	if (!l4 || read_be16(l4) != DHCP_CLIENT || read_be16(l4 + 2) != DHCP_SERVER ||
	    read_be32(ip + 16) != UINT32_MAX || (read_be16(ip + 6) & 0x3fff))
		return refuse(q, DROP_GUARD_IP, "source", &zero);
	return pass_mac(q);
}

static enum drop check_ipv4(const struct query *q)
{
	const struct frame *f = q->f;
	const uint8_t *ip = f->snap + ETH_HEADER, *l4 = NULL;
	struct ip src;
	unsigned at;
	enum drop drop;

	if (unlikely(f->snap_len < ETH_HEADER + IPV4_BYTES || ip[0] >> 4 != 4 || (ip[0] & 15) < 5))
		return refuse(q, DROP_GUARD_IP, "no IPv4 header", NULL);
	/* A later fragment begins behind the ports: its offset counts in eights, and their header has eight bytes. */
	if (ip[9] == PROTO_UDP && !(read_be16(ip + 6) & 0x1fff)) {
		at = ETH_HEADER + (ip[0] & 15) * 4u;
		if (unlikely(!reach(q, f->len, at + UPPER_BYTES)))
			return refuse(q, DROP_GUARD_IP, "UDP without its header", NULL);
		ip = f->snap + ETH_HEADER;
		l4 = f->snap + at;
		if (unlikely(is_server(read_be16(l4), read_be16(l4 + 2), DHCP_SERVER, DHCP_CLIENT)))
			return refuse_server(q);
	}
	packet_set_ipv4(&src, ip + 12);
	if (is_bound(q, &src))
		return DROP_NONE;
	if (read_be32(ip + 12) == 0)
		return check_nobody(q, l4);
	drop = pass_mac(q);
	return drop ? drop : refuse(q, DROP_GUARD_IP, "source", &src);
}

static enum drop check_arp(const struct query *q)
{
	static const uint8_t head[6] = {0, 1, ETYPE_IPV4 >> 8, ETYPE_IPV4 & 0xff, 6, 4};
	const uint8_t *arp;
	struct guard_wish w = {.slot = q->a->slot, .now_s = q->a->now_s, .who = q->who};
	struct ip sender;
	enum drop drop;

	if (!reach(q, q->f->len, ARP_BYTES))
		return refuse(q, DROP_GUARD_ARP, "ARP that ends too early", NULL);
	arp = q->f->snap + ETH_HEADER;
	if (memcmp(arp, head, sizeof(head)) != 0)
		return refuse(q, DROP_GUARD_ARP, "ARP, but not for Ethernet and IPv4", NULL);
	packet_set_ipv4(&sender, arp + 14);
	if (memcmp(arp + 8, q->f->snap + 6, 6) != 0)
		return refuse(q, DROP_GUARD_ARP, "ARP that names another MAC than its sender's for",
			      &sender);
	if (is_bound(q, &sender))
		return DROP_NONE;
	drop = pass_mac(q);
	if (drop)
		return drop;
	if (read_be32(arp + 14) != 0 || read_be16(arp + 6) != ARP_REQUEST)
		return refuse(q, DROP_GUARD_ARP, "ARP sender", &sender);
	packet_set_ipv4(&w.ip, arp + 24);
	if (guard_free_for(q->g, &w) != GUARD_YES)
		return refuse(q, DROP_GUARD_ARP, "ARP probe of another port's", &w.ip);
	return DROP_NONE;
}

/* --- IPv6 -------------------------------------------------------------------------------- */

/* Where the extension headers end. */
struct chain {
	uint32_t end; /* of the packet, in the frame */
	uint32_t at;  /* the upper layer */
	uint8_t proto;
	bool is_fragment; /* there is a fragment header, also that of an atomic one */
	bool is_later;	  /* not the first one: no upper layer, proto means nothing */
};

static bool is_extension(uint8_t proto)
{
	return proto == EXT_HOP_BY_HOP || proto == EXT_ROUTING || proto == EXT_FRAGMENT ||
	       proto == EXT_AUTHENTICATION || proto == EXT_OPTIONS || proto == EXT_MOBILITY ||
	       proto == EXT_HIP || proto == EXT_SHIM6;
}

/* RFC 8200 4, RFC 7112: false: the chain does not end within the packet, or not within the snapshot. */
static bool walk(const struct query *q, struct chain *c)
{
	for (unsigned n = 0; is_extension(c->proto); n++) {
		const uint8_t *h;

		if (n == EXTENSIONS_MAX || !reach(q, c->end, c->at + EXTENSION_UNIT))
			return false;
		h = q->f->snap + c->at;
		if (c->proto == EXT_FRAGMENT) {
			c->is_fragment = true;
			c->is_later = read_be16(h + 2) & 0xfff8;
			c->at += EXTENSION_UNIT;
		} else if (c->proto == EXT_AUTHENTICATION) {
			c->at += (h[1] + 2u) * 4;
		} else {
			c->at += (h[1] + 1u) * EXTENSION_UNIT;
		}
		c->proto = h[0];
		if (c->is_later)
			return true;
	}
	if (c->proto == PROTO_UDP || c->proto == PROTO_ICMPV6 || c->proto == PROTO_TCP)
		return reach(q, c->end, c->at + UPPER_BYTES);
	return reach(q, c->end, c->at);
}

/* RFC 4861 4.6: of the right lengths, and where they name a MAC it is the sender's. */
static bool are_options_right(const struct query *q, uint32_t at, uint32_t end)
{
	const uint8_t *s = q->f->snap;

	while (at < end) {
		uint32_t n = end - at < EXTENSION_UNIT ? 0 : s[at + 1] * (uint32_t)EXTENSION_UNIT;

		if (n == 0 || n > end - at)
			return false;
		if ((s[at] == OPTION_SOURCE || s[at] == OPTION_TARGET) &&
		    memcmp(s + at + 2, s + 6, 6) != 0)
			return false;
		at += n;
	}
	return true;
}

/* A solicitation or an advertisement of a neighbour, or the solicitation of a router. */
static enum drop check_nd(const struct query *q, const struct chain *c, bool is_nobody)
{
	uint32_t fixed = q->f->snap[c->at] == ROUTER_SOLICIT ? RS_BYTES : ND_BYTES;
	struct ip target;
	uint8_t type;

	if (c->at + fixed > c->end || !reach(q, c->end, c->end))
		return refuse(q, DROP_GUARD_ND, "neighbour discovery that ends too early", NULL);
	type = q->f->snap[c->at];
	if (!are_options_right(q, c->at + fixed, c->end))
		return refuse(q, DROP_GUARD_ND,
			      "neighbour discovery that names another MAC than its sender's", NULL);
	if (type == ROUTER_SOLICIT || (type == NEIGHBOUR_SOLICIT && !is_nobody))
		return DROP_NONE;
	memcpy(&target, q->f->snap + c->at + ND_TARGET, sizeof(target));
	return claim(q, &target, DROP_GUARD_ND);
}

/* From ::, what comes before there is an address: RFC 4862 5.4.2, RFC 4861 4.1, RFC 3590, and DHCPv6. */
static bool may_be_nobody(const struct chain *c, const uint8_t *upper)
{
	if (c->is_later)
		return false;
	if (c->proto == PROTO_UDP)
		return !c->is_fragment && read_be16(upper) == DHCP6_CLIENT &&
		       read_be16(upper + 2) == DHCP6_SERVER;
	return c->proto == PROTO_ICMPV6 &&
	       (upper[0] == NEIGHBOUR_SOLICIT || upper[0] == ROUTER_SOLICIT ||
		upper[0] == MLD_REPORT || upper[0] == MLD_DONE || upper[0] == MLD2_REPORT);
}

/* What no guest may say, whoever it is. */
static enum drop check_upper(const struct query *q, const struct chain *c, const uint8_t *upper)
{
	if (c->is_later)
		return DROP_NONE;
	if (c->proto == PROTO_UDP &&
	    is_server(read_be16(upper), read_be16(upper + 2), DHCP6_SERVER, DHCP6_CLIENT))
		return refuse_server(q); /* RFC 7610 5 */
	if (c->proto != PROTO_ICMPV6)
		return DROP_NONE;
	if (upper[0] == ROUTER_ADVERT) /* RFC 7113 2 */
		return refuse(q, DROP_ROGUE_RA, "a router's advertisement, and this port is none",
			      NULL);
	if (upper[0] == REDIRECT)
		return refuse(q, DROP_ROGUE_RA, "a router's redirect, and this port is none", NULL);
	if (c->is_fragment && upper[0] >= ROUTER_SOLICIT && upper[0] <= REDIRECT) /* RFC 6980 5 */
		return refuse(q, DROP_GUARD_ND, "neighbour discovery in fragments", NULL);
	return DROP_NONE;
}

static enum drop check_ipv6(const struct query *q)
{
	static const struct ip zero;
	const struct frame *f = q->f;
	struct chain c = {.at = ETH_HEADER + IPV6_BYTES};
	const uint8_t *upper;
	enum drop drop;
	struct ip src;
	bool is_nobody;

	if (f->snap_len < c.at || f->snap[ETH_HEADER] >> 4 != 6)
		return refuse(q, DROP_GUARD_IP, "no IPv6 header", NULL);
	c.proto = f->snap[ETH_HEADER + 6];
	c.end = c.at + read_be16(f->snap + ETH_HEADER + 4);
	/* RFC 2675 as Linux sends it: a length of 0 says that the field is too small. */
	if (unlikely(c.end == c.at && f->off.gso_type != GSO_NONE))
		c.end = f->len;
	if (unlikely(c.end > f->len || !walk(q, &c)))
		return refuse(q, DROP_GUARD_IP, "IPv6 headers that do not end in the packet", NULL);
	upper = f->snap + c.at;
	drop = check_upper(q, &c, upper);
	if (unlikely(drop))
		return drop;
	memcpy(&src, f->snap + ETH_HEADER + 8, sizeof(src));
	is_nobody = ip_equal(&src, &zero);
	if (is_nobody && !may_be_nobody(&c, upper))
		return refuse(q, DROP_GUARD_IP, "source", &src);
	drop = is_nobody ? pass_mac(q) : claim(q, &src, DROP_GUARD_IP);
	if (drop || c.is_later || c.proto != PROTO_ICMPV6 || upper[0] < ROUTER_SOLICIT ||
	    upper[0] > NEIGHBOUR_ADVERT)
		return drop;
	return check_nd(q, &c, is_nobody);
}

/* --- both together ----------------------------------------------------------------------- */

static __attribute__((noinline)) enum drop check_any(struct guard *g, const struct guard_ask *a,
						     struct frame *f)
{
	struct query q = {
		.g = g,
		.a = a,
		.f = f,
		.port = &g->port[a->slot],
		.who = fdb_key_of(f->snap + 6, f->tci & TCI_VID),
		.is_mac_given = !mac_is_zero(&a->mac),
	};

	if (q.is_mac_given && memcmp(f->snap + 6, a->mac.b, 6) != 0)
		return refuse(&q, DROP_GUARD_MAC, "source", NULL);
	switch (f->etype) {
	case ETYPE_IPV4:
		return check_ipv4(&q);
	case ETYPE_IPV6:
		return check_ipv6(&q);
	case ETYPE_ARP:
		return check_arp(&q);
	case ETYPE_EAPOL:
	case ETYPE_LLDP:
		return pass_mac(&q);
	default:
		return refuse(&q, DROP_GUARD_IP, "a protocol that guests have no use for", NULL);
	}
}

/*
 * The short form, for the frame that most are: IPv4 without options, bound to its port and MAC, between no ports of DHCP.
 * True: it is one, and check_any() would let it go.  False: that is to be asked.
 */
static inline bool is_plain(const struct guard *g, const struct guard_ask *a, const struct frame *f)
{
	const uint8_t *ip = f->snap + ETH_HEADER, *l4 = ip + IPV4_BYTES;
	uint64_t src;
	uint32_t own;
	uint16_t own_rest;

	if (f->etype != ETYPE_IPV4 || f->snap_len < ETH_HEADER + IPV4_BYTES + UPPER_BYTES ||
	    ip[0] != 0x45)
		return false;
	if (ip[9] == PROTO_UDP &&
	    is_server(read_be16(l4), read_be16(l4 + 2), DHCP_SERVER, DHCP_CLIENT))
		return false;
	memcpy(&own, a->mac.b, sizeof(own));
	memcpy(&own_rest, a->mac.b + 4, sizeof(own_rest));
	if ((own | own_rest) && memcmp(f->snap + 6, a->mac.b, 6) != 0)
		return false;
	/* The address is the upper 48 bits of what lies from offset 4 on, as the path's own keys are made. */
	memcpy(&src, f->snap + 4, sizeof(src));
	return is_bound_to(&g->port[a->slot], (le64toh(src) & ~0xffffULL) | (f->tci & TCI_VID),
			   (struct halves){0, htobe64(0xffff00000000 | read_be32(ip + 12))},
			   a->now_s);
}

enum drop guard_check(struct guard *g, const struct guard_ask *a, struct frame *f)
{
	return is_plain(g, a, f) ? DROP_NONE : check_any(g, a, f);
}
