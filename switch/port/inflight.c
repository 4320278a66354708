/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inflight: makes, maps and finds its way in the area of inflight descriptors.
 *
 * vhost_mem_msg.c makes and takes one, vhost.c reads and writes the heads when a ring starts, runs and stops.  Sizes are those
 * that DPDK and libvhost-user use, so that one back-end may follow another.
 *
 * Trust.  A descriptor that comes back (SET_INFLIGHT_FD) may be any.  Only a memfd that cannot shrink is mapped, so that no
 * access ever faults: the sizes of the description are compared with the file, and with the rings that there can be.
 */
#include "switch/port/inflight.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
	VERSION = 1,
	RING_ALIGN = 64,
	SPLIT_HEAD = 16,
	SPLIT_ENTRY = 16,
	PACKED_HEAD = 32,
	PACKED_ENTRY = 32,
	PACKED_NEXT = 2, /* offset in a packed entry */
	PAGE_BYTES = 4096,
};
_Static_assert(offsetof(struct inflight_head, split.used_idx) == 14, "QueueRegionSplit");
_Static_assert(offsetof(struct inflight_head, packed.old_used_wrap_counter) == 21,
	       "QueueRegionPacked");
_Static_assert(sizeof(struct inflight_head) == PACKED_HEAD, "QueueRegionPacked");

/* Bytes from one ring to the next. */
static uint64_t ring_bytes(unsigned size, bool is_packed)
{
	uint64_t n = is_packed ? PACKED_HEAD + (uint64_t)size * PACKED_ENTRY
			       : SPLIT_HEAD + (uint64_t)size * SPLIT_ENTRY;

	return (n + RING_ALIGN - 1) & ~(uint64_t)(RING_ALIGN - 1);
}

static bool is_packed(const struct vhost *vh)
{
	return vh->now.features & FEATURE(VIRTIO_F_RING_PACKED);
}

/* The rest of the area is zero already. */
static void fill_ring(uint8_t *at, unsigned size, bool packed)
{
	struct inflight_head *head = (void *)at;

	head->version = VERSION;
	head->desc_num = (uint16_t)size;
	if (!packed)
		return;
	atomic_store(&head->packed.used_wrap_counter, 1);
	atomic_store(&head->packed.old_used_wrap_counter, 1);
	/* All entries are free, each points to the next. */
	for (unsigned i = 0; i < size; i++) {
		uint16_t next = (uint16_t)(i + 1);

		memcpy(at + PACKED_HEAD + (size_t)i * PACKED_ENTRY + PACKED_NEXT, &next,
		       sizeof(next));
	}
}

int inflight_create(uint16_t queues, uint16_t size, bool packed, struct inflight_area *area)
{
	uint64_t each = ring_bytes(size, packed), bytes = queues * each;
	int err, fd = memfd_create("vfab-inflight", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	uint8_t *map;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)bytes) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		goto err_close;
	map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		goto err_close;
	for (unsigned i = 0; i < queues; i++)
		fill_ring(map + i * each, size, packed);
	munmap(map, bytes);
	*area = (struct inflight_area){bytes, 0, queues, size};
	return fd;

err_close:
	err = -errno;
	close(fd);
	return err;
}

static int check_area(const struct vhost *vh, const struct inflight_area *a,
		      char why[static GUEST_WHY_SIZE])
{
	uint64_t most = ring_bytes(VRING_SIZE_MAX, true) * VHOST_RINGS_MAX;

	if (a->queues == 0 || a->queues > 2u * vh->pairs)
		return guest_refuse(why, -EINVAL, "%u rings, not 1 to %u", a->queues,
				    2u * vh->pairs);
	if (a->size == 0 || a->size > VRING_SIZE_MAX)
		return guest_refuse(why, -EINVAL, "rings of %u descriptors", a->size);
	if (a->bytes < a->queues * ring_bytes(a->size, is_packed(vh)) || a->bytes > most)
		return guest_refuse(why, -EINVAL, "%llu bytes are not what the rings need",
				    (unsigned long long)a->bytes);
	if (a->offset % PAGE_BYTES != 0 || a->offset > INT64_MAX - a->bytes)
		return guest_refuse(why, -EINVAL, "an area that begins at %llu",
				    (unsigned long long)a->offset);
	return 0;
}

/* A hole in a file of hugetlbfs may fault, and a file of tmpfs that has a name has no seal against shrinking. */
static int check_file(int fd, const struct inflight_area *a, char why[static GUEST_WHY_SIZE])
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct statfs fs;
	struct stat st;

	if (seals < 0 || !(seals & F_SEAL_SHRINK))
		return guest_refuse(why, -EINVAL, "not a memfd that is sealed against shrinking");
	if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
		return guest_refuse(why, -errno, "its descriptor: %s", strerror(errno));
	if (fs.f_type != TMPFS_MAGIC)
		return guest_refuse(why, -EINVAL, "not a memfd of small pages");
	if (a->offset + a->bytes > (uint64_t)st.st_size)
		return guest_refuse(why, -EINVAL, "the area ends beyond its file");
	return 0;
}

int inflight_take(struct vhost *vh, int fd, const struct inflight_area *area,
		  char why[static GUEST_WHY_SIZE])
{
	int err = check_area(vh, area, why);
	void *map;

	if (!err)
		err = check_file(fd, area, why);
	if (err)
		return err;
	map = mmap(NULL, area->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)area->offset);
	if (map == MAP_FAILED)
		return guest_refuse(why, -errno, "the area cannot be mapped: %s", strerror(errno));

	inflight_drop(vh);
	vh->inflight_fd = fd;
	vh->inflight = map;
	vh->now.inflight_bytes = area->bytes;
	vh->now.inflight_offset = area->offset;
	vh->now.inflight_queues = area->queues;
	vh->now.inflight_size = area->size;
	return 0;
}

void inflight_drop(struct vhost *vh)
{
	if (vh->inflight)
		munmap(vh->inflight, vh->now.inflight_bytes);
	if (vh->inflight_fd >= 0)
		close(vh->inflight_fd);
	vh->inflight = NULL;
	vh->inflight_fd = -1;
	vh->now.inflight_bytes = vh->now.inflight_offset = 0;
	vh->now.inflight_queues = vh->now.inflight_size = 0;
}

struct inflight_head *inflight_ring(const struct vhost *vh, unsigned ring)
{
	const struct vhost_saved *now = &vh->now;
	uint64_t each = ring_bytes(now->inflight_size, is_packed(vh));
	struct inflight_head *head;

	/* Packed or not may have been negotiated anew since it was mapped. */
	if (!vh->inflight || ring >= now->inflight_queues ||
	    (ring + 1) * each > now->inflight_bytes)
		return NULL;
	head = (void *)((uint8_t *)vh->inflight + ring * each);
	return head->version == VERSION && head->desc_num == now->inflight_size ? head : NULL;
}
