/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What differs between languages, as data: names, comments, quotes, how blocks begin. */
#include "context/grammars/grammars.h"
#include "engine/base/str.h"

typedef enum {
    BLOCKS_NONE,   /* plain text, data formats */
    BLOCKS_BRACE,  /* { ... } */
    BLOCKS_INDENT, /* a header line ends with ':' */
    BLOCKS_WORD,   /* a header line ends with then/do/..., a word closes it */
} block_style;

typedef struct {
    const char *name;
    const char *ids[4];          /* LSP languageId values that differ from `name` */
    const char *files[10];       /* ".ext" or a whole file name */
    const char *line_comment[3]; /* "//"; none: the first is NULL */
    const char *block_comment[2];
    const char *quotes; /* characters that begin and end a string */
    block_style blocks;
    const char *headers[16]; /* BLOCKS_INDENT: words that begin a header; none: every line may */
    const char *middles[5];  /* BLOCKS_INDENT: words that go on with the statement above */
    const char *imports[4];  /* words or marks that begin a line that imports */
    const char *closers[5];  /* BLOCKS_WORD: words that close a block */
    bool macros;             /* lines may be right although the grammar cannot read them */
    bool semicolons;         /* a statement ends at ';', so nothing belongs behind it */
} language;

/* Never NULL: the row "text" when nothing matches.  The id wins, except for plain text. */
const language *language_find(str path, str id);
/* NULL: this build has no grammar for it. */
const grammar *language_grammar(const language *l);
/* Rows of the table, for tests and lists; NULL past the end. */
const language *language_at(size_t index);

/* Whether `line` (no line end) opens a block whose body follows on the next lines. */
bool language_opens_block(const language *l, str line);
/* Whether `line` begins with what closes a block: "}", ")", "]", "end", "fi", ... */
bool language_closes_block(const language *l, str line);
/* Whether `line` goes on with the statement of the block above it: else, except, "} else {". */
bool language_continues_block(const language *l, str line);
/* Whether `line` begins an import, at the left margin. */
bool language_is_import(const language *l, str line);
/* Where a comment that runs to the line's end begins, looking past strings; line.len: nowhere. */
size_t language_comment_start(const language *l, str line);
/* Whether a string is open at the end of `line`, read from its start. */
bool language_in_string(const language *l, str line);
