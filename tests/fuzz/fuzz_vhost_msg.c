/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_vhost_msg: what a hostile front-end sends to one device (PROMISES F06).
 *
 * An input is a sequence of messages: one byte of descriptors, then a message as on the socket, header and payload.  The low
 * half of that byte is how many descriptors come along, the high half the kind of the first; the next one is of the next kind.
 * A payload that is longer than the input ends in zeros.
 *
 * Every answer is in form; where a ring runs it was started and lies in the memory; in the end no descriptor is left open.
 */
#include <assert.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "switch/port/vhost_msg.h"

enum {
	PAIRS = 2,
	MESSAGES_MAX = 64,
	MEM_BYTES = 1 << 20,
	FDS_MAX = 15,
	FDS_CHECKED = 512,
};
enum kind { KIND_MEMORY, KIND_EVENTFD, KIND_PIPE, KIND_DIRECTORY, KIND_SEALED, KINDS };

static struct port port;
static struct vring_place place[VHOST_RINGS_MAX];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int make(enum kind kind)
{
	int fd = -1, ends[2];

	switch (kind) {
	case KIND_MEMORY:
	case KIND_SEALED:
		fd = memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		assert(ftruncate(fd, MEM_BYTES) == 0);
		if (kind == KIND_SEALED)
			fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK);
		return fd;
	case KIND_EVENTFD:
		return eventfd(0, EFD_CLOEXEC);
	case KIND_PIPE:
		assert(pipe2(ends, O_CLOEXEC) == 0);
		close(ends[0]);
		return ends[1];
	default:
		return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
}

static unsigned count_fds(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < FDS_CHECKED; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void check_rings(const struct vhost *vh)
{
	for (unsigned i = 0; i < VHOST_RINGS_MAX; i++) {
		const struct vhost_ring *r = &vh->now.ring[i];
		uint8_t mode = atomic_load(&vh->ring[i].mode);

		assert(r->is_started <= 1 && r->is_enabled <= 1 && r->is_polled <= 1);
		assert(r->size <= VRING_SIZE_MAX);
		if (mode == RING_STOPPED)
			continue;
		assert(i < 2 * PAIRS && r->is_started && r->has_addr && r->size);
		assert(mode != RING_ON || r->is_enabled);
		assert(guest_mem_at_uva(&vh->mem, r->desc, 16ULL * r->size) == vh->ring[i].desc);
	}
}

static void check_answer(const struct vhost_msg *m, const struct vhost_answer *a, int err)
{
	assert(err <= 0);
	assert(!err || (a->why[0] && !a->has_reply && a->fd < 0 && a->effect.n == 0));
	if (a->has_reply)
		assert(a->reply.request == m->request && a->reply.size <= VHOST_PAYLOAD_MAX &&
		       a->reply.flags == (VHOST_VERSION | VHOST_IS_REPLY));
	for (unsigned i = 0; i < a->effect.n; i++) {
		assert(a->effect.place[i] < VHOST_FDS);
		assert(fcntl(a->effect.fd[i], F_GETFD) >= 0);
	}
}

/* Takes one message from the input.  False: the connection ended. */
static bool send_one(struct vhost *vh, const uint8_t **data, size_t *size)
{
	struct vhost_msg m = {0};
	struct vhost_answer answer;
	char why[GUEST_WHY_SIZE];
	int err, fds[FDS_MAX];
	uint8_t which = *(*data)++;
	unsigned n = which & FDS_MAX;
	size_t bytes;

	memcpy(&m, *data, VHOST_HEADER);
	*data += VHOST_HEADER;
	*size -= 1 + VHOST_HEADER;
	if (!vhost_msg_header(&m, why)) {
		assert(why[0] != '\0');
		return false;
	}
	bytes = m.size < *size ? m.size : *size;
	memcpy(m.payload, *data, bytes);
	*data += bytes;
	*size -= bytes;
	for (unsigned i = 0; i < n; i++)
		fds[i] = make(((which >> 4) + i) % KINDS);
	err = vhost_msg_handle(vh, &m, fds, n, &answer);
	check_answer(&m, &answer, err);
	vhost_effect_done(&answer.effect);
	check_rings(vh);
	return !err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned before, n = 0;
	struct vhost *vh;

	if (!port.priv) {
		port.queues = PAIRS;
		if (guest_guard_start() < 0 || vhost_open(&port, place) < 0)
			abort();
	}
	vh = vhost_of(&port);
	before = count_fds();
	while (size > VHOST_HEADER && n++ < MESSAGES_MAX && send_one(vh, &data, &size))
		;
	vhost_reset(vh);
	assert(count_fds() == before);
	assert(vh->mem.n == 0 && !vh->inflight);
	return 0;
}
