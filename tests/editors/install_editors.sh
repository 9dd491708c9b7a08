#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# install_editors.sh DIR: what others.py needs and the system's own release has not, or not new enough:
#   bin/hx   Helix with its closure      elpa/   lsp-mode for Emacs, the first that shows ghost text
# From Debian sid or Ubuntu devel; what cannot be had is not there, and its test says so.
set -eu
. "$(dirname "$0")/mirror.sh"
[ $# -eq 1 ] || { echo "usage: install_editors.sh DIR" >&2; exit 2; }
mkdir -p "$1/bin"
dir=$(cd "$1" && pwd -P)
source=$(mirror_source newest)
if [ -z "$source" ]; then
    echo "apt's sources name no mirror of Debian or Ubuntu"
    exit 0
fi
mirror_open "$source"
# Emacs's packages are for every processor and need nothing but each other.
if mirror_unpack elpa-lsp-mode elpa-dash elpa-s elpa-f elpa-ht elpa-spinner elpa-markdown-mode elpa-lv; then
    mv "$dir/root/usr/share/emacs/site-lisp/elpa-src" "$dir/elpa"
fi
rm -rf "$dir/root"
mkdir "$dir/root"
closure=$(mirror_closure hx || true)
# shellcheck disable=SC2086
if [ "$(uname -m)" = x86_64 ] && [ -n "$closure" ] && mirror_unpack $closure; then
    mirror_rebase "$dir/root/usr/lib/hx/hx"
    printf '#!/bin/sh\nexport HELIX_RUNTIME=%s\nexec %s "$@"\n' "$dir/root/usr/lib/hx/runtime" \
        "$dir/root/usr/lib/hx/hx" >"$dir/bin/hx"
    chmod +x "$dir/bin/hx"
    "$dir/bin/hx" --version
fi
mirror_close
ls "$dir/elpa" 2>/dev/null || true
