#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# portable.sh PROGRAM OUT LIBS: a copy of PROGRAM that finds its shared libraries in the folder LIBS,
# relative to itself, and those libraries with their copyright files.  Only what belongs to the C
# library stays the system's, so the copy runs wherever glibc is as new as here.
set -eu
[ $# -eq 3 ] || { echo "usage: portable.sh PROGRAM OUT LIBS" >&2; exit 2; }
program=$1 out=$2 libs=$3
mkdir -p "$(dirname "$out")" "$libs"
rm -f "$libs"/*.so* "$libs"/copyright-*
[ "$program" -ef "$out" ] || cp "$program" "$out"
chmod u+w "$out"
strip "$out"
# ldd names the whole closure: "libuv.so.1 => /usr/lib/.../libuv.so.1 (0x...)".
ldd "$out" | sed -n 's|^[[:space:]]*\(lib[^ ]*\) => \(/[^ ]*\) .*|\1 \2|p' | while read -r name path; do
    case $name in
        libc.so.* | libm.so.* | libresolv.so.* | libpthread.so.* | libdl.so.* | librt.so.*) continue ;;
    esac
    cp -L "$path" "$libs/$name"
    chmod 644 "$libs/$name"
    package=$(dpkg-query -S "$(readlink -f "$path")" "$path" 2>/dev/null | head -1 | sed 's/[:,].*//')
    [ -z "$package" ] || cp -L "/usr/share/doc/$package/copyright" "$libs/copyright-$package"
done
# RPATH, not RUNPATH: the libraries' own needs go the same way.
patchelf --force-rpath --set-rpath "\$ORIGIN/$(realpath --relative-to="$(dirname "$out")" "$libs")" "$out"
if ldd "$out" | grep 'not found'; then
    echo "portable.sh: $out does not find all of its libraries" >&2
    exit 1
fi
