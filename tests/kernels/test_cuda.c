/* SPDX-License-Identifier: Apache-2.0 */
/* The CUDA backend against the scalar reference: whole small models of awkward shapes, every weight
 * type, decode and prefill, batches, page boundaries, two sequences.  Whole models add up what each
 * product's rounding of activations to int8 costs, and a softmax magnifies it: where the CPU
 * backend, which rounds likewise, is far from the reference, the card may be as far.
 * test_cuda_kernels holds each kernel to its limit.  Skips where no device is found, saying why. */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "tests/kernels/random_plan.h"

enum { POSITIONS = 70, PAGES = 16, FAR_PAGES = 40, FAR_ROWS = 512 };

typedef struct {
    k_backend *cuda, *cpu, *ref;
} backends;

static int open_both(void **state) {
    backends *b = xcalloc(1, sizeof *b);
    err e;
    *state = b;
    if (k_open(&b->ref, &(k_options){.device = K_REF}, &e) != OK) return -1;
    if (k_open(&b->cpu, &(k_options){.device = K_CPU, .threads = 1}, &e) != OK) return -1;
    if (k_open(&b->cuda, &(k_options){.device = K_CUDA}, &e) != OK) {
        printf("SKIP: the CUDA backend cannot be tested here: %s\n", e.text);
        b->cuda = NULL;
    } else {
        printf("device: %s\n", k_backend_name(b->cuda));
    }
    return 0;
}

static int close_both(void **state) {
    backends *b = *state;
    k_close(b->cuda);
    k_close(b->cpu);
    k_close(b->ref);
    xfree(b);
    return 0;
}

static k_model *model_with(k_backend *b, const random_plan *p, int rows_max, k_kv_type kv) {
    k_model *m;
    err e;
    k_model_options opt = {
        .plan = random_plan_get(p), .kv_pages = PAGES, .rows_max = rows_max, .kv_type = kv};
    if (k_model_new(&m, b, &opt, &e) != OK) fail_msg("%s", e.text);
    return m;
}

static k_kv_type kv_type = KV_F16; /* of model() */

static k_model *model(k_backend *b, const random_plan *p, int rows_max) {
    return model_with(b, p, rows_max, kv_type);
}

/* Runs positions [from, from + n) of a sequence whose pages are 1, 3, 5, ...; all logits wanted, or
 * none. */
static void run_rows(k_model *m, const int32_t *tokens, int from, int n, bool wanted) {
    int32_t pos[POSITIONS], seq[POSITIONS] = {0}, pages[PAGES];
    uint8_t want[POSITIONS];
    const int32_t *tables[1] = {pages};
    for (int i = 0; i < PAGES; i++)
        pages[i] = (2 * i + 1) % PAGES;
    for (int i = 0; i < n; i++) {
        pos[i] = from + i;
        want[i] = wanted;
    }
    k_batch b = {n, tokens + from, pos, seq, tables, 1, want, NULL};
    err e;
    if (k_forward(m, &b, &e) != OK) fail_msg("%s", e.text);
}

static void run(k_model *m, const int32_t *tokens, int from, int n) {
    run_rows(m, tokens, from, n, true);
}

/* Normalised mean square error of the logits of n rows. */
static double nmse(k_model *a, k_model *b, int n, int vocab) {
    double num = 0, den = 0;
    for (int i = 0; i < n; i++) {
        const float *x = k_logits(a, i), *y = k_logits(b, i);
        for (int k = 0; k < vocab; k++) {
            double d = (double)x[k] - (double)y[k];
            if (!isfinite(x[k])) return HUGE_VAL;
            num += d * d;
            den += (double)y[k] * (double)y[k];
        }
    }
    return num / den;
}

/* Of n rows of logits, relative to the largest. */
static double largest_difference(k_model *a, k_model *b, int n, int vocab) {
    double off = 0, most = 0;
    for (int i = 0; i < n; i++) {
        const float *x = k_logits(a, i), *y = k_logits(b, i);
        for (int k = 0; k < vocab; k++) {
            if (!isfinite(x[k])) return HUGE_VAL;
            off = fmax(off, fabs((double)x[k] - (double)y[k]));
            most = fmax(most, fabs((double)y[k]));
        }
    }
    return off / most;
}

