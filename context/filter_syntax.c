/* SPDX-License-Identifier: Apache-2.0 */
/* Syntax: a suggestion must not add syntax errors.
 *
 * An excerpt of the document (excerpt.c) with the suggestion in place is parsed and its ERROR and
 * MISSING nodes are counted.  The measure is the excerpt without the cursor's line: what a person
 * has half typed is an error that a good suggestion mends, so the line with the suggestion must be
 * as good as no line at all.
 *
 * A line may open what later lines will close.  So when the text does not parse as it is, it is
 * tried with an ending that is never shown: the missing closers, a body behind a ':', an operand
 * behind an operator, a ';'.  A block that fails loses its last line and is tried again; a line
 * that fails loses what closes more than was opened, and is dropped when that does not help.
 *
 * Only the cursor's line differs from trial to trial, and from key to key as long as somebody types
 * in it.  So the rest of the excerpt is parsed once, and each trial begins with that tree.
 *
 * All trials share one brake (LIMIT_GATE_US); when it stops one, the suggestion is believed.  So is
 * one in a language without grammar, and text in comments and strings.
 */
#include "context/excerpt.h"
#include "context/filter.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"

#define ENDINGS_MAX 4

typedef struct {
    candidate *c;
    syntax_trials *trials; /* of the excerpt around the cursor's line */
    size_t line_start, line_end;
    uint64_t deadline_us;
    size_t errors_before;
    size_t least; /* errors of the best trial of a text that did not parse */
    bool late;    /* the brake has stopped a trial */
} gate;

/* The excerpt with bytes [from, to) of the cursor's line replaced. */
static bool count_with(gate *g, size_t from, size_t to, str with, str closers, size_t *errors) {
    str text = document_text(g->c->d);
    const str line[4] = {str_sub(text, g->line_start, from), with, closers,
                         str_sub(text, to, g->line_end)};
    bool known = syntax_trials_count(g->trials, line, g->deadline_us, errors);
    if (!known) g->late = true;
    return known;
}

static bool parses_with(gate *g, str closers) {
    size_t errors;
    if (!count_with(g, g->c->prompt->offset, g->c->to, g->c->text, closers, &errors)) return true;
    g->least = MIN(g->least, errors);
    return errors <= g->errors_before;
}

/* What is still open behind the text and not closed by the rest of the line, as closers. */
static char *missing_closers(const candidate *c) {
    brackets b = {0};
    brackets_read(&b, c->d->language, c->before);
    brackets_read(&b, c->d->language, c->text);
    brackets at_text = b;
    brackets_read(&b, c->d->language, str_sub(c->after, c->to - c->prompt->offset, c->after.len));
    size_t closed = at_text.depth > b.depth ? at_text.depth - b.depth : 0;
    size_t missing = at_text.depth - closed;
    char *out = arena_alloc(c->a, missing + 3);
    size_t n = 0;
    if (at_text.quote && b.quote) out[n++] = at_text.quote;
    if (at_text.comment) out[n++] = '\n';
    for (size_t i = 0; i < missing; i++)
        out[n++] = bracket_closer(at_text.open[at_text.depth - 1 - i]);
    return out;
}

/* Endings that are tried one after the other; never shown. */
static size_t list_endings(const candidate *c, str out[ENDINGS_MAX]) {
    const char *closers = missing_closers(c);
    bool semicolons = c->d->language->semicolons;
    size_t n = 0;
    out[n++] = (str){0};
    if (c->d->language->blocks == BLOCKS_INDENT)
        out[n++] = str_of(arena_printf(c->a, "%s pass", closers));
    if (closers[0] || semicolons)
        out[n++] = str_of(arena_printf(c->a, "%s%s", closers, semicolons ? ";" : ""));
    out[n++] = str_of(arena_printf(c->a, " x%s%s", closers, semicolons ? ";" : ""));
    ASSERT(n <= ENDINGS_MAX);
    return n;
}

