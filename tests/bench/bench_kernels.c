/* SPDX-License-Identifier: Apache-2.0 */
/* bench_kernels [THREADS [model]]: how fast the CPU kernels are on this machine, as lines of text.
 *
 *   matrix   per weight type, one thread, processor time: GB/s of weights read for 1 token, and
 *            G multiply-adds/s for 64 tokens
 *   model    random weights in the shape of SmolLM2-135M (Q4_1 body, tied Q8_0 head): prefill of
 *            512 tokens in chunks of 64 and 64 decoded tokens, tokens/s, best and median
 *
 * The best run says what the code can do; the median, what a busy machine left of it.  "cpu" counts
 * processor time instead of wall time (all threads, spinning included): with one thread it hardly
 * moves when neighbours work.
 */
#include <math.h>
#include <time.h>

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "kernels/kernels.h"
#include "tests/kernels/fixture.h"

#define CHUNK 64
#define RUNS 7

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef struct {
    k_backend *backend;
    k_model *model;
    int32_t pages[32];
} bench;

static void open_model(bench *b, const k_plan *plan, int threads) {
    err e;
    if (k_open(&b->backend, &(k_options){K_CPU, threads}, &e) != OK) {
        fprintf(stderr, "%s\n", e.text);
        exit(1);
    }
    k_model_options opt = {
        .plan = plan, .kv_pages = COUNTOF(b->pages), .kv_type = KV_F16, .rows_max = CHUNK};
    if (k_model_new(&b->model, b->backend, &opt, &e) != OK) {
        fprintf(stderr, "%s\n", e.text);
        exit(1);
    }
    for (size_t i = 0; i < COUNTOF(b->pages); i++)
        b->pages[i] = (int32_t)i;
}

static void close_model(bench *b) {
    k_model_free(b->model);
    k_close(b->backend);
}

/* Seconds for n tokens from position `from` in batches of `step`; the last row wants logits. */
static double feed(bench *b, int from, int n, int step, int vocab) {
    int32_t token[CHUNK], pos[CHUNK], seq[CHUNK] = {0};
    uint8_t want[CHUNK] = {0};
    const int32_t *pages[1] = {b->pages};
    err e;
    uint64_t start = clock_us();
    for (int at = from; at < from + n; at += step) {
        int rows = MIN(step, from + n - at);
        for (int i = 0; i < rows; i++) {
            token[i] = (at + i) * 7919 % vocab;
            pos[i] = at + i;
            want[i] = at + i == from + n - 1 || step == 1;
        }
        k_batch batch = {.n = rows,
                         .token = token,
                         .pos = pos,
                         .seq = seq,
                         .pages = pages,
                         .n_seqs = 1,
                         .want = want};
        if (k_forward(b->model, &batch, &e) != OK) exit(1);
        if (step == 1 && vocab > 64) {
            int32_t id[4];
            float logprob[4];
            k_top(b->model, 0, 4, id, logprob);
        }
    }
    return (double)(clock_us() - start) * 1e-6;
}

static double cpu_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- one matrix ------------------------------------------------------------------------------ */

/* A plan whose only work is one matrix: a head without anything before it. */
static void bench_matrix(k_type type, int rows, int cols) {
    arena a;
    arena_init(&a);
    rng r = {1};
    k_op ops[4] = {{.kind = OP_EMBED, .scale = 1},
                   {.kind = OP_FFN_DOWN, .scale = 1},
                   {.kind = OP_FFN_DOWN, .scale = 1},
                   {.kind = OP_FFN_DOWN, .scale = 1}};
    ops[0].w[0] = tensor_random(&a, &r, K_F32, 64, rows, 1);
    for (int i = 1; i < 4; i++)
        ops[i].w[0] = tensor_random(&a, &r, type, rows, cols, 1 / sqrtf((float)cols));
    k_plan plan = {.ops = ops,
                   .n_ops = COUNTOF(ops),
                   .dim = rows,
                   .vocab = 64,
                   .n_kv_layers = 1,
                   .n_head_kv = 1,
                   .head_dim = 32,
                   .q_dim_max = 32,
                   .ffn_dim_max = cols};
    bench b;
    open_model(&b, &plan, 1);
    double best[2] = {1e9, 1e9}, weights = 3.0 * rows * cols;
    for (int run = 0; run < RUNS; run++) {
        double start = cpu_seconds();
        feed(&b, 0, 8, 1, 64);
        double middle = cpu_seconds();
        feed(&b, 0, 128, CHUNK, 64);
        best[0] = MIN(best[0], (middle - start) / 8);
        best[1] = MIN(best[1], (cpu_seconds() - middle) / 128);
    }
    double bytes = (double)k_row_bytes(type, cols) * 3 * rows;
    fprintf(stdout, "%-7s %5dx%-5d decode %6.2f GB/s %7.1f G/s   prefill %7.1f G/s\n",
            k_type_name((int)type), rows, cols, bytes / best[0] * 1e-9, weights / best[0] * 1e-9,
            weights / best[1] * 1e-9);
    close_model(&b);
    arena_deinit(&a);
}

/* ---- a model --------------------------------------------------------------------------------- */

static void report(const char *what, double *wall, double *cpu) {
    qsort(wall, RUNS, sizeof *wall, compare_doubles);
    qsort(cpu, RUNS, sizeof *cpu, compare_doubles);
    fprintf(stdout, "model   %-12s wall best %7.1f, median %7.1f   cpu best %7.1f, median %7.1f\n",
            what, wall[RUNS - 1], wall[RUNS / 2], cpu[RUNS - 1], cpu[RUNS / 2]);
}

static void bench_model(int threads) {
    arena a;
    arena_init(&a);
    rng r = {2};
    shape s = {.type = K_Q4_1,
               .head_type = K_Q8_0,
               .dim = 576,
               .ffn = 1536,
               .heads = 9,
               .heads_kv = 3,
               .head_dim = 64,
               .layers = 30,
               .vocab = 49152,
               .norm = NORM_RMS,
               .rope = ROPE_NORM,
               .n_rot = 64,
               .act = ACT_SILU,
               .tied = true};
    k_plan plan = plan_random(&a, &r, &s);
    bench b;
    uint64_t start = clock_us();
    open_model(&b, &plan, threads);
    fprintf(stdout, "model   %s, loaded in %.2f s\n", k_backend_name(b.backend),
            (double)(clock_us() - start) * 1e-6);
    double prefill[RUNS], decode[RUNS], cpu_prefill[RUNS], cpu_decode[RUNS];
    feed(&b, 0, 128, CHUNK, s.vocab);
    for (int run = 0; run < RUNS; run++) {
        double cpu = cpu_seconds();
        prefill[run] = 512 / feed(&b, 0, 512, CHUNK, s.vocab);
        cpu_prefill[run] = 512 / (cpu_seconds() - cpu);
        cpu = cpu_seconds();
        decode[run] = 64 / feed(&b, 512, 64, 1, s.vocab);
        cpu_decode[run] = 64 / (cpu_seconds() - cpu);
    }
    report("prefill(512)", prefill, cpu_prefill);
    report("decode(64)", decode, cpu_decode);
    close_model(&b);
    arena_deinit(&a);
}

int main(int argc, char **argv) {
    int threads = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 0;
    bench_model(threads);
    if (argc > 2) return 0; /* a second argument: the model alone */
    for (int i = 0; i < n_all_types; i++)
        bench_matrix(all_types[i], 2048, 2048);
    bench_matrix(K_Q4_1, 1536, 576);
    return 0;
}
