/* SPDX-License-Identifier: Apache-2.0 */
/* Which variables go into an extracted function, and which come out of it.
 *
 * Inputs are the variables of the function around that the statements read and that have a value
 * for sure where these stand; outputs are those that they set and that are read afterwards (in a
 * loop: anywhere in it).  In C and Go a copy must mean the same: variables whose address is taken,
 * or whose type the text does not say, are refused.  Thread: loop; no state. */
#include "context/refactor_function.h"

typedef struct {
    bool bound_before, certain; /* in front of the selection; whenever that is reached */
    bool set_inside, set_surely, read_inside, read_after;
    bool read_first;                    /* inside, perhaps in front of what sets it there */
    bool read_outside, bound_elsewhere; /* not before, not inside */
    bool shared, captured; /* its address is taken; it is used by a function in the function */
    bool set_later;        /* apart from its declaration */
    bool sized, decays;    /* C: sizeof; a member that may be an array */
    TSNode binding;        /* the first one inside */
} usage;

bool refactor_refuse(extraction *x, const char *why, str name) {
    ptrdiff_t at = str_find(str_of(why), STR("%s"));
    if (x->why) return false;
    x->why = at < 0 ? why
                    : arena_printf(x->site.arena, "%.*s%.*s%s", (int)at, why,
                                   (int)MIN(name.len, 60), name.ptr, why + at + 2);
    return false;
}

TSNode refactor_home(TSNode node) {
    TSNode at = ts_node_parent(node);
    while (!ts_node_is_null(at) && !refactor_is_block(at) && !target_is_function(at))
        at = ts_node_parent(at);
    return at;
}

/* ---- what surely happens --------------------------------------------------------------------- */

/* clang-format off */
static const char *const branches[] = {
    "if_statement", "for_in_statement", "while_statement", "switch_statement", "match_statement",
    "expression_switch_statement", "type_switch_statement", "select_statement", "try_statement",
    "case_statement", "switch_case", "switch_default", "expression_case", "default_case",
    "type_case", "communication_case", "conditional_expression", "ternary_expression",
    "labeled_statement", "range_clause", "lambda", "func_literal", "arrow_function",
};
/* clang-format on */

/* `for (i = 0; ...)`: the first part alone. */
static bool is_for_start(TSNode parent, TSNode node) {
    return target_is_field(parent, "initializer", node) || target_kind_is(node, "for_clause");
}

static bool is_lazy(TSNode parent, TSNode node) {
    TSNode operator= target_field(parent, "operator");
    if (!target_is_field(parent, "right", node)) return false;
    if (target_kind_is(parent, "boolean_operator")) return true;
    return target_kind_is(parent, "binary_expression") &&
           (target_kind_is(operator, "&&") || target_kind_is(operator, "||") ||
            target_kind_is(operator, "??"));
}

bool refactor_is_sure(TSNode node, TSNode home) {
    for (TSNode at = node; !ts_node_eq(at, home);) {
        TSNode parent = ts_node_parent(at);
        if (ts_node_is_null(parent)) return false;
        for (size_t i = 0; i < COUNTOF(branches); i++) {
            if (target_kind_is(parent, branches[i])) return false;
        }
        bool loop = target_kind_is(parent, "for_statement") || target_kind_is(parent, "for_clause");
        if (loop && !is_for_start(parent, at)) return false;
        if (is_lazy(parent, at)) return false;
        at = parent;
    }
    return true;
}

/* Whether a binding in front of the selection has happened whenever that is reached: `for x in ...`
 * binds x only when it turns, which is good inside of it. */
static bool is_certain(const extraction *x, TSNode binding) {
    TSNode home = refactor_home(binding);
    if (ts_node_is_null(home) || !names_within(x->block, home)) return false;
    if (refactor_is_sure(binding, home)) return true;
    for (TSNode at = binding;; at = ts_node_parent(at)) {
        TSNode parent = ts_node_parent(at);
        if (names_within(x->block, at)) return !target_kind_is(at, "switch_statement");
        bool lazy = is_lazy(parent, at) || target_kind_is(parent, "conditional_expression") ||
                    target_kind_is(parent, "ternary_expression");
        if (lazy || ts_node_eq(parent, home)) return false;
    }
}

/* ---- uses ------------------------------------------------------------------------------------ */

/* Inside of something that runs later than it stands: a function in the function, a lambda, unless
 * the variable (may be NULL) is that one's own. */
