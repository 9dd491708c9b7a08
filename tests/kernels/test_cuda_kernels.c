/* SPDX-License-Identifier: Apache-2.0 */
/* Each kernel of the CUDA backend by itself against the scalar reference: at most 1e-4 of
 * normalised mean square error (1e-8 for products of float matrices, which rounding both sides to
 * float16 misses by far), and not one bit where the arithmetic is integer.
 *
 * A backend runs plans, not kernels, so a plan of one layer is made in which only one of its
 * operations can err.  Decoding rounds what enters a product to int8, chunk by chunk of 32: a chunk
 * with one value that is not 0 is kept to the last bits.  So matrices before and behind the
 * operation under test have rows of zeros but for each 32nd, and the other branch of the layer has
 * the scale 0.  Skips where no device is found, saying why. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "tests/kernels/fixture.h"

enum { PAGES = 10, PROMPT = 40, ROWS = 16, ROWS_MOST = 128, VOCAB = 320, APART = 32 };

#define LIMIT 1e-4
#define TIGHT 1e-8

typedef enum { QKV, ATTEND, ATTN_OUT, GATE_UP, FFN_DOWN, HEAD, KERNELS } kernel;
static const char *const kernel_names[KERNELS] = {"q k v",   "attention", "attention output",
                                                  "gate up", "down",      "head"};

typedef struct {
    k_backend *cuda, *ref;
} backends;

static int open_both(void **state) {
    backends *b = xcalloc(1, sizeof *b);
    err e;
    *state = b;
    if (k_open(&b->ref, &(k_options){.device = K_REF}, &e) != OK) return -1;
    if (k_open(&b->cuda, &(k_options){.device = K_CUDA}, &e) != OK) {
        printf("SKIP: the CUDA kernels cannot be tested here: %s\n", e.text);
        b->cuda = NULL;
    }
    return 0;
}

static int close_both(void **state) {
    backends *b = *state;
    k_close(b->cuda);
    k_close(b->ref);
    xfree(b);
    return 0;
}

/* ---- plans ----------------------------------------------------------------------------------- */

/* Rows of zeros but for each 32nd. */
static void keep_few_rows(k_tensor *t) {
    size_t bytes = k_row_bytes(t->type, t->cols);
    for (int64_t row = 0; row < t->rows; row++)
        if (row % APART) memset((uint8_t *)(uintptr_t)t->data + (size_t)row * bytes, 0, bytes);
}

static void repeat_first_row(k_tensor *t) {
    size_t bytes = k_row_bytes(t->type, t->cols);
    uint8_t *rows = (uint8_t *)(uintptr_t)t->data;
    for (int64_t row = 1; row < t->rows; row++)
        memcpy(rows + (size_t)row * bytes, rows, bytes);
}

static void keep_few_values(k_tensor *vector) {
    for (int64_t i = 0; i < vector->cols * vector->rows; i++)
        if (i % APART) ((float *)(uintptr_t)vector->data)[i] = 0;
}

static void enlarge(k_tensor *vector, float by) {
    for (int64_t i = 0; i < vector->cols * vector->rows; i++)
        ((float *)(uintptr_t)vector->data)[i] *= by;
}

/* Columns of zeros but for each 32nd: the first code of each block. */
static void keep_few_columns(k_tensor *t) {
    ASSERT(t->type == K_Q8_0);
    block_q8_0 *blocks = (block_q8_0 *)(uintptr_t)t->data;
    for (int64_t i = 0; i < t->rows * t->cols / APART; i++)
        memset(blocks[i].qs + 1, 0, sizeof blocks[i].qs - 1);
}

/* A factor alone: it turns nothing that is 0 into something else. */
static void plain_norm(k_norm *n) {
    n->kind = NORM_RMS;
    n->bias = (k_tensor){0};
}

typedef struct {
    k_plan plan;
    k_op *embed, *qkv, *attend, *out, *gate, *down, *head;
} one_layer;

static one_layer layer_of(arena *a, rng *r, const shape *s) {
    one_layer l = {.plan = plan_random(a, r, s)};
    k_op *ops = l.plan.ops;
    ASSERT(l.plan.n_ops == 7);
    l.embed = &ops[0];
    l.qkv = &ops[1];
    l.attend = &ops[2];
    l.out = &ops[3];
    l.gate = &ops[4];
    l.down = &ops[5];
    l.head = &ops[6];
    return l;
}

