/* SPDX-License-Identifier: Apache-2.0 */
/* The cache behind steady ghost text: typing along a suggestion, deleting back, or accepting a part
 * of it must show the rest of the very same text, at once.
 *
 * An entry holds the text around the place where it was shown, not the place itself, so that edits
 * elsewhere in the file do not lose it:
 *
 *     document then:   ... before ... | after ...            | is the cursor
 *     document now:    ... before ... typed | after ...      typed: a prefix of the suggestion
 *     answer:          the suggestion without `typed`
 *
 * One rule covers all three cases: deleting back makes `typed` shorter, accepting makes it longer.
 * Equality is by bytes, so there are no false hits by hash.  `before` is bounded: text further away
 * does not enter the key, which is right as long as the prompt's window is mostly nearer than that.
 *
 * Invariants: entries are ordered oldest first; count <= max; an entry's text is not empty.
 * Owns copies of everything.  Thread: loop.
 */
#include "lsp/suggestion.h"

#include "context/context.h"
#include "engine/base/hash.h"
#include "engine/base/limits.h"
#include "engine/base/vec.h"

typedef struct {
    char *bytes; /* key, before, after, text: one allocation */
    str key, before, after;
    str text;        /* with the document's own line ends */
    size_t swallows; /* bytes of `after` that it replaces */
} entry;

#define NOTHING_MAX 256

/* A place where there was nothing, as a hash of what stands around it. */
typedef struct {
    uint64_t around; /* 0: unused */
    const char *reason;
} nothing;

struct suggestion_cache {
    VEC(entry) entries;
    size_t max;
    nothing nothings[NOTHING_MAX]; /* a ring */
    size_t next_nothing;
};

suggestion_cache *suggestion_cache_new(int entries_max) {
    suggestion_cache *c = xcalloc(1, sizeof *c);
    c->max = (size_t)MAX(entries_max, 0);
    return c;
}

static void drop_oldest(suggestion_cache *c, size_t keep) {
    while (c->entries.count > keep) {
        xfree(c->entries.at[0].bytes);
        vec_remove(&c->entries, 0);
    }
}

void suggestion_cache_clear(suggestion_cache *c) {
    drop_oldest(c, 0);
    memset(c->nothings, 0, sizeof c->nothings);
}

void suggestion_cache_free(suggestion_cache *c) {
    if (!c) return;
    drop_oldest(c, 0);
    vec_free(&c->entries);
    xfree(c);
}

void suggestion_cache_resize(suggestion_cache *c, int entries_max) {
    c->max = (size_t)MAX(entries_max, 0);
    drop_oldest(c, c->max);
}

size_t suggestion_cache_count(const suggestion_cache *c) {
    return c->entries.count;
}

/* ---- put ------------------------------------------------------------------------------------- */

static bool has_crlf(str before, str after) {
    return str_find(before, STR("\r\n")) >= 0 || str_find(after, STR("\r\n")) >= 0;
}

static str add_piece(strbuf *b, str s) {
    size_t at = b->len;
    strbuf_add_str(b, s);
    return (str){(const char *)(uintptr_t)at, s.len}; /* an offset until the buffer stands still */
}

static void settle(str *s, const char *base) {
    s->ptr = base + (uintptr_t)s->ptr;
}

static bool same_place(const entry *a, const entry *b) {
    return str_eq(a->key, b->key) && str_eq(a->before, b->before) && str_eq(a->after, b->after) &&
           str_eq(a->text, b->text);
}

void suggestion_cache_put(suggestion_cache *c, str key, str whole, const suggestion *s) {
    str lead = str_sub(whole, s->from, s->offset);
    /* A suggestion that rewrites what is left of the cursor cannot be typed along. */
    if (!c->max || !str_starts_with(s->text, lead) || s->text.len == lead.len) return;
    if (memchr(s->text.ptr, '\r', s->text.len)) return; /* its line ends are not \n */
    str text = str_sub(s->text, lead.len, s->text.len);
    str before = str_sub(whole, 0, s->offset);
    before = str_sub(before, before.len - MIN(before.len, LIMIT_SUGGESTION_WINDOW), before.len);
    str after = str_sub(whole, s->offset, s->offset + LIMIT_SUGGESTION_WINDOW / 4);
    if (context_has_secret(before) || context_has_secret(after)) return;
    strbuf b;
    strbuf_init(&b, SIZE_MAX / 2);
    entry e = {.swallows = s->to - s->offset};
    e.key = add_piece(&b, key);
    e.before = add_piece(&b, before);
    e.after = add_piece(&b, after);
    size_t at = b.len;
    bool crlf = has_crlf(before, after);
    for (size_t i = 0; i < text.len; i++) {
        if (crlf && text.ptr[i] == '\n') strbuf_add_char(&b, '\r');
        strbuf_add_char(&b, text.ptr[i]);
    }
    e.text = (str){(const char *)(uintptr_t)at, b.len - at};
    e.bytes = strbuf_take(&b);
    settle(&e.key, e.bytes);
    settle(&e.before, e.bytes);
    settle(&e.after, e.bytes);
    settle(&e.text, e.bytes);
    for (size_t i = 0; i < c->entries.count; i++) {
        if (!same_place(&c->entries.at[i], &e)) continue;
        xfree(c->entries.at[i].bytes);
        vec_remove(&c->entries, i);
        break;
    }
    drop_oldest(c, c->max - 1);
    vec_push(&c->entries, e);
}

