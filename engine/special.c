/* SPDX-License-Identifier: Apache-2.0 */
/* Finding special tokens.  A sorted list serves as a trie: each byte of the text narrows the range
 * by two binary searches, so that 6,000 tokens that begin with '<' cost no more than a few.  The
 * leftmost match wins, of several there the longest.  Thread: any; immutable after init. */
#include "engine/special.h"

#include "engine/base/mem.h"

typedef struct {
    uint64_t head; /* the first 8 bytes, big endian: most comparisons need no more */
    str bytes;
    int32_t id;
} entry;

static uint64_t head_of(str s) {
    uint64_t head = 0;
    for (size_t i = 0; i < 8; i++)
        head = head << 8 | (i < s.len ? (uint8_t)s.ptr[i] : 0);
    return head;
}

static int compare_entries(const void *a, const void *b) {
    const entry *x = a, *y = b;
    if (x->head != y->head) return x->head < y->head ? -1 : 1;
    size_t n = MIN(x->bytes.len, y->bytes.len);
    int d = n ? memcmp(x->bytes.ptr, y->bytes.ptr, n) : 0;
    if (d == 0) d = (x->bytes.len > y->bytes.len) - (x->bytes.len < y->bytes.len);
    return d ? d : (x->id > y->id) - (x->id < y->id);
}

int32_t *vocab_sort(const vocab *v, bool (*keep)(const vocab *v, int32_t id), bool text,
                    size_t *count) {
    entry *all = xmalloc((size_t)v->n * sizeof *all);
    size_t n = 0;
    for (int32_t id = 0; id < v->n; id++) {
        str bytes = text ? v->text[id] : v->piece[id];
        if (bytes.len && keep(v, id)) all[n++] = (entry){head_of(bytes), bytes, id};
    }
    qsort(all, n, sizeof *all, compare_entries);
    int32_t *ids = xmalloc(n * sizeof *ids);
    for (size_t i = 0; i < n; i++)
        ids[i] = all[i].id;
    xfree(all);
    *count = n;
    return ids;
}

static bool is_user(const vocab *v, int32_t id) {
    return v->kind[id] == TOKEN_USER;
}

static bool is_special(const vocab *v, int32_t id) {
    return v->kind[id] == TOKEN_USER || v->kind[id] == TOKEN_CONTROL ||
           v->kind[id] == TOKEN_UNKNOWN;
}

void special_set_init(special_set *s, const vocab *v, bool control) {
    *s = (special_set){0};
    s->ids = vocab_sort(v, control ? is_special : is_user, true, &s->count);
    for (size_t i = 0; i < s->count; i++)
        s->first[(uint8_t)v->text[s->ids[i]].ptr[0]] = true;
}

void special_set_deinit(special_set *s) {
    xfree(s->ids);
}

/* First of [lo, hi), whose texts are longer than k, with byte k at least `byte`. */
static size_t lower_bound(const special_set *s, const vocab *v, size_t lo, size_t hi, size_t k,
                          unsigned byte) {
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if ((uint8_t)v->text[s->ids[mid]].ptr[k] < byte)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

size_t special_match(const special_set *s, const vocab *v, str text, int32_t *id) {
    if (text.len == 0 || !s->first[(uint8_t)text.ptr[0]]) return 0;
    size_t lo = 0, hi = s->count, best = 0;
    for (size_t k = 0; k < text.len; k++) {
        while (lo < hi && v->text[s->ids[lo]].len == k)
            lo++;
        unsigned byte = (uint8_t)text.ptr[k];
        lo = lower_bound(s, v, lo, hi, k, byte);
        hi = lower_bound(s, v, lo, hi, k, byte + 1);
        if (lo == hi) break;
        if (v->text[s->ids[lo]].len == k + 1) {
            best = k + 1;
            *id = s->ids[lo];
        }
    }
    return best;
}
