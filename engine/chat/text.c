/* SPDX-License-Identifier: Apache-2.0 */
/* Methods of Python's strings and dicts that templates call.  Case changes letters of ASCII only:
 * what is upper-cased in published templates are roles and names of types.  Thread: any. */
#include "engine/base/limits.h"
#include "engine/base/utf8.h"
#include "engine/chat/eval.h"

static str text_arg(chat_eval *x, const chat_args *args, size_t i, const char *name,
                    str otherwise) {
    const chat_value *v = eval_arg(args, i, name);
    return v && v->kind != CHAT_NONE ? eval_text(x, *v) : otherwise;
}

static char upper(char c) {
    return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* ---- case ------------------------------------------------------------------------------------ */

typedef enum { CASE_UPPER, CASE_LOWER, CASE_CAPITALIZE, CASE_TITLE } letter_case;

static chat_value cased(chat_eval *x, str s, letter_case how) {
    char *out = arena_alloc(x->a, s.len + 1);
    bool begins = true;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool letter = upper(c) != lower(c);
        bool up = how == CASE_UPPER || (how != CASE_LOWER && begins);
        out[i] = up ? upper(c) : lower(c);
        begins = how == CASE_TITLE ? !letter : false;
    }
    return chat_str((str){out, s.len});
}

/* ---- ends ------------------------------------------------------------------------------------ */

static const char SPACES[] = " \t\n\r\v\f";

/* Takes characters of `set` off both ends, or one. */
static str stripped(str s, str set, bool left, bool right) {
    if (!set.ptr) set = str_of(SPACES);
    while (left && s.len) {
        uint32_t cp;
        size_t n = (size_t)utf8_decode(s, &cp);
        if (str_find(set, str_sub(s, 0, n)) < 0) break;
        s = str_sub(s, n, s.len);
    }
    while (right && s.len) {
        size_t n = 1;
        while (n < s.len && n < 4 && ((unsigned char)s.ptr[s.len - n] & 0xc0) == 0x80)
            n++;
        if (str_find(set, str_sub(s, s.len - n, s.len)) < 0) break;
        s = str_sub(s, 0, s.len - n);
    }
    return s;
}

static bool has_end(str s, chat_value end, bool start) {
    if (end.kind == CHAT_STR)
        return start ? str_starts_with(s, end.text) : str_ends_with(s, end.text);
    for (size_t i = 0; end.kind == CHAT_LIST && i < end.list->count; i++) /* any of a tuple */
        if (end.list->at[i].kind == CHAT_STR && has_end(s, end.list->at[i], start)) return true;
    return false;
}

/* ---- pieces ---------------------------------------------------------------------------------- */

static void add_piece(chat_eval *x, chat_value list, str s) {
    chat_list_add(x->a, list, chat_str(s));
}

static chat_value split_spaces(chat_eval *x, str s, int64_t max) {
    chat_value list = chat_new_list(x->a);
    for (;;) {
        s = stripped(s, (str){0}, true, false);
        if (!s.len) return list;
        size_t n = 0;
        while (n < s.len && !memchr(SPACES, s.ptr[n], sizeof SPACES - 1))
            n++;
        if (max >= 0 && (int64_t)list.list->count >= max) n = s.len;
        add_piece(x, list, str_sub(s, 0, n));
        s = str_sub(s, n, s.len);
    }
}

static chat_value split(chat_eval *x, str s, const chat_args *args, bool from_right) {
    const chat_value *limit = eval_arg(args, 1, "maxsplit");
    int64_t max = limit && limit->kind == CHAT_INT ? limit->integer : -1;
    str by = text_arg(x, args, 0, "sep", (str){0});
    if (!by.ptr) return split_spaces(x, s, max);
    chat_value list = chat_new_list(x->a);
    if (!by.len) return eval_fail(x, ERR_FORMAT, "split by nothing");
    int64_t pieces = 0;
    for (str rest = s; max >= 0 && from_right && str_find(rest, by) >= 0; pieces++)
        rest = str_sub(rest, (size_t)str_find(rest, by) + by.len, rest.len);
    int64_t skip = from_right && max >= 0 ? MAX(pieces - max, 0) : 0; /* separators that stay */
    size_t from = 0, look = 0;
    int64_t done = 0;
    for (;;) {
        ptrdiff_t at = str_find(str_sub(s, look, s.len), by);
        if (at < 0 || (!from_right && max >= 0 && done >= max)) break;
        if (skip > 0) {
            skip--;
        } else {
            add_piece(x, list, str_sub(s, from, look + (size_t)at));
            from = look + (size_t)at + by.len;
            done++;
        }
        look += (size_t)at + by.len;
    }
    add_piece(x, list, str_sub(s, from, s.len));
    return list;
}

