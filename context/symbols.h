/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The symbol index: where in the workspace a name is defined.
 *
 * It is built by a thread of its own from the files below the roots of all connections (by the tags
 * queries, apart from hidden files) and from the texts of open documents, kept up to date, and
 * remembered in SQLite files below a cache folder.  Questions are answered from memory under a lock
 * that is held for microseconds, so the loop never waits for a disk.
 *
 * Thread: loop, except where it says so.  Nothing blocks but symbols_stop(). */
#include "engine/base/arena.h"
#include "engine/base/status.h"

typedef struct symbols symbols;

/* `folder` (NULL: memory only) is made when it is missing. */
symbols *symbols_start(const char *folder) MUST_USE;
void symbols_stop(symbols *x); /* joins the thread; accepts NULL */

/* What a connection looks at; replaces what it said before.  n == 0: it is gone. */
typedef struct {
    uint64_t client;
    const str *roots; /* absolute */
    size_t n;
    str deny_globs; /* as in context/privacy.h */
    bool respect_gitignore;
    bool watched; /* the client reports changes of files: looking ourselves is only a safety net */
} symbols_view;
void symbols_set_view(symbols *x, const symbols_view *view);

/* A file was written, made or deleted by anybody. */
void symbols_file_changed(symbols *x, str path);
/* Rules about what is hidden have changed, or many files have: look at everything again. */
void symbols_rescan(symbols *x);
/* For `client`, and only for it, the text of an open document counts instead of the file's.  `path`
 * is absolute, or any name that is unique for a text without a file.  Copies. */
void symbols_document(symbols *x, uint64_t client, str path, const char *language, str text);
void symbols_document_closed(symbols *x, uint64_t client, str path);

typedef struct {
    str path; /* absolute */
    str name, signature;
    str parent;       /* name of the type around it, or "" */
    const char *kind; /* static: "function", "type", ... */
    uint32_t line;    /* 0-based */
    uint8_t indent;
} symbol;

/* Definitions of `name` below the roots (or in documents of `client`), newest knowledge first, at
 * most `max`; in `a`.  Fields are left out. */
size_t symbols_find(symbols *x, uint64_t client, const str *roots, size_t n_roots, str name,
                    arena *a, symbol *out, size_t max);
/* What this file (absolute path) defines, without fields, in its order; else as symbols_find. */
size_t symbols_in_file(symbols *x, const symbols_view *who, str path, arena *a, symbol *out,
                       size_t max);
/* What lies inside the type `name` of this file, in its order. */
size_t symbols_members(symbols *x, const symbols_view *who, str path, str name, arena *a,
                       symbol *out, size_t max);
/* Whether anything of that name, fields too, is defined anywhere that `who` may see. */
bool symbols_knows(symbols *x, const symbols_view *who, str name);

typedef struct {
    size_t files, symbols;
    bool busy;      /* a scan or the first reading is not finished */
    uint64_t scans; /* finished ones */
    double scan_ms; /* how long the last one took */
    double lock_ms; /* the longest that the lock was held */
} symbols_stats;
void symbols_get_stats(symbols *x, symbols_stats *out);
/* Takes the next sentence that a person should read once; false: there is none. */
bool symbols_take_message(symbols *x, err *out);
