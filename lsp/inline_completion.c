/* SPDX-License-Identifier: Apache-2.0 */
/* textDocument/inlineCompletion, and textDocument/completion as its fallback.
 *
 *     request -> gates (settings, document, model) -> cache -> ghost WAITING
 *     timer   -> completion_start, once or (invoked by hand) once per candidate; or the speculation
 *                that works on just this place is taken over          (RUNNING)
 *     done    -> items, or nothing and a reason                       (IDLE)
 *     shown   -> speculation_start: what comes after it; timer -> speculation_go
 *
 * Whatever is wrong ends in {"items":[]} and an inlined/status with the reason, because editors put
 * error boxes on errors; only superseded, cancelled and outdated requests are errors, which editors
 * swallow.  All branching on time and order is ghost.c's.
 * Invariants: a slot has a reply exactly while its ghost is not IDLE, and tries only while RUNNING.
 * Thread: loop.
 */
#include "lsp/inline_completion.h"

#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "lsp/position.h"
#include "lsp/server.h"
#include "lsp/stats.h"

/* ---- slots ----------------------------------------------------------------------------------- */

void inline_completion_init(server *s) {
    s->inlines.cache = suggestion_cache_new(s->settings.completion.cache_entries);
    speculation_init(&s->inlines.ahead, s);
}

static inline_slot *slot_get(server *s, document *d, bool menu) {
    for (size_t i = 0; i < s->inlines.slots.count; i++) {
        inline_slot *slot = s->inlines.slots.at[i];
        if (slot->document == d && slot->menu == menu) return slot;
    }
    inline_slot *slot = xcalloc(1, sizeof *slot);
    slot->server = s;
    slot->document = d;
    slot->menu = menu;
    inline_found_init(&slot->found);
    vec_push(&s->inlines.slots, slot);
    return slot;
}

static reply *slot_take_reply(inline_slot *slot) {
    reply *r = slot->reply;
    slot->reply = NULL;
    xfree(slot->forced);
    slot->forced = NULL;
    return r;
}

static void slot_stop(inline_slot *slot) {
    for (size_t i = 0; i < COUNTOF(slot->tries); i++) {
        if (slot->tries[i].run) completion_cancel(slot->tries[i].run);
        slot->tries[i].run = NULL;
    }
    slot->open = 0;
    document_free(slot->fork);
    slot->fork = NULL;
    inline_found_deinit(&slot->found);
}

/* Performs what the machine asks for, apart from `finish`, which its caller does. */
static void perform(inline_slot *slot, const ghost_output *out) {
    if (out->stop_job) slot_stop(slot);
    if (out->drop) reply_drop(slot_take_reply(slot));
}

static void slot_drop(inline_slot *slot) {
    ghost_output out = ghost_step(&slot->ghost, GHOST_EDIT, 0);
    perform(slot, &out);
}

void inline_completion_edit(server *s, document *d) {
    for (size_t i = 0; i < s->inlines.slots.count; i++) {
        if (s->inlines.slots.at[i]->document == d) slot_drop(s->inlines.slots.at[i]);
    }
}

void inline_completion_edited(server *s, const document *d, size_t from, size_t to, size_t added) {
    for (size_t i = 0; i < s->inlines.slots.count; i++) {
        if (s->inlines.slots.at[i]->document == d)
            feedback_edit(s->inlines.slots.at[i], from, to, added);
    }
}

void inline_completion_changed(server *s, const document *d) {
    for (size_t i = 0; i < s->inlines.slots.count; i++) {
        if (s->inlines.slots.at[i]->document == d) feedback_changed(s->inlines.slots.at[i]);
    }
}

void inline_completion_drop_all(server *s) {
    for (size_t i = 0; i < s->inlines.slots.count; i++)
        slot_drop(s->inlines.slots.at[i]);
    speculation_forget(&s->inlines.ahead);
}

static void slot_free(inline_slot *slot) {
    slot_stop(slot);
    shown_clear(&slot->shown);
    xfree(slot);
}

void inline_completion_close(server *s, document *d) {
    for (size_t i = s->inlines.slots.count; i-- > 0;) {
        inline_slot *slot = s->inlines.slots.at[i];
        if (slot->document != d) continue;
        slot_drop(slot);
        vec_remove(&s->inlines.slots, i);
        slot_free(slot);
    }
    if (speculation_is_about(&s->inlines.ahead, document_uri(d)))
        speculation_forget(&s->inlines.ahead);
}

