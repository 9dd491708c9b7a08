/* SPDX-License-Identifier: Apache-2.0 */
/* Adding an import to a JavaScript, TypeScript or Go file: see refactor.h.  Nothing is added where
 * the file gives the name a meaning already, or imports in a way that this cannot join.
 * Thread: loop; no state. */
#include "context/refactor_private.h"

static str inside_quotes(str text) {
    return text.len > 1 ? str_sub(text, 1, text.len - 1) : (str){0};
}

/* ---- JavaScript, TypeScript ------------------------------------------------------------------ */

/* What an import line looks like in this file, and where the next one goes. */
typedef struct {
    size_t at;     /* a new line's place */
    bool modules;  /* there is an import statement */
    bool requires; /* there is none, but require() */
    char quote;
    const char *end; /* ";" or "" */
    TSNode same;     /* the names in braces of this module's import; null: none */
} script_head;

/* The list of names in braces; null: it has none. */
static TSNode named_list(TSNode import) {
    for (uint32_t i = 0; i < ts_node_named_child_count(import); i++) {
        TSNode clause = ts_node_named_child(import, i);
        if (!target_kind_is(clause, "import_clause")) continue;
        for (uint32_t k = 0; k < ts_node_named_child_count(clause); k++) {
            TSNode list = ts_node_named_child(clause, k);
            if (target_kind_is(list, "named_imports")) return list;
        }
    }
    return (TSNode){{0}, 0, 0};
}

static void look_at_import(const refactor_site *s, TSNode one, str module, script_head *h) {
    str whole = target_text(s->text, one),
        source = target_text(s->text, target_field(one, "source"));
    h->modules = true;
    h->at =
        document_line_start(s->document, document_line_of(s->document, ts_node_end_byte(one)) + 1);
    if (source.len) h->quote = source.ptr[0];
    h->end = str_ends_with(whole, STR(";")) ? ";" : "";
    if (!str_eq(inside_quotes(source), module)) return;
    TSNode list = named_list(one);
    bool types = str_starts_with(whole, STR("import type"));
    if (!types && !ts_node_is_null(list) && ts_node_named_child_count(list)) h->same = list;
}

static void read_head(const refactor_site *s, str module, script_head *h) {
    *h = (script_head){.quote = '"', .end = ";"};
    for (uint32_t i = 0; i < ts_node_named_child_count(s->root); i++) {
        TSNode one = ts_node_named_child(s->root, i);
        str text = target_text(s->text, one);
        bool directive = target_kind_is(one, "expression_statement") &&
                         target_kind_is(ts_node_named_child(one, 0), "string");
        bool head = directive || target_is_comment(one) || target_kind_is(one, "hash_bang_line");
        if (target_kind_is(one, "import_statement"))
            look_at_import(s, one, module, h);
        else if (head && !h->modules && (!target_is_comment(one) || i == 0))
            h->at = document_line_start(s->document,
                                        document_line_of(s->document, ts_node_end_byte(one)) + 1);
        h->requires = h->requires || str_find(text, STR("require(")) >= 0 ||
                      str_find(text, STR("module.exports")) >= 0;
    }
}

/* A class, interface, alias or enumeration of the file. */
static bool is_type_of_file(const refactor_site *s, str name) {
    for (uint32_t i = 0; i < ts_node_named_child_count(s->root); i++) {
        TSNode one = ts_node_named_child(s->root, i);
        TSNode inner =
            target_kind_is(one, "export_statement") ? target_field(one, "declaration") : one;
        if (ts_node_is_null(inner)) continue;
        TSNode own = target_field(inner, "name");
        if (!ts_node_is_null(own) && str_eq(target_text(s->text, own), name)) return true;
    }
    return false;
}

bool refactor_add_script_import(document *d, str name, str module, bool whole, arena *a,
                                refactoring *out) {
    refactor_site s;
    script_head h;
    *out = (refactoring){.name = name};
    if (!refactor_is_name(name) || !module.len || !refactor_begin(&s, d, a)) return false;
    if (!refactor_is_script(&s) || refactor_is_bound(&s, name) || is_type_of_file(&s, name))
        return false;
    read_head(&s, module, &h);
    if (h.requires && !h.modules) return false;
    if (!whole && !ts_node_is_null(h.same)) {
        size_t at =
            ts_node_end_byte(ts_node_named_child(h.same, ts_node_named_child_count(h.same) - 1));
        refactor_add(out, at, at, str_of(arena_printf(a, ", %.*s", STR_ARG(name))));
        return true;
    }
    const char *open = whole ? "" : "{ ", *close = whole ? "" : " }";
    refactor_add_line(&s, h.at,
                      arena_printf(a, "import %s%.*s%s from %c%.*s%c%s", open, STR_ARG(name), close,
                                   h.quote, STR_ARG(module), h.quote, h.end),
                      out);
    return true;
}

