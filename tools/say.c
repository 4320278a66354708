/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * say: what every part of vfab says in the same way.
 *
 * Trust.  Text comes from files, from guests' names and addresses, from a switch that a guest may have taken over: everything
 * that is written to a terminal goes through text_clean().
 */
#include "tools/say.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char hex[] = "0123456789abcdef";

void *need(void *p)
{
	if (p)
		return p;
	fputs("vfab: out of memory\n", stderr);
	exit(1);
}

/* The bytes of the well-formed UTF-8 sequence at s (RFC 3629, section 4), or 0; *code: its code point. */
static size_t utf8_length(const unsigned char *s, uint32_t *code)
{
	static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n, i;

	if (s[0] < 0x80) {
		*code = s[0];
		return 1;
	}
	n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	*code = s[0] & (0x7fu >> n);
	for (i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (s[i] & 0x3f);
	}
	if (*code < least[n] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000))
		return 0;
	return n;
}

/* What may reach a terminal: no C0, DEL, C1, and nothing that turns the line around or breaks it. */
static bool is_printable(uint32_t code)
{
	if (code < 0x20 || (code >= 0x7f && code < 0xa0))
		return false;
	if (code >= 0x200b && code <= 0x200f)
		return false;
	return !((code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) ||
		 code == 0xfeff);
}

char *text_clean(const char *text)
{
	const unsigned char *s;
	uint32_t code;
	size_t n, i;
	char *out, *p;

	out = need(malloc(4 * strlen(text) + 1));
	p = out;
	for (s = (const unsigned char *)text; *s; s += n) {
		n = utf8_length(s, &code);
		if (n && is_printable(code)) {
			memcpy(p, s, n);
			p += n;
			continue;
		}
		n = n ? n : 1;
		for (i = 0; i < n; i++) {
			*p++ = '\\';
			*p++ = 'x';
			*p++ = hex[s[i] >> 4];
			*p++ = hex[s[i] & 15];
		}
	}
	*p = '\0';
	return out;
}

int fail(int status, const char *fmt, ...)
{
	va_list args;
	char *text, *clean;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
	va_end(args);
	/* Names and addresses in it may come from a guest or a file. */
	clean = text_clean(need(text));
	fflush(stdout);
	fprintf(stderr, "vfab: %s\n", clean);
	free(clean);
	free(text);
	return status;
}
