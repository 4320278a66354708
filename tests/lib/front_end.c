/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * front_end: the guest's side of a vhost-user port; see front_end.h.
 *
 * The upper half speaks the protocol (QEMU docs/interop/vhost-user.rst); the lower half drives rings (virtio 1.2, 2.7
 * split, 2.8 packed).  The load generator brings loops of its own over the same rings.
 */
#include "tests/lib/front_end.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 64, RETRY_MS = 10, WRAP = 1 << 15, EVENT_DESC = 2 };

struct mem_table {
	uint32_t n, padding;
	struct {
		uint64_t gpa, size, uva, offset;
	} region;
};
struct ring_state {
	uint32_t index, value;
};
struct ring_addr {
	uint32_t index, flags;
	uint64_t desc, used, avail, log;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static size_t page_up(size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) & ~(page - 1);
}

/* Basics. */

struct fe *fe_create(size_t mem_bytes)
{
	struct fe *fe = calloc(1, sizeof(*fe));

	if (!fe)
		return NULL;
	fe->fd = fe->listener = -1;
	fe->mem_bytes = page_up(mem_bytes);
	fe->mem_fd = memfd_create("guest", MFD_CLOEXEC);
	fe->mem = MAP_FAILED;
	if (fe->mem_fd >= 0 && ftruncate(fe->mem_fd, (off_t)fe->mem_bytes) == 0)
		fe->mem = mmap(NULL, fe->mem_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fe->mem_fd,
			       0);
	if (fe->mem == MAP_FAILED) {
		close_fd(&fe->mem_fd);
		free(fe);
		return NULL;
	}
	return fe;
}

void fe_destroy(struct fe *fe)
{
	if (!fe)
		return;
	fe_hangup(fe);
	close_fd(&fe->listener);
	for (unsigned i = 0; i < FE_RINGS_MAX; i++) {
		if (!fe->ring[i])
			continue;
		free(fe->ring[i]->chain);
		free(fe->ring[i]->order);
		free(fe->ring[i]);
	}
	munmap(fe->mem, fe->mem_bytes);
	close_fd(&fe->mem_fd);
	free(fe);
}

uint64_t fe_alloc(struct fe *fe, size_t bytes, size_t align)
{
	size_t at = (fe->mem_used + align - 1) & ~(align - 1);

	if (at > fe->mem_bytes || bytes > fe->mem_bytes - at)
		return 0;
	fe->mem_used = at + bytes;
	return FE_GPA + at;
}

/* Connection. */

static int set_address(struct sockaddr_un *address, const char *path)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	strcpy(address->sun_path, path);
	return 0;
}

int fe_connect(struct fe *fe, const char *path)
{
	struct sockaddr_un address;
	int err = set_address(&address, path);

	if (err < 0)
		return err;
	fe->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fe->fd < 0)
		return -errno;
	for (unsigned ms = 0; connect(fe->fd, (struct sockaddr *)&address, sizeof(address)) < 0;
	     ms += RETRY_MS) {
		if ((errno != ENOENT && errno != ECONNREFUSED) || ms >= FE_WAIT_MS) {
			err = -errno;
			close_fd(&fe->fd);
			return err;
		}
		nanosleep(&(struct timespec){.tv_nsec = RETRY_MS * 1000000L}, NULL);
	}
	return 0;
}

int fe_listen(struct fe *fe, const char *path)
{
	struct sockaddr_un address;
	int err = set_address(&address, path);

	if (err < 0)
		return err;
	fe->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	unlink(path);
	if (fe->listener < 0 ||
	    bind(fe->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fe->listener, 1) < 0) {
		err = -errno;
		close_fd(&fe->listener);
		return err;
	}
	return 0;
}

/* 0 when fd is readable in time. */
static int wait_for(int fd)
{
	int n = poll(&(struct pollfd){fd, POLLIN, 0}, 1, FE_WAIT_MS);

	return n > 0 ? 0 : n == 0 ? -ETIMEDOUT : -errno;
}

int fe_accept(struct fe *fe)
{
	int err = wait_for(fe->listener);

	if (err < 0)
		return err;
	fe->fd = accept4(fe->listener, NULL, NULL, SOCK_CLOEXEC);
	return fe->fd < 0 ? -errno : 0;
}

