/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf_schema: THE table of kinds and keys.
 *
 * conf.c walks the text by it, conf_value.c takes one value by it, conf_print.c prints by it, and plan.c names by it what
 * changed.  A new key is one line here and one field in conf.h.
 */
#include "switch/conf_schema.h"

#include <assert.h>
#include <string.h>

#include "switch/conf_internal.h"

enum {
	MTU_MIN = 68,
	MTU_MAX = 65520,
	MAC_LIMIT_MAX = 65536,
	MAC_LIMIT = 4096,
	SOCKET_MODE = 0660, /* who may connect may send frames: not everybody */
	SESSIONS_MAX = 1 << 24,
	SESSIONS = 262144,
	PER_GUEST = 32768,
	SESSION_RATE = 10000,
	PER_PORT_MAX = 65536,
};

#define STORM_MAX   UINT32_MAX
#define RATE_MAX    UINT64_C(10000000000000) /* 10 Tbit/s */
#define AGEING_S    UINT64_C(300)
#define AGEING_MAX  UINT64_C(1000000000) /* ms; IEEE 802.1Q 8.8.3 */
#define TIMEOUT_MAX UINT64_C(1000000000) /* ms */
#define LEASE_S	    UINT64_C(3600)
#define LEASE_MAX   (UINT64_C(3650) * 24 * 3600 * 1000) /* ms */

static const char *const modes[] = {
	[NET_INTERNAL] = "internal", [NET_HOST_ONLY] = "host-only", [NET_NAT] = "nat",
	[NET_BRIDGED] = "bridged",   [NET_BRIDGED + 1] = NULL,
};
static const char *const filterings[] = {
	[false] = "address-and-port-dependent", [true] = "endpoint-independent", NULL};
static const char *const logs[] = {
	[CONF_LOG_OFF] = "off",
	[CONF_LOG_ON] = "on",
	[CONF_LOG_DESTINATIONS] = "destinations",
	[CONF_LOG_DESTINATIONS + 1] = NULL,
};
static const char *const ipv6_ways[] = {
	[IPV6_NAT66] = "nat66", [IPV6_ROUTED] = "routed", [IPV6_ROUTED + 1] = NULL};
static const char *const uplink_kinds[] = {
	[UPLINK_HOST] = "host", [UPLINK_INTERFACE] = "interface", [UPLINK_INTERFACE + 1] = NULL};
static const char *const drivers[] = {
	[DRIVER_AUTO] = "auto", [DRIVER_AF_PACKET] = "af_packet", [DRIVER_AF_PACKET + 1] = NULL};
static const char *const later_drivers[] = {"af_xdp", "dpdk", NULL};
static const char *const forwardings[] = {[false] = "auto", [true] = "leave", NULL};

static const char *const vlan_modes[] = {
	[CONF_ACCESS] = "access",
	[CONF_TRUNK] = "trunk",
	[CONF_NATIVE_UNTAGGED] = "native-untagged",
	[CONF_NATIVE_TAGGED] = "native-tagged",
	[CONF_DOT1Q_TUNNEL] = "dot1q-tunnel",
	[CONF_DOT1Q_TUNNEL + 1] = NULL,
};
static const char *const prio_tags[] = {
	[CONF_PRIO_NEVER] = "never",
	[CONF_PRIO_IF_NONZERO] = "if-nonzero",
	[CONF_PRIO_ALWAYS] = "always",
	[CONF_PRIO_ALWAYS + 1] = NULL,
};
static const char *const guards[] = {
	[GUARD_OFF] = "off",
	[GUARD_MAC] = "mac",
	[GUARD_STRICT] = "strict",
	[GUARD_STRICT + 1] = NULL,
};
static const char *const dhcp6_modes[] = {
	[CONF_DHCP6_STATELESS] = "stateless",
	[CONF_DHCP6_STATEFUL] = "stateful",
	[CONF_DHCP6_OFF] = "off",
	[CONF_DHCP6_OFF + 1] = NULL,
};
static const char *const limit_actions[] = {[false] = "flood", [true] = "drop", NULL};
static const char *const idles[] = {[false] = "adaptive", [true] = "poll", NULL};

