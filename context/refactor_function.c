/* SPDX-License-Identifier: Apache-2.0 */
/* Extracting a function from statements: Python, JavaScript and TypeScript.
 *
 * Inputs are the variables of the enclosing functions that the statements read and that have a
 * value for sure where they stand; outputs are those that they set and that are read afterwards
 * (in a loop: anywhere in it).  What would leave the statements in another way (return, break,
 * yield, this, super, nested functions), a variable that only perhaps has a value, or an output
 * that the language cannot give back, and it is refused.  Thread: loop.
 */
#include "context/refactor_private.h"

#define VARIABLES_MAX 12

typedef struct {
    refactor_site site;
    TSNode block, scope, outer; /* of the statements; the function around; what stands at the top */
    size_t from, to;
    name_uses uses; /* of the outermost function */
    str in[VARIABLES_MAX], out[VARIABLES_MAX];
    size_t n_in, n_out;
    bool declared;       /* the outputs are declared by the statements themselves */
    const char *keyword; /* "const" or "let": how they are */
} extraction;

/* clang-format off */
static const char *const leaving[] = {
    "return_statement", "break_statement", "continue_statement", "yield", "yield_expression",
    "await", "await_expression", "this", "super", "global_statement", "nonlocal_statement",
    "function_definition", "class_definition", "function_declaration", "class_declaration",
    "lambda", "arrow_function", "function_expression", "labeled_statement", "delete_statement",
    "import_statement", "import_from_statement", "meta_property", "type_annotation", "async", "ERROR",
};
/* clang-format on */

static bool holds_leaving(TSNode node) {
    TSTreeCursor at = ts_tree_cursor_new(node);
    bool found = false;
    for (bool more = true; more && !found;) {
        TSNode here = ts_tree_cursor_current_node(&at);
        for (size_t i = 0; i < COUNTOF(leaving) && !found; i++)
            found = target_kind_is(here, leaving[i]);
        found = found || ts_node_is_missing(here);
        if (ts_tree_cursor_goto_first_child(&at)) continue;
        while (!(more = ts_tree_cursor_goto_next_sibling(&at)) && ts_tree_cursor_goto_parent(&at)) {
        }
    }
    ts_tree_cursor_delete(&at);
    return found;
}

/* ---- the statements -------------------------------------------------------------------------- */

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
        if (holds_leaving(one)) return false;
    }
    x->scope = names_scope(x->block);
    if (!starts || !ends || !target_is_function(x->scope)) return false;
    x->outer = x->scope;
    for (TSNode up = ts_node_parent(x->scope); !ts_node_is_null(ts_node_parent(up));
         up = ts_node_parent(up)) {
        if (target_is_function(up)) return false; /* names of two functions */
        x->outer = up;
    }
    return !ts_node_has_error(x->outer);
}

static bool in_selection(const extraction *x, TSNode node) {
    return ts_node_start_byte(node) >= x->from && ts_node_end_byte(node) <= x->to;
}

/* The loop around the selection within the function, if any. */
static bool find_loop(const extraction *x, TSNode *loop) {
    static const char *const kinds[] = {"for_statement", "while_statement", "for_in_statement",
                                        "do_statement"};
    bool found = false;
    for (TSNode at = x->block; !ts_node_eq(at, x->scope); at = ts_node_parent(at)) {
        for (size_t i = 0; i < COUNTOF(kinds); i++) {
            if (!target_kind_is(at, kinds[i])) continue;
            *loop = at; /* the outermost */
            found = true;
        }
    }
    return found;
}

/* ---- variables ------------------------------------------------------------------------------- */

static bool add_once(str *list, size_t *n, str name) {
    for (size_t i = 0; i < *n; i++) {
        if (str_eq(list[i], name)) return true;
    }
    if (*n == VARIABLES_MAX) return false;
    list[(*n)++] = name;
    return true;
}

/* The block that a binding's statement stands in; a parameter's is the function. */
static TSNode home_of(TSNode node) {
    TSNode at = ts_node_parent(node);
    while (!ts_node_is_null(at) && !refactor_is_block(at) && !target_is_function(at))
        at = ts_node_parent(at);
    return at;
}

/* Whether a binding in front of the selection has happened whenever that is reached. */
static bool is_certain(const extraction *x, TSNode binding) {
    TSNode home = home_of(binding);
    if (ts_node_is_null(home) || !names_within(x->block, home)) return false;
    /* `for x in ...` binds x only when it turns: good inside of it. */
    TSNode statement = binding;
    while (!ts_node_eq(ts_node_parent(statement), home))
        statement = ts_node_parent(statement);
    bool loop = target_kind_is(statement, "for_statement") ||
                target_kind_is(statement, "for_in_statement") ||
                target_kind_is(statement, "while_statement") ||
                target_kind_is(statement, "if_statement") ||
                target_kind_is(statement, "try_statement");
    return !loop || names_within(x->block, statement);
}

