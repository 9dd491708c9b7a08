/* SPDX-License-Identifier: Apache-2.0 */
/* Variables of a C or Go function: which declaration each use means, and what is done with the
 * parts of a variable that is copied.
 *
 * Both languages have block scopes: a name means the innermost declaration around it that stands in
 * front of it.  Parameters live in the scope of the body.  Thread: loop; no state. */
#include "context/refactor_function.h"

/* clang-format off */
static const char *const scopes[] = {
    "compound_statement", "for_statement", "block", "if_statement", "expression_switch_statement",
    "type_switch_statement", "select_statement", "expression_case", "default_case", "type_case",
    "communication_case",
};
static const char *const bodies[] = {
    "function_definition", "function_declaration", "method_declaration", "func_literal",
};
/* clang-format on */

TSNode refactor_scope_of(TSNode node) {
    while (!ts_node_is_null(ts_node_parent(node))) {
        if (target_kind_in(node, scopes, COUNTOF(scopes))) return node;
        if (target_kind_in(node, bodies, COUNTOF(bodies))) return target_field(node, "body");
        node = ts_node_parent(node);
    }
    return node;
}

/* ---- declarations ---------------------------------------------------------------------------- */

static bool has_token(TSNode node, const char *token) {
    for (uint32_t i = 0; i < ts_node_child_count(node); i++) {
        if (target_kind_is(ts_node_child(node, i), token)) return true;
    }
    return false;
}

/* `parent`, when it is what declares the child `at`. */
static bool declares(TSNode parent, TSNode at, bool *behind) {
    *behind = true;
    if (target_kind_is(parent, "declaration") || target_kind_is(parent, "parameter_declaration")) {
        *behind = false;
        return target_is_field(parent, "declarator", at) || target_is_field(parent, "name", at);
    }
    if (target_kind_is(parent, "short_var_declaration")) return target_is_field(parent, "left", at);
    if (target_kind_is(parent, "range_clause") || target_kind_is(parent, "receive_statement"))
        return target_is_field(parent, "left", at) && has_token(parent, ":=");
    if (target_kind_is(parent, "var_spec") || target_kind_is(parent, "const_spec") ||
        target_kind_is(parent, "variadic_parameter_declaration"))
        return target_is_field(parent, "name", at);
    return target_kind_is(parent, "type_switch_statement") && target_is_field(parent, "alias", at);
}

/* Whether this identifier declares a variable; by what, and from where on that is seen. */
static bool is_declaring(TSNode name, TSNode *declaration, size_t *visible) {
    TSNode at = name;
    for (int depth = 0; depth < 8; depth++) {
        TSNode parent = ts_node_parent(at);
        bool behind;
        if (ts_node_is_null(parent)) return false;
        if (declares(parent, at, &behind)) {
            *declaration = parent;
            *visible = behind ? ts_node_end_byte(parent) : ts_node_end_byte(name);
            return true;
        }
        bool through = target_kind_is(parent, "expression_list") ||
                       target_kind_is(parent, "parenthesized_declarator");
        bool declarator = target_kind_is(parent, "pointer_declarator") ||
                          target_kind_is(parent, "array_declarator") ||
                          target_kind_is(parent, "init_declarator");
        if (!through && !(declarator && target_is_field(parent, "declarator", at))) return false;
        at = parent;
    }
    return false;
}

/* The variable that a name means at a place; -1: none of the function's. */
static int find(const local_names *list, str text, TSNode at) {
    int best = -1;
    for (int i = 0; i < (int)list->count; i++) {
        const local_name *l = &list->at[i];
        if (!str_eq(l->text, text) || l->visible > ts_node_start_byte(at)) continue;
        if (!names_within(at, l->home)) continue;
        if (best < 0 || names_within(l->home, list->at[best].home)) best = i;
    }
    return best;
}

/* In the same scope; -1: none. */
static int find_here(const local_names *list, str text, TSNode home) {
    for (size_t i = 0; i < list->count; i++) {
        if (str_eq(list->at[i].text, text) && ts_node_eq(list->at[i].home, home)) return (int)i;
    }
    return -1;
}

