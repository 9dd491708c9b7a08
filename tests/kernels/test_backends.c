/* SPDX-License-Identifier: Apache-2.0 */
/* Whole random models: every instruction set of the CPU backend against the reference, and against
 * itself with other batches, threads and page tables, where not one bit may differ.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "kernels/kernels.h"
#include "tests/kernels/fixture.h"

#define PAGES 48
#define ROWS 64

typedef struct {
    k_backend *backend;
    k_model *model;
    int32_t pages[PAGES]; /* of the only sequence that most tests have */
} engine;

static k_kv_type kv_type = KV_F16; /* of the models that are opened */

static bool engine_open(engine *en, const char *isa, int threads, const k_plan *plan) {
    err e = {{0}};
    bool ref = strcmp(isa, "ref") == 0;
    if (!ref) setenv("INLINED_CPU", isa, 1);
    if (k_open(&en->backend, &(k_options){ref ? K_REF : K_CPU, threads}, &e) != OK) {
        print_message("SKIP %s: %s\n", isa, e.text);
        return false;
    }
    k_model_options opt = {.plan = plan, .kv_pages = PAGES, .kv_type = kv_type, .rows_max = ROWS};
    k_memory want = k_model_plan_memory(en->backend, &opt);
    if (k_model_new(&en->model, en->backend, &opt, &e) != OK) fail_msg("%s", e.text);
    k_memory got = k_model_memory(en->model);
    assert_true(got.weight_bytes == want.weight_bytes && got.kv_bytes == want.kv_bytes);
    assert_true(got.work_bytes >= want.work_bytes);
    for (int i = 0; i < PAGES; i++)
        en->pages[i] = i;
    return true;
}

static void engine_close(engine *en) {
    k_model_free(en->model);
    k_close(en->backend);
}

/* Feeds tokens from..to-1 in batches of `step` and copies all their logits to out[to - from]. */
static void feed(engine *en, const int32_t *token, int from, int to, int step, float *out,
                 int vocab) {
    int32_t pos[ROWS], seq[ROWS] = {0};
    uint8_t want[ROWS];
    const int32_t *pages[1] = {en->pages};
    err e;
    memset(want, 1, sizeof want);
    for (int at = from; at < to; at += step) {
        int n = MIN(step, to - at);
        for (int i = 0; i < n; i++)
            pos[i] = at + i;
        k_batch b = {.n = n,
                     .token = token + at,
                     .pos = pos,
                     .seq = seq,
                     .pages = pages,
                     .n_seqs = 1,
                     .want = want};
        if (k_forward(en->model, &b, &e) != OK) fail_msg("%s", e.text);
        for (int i = 0; i < n && out; i++)
            memcpy(out + (size_t)(at - from + i) * (size_t)vocab, k_logits(en->model, i),
                   (size_t)vocab * sizeof *out);
    }
}

static float *logits_new(int n, int vocab) {
    return xcalloc((size_t)n * (size_t)vocab, sizeof(float));
}

static void random_tokens(rng *r, int32_t *token, int n, int vocab) {
    for (int i = 0; i < n; i++)
        token[i] = rng_below(r, vocab);
}

/* Mean squared error over the variance. */
static double nmse(const float *got, const float *want, size_t n) {
    double mean = 0, error = 0, variance = 0;
    for (size_t i = 0; i < n; i++)
        mean += (double)want[i] / (double)n;
    for (size_t i = 0; i < n; i++) {
        error += ((double)got[i] - (double)want[i]) * ((double)got[i] - (double)want[i]);
        variance += ((double)want[i] - mean) * ((double)want[i] - mean);
    }
    return error / variance;
}

static const shape small = {.type = K_F32,
                            .head_type = K_F32,
                            .dim = 64,
                            .ffn = 96,
                            .heads = 4,
                            .heads_kv = 2,
                            .head_dim = 16,
                            .layers = 2,
                            .vocab = 71,
                            .norm = NORM_RMS,
                            .rope = ROPE_NORM,
                            .n_rot = 16,
                            .act = ACT_SILU};

/* Under an emulator the vectors are what the test is for; plain C is tested on the host. */
static bool is_elsewhere(const char *isa) {
#ifdef INLINED_EMULATED
    return strcmp(isa, "scalar") == 0;
#else
    UNUSED(isa);
    return false;
#endif
}

