/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gateway: the switch's own addresses: ARP, neighbour discovery and ICMP echo answered, routing between networks, router
 * advertisements, errors, and the way through the NAT.
 *
 * What.  A leg is an address of ours on a VLAN: inside legs are gateways of networks, outside legs stand on the VLAN of an
 * uplink.  To the switch they are stations like others: a frame to a leg's MAC, or a group frame that a leg takes, comes
 * here out of forward.c's second stage.  What the gateway sends goes back into it: a packet that was routed has another VLAN and
 * other MACs then, and L2 decides by which port it leaves.
 *
 *    port -> admit -> L2 --(dst is a leg)--> gateway_take --> NAT --> next hop --> L2 of the other VLAN -> port
 *                                               '--> made frames: answers, errors, questions ------'
 *
 * Host-only networks: the kernel's device is their gateway (DESIGN.md 6).  They have a leg only for routes between networks:
 * frames to the gateway's MAC that are not for the host's address come here, all others go to the device as ever.
 *
 * Accounting.  A frame that waits for its neighbour, or as a fragment for its first one, was taken in (OUT_LOCAL); if it never
 * goes out, that is in gateway_stats: unanswered, wait_lost.  What was made and found no room is there too.
 *
 * Limits.  ICMP errors: 1000 a second, 100 by one leg.  Answers to ARP, ND, RS and echo: 20000 a second by an inside leg, 1000 by
 * an outside one; a resets as an error.  Claims to an address of ours: one warning a minute, one defence in 10 s for each leg.
 *
 * Threads.  gateway_conf is immutable and part of the fabric.  gateway_take() and gateway_tick() take the gateway's lock, once
 * for each vector; it is the workers' own, and the control thread never holds it: what it wants to know or change it has a
 * worker do, between two vectors (worker_call()).
 *
 * RFC 791, 792, 826, 1122, 1812, 4443, 4861, 4862, 5227, 8200; errors about translated packets: RFC 5508.
 */
#ifndef VFAB_SWITCH_GATEWAY_H
#define VFAB_SWITCH_GATEWAY_H

#include "nat/nat.h"
#include "switch/neigh.h"
#include "switch/port/port.h"
#include "switch/trace.h"

enum { LEGS_MAX = 4095, LEG_NONE = 0, GATEWAY_MADE = VEC_SIZE, GATEWAY_IOVS = 2048 };

/* What a network's gateway serves beside itself. */
enum gateway_service { SERVES_DHCP = 1, SERVES_DHCP6 = 2, SERVES_DNS = 4 };
/* Flags of router advertisements, RFC 4861 4.2. */
enum { RA_MANAGED = 0x80, RA_OTHER = 0x40 };

/* An address of ours on a VLAN. */
struct gateway_leg {
	uint16_t vid;
	uint16_t slot; /* outside: of the uplink's port */
	struct mac mac;
	struct prefix v4, v6;	       /* our address and its network; is_set */
	struct prefix more[15];	       /* outside: further addresses that are ours, for the NAT */
	unsigned n_more;
	struct ip next4, next6;	       /* outside: the next hop; all zero: none */
	uint32_t mtu;		       /* of the IP packet */
	uint32_t told_mtu;	       /* inside: that hosts are told, by advertisements and DHCP; 0: mtu, and DHCP says nothing */
	bool is_outside, is_host_only; /* of the latter the kernel is the gateway */
	bool is_nat;		       /* inside: to be translated on its way out, by `outside` */
	bool routes_v6;		       /* inside: its IPv6 goes out untranslated; outside: ND is answered for such networks */
	bool advertises;	       /* inside: router advertisements for v6 */
	bool is_slaac;		       /* inside: hosts may make addresses of v6 themselves, if it is a /64 */
	uint8_t ra_flags;	       /* inside: what DHCPv6 has for them */
	uint8_t serves;		       /* inside: enum gateway_service bits that the control thread answers there */
	uint8_t n_rdnss;	       /* inside: name servers that advertisements tell (RFC 8106) */
	struct ip rdnss[4];
	char *dnssl;		       /* inside: and domains to search, with blanks between; malloc'd; NULL: none */
	uint16_t outside;	       /* inside: place in legs of the way out; LEG_NONE: none */
	uint64_t *reaches;	       /* inside: bit for each leg that it may begin to speak to (routes); NULL: none */
	/* By gateway_conf_seal(): */
	const struct gateway_conf *conf; /* that it is of */
	uint64_t own_filter;		 /* bit for the last 6 bits of each address of ours: mostly says "none of them" at once */
	uint16_t more_links;		 /* which of more are on a network of their own */
	uint32_t net4, mask4;		 /* of v4 */
	bool is_plain;			 /* inside: the short form of gateway.c may sort what comes from there */
};