static bool is_float(k_type t) {
    return t == K_F32 || t == K_F16 || t == K_BF16;
}

/* The plan in which only `which` can err. */
static k_plan isolate(arena *a, rng *r, const shape *s, kernel which) {
    one_layer l = layer_of(a, r, s);
    k_op *under_test[KERNELS] = {l.qkv, l.attend, l.out, l.gate, l.down, l.head};
    for (int i = 0; i < l.plan.n_ops; i++) {
        k_op *op = &l.plan.ops[i];
        bool own_bias = op == l.qkv || op == under_test[which];
        for (int k = 0; k < 3 && !own_bias; k++)
            op->bias[k] = (k_tensor){0};
        op->norm.eps = 0; /* rows may be tiny: see below */
        if (op == under_test[which]) continue;
        if (op->norm.weight.rows) plain_norm(&op->norm);
        /* What reaches the one under test has no common part, as it has behind weights whose mean
         * is not 0; there it would count as signal. */
        for (int k = 0; k < 3 && !is_float(s->type); k++) {
            k_tensor *t = &op->w[k];
            if (t->rows)
                *t = tensor_random(a, r, K_Q8_0, t->rows, t->cols, 1.5f / sqrtf((float)t->cols));
        }
    }
    bool exact = which == ATTEND || which == ATTN_OUT || which == FFN_DOWN;
    l.embed->w[0] = tensor_random(a, r, K_Q8_0, VOCAB, s->dim, 0.5f);
    l.head->w[0] = tensor_random(a, r, which == HEAD ? s->head_type : K_Q8_0, VOCAB, s->dim, 0.2f);
    if (exact) keep_few_columns(&l.embed->w[0]);
    /* What is added to this is all that the head sees. */
    l.embed->scale = which == HEAD ? 1 : 1e-6f;
    l.out->scale = which == QKV || which == ATTEND || which == ATTN_OUT ? 0.9f : 0;
    l.down->scale = which == GATE_UP || which == FFN_DOWN ? 1.1f : 0;
    if (which == QKV || which == ATTEND) {
        keep_few_rows(&l.qkv->w[2]);
        keep_few_values(&l.qkv->bias[2]);
        enlarge(&l.qkv->bias[1], 20);
    }
    /* All are rows of one product, and values come out as they are where a row sees only itself; a
     * softmax would magnify or average what queries and keys lost. */
    if (which == QKV) l.attend->window = 1;
    if (which == GATE_UP) {
        for (int i = 0; i < 2; i++) {
            keep_few_rows(&l.gate->w[i]);
            keep_few_values(&l.gate->bias[i]);
        }
    }
    /* One gate for all: a product of two normal numbers has tails that no scale of 8 bits fits. */
    if (which == FFN_DOWN) repeat_first_row(&l.gate->w[0]);
    keep_few_rows(&l.out->w[0]);
    keep_few_values(&l.out->bias[0]);
    keep_few_rows(&l.down->w[0]);
    keep_few_values(&l.down->bias[0]);
    return l.plan;
}

/* ---- running --------------------------------------------------------------------------------- */

static k_model *model(k_backend *b, const k_plan *plan) {
    k_model *m;
    err e;
    k_model_options opt = {.plan = plan, .kv_pages = PAGES, .rows_max = ROWS_MOST};
    if (k_model_new(&m, b, &opt, &e) != OK) fail_msg("%s", e.text);
    return m;
}

static void run(k_model *m, const int32_t *tokens, int from, int n) {
    int32_t pos[ROWS_MOST], seq[ROWS_MOST] = {0}, pages[PAGES];
    uint8_t want[ROWS_MOST];
    const int32_t *tables[1] = {pages};
    for (int i = 0; i < PAGES; i++)
        pages[i] = (3 * i + 2) % PAGES;
    for (int i = 0; i < n; i++) {
        pos[i] = from + i;
        want[i] = 1;
    }
    k_batch b = {n, tokens + from, pos, seq, tables, 1, want, NULL};
    err e;
    if (k_forward(m, &b, &e) != OK) fail_msg("%s", e.text);
}

/* Other rows everywhere, and large numbers in keys and values that no position has written (in the
 * padding of a head there must be zeros). */
