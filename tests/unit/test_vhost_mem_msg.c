/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of switch/port/vhost_mem_msg and inflight.  A test is named after the row of promises that it keeps. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "switch/port/inflight.h"
#include "switch/port/vhost_msg.h"
#include "tests/lib/vhost_device.h"

struct region_payload {
	uint64_t padding;
	struct guest_region region;
};

static void v06_table_replaced(void **state)
{
	struct guest_region r[8], low = {VD_GPA, VD_BYTES, VD_UVA, 0};
	unsigned before;
	int fds[8];

	(void)state;
	vd_negotiate(VD_BASIC, 0);
	vd_send_memory();
	vd_start_ring(1);
	before = vd_count_fds();
	/* Eight, of which the last holds the ring: reordered and grown. */
	for (unsigned i = 0; i < 8; i++) {
		r[i] = (struct guest_region){VD_GPA + (8ULL - i) * VD_BYTES, VD_BYTES,
					     VD_UVA + (7ULL - i) * VD_BYTES, i * 4096};
		fds[i] = vd_memory(VD_BYTES + i * 4096);
	}
	assert_int_equal(vd_send_table(r, 8, fds, 8), 0);
	assert_int_equal(vd_mode(1), RING_DISCARD);
	assert_int_equal(vd->mem.n, 8);
	assert_ptr_equal(vd->ring[1].desc, guest_mem_at_uva(&vd->mem, VD_UVA + 3 * VD_PART, 1));
	/* Shrunk to one: seven places are free. */
	fds[0] = vd_memory(VD_BYTES);
	assert_int_equal(vd_send_table(&low, 1, fds, 1), 0);
	assert_false(vd_is_empty(VHOST_FD_REGION));
	assert_true(vd_is_empty(VHOST_FD_REGION + 1) && vd_is_empty(VHOST_FD_REGION + 7));
	assert_int_equal(vd_mode(1), RING_DISCARD);
	assert_int_equal(vd_count_fds(), before);
	/* None: the ring is nowhere. */
	assert_int_equal(vd_send_table(NULL, 0, NULL, 0), -EINVAL);
	assert_int_equal(vd_mode(1), RING_STOPPED);
	assert_int_equal(vd->mem.n, 0);
}

/* A table that is refused leaves the old one. */
static void v06_table_refused(void **state)
{
	static const struct guest_region bad[][2] = {
		{{VD_GPA, 0, VD_UVA, 0}, {VD_GPA + VD_BYTES, 4096, VD_UVA + VD_BYTES, 0}},
		{{VD_GPA, VD_BYTES, VD_UVA, 0}, {VD_GPA, VD_BYTES, VD_UVA + VD_BYTES, 0}},
		{{VD_GPA, VD_BYTES, VD_UVA, 0}, {VD_GPA + VD_BYTES, VD_BYTES, VD_UVA, 0}},
		{{VD_GPA, VD_BYTES, VD_UVA, 0},
		 {UINT64_MAX - 4095, VD_BYTES, VD_UVA + VD_BYTES, 0}},
		{{VD_GPA, VD_BYTES, VD_UVA, 0}, {VD_GPA + VD_BYTES, 4096, UINT64_MAX - 100, 0}},
		{{VD_GPA, VD_BYTES, VD_UVA, 0},
		 {VD_GPA + VD_BYTES, 4096, VD_UVA + VD_BYTES, UINT64_MAX - 100}},
		{{VD_GPA, VD_BYTES, VD_UVA, 0},
		 {VD_GPA + VD_BYTES, 4096, VD_UVA + VD_BYTES, VD_BYTES}},
	};
	struct guest_region good[2] = {{VD_GPA, 4096, VD_UVA, 0},
				       {VD_GPA + 4096, 4096, VD_UVA + 4096, 0}};
	const uint8_t *was;
	unsigned before;
	int fds[2];

	(void)state;
	vd_negotiate(VD_BASIC, 0);
	vd_send_memory();
	vd_start_ring(1);
	was = vd->mem.span[0].host;
	before = vd_count_fds();
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fds[0] = vd_memory(VD_BYTES);
		fds[1] = vd_memory(VD_BYTES);
		assert_int_not_equal(vd_send_table(bad[i], 2, fds, 2), 0);
	}
	/* Descriptors: too few; a directory, an epoll, a pipe's end, a memfd that is too short. */
	fds[0] = vd_memory(VD_BYTES);
	assert_int_equal(vd_send_table(good, 2, fds, 1), -EPROTO);
	for (unsigned i = 0; i < 4; i++) {
		int ends[2] = {-1, -1};

		fds[0] = vd_memory(VD_BYTES);
		fds[1] = i == 0			     ? open("/tmp", O_RDONLY | O_DIRECTORY)
			 : i == 1		     ? epoll_create1(0)
			 : i == 2 && pipe(ends) == 0 ? ends[0]
						     : vd_memory(4095);
		assert_int_not_equal(vd_send_table(good, 2, fds, 2), 0);
		if (ends[1] >= 0)
			close(ends[1]);
	}
	fds[0] = vd_memory(VD_BYTES);
	assert_int_equal(vd_send_table(NULL, 9, fds, 1), -EPROTO);
	assert_int_equal(vd->mem.n, 1);
	assert_ptr_equal(vd->mem.span[0].host, was);
	assert_int_equal(vd_mode(1), RING_DISCARD);
	assert_int_equal(vd_count_fds(), before);
}

