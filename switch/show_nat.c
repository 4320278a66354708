/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * show_nat: the sessions of the NAT as JSON, their end, and its figures.
 *
 * ctl.c calls the handlers in the control thread.  The table is the workers'; one of them is asked, between two vectors and under
 * the gateway's lock, for a few records at a time.  There may be sixteen million: so a list is a stream of pieces, and between
 * any two the control thread goes back to its loop.
 *
 *    walk --> on_turn: ask a worker for a piece --> queue it --> ... a few of them --> timer --> on_turn
 *                                 '-- the reader is slow: the piece is kept and tried again later
 *
 * A piece is written without jansson: numbers, addresses and names of the configuration, of which none needs an escape.
 * Sessions come and go meanwhile; each that lives through the whole walk is in it exactly once.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/gateway.h"
#include "switch/show.h"

enum {
	ROWS = 128, /* of a piece */
	PIECES = 8, /* of a turn */
	NETS = 32,  /* asked for at once */
	TURN_MS = 1,
	SLOW_MS = 20, /* until a reader that was too slow gets the piece again */
};

struct walk {
	struct daemon *d;
	struct client *client;
	int timer;
	bool is_flush;
	struct nat_filter filter;
	uint64_t cursor, flushed;
	unsigned n;
	struct nat_entry entry[ROWS];
	char *line; /* a piece that is to be queued */
	size_t line_bytes;
};

static void on_turn(void *arg, uint32_t events);

/* Run by a worker. */
static void step(struct forwarder *fwd, void *arg)
{
	struct walk *w = arg;
	struct nat *nat = gateway_nat(w->d->gateway);
	uint64_t now_ns = clock_ns();

	(void)fwd;
	gateway_lock(w->d->gateway);
	if (w->is_flush)
		w->flushed += nat_flush(nat, &w->filter, &w->cursor, now_ns);
	else
		w->n = nat_list(nat, &w->filter, &w->cursor, w->entry, ROWS, now_ns);
	gateway_unlock(w->d->gateway);
}

static void put_end(FILE *out, const char *name, const struct ip *ip, unsigned port)
{
	char text[IP_TEXT];

	fprintf(out, ip_is_v4(ip) ? ",\"%s\":\"%s:%u\"" : ",\"%s\":\"[%s]:%u\"", name,
		ip_text(ip, text), port);
}

static void put_entry(FILE *out, const struct nat_entry *e, const char *network)
{
	static const char *const kinds[] = {
		[NAT_DYNAMIC] = "dynamic", [NAT_FORWARD] = "forward", [NAT_ROUTED] = "routed"};
	const char *proto = e->proto == PROTO_TCP ? "tcp" : e->proto == PROTO_UDP ? "udp" : "icmp";

	if (network)
		fprintf(out, "{\"network\":\"%s\",\"proto\":\"%s\"", network, proto);
	else
		fprintf(out, "{\"network\":null,\"proto\":\"%s\"", proto);
	put_end(out, "inside", &e->inside_ip, e->inside_port);
	if (e->kind == NAT_ROUTED)
		fputs(",\"outside\":null", out);
	else
		put_end(out, "outside", &e->outside_ip, e->outside_port);
	put_end(out, "remote", &e->remote_ip, e->remote_port);
	fprintf(out,
		",\"state\":\"%s\",\"kind\":\"%s\",\"idle_s\":%" PRIu32 ",\"expires_s\":%" PRIu32
		",\"rx_frames\":%" PRIu64 ",\"tx_frames\":%" PRIu64 "}",
		e->state, kinds[e->kind], e->idle_s, e->expires_s, e->rx_frames, e->tx_frames);
}

/* The piece in hand as a line; the last one says that it is. */
static void put_piece(FILE *out, const struct walk *w, const char *const network[static 4096])
{
	const char *comma = "";

	if (w->is_flush) {
		fprintf(out, "{\"end\":true,\"flushed\":%" PRIu64 "}", w->flushed);
		return;
	}
	fputs("{\"rows\":[", out);
	for (unsigned i = 0; i < w->n; i++) {
		fputs(comma, out);
		put_entry(out, &w->entry[i], network[w->entry[i].vid & TCI_VID]);
		comma = ",";
	}
	fprintf(out, "],\"end\":%s}", w->cursor == UINT64_MAX ? "true" : "false");
}

