/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost_msg: the table of messages, what is checked of each before its handler runs, and what is answered after.
 *
 * switch/guest.c reads a header, then the rest, and hands the whole message over; what is to be kept of it comes back in
 * struct vhost_answer, goes to the broker, and only then is the reply sent.  Handlers are here (features, status,
 * configuration space), in vhost_ring_msg.c and in vhost_mem_msg.c.
 *
 *   header -> row of the table: offered? bytes, descriptors, ring -> handler -> rings run again -> answer
 *             `- wrong in form: close    `- refused: non-zero word where one was asked for, else close
 *
 * Trust.  All of a message is the front-end's, and comes in any order.  The table bounds bytes and descriptors; a ring's index
 * is compared by all its bits; a descriptor of a ring has to be an eventfd.  Every descriptor that no handler took is closed.
 */
#include "switch/port/vhost_msg.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "switch/port/vhost_msg_internal.h"

enum {
	RING_INDEX_BITS = 0xff, /* of the word that comes with a descriptor of a ring */
	RING_NO_FD = 0x100,
	STATUS_MAX = 0xff,
	MTU_MIN = 68,
	MTU_MAX = 65535,
	MAC_BYTES = 6,
	CONFIG_HEAD = 12,
	CONFIG_MAX = 256,
};

/* What a message may touch while rings run; of ONE_RING and RING_FD the index of the ring is checked here. */
enum touch {
	NOTHING,
	ALL_RINGS, /* all are stopped around it */
	ONE_RING,  /* its ring is stopped around it; the payload begins with the index, 32 bits */
	RING_FD,   /* a descriptor of a ring that may run; a kick starts one that does not */
};

enum answers { QUIET, REPLIES };

/* Protocol features. */
enum needs {
	NO_BIT,
	BIT_CONFIG = 1 << VHOST_PROTOCOL_CONFIG,
	BIT_INFLIGHT = 1 << VHOST_PROTOCOL_INFLIGHT_SHMFD,
	BIT_RESET = 1 << VHOST_PROTOCOL_RESET_DEVICE,
	BIT_SLOTS = 1 << VHOST_PROTOCOL_CONFIGURE_MEM_SLOTS,
	BIT_STATUS = 1 << VHOST_PROTOCOL_STATUS,
};

struct limits {
	uint16_t min, max;
};

struct row {
	const char *word;
	vhost_handler *handle; /* NULL: not offered */
	struct limits payload; /* bytes */
	struct limits fds;
	enum touch touch;
	enum answers answers; /* whether it has a reply of its own */
	enum needs needs;     /* that has to be negotiated */
};

/* virtio 1.2, 5.1.4. */
struct net_config {
	uint8_t mac[MAC_BYTES];
	uint16_t status; /* 1: the link is up */
	uint16_t max_virtqueue_pairs, mtu;
	uint32_t speed; /* -1: unknown */
	uint8_t duplex; /* -1: unknown */
	uint8_t rss_max_key_size;
	uint16_t rss_max_indirection_table_length;
	uint32_t supported_hash_types;
} __attribute__((packed));

int vhost_refuse(struct vhost_call *c, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->why, sizeof(c->why), fmt, ap);
	va_end(ap);
	return err;
}

void vhost_hold_ring(struct vhost_call *c, unsigned ring)
{
	if (!(c->held & 1u << ring))
		vhost_ring_stop(c->vh, ring);
	c->held |= 1u << ring;
}

void vhost_hold_rings(struct vhost_call *c)
{
	vhost_stop(c->vh);
	c->held = UINT32_MAX >> (32 - vhost_rings(c->vh));
}

void vhost_empty(struct vhost_call *c, unsigned place)
{
	c->answer->effect.empty[place / 64] |= 1ULL << place % 64;
}

void vhost_keep(struct vhost_call *c, unsigned place, int fd, bool only_kept)
{
	struct vhost_effect *e = &c->answer->effect;

	assert(e->n < sizeof(e->fd) / sizeof(e->fd[0]));
	e->place[e->n] = (uint8_t)place;
	e->is_only_kept[e->n] = only_kept;
	e->fd[e->n++] = fd;
}
_Static_assert(VHOST_FDS <= UINT8_MAX, "vhost_effect.place");

uint64_t vhost_payload_u64(const struct vhost_call *c)
{
	uint64_t v;

	memcpy(&v, c->m->payload, sizeof(v));
	return v;
}

