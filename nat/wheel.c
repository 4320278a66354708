/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wheel: when which record is to be visited.
 *
 * session.c files each session where its lifetime ends if nothing comes; a packet does not touch the wheel, and who is
 * visited and lives is filed anew.
 *
 *   done_s = 1000                            second 1024 begins turn 2
 *   slots   [1001][1002] ... [1512]          by second modulo 512
 *   turns         [2][3] ... [64]            by (second / 512) modulo 64: given out as a whole when it begins, to be filed in slots
 *
 * Lists are doubly linked, since a session can end before its time.  The prev of the first one names its list:
 * LIST_BIT | number.
 */
#include "nat/wheel.h"

#include <stddef.h>

enum { CURRENT = WHEEL_SLOTS + WHEEL_TURNS };

static const uint32_t LIST_BIT = 0x80000000;

void wheel_init(struct wheel *w, uint32_t now_s, struct wheel_link *first, uint32_t stride)
{
	*w = (struct wheel){.links = (uint8_t *)first, .stride = stride, .done_s = now_s};
	for (unsigned i = 0; i <= CURRENT; i++)
		w->list[i] = WHEEL_NONE;
}

static struct wheel_link *link_of(const struct wheel *w, uint32_t place)
{
	return (struct wheel_link *)(void *)(w->links + (size_t)place * w->stride);
}

static void push(struct wheel *w, unsigned list, uint32_t place)
{
	struct wheel_link *l = link_of(w, place);

	l->next = w->list[list];
	l->prev = LIST_BIT | list;
	if (l->next != WHEEL_NONE)
		link_of(w, l->next)->prev = place;
	w->list[list] = place;
}

void wheel_file(struct wheel *w, uint32_t place, uint32_t due_s)
{
	uint32_t turn, last;

	w->n++;
	if (due_s <= w->done_s) {
		push(w, CURRENT, place);
		return;
	}
	if (due_s - w->done_s <= WHEEL_SLOTS) {
		push(w, due_s % WHEEL_SLOTS, place);
		return;
	}
	turn = due_s / WHEEL_SLOTS;
	last = (w->done_s + 1) / WHEEL_SLOTS + WHEEL_TURNS - 1;
	if (turn > last)
		turn = last;
	push(w, WHEEL_SLOTS + turn % WHEEL_TURNS, place);
}

void wheel_remove(struct wheel *w, uint32_t place)
{
	struct wheel_link *l = link_of(w, place);

	if (l->prev == WHEEL_NONE)
		return;
	if (l->prev & LIST_BIT)
		w->list[l->prev & ~LIST_BIT] = l->next;
	else
		link_of(w, l->prev)->next = l->next;
	if (l->next != WHEEL_NONE)
		link_of(w, l->next)->prev = l->prev;
	l->prev = WHEEL_NONE;
	w->n--;
}

/* All of that list are to be visited now.  False: there are none. */
static bool give_out(struct wheel *w, unsigned list)
{
	uint32_t first = w->list[list];

	if (first == WHEEL_NONE)
		return false;
	w->list[list] = WHEEL_NONE;
	w->list[CURRENT] = first;
	link_of(w, first)->prev = LIST_BIT | CURRENT;
	return true;
}

/* What is due in the second after done_s; done_s moves when that is nothing. */
static void advance(struct wheel *w)
{
	uint32_t second = w->done_s + 1;

	if (second % WHEEL_SLOTS == 0 && !w->is_turned) {
		w->is_turned = true;
		if (give_out(w, WHEEL_SLOTS + second / WHEEL_SLOTS % WHEEL_TURNS))
			return;
	}
	if (give_out(w, second % WHEEL_SLOTS))
		return;
	w->done_s = second;
	w->is_turned = false;
}

uint32_t wheel_next(struct wheel *w, uint32_t now_s, unsigned *steps)
{
	uint32_t place;

	if (w->n == 0 && w->done_s < now_s) {
		w->done_s = now_s;
		w->is_turned = false;
	}
	while (w->list[CURRENT] == WHEEL_NONE) {
		if (w->done_s >= now_s || *steps == 0)
			return WHEEL_NONE;
		--*steps;
		advance(w);
	}
	place = w->list[CURRENT];
	wheel_remove(w, place);
	return place;
}

uint32_t wheel_due(const struct wheel *w)
{
	uint32_t turn = (w->done_s + 1) / WHEEL_SLOTS, first = UINT32_MAX;

	if (w->n == 0)
		return UINT32_MAX;
	if (w->list[CURRENT] != WHEEL_NONE)
		return w->done_s;
	for (uint32_t i = 1; i <= WHEEL_SLOTS && first == UINT32_MAX; i++)
		if (w->list[(w->done_s + i) % WHEEL_SLOTS] != WHEEL_NONE)
			first = w->done_s + i;
	for (uint32_t i = 0; i < WHEEL_TURNS; i++) {
		uint32_t begin = (turn + i) * WHEEL_SLOTS;

		if (begin >= first)
			break;
		if (begin > w->done_s &&
		    w->list[WHEEL_SLOTS + (turn + i) % WHEEL_TURNS] != WHEEL_NONE)
			return begin;
	}
	return first;
}
