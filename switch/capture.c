/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * capture: writes the frames of one watch to a client's descriptor, as pcapng, in a thread of its own.
 *
 * watch.c starts and stops it; the recorders of the workers (trace.c) fill the rings that it drains;
 * pcapng.c lays out the blocks.
 *
 *   ring of worker 0 --\   oldest first      batch: blocks in a buffer,       write
 *   ring of worker 1 ---> ---------------->  an index of them by time   -------------> descriptor
 *
 * Order.  A worker writes what left before what came in, since only then the verdict is known, so
 * records are out of order by as much as a vector takes.  Blocks therefore rest in the batch until they are
 * HOLD_NS old, sorted by their time; a full batch is written without regard to that.
 *
 * Names.  A record of dir CAPTURE_NAME says which port a slot is in the records of that ring that
 * follow.  A name that is new becomes an interface of the file; its block goes out before the batch.
 *
 * End.  The thread ends when it was stopped and the rings are empty, when it has written count frames, or
 * on an error of the descriptor.  Then come the statistics of each interface.  A stopped capture
 * gives a descriptor that blocks CAPTURE_LINGER_MS; a regular file has the time it needs.
 *
 * System calls of the thread: write, writev, poll, read (its eventfd), exit and its memory; nothing of the
 * sandbox is widened for the client's file.
 */
#include "switch/capture.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "switch/base/loop.h"
#include "switch/pcapng.h"

#ifndef VFAB_VERSION
#define VFAB_VERSION "unknown"
#endif

enum {
	BATCH_BYTES = 4 << 20,
	BATCH_BLOCKS = 16384,
	IOVS = 256,
	NONE = -1,
	NS_PER_MS = 1000000,
	NS_PER_S = 1000000000,
	HOLD_NS = 10 * NS_PER_MS,
	LOOK_MS = 1, /* how often the rings are looked at while the batch holds something */
};

struct block {
	uint64_t time_ns;
	uint32_t at, bytes; /* in the batch's buffer */
};

struct batch {
	uint8_t *buf; /* BATCH_BYTES */
	size_t used;
	unsigned n;
	struct block *block; /* BATCH_BLOCKS of them, by time */
};

/* A port whose name is known. */
struct known {
	char name[PORT_NAME_SIZE];
	uint16_t slot;	   /* the one it had last; WATCH_SLOT_ALL when another has it now */
	int64_t interface; /* its number in the file, or NONE */
	uint64_t taken;	   /* frames of it in the file or the batch */
};

struct capture {
	struct watch *watch;
	int fd, done_fd;
	bool is_file; /* a regular file: writing it ends */
	pthread_t thread;
	uint64_t count;
	_Atomic bool stop, done;
	_Atomic uint64_t frames;

	/* The thread's own; error is the caller's once it is done. */
	int error;
	uint64_t start_ns;
	uint64_t stop_ms; /* when it saw the stop, 0: not yet */
	uint64_t taken;	  /* frames that it took from the rings */
	struct batch batch, spare;
	struct known *known;
	unsigned n_known;
	int64_t n_interfaces;
	int32_t *of_slot
		[WORKERS_MAX]; /* what each slot is in the ring of each worker: index in known, or NONE */
};

static uint64_t wall_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* Writing */

/* A stopped capture does not wait for ever for a reader that takes nothing. */
static bool is_overdue(struct capture *c)
{
	uint64_t now_ms = clock_ms();

	if (c->is_file || !atomic_load(&c->stop))
		return false;
	if (c->stop_ms == 0)
		c->stop_ms = now_ms;
	return now_ms - c->stop_ms > CAPTURE_LINGER_MS;
}

/* After a write that failed: false when that was for good. */
static bool may_retry(struct capture *c)
{
	int why = errno;
	struct pollfd p = {.fd = c->fd, .events = POLLOUT};

	if (why != EINTR && why != EAGAIN) {
		c->error = why;
		return false;
	}
	if (is_overdue(c)) {
		c->error = ETIMEDOUT;
		return false;
	}
	if (why == EAGAIN) /* the client gave a descriptor that does not block */
		poll(&p, 1, CAPTURE_KICK_MS);
	return true;
}

