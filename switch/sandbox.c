/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sandbox: what the switch process gives up before the first guest byte, and the resolver before the first answer.
 *
 * How it fits.  switch.c calls sandbox_enter() once, after it has mapped the state region and
 * before it reads its configuration; nothing that a guest, a client or a file wrote has been seen
 * until then.  resolver.c calls sandbox_resolver() first of all.
 *
 * Theory of operation.  Each step needs what a later one takes away:
 *
 *   who we become    needs /etc/passwd        namespaces, empty root   need CAP_SYS_ADMIN
 *   bounding set     needs CAP_SETPCAP        uid, gid                 need CAP_SETUID, CAP_SETGID
 *   no capability, no_new_privs, death signal, non-dumpable: need nothing more
 *   seccomp last: everything above would be a violation
 *
 * The resolver stays in the broker's network namespace: it has to reach servers from where the host does.  Everything else is
 * the same.
 *
 * The filter of each allows what it calls, listed below with the reason where it is not plain; everything else kills the
 * process, and the broker's event names the signal (SIGSYS).  Calls without a check of arguments come out of the kernel's
 * per-filter bitmap, so read and writev of the data path cost nothing.
 *
 * A build with sanitizers (VFAB_SANITIZED) allows a few calls more, named in their own list.
 */
#include "switch/sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <jansson.h>
#include <linux/if_packet.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

/* Whole calls of both: what their arguments reach is held by descriptors and memory that the process has anyway. */
static const int allowed[] = {
	/* data path: the kernel answers these from its bitmap */
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_create1),
	/* broker */
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmsg),
	SCMP_SYS(close),
	/* memory; mmap, and mprotect of the switch, are below */
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(brk),
	/* ends */
	SCMP_SYS(getpid),
	SCMP_SYS(exit_group),
	/* signals */
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(restart_syscall),
	/* time, where the vDSO cannot tell it, and randomness */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(getrandom),
};

static const int allowed_switch[] = {
	SCMP_SYS(writev),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(futex),
	SCMP_SYS(sched_yield),
	SCMP_SYS(eventfd2),
	/* control socket, streams */
	SCMP_SYS(accept4),
	SCMP_SYS(pread64),
	SCMP_SYS(fstat),
	SCMP_SYS(memfd_create),
	/* journal of leases, with ftruncate */
	SCMP_SYS(pwrite64),
	SCMP_SYS(fdatasync),
	/* guests: what their memory is, rings without a kick, the watchdog */
	SCMP_SYS(fstatfs),
	SCMP_SYS(ftruncate),
	SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(timer_settime),
	/* memory */
	SCMP_SYS(madvise),
	SCMP_SYS(sysinfo), /* qsort of the C library asks how much memory there is */
	/* threads */
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(sched_setaffinity),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(exit),
};

/* With socket(), which is below.  Neither bind() nor listen(): what is sent goes out, and nothing comes in that was not asked
 * for. */
static const int allowed_resolver[] = {
	SCMP_SYS(connect),
	SCMP_SYS(recvfrom),
};

