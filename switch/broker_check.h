/* SPDX-License-Identifier: GPL-2.0-or-later */
/* broker_check: is this a request?  Everything that a hostile switch may send ends here. */
#ifndef VFAB_SWITCH_BROKER_CHECK_H
#define VFAB_SWITCH_BROKER_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "switch/broker.h"

/* Writes the reason why something did not work and returns err. */
int broker_fail(char why[static TAP_TEXT_SIZE], int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Copies the n bytes of a request, which came with n_fds descriptors, to *out when every field is
 * what broker.h allows; what no field uses (after the end of a string, an address that is not set)
 * is zero then.  0, or -EINVAL with the reason in why.
 */
int broker_request_check(const void *bytes, size_t n, unsigned n_fds, struct broker_request *out,
			 char why[static TAP_TEXT_SIZE]);

/* Likewise for the arrays of a BROKER_HOST_SET, in place; set has passed broker_request_check(). */
int broker_host_check(const struct host_set *set, struct nft_uplink *uplinks, struct nft_forward *forwards,
		      char why[static TAP_TEXT_SIZE]);

/* Likewise for what a BROKER_RESOLVER_SET carries. */
int broker_resolver_check(struct resolver_servers *s, char why[static TAP_TEXT_SIZE]);

/* Two specs mean the same device: its settings may differ. */
bool tap_spec_same_device(const struct tap_spec *a, const struct tap_spec *b);
/* Two specs mean the same socket, and the same owner and mode of it. */
bool guest_spec_same_socket(const struct guest_spec *a, const struct guest_spec *b);

#endif