static void check_top(k_model *m, int vocab) {
    int32_t ids[8], one;
    float lp[8], lp_one;
    const float *l = k_logits(m, 0);
    k_top(m, 0, 8, ids, lp);
    k_top(m, 0, 1, &one, &lp_one);
    double max = -HUGE_VAL, sum = 0;
    int best = 0;
    for (int i = 0; i < vocab; i++) {
        if ((double)l[i] <= max) continue;
        max = (double)l[i];
        best = i;
    }
    for (int i = 0; i < vocab; i++)
        sum += exp((double)l[i] - max);
    assert_int_equal(one, best);
    assert_int_equal(ids[0], best);
    assert_true(fabs((double)lp_one + log(sum)) < 1e-3);
    for (int k = 1; k < 8; k++) {
        assert_true(lp[k] <= lp[k - 1]);
        assert_true(fabs((double)lp[k] - ((double)l[ids[k]] - max - log(sum))) < 1e-3);
    }
}

/* As near as the CPU is, within what different kernels differ by, or nearer than `limit`. */
static void check_distance(const char *name, const char *step, double got, double cpu,
                           double limit) {
    printf("%-26s %-12s nmse %.1e (the CPU's %.1e)\n", name, step, got, cpu);
    if (!(got < fmax(limit, 1.5 * cpu))) fail_msg("%s, %s: %.2e is too far", name, step, got);
}

static void compare(backends *b, const char *name, const plan_shape *s, double limit) {
    if (!b->cuda) skip();
    random_plan *p = random_plan_new(s);
    k_model *want = model(b->ref, p, POSITIONS), *got = model(b->cuda, p, POSITIONS);
    k_model *cpu = model(b->cpu, p, POSITIONS);
    int32_t tokens[POSITIONS];
    uint64_t seed = 42;
    for (int i = 0; i < POSITIONS; i++)
        tokens[i] = (int32_t)(random_next(&seed) % (uint64_t)s->vocab);
    static const struct {
        const char *name;
        int rows;
    } steps[] = {{"prompt", 40}, {"1 row", 1}, {"7 rows", 7}, {"prompt at 48", 22}};
    for (int i = 0, from = 0; i < (int)COUNTOF(steps); from += steps[i++].rows) {
        const int n = steps[i].rows;
        run(want, tokens, from, n);
        run(got, tokens, from, n);
        run(cpu, tokens, from, n);
        check_distance(name, steps[i].name, nmse(got, want, n, s->vocab),
                       nmse(cpu, want, n, s->vocab), limit);
        if (n == 1) check_top(got, s->vocab);
    }

    /* A row's bits do not depend on its batch (float weights go through float16 products, whose
     * library chooses another order for another size). */
    bool is_float = s->low == K_F32 || s->low == K_F16 || s->low == K_BF16;
    float *alone = xmalloc((size_t)s->vocab * sizeof *alone);
    run(got, tokens, 60, 1);
    memcpy(alone, k_logits(got, 0), (size_t)s->vocab * sizeof *alone);
    run(got, tokens, 60, 5);
    if (!is_float) assert_memory_equal(alone, k_logits(got, 0), (size_t)s->vocab * sizeof *alone);
    xfree(alone);
    k_model_free(cpu);
    k_model_free(got);
    k_model_free(want);
    random_plan_free(p);
}

static const plan_shape base_shape = {.layers = 3,
                                      .dim = 256,
                                      .heads = 8,
                                      .kv_heads = 2,
                                      .head_dim = 64,
                                      .ff = 512,
                                      .vocab = 1000,
                                      .low = K_Q8_0,
                                      .high = K_Q8_0,
                                      .rope = ROPE_NORM,
                                      .n_rot = 64};

