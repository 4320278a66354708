/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_nft: the table of host uplinks at work, between the namespaces of net_lab.  The fabric is a tap whose far end sends every
 * UDP datagram back.  In a namespace of its own; skipped where none can be had.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bridge/nft_internal.h"
#include "bridge/sysctl.h"
#include "switch/base/csum.h"
#include "tests/lib/net_lab.h"

enum { ETH = 14, WAIT_MS = 150, FRAME = 2048 };

static struct net_lab lab;
static bool has_lab;
static struct nft *nft;
static int tap;
static char why[NFT_TEXT];
static struct sysctl_forwarding forwarding;

/* What the far end saw last. */
static struct datagram {
	struct ip src, dst;
	uint16_t sport, dport;
	unsigned n; /* how many, ever */
} seen;

static const struct nft_uplink *uplink(void)
{
	static struct nft_uplink u = {.ifname = "vu-t"};

	ip_parse("169.254.118.1", &u.own4);
	ip_parse("169.254.118.2", &u.far4);
	ip_parse("fd76::1", &u.own6);
	ip_parse("fd76::2", &u.far6);
	return &u;
}

/* --- the far end ------------------------------------------------------------------------ */

static struct ip ip_at(const uint8_t *p, bool is_v4)
{
	struct ip ip = {.b = {[10] = 0xff, [11] = 0xff}};

	memcpy(ip.b + (is_v4 ? 12 : 0), p, is_v4 ? 4 : 16);
	return ip;
}

static void swap(uint8_t *a, uint8_t *b, size_t n)
{
	uint8_t t[16];

	memcpy(t, a, n);
	memcpy(a, b, n);
	memcpy(b, t, n);
}

/* One frame that the host sent into the tap; a UDP datagram is noted and sent back. */
static void far_end(void)
{
	uint8_t f[FRAME], *ip = f + ETH, *udp;
	ssize_t n = read(tap, f, sizeof(f));
	bool is_v4;

	if (n < ETH + 28)
		return;
	is_v4 = f[12] == 8 && f[13] == 0;
	if ((is_v4 ? ip[9] : ip[6]) != 17 || (!is_v4 && !(f[12] == 0x86 && f[13] == 0xdd)))
		return;
	udp = ip + (is_v4 ? 20 : 40);
	seen.src = ip_at(ip + (is_v4 ? 12 : 8), is_v4);
	seen.dst = ip_at(ip + (is_v4 ? 16 : 24), is_v4);
	seen.sport = (uint16_t)(udp[0] << 8 | udp[1]);
	seen.dport = (uint16_t)(udp[2] << 8 | udp[3]);
	seen.n++;
	swap(f, f + 6, 6);
	swap(ip + (is_v4 ? 12 : 8), ip + (is_v4 ? 16 : 24), is_v4 ? 4 : 16);
	swap(udp, udp + 2, 2);
	assert_int_equal(write(tap, f, (size_t)n), n);
}

/* Lets the far end work until something can be read from sock, for at most WAIT_MS. */
static bool await(int sock)
{
	struct pollfd p[2] = {{.fd = sock, .events = POLLIN}, {.fd = tap, .events = POLLIN}};

	while (poll(p, 2, WAIT_MS) > 0) {
		if (p[0].revents)
			return true;
		far_end();
	}
	return false;
}

static socklen_t address(struct sockaddr_storage *sa, const char *text, uint16_t port)
{
	struct sockaddr_in6 *a6 = (struct sockaddr_in6 *)sa;
	struct sockaddr_in *a4 = (struct sockaddr_in *)sa;

	memset(sa, 0, sizeof(*sa));
	if (inet_pton(AF_INET, text, &a4->sin_addr) == 1) {
		a4->sin_family = AF_INET;
		a4->sin_port = htons(port);
		return sizeof(*a4);
	}
	assert_int_equal(inet_pton(AF_INET6, text, &a6->sin6_addr), 1);
	a6->sin6_family = AF_INET6;
	a6->sin6_port = htons(port);
	return sizeof(*a6);
}

