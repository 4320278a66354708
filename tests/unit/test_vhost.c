/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The port that a guest's rings make: which of them are used when, and what a device is after a restart (rows V05, V10, V16, R of
 * what has to hold).  Messages are test_vhost_msg.c's.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "switch/port/gso.h"
#include "tests/lib/vhost_device.h"

enum { HEADER = 12, LEN = 100, BUFFERS_AT = 1 << 20, BUFFER = 2048, EACH = 256 * BUFFER };
enum { WRITE = 2 };

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

static struct scratch scratch;
static struct vec vec;
static uint8_t frame_bytes[FRAME_HEADROOM + LEN];
static struct frame frame = {.snap = frame_bytes + FRAME_HEADROOM, .len = LEN, .snap_len = LEN};

static int set_up(void **state)
{
	scratch.calls_guests = true;
	return vd_setup(state) || scratch_init(&scratch);
}

static int clean(void **state)
{
	scratch_fini(&scratch);
	return vd_teardown(state);
}

/* --- the guest, with split rings --------------------------------------------------------- */

static uint8_t *buffer(unsigned ring, unsigned i)
{
	unsigned hint = 0;
	uint64_t gpa = VD_GPA + BUFFERS_AT + (uint64_t)ring * EACH + (uint64_t)i * BUFFER;
	uint8_t *p = guest_mem_at(&vd->mem, gpa, BUFFER, &hint);

	assert_non_null(p);
	return p;
}

static uint16_t *avail_of(unsigned ring)
{
	return (uint16_t *)(void *)vd->ring[ring].driver;
}

static uint16_t used_idx(unsigned ring)
{
	return ((uint16_t *)(void *)vd->ring[ring].device)[1];
}

/* Makes one more buffer available: a frame that begins with `mark`, or room for one. */
static void put(unsigned ring, uint8_t mark)
{
	uint16_t *avail = avail_of(ring), at = avail[1] % VD_RING_SIZE;
	struct desc *d = (struct desc *)(void *)vd->ring[ring].desc + at;

	*d = (struct desc){VD_GPA + BUFFERS_AT + ring * (uint64_t)EACH + at * (uint64_t)BUFFER,
			   ring % 2 ? HEADER + LEN : BUFFER, ring % 2 ? 0 : WRITE, 0};
	memset(buffer(ring, at), ring % 2 ? 0 : 0xa5, BUFFER);
	if (ring % 2)
		buffer(ring, at)[HEADER] = mark;
	avail[2 + at] = at;
	avail[1]++;
}

static void start(uint64_t features)
{
	vd_negotiate(features, 0);
	vd_send_memory();
	for (unsigned i = 0; i < VD_RINGS; i++)
		vd_start_ring(i);
}

static void enable(unsigned ring, bool is_enabled)
{
	assert_int_equal(vd_send_state(VHOST_USER_SET_VRING_ENABLE, ring, is_enabled), 0);
}

/* --- the switch -------------------------------------------------------------------------- */

static unsigned rx(unsigned q)
{
	return vd_port.ops->rx(&vd_port, q, &scratch, &vec, VEC_SIZE);
}

static void rx_done(unsigned q)
{
	vd_port.ops->rx_done(&vd_port, q, &scratch);
}

/* Sends a frame that begins with `mark`; why not. */
static enum drop tx(unsigned q, uint8_t mark)
{
	struct tx_frame t = {.f = &frame, .frames = 1};
	unsigned odd;

	frame.snap[0] = mark;
	scratch.iovs = 0;
	odd = vd_port.ops->tx(&vd_port, q, &scratch, &t, 1);
	assert_int_equal(odd, t.drop != DROP_NONE);
	return t.drop;
}

static void expect_rx(unsigned q, uint8_t mark)
{
	assert_int_equal(rx(q), 1);
	assert_int_equal(vec.f[0].drop, DROP_NONE);
	assert_int_equal(vec.f[0].len, LEN);
	assert_int_equal(vec.f[0].snap[0], mark);
	rx_done(q);
}

static void expect_tx(unsigned q, unsigned ring, uint8_t mark)
{
	uint16_t at = used_idx(ring);

	put(ring, 0);
	assert_int_equal(tx(q, mark), DROP_NONE);
	assert_int_equal(used_idx(ring), (uint16_t)(at + 1));
	assert_int_equal(buffer(ring, at % VD_RING_SIZE)[HEADER], mark);
}

