/* SPDX-License-Identifier: Apache-2.0 */
/* Extracting a function from statements: C, Go, JavaScript, Python and TypeScript.
 *
 * Which variables go in and come out is decided in refactor_variables.c.  What would leave the
 * statements in another way (return, a break of a loop around them, yield, this, super, nested
 * functions, labels) is refused, with a sentence that says so, and so is in C what the preprocessor
 * takes part in.  Thread: loop.
 */
#include "context/refactor_function.h"

/* clang-format off */
static const struct {
    const char *kind, *why;
} leaving[] = {
    {"return_statement", "they return"}, {"yield", "they yield"}, {"yield_expression", "they yield"},
    {"await", "they wait (await)"}, {"await_expression", "they wait (await)"},
    {"this", "they use this"}, {"super", "they use super"},
    {"global_statement", "they declare globals"}, {"nonlocal_statement", "they declare nonlocals"},
    {"function_definition", "there is a function in them"},
    {"class_definition", "there is a class in them"},
    {"function_declaration", "there is a function in them"},
    {"class_declaration", "there is a class in them"}, {"lambda", "there is a function in them"},
    {"arrow_function", "there is a function in them"},
    {"function_expression", "there is a function in them"},
    {"func_literal", "there is a function in them"}, {"labeled_statement", "they have a label"},
    {"goto_statement", "they jump (goto)"}, {"defer_statement", "they defer a call"},
    {"fallthrough_statement", "they fall through to the next case"},
    {"delete_statement", "they delete a variable"}, {"import_statement", "they import"},
    {"import_from_statement", "they import"}, {"meta_property", "they use new.target"},
    {"type_annotation", "they annotate types"}, {"async", "they are asynchronous"},
    {"gnu_asm_expression", "there is assembler in them"},
    {"ERROR", "their syntax is wrong"},
};
/* Parts of a statement, though they look like one. */
static const char *const parts[] = {
    "case_statement", "expression_case", "default_case", "type_case", "communication_case",
    "else_clause", "elif_clause", "except_clause", "finally_clause", "case_clause",
};
/* What a function of C or Go must not hold anywhere when a part of it is to leave. */
static const struct {
    const char *kind, *why;
} obstacles[] = {
    {"labeled_statement", "the function has labels"}, {"type_definition", "the function has types of its own"},
    {"field_declaration_list", "the function has types of its own"},
    {"enumerator_list", "the function has types of its own"},
    {"type_declaration", "the function has types of its own"},
    {"preproc_if", "the function has preprocessor conditions"},
    {"preproc_ifdef", "the function has preprocessor conditions"},
    {"preproc_def", "the function defines macros"},
    {"preproc_function_def", "the function defines macros"},
    {"preproc_call", "the function has preprocessor lines"},
    {"preproc_include", "the function includes a file"},
};
/* clang-format on */

bool refactor_in_selection(const extraction *x, TSNode node) {
    return ts_node_start_byte(node) >= x->from && ts_node_end_byte(node) <= x->to;
}

/* Whether a break or continue stays inside: its loop is selected, too. */
static bool stays(const extraction *x, TSNode jump) {
    static const char *const loops[] = {"for_statement", "while_statement", "for_in_statement",
                                        "do_statement"};
    static const char *const switches[] = {"switch_statement", "expression_switch_statement",
                                           "type_switch_statement", "select_statement"};
    bool breaks = target_kind_is(jump, "break_statement");
    if (ts_node_named_child_count(jump)) return false; /* to a label */
    for (TSNode at = ts_node_parent(jump); refactor_in_selection(x, at); at = ts_node_parent(at)) {
        for (size_t i = 0; i < COUNTOF(loops); i++) {
            if (target_kind_is(at, loops[i])) return true;
            if (breaks && target_kind_is(at, switches[i])) return true;
        }
    }
    return false;
}

static bool may_move(extraction *x, TSNode node) {
    for (size_t i = 0; i < COUNTOF(leaving); i++) {
        if (target_kind_is(node, leaving[i].kind))
            return refactor_refuse(x, leaving[i].why, (str){0});
    }
    bool jump =
        target_kind_is(node, "break_statement") || target_kind_is(node, "continue_statement");
    if (jump && !stays(x, node))
        return refactor_refuse(x, "they leave the loop around them", (str){0});
    return !ts_node_is_missing(node);
}