static void poison(k_model *m, const int32_t *tokens, int head_dim) {
    size_t bytes = k_kv_page_bytes(m);
    uint8_t *page = xmalloc(bytes);
    err e;
    run(m, tokens, 0, PROMPT);
    run(m, tokens, PROMPT, ROWS);
    memset(page, 0x77, bytes); /* 30,576 as binary16 */
    for (int i = 0; i < PAGES && head_dim % 64 == 0; i++)
        assert_int_equal(k_kv_write_page(m, i, page, &e), OK);
    xfree(page);
}

typedef struct {
    double errors, squares;
} sums;

static void add_rows(sums *s, k_model *got, k_model *want, int n) {
    for (int i = 0; i < n; i++) {
        const float *x = k_logits(got, i), *y = k_logits(want, i);
        for (int k = 0; k < VOCAB; k++) {
            double d = (double)x[k] - (double)y[k];
            s->errors += isfinite(x[k]) ? d * d : HUGE_VAL;
            s->squares += (double)y[k] * (double)y[k];
        }
    }
}

static void draw_tokens(rng *r, int32_t *tokens, int n) {
    for (int i = 0; i < n; i++)
        tokens[i] = rng_below(r, VOCAB);
}

/* Few values of a row are not 0 with some plans, so single rows are added up. */
static const struct { int rows, times; } steps[] = {{PROMPT, 1}, {1, 32}, {7, 5}, {ROWS, 2}};

enum { STEPS = COUNTOF(steps), POSITIONS = PROMPT + 32 + 35 + 2 * ROWS };

/* The normalised mean square error of each kind of step; returns the worse of prompts and the other
 * steps, whose rows all have the bits that they have alone (test_cuda): 99 draws of one kernel. */
static double distance(backends *b, const shape *s, kernel which, uint64_t seed,
                       double all[STEPS]) {
    arena a;
    rng r = {seed};
    arena_init(&a);
    k_plan plan = isolate(&a, &r, s, which);
    k_model *want = model(b->ref, &plan), *got = model(b->cuda, &plan);
    int32_t tokens[POSITIONS], other[PROMPT + ROWS];
    sums decode = {0};
    draw_tokens(&r, other, COUNTOF(other));
    draw_tokens(&r, tokens, COUNTOF(tokens));
    poison(got, other, s->head_dim);
    for (int i = 0, from = 0; i < (int)STEPS; i++) {
        sums total = {0};
        for (int k = 0; k < steps[i].times; k++, from += steps[i].rows) {
            run(want, tokens, from, steps[i].rows);
            run(got, tokens, from, steps[i].rows);
            add_rows(&total, got, want, steps[i].rows);
        }
        all[i] = total.squares > 0 ? total.errors / total.squares : HUGE_VAL;
        if (i == 0) continue;
        decode.errors += total.errors;
        decode.squares += total.squares;
    }
    k_model_free(got);
    k_model_free(want);
    arena_deinit(&a);
    return fmax(all[0], decode.squares > 0 ? decode.errors / decode.squares : HUGE_VAL);
}

/* Keys and values are float16 for all. */
static double limit_of(const shape *s, kernel which) {
    return is_float(s->type) && (which == GATE_UP || which == FFN_DOWN) ? TIGHT : LIMIT;
}

static void check_all(backends *b, const char *name, const shape *s) {
    for (kernel k = 0; k < KERNELS; k++) {
        double all[STEPS], worst = distance(b, s, k, 77 + (uint64_t)k, all);
        printf("%-28s %-16s nmse prompt %.1e, 1 row %.1e, 7 rows %.1e, 16 rows %.1e\n", name,
               kernel_names[k], all[0], all[1], all[2], all[3]);
        if (!(worst <= limit_of(s, k))) fail_msg("%s, %s: %.2e", name, kernel_names[k], worst);
    }
}

static const shape base = {.type = K_Q8_0,
                           .head_type = K_Q8_0,
                           .dim = 512,
                           .ffn = 512,
                           .heads = 8,
                           .heads_kv = 2,
                           .head_dim = 64,
                           .layers = 1,
                           .vocab = VOCAB,
                           .rope = ROPE_NORM,
                           .n_rot = 64};

