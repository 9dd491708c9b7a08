# SPDX-License-Identifier: Apache-2.0
# suite.sh: which builds `bootstrap test` makes and what runs in each.  Sourced by bootstrap.
#
#   build/        gcc, Release              every test
#   build-asan/   clang, ASan and UBSan     label unit
#   build-tsan/   clang, TSan               label threads, and only these programs
#   build-arm64/  gcc for AArch64           tests of kernels/ under QEMU, where the host is an x86
#   build-fuzz/   clang, libFuzzer          every fuzz target for INLINED_FUZZ_S seconds
# With `--only REGEX` (SUITE_ONLY), the tests of build/ with such names, and no more built than they
# need.  All with warnings as errors.  A failed test does not stop the rest; a failed build does.  What is
# slow and has passed with exactly these inputs is left out, and said: see unchanged.py.

SUITE_PASSED=0
SUITE_FAILED=0
SUITE_UNCHANGED=0

# unchanged JOB ARGS...: unchanged.py with the store that the clones share.
unchanged() {
    local job=$1
    shift
    "$PYTHON" "$TOP/tests/tools/unchanged.py" "$job" "$CACHE/passed" "$@"
}

# tell_unchanged FILE: shows and counts what was left out.
tell_unchanged() {
    sed -n 's/^     /&/p' "$1"
    SUITE_UNCHANGED=$((SUITE_UNCHANGED + $(grep -c '^     unchanged since' "$1" || true)))
}

# cmake_build DIR TARGET ARGS...: configures and builds; the shared arguments are here.  The target
# `chosen` is what the tests of SUITE_ONLY need.
cmake_build() {
    local dir=$1 target=$2 launcher=() programs
    shift 2
    set -e
    if command -v ccache >/dev/null; then
        launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
        export CCACHE_DIR=$CACHE/ccache CCACHE_BASEDIR=$TOP CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE=2G
    fi
    if [ -n "${NVCC:-}" ]; then
        launcher+=("-DCMAKE_CUDA_COMPILER=$NVCC")
        command -v ccache >/dev/null && launcher+=(-DCMAKE_CUDA_COMPILER_LAUNCHER=ccache)
    fi
    [ -z "${DEPS:-}" ] || launcher+=("-DINLINED_DEPS=$DEPS")
    forget_other_compiler "$TOP/$dir" "$@"
    cmake -S "$TOP" -B "$TOP/$dir" -G Ninja "${launcher[@]}" "$@"
    if [ "$target" = chosen ]; then
        programs=$("$PYTHON" "$TOP/tests/tools/programs_of.py" "$TOP/$dir" "$SUITE_ONLY")
        target=$programs
    fi
    # shellcheck disable=SC2086
    cmake --build "$TOP/$dir" -j "$JOBS" --target $target
}

# forget_other_compiler DIR ARGS...: CMake answers a change of compiler by starting again without
# the other arguments that it was given, so the folder begins anew.
forget_other_compiler() {
    local cache=$1/CMakeCache.txt arg had
    [ -e "$cache" ] || return 0
    had=$(sed -n 's/^CMAKE_C_COMPILER:[A-Z]*=//p' "$cache")
    for arg in "$@"; do
        case $arg in
            -DCMAKE_C_COMPILER=*)
                [ "${had##*/}" = "${arg#*=}" ] || rm -f "$cache"
                ;;
        esac
    done
}

# build_release JOB: the build that demo and install use; tests only where they already are.
build_release() {
    local args=(-DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER=gcc "${PORTABLE[@]}")
    [ -e "$TOP/build/CMakeCache.txt" ] || args+=(-DINLINED_TESTS=OFF)
    step "build (gcc, Release)" "see the compiler's message; a fresh start: rm -rf build" \
        cmake_build build inlined "${args[@]}"
}

build_for_test() {
    local dir=$1 title=$2 target=$3
    shift 3
    step "build ($title)" "see the compiler's message; a fresh start: rm -rf $dir" \
        cmake_build "$dir" "$target" -DINLINED_WERROR=ON -DINLINED_TESTS=ON \
        "-DINLINED_PYTHON=$TEST_VENV/bin/python" "-DINLINED_NODE=$NODE_BIN/node" \
        "-DINLINED_PEERS=$PEERS/node_modules" "-DINLINED_LLAMA_CPP=$LLAMA" \
        "-DINLINED_MCP_NPM=$MCP_NPM/node_modules" "-DINLINED_MCP_PYTHON=$MCP_VENV/bin/python" \
        "-DINLINED_MCP_SERVERS=$MCP_SERVERS" \
        "-DINLINED_NVIM_10=$NVIM_10/bin/nvim" "-DINLINED_NVIM_11=$NVIM_11/bin/nvim" \
        "-DINLINED_NVIM_12=$NVIM_12/bin/nvim" "-DINLINED_EDITORS=$EDITORS" \
        "-DINLINED_CODE_SERVER=$CODE_SERVER" "-DINLINED_CODE_NODE=$CODE_NODE" \
        "-DINLINED_CODE_OLDEST=$CODE_OLDEST" "-DINLINED_CODE_OLDEST_NODE=$CODE_OLDEST_NODE" "$@"
}

