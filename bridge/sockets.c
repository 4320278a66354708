/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sockets: which sockets of this host wait for strangers.
 *
 * How it fits.  broker_host.c asks before it redirects a port, whose owner would otherwise wonder
 * where its clients are.
 *
 * Theory of operation.  One dump of sock_diag(7) for each family, filtered by state in the kernel:
 * to try each port of a range with bind(2) would take a call for each, and miss nothing that this
 * finds but a connection's own port, which a redirection does not touch.
 */
#include "bridge/sockets.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ANSWER_BYTES = 32 << 10 };

struct seen {
	sockets_fn fn;
	void *arg;
};

static void read_address(const struct inet_diag_msg *m, struct waiting_socket *s)
{
	static const struct ip any4 = {.b = {[10] = 0xff, [11] = 0xff}}, any6;

	s->is_v6 = m->idiag_family == AF_INET6;
	if (s->is_v6) {
		memcpy(s->ip.b, m->id.idiag_src, sizeof(s->ip.b));
	} else {
		s->ip = any4;
		memcpy(s->ip.b + 12, m->id.idiag_src, 4);
	}
	s->is_any = ip_equal(&s->ip, s->is_v6 ? &any6 : &any4);
	s->is_v6 = s->is_v6 && !ip_is_v4(&s->ip);
	s->takes_v4 = s->is_v6 && s->is_any;
}

static int see_socket(const struct nlmsghdr *h, void *arg)
{
	const struct inet_diag_msg *m = mnl_nlmsg_get_payload(h);
	struct waiting_socket s = {0};
	const struct seen *seen = arg;
	struct nlattr *a;

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*m))
		return MNL_CB_OK;
	read_address(m, &s);
	s.port = ntohs(m->id.idiag_sport);
	s.inode = m->idiag_inode;
	mnl_attr_for_each(a, h, sizeof(*m))
	{
		if (mnl_attr_get_type(a) == INET_DIAG_SKV6ONLY &&
		    mnl_attr_validate(a, MNL_TYPE_U8) >= 0 && mnl_attr_get_u8(a))
			s.takes_v4 = false;
	}
	return seen->fn(&s, seen->arg) ? MNL_CB_OK : MNL_CB_STOP;
}

static int dump(struct mnl_socket *nl, uint8_t family, uint8_t proto, struct seen *seen)
{
	static char buf[ANSWER_BYTES] __attribute__((aligned(8))); /* one thread, never nested */
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct inet_diag_req_v2 *q;
	ssize_t n;
	int rc;

	h->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	q = mnl_nlmsg_put_extra_header(h, sizeof(*q));
	q->sdiag_family = family;
	q->sdiag_protocol = proto;
	q->idiag_states = 1U << (proto == IPPROTO_TCP ? TCP_LISTEN : TCP_CLOSE);
	if (mnl_socket_sendto(nl, h, h->nlmsg_len) < 0)
		return -errno;
	do {
		n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (n < 0)
			return -errno;
		rc = mnl_cb_run(buf, (size_t)n, 0, mnl_socket_get_portid(nl), see_socket, seen);
	} while (rc > MNL_CB_STOP);
	return rc < 0 ? -errno : 0;
}

int sockets_each(uint8_t proto, sockets_fn fn, void *arg)
{
	const uint8_t family[] = {AF_INET, AF_INET6};
	struct seen seen = {fn, arg};
	struct mnl_socket *nl;
	int err = 0;
	size_t i;

	/* A socket for each: an answer that was not read to its end would be taken for the next. */
	for (i = 0; i < sizeof(family) && !err; i++) {
		nl = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
		if (!nl)
			return -errno;
		err = mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0
			      ? -errno
			      : dump(nl, family[i], proto, &seen);
		mnl_socket_close(nl);
	}
	return err;
}

/* Has the process with that directory of descriptors the socket? */
static bool has_socket(int fds, const char *socket)
{
	DIR *dir = fdopendir(fds);
	bool is_found = false;
	struct dirent *e;
	char link[64];
	ssize_t n;

	if (!dir) {
		close(fds);
		return false;
	}
	while (!is_found && (e = readdir(dir))) {
		n = readlinkat(fds, e->d_name, link, sizeof(link) - 1);
		link[n > 0 ? n : 0] = '\0';
		is_found = strcmp(link, socket) == 0;
	}
	closedir(dir);
	return is_found;
}

static void read_name(const char *pid, char name[static SOCKETS_NAME])
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%.16s/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd >= 0 ? read(fd, name, SOCKETS_NAME - 1) : 0;
	name[n > 0 ? n : 0] = '\0';
	name[strcspn(name, "\n")] = '\0';
	if (fd >= 0)
		close(fd);
}

pid_t sockets_owner(uint32_t inode, char name[static SOCKETS_NAME])
{
	DIR *proc = opendir("/proc");
	char socket[32], path[64];
	struct dirent *e;
	pid_t pid = 0;
	int fds;

	snprintf(socket, sizeof(socket), "socket:[%u]", inode);
	while (proc && pid == 0 && (e = readdir(proc))) {
		if (e->d_name[0] < '1' || e->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%.16s/fd", e->d_name);
		fds = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fds < 0 || !has_socket(fds, socket))
			continue;
		read_name(e->d_name, name);
		pid = (pid_t)strtol(e->d_name, NULL, 10);
	}
	if (proc)
		closedir(proc);
	return pid;
}
