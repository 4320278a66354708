/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal_internal: what journal.c (the files), journal_line.c (their lines) and journal_sync.c (the disk) share. */
#ifndef VFAB_DHCP_JOURNAL_INTERNAL_H
#define VFAB_DHCP_JOURNAL_INTERNAL_H

#include "dhcp/journal.h"

/* --- journal_line.c --- */

enum { JOURNAL_LINE_MAX = 4096 };

/* Bytes to be written; grows. */
struct journal_buffer {
	char *bytes;
	size_t n, room;
};

enum journal_line_kind {
	JOURNAL_BAD,
	JOURNAL_HEAD,
	JOURNAL_BOOT,
	JOURNAL_COMPLETE,
	JOURNAL_LEASE,
	JOURNAL_GONE,
};

struct journal_line {
	enum journal_line_kind kind;
	uint64_t generation;	      /* of the head */
	char boot[JOURNAL_BOOT_SIZE]; /* of the head, or from this line on */
	char network[LEASE_NET_SIZE];
	struct lease l; /* but its end */
	struct lease_id id;
	int64_t end_ms, end_s; /* -1: never */
	int64_t at_s;	       /* when it was written */
};

/* The last line of all that was there when the file was begun. */
extern const char journal_complete[];

/* Each adds a line.  False: no memory; nothing is added. */
bool journal_add(struct journal_buffer *b, const char *text);
bool journal_add_head(struct journal_buffer *b, uint64_t generation, const char *boot);
bool journal_add_boot(struct journal_buffer *b, const char *boot);
bool journal_add_lease(struct journal_buffer *b, const char *network, const struct lease *l, bool is_gone,
		       const struct journal_clock *now);
/* text: without its newline.  What fits into a line may still be nonsense: leases_restore() looks. */
void journal_read_line(const char *text, size_t n, struct journal_line *out);
/* When it ends, by the clock that counts; boot: of the line. */
uint64_t journal_end_ms(const struct journal_line *line, const char *boot, const struct journal_clock *now);

/* --- journal_sync.c --- */

struct journal_sync;

struct journal_sync *journal_sync_create(const int fd[static 2]); /* NULL: errno */
void journal_sync_destroy(struct journal_sync *y); /* waits for what is under way; NULL is fine */
/* Has the disk take what was written to fd[i] until now; returns what journal_sync_done() tells of it. */
uint64_t journal_sync_ask(struct journal_sync *y, unsigned i);
/* Of the last one of fd[i] that is done, and its errno. */
uint64_t journal_sync_done(struct journal_sync *y, unsigned i, int *error);
uint64_t journal_sync_count(struct journal_sync *y);

#endif
