#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run_vscode.sh BUILD unit|live NODE_VERSION NODE [CODE_VERSION CODE_SERVER [STEP...]]: the tests of editors/vscode.
#   unit   types, lint, the bundle's size, what needs no editor
#   live   a .vsix with BUILD's daemon inside, in a real VS Code
# Without NODE and CODE_SERVER, those of these versions in bootstrap's cache; 77 when something is not here; what it
# is is printed.
set -eu
build=$1 kind=$2 node=$4 version=${5-} server=${6-}
top=$(cd "$(dirname "$0")/../.." && pwd -P)
extension=$top/editors/vscode
cache=${INLINED_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/inlined}
[ -n "$node" ] || node=$cache/node/$3/bin/node
[ -n "$server" ] || server=$cache/code-server/$version

skip() {
    echo "SKIP: $1; ./bootstrap test fetches it"
    exit 77
}
[ -d "$extension/node_modules/esbuild" ] || skip "the extension's node_modules are not here"
command -v "$node" >/dev/null || skip "there is no node at '$node'"
cd "$extension"
case $kind in
    unit)
        "$node" node_modules/typescript/lib/tsc.js --noEmit
        "$node" node_modules/eslint/bin/eslint.js .
        "$node" scripts/build.mjs # says so when the bundle is too large
        "$node" scripts/build.mjs --tests
        "$node" --test dist-test/*.test.js
        ;;
    live)
        "$node" scripts/package.mjs "$build/inlined" "$build/inlined.vsix"
        shift 6
        exec "$node" "$top/tests/editors/vscode/live.mjs" "$server" "$build" "$build/tests/editors/vscode-$version" "$@"
        ;;
    *) echo "usage: run_vscode.sh BUILD unit|live NODE_VERSION NODE [CODE_VERSION CODE_SERVER]" >&2; exit 2 ;;
esac