#ifdef VFAB_SANITIZED
/* What the runtimes of the sanitizers need: stacks of threads, their shadow, and the text of a report. */
static const int allowed_sanitized[] = {
	SCMP_SYS(mmap),
	SCMP_SYS(mprotect),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(prlimit64),
	SCMP_SYS(getrlimit),
	SCMP_SYS(getppid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(prctl),
	SCMP_SYS(sched_getparam),
	SCMP_SYS(newfstatat),
	SCMP_SYS(arch_prctl),
	SCMP_SYS(dup),
	SCMP_SYS(uname),
	SCMP_SYS(sched_getscheduler),
	SCMP_SYS(nanosleep),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(gettid),
	SCMP_SYS(lseek),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(membarrier),
	SCMP_SYS(futex),
	SCMP_SYS(madvise),
	SCMP_SYS(exit),
};

/* They look for files and can live without. */
static const int absent_sanitized[] = {
	SCMP_SYS(open),	      SCMP_SYS(openat), SCMP_SYS(stat),	 SCMP_SYS(readlink),
	SCMP_SYS(readlinkat), SCMP_SYS(access), SCMP_SYS(pipe2),
};
#endif

/* Commands of fcntl: the seals of a memfd, and flags. */
static const unsigned fcntl_commands[] = {
	F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC, F_ADD_SEALS, F_GET_SEALS,
};

/* The last is of a packet socket: what its ring had no room for. */
static const unsigned socket_options[] = {SO_PEERCRED, SO_ERROR, PACKET_STATISTICS};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum kind { KIND_SWITCH, KIND_RESOLVER };

enum { FILTER_S = 5 }; /* to build and load the filter, which takes milliseconds */

/* A name for a thread or a mapping is all that prctl is for. */
static const unsigned prctl_options[] = {PR_SET_NAME, PR_SET_VMA};

/* Of an int argument only the lower half of the register counts. */
static const uint64_t INT_MASK = 0xffffffff;

/* Acts on a call when the masked argument has that value. */
static int rule(scmp_filter_ctx f, uint32_t action, int call, struct scmp_arg_cmp cmp)
{
	cmp.op = SCMP_CMP_MASKED_EQ;
	return seccomp_rule_add_array(f, action, call, 1, &cmp);
}

static struct scmp_arg_cmp arg(unsigned index, uint64_t mask, uint64_t value)
{
	return (struct scmp_arg_cmp){.arg = index, .datum_a = mask, .datum_b = value};
}

static int allow_values(scmp_filter_ctx f, int call, unsigned index, const unsigned *values,
			size_t n)
{
	int err = 0;
	size_t i;

	for (i = 0; i < n && !err; i++)
		err = rule(f, SCMP_ACT_ALLOW, call, arg(index, INT_MASK, values[i]));
	return err;
}

/* What abort() and the standard streams need of both, and memory, which is never executable. */
static int allow_common(scmp_filter_ctx f)
{
	int err;

	err = rule(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), arg(2, PROT_EXEC, 0));
	/* abort() and stopping a thread: ourselves, nobody else. */
	if (!err)
		err = rule(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill),
			   arg(0, INT_MASK, (uint32_t)getpid()));
	/* isatty() of the standard streams. */
	if (!err)
		err = rule(f, SCMP_ACT_ERRNO(ENOTTY), SCMP_SYS(ioctl), arg(1, INT_MASK, TCGETS));
	return err;
}

/* A new thread stays in our namespaces and our process; its stack and its heap are mapped before they may be used. */
static int allow_threads(scmp_filter_ctx f)
{
	const uint64_t kinds = CLONE_THREAD | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
			       CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |
			       CLONE_PTRACE;
	int err;

	err = rule(f, SCMP_ACT_ALLOW, SCMP_SYS(clone), arg(0, kinds, CLONE_THREAD));
	if (!err)
		err = rule(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), arg(2, PROT_EXEC, 0));
	/* Its flags lie in memory, where no filter can look: the C library falls back to clone. */
	if (!err)
		err = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return err;
}

static int allow_switch(scmp_filter_ctx f)
{
	int err;

	err = allow_threads(f);
	if (!err)
		err = allow_values(f, SCMP_SYS(fcntl), 1, fcntl_commands, COUNT(fcntl_commands));
	if (!err)
		err = allow_values(f, SCMP_SYS(prctl), 0, prctl_options, COUNT(prctl_options));
	if (!err)
		err = allow_values(f, SCMP_SYS(getsockopt), 2, socket_options,
				   COUNT(socket_options));
	/* fstat() of the C library; with a path it finds nothing in an empty root. */
	if (!err)
		err = rule(f, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat),
			   arg(3, INT_MASK, AT_EMPTY_PATH));
	if (!err)
		err = rule(f, SCMP_ACT_ALLOW, SCMP_SYS(statx),
			   arg(2, AT_EMPTY_PATH, AT_EMPTY_PATH));
	return err;
}

