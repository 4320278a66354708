/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_broker: what the broker takes from the switch, how the switch asks, and the files between the two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "bridge/netns.h"
#include "nat/nat.h"
#include "switch/broker.h"
#include "switch/broker_check.h"
#include "switch/broker_file.h"
#include "switch/broker_spawn.h"
#include "switch/broker_wire.h"
#include "switch/state.h"

static char dir[] = "/tmp/vfab-broker.XXXXXX";
static char why[TAP_TEXT_SIZE];

static struct broker_request good_request(void)
{
	struct broker_request q = {.op = BROKER_TAP_OPEN};

	strcpy(q.tap.port, "web");
	strcpy(q.tap.ifname, "eth0");
	strcpy(q.tap.netns, "c1");
	q.tap.mtu = 1500;
	q.tap.queues = 1;
	prefix_parse("10.0.0.5/24", &q.tap.ipv4);
	prefix_parse("fd00::5/64", &q.tap.ipv6);
	ip_parse("10.0.0.1", &q.tap.gateway);
	q.tap.has_gateway = 1;
	return q;
}

static int check(const struct broker_request *q, struct broker_request *out)
{
	return broker_request_check(q, sizeof(*q), 0, out, why);
}

static void test_good_requests(void **state)
{
	struct broker_request q = good_request(), out;

	(void)state;
	assert_int_equal(check(&q, &out), 0);
	assert_memory_equal(&q, &out, sizeof(q));
	q.op = BROKER_TAP_SET;
	assert_int_equal(check(&q, &out), 0);
	memset(&q.tap, 0, sizeof(q.tap));
	q.op = BROKER_READY;
	assert_int_equal(check(&q, &out), 0);
	q.op = BROKER_TAP_CLOSE;
	strcpy(q.port, "web");
	assert_int_equal(check(&q, &out), 0);
	q.op = BROKER_CONF_KEEP;
	assert_int_equal(broker_request_check(&q, sizeof(q), 1, &out, why), 0);
	q.op = BROKER_LINK_CLOSE;
	assert_int_equal(check(&q, &out), 0);
}

static void test_bad_sizes(void **state)
{
	struct broker_request q = good_request(), out;
	uint32_t op;
	size_t n;

	(void)state;
	for (n = 0; n < sizeof(q); n++)
		assert_int_equal(broker_request_check(&q, n, 0, &out, why), -EINVAL);
	assert_int_equal(broker_request_check(&q, sizeof(q) + 1, 0, &out, why), -EINVAL);
	/* Descriptors that nobody asked for, and the one that is missing. */
	assert_int_equal(broker_request_check(&q, sizeof(q), 1, &out, why), -EINVAL);
	q.op = BROKER_CONF_SAVE;
	assert_int_equal(broker_request_check(&q, sizeof(q), 0, &out, why), -EINVAL);
	assert_int_equal(broker_request_check(&q, sizeof(q), 2, &out, why), -EINVAL);
	for (op = BROKER_OP_END; op < BROKER_OP_END + 100; op++) {
		q.op = op;
		assert_int_equal(check(&q, &out), -EINVAL);
	}
	q.op = 0;
	assert_int_equal(check(&q, &out), -EINVAL);
}

