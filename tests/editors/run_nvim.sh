#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run_nvim.sh VERSION NVIM SCRIPT [ARG...]: runs a Lua test in a real Neovim, `NVIM -l SCRIPT`.
# Without NVIM the one in bootstrap's cache is taken; 77 when there is none.
set -eu
version=$1 nvim=$2 script=$3
shift 3
cache=${INLINED_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/inlined}
[ -n "$nvim" ] || nvim=$cache/nvim/$version/bin/nvim
if [ ! -x "$nvim" ]; then
    echo "SKIP: there is no Neovim at $nvim; ./bootstrap test fetches it where it can," \
        "or: tests/editors/install_nvim.sh $version DIR"
    exit 77
fi
export INLINED_NVIM="$nvim"
exec "$nvim" --clean -l "$script" "$@"
