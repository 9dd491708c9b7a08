/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens to a tree, by recursive descent in Jinja's own order of precedence:
 *
 *     if-else < or < and < not < comparison < + - < ~ < * / // % < ** < unary - < postfix < filter
 *
 * Nesting is counted, and ends at LIMIT_CHAT_DEPTH.  Thread: any. */
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/chat/node.h"

typedef struct {
    arena *a;
    const token *at;
    int depth;
    status status;
    err *e;
} parser;

static node *expression(parser *p);
static node *block(parser *p, const char *const *ends);

/* ---- tokens ---------------------------------------------------------------------------------- */

static void fail(parser *p, status code, const char *what) {
    if (p->status == OK)
        p->status = err_set(p->e, code, "chat template, line %d: %s", p->at->line, what);
}

static bool sees(const parser *p, token_kind kind, const char *text) {
    return p->at->kind == kind && (!text || str_eq(p->at->text, str_of(text)));
}

static bool takes(parser *p, token_kind kind, const char *text) {
    if (!sees(p, kind, text)) return false;
    if (p->at->kind != T_EOF) p->at++;
    return true;
}

static void need(parser *p, token_kind kind, const char *text) {
    if (takes(p, kind, text)) return;
    char what[80];
    snprintf(what, sizeof what, "%s is missing before \"%.*s\"",
             text              ? text
             : kind == T_END   ? "%}"
             : kind == T_CLOSE ? "}}"
                               : "a name",
             (int)MIN(p->at->text.len, 30), p->at->text.ptr);
    fail(p, ERR_FORMAT, what);
}

