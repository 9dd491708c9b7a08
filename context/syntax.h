/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The syntax tree of one document: edited with the text, re-parsed in braked slices. */
#include "context/grammars/grammars.h"
#include "engine/base/str.h"

typedef struct syntax syntax;

syntax *syntax_new(const grammar *g) MUST_USE;
/* A tree of its own for a copy of the text; what is unfinished here begins anew there. */
syntax *syntax_fork(const syntax *s) MUST_USE;
void syntax_free(syntax *s); /* accepts NULL */

/* The text was replaced: the tree is forgotten. */
void syntax_reset(syntax *s);
/* The text was edited and now has `bytes_after`; above LIMIT_PARSE_BYTES the tree is forgotten. */
void syntax_edit(syntax *s, const TSInputEdit *edit, size_t bytes_after);

/* Parses for at most about `budget_us`; a later call goes on where this one stopped.  True when the
 * tree is that of `text`, which must be the document's text. */
bool syntax_update(syntax *s, str text, uint64_t budget_us);
/* NULL until syntax_update() has returned true; valid until the next edit. */
const TSTree *syntax_tree(const syntax *s);
/* The last finished tree, told of all edits: right except near them; NULL when there is none. */
const TSTree *syntax_stale_tree(const syntax *s);
const grammar *syntax_grammar(const syntax *s);

/* Parses a text of up to six pieces from scratch; NULL: not before `deadline_us` (clock_us). */
TSTree *syntax_parse(const grammar *g, const str pieces[6], uint64_t deadline_us) MUST_USE;
/* ERROR and MISSING nodes, at most 1000. */
size_t syntax_errors(const TSTree *tree);
/* One text with different lines in one place: what stands around it is parsed once. */
typedef struct syntax_trials syntax_trials;
/* `around`: two pieces before the place, two behind it; copied.  Parses them with nothing in the
 * place, from scratch.  NULL: not known before `deadline_us`. */
syntax_trials *syntax_trials_new(const grammar *g, const str around[4],
                                 uint64_t deadline_us) MUST_USE;
void syntax_trials_free(syntax_trials *t); /* accepts NULL */
/* Whether these are trials of that very text; false for NULL. */
bool syntax_trials_are_of(const syntax_trials *t, const grammar *g, const str around[4]);
/* What syntax_count_errors counts, with nothing in the place, and with `inside` there. */
size_t syntax_trials_errors(const syntax_trials *t);
bool syntax_trials_count(syntax_trials *t, const str inside[4], uint64_t deadline_us,
                         size_t *errors);

/* Parses a text of up to six pieces from scratch and counts its ERROR and MISSING nodes (at most
 * 1000).  False: not known before `deadline_us` (clock_us). */
bool syntax_count_errors(const grammar *g, const str pieces[6], uint64_t deadline_us,
                         size_t *errors);
