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
	FRAGMENT_NONE,
	FRAGMENT_FIRST, /* has the L4 header, and others follow */
	FRAGMENT_LATER, /* has none: sport and dport are 0 */
};

struct packet {
	struct frame *f;
	struct ip src, dst;
	uint16_t sport, dport;	/* TCP, UDP; ICMP echo and its reply: both are the identifier; else 0 */
	uint16_t l3, l4;	/* offsets in the snapshot; l4 is behind options and extension headers */
	uint16_t ip_bytes;	/* header and payload, by the IP header; of a GSO frame over 64 KiB: 0 (RFC 2675, BIG TCP) */
	uint8_t proto;		/* of L4; 1 and 58 are ICMP */
	uint8_t ttl;		/* or hop limit */
	uint8_t fragment;	/* enum packet_fragment */
	bool is_v6;
	bool has_options;	/* IPv4 options, or an IPv6 hop-by-hop or routing header */
	bool dont_fragment;	/* IPv4 DF; always of IPv6 */
	uint16_t fragment_at;	/* bytes of the payload before this fragment */
	bool fragment_more;
	uint32_t fragment_id;	/* IPv4 identification, or that of the fragment header */
	uint16_t fragment_header; /* IPv6: offset of the fragment header in the snapshot, 0: none */
	uint8_t icmp_type, icmp_code; /* of proto 1 and 58, with an L4 header */
};

/*
 * Reads the headers.  The frame is untagged (after ingress) and its etype IPv4 or IPv6.  DROP_NONE, or DROP_BAD_IP: version, header
 * length, total length over the frame's, a bad IPv4 header checksum, a fragment that reaches over 65535 bytes, more than 8 extension
 * headers, an L4 header that the packet ends in (TCP 20 with its own length, UDP 8, ICMP 8).  A header beyond the snapshot is
 * DROP_BAD_IP as well: callers pull frames first (frame_pull, PACKET_SNAP bytes).
 */
enum { PACKET_SNAP = 128 };
enum drop packet_parse(struct packet *k, struct frame *f);

/*
 * Rewriting, in the snapshot.  Each keeps every checksum right (RFC 1624), that of the IPv4 header too; of a frame whose L4
 * checksum is partial (OFFLOAD_NEEDS_CSUM) the addresses alone go into it; a UDP checksum of 0 stays 0, and never becomes 0.
 * A later fragment has no ports.  k says the new values afterwards.
 */
void packet_set_src(struct packet *k, const struct ip *ip, uint16_t port);
void packet_set_dst(struct packet *k, const struct ip *ip, uint16_t port);
void packet_take_hop(struct packet *k); /* TTL or hop limit less one; it is over 1 */
/* Lowers the MSS of a TCP SYN to at most mss (RFC 879, RFC 6691); does nothing to any other packet. */
void packet_clamp_mss(struct packet *k, uint16_t mss);

#endif
