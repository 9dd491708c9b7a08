/* SPDX-License-Identifier: Apache-2.0 */
/* The type of a Go variable, where this file says it for sure: declarations, literals, builtins,
 * functions, methods and structs of the file, and a few of the standard library whose results
 * nobody will ever change.  Everything else has none.  Thread: loop; no state. */
#include "context/refactor_function.h"

#define DEPTH_MAX 10

typedef struct {
    const extraction *x;
    int depth;
} go_reader;

static str type_of(go_reader *r, TSNode node);
static str type_of_variable(go_reader *r, const local_name *l);

static str text_of(const go_reader *r, TSNode node) {
    return ts_node_is_null(node) ? (str){0} : target_text(r->x->site.text, node);
}

static bool is_one(str text, const char *const *list, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (str_eq(text, str_of(list[i]))) return true;
    }
    return false;
}

/* "[]T" gives T, "map[K]V" V, "*T" T; empty: it is none of these. */
static str element(str type) {
    if (str_starts_with(type, STR("[]"))) return str_sub(type, 2, type.len);
    if (str_starts_with(type, STR("chan "))) return str_trim(str_sub(type, 5, type.len));
    if (!str_starts_with(type, STR("map["))) return (str){0};
    int open = 0;
    for (size_t i = 3; i < type.len; i++) {
        open += type.ptr[i] == '[' ? 1 : type.ptr[i] == ']' ? -1 : 0;
        if (!open) return str_sub(type, i + 1, type.len);
    }
    return (str){0};
}

static str map_key(str type) {
    str value = element(type);
    return value.len ? str_sub(type, 4, type.len - value.len - 1) : (str){0};
}

static str pointed(str type) {
    return str_starts_with(type, STR("*")) ? str_sub(type, 1, type.len) : type;
}

/* ---- definitions of the file ----------------------------------------------------------------- */

/* The top-level definition of that kind and name; for methods: of that receiver. */
static bool find_top(const go_reader *r, const char *kind, str name, str receiver, TSNode *out) {
    TSNode root = r->x->site.root;
    for (uint32_t i = 0; i < ts_node_named_child_count(root); i++) {
        TSNode one = ts_node_named_child(root, i);
        if (!target_kind_is(one, kind)) continue;
        if (!strcmp(kind, "type_declaration")) {
            for (uint32_t k = 0; k < ts_node_named_child_count(one); k++) {
                *out = ts_node_named_child(one, k);
                if (str_eq(text_of(r, target_field(*out, "name")), name)) return true;
            }
            continue;
        }
        if (!str_eq(text_of(r, target_field(one, "name")), name)) continue;
        if (receiver.len) {
            TSNode list = target_field(one, "receiver");
            if (ts_node_is_null(list)) continue;
            TSNode parameter = ts_node_named_child(list, 0);
            str type = text_of(r, target_field(parameter, "type"));
            if (!str_eq(pointed(type), receiver)) continue;
        }
        *out = one;
        return true;
    }
    return false;
}

/* The i-th of `count` results of a function. */
static str result_of(const go_reader *r, TSNode function, size_t i, size_t count) {
    if (!ts_node_is_null(target_field(function, "type_parameters"))) return (str){0};
    TSNode result = target_field(function, "result");
    if (ts_node_is_null(result)) return (str){0};
    if (!target_kind_is(result, "parameter_list"))
        return count == 1 ? text_of(r, result) : (str){0};
    str found = {0};
    size_t at = 0;
    for (uint32_t k = 0; k < ts_node_named_child_count(result); k++) {
        TSNode one = ts_node_named_child(result, k);
        size_t names = 0;
        for (uint32_t n = 0; n < ts_node_child_count(one); n++) {
            const char *field = ts_node_field_name_for_child(one, n);
            names += field && !strcmp(field, "name") && ts_node_is_named(ts_node_child(one, n));
        }
        names = MAX(names, (size_t)1);
        if (i >= at && i < at + names) found = text_of(r, target_field(one, "type"));
        at += names;
    }
    return at == count ? found : (str){0};
}

static bool has_import(const go_reader *r, str package) {
    char quoted[80];
    snprintf(quoted, sizeof quoted, "\"%.*s\"", (int)MIN(package.len, 60), package.ptr);
    return str_find(r->x->site.text, str_of(quoted)) >= 0;
}

/* ---- calls ----------------------------------------------------------------------------------- */