void inline_completion_deinit(server *s) {
    for (size_t i = 0; i < s->inlines.slots.count; i++) {
        inline_slot *slot = s->inlines.slots.at[i];
        if (slot->reply) reply_abandon(slot_take_reply(slot));
        slot_free(slot);
    }
    vec_free(&s->inlines.slots);
    speculation_deinit(&s->inlines.ahead);
    suggestion_cache_free(s->inlines.cache);
}

void inline_completion_settings_changed(server *s) {
    suggestion_cache_clear(s->inlines.cache);
    suggestion_cache_resize(s->inlines.cache, s->settings.completion.cache_entries);
    speculation_forget(&s->inlines.ahead);
    if (!s->settings.enable) inline_completion_drop_all(s);
}

bool inline_completion_cancel(server *s, const rpc_id *id) {
    for (size_t i = 0; i < s->inlines.slots.count; i++) {
        inline_slot *slot = s->inlines.slots.at[i];
        if (!slot->reply || !rpc_id_equal(&slot->reply->id, id)) continue;
        ghost_output out = ghost_step(&slot->ghost, GHOST_CANCEL, slot->ghost.request);
        perform(slot, &out);
        return true;
    }
    return false;
}

/* There is one timer.  That of a waiting request is not set anew: it serves both. */
void inline_completion_rest(server *s) {
    for (size_t i = 0; i < s->inlines.slots.count; i++)
        if (s->inlines.slots.at[i]->ghost.state == GHOST_WAITING) return;
    s->host.timer(s->host.ud, LIMIT_REST_MS);
}

/* ---- answers --------------------------------------------------------------------------------- */

static void answer(inline_slot *slot, reply *r, inline_found *found) {
    server *s = slot->server;
    feedback_show(slot, found);
    inline_answer(r, slot->document, found,
                  (inline_shape){.menu = slot->menu,
                                 .has_selected = slot->params.has_selected,
                                 .selected_range = slot->params.selected_range});
    suggestion in = suggestion_inserted(slot->document, &found->at[0], &found->arena);
    s->inlines.ahead.tab_size = slot->params.tab_size;
    s->inlines.ahead.tabs = slot->params.tabs;
    speculation_start(&s->inlines.ahead, slot->document, &in);
}

/* Asked by the editor itself, and not about an item of its menu. */
static bool is_plain(const inline_slot *slot) {
    return !slot->params.invoked && !slot->params.has_selected && !slot->menu;
}

/* Every try is done. */
static void finish(inline_slot *slot) {
    server *s = slot->server;
    ghost_output out = ghost_step(&slot->ghost, GHOST_DONE, slot->ghost.request);
    ASSERT(out.finish); /* what was overtaken was cancelled and never gets here */
    reply *r = slot_take_reply(slot);
    inline_found found = slot->found;
    slot->found = (inline_found){.reason = ""};
    str uri = document_uri(slot->document), text = document_text(slot->document);
    for (size_t i = found.count; i-- > 0;) /* the best last: the newest is found first */
        suggestion_cache_put(s->inlines.cache, uri, text, &found.at[i]);
    if (!found.count && found.settled && is_plain(slot))
        suggestion_cache_put_nothing(s->inlines.cache, uri, text, slot->offset, found.reason);
    if (found.count)
        answer(slot, r, &found);
    else
        inline_answer_nothing(r, slot->menu, found.reason, found.detail, uri);
    inline_found_deinit(&found);
    slot_stop(slot);
}

static void note(reply *r, const completion_result *res) {
    if (!res->engine) return;
    snprintf(r->note, sizeof r->note,
             "reused=%d prefilled=%d decoded=%d queue=%.1f context=%.1f prefill=%.1f decode=%.1f "
             "post=%.1f",
             res->engine->reused, res->engine->prefilled, res->engine->n_tokens, res->ms.queue,
             res->ms.context, res->ms.prefill, res->ms.decode, res->ms.post);
}

static void on_done(void *ud, const completion_result *res) {
    inline_try *at = ud;
    inline_slot *slot = at->slot;
    bool best = at == &slot->tries[0];
    at->run = NULL;
    ASSERT(slot->open > 0);
    slot->open--;
    if (best) note(slot->reply, res);
    inline_found_add(&slot->found, slot->document, res, best);
    if (!slot->open) finish(slot);
}

