/* SPDX-License-Identifier: Apache-2.0 */
/* Values, printed and compared as Python does it.  Invariant: nothing here recurses deeper than
 * LIMIT_CHAT_DEPTH, also in values that contain themselves.  Thread: any. */
#include "engine/chat/value.h"

#include <math.h>

#include "engine/base/limits.h"
#include "engine/base/utf8.h"

/* ---- making ---------------------------------------------------------------------------------- */

chat_value chat_undefined(void) {
    return (chat_value){.kind = CHAT_UNDEFINED};
}

chat_value chat_none(void) {
    return (chat_value){.kind = CHAT_NONE};
}

chat_value chat_bool(bool b) {
    return (chat_value){.kind = CHAT_BOOL, .boolean = b};
}

chat_value chat_int(int64_t i) {
    return (chat_value){.kind = CHAT_INT, .integer = i};
}

chat_value chat_float(double f) {
    return (chat_value){.kind = CHAT_FLOAT, .real = f};
}

chat_value chat_str(str s) {
    return (chat_value){.kind = CHAT_STR, .text = s};
}

chat_value chat_new_list(arena *a) {
    return (chat_value){.kind = CHAT_LIST, .list = arena_alloc(a, sizeof(chat_list))};
}

void chat_list_add(arena *a, chat_value list, chat_value item) {
    chat_list *l = list.list;
    if (l->count == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 8;
        chat_value *more = arena_alloc(a, cap * sizeof *more);
        if (l->count) memcpy(more, l->at, l->count * sizeof *more);
        l->at = more;
        l->cap = cap;
    }
    l->at[l->count++] = item;
}

chat_value chat_new_dict(arena *a) {
    return (chat_value){.kind = CHAT_DICT, .dict = arena_alloc(a, sizeof(chat_dict))};
}

static chat_entry *find_entry(const chat_dict *d, str key, bool whole) {
    for (size_t i = 0; i < d->count; i++)
        if (d->at[i].whole == whole && str_eq(d->at[i].key, key)) return &d->at[i];
    return NULL;
}

const chat_value *chat_dict_find(const chat_dict *d, str key) {
    const chat_entry *e = find_entry(d, key, false);
    return e ? &e->value : NULL;
}

chat_value chat_key(const chat_entry *e) {
    int64_t i = 0;
    return e->whole && str_to_i64(e->key, &i) ? chat_int(i) : chat_str(e->key);
}

const chat_value *chat_dict_find_any(const chat_dict *d, chat_value key) {
    char digits[24];
    if (key.kind == CHAT_STR) return chat_dict_find(d, key.text);
    if (key.kind != CHAT_INT) return NULL;
    snprintf(digits, sizeof digits, "%lld", (long long)key.integer);
    const chat_entry *e = find_entry(d, str_of(digits), true);
    return e ? &e->value : NULL;
}

static void dict_set(arena *a, chat_dict *d, str key, bool whole, chat_value item) {
    chat_entry *have = find_entry(d, key, whole);
    if (have) {
        have->value = item;
        return;
    }
    if (d->count == d->cap) {
        size_t cap = d->cap ? 2 * d->cap : 8;
        chat_entry *more = arena_alloc(a, cap * sizeof *more);
        if (d->count) memcpy(more, d->at, d->count * sizeof *more);
        d->at = more;
        d->cap = cap;
    }
    d->at[d->count++] = (chat_entry){key, whole, item};
}

void chat_dict_set(arena *a, chat_value dict, str key, chat_value item) {
    dict_set(a, dict.dict, key, false, item);
}

void chat_dict_set_any(arena *a, chat_value dict, chat_value key, chat_value item) {
    strbuf b;
    strbuf_init(&b, LIMIT_CHAT_OUTPUT_BYTES);
    chat_print(&b, key, false, 0);
    str text = key.kind == CHAT_STR ? key.text : arena_str(a, strbuf_str(&b));
    strbuf_deinit(&b);
    dict_set(a, dict.dict, text, key.kind == CHAT_INT, item);
}

size_t chat_count(chat_value v) {
    return v.kind == CHAT_LIST ? v.list->count : v.kind == CHAT_DICT ? v.dict->count : 0;
}

chat_value chat_at(chat_value v, size_t i, str *key) {
    ASSERT(i < chat_count(v));
    if (key) *key = v.kind == CHAT_DICT ? v.dict->at[i].key : (str){0};
    return v.kind == CHAT_DICT ? v.dict->at[i].value : v.list->at[i];
}

chat_value chat_get(chat_value dict, str key) {
    const chat_value *item = dict.kind == CHAT_DICT ? chat_dict_find(dict.dict, key) : NULL;
    return item ? *item : chat_undefined();
}

/* ---- questions ------------------------------------------------------------------------------- */

bool chat_is_number(chat_value v) {
    return v.kind == CHAT_BOOL || v.kind == CHAT_INT || v.kind == CHAT_FLOAT;
}

