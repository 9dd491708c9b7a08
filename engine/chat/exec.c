/* SPDX-License-Identifier: Apache-2.0 */
/* Statements, and the rendering of a whole template.
 *
 * Scopes as in Jinja: a loop's body and a macro have one of their own, `if` has none; a `set`
 * inside a loop is forgotten at the end of the turn, which is why templates have namespaces.
 * Thread: any. */
#include "engine/base/limits.h"
#include "engine/chat/eval.h"

static void set_name(chat_eval *x, str name, chat_value v) {
    chat_dict_set(x->a, x->frame->names, name, v);
}

static void write_value(chat_eval *x, chat_value v) {
    if (x->status != OK) return;
    chat_print(x->out, v, false, 0);
    if (x->out->overflow) (void)eval_fail(x, ERR_LIMIT, "its text is too long");
}

/* ---- for ------------------------------------------------------------------------------------- */

static void set_targets(chat_eval *x, const node *n, chat_value v) {
    if (n->count == 1) {
        set_name(x, n->many[0]->name, v);
        return;
    }
    chat_value parts = eval_members(x, v);
    if (parts.list->count != n->count) {
        (void)eval_fail(x, ERR_FORMAT, "a loop has %zu names for %zu values", n->count,
                        parts.list->count);
        return;
    }
    for (size_t i = 0; i < n->count; i++)
        set_name(x, n->many[i]->name, parts.list->at[i]);
}

/* What the loop is about, without what its own condition leaves out. */
static chat_value loop_items(chat_eval *x, const node *n) {
    chat_value all = eval_members(x, eval_expression(x, n->a));
    if (!n->d) return all;
    chat_value some = chat_new_list(x->a);
    for (size_t i = 0; i < all.list->count && x->status == OK; i++) {
        set_targets(x, n, all.list->at[i]);
        if (chat_truth(eval_expression(x, n->d))) chat_list_add(x->a, some, all.list->at[i]);
    }
    return some;
}

static chat_value loop_value(chat_eval *x, const chat_list *items, size_t i) {
    chat_value loop = chat_new_dict(x->a);
    int64_t at = (int64_t)i, n = (int64_t)items->count;
    chat_dict_set(x->a, loop, STR("index"), chat_int(at + 1));
    chat_dict_set(x->a, loop, STR("index0"), chat_int(at));
    chat_dict_set(x->a, loop, STR("revindex"), chat_int(n - at));
    chat_dict_set(x->a, loop, STR("revindex0"), chat_int(n - at - 1));
    chat_dict_set(x->a, loop, STR("first"), chat_bool(at == 0));
    chat_dict_set(x->a, loop, STR("last"), chat_bool(at == n - 1));
    chat_dict_set(x->a, loop, STR("length"), chat_int(n));
    chat_dict_set(x->a, loop, STR("previtem"), at ? items->at[i - 1] : chat_undefined());
    chat_dict_set(x->a, loop, STR("nextitem"), at < n - 1 ? items->at[i + 1] : chat_undefined());
    return loop;
}

static void for_loop(chat_eval *x, const node *n) {
    frame *outer = x->frame, probe = {outer, chat_new_dict(x->a)};
    x->frame = &probe; /* the condition sees the targets */
    chat_value items = loop_items(x, n);
    x->frame = outer;
    for (size_t i = 0; i < items.list->count && x->status == OK; i++) {
        frame own = {outer, chat_new_dict(x->a)};
        x->frame = &own;
        set_name(x, STR("loop"), loop_value(x, items.list, i));
        set_targets(x, n, items.list->at[i]);
        eval_statement(x, n->b);
        x->frame = outer;
        chat_flow flow = x->flow;
        x->flow = FLOW_ON;
        if (flow == FLOW_BREAK) break;
    }
    if (items.list->count == 0 && n->c) eval_statement(x, n->c);
}

/* ---- set and macros -------------------------------------------------------------------------- */

chat_value eval_captured(chat_eval *x, const node *body) {
    strbuf b, *out = x->out;
    strbuf_init(&b, LIMIT_CHAT_OUTPUT_BYTES);
    x->out = &b;
    eval_statement(x, body);
    x->out = out;
    chat_value v = chat_str(b.len ? arena_str(x->a, strbuf_str(&b)) : STR(""));
    strbuf_deinit(&b);
    return v;
}

