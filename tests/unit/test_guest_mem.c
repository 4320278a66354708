/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory that a guest shares: what is mapped, what is found in it, and what happens when the guest takes it away under a
 * worker (rows V06, V07, G02 of what has to hold).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/ring_lab.h"

enum { PAGE = 4096, BYTES = 1 << 20, HUGE = 2 << 20, THREADS = 4, ROUNDS = 100 };
#define GPA 0x100000000ULL
#define UVA 0x7f0000000000ULL

static struct guest_mem mem;
static _Atomic bool dead;
static char why[GUEST_WHY_SIZE];
static int event;

static struct sigaction guard;

/* cmocka has a handler of its own while a test runs. */
static void catch_sigbus(void)
{
	assert_int_equal(sigaction(SIGBUS, &guard, NULL), 0);
}

static int clean(void **state)
{
	uint64_t n;

	(void)state;
	guest_mem_clear(&mem);
	atomic_store(&dead, false);
	return read(event, &n, sizeof(n)) < 0 && errno != EAGAIN ? -1 : 0;
}

static int memory(uint64_t bytes)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	return fd;
}

/* Adds a region; the descriptor is closed. */
static int add(unsigned place, struct guest_region r, int fd)
{
	int err;

	why[0] = '\0';
	err = guest_mem_add(&mem, place, &r, fd, &dead, why);
	assert_true(!err || why[0]);
	close(fd);
	return err;
}

static uint8_t *at(uint64_t gpa, uint64_t bytes)
{
	unsigned hint = 0;

	return guest_mem_at(&mem, gpa, bytes, &hint);
}

/* --- what is found ----------------------------------------------------------------------- */

static void look_ups(void **state)
{
	static const struct {
		uint64_t gpa, bytes;
		bool is_there;
	} t[] = {
		{GPA, 1, true},
		{GPA, 0, true},
		{GPA, BYTES, true},
		{GPA, BYTES + 1, false},
		{GPA - 1, 1, false},
		{GPA + BYTES - 1, 1, true},
		{GPA + BYTES - 1, 2, false}, /* the next region is another piece of memory */
		{GPA + BYTES, BYTES, true},
		{GPA + 2 * BYTES, 0, false},
		{GPA + 2 * BYTES, 1, false},
		{GPA + 4 * BYTES, PAGE, true},
		{GPA + 4 * BYTES - 1, 2, false},
		{GPA + 4 * BYTES + PAGE, 1, false},
		{GPA, UINT64_MAX, false},
		{GPA + 1, UINT64_MAX, false},
		{UINT64_MAX, 1, false},
		{UINT64_MAX, UINT64_MAX, false},
		{0, 0, false},
		{0, 1, false},
	};

	(void)state;
	assert_null(at(0, 0));
	assert_int_equal(add(3, (struct guest_region){GPA, BYTES, UVA, 0}, memory(BYTES)), 0);
	assert_int_equal(
		add(1, (struct guest_region){GPA + BYTES, BYTES, UVA + BYTES, 0}, memory(BYTES)),
		0);
	assert_int_equal(
		add(7, (struct guest_region){GPA + 4 * BYTES, PAGE, UVA / 2, 0}, memory(PAGE)), 0);
	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		for (unsigned hint = 0; hint < 4; hint++) {
			unsigned h = hint;
			uint8_t *p = guest_mem_at(&mem, t[i].gpa, t[i].bytes, &h);

			assert_int_equal(p != NULL, t[i].is_there);
			assert_true(h < GUEST_REGIONS_MAX);
			if (p && t[i].bytes)
				p[0] = p[t[i].bytes - 1] = 1;
		}
	/* By the addresses of the front-end it is the same memory. */
	assert_ptr_equal(guest_mem_at_uva(&mem, UVA + 5, 7), at(GPA + 5, 7));
	assert_ptr_equal(guest_mem_at_uva(&mem, UVA + BYTES, BYTES), at(GPA + BYTES, BYTES));
	assert_ptr_equal(guest_mem_at_uva(&mem, UVA / 2, PAGE), at(GPA + 4 * BYTES, PAGE));
	assert_null(guest_mem_at_uva(&mem, UVA + BYTES - 1, 2));
	assert_null(guest_mem_at_uva(&mem, GPA, 1));
	assert_null(guest_mem_at_uva(&mem, UINT64_MAX, 1));
}

