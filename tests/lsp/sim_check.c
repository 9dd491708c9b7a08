/* SPDX-License-Identifier: Apache-2.0 */
/* The judgement of the simulation:
 *
 *   - every request is answered once, and never a request that was not open
 *   - a result is about the text and the cursor of now, and is the newest request of its document
 *   - an item's range holds the cursor and stays on its line; with a selected menu item it covers
 *     that one; with the scripted engine its text is what the engine writes at this place, or what
 *     is left of that after what has been typed
 *   - the server counts as many open requests as the editor does
 */
#include "engine/base/utf8.h"
#include "tests/lsp/sim.h"

void sim_fail(const sim *s, const char *file, int line, const char *what) {
    fprintf(stderr, "%s:%d: %s\nseed and steps to replay: %llu %llu\n", file, line, what,
            (unsigned long long)s->seed, (unsigned long long)s->step);
    abort();
}

/* Is `text` the rest, or a part of it, of what is written behind `then`, after `typed` bytes? */
static bool is_rest(const char *whole, str before, size_t typed, str text) {
    str w = str_of(whole);
    return typed < w.len && str_ends_with(before, str_sub(w, 0, typed)) &&
           str_starts_with(str_sub(w, typed, w.len), text);
}

/* Is `text` what the engine wrote here, or further left and since then somebody typed along it?
 * Behind a selected menu item it wrote after that item's z. */
static bool is_known(str before, str text) {
    for (uint64_t variant = 0; variant < SHOWN_MAX; variant++) {
        for (size_t typed = 0; typed < 32 && typed <= before.len; typed++) {
            char tail[80], whole[32], behind_z[34] = "z";
            str then =
                str_sub(before, before.len - MIN(before.len, typed + 64), before.len - typed);
            sim_text(then, variant, whole);
            snprintf(tail, sizeof tail, "%.*sz", STR_ARG(then));
            sim_text(str_of(tail), variant, behind_z + 1);
            if (is_rest(whole, before, typed, text) || is_rest(behind_z, before, typed, text))
                return true;
        }
    }
    return false;
}

static lsp_position position_of(const cJSON *json) {
    return (lsp_position){(uint32_t)lsp_peer_at(json, "line")->valuedouble,
                          (uint32_t)lsp_peer_at(json, "character")->valuedouble};
}

static void check_item(sim *s, const sim_request *q, const cJSON *item) {
    sim_document *d = &s->documents[q->document];
    const cJSON *range = lsp_peer_at(item, q->menu ? "textEdit.range" : "range");
    const cJSON *json = lsp_peer_at(item, q->menu ? "textEdit.newText" : "insertText");
    SIM_CHECK(s, range && cJSON_IsString(json));
    lsp_position from = position_of(lsp_peer_at(range, "start"));
    lsp_position to = position_of(lsp_peer_at(range, "end"));
    lsp_position at = sim_position(s, d, q->offset);
    SIM_CHECK(s, from.line == at.line && to.line == at.line);
    SIM_CHECK(s, from.character <= at.character && at.character <= to.character);
    str text = str_of(json->valuestring), before = {d->text, q->offset};
    size_t lead = 0; /* bytes left of the cursor that the item repeats */
    while (sim_position(s, d, q->offset - lead).character > from.character)
        lead++;
    SIM_CHECK(s, text.len > lead && utf8_is_valid(text));
    SIM_CHECK(s, str_eq(str_sub(text, 0, lead), str_sub(before, before.len - lead, before.len)));
    if (q->has_selected) SIM_CHECK(s, lead == q->selected);
    text = str_sub(text, lead, text.len);
    if (s->scripted && from.line == to.line && to.character == at.character)
        SIM_CHECK(s, q->has_selected || is_known(before, text));
    if (!q->menu && !q->has_selected)
        snprintf(d->hint, sizeof d->hint, "%.*s",
                 (int)utf8_complete_prefix(str_sub(text, 0, sizeof d->hint - 1)), text.ptr);
}

static void check_result(sim *s, const sim_request *q, const cJSON *result) {
    const cJSON *item, *items = lsp_peer_at(result, "items");
    sim_document *d = &s->documents[q->document];
    SIM_CHECK(s, cJSON_IsArray(items));
    SIM_CHECK(s, !items->child || (d->open && d->edits == q->edits));
    for (size_t i = 0; i < SIM_OPEN_REQUESTS && items->child; i++) {
        const sim_request *other = &s->open[i];
        SIM_CHECK(s, !other->id || other->document != q->document || other->menu != q->menu ||
                         other->id <= q->id);
    }
    if (!q->menu) d->hint[0] = '\0';
    s->shown += items->child != NULL;
    cJSON_ArrayForEach(item, items) check_item(s, q, item);
}

static void check_answer(sim *s, const cJSON *message) {
    const cJSON *id = lsp_peer_at(message, "id"), *error = lsp_peer_at(message, "error");
    SIM_CHECK(s, cJSON_IsNumber(id));
    if (id->valueint <= 0) return; /* not about a completion */
    sim_request *q = NULL;
    for (size_t i = 0; i < SIM_OPEN_REQUESTS; i++) {
        if (s->open[i].id == id->valueint) q = &s->open[i];
    }
    SIM_CHECK(s, q); /* never asked, or answered before */
    sim_request copy = *q;
    q->id = 0;
    s->answers++;
    if (!error) {
        check_result(s, &copy, lsp_peer_at(message, "result"));
        return;
    }
    int code = lsp_peer_at(error, "code")->valueint;
    s->errors++;
    SIM_CHECK(s, code == LSP_REQUEST_CANCELLED || code == LSP_CONTENT_MODIFIED);
}

void sim_take_answers(sim *s) {
    lsp_peer *p = &s->peer;
    for (size_t i = 0; i < p->received.count; i++) {
        if (!lsp_peer_at(p->received.at[i], "method")) check_answer(s, p->received.at[i]);
    }
    lsp_peer_forget(p);
    size_t open = 0;
    for (size_t i = 0; i < SIM_OPEN_REQUESTS; i++)
        open += s->open[i].id != 0;
    SIM_CHECK(s, p->server->unanswered == open);
}

void sim_check_documents(sim *s) {
    for (size_t i = 0; i < SIM_DOCUMENTS; i++) {
        const sim_document *d = &s->documents[i];
        document *theirs = context_find(s->peer.server->context, str_of(d->uri));
        SIM_CHECK(s, (theirs != NULL) == d->open);
        if (theirs) SIM_CHECK(s, str_eq(document_text(theirs), (str){d->text, d->len}));
    }
}
