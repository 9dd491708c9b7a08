/* SPDX-License-Identifier: Apache-2.0 */
/* The GGUF reader: what a good file says, and one sentence for every kind of bad one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "tests/engine/gguf_builder.h"

static const uint64_t shape[4] = {64, 3, 2, 1};

/* ---- good files ---------------------------------------------------------------------------- */

static void build_good(gguf_builder *b) {
    builder_str(b, "general.architecture", "llama");
    builder_u32(b, "llama.block_count", 30);
    builder_bool(b, "flag", true);
    builder_key(b, "minus", GGUF_I8);
    strbuf_add_char(&b->kvs, (char)-5);
    builder_key(b, "half", GGUF_F64);
    put_u64(&b->kvs, 0x3FE0000000000000u);
    builder_key(b, "huge", GGUF_U64);
    put_u64(&b->kvs, UINT64_MAX);
    builder_strs(b, "words", (str[]){STR("one"), STR(""), STR("three")}, 3);
    builder_i32s(b, "numbers", (int32_t[]){7, -8}, 2);
    builder_f32s(b, "floats", (float[]){0.5f, -2}, 2);
    builder_tensor(b, "a.weight", K_Q4_1, 2, shape);
    builder_tensor(b, "b.weight", K_F32, 3, shape);
}

static void test_metadata(void **state) {
    UNUSED(state);
    gguf_builder b;
    builder_init(&b);
    build_good(&b);
    str file = builder_finish(&b);
    gguf *g;
    err e;
    assert_int_equal(gguf_parse(&g, file.ptr, file.len, "good", &e), OK);

    str s;
    int64_t i;
    double d;
    bool flag;
    assert_true(gguf_find_str(g, "general.architecture", &s));
    assert_true(str_eq(s, STR("llama")));
    assert_true(gguf_find_i64(g, "llama.block_count", &i) && i == 30);
    assert_true(gguf_find_i64(g, "minus", &i) && i == -5);
    assert_true(gguf_find_f64(g, "minus", &d) && d == -5.0);
    assert_true(gguf_find_f64(g, "half", &d) && d == 0.5);
    assert_true(gguf_find_bool(g, "flag", &flag) && flag);
    assert_false(gguf_find_i64(g, "huge", &i)); /* does not fit */
    assert_false(gguf_find_i64(g, "half", &i));
    assert_false(gguf_find_i64(g, "general.architecture", &i));
    assert_false(gguf_find_bool(g, "llama.block_count", &flag));
    assert_false(gguf_find_str(g, "absent", &s));

    gguf_type type;
    uint64_t count;
    assert_true(gguf_find_array(g, "words", &type, &count));
    assert_true(type == GGUF_STRING && count == 3);
    assert_true(str_eq(gguf_array_str(g, "words", 2), STR("three")));
    assert_int_equal(gguf_array_str(g, "words", 1).len, 0);
    int32_t numbers[2];
    float floats[2];
    assert_true(gguf_array_i32(g, "numbers", numbers, 2) && numbers[1] == -8);
    assert_false(gguf_array_i32(g, "floats", numbers, 2));
    assert_true(gguf_array_f32(g, "floats", floats, 2) && floats[1] == -2.0f);
    assert_true(gguf_array_f32(g, "numbers", floats, 2) && floats[0] == 7.0f);
    assert_false(gguf_array_f32(g, "floats", floats, 1));
    assert_int_equal(gguf_key_count(g), 9);
    assert_true(str_eq(gguf_key_at(g, 2, &type), STR("flag")) && type == GGUF_BOOL);
    gguf_close(g);
    builder_deinit(&b);
}

static void test_tensors(void **state) {
    UNUSED(state);
    gguf_builder b;
    builder_init(&b);
    build_good(&b);
    str file = builder_finish(&b);
    gguf *g;
    err e;
    assert_int_equal(gguf_parse(&g, file.ptr, file.len, "good", &e), OK);
    assert_int_equal(gguf_tensor_count(g), 2);
    const gguf_tensor *t = gguf_tensor_find(g, "a.weight");
    assert_non_null(t);
    assert_true(t == gguf_tensor_at(g, 0) && t->type == K_Q4_1 && t->n_dims == 2);
    assert_true(t->ne[0] == 64 && t->ne[1] == 3 && t->ne[2] == 1 && t->ne[3] == 1);
    assert_int_equal(t->bytes, 3 * 2 * 20);
    const gguf_tensor *u = gguf_tensor_find(g, "b.weight");
    assert_int_equal(u->bytes, 64 * 3 * 2 * 4);
    assert_ptr_equal(u->data, (const char *)t->data + 128); /* 120, padded to 32 */
    assert_ptr_equal((const char *)u->data + u->bytes, file.ptr + file.len);
    assert_null(gguf_tensor_find(g, "a.weigh"));
    assert_int_equal(gguf_file_bytes(g), file.len);
    gguf_close(g);
    builder_deinit(&b);
}

