/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * journal: the two files, which of them is in use, and how the other one takes over.
 *
 *   RESTING --- used has grown, or is broken ---> COPYING: other is cut to nothing; its head; all leases, SLICE bytes at a time
 *      ^                                             |
 *      |                                             v
 *      '---- last line {"complete":true}, ------- SYNCING: until the disk has it
 *            now other is used
 *
 * Meanwhile each change goes to both files.  A lease's line in the copy says how it is when that line is written, and later changes
 * of it come behind that line: the last word is right in both files, at any moment.  What is written to a file which is not
 * complete is nothing to the next start; what is written to one that was left is nothing either.
 *
 * A write that fails leaves the file in use behind the truth.  Nothing more is written to it, and the other file is made.
 *
 * Called by switch/lessor.c, which has the store's listener call journal_note().
 *
 * Trust.  What is read is checked line by line (journal_line.c) and lease by lease (lease.c).  A line that is no good is left out
 * and counted, those behind it count; what has no end of line is cut off.
 */
#include "dhcp/journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dhcp/journal_internal.h"
#include "switch/base/log.h"

enum {
	SLICE = 64 << 10,
	SLICE_MS = 4,	    /* at least between two slices */
	SYNC_LOOK_MS = 10,  /* how often it is looked whether the disk has it */
	KEPT_MAX = 1 << 20, /* of an empty buffer */
};

struct file {
	int fd;
	uint64_t size, lines, generation;
};

struct journal {
	struct leases *s;
	struct journal_sync *sync;
	struct file file[2];
	unsigned used;
	struct journal_buffer pending, slice;
	uint64_t pending_lines;
	enum { RESTING, COPYING, SYNCING } step;
	uint32_t cursor;
	uint64_t slice_ms, retry_ms; /* not before */
	uint64_t ticket;	     /* of SYNCING */
	uint64_t sync_ms;	     /* not before */
	bool is_dirty;		     /* used has what the disk was not asked to take */
	struct journal_stats stats;
};

/* --- Reading --- */

/* Lines of a file, one after the other. */
struct reader {
	int fd;
	uint64_t base; /* where in the file bytes begin */
	uint64_t end;  /* behind the last line that was read */
	size_t at, n;
	char bytes[SLICE];
};

/* More bytes behind those that are not a line yet.  1, 0: there are none, -1: errno. */
static int refill(struct reader *r)
{
	ssize_t got;

	memmove(r->bytes, r->bytes + r->at, r->n - r->at);
	r->base += r->at;
	r->n -= r->at;
	r->at = 0;
	do
		got = pread(r->fd, r->bytes + r->n, sizeof(r->bytes) - r->n,
			    (off_t)(r->base + r->n));
	while (got < 0 && errno == EINTR);
	if (got > 0)
		r->n += (size_t)got;
	return got > 0 ? 1 : (int)got;
}

/* The next line, of *n bytes without its end, *n is 0 of one that is too long to be one.  1, 0: that was the last, -1: errno. */
static int next_line(struct reader *r, const char **line, size_t *n)
{
	bool is_long = false;
	int rc;

	for (;;) {
		const char *end = memchr(r->bytes + r->at, '\n', r->n - r->at);

		if (end) {
			*line = r->bytes + r->at;
			*n = is_long ? 0 : (size_t)(end - *line);
			r->at += (size_t)(end - *line) + 1;
			r->end = r->base + r->at;
			return 1;
		}
		if (r->n - r->at == sizeof(r->bytes)) {
			is_long = true;
			r->at = r->n;
		}
		rc = refill(r);
		if (rc <= 0)
			return rc;
	}
}

