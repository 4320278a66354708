/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lease: what clients do with their leases: offers, bindings, releases, refusals, and time.
 *
 * Which address a client is given is lease_pool.c's to say; the entries and their order are in lease_store.c.  Called by the
 * servers (dhcp/server.c, dhcp/server6.c), by the journal at start, and by the timer of switch/lessor.c.
 *
 * A client who has a lease keeps its address, unless a reservation says otherwise: it names another address for him, or that
 * address for another.  RFC 2131 4.3.1: the address of the present lease, else of the one before, else the one that he asks for,
 * else any.
 *
 * Trust.  Identities, names and wishes are clients'; leases_restore() takes what a file says, and checks all of it.
 */
#include "dhcp/lease.h"

#include <assert.h>
#include <string.h>

#include "dhcp/lease_internal.h"

static struct lease_entry *entry_of(struct lease *l)
{
	return (struct lease_entry *)l;
}

static struct lease_pool *pool_of(const struct lease *l)
{
	return (struct lease_pool *)(uintptr_t)l->pool;
}

static bool is_live(const struct lease_entry *e)
{
	return e->l.state == LEASE_OFFERED || e->l.state == LEASE_BOUND;
}

/* --- Clients --- */

static bool has_port(const struct lease_want *w)
{
	return !w->is_relayed && w->port && w->port[0];
}

/* May that port have one more? */
static bool port_has_room(struct leases *s, const struct lease_pool *p, const struct lease_want *w)
{
	return p->r.port_cap == 0 || !has_port(w) || leases_of_port(s, p, w->port) < p->r.port_cap;
}

/* The lease counts to the port of w from now on.  False: that has its share, or no memory; it stays where it was. */
static bool hold(struct leases *s, struct lease_entry *e, const struct lease_want *w)
{
	struct lease_pool *p = pool_of(&e->l);
	struct lease_holder *h = NULL;

	if (is_live(e) && e->holder && has_port(w) && strcmp(e->holder->port, w->port) == 0)
		return true;
	/* What is reserved takes nothing from the others. */
	if (e->is_counted && !port_has_room(s, p, w))
		return false;
	if (has_port(w)) {
		h = lease_holder_take(s, p, w->port);
		if (!h)
			return false;
	}
	lease_entry_hold(s, e, h);
	return true;
}

static void describe(struct lease_entry *e, const struct lease_want *w)
{
	e->l.mac = w->mac;
	e->l.is_relayed = w->is_relayed;
	strncpy(e->l.port, w->port ? w->port : "", sizeof(e->l.port) - 1);
	if (!w->name || !lease_name_clean((const uint8_t *)w->name, strlen(w->name), e->l.name))
		e->l.name[0] = '\0';
}

/* Is the address that he has, or had, the one for him? */
static bool may_keep(const struct lease_entry *e, const struct lease_want *w)
{
	if (w->has_fixed)
		return ip_equal(&e->l.ip, &w->fixed);
	return e->is_counted || (is_live(e) && !lease_pool_taken(e->l.pool, &e->l.ip));
}

/* An offer of what he has, or had. */
static enum lease_why offer_again(struct leases *s, struct lease_entry *e,
				  const struct lease_want *w, uint64_t now_ms)
{
	if (e->l.state == LEASE_BOUND)
		return LEASE_OK;
	if (!hold(s, e, w))
		return LEASE_PORT_CAP;
	e->was_past = e->l.state == LEASE_PAST || e->was_past;
	describe(e, w);
	lease_entry_move(s, e, LEASE_OFFERED, now_ms + LEASE_OFFER_MS);
	return LEASE_OK;
}

/* The reserved address, if nobody has it. */
static bool take_fixed(struct leases *s, const struct lease_pool *p, const struct ip *ip)
{
	struct lease_entry *e = lease_entry_by_ip(s, p, ip);

	if (e && e->l.state != LEASE_PAST)
		return false;
	if (e)
		lease_entry_forget(s, e);
	return true;
}

struct lease *leases_offer(struct leases *s, struct lease_pool *p, const struct lease_want *w,
			   uint64_t now_ms, enum lease_why *why)
{
	struct lease_entry *e = lease_entry_by_id(s, p, w->id);
	struct ip ip = w->fixed;

	if (e && may_keep(e, w)) {
		*why = offer_again(s, e, w, now_ms);
		return *why == LEASE_OK ? &e->l : NULL;
	}
	*why = LEASE_PORT_CAP;
	if (!w->has_fixed && !port_has_room(s, p, w))
		return NULL;
	*why = w->has_fixed ? LEASE_IN_USE : LEASE_NONE_FREE;
	if (!(w->has_fixed ? take_fixed(s, p, &ip) : lease_pool_choose(s, p, w, &ip)))
		return NULL;
	/* One lease for him: he says by asking that he does not use the other one (RFC 2131 4.4.1, INIT). */
	if (e)
		lease_entry_forget(s, e);
	*why = LEASE_NO_MEMORY;
	e = lease_entry_create(s, p, &ip, w->id);
	if (!e)
		return NULL;
	if (!hold(s, e, w)) {
		lease_entry_remove(s, e);
		return NULL;
	}
	describe(e, w);
	lease_entry_move(s, e, LEASE_OFFERED, now_ms + LEASE_OFFER_MS);
	*why = LEASE_OK;
	return &e->l;
}

