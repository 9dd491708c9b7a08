/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Changes to a document: which piece an action is about, the smallest edits from one text to
 * another, and whether a change may be trusted.
 *
 * Pure: offsets are bytes, nothing is changed in the document, and everything returned lives in the
 * caller's arena or points into the document's text (until its next change).  Thread: loop.
 */
#include "context/context.h"

/* Bytes [from, to) become `text`.  Lists of them are in order, apart from each other, and all
 * offsets are those of the text before. */
typedef struct {
    size_t from, to;
    str text;
} text_edit;

/* ---- differences ---------------------------------------------------------------------------- */

/* The edits that make `after` of `before`, both valid UTF-8: by lines (the fewest, where that can
 * be found in bounded time), each cut down to what differs.  No edit begins or ends inside a
 * character or between \r and \n of either text. */
size_t change_diff(str before, str after, arena *a, text_edit **out);
/* The text with all edits applied, appended. */
void change_apply(str before, const text_edit *edits, size_t n, strbuf *out);
/* Lines [first, first + count) of `after` are new or changed; count == 0: lines were only taken out
 * in front of `first`. */
typedef struct {
    size_t first, count;
} line_span;
size_t change_lines(str before, str after, arena *a, line_span **out);

/* Whether the document's tree is that of its text, without parsing. */
bool change_is_parsed(const document *d);

/* ---- targets -------------------------------------------------------------------------------- */

typedef enum {
    TARGET_LINES,    /* whole lines, which are no definition */
    TARGET_FUNCTION, /* a definition with all that belongs to it (decorators, export) */
    TARGET_TYPE,
} target_kind;

typedef struct {
    target_kind kind;
    size_t from, to;         /* without the first line's indentation and the last line's end */
    size_t body;             /* where the body begins; `to` when there is none */
    size_t doc_from, doc_to; /* its documentation: comments above, or a docstring; equal: none */
    str name;                /* of the definition, or (LINES) of the one around it; may be empty */
    bool syntax; /* a tree was at hand, perhaps the one before the last edits; else these are
                        lines of plain text */
} change_target;

/* What a range (from <= to) is about: the definition that it covers; the lines that it touches; or,
 * when it is empty, the innermost named definition around it, else its line.  False: there is
 * nothing but white space. */
bool change_find_target(document *d, size_t from, size_t to, uint64_t budget_us,
                        change_target *out);
/* The definitions of a file that a review looks at one by one: functions, and types that hold none,
 * in order and apart from each other; at most `max`. */
size_t change_definitions(document *d, uint64_t budget_us, change_target *out, size_t max);

/* ---- judgement ------------------------------------------------------------------------------ */

typedef struct {
    bool known;           /* both texts could be parsed in time; else the rest is a guess */
    size_t before, after; /* syntax errors */
    bool defines;         /* at `from` there is still a definition of the target's kind and name */
} change_verdict;

/* What becomes of the document when the target's text is `text`. */
void change_judge(const document *d, const change_target *t, str text, change_verdict *out);