/* Strings that a field may and may not have. */
static void test_strings(void **state)
{
	static const struct {
		const char *port, *ifname, *netns;
		bool is_good;
	} row[] = {
		{"a", "b", "", true},	      {"A.b_c-9", "eth0.5", "/proc/17/ns/net", true},
		{"a", "-weird", "1", true},   {"a", "eth0", "4194304", true},
		{"", "b", "", false},	      {"-a", "b", "", false},
		{".a", "b", "", false},	      {"a/b", "b", "", false},
		{"a b", "b", "", false},      {"a\n", "b", "", false},
		{"a", "", "", false},	      {"a", ".", "", false},
		{"a", "..", "", false},	      {"a", "tap%d", "", false},
		{"a", "a/b", "", false},      {"a", "a:b", "", false},
		{"a", "a b", "", false},      {"a", "a\xff", "", false},
		{"a", "b", "..", false},      {"a", "b", "c/d", false},
		{"a", "b", "-c", false},      {"a", "b", "c d", false},
		{"a", "b", "0", false},	      {"a", "b", "017", false},
		{"a", "b", "4194305", false}, {"a", "b", "99999999999999999999999", false},
	};
	struct broker_request q, out;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		q = good_request();
		snprintf(q.tap.port, sizeof(q.tap.port), "%s", row[i].port);
		snprintf(q.tap.ifname, sizeof(q.tap.ifname), "%s", row[i].ifname);
		snprintf(q.tap.netns, sizeof(q.tap.netns), "%s", row[i].netns);
		if ((check(&q, &out) == 0) != row[i].is_good)
			fail_msg("port \"%s\" interface \"%s\" namespace \"%s\"", row[i].port,
				 row[i].ifname, row[i].netns);
	}
	/* No end: the string would run into the next field. */
	q = good_request();
	memset(q.tap.port, 'a', sizeof(q.tap.port));
	assert_int_equal(check(&q, &out), -EINVAL);
	q = good_request();
	memset(q.tap.ifname, 'a', sizeof(q.tap.ifname));
	assert_int_equal(check(&q, &out), -EINVAL);
	q = good_request();
	memset(q.tap.netns, 'a', sizeof(q.tap.netns));
	assert_int_equal(check(&q, &out), -EINVAL);
	/* What lies after the end is nobody's. */
	q = good_request();
	q.tap.port[10] = 'x';
	assert_int_equal(check(&q, &out), 0);
	assert_int_equal(out.tap.port[10], 0);
}

static void test_numbers(void **state)
{
	struct broker_request q, out;
	uint8_t two = 2;

	(void)state;
	q = good_request();
	q.tap.mtu = 67;
	assert_int_equal(check(&q, &out), -EINVAL);
	q.tap.mtu = 65521;
	assert_int_equal(check(&q, &out), -EINVAL);
	q.tap.mtu = 0;
	assert_int_equal(check(&q, &out), 0);
	q.tap.queues = 0;
	assert_int_equal(check(&q, &out), -EINVAL);
	q.tap.queues = 17;
	assert_int_equal(check(&q, &out), -EINVAL);
	q = good_request();
	q.tap.mac.b[0] = 1;
	assert_int_equal(check(&q, &out), -EINVAL);
	q = good_request();
	q.tap.may_wait = 2;
	assert_int_equal(check(&q, &out), -EINVAL);
	q = good_request();
	memcpy((uint8_t *)&q.tap.ipv4 + offsetof(struct prefix, is_set), &two, 1);
	assert_int_equal(check(&q, &out), -EINVAL);
	q = good_request();
	q.tap.ipv4.len = 33;
	assert_int_equal(check(&q, &out), -EINVAL);
	q = good_request();
	q.tap.ipv4 = q.tap.ipv6;
	assert_int_equal(check(&q, &out), -EINVAL);
	q = good_request();
	q.tap.has_gateway = 0;
	q.tap.ipv4.is_set = false;
	assert_int_equal(check(&q, &out), 0);
	assert_int_equal(out.tap.ipv4.len, 0);
	assert_int_equal(out.tap.gateway.b[15], 0);
}

static struct broker_request good_guest(void)
{
	struct broker_request q = {.op = BROKER_GUEST_OPEN};

	strcpy(q.guest.port, "vm");
	strcpy(q.guest.path, "/run/vfab/a b.sock");
	strcpy(q.guest.owner, "libvirt-qemu:kvm");
	q.guest.mode = 0660;
	return q;
}

