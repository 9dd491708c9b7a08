/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens per second of a backend on models with random weights in the shapes of Qwen2.5: decode at
 * two depths, batches of 1 to 8, prefill of several lengths.  One CSV line per figure:
 *     model,metric,n,depth,tokens_per_s,ms,share
 * share: bytes read per second over the copy bandwidth given with --bandwidth (bytes/s), decode
 * only.
 *
 *   bench_gpu [--device cuda|cpu] [--bandwidth B] [--quick] [--once] [MODEL ...]
 *
 * --once: for a profiler (kernels.py): two layers of each model, and each kind of step once. */
#include <math.h>

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "tests/kernels/random_plan.h"

typedef struct {
    const char *name;
    plan_shape shape;
} preset;

#define QWEN(L, D, H, KV, HD, FF, LOW, HIGH, MIXED, UNTIED)                                        \
 {                                                                                                 \
  .layers = L, .dim = D, .heads = H, .kv_heads = KV, .head_dim = HD, .ff = FF, .vocab = 151936,    \
  .low = LOW, .high = HIGH, .mixed = MIXED, .bias = true, .rope = ROPE_NEOX, .n_rot = HD,          \
  .untied = UNTIED                                                                                 \
 }

static const preset presets[] = {
    {"0.5b-q8_0", QWEN(24, 896, 14, 2, 64, 4864, K_Q8_0, K_Q8_0, false, false)},
    {"1.5b-q8_0", QWEN(28, 1536, 12, 2, 128, 8960, K_Q8_0, K_Q8_0, false, false)},
    {"1.5b-q4_k_m", QWEN(28, 1536, 12, 2, 128, 8960, K_Q4_K, K_Q6_K, true, false)},
    {"3b-q4_k_m", QWEN(36, 2048, 16, 2, 128, 11008, K_Q4_K, K_Q6_K, true, false)},
    {"7b-q4_k_m", QWEN(28, 3584, 28, 4, 128, 18944, K_Q4_K, K_Q6_K, true, true)},
};

enum { TOKENS = 4352, PAGES = TOKENS / K_PAGE_TOKENS };

typedef struct {
    k_model *m;
    int32_t token[K_ROWS_MAX], pos[K_ROWS_MAX], seq[K_ROWS_MAX];
    uint8_t want[K_ROWS_MAX];
    int32_t pages[8][PAGES];
    const int32_t *tables[8];
} bench;

static void die(const err *e) {
    fprintf(stderr, "bench_gpu: %s\n", e->text);
    exit(1);
}

/* n tokens from position `from` of sequence 0, in chunks of rows_max; returns milliseconds.  last:
 * the logits of the last one are wanted. */
static double prefill(bench *b, int from, int n, int rows_max, bool last) {
    err e;
    double start = clock_ms();
    for (int done = 0; done < n; done += rows_max) {
        int rows = MIN(rows_max, n - done);
        for (int i = 0; i < rows; i++) {
            b->token[i] = (from + done + i) * 37 % 151000;
            b->pos[i] = from + done + i;
            b->seq[i] = 0;
            b->want[i] = last && done + i == n - 1;
        }
        k_batch batch = {rows, b->token, b->pos, b->seq, b->tables, 8, b->want, NULL};
        if (k_forward(b->m, &batch, &e) != OK) die(&e);
    }
    return clock_ms() - start;
}

/* `steps` steps of `rows` sequences from position `from`, each taking the best token; ms per step.
 *  */
static double decode(bench *b, int rows, int from, int steps) {
    err e;
    double start = clock_ms();
    for (int s = 0; s < steps; s++) {
        for (int i = 0; i < rows; i++) {
            if (s == 0) b->token[i] = 100 + i;
            b->pos[i] = from + s;
            b->seq[i] = i;
            b->want[i] = 1;
        }
        k_batch batch = {rows, b->token, b->pos, b->seq, b->tables, 8, b->want, NULL};
        if (k_forward(b->m, &batch, &e) != OK) die(&e);
        for (int i = 0; i < rows; i++) {
            float lp;
            k_top(b->m, i, 1, &b->token[i], &lp);
        }
    }
    return (clock_ms() - start) / steps;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int n) {
    qsort(v, (size_t)n, sizeof *v, by_value);
    return v[n / 2];
}

static void line(const char *model, const char *metric, int n, int depth, double tps, double ms,
                 double share) {
    printf("%s,%s,%d,%d,%.1f,%.4f,%.3f\n", model, metric, n, depth, tps, ms, share);
    fflush(stdout);
}

