/* SPDX-License-Identifier: Apache-2.0 */
/* bench_decode_ours MODEL.gguf THREADS|cuda [CHUNK]: our side of decode.py and ../gpu/run.py
 * (runner.h has the conversation).  Kernels and plan only, with the chunks that the engine takes
 * unless CHUNK says otherwise.  Thread: main. */
#include "engine/plan.h"
#include "tests/bench/decode/runner.h"

/* As in engine/load.c. */
#define SMALL_BYTES (256u << 20)
#define CHUNK_SMALL 128
#define CHUNK 64

typedef struct {
    gguf *file;
    plan plan; /* some weights may lie in its memory */
    k_backend *backend;
    k_model *model;
    int chunk, vocab;
    int32_t pages[RUNNER_SEQUENCES][RUNNER_TOKENS / K_PAGE_TOKENS];
    int32_t token[K_ROWS_MAX], pos[K_ROWS_MAX], seq[K_ROWS_MAX];
    uint8_t want[K_ROWS_MAX];
} ours;

static void die(const err *e) {
    fprintf(stderr, "bench_decode_ours: %s\n", e->text);
    exit(1);
}

static void forward(ours *o, int rows) {
    const int32_t *pages[RUNNER_SEQUENCES];
    for (int q = 0; q < RUNNER_SEQUENCES; q++)
        pages[q] = o->pages[q];
    k_batch batch = {.n = rows,
                     .token = o->token,
                     .pos = o->pos,
                     .seq = o->seq,
                     .pages = pages,
                     .n_seqs = RUNNER_SEQUENCES,
                     .want = o->want};
    err e;
    if (k_forward(o->model, &batch, &e) != OK) die(&e);
}

static void feed(void *ud, int sequence, int from, int to, int step) {
    ours *o = ud;
    for (int at = from; at < to; at += step) {
        int rows = MIN(step, to - at);
        for (int i = 0; i < rows; i++) {
            o->token[i] = runner_token(at + i, o->vocab);
            o->pos[i] = at + i;
            o->seq[i] = sequence;
            o->want[i] = at + i == to - 1 || step == 1;
        }
        forward(o, rows);
    }
}

static void together(void *ud, int n, int at) {
    ours *o = ud;
    for (int q = 0; q < n; q++) {
        o->token[q] = runner_token(at + q, o->vocab);
        o->pos[q] = at;
        o->seq[q] = q;
        o->want[q] = 1;
    }
    forward(o, n);
}

/* Sequence 0 may take all pages, the others share them evenly: nothing is asked of both at once. */
static void deal_pages(ours *o) {
    const int all = RUNNER_TOKENS / K_PAGE_TOKENS, share = all / RUNNER_SEQUENCES;
    for (int q = 0; q < RUNNER_SEQUENCES; q++) {
        for (int i = 0; i < all; i++)
            o->pages[q][i] = (q * share + i) % all;
    }
}

static status open_model(ours *o, const char *path, const char *device, int chunk, err *e) {
    arch a;
    bool cuda = strcmp(device, "cuda") == 0;
    k_options options = {cuda ? K_CUDA : K_CPU, cuda ? 0 : (int)strtol(device, NULL, 10)};
    status s = k_open(&o->backend, &options, e);
    double start = runner_seconds();
    if (s == OK) s = gguf_open(&o->file, path, e);
    if (s == OK) s = arch_read(&a, o->file, e);
    if (s == OK) s = plan_build(&o->plan, &a, o->file, RUNNER_TOKENS, e);
    if (s != OK) return s;
    bool small = gguf_file_bytes(o->file) <= SMALL_BYTES;
    o->chunk = chunk > 0 ? chunk : cuda ? K_ROWS_MAX : small ? CHUNK_SMALL : CHUNK;
    k_model_options opt = {.plan = &o->plan.plan,
                           .kv_pages = RUNNER_TOKENS / K_PAGE_TOKENS,
                           .kv_type = KV_F16,
                           .rows_max = o->chunk};
    s = k_model_new(&o->model, o->backend, &opt, e);
    if (s != OK) return s;
    if (!k_model_borrows_file(o->model)) {
        gguf_close(o->file);
        o->file = NULL;
    }
    o->vocab = o->plan.plan.vocab;
    deal_pages(o);
    feed(o, 0, 0, 1, 1);
    runner r = {k_backend_name(o->backend), o->chunk, runner_seconds() - start, o, feed, together};
    runner_serve(&r);
    return OK;
}

int main(int argc, char **argv) {
    err e = {{0}};
    static ours o;
    int chunk = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 0;
    if (argc < 3 || argc > 4 || chunk < 0 || chunk > K_ROWS_MAX) {
        fprintf(stderr, "usage: bench_decode_ours MODEL.gguf THREADS|cuda [CHUNK]\n");
        return 2;
    }
    if (open_model(&o, argv[1], argv[2], chunk, &e) != OK) die(&e);
    k_model_free(o.model);
    k_close(o.backend);
    gguf_close(o.file);
    plan_deinit(&o.plan);
    return 0;
}
