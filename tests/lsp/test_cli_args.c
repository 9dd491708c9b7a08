/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: what is read, what is refused, and that the sentence helps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "lsp/cli.h"

#define WORDS_MAX 8

/* Parses one line of words separated by single spaces. */
static status parse(const char *line, cli_args *out, err *e) {
    static char copy[512]; /* the result points into it */
    char *argv[WORDS_MAX + 1] = {(char[]){"inlined"}};
    int argc = 1;
    snprintf(copy, sizeof copy, "%s", line);
    char *at = copy;
    while (*at && argc < WORDS_MAX) {
        argv[argc++] = at;
        at += strcspn(at, " ");
        if (*at) *at++ = 0;
    }
    return cli_parse(argc, argv, out, e);
}

static void test_reads(void **state) {
    UNUSED(state);
    cli_args a;
    err e;
    assert_int_equal(parse("", &a, &e), OK);
    assert_int_equal(a.command, CMD_SERVE);
    assert_int_equal(parse("--stdio --clientProcessId=42", &a, &e), OK);
    assert_true(a.stdio);
    assert_int_equal(a.client_pid, 42);
    assert_int_equal(parse("--stdio --listen /x", &a, &e), OK); /* an editor, and more of them */
    assert_true(cli_wants_own_process(&a));
    assert_int_equal(parse("--stdio --log-level info", &a, &e), OK);
    assert_false(cli_wants_own_process(&a));
    for (const char *const *own = (const char *const[]){"--no-daemon", "--model x", "--device cpu",
                                                        "--config f", "--threads 2", NULL};
         *own; own++) {
        assert_int_equal(parse(*own, &a, &e), OK);
        assert_true(cli_wants_own_process(&a));
    }
    assert_int_equal(parse("complete main.c:3:7 --json --model x", &a, &e), OK);
    assert_int_equal(a.command, CMD_COMPLETE);
    assert_true(a.json);
    assert_string_equal(a.model, "x");
    assert_string_equal(a.operands[0], "main.c:3:7");
    assert_int_equal(parse("generate --prompt=a=b -n5 -t 0.5 --seed 7", &a, &e), OK);
    assert_string_equal(a.prompt, "a=b");
    assert_int_equal(a.tokens, 5);
    assert_int_equal(a.seed, 7);
    assert_true(a.temperature > 0.49 && a.temperature < 0.51);
    assert_int_equal(parse("generate --prompt -x", &a, &e),
                     OK); /* a value may look like an option */
    assert_string_equal(a.prompt, "-x");
    assert_int_equal(parse("--log-level debug tokenize -", &a, &e), OK);
    assert_string_equal(a.log_level, "debug");
    assert_string_equal(a.operands[0], "-");
    assert_int_equal(parse("tokenize -- --json", &a, &e), OK);
    assert_string_equal(a.operands[0], "--json");
    assert_false(a.json);
    assert_int_equal(parse("models pull x", &a, &e), OK);
    assert_int_equal(parse("models path", &a, &e), OK);
    assert_string_equal(a.operands[1], "default");
    assert_int_equal(parse("complete --help", &a, &e), OK); /* help needs no operand */
}

