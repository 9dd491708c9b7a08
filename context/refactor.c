/* SPDX-License-Identifier: Apache-2.0 */
/* Extracting and inlining of variables: see refactor.h.
 *
 * A value may be computed in front of its statement when the way from it up to the statement leads
 * through nothing that runs several times, later, or not at all (a loop's condition, the right of
 * "and", a lambda), and when nothing with effects comes before it in the statement, unless it is
 * made of literals.  Inlining is the way back, under the same rule for the place where the value
 * goes; whether it needs parentheses is found by parsing the text without them.  Thread: loop.
 */
#include "context/refactor_private.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"

#define PARSE_US 4000

/* clang-format off */
static const char *const languages[] = {"c", "go", "javascript", "python", "tsx", "typescript"};
static const char *const expression_kinds[] = {
    "binary_operator", "boolean_operator", "comparison_operator", "not_operator", "unary_operator",
    "call", "attribute", "subscript", "list", "dictionary", "set", "tuple", "string", "integer",
    "float", "conditional_expression", "parenthesized_expression", "list_comprehension",
    "dictionary_comprehension", "set_comprehension", "concatenated_string", "binary_expression",
    "unary_expression", "call_expression", "member_expression", "subscript_expression", "array",
    "object", "template_string", "number", "ternary_expression", "new_expression",
    "selector_expression", "index_expression", "interpreted_string_literal", "int_literal",
    "float_literal", "field_expression", "string_literal", "number_literal",
};
/* clang-format on */

static bool is_expression(TSNode node) {
    return target_kind_in(node, expression_kinds, COUNTOF(expression_kinds));
}

bool refactor_begin(refactor_site *s, document *d, arena *a) {
    *s = (refactor_site){
        .document = d, .language = document_language(d), .text = document_text(d), .arena = a};
    bool known = false;
    for (size_t i = 0; i < COUNTOF(languages); i++)
        known = known || !strcmp(languages[i], s->language);
    if (!known || !document_has_syntax(d) || !context_parse(d, PARSE_US)) return false;
    s->root = ts_tree_root_node(syntax_tree(d->tree));
    return true;
}

bool refactor_is_script(const refactor_site *s) {
    return s->language[0] == 'j' || s->language[0] == 't';
}

bool refactor_indentation(const refactor_site *s, size_t offset, str *indentation) {
    size_t line = document_line_start(s->document, document_line_of(s->document, offset));
    *indentation = str_sub(s->text, line, offset);
    return !str_trim(*indentation).len;
}

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Anywhere in the file, also in comments and as a member. */
static bool is_used(const refactor_site *s, str name) {
    str text = s->text;
    for (ptrdiff_t hit; (hit = str_find(text, name)) >= 0;) {
        size_t from = (size_t)hit, to = from + name.len;
        bool begins = from == 0 || !is_word(text.ptr[from - 1]);
        if (begins && (to == text.len || !is_word(text.ptr[to]))) return true;
        text = str_sub(text, from + 1, text.len);
    }
    return false;
}

/* Of all languages at once: what is a keyword in one of them is a bad name in the others. */
static bool is_keyword(str name) {
    static const char words[] =
        " and as assert async auto await bool break byte case catch chan char class const continue "
        "debugger def default defer del delete do double elif else enum error except export "
        "extends "
        "extern fallthrough false finally float for from func function global go goto if "
        "implements "
        "import in inline instanceof int interface is lambda len let long map match new nil None "
        "nonlocal not null or package pass print private protected public raise range register "
        "restrict return select short signed sizeof static string struct super switch this throw "
        "true try type typedef typeof undefined union unsigned var void volatile while with yield "
        "True False self ";
    char padded[64];
    snprintf(padded, sizeof padded, " %.*s ", (int)MIN(name.len, 60), name.ptr);
    return strstr(words, padded) != NULL;
}

