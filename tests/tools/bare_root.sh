#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# bare_root.sh [SUITE [PACKAGES]]: tries what `./bootstrap package` built in a bare system root.
#
# Makes a minimal Debian (SUITE, bookworm) with debootstrap and runs there the program from the .tar.gz
# and from inside the .vsix, then installs the .deb, runs that and removes it; with the default model, where the user
# has it, each completes a line.  Needs root and the network; takes two minutes; by hand.
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
mkdir -p "$root/opt/vsix" "$root/root/.local/share/inlined/models"
python3 -m zipfile -e "$packages"/*.vsix "$root/opt/vsix"
chmod +x "$root"/opt/vsix/extension/bin/inlined
cp "${XDG_DATA_HOME:-$HOME/.local/share}"/inlined/models/inlined-fim-135m* \
    "$root/root/.local/share/inlined/models/" 2>/dev/null || echo "no default model: nothing is completed"
cat >"$root/root/price.py" <<'TEXT'
def total(items):
    result = 0
    for item in items:
        result +=
    return result
TEXT
chroot "$root" /usr/bin/env HOME=/root /bin/sh -eu -c '
    export DEBIAN_FRONTEND=noninteractive
    # try NAME PROGRAM: its version, what doctor says against it, and a completion.
    try() {
        echo "from the $1: $($2 --version)"
        ls /root/.local/share/inlined/models/*.gguf >/dev/null 2>&1 || return 0
        printf "    completes: "
        $2 complete /root/price.py:4:18 || { echo "FAILED"; exit 1; }
        echo
    }
    # First what needs nothing of the system, while nothing is installed.
    mkdir /opt/inlined
    tar -xzf /packages/*.tar.gz -C /opt/inlined --strip-components=1
    try .tar.gz /opt/inlined/bin/inlined
    test -e /opt/inlined/share/nvim/site/pack/inlined/start/inlined/plugin/inlined.lua
    test -e /opt/inlined/share/inlined/inlined.vsix
    try .vsix /opt/vsix/extension/bin/inlined
    apt-get -qq update
    apt-get -q -y install --no-install-recommends /packages/*.deb >/dev/null
    try .deb inlined
    test -e /usr/share/nvim/site/pack/inlined/start/inlined/plugin/inlined.lua
    test -e /usr/share/nvim/site/pack/inlined/start/inlined/doc/tags
    test -e /usr/share/inlined/inlined.vsix
    inlined models list --json | head -c 200 >/dev/null
    apt-get -q -y remove inlined >/dev/null
    left=$(ls -d /usr/bin/inlined /usr/share/inlined /usr/share/nvim/site/pack/inlined 2>/dev/null || true)
    [ -z "$left" ] || { echo "FAILED: the .deb left $left"; exit 1; }
    echo "the .deb is removed without a trace"
    /opt/inlined/bin/inlined doctor || true
'
