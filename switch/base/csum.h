/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * csum: the Internet checksum (RFC 1071).  A field is taken out of a checksum and another put in
 * (RFC 1624) by adding to (uint16_t)~checksum the complement of the old words and the new ones.
 */
#ifndef VFAB_BASE_CSUM_H
#define VFAB_BASE_CSUM_H

#include <stddef.h>
#include <stdint.h>

/* Adds bytes to a running one's-complement sum of 16-bit big-endian words; odd lengths only at the end. */
uint64_t csum_add(uint64_t sum, const void *bytes, size_t n);
/* Folds and complements: the value for the checksum field, host order. */
uint16_t csum_fold(uint64_t sum);
/* The sum of the TCP/UDP pseudo-header; src and dst are 4 or 16 bytes each. */
uint64_t csum_pseudo(const uint8_t *src, const uint8_t *dst, size_t addr_bytes, uint8_t proto, uint32_t l4_bytes);

#endif
