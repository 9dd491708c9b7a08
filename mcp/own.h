/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What we offer ourselves, without a server: tools for files of the workspace (read only), a
 * memory, git, the time; and the tools, prompts and resources that a project declares in a file.
 * `inlined mcp serve` offers them to others.
 *
 * A declared one is a text, a file below the workspace, or a command: an argument vector with
 * places for arguments, never a shell.  A command that "speaks" exchanges lines of JSON with us,
 * see own_talk.c.  Files are looked at on libuv's threads, commands are processes; the loop waits
 * for neither.  Thread: loop. */
#include <cjson/cJSON.h>
#include <uv.h>

#include "engine/base/status.h"
#include "engine/base/str.h"

typedef struct own_tools own_tools;

typedef enum { OWN_TOOL, OWN_PROMPT, OWN_RESOURCE, OWN_TEMPLATE } own_kind;

/* Borrowed from the set; what a kind does not have is NULL. */
typedef struct {
    own_kind kind;
    const char
        *name; /* of a resource: its URI; of a template: its pattern, such as "doc://{page}" */
    const char *title, *description, *mime_type;
    const cJSON *schema;        /* a tool's: of its arguments */
    const cJSON *output_schema; /* a tool's: of its structured content */
    const cJSON *arguments;     /* a prompt's: a list of {name, description, required} */
    bool read_only, destructive, idempotent, open_world;
} own_offer;

/* What is asked about the code: find_symbol, list_symbols, diagnostics.  For the last with a
 * "path": the file's text, or the sentence why there is none. */
typedef struct {
    const char *tool;
    const cJSON *arguments;
    str file;
    const char *trouble;
} own_code_request;
/* Where the whole text of an answer is that was cut; NULL: it is not there (any more).  From the
 * loop; what it returns is copied. */
typedef const char *own_outputs(void *ud, uint64_t number);
/* Fills `out` with lines for a model, at once; false: it says why not.  *busy: not all is known
 * yet; it is asked again soon.  From the loop. */
typedef bool own_code(void *ud, const own_code_request *q, strbuf *out, bool *busy);

/* What nobody may be shown.  Functions are called on any thread, several at once. */
typedef struct {
    void *ud;
    void (*look)(void *ud); /* before each call: rules may have changed; may be NULL */
    /* An absolute path of the workspace, as it is found without links.  NULL: nothing is hidden. */
    bool (*hides)(void *ud, const char *path, bool folder);
    /* Appends the text without its keys, tokens and passwords.  NULL: as it is. */
    void (*mask)(void *ud, str text, strbuf *out);
} own_privacy;

typedef struct {
    const char *workspace;   /* absolute */
    own_privacy privacy;     /* for files, and what git shows of them */
    const char *memory_file; /* NULL: there is no memory */
    const char *declared;    /* a file with the project's own; NULL: none */
    const char *search_path; /* PATH for commands */
    own_code *code;          /* NULL: there are no tools for the code */
    void *ud;                /* its */
    own_outputs *outputs;    /* NULL: there is no tool read_output */
    void *outputs_ud;        /* its */
} own_options;

/* ERR_FORMAT, with the place: what is declared cannot be used. */
status own_tools_new(own_tools **out, uv_loop_t *loop, const own_options *o, err *e) MUST_USE;
/* Cancels every call (their `done` is not called any more); `closed` comes when the watches are
 * freed and all processes, threads and handles have let go, perhaps from inside. */
void own_tools_close(own_tools *t, void (*closed)(void *ud), void *ud);

/* In a fixed order; NULL past the end. */
const own_offer *own_offer_at(const own_tools *t, own_kind kind, size_t index);
const own_offer *own_offer_named(const own_tools *t, own_kind kind, const char *name);

/* Appends to the list `out` what the file declares as values of a prompt's or a template's argument
 * and begins with `text`; at most `max`.  Returns how many there are in all. */
size_t own_complete(const own_tools *t, const own_offer *offer, const char *argument,
                    const char *text, size_t max, cJSON *out);

/* ---- calls ----------------------------------------------------------------------------------- */

typedef enum {
    OWN_DONE,
    OWN_FAILED, /* `text` is what went wrong, for the model */
    OWN_LACKS,  /* it asked for what the host does not offer: `text` names the capability */
} own_outcome;

/* Valid during the call. */
typedef struct {
    own_outcome outcome;
    str text; /* of plain text: cleaned and bounded */
    const cJSON
        *content; /* a list: blocks of a tool, messages of a prompt, contents of a resource */
    const cJSON *structured; /* of a tool; or NULL */
} own_answer;

/* What comes of a call, from the loop, never from inside a function of this file. */
typedef struct {
    void *ud;
    /* Exactly once, unless own_tools_cancel or own_tools_park comes first. */
    void (*done)(void *ud, const own_answer *a);
    /* NULL: not wanted.  "progress" {progress, total, message} or "log" {level, logger, data}. */
    void (*tell)(void *ud, const char *what, const cJSON *params);
    /* NULL: it cannot be asked.  `requests` is {NAME: {method, params}}, all of them allowed by the
     * host's capabilities; NULL: the questions are withdrawn.  Answered by own_tools_reply, or
     * put aside by own_tools_park, perhaps from inside. */
    void (*ask)(void *ud, const cJSON *requests);
} own_hooks;

typedef struct {
    own_kind kind; /* OWN_RESOURCE finds templates, too */
    const char *name;
    const cJSON *arguments; /* copied; NULL: none */
    const cJSON *client;    /* copied; capabilities of the host; NULL: none */
    const cJSON *answers;   /* copied; {NAME: result} to questions that it may ask; NULL: none */
} own_request;

/* Starts a call; the arguments are checked against the schema.  0: there is nothing of that name,
 * and nothing was started. */
uint64_t own_tools_call(own_tools *t, const own_request *request, const own_hooks *hooks);
void own_tools_cancel(own_tools *t, uint64_t call);

/* Answers to what `ask` has asked, {NAME: result}.  ERR_USAGE: one is not what was asked for; the
 * questions are still open. */
status own_tools_reply(own_tools *t, uint64_t call, const cJSON *answers, err *e) MUST_USE;
/* Nobody will answer; the command is told so. */
void own_tools_refuse(own_tools *t, uint64_t call, const char *why);

#define OWN_TOKEN_BYTES 33
/* Puts a call that asks aside, until somebody brings its token, or LIMIT_MCP_ASK_MS pass: then it
 * is ended.  Its hooks are not called any more. */
void own_tools_park(own_tools *t, uint64_t call, char token[OWN_TOKEN_BYTES]);
/* Goes on with it: `request` is the same but for its answers.  What is not answered is asked again,
 * under the old id.  0: ERR_NOT_FOUND, there is no such call (any more), or it was another request;
 * ERR_USAGE, an answer is not what was asked for. */
uint64_t own_tools_resume(own_tools *t, const char *token, const own_request *request,
                          const own_hooks *hooks, err *e);

/* ---- changes --------------------------------------------------------------------------------- */

typedef struct own_watch own_watch;
/* Calls `changed` when the file behind a resource has changed.  A resource that is no file is never
 * said to change.  NULL: there is no such resource. */
own_watch *own_watch_new(own_tools *t, const char *uri, void (*changed)(void *ud, const char *uri),
                         void *ud);
void own_watch_free(own_watch *w); /* accepts NULL */