static void test_refuses(void **state) {
    UNUSED(state);
    static const struct {
        const char *line, *says;
    } cases[] = {
        {"--modle x", "did you mean --model?"},
        {"complete f:1:1 --jsno", "did you mean --json?"},
        {"complete f:1:1 --stdio", "complete has no option --stdio"},
        {"--json", "needs a command"},
        {"--frobnicate", "unknown option --frobnicate"},
        {"-x", "unknown option -x"},
        {"-jx", "unknown option -jx"},
        {"generat", "did you mean generate?"},
        {"frobnicate", "unknown command 'frobnicate'"},
        {"complete", "usage: inlined complete FILE:LINE:COL"},
        {"complete a b", "one word too many"},
        {"generate", "needs one of --prompt"},
        {"generate --prompt a --prompt-file b", "needs one of --prompt"},
        {"generate --prompt a -n 0", "-n must be at least 1"},
        {"generate --prompt a -n -3", "whole number from 0"},
        {"generate --prompt a -n 1e3", "whole number"},
        {"generate --prompt a -n 99999999999999999999", "whole number"},
        {"generate --prompt a --temperature nan", "--temperature must be a number"},
        {"generate --prompt a --logprobs 65", "from 0 to 64"},
        {"generate --prompt a --prompt-logprobs", "needs --logprobs"},
        {"generate --prompt a --device gpu", "auto, cpu, cuda or ref"},
        {"generate --prompt", "--prompt needs a value"},
        {"--stdio=1", "--stdio takes no value"},
        {"models", "usage: inlined models"},
        {"models pull", "needs the name of a model"},
        {"models list x", "takes no name"},
        {"models push x", "unknown 'models push'"},
        {"tokenize f --decode 1", "not both"},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        cli_args a;
        err e = {{0}};
        assert_int_equal(parse(cases[i].line, &a, &e), ERR_USAGE);
        if (!strstr(e.text, cases[i].says)) {
            fail_msg("'%s' said '%s', not '%s'", cases[i].line, e.text, cases[i].says);
        }
    }
}

static void test_place(void **state) {
    UNUSED(state);
    cli_place p;
    err e;
    assert_int_equal(cli_place_parse("a:b.c:12:3", &p, &e), OK);
    assert_true(str_eq(p.path, STR("a:b.c")));
    assert_int_equal(p.line, 12);
    assert_int_equal(p.column, 3);
    static const char *const bad[] = {"",      "a.c",    "a.c:1",   ":1:1",     "a.c:0:1",
                                      "a:1:0", "a:-1:2", "a:1:2:x", "a.c:1:1 ", "a.c:1e1:1"};
    for (size_t i = 0; i < COUNTOF(bad); i++)
        assert_int_equal(cli_place_parse(bad[i], &p, &e), ERR_USAGE);
}

static void test_ids(void **state) {
    UNUSED(state);
    int32_t *ids = NULL;
    size_t n = 0;
    err e;
    assert_int_equal(cli_ids_parse("1, 2,49151", &ids, &n, &e), OK);
    assert_int_equal(n, 3);
    assert_int_equal(ids[2], 49151);
    xfree(ids);
    static const char *const bad[] = {"1,,2", "x", "1,-2", "2147483648", "1;2"};
    for (size_t i = 0; i < COUNTOF(bad); i++)
        assert_int_equal(cli_ids_parse(bad[i], &ids, &n, &e), ERR_USAGE);
    strbuf many;
    strbuf_init(&many, 4u << 20);
    for (int i = 0; i <= LIMIT_PROMPT_TOKENS; i++)
        strbuf_add_str(&many, STR("7,"));
    strbuf_add_str(&many, STR("7"));
    assert_int_equal(cli_ids_parse(many.ptr, &ids, &n, &e), ERR_LIMIT);
    strbuf_deinit(&many);
}

/* The help is made from the parser's tables; it must be there for each command. */
static void test_help(void **state) {
    UNUSED(state);
    for (int c = 0; c < CMD_COUNT; c++) {
        strbuf out;
        strbuf_init(&out, 1u << 16);
        cli_help((cli_command_id)c, &out);
        assert_false(out.overflow);
        assert_true(str_find(strbuf_str(&out), STR("Usage: inlined")) >= 0);
        assert_true(str_find(strbuf_str(&out), STR("--help")) >= 0);
        assert_int_equal(str_find(strbuf_str(&out), STR("--json")) < 0, c == CMD_SERVE);
        strbuf_deinit(&out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads), cmocka_unit_test(test_refuses), cmocka_unit_test(test_place),
        cmocka_unit_test(test_ids),   cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