/* All of it, or c->error. */
static void write_iov(struct capture *c, struct iovec *iov, int n)
{
	while (n > 0 && !c->error) {
		ssize_t wrote = writev(c->fd, iov, n);

		if (wrote < 0 && !may_retry(c))
			return;
		while (wrote > 0 && n > 0 && (size_t)wrote >= iov->iov_len) {
			wrote -= (ssize_t)iov->iov_len;
			iov++;
			n--;
		}
		if (wrote > 0 && n > 0) {
			iov->iov_base = (uint8_t *)iov->iov_base + wrote;
			iov->iov_len -= (size_t)wrote;
		}
	}
}

static void write_bytes(struct capture *c, void *bytes, size_t n)
{
	struct iovec iov = {bytes, n};

	if (!c->error)
		write_iov(c, &iov, 1);
}

/* Names */

static int32_t find_known(const struct capture *c, const char *name)
{
	for (unsigned i = 0; i < c->n_known; i++)
		if (strcmp(c->known[i].name, name) == 0)
			return (int32_t)i;
	return NONE;
}

/* The index in known of the port that now has this slot; NONE without memory. */
static int32_t know(struct capture *c, uint16_t slot, const char *name)
{
	int32_t at = find_known(c, name);
	struct known *more;

	if (at == NONE) {
		more = realloc(c->known, (c->n_known + 1) * sizeof(*more));
		if (!more)
			return NONE;
		c->known = more;
		at = (int32_t)c->n_known++;
		more[at] = (struct known){.interface = NONE};
		snprintf(more[at].name, sizeof(more[at].name), "%s", name);
	}
	for (unsigned i = 0; i < c->n_known; i++)
		if (c->known[i].slot == slot)
			c->known[i].slot = WATCH_SLOT_ALL;
	c->known[at].slot = slot;
	return at;
}

static void take_name(struct capture *c, unsigned worker, const struct capture_record *rec)
{
	char name[PORT_NAME_SIZE];
	size_t n = rec->cap_len < sizeof(name) - 1 ? rec->cap_len : sizeof(name) - 1;

	memcpy(name, rec + 1, n);
	name[n] = '\0';
	if (!c->of_slot[worker]) {
		c->of_slot[worker] = malloc(SLOT_MAX * sizeof(*c->of_slot[worker]));
		if (!c->of_slot[worker])
			return;
		for (unsigned i = 0; i < SLOT_MAX; i++)
			c->of_slot[worker][i] = NONE;
	}
	c->of_slot[worker][rec->slot] = know(c, rec->slot, name);
}

static struct known *known_of(const struct capture *c, unsigned worker, uint16_t slot)
{
	int32_t at = c->of_slot[worker] && slot < SLOT_MAX ? c->of_slot[worker][slot] : NONE;

	return at == NONE ? NULL : &c->known[at];
}

static const char *name_of(const struct capture *c, unsigned worker, uint16_t slot)
{
	const struct known *k = known_of(c, worker, slot);

	return k ? k->name : "?";
}

/* Its block goes out at once, so it is in the file before the frames of the batch. */
static void describe(struct capture *c, struct known *k)
{
	uint8_t block[PCAPNG_BLOCK_MAX];

	if (k->interface != NONE)
		return;
	k->interface = c->n_interfaces++;
	write_bytes(c, block, pcapng_interface(block, k->name, c->watch->snaplen));
}

/* The batch */