#define FIELD(s, f)    .at = offsetof(struct s, f), .size = sizeof(((struct s *)NULL)->f)
#define UP(k, t, f)    .name = k, .type = t, FIELD(conf_uplink, f)
#define NET(k, t, f)   .name = k, .type = t, FIELD(conf_network, f)
#define PORT(k, t, f)  .name = k, .type = t, FIELD(conf_port, f)
#define NODE(k, t, f)  .name = k, .type = t, FIELD(conf_container, f)
#define NIC(k, t, f)   .name = k, .type = t, FIELD(conf_nic, f)
#define HAS(s, f)      .has = offsetof(struct s, f)
#define COUNT(s, f)    .count = offsetof(struct s, f)
#define RANGE(f)       .at = offsetof(struct conf_network, f), .size = 2 * sizeof(struct ip)
#define HELD(k, t, f)  .name = k, .type = t, FIELD(conf_reservation, f)
#define CLASS(k, t, f) .name = k, .type = t, FIELD(conf_class, f)
#define DNS(k, t, f)   .name = k, .type = t, FIELD(conf_dns, f)

static const struct conf_key timeout_keys[] = {
	{NET("udp", CONF_TIMEOUT, nat.udp_ms), .min = 1000, .max = TIMEOUT_MAX},
	{NET("tcp", CONF_TIMEOUT, nat.tcp_ms), .min = 1000, .max = TIMEOUT_MAX},
	{NET("tcp-transitory", CONF_TIMEOUT, nat.tcp_transitory_ms), .min = 1000,
	 .max = TIMEOUT_MAX},
	{NET("icmp", CONF_TIMEOUT, nat.icmp_ms), .min = 1000, .max = TIMEOUT_MAX},
	{0},
};

static const struct conf_key nat_keys[] = {
	{NET("filtering", CONF_WORD, nat.is_open), .words = filterings},
	{.name = "timeouts", .type = CONF_MAP, .keys = timeout_keys},
	{NET("sessions", CONF_NUMBER, nat.sessions), .min = 1, .max = SESSIONS_MAX},
	{NET("per-guest", CONF_NUMBER, nat.per_guest), .min = 1, .max = SESSIONS_MAX},
	{NET("rate", CONF_NUMBER, nat.rate), .max = UINT32_MAX},
	{NET("log", CONF_WORD, nat.log), .words = logs},
	{NET("ipv6", CONF_WORD, nat.ipv6), .words = ipv6_ways},
	{NET("exempt", CONF_NETS, nat.exempt), COUNT(conf_network, nat.n_exempt),
	 .max = CONF_EXEMPT_MAX},
	{0},
};

/* The first is what `dhcp: FIRST-LAST` gives. */
static const struct conf_key dhcp_keys[] = {
	{.name = "range", .type = CONF_RANGE4, RANGE(dhcp.first)},
	{NET("lease", CONF_DURATION, dhcp.lease_ms), .min = 1000, .max = LEASE_MAX},
	{NET("per-port", CONF_NUMBER, dhcp.per_port), .min = 1, .max = PER_PORT_MAX},
	{NET("ipv6", CONF_WORD, dhcp.ipv6), .words = dhcp6_modes},
	{.name = "range6", .type = CONF_RANGE6, RANGE(dhcp.first6)},
	{NET("ntp6", CONF_IPS, dhcp.ntp6), COUNT(conf_network, dhcp.n_ntp6), .max = CONF_DNS_MAX},
	{NET("relays", CONF_IPS, dhcp.relays), COUNT(conf_network, dhcp.n_relays),
	 .max = CONF_RELAYS_MAX},
	{NET("options", CONF_OPTIONS, dhcp.options)},
	{NET("classes", CONF_CLASSES, dhcp.classes)},
	{NET("reservations", CONF_RESERVATIONS, dhcp.reservations)},
	{0},
};

static const struct conf_key class_keys[] = {
	{CLASS("vendor", CONF_VENDOR, vendor)},
	{CLASS("arch", CONF_ARCHS, arch), COUNT(conf_class, n_arch), .max = CONF_ARCHS_MAX},
	{CLASS("options", CONF_OPTIONS, options)},
	{0},
};

static const struct conf_key reservation_keys[] = {
	{HELD("mac", CONF_MAC, mac)},
	{.name = "client-id",
	 .type = CONF_CLIENT_ID,
	 .at = offsetof(struct conf_reservation, client_id),
	 .size = CONF_CLIENT_ID_SIZE + 1},
	{HELD("port", CONF_NAME, port)},
	{HELD("ip", CONF_IPV4, ip)},
	{HELD("ip6", CONF_IPV6, ip6)},
	{HELD("name", CONF_LABEL, name)},
	{HELD("options", CONF_OPTIONS, options)},
	{0},
};

