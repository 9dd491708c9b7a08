/* SPDX-License-Identifier: Apache-2.0 */
/* Jinja's filters, tests and functions, as far as published templates use them.  Methods of strings
 * and dicts are in text.c.  Thread: any. */
#include <time.h>

#include "engine/base/limits.h"
#include "engine/base/utf8.h"
#include "engine/chat/eval.h"

typedef chat_value (*filter_fn)(chat_eval *x, chat_value on, const chat_args *args);

/* ---- filters: text --------------------------------------------------------------------------- */

/* A filter that is a string's method by the same name. */
static chat_value by_method(chat_eval *x, chat_value on, const char *method,
                            const chat_args *args) {
    chat_value out = chat_undefined();
    (void)eval_method(x, chat_str(eval_text(x, on)), str_of(method), args, &out);
    return out;
}

static chat_value f_trim(chat_eval *x, chat_value on, const chat_args *args) {
    chat_value out = by_method(x, on, "strip", args);
    out.markup = on.markup;
    return out;
}

static chat_value f_safe(chat_eval *x, chat_value on, const chat_args *args) {
    UNUSED(args);
    chat_value out = chat_str(eval_text(x, on));
    out.markup = true;
    return out;
}

static chat_value f_upper(chat_eval *x, chat_value on, const chat_args *args) {
    return by_method(x, on, "upper", args);
}

static chat_value f_lower(chat_eval *x, chat_value on, const chat_args *args) {
    return by_method(x, on, "lower", args);
}

static chat_value f_capitalize(chat_eval *x, chat_value on, const chat_args *args) {
    return by_method(x, on, "capitalize", args);
}

static chat_value f_title(chat_eval *x, chat_value on, const chat_args *args) {
    return by_method(x, on, "title", args);
}

static chat_value f_replace(chat_eval *x, chat_value on, const chat_args *args) {
    return by_method(x, on, "replace", args);
}

static chat_value f_string(chat_eval *x, chat_value on, const chat_args *args) {
    UNUSED(args);
    return chat_str(eval_text(x, on));
}

static chat_value f_indent(chat_eval *x, chat_value on, const chat_args *args) {
    const chat_value *width = eval_arg(args, 0, "width"), *first = eval_arg(args, 1, "first"),
                     *blank = eval_arg(args, 2, "blank");
    int64_t n = width && width->kind == CHAT_INT ? MIN(MAX(width->integer, 0), 1000) : 4;
    str rest = eval_text(x, on), line;
    strbuf b;
    strbuf_init(&b, LIMIT_CHAT_OUTPUT_BYTES);
    for (bool more = true, begins = true; more; begins = false) {
        ptrdiff_t end = str_find(rest, STR("\n"));
        more = end >= 0;
        line = more ? str_sub(rest, 0, (size_t)end) : rest;
        rest = str_sub(rest, line.len + 1, rest.len);
        bool wanted =
            begins ? first && chat_truth(*first) : line.len || (blank && chat_truth(*blank));
        if (wanted) strbuf_addf(&b, "%*s", (int)n, "");
        strbuf_add_str(&b, line);
        if (more) strbuf_add_char(&b, '\n');
    }
    return eval_take(x, &b);
}

static chat_value f_tojson(chat_eval *x, chat_value on, const chat_args *args) {
    const chat_value *ascii = eval_arg(args, SIZE_MAX, "ensure_ascii"),
                     *indent = eval_arg(args, 0, "indent"),
                     *separators = eval_arg(args, SIZE_MAX, "separators"),
                     *sorted = eval_arg(args, SIZE_MAX, "sort_keys");
    bool lines = indent && indent->kind == CHAT_INT;
    chat_json_style style = {
        .indent = lines ? (int)MIN(MAX(indent->integer, 0), 16) : -1,
        .item = lines ? STR(",") : STR(", "),
        .key = STR(": "),
        .ascii = ascii && chat_truth(*ascii),
        .sorted = sorted && chat_truth(*sorted),
    };
    if (separators && separators->kind == CHAT_LIST && separators->list->count == 2) {
        style.item = eval_text(x, separators->list->at[0]);
        style.key = eval_text(x, separators->list->at[1]);
    }
    strbuf b;
    strbuf_init(&b, LIMIT_CHAT_OUTPUT_BYTES);
    if (!chat_json(&b, on, &style, 0))
        (void)eval_fail(x, ERR_FORMAT, "tojson of a value that has no JSON form");
    return eval_take(x, &b);
}

