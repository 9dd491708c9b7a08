/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of the older revisions over HTTP.  One is made by initialize and ended by DELETE, or,
 * when there are too many, by a newer one: its host is told 404 and begins again.
 * Thread: loop. */
#include "engine/base/clock.h"
#include "mcp/jose.h"
#include "mcp/serve_http_private.h"

static void session_free(serve_http *s, http_session *h) {
    for (size_t i = 0; i < s->sessions.count; i++) {
        if (s->sessions.at[i] != h) continue;
        vec_remove(&s->sessions, i);
        break;
    }
    serve_client_free(h->client);
    xfree(h);
}

static http_session *oldest(const serve_http *s) {
    http_session *found = NULL;
    for (size_t i = 0; i < s->sessions.count; i++) {
        http_session *h = s->sessions.at[i];
        if (!h->streams && (!found || h->used_ms < found->used_ms)) found = h;
    }
    return found;
}

http_session *http_session_new(serve_http *s) {
    strbuf id;
    if (s->sessions.count >= LIMIT_OWN_SESSIONS) {
        http_session *old = oldest(s);
        if (!old) return NULL;
        session_free(s, old);
    }
    http_session *h = xcalloc(1, sizeof *h);
    strbuf_init(&id, sizeof h->id);
    jose_random(&id, (sizeof h->id - 1) / 4 * 3);
    snprintf(h->id, sizeof h->id, "%s", id.ptr);
    strbuf_deinit(&id);
    h->client = serve_client_new(s->tools);
    h->used_ms = clock_ms();
    vec_push(&s->sessions, h);
    return h;
}

http_session *http_session_find(const serve_http *s, const char *id) {
    for (size_t i = 0; i < s->sessions.count; i++)
        if (!s->sessions.at[i]->ended && !strcmp(s->sessions.at[i]->id, id))
            return s->sessions.at[i];
    return NULL;
}

void http_session_hold(http_session *h) {
    h->streams++;
    h->used_ms = clock_ms();
}

void http_session_release(serve_http *s, http_session *h) {
    h->streams--;
    if (h->ended && !h->streams) session_free(s, h);
}

void http_session_end(serve_http *s, http_session *h) {
    h->ended = true;
    if (!h->streams) session_free(s, h);
}