static const struct conf_key network_keys[] = {
	{NET("mode", CONF_WORD, mode), .is_required = true, .reopens = true, .words = modes},
	{NET("vlan", CONF_NUMBER, vlan), .min = 1, .max = 4094},
	{NET("vlan-auto", CONF_BOOL, vlan_auto)},
	{NET("ipv4", CONF_NET4, ipv4)},
	{NET("ipv6", CONF_NET6, ipv6)},
	{NET("gateway", CONF_IPV4, gateway), HAS(conf_network, has_gateway)},
	{NET("mtu", CONF_NUMBER, mtu), .min = MTU_MIN, .max = MTU_MAX},
	{NET("isolate", CONF_BOOL, isolate)},
	{NET("mac-ageing", CONF_DURATION, mac_ageing_ms), .min = 1000, .max = AGEING_MAX},
	{NET("ifname", CONF_IFNAME, ifname), .reopens = true},
	{NET("uplink", CONF_NAME, uplink)},
	{NET("tagged", CONF_BOOL, tagged)},
	{NET("forwards", CONF_FORWARDS, forwards)},
	{.name = "nat", .type = CONF_MAP, .keys = nat_keys},
	{NET("macs", CONF_MACS, macs)},
	{.name = "dhcp", .type = CONF_DHCP, HAS(conf_network, dhcp.is_asked), .keys = dhcp_keys},
	{NET("no-dhcp", CONF_BOOL, dhcp.is_off)},
	{NET("dns", CONF_IPS, dns), COUNT(conf_network, n_dns), .max = CONF_DNS_MAX},
	{NET("domain", CONF_DOMAIN, domain)},
	{0},
};

static const struct conf_key forward_keys[] = {
	{.name = "spec",
	 .type = CONF_SPEC,
	 .size = sizeof(struct conf_forward),
	 .is_required = true},
	{.name = "allow-from",
	 .type = CONF_NETS,
	 FIELD(conf_forward, allow),
	 COUNT(conf_forward, n_allow),
	 .max = CONF_ALLOW_MAX},
	{0},
};

static const struct conf_key uplink_keys[] = {
	{UP("kind", CONF_WORD, kind), .is_required = true, .reopens = true, .words = uplink_kinds},
	{UP("interface", CONF_IFNAME, interface), .reopens = true},
	{UP("driver", CONF_WORD, driver), .reopens = true, .words = drivers,
	 .later_words = later_drivers},
	{UP("address", CONF_HOST4, address)},
	{UP("address6", CONF_HOST6, address6)},
	{UP("addresses", CONF_HOSTS, more), COUNT(conf_uplink, n_more), .max = CONF_ADDRESSES_MAX},
	{UP("gateway", CONF_IPV4, gateway), HAS(conf_uplink, has_gateway)},
	{UP("gateway6", CONF_IPV6, gateway6), HAS(conf_uplink, has_gateway6)},
	{UP("dhcp", CONF_BOOL, dhcp)},
	{UP("mac", CONF_LINK_MAC, mac_mode)},
	{UP("forwarding", CONF_WORD, leaves_forwarding), .words = forwardings},
	{UP("ifname", CONF_IFNAME, ifname), .reopens = true},
	{UP("vlan", CONF_NUMBER, vlan), .min = 1, .max = 4094},
	{UP("vlan-auto", CONF_BOOL, vlan_auto)},
	{0},
};

static const struct conf_key storm_keys[] = {
	{PORT("broadcast", CONF_NUMBER, storm_broadcast), .max = STORM_MAX},
	{PORT("multicast", CONF_NUMBER, storm_multicast), .max = STORM_MAX},
	{PORT("unknown", CONF_NUMBER, storm_unknown), .max = STORM_MAX},
	{0},
};

