/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions of templates.
 *
 * Invariants: after the first error every value is undefined; each visit of a node counts as a
 * step, so nothing runs for ever.  Thread: any. */
#include "engine/chat/eval.h"

#include <math.h>
#include <stdarg.h>

#include "engine/base/limits.h"
#include "engine/base/utf8.h"

chat_value eval_fail(chat_eval *x, status code, const char *fmt, ...) {
    char what[300];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    if (x->status == OK)
        x->status = code == ERR_USAGE
                        ? err_set(x->e, code, "the chat template refuses this: %s", what)
                        : err_set(x->e, code, "chat template, line %d: %s", x->line, what);
    return chat_undefined();
}

/* Counts a step; false: stop. */
static bool step(chat_eval *x, const node *n) {
    x->line = n->line;
    if (++x->steps > LIMIT_CHAT_STEPS || x->a->used > LIMIT_CHAT_MEMORY)
        (void)eval_fail(x, ERR_LIMIT, "it takes more work or memory than any real one");
    return x->status == OK;
}

chat_value eval_take(chat_eval *x, strbuf *b) {
    chat_value v = chat_str(b->len ? arena_str(x->a, strbuf_str(b)) : STR(""));
    if (b->overflow) (void)eval_fail(x, ERR_LIMIT, "a text is too long");
    strbuf_deinit(b);
    return v;
}

str eval_text(chat_eval *x, chat_value v) {
    if (v.kind == CHAT_STR) return v.text;
    strbuf b;
    strbuf_init(&b, LIMIT_CHAT_OUTPUT_BYTES);
    chat_print(&b, v, false, 0);
    str s = b.len ? arena_str(x->a, strbuf_str(&b)) : STR("");
    strbuf_deinit(&b);
    return s;
}

/* ---- names, attributes, items ---------------------------------------------------------------- */

static chat_value find_name(const chat_eval *x, str name) {
    for (const frame *f = x->frame; f; f = f->up) {
        const chat_value *v = chat_dict_find(f->names.dict, name);
        if (v) return *v;
    }
    if (eval_function_exists(name)) return (chat_value){.kind = CHAT_CALLABLE};
    return chat_undefined();
}

chat_value eval_attribute(chat_value on, str name) {
    if (on.kind != CHAT_DICT) return chat_undefined();
    const chat_value *v = chat_dict_find(on.dict, name);
    return v ? *v : chat_undefined();
}

static chat_value attribute(chat_eval *x, const node *n) {
    chat_value on = eval_expression(x, n->a);
    if (on.kind == CHAT_UNDEFINED)
        return eval_fail(x, ERR_FORMAT, "an undefined value has no attribute \"%.*s\"",
                         (int)MIN(n->name.len, 40), n->name.ptr);
    return eval_attribute(on, n->name);
}

/* Python's index: negative ones count from the end; -1: out of range. */
static int64_t index_in(int64_t i, size_t count) {
    if (i < 0) i += (int64_t)count;
    return i >= 0 && i < (int64_t)count ? i : -1;
}

static chat_value item(chat_eval *x, const node *n) {
    chat_value on = eval_expression(x, n->a), key = eval_expression(x, n->b);
    if (on.kind == CHAT_UNDEFINED)
        return eval_fail(x, ERR_FORMAT, "an undefined value has no items");
    if (on.kind == CHAT_DICT) {
        const chat_value *v = chat_dict_find_any(on.dict, key);
        return v ? *v : chat_undefined();
    }
    if (key.kind != CHAT_INT) return chat_undefined();
    if (on.kind == CHAT_LIST) {
        int64_t i = index_in(key.integer, on.list->count);
        return i < 0 ? chat_undefined() : on.list->at[i];
    }
    if (on.kind != CHAT_STR) return chat_undefined();
    int64_t i = index_in(key.integer, utf8_count(on.text));
    if (i < 0) return chat_undefined();
    size_t from = utf8_offset_of_cp(on.text, (size_t)i);
    return chat_str(str_sub(on.text, from, utf8_offset_of_cp(on.text, (size_t)i + 1)));
}

