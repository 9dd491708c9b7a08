/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of other places for the prompt: which, in which order, and when they may change.
 *
 *     section       what                                            weight   share of the budget
 *     diff          the branch's changes (git), a hunk each           0.4      10 %
 *     recent        places that were visited or edited                0.6      15 %
 *     open          the most similar window of each open document     0.6      15 %
 *     definitions   signatures of names near the cursor               1.0      40 %
 *     diagnostics   what other tools say about nearby lines           0.8       5 %
 *     edits         recent changes elsewhere, as diffs                0.7      15 %
 *
 * That is also their order in the prompt: what changes least comes first.  A piece's score is its
 * section's weight times a relevance of 0 to 1:
 *
 *     definitions   1 / (1 + lines to the cursor / 8) / how many definitions the name has
 *     recent, open  words in common with the lines around the cursor (Jaccard)
 *     edits         1 / (1 + number of newer ones)
 *     diagnostics   1 / (1 + lines to the cursor / 4)
 *     diff          0.2 + words in common with the lines around the cursor, 1 at most
 *
 * Pieces below SCORE_MIN are left out.  In a section the best come first until its share is used
 * (of equals the first); a piece that does not fit is cut at a line's end when CUT_MIN of it do;
 * and what a section leaves over goes to the next.  Nothing of the window itself is retrieved,
 * nothing hidden, and secrets are masked.
 *
 * All of it stands before the window in the prompt, so when it changes the whole window is
 * computed again.  A selection therefore stays as it is while somebody types: it is made anew when
 * the window has moved, when the cursor is JUMP_LINES away from where it was made, and, at most
 * once for each line, when a name near the cursor has a definition that is not in it or other tools
 * or git have told something new.  Pieces that are chosen again keep their places.  Thread: loop.
 */
#include "context/retrieve.h"

#include "context/retrieve_parts.h"
#include "context/secret.h"
#include "engine/base/clock.h"
#include "engine/base/hash.h"
#include "engine/base/limits.h"

#define BUDGET_BYTES 1536 /* about 500 tokens */
#define SCORE_MIN 0.05f
#define CUT_MIN 64 /* bytes */
#define JUMP_LINES 24

/* clang-format off */
static const struct {
    const char *name;
    float weight;
    size_t share; /* percent */
    void (*find)(const asking *q, piece_list *out);
} sections[CONTEXT_SECTIONS] = {
    {"diff",        0.4f, 10, find_diff},
    {"recent",      0.6f, 15, find_recent},
    {"open",        0.6f, 15, find_open},
    {"definitions", 1.0f, 40, find_definitions},
    {"diagnostics", 0.8f,  5, find_diagnostics},
    {"edits",       0.7f, 15, find_edits},
};
/* clang-format on */

uint32_t context_section_bit(const char *name) {
    for (size_t i = 0; i < COUNTOF(sections); i++)
        if (!strcmp(sections[i].name, name)) return 1u << i;
    return 0;
}

/* ---- choosing -------------------------------------------------------------------------------- */

/* Few pieces, and equals must keep their order whatever the library's qsort does. */
static void sort_by_score(piece_list *l) {
    for (size_t i = 1; i < l->count; i++) {
        context_chunk k = l->at[i];
        size_t at = i;
        for (; at && l->at[at - 1].score < k.score; at--)
            l->at[at] = l->at[at - 1];
        l->at[at] = k;
    }
}

static uint64_t chunk_hash(const context_chunk *k) {
    uint64_t h = hash64(0, k->path.ptr, k->path.len);
    return hash64(h, k->text.ptr, k->text.len);
}

static size_t place_in(const selection *s, uint64_t hash) {
    for (size_t i = 0; i < s->n; i++)
        if (s->hashes[i] == hash) return i;
    return SIZE_MAX;
}

static size_t chunk_bytes(const context_chunk *k) {
    return k->path.len + k->text.len + 4;
}

/* What of a piece fits into `budget`, in whole lines; nothing when that would say little. */
static str cut_to_fit(const context_chunk *k, size_t budget) {
    if (chunk_bytes(k) <= budget) return k->text;
    size_t room = budget - MIN(budget, chunk_bytes(k) - k->text.len);
    ptrdiff_t lf = str_rfind_char(str_sub(k->text, 0, room), '\n');
    return lf < CUT_MIN ? (str){0} : str_sub(k->text, 0, (size_t)lf + 1);
}

/* Takes the best pieces of one section that fit into `budget`; returns the bytes used. */
static size_t choose(const piece_list *found, size_t section, size_t budget, selection *to,
                     context_section *told) {
    size_t used = 0;
    for (size_t i = 0; i < found->count && to->n < CONTEXT_CHUNKS_MAX; i++) {
        context_chunk k = found->at[i];
        size_t masked;
        if (k.score < SCORE_MIN) continue;
        k.text = secret_mask(k.text, &to->arena, &masked);
        uint64_t hash = chunk_hash(&k); /* of all of it: it is the same piece however it is cut */
        k.text = arena_str(&to->arena, cut_to_fit(&k, budget - used));
        if (!k.text.len) continue;
        k.path = arena_str(&to->arena, k.path);
        k.why = sections[section].name;
        used += chunk_bytes(&k);
        to->hashes[to->n] = hash;
        to->chunks[to->n++] = k;
        told->chunks++;
    }
    told->bytes = used;
    return used;
}