void vhost_reply(struct vhost_call *c, const void *payload, uint32_t bytes)
{
	struct vhost_msg *r = &c->answer->reply;

	assert(bytes <= sizeof(r->payload));
	c->answer->has_reply = true;
	r->request = c->m->request;
	r->flags = VHOST_VERSION | VHOST_IS_REPLY;
	r->size = bytes;
	memcpy(r->payload, payload, bytes);
}

static int reply_u64(struct vhost_call *c, uint64_t v)
{
	vhost_reply(c, &v, sizeof(v));
	return 0;
}

static int get_features(struct vhost_call *c)
{
	return reply_u64(c, vhost_features(c->vh));
}

/* QEMU enables rings before it acknowledges features: what SET_VRING_ENABLE said stands where that message exists. */
static int set_features(struct vhost_call *c)
{
	struct vhost_saved *now = &c->vh->now;
	uint64_t bits = vhost_payload_u64(c), more = bits & ~vhost_features(c->vh);
	bool has_enable = bits & FEATURE(VHOST_USER_F_PROTOCOL_FEATURES);
	bool had_enable = now->features & FEATURE(VHOST_USER_F_PROTOCOL_FEATURES);

	if (more)
		return vhost_refuse(c, -EINVAL, "bits %#llx were not offered",
				    (unsigned long long)more);
	if (now->has_features && now->features == bits)
		return 0;
	vhost_hold_rings(c);
	for (unsigned i = 0; i < VHOST_RINGS_MAX; i++) {
		if (!has_enable)
			now->ring[i].is_enabled = 1;
		else if (now->has_features && !had_enable)
			now->ring[i].is_enabled = 0;
	}
	now->features = bits;
	now->has_features = 1;
	return 0;
}

static int get_protocol_features(struct vhost_call *c)
{
	return reply_u64(c, vhost_protocol_features());
}

static int set_protocol_features(struct vhost_call *c)
{
	uint64_t bits = vhost_payload_u64(c), more = bits & ~vhost_protocol_features();

	if (more)
		return vhost_refuse(c, -EINVAL, "bits %#llx were not offered",
				    (unsigned long long)more);
	c->vh->now.protocol = bits;
	return 0;
}

static int set_owner(struct vhost_call *c)
{
	(void)c;
	return 0;
}

/* The memory stays, and what was negotiated. */
static int reset_rings(struct vhost_call *c)
{
	vhost_hold_rings(c);
	for (unsigned i = 0; i < vhost_rings(c->vh); i++)
		vhost_ring_reset(c, i);
	return 0;
}

static int reset_device(struct vhost_call *c)
{
	c->vh->now.status = 0;
	return reset_rings(c);
}

static int get_status(struct vhost_call *c)
{
	return reply_u64(c, c->vh->now.status);
}

static int set_status(struct vhost_call *c)
{
	uint64_t status = vhost_payload_u64(c);

	if (status > STATUS_MAX)
		return vhost_refuse(c, -EINVAL, "%#llx is no status", (unsigned long long)status);
	c->vh->now.status = (uint8_t)status;
	return status == 0 ? reset_rings(c) : 0;
}

static int get_queue_num(struct vhost_call *c)
{
	return reply_u64(c, c->vh->pairs);
}

static int get_max_mem_slots(struct vhost_call *c)
{
	return reply_u64(c, GUEST_REGIONS_MAX);
}

static int send_rarp(struct vhost_call *c)
{
	uint64_t word = 1ULL << 48; /* above the address: there is one */
	struct mac mac;

	memcpy(&mac, c->m->payload, sizeof(mac));
	if (mac_is_zero(&mac) || mac_is_group(&mac))
		return vhost_refuse(c, -EINVAL, "not the address of a station");
	memcpy(&word, mac.b, MAC_BYTES);
	atomic_store(&c->vh->announce, word);
	return 0;
}

/* Frames of any length pass: there is nothing to set. */
static int net_set_mtu(struct vhost_call *c)
{
	uint64_t mtu = vhost_payload_u64(c);

	if (mtu < MTU_MIN || mtu > MTU_MAX)
		return vhost_refuse(c, -EINVAL, "%llu, not %d to %d", (unsigned long long)mtu,
				    MTU_MIN, MTU_MAX);
	return 0;
}