bool refactor_is_name(str name) {
    if (!name.len || name.len > 40 || (name.ptr[0] >= '0' && name.ptr[0] <= '9')) return false;
    bool letters = false;
    for (size_t i = 0; i < name.len; i++) {
        if (!is_word(name.ptr[i])) return false;
        letters = letters || (name.ptr[i] != '_' && name.ptr[i] > '9');
    }
    return letters && !is_keyword(name);
}

str refactor_name(const refactor_site *s, str wanted, const char *base) {
    bool mangled = wanted.len > 1 && wanted.ptr[0] == '_' && wanted.ptr[1] == '_';
    if (!refactor_is_name(wanted) || mangled) wanted = str_of(base);
    str name = arena_str(s->arena, wanted);
    for (int i = 2; i < 1000 && is_used(s, name); i++)
        name = str_of(arena_printf(s->arena, "%.*s_%d", STR_ARG(wanted), i));
    return name;
}

bool refactor_may_move(TSNode node, TSNode statement) {
    return names_constant(node) || !names_impure_before(statement, ts_node_start_byte(node));
}

void refactor_add(refactoring *r, size_t from, size_t to, str text) {
    ASSERT(r->n < COUNTOF(r->edits));
    r->edits[r->n++] = (text_edit){from, to, text};
}

/* ---- extract --------------------------------------------------------------------------------- */

/* "load_user(3)" gives "user", "a.size" gives "size". */
static const char *name_for(const refactor_site *s, TSNode node) {
    static const char *const verbs[] = {"get_", "load_", "make_", "create_", "find_", "read_"};
    TSNode inner = target_field(node, "function");
    if (ts_node_is_null(inner)) inner = node;
    static const char *const members[] = {"attribute", "property", "field"};
    for (size_t i = 0; i < COUNTOF(members); i++) {
        TSNode member = target_field(inner, members[i]);
        if (!ts_node_is_null(member)) inner = member;
    }
    str word = target_text(s->text, inner);
    for (size_t i = 0; i < COUNTOF(verbs); i++) {
        if (str_starts_with(word, str_of(verbs[i])))
            word = str_sub(word, strlen(verbs[i]), word.len);
    }
    bool plain = word.len > 1 && word.len < 32 && !ts_node_eq(inner, node);
    for (size_t i = 0; i < word.len; i++) {
        char c = word.ptr[i];
        plain = plain && ((c >= 'a' && c <= 'z') || c == '_' || (i && c >= '0' && c <= '9') ||
                          (i && c >= 'A' && c <= 'Z'));
    }
    return plain ? arena_printf(s->arena, "%.*s", STR_ARG(word)) : "value";
}

static const char *declaration(const refactor_site *s, TSNode node, str name) {
    str value = target_text(s->text, node);
    if (refactor_is_script(s))
        return arena_printf(s->arena, "const %.*s = %.*s;", STR_ARG(name), STR_ARG(value));
    if (!strcmp(s->language, "go"))
        return arena_printf(s->arena, names_constant(node) ? "const %.*s = %.*s" : "%.*s := %.*s",
                            STR_ARG(name), STR_ARG(value));
    if (!strcmp(s->language, "python"))
        return arena_printf(s->arena, "%.*s = %.*s", STR_ARG(name), STR_ARG(value));
    str type = refactor_c_type(s, node, 0);
    if (!type.len) return NULL;
    return arena_printf(s->arena, "%.*s%s%.*s = %.*s;", STR_ARG(type),
                        type.ptr[type.len - 1] == '*' ? "" : " ", STR_ARG(name), STR_ARG(value));
}

/* In C `(name) && label < x` is read by the grammar as a cast: it could not be inlined again. */
static bool reads_as_cast(TSNode node) {
    TSNode parens = ts_node_parent(node), outer = ts_node_parent(parens);
    return target_kind_is(parens, "parenthesized_expression") &&
           target_kind_is(target_field(outer, "operator"), "&&") &&
           target_is_field(outer, "left", parens);
}

