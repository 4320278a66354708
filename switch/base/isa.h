/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * isa: files of the packet path that are compiled twice, for any processor and (PATH_WIDE, x86-64) for AVX2.
 *
 * Such a file defines PATH(name) where it would define name; who calls it chooses by isa_wide.
 */
#ifndef VFAB_BASE_ISA_H
#define VFAB_BASE_ISA_H

#include <stdbool.h>

#ifdef PATH_WIDE
#define PATH(name) name##_wide
#else
#define PATH(name) name##_base
#endif

/* Defines name() of that type and arguments, which goes to the version for this processor; in one of the two compilations. */
#if defined(PATH_WIDE)
#define PATH_CHOICE(type, name, params, args)
#elif defined(__x86_64__)
#define PATH_CHOICE(type, name, params, args)                                                      \
	type name##_wide params;                                                                   \
	type name params                                                                           \
	{                                                                                          \
		return isa_wide ? name##_wide args : name##_base args;                             \
	}
#else
#define PATH_CHOICE(type, name, params, args)                                                      \
	type name params                                                                           \
	{                                                                                          \
		return name##_base args;                                                           \
	}
#endif

/* This processor has what the wide versions need; a test may say that it has not. */
extern bool isa_wide;

#endif
