/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gateway_lab: a gateway with its NAT and a few networks, in memory: frames in, what became of them out.
 *
 *   VLAN 10  a  10.10.0.1/24  fd00:a::1/64         nat, advertises, may begin to speak to b
 *   VLAN 20  b  10.20.0.1/24  fd00:b::1/64         nat
 *   VLAN 30  h  10.30.0.1/24                       host-only, may begin to speak to b
 *   VLAN 40  r  10.40.0.1/24  2001:db8:40::1/64    nat, its IPv6 is routed
 *   VLAN 99  u  192.0.2.1/24  2001:db8::1/64       outside, next hops 192.0.2.254 and 2001:db8::fe
 *
 * A host has the MAC 02:00:00:00:VLAN:last byte of its address.  Every MTU is 1500.
 */
#ifndef VFAB_TESTS_GATEWAY_LAB_H
#define VFAB_TESTS_GATEWAY_LAB_H

#include "switch/gateway.h"

enum { VID_A = 10, VID_B = 20, VID_H = 30, VID_R = 40, VID_U = 99, LAB_FRAME = 70000 };
enum { LAB_A = 1, LAB_B, LAB_H, LAB_R, LAB_U, LAB_LEGS };

struct lab {
	struct gateway *g;
	struct gateway_conf *conf;
	struct gateway_made made;
	struct gateway_call call;
	struct neigh_table *table;
	void *region;
	uint8_t *head_long;
	uint8_t *mem[2 * VEC_SIZE]; /* snapshots and bodies of frames given, of their exact size */
	struct iovec body[VEC_SIZE];
	struct vec v;
	uint32_t snap; /* of gate_pass(); 64 unless told */
};

struct lab *gate_create(void);
void gate_destroy(struct lab *l);

/* A frame in hand, whole. */
struct gate_frame {
	uint8_t b[LAB_FRAME];
	uint32_t len;
};

struct mac gate_host(uint16_t vid, uint8_t last);
struct mac gate_leg(uint16_t vid);
/* Ethernet, IP and L4 with right checksums; from a host of that VLAN to the leg. */
struct gate_say {
	uint16_t vid;
	const char *src, *dst;
	uint8_t proto, ttl; /* ttl 0: 64 */
	uint16_t id, flags; /* IPv4: identification, flags and offset */
};
void gate_ip(struct gate_frame *f, const struct gate_say *say, const void *l4, uint32_t n);
void gate_udp(struct gate_frame *f, const struct gate_say *say, uint16_t sport, uint16_t dport, uint32_t payload);
void gate_tcp(struct gate_frame *f, const struct gate_say *say, uint16_t sport, uint16_t dport, uint8_t flags);
void gate_echo(struct gate_frame *f, const struct gate_say *say, uint16_t id, uint32_t payload);
/* op 1 or 2; from a host to `to` (zero: everybody). */
void gate_arp(struct gate_frame *f, uint16_t vid, uint8_t op, struct mac sha, const char *spa, const char *tpa, struct mac to);

/* For cmocka: *state is the lab. */
int gate_setup(void **state);
int gate_teardown(void **state);

/* Gives a frame; snap bytes of it are the snapshot. */
struct frame *gate_give(struct lab *l, uint16_t vid, const struct gate_frame *f, uint32_t snap);
void gate_run(struct lab *l);	/* takes all that were given */
void gate_clear(struct lab *l);	/* forgets them */
/* One frame through, alone, with a snapshot of l->snap; what became of it. */
struct frame *gate_pass(struct lab *l, uint16_t vid, const struct gate_frame *f);
uint64_t gate_tick(struct lab *l, uint64_t seconds); /* later */
/* The frame as it would leave; asserts that its headers and checksums are right. */
void gate_read(struct gate_frame *to, const struct frame *f);
/* Whether the address at byte `at` is that one. */
bool gate_has_ip(const struct gate_frame *f, unsigned at, const char *text);
/* Made frame i. */
void gate_made(const struct lab *l, unsigned i, struct gate_frame *to);
/* Host `last` of that VLAN says who it is, so that nothing waits for it. */
void gate_meet(struct lab *l, uint16_t vid, const char *ip);

#endif
