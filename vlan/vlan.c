/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vlan: ingress classification of tagged frames, and sets of VLAN ids.
 *
 * forward.c calls vlan_ingress() for every frame and vlan_egress() for every copy; both are inline for the untagged
 * case and come here for the others.  What a tag means is decided in this order:
 *
 *   outer tag                   access        trunk, native-*                        dot1q-tunnel
 *   VID 4095                    dropped       dropped                                dropped
 *   0x8100, VID 0               taken off, the port's VLAN with its priority         payload
 *   0x8100, a service VLAN      dropped       dropped                                payload
 *   0x8100, another VLAN        dropped       taken off, if the port carries it      payload
 *   0x88a8, a service VLAN      payload       taken off, if the port carries it      payload
 *   0x88a8, another VLAN        payload       payload                                payload
 *
 * "payload" is an untagged frame in the port's VLAN; a trunk without one drops it.  IEEE 802.1Q 6.9.1 (priority tags),
 * 9.6 (VID 4095 is reserved).
 *
 * Trust.  The bytes are the sender's.  ETH_HEADER bytes of the snapshot were checked by the caller, those of the tag are here.
 */
#include "vlan/vlan.h"

enum { VID_RESERVED = 0xfff };

/* The tag behind the EtherType at ETH_HEADER - 2; false when the snapshot does not hold it and the type that follows. */
static bool outer_tci(const struct frame *f, uint16_t *tci)
{
	if (f->snap_len < ETH_HEADER + TAG_BYTES)
		return false;
	*tci = (uint16_t)(f->snap[ETH_HEADER] << 8 | f->snap[ETH_HEADER + 1]);
	return true;
}

/* The frame as a whole is the payload of the port's own VLAN. */
static enum drop take_untagged(const struct vlan_port *v, struct frame *f)
{
	f->tci = v->tag;
	return v->mode == VLAN_TRUNK ? DROP_VLAN : DROP_NONE;
}

static void pop(struct frame *f, uint16_t tpid)
{
	tag_pop(f, &f->rx_tci); /* its length was checked with the first look at the tag */
	f->rx_tpid = tpid;
	f->etype = frame_etype(f);
}

/* VID 0: only a priority. */
static enum drop take_priority(const struct vlan_port *v, struct frame *f)
{
	if (v->mode == VLAN_TRUNK)
		return DROP_VLAN;
	pop(f, ETYPE_8021Q);
	f->tci = (uint16_t)(v->tag | (f->rx_tci & (TCI_PCP | TCI_DEI)));
	return DROP_NONE;
}

enum drop vlan_ingress_tagged(const struct vlan_port *v, struct frame *f, uint16_t tpid)
{
	uint16_t tci, vid;
	bool is_service;

	if (!outer_tci(f, &tci))
		return DROP_RUNT;
	vid = tci & TCI_VID;
	f->tci = 0;
	if (vid == VID_RESERVED) {
		f->rx_tpid = tpid;
		f->rx_tci = tci;
		return DROP_VLAN_RESERVED;
	}
	is_service = vlan_set_has(v->service, vid);
	if (v->mode == VLAN_DOT1Q_TUNNEL)
		return take_untagged(v, f);
	if (tpid == ETYPE_8021AD && (!is_service || v->mode == VLAN_ACCESS))
		return take_untagged(v, f);
	if (vid == 0)
		return take_priority(v, f);
	f->rx_tpid = tpid;
	f->rx_tci = tci;
	if (v->mode == VLAN_ACCESS || is_service != (tpid == ETYPE_8021AD) ||
	    !vlan_set_has(&v->carries, vid))
		return DROP_VLAN;
	pop(f, tpid);
	f->tci = tci;
	return DROP_NONE;
}

bool vlan_would_hop(const struct vlan_port *v, const struct frame *f)
{
	uint16_t tci, vid;

	if (!outer_tci(f, &tci))
		return false;
	vid = tci & TCI_VID;
	/* A receiver may take a priority tag off and then look at the tag behind it. */
	if (vid != 0 && !vlan_set_has(&v->carries, vid))
		return false;
	return vlan_set_has(v->service, vid) == (f->etype == ETYPE_8021AD);
}

void vlan_set_add(struct vlan_set *s, uint16_t vid)
{
	s->bits[vid >> 6] |= 1ULL << (vid & 63);
}

void vlan_set_add_range(struct vlan_set *s, uint16_t first, uint16_t last)
{
	for (unsigned vid = first; vid <= last; vid++)
		vlan_set_add(s, (uint16_t)vid);
}

bool vlan_set_is_empty(const struct vlan_set *s)
{
	uint64_t any = 0;

	for (unsigned i = 0; i < sizeof(s->bits) / sizeof(s->bits[0]); i++)
		any |= s->bits[i];
	return any == 0;
}

const char *vlan_mode_word(enum vlan_mode mode)
{
	static const char *const word[] = {
		[VLAN_ACCESS] = "access",
		[VLAN_TRUNK] = "trunk",
		[VLAN_NATIVE_UNTAGGED] = "native-untagged",
		[VLAN_NATIVE_TAGGED] = "native-tagged",
		[VLAN_DOT1Q_TUNNEL] = "dot1q-tunnel",
	};

	return word[mode];
}