static bool write_piece(struct walk *w)
{
	const char *network[4096] = {0};
	FILE *out = open_memstream(&w->line, &w->line_bytes);

	if (!out)
		return false;
	for (size_t i = 0; i < w->d->conf->n_networks; i++)
		network[w->d->conf->networks[i].vlan & TCI_VID] = w->d->conf->networks[i].name;
	put_piece(out, w, network);
	if (fclose(out) == 0)
		return true;
	free(w->line);
	w->line = NULL;
	return false;
}

static void on_close(void *arg)
{
	struct walk *w = arg;

	loop_cancel(w->d->loop, w->timer);
	free(w->line);
	free(w);
}

/* Queues the piece in hand; false: the reader is slow, or there is no memory now. */
static bool send_piece(struct walk *w)
{
	if (!w->line && !write_piece(w))
		return false;
	if (!ctl_stream_line(w->client, w->line, w->line_bytes))
		return false;
	free(w->line);
	w->line = NULL;
	w->n = 0;
	return true;
}

static void on_turn(void *arg, uint32_t events)
{
	struct walk *w = arg;
	bool is_slow = false, is_over = false;

	(void)events;
	w->timer = 0;
	for (unsigned i = 0; i < PIECES && !is_slow && !is_over; i++) {
		bool is_last;

		if (!w->n && !w->line && w->cursor != UINT64_MAX)
			worker_call(w->d->worker[0], step, w);
		is_last = w->cursor == UINT64_MAX;
		if (w->n || w->line || is_last)
			is_slow = !send_piece(w);
		is_over = is_last && !is_slow;
	}
	if (!is_over)
		w->timer = loop_after(w->d->loop, is_slow ? SLOW_MS : TURN_MS, on_turn, w);
	/* Without a timer it would stand still for ever: its reader sees that the end is missing. */
	if (is_over || w->timer < 0)
		ctl_stream_end(w->client);
}

static bool read_filter(const struct daemon *d, struct client *cl, const json_t *req,
			struct nat_filter *out)
{
	const char *proto = json_string_value(json_object_get(req, "proto"));
	const struct conf_network *net;
	const struct port *port;

	if (!show_find_network(d, cl, req, &net) || !show_find_port(d, cl, req, &port))
		return false;
	*out = (struct nat_filter){.vid = net ? net->vlan : 0,
				   .slot_plus_1 = port ? (uint16_t)(port->slot + 1) : 0};
	if (proto)
		out->proto = proto[0] == 't' ? PROTO_TCP : proto[0] == 'u' ? PROTO_UDP : PROTO_ICMP;
	return true;
}

static void begin(struct daemon *d, struct client *cl, const json_t *req, bool is_flush)
{
	struct nat_filter filter;
	struct walk *w;

	if (!read_filter(d, cl, req, &filter))
		return;
	w = calloc(1, sizeof(*w));
	if (!w) {
		ctl_refuse(cl, 1, "no memory");
		return;
	}
	*w = (struct walk){.d = d, .client = cl, .filter = filter, .is_flush = is_flush};
	w->timer = loop_after(d->loop, 0, on_turn, w);
	if (w->timer < 0) {
		free(w);
		ctl_refuse(cl, 1, "no memory");
		return;
	}
	ctl_stream_begin(cl, on_close, w);
}

void show_sessions(struct daemon *d, struct client *cl, const json_t *req)
{
	begin(d, cl, req, false);
}

void show_session_flush(struct daemon *d, struct client *cl, const json_t *req)
{
	begin(d, cl, req, true);
}

/* --- Figures --- */

struct figures {
	struct gateway *gateway;
	struct gateway_stats own;
	struct nat_stats all;
	uint16_t vid[NETS];
	unsigned n_vids;
	struct nat_net_stats net[NETS];
};

static void ask_all(struct forwarder *fwd, void *arg)
{
	struct figures *f = arg;

	(void)fwd;
	gateway_lock(f->gateway);
	nat_stats(gateway_nat(f->gateway), &f->all);
	gateway_stats(f->gateway, &f->own);
	gateway_unlock(f->gateway);
}