/* UDP and TCP, and no other socket. */
static int allow_resolver(scmp_filter_ctx f)
{
	static const int families[] = {AF_INET, AF_INET6}, types[] = {SOCK_DGRAM, SOCK_STREAM};
	const uint64_t flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
	struct scmp_arg_cmp cmp[2];
	int err = 0;
	size_t i;

	for (i = 0; i < COUNT(families) * COUNT(types) && !err; i++) {
		cmp[0] = arg(0, INT_MASK, (uint64_t)families[i / 2]);
		cmp[1] = arg(1, INT_MASK, (uint64_t)types[i % 2] | flags);
		cmp[0].op = cmp[1].op = SCMP_CMP_MASKED_EQ;
		err = seccomp_rule_add_array(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2, cmp);
	}
	return err;
}

static int allow_list(scmp_filter_ctx f, uint32_t action, const int *calls, size_t n)
{
	int err = 0;
	size_t i;

	for (i = 0; i < n && !err; i++)
		err = seccomp_rule_add(f, action, calls[i], 0);
	return err;
}

#ifdef VFAB_SANITIZED
static int allow_sanitizers(scmp_filter_ctx f, enum kind kind)
{
	int err = allow_list(f, SCMP_ACT_ALLOW, allowed_sanitized, COUNT(allowed_sanitized));

	if (!err)
		err = allow_list(f, SCMP_ACT_ERRNO(ENOENT), absent_sanitized,
				 COUNT(absent_sanitized));
	/* Their symbolizer tries one, which the resolver has anyway. */
	if (!err && kind == KIND_SWITCH)
		err = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOENT), SCMP_SYS(socket), 0);
	return err;
}
#else
static int allow_sanitizers(scmp_filter_ctx f, enum kind kind)
{
	(void)f;
	(void)kind;
	return 0;
}
#endif

static int allow_kind(scmp_filter_ctx f, enum kind kind)
{
	int err;

	if (kind == KIND_SWITCH) {
		err = allow_list(f, SCMP_ACT_ALLOW, allowed_switch, COUNT(allowed_switch));
		return err ? err : allow_switch(f);
	}
	err = allow_list(f, SCMP_ACT_ALLOW, allowed_resolver, COUNT(allowed_resolver));
	return err ? err : allow_resolver(f);
}

static int load_filter(enum kind kind)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int err;

	if (!f)
		return -ENOMEM;
	/* Threads that a runtime started before us come along; no_new_privs is set already. */
	err = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);
	/* A 32-bit call would end its thread alone, and leave a switch without that worker. */
	if (!err)
		err = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (!err)
		err = allow_list(f, SCMP_ACT_ALLOW, allowed, COUNT(allowed));
	if (!err)
		err = allow_common(f);
	if (!err)
		err = allow_kind(f, kind);
	if (!err)
		err = allow_sanitizers(f, kind);
	if (!err)
		err = seccomp_load(f);
	seccomp_release(f);
	return err;
}

/* libseccomp 2.5 may loop for ever when memory ends while it writes the filter: then the alarm ends us, and the broker says so. */
static int enter_seccomp(enum kind kind)
{
	int err;

	alarm(FILTER_S);
	err = load_filter(kind);
	/* The filter knows no alarm(): it rings unheard. */
	signal(SIGALRM, SIG_IGN);
	return err;
}

struct identity {
	uid_t uid;
	gid_t gid;
};

/* The user of the switch: vfab where the administrator made it, else nobody. */
static int find_identity(struct identity *id)
{
	const struct passwd *pw = getpwnam("vfab");

	if (!pw)
		pw = getpwnam("nobody");
	id->uid = pw ? pw->pw_uid : 65534;
	id->gid = pw ? pw->pw_gid : 65534;
	/* A user of that name with the rights of root would be no sandbox. */
	return id->uid == 0 || id->gid == 0 ? -EPERM : 0;
}