/* The model, with a table of pages for each of 8 sequences. */
static void open_model(bench *b, const random_plan *plan, k_backend *backend) {
    err e;
    memset(b, 0, sizeof *b);
    for (int s = 0; s < 8; s++) {
        for (int i = 0; i < PAGES; i++)
            b->pages[s][i] = s * PAGES + i;
        b->tables[s] = b->pages[s];
    }
    k_model_options opt = {
        .plan = random_plan_get(plan), .kv_pages = 8 * PAGES, .rows_max = K_ROWS_MAX};
    if (k_model_new(&b->m, backend, &opt, &e) != OK) die(&e);
}

static void run_once(const preset *p, k_backend *backend) {
    static bench b;
    plan_shape shape = p->shape;
    shape.layers = 2;
    random_plan *plan = random_plan_new(&shape);
    open_model(&b, plan, backend);
    prefill(&b, 0, 2048, K_ROWS_MAX, true);
    prefill(&b, 2048, 48, K_ROWS_MAX, true);
    prefill(&b, 2096, 24, K_ROWS_MAX, false);
    decode(&b, 1, 2096, 1);
    decode(&b, 8, 2096, 1);
    k_model_free(b.m);
    random_plan_free(plan);
}

/* What a key in an editor costs first: a few rows behind a prompt that is there, as one step. */
static void prompt_steps(bench *b, const char *model, int repeats) {
    static const int rows[] = {1, 8, 32, 70, 128, 192, 256};
    double v[8];
    for (int depth = 0; depth <= 1024; depth += 1024) {
        for (size_t k = 0; k < COUNTOF(rows); k++) {
            for (int r = -1; r < repeats; r++)
                v[MAX(r, 0)] = prefill(b, depth, rows[k], K_ROWS_MAX, false);
            double ms = median(v, repeats);
            line(model, "prompt_step", rows[k], depth, rows[k] * 1e3 / ms, ms, 0);
        }
    }
}

static void measure(const preset *p, k_backend *backend, double bandwidth, bool quick) {
    static bench b;
    random_plan *plan = random_plan_new(&p->shape);
    double start = clock_ms();
    open_model(&b, plan, backend);
    line(p->name, "load", 0, 0, 0, clock_ms() - start, 0);
    double bytes = (double)random_plan_weight_bytes(plan);
    int repeats = quick ? 3 : 5;
    double v[8];
    static const int lengths[] = {32, 128, 512, 2048};
    for (size_t k = 0; k < COUNTOF(lengths); k++) {
        prefill(&b, 0, lengths[k], K_ROWS_MAX, true);
        for (int r = 0; r < repeats; r++)
            v[r] = prefill(&b, 0, lengths[k], K_ROWS_MAX, true);
        double ms = median(v, repeats);
        line(p->name, "prefill", lengths[k], 0, lengths[k] * 1e3 / ms, ms, 0);
    }
    for (int r = 0; r < repeats; r++)
        v[r] = prefill(&b, 2048, 2048, K_ROWS_MAX, true);
    double ms = median(v, repeats);
    line(p->name, "prefill", 2048, 2048, 2048 * 1e3 / ms, ms, 0);
    prompt_steps(&b, p->name, repeats);
    for (int depth = 0; depth <= 2048; depth += 2048) {
        for (int rows = 1; rows <= 8; rows *= 2) {
            decode(&b, rows, depth, 16);
            for (int r = 0; r < repeats; r++)
                v[r] = decode(&b, rows, depth, quick ? 32 : 128);
            ms = median(v, repeats);
            line(p->name, "decode", rows, depth, rows * 1e3 / ms, ms,
                 bytes / (ms * 1e-3) / bandwidth);
        }
    }
    k_model_free(b.m);
    random_plan_free(plan);
}

int main(int argc, char **argv) {
    k_device device = K_CUDA;
    double bandwidth = 3.03e12;
    bool quick = false, once = false, any = false;
    err e;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--device") == 0 && i + 1 < argc)
            device = strcmp(argv[++i], "cpu") == 0 ? K_CPU : K_CUDA;
        else if (strcmp(argv[i], "--bandwidth") == 0 && i + 1 < argc)
            bandwidth = strtod(argv[++i], NULL);
        else if (strcmp(argv[i], "--quick") == 0)
            quick = true;
        else if (strcmp(argv[i], "--once") == 0)
            once = true;
        else
            any = true;
    }
    k_backend *backend;
    if (k_open(&backend, &(k_options){.device = device}, &e) != OK) die(&e);
    fprintf(stderr, "%s\n", k_backend_name(backend));
    printf("model,metric,n,depth,tokens_per_s,ms,share\n");
    for (size_t k = 0; k < COUNTOF(presets); k++) {
        bool wanted = !any;
        for (int i = 1; i < argc; i++)
            wanted |= strcmp(argv[i], presets[k].name) == 0;
        if (wanted && once) run_once(&presets[k], backend);
        if (wanted && !once) measure(&presets[k], backend, bandwidth, quick);
    }
    k_close(backend);
    return 0;
}
