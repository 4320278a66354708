/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frame: one Ethernet frame on its way through the switch, and vectors of them.
 *
 * What.  A frame is a 64-byte context.  Its first bytes are in the snapshot, memory of the
 * worker that nobody else can change; every decision reads only the snapshot.  The rest
 * lies where it arrived, in body[], and may be guest memory: it is copied, never parsed.
 *
 *      snap - headroom      snap                       snap + snap_len
 *      |  >= FRAME_HEADROOM | dst src type payload...  |   body[0] body[1] ...
 *
 * The outer 802.1Q or 802.1ad tag that the port's VLAN mode takes is not in the bytes: after
 * vlan_ingress() the frame is untagged, and tci holds its VLAN and priority.  len, l3, l4 and
 * the offload offsets all count from the untagged frame.
 *
 * Ownership.  The port that received a vector owns snapshot and body until rx_done().  tx
 * takes frames as const.
 *
 * Limits.  VEC_SIZE frames a vector, FRAME_MAX bytes a frame.
 */
#ifndef VFAB_BASE_FRAME_H
#define VFAB_BASE_FRAME_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "switch/base/drop.h"

enum {
	VEC_SIZE = 128,		 /* frames a vector */
	FRAME_HEADROOM = 128,	 /* bytes free in front of every snapshot */
	FRAME_MAX = 65536 + 256, /* bytes of the largest frame: 64 KiB of payload and its headers */
	SNAP_MIN = 64,		 /* a snapshot holds at least this much of a frame that long */
	SNAP_MAX = 2048,	 /* and never more than this */
	ETH_HEADER = 14,
	ETH_MIN = 60, /* without FCS */
	TAG_BYTES = 4,
	GSO_SEGMENTS_MAX = 1366, /* of one frame: 64 KiB in the smallest MSS that Linux sends, 48 */
};

enum ethertype {
	ETYPE_IPV4 = 0x0800,
	ETYPE_ARP = 0x0806,
	ETYPE_8021Q = 0x8100,
	ETYPE_IPV6 = 0x86dd,
	ETYPE_8021AD = 0x88a8,
	ETYPE_LOOP_PROBE = 0x88b5, /* IEEE 802 local experimental 1: our loop probe */
};

/* The tag control information of 802.1Q 9.6, in host order. */
enum { TCI_VID = 0x0fff, TCI_DEI = 0x1000, TCI_PCP = 0xe000, TCI_PCP_SHIFT = 13 };

/* Offload metadata: the fields of virtio 1.2, 5.1.6, host order, offsets from the untagged frame. */
enum { OFFLOAD_NEEDS_CSUM = 1, OFFLOAD_DATA_VALID = 2 };
enum { GSO_NONE = 0, GSO_TCPV4 = 1, GSO_TCPV6 = 4, GSO_UDP_L4 = 5, GSO_ECN = 0x80 };

struct offload {
	uint8_t flags;	      /* OFFLOAD_* */
	uint8_t gso_type;     /* GSO_*, with GSO_ECN or'ed in */
	uint16_t hdr_len;     /* bytes of headers, up to the payload that is segmented */
	uint16_t gso_size;    /* payload bytes a segment */
	uint16_t csum_start;  /* where the checksum begins */
	uint16_t csum_offset; /* where it goes, from csum_start */
};

struct frame {
	uint8_t *snap;		  /* first bytes of the frame */
	struct iovec *body;	  /* the rest, in the source's memory; NULL when body_cnt is 0 */
	uint32_t len;		  /* bytes of the whole frame */
	uint16_t snap_len;	  /* bytes of it in the snapshot */
	uint16_t body_cnt;	  /* iovecs in body */
	struct offload off;	  /* checksum and segmentation */
	uint16_t etype;		  /* EtherType of the untagged frame, host order */
	uint16_t tci;		  /* VLAN id of the fabric, DEI and priority, host order */
	uint16_t rx_tpid;	  /* TPID of the tag that ingress took off, 0 when there was none */
	uint16_t rx_tci;	  /* and its tag control information */
	uint16_t in;		  /* slot of the port it came in by */
	uint16_t out;		  /* slot of the one output, or OUT_* */
	uint8_t drop;		  /* enum drop; DROP_NONE while it goes on */
	uint8_t traced;		  /* 0, or 1 + index in the recorder's list */
	uint16_t copies;	  /* outputs that take a flooded frame, as far as is known */
	uint8_t reserved[12];
};

