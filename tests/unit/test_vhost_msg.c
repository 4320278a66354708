/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of switch/port/vhost_msg and vhost_ring_msg: messages in form and out of it, in order and out of it.  A test is
 * named after the row of promises that it keeps.
 */
#include "switch/port/vhost_msg.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/vhost_device.h"

static uint64_t seed = 88172645463325252ULL;

static uint64_t roll(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void words(void **state)
{
	(void)state;
	assert_string_equal(vhost_msg_word(VHOST_USER_GET_FEATURES), "GET_FEATURES");
	assert_string_equal(vhost_msg_word(VHOST_USER_SET_LOG_FD), "SET_LOG_FD");
	assert_string_equal(vhost_msg_word(VHOST_USER_SET_VRING_ERR), "SET_VRING_ERR");
	assert_string_equal(vhost_msg_word(VHOST_USER_SET_BACKEND_REQ_FD), "SET_BACKEND_REQ_FD");
	assert_string_equal(vhost_msg_word(VHOST_USER_SET_CONFIG), "SET_CONFIG");
	assert_string_equal(vhost_msg_word(VHOST_USER_SET_INFLIGHT_FD), "SET_INFLIGHT_FD");
	assert_string_equal(vhost_msg_word(VHOST_USER_RESET_DEVICE), "RESET_DEVICE");
	assert_string_equal(vhost_msg_word(VHOST_USER_GET_STATUS), "GET_STATUS");
	assert_string_equal(vhost_msg_word(0), "?");
	assert_string_equal(vhost_msg_word(22), "?");
	assert_string_equal(vhost_msg_word(UINT32_MAX), "?");
}

static void v02_features(void **state)
{
	uint64_t offered = vd_get_u64(VHOST_USER_GET_FEATURES);

	(void)state;
	assert_true((offered & VD_BASIC) == VD_BASIC);
	assert_int_equal(vd_send_u64(VHOST_USER_SET_FEATURES, offered | 1ULL << 63), -EINVAL);
	assert_false(vd->now.has_features);
	assert_int_equal(vd_send_u64(VHOST_USER_SET_FEATURES, VD_BASIC), 0);
	assert_true(vd_answer.effect.changed);
	assert_int_equal(vd_send_u64(VHOST_USER_SET_FEATURES, VD_BASIC), 0);
	assert_false(vd_answer.effect.changed);

	/* After start: the same bits leave a ring alone, others are put into force. */
	vd_send_memory();
	vd_start_ring(1);
	assert_int_equal(vd_mode(1), RING_DISCARD);
	assert_int_equal(vd_send_u64(VHOST_USER_SET_FEATURES, VD_BASIC), 0);
	assert_int_equal(vd_mode(1), RING_DISCARD);
	assert_int_equal(
		vd_send_u64(VHOST_USER_SET_FEATURES, VD_BASIC | FEATURE(VIRTIO_F_RING_PACKED)), 0);
	assert_int_equal(vd_mode(1), RING_DISCARD);
	assert_true(vd->ring[1].is_packed);
}

static void v03_protocol_features_first(void **state)
{
	uint64_t offered = vd_get_u64(VHOST_USER_GET_PROTOCOL_FEATURES);

	(void)state;
	assert_int_equal(offered, vhost_protocol_features());
	assert_int_equal(vd_send_u64(VHOST_USER_SET_PROTOCOL_FEATURES, offered), 0);
	assert_int_equal(vd->now.protocol, offered);
	/* INBAND_NOTIFICATIONS, and any other that was not offered. */
	assert_int_equal(vd_send_u64(VHOST_USER_SET_PROTOCOL_FEATURES, 1 << 14), -EINVAL);
	assert_int_equal(vd->now.protocol, offered);
}

/* Every request, empty and with a word of all ones: one reply, if the connection lives at all. */
static void v04_one_word_each(void **state)
{
	static const uint32_t replies[] = {1, 11, 15, 17, 24, 31, 36, 40};
	uint8_t ones[VHOST_PAYLOAD_MAX];

	(void)state;
	memset(ones, 0xff, sizeof(ones));
	for (uint32_t request = 0; request < 48; request++) {
		for (uint32_t size = 0; size <= 40; size += 8) {
			int err;

			vd_negotiate(VD_BASIC, vhost_protocol_features());
			err = vd_send(request, VD_NEED, ones, size);
			assert_true(err || vd_answer.has_reply);
			assert_true(err || vd_answer.reply.size <= 24);
		}
	}
	/* The word is the only one; without need_reply there is none, and a message that replies has no second. */
	vd_negotiate(VD_BASIC, vhost_protocol_features());
	assert_int_equal(vd_send(VHOST_USER_SET_OWNER, VHOST_VERSION, NULL, 0), 0);
	assert_false(vd_answer.has_reply);
	assert_int_equal(vd_send(VHOST_USER_SET_OWNER, VD_NEED, NULL, 0), 0);
	assert_int_equal(vd_reply_u64(), 0);
	for (unsigned i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		uint64_t payload[3] = {0, 0, 1 | 64 << 16};
		uint32_t size = (const uint8_t[]){0, 8, 0, 0, 12, 24, 0, 0}[i];

		assert_int_equal(vd_send(replies[i], VD_NEED, payload, size), 0);
		assert_true(vd_answer.has_reply);
	}
	assert_int_equal(vd_get_u64(VHOST_USER_GET_FEATURES), vhost_features(vd));
}

static void v04_refused(void **state)
{
	uint64_t bad = 1ULL << 63;

	(void)state;
	/* Not negotiated: need_reply asks for nothing. */
	assert_int_equal(vd_send(VHOST_USER_SET_OWNER, VD_NEED, NULL, 0), 0);
	assert_false(vd_answer.has_reply);
	assert_int_equal(vd_send(VHOST_USER_SET_FEATURES, VD_NEED, &bad, sizeof(bad)), -EINVAL);

	vd_negotiate(VD_BASIC, FEATURE(VHOST_PROTOCOL_REPLY_ACK));
	assert_int_equal(vd_send(VHOST_USER_SET_FEATURES, VD_NEED, &bad, sizeof(bad)), 0);
	assert_int_not_equal(vd_reply_u64(), 0);
	assert_true(strstr(vd_answer.why, "SET_FEATURES: ") == vd_answer.why);
	/* Not offered, and unknown. */
	assert_int_equal(vd_send(VHOST_USER_SET_LOG_BASE, VD_NEED, &bad, sizeof(bad)), 0);
	assert_int_not_equal(vd_reply_u64(), 0);
	assert_int_equal(vd_send(4711, VD_NEED, NULL, 0), 0);
	assert_int_not_equal(vd_reply_u64(), 0);
	assert_int_equal(vd_send(4711, VHOST_VERSION, NULL, 0), -EOPNOTSUPP);
	/* Wrong in form, whatever was asked for. */
	assert_int_equal(vd_send(VHOST_USER_SET_FEATURES, VD_NEED, &bad, 7), -EPROTO);
}

static void v05_ring_states(void **state)
{
	(void)state;
	vd_negotiate(VD_BASIC, 0);
	vd_send_memory();
	vd_start_ring(0);
	assert_int_equal(vd_mode(0), RING_DISCARD);
	assert_true(vd->now.ring[0].is_started && !vd->now.ring[0].is_enabled);
	assert_int_equal(vd_send_state(VHOST_USER_SET_VRING_ENABLE, 0, 1), 0);
	assert_int_equal(vd_mode(0), RING_ON);
	assert_int_equal(vd_send_state(VHOST_USER_SET_VRING_ENABLE, 0, 0), 0);
	assert_int_equal(vd_mode(0), RING_DISCARD);
	assert_int_equal(vd_send_state(VHOST_USER_SET_VRING_ENABLE, 0, 2), -EINVAL);
	assert_int_equal(vd_stop_ring(0).index, 0);
	assert_int_equal(vd_mode(0), RING_STOPPED);
	assert_false(vd->now.ring[0].is_started);
	assert_true(vd_is_empty(VHOST_FD_KICK));
	/* Stopped is stopped, until the next kick descriptor. */
	assert_int_equal(vd_send_state(VHOST_USER_SET_VRING_ENABLE, 0, 1), 0);
	assert_int_equal(vd_send_good_addr(0), 0);
	assert_int_equal(vd_mode(0), RING_STOPPED);
	assert_int_equal(vd_send_ring_fd(VHOST_USER_SET_VRING_KICK, 0, vd_eventfd()), 0);
	assert_int_equal(vd_mode(0), RING_ON);
}

static void v05_no_protocol_features(void **state)
{
	(void)state;
	assert_int_equal(vd_send_u64(VHOST_USER_SET_FEATURES, FEATURE(VIRTIO_F_VERSION_1)), 0);
	vd_send_memory();
	vd_start_ring(0);
	assert_int_equal(vd_mode(0), RING_ON);
}

/* QEMU says SET_VRING_ENABLE before SET_FEATURES. */
static void v05_enabled_first(void **state)
{
	(void)state;
	assert_int_equal(vd_send_state(VHOST_USER_SET_VRING_ENABLE, 0, 1), 0);
	vd_negotiate(VD_BASIC, 0);
	vd_send_memory();
	vd_start_ring(0);
	vd_start_ring(2);
	assert_int_equal(vd_mode(0), RING_ON);
	assert_int_equal(vd_mode(2), RING_DISCARD);
}

static void v08_vring_num(void **state)
{
	static const struct {
		uint32_t num;
		bool split, packed;
	} cases[] = {{0, false, false},	    {1, true, true},	   {3, false, true},
		     {256, true, true},	    {32767, false, true},  {32768, true, true},
		     {65535, false, false}, {65536, false, false}, {65536 + 256, false, false}};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		vd_negotiate(VD_BASIC, 0);
		assert_int_equal(vd_send_state(VHOST_USER_SET_VRING_NUM, 0, cases[i].num),
				 cases[i].split ? 0 : -EINVAL);
		vd_negotiate(VD_BASIC | FEATURE(VIRTIO_F_RING_PACKED), 0);
		assert_int_equal(vd_send_state(VHOST_USER_SET_VRING_NUM, 0, cases[i].num),
				 cases[i].packed ? 0 : -EINVAL);
	}
}