static bool parses(gate *g) {
    str endings[ENDINGS_MAX];
    size_t n = list_endings(g->c, endings);
    g->least = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        if (parses_with(g, endings[i]) || g->late) return true;
    }
    return false;
}

/* The errors that the line has without any suggestion, at best: what the grammar does not know
 * (macros), and what the rest of the line still lacks, must not count against the suggestion. */
static size_t errors_of_typed_text(gate *g) {
    candidate *c = g->c, typed = *c;
    str endings[ENDINGS_MAX];
    size_t best = SIZE_MAX, errors;
    typed.text = (str){0};
    typed.to = c->prompt->offset;
    size_t n = str_trim(c->before).len ? list_endings(&typed, endings) : 0;
    g->c = &typed;
    while (n-- > 0 && best > g->errors_before) { /* fewer would change nothing */
        if (count_with(g, typed.to, typed.to, (str){0}, endings[n], &errors))
            best = MIN(best, errors);
    }
    g->c = c;
    return best == SIZE_MAX ? 0 : best;
}

/* The last line goes; false when there was only one. */
static bool drop_last_line(candidate *c) {
    ptrdiff_t lf = str_rfind_char(c->text, '\n');
    if (lf <= 0 || str_trim(str_sub(c->text, 0, (size_t)lf)).len == 0) return false;
    c->text = str_sub(c->text, 0, (size_t)lf);
    return true;
}

/* What closes more than this line has opened goes; false when there is nothing such. */
static bool drop_extra_closers(candidate *c) {
    brackets b = {0};
    brackets_read(&b, c->d->language, c->before);
    brackets_read(&b, c->d->language, c->text);
    if (b.closes_unknown == SIZE_MAX) return false;
    if (str_trim(str_sub(c->text, 0, b.closes_unknown)).len == 0) return false;
    c->text = str_sub(c->text, 0, b.closes_unknown);
    return true;
}

static bool is_judged(const candidate *c) {
    if (!c->d->tree) return false;
    if (c->d->language->blocks == BLOCKS_WORD || c->d->language->blocks == BLOCKS_NONE)
        return false;
    return strcmp(c->prompt->scope, "comment") != 0 && strcmp(c->prompt->scope, "string") != 0;
}

static const char *judge(gate *g) {
    candidate *c = g->c;
    if (parses(g)) return NULL;
    if (c->d->language->macros || str_trim(c->after).len)
        g->errors_before = MAX(g->errors_before, errors_of_typed_text(g));
    /* The text is the one that was tried: no need to parse it again. */
    if (g->late || g->least <= g->errors_before) return NULL;
    do {
        if (!drop_last_line(c) && !drop_extra_closers(c)) return "syntax";
    } while (!parses(g));
    return NULL;
}

/* Those of the key before this one serve again when nothing but the cursor's line has changed. */
static bool find_trials(gate *g, syntax_trials **kept) {
    candidate *c = g->c;
    const grammar *kind = syntax_grammar(c->d->tree);
    str text = document_text(c->d);
    excerpt part;
    excerpt_find(c->d, c->prompt->offset, c->a, &part);
    const str around[4] = {part.head, str_sub(text, part.from, g->line_start),
                           str_sub(text, g->line_end, part.to), part.tail};
    if (!syntax_trials_are_of(*kept, kind, around)) {
        syntax_trials_free(*kept);
        *kept = syntax_trials_new(kind, around, g->deadline_us);
    }
    g->trials = *kept;
    return *kept != NULL;
}

const char *filter_syntax(candidate *c) {
    if (!is_judged(c)) return NULL;
    gate g = {.c = c,
              .line_start = c->prompt->offset - c->before.len,
              .line_end = c->prompt->offset + c->after.len,
              .deadline_us = clock_us() + LIMIT_GATE_US};
    syntax_trials *own = NULL;
    const char *reason = NULL;
    if (find_trials(&g, c->trials ? c->trials : &own)) {
        g.errors_before = syntax_trials_errors(g.trials);
        reason = judge(&g);
    }
    syntax_trials_free(own);
    return reason;
}