/* ---- filters: numbers ------------------------------------------------------------------------ */

static chat_value f_int(chat_eval *x, chat_value on, const chat_args *args) {
    const chat_value *otherwise = eval_arg(args, 0, "default");
    UNUSED(x);
    int64_t i = 0;
    double f = 0;
    if (on.kind == CHAT_INT || on.kind == CHAT_BOOL) return chat_int(chat_integer(on));
    if (on.kind == CHAT_STR && str_to_i64(str_trim(on.text), &i)) return chat_int(i);
    if (on.kind == CHAT_FLOAT) f = on.real;
    bool real = on.kind == CHAT_FLOAT || (on.kind == CHAT_STR && str_to_f64(str_trim(on.text), &f));
    if (real && f > -9e15 && f < 9e15) return chat_int((int64_t)f);
    return otherwise ? *otherwise : chat_int(0);
}

static chat_value f_float(chat_eval *x, chat_value on, const chat_args *args) {
    const chat_value *otherwise = eval_arg(args, 0, "default");
    UNUSED(x);
    double f = 0;
    if (chat_is_number(on)) return chat_float(chat_number(on));
    if (on.kind == CHAT_STR && str_to_f64(str_trim(on.text), &f)) return chat_float(f);
    return otherwise ? *otherwise : chat_float(0);
}

static chat_value f_abs(chat_eval *x, chat_value on, const chat_args *args) {
    UNUSED(args);
    if (on.kind == CHAT_FLOAT) return chat_float(on.real < 0 ? -on.real : on.real);
    if (!chat_is_number(on) || chat_integer(on) == INT64_MIN)
        return eval_fail(x, ERR_FORMAT, "abs of what is no number");
    return chat_int(chat_integer(on) < 0 ? -chat_integer(on) : chat_integer(on));
}

/* ---- filters: lists -------------------------------------------------------------------------- */

static chat_value f_length(chat_eval *x, chat_value on, const chat_args *args) {
    UNUSED(args);
    switch (on.kind) {
    case CHAT_STR: return chat_int((int64_t)utf8_count(on.text));
    case CHAT_LIST: return chat_int((int64_t)on.list->count);
    case CHAT_DICT: return chat_int((int64_t)on.dict->count);
    case CHAT_UNDEFINED: return chat_int(0);
    case CHAT_NONE:
    case CHAT_BOOL:
    case CHAT_INT:
    case CHAT_FLOAT:
    case CHAT_CALLABLE: break;
    }
    return eval_fail(x, ERR_FORMAT, "a value without a length");
}

static chat_value f_first(chat_eval *x, chat_value on, const chat_args *args) {
    UNUSED(args);
    chat_value all = eval_members(x, on);
    return all.list->count ? all.list->at[0] : chat_undefined();
}

static chat_value f_last(chat_eval *x, chat_value on, const chat_args *args) {
    UNUSED(args);
    chat_value all = eval_members(x, on);
    return all.list->count ? all.list->at[all.list->count - 1] : chat_undefined();
}

static chat_value f_list(chat_eval *x, chat_value on, const chat_args *args) {
    UNUSED(args);
    return eval_members(x, on);
}

static chat_value f_reverse(chat_eval *x, chat_value on, const chat_args *args) {
    UNUSED(args);
    chat_value all = eval_members(x, on), out = chat_new_list(x->a);
    strbuf b;
    strbuf_init(&b, LIMIT_CHAT_OUTPUT_BYTES);
    for (size_t i = all.list->count; i-- > 0;) {
        chat_list_add(x->a, out, all.list->at[i]);
        if (on.kind == CHAT_STR) strbuf_add_str(&b, all.list->at[i].text);
    }
    chat_value text = eval_take(x, &b);
    return on.kind == CHAT_STR ? text : out;
}