str refactor_script_ending(document *d, arena *a) {
    refactor_site s;
    str found = {0};
    bool seen = false;
    if (!refactor_begin(&s, d, a) || !refactor_is_script(&s)) return found;
    for (uint32_t i = 0; i < ts_node_named_child_count(s.root); i++) {
        TSNode one = ts_node_named_child(s.root, i);
        if (!target_kind_is(one, "import_statement")) continue;
        str source = inside_quotes(target_text(s.text, target_field(one, "source")));
        if (!str_starts_with(source, STR("."))) continue;
        str last = str_sub(source, (size_t)(str_rfind_char(source, '/') + 1), source.len);
        ptrdiff_t dot = str_rfind_char(last, '.');
        found = dot > 0 ? str_sub(last, (size_t)dot, last.len) : (str){0};
        seen = true;
    }
    bool plain = s.language[0] == 'j'; /* Node wants it of modules; compilers do not */
    return seen ? found : plain ? STR(".js") : (str){0};
}

/* ---- Go -------------------------------------------------------------------------------------- */

static str spec_path(const refactor_site *s, TSNode spec) {
    return inside_quotes(target_text(s->text, target_field(spec, "path")));
}

/* What an import is called in the file. */
static str spec_name(const refactor_site *s, TSNode spec) {
    TSNode alias = target_field(spec, "name");
    if (!ts_node_is_null(alias)) return target_text(s->text, alias);
    str path = spec_path(s, spec);
    return str_sub(path, (size_t)(str_rfind_char(path, '/') + 1), path.len);
}

/* The imports' places: the declaration, and in its last group the one that comes next in order. */
typedef struct {
    TSNode package, declaration, list, before, last;
    bool taken;
} go_head;

static void look_at_spec(const refactor_site *s, TSNode spec, str package, str path, go_head *h) {
    h->taken = h->taken || str_eq(spec_name(s, spec), package) || str_eq(spec_path(s, spec), path);
    bool apart = !ts_node_is_null(h->last) &&
                 ts_node_start_point(spec).row > ts_node_end_point(h->last).row + 1;
    if (apart) h->before = (TSNode){{0}, 0, 0};
    str other = spec_path(s, spec);
    int order = memcmp(other.ptr, path.ptr, MIN(other.len, path.len));
    bool next = order > 0 || (order == 0 && other.len > path.len);
    if (next && ts_node_is_null(h->before)) h->before = spec;
    h->last = spec;
}

static void read_go_head(const refactor_site *s, str package, str path, go_head *h) {
    *h = (go_head){0};
    for (uint32_t i = 0; i < ts_node_named_child_count(s->root); i++) {
        TSNode one = ts_node_named_child(s->root, i);
        if (target_kind_is(one, "package_clause")) h->package = one;
        if (!target_kind_is(one, "import_declaration") || !ts_node_named_child_count(one)) continue;
        TSNode inner = ts_node_named_child(one, 0);
        h->declaration = one;
        if (target_kind_is(inner, "import_spec")) {
            h->taken = h->taken || str_eq(spec_name(s, inner), package) ||
                       str_eq(spec_path(s, inner), path);
            continue;
        }
        h->list = inner;
        for (uint32_t k = 0; k < ts_node_named_child_count(inner); k++) {
            TSNode spec = ts_node_named_child(inner, k);
            if (target_kind_is(spec, "import_spec")) look_at_spec(s, spec, package, path, h);
        }
    }
}

bool refactor_add_go_import(document *d, str package, str path, arena *a, refactoring *out) {
    refactor_site s;
    go_head h;
    *out = (refactoring){.name = package};
    if (!package.len || !path.len || !refactor_begin(&s, d, a)) return false;
    if (strcmp(s.language, "go") != 0 || refactor_is_bound(&s, package)) return false;
    read_go_head(&s, package, path, &h);
    if (h.taken || ts_node_is_null(h.package)) return false;
    bool one_line = !ts_node_is_null(h.list) &&
                    ts_node_start_point(h.list).row == ts_node_end_point(h.list).row;
    if (one_line) return false;
    if (!ts_node_is_null(h.last)) {
        bool first = !ts_node_is_null(h.before);
        TSNode beside = first ? h.before : h.last;
        size_t line = document_line_of(s.document, ts_node_start_byte(beside)) + !first;
        refactor_add_line(&s, document_line_start(s.document, line),
                          arena_printf(a, "\t\"%.*s\"", STR_ARG(path)), out);
        return true;
    }
    bool none = ts_node_is_null(h.declaration);
    TSNode behind = none ? h.package : h.declaration;
    size_t line = document_line_of(s.document, ts_node_end_byte(behind)) + 1;
    const char *eol = document_eol(d);
    refactor_add_line(&s, document_line_start(s.document, line),
                      arena_printf(a, "%simport \"%.*s\"", none ? eol : "", STR_ARG(path)), out);
    return true;
}
