/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gateway_internal: what the files of the gateway share.
 *
 *   gateway.c        life, lock, the vector in passes, the tick     gateway_arp.c   ARP
 *   gateway_conf.c   what a configuration says                      gateway_nd.c    neighbour discovery
 *   gateway_route.c  where a packet goes: NAT, other networks       gateway_ra.c    announcements, router advertisements
 *   gateway_hop.c    hops, MTU, the neighbour                       gateway_local.c what is for the gateway itself
 *   gateway_frag.c   fragments of what is too large                 gateway_icmp.c  errors and resets
 *   gateway_made.c   frames of our own                              gateway_serve.c services of the control thread
 *   gateway_group.c  frames to groups
 *
 * All but gateway_conf.c's and gateway_call_service() are called with the lock held, and g->call set where they look at it.
 */
#ifndef VFAB_SWITCH_GATEWAY_INTERNAL_H
#define VFAB_SWITCH_GATEWAY_INTERNAL_H

#include <stdatomic.h>
#include <string.h>

#include "switch/base/rate.h"
#include "switch/base/ring.h"
#include "switch/gateway_addr.h"

enum {
	VLANS = 4096,
	SERVICES_MAX = 64,
	IPV4_BYTES = 20, IPV6_BYTES = 40,
	ICMP_BYTES = 8, UDP_BYTES = 8,
	ARP_BYTES = 42, /* Ethernet header included */
	TTL_OURS = 64,
	ND_HOPS = 255, /* RFC 4861: proves that nobody forwarded it */
};

enum icmpv6 {
	ICMPV6_ECHO = 128,
	ICMPV6_ECHO_REPLY,
	ND_ROUTER_SOLICIT = 133,
	ND_ROUTER_ADVERT,
	ND_SOLICIT,
	ND_ADVERT,
	ND_REDIRECT,
};

/* What is done with a packet. */
enum way {
	WAY_OUT = NAT_OUT, /* inside to outside, translated */
	WAY_IN = NAT_IN,
	WAY_ROUTE = NAT_ROUTE, /* between networks, by a session */
	WAY_PLAIN,	       /* IPv6 without translation */
};
/* A packet on its way through. */
struct work {
	struct packet k;
	struct nat_job j;
	const struct gateway_leg *from, *to; /* from: NULL: not known any more */
	uint8_t way;			     /* enum way */
	bool may_begin;			     /* WAY_ROUTE */
	bool is_held;			     /* by the NAT: a fragment; never of a plain one */
	bool is_plain;			     /* the short forms of gateway.c may carry it */
	bool is_translated;		     /* errors about it have to be translated back */
};
_Static_assert(sizeof(struct work) == 128, "two lines");

/* What the gateway remembers of a VLAN with a leg. */
struct leg_state {
	struct rate errors, answers;
	uint64_t claim_said_ns, claim_defended_ns; /* 0: never */
	uint64_t ra_next_ns, announce_next_ns;	   /* UINT64_MAX: not */
	uint64_t ra_last_ns;			   /* to everybody */
	uint8_t ra_soon, announces;		   /* that are still to come in short order */
	bool is_known;
	/* Of the leg, when it was announced last. */
	bool is_slaac;
	uint64_t advert; /* hash of its router advertisement, 0: none */
	struct mac mac;
	struct prefix v4, v6;
	/* What was advertised before and is to be taken back: while ra_soon; is_set. */
	struct prefix old6;
	uint8_t old6_flags;
};
struct gateway {
	atomic_flag lock;
	_Atomic uint64_t next_ns; /* when the tick has something to do */
	_Atomic bool has_queued;  /* the control thread sends something */
	const struct gateway_call *call;
	struct nat *nat;
	struct hold *hold;
	struct neigh *neigh;
	struct leg_state *state; /* of each VLAN */
	struct rate errors;
	struct gateway_stats stats;
	uint64_t legs_due_ns; /* the earliest of their announcements */
	uint64_t random;
	uint16_t ip_id;
	unsigned n_services;
	struct {
		uint16_t vid, port;
	} service[SERVICES_MAX];
	struct ring *inbox, *outbox; /* datagrams to the control thread; frames from it */
	_Atomic uint16_t *waiting;   /* in the inbox, of each port */
	atomic_bool is_called;	     /* the control thread was told and has not emptied the inbox since */
	bool has_served;	     /* the vector in hand put something into the inbox */
	int service_fd;
	const struct gateway_leg *hop_to; /* of the vector in hand: the leg outside whose next hop was asked for last, or NULL */
	uint8_t hop_eth[12];		  /* and the head of a frame to it */
	struct nat_job *plain[VEC_SIZE]; /* of those of work that are */
	_Alignas(64) struct work work[VEC_SIZE];
};

/* xorshift64*: for what need not be a secret. */
static inline uint64_t gateway_random(struct gateway *g)
{
	g->random ^= g->random >> 12;
	g->random ^= g->random << 25;
	g->random ^= g->random >> 27;
	return g->random * UINT64_C(2685821657736338717);
}

/* --- gateway_conf.c --- */