/*
 * An empty tmpfs of one inode becomes the root, read-only.  /proc is the one directory that is sure
 * to be there; on a root that cannot be pivoted (an initramfs), the tmpfs is moved over it instead.
 */
static int empty_root(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("vfab", "/proc", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "mode=0555,nr_inodes=2,size=4096") < 0 ||
	    chdir("/proc") < 0)
		return -errno;
	if (syscall(SYS_pivot_root, ".", ".") == 0) {
		if (umount2(".", MNT_DETACH) < 0)
			return -errno;
	} else if (errno != EINVAL || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0) {
		return -errno;
	}
	if (chdir("/") < 0 ||
	    mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  NULL) < 0)
		return -errno;
	return 0;
}

static int drop_rights(const struct identity *id)
{
	capng_clear(CAPNG_SELECT_ALL);
	errno = 0;
	/* Takes the bounding set first, then groups, gid and uid, then what capabilities are left. */
	if (capng_change_id((int)id->uid, (int)id->gid,
			    CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING | CAPNG_CLEAR_AMBIENT) < 0)
		return errno ? -errno : -EPERM;
	return 0;
}

/* What the broker needs, and for what. */
static const unsigned broker_capabilities[] = {
	CAP_NET_ADMIN,	     /* taps, rtnetlink, nftables */
	CAP_NET_RAW,	     /* packet sockets */
	CAP_NET_BROADCAST,   /* events of other namespaces */
	CAP_SYS_ADMIN,	     /* entering namespaces, eBPF; the switch: making its own */
	CAP_SYS_CHROOT,	     /* likewise */
	CAP_SYS_PTRACE,	     /* the namespace of a process */
	CAP_DAC_OVERRIDE,    /* files and sockets of operators */
	CAP_DAC_READ_SEARCH, /* likewise */
	CAP_CHOWN,	     /* the control socket, the saved file */
	CAP_FOWNER,	     /* likewise */
	CAP_KILL,	     /* the switch, which is another user */
	CAP_SETUID,	     /* the switch: becoming that user */
	CAP_SETGID,	     /* likewise */
	CAP_SETPCAP,	     /* its bounding set */
};

int sandbox_broker(void)
{
	bool has[COUNT(broker_capabilities)];
	size_t i;

	/* In a container some may be missing: what is not there cannot be kept. */
	for (i = 0; i < COUNT(has); i++)
		has[i] = capng_have_capability(CAPNG_PERMITTED, broker_capabilities[i]) == 1;
	capng_clear(CAPNG_SELECT_ALL);
	for (i = 0; i < COUNT(has); i++) {
		if (has[i])
			capng_update(CAPNG_ADD,
				     CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET,
				     broker_capabilities[i]);
	}
	errno = 0;
	if (capng_apply(CAPNG_SELECT_BOTH) < 0)
		return errno ? -errno : -EPERM;
	return 0;
}

static int enter(enum kind kind, const char **step)
{
	int own_network = kind == KIND_SWITCH ? CLONE_NEWNET : 0;
	pid_t parent = getppid();
	struct identity id;
	int err;

	*step = "user of the switch";
	err = find_identity(&id);
	if (err)
		return err;
	*step = "own namespaces";
	if (unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | own_network) < 0)
		return -errno;
	*step = "empty root";
	err = empty_root();
	if (err)
		return err;
	*step = "capabilities and user";
	err = drop_rights(&id);
	if (err)
		return err;
	/* The change of user took the death signal away; a broker that died since is noticed here. */
	*step = "death signal";
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	if (getppid() != parent)
		return -ESRCH;
	*step = "no_new_privs";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		return -errno;
	*step = "seccomp";
	return enter_seccomp(kind);
}

int sandbox_enter(const char **step)
{
	/* Reads /dev/urandom at its first object, which would be too late later. */
	json_object_seed(0);
	return enter(KIND_SWITCH, step);
}

int sandbox_resolver(const char **step)
{
	return enter(KIND_RESOLVER, step);
}