bool leases_bind(struct leases *s, struct lease *l, const struct lease_want *w, uint64_t end_ms)
{
	struct lease_entry *e = entry_of(l);
	bool is_new = l->state != LEASE_BOUND;

	assert(l->state != LEASE_DECLINED);
	if (!hold(s, e, w))
		return false;
	describe(e, w);
	e->was_past = false;
	lease_entry_move(s, e, LEASE_BOUND, end_ms);
	lease_entry_tell(s, e, is_new ? LEASE_NEW : LEASE_RENEWED);
	return true;
}

/* Nobody has taken the offer. */
static void withdraw(struct leases *s, struct lease_entry *e, uint64_t now_ms)
{
	if (e->was_past)
		lease_entry_move(s, e, LEASE_PAST, now_ms);
	else
		lease_entry_remove(s, e);
}

void leases_release(struct leases *s, struct lease *l, uint64_t now_ms)
{
	struct lease_entry *e = entry_of(l);

	if (l->state == LEASE_OFFERED) {
		withdraw(s, e, now_ms);
	} else if (l->state == LEASE_BOUND) {
		lease_entry_move(s, e, LEASE_PAST, now_ms);
		lease_entry_tell(s, e, LEASE_RELEASED);
	}
}

void leases_decline(struct leases *s, struct lease *l, uint64_t now_ms)
{
	struct lease_entry *e = entry_of(l);
	struct lease_pool *p = pool_of(l);
	struct lease_list *declined = &p->list[LEASE_DECLINED];

	lease_entry_disown(s, e);
	e->was_past = false;
	lease_entry_move(s, e, LEASE_DECLINED, now_ms + LEASE_QUARANTINE_MS);
	lease_entry_tell(s, e, LEASE_REFUSED);
	/* Whoever declines all that he is offered must not take the range from the others. */
	while (declined->n > lease_pool_quarantine_max(p))
		lease_entry_forget(s, lease_of_pool_link(declined->head.newer));
}

void leases_quarantine(struct leases *s, struct lease_pool *p, const struct ip *ip, uint64_t now_ms)
{
	struct lease_entry *e = lease_entry_by_ip(s, p, ip);

	if (!e && p->r.net.is_set && !prefix_holds(&p->r.net, ip))
		return;
	if (!e)
		e = lease_entry_create(s, p, ip, NULL);
	if (e)
		leases_decline(s, &e->l, now_ms);
}

/* --- Time --- */

static void expire(struct leases *s, struct lease_entry *e)
{
	switch (e->l.state) {
	case LEASE_OFFERED:
		withdraw(s, e, e->l.end_ms);
		break;
	case LEASE_BOUND:
		lease_entry_move(s, e, LEASE_PAST, e->l.end_ms);
		lease_entry_tell(s, e, LEASE_ENDED);
		break;
	default: /* the quarantine is over */
		lease_entry_forget(s, e);
	}
}

uint64_t leases_tick(struct leases *s, uint64_t now_ms, unsigned most)
{
	while (s->n_heap > 0 && s->heap[0].end_ms <= now_ms) {
		if (most-- == 0)
			return now_ms;
		expire(s, s->heap[0].e);
	}
	return s->n_heap > 0 ? s->heap[0].end_ms : UINT64_MAX;
}

/* --- For others --- */

struct lease *leases_find(struct leases *s, const struct lease_pool *p, const struct lease_id *id)
{
	struct lease_entry *e = lease_entry_by_id(s, p, id);

	return e ? &e->l : NULL;
}

struct lease *leases_at(struct leases *s, const struct lease_pool *p, const struct ip *ip)
{
	struct lease_entry *e = lease_entry_by_ip(s, p, ip);

	return e ? &e->l : NULL;
}

/* As names of the configuration are: letters, digits, ".", "_" and "-". */
static bool is_name(const char *text, size_t size)
{
	size_t n = strnlen(text, size);

	if (n == size)
		return false;
	for (size_t i = 0; i < n; i++) {
		bool is_letter = (text[i] | 0x20) >= 'a' && (text[i] | 0x20) <= 'z';

		if (!is_letter && (text[i] < '0' || text[i] > '9') && !strchr("._-", text[i]))
			return false;
	}
	return true;
}