static void test_types(void **state) {
    static const struct {
        k_type type;
        double limit;
    } cases[] = {
        {K_F32, 1e-5},  {K_F16, 1e-5},    {K_BF16, 1e-5},   {K_Q8_0, 1e-4},
        {K_Q4_0, 1e-4}, {K_Q4_1, 1e-4},   {K_Q5_0, 1e-4},   {K_Q5_1, 1e-4},
        {K_Q4_K, 1e-4}, {K_Q5_K, 1e-4},   {K_Q6_K, 1e-4},   {K_Q2_K, 1e-4},
        {K_Q3_K, 1e-4}, {K_IQ4_NL, 1e-4}, {K_IQ4_XS, 1e-4}, {K_MXFP4, 1e-4},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        plan_shape s = base_shape;
        s.low = s.high = cases[i].type;
        compare(*state, k_type_name((int)cases[i].type), &s, cases[i].limit);
    }
}

static void test_shapes(void **state) {
    plan_shape s = base_shape;
    s.dim = 576;
    s.heads = 9;
    s.kv_heads = 3;
    s.ff = 1536;
    s.low = K_Q4_1;
    compare(*state, "576 wide, 9/3 heads", &s, 1e-4);
    s = base_shape;
    s.dim = 896;
    s.heads = 14;
    s.kv_heads = 2;
    s.ff = 4864;
    s.bias = true;
    s.rope = ROPE_NEOX;
    compare(*state, "896 wide, 14/2, bias", &s, 1e-4);
    s = base_shape;
    s.dim = 960;
    s.heads = 15;
    s.kv_heads = 5;
    s.ff = 2560;
    s.low = K_Q5_0;
    compare(*state, "960 wide, 15/5", &s, 1e-4);
    s = base_shape;
    s.dim = 1536;
    s.heads = 12;
    s.kv_heads = 2;
    s.head_dim = 128;
    s.n_rot = 128;
    s.ff = 2048;
    s.low = K_Q4_K;
    s.high = K_Q6_K;
    s.mixed = true;
    s.rope = ROPE_NEOX;
    s.bias = true;
    compare(*state, "1536 wide, Q4_K + Q6_K", &s, 1e-4);
    s = base_shape;
    s.dim = 640;
    s.heads = 4;
    s.kv_heads = 1;
    s.head_dim = 256;
    s.n_rot = 256;
    s.ff = 2048;
    s.post_norm = s.qk_norm = true;
    s.act = ACT_GELU_TANH;
    s.rope = ROPE_NEOX;
    s.window = 20;
    s.attn_cap = 50;
    s.final_cap = 30;
    compare(*state, "640 wide, gemma-like", &s, 1e-4);
    s = base_shape;
    s.layer_norm = s.bias = s.no_gate = s.out_bias = true;
    s.act = ACT_GELU_TANH;
    s.untied = true;
    s.rope = ROPE_NEOX;
    compare(*state, "LayerNorm, no gate", &s, 1e-4);
    s = base_shape;
    s.head_dim = 96;
    s.heads = 4;
    s.kv_heads = 4;
    s.n_rot = 48;
    s.rope = ROPE_NEOX;
    s.dim = 384;
    compare(*state, "head 96, partial rotary", &s, 1e-4);
    s = base_shape;
    s.heads = 24;
    s.kv_heads = 1;
    s.rope = ROPE_NONE;
    compare(*state, "24 heads share one", &s, 1e-4);
}

/* Float models are held to 1e-3 of the largest logit, of which keys and values in float16 take
 * half.  The CPU has the same cache, so the two are nearer to each other: 3.8e-5 and 1.2e-4 were
 * made of these shapes, and products of float16 alone made 1.1e-4 and about 5e-4. */