static void test_guest_specs(void **state)
{
	static const struct {
		const char *port, *path, *owner;
		bool is_good;
	} row[] = {
		{"vm", "/a", "", true},	       {"vm", "/a/\xc3\xbc", "root", true},
		{"vm", "", "", false},	       {"vm", "a", "", false},
		{"vm", "./a", "", false},      {"vm", "/a\n", "", false},
		{"vm", "/\x1b[2J", "", false}, {"vm", "/\x7f", "", false},
		{"vm", "/a", "a b", false},    {"vm", "/a", "a\n", false},
		{"-vm", "/a", "", false},      {"", "/a", "", false},
	};
	struct broker_request q, out;
	size_t i;

	(void)state;
	q = good_guest();
	assert_int_equal(check(&q, &out), 0);
	assert_memory_equal(&q, &out, sizeof(q));
	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		q = good_guest();
		snprintf(q.guest.port, sizeof(q.guest.port), "%s", row[i].port);
		snprintf(q.guest.path, sizeof(q.guest.path), "%s", row[i].path);
		snprintf(q.guest.owner, sizeof(q.guest.owner), "%s", row[i].owner);
		if ((check(&q, &out) == 0) != row[i].is_good)
			fail_msg("port \"%s\" path \"%s\" owner \"%s\"", row[i].port, row[i].path,
				 row[i].owner);
	}
	/* 107 bytes and an end are a path, 108 bytes are none. */
	q = good_guest();
	memset(q.guest.path, '/', sizeof(q.guest.path) - 1);
	assert_int_equal(check(&q, &out), 0);
	memset(q.guest.path, '/', sizeof(q.guest.path));
	assert_int_equal(check(&q, &out), -EINVAL);
	q = good_guest();
	memset(q.guest.owner, 'a', sizeof(q.guest.owner));
	assert_int_equal(check(&q, &out), -EINVAL);
	q = good_guest();
	q.guest.mode = 01000;
	assert_int_equal(check(&q, &out), -EINVAL);
	q.guest.is_client = 1;
	assert_int_equal(check(&q, &out), 0);
	assert_int_equal(out.guest.mode, 0);
	assert_string_equal(out.guest.owner, "");
	q.guest.is_client = 2;
	assert_int_equal(check(&q, &out), -EINVAL);
	q = good_guest();
	q.guest.may_wait = 2;
	assert_int_equal(check(&q, &out), -EINVAL);
	assert_int_equal(broker_request_check(&q, sizeof(q), 1, &out, why), -EINVAL);
}

static void test_guest_keeps(void **state)
{
	struct broker_request q = {.op = BROKER_GUEST_KEEP}, out;
	unsigned n;

	(void)state;
	strcpy(q.keep.port, "vm");
	for (n = 0; n <= GUEST_KEEP_FDS; n++) {
		q.keep.n = (uint8_t)n;
		assert_int_equal(broker_request_check(&q, sizeof(q), n, &out, why), 0);
		assert_int_equal(broker_request_check(&q, sizeof(q), n + 1, &out, why), -EINVAL);
	}
	q.keep.n = (uint8_t)n;
	assert_int_equal(broker_request_check(&q, sizeof(q), n, &out, why), -EINVAL);
	q.keep.n = 1;
	q.keep.place[0] = GUEST_PLACES - 1;
	q.keep.place[1] = 255; /* nobody's */
	assert_int_equal(broker_request_check(&q, sizeof(q), 1, &out, why), 0);
	assert_int_equal(out.keep.place[1], 0);
	q.keep.place[0] = GUEST_PLACES;
	assert_int_equal(broker_request_check(&q, sizeof(q), 1, &out, why), -EINVAL);
	q.keep.n = 0;
	q.keep.empty[GUEST_PLACES / 64] = 1u << (GUEST_PLACES % 64 - 1);
	q.keep.empty[0] = UINT64_MAX;
	assert_int_equal(check(&q, &out), 0);
	q.keep.empty[GUEST_PLACES / 64] = 1u << (GUEST_PLACES % 64);
	assert_int_equal(check(&q, &out), -EINVAL);
	q.keep.empty[GUEST_PLACES / 64] = 0;
	q.keep.n_saved = GUEST_SAVED_SIZE;
	assert_int_equal(check(&q, &out), 0);
	q.keep.n_saved = GUEST_SAVED_SIZE + 1;
	assert_int_equal(check(&q, &out), -EINVAL);
	q.keep.n_saved = UINT32_MAX;
	assert_int_equal(check(&q, &out), -EINVAL);
	q.keep.n_saved = 0;
	q.keep.forget = 1;
	assert_int_equal(check(&q, &out), 0);
	q.keep.forget = 2;
	assert_int_equal(check(&q, &out), -EINVAL);
	q.keep.forget = 1;
	q.keep.n = 1;
	q.keep.place[0] = 0;
	assert_int_equal(broker_request_check(&q, sizeof(q), 1, &out, why), -EINVAL);
	q.keep.n = 0;
	memset(q.keep.port, 'a', sizeof(q.keep.port));
	assert_int_equal(check(&q, &out), -EINVAL);
	q.op = BROKER_GUEST_CLOSE;
	assert_int_equal(check(&q, &out), -EINVAL);
	strcpy(q.port, "vm");
	assert_int_equal(check(&q, &out), 0);
}

