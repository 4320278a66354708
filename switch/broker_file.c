/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker_file: what the broker does with files.
 *
 * How it fits.  broker.c calls it at the start, at the end, for SIGHUP and for BROKER_CONF_*;
 * broker_guests.c listens with it, and broker_client.c makes its texts.
 *
 * Trust.  Paths are the operator's.  What lies at the path of a socket may be anybody's: no link is
 * followed there, nothing but a socket that nobody answers on is removed, and at the end only what
 * we bound.  Its directory may be a guest's user's, who can put something else there at any moment:
 * what is given away is looked at through one descriptor.  A text comes from the switch: it must be a memfd that is sealed against
 * changes, so that it is what it was when it was checked, and reading it cannot block.
 */
#include "switch/broker_file.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "switch/broker_check.h"

enum {
	BACKLOG = 256,
	PATIENCE_TRIES = 5,
	PATIENCE_US = 50000,
	SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE,
};

/* Does anybody answer on the socket?  0: nobody; -EADDRINUSE: somebody; else -errno. */
static int ask_socket(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 || errno == EAGAIN)
		err = -EADDRINUSE;
	else if (errno != ECONNREFUSED && errno != ENOENT)
		err = -errno;
	close(fd);
	return err;
}

/* Removes a socket that was left, and nothing else. */
static int clear_place(const struct sockaddr_un *addr, char why[static TAP_TEXT_SIZE])
{
	struct stat st;
	int err;

	if (lstat(addr->sun_path, &st) < 0)
		return errno == ENOENT ? 0
				       : broker_fail(why, -errno, "%s: %s", addr->sun_path,
						     strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return broker_fail(why, -EEXIST, "%s: exists and is no socket", addr->sun_path);
	err = ask_socket(addr);
	if (err == -EADDRINUSE)
		return broker_fail(why, err, "%s: another process answers there", addr->sun_path);
	if (!err && unlink(addr->sun_path) < 0)
		err = -errno;
	return err ? broker_fail(why, err, "%s: %s", addr->sun_path, strerror(-err)) : 0;
}

/* Notes which file was bound, and gives it away. */
static int own_file(struct listen_socket *s, const struct listen_spec *spec)
{
	bool is_given = spec->uid != (uid_t)-1 || spec->gid != (gid_t)-1;
	int fd = open(s->path, O_PATH | O_NOFOLLOW | O_CLOEXEC), err = 0;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0) {
		err = -errno;
		goto out;
	}
	/* Put there in the meantime, a file of root's would become its user's. */
	if (!S_ISSOCK(st.st_mode) || (is_given && (st.st_uid != geteuid() || st.st_nlink != 1))) {
		err = -ESTALE;
		goto out;
	}
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	if (is_given && fchownat(fd, "", spec->uid, spec->gid, AT_EMPTY_PATH) < 0)
		err = -errno;
out:
	close(fd);
	return err;
}

/* Binds with the mode from the first moment on. */
static int bind_socket(struct listen_socket *s, const struct listen_spec *spec,
		       const struct sockaddr_un *addr)
{
	mode_t old = umask(~spec->mode & 0777);
	int rc = bind(s->fd, (const struct sockaddr *)addr, sizeof(*addr)), err;

	err = rc < 0 ? -errno : 0;
	umask(old);
	if (!err)
		err = own_file(s, spec);
	if (!err && listen(s->fd, BACKLOG) < 0)
		err = -errno;
	return err;
}

/* The directory of path, made when it is missing, and locked so that two vfabd that start at once take turns. */
static int lock_directory(const char *path, bool is_patient)
{
	char copy[PATH_MAX];
	const char *dir;
	int fd, err;

	snprintf(copy, sizeof(copy), "%s", path);
	dir = dirname(copy);
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | (is_patient ? 0 : LOCK_NB)) == 0)
		return fd;
	err = errno == EWOULDBLOCK ? -EBUSY : -errno;
	close(fd);
	return err;
}

