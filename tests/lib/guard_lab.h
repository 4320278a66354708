/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guard_lab: a guard with one network (VID: 10.10.0.1 and fd00::1/64 with SLAAC are the switch's), and frames for it, which are put
 * together in one buffer and asked about as they lie in a guest's memory: a short snapshot and the rest.
 */
#ifndef VFAB_TESTS_GUARD_LAB_H
#define VFAB_TESTS_GUARD_LAB_H

#include "switch/base/packet.h"
#include "switch/guard.h"

/* A and B: slots of two ports, whose MACs are gl_mac_a and gl_mac_b. */
enum { VID = 10, A = 3, B = 4, NOW_S = 1000, SNAP = 64 };

extern const struct mac gl_mac_a, gl_mac_b, gl_gateway_mac, gl_none;
extern struct guard *gl;
extern uint32_t gl_now_s;
extern uint16_t gl_vid; /* of the frames */

/* The frame as it is put together. */
extern uint8_t gl_buf[4096];
extern uint32_t gl_len;

int gl_setup(void **state);
int gl_teardown(void **state);

struct ip gl_ip_of(const char *text);
int gl_bind_at(uint16_t slot, const char *ip, const struct mac *m, uint32_t end_s, bool fixed);
void gl_bind_fixed(uint16_t slot, const char *ip);

/* Begin a frame. */
void gl_eth(const struct mac *src, uint16_t etype);
void gl_ip4(const struct mac *m, const char *src, const char *dst, unsigned proto, unsigned fragment, uint32_t options);
void gl_ip6(const struct mac *m, const char *src, unsigned next, unsigned payload);
/* A neighbour's solicitation or advertisement, with option opt that names a MAC; 0: none. */
void gl_nd(const struct mac *m, const char *src, unsigned type, const char *target, unsigned opt, const struct mac *named);
void gl_arp(const struct mac *m, unsigned op, const struct mac *sender, const char *spa, const char *tpa);

/* Go on with it. */
void gl_put(const void *bytes, uint32_t n);
void gl_put8(unsigned v);
void gl_put16(unsigned v);
void gl_zeros(uint32_t n);
void gl_udp(unsigned sport, unsigned dport);
void gl_icmp6(unsigned type);
void gl_option(unsigned type, const struct mac *m);
void gl_seal6(void); /* the payload length of IPv6 is what is there */

/* Asks, with a snapshot of so many bytes and the rest elsewhere, both in memory of the exact size. */
enum drop gl_ask(uint16_t slot, const struct mac *m, uint32_t snap_max);
/* What is said of it, however long the snapshot is, when it comes from port A, which has a MAC of its own. */
void gl_goes(void);
void gl_is_refused(enum drop why);

#endif
