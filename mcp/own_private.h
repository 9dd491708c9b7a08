/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of our own tools share. */
#include <cjson/cJSON.h>

#include "engine/base/arena.h"
#include "engine/base/vec.h"
#include "mcp/frame.h"
#include "mcp/own.h"
#include "mcp/process.h"

/* Where tools look, and what they leave out there.  Fixed, for any thread. */
typedef struct {
    char *workspace;
    own_privacy privacy;
} own_place;

/* Runs on a thread of libuv's, with nothing of the loop's.  False: `out` says why not. */
typedef bool (*own_run)(const own_place *at, const cJSON *arguments, strbuf *out);

/* One of: run, memory, code, output, argv, text, file, messages. */
typedef struct {
    own_offer offer;
    own_run run;           /* files */
    bool memory;           /* the memory */
    bool code;             /* what is known of the code */
    bool output;           /* the rest of an answer */
    bool git;              /* a command of git's that shows files: what is hidden is taken out */
    const cJSON *argv;     /* a command: texts, */
    const cJSON *env;      /* what is set for it, or NULL, */
    bool speaks;           /* and whether it speaks in messages */
    uint32_t timeout_ms;   /* after which it is killed */
    const char *text;      /* a resource */
    const char *file;      /* a resource: a path, perhaps with ${NAME} */
    const cJSON *messages; /* a prompt, with ${NAME} in its texts */
    const cJSON *values;   /* of a template: {NAME: [text, ...]} */
} own_entry;

typedef VEC(own_entry) own_entries;

own_run own_files(const char *name); /* own_files.c; NULL: it is no tool for files */
/* A part of the file of an output, a path that the host has made. */
bool own_read_output(const char *path, const cJSON *arguments, strbuf *out);
/* A file below the workspace as text, or as base64 where it is none (*binary). */
status own_read_file(const own_place *at, const char *path, strbuf *out, bool *binary,
                     err *e) MUST_USE;

/* own_git.c: what a command of git's has printed (`cut`: it was more), without what is hidden. */
void own_git_sift(const own_place *at, const char *tool, str printed, bool cut, strbuf *out);
/* ERR_USAGE: its argument "path" is hidden, or outside. */
status own_git_check(const own_place *at, const cJSON *arguments, err *e) MUST_USE;

/* own_declared.c: reads {"tools": {NAME: {...}}, "prompts": ..., "resources": ...,
 * "resourceTemplates": ...}, checks all of it, and appends. */
status own_declared(own_entries *out, const cJSON *root, bool built_in, err *e) MUST_USE;

/* own_expand.c: the words of a command for these arguments, in `a`; ERR_USAGE: an argument that may
 * not be a word of its own. */
typedef VEC(const char *) own_words;
status own_expand(const own_entry *entry, const cJSON *arguments, const char *workspace, arena *a,
                  own_words *out, err *e) MUST_USE;
/* One text with ${NAME} put in; an argument that was not given is empty. */
status own_expand_text(const char *text, const cJSON *arguments, const char *workspace, strbuf *out,
                       err *e) MUST_USE;
/* A copy of `json` with that done in all of its texts. */
status own_expand_json(const cJSON *json, const cJSON *arguments, const char *workspace,
                       cJSON **out, err *e) MUST_USE;

/* own_uri.c: a pattern with {NAME}, each one or more characters other than '/'.  */
bool own_uri_is_pattern(const char *pattern);
bool own_uri_has(const char *pattern, const char *name);
/* False: it does not match; else *out is {NAME: text}, percent-decoded. */
bool own_uri_match(const char *pattern, const char *uri, cJSON **out);

/* own_check.c: whether a value is what a schema wants; the sentence names the place.  Knows type,
 * enum, required, properties, additionalProperties, items, pattern, and bounds of numbers, texts
 * and lists; passes over what it does not know. */
status own_check(const cJSON *schema, const cJSON *value, err *e) MUST_USE;

/* ---- calls ----------------------------------------------------------------------------------- */

typedef enum { CALL_RUNS, CALL_ASKS, CALL_ASKS_AGAIN } call_phase;

typedef struct {
    own_tools *owner;
    uint64_t id;
    const own_entry *entry;
    char *name; /* as it was called: a URI */
    cJSON *arguments;
    own_hooks hooks;  /* done NULL: cancelled, or put aside */
    char *path;       /* of an output that is read */
    strbuf out, file; /* file: of a question about the code; then `trouble` is "" */
    char trouble[sizeof((err *)NULL)->text];
    cJSON *content, *structured; /* of a command that speaks, or of a resource */
    size_t content_bytes;
    own_outcome outcome;
    bool timed_out, full, binary;
    uv_work_t work;
    uv_idle_t idle;
    uv_timer_t timer;
    process *process;
    bool process_gone, timer_gone;
    /* A command that speaks: */
    frame_reader lines;
    call_phase phase;
    double until_ms, left_ms; /* its own time, on clock_ms(); which stands still while it asks */
    cJSON *client, *given, *asks,
        *got;                    /* answers that came with the request; open questions; theirs */
    char token[OWN_TOKEN_BYTES]; /* "": it is not put aside */
} own_call;

struct own_tools {
    uv_loop_t *loop;
    own_place place;
    char *memory_file, *search_path;
    cJSON *built_in, *declared; /* what the entries point into */
    own_entries entries;
    own_code *code;
    own_outputs *outputs;
    void *code_ud, *outputs_ud;
    VEC(own_call *) calls;
    uint64_t last;
    size_t watches; /* that are not closed */
    bool closing;
    void (*closed)(void *ud);
    void *closed_ud;
};

void own_maybe_closed(own_tools *t);                   /* own.c */
void own_call_fail(own_call *c, const char *sentence); /* a command's: ends it */
void own_call_end(own_call *c);                        /* ends its process */
void own_call_arm(own_call *c, double ms);             /* its timer */

/* own_talk.c: the lines of a command that speaks. */
void own_talk_start(own_call *c);
void own_talk_bytes(own_call *c, str bytes);
void own_talk_timer(own_call *c); /* it asks, and its timer has come */
/* own_blocks.c: one block of a command, checked, cleaned, and made what its kind wants. */
status own_block(const own_call *c, const cJSON *block, const cJSON *role, cJSON **out,
                 err *e) MUST_USE;
/* What a call without blocks has to say, as such a list. */
cJSON *own_blocks_of_text(const own_call *c, str text);
