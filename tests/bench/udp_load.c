/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * udp_load: the smallest UDP datagrams, as many as go, between two containers.
 *
 *   udp_load send ADDRESS PORT SECONDS     18 bytes of payload make 64 bytes with the FCS; as fast as sendmmsg takes them
 *   udp_load receive PORT SECONDS          counts for that long, from SETTLE_NS after the first datagram
 *
 * Each prints one line of key=value and asserts nothing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, PAYLOAD = 18, ROOM = 64, SOCKET_BYTES = 4 << 20 };

#define SECOND_NS 1000000000ULL
#define SETTLE_NS 300000000ULL
#define SILENCE_S 2 /* a receiver that hears nothing for so long gives up */

static struct mmsghdr message[BATCH];
static struct iovec iov[BATCH];
static uint8_t bytes[BATCH][ROOM];

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

static void prepare(size_t len)
{
	for (unsigned i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){bytes[i], len};
		message[i].msg_hdr.msg_iov = &iov[i];
		message[i].msg_hdr.msg_iovlen = 1;
	}
}

static int open_socket(const char *address, const char *port, bool is_sender)
{
	struct sockaddr_in sin = {.sin_family = AF_INET,
				  .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), size = SOCKET_BYTES;

	if (fd < 0 || inet_pton(AF_INET, address, &sin.sin_addr) != 1)
		return -1;
	/* The limit of the host may be lower than what is asked; root is not bound by it. */
	setsockopt(fd, SOL_SOCKET, is_sender ? SO_SNDBUFFORCE : SO_RCVBUFFORCE, &size,
		   sizeof(size));
	if (is_sender ? connect(fd, (struct sockaddr *)&sin, sizeof(sin))
		      : bind(fd, (struct sockaddr *)&sin, sizeof(sin))) {
		close(fd);
		return -1;
	}
	return fd;
}

static int send_all(int fd, uint64_t span_ns)
{
	uint64_t start = now_ns(), now = start, sent = 0;

	prepare(PAYLOAD);
	while (now - start < span_ns) {
		int n = sendmmsg(fd, message, BATCH, 0);

		/* ENOBUFS: the queue of the device is full; ECONNREFUSED: the receiver came later or is gone. */
		if (n < 0 && errno != ENOBUFS && errno != ECONNREFUSED && errno != EAGAIN)
			return -1;
		if (n > 0)
			sent += (uint64_t)n;
		now = now_ns();
	}
	printf("sent=%llu pps=%.0f\n", (unsigned long long)sent,
	       (double)sent * (double)SECOND_NS / (double)(now - start));
	return 0;
}

static int receive_all(int fd, uint64_t span_ns)
{
	struct timeval silence = {.tv_sec = SILENCE_S};
	uint64_t first = 0, start = 0, now = 0, got = 0;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof(silence)) < 0)
		return -1;
	prepare(ROOM);
	while (!start || now - start < span_ns) {
		int n = recvmmsg(fd, message, BATCH, MSG_WAITFORONE, NULL);

		if (n < 0)
			return -1;
		now = now_ns();
		if (!first)
			first = now;
		if (start)
			got += (uint64_t)n;
		else if (now - first >= SETTLE_NS)
			start = now;
	}
	printf("received=%llu pps=%.0f\n", (unsigned long long)got,
	       (double)got * (double)SECOND_NS / (double)(now - start));
	return 0;
}

int main(int argc, char **argv)
{
	bool is_sender = argc == 5 && strcmp(argv[1], "send") == 0;
	int fd, failed;

	if (!is_sender && (argc != 4 || strcmp(argv[1], "receive") != 0)) {
		fprintf(stderr,
			"usage: udp_load send ADDRESS PORT SECONDS | receive PORT SECONDS\n");
		return 2;
	}
	fd = open_socket(is_sender ? argv[2] : "0.0.0.0", argv[argc - 2], is_sender);
	failed = fd < 0;
	if (!failed) {
		uint64_t span_ns = (uint64_t)(strtod(argv[argc - 1], NULL) * (double)SECOND_NS);

		failed = is_sender ? send_all(fd, span_ns) : receive_all(fd, span_ns);
	}
	if (failed)
		perror("udp_load");
	return failed ? 1 : 0;
}
