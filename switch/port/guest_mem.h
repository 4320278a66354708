/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_mem: the memory that a guest shares: regions, translation, and what happens when it takes them away.
 *
 * A region is a file of tmpfs (memfd) or hugetlbfs, mapped whole; any other file could hang or fail us at each access
 * (FUSE) and is refused.  Addresses are guest-physical (in descriptors) or of the front-end's process (of the rings
 * themselves); both are looked up here, nowhere else, and nothing outside a region is ever reached.
 *
 * A guest may truncate its file under us.  The access then raises SIGBUS; the handler maps zero pages over the whole
 * region, marks its owner dead and tells the control thread, which closes that guest; the worker goes on.
 *
 * Threads.  Changes are the control thread's, while no worker uses the table; look-ups are anybody's.
 */
#ifndef VFAB_PORT_GUEST_MEM_H
#define VFAB_PORT_GUEST_MEM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GUEST_REGIONS_MAX = 32, GUEST_WHY_SIZE = 128 };

/* Address space: of one guest, and of all; files may be as sparse as a guest likes. */
#define GUEST_BYTES_MAX	 (1ULL << 44)
#define GUESTS_BYTES_MAX (1ULL << 46)

/* A region as a front-end describes it (vhost-user, memory region description). */
struct guest_region {
	uint64_t gpa;	 /* guest-physical address */
	uint64_t size;	 /* bytes; 0: this place is free */
	uint64_t uva;	 /* address in the front-end's process */
	uint64_t offset; /* of its first byte in the file */
};

/* What a look-up needs. */
struct guest_span {
	uint64_t gpa, size;
	uint8_t *host;
};

struct guest_mem {
	unsigned n; /* spans */
	struct guest_span span[GUEST_REGIONS_MAX];
	/* Place by place, as the front-end gave them; with holes once one was removed. */
	struct guest_region region[GUEST_REGIONS_MAX];
	struct guest_map {
		uint8_t *start;
		size_t bytes, page; /* whole pages, of that size */
		int guard;	    /* index of the handler's table */
	} map[GUEST_REGIONS_MAX];
};

/* Writes the reason; returns err. */
int guest_refuse(char why[static GUEST_WHY_SIZE], int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Readies the SIGBUS handler, once a process.  The descriptor that becomes readable (eventfd) when an owner died, or -errno. */
int guest_guard_start(void);
void guest_guard_tell(void); /* makes it readable; any thread, any time */

/*
 * Maps a region at a place of the table.  *dead is set when it is taken away.  fd stays the caller's.
 * 0 or -errno with the reason in why: -EINVAL for sizes, overlaps and kinds of files that cannot be.
 */
int guest_mem_add(struct guest_mem *m, unsigned place, const struct guest_region *r, int fd,
		  _Atomic bool *dead, char why[static GUEST_WHY_SIZE]);
void guest_mem_del(struct guest_mem *m, unsigned place);
void guest_mem_clear(struct guest_mem *m);
/* The place of exactly this region (gpa, size and uva), or -1; a free place, or -1. */
int guest_mem_find(const struct guest_mem *m, const struct guest_region *r);
int guest_mem_free_place(const struct guest_mem *m);

/* bytes (1 or more) at a front-end address, wholly in one region; NULL: they are not. */
void *guest_mem_at_uva(const struct guest_mem *m, uint64_t uva, uint64_t bytes);

/* The same at a guest-physical address.  *hint: the span that had the last one. */
static inline uint8_t *guest_mem_at(const struct guest_mem *m, uint64_t gpa, uint64_t bytes,
				    unsigned *hint)
{
	const struct guest_span *s = &m->span[*hint];
	uint64_t off = gpa - s->gpa;

	if (__builtin_expect(off < s->size && bytes <= s->size - off, 1))
		return s->host + off;
	for (unsigned i = 0; i < m->n; i++) {
		s = &m->span[i];
		off = gpa - s->gpa;
		if (off < s->size && bytes <= s->size - off) {
			*hint = i;
			return s->host + off;
		}
	}
	return NULL;
}

#endif
