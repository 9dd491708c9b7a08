# SPDX-License-Identifier: Apache-2.0
# steps.sh: how bootstrap speaks.  One line per step with its seconds, a sign of life while it runs,
# and on failure the last 20 lines of its log and what to do.  Sourced by bootstrap; wants TOP and
# CACHE.

STEP=0
STEP_PID=
unset STEP_SOFT # a caller's word for its own step is not ours
LOGS=$TOP/build/bootstrap-log

say() { printf '%s\n' "$*"; }

die_usage() {
    printf 'bootstrap: %s\n\n' "$1" >&2
    usage >&2
    exit 2
}

# die WHAT HINT: ends bootstrap where no step is running.
die() {
    printf '\nFAILED: %s\n  what to do: %s\n' "$1" "$2" >&2
    exit 1
}

steps_begin() {
    mkdir -p "$LOGS" "$CACHE" 2>/dev/null ||
        die "cannot write $LOGS or $CACHE" "give INLINED_CACHE a folder that you may write"
    local os=unknown
    [ ! -r /etc/os-release ] || os=$(. /etc/os-release && printf '%s %s' "$ID" "${VERSION_ID:-}")
    say "inlined bootstrap $1 ($os, $(nproc) cores, cache $CACHE)"
    trap 'steps_stop; exit 130' INT
    trap 'steps_stop; exit 143' TERM HUP
    exec 9>"$LOGS/.lock"
    lock_take 9 "this clone"
    rm -f "$LOGS"/*.log
}

# lock_take FD NAME: waits, visibly, until no other bootstrap holds the open lock file.
lock_take() {
    flock -n "$1" && return 0
    say "waiting: another bootstrap works in $2"
    flock "$1"
}

steps_stop() {
    [ -z "$STEP_PID" ] || kill -TERM -- "-$STEP_PID" 2>/dev/null || true
    printf '\nstopped\n' >&2
}

# step TITLE HINT CMD...: runs CMD in its own process group (so that an interrupt ends all of it),
# output into a log.  A failure ends bootstrap, or with STEP_SOFT=1 is returned.
step() {
    local title=$1 hint=$2 start now shown=0 rc=0
    shift 2
    STEP=$((STEP + 1))
    STEP_LOG=$LOGS/$(printf '%02d-%s.log' "$STEP" "$(printf '%s' "$title" | tr -cs 'a-zA-Z0-9' -)")
    start=$EPOCHREALTIME
    [ ! -t 1 ] || printf '[%2d] %s ...' "$STEP" "$title"
    set -m
    (unset STEP_SOFT; exec 9>&- 8>&-; "$@") >"$STEP_LOG" 2>&1 </dev/null &
    STEP_PID=$!
    set +m
    while kill -0 "$STEP_PID" 2>/dev/null; do
        now=$((${EPOCHREALTIME%.*} - ${start%.*}))
        if [ -t 1 ] && [ "$now" -gt 0 ]; then
            printf '\r\033[K[%2d] %s ... %d s  %s' "$STEP" "$title" "$now" "$(step_tail 60)"
        elif [ ! -t 1 ] && [ "$now" -ge $((shown + 15)) ]; then
            shown=$now
            printf '     %s: %d s  %s\n' "$title" "$now" "$(step_tail 80)"
        fi
        sleep 0.1
    done
    wait "$STEP_PID" || rc=$?
    STEP_PID=
    step_end "$title" "$hint" "$start" "$rc"
}

# step_live TITLE HINT CMD...: the same for a command that shows its own progress.
step_live() {
    local title=$1 hint=$2 start=$EPOCHREALTIME rc=0
    shift 2
    STEP=$((STEP + 1))
    STEP_LOG=
    printf '[%2d] %s\n' "$STEP" "$title"
    (unset STEP_SOFT; exec 9>&- 8>&-; "$@") </dev/null || rc=$?
    step_end "$title" "$hint" "$start" "$rc"
}

step_end() {
    local ms=$(((${EPOCHREALTIME/./} - ${3/./}) / 1000))
    [ ! -t 1 ] || [ -z "$STEP_LOG" ] || printf '\r\033[K'
    if [ "$4" -eq 0 ]; then
        printf '[%2d] %-46s %4d.%d s\n' "$STEP" "$1" $((ms / 1000)) $((ms % 1000 / 100))
        return 0
    fi
    printf '[%2d] %s: FAILED after %d s (exit %d)\n' "$STEP" "$1" $((ms / 1000)) "$4"
    if [ -n "$STEP_LOG" ]; then
        tail -n 20 "$STEP_LOG" | sed 's/^/     | /'
        say "     whole log: $STEP_LOG"
    fi
    say "     what to do: $2"
    [ -z "${STEP_SOFT:-}" ] || return "$4"
    exit 1
}

# step_tail N: the last line of the running step's log, cut to N characters.
step_tail() {
    tail -c 400 "$STEP_LOG" 2>/dev/null | tr '\r\t' '\n ' | tr -cd '[:print:]\n' |
        grep -v '^ *$' | tail -n 1 | cut -c "1-$1" || true
}

# key FILE...: names what was made from these files.
key() { cat "$@" | sha256sum | cut -c 1-16; }
