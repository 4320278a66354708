/* SPDX-License-Identifier: GPL-2.0-or-later */
/* broker_file: what the broker does with files: sockets in the file system, state directory, -c file, and the word to systemd. */
#ifndef VFAB_SWITCH_BROKER_FILE_H
#define VFAB_SWITCH_BROKER_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "switch/broker.h"

/* A socket to listen on. */
struct listen_spec {
	const char *path;
	uid_t uid; /* of the file; (uid_t)-1: who made it */
	gid_t gid;
	mode_t mode;
	bool is_patient; /* waits for its turn in the directory; else -EBUSY */
};

/* One that is bound, and which file is ours to remove. */
struct listen_socket {
	const char *path; /* not copied */
	int fd;		  /* listening, non-blocking; -1: none */
	dev_t dev;
	ino_t ino;
};

/* Binds the path; makes its directory.  0, or -errno with the reason in why.  Refused where somebody answers. */
int listen_socket_open(struct listen_socket *s, const struct listen_spec *spec,
		       char why[static TAP_TEXT_SIZE]);
void listen_socket_close(struct listen_socket *s); /* closed already is fine */

/* The control socket: of the group vfab where there is one. */
int control_socket_open(struct listen_socket *s, const char *path, char why[static TAP_TEXT_SIZE]);

/* Makes and locks the state directory.  The descriptor that holds the lock; -EBUSY: another vfabd has it; else -errno. */
int state_dir_lock(const char *dir);

/* The files of dhcp/journal.h in the state directory behind dir_fd; below 0: in memory.  0, or -errno and the name of the bad
 * one: -ELOOP, -EPERM: what has that name is not ours alone. */
enum { JOURNAL_FILES = 2 };
int journal_files_open(int dir_fd, int fd[static JOURNAL_FILES], const char **bad);

/* A sealed memfd with those bytes, or -errno. */
int text_create(const char *text, size_t bytes);
/* The size of a text that a hostile process sent: -EINVAL when it is no sealed memfd, -EFBIG when it is too long. */
ssize_t text_check(int fd);
/* The same in words: 0, or -errno with the reason in why. */
int text_take(int fd, char why[static TAP_TEXT_SIZE]);

/* The -c file as such a text.  is_first: it may be a pipe and is waited for.  -EFBIG: longer than CONF_TEXT_MAX; else -errno. */
int conf_file_read(const char *path, bool is_first);
/* Puts the text into the place of the file, which keeps its owner and mode: all of it or nothing.  0 or -errno. */
int conf_file_write(const char *path, int text_fd);
/* That for a text from the switch, and in words; path NULL: vfabd was started without one. */
int conf_file_save(const char *path, int text_fd, char why[static TAP_TEXT_SIZE]);

/* sd_notify(3): one datagram to $NOTIFY_SOCKET, where there is one. */
void tell_systemd(const char *message);

#endif
