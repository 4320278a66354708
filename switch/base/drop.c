/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * drop: the words and texts of the drop reasons, made from the one list in drop.h.
 *
 * Called by show.c and the recorder; never on the path of a frame.
 */
#include "switch/base/drop.h"

#include <stddef.h>

static const struct {
	const char *word, *text;
} reasons[DROP_COUNT] = {[DROP_NONE] = {"none", "not dropped"},
#define X(symbol, word, text) [DROP_##symbol] = {word, text},
			 DROP_REASONS(X)
#undef X
};

const char *drop_word(enum drop reason)
{
	return (size_t)reason < DROP_COUNT ? reasons[reason].word : "unknown";
}

const char *drop_text(enum drop reason)
{
	return (size_t)reason < DROP_COUNT ? reasons[reason].text : "no such reason";
}
