/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/lib/lease_ids.h"

struct ip ip_at(bool is_v6, uint32_t n)
{
	struct ip ip = {{[10] = 0xff, [11] = 0xff, [12] = 10}};

	if (is_v6)
		ip = (struct ip){{0xfd}};
	for (unsigned i = 0; i < 3; i++)
		ip.b[15 - i] = (uint8_t)(n >> 8 * i);
	return ip;
}

struct lease_id id_at(uint32_t n)
{
	struct lease_id id;

	lease_id_of_mac(
		&id, &(struct mac){{2, 0, 0, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}});
	return id;
}