/* A dotted path of attributes and numbers. */
static chat_value path(chat_value v, str names) {
    str name;
    while (str_split(&names, '.', &name)) {
        int64_t i;
        if (v.kind == CHAT_LIST && str_to_i64(name, &i))
            v = i >= 0 && i < (int64_t)v.list->count ? v.list->at[i] : chat_undefined();
        else
            v = eval_attribute(v, name);
    }
    return v;
}

static chat_value f_join(chat_eval *x, chat_value on, const chat_args *args) {
    const chat_value *between = eval_arg(args, 0, "d"), *attribute = eval_arg(args, 1, "attribute");
    chat_value all = eval_members(x, on);
    str glue = between ? eval_text(x, *between) : STR("");
    strbuf b;
    strbuf_init(&b, LIMIT_CHAT_OUTPUT_BYTES);
    for (size_t i = 0; i < all.list->count; i++) {
        chat_value v = all.list->at[i];
        if (attribute && attribute->kind == CHAT_STR) v = path(v, attribute->text);
        if (i) strbuf_add_str(&b, glue);
        chat_print(&b, v, false, 0);
    }
    return eval_take(x, &b);
}

static chat_value pair(chat_eval *x, const chat_entry *e) {
    chat_value p = chat_new_list(x->a);
    chat_list_add(x->a, p, chat_key(e));
    chat_list_add(x->a, p, e->value);
    return p;
}

static chat_value f_items(chat_eval *x, chat_value on, const chat_args *args) {
    UNUSED(args);
    chat_value out = chat_new_list(x->a);
    if (on.kind == CHAT_UNDEFINED) return out;
    if (on.kind != CHAT_DICT) return eval_fail(x, ERR_FORMAT, "items of what is no dict");
    for (size_t i = 0; i < on.dict->count; i++)
        chat_list_add(x->a, out, pair(x, &on.dict->at[i]));
    return out;
}

/* Insertion sort: stable, and the lists are short. */
static void sort(chat_eval *x, chat_list *l, const chat_value *keys) {
    chat_value *k = arena_alloc(x->a, MAX(l->count, 1) * sizeof *k);
    if (l->count) memcpy(k, keys, l->count * sizeof *k);
    for (size_t i = 1; i < l->count; i++) {
        chat_value item = l->at[i], key = k[i];
        size_t at = i;
        for (; at > 0 && chat_compare(k[at - 1], key) == 1; at--) {
            l->at[at] = l->at[at - 1];
            k[at] = k[at - 1];
        }
        l->at[at] = item;
        k[at] = key;
        x->steps += i - at;
    }
}

/* Jinja sorts without regard to case. */
static chat_value sort_key(chat_eval *x, chat_value v) {
    if (v.kind != CHAT_STR) return v;
    return by_method(x, v, "lower", &(chat_args){.named = chat_new_dict(x->a)});
}

static chat_value f_sort(chat_eval *x, chat_value on, const chat_args *args) {
    const chat_value *backwards = eval_arg(args, 0, "reverse"),
                     *attribute = eval_arg(args, SIZE_MAX, "attribute");
    chat_value all = eval_members(x, on), out = chat_new_list(x->a), keys = chat_new_list(x->a);
    for (size_t i = 0; i < all.list->count; i++) {
        chat_value v = all.list->at[i];
        chat_list_add(x->a, out, v);
        if (attribute && attribute->kind == CHAT_STR) v = path(v, attribute->text);
        chat_list_add(x->a, keys, sort_key(x, v));
    }
    sort(x, out.list, keys.list->at);
    bool reversed = backwards && chat_truth(*backwards);
    return reversed ? f_reverse(x, out, args) : out;
}

static chat_value f_dictsort(chat_eval *x, chat_value on, const chat_args *args) {
    chat_value out = f_items(x, on, args), keys = chat_new_list(x->a);
    if (x->status != OK) return out;
    for (size_t i = 0; i < out.list->count; i++)
        chat_list_add(x->a, keys, sort_key(x, out.list->at[i].list->at[0]));
    sort(x, out.list, keys.list->at);
    return out;
}

