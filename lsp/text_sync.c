/* SPDX-License-Identifier: Apache-2.0 */
/* didOpen, didChange, didClose, of documents and of the cells of notebooks: the editor's text into
 * the context's documents.
 *
 * Each edit is applied in order, with positions read in the negotiated encoding against the text as
 * it is at that moment.  A message that cannot be understood is logged and ignored (a notification
 * has no answer); what came before it stays applied, and the version does not move.  A document
 * that was never opened is named in the log once.  Thread: loop. */
#include <cjson/cJSON.h>

#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "lsp/did_change.h"
#include "lsp/server.h"

static void refuse(const char *method, const err *e) {
    log_warn("sync", "ignored a notification method=%s why=\"%s\"", method, e->text);
}

static void open_document(server *s, const cJSON *item, const char *method) {
    lsp_document in;
    err e = {{0}};
    if (protocol_read_document(item, &in, &e)) {
        refuse(method, &e);
        return;
    }
    document *old = context_find(s->context, in.uri);
    if (old) inline_completion_close(s, old);
    if (old) works_document_closing(s, old);
    if (old) findings_closing(s, old);
    arena a;
    arena_init(&a);
    str *roots = arena_alloc(&a, (s->roots.count + 1) * sizeof *roots);
    for (size_t i = 0; i < s->roots.count; i++)
        roots[i] = str_of(s->roots.at[i]);
    str file = uri_path(in.uri, &a);
    str path = uri_relative(file, roots, s->roots.count);
    document *d;
    if (context_open(s->context, in.uri, path, in.language, in.text, in.version, &d, &e)) {
        refuse(method, &e);
        server_tell_user(s, MESSAGE_LOG, e.text);
        if (old) context_close(s->context, old); /* its text is not the editor's any more */
    } else {
        workspace_opened(s, d, file);
    }
    arena_deinit(&a);
}

void text_sync_open(server *s, const cJSON *params) {
    open_document(s, protocol_get(params, "textDocument"), "textDocument/didOpen");
}

/* Names an unknown document once; the list is bounded like the documents themselves. */
static void log_unknown(server *s, str uri) {
    for (size_t i = 0; i < s->unknown.count; i++) {
        if (str_eq(str_of(s->unknown.at[i]), uri)) return;
    }
    if (s->unknown.count >= LIMIT_DOCUMENTS) return;
    vec_push(&s->unknown, xstrndup(uri.ptr, uri.len));
    log_warn("sync", "didChange for a document that is not open; ignored uri=%.*s",
             (int)MIN(uri.len, 300), uri.ptr);
}

static status apply_change(server *s, document *d, const cJSON *change, err *e) {
    did_change_edit done;
    status st = did_change_apply(d, s->encoding, change, &done, e);
    if (st) return st;
    if (done.whole) {
        findings_replaced(s, d);
    } else {
        inline_completion_edited(s, d, done.from, done.to, done.added);
        findings_edited(s, d, done.from, done.to, done.added);
    }
    return st;
}

static void change_document(server *s, const cJSON *id, const cJSON *changes, const char *method) {
    str uri;
    int64_t version;
    err e = {{0}};
    if (protocol_read_document_id(id, &uri, &version, &e)) {
        refuse(method, &e);
        return;
    }
    document *d = context_find(s->context, uri);
    if (!d) {
        log_unknown(s, uri);
        return;
    }
    inline_completion_edit(s, d);
    if (!cJSON_IsArray(changes)) {
        (void)err_set(&e, ERR_USAGE, "the changes must be an array");
        changes = NULL;
    }
    const cJSON *change;
    cJSON_ArrayForEach(change, changes) {
        if (apply_change(s, d, change, &e)) break;
    }
    inline_completion_changed(s, d);
    works_document_changed(s, d);
    if (e.text[0])
        refuse(method, &e);
    else
        document_set_version(d, version);
    findings_changed(s, d); /* publishes with the version that the text has now */
}

void text_sync_change(server *s, const cJSON *params) {
    change_document(s, protocol_get(params, "textDocument"), protocol_get(params, "contentChanges"),
                    "textDocument/didChange");
}

static void close_document(server *s, const cJSON *id, const char *method) {
    str uri;
    int64_t version;
    err e = {{0}};
    if (protocol_read_document_id(id, &uri, &version, &e)) {
        refuse(method, &e);
        return;
    }
    document *d = context_find(s->context, uri);
    if (!d) return;
    inline_completion_close(s, d);
    works_document_closing(s, d);
    findings_closing(s, d);
    workspace_closing(s, d);
    context_close(s->context, d);
}

void text_sync_close(server *s, const cJSON *params) {
    close_document(s, protocol_get(params, "textDocument"), "textDocument/didClose");
}

/* ---- notebooks ------------------------------------------------------------------------------- */

void text_sync_notebook_open(server *s, const cJSON *params) {
    const cJSON *item;
    cJSON_ArrayForEach(item, protocol_get(params, "cellTextDocuments")) {
        open_document(s, item, "notebookDocument/didOpen");
    }
}

/* Order and kind of the cells do not matter here, only which there are and what they say.  A cell
 * whose language changes is closed and opened in one message, so closing goes first. */
void text_sync_notebook_change(server *s, const cJSON *params) {
    const char *method = "notebookDocument/didChange";
    const cJSON *cells = protocol_get(protocol_get(params, "change"), "cells"), *one;
    const cJSON *structure = protocol_get(cells, "structure");
    cJSON_ArrayForEach(one, protocol_get(structure, "didClose")) {
        close_document(s, one, method);
    }
    cJSON_ArrayForEach(one, protocol_get(structure, "didOpen")) {
        open_document(s, one, method);
    }
    cJSON_ArrayForEach(one, protocol_get(cells, "textContent")) {
        change_document(s, protocol_get(one, "document"), protocol_get(one, "changes"), method);
    }
}

void text_sync_notebook_close(server *s, const cJSON *params) {
    const cJSON *id;
    cJSON_ArrayForEach(id, protocol_get(params, "cellTextDocuments")) {
        close_document(s, id, "notebookDocument/didClose");
    }
}