/* What a file is: its generation, 0: none of ours; *is_complete: it may be used.  -1: errno. */
static int look_at(int fd, uint64_t *generation, bool *is_complete)
{
	struct reader *r = calloc(1, sizeof(*r));
	struct journal_line head;
	const char *line;
	size_t n;
	int rc;

	*generation = 0;
	*is_complete = false;
	if (!r)
		return -1;
	r->fd = fd;
	rc = next_line(r, &line, &n);
	if (rc > 0) {
		journal_read_line(line, n, &head);
		*generation = head.kind == JOURNAL_HEAD ? head.generation : 0;
	}
	while (rc > 0 && *generation && !*is_complete) {
		rc = next_line(r, &line, &n);
		*is_complete = rc > 0 && n == strlen(journal_complete) &&
			       memcmp(line, journal_complete, n) == 0;
	}
	free(r);
	return rc < 0 ? -1 : 0;
}

static void replay(struct journal *j, const struct journal_line *line, const char *boot,
		   const struct journal_clock *now)
{
	struct lease l = line->l;
	bool is_good = true;

	if (line->kind == JOURNAL_LEASE) {
		l.end_ms = journal_end_ms(line, boot, now);
		is_good = leases_restore(j->s, line->network, &l, &line->id);
	} else if (line->kind == JOURNAL_GONE) {
		leases_restore_gone(j->s, line->network, &line->l.ip);
	}
	j->stats.read += is_good;
	j->stats.refused += !is_good;
}

/* All of the file that will be in use.  boot: of its last lines. */
static int load(struct journal *j, struct file *f, char boot[static JOURNAL_BOOT_SIZE],
		const struct journal_clock *now)
{
	struct reader *r = calloc(1, sizeof(*r));
	struct journal_line line;
	const char *text;
	size_t n;
	int rc;

	if (!r)
		return -1;
	r->fd = f->fd;
	while ((rc = next_line(r, &text, &n)) > 0) {
		f->lines++;
		journal_read_line(text, n, &line);
		if (line.kind == JOURNAL_HEAD || line.kind == JOURNAL_BOOT)
			memcpy(boot, line.boot, sizeof(line.boot));
		else if (line.kind == JOURNAL_BAD)
			j->stats.refused++;
		else if (line.kind != JOURNAL_COMPLETE)
			replay(j, &line, boot, now);
	}
	f->size = r->end;
	if (rc == 0 && r->base + r->n > r->end) {
		log_warn("lease journal: %llu bytes of half a line are cut off",
			 (unsigned long long)(r->base + r->n - r->end));
		rc = ftruncate(f->fd, (off_t)f->size);
	}
	free(r);
	return rc;
}

/* --- Writing --- */

static struct file *used_of(struct journal *j)
{
	return &j->file[j->used];
}

static struct file *other_of(struct journal *j)
{
	return &j->file[!j->used];
}

