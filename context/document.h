/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One open document: text, line index, version, syntax tree.  The public half is in context.h. */
#include "context/context.h"
#include "context/edits.h"
#include "context/language.h"
#include "context/syntax.h"
#include "engine/base/vec.h"

/* The pieces that went into the document's last prompt: context/retrieve.c. */
typedef struct {
    bool valid; /* the arena is in use */
    arena arena;
    context_chunk chunks[CONTEXT_CHUNKS_MAX];
    uint64_t hashes[CONTEXT_CHUNKS_MAX];
    size_t n;
    size_t from, line, checked; /* where it was made, and the line that was looked at last */
    uint32_t sections_off;
    uint64_t news; /* what had been told then */
    context_section sections[CONTEXT_SECTIONS];
} selection;

typedef struct {
    size_t line;
    char *text;
} line_note;

struct document {
    char *uri, *path;
    uint64_t uri_hash;
    const language *language;
    int64_t version;
    strbuf text;          /* always valid UTF-8 */
    VEC(uint32_t) starts; /* byte offset where each line begins; starts.at[0] == 0 */
    size_t lone_cr;       /* lines that end with \r alone: tree-sitter does not count them */
    syntax *tree;         /* NULL: the language has no grammar */
    edit_log edits;
    selection selection;
    VEC(line_note) notes;
    uint64_t notes_news; /* how often they were set */
    char *file;           /* absolute path, or NULL */
    bool indexed;         /* the symbol index has its text of indexed_version */
    int64_t indexed_version;
    const char *hidden;   /* static: why nobody may read it, "" when all may */
};

/* `text` above LIMIT_DOCUMENT_BYTES gives ERR_LIMIT. */
status document_new(str uri, str path, const language *l, str text, int64_t version, document **out,
                    err *e) MUST_USE;

/* Columns of white space at the start of a line; a tab goes to the next multiple of 4. */
int document_indent(str line);
/* The next or previous line that is not blank; SIZE_MAX: there is none near. */
size_t document_line_after(const document *d, size_t line);
size_t document_line_before(const document *d, size_t line);
/* Row and column as tree-sitter counts them (only \n ends a row). */
TSPoint document_point(const document *d, size_t offset);
