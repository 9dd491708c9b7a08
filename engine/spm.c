/* SPDX-License-Identifier: Apache-2.0 */
/* SentencePiece encoding.  The text starts as characters; of all neighbours whose joined text is a
 * token, the pair with the best score (the leftmost of equals) is joined, again and again.  Linked
 * list and heap, O(n log n).  Text is cut where no token can reach across (before most spaces), so
 * that pieces are short and repeat.
 * Source: the SentencePiece paper's BPE mode with scores as ranks. */
#include "engine/spm.h"

#include "engine/base/utf8.h"
#include "engine/word_cache.h"

typedef struct {
    uint32_t at, len;   /* bytes of the text; len == 0: joined to its left neighbour */
    int32_t prev, next; /* -1: none */
} symbol;

typedef struct {
    float score;
    int32_t left, right;
    uint32_t len; /* of both together: tells whether they changed meanwhile */
} pair;

struct spm_work {
    VEC(symbol) symbols;
    VEC(pair) heap;
    word_cache cache;
};

spm_work *spm_work_new(void) {
    return xcalloc(1, sizeof(spm_work));
}

void spm_work_free(spm_work *w) {
    if (!w) return;
    vec_free(&w->symbols);
    vec_free(&w->heap);
    xfree(w);
}

static bool better(pair a, pair b) {
    return a.score > b.score || (a.score <= b.score && a.score >= b.score && a.left < b.left);
}

static void heap_push(spm_work *w, pair p) {
    vec_push(&w->heap, p);
    size_t i = w->heap.count - 1;
    for (; i > 0 && better(p, w->heap.at[(i - 1) / 2]); i = (i - 1) / 2)
        w->heap.at[i] = w->heap.at[(i - 1) / 2];
    w->heap.at[i] = p;
}

static pair heap_pop(spm_work *w) {
    pair top = w->heap.at[0], last = w->heap.at[--w->heap.count];
    size_t n = w->heap.count, i = 0;
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && better(w->heap.at[child + 1], w->heap.at[child])) child++;
        if (!better(w->heap.at[child], last)) break;
        w->heap.at[i] = w->heap.at[child];
    }
    if (n) w->heap.at[i] = last;
    return top;
}

static void consider(const vocab *v, spm_work *w, str text, int32_t left) {
    if (left < 0 || w->symbols.at[left].next < 0) return;
    const symbol *a = &w->symbols.at[left], *b = &w->symbols.at[a->next];
    int32_t id = vocab_find_plain(v, str_sub(text, a->at, a->at + a->len + b->len));
    if (id >= 0) heap_push(w, (pair){v->score[id], left, a->next, a->len + b->len});
}

static void join(const vocab *v, spm_work *w, str text, pair p) {
    symbol *a = &w->symbols.at[p.left], *b = &w->symbols.at[p.right];
    if (a->len == 0 || b->len == 0 || a->len + b->len != p.len) return; /* changed meanwhile */
    a->len += b->len;
    b->len = 0;
    a->next = b->next;
    if (a->next >= 0) w->symbols.at[a->next].prev = p.left;
    consider(v, w, text, a->prev);
    consider(v, w, text, p.left);
}

static void emit(const vocab *v, int32_t unk, str piece, token_vec *out) {
    int32_t id = vocab_find_plain(v, piece);
    if (id >= 0) {
        vec_push(out, id);
        return;
    }
    for (size_t i = 0; i < piece.len; i++) {
        int32_t byte = v->byte[(uint8_t)piece.ptr[i]];
        if (byte < 0) byte = unk;
        if (byte >= 0) vec_push(out, byte);
    }
}

/* One piece that no token reaches across the ends of. */
static void encode_piece(const vocab *v, int32_t unk, spm_work *w, str text, token_vec *out) {
    vec_clear(&w->symbols);
    vec_clear(&w->heap);
    for (size_t i = 0; i < text.len;) {
        uint32_t cp;
        int len = utf8_decode(str_sub(text, i, text.len), &cp);
        int32_t n = (int32_t)w->symbols.count;
        int32_t next = i + (size_t)len < text.len ? n + 1 : -1;
        vec_push(&w->symbols, ((symbol){(uint32_t)i, (uint32_t)len, n - 1, next}));
        i += (size_t)len;
    }
    for (size_t i = 0; i < w->symbols.count; i++)
        consider(v, w, text, (int32_t)i);
    while (w->heap.count)
        join(v, w, text, heap_pop(w));
    for (int32_t i = 0; i >= 0; i = w->symbols.at[i].next) {
        const symbol *s = &w->symbols.at[i];
        emit(v, unk, str_sub(text, s->at, s->at + s->len), out);
    }
}

void spm_encode(const vocab *v, int32_t unk, spm_work *w, str text, token_vec *out) {
    for (size_t from = 0, end; from < text.len; from = end) {
        end = vocab_cut(v, text, from);
        str piece = str_sub(text, from, end);
        if (word_cache_find(&w->cache, piece, out)) continue;
        size_t first = out->count;
        encode_piece(v, unk, w, piece, out);
        word_cache_put(&w->cache, piece, out, first);
    }
}
