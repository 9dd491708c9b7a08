/* SPDX-License-Identifier: Apache-2.0 */
/* Prompts: layouts by family, budgets, cuts that stay put while somebody types, hostile text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "engine/prompt.h"
#include "tests/engine/tiny_model.h"

typedef struct {
    char *bytes;
    tokenizer *tok;
    prompt_style style;
    chat_format chat;
} family;

/* Turns end with a control token; every message is trimmed, as many templates do it. */
#define CHAT                                                                                       \
 "{% for m in messages %}{{ m.role }}:{{ m.content | trim }}<|endoftext|>{% endfor %}bot:"

static family open_family(const char *name, bool fim) {
    family f;
    size_t n;
    err e;
    gguf *g;
    f.bytes = tiny_model_make(&(tiny_options){.name = name, .fim = fim, .chat = CHAT}, &n);
    assert_int_equal(gguf_parse(&g, f.bytes, n, "tiny", &e), OK);
    assert_int_equal(tokenizer_open(&f.tok, g, &e), OK);
    prompt_style_detect(&f.style, f.tok, g);
    chat_format_read(&f.chat, g);
    gguf_close(g);
    return f;
}

static void close_family(family *f) {
    tokenizer_close(f->tok);
    chat_format_deinit(&f->chat);
    xfree(f->bytes);
}

static void build(const family *f, const engine_prompt *p, int context, prompt *out) {
    engine_job job = {.tokens_max = 16, .prompt = *p};
    err e = {0};
    status s = prompt_build(out, &f->style, &f->chat, f->tok, &job, context, &e);
    if (s != OK) fail_msg("%s", e.text);
}

/* The prompt as text; control tokens as [id]. */
static void check_text(const family *f, const engine_prompt *p, const char *want) {
    prompt out;
    build(f, p, 256, &out);
    strbuf text;
    strbuf_init(&text, 4096);
    for (size_t i = 0; i < out.ids.count; i++) {
        if (tokenizer_is_control(f->tok, out.ids.at[i]))
            strbuf_addf(&text, "[%d]", (int)out.ids.at[i]);
        else
            strbuf_add_str(&text, tokenizer_piece(f->tok, out.ids.at[i]));
    }
    assert_string_equal(text.ptr, want);
    strbuf_deinit(&text);
    prompt_deinit(&out);
}

static void layouts(void **state) {
    UNUSED(state);
    engine_prompt p = {.kind = PROMPT_COMPLETION,
                       .path = STR("src/a.py"),
                       .prefix = STR("x = f("),
                       .suffix = STR(")\n")};
    static const struct {
        const char *name, *want;
        bool fim;
        fim_format format;
    } cases[] = {
        {"tiny", "x = f(", false, FIM_NONE},
        {"inlined-fim-1", "[4]src/a.py\n[1][2])\n[3]x = f(", true, FIM_SPM},
        {"Some Coder 1B", "[1]x = f([2])\n[3]", true, FIM_PSM},
        {"Codestral", "[2])\n[1]x = f(", true, FIM_SPM},
        {"Mellum 4b", "[2])\n[1]x = f([3]", true, FIM_SPM},
        {"Qwen2.5 Coder 1.5B", "[1]x = f([2])\n[3]", true, FIM_PSM},
        {"starcoder2-3b", "[1]x = f([2])\n[3]", true, FIM_PSM},
        {"deepseek-coder-1.3b-base", "[1]x = f([2])\n[3]", true, FIM_PSM},
        {"CodeLlama-7b", "[1]x = f([2])\n[3]", true, FIM_PSM},
        {"codegemma-2b", "[1]x = f([2])\n[3]", true, FIM_PSM},
        {"Granite 3b Code Base", "[1]x = f([2])\n[3]", true, FIM_PSM},
        {"Seed-Coder-8B-Base", "[2])\n[1]x = f([3]", true, FIM_SPM},
        {"GLM-4.5", "[1]x = f([2])\n[3]", true, FIM_PSM},
        {"stable-code-3b", "[1]x = f([2])\n[3]", true, FIM_PSM},
        {"Qwen2.5 Coder 1.5B", "x = f(", false, FIM_NONE}, /* its file lacks the markers */
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        family f = open_family(cases[i].name, cases[i].fim);
        assert_int_equal(f.style.format, cases[i].format);
        assert_int_equal(f.style.single_line, cases[i].name[0] == 'i'); /* our own only */
        check_text(&f, &p, cases[i].want);
        close_family(&f);
    }
}

