/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conf_merge: what conf_merge.c, conf_list.c and conf_merge_dhcp.c share while a tree goes into a struct conf. */
#ifndef VFAB_SWITCH_CONF_MERGE_H
#define VFAB_SWITCH_CONF_MERGE_H

#include "switch/conf_internal.h"

struct merge {
	struct conf *c;
	enum conf_merge how;
	struct conf_error *err;
	size_t path; /* bytes of err->path in use */
};

/* Adds to the path; the bytes in use before, for conf_path_cut(). */
size_t conf_path_add(struct merge *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void conf_path_cut(struct merge *m, size_t before);

/* Each fills the error and returns a negative errno. */
int conf_fail(struct merge *m, const struct conf_node *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int conf_fail_type(struct merge *m, const struct conf_node *n, const struct conf_key *key);
int conf_fail_memory(struct merge *m);
/* The error just made is not that of a value. */
int conf_fail_because(struct merge *m, enum conf_fault fault, int err);

/* Back to what the object has when the key is not given. */
void conf_reset_key(const struct conf_kind *kind, const struct conf_key *key, void *object);
int conf_merge_keys(struct merge *m, const struct conf_kind *kind, const struct conf_key *keys,
		    const struct conf_node *map, void *object);
int conf_check_required(struct merge *m, const struct conf_kind *kind, const struct conf_node *at,
			const void *object);

/* conf_list.c.  A value that is not null, of a type that is a list or a map of entries. */
int conf_merge_list(struct merge *m, const struct conf_kind *kind, const struct conf_key *key,
		    const struct conf_node *n, void *object);
/* conf_merge_dhcp.c: the same, of the types CONF_OPTIONS to CONF_DOMAINS. */
int conf_merge_dhcp(struct merge *m, const struct conf_kind *kind, const struct conf_key *key,
		    const struct conf_node *n, void *object);
/* The section `routes`. */
int conf_merge_routes(struct merge *m, const struct conf_node *n);

#endif