static void ask_nets(struct forwarder *fwd, void *arg)
{
	struct figures *f = arg;

	(void)fwd;
	gateway_lock(f->gateway);
	for (unsigned i = 0; i < f->n_vids; i++) {
		f->net[i] = (struct nat_net_stats){0};
		nat_net_stats(gateway_nat(f->gateway), f->vid[i], &f->net[i]);
	}
	gateway_unlock(f->gateway);
}

static json_t *show_refused(const struct nat_net_stats *s, uint64_t *total)
{
	json_t *refused = json_object();

	*total = 0;
	for (int i = DROP_NONE + 1; i < DROP_COUNT; i++) {
		if (!s->refused[i])
			continue;
		*total += s->refused[i];
		json_object_set_new(refused, drop_word((enum drop)i),
				    json_integer((json_int_t)s->refused[i]));
	}
	return refused;
}

static json_t *show_net(const char *name, const struct nat_net_stats *s)
{
	uint64_t total;
	json_t *refused = show_refused(s, &total);

	return json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:I}", "network", name, "sessions",
			 (json_int_t)s->sessions, "limit", (json_int_t)s->limit, "mappings",
			 (json_int_t)s->mappings, "guests", (json_int_t)s->guests, "created",
			 (json_int_t)s->created, "expired", (json_int_t)s->expired, "refused",
			 refused, "refused_total", (json_int_t)total);
}

/* The networks of mode nat, a few at once. */
static json_t *show_nets(struct daemon *d, struct figures *f)
{
	const char *name[NETS] = {0};
	json_t *rows = json_array();

	for (size_t i = 0; rows && i < d->conf->n_networks;) {
		f->n_vids = 0;
		for (; i < d->conf->n_networks && f->n_vids < NETS; i++) {
			const struct conf_network *n = &d->conf->networks[i];

			if (n->mode != NET_NAT)
				continue;
			name[f->n_vids] = n->name;
			f->vid[f->n_vids++] = n->vlan;
		}
		worker_call(d->worker[0], ask_nets, f);
		for (unsigned j = 0; j < f->n_vids; j++)
			json_array_append_new(rows, show_net(name[j], &f->net[j]));
	}
	return rows;
}

static json_t *show_pool(const struct nat_stats *s)
{
	json_t *rows = json_array();
	char ip[IP_TEXT];

	for (unsigned i = 0; rows && i < s->n_pool; i++)
		json_array_append_new(rows, json_pack("{s:s,s:I,s:I,s:I}", "ip",
						      ip_text(&s->pool[i].ip, ip), "tcp",
						      (json_int_t)s->pool[i].ports[0], "udp",
						      (json_int_t)s->pool[i].ports[1], "icmp",
						      (json_int_t)s->pool[i].ports[2]));
	return rows;
}

/* What the gateway did of itself, and frames that waited for a neighbour: those are counted as local where they came in. */
static json_t *show_own(const struct gateway_stats *g)
{
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "answered", (json_int_t)g->answered,
			 "errors", (json_int_t)g->errors, "errors_held", (json_int_t)g->errors_held,
			 "claims", (json_int_t)g->claims, "waited", (json_int_t)g->waited,
			 "unanswered", (json_int_t)g->unanswered, "wait_lost",
			 (json_int_t)g->wait_lost, "lost", (json_int_t)g->made_lost);
}

void show_nat_stats(struct daemon *d, struct client *cl, const json_t *req)
{
	struct figures *f = calloc(1, sizeof(*f));
	const struct nat_stats *s;

	(void)req;
	if (!f) {
		ctl_answer(cl, NULL);
		return;
	}
	f->gateway = d->gateway;
	s = &f->all;
	worker_call(d->worker[0], ask_all, f);
	ctl_answer(cl, json_pack("{s:I,s:I,s:I,s:{s:I,s:I,s:I},s:I,s:o,s:o,s:o}", "sessions",
				 (json_int_t)s->sessions, "mappings", (json_int_t)s->mappings,
				 "guests", (json_int_t)s->guests, "fragments", "waiting",
				 (json_int_t)s->fragments, "bytes", (json_int_t)s->fragment_bytes,
				 "lost", (json_int_t)s->fragments_lost, "log_lost",
				 (json_int_t)s->log_lost, "gateway", show_own(&f->own), "networks",
				 show_nets(d, f), "outside", show_pool(s)));
	free(f);
}
