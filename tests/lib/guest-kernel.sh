#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Prints the directory of a kernel for test guests: vmlinuz and modules/*.ko.  It is Debian's cloud kernel, taken out of its
# package into a cache (VFAB_CACHE, /var/cache/vfab-tests without it).  The package is never installed: that would
# touch what this machine boots.  A kernel that is in the cache is used as it is, without asking the network.
#
#   tests/lib/guest-kernel.sh        exit status 1, and a reason, when there is none and none can be had
set -euo pipefail

CACHE=${VFAB_CACHE:-/var/cache/vfab-tests}

# What virtio-net over PCI needs, each after what it needs itself.
MODULES='
drivers/virtio/virtio_ring
drivers/virtio/virtio
drivers/virtio/virtio_pci_modern_dev
drivers/virtio/virtio_pci_legacy_dev
drivers/virtio/virtio_pci
net/core/failover
drivers/net/net_failover
drivers/net/virtio_net
'

cached()
{
	local newest

	newest=$(find "$CACHE" -mindepth 1 -maxdepth 1 -type d -name 'kernel-*' 2>/dev/null | sort -V | tail -n 1)
	[ -n "$newest" ] && echo "$newest"
}

package()
{
	apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '$1 == "Depends:" && $2 ~ /^linux-image-/ { print $2; exit }'
}

# The list of packages may be missing, or older than the archive: then it is asked for once.
download()
{
	{ [ -n "$(package)" ] && timeout 300 apt-get -q download "$(package)"; } ||
		{ timeout 300 apt-get -q update && timeout 300 apt-get -q download "$(package)"; }
}

# Unpacks into a directory of its own and renames that: who looks at the cache sees a whole kernel, or none.
unpack()
{
	local deb=$1 name=$2 module

	dpkg-deb -x "$deb" all
	mkdir -p kernel/modules
	cp all/boot/vmlinuz-* kernel/vmlinuz
	for module in $MODULES; do
		cp all/lib/modules/*/kernel/"$module.ko" kernel/modules/
		echo "${module##*/}" >>kernel/modules/order
	done
	mv -T kernel "$CACHE/kernel-$name"
}

fetch()
{
	WORK=$(mktemp -d "$CACHE/new.XXXXXX")
	trap 'rm -rf "$WORK"' EXIT
	cd "$WORK"
	download >log 2>&1 || {
		echo "no kernel package could be downloaded: $(grep '^E:' log | tail -n 1)" >&2
		exit 1
	}
	set -- *.deb
	unpack "$PWD/$1" "${1%_*}"
}

mkdir -p "$CACHE"
exec 9>"$CACHE/lock"
flock -w 600 9
if ! cached; then
	fetch
	cached
fi
