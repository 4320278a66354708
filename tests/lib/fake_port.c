/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fake_port: frames in and out of memory; see fake_port.h. */
#include "tests/lib/fake_port.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void drop_frames(struct fake_frame *frames, unsigned *n, size_t headroom)
{
	while (*n > 0) {
		(*n)--;
		free(frames[*n].bytes - headroom);
	}
}

static unsigned fake_rx(struct port *p, unsigned q, struct scratch *s, struct vec *v, unsigned max)
{
	struct fake *fake = p->priv;

	(void)q;
	s->iovs = 0;
	v->n = 0;
	while (v->n < fake->n_in && v->n < max) {
		struct fake_frame *in = &fake->in[v->n];
		struct frame *f = &v->f[v->n++];

		f->snap = in->bytes;
		f->len = in->len;
		f->off = in->off;
		f->snap_len = (uint16_t)(in->len < fake->snap_max ? in->len : fake->snap_max);
		f->body = NULL;
		f->body_cnt = 0;
		f->drop = DROP_NONE;
		if (f->len > f->snap_len) {
			s->iov[s->iovs] =
				(struct iovec){in->bytes + f->snap_len, f->len - f->snap_len};
			f->body = &s->iov[s->iovs++];
			f->body_cnt = 1;
		}
	}
	return v->n;
}

static void fake_rx_done(struct port *p, unsigned q, struct scratch *s)
{
	struct fake *fake = p->priv;

	(void)q;
	(void)s;
	drop_frames(fake->in, &fake->n_in, FRAME_HEADROOM);
}

static void store(struct fake *fake, const struct tx_frame *t)
{
	struct fake_frame *out = &fake->out[fake->n_out++];
	uint32_t tag = t->tag.tpid ? TAG_BYTES : 0;

	out->len = t->f->len + tag;
	out->off = t->f->off;
	out->bytes = malloc(out->len);
	if (!out->bytes)
		abort();
	frame_copy(t->f, 0, out->bytes, 12);
	if (tag)
		tag_write(out->bytes + 12, t->tag);
	frame_copy(t->f, 12, out->bytes + 12 + tag, t->f->len - 12);
}

static unsigned fake_tx(struct port *p, unsigned q, struct scratch *s, struct tx_frame *t,
			unsigned n)
{
	struct fake *fake = p->priv;

	unsigned refused = 0;

	(void)q;
	(void)s;
	for (unsigned i = 0; i < n && !fake->discards; i++) {
		if (fake->room == 0 || fake->n_out == FAKE_FRAMES) {
			t[i].drop = DROP_TX_FULL;
			refused++;
			continue;
		}
		fake->room--;
		store(fake, &t[i]);
	}
	return refused;
}

static void fake_close(struct port *p)
{
	struct fake *fake = p->priv;

	drop_frames(fake->in, &fake->n_in, FRAME_HEADROOM);
	drop_frames(fake->out, &fake->n_out, 0);
}

static const struct port_ops fake_ops = {
	.kind = "fake",
	.rx = fake_rx,
	.rx_done = fake_rx_done,
	.tx = fake_tx,
	.close = fake_close,
};

struct fake *fake_create(const char *name, uint16_t slot)
{
	struct fake *fake;

	if (posix_memalign((void **)&fake, 64, sizeof(*fake)) != 0)
		return NULL;
	memset(fake, 0, sizeof(*fake));
	port_open(&fake->port, &fake_ops, fake);
	fake->port.kind = PORT_FAKE;
	fake->port.slot = slot;
	fake->port.queues = 1;
	fake->port.state = PORT_UP;
	fake->room = UINT_MAX;
	fake->snap_max = SNAP_MAX;
	rate_init(&fake->port.loop_cap, 100, 100);
	snprintf(fake->port.name, sizeof(fake->port.name), "%s", name);
	return fake;
}

void fake_destroy(struct fake *fake)
{
	if (!fake)
		return;
	fake_close(&fake->port);
	free(fake->port.police);
	free(fake);
}

void fake_give(struct fake *fake, const void *bytes, uint32_t len, const struct offload *off)
{
	uint8_t *mem;

	if (fake->n_in == FAKE_FRAMES)
		return;
	mem = malloc(FRAME_HEADROOM + len + 1);
	if (!mem)
		abort();
	memcpy(mem + FRAME_HEADROOM, bytes, len);
	fake->in[fake->n_in++] =
		(struct fake_frame){mem + FRAME_HEADROOM, len, off ? *off : (struct offload){0}};
}

void fake_clear(struct fake *fake)
{
	drop_frames(fake->out, &fake->n_out, 0);
}