chat_value eval_members(chat_eval *x, chat_value v) {
    if (v.kind == CHAT_LIST) return v;
    chat_value list = chat_new_list(x->a);
    if (v.kind == CHAT_DICT) {
        for (size_t i = 0; i < v.dict->count; i++)
            chat_list_add(x->a, list, chat_key(&v.dict->at[i]));
    } else if (v.kind == CHAT_STR) {
        str s = v.text;
        while (s.len && x->a->used <= LIMIT_CHAT_MEMORY) {
            uint32_t cp;
            size_t n = (size_t)utf8_decode(s, &cp);
            chat_list_add(x->a, list, chat_str(str_sub(s, 0, n)));
            s = str_sub(s, n, s.len);
        }
    } else if (v.kind != CHAT_UNDEFINED) {
        (void)eval_fail(x, ERR_FORMAT, "a value that is no list is gone through");
    }
    return list;
}

static bool slice_part(chat_eval *x, const node *n, int64_t *out, bool *given) {
    *given = false;
    if (!n) return true;
    chat_value v = eval_expression(x, n);
    if (v.kind == CHAT_NONE) return true;
    *given = v.kind == CHAT_INT || v.kind == CHAT_BOOL;
    if (*given) *out = chat_integer(v);
    return *given;
}

static chat_value slice(chat_eval *x, const node *n) {
    chat_value on = eval_expression(x, n->many[0]);
    int64_t from = 0, to = 0, by = 1;
    bool has_from, has_to, has_by;
    if (!slice_part(x, n->many[1], &from, &has_from) || !slice_part(x, n->many[2], &to, &has_to) ||
        !slice_part(x, n->many[3], &by, &has_by) || by == 0)
        return eval_fail(x, ERR_FORMAT, "a slice needs whole numbers");
    chat_value all = eval_members(x, on);
    int64_t count = (int64_t)all.list->count;
    int64_t low = by > 0 ? 0 : -1, high = by > 0 ? count : count - 1;
    if (has_from && from < 0) from += count;
    if (has_to && to < 0) to += count;
    from = has_from ? MIN(MAX(from, low), high) : by > 0 ? low : high;
    to = has_to ? MIN(MAX(to, low), high) : by > 0 ? high : low;
    chat_value list = chat_new_list(x->a);
    for (int64_t i = from; by > 0 ? i < to : i > to; i += by)
        chat_list_add(x->a, list, all.list->at[i]);
    if (on.kind != CHAT_STR) return list;
    strbuf b;
    strbuf_init(&b, LIMIT_CHAT_OUTPUT_BYTES);
    for (size_t i = 0; i < list.list->count; i++)
        strbuf_add_str(&b, list.list->at[i].text);
    chat_value text = chat_str(b.len ? arena_str(x->a, strbuf_str(&b)) : STR(""));
    strbuf_deinit(&b);
    return text;
}

/* ---- operators ------------------------------------------------------------------------------- */

static chat_value concat(chat_eval *x, str a, str b) {
    if (a.len + b.len > LIMIT_CHAT_OUTPUT_BYTES)
        return eval_fail(x, ERR_LIMIT, "a text is too long");
    char *both = arena_alloc(x->a, a.len + b.len + 1);
    if (a.len) memcpy(both, a.ptr, a.len);
    if (b.len) memcpy(both + a.len, b.ptr, b.len);
    return chat_str((str){both, a.len + b.len});
}

/* Python's // and %: towards minus infinity. */
static chat_value divided(chat_eval *x, node_op op, int64_t a, int64_t b) {
    int64_t q;
    if (b == 0) return eval_fail(x, ERR_FORMAT, "a division by zero");
    if (b == -1) { /* INT64_MIN / -1 has no result */
        if (op == OP_MOD) return chat_int(0);
        return __builtin_sub_overflow(0, a, &q) ? eval_fail(x, ERR_FORMAT, "a number is too large")
                                                : chat_int(q);
    }
    q = a / b - (a % b != 0 && (a < 0) != (b < 0));
    return chat_int(op == OP_FLOOR ? q : a - q * b);
}