int64_t chat_integer(chat_value v) {
    return v.kind == CHAT_BOOL ? v.boolean : v.integer;
}

double chat_number(chat_value v) {
    return v.kind == CHAT_FLOAT ? v.real : (double)chat_integer(v);
}

bool chat_truth(chat_value v) {
    switch (v.kind) {
    case CHAT_UNDEFINED:
    case CHAT_NONE: return false;
    case CHAT_BOOL: return v.boolean;
    case CHAT_INT: return v.integer != 0;
    case CHAT_FLOAT: return v.real < 0 || v.real > 0 || isnan(v.real);
    case CHAT_STR: return v.text.len != 0;
    case CHAT_LIST: return v.list->count != 0;
    case CHAT_DICT: return v.dict->count != 0;
    case CHAT_CALLABLE: return true;
    }
    return false;
}

/* Values may contain themselves, and then share parts in ever more ways: what is compared is
 * counted, and beyond that they count as different. */
#define COMPARED_MAX 100000

static bool equal(chat_value a, chat_value b, int depth, int *left);

static bool equal_many(chat_value a, chat_value b, int depth, int *left) {
    bool list = a.kind == CHAT_LIST;
    size_t n = list ? a.list->count : a.dict->count;
    if (n != (list ? b.list->count : b.dict->count)) return false;
    for (size_t i = 0; i < n; i++) {
        const chat_value *other =
            list ? &b.list->at[i] : chat_dict_find_any(b.dict, chat_key(&a.dict->at[i]));
        if (!other || !equal(list ? a.list->at[i] : a.dict->at[i].value, *other, depth + 1, left))
            return false;
    }
    return true;
}

static bool equal(chat_value a, chat_value b, int depth, int *left) {
    if (chat_is_number(a) && chat_is_number(b)) return chat_compare(a, b) == 0;
    if (a.kind != b.kind || depth > LIMIT_CHAT_DEPTH || --*left < 0) return false;
    switch (a.kind) {
    case CHAT_STR: return str_eq(a.text, b.text);
    case CHAT_LIST: return a.list == b.list || equal_many(a, b, depth, left);
    case CHAT_DICT: return a.dict == b.dict || equal_many(a, b, depth, left);
    case CHAT_CALLABLE: return a.callable == b.callable;
    case CHAT_UNDEFINED:
    case CHAT_NONE:
    case CHAT_BOOL:
    case CHAT_INT:
    case CHAT_FLOAT: break;
    }
    return true;
}

bool chat_equal(chat_value a, chat_value b) {
    int left = COMPARED_MAX;
    return equal(a, b, 0, &left);
}

int chat_compare(chat_value a, chat_value b) {
    if (chat_is_number(a) && chat_is_number(b)) {
        if (a.kind != CHAT_FLOAT && b.kind != CHAT_FLOAT) {
            int64_t x = chat_integer(a), y = chat_integer(b);
            return (x > y) - (x < y);
        }
        double x = chat_number(a), y = chat_number(b);
        return isnan(x) || isnan(y) ? 2 : (x > y) - (x < y);
    }
    if (a.kind != CHAT_STR || b.kind != CHAT_STR) return 2;
    size_t n = MIN(a.text.len, b.text.len);
    int order = n ? memcmp(a.text.ptr, b.text.ptr, n) : 0; /* UTF-8 sorts as its code points */
    if (order) return order < 0 ? -1 : 1;
    return (a.text.len > b.text.len) - (a.text.len < b.text.len);
}

/* ---- printing -------------------------------------------------------------------------------- */

/* The shortest decimals that give the same double, as Python's repr. */
static void print_float(strbuf *out, double f) {
    char text[40];
    if (isnan(f) || isinf(f)) {
        strbuf_addf(out, "%s", isnan(f) ? "nan" : f < 0 ? "-inf" : "inf");
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, f);
        double back = 0;
        if (str_to_f64(str_of(text), &back) && memcmp(&back, &f, sizeof f) == 0) break;
    }
    double size = fabs(f);
    if (size >= 1e-4 && size < 1e16 && strchr(text, 'e')) /* %g changes to exponents earlier */
        snprintf(text, sizeof text, "%.1f", f);
    strbuf_addf(out, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
}

static void print_quoted(strbuf *out, str s) {
    bool single = memchr(s.ptr ? s.ptr : "", '\'', s.len) && !memchr(s.ptr, '"', s.len);
    char quote = single ? '"' : '\'';
    strbuf_add_char(out, quote);
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == quote || c == '\\')
            strbuf_addf(out, "\\%c", c);
        else if (c == '\n')
            strbuf_addf(out, "\\n");
        else if (c == '\t')
            strbuf_addf(out, "\\t");
        else if (c == '\r')
            strbuf_addf(out, "\\r");
        else if ((unsigned char)c < 0x20 || c == 0x7f)
            strbuf_addf(out, "\\x%02x", (unsigned)c);
        else
            strbuf_add_char(out, c);
    }
    strbuf_add_char(out, quote);
}