static void places(void **state)
{
	struct guest_region r = {GPA, PAGE, UVA, 0}, other;

	(void)state;
	for (unsigned i = 0; i < GUEST_REGIONS_MAX; i++) {
		assert_int_equal(guest_mem_free_place(&mem), i);
		assert_int_equal(add(i, r, memory(PAGE)), 0);
		assert_int_equal(guest_mem_find(&mem, &r), i);
		r.gpa += PAGE;
		r.uva += PAGE;
	}
	assert_int_equal(guest_mem_free_place(&mem), -1);
	assert_int_equal(mem.n, GUEST_REGIONS_MAX);
	r = (struct guest_region){GPA + 5 * PAGE, PAGE, UVA + 5 * PAGE, 99 * PAGE};
	assert_int_equal(guest_mem_find(&mem, &r), 5);
	other = r;
	other.uva++;
	assert_int_equal(guest_mem_find(&mem, &other), -1);
	other = r;
	other.size--;
	assert_int_equal(guest_mem_find(&mem, &other), -1);
	assert_int_equal(guest_mem_find(&mem, &(struct guest_region){0}), -1);
	guest_mem_del(&mem, 5);
	guest_mem_del(&mem, 5);
	assert_int_equal(guest_mem_free_place(&mem), 5);
	assert_null(at(r.gpa, 1));
	assert_non_null(at(r.gpa + PAGE, 1));
	assert_non_null(at(GPA + 31 * PAGE, PAGE));
}

/* A region may begin anywhere in its file. */
static void offsets(void **state)
{
	static const uint64_t offset[] = {0, PAGE, 100, PAGE - 1, 3 * PAGE + 8};

	(void)state;
	for (unsigned i = 0; i < sizeof(offset) / sizeof(offset[0]); i++) {
		int fd = memory(BYTES);
		uint8_t seen = 0;

		assert_int_equal(guest_mem_add(&mem, 0,
					       &(struct guest_region){GPA, 1000, UVA, offset[i]},
					       fd, &dead, why),
				 0);
		at(GPA, 1000)[999] = 77;
		assert_int_equal(pread(fd, &seen, 1, (off_t)offset[i] + 999), 1);
		assert_int_equal(seen, 77);
		assert_null(at(GPA + 1000, 1));
		guest_mem_clear(&mem);
		close(fd);
	}
}

static void huge_pages(void **state)
{
	int fd = memfd_create("guest", MFD_CLOEXEC | MFD_HUGETLB);
	void *page;

	(void)state;
	if (fd < 0)
		skip();
	assert_int_equal(ftruncate(fd, HUGE), 0);
	page = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED) {
		close(fd);
		skip(); /* none is reserved */
	}
	munmap(page, HUGE);
	assert_int_equal(add(0, (struct guest_region){GPA, PAGE, UVA, 5 * PAGE}, fd), 0);
	assert_int_equal(mem.map[0].page, HUGE);
	memset(at(GPA, PAGE), 1, PAGE);
}

/* --- what is refused --------------------------------------------------------------------- */

static void V06_numbers(void **state)
{
	static const struct guest_region t[] = {
		{GPA, 0, UVA, 0},
		{UINT64_MAX - 10, PAGE, UVA, 0},
		{UINT64_MAX - PAGE + 1, PAGE, UVA, 0}, /* to the last byte: its end is 0 */
		{GPA, PAGE, UINT64_MAX - 10, 0},
		{GPA, PAGE, UVA, UINT64_MAX - 10},
		{GPA, PAGE, UVA, INT64_MAX},
		{GPA, UINT64_MAX, UVA, 0},
		{GPA, BYTES + 1, UVA, 0},
		{GPA, PAGE, UVA, BYTES},
		{GPA, 2, UVA, BYTES - 1},
		{GPA, 1ULL << 62, UVA, 0},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		assert_int_equal(add(0, t[i], memory(BYTES)), -EINVAL);
	assert_int_equal(mem.n, 0);
	assert_int_equal(guest_mem_free_place(&mem), 0);
}

static void V06_overlaps(void **state)
{
	static const struct {
		uint64_t gpa, size;
	} t[] = {
		{GPA + BYTES, BYTES},	      {GPA + BYTES - 1, 2}, {GPA + 2 * BYTES - 1, 1},
		{GPA, 3ULL * BYTES},	      {GPA + BYTES + 5, 1}, {GPA, BYTES + 1ULL},
		{GPA + 2 * BYTES - 1, BYTES},
	};
	struct guest_region r = {GPA + BYTES, BYTES, UVA + BYTES, 0};

	(void)state;
	assert_int_equal(add(0, r, memory(BYTES)), 0);
	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		/* In one of the two address spaces. */
		r = (struct guest_region){t[i].gpa, t[i].size, UVA * 2, 0};
		assert_int_equal(add(1, r, memory(3 * BYTES)), -EINVAL);
		r = (struct guest_region){GPA * 2, t[i].size, t[i].gpa - GPA + UVA, 0};
		assert_int_equal(add(1, r, memory(3 * BYTES)), -EINVAL);
	}
	assert_int_equal(add(1, (struct guest_region){GPA, BYTES, UVA, 0}, memory(BYTES)), 0);
	assert_int_equal(mem.n, 2);
}