static uint64_t calls(unsigned ring)
{
	uint64_t n = 0;

	return read(atomic_load(&vd->call[ring]), &n, sizeof(n)) == sizeof(n) ? n : 0;
}

/* --- rings ------------------------------------------------------------------------------- */

static void without_rings(void **state)
{
	(void)state;
	for (unsigned q = 0; q < VD_PAIRS; q++) {
		assert_int_equal(rx(q), 0);
		rx_done(q);
		assert_int_equal(tx(q, 1), DROP_PORT_DOWN);
		assert_true(vd_port.ops->arm(&vd_port, q));
		assert_int_equal(atomic_load(&vd_port.fd[q]), -1);
	}
	assert_false(vhost_is_ready(vd));
}

/* Started and not enabled: what the guest sends is taken and dropped, what it would receive is left alone. */
static void V05_enable(void **state)
{
	(void)state;
	start(VD_BASIC);
	put(1, 1);
	put(0, 0);
	for (unsigned turn = 0; turn < 3; turn++) {
		uint16_t sent = used_idx(1), received = used_idx(0);

		assert_false(vhost_is_ready(vd));
		put(1, 2);
		assert_int_equal(rx(0), turn ? 1 : 2);
		assert_int_equal(vec.f[0].drop, DROP_PORT_DOWN);
		rx_done(0);
		assert_int_equal(used_idx(1), (uint16_t)(sent + (turn ? 1 : 2)));
		assert_int_equal(tx(0, 1), DROP_PORT_DOWN);
		assert_int_equal(used_idx(0), received);
		enable(0, true);
		enable(1, true);
		assert_true(vhost_is_ready(vd));
		put(1, 3);
		expect_rx(0, 3);
		expect_tx(0, 0, 4);
		enable(0, false);
		enable(1, false);
	}
}

/* A ring that is stopped is not touched, nor is any of the memory. */
static void V05_stopped(void **state)
{
	uint8_t *all, *before = malloc(VD_BYTES);
	unsigned hint = 0;

	(void)state;
	assert_non_null(before);
	start(VD_BASIC);
	all = guest_mem_at(&vd->mem, VD_GPA, VD_BYTES, &hint);
	for (unsigned ring = 0; ring < 2; ring++)
		enable(ring, true);
	put(1, 1);
	expect_rx(0, 1);
	expect_tx(0, 0, 2);
	assert_int_equal(vd_stop_ring(0).num, 1);
	assert_int_equal(vd_stop_ring(1).num, 1);
	put(0, 0);
	put(1, 1);
	memcpy(before, all, VD_BYTES);
	assert_int_equal(rx(0), 0);
	rx_done(0);
	assert_true(vd_port.ops->arm(&vd_port, 0));
	assert_int_equal(tx(0, 1), DROP_PORT_DOWN);
	assert_memory_equal(before, all, VD_BYTES);
	free(before);
	/* It goes on where it was: the guest's used index says so. */
	assert_int_equal(vd_send_ring_fd(VHOST_USER_SET_VRING_KICK, 1, vd_eventfd()), 0);
	expect_rx(0, 1);
}

static void V05_queues(void **state)
{
	(void)state;
	start(VD_BASIC);
	for (unsigned ring = 0; ring < VD_RINGS; ring++)
		enable(ring, true);
	for (unsigned turn = 0; turn < 5; turn++) {
		/* Workers of any number, two rings. */
		expect_tx(turn, turn % 2 * 2, (uint8_t)turn);
		put(turn % 2 * 2 + 1, (uint8_t)turn);
		assert_int_equal(rx(1 - turn % 2), 0);
		expect_rx(turn % 2, (uint8_t)turn);
		assert_int_equal(atomic_load(&vd_port.fd[turn % 2]), vd->kick[turn % 2 * 2 + 1]);
	}
	enable(0, false);
	for (unsigned q = 0; q < 5; q++)
		expect_tx(q, 2, (uint8_t)q);
	enable(2, false);
	assert_int_equal(tx(0, 1), DROP_PORT_DOWN);
	assert_false(vhost_is_ready(vd));
}