void fe_hangup(struct fe *fe)
{
	close_fd(&fe->fd);
	for (unsigned i = 0; i < FE_RINGS_MAX; i++) {
		if (!fe->ring[i])
			continue;
		close_fd(&fe->ring[i]->kick);
		close_fd(&fe->ring[i]->call);
	}
}

/* Messages. */

int fe_bytes_send(struct fe *fe, const void *bytes, size_t n, const int *fds, unsigned n_fds)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * FE_FDS_MAX)] = {0};
	union {
		const void *in;
		void *out;
	} base = {bytes}; /* an iovec has no const */
	struct iovec iov = {base.out, n};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t done;

	if (n_fds > FE_FDS_MAX)
		return -EINVAL;
	if (n_fds > 0) {
		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		CMSG_FIRSTHDR(&m)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&m)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&m)->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), fds, sizeof(int) * n_fds);
	}
	done = sendmsg(fe->fd, &m, MSG_NOSIGNAL);
	if (done < 0)
		return errno == EPIPE ? -ECONNRESET : -errno;
	return (size_t)done == n ? 0 : -EIO;
}

int fe_msg_send(struct fe *fe, uint32_t request, uint32_t flags, const void *payload, uint32_t size,
		const int *fds, unsigned n_fds)
{
	struct fe_msg m = {.request = request, .flags = flags, .size = size};

	if (size > sizeof(m.payload))
		return -EINVAL;
	if (size > 0)
		memcpy(m.payload, payload, size);
	return fe_bytes_send(fe, &m, offsetof(struct fe_msg, payload) + size, fds, n_fds);
}

/* The first descriptor that came goes to *fd, if that is -1; all others are closed. */
static void take_fds(struct msghdr *m, int *fd)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		for (size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len; at += sizeof(int)) {
			int one;

			memcpy(&one, (uint8_t *)c + at, sizeof(one));
			if (*fd < 0)
				*fd = one;
			else
				close(one);
		}
	}
}

/* Exactly n bytes, and the first descriptor that comes with them. */
static int recv_bytes(struct fe *fe, void *to, size_t n, int *fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * FE_FDS_MAX)];

	for (size_t have = 0; have < n;) {
		struct iovec iov = {(uint8_t *)to + have, n - have};
		struct msghdr m = {.msg_iov = &iov,
				   .msg_iovlen = 1,
				   .msg_control = control,
				   .msg_controllen = sizeof(control)};
		int err = wait_for(fe->fd);
		ssize_t got;

		if (err < 0)
			return err;
		got = recvmsg(fe->fd, &m, MSG_CMSG_CLOEXEC);
		if (got <= 0)
			return got == 0 ? -ECONNRESET : -errno;
		take_fds(&m, fd);
		have += (size_t)got;
	}
	return 0;
}

int fe_msg_recv(struct fe *fe, struct fe_msg *m, int *fd)
{
	int came = -1;
	int err = recv_bytes(fe, m, offsetof(struct fe_msg, payload), &came);

	if (err == 0 && (m->size > sizeof(m->payload) || !(m->flags & FE_REPLY)))
		err = -EPROTO;
	if (err == 0)
		err = recv_bytes(fe, m->payload, m->size, &came);
	if (err == 0 && came >= 0 && !fd)
		err = -EPROTO;
	if (err < 0 || !fd)
		close_fd(&came);
	if (fd)
		*fd = came;
	return err;
}

/* The reply to a request, which is one number. */
static int recv_u64(struct fe *fe, uint32_t request, uint64_t *value)
{
	struct fe_msg m;
	int err = fe_msg_recv(fe, &m, NULL);

	if (err < 0)
		return err;
	if (m.request != request || m.size != sizeof(*value))
		return -EPROTO;
	memcpy(value, m.payload, sizeof(*value));
	return 0;
}

int fe_get_u64(struct fe *fe, uint32_t request, uint64_t *value)
{
	int err = fe_msg_send(fe, request, FE_VERSION, NULL, 0, NULL, 0);

	return err < 0 ? err : recv_u64(fe, request, value);
}

