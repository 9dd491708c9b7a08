/* SPDX-License-Identifier: Apache-2.0 */
/* engine/base: slices, buffers, UTF-8, arena, hashes, errors. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/arena.h"
#include "engine/base/clock.h"
#include "engine/base/hash_private.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/base/utf8.h"
#include "engine/base/vec.h"

static void test_str_slices(void **state) {
    UNUSED(state);
    assert_true(str_eq(str_trim(STR(" \t a b\n")), STR("a b")));
    assert_int_equal(str_find(STR("aabaab"), STR("ab")), 1);
    assert_int_equal(str_find(STR("aab"), STR("abc")), -1);
    assert_int_equal(str_find(STR("x"), STR("")), 0);
    assert_int_equal(str_rfind_char(STR("a/b/c"), '/'), 3);
    assert_true(str_starts_with(STR("abc"), STR("ab")));
    assert_false(str_ends_with(STR("c"), STR("bc")));
    assert_true(str_eq(str_sub(STR("abc"), 2, 99), STR("c")));

    str rest = STR("a,,b"), piece;
    const char *want[] = {"a", "", "b"};
    for (size_t i = 0; i < 3; i++) {
        assert_true(str_split(&rest, ',', &piece));
        assert_true(str_eq(piece, str_of(want[i])));
    }
    assert_false(str_split(&rest, ',', &piece));
}

static void test_str_numbers(void **state) {
    UNUSED(state);
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } cases[] = {
        {"0", true, 0},
        {"-12", true, -12},
        {"+7", true, 7},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {"1x", false, 0},
        {" 1", false, 0},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        int64_t value = 0;
        assert_int_equal(str_to_i64(str_of(cases[i].text), &value), cases[i].ok);
        if (cases[i].ok) assert_true(value == cases[i].value);
    }
    double d;
    assert_true(str_to_f64(STR("0.5"), &d) && d > 0.49 && d < 0.51);
    assert_false(str_to_f64(STR("0.5x"), &d));
}

static void test_strbuf_keeps_its_maximum(void **state) {
    UNUSED(state);
    strbuf b;
    strbuf_init(&b, 8);
    strbuf_add_str(&b, STR("abcd"));
    strbuf_addf(&b, "%d", 12);
    assert_true(str_eq(strbuf_str(&b), STR("abcd12")));
    strbuf_add_str(&b, STR("xyz"));
    assert_true(b.overflow);
    assert_true(str_eq(strbuf_str(&b), STR("abcd12")));
    strbuf_clear(&b);
    strbuf_add_str(&b, STR("hello"));
    strbuf_splice(&b, 1, 3, STR("EYY"));
    assert_string_equal(b.ptr, "hEYYlo");
    strbuf_splice(&b, 0, 6, STR(""));
    assert_int_equal(b.len, 0);
    strbuf_add_str(&b, STR("t"));
    char *taken = strbuf_take(&b);
    assert_string_equal(taken, "t");
    xfree(taken);
    strbuf_deinit(&b);
}

static void test_utf8(void **state) {
    UNUSED(state);
    /* a, e-acute, CJK, emoji: 1 + 2 + 3 + 4 bytes */
    str s = STR("a\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80");
    assert_true(utf8_is_valid(s));
    assert_int_equal(utf8_count(s), 4);
    assert_int_equal(utf8_count_utf16(s), 5);
    assert_int_equal(utf8_offset_of_utf16(s, 3), 6);
    assert_int_equal(utf8_offset_of_utf16(s, 4), 6); /* inside the pair: its start */
    assert_int_equal(utf8_offset_of_utf16(s, 5), 10);
    assert_int_equal(utf8_offset_of_cp(s, 3), 6);
    assert_int_equal(utf8_complete_prefix(str_sub(s, 0, 9)), 6);
    assert_int_equal(utf8_complete_prefix(s), s.len);

    static const char *const bad[] = {"\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                      "\x80",     "\xe4\xb8",     "\xff"};
    for (size_t i = 0; i < COUNTOF(bad); i++)
        assert_false(utf8_is_valid(str_of(bad[i])));

    strbuf out;
    strbuf_init(&out, 64);
    utf8_sanitize(&out, STR("a\xff\xe4\xb8z"));
    assert_string_equal(out.ptr, "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz");
    strbuf_deinit(&out);

    for (uint32_t cp = 0; cp < 0x110000; cp += cp < 0x3000 ? 1 : 97) {
        if (cp >= 0xd800 && cp <= 0xdfff) continue;
        char bytes[4];
        uint32_t back;
        int n = utf8_encode(cp, bytes);
        assert_int_equal(utf8_decode((str){bytes, (size_t)n}, &back), n);
        assert_int_equal(back, cp);
    }
}

static void test_arena(void **state) {
    UNUSED(state);
    arena a;
    arena_init(&a);
    str copy = arena_str(&a, STR("keep"));
    arena_mark mark = arena_save(&a);
    for (int i = 0; i < 300; i++) {
        uint8_t *p = arena_alloc(&a, (size_t)i * 7);
        for (int j = 0; j < i * 7; j++) {
            if (p[j] != 0) fail_msg("byte %d is not zero", j);
        }
        memset(p, 0xaa, (size_t)i * 7);
    }
    arena_reset_to(&a, mark);
    assert_int_equal(a.used, 16);
    assert_true(str_eq(copy, STR("keep")));
    assert_string_equal(arena_printf(&a, "%s-%d", "x", 5), "x-5");
    arena_clear(&a);
    assert_int_equal(a.used, 0);
    arena_deinit(&a);
}