static void test_floats(void **state) {
    backends *b = *state;
    if (!b->cuda) skip();
    static const k_type types[] = {K_F32, K_F16, K_BF16};
    static const double limits[] = {7e-5, 2.5e-4};
    int32_t tokens[POSITIONS];
    for (int i = 0; i < POSITIONS; i++)
        tokens[i] = i * 37 % 1000;
    for (int i = 0; i < (int)(COUNTOF(types) * COUNTOF(limits)); i++) {
        plan_shape s = base_shape;
        const bool full = i % 2;
        s.low = s.high = types[i / 2];
        s.untied = true;
        s.bias = s.qk_norm = s.post_norm = full;
        random_plan *p = random_plan_new(&s);
        k_model *got = model(b->cuda, p, POSITIONS), *want = model(b->cpu, p, POSITIONS);
        static const int steps[] = {40, 1, 7, 22};
        for (int k = 0, from = 0; k < (int)COUNTOF(steps); from += steps[k++]) {
            run(got, tokens, from, steps[k]);
            run(want, tokens, from, steps[k]);
            double off = largest_difference(got, want, steps[k], s.vocab);
            printf("%-5s%-17s %2d rows: %.1e of the largest logit from the CPU's\n",
                   k_type_name((int)s.low), full ? ", biases and norms" : "", steps[k], off);
            if (!(off < limits[full])) fail_msg("%.2e is too far", off);
        }
        k_model_free(want);
        k_model_free(got);
        random_plan_free(p);
    }
}

/* Two sequences in one batch, one in pages of its own, interleaved with a copied page. */
static void test_sequences(void **state) {
    backends *b = *state;
    if (!b->cuda) skip();
    random_plan *p = random_plan_new(&base_shape);
    k_model *want = model(b->ref, p, POSITIONS), *got = model(b->cuda, p, POSITIONS);
    int32_t tokens[POSITIONS], pages_a[4] = {2, 7, 9, 11}, pages_b[4] = {4, 3, 8, 10};
    for (int i = 0; i < POSITIONS; i++)
        tokens[i] = i * 13 % 1000;
    const int32_t *tables[2] = {pages_a, pages_b};
    int32_t pos[POSITIONS], seq[POSITIONS];
    uint8_t wanted[POSITIONS];
    err e;
    k_model *both[2] = {want, got};
    for (int m = 0; m < 2; m++) {
        for (int i = 0; i < 60; i++) {
            pos[i] = i < 36 ? i : i - 36;
            seq[i] = i < 36 ? 0 : 1;
            wanted[i] = i == 35 || i == 59;
        }
        k_batch batch = {60, tokens, pos, seq, tables, 2, wanted, NULL};
        assert_int_equal(k_forward(both[m], &batch, &e), OK);
        k_kv_copy_page(both[m], 12, 2); /* sequence a goes on in a copy of its first page */
        pages_a[0] = 12;
        pos[0] = 36;
        pos[1] = 24;
        seq[0] = 0;
        seq[1] = 1;
        wanted[0] = wanted[1] = 1;
        batch.n = 2;
        assert_int_equal(k_forward(both[m], &batch, &e), OK);
        pages_a[0] = 2;
    }
    assert_true(nmse(got, want, 2, base_shape.vocab) < 5e-4);
    uint8_t *page = xmalloc(k_kv_page_bytes(got));
    assert_int_equal(k_kv_read_page(got, 4, page, &e), OK);
    assert_int_equal(k_kv_write_page(got, 13, page, &e), OK);
    xfree(page);
    k_model_free(got);
    k_model_free(want);
    random_plan_free(p);
}

/* The launch path gives the same bits whether its launches come out of a graph or one by one. */
static void test_eager(void **state) {
    backends *b = *state;
    if (!b->cuda) skip();
    random_plan *p = random_plan_new(&base_shape);
    setenv("INLINED_CUDA_TOKEN", "0", 1);
    k_model *graph = model(b->cuda, p, POSITIONS);
    setenv("INLINED_CUDA_GRAPH", "0", 1);
    k_model *eager = model(b->cuda, p, POSITIONS);
    unsetenv("INLINED_CUDA_TOKEN");
    unsetenv("INLINED_CUDA_GRAPH");
    int32_t tokens[POSITIONS];
    for (int i = 0; i < POSITIONS; i++)
        tokens[i] = i * 13 % 1000;
    static const int steps[] = {20, 1, 3, 8, 1, 7, 2};
    size_t bytes = (size_t)base_shape.vocab * sizeof(float);
    for (int from = 0, k = 0; k < (int)COUNTOF(steps); from += steps[k++]) {
        run(graph, tokens, from, steps[k]);
        run(eager, tokens, from, steps[k]);
        for (int i = 0; i < steps[k]; i++)
            assert_memory_equal(k_logits(graph, i), k_logits(eager, i), bytes);
    }
    k_model_free(eager);
    k_model_free(graph);
    random_plan_free(p);
}

