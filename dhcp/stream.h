/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream: the passive end of short TCP connections, for DNS over TCP (RFC 7766) on the gateway's addresses, where no kernel
 * listens.
 *
 * What.  Segments in, segments out, messages with a length of two bytes in front of them (RFC 1035 4.2.2) to the caller, and his
 * answers back.  The smallest TCP that any stack talks to: it never begins a connection, takes data in order only (its window is
 * one segment, so that nobody sends more at a time), sends at most ten segments and his window at a time, go-back-N with
 * exponential timeout (RFC 6298, from 1 s), MSS the one option.  RFC 9293 3.5 (LISTEN, SYN-RECEIVED, ESTABLISHED, CLOSE-WAIT,
 * LAST-ACK, FIN-WAIT), 3.10.7 (which segments are acceptable; RST, SYN and ACK by RFC 5961 3 to 5: challenge ACK, rate
 * limited), 3.4.1 (initial sequence numbers: keyed hash of the ends plus a clock, RFC 6528).
 *
 * Limits.  STREAMS_MAX connections, a quarter of them of one port; a new one beyond its share takes the place of the one of
 * that port that is idle the longest; when all places are taken, that of the port that holds most, so that none keeps the
 * others out.  Half-open ones count and last 5 s.  A connection that is idle for 10 s is closed, one that has sent half a
 * message is reset 5 s after its first byte.  A message from the guest has 1 to STREAM_IN bytes, any other length: reset.
 * Answers wait in STREAM_OUT bytes; more: reset.
 *
 * Trust.  Every byte is a guest's: the TCP header is checked here; its checksum, and that the ends are those of the frame, was
 * by the caller.
 */
#ifndef VFAB_DHCP_STREAM_H
#define VFAB_DHCP_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/base/addr.h"

enum { STREAMS_MAX = 256, STREAM_IN = 512, STREAM_OUT = 17 * 1024, STREAM_MSS = 1400, STREAM_HEADER_MAX = 24 };

struct streams;

/* The two ends, as the guest's segments name them. */
struct stream_ends {
	uint16_t vid, slot; /* slot: the port, whose share it counts to */
	struct mac mac;	    /* of the guest */
	struct ip src, dst; /* of the guest, ours */
	uint16_t sport, dport;
};

struct stream_ways {
	void *arg;
	/* A TCP segment to be sent to e->src from e->dst: header and payload, checksum field 0: the caller fills it in. */
	void (*send)(void *arg, const struct stream_ends *e, const uint8_t *segment, size_t n);
	/* A whole message came on that connection.  The answer may be given within it, or later; of several, in any order.
	 * No other function than streams_answer() and streams_flush() is called from within any of these. */
	void (*message)(void *arg, uint64_t conn, const struct stream_ends *e, const uint8_t *bytes, size_t n);
	/* It is gone, whatever the reason; its answers are not wanted. */
	void (*gone)(void *arg, uint64_t conn);
};

struct streams *streams_create(const struct stream_ways *w, const uint64_t secret[2]); /* NULL without memory */
void streams_destroy(struct streams *s); /* NULL is fine */

/* A segment of a guest, from its TCP header on. */
void streams_receive(struct streams *s, const struct stream_ends *e, const uint8_t *segment, size_t n, uint64_t now_ms);
/* An answer: its length is put in front.  False: no such connection (any more). */
bool streams_answer(struct streams *s, uint64_t conn, const uint8_t *bytes, size_t n, uint64_t now_ms);
/* Returns when it wants to be called again, UINT64_MAX: no connection. */
uint64_t streams_tick(struct streams *s, uint64_t now_ms);
/* The leg of a VLAN is gone: its connections are forgotten without a word. */
void streams_flush(struct streams *s, uint16_t vid);
unsigned streams_count(const struct streams *s);

#endif
