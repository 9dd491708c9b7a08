/* SPDX-License-Identifier: Apache-2.0 */
/* Tokenizers on small vocabularies; hf_truth.py and vocab_truth.py check them on real ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/pretokenize.h"
#include "engine/vocab.h"
#include "tests/engine/small_vocab.h"

/* Encodes and prints the pieces joined by '|' (control tokens as their text). */
static void expect_pieces(const tokenizer *t, str text, bool special, const char *wanted) {
    token_vec ids = {0};
    err e;
    assert_int_equal(tokenizer_encode(t, text, special, &ids, &e), OK);
    strbuf got;
    strbuf_init(&got, 1 << 20);
    for (size_t i = 0; i < ids.count; i++) {
        if (i) strbuf_add_char(&got, '|');
        strbuf_add_str(&got, tokenizer_piece(t, ids.at[i]));
    }
    strbuf_add_char(&got, 0);
    assert_string_equal(got.ptr, wanted);
    strbuf_deinit(&got);
    vec_free(&ids);
}

static void expect_round_trip(const tokenizer *t, str text) {
    token_vec ids = {0};
    err e;
    assert_int_equal(tokenizer_encode(t, text, false, &ids, &e), OK);
    strbuf back;
    strbuf_init(&back, 1 << 20);
    tokenizer_decode(t, ids.at, ids.count, true, &back);
    assert_int_equal(back.len, text.len);
    if (text.len) assert_memory_equal(back.ptr, text.ptr, text.len);
    strbuf_deinit(&back);
    vec_free(&ids);
}

