/* SPDX-License-Identifier: Apache-2.0 */
/* TOML 1.0, read into the tree that the other languages give.  Dates and times stay texts; numbers
 * become doubles, as in JSON.  What TOML forbids to be said twice is refused.
 *
 * Tables are made as their headers come; `defined` knows which of them a header, a dotted key or an
 * inline value has closed.  Depth and number of values are bounded.  No state.  Thread: any. */
#include <math.h>
#include <stdarg.h>

#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/base/utf8.h"
#include "mcp/config_tree.h"

typedef enum { BY_HEADER, BY_DOTS, INLINE, LIST_OF_TABLES } closed_by;
typedef struct {
    const cJSON *item;
    closed_by how;
} closed;

typedef struct {
    str text;
    size_t at, values;
    tree_places *places;
    VEC(closed) defined;
    err *e;
} reader;

static status read_value(reader *r, int depth, cJSON **out);

static status fail(reader *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
static status fail(reader *r, const char *fmt, ...) {
    char text[200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return err_set(r->e, ERR_FORMAT, "%s", text);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static char peek(const reader *r) {
    return r->at < r->text.len ? r->text.ptr[r->at] : 0;
}

static bool ahead(const reader *r, str what) {
    return str_starts_with(str_sub(r->text, r->at, r->text.len), what);
}

static bool take(reader *r, str what) {
    bool there = ahead(r, what);
    if (there) r->at += what.len;
    return there;
}

static void skip_spaces(reader *r) {
    while (peek(r) == ' ' || peek(r) == '\t')
        r->at++;
}

static void skip_comment(reader *r) {
    if (peek(r) != '#') return;
    while (r->at < r->text.len && peek(r) != '\n')
        r->at++;
}

/* White space, line ends and comments. */
static void skip_lines(reader *r) {
    for (;;) {
        skip_spaces(r);
        skip_comment(r);
        if (!take(r, STR("\n")) && !take(r, STR("\r\n"))) return;
    }
}

static status end_line(reader *r) {
    skip_spaces(r);
    skip_comment(r);
    if (r->at == r->text.len || take(r, STR("\n")) || take(r, STR("\r\n"))) return OK;
    return fail(r, "there is something after the value");
}

/* ---- texts ----------------------------------------------------------------------------------- */

static bool take_code_point(reader *r, int digits, uint32_t *out) {
    uint32_t value = 0;
    for (int i = 0; i < digits; i++) {
        char c = peek(r);
        int d = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
        if (d < 0) return false;
        value = value * 16 + (uint32_t)d;
        r->at++;
    }
    *out = value;
    return value > 0 && value <= 0x10FFFF && !(value >= 0xD800 && value <= 0xDFFF);
}

static status take_escape(reader *r, strbuf *out, bool lines) {
    static const char from[] = "btnfr\"\\", to[] = "\b\t\n\f\r\"\\";
    char c = peek(r);
    const char *known = c ? strchr(from, c) : NULL;
    r->at++;
    if (known) {
        strbuf_add_char(out, to[known - from]);
        return OK;
    }
    uint32_t point;
    if ((c == 'u' || c == 'U') && take_code_point(r, c == 'u' ? 4 : 8, &point)) {
        char bytes[4];
        strbuf_add(out, bytes, (size_t)utf8_encode(point, bytes));
        return OK;
    }
    r->at--;
    size_t line = r->at;
    skip_spaces(r);
    if (lines && (peek(r) == '\n' || peek(r) == '\r')) { /* the line goes on below */
        while (r->at < r->text.len && strchr(" \t\r\n", peek(r)))
            r->at++;
        return OK;
    }
    r->at = line;
    return fail(r, "an escape is not one of TOML's");
}

/* The text that begins here, in any of the four kinds. */
static status take_text(reader *r, bool may_have_lines, strbuf *out) {
    bool basic = peek(r) == '"';
    str three = basic ? STR("\"\"\"") : STR("'''"), mark = str_sub(three, 0, 1);
    bool lines = may_have_lines && ahead(r, three);
    if (lines) mark = three;
    r->at += mark.len;
    if (lines && !take(r, STR("\n"))) (void)take(r, STR("\r\n"));
    while (r->at < r->text.len) {
        char c = peek(r);
        if (take(r, mark)) {
            for (int i = 0; lines && i < 2 && take(r, str_sub(mark, 0, 1)); i++)
                strbuf_add_str(out, str_sub(mark, 0, 1)); /* quotes just before the end */
            return OK;
        }
        if (basic && c == '\\') {
            r->at++;
            status s = take_escape(r, out, lines);
            if (s != OK) return s;
            continue;
        }
        bool line_end = c == '\n' || c == '\r';
        if (((uint8_t)c < 0x20 && c != '\t' && !(lines && line_end)) || c == 0x7f) break;
        strbuf_add_char(out, c);
        r->at++;
    }
    return fail(r, "a text does not end");
}

static bool is_bare(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

/* One part of a key, on the heap. */
static status take_key(reader *r, char **out) {
    strbuf key;
    strbuf_init(&key, LIMIT_MCP_CONFIG_BYTES);
    status s = OK;
    if (peek(r) == '"' || peek(r) == '\'') {
        s = take_text(r, false, &key);
    } else {
        while (is_bare(peek(r)))
            strbuf_add_char(&key, r->text.ptr[r->at++]);
        if (!key.len) s = fail(r, "a key is missing");
    }
    if (s == OK) *out = key.len ? strbuf_take(&key) : xstrdup("");
    strbuf_deinit(&key);
    return s;
}

/* ---- tables ---------------------------------------------------------------------------------- */

static const closed *closed_find(const reader *r, const cJSON *item) {
    for (size_t i = r->defined.count; i-- > 0;)
        if (r->defined.at[i].item == item) return &r->defined.at[i];
    return NULL;
}

static void close_as(reader *r, const cJSON *item, closed_by how) {
    vec_push(&r->defined, ((closed){item, how}));
}

static status count_value(reader *r) {
    if (++r->values <= LIMIT_MCP_CONFIG_VALUES) return OK;
    return err_set(r->e, ERR_LIMIT, "it has more than %d values", LIMIT_MCP_CONFIG_VALUES);
}

static status add_member(reader *r, cJSON *table, const char *key, cJSON *value, size_t at) {
    cJSON_AddItemToObject(table, key, value);
    vec_push(r->places, ((tree_place){value, at}));
    return count_value(r);
}

/* The table below `table` that `key` leads through; made when it is not there. */
static status step_into(reader *r, cJSON **table, const char *key, size_t at, bool dotted) {
    cJSON *next = cJSON_GetObjectItemCaseSensitive(*table, key);
    const closed *c = next ? closed_find(r, next) : NULL;
    if (!next) {
        next = cJSON_CreateObject();
        status s = add_member(r, *table, key, next, at);
        if (dotted) close_as(r, next, BY_DOTS);
        *table = next;
        return s;
    }
    if (cJSON_IsArray(next) && c && c->how == LIST_OF_TABLES && !dotted) {
        *table = next->child->prev; /* the last one */
        return OK;
    }
    bool shut = c && (c->how == INLINE || (dotted && c->how == BY_HEADER));
    if (!cJSON_IsObject(next) || shut) return fail(r, "\"%.80s\" is something else already", key);
    *table = next;
    return OK;
}

/* Walks a dotted key but for its last part, which is handed out. */
static status walk_key(reader *r, cJSON **table, char **last, size_t *at, bool dotted) {
    for (int depth = 0; depth < LIMIT_JSON_DEPTH; depth++) {
        skip_spaces(r);
        *at = r->at;
        status s = take_key(r, last);
        if (s != OK) return s;
        skip_spaces(r);
        if (!take(r, STR("."))) return OK;
        s = step_into(r, table, *last, *at, dotted);
        xfree(*last);
        *last = NULL;
        if (s != OK) return s;
    }
    return err_set(r->e, ERR_LIMIT, "a key has too many parts");
}

static status read_pair(reader *r, cJSON *table, int depth) {
    char *key = NULL;
    size_t at;
    cJSON *value = NULL;
    status s = walk_key(r, &table, &key, &at, true);
    if (s == OK && cJSON_GetObjectItemCaseSensitive(table, key))
        s = fail(r, "\"%.80s\" is there twice", key);
    if (s == OK && !take(r, STR("="))) s = fail(r, "there is no = after \"%.80s\"", key);
    if (s == OK) {
        skip_spaces(r);
        s = read_value(r, depth, &value);
    }
    if (s == OK) s = add_member(r, table, key, value, at);
    xfree(key);
    return s;
}

static status add_to_list(reader *r, cJSON *table, const char *key, size_t at, cJSON **out) {
    cJSON *list = cJSON_GetObjectItemCaseSensitive(table, key);
    status s = OK;
    if (!list) {
        list = cJSON_CreateArray();
        close_as(r, list, LIST_OF_TABLES);
        s = add_member(r, table, key, list, at);
    }
    const closed *c = closed_find(r, list);
    if (s == OK && (!c || c->how != LIST_OF_TABLES || !cJSON_IsArray(list)))
        s = fail(r, "\"%.80s\" is something else already", key);
    if (s != OK) return s;
    cJSON_AddItemToArray(list, *out = cJSON_CreateObject());
    return count_value(r);
}

/* [a.b] or [[a.b]]; what follows goes to *table. */
static status read_header(reader *r, cJSON *root, cJSON **table) {
    bool list = take(r, STR("[["));
    if (!list) r->at++;
    char *key = NULL;
    size_t at;
    *table = root;
    status s = walk_key(r, table, &key, &at, false);
    if (s == OK && !take(r, list ? STR("]]") : STR("]")))
        s = fail(r, "the header of a table does not end");
    if (s == OK && list) {
        s = add_to_list(r, *table, key, at, table);
    } else if (s == OK) {
        const cJSON *there = cJSON_GetObjectItemCaseSensitive(*table, key);
        if (there && (closed_find(r, there) || !cJSON_IsObject(there)))
            s = fail(r, "table \"%.80s\" is there twice", key);
        if (s == OK) s = step_into(r, table, key, at, false);
        if (s == OK) close_as(r, *table, BY_HEADER);
    }
    xfree(key);
    return s == OK ? end_line(r) : s;
}

/* ---- values ---------------------------------------------------------------------------------- */

static status read_list(reader *r, int depth, cJSON *list) {
    r->at++;
    for (;;) {
        skip_lines(r);
        if (take(r, STR("]"))) return OK;
        cJSON *item = NULL;
        status s = read_value(r, depth, &item);
        if (s != OK) return s;
        cJSON_AddItemToArray(list, item);
        skip_lines(r);
        if (!take(r, STR(",")) && peek(r) != ']') return fail(r, "a list does not go on");
    }
}

static status read_inline(reader *r, int depth, cJSON *table) {
    r->at++;
    skip_spaces(r);
    if (take(r, STR("}"))) return OK;
    for (;;) {
        status s = read_pair(r, table, depth);
        if (s != OK) return s;
        skip_spaces(r);
        if (take(r, STR("}"))) return OK;
        if (!take(r, STR(","))) return fail(r, "an inline table does not go on");
    }
}

static bool is_date(str word) {
    return word.len >= 8 && word.ptr[0] >= '0' && word.ptr[0] <= '9' &&
           (word.ptr[2] == ':' || word.ptr[4] == '-');
}

static bool has_base(str word) {
    return word.len > 2 && word.ptr[0] == '0' && strchr("xob", word.ptr[1]);
}

/* A number without its underscores; in base 2, 8 or 16 it is whole. */
static bool read_number(str word, double *out) {
    char digits[64];
    size_t n = 0;
    for (size_t i = 0; i < word.len; i++) {
        if (word.ptr[i] == '_') continue;
        if (n + 1 == sizeof digits) return false;
        digits[n++] = word.ptr[i];
    }
    digits[n] = 0;
    if (has_base(word)) {
        char *end;
        int base = word.ptr[1] == 'x' ? 16 : word.ptr[1] == 'o' ? 8 : 2;
        *out = (double)strtoull(digits + 2, &end, base);
        return *end == 0;
    }
    return strspn(digits, "+-.0123456789eE") == n && str_to_f64((str){digits, n}, out) &&
           isfinite(*out);
}

static status read_word(reader *r, cJSON **out) {
    size_t from = r->at;
    while (is_bare(peek(r)) || (peek(r) && strchr("+.:", peek(r))))
        r->at++;
    str word = str_sub(r->text, from, r->at);
    double number;
    if (is_date(word)) { /* the time may stand after a space */
        if (word.len == 10 && peek(r) == ' ' && r->at + 1 < r->text.len &&
            r->text.ptr[r->at + 1] >= '0' && r->text.ptr[r->at + 1] <= '9') {
            r->at++;
            while (is_bare(peek(r)) || (peek(r) && strchr("+.:", peek(r))))
                r->at++;
        }
        char *copy = xstrndup(r->text.ptr + from, r->at - from);
        *out = cJSON_CreateString(copy);
        xfree(copy);
    } else if (str_eq(word, STR("true"))) {
        *out = cJSON_CreateTrue();
    } else if (str_eq(word, STR("false"))) {
        *out = cJSON_CreateFalse();
    } else if (word.len && read_number(word, &number)) {
        *out = cJSON_CreateNumber(number);
    } else {
        r->at = from;
        return fail(r, "there is no value of TOML here");
    }
    return OK;
}

static status read_value(reader *r, int depth, cJSON **out) {
    if (depth >= LIMIT_JSON_DEPTH) return err_set(r->e, ERR_LIMIT, "it nests too deep");
    status s = count_value(r);
    char c = peek(r);
    cJSON *value = NULL;
    if (s != OK) return s;
    if (c == '"' || c == '\'') {
        strbuf text;
        strbuf_init(&text, LIMIT_MCP_CONFIG_BYTES);
        s = take_text(r, true, &text);
        if (s == OK) value = cJSON_CreateString(text.ptr ? text.ptr : "");
        strbuf_deinit(&text);
    } else if (c == '[') {
        s = read_list(r, depth + 1, value = cJSON_CreateArray());
    } else if (c == '{') {
        s = read_inline(r, depth + 1, value = cJSON_CreateObject());
    } else {
        s = read_word(r, &value);
    }
    if (s == OK && (c == '[' || c == '{')) close_as(r, value, INLINE);
    if (s == OK)
        *out = value;
    else
        cJSON_Delete(value);
    return s;
}

status toml_parse(str text, cJSON **root, tree_places *places, size_t *offset, err *e) {
    reader r = {.text = text, .places = places, .e = e};
    (void)take(&r, STR("\xEF\xBB\xBF"));
    cJSON *top = cJSON_CreateObject(), *table = top;
    status s = OK;
    if (text.len && memchr(text.ptr, 0, text.len)) s = fail(&r, "it has bytes that are no text");
    for (skip_lines(&r); s == OK && r.at < text.len; skip_lines(&r)) {
        if (peek(&r) == '[') {
            s = read_header(&r, top, &table);
        } else {
            s = read_pair(&r, table, 0);
            if (s == OK) s = end_line(&r);
        }
    }
    *offset = MIN(r.at, text.len);
    vec_free(&r.defined);
    if (s == OK) {
        *root = top;
    } else {
        cJSON_Delete(top);
        vec_clear(places);
    }
    return s;
}
