/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resolver_query: one question on its way through the servers that may answer it.
 *
 *            answer to the letter                        (done)
 *   UDP to a server --------------------------------------> answer
 *      | truncated, other letters      | answer              |
 *      '-------> TCP to the same ------'                     |
 *      | 2 s, refused, SERVFAIL  | the same                  |
 *      '-------------------------'--> UDP to the next one ---'--> none left, or 5 s: an error
 */
#ifndef VFAB_SWITCH_RESOLVER_QUERY_H
#define VFAB_SWITCH_RESOLVER_QUERY_H

#include <stdbool.h>

#include "switch/base/loop.h"
#include "switch/resolver.h"

enum { RESOLVER_TRY_MS = 2000, RESOLVER_END_MS = 5000 };

struct resolver_query;

/* What all queries of a process share. */
struct resolver_queries {
	struct loop *loop;
	void *arg;
	/* error: 0, or -errno and no bytes.  The query is at its end, and its memory the caller's again. */
	void (*done)(void *arg, struct resolver_query *q, int error, const uint8_t *bytes, size_t n);
	/* A server did not answer in time, or cannot be reached. */
	void (*failed)(void *arg, const struct resolver_server *s);
	uint64_t ids[65536 / 64]; /* that are out */
};

struct resolver_query {
	uint32_t token;				       /* the caller's */
	uint16_t n_servers;			       /* 0: it is not out */
	uint16_t n;				       /* of query */
	struct resolver_server server[RESOLVER_SERVERS]; /* in the order in which they are asked */
	uint8_t asked[RESOLVER_QUERY_MAX];	       /* as it came */
	uint8_t query[RESOLVER_QUERY_MAX];	       /* as it is sent */

	/* resolver_query.c's */
	struct resolver_queries *all;
	uint16_t id, question; /* question: bytes of it */
	uint16_t next_server;  /* after the one that is asked */
	int fd;		       /* -1: none */
	uint8_t *stream;       /* not NULL: it is asked by TCP */
	uint32_t at;	       /* bytes of stream that are sent, or are there */
	bool is_sent;
	bool is_plain; /* some server does not keep the case of letters: they are sent as they were asked */
	uint64_t try_ms, end_ms; /* when this server's time is up, and all time */
};

/* Sends q, whose token, servers and asked are set.  0, or -EINVAL: it is no question; done() may be called from within. */
int resolver_query_begin(struct resolver_queries *all, struct resolver_query *q, uint64_t now_ms);
/* When its time is up: the next server, or the end. */
void resolver_query_tick(struct resolver_query *q, uint64_t now_ms);
/* It is not awaited any more. */
void resolver_query_drop(struct resolver_query *q);

#endif