/* A type that this program does not know is listed; only its use is refused. */
static void test_unknown_type(void **state) {
    UNUSED(state);
    gguf_builder b;
    builder_init(&b);
    builder_tensor_at(&b, "odd", 1234, 1, shape, 0);
    builder_tensor_at(&b, "next", K_F32, 1, shape, 64);
    b.data_bytes = 64 + 256;
    str file = builder_finish(&b);
    gguf *g;
    err e;
    assert_int_equal(gguf_parse(&g, file.ptr, file.len, "odd", &e), OK);
    assert_int_equal(gguf_tensor_at(g, 0)->bytes, 0);
    assert_int_equal(gguf_tensor_at(g, 0)->type, 1234);
    assert_int_equal(gguf_tensor_at(g, 1)->bytes, 256);
    gguf_close(g);
    builder_deinit(&b);
}

/* ---- bad files ----------------------------------------------------------------------------- */

/* Expects that parsing fails with a sentence that has all of `words` (separated by '|'). */
static void expect_refused(str file, status code, const char *words) {
    gguf *g = NULL;
    err e = {{0}};
    /* An exact-size copy, so that a sanitizer sees the first byte read behind the end. */
    char *copy = xmalloc(file.len);
    if (file.len) memcpy(copy, file.ptr, file.len);
    status s = gguf_parse(&g, copy, file.len, "bad.gguf", &e);
    xfree(copy);
    if (s != code) fail_msg("status %s and not %s: %s", status_name(s), status_name(code), e.text);
    str rest = str_of(words), word;
    while (str_split(&rest, '|', &word)) {
        if (str_find(str_of(e.text), word) < 0)
            fail_msg("\"%.*s\" is missing in: %s", STR_ARG(word), e.text);
    }
    assert_true(str_find(str_of(e.text), STR("bad.gguf")) >= 0);
}

static void refuse(gguf_builder *b, status code, const char *words) {
    expect_refused(builder_finish(b), code, words);
    builder_deinit(b);
}

static void test_header(void **state) {
    UNUSED(state);
    gguf_builder b;
    expect_refused(STR(""), ERR_FORMAT, "empty|download");
    expect_refused(STR("PK\3\4aaaaaaaaaaaaaaaaaaaaaaaaaaa"), ERR_FORMAT, "not a GGUF file");
    expect_refused(STR("version https://git-lfs.github.com/spec/v1\n"), ERR_FORMAT, "Git LFS");
    expect_refused(STR("GGUF\3\0\0\0\1\0\0"), ERR_FORMAT,
                   "number of tensors|byte 8|ends at byte 11");
    builder_init(&b);
    b.version = 1;
    refuse(&b, ERR_UNSUPPORTED, "version 1|byte 4");
    builder_init(&b);
    b.version = 0x03000000;
    refuse(&b, ERR_UNSUPPORTED, "big-endian");
    builder_init(&b);
    b.n_tensors = UINT64_MAX;
    refuse(&b, ERR_LIMIT, "18446744073709551615 tensors|byte 8");
    builder_init(&b);
    b.n_kvs = LIMIT_GGUF_KEYS + 1;
    refuse(&b, ERR_LIMIT, "65537 metadata keys|byte 16");
}

