/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf_yaml: text -> tree of nodes.  The first half of conf_merge() (conf.c).
 *
 * libyaml reads the text and gives events; what YAML may do beyond maps, lists and scalars is
 * refused here, so that the rest of conf knows nothing of it.  The events are used rather than
 * libyaml's own document: in that one anchors are no longer seen, and it is built whole before the
 * first check.  Nodes lie in chunks that are freed together.
 *
 *   text --check_text--> libyaml --events--> take_event --> tree
 *          size, UTF-8,             anchors, aliases, tags, depth, a second
 *          characters, %            document, NUL, keys that come twice
 *
 * Trust.  The text is anybody's: an operator's file, half of one, or an attacker's.  Nothing has been
 * checked before.  Each limit holds before memory is taken: CONF_TEXT_MAX bytes of text, CONF_DEPTH_MAX
 * levels, CONF_NODES_MAX nodes.
 */
#include "switch/conf_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { CHUNK_BYTES = 64 << 10, FEW_KEYS = 16 };

struct conf_chunk {
	struct conf_chunk *next;
	_Alignas(16) char bytes[];
};

/* A map or list that is not closed yet. */
struct level {
	struct conf_node *node, **tail;
	struct conf_node *key; /* of the value that comes next or came last; lists: NULL */
};

struct builder {
	struct conf_tree *t;
	struct conf_error *err;
	struct level level[CONF_DEPTH_MAX];
	int depth;
	bool is_document_seen;
};

