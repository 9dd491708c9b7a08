/* SPDX-License-Identifier: Apache-2.0 */
/* Repacking and matrix products, for every type and instruction set that this machine has:
 *   - a packed row is bit by bit what k_dequant says;
 *   - a product equals the product of the same int8 activations in double, within f32 rounding;
 *   - outputs are all written, and a token's bits do not depend on its neighbours.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "kernels/cpu/machine.h"
#include "kernels/cpu/pack.h"
#include "tests/kernels/fixture.h"

/* NULL, and a printed reason, when this machine cannot run it. */
static const cpu_isa *isa_find(const char *name) {
    const cpu_isa *isa = NULL;
    err e;
    setenv("INLINED_CPU", name, 1);
    if (machine_isa(&isa, &e) == OK) return isa;
    print_message("SKIP %s: %s\n", name, e.text);
    return NULL;
}

/* Without a wish it is the best that processor and OS allow.  INLINED_EXPECT_ISA says which one
 * that is, where a test knows its processor. */
static void the_best_is_chosen(void **state) {
    UNUSED(state);
    const cpu_isa *best = NULL, *chosen = NULL;
    err e;
    for (int i = 0; i < n_isa_names && !best; i++)
        best = isa_find(isa_names[i]);
    setenv("INLINED_CPU", "", 1);
    assert_int_equal(machine_isa(&chosen, &e), OK);
    assert_string_equal(chosen->name, best->name);
    const char *want = getenv("INLINED_EXPECT_ISA");
    if (want) assert_string_equal(chosen->name, want);
}

static cpu_matrix pack(const cpu_isa *isa, const k_tensor *t) {
    cpu_matrix m;
    pack_layout(&m, t, isa->panel_rows);
    m.data = xaligned(pack_bytes(&m));
    memset(m.data, 0xee, pack_bytes(&m));
    pack_panels(&m, t, isa->signed8, 0, m.panels);
    return m;
}

static void check_rows(const cpu_isa *isa, const k_tensor *t) {
    cpu_matrix m = pack(isa, t);
    float *want = xmalloc((size_t)t->cols * sizeof *want), *got = xmalloc((size_t)t->cols * 4);
    size_t bytes = k_row_bytes(t->type, t->cols);
    for (int64_t row = 0; row < t->rows; row++) {
        k_dequant(t->type, (const char *)t->data + (size_t)row * bytes, want, t->cols);
        pack_row(&m, isa->signed8, row, got);
        for (int64_t i = 0; i < t->cols; i++)
            if (!(want[i] == got[i]))
                fail_msg("%s %s row %d col %d: %g, packed %g", isa->name, k_type_name((int)t->type),
                         (int)row, (int)i, (double)want[i], (double)got[i]);
    }
    xfree(want);
    xfree(got);
    xfree(m.data);
}

static void packed_rows_are_exact(void **state) {
    UNUSED(state);
    arena a;
    rng r = {1};
    for (int i = 0; i < n_isa_names; i++) {
        const cpu_isa *isa = isa_find(isa_names[i]);
        for (int t = 0; isa && t < n_all_types; t++) {
            arena_init(&a);
            int cols = k_type_block(all_types[t]) == 256 ? 768 : 576;
            k_tensor w = tensor_random(&a, &r, all_types[t], 19, cols, 1);
            check_rows(isa, &w);
            arena_deinit(&a);
        }
    }
}

/* ---- products -------------------------------------------------------------------------------- */

typedef struct {
    const cpu_isa *isa;
    const k_tensor *w;
    const cpu_matrix *packed;
    const float *x; /* [n][cols] */
    int n;
} product;

/* What x becomes as int8 per 32, as floats: the definition of the activations' quantisation. */
static void coded(const float *x, float *y, int cols) {
    for (int b = 0; b < cols; b += 32) {
        float top = 0;
        for (int i = 0; i < 32; i++)
            top = fmaxf(top, fabsf(x[b + i]));
        float d = top / 127, inverse = top > 0 ? 127 / top : 0;
        for (int i = 0; i < 32; i++)
            y[b + i] = d * nearbyintf(x[b + i] * inverse);
    }
}

static bool is_float(k_type t) {
    return t == K_F32 || t == K_F16 || t == K_BF16;
}

/* out[n][panels * panel_rows] of all tokens in one call. */
static void multiply(const product *p, int from, int n, float *out) {
    int cols = (int)p->w->cols;
    size_t ld = (size_t)(p->packed->panels * p->packed->panel_rows);
    size_t token = (size_t)(cols / 32 + 1) * CPU_ACT_BLOCK_BYTES;
    uint8_t *tiles = xaligned(token * (size_t)(n + p->isa->tile));
    uint8_t *tile = tiles;
    for (int t = 0; t < n && !is_float(p->w->type);) {
        int width = cpu_tile_width(p->isa->tile, n - t);
        for (int k = 0; k < width && t + k < n; k++)
            p->isa->quantise(p->x + (size_t)(from + t + k) * (size_t)cols, cols, tile, width, k,
                             NULL);
        tile += (size_t)width * (size_t)(cols / 32) * CPU_ACT_BLOCK_BYTES;
        t += width;
    }
    cpu_act act = {.tiles = tiles,
                   .rows = p->x + (size_t)from * (size_t)cols,
                   .ld = (size_t)cols,
                   .n = n,
                   .planes = 1,
                   .cols = cols};
    for (size_t i = 0; i < ld * (size_t)n; i++)
        out[i] = NAN; /* poison */
    p->isa->matmul(p->packed, 0, p->packed->panels, &act, out, ld);
    xfree(tiles);
}

