/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Values of templates: lists, ordered dicts, and the questions that Python asks of them. */
#include "engine/chat.h"

struct chat_list {
    chat_value *at;
    size_t count, cap;
};

typedef struct {
    str key;
    bool whole; /* the key is a number, and `key` its decimals */
    chat_value value;
} chat_entry;

struct chat_dict {
    chat_entry *at;
    size_t count, cap;
};

chat_value chat_undefined(void);
const chat_value *chat_dict_find(const chat_dict *d, str key); /* NULL: not there */
chat_value chat_key(const chat_entry *e);
/* Any key: numbers stay numbers, everything else becomes its text. */
void chat_dict_set_any(arena *a, chat_value dict, chat_value key, chat_value item);
const chat_value *chat_dict_find_any(const chat_dict *d, chat_value key);
bool chat_truth(chat_value v);
bool chat_equal(chat_value a, chat_value b);
bool chat_is_number(chat_value v); /* bool, int or float, as in Python */
double chat_number(chat_value v);
int64_t chat_integer(chat_value v); /* of a bool or int */
/* -1, 0, 1; 2: they have no order. */
int chat_compare(chat_value a, chat_value b);
/* str(v); `quoted`: repr(v), as it stands inside lists. */
void chat_print(strbuf *out, chat_value v, bool quoted, int depth);

typedef struct {
    int indent;    /* < 0: on one line */
    str item, key; /* separators; the defaults are ", " and ": " */
    bool ascii, sorted;
} chat_json_style;
/* json.dumps(v); false: something has no JSON form. */
bool chat_json(strbuf *out, chat_value v, const chat_json_style *style, int depth);
