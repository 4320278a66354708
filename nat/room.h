/* SPDX-License-Identifier: GPL-2.0-or-later */
/* room: address space for the tables of the NAT, as large as they may ever become; a page costs memory when it is first touched,
 * and reads as zero. */
#ifndef VFAB_NAT_ROOM_H
#define VFAB_NAT_ROOM_H

#include <stddef.h>

void *room_take(size_t bytes); /* NULL without memory */
void room_put(void *room, size_t bytes); /* NULL is fine */
/* Asks for huge pages behind the first `from` of `bytes`, in memory that anybody took. */
void room_widen(void *room, size_t from, size_t bytes);
/* Touches the huge pages behind the first `from` up to that which holds byte number `bytes`.  Any thread. */
void room_touch(void *room, size_t from, size_t bytes);

#endif
