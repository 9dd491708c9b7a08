/* SPDX-License-Identifier: Apache-2.0 */
/* Both definitions become lists of "where: value" lines, long texts one line per sentence, and the
 * longest common subsequence stays out.  Both are hostile: lines and their number are bounded.
 * No state.  Thread: any. */
#include "mcp/changes.h"

#include "engine/base/limits.h"
#include "engine/base/vec.h"
#include "mcp/output.h"

#define LINES_MAX 1000 /* of one definition; the rest is not compared */

typedef VEC(char *) text_lines;

static void add_line(text_lines *lines, str where, str value) {
    strbuf line;
    strbuf_init(&line, 1u << 16);
    if (lines->count >= LINES_MAX) return;
    strbuf_add_str(&line, where);
    strbuf_addf(&line, ": ");
    output_clean(&line, str_sub(value, 0, LIMIT_MCP_TEXT_BYTES));
    for (size_t i = 0; i < line.len; i++)
        if (line.ptr[i] == '\n' || line.ptr[i] == '\t') line.ptr[i] = ' ';
    vec_push(lines, strbuf_take(&line));
}

/* A text, cut behind line ends and full stops. */
static void add_text(text_lines *lines, str where, str text) {
    size_t from = 0;
    for (size_t i = 0; i < text.len; i++) {
        bool stop = text.ptr[i] == '\n' ||
                    (text.ptr[i] == '.' && i + 1 < text.len && text.ptr[i + 1] == ' ');
        if (!stop) continue;
        str piece = str_trim(str_sub(text, from, i + 1));
        if (piece.len) add_line(lines, where, piece);
        from = i + 1;
    }
    str rest = str_trim(str_sub(text, from, text.len));
    if (rest.len || !from) add_line(lines, where, rest);
}

static void flatten(text_lines *lines, strbuf *where, const cJSON *json) {
    size_t len = where->len;
    const cJSON *m;
    if (cJSON_IsString(json)) {
        add_text(lines, strbuf_str(where), str_of(json->valuestring));
    } else if (json->child) {
        cJSON_ArrayForEach(m, json) {
            if (m->string) {
                if (len) strbuf_add_char(where, '.');
                output_clean(where, str_sub(str_of(m->string), 0, 200));
            } else {
                strbuf_addf(where, "[]");
            }
            flatten(lines, where, m);
            strbuf_splice(where, len, where->len, STR(""));
        }
    } else {
        char *text = cJSON_PrintUnformatted(json);
        add_line(lines, strbuf_str(where), str_of(text));
        cJSON_free(text);
    }
}

/* The members that a pin is made of, in a fixed order. */
static void lines_of(text_lines *lines, const cJSON *definition) {
    static const char *const members[] = {"title", "description", "annotations", "inputSchema",
                                          "outputSchema"};
    for (size_t i = 0; i < COUNTOF(members); i++) {
        const cJSON *m = cJSON_GetObjectItemCaseSensitive(definition, members[i]);
        if (!m) continue;
        strbuf where;
        strbuf_init(&where, 1u << 16);
        strbuf_addf(&where, "%s", members[i]);
        flatten(lines, &where, m);
        strbuf_deinit(&where);
    }
}

/* common[i][j]: the longest common subsequence of a[i..] and b[j..]. */
static void show(strbuf *out, const text_lines *a, const text_lines *b) {
    size_t width = b->count + 1, i = 0, j = 0;
    uint16_t *common = xcalloc((a->count + 1) * width, sizeof *common);
    for (i = a->count; i-- > 0;)
        for (j = b->count; j-- > 0;)
            common[i * width + j] =
                strcmp(a->at[i], b->at[j]) == 0
                    ? (uint16_t)(common[(i + 1) * width + j + 1] + 1)
                    : MAX(common[(i + 1) * width + j], common[i * width + j + 1]);
    for (i = j = 0; i < a->count || j < b->count;) {
        bool same = i < a->count && j < b->count && strcmp(a->at[i], b->at[j]) == 0;
        bool drop = !same && i < a->count &&
                    (j == b->count || common[(i + 1) * width + j] >= common[i * width + j + 1]);
        if (!same) strbuf_addf(out, "%c %s\n", drop ? '-' : '+', drop ? a->at[i] : b->at[j]);
        i += same || drop;
        j += same || !drop;
    }
    xfree(common);
}

void changes_show(strbuf *out, const cJSON *before, const cJSON *after) {
    text_lines a = {0}, b = {0};
    lines_of(&a, before);
    lines_of(&b, after);
    show(out, &a, &b);
    text_lines *both[] = {&a, &b};
    for (size_t k = 0; k < COUNTOF(both); k++) {
        for (size_t i = 0; i < both[k]->count; i++)
            xfree(both[k]->at[i]);
        vec_free(both[k]);
    }
}
