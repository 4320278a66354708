/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * story: a record of the recorder as the JSON object that `vfab trace -o json` shows.
 *
 * Called by watch.c on the control thread.  Headers are read from the first bytes that the record keeps
 * of the frame as it came in: Ethernet, up to two tags, then IPv4 (RFC 791), IPv6 (RFC 8200), ARP
 * (RFC 826) and the ports of TCP, UDP and SCTP or the type of ICMP.
 *
 * Trust.  Those bytes are the sender's, copied by the recorder; every read is checked against snap_len.
 * A frame without them, or with lengths that contradict each other, has a shorter story.  Notes
 * and names are our own text.
 */
#include "switch/story.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "switch/base/addr.h"

enum {
	MAC_BYTES = 6,
	TAGS_MAX = 2,
	IPV4_BYTES = 20,
	IPV6_BYTES = 40,
	ARP_BYTES = 28,
	NS_PER_S = 1000000000,
	S_PER_DAY = 86400,
};

static const char *hex16(uint16_t v, char buf[static 8])
{
	snprintf(buf, 8, "0x%04x", v);
	return buf;
}

static bool is_tag(uint16_t etype)
{
	return etype == ETYPE_8021Q || etype == ETYPE_8021AD;
}

/* Days since 1970-01-01 to a date of the Gregorian calendar, in eras of 400 years that begin in March.  (gmtime_r
 * would open /etc/localtime, for which the sandbox has no open.) */
static void civil(uint64_t days, unsigned *year, unsigned *month, unsigned *day)
{
	uint64_t z = days + 719468, era = z / 146097;
	unsigned doe = (unsigned)(z % 146097); /* day of the era */
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned mp = (5 * doy + 2) / 153; /* months since March */

	*day = doy - (153 * mp + 2) / 5 + 1;
	*month = mp < 10 ? mp + 3 : mp - 9;
	*year = (unsigned)(yoe + era * 400) + (*month <= 2);
}

const char *story_time(uint64_t time_ns, char buf[static STORY_TIME_TEXT])
{
	uint64_t s = time_ns / NS_PER_S;
	unsigned of_day = (unsigned)(s % S_PER_DAY), year, month, day;

	civil(s / S_PER_DAY, &year, &month, &day);
	snprintf(buf, STORY_TIME_TEXT, "%04u-%02u-%02uT%02u:%02u:%02u.%09uZ", year % 10000, month,
		 day, of_day / 3600, of_day / 60 % 60, of_day % 60, (unsigned)(time_ns % NS_PER_S));
	return buf;
}

static void set_mac(json_t *o, const char *key, const uint8_t *bytes)
{
	struct mac mac;
	char text[MAC_TEXT];

	memcpy(mac.b, bytes, MAC_BYTES);
	json_object_set_new(o, key, json_string(mac_text(&mac, text)));
}

static void set_ip(json_t *o, const char *key, int family, const uint8_t *bytes)
{
	char text[INET6_ADDRSTRLEN];

	if (inet_ntop(family, bytes, text, sizeof(text)))
		json_object_set_new(o, key, json_string(text));
}

static void set_proto(json_t *ip, uint8_t proto)
{
	static const struct {
		uint8_t proto;
		const char *word;
	} known[] = {{IPPROTO_ICMP, "icmp"}, {IPPROTO_IGMP, "igmp"},	{IPPROTO_TCP, "tcp"},
		     {IPPROTO_UDP, "udp"},   {IPPROTO_ICMPV6, "icmp6"}, {IPPROTO_SCTP, "sctp"}};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].proto == proto) {
			json_object_set_new(ip, "proto", json_string(known[i].word));
			return;
		}
	json_object_set_new(ip, "proto", json_integer(proto));
}

/* What stands at the start of the L4 header: ports, or type and code. */
static void set_l4(json_t *ip, const struct trace_record *rec)
{
	const uint8_t *data = rec->data;
	/* frame_find_l4 reads only the snapshot, and takes it as mutable for its other users. */
	struct frame f = {.len = rec->len, .snap_len = rec->snap_len};
	struct frame_l4 l4;

	memcpy(&f.snap, &data, sizeof(data));
	if (!frame_find_l4(&f, &l4) || l4.l4 + 4 > rec->snap_len)
		return;
	set_proto(ip, l4.proto);
	data += l4.l4;
	if (l4.proto == IPPROTO_TCP || l4.proto == IPPROTO_UDP || l4.proto == IPPROTO_SCTP) {
		json_object_set_new(ip, "sport", json_integer(read_be16(data)));
		json_object_set_new(ip, "dport", json_integer(read_be16(data + 2)));
	} else if (l4.proto == IPPROTO_ICMP || l4.proto == IPPROTO_ICMPV6) {
		json_object_set_new(ip, "type", json_integer(data[0]));
		json_object_set_new(ip, "code", json_integer(data[1]));
	}
}

static json_t *ip_json(const struct trace_record *rec, unsigned l3, bool is_ipv6)
{
	const uint8_t *p = rec->data + l3;
	json_t *ip;

	if (l3 + (is_ipv6 ? IPV6_BYTES : IPV4_BYTES) > rec->snap_len ||
	    p[0] >> 4 != (is_ipv6 ? 6 : 4))
		return NULL;
	ip = json_object();
	if (is_ipv6) {
		set_proto(ip, p[6]);
		set_ip(ip, "src", AF_INET6, p + 8);
		set_ip(ip, "dst", AF_INET6, p + 24);
	} else {
		set_proto(ip, p[9]);
		set_ip(ip, "src", AF_INET, p + 12);
		set_ip(ip, "dst", AF_INET, p + 16);
	}
	set_l4(ip, rec);
	return ip;
}