static int get_inflight(uint16_t queues, uint16_t size, struct inflight_area *got)
{
	struct inflight_area want = {.queues = queues, .size = size};
	int err = vd_send(VHOST_USER_GET_INFLIGHT_FD, VHOST_VERSION, &want, sizeof(want));

	if (!err)
		memcpy(got, vd_answer.reply.payload, sizeof(*got));
	return err;
}

static void v14_inflight_get(void **state)
{
	struct inflight_area got = {0};
	struct inflight_head *head;
	unsigned before;

	(void)state;
	assert_int_equal(get_inflight(2, 256, &got), -EOPNOTSUPP);
	vd_negotiate(VD_BASIC | FEATURE(VIRTIO_F_RING_PACKED), vhost_protocol_features());
	assert_int_equal(get_inflight(0, 256, &got), -EINVAL);
	assert_int_equal(get_inflight(VD_RINGS + 1, 256, &got), -EINVAL);
	assert_int_equal(get_inflight(65535, 256, &got), -EINVAL);
	assert_int_equal(get_inflight(2, 0, &got), -EINVAL);
	assert_int_equal(get_inflight(2, 32769, &got), -EINVAL);

	assert_int_equal(get_inflight(VD_RINGS, 256, &got), 0);
	assert_int_equal(got.bytes, VD_RINGS * (64 + 256 * 32));
	assert_int_equal(got.queues, VD_RINGS);
	assert_int_equal(vd_answer.fd, vd->inflight_fd);
	assert_true(ftruncate(vd_answer.fd, 0) < 0);
	head = inflight_ring(vd, VD_RINGS - 1);
	assert_non_null(head);
	assert_int_equal(head->version, 1);
	assert_int_equal(head->desc_num, 256);
	assert_int_equal(head->packed.used_wrap_counter, 1);
	assert_null(inflight_ring(vd, VD_RINGS));
	/* CVE-2020-10726: again and again. */
	before = vd_count_fds();
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(get_inflight(VD_RINGS, 32768, &got), 0);
	assert_int_equal(vd_count_fds(), before);
	/* Split from here on: the area is larger than needed; the other way round it would not do. */
	assert_int_equal(vd_send_u64(VHOST_USER_SET_FEATURES, VD_BASIC), 0);
	assert_int_equal(get_inflight(VD_RINGS, 64, &got), 0);
	assert_int_equal(got.bytes, VD_RINGS * (64 + 64 * 16));
	assert_int_equal(
		vd_send_u64(VHOST_USER_SET_FEATURES, VD_BASIC | FEATURE(VIRTIO_F_RING_PACKED)), 0);
	assert_null(inflight_ring(vd, VD_RINGS - 1));
}

static int set_inflight(const struct inflight_area *a, int fd)
{
	return vd_send_fds(VHOST_USER_SET_INFLIGHT_FD, VHOST_VERSION, a, 20, &fd, 1);
}

