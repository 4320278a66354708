/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_broker_resolver: what the broker does for names and leases: servers that a hostile switch sends, the host's resolv.conf,
 * the life of the resolver process (which is this program with RESOLVER_MARK) and its sandbox (S01), files of the journal (D15).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "switch/broker_check.h"
#include "switch/broker_file.h"
#include "switch/broker_resolver.h"
#include "switch/resolv_conf.h"

enum { WAIT_MS = 3000 };

static char dir[] = "/tmp/vfab-resolver.XXXXXX";
static char conf[64], why[TAP_TEXT_SIZE];

static const char *path_of(const char *name, char buf[static 64])
{
	snprintf(buf, 64, "%s/%s", dir, name);
	return buf;
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* --- a set ------------------------------------------------------------------------------ */

static struct resolver_servers good_servers(void)
{
	struct resolver_servers s = {.n_sets = 2};

	s.set[0].n = s.set[1].n = 1;
	s.set[0].server[0].port = s.set[1].server[0].port = 53;
	ip_parse("192.0.2.53", &s.set[0].server[0].ip);
	ip_parse("2001:db8::53", &s.set[1].server[0].ip);
	strcpy(s.set[1].domain, "corp.example");
	return s;
}

static void test_servers(void **state)
{
	static const char *const bad_domain[] = {"",	".",   "a.",  ".a",    "a..b",
						 "A.b", "a b", "a/b", "a\xff", "a.b.\n"};
	static const char *const bad_ip[] = {"0.0.0.0", "224.0.0.1", "255.255.255.255",
					     "::", "ff02::1"};
	struct resolver_servers s = good_servers(), was = s;
	size_t i;

	(void)state;
	assert_int_equal(broker_resolver_check(&s, why), 0);
	assert_memory_equal(&s, &was, sizeof(s));
	s.set[0].n = 0; /* as the host */
	assert_int_equal(broker_resolver_check(&s, why), 0);
#define BAD(change)                                                                                \
	do {                                                                                       \
		s = good_servers();                                                                \
		change;                                                                            \
		assert_int_equal(broker_resolver_check(&s, why), -EINVAL);                         \
	} while (0)
	BAD(s.n_sets = 0);
	BAD(s.n_sets = 2 + RESOLVER_DOMAINS);
	BAD(s.n_sets = UINT32_MAX);
	BAD(strcpy(s.set[0].domain, "a"));
	BAD(memset(s.set[1].domain, 'a', sizeof(s.set[1].domain)));
	BAD(memset(s.set[1].domain, 'a', 64));
	BAD(s.set[0].n = RESOLVER_SERVERS + 1);
	BAD(s.set[1].n = UINT32_MAX);
	BAD(s.set[1].n = 0);
	BAD(s.set[1].n = 2);
	BAD(s.set[0].server[0].port = 0);
	for (i = 0; i < sizeof(bad_domain) / sizeof(bad_domain[0]); i++)
		BAD(strcpy(s.set[1].domain, bad_domain[i]));
	for (i = 0; i < sizeof(bad_ip) / sizeof(bad_ip[0]); i++)
		BAD(ip_parse(bad_ip[i], &s.set[0].server[0].ip));
#undef BAD
}

static void test_request(void **state)
{
	struct broker_request q = {.op = BROKER_RESOLVER_SET}, out;

	(void)state;
	assert_int_equal(broker_request_check(&q, sizeof(q), 1, &out, why), 0);
	assert_int_equal(broker_request_check(&q, sizeof(q), 0, &out, why), -EINVAL);
	assert_int_equal(broker_request_check(&q, sizeof(q), 2, &out, why), -EINVAL);
}

/* --- resolv.conf ------------------------------------------------------------------------ */

static void test_parse(void **state)
{
	static const struct {
		const char *text, *servers;
	} row[] = {
		{"", ""},
		{"nameserver 192.0.2.1\n", "192.0.2.1"},
		{"nameserver 192.0.2.1", "192.0.2.1"},
		{"nameserver\t192.0.2.1 # ours\r\n", "192.0.2.1"},
		{"nameserver   192.0.2.1\r\nnameserver 2001:db8::1\n", "192.0.2.1 2001:db8::1"},
		{"# nameserver 192.0.2.1\n;nameserver 192.0.2.2\nsearch a\noptions rotate\n", ""},
		{"search x\nnameserver 127.0.0.53\noptions edns0\n", "127.0.0.53"},
		{"nameservers 192.0.2.1\nnameserver192.0.2.1\n nameserver 192.0.2.1\n", ""},
		{"nameserver fe80::1%eth0\nnameserver fe80::1\nnameserver fd00::1\n", "fd00::1"},
		{"nameserver\nnameserver \nnameserver x\nnameserver 1.2.3\nnameserver ::1\n",
		 "::1"},
		{"nameserver 0.0.0.0\nnameserver ::\nnameserver 224.0.0.251\nnameserver ff02::fb\n",
		 ""},
		{"nameserver 10.0.0.1\nnameserver 10.0.0.1\nnameserver 10.0.0.2\n",
		 "10.0.0.1 10.0.0.2"},
		{"nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\nnameserver "
		 "10.0.0.4\n"
		 "nameserver 10.0.0.5\n",
		 "10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4"},
		{"nameserver 1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd\n",
		 ""},
	};
	struct resolver_server s[RESOLVER_SERVERS];
	char got[256], text[IP_TEXT];
	unsigned n, k;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		n = resolv_conf_parse(row[i].text, strlen(row[i].text), s);
		got[0] = '\0';
		for (k = 0; k < n; k++) {
			assert_int_equal(s[k].port, 53);
			snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s", k ? " " : "",
				 ip_text(&s[k].ip, text));
		}
		assert_string_equal(got, row[i].servers);
	}
	assert_int_equal(resolv_conf_parse("nameserver 10.0.0.1\0.2\n", 23, s), 0);
}

