/* SPDX-License-Identifier: Apache-2.0 */
/* The type of a C expression, where the text around says it for sure: literals, comparisons, local
 * variables and parameters, calls of functions of the same file; and that of a local variable.
 * Everything else has none, and is then not extracted.  Thread: loop; no state. */
#include "context/refactor_function.h"

#define DEPTH_MAX 8

static bool is_int_literal(str text) {
    if (!text.len) return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') return false;
    }
    return text.len < 10; /* fits an int for sure */
}

static bool is_comparison(str operator) {
    static const char *const list[] = {"==", "!=", "<", ">", "<=", ">=", "&&", "||"};
    for (size_t i = 0; i < COUNTOF(list); i++) {
        if (str_eq(operator, str_of(list[i]))) return true;
    }
    return false;
}

/* Types that arithmetic does not change. */
static bool is_stable(str type) {
    static const char *const list[] = {"int",    "unsigned", "unsigned int", "long",   "size_t",
                                       "double", "uint32_t", "uint64_t",     "int64_t"};
    for (size_t i = 0; i < COUNTOF(list); i++) {
        if (str_eq(type, str_of(list[i]))) return true;
    }
    return false;
}

/* "const char *" of `static const char *name(...)`: the declaration's text up to the name, without
 * storage classes; empty when arrays or pointers to functions are in it. */
static str type_before(const refactor_site *s, TSNode declaration, TSNode name) {
    static const char *const storage[] = {"static", "inline", "extern", "register", "const static"};
    str text = str_sub(s->text, ts_node_start_byte(declaration), ts_node_start_byte(name));
    for (bool again = true; again;) {
        again = false;
        text = str_trim(text);
        for (size_t i = 0; i < COUNTOF(storage); i++) {
            str word = str_of(storage[i]);
            if (!str_starts_with(text, word) || text.len <= word.len || text.ptr[word.len] != ' ')
                continue;
            text = str_sub(text, word.len, text.len);
            again = true;
        }
    }
    for (size_t i = 0; i < text.len; i++) {
        if (strchr("([,=\n{", text.ptr[i])) return (str){0};
    }
    return text;
}

/* The declaration whose declarator, through pointers only, is this name. */
static bool declares(TSNode name, TSNode *declaration, bool function) {
    TSNode at = ts_node_parent(name);
    bool called = false;
    for (int depth = 0; depth < 6 && !ts_node_is_null(at); depth++) {
        bool end = target_kind_is(at, "declaration") || target_kind_is(at, "function_definition") ||
                   target_kind_is(at, "parameter_declaration");
        *declaration = at;
        if (end) return called == function;
        if (target_kind_is(at, "function_declarator"))
            called = true;
        else if (!target_kind_is(at, "pointer_declarator") &&
                 !target_kind_is(at, "init_declarator"))
            return false;
        at = ts_node_parent(at);
    }
    return false;
}

typedef struct {
    const refactor_site *site;
    str name;
    size_t before;
    bool function, several;
    str type;
} type_search;

static void look(type_search *f, TSNode node) {
    TSNode declaration;
    if (!target_kind_is(node, "identifier") || !str_eq(target_text(f->site->text, node), f->name))
        return;
    if (!declares(node, &declaration, f->function)) return;
    str type = type_before(f->site, declaration, node);
    f->several = f->several || !type.len || (f->type.len && !str_eq(type, f->type));
    f->type = type;
}

static str search(type_search *f, TSNode root) {
    TSTreeCursor at = ts_tree_cursor_new(root);
    for (bool more = true; more;) {
        TSNode node = ts_tree_cursor_current_node(&at);
        look(f, node);
        if (ts_tree_cursor_goto_first_child(&at)) continue;
        while (!(more = ts_tree_cursor_goto_next_sibling(&at)) && ts_tree_cursor_goto_parent(&at)) {
        }
    }
    ts_tree_cursor_delete(&at);
    return f->several ? (str){0} : f->type;
}

str refactor_c_type(const refactor_site *s, TSNode node, int depth) {
    str text = target_text(s->text, node);
    if (depth > DEPTH_MAX) return (str){0};
    if (target_kind_is(node, "parenthesized_expression"))
        return refactor_c_type(s, ts_node_named_child(node, 0), depth + 1);
    if (target_kind_is(node, "number_literal")) return is_int_literal(text) ? STR("int") : (str){0};
    if (target_kind_is(node, "string_literal")) return STR("const char *");
    if (target_kind_is(node, "identifier")) {
        type_search f = {.site = s, .name = text};
        return search(&f, names_scope(node));
    }
    if (target_kind_is(node, "call_expression")) {
        TSNode callee = target_field(node, "function");
        if (!target_kind_is(callee, "identifier")) return (str){0};
        type_search f = {.site = s, .name = target_text(s->text, callee), .function = true};
        str type = search(&f, s->root);
        return str_eq(type, STR("void")) ? (str){0} : type;
    }
    if (!target_kind_is(node, "binary_expression")) return (str){0};
    if (is_comparison(target_text(s->text, target_field(node, "operator")))) return STR("int");
    str left = refactor_c_type(s, target_field(node, "left"), depth + 1);
    str right = refactor_c_type(s, target_field(node, "right"), depth + 1);
    return str_eq(left, right) && is_stable(left) ? left : (str){0};
}

/* ---- variables ------------------------------------------------------------------------------- */

/* Words of a declaration that a parameter cannot have, or that a copy would change. */
static bool is_special(str specifiers) {
    static const char *const words[] = {"static",       "extern",   "register", "typedef",
                                        "auto",         "volatile", "_Atomic",  "_Thread_local",
                                        "thread_local", "__",       "{",        "(",
                                        "/*",           "//",       "\n",       "[["};
    for (size_t i = 0; i < COUNTOF(words); i++) {
        if (str_find(specifiers, str_of(words[i])) >= 0) return true;
    }
    return !specifiers.len;
}

/* `const char *const p`: what stands in front of the first declarator, and this one's stars. */
local_type refactor_c_local(const extraction *x, const local_name *l) {
    local_type none = {{0}, HOLDS_NOTHING}, out = none;
    str text = x->site.text;
    TSNode first = target_field(l->declaration, "declarator"), at = l->name;
    str specifiers =
        str_trim(str_sub(text, ts_node_start_byte(l->declaration), ts_node_start_byte(first)));
    if (is_special(specifiers)) return none;
    size_t from = ts_node_start_byte(l->name);
    bool pointer = false, array = false;
    for (TSNode up = ts_node_parent(at); !ts_node_eq(up, l->declaration); up = ts_node_parent(up)) {
        if (target_kind_is(up, "pointer_declarator")) {
            if (array) return none; /* an array of pointers is one level more */
            from = ts_node_start_byte(up);
            pointer = true;
        } else if (target_kind_is(up, "array_declarator")) {
            if (array || pointer || !ts_node_eq(target_field(up, "declarator"), l->name))
                return none;
            array = true;
        } else if (!target_kind_is(up, "init_declarator")) {
            return none;
        }
        at = up;
    }
    str stars = str_trim(str_sub(text, from, ts_node_start_byte(l->name)));
    if (array) stars = STR("*");
    out.type = str_of(arena_printf(x->site.arena, "%.*s%s%.*s", STR_ARG(specifiers),
                                   stars.len ? " " : "", STR_ARG(stars)));
    bool scalar =
        is_stable(out.type) || str_eq(out.type, STR("char")) || str_eq(out.type, STR("bool"));
    out.holds = array ? HOLDS_ARRAY : pointer || scalar ? HOLDS_NOTHING : HOLDS_VALUE;
    return out;
}
