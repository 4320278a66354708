/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf_internal: what the files of conf share, and nobody else includes.
 *
 *   conf_yaml.c    text -> tree of nodes: everything that YAML may do and we refuse
 *   conf_schema.c  THE table of kinds and keys; its types: conf_schema.h
 *   conf_value.c   one value: text -> field
 *   conf_merge.c   tree + schema -> struct conf
 *   conf_list.c    the values that are lists
 *   conf_forward.c a static forward: text -> fields -> text
 *   conf_dhcp.c    texts of addresses and names, conf_option.c  of options of DHCP, conf_merge_dhcp.c  their lists,
 *                  conf_print_dhcp.c  all of that as text
 *   conf.c         life of struct conf
 *   conf_check.c   what one object cannot know
 *   conf_vlan.c    the VLANs that were left out
 *   conf_check_out.c  uplinks and NAT, conf_check_ways.c  forwards and routes, conf_check_dhcp.c  addresses and names
 *   conf_out.c     what follows from an uplink
 *   conf_print.c   struct conf + schema -> text; equality of objects
 *   plan.c         two struct conf + schema -> changes
 */
#ifndef VFAB_SWITCH_CONF_INTERNAL_H
#define VFAB_SWITCH_CONF_INTERNAL_H

#include <stdio.h>

#include "switch/conf_schema.h"

enum { CONF_WHY = 320, CONF_NODES_MAX = 1 << 20 };

/* Tree.  Children of a map are key, value, key, value; keys are scalars, without NUL, each once. */
enum conf_node_kind { NODE_SCALAR, NODE_MAP, NODE_LIST };

struct conf_node {
	enum conf_node_kind kind;
	bool is_plain;	  /* a scalar without quotes */
	int line, column; /* 1-based */
	size_t n;	  /* children; bytes of a scalar */
	const char *text; /* of a scalar, terminated */
	struct conf_node *first, *next;
};

struct conf_tree {
	struct conf_node *root;	   /* NULL: the text is empty */
	struct conf_chunk *chunks; /* the memory of all nodes */
	size_t left, n_nodes;
};

/* 0, -EINVAL or -ENOMEM with *err.  The tree is to be freed in each case. */
int conf_tree_parse(struct conf_tree *t, const char *text, size_t bytes, struct conf_error *err);
void conf_tree_free(struct conf_tree *t);
bool conf_node_is_null(const struct conf_node *n);
/* A character, perhaps written as \u0082, that a file cannot have as it is. */
bool conf_has_refused(const char *text, uint32_t *c);
/* What was found, for "expected X, found Y". */
const char *conf_node_words(const struct conf_node *n, char buf[static CONF_WHY]);

/* The values of enum vlan_mode and enum vlan_prio_tags, which conf, being pure, does not include. */
enum conf_vlan_mode {
	CONF_ACCESS,
	CONF_TRUNK,
	CONF_NATIVE_UNTAGGED,
	CONF_NATIVE_TAGGED,
	CONF_DOT1Q_TUNNEL,
};
enum conf_prio_tags { CONF_PRIO_NEVER, CONF_PRIO_IF_NONZERO, CONF_PRIO_ALWAYS };

/* Values.  Types whose field is one number, and that number. */
bool conf_is_number(const struct conf_key *key);
uint64_t conf_number(const struct conf_key *key, const void *object);

/* A value whose feature is not there yet. */
bool conf_is_later(const struct conf_key *key, const char *text);
/* Each fills why and returns false when the text does not do; an empty why: out of memory. */
bool conf_scalar_parse(const struct conf_key *key, const char *text, void *object,
		       char why[static CONF_WHY]);
bool conf_vids_parse(const char *text, uint64_t vids[4096 / 64], char why[static CONF_WHY]);
bool conf_cpu_parse(const char *text, struct conf_workers *w, char why[static CONF_WHY]);
bool conf_prefix_parse(const struct conf_key *key, const char *text, struct prefix *p,
		       char why[static CONF_WHY]);
bool conf_name_check(const char *name, char why[static CONF_WHY]);
bool conf_mac_check(const char *text, struct mac *mac, char why[static CONF_WHY]);
/* All bits of the address behind the prefix are as bit says. */
bool conf_is_host_part(const struct prefix *p, bool bit);
const char *conf_expects(const struct conf_key *key, char buf[static CONF_WHY]);

/* What an id says beside its network: PROTO/BIND:PORT; a guest of the same family.  And: have both the same id? */
bool conf_forward_parse_id(const char *text, struct conf_forward *out);
bool conf_forward_is(const struct conf_forward *a, const struct conf_forward *b);

/* Equality, in conf_print.c. */
bool conf_key_equal(const struct conf_key *key, const void *a, const void *b);
bool conf_object_equal(const struct conf_kind *kind, const void *a, const void *b);

/* Text of others inside ours: quotes, no control characters, cut to fit. */
enum { CONF_QUOTE = 80 };
const char *conf_quote(const char *text, char buf[static CONF_QUOTE]);
/* ` (did you mean "X"?)`, or nothing. */
const char *conf_nearest(const char *word, const char *const *words, char buf[static CONF_QUOTE]);

/* Names, sorted for lookup; each is the first member of its object. */
struct conf_names {
	const char **name; /* NULL-terminated */
	size_t n;
};

int conf_names_init(struct conf_names *names, const struct conf *c, const struct conf_kind *kind);
void conf_names_fini(struct conf_names *names);
const void *conf_names_find(const struct conf_names *names, const char *name);
/* names may be NULL: the objects are looked through. */
const void *conf_find(const struct conf *c, const struct conf_kind *kind, const struct conf_names *names, const char *name);

/* Of a configuration that will not change: c->index. */
struct conf_index {
	struct conf_names networks, uplinks, ports;
};

int conf_index_make(struct conf *c);
void conf_index_drop(struct conf *c);

#endif