/* 1 to 16 rows in one step, as guesses and several editors need: each has the bits of a step of its
 * own.  33 positions before them end in the middle of a page. */
static void test_rows(void **state) {
    enum { ROWS = 16, BEFORE = 41 };
    backends *b = *state;
    if (!b->cuda) skip();
    static const plan_shape shapes[] = {
        {.layers = 3,
         .dim = 256,
         .heads = 8,
         .kv_heads = 2,
         .head_dim = 64,
         .ff = 512,
         .vocab = 1000,
         .low = K_Q4_K,
         .high = K_Q6_K,
         .mixed = true,
         .rope = ROPE_NEOX,
         .n_rot = 64,
         .bias = true},
        {.layers = 2,
         .dim = 640,
         .heads = 4,
         .kv_heads = 1,
         .head_dim = 256,
         .ff = 2048,
         .vocab = 1000,
         .low = K_Q8_0,
         .high = K_Q8_0,
         .rope = ROPE_NEOX,
         .n_rot = 256,
         .qk_norm = true,
         .post_norm = true,
         .act = ACT_GELU_TANH,
         .window = 20},
    };
    const size_t bytes = 1000 * sizeof(float);
    uint8_t *alone = xmalloc(ROWS * bytes);
    int32_t tokens[POSITIONS];
    for (int i = 0; i < POSITIONS; i++)
        tokens[i] = i * 29 % 1000;
    for (size_t k = 0; k < COUNTOF(shapes); k++) {
        random_plan *p = random_plan_new(&shapes[k]);
        k_model *m = model(b->cuda, p, POSITIONS);
        run(m, tokens, 0, BEFORE);
        for (int i = 0; i < ROWS; i++) {
            run(m, tokens, BEFORE + i, 1);
            memcpy(alone + (size_t)i * bytes, k_logits(m, 0), bytes);
        }
        for (int rows = 2; rows <= ROWS; rows++) {
            run(m, tokens, BEFORE, rows);
            for (int i = 0; i < rows; i++) {
                if (memcmp(alone + (size_t)i * bytes, k_logits(m, i), bytes) != 0)
                    fail_msg("shape %zu: row %d of %d has other bits than alone", k, i, rows);
            }
        }
        k_model_free(m);
        random_plan_free(p);
    }
    xfree(alone);
}

/* Short prompts that see so much that several CTAs share their attention: near the CPU's logits.
 * Tokens come in runs, so that the parts of a row are different. */
static void run_far(k_model *m, const int32_t *tokens, int from, int n, bool wanted) {
    int32_t pos[FAR_ROWS], seq[FAR_ROWS] = {0}, pages[FAR_PAGES];
    uint8_t want[FAR_ROWS];
    const int32_t *tables[1] = {pages};
    err e;
    for (int i = 0; i < FAR_PAGES; i++)
        pages[i] = (7 * i + 3) % FAR_PAGES;
    for (int done = 0, rows; done < n; done += rows) {
        rows = MIN(n - done, FAR_ROWS);
        for (int i = 0; i < rows; i++) {
            pos[i] = from + done + i;
            want[i] = wanted;
        }
        k_batch b = {rows, tokens + from + done, pos, seq, tables, 1, want, NULL};
        if (k_forward(m, &b, &e) != OK) fail_msg("%s", e.text);
    }
}

