/* SPDX-License-Identifier: Apache-2.0 */
/* Deltas: what goes wrong is one sentence and leaves nothing; what goes right is promised by hash.
 * */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "engine/delta.h"
#include "engine/gguf.h"
#include "engine/gguf_write.h"

enum { COLS = 128, ROWS = 6 };

typedef struct {
    char folder[64];
    char base[96], trained[96], delta[96], out[96];
} places;

static void write_model(const char *path, float shift, bool more) {
    err e;
    gguf_writer *w;
    float rows[ROWS * COLS], norm[COLS];
    uint64_t ne[2] = {COLS, ROWS};
    for (int i = 0; i < ROWS * COLS; i++)
        rows[i] = (float)((i * 37) % 101 - 50) / 100.0f + shift * (float)((i * 13) % 7 - 3);
    for (int i = 0; i < COLS; i++)
        norm[i] = 1.0f + shift;
    assert_int_equal(gguf_writer_open(&w, path, &e), OK);
    gguf_write_str(w, STR("general.architecture"), STR("llama"));
    gguf_write_u32(w, STR("llama.block_count"), 1);
    if (more) gguf_write_str(w, STR("general.name"), STR("trained"));
    if (!more) gguf_write_str(w, STR("general.basename"), STR("base"));
    gguf_write_tensor(w, STR("token_embd.weight"), K_F32, 2, ne, sizeof rows);
    gguf_write_tensor(w, STR("output_norm.weight"), K_F32, 1, ne, sizeof norm);
    gguf_write_data(w, rows, sizeof rows);
    gguf_write_data(w, norm, sizeof norm);
    assert_int_equal(gguf_writer_commit(w, &e), OK);
    gguf_writer_close(w);
}

static int set_up(void **state) {
    places *p = xcalloc(1, sizeof *p);
    snprintf(p->folder, sizeof p->folder, "/tmp/inlined-delta-XXXXXX");
    if (!mkdtemp(p->folder)) return -1;
    snprintf(p->base, sizeof p->base, "%s/base.gguf", p->folder);
    snprintf(p->trained, sizeof p->trained, "%s/trained.gguf", p->folder);
    snprintf(p->delta, sizeof p->delta, "%s/x.delta.gguf", p->folder);
    snprintf(p->out, sizeof p->out, "%s/out.gguf", p->folder);
    write_model(p->base, 0, false);
    write_model(p->trained, 0.01f, true);
    *state = p;
    return 0;
}

static int tear_down(void **state) {
    places *p = *state;
    const char *files[] = {p->base, p->trained, p->delta, p->out};
    for (size_t i = 0; i < COUNTOF(files); i++)
        unlink(files[i]);
    int left = rmdir(p->folder); /* fails when anything half-written stayed */
    xfree(p);
    return left;
}

static void make(const places *p) {
    static const int32_t rows[] = {0, 5};
    const delta_make_options opt = {"a test", rows, 2};
    err e;
    if (delta_make(p->base, p->trained, p->delta, &opt, NULL, &e) != OK) fail_msg("%s", e.text);
}

static void test_round_trip(void **state) {
    const places *p = *state;
    err e;
    make(p);
    if (delta_apply(p->base, p->delta, p->out, NULL, &e) != OK) fail_msg("%s", e.text);
    gguf *g;
    assert_int_equal(gguf_open(&g, p->out, &e), OK);
    str name;
    assert_true(gguf_find_str(g, "general.name", &name) && str_eq(name, STR("trained")));
    assert_false(gguf_find_str(g, "general.basename", &name)); /* the trained one has none */
    const gguf_tensor *t = gguf_tensor_find(g, "token_embd.weight");
    assert_int_equal(t->type, K_Q8_0);
    float want[COLS], got[COLS];
    for (int i = 0; i < COLS; i++)
        want[i] = (float)((i * 37) % 101 - 50) / 100.0f + 0.01f * (float)((i * 13) % 7 - 3);
    k_dequant(K_Q8_0, t->data, got, COLS); /* row 0 is stored whole: only Q8_0's rounding is left */
    for (int i = 0; i < COLS; i++)
        assert_true(got[i] - want[i] < 0.004f && want[i] - got[i] < 0.004f);
    gguf_close(g);
}

static void expect_error(const places *p, const char *base, status code, const char *words) {
    err e = {""};
    struct stat st;
    assert_int_equal(delta_apply(base, p->delta, p->out, NULL, &e), code);
    if (!strstr(e.text, words)) fail_msg("\"%s\" lacks \"%s\"", e.text, words);
    assert_int_not_equal(stat(p->out, &st), 0);
}

static void test_wrong_base(void **state) {
    const places *p = *state;
    make(p);
    expect_error(p, p->trained, ERR_FORMAT, "that one is: a test");
    expect_error(p, "/nowhere.gguf", ERR_NOT_FOUND, "/nowhere.gguf");
}

/* Every byte cut or changed is noticed, whatever it was. */
static void test_damaged_delta(void **state) {
    const places *p = *state;
    make(p);
    FILE *f = fopen(p->delta, "rb");
    uint8_t bytes[32768];
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    assert_true(n > 1000 && n < sizeof bytes);
    for (size_t at = 0; at < n; at += 41) {
        for (int cut = 0; cut < 2; cut++) {
            err e;
            f = fopen(p->delta, "wb");
            uint8_t changed[32768];
            memcpy(changed, bytes, n);
            changed[at] ^= 0x41;
            fwrite(changed, 1, cut ? at : n, f);
            fclose(f);
            status s = delta_apply(p->base, p->delta, p->out, NULL, &e);
            struct stat st;
            bool there = stat(p->out, &st) == 0;
            assert_int_equal(there, s == OK); /* a change in a text nobody checks may pass */
            if (cut) assert_int_not_equal(s, OK);
            if (there) unlink(p->out);
        }
    }
}

static bool cancel(void *ud, double done) {
    UNUSED(ud);
    UNUSED(done);
    return false;
}

static void test_cancelled(void **state) {
    const places *p = *state;
    make(p);
    const delta_hooks hooks = {cancel, NULL};
    err e;
    struct stat st;
    assert_int_equal(delta_apply(p->base, p->delta, p->out, &hooks, &e), ERR_CANCELLED);
    assert_int_not_equal(stat(p->out, &st), 0);
    assert_int_equal(delta_apply(p->base, p->delta, "/nowhere/out.gguf", NULL, &e), ERR_IO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_base, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damaged_delta, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cancelled, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
