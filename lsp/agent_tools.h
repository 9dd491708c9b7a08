/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The tools of one agent: how a model sees them, how it writes a call, and the three that stand for
 * many.  Pure.  Thread: loop. */
#include "engine/base/vec.h"
#include "lsp/agent.h"

typedef struct {
    char *name, *description;
    cJSON *schema; /* owned; NULL: none */
    bool seen;     /* its schema was shown: it may be called */
} toolbox_tool;

typedef struct {
    chat_tool_style style; /* CHAT_TOOLS_NONE: explained in words and written as TAGGED */
    VEC(toolbox_tool) tools;
} toolbox;

void toolbox_init(toolbox *b, chat_tool_style style, const agent_tool *tools, size_t n);
void toolbox_deinit(toolbox *b);

/* The tools as the template's `tools`: a list of functions.  Undefined: the template has no place
 * for them, see toolbox_explain. */
chat_value toolbox_for_template(const toolbox *b, arena *a);
/* The same in words, for the system message. */
void toolbox_explain(const toolbox *b, strbuf *out);

/* What stands before a call. */
str toolbox_trigger(const toolbox *b);
/* All calls that may be made now, behind the trigger; NULL: too large. */
grammar *toolbox_grammar(const toolbox *b);

typedef struct {
    cJSON *whole;           /* owned by the caller: cJSON_Delete */
    const char *name;       /* inside of it */
    const cJSON *arguments; /* an object; may be NULL */
} toolbox_call;
/* Reads the call that begins in `text`.  False: there is none, or it is no JSON, and *out is empty.
 */
bool toolbox_parse(const toolbox *b, str text, toolbox_call *out, size_t *begin);

/* One of the three that stand for many: answers it and returns true.  Else *tool and *arguments are
 * what is to be called (also through call_tool); *tool is NULL when there is no such. */
bool toolbox_answer(toolbox *b, const toolbox_call *c, strbuf *answer, const char **tool,
                    const cJSON **arguments);