static void check_values(const product *p, const float *out) {
    int cols = (int)p->w->cols;
    size_t ld = (size_t)(p->packed->panels * p->packed->panel_rows);
    float *row = xmalloc((size_t)cols * 4), *x = xmalloc((size_t)cols * 4);
    size_t bytes = k_row_bytes(p->w->type, cols);
    for (int t = 0; t < p->n; t++) {
        const float *in = p->x + (size_t)t * (size_t)cols;
        if (is_float(p->w->type))
            memcpy(x, in, (size_t)cols * 4);
        else
            coded(in, x, cols);
        for (int64_t r = 0; r < p->w->rows; r++) {
            k_dequant(p->w->type, (const char *)p->w->data + (size_t)r * bytes, row, cols);
            double want = 0, size = 0;
            for (int i = 0; i < cols; i++) {
                want += (double)row[i] * (double)x[i];
                size += fabs((double)row[i] * (double)x[i]);
            }
            double got = (double)out[(size_t)t * ld + (size_t)r];
            if (!(fabs(got - want) <= 2e-6 * size + 1e-30))
                fail_msg("%s %s %dx%d token %d/%d row %d: %.9g, want %.9g", p->isa->name,
                         k_type_name((int)p->w->type), (int)p->w->rows, cols, t, p->n, (int)r, got,
                         want);
        }
    }
    xfree(row);
    xfree(x);
}

static void check_product(const cpu_isa *isa, rng *r, k_type type, int rows, int cols, int n) {
    arena a;
    arena_init(&a);
    k_tensor w = tensor_random(&a, r, type, rows, cols, 0.3f);
    cpu_matrix packed = pack(isa, &w);
    k_tensor x = vector_random(&a, r, (int64_t)n * cols, 0.1f, 1);
    float *in = arena_alloc(&a, (size_t)(n * cols) * 4);
    memcpy(in, x.data, (size_t)(n * cols) * 4);
    memset(in, 0, (size_t)MIN(cols, 32) * 4); /* a block of zeros */
    product p = {isa, &w, &packed, in, n};
    size_t ld = (size_t)(packed.panels * packed.panel_rows);
    float *all = arena_alloc(&a, ld * (size_t)n * 4), *one = arena_alloc(&a, ld * 4);
    multiply(&p, 0, n, all);
    check_values(&p, all);
    for (int t = 0; t < n; t++) {
        multiply(&p, t, 1, one);
        assert_memory_equal(one, all + (size_t)t * ld, ld * 4);
    }
    xfree(packed.data);
    arena_deinit(&a);
}

static void products_equal_their_definition(void **state) {
    UNUSED(state);
    static const int widths[] = {576, 640, 896, 960, 32};
    rng r = {2};
    for (int i = 0; i < n_isa_names; i++) {
        const cpu_isa *isa = isa_find(isa_names[i]);
        for (int t = 0; isa && t < n_all_types; t++) {
            k_type type = all_types[t];
            bool wide = k_type_block(type) == 256;
            for (int n = 1; n <= 26; n += n < 14 ? 1 : 6)
                check_product(isa, &r, type, 17, wide ? 512 : widths[n % 5], n);
            check_product(isa, &r, type, 1, wide ? 256 : 32, 3);
        }
        if (isa) check_product(isa, &r, K_F32, 9, 37, 5); /* float rows may have any width */
        if (isa) check_product(isa, &r, K_F16, 9, 3, 2);
        if (isa) check_product(isa, &r, K_F32, 9, 1, 2);
        if (isa) check_product(isa, &r, K_BF16, 1, 1, 1);
    }
}

static void all_codes_at_their_limits(void **state) {
    UNUSED(state);
    /* The largest codes times the largest activations: nothing may saturate on the way. */
    for (int i = 0; i < n_isa_names; i++) {
        const cpu_isa *isa = isa_find(isa_names[i]);
        for (int sign = -1; isa && sign <= 1; sign += 2) {
            block_q8_0 b = {.d = k_float_to_half(1)};
            float x[32], out[16];
            for (int j = 0; j < 32; j++)
                b.qs[j] = (int8_t)(sign < 0 ? -128 : 127);
            for (int j = 0; j < 32; j++)
                x[j] = j % 2 ? 1.0f : -1.0f;
            x[1] = x[2] = -1;
            k_tensor w = {K_Q8_0, 1, 32, &b, "limits"};
            cpu_matrix m = pack(isa, &w);
            product p = {isa, &w, &m, x, 1};
            multiply(&p, 0, 1, out);
            check_values(&p, out);
            for (int j = 0; j < 32; j++)
                x[j] = -1;
            multiply(&p, 0, 1, out);
            check_values(&p, out);
            xfree(m.data);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_is_chosen),
        cmocka_unit_test(packed_rows_are_exact),
        cmocka_unit_test(products_equal_their_definition),
        cmocka_unit_test(all_codes_at_their_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