/* In C a literal is more than its value: 0 is a null pointer, a text fills an array; and a macro
 * does with its arguments what it likes. */
static bool is_more_than_value(const refactor_site *s, TSNode node, TSNode statement) {
    if (strcmp(s->language, "c") != 0) return false;
    if (reads_as_cast(node)) return true;
    bool text = target_kind_is(node, "string_literal");
    if (target_kind_is(node, "number_literal") && str_eq(target_text(s->text, node), STR("0")))
        return true;
    for (uint32_t i = 0; i < ts_node_named_child_count(statement); i++) {
        if (target_kind_is(ts_node_named_child(statement, i), "storage_class_specifier"))
            return true; /* computed once, or before the program runs */
    }
    for (TSNode at = node; !ts_node_eq(at, statement); at = ts_node_parent(at)) {
        TSNode parent = ts_node_parent(at), callee = target_field(parent, "function");
        TSNode declarator = target_field(parent, "declarator");
        bool list = target_kind_is(parent, "initializer_list");
        bool array = target_kind_is(parent, "init_declarator") &&
                     target_kind_is(declarator, "array_declarator");
        if (text && (list || array)) return true;
        if (target_kind_is(parent, "call_expression") &&
            refactor_is_macro(s, target_text(s->text, callee)))
            return true;
    }
    return false;
}

/* In Go: what has no type of its own and takes that of its place, or is several values at once. */
static bool takes_its_type(const refactor_site *s, TSNode node) {
    TSNode parent = ts_node_parent(node), holder = ts_node_parent(parent);
    if (strcmp(s->language, "go") != 0 || names_constant(node)) return false;
    if (target_kind_is(node, "binary_expression")) {
        str operator= target_text(s->text, target_field(node, "operator"));
        bool shift = str_eq(operator, STR("<<")) || str_eq(operator, STR(">>"));
        if (shift && names_constant(target_field(node, "left"))) return true;
    }
    TSNode left = target_field(holder, "left");
    bool one = !ts_node_is_null(left) && ts_node_named_child_count(left) == 1;
    bool alone = ts_node_named_child_count(parent) == 1 &&
                 (target_kind_is(parent, "argument_list") ||
                  (target_kind_is(parent, "expression_list") && !one));
    if (target_kind_is(node, "call_expression")) return alone; /* f() may have two results */
    bool two = target_kind_is(node, "index_expression") ||
               target_kind_is(node, "type_assertion_expression") ||
               target_kind_is(node, "unary_expression");
    if (two && alone && target_is_field(holder, "right", parent)) return true; /* v, ok := m[k] */
    name_uses uses = {0}, all = {0};
    bool good = names_find(s->text, node, &uses) && names_find(s->text, names_scope(node), &all);
    bool local = names_impure(node);
    for (size_t i = 0; i < uses.count && good; i++) {
        for (size_t k = 0; k < all.count && !local; k++)
            local = all.at[k].role != NAME_READ && str_eq(all.at[k].text, uses.at[i].text);
    }
    vec_free(&uses);
    vec_free(&all);
    return !local; /* perhaps a constant */
}

/* Names that only mean something below the statement: those of comprehensions around are barriers,
 * those inside of the expression move with it. */
enum { OPEN_LINE_BYTES = 16 << 10 }; /* a longer value is not looked through: it nests as deep */

/* In Python a line ends where no bracket of the value's own is open: what stood inside of a call's
 * would be cut in two. */
static bool has_open_line(const refactor_site *s, TSNode node) {
    uint32_t depth = 0, end = ts_node_start_byte(node);
    for (uint32_t i = 0; i < ts_node_child_count(node); i++) {
        TSNode child = ts_node_child(node, i);
        uint32_t from = ts_node_start_byte(child);
        if (depth == 0 && str_find(str_sub(s->text, end, from), STR("\n")) >= 0) return true;
        const char *kind = ts_node_type(child);
        depth += strchr("([{", kind[0]) && !kind[1];
        depth -= depth > 0 && strchr(")]}", kind[0]) && !kind[1];
        if (depth == 0 && !target_kind_is(child, "string") && has_open_line(s, child)) return true;
        end = ts_node_end_byte(child);
    }
    return false;
}

