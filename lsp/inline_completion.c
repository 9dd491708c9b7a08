/* SPDX-License-Identifier: Apache-2.0 */
/* textDocument/inlineCompletion.
 *
 *     request -> gates (settings, document, model) -> cache -> ghost WAITING
 *     timer   -> completion_start                            (RUNNING)
 *     done    -> item, or nothing and a reason               (IDLE)
 *
 * Whatever is wrong ends in {"items":[]} and an inlined/status with the reason, because editors put
 * error boxes on errors; only superseded, cancelled and outdated requests are errors, which editors
 * swallow.  All branching on time and order is ghost.c's.
 * Invariants: a slot has a reply exactly while its ghost is not IDLE, and a run only while RUNNING.
 * Thread: loop.
 */
#include "lsp/inline_completion.h"

#include "engine/base/log.h"
#include "lsp/position.h"
#include "lsp/server.h"

/* ---- slots ----------------------------------------------------------------------------------- */

void inline_completion_init(server *s) {
    s->inlines.cache = suggestion_cache_new(s->settings.completion.cache_entries);
}

static inline_slot *slot_find(server *s, const document *d) {
    for (size_t i = 0; i < s->inlines.slots.count; i++) {
        if (s->inlines.slots.at[i]->document == d) return s->inlines.slots.at[i];
    }
    return NULL;
}

