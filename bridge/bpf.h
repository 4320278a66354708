/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bpf: the two eBPF programs of an interface uplink, a dozen instructions each.
 *
 *   switch --> helper tap --(bpf_redirect)--> ingress of the NIC --+--> the host's stack
 *                                                                  '--> packet sockets, ours too, were it not for bpf_frames_filter
 *
 * What the helper gives to the NIC carries a mark in the kernel's tc_index, which nothing else uses, so that our own packet
 * socket does not take it for a frame from the wire.
 */
#ifndef VFAB_BRIDGE_BPF_H
#define VFAB_BRIDGE_BPF_H

#include "switch/base/addr.h"

/* A program for tc_ingress(): every frame goes on as if link ifindex had received it.  A descriptor, or -errno. */
int bpf_redirect_into(int ifindex);

/*
 * SO_PRIORITY of a packet socket, by which its filter knows what it sent itself.  The kernel keeps such frames from their own
 * socket, but not the segments that it makes of one for a NIC without TSO: they have no socket but the last.  No qdisc knows
 * that value.
 */
enum { BPF_OWN_PRIORITY = 0x76660000 };

/* Which frames a packet socket is for; never those that it sent itself, or that a helper gave to its link. */
enum bpf_frames {
	BPF_FRAMES_ALL,
	BPF_FRAMES_TO,	/* to that address, and to groups */
	BPF_FRAMES_NOT, /* all but those to that address */
};
/* A program for SO_ATTACH_BPF.  A descriptor, or -errno. */
int bpf_frames_filter(enum bpf_frames which, const struct mac *mac);

#endif
