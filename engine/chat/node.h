/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A parsed template: a tree of nodes in one arena. */
#include "engine/chat/value.h"

typedef enum {
    /* expressions */
    N_LITERAL, /* literal */
    N_NAME,    /* name */
    N_LIST,    /* many */
    N_DICT,    /* many: key, value, key, value ... */
    N_ATTR,    /* a.name */
    N_ITEM,    /* a[b] */
    N_SLICE,   /* many: object, from, to, step; each but the first may be NULL */
    N_CALL,    /* a(many), named arguments are N_NAMED */
    N_NAMED,   /* name = a */
    N_FILTER,  /* a | name(many) */
    N_TEST,    /* a is name(many); flag: is not */
    N_NOT,     /* not a */
    N_NEGATE,  /* -a */
    N_BINARY,  /* a op b */
    N_AND,     /* a and b */
    N_OR,      /* a or b */
    N_COMPARE, /* a op b, then op b of each in many */
    N_IF_ELSE, /* a if b else c; c may be NULL */
    N_CAPTURE, /* the text that the block b writes */
    /* statements */
    N_TEXT,  /* name: the text */
    N_PRINT, /* a */
    N_BLOCK, /* many */
    N_IF,    /* a: condition, b: then, c: else or NULL */
    N_FOR,   /* many: targets; a: what, b: body, c: else or NULL, d: condition or NULL */
    N_SET,   /* a: target (N_NAME or N_ATTR), b: value, or c: a block; many: several names */
    N_MACRO, /* name, many: parameters (N_NAMED, a may be NULL), b: body */
    N_BREAK,
    N_CONTINUE,
} node_kind;

typedef enum {
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_FLOOR,
    OP_MOD,
    OP_POW,
    OP_CONCAT,
    OP_EQ,
    OP_NE,
    OP_LT,
    OP_LE,
    OP_GT,
    OP_GE,
    OP_IN,
    OP_NOT_IN,
} node_op;

typedef struct node node;
struct node {
    node_kind kind;
    node_op op;
    bool flag;
    int line;
    str name;
    chat_value literal;
    node *a, *b, *c, *d;
    node **many;
    size_t count, cap;
};

struct chat_template {
    arena arena;
    node *root;
};

/* ---- tokens ---------------------------------------------------------------------------------- */

typedef enum {
    T_TEXT,  /* outside of tags */
    T_BEGIN, /* {% */
    T_END,   /* %} */
    T_OPEN,  /* {{ */
    T_CLOSE, /* }} */
    T_NAME,
    T_STRING, /* text is what it means */
    T_NUMBER, /* value */
    T_MARK,   /* an operator or a bracket */
    T_EOF,
} token_kind;

typedef struct {
    token_kind kind;
    int line;
    str text;
    chat_value value;
} token;

typedef struct {
    token *at;
    size_t count, cap;
} tokens;

/* Cuts a template into tokens; white space is trimmed as the tags say. */
status chat_lex(arena *a, str source, tokens *out, err *e) MUST_USE;