static void test_bad_metadata(void **state) {
    UNUSED(state);
    gguf_builder b;
    builder_init(&b);
    builder_key(&b, "k", 13);
    refuse(&b, ERR_FORMAT, "is 13|in k|byte 33");
    builder_init(&b);
    builder_key(&b, "k", GGUF_STRING);
    put_u64(&b.kvs, 1000);
    refuse(&b, ERR_FORMAT, "needs 1000 bytes|in k|truncated");
    builder_init(&b);
    builder_key(&b, "k", GGUF_STRING);
    put_u64(&b.kvs, UINT64_MAX - 3);
    refuse(&b, ERR_LIMIT, "18446744073709551612 bytes");
    builder_init(&b);
    builder_key(&b, "k", GGUF_ARRAY);
    put_u32(&b.kvs, GGUF_ARRAY);
    put_u64(&b.kvs, 1);
    refuse(&b, ERR_UNSUPPORTED, "array of arrays|in k");
    builder_init(&b);
    builder_key(&b, "k", GGUF_ARRAY);
    put_u32(&b.kvs, GGUF_U8);
    put_u64(&b.kvs, UINT64_MAX);
    refuse(&b, ERR_LIMIT, "18446744073709551615 elements");
    builder_init(&b);
    builder_key(&b, "k", GGUF_ARRAY);
    put_u32(&b.kvs, GGUF_STRING);
    put_u64(&b.kvs, LIMIT_GGUF_ARRAY);
    refuse(&b, ERR_FORMAT, "8388608 strings|truncated");
    builder_init(&b);
    builder_u32(&b, "twice", 1);
    builder_u32(&b, "twice", 1);
    refuse(&b, ERR_FORMAT, "key twice is there twice");
    builder_init(&b);
    builder_u32(&b, "", 1);
    refuse(&b, ERR_FORMAT, "empty metadata key");
    builder_init(&b);
    builder_u32(&b, "general.alignment", 24);
    refuse(&b, ERR_FORMAT, "general.alignment is 24");
}

static void test_bad_tensors(void **state) {
    UNUSED(state);
    static const uint64_t zero[] = {32, 0}, huge[] = {1u << 31, 1u << 31, 4}, odd[] = {33};
    gguf_builder b;
    builder_init(&b);
    builder_tensor_at(&b, "t", K_F32, 2, zero, 0);
    refuse(&b, ERR_FORMAT, "dimension 1 is 0|in t");
    builder_init(&b);
    builder_tensor_at(&b, "t", K_F32, 3, huge, 0);
    refuse(&b, ERR_FORMAT, "product of the dimensions overflows|in t");
    builder_init(&b);
    builder_tensor_at(&b, "t", K_F32, 2, huge, 0);
    refuse(&b, ERR_FORMAT, "size in bytes overflows|in t");
    builder_init(&b);
    builder_tensor_at(&b, "t", K_Q8_0, 1, odd, 0);
    refuse(&b, ERR_FORMAT, "rows of 33|in t");
    builder_init(&b);
    builder_tensor_at(&b, "t", K_F32, 0, shape, 0);
    refuse(&b, ERR_FORMAT, "0 dimensions|in t");
    builder_init(&b);
    builder_tensor_at(&b, "t", K_F32, 4, shape, 8);
    refuse(&b, ERR_FORMAT, "tensor t|offset 8|expected 0");
    builder_init(&b);
    builder_tensor(&b, "t", K_F32, 1, shape);
    builder_tensor_at(&b, "u", K_F32, 1, shape, 128); /* overlaps */
    refuse(&b, ERR_FORMAT, "tensor u|offset 128|expected 256");
    builder_init(&b);
    builder_tensor(&b, "t", K_F32, 1, shape);
    builder_tensor(&b, "t", K_F32, 1, shape);
    refuse(&b, ERR_FORMAT, "tensor t is there twice");
    builder_init(&b);
    builder_tensor_at(&b, "odd", 1234, 1, shape, UINT64_MAX - 31);
    refuse(&b, ERR_FORMAT, "tensor odd");
}

/* Every cut of a good file is refused; a cut in the data says how much is missing. */
static void test_truncated(void **state) {
    UNUSED(state);
    gguf_builder b;
    builder_init(&b);
    build_good(&b);
    str file = builder_finish(&b);
    for (size_t n = 0; n < file.len; n++) {
        gguf *g = NULL;
        err e;
        char *copy = xmalloc(n);
        memcpy(copy, file.ptr, n);
        assert_int_not_equal(gguf_parse(&g, copy, n, "cut", &e), OK);
        xfree(copy);
    }
    char words[128];
    snprintf(words, sizeof words, "is truncated: it has %zu bytes, its tensors need %zu|download",
             file.len - 1, file.len);
    expect_refused(str_sub(file, 0, file.len - 1), ERR_FORMAT, words);
    builder_deinit(&b);
}

