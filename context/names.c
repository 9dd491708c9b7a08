/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and bindings of variables, by tables of node kinds: see names.h.
 *
 * A place that the tables do not know counts as a read, which only makes refactorings more careful:
 * what is read must keep its value.  Thread: any; no state. */
#include "context/names.h"

#define NAMES_MAX 20000

typedef struct {
    const char *parent, *field; /* field "": any child */
    name_role role;
} role_rule;

/* clang-format off */
static const role_rule rules[] = {
    {"assignment", "left", NAME_BIND},
    {"augmented_assignment", "left", NAME_BOTH},
    {"for_statement", "left", NAME_BIND},
    {"for_in_clause", "left", NAME_BIND},
    {"named_expression", "name", NAME_BIND},
    {"as_pattern_target", "", NAME_BIND},
    {"default_parameter", "name", NAME_BIND},
    {"typed_default_parameter", "name", NAME_BIND},
    {"typed_parameter", "", NAME_BIND},
    {"parameters", "", NAME_BIND},
    {"lambda_parameters", "", NAME_BIND},
    {"function_definition", "name", NAME_BIND},
    {"class_definition", "name", NAME_BIND},
    {"attribute", "attribute", NAME_OTHER},
    {"keyword_argument", "name", NAME_OTHER},
    {"aliased_import", "alias", NAME_BIND},
    {"dotted_name", "", NAME_BIND},
    {"delete_statement", "", NAME_BOTH},
    {"global_statement", "", NAME_BOTH},
    {"nonlocal_statement", "", NAME_BOTH},
    {"init_declarator", "declarator", NAME_BIND},
    {"declaration", "declarator", NAME_BIND},
    {"parameter_declaration", "declarator", NAME_BIND},
    {"function_declarator", "declarator", NAME_OTHER},
    {"assignment_expression", "left", NAME_BIND},
    {"augmented_assignment_expression", "left", NAME_BOTH},
    {"update_expression", "", NAME_BOTH},
    {"variable_declarator", "name", NAME_BIND},
    {"formal_parameters", "", NAME_BIND},
    {"required_parameter", "pattern", NAME_BIND},
    {"optional_parameter", "pattern", NAME_BIND},
    {"arrow_function", "parameter", NAME_BIND},
    {"for_in_statement", "left", NAME_BIND},
    {"catch_clause", "parameter", NAME_BIND},
    {"function_declaration", "name", NAME_BIND},
    {"generator_function_declaration", "name", NAME_BIND},
    {"class_declaration", "name", NAME_BIND},
    {"import_specifier", "", NAME_BIND},
    {"import_clause", "", NAME_BIND},
    {"namespace_import", "", NAME_BIND},
    {"short_var_declaration", "left", NAME_BIND},
    {"var_spec", "name", NAME_BIND},
    {"const_spec", "name", NAME_BIND},
    {"assignment_statement", "left", NAME_BIND},
    {"inc_statement", "", NAME_BOTH},
    {"dec_statement", "", NAME_BOTH},
    {"parameter_declaration", "name", NAME_BIND},
    {"range_clause", "left", NAME_BIND},
    {"receive_statement", "left", NAME_BIND},
    {"variadic_parameter_declaration", "name", NAME_BIND},
    {"type_switch_statement", "alias", NAME_BIND},
};
/* Through these a binding looks at what is around them. */
static const char *const patterns[] = {
    "pattern_list", "tuple_pattern", "list_pattern", "list_splat_pattern",
    "dictionary_splat_pattern", "array_pattern", "object_pattern", "rest_pattern", "pair_pattern",
    "expression_list", "pointer_declarator", "array_declarator",
};
static const char *const impure_kinds[] = {
    "call", "call_expression", "new_expression", "assignment_expression",
    "augmented_assignment_expression", "update_expression", "await", "await_expression", "yield",
    "yield_expression", "named_expression", "template_call", "macro_invocation",
    "object_creation_expression",
};
static const char *const plain_kinds[] = {
    "integer", "float", "string", "string_start", "string_content", "string_end", "true", "false",
    "none", "null", "nil", "number", "string_fragment", "number_literal", "string_literal",
    "char_literal", "int_literal", "float_literal", "interpreted_string_literal",
    "interpreted_string_literal_content", "raw_string_literal", "raw_string_literal_content",
    "rune_literal", "escape_sequence", "character", "binary_operator", "binary_expression",
    "unary_operator", "unary_expression", "not_operator", "boolean_operator",
    "comparison_operator", "parenthesized_expression",
};
/* clang-format on */