/* A split ring begins at its base, whatever it is; sizes are powers of 2. */
static void V10_base(void **state)
{
	(void)state;
	start(VD_BASIC);
	for (unsigned base = 0; base < 65536; base += 4369) {
		struct vd_state stopped = vd_stop_ring(1);

		assert_int_equal(stopped.index, 1);
		((uint16_t *)(void *)vd->ring[1].device)[1] = (uint16_t)base;
		avail_of(1)[1] = (uint16_t)base;
		assert_int_equal(vd_send_state(VHOST_USER_SET_VRING_BASE, 1, base), 0);
		assert_int_equal(vd_send_ring_fd(VHOST_USER_SET_VRING_KICK, 1, vd_eventfd()), 0);
		enable(1, true);
		put(1, (uint8_t)base);
		expect_rx(0, (uint8_t)base);
		assert_int_equal(used_idx(1), (uint16_t)(base + 1));
	}
}

/* What was negotiated, and what the rings make of it. */
static void features(void **state)
{
	static const struct {
		uint64_t bits;
		uint8_t header, receive_can, transmit_can;
		bool has_mrg;
	} t[] = {
#define F(bit) FEATURE(VIRTIO_NET_F_##bit)
		{0, 10, 0, 0, false},
		{FEATURE(VIRTIO_F_VERSION_1), 12, 0, 0, false},
		{F(MRG_RXBUF), 12, 0, 0, true},
		{F(CSUM), 10, 0, CAN_CSUM, false},
		{F(GUEST_CSUM), 10, CAN_CSUM, 0, false},
		/* Segmentation without checksums is none. */
		{F(HOST_TSO4) | F(HOST_TSO6) | F(HOST_ECN) | F(HOST_USO), 10, 0, 0, false},
		{F(GUEST_TSO4) | F(GUEST_TSO6) | F(GUEST_ECN), 10, 0, 0, false},
		{F(CSUM) | F(HOST_TSO4), 10, 0, CAN_CSUM | CAN_TSO4, false},
		{F(CSUM) | F(HOST_TSO6), 10, 0, CAN_CSUM | CAN_TSO6, false},
		{F(CSUM) | F(HOST_TSO4) | F(HOST_ECN), 10, 0, CAN_CSUM | CAN_TSO4 | CAN_ECN, false},
		{F(CSUM) | F(HOST_USO), 10, 0, CAN_CSUM | CAN_USO, false},
		{F(GUEST_CSUM) | F(GUEST_TSO4), 10, CAN_CSUM | CAN_TSO4, 0, false},
		{F(GUEST_CSUM) | F(GUEST_USO4), 10, CAN_CSUM, 0, false},
		{F(GUEST_CSUM) | F(GUEST_USO4) | F(GUEST_USO6), 10, CAN_CSUM | CAN_USO, 0, false},
#undef F
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		vhost_reset(vd);
		start(FEATURE(VHOST_USER_F_PROTOCOL_FEATURES) | t[i].bits);
		for (unsigned ring = 0; ring < VD_RINGS; ring++) {
			const struct vring *r = &vd->ring[ring];

			assert_int_equal(r->header, t[i].header);
			assert_int_equal(r->can, ring % 2 ? t[i].transmit_can : t[i].receive_can);
			assert_int_equal(r->has_mrg, t[i].has_mrg);
			assert_int_equal(r->is_transmit, ring % 2);
			assert_false(r->is_packed || r->is_in_order || r->has_event_idx ||
				     r->has_indirect);
		}
	}
}

/* --- wake-ups ---------------------------------------------------------------------------- */

static void armed(void **state)
{
	struct pollfd p;

	(void)state;
	start(VD_BASIC);
	enable(1, true);
	assert_true(vd_port.ops->arm(&vd_port, 0));
	put(1, 1);
	assert_false(vd_port.ops->arm(&vd_port, 0));
	expect_rx(0, 1);
	/* A ring without a kick descriptor: the switch looks at it from time to time. */
	assert_int_equal(vd_send_ring_fd(VHOST_USER_SET_VRING_KICK, 1, -1), 0);
	p = (struct pollfd){atomic_load(&vd_port.fd[0]), POLLIN, 0};
	assert_true(p.fd >= 0);
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_true(vd_port.ops->arm(&vd_port, 0));
	assert_int_equal(poll(&p, 1, 1000), 1);
}

