#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# bare_root.sh [SUITE [PACKAGES]]: tries what `./bootstrap package` built in a bare system root.
#
# Makes a minimal Debian (SUITE, bookworm) with debootstrap, installs the .deb there and runs the
# program from it and from the .tar.gz.  Needs root and the network; takes two minutes; by hand.
set -eu
suite=${1:-bookworm}
packages=${2:-$(cd "$(dirname "$0")/../.." && pwd -P)/build/packages}
command -v debootstrap >/dev/null || { echo "install debootstrap first" >&2; exit 77; }
[ "$(id -u)" -eq 0 ] || { echo "a system root wants root" >&2; exit 77; }

root=$(mktemp -d)
trap 'umount "$root/proc" 2>/dev/null || true; rm -rf "$root"' EXIT
debootstrap --variant=minbase "$suite" "$root" >"$root.log" 2>&1 ||
    { tail -n 5 "$root.log"; exit 1; }
rm -f "$root.log"
# The same sources and proxies as outside.
cp /etc/apt/apt.conf.d/* "$root/etc/apt/apt.conf.d/" 2>/dev/null || true
mount -t proc proc "$root/proc"
mkdir "$root/packages"
cp "$packages"/* "$root/packages/"
chroot "$root" /bin/sh -eu -c '
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update
    apt-get -q -y install --no-install-recommends /packages/*.deb >/dev/null
    echo "from the .deb:    $(inlined --version)"
    test -e /usr/share/nvim/site/pack/inlined/start/inlined/plugin/inlined.lua
    test -e /usr/share/inlined/inlined.vsix
    inlined models list --json | head -c 200 >/dev/null
    mkdir /opt/inlined
    tar -xzf /packages/*.tar.gz -C /opt/inlined --strip-components=1
    echo "from the .tar.gz: $(/opt/inlined/bin/inlined --version)"
    inlined doctor || true
'