static void V06_kinds_of_files(void **state)
{
	struct guest_region r = {GPA, PAGE, UVA, 0};
	char path[] = "/var/tmp/guest-memory-XXXXXX";
	int ends[2], fd, file;
	struct statfs fs;

	(void)state;
	assert_int_equal(add(0, r, open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)), -EINVAL);
	assert_int_equal(add(0, r, open("/dev/zero", O_RDWR | O_CLOEXEC)), -EINVAL);
	assert_int_equal(add(0, r, open("/proc/self/maps", O_RDONLY | O_CLOEXEC)), -EINVAL);
	assert_int_equal(add(0, r, eventfd(0, EFD_CLOEXEC)), -EINVAL);
	assert_int_equal(add(0, r, epoll_create1(EPOLL_CLOEXEC)), -EINVAL);
	assert_int_equal(add(0, r, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)), -EINVAL);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(add(0, r, ends[1]), -EINVAL);
	close(ends[0]);
	assert_int_equal(guest_mem_add(&mem, 0, &r, -1, &dead, why), -EBADF);
	/* One that cannot be written to. */
	fd = memory(PAGE);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1); /* not allowed to seal */
	close(fd);
	fd = memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(ftruncate(fd, PAGE), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	assert_int_equal(add(0, r, fd), -EPERM);

	file = mkostemp(path, O_CLOEXEC);
	assert_true(file >= 0);
	unlink(path);
	assert_int_equal(ftruncate(file, PAGE), 0);
	assert_int_equal(fstatfs(file, &fs), 0);
	assert_int_equal(add(0, r, file), fs.f_type == TMPFS_MAGIC ? 0 : -EINVAL);
}

static unsigned count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* Memory that comes and goes leaves nothing behind, however often. */
static void V12_comes_and_goes(void **state)
{
	unsigned before = count_fds();

	(void)state;
	for (unsigned i = 0; i < 40000; i++) {
		unsigned place = i % GUEST_REGIONS_MAX;
		struct guest_region r = {GPA + place * PAGE, PAGE, UVA + place * PAGE, 0};

		guest_mem_del(&mem, place);
		assert_int_equal(add(place, r, memory(i % 7 ? PAGE : 0)), i % 7 ? 0 : -EINVAL);
	}
	assert_int_equal(count_fds(), before);
}

/* --- memory that is taken away ----------------------------------------------------------- */

static bool is_told(void)
{
	struct pollfd p = {event, POLLIN, 0};
	uint64_t n;

	if (poll(&p, 1, 0) != 1)
		return false;
	return read(event, &n, sizeof(n)) == sizeof(n);
}