static const struct conf_key port_keys[] = {
	{PORT("tap", CONF_IFNAME, tap), .reopens = true},
	{PORT("netns", CONF_NETNS, netns), .reopens = true},
	{PORT("vhost-user", CONF_SOCKET, vhost_user), .reopens = true},
	{PORT("client", CONF_BOOL, client), .reopens = true},
	{PORT("socket-owner", CONF_OWNER, socket_owner), .reopens = true},
	{PORT("socket-mode", CONF_OCTAL, socket_mode), .reopens = true},
	{PORT("network", CONF_NAME, network)},
	{PORT("vlan-mode", CONF_WORD, vlan_mode), HAS(conf_port, has_vlan_mode),
	 .words = vlan_modes},
	{PORT("tag", CONF_NUMBER, tag), .min = 1, .max = 4094},
	{PORT("trunks", CONF_VIDS, trunks), HAS(conf_port, has_trunks)},
	{PORT("mac", CONF_MAC, mac)},
	{PORT("ipv4", CONF_HOST4, ipv4), .dhcp = offsetof(struct conf_port, dhcp)},
	{PORT("ipv6", CONF_HOST6, ipv6)},
	{PORT("gateway", CONF_IP, gateway), HAS(conf_port, has_gateway)},
	{PORT("queues", CONF_NUMBER, queues), .reopens = true, .min = 1, .max = CONF_QUEUES_MAX},
	{PORT("guard", CONF_WORD, guard), .words = guards},
	{PORT("isolated", CONF_BOOL, isolated)},
	{PORT("mtu", CONF_NUMBER, mtu), .min = MTU_MIN, .max = MTU_MAX},
	{PORT("priority-tags", CONF_WORD, prio_tags), .words = prio_tags},
	{PORT("rate", CONF_BITS, rate_bits), .max = RATE_MAX},
	{.name = "storm", .type = CONF_MAP, .keys = storm_keys},
	{PORT("mac-limit", CONF_NUMBER, mac_limit), .max = MAC_LIMIT_MAX},
	{PORT("mac-limit-action", CONF_WORD, mac_limit_drop), .words = limit_actions},
	{0},
};

static const struct conf_key nic_keys[] = {
	{NIC("network", CONF_NAME, network), .is_required = true},
	{NIC("mac", CONF_MAC, mac)},
	{NIC("ipv4", CONF_HOST4, ipv4), .dhcp = offsetof(struct conf_nic, dhcp)},
	{NIC("gateway", CONF_IPV4, gateway), HAS(conf_nic, has_gateway)},
	{NIC("ifname", CONF_IFNAME, ifname)},
	{0},
};

static const struct conf_key container_keys[] = {
	{NODE("run", CONF_STRING, run)},
	{NODE("nics", CONF_NICS, nics)},
	{0},
};

static const struct conf_key worker_keys[] = {
	{.name = "cpus", .type = CONF_CPUS, .size = sizeof(struct conf_workers)},
	{.name = "idle", .type = CONF_WORD, FIELD(conf_workers, idle_poll), .words = idles},
	{0},
};

static const struct conf_key dns_keys[] = {
	{DNS("servers", CONF_SERVERS, server), COUNT(conf_dns, n), .max = CONF_DNS_MAX},
	{DNS("domains", CONF_DOMAINS, domains)},
	{0},
};

static_assert(offsetof(struct conf_reservation, client_id_len) ==
		      offsetof(struct conf_reservation, client_id) + CONF_CLIENT_ID_SIZE,
	      "they are compared together");
static_assert(sizeof(network_keys) / sizeof(network_keys[0]) <= CONF_KEYS_MAX, "marks");
static_assert(sizeof(uplink_keys) / sizeof(uplink_keys[0]) <= CONF_KEYS_MAX, "marks");
static_assert(sizeof(port_keys) / sizeof(port_keys[0]) <= CONF_KEYS_MAX, "marks");
static_assert(sizeof(enum conf_net_mode) == sizeof(uint32_t), "put_number() writes it");
static_assert(offsetof(struct conf_network, name) == 0 && offsetof(struct conf_port, name) == 0 &&
		      offsetof(struct conf_container, name) == 0 &&
		      offsetof(struct conf_uplink, name) == 0,
	      "conf_names finds an object by the address of its name");

static const struct conf_network initial_network = {
	.mac_ageing_ms = AGEING_S * 1000,
	/* RFC 4787 REQ-5, RFC 5382 REQ-5, RFC 5508 REQ-2. */
	.nat = {.udp_ms = 300000,
		.tcp_ms = 7440000,
		.tcp_transitory_ms = 240000,
		.icmp_ms = 60000,
		.sessions = SESSIONS,
		.per_guest = PER_GUEST,
		.rate = SESSION_RATE},
	.dhcp = {.lease_ms = LEASE_S * 1000},
};
static const struct conf_uplink initial_uplink;
static const struct conf_forward initial_forward;
static const struct conf_port initial_port = {
	.socket_mode = SOCKET_MODE,
	.queues = 1,
	.storm_broadcast = UINT64_MAX,
	.storm_multicast = UINT64_MAX,
	.storm_unknown = UINT64_MAX,
	.mac_limit = MAC_LIMIT,
};
static const struct conf_container initial_container;
static const struct conf_nic initial_nic;
static const struct conf_workers initial_workers;
static const struct conf_dns initial_dns;
static const struct conf_class initial_class;
static const struct conf_reservation initial_reservation;

