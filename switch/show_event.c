/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * show_event: what happened, and what happens.
 *
 * The last EVENTS_KEPT events lie in the state region.  Followers are a list in struct daemon; state.c
 * calls us with each new event, which is written once and queued to each of them.  One that does
 * not read loses events and, when it reads again, gets one of kind `lost` that says how many.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "switch/show.h"

struct follower {
	struct daemon *d;
	struct client *client;
	struct follower *next, **link; /* link: what points to us */
	uint64_t lost;		       /* since the last line that was taken */
};

static uint64_t wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static json_t *show_event(uint64_t time_ms, const char *kind, const char *object, json_t *text)
{
	char time[CTL_TIME_TEXT];

	return json_pack("{s:s,s:o,s:o,s:o}", "time", ctl_time(time_ms, time), "kind",
			 ctl_text(kind), "object", ctl_text(object), "text", text);
}

/* Hands every event kept that is not older than from_ms to add, the oldest first. */
static void walk(const struct state *s, uint64_t from_ms, void (*add)(json_t *obj, void *arg),
		 void *arg)
{
	uint64_t last = s->event_serial, serial = last > EVENTS_KEPT ? last - EVENTS_KEPT + 1 : 1;
	struct event e;

	for (; serial <= last; serial++) {
		if (state_event_get(s, serial, &e) && e.time_ms >= from_ms)
			add(show_event(e.time_ms, e.kind, e.object, ctl_text(e.text)), arg);
	}
}

static void add_to_array(json_t *obj, void *array)
{
	json_array_append_new(array, obj);
}

static void add_to_stream(json_t *obj, void *arg)
{
	struct follower *f = arg;

	if (!ctl_stream_send(f->client, obj))
		f->lost++;
}

/* Says first what was lost.  Both or neither: an event that comes after a gap is taken only with the word of it. */
static void send_event(struct follower *f, const char *line, size_t n)
{
	json_t *gap;

	if (f->lost > 0) {
		gap = show_event(wall_ms(), "lost", "",
				 json_sprintf("%llu events: this reader was too slow",
					      (unsigned long long)f->lost));
		if (!ctl_stream_send(f->client, gap)) {
			f->lost++;
			return;
		}
		f->lost = 0;
	}
	if (!ctl_stream_line(f->client, line, n))
		f->lost++;
}

static void on_event(const struct event *e, void *arg)
{
	const struct daemon *d = arg;
	json_t *obj = show_event(e->time_ms, e->kind, e->object, ctl_text(e->text));
	char *line = obj ? json_dumps(obj, JSON_COMPACT) : NULL;
	struct follower *f;

	for (f = d->followers; f; f = f->next) {
		if (line)
			send_event(f, line, strlen(line));
		else
			f->lost++;
	}
	free(line);
	json_decref(obj);
}

static void on_close(void *arg)
{
	struct follower *f = arg;

	*f->link = f->next;
	if (f->next)
		f->next->link = f->link;
	if (!f->d->followers)
		state_event_hook(NULL, NULL);
	free(f);
}

static void follow(struct daemon *d, struct client *cl, bool has_past, uint64_t from_ms)
{
	struct follower *f = calloc(1, sizeof(*f));

	if (!f) {
		ctl_refuse(cl, 1, "no memory");
		return;
	}
	*f = (struct follower){.d = d, .client = cl, .next = d->followers, .link = &d->followers};
	if (f->next)
		f->next->link = &f->next;
	d->followers = f;
	state_event_hook(on_event, d);
	ctl_stream_begin(cl, on_close, f);
	if (has_past)
		walk(d->state, from_ms, add_to_stream, f);
}

void show_events(struct daemon *d, struct client *cl, const json_t *req)
{
	const json_t *since = json_object_get(req, "since_ms");
	uint64_t now = wall_ms(), back = (uint64_t)json_integer_value(since);
	uint64_t from_ms = since && back < now ? now - back : 0;
	json_t *array;

	if (json_is_true(json_object_get(req, "follow"))) {
		follow(d, cl, since, from_ms);
		return;
	}
	array = json_array();
	if (array)
		walk(d->state, from_ms, add_to_array, array);
	ctl_answer(cl, array);
}
