/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_broker_host: the host's side of host uplinks as the broker does it: sets that a hostile switch sends, ports that are in use,
 * switches of the stack on and off again.  What the table does is test_nft.c's.  Between the namespaces of net_lab.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bridge/sysctl.h"
#include "switch/broker_check.h"
#include "switch/broker_file.h"
#include "switch/broker_host.h"
#include "tests/lib/broker_lab.h"

static struct broker_lab lab;
static bool has_nft;
static struct host *host;
static char text[TAP_TEXT_SIZE];
static char record[] = "/tmp/vfab-host.XXXXXX";
static struct host_needs needs = {.record = record};
static struct nft_uplink uplink = {.ifname = "vu-t"};

static int take(const char *said, enum host_news news, void *arg)
{
	(void)news;
	*(bool *)arg = true;
	snprintf(text, sizeof(text), "%s", said);
	return 0;
}

static bool ask(void)
{
	bool is_told = false;

	host_tell(host, take, &is_told);
	return is_told;
}

/* Waits until the host has something to tell, which is in text then. */
static bool noticed(unsigned ms)
{
	return broker_lab_wait(&lab, ms, ask);
}

static int set_host(unsigned n_uplinks, const struct nft_forward *f, unsigned n, bool leaves)
{
	struct host_set set = {
		.n_uplinks = n_uplinks, .n_forwards = n, .leaves_forwarding = leaves};
	char both[sizeof(uplink) + 8 * sizeof(*f)];
	size_t bytes = n_uplinks * sizeof(uplink);
	int fd, err;

	memcpy(both, &uplink, bytes);
	if (n > 0)
		memcpy(both + bytes, f, n * sizeof(*f));
	fd = text_create(both, bytes + n * sizeof(*f));
	assert_true(fd >= 0);
	err = host_take(host, &set, fd, text);
	close(fd);
	return err;
}

static char sysctl_value(const char *path)
{
	char full[128], c = '?';
	FILE *f;

	snprintf(full, sizeof(full), "/proc/sys/net/%s", path);
	f = fopen(full, "r");
	if (f) {
		c = (char)fgetc(f);
		fclose(f);
	}
	return c;
}

static int open_all(void **state)
{
	struct tap_spec spec = {.port = "up", .ifname = "vu-t", .queues = 1};
	int fds[PORT_QUEUES_MAX];
	struct tap_answer a;

	(void)state;
	close(mkstemp(record));
	if (!broker_lab_open(&lab))
		return 0;
	needs.due = broker_lab_due;
	needs.arg = &lab;
	needs.loop = lab.loop;
	needs.taps = lab.taps;
	host = host_create(&needs);
	assert_non_null(host);
	prefix_parse("169.254.118.1/30", &spec.ipv4);
	prefix_parse("fd76::1/64", &spec.ipv6);
	taps_open(lab.taps, &spec, &a, fds);
	assert_int_equal(a.error, 0);
	ip_parse("169.254.118.1", &uplink.own4);
	ip_parse("169.254.118.2", &uplink.far4);
	ip_parse("fd76::1", &uplink.own6);
	ip_parse("fd76::2", &uplink.far6);
	has_nft = set_host(1, NULL, 0, true) == 0;
	if (!has_nft)
		print_message("[  SKIPPED ] %s\n", text);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	host_destroy(host);
	unlink(record);
	broker_lab_close(&lab);
	return 0;
}

static int begin(void **state)
{
	(void)state;
	if (has_nft)
		assert_int_equal(set_host(0, NULL, 0, false), 0);
	return 0;
}

static void need_nft(void)
{
	if (!has_nft)
		skip();
}

static struct nft_forward forward(uint8_t proto, const char *bind, uint16_t first, uint16_t last)
{
	struct nft_forward f = {.proto = proto, .first = first, .last = last, .to = uplink.far4};

	if (bind)
		assert_true(ip_parse(bind, &f.bind));
	return f;
}

