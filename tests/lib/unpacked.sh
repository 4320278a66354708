#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Prints the directory into which a package of Debian was unpacked, for programs whose package would change what this machine boots
# with: a relay or a server that enables its service.  Such a package is never installed; it lies in a cache (VFAB_CACHE,
# /var/cache/vfab-tests without it), and one that is there is used as it is, without asking the network.  The libraries it wants
# are installed by tests/install-packages.sh, by way of a package without a service.
#
#   tests/lib/unpacked.sh PACKAGE      exit status 1, and a reason, when there is none and none can be had
set -euo pipefail

CACHE=${VFAB_CACHE:-/var/cache/vfab-tests}
PACKAGE=$1

cached()
{
	[ -d "$CACHE/$PACKAGE" ] && echo "$CACHE/$PACKAGE"
}

# The list of packages may be missing, or older than the archive: then it is asked for once.
download()
{
	timeout 300 apt-get -q download "$PACKAGE" || { timeout 300 apt-get -q update && timeout 300 apt-get -q download "$PACKAGE"; }
}

# Unpacks into a directory of its own and renames that: who looks at the cache sees a whole package, or none.
fetch()
{
	WORK=$(mktemp -d "$CACHE/new.XXXXXX")
	trap 'rm -rf "$WORK"' EXIT
	cd "$WORK"
	download >log 2>&1 || {
		echo "$PACKAGE could not be downloaded: $(grep '^E:' log | tail -n 1)" >&2
		exit 1
	}
	set -- *.deb
	dpkg-deb -x "$1" all
	mv -T all "$CACHE/$PACKAGE"
}

mkdir -p "$CACHE"
exec 9>"$CACHE/lock"
flock -w 600 9
if ! cached; then
	fetch
	cached
fi