static void test_same_device(void **state)
{
	struct tap_spec a = good_request().tap, b = a;

	(void)state;
	b.mtu = 9000;
	b.may_wait = 1;
	assert_true(tap_spec_same_device(&a, &b));
	b.queues = 2;
	assert_false(tap_spec_same_device(&a, &b));
	b = a;
	strcpy(b.netns, "c2");
	assert_false(tap_spec_same_device(&a, &b));
}

static void test_netns_specs(void **state)
{
	char buf[NETNS_PATH_SIZE];
	int own, fd;

	(void)state;
	assert_int_equal(netns_pid("17"), 17);
	assert_int_equal(netns_pid("/proc/18/ns/net"), 18);
	assert_int_equal(netns_pid("/proc/18/ns/mnt"), 0);
	assert_int_equal(netns_pid("c1"), 0);
	assert_string_equal(netns_dir("c1", buf), "/run/netns");
	assert_string_equal(netns_dir("/var/x/y", buf), "/var/x");
	assert_string_equal(netns_dir("/x", buf), "/");
	assert_null(netns_dir("17", buf));
	assert_string_equal(netns_words("17", buf), "process 17");

	own = netns_open_own();
	assert_true(own >= 0);
	snprintf(buf, sizeof(buf), "%d", (int)getpid());
	fd = netns_open(buf);
	assert_true(netns_is_same(own, fd));
	close(fd);
	close(own);
	assert_int_equal(netns_open("/dev/null"), -EINVAL);
	assert_int_equal(netns_open("/proc/self/ns/uts"), -EINVAL);
	assert_int_equal(netns_open("/nonexistent/x"), -ENOENT);
	assert_int_equal(netns_open("/dev/null/x"), -ENOENT);
	/* A FIFO that nobody writes to: opening it for real would wait for ever. */
	snprintf(buf, sizeof(buf), "%s/fifo", dir);
	assert_int_equal(mkfifo(buf, 0600), 0);
	assert_int_equal(netns_open(buf), -EINVAL);
	unlink(buf);
}

static void test_texts(void **state)
{
	char big[4096] = {0};
	int fd, pipes[2];

	(void)state;
	fd = text_create("networks: {}\n", 13);
	assert_int_equal(text_check(fd), 13);
	assert_int_equal(write(fd, "x", 1), -1);
	close(fd);
	fd = text_create("", 0);
	assert_int_equal(text_check(fd), 0);
	close(fd);
	/* Not sealed: it could shrink while it is read. */
	fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(text_check(fd), -EINVAL);
	assert_int_equal(ftruncate(fd, CONF_TEXT_MAX + 1), 0);
	assert_int_equal(
		fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE),
		0);
	assert_int_equal(text_check(fd), -EFBIG);
	close(fd);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(text_check(pipes[0]), -EINVAL);
	close(pipes[0]);
	close(pipes[1]);
	fd = open("/etc/passwd", O_RDONLY);
	assert_int_equal(text_check(fd), -EINVAL);
	close(fd);
	assert_int_equal(text_check(-1), -EINVAL);
	fd = text_create(big, sizeof(big));
	assert_int_equal(text_check(fd), sizeof(big));
	close(fd);
}