/* Calls that a process before this one, or another worker, owed: for both rings of the pair. */
static void owed_calls(void **state)
{
	(void)state;
	start(VD_BASIC);
	enable(0, true);
	enable(1, true);
	atomic_store(&vd->ring[0].owes_call, true);
	atomic_store(&vd->ring[1].owes_call, true);
	atomic_store(&vd->ring[2].owes_call, true);
	assert_int_equal(rx(0), 0);
	assert_int_equal(calls(0), 1);
	assert_int_equal(calls(1), 1);
	assert_int_equal(calls(2), 0);
	assert_int_equal(rx(0), 0);
	assert_int_equal(calls(0) + calls(1), 0);
}

static void on_alarm(int signo)
{
	(void)signo;
}

/* A guest that fills its interrupt descriptor hangs nobody; one that makes it wait is ended by a signal. */
static void V11_full_call(void **state)
{
	struct sigaction act = {.sa_handler = on_alarm}, old;
	struct itimerval soon = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
	uint64_t most = UINT64_MAX - 1;
	int fd;

	(void)state;
	start(VD_BASIC);
	enable(1, true);
	fd = atomic_load(&vd->call[1]);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(write(fd, &most, sizeof(most)), sizeof(most));
	put(1, 1);
	expect_rx(0, 1);
	assert_int_equal(vd_mode(1), RING_ON);

	fcntl(fd, F_SETFL, O_RDWR);
	sigaction(SIGALRM, &act, &old);
	setitimer(ITIMER_REAL, &soon, NULL);
	put(1, 2);
	expect_rx(0, 2);
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &old, NULL);
	assert_int_equal(vd_mode(1), RING_BROKEN);
	assert_string_equal(atomic_load(&vd->ring[1].why), VRING_STUCK);
	assert_true(atomic_load(&vd->trouble));
	assert_int_equal(atomic_load(&scratch.calling), 0);
}

/* Told of an error once, by who may wait for the guest, and never when there is nowhere to tell it. */
static void told_err(void **state)
{
	uint64_t n = 0, most = UINT64_MAX - 1;
	int fd = vd_eventfd(), ours = dup(fd);
	struct vring *r;

	(void)state;
	assert_int_equal(fcntl(ours, F_SETFL, O_RDWR | O_NONBLOCK), 0);
	start(VD_BASIC);
	r = &vd->ring[1];
	scratch.calls_guests = true;
	atomic_store(&r->owes_error, true);
	tell_guest(r, &scratch);
	assert_int_equal(vd_send_ring_fd(VHOST_USER_SET_VRING_ERR, 1, fd), 0);
	tell_guest(r, &scratch);
	assert_int_equal(read(ours, &n, sizeof(n)), -1);
	scratch.calls_guests = false;
	atomic_store(&r->owes_error, true);
	tell_guest(r, &scratch);
	assert_int_equal(read(ours, &n, sizeof(n)), -1);
	scratch.calls_guests = true;
	tell_guest(r, &scratch);
	assert_int_equal(read(ours, &n, sizeof(n)), sizeof(n));
	assert_int_equal(n, 1);
	assert_int_equal(write(ours, &most, sizeof(most)), sizeof(most));
	atomic_store(&r->owes_error, true);
	tell_guest(r, &scratch); /* full, and not waited for */
	close(ours);
}

