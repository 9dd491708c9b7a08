/* SPDX-License-Identifier: Apache-2.0 */
/* What a model writes: it becomes code, prose, a comment or a call of a tool, or it is refused with
 * a sentence.  The first byte chooses the place and the family, the second cuts the text into what
 * it replaces and what was written. */
#include <stdlib.h>

#include <cjson/cJSON.h>

#include "engine/base/mem.h"
#include "lsp/agent_tools.h"
#include "lsp/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good) {
    if (!good) abort();
}

static bool is_inside(str whole, str part) {
    return !part.len || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

static void read_code(str raw, const answer_place *at, bool complete, arena *a) {
    answer_code code;
    const char *why = answer_read_code(raw, complete, at, a, &code);
    if (why) {
        check(strlen(why) > 10 && !strchr(why, '\n'));
        return;
    }
    check(str_trim(code.code).len > 0);
    check(!answer_has_template(code.code) || answer_has_template(at->original));
    /* Each line has the document's line end, and nothing grows without bound. */
    for (size_t i = 0; i < code.code.len; i++)
        if (code.code.ptr[i] == '\n' && at->eol[0] == '\r')
            check(i > 0 && code.code.ptr[i - 1] == '\r');
    check(code.code.len <= (raw.len + 1) * (at->indentation.len + 3));
}

static void read_prose(str raw, const char *language, const char *eol, arena *a) {
    str prose = answer_read_prose(raw, 72, a);
    check(!answer_has_template(prose));
    str comment = answer_comment(language, prose, STR("    "), eol, a);
    check(prose.len || !comment.len);
    /* The comment ends where it is meant to end. */
    if (!strcmp(language, "c") && comment.len)
        check(str_find(comment, STR("*/")) == (ptrdiff_t)comment.len - 2);
    if (!strcmp(language, "python") && comment.len) {
        ptrdiff_t close = str_find(str_sub(comment, 3, comment.len), STR("\"\"\""));
        check(close + 3 == (ptrdiff_t)comment.len - 3);
    }
}

static void read_call(str raw, chat_tool_style style, size_t n_tools) {
    static char names[16][8];
    agent_tool tools[16];
    for (size_t i = 0; i < n_tools; i++) {
        snprintf(names[i], sizeof names[i], "t%zu", i);
        tools[i] = (agent_tool){names[i], "a tool", NULL, false};
    }
    toolbox b;
    toolbox_call call = {0};
    size_t begin = 0;
    toolbox_init(&b, style, tools, n_tools);
    if (toolbox_parse(&b, raw, &call, &begin)) {
        strbuf text;
        const char *tool = NULL;
        const cJSON *arguments = NULL;
        strbuf_init(&text, 1u << 16);
        check(begin < raw.len && is_inside(raw, str_sub(raw, begin, raw.len)));
        if (!toolbox_answer(&b, &call, &text, &tool, &arguments) && tool)
            check(tool[0] == 't' && strlen(tool) < 8); /* one of ours */
        strbuf_deinit(&text);
        cJSON_Delete(call.whole);
    }
    toolbox_deinit(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const languages[] = {"python", "c", "go", "typescript", "plaintext"};
    static const char *const eols[] = {"\n", "\r\n"};
    static const char *const indents[] = {"", "    ", "\t", "  "};
    if (size < 2 || size > 100000) return 0;
    str all = {(const char *)data + 2, size - 2};
    size_t cut = MIN(data[1], all.len);
    str original = str_sub(all, 0, cut), raw = str_sub(all, cut, all.len);
    arena a;
    arena_init(&a);
    answer_place at = {original, str_of(indents[data[0] & 3]), eols[data[0] >> 2 & 1]};
    read_code(raw, &at, (data[0] & 8) != 0, &a);
    read_prose(raw, languages[data[0] % COUNTOF(languages)], at.eol, &a);
    (void)answer_runs_away(raw);
    read_call(raw, (chat_tool_style)(data[0] >> 4 & 3), data[0] & 8 ? 16 : 3);
    arena_deinit(&a);
    return 0;
}
