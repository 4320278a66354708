/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state: the region that outlives the switch process.
 *
 * How it fits.  The broker makes the memfd and hands it to each switch that it starts; switch.c
 * maps it, base/fdb.c keeps its table in it, and the control thread adds events.  Between the death
 * of a switch and the start of the next the broker maps it too, to note the restart.  There is
 * never more than one writer of slots and events: the control thread, or the broker while no switch
 * lives.
 *
 * Theory of operation.  Events are a ring: event with serial s lies at s % EVENTS_KEPT.  A writer
 * that is killed in the middle leaves serial 0 there, since the serial is written last.
 *
 *   event_serial = 1003     [1000][1001][1002][1003][ 4 ][ 5 ] ... [ 999 ]
 *                             0     1     2     3     4    5          999
 *
 * Trust.  A crashed or hostile switch wrote the region.  state_map() leaves nothing in it that a
 * reader would have to doubt: names are terminated, well-formed and unique, events are terminated
 * printable text whose serial is that of their place.  The table of MACs is checked by
 * fdb_create().
 */
#include "switch/state.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

static const uint64_t STATE_MAGIC = 0x7666616273746174; /* "vfabstat" */

/* Goes up with each change of struct state or of what it holds. */
enum { STATE_VERSION = 3 };

/* Serials start at 1; one a nanosecond would take centuries to get here. */
static const uint64_t SERIAL_MAX = UINT64_MAX / 2;

static void (*event_hook)(const struct event *e, void *arg);
static void *event_hook_arg;

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || c == '.';
}

static bool is_name(const char *name, size_t size)
{
	size_t n = strnlen(name, size), i;

	if (n == 0 || n == size)
		return false;
	for (i = 0; i < n; i++) {
		if (!is_name_byte(name[i]))
			return false;
	}
	return true;
}

static int compare_names(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/* Clears what is no name, and of two equal ones the later in order of the sort: which, does not matter. */
static void check_names(struct state *s)
{
	static char *used[SLOT_MAX]; /* too large for a stack; one thread */
	size_t n = 0, i;

	for (i = 0; i < SLOT_MAX; i++) {
		if (is_name(s->port_name[i], PORT_NAME_SIZE))
			used[n++] = s->port_name[i];
		else
			memset(s->port_name[i], 0, PORT_NAME_SIZE);
	}
	qsort(used, n, sizeof(used[0]), compare_names);
	for (i = 1; i < n; i++) {
		if (strcmp(used[i - 1], used[i]) == 0)
			memset(used[i - 1], 0, PORT_NAME_SIZE);
	}
}

static void check_text(char *text, size_t size)
{
	size_t n = strnlen(text, size - 1), i;

	for (i = 0; i < n; i++) {
		if (text[i] < ' ' || text[i] > '~')
			text[i] = '?';
	}
	memset(text + n, 0, size - n);
}

static void check_events(struct state *s)
{
	struct event *e;
	uint64_t i;

	if (s->event_serial > SERIAL_MAX) {
		memset(s->event, 0, sizeof(s->event));
		s->event_serial = 0;
	}
	for (i = 0; i < EVENTS_KEPT; i++) {
		e = &s->event[i];
		if (e->serial % EVENTS_KEPT != i || e->serial > s->event_serial ||
		    e->serial + EVENTS_KEPT <= s->event_serial)
			memset(e, 0, sizeof(*e));
		check_text(e->kind, sizeof(e->kind));
		check_text(e->object, sizeof(e->object));
		check_text(e->text, sizeof(e->text));
	}
}

static void start_fresh(struct state *s)
{
	/* Most of it stays address space: writing zeros would make memory of it. */
	if (madvise(s, sizeof(*s), MADV_REMOVE) < 0)
		memset(s, 0, sizeof(*s));
	s->version = STATE_VERSION;
	s->bytes = sizeof(*s);
	/* Only tells our own loop probes from a neighbour's: on failure 0 does too. */
	if (getrandom(&s->loop_id, sizeof(s->loop_id), GRND_NONBLOCK) < 0)
		s->loop_id = 0;
	s->magic = STATE_MAGIC;
}

struct state *state_map(int fd, bool *fresh)
{
	struct state *s;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return NULL;
	if (st.st_size != (off_t)sizeof(*s)) {
		errno = EINVAL;
		return NULL;
	}
	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (s == MAP_FAILED)
		return NULL;
	*fresh = s->magic != STATE_MAGIC || s->version != STATE_VERSION || s->bytes != sizeof(*s);
	if (*fresh)
		start_fresh(s);
	check_names(s);
	check_events(s);
	return s;
}

void state_unmap(struct state *s)
{
	if (s)
		munmap(s, sizeof(*s));
}

int state_slot_take(struct state *s, const char *name)
{
	int free_slot = -ENOSPC, i;

	for (i = SLOT_MAX - 1; i >= 0; i--) {
		if (s->port_name[i][0] == '\0')
			free_slot = i;
		else if (strcmp(s->port_name[i], name) == 0)
			return i;
	}
	if (free_slot >= 0)
		snprintf(s->port_name[free_slot], PORT_NAME_SIZE, "%s", name);
	return free_slot;
}

void state_slot_put(struct state *s, uint16_t slot)
{
	if (slot < SLOT_MAX)
		memset(s->port_name[slot], 0, PORT_NAME_SIZE);
}

static uint64_t wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void state_event(struct state *s, const char *kind, const char *object, const char *fmt, ...)
{
	uint64_t serial = s->event_serial + 1;
	struct event *e = &s->event[serial % EVENTS_KEPT];
	va_list ap;

	/* 0 while it is being written: a kill between any two of these lines leaves no half event. */
	__atomic_store_n(&e->serial, 0, __ATOMIC_RELEASE);
	__sync_synchronize(); /* ThreadSanitizer refuses the C11 fence */
	e->time_ms = wall_ms();
	snprintf(e->kind, sizeof(e->kind), "%s", kind);
	snprintf(e->object, sizeof(e->object), "%s", object);
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	check_text(e->kind, sizeof(e->kind));
	check_text(e->object, sizeof(e->object));
	check_text(e->text, sizeof(e->text));
	__atomic_store_n(&e->serial, serial, __ATOMIC_RELEASE);
	__atomic_store_n(&s->event_serial, serial, __ATOMIC_RELEASE);
	if (event_hook)
		event_hook(e, event_hook_arg);
}

void state_event_hook(void (*fn)(const struct event *e, void *arg), void *arg)
{
	event_hook = fn;
	event_hook_arg = arg;
}

bool state_event_get(const struct state *s, uint64_t serial, struct event *out)
{
	const struct event *e = &s->event[serial % EVENTS_KEPT];

	if (serial == 0 || __atomic_load_n(&e->serial, __ATOMIC_ACQUIRE) != serial)
		return false;
	*out = *e;
	return true;
}