/* Every instruction set and thread count against the reference. */
static void compare(const shape *s, int n, int step, double limit, const char *what) {
    arena a;
    arena_init(&a);
    rng r = {(uint64_t)(s->type * 131 + s->dim)};
    k_plan plan = plan_random(&a, &r, s);
    int32_t token[ROWS * 12];
    random_tokens(&r, token, n, s->vocab);
    size_t count = (size_t)n * (size_t)s->vocab;
    float *want = logits_new(n, s->vocab), *got = logits_new(n, s->vocab);
    float *again = logits_new(n, s->vocab);
    engine en;
    assert_true(engine_open(&en, "ref", 1, &plan));
    feed(&en, token, 0, n, ROWS, want, s->vocab);
    engine_close(&en);
    for (int i = 0; i < n_isa_names; i++) {
        if (is_elsewhere(isa_names[i]) || !engine_open(&en, isa_names[i], 1, &plan)) continue;
        for (size_t k = 0; k < count; k++)
            got[k] = NAN;
        feed(&en, token, 0, n, step, got, s->vocab);
        engine_close(&en);
        double off = nmse(got, want, count);
        if (!(off <= limit))
            fail_msg("%s, %s: error %.3g above %.3g", what, isa_names[i], off, limit);
        assert_true(engine_open(&en, isa_names[i], 3, &plan));
        feed(&en, token, 0, n, MIN(ROWS, 2 * step + 1), again, s->vocab);
        engine_close(&en);
        if (memcmp(got, again, count * sizeof *got) != 0)
            fail_msg("%s, %s: bits depend on threads or batches", what, isa_names[i]);
    }
    xfree(want);
    xfree(got);
    xfree(again);
    arena_deinit(&a);
}

static void float_models_agree(void **state) {
    UNUSED(state);
    struct {
        const char *what;
        shape s;
    } cases[16] = {{"plain", small}};
    int n = 1;
#define CASE(name, ...)                                                                            \
 cases[n].what = name;                                                                             \
 cases[n].s = small;                                                                               \
 __VA_ARGS__;                                                                                      \
 n++
    shape *s = NULL;
    CASE("biases, LayerNorm, no gate, gelu", s = &cases[n].s; s->bias = true; s->no_gate = true;
         s->norm = NORM_LAYER; s->act = ACT_GELU_TANH; s->rope = ROPE_NEOX);
    CASE("q and k norms, partial rope", s = &cases[n].s; s->qk_norm = true; s->n_rot = 8);
    CASE("post norms, softcaps, window", s = &cases[n].s; s->post_norm = true; s->attn_softcap = 5;
         s->final_softcap = 3; s->window = 20; s->bias = true);
    CASE("no rope, odd sizes", s = &cases[n].s; s->rope = ROPE_NONE; s->dim = 37; s->ffn = 41;
         s->head_dim = 12; s->heads = 3; s->heads_kv = 1; s->n_rot = 0);
    CASE("9 heads on 3", s = &cases[n].s; s->heads = 9; s->heads_kv = 3; s->head_dim = 64;
         s->n_rot = 64; s->layers = 1);
    CASE("latent attention", s = &cases[n].s; s->latent = 48; s->n_rot = 6);
    CASE("a mixture of all its experts", s = &cases[n].s; s->experts = s->used = 5);
    CASE("14 heads on 2", s = &cases[n].s; s->heads = 14; s->heads_kv = 2; s->tied = true);
#undef CASE
    for (int i = 0; i < n; i++)
        compare(&cases[i].s, 75, 7, 1e-6, cases[i].what);
}

/* Where two experts are nearly level the smallest rounding may choose the other one, so that a few
 * rows are far off; those that choose alike are not. */
static void mixtures_agree(void **state) {
    UNUSED(state);
    shape s = small;
    s.experts = 6;
    s.used = 2;
    s.layers = 1; /* one choice a row, and nothing that it could pass on */
    compare(&s, 75, 7, 1e-6, "2 of 6 experts");
    s.type = s.head_type = K_Q8_0;
    s.experts = 40;
    s.used = 7;
    s.tied = true;
    s.latent = 32;
    s.n_rot = 8;
    compare(&s, 75, 7, 5e-2, "7 of 40 experts behind latent attention");
}

static void long_sequences_agree(void **state) {
    UNUSED(state);
    shape s = small; /* over spans of 256 and a window that begins inside one */
    s.layers = 2;
    s.window = 70;
    compare(&s, 600, 50, 1e-6, "600 positions");
    s.window = 300;
    compare(&s, 600, 3, 1e-6, "600 positions, three at a time");
}

