/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dhcp_load: many clients behind one relay, as fast as a DHCPv4 server answers.
 *
 *	dhcp_load SERVER RELAY SECONDS OUTSTANDING CLIENTS
 *
 * perfdhcp sends at a rate that it is told, and on a small machine it is the first to be overwhelmed: answers are lost in its
 * own socket.  Here a new exchange (DISCOVER, OFFER, REQUEST, ACK) begins when another is over, so many at a time; what comes
 * and goes is taken in batches.  An exchange without its ACK after a second is lost.
 *
 * Prints exchanges=N per second, lost=N in all, and p50_us and p99_us of whole exchanges.
 *
 * Trust.  What comes is a server's of this test: it is looked at no closer than needed to go on.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	SLOTS = 256,
	BATCH = 64,
	PORT = 67,
	BYTES = 300,
	ROOM = 1500,
	LOST_US = 1000000,
	AT_OPTIONS = 240,
	AT_YIADDR = 16,
	AT_GIADDR = 24,
	AT_CHADDR = 28,
	DISCOVER = 1,
	OFFER = 2,
	REQUEST = 3,
	ACK = 5,
};

struct slot {
	uint64_t began_us;
	uint32_t serial, client;
};

static struct slot slots[SLOTS];
static uint32_t took[LOST_US + 1];
static uint32_t next_serial, next_client, n_clients, relay, done, lost;
static uint8_t out[BATCH][BYTES];
static unsigned n_out;
static int fd;

static void fail(const char *what)
{
	fprintf(stderr, "dhcp_load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void flush(void)
{
	struct mmsghdr m[BATCH];
	struct iovec v[BATCH];
	int sent;

	memset(m, 0, sizeof(m));
	for (unsigned i = 0; i < n_out; i++) {
		v[i] = (struct iovec){out[i], BYTES};
		m[i].msg_hdr.msg_iov = &v[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	for (unsigned at = 0; at < n_out; at += (unsigned)sent) {
		sent = sendmmsg(fd, m + at, n_out - at, 0);
		if (sent < 0)
			fail("send");
	}
	n_out = 0;
}

/* The next message of a slot; a REQUEST names address and server, as the OFFER did. */
static void say(unsigned slot, uint8_t kind, const uint8_t *address, const uint8_t *server)
{
	static const uint8_t wanted[] = {55, 4, 1, 3, 6, 51};
	uint8_t *b = out[n_out], *o = b + AT_OPTIONS;
	uint32_t xid = htonl(slots[slot].serial << 8 | slot), client = htonl(slots[slot].client);

	memset(b, 0, BYTES);
	memcpy(b, "\1\1\6\1", 4);
	memcpy(b + 4, &xid, 4);
	memcpy(b + AT_GIADDR, &relay, 4);
	memcpy(b + AT_CHADDR, "\2\144", 2);
	memcpy(b + AT_CHADDR + 2, &client, 4);
	memcpy(b + AT_OPTIONS - 4, "\x63\x82\x53\x63", 4);
	*o++ = 53;
	*o++ = 1;
	*o++ = kind;
	if (address) {
		*o++ = 50;
		*o++ = 4;
		memcpy(o, address, 4);
		o += 4;
		*o++ = 54;
		*o++ = 4;
		memcpy(o, server, 4);
		o += 4;
	}
	memcpy(o, wanted, sizeof(wanted));
	o[sizeof(wanted)] = 255;
	if (++n_out == BATCH)
		flush();
}

static void begin(unsigned slot, uint64_t now)
{
	slots[slot] = (struct slot){now, ++next_serial & 0xffffff, next_client++ % n_clients};
	say(slot, DISCOVER, NULL, NULL);
}

static const uint8_t *option(const uint8_t *b, size_t n, uint8_t code)
{
	for (size_t at = AT_OPTIONS; at + 1 < n && b[at] != 255; at += b[at] ? 2U + b[at + 1] : 1U)
		if (b[at] == code && at + 2 + b[at + 1] <= n)
			return b + at + 2;
	return NULL;
}

static void hear(const uint8_t *b, size_t n, uint64_t now)
{
	const uint8_t *kind = n > AT_OPTIONS ? option(b, n, 53) : NULL;
	const uint8_t *server = kind ? option(b, n, 54) : NULL;
	uint32_t xid;
	unsigned slot;

	if (!server)
		return;
	memcpy(&xid, b + 4, 4);
	xid = ntohl(xid);
	slot = xid & (SLOTS - 1);
	if (slots[slot].serial != xid >> 8)
		return;
	if (*kind == OFFER) {
		say(slot, REQUEST, b + AT_YIADDR, server);
	} else if (*kind == ACK) {
		uint64_t us = now - slots[slot].began_us;

		took[us < LOST_US ? us : LOST_US]++;
		done++;
		begin(slot, now);
	}
}

static void receive(void)
{
	static uint8_t in[BATCH][ROOM];
	struct mmsghdr m[BATCH];
	struct iovec v[BATCH];
	uint64_t now;
	int n;

	memset(m, 0, sizeof(m));
	for (unsigned i = 0; i < BATCH; i++) {
		v[i] = (struct iovec){in[i], ROOM};
		m[i].msg_hdr.msg_iov = &v[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(fd, m, BATCH, MSG_WAITFORONE, NULL);
	now = now_us();
	for (int i = 0; i < n; i++)
		hear(in[i], m[i].msg_len, now);
	flush();
}

static uint32_t percentile(uint32_t part)
{
	uint64_t want = (uint64_t)done * part / 100, seen = 0;
	uint32_t us = 0;

	while (us < LOST_US && (seen += took[us]) <= want)
		us++;
	return us;
}

static void open_socket(const char *server, const char *local)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(PORT)}, from = to;
	struct timeval patience = {.tv_usec = 20000};
	int room = 8 << 20;

	if (inet_pton(AF_INET, server, &to.sin_addr) != 1 ||
	    inet_pton(AF_INET, local, &from.sin_addr) != 1)
		fail("address");
	relay = from.sin_addr.s_addr;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ||
	    bind(fd, (struct sockaddr *)&from, sizeof(from)) ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)))
		fail("socket");
}

int main(int argc, char **argv)
{
	uint64_t start, end, now, looked;
	unsigned n;

	if (argc != 6) {
		fprintf(stderr, "usage: dhcp_load SERVER RELAY SECONDS OUTSTANDING CLIENTS\n");
		return 2;
	}
	n = (unsigned)atoi(argv[4]);
	n_clients = (uint32_t)atoi(argv[5]);
	if (n < 1 || n > SLOTS || n_clients < n)
		return 2;
	open_socket(argv[1], argv[2]);
	start = looked = now_us();
	end = start + (uint64_t)atoi(argv[3]) * 1000000;
	for (unsigned i = 0; i < n; i++)
		begin(i, start);
	flush();
	while ((now = now_us()) < end) {
		receive();
		if (now - looked < LOST_US / 10)
			continue;
		looked = now;
		for (unsigned i = 0; i < n; i++)
			if (now - slots[i].began_us > LOST_US && now > slots[i].began_us) {
				lost++;
				begin(i, now);
			}
		flush();
	}
	printf("exchanges=%llu lost=%u p50_us=%u p99_us=%u\n",
	       (unsigned long long)done * 1000000 / (now - start), lost, percentile(50),
	       percentile(99));
	return 0;
}
