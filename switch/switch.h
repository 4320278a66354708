/* SPDX-License-Identifier: GPL-2.0-or-later */
/* switch: the unprivileged process: control thread and workers, over the descriptors of broker.h. */
#ifndef VFAB_SWITCH_SWITCH_H
#define VFAB_SWITCH_SWITCH_H

/*
 * Enters the sandbox, applies the configuration of SWITCH_FD_CONF and runs until NOTICE_STOP or until the broker is
 * gone.  conf_name: what error lines call that text, the -c file; "": none.  Returns the exit status: 0, 1, or 65 when
 * the text is bad data (its error line is written).
 */
int switch_run(const char *conf_name);

#endif