/* Payload: offset, size, flags, then size bytes of the space.  A reply without payload says that there are none. */
static int get_config(struct vhost_call *c)
{
	struct net_config config = {
		.status = 1,
		.max_virtqueue_pairs = c->vh->pairs,
		.mtu = c->vh->mtu,
		.speed = UINT32_MAX,
		.duplex = UINT8_MAX,
	};
	uint8_t payload[VHOST_PAYLOAD_MAX];
	uint32_t offset, size;

	memcpy(config.mac, c->vh->port->mac.b, MAC_BYTES);
	memcpy(payload, c->m->payload, CONFIG_HEAD);
	memcpy(&offset, payload, sizeof(offset));
	memcpy(&size, payload + sizeof(offset), sizeof(size));
	if (c->m->size - CONFIG_HEAD != size)
		return vhost_refuse(c, -EPROTO, "%u bytes for %u of the space", c->m->size, size);
	if (offset > sizeof(config) || size > sizeof(config) - offset) {
		vhost_refuse(c, 0, "%u bytes at %u of %zu", size, offset, sizeof(config));
		vhost_reply(c, payload, 0);
		return 0;
	}
	memcpy(payload + CONFIG_HEAD, (uint8_t *)&config + offset, size);
	vhost_reply(c, payload, c->m->size);
	return 0;
}

static int set_config(struct vhost_call *c)
{
	return vhost_refuse(c, -EPERM, "nothing there can be written");
}

/* THE table, by request.  What is not in it, or has no handler, is not offered. */
static const struct row rows[] = {
	/*      word, handler,                             payload, descriptors, touches, answer, needs */
	[1] = {"GET_FEATURES", get_features, {0, 0}, {0, 0}, NOTHING, REPLIES, NO_BIT},
	[2] = {"SET_FEATURES", set_features, {8, 8}, {0, 0}, ALL_RINGS, QUIET, NO_BIT},
	[3] = {"SET_OWNER", set_owner, {0, 0}, {0, 0}, NOTHING, QUIET, NO_BIT},
	[4] = {"RESET_OWNER", reset_rings, {0, 0}, {0, 0}, ALL_RINGS, QUIET, NO_BIT},
	[5] = {"SET_MEM_TABLE", vhost_set_mem_table, {8, 264}, {0, 8}, ALL_RINGS, QUIET, NO_BIT},
	[6] = {.word = "SET_LOG_BASE"},
	[7] = {.word = "SET_LOG_FD"},
	[8] = {"SET_VRING_NUM", vhost_set_vring_num, {8, 8}, {0, 0}, ONE_RING, QUIET, NO_BIT},
	[9] = {"SET_VRING_ADDR", vhost_set_vring_addr, {40, 40}, {0, 0}, ONE_RING, QUIET, NO_BIT},
	[10] = {"SET_VRING_BASE", vhost_set_vring_base, {8, 8}, {0, 0}, ONE_RING, QUIET, NO_BIT},
	[11] = {"GET_VRING_BASE", vhost_get_vring_base, {8, 8}, {0, 0}, ONE_RING, REPLIES, NO_BIT},
	[12] = {"SET_VRING_KICK", vhost_set_vring_kick, {8, 8}, {0, 1}, RING_FD, QUIET, NO_BIT},
	[13] = {"SET_VRING_CALL", vhost_set_vring_call, {8, 8}, {0, 1}, RING_FD, QUIET, NO_BIT},
	[14] = {"SET_VRING_ERR", vhost_set_vring_err, {8, 8}, {0, 1}, RING_FD, QUIET, NO_BIT},
	[15] = {"GET_PROTOCOL_FEATURES",
		get_protocol_features,
		{0, 0},
		{0, 0},
		NOTHING,
		REPLIES,
		NO_BIT},
	[16] = {"SET_PROTOCOL_FEATURES",
		set_protocol_features,
		{8, 8},
		{0, 0},
		NOTHING,
		QUIET,
		NO_BIT},
	[17] = {"GET_QUEUE_NUM", get_queue_num, {0, 0}, {0, 0}, NOTHING, REPLIES, NO_BIT},
	[18] = {"SET_VRING_ENABLE",
		vhost_set_vring_enable,
		{8, 8},
		{0, 0},
		ONE_RING,
		QUIET,
		NO_BIT},
	[19] = {"SEND_RARP", send_rarp, {8, 8}, {0, 0}, NOTHING, QUIET, NO_BIT},
	[20] = {"NET_SET_MTU", net_set_mtu, {8, 8}, {0, 0}, NOTHING, QUIET, NO_BIT},
	[21] = {.word = "SET_BACKEND_REQ_FD"},
	[24] = {"GET_CONFIG", get_config, {12, 268}, {0, 0}, NOTHING, REPLIES, BIT_CONFIG},
	[25] = {"SET_CONFIG", set_config, {12, 268}, {0, 0}, NOTHING, QUIET, BIT_CONFIG},
	[31] = {"GET_INFLIGHT_FD",
		vhost_get_inflight_fd,
		{20, 24},
		{0, 0},
		ALL_RINGS,
		REPLIES,
		BIT_INFLIGHT},
	[32] = {"SET_INFLIGHT_FD",
		vhost_set_inflight_fd,
		{20, 24},
		{1, 1},
		ALL_RINGS,
		QUIET,
		BIT_INFLIGHT},
	[34] = {"RESET_DEVICE", reset_device, {0, 0}, {0, 0}, ALL_RINGS, QUIET, BIT_RESET},
	[36] = {"GET_MAX_MEM_SLOTS",
		get_max_mem_slots,
		{0, 0},
		{0, 0},
		NOTHING,
		REPLIES,
		BIT_SLOTS},
	[37] = {"ADD_MEM_REG", vhost_add_mem_reg, {40, 40}, {1, 1}, ALL_RINGS, QUIET, BIT_SLOTS},
	[38] = {"REM_MEM_REG", vhost_rem_mem_reg, {40, 40}, {0, 1}, ALL_RINGS, QUIET, BIT_SLOTS},
	[39] = {"SET_STATUS", set_status, {8, 8}, {0, 0}, ALL_RINGS, QUIET, BIT_STATUS},
	[40] = {"GET_STATUS", get_status, {0, 0}, {0, 0}, NOTHING, REPLIES, BIT_STATUS},
};
_Static_assert(sizeof(rows) / sizeof(rows[0]) == VHOST_USER_GET_STATUS + 1, "requests end there");
_Static_assert(CONFIG_HEAD + CONFIG_MAX <= VHOST_PAYLOAD_MAX, "the longest payload");

