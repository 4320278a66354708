/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sandbox: what the switch process gives up before the first guest byte, and the resolver before the first answer.
 *
 * In order: own mount, network, IPC and UTS namespaces; an empty read-only root; uid and gid of
 * nobody; no capability, bounding set empty; no_new_privs; non-dumpable; a seccomp allow-list (kill
 * on violation).  Seccomp also holds for threads made later.
 */
#ifndef VFAB_SWITCH_SANDBOX_H
#define VFAB_SWITCH_SANDBOX_H

/* 0, or -errno with the step that failed in *step. */
int sandbox_enter(const char **step);

/* The same for the resolver, which keeps the network namespace, and has a filter of its own. */
int sandbox_resolver(const char **step);

/* The broker stays root, with no capability but those that it needs; a switch that it starts gets no
 * more.  0 or -errno. */
int sandbox_broker(void);

#endif
