/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* An editor that uses actions, for tests: what it announces, chooses, asks and answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lsp/lsp_peer.h"

#define URI "file:///w/a.py"
#define TEXT "def f(a):\\n    return a\\n\\nx = 1\\n"

/* What a modern editor announces, and an old one. */
#define MODERN                                                                                     \
 "\"workspace\":{\"applyEdit\":true,\"workspaceEdit\":{\"documentChanges\":true,"                  \
 "\"changeAnnotationSupport\":{},\"resourceOperations\":[\"create\"]}},\"textDocument\":{"         \
 "\"codeAction\":{\"codeActionLiteralSupport\":{\"codeActionKind\":{\"valueSet\":[]}},"            \
 "\"dataSupport\":true,\"resolveSupport\":{\"properties\":[\"edit\"]},"                            \
 "\"tagSupport\":{\"valueSet\":[1]}}},\"window\":{\"workDoneProgress\":true}"
#define COMMANDS                                                                                   \
 "\"workspace\":{\"applyEdit\":true},\"textDocument\":{\"codeAction\":{"                           \
 "\"codeActionLiteralSupport\":{\"codeActionKind\":{\"valueSet\":[]}}}}"
#define OLD "\"workspace\":{\"applyEdit\":true}"

/* Opens, initialises with these capabilities, makes the model ready, opens URI with TEXT. */
void action_begin(lsp_peer *p, const char *capabilities);
/* Asks for the actions at the start of a line; `extra` is the context's members. */
void action_list(lsp_peer *p, int id, int line, const char *extra);
/* The titles of a list, each followed by a bar. */
void action_expect_titles(lsp_peer *p, int id, const char *want);
/* The action of a line's list whose title begins like this.  Delete it. */
cJSON *action_choose(lsp_peer *p, int line, const char *title);
void action_send(lsp_peer *p, int id, const char *method, const cJSON *params);
/* Chooses an action, by resolving it or by its command. */
void action_run(lsp_peer *p, int id, int line, const char *title);
/* The request ended with this error, in one line, and nothing runs any more. */
void action_expect_error(lsp_peer *p, int id, int code, const char *part);
/* The same while other work goes on. */
void action_expect_answer(lsp_peer *p, int id, int code);
/* The id of a request that the server has sent; 0: none. */
int action_asked(lsp_peer *p, const char *method, cJSON **params);
void action_reply(lsp_peer *p, int id, const char *result);
void action_expect_text(const cJSON *json, const char *dotted, const char *want);
void action_expect_number(const cJSON *json, const char *dotted, int want);