# need_test_model: sets TEST_MODEL, the plain base model.  Its place is known only to the program,
# so a first run builds that before it configures the tests.
need_test_model() {
    local name=smollm2-135m-instruct
    if [ ! -x "$TOP/build/inlined" ]; then
        step "build the program" "see the compiler's message; a fresh start: rm -rf build" \
            cmake_build build inlined -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER=gcc \
            -DINLINED_WERROR=ON -DINLINED_TESTS=ON
    fi
    model_pull $name
    model_pull default
    TEST_MODEL=$("$TOP/build/inlined" models path $name)
}

# count_tests LOG: adds ctest's own numbers up.
count_tests() {
    local line
    line=$(grep -E '^[0-9]+% tests passed' "$1" | tail -n 1 || true)
    [ -n "$line" ] || return 0
    # "97% tests passed, 1 tests failed out of 34"
    local failed=${line#*passed, } total=${line##*out of }
    failed=${failed%% *}
    SUITE_FAILED=$((SUITE_FAILED + failed))
    SUITE_PASSED=$((SUITE_PASSED + total - failed))
    say "     $line"
    sed -n '/did not run:/,/^$/p; /tests FAILED:/,$p' "$1" | sed 's/^/     /'
    [ "$failed" -eq 0 ] || show_failed "$1"
}

# show_failed LOG: the last 40 lines of each failed test's own output, because often nothing but
# what is printed here survives the machine that ran it.
show_failed() {
    awk '/Test +#[0-9]+: /       { flush(); name = /\*\*\*/ ? $0 : ""; next }
         /^ +Start +[0-9]+: /    { next }
         /^[0-9]+% tests passed/ { flush() }
         name != ""              { line[n++] = $0 }
         function flush(   i) {
             if (name != "") {
                 print "     " name
                 for (i = n > 40 ? n - 40 : 0; i < n; i++) print "     | " line[i]
             }
             n = 0; name = ""
         }' "$1"
}

# second_try DIR TITLE: the failed tests with other people's programs (editors, browsers, servers),
# once more, one at a time.  Beside two others on two cores a window may open a minute late, and
# that says nothing about us; a test that fails alone, too, has failed.  What needed it is said.
second_try() {
    local dir=$1 title=$2 failed=$1/Testing/Temporary/LastTestsFailed.log names log passed
    [ -s "$failed" ] || return 0
    names=$(sed 's/^[0-9]*://' "$failed" | paste -s -d '|')
    ctest --test-dir "$dir" -N -R "^($names)\$" -LE unit | grep -q 'Test  *#' || return 0
    STEP_SOFT=1 step "$title: a second try, alone" "ctest --test-dir $dir -R '^($names)\$'" \
        ctest --test-dir "$dir" --output-on-failure -R "^($names)\$" -LE unit || true
    log=$STEP_LOG
    passed=$(grep -cE ' Passed +[0-9.]+ sec' "$log" || true)
    grep -E ' Passed +[0-9.]+ sec' "$log" | sed 's/^/     only at the second try: /' || true
    SUITE_FAILED=$((SUITE_FAILED - passed))
    SUITE_PASSED=$((SUITE_PASSED + passed))
    show_failed "$log"
}

# run_tests DIR TITLE CTEST-ARGS...: TEST_UNDER, if set, is the command that ctest runs under.
run_tests() {
    local dir=$TOP/$1 title=$2 at=$TOP/$1/unchanged rc=0 but=()
    shift 2
    export INLINED_MODEL=$TEST_MODEL INLINED_PEERS=$PEERS/node_modules INLINED_NODE=$NODE_BIN/node
    mkdir -p "$at"
    unchanged plan "$dir" "$@" >"$at/said"
    tell_unchanged "$at/said"
    [ ! -s "$at/exclude" ] || but=(-E "$(cat "$at/exclude")")
    [ "$(cat "$at/left")" != 0 ] || return 0
    rm -f "$at/junit.xml"
    # One more than cores: most slow tests wait for editors and servers more than they compute.
    STEP_SOFT=1 step "$title" "ctest --test-dir $dir --rerun-failed --output-on-failure" \
        ${TEST_UNDER:-} ctest --test-dir "$dir" --output-on-failure --no-tests=error \
        --output-junit "$at/junit.xml" -j $((JOBS + 1)) "$@" "${but[@]}" || rc=$?
    count_tests "$STEP_LOG"
    # ctest that dies without numbers (or finds no test) must not look green.
    if [ "$rc" -ne 0 ] && ! grep -qE '^[0-9]+% tests passed' "$STEP_LOG"; then
        SUITE_FAILED=$((SUITE_FAILED + 1))
    fi
    [ ! -e "$at/junit.xml" ] || unchanged passed "$dir"
    [ "$rc" -eq 0 ] || second_try "$dir" "$title"
}

# run_aarch64: the arithmetic of another processor, against the same reference.
run_aarch64() {
    [ "$(uname -m)" = x86_64 ] || return 0
    local before=$SUITE_FAILED said=$LOGS/aarch64.unchanged
    local from=(aarch64 CMakeLists.txt tests/CMakeLists.txt tests/kernels tests/tools kernels engine/base)
    if unchanged sources "${from[@]}" >"$said"; then
        tell_unchanged "$said"
        return 0
    fi
    step "build (gcc for AArch64, kernels)" "see the message; a fresh start: rm -rf build-arm64" \
        cmake_build build-arm64 all "-DCMAKE_TOOLCHAIN_FILE=$TOP/tests/tools/aarch64.cmake" \
        -DINLINED_KERNELS_ONLY=ON -DINLINED_CUDA=OFF -DINLINED_WERROR=ON -DCMAKE_BUILD_TYPE=Release
    run_tests build-arm64 "kernels for AArch64 (QEMU)"
    [ "$SUITE_FAILED" -ne "$before" ] || unchanged sources "${from[@]}" --passed
}

run_fuzz() {
    local at=$TOP/build-fuzz/unchanged seconds=${INLINED_FUZZ_S:-60} rc=0 targets
    mkdir -p "$at"
    unchanged fuzz "$TOP/build-fuzz" "$seconds" >"$at/said"
    tell_unchanged "$at/said"
    mapfile -t targets <"$at/targets"
    [ ${#targets[@]} -gt 0 ] || return 0
    STEP_SOFT=1 step "fuzz ${#targets[@]} targets, $seconds s each, two at a time" \
        "the log names the input; replay it with the target's program" \
        "$TOP/tests/tools/fuzz.sh" "$TOP/build-fuzz/fuzz" "$CACHE/corpus" "$seconds" "${targets[@]}" ||
        rc=$?
    SUITE_PASSED=$((SUITE_PASSED + $(grep -c '^fuzz ok' "$STEP_LOG" || true)))
    SUITE_FAILED=$((SUITE_FAILED + $(grep -c '^fuzz FAILED' "$STEP_LOG" || true)))
    grep -E '^fuzz (ok|FAILED|why)' "$STEP_LOG" | sed 's/^/     /' || true
    unchanged fuzzed "$TOP/build-fuzz" "$STEP_LOG"
    if [ "$rc" -ne 0 ] && [ "$SUITE_FAILED" -eq 0 ]; then
        SUITE_FAILED=1
    fi
}

# The variant that is shipped, as it is shipped.
build_release_for_test() {
    build_for_test build "$1" "$2" -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER=gcc \
        "${PORTABLE[@]}"
}

# suite_run_chosen: the tests of the Release build whose names match SUITE_ONLY.
suite_run_chosen() {
    local start=$SECONDS
    need_test_model
    build_release_for_test "gcc, Release, for --only" chosen
    run_tests build "tests that match $SUITE_ONLY" -R "$SUITE_ONLY"
    suite_end "$start"
}

suite_run() {
    local start=$SECONDS
    need_test_model
    build_release_for_test "gcc, Release, -Werror" all
    run_tests build "all tests (Release)"

    build_for_test build-asan "clang, ASan and UBSan" all \
        -DCMAKE_C_COMPILER=clang -DINLINED_CUDA=OFF -DCMAKE_BUILD_TYPE=Debug \
        "-DCMAKE_C_FLAGS=-O1" -DINLINED_SANITIZE=address,undefined
    run_tests build-asan "unit tests (ASan and UBSan)" -L unit

    # TSan's shadow memory clashes with the widest address randomisation of newer kernels.
    local noaslr="setarch $(uname -m) -R"
    $noaslr true 2>/dev/null || noaslr=
    build_for_test build-tsan "clang, TSan" threaded_tests \
        -DCMAKE_C_COMPILER=clang -DINLINED_CUDA=OFF -DCMAKE_BUILD_TYPE=Debug \
        "-DCMAKE_C_FLAGS=-O1" -DINLINED_SANITIZE=thread
    TEST_UNDER=$noaslr run_tests build-tsan "threaded tests (TSan)" -L threads

    run_aarch64

    build_for_test build-fuzz "clang, libFuzzer" fuzzers \
        -DCMAKE_C_COMPILER=clang -DINLINED_CUDA=OFF -DCMAKE_BUILD_TYPE=Debug \
        "-DCMAKE_C_FLAGS=-O1" -DINLINED_FUZZ=ON
    run_fuzz
    suite_end "$start"
}

# suite_end START
suite_end() {
    say ""
    say "whole run: $((SECONDS - $1)) s, logs in build/bootstrap-log"
    say "$SUITE_PASSED passed, $SUITE_FAILED failed, $SUITE_UNCHANGED unchanged since they passed"
    [ "$SUITE_FAILED" -eq 0 ]
}
