#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# fuzz.sh PROGRAMS CORPUS SECONDS [NAME...]: runs the libFuzzer programs of the folder PROGRAMS, all or
# those named, two at once.
# What they find new is kept in CORPUS/<target>, so that each run starts where the last one ended;
# the seeds are those of tests/fuzz/corpus/<target>.  A crash leaves its input in PROGRAMS/crash, and a
# small one is printed with what the sanitizers said: a log alone is enough to replay it.
set -eu

# What went wrong in LOG, and the small inputs that the run left, whose names begin with PREFIX.
say_why() {
    local log=$1 prefix=$2 input
    awk '/== ?ERROR|runtime error|: bug: / && !from { from = NR } from && NR < from + 30' "$log"
    grep '^SUMMARY' "$log" || tail -n 40 "$log"
    for input in "$prefix"*; do
        [ "$input" -nt "$log.start" ] && [ "$(stat -c %s "$input")" -lt 2048 ] || continue
        echo "$(basename "$input") in base64: $(base64 -w 0 "$input")"
    done
}

fuzz_one() {
    local target=$1 name log
    name=$(basename "$target")
    log=$CRASH/$name.log
    mkdir -p "$CORPUS/$name"
    set -- "$CORPUS/$name"
    [ ! -d "$SEEDS/$name" ] || set -- "$@" "$SEEDS/$name"
    touch -d '1 second ago' "$log.start"
    if "$target" "-max_total_time=$SECONDS_EACH" -timeout=20 -rss_limit_mb=3000 \
        "-artifact_prefix=$CRASH/$name-" -print_final_stats=1 "$@" >"$log" 2>&1; then
        echo "fuzz ok $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") runs"
    else
        say_why "$log" "$CRASH/$name-" | sed "s/^/fuzz why $name: /"
        echo "fuzz FAILED $name: input in $CRASH, replay: $target INPUT"
        return 1
    fi
}

[ $# -ge 3 ] || { echo "usage: fuzz.sh PROGRAMS CORPUS SECONDS [NAME...]" >&2; exit 2; }
SEEDS=$(cd "$(dirname "$0")/../fuzz" && pwd -P)/corpus
CORPUS=$2 SECONDS_EACH=$3 CRASH=$1/crash
export SEEDS CORPUS SECONDS_EACH CRASH
export -f fuzz_one say_why
mkdir -p "$CRASH"
if [ $# -gt 3 ]; then
    targets=("${@:4}")
    targets=("${targets[@]/#/$1/}")
else
    mapfile -t targets < <(find "$1" -maxdepth 1 -type f -executable | sort)
fi
[ ${#targets[@]} -gt 0 ] || { echo "no fuzz target in $1"; exit 1; }
printf '%s\0' "${targets[@]}" | xargs -0 -n 1 -P 2 bash -eu -c 'fuzz_one "$0"'
