/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wall_clock: a library that puts the wall clock of one program ahead or back when a test says so, and leaves that of the machine
 * alone.
 *
 * A scenario builds it, preloads it into vfabd (LD_PRELOAD) and names a file in VFAB_WALL_CLOCK, which is mapped before any
 * sandbox closes the file system: one signed number of 64 bits, seconds, and one that counts how often the clock was asked.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct control {
	_Atomic int64_t ahead_s;
	_Atomic uint64_t asked;
};

static struct control *control;

__attribute__((constructor)) static void map_control(void)
{
	const char *path = getenv("VFAB_WALL_CLOCK");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *at = MAP_FAILED;

	if (fd >= 0)
		at = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at != MAP_FAILED)
		control = at;
	if (fd >= 0)
		close(fd);
}

int clock_gettime(clockid_t id, struct timespec *t)
{
	int rc = (int)syscall(SYS_clock_gettime, id, t);

	if (rc == 0 && control && id == CLOCK_REALTIME) {
		atomic_fetch_add(&control->asked, 1);
		t->tv_sec += atomic_load(&control->ahead_s);
	}
	return rc;
}