bool refactor_extract_variable(document *d, size_t from, size_t to, str wanted, arena *a,
                               refactoring *out) {
    refactor_site s;
    TSNode node, statement;
    str chosen = str_trim(str_sub(document_text(d), from, to)), indentation;
    *out = (refactoring){0};
    if (!chosen.len || !refactor_begin(&s, d, a)) return false;
    from = (size_t)(chosen.ptr - s.text.ptr);
    to = from + chosen.len;
    if (!target_exact(s.root, from, to, &node)) return false;
    while (target_kind_is(node, "parenthesized_expression") && ts_node_named_child_count(node) == 1)
        node = ts_node_named_child(node, 0); /* the parentheses may be those of an `if` */
    from = ts_node_start_byte(node);
    to = ts_node_end_byte(node);
    if (!is_expression(node)) return false;
    if (ts_node_has_error(node) || !refactor_statement(node, &statement)) return false;
    if (ts_node_has_error(statement) || ts_node_eq(statement, node)) return false;
    bool alone = target_kind_is(statement, "expression_statement") &&
                 ts_node_named_child_count(statement) == 1 &&
                 ts_node_eq(ts_node_named_child(statement, 0), node);
    size_t at = ts_node_start_byte(statement);
    if (alone || !refactor_indentation(&s, at, &indentation)) return false;
    if (!refactor_may_move(node, statement)) return false;
    if (s.language[0] == 'p' && (to - from > OPEN_LINE_BYTES || has_open_line(&s, node)))
        return false;
    if (is_more_than_value(&s, node, statement) || takes_its_type(&s, node)) return false;
    out->name = refactor_name(&s, wanted, name_for(&s, node));
    const char *line = declaration(&s, node, out->name);
    if (!line) return false;
    const char *front = arena_printf(a, "%s%s%.*s", line, document_eol(d), STR_ARG(indentation));
    if (from == at) {
        refactor_add(out, from, to, str_of(arena_printf(a, "%s%.*s", front, STR_ARG(out->name))));
    } else {
        refactor_add(out, at, at, str_of(front));
        refactor_add(out, from, to, out->name);
    }
    return true;
}

/* ---- inline ---------------------------------------------------------------------------------- */

typedef struct {
    TSNode statement, value;
    str name;
} local_variable;

/* In C: the declaration says of the value's type what the value itself does, and declares nothing
 * else. */
static bool has_its_type(const refactor_site *s, TSNode statement, TSNode name, TSNode value) {
    for (uint32_t i = 0; i < ts_node_child_count(statement); i++) {
        if (target_kind_is(ts_node_child(statement, i), ",")) return false;
    }
    str type = refactor_c_type(s, value, 0);
    str said = str_trim(str_sub(s->text, ts_node_start_byte(statement), ts_node_start_byte(name)));
    return type.len && str_eq(type, said);
}

/* Whether nothing but white space follows on the statement's last line. */
static bool ends_its_line(const refactor_site *s, TSNode statement) {
    size_t end = ts_node_end_byte(statement), line = document_line_of(s->document, end);
    size_t stop = document_line_start(s->document, line) + document_line(s->document, line).len;
    return !str_trim(str_sub(s->text, end, stop)).len;
}

