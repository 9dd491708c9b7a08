/* SPDX-License-Identifier: Apache-2.0 */
/* Which places of a statement a value may be moved out of, or into: refactor_statement.  Thread:
 * loop. */
#include "context/refactor_private.h"

/* clang-format off */
static const char *const block_kinds[] = {
    "block", "module", "statement_block", "program", "compound_statement", "statement_list",
};
/* Through these no value is moved: they run it several times, later or not at all; they change or
 * need the place itself; or what is in them is a type, a pattern or known before the program runs.
 */
static const char *const barriers[] = {
    "lambda", "list_comprehension", "dictionary_comprehension", "set_comprehension",
    "generator_expression", "conditional_expression", "ternary_expression", "arrow_function",
    "function_expression", "func_literal", "decorator", "default_parameter",
    "typed_default_parameter", "parameters", "formal_parameters", "type", "type_annotation",
    "assert_statement", "elif_clause", "while_statement", "do_statement", "case_clause",
    "match_statement", "switch_statement", "switch_case", "case_statement", "with_statement",
    "delete_statement", "update_expression", "pointer_expression", "try_statement",
    "class_definition", "class_declaration", "function_definition", "function_declaration",
    "method_definition", "else_clause", "global_statement", "import_statement",
    "import_from_statement", "export_statement", "labeled_statement", "expression_switch_statement",
    "select_statement", "concatenated_string", "defer_statement", "go_statement", "raise_statement",
    "preproc_if", "array_declarator", "subscript_designator", "enumerator", "bitfield_clause",
    "sizeof_expression", "alignof_expression", "offsetof_expression", "static_assert_declaration",
    "const_declaration", "array_type", "generic_expression",
    /* counted up in place */
    "inc_statement", "dec_statement",
    /* patterns */
    "object_pattern", "array_pattern", "assignment_pattern", "object_assignment_pattern",
    "case_pattern",
    /* types */
    "type_arguments", "type_parameters", "type_parameter_list", "literal_type", "type_query",
    "template_literal_type", "lookup_type", "type_alias_declaration", "type_alias_statement",
    "interface_declaration", "type_predicate", "type_predicate_annotation", "asserts",
    "type_descriptor", "generic_type", "implicit_length_array_type", "map_type", "slice_type",
    "type_declaration", "struct_type", "object_type", "function_type", "parameter_list",
    /* known when it is compiled */
    "enum_declaration", "ambient_declaration", "abstract_array_declarator", "attribute_specifier",
    "attribute_declaration", "alignas_qualifier", "gnu_asm_expression", "preproc_ifdef",
    "preproc_else", "preproc_elif",
    /* other bodies */
    "class", "class_body", "generator_function", "generator_function_declaration",
    "type_switch_statement",
};
/* clang-format on */

bool refactor_is_block(TSNode node) {
    return target_kind_in(node, block_kinds, COUNTOF(block_kinds));
}

static bool operator_is(TSNode node, const char *const *operators, size_t n) {
    return target_kind_in(target_field(node, "operator"), operators, n);
}

/* The right of "and" and "&&", also where that is assigned, and the third of `a < b < c`: perhaps
 * not evaluated. */
static bool is_short_circuit(TSNode parent, TSNode node) {
    static const char *const lazy[] = {"&&",
                                       "||",
                                       "?"
                                       "?",
                                       "&&=",
                                       "||=",
                                       "?"
                                       "?="};
    if (target_kind_is(parent, "comparison_operator")) {
        TSNode before = ts_node_prev_named_sibling(node);
        return !ts_node_is_null(before) && !ts_node_is_null(ts_node_prev_named_sibling(before));
    }
    bool binary = target_kind_is(parent, "binary_expression") ||
                  target_kind_is(parent, "augmented_assignment_expression");
    if (!target_kind_is(parent, "boolean_operator") &&
        !(binary && operator_is(parent, lazy, COUNTOF(lazy))))
        return false;
    return target_is_field(parent, "right", node);
}

/* The expression whose member, element or result the node is; null: none. */
static TSNode owner(TSNode node) {
    static const char *const fields[] = {"object", "operand", "function"};
    static const char *const kinds[] = {"member_expression", "subscript_expression",
                                        "call_expression",   "selector_expression",
                                        "index_expression",  "slice_expression"};
    TSNode none = {0};
    if (!target_kind_in(node, kinds, COUNTOF(kinds))) return none;
    for (size_t i = 0; i < COUNTOF(fields); i++) {
        TSNode found = target_field(node, fields[i]);
        if (!ts_node_is_null(found)) return found;
    }
    return none;
}

static bool has_child(TSNode node, const char *kind) {
    for (uint32_t i = 0; i < ts_node_child_count(node); i++) {
        if (target_kind_is(ts_node_child(node, i), kind)) return true;
    }
    return false;
}

static bool is_optional(TSNode chain) {
    for (int depth = 0; depth < 64 && !ts_node_is_null(chain); depth++) {
        if (has_child(chain, "optional_chain")) return true;
        chain = owner(chain);
    }
    return false;
}

