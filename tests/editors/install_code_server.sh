#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# install_code_server.sh VERSION DIR: a real VS Code that runs in a browser, from npm, into DIR.
#
# Its install scripts fetch and build far more than a server on loopback needs, so none of them runs;
# the few native modules that it cannot start without are rebuilt by hand (wants g++, make, python3).
set -eu
[ $# -eq 2 ] || { echo "usage: install_code_server.sh VERSION DIR" >&2; exit 2; }
version=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd -P)
root=$dir/node_modules/code-server
vscode=$root/lib/vscode

install_here() { npm install --ignore-scripts --legacy-peer-deps --no-audit --no-fund "$@"; }

# rebuild FOLDER MODULE...: compiles those that are there.
rebuild() {
    cd "$1"
    shift
    for module in "$@"; do
        [ ! -d "node_modules/$module" ] || npm rebuild "$module"
    done
}

cd "$dir"
[ -f package.json ] || printf '{"name":"code-server-of-tests","private":true}\n' >package.json
install_here "code-server@$version"
cd "$vscode"
install_here --omit=dev
cd "$vscode/extensions"
install_here --omit=dev
rebuild "$dir" argon2
rebuild "$vscode" @vscode/spdlog native-watchdog @parcel/watcher
node "$root/out/node/entry.js" --version