static void comment_on(const struct capture *c, unsigned worker, const struct capture_record *rec,
		       char text[static PCAPNG_TEXT_MAX + 1])
{
	const size_t room = PCAPNG_TEXT_MAX + 1;

	if (rec->dir == WATCH_TX)
		snprintf(text, room, "from %s%s%s", name_of(c, worker, rec->from_slot),
			 rec->drop ? ", drop: " : "", rec->drop ? drop_word(rec->drop) : "");
	else if (rec->verdict == VERDICT_DROP)
		snprintf(text, room, "drop: %s", drop_word(rec->drop));
	else if (rec->verdict == VERDICT_FLOOD)
		snprintf(text, room, "flood to %u port%s", rec->taken, rec->taken == 1 ? "" : "s");
	else if (rec->verdict == VERDICT_FORWARD)
		snprintf(text, room, "forward to %s", name_of(c, worker, rec->out_slot));
	else
		snprintf(text, room, "%s", verdict_word(rec->verdict));
}

static bool has_room(const struct batch *b, size_t record_bytes)
{
	return b->n < BATCH_BLOCKS && b->used + record_bytes + PCAPNG_BLOCK_MAX <= BATCH_BYTES;
}

/* Records are nearly in order: looked at from the end, their place is near. */
static void insert(struct batch *b, struct block block)
{
	unsigned at = b->n;

	while (at > 0 && b->block[at - 1].time_ns > block.time_ns)
		at--;
	memmove(&b->block[at + 1], &b->block[at], (b->n - at) * sizeof(block));
	b->block[at] = block;
	b->n++;
	b->used += block.bytes;
}

static void take_frame(struct capture *c, unsigned worker, const struct capture_record *rec)
{
	struct known *k = known_of(c, worker, rec->slot);
	struct batch *b = &c->batch;
	char comment[PCAPNG_TEXT_MAX + 1];
	struct pcapng_packet p = {
		.time_ns = rec->time_ns,
		.bytes = rec + 1,
		.cap_len = rec->cap_len,
		.len = rec->len,
		.direction = rec->dir == WATCH_TX ? PCAPNG_OUTBOUND : PCAPNG_INBOUND,
		.comment = comment,
	};

	if (!k) { /* there was no memory for its name */
		c->error = ENOMEM;
		return;
	}
	describe(c, k);
	comment_on(c, worker, rec, comment);
	p.interface = (uint32_t)k->interface;
	insert(b, (struct block){.time_ns = rec->time_ns,
				 .at = (uint32_t)b->used,
				 .bytes = (uint32_t)pcapng_packet(b->buf + b->used, &p)});
	k->taken++;
	c->taken++;
}

/* The oldest record of all rings; *worker says whose. */
static const struct capture_record *oldest(const struct capture *c, unsigned *worker, size_t *bytes)
{
	const struct capture_record *best = NULL;

	for (unsigned i = 0; i < WORKERS_MAX; i++) {
		struct ring *ring = rcu_get(&c->watch->ring[i]);
		size_t n = 0;
		const struct capture_record *rec = ring ? ring_peek(ring, &n) : NULL;

		if (!rec || (best && best->time_ns <= rec->time_ns))
			continue;
		best = rec;
		*worker = i;
		*bytes = n;
	}
	return best;
}

static bool has_all(const struct capture *c)
{
	return c->count != 0 && c->taken >= c->count;
}

/* Moves records from the rings to the batch.  True when the batch is full. */
static bool drain(struct capture *c)
{
	const struct capture_record *rec;
	unsigned worker = 0;
	size_t bytes = 0;

	while (!c->error && !has_all(c) && (rec = oldest(c, &worker, &bytes)) != NULL) {
		if (!has_room(&c->batch, bytes))
			return true;
		if (rec->dir == CAPTURE_NAME)
			take_name(c, worker, rec);
		else
			take_frame(c, worker, rec);
		ring_pop(c->watch->ring[worker]);
	}
	return false;
}

