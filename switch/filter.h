/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * filter: a client's compiled pcap program: checked once, run on snapshots.
 *
 * A program sees a frame without its outer 802.1Q or 802.1ad tag, or as on the wire; a load beyond
 * the snapshot does not match.  Pure.
 */
#ifndef VFAB_SWITCH_FILTER_H
#define VFAB_SWITCH_FILTER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <pcap/bpf.h>

#include "switch/base/frame.h"
#include "switch/port/port.h"

enum { FILTER_INSNS_MAX = 4096, FILTER_ROOM = SNAP_MAX + TAG_BYTES };

/* NULL when the program always ends and stays in its memory, else what is wrong with it. */
const char *filter_check(const struct bpf_insn *prog, unsigned n);

/* What a program sees of a frame. */
struct filter_view {
	const uint8_t *bytes; /* in the snapshot, or in the caller's room */
	uint32_t held;	      /* bytes there */
	uint32_t len;	      /* bytes of the whole frame */
};

/* The view of f as on a wire that it has with this tag (tpid 0: its bytes as they are), with its
 * outer tag or without.  room: FILTER_ROOM bytes, used when the view is not in the snapshot. */
struct filter_view filter_view(const struct frame *f, struct tag tag, bool with_tag, uint8_t *room);

/* NULL matches everything. */
bool filter_match(const struct bpf_insn *prog, const struct filter_view *v);

#endif