void refactor_resolve(extraction *x) {
    for (size_t i = 0; i < x->uses.count; i++) {
        name_use *u = &x->uses.at[i];
        local_name l = {.text = u->text, .name = u->node};
        int of;
        if (str_eq(u->text, STR("_"))) {
            of = -1;
        } else if (is_declaring(u->node, &l.declaration, &l.visible)) {
            l.home = refactor_scope_of(u->node);
            of = find_here(&x->locals, u->text, l.home);
            bool again = target_kind_is(l.declaration, "short_var_declaration"); /* a, err := */
            if (of >= 0 && !again) x->locals.at[of].several = true;
            if (of < 0) {
                of = (int)x->locals.count;
                vec_push(&x->locals, l);
            }
        } else {
            of = find(&x->locals, u->text, u->node);
        }
        vec_push(&x->of, of);
    }
}

/* ---- parts ----------------------------------------------------------------------------------- */

/* One step from `at` to what holds it, when that is a part of it: `at.f`, `at[i]`, `(at)`. */
static bool is_part(const extraction *x, TSNode parent, TSNode at) {
    if (target_kind_is(parent, "parenthesized_expression")) return true;
    if (target_kind_is(parent, "field_expression")) {
        str operator= target_text(x->site.text, target_field(parent, "operator"));
        return target_is_field(parent, "argument", at) && str_eq(operator, STR("."));
    }
    if (target_kind_is(parent, "subscript_expression"))
        return target_is_field(parent, "argument", at);
    return (target_kind_is(parent, "selector_expression") ||
            target_kind_is(parent, "index_expression")) &&
           target_is_field(parent, "operand", at);
}

part_use refactor_part_use(const extraction *x, TSNode at) {
    for (int depth = 0; depth < 32; depth++) {
        TSNode parent = ts_node_parent(at);
        if (ts_node_is_null(parent)) return PART_READ;
        bool address = target_kind_is(parent, "pointer_expression") ||
                       target_kind_is(parent, "unary_expression");
        if (address && target_kind_is(ts_node_child(parent, 0), "&")) return PART_SHARED;
        if (target_kind_is(parent, "slice_expression") && target_is_field(parent, "operand", at))
            return PART_SHARED;
        bool method = target_kind_is(at, "selector_expression") &&
                      target_kind_is(parent, "call_expression") &&
                      target_is_field(parent, "function", at);
        if (method) return PART_SHARED;
        bool list = target_kind_is(parent, "expression_list");
        TSNode holder = list ? ts_node_parent(parent) : parent;
        bool assigns = target_kind_is(holder, "assignment_expression") ||
                       target_kind_is(holder, "assignment_statement") ||
                       target_kind_is(holder, "range_clause") ||
                       target_kind_is(holder, "receive_statement");
        if (assigns && target_is_field(holder, "left", list ? parent : at)) return PART_STORED;
        if (target_kind_is(parent, "update_expression") ||
            target_kind_is(parent, "inc_statement") || target_kind_is(parent, "dec_statement"))
            return PART_STORED;
        if (!is_part(x, parent, at)) return PART_READ;
        at = parent;
    }
    return PART_SHARED;
}

/* ---- C --------------------------------------------------------------------------------------- */

/* Whether a member's declaration is that of this struct ("struct s", or a typedef), and of
 * no array. */
static bool is_plain_member(const extraction *x, TSNode node, str type, str member) {
    str text = x->site.text;
    if (!target_kind_is(node, "field_declaration") || ts_node_is_null(ts_node_parent(node)))
        return false;
    if (str_starts_with(type, STR("const "))) type = str_trim(str_sub(type, 6, type.len));
    bool tagged = str_starts_with(type, STR("struct "));
    TSNode owner = ts_node_parent(ts_node_parent(node));
    if (!target_kind_is(owner, "struct_specifier")) return false;
    TSNode definition = ts_node_parent(owner);
    TSNode name = target_field(tagged ? owner : definition, tagged ? "name" : "declarator");
    TSNode declarator = target_field(node, "declarator");
    while (!ts_node_is_null(declarator) && target_kind_is(declarator, "pointer_declarator"))
        declarator = target_field(declarator, "declarator");
    return !ts_node_is_null(name) && !ts_node_is_null(declarator) &&
           str_eq(target_text(text, name), tagged ? str_trim(str_sub(type, 7, type.len)) : type) &&
           target_kind_is(declarator, "field_identifier") &&
           str_eq(target_text(text, declarator), member);
}

