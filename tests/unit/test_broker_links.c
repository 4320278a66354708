/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_broker_links: interfaces of the host as uplinks: what is refused, what is followed, what comes by the socket and goes by the
 * helper.  Between the namespaces of net_lab; skipped where none can be had.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bridge/packet.h"
#include "bridge/packet_socket.h"
#include "bridge/rtnl.h"
#include "switch/broker_links.h"
#include "tests/lib/broker_lab.h"

enum { WAIT_MS = 1000, QUIET_MS = 60, RING = PACKET_SLOTS * PACKET_SLOT_BYTES };

static struct broker_lab lab;
static struct links *links;
static struct link_answer last; /* of an answer or notice */
static int fds[2];
static unsigned notices;

static int take(const struct link_answer *a, const int *sent, void *arg)
{
	(void)arg;
	last = *a;
	if (a->n_fds > 0)
		memcpy(fds, sent, sizeof(fds));
	notices++;
	return 0;
}

static bool ask(void)
{
	unsigned before = notices;

	links_tell(links, take, NULL);
	return notices != before;
}

/* Waits for a notice, at most ms; whether one came. */
static bool noticed(unsigned ms)
{
	return broker_lab_wait(&lab, ms, ask);
}

/* Without eBPF, as in a namespace for users, that is said instead of "is there". */
static bool lacks_helper(void)
{
	return last.n_fds == 1 && strstr(last.text, "no way from the fabric to this host itself");
}

/* One notice, and no other after it. */
static void expect_one(uint8_t state, const char *text)
{
	if (!noticed(WAIT_MS))
		fail_msg("no notice of: %s", text);
	if (last.state != state || (!strstr(last.text, text) && !lacks_helper()))
		fail_msg("state %u, \"%s\", not %u, \"%s\"", last.state, last.text, state, text);
	if (noticed(QUIET_MS))
		fail_msg("a second notice: %s", last.text);
}

/* Some notices, of which that is the last. */
static void expect_last(uint8_t state, const char *text)
{
	assert_true(noticed(WAIT_MS));
	while (noticed(QUIET_MS))
		;
	if (last.state != state || (!strstr(last.text, text) && !lacks_helper()))
		fail_msg("state %u, \"%s\", not %u, \"%s\"", last.state, last.text, state, text);
}

static struct link_spec spec_of(const char *interface)
{
	struct link_spec s = {.port = "wan"};

	snprintf(s.interface, sizeof(s.interface), "%s", interface);
	return s;
}

static int open_link(const struct link_spec *s)
{
	links_open(links, s, &last, fds);
	return last.error;
}

static int open_all(void **state)
{
	(void)state;
	if (!broker_lab_open(&lab))
		return 0;
	links = links_create(lab.loop, lab.taps, broker_lab_due, &lab);
	assert_non_null(links);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	links_destroy(links);
	broker_lab_close(&lab);
	return 0;
}

/* Each test begins with eth0 up and no link open. */
static int begin(void **state)
{
	(void)state;
	notices = 0;
	if (lab.is_open)
		net_lab_run("ip link set eth0 up");
	return 0;
}

static int end(void **state)
{
	(void)state;
	if (!lab.is_open)
		return 0;
	links_unclaim(links);
	links_sweep(links);
	noticed(QUIET_MS);
	/* Nothing is left of it. */
	net_lab_run("! ip -br link | grep -q ^vfh");
	net_lab_run("ip -d link show eth0 | grep -q 'promiscuity 0'");
	return 0;
}

static void need_lab(void)
{
	if (!lab.is_open)
		skip();
}

/* --- what is refused -------------------------------------------------------------------- */

