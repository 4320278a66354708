/* SPDX-License-Identifier: GPL-2.0-or-later */
/* net_lab: two network namespaces of a test. */
#include "tests/lib/net_lab.h"

#include <assert.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void net_lab_run(const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int rc;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	rc = system(line);
	if (rc != 0)
		fprintf(stderr, "%s: status %d\n", line, rc);
	assert(rc == 0);
}

static void write_file(const char *path, const char *fmt, unsigned id)
{
	FILE *f = fopen(path, "w");

	if (!f)
		return;
	fprintf(f, fmt, id);
	fclose(f);
}

/* A namespace of our own; as a user, in one for users in which we are root. */
static int new_namespace(void)
{
	unsigned uid = geteuid(), gid = getegid();

	if (unshare(CLONE_NEWNET) < 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
			return -1;
		write_file("/proc/self/setgroups", "deny%.0u", 0);
		write_file("/proc/self/uid_map", "0 %u 1", uid);
		write_file("/proc/self/gid_map", "0 %u 1", gid);
	}
	return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

bool net_lab_open(struct net_lab *lab)
{
	if (system("ip -V >/dev/null 2>&1") != 0)
		return false;
	lab->own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	lab->lan = new_namespace();
	lab->host = lab->lan < 0 ? -1 : new_namespace();
	if (lab->own < 0 || lab->host < 0)
		return false;
	net_lab_run("ip link set lo up; ip link add eth0 type veth peer name lan0 && "
		    "ip link set lan0 netns /proc/%d/fd/%d",
		    (int)getpid(), lab->lan);
	net_lab_run("ip addr add 192.0.2.1/24 dev eth0; ip addr add 192.0.2.7/24 dev eth0; "
		    "ip addr add 2001:db8::1/64 dev eth0 nodad; ip link set eth0 up");
	net_lab_enter(lab, lab->lan);
	net_lab_run("ip link set lo up; ip addr add 192.0.2.9/24 dev lan0; "
		    "ip addr add 2001:db8::9/64 dev lan0 nodad; ip link set lan0 up");
	net_lab_enter(lab, lab->host);
	return true;
}

void net_lab_close(struct net_lab *lab)
{
	net_lab_enter(lab, lab->own);
	close(lab->lan);
	close(lab->host);
	close(lab->own);
}

void net_lab_enter(const struct net_lab *lab, int ns)
{
	/* Out of a namespace for users nobody returns: the process ends in the one it made. */
	if (setns(ns, CLONE_NEWNET) < 0)
		assert(ns == lab->own);
}
