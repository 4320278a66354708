/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf_schema: what the table of kinds and keys is made of, and the ways to the fields that it speaks of.
 *
 * One line of it says all that conf_value.c, conf_merge.c, conf_list.c, conf_print.c and plan.c need to know of a key.
 */
#ifndef VFAB_SWITCH_CONF_SCHEMA_H
#define VFAB_SWITCH_CONF_SCHEMA_H

#include "switch/conf.h"

enum conf_type {
	CONF_NAME,   /* char[CONF_NAME_SIZE]: of another object */
	CONF_IFNAME, /* char[CONF_IFNAME_SIZE] */
	CONF_NETNS,  /* char[CONF_NETNS_SIZE] */
	CONF_SOCKET, /* char[CONF_SOCKET_SIZE] */
	CONF_OWNER,  /* char[CONF_OWNER_SIZE]: USER[:GROUP] */
	CONF_OCTAL,  /* uint16_t: permissions of a file */
	CONF_BOOL,
	CONF_NUMBER, /* uint16_t, uint32_t or uint64_t, min to max */
	CONF_WORD,   /* place in words; uint8_t, bool or an enum */
	CONF_MAC,
	CONF_IPV4, /* struct ip */
	CONF_IPV6,
	CONF_IP,
	CONF_NET4, /* struct prefix of a network: no host bits */
	CONF_NET6,
	CONF_HOST4, /* struct prefix of one host */
	CONF_HOST6,
	CONF_DURATION, /* uint64_t, ms; 0 is "never" */
	CONF_TIMEOUT,  /* uint64_t, ms; never 0 */
	CONF_BITS,     /* uint64_t, bits a second */
	CONF_STRING,   /* char *, NULL: none */
	CONF_SPEC,     /* struct conf_forward: its grammar */
	CONF_LINK_MAC, /* mac_mode of struct conf_uplink, and mac: auto, interface or an address */
	CONF_RANGE4,   /* struct ip[2]: FIRST-LAST */
	CONF_RANGE6,
	CONF_LABEL,	/* char[CONF_LABEL_SIZE]: the name of a host */
	CONF_DOMAIN,	/* char[CONF_DOMAIN_SIZE] */
	CONF_VENDOR,	/* char[CONF_VENDOR_SIZE] */
	CONF_CLIENT_ID, /* client_id of struct conf_reservation, and client_id_len */
	CONF_VIDS,     /* uint64_t[64], a bit for each; the first that is no scalar */
	CONF_CPUS,     /* struct conf_workers */
	CONF_MAP,      /* keys of their own, in the same object */
	CONF_MACS,     /* struct conf_network: {MAC: PORT} */
	CONF_NICS,     /* struct conf_container: list of maps */
	CONF_NETS,     /* struct prefix[max], of `count` those of networks */
	CONF_HOSTS,    /* the same of hosts */
	CONF_FORWARDS, /* struct conf_network: list of texts and maps */
	CONF_DHCP,     /* a map as CONF_MAP, or its range alone */
	CONF_IPS,      /* struct ip[max] */
	CONF_SERVERS,  /* struct conf_server[max] */
	CONF_ARCHS,    /* uint16_t[max] */
	CONF_OPTIONS,  /* struct conf_options: {NAME: VALUE} */
	CONF_CLASSES,  /* struct conf_network: list of maps */
	CONF_RESERVATIONS,
	CONF_DOMAINS, /* struct conf_dns: {DOMAIN: [SERVER]} */
};

struct conf_key {
	const char *name;
	enum conf_type type;
	uint16_t at, size; /* the field in the object */
	uint16_t has;	   /* a bool that says "given", 0: none */
	uint16_t count;	   /* of a list: a uint8_t that says how many */
	uint16_t dhcp;	   /* CONF_HOST4: a bool that says "dhcp" in place of an address; 0: none */
	bool is_required;  /* a new object must have it */
	bool reopens;	   /* a change closes the device and opens it again */
	uint64_t min, max;
	const char *const *words;	/* CONF_WORD, NULL-terminated */
	const char *const *later_words; /* values whose feature is not there yet */
	const struct conf_key *keys;	/* CONF_MAP, ends with a name of NULL */
};

/* A kind of object.  Offsets are into the object, or (array, count) into struct conf. */
struct conf_kind {
	const char *section;	     /* ports */
	const char *word;	     /* port */
	const struct conf_key *keys; /* ends with a name of NULL */
	const void *initial;	     /* the object with its defaults */
	size_t size, max;
	uint16_t line, marks; /* int line, column; struct conf_mark at[]; 0: has none */
	uint16_t array,
		count; /* of the objects in struct conf; array == count: there is only one */
};

extern const struct conf_kind conf_networks, conf_uplinks, conf_ports, conf_containers,
	conf_workers, conf_dns, conf_nics, conf_forwards, conf_classes, conf_reservations;
extern const struct conf_kind
	*const conf_kinds[]; /* sections, in the order in which they are printed; NULL at the end */
extern const char *const conf_later_sections[];

static inline void *conf_field(const void *object, size_t at)
{
	return (char *)(uintptr_t)object + at;
}

const struct conf_key *conf_key_find(const struct conf_key *keys, const char *name);
/* The objects of a kind. */
void *conf_objects(const struct conf *c, const struct conf_kind *kind, size_t *n);
void conf_set_objects(struct conf *c, const struct conf_kind *kind, void *objects, size_t n);
static inline bool conf_is_single(const struct conf_kind *kind)
{
	return kind->array == kind->count;
}
/* Frees what an object holds beside itself. */
void conf_object_fini(const struct conf_kind *kind, void *object);

#endif