typedef struct {
    bool bound_before, certain, set_inside, set_at_top, read_inside, read_after, read_first, both;
    bool bound_elsewhere; /* not before, not inside */
    TSNode binding;       /* the first one inside */
} usage;

/* Inside of something that runs later than it stands: a function in the function, a lambda. */
static bool is_deferred(const extraction *x, TSNode node) {
    for (TSNode at = ts_node_parent(node); !ts_node_is_null(at) && !ts_node_eq(at, x->scope);
         at = ts_node_parent(at)) {
        if (target_is_function(at) || target_kind_is(at, "lambda") ||
            target_kind_is(at, "generator_expression"))
            return true;
    }
    return false;
}

/* Bindings that live inside of one expression only. */
static bool is_inner(TSNode node) {
    for (TSNode at = ts_node_parent(node); !ts_node_is_null(at); at = ts_node_parent(at)) {
        if (target_kind_is(at, "for_in_clause")) return true;
        if (refactor_is_block(at)) return false;
    }
    return false;
}

static bool in_same_statement(const extraction *x, TSNode a, TSNode b) {
    for (TSNode at = b; !ts_node_is_null(at) && !ts_node_eq(at, x->block);
         at = ts_node_parent(at)) {
        if (ts_node_eq(ts_node_parent(at), x->block)) return names_within(a, at);
    }
    return true;
}

static void note_use(const extraction *x, const name_use *u, const TSNode *loop, usage *out) {
    bool inside = in_selection(x, u->node), binds = u->role != NAME_READ;
    bool reads = u->role != NAME_BIND;
    size_t at = ts_node_start_byte(u->node);
    if (inside && binds && !out->set_inside) out->binding = u->node;
    if (inside && reads && (!out->set_inside || in_same_statement(x, u->node, out->binding)))
        out->read_first = true; /* the right side is read before the left side is set */
    if (inside) {
        out->read_inside = out->read_inside || reads;
        out->set_inside = out->set_inside || binds;
        out->both = out->both || (u->role == NAME_BOTH);
        if (binds && ts_node_eq(home_of(u->node), x->block)) out->set_at_top = true;
        return;
    }
    if (binds && at < x->from) {
        out->bound_before = true;
        out->certain = out->certain || is_certain(x, u->node);
    }
    if (binds && at >= x->to) out->bound_elsewhere = true;
    if (reads && is_deferred(x, u->node)) out->read_after = true;
    if (reads && (at >= x->to || (loop && names_within(u->node, *loop)))) out->read_after = true;
}

static bool is_script_declaration(TSNode binding, const char **keyword, str text) {
    TSNode at = binding;
    while (!ts_node_is_null(at) && !target_kind_is(at, "lexical_declaration"))
        at = refactor_is_block(at) ? (TSNode){{0}, 0, 0} : ts_node_parent(at);
    if (ts_node_is_null(at)) return false;
    *keyword = str_starts_with(target_text(text, at), STR("const")) ? "const" : "let";
    return true;
}

/* Decides about one variable; false: it cannot be done. */
static bool settle(extraction *x, str name, const usage *u) {
    bool script = refactor_is_script(&x->site);
    if (u->set_inside && u->read_after) { /* an output */
        if (!u->bound_before && !u->set_at_top) return false;
        if (u->bound_before && !u->certain) return false;
        if (!add_once(x->out, &x->n_out, name)) return false;
        bool declared = script && is_script_declaration(u->binding, &x->keyword, x->site.text);
        if (script && (x->n_out > 1 || declared == u->bound_before)) return false;
        x->declared = declared;
        if (declared && !u->set_at_top) return false;
    } else if (script && u->set_inside && u->bound_before) {
        return false; /* set, but read nowhere that we see: a closure may */
    }
    bool local = u->bound_before || u->bound_elsewhere;
    /* Set before all else, whatever happens: its old value does not matter. */
    bool fresh = u->set_inside && !u->read_first && ts_node_eq(home_of(u->binding), x->block);
    bool input = u->read_inside && local && !fresh;
    bool kept = u->set_inside && u->bound_before && u->read_after && !fresh;
    if ((input || kept) && !u->bound_before) return false;
    if ((input || kept) && !u->certain) return false;
    return !(input || kept) || add_once(x->in, &x->n_in, name);
}

/* The function's own name: a call of itself stays one. */
static bool is_own_name(const extraction *x, str name) {
    TSNode own;
    return target_name_node(x->scope, &own) && str_eq(target_text(x->site.text, own), name);
}