/* CVE-2021-3839, 2022-0669. */
static void v14_inflight_set(void **state)
{
	struct inflight_area good = {0}, bad[8];
	unsigned before;
	int kept;

	(void)state;
	vd_negotiate(VD_BASIC, vhost_protocol_features());
	assert_int_equal(get_inflight(VD_RINGS, 256, &good), 0);
	kept = fcntl(vd_answer.fd, F_DUPFD_CLOEXEC, 0);
	assert_int_equal(set_inflight(&good, dup(kept)), 0);
	before = vd_count_fds();
	for (unsigned i = 0; i < 8; i++)
		bad[i] = good;
	bad[0].queues = 65535;
	bad[1].queues = 0;
	bad[2].size = 512;
	bad[3].size = 65535;
	bad[4].bytes -= 1;
	bad[5].bytes = UINT64_MAX;
	bad[6].offset = UINT64_MAX & ~4095ULL;
	bad[7].offset = 4096;
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(set_inflight(&bad[i], dup(kept)), -EINVAL);
	/* What might shrink, or is no file at all. */
	assert_int_equal(set_inflight(&good, vd_memory(good.bytes)), -EINVAL);
	assert_int_equal(set_inflight(&good, vd_eventfd()), -EINVAL);
	assert_int_equal(set_inflight(&good, open("/tmp", O_RDONLY)), -EINVAL);
	assert_int_equal(vd_send(VHOST_USER_SET_INFLIGHT_FD, VHOST_VERSION, &good, 20), -EPROTO);
	assert_int_equal(vd_count_fds(), before);
	assert_non_null(inflight_ring(vd, 0));
	close(kept);
}

static int send_region(uint32_t request, const struct guest_region *r, int fd)
{
	struct region_payload p = {.region = *r};

	return vd_send_fds(request, VHOST_VERSION, &p, sizeof(p), &fd, fd < 0 ? 0 : 1);
}

static void v16_regions(void **state)
{
	struct guest_region r = {VD_GPA, VD_BYTES, VD_UVA, 0}, other = r;
	unsigned before = vd_count_fds();

	(void)state;
	assert_int_equal(send_region(VHOST_USER_ADD_MEM_REG, &r, vd_memory(VD_BYTES)), -EOPNOTSUPP);
	vd_negotiate(VD_BASIC, vhost_protocol_features());
	assert_int_equal(send_region(VHOST_USER_ADD_MEM_REG, &r, -1), -EPROTO);
	assert_int_equal(send_region(VHOST_USER_ADD_MEM_REG, &r, vd_memory(VD_BYTES)), 0);
	/* Carried out twice: once. */
	assert_int_equal(send_region(VHOST_USER_ADD_MEM_REG, &r, vd_memory(VD_BYTES)), 0);
	assert_int_equal(vd->mem.n, 1);
	other.size = 4096;
	assert_int_equal(send_region(VHOST_USER_ADD_MEM_REG, &other, vd_memory(4096)), -EINVAL);
	assert_int_equal(send_region(VHOST_USER_REM_MEM_REG, &other, -1), -ENOENT);
	/* As many as there are places. */
	for (unsigned i = 1; i <= GUEST_REGIONS_MAX; i++) {
		other.gpa = r.gpa + i * VD_BYTES;
		other.uva = r.uva + i * VD_BYTES;
		assert_int_equal(send_region(VHOST_USER_ADD_MEM_REG, &other, vd_memory(4096)),
				 i < GUEST_REGIONS_MAX ? 0 : -ENOSPC);
	}
	assert_int_equal(vd_count_fds(), before);
	/* The ring's own goes, with a descriptor that nobody wants: the ring stops. */
	vd_start_ring(1);
	before = vd_count_fds();
	r.offset = 4096;
	assert_int_equal(send_region(VHOST_USER_REM_MEM_REG, &r, vd_memory(4096)), -EINVAL);
	assert_int_equal(vd_mode(1), RING_STOPPED);
	assert_int_equal(vd_count_fds(), before);
	assert_int_equal(vd->mem.n, GUEST_REGIONS_MAX - 1);
	assert_int_equal(vd->now.region[0].size, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, vd_setup, vd_teardown)
	static const struct CMUnitTest tests[] = {
		TEST(v06_table_replaced), TEST(v06_table_refused), TEST(v14_inflight_get),
		TEST(v14_inflight_set),	  TEST(v16_regions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
