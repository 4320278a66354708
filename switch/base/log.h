/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log: lines on standard error, "vfabd: LEVEL: message".  A message starts with its object
 * ("port vm3: ...").  Anything that a frame or a client can cause uses log_limited, at most ten
 * lines a second for each call site.
 */
#ifndef VFAB_BASE_LOG_H
#define VFAB_BASE_LOG_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* name: what each line starts with.  Not copied. */
void log_init(const char *name, enum log_level level);
/* Sets *level from "err", "warn", "info" or "debug"; false when it is none of them. */
bool log_level_parse(const char *word, enum log_level *level);

void log_write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_err(...) log_write(LOG_LEVEL_ERR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

struct log_limit {
	_Atomic uint64_t second; /* the second that lines are counted for */
	_Atomic uint32_t lines;
};
bool log_allow(struct log_limit *limit); /* false: over ten a second */

#define log_limited(level, ...)                                                                    \
	do {                                                                                       \
		static struct log_limit limit_;                                                    \
		if (log_allow(&limit_))                                                            \
			log_write(level, __VA_ARGS__);                                             \
	} while (0)

#endif