static void test_hashes(void **state) {
    UNUSED(state);
    char hex[65];
    sha256 h;
    sha256_init(&h);
    sha256_hex(&h, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256_init(&h);
    for (int i = 0; i < 1000; i++) { /* FIPS 180-4: one million times "a" */
        char block[1000];
        memset(block, 'a', sizeof block);
        sha256_add(&h, block, 333);
        sha256_add(&h, block, 667);
    }
    sha256_hex(&h, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    /* The two forms, over any number of blocks. */
    uint8_t noise[20 * 64];
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)(hash64(i, "noise", 5) >> 7);
    for (size_t blocks = 0; blocks <= 20 && sha256_has_ni(); blocks++) {
        uint32_t plain[8], fast[8];
        memcpy(plain, noise + 100, sizeof plain);
        memcpy(fast, plain, sizeof fast);
        sha256_blocks_plain(plain, noise, blocks);
        sha256_blocks_ni(fast, noise, blocks);
        assert_memory_equal(plain, fast, sizeof plain);
    }
    if (!sha256_has_ni()) print_message("no SHA instructions here: the plain form alone ran\n");
    assert_true(hash64(0, "a", 1) != hash64(0, "b", 1));
    assert_true(hash64(1, "a", 1) != hash64(0, "a", 1));
}

static void test_errors(void **state) {
    UNUSED(state);
    err e;
    assert_int_equal(err_set(&e, ERR_FORMAT, "bad %s", "\x1b[31mred\n"), ERR_FORMAT);
    assert_string_equal(e.text, "bad ?[31mred?");
    assert_int_equal(err_prefix(&e, ERR_IO, "file %d", 7), ERR_IO);
    assert_string_equal(e.text, "file 7: bad ?[31mred?");
    assert_string_equal(status_name(ERR_LIMIT), "limit");
}

static void test_vec(void **state) {
    UNUSED(state);
    VEC(int) v = {0};
    for (int i = 0; i < 100; i++)
        vec_push(&v, i);
    vec_remove(&v, 10);
    assert_int_equal(v.count, 99);
    assert_int_equal(v.at[10], 11);
    vec_free(&v);
}

static void keep_line(void *ud, log_level level, const char *line) {
    UNUSED(level);
    snprintf(ud, 512, "%s", line);
}

static void test_log_lines(void **state) {
    UNUSED(state);
    char line[512] = "";
    log_set_sink(keep_line, line, LOG_DEBUG);
    log_debug("base", "two\nlines key=%d", 4);
    assert_non_null(strstr(line, "debug base two lines key=4"));
    log_set_sink(NULL, NULL, LOG_ERROR);
    log_level level;
    assert_true(log_level_parse("info", &level) && level == LOG_INFO);
    assert_false(log_level_parse("loud", &level));
}

/* A file of ten megabytes is moved aside, and stderr, where it is that file, too. */
static void test_log_does_not_wait_for_a_reader(void **state) {
    (void)state;
    static char text[1 << 17];
    int ends[2], kept = dup(STDERR_FILENO);
    assert_true(kept >= 0 && pipe(ends) == 0 && dup2(ends[1], STDERR_FILENO) >= 0);
    for (int i = 0; i < 2000; i++) log_error("base", "line %d of %0400d", i, 1);
    ssize_t held = read(ends[0], text, sizeof text);
    log_error("base", "read again");
    close(ends[1]);
    assert_true(dup2(kept, STDERR_FILENO) >= 0); /* the pipe's last writer is gone */
    ssize_t after = read(ends[0], text, sizeof text - 1);
    text[MAX(after, 0)] = '\0';
    assert_true(held > 0 && held < 2000 * 400);
    assert_non_null(strstr(text, " log lines were lost: nobody read stderr\n"));
    assert_non_null(strstr(text, "base read again\n"));
    close(ends[0]);
    close(kept);
}

static void test_log_file_is_moved_aside(void **state) {
    UNUSED(state);
    char folder[] = "/tmp/inlined-log-XXXXXX", path[64], old[64];
    err e;
    struct stat now, before, errors;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/log", folder);
    snprintf(old, sizeof old, "%s/log.1", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int kept = dup(STDERR_FILENO);
    assert_true(fd >= 0 && kept >= 0 && dup2(fd, STDERR_FILENO) >= 0);
    assert_int_equal(log_set_file(path, &e), OK);
    uint64_t written = 0;
    for (int i = 0; written < 2 * LIMIT_LOG_FILE_BYTES + 1000; i++) {
        log_error("base", "line %d of %0400d", i, 1);
        written += 400;
    }
    assert_int_equal(fstat(STDERR_FILENO, &errors), 0);
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    assert_int_equal(stat(path, &now), 0);
    assert_int_equal(stat(old, &before), 0);
    assert_true(now.st_size < LIMIT_LOG_FILE_BYTES);
    assert_in_range(before.st_size, LIMIT_LOG_FILE_BYTES, LIMIT_LOG_FILE_BYTES + 1000);
    assert_int_equal(now.st_mode & 0777, 0600);
    assert_int_equal(errors.st_ino, now.st_ino);
    assert_int_equal(log_set_file("/dev/null", &e), OK);
    assert_int_not_equal(log_set_file("/nowhere/at/all", &e), OK);
    close(fd);
    close(kept);
    unlink(path);
    unlink(old);
    rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_str_slices),
        cmocka_unit_test(test_str_numbers),
        cmocka_unit_test(test_strbuf_keeps_its_maximum),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_hashes),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_vec),
        cmocka_unit_test(test_log_lines),
        cmocka_unit_test(test_log_does_not_wait_for_a_reader),
        cmocka_unit_test(test_log_file_is_moved_aside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
