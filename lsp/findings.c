/* SPDX-License-Identifier: Apache-2.0 */
/* Findings of reviews: see findings.h.
 *
 * A finding follows its lines through edits.  An edit inside of them drops it: it speaks of text
 * that is gone, and its fix would overwrite something else.  Clients that pull diagnostics and can
 * be told to pull again are told; to the others they are pushed.  Thread: loop.
 */
#include "lsp/findings.h"

#include <cjson/cJSON.h>

#include "engine/base/clock.h"
#include "engine/base/hash.h"
#include "engine/base/limits.h"
#include "lsp/position.h"
#include "lsp/server.h"

#define ANSWER_MS 10000.0

static void finding_free(finding *f) {
    xfree(f->message);
    xfree(f->replacement);
}

static void remove_at(server *s, size_t i) {
    finding_free(&s->findings.all.at[i]);
    vec_remove(&s->findings.all, i);
    s->findings_moved = true;
}

const finding *findings_at(const server *s, size_t i) {
    return i < s->findings.all.count ? &s->findings.all.at[i] : NULL;
}

bool findings_add(server *s, document *d, const finding *f) {
    size_t n = 0;
    for (size_t i = 0; i < s->findings.all.count; i++) {
        const finding *old = &s->findings.all.at[i];
        if (old->document != d) continue;
        n++;
        if (old->from == f->from && old->to == f->to && !strcmp(old->message, f->message))
            return false;
    }
    if (n >= LIMIT_FINDINGS) return false;
    finding mine = *f;
    mine.id = ++s->findings.last;
    mine.document = d;
    mine.message = xstrdup(f->message);
    mine.replacement = f->replacement ? xstrdup(f->replacement) : NULL;
    vec_push(&s->findings.all, mine);
    return true;
}

void findings_drop(server *s, const document *d, size_t from, size_t to) {
    for (size_t i = s->findings.all.count; i-- > 0;) {
        const finding *f = &s->findings.all.at[i];
        if (f->document == d && f->from >= from && f->from <= to) remove_at(s, i);
    }
}

/* ---- the text changes ------------------------------------------------------------------------ */

void findings_edited(server *s, const document *d, size_t from, size_t to, size_t added) {
    for (size_t i = s->findings.all.count; i-- > 0;) {
        finding *f = &s->findings.all.at[i];
        if (f->document != d || from >= f->to) continue;
        if (to > f->from) {
            remove_at(s, i);
            continue;
        }
        f->from = f->from - (to - from) + added;
        f->to = f->to - (to - from) + added;
    }
}

void findings_changed(server *s, document *d) {
    if (s->findings_moved) findings_publish(s, d);
    s->findings_moved = false;
}

void findings_replaced(server *s, const document *d) {
    findings_drop(s, d, 0, SIZE_MAX);
}

void findings_closing(server *s, document *d) {
    findings_drop(s, d, 0, SIZE_MAX);
    findings_changed(s, d);
}

void findings_deinit(server *s) {
    for (size_t i = 0; i < s->findings.all.count; i++)
        finding_free(&s->findings.all.at[i]);
    vec_free(&s->findings.all);
}

/* ---- to the client --------------------------------------------------------------------------- */

static lsp_range range_of(const server *s, const finding *f) {
    return (lsp_range){position_of_offset(f->document, s->encoding, f->from),
                       position_of_offset(f->document, s->encoding, f->to)};
}

cJSON *findings_json(const server *s, const finding *f) {
    return protocol_finding(&(lsp_finding){.range = range_of(s, f),
                                           .severity = f->severity,
                                           .code = "review",
                                           .message = str_of(f->message),
                                           .id = f->id});
}

static cJSON *list_of(const server *s, const document *d) {
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < s->findings.all.count; i++) {
        const finding *f = &s->findings.all.at[i];
        if (f->document != d) continue;
        cJSON_AddItemToArray(list, findings_json(s, f));
    }
    return list;
}

void findings_publish(server *s, document *d) {
    if (s->features.pull) {
        rpc_request(s->rpc, "workspace/diagnostic/refresh", NULL, clock_ms() + ANSWER_MS, NULL,
                    NULL);
        return;
    }
    cJSON *params = cJSON_CreateObject();
    cJSON_AddItemToObject(params, "uri", protocol_text(document_uri(d)));
    cJSON_AddNumberToObject(params, "version", (double)document_version(d));
    cJSON_AddItemToObject(params, "diagnostics", list_of(s, d));
    rpc_notify(s->rpc, "textDocument/publishDiagnostics", params);
}

cJSON *findings_fix(server *s, const finding *f) {
    if (!f->replacement) return NULL;
    arena a;
    arena_init(&a);
    text_edit *edits;
    str old = str_sub(document_text(f->document), f->from, f->to);
    size_t n = change_diff(old, str_of(f->replacement), &a, &edits);
    for (size_t i = 0; i < n; i++) {
        edits[i].from += f->from;
        edits[i].to += f->from;
    }
    lsp_edit_note note = {"Fix what the review found", f->message, f->breaks};
    cJSON *edit = n ? protocol_edit(&s->features, s->encoding, f->document, edits, n, &note) : NULL;
    arena_deinit(&a);
    return edit;
}

void findings_request(server *s, const cJSON *params, reply *r) {
    str uri;
    int64_t version;
    err e = {{0}};
    status st = protocol_read_document_id(protocol_get(params, "textDocument"), &uri, &version, &e);
    if (st) {
        reply_status(r, st, &e);
        return;
    }
    document *d = s->features.pull ? context_find(s->context, uri) : NULL; /* else it was pushed */
    cJSON *list = d ? list_of(s, d) : cJSON_CreateArray();
    char *text = cJSON_PrintUnformatted(list), id[24];
    snprintf(id, sizeof id, "%016llx", (unsigned long long)hash64(0, text, strlen(text)));
    cJSON_free(text);
    const cJSON *previous = protocol_get(params, "previousResultId");
    bool same = cJSON_IsString(previous) && !strcmp(previous->valuestring, id);
    cJSON *result = cJSON_CreateObject();
    cJSON_AddStringToObject(result, "kind", same ? "unchanged" : "full");
    cJSON_AddStringToObject(result, "resultId", id);
    if (same)
        cJSON_Delete(list);
    else
        cJSON_AddItemToObject(result, "items", list);
    reply_result(r, result);
}