/* Half the memory; what it costs in truth is bounded, and still no bit depends on batches. */
static void coded_caches_agree(void **state) {
    UNUSED(state);
    shape s = small;
    kv_type = KV_Q8;
    compare(&s, 75, 7, 3e-4, "KV in int8");
    s.window = 70;
    s.attn_softcap = 5;
    compare(&s, 600, 50, 3e-4, "KV in int8, 600 positions");
    s.head_dim = 12;
    s.heads = 3;
    s.heads_kv = 1;
    s.rope = ROPE_NONE;
    compare(&s, 40, 3, 3e-4, "KV in int8, heads of 12");
    s = small;
    s.latent = 48;
    s.n_rot = 6;
    compare(&s, 75, 7, 3e-4, "latent vectors in int8");
    arena a;
    arena_init(&a);
    rng r = {4};
    s.latent = 0;
    s.head_dim = s.n_rot = 64;
    k_plan plan = plan_random(&a, &r, &s);
    engine coded, plain;
    assert_true(engine_open(&coded, "", 1, &plan));
    kv_type = KV_F16;
    assert_true(engine_open(&plain, "", 1, &plan));
    double share =
        (double)k_model_memory(coded.model).kv_bytes / (double)k_model_memory(plain.model).kv_bytes;
    assert_true(share < 0.54);
    assert_int_equal(k_kv_page_bytes(coded.model) * PAGES, k_model_memory(coded.model).kv_bytes);
    engine_close(&coded);
    engine_close(&plain);
    arena_deinit(&a);
}

static void every_type_agrees(void **state) {
    UNUSED(state);
    for (int i = 0; i < n_all_types; i++) {
        shape s = small;
        bool wide = k_type_block(all_types[i]) == 256;
        s.type = s.head_type = all_types[i];
        s.dim = wide ? 256 : 576;
        s.ffn = wide ? 512 : 640;
        s.heads = wide ? 4 : 9;
        s.heads_kv = wide ? 1 : 3;
        s.head_dim = 64;
        s.n_rot = 64;
        s.layers = 1;
        s.tied = i % 2;
        compare(&s, 28, 9, 1e-3, k_type_name((int)all_types[i]));
    }
}

static void mixed_types_agree(void **state) {
    UNUSED(state);
    shape s = small;
    s.type = K_F16;
    s.head_type = K_Q8_0;
    s.dim = 96;
    compare(&s, 33, 5, 1e-4, "F16 with a Q8_0 head");
    s.type = K_Q4_1;
    s.head_type = K_BF16;
    s.tied = true;
    compare(&s, 33, 5, 1e-3, "Q4_1 with a BF16 head");
}

/* ---- batches and pages ----------------------------------------------------------------------- */

static void two_sequences_share_a_batch(void **state) {
    UNUSED(state);
    arena a;
    arena_init(&a);
    rng r = {5};
    shape s = small;
    s.type = K_Q8_0;
    s.head_type = K_Q8_0;
    s.window = 40;
    k_plan plan = plan_random(&a, &r, &s);
    int32_t token[2][70];
    random_tokens(&r, token[0], 140, s.vocab);
    float *alone[2] = {logits_new(70, s.vocab), logits_new(70, s.vocab)};
    engine en;
    assert_true(engine_open(&en, "", 2, &plan));
    for (int q = 0; q < 2; q++)
        feed(&en, token[q], 0, 70, 64, alone[q], s.vocab);
    /* the same again, interleaved in pages and batches: 5 rows of one, 3 of the other */
    int32_t table[2][3] = {{7, 3, 11}, {4, 9, 2}};
    const int32_t *pages[2] = {table[0], table[1]};
    int at[2] = {0, 0};
    while (at[0] < 70 || at[1] < 70) {
        int32_t tok[8], pos[8], seq[8];
        int n = 0;
        for (int q = 0; q < 2; q++)
            for (int i = 0; i < (q ? 3 : 5) && at[q] < 70; i++, n++, at[q]++) {
                tok[n] = token[q][at[q]];
                pos[n] = at[q];
                seq[n] = q;
            }
        uint8_t want[8] = {1, 0, 1, 1, 1, 1, 1, 1};
        err e;
        k_batch b = {.n = n,
                     .token = tok,
                     .pos = pos,
                     .seq = seq,
                     .pages = pages,
                     .n_seqs = 2,
                     .want = want};
        assert_int_equal(k_forward(en.model, &b, &e), OK);
        for (int i = 0, wanted = 0; i < n; i++) {
            if (!want[i]) continue;
            const float *was = alone[seq[i]] + (size_t)pos[i] * (size_t)s.vocab;
            assert_memory_equal(k_logits(en.model, wanted++), was, (size_t)s.vocab * 4);
        }
    }
    engine_close(&en);
    xfree(alone[0]);
    xfree(alone[1]);
    arena_deinit(&a);
}

