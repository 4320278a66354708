/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netns: a name for a namespace.
 *
 * A child unshares its network, sets lo up, mounts its own /proc/self/ns/net over an empty file of that name and ends; the
 * mount keeps the namespace.  vfab itself never changes its namespace.  /run/netns is made a shared mount
 * first, as `ip netns` does, so that namespaces of other mount namespaces see the names come and go.
 *
 *   vfab    fork ------------- record the inode, make the file, "go" ------ wait
 *   child        unshare, "it is there"                             mount
 */
#include "tools/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define NETNS_DIR "/run/netns"

static int path_of(const char *name, char path[static NETNS_PATH_SIZE])
{
	int n;

	n = snprintf(path, NETNS_PATH_SIZE, NETNS_DIR "/%s", name);
	return n < 0 || n >= NETNS_PATH_SIZE ? -ENAMETOOLONG : 0;
}

/* The directory, as a shared mount.  0 or -errno. */
static int make_dir(void)
{
	if (mkdir(NETNS_DIR, 0755) && errno != EEXIST)
		return -errno;
	if (!mount("", NETNS_DIR, "none", MS_SHARED | MS_REC, NULL))
		return 0;
	/* EINVAL: it is no mount point yet. */
	if (errno != EINVAL)
		return -errno;
	if (mount(NETNS_DIR, NETNS_DIR, "none", MS_BIND | MS_REC, NULL))
		return -errno;
	return mount("", NETNS_DIR, "none", MS_SHARED | MS_REC, NULL) ? -errno : 0;
}

static int set_lo_up(void)
{
	struct ifreq ifr = {.ifr_name = "lo"};
	int fd, rc;

	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	rc = ioctl(fd, SIOCSIFFLAGS, &ifr) ? -errno : 0;
	close(fd);
	return rc;
}

/* One byte to or from the other side; false when it has ended. */
static bool hear(int fd)
{
	ssize_t n;
	char byte;

	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	return n == 1;
}

static bool tell(int fd)
{
	return send(fd, "", 1, MSG_NOSIGNAL) == 1;
}

/* In the child: the exit status is the errno. */
static int become_named(const char *path, int parent)
{
	int rc;

	if (unshare(CLONE_NEWNET))
		return errno;
	rc = -set_lo_up();
	if (rc)
		return rc;
	/* Without an answer vfab was killed, or gave up: there is no record of this namespace. */
	if (!tell(parent) || !hear(parent))
		return ECANCELED;
	return mount("/proc/self/ns/net", path, "none", MS_BIND, NULL) ? errno : 0;
}

/* Waits for a child and gives what it exited with as -errno. */
static int wait_child(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

static void remove_name(const char *path)
{
	umount2(path, MNT_DETACH);
	unlink(path);
}

/* The parent's half.  0: the file is there and the child goes on; else why not, -EPIPE when it ended before. */
static int let_name(pid_t pid, int child, const char *path, int (*record)(ino_t inode, void *arg),
		    void *arg)
{
	int fd, rc;

	if (!hear(child))
		return -EPIPE;
	rc = record(proc_netns(pid), arg);
	if (rc)
		return rc;
	fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (fd < 0)
		return -errno;
	close(fd);
	tell(child);
	return 0;
}

int netns_add(const char *name, int (*record)(ino_t inode, void *arg), void *arg)
{
	char path[NETNS_PATH_SIZE];
	int pair[2], rc, ended;
	pid_t pid;

	rc = path_of(name, path);
	if (!rc)
		rc = make_dir();
	if (!rc && !access(path, F_OK))
		rc = -EEXIST;
	if (!rc && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		rc = -errno;
	if (rc)
		return rc;
	pid = fork();
	if (!pid) {
		close(pair[0]);
		_exit(become_named(path, pair[1]));
	}
	close(pair[1]);
	rc = pid < 0 ? -errno : let_name(pid, pair[0], path, record, arg);
	close(pair[0]);
	ended = pid < 0 ? 0 : wait_child(pid);
	if (!rc && ended)
		remove_name(path);
	return ended && (!rc || rc == -EPIPE) ? ended : rc;
}

/* An empty file waits for its namespace; what was killed may have left it so. */
static bool is_namespace(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) || fs.f_type == NSFS_MAGIC || fs.f_type == PROC_SUPER_MAGIC;
}

int netns_del(const char *name, ino_t inode)
{
	char path[NETNS_PATH_SIZE];
	struct stat st;
	int rc;

	rc = path_of(name, path);
	if (rc)
		return rc;
	if (stat(path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (st.st_ino != inode && is_namespace(path))
		return -ESTALE;
	if (umount2(path, MNT_DETACH) && errno != EINVAL)
		return -errno;
	return unlink(path) && errno != ENOENT ? -errno : 0;
}

/* As `ip netns exec` does: its own resolv.conf over that of the host, in a mount namespace of its own. */
static int use_own_names(const char *name)
{
	char path[NETNS_PATH_SIZE];

	snprintf(path, sizeof(path), "/etc/netns/%.64s/resolv.conf", name);
	if (access(path, R_OK) || access("/etc/resolv.conf", F_OK))
		return 0;
	if (unshare(CLONE_NEWNS) || mount("", "/", NULL, MS_SLAVE | MS_REC, NULL) ||
	    mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL))
		return errno;
	return 0;
}

/* In the child: does not return but with the errno. */
static int become_command(int ns, const char *name, const char *command, const char *log)
{
	sigset_t none;
	int in, out;

	if (setsid() < 0 || setns(ns, CLONE_NEWNET) || use_own_names(name))
		return errno;
	in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
	if (in < 0 || out < 0)
		return errno;
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(out, STDERR_FILENO) < 0)
		return errno;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	return errno;
}

int netns_run(const char *name, const char *command, const char *log, struct proc *p)
{
	char path[NETNS_PATH_SIZE];
	int fd, told[2], error, rc;

	rc = path_of(name, path);
	if (rc)
		return rc;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (pipe2(told, O_CLOEXEC)) {
		rc = -errno;
		close(fd);
		return rc;
	}
	p->pid = fork();
	if (!p->pid) {
		error = become_command(fd, name, command, log);
		_exit(write(told[1], &error, sizeof(error)) < 0);
	}
	rc = p->pid < 0 ? -errno : 0;
	close(told[1]);
	/* The pipe closes unwritten when the shell has started. */
	if (!rc && read(told[0], &error, sizeof(error)) == sizeof(error)) {
		waitpid(p->pid, NULL, 0);
		rc = -error;
	}
	close(told[0]);
	close(fd);
	p->start = rc ? 0 : proc_child_started(p->pid);
	return rc;
}
