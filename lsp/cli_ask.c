/* SPDX-License-Identifier: Apache-2.0 */
/* `inlined ask FILE[:LINES] QUESTION`, `explain`, `review` and `edit`: code actions from a shell.
 *
 * Results: Markdown (ask, explain); lines "file:line:column: kind: message" (review); a patch for
 * `patch -p0` or `git apply` (edit).  Nothing is written to the file.  Thread: main.
 */
#include "lsp/cli_ask.h"

#include "engine/base/mem.h"
#include "lsp/cli_term.h"
#include "lsp/protocol.h"

/* FILE, FILE:N or FILE:N-M; the file may hold colons itself. */
typedef struct {
    str path;
    size_t first, last; /* lines from 1; 0: the whole file */
} line_place;

static bool read_lines(str text, line_place *out) {
    int64_t first, last;
    str from = text, to = text;
    ptrdiff_t dash = str_find(text, STR("-"));
    if (dash >= 0) {
        from = str_sub(text, 0, (size_t)dash);
        to = str_sub(text, (size_t)dash + 1, text.len);
    }
    if (!str_to_i64(from, &first) || !str_to_i64(to, &last) || first < 1 || last < first)
        return false;
    out->first = (size_t)first;
    out->last = (size_t)last;
    return true;
}

static line_place place_of(const char *operand) {
    line_place p = {.path = str_of(operand)};
    ptrdiff_t colon = str_rfind_char(p.path, ':');
    if (colon > 0 && read_lines(str_sub(p.path, (size_t)colon + 1, p.path.len), &p))
        p.path.len = (size_t)colon;
    return p;
}

static str line_at(str text, size_t *at) {
    size_t from = *at;
    while (*at < text.len && text.ptr[*at] != '\n')
        (*at)++;
    str line = str_sub(text, from, *at);
    if (*at < text.len) (*at)++;
    return line;
}

/* One line: what is around it.  Several: all of them, to the end of the last. */
static cJSON *range_of(const ask_editor *a, const line_place *p) {
    lsp_range r = {{(uint32_t)p->first - 1, 0}, {(uint32_t)p->last - 1, 0}};
    size_t at = 0;
    for (size_t i = 0; i < p->last && p->first != p->last; i++)
        r.end.character = (uint32_t)line_at(strbuf_str(&a->text), &at).len;
    return protocol_range(r);
}

static cJSON *argument_of(const ask_editor *a, const char *action, const line_place *p) {
    const cli_args *args = a->args;
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "action", action);
    cJSON_AddStringToObject(o, "uri", a->uri);
    if (p->first) cJSON_AddItemToObject(o, "range", range_of(a, p));
    if (args->n_operands > 1) cJSON_AddStringToObject(o, "instruction", args->operands[1]);
    return o;
}

/* ---- a patch --------------------------------------------------------------------------------- */

static void add_lines(strbuf *out, char mark, str text) {
    for (size_t at = 0; at < text.len;) {
        str line = line_at(text, &at);
        strbuf_addf(out, "%c%.*s\n", mark, STR_ARG(line));
        if (at == text.len && text.ptr[text.len - 1] != '\n')
            strbuf_add_str(out, STR("\\ No newline at end of file\n"));
    }
}

/* One hunk: an action changes one place. */
static void add_patch(strbuf *out, str path, str before, str after) {
    enum { AROUND = 3 };
    size_t head = 0, tail = 0, starts[AROUND + 1] = {0}, n = 0;
    for (size_t i = 0; i < before.len && i < after.len && before.ptr[i] == after.ptr[i]; i++)
        if (before.ptr[i] == '\n') head = i + 1;
    while (tail < before.len - head && tail < after.len - head &&
           before.ptr[before.len - 1 - tail] == after.ptr[after.len - 1 - tail])
        tail++;
    while (tail > 0 && before.len - tail > head && before.ptr[before.len - tail - 1] != '\n')
        tail--; /* whole lines only */
    size_t from = head, to = before.len - tail, end = to;
    for (n = 0; n < AROUND && from > 0; n++) {
        from--;
        while (from > 0 && before.ptr[from - 1] != '\n')
            from--;
        starts[n] = from;
    }
    for (int i = 0; i < AROUND && end < before.len; i++)
        (void)line_at(before, &end);
    str lead = str_sub(before, n ? starts[n - 1] : head, head);
    str gone = str_sub(before, head, to), come = str_sub(after, head, after.len - tail);
    str rest = str_sub(before, to, end);
    size_t first = str_count_lines(str_sub(before, 0, head)) - str_count_lines(lead) + 1;
    size_t around = str_count_lines(lead) + str_count_lines(rest);
    strbuf_addf(out, "--- %.*s\n+++ %.*s\n@@ -%zu,%zu +%zu,%zu @@\n", STR_ARG(path), STR_ARG(path),
                first, around + str_count_lines(gone), first, around + str_count_lines(come));
    add_lines(out, ' ', lead);
    add_lines(out, '-', gone);
    add_lines(out, '+', come);
    add_lines(out, ' ', rest);
}