static chat_value split_lines(chat_eval *x, str s) {
    chat_value list = chat_new_list(x->a);
    str line;
    while (str_split(&s, '\n', &line))
        add_piece(x, list, str_ends_with(line, STR("\r")) ? str_sub(line, 0, line.len - 1) : line);
    return list;
}

static chat_value replace(chat_eval *x, str s, const chat_args *args) {
    str from = text_arg(x, args, 0, "old", STR("")), to = text_arg(x, args, 1, "new", STR(""));
    const chat_value *limit = eval_arg(args, 2, "count");
    int64_t left =
        limit && limit->kind == CHAT_INT && limit->integer >= 0 ? limit->integer : INT64_MAX;
    strbuf b;
    strbuf_init(&b, LIMIT_CHAT_OUTPUT_BYTES);
    while (from.len && left-- > 0) {
        ptrdiff_t at = str_find(s, from);
        if (at < 0) break;
        strbuf_add_str(&b, str_sub(s, 0, (size_t)at));
        strbuf_add_str(&b, to);
        s = str_sub(s, (size_t)at + from.len, s.len);
    }
    strbuf_add_str(&b, s);
    return eval_take(x, &b);
}

/* "{} and {}".format(a, b): nothing but empty braces. */
static chat_value format(chat_eval *x, str s, const chat_args *args) {
    strbuf b;
    strbuf_init(&b, LIMIT_CHAT_OUTPUT_BYTES);
    for (size_t i = 0;; i++) {
        ptrdiff_t at = str_find(s, STR("{}"));
        if (at < 0) break;
        strbuf_add_str(&b, str_sub(s, 0, (size_t)at));
        if (i >= args->count)
            (void)eval_fail(x, ERR_FORMAT, "format has more braces than values");
        else
            strbuf_add_str(&b, eval_text(x, args->at[i]));
        s = str_sub(s, (size_t)at + 2, s.len);
    }
    strbuf_add_str(&b, s);
    return eval_take(x, &b);
}

static chat_value find(str s, str what) {
    ptrdiff_t at = str_find(s, what);
    return chat_int(at < 0 ? -1 : (int64_t)utf8_count(str_sub(s, 0, (size_t)at)));
}

static chat_value count(str s, str what) {
    int64_t n = 0;
    for (ptrdiff_t at; what.len && (at = str_find(s, what)) >= 0; n++)
        s = str_sub(s, (size_t)at + what.len, s.len);
    return chat_int(n);
}

static bool all_digits(str s) {
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < '0' || s.ptr[i] > '9') return false;
    return s.len > 0;
}

/* ---- tables ---------------------------------------------------------------------------------- */

typedef enum {
    M_CAPITALIZE,
    M_COUNT,
    M_ENDSWITH,
    M_FIND,
    M_FORMAT,
    M_ISDIGIT,
    M_JOIN,
    M_LOWER,
    M_LSTRIP,
    M_REMOVEPREFIX,
    M_REMOVESUFFIX,
    M_REPLACE,
    M_RSPLIT,
    M_RSTRIP,
    M_SPLIT,
    M_SPLITLINES,
    M_STARTSWITH,
    M_STRIP,
    M_TITLE,
    M_UPPER,
    M_NONE,
} method;

