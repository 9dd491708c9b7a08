/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Sequences of tokens whose keys and values are in the cache, and how a new prompt finds the one
 * that it shares most with.  Thread: engine. */
#include "engine/base/limits.h"
#include "engine/kv.h"

typedef struct {
    int32_t *tokens; /* [context] those with valid KV: tokens[0 .. count)      */
    int32_t *pages;  /* [context / K_PAGE_TOKENS, up] page table               */
    int count, n_pages;
    bool held;     /* a running job owns it                                  */
    uint64_t used; /* time of the last release, for LRU                      */
} session;

typedef struct {
    kv_pool pool;
    session at[LIMIT_ENGINE_SEQUENCES];
    int context; /* positions that one sequence may have */
    uint64_t clock;
} session_table;

void sessions_init(session_table *t, k_model *model, int context, int n_pages);
void sessions_deinit(session_table *t); /* accepts a zeroed table */

/* A session that holds the longest cached prefix of `ids`, at most n - 1 tokens of it (the last one
 * is computed again, for its logits).  Takes over an idle session or shares its pages; the session
 * is held until session_release.  NULL: all are held. */
session *session_attach(session_table *t, const int32_t *ids, int n);
/* An idle session, emptied and held; the oldest if none is empty.  NULL: all are held. */
session *session_take_idle(session_table *t);
/* Makes the positions [count, upto) writable: pages are there and belong to this session alone.
 * Idle sessions give up their pages, oldest first.  False: none are left. */
bool session_reserve(session_table *t, session *s, int upto);
/* The KV of `n` more tokens has been computed. */
void session_append(session *s, const int32_t *ids, int n);
/* Forgets everything from position `count` on. */
void session_rewind(session_table *t, session *s, int count);
void session_release(session_table *t, session *s);

int session_common_prefix(const session *s, const int32_t *ids, int n);