int fe_set(struct fe *fe, uint32_t request, const void *payload, uint32_t size, const int *fds,
	   unsigned n_fds)
{
	bool asks = fe->protocol & FEATURE(VHOST_PROTOCOL_REPLY_ACK);
	uint64_t refused;
	int err = fe_msg_send(fe, request, FE_VERSION | (asks ? FE_NEED_REPLY : 0), payload, size,
			      fds, n_fds);

	if (err < 0 || !asks)
		return err;
	err = recv_u64(fe, request, &refused);
	return err < 0 ? err : refused ? -EREMOTEIO : 0;
}

/* Set-up. */

int fe_mem_table(struct fe *fe)
{
	struct mem_table table = {1, 0, {FE_GPA, fe->mem_bytes, (uint64_t)(uintptr_t)fe->mem, 0}};

	return fe_set(fe, FE_SET_MEM_TABLE, &table, sizeof(table), &fe->mem_fd, 1);
}

int fe_negotiate(struct fe *fe, uint64_t features, uint64_t protocol)
{
	uint64_t offered = 0;
	int err;

	fe->protocol = 0;
	err = fe_set(fe, FE_SET_OWNER, NULL, 0, NULL, 0);
	if (err == 0)
		err = fe_get_u64(fe, FE_GET_FEATURES, &fe->offered);
	fe->features = features & fe->offered;
	if (err == 0 && (fe->features & FEATURE(VHOST_USER_F_PROTOCOL_FEATURES))) {
		err = fe_get_u64(fe, FE_GET_PROTOCOL_FEATURES, &offered);
		protocol &= offered;
		if (err == 0)
			err = fe_set(fe, FE_SET_PROTOCOL_FEATURES, &protocol, sizeof(protocol),
				     NULL, 0);
		fe->protocol = protocol;
	}
	if (err == 0)
		err = fe_set(fe, FE_SET_FEATURES, &fe->features, sizeof(fe->features), NULL, 0);
	return err < 0 ? err : fe_mem_table(fe);
}

/* The three areas of a ring, each on cache lines of its own. */
static bool place_ring(struct fe_ring *r)
{
	size_t driver = r->is_packed ? sizeof(struct fe_event)
				     : sizeof(struct fe_avail) + 2 * (size_t)(r->size + 1);
	size_t device = r->is_packed
				? sizeof(struct fe_event)
				: sizeof(struct fe_used) + 8 * (size_t)r->size + sizeof(uint16_t);

	r->desc_gpa = fe_alloc(r->fe, sizeof(struct fe_desc) * r->size, LINE);
	r->driver_gpa = fe_alloc(r->fe, driver, LINE);
	r->device_gpa = fe_alloc(r->fe, device, LINE);
	r->buffers_gpa = fe_alloc(r->fe, (size_t)r->buffer_bytes * r->size, LINE);
	if (!r->desc_gpa || !r->driver_gpa || !r->device_gpa || !r->buffers_gpa)
		return false;
	r->desc = fe_at(r->fe, r->desc_gpa);
	r->avail = fe_at(r->fe, r->driver_gpa);
	r->used = fe_at(r->fe, r->device_gpa);
	return true;
}

struct fe_ring *fe_ring_add(struct fe *fe, unsigned index, uint16_t size, bool is_packed,
			    uint32_t buffer_bytes)
{
	struct fe_ring *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	*r = (struct fe_ring){.fe = fe,
			      .index = index,
			      .size = size,
			      .is_packed = is_packed,
			      .kick = -1,
			      .call = -1,
			      .buffer_bytes = buffer_bytes,
			      .chain = calloc(size, sizeof(*r->chain)),
			      .order = calloc(size, sizeof(*r->order))};
	errno = EINVAL;
	if (index < FE_RINGS_MAX && !fe->ring[index] && r->chain && r->order) {
		errno = ENOMEM;
		if (place_ring(r)) {
			fe->ring[index] = r;
			return r;
		}
	}
	free(r->chain);
	free(r->order);
	free(r);
	return NULL;
}