static struct loop *loop;
static bool is_late;

static void on_late(void *arg, uint32_t events)
{
	(void)arg;
	(void)events;
	is_late = true;
	loop_stop(loop);
}

static void on_news(void *arg)
{
	(*(unsigned *)arg)++;
	loop_stop(loop);
}

/* Runs the loop until *count grows; false: not in ms. */
static bool grows(unsigned *count, unsigned ms)
{
	unsigned was = *count;
	int timer = loop_after(loop, ms, on_late, NULL);

	is_late = false;
	while (*count == was && !is_late)
		loop_run(loop);
	loop_cancel(loop, timer);
	return *count != was;
}

static void expect_first(struct resolv_conf *f, const char *want)
{
	struct resolver_server s[RESOLVER_SERVERS];
	char text[IP_TEXT];
	unsigned n = resolv_conf_servers(f, s);

	assert_string_equal(n ? ip_text(&s[0].ip, text) : "", want);
}

/* Written into, replaced, removed, made a link, the link's end replaced, the link pointed elsewhere. */
static void test_follow(void **state)
{
	char passing[64], run[64], there[64], other[64];
	struct resolv_conf *f;
	unsigned n = 0;

	(void)state;
	loop = loop_create();
	mkdir(path_of("run", run), 0700);
	path_of("passing", passing);
	path_of("run/resolv", there);
	path_of("other", other);
	write_file(conf, "nameserver 10.0.0.1\n");
	f = resolv_conf_create(loop, conf, on_news, &n);
	assert_non_null(f);
	expect_first(f, "10.0.0.1");

	write_file(conf, "nameserver 10.0.0.2\n");
	assert_true(grows(&n, WAIT_MS));
	expect_first(f, "10.0.0.2");
	write_file(passing, "nameserver 10.0.0.3\n");
	assert_int_equal(rename(passing, conf), 0);
	assert_true(grows(&n, WAIT_MS));
	expect_first(f, "10.0.0.3");
	/* The same servers in other words, and others' files: nothing. */
	write_file(conf, "# again\nnameserver 10.0.0.3\n");
	write_file(other, "nameserver 10.0.0.4\n");
	assert_false(grows(&n, 300));
	unlink(conf);
	assert_true(grows(&n, WAIT_MS));
	expect_first(f, "");

	write_file(there, "nameserver 10.0.0.5\n");
	assert_int_equal(symlink("run/resolv", conf), 0);
	assert_true(grows(&n, WAIT_MS));
	expect_first(f, "10.0.0.5");
	write_file(passing, "nameserver 10.0.0.6\n");
	assert_int_equal(rename(passing, there), 0);
	assert_true(grows(&n, WAIT_MS));
	expect_first(f, "10.0.0.6");
	assert_int_equal(symlink(other, passing), 0);
	assert_int_equal(rename(passing, conf), 0);
	assert_true(grows(&n, WAIT_MS));
	expect_first(f, "10.0.0.4");
	write_file(other, "nameserver 10.0.0.7\n");
	assert_true(grows(&n, WAIT_MS));
	expect_first(f, "10.0.0.7");
	/* Many changes, one look. */
	n = 0;
	write_file(other, "");
	write_file(other, "nameserver 10.0.0.8\n");
	assert_true(grows(&n, WAIT_MS));
	expect_first(f, "10.0.0.8");
	assert_int_equal(n, 1);

	resolv_conf_destroy(f);
	loop_destroy(loop);
	unlink(conf);
	unlink(there);
	unlink(other);
	rmdir(run);
}