/* Prompts of these lengths: as they are, and in pieces of at most 32 rows (33: 17 and 16).  The
 * kernel for 8 rows leaves the bits of the others, test_cuda sees to that. */
static const int prompts[] = {17, 33, 90, ROWS_MOST};

static void check_prompts(backends *b, const char *name, const shape *s, kernel which) {
    arena a;
    rng r = {900 + (uint64_t)which};
    arena_init(&a);
    k_plan plan = isolate(&a, &r, s, which);
    k_model *want = model(b->ref, &plan), *got = model(b->cuda, &plan);
    int32_t tokens[PAGES * K_PAGE_TOKENS];
    draw_tokens(&r, tokens, COUNTOF(tokens));
    for (int i = 0, from = 0; i < (int)COUNTOF(prompts); from += prompts[i++]) {
        sums total = {0};
        run(want, tokens, from, prompts[i]);
        run(got, tokens, from, prompts[i]);
        add_rows(&total, got, want, prompts[i]);
        double off = total.squares > 0 ? total.errors / total.squares : HUGE_VAL;
        printf("%-28s %-16s nmse %d rows %.1e\n", name, kernel_names[which], prompts[i], off);
        if (!(off <= LIMIT))
            fail_msg("%s, %s, %d rows: %.2e", name, kernel_names[which], prompts[i], off);
    }
    k_model_free(got);
    k_model_free(want);
    arena_deinit(&a);
}

/* ---- tests ----------------------------------------------------------------------------------- */

typedef struct {
    const char *name;
    shape s;
} named_shape;

static shape one_layer_shape(const named_shape *named, int n_rot) {
    shape s = named->s;
    s.layers = 1;
    s.vocab = VOCAB;
    s.n_rot = n_rot;
    return s;
}

static void every_type(void **state) {
    backends *b = *state;
    if (!b->cuda) skip();
    for (int i = 0; i < n_all_types; i++) {
        shape s = base;
        s.type = s.head_type = all_types[i];
        check_all(b, k_type_name((int)all_types[i]), &s);
    }
}

static void awkward_shapes(void **state) {
    backends *b = *state;
    if (!b->cuda) skip();
    const named_shape cases[] = {
        {"576 wide, 9/3 heads", {K_Q4_1, K_Q8_0, 576, 1536, 9, 3, 64, .rope = ROPE_NORM}},
        {"896 wide, 14/2, bias",
         {K_Q8_0, K_Q8_0, 896, 4864, 14, 2, 64, .rope = ROPE_NEOX, .bias = true}},
        {"960 wide, 15/5", {K_Q5_0, K_Q8_0, 960, 2560, 15, 5, 64, .rope = ROPE_NORM}},
        {"1536 wide, Q4_K + Q6_K, bias",
         {K_Q4_K, K_Q6_K, 1536, 2048, 12, 2, 128, .rope = ROPE_NEOX, .bias = true}},
        {"640 wide, gemma-like",
         {K_Q8_0, K_Q8_0, 640, 2048, 4, 1, 256, .rope = ROPE_NEOX, .act = ACT_GELU_TANH,
          .qk_norm = true, .post_norm = true, .attn_softcap = 50, .final_softcap = 30}},
        {"LayerNorm, no gate, bias",
         {K_Q8_0, K_Q8_0, 256, 512, 8, 2, 64, .rope = ROPE_NEOX, .act = ACT_GELU_TANH,
          .norm = NORM_LAYER, .bias = true, .no_gate = true}},
        {"heads of 96, partly turned", {K_Q8_0, K_Q8_0, 384, 512, 4, 4, 96, .rope = ROPE_NEOX}},
        {"24 heads share one", {K_Q8_0, K_Q8_0, 256, 512, 24, 1, 64, .rope = ROPE_NONE}},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        int head_dim = cases[i].s.head_dim;
        shape s = one_layer_shape(&cases[i], head_dim == 96 ? 48 : head_dim);
        check_all(b, cases[i].name, &s);
    }
}

