/* SPDX-License-Identifier: Apache-2.0 */
/* Grammars alone: what they accept, where a sentence may end, and their bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "engine/grammar.h"

typedef enum { NO, OPEN, MAY_END, MUST_END } verdict;

static verdict judge(const grammar *g, const char *text) {
    grammar_state *s = xcalloc(1, sizeof *s);
    grammar_begin(s, g);
    verdict v = NO;
    if (grammar_advance(s, str_of(text)))
        v = grammar_must_end(s) ? MUST_END : grammar_may_end(s) ? MAY_END : OPEN;
    xfree(s);
    return v;
}

static void repeats_and_ranges(void **state) {
    UNUSED(state);
    grammar *g = grammar_new();
    gsym digit = grammar_range(g, '0', '9');
    gsym parts[] = {grammar_literal(g, STR("#")), grammar_repeat(g, digit, 1, 3)};
    assert_true(grammar_start(g, grammar_sequence(g, parts, 2)));
    assert_int_equal(judge(g, ""), OPEN);
    assert_int_equal(judge(g, "#"), OPEN);
    assert_int_equal(judge(g, "#1"), MAY_END);
    assert_int_equal(judge(g, "#123"), MUST_END);
    assert_int_equal(judge(g, "#1234"), NO);
    assert_int_equal(judge(g, "1"), NO);
    grammar_release(g);
}

static void many_words_need_few_stacks(void **state) {
    UNUSED(state);
    enum { WORDS = 3000 };
    static char texts[WORDS][12];
    str words[WORDS];
    grammar *g = grammar_new();
    for (int i = 0; i < WORDS; i++) {
        snprintf(texts[i], sizeof texts[i], "w%d", i * 7 % WORDS);
        words[i] = str_of(texts[i]);
    }
    assert_true(grammar_start(g, grammar_words(g, words, WORDS)));
    for (int i = 0; i < WORDS; i++)
        assert_true(judge(g, texts[i]) >= MAY_END);
    assert_int_equal(judge(g, "w3000"), NO);
    assert_int_equal(judge(g, "w"), OPEN);
    grammar_release(g);

    g = grammar_new();
    str same[] = {STR("a"), STR("ab"), STR("a"), STR("")};
    assert_true(grammar_start(g, grammar_words(g, same, 4)));
    assert_int_equal(judge(g, ""), MAY_END);
    assert_int_equal(judge(g, "a"), MAY_END);
    assert_int_equal(judge(g, "ab"), MUST_END);
    grammar_release(g);
}

/* list = "[" ( list ("," list)* )? "]": nests as deep as the stacks allow, and no further. */
static void recursion_is_bounded(void **state) {
    UNUSED(state);
    grammar *g = grammar_new();
    gsym list = grammar_forward(g);
    gsym more[] = {grammar_literal(g, STR(",")), list};
    gsym items[] = {list, grammar_repeat(g, grammar_sequence(g, more, 2), 0, GRAMMAR_MANY)};
    gsym inside = grammar_repeat(g, grammar_sequence(g, items, 2), 0, 1);
    gsym whole[] = {grammar_literal(g, STR("[")), inside, grammar_literal(g, STR("]"))};
    grammar_define(g, list, grammar_sequence(g, whole, 3));
    assert_true(grammar_start(g, list));
    assert_int_equal(judge(g, "[[],[[]],[]]"), MUST_END);
    assert_int_equal(judge(g, "[[],"), OPEN);
    assert_int_equal(judge(g, "[,"), NO);
    char deep[400];
    memset(deep, '[', sizeof deep);
    deep[399] = 0;
    assert_int_equal(judge(g, deep), NO);
    deep[8] = 0;
    assert_int_equal(judge(g, deep), OPEN);
    grammar_release(g);
}

/* What repeats nothing for ever must not hang, nor a choice that is nothing but itself. */
static void senseless_grammars_end(void **state) {
    UNUSED(state);
    grammar *g = grammar_new();
    gsym empty = grammar_literal(g, STR(""));
    assert_true(grammar_start(g, grammar_repeat(g, empty, 0, GRAMMAR_MANY)));
    assert_true(judge(g, "") >= MAY_END);
    assert_int_equal(judge(g, "x"), NO);
    grammar_release(g);
    g = grammar_new();
    gsym self = grammar_forward(g), ways[] = {self, self};
    grammar_define(g, self, grammar_choice(g, ways, 2));
    assert_true(grammar_start(g, self));
    assert_int_equal(judge(g, ""), NO);
    grammar_release(g);
}

static void too_large_is_said(void **state) {
    UNUSED(state);
    grammar *g = grammar_new();
    gsym last = grammar_literal(g, STR("x"));
    for (int i = 0; i < LIMIT_GRAMMAR_NODES && last != GSYM_NONE; i++) {
        gsym two[] = {last, last};
        last = grammar_sequence(g, two, 2);
    }
    assert_int_equal(last, GSYM_NONE);
    assert_false(grammar_start(g, last));
    grammar_release(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repeats_and_ranges),   cmocka_unit_test(many_words_need_few_stacks),
        cmocka_unit_test(recursion_is_bounded), cmocka_unit_test(senseless_grammars_end),
        cmocka_unit_test(too_large_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
