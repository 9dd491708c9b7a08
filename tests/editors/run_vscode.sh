#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run_vscode.sh unit|live NODE CODE_SERVER BUILD: the tests of editors/vscode.
#   unit   types, lint, what needs no editor
#   live   a .vsix with BUILD's daemon inside, in a real VS Code
# 77 when something is not here; what it is is printed.
set -eu
kind=$1 node=$2 server=$3 build=$4
top=$(cd "$(dirname "$0")/../.." && pwd -P)
extension=$top/editors/vscode

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
        "$node" scripts/build.mjs --tests
        "$node" --test dist-test/
        ;;
    live)
        [ -n "$server" ] || skip "no code-server is configured"
        "$node" scripts/package.mjs "$build/inlined" "$build/inlined.vsix"
        exec "$node" "$top/tests/editors/vscode/live.mjs" "$server" "$build/inlined.vsix" \
            "$build/tests/editors/vscode"
        ;;
    *) echo "usage: run_vscode.sh unit|live NODE CODE_SERVER BUILD" >&2; exit 2 ;;
esac