/* ---- the question ---------------------------------------------------------------------------- */

/* Why nothing may be suggested now, or "". */
static const char *gate(server *s, const lsp_inline_params *p, const document *d) {
    if (!s->settings.enable) return "disabled";
    if (!d) return "unknown-document";
    if (document_hidden(d)[0]) return document_hidden(d); /* not even from the cache */
    if (!settings_language_enabled(&s->settings, document_language(d))) return "disabled-language";
    if (!p->invoked && !s->settings.completion.automatic) return "not-invoked";
    return "";
}

static const char *model_gate(server *s) {
    switch (server_model(s, ROLE_COMPLETION)->state) {
    case MODEL_READY: return "";
    case MODEL_FAILED: return "model-failed";
    case MODEL_NONE:
    case MODEL_LOADING: break;
    }
    return "model-loading";
}

/* What must follow the cursor because a menu item is selected; false: it cannot be continued (it
 * does not start with what is typed, or replaces text after the cursor). */
static bool selected_rest(server *s, const document *d, const lsp_inline_params *p, size_t offset,
                          str *rest) {
    *rest = (str){0};
    if (!p->has_selected) return true;
    size_t from = position_to_offset(d, s->encoding, p->selected_range.start);
    size_t to = position_to_offset(d, s->encoding, p->selected_range.end);
    if (from > offset || to != offset) return false;
    str typed = str_sub(document_text(d), from, offset);
    if (!str_starts_with(p->selected_text, typed)) return false;
    *rest = str_sub(p->selected_text, typed.len, p->selected_text.len);
    return true;
}

/* How many suggestions this request is worth. */
static size_t candidates_wanted(const inline_slot *slot) {
    bool several = slot->params.invoked && !slot->menu;
    return several ? (size_t)slot->server->settings.completion.candidates : 1;
}

/* What is remembered for this place.  One suggestion is not enough for somebody who asks for
 * several by hand. */
static bool from_cache(inline_slot *slot, str forced, inline_found *found) {
    server *s = slot->server;
    uint64_t generation = server_model(s, ROLE_COMPLETION)->generation;
    if (s->inlines.model_generation != generation) {
        suggestion_cache_clear(s->inlines.cache); /* written by another model */
        speculation_forget(&s->inlines.ahead);
        s->inlines.model_generation = generation;
    }
    suggestion at[CANDIDATES_MAX];
    size_t n = suggestion_cache_find(s->inlines.cache, document_uri(slot->document),
                                     document_text(slot->document), slot->offset, &found->arena, at,
                                     candidates_wanted(slot));
    for (size_t i = 0; i < n; i++) {
        if (str_starts_with(at[i].text, forced)) inline_found_add_suggestion(found, &at[i]);
    }
    return found->count >= MIN(candidates_wanted(slot), 2);
}

/* Asked for, and whether it needed no model. */
static void count(const server *s, bool cached) {
    if (!s->options.stats) return;
    s->options.stats->asked++;
    s->options.stats->cached += cached;
}

static bool answer_from_cache(inline_slot *slot, str forced, reply *r) {
    inline_found found;
    inline_found_init(&found);
    bool hit = from_cache(slot, forced, &found);
    if (hit) {
        snprintf(r->note, sizeof r->note, "cached=1");
        answer(slot, r, &found);
    }
    inline_found_deinit(&found);
    return hit;
}

/* The model was asked at this very place and had nothing. */
static bool answer_nothing_known(inline_slot *slot, reply *r) {
    str uri = document_uri(slot->document);
    const char *reason = suggestion_cache_find_nothing(slot->server->inlines.cache, uri,
                                                       document_text(slot->document), slot->offset);
    if (!reason || !is_plain(slot)) return false;
    snprintf(r->note, sizeof r->note, "cached=1");
    inline_answer_nothing(r, slot->menu, reason, "", uri);
    return true;
}

static bool speculation_fits(const inline_slot *slot) {
    return !slot->forced && candidates_wanted(slot) == 1 &&
           speculation_covers(&slot->server->inlines.ahead, slot->document, slot->offset);
}