/* --- the process ------------------------------------------------------------------------ */

static struct helper *helper;
static unsigned due;
static uint32_t told_news;
static int told_fd = -1;

static int take_notice(uint32_t news, int fd, void *arg)
{
	(void)arg;
	told_news = news;
	told_fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
	return 0;
}

static bool is_told(unsigned ms)
{
	told_news = 0;
	if (!grows(&due, ms))
		return false;
	assert_int_equal(helper_tell(helper, take_notice, NULL), 0);
	return told_news != 0;
}

/* A set as the switch sends it; its end of the socket, or -1: none came. */
static int take_set(const struct resolver_servers *s, int error)
{
	int memfd = text_create((const char *)s, sizeof(*s)), fd;

	assert_int_equal(helper_take(helper, memfd, &fd, why), error);
	fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
	helper_answered(helper);
	close(memfd);
	return fd;
}

/* What the resolver says to a question. */
static int ask(int fd)
{
	static const uint8_t query[] = {0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 0, 0, 1, 0, 1};
	struct resolver_ask a = {.token = 1, .len = sizeof(query), .domain = "a"};
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct resolver_answer got;

	memcpy(a.query, query, sizeof(query));
	if (send(fd, &a, sizeof(a), MSG_NOSIGNAL) < 0)
		return -EPIPE;
	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	if (recv(fd, &got, sizeof(got), 0) <= 0)
		return -EPIPE;
	assert_int_equal(got.token, 1);
	return got.error;
}

/* The resolver's number; 0: there is none.  It is our only child. */
static pid_t process(void)
{
	char path[64];
	int pid = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	f = fopen(path, "r");
	if (f && fscanf(f, "%d", &pid) != 1)
		pid = 0;
	if (f)
		fclose(f);
	return pid;
}

static void expect_status(pid_t pid, const char *line)
{
	char path[64], text[4096];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	if (!strstr(text, line))
		fail_msg("no \"%s\" in %s", line, text);
}

static bool is_same_namespace(pid_t pid, const char *kind)
{
	char path[64], ours[64] = "", its[64] = "";

	snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
	assert_true(readlink(path, ours, sizeof(ours) - 1) > 0);
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, kind);
	assert_true(readlink(path, its, sizeof(its) - 1) > 0);
	return strcmp(ours, its) == 0;
}

static void end_process(pid_t pid)
{
	siginfo_t info;

	kill(pid, SIGKILL);
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	helper_reap(helper);
}

/* S01: no rights, no files, the host's network. */
static void check_sandbox(pid_t pid)
{
	expect_status(pid, "CapPrm:\t0000000000000000\n");
	expect_status(pid, "CapEff:\t0000000000000000\n");
	expect_status(pid, "CapBnd:\t0000000000000000\n");
	expect_status(pid, "NoNewPrivs:\t1\n");
	expect_status(pid, "Seccomp:\t2\n");
	expect_status(pid, "Name:\tvfabd-resolver\n");
	assert_true(is_same_namespace(pid, "net"));
	assert_false(is_same_namespace(pid, "mnt"));
	assert_false(is_same_namespace(pid, "ipc"));
}

static bool can_have_process(void)
{
	const struct helper_needs needs = {
		.loop = loop, .resolv_conf = conf, .log_level = "err", .due = on_news, .arg = &due};

	helper = helper_create(&needs);
	assert_non_null(helper);
	return geteuid() == 0;
}

