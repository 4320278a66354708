/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sysctl: the switches of the host's stack that host uplinks need.
 *
 * How it fits.  broker_host.c calls it.  /proc/sys/net is that of the calling process' namespace.
 *
 * Trust.  Names of interfaces were checked: no slash, neither . nor .. .
 */
#include "bridge/sysctl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define IPV4	  "/proc/sys/net/ipv4"
#define IPV6_CONF "/proc/sys/net/ipv6/conf"

/* Its one digit, or '\0'. */
static char get(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char c = '\0';

	if (fd < 0)
		return c;
	if (read(fd, &c, 1) != 1)
		c = '\0';
	close(fd);
	return c;
}

static int set(const char *path, char value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = write(fd, &value, 1) == 1 ? 0 : -errno;
	close(fd);
	return err;
}

static const char *ra_path(const char *ifname, char path[static 80])
{
	snprintf(path, 80, IPV6_CONF "/%.15s/accept_ra", ifname);
	return path;
}

/* Before forwarding is on: at that moment the kernel throws the learned routes away. */
static void keep_routers(struct sysctl_forwarding *f)
{
	DIR *dir = opendir(IPV6_CONF);
	struct dirent *e;
	char path[80];

	f->n_ra = 0;
	while (dir && (e = readdir(dir)) && f->n_ra < SYSCTL_RA_MAX) {
		if (e->d_name[0] == '.' || strlen(e->d_name) >= sizeof(f->ra[0]) ||
		    strcmp(e->d_name, "all") == 0 || get(ra_path(e->d_name, path)) != '1' ||
		    set(path, '2') < 0)
			continue;
		memcpy(f->ra[f->n_ra++], e->d_name, strlen(e->d_name) + 1);
	}
	if (dir)
		closedir(dir);
}

static void release_routers(struct sysctl_forwarding *f)
{
	char path[80];

	while (f->n_ra > 0) {
		if (get(ra_path(f->ra[--f->n_ra], path)) == '2')
			set(path, '1');
	}
}

static const char *forward_path(bool is_v4)
{
	return is_v4 ? IPV4 "/ip_forward" : IPV6_CONF "/all/forwarding";
}

bool sysctl_forwards(bool is_v4)
{
	return get(forward_path(is_v4)) == '1';
}

/* --- the record ------------------------------------------------------------------------- */

static void boot_id(char id[static 40])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, id, 36) : 0;

	id[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

/* Best effort: without it nothing is missing but the care for a process that is killed. */
static void write_record(const struct sysctl_forwarding *f)
{
	char id[40];
	FILE *file;
	int fd;

	if (!f->record)
		return;
	if (!f->is_on4 && !f->is_on6) {
		unlink(f->record);
		return;
	}
	fd = open(f->record, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	file = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!file) {
		if (fd >= 0)
			close(fd);
		return;
	}
	boot_id(id);
	fprintf(file, "%s %d %d", id, f->is_on4, f->is_on6);
	for (unsigned i = 0; i < f->n_ra; i++)
		fprintf(file, " %s", f->ra[i]);
	fclose(file);
}

void sysctl_recover(struct sysctl_forwarding *f, const char *record)
{
	int fd = open(record, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), on4, on6;
	FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
	char id[40], was[40], name[16];

	*f = (struct sysctl_forwarding){.record = record};
	if (!file) {
		if (fd >= 0)
			close(fd);
		return;
	}
	boot_id(id);
	if (fscanf(file, "%36s %d %d", was, &on4, &on6) == 3 && strcmp(id, was) == 0) {
		f->is_on4 = on4 == 1 && sysctl_forwards(true);
		f->is_on6 = on6 == 1 && sysctl_forwards(false);
		while (f->is_on6 && f->n_ra < SYSCTL_RA_MAX && fscanf(file, "%15s", name) == 1) {
			if (!strchr(name, '/') && name[0] != '.')
				memcpy(f->ra[f->n_ra++], name, sizeof(name));
		}
	}
	fclose(file);
	write_record(f);
}

int sysctl_forward(struct sysctl_forwarding *f, bool is_v4, bool on)
{
	bool *is_on = is_v4 ? &f->is_on4 : &f->is_on6;
	int err;

	if (on == *is_on || (on && sysctl_forwards(is_v4)))
		return 0;
	if (on && !is_v4)
		keep_routers(f);
	err = set(forward_path(is_v4), on ? '1' : '0');
	if (!err)
		*is_on = on;
	if (!*is_on && !is_v4)
		release_routers(f);
	write_record(f);
	return err;
}

int sysctl_route_localnet(const char *ifname, bool on)
{
	char path[80];

	snprintf(path, sizeof(path), IPV4 "/conf/%.15s/route_localnet", ifname);
	return set(path, on ? '1' : '0');
}