static unsigned long resident_pages(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long size, resident;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%lu %lu", &size, &resident), 2);
	fclose(file);
	return resident;
}

static void v08_repeated(void **state)
{
	unsigned long before;
	unsigned fds = vd_count_fds();

	(void)state;
	vd_send_state(VHOST_USER_SET_VRING_NUM, 0, VD_RING_SIZE);
	before = resident_pages();
	for (unsigned i = 0; i < 1000000; i++)
		vd_send_state(VHOST_USER_SET_VRING_NUM, i % VD_RINGS, 1u << i % 16);
	assert_true(resident_pages() < before + 256);
	assert_int_equal(vd_count_fds(), fds);
}

static void v09_vring_addr(void **state)
{
	static const uint64_t bad[][3] = {
		{0, VD_UVA, VD_UVA + VD_PART},			      /* outside */
		{VD_UVA + VD_BYTES - 16, VD_UVA, VD_UVA + VD_PART},   /* its end is outside */
		{UINT64_MAX - 15, VD_UVA, VD_UVA + VD_PART},	      /* wraps around */
		{VD_UVA + 8, VD_UVA + VD_PART, VD_UVA + 2 * VD_PART}, /* unaligned */
		{VD_UVA, VD_UVA + VD_PART + 1, VD_UVA + 2 * VD_PART},
		{VD_UVA, VD_UVA + VD_PART, VD_UVA + 2 * VD_PART + 2},
		{VD_GPA, VD_GPA + VD_PART,
		 VD_GPA + 2 * VD_PART}, /* of the guest, not of the front-end */
	};
	uint64_t a[5] = {1ULL << 32, VD_UVA}; /* ring 0, flag 0: a log */

	(void)state;
	vd_negotiate(VD_BASIC, 0);
	vd_send_memory();
	vd_start_ring(0);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(vd_send_addr(0, bad[i][0], bad[i][1], bad[i][2]), -EINVAL);
		assert_int_equal(vd_send_good_addr(0), 0);
		assert_int_equal(vd_mode(0), RING_DISCARD);
	}
	/* Rings that overlap hurt the guest alone. */
	assert_int_equal(vd_send_addr(0, VD_UVA, VD_UVA, VD_UVA), 0);
	assert_int_equal(vd_send(VHOST_USER_SET_VRING_ADDR, VHOST_VERSION, a, sizeof(a)),
			 -EOPNOTSUPP);
}