static void print_many(strbuf *out, chat_value v, int depth) {
    bool list = v.kind == CHAT_LIST;
    strbuf_add_char(out, list ? '[' : '{');
    size_t n = list ? v.list->count : v.dict->count;
    for (size_t i = 0; i < n; i++) {
        if (i) strbuf_addf(out, ", ");
        if (!list) {
            chat_print(out, chat_key(&v.dict->at[i]), true, depth + 1);
            strbuf_addf(out, ": ");
        }
        chat_print(out, list ? v.list->at[i] : v.dict->at[i].value, true, depth + 1);
    }
    strbuf_add_char(out, list ? ']' : '}');
}

void chat_print(strbuf *out, chat_value v, bool quoted, int depth) {
    if (out->overflow) return;
    if (depth > LIMIT_CHAT_DEPTH) { /* a value that contains itself */
        strbuf_addf(out, "...");
        return;
    }
    switch (v.kind) {
    case CHAT_UNDEFINED: break;
    case CHAT_NONE: strbuf_addf(out, "None"); break;
    case CHAT_BOOL: strbuf_addf(out, "%s", v.boolean ? "True" : "False"); break;
    case CHAT_INT: strbuf_addf(out, "%lld", (long long)v.integer); break;
    case CHAT_FLOAT: print_float(out, v.real); break;
    case CHAT_STR:
        if (quoted)
            print_quoted(out, v.text);
        else
            strbuf_add_str(out, v.text);
        break;
    case CHAT_LIST:
    case CHAT_DICT: print_many(out, v, depth); break;
    case CHAT_CALLABLE: strbuf_addf(out, "<function>"); break;
    }
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void json_escaped(strbuf *out, uint32_t cp) {
    if (cp >= 0x10000) {
        cp -= 0x10000;
        strbuf_addf(out, "\\u%04x\\u%04x", 0xd800 + (cp >> 10), 0xdc00 + (cp & 0x3ff));
    } else {
        strbuf_addf(out, "\\u%04x", cp);
    }
}

static void json_text(strbuf *out, str s, bool ascii) {
    static const char from[] = "\"\\\n\r\t\b\f", to[] = "\"\\nrtbf";
    strbuf_add_char(out, '"');
    while (s.len) {
        uint32_t cp;
        int n = utf8_decode(s, &cp);
        const char *short_form = cp && cp < 0x80 ? strchr(from, (int)cp) : NULL;
        if (short_form)
            strbuf_addf(out, "\\%c", to[short_form - from]);
        else if (cp < 0x20 || (ascii && cp > 0x7e))
            json_escaped(out, cp);
        else
            strbuf_add(out, s.ptr, (size_t)n);
        s = str_sub(s, (size_t)n, s.len);
    }
    strbuf_add_char(out, '"');
}

static void json_line(strbuf *out, const chat_json_style *style, int depth) {
    if (style->indent < 0) return;
    strbuf_addf(out, "\n%*s", style->indent * depth, "");
}

static int by_key(const void *a, const void *b) {
    const chat_entry *x = a, *y = b;
    return chat_compare(chat_str(x->key), chat_str(y->key));
}

static bool json_many(strbuf *out, chat_value v, const chat_json_style *style, int depth) {
    bool list = v.kind == CHAT_LIST, ok = true;
    size_t n = list ? v.list->count : v.dict->count;
    chat_entry *entries = list ? NULL : v.dict->at;
    if (!list && style->sorted && n) qsort(entries, n, sizeof *entries, by_key);
    strbuf_add_char(out, list ? '[' : '{');
    for (size_t i = 0; i < n && ok; i++) {
        if (i) strbuf_add_str(out, style->item);
        json_line(out, style, depth + 1);
        if (!list) {
            json_text(out, entries[i].key, style->ascii);
            strbuf_add_str(out, style->key);
        }
        ok = chat_json(out, list ? v.list->at[i] : entries[i].value, style, depth + 1);
    }
    if (n) json_line(out, style, depth);
    strbuf_add_char(out, list ? ']' : '}');
    return ok;
}

bool chat_json(strbuf *out, chat_value v, const chat_json_style *style, int depth) {
    if (depth > LIMIT_CHAT_DEPTH || out->overflow) return false;
    switch (v.kind) {
    case CHAT_UNDEFINED:
    case CHAT_CALLABLE: return false;
    case CHAT_NONE: strbuf_addf(out, "null"); return true;
    case CHAT_BOOL: strbuf_addf(out, "%s", v.boolean ? "true" : "false"); return true;
    case CHAT_STR: json_text(out, v.text, style->ascii); return true;
    case CHAT_INT:
    case CHAT_FLOAT: chat_print(out, v, false, 0); return true;
    case CHAT_LIST:
    case CHAT_DICT: return json_many(out, v, style, depth);
    }
    return false;
}
