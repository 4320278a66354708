/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of dhcp/journal: D15, H07.  The writes of the journal go through this file, which can stop time between any two of
 * them and in the middle of one: what lies on the disk then is opened as the next start would, and must be the leases of before or
 * of after the change, for each address.  Files are cut at every byte; disks are full and broken; clocks jump.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "dhcp/journal.h"
#include "switch/base/log.h"

enum { ADDRESSES = 1200, HOUR_MS = 3600000 };

static const uint64_t seed[2] = {1, 2}, secret[2] = {3, 4};
static uint64_t rng_state = 1;

static uint32_t rng(uint32_t below)
{
	rng_state = rng_state * 6364136223846793005 + 1442695040888963407;
	return (uint32_t)((rng_state >> 32) * below >> 32);
}

/* --- The disk --- */

static void (*on_write)(void);	/* in the middle of each write, and after each */
static _Atomic bool is_copying; /* a file was cut to nothing, to be made anew */
static _Atomic int disk_error, sync_error;

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at)
{
	static bool is_rest;
	ssize_t done;

	if (disk_error == ENOSPC && n > 20) /* a full disk takes some of it */
		return syscall(SYS_pwrite64, fd, bytes, n / 2, at);
	if (disk_error) {
		errno = disk_error;
		return -1;
	}
	/* Half of it, and the rest by the next call. */
	is_rest = on_write && !is_rest && n > 1;
	done = syscall(SYS_pwrite64, fd, bytes, is_rest ? n / 2 : n, at);
	if (on_write)
		on_write();
	return done;
}

int ftruncate(int fd, off_t size)
{
	int rc = -1;

	errno = EIO;
	if (disk_error != EIO)
		rc = (int)syscall(SYS_ftruncate, fd, size);
	is_copying = true;
	if (on_write)
		on_write();
	return rc;
}

int fdatasync(int fd)
{
	errno = sync_error;
	return sync_error ? -1 : (int)syscall(SYS_fdatasync, fd);
}

static int new_file(const char *bytes, size_t n)
{
	int fd = memfd_create("journal", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(syscall(SYS_pwrite64, fd, bytes, n, 0), n);
	return fd;
}

static char *read_all(int fd, size_t *n)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char *bytes = malloc((size_t)size + 1);

	assert_non_null(bytes);
	assert_int_equal(pread(fd, bytes, (size_t)size, 0), size);
	bytes[size] = '\0';
	*n = (size_t)size;
	return bytes;
}

static int copy_file(int fd)
{
	size_t n;
	char *bytes = read_all(fd, &n);
	int to = new_file(bytes, n);

	free(bytes);
	return to;
}

/* --- A switch with leases --- */

static struct journal_clock now;
static struct journal *journal;
static struct leases *store;
static struct lease_pool *pool;
static int fds[2];

static void note(void *arg, const struct lease *l, enum lease_news news)
{
	(void)arg;
	journal_note(journal, l, news, &now);
}

static struct lease_pool *make_pool(struct leases *s)
{
	struct lease_range r = {.network = "office"};

	assert_true(ip_parse("10.0.0.1", &r.first) && ip_parse("10.0.255.254", &r.last));
	return leases_pool_apply(s, &r, 0);
}

static void start(int a, int b)
{
	fds[0] = a;
	fds[1] = b;
	store = leases_create(seed, secret);
	assert_non_null(store);
	journal = journal_open(fds, store, &now);
	assert_non_null(journal);
	pool = make_pool(store);
	leases_listen(store, note, NULL);
}

static void stop(void)
{
	journal_close(journal);
	leases_destroy(store);
}

static struct ip ip_at(uint32_t n)
{
	return (struct ip){
		{[10] = 0xff, [11] = 0xff, 10, 0, (uint8_t)(n / 200), (uint8_t)(n % 200 + 1)}};
}

static struct lease_id id_of(uint32_t client)
{
	uint8_t bytes[20] = {(uint8_t)(client >> 16), (uint8_t)(client >> 8), (uint8_t)client};
	struct lease_id id;