static void test_conf_file(void **state)
{
	char path[64], link_path[64], buf[64] = "";
	struct stat st;
	int fd, text;

	(void)state;
	snprintf(path, sizeof(path), "%s/vfab.yaml", dir);
	snprintf(link_path, sizeof(link_path), "%s/link.yaml", dir);
	assert_int_equal(conf_file_read(path, true), -ENOENT);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_int_equal(write(fd, "old", 3), 3);
	fchmod(fd, 0640);
	close(fd);
	assert_int_equal(symlink(path, link_path), 0);
	text = conf_file_read(link_path, true);
	assert_int_equal(text_check(text), 3);
	close(text);

	text = text_create("new text", 8);
	assert_int_equal(conf_file_write(link_path, text), 0);
	close(text);
	assert_int_equal(lstat(link_path, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	text = conf_file_read(path, false);
	assert_int_equal(pread(text, buf, sizeof(buf), 0), 8);
	assert_string_equal(buf, "new text");
	close(text);

	assert_int_equal(truncate(path, CONF_TEXT_MAX + 1), 0);
	assert_int_equal(conf_file_read(path, true), -EFBIG);
	assert_int_equal(truncate(path, CONF_TEXT_MAX), 0);
	text = conf_file_read(path, true);
	assert_int_equal(text_check(text), CONF_TEXT_MAX);
	close(text);
	unlink(path);
	unlink(link_path);
	/* A pipe is for the start: later nobody may make the broker wait. */
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(conf_file_read(path, false), -ESPIPE);
	text = text_create("x", 1);
	assert_int_equal(conf_file_write(path, text), -ESPIPE);
	close(text);
	unlink(path);
}

static void test_control_socket(void **state)
{
	struct listen_socket a, b;
	char path[64], parent[64];
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct stat st;
	int fd;

	(void)state;
	snprintf(parent, sizeof(parent), "%s/made", dir);
	snprintf(path, sizeof(path), "%s/made/vfab.sock", dir);
	assert_int_equal(control_socket_open(&a, path, why), 0);
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(control_socket_open(&b, path, why), -EADDRINUSE);
	listen_socket_close(&a);
	assert_int_equal(lstat(path, &st), -1);

	/* One that was left: nobody answers. */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	strcpy(addr.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(fd);
	assert_int_equal(control_socket_open(&a, path, why), 0);
	/* Somebody put another in its place: that one stays. */
	unlink(path);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	listen_socket_close(&a);
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(control_socket_open(&a, path, why), -EEXIST);
	unlink(path);
	/* A link, even to a place where one could be made. */
	assert_int_equal(symlink("elsewhere", path), 0);
	assert_int_equal(control_socket_open(&a, path, why), -EEXIST);
	unlink(path);
	rmdir(parent);
	assert_int_equal(control_socket_open(&a, "", why), -ENAMETOOLONG);
}

static void test_state_dir(void **state)
{
	char path[64];
	int a, b;

	(void)state;
	snprintf(path, sizeof(path), "%s/state", dir);
	a = state_dir_lock(path);
	assert_true(a >= 0);
	assert_int_equal(state_dir_lock(path), -EBUSY);
	close(a);
	b = state_dir_lock(path);
	assert_true(b >= 0);
	close(b);
	rmdir(path);
	assert_int_equal(state_dir_lock("/dev/null/x"), -ENOTDIR);
}

static void test_notify(void **state)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char buf[32] = "", name[128];
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0), n;

	(void)state;
	unsetenv("NOTIFY_SOCKET");
	tell_systemd("READY=1");
	n = snprintf(addr.sun_path + 1, 32, "vfab-test-%d", (int)getpid());
	assert_int_equal(bind(fd, (struct sockaddr *)&addr,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)),
			 0);
	snprintf(name, sizeof(name), "@%s", addr.sun_path + 1);
	setenv("NOTIFY_SOCKET", name, 1);
	tell_systemd("READY=1");
	assert_int_equal(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), 7);
	assert_string_equal(buf, "READY=1");
	close(fd);
	setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
	tell_systemd("READY=1");
	setenv("NOTIFY_SOCKET", "nonsense", 1);
	tell_systemd("READY=1");
}