static int udp_socket(int ns, const char *text, uint16_t port)
{
	struct sockaddr_storage sa;
	socklen_t n = address(&sa, text, port);
	int fd;

	net_lab_enter(&lab, ns);
	fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, n), 0);
	net_lab_enter(&lab, lab.host);
	return fd;
}

/* Does a datagram from that namespace to that address come back, from that address? */
static bool answers(int ns, const char *to, uint16_t port)
{
	int fd = udp_socket(ns, strchr(to, ':') ? "::" : "0.0.0.0", 0);
	struct sockaddr_storage sa;
	socklen_t n = address(&sa, to, port);
	char byte;
	bool ok;

	/* Connected: an answer from another address would not count. */
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, n), 0);
	ok = send(fd, "x", 1, 0) == 1 && await(fd) && recv(fd, &byte, 1, 0) == 1;
	close(fd);
	return ok;
}

static bool saw_source(const char *text)
{
	struct ip ip;

	assert_true(ip_parse(text, &ip));
	return ip_equal(&seen.src, &ip);
}

/* --- frames by hand --------------------------------------------------------------------- */

/* An IPv4 UDP datagram of one byte; its length. */
static size_t build(uint8_t *f, const uint8_t *dmac, const char *src, const char *dst,
		    uint16_t sport, uint16_t dport)
{
	static const uint8_t ip[20] = {0x45, 0, 0, 29, 0, 0, 0, 0, 64, 17};
	uint16_t sum;

	memset(f, 0, 60);
	memcpy(f, dmac, 6);
	f[6] = 2;
	f[12] = 8;
	memcpy(f + ETH, ip, sizeof(ip));
	inet_pton(AF_INET, src, f + ETH + 12);
	inet_pton(AF_INET, dst, f + ETH + 16);
	sum = htons(csum_fold(csum_add(0, f + ETH, 20)));
	memcpy(f + ETH + 10, &sum, 2);
	f[34] = (uint8_t)(sport >> 8);
	f[35] = (uint8_t)sport;
	f[36] = (uint8_t)(dport >> 8);
	f[37] = (uint8_t)dport;
	f[39] = 9;
	f[42] = 'x';
	return 43;
}

static void mac_of(int ns, const char *ifname, uint8_t *mac)
{
	struct ifreq r = {0};
	int fd;

	net_lab_enter(&lab, ns);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", ifname);
	assert_int_equal(ioctl(fd, SIOCGIFHWADDR, &r), 0);
	memcpy(mac, r.ifr_hwaddr.sa_data, 6);
	close(fd);
	net_lab_enter(&lab, lab.host);
}

/* A neighbour sends a frame to the host's MAC; true when the far end sees anything of it. */
static bool neighbour_reaches(const char *dst, uint16_t port)
{
	struct sockaddr_ll ll = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP)};
	static uint16_t sport = 4000; /* a new connection each time */
	unsigned before = seen.n;
	uint8_t f[64], mac[6];
	size_t n;
	int fd;

	mac_of(lab.host, "eth0", mac);
	n = build(f, mac, "192.0.2.9", dst, sport++, port);
	net_lab_enter(&lab, lab.lan);
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	ll.sll_ifindex = (int)if_nametoindex("lan0");
	assert_int_equal(sendto(fd, f, n, 0, (struct sockaddr *)&ll, sizeof(ll)), n);
	net_lab_enter(&lab, lab.host);
	await(-1);
	close(fd);
	return seen.n != before;
}

/* The far end sends a datagram. */
static void far_sends(const char *src, const char *dst, uint16_t sport, uint16_t dport)
{
	uint8_t f[64], mac[6];
	size_t n;

	mac_of(lab.host, "vu-t", mac);
	n = build(f, mac, src, dst, sport, dport);
	assert_int_equal(write(tap, f, n), n);
}

/* --- set-up ----------------------------------------------------------------------------- */

static void make_tap(void)
{
	struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI};

	tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	assert_true(tap >= 0);
	strcpy(r.ifr_name, "vu-t");
	assert_int_equal(ioctl(tap, TUNSETIFF, &r), 0);
	net_lab_run("ip addr add 169.254.118.1/30 dev vu-t; ip addr add fd76::1/64 dev vu-t nodad; "
		    "ip link set vu-t up; "
		    "ip neigh add 169.254.118.2 lladdr 02:00:00:00:00:02 dev vu-t nud permanent; "
		    "ip neigh add fd76::2 lladdr 02:00:00:00:00:02 dev vu-t nud permanent");
}