	assert_true(lease_id_of_client(&id, bytes, sizeof(bytes)));
	return id;
}

static void bind(uint32_t n, uint32_t client, uint64_t end_ms)
{
	struct lease_id id = id_of(client);
	struct lease_want w = {.id = &id,
			       .mac = {{2, 0, 0, 0, (uint8_t)(client >> 8), (uint8_t)client}},
			       .name = "web",
			       .port = "vm0",
			       .has_fixed = true,
			       .fixed = ip_at(n)};
	enum lease_why why;
	struct lease *l = leases_offer(store, pool, &w, now.now_ms, &why);

	assert_non_null(l);
	assert_true(leases_bind(store, l, &w, end_ms));
}

static uint64_t flush(void)
{
	return journal_flush(journal, &now);
}

/* Until the journal wants nothing but time for what was noted to be on the disk. */
static void settle(void)
{
	struct journal_stats before, st;

	journal_stats(journal, &before);
	for (unsigned i = 0; i < 5000; i++) {
		now.now_ms += 5;
		flush();
		journal_stats(journal, &st);
		if (st.compactions > before.compactions)
			return;
		nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
	}
	fail_msg("it is never made anew");
}

/* --- What is there --- */

/* The last word of each address, as far as it was flushed, and the one that is being written. */
struct word {
	uint8_t state; /* LEASE_OFFERED: nobody */
	uint32_t client;
	uint64_t end_ms;
};
static struct word flushed[ADDRESSES], noted[ADDRESSES];

static struct word word_of(struct leases *s, const struct lease_pool *p, uint32_t n)
{
	struct ip ip = ip_at(n);
	const struct lease *l = leases_at(s, p, &ip);
	struct word w = {.state = LEASE_OFFERED};

	if (l && l->state != LEASE_OFFERED)
		w = (struct word){l->state, 0, l->end_ms};
	if (l && l->id_len > 3)
		w.client = (uint32_t)l->id[1] << 16 | (uint32_t)l->id[2] << 8 | l->id[3];
	return w;
}

static bool same(struct word a, struct word b)
{
	return a.state == b.state && a.client == b.client && a.end_ms == b.end_ms;
}

static void remember(struct word *words)
{
	for (uint32_t n = 0; n < ADDRESSES; n++)
		words[n] = word_of(store, pool, n);
}

static unsigned n_crashes;

/* Dies here, and starts anew. */
static void crash(void)
{
	int copies[2];
	struct leases *s;
	struct journal *j;
	struct lease_pool *p;

	if (!is_copying)
		return;
	on_write = NULL;
	s = leases_create(seed, secret);
	copies[0] = copy_file(fds[0]);
	copies[1] = copy_file(fds[1]);
	j = journal_open(copies, s, &now);
	assert_non_null(j);
	p = make_pool(s);
	for (uint32_t n = 0; n < ADDRESSES; n++) {
		struct word w = word_of(s, p, n);

		/* Who comes after somebody else is two changes: that one is forgotten first. */
		if (w.state != LEASE_OFFERED || flushed[n].state != LEASE_PAST)
			assert_true(same(w, flushed[n]) || same(w, noted[n]));
	}
	journal_close(j);
	leases_destroy(s);
	n_crashes++;
	is_copying = true;
	on_write = crash;
}

static void change(void)
{
	uint32_t n = rng(ADDRESSES);
	struct word w = word_of(store, pool, n);
	struct ip ip = ip_at(n);
	struct lease *l = leases_at(store, pool, &ip);

	if (!same(w, flushed[n]))
		return; /* once a flush, so that there are two words that it can be */
	if (!l)
		bind(n, 100000 + rng(1 << 20), now.now_ms + HOUR_MS);
	else if (l->state == LEASE_BOUND && rng(3))
		bind(n, w.client, now.now_ms + HOUR_MS);
	else if (l->state == LEASE_BOUND && rng(2))
		leases_release(store, l, now.now_ms);
	else if (l->state == LEASE_BOUND)
		leases_decline(store, l, now.now_ms);
	else if (l->state == LEASE_PAST)
		bind(n, 100000 + rng(1 << 20), now.now_ms + HOUR_MS);
}