static void V07_truncated(void **state)
{
	int fd = memory(BYTES), other = memory(BYTES);
	static struct guest_mem neighbour;
	static _Atomic bool neighbour_dead;
	struct guest_region r = {GPA, BYTES, UVA, 0};

	(void)state;
	catch_sigbus();
	assert_int_equal(guest_mem_add(&mem, 0, &r, fd, &dead, why), 0);
	assert_int_equal(guest_mem_add(&neighbour, 0, &r, other, &neighbour_dead, why), 0);
	memset(at(GPA, BYTES), 5, BYTES);
	neighbour.span[0].host[BYTES - 1] = 6;
	assert_int_equal(ftruncate(fd, PAGE), 0);
	/* What is left of it is as it was. */
	assert_int_equal(*(volatile uint8_t *)at(GPA + PAGE - 1, 1), 5);
	assert_false(atomic_load(&dead));
	assert_false(is_told());
	/* The rest is zeros, and from then on all of it. */
	assert_int_equal(*(volatile uint8_t *)at(GPA + PAGE, 1), 0);
	assert_true(atomic_load(&dead));
	assert_true(is_told());
	assert_int_equal(*(volatile uint8_t *)at(GPA, 1), 0);
	memset(at(GPA, BYTES), 7, BYTES);
	assert_false(is_told());
	assert_false(atomic_load(&neighbour_dead));
	assert_int_equal(neighbour.span[0].host[BYTES - 1], 6);
	guest_mem_clear(&neighbour);
	close(fd);
	close(other);
}

static void *touch(void *arg)
{
	(void)arg;
	for (unsigned k = 0; k < BYTES; k += PAGE)
		((volatile uint8_t *)at(GPA, BYTES))[k]++;
	return NULL;
}

/* Several threads meet it at once. */
static void V07_many_threads(void **state)
{
	struct guest_region r = {GPA, BYTES, UVA, 0};
	pthread_t thread[THREADS];

	(void)state;
	catch_sigbus();
	for (unsigned round = 0; round < ROUNDS; round++) {
		int fd = memory(BYTES);

		assert_int_equal(guest_mem_add(&mem, 0, &r, fd, &dead, why), 0);
		assert_int_equal(ftruncate(fd, 0), 0);
		for (unsigned i = 0; i < THREADS; i++)
			assert_int_equal(pthread_create(&thread[i], NULL, touch, NULL), 0);
		for (unsigned i = 0; i < THREADS; i++)
			pthread_join(thread[i], NULL);
		assert_true(atomic_load(&dead));
		assert_true(is_told());
		guest_mem_clear(&mem);
		atomic_store(&dead, false);
		close(fd);
	}
}

/* A signal that is no guest's doing ends the process, as it would without us. */
static void V07_other_signals(void **state)
{
	(void)state;
	catch_sigbus();
	for (unsigned sent = 0; sent < 2; sent++) {
		int status = 0, fd = memory(PAGE);
		uint8_t *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		pid_t pid;

		assert_ptr_not_equal(p, MAP_FAILED);
		assert_int_equal(ftruncate(fd, 0), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			alarm(10);
			if (sent)
				raise(SIGBUS);
			else
				*(volatile uint8_t *)p = 1;
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGBUS);
		munmap(p, PAGE);
		close(fd);
	}
}

/* --- under a ring ------------------------------------------------------------------------ */

/* The lab's ring and guest memory in one region of a file that can be cut. */
struct cut {
	struct ring_lab *l;
	int fd;
};

static struct cut cut_create(const struct lab_shape *shape, bool is_transmit)
{
	struct cut c = {lab_create(shape, is_transmit), memory(2 * BYTES)};
	struct guest_region r = {LAB_GPA, 2 * BYTES, UVA, 0};

	assert_int_equal(guest_mem_add(&mem, 0, &r, c.fd, &dead, why), 0);
	for (unsigned i = 0; i < 8; i++) {
		uint64_t gpa = lab_alloc(c.l, 2000);
		struct lab_part part = {gpa, 2000, is_transmit ? 0 : LAB_WRITE};

		assert_true(lab_put(c.l, &part, 1) >= 0);
	}
	for (unsigned i = 0; i < 3; i++) {
		uint64_t gpa = LAB_GPA + BYTES + i * 16 * PAGE;

		memcpy(at(gpa, PAGE), c.l->part[i], c.l->part_bytes[i]);
	}
	c.l->r.mem = &mem;
	c.l->r.desc = at(LAB_GPA + BYTES, PAGE);
	c.l->r.driver = at(LAB_GPA + BYTES + 16 * PAGE, PAGE);
	c.l->r.device = at(LAB_GPA + BYTES + 32 * PAGE, PAGE);
	return c;
}

static void cut_destroy(struct cut *c)
{
	assert_true(atomic_load(&dead));
	assert_true(is_told());
	lab_destroy(c->l);
	close(c->fd);
	clean(NULL);
}