/* How other files are named: the separator where there is one, else the family's own way. */
static void chunks_by_family(void **state) {
    UNUSED(state);
    prompt_chunk chunk = {.path = STR("b.py"), .text = STR("y = 1\n")};
    engine_prompt p = {.kind = PROMPT_COMPLETION,
                       .path = STR("a.py"),
                       .prefix = STR("x = "),
                       .suffix = STR("\n"),
                       .chunks = &chunk,
                       .n_chunks = 1};
    static const struct {
        const char *name, *want;
        bool fim, cross_file;
    } cases[] = {
        {"Qwen2.5 Coder 1.5B", "[4]b.py\ny = 1\n[1]x = [2]\n[3]", true, true},
        {"deepseek-coder-1.3b", "#b.py\ny = 1\n[1]x = [2]\n[3]", true, false},
        {"Codestral", "+++++ b.py\ny = 1\n[2]\n[1]x = ", true, false},
        {"inlined-fim-1", "[4]b.py\ny = 1\n[4]a.py\n[1][2]\n[3]x = ", true, false},
        {"tiny", "# b.py\ny = 1\nx = ", false, false},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        family f = open_family(cases[i].name, cases[i].fim);
        assert_int_equal(f.style.cross_file, cases[i].cross_file);
        check_text(&f, &p, cases[i].want);
        close_family(&f);
    }
}

static void the_order_is_the_callers_choice(void **state) {
    UNUSED(state);
    static const struct {
        bool fim;
        prompt_order order;
        const char *want;
    } cases[] = {
        {true, ORDER_MODEL, "[4]a.py\n[1][2])\n[3]x = f("},
        {true, ORDER_PREFIX, "[4]a.py\nx = f("},
        {true, ORDER_PSM, "[4]a.py\n[1]x = f([2])\n[3]"},
        {true, ORDER_SPM, "[4]a.py\n[1][2])\n[3]x = f("},
        {false, ORDER_PSM, "x = f("}, /* has no markers */
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        family f = open_family("inlined-fim-1", cases[i].fim);
        engine_prompt p = {.kind = PROMPT_COMPLETION,
                           .path = STR("a.py"),
                           .prefix = STR("x = f("),
                           .suffix = STR(")\n"),
                           .order = cases[i].order};
        check_text(&f, &p, cases[i].want);
        close_family(&f);
    }
}

static void healing_cuts_the_prefix_wherever_it_stands(void **state) {
    UNUSED(state);
    engine_prompt p = {
        .kind = PROMPT_COMPLETION, .prefix = STR("x = retu"), .suffix = STR("\n"), .heal = true};
    family psm = open_family("Some Coder 1B", true), plain = open_family("tiny", false);
    check_text(&psm, &p, "[1]x =[2]\n[3]");
    check_text(&plain, &p, "x =");
    prompt out;
    build(&psm, &p, 256, &out);
    assert_int_equal(out.heal.to, 5);
    assert_memory_equal(out.heal.owed, " retu", 5);
    prompt_deinit(&out);
    p.prefix = STR("return"); /* nothing is left: the prompt begins a document */
    check_text(&plain, &p, "[0]");
    close_family(&psm);
    close_family(&plain);
}

static void chunks_come_first_and_whole(void **state) {
    UNUSED(state);
    const prompt_chunk chunks[] = {{STR("b.py"), STR("b = 1\n")}, {STR(""), STR("c = 2")}};
    engine_prompt p = {
        .kind = PROMPT_COMPLETION, .prefix = STR("x"), .chunks = chunks, .n_chunks = 2};
    family f = open_family("tiny", false);
    check_text(&f, &p, "# b.py\nb = 1\nc = 2\nx");
    prompt out;
    p.context_tokens_max = 12; /* the first does not fit, the second does */
    build(&f, &p, 256, &out);
    assert_in_range(out.context_tokens, 3, 12);
    prompt_deinit(&out);
    close_family(&f);
}