static void turn(unsigned most)
{
	now.now_ms += 2;
	for (unsigned i = 1 + rng(most); i > 0; i--)
		change();
	remember(noted);
	flush();
	remember(flushed);
}

/* D15: killed between any two writes, and in the middle of any, also while all leases go over to the other file. */
static void d15_killed_anywhere(void **state)
{
	struct journal_stats st;

	(void)state;
	rng_state = 1;
	now = (struct journal_clock){.boot = "b", .now_ms = 100000, .wall_s = 1000000};
	start(new_file("", 0), new_file("", 0));
	for (uint32_t n = 0; n < ADDRESSES; n++)
		bind(n, n, now.now_ms + HOUR_MS);
	flush();
	remember(flushed);
	for (unsigned round = 1; round <= 2; round++) {
		n_crashes = 0;
		/* The first writes, and then those from the moment on when the other file is begun. */
		is_copying = round == 1;
		on_write = crash;
		for (unsigned i = 0; i < 3; i++)
			turn(5);
		is_copying = false;
		do {
			turn(is_copying ? 5 : 100);
			if (is_copying)
				nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
			journal_stats(journal, &st);
		} while (st.compactions < round);
		for (unsigned i = 0; i < 3; i++)
			turn(5);

		assert_true(n_crashes > 10);
		on_write = NULL;
	}
	journal_stats(journal, &st);
	assert_true(!st.is_broken && st.errors == 0);
	stop();
}

/* --- Files that are cut --- */

static char *text_of_files(uint32_t leases_n, size_t *n)
{
	char *text;

	start(new_file("", 0), new_file("", 0));
	for (uint32_t i = 0; i < leases_n; i++) {
		bind(i, i, now.now_ms + HOUR_MS + i);
		flush();
	}
	text = read_all(fds[0], n);
	stop();
	return text;
}

static unsigned bound(void)
{
	struct lease_count c;

	leases_count(store, pool, &c);
	return c.bound;
}

