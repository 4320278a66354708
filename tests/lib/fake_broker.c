/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fake_broker: the requests to the broker, answered at once.  A program that links it must not link broker_client.o. */
#include "tests/lib/fake_broker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/broker.h"
#include "switch/broker_uplink.h"

struct fake_broker fake_broker;

void fake_broker_reset(void)
{
	free(fake_broker.kept);
	fake_broker = (struct fake_broker){0};
}

int broker_tap_open(const struct tap_spec *spec, struct tap_answer *answer,
		    int fds[static PORT_QUEUES_MAX])
{
	(void)fds;
	*answer = (struct tap_answer){.state = PORT_WAITING};
	if (strcmp(spec->netns, "gone") != 0 || spec->may_wait)
		return 0;
	snprintf(answer->text, sizeof(answer->text), "namespace \"%s\" does not exist",
		 spec->netns);
	return -ENOENT;
}

int broker_tap_set(const struct tap_spec *spec, struct tap_answer *answer)
{
	(void)spec;
	(void)answer;
	return 0;
}

int broker_tap_close(const char *port)
{
	(void)port;
	return 0;
}

int broker_conf_keep(const char *text, size_t bytes)
{
	free(fake_broker.kept);
	fake_broker.kept = strndup(text, bytes);
	return 0;
}

int broker_conf_save(const char *text, size_t bytes)
{
	(void)text;
	(void)bytes;
	return fake_broker.save_error;
}

int broker_guest_open(const struct guest_spec *spec, struct guest_answer *answer, int *fds,
		      unsigned *n_fds, char *text)
{
	(void)spec;
	(void)fds;
	memset(answer, 0, sizeof(*answer));
	*n_fds = 0;
	*text = '\0';
	return 0;
}

int broker_guest_keep(const struct guest_keep *keep, const int *fds)
{
	(void)keep;
	(void)fds;
	return 0;
}

int broker_guest_close(const char *port)
{
	(void)port;
	return 0;
}

int broker_link_open(const struct link_spec *spec, struct link_answer *answer, int fds[static 2])
{
	(void)spec;
	(void)fds;
	*answer = (struct link_answer){.state = PORT_WAITING};
	return 0;
}

int broker_link_set(const struct link_spec *spec, struct link_answer *answer)
{
	(void)spec;
	(void)answer;
	return 0;
}

int broker_link_close(const char *port)
{
	(void)port;
	return 0;
}

int broker_resolver_set(const struct resolver_servers *s, int *fd,
			char why[static RESOLVER_TEXT_SIZE])
{
	(void)s;
	*fd = -1;
	*why = '\0';
	return 0;
}

int broker_host_set(const struct host_set *set, const struct nft_uplink *uplinks,
		    const struct nft_forward *forwards, char text[static LINK_TEXT_SIZE])
{
	(void)set;
	(void)uplinks;
	(void)forwards;
	*text = '\0';
	return 0;
}
