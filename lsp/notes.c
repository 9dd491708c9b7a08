/* SPDX-License-Identifier: Apache-2.0 */
/* Diagnostics of other servers and linters, for prompts near them.
 *
 * A server does not hear what other servers publish, so an editor's plugin passes it on.  Errors
 * and warnings count, the first LIMIT_NOTES of them (plugins send the nearest first); our own do
 * not.  Nothing is kept about hidden documents.  Thread: loop. */
#include "lsp/notes.h"

#include <cjson/cJSON.h>

#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "lsp/server.h"

/* "error: the message" in one line. */
static str one_line(const lsp_diagnostic *d, arena *a) {
    str from = str_sub(d->message, 0, LIMIT_NOTE_BYTES);
    char *text = arena_printf(a, "%s: %.*s", d->severity == 1 ? "error" : "warning", STR_ARG(from));
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ') *c = ' ';
    return str_trim(str_of(text));
}

void notes_diagnostics(server *s, const cJSON *params) {
    context_note notes[LIMIT_NOTES];
    size_t n = 0;
    const cJSON *item;
    lsp_diagnostic one;
    str uri;
    int64_t version;
    err e;
    if (protocol_read_document_id(params, &uri, &version, &e)) {
        log_warn("notes", "ignored inlined/diagnostics why=\"%s\"", e.text);
        return;
    }
    document *d = context_find(s->context, uri);
    if (!d) return;
    arena a;
    arena_init(&a);
    cJSON_ArrayForEach(item, protocol_get(params, "diagnostics")) {
        if (n == LIMIT_NOTES || document_hidden(d)[0]) break;
        if (protocol_read_diagnostic(item, &one, &e)) continue;
        if (one.severity > 2 || str_starts_with(one.source, STR("inlined"))) continue;
        notes[n++] = (context_note){one.line, one_line(&one, &a)};
    }
    context_set_notes(d, notes, n);
    arena_deinit(&a);
}
