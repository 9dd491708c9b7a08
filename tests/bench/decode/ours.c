/* SPDX-License-Identifier: Apache-2.0 */
/* bench_decode_ours MODEL.gguf THREADS: our side of decode.py (runner.h has the conversation).
 * Kernels and plan only, with the chunks that the engine takes.  Thread: main. */
#include "engine/plan.h"
#include "tests/bench/decode/runner.h"

/* As in engine/load.c. */
#define SMALL_BYTES (256u << 20)
#define CHUNK_SMALL 128
#define CHUNK 64

typedef struct {
    k_model *model;
    int vocab;
    int32_t pages[RUNNER_TOKENS / K_PAGE_TOKENS];
} ours;

static void die(const err *e) {
    fprintf(stderr, "bench_decode_ours: %s\n", e->text);
    exit(1);
}

static void feed(void *ud, int from, int to, int step) {
    ours *o = ud;
    int32_t token[CHUNK_SMALL], pos[CHUNK_SMALL], seq[CHUNK_SMALL] = {0};
    uint8_t want[CHUNK_SMALL] = {0};
    const int32_t *pages[1] = {o->pages};
    err e;
    for (int at = from; at < to; at += step) {
        int rows = MIN(step, to - at);
        for (int i = 0; i < rows; i++) {
            token[i] = runner_token(at + i, o->vocab);
            pos[i] = at + i;
            want[i] = at + i == to - 1 || step == 1;
        }
        k_batch batch = {.n = rows,
                         .token = token,
                         .pos = pos,
                         .seq = seq,
                         .pages = pages,
                         .n_seqs = 1,
                         .want = want};
        if (k_forward(o->model, &batch, &e) != OK) die(&e);
    }
}

int main(int argc, char **argv) {
    err e = {{0}};
    ours o = {0};
    gguf *file = NULL;
    arch a;
    plan p = {0};
    k_backend *backend = NULL;
    if (argc != 3) {
        fprintf(stderr, "usage: bench_decode_ours MODEL.gguf THREADS\n");
        return 2;
    }
    int threads = (int)strtol(argv[2], NULL, 10);
    status s = gguf_open(&file, argv[1], &e);
    if (s == OK) s = arch_read(&a, file, &e);
    if (s == OK) s = plan_build(&p, &a, file, RUNNER_TOKENS, &e);
    if (s == OK) s = k_open(&backend, &(k_options){K_CPU, threads}, &e);
    if (s != OK) die(&e);
    int chunk = gguf_file_bytes(file) <= SMALL_BYTES ? CHUNK_SMALL : CHUNK;
    k_model_options opt = {.plan = &p.plan,
                           .kv_pages = COUNTOF(o.pages),
                           .kv_type = KV_F16,
                           .rows_max = chunk};
    if (k_model_new(&o.model, backend, &opt, &e) != OK) die(&e);
    if (!k_model_borrows_file(o.model)) gguf_close(file);
    o.vocab = p.plan.vocab;
    for (int i = 0; i < (int)COUNTOF(o.pages); i++)
        o.pages[i] = i;
    feed(&o, 0, 1, 1);
    runner_serve(k_backend_name(backend), chunk, feed, &o);
    k_model_free(o.model);
    k_close(backend);
    plan_deinit(&p);
    return 0;
}
