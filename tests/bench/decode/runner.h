/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the two programs that decode.py and ../gpu/run.py compare have in common: the conversation
 * on stdin and stdout, the clock and the token ids.  Nothing of the engine, so that llama_cpp.c,
 * which is compiled against llama.cpp's headers alone, shares it.
 *
 *     -> "ready DESCRIPTION"            once the model is loaded and has run one step
 *     <- "run DEPTH PREFILL DECODE"     -> "PREFILL_SECONDS DECODE_SECONDS"
 *     <- "many SEQUENCES DEPTH STEPS"   -> "0 SECONDS"
 *     <- "load"                         -> "0 SECONDS" that loading took, with the first step
 *     <- end of input                   ends the program
 *
 * run: DEPTH tokens come first, untimed; then PREFILL tokens, of which the last wants logits; then
 * DECODE steps of one token with logits.  many: DEPTH tokens of each sequence, untimed, then STEPS
 * steps of one token of each.  Token ids are fixed: no sampling in either. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RUNNER_TOKENS 8192 /* longest sequence, or all sequences together */
#define RUNNER_SEQUENCES 8

static inline double runner_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The id at a position: far apart, so that no two neighbours share a row of the embedding. */
static inline int runner_token(int position, int vocab) {
    return (int)((long long)position * 7919 % (vocab - 64));
}

typedef struct {
    const char *description;
    int chunk;     /* tokens of a prompt that go in one call */
    double loaded; /* seconds */
    void *ud;
    /* Feeds tokens from..to-1 of one sequence, `step` at a time; exits on failure. */
    void (*feed)(void *ud, int sequence, int from, int to, int step);
    /* One token at position `at` of each of the first n sequences. */
    void (*together)(void *ud, int n, int at);
} runner;

static inline double runner_run(const runner *r, long depth, long prefill, long decode) {
    int all = (int)(depth + prefill + decode);
    r->feed(r->ud, 0, 0, (int)depth, r->chunk);
    double start = runner_seconds();
    r->feed(r->ud, 0, (int)depth, (int)(depth + prefill), r->chunk);
    double middle = runner_seconds();
    r->feed(r->ud, 0, (int)(depth + prefill), all, 1);
    printf("%.6f ", middle - start);
    return runner_seconds() - middle;
}

static inline double runner_many(const runner *r, long n, long depth, long steps) {
    for (int q = 0; q < n; q++)
        r->feed(r->ud, q, 0, (int)depth, r->chunk);
    double start = runner_seconds();
    for (long i = 0; i < steps; i++)
        r->together(r->ud, (int)n, (int)(depth + i));
    printf("0 ");
    return runner_seconds() - start;
}

static inline void runner_serve(const runner *r) {
    char line[128];
    printf("ready %s\n", r->description);
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        if (strncmp(line, "load", 4) == 0) {
            printf("0 %.6f\n", r->loaded);
            fflush(stdout);
            continue;
        }
        bool many = line[0] == 'm';
        char *at = line + (many ? 4 : 3), *end;
        long a = strtol(at, &end, 10), b = strtol(end, &at, 10), c = strtol(at, &end, 10);
        long all = many ? a * (b + c) : a + b + c;
        if (end == at || a < 0 || b < 0 || c < 0 || all > RUNNER_TOKENS) exit(2);
        if (many && a > RUNNER_SEQUENCES) exit(2);
        printf("%.6f\n", many ? runner_many(r, a, b, c) : runner_run(r, a, b, c));
        fflush(stdout);
    }
}