/* Describes blocks [first, n) as iovecs, neighbours in the buffer as one; returns the first that found no room. */
static unsigned gather(const struct batch *b, unsigned first, unsigned n, struct iovec *iov,
		       int *used)
{
	const uint8_t *end = NULL;

	*used = 0;
	for (; first < n; first++) {
		const struct block *block = &b->block[first];
		uint8_t *at = b->buf + block->at;

		if (at == end)
			iov[*used - 1].iov_len += block->bytes;
		else if (*used < IOVS)
			iov[(*used)++] = (struct iovec){at, block->bytes};
		else
			break;
		end = at + block->bytes;
	}
	return first;
}

static void write_blocks(struct capture *c, unsigned n)
{
	struct iovec iov[IOVS];
	int used;

	for (unsigned i = 0, next; i < n && !c->error; i = next) {
		next = gather(&c->batch, i, n, iov, &used);
		write_iov(c, iov, used);
		if (!c->error)
			atomic_fetch_add(&c->frames, next - i);
	}
}

/* Writes the blocks that are not younger than until_ns, and keeps the others. */
static void flush(struct capture *c, uint64_t until_ns)
{
	struct batch *b = &c->batch, *spare = &c->spare, rest;
	unsigned n = 0;

	while (n < b->n && b->block[n].time_ns <= until_ns)
		n++;
	write_blocks(c, n);
	spare->n = 0;
	spare->used = 0;
	for (unsigned i = n; i < b->n; i++) {
		struct block block = b->block[i];

		memcpy(spare->buf + spare->used, b->buf + block.at, block.bytes);
		block.at = (uint32_t)spare->used;
		insert(spare, block);
	}
	rest = *spare;
	*spare = *b;
	*b = rest;
}

/* Life of the thread */

/* True when the oldest block has waited for twice as long as blocks may be out of order, or the clock was set back. */
static bool is_due(const struct capture *c, uint64_t now_ns)
{
	uint64_t oldest_ns = c->batch.n ? c->batch.block[0].time_ns : now_ns;

	return now_ns - oldest_ns > 2 * HOLD_NS; /* unsigned: a time in the future is very old */
}

/* Sleeps until there may be something to do. */
static void rest(struct capture *c)
{
	struct pollfd p = {.fd = c->watch->wake_fd, .events = POLLIN};
	unsigned worker;
	size_t bytes;
	uint64_t told;

	if (c->batch.n > 0) {
		/* No eventfd: rings that fill meanwhile cost their workers no wake-up. */
		poll(NULL, 0, LOOK_MS);
		return;
	}
	/* Pairs with the fence of the recorder: it sees that the rings are empty, or we see its record. */
	__sync_synchronize();
	if (oldest(c, &worker, &bytes))
		return;
	if (poll(&p, 1, -1) > 0 && read(c->watch->wake_fd, &told, sizeof(told)) < 0)
		return; /* EAGAIN: nothing to take */
}

static void write_statistics(struct capture *c)
{
	uint8_t block[PCAPNG_BLOCK_MAX];

	for (unsigned i = 0; i < c->n_known; i++) {
		const struct known *k = &c->known[i];
		struct pcapng_statistics s = {
			.interface = (uint32_t)k->interface,
			.start_ns = c->start_ns,
			.end_ns = wall_ns(),
			.written = k->taken,
		};

		if (k->interface == NONE)
			continue;
		if (k->slot < SLOT_MAX && c->watch->lost)
			s.lost = atomic_load(&c->watch->lost[k->slot]);
		write_bytes(c, block, pcapng_statistics(block, &s));
	}
}