/* clang-format off */
static const struct {
    const char *package, *function;
    const char *results[2];
} library[] = {
    {"errors", "New", {"error"}}, {"fmt", "Errorf", {"error"}}, {"fmt", "Sprintf", {"string"}},
    {"fmt", "Sprint", {"string"}}, {"fmt", "Sprintln", {"string"}},
    {"strconv", "Itoa", {"string"}}, {"strconv", "Atoi", {"int", "error"}},
    {"strings", "TrimSpace", {"string"}}, {"strings", "ToLower", {"string"}},
    {"strings", "ToUpper", {"string"}}, {"strings", "Join", {"string"}},
    {"strings", "Split", {"[]string"}}, {"strings", "Fields", {"[]string"}},
    {"strings", "Contains", {"bool"}}, {"strings", "HasPrefix", {"bool"}},
    {"strings", "HasSuffix", {"bool"}}, {"strings", "Index", {"int"}},
    {"strings", "Replace", {"string"}}, {"strings", "ReplaceAll", {"string"}},
    {"strings", "TrimPrefix", {"string"}}, {"strings", "TrimSuffix", {"string"}},
    {"os", "ReadFile", {"[]byte", "error"}}, {"os", "Getenv", {"string"}},
};
static const char *const basic[] = {
    "bool", "string", "int", "int8", "int16", "int32", "int64", "uint", "uint8", "uint16",
    "uint32", "uint64", "uintptr", "byte", "rune", "float32", "float64", "complex64",
    "complex128", "error", "any",
};
/* Whose values mean the same when they are copied, whatever methods are called. */
static const char *const interfaces[] = {
    "error", "any", "interface{}", "context.Context", "io.Reader", "io.Writer", "http.ResponseWriter",
};
/* clang-format on */

/* A local of that name stands in front of what else the name means. */
static const local_name *local_of(const go_reader *r, TSNode identifier) {
    for (size_t i = 0; i < r->x->uses.count; i++) {
        if (ts_node_eq(r->x->uses.at[i].node, identifier))
            return r->x->of.at[i] >= 0 ? &r->x->locals.at[r->x->of.at[i]] : NULL;
    }
    return NULL;
}

static str call_of_name(go_reader *r, TSNode call, TSNode callee, size_t i, size_t count) {
    static const char *const counting[] = {"len", "cap", "copy"};
    static const char *const making[] = {"make", "append"};
    str name = text_of(r, callee);
    TSNode found, list = target_field(call, "arguments"), first = {{0}, 0, 0};
    if (ts_node_named_child_count(list)) first = ts_node_named_child(list, 0);
    if (local_of(r, callee)) return (str){0}; /* a function as a value */
    if (find_top(r, "function_declaration", name, (str){0}, &found))
        return result_of(r, found, i, count);
    if (count != 1) return (str){0};
    if (find_top(r, "type_declaration", name, (str){0}, &found)) return name;
    if (is_one(name, counting, COUNTOF(counting))) return STR("int");
    if (is_one(name, basic, COUNTOF(basic))) return name;
    if (ts_node_is_null(first)) return (str){0};
    if (str_eq(name, STR("new")))
        return str_of(arena_printf(r->x->site.arena, "*%.*s", STR_ARG(text_of(r, first))));
    if (!is_one(name, making, COUNTOF(making))) return (str){0};
    return str_eq(name, STR("make")) ? text_of(r, first) : type_of(r, first);
}

static str call_of_member(go_reader *r, TSNode callee, size_t i, size_t count) {
    TSNode operand = target_field(callee, "operand"), found;
    str name = text_of(r, target_field(callee, "field"));
    bool plain = target_kind_is(operand, "identifier");
    if (plain && !local_of(r, operand)) {
        str package = text_of(r, operand);
        for (size_t k = 0; k < COUNTOF(library); k++) {
            if (!str_eq(package, str_of(library[k].package)) ||
                !str_eq(name, str_of(library[k].function)) || !has_import(r, package))
                continue;
            size_t results = library[k].results[1] ? 2 : 1;
            return results == count && i < 2 ? str_of(library[k].results[i]) : (str){0};
        }
    }
    str type = type_of(r, operand);
    if (str_eq(type, STR("error")) && str_eq(name, STR("Error"))) return STR("string");
    if (!type.len || !find_top(r, "method_declaration", name, pointed(type), &found))
        return (str){0};
    return result_of(r, found, i, count);
}

