/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker_wire: one message with its descriptors.
 *
 * How it fits.  broker.c and broker_client.c speak through it, each at its end of the two sockets.
 *
 * Trust.  At the broker's end the sender is hostile: whatever it attaches is in fds or closed when
 * wire_receive() returns, and what did not fit is never taken for less.
 */
#include "switch/broker_wire.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "switch/broker.h"

/* For as many as any message has. */
#define CONTROL_SIZE CMSG_SPACE(sizeof(int) * BROKER_FDS_MAX)

int wire_send(int sock, const void *bytes, size_t size, int flags, const int *fds, unsigned n)
{
	char control[CONTROL_SIZE] __attribute__((aligned(8))) = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *c;
	ssize_t done;

	assert(n <= BROKER_FDS_MAX);
	if (n > 0) {
		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		c = CMSG_FIRSTHDR(&m);
		assert(c); /* control has room for one */
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
	}
	do {
		done = sendmsg(sock, &m, flags | MSG_NOSIGNAL);
	} while (done < 0 && errno == EINTR);
	if (done < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	return 0;
}

/* The descriptors that came with a message; how many. */
static unsigned take_fds(struct msghdr *m, int *fds)
{
	unsigned n = 0, n_more;
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n_more = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds + n, CMSG_DATA(c), n_more * sizeof(int));
		n += n_more;
	}
	return n;
}

ssize_t wire_receive(int sock, void *bytes, size_t size, int flags, int *fds, unsigned max,
		     unsigned *n_fds)
{
	char control[CONTROL_SIZE] __attribute__((aligned(8)));
	struct iovec iov = {.iov_base = bytes, .iov_len = size};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control};
	ssize_t n;

	assert(max <= BROKER_FDS_MAX);
	/* CMSG_SPACE would be rounded up, and make room for one more than fds has. */
	m.msg_controllen = CMSG_LEN(sizeof(int) * max);
	*n_fds = 0;
	do {
		n = recvmsg(sock, &m, flags | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n == 0 || errno == ECONNRESET ? -EPIPE : -errno;
	*n_fds = take_fds(&m, fds);
	if (!(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return n;
	while (*n_fds > 0)
		close(fds[--*n_fds]);
	return m.msg_flags & MSG_CTRUNC ? -EMFILE : -EMSGSIZE;
}