static bool has_plain_member(const extraction *x, str type, str member) {
    TSTreeCursor at = ts_tree_cursor_new(x->site.root);
    bool found = false;
    for (bool more = true; more && !found;) {
        TSNode node = ts_tree_cursor_current_node(&at);
        found = is_plain_member(x, node, type, member);
        bool code = target_kind_is(node, "compound_statement");
        if (!code && ts_tree_cursor_goto_first_child(&at)) continue;
        while (!(more = ts_tree_cursor_goto_next_sibling(&at)) && ts_tree_cursor_goto_parent(&at)) {
        }
    }
    ts_tree_cursor_delete(&at);
    return found;
}

/* A member that is an array becomes a pointer into the struct: into a copy, if that was passed. */
bool refactor_copies_well(const extraction *x, TSNode at, str type) {
    TSNode parent = ts_node_parent(at);
    if (!target_kind_is(parent, "field_expression")) return true;
    str operator= target_text(x->site.text, target_field(parent, "operator"));
    if (!str_eq(operator, STR("."))) return true;
    TSNode field = target_field(parent, "field"), user = ts_node_parent(parent);
    bool through = target_kind_is(user, "field_expression") &&
                   target_text(x->site.text, target_field(user, "operator")).len == 2;
    bool number = target_kind_is(user, "binary_expression") &&
                  !str_eq(target_text(x->site.text, target_field(user, "operator")), STR("+")) &&
                  !str_eq(target_text(x->site.text, target_field(user, "operator")), STR("-"));
    return through || number || has_plain_member(x, type, target_text(x->site.text, field));
}

/* Calls `fn` for each macro that is defined outside of functions, until it says false. */
static bool each_macro(TSNode root, bool (*fn)(void *ud, TSNode macro), void *ud) {
    TSTreeCursor at = ts_tree_cursor_new(root);
    bool good = true;
    for (bool more = true; more && good;) {
        TSNode node = ts_tree_cursor_current_node(&at);
        bool macro =
            target_kind_is(node, "preproc_def") || target_kind_is(node, "preproc_function_def");
        if (macro) good = fn(ud, node);
        bool code = target_kind_is(node, "compound_statement");
        if (!macro && !code && ts_tree_cursor_goto_first_child(&at)) continue;
        while (!(more = ts_tree_cursor_goto_next_sibling(&at)) && ts_tree_cursor_goto_parent(&at)) {
        }
    }
    ts_tree_cursor_delete(&at);
    return good;
}

typedef struct {
    str text, name;
} macro_search;

static bool is_another(void *ud, TSNode macro) {
    const macro_search *m = ud;
    return !target_kind_is(macro, "preproc_function_def") ||
           !str_eq(target_text(m->text, target_field(macro, "name")), m->name);
}

bool refactor_is_macro(const refactor_site *s, str name) {
    bool letters = false, small = false;
    for (size_t i = 0; i < name.len; i++) {
        small = small || (name.ptr[i] >= 'a' && name.ptr[i] <= 'z');
        letters = letters || (name.ptr[i] >= 'A' && name.ptr[i] <= 'Z');
    }
    macro_search m = {s->text, name};
    return (letters && !small) || !each_macro(s->root, is_another, &m);
}

/* A macro of this file that is called, or whose text names a variable of the function. */
static bool is_harmless(void *ud, TSNode macro) {
    extraction *x = ud;
    str text = x->site.text, name = target_text(text, target_field(macro, "name"));
    TSNode value = target_field(macro, "value");
    str body = ts_node_is_null(value) ? (str){0} : target_text(text, value);
    bool used = false, captures = target_kind_is(macro, "preproc_function_def");
    for (size_t i = 0; i < x->uses.count; i++) {
        const name_use *u = &x->uses.at[i];
        used = used || (refactor_in_selection(x, u->node) && str_eq(u->text, name));
        captures = captures || (x->of.at[i] >= 0 && str_find(body, u->text) >= 0);
    }
    return !(used && captures) || refactor_refuse(x, "%s is a macro", name);
}

bool refactor_check_macros(extraction *x) {
    for (size_t i = 0; i < x->uses.count; i++) {
        name_use *u = &x->uses.at[i];
        TSNode parent = ts_node_parent(u->node);
        bool called = target_kind_is(parent, "call_expression") &&
                      target_is_field(parent, "function", u->node);
        if (called && refactor_in_selection(x, u->node) && refactor_is_macro(&x->site, u->text))
            return refactor_refuse(x, "%s looks like a macro", u->text);
    }
    return each_macro(x->site.root, is_harmless, x);
}
