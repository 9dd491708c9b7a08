/* SPDX-License-Identifier: Apache-2.0 */
/* Token healing on a vocabulary of our own: what is dropped, what is allowed, and that any way
 * through the allowed tokens reproduces exactly the bytes that were owed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "engine/heal.h"
#include "tests/engine/tiny_model.h"

static char *file_bytes;
static tokenizer *tok;

static int open_vocab(void **state) {
    UNUSED(state);
    size_t n;
    err e;
    gguf *g;
    file_bytes = tiny_model_make(&(tiny_options){0}, &n);
    if (gguf_parse(&g, file_bytes, n, "tiny", &e) != OK) return -1;
    status s = tokenizer_open(&tok, g, &e);
    gguf_close(g);
    return s == OK ? 0 : -1;
}

static int close_vocab(void **state) {
    UNUSED(state);
    tokenizer_close(tok);
    xfree(file_bytes);
    return 0;
}

static token_vec encode(const char *text) {
    token_vec ids = {0};
    err e;
    assert_int_equal(tokenizer_encode(tok, str_of(text), false, &ids, &e), OK);
    return ids;
}

static void check_dropped(const char *text, const char *dropped) {
    token_vec ids = encode(text);
    heal h;
    int n = heal_count(tok, ids.at, (int)ids.count);
    heal_init(&h, tok, n ? ids.at + ids.count - (size_t)n : ids.at, n);
    if ((size_t)h.to != strlen(dropped) || memcmp(h.owed, dropped, strlen(dropped)) != 0)
        fail_msg("\"%s\" owes \"%.*s\" instead of \"%s\"", text, h.to, (char *)h.owed, dropped);
    vec_free(&ids);
}

static void what_is_dropped(void **state) {
    UNUSED(state);
    check_dropped("", "");
    check_dropped("(", "(");
    check_dropped("x = foo(", "(");
    check_dropped("x + retu", " retu"); /* one token, half a word */
    check_dropped("return xy", "xy");   /* two tokens of one word, its blank apart */
    check_dropped("():\n    ", "\n    ");
    check_dropped("a\n        ", "\n        "); /* a run of blanks in two or more pieces */
    check_dropped("zzzzzzzz", "zzzz");          /* at most four tokens */
    check_dropped("    return",
                  " return"); /* the indentation before the word's own blank is safe */
}

/* Follows the allowed tokens by a rule until nothing is owed; the bytes must be the owed ones. */
static void walk(const char *text, uint32_t seed) {
    token_vec ids = encode(text);
    int vocab = tokenizer_get_facts(tok)->vocab;
    float *logits = xcalloc((size_t)vocab, sizeof *logits);
    candidate *allowed = xcalloc((size_t)vocab, sizeof *allowed);
    heal h;
    int dropped = heal_count(tok, ids.at, (int)ids.count);
    heal_init(&h, tok, ids.at + ids.count - (size_t)dropped, dropped);
    char owed[HEAL_BYTES_MAX], said[HEAL_BYTES_MAX * 2] = {0};
    size_t n_owed = (size_t)h.to, n_said = 0;
    memcpy(owed, h.owed, n_owed);
    for (int step = 0; heal_is_owing(&h); step++) {
        int n = heal_candidates(&h, tok, logits, vocab, allowed);
        assert_true(n > 0);
        assert_true(step < HEAL_BYTES_MAX);
        seed = seed * 1664525u + 1013904223u;
        int32_t id = allowed[(seed >> 8) % (uint32_t)n].id;
        assert_false(tokenizer_is_control(tok, id));
        str piece = tokenizer_piece(tok, id);
        memcpy(said + n_said, piece.ptr, piece.len);
        n_said += piece.len;
        heal_pay(&h, piece);
    }
    assert_true(n_said >= n_owed);
    assert_memory_equal(owed, said, n_owed);
    xfree(logits);
    xfree(allowed);
    vec_free(&ids);
}

static void every_way_reproduces_the_bytes(void **state) {
    UNUSED(state);
    static const char *const texts[] = {"return",      "def f(self", "x = \xc3\xa9",
                                        "a\n        ", "\t",         " intermedi",
                                        "zzzz",        "(",          "\r\n"};
    for (size_t i = 0; i < COUNTOF(texts); i++)
        for (uint32_t seed = 0; seed < 200; seed++)
            walk(texts[i], seed);
}

/* Exactly the tokens that begin with the owed bytes or that they begin with. */
static void candidates_are_complete(void **state) {
    UNUSED(state);
    int vocab = tokenizer_get_facts(tok)->vocab;
    float *logits = xcalloc((size_t)vocab, sizeof *logits);
    candidate *allowed = xcalloc((size_t)vocab, sizeof *allowed);
    heal h = {.owed = " retu", .to = 5};
    int n = heal_candidates(&h, tok, logits, vocab, allowed);
    for (int32_t id = 0; id < vocab; id++) {
        str piece = tokenizer_piece(tok, id);
        bool should = !tokenizer_is_control(tok, id) && piece.len > 0 &&
                      memcmp(piece.ptr, " retu", MIN(piece.len, (size_t)5)) == 0;
        int found = 0;
        for (int i = 0; i < n; i++)
            found += allowed[i].id == id;
        assert_int_equal(found, should);
    }
    xfree(logits);
    xfree(allowed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_dropped),
        cmocka_unit_test(every_way_reproduces_the_bytes),
        cmocka_unit_test(candidates_are_complete),
    };
    return cmocka_run_group_tests(tests, open_vocab, close_vocab);
}
