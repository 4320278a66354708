/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * table: what people read: aligned columns, figures with a unit.
 *
 * Every read verb is a list of columns over the objects that vfabd answers with.  Text is escaped:
 * no control character of a name reaches the terminal.
 */
#ifndef VFAB_TOOLS_TABLE_H
#define VFAB_TOOLS_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { COLUMNS_MAX = 16, CELL_TEXT = 256, FIGURE_TEXT = 24 };

struct column {
	const char *head;
	const char *path; /* member of the object: "rx.frames" */
	bool is_right;    /* aligned to the right: numbers */
	/* How the value is written, where the usual way will not do; v may be NULL. */
	void (*write)(json_t *v, char buf[static CELL_TEXT]);
};

/* A head, then one line for each object of the array. */
void table_print(FILE *f, const struct column *cols, size_t n_cols, json_t *array);

/* A whole read verb: asks, and prints the array as a table or as JSON.  Takes request.  The exit status. */
struct call;
int table_answer(const struct call *c, json_t *request, const struct column *cols, size_t n_cols);

/* "path: value" lines of one object, nested members with dots. */
void table_object(FILE *f, json_t *obj);

/* The member at "rx.frames", or NULL. */
json_t *table_at(json_t *obj, const char *path);

/* A value in words: text as it is, lists with commas, "-" for null and nothing.  malloc'd, not cleaned. */
char *table_value(json_t *v);

/* The member at path in clean words, "-" when there is none.  malloc'd. */
char *table_member(json_t *obj, const char *path);

/* 1234567 -> "1.23M": at most four digits, decimal. */
const char *text_figure(double value, char buf[static FIGURE_TEXT]);

/* Pretty JSON and a newline; an object a line when is_stream. */
void json_out(json_t *v, bool is_stream);

#endif