static bool is_no_obstacle(extraction *x, TSNode node) {
    for (size_t i = 0; i < COUNTOF(obstacles); i++) {
        if (target_kind_is(node, obstacles[i].kind))
            return refactor_refuse(x, obstacles[i].why, (str){0});
    }
    TSNode body = target_field(x->scope, "body");
    if (target_kind_is(node, "function_declarator") && names_within(node, body))
        return refactor_refuse(x, "the function declares functions", (str){0});
    return true;
}

/* Whether `good` holds for all nodes of a subtree. */
static bool all_of(extraction *x, TSNode root, bool (*good)(extraction *x, TSNode node)) {
    TSTreeCursor at = ts_tree_cursor_new(root);
    bool all = true;
    for (bool more = true; more && all;) {
        all = good(x, ts_tree_cursor_current_node(&at));
        if (ts_tree_cursor_goto_first_child(&at)) continue;
        while (!(more = ts_tree_cursor_goto_next_sibling(&at)) && ts_tree_cursor_goto_parent(&at)) {
        }
    }
    ts_tree_cursor_delete(&at);
    return all;
}

/* ---- the statements -------------------------------------------------------------------------- */

/* The function around, and what stands at the top of the file around that. */
static bool find_scope(extraction *x) {
    x->scope = names_scope(x->block);
    if (!target_is_function(x->scope)) return false;
    x->outer = x->scope;
    for (TSNode up = ts_node_parent(x->scope); !ts_node_is_null(ts_node_parent(up));
         up = ts_node_parent(up)) {
        if (target_is_function(up)) /* names of two functions */
            return refactor_refuse(x, "there is another function around theirs", (str){0});
        if (!x->typed) x->outer = up;
    }
    if (ts_node_has_error(x->outer))
        return refactor_refuse(x, "the syntax around them is wrong", (str){0});
    if (!x->typed) return true;
    TSNode receiver = target_field(x->scope, "receiver");
    bool generic = !ts_node_is_null(target_field(x->scope, "type_parameters")) ||
                   (!ts_node_is_null(receiver) &&
                    str_find(target_text(x->site.text, receiver), STR("[")) >= 0);
    if (generic) return refactor_refuse(x, "the function is generic", (str){0});
    return all_of(x, x->scope, is_no_obstacle);
}

/* The range covers whole statements of one block, each fit to move. */
static bool find_statements(extraction *x) {
    TSNode node =
        ts_node_named_descendant_for_byte_range(x->site.root, (uint32_t)x->from, (uint32_t)x->to);
    while (!ts_node_is_null(node) && !refactor_is_block(node))
        node = ts_node_parent(node);
    if (ts_node_is_null(node)) return false;
    x->block = node;
    bool starts = false, ends = false;
    for (uint32_t i = 0; i < ts_node_named_child_count(node); i++) {
        TSNode one = ts_node_named_child(node, i);
        if (ts_node_end_byte(one) <= x->from || ts_node_start_byte(one) >= x->to) continue;
        starts = starts || ts_node_start_byte(one) == x->from;
        ends = ends || ts_node_end_byte(one) == x->to;
        if (ts_node_start_byte(one) < x->from || ts_node_end_byte(one) > x->to) return false;
        for (size_t k = 0; k < COUNTOF(parts); k++) {
            if (target_kind_is(one, parts[k])) return false;
        }
    }
    if (!starts || !ends || !find_scope(x)) return false;
    for (uint32_t i = 0; i < ts_node_named_child_count(node); i++) {
        TSNode one = ts_node_named_child(node, i);
        if (refactor_in_selection(x, one) && !all_of(x, one, may_move)) return false;
    }
    return true;
}

/* ---- text ------------------------------------------------------------------------------------ */

static bool is_go(const extraction *x) {
    return !strcmp(x->site.language, "go");
}

static bool is_python(const extraction *x) {
    return !strcmp(x->site.language, "python");
}

