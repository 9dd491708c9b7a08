/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Chat templates: the text that a model was trained to see for a list of messages.
 *
 * The template stands in the model's file (tokenizer.chat_template) and is a program in Jinja: it
 * is run, not guessed at.  What is implemented is the part of Jinja that published templates use,
 * in the environment of Hugging Face's transformers (blocks trimmed, and stripped on their left).
 * A template is outside data: its size, its steps, its nesting, its memory and its output are
 * bounded, and it can reach nothing but the values that it is given.
 *
 * Thread: any; a parsed template is read-only.
 */
#include "engine/base/arena.h"
#include "engine/base/status.h"

typedef enum {
    CHAT_UNDEFINED,
    CHAT_NONE,
    CHAT_BOOL,
    CHAT_INT,
    CHAT_FLOAT,
    CHAT_STR,
    CHAT_LIST,
    CHAT_DICT,
    CHAT_CALLABLE, /* inside templates only */
} chat_kind;

typedef struct chat_list chat_list;
typedef struct chat_dict chat_dict;

/* Small, passed by value.  What it points to lives in the arena that it was made in (or is the
 * caller's, for strings). */
typedef struct {
    chat_kind kind;
    bool markup; /* a string that went through the filter "safe" */
    union {
        bool boolean;
        int64_t integer;
        double real;
        str text;
        chat_list *list;
        chat_dict *dict;
        const void *callable;
    };
} chat_value;

chat_value chat_none(void);
chat_value chat_bool(bool b);
chat_value chat_int(int64_t i);
chat_value chat_float(double f);
chat_value chat_str(str s); /* borrowed */
chat_value chat_new_list(arena *a);
void chat_list_add(arena *a, chat_value list, chat_value item);
chat_value chat_new_dict(arena *a);
/* `key` is borrowed; an existing key keeps its place. */
void chat_dict_set(arena *a, chat_value dict, str key, chat_value item);

/* Of a list or dict: how many items, and one of them (`key` may be NULL; it stays empty for lists).
 * Others have none. */
size_t chat_count(chat_value v);
chat_value chat_at(chat_value v, size_t i, str *key);
/* A dict's item, or undefined. */
chat_value chat_get(chat_value dict, str key);

typedef struct chat_template chat_template;

/* ERR_FORMAT: no valid template; ERR_UNSUPPORTED: a part of Jinja that is not implemented;
 * ERR_LIMIT.  The sentence names the line. `source` is copied. */
status chat_template_parse(chat_template **out, str source, err *e) MUST_USE;
void chat_template_free(chat_template *t); /* accepts NULL */

/* Appends the text.  `vars` is a dict: messages, add_generation_prompt, tools, bos_token, eos_token
 * and whatever else the template asks for.  ERR_USAGE: the template itself refuses these messages,
 * in its own words; ERR_FORMAT: it does something senseless with them; ERR_LIMIT. */
status chat_template_render(const chat_template *t, chat_value vars, strbuf *out, err *e) MUST_USE;