static void test_refused(void **state)
{
	struct link_spec s = spec_of("none");
	struct tap_answer tap;
	struct tap_spec own = {.port = "own", .ifname = "own0", .queues = 1};
	int tap_fds[PORT_QUEUES_MAX];

	(void)state;
	need_lab();
	assert_int_equal(open_link(&s), ENODEV);
	assert_non_null(strstr(last.text, "interface none does not exist"));
	s = spec_of("lo");
	assert_int_equal(open_link(&s), EINVAL);
	net_lab_run("ip tuntap add dev l3 mode tun");
	s = spec_of("l3");
	assert_int_equal(open_link(&s), EINVAL);
	assert_non_null(strstr(last.text, "not Ethernet"));
	net_lab_run("ip link del l3; ip link add br0 type bridge; ip link set eth0 master br0");
	s = spec_of("eth0");
	assert_int_equal(open_link(&s), EBUSY);
	assert_non_null(strstr(last.text, "port of bridge br0"));
	net_lab_run("ip link del br0");
	taps_open(lab.taps, &own, &tap, tap_fds);
	assert_int_equal(tap.error, 0);
	s = spec_of("own0");
	assert_int_equal(open_link(&s), EINVAL);
	assert_non_null(strstr(last.text, "one of the fabric's own"));
	taps_close(lab.taps, "own");
	/* Two of ours on one interface. */
	s = spec_of("eth0");
	assert_int_equal(open_link(&s), 0);
	strcpy(s.port, "other");
	assert_int_equal(open_link(&s), EBUSY);
	if (last.n_fds == 2) {
		s = spec_of("vfh-eth0");
		assert_int_equal(open_link(&s), EINVAL);
	}
}

static void test_addresses(void **state)
{
	struct link_spec s = spec_of("eth0");

	(void)state;
	need_lab();
	s.n_refused = 2;
	ip_parse("192.0.2.50", &s.refused[0]);
	ip_parse("2001:db8::1", &s.refused[1]);
	assert_int_equal(open_link(&s), EADDRINUSE);
	assert_non_null(strstr(last.text, "2001:db8::1 (eth0)"));
	s.may_wait = 1;
	assert_int_equal(open_link(&s), 0);
	assert_int_equal(last.state, PORT_WAITING);
	net_lab_run("ip addr del 2001:db8::1/64 dev eth0");
	expect_one(PORT_UP, "is there");
	net_lab_run("ip addr add 192.0.2.50/24 dev eth0");
	expect_one(PORT_UP, "192.0.2.50");
	net_lab_run(
		"ip addr del 192.0.2.50/24 dev eth0; ip addr add 2001:db8::8/64 dev eth0 nodad");
	expect_one(PORT_UP, "has given up");
	net_lab_run(
		"ip addr del 2001:db8::8/64 dev eth0; ip addr add 2001:db8::1/64 dev eth0 nodad");
}

/* --- what is followed ------------------------------------------------------------------- */

