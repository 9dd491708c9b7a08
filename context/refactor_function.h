/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files share that extract functions: see refactor_function.c. */
#include "context/refactor_private.h"

#define VARIABLES_MAX 12

/* A variable that a function of C or Go declares. */
typedef struct {
    str text;
    TSNode name, declaration; /* its identifier; the node that says its type */
    TSNode home;              /* the scope that it lives in */
    size_t visible;           /* from this byte on */
    bool several;             /* declared more than once in its scope */
} local_name;

typedef VEC(local_name) local_names;

/* How a name's text is used: what is at `.x` or `[i]` of it belongs to it, or lies elsewhere. */
typedef enum {
    HOLDS_NOTHING, /* a pointer, a slice, a map: copies mean the same thing */
    HOLDS_VALUE,   /* perhaps a struct: what is stored in it is lost with a copy */
    HOLDS_ARRAY,   /* a C array: as a parameter it is a pointer */
} local_holds;

typedef struct {
    str type; /* as the language writes it in front of (C) or behind (Go) the name */
    local_holds holds;
} local_type;

typedef struct {
    str name, type; /* the type is empty where the language needs none */
} variable;

typedef struct {
    refactor_site site;
    TSNode block, scope, outer; /* of the statements; the function around; what stands at the top */
    size_t from, to;
    bool typed;         /* C, Go */
    name_uses uses;     /* of the function */
    VEC(int) of;        /* of each use: its variable, -1: none of the function's */
    local_names locals; /* C, Go: the variables; else empty */
    variable in[VARIABLES_MAX], out[VARIABLES_MAX];
    variable inner[VARIABLES_MAX]; /* C: declared anew in the function, without a value */
    size_t n_in, n_out, n_inner;
    bool declared;       /* the outputs are declared by the statements themselves */
    const char *keyword; /* "const" or "let": how they are */
    const char *why;     /* a sentence's end: what stands against it */
} extraction;

/* False, with ->why: it cannot be done. */
bool refactor_find_variables(extraction *x);
/* Says why, once, and is false. */
bool refactor_refuse(extraction *x, const char *why, str name);
bool refactor_in_selection(const extraction *x, TSNode node);
/* The block that a node's statement stands in; a parameter's is the function. */
TSNode refactor_home(TSNode node);
/* Whether the node is evaluated exactly once whenever the statement of `home` around it is. */
bool refactor_is_sure(TSNode node, TSNode home);

/* ---- refactor_scope.c: C and Go ------------------------------------------------------------- */

/* Which variable each use of a function is. */
void refactor_resolve(extraction *x);
/* The scope around a node, or the node itself where it is one. */
TSNode refactor_scope_of(TSNode node);
/* `x.f = 1`, `x[i]++`; `&x.f`, Go's `x[:]` and `x.method()`: what is done with a part of x. */
typedef enum { PART_READ, PART_STORED, PART_SHARED } part_use;
part_use refactor_part_use(const extraction *x, TSNode identifier);
/* What an extraction must not hold in C: macros, members that decay to pointers into a copy. */
bool refactor_check_macros(extraction *x);
bool refactor_copies_well(const extraction *x, TSNode identifier, str type);

/* ---- types ----------------------------------------------------------------------------------- */

/* The type of a local; empty: the text does not say it. */
local_type refactor_c_local(const extraction *x, const local_name *l);
local_type refactor_go_local(const extraction *x, const local_name *l);
