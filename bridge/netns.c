/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netns: network namespaces by name, path or process.
 *
 * How it fits.  The broker (switch/broker_tap.c, switch/broker_taps.c) calls it.
 *
 * Trust.  A spec comes from the switch, which a guest may have taken over; its shape was checked
 * (broker_check.c).  What lies at the path is anybody's: it is opened as a mere place (O_PATH)
 * first and only opened for real when its file system is nsfs, so no device, FIFO or foreign file
 * is ever touched.
 */
#include "bridge/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "switch/base/log.h"

static bool is_number(const char *s)
{
	return s[0] != '\0' && s[strspn(s, "0123456789")] == '\0';
}

static const char *spec_path(const char *spec, char buf[static NETNS_PATH_SIZE])
{
	if (spec[0] == '/')
		return spec;
	if (is_number(spec))
		snprintf(buf, NETNS_PATH_SIZE, "/proc/%s/ns/net", spec);
	else
		snprintf(buf, NETNS_PATH_SIZE, NETNS_DIR "/%s", spec);
	return buf;
}

/* Opens what place (O_PATH) is, when that is a network namespace. */
static int open_place(int place)
{
	char path[64];
	struct statfs fs;
	int fd;

	if (fstatfs(place, &fs) < 0)
		return -errno;
	if (fs.f_type != NSFS_MAGIC)
		return -EINVAL;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", place);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET)
		return fd;
	close(fd);
	return -EINVAL;
}

int netns_open(const char *spec)
{
	char buf[NETNS_PATH_SIZE];
	int place = open(spec_path(spec, buf), O_PATH | O_CLOEXEC);
	int fd;

	/* ESRCH: the process is there, but has already left its namespaces. */
	if (place < 0)
		return errno == ENOTDIR || errno == ESRCH ? -ENOENT : -errno;
	fd = open_place(place);
	close(place);
	return fd;
}

int netns_open_own(void)
{
	return netns_open("/proc/self/ns/net");
}

pid_t netns_pid(const char *spec)
{
	unsigned long pid;
	char *end;

	if (is_number(spec))
		return (pid_t)strtoul(spec, NULL, 10);
	if (strncmp(spec, "/proc/", 6) != 0)
		return 0;
	pid = strtoul(spec + 6, &end, 10);
	return strcmp(end, "/ns/net") == 0 ? (pid_t)pid : 0;
}

const char *netns_dir(const char *spec, char buf[static NETNS_PATH_SIZE])
{
	char *slash;

	if (netns_pid(spec))
		return NULL;
	if (spec[0] != '/')
		return NETNS_DIR;
	snprintf(buf, NETNS_PATH_SIZE, "%s", spec);
	slash = strrchr(buf, '/');
	slash[slash == buf] = '\0';
	return buf;
}

const char *netns_words(const char *spec, char buf[static NETNS_PATH_SIZE])
{
	if (is_number(spec))
		snprintf(buf, NETNS_PATH_SIZE, "process %s", spec);
	else
		snprintf(buf, NETNS_PATH_SIZE, "network namespace \"%s\"", spec);
	return buf;
}

bool netns_is_same(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

int netns_enter(int fd)
{
	return setns(fd, CLONE_NEWNET) < 0 ? -errno : 0;
}

void netns_return(int own)
{
	if (setns(own, CLONE_NEWNET) == 0)
		return;
	log_err("cannot return to our own network namespace: %s", strerror(errno));
	_exit(1);
}