static void test_life(void **state)
{
	struct link_spec s = spec_of("eth9");

	(void)state;
	need_lab();
	s.may_wait = 1;
	assert_int_equal(open_link(&s), 0);
	assert_int_equal(last.state, PORT_WAITING);
	assert_int_equal(last.n_fds, 0);
	assert_non_null(strstr(last.text, "does not exist"));
	net_lab_run("ip link add eth9 type veth peer name p9");
	expect_one(PORT_DOWN, "set down");
	assert_true(last.n_fds >= 1 && last.ifindex > 0 && last.mtu == 1500);
	net_lab_run("ip link set eth9 up");
	assert_false(noticed(QUIET_MS)); /* down as before, for want of a carrier now */
	net_lab_run("ip link set p9 up");
	expect_one(PORT_UP, "is up");
	net_lab_run("ip link set p9 down");
	expect_one(PORT_DOWN, "no carrier");
	net_lab_run("ip link set p9 up");
	expect_one(PORT_UP, "is up");
	net_lab_run("ip link set eth9 mtu 1400");
	expect_one(PORT_UP, "MTU 1400");
	assert_int_equal(last.mtu, 1400);
	net_lab_run("ip link set eth9 address 02:00:00:00:09:09");
	expect_one(PORT_UP, "02:00:00:00:09:09");
	assert_int_equal(last.mac.b[4], 9);
	net_lab_run("ip link set eth9 name eth8");
	expect_one(PORT_UP, "now called eth8");
	assert_string_equal(last.ifname, "eth8");
	assert_int_equal(last.n_fds, 0);
	net_lab_run("ip link set eth8 down");
	expect_one(PORT_DOWN, "set down");
	net_lab_run("ip link del eth8");
	expect_one(PORT_WAITING, "eth8 is gone");
	net_lab_run("ip link add eth9 type veth peer name p9 && ip link set p9 up");
	expect_last(PORT_DOWN, "set down");
	net_lab_run("ip link set eth9 up");
	expect_one(PORT_UP, "is up");
	net_lab_run("ip link del eth9");
	expect_one(PORT_WAITING, "eth9 is gone");
	net_lab_run("ip link add eth9 type veth peer name p9 && ip link set p9 up");
	expect_last(PORT_DOWN, "set down");
	net_lab_run("ip link set eth9 up");
	expect_one(PORT_UP, "is up");
	/* It is taken into a bridge, and freed. */
	net_lab_run("ip link add br0 type bridge; ip link set eth9 master br0");
	expect_one(PORT_WAITING, "port of bridge br0");
	net_lab_run("ip link set eth9 nomaster");
	expect_one(PORT_UP, "is there");
	net_lab_run("ip link del br0");
	/* Moved away, it is as good as deleted. */
	net_lab_run("ip link set eth9 netns /proc/%d/fd/%d", (int)getpid(), lab.net.lan);
	expect_one(PORT_WAITING, "eth9 is gone");
	net_lab_run("ip link del p9");
}

static void test_helper_deleted(void **state)
{
	struct link_spec s = spec_of("eth0");

	(void)state;
	need_lab();
	assert_int_equal(open_link(&s), 0);
	if (lacks_helper())
		skip();
	net_lab_run("ip link del vfh-eth0");
	assert_true(noticed(WAIT_MS));
	while (noticed(QUIET_MS))
		;
	assert_int_equal(last.state, PORT_UP);
	assert_int_equal(last.n_fds, 2);
	net_lab_run("ip -br link show vfh-eth0 | grep -q UNKNOWN");
	net_lab_run("test -z \"$(ip -br addr show vfh-eth0 | awk '{print $3}')\"");
}

static void test_promisc(void **state)
{
	struct link_spec s = spec_of("eth0");
	int first;

	(void)state;
	need_lab();
	/* Without a MAC of our own: a veth has no filter for more than one, and turns promiscuous for it. */
	assert_int_equal(open_link(&s), 0);
	net_lab_run("ip -d link show eth0 | grep -q 'promiscuity 0'");
	s.promisc = 1;
	links_set(links, &s, &last);
	assert_int_equal(last.error, 0);
	assert_int_equal(last.n_fds, 0);
	net_lab_run("ip -d link show eth0 | grep -q 'promiscuity 1'");
	/* A new switch: the interface stays as it is, the socket is another. */
	links_unclaim(links);
	first = fds[0];
	assert_int_equal(open_link(&s), 0);
	assert_int_not_equal(fds[0], first);
	links_sweep(links);
	net_lab_run("ip -d link show eth0 | grep -q 'promiscuity 1'");
	s.promisc = 0;
	links_set(links, &s, &last);
	net_lab_run("ip -d link show eth0 | grep -q 'promiscuity 0'");
	assert_int_equal(links_close(links, "wan"), 0);
	assert_int_equal(links_close(links, "wan"), -ENOENT);
}

/* --- frames ----------------------------------------------------------------------------- */

struct counts {
	unsigned from_host, from_lan, from_helper, other;
};

/* What is in the ring, by the last byte of the source address, or by direction. */
static struct counts read_ring(const uint8_t *ring)
{
	struct counts c = {0};
	unsigned i;