static const struct lab_shape shapes[] = {
	{.size = 16, .header = 12, .has_mrg = true},
	{.size = 13, .header = 12, .has_mrg = true, .is_packed = true},
};

/* Bytes of the file that are left: nothing, or the frames without the ring. */
static const off_t left[] = {0, BYTES};

static void cut_under_take(const struct lab_shape *shape, off_t rest, bool is_held)
{
	struct cut c = cut_create(shape, true);
	uint8_t bytes[2000];

	if (is_held)
		assert_int_equal(lab_take(c.l), 8);
	assert_int_equal(ftruncate(c.fd, rest), 0);
	if (!is_held)
		lab_take(c.l);
	/* What is held is copied out yet, and given back. */
	for (unsigned n = 0; n < c.l->vec.n; n++)
		frame_copy(&c.l->vec.f[n], 0, bytes, sizeof(bytes));
	lab_return(c.l);
	vring_arm(&c.l->r);
	cut_destroy(&c);
}

static void V07_under_take(void **state)
{
	(void)state;
	catch_sigbus();
	for (unsigned i = 0; i < 2; i++)
		for (unsigned k = 0; k < 2; k++) {
			cut_under_take(&shapes[i], left[k], false);
			cut_under_take(&shapes[i], left[k], true);
		}
}

static void V07_under_put(void **state)
{
	static uint8_t bytes[FRAME_HEADROOM + 1500];
	struct frame f = {.snap = bytes + FRAME_HEADROOM, .len = 1500, .snap_len = 1500};

	(void)state;
	catch_sigbus();
	for (unsigned i = 0; i < 2; i++)
		for (unsigned k = 0; k < 2; k++) {
			struct cut c = cut_create(&shapes[i], false);
			struct tx_frame t[4];

			for (unsigned n = 0; n < 4; n++)
				t[n] = (struct tx_frame){.f = &f, .frames = 1};
			assert_int_equal(lab_tx(c.l, t, 2), 0);
			assert_int_equal(ftruncate(c.fd, left[k]), 0);
			lab_tx(c.l, t + 2, 2);
			cut_destroy(&c);
		}
}

static void *cut_later(void *arg)
{
	const struct cut *c = arg;

	for (unsigned i = (unsigned)rand() % 3000; i > 0; i--)
		atomic_load(&dead);
	assert_int_equal(ftruncate(c->fd, 0), 0);
	return NULL;
}

/* At any moment of both. */
static void V07_meanwhile(void **state)
{
	static uint8_t bytes[FRAME_HEADROOM + 100];
	struct frame f = {.snap = bytes + FRAME_HEADROOM, .len = 100, .snap_len = 100};

	(void)state;
	catch_sigbus();
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct cut c = cut_create(&shapes[round % 2], round / 2 % 2);
		pthread_t guest;

		assert_int_equal(pthread_create(&guest, NULL, cut_later, &c), 0);
		while (!atomic_load(&dead)) {
			struct tx_frame t = {.f = &f, .frames = 1};

			if (c.l->is_transmit) {
				vring_take(&c.l->r, &c.l->scratch, &c.l->vec, VEC_SIZE);
				vring_return(&c.l->r, &c.l->scratch);
				vring_arm(&c.l->r);
			} else {
				lab_tx(c.l, &t, 1);
			}
		}
		pthread_join(guest, NULL);
		cut_destroy(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(look_ups, clean),
		cmocka_unit_test_teardown(places, clean),
		cmocka_unit_test_teardown(offsets, clean),
		cmocka_unit_test_teardown(huge_pages, clean),
		cmocka_unit_test_teardown(V06_numbers, clean),
		cmocka_unit_test_teardown(V06_overlaps, clean),
		cmocka_unit_test_teardown(V06_kinds_of_files, clean),
		cmocka_unit_test_teardown(V12_comes_and_goes, clean),
		cmocka_unit_test_teardown(V07_truncated, clean),
		cmocka_unit_test_teardown(V07_many_threads, clean),
		cmocka_unit_test_teardown(V07_other_signals, clean),
		cmocka_unit_test_teardown(V07_under_take, clean),
		cmocka_unit_test_teardown(V07_under_put, clean),
		cmocka_unit_test_teardown(V07_meanwhile, clean),
	};

	event = guest_guard_start();
	if (event < 0 || sigaction(SIGBUS, NULL, &guard) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
