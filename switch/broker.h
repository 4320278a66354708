/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker: the privileged half, and the typed requests it takes.
 *
 *   vfabd (broker, root)  <--- requests: SOCK_SEQPACKET, one at a time, answered --->  switch (no rights)
 *                          ---> notices: SOCK_SEQPACKET, broker to switch only  --->
 *
 * The broker opens taps, enters namespaces, binds the control socket, keeps every descriptor, the
 * state region and the last applied configuration, and starts the switch again when it dies: at
 * once, then after 100, 200 ms ...; a second crash within 5 s starts with empty tables.
 *
 * Trust.  Requests come from a process that may be taken over by a guest: lengths exact, strings
 * terminated, every field within its limits, names only of the shapes that struct conf allows; what
 * a request may open is listed here and nothing else.
 */
#ifndef VFAB_SWITCH_BROKER_H
#define VFAB_SWITCH_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/base/addr.h"
#include "switch/broker_uplink.h"
#include "switch/broker_vhost.h"
#include "switch/conf.h"
#include "switch/port/port.h"
#include "switch/resolver.h"

/* Descriptors of the switch process at its start. */
enum {
	SWITCH_FD_REQUEST = 3,
	SWITCH_FD_NOTICE = 4,
	SWITCH_FD_LISTEN = 5,
	SWITCH_FD_STATE = 6,
	SWITCH_FD_CONF = 7,
	SWITCH_FD_NAT = 8, /* the region of nat/nat.h, nat_region_bytes(); all zero when nothing of it was written yet */
	SWITCH_FD_LEASES_A = 9,	 /* the files of dhcp/journal.h, or memfds where no state directory is ours; kept as they are */
	SWITCH_FD_LEASES_B = 10, /* over every restart of the switch; their offset is where the last writer left it */
	SWITCH_FD_END
};

enum broker_op {
	BROKER_TAP_OPEN = 1, /* struct tap_spec -> struct tap_answer, descriptors of the queues */
	BROKER_TAP_SET,	     /* struct tap_spec: new MTU, MAC or addresses of a tap that is open */
	BROKER_TAP_CLOSE,    /* name of the port */
	BROKER_GUEST_OPEN,   /* struct guest_spec -> struct guest_answer, its descriptors */
	BROKER_GUEST_KEEP,   /* struct guest_keep, n_fds descriptors: what became of a message of a guest */
	BROKER_GUEST_CLOSE,  /* name of the port */
	BROKER_CONF_KEEP,    /* memfd with the text that was applied: kept for a restart */
	BROKER_CONF_SAVE,    /* memfd with the text: rewrites the -c file atomically */
	BROKER_READY, /* a configuration stands, the first or a reload: what was not asked for goes */
	BROKER_LINK_OPEN,    /* struct link_spec -> struct link_answer, its descriptors */
	BROKER_LINK_SET,     /* struct link_spec: other settings of a link that is open */
	BROKER_LINK_CLOSE,   /* name of the port */
	BROKER_HOST_SET,     /* struct host_set, memfd with its arrays */
	BROKER_RESOLVER_SET, /* memfd with a struct resolver_servers -> a descriptor, or none: see broker_resolver_set() */
	BROKER_OP_END,
};

enum broker_notice_kind {
	NOTICE_TAP = 1, /* a tap changed: struct tap_answer, descriptors when it came */
	NOTICE_GUEST,  /* struct guest_notice and a descriptor: what the port's GUEST_OPEN could not give yet */
	NOTICE_RELOAD, /* SIGHUP: memfd with the text of the -c file, or none and tap.text says why */
	NOTICE_STOP,   /* SIGTERM: close and exit 0 */
	NOTICE_LINK,   /* an interface changed: struct link_answer, descriptors when it came */
	NOTICE_HOST,   /* text, news: what became of the host's side */
	NOTICE_RESOLVER, /* news: enum resolver_news; a descriptor when it came */
};

enum { TAP_TEXT_SIZE = 192 };

