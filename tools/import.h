/* SPDX-License-Identifier: GPL-2.0-or-later */
/* import: static forwards as others write them, in our words. */
#ifndef VFAB_TOOLS_IMPORT_H
#define VFAB_TOOLS_IMPORT_H

#include <jansson.h>
#include <stddef.h>

/* One line of a file.  IMPORT_NONE: there is nothing in it for us; IMPORT_BAD: spec says what is wrong with it. */
enum import_line { IMPORT_NONE, IMPORT_SPEC, IMPORT_BAD };
enum { IMPORT_TEXT = 256 };
/* section: of a nat.conf, kept from line to line; "" at first. */
enum import_line import_line(const char *line, char section[static 32], char spec[static IMPORT_TEXT]);

/* A whole file, "-": standard input: {SPEC: keys}, or NULL with the exit status and the error written. */
json_t *import_file(const char *path, json_t *keys, int *status);

#endif
