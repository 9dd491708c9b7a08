/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Definitions in a source text, by the language's tags query.
 *
 * A pattern of queries/NAME/tags.scm captures @name and, around it, one of
 *
 *   @function @type @constant @variable @field @macro    a definition
 *   @prototype                                           a declaration without a body
 *
 * The predicates #eq? and #starts-with? (a capture and a string) are understood, no others.
 * Thread: a tagger belongs to one thread at a time. */
#include "context/language.h"
#include "engine/base/arena.h"

typedef enum {
    TAG_FUNCTION,
    TAG_TYPE,
    TAG_MACRO,
    TAG_CONSTANT,
    TAG_VARIABLE,
    TAG_PROTOTYPE,
    TAG_FIELD,
    TAG_KINDS
} tag_kind;

const char *tag_kind_name(tag_kind kind); /* "function", ... */

#define TAG_NO_PARENT UINT16_MAX

typedef struct {
    str name;
    str signature;     /* the definition without its body; never empty */
    uint32_t line;     /* 0-based */
    uint32_t end_line; /* of the whole definition */
    uint16_t parent;   /* index of the type around it, or TAG_NO_PARENT */
    uint8_t kind;      /* tag_kind */
    uint8_t indent;    /* columns before it */
} tag;

typedef struct tagger tagger;

tagger *tagger_new(void) MUST_USE;
void tagger_free(tagger *t); /* accepts NULL */
/* In the order of the text, at most LIMIT_TAGS_FILE; everything lives in `a`.  0: no grammar, no
 * definitions, or the parse took longer than `budget_us`. */
size_t tagger_find(tagger *t, const language *l, str text, uint64_t budget_us, arena *a,
                   tag **out);