static void prompt_lengths(void **state) {
    backends *b = *state;
    if (!b->cuda) skip();
    const named_shape cases[] = {
        {"576 wide", {K_Q4_1, K_Q8_0, 576, 1536, 9, 3, 64, .rope = ROPE_NORM}},
        {"896 wide, bias", {K_Q8_0, K_Q8_0, 896, 1216, 14, 2, 64, .rope = ROPE_NEOX, .bias = true}},
        {"960 wide", {K_Q5_0, K_Q8_0, 960, 640, 15, 5, 64, .rope = ROPE_NORM}},
        {"768 wide, half turned",
         {K_Q6_K, K_Q8_0, 768, 1280, 6, 2, 128, .rope = ROPE_NEOX, .act = ACT_GELU_TANH}},
    };
    static const kernel products[] = {QKV, ATTN_OUT, GATE_UP, FFN_DOWN};
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        shape s = one_layer_shape(&cases[i], 64);
        for (size_t k = 0; k < COUNTOF(products); k++)
            check_prompts(b, cases[i].name, &s, products[k]);
    }
}

/* A row of whole numbers with 127 in each half of a chunk is int8 without rounding, and a product
 * with whole weights has one right value, of less than 24 bits: to the bit, whatever the order. */
static void whole_numbers(void **state) {
    backends *b = *state;
    if (!b->cuda) skip();
    int32_t tokens[PROMPT + ROWS];
    for (int i = 0; i < n_all_types; i++) {
        arena a;
        rng r = {500 + (uint64_t)i};
        arena_init(&a);
        shape s = base;
        one_layer l = layer_of(&a, &r, &s);
        l.embed->w[0] = tensor_whole(&a, &r, K_Q8_0, VOCAB, s.dim);
        block_q8_0 *rows = (block_q8_0 *)(uintptr_t)l.embed->w[0].data;
        for (int64_t k = 0; k < VOCAB * s.dim / APART; k++) {
            for (int c = 0; c < APART; c++)
                rows[k].qs[c] = (int8_t)(rng_below(&r, 7) - 3);
            for (int half = 0; half < APART; half += APART / 2)
                rows[k].qs[half + (int)rng_below(&r, APART / 2)] = rng_below(&r, 2) ? 127 : -127;
        }
        l.head->w[0] = tensor_whole(&a, &r, all_types[i], VOCAB, s.dim);
        l.head->norm = (k_norm){0};
        l.embed->scale = l.head->scale = 1;
        l.out->scale = l.down->scale = 0;
        k_model *want = model(b->ref, &l.plan), *got = model(b->cuda, &l.plan);
        draw_tokens(&r, tokens, COUNTOF(tokens));
        static const int rows_of[] = {PROMPT, 1, 4, 8, 3};
        for (int k = 0, from = 0; k < (int)COUNTOF(rows_of); from += rows_of[k++]) {
            run(want, tokens, from, rows_of[k]);
            run(got, tokens, from, rows_of[k]);
            for (int row = 0; row < rows_of[k]; row++)
                for (int v = 0; v < VOCAB; v++)
                    if (k_logits(got, row)[v] != k_logits(want, row)[v])
                        fail_msg("%s, %d rows: logit %d is %.9g, not %.9g",
                                 k_type_name((int)all_types[i]), rows_of[k], v,
                                 (double)k_logits(got, row)[v], (double)k_logits(want, row)[v]);
        }
        k_model_free(got);
        k_model_free(want);
        arena_deinit(&a);
    }
}

/* test_cuda_kernels [prompts|token|launches]: one of the ways alone. */
int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prompt_lengths),
        cmocka_unit_test(every_type),
        cmocka_unit_test(awkward_shapes),
        cmocka_unit_test(whole_numbers),
    };
    const struct CMUnitTest prompts_only[] = {cmocka_unit_test(prompt_lengths)};
    /* Prompts of all lengths by strips; decode by one kernel a step where device and model allow
     * it; and by launches. */
    static const char *const ways[] = {"prompts", "token", "launches"};
    int failed = 0;
    for (size_t i = 0; i < COUNTOF(ways); i++) {
        if (argc > 1 && strcmp(argv[1], ways[i]) != 0) continue;
        if (i == 0) setenv("INLINED_STRIP_ROWS", "192", 1);
        if (i == 2) setenv("INLINED_CUDA_TOKEN", "0", 1);
        printf("%s\n", ways[i]);
        failed += i == 0 ? cmocka_run_group_tests(prompts_only, open_both, close_both)
                         : cmocka_run_group_tests(tests, open_both, close_both);
        unsetenv("INLINED_STRIP_ROWS");
    }
    return failed;
}