static void *run(void *arg)
{
	struct capture *c = arg;
	uint8_t block[PCAPNG_BLOCK_MAX];
	bool is_last = false;
	uint64_t one = 1, now_ns;
	sigset_t kick;

	sigemptyset(&kick);
	sigaddset(&kick, CAPTURE_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
	write_bytes(c, block, pcapng_section(block, "vfab " VFAB_VERSION));
	for (unsigned i = 0; i < c->n_known; i++)
		describe(c, &c->known[i]);
	while (!c->error && !is_last) {
		/* Read first: what was recorded before the stop is in the rings when they are drained. */
		bool is_stopped = atomic_load(&c->stop), is_full = drain(c);

		is_last = has_all(c) || (is_stopped && !is_full);
		now_ns = wall_ns();
		if (is_full || is_last)
			flush(c, UINT64_MAX);
		else if (is_due(c, now_ns))
			flush(c,
			      c->batch.block[0].time_ns > now_ns ? UINT64_MAX : now_ns - HOLD_NS);
		if (!is_full && !is_last && !c->error)
			rest(c);
	}
	write_statistics(c);
	close(c->fd); /* the reader sees the end now, not when somebody joins us */
	c->fd = -1;
	atomic_store(&c->done, true);
	while (write(c->done_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	return NULL;
}

static void interrupted(int signal)
{
	(void)signal;
}

/* The thread takes no signal but the one that interrupts its write; SIGPIPE, blocked, becomes EPIPE. */
static int start_thread(struct capture *c)
{
	struct sigaction a = {.sa_handler = interrupted}; /* no SA_RESTART */
	sigset_t all, old;
	int err;

	if (sigaction(CAPTURE_SIGNAL, &a, NULL) < 0)
		return errno;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&c->thread, NULL, run, c);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return err;
}

static int check_fd(struct capture *c, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return errno;
	c->is_file = S_ISREG(st.st_mode);
	return c->is_file || S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode) || S_ISSOCK(st.st_mode)
		       ? 0
		       : EINVAL;
}

static bool make_batch(struct batch *b)
{
	b->buf = malloc(BATCH_BYTES);
	b->block = malloc((BATCH_BLOCKS + 1) * sizeof(*b->block));
	return b->buf && b->block;
}

static void release(struct capture *c)
{
	if (c->done_fd >= 0)
		close(c->done_fd);
	for (unsigned i = 0; i < WORKERS_MAX; i++)
		free(c->of_slot[i]);
	free(c->known);
	free(c->batch.buf);
	free(c->batch.block);
	free(c->spare.buf);
	free(c->spare.block);
	free(c);
}

struct capture *capture_start(struct watch *w, int fd, uint64_t count,
			      const struct capture_port *ports, unsigned n)
{
	struct capture *c = calloc(1, sizeof(*c));
	int err = 0;

	if (!c)
		return NULL;
	c->watch = w;
	c->fd = fd;
	c->count = count;
	c->start_ns = wall_ns();
	c->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->done_fd < 0)
		err = errno;
	if (!err && (!make_batch(&c->batch) || !make_batch(&c->spare)))
		err = ENOMEM;
	for (unsigned i = 0; !err && i < n; i++)
		err = know(c, ports[i].slot, ports[i].name) == NONE ? ENOMEM : 0;
	if (!err)
		err = check_fd(c, fd);
	if (!err)
		err = start_thread(c);
	if (!err)
		return c;
	release(c);
	errno = err;
	return NULL;
}

int capture_done_fd(const struct capture *c)
{
	return c->done_fd;
}

bool capture_is_done(const struct capture *c)
{
	return atomic_load(&c->done);
}

void capture_stop(struct capture *c)
{
	uint64_t one = 1;

	atomic_store(&c->stop, true);
	if (write(c->watch->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		return;
	if (!capture_is_done(c))
		pthread_kill(c->thread, CAPTURE_SIGNAL);
}

uint64_t capture_frames(const struct capture *c)
{
	return atomic_load(&c->frames);
}

int capture_error(const struct capture *c)
{
	return c->error;
}

void capture_destroy(struct capture *c)
{
	struct pollfd p = {.events = POLLIN};

	if (!c)
		return;
	p.fd = c->done_fd;
	while (!capture_is_done(c)) {
		capture_stop(c);
		poll(&p, 1, CAPTURE_KICK_MS);
	}
	pthread_join(c->thread, NULL);
	release(c);
}
