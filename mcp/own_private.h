/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of our own tools share. */
#include <cjson/cJSON.h>

#include "engine/base/arena.h"
#include "engine/base/vec.h"
#include "mcp/own.h"

/* Runs on a thread of libuv's, with nothing of the loop's.  False: `out` says why not. */
typedef bool (*own_run)(const char *workspace, const cJSON *arguments, strbuf *out);

typedef struct {
    own_tool tool;
    own_run run;         /* files; else */
    bool memory;         /* the memory; else */
    const cJSON *argv;   /* a command: texts, and */
    const cJSON *env;    /* what is set for it, or NULL */
    uint32_t timeout_ms; /* after which it is killed */
} own_entry;

typedef VEC(own_entry) own_entries;

own_run own_files(const char *name); /* own_files.c; NULL: it is no tool for files */

/* own_declared.c: reads {"tools": {NAME: {...}}}, checks all of it, and appends. */
status own_declared(own_entries *out, const cJSON *root, bool built_in, err *e) MUST_USE;
/* The words of a command for these arguments, in `a`; ERR_USAGE: an argument that may not be a word
 * of its own. */
typedef VEC(const char *) own_words;
status own_expand(const own_entry *entry, const cJSON *arguments, const char *workspace, arena *a,
                  own_words *out, err *e) MUST_USE;

/* own_check.c: whether a value is what a schema wants; the sentence names the place.  Knows type,
 * enum, required, properties, additionalProperties, items, pattern, and bounds of numbers, texts
 * and lists; passes over what it does not know. */
status own_check(const cJSON *schema, const cJSON *value, err *e) MUST_USE;
