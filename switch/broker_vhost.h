/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker_vhost: what the switch asks of the broker for guests behind vhost-user sockets, and what the broker keeps of them over a
 * restart of the switch.  broker.h includes it.
 */
#ifndef VFAB_SWITCH_BROKER_VHOST_H
#define VFAB_SWITCH_BROKER_VHOST_H

#include <stdint.h>

#include "switch/port/port.h"

enum {
	GUEST_PATH_SIZE = 108,	 /* of a socket, as in sockaddr_un */
	GUEST_OWNER_SIZE = 72,	 /* USER[:GROUP], names or numbers */
	GUEST_PLACES = 130,	 /* descriptors kept for a guest, by place; place 0 is the connection */
	GUEST_SAVED_SIZE = 4096, /* bytes kept for a guest; the broker does not look into them */
	GUEST_KEEP_FDS = 34,	 /* descriptors of one KEEP */
	BROKER_FDS_MAX = GUEST_PLACES + 1,
};

/* A vhost-user socket that a port wants. */
struct guest_spec {
	char port[PORT_NAME_SIZE];
	char path[GUEST_PATH_SIZE];   /* absolute; no two ports have the same */
	char owner[GUEST_OWNER_SIZE]; /* server: of the socket; "": root */
	uint16_t mode;		      /* server: permissions of the socket */
	uint8_t is_client;	      /* connects, and again when that ends; else listens */
	uint8_t may_wait; /* a path that cannot be bound: answer, say why in text, and try again from time to time */
	uint8_t reserved[4];
};

/* Descriptors: the listening socket of a server first (has_listen), then n of what was kept, by place. */
struct guest_answer {
	uint16_t n;
	uint8_t has_listen;
	uint8_t reserved;
	uint32_t n_saved; /* bytes kept; 0: nothing was saved since the connection, if there is one (place 0) */
	uint8_t place[GUEST_PLACES];
	uint8_t reserved2[6];
	uint8_t saved[GUEST_SAVED_SIZE];
};

struct guest_keep {
	char port[PORT_NAME_SIZE];
	uint8_t forget; /* the connection ended: everything kept is closed, a client connects anew; comes alone */
	uint8_t n;	/* descriptors that come along */
	uint8_t place[GUEST_KEEP_FDS];
	uint32_t n_saved; /* 0: what was saved stays */
	uint64_t empty[(GUEST_PLACES + 63) / 64]; /* places closed before the new ones are taken */
	uint8_t saved[GUEST_SAVED_SIZE];
};

/* Comes with a client's connection, on which the front-end has begun to speak and which is kept already (place 0); or
 * with the listening socket that was waited for (is_listen). */
struct guest_notice {
	char port[PORT_NAME_SIZE];
	uint8_t is_listen;
	uint8_t reserved[7];
};

/* The switch's side.  Each waits for the answer and returns 0 or -errno.  fds: BROKER_FDS_MAX; *n_fds of them came.
 * text: TAP_TEXT_SIZE, why not, or why the socket is waited for. */
int broker_guest_open(const struct guest_spec *spec, struct guest_answer *answer, int *fds,
		      unsigned *n_fds, char *text);
int broker_guest_keep(const struct guest_keep *keep, const int *fds); /* keep->n of them */
int broker_guest_close(const char *port);

#endif
