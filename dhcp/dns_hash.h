/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dns_hash: the keyed hash of the tables of dns: guests choose the names, and without the secret nobody can choose ones that fall
 * together.
 */
#ifndef VFAB_DHCP_DNS_HASH_H
#define VFAB_DHCP_DNS_HASH_H

#include <stddef.h>
#include <stdint.h>

/* h: a number to begin with, or the hash of what comes before these bytes. */
uint64_t dns_hash(const uint64_t secret[2], uint64_t h, const void *bytes, size_t n);

#endif
