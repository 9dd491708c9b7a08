/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* THE TEXT: what the model should see, and what of its answer a person should see.
 *
 * A context holds the open documents of one LSP connection (text, versions, syntax trees) and turns
 * a cursor into the pieces of text that a prompt is made of; afterwards it judges the generated
 * text. It knows bytes and trees, never tokens, JSON or line/character positions of a protocol:
 * offsets are bytes in UTF-8.  Thread: loop.  Nothing here blocks for long: parsing is incremental
 * and braked.
 */
#include "engine/base/arena.h"
#include "engine/base/status.h"
#include "engine/base/str.h"

typedef struct context context;
typedef struct document document;

context *context_new(void);
void context_free(context *c); /* accepts NULL */
/* Filters that are not run, as a sum of context_filter_bit(); 0: all run. */
void context_set_filters_off(context *c, uint32_t bits);
uint32_t context_filter_bit(const char *name); /* 0: there is none that can be switched off */
/* A text ends before its first token below `token_min`, and is not shown ("confidence") when the
 * mean of what is left is below `mean_min`; both are log-probabilities. */
void context_set_confidence(context *c, float mean_min, float token_min);

/* ---- workspace ------------------------------------------------------------------------------ */

/* The folders that the paths of documents are judged in, absolute.  Judges all again. */
void context_set_roots(context *c, const str *roots, size_t n);
/* What is hidden beside what the workspace's own files say: context/privacy.h. */
void context_set_privacy(context *c, str deny_globs, bool respect_gitignore);
/* Files with rules may have changed: looks, judges the documents again if so, and says whether. */
bool context_refresh(context *c);
/* The symbol index that definitions come from (borrowed; NULL: none) and who we are to it. */
struct symbols;
void context_set_symbols(context *c, struct symbols *x, uint64_t client);
/* Tells the index the document's text, when it has changed since; or that it closes. */
void context_index(context *c, document *d);
void context_index_closed(context *c, document *d);
/* Why nothing at all may be read, a sentence; "": all is well. */
const char *context_trouble(const context *c);
/* Why the file of this path (absolute, or relative to a root) is hidden, "" when it is not. */
const char *context_hides(context *c, str path);
/* Whether a text holds what looks like a key, a token or a password. */
bool context_has_secret(str text);
/* The document is this file (absolute path).  Without it, its path alone is judged. */
void context_locate(context *c, document *d, str file);
/* Another `path` for the model: folders have changed. */
void context_rename(document *d, str path);

/* ---- documents ------------------------------------------------------------------------------ */

/* `uri` identifies; `path` (may be empty) is what the model sees, relative to the workspace;
 * `language` is LSP's languageId (may be empty: then the file name decides).  Invalid UTF-8 is
 * replaced by U+FFFD.  Opening an open document replaces it.  ERR_LIMIT: size or count. */
status context_open(context *c, str uri, str path, str language, str text, int64_t version,
                    document **out, err *e) MUST_USE;
document *context_find(context *c, str uri); /* NULL: not open */
void context_close(context *c, document *d);
size_t context_document_count(const context *c);
document *context_document_at(const context *c, size_t i);

str document_text(const document *d); /* valid until the next change */
str document_uri(const document *d);
str document_path(const document *d);
int64_t document_version(const document *d);
const char *document_language(const document *d); /* our name: "python", "c", ...; "text" */
/* Why nobody may read it (static, a reason), "" when all may. */
const char *document_hidden(const document *d);
bool document_has_syntax(const document *d);
/* Lines end at \n, \r\n or \r; the last line may be empty. */
size_t document_line_count(const document *d);
/* Bytes of a line without its end; a line past the last gives the empty slice at the end. */
str document_line(const document *d, size_t line);
size_t document_line_start(const document *d, size_t line); /* byte offset, clamped */
size_t document_line_of(const document *d, size_t offset);
const char *document_eol(const document *d); /* "\n" or "\r\n": the kind that dominates */

/* Replaces bytes [from, to) and re-parses incrementally.  Offsets must be ordered and inside. */
status document_edit(document *d, size_t from, size_t to, str text, err *e) MUST_USE;
status document_replace(document *d, str text, err *e) MUST_USE;
void document_set_version(document *d, int64_t version);

/* A copy that belongs to no context, to ask about a text that is not there yet: its edits are its
 * own.  Costs a copy of the text; the tree is shared until either side changes. */
document *document_fork(const document *d);
void document_free(document *d); /* of a fork; accepts NULL */

