/* SPDX-License-Identifier: Apache-2.0 */
/* What an action is about: definitions and lines around a range.
 *
 * Lists of node kinds stand for all grammars at once.  A definition without a name (a function as a
 * value) is no target, unless it is assigned to a variable, whose name it then has.
 * Thread: loop.
 */
#include "context/target.h"

#include "engine/base/clock.h"
#include "engine/base/limits.h"

/* clang-format off */
static const char *const function_kinds[] = {
    "function_definition", "function_declaration", "function_item", "method_definition",
    "method_declaration", "constructor_declaration", "method", "singleton_method",
    "generator_function_declaration", "generator_function", "function_expression",
    "arrow_function", "local_function_statement",
};
static const char *const type_kinds[] = {
    "class_definition", "class_declaration", "abstract_class_declaration", "class",
    "class_specifier", "struct_specifier", "union_specifier", "enum_specifier", "struct_item",
    "enum_item", "union_item", "trait_item", "impl_item", "interface_declaration",
    "enum_declaration", "record_declaration", "struct_declaration", "trait_declaration",
    "type_alias_declaration", "type_declaration", "namespace_definition",
};
/* What a definition is part of, when it is the only or last thing in it. */
static const char *const wrapper_kinds[] = {
    "decorated_definition", "export_statement", "template_declaration", "variable_declarator",
    "lexical_declaration", "variable_declaration", "type_definition",
};
static const char *const name_kinds[] = {
    "identifier", "field_identifier", "type_identifier", "property_identifier",
    "private_property_identifier", "qualified_identifier", "destructor_name", "operator_name",
    "constant", "word", "name",
};
/* clang-format on */

static bool is_one_of(const char *kind, const char *const *list, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (strcmp(kind, list[i]) == 0) return true;
    }
    return false;
}

#define IS_ONE_OF(node, list) is_one_of(ts_node_type(node), list, COUNTOF(list))

bool target_kind_is(TSNode node, const char *kind) {
    return !ts_node_is_null(node) && strcmp(ts_node_type(node), kind) == 0;
}

TSNode target_field(TSNode node, const char *name) {
    if (ts_node_is_null(node)) return node;
    return ts_node_child_by_field_name(node, name, (uint32_t)strlen(name));
}

bool target_kind_in(TSNode node, const char *const *kinds, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (target_kind_is(node, kinds[i])) return true;
    }
    return false;
}

bool target_is_field(TSNode parent, const char *field, TSNode node) {
    for (uint32_t i = 0; i < ts_node_child_count(parent); i++) {
        if (!ts_node_eq(ts_node_child(parent, i), node)) continue;
        const char *name = ts_node_field_name_for_child(parent, i);
        return name && !strcmp(name, field);
    }
    return false;
}

str target_text(str text, TSNode node) {
    if (ts_node_is_null(node)) return (str){0};
    return str_sub(text, ts_node_start_byte(node), ts_node_end_byte(node));
}

bool target_is_function(TSNode node) {
    return ts_node_is_named(node) && IS_ONE_OF(node, function_kinds);
}

bool target_is_type(TSNode node) {
    if (!ts_node_is_named(node) || !IS_ONE_OF(node, type_kinds)) return false;
    bool mention = target_kind_is(node, "struct_specifier") ||
                   target_kind_is(node, "union_specifier") ||
                   target_kind_is(node, "enum_specifier");
    return !mention || !ts_node_is_null(target_field(node, "body"));
}

bool target_is_comment(TSNode node) {
    const char *kind = ts_node_type(node);
    size_t n = strlen(kind);
    return n >= 7 && strcmp(kind + n - 7, "comment") == 0;
}

static bool is_function_value(TSNode node) {
    return target_kind_is(node, "arrow_function") || target_kind_is(node, "function_expression") ||
           target_kind_is(node, "generator_function");
}

bool target_name_node(TSNode node, TSNode *out) {
    TSNode name = target_field(node, "name");
    if (ts_node_is_null(name) && target_kind_is(node, "impl_item"))
        name = target_field(node, "type");
    if (ts_node_is_null(name) && target_kind_is(node, "type_declaration") &&
        ts_node_named_child_count(node) == 1)
        name = target_field(ts_node_named_child(node, 0), "name");
    if (ts_node_is_null(name) && is_function_value(node) &&
        target_kind_is(ts_node_parent(node), "variable_declarator"))
        name = target_field(ts_node_parent(node), "name");
    TSNode below = target_field(node, "declarator");
    for (int depth = 0; ts_node_is_null(name) && !ts_node_is_null(below) && depth < 16; depth++) {
        if (IS_ONE_OF(below, name_kinds)) name = below;
        TSNode next = target_field(below, "declarator");
        if (ts_node_is_null(next) && ts_node_named_child_count(below) > 0)
            next = ts_node_named_child(below, 0);
        below = next;
    }
    if (ts_node_is_null(name)) return false;
    *out = name;
    return true;
}

