/* SPDX-License-Identifier: Apache-2.0 */
/* bench_engine MODEL.gguf [CONTEXT]: the whole engine as a side of run.py (../decode/runner.h has
 * the conversation): every order is a job, as an editor's requests are, with the engine's own
 * chunks, choice of tokens and log-probabilities.  Every run has other tokens, so that nothing of a
 * run before is found in the cache.  Thread: main. */
#include <pthread.h>

#include "engine/base/mem.h"
#include "engine/engine.h"
#include "tests/bench/decode/runner.h"

typedef struct {
    engine *g;
    pthread_mutex_t lock;
    pthread_cond_t came;
    bool awake;
    bool loaded, done;
    engine_model_info info;
    engine_result result; /* of the last job; what it points to is gone */
    int32_t ids[RUNNER_TOKENS];
    long salt;
} bench;

static void die(const char *text) {
    fprintf(stderr, "bench_engine: %s\n", text);
    exit(1);
}

static void on_wake(void *ud) {
    bench *b = ud;
    pthread_mutex_lock(&b->lock);
    b->awake = true;
    pthread_cond_signal(&b->came);
    pthread_mutex_unlock(&b->lock);
}

static void on_event(void *ud, const engine_event *ev) {
    bench *b = ud;
    if (ev->kind == EV_LOAD_FAILED) die(ev->error->text);
    if (ev->kind == EV_LOADED) {
        b->info = *ev->info;
        b->loaded = true;
    }
    if (ev->kind != EV_DONE) return;
    if (ev->result->status != OK) die(ev->result->error.text);
    b->result = *ev->result;
    b->done = true;
}

static void wait_for(bench *b, const bool *what) {
    while (!*what) {
        pthread_mutex_lock(&b->lock);
        while (!b->awake)
            pthread_cond_wait(&b->came, &b->lock);
        b->awake = false;
        pthread_mutex_unlock(&b->lock);
        engine_drain(b->g, on_event, b);
    }
}

/* Tokens [0, to) are in the cache afterwards, the last `tokens` of them the model's own. */
static void run_job(bench *b, int prompt, int tokens) {
    const engine_job job = {
        .prompt = {.kind = PROMPT_TOKENS, .tokens = b->ids, .n_tokens = (size_t)prompt},
        .sampling = {.top_p = 1, .repeat_penalty = 1},
        .tokens_max = tokens,
        .ignore_eog = true,
        .no_guesses = true,
    };
    err e;
    job_id id;
    b->done = false;
    if (engine_submit(b->g, &job, &id, &e) != OK) die(e.text);
    wait_for(b, &b->done);
}

/* A prompt of `to` tokens, of which `from` are there; or, token by token, a text of to - from. */
static void feed(void *ud, int sequence, int from, int to, int step) {
    bench *b = ud;
    if (sequence > 0) die("one sequence only");
    if (from == to) return;
    if (from == 0) b->salt++;
    for (int i = from; i < to; i++)
        b->ids[i] = (runner_token(i, b->info.vocab) + (int32_t)(b->salt * 104729 % 50000)) %
                    (b->info.vocab - 64);
    if (step > 1)
        run_job(b, to, 1);
    else
        run_job(b, MAX(from, 1), to - MAX(from, 1));
    if (step > 1 && b->result.reused != from && b->result.reused != from - 1)
        die("the cache held another prompt than it should");
}

static void together(void *ud, int n, int at) {
    UNUSED(ud), UNUSED(n), UNUSED(at);
    die("the engine runs one sequence a step");
}

int main(int argc, char **argv) {
    static bench b = {.lock = PTHREAD_MUTEX_INITIALIZER, .came = PTHREAD_COND_INITIALIZER};
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: bench_engine MODEL.gguf [CONTEXT]\n");
        return 2;
    }
    err e;
    const engine_options options = {.device = K_CUDA, .wake = on_wake, .wake_ud = &b};
    if (engine_start(&b.g, &options, &e) != OK) die(e.text);
    double start = runner_seconds();
    const engine_model_options model = {.path = argv[1],
                                        .name = "bench",
                                        .context_tokens = argc > 2 ? (int)strtol(argv[2], NULL, 10)
                                                                   : RUNNER_TOKENS};
    engine_load(b.g, 0, &model);
    wait_for(&b, &b.loaded);
    runner r = {b.info.backend, 2, runner_seconds() - start, &b, feed, together};
    runner_serve(&r);
    engine_stop(b.g);
    return 0;
}
