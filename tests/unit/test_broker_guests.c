/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_broker_guests: sockets of guests: whose place they take, what is kept, and whom the switch may reach through a client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "switch/broker_check.h"
#include "switch/broker_guests.h"

/* A broker's half, and what it told. */
struct bed {
	struct loop *loop;
	struct guests *guests;
	struct guest_answer answer;
	int fds[BROKER_FDS_MAX];
	char text[TAP_TEXT_SIZE];
	bool is_due;
	unsigned n_told;
	struct guest_notice told;
	int told_fd; /* the broker's own number */
	char dir[64], path[GUEST_PATH_SIZE];
};

static void on_due(void *arg)
{
	struct bed *b = arg;

	b->is_due = true;
	loop_stop(b->loop);
}

static int setup(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));

	if (!b)
		return -1;
	*state = b;
	strcpy(b->dir, "/tmp/vfab-guests.XXXXXX");
	if (!mkdtemp(b->dir))
		return -1;
	snprintf(b->path, sizeof(b->path), "%s/vm.sock", b->dir);
	b->loop = loop_create();
	b->guests = guests_create(b->loop, on_due, b);
	return b->loop && b->guests ? 0 : -1;
}

static int teardown(void **state)
{
	struct bed *b = *state;
	int rc;

	guests_destroy(b->guests);
	loop_destroy(b->loop);
	unlink(b->path);
	/* Nothing of ours stays. */
	rc = rmdir(b->dir);
	free(b);
	return rc;
}

static struct guest_spec spec_of(const struct bed *b, const char *port)
{
	struct guest_spec s = {.mode = 0660};

	snprintf(s.port, sizeof(s.port), "%s", port);
	snprintf(s.path, sizeof(s.path), "%s", b->path);
	return s;
}

static int open_guest(struct bed *b, const struct guest_spec *spec)
{
	memset(&b->answer, 0xff, sizeof(b->answer));
	return guests_open(b->guests, spec, &b->answer, b->fds, b->text);
}

static void on_time(void *arg, uint32_t events)
{
	(void)events;
	loop_stop(arg);
}

/* Lets the loop run for that long, or until something is due. */
static void run(struct bed *b, uint32_t ms)
{
	int timer = loop_after(b->loop, ms, on_time, b->loop);

	assert_int_equal(loop_run(b->loop), 0);
	loop_cancel(b->loop, timer);
}

static int note(const struct guest_notice *n, int fd, void *arg)
{
	struct bed *b = arg;

	b->n_told++;
	b->told = *n;
	b->told_fd = fd;
	return 0;
}

static int no_room(const struct guest_notice *n, int fd, void *arg)
{
	(void)n;
	(void)fd;
	(void)arg;
	return -EAGAIN;
}

/* Whatever became due; how many. */
static unsigned take_told(struct bed *b)
{
	b->n_told = 0;
	assert_int_equal(guests_tell(b->guests, note, b), 0);
	b->is_due = false;
	return b->n_told;
}

static int connect_to(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	close(fd);
	return -errno;
}

