#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `vfab lease`: what there is, reservations that are made and unmade while clients have other addresses, a lease that is ended, events,
# figures; what is refused and what it says; reservations survive `config save` and a restart.
#
#   c1, c2 (by hand) -- office 10.10.0.0/24 -- [ vfabd ]
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/dhcp-fabric.sh"

LEGS="office lab quiet"
dhcp_fabric c1:office c2:office
mute c1 c2
rows()
{
	vfab lease ls -o json "${@:2}" | jq -c "$1"
}
# take NS MAC [CLIENT-ID]: a whole exchange; the address.
take()
{
	NETNS=$1 MAC=$2 ID=${3:-} dhcp_py <<'PY' | tail -n 1
from dhcp import *

print(Client(os.environ["NETNS"], mac=os.environ["MAC"], client_id=bytes.fromhex(os.environ["ID"]) or None).bind(option(HOSTNAME, "guest")).yiaddr)
PY
}

echo "-- ls"
expect_eq "reservations without their guests" "$(rows '[.[] | [.network, .ip, .mac, .hostname, .state, .expires_s]]')" \
	'[["office","10.10.0.10","02:00:00:00:00:0a","web","reserved",null],["office","10.10.0.11",null,"db","reserved",null]]'
first=$(take c1 02:00:00:00:02:01)
expect_eq "a lease" "$(rows "[.[] | select(.ip == \"$first\") | [.network, .mac, .hostname, .state, .expires_s > 3500, .port]]")" \
	'[["office","02:00:00:00:02:01","guest","bound",true,"c1"]]'
expect_eq "its keys" "$(rows '[.[] | keys[]] | unique | contains(["expires_s","hostname","ip","mac","network","state"])')" true
expect_eq "the guest of a reservation" "$(take c2 02:00:00:00:00:0a)" 10.10.0.10
expect_eq "its row" "$(rows '[.[] | select(.ip == "10.10.0.10") | [.state, .hostname]]')" '[["bound","web"]]'
expect_eq "of one network" "$(rows length --net lab)" 0
expect_eq "of the other" "$(rows length --net office)" 3
says 1 'network "ofice" does not exist (did you mean "office"?)' vfab lease ls --net ofice
expect grep -q '^NETWORK  *IP  *MAC  *HOSTNAME  *STATE' <(vfab lease ls)
expect has_event lease_new "$first"

echo "-- reserve"
expect vfab lease reserve office --mac 02:00:00:00:02:02 --ip 10.10.0.30 --name printer
expect_eq "its row" "$(rows '[.[] | select(.ip == "10.10.0.30") | [.state, .hostname, .mac]]')" '[["reserved","printer","02:00:00:00:02:02"]]'
expect_eq "its client" "$(take c1 02:00:00:00:02:02)" 10.10.0.30
expect vfab lease reserve office --client-id 01:aa:bb --ip 10.10.0.31
expect_eq "by client id" "$(take c1 02:00:00:00:02:03 01aabb)" 10.10.0.31
expect vfab lease reserve office --port c2 --ip 10.10.0.32 --name by-port
expect_eq "by port" "$(take c2 02:00:00:00:02:04)" 10.10.0.32
# Inside the range, too; whoever has an address meanwhile is not turned out of it.
expect vfab lease reserve office --mac 02:00:00:00:02:01 --ip 10.10.0.33 --name moved
expect_eq "the lease that it had stands" "$(lease_value "$first" .state)" bound
again=$(take c1 02:00:00:00:02:01)
expect_eq "and the next exchange gives the reserved one" "$again" 10.10.0.33
says 2 'one of --mac, --client-id and --port' vfab lease reserve office --ip 10.10.0.40
says 2 'one of --mac, --client-id and --port' vfab lease reserve office --ip 10.10.0.40 --mac 02:00:00:00:02:09 --port c1
says 2 '--ip' vfab lease reserve office --mac 02:00:00:00:02:09
says 1 'network ofice: does not exist' vfab lease reserve ofice --mac 02:00:00:00:02:09 --ip 10.10.0.40
# refused TEXT ARGUMENT...: one line that holds the text, and nothing changes.
refused()
{
	local status=0 text=$1 before
	shift
	before=$(vfab config show)
	"$@" 2>"$T/said" || status=$?
	cat "$T/said"
	[ $status = 1 ] || [ $status = 65 ] || fail "status $status: $*"
	expect_eq "lines said" "$(wc -l <"$T/said")" 1
	expect grep -qiE -- "$text" "$T/said"
	[ "$(vfab config show)" = "$before" ] || fail "the configuration changed by: $*"
}
refused 'mac' vfab lease reserve office --mac 02:00:00:00:02 --ip 10.10.0.40
refused '10\.11\.0\.40' vfab lease reserve office --mac 02:00:00:00:02:09 --ip 10.11.0.40
refused '10\.10\.0\.1' vfab lease reserve office --mac 02:00:00:00:02:09 --ip 10.10.0.1
refused '10\.10\.0\.255' vfab lease reserve office --mac 02:00:00:00:02:09 --ip 10.10.0.255
refused 'mac is that of the reservation of 10\.10\.0\.30' vfab lease reserve office --mac 02:00:00:00:02:02 --ip 10.10.0.41
refused 'name' vfab lease reserve office --mac 02:00:00:00:02:09 --ip 10.10.0.43 --name 'no name'

echo "-- release"
second=$(take c1 02:00:00:00:02:05)
expect vfab lease release "$second"
expect_eq "it is gone" "$(lease_value "$second" .state)" ""
expect has_event lease_release "$second"
says 1 "$second" vfab lease release "$second"
says 1 10.10.0.99 vfab lease release 10.10.0.99
refused 'address' vfab lease release 10.10.0.999
expect vfab lease release --net office 10.10.0.30
expect_eq "a reservation stays" "$(rows '[.[] | select(.ip == "10.10.0.30") | .state]')" '["reserved"]'

echo "-- figures"
vfab lease stats
expect_eq "stats" "$(vfab lease stats -o json | jq -c '[.dhcp.discover > 0, .dhcp.ack > 0, .journal.records > 0, .journal.is_broken, (.pools | map(.network) | contains(["office", "lab"]))]')" \
	'[true,true,true,false,true]'

echo "-- saved"
expect vfab config save
vfab lease ls -o json | jq -S 'map(del(.expires_s)) | sort_by(.ip)' >"$T/before"
vfab config show >"$T/before.yaml"
stop_fabric
expect grep -q 10.10.0.33 "$T/fabric.yaml"
cp "$T/fabric.yaml" "$T/saved.yaml"
fabric <"$T/saved.yaml"
wait_for 5 ports_up
vfab config show >"$T/after.yaml"
vfab lease ls -o json | jq -S 'map(del(.expires_s)) | sort_by(.ip)' >"$T/after"
expect diff "$T/before.yaml" "$T/after.yaml"
expect diff "$T/before" "$T/after"
expect vfab lease unreserve office 10.10.0.33
expect_eq "unreserved" "$(vfab config show | grep -c '10\.10\.0\.33' || true)" 0
expect_eq "its lease goes on until it ends" "$(lease_value 10.10.0.33 .state)" bound

echo "-- another file"
DHCP_PORTS=(c1:office c2:office)
OFFICE="per-port: 3"
dhcp_yaml | sed 's/10\.10\.0\.100-10\.10\.0\.199/10.10.0.150-10.10.0.160/' >"$T/again.yaml"
expect vfab apply "$T/again.yaml"
third=$(take c2 02:00:00:00:02:08)
expect_eq "an address of the other range" "$([[ $third =~ ^10\.10\.0\.1(5[0-9]|60)$ ]] && echo yes)" yes
LEGS="lab quiet" NETWORKS="  office: {mode: nat, vlan: 10, ipv4: 10.10.0.0/24, no-dhcp: true}"
dhcp_yaml >"$T/again.yaml"
expect vfab apply "$T/again.yaml"
expect_eq "without DHCP there are no leases" "$(rows length --net office)" 0