static void check_depths(backends *b, const plan_shape *s, const int *depths, int n) {
    enum { ROWS = 20 }; /* more than decode takes at once: the way of prompts */
    random_plan *p = random_plan_new(s);
    k_model_options opt = {.plan = random_plan_get(p),
                           .kv_pages = FAR_PAGES,
                           .rows_max = FAR_ROWS,
                           .kv_type = kv_type};
    k_model *got, *cpu;
    err e;
    if (k_model_new(&got, b->cuda, &opt, &e) != OK) fail_msg("%s", e.text);
    if (k_model_new(&cpu, b->cpu, &opt, &e) != OK) fail_msg("%s", e.text);
    int32_t tokens[FAR_PAGES * K_PAGE_TOKENS];
    for (int i = 0; i < FAR_PAGES * K_PAGE_TOKENS; i++)
        tokens[i] = i / 48 * 29 % s->vocab;
    for (int k = 0, from = 0; k < n; from = depths[k++]) {
        run_far(got, tokens, from, depths[k] - from, false);
        run_far(cpu, tokens, from, depths[k] - from, false);
        run_far(got, tokens, depths[k], ROWS, true);
        run_far(cpu, tokens, depths[k], ROWS, true);
        double far = nmse(got, cpu, ROWS, s->vocab);
        printf("%d heads of %d, %d positions: nmse to the CPU %.1e\n", s->heads, s->head_dim,
               depths[k], far);
        assert_true(far < 1e-4);
    }
    k_model_free(cpu);
    k_model_free(got);
    random_plan_free(p);
}

static void test_depths(void **state) {
    static const int depths[] = {126, 250, 1100};
    backends *b = *state;
    if (!b->cuda) skip();
    plan_shape s = base_shape;
    s.layers = 2;
    check_depths(b, &s, depths, COUNTOF(depths));
    s.head_dim = s.n_rot = 128;
    s.rope = ROPE_NEOX;
    s.heads = 7;
    s.kv_heads = 1;
    check_depths(b, &s, depths, COUNTOF(depths));
    kv_type = KV_Q8;
    check_depths(b, &s, depths, COUNTOF(depths));
    kv_type = KV_F16;
    s.head_dim = s.n_rot = 96;
    s.heads = 18; /* six CTAs of rows */
    s.window = 600;
    check_depths(b, &s, depths, COUNTOF(depths));
    s.head_dim = s.n_rot = 256;
    s.heads = 2;
    check_depths(b, &s, depths, COUNTOF(depths));
}

/* Logits behind a prompt of PIECES rows in steps of these many. */
enum { PIECES = 69 };
static void logits_behind(backends *b, const random_plan *p, const int *pieces, float *out,
                          size_t bytes) {
    int32_t tokens[POSITIONS];
    k_model *m = model(b->cuda, p, POSITIONS);
    for (int i = 0; i < POSITIONS; i++)
        tokens[i] = i * 31 % 1000;
    for (int from = 0; from < PIECES; from += *pieces++)
        run_rows(m, tokens, from, *pieces, false);
    run(m, tokens, PIECES, 1);
    memcpy(out, k_logits(m, 0), bytes);
    k_model_free(m);
}

/* A prompt in one step leaves the bits that it leaves in several where all of them are short enough
 * for the product that reads strips (mirrors leave others). */
static void test_pieces(void **state) {
    static const int cuts[][5] = {{PIECES}, {1, 7, 16, 45}, {3, 40, 25, 1}};
    backends *b = *state;
    if (!b->cuda) skip();
    plan_shape s = base_shape;
    s.ff = 1536;
    s.bias = true;
    const size_t bytes = (size_t)s.vocab * sizeof(float);
    float *first = xmalloc(bytes), *again = xmalloc(bytes);
    for (int k = 0; k < 2; k++) {
        random_plan *p = random_plan_new(&s);
        setenv("INLINED_STRIP_ROWS", "0", 1);
        logits_behind(b, p, cuts[0], again, bytes);
        setenv("INLINED_STRIP_ROWS", "192", 1);
        logits_behind(b, p, cuts[0], first, bytes);
        bool strips = memcmp(first, again, bytes) != 0;
        if (!strips) printf("SKIP: no prompt reads strips here\n");
        for (size_t c = 1; c < COUNTOF(cuts) && strips; c++) {
            logits_behind(b, p, cuts[c], again, bytes);
            if (memcmp(first, again, bytes) != 0)
                fail_msg("shape %d: the prompt in pieces (%zu) leaves other bits", k, c);
        }
        random_plan_free(p);
        s.low = K_Q4_K;
        s.high = K_Q6_K;
        s.mixed = true;
        s.rope = ROPE_NEOX;
    }
    unsetenv("INLINED_STRIP_ROWS");
    xfree(first);
    xfree(again);
}