static void add_names(strbuf *out, const variable *list, size_t n) {
    for (size_t i = 0; i < n; i++)
        strbuf_addf(out, "%s%.*s", i ? ", " : "", STR_ARG(list[i].name));
}

/* "int x", "char *p": C's way. */
static void add_c_variable(strbuf *out, const variable *v) {
    bool star = v->type.len && v->type.ptr[v->type.len - 1] == '*';
    strbuf_addf(out, "%.*s%s%.*s", STR_ARG(v->type), star ? "" : " ", STR_ARG(v->name));
}

static void add_parameters(const extraction *x, strbuf *out) {
    if (!x->typed) {
        add_names(out, x->in, x->n_in);
        return;
    }
    if (!is_go(x) && !x->n_in) strbuf_add_str(out, STR("void"));
    for (size_t i = 0; i < x->n_in; i++) {
        const variable *v = &x->in[i];
        if (i) strbuf_add_str(out, STR(", "));
        if (is_go(x))
            strbuf_addf(out, "%.*s %.*s", STR_ARG(v->name), STR_ARG(v->type));
        else
            add_c_variable(out, v);
    }
}

/* What a C function returns: a value's const means nothing there. */
static str c_result(const extraction *x) {
    str type = x->n_out ? x->out[0].type : STR("void");
    bool value = type.len && type.ptr[type.len - 1] != '*';
    if (value && str_starts_with(type, STR("const "))) return str_sub(type, 6, type.len);
    return type;
}

static void add_head(const extraction *x, str name, strbuf *out) {
    const char *eol = document_eol(x->site.document);
    if (is_go(x) || is_python(x) || !x->typed) {
        strbuf_addf(out, "%s %.*s(",
                    is_go(x)       ? "func"
                    : is_python(x) ? "def"
                                   : "function",
                    STR_ARG(name));
    } else {
        variable whole = {name, c_result(x)};
        strbuf_add_str(out, STR("static "));
        add_c_variable(out, &whole);
        strbuf_add_char(out, '(');
    }
    add_parameters(x, out);
    strbuf_add_char(out, ')');
    if (is_go(x) && x->n_out) strbuf_add_str(out, x->n_out > 1 ? STR(" (") : STR(" "));
    for (size_t i = 0; is_go(x) && i < x->n_out; i++)
        strbuf_addf(out, "%s%.*s", i ? ", " : "", STR_ARG(x->out[i].type));
    if (is_go(x) && x->n_out > 1) strbuf_add_char(out, ')');
    strbuf_addf(out, "%s%s", is_python(x) ? ":" : " {", eol);
}

/* The statements' lines with one level of indentation instead of theirs. */
static void add_body(const extraction *x, str indentation, const char *unit, strbuf *out) {
    const document *d = x->site.document;
    size_t first = document_line_of(d, x->from), last = document_line_of(d, x->to);
    for (size_t i = first; i <= last; i++) {
        str line = document_line(d, i);
        if (i == first)
            line = str_sub(x->site.text, x->from, MIN(x->to, document_line_start(d, i) + line.len));
        else if (str_starts_with(line, indentation))
            line = str_sub(line, indentation.len, line.len);
        if (str_trim(line).len) strbuf_addf(out, "%s%.*s", unit, STR_ARG(line));
        strbuf_add_str(out, str_of(document_eol(d)));
    }
}

/* What one level of indentation is: that of the block against the function. */
static const char *unit_of(const extraction *x, str indentation) {
    TSNode function = names_scope(x->block);
    str outer;
    (void)refactor_indentation(&x->site, ts_node_start_byte(target_whole(function)), &outer);
    if (indentation.len && indentation.ptr[0] == '\t') return "\t";
    bool two = indentation.len >= outer.len + 2 && (indentation.len - outer.len) % 4 == 2;
    return two ? "  " : "    ";
}