/* CVE-2020-10723: all bits of an index count. */
static void v09_ring_index(void **state)
{
	static const uint32_t bad[] = {VD_RINGS, 255, 0x100, 0x10000, 0x80000000, UINT32_MAX};
	static const uint32_t requests[] = {VHOST_USER_SET_VRING_NUM, VHOST_USER_SET_VRING_BASE,
					    VHOST_USER_GET_VRING_BASE, VHOST_USER_SET_VRING_ENABLE};

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (unsigned k = 0; k < sizeof(requests) / sizeof(requests[0]); k++)
			assert_int_equal(vd_send_state(requests[k], bad[i], 1), -EINVAL);
		assert_int_equal(vd_send_addr(bad[i], VD_UVA, VD_UVA, VD_UVA), -EINVAL);
	}
}

/* Addresses and rings before there is a memory: the ring starts when it is there, or never. */
static void v09_before_table(void **state)
{
	(void)state;
	vd_negotiate(VD_BASIC, 0);
	assert_int_equal(vd_send_state(VHOST_USER_SET_VRING_NUM, 0, VD_RING_SIZE), 0);
	assert_int_equal(vd_send_good_addr(0), 0);
	assert_int_equal(vd_mode(0), RING_STOPPED);
	assert_int_equal(vd_send_ring_fd(VHOST_USER_SET_VRING_KICK, 0, vd_eventfd()), -EINVAL);
	assert_int_equal(vd_mode(0), RING_STOPPED);
	vd_send_memory();
	assert_int_equal(vd_mode(0), RING_DISCARD);
}