static int open_all(void **state)
{
	(void)state;
	if (access("/dev/net/tun", R_OK | W_OK) < 0 || !net_lab_open(&lab))
		return 0;
	nft = nft_create();
	if (!nft || nft_set(nft, uplink(), 1, NULL, 0, why) < 0) {
		print_message("[  SKIPPED ] nftables: %s\n", why);
		return 0;
	}
	has_lab = true;
	make_tap();
	assert_int_equal(sysctl_forward(&forwarding, true, true), 0);
	assert_int_equal(sysctl_forward(&forwarding, false, true), 0);
	assert_int_equal(sysctl_route_localnet("vu-t", true), 0);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	nft_destroy(nft);
	if (has_lab)
		net_lab_close(&lab);
	return 0;
}

static void need_lab(void)
{
	if (!has_lab)
		skip();
}

/* Forwards of UDP: "PORT[-END]" or "ADDRESS PORT", NULL ends. */
static void forward(const char *bind, const char *to, uint16_t first, uint16_t last)
{
	struct nft_forward f = {.proto = 17, .first = first, .last = last};

	assert_true(ip_parse(to, &f.to));
	f.is_v6 = !ip_is_v4(&f.to);
	if (bind)
		assert_true(ip_parse(bind, &f.bind));
	if (nft_set(nft, uplink(), 1, &f, 1, why) < 0)
		fail_msg("%s", why);
}

/* --- tests ------------------------------------------------------------------------------ */

static void test_unbound(void **state)
{
	(void)state;
	need_lab();
	forward(NULL, "169.254.118.2", 5000, 5002);
	assert_true(answers(lab.lan, "192.0.2.1", 5000));
	assert_true(saw_source("192.0.2.9")); /* the client's own address */
	assert_true(answers(lab.lan, "192.0.2.7", 5002));
	assert_true(answers(lab.host, "192.0.2.1", 5001));
	assert_int_equal(seen.dport, 5001);
	assert_true(answers(lab.host, "127.0.0.1", 5000));
	assert_true(saw_source("169.254.118.1")); /* which is the only one that can be answered */
	assert_false(answers(lab.lan, "192.0.2.1", 4999));
	assert_false(answers(lab.lan, "192.0.2.1", 5003));
	assert_false(answers(lab.lan, "2001:db8::1", 5000));
}

static void test_unbound_v6(void **state)
{
	int local;

	(void)state;
	need_lab();
	forward(NULL, "fd76::2", 5000, 5000);
	assert_true(answers(lab.lan, "2001:db8::1", 5000));
	assert_true(saw_source("2001:db8::9"));
	assert_true(answers(lab.host, "2001:db8::1", 5000));
	assert_false(answers(lab.lan, "192.0.2.1", 5000));
	/* The kernel has no way back to ::1: what is there is left alone. */
	local = udp_socket(lab.host, "::1", 5000);
	assert_false(answers(lab.host, "::1", 5000));
	assert_true(await(local));
	close(local);
}

static void test_bound(void **state)
{
	(void)state;
	need_lab();
	forward("192.0.2.7", "169.254.118.2", 5000, 5000);
	assert_true(answers(lab.lan, "192.0.2.7", 5000));
	assert_true(answers(lab.host, "192.0.2.7", 5000));
	assert_false(answers(lab.lan, "192.0.2.1", 5000));
	assert_false(answers(lab.host, "127.0.0.1", 5000));
	/* An address that is not the host's is the business of whoever has it. */
	forward("192.0.2.9", "169.254.118.2", 5000, 5000);
	assert_false(answers(lab.host, "192.0.2.9", 5000));
}