static void set(chat_eval *x, const node *n) {
    chat_value v = n->c ? eval_captured(x, n->c) : eval_expression(x, n->b);
    if (x->status != OK) return;
    if (n->count) { /* set a, b = ... */
        chat_value parts = eval_members(x, v);
        if (parts.list->count != n->count + 1) {
            (void)eval_fail(x, ERR_FORMAT, "set has %zu names for %zu values", n->count + 1,
                            parts.list->count);
            return;
        }
        set_name(x, n->a->name, parts.list->at[0]);
        for (size_t i = 0; i < n->count; i++)
            set_name(x, n->many[i]->name, parts.list->at[i + 1]);
    } else if (n->a->kind == N_NAME) {
        set_name(x, n->a->name, v);
    } else {
        chat_value space = eval_expression(x, n->a->a);
        if (space.kind == CHAT_DICT)
            chat_dict_set(x->a, space, n->a->name, v);
        else
            (void)eval_fail(x, ERR_FORMAT, "only a namespace's attributes can be set");
    }
}

chat_value eval_macro(chat_eval *x, const node *macro, const chat_args *args) {
    frame *outer = x->frame, own = {x->globals, chat_new_dict(x->a)};
    if (++x->depth > 4 * LIMIT_CHAT_DEPTH)
        return eval_fail(x, ERR_LIMIT, "its macros call each other too deeply");
    x->frame = &own;
    for (size_t i = 0; i < macro->count; i++) {
        const node *p = macro->many[i];
        const chat_value *given =
            i < args->count ? &args->at[i] : chat_dict_find(args->named.dict, p->name);
        set_name(x, p->name, given ? *given : p->a ? eval_expression(x, p->a) : chat_undefined());
    }
    chat_value text = eval_captured(x, macro->b);
    x->frame = outer;
    x->depth--;
    return text;
}

/* ---- all ------------------------------------------------------------------------------------- */

static void block(chat_eval *x, const node *n) {
    for (size_t i = 0; i < n->count && x->status == OK && x->flow == FLOW_ON; i++)
        eval_statement(x, n->many[i]);
}

static void execute(chat_eval *x, const node *n) {
    switch (n->kind) {
    case N_TEXT: write_value(x, chat_str(n->name)); break;
    case N_PRINT: write_value(x, eval_expression(x, n->a)); break;
    case N_BLOCK: block(x, n); break;
    case N_IF:
        if (chat_truth(eval_expression(x, n->a)))
            eval_statement(x, n->b);
        else if (n->c && x->status == OK)
            eval_statement(x, n->c);
        break;
    case N_FOR: for_loop(x, n); break;
    case N_SET: set(x, n); break;
    case N_MACRO: set_name(x, n->name, (chat_value){.kind = CHAT_CALLABLE, .callable = n}); break;
    case N_BREAK: x->flow = FLOW_BREAK; break;
    case N_CONTINUE: x->flow = FLOW_CONTINUE; break;
    case N_LITERAL:
    case N_NAME:
    case N_LIST:
    case N_DICT:
    case N_ATTR:
    case N_ITEM:
    case N_SLICE:
    case N_CALL:
    case N_NAMED:
    case N_FILTER:
    case N_TEST:
    case N_NOT:
    case N_NEGATE:
    case N_BINARY:
    case N_AND:
    case N_OR:
    case N_COMPARE:
    case N_IF_ELSE:
    case N_CAPTURE: (void)eval_expression(x, n); break;
    }
}

void eval_statement(chat_eval *x, const node *n) {
    if (++x->depth > 4 * LIMIT_CHAT_DEPTH)
        (void)eval_fail(x, ERR_LIMIT, "it is nested too deeply");
    else
        execute(x, n);
    x->depth--;
}

status chat_template_render(const chat_template *t, chat_value vars, strbuf *out, err *e) {
    ASSERT(vars.kind == CHAT_DICT);
    arena a;
    strbuf text;
    arena_init(&a);
    strbuf_init(&text, LIMIT_CHAT_OUTPUT_BYTES);
    frame given = {NULL, vars}, globals = {&given, chat_new_dict(&a)};
    chat_eval x = {.a = &a, .out = &text, .frame = &globals, .globals = &globals, .e = e};
    eval_statement(&x, t->root);
    if (x.status == OK) strbuf_add_str(out, strbuf_str(&text));
    if (x.status == OK && out->overflow)
        x.status = err_set(e, ERR_LIMIT, "the conversation is too long");
    strbuf_deinit(&text);
    arena_deinit(&a);
    return x.status;
}