static void v10_vring_base(void **state)
{
	static const uint32_t bases[] = {0, 1, 255, 256, 32767, 32768, 65535};

	(void)state;
	vd_negotiate(VD_BASIC, 0);
	vd_send_memory();
	/* A ring that does not run is asked for nothing but what it was told, whatever others do meanwhile. */
	for (unsigned i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
		vd_start_ring(0);
		vd_start_ring(1);
		vd_stop_ring(1);
		assert_int_equal(vd_send_state(VHOST_USER_SET_VRING_BASE, 1, bases[i]), 0);
		vd_send_memory();
		assert_int_equal(vd_stop_ring(1).num, bases[i]);
	}
	assert_int_equal(vd_send_state(VHOST_USER_SET_VRING_BASE, 0, 65536), -EINVAL);
}

/* QEMU's form of a packed position: the driver's in bits 0-15, the device's above. */
static void v10_packed_base(void **state)
{
	(void)state;
	vd_negotiate(VD_BASIC | FEATURE(VIRTIO_F_RING_PACKED), 0);
	assert_int_equal(vd_send_state(VHOST_USER_SET_VRING_BASE, 1, 0x80058005), 0);
	assert_int_equal(vd->now.ring[1].base, 0x8005);
	assert_int_equal(vd_stop_ring(1).num, 0x80058005);
	assert_int_equal(vd_send_state(VHOST_USER_SET_VRING_BASE, 1, 0x8007), 0);
	assert_int_equal(vd->now.ring[1].base, 0x8007);
}

