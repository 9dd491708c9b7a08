/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The filters that turn a model's answer into a suggestion.
 *
 * Each is one function in a file of its own (filter_NAME.c).  It may change the candidate's text or
 * its range and returns NULL, or it drops the candidate and returns the reason: a static, stable,
 * machine-readable word.  A filter looks at nothing but the candidate, so each is tested alone.
 * The order is in finish.c.
 */
#include "context/bracket.h"
#include "context/document.h"
#include "context/symbols.h"

typedef struct {
    const document *d;
    const context_prompt *prompt;
    const context_answer *answer;
    arena *a;
    symbols *symbols;       /* NULL: there is no index, or it is not finished */
    symbols_view who;       /* asks it */
    syntax_trials **trials; /* what the syntax filter keeps from key to key; NULL: nothing */
    float logprob_mean_min, logprob_token_min;
    float logprob_mean; /* of what is left of the answer */
    /* The document around the cursor: */
    str before, after; /* on the cursor's line */
    str next;          /* next line with text below the cursor's, "" when none is near */
    str above;         /* last line with text above the cursor's */
    int indent;        /* columns of the line that the text continues: the block's opener when the
                          cursor is on a blank line below it */
    /* What the filters work on: */
    str text;  /* to insert */
    size_t to; /* end of the replaced range, which begins at the cursor */
} candidate;

void candidate_init(candidate *c, const document *d, const context_prompt *p,
                    const context_answer *answer, arena *a);

const char *filter_bytes(candidate *c);      /* UTF-8, \n line ends, no control characters */
const char *filter_marker(candidate *c);     /* special-token texts that leaked */
const char *filter_secret(candidate *c);     /* what looks like a key or a password */
const char *filter_doubt(candidate *c);      /* ends before the first improbable token */
const char *filter_confidence(candidate *c); /* mean log-probability */
const char *filter_cut(candidate *c);        /* one line, or one block by indentation */
const char *filter_indent(candidate *c);     /* tabs or spaces as the document has them */
const char *filter_blank(candidate *c);      /* nothing but white space */
const char *filter_repeat(candidate *c);     /* loops inside the text */
const char *filter_duplicate(candidate *c);  /* lines that stand above or below already */
const char *filter_suffix(candidate *c);     /* the rest of the cursor's line */
const char *filter_bracket(candidate *c);    /* closers that stand below already */
const char *filter_known(candidate *c);      /* no names that exist nowhere */
const char *filter_syntax(candidate *c);     /* no new syntax errors */

/* The first line of a text, without its end. */
str first_line(str text);