__attribute__((format(printf, 4, 5))) static int fail_at(struct conf_error *err, size_t line,
							 size_t column, const char *fmt, ...)
{
	va_list ap;

	err->fault = CONF_BAD_VALUE;
	err->line = (int)line;
	err->column = (int)column;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int no_memory(struct conf_error *err)
{
	snprintf(err->text, sizeof(err->text), "out of memory");
	return -ENOMEM;
}

static void *tree_alloc(struct conf_tree *t, size_t bytes)
{
	struct conf_chunk *c;
	size_t room;

	bytes = (bytes + 15) & ~(size_t)15;
	if (bytes > t->left) {
		room = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
		c = malloc(sizeof(*c) + room);
		if (!c)
			return NULL;
		c->next = t->chunks;
		t->chunks = c;
		t->left = room;
		/* Chunks are filled from their end, so the next free byte follows from left alone. */
	}
	t->left -= bytes;
	return t->chunks->bytes + t->left;
}

/* Length of the UTF-8 character at p, 0 when it is none (RFC 3629: shortest form, no surrogates). */
static size_t utf8_length(const unsigned char *p, size_t left, uint32_t *out)
{
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint32_t c;

	if (!n || n > left || p[0] > 0xf4)
		return 0;
	c = n == 1 ? p[0] : p[0] & (0x7f >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if ((n == 3 && c < 0x800) || (n == 4 && (c < 0x10000 || c > 0x10ffff)) ||
	    (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*out = c;
	return n;
}

/*
 * Characters that have no place in the file.  Other line ends (U+0085, U+2028, U+2029) and direction marks
 * would show a reader something else than what we read, and a byte order mark may change the encoding.
 */
static bool is_refused(uint32_t c)
{
	if (c < 0x20)
		return c != '\t' && c != '\n' && c != '\r';
	return (c >= 0x7f && c <= 0x9f) || (c >= 0x200e && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff ||
	       c == 0xfffe || c == 0xffff;
}

bool conf_has_refused(const char *text, uint32_t *c)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t left = strlen(text), n;

	for (; left; p += n, left -= n) {
		n = utf8_length(p, left, c);
		if (!n)
			*c = *p;
		if (!n || is_refused(*c) || *c == '\r')
			return true;
	}
	return false;
}

/* '%' starts a directive, for which libyaml keeps lists of any length: refused before it sees one. */
static int check_text(const char *text, size_t bytes, struct conf_error *err)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t line = 1, column = 1, n;
	uint32_t c;

	for (size_t at = 0; at < bytes; at += n) {
		if (at >= CONF_TEXT_MAX)
			return fail_at(err, line, column, "the text is longer than 4 MiB");
		n = utf8_length(p + at, bytes - at, &c);
		if (!n)
			return fail_at(err, line, column, "byte 0x%02x is not UTF-8", p[at]);
		if (!c)
			return fail_at(err, line, column, "NUL in the text");
		if (is_refused(c))
			return fail_at(err, line, column, "character U+%04X is not allowed", c);
		if (c == '%' && column == 1)
			return fail_at(err, line, column, "directives are not allowed");
		column++;
		if (c == '\n' || (c == '\r' && (at + 1 == bytes || p[at + 1] != '\n'))) {
			line++;
			column = 1;
		}
	}
	return 0;
}

/* The path to the innermost open level, for errors: ports.web.trunks[3]. */
static void put_path(const struct builder *b, struct conf_error *err)
{
	size_t used = 0, room = sizeof(err->path);
	char quoted[CONF_QUOTE];

	for (int i = 0; i < b->depth && used < room; i++) {
		const struct level *l = &b->level[i];
		bool is_inner = i + 1 == b->depth; /* else the next level is its newest child */

		if (l->node->kind == NODE_LIST)
			used += (size_t)snprintf(err->path + used, room - used, "[%zu]",
						 l->node->n - !is_inner);
		else if (l->key && (!is_inner || l->node->n % 2))
			used += (size_t)snprintf(err->path + used, room - used, "%s%s",
						 used ? "." : "", conf_quote(l->key->text, quoted));
	}
}

static int add_node(struct builder *b, struct conf_node *n)
{
	struct level *l = b->depth ? &b->level[b->depth - 1] : NULL;
	bool is_key;

	if (!l) {
		b->t->root = n;
		return 0;
	}
	is_key = l->node->kind == NODE_MAP && l->node->n % 2 == 0;
	if (is_key && n->kind != NODE_SCALAR)
		return fail_at(b->err, (size_t)n->line, (size_t)n->column, "a key must be a word");
	if (is_key)
		l->key = n;
	*l->tail = n;
	l->tail = &n->next;
	l->node->n++;
	return 0;
}

static struct conf_node *new_node(struct builder *b, enum conf_node_kind kind,
				  const yaml_mark_t *at)
{
	struct conf_node *n = tree_alloc(b->t, sizeof(*n));

	if (!n)
		return NULL;
	*n = (struct conf_node){
		.kind = kind, .line = (int)at->line + 1, .column = (int)at->column + 1};
	return n;
}

static int take_scalar(struct builder *b, const yaml_event_t *ev)
{
	const char *value = (const char *)ev->data.scalar.value;
	size_t bytes = ev->data.scalar.length;
	struct conf_node *n = new_node(b, NODE_SCALAR, &ev->start_mark);
	char *text = n ? tree_alloc(b->t, bytes + 1) : NULL;

	if (!text)
		return no_memory(b->err);
	if (memchr(value, 0, bytes))
		return fail_at(b->err, (size_t)n->line, (size_t)n->column, "NUL in a string");
	memcpy(text, value, bytes);
	text[bytes] = 0;
	n->text = text;
	n->n = bytes;
	n->is_plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	return add_node(b, n);
}

static int open_level(struct builder *b, enum conf_node_kind kind, const yaml_event_t *ev)
{
	struct conf_node *n;
	int err;

	if (b->depth == CONF_DEPTH_MAX)
		return fail_at(b->err, ev->start_mark.line + 1, ev->start_mark.column + 1,
			       "nested deeper than %d levels", CONF_DEPTH_MAX);
	n = new_node(b, kind, &ev->start_mark);
	if (!n)
		return no_memory(b->err);
	err = add_node(b, n);
	if (err)
		return err;
	b->level[b->depth++] = (struct level){.node = n, .tail = &n->first};
	return 0;
}

static int compare_keys(const void *a, const void *b)
{
	const struct conf_node *x = *(const struct conf_node *const *)a;
	const struct conf_node *y = *(const struct conf_node *const *)b;
	int order = strcmp(x->text, y->text);

	if (order)
		return order;
	return x->line != y->line ? x->line - y->line : x->column - y->column;
}

/* The first key that stands in the map a second time, or NULL.  *failed: without memory. */
static const struct conf_node *find_twice(const struct conf_node *map, bool *failed)
{
	const struct conf_node *few[FEW_KEYS], **keys = few, *twice = NULL;
	size_t n = 0;

	if (map->n / 2 > FEW_KEYS)
		keys = malloc(map->n / 2 * sizeof(const struct conf_node *));
	*failed = !keys;
	if (!keys)
		return NULL;
	for (const struct conf_node *k = map->first; k; k = k->next->next)
		keys[n++] = k;
	qsort(keys, n, sizeof(keys[0]), compare_keys);
	for (size_t i = 1; i < n; i++) {
		bool is_earlier = !twice || keys[i]->line < twice->line ||
				  (keys[i]->line == twice->line && keys[i]->column < twice->column);

		if (is_earlier && !strcmp(keys[i - 1]->text, keys[i]->text))
			twice = keys[i];
	}
	if (keys != few)
		free(keys);
	return twice;
}

static int close_level(struct builder *b)
{
	struct level *l = &b->level[b->depth - 1];
	const struct conf_node *twice = NULL;
	char quoted[CONF_QUOTE];
	bool failed = false;

	assert(l->node); /* libyaml ends what it began */
	if (l->node->kind == NODE_MAP)
		twice = find_twice(l->node, &failed);
	if (failed)
		return no_memory(b->err);
	l->key = NULL;
	if (twice)
		return fail_at(b->err, (size_t)twice->line, (size_t)twice->column,
			       "duplicate key \"%s\"", conf_quote(twice->text, quoted));
	b->depth--;
	return 0;
}

/* What YAML may do and we do not take, in words; NULL when there is none of it. */
static const char *refused_feature(const struct builder *b, const yaml_event_t *ev)
{
	switch (ev->type) {
	case YAML_ALIAS_EVENT:
		return "aliases are not allowed";
	case YAML_DOCUMENT_START_EVENT:
		return b->is_document_seen ? "a second document is not allowed" : NULL;
	case YAML_SCALAR_EVENT:
		return ev->data.scalar.anchor ? "anchors are not allowed"
		       : ev->data.scalar.tag  ? "tags are not allowed"
					      : NULL;
	case YAML_MAPPING_START_EVENT:
		return ev->data.mapping_start.anchor ? "anchors are not allowed"
		       : ev->data.mapping_start.tag  ? "tags are not allowed"
						     : NULL;
	case YAML_SEQUENCE_START_EVENT:
		return ev->data.sequence_start.anchor ? "anchors are not allowed"
		       : ev->data.sequence_start.tag  ? "tags are not allowed"
						      : NULL;
	default:
		return NULL;
	}
}

static int take_event(struct builder *b, const yaml_event_t *ev)
{
	const char *refused = refused_feature(b, ev);

	if (!refused && b->t->n_nodes++ > CONF_NODES_MAX)
		refused = "too many values";
	if (refused)
		return fail_at(b->err, ev->start_mark.line + 1, ev->start_mark.column + 1, "%s",
			       refused);
	switch (ev->type) {
	case YAML_DOCUMENT_START_EVENT:
		b->is_document_seen = true;
		return 0;
	case YAML_SCALAR_EVENT:
		return take_scalar(b, ev);
	case YAML_MAPPING_START_EVENT:
		return open_level(b, NODE_MAP, ev);
	case YAML_SEQUENCE_START_EVENT:
		return open_level(b, NODE_LIST, ev);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		return close_level(b);
	default:
		return 0;
	}
}

static int parser_error(const yaml_parser_t *p, struct conf_error *err)
{
	if (p->error == YAML_MEMORY_ERROR)
		return no_memory(err);
	return fail_at(err, p->problem_mark.line + 1, p->problem_mark.column + 1, "%s",
		       p->problem ? p->problem : "this is not YAML");
}

int conf_tree_parse(struct conf_tree *t, const char *text, size_t bytes, struct conf_error *err)
{
	struct builder b = {.t = t, .err = err};
	yaml_parser_t parser;
	yaml_event_t ev;
	bool is_end = false;
	int status;

	*t = (struct conf_tree){0};
	status = check_text(text, bytes, err);
	if (status)
		return status;
	if (!yaml_parser_initialize(&parser))
		return no_memory(err);
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, bytes);
	while (!status && !is_end) {
		if (!yaml_parser_parse(&parser, &ev)) {
			status = parser_error(&parser, err);
			break;
		}
		is_end = ev.type == YAML_STREAM_END_EVENT;
		status = take_event(&b, &ev);
		yaml_event_delete(&ev);
	}
	if (status)
		put_path(&b, err);
	yaml_parser_delete(&parser);
	return status;
}

void conf_tree_free(struct conf_tree *t)
{
	struct conf_chunk *next;

	for (struct conf_chunk *c = t->chunks; c; c = next) {
		next = c->next;
		free(c);
	}
	*t = (struct conf_tree){0};
}

bool conf_node_is_null(const struct conf_node *n)
{
	return n->kind == NODE_SCALAR && n->is_plain &&
	       (!n->text[0] || !strcmp(n->text, "~") || !strcmp(n->text, "null") ||
		!strcmp(n->text, "Null") || !strcmp(n->text, "NULL"));
}

const char *conf_node_words(const struct conf_node *n, char buf[static CONF_WHY])
{
	char quoted[CONF_QUOTE];

	if (n->kind == NODE_SCALAR && !conf_node_is_null(n))
		snprintf(buf, CONF_WHY, "\"%s\"", conf_quote(n->text, quoted));
	else
		snprintf(buf, CONF_WHY, "%s",
			 n->kind == NODE_MAP	? "a map"
			 : n->kind == NODE_LIST ? "a list"
						: "nothing");
	return buf;
}