_Static_assert(sizeof(struct frame) == 64, "a frame context is one cache line");

enum { OUT_FLOOD = 0xffff, OUT_LOCAL = 0xfffe, OUT_NONE = 0xfffd, SLOT_MAX = 4096 };

/*
 * A vector: frames of one port queue.  ahead: where n_ahead frames of the next one begin, if the port knows; the path asks for
 * their lines while it is busy with this one.
 */
struct vec {
	unsigned n, n_ahead;
	uint8_t *const *ahead;
	struct frame f[VEC_SIZE];
} __attribute__((aligned(64)));

/*
 * Step k of two for each frame (when it is taken, and when it is admitted): asks for one of the first two lines of one frame
 * of the next vector, so that they come evenly.
 */
static inline void vec_call_ahead(const struct vec *v, unsigned k)
{
	if (k / 2 < v->n_ahead)
		__builtin_prefetch(v->ahead[k / 2] + (k & 1) * 64);
}

/* 16 bits in network order, at any address. */
static inline uint16_t read_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* The EtherType field, host order.  The snapshot must hold ETH_HEADER bytes. */
static inline uint16_t frame_etype(const struct frame *f)
{
	return read_be16(f->snap + 12);
}

static inline bool frame_is_group(const struct frame *f)
{
	return f->snap[0] & 1;
}

static inline uint8_t gso_kind(const struct frame *f)
{
	return f->off.gso_type & (uint8_t)~GSO_ECN;
}

/*
 * Checks the offload fields against the frame (virtio 1.2, 5.1.6.2; all of them are written by
 * the sender): a checksum field inside the frame, gso_size not 0, a GSO type that agrees with
 * the headers in the snapshot, hdr_len recomputed from those headers.  The frame is untagged, so this
 * comes after ingress.  DROP_NONE or DROP_BAD_OFFLOAD.
 *
 * Afterwards the fields are in one form: unknown flags are gone; fields without meaning are 0; a frame whose
 * payload is one segment has no GSO; one with GSO always has OFFLOAD_NEEDS_CSUM at its TCP or UDP header.
 * Callers may skip it when flags and gso_type are 0, and then treat all fields as 0.
 */
enum drop frame_check_offload(struct frame *f);

/*
 * Where the L4 header starts in the snapshot, and its protocol: IPv4 with options, IPv6 with up
 * to 8 extension headers, at most two 802.1Q tags before them.  False when there is none in the
 * snapshot: not IP, truncated, a later fragment.
 */
struct frame_l4 {
	uint16_t l3, l4; /* offsets from the start of the frame */
	uint8_t proto;	 /* IP protocol number */
	bool is_ipv6;
	bool is_routed;	  /* an IPv6 routing header: the destination is not the last one */
	bool is_fragment; /* the first of several, or an atomic one */
};
bool frame_find_l4(const struct frame *f, struct frame_l4 *out);

/*
 * Copies n bytes of the frame from offset off to dst, from snapshot and body.  Returns the
 * bytes copied: fewer when the frame ends before.
 */
uint32_t frame_copy(const struct frame *f, uint32_t off, void *dst, uint32_t n);

/*
 * Makes the snapshot n bytes long, or as long as the frame or SNAP_MAX, in `to`, which has FRAME_HEADROOM bytes before it; what
 * is in the snapshot is not read again from its source.  Nothing happens when it is that long already.
 */
void frame_pull(struct frame *f, uint8_t *to, uint16_t n);

/* Reads a frame from front to back; each call goes on where the last one ended. */
struct frame_reader {
	const struct frame *f;
	uint32_t off;	/* in the frame */
	uint16_t piece; /* iovec of body */
	size_t inside;	/* and bytes of it that were read */
};
void frame_reader_init(struct frame_reader *r, const struct frame *f, uint32_t off);
/* Returns the bytes copied: fewer than n when the frame ends before. */
uint32_t frame_read(struct frame_reader *r, void *dst, uint32_t n);

/*
 * Describes the bytes from off to the end as iovecs: snapshot rest, then body.  Returns how many
 * of max were used, or -1 when they did not suffice.
 */
int frame_iov(const struct frame *f, uint32_t off, struct iovec *iov, int max);

#endif