static str need_name(parser *p) {
    str name = p->at->text;
    need(p, T_NAME, NULL);
    return name;
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static node *new_node(parser *p, node_kind kind) {
    node *n = arena_alloc(p->a, sizeof *n);
    n->kind = kind;
    n->line = p->at->line;
    return n;
}

static node *new_pair(parser *p, node_kind kind, node *a, node *b) {
    node *n = new_node(p, kind);
    n->a = a;
    n->b = b;
    return n;
}

static void add(parser *p, node *to, node *n) {
    if (to->count == to->cap) {
        size_t cap = to->cap ? 2 * to->cap : 4;
        node **more = arena_alloc(p->a, cap * sizeof *more);
        if (to->count) memcpy(more, to->many, to->count * sizeof *more);
        to->many = more;
        to->cap = cap;
    }
    to->many[to->count++] = n;
}

static bool enter(parser *p) {
    if (++p->depth > LIMIT_CHAT_DEPTH) fail(p, ERR_LIMIT, "it is nested too deeply");
    return p->status == OK;
}

/* ---- primaries ------------------------------------------------------------------------------- */

static node *literal(parser *p, chat_value v) {
    node *n = new_node(p, N_LITERAL);
    n->literal = v;
    return n;
}

static node *list(parser *p, const char *end) {
    node *n = new_node(p, N_LIST);
    while (p->status == OK && !takes(p, T_MARK, end)) {
        add(p, n, expression(p));
        if (!sees(p, T_MARK, end)) need(p, T_MARK, ",");
    }
    return n;
}

static node *dict(parser *p) {
    node *n = new_node(p, N_DICT);
    while (p->status == OK && !takes(p, T_MARK, "}")) {
        add(p, n, expression(p));
        need(p, T_MARK, ":");
        add(p, n, expression(p));
        if (!sees(p, T_MARK, "}")) need(p, T_MARK, ",");
    }
    return n;
}

/* ( ... ): an expression, or a tuple, which is a list here. */
static node *parentheses(parser *p) {
    if (takes(p, T_MARK, ")")) return new_node(p, N_LIST);
    node *first = expression(p);
    if (takes(p, T_MARK, ")")) return first;
    need(p, T_MARK, ",");
    node *n = list(p, ")");
    node *tuple = new_node(p, N_LIST);
    add(p, tuple, first);
    for (size_t i = 0; i < n->count; i++)
        add(p, tuple, n->many[i]);
    return tuple;
}

static node *name_or_constant(parser *p) {
    static const struct {
        const char *name;
        chat_value value;
    } constants[] = {
        {"true", {.kind = CHAT_BOOL, .boolean = true}},
        {"True", {.kind = CHAT_BOOL, .boolean = true}},
        {"false", {.kind = CHAT_BOOL, .boolean = false}},
        {"False", {.kind = CHAT_BOOL, .boolean = false}},
        {"none", {.kind = CHAT_NONE}},
        {"None", {.kind = CHAT_NONE}},
    };
    for (size_t i = 0; i < COUNTOF(constants); i++)
        if (takes(p, T_NAME, constants[i].name)) return literal(p, constants[i].value);
    node *n = new_node(p, N_NAME);
    n->name = need_name(p);
    return n;
}

static node *strings(parser *p) {
    str all = p->at->text;
    p->at++;
    while (sees(p, T_STRING, NULL)) {
        all = str_of(arena_printf(p->a, "%.*s%.*s", STR_ARG(all), STR_ARG(p->at->text)));
        p->at++;
    }
    return literal(p, chat_str(all));
}

static node *primary(parser *p) {
    if (sees(p, T_STRING, NULL)) return strings(p);
    if (sees(p, T_NUMBER, NULL)) {
        node *n = literal(p, p->at->value);
        p->at++;
        return n;
    }
    if (takes(p, T_MARK, "(")) return parentheses(p);
    if (takes(p, T_MARK, "[")) return list(p, "]");
    if (takes(p, T_MARK, "{")) return dict(p);
    if (sees(p, T_NAME, NULL)) return name_or_constant(p);
    fail(p, ERR_FORMAT, "an expression is missing");
    return new_node(p, N_LITERAL);
}

/* ---- postfix --------------------------------------------------------------------------------- */

static void arguments(parser *p, node *to) {
    while (p->status == OK && !takes(p, T_MARK, ")")) {
        bool named =
            sees(p, T_NAME, NULL) && p->at[1].kind == T_MARK && str_eq(p->at[1].text, STR("="));
        if (named) {
            node *n = new_node(p, N_NAMED);
            n->name = need_name(p);
            need(p, T_MARK, "=");
            n->a = expression(p);
            add(p, to, n);
        } else {
            add(p, to, expression(p));
        }
        if (!sees(p, T_MARK, ")")) need(p, T_MARK, ",");
    }
}

static node *call(parser *p, node *of) {
    node *n = new_pair(p, N_CALL, of, NULL);
    arguments(p, n);
    return n;
}

static node *subscript(parser *p, node *of) {
    node *parts[3] = {0};
    int n = 0;
    bool slice = false;
    while (p->status == OK && !takes(p, T_MARK, "]")) {
        if (takes(p, T_MARK, ":")) {
            slice = true;
            if (++n > 2) fail(p, ERR_FORMAT, "a slice has at most three parts");
            n = MIN(n, 2);
        } else {
            parts[n] = expression(p);
            if (!sees(p, T_MARK, ":") && !sees(p, T_MARK, "]")) fail(p, ERR_FORMAT, "] is missing");
        }
    }
    if (!slice) return new_pair(p, N_ITEM, of, parts[0] ? parts[0] : literal(p, chat_none()));
    node *s = new_node(p, N_SLICE);
    add(p, s, of);
    for (int i = 0; i < 3; i++)
        add(p, s, parts[i]);
    return s;
}

static node *postfix(parser *p, node *n) {
    while (p->status == OK) {
        if (takes(p, T_MARK, ".")) {
            node *attr = new_pair(p, N_ATTR, n, NULL);
            if (sees(p, T_NUMBER, NULL)) { /* list.0 */
                attr = new_pair(p, N_ITEM, n, literal(p, p->at->value));
                p->at++;
            } else {
                attr->name = need_name(p);
            }
            n = attr;
        } else if (takes(p, T_MARK, "[")) {
            n = subscript(p, n);
        } else if (takes(p, T_MARK, "(")) {
            n = call(p, n);
        } else {
            break;
        }
    }
    return n;
}

static bool begins_argument(const parser *p) {
    static const char *const words[] = {"else", "or", "and", "if", "is", "in", "not"};
    if (p->at->kind == T_STRING || p->at->kind == T_NUMBER) return true;
    if (p->at->kind == T_MARK) return strchr("[{", p->at->text.ptr[0]) != NULL;
    if (p->at->kind != T_NAME) return false;
    for (size_t i = 0; i < COUNTOF(words); i++)
        if (str_eq(p->at->text, str_of(words[i]))) return false;
    return true;
}

static node *test(parser *p, node *of) {
    node *n = new_pair(p, N_TEST, of, NULL);
    n->flag = takes(p, T_NAME, "not");
    n->name = need_name(p);
    if (takes(p, T_MARK, "("))
        arguments(p, n);
    else if (begins_argument(p))
        add(p, n, postfix(p, primary(p)));
    return n;
}

static node *filters(parser *p, node *n) {
    while (p->status == OK) {
        if (takes(p, T_MARK, "|")) {
            node *f = new_pair(p, N_FILTER, n, NULL);
            f->name = need_name(p);
            if (takes(p, T_MARK, "(")) arguments(p, f);
            n = f;
        } else if (takes(p, T_NAME, "is")) {
            n = test(p, n);
        } else if (takes(p, T_MARK, "(")) {
            n = call(p, n);
        } else {
            break;
        }
    }
    return n;
}

/* ---- operators ------------------------------------------------------------------------------- */

static node *unary(parser *p, bool with_filters) {
    if (!enter(p)) return new_node(p, N_LITERAL);
    node *n;
    if (takes(p, T_MARK, "-"))
        n = new_pair(p, N_NEGATE, unary(p, false), NULL);
    else if (takes(p, T_MARK, "+"))
        n = unary(p, false);
    else
        n = primary(p);
    n = postfix(p, n);
    if (with_filters) n = filters(p, n);
    p->depth--;
    return n;
}

/* The binary operators that stand between expressions of one level; levels bind tighter down. */
static const struct {
    const char *mark;
    node_op op;
    int level;
} BINARY[] = {
    {"+", OP_ADD, 0}, {"-", OP_SUB, 0},    {"~", OP_CONCAT, 1}, {"*", OP_MUL, 2},
    {"/", OP_DIV, 2}, {"//", OP_FLOOR, 2}, {"%", OP_MOD, 2},    {"**", OP_POW, 3},
};

static node *binary(parser *p, int level) {
    if (level > 3) return unary(p, true);
    node *n = binary(p, level + 1);
    for (size_t i = 0; i < COUNTOF(BINARY) && p->status == OK;) {
        if (BINARY[i].level != level || !takes(p, T_MARK, BINARY[i].mark)) {
            i++;
            continue;
        }
        n = new_pair(p, N_BINARY, n, binary(p, level + 1));
        n->op = BINARY[i].op;
        i = 0;
    }
    return n;
}

static bool comparison_op(parser *p, node_op *op) {
    static const struct {
        const char *mark;
        node_op op;
    } ops[] = {{"==", OP_EQ}, {"!=", OP_NE}, {"<", OP_LT},
               {"<=", OP_LE}, {">", OP_GT},  {">=", OP_GE}};
    for (size_t i = 0; i < COUNTOF(ops); i++) {
        *op = ops[i].op;
        if (takes(p, T_MARK, ops[i].mark)) return true;
    }
    *op = OP_IN;
    if (takes(p, T_NAME, "in")) return true;
    bool not_in =
        sees(p, T_NAME, "not") && p->at[1].kind == T_NAME && str_eq(p->at[1].text, STR("in"));
    if (not_in) p->at += 2;
    *op = OP_NOT_IN;
    return not_in;
}

static node *comparison(parser *p) {
    node *n = binary(p, 0);
    node_op op;
    if (!comparison_op(p, &op)) return n;
    n = new_pair(p, N_COMPARE, n, binary(p, 0));
    n->op = op;
    while (p->status == OK && comparison_op(p, &op)) {
        node *more = new_pair(p, N_COMPARE, NULL, binary(p, 0));
        more->op = op;
        add(p, n, more);
    }
    return n;
}

static node *negation(parser *p) {
    if (!takes(p, T_NAME, "not")) return comparison(p);
    if (!enter(p)) return new_node(p, N_LITERAL);
    node *n = new_pair(p, N_NOT, negation(p), NULL);
    p->depth--;
    return n;
}

static node *conjunction(parser *p) {
    node *n = negation(p);
    while (p->status == OK && takes(p, T_NAME, "and"))
        n = new_pair(p, N_AND, n, negation(p));
    return n;
}

static node *disjunction(parser *p) {
    node *n = conjunction(p);
    while (p->status == OK && takes(p, T_NAME, "or"))
        n = new_pair(p, N_OR, n, conjunction(p));
    return n;
}

static node *expression(parser *p) {
    if (!enter(p)) return new_node(p, N_LITERAL);
    node *n = disjunction(p);
    while (p->status == OK && takes(p, T_NAME, "if")) {
        n = new_pair(p, N_IF_ELSE, n, disjunction(p));
        if (takes(p, T_NAME, "else")) n->c = expression(p);
    }
    p->depth--;
    return n;
}

/* a, b, c without brackets: a tuple. */
static node *expressions(parser *p) {
    node *n = expression(p);
    if (!sees(p, T_MARK, ",")) return n;
    node *tuple = new_node(p, N_LIST);
    add(p, tuple, n);
    while (p->status == OK && takes(p, T_MARK, ",") && !sees(p, T_END, NULL))
        add(p, tuple, expression(p));
    return tuple;
}

/* ---- statements ------------------------------------------------------------------------------ */

static node *if_statement(parser *p) {
    static const char *const ends[] = {"elif", "else", "endif", NULL};
    node *n = new_node(p, N_IF);
    n->a = expression(p);
    need(p, T_END, NULL);
    n->b = block(p, ends);
    if (takes(p, T_NAME, "elif")) {
        if (enter(p)) n->c = if_statement(p);
        p->depth--;
        return n; /* the inner one took endif */
    }
    if (takes(p, T_NAME, "else")) {
        need(p, T_END, NULL);
        n->c = block(p, ends + 2);
    }
    need(p, T_NAME, "endif");
    return n;
}

static node *for_statement(parser *p) {
    static const char *const ends[] = {"else", "endfor", NULL};
    node *n = new_node(p, N_FOR);
    bool parenthesis = takes(p, T_MARK, "(");
    do {
        node *target = new_node(p, N_NAME);
        target->name = need_name(p);
        add(p, n, target);
    } while (p->status == OK && takes(p, T_MARK, ","));
    if (parenthesis) need(p, T_MARK, ")");
    need(p, T_NAME, "in");
    n->a = disjunction(p); /* not an if-else: its if is the loop's own */
    if (takes(p, T_NAME, "if")) n->d = expression(p);
    if (sees(p, T_NAME, "recursive")) fail(p, ERR_UNSUPPORTED, "recursive loops");
    need(p, T_END, NULL);
    n->b = block(p, ends);
    if (takes(p, T_NAME, "else")) {
        need(p, T_END, NULL);
        n->c = block(p, ends + 1);
    }
    need(p, T_NAME, "endfor");
    return n;
}

static node *set_statement(parser *p) {
    static const char *const ends[] = {"endset", NULL};
    node *n = new_node(p, N_SET);
    n->a = new_node(p, N_NAME);
    n->a->name = need_name(p);
    if (takes(p, T_MARK, ".")) {
        node *attr = new_pair(p, N_ATTR, n->a, NULL);
        attr->name = need_name(p);
        n->a = attr;
    }
    while (p->status == OK && takes(p, T_MARK, ",")) { /* set a, b = ... */
        node *more = new_node(p, N_NAME);
        more->name = need_name(p);
        add(p, n, more);
    }
    if (takes(p, T_MARK, "=")) {
        n->b = expressions(p);
        return n;
    }
    if (sees(p, T_MARK, "|")) fail(p, ERR_UNSUPPORTED, "filters of a set block");
    need(p, T_END, NULL);
    n->c = block(p, ends);
    need(p, T_NAME, "endset");
    return n;
}

static node *macro_statement(parser *p) {
    static const char *const ends[] = {"endmacro", NULL};
    node *n = new_node(p, N_MACRO);
    n->name = need_name(p);
    need(p, T_MARK, "(");
    while (p->status == OK && !takes(p, T_MARK, ")")) {
        node *parameter = new_node(p, N_NAMED);
        parameter->name = need_name(p);
        if (takes(p, T_MARK, "=")) parameter->a = expression(p);
        add(p, n, parameter);
        if (!sees(p, T_MARK, ")")) need(p, T_MARK, ",");
    }
    need(p, T_END, NULL);
    n->b = block(p, ends);
    need(p, T_NAME, "endmacro");
    return n;
}

/* {% filter a|b %} ... {% endfilter %}: filters of the text between. */
static node *filter_statement(parser *p) {
    static const char *const ends[] = {"endfilter", NULL};
    node *text = new_node(p, N_CAPTURE), *n = text;
    do {
        n = new_pair(p, N_FILTER, n, NULL);
        n->name = need_name(p);
        if (takes(p, T_MARK, "(")) arguments(p, n);
    } while (p->status == OK && takes(p, T_MARK, "|"));
    need(p, T_END, NULL);
    text->b = block(p, ends);
    need(p, T_NAME, "endfilter");
    return new_pair(p, N_PRINT, n, NULL);
}

/* transformers' own tag: it only marks what an assistant wrote. */
static node *generation_statement(parser *p) {
    static const char *const ends[] = {"endgeneration", NULL};
    need(p, T_END, NULL);
    node *n = block(p, ends);
    need(p, T_NAME, "endgeneration");
    return n;
}

static node *statement(parser *p) {
    static const struct {
        const char *word;
        node *(*parse)(parser *p);
    } statements[] = {
        {"if", if_statement},         {"for", for_statement},
        {"set", set_statement},       {"macro", macro_statement},
        {"filter", filter_statement}, {"generation", generation_statement},
    };
    for (size_t i = 0; i < COUNTOF(statements); i++)
        if (takes(p, T_NAME, statements[i].word)) return statements[i].parse(p);
    if (takes(p, T_NAME, "break")) return new_node(p, N_BREAK);
    if (takes(p, T_NAME, "continue")) return new_node(p, N_CONTINUE);
    char what[64];
    snprintf(what, sizeof what, "the tag \"%.*s\" is not supported here",
             (int)MIN(p->at->text.len, 24), p->at->text.ptr);
    fail(p, ERR_UNSUPPORTED, what);
    return new_node(p, N_LITERAL);
}

/* Up to a tag whose word is in `ends` (left where it is, behind its "{%") or the end of all. */
static node *block(parser *p, const char *const *ends) {
    node *n = new_node(p, N_BLOCK);
    if (!enter(p)) return n;
    while (p->status == OK && !sees(p, T_EOF, NULL)) {
        if (sees(p, T_TEXT, NULL)) {
            node *text = new_node(p, N_TEXT);
            text->name = p->at->text;
            p->at++;
            add(p, n, text);
        } else if (takes(p, T_OPEN, NULL)) {
            add(p, n, new_pair(p, N_PRINT, expressions(p), NULL));
            need(p, T_CLOSE, NULL);
        } else {
            need(p, T_BEGIN, NULL);
            bool ended = false;
            for (size_t i = 0; ends[i]; i++)
                ended |= sees(p, T_NAME, ends[i]);
            if (ended) break;
            add(p, n, statement(p));
            need(p, T_END, NULL);
        }
    }
    p->depth--;
    return n;
}

status chat_template_parse(chat_template **out, str source, err *e) {
    static const char *const none[] = {NULL};
    if (source.len > LIMIT_CHAT_TEMPLATE_BYTES)
        return err_set(e, ERR_LIMIT, "the chat template has %zu bytes; at most %u are read",
                       source.len, LIMIT_CHAT_TEMPLATE_BYTES);
    chat_template *t = xcalloc(1, sizeof *t);
    arena_init(&t->arena);
    tokens all;
    status s = chat_lex(&t->arena, source, &all, e);
    if (s == OK) {
        parser p = {.a = &t->arena, .at = all.at, .e = e};
        t->root = block(&p, none);
        s = p.status;
    }
    if (s == OK)
        *out = t;
    else
        chat_template_free(t);
    return s;
}

void chat_template_free(chat_template *t) {
    if (!t) return;
    arena_deinit(&t->arena);
    xfree(t);
}