/* The driver's side as at the start of time. */
static void restart(struct fe_ring *r)
{
	memset(r->desc, 0, sizeof(*r->desc) * r->size);
	if (r->is_packed) {
		*r->driver_event = *r->device_event = (struct fe_event){0, 0};
	} else {
		memset(r->avail, 0, sizeof(*r->avail) + 2 * (size_t)(r->size + 1));
		memset(r->used, 0, sizeof(*r->used) + 8 * (size_t)r->size);
	}
	memset(r->chain, 0, sizeof(*r->chain) * r->size);
	r->next = r->avail_idx = r->used_next = r->added = 0;
	r->avail_wrap = r->used_wrap = true;
	r->order_first = r->order_end = 0;
	r->in_batch = false;
}

static int send_eventfd(struct fe_ring *r, uint32_t request, int *fd, bool has_none)
{
	uint64_t payload = r->index | (has_none ? FE_NO_FD : 0);

	close_fd(fd);
	if (has_none)
		return fe_set(r->fe, request, &payload, sizeof(payload), NULL, 0);
	*fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return *fd < 0 ? -errno : fe_set(r->fe, request, &payload, sizeof(payload), fd, 1);
}

static uint64_t uva(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

int fe_ring_start(struct fe_ring *r, bool is_polled)
{
	struct ring_state num = {r->index, r->size};
	/* Packed: slot 0 and wrap counter 1, of what is available and of what is used. */
	struct ring_state base = {r->index, r->is_packed ? (uint32_t)WRAP << 16 | WRAP : 0};
	struct ring_addr addr = {r->index, 0, uva(r->desc), uva(r->used), uva(r->avail), 0};
	int err;

	restart(r);
	err = fe_set(r->fe, FE_SET_VRING_NUM, &num, sizeof(num), NULL, 0);
	if (err == 0)
		err = fe_set(r->fe, FE_SET_VRING_BASE, &base, sizeof(base), NULL, 0);
	if (err == 0)
		err = fe_set(r->fe, FE_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
	if (err == 0)
		err = send_eventfd(r, FE_SET_VRING_CALL, &r->call, false);
	if (err == 0)
		err = send_eventfd(r, FE_SET_VRING_KICK, &r->kick, is_polled);
	if (err < 0 || !(r->fe->features & FEATURE(VHOST_USER_F_PROTOCOL_FEATURES)))
		return err;
	return fe_ring_enable(r, true);
}

int fe_ring_enable(struct fe_ring *r, bool is_enabled)
{
	struct ring_state state = {r->index, is_enabled};

	return fe_set(r->fe, FE_SET_VRING_ENABLE, &state, sizeof(state), NULL, 0);
}

int fe_ring_stop(struct fe_ring *r, uint32_t *base)
{
	struct ring_state state = {r->index, 0};
	struct fe_msg m;
	int err = fe_msg_send(r->fe, FE_GET_VRING_BASE, FE_VERSION, &state, sizeof(state), NULL, 0);

	if (err == 0)
		err = fe_msg_recv(r->fe, &m, NULL);
	if (err < 0)
		return err;
	memcpy(&state, m.payload, sizeof(state));
	if (m.request != FE_GET_VRING_BASE || m.size != sizeof(state) || state.index != r->index)
		return -EPROTO;
	*base = state.value;
	return 0;
}

/* Driver. */

static bool is_in_order(const struct fe_ring *r)
{
	return r->fe->features & FEATURE(VIRTIO_F_IN_ORDER);
}

static bool has_event_idx(const struct fe_ring *r)
{
	return r->fe->features & FEATURE(VIRTIO_F_EVENT_IDX);
}

static uint16_t slot_after(const struct fe_ring *r, unsigned n)
{
	return (uint16_t)((r->next + n) % r->size);
}

static bool has_room(const struct fe_ring *r, unsigned n)
{
	if (n == 0 || n > r->size)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (r->chain[slot_after(r, i)])
			return false;
	return true;
}

static void put_split(struct fe_ring *r, const struct fe_part *part, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		r->desc[slot_after(r, i)] =
			(struct fe_desc){part[i].gpa, part[i].len,
					 (uint16_t)((i + 1 < n ? FE_DESC_NEXT : 0) |
						    (part[i].is_writable ? FE_DESC_WRITE : 0)),
					 slot_after(r, i + 1)};
	r->avail->ring[r->avail_idx % r->size] = r->next;
	/* The device reads the chain after it saw the index. */
	__atomic_store_n(&r->avail->idx, ++r->avail_idx, __ATOMIC_RELEASE);
	r->added++;
}

static void put_packed(struct fe_ring *r, const struct fe_part *part, unsigned n)
{
	uint16_t first = 0;

	for (unsigned i = 0; i < n; i++) {
		uint16_t slot = slot_after(r, i);
		bool wrap = slot >= r->next ? r->avail_wrap : !r->avail_wrap;
		uint16_t flags = (uint16_t)((i + 1 < n ? FE_DESC_NEXT : 0) |
					    (part[i].is_writable ? FE_DESC_WRITE : 0) |
					    (wrap ? FE_PACKED_AVAIL : FE_PACKED_USED));

		r->packed[slot].addr = part[i].gpa;
		r->packed[slot].len = part[i].len;
		r->packed[slot].id = r->next;
		if (i > 0)
			r->packed[slot].flags = flags;
		else
			first = flags;
	}
	/* The device takes the chain once the flags of its head say so. */
	__atomic_store_n(&r->packed[r->next].flags, first, __ATOMIC_RELEASE);
	r->added = (uint16_t)(r->added + n);
	if (r->next + n >= r->size)
		r->avail_wrap = !r->avail_wrap;
}

int fe_put(struct fe_ring *r, const struct fe_part *part, unsigned n)
{
	uint16_t head = r->next;

	if (!has_room(r, n))
		return -ENOSPC;
	for (unsigned i = 0; i < n; i++)
		r->chain[slot_after(r, i)] = i > 0 ? FE_INSIDE : (uint16_t)n;
	r->order[r->order_end++ % r->size] = head;
	if (r->is_packed)
		put_packed(r, part, n);
	else
		put_split(r, part, n);
	r->next = slot_after(r, n);
	return head;
}

void fe_kick(struct fe_ring *r)
{
	uint64_t one = 1;

	/* EAGAIN: the counter is full, so the device has been woken. */
	if (r->kick >= 0 && write(r->kick, &one, sizeof(one)) < 0)
		return;
}

/* Whether the index passed `event` in its last n steps to `now` (virtio 1.2, 2.7.7.1). */
static bool passed(uint16_t event, uint16_t now, uint16_t n)
{
	return (uint16_t)(now - event - 1) < n;
}

bool fe_wants_kick(struct fe_ring *r)
{
	uint16_t n = r->added, where;

	r->added = 0;
	/* What was added is visible before we read whether a kick is wanted. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!r->is_packed && !has_event_idx(r))
		return !(__atomic_load_n(&r->used->flags, __ATOMIC_RELAXED) & FE_QUIET);
	if (!r->is_packed) {
		memcpy(&where, &r->used->ring[r->size], sizeof(where));
		return passed(where, r->avail_idx, n);
	}
	if (r->device_event->flags != EVENT_DESC)
		return r->device_event->flags != FE_QUIET;
	where = r->device_event->where & (WRAP - 1);
	if (!!(r->device_event->where & WRAP) != r->avail_wrap)
		where = (uint16_t)(where - r->size);
	return passed(where, r->next, n);
}

bool fe_was_called(struct fe_ring *r)
{
	uint64_t n;

	return r->call >= 0 && read(r->call, &n, sizeof(n)) == sizeof(n);
}

/* One element of the used ring; false: there is none.  Asks for a call then, where EVENT_IDX says how. */
static bool next_used(struct fe_ring *r, uint16_t *id, uint32_t *len)
{
	uint16_t flags;

	if (!r->is_packed) {
		const struct fe_used_elem *e = &r->used->ring[r->used_next % r->size];

		if (__atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE) == r->used_next) {
			if (has_event_idx(r))
				r->avail->ring[r->size] = r->used_next;
			return false;
		}
		*id = e->id < r->size ? (uint16_t)e->id : FE_INSIDE;
		*len = e->len;
		return true;
	}
	flags = __atomic_load_n(&r->packed[r->used_next].flags, __ATOMIC_ACQUIRE);
	if (!!(flags & FE_PACKED_AVAIL) != r->used_wrap ||
	    !!(flags & FE_PACKED_USED) != r->used_wrap)
		return false;
	*id = r->packed[r->used_next].id;
	*len = r->packed[r->used_next].len;
	return true;
}

static void step_used(struct fe_ring *r, unsigned n)
{
	if (!r->is_packed) {
		r->used_next++;
	} else if (r->used_next + n >= r->size) {
		r->used_next = (uint16_t)(r->used_next + n - r->size);
		r->used_wrap = !r->used_wrap;
	} else {
		r->used_next = (uint16_t)(r->used_next + n);
	}
}

static bool is_out(const struct fe_ring *r, uint16_t id)
{
	return id < r->size && r->chain[id] && r->chain[id] != FE_INSIDE;
}

int fe_reap(struct fe_ring *r, uint16_t *id, uint32_t *len)
{
	unsigned n;

	if (!r->in_batch) {
		if (!next_used(r, &r->batch_id, &r->batch_len))
			return 0;
		if (!is_out(r, r->batch_id))
			return -EPROTO;
		r->in_batch = true;
	}
	/* In order, one element may stand for all chains up to its own (virtio 1.2, 2.7.9 and 2.8.12). */
	*id = is_in_order(r) ? r->order[r->order_first++ % r->size] : r->batch_id;
	*len = *id == r->batch_id ? r->batch_len : UINT32_MAX;
	r->in_batch = *id != r->batch_id;
	n = r->chain[*id];
	for (unsigned i = 0; i < n; i++)
		r->chain[(*id + i) % r->size] = 0;
	step_used(r, n);
	return 1;
}

/* Frames. */

static uint64_t buffer_of(const struct fe_ring *r, unsigned slot)
{
	return r->buffers_gpa + (uint64_t)slot * r->buffer_bytes;
}

int fe_send(struct fe_ring *r, const void *frame, uint32_t bytes, const uint32_t *layout,
	    unsigned n)
{
	struct fe_part part[FE_PARTS_MAX];
	unsigned parts = 0;
	uint32_t done = 0;
	int id;

	while (parts < n || done < bytes) {
		uint32_t len = parts < n ? layout[parts] : r->buffer_bytes;

		if (len > bytes - done)
			len = bytes - done;
		if (parts == FE_PARTS_MAX || len > r->buffer_bytes)
			return -EMSGSIZE;
		part[parts] = (struct fe_part){buffer_of(r, slot_after(r, parts)), len, false};
		parts++;
		done += len;
	}
	if (!has_room(r, parts))
		return -ENOSPC;
	done = 0;
	for (unsigned i = 0; i < parts; i++) {
		memcpy(fe_at(r->fe, part[i].gpa), (const uint8_t *)frame + done, part[i].len);
		done += part[i].len;
	}
	id = fe_put(r, part, parts);
	if (fe_wants_kick(r))
		fe_kick(r);
	return id;
}

unsigned fe_post_rx(struct fe_ring *r, unsigned n)
{
	unsigned done = 0;

	while (done < n) {
		struct fe_part part = {buffer_of(r, r->next), r->buffer_bytes, true};

		if (fe_put(r, &part, 1) < 0)
			break;
		done++;
	}
	if (done > 0 && fe_wants_kick(r))
		fe_kick(r);
	return done;
}

int fe_receive(struct fe_ring *r, void *frame, uint32_t room)
{
	uint32_t done = 0, len;
	uint16_t id, buffers = 1;

	for (unsigned i = 0; i < buffers; i++) {
		int got = fe_reap(r, &id, &len);
		const uint8_t *from;

		if (got <= 0)
			return got < 0 || i > 0 ? -EPROTO : 0;
		from = fe_at(r->fe, buffer_of(r, id));
		if (len > r->buffer_bytes || (i == 0 && len < FE_HEADER))
			return -EPROTO;
		if (i == 0 && (r->fe->features & FEATURE(VIRTIO_NET_F_MRG_RXBUF)))
			memcpy(&buffers, from + FE_HEADER - sizeof(buffers), sizeof(buffers));
		if (done < room)
			memcpy((uint8_t *)frame + done, from,
			       len < room - done ? len : room - done);
		done += len;
	}
	return (int)done;
}
