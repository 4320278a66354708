/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker_kept: the list of what the broker keeps of one sort (taps, interfaces, sockets of guests), each for a port of the switch.
 *
 * What.  A switch that starts anew has asked for nothing: what is kept is unclaimed then, claimed when it is asked for again, and
 * swept if it is not.  Changes of what is claimed are due: told once, the latest only.
 *
 * Ownership.  What is kept begins with its struct kept and is the caller's own type; kept_remove() gives it to free_one.
 */
#ifndef VFAB_SWITCH_BROKER_KEPT_H
#define VFAB_SWITCH_BROKER_KEPT_H

#include "bridge/rtnl.h"
#include "switch/broker.h"

struct kept {
	struct kept *next;
	const char *port; /* in the spec behind it */
	bool is_claimed;  /* the running switch asked for it */
	bool is_due;	  /* something is to be told */
	bool is_new;	  /* and its descriptors go along */
};

struct kept_list {
	struct kept *first;
	unsigned n;
	void (*free_one)(struct kept *k, void *arg);
	void (*due)(void *arg); /* something is to be told */
	void *free_arg, *due_arg;
};

struct kept *kept_find(const struct kept_list *l, const char *port);
void kept_add(struct kept_list *l, struct kept *k); /* takes k, whose port is set */
void kept_remove(struct kept_list *l, struct kept *k);
int kept_close(struct kept_list *l, const char *port); /* 0 or -ENOENT */
void kept_clear(struct kept_list *l);

/* The switch asked for it, and knows how it is. */
void kept_claim(struct kept *k);
void kept_unclaim(struct kept_list *l);
void kept_sweep(struct kept_list *l);

/* Something happened to it; nobody is told of what is not claimed. */
void kept_note(struct kept_list *l, struct kept *k);
/* The first that is due, from k on; NULL: none.  kept_told() once it was told. */
struct kept *kept_due(struct kept *k);
void kept_told(struct kept *k);

/* How the interface behind it is. */
enum port_state kept_link_state(const struct rtnl_link *l);
/* What became of it, in words; false: name, state and address are what they were. */
bool kept_link_change(const struct rtnl_link *was, const struct rtnl_link *is, char text[static TAP_TEXT_SIZE]);

#endif
