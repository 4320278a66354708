/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tag: takes the outer tag off a snapshot.
 *
 * vlan.c calls it once for a frame that came in tagged.  The twelve address bytes move up to where the tag was; the
 * payload, which is much longer and mostly not in the snapshot, stays where it is.
 *
 *      before   dst src | TPID TCI | type payload        after   .... | dst src | type payload
 *               ^ snap                                                ^ snap
 *
 * Tags are put on by the outputs, between the two parts of the frame that they write (port.h, struct tag).
 *
 * Trust.  Bytes and offload fields are the sender's.  Here only the snapshot's length is relied on; an offload offset that
 * lies before the payload becomes 0, which frame_check_offload() refuses.
 */
#include "vlan/tag.h"

#include <string.h>

enum { MAC_PAIR = 12 };

static uint16_t less_tag(uint16_t offset)
{
	return offset > TAG_BYTES ? (uint16_t)(offset - TAG_BYTES) : 0;
}

bool tag_pop(struct frame *f, uint16_t *tci)
{
	if (f->snap_len < ETH_HEADER + TAG_BYTES || f->len < ETH_HEADER + TAG_BYTES)
		return false;
	*tci = (uint16_t)(f->snap[ETH_HEADER] << 8 | f->snap[ETH_HEADER + 1]);
	memmove(f->snap + TAG_BYTES, f->snap, MAC_PAIR);
	f->snap += TAG_BYTES;
	f->snap_len -= TAG_BYTES;
	f->len -= TAG_BYTES;
	f->off.csum_start = less_tag(f->off.csum_start);
	f->off.hdr_len = less_tag(f->off.hdr_len);
	return true;
}