static void v11_descriptors(void **state)
{
	static const uint32_t requests[] = {VHOST_USER_SET_VRING_KICK, VHOST_USER_SET_VRING_CALL,
					    VHOST_USER_SET_VRING_ERR};
	static const unsigned at[] = {VHOST_FD_KICK, VHOST_FD_CALL, VHOST_FD_ERR};

	(void)state;
	vd_negotiate(VD_BASIC, 0);
	vd_send_memory();
	vd_start_ring(1);
	for (unsigned i = 0; i < 3; i++) {
		unsigned before;
		uint64_t word;
		int ends[2];

		assert_int_equal(vd_send_ring_fd(requests[i], 1, vd_eventfd()), 0);
		before = vd_count_fds();
		/* Twice: the old one is closed.  One that is none, or of no ring: refused and closed. */
		assert_int_equal(vd_send_ring_fd(requests[i], 1, vd_eventfd()), 0);
		assert_false(vd_is_empty(at[i] + 1));
		assert_int_equal(vd_send_ring_fd(requests[i], VD_RINGS, vd_eventfd()), -EINVAL);
		assert_int_equal(vd_send_ring_fd(requests[i], 255, vd_eventfd()), -EINVAL);
		assert_int_equal(vd_send_ring_fd(requests[i], 0x10001, vd_eventfd()), -EINVAL);
		assert_int_equal(vd_send_ring_fd(requests[i], 1, vd_memory(4096)), -EINVAL);
		assert_int_equal(pipe(ends), 0);
		close(ends[0]);
		assert_int_equal(vd_send_ring_fd(requests[i], 1, ends[1]), -EINVAL);
		/* No descriptor and no word of it; a descriptor in spite of it. */
		word = 1;
		assert_int_equal(vd_send(requests[i], VHOST_VERSION, &word, 8), -EPROTO);
		word = 1 | VD_NO_FD;
		ends[0] = vd_eventfd();
		assert_int_equal(vd_send_fds(requests[i], VHOST_VERSION, &word, 8, ends, 1),
				 -EPROTO);
		assert_int_equal(vd_count_fds(), before);
		assert_int_equal(vd_mode(1), RING_DISCARD);
		/* None from here on. */
		assert_int_equal(vd_send_ring_fd(requests[i], 1, -1), 0);
		assert_true(vd_is_empty(at[i] + 1));
		assert_int_equal(vd_mode(1), RING_DISCARD);
	}
	assert_true(vd->now.ring[1].is_polled);
	assert_int_equal(vd_send_ring_fd(VHOST_USER_SET_VRING_KICK, 1, vd_eventfd()), 0);
	assert_false(vd->now.ring[1].is_polled);
}

static int any_descriptor(void)
{
	switch (roll() % 5) {
	case 0:
		return vd_eventfd();
	case 1:
		return open("/tmp", O_RDONLY | O_DIRECTORY);
	case 2:
		return epoll_create1(0);
	case 3:
		return vd_memory(4095);
	default:
		return vd_memory(VD_BYTES);
	}
}

/* A message of any request with numbers that are often right, and up to n descriptors. */
static void send_any(unsigned n)
{
	static const uint8_t sizes[] = {0, 8, 12, 20, 24, 40, 40, 8};
	uint32_t words_of[VHOST_PAYLOAD_MAX / 4] = {0};
	uint64_t where[4] = {VD_UVA, VD_UVA + VD_PART, VD_UVA + 2 * VD_PART, VD_GPA};
	uint32_t flags = roll() % 4 ? VHOST_VERSION : VD_NEED;
	uint32_t request = roll() % 42, size = sizes[roll() % 8];
	int fds[VHOST_MSG_FDS];
	unsigned n_fds = n ? (unsigned)(roll() % (n + 1)) : 0;

	for (unsigned i = 0; i < n_fds; i++)
		fds[i] = any_descriptor();
	words_of[0] = (uint32_t)(roll() % (VD_RINGS + 1));
	words_of[1] = (uint32_t)(roll() % 3);
	if (size == 40)
		for (unsigned i = 0; i < 4; i++)
			memcpy(&words_of[2 + 2 * i], &where[roll() % 4], 8);
	vd_send_fds(request, flags, words_of, size, fds, n_fds);
}

/* CVE-2019-14818, 2020-10726, 2022-0669: whatever comes, what is open is what the device has. */
static void v12_surplus(void **state)
{
	unsigned before;

	(void)state;
	send_any(0);
	vhost_reset(vd);
	before = vd_count_fds();
	for (unsigned i = 0; i < 10000; i++) {
		send_any(i % 8 ? 2 : VHOST_MSG_FDS);
		if (i % 100 != 0)
			continue;
		vhost_reset(vd);
		assert_int_equal(vd_count_fds(), before);
		vd_negotiate(VD_BASIC, vhost_protocol_features());
	}
}