/* ---- files --------------------------------------------------------------------------------- */

static char folder[] = "/tmp/test_gguf.XXXXXX";

static void path_of(char out[static 256], const char *name) {
    snprintf(out, 256, "%s/%s", folder, name);
}

static void write_file(const char *name, str bytes) {
    char path[256];
    path_of(path, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes.ptr, 1, bytes.len, f), bytes.len);
    fclose(f);
}

static status open_file(const char *name, gguf **g, err *e) {
    char path[256];
    path_of(path, name);
    return gguf_open(g, path, e);
}

static void write_part(const char *name, uint32_t no, uint32_t count, const char *tensor) {
    gguf_builder b;
    builder_init(&b);
    builder_u32(&b, "split.no", no);
    builder_u32(&b, "split.count", count);
    builder_u32(&b, "split.tensors.count", count);
    if (no == 0) builder_str(&b, "general.architecture", "llama");
    builder_tensor(&b, tensor, K_F32, 1, shape);
    write_file(name, builder_finish(&b));
    builder_deinit(&b);
}

static void test_split(void **state) {
    UNUSED(state);
    gguf *g;
    err e;
    write_part("m-00001-of-00002.gguf", 0, 2, "a");
    assert_int_equal(open_file("m-00001-of-00002.gguf", &g, &e), ERR_NOT_FOUND);
    assert_non_null(strstr(e.text, "part 2 of 2"));
    write_part("m-00002-of-00002.gguf", 1, 2, "b");
    assert_int_equal(open_file("m-00001-of-00002.gguf", &g, &e), OK);
    assert_int_equal(gguf_tensor_count(g), 2);
    const float *data = gguf_tensor_find(g, "b")->data;
    assert_int_equal(((const uint8_t *)data)[5], 5);
    gguf_close(g);
    assert_int_equal(open_file("m-00002-of-00002.gguf", &g, &e), ERR_USAGE);
    assert_non_null(strstr(e.text, "open the first part"));
    write_part("m-00002-of-00002.gguf", 1, 2, "a");
    assert_int_equal(open_file("m-00001-of-00002.gguf", &g, &e), ERR_FORMAT);
    assert_non_null(strstr(e.text, "there twice"));
    write_part("m-00002-of-00002.gguf", 0, 2, "b");
    assert_int_equal(open_file("m-00001-of-00002.gguf", &g, &e), ERR_FORMAT);
    assert_non_null(strstr(e.text, "split.no"));
    write_part("renamed.gguf", 0, 2, "b");
    assert_int_equal(open_file("renamed.gguf", &g, &e), ERR_USAGE);
    assert_non_null(strstr(e.text, "-00001-of-00002.gguf"));
}

static void test_files(void **state) {
    UNUSED(state);
    gguf *g;
    err e;
    assert_int_equal(open_file("absent.gguf", &g, &e), ERR_NOT_FOUND);
    assert_non_null(strstr(e.text, "absent.gguf"));
    assert_int_equal(gguf_open(&g, folder, &e), ERR_USAGE);
    write_file("empty.gguf", STR(""));
    assert_int_equal(open_file("empty.gguf", &g, &e), ERR_FORMAT);
    assert_non_null(strstr(e.text, "download it again"));
    gguf_builder b;
    builder_init(&b);
    build_good(&b);
    write_file("good.gguf", builder_finish(&b));
    builder_deinit(&b);
    assert_int_equal(open_file("good.gguf", &g, &e), OK);
    assert_non_null(strstr(gguf_path(g), "good.gguf"));
    gguf_close(g);
    gguf_close(NULL);
}

static int make_folder(void **state) {
    UNUSED(state);
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    UNUSED(state);
    static const char *const names[] = {"m-00001-of-00002.gguf", "m-00002-of-00002.gguf",
                                        "renamed.gguf", "empty.gguf", "good.gguf"};
    for (size_t i = 0; i < COUNTOF(names); i++) {
        char path[256];
        path_of(path, names[i]);
        unlink(path);
    }
    return rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metadata),     cmocka_unit_test(test_tensors),
        cmocka_unit_test(test_unknown_type), cmocka_unit_test(test_header),
        cmocka_unit_test(test_bad_metadata), cmocka_unit_test(test_bad_tensors),
        cmocka_unit_test(test_truncated),    cmocka_unit_test(test_split),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