/* Lines that are whole in the first n bytes. */
static unsigned lines_in(const char *text, size_t n)
{
	unsigned lines = 0;

	for (size_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	return lines;
}

/* D15: half-written at any byte: what is whole counts, and what is written then is found by the next start. */
static void d15_cut_at_every_byte(void **state)
{
	size_t n;
	char *text = text_of_files(6, &n);

	(void)state;
	for (size_t cut = 0; cut <= n; cut++) {
		unsigned lines = lines_in(text, cut), want = lines > 2 ? lines - 2 : 0;

		start(new_file(text, cut), new_file("", 0));
		assert_int_equal(bound(), want);
		for (uint32_t i = 0; i < want; i++)
			assert_true(same(word_of(store, pool, i),
					 (struct word){LEASE_BOUND, i, now.now_ms + HOUR_MS + i}));
		bind(50, 50, now.now_ms + HOUR_MS);
		flush();
		fds[0] = copy_file(fds[0]);
		fds[1] = copy_file(fds[1]);
		stop();
		start(fds[0], fds[1]);
		assert_int_equal(bound(), want + 1);
		stop();
	}
	free(text);
}

/* The newer file counts when it is complete, else the older one, whatever is in the newer. */
static void d15_newer_file_cut(void **state)
{
	static const char newer[] =
		"{\"vfab-leases\":1,\"generation\":2,\"boot\":\"b\",\"complete\":false}\n"
		"{\"ip\":\"10.0.0.9\",\"net\":\"office\",\"state\":\"bound\",\"id\":\"01ff\",\"end_"
		"ms\":9999999,"
		"\"end_s\":1000001,\"at_s\":1000000}\n"
		"{\"complete\":true}\n";
	size_t n, size = sizeof(newer) - 1;
	char *text = text_of_files(3, &n);

	(void)state;
	for (size_t cut = 0; cut <= size; cut++) {
		/* In either place. */
		int a = new_file(text, n), b = new_file(newer, cut);

		start(cut % 2 ? a : b, cut % 2 ? b : a);
		assert_int_equal(bound(), cut == size ? 1 : 3);
		stop();
	}
	free(text);
}

/* --- Lines that make no sense --- */

#define HEAD                                                                                       \
	"{\"vfab-leases\":1,\"generation\":3,\"boot\":\"b\",\"complete\":false}\n{\"complete\":"   \
	"true}\n"
#define LEASE(ip, id, rest)                                                                        \
	"{\"ip\":\"" ip "\",\"net\":\"office\",\"state\":\"bound\",\"id\":\"" id "\"," rest "}\n"
#define TIMES "\"end_ms\":9999999,\"end_s\":1003600,\"at_s\":1000000"

static void left_out(void **state)
{
	static const char *const bad[] = {
		"\n",
		"{\n",
		"[]\n",
		"null\n",
		"{\"ip\":5}\n",
		LEASE("10.0.0.500", "01ff", TIMES),
		LEASE("10.0.0.5", "01f", TIMES),
		LEASE("10.0.0.5", "01FG", TIMES),
		LEASE("10.0.0.5", "01", TIMES),
		LEASE("10.0.0.5", "", TIMES),
		LEASE("10.0.0.5", "09ff", TIMES),
		LEASE("10.0.0.5", "01ff", TIMES ",\"mac\":\"no\""),
		LEASE("10.0.0.5", "01ff", TIMES ",\"name\":\"Not Clean\""),
		LEASE("10.0.0.5", "01ff", TIMES ",\"port\":\"\\u0000x\""),
		LEASE("10.0.0.5", "01ff", "\"end_ms\":9999999,\"end_s\":1003600"),
		LEASE("10.0.0.5", "01ff", "\"end_ms\":-2,\"end_s\":1003600,\"at_s\":1"),
		LEASE("10.0.0.5", "01ff", "\"end_ms\":1e3,\"end_s\":1003600,\"at_s\":1"),
		LEASE("10.0.0.5", "01ff", "\"end_ms\":1,\"end_s\":9223372036854775807,\"at_s\":1"),
		LEASE("224.0.0.5", "01ff", TIMES),
		"{\"boot\":\"0123456789012345678901234567890123456789\"}\n",
		"{\"complete\":false}\n",
	};
	static char file[300000];

	(void)state;
	for (unsigned i = 0; i <= sizeof(bad) / sizeof(*bad); i++) {
		struct journal_stats st;
		size_t n = (size_t)sprintf(file, "%s%s", HEAD, LEASE("10.0.0.1", "01aa", TIMES));

		if (i < sizeof(bad) / sizeof(*bad)) {
			n += (size_t)sprintf(file + n, "%s", bad[i]);
		} else { /* a line that is longer than any, and zeros */
			memset(file + n, 'x', 200000);
			memset(file + n + 200000, 0, 1000);
			n += 201000;
			file[n++] = '\n';
		}
		n += (size_t)sprintf(file + n, "%s", LEASE("10.0.0.2", "01bb", TIMES));
		start(new_file(file, n), new_file("rubbish", 7));
		assert_int_equal(bound(), 2);
		journal_stats(journal, &st);
		assert_true(st.read == 2 && st.refused == 1);
		stop();
	}
	/* The end of a file that is one long line: cut off, and what is written behind it is not lost. */
	memcpy(file, HEAD, strlen(HEAD));
	memset(file + strlen(HEAD), 'x', 200000);
	start(new_file(file, strlen(HEAD) + 200000), new_file("", 0));
	bind(1, 1, now.now_ms + HOUR_MS);
	flush();
	fds[0] = copy_file(fds[0]);
	fds[1] = copy_file(fds[1]);
	stop();
	start(fds[0], fds[1]);
	assert_int_equal(bound(), 1);
	stop();
}

/* What another program wrote, or an operator's editor: the same lease in any JSON that says it. */
static void other_spellings(void **state)
{
	static const char *const same_lease[] = {
		LEASE("10.0.0.2", "01bb0000", TIMES),
		" {\"ip\" : \"10.0.0.2\",\t\"net\":\"office\", "
		"\"state\":\"bound\",\"id\":\"01bb0000\"," TIMES "}\r\n",
		LEASE("\\u00310.0.0.2", "01bb0000", TIMES),
		"{" TIMES ",\"id\":\"01bb0000\",\"state\":\"bound\",\"net\":\"office\",\"ip\":\"10."
		"0.0.2\"}\n",
		LEASE("10.0.0.2", "01bb0000", TIMES ",\"more\":[{}],\"relayed\":null"),
		LEASE("10.0.0.2", "01bb0000", "\"relayed\":false," TIMES ",\"at_s\":1000000"),
	};
	char file[1000];

	(void)state;
	for (unsigned i = 0; i < sizeof(same_lease) / sizeof(*same_lease); i++) {
		size_t n = (size_t)sprintf(file, "%s%s", HEAD, same_lease[i]);

		start(new_file(file, n), new_file("", 0));
		assert_int_equal(bound(), 1);
		assert_true(same(word_of(store, pool, 1),
				 (struct word){LEASE_BOUND, 0xbb0000, 9999999}));
		stop();
	}
}

/* Later lines win, whatever they are about; nobody has two addresses, and no address has two. */
static void later_lines_win(void **state)
{
	static const char file[] = HEAD LEASE("10.0.0.1", "01aa", TIMES) LEASE(
		"10.0.0.1", "01bb0000", TIMES) LEASE("10.0.0.2", "01bb0000", TIMES)
		LEASE("10.0.0.3", "01cc",
		      TIMES) "{\"ip\":\"10.0.0.3\",\"net\":\"office\",\"state\":\"gone\"}\n"
			     "{\"ip\":\"10.0.0.4\",\"net\":\"office\",\"state\":\"declined\"," TIMES
			     "}\n";
	struct lease_count c;

	(void)state;
	start(new_file("", 0), new_file(file, sizeof(file) - 1));
	leases_count(store, pool, &c);
	assert_true(c.bound == 1 && c.declined == 1 && c.past == 0);
	assert_int_equal(word_of(store, pool, 1).client, 0xbb0000);
	stop();
}

/* --- Clocks --- */

/* H07: a step of the wall clock ends no lease and lengthens none, while the machine is up and after a restart of the switch. */
static void h07_wall_clock(void **state)
{
	static const int64_t year_s = 366 * 86400;
	const struct journal_clock first = {.boot = "b", .now_ms = 5000000, .wall_s = 1800000000};

	(void)state;
	for (int step = -1; step <= 1; step++) {
		int a, b;
		struct word w;

		now = first;
		start(new_file("", 0), new_file("", 0));
		bind(1, 1, now.now_ms + HOUR_MS);
		bind(2, 2, UINT64_MAX);
		bind(3, 3, now.now_ms + 10000);
		flush();
		a = copy_file(fds[0]);
		b = copy_file(fds[1]);
		stop();
		/* The same boot, ten minutes later by its own clock. */
		now.wall_s += step * year_s;
		now.now_ms += 600000;
		start(copy_file(a), copy_file(b));
		leases_tick(store, now.now_ms, 10);
		assert_true(same(word_of(store, pool, 1),
				 (struct word){LEASE_BOUND, 1, first.now_ms + HOUR_MS}));
		assert_true(
			same(word_of(store, pool, 2), (struct word){LEASE_BOUND, 2, UINT64_MAX}));
		assert_int_equal(word_of(store, pool, 3).state, LEASE_PAST);
		stop();
		/* Another boot: what is left by the wall clock, and no more than there was. */
		now = (struct journal_clock){.boot = "c", .now_ms = 9000};
		now.wall_s = first.wall_s + 600 + step * year_s;
		start(a, b);
		leases_tick(store, now.now_ms, 10);
		w = word_of(store, pool, 1);
		if (step == 0)
			assert_true(w.state == LEASE_BOUND && w.end_ms == 9000 + 3001000 - 0);
		else if (step < 0)
			assert_true(w.state == LEASE_BOUND && w.end_ms == 9000 + 3601000);
		else
			assert_int_equal(w.state, LEASE_PAST);
		assert_true(
			same(word_of(store, pool, 2), (struct word){LEASE_BOUND, 2, UINT64_MAX}));
		/* Lines of this boot in a file that was begun in another. */
		bind(5, 5, now.now_ms + 777);
		flush();
		a = copy_file(fds[0]);
		b = copy_file(fds[1]);
		stop();
		now.wall_s += year_s;
		now.now_ms += 100;
		start(a, b);
		assert_true(same(word_of(store, pool, 5), (struct word){LEASE_BOUND, 5, 9777}));
		stop();
	}
	now = first;
}

/* --- Disks --- */

static unsigned on_disk(void)
{
	int copies[2] = {copy_file(fds[0]), copy_file(fds[1])};
	struct leases *s = leases_create(seed, secret);
	struct journal *j = journal_open(copies, s, &now);
	unsigned n = leases_total(s);

	journal_close(j);
	leases_destroy(s);
	return n;
}

/* A disk that is full, or broken: leases go on, and all of them are written when it is well again. */
static void broken_disk(void **state)
{
	static const int errors[] = {ENOSPC, EIO};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct journal_stats st;

		now = (struct journal_clock){.boot = "b", .now_ms = 1000, .wall_s = 5};
		start(new_file("", 0), new_file("", 0));
		bind(1, 1, UINT64_MAX);
		flush();
		if (i < 2)
			disk_error = errors[i];
		else
			sync_error = errors[i - 2];
		for (uint32_t k = 2; k < 20; k++) {
			now.now_ms += 1000;
			bind(k, k, UINT64_MAX);
			flush();
			nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
		}
		journal_stats(journal, &st);
		assert_true(st.is_broken && st.errors > 0 && st.compactions == 0);
		assert_true(flush() <= now.now_ms + JOURNAL_COMPACT_RETRY_MS);
		disk_error = sync_error = 0;
		now.now_ms += JOURNAL_COMPACT_RETRY_MS;
		settle();
		journal_stats(journal, &st);
		assert_false(st.is_broken);
		assert_int_equal(on_disk(), 19);
		bind(30, 30, UINT64_MAX);
		flush();
		assert_int_equal(on_disk(), 20);
		stop();
	}
	/* Broken from the start. */
	disk_error = EIO;
	start(new_file("", 0), new_file("", 0));
	bind(1, 1, UINT64_MAX);
	flush();
	disk_error = 0;
	now.now_ms += JOURNAL_COMPACT_RETRY_MS;
	settle();
	assert_int_equal(on_disk(), 1);
	stop();
}

