#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# bare_root.sh [packages [SUITE [FOLDER]]]      tries what `./bootstrap package` built
# bare_root.sh bootstrap [SUITE [ARG...]]       runs `./bootstrap ARG...` in a clone of what is committed
#
# Both in a minimal Debian (SUITE, bookworm) that debootstrap makes, with an empty home: nothing is there that a
# user's machine need not have.  The first runs the program from the .tar.gz and from inside the .vsix, then installs
# the .deb, runs that and removes it; with the default model, where the user has it, each completes a line; two
# minutes.  The second is for `test --only REGEX`, `demo` and `install`; it fetches everything.  Both need root and
# the network, and run by hand.  KEEP=1 leaves the root where it is, and says where; ROOT=FOLDER goes on in such a one.
set -eu
what=${1:-packages}
suite=${2:-bookworm}
top=$(cd "$(dirname "$0")/../.." && pwd -P)
[ "$what" = packages ] || [ "$what" = bootstrap ] ||
    { echo "usage: bare_root.sh [packages [SUITE [FOLDER]] | bootstrap [SUITE [ARG...]]]" >&2; exit 2; }
command -v debootstrap >/dev/null || { echo "install debootstrap first" >&2; exit 77; }
[ "$(id -u)" -eq 0 ] || { echo "a system root wants root" >&2; exit 77; }

# new_root: a minimal system, with the settings of apt from outside.
new_root() {
    debootstrap --variant=minbase "$suite" "$root" >"$root.log" 2>&1 ||
        { tail -n 5 "$root.log"; exit 1; }
    rm -f "$root.log"
    cp /etc/apt/apt.conf.d/* "$root/etc/apt/apt.conf.d/" 2>/dev/null || true
}

# The certificates that are trusted outside, for programs that do not look where the system has them.
certificates=
trust() {
    local name
    for name in NODE_EXTRA_CA_CERTS SSL_CERT_FILE PIP_CERT REQUESTS_CA_BUNDLE CURL_CA_BUNDLE GIT_SSL_CAINFO; do
        [ -r "${!name:-}" ] || continue
        cp "${!name}" "$root/usr/local/share/$name.crt"
        certificates="$certificates $name=/usr/local/share/$name.crt"
    done
}

root=${ROOT:-$(mktemp -d)}
if [ -n "${KEEP:-}${ROOT:-}" ]; then
    echo "the root stays in $root"
else
    trap 'rm -rf --one-file-system "$root"' EXIT
fi
[ -n "${ROOT:-}" ] || new_root
trust

# inside COMMAND...: in the root, with processes, mounts and an environment of its own, so that whatever it leaves
# running or mounted ends with it.
inside() {
    local keep name
    keep=$(env | sed -n 's/^\(INLINED_[A-Z_]*\|[a-z]*_proxy\|[A-Z]*_PROXY\)=.*/\1/p' | paste -s -d ' ')
    # shellcheck disable=SC2016,SC2046,SC2086
    unshare --mount --pid --fork bash -eu -c '
        root=$1
        shift
        mount -t proc proc "$root/proc"
        mkdir -p "$root/dev/shm" "$root/dev/pts"
        mount -t tmpfs tmpfs "$root/dev/shm"
        mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
        exec chroot "$root" /usr/bin/env -i HOME=/root LANG=C.UTF-8 \
            PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
    ' bash "$root" $(for name in $keep; do printf '%s=%s ' "$name" "${!name}"; done) $certificates "$@"
}

if [ "$what" = bootstrap ]; then
    rm -rf "$root/src/.git"
    git clone -q --no-hardlinks --bare "$top" "$root/src/.git"
    git -C "$root/src" config core.bare false
    git -C "$root/src" reset -q --hard
    shift
    [ $# -eq 0 ] || shift
    inside /src/bootstrap "$@"
    exit
fi

packages=${3:-$top/build/packages}
mkdir "$root/packages"
cp "$packages"/* "$root/packages/"
mkdir -p "$root/opt/vsix" "$root/root/.local/share/inlined/models"
python3 -m zipfile -e "$packages"/*.vsix "$root/opt/vsix"
chmod +x "$root"/opt/vsix/extension/bin/inlined
cp "${XDG_DATA_HOME:-$HOME/.local/share}"/inlined/models/inlined-fim-135m* \
    "$root/root/.local/share/inlined/models/" 2>/dev/null || echo "no default model: nothing is completed"
cat >"$root/root/price.py" <<'TEXT'
def total(items):
    result = 0
    for item in items:
        result +=
    return result
TEXT
inside /bin/sh -eu -c '
    export DEBIAN_FRONTEND=noninteractive
    # try NAME PROGRAM: its version, what doctor says against it, and a completion.
    try() {
        echo "from the $1: $($2 --version)"
        ls /root/.local/share/inlined/models/*.gguf >/dev/null 2>&1 || return 0
        printf "    completes: "
        $2 complete /root/price.py:4:18 || { echo "FAILED"; exit 1; }
        echo
    }
    # First what needs nothing of the system, while nothing is installed.
    mkdir /opt/inlined
    tar -xzf /packages/*.tar.gz -C /opt/inlined --strip-components=1
    try .tar.gz /opt/inlined/bin/inlined
    test -e /opt/inlined/share/nvim/site/pack/inlined/start/inlined/plugin/inlined.lua
    test -e /opt/inlined/share/inlined/inlined.vsix
    try .vsix /opt/vsix/extension/bin/inlined
    apt-get -qq update
    apt-get -q -y install --no-install-recommends /packages/*.deb >/dev/null
    try .deb inlined
    test -e /usr/share/nvim/site/pack/inlined/start/inlined/plugin/inlined.lua
    test -e /usr/share/nvim/site/pack/inlined/start/inlined/doc/tags
    test -e /usr/share/inlined/inlined.vsix
    inlined models list --json | head -c 200 >/dev/null
    apt-get -q -y remove inlined >/dev/null
    left=$(ls -d /usr/bin/inlined /usr/share/inlined /usr/share/nvim/site/pack/inlined 2>/dev/null || true)
    [ -z "$left" ] || { echo "FAILED: the .deb left $left"; exit 1; }
    echo "the .deb is removed without a trace"
    /opt/inlined/bin/inlined doctor || true
'