static void ask(inline_slot *slot, str forced, reply *r) {
    server *s = slot->server;
    ghost_output out = ghost_step(&slot->ghost, GHOST_REQUEST, ++s->inlines.serial);
    perform(slot, &out);
    slot->reply = r;
    slot->forced = forced.len ? xstrndup(forced.ptr, forced.len) : NULL;
    if (!speculation_fits(slot)) speculation_stop(&s->inlines.ahead);
    if (out.start_timer) s->host.timer(s->host.ud, s->settings.completion.debounce_ms);
}

static void request(server *s, const lsp_inline_params *p, bool menu, reply *r) {
    document *d = context_find(s->context, p->uri);
    inline_slot *slot = d ? slot_get(s, d, menu) : NULL;
    if (slot) slot_drop(slot); /* the older request is superseded, whatever comes now */
    if (d && p->has_version && p->version < document_version(d)) {
        reply_error(r, LSP_CONTENT_MODIFIED, "the document has changed since");
        return;
    }
    const char *reason = gate(s, p, d);
    str forced = {0};
    size_t offset = d ? position_to_offset(d, s->encoding, p->position) : 0;
    if (!reason[0] && !selected_rest(s, d, p, offset, &forced)) reason = "selected-item";
    if (reason[0]) {
        inline_answer_nothing(r, menu, reason, "", p->uri);
        return;
    }
    (void)server_want_model(s, ROLE_COMPLETION); /* it may be there now */
    slot->params = *p;
    slot->params.uri = slot->params.selected_text = (str){0};
    slot->offset = offset;
    bool cached = answer_from_cache(slot, forced, r) || answer_nothing_known(slot, r);
    count(s, cached);
    if (cached) return;
    reason = model_gate(s);
    if (reason[0])
        inline_answer_nothing(r, menu, reason, "", p->uri);
    else
        ask(slot, forced, r);
}

void inline_completion_request(server *s, const cJSON *params, reply *r) {
    lsp_inline_params p;
    err e = {{0}};
    status st = protocol_read_inline(params, &p, &e);
    if (st)
        reply_status(r, st, &e);
    else
        request(s, &p, false, r);
}

/* Editors say "invoked" here for every key, so that means nothing but that it is not forbidden. */
void inline_completion_menu_request(server *s, const cJSON *params, reply *r) {
    lsp_inline_params p;
    err e = {{0}};
    status st = protocol_read_inline(params, &p, &e);
    if (st)
        reply_status(r, st, &e);
    else if (!s->settings.completion.menu)
        inline_answer_nothing(r, true, "menu-off", "", p.uri);
    else
        request(s, &p, true, r);
}

static void start_try(inline_slot *slot, size_t index) {
    server *s = slot->server;
    inline_try *at = &slot->tries[index];
    const model *m = server_model(s, ROLE_COMPLETION);
    completion_request rq = {
        .context = s->context,
        .document = slot->document,
        .offset = slot->offset,
        .invoked = slot->params.invoked && !slot->menu,
        .variant = (int)index,
        .tab_size = slot->params.tab_size,
        .tabs = slot->params.tabs,
        .forced = str_of(slot->forced),
        .slot = m->slot,
        .client = s->options.client,
        .priority = PRIO_TYPE,
        .received_ms = slot->reply->received_ms,
        .model = &m->info,
        .settings = &s->settings,
    };
    at->slot = slot;
    completion *run = completion_start(s->options.completer, &rq, on_done, at);
    if (run) at->run = run; /* else on_done has been here */
}

static void start(inline_slot *slot) {
    server *s = slot->server;
    inline_found_init(&slot->found);
    if (speculation_fits(slot)) {
        slot->open = 1;
        slot->tries[0] = (inline_try){slot, NULL};
        slot->tries[0].run =
            speculation_take(&s->inlines.ahead, &slot->fork, on_done, &slot->tries[0]);
        return;
    }
    if (from_cache(slot, str_of(slot->forced), &slot->found)) { /* it came since the request did */
        finish(slot);
        return;
    }
    inline_found_deinit(&slot->found);
    inline_found_init(&slot->found);
    size_t n = candidates_wanted(slot);
    slot->open = n;
    for (size_t i = 0; i < n; i++)
        start_try(slot, i);
}

void inline_completion_timer(server *s) {
    for (size_t i = 0; i < s->inlines.slots.count; i++) {
        inline_slot *slot = s->inlines.slots.at[i];
        ghost_output out = ghost_step(&slot->ghost, GHOST_TIMER, 0);
        if (out.start_job) start(slot);
    }
    speculation_go(&s->inlines.ahead);
}