static uint32_t next_random(uint32_t *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* ---- byte-level BPE ------------------------------------------------------------------------ */

static void test_merges(void **state) {
    UNUSED(state);
    tokenizer *t = small_vocab_open("smollm");
    expect_pieces(t, STR(""), false, "");
    expect_pieces(t, STR("hello"), false, "hello");
    expect_pieces(t, STR("hello world"), false, "hello| world");
    expect_pieces(t, STR("heLlo"), false, "he|L|l|o");
    expect_pieces(t, STR("llllo"), false, "ll|ll|o");
    expect_pieces(t, STR("    x"), false,
                  "  | | |x"); /* three blanks, then one that has no merge */
    expect_pieces(t, STR("\n\n\nx"), false, "\n\n|\n|x");
    expect_pieces(t, STR("123"), false, "1|2|3"); /* each digit is a word */
    expect_pieces(t, STR("\xC3\xA9"), false, "\xC3|\xA9");
    tokenizer_close(t);
    t = small_vocab_open("gpt-2");
    expect_pieces(t, STR("123 12"), false, "123| |12");
    tokenizer_close(t);
}

/* A word that is a token needs no merges where the family says so: "12" + "3" can be made by merges
 * only from single digits, but "thing" is taken whole in both. */
static void test_ignore_merges(void **state) {
    UNUSED(state);
    gguf_builder b;
    builder_init(&b);
    str tokens[258], merges[] = {STR("x y")};
    char bytes[256][4];
    for (int i = 0; i < 256; i++)
        tokens[i] = (str){bytes[i], (size_t)vocab_spell_byte((uint8_t)i, bytes[i])};
    tokens[256] = STR("abc");
    tokens[257] = STR("xy");
    for (int family = 0; family < 2; family++) {
        builder_init(&b);
        builder_str(&b, "tokenizer.ggml.model", "gpt2");
        builder_str(&b, "tokenizer.ggml.pre", family ? "llama-bpe" : "qwen2");
        builder_strs(&b, "tokenizer.ggml.tokens", tokens, 258);
        builder_strs(&b, "tokenizer.ggml.merges", merges, 1);
        str file = builder_finish(&b);
        gguf *g;
        tokenizer *t;
        assert_int_equal(gguf_parse(&g, file.ptr, file.len, "abc", NULL), OK);
        assert_int_equal(tokenizer_open(&t, g, NULL), OK);
        expect_pieces(t, STR("abc"), false, family ? "abc" : "a|b|c");
        expect_pieces(t, STR("xyabc"), false, "xy|a|b|c");
        assert_int_equal(tokenizer_get_facts(t)->add_bos, family);
        tokenizer_close(t);
        gguf_close(g);
        builder_deinit(&b);
    }
}

/* The definition: join the leftmost pair of lowest rank until there is none. */
static void merge_slowly(const tokenizer *t, str word, token_vec *out) {
    size_t first = out->count;
    for (size_t i = 0; i < word.len; i++)
        vec_push(out, (uint8_t)word.ptr[i]); /* id of a byte = the byte */
    for (;;) {
        int32_t *id = out->at + first;
        size_t n = out->count - first, at = n;
        for (int rank = 0; rank < SMALL_MERGES && at == n; rank++) {
            str left = str_of(small_merges[rank]), right = left;
            assert_true(str_split(&right, ' ', &left));
            int32_t l = tokenizer_find(t, left), r = tokenizer_find(t, right);
            for (size_t i = 0; i + 1 < n && at == n; i++) {
                if (id[i] != l || id[i + 1] != r) continue;
                id[i] = 256 + rank;
                at = i;
            }
        }
        if (at == n) return;
        vec_remove(out, first + at + 1);
    }
}

/* Short words, cached words and words on the heap all follow the definition. */
static void test_merges_by_definition(void **state) {
    UNUSED(state);
    tokenizer *t = small_vocab_open("whitespace");
    uint32_t seed = 7;
    for (int round = 0; round < 400; round++) {
        char word[300];
        size_t n = 1 + next_random(&seed) % (round % 2 ? 12 : sizeof word);
        for (size_t i = 0; i < n; i++)
            word[i] = "aaabhelowrld"[next_random(&seed) % (round % 3 ? 12 : 4)];
        token_vec want = {0}, have = {0};
        merge_slowly(t, (str){word, n}, &want);
        assert_int_equal(tokenizer_encode(t, (str){word, n}, false, &have, NULL), OK);
        assert_int_equal(have.count, want.count);
        assert_memory_equal(have.at, want.at, want.count * sizeof *want.at);
        vec_free(&want);
        vec_free(&have);
    }
    tokenizer_close(t);
}

static void test_any_bytes(void **state) {
    UNUSED(state);
    static const char *const families[] = {"smollm",  "gpt-2",          "qwen2",
                                           "llama3",  "deepseek-coder", "tekken",
                                           "default", "falcon",         "deepseek-v3"};
    uint32_t seed = 1;
    for (size_t f = 0; f < COUNTOF(families); f++) {
        tokenizer *t = small_vocab_open(families[f]);
        char bytes[256];
        for (int i = 0; i < 256; i++)
            bytes[i] = (char)(uint8_t)i;
        expect_round_trip(t, (str){bytes, sizeof bytes});
        for (int round = 0; round < 200; round++) {
            size_t n = next_random(&seed) % sizeof bytes;
            for (size_t i = 0; i < n; i++)
                bytes[i] = (char)(uint8_t)next_random(&seed);
            expect_round_trip(t, (str){bytes, n});
        }
        tokenizer_close(t);
    }
}

static void test_limit(void **state) {
    UNUSED(state);
    tokenizer *t = small_vocab_open("gpt-2");
    size_t n = 2 * LIMIT_PROMPT_TOKENS;
    char *text = xmalloc(n);
    for (size_t i = 0; i < n; i++)
        text[i] = "x "[i % 2];
    token_vec ids = {0};
    vec_push(&ids, 42);
    err e;
    assert_int_equal(tokenizer_encode(t, (str){text, n}, false, &ids, &e), ERR_LIMIT);
    assert_non_null(strstr(e.text, "131072 tokens"));
    assert_int_equal(ids.count, 1);
    assert_int_equal(tokenizer_encode(t, (str){text, n / 2}, false, &ids, &e), OK);
    vec_free(&ids);
    xfree(text);
    tokenizer_close(t);
}

/* ---- pre-tokenisers ------------------------------------------------------------------------ */

static void add_word(void *ud, str word) {
    strbuf *out = ud;
    strbuf_add_str(out, word);
    strbuf_add_char(out, '|');
}

static void expect_words(const char *family, const char *text, const char *wanted) {
    strbuf out;
    strbuf_init(&out, 4096);
    const pretokenizer *p = pretokenizer_find(str_of(family));
    assert_non_null(p);
    pretokenize(p, str_of(text), add_word, &out);
    assert_string_equal(out.ptr, wanted);
    strbuf_deinit(&out);
}

static void test_words(void **state) {
    UNUSED(state);
    expect_words("smollm", "it's x1 = 23;\n    return", "it|'s| x|1| =| |2|3|;|\n   | return|");
    expect_words("gpt-2", "a  b\tc IT'S", "a| | b|\t|c| IT|'|S|");
    expect_words("qwen2", "IT'S 123\n\n  x.y()", "IT|'S| |1|2|3|\n\n| | x|.y|()|");
    expect_words("llama3", "1234567 foo_bar\r\n", "123|456|7| foo|_bar|\r\n|");
    expect_words("tekken", "HTTPServer camelCase//\n", "HTTPServer| camel|Case|//\n|");
    expect_words("gpt-4o", "it's DON'T", "it's| DON'T|");
    expect_words("deepseek-coder", "a 12\n b", "a| |1|2|\n| b|");
    expect_words("deepseek-v3", "(foo)_bar 1234", "(foo|)_|bar| |123|4|");
    expect_words("", "$x+12345", "$|x|+|123|45|");
    assert_null(pretokenizer_find(STR("no-such")));
    assert_string_equal(pretokenizer_name(pretokenizer_find(STR("lfm2"))), "llama3");
}

/* ---- special tokens ------------------------------------------------------------------------ */

static void test_special(void **state) {
    UNUSED(state);
    tokenizer *t = small_vocab_open("smollm");
    str text = STR("<|im_start|>hello<tool>s<tool><tool");
    expect_pieces(t, text, true, "<|im_start|>|hello|<tool>s|<tool>|<|t|o|o|l");
    expect_pieces(t, text, false, "<|||i|m|_|s|t|a|r|t|||>|hello|<tool>s|<tool>|<|t|o|o|l");
    assert_true(tokenizer_is_control(t, SMALL_IM_START));
    assert_false(tokenizer_is_control(t, SMALL_TOOL));
    assert_false(tokenizer_is_control(t, -1));
    assert_false(tokenizer_is_control(t, SMALL_TOKENS));
    assert_int_equal(tokenizer_piece(t, SMALL_TOKENS).len, 0);
    assert_int_equal(tokenizer_piece(t, -1).len, 0);
    assert_int_equal(tokenizer_find(t, STR("<tool>")), SMALL_TOOL);
    assert_int_equal(tokenizer_find(t, STR("<tool>x")), -1);
    strbuf out;
    strbuf_init(&out, 100);
    tokenizer_decode(t, (int32_t[]){SMALL_IM_START, 'x', SMALL_TOOL, 99999}, 4, false, &out);
    assert_string_equal(out.ptr, "x<tool>");
    strbuf_clear(&out);
    tokenizer_decode(t, (int32_t[]){SMALL_IM_START, 'x'}, 2, true, &out);
    assert_string_equal(out.ptr, "<|im_start|>x");
    strbuf_deinit(&out);
    tokenizer_close(t);
}

static tokenizer *open_with_keys(const char *const *keys, const uint32_t *ids, size_t n) {
    gguf_builder b;
    builder_init(&b);
    small_vocab_add(&b, "smollm");
    for (size_t i = 0; i < n; i++)
        builder_u32(&b, keys[i], ids[i]);
    str file = builder_finish(&b);
    gguf *g;
    tokenizer *t;
    assert_int_equal(gguf_parse(&g, file.ptr, file.len, "keys", NULL), OK);
    assert_int_equal(tokenizer_open(&t, g, NULL), OK);
    gguf_close(g);
    builder_deinit(&b);
    return t;
}

static void test_facts(void **state) {
    UNUSED(state);
    tokenizer *t = small_vocab_open("smollm");
    const tokenizer_facts *f = tokenizer_get_facts(t);
    assert_int_equal(f->vocab, SMALL_TOKENS);
    assert_string_equal(f->model, "gpt2");
    assert_string_equal(f->pre, "smollm");
    assert_false(f->add_bos || f->add_eos || f->add_space_prefix);
    assert_int_equal(f->bos, -1);
    assert_int_equal(f->eot, SMALL_IM_END);
    assert_int_equal(f->fim_pre, SMALL_FIM_PRE);
    assert_int_equal(f->fim_suf, SMALL_FIM_SUF);
    assert_int_equal(f->fim_mid, SMALL_FIM_MID);
    assert_int_equal(f->fim_pad, -1);
    assert_true(tokenizer_is_control(t, SMALL_FIM_PRE)); /* by its text, whatever the file says */
    expect_pieces(t, STR("<fim_prefix>"), false, "<|f|i|m|_|p|r|e|f|i|x|>");
    assert_true(tokenizer_is_eog(t, SMALL_IM_END));
    assert_false(tokenizer_is_eog(t, SMALL_IM_START));
    assert_false(tokenizer_is_eog(t, -1));
    tokenizer_close(t);

    static const char *const keys[] = {"tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id",
                                       "tokenizer.ggml.prefix_token_id",
                                       "tokenizer.ggml.fim_sep_token_id",
                                       "tokenizer.ggml.padding_token_id"};
    t = open_with_keys(keys, (uint32_t[]){65, 66, 67, 68, 0xFFFFFFFF}, 5);
    f = tokenizer_get_facts(t);
    assert_int_equal(f->bos, 65);
    assert_int_equal(f->eos, 66);
    assert_int_equal(f->fim_pre, 67);
    assert_int_equal(f->fim_sep, 68);
    assert_int_equal(f->pad, -1); /* out of range: as if it were not there */
    assert_true(tokenizer_is_eog(t, 66) && tokenizer_is_eog(t, 68));
    tokenizer_close(t);
}

/* ---- token healing ------------------------------------------------------------------------- */

static void expect_range(const tokenizer *t, str prefix) {
    size_t all, first;
    const int32_t *ids = tokenizer_sorted(t, &all);
    size_t count = tokenizer_prefix_range(t, prefix, &first);
    assert_true(first + count <= all);
    for (size_t i = 0; i < all; i++) {
        bool inside = i >= first && i < first + count;
        assert_int_equal(inside, str_starts_with(tokenizer_piece(t, ids[i]), prefix));
    }
}

static void test_healing_index(void **state) {
    UNUSED(state);
    tokenizer *t = small_vocab_open("smollm");
    size_t count;
    const int32_t *ids = tokenizer_sorted(t, &count);
    assert_int_equal(count, 256 + SMALL_MERGES); /* neither control tokens nor markup */
    for (size_t i = 0; i < count; i++)
        assert_false(tokenizer_is_control(t, ids[i]));
    static const char *const prefixes[] = {"h",    "he", "hell", "hello", "hellos", " ", "  ",
                                           "    ", "a",  "\xC3", "\xFF",  "zz",     "<"};
    for (size_t i = 0; i < COUNTOF(prefixes); i++)
        expect_range(t, str_of(prefixes[i]));
    expect_range(t, STR("\0"));
    size_t first;
    assert_int_equal(tokenizer_prefix_range(t, STR("hel"), &first), 2); /* hell, hello */
    assert_int_equal(tokenizer_prefix_range(t, STR(""), &first), count);
    tokenizer_close(t);
}

/* ---- SentencePiece ------------------------------------------------------------------------- */

static const struct {
    const char *text;
    float score;
    int type;
} spm_tokens[] = {
    {"<unk>", 0, TOKEN_UNKNOWN},
    {"<s>", 0, TOKEN_CONTROL},
    {"</s>", 0, TOKEN_CONTROL},
    {"<0x0A>", 0, TOKEN_BYTE},
    {"<0xC3>", 0, TOKEN_BYTE},
    {"<0xA9>", 0, TOKEN_BYTE},
    {"\xE2\x96\x81", -9, TOKEN_NORMAL},
    {"a", -9, TOKEN_NORMAL},
    {"b", -9, TOKEN_NORMAL},
    {"ab", -1, TOKEN_NORMAL},
    {"aa", -2, TOKEN_NORMAL},
    {"\xE2\x96\x81"
     "ab",
     -3, TOKEN_NORMAL},
    {"  ", -9, TOKEN_USER},
};

static tokenizer *open_spm(bool space_prefix) {
    enum { N = COUNTOF(spm_tokens) };
    str text[N];
    float score[N];
    int32_t type[N];
    for (size_t i = 0; i < N; i++) {
        text[i] = str_of(spm_tokens[i].text);
        score[i] = spm_tokens[i].score;
        type[i] = spm_tokens[i].type;
    }
    gguf_builder b;
    builder_init(&b);
    builder_str(&b, "tokenizer.ggml.model", "llama");
    builder_strs(&b, "tokenizer.ggml.tokens", text, N);
    builder_f32s(&b, "tokenizer.ggml.scores", score, N);
    builder_i32s(&b, "tokenizer.ggml.token_type", type, N);
    builder_u32(&b, "tokenizer.ggml.unknown_token_id", 0);
    if (!space_prefix) builder_bool(&b, "tokenizer.ggml.add_space_prefix", false);
    str file = builder_finish(&b);
    gguf *g;
    tokenizer *t;
    assert_int_equal(gguf_parse(&g, file.ptr, file.len, "spm", NULL), OK);
    assert_int_equal(tokenizer_open(&t, g, NULL), OK);
    gguf_close(g);
    builder_deinit(&b);
    return t;
}

static void test_spm(void **state) {
    UNUSED(state);
    tokenizer *t = open_spm(true);
    expect_pieces(t, STR("ab"), false, " ab");
    expect_pieces(t, STR("a b"), false, " |a| |b");
    expect_pieces(t, STR(""), false, "");
    expect_pieces(t, STR("</s>ab"), true, "</s>| ab");
    assert_true(tokenizer_is_eog(t, 2) && tokenizer_get_facts(t)->add_bos);
    tokenizer_close(t);
    t = open_spm(false);
    expect_pieces(t, STR("aab"), false, "a|ab"); /* the better score wins over the left */
    expect_pieces(t, STR("aaa"), false, "aa|a"); /* of equals the leftmost */
    expect_pieces(t, STR("a\n\xC3\xA9"), false, "a|\n|\xC3|\xA9");
    expect_pieces(t, STR("z"), false, "<unk>");
    expect_pieces(t, STR("a   ab"), false, "a|  | ab"); /* user-defined first */
    tokenizer_close(t);
}

/* ---- WordPiece --------------------------------------------------------------------------- */

static void test_wordpiece(void **state) {
    UNUSED(state);
    static const str tokens[] = {{"[UNK]", 5},
                                 {"\xE2\x96\x81"
                                  "un",
                                  5},
                                 {"do", 2},
                                 {"\xE2\x96\x81.", 4},
                                 {"\xE2\x96\x81"
                                  "e",
                                  4},
                                 {"ing", 3},
                                 {"\xE2\x96\x81"
                                  "undo",
                                  7}};
    gguf_builder b;
    builder_init(&b);
    builder_str(&b, "tokenizer.ggml.model", "bert");
    builder_strs(&b, "tokenizer.ggml.tokens", tokens, COUNTOF(tokens));
    builder_u32(&b, "tokenizer.ggml.unknown_token_id", 0);
    str file = builder_finish(&b);
    gguf *g;
    tokenizer *t;
    assert_int_equal(gguf_parse(&g, file.ptr, file.len, "words", NULL), OK);
    assert_int_equal(tokenizer_open(&t, g, NULL), OK);
    gguf_close(g);
    builder_deinit(&b);
    expect_pieces(t, STR(" Undoing. un\tx"), false, " undo|ing| .| un|[UNK]");
    expect_pieces(t, STR("\xC3\x89"), false, " e"); /* neither case nor accent */
    expect_pieces(t, STR("undox."), false, "[UNK]| .");
    expect_pieces(t, STR("  \n"), false, "");
    tokenizer_close(t);
}

/* ---- bad vocabularies ---------------------------------------------------------------------- */

static void refuse(gguf_builder *b, status code, const char *words) {
    str file = builder_finish(b);
    gguf *g;
    tokenizer *t = NULL;
    err e;
    assert_int_equal(gguf_parse(&g, file.ptr, file.len, "bad.gguf", &e), OK);
    assert_int_equal(tokenizer_open(&t, g, &e), code);
    assert_non_null(strstr(e.text, words));
    assert_non_null(strstr(e.text, "bad.gguf"));
    assert_null(t);
    gguf_close(g);
    builder_deinit(b);
}

static void test_bad(void **state) {
    UNUSED(state);
    static const str two[] = {{"a", 1}, {"b", 1}};
    gguf_builder b;
    builder_init(&b);
    refuse(&b, ERR_FORMAT, "tokenizer.ggml.model");
    builder_init(&b);
    builder_str(&b, "tokenizer.ggml.model", "abacus");
    refuse(&b, ERR_UNSUPPORTED, "abacus");
    builder_init(&b);
    small_vocab_add(&b, "no-such-family");
    refuse(&b, ERR_UNSUPPORTED, "no-such-family");
    builder_init(&b);
    builder_str(&b, "tokenizer.ggml.model", "gpt2");
    refuse(&b, ERR_FORMAT, "tokenizer.ggml.tokens");
    builder_init(&b);
    builder_str(&b, "tokenizer.ggml.model", "gpt2");
    builder_strs(&b, "tokenizer.ggml.tokens", two, 2);
    refuse(&b, ERR_FORMAT, "tokenizer.ggml.merges");
    builder_init(&b);
    builder_str(&b, "tokenizer.ggml.model", "gpt2");
    builder_strs(&b, "tokenizer.ggml.tokens", two, 2);
    builder_i32s(&b, "tokenizer.ggml.token_type", (int32_t[]){1}, 1);
    refuse(&b, ERR_FORMAT, "tokenizer.ggml.token_type");
    builder_init(&b);
    builder_str(&b, "tokenizer.ggml.model", "llama");
    builder_strs(&b, "tokenizer.ggml.tokens", two, 2);
    refuse(&b, ERR_FORMAT, "tokenizer.ggml.scores");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merges),
        cmocka_unit_test(test_ignore_merges),
        cmocka_unit_test(test_merges_by_definition),
        cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_special),
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_healing_index),
        cmocka_unit_test(test_spm),
        cmocka_unit_test(test_wordpiece),
        cmocka_unit_test(test_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
