/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf: the configuration as users write it, and nothing else: YAML text -> struct conf -> YAML text.
 *
 * What.  libyaml's events become a tree, which is walked under one schema table (conf_schema.c) that knows each key, its type,
 * its limits and whether its feature is there yet.  The verbs of vfab take the same way: they send a fragment of the file (JSON,
 * which is YAML), which is merged into a copy.  Pure: no I/O, no global state; used by vfabd, vfab and the fuzzer.
 *
 * Trust.  The text is an operator's or an attacker's: at most CONF_TEXT_MAX bytes, nesting at most 16, no
 * anchors, aliases or tags, no NUL, no duplicate key, names and numbers within limits, each error with its position.
 *
 * Ownership.  conf_create, conf_copy give a struct conf that conf_destroy frees.  Objects are arrays in
 * the order of the text; pointers into them end with the next change.
 */
#ifndef VFAB_SWITCH_CONF_H
#define VFAB_SWITCH_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/base/addr.h"
#include "switch/conf_dhcp.h"
#include "switch/conf_limits.h"
#include "switch/conf_out.h"

enum conf_net_mode { NET_INTERNAL, NET_HOST_ONLY, NET_NAT, NET_BRIDGED };
enum conf_guard { GUARD_OFF, GUARD_MAC, GUARD_STRICT };

struct conf_static_mac {
	struct mac mac;
	char port[CONF_NAME_SIZE];
	int line, column;
};

struct conf_network {
	char name[CONF_NAME_SIZE];
	int line, column; /* where the text merged last has it, 1-based; 0: it has not */
	struct conf_mark at[CONF_KEYS_MAX];
	enum conf_net_mode mode;
	uint16_t vlan;	/* 0 only before conf_validate() */
	bool vlan_auto; /* the fabric chose it: trunks without `trunks` do not carry it */
	struct prefix ipv4, ipv6;
	struct ip gateway;	/* IPv4 gateway; first address of the prefix when not given */
	bool has_gateway;	/* given */
	uint32_t mtu;		/* 0: 1500 */
	bool isolate;		/* members reach no other member */
	uint64_t mac_ageing_ms; /* 300 s by default; 0: never */
	char ifname[CONF_IFNAME_SIZE]; /* host-only: the device; default vf-NETWORK cut to 15 */
	char uplink[CONF_NAME_SIZE];   /* nat, bridged; of nat never "" after conf_validate() */
	bool tagged;		       /* bridged: frames carry `vlan` on the uplink */
	struct conf_nat nat;
	struct conf_forward *forwards; /* in the order of the text */
	size_t n_forwards;
	struct conf_static_mac *macs;  /* static entries by address; key `macs`: {MAC: PORT} */
	size_t n_macs;
	struct conf_dhcp dhcp;
	struct ip dns[CONF_DNS_MAX]; /* key `dns`: what its hosts are told to ask; none: ourselves */
	uint8_t n_dns;
	char domain[CONF_DOMAIN_SIZE]; /* its zone; "": conf_network_zone() makes one */
};

struct conf_port {
	char name[CONF_NAME_SIZE];
	int line, column;
	struct conf_mark at[CONF_KEYS_MAX];
	char tap[CONF_IFNAME_SIZE];	    /* "": a vhost-user port */
	char netns[CONF_NETNS_SIZE];	    /* "": vfabd's own */
	char vhost_user[CONF_SOCKET_SIZE];  /* "": a tap */
	char socket_owner[CONF_OWNER_SIZE]; /* USER[:GROUP]; "": none */
	uint16_t socket_mode;		    /* 0660 by default */
	bool client;			    /* vfabd connects there; else it listens */
	char network[CONF_NAME_SIZE];	    /* "": a port with vlan-mode */
	uint8_t vlan_mode;		    /* enum vlan_mode */
	bool has_vlan_mode, has_trunks, has_gateway;
	uint16_t tag;		    /* 0: none */
	uint64_t trunks[4096 / 64]; /* bit per VID */
	struct mac mac;		    /* zero: none given; of a guest: what guard allows */
	struct prefix ipv4, ipv6;   /* set on the tap */
	bool dhcp;		    /* key `ipv4: dhcp`: the address comes as a lease of the network */
	struct ip gateway;	    /* default route set in the namespace */
	uint16_t queues;	    /* 1-16 */
	uint8_t guard;		    /* enum conf_guard */
	bool isolated;
	uint32_t mtu;	    /* 0: the network's, else 1500; 68-65520 */
	uint8_t prio_tags;  /* enum vlan_prio_tags */
	uint64_t rate_bits; /* 0: no limit */
	uint64_t storm_broadcast, storm_multicast, storm_unknown; /* frames/s; UINT64_MAX: none */
	uint32_t mac_limit;					  /* 4096 by default */
	bool mac_limit_drop;					  /* action drop; flood otherwise */
};

