/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the two programs that decode.py compares have in common: the conversation on stdin and
 * stdout, the clock and the token ids.  Nothing of the engine, so that llama_cpp.c, which is
 * compiled against llama.cpp's headers alone, shares it.
 *
 *     -> "ready DESCRIPTION"            once the model is loaded and has run one step
 *     <- "run DEPTH PREFILL DECODE"     -> "PREFILL_SECONDS DECODE_SECONDS"
 *     <- end of input                   ends the program
 *
 * DEPTH tokens come first, untimed; then PREFILL tokens, of which the last wants logits; then
 * DECODE steps of one token with logits.  Token ids are fixed: no sampling in either. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RUNNER_TOKENS 8192 /* longest sequence */

static inline double runner_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The id at a position: far apart, so that no two neighbours share a row of the embedding. */
static inline int runner_token(int position, int vocab) {
    return (int)((long long)position * 7919 % (vocab - 64));
}

/* Feeds tokens from..to-1, `step` at a time; exits on failure. */
typedef void (*runner_feed)(void *ud, int from, int to, int step);

static inline void runner_serve(const char *description, int chunk, runner_feed feed, void *ud) {
    char line[128];
    printf("ready %s\n", description);
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        char *at = line + 3, *end;
        long depth = strtol(at, &end, 10), prefill = strtol(end, &at, 10),
             decode = strtol(at, &end, 10), all = depth + prefill + decode;
        if (end == at || depth < 0 || prefill < 0 || decode < 0 || all > RUNNER_TOKENS) exit(2);
        feed(ud, 0, (int)depth, chunk);
        double start = runner_seconds();
        feed(ud, (int)depth, (int)(depth + prefill), chunk);
        double middle = runner_seconds();
        feed(ud, (int)(depth + prefill), (int)all, 1);
        printf("%.6f %.6f\n", middle - start, runner_seconds() - middle);
        fflush(stdout);
    }
}