/* Behind all that is there.  False: errno. */
static bool append(struct journal *j, struct file *f, const struct journal_buffer *b,
		   uint64_t lines)
{
	size_t done = 0;
	ssize_t n;

	while (done < b->n) {
		n = pwrite(f->fd, b->bytes + done, b->n - done, (off_t)(f->size + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n ? errno : ENOSPC;
			return false;
		}
		done += (size_t)n;
	}
	f->size += b->n;
	f->lines += lines;
	j->stats.bytes += b->n;
	return true;
}

static void clear(struct journal_buffer *b)
{
	b->n = 0;
	if (b->room > KEPT_MAX) {
		free(b->bytes);
		*b = (struct journal_buffer){0};
	}
}

/* The file in use does not have all that is true. */
static void lose(struct journal *j, int error)
{
	j->stats.errors++;
	if (!j->stats.is_broken)
		log_err("lease journal: %s: leases are in memory only", strerror(error));
	j->stats.is_broken = true;
	j->is_dirty = false;
}

/* The other file is not made now. */
static void give_up(struct journal *j, int error, uint64_t now_ms)
{
	j->stats.errors++;
	if (!j->stats.is_broken)
		log_limited(LOG_LEVEL_WARN, "lease journal: %s: it is not made anew now",
			    strerror(error));
	j->step = RESTING;
	j->retry_ms = now_ms + JOURNAL_COMPACT_RETRY_MS;
}

static void begin_copy(struct journal *j, const struct journal_clock *now)
{
	struct file *f = other_of(j);

	f->size = f->lines = 0;
	f->generation = used_of(j)->generation + 1;
	clear(&j->slice);
	if (ftruncate(f->fd, 0) || !journal_add_head(&j->slice, f->generation, now->boot) ||
	    !append(j, f, &j->slice, 1)) {
		give_up(j, errno, now->now_ms);
		return;
	}
	j->step = COPYING;
	j->cursor = 0;
	j->slice_ms = now->now_ms;
}

struct copying {
	struct journal *j;
	const struct journal_clock *now;
	uint64_t lines;
	bool is_failed;
};

static bool copy_one(void *arg, const char *network, const struct lease *l)
{
	struct copying *c = arg;

	c->is_failed |= !journal_add_lease(&c->j->slice, network, l, false, c->now);
	c->lines++;
	return true;
}

static void copy_slice(struct journal *j, const struct journal_clock *now)
{
	struct copying c = {.j = j, .now = now};
	bool has_more = true;

	clear(&j->slice);
	while (has_more && j->slice.n < SLICE)
		has_more = leases_some(j->s, &j->cursor, copy_one, &c);
	j->slice_ms = now->now_ms + SLICE_MS;
	if (c.is_failed || !append(j, other_of(j), &j->slice, c.lines)) {
		give_up(j, c.is_failed ? ENOMEM : errno, now->now_ms);
	} else if (!has_more) {
		j->step = SYNCING;
		j->ticket = journal_sync_ask(j->sync, !j->used);
	}
}

static void ask_sync(struct journal *j, uint64_t now_ms)
{
	journal_sync_ask(j->sync, j->used);
	j->is_dirty = false;
	j->sync_ms = now_ms + JOURNAL_SYNC_MS;
}

/* The copy is on the disk: its last line, and it is the one in use. */
static void take_over(struct journal *j, const struct journal_clock *now)
{
	clear(&j->slice);
	if (!journal_add(&j->slice, journal_complete) || !append(j, other_of(j), &j->slice, 1)) {
		give_up(j, errno, now->now_ms);
		return;
	}
	if (j->stats.is_broken)
		log_info("lease journal: leases are on disk again");
	j->used = !j->used;
	j->step = RESTING;
	j->stats.is_broken = false;
	j->stats.compactions++;
	/* What follows is in this file only: the disk should know at once that it counts. */
	ask_sync(j, now->now_ms);
}

static bool is_due(const struct journal *j, uint64_t now_ms)
{
	const struct file *f = &j->file[j->used];

	if (now_ms < j->retry_ms)
		return false;
	return j->stats.is_broken ||
	       (f->size > JOURNAL_COMPACT_MIN && f->lines > 2ULL * leases_total(j->s));
}

static void go_on(struct journal *j, const struct journal_clock *now)
{
	int error;

	if (j->step == RESTING && is_due(j, now->now_ms))
		begin_copy(j, now);
	if (j->step == COPYING && now->now_ms >= j->slice_ms)
		copy_slice(j, now);
	if (j->step != SYNCING || journal_sync_done(j->sync, !j->used, &error) < j->ticket)
		return;
	if (error)
		give_up(j, error, now->now_ms);
	else
		take_over(j, now);
}

/* All that was noted, to the file in use and to the one that is being made. */
static void write_pending(struct journal *j, uint64_t now_ms)
{
	if (j->pending.n == 0)
		return;
	if (!j->stats.is_broken) {
		if (append(j, used_of(j), &j->pending, j->pending_lines))
			j->is_dirty = true;
		else
			lose(j, errno);
	}
	if (j->step != RESTING && !append(j, other_of(j), &j->pending, j->pending_lines))
		give_up(j, errno, now_ms);
	clear(&j->pending);
	j->pending_lines = 0;
}

static void look_at_disk(struct journal *j)
{
	int error;

	if (journal_sync_done(j->sync, j->used, &error) && error && !j->stats.is_broken)
		lose(j, error);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t journal_flush(struct journal *j, const struct journal_clock *now)
{
	uint64_t next = UINT64_MAX;

	look_at_disk(j);
	write_pending(j, now->now_ms);
	go_on(j, now);
	if (j->is_dirty && now->now_ms >= j->sync_ms)
		ask_sync(j, now->now_ms);
	if (j->is_dirty)
		next = j->sync_ms;
	if (j->step == COPYING)
		next = least(next, j->slice_ms);
	else if (j->step == SYNCING)
		next = least(next, now->now_ms + SYNC_LOOK_MS);
	else if (j->stats.is_broken)
		next = least(next, j->retry_ms);
	return next;
}

void journal_note(struct journal *j, const struct lease *l, enum lease_news news,
		  const struct journal_clock *now)
{
	if (journal_add_lease(&j->pending, lease_pool_range(l->pool)->network, l,
			      news == LEASE_GONE, now)) {
		j->pending_lines++;
		j->stats.records++;
		return;
	}
	/* Neither file has it now. */
	lose(j, ENOMEM);
	if (j->step != RESTING)
		give_up(j, ENOMEM, now->now_ms);
}

/* --- Begin and end --- */

/* A file of our own, as there is none. */
static bool begin_anew(struct journal *j, uint64_t generation, const struct journal_clock *now)
{
	struct file *f = used_of(j);

	f->generation = generation;
	return ftruncate(f->fd, 0) == 0 && journal_add_head(&j->slice, generation, now->boot) &&
	       journal_add(&j->slice, journal_complete) && append(j, f, &j->slice, 2);
}

static bool begin(struct journal *j, const struct journal_clock *now)
{
	uint64_t generation[2];
	bool is_complete[2];
	char boot[JOURNAL_BOOT_SIZE] = "";

	if (look_at(j->file[0].fd, &generation[0], &is_complete[0]) ||
	    look_at(j->file[1].fd, &generation[1], &is_complete[1]))
		return false;
	j->used = is_complete[1] && (!is_complete[0] || generation[1] > generation[0]);
	if (!is_complete[j->used]) {
		if (generation[0] || generation[1])
			log_warn("lease journal: neither file is complete: it begins anew");
		if (!begin_anew(j,
				(generation[0] > generation[1] ? generation[0] : generation[1]) + 1,
				now))
			lose(j, errno);
		return true;
	}
	used_of(j)->generation = generation[j->used];
	if (load(j, used_of(j), boot, now))
		return false;
	if (j->stats.refused)
		log_warn("lease journal: %llu lines make no sense and are left out",
			 (unsigned long long)j->stats.refused);
	/* Times are of another boot from here on. */
	return strcmp(boot, now->boot) == 0 || journal_add_boot(&j->pending, now->boot);
}

struct journal *journal_open(const int fd[static 2], struct leases *s,
			     const struct journal_clock *now)
{
	struct journal *j = calloc(1, sizeof(*j));
	int error;

	if (!j) {
		close(fd[0]);
		close(fd[1]);
		errno = ENOMEM;
		return NULL;
	}
	j->s = s;
	j->file[0].fd = fd[0];
	j->file[1].fd = fd[1];
	if (begin(j, now))
		j->sync = journal_sync_create(fd);
	if (j->sync)
		return j;
	error = errno;
	journal_close(j);
	errno = error;
	return NULL;
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	if (j->sync) {
		j->step = RESTING;
		write_pending(j, 0);
		journal_sync_destroy(j->sync);
		fdatasync(used_of(j)->fd);
	}
	close(j->file[0].fd);
	close(j->file[1].fd);
	free(j->pending.bytes);
	free(j->slice.bytes);
	free(j);
}

void journal_stats(const struct journal *j, struct journal_stats *out)
{
	*out = j->stats;
	out->syncs = journal_sync_count(j->sync);
}