static void test_loopback(void **state)
{
	struct nft_forward f = {.proto = 17, .first = 5000, .last = 5000, .is_v6 = 1};

	(void)state;
	need_lab();
	forward("127.0.0.1", "169.254.118.2", 5000, 5000);
	assert_true(answers(lab.host, "127.0.0.1", 5000));
	assert_true(saw_source("169.254.118.1"));
	assert_false(answers(lab.host, "192.0.2.1", 5000));
	assert_false(answers(lab.lan, "192.0.2.1", 5000));
	assert_false(neighbour_reaches("127.0.0.1", 5000));
	f.to = uplink()->far6;
	assert_true(ip_parse("::1", &f.bind));
	assert_int_equal(nft_set(nft, uplink(), 1, &f, 1, why), -EAFNOSUPPORT);
	assert_true(answers(lab.host, "127.0.0.1", 5000)); /* all is as it was */
}

/* Frames to our MAC for what is not ours to give. */
static void test_neighbour(void **state)
{
	(void)state;
	need_lab();
	forward(NULL, "169.254.118.2", 5000, 5000);
	assert_true(neighbour_reaches("192.0.2.1", 5000));
	assert_false(neighbour_reaches("127.0.0.1", 5000));
	assert_false(neighbour_reaches("169.254.118.2", 5000));
	assert_false(neighbour_reaches("169.254.118.2", 5001));
	forward("192.0.2.7", "169.254.118.2", 5000, 5000);
	assert_true(neighbour_reaches("192.0.2.7", 5000));
	assert_false(neighbour_reaches("192.0.2.1", 5000));
}

/* What comes in by the tap. */
static void test_out(void **state)
{
	struct sockaddr_in from;
	socklen_t n = sizeof(from);
	int lan, local;
	char byte;

	(void)state;
	need_lab();
	forward(NULL, "169.254.118.2", 5000, 5000);
	lan = udp_socket(lab.lan, "0.0.0.0", 7000);
	far_sends("169.254.118.2", "192.0.2.9", 40000, 7000);
	assert_true(await(lan));
	assert_int_equal(recvfrom(lan, &byte, 1, 0, (struct sockaddr *)&from, &n), 1);
	assert_int_equal(from.sin_addr.s_addr, inet_addr("192.0.2.1"));
	assert_int_equal(sendto(lan, "y", 1, 0, (struct sockaddr *)&from, n), 1);
	await(-1);
	assert_int_equal(seen.dport, 40000);
	assert_int_equal(recv(lan, &byte, 1, 0), 1);
	/* The host has another address: nothing has to be told to anybody. */
	net_lab_run("ip addr del 192.0.2.1/24 dev eth0; ip addr add 192.0.2.20/24 dev eth0; "
		    "ip addr add 192.0.2.7/24 dev eth0 2>/dev/null; true");
	net_lab_run("ip addr del 192.0.2.7/24 dev eth0 2>/dev/null; true");
	far_sends("169.254.118.2", "192.0.2.9", 40001, 7000);
	assert_true(await(lan));
	n = sizeof(from);
	assert_int_equal(recvfrom(lan, &byte, 1, 0, (struct sockaddr *)&from, &n), 1);
	assert_int_equal(from.sin_addr.s_addr, inet_addr("192.0.2.20"));
	assert_true(answers(lab.lan, "192.0.2.20", 5000));
	net_lab_run("ip addr flush dev eth0 scope global; ip addr add 192.0.2.1/24 dev eth0; "
		    "ip addr add 192.0.2.7/24 dev eth0; ip addr add 2001:db8::1/64 dev eth0 nodad");
	/* A forward by the host's address, seen from behind it. */
	far_sends("169.254.118.2", "192.0.2.1", 40002, 5000);
	await(-1);
	assert_int_equal(seen.dport, 5000);
	assert_true(saw_source("169.254.118.1"));
	/* Loopback of the host, in spite of route_localnet. */
	local = udp_socket(lab.host, "127.0.0.1", 6000);
	far_sends("169.254.118.2", "127.0.0.1", 40003, 6000);
	assert_false(await(local));
	far_sends("127.0.0.1", "192.0.2.1", 40003, 6000);
	assert_false(await(local));
	close(local);
	close(lan);
}

