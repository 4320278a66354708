/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resolver: the process that asks the DNS servers outside, so that the switch needs no socket of its own.
 *
 *   switch  <-- SOCK_SEQPACKET: struct resolver_ask / resolver_answer -->  resolver  <-- UDP, TCP -->  servers
 *   broker  --- SOCK_SEQPACKET: struct resolver_servers, at each change ------^
 *
 * Started by the broker with the first BROKER_RESOLVER_SET, in the host's network namespace, without privileges, in an empty
 * root, under a seccomp filter of its own, which knows no bind() and no listen().  It answers only what the switch asks, and asks
 * only the servers that it was told: those of the configuration, else those of the host's /etc/resolv.conf, which the broker
 * follows as it changes (resolv_conf.h).  A domain with servers of its own goes to these and nowhere else: the longest that the
 * name ends in.
 *
 * Each question has a random id (getrandom), letters of random case in its name, and a socket, hence a random port, of its own; an
 * answer must come from the server that was asked, with that id and that question to the letter.  Truncated ones are asked again
 * by TCP, and so is what came back in other letters; if that fails, with the letters as they were.  A server has 2 s, then the
 * next one is asked, or the only one once more; after 5 s, before DNS_PATIENCE_MS, it is given up.  One that did not answer is
 * asked last for half a minute.
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
	RESOLVER_TEXT_SIZE = 192,
};

struct resolver_ask {
	uint32_t token;
	uint16_t len; /* of query, a whole DNS message: one question, at most an OPT record behind it; else -EINVAL */
	uint16_t reserved;
	char domain[RESOLVER_DOMAIN_SIZE]; /* asked for: chooses the servers */
	uint8_t query[RESOLVER_QUERY_MAX]; /* only len of them need be sent */
};

struct resolver_answer {
	uint32_t token;
	int32_t error; /* 0 or -errno: ETIMEDOUT, ENETUNREACH: it knows no server, EAGAIN: too many are out */
	uint32_t len;
	uint8_t bytes[RESOLVER_ANSWER_MAX]; /* only len of them are sent; id and question as they were asked */
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
/* The first set is that for all; n 0 in it: as the host.  Domains in lower case, without a dot at the end. */
struct resolver_servers {
	uint32_t n_sets; /* 1 and more */
	struct resolver_set set[1 + RESOLVER_DOMAINS];
};

/* What a NOTICE_RESOLVER tells, in `news`; bits. */
enum resolver_news {
	RESOLVER_IS_NEW = 1,	 /* with a descriptor, for the one that the switch has */
	RESOLVER_HAS_OTHERS = 2, /* the host's servers changed: what the old ones said is old */
};

/* --- The switch's side (broker_client.c) --- */

/* *fd: where to ask, for the first set of a switch; -1: what it has stays, or a NOTICE_RESOLVER brings it.  0; -errno, and why. */
int broker_resolver_set(const struct resolver_servers *s, int *fd, char why[static RESOLVER_TEXT_SIZE]);

/* --- The process --- */

/* vfabd RESOLVER_MARK LEVEL, with RESOLVER_FD_BROKER open. */
#define RESOLVER_MARK "--as-resolver"
enum { RESOLVER_FD_BROKER = 3, RESOLVER_FD_END };
/* Enters the sandbox and serves; the status of the process. */
int resolver_run(int argc, char **argv);
/* Serves until the broker is gone: 0, or -errno.  broker_fd brings struct resolver_servers, with a descriptor for each switch. */
int resolver_serve(int broker_fd);

#endif