/* A statement that gives one name one value and does nothing else. */
static bool read_declaration(const refactor_site *s, TSNode statement, local_variable *out) {
    TSNode inner = statement, name, value;
    bool wraps = target_kind_is(statement, "expression_statement") ||
                 target_kind_is(statement, "lexical_declaration") ||
                 target_kind_is(statement, "variable_declaration");
    if (wraps && ts_node_named_child_count(statement) != 1) return false;
    if (wraps) inner = ts_node_named_child(statement, 0);
    if (target_kind_is(statement, "declaration")) inner = target_field(statement, "declarator");
    bool constant = target_kind_is(statement, "const_declaration"); /* Go's */
    if (constant && ts_node_named_child_count(statement) == 1)
        inner = ts_node_named_child(statement, 0);
    if (ts_node_is_null(inner)) return false;
    bool plain =
        target_kind_is(inner, "assignment") || target_kind_is(inner, "short_var_declaration");
    bool declared = target_kind_is(inner, "variable_declarator") ||
                    target_kind_is(inner, "init_declarator") ||
                    (constant && target_kind_is(inner, "const_spec"));
    if (!plain && !declared) return false;
    name = target_field(inner, plain                                      ? "left"
                               : target_kind_is(inner, "init_declarator") ? "declarator"
                                                                          : "name");
    value = target_field(inner, plain ? "right" : "value");
    if (constant && !ts_node_is_null(value) && ts_node_named_child_count(inner) == 2)
        value = ts_node_named_child(value, 0);
    if (target_kind_is(inner, "short_var_declaration") && !ts_node_is_null(value)) {
        if (ts_node_named_child_count(name) != 1 || ts_node_named_child_count(value) != 1)
            return false;
        name = ts_node_named_child(name, 0);
        value = ts_node_named_child(value, 0);
    }
    if (!ts_node_is_null(name) && target_kind_is(name, "pointer_declarator"))
        name = target_field(name, "declarator");
    if (ts_node_is_null(name) || ts_node_is_null(value)) return false;
    if (!target_kind_is(name, "identifier") || !is_expression(value)) return false;
    if (!ts_node_is_null(target_field(inner, "type")))
        return false; /* it says more than the value */
    *out = (local_variable){statement, value, target_text(s->text, name)};
    return strcmp(s->language, "c") != 0 || has_its_type(s, statement, name, value);
}

/* Where the variable of that name is declared in the scope, and its reads; false: it is not one
 * that is bound once. */
static bool find_variable(const refactor_site *s, TSNode scope, str name, local_variable *out,
                          name_uses *reads) {
    name_uses all = {0};
    bool good = names_find(s->text, scope, &all), bound = false;
    for (size_t i = 0; i < all.count && good; i++) {
        name_use u = all.at[i];
        if (!str_eq(u.text, name)) continue;
        if (u.role == NAME_READ && target_kind_is(u.node, "identifier")) {
            good = bound; /* a read in front of it means another variable */
            vec_push(reads, u);
            continue;
        }
        TSNode statement = u.node;
        TSNode above = ts_node_parent(statement);
        while (!ts_node_is_null(above) && !refactor_is_block(above)) {
            statement = above;
            above = ts_node_parent(statement);
        }
        good = !bound && u.role == NAME_BIND && !ts_node_is_null(above) &&
               read_declaration(s, statement, out) && str_eq(out->name, name);
        bound = true;
    }
    vec_free(&all);
    return good && bound && reads->count > 0 && reads->count < 24;
}

/* Whether the value is the same at each read as where it is computed now. */
static bool keeps_value(const refactor_site *s, const local_variable *v, const name_uses *reads) {
    bool constant = names_constant(v->value);
    TSNode next = ts_node_next_named_sibling(v->statement), statement;
    for (size_t i = 0; i < reads->count; i++) {
        TSNode read = reads->at[i].node;
        if (!refactor_may_stand(s->text, v->value, read)) return false;
        if (constant) continue;
        if (!refactor_statement(read, &statement) || ts_node_is_null(next)) return false;
        if (!ts_node_eq(statement, next) ||
            names_impure_before(statement, ts_node_start_byte(read)))
            return false;
    }
    return constant || reads->count == 1 || !names_impure(v->value);
}