static inline_slot *slot_get(server *s, document *d) {
    inline_slot *slot = slot_find(s, d);
    if (slot) return slot;
    slot = xcalloc(1, sizeof *slot);
    slot->server = s;
    slot->document = d;
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

/* Performs what the machine asks for, apart from `finish`, which its caller does. */
static void perform(inline_slot *slot, const ghost_output *out) {
    if (out->stop_job && slot->run) completion_cancel(slot->run);
    if (out->stop_job) slot->run = NULL;
    if (out->drop) reply_drop(slot_take_reply(slot));
}

static void slot_drop(inline_slot *slot) {
    ghost_output out = ghost_step(&slot->ghost, GHOST_EDIT, 0);
    perform(slot, &out);
}

void inline_completion_edit(server *s, document *d) {
    inline_slot *slot = slot_find(s, d);
    if (slot) slot_drop(slot);
}

void inline_completion_drop_all(server *s) {
    for (size_t i = 0; i < s->inlines.slots.count; i++)
        slot_drop(s->inlines.slots.at[i]);
}

void inline_completion_close(server *s, document *d) {
    for (size_t i = 0; i < s->inlines.slots.count; i++) {
        inline_slot *slot = s->inlines.slots.at[i];
        if (slot->document != d) continue;
        slot_drop(slot);
        vec_remove(&s->inlines.slots, i);
        xfree(slot);
        return;
    }
}

void inline_completion_deinit(server *s) {
    for (size_t i = 0; i < s->inlines.slots.count; i++) {
        inline_slot *slot = s->inlines.slots.at[i];
        if (slot->run) completion_cancel(slot->run);
        if (slot->reply) reply_abandon(slot_take_reply(slot));
        xfree(slot);
    }
    vec_free(&s->inlines.slots);
    suggestion_cache_free(s->inlines.cache);
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

/* ---- answers --------------------------------------------------------------------------------- */

static void answer_nothing(server *s, reply *r, const char *reason, const char *detail, str uri) {
    size_t n = strlen(r->note);
    snprintf(r->note + n, sizeof r->note - n, "%sreason=%s", n ? " " : "", reason);
    reply_result(r, protocol_inline_list(NULL, 0));
    server_tell_reason(s, reason, detail, uri);
}

/* Bytes [from, to) of the document become `text`; the shape rules of both main clients:
 * an insertion is an empty range, and a replacement goes on to the end of its line, since Neovim
 * paints over what follows a range that is not empty. */
static void answer_item(server *s, reply *r, const document *d, const suggestion *found) {
    suggestion item = *found;
    arena a;
    arena_init(&a);
    str text = document_text(d);
    if (item.to > item.from && item.to > item.offset) {
        size_t line = document_line_of(d, item.offset);
        size_t end = document_line_start(d, line) + document_line(d, line).len;
        str tail = str_sub(text, item.to, MAX(end, item.to));
        item.text = str_of(arena_printf(&a, "%.*s%.*s", STR_ARG(item.text), STR_ARG(tail)));
        item.to = MAX(end, item.to);
    }
    lsp_inline_item out = {.insert_text = item.text,
                           .range = {position_of_offset(d, s->encoding, item.from),
                                     position_of_offset(d, s->encoding, item.to)}};
    snprintf(out.id, sizeof out.id, "%llu-%llu", (unsigned long long)s->options.client,
             (unsigned long long)++s->inlines.items);
    reply_result(r, protocol_inline_list(&out, 1));
    server_tell_reason(s, "", "", document_uri(d));
    arena_deinit(&a);
}

/* With an item selected in the menu the text must start with that item's and replace its range:
 * the range grows to the left, over text that the suggestion then repeats. */
static suggestion widened(const document *d, const suggestion *at, size_t from, arena *a) {
    suggestion out = *at;
    str lead = str_sub(document_text(d), from, at->from);
    if (from >= at->from) return out;
    out.from = from;
    out.text = str_of(arena_printf(a, "%.*s%.*s", STR_ARG(lead), STR_ARG(at->text)));
    return out;
}

/* Drops what a suggestion repeats of the text left of the cursor, so that it is an insertion. */
static suggestion narrowed(const document *d, const completion_result *r) {
    suggestion out = {r->offset, r->from, r->to, r->text};
    str lead = str_sub(document_text(d), r->from, r->offset);
    if (lead.len && str_starts_with(r->text, lead)) {
        out.text = str_sub(r->text, lead.len, r->text.len);
        out.from = r->offset;
    }
    return out;
}

static void answer_shown(inline_slot *slot, reply *r, const suggestion *found) {
    server *s = slot->server;
    arena a;
    arena_init(&a);
    suggestion item = *found;
    if (slot->params.has_selected)
        item = widened(
            slot->document, found,
            position_to_offset(slot->document, s->encoding, slot->params.selected_range.start), &a);
    answer_item(s, r, slot->document, &item);
    arena_deinit(&a);
}

static void on_done(void *ud, const completion_result *res) {
    inline_slot *slot = ud;
    server *s = slot->server;
    slot->run = NULL;
    ghost_output out = ghost_step(&slot->ghost, GHOST_DONE, slot->ghost.request);
    ASSERT(out.finish); /* a completion that was overtaken was cancelled and never gets here */
    reply *r = slot_take_reply(slot);
    if (res->engine)
        snprintf(
            r->note, sizeof r->note,
            "reused=%d prefilled=%d decoded=%d queue=%.1f context=%.1f prefill=%.1f decode=%.1f "
            "post=%.1f",
            res->engine->reused, res->engine->prefilled, res->engine->n_tokens, res->ms.queue,
            res->ms.context, res->ms.prefill, res->ms.decode, res->ms.post);
    if (!res->shown || !res->text.len) {
        answer_nothing(s, r, res->shown ? "empty" : res->reason, res->detail,
                       document_uri(slot->document));
        return;
    }
    suggestion found = narrowed(slot->document, res);
    suggestion_cache_put(s->inlines.cache, document_uri(slot->document),
                         document_text(slot->document), &found);
    answer_shown(slot, r, &found);
}

/* ---- the question ---------------------------------------------------------------------------- */

/* Why nothing may be suggested now, or "". */
static const char *gate(server *s, const lsp_inline_params *p, const document *d) {
    if (!s->settings.enable) return "disabled";
    if (!d) return "unknown-document";
    if (!settings_language_enabled(&s->settings, document_language(d))) return "disabled-language";
    if (!p->invoked && !s->settings.completion.automatic) return "not-invoked";
    return "";
}

static const char *model_gate(server *s) {
    switch (s->options.model->state) {
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

static bool answer_from_cache(inline_slot *slot, str forced, reply *r) {
    server *s = slot->server;
    if (s->inlines.model_generation != s->options.model->generation) {
        suggestion_cache_clear(s->inlines.cache); /* written by another model */
        s->inlines.model_generation = s->options.model->generation;
    }
    arena a;
    arena_init(&a);
    suggestion found;
    bool hit = suggestion_cache_find(s->inlines.cache, document_uri(slot->document),
                                     document_text(slot->document), slot->offset, &a, &found) &&
               str_starts_with(found.text, forced);
    if (hit) {
        snprintf(r->note, sizeof r->note, "cached=1");
        answer_shown(slot, r, &found);
    }
    arena_deinit(&a);
    return hit;
}

static void ask(inline_slot *slot, str forced, reply *r) {
    server *s = slot->server;
    ghost_output out = ghost_step(&slot->ghost, GHOST_REQUEST, ++s->inlines.serial);
    perform(slot, &out);
    slot->reply = r;
    slot->forced = forced.len ? xstrndup(forced.ptr, forced.len) : NULL;
    if (out.start_timer) s->host.timer(s->host.ud, s->settings.completion.debounce_ms);
}

void inline_completion_request(server *s, const cJSON *params, reply *r) {
    lsp_inline_params p;
    err e = {{0}};
    status st = protocol_read_inline(params, &p, &e);
    if (st) {
        reply_status(r, st, &e);
        return;
    }
    document *d = context_find(s->context, p.uri);
    if (d) inline_completion_edit(s, d); /* the older request is superseded, whatever comes now */
    if (d && p.has_version && p.version < document_version(d)) {
        reply_error(r, LSP_CONTENT_MODIFIED, "the document has changed since");
        return;
    }
    const char *reason = gate(s, &p, d);
    str forced = {0};
    size_t offset = d ? position_to_offset(d, s->encoding, p.position) : 0;
    if (!reason[0] && !selected_rest(s, d, &p, offset, &forced)) reason = "selected-item";
    if (reason[0]) {
        answer_nothing(s, r, reason, "", p.uri);
        return;
    }
    model_state have = s->options.model->state;
    if (have == MODEL_NONE || have == MODEL_FAILED) server_want_model(s); /* it may be there now */
    inline_slot *slot = slot_get(s, d);
    slot->params = p;
    slot->params.uri = slot->params.selected_text = (str){0};
    slot->offset = offset;
    if (answer_from_cache(slot, forced, r)) return;
    reason = model_gate(s);
    if (reason[0])
        answer_nothing(s, r, reason, "", p.uri);
    else
        ask(slot, forced, r);
}

static void start(inline_slot *slot) {
    server *s = slot->server;
    completion_request rq = {
        .context = s->context,
        .document = slot->document,
        .offset = slot->offset,
        .invoked = slot->params.invoked,
        .forced = str_of(slot->forced),
        .slot = MODEL_SLOT,
        .single_line = s->options.model->info.single_line,
        .client = s->options.client,
        .priority = PRIO_TYPE,
        .received_ms = slot->reply->received_ms,
        .settings = &s->settings,
    };
    completion *run = completion_start(s->options.completer, &rq, on_done, slot);
    if (run) slot->run = run;
}

void inline_completion_timer(server *s) {
    for (size_t i = 0; i < s->inlines.slots.count; i++) {
        inline_slot *slot = s->inlines.slots.at[i];
        ghost_output out = ghost_step(&slot->ghost, GHOST_TIMER, 0);
        if (out.start_job) start(slot);
    }
}