static void syncs(void **state)
{
	struct journal_stats st;

	(void)state;
	now = (struct journal_clock){.boot = "b", .now_ms = 1000, .wall_s = 5};
	start(new_file("", 0), new_file("", 0));
	assert_true(flush() == UINT64_MAX);
	bind(1, 1, UINT64_MAX);
	assert_true(flush() == UINT64_MAX); /* asked at once */
	bind(2, 2, UINT64_MAX);
	assert_true(flush() == 1000 + JOURNAL_SYNC_MS);
	now.now_ms = 1000 + JOURNAL_SYNC_MS;
	assert_true(flush() == UINT64_MAX);
	for (unsigned i = 0; i < 5000; i++) {
		journal_stats(journal, &st);
		if (st.syncs >= 1)
			break;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	assert_true(st.syncs >= 1 && st.records == 2);
	stop();
	journal_close(NULL);
	/* Not even a file. */
	store = leases_create(seed, secret);
	assert_null(journal_open((const int[2]){dup(0), -1}, store, &now));
	leases_destroy(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(d15_killed_anywhere),
		cmocka_unit_test(d15_cut_at_every_byte),
		cmocka_unit_test(d15_newer_file_cut),
		cmocka_unit_test(left_out),
		cmocka_unit_test(other_spellings),
		cmocka_unit_test(later_lines_win),
		cmocka_unit_test(h07_wall_clock),
		cmocka_unit_test(broken_disk),
		cmocka_unit_test(syncs),
	};

	log_init("test", LOG_LEVEL_ERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