/* What was chosen before keeps its order and stands first. */
static void settle_order(selection *now, const selection *before) {
    size_t n = 0;
    for (size_t i = 0; i < before->n; i++) {
        size_t at = place_in(now, before->hashes[i]);
        if (at == SIZE_MAX || at < n) continue;
        context_chunk chunk = now->chunks[at];
        uint64_t hash = now->hashes[at];
        memmove(now->chunks + n + 1, now->chunks + n, (at - n) * sizeof chunk);
        memmove(now->hashes + n + 1, now->hashes + n, (at - n) * sizeof hash);
        now->chunks[n] = chunk;
        now->hashes[n++] = hash;
    }
}

static void select_anew(const asking *q, const context_request *rq, selection *s) {
    selection now = {.valid = true, .from = q->from, .line = q->line, .checked = q->line};
    size_t budget = rq->chunk_bytes_max > 0 ? (size_t)rq->chunk_bytes_max : BUDGET_BYTES;
    size_t carried = 0;
    arena_init(&now.arena);
    for (size_t i = 0; i < COUNTOF(sections); i++) {
        context_section *told = &now.sections[i];
        size_t share = MIN(budget, LIMIT_WINDOW_BYTES) * sections[i].share / 100 + carried;
        *told = (context_section){.name = sections[i].name, .budget = share};
        if (rq->sections_off & (1u << i)) continue;
        piece_list found = {0};
        uint64_t before = clock_us();
        sections[i].find(q, &found);
        for (size_t k = 0; k < found.count; k++)
            found.at[k].score *= sections[i].weight;
        sort_by_score(&found);
        told->found = found.count;
        carried = share - choose(&found, i, share, &now, told);
        told->ms = (double)(clock_us() - before) / 1000.0;
        vec_free(&found);
    }
    settle_order(&now, s);
    selection_deinit(s);
    *s = now;
}

/* Whether a name near the cursor has a definition that the selection lacks. */
static bool lacks_definition(const asking *q, const selection *s) {
    bool lacks = false;
    piece_list found = {0};
    find_definitions(q, &found);
    for (size_t i = 0; i < found.count && !lacks; i++) {
        size_t masked;
        context_chunk k = found.at[i];
        k.text = secret_mask(k.text, q->arena, &masked);
        lacks = k.score >= 0.3f && place_in(s, chunk_hash(&k)) == SIZE_MAX;
    }
    vec_free(&found);
    return lacks;
}

/* Changes with what other tools and git have told. */
static uint64_t news(const asking *q) {
    return q->c->branch_news + q->d->notes_news;
}

static bool is_stale(const asking *q, const context_request *rq, selection *s) {
    if (!s->valid || s->from != q->from || s->sections_off != rq->sections_off) return true;
    size_t away = q->line > s->line ? q->line - s->line : s->line - q->line;
    if (away > JUMP_LINES) return true;
    if (s->checked == q->line && !rq->invoked) return false;
    s->checked = q->line;
    if (s->news != news(q)) return true;
    return !(rq->sections_off & context_section_bit("definitions")) && lacks_definition(q, s);
}

void retrieve(context *c, document *d, const context_request *rq, size_t from, size_t to, arena *a,
              context_prompt *out) {
    size_t line = document_line_of(d, out->offset);
    asking q = {
        .c = c, .d = d, .offset = out->offset, .from = from, .to = to, .line = line, .arena = a};
    selection *s = &d->selection;
    if (is_stale(&q, rq, s)) {
        select_anew(&q, rq, s);
        s->sections_off = rq->sections_off;
        s->news = news(&q);
        out->chosen_anew = true;
    }
    context_chunk *chunks = arena_alloc(a, MAX(s->n, 1) * sizeof *chunks);
    for (size_t i = 0; i < s->n; i++) {
        chunks[i] = s->chunks[i];
        chunks[i].path = arena_str(a, s->chunks[i].path);
        chunks[i].text = arena_str(a, s->chunks[i].text);
    }
    out->chunks = chunks;
    out->n_chunks = s->n;
    memcpy(out->sections, s->sections, sizeof out->sections);
}

void selection_copy(selection *to, const selection *from) {
    if (!from->valid) return;
    *to = *from;
    arena_init(&to->arena);
    for (size_t i = 0; i < to->n; i++) {
        to->chunks[i].path = arena_str(&to->arena, from->chunks[i].path);
        to->chunks[i].text = arena_str(&to->arena, from->chunks[i].text);
    }
}

void selection_deinit(selection *s) {
    if (s->valid) arena_deinit(&s->arena);
    *s = (selection){0};
}