static str call_type(go_reader *r, TSNode call, size_t i, size_t count) {
    TSNode callee = target_field(call, "function");
    if (!ts_node_is_null(target_field(call, "type_arguments"))) return (str){0};
    if (target_kind_is(callee, "identifier")) return call_of_name(r, call, callee, i, count);
    if (target_kind_is(callee, "selector_expression")) return call_of_member(r, callee, i, count);
    return (str){0};
}

/* ---- expressions ----------------------------------------------------------------------------- */

static str literal_type(TSNode node) {
    static const char *const list[][2] = {
        {"int_literal", "int"},
        {"float_literal", "float64"},
        {"rune_literal", "rune"},
        {"interpreted_string_literal", "string"},
        {"true", "bool"},
        {"false", "bool"},
        {"raw_string_literal", "string"},
    };
    for (size_t i = 0; i < COUNTOF(list); i++) {
        if (target_kind_is(node, list[i][0])) return str_of(list[i][1]);
    }
    return (str){0};
}

/* A constant without a type takes the other side's. */
static str binary_type(go_reader *r, TSNode node) {
    static const char *const truths[] = {"==", "!=", "<", ">", "<=", ">=", "&&", "||"};
    str operator= text_of(r, target_field(node, "operator"));
    TSNode left = target_field(node, "left"), right = target_field(node, "right");
    if (is_one(operator, truths, COUNTOF(truths))) return STR("bool");
    bool shift = str_eq(operator, STR("<<")) || str_eq(operator, STR(">>"));
    str a = type_of(r, left), b = type_of(r, right);
    bool constant_a = names_constant(left), constant_b = names_constant(right);
    if (shift) return constant_a ? (str){0} : a;
    if (constant_a && constant_b) return str_eq(a, b) ? a : (str){0};
    if (!constant_a && a.len) return a;
    return constant_b ? (str){0} : b;
}

static str unary_type(go_reader *r, TSNode node) {
    TSNode operand = target_field(node, "operand");
    str operator= text_of(r, target_field(node, "operator")), type = type_of(r, operand);
    if (str_eq(operator, STR("!"))) return STR("bool");
    if (!type.len) return type;
    if (str_eq(operator, STR("&")))
        return str_of(arena_printf(r->x->site.arena, "*%.*s", STR_ARG(type)));
    if (str_eq(operator, STR("*"))) return pointed(type).len < type.len ? pointed(type) : (str){0};
    if (str_eq(operator, STR("<-"))) return element(type);
    return type;
}

/* `x.f` of a struct of this file. */
static str field_type(go_reader *r, TSNode node) {
    str type = pointed(type_of(r, target_field(node, "operand"))), found = {0};
    str name = text_of(r, target_field(node, "field"));
    TSNode spec;
    if (!type.len || !find_top(r, "type_declaration", type, (str){0}, &spec)) return found;
    if (!ts_node_is_null(target_field(spec, "type_parameters"))) return found;
    TSNode body = target_field(spec, "type");
    if (!target_kind_is(body, "struct_type") || !ts_node_named_child_count(body)) return found;
    TSNode list = ts_node_named_child(body, 0);
    for (uint32_t i = 0; i < ts_node_named_child_count(list); i++) {
        TSNode one = ts_node_named_child(list, i);
        for (uint32_t k = 0; k < ts_node_child_count(one); k++) {
            const char *field = ts_node_field_name_for_child(one, k);
            if (field && !strcmp(field, "name") && str_eq(text_of(r, ts_node_child(one, k)), name))
                found = text_of(r, target_field(one, "type"));
        }
    }
    return found;
}

static str inner_type(go_reader *r, TSNode node) {
    str literal = literal_type(node);
    if (literal.len) return literal;
    if (target_kind_is(node, "identifier")) {
        const local_name *l = local_of(r, node);
        return l ? type_of_variable(r, l) : (str){0};
    }
    if (target_kind_is(node, "parenthesized_expression"))
        return type_of(r, ts_node_named_child(node, 0));
    if (target_kind_is(node, "unary_expression")) return unary_type(r, node);
    if (target_kind_is(node, "binary_expression")) return binary_type(r, node);
    if (target_kind_is(node, "call_expression")) return call_type(r, node, 0, 1);
    if (target_kind_is(node, "selector_expression")) return field_type(r, node);
    if (target_kind_is(node, "composite_literal") ||
        target_kind_is(node, "type_conversion_expression") ||
        target_kind_is(node, "type_assertion_expression"))
        return text_of(r, target_field(node, "type"));
    if (target_kind_is(node, "slice_expression")) {
        str type = type_of(r, target_field(node, "operand"));
        bool same = str_eq(type, STR("string")) || str_starts_with(type, STR("[]"));
        return same ? type : (str){0};
    }
    if (!target_kind_is(node, "index_expression")) return (str){0};
    str type = type_of(r, target_field(node, "operand"));
    return str_eq(type, STR("string")) ? STR("byte") : element(type);
}