/* The last named child, so that `int x, f()` and lists of several things are left alone. */
TSNode target_whole(TSNode node) {
    for (int depth = 0; depth < 6; depth++) {
        TSNode parent = ts_node_parent(node);
        if (ts_node_is_null(parent) || !IS_ONE_OF(parent, wrapper_kinds)) break;
        bool several = target_kind_is(parent, "lexical_declaration") ||
                       target_kind_is(parent, "variable_declaration");
        if (several && ts_node_named_child_count(parent) != 1) break;
        node = parent;
    }
    return node;
}

TSNode target_around(TSNode root, size_t from, size_t to, bool (*is)(TSNode)) {
    TSNode node = ts_node_descendant_for_byte_range(root, (uint32_t)from, (uint32_t)to), name;
    while (!ts_node_is_null(node) && !(is(node) && target_name_node(node, &name)))
        node = ts_node_parent(node);
    return node;
}

bool target_exact(TSNode root, size_t from, size_t to, TSNode *out) {
    if (to <= from) return false;
    TSNode node = ts_node_named_descendant_for_byte_range(root, (uint32_t)from, (uint32_t)to);
    if (ts_node_is_null(node) || ts_node_start_byte(node) != from || ts_node_end_byte(node) != to)
        return false;
    *out = node;
    return true;
}

/* ---- documentation --------------------------------------------------------------------------- */

static bool is_docstring(TSNode node) {
    if (!target_kind_is(node, "expression_statement") || ts_node_named_child_count(node) != 1)
        return false;
    return target_kind_is(ts_node_named_child(node, 0), "string");
}

static void find_doc(TSNode whole, TSNode body, change_target *out) {
    out->doc_from = out->doc_to = out->from;
    TSNode first = ts_node_is_null(body) || !ts_node_named_child_count(body)
                       ? body
                       : ts_node_named_child(body, 0);
    if (!ts_node_is_null(first) && target_kind_is(body, "block") && is_docstring(first)) {
        out->doc_from = ts_node_start_byte(first);
        out->doc_to = ts_node_end_byte(first);
        return;
    }
    uint32_t row = ts_node_start_point(whole).row;
    TSNode above = ts_node_prev_sibling(whole);
    while (!ts_node_is_null(above) && target_is_comment(above)) {
        TSPoint end = ts_node_end_point(above);
        if (end.row + (end.column > 0) < row) break;
        if (out->doc_to == out->from) out->doc_to = ts_node_end_byte(above);
        out->doc_from = ts_node_start_byte(above);
        row = ts_node_start_point(above).row;
        above = ts_node_prev_sibling(above);
    }
    if (out->doc_to == out->from) out->doc_from = out->doc_to;
}

/* ---- targets --------------------------------------------------------------------------------- */

static void take_definition(str text, TSNode node, change_target *out) {
    TSNode whole = target_whole(node), name, body = target_field(node, "body");
    *out = (change_target){
        .kind = target_is_function(node) ? TARGET_FUNCTION : TARGET_TYPE,
        .from = MIN(ts_node_start_byte(whole), text.len),
        .to = MIN(ts_node_end_byte(whole), text.len),
        .syntax = true,
    };
    out->body = ts_node_is_null(body) ? out->to : MIN(ts_node_start_byte(body), out->to);
    if (target_name_node(node, &name)) out->name = target_text(text, name);
    find_doc(whole, body, out);
    while (out->to > out->from && (text.ptr[out->to - 1] == '\n' || text.ptr[out->to - 1] == '\r'))
        out->to--;
}

static size_t skip_blank(str text, size_t from, size_t to) {
    while (from < to && (text.ptr[from] == ' ' || text.ptr[from] == '\t'))
        from++;
    return from;
}

/* The lines that [from, to) touches, without blank ones at both ends. */
static bool take_lines(const document *d, size_t from, size_t to, change_target *out) {
    str text = document_text(d);
    size_t first = document_line_of(d, from), last = document_line_of(d, to > from ? to - 1 : to);
    while (first < last && !str_trim(document_line(d, first)).len)
        first++;
    while (last > first && !str_trim(document_line(d, last)).len)
        last--;
    if (!str_trim(document_line(d, first)).len) return false;
    size_t start = document_line_start(d, first);
    *out = (change_target){.kind = TARGET_LINES};
    out->to = document_line_start(d, last) + document_line(d, last).len;
    out->from = skip_blank(text, start, out->to);
    out->body = out->to;
    out->doc_from = out->doc_to = out->from;
    return true;
}

static bool is_definition(TSNode node) {
    return target_is_function(node) || target_is_type(node);
}

/* The tree, or the last one, told of all edits since: right enough to say what a place is called.
 */
static const TSTree *tree_of(document *d, uint64_t budget_us) {
    if (!document_has_syntax(d)) return NULL;
    return context_parse(d, budget_us) ? syntax_tree(d->tree) : syntax_stale_tree(d->tree);
}

bool change_is_parsed(const document *d) {
    return document_has_syntax(d) && syntax_tree(d->tree);
}