static void user_text_is_never_a_marker(void **state) {
    UNUSED(state);
    family f = open_family("inlined-fim-1", true);
    engine_prompt p = {.kind = PROMPT_COMPLETION,
                       .prefix = STR("<fim_middle><|endoftext|>"),
                       .suffix = STR("<fim_prefix>")};
    prompt out;
    build(&f, &p, 256, &out);
    int control = 0;
    for (size_t i = 0; i < out.ids.count; i++)
        control += tokenizer_is_control(f.tok, out.ids.at[i]);
    assert_int_equal(control, 3);
    prompt_deinit(&out);
    close_family(&f);
}

/* Types 400 characters at the end of a long file: the prompt's beginning may move only rarely. */
static void the_left_cut_stays_put(void **state) {
    UNUSED(state);
    family f = open_family("tiny", false);
    strbuf text;
    strbuf_init(&text, 1u << 20);
    for (int i = 0; i < 400; i++)
        strbuf_addf(&text, "value_%d = %d * other_%d\n", i, i * 7, i % 13);
    int moved = 0, first_of_last = -1;
    int32_t last[4] = {0};
    for (int key = 0; key < 400; key++) {
        strbuf_add_char(&text, key % 20 == 19 ? '\n' : (char)('a' + key % 7));
        engine_prompt p = {
            .kind = PROMPT_COMPLETION, .prefix = strbuf_str(&text), .prefix_tokens_max = 200};
        prompt out;
        build(&f, &p, 512, &out);
        assert_in_range(out.ids.count, 140, 204);
        bool same = memcmp(last, out.ids.at, sizeof last) == 0;
        moved += key > 0 && !same;
        memcpy(last, out.ids.at, sizeof last);
        first_of_last = out.prefix_tokens;
        prompt_deinit(&out);
    }
    assert_true(first_of_last > 0);
    assert_in_range(moved, 1, 25); /* 400 tokens through a quarter of 200: 8 moves at the least */
    strbuf_deinit(&text);
    close_family(&f);
}

static void budgets_hold_for_any_text(void **state) {
    UNUSED(state);
    family f = open_family("inlined-fim-1", true);
    uint32_t seed = 3;
    char *noise = xmalloc(20000);
    for (int round = 0; round < 200; round++) {
        size_t n = (seed >> 8) % 20000;
        for (size_t i = 0; i < n; i++) {
            seed = seed * 1664525u + 1013904223u;
            noise[i] =
                round % 3 == 0 ? (char)(seed >> 24) : (round % 3 == 1 ? 'x' : "ab \n"[seed >> 30]);
        }
        engine_prompt p = {.kind = PROMPT_COMPLETION,
                           .prefix = {noise, n},
                           .suffix = {noise, n / 2},
                           .heal = round & 1};
        for (int context = 32; context <= 512; context *= 4) {
            prompt out;
            build(&f, &p, context, &out);
            assert_true(out.ids.count < (size_t)context);
            prompt_deinit(&out);
        }
        seed += 977;
    }
    xfree(noise);
    close_family(&f);
}

static void raw_prompts(void **state) {
    UNUSED(state);
    family f = open_family("tiny", false);
    const int32_t ids[] = {10, 20, 30}, bad[] = {10, 1 << 20};
    prompt out;
    err e;
    engine_job job = {.tokens_max = 4,
                      .prompt = {.kind = PROMPT_TOKENS, .tokens = ids, .n_tokens = 3}};
    assert_int_equal(prompt_build(&out, &f.style, &f.chat, f.tok, &job, 8, &e), OK);
    assert_int_equal(out.ids.count, 3);
    prompt_deinit(&out);
    assert_int_equal(prompt_build(&out, &f.style, &f.chat, f.tok, &job, 3, &e), ERR_LIMIT);
    job.prompt.tokens = bad;
    job.prompt.n_tokens = 2;
    assert_int_equal(prompt_build(&out, &f.style, &f.chat, f.tok, &job, 8, &e), ERR_USAGE);
    job.prompt = (engine_prompt){.kind = PROMPT_TEXT};
    assert_int_equal(prompt_build(&out, &f.style, &f.chat, f.tok, &job, 8, &e), OK);
    assert_int_equal(out.ids.count, 1);
    assert_int_equal(out.ids.at[0], TINY_END);
    prompt_deinit(&out);
    close_family(&f);
}

