/* SPDX-License-Identifier: GPL-2.0-or-later */
/* net: `vfab net`. */
#include "tools/client.h"
#include "tools/merge.h"
#include "tools/nouns.h"
#include "tools/table.h"

const struct verb_option net_options[] = {
	{"mode", 0, "internal|host-only|nat|bridged", AS_TEXT, NULL, "who its members reach"},
	{"vlan", 0, "VID", AS_NUMBER, NULL,
	 "VLAN id; without it the fabric gives one, from 4094 down"},
	{"ipv4", 0, "CIDR", AS_TEXT, NULL, "IPv4 prefix"},
	{"ipv6", 0, "CIDR", AS_TEXT, NULL, "IPv6 prefix"},
	{"gateway", 0, "IP", AS_TEXT, NULL,
	 "the gateway's address; default the first of the prefix"},
	{"ifname", 0, "IFNAME", AS_TEXT, NULL,
	 "host-only: the device in the host; default vf-NETWORK"},
	{"mtu", 0, "N", AS_NUMBER, NULL, "largest payload of its ports"},
	{"isolate", 0, NULL, AS_FLAG, NULL, "members do not reach each other"},
	{"mac-ageing", 0, "DURATION", AS_TEXT, NULL,
	 "how long a learned address stays; default 300s"},
	{"uplink", 0, "UPLINK", AS_TEXT, NULL, "nat, bridged: the way out"},
	{"tagged", 0, NULL, AS_FLAG, NULL, "bridged: frames carry the VLAN id on the uplink"},
	{"nat-filtering", 0, "address-and-port-dependent|endpoint-independent", AS_TEXT,
	 "nat.filtering", "who may answer a guest; default address-and-port-dependent"},
	{"nat-timeouts", 0, "udp=DURATION,tcp=,tcp-transitory=,icmp=", AS_MAP, "nat.timeouts",
	 "how long a session may be idle"},
	{"nat-sessions", 0, "N", AS_NUMBER, "nat.sessions", "sessions of the network"},
	{"nat-per-guest", 0, "N", AS_NUMBER, "nat.per-guest", "sessions of one guest"},
	{"nat-rate", 0, "N", AS_NUMBER, "nat.rate", "new sessions a second of one guest"},
	{"nat-log", 0, "off|on|destinations", AS_TEXT, "nat.log", "log of the sessions"},
	{"nat-ipv6", 0, "nat66|routed", AS_TEXT, "nat.ipv6", "how IPv6 goes out"},
	{"nat-exempt", 0, "CIDR,...", AS_LIST, "nat.exempt", "destinations not translated"},
	{"dhcp", 0, "FIRST-LAST", AS_TEXT, NULL,
	 "IPv4 addresses to lease; default the upper half of the prefix"},
	{"dhcp-lease", 0, "DURATION", AS_TEXT, "dhcp.lease", "how long; default 1h, 0: for ever"},
	{"dhcp-per-port", 0, "N", AS_NUMBER, "dhcp.per-port",
	 "leases that one access port may have"},
	{"dhcp-ipv6", 0, "stateless|stateful|off", AS_TEXT, "dhcp.ipv6",
	 "what DHCPv6 gives out: options, addresses too, nothing"},
	{"dhcp-range6", 0, "FIRST-LAST", AS_TEXT, "dhcp.range6", "IPv6 addresses to lease"},
	{"no-dhcp", 0, NULL, AS_FLAG, NULL, "lease none"},
	{"dns", 0, "IP,...", AS_LIST, NULL, "name servers for its hosts; default the gateway"},
	{"domain", 0, "NAME", AS_TEXT, NULL, "domain of its hosts; default NETWORK.vfab"},
	{0},
};

static const struct column net_columns[] = {
	{.head = "NAME", .path = "name"},
	{.head = "MODE", .path = "mode"},
	{.head = "VLAN", .path = "vlan", .is_right = true},
	{.head = "IPV4", .path = "ipv4"},
	{.head = "IPV6", .path = "ipv6"},
	{.head = "GATEWAY", .path = "gateway"},
	{.head = "UPLINK", .path = "uplink"},
	{.head = "PORTS", .path = "ports"},
};

int net_change(const struct call *c)
{
	return merge_call(c, "networks");
}

int net_list(const struct call *c)
{
	return table_answer(c, client_request("net.ls"), net_columns,
			    sizeof(net_columns) / sizeof(net_columns[0]));
}

int net_show(const struct call *c)
{
	return merge_show(c, "net.ls", "network");
}
