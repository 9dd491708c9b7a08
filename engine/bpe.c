/* SPDX-License-Identifier: Apache-2.0 */
/* Byte pair encoding over ids.
 *
 * A merge "a b" is a pair of ids with a rank and the id of "ab", in one hash table.  A symbol is an
 * id; a byte for which the vocabulary has no token gets a number behind it (n + byte) and never
 * merges.  Short words (nearly all) are scanned for the lowest rank again and again, which is
 * fastest while everything is in a few cache lines; long ones (a file of one letter) use a linked
 * list and a heap, O(n log n).  Both give the same ids.
 *
 * Owns the merge table; borrows the vocabulary.  Thread: any; all that changes is in bpe_work. */
#include "engine/bpe.h"

#include "engine/base/limits.h"
#include "engine/base/utf8.h"
#include "engine/word_cache.h"

#define SHORT_SYMBOLS 48 /* up to here the scan beats the heap */
#define NO_RANK UINT32_MAX

typedef struct {
    uint32_t left, right; /* left == UINT32_MAX: free slot */
    uint32_t rank, merged;
} merge;

struct bpe {
    const vocab *v;
    merge *slots;
    uint32_t mask;
    int shift;            /* 64 - log2(slots) */
    uint32_t symbol[256]; /* of one byte */
};

typedef struct {
    uint32_t id;
    int32_t prev, next; /* -1: none; id == UINT32_MAX: merged away */
} node;

typedef struct {
    uint32_t rank;
    int32_t pos;
    uint32_t left, right; /* to see whether the pair is still there */
} candidate;

struct bpe_work {
    VEC(node) nodes;
    VEC(candidate) heap;
    VEC(uint32_t) symbols;
    word_cache cache;
};

/* ---- merges -------------------------------------------------------------------------------- */

static uint32_t slot_of(const bpe *b, uint32_t left, uint32_t right) {
    uint64_t key = (uint64_t)left << 32 | right;
    return (uint32_t)((key * 0x9E3779B97F4A7C15u ^ key >> 29) * 0xBF58476D1CE4E5B9u >> b->shift);
}

static const merge *find_merge(const bpe *b, uint32_t left, uint32_t right) {
    uint32_t at = slot_of(b, left, right);
    for (;; at = (at + 1) & b->mask) {
        const merge *m = &b->slots[at];
        if (m->left == UINT32_MAX) return NULL;
        if (m->left == left && m->right == right) return m;
    }
}

static uint32_t rank_of(const bpe *b, uint32_t left, uint32_t right) {
    const merge *m = find_merge(b, left, right);
    return m ? m->rank : NO_RANK;
}

static void add_merge(bpe *b, str text, uint32_t rank, strbuf *joined) {
    ptrdiff_t space = text.len ? str_find(str_sub(text, 1, text.len), STR(" ")) : -1;
    if (space < 0) return;
    str left = str_sub(text, 0, (size_t)space + 1),
        right = str_sub(text, (size_t)space + 2, text.len);
    strbuf_clear(joined);
    strbuf_add_str(joined, left);
    strbuf_add_str(joined, right);
    int32_t l = vocab_find(b->v, left), r = vocab_find(b->v, right);
    int32_t id = vocab_find_plain(b->v, strbuf_str(joined));
    if (l < 0 || r < 0 || id < 0) return;                /* can never happen to plain text */
    if (find_merge(b, (uint32_t)l, (uint32_t)r)) return; /* the first one counts */
    uint32_t at = slot_of(b, (uint32_t)l, (uint32_t)r);
    while (b->slots[at].left != UINT32_MAX)
        at = (at + 1) & b->mask;
    b->slots[at] = (merge){(uint32_t)l, (uint32_t)r, rank, (uint32_t)id};
}

status bpe_new(bpe **out, const vocab *v, const gguf *g, err *e) {
    static const char key[] = "tokenizer.ggml.merges";
    gguf_type type;
    uint64_t count;
    if (!gguf_find_array(g, key, &type, &count) || type != GGUF_STRING)
        return err_set(e, ERR_FORMAT, "%s has no BPE merges (%s)", gguf_path(g), key);
    bpe *b = xcalloc(1, sizeof *b);
    b->v = v;
    uint32_t size = 1024;
    b->shift = 64 - 10;
    for (; size < count * 2; size *= 2)
        b->shift--;
    b->mask = size - 1;
    b->slots = xmalloc(size * sizeof *b->slots);
    memset(b->slots, 0xFF, size * sizeof *b->slots);
    strbuf joined;
    strbuf_init(&joined, LIMIT_GGUF_STRING_BYTES);
    str *texts = xcalloc((size_t)MAX(count, 1), sizeof *texts);
    bool found = gguf_array_strs(g, key, texts, count);
    for (uint64_t i = 0; found && i < count; i++)
        add_merge(b, texts[i], (uint32_t)i, &joined);
    xfree(texts);
    strbuf_deinit(&joined);
    for (int i = 0; i < 256; i++)
        b->symbol[i] = (uint32_t)(v->byte[i] >= 0 ? v->byte[i] : v->n + i);
    *out = b;
    return OK;
}

void bpe_free(bpe *b) {
    if (!b) return;
    xfree(b->slots);
    xfree(b);
}

bpe_work *bpe_work_new(void) {
    return xcalloc(1, sizeof(bpe_work));
}

void bpe_work_free(bpe_work *w) {
    if (!w) return;
    vec_free(&w->nodes);
    vec_free(&w->heap);
    vec_free(&w->symbols);
    xfree(w);
}

/* ---- symbols ------------------------------------------------------------------------------- */