#define OBJECT(s)                                                                                  \
	.size = sizeof(struct s), .line = offsetof(struct s, line), .marks = offsetof(struct s, at)
#define ARRAY(f) .array = offsetof(struct conf, f), .count = offsetof(struct conf, n_##f)

const struct conf_kind conf_networks = {.section = "networks",
					.word = "network",
					.keys = network_keys,
					.initial = &initial_network,
					.max = CONF_NETWORKS_MAX,
					OBJECT(conf_network),
					ARRAY(networks)};
const struct conf_kind conf_uplinks = {.section = "uplinks",
				       .word = "uplink",
				       .keys = uplink_keys,
				       .initial = &initial_uplink,
				       .max = CONF_UPLINKS_MAX,
				       OBJECT(conf_uplink),
				       ARRAY(uplinks)};
const struct conf_kind conf_ports = {.section = "ports",
				     .word = "port",
				     .keys = port_keys,
				     .initial = &initial_port,
				     .max = CONF_PORTS_MAX,
				     OBJECT(conf_port),
				     ARRAY(ports)};
const struct conf_kind conf_containers = {.section = "containers",
					  .word = "container",
					  .keys = container_keys,
					  .initial = &initial_container,
					  .max = CONF_CONTAINERS_MAX,
					  OBJECT(conf_container),
					  ARRAY(containers)};
const struct conf_kind conf_workers = {.section = "workers",
				       .word = "workers",
				       .keys = worker_keys,
				       .initial = &initial_workers,
				       .size = sizeof(struct conf_workers),
				       .array = offsetof(struct conf, workers),
				       .count = offsetof(struct conf, workers)};
const struct conf_kind conf_dns = {.section = "dns",
				   .word = "dns",
				   .keys = dns_keys,
				   .initial = &initial_dns,
				   .size = sizeof(struct conf_dns),
				   .array = offsetof(struct conf, dns),
				   .count = offsetof(struct conf, dns)};
const struct conf_kind conf_nics = {.word = "nic",
				    .keys = nic_keys,
				    .initial = &initial_nic,
				    .max = CONF_NICS_MAX,
				    OBJECT(conf_nic)};

const struct conf_kind conf_forwards = {.word = "forward",
					.keys = forward_keys,
					.initial = &initial_forward,
					.size = sizeof(struct conf_forward),
					.max = CONF_FORWARDS_MAX,
					.line = offsetof(struct conf_forward, line)};

const struct conf_kind conf_classes = {.word = "class",
				       .keys = class_keys,
				       .initial = &initial_class,
				       .size = sizeof(struct conf_class),
				       .max = CONF_CLASSES_MAX,
				       .line = offsetof(struct conf_class, line)};

const struct conf_kind conf_reservations = {.word = "reservation",
					    .keys = reservation_keys,
					    .initial = &initial_reservation,
					    .size = sizeof(struct conf_reservation),
					    .max = CONF_RESERVATIONS_MAX,
					    .line = offsetof(struct conf_reservation, line)};

const struct conf_kind *const conf_kinds[] = {
	&conf_networks,	  &conf_uplinks, &conf_ports, &conf_dns,
	&conf_containers, &conf_workers, NULL};
const char *const conf_later_sections[] = {"tunnels", "vms", NULL};

const struct conf_key *conf_key_find(const struct conf_key *keys, const char *name)
{
	for (; keys->name; keys++)
		if (!strcmp(keys->name, name))
			return keys;
	return NULL;
}

void *conf_objects(const struct conf *c, const struct conf_kind *kind, size_t *n)
{
	void *objects;

	if (conf_is_single(kind)) {
		*n = 1;
		return conf_field(c, kind->array);
	}
	/* Copied, since the array's own type is not void *. */
	memcpy(&objects, conf_field(c, kind->array), sizeof(objects));
	memcpy(n, conf_field(c, kind->count), sizeof(*n));
	return objects;
}