bool change_find_target(document *d, size_t from, size_t to, uint64_t budget_us,
                        change_target *out) {
    str text = document_text(d);
    const TSTree *tree = tree_of(d, budget_us);
    if (!tree) return take_lines(d, from, to, out);
    TSNode root = ts_tree_root_node(tree);
    str meant = str_trim(str_sub(text, from, to));
    bool range = meant.len > 0;
    size_t at = range ? (size_t)(meant.ptr - text.ptr) : skip_blank(text, from, text.len);
    TSNode around = target_around(root, at, at + meant.len, is_definition);
    bool lines = take_lines(d, from, to, out);
    if (ts_node_is_null(around)) {
        if (lines) out->syntax = true;
        return lines;
    }
    change_target definition;
    take_definition(text, around, &definition);
    /* The lines of the range are those of the definition: it is meant as a whole. */
    bool whole = lines && out->from <= definition.from && out->to >= definition.to;
    if (!range || whole || !lines) {
        *out = definition;
    } else {
        out->name = definition.name;
        out->syntax = true;
    }
    return true;
}

/* ---- all of a file --------------------------------------------------------------------------- */

static bool holds_function(TSNode node) {
    TSTreeCursor at = ts_tree_cursor_new(node);
    bool found = false;
    for (bool more = ts_tree_cursor_goto_first_child(&at); more && !found;) {
        found = target_is_function(ts_tree_cursor_current_node(&at));
        if (ts_tree_cursor_goto_first_child(&at)) continue;
        while (!(more = ts_tree_cursor_goto_next_sibling(&at)) && ts_tree_cursor_goto_parent(&at)) {
            if (ts_node_eq(ts_tree_cursor_current_node(&at), node)) break;
        }
    }
    ts_tree_cursor_delete(&at);
    return found;
}

size_t change_definitions(document *d, uint64_t budget_us, change_target *out, size_t max) {
    if (!d->tree || !context_parse(d, budget_us)) return 0;
    size_t n = 0;
    TSTreeCursor at = ts_tree_cursor_new(ts_tree_root_node(syntax_tree(d->tree)));
    for (bool more = ts_tree_cursor_goto_first_child(&at); more && n < max;) {
        TSNode node = ts_tree_cursor_current_node(&at), name;
        bool wanted = is_definition(node) && target_name_node(node, &name) &&
                      (target_is_function(node) || !holds_function(node));
        if (wanted) take_definition(document_text(d), node, &out[n++]);
        if (!wanted && ts_tree_cursor_goto_first_child(&at)) continue;
        while (!(more = ts_tree_cursor_goto_next_sibling(&at)) && ts_tree_cursor_goto_parent(&at)) {
        }
    }
    ts_tree_cursor_delete(&at);
    return n;
}

/* ---- judgement ------------------------------------------------------------------------------- */

/* Whether [from, to) of a tree's text holds a definition of the target's kind and name. */
static bool defines(const TSTree *tree, str text, size_t from, size_t to, const change_target *t) {
    bool found = false;
    TSTreeCursor at = ts_tree_cursor_new(ts_tree_root_node(tree));
    for (bool more = true; more && !found;) {
        TSNode node = ts_tree_cursor_current_node(&at), name;
        bool outside = ts_node_end_byte(node) <= from || ts_node_start_byte(node) >= to;
        if (!outside && ts_node_start_byte(node) >= from && is_definition(node) &&
            target_name_node(node, &name))
            found = target_is_function(node) == (t->kind == TARGET_FUNCTION) &&
                    str_eq(str_sub(text, ts_node_start_byte(name) - from,
                                   ts_node_end_byte(name) - from),
                           t->name);
        if (!outside && ts_tree_cursor_goto_first_child(&at)) continue;
        while (!(more = ts_tree_cursor_goto_next_sibling(&at)) && ts_tree_cursor_goto_parent(&at)) {
        }
    }
    ts_tree_cursor_delete(&at);
    return found;
}

/* Both parses begin anew: a few milliseconds, and the document's own tree is left alone. */
void change_judge(const document *d, const change_target *t, str text, change_verdict *out) {
    *out = (change_verdict){.defines = true};
    if (!document_has_syntax(d)) return;
    const grammar *g = syntax_grammar(d->tree);
    str all = document_text(d);
    str before[6] = {all};
    str after[6] = {str_sub(all, 0, t->from), text, str_sub(all, t->to, all.len)};
    uint64_t deadline = clock_us() + LIMIT_JUDGE_US;
    TSTree *tree = syntax_parse(g, after, deadline);
    if (!tree) return;
    out->after = syntax_errors(tree);
    if (t->kind != TARGET_LINES) out->defines = defines(tree, text, t->from, t->from + text.len, t);
    ts_tree_delete(tree);
    out->known = true;
    if (syntax_tree(d->tree))
        out->before = syntax_errors(syntax_tree(d->tree));
    else
        out->known = syntax_count_errors(g, before, deadline, &out->before);
}
