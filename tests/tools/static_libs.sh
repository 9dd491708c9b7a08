#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# static_libs.sh DIR: archives (lib*.a) in DIR/lib, with headers and licences, of the libraries that
# the portable program holds and Debian ships as shared ones only, or with needs that we have not (an
# HTTP client that speaks LDAP and Kerberos).  They are built from the system's own source packages,
# so their signatures are checked by apt, and its security patches are in.
set -eu
[ $# -eq 1 ] || { echo "usage: static_libs.sh DIR" >&2; exit 2; }
dir=$1 src=$1/src jobs=${INLINED_JOBS:-$(nproc)}

# The system's own package sources, asked for sources instead of packages.
fetch() {
    local f
    mkdir -p "$src/parts" "$src/lists/partial"
    : >"$src/list"
    if [ -e /etc/apt/sources.list ]; then
        sed -n 's/^deb\([[:space:]]\)/deb-src\1/p' /etc/apt/sources.list >"$src/list"
    fi
    for f in /etc/apt/sources.list.d/*; do
        case $f in
            *.list) sed -n 's/^deb\([[:space:]]\)/deb-src\1/p' "$f" >"$src/parts/${f##*/}" ;;
            *.sources) sed 's/^Types:.*/Types: deb-src/' "$f" >"$src/parts/${f##*/}" ;;
        esac
    done
    local apt=(apt-get -q -o "Dir::Etc::sourcelist=$src/list" -o "Dir::Etc::sourceparts=$src/parts"
        -o "Dir::State::lists=$src/lists" -o APT::Sandbox::User=root)
    "${apt[@]}" update
    (cd "$src" && "${apt[@]}" source "$@")
}

# with_cmake NAME OPTION...
with_cmake() {
    local name=$1
    shift
    cmake -S "$src/$name"-[0-9]*/ -B "$src/build-$name" -G Ninja -DCMAKE_BUILD_TYPE=Release \
        -DCMAKE_INSTALL_PREFIX="$dir" -DCMAKE_INSTALL_LIBDIR=lib -DBUILD_SHARED_LIBS=OFF \
        -DCMAKE_POSITION_INDEPENDENT_CODE=ON -Wno-dev "$@"
    ninja -C "$src/build-$name" -j "$jobs" install
}

fetch curl libzip cjson libmicrohttpd
with_cmake curl -DBUILD_CURL_EXE=OFF -DHTTP_ONLY=ON -DCURL_USE_OPENSSL=ON -DCURL_USE_LIBSSH2=OFF \
    -DUSE_LIBIDN2=OFF -DUSE_NGHTTP2=OFF -DCURL_BROTLI=OFF -DCURL_ZSTD=OFF -DCURL_USE_LIBPSL=OFF
with_cmake libzip -DENABLE_BZIP2=OFF -DENABLE_LZMA=OFF -DENABLE_ZSTD=OFF -DENABLE_OPENSSL=OFF \
    -DENABLE_GNUTLS=OFF -DENABLE_MBEDTLS=OFF -DENABLE_COMMONCRYPTO=OFF -DENABLE_WINDOWS_CRYPTO=OFF \
    -DBUILD_TOOLS=OFF -DBUILD_REGRESS=OFF -DBUILD_EXAMPLES=OFF -DBUILD_DOC=OFF
with_cmake cjson -DENABLE_CJSON_TEST=OFF -DENABLE_CJSON_UTILS=OFF
(cd "$src"/libmicrohttpd-[0-9]*/ &&
    ./configure --prefix="$dir" --disable-shared --enable-static --with-pic --disable-https \
        --disable-doc --disable-examples --disable-curl --disable-dependency-tracking &&
    make -j "$jobs" -C src/microhttpd install && make -C src/include install)

# What all that goes into the program is licensed under.
mkdir -p "$dir/copyright"
for package in libuv1-dev libcjson-dev libzip-dev libsqlite3-dev zlib1g-dev libcurl4-openssl-dev libssl-dev \
    libyaml-dev libmicrohttpd-dev libhiredis-dev; do
    cp -L "/usr/share/doc/$package/copyright" "$dir/copyright/$package"
done
rm -rf "$src"