/* NULL: nobody knows it. */
static const struct row *row_of(uint32_t request)
{
	if (request >= sizeof(rows) / sizeof(rows[0]) || !rows[request].word)
		return NULL;
	return &rows[request];
}

const char *vhost_msg_word(uint32_t request)
{
	const struct row *row = row_of(request);

	return row ? row->word : "?";
}

unsigned vhost_msg_fds(const struct vhost_msg *m)
{
	const struct row *row = row_of(m->request);
	uint64_t word = 0;

	if (!row || row->fds.max == 0 || m->size < sizeof(word))
		return 0;
	memcpy(&word, m->payload, sizeof(word));
	if (row->touch == RING_FD)
		return word & RING_NO_FD ? 0 : 1;
	if (m->request == VHOST_USER_SET_MEM_TABLE)
		return (uint32_t)word < VHOST_MSG_FDS ? (uint32_t)word : VHOST_MSG_FDS;
	return row->fds.min;
}

static int check_ring(struct vhost_call *c, uint64_t ring)
{
	if (ring >= vhost_rings(c->vh))
		return vhost_refuse(c, -EINVAL, "ring %llu of %u", (unsigned long long)ring,
				    vhost_rings(c->vh));
	c->ring = (unsigned)ring;
	return 0;
}

static int check_ring_fd(struct vhost_call *c)
{
	uint64_t word = vhost_payload_u64(c);
	unsigned want = word & RING_NO_FD ? 0 : 1;

	if (word & ~(uint64_t)(RING_INDEX_BITS | RING_NO_FD))
		return vhost_refuse(c, -EINVAL, "word %#llx", (unsigned long long)word);
	if (c->n_fds != want)
		return vhost_refuse(c, -EPROTO, "%u descriptors, not %u", c->n_fds, want);
	if (want && !vhost_is_eventfd(c->fds[0]))
		return vhost_refuse(c, -EINVAL, "not an eventfd");
	return check_ring(c, word & RING_INDEX_BITS);
}