static void add_function(const extraction *x, str name, str indentation, strbuf *out) {
    const char *eol = document_eol(x->site.document), *unit = unit_of(x, indentation);
    const char *end = is_python(x) || is_go(x) ? "" : ";";
    add_head(x, name, out);
    for (size_t i = 0; i < x->n_inner; i++) {
        strbuf_add_str(out, str_of(unit));
        add_c_variable(out, &x->inner[i]);
        strbuf_addf(out, ";%s", eol);
    }
    add_body(x, indentation, unit, out);
    if (x->n_out) {
        strbuf_addf(out, "%sreturn ", unit);
        add_names(out, x->out, x->n_out);
        strbuf_addf(out, "%s%s", end, eol);
    }
    strbuf_addf(out, "%s%s%s", is_python(x) ? "" : "}", is_python(x) ? "" : eol, eol);
    if (is_python(x)) strbuf_add_str(out, str_of(eol));
}

static void add_call(const extraction *x, str name, strbuf *out) {
    bool c = x->typed && !is_go(x);
    if (x->n_out && x->declared && c) {
        add_c_variable(out, &x->out[0]);
    } else {
        if (x->n_out && x->declared && !x->typed) strbuf_addf(out, "%s ", x->keyword);
        add_names(out, x->out, x->n_out);
    }
    if (x->n_out) strbuf_add_str(out, is_go(x) && x->declared ? STR(" := ") : STR(" = "));
    strbuf_addf(out, "%.*s(", STR_ARG(name));
    add_names(out, x->in, x->n_in);
    strbuf_add_str(out, is_python(x) || is_go(x) ? STR(")") : STR(");"));
}

/* Strings of several lines would change with their indentation, and Python changes names that begin
 * with two underscores inside of classes. */
static bool has_special_text(extraction *x) {
    static const char *const list[] = {"\"\"\"", "'''", "`", "__", "\\\n", "\\\r"};
    str text = str_sub(x->site.text, x->from, x->to);
    for (size_t i = 0; i < COUNTOF(list); i++) {
        if (str_find(text, str_of(list[i])) >= 0)
            return !refactor_refuse(x, "there is a text of several lines, or __, in them",
                                    (str){0});
    }
    return false;
}

/* The first of the comments that stand directly above a definition, or itself. */
static TSNode first_comment(TSNode node) {
    for (TSNode above = ts_node_prev_sibling(node);
         !ts_node_is_null(above) && target_is_comment(above); above = ts_node_prev_sibling(node)) {
        if (ts_node_end_point(above).row + 1 < ts_node_start_point(node).row) break;
        node = above;
    }
    return node;
}

static void build(extraction *x, str wanted, str indentation, TSNode before, arena *a,
                  refactoring *out) {
    strbuf function, call;
    strbuf_init(&function, 4u << 20);
    strbuf_init(&call, 1u << 16);
    out->name = refactor_name(&x->site, wanted, "extracted");
    add_function(x, out->name, indentation, &function);
    add_call(x, out->name, &call);
    size_t at = ts_node_start_byte(first_comment(before));
    refactor_add(out, at, at, arena_str(a, strbuf_str(&function)));
    refactor_add(out, x->from, x->to, arena_str(a, strbuf_str(&call)));
    strbuf_deinit(&function);
    strbuf_deinit(&call);
}

bool refactor_extract_function(document *d, size_t from, size_t to, str wanted, arena *a,
                               refactoring *out) {
    extraction x = {.keyword = "const"};
    str chosen = str_trim(str_sub(document_text(d), from, to)), indentation = {0}, outer = {0};
    *out = (refactoring){0};
    if (!chosen.len || !refactor_begin(&x.site, d, a)) return false;
    x.typed = !is_python(&x) && !refactor_is_script(&x.site);
    x.from = (size_t)(chosen.ptr - x.site.text.ptr);
    x.to = x.from + chosen.len;
    bool good = find_statements(&x) && !has_special_text(&x) &&
                refactor_indentation(&x.site, x.from, &indentation) && refactor_find_variables(&x);
    TSNode before = good ? target_whole(x.outer) : x.site.root;
    good = good && refactor_indentation(&x.site, ts_node_start_byte(before), &outer) && !outer.len;
    if (good) build(&x, wanted, indentation, before, a, out);
    out->why = good ? NULL : x.why;
    vec_free(&x.uses);
    vec_free(&x.of);
    vec_free(&x.locals);
    return good;
}