/* Builds the edits with parentheses around the reads that `parens` marks, and finds which of them
 * need some: those where the value is not parsed as one. */
static bool try_inline(const refactor_site *s, const local_variable *v, const name_uses *reads,
                       bool *parens, refactoring *out) {
    str value = arena_str(s->arena, target_text(s->text, v->value)); /* outlives the text */
    size_t line = document_line_of(s->document, ts_node_start_byte(v->statement));
    size_t from = document_line_start(s->document, line);
    size_t to = document_line_start(
        s->document, document_line_of(s->document, ts_node_end_byte(v->statement)) + 1);
    strbuf text;
    strbuf_init(&text, LIMIT_DOCUMENT_BYTES);
    size_t starts[24];
    *out = (refactoring){.name = arena_str(s->arena, v->name)};
    refactor_add(out, from, to, STR(""));
    for (size_t i = 0; i < reads->count; i++) {
        TSNode node = reads->at[i].node;
        str with = parens[i] ? str_of(arena_printf(s->arena, "(%.*s)", STR_ARG(value))) : value;
        refactor_add(out, ts_node_start_byte(node), ts_node_end_byte(node), with);
    }
    change_apply(s->text, out->edits, out->n, &text);
    size_t shift = 0; /* of the new text against the old one */
    for (size_t i = 0; i < out->n; i++) {
        if (i) starts[i - 1] = out->edits[i].from + shift + parens[i - 1];
        shift += out->edits[i].text.len - (out->edits[i].to - out->edits[i].from);
    }
    str pieces[6] = {strbuf_str(&text)};
    TSTree *tree =
        syntax_parse(syntax_grammar(s->document->tree), pieces, clock_us() + LIMIT_JUDGE_US);
    bool parsed = tree && !ts_node_has_error(ts_tree_root_node(tree));
    for (size_t i = 0; i < reads->count && tree; i++) {
        TSNode there;
        bool one = target_exact(ts_tree_root_node(tree), starts[i], starts[i] + value.len, &there);
        while (one && !target_kind_is(there, ts_node_type(v->value))) {
            TSNode parent = ts_node_parent(there); /* "(a)" covers what "a" in it does not */
            one = !ts_node_is_null(parent) && ts_node_start_byte(parent) == starts[i] &&
                  ts_node_end_byte(parent) == starts[i] + value.len;
            there = parent;
        }
        parens[i] = parens[i] || !one;
        parsed = parsed && one;
    }
    if (tree) ts_tree_delete(tree);
    strbuf_deinit(&text);
    return parsed;
}

bool refactor_inline_variable(document *d, size_t at, arena *a, refactoring *out) {
    refactor_site s;
    *out = (refactoring){0};
    if (!refactor_begin(&s, d, a)) return false;
    TSNode node = ts_node_named_descendant_for_byte_range(s.root, (uint32_t)at, (uint32_t)at);
    if (!ts_node_is_null(node) && !target_kind_is(node, "identifier") && at > 0)
        node = ts_node_named_descendant_for_byte_range(s.root, (uint32_t)at - 1, (uint32_t)at - 1);
    if (ts_node_is_null(node) || !target_kind_is(node, "identifier")) return false;
    TSNode scope = names_scope(node);
    if (!target_is_function(scope) || ts_node_has_error(scope)) return false;
    local_variable v;
    name_uses reads = {0};
    str indentation;
    bool good = find_variable(&s, scope, target_text(s.text, node), &v, &reads) &&
                refactor_indentation(&s, ts_node_start_byte(v.statement), &indentation) &&
                ends_its_line(&s, v.statement) && keeps_value(&s, &v, &reads);
    bool parens[24] = {false};
    if (good)
        good = try_inline(&s, &v, &reads, parens, out) || try_inline(&s, &v, &reads, parens, out);
    vec_free(&reads);
    return good;
}
