/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * alloc: a library that makes allocations fail when a test says so.
 *
 * A scenario builds it, preloads it into vfabd (LD_PRELOAD) and names a file in VFAB_FAULT.  The file is mapped
 * shared by every process that starts so, before any sandbox closes the file system; the test writes into the same
 * file.  While `armed` is set and `pid` is 0 or the process' own, allocations are counted in `seen`; those from number
 * `first` on fail, `count` of them.  glibc's own allocator does the rest under its other names.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t n, size_t bytes);
extern void *__libc_realloc(void *old, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);

/* Five numbers of 64 bits: what the test reads and writes. */
struct control {
	_Atomic uint64_t armed, pid, first, count, seen;
};

static struct control *control;

__attribute__((constructor)) static void map_control(void)
{
	const char *path = getenv("VFAB_FAULT");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *at = MAP_FAILED;

	if (fd >= 0)
		at = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at != MAP_FAILED)
		control = at;
	if (fd >= 0)
		close(fd);
}

/* True when this allocation is to fail. */
static bool fails(void)
{
	uint64_t n, pid;

	if (!control || !control->armed)
		return false;
	pid = control->pid;
	if (pid != 0 && pid != (uint64_t)getpid())
		return false;
	n = atomic_fetch_add(&control->seen, 1);
	if (n < control->first || n - control->first >= control->count)
		return false;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t bytes)
{
	return fails() ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t n, size_t bytes)
{
	return fails() ? NULL : __libc_calloc(n, bytes);
}

void *realloc(void *old, size_t bytes)
{
	return fails() ? NULL : __libc_realloc(old, bytes);
}

void *reallocarray(void *old, size_t n, size_t bytes)
{
	size_t all;

	if (__builtin_mul_overflow(n, bytes, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	return fails() ? NULL : __libc_realloc(old, all);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
	return fails() ? NULL : __libc_memalign(alignment, bytes);
}

int posix_memalign(void **at, size_t alignment, size_t bytes)
{
	void *got = fails() ? NULL : __libc_memalign(alignment, bytes);

	if (!got)
		return ENOMEM;
	*at = got;
	return 0;
}
