/* SPDX-License-Identifier: Apache-2.0 */
/* One speculative continuation per connection, of what was shown last.
 *
 *              start (another place)          go            done: into the cache
 *     NOTHING ---------------------> WAITING -----> RUNNING -----------------> NOTHING
 *                                       |              | stop: a real request needs the engine, or
 *                                       +--------------+-- the text went another way --> NOTHING
 *
 * It works on a fork of the document into which the suggestion is inserted, so that it is asked
 * exactly as the real request would be, and typing along meanwhile does not disturb it.  To copy
 * and parse that takes milliseconds, which a key that comes right behind the answer would wait for:
 * so it begins when keys have rested.  The engine runs it below everything that somebody waits for.
 * Thread: loop.
 */
#include "lsp/speculation.h"

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "lsp/server.h"

void speculation_init(speculation *x, server *s) {
    *x = (speculation){.server = s};
    strbuf_init(&x->text, (size_t)2 * LIMIT_SPECULATION_BYTES);
}

void speculation_stop(speculation *x) {
    if (x->run) completion_cancel(x->run);
    document_free(x->fork);
    x->waiting = false;
    x->run = NULL;
    x->fork = NULL;
}

void speculation_forget(speculation *x) {
    speculation_stop(x);
    xfree(x->uri);
    x->uri = NULL;
}

void speculation_deinit(speculation *x) {
    speculation_forget(x);
    strbuf_deinit(&x->text);
}

static bool same_place(const speculation *x, str uri, const str pieces[3], size_t offset) {
    if (!x->uri || x->offset != offset || !str_eq(str_of(x->uri), uri)) return false;
    str rest = strbuf_str(&x->text);
    if (rest.len != pieces[0].len + pieces[1].len + pieces[2].len) return false;
    for (int i = 0; i < 3; i++) {
        if (!str_starts_with(rest, pieces[i])) return false;
        rest = str_sub(rest, pieces[i].len, rest.len);
    }
    return true;
}

bool speculation_covers(const speculation *x, const document *d, size_t offset) {
    str pieces[3] = {document_text(d)};
    return x->run && same_place(x, document_uri(d), pieces, offset);
}

bool speculation_is_about(const speculation *x, str uri) {
    return x->uri && str_eq(str_of(x->uri), uri);
}

completion *speculation_take(speculation *x, document **fork, completion_done done, void *ud) {
    completion *taken = x->run;
    completion_redirect(taken, done, ud);
    *fork = x->fork;
    x->run = NULL;
    x->fork = NULL;
    return taken;
}

static void on_done(void *ud, const completion_result *r) {
    speculation *x = ud;
    server *s = x->server;
    x->run = NULL;
    log_debug("ghost", "looked ahead shown=%d reason=%s ms=%.1f", r->shown, r->reason, r->ms.total);
    bool same_model = s->inlines.model_generation == server_model(s, ROLE_COMPLETION)->generation;
    if (r->shown && r->text.len && same_model)
        suggestion_cache_put(s->inlines.cache, document_uri(x->fork), document_text(x->fork),
                             &(suggestion){r->offset, r->from, r->to, r->text});
    document_free(x->fork);
    x->fork = NULL;
}

/* The bytes from the front (or `back`, from the end) that two texts share: whole characters. */
static size_t shared(str a, str b, bool back) {
    size_t n = 0, most = MIN(a.len, b.len);
    while (n < most && (back ? a.ptr[a.len - 1 - n] == b.ptr[b.len - 1 - n] : a.ptr[n] == b.ptr[n]))
        n++;
    const char *edge = back ? a.ptr + a.len - n : a.ptr + n;
    bool inside = back ? n > 0 : n < a.len;
    while (n && inside && ((unsigned char)*edge & 0xC0) == 0x80) {
        edge += back ? 1 : -1;
        n--;
    }
    return n;
}

/* A copy of `d` that says x->text, by one edit: its tree needs no parse from scratch. */
static document *fork_with_text(const speculation *x, const document *d) {
    str now = document_text(d), then = strbuf_str(&x->text);
    size_t front = shared(now, then, false);
    size_t back = shared(str_sub(now, front, now.len), str_sub(then, front, then.len), true);
    document *fork = document_fork(d);
    err e = {{0}};
    if (!document_edit(fork, front, now.len - back, str_sub(then, front, then.len - back), &e))
        return fork;
    document_free(fork);
    return NULL;
}

void speculation_go(speculation *x) {
    server *s = x->server;
    if (!x->waiting) return;
    x->waiting = false;
    const model *m = server_model(s, ROLE_COMPLETION);
    const document *d = context_find(s->context, str_of(x->uri));
    x->fork = d && m->state == MODEL_READY ? fork_with_text(x, d) : NULL;
    if (!x->fork) return;
    completion_request rq = {.context = s->context,
                             .document = x->fork,
                             .offset = x->offset,
                             .tab_size = x->tab_size,
                             .tabs = x->tabs,
                             .slot = m->slot,
                             .client = s->options.client,
                             .priority = PRIO_SPEC,
                             .received_ms = clock_ms(),
                             .model = &m->info,
                             .settings = &s->settings};
    completion *started = completion_start(s->options.completer, &rq, on_done, x);
    if (started) x->run = started; /* else on_done has been here */
}

void speculation_start(speculation *x, const document *d, const suggestion *in) {
    server *s = x->server;
    str text = document_text(d), uri = document_uri(d);
    if (!s->settings.completion.speculate) return;
    if (server_model(s, ROLE_COMPLETION)->state != MODEL_READY) return;
    if (text.len > LIMIT_SPECULATION_BYTES || !in->text.len) return;
    str pieces[3] = {str_sub(text, 0, in->from), in->text, str_sub(text, in->to, text.len)};
    size_t offset = in->from + in->text.len;
    if (same_place(x, uri, pieces, offset)) {
        if (x->waiting) inline_completion_rest(s); /* a key has come meanwhile */
        return;
    }
    speculation_forget(x);
    x->uri = xstrndup(uri.ptr, uri.len);
    x->offset = offset;
    strbuf_clear(&x->text);
    for (int i = 0; i < 3; i++)
        strbuf_add_str(&x->text, pieces[i]);
    x->waiting = true;
    inline_completion_rest(s);
}