static chat_value f_unique(chat_eval *x, chat_value on, const chat_args *args) {
    UNUSED(args);
    chat_value all = eval_members(x, on), out = chat_new_list(x->a);
    for (size_t i = 0; i < all.list->count; i++) {
        bool seen = false;
        for (size_t k = 0; k < out.list->count && !seen; k++, x->steps++)
            seen = chat_equal(out.list->at[k], all.list->at[i]);
        if (!seen) chat_list_add(x->a, out, all.list->at[i]);
    }
    return out;
}

static chat_value extreme(chat_eval *x, chat_value on, int order) {
    chat_value all = eval_members(x, on), best = chat_undefined();
    for (size_t i = 0; i < all.list->count; i++)
        if (i == 0 || chat_compare(all.list->at[i], best) == order) best = all.list->at[i];
    return best;
}

static chat_value f_min(chat_eval *x, chat_value on, const chat_args *args) {
    UNUSED(args);
    return extreme(x, on, -1);
}

static chat_value f_max(chat_eval *x, chat_value on, const chat_args *args) {
    UNUSED(args);
    return extreme(x, on, 1);
}

static chat_value f_default(chat_eval *x, chat_value on, const chat_args *args) {
    const chat_value *value = eval_arg(args, 0, "default_value"),
                     *also = eval_arg(args, 1, "boolean");
    UNUSED(x);
    bool missing = on.kind == CHAT_UNDEFINED || (also && chat_truth(*also) && !chat_truth(on));
    return !missing ? on : value ? *value : chat_str(STR(""));
}

/* ---- filters: choosing ----------------------------------------------------------------------- */

static chat_value f_map(chat_eval *x, chat_value on, const chat_args *args) {
    if (!chat_truth(on)) return chat_new_list(x->a);
    const chat_value *attribute = eval_arg(args, SIZE_MAX, "attribute"),
                     *otherwise = eval_arg(args, SIZE_MAX, "default");
    chat_value all = eval_members(x, on), out = chat_new_list(x->a);
    chat_args rest = {args->at + 1, args->count ? args->count - 1 : 0, args->named};
    for (size_t i = 0; i < all.list->count && x->status == OK; i++) {
        chat_value v = all.list->at[i];
        if (attribute) {
            v = path(v, eval_text(x, *attribute));
            if (v.kind == CHAT_UNDEFINED && otherwise) v = *otherwise;
        } else if (!args->count || !eval_filter(x, eval_text(x, args->at[0]), v, &rest, &v)) {
            return eval_fail(x, ERR_UNSUPPORTED, "map with a filter that is not supported here");
        }
        chat_list_add(x->a, out, v);
    }
    return out;
}

/* select, reject, selectattr, rejectattr. */
static chat_value choose(chat_eval *x, chat_value on, const chat_args *args, bool attr, bool keep) {
    if (!chat_truth(on)) return chat_new_list(x->a); /* none as well */
    chat_value all = eval_members(x, on), out = chat_new_list(x->a);
    size_t skip = attr ? 1 : 0;
    if (args->count < skip) return eval_fail(x, ERR_FORMAT, "an attribute's name is missing");
    bool has_test = args->count > skip;
    size_t used = skip + (has_test ? 1 : 0);
    chat_args rest = {args->at + used, args->count - used, args->named};
    for (size_t i = 0; i < all.list->count && x->status == OK; i++) {
        chat_value v = all.list->at[i];
        if (attr) v = path(v, eval_text(x, args->at[0]));
        bool yes = chat_truth(v);
        if (has_test && !eval_test(x, eval_text(x, args->at[skip]), v, &rest, &yes))
            return eval_fail(x, ERR_UNSUPPORTED, "a choice by a test that is not supported here");
        if (yes == keep) chat_list_add(x->a, out, all.list->at[i]);
    }
    return out;
}

static chat_value f_select(chat_eval *x, chat_value on, const chat_args *args) {
    return choose(x, on, args, false, true);
}

static chat_value f_reject(chat_eval *x, chat_value on, const chat_args *args) {
    return choose(x, on, args, false, false);
}

static chat_value f_selectattr(chat_eval *x, chat_value on, const chat_args *args) {
    return choose(x, on, args, true, true);
}

static chat_value f_rejectattr(chat_eval *x, chat_value on, const chat_args *args) {
    return choose(x, on, args, true, false);
}