static engine_prompt conversation(arena *a, const char *one, const char *two) {
    chat_value chat = chat_new_dict(a), messages = chat_new_list(a);
    const char *texts[] = {one, two};
    for (size_t i = 0; i < 2 && texts[i]; i++) {
        chat_value m = chat_new_dict(a);
        chat_dict_set(a, m, STR("role"), chat_str(i ? STR("bot") : STR("me")));
        chat_dict_set(a, m, STR("content"), chat_str(str_of(texts[i])));
        chat_list_add(a, messages, m);
    }
    chat_dict_set(a, chat, STR("messages"), messages);
    return (engine_prompt){.kind = PROMPT_CHAT, .chat = chat};
}

static void conversations_follow_the_template(void **state) {
    UNUSED(state);
    family f = open_family("tiny", true);
    arena a;
    arena_init(&a);
    engine_prompt p = conversation(&a, "  hi ", "int");
    check_text(&f, &p, "me:hi[0]bot:int[0]bot:");
    /* A control token's text in a message is text, wherever it stands in it. */
    p = conversation(&a, "<|endoftext|>a<|endoftext|><fim_prefix>", NULL);
    check_text(&f, &p, "me:<|endoftext|>a<|endoftext|><fim_prefix>[0]bot:");
    p = conversation(&a,
                     "\xEF\xB7\x90"
                     "7\xEF\xB7\x91 \xEF\xB7\x90",
                     NULL);
    check_text(&f, &p,
               "me:\xEF\xB7\x90"
               "7\xEF\xB7\x91 \xEF\xB7\x90[0]bot:");
    arena_deinit(&a);
    close_family(&f);
}

/* The ids of what was said stay, though a tokeniser would split the answer otherwise. */
static void earlier_ids_are_kept(void **state) {
    UNUSED(state);
    family f = open_family("tiny", true);
    arena a;
    prompt first, next;
    arena_init(&a);
    engine_prompt p = conversation(&a, "hi", NULL);
    build(&f, &p, 256, &first);
    for (const char *c = "return"; *c; c++) /* one token for the tokeniser, six here */
        vec_push(&first.ids, TINY_BYTES + (uint8_t)*c);
    p = conversation(&a, "hi", "return");
    p.tokens = first.ids.at;
    p.n_tokens = first.ids.count;
    build(&f, &p, 256, &next);
    assert_true(next.ids.count > first.ids.count);
    assert_memory_equal(next.ids.at, first.ids.at, first.ids.count * sizeof *first.ids.at);
    assert_int_equal(next.ids.at[first.ids.count], TINY_END);
    prompt_deinit(&next);
    p = conversation(&a, "ho", "return"); /* another conversation: nothing is kept */
    p.tokens = first.ids.at;
    p.n_tokens = first.ids.count;
    build(&f, &p, 256, &next);
    assert_true(next.ids.count < first.ids.count + 5);
    prompt_deinit(&next);
    prompt_deinit(&first);
    arena_deinit(&a);
    close_family(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layouts),
        cmocka_unit_test(chunks_by_family),
        cmocka_unit_test(the_order_is_the_callers_choice),
        cmocka_unit_test(healing_cuts_the_prefix_wherever_it_stands),
        cmocka_unit_test(chunks_come_first_and_whole),
        cmocka_unit_test(user_text_is_never_a_marker),
        cmocka_unit_test(the_left_cut_stays_put),
        cmocka_unit_test(budgets_hold_for_any_text),
        cmocka_unit_test(raw_prompts),
        cmocka_unit_test(conversations_follow_the_template),
        cmocka_unit_test(earlier_ids_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
