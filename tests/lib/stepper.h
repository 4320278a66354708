/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stepper: watches the machine itself run a function: one instruction after the other, or each access to some memory.
 *
 * What a compiler made of the source is what counts against a guest that writes at any time, and against a death between two
 * stores; so these look at instructions, not at an accessor.  x86-64 alone: stepper_works() says.
 */
#ifndef VFAB_TESTS_STEPPER_H
#define VFAB_TESTS_STEPPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool stepper_works(void);

/* Calls run(arg), and after each of its instructions each(arg), which calls nothing but string functions. */
void stepper_run(void (*run)(void *), void (*each)(void *), void *arg);

/*
 * Calls run(arg) and notes the address of each access to the pages at mem, in order.  Returns how many there were, of which
 * at most max are in at[].  A system call of run() that goes to that memory fails.
 */
size_t stepper_accesses(void (*run)(void *), void *arg, void *mem, size_t bytes, uintptr_t at[],
			size_t max);

#endif
