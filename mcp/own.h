/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Tools of our own, which need no server: files of the workspace (read only), a memory, git, the
 * time; and those that a project declares in a file.  `inlined mcp serve` offers them to others.
 *
 * A declared tool is a command: an argument vector with places for arguments, never a shell.
 * Files are looked at on libuv's threads, commands are processes; the loop waits for neither.
 * Thread: loop. */
#include <cjson/cJSON.h>
#include <uv.h>

#include "engine/base/status.h"
#include "engine/base/str.h"

typedef struct own_tools own_tools;

typedef struct {
    const char *name, *description;
    const cJSON *schema; /* of its arguments */
    bool read_only, destructive, idempotent, open_world;
} own_tool;

typedef struct {
    const char *workspace;   /* absolute */
    const char *memory_file; /* NULL: there is no memory */
    const char *declared;    /* a file with the project's tools; NULL: none */
    const char *search_path; /* PATH for commands */
} own_options;

/* ERR_FORMAT, with the place: the declared tools cannot be used. */
status own_tools_new(own_tools **out, uv_loop_t *loop, const own_options *o, err *e) MUST_USE;
/* Cancels every call (their `done` is not called any more); `closed` comes when all processes and
 * threads have let go, perhaps from inside. */
void own_tools_close(own_tools *t, void (*closed)(void *ud), void *ud);

/* In a fixed order; NULL past the end. */
const own_tool *own_tool_at(const own_tools *t, size_t index);

typedef struct {
    bool failed; /* `text` is what went wrong, for the model */
    str text;    /* cleaned and bounded; valid during the call */
} own_answer;
typedef void (*own_done)(void *ud, const own_answer *a);

/* Starts a call; `arguments` are copied, and checked against the schema.  `done` comes exactly
 * once, from the loop, never from inside, unless own_tools_cancel comes first.
 * 0: there is no such tool, and nothing was started; `done` is not called. */
uint64_t own_tools_call(own_tools *t, const char *name, const cJSON *arguments, own_done done,
                        void *ud);
void own_tools_cancel(own_tools *t, uint64_t call);
