/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tag: 802.1Q and 802.1ad tags in the bytes of a frame. */
#ifndef VFAB_VLAN_TAG_H
#define VFAB_VLAN_TAG_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/base/frame.h"

/*
 * Takes the outer tag off the snapshot: the addresses move TAG_BYTES towards the payload, len shrinks, and
 * the checksum start and header length of the offload fields with it.  *tci gets the tag control information, host order.
 * False when the snapshot holds no whole tag and EtherType behind it.
 */
bool tag_pop(struct frame *f, uint16_t *tci);

#endif
