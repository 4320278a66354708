/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call: one use of a verb.  The types of the table of verbs (vfab.c), and the command line split
 * into arguments and options by what a verb's line in that table says.
 *
 * Ownership.  Everything points into argv and into the table.
 */
#ifndef VFAB_TOOLS_CALL_H
#define VFAB_TOOLS_CALL_H

#include <stdbool.h>
#include <stddef.h>

enum { OPTIONS_MAX = 32 };

/* What an option is in a fragment of the configuration. */
enum option_as {
	AS_LOCAL,  /* nothing: the verb reads it */
	AS_TEXT,   /* a string */
	AS_NUMBER, /* a number */
	AS_FLAG,   /* true; --x=false */
	AS_LIST,   /* 10,20-29: a list */
	AS_MAP,    /* broadcast=100,unknown=5: a map */
};

struct verb_option {
	const char *name;  /* without its dashes; NULL ends a list */
	char letter;       /* -w; 0: none */
	const char *value; /* what help and completion call it: "NETWORK", "rx|tx|both"; NULL: takes none */
	enum option_as as;
	const char *key;   /* of the file, where it is not the name; "nat.rate": in a map */
	const char *help;
};

struct call;

/* One line of the table. */
struct verb {
	const char *noun;
	const char *verb;    /* NULL: the noun alone */
	int (*run)(const struct call *c); /* the exit status; NULL: not yet */
	const char *args;    /* "NETWORK MAC PORT", "[FILTER...]" */
	const struct verb_option *options; /* NULL: none */
	bool reads;          /* takes -o table|json */
	const char *help;    /* one line; NULL: not shown */
};

struct call {
	const struct verb *verbs;  /* the whole table, ended by a NULL noun */
	const struct verb *verb;
	const char *const *arg;    /* n_args of them */
	int n_args;
	const char *option[OPTIONS_MAX]; /* by place in verb->options; NULL: not given; "true" for a bare flag */
	bool json;                 /* -o json */
	bool wants_help;
};

/* Sorts argv (after noun and verb; reordered in place) into *c, which has verbs and verb set.  0, or EXIT_USAGE
 * with the message written. */
int call_parse(struct call *c, int argc, const char **argv);

/* The value of an option of the verb, by name; NULL: not given. */
const char *call_option(const struct call *c, const char *name);

/* True when a verb's line in the table is called so; verb may be NULL when the noun has none. */
bool verb_is(const struct verb *v, const char *noun, const char *verb);

/* "vfab port add NAME [OPTIONS]"; returns its length as snprintf does. */
int verb_usage(const struct verb *v, char *buf, size_t size);

#endif