static bool is_in(TSNode node, const char *const *list, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (target_kind_is(node, list[i])) return true;
    }
    return false;
}

#define IS_IN(node, list) is_in(node, list, COUNTOF(list))

static bool is_identifier(TSNode node) {
    return target_kind_is(node, "identifier") ||
           target_kind_is(node, "shorthand_property_identifier") ||
           target_kind_is(node, "shorthand_property_identifier_pattern");
}

/* "&x" in C and Go. */
static bool is_address(TSNode parent) {
    bool unary =
        target_kind_is(parent, "pointer_expression") || target_kind_is(parent, "unary_expression");
    return unary && ts_node_child_count(parent) > 0 &&
           target_kind_is(ts_node_child(parent, 0), "&");
}

/* An assignment in C or Go whose operator is not "=" changes what is there. */
static bool is_compound(TSNode parent) {
    TSNode operator= target_field(parent, "operator");
    bool assigns = target_kind_is(parent, "assignment_expression") ||
                   target_kind_is(parent, "assignment_statement");
    return assigns && !ts_node_is_null(operator) && !target_kind_is(operator, "=");
}

name_role names_role(TSNode node) {
    if (target_kind_is(node, "shorthand_property_identifier_pattern")) return NAME_BIND;
    TSNode parent = ts_node_parent(node);
    while (!ts_node_is_null(parent) && IS_IN(parent, patterns)) {
        if (target_kind_is(parent, "pair_pattern") &&
            !ts_node_eq(target_field(parent, "value"), node))
            return NAME_OTHER;
        if (target_kind_is(parent, "array_declarator") &&
            !target_is_field(parent, "declarator", node))
            return NAME_READ; /* the array's size */
        node = parent;
        parent = ts_node_parent(node);
    }
    if (ts_node_is_null(parent)) return NAME_READ;
    if (is_address(parent)) return NAME_BOTH;
    for (size_t i = 0; i < COUNTOF(rules); i++) {
        if (!target_kind_is(parent, rules[i].parent)) continue;
        if (rules[i].field[0] && !target_is_field(parent, rules[i].field, node)) continue;
        return is_compound(parent) ? NAME_BOTH : rules[i].role;
    }
    return NAME_READ;
}

/* Calls `fn` for each node of a subtree, until it says false. */
static bool walk(TSNode root, bool (*fn)(void *ud, TSNode node), void *ud) {
    TSTreeCursor at = ts_tree_cursor_new(root);
    bool good = true;
    for (bool more = true; more && good;) {
        good = fn(ud, ts_tree_cursor_current_node(&at));
        if (ts_tree_cursor_goto_first_child(&at)) continue;
        while (!(more = ts_tree_cursor_goto_next_sibling(&at)) && ts_tree_cursor_goto_parent(&at)) {
        }
    }
    ts_tree_cursor_delete(&at);
    return good;
}

typedef struct {
    str text;
    name_uses *out;
} finding_names;

static bool take_name(void *ud, TSNode node) {
    finding_names *f = ud;
    if (!is_identifier(node)) return true;
    name_role role = names_role(node);
    if (role == NAME_OTHER) return true;
    name_use use = {node, target_text(f->text, node), role};
    vec_push(f->out, use);
    return f->out->count < NAMES_MAX;
}

bool names_find(str text, TSNode root, name_uses *out) {
    finding_names f = {text, out};
    return walk(root, take_name, &f);
}

TSNode names_scope(TSNode node) {
    TSNode at = ts_node_parent(node);
    while (!ts_node_is_null(at)) {
        if (target_is_function(at) || ts_node_is_null(ts_node_parent(at))) return at;
        at = ts_node_parent(at);
    }
    return node;
}

static bool is_pure_node(void *ud, TSNode node) {
    size_t before = *(const size_t *)ud;
    return ts_node_end_byte(node) > before || !IS_IN(node, impure_kinds);
}

bool names_impure_before(TSNode root, size_t before) {
    return !walk(root, is_pure_node, &before);
}

bool names_impure(TSNode node) {
    return names_impure_before(node, SIZE_MAX);
}

static bool is_plain_node(void *ud, TSNode node) {
    UNUSED(ud);
    return !ts_node_is_named(node) || IS_IN(node, plain_kinds);
}

bool names_constant(TSNode node) {
    return walk(node, is_plain_node, NULL);
}

bool names_within(TSNode node, TSNode outer) {
    return ts_node_start_byte(node) >= ts_node_start_byte(outer) &&
           ts_node_end_byte(node) <= ts_node_end_byte(outer);
}