static bool find_variables(extraction *x) {
    TSNode loop;
    bool in_loop = find_loop(x, &loop);
    if (!names_find(x->site.text, x->scope, &x->uses)) return false;
    for (size_t i = 0; i < x->uses.count; i++) {
        name_use one = x->uses.at[i];
        if (!in_selection(x, one.node) || is_own_name(x, one.text)) continue;
        static const char *const special[] = {"arguments", "locals", "eval", "exec", "super"};
        for (size_t k = 0; k < COUNTOF(special); k++) {
            if (str_eq(one.text, str_of(special[k]))) return false;
        }
        usage u = {0};
        bool inner = true;
        for (size_t k = 0; k < x->uses.count; k++) {
            if (!str_eq(x->uses.at[k].text, one.text)) continue;
            bool own = in_selection(x, x->uses.at[k].node) && is_inner(x->uses.at[k].node);
            inner = inner && (own || x->uses.at[k].role == NAME_READ);
            note_use(x, &x->uses.at[k], in_loop ? &loop : NULL, &u);
        }
        bool comprehension = inner && u.set_inside;
        if (comprehension && (u.bound_before || u.read_after)) return false;
        if (!comprehension && !settle(x, one.text, &u)) return false;
    }
    return true;
}

/* ---- text ------------------------------------------------------------------------------------ */

static void add_list(strbuf *out, const str *list, size_t n) {
    for (size_t i = 0; i < n; i++)
        strbuf_addf(out, "%s%.*s", i ? ", " : "", STR_ARG(list[i]));
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
    bool python = !refactor_is_script(&x->site);
    strbuf_addf(out, python ? "def %.*s(" : "function %.*s(", STR_ARG(name));
    add_list(out, x->in, x->n_in);
    strbuf_addf(out, "%s%s", python ? "):" : ") {", eol);
    add_body(x, indentation, unit, out);
    if (x->n_out) {
        strbuf_addf(out, "%sreturn ", unit);
        add_list(out, x->out, x->n_out);
        strbuf_addf(out, "%s%s", python ? "" : ";", eol);
    }
    strbuf_addf(out, "%s%s%s", python ? "" : "}", python ? "" : eol, eol);
    if (python) strbuf_add_str(out, str_of(eol));
}

static void add_call(const extraction *x, str name, strbuf *out) {
    bool python = !refactor_is_script(&x->site);
    if (x->n_out && x->declared) strbuf_addf(out, "%s ", x->keyword);
    add_list(out, x->out, x->n_out);
    strbuf_addf(out, "%s%.*s(", x->n_out ? " = " : "", STR_ARG(name));
    add_list(out, x->in, x->n_in);
    strbuf_add_str(out, python ? STR(")") : STR(");"));
}

/* Strings of several lines would change with their indentation, and Python changes names that begin
 * with two underscores inside of classes. */
static bool has_special_text(const extraction *x) {
    str text = str_sub(x->site.text, x->from, x->to);
    return str_find(text, STR("\"\"\"")) >= 0 || str_find(text, STR("'''")) >= 0 ||
           str_find(text, STR("`")) >= 0 || str_find(text, STR("__")) >= 0 ||
           str_find(text, STR("\\\n")) >= 0;
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

bool refactor_extract_function(document *d, size_t from, size_t to, arena *a, refactoring *out) {
    extraction x = {.keyword = "const"};
    str chosen = str_trim(str_sub(document_text(d), from, to)), indentation = {0}, outer = {0};
    *out = (refactoring){0};
    if (!chosen.len || !refactor_begin(&x.site, d, a)) return false;
    if (strcmp(x.site.language, "python") && !refactor_is_script(&x.site)) return false;
    x.from = (size_t)(chosen.ptr - x.site.text.ptr);
    x.to = x.from + chosen.len;
    bool good = find_statements(&x) && !has_special_text(&x) &&
                refactor_indentation(&x.site, x.from, &indentation) && find_variables(&x);
    TSNode before = good ? target_whole(x.outer) : x.site.root;
    good = good && refactor_indentation(&x.site, ts_node_start_byte(before), &outer) && !outer.len;
    if (good) {
        strbuf function, call;
        strbuf_init(&function, 4u << 20);
        strbuf_init(&call, 1u << 16);
        out->name = refactor_free_name(&x.site, "extracted");
        add_function(&x, out->name, indentation, &function);
        add_call(&x, out->name, &call);
        size_t at = ts_node_start_byte(first_comment(before));
        refactor_add(out, at, at, arena_str(a, strbuf_str(&function)));
        refactor_add(out, x.from, x.to, arena_str(a, strbuf_str(&call)));
        strbuf_deinit(&function);
        strbuf_deinit(&call);
    }
    vec_free(&x.uses);
    return good;
}