static void test_put_back(void **state)
{
	bool again;

	(void)state;
	need_lab();
	if (system("nft -v >/dev/null 2>&1") != 0)
		skip();
	forward(NULL, "169.254.118.2", 5000, 5000);
	assert_int_equal(nft_check(nft, &again), 0);
	assert_false(again);
	/* Owned, it is out of reach. */
	if (!nft->cannot_own) {
		assert_int_not_equal(system("nft delete table inet vfab 2>/dev/null"), 0);
		net_lab_run("nft flush ruleset");
		assert_true(answers(lab.lan, "192.0.2.1", 5000));
		assert_int_equal(nft_check(nft, &again), 0);
		assert_false(again);
	}
	/* As with an older kernel, also where an earlier vfabd left its own. */
	assert_int_equal(nft_set(nft, NULL, 0, NULL, 0, why), 0);
	net_lab_run("nft add table inet vfab; nft add chain inet vfab old");
	nft->cannot_own = true;
	forward(NULL, "169.254.118.2", 5000, 5000);
	net_lab_run("nft flush ruleset");
	assert_int_equal(nft_check(nft, &again), 0);
	assert_true(again);
	assert_true(answers(lab.lan, "192.0.2.1", 5000));
	assert_int_equal(nft_check(nft, &again), 0);
	assert_false(again);
	net_lab_run("nft add rule inet vfab forward drop");
	assert_int_equal(nft_check(nft, &again), 0);
	assert_true(again);
	assert_int_equal(nft_set(nft, NULL, 0, NULL, 0, why), 0);
	nft->cannot_own = false;
	net_lab_run("test -z \"$(nft list ruleset)\"");
}

static void test_block(void **state)
{
	(void)state;
	need_lab();
	if (system("nft -v >/dev/null 2>&1") != 0)
		skip();
	forward(NULL, "169.254.118.2", 5000, 5000);
	assert_false(nft_find_block(nft, why));
	net_lab_run(
		"nft add table ip filter; "
		"nft add chain ip filter FORWARD '{ type filter hook forward priority 0; policy "
		"drop; }'");
	assert_true(nft_find_block(nft, why));
	assert_non_null(strstr(why, "ip filter FORWARD"));
	assert_non_null(strstr(why, "iptables -I FORWARD -i vu-t -j ACCEPT"));
	assert_false(answers(lab.lan, "192.0.2.1", 5000));
	net_lab_run("nft insert rule ip filter FORWARD iifname vu-t accept");
	assert_true(nft_find_block(nft, why));
	net_lab_run("nft insert rule ip filter FORWARD oifname 'vu-*' counter accept");
	assert_false(nft_find_block(nft, why));
	assert_true(answers(lab.lan, "192.0.2.1", 5000));
	net_lab_run(
		"nft add table inet mine; "
		"nft add chain inet mine f '{ type filter hook forward priority 5; policy drop; "
		"}'");
	assert_true(nft_find_block(nft, why));
	assert_non_null(strstr(why, "nft insert rule inet mine f iifname vu-t accept"));
	net_lab_run("nft flush ruleset");
	assert_false(nft_find_block(nft, why));
}

static void test_many(void **state)
{
	static struct nft_forward f[NFT_FORWARDS_MAX];
	unsigned i;

	(void)state;
	need_lab();
	why[0] = '\0';
	for (i = 0; i < NFT_FORWARDS_MAX; i++) {
		f[i] = (struct nft_forward){.proto = i & 1 ? 17 : 6, .to = uplink()->far4};
		f[i].first = f[i].last = (uint16_t)(1000 + i / 2);
	}
	if (nft_set(nft, uplink(), 1, f, NFT_FORWARDS_MAX, why) == -EMSGSIZE)
		skip(); /* in a namespace for users */
	assert_string_equal(why, "");
	assert_true(answers(lab.lan, "192.0.2.1", 1000 + NFT_FORWARDS_MAX / 2 - 1));
	assert_int_equal(nft_set(nft, uplink(), 1, f, 0, why), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unbound),	  cmocka_unit_test(test_unbound_v6),
		cmocka_unit_test(test_bound),	  cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_neighbour), cmocka_unit_test(test_out),
		cmocka_unit_test(test_put_back),  cmocka_unit_test(test_block),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