/* A socket that waits for strangers. */
static int occupy(int type, const char *address, uint16_t port, bool only6)
{
	bool is_v6 = strchr(address, ':');
	struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(is_v6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC, 0), only = only6;

	assert_true(fd >= 0);
	if (is_v6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
		inet_pton(AF_INET6, address, &a6.sin6_addr);
		assert_int_equal(bind(fd, (struct sockaddr *)&a6, sizeof(a6)), 0);
	} else {
		inet_pton(AF_INET, address, &a4.sin_addr);
		assert_int_equal(bind(fd, (struct sockaddr *)&a4, sizeof(a4)), 0);
	}
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void test_ports(void **state)
{
	static const struct {
		const char *bind, *socket;
		int type;
		uint8_t proto;
		bool only6, is_taken;
	} row[] = {
		{NULL, "0.0.0.0", SOCK_STREAM, 6, false, true},
		{NULL, "0.0.0.0", SOCK_STREAM, 17, false, false},
		{NULL, "0.0.0.0", SOCK_DGRAM, 17, false, true},
		{NULL, "192.0.2.7", SOCK_STREAM, 6, false, true},
		{NULL, "::", SOCK_STREAM, 6, false, true},
		{NULL, "::", SOCK_STREAM, 6, true, false},
		{NULL, "2001:db8::1", SOCK_STREAM, 6, true, false},
		{"192.0.2.7", "192.0.2.7", SOCK_DGRAM, 17, false, true},
		{"192.0.2.7", "192.0.2.1", SOCK_DGRAM, 17, false, false},
		{"192.0.2.7", "::", SOCK_DGRAM, 17, false, true},
		{"127.0.0.1", "192.0.2.1", SOCK_STREAM, 6, false, false},
		{"127.0.0.1", "0.0.0.0", SOCK_STREAM, 6, false, true},
	};
	struct nft_forward f;
	size_t i;
	int fd, err;

	(void)state;
	need_nft();
	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		fd = occupy(row[i].type, row[i].socket, 8080, row[i].only6);
		f = forward(row[i].proto, row[i].bind, 8000, 8100);
		err = set_host(1, &f, 1, false);
		if (err != (row[i].is_taken ? -EADDRINUSE : 0))
			fail_msg("row %zu: %d %s", i, err, text);
		if (err) {
			assert_non_null(strstr(text, row[i].proto == 6 ? "port 8080/tcp"
								       : "port 8080/udp"));
			assert_non_null(strstr(text, "in use by test_"));
		}
		close(fd);
		assert_int_equal(set_host(0, NULL, 0, false), 0);
	}
	/* Who comes after the forward has no say. */
	f = forward(6, NULL, 8000, 8100);
	assert_int_equal(set_host(1, &f, 1, false), 0);
	fd = occupy(SOCK_STREAM, "0.0.0.0", 8080, false);
	assert_int_equal(set_host(1, &f, 1, false), 0);
	close(fd);
}

static void test_stack(void **state)
{
	struct nft_forward f = forward(6, "127.0.0.1", 8080, 8080);

	(void)state;
	need_nft();
	assert_int_equal(sysctl_value("ipv4/ip_forward"), '0');
	net_lab_run("echo 1 > /proc/sys/net/ipv6/conf/eth0/accept_ra");
	assert_int_equal(set_host(1, NULL, 0, true), 0);
	assert_non_null(strstr(text, "does not forward IPv4"));
	assert_int_equal(sysctl_value("ipv4/ip_forward"), '0');
	assert_int_equal(set_host(1, NULL, 0, false), 0);
	assert_string_equal(text, "");
	assert_int_equal(sysctl_value("ipv4/ip_forward"), '1');
	assert_int_equal(sysctl_value("ipv6/conf/all/forwarding"), '1');
	assert_int_equal(sysctl_value("ipv6/conf/eth0/accept_ra"), '2');
	assert_int_equal(sysctl_value("ipv4/conf/vu-t/route_localnet"), '0');
	assert_int_equal(set_host(1, &f, 1, false), 0);
	assert_int_equal(sysctl_value("ipv4/conf/vu-t/route_localnet"), '1');
	assert_int_equal(sysctl_value("ipv4/conf/eth0/route_localnet"), '0');
	f = forward(6, "192.0.2.1", 8080, 8080);
	assert_int_equal(set_host(1, &f, 1, false), 0);
	assert_int_equal(sysctl_value("ipv4/conf/vu-t/route_localnet"), '0');
	/* A new switch that does not ask for it. */
	host_unclaim(host);
	host_sweep(host);
	assert_int_equal(sysctl_value("ipv4/ip_forward"), '0');
	assert_int_equal(sysctl_value("ipv6/conf/all/forwarding"), '0');
	assert_int_equal(sysctl_value("ipv6/conf/eth0/accept_ra"), '1');
	/* On before us, it stays on. */
	net_lab_run("echo 1 > /proc/sys/net/ipv4/ip_forward");
	assert_int_equal(set_host(1, NULL, 0, false), 0);
	assert_int_equal(set_host(0, NULL, 0, false), 0);
	assert_int_equal(sysctl_value("ipv4/ip_forward"), '1');
	net_lab_run("echo 0 > /proc/sys/net/ipv4/ip_forward");
}

