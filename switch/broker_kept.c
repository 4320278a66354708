/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker_kept: the list of what the broker keeps of one sort, and what the switch is told of it.
 *
 * How it fits.  broker_taps.c, broker_guests.c and broker_links.c have such a list each.
 *
 *            add + claim                note                     told
 *   (open) -------------> CLAIMED ------------------> DUE ----------------> CLAIMED
 *                          |   ^
 *                 unclaim  |   | claim       both lose what was due: who asks is answered with how it is now
 *                          v   |
 *                        UNCLAIMED ------------------> gone
 *                                        sweep
 */
#include "switch/broker_kept.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#ifndef IFF_LOWER_UP
#define IFF_LOWER_UP 0x10000 /* linux/if.h, which cannot stand beside net/if.h */
#endif

/* --- the list --------------------------------------------------------------------------- */

struct kept *kept_find(const struct kept_list *l, const char *port)
{
	struct kept *k;

	for (k = l->first; k; k = k->next) {
		if (strcmp(k->port, port) == 0)
			return k;
	}
	return NULL;
}

void kept_add(struct kept_list *l, struct kept *k)
{
	k->next = l->first;
	l->first = k;
	l->n++;
}

void kept_remove(struct kept_list *l, struct kept *k)
{
	struct kept **at = &l->first;

	while (*at != k)
		at = &(*at)->next;
	*at = k->next;
	l->n--;
	l->free_one(k, l->free_arg);
}

int kept_close(struct kept_list *l, const char *port)
{
	struct kept *k = kept_find(l, port);

	if (!k)
		return -ENOENT;
	kept_remove(l, k);
	return 0;
}

void kept_clear(struct kept_list *l)
{
	while (l->first)
		kept_remove(l, l->first);
}

/* --- who asked for it ------------------------------------------------------------------- */

void kept_claim(struct kept *k)
{
	k->is_claimed = true;
	k->is_due = k->is_new = false;
}

void kept_unclaim(struct kept_list *l)
{
	struct kept *k;

	for (k = l->first; k; k = k->next)
		k->is_claimed = k->is_due = k->is_new = false;
}

void kept_sweep(struct kept_list *l)
{
	struct kept *k, *next;

	for (k = l->first; k; k = next) {
		next = k->next;
		if (!k->is_claimed)
			kept_remove(l, k);
	}
}

/* --- what is told ----------------------------------------------------------------------- */

void kept_note(struct kept_list *l, struct kept *k)
{
	if (!k->is_claimed)
		return;
	k->is_due = true;
	l->due(l->due_arg);
}

struct kept *kept_due(struct kept *k)
{
	while (k && !k->is_due)
		k = k->next;
	return k;
}

void kept_told(struct kept *k)
{
	k->is_due = k->is_new = false;
}

/* --- the interface ---------------------------------------------------------------------- */

enum port_state kept_link_state(const struct rtnl_link *l)
{
	unsigned up = IFF_UP | IFF_LOWER_UP;

	return (l->flags & up) == up ? PORT_UP : PORT_DOWN;
}

bool kept_link_change(const struct rtnl_link *was, const struct rtnl_link *is,
		      char text[static TAP_TEXT_SIZE])
{
	char mac[MAC_TEXT];

	if (strcmp(was->name, is->name) != 0)
		snprintf(text, TAP_TEXT_SIZE, "interface %s is now called %s", was->name, is->name);
	else if (kept_link_state(was) != kept_link_state(is))
		snprintf(text, TAP_TEXT_SIZE, "interface %s %s", is->name,
			 kept_link_state(is) == PORT_UP ? "is up"
			 : is->flags & IFF_UP		? "has no carrier"
							: "was set down");
	else if (memcmp(&was->mac, &is->mac, sizeof(is->mac)) != 0)
		snprintf(text, TAP_TEXT_SIZE, "interface %s now has the address %s", is->name,
			 mac_text(&is->mac, mac));
	else
		return false;
	return true;
}