static void v13_headers(void **state)
{
	static const struct vhost_msg bad[] = {
		{VHOST_USER_SET_OWNER, 0, 0, {0}},
		{VHOST_USER_SET_OWNER, 2, 0, {0}},
		{VHOST_USER_SET_OWNER, 3, 0, {0}},
		{VHOST_USER_SET_OWNER, VHOST_VERSION | VHOST_IS_REPLY, 0, {0}},
		{VHOST_USER_SET_OWNER, VHOST_VERSION, 8, {0}},
		{VHOST_USER_SET_FEATURES, VHOST_VERSION, 0, {0}},
		{VHOST_USER_SET_MEM_TABLE, VHOST_VERSION, UINT32_MAX, {0}},
		{VHOST_USER_SET_LOG_BASE, VHOST_VERSION, VHOST_PAYLOAD_MAX + 1, {0}},
		{4711, VHOST_VERSION, UINT32_MAX, {0}},
	};
	struct vhost_msg other = {4711, VHOST_VERSION, VHOST_PAYLOAD_MAX, {0}};
	char why[GUEST_WHY_SIZE];

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int fd = vd_eventfd();

		assert_false(vhost_msg_header(&bad[i], why));
		assert_true(why[0] != '\0');
		assert_int_equal(vhost_msg_handle(vd, &bad[i], &fd, 1, &vd_answer), -EPROTO);
		assert_int_equal(fcntl(fd, F_GETFD), -1);
	}
	assert_true(vhost_msg_header(&other, why));
	assert_true(why[0] == '\0');
}

struct config_payload {
	uint32_t offset, size, flags;
	uint8_t space[256];
};

static void v16_config(void **state)
{
	struct config_payload c = {.size = 12};

	(void)state;
	assert_int_equal(vd_send(VHOST_USER_GET_CONFIG, VHOST_VERSION, &c, 24), -EOPNOTSUPP);
	vd_negotiate(VD_BASIC, vhost_protocol_features());
	assert_int_equal(vd_send(VHOST_USER_GET_CONFIG, VHOST_VERSION, &c, 24), 0);
	assert_int_equal(vd_answer.reply.size, 24);
	memcpy(&c, vd_answer.reply.payload, 24);
	assert_memory_equal(c.space, vd_port.mac.b, 6);
	assert_int_equal(c.space[6], 1);
	assert_int_equal(c.space[8], VD_PAIRS);
	/* Beyond the space: a reply without payload; sizes that disagree: none. */
	c = (struct config_payload){.offset = 20, .size = 8};
	assert_int_equal(vd_send(VHOST_USER_GET_CONFIG, VHOST_VERSION, &c, 20), 0);
	assert_int_equal(vd_answer.reply.size, 0);
	c.offset = UINT32_MAX;
	assert_int_equal(vd_send(VHOST_USER_GET_CONFIG, VHOST_VERSION, &c, 20), 0);
	assert_int_equal(vd_answer.reply.size, 0);
	c.size = UINT32_MAX;
	assert_int_equal(vd_send(VHOST_USER_GET_CONFIG, VHOST_VERSION, &c, 20), -EPROTO);
	c = (struct config_payload){.size = 8};
	assert_int_equal(vd_send(VHOST_USER_SET_CONFIG, VHOST_VERSION, &c, 20), -EPERM);
}

static void v16_small_requests(void **state)
{
	uint64_t mac = 0x0000665544332202, slots = GUEST_REGIONS_MAX;

	(void)state;
	assert_int_equal(vd_get_u64(VHOST_USER_GET_QUEUE_NUM), VD_PAIRS);
	assert_int_equal(vd_send(VHOST_USER_GET_MAX_MEM_SLOTS, VHOST_VERSION, NULL, 0),
			 -EOPNOTSUPP);
	assert_int_equal(vd_send_u64(VHOST_USER_SET_STATUS, 1), -EOPNOTSUPP);
	vd_negotiate(VD_BASIC, vhost_protocol_features());
	assert_int_equal(vd_get_u64(VHOST_USER_GET_MAX_MEM_SLOTS), slots);
	assert_int_equal(vd_send_u64(VHOST_USER_NET_SET_MTU, 67), -EINVAL);
	assert_int_equal(vd_send_u64(VHOST_USER_NET_SET_MTU, 68), 0);
	assert_int_equal(vd_send_u64(VHOST_USER_NET_SET_MTU, 65535), 0);
	assert_int_equal(vd_send_u64(VHOST_USER_NET_SET_MTU, 65536), -EINVAL);
	assert_int_equal(vd_send_u64(VHOST_USER_SEND_RARP, mac), 0);
	assert_int_equal(atomic_load(&vd->announce), 1ULL << 48 | mac);
	assert_int_equal(vd_send_u64(VHOST_USER_SEND_RARP, 0), -EINVAL);
	assert_int_equal(vd_send_u64(VHOST_USER_SEND_RARP, mac | 1), -EINVAL);
	assert_int_equal(vd_send_u64(VHOST_USER_SET_STATUS, 0xf), 0);
	assert_int_equal(vd_get_u64(VHOST_USER_GET_STATUS), 0xf);
	assert_int_equal(vd_send_u64(VHOST_USER_SET_STATUS, 256), -EINVAL);
	assert_int_equal(vd_send(VHOST_USER_SET_BACKEND_REQ_FD, VHOST_VERSION, NULL, 0),
			 -EOPNOTSUPP);
	assert_int_equal(vd_send(28, VHOST_VERSION, NULL, 0), -EOPNOTSUPP); /* postcopy */
}

