/* SPDX-License-Identifier: Apache-2.0 */
/* Counts what people do with suggestions, for the status and the log and nobody else, and gives up
 * looking ahead when the text goes another way.
 *
 * An item keeps its id while somebody types along it, so ids stand for suggestions, not for
 * answers.  The editor tells of an acceptance after its didChange, when the suggestion has ended
 * already here; `recent` knows it then.  Thread: loop. */
#include "lsp/feedback.h"

#include "engine/base/log.h"
#include "lsp/server.h"

static feedback_recent *recent_find(server *s, str id) {
    for (size_t i = 0; i < FEEDBACK_RECENT; i++) {
        feedback_recent *r = &s->feedback.recent[i];
        if (r->id[0] && str_eq(str_of(r->id), id)) return r;
    }
    return NULL;
}

static void remember(server *s, const char *id) {
    feedback_recent *r = &s->feedback.recent[s->feedback.next++ % FEEDBACK_RECENT];
    *r = (feedback_recent){0};
    snprintf(r->id, sizeof r->id, "%s", id);
}

static void count(server *s, str id, bool whole, const char *source) {
    feedback_recent *r = recent_find(s, id);
    if (!r || (whole ? r->accepted : r->partly)) return;
    if (whole)
        r->accepted = true;
    else
        r->partly = true;
    *(whole ? &s->feedback.counts.accepted : &s->feedback.counts.partly) += 1;
    log_info("ghost", "%s id=%s source=%s", whole ? "accepted" : "accepted partly", r->id, source);
}

/* ---- from the text --------------------------------------------------------------------------- */

void feedback_show(inline_slot *slot, inline_found *found) {
    server *s = slot->server;
    shown_item items[SHOWN_MAX];
    size_t n = 0;
    for (size_t i = 0; i < found->count; i++) {
        suggestion whole = suggestion_inserted(slot->document, &found->at[i], &found->arena);
        snprintf(found->ids[i], SHOWN_ID_BYTES, "%llu-%llu", (unsigned long long)s->options.client,
                 (unsigned long long)s->inlines.items + i + 1);
        if (whole.from != whole.offset) continue; /* it rewrites what is left of the cursor */
        items[n] = (shown_item){.text = whole.text, .swallows = whole.to - whole.offset};
        memcpy(items[n++].id, found->ids[i], SHOWN_ID_BYTES);
    }
    shown *v = &slot->shown;
    if (!shown_show(v, document_text(slot->document), slot->offset, items, n)) {
        memcpy(found->ids[0], v->items[v->at].id, SHOWN_ID_BYTES);
        return;
    }
    s->inlines.items += found->count;
    s->feedback.counts.shown++;
    for (size_t i = 0; i < found->count; i++)
        remember(s, found->ids[i]);
}

void feedback_edit(inline_slot *slot, size_t from, size_t to, size_t added) {
    shown_edit(&slot->shown, from, to, added);
}

void feedback_changed(inline_slot *slot) {
    server *s = slot->server;
    shown *v = &slot->shown;
    shown_event e = shown_look(v, document_text(slot->document));
    str id = str_of(v->items[v->at].id);
    switch (e) {
    case SHOWN_PARTLY: count(s, id, false, "text"); break;
    case SHOWN_ACCEPTED: count(s, id, true, "text"); break;
    case SHOWN_TYPED_OUT: s->feedback.counts.typed++; break;
    case SHOWN_LEFT:
        s->feedback.counts.left++;
        if (speculation_is_about(&s->inlines.ahead, document_uri(slot->document)))
            speculation_stop(&s->inlines.ahead);
        break;
    case SHOWN_SAME:
    case SHOWN_TYPED:
    case SHOWN_DELETED: break;
    }
}

/* ---- from the editor's word ------------------------------------------------------------------ */

/* The candidate that somebody looks at is the one to look ahead from. */
void feedback_did_show(server *s, const cJSON *params) {
    str id = protocol_read_item_id(params);
    for (size_t i = 0; i < s->inlines.slots.count; i++) {
        inline_slot *slot = s->inlines.slots.at[i];
        const shown *v = &slot->shown;
        const shown_item *item = v->count ? shown_find(v, id) : NULL;
        if (!item || v->typed > item->text.len) continue;
        size_t offset = v->anchor + v->typed;
        size_t to = v->anchor + v->typed + item->swallows;
        str rest = str_sub(item->text, v->typed, item->text.len);
        log_debug("ghost", "on the screen id=%s", item->id);
        if (to <= document_text(slot->document).len)
            speculation_start(&s->inlines.ahead, slot->document,
                              &(suggestion){offset, offset, to, rest});
        return;
    }
}

void feedback_did_accept_partly(server *s, const cJSON *params) {
    count(s, protocol_read_item_id(params), false, "editor");
}

void feedback_accepted(server *s, str id) {
    count(s, id, true, "editor");
}