/* A vfabd that was killed: the next one knows what it did. */
static void test_recover(void **state)
{
	struct sysctl_forwarding f;

	(void)state;
	need_nft();
	net_lab_run("echo 1 > /proc/sys/net/ipv6/conf/eth0/accept_ra");
	assert_int_equal(set_host(1, NULL, 0, false), 0);
	sysctl_recover(&f, record);
	assert_true(f.is_on4 && f.is_on6 && f.n_ra > 0);
	assert_int_equal(sysctl_forward(&f, true, false), 0);
	assert_int_equal(sysctl_forward(&f, false, false), 0);
	assert_int_equal(sysctl_value("ipv4/ip_forward"), '0');
	assert_int_equal(sysctl_value("ipv6/conf/eth0/accept_ra"), '1');
	assert_int_equal(access(record, F_OK), -1);
	/* Turned off by hand meanwhile: that stands. */
	sysctl_recover(&f, record);
	assert_true(!f.is_on4 && !f.is_on6);
}

/* Clients that do not stop sending. */
static void test_udp_flows(void **state)
{
	struct nft_forward f = forward(17, NULL, 9000, 9000);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9000)};
	int lan;

	(void)state;
	need_nft();
	assert_int_equal(set_host(1, NULL, 0, false), 0);
	net_lab_enter(&lab.net, lab.net.lan);
	lan = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	net_lab_enter(&lab.net, lab.net.host);
	inet_pton(AF_INET, "192.0.2.1", &to.sin_addr);
	assert_int_equal(sendto(lan, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	usleep(20000);
	net_lab_run("grep -q 'dport=9000 .*src=192.0.2.1 ' /proc/net/nf_conntrack");
	assert_int_equal(set_host(1, &f, 1, false), 0);
	assert_int_equal(sendto(lan, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	usleep(20000);
	net_lab_run("grep -q 'dport=9000 .*src=169.254.118.2 ' /proc/net/nf_conntrack");
	assert_int_equal(set_host(1, NULL, 0, false), 0);
	net_lab_run("! grep -q 'dport=9000 ' /proc/net/nf_conntrack");
	close(lan);
}

static void test_ruleset(void **state)
{
	(void)state;
	need_nft();
	if (system("nft -v >/dev/null 2>&1") != 0)
		skip();
	assert_int_equal(set_host(1, NULL, 0, false), 0);
	ask(); /* that forwarding was turned on */
	net_lab_run("nft list table inet vfab >/dev/null");
	net_lab_run("nft add table ip filter; nft add chain ip filter FORWARD "
		    "'{ type filter hook forward priority 0; policy drop; }'");
	assert_true(noticed(3000));
	assert_non_null(strstr(text, "iptables -I FORWARD -i vu-t -j ACCEPT"));
	/* Said in the answer too, and not again. */
	assert_int_equal(set_host(1, NULL, 0, false), 0);
	assert_non_null(strstr(text, "ip filter FORWARD"));
	net_lab_run("nft flush ruleset");
	assert_true(noticed(3000));
	assert_non_null(strstr(text, "any more"));
	net_lab_run("nft list table inet vfab >/dev/null");
	assert_int_equal(set_host(0, NULL, 0, false), 0);
	net_lab_run("test -z \"$(nft list ruleset)\"");
}

/* Whatever a hostile switch may put into the arrays. */
static void test_hostile(void **state)
{
	struct nft_forward f = forward(6, NULL, 80, 80);
	struct host_set set = {.n_uplinks = 1, .n_forwards = 1};
	struct nft_uplink good = uplink;
	int fd;

	(void)state;
	need_nft();
	assert_int_equal(set_host(1, &f, 1, false), 0);
	strcpy(uplink.ifname, "eth0");
	assert_int_equal(set_host(1, &f, 1, false), -ENODEV);
	assert_non_null(strstr(text, "eth0 is no tap of the fabric"));
	uplink = good;
	f = forward(6, "::1", 80, 80);
	f.to = uplink.far6;
	assert_int_equal(set_host(1, &f, 1, false), -EAFNOSUPPORT);
	/* A memfd that can still be written, is too short, or is none. */
	fd = memfd_create("x", MFD_ALLOW_SEALING);
	assert_int_equal(ftruncate(fd, sizeof(uplink) + sizeof(f)), 0);
	assert_int_equal(host_take(host, &set, fd, text), -EINVAL);
	close(fd);
	fd = text_create("x", 1);
	assert_int_equal(host_take(host, &set, fd, text), -EINVAL);
	close(fd);
	assert_int_equal(host_take(host, &set, -1, text), -EINVAL);
	net_lab_run("nft list table inet vfab | grep -q 'tcp dport 80 dnat'");
}

/* The arrays alone, which needs no rights. */
static void test_check(void **state)
{
	struct host_set set = {.n_uplinks = 2, .n_forwards = 1};
	struct nft_uplink u[2] = {{.ifname = "a"}, {.ifname = "b"}}, good[2];
	struct nft_forward f = {.proto = 6, .first = 1, .last = 1}, good_f;

	(void)state;
	ip_parse("10.0.0.1", &u[0].own4);
	ip_parse("10.0.0.2", &u[0].far4);
	u[1].own4 = u[0].own4;
	u[1].far4 = u[0].far4;
	f.to = u[0].far4;
	memcpy(good, u, sizeof(u));
	good_f = f;
#define BAD(change)                                                                                \
	do {                                                                                       \
		memcpy(u, good, sizeof(u));                                                        \
		f = good_f;                                                                        \
		change;                                                                            \
		assert_int_equal(broker_host_check(&set, u, &f, text), -EINVAL);                   \
	} while (0)
	assert_int_equal(broker_host_check(&set, u, &f, text), 0);
	BAD(strcpy(u[1].ifname, "a"));
	BAD(strcpy(u[1].ifname, ".."));
	BAD(strcpy(u[1].ifname, "a/b"));
	BAD(memset(u[1].ifname, 'a', sizeof(u[1].ifname)));
	BAD(u[0].own4 = (struct ip){{0}});
	BAD(u[0].far4 = u[0].own4);
	BAD(u[0].own6 = u[0].own4);
	BAD(ip_parse("fd00::1", &u[0].far4));
	BAD(f.uplink = 2);
	BAD(f.proto = 1);
	BAD(f.first = 0);
	BAD(f.first = 2);
	BAD(f.is_v6 = 1);
	BAD(f.to = (struct ip){{0}});
	BAD(ip_parse("fd00::1", &f.to));
	BAD(ip_parse("fd00::1", &f.bind));
#undef BAD
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check),
		cmocka_unit_test_setup(test_ports, begin),
		cmocka_unit_test_setup(test_stack, begin),
		cmocka_unit_test_setup(test_recover, begin),
		cmocka_unit_test_setup(test_udp_flows, begin),
		cmocka_unit_test_setup(test_ruleset, begin),
		cmocka_unit_test_setup(test_hostile, begin),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