/* What a configuration says of legs: made by legs.c out of a struct conf and the state of uplinks. */
struct gateway_conf {
	unsigned n_legs;	   /* place 0 is none */
	struct gateway_leg *leg;
	uint16_t leg_of[4096];	   /* by VLAN */
	/* Where networks of ours may be: a bit for each /16, and for each hash of an IPv6 /32. */
	uint64_t near4[1024], near6[1024];
	uint64_t odd4[1024]; /* as near4, or of no host, or link-local: no packet there is simply sent out */
	bool is_sealed;
};
/* Fills in what follows from the rest; after it c does not change.  gateway_take() insists. */
void gateway_conf_seal(struct gateway_conf *c);
void gateway_conf_destroy(struct gateway_conf *c); /* NULL is fine */

/* Frames that the gateway makes, in memory of the worker: answers, errors, questions, and what waited.  tci and the MACs are
 * set; the body of one may lie in the source of the vector in hand, or in a place of the gateway's that is the worker's until it
 * calls again. */
struct gateway_made {
	struct vec vec;
	uint8_t *mem; /* GATEWAY_MADE snapshots of HEAD_LONG_STRIDE bytes */
	unsigned n_iov, n_places, n_snap;
	uint16_t place[GATEWAY_MADE]; /* of the hold, to be given back */
	struct iovec iov[GATEWAY_IOVS];
	uint64_t lost; /* for want of room */
};
int gateway_made_init(struct gateway_made *m); /* 0, -ENOMEM */
void gateway_made_fini(struct gateway_made *m);

/* What the gateway needs of who calls it. */
struct gateway_call {
	const struct gateway_conf *conf;
	struct gateway_made *made; /* what it holds is sent; gateway_take() and gateway_tick() begin it anew */
	uint64_t now_ns;
	uint16_t in_slot;
	uint8_t *head_long;    /* VEC_SIZE buffers of HEAD_LONG_STRIDE: for frame_pull of vec->f[i] */
	struct recorder *rec;  /* NULL: nobody watches */
};

struct gateway;

/* region: nat_region_bytes() of the broker.  NULL without memory. */
struct gateway *gateway_create(struct neigh_table *neigh, bool is_fresh_neigh, void *nat_region, bool is_fresh_nat,
			       const uint64_t seed[2], uint64_t now_ns);
void gateway_destroy(struct gateway *g); /* NULL is fine */

/* --- Data --- */

/* Does a leg take this group frame?  ARP and ND for its addresses and claims to them, RS where it advertises, what DHCP asks
 * where it is served, or says to the leg's MAC; such a frame goes nowhere else.  Of VLANs with a leg; no lock. */
bool gateway_wants(const struct gateway_leg *leg, const struct frame *f);
/* Unicast to the MAC of a host-only leg: is it for a service, or for another network that routes let it reach?  No lock. */
bool gateway_routes(const struct gateway_conf *c, const struct gateway_leg *leg, const struct frame *f);
/* A frame that goes its way, but from which neighbours are learned: group ARP and ND that no leg takes; ARP and ND to the MAC
 * of a host-only leg.  Takes the lock only for these; what then could go out waits for the next tick. */
void gateway_hear(struct gateway *g, const struct gateway_conf *c, const struct frame *f, uint64_t now_ns);
/* Who answered for that address within the last five minutes?  False: nobody.  A look, which takes the lock. */
bool gateway_neighbour(struct gateway *g, uint16_t vid, const struct ip *ip, uint64_t now_ns, struct mac *mac);