/* A tap that a port wants. */
struct tap_spec {
	char port[PORT_NAME_SIZE];
	char ifname[CONF_IFNAME_SIZE];
	char netns[CONF_NETNS_SIZE]; /* "": vfabd's own */
	struct mac mac;		     /* zero: the kernel's choice */
	uint32_t mtu;
	uint16_t queues;
	uint8_t may_wait; /* no namespace yet: answer PORT_WAITING and send NOTICE_TAP later */
	uint8_t is_leased; /* its IPv4 address and gateway come later, by BROKER_TAP_SET */
	struct prefix ipv4, ipv6; /* is_set: put on the device */
	struct ip gateway;	  /* default route in the device's namespace */
	uint8_t has_gateway;
	uint8_t reserved2[7];
};

struct tap_answer {
	char port[PORT_NAME_SIZE];
	int32_t error;	 /* 0, or errno: text says it in words */
	uint8_t state;	 /* enum port_state */
	uint8_t adopted; /* the device existed before */
	uint16_t n_fds;
	uint32_t can;	 /* enum offload_can: what the kernel's tap takes */
	uint32_t serial; /* grows with each answer and notice: an older one is stale */
	struct mac mac;	 /* of the device */
	struct mac first_mac; /* at opening, or set by a spec since: its user cannot change this one */
	char ifname[CONF_IFNAME_SIZE];
	char text[TAP_TEXT_SIZE]; /* what happened, for the error or the event; "" when nothing */
};

struct broker_request {
	uint32_t op; /* enum broker_op */
	uint32_t reserved;
	union {
		struct tap_spec tap;
		struct guest_spec guest;
		struct guest_keep keep;
		struct link_spec link;
		struct host_set host;
		char port[PORT_NAME_SIZE];
	};
};

struct broker_reply {
	int32_t error; /* 0 or errno */
	uint32_t reserved;
	char text[TAP_TEXT_SIZE];
	struct tap_answer tap;
	struct guest_answer guest;
	struct link_answer link;
};

struct broker_notice {
	uint32_t kind; /* enum broker_notice_kind */
	uint32_t news; /* NOTICE_HOST: enum host_news; NOTICE_RESOLVER: enum resolver_news */
	struct tap_answer tap;	   /* NOTICE_TAP */
	struct guest_notice guest; /* NOTICE_GUEST */
	struct link_answer link;   /* NOTICE_LINK */
	char text[TAP_TEXT_SIZE];  /* NOTICE_HOST */
};

struct broker_options {
	const char *conf_file;	 /* -c, or NULL */
	const char *socket_path; /* where to bind the control socket */
	const char *state_dir;	 /* --state */
	bool state_dir_given;
	const char *log_level; /* word, handed to the switch */
};

/* Runs the broker until it is told to stop.  Returns the exit status of vfabd: 0, 1, or 65 when the first
 * configuration is bad. */
int broker_run(const struct broker_options *o);

/* The switch's side.  Each waits for the answer and returns 0 or -errno. */
int broker_tap_open(const struct tap_spec *spec, struct tap_answer *answer,
		    int fds[static PORT_QUEUES_MAX]);
int broker_tap_set(const struct tap_spec *spec, struct tap_answer *answer);
int broker_tap_close(const char *port);
int broker_conf_keep(const char *text, size_t bytes);
int broker_conf_save(const char *text, size_t bytes);
int broker_ready(void);
/* In the switch: what its arguments say.  argv: vfabd BROKER_SWITCH_MARK LEVEL NAME.  False: it was not started by a
 * broker.  *conf_name: what to call the text behind SWITCH_FD_CONF. */
#define BROKER_SWITCH_MARK "--as-switch"
bool broker_client_init(int argc, char **argv, const char **conf_name);
/* Reads one notice without waiting; -EAGAIN: none, -EPIPE: the broker is gone.  fds: descriptors that came, *n of them. */
int broker_notice_read(struct broker_notice *n, int fds[static PORT_QUEUES_MAX], unsigned *n_fds);

#endif