int listen_socket_open(struct listen_socket *s, const struct listen_spec *spec,
		       char why[static TAP_TEXT_SIZE])
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	const char *path = spec->path;
	int dir, err;

	*s = (struct listen_socket){.path = path, .fd = -1};
	if (path[0] == '\0' || strlen(path) >= sizeof(addr.sun_path))
		return broker_fail(why, -ENAMETOOLONG,
				   "%.100s: the path of a socket has 1-%zu characters", path,
				   sizeof(addr.sun_path) - 1);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	dir = lock_directory(path, spec->is_patient);
	if (dir < 0)
		return broker_fail(why, dir, "%s: its directory: %s", path,
				   dir == -EBUSY ? "somebody holds a lock on it" : strerror(-dir));
	err = clear_place(&addr, why);
	if (err)
		goto out;
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	err = s->fd < 0 ? -errno : bind_socket(s, spec, &addr);
	if (err) {
		broker_fail(why, err, "%s: %s", path, strerror(-err));
		listen_socket_close(s);
	}
out:
	close(dir);
	return err;
}

void listen_socket_close(struct listen_socket *s)
{
	struct stat st;

	if (s->ino && lstat(s->path, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino)
		unlink(s->path);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->ino = 0;
}

int control_socket_open(struct listen_socket *s, const char *path, char why[static TAP_TEXT_SIZE])
{
	const struct group *group = getgrnam("vfab");
	const struct listen_spec spec = {
		.path = path,
		.uid = (uid_t)-1,
		.gid = group ? group->gr_gid : (gid_t)-1,
		.mode = 0660,
		.is_patient = true,
	};

	int err = listen_socket_open(s, &spec, why);

	/* One that was killed may still be on its way out, and answer by its backlog until it is gone. */
	for (unsigned i = 0; err == -EADDRINUSE && i < PATIENCE_TRIES; i++) {
		usleep(PATIENCE_US);
		err = listen_socket_open(s, &spec, why);
	}
	return err;
}

int state_dir_lock(const char *dir)
{
	int fd, err;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	err = errno == EWOULDBLOCK ? -EBUSY : -errno;
	close(fd);
	return err;
}

/* A file of ours that nobody else has a name or a right for; made when it is missing. */
static int open_journal(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	struct stat st;
	int err;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		err = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_nlink != 1 || st.st_uid != geteuid())
		err = -EPERM;
	else
		err = fchmod(fd, 0600) < 0 ? -errno : 0;
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int open_memory(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int journal_files_open(int dir_fd, int fd[static JOURNAL_FILES], const char **bad)
{
	static const char *const name[JOURNAL_FILES] = {"leases.a", "leases.b"};
	int err = 0;
	unsigned n;

	for (n = 0; n < JOURNAL_FILES && !err; n++) {
		*bad = name[n];
		fd[n] = dir_fd >= 0 ? open_journal(dir_fd, name[n]) : open_memory(name[n]);
		err = fd[n] < 0 ? fd[n] : 0;
	}
	if (err) {
		while (--n > 0)
			close(fd[n - 1]);
		return err;
	}
	/* The names are on disk when their directory is. */
	if (dir_fd >= 0)
		fsync(dir_fd);
	return 0;
}

static int write_all(int fd, const char *bytes, size_t n)
{
	ssize_t done;

	while (n > 0) {
		done = write(fd, bytes, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done < 0 ? -errno : -EIO;
		bytes += done;
		n -= (size_t)done;
	}
	return 0;
}

int text_create(const char *text, size_t bytes)
{
	int fd = memfd_create("conf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int err;

	if (fd < 0)
		return -errno;
	err = write_all(fd, text, bytes);
	if (!err && fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	return err;
}

ssize_t text_check(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS), flags = fcntl(fd, F_GETFL);
	struct stat st;

	/* Only files of the kernel's own memory have seals: neither a file that somebody serves
	 * (FUSE) nor a pipe passes.  O_PATH descriptors have flags and cannot be read. */
	if (seals < 0 || (seals & SEALS) != SEALS || flags < 0 || (flags & O_PATH) ||
	    (flags & O_ACCMODE) == O_WRONLY || fstat(fd, &st) < 0)
		return -EINVAL;
	return st.st_size > CONF_TEXT_MAX ? -EFBIG : (ssize_t)st.st_size;
}

int text_take(int fd, char why[static TAP_TEXT_SIZE])
{
	ssize_t n = text_check(fd);

	return n < 0 ? broker_fail(why, (int)n, "no text of a configuration") : 0;
}

/* Everything behind fd up to one byte more than is allowed.  The number of bytes or -errno. */
static ssize_t read_all(int fd, char *buf, size_t size)
{
	size_t n = 0;
	ssize_t got = 1;

	while (got != 0 && n < size) {
		got = read(fd, buf + n, size - n);
		if (got < 0 && errno != EINTR)
			return -errno;
		n += got > 0 ? (size_t)got : 0;
	}
	return (ssize_t)n;
}

int conf_file_read(const char *path, bool is_first)
{
	/* Later nobody may make the broker wait: a pipe was for the start only. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (is_first ? 0 : O_NONBLOCK));
	struct stat st;
	ssize_t n;
	char *buf;
	int text;

	if (fd < 0)
		return -errno;
	buf = malloc(CONF_TEXT_MAX + 1);
	if (!buf)
		n = -ENOMEM;
	else if (!is_first && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)))
		n = -ESPIPE;
	else
		n = read_all(fd, buf, CONF_TEXT_MAX + 1);
	close(fd);
	if (n < 0)
		text = (int)n;
	else
		text = n > CONF_TEXT_MAX ? -EFBIG : text_create(buf, (size_t)n);
	free(buf);
	return text;
}

/* Fills the new file `fd` with the text and gives it what the old one had. */
static int fill_file(int fd, int text_fd, const struct stat *old)
{
	off_t at = 0;
	ssize_t n;

	do {
		n = sendfile(fd, text_fd, &at, CONF_TEXT_MAX);
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0 || fchown(fd, old->st_uid, old->st_gid) < 0 ||
	    fchmod(fd, old->st_mode & 07777) < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

static int replace_file(const char *path, char *passing, int text_fd)
{
	struct stat old;
	int fd, err;

	if (stat(path, &old) < 0)
		return -errno;
	if (!S_ISREG(old.st_mode))
		return -ESPIPE;
	fd = mkostemp(passing, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = fill_file(fd, text_fd, &old);
	close(fd);
	if (!err && rename(passing, path) < 0)
		err = -errno;
	if (err)
		unlink(passing);
	return err;
}

int conf_file_write(const char *path, int text_fd)
{
	char real[PATH_MAX], passing[PATH_MAX + 16], copy[PATH_MAX];
	int dir, err;

	/* A link to the file stays one: what it leads to is replaced. */
	if (!realpath(path, real))
		return -errno;
	snprintf(passing, sizeof(passing), "%s.XXXXXX", real);
	err = replace_file(real, passing, text_fd);
	if (err)
		return err;
	/* The name itself is on disk only when its directory is. */
	snprintf(copy, sizeof(copy), "%s", real);
	dir = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0) {
		fsync(dir);
		close(dir);
	}
	return 0;
}

int conf_file_save(const char *path, int text_fd, char why[static TAP_TEXT_SIZE])
{
	int err = text_take(text_fd, why);

	if (err)
		return err;
	if (!path)
		return broker_fail(why, -ENOENT, "vfabd was started without -c: name a file");
	err = conf_file_write(path, text_fd);
	if (err)
		broker_fail(why, err, "%.120s: %s", path,
			    err == -ESPIPE ? "is no regular file" : strerror(-err));
	return err;
}

void tell_systemd(const char *message)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	size_t n = path ? strlen(path) : 0;
	int fd;

	if (n == 0 || n >= sizeof(addr.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(addr.sun_path, path, n);
	if (path[0] == '@')
		addr.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* Best effort, as for everybody who is started without systemd. */
	sendto(fd, message, strlen(message), MSG_NOSIGNAL | MSG_DONTWAIT,
	       (const struct sockaddr *)&addr,
	       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
	close(fd);
}