/* clang-format off */
static const struct {
    const char *name;
    filter_fn run;
} FILTERS[] = {
    {"abs", f_abs},               {"capitalize", f_capitalize}, {"count", f_length},
    {"d", f_default},             {"default", f_default},       {"dictsort", f_dictsort},
    {"first", f_first},           {"float", f_float},           {"indent", f_indent},
    {"int", f_int},               {"items", f_items},           {"join", f_join},
    {"last", f_last},             {"length", f_length},         {"list", f_list},
    {"lower", f_lower},           {"map", f_map},               {"max", f_max},
    {"min", f_min},               {"reject", f_reject},
    {"rejectattr", f_rejectattr}, {"replace", f_replace},       {"reverse", f_reverse},
    {"safe", f_safe}, {"select", f_select},         {"selectattr", f_selectattr},
    {"sort", f_sort},             {"string", f_string},         {"title", f_title},
    {"tojson", f_tojson},         {"trim", f_trim},             {"unique", f_unique},
    {"upper", f_upper},
};
/* clang-format on */

bool eval_filter(chat_eval *x, str name, chat_value on, const chat_args *args, chat_value *out) {
    for (size_t i = 0; i < COUNTOF(FILTERS); i++) {
        if (!str_eq(name, str_of(FILTERS[i].name))) continue;
        *out = FILTERS[i].run(x, on, args);
        return true;
    }
    return false;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static bool test_kind(str name, chat_value v, bool *out) {
    chat_kind k = v.kind;
    bool whole = k == CHAT_INT, text = k == CHAT_STR, list = k == CHAT_LIST, dict = k == CHAT_DICT;
    const struct {
        const char *name;
        bool yes;
    } kinds[] = {
        {"defined", k != CHAT_UNDEFINED},
        {"undefined", k == CHAT_UNDEFINED},
        {"none", k == CHAT_NONE},
        {"boolean", k == CHAT_BOOL},
        {"true", k == CHAT_BOOL && v.boolean},
        {"false", k == CHAT_BOOL && !v.boolean},
        {"integer", whole},
        {"float", k == CHAT_FLOAT},
        {"number", chat_is_number(v)},
        {"string", text},
        {"mapping", dict},
        {"iterable", text || list || dict || k == CHAT_UNDEFINED},
        {"sequence", text || list || dict || k == CHAT_UNDEFINED},
        {"callable", k == CHAT_CALLABLE},
        {"even", whole && v.integer % 2 == 0},
        {"odd", whole && v.integer % 2 != 0},
    };
    for (size_t i = 0; i < COUNTOF(kinds); i++) {
        if (!str_eq(name, str_of(kinds[i].name))) continue;
        *out = kinds[i].yes;
        return true;
    }
    return false;
}

bool eval_test(chat_eval *x, str name, chat_value on, const chat_args *args, bool *out) {
    static const struct {
        const char *name;
        int low, high; /* of the comparison's result */
        bool negated;
    } orders[] = {
        {"equalto", 0, 0, false}, {"eq", 0, 0, false},   {"==", 0, 0, false},  {"ne", 0, 0, true},
        {"!=", 0, 0, true},       {"lt", -1, -1, false}, {"<", -1, -1, false}, {"le", -1, 0, false},
        {"<=", -1, 0, false},     {"gt", 1, 1, false},   {">", 1, 1, false},   {"ge", 0, 1, false},
        {">=", 0, 1, false},
    };
    if (test_kind(name, on, out)) return true;
    const chat_value *other = eval_arg(args, 0, NULL);
    if (!other) return false;
    if (str_eq(name, STR("in"))) {
        const chat_value *in = other;
        *out = in->kind == CHAT_STR && on.kind == CHAT_STR && str_find(in->text, on.text) >= 0;
        for (size_t i = 0; in->kind == CHAT_LIST && i < in->list->count && !*out; i++)
            *out = chat_equal(in->list->at[i], on);
        if (in->kind == CHAT_DICT) *out = chat_dict_find_any(in->dict, on) != NULL;
        return true;
    }
    for (size_t i = 0; i < COUNTOF(orders); i++) {
        if (!str_eq(name, str_of(orders[i].name))) continue;
        int order = chat_equal(on, *other) ? 0 : chat_compare(on, *other);
        *out = (order >= orders[i].low && order <= orders[i].high) != orders[i].negated;
        return true;
    }
    UNUSED(x);
    return false;
}

/* ---- functions ------------------------------------------------------------------------------- */

static chat_value g_range(chat_eval *x, const chat_args *args) {
    int64_t part[3] = {0, 0, 1};
    for (size_t i = 0; i < args->count && i < 3; i++) {
        if (args->at[i].kind != CHAT_INT)
            return eval_fail(x, ERR_FORMAT, "range of what is no whole number");
        part[i] = args->at[i].integer;
    }
    if (args->count == 1) {
        part[1] = part[0];
        part[0] = 0;
    }
    chat_value list = chat_new_list(x->a);
    if (part[2] == 0) return eval_fail(x, ERR_FORMAT, "range with a step of zero");
    for (int64_t i = part[0]; part[2] > 0 ? i < part[1] : i > part[1]; i += part[2]) {
        if (++x->steps > LIMIT_CHAT_STEPS) return eval_fail(x, ERR_LIMIT, "a range is too long");
        chat_list_add(x->a, list, chat_int(i));
        if (i > INT64_MAX - llabs(part[2]) || i < INT64_MIN + llabs(part[2])) break;
    }
    return list;
}

/* dict(...) and namespace(...): a dict of the named arguments, over that of the first. */
static chat_value g_dict(chat_eval *x, const chat_args *args) {
    chat_value out = chat_new_dict(x->a);
    const chat_value *from[2] = {args->count ? &args->at[0] : NULL, &args->named};
    for (size_t k = 0; k < COUNTOF(from); k++)
        for (size_t i = 0; from[k] && from[k]->kind == CHAT_DICT && i < from[k]->dict->count; i++)
            chat_dict_set_any(x->a, out, chat_key(&from[k]->dict->at[i]),
                              from[k]->dict->at[i].value);
    return out;
}

static chat_value g_raise(chat_eval *x, const chat_args *args) {
    str why = args->count ? eval_text(x, args->at[0]) : STR("no reason is given");
    return eval_fail(x, ERR_USAGE, "%.*s", (int)MIN(why.len, 250), why.ptr);
}

/* The format is the template's; strftime bounds what it writes and reads nothing but `parts`. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static size_t format_time(char *out, size_t bytes, const char *format, const struct tm *parts) {
    return strftime(out, bytes, format, parts);
}
#pragma GCC diagnostic pop

static chat_value g_strftime(chat_eval *x, const chat_args *args) {
    char text[256], format[128];
    time_t now = time(NULL);
    struct tm parts;
    str wanted = args->count ? eval_text(x, args->at[0]) : STR("%Y-%m-%d");
    snprintf(format, sizeof format, "%.*s", (int)MIN(wanted.len, sizeof format - 1), wanted.ptr);
    if (!localtime_r(&now, &parts)) return chat_str(STR(""));
    size_t n = format_time(text, sizeof text, format, &parts);
    return chat_str(n ? arena_str(x->a, (str){text, n}) : STR(""));
}

static const struct {
    const char *name;
    chat_value (*run)(chat_eval *x, const chat_args *args);
} FUNCTIONS[] = {
    {"dict", g_dict},   {"namespace", g_dict},        {"raise_exception", g_raise},
    {"range", g_range}, {"strftime_now", g_strftime},
};

bool eval_function_exists(str name) {
    for (size_t i = 0; i < COUNTOF(FUNCTIONS); i++)
        if (str_eq(name, str_of(FUNCTIONS[i].name))) return true;
    return false;
}

chat_value eval_function(chat_eval *x, str name, const chat_args *args) {
    for (size_t i = 0; i < COUNTOF(FUNCTIONS); i++)
        if (str_eq(name, str_of(FUNCTIONS[i].name))) return FUNCTIONS[i].run(x, args);
    return eval_fail(x, ERR_UNSUPPORTED, "the function \"%.*s\" is not supported here",
                     (int)MIN(name.len, 40), name.ptr);
}
