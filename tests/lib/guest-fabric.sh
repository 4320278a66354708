# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The fabric of the scenarios with scripted guests (vhost.py); sourced after scenario.sh.

# guest_fabric PORT...: taps c1 and c2 on office, c3 on lab, and those ports, each a line of the file.  CPUS: of the workers.
guest_fabric()
{
	local name

	for name in c1 c2 c3; do ns $name; done
	fabric <<-YAML
	networks:
	  office: {mode: internal, vlan: 10}
	  lab: {mode: internal, vlan: 20}
	workers: {cpus: [${CPUS:-0}]}
	ports:
	$(tap c1 "network: office")
	$(tap c2 "network: office")
	$(tap c3 "network: lab")
	$(printf '  %s\n' "$@")
	YAML
	wait_for 5 ports_up c1 c2 c3
}
