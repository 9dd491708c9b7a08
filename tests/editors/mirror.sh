# SPDX-License-Identifier: Apache-2.0
# mirror.sh: packages of another release, by the mirror that apt's own sources name, without touching
# the system.  Sourced by the install scripts; wants dir, an absolute folder.

# mirror_source 0.10|newest: a line for apt, "deb [...] MIRROR SUITE COMPONENTS"; nothing where the
# system's sources name no mirror of that.
mirror_source() {
    id=$(. /etc/os-release && echo "$ID")
    case $id-$1 in
        debian-0.10) suite="trixie main" ;;
        debian-newest) suite="sid main" ;;
        ubuntu-newest) suite="devel main universe" ;;
        *) return 0 ;;
    esac
    mirror=$({
        sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/*.sources || true
        sed -n 's/^deb  *\(\[[^]]*\]\)\{0,1\} *\([^ ]*\) .*/\2/p' /etc/apt/sources.list || true
    } 2>/dev/null | grep "/$id/*\$" | head -1)
    key=/usr/share/keyrings/$id-archive-keyring.gpg
    [ -z "$mirror" ] || [ ! -r "$key" ] || echo "deb [signed-by=$key] $mirror $suite"
}

mirror_apt() {
    apt-get -o "Dir::Etc::sourcelist=$dir/apt/sources" -o Dir::Etc::sourceparts=/dev/null \
        -o "Dir::State::lists=$dir/apt/lists" -o "Dir::State::status=$dir/apt/status" \
        -o "Dir::Cache=$dir/apt/cache" -o APT::Install-Recommends=0 -o Acquire::Languages=none \
        -o "APT::Sandbox::User=$(id -un)" "$@"
}

# mirror_open SOURCE
mirror_open() {
    mkdir -p "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial" "$dir/root" "$dir/deb"
    echo "$1" >"$dir/apt/sources"
    : >"$dir/apt/status"
    mirror_apt -qq update
}

# mirror_closure PACKAGE: its name and all that it depends on, libc included, because the empty status
# file says that nothing is installed.
mirror_closure() {
    mirror_apt install -s "$1" | sed -n 's/^Inst \([^ ]*\) .*/\1/p'
}

# mirror_unpack PACKAGE...: into dir/root.
mirror_unpack() {
    (cd "$dir/deb" && mirror_apt -qq download "$@")
    for deb in "$dir"/deb/*.deb; do dpkg-deb -x "$deb" "$dir/root"; done
    rm -f "$dir"/deb/*.deb
}

mirror_close() { rm -rf "$dir/apt" "$dir/deb"; }

# mirror_rebase PROGRAM: makes a program of dir/root run with the libraries there.
mirror_rebase() {
    libs=$dir/root/usr/lib/x86_64-linux-gnu
    for ld in "$dir"/root/lib64/ld-linux-x86-64.so.2 "$dir"/root/usr/lib64/ld-linux-x86-64.so.2 \
        "$libs"/ld-linux-x86-64.so.2; do
        [ ! -e "$ld" ] || break
    done
    patchelf --set-interpreter "$ld" --force-rpath --set-rpath "$libs" "$1"
}