/* Keys and values as int8, against the CPU's: prompts of one chunk and of several, one row, seven,
 * sixteen; a page that was read and written back; about half of the memory. */
static void test_coded(void **state) {
    backends *b = *state;
    if (!b->cuda) skip();
    err e;
    static const int heads[] = {64, 96, 128, 256};
    static const int steps[] = {40, 1, 7, 16, 1};
    int32_t tokens[POSITIONS];
    for (int i = 0; i < POSITIONS; i++)
        tokens[i] = i * 31 % 1000;
    for (size_t k = 0; k < COUNTOF(heads); k++) {
        plan_shape s = base_shape;
        s.head_dim = heads[k];
        s.n_rot = heads[k];
        s.heads = 4;
        s.kv_heads = 2;
        s.qk_norm = k == 1;
        s.rope = k % 2 ? ROPE_NEOX : ROPE_NORM;
        random_plan *p = random_plan_new(&s);
        k_model *got = model_with(b->cuda, p, POSITIONS, KV_Q8);
        k_model *plain = model(b->cuda, p, POSITIONS);
        k_model *want = model_with(b->cpu, p, POSITIONS, KV_Q8),
                *exact = model(b->ref, p, POSITIONS);
        assert_true(k_kv_page_bytes(got) * 100 < k_kv_page_bytes(plain) * 54);
        uint8_t *page = xmalloc(k_kv_page_bytes(got));
        for (int from = 0, i = 0; i < (int)COUNTOF(steps); from += steps[i++]) {
            k_model *all[] = {got, want, exact};
            for (int m = 0; m < 3; m++)
                run(all[m], tokens, from, steps[i]);
            double ours = nmse(got, exact, steps[i], s.vocab);
            double theirs = nmse(want, exact, steps[i], s.vocab);
            double apart = nmse(got, want, steps[i], s.vocab);
            printf("heads of %-3d, %2d rows: int8 KV %.1e from f32, the CPU's %.1e, %.1e apart\n",
                   heads[k], steps[i], ours, theirs, apart);
            assert_true(ours < 2e-4 && ours < 2 * theirs + 2e-5 && apart < 2e-4);
            assert_int_equal(k_kv_read_page(got, 1, page, &e), OK);
            assert_int_equal(k_kv_write_page(got, 1, page, &e), OK);
        }
        xfree(page);
        k_model_free(exact);
        k_model_free(want);
        k_model_free(plain);
        k_model_free(got);
        random_plan_free(p);
    }
}

static void *set_later(void *flag) {
    usleep(150);
    atomic_store((atomic_bool *)flag, true);
    return NULL;
}

/* A prompt that nobody wants any more may end at any layer, and the next one is whole. */
static void test_cancel(void **state) {
    backends *b = *state;
    if (!b->cuda) skip();
    random_plan *p = random_plan_new(&base_shape);
    k_model *m = model(b->cuda, p, POSITIONS), *want = model(b->ref, p, POSITIONS);
    int32_t tokens[POSITIONS], pos[POSITIONS], pages[PAGES];
    static const int32_t seq[POSITIONS];
    static const uint8_t wanted[POSITIONS];
    const int32_t *table = pages;
    for (int i = 0; i < POSITIONS; i++) {
        tokens[i] = i * 13 % 1000;
        pos[i] = i;
    }
    for (int i = 0; i < PAGES; i++)
        pages[i] = (2 * i + 1) % PAGES;
    atomic_bool cancel = true;
    k_batch batch = {40, tokens, pos, seq, &table, 1, wanted, &cancel};
    err e;
    assert_int_equal(k_forward(m, &batch, &e), ERR_CANCELLED);
    for (int i = 0; i < 20; i++) {
        atomic_store(&cancel, false);
        pthread_t other;
        assert_int_equal(pthread_create(&other, NULL, set_later, &cancel), 0);
        status s = k_forward(m, &batch, &e);
        pthread_join(other, NULL);
        assert_true(s == OK || s == ERR_CANCELLED);
    }
    run(m, tokens, 0, 40);
    run(want, tokens, 0, 40);
    assert_true(nmse(m, want, 40, base_shape.vocab) < 1e-4);
    k_model_free(want);
    k_model_free(m);
    random_plan_free(p);
}

