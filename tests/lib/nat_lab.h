/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nat_lab: a NAT, a clock and one packet at a time, for the unit tests and the fuzzer of nat/.
 *
 * Networks: VLAN 10 and VLAN 11, with the same prefixes, leave by uplink 100 with 192.0.2.1 and 2001:db8::1; VLAN 12 is routed.
 * Outside hosts have whatever address a test likes.
 *
 * Each verb below checks, when it says DROP_NONE, every checksum of the packet that came out, by sums of its own over all bytes.
 */
#ifndef VFAB_TESTS_NAT_LAB_H
#define VFAB_TESTS_NAT_LAB_H

#include "nat/nat.h"

enum { LAB_IN = 10, LAB_IN2 = 11, LAB_ROUTED = 12, LAB_OUT = 100, LAB_OUT2 = 101, LAB_SLOT = 3 };
enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };
#define LAB_S 1000000000ULL

struct lab {
	struct nat_net nets[8];
	struct nat_outside outsides[4];
	struct nat_rule rules[NAT_RULES_MAX];
	struct nat_conf conf; /* of those: change and nat_lab_commit() */
	struct nat *nat;
	void *region;
	uint64_t now_ns;
	/* The packet in hand. */
	struct frame f;
	struct packet k;
	uint16_t vid; /* where it went */
	bool held;
	uint8_t memory[FRAME_HEADROOM + SNAP_MAX];
};
extern struct lab lab;

/* Setup and teardown of cmocka; the configuration above. */
int nat_lab_setup(void **state);
int nat_lab_teardown(void **state);
void nat_lab_commit(void);
/* Ends the process and starts the next one on the same region. */
void nat_lab_restart(void);
/* Time goes on, with all ticks. */
void nat_lab_wait(double seconds);
struct nat_rule *nat_lab_add_rule(const char *id, uint8_t proto, const char *bind, uint16_t first,
				  uint16_t last, const char *guest, uint16_t guest_first);

struct ip nat_lab_ip(const char *text);

/* Make the packet in hand; addresses say the family. */
void nat_lab_udp(const char *src, uint16_t sport, const char *dst, uint16_t dport);
void nat_lab_tcp(const char *src, uint16_t sport, const char *dst, uint16_t dport, uint8_t flags,
		 uint32_t seq, uint32_t ack, uint32_t payload);
void nat_lab_query(const char *src, const char *dst, bool is_request, uint16_t id);
/* Any packet of those ends; l4 has ports and checksum place zero; both checksums are set. */
void nat_lab_ip_packet(const struct ip *src, const struct ip *dst, uint8_t proto, const void *l4,
		       uint32_t bytes);
/* An ICMP error of `from` to the source of the packet in hand, which it holds, up to inner_l4 bytes of its L4. */
void nat_lab_error(const char *from, uint8_t type, uint8_t code, unsigned inner_l4);
/* Makes the packet in hand one fragment of itself: bytes [at, at + n) of its payload; n 0: to its end.  The whole one is in
 * `whole` before. */
void nat_lab_fragment(const struct lab *whole, unsigned at, unsigned n);
void nat_lab_fix_ipv4(void); /* header checksum */
void nat_lab_fix_l4(void);

enum drop nat_lab_out(uint16_t vid);
enum drop nat_lab_in(uint16_t vid);
enum drop nat_lab_route(uint16_t vid, uint16_t to_vid, bool may_begin);
bool nat_lab_held(void); /* the next one of nat_held() in hand */

bool nat_lab_src_is(const char *ip, uint16_t port);
bool nat_lab_dst_is(const char *ip, uint16_t port);
bool nat_lab_checksums_hold(void);
struct nat_net_stats nat_lab_stats(uint16_t vid);

/* A UDP mapping of that inside end, which is made if it is not there; returns its outside port. */
uint16_t nat_lab_mapping(uint16_t vid, const char *src, uint16_t sport);
/* All sessions; *out is filled up to max. */
unsigned nat_lab_list(struct nat_entry *out, unsigned max);

#endif
