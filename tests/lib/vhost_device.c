/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vhost_device: hands messages to vhost_msg_handle() and keeps an eye on the answers. */
#include "tests/lib/vhost_device.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

struct addr_payload {
	uint32_t index, flags;
	uint64_t desc, used, avail, log;
};
struct table_payload {
	uint32_t n, padding;
	struct guest_region region[8];
};

struct vhost *vd;
struct port vd_port;
struct vhost_answer vd_answer;

static struct vring_place place[VHOST_RINGS_MAX];

int vd_setup(void **state)
{
	(void)state;
	memset(place, 0, sizeof(place));
	memset(&vd_port, 0, sizeof(vd_port));
	vd_port.queues = VD_PAIRS;
	vd_port.mac = (struct mac){{2, 0, 0, 0, 0, 7}};
	if (guest_guard_start() < 0 || vhost_open(&vd_port, place) < 0)
		return -1;
	vd = vhost_of(&vd_port);
	return 0;
}

int vd_teardown(void **state)
{
	(void)state;
	vd_port.ops->close(&vd_port);
	return 0;
}

unsigned vd_count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

int vd_memory(uint64_t bytes)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	return fd;
}

int vd_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* What every answer keeps to: one reply or none, in the form of one, and descriptors that are open. */
static void check_answer(const struct vhost_msg *m, int err)
{
	if (err) {
		assert_true(vd_answer.why[0] != '\0');
		assert_false(vd_answer.has_reply);
		assert_int_equal(vd_answer.effect.n, 0);
		assert_int_equal(vd_answer.fd, -1);
	}
	if (vd_answer.has_reply) {
		assert_int_equal(vd_answer.reply.request, m->request);
		assert_int_equal(vd_answer.reply.flags, VHOST_VERSION | VHOST_IS_REPLY);
		assert_true(vd_answer.reply.size <= VHOST_PAYLOAD_MAX);
	}
	for (unsigned i = 0; i < vd_answer.effect.n; i++)
		assert_true(fcntl(vd_answer.effect.fd[i], F_GETFD) >= 0);
}

/* Sends a message; its descriptors are gone after. */
int vd_send_fds(uint32_t request, uint32_t flags, const void *payload, uint32_t size, int *fds,
		unsigned n_fds)
{
	struct vhost_msg m = {.request = request, .flags = flags, .size = size};
	int err;

	if (size)
		memcpy(m.payload, payload, size);
	err = vhost_msg_handle(vd, &m, fds, n_fds, &vd_answer);
	check_answer(&m, err);
	vhost_effect_done(&vd_answer.effect);
	return err;
}

int vd_send(uint32_t request, uint32_t flags, const void *payload, uint32_t size)
{
	return vd_send_fds(request, flags, payload, size, NULL, 0);
}

int vd_send_u64(uint32_t request, uint64_t v)
{
	return vd_send(request, VHOST_VERSION, &v, sizeof(v));
}

int vd_send_state(uint32_t request, uint32_t index, uint32_t num)
{
	struct vd_state s = {index, num};

	return vd_send(request, VHOST_VERSION, &s, sizeof(s));
}

/* A descriptor, or NO_FD and none when it is -1. */
int vd_send_ring_fd(uint32_t request, unsigned ring, int fd)
{
	uint64_t word = ring | (fd < 0 ? VD_NO_FD : 0);

	return vd_send_fds(request, VHOST_VERSION, &word, sizeof(word), &fd, fd < 0 ? 0 : 1);
}

uint64_t vd_reply_u64(void)
{
	uint64_t v;

	assert_true(vd_answer.has_reply);
	assert_int_equal(vd_answer.reply.size, sizeof(v));
	memcpy(&v, vd_answer.reply.payload, sizeof(v));
	return v;
}

uint64_t vd_get_u64(uint32_t request)
{
	assert_int_equal(vd_send(request, VHOST_VERSION, NULL, 0), 0);
	return vd_reply_u64();
}

struct vd_state vd_stop_ring(unsigned ring)
{
	struct vd_state s;

	assert_int_equal(vd_send_state(VHOST_USER_GET_VRING_BASE, ring, 0), 0);
	assert_int_equal(vd_answer.reply.size, sizeof(s));
	memcpy(&s, vd_answer.reply.payload, sizeof(s));
	return s;
}

int vd_send_addr(unsigned ring, uint64_t desc, uint64_t avail, uint64_t used)
{
	struct addr_payload a = {.index = ring, .desc = desc, .avail = avail, .used = used};

	return vd_send(VHOST_USER_SET_VRING_ADDR, VHOST_VERSION, &a, sizeof(a));
}

/* Ring i lies at three parts of its own in the memory that vd_send_memory() shares. */
int vd_send_good_addr(unsigned ring)
{
	uint64_t at = VD_UVA + 3ULL * ring * VD_PART;

	return vd_send_addr(ring, at, at + VD_PART, at + 2 * VD_PART);
}

int vd_send_table(const struct guest_region *r, unsigned n, int *fds, unsigned n_fds)
{
	struct table_payload t = {.n = n};

	if (r)
		memcpy(t.region, r, (n > 8 ? 8 : n) * sizeof(*r));
	return vd_send_fds(VHOST_USER_SET_MEM_TABLE, VHOST_VERSION, &t,
			   8 + (n > 8 ? 8 : n) * (uint32_t)sizeof(*r), fds, n_fds);
}

void vd_send_memory(void)
{
	struct guest_region r = {VD_GPA, VD_BYTES, VD_UVA, 0};
	int fd = vd_memory(VD_BYTES);

	assert_int_equal(vd_send_table(&r, 1, &fd, 1), 0);
}

void vd_negotiate(uint64_t features, uint64_t protocol)
{
	assert_int_equal(vd_send_u64(VHOST_USER_SET_PROTOCOL_FEATURES, protocol), 0);
	assert_int_equal(vd_send_u64(VHOST_USER_SET_FEATURES, features), 0);
}

void vd_start_ring(unsigned ring)
{
	assert_int_equal(vd_send_state(VHOST_USER_SET_VRING_NUM, ring, VD_RING_SIZE), 0);
	assert_int_equal(vd_send_state(VHOST_USER_SET_VRING_BASE, ring, 0), 0);
	assert_int_equal(vd_send_good_addr(ring), 0);
	assert_int_equal(vd_send_ring_fd(VHOST_USER_SET_VRING_CALL, ring, vd_eventfd()), 0);
	assert_int_equal(vd_send_ring_fd(VHOST_USER_SET_VRING_KICK, ring, vd_eventfd()), 0);
}

int vd_mode(unsigned ring)
{
	return atomic_load(&vd->ring[ring].mode);
}

/* The kept places of the last answer. */
bool vd_is_empty(unsigned at)
{
	return vd_answer.effect.empty[at / 64] >> at % 64 & 1;
}