static int bind_to(const char *path, bool is_live)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	if (is_live)
		assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static bool is_same_file(int a, int b)
{
	struct stat x, y;

	assert_int_equal(fstat(a, &x), 0);
	assert_int_equal(fstat(b, &y), 0);
	return x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static unsigned count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* --- server ----------------------------------------------------------------------------- */

static void test_modes(void **state)
{
	static const uint16_t mode[] = {0660, 0600, 0666, 0777, 0, 0640};
	struct bed *b = *state;
	struct guest_spec s = spec_of(b, "vm");
	mode_t old = umask(027);
	struct stat st;
	size_t i;

	for (i = 0; i < sizeof(mode) / sizeof(mode[0]); i++) {
		s.mode = mode[i];
		assert_int_equal(open_guest(b, &s), 0);
		assert_int_equal(b->answer.has_listen, 1);
		assert_int_equal(b->answer.n, 0);
		assert_int_equal(b->answer.n_saved, 0);
		assert_true(fcntl(b->fds[0], F_GETFL) & O_NONBLOCK);
		assert_int_equal(lstat(b->path, &st), 0);
		assert_true(S_ISSOCK(st.st_mode));
		assert_int_equal(st.st_mode & 07777, mode[i]);
	}
	assert_int_equal(umask(old), 027);
	assert_int_equal(guests_close(b->guests, "vm"), 0);
	assert_int_equal(guests_close(b->guests, "vm"), -ENOENT);
	assert_int_equal(lstat(b->path, &st), -1);
}

static void test_owner(void **state)
{
	struct bed *b = *state;
	struct guest_spec s = spec_of(b, "vm");
	bool is_root = geteuid() == 0;
	const struct passwd *pw = is_root ? getpwnam("nobody") : getpwuid(geteuid());
	const struct group *gr;
	char user[32], group[32];
	struct stat st;
	uid_t uid;
	gid_t gid;

	strcpy(s.owner, "no-such-user");
	s.may_wait = 1;
	assert_int_equal(open_guest(b, &s), -EINVAL);
	assert_non_null(strstr(b->text, "there is no user no-such-user"));
	if (!pw)
		skip();
	uid = pw->pw_uid;
	gid = pw->pw_gid;
	snprintf(user, sizeof(user), "%s", pw->pw_name);
	snprintf(s.owner, sizeof(s.owner), "%s:no-such-group", user);
	assert_int_equal(open_guest(b, &s), -EINVAL);
	assert_non_null(strstr(b->text, "there is no group no-such-group"));
	assert_int_equal(lstat(b->path, &st), -1);

	strcpy(s.owner, user);
	assert_int_equal(open_guest(b, &s), 0);
	assert_int_equal(lstat(b->path, &st), 0);
	assert_int_equal(st.st_uid, uid);
	assert_int_equal(st.st_gid, gid);
	gr = getgrgid(getegid());
	if (!gr)
		return;
	/* By number; another owner is another socket. */
	snprintf(s.owner, sizeof(s.owner), "%u:%u", (unsigned)uid, (unsigned)getegid());
	assert_int_equal(open_guest(b, &s), 0);
	assert_int_equal(lstat(b->path, &st), 0);
	assert_int_equal(st.st_uid, uid);
	assert_int_equal(st.st_gid, getegid());
	snprintf(group, sizeof(group), "%s", gr->gr_name);
	snprintf(s.owner, sizeof(s.owner), "%s:%s", user, group);
	assert_int_equal(open_guest(b, &s), 0);
	assert_int_equal(lstat(b->path, &st), 0);
	assert_int_equal(st.st_gid, getegid());
}

/* V18: what lies in the place of a socket. */
static void test_places(void **state)
{
	struct bed *b = *state;
	struct guest_spec s = spec_of(b, "vm");
	struct stat st;
	int fd;

	close(bind_to(b->path, false));
	assert_int_equal(connect_to(b->path), -ECONNREFUSED);
	assert_int_equal(open_guest(b, &s), 0);
	fd = connect_to(b->path);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(guests_close(b->guests, "vm"), 0);

	fd = bind_to(b->path, true);
	assert_int_equal(open_guest(b, &s), -EADDRINUSE);
	assert_int_equal(lstat(b->path, &st), 0);
	close(fd);
	unlink(b->path);

	close(open(b->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(open_guest(b, &s), -EEXIST);
	assert_non_null(strstr(b->text, "is no socket"));
	unlink(b->path);
	assert_int_equal(symlink("elsewhere", b->path), 0);
	assert_int_equal(open_guest(b, &s), -EEXIST);
	unlink(b->path);
	assert_int_equal(mkdir(b->path, 0700), 0);
	assert_int_equal(open_guest(b, &s), -EEXIST);
	rmdir(b->path);

	/* Somebody put another into the place of ours: that one stays. */
	assert_int_equal(open_guest(b, &s), 0);
	unlink(b->path);
	fd = bind_to(b->path, true);
	assert_int_equal(guests_close(b->guests, "vm"), 0);
	assert_int_equal(lstat(b->path, &st), 0);
	close(fd);
}

static void test_two_ports(void **state)
{
	struct bed *b = *state;
	struct guest_spec s = spec_of(b, "vm"), other = spec_of(b, "vm2");

	assert_int_equal(open_guest(b, &s), 0);
	other.may_wait = 1;
	assert_int_equal(open_guest(b, &other), -EADDRINUSE);
	assert_non_null(strstr(b->text, "is the socket of port vm"));
	/* Under the next switch the port may have another name. */
	guests_unclaim(b->guests);
	assert_int_equal(open_guest(b, &other), 0);
	assert_int_equal(b->answer.has_listen, 1);
	guests_sweep(b->guests);
	assert_int_equal(guests_close(b->guests, "vm"), -ENOENT);
	assert_int_equal(guests_close(b->guests, "vm2"), 0);
}

static void test_waiting_server(void **state)
{
	struct bed *b = *state;
	struct guest_spec s = spec_of(b, "vm");
	struct stat st;
	char parent[96];
	int fd;

	/* A directory is made; the one above it is not. */
	snprintf(parent, sizeof(parent), "%s/a", b->dir);
	snprintf(s.path, sizeof(s.path), "%s/a/b/vm.sock", b->dir);
	assert_int_equal(open_guest(b, &s), -ENOENT);
	s.may_wait = 1;
	assert_int_equal(open_guest(b, &s), 0);
	assert_int_equal(b->answer.has_listen, 0);
	assert_non_null(strstr(b->text, "its directory"));
	assert_int_equal(mkdir(parent, 0700), 0);
	run(b, 3000);
	assert_true(b->is_due);
	/* No room yet: it is told later. */
	assert_int_equal(guests_tell(b->guests, no_room, b), -EAGAIN);
	assert_int_equal(take_told(b), 1);
	assert_string_equal(b->told.port, "vm");
	assert_int_equal(b->told.is_listen, 1);
	fd = connect_to(s.path);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(take_told(b), 0);
	assert_int_equal(guests_close(b->guests, "vm"), 0);
	assert_int_equal(lstat(s.path, &st), -1);
	strcpy(strrchr(s.path, '/'), "");
	assert_int_equal(rmdir(s.path), 0);
	assert_int_equal(rmdir(parent), 0);

	/* Another process has it, and goes. */
	fd = bind_to(b->path, true);
	s = spec_of(b, "vm");
	s.may_wait = 1;
	assert_int_equal(open_guest(b, &s), 0);
	assert_non_null(strstr(b->text, "answers there"));
	run(b, 1300);
	assert_false(b->is_due);
	close(fd);
	run(b, 3000);
	assert_true(b->is_due);
	/* A switch that asks anew gets it with the answer, and is not told twice. */
	guests_unclaim(b->guests);
	assert_int_equal(open_guest(b, &s), 0);
	assert_int_equal(b->answer.has_listen, 1);
	assert_int_equal(take_told(b), 0);
}

/* --- what is kept ----------------------------------------------------------------------- */

static int keep_one(struct bed *b, unsigned place, int fd, uint32_t n_saved, uint8_t byte)
{
	struct guest_keep k = {.port = "vm", .n = fd >= 0, .n_saved = n_saved};

	k.place[0] = (uint8_t)place;
	memset(k.saved, byte, n_saved);
	return guests_keep(b->guests, &k, &fd);
}

static void test_keep(void **state)
{
	struct guest_keep k = {.port = "vm"};
	struct bed *b = *state;
	struct guest_spec s = spec_of(b, "vm");
	int pair[2], fd, none = -1;

	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	fd = dup(pair[0]);
	assert_int_equal(keep_one(b, 0, fd, 0, 0), -ENOENT);
	assert_true(fcntl(fd, F_GETFD) >= 0);
	assert_int_equal(open_guest(b, &s), 0);
	assert_int_equal(keep_one(b, 129, fd, 3, 'a'), 0);
	assert_int_equal(keep_one(b, 7, dup(pair[1]), 0, 0), 0);

	/* The next switch: the same socket, descriptors and bytes. */
	guests_unclaim(b->guests);
	assert_int_equal(open_guest(b, &s), 0);
	guests_sweep(b->guests);
	assert_int_equal(b->answer.has_listen, 1);
	assert_int_equal(b->answer.n, 2);
	assert_int_equal(b->answer.place[0], 7);
	assert_int_equal(b->answer.place[1], 129);
	assert_true(is_same_file(b->fds[1], pair[1]));
	assert_true(is_same_file(b->fds[2], pair[0]));
	assert_int_equal(b->answer.n_saved, 3);
	assert_memory_equal(b->answer.saved, "aaa", 4);

	/* One is replaced, another is emptied; the bytes only when there are new ones. */
	assert_int_equal(keep_one(b, 129, dup(STDERR_FILENO), 0, 0), 0);
	k.empty[0] = 1u << 7;
	assert_int_equal(guests_keep(b->guests, &k, &none), 0);
	assert_int_equal(open_guest(b, &s), 0);
	assert_int_equal(b->answer.n, 1);
	assert_true(is_same_file(b->fds[1], STDERR_FILENO));
	assert_int_equal(b->answer.n_saved, 3);
	assert_int_equal(keep_one(b, 0, -1, GUEST_SAVED_SIZE, 'b'), 0);
	assert_int_equal(open_guest(b, &s), 0);
	assert_int_equal(b->answer.n_saved, GUEST_SAVED_SIZE);
	assert_int_equal(b->answer.saved[GUEST_SAVED_SIZE - 1], 'b');

	k = (struct guest_keep){.port = "vm", .forget = 1};
	assert_int_equal(guests_keep(b->guests, &k, &none), 0);
	assert_int_equal(open_guest(b, &s), 0);
	assert_int_equal(b->answer.has_listen, 1);
	assert_int_equal(b->answer.n, 0);
	assert_int_equal(b->answer.n_saved, 0);
	/* Another socket under the same name begins with nothing. */
	assert_int_equal(keep_one(b, 1, dup(pair[0]), 1, 'c'), 0);
	s.mode = 0600;
	assert_int_equal(open_guest(b, &s), 0);
	assert_int_equal(b->answer.n, 0);
	assert_int_equal(b->answer.n_saved, 0);
	close(pair[0]);
	close(pair[1]);
}

/* V12: whatever is kept, and however often, is open once. */
static void test_keep_fds(void **state)
{
	struct bed *b = *state;
	struct guest_spec s = spec_of(b, "vm");
	struct guest_keep k = {.port = "vm"};
	int fds[GUEST_KEEP_FDS];
	unsigned before = count_fds(), full, i, j, round;

	assert_int_equal(open_guest(b, &s), 0);
	for (i = 0; i < GUEST_PLACES; i++)
		assert_int_equal(keep_one(b, i, dup(STDERR_FILENO), 0, 0), 0);
	full = count_fds();
	assert_int_equal(full, before + 1 + GUEST_PLACES);
	assert_int_equal(open_guest(b, &s), 0);
	assert_int_equal(b->answer.n, GUEST_PLACES);
	srand(1);
	for (round = 0; round < 1000; round++) {
		k.n = (uint8_t)(rand() % (GUEST_KEEP_FDS + 1));
		for (i = 0; i < k.n; i++) {
			k.place[i] = (uint8_t)(rand() % GUEST_PLACES); /* also one place twice */
			fds[i] = dup(STDERR_FILENO);
		}
		assert_int_equal(guests_keep(b->guests, &k, fds), 0);
		for (j = 0; j < k.n; j++)
			assert_int_equal(fds[j], -1);
	}
	assert_int_equal(count_fds(), full);
	k = (struct guest_keep){.port = "vm", .empty = {UINT64_MAX, UINT64_MAX, 3}};
	assert_int_equal(guests_keep(b->guests, &k, fds), 0);
	assert_int_equal(count_fds(), before + 1);
	assert_int_equal(keep_one(b, 0, dup(STDERR_FILENO), 0, 0), 0);
	guests_unclaim(b->guests);
	guests_sweep(b->guests);
	assert_int_equal(count_fds(), before);
}

/* --- client ----------------------------------------------------------------------------- */

struct header {
	uint32_t request, flags, size;
};

static int accept_one(struct bed *b, int listener)
{
	int fd = -1, tries;

	for (tries = 0; fd < 0 && tries < 30; tries++) {
		run(b, 50);
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	}
	assert_true(fd >= 0);
	return fd;
}

/* The other end is; with what we said unread that is a reset. */
static bool is_closed(int fd)
{
	char c;
	ssize_t n = recv(fd, &c, 1, MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno == ECONNRESET);
}

static void test_client(void **state)
{
	const struct header get_features = {1, 1, 0};
	struct guest_keep bye = {.port = "vm", .forget = 1};
	struct bed *b = *state;
	struct guest_spec s = spec_of(b, "vm");
	int listener, fd, none = -1;
	struct header got;

	s.is_client = 1;
	assert_int_equal(open_guest(b, &s), 0);
	assert_int_equal(b->answer.has_listen, 0);
	assert_int_equal(b->answer.n, 0);
	assert_non_null(strstr(b->text, b->path));
	listener = bind_to(b->path, true);
	fd = accept_one(b, listener);
	run(b, 50);
	assert_false(b->is_due);
	/* In pieces, and only the last one makes it a front-end. */
	assert_int_equal(send(fd, &get_features, 5, 0), 5);
	run(b, 50);
	assert_false(b->is_due);
	assert_int_equal(send(fd, (const char *)&get_features + 5, 7, 0), 7);
	run(b, 1000);
	assert_true(b->is_due);
	assert_int_equal(take_told(b), 1);
	assert_string_equal(b->told.port, "vm");
	assert_int_equal(b->told.is_listen, 0);
	/* What it said is still there to be read. */
	assert_int_equal(recv(b->told_fd, &got, sizeof(got), 0), sizeof(got));
	assert_memory_equal(&got, &get_features, sizeof(got));
	guests_unclaim(b->guests);
	assert_int_equal(open_guest(b, &s), 0);
	assert_int_equal(b->answer.n, 1);
	assert_int_equal(b->answer.place[0], 0);
	assert_int_equal(b->fds[0], b->told_fd);
	assert_int_equal(take_told(b), 0);

	/* It ended: the next one. */
	assert_int_equal(guests_keep(b->guests, &bye, &none), 0);
	assert_true(is_closed(fd));
	close(fd);
	fd = accept_one(b, listener);
	/* Nobody is there to be told. */
	guests_unclaim(b->guests);
	assert_int_equal(send(fd, &get_features, sizeof(get_features), 0), sizeof(get_features));
	run(b, 50);
	assert_false(b->is_due);
	assert_int_equal(open_guest(b, &s), 0);
	assert_int_equal(b->answer.n, 1);
	assert_string_equal(b->text, "");

	/* It ends before it was told: not news any more. */
	assert_int_equal(guests_keep(b->guests, &bye, &none), 0);
	close(fd);
	fd = accept_one(b, listener);
	assert_int_equal(send(fd, &get_features, sizeof(get_features), 0), sizeof(get_features));
	run(b, 1000);
	assert_true(b->is_due);
	assert_int_equal(guests_keep(b->guests, &bye, &none), 0);
	assert_int_equal(take_told(b), 0);
	close(fd);
	fd = accept_one(b, listener);
	assert_int_equal(guests_close(b->guests, "vm"), 0);
	assert_true(is_closed(fd));
	close(fd);
	close(listener);
}

/* A service that is no front-end is not for the switch to talk to. */
static void test_strangers(void **state)
{
	static const struct header bad[] = {
		{0, 1, 0},
		{65, 1, 0},
		{1, 0, 0},
		{1, 2, 0},
		{1, 3, 0},
		{1, 5, 0},
		{1, 1, 4097},
		{1, 1, UINT32_MAX},
		{0x2d485353, 0x2e302e32, 0x654f2d30}, /* SSH-2.0-Oe */
	};
	const struct header good = {64, 9, 4096};
	struct bed *b = *state;
	struct guest_spec s = spec_of(b, "vm");
	int listener = bind_to(b->path, true), fd;
	unsigned before;
	size_t i;

	s.is_client = 1;
	before = count_fds();
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(open_guest(b, &s), 0);
		fd = accept_one(b, listener);
		assert_int_equal(send(fd, &bad[i], sizeof(bad[i]), 0), sizeof(bad[i]));
		run(b, 20);
		assert_false(b->is_due);
		assert_true(is_closed(fd));
		close(fd);
		assert_int_equal(open_guest(b, &s), 0);
		assert_int_equal(b->answer.n, 0);
		assert_int_equal(guests_close(b->guests, "vm"), 0);
		/* The next one waits for the listener again. */
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			close(fd);
		assert_int_equal(count_fds(), before);
	}
	assert_int_equal(open_guest(b, &s), 0);
	/* One that hangs up without a word, and comes back. */
	close(accept_one(b, listener));
	fd = accept_one(b, listener);
	assert_int_equal(send(fd, &good, sizeof(good), 0), sizeof(good));
	run(b, 1000);
	assert_int_equal(take_told(b), 1);
	close(fd);
	close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_modes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_owner, setup, teardown),
		cmocka_unit_test_setup_teardown(test_places, setup, teardown),
		cmocka_unit_test_setup_teardown(test_two_ports, setup, teardown),
		cmocka_unit_test_setup_teardown(test_waiting_server, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keep, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keep_fds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_client, setup, teardown),
		cmocka_unit_test_setup_teardown(test_strangers, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
