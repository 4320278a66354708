/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resolver: the process that asks the DNS servers outside, so that the switch needs no socket of its own.
 *
 *   switch  <-- SOCK_SEQPACKET: struct resolver_ask / resolver_answer -->  resolver  <-- UDP, TCP (c-ares) -->  servers
 *   broker  --- SOCK_SEQPACKET: struct resolver_servers, at each change ------^
 *
 * Started by the broker with the first BROKER_RESOLVER_SET, in the host's network namespace, without privileges, in an empty root,
 * under a seccomp filter of its own.  It answers only what the switch asks, and asks only the servers that it was told: those of the configuration, else those
 * of the host's /etc/resolv.conf, which the broker follows as it changes (inotify on its directory; a link is followed).  A domain with
 * servers of its own goes to these and nowhere else: the longest that the name ends in.
 *
 * Each question has a random id (getrandom) and a socket, hence a random port, of its own; an answer must come from the server that was
 * asked, with that id and question; truncated ones are asked again by TCP.  c-ares does that with ARES_FLAG_NOALIASES, NOSEARCH and one query a
 * socket; timeouts: 2 s and two servers, so that it gives up before DNS_PATIENCE_MS.
 *
 * When it dies the broker starts it again (at most once a second) and sends NOTICE_RESOLVER with a new descriptor.
 */
#ifndef VFAB_SWITCH_RESOLVER_H
#define VFAB_SWITCH_RESOLVER_H

#include <stdint.h>

#include "switch/base/addr.h"

enum {
	RESOLVER_SERVERS = 4,	/* of one set */
	RESOLVER_DOMAINS = 32,
	RESOLVER_DOMAIN_SIZE = 256,
	RESOLVER_ANSWER_MAX = 16384,
	RESOLVER_QUERY_MAX = 512,
	RESOLVER_OUT_MAX = 1024, /* questions out; beyond that it answers -EAGAIN */
};

struct resolver_ask {
	uint32_t token;
	uint16_t len; /* of query, a whole DNS message; its id is replaced */
	uint16_t reserved;
	char domain[RESOLVER_DOMAIN_SIZE]; /* asked for: chooses the servers */
	uint8_t query[RESOLVER_QUERY_MAX];
};

struct resolver_answer {
	uint32_t token;
	int32_t error; /* 0 or errno */
	uint32_t len;
	uint8_t bytes[RESOLVER_ANSWER_MAX]; /* only len of them are sent */
};

struct resolver_server {
	struct ip ip;
	uint16_t port, reserved;
};
struct resolver_set {
	char domain[RESOLVER_DOMAIN_SIZE]; /* "": for all that has no set of its own */
	uint32_t n;
	struct resolver_server server[RESOLVER_SERVERS];
};
/* The first set is that for all; n 0 in it: as the host. */
struct resolver_servers {
	uint32_t n_sets; /* 1 and more */
	struct resolver_set set[1 + RESOLVER_DOMAINS];
};

#endif
