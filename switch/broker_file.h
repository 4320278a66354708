/* SPDX-License-Identifier: GPL-2.0-or-later */
/* broker_file: what the broker does with files: control socket, state directory, -c file, and the word to systemd. */
#ifndef VFAB_SWITCH_BROKER_FILE_H
#define VFAB_SWITCH_BROKER_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include "switch/broker.h"

/* The control socket, and which file is ours to remove. */
struct control_socket {
	const char *path;
	int fd; /* bound and listening; -1: none */
	dev_t dev;
	ino_t ino;
};

/* Binds path; makes its directory.  0, or -errno with the reason in why.  Refused where another vfabd answers. */
int control_socket_open(struct control_socket *s, const char *path, char why[static TAP_TEXT_SIZE]);
void control_socket_close(struct control_socket *s);

/* Makes and locks the state directory.  The descriptor that holds the lock; -EBUSY: another vfabd has it; else -errno. */
int state_dir_lock(const char *dir);

/* A sealed memfd with those bytes, or -errno. */
int text_create(const char *text, size_t bytes);
/* The size of a text that a hostile process sent: -EINVAL when it is no sealed memfd, -EFBIG when it is too long. */
ssize_t text_check(int fd);

/* The -c file as such a text.  is_first: it may be a pipe and is waited for.  -EFBIG: longer than CONF_TEXT_MAX; else -errno. */
int conf_file_read(const char *path, bool is_first);
/* Puts the text into the place of the file, which keeps its owner and mode: all of it or nothing.  0 or -errno. */
int conf_file_write(const char *path, int text_fd);

/* sd_notify(3): one datagram to $NOTIFY_SOCKET, where there is one. */
void tell_systemd(const char *message);

#endif
