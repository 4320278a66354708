/* SPDX-License-Identifier: GPL-2.0-or-later */
/* confile: files of vfab on disk: parsed with their mistakes shown, and replaced in one step. */
#ifndef VFAB_TOOLS_CONFILE_H
#define VFAB_TOOLS_CONFILE_H

#include <stddef.h>
#include <sys/types.h>

#include "switch/conf.h"

/* Parses and checks the text of a file.  0 and *conf (the caller's), or the exit status, the message written, *conf NULL. */
int confile_parse(const char *path, const char *text, size_t bytes, struct conf **conf);

/* Shows what is wrong as "FILE:LINE:COL: PATH: TEXT" and returns status. */
int confile_fail(int status, const char *path, const struct conf_error *err);

/* Writes text beside path and renames it there, so that a reader sees the old or the new, whole.  A link is followed; a file that
 * was there keeps its mode, a new one gets mode & ~umask.  0 or the exit status. */
int confile_replace(const char *path, const char *text, mode_t mode);

#endif
