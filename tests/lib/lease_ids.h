/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lease_ids: clients and addresses by number, for the tests of the lease store. */
#ifndef VFAB_TESTS_LEASE_IDS_H
#define VFAB_TESTS_LEASE_IDS_H

#include "dhcp/lease.h"

struct ip ip_at(bool is_v6, uint32_t n); /* 10.0.0.0 + n, fd00:: + n; 24 bits of n */
struct lease_id id_at(uint32_t n);	 /* of the MAC 02:00:00 and 24 bits of n */

#endif
