/* SPDX-License-Identifier: Apache-2.0 */
/* What it brings that the rows of several editors go through the model in one step: 1, 2, 4 and 8
 * editors that ask at the same moment, each with a prompt of its own, answered all together and one
 * after another.  Once with prompts that are in the cache (then it is decoding alone), once with
 * prompts that nobody has seen.  One CSV line per case, the median round by its time:
 *     prompts,editors,how,tokens_per_s,first_p50_ms,first_max_ms,all_ms,shared
 * tokens_per_s: written by all, over the time until the last had all of its.  first: from the
 * question to the first token.  shared: of the steps of all, in percent, those with others' rows.
 *
 *   bench_together MODEL.gguf [--tokens N] [--lines N] [--rounds N] [--threads N]
 *     [--device cpu|cuda] */
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/engine.h"

enum { EDITORS_MAX = 8, ROUNDS_MAX = 32 };

typedef struct {
    job_id id;
    double posted_ms, first_ms; /* first: after the question */
    bool done;
} question;

typedef struct {
    double all_ms, first_p50_ms, first_max_ms;
    int steps, shared;
} round_result;

typedef struct {
    engine *g;
    int tokens, lines, rounds;
    bool loaded;
    question at[EDITORS_MAX];
    double asked_ms; /* by all of them */
    int written;
    round_result now;
    uint64_t serial; /* no two prompts are the same */
} bench;

static void die(const char *sentence) {
    fprintf(stderr, "bench_together: %s\n", sentence);
    exit(1);
}

static void on_event(void *ud, const engine_event *ev) {
    bench *b = ud;
    if (ev->kind == EV_LOAD_FAILED) die(ev->error->text);
    if (ev->kind == EV_LOADED) b->loaded = true;
    if (ev->kind != EV_DONE) return;
    const engine_result *r = ev->result;
    if (r->status) die(r->error.text);
    for (int i = 0; i < EDITORS_MAX; i++) {
        question *q = &b->at[i];
        if (q->id != ev->job) continue;
        q->done = true;
        q->first_ms = q->posted_ms + r->queue_ms + r->prefill_ms - b->asked_ms;
    }
    b->written += r->n_tokens;
    b->now.steps += r->steps;
    b->now.shared += r->shared_steps;
}

static void pump(bench *b) {
    engine_drain(b->g, on_event, b);
    usleep(50);
}

static void ask(bench *b, int editor, uint64_t serial, int tokens) {
    strbuf text;
    strbuf_init(&text, 1u << 20);
    strbuf_addf(&text, "# %llu of editor %d\n", (unsigned long long)serial, editor);
    for (int i = 0; i < b->lines; i++)
        strbuf_addf(&text, "static int value_%d = %d;\n", i, i * (editor + 3));
    b->at[editor] = (question){.posted_ms = clock_ms()};
    err e;
    status s =
        engine_submit(b->g,
                      &(engine_job){.client = (uint64_t)editor + 1,
                                    .priority = PRIO_TYPE,
                                    .prompt = {.kind = PROMPT_TEXT, .prefix = strbuf_str(&text)},
                                    .sampling = {.top_p = 1, .repeat_penalty = 1},
                                    .tokens_max = tokens,
                                    .no_guesses = true,
                                    .ignore_eog = true},
                      &b->at[editor].id, &e);
    if (s) die(e.text);
    strbuf_deinit(&text);
}

static void wait_for(bench *b, int editor) {
    while (!b->at[editor].done)
        pump(b);
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int by_time(const void *a, const void *b) {
    return by_size(&((const round_result *)a)->all_ms, &((const round_result *)b)->all_ms);
}

static round_result run_round(bench *b, int editors, bool together, bool warm) {
    uint64_t serial = ++b->serial;
    for (int i = 0; i < editors && warm; i++) {
        ask(b, i, serial, 1);
        wait_for(b, i);
    }
    b->now = (round_result){0};
    b->written = 0;
    b->asked_ms = clock_ms();
    for (int i = 0; i < editors; i++) {
        ask(b, i, serial, b->tokens);
        if (!together) wait_for(b, i);
    }
    double first[EDITORS_MAX];
    for (int i = 0; i < editors; i++) {
        wait_for(b, i);
        first[i] = b->at[i].first_ms;
    }
    b->now.all_ms = clock_ms() - b->asked_ms;
    if (b->written != editors * b->tokens) die("a job ended early; use a smaller --tokens");
    qsort(first, (size_t)editors, sizeof first[0], by_size);
    b->now.first_p50_ms = first[editors / 2];
    b->now.first_max_ms = first[editors - 1];
    return b->now;
}

static void measure(bench *b, bool warm) {
    for (int editors = 1; editors <= EDITORS_MAX; editors *= 2) {
        round_result rounds[2][ROUNDS_MAX];
        for (int i = 0; i < b->rounds; i++)
            for (int together = 0; together < 2; together++)
                rounds[together][i] = run_round(b, editors, together, warm);
        for (int together = 0; together < 2; together++) {
            qsort(rounds[together], (size_t)b->rounds, sizeof rounds[0][0], by_time);
            const round_result *r = &rounds[together][b->rounds / 2];
            printf("%s,%d,%s,%.1f,%.1f,%.1f,%.0f,%.0f\n", warm ? "cached" : "new", editors,
                   together ? "together" : "in turns", editors * b->tokens * 1000 / r->all_ms,
                   r->first_p50_ms, r->first_max_ms, r->all_ms, 100.0 * r->shared / r->steps);
            fflush(stdout);
        }
    }
}

int main(int argc, char **argv) {
    if (argc < 2)
        die("usage: bench_together MODEL.gguf [--tokens N] [--lines N] [--rounds N] [--threads N] "
            "[--device cpu|cuda]");
    bench *b = xcalloc(1, sizeof *b);
    *b = (bench){.tokens = 64, .lines = 30, .rounds = 5};
    engine_options options = {.device = K_CPU};
    for (int i = 2; i + 1 < argc; i += 2) {
        int64_t n = 0;
        bool number = str_to_i64(str_of(argv[i + 1]), &n) && n > 0 && n < 2000;
        if (!strcmp(argv[i], "--tokens") && number) b->tokens = (int)n;
        if (!strcmp(argv[i], "--lines") && number) b->lines = (int)n;
        if (!strcmp(argv[i], "--rounds") && number) b->rounds = (int)MIN(n, ROUNDS_MAX);
        if (!strcmp(argv[i], "--threads") && number) options.threads = (int)n;
        if (!strcmp(argv[i], "--device") && !strcmp(argv[i + 1], "cuda")) options.device = K_CUDA;
    }
    err e;
    if (engine_start(&b->g, &options, &e)) die(e.text);
    engine_load(b->g, 0, &(engine_model_options){.path = argv[1], .name = "bench"});
    while (!b->loaded)
        pump(b);
    printf("prompts,editors,how,tokens_per_s,first_p50_ms,first_max_ms,all_ms,shared\n");
    measure(b, true);
    measure(b, false);
    engine_stop(b->g);
    xfree(b);
    return 0;
}