/* What other tools say about lines of the document, and what the branch that is checked out in a
 * workspace folder has changed, as git prints it with paths relative to the folder: both replace
 * what was told before.  Copies; bounded by LIMIT_NOTES and LIMIT_DIFF_*. */
typedef struct {
    size_t line; /* moves with the text until the notes are set anew */
    str text;    /* one line: "error: x is not defined" */
} context_note;
void context_set_notes(document *d, const context_note *notes, size_t n);
/* Their text lives until they are set anew or the document closes.  False: there are no more. */
bool context_note_at(const document *d, size_t index, context_note *out);
void context_set_diff(context *c, str folder, str unified_diff);

/* Places where a text does not fit its language's grammar, in order, at most `max`.  The language
 * is told as in context_open.  SIZE_MAX: not known; there is no grammar, or parsing it from scratch
 * takes longer than `budget_us`. */
typedef struct {
    size_t line;
    const char *missing; /* static: what should stand there; NULL: what stands there is wrong */
} context_fault;
size_t context_find_faults(str path, str language_id, str text, uint64_t budget_us,
                           context_fault *out, size_t max);

/* ---- a cursor becomes a prompt -------------------------------------------------------------- */

typedef enum { SHAPE_LINE, SHAPE_BLOCK } completion_shape;

typedef struct {
    size_t offset;                          /* the cursor, on a character boundary */
    bool invoked;                           /* asked for by hand: milder rules */
    int prefix_bytes_max, suffix_bytes_max; /* 0: chosen */
    bool multiline_allowed;                 /* setting and model */
    int tab_size;   /* what the editor says of indentation, for a document that shows none; 0: */
    bool tabs;      /* nothing is known */
    bool retrieval; /* pieces of other places are wanted */
    int chunk_bytes_max;   /* of all of them together; 0: chosen */
    uint32_t sections_off; /* bits of context_section_bit() */
} context_request;

#define CONTEXT_SECTIONS 6
#define CONTEXT_CHUNKS_MAX 24
/* "definitions", "recent", ...: context/retrieve.c; 0: there is none of that name. */
uint32_t context_section_bit(const char *name);

/* What a section of the retrieved context had and used; for explain. */
typedef struct {
    const char *name; /* static; NULL: nothing was retrieved */
    size_t found, chunks, bytes, budget;
    double ms;
} context_section;

typedef struct {
    bool skip;          /* nothing should be asked; `reason` says why */
    const char *reason; /* static, stable, machine-readable: "mid-word", "comment", ... or "" */
    str path;
    str prefix, suffix;                 /* windows around the cursor, cut at line starts / ends */
    const struct context_chunk *chunks; /* other files' pieces, stable first */
    size_t n_chunks;
    completion_shape shape;
    int indent;   /* columns of the cursor's line's indentation */
    int tab_size; /* copied from the request, like tabs */
    bool tabs;
    const char *scope; /* "code", "comment", "string", "import", ...; for explain */
    size_t offset;     /* copied from the request */
    int64_t version;   /* of the document */
    size_t secrets;    /* how many were taken out of prefix and suffix */
    context_section sections[CONTEXT_SECTIONS];
    bool chosen_anew; /* the chunks are not those of the last prompt */
} context_prompt;
typedef struct context_chunk {
    str path, text;
    float score;
    const char *why; /* static: "ring", "definition", ... */
} context_chunk;

/* Never fails: at worst the window is plain text.  Everything lives in `a`. */
void context_assemble(context *c, document *d, const context_request *rq, arena *a,
                      context_prompt *out);

/* ---- generated text becomes a suggestion ---------------------------------------------------- */

typedef struct {
    size_t start; /* of its bytes in the raw text */
    float logprob;
} context_token;

typedef struct {
    str raw;       /* the model's text, after the cursor */
    bool complete; /* it ended by itself (not by length or time) */
    float logprob_mean, logprob_min;
    const context_token *tokens; /* in order; none: not known */
    size_t n_tokens;
} context_answer;

typedef struct {
    bool shown;
    const char *reason; /* why not: "empty", "duplicates-suffix", "syntax", ...; "" when shown */
    str text;           /* to insert, \n line ends */
    size_t from, to;    /* bytes of the document that it replaces; from == to == cursor: insertion.
                            On the cursor's line, from <= cursor <= to */
} context_suggestion;

/* Runs the filters (context/filter_*.c) in their documented order.  The document must still have
 * the prompt's version. */
void context_finish(context *c, document *d, const context_prompt *p, const context_answer *answer,
                    arena *a, context_suggestion *out);

/* Name of the language by file name or LSP languageId: "python", "c", ... or "text". */
const char *context_language(str path, str language_id);
