/* SPDX-License-Identifier: Apache-2.0 */
/* Generated text becomes a suggestion: the filters, in this order.
 *
 *   doubt       end before the first token that the model doubts
 *   bytes       valid UTF-8, \n line ends                              "empty"
 *   marker      cut at a special-token text that leaked                "empty"
 *   secret      drop what looks like a key or a password               "secret"
 *   confidence  drop what the model itself does not believe            "confidence"
 *   cut         one line, or one block by its indentation              "empty"
 *   indent      tabs or spaces as the document has them
 *   blank       drop white space                                       "empty"
 *   repeat      cut or drop loops                                      "repetition"
 *   duplicate   drop lines that stand above or below already           "duplicates-prefix",
 *                                                                      "duplicates-suffix"
 *   suffix      trim or replace the rest of the line                   "duplicates-suffix"
 *   bracket     cut closers that stand below already                   "duplicates-suffix"
 *   known       drop lines that use what exists nowhere                "unknown-name"
 *   syntax      shorten until it parses, else drop                     "syntax"
 *   blank       what is left may be nothing                            "empty"
 *
 * First what the model means (doubt, while its tokens and the text still fit each other), then what
 * the text is (bytes, marker), then how much of it counts (cut), then how it fits what
 * is there (repeat to known), and the parser last, because it is the dearest and because it
 * should judge what would really be inserted.  A stale answer gets "stale".  Thread: loop.
 */
#include "context/context_private.h"
#include "context/filter.h"
#include "context/shape.h"
#include "engine/base/limits.h"

/* `fixed`: what a suggestion is, not a matter of taste, so it cannot be switched off. */
static const struct {
    const char *name;
    const char *(*run)(candidate *c);
    bool fixed;
} filters[] = {
    {"doubt", filter_doubt, false},
    {"bytes", filter_bytes, true},
    {"marker", filter_marker, false},
    {"secret", filter_secret, true},
    {"confidence", filter_confidence, false},
    {"cut", filter_cut, true},
    {"indent", filter_indent, false},
    {"blank", filter_blank, true},
    {"repeat", filter_repeat, false},
    {"duplicate", filter_duplicate, false},
    {"suffix", filter_suffix, false},
    {"bracket", filter_bracket, false},
    {"known", filter_known, false},
    {"syntax", filter_syntax, false},
    {"blank", filter_blank, true},
};

uint32_t context_filter_bit(const char *name) {
    for (size_t i = 0; i < COUNTOF(filters); i++)
        if (!filters[i].fixed && !strcmp(filters[i].name, name)) return 1u << i;
    return 0;
}

str first_line(str text) {
    const char *lf = text.len ? memchr(text.ptr, '\n', text.len) : NULL;
    return lf ? str_sub(text, 0, (size_t)(lf - text.ptr)) : text;
}

static str line_or_empty(const document *d, size_t line) {
    return line == SIZE_MAX ? (str){0} : document_line(d, line);
}

void candidate_init(candidate *c, const document *d, const context_prompt *p,
                    const context_answer *answer, arena *a) {
    size_t line = document_line_of(d, p->offset);
    size_t start = document_line_start(d, line);
    str text = document_line(d, line);
    *c = (candidate){.d = d, .prompt = p, .answer = answer, .a = a};
    c->logprob_mean_min = c->logprob_token_min = -1e30f;
    c->logprob_mean = answer->logprob_mean;
    c->before = str_sub(text, 0, p->offset - start);
    c->after = str_sub(text, p->offset - start, text.len);
    c->next = line_or_empty(d, document_line_after(d, line));
    c->above = line_or_empty(d, document_line_before(d, line));
    c->indent = document_indent(c->before);
    if (p->shape == SHAPE_BLOCK) {
        int header = shape_block_indent(d, p->offset);
        c->indent =
            header >= 0 ? header : c->indent - 1; /* a block without header: its own depth */
    }
    c->text = answer->raw;
    c->to = p->offset;
}

/* An index that is still being built does not know what it does not know. */
static symbols *settled_symbols(const context *c) {
    symbols_stats stats = {0};
    if (c->symbols) symbols_get_stats(c->symbols, &stats);
    return stats.busy ? NULL : c->symbols;
}

void context_finish(context *c, document *d, const context_prompt *p, const context_answer *answer,
                    arena *a, context_suggestion *out) {
    *out = (context_suggestion){.from = p->offset, .to = p->offset, .reason = "stale"};
    if (p->version != d->version || p->offset > d->text.len) return;
    candidate work;
    candidate_init(&work, d, p, answer, a);
    work.symbols = settled_symbols(c);
    work.who = context_view(c, a);
    work.trials = &c->trials;
    work.logprob_mean_min = c->logprob_mean_min;
    work.logprob_token_min = c->logprob_token_min;
    for (size_t i = 0; i < COUNTOF(filters); i++) {
        if (c->filters_off >> i & 1) continue;
        const char *reason = filters[i].run(&work);
        if (!reason) continue;
        out->reason = reason;
        return;
    }
    out->shown = true;
    out->reason = "";
    out->text = arena_str(a, work.text);
    out->to = work.to;
}
