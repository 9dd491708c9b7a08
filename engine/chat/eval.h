/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The interpreter of templates: its state, and what its files offer each other.
 *
 * The first error sticks: after it every value is undefined and nothing more is written. */
#include "engine/chat/node.h"

typedef struct frame frame;
struct frame {
    frame *up;
    chat_value names; /* a dict */
};

typedef enum { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE } chat_flow;

typedef struct {
    arena *a; /* everything made while rendering */
    strbuf *out;
    frame *frame, *globals;
    uint64_t steps;
    int depth, line;
    chat_flow flow;
    status status;
    err *e;
} chat_eval;

typedef struct {
    chat_value *at;
    size_t count;
    chat_value named; /* a dict */
} chat_args;

/* Always gives the undefined value. */
chat_value eval_fail(chat_eval *x, status code, const char *fmt, ...) PRINTF_LIKE(3, 4);
chat_value eval_expression(chat_eval *x, const node *n);
void eval_statement(chat_eval *x, const node *n);
/* The text that a statement writes. */
chat_value eval_captured(chat_eval *x, const node *body);
/* A macro's text. */
chat_value eval_macro(chat_eval *x, const node *macro, const chat_args *args);
str eval_text(chat_eval *x, chat_value v); /* str(v) */
/* The buffer's text as a value; frees the buffer. */
chat_value eval_take(chat_eval *x, strbuf *b);

/* Argument number `i`, or the one called `name`; NULL: not given. */
const chat_value *eval_arg(const chat_args *args, size_t i, const char *name);

/* builtin.c.  False: there is none of that name. */
bool eval_filter(chat_eval *x, str name, chat_value on, const chat_args *args, chat_value *out);
bool eval_test(chat_eval *x, str name, chat_value on, const chat_args *args, bool *out);
bool eval_function_exists(str name);
chat_value eval_function(chat_eval *x, str name, const chat_args *args);
/* text.c: methods of strings and dicts. */
bool eval_method(chat_eval *x, chat_value on, str name, const chat_args *args, chat_value *out);
/* The attribute `name` (a key of a dict); undefined when it has none. */
chat_value eval_attribute(chat_value on, str name);
/* The members of a list, keys of a dict or characters of a string as a list. */
chat_value eval_members(chat_eval *x, chat_value v);
