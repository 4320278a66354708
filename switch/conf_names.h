/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf_names: what the files of conf share about addresses and names, and nobody else includes: values, life, text and equality.
 *
 *   conf_dhcp.c    values and life            conf_option.c      options of DHCP (conf_dhcp.h)
 *   conf_merge_dhcp.c   lists and maps        conf_print_dhcp.c  text and equality
 */
#ifndef VFAB_SWITCH_CONF_NAMES_H
#define VFAB_SWITCH_CONF_NAMES_H

#include "switch/conf_internal.h"

/* --- conf_dhcp.c --- */

/* The types CONF_RANGE4 to CONF_CLIENT_ID, as conf_scalar_parse(). */
bool conf_dhcp_value(const struct conf_key *key, const char *text, void *object,
		     char why[static CONF_WHY]);
bool conf_label_parse(const char *text, char out[static CONF_LABEL_SIZE],
		      char why[static CONF_WHY]);
bool conf_domain_parse(const char *text, char out[static CONF_DOMAIN_SIZE],
		       char why[static CONF_WHY]);
/* 192.0.2.53, 192.0.2.53:5353, [2001:db8::53]:5353 */
enum { CONF_SERVER_TEXT = IP_TEXT + 8 };
bool conf_server_parse(const char *text, struct conf_server *out, char why[static CONF_WHY]);
const char *conf_server_text(const struct conf_server *s, char buf[static CONF_SERVER_TEXT]);
/* Bytes in hex, with colons between each or none; 0: no such text, or more than max.  And back; 3 characters a byte, and one. */
size_t conf_hex_parse(const char *text, uint8_t *out, size_t max);
void conf_hex_print(const uint8_t *bytes, size_t n, char *out);

void conf_options_fini(struct conf_options *o);
void conf_dhcp_fini(struct conf_dhcp *d);
/*
 * Gives what was copied byte by byte memory of its own; not ok from the start, or no memory: none of what it had, so that
 * nothing is shared.  False: some is missing.
 */
bool conf_dhcp_copy(struct conf_dhcp *d, bool ok);
bool conf_dns_copy(struct conf_dns *d);

/* --- conf_print_dhcp.c: the types CONF_RANGE4 to CONF_CLIENT_ID and CONF_IPS to CONF_DOMAINS; equality of the latter --- */

void conf_print_dhcp(FILE *out, const struct conf_key *key, const void *object);
bool conf_dhcp_equal(const struct conf_key *key, const void *a, const void *b);

/* --- conf_print.c --- */

/* {key: value}, defaults left out; and a string, with quotes where it needs them. */
void conf_print_keys(FILE *out, const struct conf_kind *kind, const struct conf_key *keys,
		     const void *object);
void conf_print_string(FILE *out, const char *text);

#endif