/* What the table says of a message that is offered. */
static int check(struct vhost_call *c, const struct row *row)
{
	uint32_t index;

	if (c->n_fds < row->fds.min || c->n_fds > row->fds.max)
		return vhost_refuse(c, -EPROTO, "%u descriptors", c->n_fds);
	if (row->needs & ~c->vh->now.protocol)
		return vhost_refuse(c, -EOPNOTSUPP, "its feature was not negotiated");
	if (row->touch == RING_FD)
		return check_ring_fd(c);
	if (row->touch != ONE_RING)
		return 0;
	memcpy(&index, c->m->payload, sizeof(index));
	return check_ring(c, index);
}

/* Rings that were held run again, each that can. */
static int release(struct vhost_call *c, int err)
{
	char why[GUEST_WHY_SIZE];

	for (unsigned i = 0; i < vhost_rings(c->vh); i++) {
		int bad = c->held & 1u << i ? vhost_ring_run(c->vh, i, why) : 0;

		if (bad && !err)
			err = vhost_refuse(c, bad, "ring %u: %.100s", i, why);
	}
	return err;
}

static int carry_out(struct vhost_call *c, const struct row *row)
{
	int err;

	if (!row || !row->handle)
		return vhost_refuse(c, -EOPNOTSUPP, "request %u is not offered", c->m->request);
	err = check(c, row);
	return err ? err : release(c, row->handle(c));
}

bool vhost_msg_header(const struct vhost_msg *m, char why[static GUEST_WHY_SIZE])
{
	const struct row *row = row_of(m->request);
	uint32_t min = 0, max = VHOST_PAYLOAD_MAX;

	if (row && row->handle) {
		min = row->payload.min;
		max = row->payload.max;
	}
	why[0] = '\0';
	if ((m->flags & VHOST_VERSION_MASK) != VHOST_VERSION)
		snprintf(why, GUEST_WHY_SIZE, "version %u", m->flags & VHOST_VERSION_MASK);
	else if (m->flags & VHOST_IS_REPLY)
		snprintf(why, GUEST_WHY_SIZE, "%s: a reply", vhost_msg_word(m->request));
	else if (m->size < min || m->size > max)
		snprintf(why, GUEST_WHY_SIZE, "%s: %u bytes", vhost_msg_word(m->request), m->size);
	return why[0] == '\0';
}

/* Nothing of a message that ends the connection is kept. */
static int give_up(struct vhost_answer *answer, int err)
{
	vhost_effect_done(&answer->effect);
	answer->effect = (struct vhost_effect){0};
	answer->has_reply = false;
	answer->fd = -1;
	return err;
}

/* The feature counts as of after the message: a front-end may negotiate it and ask for a word in one. */
static int settle(struct vhost_call *c, const struct row *row, int err)
{
	bool has_own = row && row->handle && row->answers == REPLIES;
	bool is_asked = c->m->flags & VHOST_NEED_REPLY &&
			c->vh->now.protocol & FEATURE(VHOST_PROTOCOL_REPLY_ACK);

	if (c->why[0])
		snprintf(c->answer->why, sizeof(c->answer->why), "%s: %.100s",
			 vhost_msg_word(c->m->request), c->why);
	if (err == -EPROTO || (err && (has_own || !is_asked)))
		return give_up(c->answer, err);
	if (is_asked && !has_own)
		reply_u64(c, err ? 1 : 0);
	return 0;
}

int vhost_msg_handle(struct vhost *vh, const struct vhost_msg *m, int *fds, unsigned n_fds,
		     struct vhost_answer *answer)
{
	const struct row *row = row_of(m->request);
	struct vhost_call c = {.vh = vh, .m = m, .fds = fds, .n_fds = n_fds, .answer = answer};
	const struct vhost_saved was = vh->now;
	int err = -EPROTO;

	memset(answer, 0, sizeof(*answer));
	answer->fd = -1;
	if (vhost_msg_header(m, answer->why)) {
		err = carry_out(&c, row);
		answer->effect.changed = memcmp(&was, &vh->now, sizeof(was)) != 0;
		err = settle(&c, row, err);
	}
	for (unsigned i = 0; i < n_fds; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return err;
}

void vhost_effect_done(struct vhost_effect *e)
{
	for (unsigned i = 0; i < e->n; i++)
		if (e->is_only_kept[i])
			close(e->fd[i]);
	e->n = 0;
}