/* The second crash: empty tables, the same events. */
/* The sessions' region: as large as nat.h wants it, empty, and empty again when it is made anew. */
static void test_nat_region(void **state)
{
	int fd = nat_region_create();
	struct stat st;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, nat_region_bytes());
	assert_int_equal(st.st_blocks, 0);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(pwrite(fd, "x", 1, 4096), 1);
	nat_region_renew(&fd);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_blocks, 0);
	close(fd);
}

static void test_region_renew(void **state)
{
	int fd = region_create(), old = fd;
	struct event e;
	struct state *s;
	bool fresh;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 10), -1);
	s = state_map(fd, &fresh);
	state_slot_take(s, "web");
	state_event(s, "port_up", "port web", "up");
	atomic_store(&s->ring[0][1].used, 7);
	s->is_answering[0] = 1;
	atomic_store(&s->fdb.bucket[0].key[0], 7);
	state_unmap(s);
	region_renew(&fd);
	assert_int_equal(fcntl(fd, F_GETFD) >= 0, 1);
	if (fd != old)
		assert_int_equal(fcntl(old, F_GETFD), -1);
	s = state_map(fd, &fresh);
	assert_int_equal(atomic_load(&s->fdb.bucket[0].key[0]), 0);
	assert_string_equal(s->port_name[0], "web"); /* with the places of its guest's rings */
	assert_int_equal(atomic_load(&s->ring[0][1].used), 7);
	assert_int_equal(s->is_answering[0], 1);
	assert_true(state_event_get(s, 1, &e));
	assert_string_equal(e.text, "up");
	state_unmap(s);
	close(fd);
}

/* The switch's side, against a broker that is two sockets. */
static void answer(int sock, const struct broker_reply *r, int fd, unsigned n)
{
	int fds[BROKER_FDS_MAX];
	unsigned i;

	for (i = 0; i < n; i++)
		fds[i] = fd;
	assert_int_equal(wire_send(sock, r, sizeof(*r), 0, fds, n), 0);
}

/* Every descriptor that a guest can have comes in one message, and none too many. */
static void try_guest(int broker_end)
{
	static struct broker_reply r;
	struct guest_keep keep = {.port = "vm", .n = GUEST_KEEP_FDS};
	int fds[BROKER_FDS_MAX], keep_fds[GUEST_KEEP_FDS];
	struct broker_request q = good_guest(), out;
	char text[TAP_TEXT_SIZE];
	struct guest_answer a;
	unsigned n_fds, i;

	r = (struct broker_reply){.guest = {.n = GUEST_PLACES, .has_listen = 1, .n_saved = 3}};
	for (i = 0; i < GUEST_PLACES; i++)
		r.guest.place[i] = (uint8_t)i;
	answer(broker_end, &r, STDERR_FILENO, BROKER_FDS_MAX);
	assert_int_equal(broker_guest_open(&q.guest, &a, fds, &n_fds, text), 0);
	assert_int_equal(n_fds, BROKER_FDS_MAX);
	assert_int_equal(a.n_saved, 3);
	assert_string_equal(text, "");
	for (i = 0; i < n_fds; i++)
		assert_int_equal(close(fds[i]), 0);
	assert_int_equal(recv(broker_end, &q, sizeof(q), 0), sizeof(q));
	assert_int_equal(check(&q, &out), 0);

	answer(broker_end, &r, STDERR_FILENO, BROKER_FDS_MAX - 1);
	assert_int_equal(broker_guest_open(&q.guest, &a, fds, &n_fds, text), -EPROTO);
	assert_int_equal(n_fds, 0);
	assert_int_equal(recv(broker_end, &q, sizeof(q), 0), sizeof(q));
	r = (struct broker_reply){.error = EADDRINUSE, .text = "taken"};
	answer(broker_end, &r, -1, 0);
	assert_int_equal(broker_guest_open(&q.guest, &a, fds, &n_fds, text), -EADDRINUSE);
	assert_string_equal(text, "taken");
	assert_int_equal(recv(broker_end, &q, sizeof(q), 0), sizeof(q));

	for (i = 0; i < GUEST_KEEP_FDS; i++)
		keep_fds[i] = STDERR_FILENO;
	r = (struct broker_reply){0};
	answer(broker_end, &r, -1, 0);
	assert_int_equal(broker_guest_keep(&keep, keep_fds), 0);
	assert_int_equal(wire_receive(broker_end, &q, sizeof(q), 0, fds, GUEST_KEEP_FDS, &n_fds),
			 sizeof(q));
	assert_int_equal(broker_request_check(&q, sizeof(q), n_fds, &out, why), 0);
	for (i = 0; i < n_fds; i++)
		close(fds[i]);
	/* More than the receiver has room for: none is taken. */
	answer(broker_end, &r, -1, 0);
	assert_int_equal(broker_guest_keep(&keep, keep_fds), 0);
	assert_int_equal(
		wire_receive(broker_end, &q, sizeof(q), 0, fds, GUEST_KEEP_FDS - 1, &n_fds),
		-EMFILE);
	assert_int_equal(n_fds, 0);
	answer(broker_end, &r, -1, 0);
	assert_int_equal(broker_guest_close("vm"), 0);
	assert_int_equal(recv(broker_end, &q, sizeof(q), 0), sizeof(q));
	assert_int_equal(check(&q, &out), 0);
	assert_int_equal(out.op, BROKER_GUEST_CLOSE);
}