static uint64_t errors(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

/* A ring that breaks is told once, by the descriptor that was set for it: in the vector in hand, behind it, or as it receives. */
static void V11_told_err(void **state)
{
	(void)state;
	for (unsigned how = 0; how < 3; how++) {
		unsigned ring = how == 2 ? 0 : 1;
		int fd = vd_eventfd(), ours = dup(fd);

		fcntl(ours, F_SETFL, O_RDWR | O_NONBLOCK);
		vhost_reset(vd);
		start(VD_BASIC);
		enable(0, true);
		enable(1, true);
		assert_int_equal(vd_send_ring_fd(VHOST_USER_SET_VRING_ERR, ring, fd), 0);
		for (unsigned i = 0; i < VEC_SIZE && how == 1; i++)
			put(1, 1);
		put(ring, 1);
		avail_of(ring)[2 + (avail_of(ring)[1] - 1) % VD_RING_SIZE] = 9999;
		assert_int_equal(errors(ours), 0);
		if (how == 2) {
			assert_int_equal(tx(0, 1), DROP_TX_FULL);
		} else {
			assert_int_equal(rx(0), how == 1 ? VEC_SIZE : 0);
			rx_done(0);
		}
		assert_int_equal(rx(0), 0);
		assert_int_equal(vd_mode(ring), RING_BROKEN);
		assert_int_equal(errors(ours), 1);
		assert_int_equal(rx(0), 0);
		assert_int_equal(errors(ours), 0);
		close(ours);
	}
}

static void V16_announce(void **state)
{
	static const uint8_t want[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 3, 4, 5, 6,
				       7,    0x80, 0x35, 0,    1,    8,	   0, 6, 4, 0, 3,
				       2,    3,	   4,	 5,    6,    7,	   0, 0, 0, 0, 2,
				       3,    4,	   5,	 6,    7,    0,	   0, 0, 0};
	const uint8_t mac[8] = {2, 3, 4, 5, 6, 7, 1, 0};
	uint64_t word;

	(void)state;
	memcpy(&word, mac, sizeof(word));
	atomic_store(&vd->announce, word);
	assert_int_equal(rx(0), 0); /* not before a ring runs */
	start(VD_BASIC);
	enable(1, true);
	put(1, 9);
	assert_int_equal(rx(0), 1);
	assert_int_equal(vec.f[0].len, ETH_MIN);
	assert_int_equal(vec.f[0].snap_len, ETH_MIN);
	assert_memory_equal(vec.f[0].snap, want, sizeof(want));
	rx_done(0);
	/* Once, and no frame of the guest gives way to it. */
	expect_rx(0, 9);
	assert_int_equal(rx(0), 0);
}

/* --- after a restart --------------------------------------------------------------------- */

/* What the broker would have kept. */
static struct {
	struct vhost_saved saved;
	int fd[VHOST_FDS];
} kept;
static int region_fd;

static void start_kept(uint64_t bits)
{
	struct guest_region r = {VD_GPA, VD_BYTES, VD_UVA, 0};
	int fd;

	region_fd = vd_memory(VD_BYTES);
	fd = dup(region_fd);
	vd_negotiate(bits, 0);
	assert_int_equal(vd_send_table(&r, 1, &fd, 1), 0);
	for (unsigned i = 0; i < VD_RINGS; i++) {
		vd_start_ring(i);
		enable(i, true);
	}
}

static void keep(void)
{
	kept.saved = vd->now;
	memset(kept.fd, 0xff, sizeof(kept.fd));
	kept.fd[VHOST_FD_REGION] = dup(region_fd);
	for (unsigned i = 0; i < VD_RINGS; i++) {
		kept.fd[VHOST_FD_KICK + i] = dup(vd->kick[i]);
		kept.fd[VHOST_FD_CALL + i] = dup(atomic_load(&vd->call[i]));
	}
}

/* Another process has the port. */
static int restart(bool trust_place, char why[static GUEST_WHY_SIZE])
{
	struct vring_place place[VHOST_RINGS_MAX];
	int err;

	memcpy(place, vd->place, sizeof(place));
	vhost_reset(vd);
	memcpy(vd->place, place, sizeof(place));
	err = vhost_restore(vd, &kept.saved, kept.fd, trust_place, why);
	for (unsigned i = 0; i < VHOST_FDS; i++)
		assert_int_equal(kept.fd[i], -1);
	return err;
}

static void R_goes_on(void **state)
{
	char why[GUEST_WHY_SIZE];

	(void)state;
	start_kept(VD_BASIC);
	for (unsigned turn = 0; turn < 20; turn++) {
		uint8_t mark = (uint8_t)turn;

		put(1, mark);
		if (turn % 2)
			expect_rx(0, mark);
		else
			assert_int_equal(rx(0), 1); /* handed out, and lost */
		expect_tx(0, 0, mark);
		calls(0);
		calls(1);
		keep();
		assert_int_equal(restart(true, why), 0);
		assert_int_equal(vd_mode(0), RING_ON);
		assert_int_equal(vd_mode(1), RING_ON);
		assert_true(vhost_is_ready(vd));
		assert_int_equal(used_idx(1), turn + 1);
		assert_int_equal(rx(0), 0);
		assert_int_equal(calls(0), 1);
		assert_int_equal(calls(1), 1);
	}
	close(region_fd);
}

/* Nothing is known of the places: a split ring goes by the guest's own index. */
static void R_unknown_place(void **state)
{
	char why[GUEST_WHY_SIZE];

	(void)state;
	start_kept(VD_BASIC);
	put(1, 1);
	expect_rx(0, 1);
	put(1, 2);
	keep();
	assert_int_equal(restart(false, why), 0);
	expect_rx(0, 2);
	close(region_fd);
}

static void R_packed_needs_its_place(void **state)
{
	unsigned before = vd_count_fds();
	char why[GUEST_WHY_SIZE];

	(void)state;
	for (unsigned trust = 0; trust < 2; trust++) {
		start_kept(VD_BASIC | FEATURE(VIRTIO_F_RING_PACKED));
		keep();
		assert_int_equal(restart(trust, why), trust ? 0 : -EINVAL);
		assert_int_equal(vd_mode(1), trust ? RING_ON : RING_STOPPED);
		assert_int_equal(vd->mem.n, trust);
		vhost_reset(vd);
		close(region_fd);
		assert_int_equal(vd_count_fds(), before);
	}
}

/* What was kept makes no sense: the device is as new, and nothing is left open. */
static void R_refused(void **state)
{
	unsigned before = vd_count_fds();
	char why[GUEST_WHY_SIZE];

	(void)state;
	for (unsigned i = 0; i < 14; i++) {
		struct vhost_saved *s = &kept.saved;

		start_kept(VD_BASIC);
		keep();
		switch (i) {
		case 0:
			s->version++;
			break;
		case 1:
			s->bytes--;
			break;
		case 2:
			s->features |= 1ULL << 63;
			break;
		case 3:
			s->protocol |= 1ULL << 63;
			break;
		case 4:
			s->ring[1].size = 40000;
			break;
		case 5:
			s->ring[1].size = 100;
			break;
		case 6:
			s->ring[1].is_enabled = 2;
			break;
		case 7:
			s->ring[1].desc += 8;
			break;
		case 8:
			s->ring[1].used = VD_UVA + VD_BYTES;
			break;
		case 9:
			s->ring[20] = s->ring[1];
			break;
		case 10:
			s->region[0].size *= 2;
			break;
		case 11:
			s->region[1] = s->region[0];
			break;
		case 12:
			close(kept.fd[VHOST_FD_KICK + 1]);
			kept.fd[VHOST_FD_KICK + 1] = dup(region_fd);
			break;
		default:
			close(kept.fd[VHOST_FD_REGION]);
			kept.fd[VHOST_FD_REGION] = -1;
		}
		why[0] = '\0';
		assert_int_equal(restart(true, why), -EINVAL);
		assert_true(why[0]);
		assert_int_equal(vd->mem.n, 0);
		assert_false(vhost_is_ready(vd));
		for (unsigned ring = 0; ring < VHOST_RINGS_MAX; ring++)
			assert_int_equal(vd_mode(ring), RING_STOPPED);
		close(region_fd);
		assert_int_equal(vd_count_fds(), before);
	}
}

/* Any byte of it may be another. */
static void R_random(void **state)
{
	const size_t rings = offsetof(struct vhost_saved, ring);
	unsigned before = vd_count_fds();
	char why[GUEST_WHY_SIZE];

	(void)state;
	srand(5);
	for (unsigned i = 0; i < 2000; i++) {
		start_kept(VD_BASIC | (i % 2 ? FEATURE(VIRTIO_F_RING_PACKED) : 0));
		keep();
		for (unsigned k = i % 4; k < 4; k++)
			((uint8_t *)&kept.saved)[(rand() % 2 ? rings : 0) + (size_t)rand() % 160] =
				(uint8_t)rand();
		if (restart(i % 3, why) == 0)
			for (unsigned q = 0; q < VD_PAIRS; q++) {
				rx(q);
				rx_done(q);
				tx(q, 1);
				vd_port.ops->arm(&vd_port, q);
			}
		vhost_reset(vd);
		close(region_fd);
	}
	assert_int_equal(vd_count_fds(), before);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, clean)
	const struct CMUnitTest tests[] = {
		TEST(without_rings), TEST(V05_enable),	    TEST(V05_stopped),
		TEST(V05_queues),    TEST(V10_base),	    TEST(features),
		TEST(armed),	     TEST(owed_calls),	    TEST(V11_full_call),
		TEST(told_err),	     TEST(V11_told_err),    TEST(V16_announce),
		TEST(R_goes_on),     TEST(R_unknown_place), TEST(R_packed_needs_its_place),
		TEST(R_refused),     TEST(R_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