static method method_named(str name) {
    static const char *const names[] = {
        [M_CAPITALIZE] = "capitalize",
        [M_COUNT] = "count",
        [M_ENDSWITH] = "endswith",
        [M_FIND] = "find",
        [M_FORMAT] = "format",
        [M_ISDIGIT] = "isdigit",
        [M_JOIN] = "join",
        [M_LOWER] = "lower",
        [M_LSTRIP] = "lstrip",
        [M_REMOVEPREFIX] = "removeprefix",
        [M_REMOVESUFFIX] = "removesuffix",
        [M_REPLACE] = "replace",
        [M_RSPLIT] = "rsplit",
        [M_RSTRIP] = "rstrip",
        [M_SPLIT] = "split",
        [M_SPLITLINES] = "splitlines",
        [M_STARTSWITH] = "startswith",
        [M_STRIP] = "strip",
        [M_TITLE] = "title",
        [M_UPPER] = "upper",
    };
    for (size_t i = 0; i < COUNTOF(names); i++)
        if (str_eq(name, str_of(names[i]))) return (method)i;
    return M_NONE;
}

static chat_value of_text(chat_eval *x, str s, method m, const chat_args *args) {
    chat_value first = args->count ? args->at[0] : chat_undefined();
    str set = text_arg(x, args, 0, "chars", (str){0});
    switch (m) {
    case M_CAPITALIZE: return cased(x, s, CASE_CAPITALIZE);
    case M_LOWER: return cased(x, s, CASE_LOWER);
    case M_TITLE: return cased(x, s, CASE_TITLE);
    case M_UPPER: return cased(x, s, CASE_UPPER);
    case M_COUNT: return count(s, set);
    case M_FIND: return find(s, set);
    case M_FORMAT: return format(x, s, args);
    case M_ISDIGIT: return chat_bool(all_digits(s));
    case M_STARTSWITH: return chat_bool(has_end(s, first, true));
    case M_ENDSWITH: return chat_bool(has_end(s, first, false));
    case M_STRIP: return chat_str(stripped(s, set, true, true));
    case M_LSTRIP: return chat_str(stripped(s, set, true, false));
    case M_RSTRIP: return chat_str(stripped(s, set, false, true));
    case M_REMOVEPREFIX: return chat_str(str_starts_with(s, set) ? str_sub(s, set.len, s.len) : s);
    case M_REMOVESUFFIX:
        return chat_str(str_ends_with(s, set) ? str_sub(s, 0, s.len - set.len) : s);
    case M_REPLACE: return replace(x, s, args);
    case M_SPLIT: return split(x, s, args, false);
    case M_RSPLIT: return split(x, s, args, true);
    case M_SPLITLINES: return split_lines(x, s);
    case M_JOIN: {
        chat_value joined = chat_undefined();
        chat_args glue = {.at = &(chat_value){.kind = CHAT_STR, .text = s},
                          .count = 1,
                          .named = chat_new_dict(x->a)};
        (void)eval_filter(x, STR("join"), first, &glue, &joined);
        return joined;
    }
    case M_NONE: break;
    }
    return chat_undefined();
}

static bool of_dict(chat_eval *x, chat_value on, str name, const chat_args *args, chat_value *out) {
    if (str_eq(name, STR("get"))) {
        const chat_value *otherwise = eval_arg(args, 1, "default");
        const chat_value *v = args->count ? chat_dict_find_any(on.dict, args->at[0]) : NULL;
        *out = v ? *v : otherwise ? *otherwise : chat_none();
        return true;
    }
    if (str_eq(name, STR("items"))) return eval_filter(x, STR("items"), on, args, out);
    bool keys = str_eq(name, STR("keys")), values = str_eq(name, STR("values"));
    if (!keys && !values) return false;
    *out = chat_new_list(x->a);
    for (size_t i = 0; i < on.dict->count; i++)
        chat_list_add(x->a, *out, keys ? chat_key(&on.dict->at[i]) : on.dict->at[i].value);
    return true;
}

bool eval_method(chat_eval *x, chat_value on, str name, const chat_args *args, chat_value *out) {
    if (on.kind == CHAT_DICT) return of_dict(x, on, name, args, out);
    method m = on.kind == CHAT_STR ? method_named(name) : M_NONE;
    if (m == M_NONE) return false;
    *out = of_text(x, on.text, m, args);
    return true;
}
