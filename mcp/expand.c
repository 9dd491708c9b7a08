/* SPDX-License-Identifier: Apache-2.0 */
/* Expansion of variables, by dialect.
 *
 * What a dialect does not know stays as it is, as in its product; a variable that it knows and that
 * is not set is an error, in every dialect: a literal "${TOKEN}" that reaches a server is a riddle
 * for its user.  Pure. */
#include "mcp/expand.h"

#include <cjson/cJSON.h>

#include "engine/base/mem.h"

#define MAX_BRACED 4096 /* bytes of ${NAME:-default} */

static bool is_name(str s) {
    if (s.len >= 256) return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && !(i && c >= '0' && c <= '9')) return false;
    }
    return s.len > 0;
}

static const char *variable(const mcp_source *from, str name) {
    char text[256];
    snprintf(text, sizeof text, "%.*s", STR_ARG(name));
    return from->variable ? from->variable(from->ud, text) : NULL;
}

/* Writes what stands for the variable, when that is wanted instead of its value. */
static bool kept(strbuf *out, mcp_variable kind, str name, const str *otherwise,
                 const mcp_source *from) {
    if (!from->keep) return false;
    char *id = xstrndup(name.ptr, name.len);
    char *other = otherwise ? xstrndup(otherwise->ptr, otherwise->len) : NULL;
    from->keep(from->ud, out, kind, id, other);
    xfree(id);
    xfree(other);
    return true;
}

/* Appends the value of an environment variable, or `otherwise`. */
static status add_variable(strbuf *out, str name, const str *otherwise, bool filled,
                           const mcp_source *from, err *e) {
    if (kept(out, MCP_VARIABLE_ENVIRONMENT, name, otherwise, from)) return OK;
    const char *value = variable(from, name);
    if (value && filled && !*value)
        return err_set(e, ERR_NOT_FOUND, "the environment variable %.*s is empty",
                       (int)MIN(name.len, 100), name.ptr);
    if (value)
        strbuf_add_str(out, str_of(value));
    else if (otherwise)
        strbuf_add_str(out, *otherwise);
    else
        return err_set(e, ERR_NOT_FOUND, "the environment variable %.*s is not set",
                       (int)MIN(name.len, 100), name.ptr);
    return OK;
}

static status add_known(strbuf *out, const char *value, str what, err *e) {
    if (!value)
        return err_set(e, ERR_NOT_FOUND, "${%.*s} is not known here", (int)MIN(what.len, 80),
                       what.ptr);
    strbuf_add_str(out, str_of(value));
    return OK;
}

/* What the file itself suggests for an input that is no password. */
static const char *input_default(const cJSON *inputs, const char *id) {
    const cJSON *i;
    cJSON_ArrayForEach(i, inputs) {
        const cJSON *name = cJSON_GetObjectItemCaseSensitive(i, "id");
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(i, "default");
        bool password = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(i, "password"));
        if (cJSON_IsString(name) && strcmp(name->valuestring, id) == 0)
            return cJSON_IsString(value) && !password ? value->valuestring : NULL;
    }
    return NULL;
}

static status add_input(strbuf *out, str id, const mcp_source *from, err *e) {
    char text[256];
    if (kept(out, MCP_VARIABLE_INPUT, id, NULL, from)) return OK;
    snprintf(text, sizeof text, "%.*s", (int)MIN(id.len, 255), id.ptr);
    const char *value = from->input ? from->input(from->ud, text) : NULL;
    if (!value) value = input_default(from->inputs, text);
    if (!value) return err_set(e, ERR_NOT_FOUND, "the input \"%.100s\" was not given", text);
    strbuf_add_str(out, str_of(value));
    return OK;
}

/* The inside of ${...}.  *known is false when the dialect does not have it. */
static status add_braced(strbuf *out, str inside, expand_dialect d, const mcp_source *from,
                         bool *known, err *e) {
    bool ours = d == EXPAND_OURS, editor = d == EXPAND_VSCODE || ours;
    *known = true;
    if (editor && str_starts_with(inside, STR("env:")))
        return add_variable(out, str_sub(inside, 4, inside.len), NULL, false, from, e);
    if (editor && str_starts_with(inside, STR("input:")))
        return add_input(out, str_sub(inside, 6, inside.len), from, e);
    if (editor && (str_eq(inside, STR("workspaceFolder")) || str_eq(inside, STR("workspaceRoot"))))
        return kept(out, MCP_VARIABLE_WORKSPACE, inside, NULL, from)
                   ? OK
                   : add_known(out, from->workspace, inside, e);
    if (editor && str_eq(inside, STR("userHome")))
        return kept(out, MCP_VARIABLE_HOME, inside, NULL, from)
                   ? OK
                   : add_known(out, from->home, inside, e);
    if (editor && (str_eq(inside, STR("pathSeparator")) || str_eq(inside, STR("/"))))
        return add_known(out, "/", inside, e);
    ptrdiff_t colon = str_find(inside, STR(":-"));
    bool defaults = d == EXPAND_CLAUDE || ours;
    if (defaults && colon > 0 && is_name(str_sub(inside, 0, (size_t)colon))) {
        str otherwise = str_sub(inside, (size_t)colon + 2, inside.len);
        return add_variable(out, str_sub(inside, 0, (size_t)colon), &otherwise, false, from, e);
    }
    *known = d != EXPAND_VSCODE && is_name(inside);
    return *known ? add_variable(out, inside, NULL, d == EXPAND_WARP, from, e) : OK;
}

/* Gemini's $VAR and %VAR%: bytes that were taken, 0 when it is none. */
static size_t bare_bytes(str rest) {
    size_t n = 1;
    while (n < rest.len && is_name(str_sub(rest, 1, n + 1)))
        n++;
    if (n == 1) return 0;
    if (rest.ptr[0] == '$') return n;
    return n < rest.len && rest.ptr[n] == '%' ? n + 1 : 0;
}

/* Where the braces close.  Far away is not in a variable, and to look there again and again would
 * take long. */
static ptrdiff_t brace_end(str rest) {
    return str_find(str_sub(rest, 0, MAX_BRACED), STR("}"));
}

status expand_text(strbuf *out, str text, expand_dialect d, const mcp_source *from, err *e) {
    size_t at = 0;
    while (at < text.len) {
        str rest = str_sub(text, at, text.len);
        char c = text.ptr[at];
        if (d != EXPAND_NONE && str_starts_with(rest, STR("${"))) {
            ptrdiff_t end = brace_end(rest);
            bool known = false;
            status s =
                end < 0 ? OK : add_braced(out, str_sub(rest, 2, (size_t)end), d, from, &known, e);
            if (s != OK) return s;
            if (known) {
                at += (size_t)end + 1;
                continue;
            }
        } else if (d == EXPAND_GEMINI && (c == '$' || c == '%') && bare_bytes(rest)) {
            size_t n = bare_bytes(rest);
            str name = str_sub(rest, 1, c == '%' ? n - 1 : n);
            status s = add_variable(out, name, NULL, false, from, e);
            if (s != OK) return s;
            at += n;
            continue;
        }
        strbuf_add_char(out, c);
        at++;
    }
    return OK;
}
