/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nouns: what the files of the nouns give to the table of verbs in vfab.c: handlers and their options. */
#ifndef VFAB_TOOLS_NOUNS_H
#define VFAB_TOOLS_NOUNS_H

#include "tools/call.h"

extern const struct verb_option net_options[];
int net_change(const struct call *c); /* add, set, del */
int net_list(const struct call *c);
int net_show(const struct call *c);

extern const struct verb_option port_options[];
int port_change(const struct call *c);
int port_list(const struct call *c);
int port_show(const struct call *c);

extern const struct verb_option mac_options[];
int mac_list(const struct call *c);
int mac_change(const struct call *c); /* add, del */
int mac_flush(const struct call *c);

extern const struct verb_option uplink_options[], neigh_options[];
int uplink_change(const struct call *c); /* add, set, del */
int uplink_list(const struct call *c);
int uplink_show(const struct call *c);
int see_neighbours(const struct call *c);
int flush_neighbours(const struct call *c);

extern const struct verb_option forward_options[], forward_list_options[], import_options[];
int forward_add(const struct call *c);
int forward_list(const struct call *c);
int forward_del(const struct call *c);
int forward_import(const struct call *c);
int route_change(const struct call *c); /* add, del */
int route_list(const struct call *c);

extern const struct verb_option nat_options[];
int see_sessions(const struct call *c);
int flush_sessions(const struct call *c);
int see_nat(const struct call *c);
int debug_clock(const struct call *c);

extern const struct verb_option lease_options[], reserve_options[];
int lease_list(const struct call *c);
int lease_reserve(const struct call *c);
int lease_unreserve(const struct call *c);
int lease_release(const struct call *c);
int lease_stats(const struct call *c);

extern const struct verb_option attach_options[];
int attach(const struct call *c);

extern const struct verb_option trace_options[], capture_options[];
int trace(const struct call *c);
int capture(const struct call *c);

extern const struct verb_option drops_options[], events_options[];
int see_drops(const struct call *c);
int see_events(const struct call *c);
int see_version(const struct call *c);

extern const struct verb_option stats_options[];
int see_stats(const struct call *c);
int see_top(const struct call *c);

extern const struct verb_option apply_options[];
int conf_check_file(const struct call *c);
int conf_diff(const struct call *c);
int conf_apply(const struct call *c);
int conf_show(const struct call *c);
int conf_confirm(const struct call *c);
int conf_save(const struct call *c);

int lab_up(const struct call *c);
int lab_down(const struct call *c);
int lab_list(const struct call *c);

int completion(const struct call *c); /* the script of a shell */
int complete(const struct call *c);   /* what that script asks */

#endif