struct conf_nic {
	char network[CONF_NAME_SIZE];
	struct mac mac;
	struct prefix ipv4;
	bool dhcp; /* key `ipv4: dhcp` */
	struct ip gateway;
	bool has_gateway;
	char ifname[CONF_IFNAME_SIZE]; /* "": eth(n-1) */
	struct conf_mark at[CONF_KEYS_MAX];
	int line, column;
};

struct conf_container {
	char name[CONF_NAME_SIZE];
	int line, column;
	struct conf_mark at[CONF_KEYS_MAX];
	char *run; /* NULL: none */
	struct conf_nic *nics;
	size_t n_nics;
};

struct conf_workers {
	uint16_t cpus[CONF_WORKERS_MAX];
	size_t n_cpus;	/* 0: one worker, not bound to a CPU */
	bool idle_poll; /* idle: poll; adaptive otherwise */
};

struct conf {
	struct conf_network *networks;
	size_t n_networks;
	struct conf_uplink *uplinks;
	size_t n_uplinks;
	struct conf_route *routes;
	size_t n_routes;
	struct conf_port *ports;
	size_t n_ports;
	struct conf_container *containers;
	size_t n_containers;
	struct conf_workers workers;
	struct conf_dns dns;
	struct conf_index *index; /* of names, made by conf_validate(); conf_merge() drops it */
};

/* What a verb's exit status says of an error: 1, 65, 2 when something new lacks a key.  In a file each is bad data. */
enum conf_fault { CONF_REFUSED, CONF_BAD_VALUE, CONF_MISSING };

/* What is wrong and where.  For a file: "FILE:LINE:COLUMN: PATH: TEXT"; for a verb: "OBJECT: TEXT". */
struct conf_error {
	enum conf_fault fault;
	int line, column; /* 1-based; 0: none */
	char path[192];	  /* ports.web.network; "" for the whole text */
	char object[96];  /* port web; "" when no object is meant */
	char text[320];	  /* network "ofice" does not exist (did you mean "office"?) */
};

/* The line for people: of a file when `file` is given, else of a verb.  Returns buf. */
enum { CONF_ERROR_TEXT = 1024 };
const char *conf_error_line(const struct conf_error *err, const char *file,
			    char buf[static CONF_ERROR_TEXT]);

struct conf *conf_create(void); /* empty; NULL without memory */
struct conf *conf_copy(const struct conf *c);
void conf_destroy(struct conf *c);

enum conf_merge {
	CONF_ADD, /* every object of the text must be new */
	CONF_SET, /* every object must exist; the keys given replace, the others stay; null takes a key back */
	CONF_DEL, /* every object named (its value is ignored) must exist, and goes */
};

/* Parses text into c.  0, or -EINVAL / -ENOMEM with *err filled; c is then to be destroyed. */
int conf_merge(struct conf *c, const char *text, size_t bytes, enum conf_merge how,
	       struct conf_error *err);
/* A whole file into c.  One of no bytes, as it looks while it is being written, is refused. */
int conf_merge_file(struct conf *c, const char *text, size_t bytes, struct conf_error *err);

/*
 * Everything that one object cannot know: references with the nearest name, what two objects both want (VLANs, prefixes, taps,
 * sockets, names of ports, outside ports), limits in all.  What was left out and needs a value gets one: a VLAN for networks and
 * uplinks, from 4094 down, never one already in use; the uplink of a nat network; the link of a host uplink.
 * `keep` (may be NULL) is the running configuration whose automatic choices stay.  0, or -EINVAL with *err.
 */
int conf_validate(struct conf *c, const struct conf *keep, struct conf_error *err);

/* The whole as YAML, in the file's own keys, defaults left out: parses back to the same.  malloc'd, or NULL. */
char *conf_print(const struct conf *c);

const struct conf_network *conf_find_network(const struct conf *c, const char *name);
const struct conf_port *conf_find_port(const struct conf *c, const char *name);
/* The device of a host-only network in the host, also the name of its port. */
const char *conf_network_ifname(const struct conf_network *n, char buf[static CONF_IFNAME_SIZE]);
/* The n-th (from 0) interface of a container: the port that it makes and its interface. */
const char *conf_nic_port(const struct conf_container *c, size_t n,
			  char buf[static CONF_NAME_SIZE]);
const char *conf_nic_ifname(const struct conf_container *c, size_t n,
			    char buf[static CONF_IFNAME_SIZE]);
/* The gateway of a network, given or first of the prefix; false when it has no IPv4 prefix. */
bool conf_network_gateway(const struct conf_network *n, struct ip *out);

/* Equal in every key (positions do not count). */
bool conf_network_equal(const struct conf_network *a, const struct conf_network *b);
bool conf_port_equal(const struct conf_port *a, const struct conf_port *b);
bool conf_uplink_equal(const struct conf_uplink *a, const struct conf_uplink *b);

#endif