static void try_link(int broker)
{
	struct broker_reply r = {.link = {.state = PORT_UP, .n_fds = 1, .mtu = 1400}};
	struct nft_uplink uplink = {.ifname = "vu-a"};
	struct nft_forward forward[2] = {{.first = 80}, {.first = 81}};
	const struct host_set set = {.n_uplinks = 1, .n_forwards = 2};
	struct link_spec spec = {.port = "wan", .interface = "eth0"};
	struct broker_request q;
	struct link_answer a;
	char text[LINK_TEXT_SIZE];
	unsigned n_fds;
	int fds[2], fd;

	/* Without helper. */
	answer(broker, &r, STDERR_FILENO, 1);
	assert_int_equal(broker_link_open(&spec, &a, fds), 0);
	assert_int_equal(a.mtu, 1400);
	assert_true(fds[0] >= 0);
	assert_int_equal(fds[1], -1);
	close(fds[0]);
	assert_int_equal(recv(broker, &q, sizeof(q), 0), sizeof(q));
	assert_memory_equal(&q.link, &spec, sizeof(spec));
	r.error = EADDRINUSE;
	r.link.n_fds = 0;
	strcpy(r.text, "the host has it");
	answer(broker, &r, -1, 0);
	assert_int_equal(broker_link_set(&spec, &a), -EADDRINUSE);
	assert_string_equal(a.text, "the host has it");
	answer(broker, &r, -1, 0);
	assert_int_equal(broker_host_set(&set, &uplink, forward, text), -EADDRINUSE);
	assert_string_equal(text, "the host has it");
	assert_int_equal(recv(broker, &q, sizeof(q), 0), sizeof(q));
	assert_int_equal(wire_receive(broker, &q, sizeof(q), 0, &fd, 1, &n_fds), sizeof(q));
	assert_int_equal(q.host.n_forwards, 2);
	assert_int_equal(text_check(fd), sizeof(uplink) + sizeof(forward));
	close(fd);
}

static void try_resolver(int broker)
{
	static struct resolver_servers s = {.n_sets = 1};
	struct broker_reply r = {0};
	struct broker_request q, out;
	unsigned n_fds;
	int fd;

	answer(broker, &r, STDERR_FILENO, 1);
	assert_int_equal(broker_resolver_set(&s, &fd, why), 0);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(wire_receive(broker, &q, sizeof(q), 0, &fd, 1, &n_fds), sizeof(q));
	assert_int_equal(broker_request_check(&q, sizeof(q), n_fds, &out, why), 0);
	assert_int_equal(text_check(fd), sizeof(s));
	close(fd);
	answer(broker, &r, -1, 0);
	assert_int_equal(broker_resolver_set(&s, &fd, why), 0);
	assert_int_equal(fd, -1);
	r = (struct broker_reply){.error = EINVAL, .text = "bad domain"};
	answer(broker, &r, -1, 0);
	assert_int_equal(broker_resolver_set(&s, &fd, why), -EINVAL);
	assert_int_equal(fd, -1);
	assert_string_equal(why, "bad domain");
	while (recv(broker, &q, sizeof(q), MSG_DONTWAIT) > 0)
		;
}