/*
 * The frames of v with these indices, all for the leg of their VLAN (tci).  Afterwards each is dropped (f->drop), was taken in
 * (f->out == OUT_LOCAL), or goes on (OUT_NONE): tci and both MACs are those of the next hop.  call->made holds what else is to
 * be sent.
 */
void gateway_take(struct gateway *g, const struct gateway_call *call, struct vec *v, const uint8_t *index, unsigned n);

/* What is due by now; the frames to be sent are in call->made.  Returns when it wants to be called again, UINT64_MAX: not before
 * something was taken.  One load when nothing is due. */
uint64_t gateway_tick(struct gateway *g, const struct gateway_call *call);

/* --- Control: run by a worker, between two vectors, with the lock held --- */

void gateway_lock(struct gateway *g);
void gateway_unlock(struct gateway *g);
struct nat *gateway_nat(struct gateway *g);
struct neigh *gateway_neigh(struct gateway *g);
/* Another configuration: legs that came or changed say so (gratuitous ARP, unsolicited and router advertisements) from the next
 * tick on; neighbours of those that are gone or have other addresses are forgotten. */
void gateway_announce(struct gateway *g, const struct gateway_conf *c, uint64_t now_ns);

struct gateway_stats { /* ever */
	uint64_t answered;    /* ARP, ND, RS, echo */
	uint64_t errors, errors_held; /* ICMP errors and resets sent; over the limit */
	uint64_t claims;      /* to addresses of ours */
	uint64_t waited;      /* for a neighbour */
	uint64_t unanswered;  /* of those: nobody was there */
	uint64_t wait_lost;   /* of those: others came */
	uint64_t made_lost;   /* made, or released, and no room or no way */
};
void gateway_stats(const struct gateway *g, struct gateway_stats *out);

/*
 * Services: what is for one of them is copied into a ring for the control thread: UDP to the leg's own address (DHCP: also to all),
 * TCP segments to port 53 of a leg that serves DNS, answers to ARP probes where DHCP is served, and UDP to the ports of a leg
 * outside that gateway_serve() names (DHCP of the uplink; lock held; at most 64).  The control thread reads with
 * gateway_service_read() and answers by gateway_send() and gateway_send_ip().
 *
 * Limits.  Of one port at most SERVICE_SHARE wait, SERVICE_SHARE_LEAST when the ring is half full: who floods loses his own.
 */
enum { SERVICE_SHARE = 1024, SERVICE_SHARE_LEAST = 8, SERVICE_BYTES = 1500 };
enum { SERVICE_ARP = 0 }; /* proto of an answer to an ARP probe: src and src_mac say who has the address */

struct gateway_datagram {
	uint16_t vid, slot;
	uint8_t proto;	/* PROTO_UDP, PROTO_TCP, SERVICE_ARP */
	bool is_inside; /* of a network, not of an uplink */
	struct mac src_mac;
	struct ip src, dst;
	uint16_t sport, dport;
	uint16_t len; /* bytes of payload */
	uint8_t payload[SERVICE_BYTES]; /* of UDP; TCP: from its header on */
};
void gateway_serve(struct gateway *g, uint16_t vid, uint16_t udp_port, bool on);
bool gateway_service_read(struct gateway *g, struct gateway_datagram *out); /* false: none waits */
int gateway_service_fd(const struct gateway *g); /* eventfd: readable when some wait, and cleared by reading the last */
/* Control thread, no lock: an Ethernet frame of ours on that VLAN, at the next tick; wake a worker then.  0, -ENOBUFS. */
int gateway_send(struct gateway *g, uint16_t vid, const uint8_t *frame, uint16_t len);
/* The same of an IP packet from the leg's MAC: n bytes of L4 with a checksum field at csum_at, which is filled in. */
struct gateway_packet {
	uint16_t vid, csum_at;
	uint8_t proto;
	struct mac mac; /* to whom */
	struct ip src, dst;
};
int gateway_send_ip(struct gateway *g, const struct gateway_packet *k, const uint8_t *l4, uint16_t n);

#endif
