/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nearest: the word that a misspelt one was meant to be, for "did you mean ...?".
 *
 * Used by the configuration, the control protocol and vfab.  The distance is the optimal string
 * alignment: insert, delete, replace, and swap of two neighbours cost one each, over three rows of
 * the usual table.  A word of one to four letters may be one step away, a longer one a third of its length:
 * else every short word would be like every other.
 *
 * Trust.  Both words may come from a file or a client.  Words longer than WORD_MAX have no nearest
 * word, which bounds the work to WORD_MAX^2 steps for each candidate.
 */
#include "switch/base/units.h"

#include <string.h>

enum { WORD_MAX = 64 };

static unsigned min_of(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Row i of the table: the distances of the first i bytes of a from each beginning of b. */
static void fill_row(const char *a, size_t i, const char *b, size_t lb,
		     unsigned (*rows)[WORD_MAX + 1])
{
	const unsigned *up = rows[(i - 1) % 3], *up2 = rows[(i + 1) % 3];
	unsigned *row = rows[i % 3];
	size_t j;

	row[0] = (unsigned)i;
	for (j = 1; j <= lb; j++) {
		row[j] = up[j - 1] + (a[i - 1] != b[j - 1]);
		row[j] = min_of(row[j], min_of(up[j], row[j - 1]) + 1);
		if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
			row[j] = min_of(row[j], up2[j - 2] + 1);
	}
}

static unsigned distance(const char *a, size_t la, const char *b, size_t lb)
{
	unsigned rows[3][WORD_MAX + 1];
	size_t i;

	for (i = 0; i <= lb; i++)
		rows[0][i] = (unsigned)i;
	for (i = 1; i <= la; i++)
		fill_row(a, i, b, lb, rows);
	return rows[la % 3][lb];
}

const char *nearest_word(const char *word, const char *const *words)
{
	size_t len = strnlen(word, WORD_MAX + 1), n;
	unsigned best = len < 5 ? 2 : (unsigned)(len + 2) / 3 + 1, d;
	const char *found = NULL;

	if (len > WORD_MAX)
		return NULL;
	for (; *words; words++) {
		n = strnlen(*words, WORD_MAX + 1);
		if (n > WORD_MAX || n + best <= len || len + best <= n)
			continue;
		d = distance(word, len, *words, n);
		/* As far as the longer word is long: nothing in common, no suggestion. */
		if (d >= best || d >= (len > n ? len : n))
			continue;
		best = d;
		found = *words;
	}
	return found;
}