static json_t *arp_json(const struct trace_record *rec, unsigned l3)
{
	static const uint8_t ethernet_ipv4[6] = {0, 1, 8, 0, 6, 4};
	const uint8_t *p = rec->data + l3;
	uint16_t op;
	json_t *arp;

	if (l3 + ARP_BYTES > rec->snap_len || memcmp(p, ethernet_ipv4, sizeof(ethernet_ipv4)) != 0)
		return NULL;
	arp = json_object();
	op = read_be16(p + 6);
	json_object_set_new(arp, "op",
			    op == 1   ? json_string("request")
			    : op == 2 ? json_string("reply")
				      : json_integer(op));
	set_ip(arp, "sender", AF_INET, p + 14);
	set_ip(arp, "target", AF_INET, p + 24);
	return arp;
}

static void set_gso(json_t *frame, const struct offload *off)
{
	uint8_t kind = off->gso_type & (uint8_t)~GSO_ECN;

	if (kind == GSO_NONE)
		return;
	json_object_set_new(frame, "gso",
			    json_pack("{s:s, s:i}", "type",
				      kind == GSO_TCPV4	   ? "tcpv4"
				      : kind == GSO_TCPV6  ? "tcpv6"
				      : kind == GSO_UDP_L4 ? "udp"
							   : "unknown",
				      "size", off->gso_size));
}

/* The EtherType behind the tags, and where it ends; the outer tag is shown. */
static uint16_t set_type(json_t *frame, const struct trace_record *rec, unsigned *l3)
{
	uint16_t etype = read_be16(rec->data + *l3 - 2);
	char text[8];

	for (unsigned tags = 0;
	     tags < TAGS_MAX && is_tag(etype) && *l3 + TAG_BYTES <= rec->snap_len; tags++) {
		uint16_t tci = read_be16(rec->data + *l3);

		if (tags == 0)
			json_object_set_new(frame, "tag",
					    json_pack("{s:s, s:i, s:i}", "tpid", hex16(etype, text),
						      "vid", tci & TCI_VID, "pcp",
						      tci >> TCI_PCP_SHIFT));
		*l3 += TAG_BYTES;
		etype = read_be16(rec->data + *l3 - 2);
	}
	json_object_set_new(frame, "type",
			    json_string(etype == ETYPE_IPV4   ? "ipv4"
					: etype == ETYPE_IPV6 ? "ipv6"
					: etype == ETYPE_ARP  ? "arp"
							      : hex16(etype, text)));
	return etype;
}

static json_t *frame_json(const struct trace_record *rec)
{
	json_t *frame = json_object();
	unsigned vid = rec->tci & TCI_VID, l3 = ETH_HEADER;
	uint16_t etype;

	json_object_set_new(frame, "len", json_integer(rec->len));
	json_object_set_new(frame, "vlan", vid ? json_integer(vid) : json_null());
	json_object_set_new(frame, "pcp", json_integer(rec->tci >> TCI_PCP_SHIFT));
	set_gso(frame, &rec->off);
	if (rec->snap_len < ETH_HEADER)
		return frame;
	set_mac(frame, "dst", rec->data);
	set_mac(frame, "src", rec->data + MAC_BYTES);
	etype = set_type(frame, rec, &l3);
	/* A part that is not there is NULL, which is not set. */
	if (etype == ETYPE_IPV4 || etype == ETYPE_IPV6)
		json_object_set_new(frame, "ip", ip_json(rec, l3, etype == ETYPE_IPV6));
	else if (etype == ETYPE_ARP)
		json_object_set_new(frame, "arp", arp_json(rec, l3));
	return frame;
}

static json_t *steps_json(const struct trace_record *rec)
{
	json_t *steps = json_array();
	char text[64];

	for (size_t at = 0; at + 1 < rec->notes_len; at += strlen(rec->notes + at + 1) + 2)
		json_array_append_new(
			steps, json_pack("{s:s, s:s}", "stage",
					 stage_word((enum stage)(unsigned char)rec->notes[at]),
					 "what", rec->notes + at + 1));
	if (rec->notes_cut) {
		snprintf(text, sizeof(text), "and %u steps more", rec->notes_cut);
		json_array_append_new(steps, json_pack("{s:s, s:s}", "stage", stage_word(STAGE_TX),
						       "what", text));
	}
	return steps;
}

static json_t *name_json(story_name name, void *arg, uint16_t slot)
{
	const char *text = name(arg, slot);

	return text ? json_string(text) : json_null();
}

json_t *story_json(const struct trace_record *rec, story_name name, void *arg)
{
	char time[STORY_TIME_TEXT];
	json_t *out = json_array();

	for (unsigned i = 0; i < rec->n_outs && i < OUTS_MAX; i++)
		json_array_append_new(out, name_json(name, arg, rec->outs[i]));
	return json_pack("{s:s, s:o, s:o, s:o, s:s, s:o, s:o}", "time",
			 story_time(rec->time_ns, time), "frame", frame_json(rec), "port",
			 name_json(name, arg, rec->slot), "steps", steps_json(rec), "verdict",
			 verdict_word(rec->verdict), "out", out, "reason",
			 rec->drop ? json_string(drop_word(rec->drop)) : json_null());
}
