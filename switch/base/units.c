/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * units: numbers with a unit, as users write them, and back.
 *
 * Used by the configuration and by vfab.  A value is decimal digits and one word of its table,
 * without a space, in either case; the printers choose the largest unit that divides the value.
 *
 * Trust.  The text is an operator's, a file's or a client's: a NUL-terminated string of any length;
 * overflow and anything after the unit are refused.
 */
#include "switch/base/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

/* One unit; tables go from the largest down, and end with the empty word or a zero factor. */
struct unit {
	const char *word;
	uint64_t factor;
};

/* A bare number is seconds; the printer never comes to it, since "s" stands before. */
static const struct unit durations[] = {
	{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000},
	{"ms", 1},	 {"", 1000},	 {NULL, 0},
};

static const struct unit rates[] = {
	{"gbit", 1000000000}, {"mbit", 1000000}, {"kbit", 1000}, {"bit", 1}, {"", 1}, {NULL, 0},
};

static const struct unit sizes[] = {
	{"T", 1ULL << 40}, {"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {"", 1}, {NULL, 0},
};

/* Reads digits; *end is what follows them.  False without a digit, with a zero in front (octal to some), on overflow. */
static bool read_digits(const char *text, uint64_t *out, const char **end)
{
	uint64_t v = 0;
	const char *p;

	for (p = text; *p >= '0' && *p <= '9'; p++) {
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return false;
	}
	*out = v;
	*end = p;
	return p != text && (text[0] != '0' || p == text + 1);
}

static bool read_unit(const char *text, const struct unit *table, uint64_t *out)
{
	const char *word;
	uint64_t v;

	if (!read_digits(text, &v, &word))
		return false;
	for (; table->word; table++) {
		if (strcasecmp(word, table->word) != 0)
			continue;
		if (__builtin_mul_overflow(v, table->factor, &v))
			return false;
		*out = v;
		return true;
	}
	return false;
}

static const char *write_unit(uint64_t v, const struct unit *table, char *buf)
{
	while (v % table->factor != 0)
		table++;
	snprintf(buf, UNITS_TEXT, "%" PRIu64 "%s", v / table->factor, table->word);
	return buf;
}

bool units_number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	const char *end;
	uint64_t v;

	if (!read_digits(text, &v, &end) || *end || v < min || v > max)
		return false;
	*out = v;
	return true;
}

bool units_duration_ms(const char *text, uint64_t *out)
{
	return read_unit(text, durations, out);
}

bool units_bits(const char *text, uint64_t *out)
{
	return read_unit(text, rates, out);
}

bool units_bytes(const char *text, uint64_t *out)
{
	return read_unit(text, sizes, out);
}

const char *units_duration_text(uint64_t ms, char buf[static UNITS_TEXT])
{
	/* 0 divides by every unit; seconds read best. */
	return write_unit(ms, ms ? durations : durations + 3, buf);
}

const char *units_bits_text(uint64_t bits, char buf[static UNITS_TEXT])
{
	return write_unit(bits, bits ? rates : rates + 3, buf);
}

/* YAML 1.1 has y and n too; those are words that people mean as words. */
bool units_truth(const char *text, uint64_t *out)
{
	static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(words[i], text))
			continue;
		*out = i % 2;
		return true;
	}
	return false;
}

unsigned units_split(char *text, char separator, char **part, unsigned max)
{
	bool in_brackets = false;
	unsigned n = 1;

	part[0] = text;
	for (char *p = text; *p; p++) {
		if (*p == '[' || *p == ']')
			in_brackets = *p == '[';
		if (*p != separator || in_brackets)
			continue;
		if (n == max)
			return max + 1;
		*p = '\0';
		part[n++] = p + 1;
	}
	return n;
}
