/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * siphash: SipHash-2-4 (Aumasson, Bernstein, INDOCRYPT 2012): a keyed hash of bytes that strangers choose, for tables in which they
 * must not be able to make things fall together, and for choices that only who has the key can foretell.
 */
#ifndef VFAB_BASE_SIPHASH_H
#define VFAB_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t siphash(const uint64_t key[static 2], const void *bytes, size_t n);

#endif