/* What was planned is what is taken, and closing gives every byte back. */
static void test_memory(void **state) {
    backends *b = *state;
    if (!b->cuda) skip();
    plan_shape s = base_shape;
    s.low = K_Q4_K;
    s.high = K_Q6_K;
    s.mixed = true;
    random_plan *p = random_plan_new(&s);
    k_model_options opt = {.plan = random_plan_get(p), .kv_pages = PAGES, .rows_max = 64};
    int32_t tokens[POSITIONS] = {1, 2, 3};
    uint64_t before = 0, after = 0, all;
    for (int round = 0; round < 4; round++) { /* the first makes what stays: handles, code */
        k_memory planned = k_model_plan_memory(b->cuda, &opt);
        k_model *m = model(b->cuda, p, 64);
        k_memory taken = k_model_memory(m);
        assert_memory_equal(&planned, &taken, sizeof planned);
        run(m, tokens, 0, 40);
        run(m, tokens, 40, 1);
        k_model_free(m);
        k_device_memory(b->cuda, &after, &all);
        if (round == 0) before = after;
    }
    printf("free after one model %llu, after four %llu bytes\n", (unsigned long long)before,
           (unsigned long long)after);
    assert_true(after >= before);

    /* More than the device has is refused before anything is taken. */
    opt.kv_pages = 1 << 24;
    k_model *none = NULL;
    err e;
    assert_int_equal(k_model_new(&none, b->cuda, &opt, &e), ERR_LIMIT);
    assert_non_null(strstr(e.text, "MB on the GPU"));
    k_device_memory(b->cuda, &after, &all);
    assert_true(after >= before);
    random_plan_free(p);
}

/* compute-sanitizer makes everything a hundred times slower: one small model, both paths. */
static void test_tiny(void **state) {
    plan_shape s = base_shape;
    s.layers = 1;
    s.dim = 128;
    s.heads = 2;
    s.kv_heads = 1;
    s.ff = 256;
    s.vocab = 320;
    compare(*state, "tiny", &s, 1e-4);
    s.low = K_Q4_K;
    s.high = K_Q6_K;
    s.mixed = true;
    s.dim = 256;
    s.heads = 4;
    compare(*state, "tiny, Q4_K + Q6_K", &s, 1e-4);
    kv_type = KV_Q8;
    compare(*state, "tiny, int8 KV", &s, 1e-4);
    kv_type = KV_F16;
    s.low = s.high = K_F32;
    compare(*state, "tiny, F32", &s, 1e-5);
}

static void test_tiny_depths(void **state) {
    static const int depths[] = {126, 250};
    backends *b = *state;
    if (!b->cuda) skip();
    plan_shape s = base_shape;
    s.layers = 1;
    s.vocab = 320;
    check_depths(b, &s, depths, COUNTOF(depths));
}

/* test_cuda [tiny] */
int main(int argc, char **argv) {
    const struct CMUnitTest all[] = {
        cmocka_unit_test(test_types),  cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_floats), cmocka_unit_test(test_sequences),
        cmocka_unit_test(test_eager),  cmocka_unit_test(test_rows),
        cmocka_unit_test(test_cancel), cmocka_unit_test(test_coded),
        cmocka_unit_test(test_pieces), cmocka_unit_test(test_depths),
        cmocka_unit_test(test_memory),
    };
    const struct CMUnitTest tiny[] = {cmocka_unit_test(test_tiny),
                                      cmocka_unit_test(test_tiny_depths)};
    bool small = argc > 1 && strcmp(argv[1], "tiny") == 0;
    /* Decode has two paths: by one kernel a step where the device and the model allow it, and by
     * launches. */
    int failed = 0;
    for (int path = 0; path < 2; path++) {
        if (path == 1) setenv("INLINED_CUDA_TOKEN", "0", 1);
        failed += small ? cmocka_run_group_tests(tiny, open_both, close_both)
                        : cmocka_run_group_tests(all, open_both, close_both);
    }
    return failed;
}