/* `a?.b` as the start of `a?.b.c`, and the arguments behind it: all of the chain is left out where
 * a is missing. */
static bool is_optional_part(TSNode parent, TSNode node) {
    TSNode start = owner(parent);
    return !ts_node_is_null(start) && is_optional(ts_node_eq(start, node) ? node : parent);
}

static bool is_addressable(TSNode node) {
    return target_kind_is(node, "selector_expression") || target_kind_is(node, "index_expression");
}

/* In Go: a place, not its value, is what a method is called on or what is sliced. */
static bool is_place(TSNode node) {
    for (int depth = 0; depth < 64; depth++) {
        TSNode parent = ts_node_parent(node), call = ts_node_parent(parent);
        if (!target_is_field(parent, "operand", node)) return false;
        if (target_kind_is(parent, "slice_expression")) return true;
        if (target_is_field(call, "function", parent)) return true;
        if (!is_addressable(parent)) return false;
        node = parent;
    }
    return true;
}

/* `&x` in Go, `delete x.y` in JavaScript. */
static bool needs_place(TSNode parent) {
    static const char *const operators[] = {"&", "delete"};
    return target_kind_is(parent, "unary_expression") &&
           operator_is(parent, operators, COUNTOF(operators));
}

/* What is in there is also text: f"{a=}" in Python. */
static bool is_shown(TSNode parent) {
    return target_kind_is(parent, "interpolation") && has_child(parent, "=");
}

/* The key of an object in JavaScript (but not of a dictionary in Python); `"a" as const`. */
static bool is_written(TSNode parent, TSNode node) {
    bool key = target_kind_is(parent, "pair") && target_is_field(parent, "key", node) &&
               target_kind_is(ts_node_parent(parent), "object");
    bool constant = target_kind_is(parent, "as_expression") && has_child(parent, "const");
    return key || constant || is_shown(parent);
}

/* `for x in HERE` is evaluated once; the other parts of loops are not. */
static bool is_loop_part(TSNode parent, TSNode node) {
    bool loop = target_kind_is(parent, "for_statement") ||
                target_kind_is(parent, "for_in_statement") ||
                target_kind_is(parent, "for_clause") || target_kind_is(parent, "range_clause");
    return loop && !target_is_field(parent, "right", node);
}

/* The left side of an assignment; in Go also what `if` declares before its condition. */
static bool is_assigned(TSNode parent, TSNode node) {
    if (!ts_node_is_null(target_field(parent, "initializer"))) return true;
    bool operator= target_kind_is(parent, "binary_expression") ||
        target_kind_is(parent, "binary_operator") || target_kind_is(parent, "boolean_operator");
    return !operator&& target_is_field(parent, "left", node);
}

/* A statement without braces behind a condition. */
static bool is_branch(TSNode parent, TSNode node) {
    return target_is_field(parent, "consequence", node) ||
           target_is_field(parent, "alternative", node) || target_is_field(parent, "body", node);
}

bool refactor_statement(TSNode node, TSNode *statement) {
    if (is_addressable(node) && is_place(node)) return false;
    for (int depth = 0; depth < 64; depth++) {
        TSNode parent = ts_node_parent(node);
        if (ts_node_is_null(parent)) return false;
        if (refactor_is_block(parent)) {
            *statement = node;
            return !target_is_comment(node);
        }
        if (target_kind_in(parent, barriers, COUNTOF(barriers)) || is_short_circuit(parent, node))
            return false;
        if (is_loop_part(parent, node) || is_assigned(parent, node)) return false;
        if (target_is_field(parent, "function", node)) return false; /* what is called */
        if (is_branch(parent, node) || is_optional_part(parent, node)) return false;
        if (needs_place(parent) || is_written(parent, node)) return false;
        node = parent;
    }
    return false;
}

/* Before Python 3.12 a quote of the string's own ends it. */
static bool fits_string(str text, TSNode value, TSNode interpolation) {
    str inner = target_text(text, value);
    TSNode start = ts_node_child(ts_node_parent(interpolation), 0);
    str quotes = target_text(text, start);
    if (!quotes.len || str_find(inner, STR("\\")) >= 0 || str_find(inner, STR("#")) >= 0)
        return false;
    return str_find(inner, str_sub(quotes, quotes.len - 1, quotes.len)) < 0;
}

bool refactor_may_stand(str text, TSNode value, TSNode read) {
    TSNode parent = ts_node_parent(read);
    if (is_shown(parent) || (is_addressable(value) && is_place(read))) return false;
    TSNode start = owner(parent);
    if (!ts_node_is_null(start) && ts_node_eq(start, read) && is_optional(value)) return false;
    for (TSNode at = parent; !ts_node_is_null(at); at = ts_node_parent(at)) {
        if (refactor_is_block(at)) break;
        if (target_kind_is(at, "interpolation") && !fits_string(text, value, at)) return false;
    }
    return true;
}
