/* SPDX-License-Identifier: GPL-2.0-or-later */
/* say: exit statuses, the one line that says what went wrong, clean text. */
#ifndef VFAB_TOOLS_SAY_H
#define VFAB_TOOLS_SAY_H

enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_DATA = 65 };

/* Writes "vfab: MESSAGE" as one clean line on standard error and returns status. */
int fail(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A copy without control characters: each becomes \xNN, as do bytes that are not UTF-8.  malloc'd. */
char *text_clean(const char *text);

/* p, or the end of the program when there was no memory. */
void *need(void *p);

#endif