/* The symbols that a word begins as: bytes, or, where tokens are spelled in plain UTF-8, characters
 * (those without a token as bytes).  `id` has room for word.len. */
static size_t symbols_of(const bpe *b, str word, uint32_t *id) {
    size_t n = 0;
    for (size_t i = 0; i < word.len;) {
        uint32_t cp;
        size_t len = b->v->spelling == SPELL_BYTES
                         ? 1
                         : (size_t)utf8_decode(str_sub(word, i, word.len), &cp);
        int32_t whole =
            b->v->spelling == SPELL_BYTES ? -1 : vocab_find_plain(b->v, str_sub(word, i, i + len));
        if (whole >= 0) {
            id[n++] = (uint32_t)whole;
        } else {
            for (size_t k = 0; k < len; k++)
                id[n++] = b->symbol[(uint8_t)word.ptr[i + k]];
        }
        i += len;
    }
    return n;
}

/* A byte without a token is left out, as the models' own tokenizers do. */
static void emit(const bpe *b, uint32_t symbol, token_vec *out) {
    if (symbol < (uint32_t)b->v->n) vec_push(out, (int32_t)symbol);
}

/* ---- short words --------------------------------------------------------------------------- */

static void encode_short(const bpe *b, str word, token_vec *out) {
    uint32_t id[SHORT_SYMBOLS], rank[SHORT_SYMBOLS];
    size_t n = symbols_of(b, word, id);
    for (size_t i = 0; i + 1 < n; i++)
        rank[i] = rank_of(b, id[i], id[i + 1]);
    while (n > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < n; i++) {
            if (rank[i] < rank[best]) best = i;
        }
        if (rank[best] == NO_RANK) break;
        id[best] = find_merge(b, id[best], id[best + 1])->merged;
        memmove(&id[best + 1], &id[best + 2], (n - best - 2) * sizeof *id);
        memmove(&rank[best], &rank[best + 1], (n - best - 2) * sizeof *rank);
        n--;
        if (best + 1 < n) rank[best] = rank_of(b, id[best], id[best + 1]);
        if (best > 0) rank[best - 1] = rank_of(b, id[best - 1], id[best]);
    }
    for (size_t i = 0; i < n; i++)
        emit(b, id[i], out);
}

/* ---- long words ---------------------------------------------------------------------------- */

static bool sooner(candidate a, candidate b) {
    return a.rank != b.rank ? a.rank < b.rank : a.pos < b.pos;
}

static void heap_push(bpe_work *w, candidate c) {
    vec_push(&w->heap, c);
    size_t i = w->heap.count - 1;
    for (; i > 0 && sooner(c, w->heap.at[(i - 1) / 2]); i = (i - 1) / 2)
        w->heap.at[i] = w->heap.at[(i - 1) / 2];
    w->heap.at[i] = c;
}

static candidate heap_pop(bpe_work *w) {
    candidate top = w->heap.at[0], last = w->heap.at[--w->heap.count];
    size_t n = w->heap.count, i = 0;
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && sooner(w->heap.at[child + 1], w->heap.at[child])) child++;
        if (!sooner(w->heap.at[child], last)) break;
        w->heap.at[i] = w->heap.at[child];
    }
    if (n) w->heap.at[i] = last;
    return top;
}

static void consider(const bpe *b, bpe_work *w, int32_t pos) {
    if (pos < 0 || w->nodes.at[pos].next < 0) return;
    uint32_t left = w->nodes.at[pos].id, right = w->nodes.at[w->nodes.at[pos].next].id;
    uint32_t rank = rank_of(b, left, right);
    if (rank != NO_RANK) heap_push(w, (candidate){rank, pos, left, right});
}

static void merge_candidate(const bpe *b, bpe_work *w, candidate c) {
    node *at = &w->nodes.at[c.pos];
    if (at->id != c.left || at->next < 0 || w->nodes.at[at->next].id != c.right) return; /* stale */
    node *gone = &w->nodes.at[at->next];
    at->id = find_merge(b, c.left, c.right)->merged;
    at->next = gone->next;
    gone->id = UINT32_MAX;
    if (at->next >= 0) w->nodes.at[at->next].prev = c.pos;
    consider(b, w, at->prev);
    consider(b, w, c.pos);
}

static void encode_long(const bpe *b, bpe_work *w, str word, token_vec *out) {
    vec_clear(&w->nodes);
    vec_clear(&w->heap);
    vec_reserve(&w->nodes, word.len);
    vec_reserve(&w->symbols, word.len);
    size_t n = symbols_of(b, word, w->symbols.at);
    for (size_t i = 0; i < n; i++) {
        int32_t next = i + 1 < n ? (int32_t)i + 1 : -1;
        vec_push(&w->nodes, ((node){w->symbols.at[i], (int32_t)i - 1, next}));
    }
    for (size_t i = 0; i < n; i++)
        consider(b, w, (int32_t)i);
    while (w->heap.count)
        merge_candidate(b, w, heap_pop(w));
    for (int32_t i = 0; i >= 0; i = w->nodes.at[i].next)
        emit(b, w->nodes.at[i].id, out);
}

/* ---- words --------------------------------------------------------------------------------- */

void bpe_encode(const bpe *b, bpe_work *w, str word, token_vec *out) {
    if (word.len == 0 || word_cache_find(&w->cache, word, out)) return;
    size_t first = out->count;
    if (word.len <= SHORT_SYMBOLS)
        encode_short(b, word, out);
    else
        encode_long(b, w, word, out);
    word_cache_put(&w->cache, word, out, first);
}
