/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * packet: the IP packet in a frame: what the gateway and the NAT need to know of it, read once from the snapshot.
 *
 * RFC 791, RFC 8200, RFC 1122 3.2.1; lengths are those of the IP header, so that padding and trailers of Ethernet
 * are no part of the packet.
 */
#ifndef VFAB_BASE_PACKET_H
#define VFAB_BASE_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/base/addr.h"
#include "switch/base/frame.h"

enum {
	PROTO_ICMP = 1,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_ICMPV6 = 58,
};

enum packet_fragment {
	FRAGMENT_NONE,	/* also an atomic one (RFC 6946) */
	FRAGMENT_FIRST, /* has the L4 header, and others follow */
	FRAGMENT_LATER, /* has none: sport and dport are 0 */
};

struct packet {
	struct frame *f;
	struct ip src, dst;
	uint32_t ip_bytes;	/* header and payload, by the IP header; over 65535 only of a GSO frame (RFC 2675, BIG TCP) */
	uint16_t l3, l4;	/* offsets in the snapshot; l4 is behind options and extension headers */
	uint16_t sport, dport;	/* TCP, UDP; ICMP queries: both are the identifier; else 0 */
	uint8_t proto;		/* of L4; PROTO_ICMP is that of IPv4 only, PROTO_ICMPV6 of IPv6 only; of a later IPv6 fragment: what
				 * follows its fragment header, which may be an extension header */
	uint8_t ttl;		/* or hop limit */
	uint8_t fragment;	/* enum packet_fragment */
	bool is_v6;
	bool has_options;	/* IPv4 options, or an IPv6 hop-by-hop or routing header */
	bool is_source_routed;	/* by one of those: dst is not the last destination, which its checksum covers */
	bool dont_fragment;	/* IPv4 DF; always of IPv6 */
	bool fragment_more;
	uint16_t fragment_at;	/* bytes of the payload before this fragment */
	uint16_t fragment_header; /* IPv6: offset of the fragment header in the snapshot, 0: none */
	uint32_t fragment_id;	/* IPv4 identification, or that of the fragment header */
	uint8_t icmp_type, icmp_code; /* of ICMP, with an L4 header */
};

/*
 * Reads the headers.  The frame is untagged (after ingress) and its etype IPv4 or IPv6.  DROP_NONE, or DROP_BAD_IP: version, header
 * length, total length over the frame's, a bad IPv4 header checksum, a fragment that reaches over 65535 bytes, is empty or does not
 * end on a multiple of 8, more than 8 extension headers, an L4 header that the packet ends in (TCP 20 and its own length, UDP 8
 * and its own length, ICMP 8), so also a first fragment without it (RFC 1858, RFC 7112).  A header beyond the snapshot is
 * DROP_BAD_IP as well: callers pull frames first (frame_pull, PACKET_SNAP bytes).
 */
enum { PACKET_SNAP = 128 };
enum drop packet_parse(struct packet *k, struct frame *f);

/* Of ICMP: a message with an identifier (echo, timestamp, information, mask: RFC 5508 1), or an error about a packet that it holds
 * (types 3, 4, 11, 12; ICMPv6 1-4).  False of a later fragment. */
bool packet_is_query(const struct packet *k);
bool packet_is_error(const struct packet *k);

/*
 * Rewriting, in the snapshot.  Each keeps every checksum right (RFC 1624), that of the IPv4 header too; of a frame whose L4
 * checksum is partial (OFFLOAD_NEEDS_CSUM) the addresses alone go into it; a UDP checksum of 0 stays 0, and never becomes 0.
 * A later fragment has no ports; the identifier of an ICMP query is the port of both ends.  k says the new values afterwards.
 */
void packet_set_src(struct packet *k, const struct ip *ip, uint16_t port);
void packet_set_dst(struct packet *k, const struct ip *ip, uint16_t port);
void packet_set_id(struct packet *k, uint16_t id); /* IPv4 identification */
void packet_take_hop(struct packet *k); /* TTL or hop limit less one; it is over 1 */
/* Lowers the MSS of a TCP SYN to at most mss (RFC 879, RFC 6691); does nothing to any other packet. */
void packet_clamp_mss(struct packet *k, uint16_t mss);

/*
 * One step below, for who knows what it does to the checksums.  addresses: what their words change by; all: that and the ports,
 * or the port alone for ICMP of IPv4, which has no pseudo-header; folded sums of the old words' complements and the new words.
 */
void packet_put_end(struct packet *k, bool is_src, const struct ip *ip, uint16_t port, uint16_t addresses, uint16_t all);

static inline void write_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline uint32_t read_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Adds to a checksum field what its words changed by (RFC 1624, equation 3). */
static inline void csum_shift(uint8_t *field, uint16_t change)
{
	uint32_t sum = (uint16_t)~read_be16(field) + (uint32_t)change;

	write_be16(field, (uint16_t) ~(sum + (sum >> 16)));
}

#endif
