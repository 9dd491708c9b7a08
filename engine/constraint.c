/* SPDX-License-Identifier: Apache-2.0 */
/* Constrained choice.
 *
 * The likeliest token is usually allowed, so it is tried alone.  Only if it is not, all tokens of
 * plain text are walked in the order of their bytes, like a trie: neighbours share the states of
 * their common beginning, and where a beginning is forbidden its whole range is passed over.  In
 * the places where a grammar leaves little freedom that range is nearly everything.
 *
 * Ends of generation are allowed where the sentence may end; other control tokens never.
 */
#include "engine/constraint.h"

void constraint_init(constraint *c, const engine_job *job, arena *mem) {
    *c = (constraint){.grammar = job->grammar, .trigger = job->trigger};
    if (!job->grammar) return;
    c->now = arena_alloc(mem, sizeof *c->now);
    c->scratch = arena_alloc(mem, sizeof *c->scratch);
    c->level = arena_alloc(mem, (CONSTRAINT_LEVELS + 1) * sizeof *c->level);
    c->active = c->trigger.len == 0;
    grammar_begin(c->now, c->grammar);
}

bool constraint_is_active(const constraint *c) {
    return c->active;
}

bool constraint_allows(constraint *c, const tokenizer *t, int32_t id) {
    if (tokenizer_is_eog(t, id)) return grammar_may_end(c->now);
    str piece = tokenizer_piece(t, id);
    if (piece.len == 0 || tokenizer_is_control(t, id)) return false;
    return grammar_accepts(c->now, piece, c->scratch);
}

static size_t common(str a, str b) {
    size_t n = 0, most = MIN(a.len, b.len);
    while (n < most && a.ptr[n] == b.ptr[n])
        n++;
    return n;
}

/* Length of the shortest beginning of `piece` that is forbidden; 0: it is allowed.  What is behind
 * its first bytes is in level[0 .. known]. */
static size_t find_forbidden(constraint *c, str piece, size_t known) {
    size_t upto = MIN(piece.len, (size_t)CONSTRAINT_LEVELS);
    for (size_t i = known; i < upto; i++) {
        grammar_copy(&c->level[i + 1], &c->level[i]);
        if (!grammar_advance(&c->level[i + 1], str_sub(piece, i, i + 1))) return i + 1;
    }
    if (piece.len == upto) return 0;
    grammar_copy(c->scratch, &c->level[upto]);
    for (size_t i = upto; i < piece.len; i++)
        if (!grammar_advance(c->scratch, str_sub(piece, i, i + 1))) return i + 1;
    return 0;
}

int constraint_candidates(constraint *c, const tokenizer *t, const float *logits, int vocab,
                          candidate *out) {
    size_t total, known = 0;
    const int32_t *sorted = tokenizer_sorted(t, &total);
    str before = {0};
    int n = 0;
    grammar_copy(&c->level[0], c->now);
    for (size_t i = 0; i < total;) {
        int32_t id = sorted[i];
        str piece = tokenizer_piece(t, id);
        known = MIN(MIN(known, common(before, piece)), (size_t)CONSTRAINT_LEVELS);
        size_t bad = find_forbidden(c, piece, known);
        before = piece;
        known = bad ? bad - 1 : piece.len;
        if (!bad) {
            if (id < vocab) out[n++] = (candidate){id, logits[id]};
            i++;
            continue;
        }
        size_t first, count = tokenizer_prefix_range(t, str_sub(piece, 0, bad), &first);
        i = MAX(i + 1, first + count);
    }
    for (int32_t id = 0; id < vocab && grammar_may_end(c->now); id++)
        if (tokenizer_is_eog(t, id)) out[n++] = (candidate){id, logits[id]};
    return n;
}

bool constraint_take(constraint *c, str text, size_t fresh, str piece) {
    if (!c->grammar) return false;
    if (!c->active) {
        /* The trigger may have begun in earlier tokens. */
        size_t from = text.len - MIN(text.len, fresh + c->trigger.len - 1);
        str place = str_sub(text, from, text.len);
        ptrdiff_t at = str_find(place, c->trigger);
        if (at < 0) return false;
        c->active = true;
        piece = str_sub(place, (size_t)at + c->trigger.len, place.len);
    }
    return !grammar_advance(c->now, piece) || grammar_must_end(c->now);
}