static void test_client(void **state)
{
	int request[2], notice[2], fds[PORT_QUEUES_MAX];
	struct broker_reply r = {0};
	struct broker_request q, out;
	struct broker_notice n = {.kind = NOTICE_STOP}, got;
	struct tap_answer a;
	unsigned n_fds;

	(void)state;
	if (fcntl(SWITCH_FD_REQUEST, F_GETFD) >= 0 || fcntl(SWITCH_FD_NOTICE, F_GETFD) >= 0)
		skip();
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, request), 0);
	assert_int_equal(request[0], SWITCH_FD_REQUEST);
	assert_int_equal(request[1], SWITCH_FD_NOTICE);
	/* The first pair took both numbers: its other end moves, and the second takes its place. */
	request[1] = fcntl(request[1], F_DUPFD, 20);
	close(SWITCH_FD_NOTICE);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, notice), 0);
	assert_int_equal(notice[0], SWITCH_FD_NOTICE);

	/* An answer lies ready: the request is what the broker would take. */
	r.tap.n_fds = 1;
	r.tap.state = PORT_UP;
	answer(request[1], &r, STDERR_FILENO, 1);
	q = good_request();
	assert_int_equal(broker_tap_open(&q.tap, &a, fds), 0);
	assert_int_equal(a.state, PORT_UP);
	assert_true(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
	close(fds[0]);
	assert_int_equal(recv(request[1], &q, sizeof(q), 0), sizeof(q));
	assert_int_equal(check(&q, &out), 0);
	assert_string_equal(out.tap.port, "web");

	/* Refused, in words. */
	r = (struct broker_reply){.error = EBUSY, .tap.text = "in use"};
	answer(request[1], &r, -1, 0);
	assert_int_equal(broker_tap_open(&q.tap, &a, fds), -EBUSY);
	assert_string_equal(a.text, "in use");
	/* Fewer descriptors than it says. */
	r = (struct broker_reply){.tap.n_fds = 2};
	answer(request[1], &r, STDERR_FILENO, 1);
	assert_int_equal(broker_tap_open(&q.tap, &a, fds), -EPROTO);
	assert_int_equal(send(request[1], &r, 10, 0), 10);
	assert_int_equal(broker_ready(), -EPROTO);
	while (recv(request[1], &q, sizeof(q), MSG_DONTWAIT) > 0)
		;
	try_guest(request[1]);
	try_link(request[1]);
	try_resolver(request[1]);

	assert_int_equal(broker_notice_read(&got, fds, &n_fds), -EAGAIN);
	assert_int_equal(send(notice[1], &n, sizeof(n), 0), sizeof(n));
	assert_int_equal(broker_notice_read(&got, fds, &n_fds), 0);
	assert_int_equal(got.kind, NOTICE_STOP);
	assert_int_equal(n_fds, 0);
	close(notice[1]);
	assert_int_equal(broker_notice_read(&got, fds, &n_fds), -EPIPE);
	close(request[1]);
	assert_int_equal(broker_tap_close("web"), -EPIPE);
	close(notice[0]);
	close(request[0]);
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* First: it needs the lowest descriptors. */
		cmocka_unit_test(test_client),	     cmocka_unit_test(test_good_requests),
		cmocka_unit_test(test_bad_sizes),    cmocka_unit_test(test_strings),
		cmocka_unit_test(test_numbers),	     cmocka_unit_test(test_same_device),
		cmocka_unit_test(test_guest_specs),  cmocka_unit_test(test_guest_keeps),
		cmocka_unit_test(test_netns_specs),  cmocka_unit_test(test_texts),
		cmocka_unit_test(test_conf_file),    cmocka_unit_test(test_control_socket),
		cmocka_unit_test(test_state_dir),    cmocka_unit_test(test_notify),
		cmocka_unit_test(test_region_renew), cmocka_unit_test(test_nat_region),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