static inline const struct gateway_leg *gateway_leg_of(const struct gateway_conf *c, uint16_t vid)
{
	return &c->leg[c->leg_of[vid & TCI_VID]]; /* place 0 is nobody */
}
struct ip gateway_link_local(const struct mac *mac);
bool gateway_is_group(const struct ip *ip);	 /* multicast, and 255.255.255.255 */
/* Inside leg that leaves by `outside` and whose network holds ip; NULL: none. */
const struct gateway_leg *gateway_behind(const struct gateway_leg *outside, const struct ip *ip, bool is_v6);
/* Inside leg whose IPv6 is routed out by `outside` and whose network holds ip; NULL: none. */
const struct gateway_leg *gateway_routed6(const struct gateway_leg *outside, const struct ip *ip);
bool gateway_reaches(const struct gateway_leg *from, const struct gateway_leg *to);
/* The leg whose network an inside leg's packet to ip goes to, or NULL: none of ours, or not to be reached.  *is_ours: some network
 * holds it. */
const struct gateway_leg *gateway_other(const struct gateway_leg *from, const struct ip *ip, bool *is_ours);

/* --- gateway_made.c --- */
void gateway_made_begin(struct gateway *g);
struct frame *gateway_made_new(struct gateway *g, const struct gateway_leg *leg); /* NULL: no room, counted */
void gateway_made_cancel(struct gateway *g, struct frame *f); /* what was made after it moves up */
struct frame *gateway_made_held(struct gateway *g, uint16_t place);	       /* takes the place; NULL: no room, counted */
unsigned gateway_made_room(const struct gateway *g);
/* Bytes off to off + n of from follow what is in the snapshot of f; false: no room for the pieces. */
bool gateway_made_body(struct gateway *g, struct frame *f, const struct frame *from, uint32_t off, uint32_t n);
void gateway_write_eth(uint8_t *snap, const struct mac *dst, const struct mac *src, uint16_t etype);
/* A frame with Ethernet and IP header, `l4` bytes of payload to be filled in at the returned place; then seal() for the
 * checksums of what lies in the snapshot (field: offset of L4's, 0: leave it). */
struct gateway_ip {
	const struct gateway_leg *leg;
	struct ip src, dst;
	struct mac mac;
	uint8_t proto, hops;
	uint32_t l4;
};
uint8_t *gateway_made_ip(struct gateway *g, const struct gateway_ip *what, struct frame **f);
void gateway_seal(struct frame *f, const struct gateway_ip *what, unsigned field);

/* --- ARP, neighbour discovery, announcements --- */
enum drop gateway_arp(struct gateway *g, const struct gateway_leg *leg, struct frame *f);
void gateway_arp_hear(struct gateway *g, const struct gateway_leg *leg, const struct frame *f);
void gateway_arp_ask(struct gateway *g, const struct gateway_leg *leg, const struct ip *ip, const struct mac *mac);
void gateway_arp_announce(struct gateway *g, const struct gateway_leg *leg);
enum drop gateway_nd(struct gateway *g, const struct gateway_leg *leg, const struct packet *k);
void gateway_nd_hear(struct gateway *g, const struct gateway_leg *leg, const struct packet *k);
void gateway_nd_ask(struct gateway *g, const struct gateway_leg *leg, const struct ip *ip, const struct mac *mac);
void gateway_nd_announce(struct gateway *g, const struct gateway_leg *leg);
bool gateway_is_nd(const struct packet *k);
/* True: it is to be answered by a defence now. */
bool gateway_claimed(struct gateway *g, const struct gateway_leg *leg, const struct ip *ip, const struct mac *mac);
enum drop gateway_ra_answer(struct gateway *g, const struct gateway_leg *leg, const struct ip *to, const struct mac *mac);
void gateway_legs_tick(struct gateway *g);

/* --- a packet's way --- */
void gateway_ask(struct gateway *g, const struct gateway_leg *leg, const struct ip *ip, const struct mac *mac);

/* Sorts a packet to the leg: DROP_NONE and *goes: w is to be sought and carried; else it is done with (dropped, or f->out). */
enum drop gateway_sort(struct gateway *g, struct work *w, bool *goes);
enum drop gateway_carry(struct gateway *g, struct work *w);
enum drop gateway_carry_refused(struct gateway *g, struct work *w, enum drop drop);
/* Hop, MTU, neighbour: the frame goes on (OUT_NONE), waits (OUT_LOCAL), or is dropped. */
enum drop gateway_hop(struct gateway *g, struct work *w);
/* Writes MACs and VLAN, cuts what is no part of the packet, fragments. */
enum drop gateway_leave(struct gateway *g, struct work *w, const struct mac *mac);
void gateway_trim(const struct packet *k);
void gateway_shorten(struct frame *f, uint32_t len);
enum drop gateway_fragment(struct gateway *g, struct packet *k, uint32_t mtu);
enum drop gateway_local(struct gateway *g, struct work *w);
bool gateway_may_answer(struct gateway *g, const struct gateway_leg *leg);

/* Tells the sender why, by the drop reason, unless RFC 1812 4.3.2.7 or RFC 4443 2.4 forbid it, or over the limits. */
void gateway_error(struct gateway *g, struct work *w, enum drop why);
void gateway_reset(struct gateway *g, struct work *w);
void gateway_unreachable(struct gateway *g, struct work *w); /* a port, or a protocol */
bool gateway_is_served(const struct gateway *g, const struct gateway_leg *leg, uint8_t proto, uint16_t port);
enum drop gateway_serve_datagram(struct gateway *g, const struct work *w);
void gateway_serve_arp(struct gateway *g, const struct gateway_leg *leg, const struct frame *f);
void gateway_send_queued(struct gateway *g);
void gateway_call_service(struct gateway *g);

#endif