static bool is_host_name(const char *text)
{
	char clean[LEASE_NAME_SIZE];

	if (strnlen(text, LEASE_NAME_SIZE) == LEASE_NAME_SIZE)
		return false;
	return !text[0] || (lease_name_clean((const uint8_t *)text, strlen(text), clean) &&
			    strcmp(text, clean) == 0);
}

static bool is_station(const struct ip *ip)
{
	static const struct ip zero;

	if (ip_is_v4(ip))
		return ip->b[12] != 0 && ip->b[12] < 224;
	return !ip_equal(ip, &zero) && ip->b[0] != 0xff;
}

static bool is_sane(const char *network, const struct lease *l, const struct lease_id *id)
{
	if (!network[0] || !is_name(network, LEASE_NET_SIZE) || !is_station(&l->ip))
		return false;
	if (l->state == LEASE_DECLINED)
		return true;
	return (l->state == LEASE_BOUND || l->state == LEASE_PAST) && id && id->len > 1 &&
	       id->len <= LEASE_ID_MAX && id->b[0] <= LEASE_BY_PORT &&
	       is_name(l->port, sizeof(l->port)) && is_host_name(l->name);
}

bool leases_restore(struct leases *s, const char *network, const struct lease *l,
		    const struct lease_id *id)
{
	bool is_owned = l->state != LEASE_DECLINED;
	struct lease_entry *e;
	struct lease_pool *p;

	if (!is_sane(network, l, id))
		return false;
	p = lease_pool_get(s, network, !ip_is_v4(&l->ip), true);
	if (!p)
		return false;
	/* Later lines win: whoever had the address, and whatever address he had. */
	if ((e = lease_entry_by_ip(s, p, &l->ip)))
		lease_entry_remove(s, e);
	if (is_owned && (e = lease_entry_by_id(s, p, id)))
		lease_entry_remove(s, e);
	e = lease_entry_create(s, p, &l->ip, is_owned ? id : NULL);
	if (!e)
		return false;
	if (is_owned)
		describe(e, &(struct lease_want){.mac = l->mac,
						 .name = l->name,
						 .port = l->port,
						 .is_relayed = l->is_relayed});
	if (is_owned && !l->is_relayed && l->port[0])
		lease_entry_hold(s, e, lease_holder_take(s, p, l->port));
	lease_entry_move(s, e, l->state, l->end_ms);
	s->is_restored = true;
	return true;
}

void leases_restore_gone(struct leases *s, const char *network, const struct ip *ip)
{
	struct lease_pool *p = lease_pool_get(s, network, !ip_is_v4(ip), false);
	struct lease_entry *e = p ? lease_entry_by_ip(s, p, ip) : NULL;

	if (e)
		lease_entry_remove(s, e);
}

bool lease_name_clean(const uint8_t *text, size_t n, char out[static LEASE_NAME_SIZE])
{
	size_t len = 0;

	/* RFC 2132 3.14: a name may be qualified; some clients end it by a zero. */
	for (size_t i = 0; i < n && text[i] != '.' && text[i] != '\0'; i++) {
		uint8_t c = text[i] >= 'A' && text[i] <= 'Z' ? text[i] | 0x20 : text[i];
		bool is_inner = c == '-' && len > 0;

		if (len + 1 < LEASE_NAME_SIZE &&
		    (is_inner || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')))
			out[len++] = (char)c;
	}
	while (len > 0 && out[len - 1] == '-')
		len--;
	out[len] = '\0';
	return len > 0;
}

void lease_id_of_mac(struct lease_id *id, const struct mac *mac)
{
	id->len = 1 + sizeof(mac->b);
	id->b[0] = LEASE_BY_MAC;
	memcpy(id->b + 1, mac->b, sizeof(mac->b));
}

bool lease_id_of_client(struct lease_id *id, const uint8_t *bytes, size_t n)
{
	if (n == 0 || n > LEASE_ID_MAX - 1)
		return false;
	id->len = (uint16_t)(1 + n);
	id->b[0] = LEASE_BY_CLIENT_ID;
	memcpy(id->b + 1, bytes, n);
	return true;
}

bool lease_id_of_duid(struct lease_id *id, const uint8_t iaid[static 4], const uint8_t *duid,
		      size_t n)
{
	if (n == 0 || n > LEASE_ID_MAX - 5)
		return false;
	id->len = (uint16_t)(5 + n);
	id->b[0] = LEASE_BY_DUID;
	memcpy(id->b + 1, iaid, 4);
	memcpy(id->b + 5, duid, n);
	return true;
}

const char *lease_state_word(enum lease_state state)
{
	static const char *const words[] = {
		[LEASE_PAST] = "past",
		[LEASE_OFFERED] = "offered",
		[LEASE_BOUND] = "bound",
		[LEASE_DECLINED] = "declined",
	};

	return words[state];
}