/* ---- results --------------------------------------------------------------------------------- */

static void add_finding(strbuf *out, str path, const cJSON *d) {
    const cJSON *range = cJSON_GetObjectItemCaseSensitive(d, "range");
    const cJSON *at = cJSON_GetObjectItemCaseSensitive(range, "start");
    const cJSON *line = cJSON_GetObjectItemCaseSensitive(at, "line");
    const cJSON *column = cJSON_GetObjectItemCaseSensitive(at, "character");
    const cJSON *severity = cJSON_GetObjectItemCaseSensitive(d, "severity");
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(d, "message"));
    bool hint = cJSON_IsNumber(severity) && severity->valueint > 3;
    strbuf_addf(out, "%.*s:%d:%d: %s: %s\n", STR_ARG(path),
                cJSON_IsNumber(line) ? line->valueint + 1 : 1,
                cJSON_IsNumber(column) ? column->valueint + 1 : 1, hint ? "improvement" : "defect",
                text ? text : "");
}

static status write_json(ask_editor *a, str patch, err *e) {
    cJSON *o = cJSON_CreateObject();
    if (a->edits) {
        cJSON_AddItemToObject(o, "edits", cJSON_Duplicate(a->edits, true));
        cJSON_AddStringToObject(o, "patch", patch.ptr ? patch.ptr : "");
    }
    if (a->args->command == CMD_REVIEW)
        cJSON_AddItemToObject(
            o, "findings", a->findings ? cJSON_Duplicate(a->findings, true) : cJSON_CreateArray());
    const cJSON *text = cJSON_GetObjectItemCaseSensitive(a->result, "text");
    if (cJSON_IsString(text)) cJSON_AddStringToObject(o, "text", text->valuestring);
    return term_write_json(o, e);
}

static status write_result(ask_editor *a, str path, str before, err *e) {
    strbuf out;
    strbuf_init(&out, 1u << 28);
    const cJSON *finding;
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(a->result, "text"));
    if (a->edits) add_patch(&out, path, before, strbuf_str(&a->text));
    status s = OK;
    if (a->args->json) {
        s = write_json(a, strbuf_str(&out), e);
    } else {
        cJSON_ArrayForEach(finding, a->findings) add_finding(&out, path, finding);
        if (text) strbuf_addf(&out, "%s\n", text);
        s = term_write(strbuf_str(&out), e);
    }
    strbuf_deinit(&out);
    return s;
}

status cli_ask(const cli_args *args, err *e) {
    static const char *const actions[CMD_COUNT] = {[CMD_ASK] = "explain",
                                                   [CMD_EXPLAIN] = "explain",
                                                   [CMD_REVIEW] = "review",
                                                   [CMD_EDIT] = "rewrite"};
    line_place p = place_of(args->operands[0]);
    const char *action = actions[args->command];
    if (args->command == CMD_REVIEW && !p.first) action = "reviewFile";
    if (args->command == CMD_EDIT && args->n_operands < 2) action = "improve";
    ask_editor a;
    status s = ask_open(&a, args, p.path, e);
    char *before = xstrndup(a.text.ptr ? a.text.ptr : "", a.text.len);
    size_t lines = str_count_lines(strbuf_str(&a.text));
    if (s == OK && p.last > lines)
        s = err_set(e, ERR_USAGE, "%.*s has %zu lines: there is no line %zu", STR_ARG(p.path),
                    lines, p.last);
    if (s == OK) s = ask_command(&a, "inlined.action", argument_of(&a, action, &p), e);
    if (s == OK) s = write_result(&a, p.path, str_of(before), e);
    xfree(before);
    ask_close(&a);
    return s;
}