static str type_of(go_reader *r, TSNode node) {
    if (ts_node_is_null(node) || r->depth >= DEPTH_MAX) return (str){0};
    r->depth++;
    str type = inner_type(r, node);
    r->depth--;
    return type;
}

/* ---- variables ------------------------------------------------------------------------------- */

/* Which of the names of a list this is. */
static size_t index_of(TSNode list, TSNode name) {
    for (uint32_t i = 0; i < ts_node_named_child_count(list); i++) {
        if (ts_node_eq(ts_node_named_child(list, i), name)) return i;
    }
    return 0;
}

static str range_type(go_reader *r, const local_name *l) {
    str type = type_of(r, target_field(l->declaration, "right"));
    bool second = index_of(target_field(l->declaration, "left"), l->name) == 1;
    if (str_eq(type, STR("string"))) return second ? STR("rune") : STR("int");
    if (str_eq(type, STR("int"))) return STR("int");
    if (str_starts_with(type, STR("[]"))) return second ? element(type) : STR("int");
    if (str_starts_with(type, STR("map["))) return second ? element(type) : map_key(type);
    return str_starts_with(type, STR("chan ")) ? element(type) : (str){0};
}

/* `a := x`, `a, b := x, y`, `a, err := f()`, `v, ok := m[k]`. */
static str value_type(go_reader *r, TSNode left, TSNode right, TSNode name) {
    size_t i = index_of(left, name), names = ts_node_named_child_count(left);
    if (ts_node_is_null(right)) return (str){0};
    size_t values = ts_node_named_child_count(right);
    if (names == values) return type_of(r, ts_node_named_child(right, (uint32_t)i));
    if (values != 1) return (str){0};
    TSNode value = ts_node_named_child(right, 0);
    if (target_kind_is(value, "call_expression")) return call_type(r, value, i, names);
    bool tests = target_kind_is(value, "index_expression") ||
                 target_kind_is(value, "type_assertion_expression") ||
                 target_kind_is(value, "unary_expression"); /* <-c */
    if (!tests || names != 2) return (str){0};
    return i == 1 ? STR("bool") : type_of(r, value);
}

static str type_of_variable(go_reader *r, const local_name *l) {
    TSNode d = l->declaration, type = target_field(d, "type");
    if (l->several || r->depth >= DEPTH_MAX) return (str){0};
    if (target_kind_is(d, "const_spec")) return (str){0}; /* maybe without a type */
    if (target_kind_is(d, "variadic_parameter_declaration"))
        return str_of(arena_printf(r->x->site.arena, "[]%.*s", STR_ARG(text_of(r, type))));
    if (!ts_node_is_null(type)) return text_of(r, type);
    if (target_kind_is(d, "range_clause")) return range_type(r, l);
    r->depth++;
    str found = {0};
    if (target_kind_is(d, "short_var_declaration"))
        found = value_type(r, target_field(d, "left"), target_field(d, "right"), l->name);
    else if (target_kind_is(d, "var_spec") && ts_node_named_child_count(d) == 2)
        found = type_of(r, ts_node_named_child(target_field(d, "value"), 0));
    r->depth--;
    return found;
}

local_type refactor_go_local(const extraction *x, const local_name *l) {
    go_reader r = {.x = x};
    local_type out = {type_of_variable(&r, l), HOLDS_VALUE};
    for (size_t i = 0; i < out.type.len; i++) {
        if (out.type.ptr[i] == '\n') out.type.len = 0; /* a struct that is written out */
    }
    static const char *const references[] = {"*", "[]", "map[", "chan ", "func(", "interface{"};
    bool plain = is_one(out.type, basic, COUNTOF(basic)) ||
                 is_one(out.type, interfaces, COUNTOF(interfaces));
    for (size_t i = 0; i < COUNTOF(references); i++)
        plain = plain || str_starts_with(out.type, str_of(references[i]));
    TSNode spec;
    if (!plain && find_top(&r, "type_declaration", out.type, (str){0}, &spec))
        plain = target_kind_is(target_field(spec, "type"), "interface_type");
    if (plain) out.holds = HOLDS_NOTHING;
    return out;
}
