/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_mem: maps what a guest shares and looks addresses up.
 *
 * vhost_msg.c adds and removes regions while no worker uses the table; vring.c looks descriptors up, inline, and vhost.c
 * the rings.
 *
 * Theory of the guard.  A region that is cut short raises SIGBUS in whichever thread touches it.  The handler may do
 * little: it finds the region in a fixed table, maps zero pages over all of it and returns, so that the access is repeated
 * and succeeds.  What the worker then reads is zeros, which is as good as anything that a guest may write.
 *
 *      access -> SIGBUS -> zero pages over the region -> owner dead, eventfd -> control thread closes that guest
 *
 * Trust.  The descriptor and every number are the front-end's.  Only files of tmpfs and hugetlbfs are mapped: their pages
 * come from the kernel itself, while a page of a FUSE file is whatever, and whenever, a process says.
 */
#include "switch/port/guest_mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { GUARDS_MAX = 16384 };

/* A mapped region, for the handler.  start is written last and cleared first. */
struct guard {
	_Atomic uintptr_t start; /* 0: free */
	size_t bytes;
	_Atomic bool *dead;
};

static struct guard guards[GUARDS_MAX];
static _Atomic unsigned guards_used; /* places below this were ever used */
static int guard_event = -1;
static uint64_t mapped_bytes; /* of all guests; the control thread's */

int guest_refuse(char why[static GUEST_WHY_SIZE], int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, GUEST_WHY_SIZE, fmt, ap);
	va_end(ap);
	return err;
}

static struct guard *guard_of(uintptr_t at)
{
	unsigned n = atomic_load_explicit(&guards_used, memory_order_acquire);

	for (unsigned i = 0; i < n; i++) {
		uintptr_t start = atomic_load_explicit(&guards[i].start, memory_order_acquire);

		if (start && at - start < guards[i].bytes)
			return &guards[i];
	}
	return NULL;
}

void guest_guard_tell(void)
{
	uint64_t one = 1;
	int saved = errno;

	/* When its counter is full it is readable anyway. */
	if (guard_event >= 0 && write(guard_event, &one, sizeof(one)) < 0)
		errno = saved;
}

/* The bare system call: what a library adds to it is not made for a signal handler.  0 or less. */
static long map_zeros(uintptr_t start, size_t bytes)
{
	long at = syscall(SYS_mmap, start, bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0L);

	return at == -1 ? -1 : 0;
}

static void on_sigbus(int signo, siginfo_t *info, void *context)
{
	struct guard *g = info->si_code > 0 ? guard_of((uintptr_t)info->si_addr) : NULL;
	int saved = errno;

	(void)context;
	/* Not a guest's memory, or no zero pages either: the access is repeated and ends us, as it should; so does a signal
	 * that somebody sent. */
	if (!g || map_zeros(atomic_load(&g->start), g->bytes) < 0) {
		signal(signo, SIG_DFL);
		if (info->si_code <= 0)
			raise(signo);
		return;
	}
	atomic_store(g->dead, true);
	guest_guard_tell();
	errno = saved;
}

int guest_guard_start(void)
{
	struct sigaction act = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO};

	if (guard_event >= 0)
		return guard_event;
	guard_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (guard_event < 0)
		return -errno;
	sigemptyset(&act.sa_mask);
	if (sigaction(SIGBUS, &act, NULL) == 0)
		return guard_event;
	close(guard_event);
	guard_event = -1;
	return -errno;
}

static int guard_add(void *start, size_t bytes, _Atomic bool *dead)
{
	unsigned n = atomic_load(&guards_used), i = 0;

	while (i < n && atomic_load(&guards[i].start))
		i++;
	if (i == GUARDS_MAX)
		return -1;
	guards[i].bytes = bytes;
	guards[i].dead = dead;
	atomic_store_explicit(&guards[i].start, (uintptr_t)start, memory_order_release);
	if (i == n)
		atomic_store_explicit(&guards_used, n + 1, memory_order_release);
	return (int)i;
}

static void guard_del(int guard)
{
	atomic_store_explicit(&guards[guard].start, 0, memory_order_release);
}

static bool overlaps(uint64_t a, uint64_t a_bytes, uint64_t b, uint64_t b_bytes)
{
	return a < b + b_bytes && b < a + a_bytes;
}

static int check_region(const struct guest_mem *m, const struct guest_region *r,
			char why[static GUEST_WHY_SIZE])
{
	uint64_t mine = r->size;

	if (r->size == 0)
		return guest_refuse(why, -EINVAL, "a memory region of 0 bytes");
	if (r->gpa + r->size < r->gpa || r->uva + r->size < r->uva ||
	    r->offset + r->size < r->offset || r->offset + r->size > INT64_MAX)
		return guest_refuse(why, -EINVAL, "a memory region that wraps around");
	for (unsigned i = 0; i < GUEST_REGIONS_MAX && mine <= GUEST_BYTES_MAX; i++)
		mine += m->region[i].size;
	if (mine > GUEST_BYTES_MAX || mapped_bytes + r->size > GUESTS_BYTES_MAX)
		return guest_refuse(why, -EINVAL,
				    "more memory than a guest, or all of them, may share");
	for (unsigned i = 0; i < GUEST_REGIONS_MAX; i++) {
		const struct guest_region *o = &m->region[i];

		if (o->size && (overlaps(o->gpa, o->size, r->gpa, r->size) ||
				overlaps(o->uva, o->size, r->uva, r->size)))
			return guest_refuse(why, -EINVAL, "memory regions overlap");
	}
	return 0;
}

