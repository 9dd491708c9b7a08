/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a text may look like: a context-free grammar over bytes that runs beside the model, so that
 * no byte is generated that could not go on to a whole sentence of it.
 *
 *     grammar *g = grammar_new();
 *     gsym digit = grammar_range(g, '0', '9');
 *     grammar_start(g, grammar_repeat(g, digit, 1, 3));        one to three digits
 *
 * Symbols are made bottom up; recursion goes through grammar_forward.  After grammar_start it is
 * read-only and may be used by any number of jobs; a job holds it until its EV_DONE.
 *
 * Running it keeps a set of stacks, one for each way in which the bytes so far can be read.  Both
 * numbers are bounded (LIMIT_GRAMMAR_STACKS, LIMIT_GRAMMAR_DEPTH): beyond, readings are dropped,
 * which can only forbid more.
 *
 * Thread: any, one at a time while it is built; reference counts are atomic.
 */
#include "engine/base/limits.h"
#include "engine/base/str.h"

typedef struct grammar grammar;
typedef int32_t gsym; /* a symbol of one grammar; GSYM_NONE after LIMIT_GRAMMAR_NODES */
#define GSYM_NONE (-1)
#define GRAMMAR_MANY 65535 /* grammar_repeat: without an end */

grammar *grammar_new(void); /* one reference */
grammar *grammar_hold(grammar *g);
void grammar_release(grammar *g); /* accepts NULL */

gsym grammar_literal(grammar *g, str bytes); /* may be empty */
gsym grammar_range(grammar *g, uint8_t first, uint8_t last);
gsym grammar_set(grammar *g, const uint8_t set[32]); /* bit b of byte b / 8: byte b is in it */
gsym grammar_sequence(grammar *g, const gsym *of, size_t n);
gsym grammar_choice(grammar *g, const gsym *of, size_t n);  /* n > 0 */
gsym grammar_words(grammar *g, const str *words, size_t n); /* one of them; n > 0 */
/* min..max times; what is repeated must not be empty. */
gsym grammar_repeat(grammar *g, gsym of, int min, int max);
gsym grammar_forward(grammar *g); /* a symbol that is defined later, once */
void grammar_define(grammar *g, gsym forward, gsym as);
/* False: too many symbols (a literal's bytes count, too), and the grammar is of no use. */
bool grammar_start(grammar *g, gsym start) MUST_USE;

/* ---- running --------------------------------------------------------------------------------- */

typedef struct {
    int32_t node;
    uint32_t at; /* bytes, parts or repetitions that are behind us */
} grammar_frame;

typedef struct {
    int depth; /* 0: the sentence is complete */
    grammar_frame frame[LIMIT_GRAMMAR_DEPTH];
} grammar_stack;

/* About 17 kB; allocate it where a job's other memory is. */
typedef struct {
    const grammar *grammar;
    int n; /* 0: nothing can follow */
    grammar_stack stack[LIMIT_GRAMMAR_STACKS];
} grammar_state;

void grammar_begin(grammar_state *s, const grammar *g);
/* Goes on by these bytes; false: they cannot come, and nothing can follow any more. */
bool grammar_advance(grammar_state *s, str bytes);
/* The same without going on; `scratch` is overwritten. */
bool grammar_accepts(const grammar_state *s, str bytes, grammar_state *scratch);
void grammar_copy(grammar_state *to, const grammar_state *from);
bool grammar_may_end(const grammar_state *s);
bool grammar_must_end(const grammar_state *s); /* nothing but the end can follow */