/* ---- find ------------------------------------------------------------------------------------ */

/* Was the entry shown `typed` bytes before the cursor, and is what was typed its beginning? */
static bool fits(const entry *e, str left, size_t typed) {
    if (e->before.len < LIMIT_SUGGESTION_WINDOW && left.len - typed != e->before.len) return false;
    str then = str_sub(left, 0, left.len - typed);
    return str_eq(str_sub(left, then.len, left.len), str_sub(e->text, 0, typed)) &&
           str_ends_with(then, e->before);
}

/* Does what follows the cursor begin as it did then, behind `closers` bytes? */
static bool follows(const entry *e, str right, size_t closers) {
    right = str_sub(right, closers, right.len);
    /* `after` may have reached the end of the document; then it must do so now */
    bool all = e->after.len == LIMIT_SUGGESTION_WINDOW / 4 || right.len == e->after.len;
    return all && str_starts_with(right, e->after);
}

bool suggestion_is_closer(char c) {
    return c && strchr(")]}>\"'`", c);
}

/* Typing an opening bracket or a quote makes many editors insert the closing one behind the cursor.
 * They are part of the suggestion when what remains of it closes the same, in the same order. */
static bool closes(str rest, str closers) {
    size_t found = 0;
    for (size_t i = 0; i < closers.len; i++) {
        if (!suggestion_is_closer(closers.ptr[i])) return false;
    }
    for (size_t i = 0; i < rest.len && found < closers.len; i++)
        found += rest.ptr[i] == closers.ptr[found];
    return found == closers.len;
}

typedef struct {
    size_t typed, closers;
} match;

static bool entry_find(const entry *e, str left, str right, match *m) {
    for (size_t k = 0; k <= SUGGESTION_CLOSERS && k <= right.len; k++) {
        if (!follows(e, right, k)) continue;
        for (size_t n = 0; n < e->text.len && n <= left.len; n++) {
            *m = (match){n, k};
            bool own =
                k == 0 || (n && closes(str_sub(e->text, n, e->text.len), str_sub(right, 0, k)));
            if (own && fits(e, left, n)) return true;
        }
    }
    return false;
}

/* What is left of the entry at `offset`: the closing brackets that stand there already stay when it
 * ends with them, and are replaced when it goes on behind them. */
static suggestion remaining(const entry *e, match m, str right, size_t offset, arena *a) {
    str rest = str_sub(e->text, m.typed, e->text.len), closers = str_sub(right, 0, m.closers);
    suggestion out = {offset, offset, offset + m.closers + e->swallows, {0}};
    if (m.closers && !e->swallows && str_ends_with(rest, closers)) {
        rest.len -= closers.len;
        out.to = offset;
    }
    char *text = arena_alloc(a, rest.len + 1);
    for (size_t k = 0; k < rest.len; k++) {
        if (rest.ptr[k] != '\r') text[out.text.len++] = rest.ptr[k];
    }
    out.text.ptr = text;
    return out;
}

size_t suggestion_cache_find(suggestion_cache *c, str key, str whole, size_t offset, arena *a,
                             suggestion *out, size_t max) {
    size_t count = 0;
    str left = str_sub(whole, 0, offset), right = str_sub(whole, offset, whole.len);
    for (size_t i = c->entries.count; i-- > 0 && count < max;) {
        const entry *e = &c->entries.at[i];
        match m;
        if (!str_eq(e->key, key) || !entry_find(e, left, right, &m)) continue;
        out[count] = remaining(e, m, right, offset, a);
        count += out[count].text.len > 0;
    }
    return count;
}

/* ---- nothing --------------------------------------------------------------------------------- */

static uint64_t hash_around(str key, str whole, size_t offset) {
    str before = str_sub(whole, offset - MIN(offset, LIMIT_SUGGESTION_WINDOW), offset);
    str after = str_sub(whole, offset, offset + LIMIT_SUGGESTION_WINDOW / 4);
    uint64_t h = hash64(before.len, key.ptr, key.len);
    h = hash64(h, before.ptr, before.len);
    h = hash64(h, after.ptr, after.len);
    return h ? h : 1;
}

void suggestion_cache_put_nothing(suggestion_cache *c, str key, str whole, size_t offset,
                                  const char *reason) {
    if (!c->max || suggestion_cache_find_nothing(c, key, whole, offset)) return;
    c->nothings[c->next_nothing++ % NOTHING_MAX] =
        (nothing){hash_around(key, whole, offset), reason};
}

const char *suggestion_cache_find_nothing(const suggestion_cache *c, str key, str whole,
                                          size_t offset) {
    uint64_t around = hash_around(key, whole, offset);
    for (size_t i = 0; i < NOTHING_MAX; i++)
        if (c->nothings[i].around == around) return c->nothings[i].reason;
    return NULL;
}
