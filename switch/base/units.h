/* SPDX-License-Identifier: GPL-2.0-or-later */
/* units: numbers with a unit and truths, as users write them, parts of a text, and the nearest word to a misspelt one. */
#ifndef VFAB_BASE_UNITS_H
#define VFAB_BASE_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each is false on bad text, overflow or trailing bytes, and leaves *out alone then.  Units in either case. */
bool units_number(const char *text, uint64_t min, uint64_t max, uint64_t *out); /* 0-9 only */
bool units_truth(const char *text, uint64_t *out); /* true yes on: 1; false no off: 0 */
bool units_duration_ms(const char *text,
		       uint64_t *out); /* 500ms 5s 5m 2h 1d; a bare number is seconds */
bool units_bits(const char *text,
		uint64_t *out); /* 10mbit 1gbit 512kbit 100bit, decimal; bare: bits */
bool units_bytes(const char *text, uint64_t *out); /* 64K 256M 1G 1T, binary; bare: bytes */

enum { UNITS_TEXT = 24 };
const char *units_duration_text(uint64_t ms,
				char buf[static UNITS_TEXT]); /* shortest form that parses back */
const char *units_bits_text(uint64_t bits, char buf[static UNITS_TEXT]);

/* Cuts text in place at each separator that stands in no brackets, into at most max parts; how many, max + 1 when more. */
unsigned units_split(char *text, char separator, char **part, unsigned max);

/* The word of the NULL-terminated list nearest to word (edit distance <= 1/3 of its length + 1), or NULL. */
const char *nearest_word(const char *word, const char *const *words);

#endif