static void pages_can_be_copied_and_moved(void **state) {
    UNUSED(state);
    static const char *const names[] = {"", "ref", ""};
    for (size_t k = 0; k < COUNTOF(names); k++) {
        kv_type = k == 2 ? KV_Q8 : KV_F16;
        arena a;
        arena_init(&a);
        rng r = {6};
        k_plan plan = plan_random(&a, &r, &small);
        int32_t token[50];
        random_tokens(&r, token, 50, small.vocab);
        float *want = logits_new(1, small.vocab), *got = logits_new(1, small.vocab);
        engine en;
        err e;
        assert_true(engine_open(&en, names[k], 1, &plan));
        feed(&en, token, 0, 49, 49, NULL, small.vocab);
        void *page = xmalloc(k_kv_page_bytes(en.model));
        assert_int_equal(k_kv_read_page(en.model, 0, page, &e), OK);
        k_kv_copy_page(en.model, 30, 1);
        feed(&en, token, 49, 50, 1, want, small.vocab);
        /* position 49 lies in the copy, page 30; page 0 goes out and comes back as page 20 */
        assert_int_equal(k_kv_write_page(en.model, 20, page, &e), OK);
        en.pages[0] = 20;
        en.pages[1] = 30;
        feed(&en, token, 49, 50, 1, got, small.vocab);
        assert_memory_equal(got, want, (size_t)small.vocab * 4);
        engine_close(&en);
        xfree(page);
        xfree(want);
        xfree(got);
        arena_deinit(&a);
    }
    kv_type = KV_F16;
}

/* ---- results and refusals -------------------------------------------------------------------- */

static void top_is_what_the_logits_say(void **state) {
    UNUSED(state);
    arena a;
    arena_init(&a);
    rng r = {8};
    shape s = small;
    s.vocab = 1301;
    k_plan plan = plan_random(&a, &r, &s);
    int32_t token[3] = {1, 2, 3}, ids[64];
    float logprobs[64];
    engine en;
    assert_true(engine_open(&en, "", 1, &plan));
    feed(&en, token, 0, 3, 3, NULL, s.vocab);
    const float *logits = k_logits(en.model, 1);
    double sum = 0;
    for (int i = 0; i < s.vocab; i++)
        sum += exp((double)logits[i]);
    k_top(en.model, 1, 64, ids, logprobs);
    for (int k = 0; k < 64; k++) {
        int better = 0;
        for (int i = 0; i < s.vocab; i++)
            better += logits[i] > logits[ids[k]] || (logits[i] == logits[ids[k]] && i < ids[k]);
        assert_int_equal(better, k);
        assert_true(fabs((double)logprobs[k] - ((double)logits[ids[k]] - log(sum))) < 1e-5);
    }
    engine_close(&en);
    arena_deinit(&a);
}

static bool stop_loading(void *ud, uint64_t done, uint64_t all) {
    int *calls = ud;
    (*calls)++;
    return done < all / 2;
}

static void cancelling_and_refusing(void **state) {
    UNUSED(state);
    arena a;
    arena_init(&a);
    rng r = {9};
    k_plan plan = plan_random(&a, &r, &small);
    engine en;
    err e;
    assert_true(engine_open(&en, "", 2, &plan));
    atomic_bool cancel = true;
    int32_t zero[1] = {0};
    const int32_t *pages[1] = {zero};
    uint8_t want[1] = {1};
    k_batch b = {.n = 1,
                 .token = zero,
                 .pos = zero,
                 .seq = zero,
                 .pages = pages,
                 .n_seqs = 1,
                 .want = want,
                 .cancel = &cancel};
    assert_int_equal(k_forward(en.model, &b, &e), ERR_CANCELLED);
    cancel = false;
    assert_int_equal(k_forward(en.model, &b, &e), OK);

    int calls = 0;
    k_model *m = NULL;
    k_model_options opt = {.plan = &plan,
                           .kv_pages = 1,
                           .rows_max = 1,
                           .progress = stop_loading,
                           .progress_ud = &calls};
    assert_int_equal(k_model_new(&m, en.backend, &opt, &e), ERR_CANCELLED);
    assert_true(calls > 1 && m == NULL);
    plan.ops[1].w[0].type = (k_type)9;
    assert_int_equal(k_model_new(&m, en.backend, &opt, &e), ERR_UNSUPPORTED);
    assert_non_null(strstr(e.text, "Q8_1"));
    engine_close(&en);

    k_backend *none = NULL;
    setenv("INLINED_CPU", "mmx", 1);
    assert_int_equal(k_open(&none, &(k_options){K_CPU, 1}, &e), ERR_USAGE);
    setenv("INLINED_CPU", "", 1);
    assert_int_equal(k_open(&none, &(k_options){K_AUTO, 0}, &e), OK);
    print_message("%s: %s\n", k_backend_name(none), k_backend_why(none));
    k_close(none);
    arena_deinit(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(float_models_agree),
        cmocka_unit_test(mixtures_agree),
        cmocka_unit_test(long_sequences_agree),
        cmocka_unit_test(coded_caches_agree),
        cmocka_unit_test(every_type_agrees),
        cmocka_unit_test(mixed_types_agree),
        cmocka_unit_test(two_sequences_share_a_batch),
        cmocka_unit_test(pages_can_be_copied_and_moved),
        cmocka_unit_test(top_is_what_the_logits_say),
        cmocka_unit_test(cancelling_and_refusing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
