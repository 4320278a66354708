/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resolver_wire: is this a question to be sent, and is that its answer?  No more of DNS than that.  Pure: no system call, no state.
 */
#ifndef VFAB_SWITCH_RESOLVER_WIRE_H
#define VFAB_SWITCH_RESOLVER_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RESOLVER_HEAD = 12, RESOLVER_LETTERS = 32 /* bytes: a bit for each byte of a name */ };

/* Bytes of the question behind the head of a message; 0: it is no message with one question and at most an OPT record behind it. */
size_t resolver_wire_question(const uint8_t *query, size_t n);

/* Gives each letter of the question's name the case that its bit says. */
void resolver_wire_letters(uint8_t *query, size_t question, const uint8_t bits[static RESOLVER_LETTERS]);

enum resolver_match {
	RESOLVER_STRANGE, /* another id or question, or no answer at all */
	RESOLVER_CASE,	  /* the answer but for the case of letters */
	RESOLVER_SAME,
};
/* question: bytes of it in query.  n bytes of an answer, which are at least that long unless it is strange. */
enum resolver_match resolver_wire_match(const uint8_t *query, size_t question, const uint8_t *answer, size_t n);

/* Of an answer that is not strange. */
unsigned resolver_wire_rcode(const uint8_t *answer);
bool resolver_wire_is_cut(const uint8_t *answer);

#endif
