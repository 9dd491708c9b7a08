/* SPDX-License-Identifier: Apache-2.0 */
/* The sequences of one model.
 *
 *     attach --> held: reserve, append, rewind --> release --> idle, reusable by the next prompt
 *
 * A prompt states all its tokens; the session with the longest common prefix serves it.  Where most
 * of that session would be thrown away (another file with the same header), the prompt gets another
 * one that shares the common pages instead.  Sharing is by page; the page in which two sequences
 * part is copied when one of them writes to it.
 *
 * Invariants
 *   (1) tokens[0 .. count) have valid KV in pages[0 .. n_pages), n_pages * K_PAGE_TOKENS >= count.
 *   (2) positions >= count hold rubbish; nobody reads them.
 *   (3) a held session is changed only by the job that holds it.
 * Thread: engine.  Allocates only in sessions_init.
 */
#include "engine/session.h"

#include "engine/base/mem.h"

#define PAGES_FOR(count) (((count) + K_PAGE_TOKENS - 1) / K_PAGE_TOKENS)

void sessions_init(session_table *t, k_model *model, int context, int n_pages) {
    *t = (session_table){.context = context};
    kv_init(&t->pool, model, n_pages);
    for (size_t i = 0; i < COUNTOF(t->at); i++) {
        t->at[i].tokens = xcalloc((size_t)context, sizeof *t->at[i].tokens);
        t->at[i].pages = xcalloc((size_t)PAGES_FOR(context), sizeof *t->at[i].pages);
    }
}

void sessions_deinit(session_table *t) {
    for (size_t i = 0; i < COUNTOF(t->at); i++) {
        xfree(t->at[i].tokens);
        xfree(t->at[i].pages);
    }
    kv_deinit(&t->pool);
    *t = (session_table){0};
}

int session_common_prefix(const session *s, const int32_t *ids, int n) {
    int limit = MIN(s->count, n), i = 0;
    while (i < limit && s->tokens[i] == ids[i])
        i++;
    return i;
}

static session *find_longest(session_table *t, const int32_t *ids, int n, int *shared) {
    session *best = NULL;
    *shared = 0;
    for (size_t i = 0; i < COUNTOF(t->at); i++) {
        session *s = &t->at[i];
        int common = session_common_prefix(s, ids, n);
        bool better = common > *shared ||
                      (common == *shared && best && common > 0 &&
                       (best->held > s->held || (best->held == s->held && s->count < best->count)));
        if (!better) continue;
        best = s;
        *shared = common;
    }
    return best;
}

/* An empty idle session, else the one that was released longest ago, but not `keep`. */
static session *find_oldest(session_table *t, const session *keep) {
    session *best = NULL;
    for (size_t i = 0; i < COUNTOF(t->at); i++) {
        session *s = &t->at[i];
        if (s->held || s == keep) continue;
        if (s->count == 0) return s;
        if (!best || s->used < best->used) best = s;
    }
    return best;
}

static void share(session_table *t, session *to, const session *from, int count) {
    session_rewind(t, to, 0);
    memcpy(to->tokens, from->tokens, (size_t)count * sizeof *to->tokens);
    to->count = count;
    to->n_pages = PAGES_FOR(count);
    memcpy(to->pages, from->pages, (size_t)to->n_pages * sizeof *to->pages);
    for (int i = 0; i < to->n_pages; i++)
        kv_ref(&t->pool, to->pages[i]);
}

session *session_attach(session_table *t, const int32_t *ids, int n) {
    int shared;
    session *from = find_longest(t, ids, n, &shared);
    shared = MIN(shared, n - 1);
    bool take_over = from && !from->held && shared >= from->count - shared;
    session *s = take_over ? from : find_oldest(t, from);
    if (!s && from && !from->held) s = from;
    if (!s) return NULL;
    if (s == from || !from)
        session_rewind(t, s, s == from ? shared : 0);
    else
        share(t, s, from, shared);
    s->held = true;
    return s;
}

session *session_take_idle(session_table *t) {
    session *s = find_oldest(t, NULL);
    if (!s) return NULL;
    session_rewind(t, s, 0);
    s->held = true;
    return s;
}

/* Takes a page; idle sessions other than the caller's give theirs up, oldest first. */
static int32_t take_page(session_table *t) {
    for (;;) {
        int32_t page = kv_take(&t->pool);
        if (page >= 0) return page;
        session *oldest = NULL;
        for (size_t i = 0; i < COUNTOF(t->at); i++) {
            session *s = &t->at[i];
            if (s->held || s->n_pages == 0) continue;
            if (!oldest || s->used < oldest->used) oldest = s;
        }
        if (!oldest) return -1;
        session_rewind(t, oldest, 0);
    }
}

bool session_reserve(session_table *t, session *s, int upto) {
    ASSERT(s->held && upto <= t->context);
    for (int i = s->count / K_PAGE_TOKENS; i < PAGES_FOR(upto); i++) {
        if (i < s->n_pages && !kv_is_shared(&t->pool, s->pages[i])) continue;
        int32_t page = take_page(t);
        if (page < 0) return false;
        if (i < s->n_pages) { /* the page in which the sequences part */
            if (t->pool.model) k_kv_copy_page(t->pool.model, page, s->pages[i]);
            kv_unref(&t->pool, s->pages[i]);
        } else {
            s->n_pages = i + 1;
        }
        s->pages[i] = page;
    }
    return true;
}

void session_append(session *s, const int32_t *ids, int n) {
    ASSERT(s->held && s->count + n <= s->n_pages * K_PAGE_TOKENS);
    memcpy(s->tokens + s->count, ids, (size_t)n * sizeof *ids);
    s->count += n;
}

void session_rewind(session_table *t, session *s, int count) {
    ASSERT(count >= 0 && count <= s->count);
    while (s->n_pages > PAGES_FOR(count))
        kv_unref(&t->pool, s->pages[--s->n_pages]);
    s->count = count;
}

void session_release(session_table *t, session *s) {
    ASSERT(s->held);
    s->held = false;
    s->used = ++t->clock;
    session_rewind(t, s, s->count); /* pages that were reserved but not filled */
}