static void v16_resets(void **state)
{
	static const uint32_t requests[] = {VHOST_USER_RESET_OWNER, VHOST_USER_RESET_DEVICE,
					    VHOST_USER_SET_STATUS};
	uint64_t zero = 0;

	(void)state;
	vd_negotiate(VD_BASIC, vhost_protocol_features());
	vd_send_memory();
	for (unsigned i = 0; i < 3; i++) {
		vd_start_ring(0);
		assert_int_equal(vd_send_state(VHOST_USER_SET_VRING_ENABLE, 0, 1), 0);
		assert_int_equal(vd_mode(0), RING_ON);
		assert_int_equal(vd_send(requests[i], VHOST_VERSION, &zero, i < 2 ? 0 : 8), 0);
		assert_int_equal(vd_mode(0), RING_STOPPED);
		assert_false(vd->now.ring[0].is_started || vd->now.ring[0].is_enabled);
		assert_true(vd_is_empty(VHOST_FD_KICK));
		assert_int_equal(vd->mem.n, 1);
		assert_int_equal(vd->now.features, VD_BASIC);
	}
}

/* Valid messages in any order while rings run: no state contradicts another, and all of it can be undone. */
static void v17_order(void **state)
{
	struct guest_region memory = {VD_GPA, VD_BYTES, VD_UVA, 0};
	unsigned before = vd_count_fds();

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		switch (roll() % 16) {
		case 0:
			vd_send_table(&memory, 1, &(int){vd_memory(VD_BYTES)}, 1);
			break;
		case 1:
			vd_send_ring_fd(VHOST_USER_SET_VRING_KICK, roll() % VD_RINGS, vd_eventfd());
			break;
		case 2:
			vd_send_ring_fd(VHOST_USER_SET_VRING_CALL, roll() % VD_RINGS, vd_eventfd());
			break;
		case 3:
			vd_send_good_addr(roll() % VD_RINGS);
			break;
		case 4:
			vd_send_u64(VHOST_USER_SET_FEATURES, roll() & vhost_features(vd));
			break;
		case 5:
			vd_send_state(VHOST_USER_SET_VRING_NUM, roll() % VD_RINGS, VD_RING_SIZE);
			break;
		default:
			send_any(1);
		}
		for (unsigned r = 0; r < VD_RINGS; r++)
			assert_true(vd->now.ring[r].is_started || vd_mode(r) == RING_STOPPED);
	}
	vhost_reset(vd);
	assert_int_equal(vd_count_fds(), before);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, vd_setup, vd_teardown)
	static const struct CMUnitTest tests[] = {
		TEST(words),
		TEST(v02_features),
		TEST(v03_protocol_features_first),
		TEST(v04_one_word_each),
		TEST(v04_refused),
		TEST(v05_ring_states),
		TEST(v05_no_protocol_features),
		TEST(v05_enabled_first),
		TEST(v08_vring_num),
		TEST(v08_repeated),
		TEST(v09_vring_addr),
		TEST(v09_ring_index),
		TEST(v09_before_table),
		TEST(v10_vring_base),
		TEST(v10_packed_base),
		TEST(v11_descriptors),
		TEST(v12_surplus),
		TEST(v13_headers),
		TEST(v16_config),
		TEST(v16_small_requests),
		TEST(v16_resets),
		TEST(v17_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
