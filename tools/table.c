/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * table: columns.
 *
 * table_print() makes every cell first, then knows the widths, then writes; the last column is not
 * padded.  Widths count code points, which is right for the names that vfabd allows (ASCII) and near
 * enough for the rest.
 *
 * Trust.  Values come from vfabd, but some of them from further away: names of files, text of
 * events, addresses of guests.  Everything that is written to a terminal goes through
 * text_clean().
 */
#include "tools/table.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tools/call.h"
#include "tools/client.h"
#include "tools/say.h"

const char *text_figure(double value, char buf[static FIGURE_TEXT])
{
	static const char unit[] = {0, 'k', 'M', 'G', 'T', 'P', 'E'};
	char suffix[2] = "";
	size_t i;

	if (value < 0)
		value = 0;
	for (i = 0; value >= 999.5 && i + 1 < sizeof(unit); i++)
		value /= 1000;
	suffix[0] = unit[i];
	if (!i)
		snprintf(buf, FIGURE_TEXT, "%.0f", value);
	else
		snprintf(buf, FIGURE_TEXT, "%.*f%s",
			 value < 9.995	 ? 2
			 : value < 99.95 ? 1
					 : 0,
			 value, suffix);
	return buf;
}

json_t *table_at(json_t *obj, const char *path)
{
	json_t *v;
	char key[64];
	size_t n;

	n = strcspn(path, ".");
	if (n >= sizeof(key))
		return NULL;
	memcpy(key, path, n);
	key[n] = '\0';
	v = json_object_get(obj, key);
	return v && path[n] ? table_at(v, path + n + 1) : v;
}

/* Values in words, nested lists flat: depth is bounded by what jansson parses. */
static void write_value(FILE *f, json_t *v)
{
	const char *key;
	json_t *item;
	size_t i;

	switch (v ? json_typeof(v) : JSON_NULL) {
	case JSON_STRING:
		fputs(json_string_length(v) ? json_string_value(v) : "-", f);
		break;
	case JSON_INTEGER:
		fprintf(f, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		break;
	case JSON_REAL:
		fprintf(f, "%.1f", json_real_value(v));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		fputs(json_is_true(v) ? "yes" : "no", f);
		break;
	case JSON_NULL:
		fputs("-", f);
		break;
	case JSON_ARRAY:
		for (i = 0; i < json_array_size(v); i++) {
			fputs(i ? "," : "", f);
			write_value(f, json_array_get(v, i));
		}
		fputs(i ? "" : "-", f);
		break;
	case JSON_OBJECT:
		i = 0;
		json_object_foreach(v, key, item)
		{
			fprintf(f, "%s%s=", i++ ? "," : "", key);
			write_value(f, item);
		}
		fputs(i ? "" : "-", f);
		break;
	}
}

char *table_value(json_t *v)
{
	char *text;
	size_t size;
	FILE *f;

	text = NULL;
	f = need(open_memstream(&text, &size));
	write_value(f, v);
	fclose(f);
	return need(text);
}

char *table_member(json_t *obj, const char *path)
{
	char *raw, *clean;

	raw = table_value(table_at(obj, path));
	clean = text_clean(raw);
	free(raw);
	return clean;
}

static char *make_cell(const struct column *col, json_t *obj)
{
	char buf[CELL_TEXT];

	if (!col->write)
		return table_member(obj, col->path);
	col->write(table_at(obj, col->path), buf);
	return text_clean(buf);
}

static size_t width(const char *text)
{
	size_t n;

	for (n = 0; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void write_row(FILE *f, const struct column *cols, size_t n_cols, char *const *cell,
		      const size_t *widths)
{
	size_t i, pad;

	for (i = 0; i < n_cols; i++) {
		pad = widths[i] - width(cell[i]);
		if (cols[i].is_right)
			fprintf(f, "%*s%s", (int)pad, "", cell[i]);
		else
			fprintf(f, "%s%*s", cell[i], i + 1 < n_cols ? (int)pad : 0, "");
		fputs(i + 1 < n_cols ? "  " : "\n", f);
	}
}

void table_print(FILE *f, const struct column *cols, size_t n_cols, json_t *array)
{
	size_t n_rows, r, c, w, widths[COLUMNS_MAX] = {0};
	char **cell, **at;

	assert(n_cols <= COLUMNS_MAX);
	n_rows = json_array_size(array) + 1;
	cell = need(calloc(n_rows * n_cols, sizeof(*cell)));
	for (at = cell, r = 0; r < n_rows; r++) {
		for (c = 0; c < n_cols; c++, at++) {
			*at = r ? make_cell(&cols[c], json_array_get(array, r - 1))
				: text_clean(cols[c].head);
			w = width(*at);
			widths[c] = w > widths[c] ? w : widths[c];
		}
	}
	for (at = cell, r = 0; r < n_rows; r++, at += n_cols)
		write_row(f, cols, n_cols, at, widths);
	for (r = 0; r < n_rows * n_cols; r++)
		free(cell[r]);
	free(cell);
}

/* One line a member; members of members get a dot. */
static void write_members(FILE *f, const char *prefix, json_t *obj)
{
	char path[CELL_TEXT];
	char *raw, *clean;
	const char *key;
	json_t *v;

	json_object_foreach(obj, key, v)
	{
		snprintf(path, sizeof(path), "%s%s%s", prefix, *prefix ? "." : "", key);
		if (json_is_object(v)) {
			write_members(f, path, v);
			continue;
		}
		raw = table_value(v);
		clean = text_clean(raw);
		fprintf(f, "%-14s %s\n", path, clean);
		free(clean);
		free(raw);
	}
}

void table_object(FILE *f, json_t *obj)
{
	write_members(f, "", obj);
}

void json_out(json_t *v, bool is_stream)
{
	json_dumpf(v, stdout, JSON_ENCODE_ANY | (is_stream ? JSON_COMPACT : JSON_INDENT(2)));
	putchar('\n');
}

int table_answer(const struct call *c, json_t *request, const struct column *cols, size_t n_cols)
{
	json_t *result;
	int rc;

	rc = client_ask(request, NULL, &result);
	if (rc)
		return rc;
	if (c->json)
		json_out(result, false);
	else
		table_print(stdout, cols, n_cols, result);
	json_decref(result);
	return 0;
}
