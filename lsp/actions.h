/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Code actions: the list, which needs no model, and what happens when one is chosen.
 *
 * An action is known by its word ("improve", "review"), which the argument of its command, or its
 * data, names with the document, its version and the range.  Thread: loop. */
#include "lsp/protocol_actions.h"
#include "lsp/work.h"

typedef enum {
    ACTION_EDIT,    /* a model writes the target anew */
    ACTION_COMMENT, /* a model writes its documentation */
    ACTION_TESTS,   /* a model writes another file */
    ACTION_REVIEW,  /* a model finds; the word says in what */
    ACTION_EXPLAIN, /* a model writes a page */
    ACTION_NAME,    /* the syntax tree extracts, and a model says how the new thing is called */
} action_way;

typedef struct {
    const char *word, *kind;
    const char *verb, *tail; /* the title is verb, what it is about, tail */
    action_way way;
    const char *task;                                           /* what the model is told */
    bool (*offered)(const document *d, const change_target *t); /* NULL: always */
} code_action;

/* NULL: there is none of that word. */
const code_action *action_find(str word);
const code_action *action_at(size_t i); /* in the order of the menu; NULL past the end */
/* "foo", "lines 3-7 of foo": what an action is about. */
void action_label(const document *d, const change_target *t, char out[static 96]);

void actions_request(server *s, const cJSON *params, reply *r); /* textDocument/codeAction */
void actions_resolve(server *s, const cJSON *params, reply *r); /* codeAction/resolve */
/* workspace/executeCommand of a name that begins with "inlined."; false: there is none. */
bool actions_command(server *s, str command, const cJSON *params, reply *r);

/* ---- for the files of this feature ---------------------------------------------------------- */

#define ACTION_COMMAND "inlined.action"
#define ACTION_APPLY "apply" /* in its argument: the word of an edit that is ready */

/* An argument with its document, or an error that has been answered (false; `r` is gone). */
typedef struct {
    lsp_action_argument in;
    document *document;
    size_t from, to; /* bytes */
} action_place;
bool action_read_place(server *s, const cJSON *argument, action_place *out, reply *r);

/* Why nothing may be done with a document: a sentence, or NULL. */
const char *action_refusal(const server *s, const document *d);

/* action_edit.c: runs one of the table.  `resolve`: the action (copied) that is sent back with its
 * edit; NULL: the edit is applied. */
void action_edit_start(server *s, const code_action *a, const action_place *at,
                       const cJSON *resolve, const cJSON *token, reply *r);

/* action_name.c: the same for the tree's extractions that a model names. */
void action_name_start(server *s, const code_action *a, const action_place *at,
                       const cJSON *resolve, const cJSON *token, reply *r);
/* Whether a model could name something now. */
bool action_name_ready(const server *s);

/* action_apply.c: an action whose edit (a->edit, taken) is ready, for the list.  Clients without
 * code action literals get the command that has it made, or nothing where they take no edits. */
void action_add_ready(server *s, const document *d, lsp_action *a, cJSON *list);
/* Ends work by what the client says to workspace/applyEdit. */
void action_applied(work *w, const rpc_answer *a);
/* That command; `argument` holds the edit. */
void action_apply_start(server *s, const action_place *at, const cJSON *argument,
                        const cJSON *token, reply *r);

/* action_review.c, action_explain.c */
void action_review_start(server *s, const action_place *at, const cJSON *token, reply *r);
void action_explain_start(server *s, const action_place *at, const cJSON *token, reply *r);
/* The message of a commit, from what is staged; `argument` may have a uri. */
void action_commit_start(server *s, const cJSON *argument, const cJSON *token, reply *r);

/* action_prompt.c */
typedef struct {
    const document *document;
    const change_target *target;
    const char *task;
    str instruction;                 /* of the person; may be empty */
    const struct cJSON *diagnostics; /* to be fixed; may be NULL */
    str marked;                      /* lines of the target that the task is about; may be empty */
    const char *answer;              /* how the answer must look: a sentence */
} action_prompt;
str action_prompt_system(void);
void action_prompt_user(server *s, const action_prompt *p, strbuf *out);
/* Definitions of other places and the code before `at`, quoted; a part of what there is room for in
 * a question of its own (divisor 1). */
void action_prompt_context(server *s, const document *d, size_t at, int divisor, strbuf *out);
/* `text` between marks that it cannot close. */
void action_prompt_fence(strbuf *out, const char *language, str text);