static bool is_deferred(const extraction *x, TSNode node, const local_name *l) {
    for (TSNode at = ts_node_parent(node); !ts_node_is_null(at) && !ts_node_eq(at, x->scope);
         at = ts_node_parent(at)) {
        if (l && names_within(l->name, at)) return false;
        if (target_is_function(at) || target_kind_is(at, "lambda") ||
            target_kind_is(at, "func_literal") || target_kind_is(at, "generator_expression"))
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

static TSNode statement_in(TSNode node, TSNode home) {
    while (!ts_node_eq(ts_node_parent(node), home))
        node = ts_node_parent(node);
    return node;
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

static bool is_c(const extraction *x) {
    return !strcmp(x->site.language, "c");
}

/* `int x;`: it has no value yet. */
static bool is_blank_declaration(const extraction *x, TSNode node) {
    TSNode parent = ts_node_parent(node);
    while (target_kind_is(parent, "pointer_declarator") ||
           target_kind_is(parent, "array_declarator"))
        parent = ts_node_parent(parent);
    return is_c(x) && target_kind_is(parent, "declaration");
}

/* What a use does beyond reading or setting the whole variable; returns its role by that. */
static name_role note_parts(const extraction *x, const name_use *u, const local_type *t,
                            usage *out) {
    TSNode parent = ts_node_parent(u->node);
    bool address = (target_kind_is(parent, "pointer_expression") ||
                    target_kind_is(parent, "unary_expression")) &&
                   target_kind_is(ts_node_child(parent, 0), "&");
    out->shared = out->shared || address;
    out->sized = out->sized || target_kind_is(parent, "sizeof_expression") ||
                 target_kind_is(ts_node_parent(parent), "sizeof_expression");
    if (u->role != NAME_READ || t->holds != HOLDS_VALUE) return u->role;
    part_use part = refactor_part_use(x, u->node);
    out->shared = out->shared || part == PART_SHARED;
    if (part == PART_READ && refactor_in_selection(x, u->node) && is_c(x))
        out->decays = out->decays || !refactor_copies_well(x, u->node, t->type);
    return part == PART_STORED ? NAME_BOTH : NAME_READ;
}

/* Whether the variable is set in the selection, in front of this read, whenever that is reached. */
static bool is_covered(const extraction *x, int of, TSNode read) {
    for (size_t i = 0; i < x->uses.count; i++) {
        const name_use *u = &x->uses.at[i];
        if (x->of.at[i] != of || u->role != NAME_BIND || !refactor_in_selection(x, u->node) ||
            is_blank_declaration(x, u->node))
            continue;
        TSNode home = refactor_home(u->node);
        if (!names_within(read, home) || !refactor_is_sure(u->node, home)) continue;
        /* The right side is read before the left side is set. */
        TSNode statement = statement_in(u->node, home);
        if (ts_node_end_byte(statement) <= ts_node_start_byte(read)) return true;
    }
    return false;
}

static void note_use(const extraction *x, const name_use *u, name_role role, const local_name *l,
                     const TSNode *loop, usage *out) {
    bool inside = refactor_in_selection(x, u->node), deferred = is_deferred(x, u->node, l);
    bool reads = role != NAME_BIND;
    bool binds = role != NAME_READ && !is_blank_declaration(x, u->node);
    size_t at = ts_node_start_byte(u->node);
    if (inside && binds && !out->set_inside) out->binding = u->node;
    out->captured = out->captured || deferred;
    if (inside) {
        out->read_inside = out->read_inside || reads;
        out->set_inside = out->set_inside || binds;
        TSNode home = refactor_home(u->node);
        if (binds && ts_node_eq(home, x->block) && refactor_is_sure(u->node, home))
            out->set_surely = true;
        return;
    }
    out->read_outside = out->read_outside || reads;
    if (binds && at < x->from) {
        out->bound_before = true;
        out->certain = out->certain || is_certain(x, u->node);
    }
    if (binds && at >= x->to) out->bound_elsewhere = true;
    if (reads && deferred) out->read_after = true;
    if (reads && (at >= x->to || (loop && names_within(u->node, *loop)))) out->read_after = true;
}

/* ---- decisions ------------------------------------------------------------------------------- */

static bool add_once(extraction *x, variable *list, size_t *n, variable v) {
    for (size_t i = 0; i < *n; i++) {
        if (str_eq(list[i].name, v.name)) return true;
    }
    if (*n == VARIABLES_MAX) return refactor_refuse(x, "it would have too many parameters", v.name);
    list[(*n)++] = v;
    return true;
}

static bool is_script_declaration(TSNode binding, const char **keyword, str text) {
    TSNode at = binding;
    while (!ts_node_is_null(at) && !target_kind_is(at, "lexical_declaration"))
        at = refactor_is_block(at) ? (TSNode){{0}, 0, 0} : ts_node_parent(at);
    if (ts_node_is_null(at)) return false;
    *keyword = str_starts_with(target_text(text, at), STR("const")) ? "const" : "let";
    return true;
}

static const char unsure[] = "%s has a value there only perhaps";

/* Set before all else, whatever happens: its old value does not matter. */
static bool is_fresh(const usage *u) {
    return u->set_surely && !u->read_first;
}

/* Decides about one variable of Python or JavaScript; false: it cannot be done. */
static bool settle(extraction *x, str name, const usage *u) {
    bool script = refactor_is_script(&x->site), fresh = is_fresh(u);
    variable v = {.name = name};
    if (u->set_inside && u->read_after) { /* an output */
        if (!u->bound_before && !u->set_surely) return refactor_refuse(x, unsure, name);
        if (u->bound_before && !u->certain && !fresh) return refactor_refuse(x, unsure, name);
        if (!add_once(x, x->out, &x->n_out, v)) return false;
        bool declared = script && is_script_declaration(u->binding, &x->keyword, x->site.text);
        if (script && (x->n_out > 1 || declared == u->bound_before))
            return refactor_refuse(x, "they set more than one variable that is used later", name);
        x->declared = declared;
    } else if (script && u->set_inside && u->bound_before) {
        return refactor_refuse(x, "%s is set there, but not used afterwards", name);
    }
    bool local = u->bound_before || u->bound_elsewhere;
    bool input = u->read_inside && local && !fresh;
    bool kept = u->set_inside && u->bound_before && (script || (u->read_after && !fresh));
    if (!input && !kept) return true;
    if (!u->bound_before || !u->certain) return refactor_refuse(x, unsure, name);
    return add_once(x, x->in, &x->n_in, v);
}

/* A variable that the selection declares itself and that is used afterwards. */
static bool settle_declared(extraction *x, const local_name *l, const usage *u, variable v) {
    TSNode home = refactor_home(l->name);
    if (!ts_node_eq(home, x->block) || !u->set_surely) return refactor_refuse(x, unsure, v.name);
    x->declared = true;
    return add_once(x, x->out, &x->n_out, v);
}

/* A variable from in front of the selection. */
static bool settle_outer(extraction *x, const local_name *l, const usage *u, variable v) {
    bool fresh = is_fresh(u), output = u->set_inside && u->read_after;
    bool valued = u->certain || !is_c(x); /* in Go every variable has a value */
    bool needs = !fresh && (u->read_inside || output);
    if (output && !valued && !fresh) return refactor_refuse(x, unsure, v.name);
    if (output && !add_once(x, x->out, &x->n_out, v)) return false;
    if (needs && !valued) return refactor_refuse(x, unsure, v.name);
    if (is_c(x) && !needs) return add_once(x, x->inner, &x->n_inner, v);
    bool renewed = fresh && u->read_outside && ts_node_eq(l->home, refactor_scope_of(x->block));
    TSNode binding = fresh ? ts_node_parent(ts_node_parent(u->binding)) : l->name;
    if (renewed && target_kind_is(binding, "short_var_declaration")) return true; /* a, err := */
    return add_once(x, x->in, &x->n_in, v);
}

static bool is_named_result(const local_name *l) {
    for (TSNode at = l->declaration; !ts_node_is_null(ts_node_parent(at));
         at = ts_node_parent(at)) {
        if (target_is_field(ts_node_parent(at), "result", at)) return true;
    }
    return false;
}

static bool settle_typed(extraction *x, const local_name *l, const local_type *t, usage *u) {
    bool inside = refactor_in_selection(x, l->name), array = t->holds == HOLDS_ARRAY;
    variable v = {l->text, t->type};
    u->read_after = u->read_after || (is_named_result(l) && u->set_inside);
    if (inside && !u->read_after && !u->read_outside) return true; /* it moves as a whole */
    if (l->several) return refactor_refuse(x, "%s is declared more than once", l->text);
    if (u->shared) return refactor_refuse(x, "the address of a variable is taken", l->text);
    if (!t->type.len) return refactor_refuse(x, "the type of %s is not known here", l->text);
    if (u->decays) return refactor_refuse(x, "a member of %s may be an array", l->text);
    if (u->captured && (u->set_inside || u->set_later))
        return refactor_refuse(x, "a function inside of this one uses %s", l->text);
    if (array && (inside || u->sized)) return refactor_refuse(x, "%s is an array", l->text);
    if (array) return add_once(x, x->in, &x->n_in, v);
    return inside ? settle_declared(x, l, u, v) : settle_outer(x, l, u, v);
}

/* A variable that the selection declares at its top under the name of a parameter. */
static bool names_clash(extraction *x) {
    for (size_t i = 0; i < x->locals.count; i++) {
        const local_name *l = &x->locals.at[i];
        if (!refactor_in_selection(x, l->name) || !ts_node_eq(refactor_home(l->name), x->block))
            continue;
        for (size_t k = 0; k < x->n_in + x->n_inner; k++) {
            str name = k < x->n_in ? x->in[k].name : x->inner[k - x->n_in].name;
            if (str_eq(name, l->text))
                return !refactor_refuse(x, "two variables are called %s", name);
        }
    }
    return false;
}

/* All outputs come out of one statement: one value in C; in Go those that are declared there may
 * come with others of the same block. */
static bool outputs_fit(extraction *x) {
    if (is_c(x) && x->n_out > 1)
        return refactor_refuse(x, "they set more than one variable that is used later", (str){0});
    if (!x->declared) return true;
    for (size_t i = 0; i < x->n_out; i++) {
        for (size_t k = 0; k < x->locals.count; k++) {
            const local_name *l = &x->locals.at[k];
            bool seen = str_eq(l->text, x->out[i].name) && names_within(x->block, l->home);
            if (seen && !ts_node_eq(l->home, refactor_scope_of(x->block)))
                return refactor_refuse(x, "%s is declared elsewhere", l->text);
        }
    }
    return true;
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* Names without declarations are one variable each in a function. */
static void resolve_by_name(extraction *x) {
    for (size_t i = 0; i < x->uses.count; i++) {
        int of = (int)i;
        for (size_t k = 0; k < i && of == (int)i; k++) {
            if (str_eq(x->uses.at[k].text, x->uses.at[i].text)) of = x->of.at[k];
        }
        vec_push(&x->of, of);
    }
}

static bool is_first_inside(const extraction *x, size_t i) {
    for (size_t k = 0; k < i; k++) {
        if (x->of.at[k] == x->of.at[i] && refactor_in_selection(x, x->uses.at[k].node))
            return false;
    }
    return true;
}

/* The function's own name: a call of itself stays one. */
static bool is_own_name(const extraction *x, str name) {
    TSNode own;
    return target_name_node(x->scope, &own) && str_eq(target_text(x->site.text, own), name);
}

static bool look_at(extraction *x, size_t i, const TSNode *loop) {
    str name = x->uses.at[i].text;
    const local_name *l = x->typed ? &x->locals.at[x->of.at[i]] : NULL;
    local_type t = {{0}, HOLDS_NOTHING};
    if (l) t = is_c(x) ? refactor_c_local(x, l) : refactor_go_local(x, l);
    usage u = {0};
    bool inner = true;
    for (size_t k = 0; k < x->uses.count; k++) {
        const name_use *one = &x->uses.at[k];
        if (x->of.at[k] != x->of.at[i]) continue;
        bool own = refactor_in_selection(x, one->node) && is_inner(one->node);
        inner = inner && (own || one->role == NAME_READ);
        name_role role = l ? note_parts(x, one, &t, &u) : one->role;
        u.set_later = u.set_later || (l && role != NAME_READ && !ts_node_eq(one->node, l->name));
        note_use(x, one, role, l, loop, &u);
        bool reads = role != NAME_BIND && refactor_in_selection(x, one->node);
        u.read_first = u.read_first || (reads && !is_covered(x, x->of.at[i], one->node));
    }
    bool own = l && refactor_in_selection(x, l->name);                     /* is new each time */
    if (loop && u.set_inside && u.read_first && !own) u.read_after = true; /* next time */
    if (l) return settle_typed(x, l, &t, &u);
    bool comprehension = inner && u.set_inside;
    if (comprehension && (u.bound_before || u.read_after))
        return refactor_refuse(x, "two variables are called %s", name);
    return comprehension || settle(x, name, &u);
}

bool refactor_find_variables(extraction *x) {
    enum { USES_MAX = 3000 };
    static const char *const special[] = {"arguments", "locals",  "eval",     "exec",
                                          "super",     "recover", "va_start", "va_arg",
                                          "va_end",    "alloca",  "setjmp"};
    TSNode loop;
    bool in_loop = find_loop(x, &loop);
    if (!names_find(x->site.text, x->scope, &x->uses) || x->uses.count > USES_MAX)
        return refactor_refuse(x, "the function is too long", (str){0});
    if (x->typed)
        refactor_resolve(x);
    else
        resolve_by_name(x);
    for (size_t i = 0; i < x->uses.count; i++) {
        name_use one = x->uses.at[i];
        if (!refactor_in_selection(x, one.node)) continue;
        for (size_t k = 0; k < COUNTOF(special); k++) {
            if (str_eq(one.text, str_of(special[k])))
                return refactor_refuse(x, "%s means the function that it stands in", one.text);
        }
        if (x->of.at[i] < 0 || !is_first_inside(x, i)) continue;
        if (!x->typed && is_own_name(x, one.text)) continue;
        if (!look_at(x, i, in_loop ? &loop : NULL)) return false;
    }
    if (!x->typed) return true;
    return !names_clash(x) && outputs_fit(x) && (!is_c(x) || refactor_check_macros(x));
}