static void test_process(void **state)
{
	struct resolver_servers s = {.n_sets = 1}, bad = {.n_sets = 99};
	pid_t pid, next;
	int fd, fd2;

	(void)state;
	loop = loop_create();
	write_file(conf, "search a\n");
	if (!can_have_process()) {
		helper_destroy(helper);
		loop_destroy(loop);
		skip();
	}
	/* Refused, nothing runs. */
	assert_int_equal(take_set(&bad, -EINVAL), -1);
	assert_int_equal(process(), 0);
	/* The first set starts it, later ones change it. */
	fd = take_set(&s, 0);
	assert_true(fd >= 0);
	assert_int_equal(ask(fd), -ENETUNREACH);
	pid = process();
	check_sandbox(pid);
	assert_int_equal(take_set(&s, 0), -1);
	assert_int_equal(process(), pid);
	/* The host's servers come and go; the switch is told. */
	write_file(conf, "nameserver 127.0.0.1\n");
	assert_true(is_told(WAIT_MS));
	assert_int_equal(told_news, RESOLVER_HAS_OTHERS);
	assert_int_equal(told_fd, -1);
	usleep(50000);
	assert_int_not_equal(ask(fd), -ENETUNREACH);
	write_file(conf, "");
	assert_true(is_told(WAIT_MS));
	usleep(50000);
	assert_int_equal(ask(fd), -ENETUNREACH);
	/* It dies, twice: another one, once a second at most. */
	end_process(pid);
	assert_int_equal(ask(fd), -EPIPE);
	assert_true(is_told(WAIT_MS));
	assert_int_equal(told_news, RESOLVER_IS_NEW);
	close(fd);
	fd = told_fd;
	assert_int_equal(ask(fd), -ENETUNREACH);
	next = process();
	assert_int_not_equal(next, pid);
	end_process(next);
	/* A set meanwhile is taken: the notice brings the socket. */
	assert_int_equal(take_set(&s, 0), -1);
	assert_false(is_told(500));
	assert_true(is_told(WAIT_MS));
	close(fd);
	fd = told_fd;
	assert_int_equal(ask(fd), -ENETUNREACH);
	/* A new switch: the process stays, and has another socket; the old one leads nowhere. */
	pid = process();
	helper_unclaim(helper);
	fd2 = take_set(&s, 0);
	assert_true(fd2 >= 0);
	assert_int_equal(process(), pid);
	assert_int_equal(ask(fd2), -ENETUNREACH);
	assert_int_equal(ask(fd), -EPIPE);
	helper_sweep(helper);
	assert_int_equal(process(), pid);
	/* One that does not ask for it. */
	helper_unclaim(helper);
	helper_sweep(helper);
	assert_int_equal(process(), 0);
	close(fd);
	close(fd2);
	fd = take_set(&s, 0);
	assert_int_equal(ask(fd), -ENETUNREACH);
	close(fd);
	helper_destroy(helper);
	assert_int_equal(process(), 0);
	loop_destroy(loop);
	unlink(conf);
}

/* --- the journal ------------------------------------------------------------------------ */

static void close_files(int fd[static JOURNAL_FILES])
{
	close(fd[0]);
	close(fd[1]);
}

/* D15: the files stay; nothing but a file of ours alone is taken for one. */
static void test_journal(void **state)
{
	int dir_fd = open(dir, O_RDONLY | O_DIRECTORY), fd[JOURNAL_FILES];
	char a[64], b[64], other[64], text[8] = "";
	const char *bad;
	struct stat st;

	(void)state;
	path_of("leases.a", a);
	path_of("leases.b", b);
	path_of("other", other);
	assert_int_equal(journal_files_open(dir_fd, fd, &bad), 0);
	assert_int_equal(stat(b, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(fcntl(fd[0], F_GETFD) & FD_CLOEXEC);
	assert_int_equal(pwrite(fd[0], "x", 1, 0), 1);
	close_files(fd);
	chmod(a, 0666);
	assert_int_equal(journal_files_open(dir_fd, fd, &bad), 0);
	assert_int_equal(pread(fd[0], text, sizeof(text), 0), 1);
	assert_int_equal(fstat(fd[0], &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	close_files(fd);

	assert_int_equal(link(b, other), 0);
	assert_int_equal(journal_files_open(dir_fd, fd, &bad), -EPERM);
	assert_string_equal(bad, "leases.b");
	unlink(b);
	assert_int_equal(symlink(other, b), 0);
	assert_int_equal(journal_files_open(dir_fd, fd, &bad), -ELOOP);
	unlink(b);
	assert_int_equal(mkfifo(b, 0600), 0);
	assert_int_equal(journal_files_open(dir_fd, fd, &bad), -EPERM);
	unlink(b);
	if (geteuid() == 0) {
		write_file(b, "");
		assert_int_equal(chown(b, 65534, 65534), 0);
		assert_int_equal(journal_files_open(dir_fd, fd, &bad), -EPERM);
		unlink(b);
	}
	unlink(a);
	unlink(other);
	close(dir_fd);
	/* Without a directory: memory. */
	assert_int_equal(journal_files_open(-1, fd, &bad), 0);
	assert_int_equal(pwrite(fd[1], "x", 1, 0), 1);
	assert_int_equal(ftruncate(fd[1], 0), 0);
	close_files(fd);
}

static int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	path_of("resolv.conf", conf);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_servers), cmocka_unit_test(test_request),
		cmocka_unit_test(test_parse),	cmocka_unit_test(test_follow),
		cmocka_unit_test(test_process), cmocka_unit_test(test_journal),
	};

	if (argc > 1 && strcmp(argv[1], RESOLVER_MARK) == 0)
		return resolver_run(argc, argv);
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