static chat_value whole(chat_eval *x, node_op op, int64_t a, int64_t b) {
    int64_t r = 0;
    if (op == OP_FLOOR || op == OP_MOD) return divided(x, op, a, b);
    bool over = op == OP_ADD   ? __builtin_add_overflow(a, b, &r)
                : op == OP_SUB ? __builtin_sub_overflow(a, b, &r)
                               : __builtin_mul_overflow(a, b, &r);
    return over ? eval_fail(x, ERR_FORMAT, "a number is too large") : chat_int(r);
}

static chat_value arithmetic(chat_eval *x, node_op op, chat_value a, chat_value b) {
    bool real = a.kind == CHAT_FLOAT || b.kind == CHAT_FLOAT || op == OP_DIV || op == OP_POW;
    if (!real) return whole(x, op, chat_integer(a), chat_integer(b));
    double l = chat_number(a), r = chat_number(b);
    bool divides = op == OP_DIV || op == OP_FLOOR || op == OP_MOD;
    if (divides && !(r < 0 || r > 0)) return eval_fail(x, ERR_FORMAT, "a division by zero");
    double floored = divides ? floor(l / r) : 0;
    double v = op == OP_ADD   ? l + r
               : op == OP_SUB ? l - r
               : op == OP_MUL ? l * r
               : op == OP_DIV ? l / r
               : op == OP_POW ? pow(l, r)
               : op == OP_MOD ? l - floored * r
                              : floored;
    bool integer = op == OP_POW && a.kind != CHAT_FLOAT && b.kind != CHAT_FLOAT && r >= 0;
    return integer && fabs(v) < 9e15 ? chat_int((int64_t)v) : chat_float(v);
}