	usleep(QUIET_MS * 1000);
	for (i = 0; i < PACKET_SLOTS; i++) {
		const uint8_t *at = ring + (size_t)i * PACKET_SLOT_BYTES;
		struct tpacket2_hdr h;
		struct sockaddr_ll ll;

		memcpy(&h, at, sizeof(h));
		if (!(h.tp_status & TP_STATUS_USER))
			continue;
		memcpy(&ll, at + TPACKET_ALIGN(sizeof(h)), sizeof(ll));
		if (at[h.tp_mac + 12] == 0x86)
			; /* IPv6 speaks by itself, now and then */
		else if (memcmp(at + h.tp_mac + 6, "\x66\0\0\0\0\1", 6) == 0)
			c.from_helper++;
		else if (ll.sll_pkttype == PACKET_OUTGOING)
			c.from_host++;
		else
			c.from_lan++;
		h.tp_status = TP_STATUS_KERNEL;
		memcpy((uint8_t *)(uintptr_t)at, &h, sizeof(h.tp_status));
	}
	return c;
}

/* An ARP request of 66:..:01 at 192.0.2.66 for the host, behind a virtio-net header of n bytes. */
static size_t arp_request(uint8_t *f, size_t n)
{
	static const uint8_t arp[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x66, 0, 0, 0,  0,
				      1,    8,	  6,	0,    1,    8,	  0,	6, 4, 0,  1,
				      0x66, 0,	  0,	0,    0,    1,	  192,	0, 2, 66, 0,
				      0,    0,	  0,	0,    0,    192,  0,	2, 1};

	memset(f, 0, n + 60);
	memcpy(f + n, arp, sizeof(arp));
	return n + 60;
}

static void test_frames(void **state)
{
	const size_t long_header = sizeof(struct virtio_net_hdr_mrg_rxbuf);
	struct link_spec s = spec_of("eth0");
	struct counts c;
	uint8_t f[128], *ring;
	size_t n;

	(void)state;
	need_lab();
	net_lab_run("ip neigh flush dev eth0");
	s.mac = (struct mac){{0x66, 0, 0, 0, 0, 1}};
	assert_int_equal(open_link(&s), 0);
	if (last.n_fds < 2)
		skip();
	ring = mmap(NULL, RING, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
	assert_ptr_not_equal(ring, MAP_FAILED);
	read_ring(ring);
	/* To this host: it answers, over its own NIC; the question does not come back. */
	n = arp_request(f, long_header);
	assert_int_equal(write(fds[1], f, n), n);
	c = read_ring(ring);
	assert_int_equal(c.from_helper, 0);
	assert_true(c.from_host >= 1);
	net_lab_run("ip neigh show 192.0.2.66 dev eth0 | grep -q 66:00:00:00:00:01");
	/* To the wire: the neighbour has it, and it does not come back either. */
	n = arp_request(f, PACKET_VNET_BYTES);
	f[PACKET_VNET_BYTES + 41] = 9;
	assert_int_equal(write(fds[0], f, n), n);
	c = read_ring(ring);
	assert_int_equal(c.from_helper, 0);
	assert_true(c.from_lan >= 1); /* its answer */
	/* Traffic of the host that is none of ours stays out of the ring: the first question is a broadcast, no more. */
	net_lab_run("ping -c 3 -i 0.05 -W 1 192.0.2.9 >/dev/null");
	c = read_ring(ring);
	assert_true(c.from_host + c.from_lan <= 2);
	s.promisc = 1;
	links_set(links, &s, &last);
	net_lab_run("ping -c 3 -i 0.05 -W 1 192.0.2.9 >/dev/null");
	c = read_ring(ring);
	assert_true(c.from_host >= 3); /* to a MAC that may be behind us */
	assert_true(c.from_lan <= 1);  /* to the host alone */
	munmap(ring, RING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_refused, begin, end),
		cmocka_unit_test_setup_teardown(test_addresses, begin, end),
		cmocka_unit_test_setup_teardown(test_life, begin, end),
		cmocka_unit_test_setup_teardown(test_helper_deleted, begin, end),
		cmocka_unit_test_setup_teardown(test_promisc, begin, end),
		cmocka_unit_test_setup_teardown(test_frames, begin, end),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
