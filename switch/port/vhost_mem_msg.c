/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost_mem_msg: messages about memory: the table of regions, one region more or less, the inflight area.
 *
 * Theory.  A table is made beside the one in use; only when all of it is good are the rings stopped, the tables exchanged and
 * the rings run again, on addresses that are looked up anew.  A bad table leaves everything as it was.  A ring whose addresses
 * are in no region any more stays stopped, and the message is refused although the table stands.
 *
 *   descriptor of region -> mapped here -> kept by the broker at VHOST_FD_REGION + place -> closed here
 *
 * Trust.  The front-end wrote the numbers; vhost_msg.c checked how many bytes and descriptors came.  What a region may be is
 * guest_mem.c's to say, what an inflight area may be inflight.c's.
 */
#include "switch/port/vhost_msg_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "switch/port/inflight.h"

_Static_assert(sizeof(struct guest_region) == REGION_BYTES, "as on the socket");
_Static_assert(offsetof(struct inflight_area, size) + 2 == INFLIGHT_BYTES, "as on the socket");

static void save_regions(struct vhost *vh)
{
	memcpy(vh->now.region, vh->mem.region, sizeof(vh->now.region));
}

/* Exchanges *fresh with the table in use. */
static void install(struct vhost_call *c, struct guest_mem *fresh)
{
	struct guest_mem old = c->vh->mem;

	vhost_hold_rings(c);
	c->vh->mem = *fresh;
	*fresh = old;
	save_regions(c->vh);
}

/* The broker takes a descriptor that came; here it was mapped and is not needed any more. */
static void keep_region(struct vhost_call *c, unsigned place, unsigned i)
{
	vhost_keep(c, VHOST_FD_REGION + place, c->fds[i], true);
	c->fds[i] = -1;
}

/* How many regions there are in a table, or -errno: its sizes disagree. */
static int read_table(struct vhost_call *c, struct guest_region r[static TABLE_REGIONS_MAX])
{
	uint32_t n;

	memcpy(&n, c->m->payload, sizeof(n));
	if (n > TABLE_REGIONS_MAX)
		return vhost_refuse(c, -EPROTO, "%u regions, more than %d", n, TABLE_REGIONS_MAX);
	if (c->n_fds != n)
		return vhost_refuse(c, -EPROTO, "%u descriptors for %u regions", c->n_fds, n);
	if (c->m->size != TABLE_HEAD + n * REGION_BYTES &&
	    c->m->size != TABLE_HEAD + TABLE_REGIONS_MAX * REGION_BYTES)
		return vhost_refuse(c, -EPROTO, "%u bytes for %u regions", c->m->size, n);
	memcpy(r, c->m->payload + TABLE_HEAD, n * sizeof(*r));
	return (int)n;
}

int vhost_set_mem_table(struct vhost_call *c)
{
	struct guest_region r[TABLE_REGIONS_MAX];
	int err = 0, n = read_table(c, r);
	struct guest_mem *fresh;

	if (n < 0)
		return n;
	fresh = calloc(1, sizeof(*fresh));
	if (!fresh)
		return vhost_refuse(c, -ENOMEM, "no memory");
	for (int i = 0; i < n && !err; i++)
		err = guest_mem_add(fresh, (unsigned)i, &r[i], c->fds[i], &c->vh->dead, c->why);
	if (!err) {
		install(c, fresh);
		for (unsigned i = (unsigned)n; i < GUEST_REGIONS_MAX; i++)
			if (fresh->region[i].size)
				vhost_empty(c, VHOST_FD_REGION + i);
		for (unsigned i = 0; i < (unsigned)n; i++)
			keep_region(c, i, i);
	}
	/* The one that was replaced, or what there is of the one that was refused. */
	guest_mem_clear(fresh);
	free(fresh);
	return err;
}

int vhost_add_mem_reg(struct vhost_call *c)
{
	struct guest_mem fresh = c->vh->mem;
	struct guest_region r;
	int place, err;

	memcpy(&r, c->m->payload + TABLE_HEAD, sizeof(r));
	place = guest_mem_find(&fresh, &r);
	/* Carried out before, by a process that died before it could say so. */
	if (place >= 0 && fresh.region[place].offset == r.offset)
		return 0;
	place = guest_mem_free_place(&fresh);
	if (place < 0)
		return vhost_refuse(c, -ENOSPC, "no more than %d regions", GUEST_REGIONS_MAX);
	err = guest_mem_add(&fresh, (unsigned)place, &r, c->fds[0], &c->vh->dead, c->why);
	if (err)
		return err;
	install(c, &fresh);
	keep_region(c, (unsigned)place, 0);
	return 0;
}

/* Some front-ends send a descriptor along: it is closed with all that nobody took. */
int vhost_rem_mem_reg(struct vhost_call *c)
{
	struct guest_region r;
	int place;

	memcpy(&r, c->m->payload + TABLE_HEAD, sizeof(r));
	place = guest_mem_find(&c->vh->mem, &r);
	if (place < 0)
		return vhost_refuse(c, -ENOENT, "no such region");
	vhost_hold_rings(c);
	guest_mem_del(&c->vh->mem, (unsigned)place);
	save_regions(c->vh);
	vhost_empty(c, VHOST_FD_REGION + (unsigned)place);
	return 0;
}

static int take_inflight(struct vhost_call *c, int fd, const struct inflight_area *area)
{
	int err;

	vhost_hold_rings(c);
	err = inflight_take(c->vh, fd, area, c->why);
	if (!err)
		vhost_keep(c, VHOST_FD_INFLIGHT, fd, false);
	return err;
}

int vhost_get_inflight_fd(struct vhost_call *c)
{
	struct inflight_area want, area;
	uint8_t payload[VHOST_PAYLOAD_MAX] = {0};
	int fd, err;

	memcpy(&want, c->m->payload, INFLIGHT_BYTES);
	if (want.queues == 0 || want.queues > vhost_rings(c->vh) || want.size == 0 ||
	    want.size > VRING_SIZE_MAX)
		return vhost_refuse(c, -EINVAL, "%u rings of %u descriptors", want.queues,
				    want.size);
	fd = inflight_create(want.queues, want.size, vhost_is_packed(c->vh), &area);
	if (fd < 0)
		return vhost_refuse(c, fd, "no memory for it: %s", strerror(-fd));
	err = take_inflight(c, fd, &area);
	if (err) {
		close(fd);
		return err;
	}
	memcpy(payload, &area, INFLIGHT_BYTES);
	vhost_reply(c, payload, c->m->size);
	c->answer->fd = fd;
	return 0;
}

int vhost_set_inflight_fd(struct vhost_call *c)
{
	struct inflight_area area;
	int err;

	memcpy(&area, c->m->payload, INFLIGHT_BYTES);
	err = take_inflight(c, c->fds[0], &area);
	if (!err)
		c->fds[0] = -1;
	return err;
}