/* As Jinja's Markup: what is added to a safe text is escaped, and the sum is safe. */
static chat_value joined(chat_eval *x, chat_value a, chat_value b) {
    if (a.markup == b.markup) {
        chat_value sum = concat(x, a.text, b.text);
        sum.markup = a.markup;
        return sum;
    }
    static const char from[] = "&<>'\"";
    static const char *const to[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
    str s = a.markup ? b.text : a.text;
    strbuf out;
    strbuf_init(&out, LIMIT_CHAT_OUTPUT_BYTES);
    for (size_t i = 0; i < s.len; i++) {
        const char *special = s.ptr[i] ? strchr(from, s.ptr[i]) : NULL;
        if (special)
            strbuf_add_str(&out, str_of(to[special - from]));
        else
            strbuf_add_char(&out, s.ptr[i]);
    }
    str escaped = strbuf_str(&out);
    chat_value sum = a.markup ? concat(x, a.text, escaped) : concat(x, escaped, b.text);
    sum.markup = true;
    strbuf_deinit(&out);
    return sum;
}

static chat_value binary(chat_eval *x, const node *n) {
    chat_value a = eval_expression(x, n->a), b = eval_expression(x, n->b);
    if (x->status != OK) return chat_undefined();
    if (n->op == OP_CONCAT) return concat(x, eval_text(x, a), eval_text(x, b));
    if (chat_is_number(a) && chat_is_number(b)) return arithmetic(x, n->op, a, b);
    if (n->op == OP_ADD && a.kind == CHAT_STR && b.kind == CHAT_STR)
        return joined(x, a, b);
    if (n->op == OP_ADD && a.kind == CHAT_LIST && b.kind == CHAT_LIST) {
        chat_value list = chat_new_list(x->a);
        for (size_t i = 0; i < a.list->count; i++)
            chat_list_add(x->a, list, a.list->at[i]);
        for (size_t i = 0; i < b.list->count; i++)
            chat_list_add(x->a, list, b.list->at[i]);
        return list;
    }
    if (n->op == OP_MUL && a.kind == CHAT_STR && b.kind == CHAT_INT) {
        chat_value all = chat_str(STR(""));
        for (int64_t i = 0; i < b.integer && x->status == OK; i++) {
            all = concat(x, all.text, a.text);
            if (!step(x, n)) return chat_undefined();
        }
        return all;
    }
    return eval_fail(x, ERR_FORMAT, "an operator does not fit its values");
}

static bool contains(chat_eval *x, chat_value in, chat_value what) {
    if (in.kind == CHAT_STR && what.kind == CHAT_STR) return str_find(in.text, what.text) >= 0;
    if (in.kind == CHAT_DICT) return chat_dict_find_any(in.dict, what) != NULL;
    if (in.kind == CHAT_LIST) {
        for (size_t i = 0; i < in.list->count; i++)
            if (chat_equal(in.list->at[i], what)) return true;
        return false;
    }
    if (in.kind != CHAT_UNDEFINED)
        (void)eval_fail(x, ERR_FORMAT, "\"in\" asks a value that contains nothing");
    return false;
}

static bool compares(chat_eval *x, node_op op, chat_value a, chat_value b) {
    if (op == OP_EQ || op == OP_NE) return chat_equal(a, b) == (op == OP_EQ);
    if (op == OP_IN || op == OP_NOT_IN) return contains(x, b, a) == (op == OP_IN);
    int order = chat_compare(a, b);
    if (order == 2) {
        (void)eval_fail(x, ERR_FORMAT, "values of these kinds have no order");
        return false;
    }
    return op == OP_LT   ? order < 0
           : op == OP_LE ? order <= 0
           : op == OP_GT ? order > 0
                         : order >= 0;
}

static chat_value comparison(chat_eval *x, const node *n) {
    chat_value a = eval_expression(x, n->a), b = eval_expression(x, n->b);
    bool all = x->status == OK && compares(x, n->op, a, b);
    for (size_t i = 0; i < n->count && all; i++) { /* a < b < c */
        chat_value c = eval_expression(x, n->many[i]->b);
        all = x->status == OK && compares(x, n->many[i]->op, b, c);
        b = c;
    }
    return chat_bool(all);
}

/* ---- calls ----------------------------------------------------------------------------------- */

const chat_value *eval_arg(const chat_args *args, size_t i, const char *name) {
    if (i < args->count) return &args->at[i];
    return name ? chat_dict_find(args->named.dict, str_of(name)) : NULL;
}

static chat_args evaluate_args(chat_eval *x, const node *n) {
    chat_args args = {.named = chat_new_dict(x->a)};
    args.at = arena_alloc(x->a, MAX(n->count, 1) * sizeof *args.at);
    for (size_t i = 0; i < n->count; i++) {
        const node *m = n->many[i];
        if (m->kind == N_NAMED)
            chat_dict_set(x->a, args.named, m->name, eval_expression(x, m->a));
        else
            args.at[args.count++] = eval_expression(x, m);
    }
    return args;
}

static chat_value call(chat_eval *x, const node *n) {
    const node *f = n->a;
    chat_value out = chat_undefined();
    if (f->kind == N_ATTR) {
        chat_value on = eval_expression(x, f->a);
        chat_args args = evaluate_args(x, n);
        if (x->status != OK || eval_method(x, on, f->name, &args, &out)) return out;
        chat_value own = eval_attribute(on, f->name);
        if (own.kind == CHAT_CALLABLE && own.callable) return eval_macro(x, own.callable, &args);
        return eval_fail(x, ERR_UNSUPPORTED, "the method \"%.*s\" is not supported here",
                         (int)MIN(f->name.len, 40), f->name.ptr);
    }
    chat_value callee = eval_expression(x, f);
    chat_args args = evaluate_args(x, n);
    if (x->status != OK) return out;
    if (callee.kind != CHAT_CALLABLE)
        return eval_fail(x, ERR_FORMAT, "\"%.*s\" is called, but no function",
                         (int)MIN(f->name.len, 40), f->name.ptr);
    if (callee.callable) return eval_macro(x, callee.callable, &args);
    return eval_function(x, f->name, &args);
}

static chat_value filter(chat_eval *x, const node *n) {
    chat_value on = eval_expression(x, n->a), out = chat_undefined();
    chat_args args = evaluate_args(x, n);
    if (x->status != OK || eval_filter(x, n->name, on, &args, &out)) return out;
    return eval_fail(x, ERR_UNSUPPORTED, "the filter \"%.*s\" is not supported here",
                     (int)MIN(n->name.len, 40), n->name.ptr);
}

static chat_value test(chat_eval *x, const node *n) {
    chat_value on = eval_expression(x, n->a);
    chat_args args = evaluate_args(x, n);
    bool yes = false;
    if (x->status != OK) return chat_undefined();
    if (eval_test(x, n->name, on, &args, &yes)) return chat_bool(yes != n->flag);
    return eval_fail(x, ERR_UNSUPPORTED, "the test \"%.*s\" is not supported here",
                     (int)MIN(n->name.len, 40), n->name.ptr);
}

/* ---- all ------------------------------------------------------------------------------------- */

static chat_value literal_many(chat_eval *x, const node *n) {
    bool dict = n->kind == N_DICT;
    chat_value v = dict ? chat_new_dict(x->a) : chat_new_list(x->a);
    for (size_t i = 0; i < n->count && x->status == OK; i += dict ? 2 : 1) {
        chat_value first = eval_expression(x, n->many[i]);
        if (dict)
            chat_dict_set_any(x->a, v, first, eval_expression(x, n->many[i + 1]));
        else
            chat_list_add(x->a, v, first);
    }
    return v;
}

static chat_value negative(chat_eval *x, const node *n) {
    chat_value v = eval_expression(x, n->a);
    if (v.kind == CHAT_FLOAT) return chat_float(-v.real);
    if (v.kind == CHAT_INT || v.kind == CHAT_BOOL) return whole(x, OP_SUB, 0, chat_integer(v));
    return eval_fail(x, ERR_FORMAT, "an operator does not fit its values");
}

static chat_value evaluate(chat_eval *x, const node *n) {
    switch (n->kind) {
    case N_LITERAL: return n->literal;
    case N_NAME: return find_name(x, n->name);
    case N_LIST:
    case N_DICT: return literal_many(x, n);
    case N_ATTR: return attribute(x, n);
    case N_ITEM: return item(x, n);
    case N_SLICE: return slice(x, n);
    case N_CALL: return call(x, n);
    case N_FILTER: return filter(x, n);
    case N_TEST: return test(x, n);
    case N_NOT: return chat_bool(!chat_truth(eval_expression(x, n->a)));
    case N_NEGATE: return negative(x, n);
    case N_BINARY: return binary(x, n);
    case N_COMPARE: return comparison(x, n);
    case N_AND: {
        chat_value v = eval_expression(x, n->a);
        return chat_truth(v) ? eval_expression(x, n->b) : v;
    }
    case N_OR: {
        chat_value v = eval_expression(x, n->a);
        return chat_truth(v) ? v : eval_expression(x, n->b);
    }
    case N_IF_ELSE:
        if (chat_truth(eval_expression(x, n->b))) return eval_expression(x, n->a);
        return n->c ? eval_expression(x, n->c) : chat_undefined();
    case N_CAPTURE: return eval_captured(x, n->b);
    case N_NAMED:
    case N_TEXT:
    case N_PRINT:
    case N_BLOCK:
    case N_IF:
    case N_FOR:
    case N_SET:
    case N_MACRO:
    case N_BREAK:
    case N_CONTINUE: break;
    }
    return eval_fail(x, ERR_FORMAT, "a statement stands where an expression should");
}

chat_value eval_expression(chat_eval *x, const node *n) {
    if (!step(x, n)) return chat_undefined();
    if (++x->depth > 4 * LIMIT_CHAT_DEPTH) (void)eval_fail(x, ERR_LIMIT, "it is nested too deeply");
    chat_value v = x->status == OK ? evaluate(x, n) : chat_undefined();
    x->depth--;
    return x->status == OK ? v : chat_undefined();
}