/* *page: the size of its pages. */
static int check_file(const struct guest_region *r, int fd, size_t *page,
		      char why[static GUEST_WHY_SIZE])
{
	struct statfs fs;
	struct stat st;

	/* Only memory has seals; asked first, since any other file system might let us wait for its answers. */
	if (fcntl(fd, F_GET_SEALS) < 0)
		return guest_refuse(
			why, -errno,
			"a memory region has to be a memfd, or a file of tmpfs or hugetlbfs");
	if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
		return guest_refuse(why, -errno, "memory region: %s", strerror(errno));
	if (!S_ISREG(st.st_mode) || (fs.f_type != TMPFS_MAGIC && fs.f_type != HUGETLBFS_MAGIC))
		return guest_refuse(
			why, -EINVAL,
			"a memory region has to be a memfd, or a file of tmpfs or hugetlbfs");
	if (r->offset + r->size > (uint64_t)st.st_size)
		return guest_refuse(why, -EINVAL, "a memory region ends beyond its file");
	*page = fs.f_type == HUGETLBFS_MAGIC ? (size_t)fs.f_bsize : 4096;
	return 0;
}

/* Spans without the holes of the table. */
static void list_spans(struct guest_mem *m)
{
	m->n = 0;
	for (unsigned i = 0; i < GUEST_REGIONS_MAX; i++) {
		const struct guest_region *r = &m->region[i];
		uint64_t skip;

		if (!r->size)
			continue;
		skip = r->offset & (m->map[i].page - 1); /* it is mapped from the start of a page */
		m->span[m->n++] = (struct guest_span){r->gpa, r->size, m->map[i].start + skip};
	}
	/* A look-up begins with span 0, or with one that was: they have no bytes. */
	for (unsigned i = m->n; i < GUEST_REGIONS_MAX; i++)
		m->span[i] = (struct guest_span){0};
}

int guest_mem_add(struct guest_mem *m, unsigned place, const struct guest_region *r, int fd,
		  _Atomic bool *dead, char why[static GUEST_WHY_SIZE])
{
	uint64_t first, last;
	size_t page, bytes;
	void *start;
	int guard, err = check_region(m, r, why);

	if (!err)
		err = check_file(r, fd, &page, why);
	if (err)
		return err;
	first = r->offset & ~(uint64_t)(page - 1);
	last = (r->offset + r->size + page - 1) & ~(uint64_t)(page - 1);
	bytes = last - first;
	start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
		     (off_t)first);
	if (start == MAP_FAILED)
		return guest_refuse(why, -errno, "a memory region cannot be mapped: %s",
				    strerror(errno));
	guard = guard_add(start, bytes, dead);
	if (guard < 0) {
		munmap(start, bytes);
		return guest_refuse(why, -ENOMEM, "too many memory regions in all");
	}
	/* A guest's secrets are no part of our core dump, nor would a dump of them ever end. */
	madvise(start, bytes, MADV_DONTDUMP);
	mapped_bytes += r->size;
	m->region[place] = *r;
	m->map[place] = (struct guest_map){start, bytes, page, guard};
	list_spans(m);
	return 0;
}

void guest_mem_del(struct guest_mem *m, unsigned place)
{
	if (!m->region[place].size)
		return;
	guard_del(m->map[place].guard);
	mapped_bytes -= m->region[place].size;
	munmap(m->map[place].start, m->map[place].bytes);
	m->region[place] = (struct guest_region){0};
	list_spans(m);
}

void guest_mem_clear(struct guest_mem *m)
{
	for (unsigned i = 0; i < GUEST_REGIONS_MAX; i++)
		guest_mem_del(m, i);
}

int guest_mem_find(const struct guest_mem *m, const struct guest_region *r)
{
	for (unsigned i = 0; i < GUEST_REGIONS_MAX; i++)
		if (r->size && m->region[i].gpa == r->gpa && m->region[i].size == r->size &&
		    m->region[i].uva == r->uva)
			return (int)i;
	return -1;
}

int guest_mem_free_place(const struct guest_mem *m)
{
	for (unsigned i = 0; i < GUEST_REGIONS_MAX; i++)
		if (!m->region[i].size)
			return (int)i;
	return -1;
}

void *guest_mem_at_uva(const struct guest_mem *m, uint64_t uva, uint64_t bytes)
{
	unsigned hint = 0;

	for (unsigned i = 0; i < GUEST_REGIONS_MAX; i++) {
		const struct guest_region *r = &m->region[i];
		uint64_t off = uva - r->uva;

		if (off < r->size && bytes <= r->size - off)
			return guest_mem_at(m, r->gpa + off, bytes, &hint);
	}
	return NULL;
}
