/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vlan: which VLAN a frame is in, which ports carry it, and which tag it leaves with.
 *
 * The five modes and their words are Open vSwitch's.  "tagged" means an outer 802.1Q tag with a VID of
 * 1-4094; VID 0 is a priority tag and counts as untagged (IEEE 802.1Q 6.9.1), its priority is kept.
 *
 *   mode             in: untagged   in: tagged                   out
 *   access           tag            dropped                      untagged
 *   trunk            dropped        its VID if in trunks         tagged
 *   native-untagged  tag            its VID if in trunks or tag  VLAN tag untagged, others tagged
 *   native-tagged    tag            its VID if in trunks or tag  tagged
 *   dot1q-tunnel     whole frame in VLAN tag, customer tags are payload; out: as it came
 *
 * A frame of the native VLAN whose payload begins with a tag that the far end could take for another VLAN of
 * this port leaves native-untagged with its own tag: nobody hops from VLAN to VLAN with two tags.
 *
 * A service VLAN is the tag of some dot1q-tunnel port.  Where a frame of one leaves tagged, the TPID is
 * 0x88a8, and only a tag 0x88a8 is taken for it; anywhere else an outer 0x88a8 is payload.  VID 4095
 * is always dropped.
 */
#ifndef VFAB_VLAN_VLAN_H
#define VFAB_VLAN_VLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/base/frame.h"
#include "switch/port/port.h"
#include "vlan/tag.h"

enum vlan_mode {
	VLAN_ACCESS,
	VLAN_TRUNK,
	VLAN_NATIVE_UNTAGGED,
	VLAN_NATIVE_TAGGED,
	VLAN_DOT1Q_TUNNEL
};
enum vlan_prio_tags { PRIO_TAGS_NEVER, PRIO_TAGS_IF_NONZERO, PRIO_TAGS_ALWAYS };

struct vlan_set {
	uint64_t bits[4096 / 64];
};

/* A port's place among the VLANs; immutable in a fabric. */
struct vlan_port {
	enum vlan_mode mode;
	enum vlan_prio_tags prio_tags;
	uint16_t tag;			/* access VLAN, native VLAN or service VLAN; 0: none */
	struct vlan_set carries;	/* every VLAN this port is a member of, tag included */
	const struct vlan_set *service; /* the fabric's service VLANs */
};

static inline bool vlan_set_has(const struct vlan_set *s, uint16_t vid)
{
	return s->bits[vid >> 6] >> (vid & 63) & 1;
}

void vlan_set_add(struct vlan_set *s, uint16_t vid);
void vlan_set_add_range(struct vlan_set *s, uint16_t first, uint16_t last);
bool vlan_set_is_empty(const struct vlan_set *s);

const char *vlan_mode_word(enum vlan_mode mode);

/*
 * Classifies a frame that came in by a port: sets tci (VID, DEI, priority), rx_tpid, rx_tci and etype, and takes the outer
 * tag off the snapshot where the mode says so, offload offsets included.  rx_tpid is also set when that tag is
 * why the frame is dropped.  The frame holds ETH_HEADER bytes.  DROP_NONE,
 * DROP_VLAN, DROP_VLAN_RESERVED or DROP_RUNT (a tag without what follows it).
 */
enum drop vlan_ingress_tagged(const struct vlan_port *v, struct frame *f, uint16_t tpid);

static inline enum drop vlan_ingress(const struct vlan_port *v, struct frame *f)
{
	f->etype = frame_etype(f);
	f->rx_tpid = 0;
	if (__builtin_expect(f->etype == ETYPE_8021Q || f->etype == ETYPE_8021AD, 0))
		return vlan_ingress_tagged(v, f, f->etype);
	f->tci = v->tag;
	return v->mode == VLAN_TRUNK ? DROP_VLAN : DROP_NONE;
}

/* Would f, untagged on the wire of this port, be taken for a frame of another VLAN?  Its etype is that of a tag. */
bool vlan_would_hop(const struct vlan_port *v, const struct frame *f);

/* The tag with which a frame of f->tci's VLAN leaves a port that carries it; tpid 0: untagged. */
static inline struct tag vlan_egress(const struct vlan_port *v, const struct frame *f)
{
	uint16_t vid = f->tci & TCI_VID;
	bool untagged = v->mode == VLAN_ACCESS || v->mode == VLAN_DOT1Q_TUNNEL ||
			(v->mode == VLAN_NATIVE_UNTAGGED && vid == v->tag);

	if (__builtin_expect(f->etype == ETYPE_8021Q || f->etype == ETYPE_8021AD, 0) &&
	    v->mode == VLAN_NATIVE_UNTAGGED && untagged && vlan_would_hop(v, f))
		untagged = false;
	if (!untagged)
		return (struct tag){.tpid = vlan_set_has(v->service, vid) ? ETYPE_8021AD
									  : ETYPE_8021Q,
				    .tci = f->tci};
	if (v->prio_tags == PRIO_TAGS_NEVER || v->mode == VLAN_DOT1Q_TUNNEL ||
	    (v->prio_tags == PRIO_TAGS_IF_NONZERO && !(f->tci & TCI_PCP)))
		return (struct tag){0};
	return (struct tag){.tpid = ETYPE_8021Q, .tci = f->tci & (uint16_t)~TCI_VID};
}

#endif
