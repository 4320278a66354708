/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * journal: leases on disk, so that no address is given twice whatever dies.
 *
 * What.  Two files, of which one is in use.  A file is lines of JSON (jansson): first {"vfab-leases": 1, "generation": N, "boot":
 * ID, "complete": false}, then one line for each change.  Each line is written before the answer that it is about is sent, in one
 * write() for all answers of a turn; what the kernel has survives the death of the switch and of the broker.  The disk has it
 * with the next fdatasync(), by a thread of its own, at most SYNC_MS later: what only a loss of power can lose are leases of a host
 * that lost its guests with them.
 *
 * When the file in use has grown to more than twice what is alive (and COMPACT_MIN), all leases are written to the other one: cut
 * to nothing, a first line with the next generation, all leases, fdatasync(), then a last line {"complete": true}; from then on it
 * is the one in use.  The start takes the file of the highest generation that has that line.  A line that is no JSON, or makes no
 * sense, is left out, and those behind it count; what has no end of line is cut off.  Both are said once in the log.
 *
 * Times are kept twice: monotonic ms, and wall clock seconds.  In the same boot (ID) the first counts, so that a step of the wall
 * clock ends no lease (promise H07); after another boot the second, but no lease is longer than it was when its line was written.
 * A line {"boot": ID} says that times are of another boot from there on.
 *
 * A disk that is full or broken: said once in the log and by `is_broken`, leases go on in memory, and each COMPACT_RETRY_MS the
 * other file is tried.
 *
 * Threads: the control thread; one of the journal's own, which only calls fdatasync() on descriptors that stay open.
 *
 * Trust.  The files are the operator's, and may be anybody's after a restore from somewhere: each line is checked as if an
 * enemy had written it, and counted when it is refused.
 */
#ifndef VFAB_DHCP_JOURNAL_H
#define VFAB_DHCP_JOURNAL_H

#include "dhcp/lease.h"

enum {
	JOURNAL_SYNC_MS = 1000,
	JOURNAL_COMPACT_MIN = 1 << 20,
	JOURNAL_COMPACT_RETRY_MS = 10000,
	JOURNAL_BOOT_SIZE = 40,
};

struct journal;

struct journal_clock {
	char boot[JOURNAL_BOOT_SIZE]; /* id of this boot of the machine; "": not known, then the wall clock counts */
	uint64_t now_ms;	      /* monotonic */
	int64_t wall_s;
};

/* fd: two files that can be read, written (no O_APPEND) and cut, both the journal's from now on, also when it fails.  All that is
 * in them goes to the store by leases_restore().  NULL: errno. */
struct journal *journal_open(const int fd[static 2], struct leases *s, const struct journal_clock *now);
void journal_close(struct journal *j); /* writes and syncs what is left; NULL is fine */

/* A change, to be written by the next journal_flush(). */
void journal_note(struct journal *j, const struct lease *l, enum lease_news news, const struct journal_clock *now);
/* One write() for all that was noted; begins a new file when it is time.  Cheap when there is nothing.  Returns when it wants to be
 * called again at the latest, UINT64_MAX: not before something is noted. */
uint64_t journal_flush(struct journal *j, const struct journal_clock *now);

struct journal_stats {
	uint64_t records, bytes, syncs, compactions, errors; /* ever */
	uint64_t read, refused;				     /* lines at the start */
	bool is_broken;
};
void journal_stats(const struct journal *j, struct journal_stats *out);

#endif
