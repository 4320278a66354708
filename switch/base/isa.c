/* SPDX-License-Identifier: GPL-2.0-or-later */
/* isa: what this processor can do, found out once; see isa.h. */
#include "switch/base/isa.h"

bool isa_wide;

static void __attribute__((constructor)) find_out(void)
{
#ifdef __x86_64__
	isa_wide = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
		   __builtin_cpu_supports("bmi2");
#endif
}
