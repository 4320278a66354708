#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The configuration in motion (H09, the part without NAT): apply, diff, --confirm and the way back, save, reload.  While c1 sends
# to c2 50000 frames a second, files are applied, unchanged or changing c3 alone, and not one frame is lost.
#
#   c1 --.
#   c2 --+-- office, VLAN 10 -- [ vfabd ]
#   c3 --'
. "$(dirname "$0")/../lib/scenario.sh"

ns c1
ns c2
ns c3
fabric <<EOF
networks:
  office: {mode: internal, vlan: 10}
workers: {cpus: [${CPUS:-0}]}
ports:
$(tap c1 "network: office")
$(tap c2 "network: office")
$(tap c3 "network: office")
EOF
wait_for 5 ports_up
cp "$T/fabric.yaml" "$T/same.yaml"
sed '/c3:/s/network: office/network: office, isolated: true, mtu: 1400, mac-limit: 7/' "$T/same.yaml" >"$T/other.yaml"
sed '/ c3:/d' "$T/same.yaml" >"$T/without.yaml"
sed 's/vlan: 10/vlan: 5000/' "$T/same.yaml" >"$T/bad.yaml"

frames <<'PY'
from frames import *

c1, c2 = stations("c1", "c2")
T = os.environ["T"]
texts = {name: open(f"{T}/{name}.yaml").read() for name in ("same", "other", "without", "bad")}
learn(c1, c2)

slowest = 0.0

with Serials(c1, c2, 50) as serials:
    for turn in range(60):
        name = ("same", "same", "other", "without", "same", "bad")[turn % 6]
        start = time.monotonic()
        try:
            ctl("conf.apply", text=texts[name])
            expect(name != "bad", True, f"apply {name}")
        except RuntimeError as error:
            expect(name, "bad", f"apply {name} is refused: {error}")
        slowest = max(slowest, time.monotonic() - start)
        serials.drain()
print(f"ok: the slowest apply took {slowest * 1000:.0f} ms")
PY

# diff: 0 when nothing would change, 1 when something would, and it says what.
expect vfab apply "$T/same.yaml"
expect_status 0 vfab diff "$T/same.yaml"
expect_status 1 vfab diff "$T/other.yaml" >"$T/diff"
expect grep -q 'c3' "$T/diff"
refuse grep -qE 'c1|c2|office' "$T/diff"
vfab config show >"$T/shown"
expect_status 0 vfab diff "$T/shown"

# --confirm: back by itself, or kept.
is_isolated()
{
	vfab config show | grep -q isolated
}
allow_log 'confirm'
expect vfab apply "$T/other.yaml" --confirm 1
expect is_isolated
is_back()
{
	! is_isolated
}
wait_for 3 is_back
expect_status 0 vfab diff "$T/same.yaml"
expect vfab apply "$T/other.yaml" --confirm 2
expect vfab config confirm
refuse vfab config confirm
started=$SECONDS
until [ $((SECONDS - started)) -ge 3 ]; do
	is_isolated || fail "confirmed, and gone all the same"
done

# save: into another file, and over the daemon's own; what is saved is what runs after a restart.
expect vfab port set c3 --mac-limit 9 --priority-tags always
expect vfab config save "$T/saved.yaml"
expect_status 0 vfab diff "$T/saved.yaml"
expect vfab config save
expect_status 0 vfab diff "$T/fabric.yaml"
vfab config show >"$T/shown"
stop_fabric
cp "$T/fabric.yaml" "$T/kept.yaml"
fabric <"$T/kept.yaml"
vfab config show >"$T/shown2"
expect diff "$T/shown" "$T/shown2"

# reload: the file is applied again.
cp "$T/without.yaml" "$T/fabric.yaml"
kill -HUP "$FABRIC_PID"
has_no_c3()
{
	[ "$(vfab port ls -o json | jq length)" = 2 ]
}
wait_for 3 has_no_c3
refuse run c3 ip link show eth0 2>/dev/null
