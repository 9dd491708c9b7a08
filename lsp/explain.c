/* SPDX-License-Identifier: Apache-2.0 */
/* A prompt, explained.  The pieces are those that the next completion at this place would get: the
 * same function assembles them, and what it has chosen stays chosen.  Secrets are masked in it
 * already, and of a hidden file there is only the reason.  Thread: loop.
 */
#include "lsp/explain.h"

#include <math.h>

#include <cjson/cJSON.h>

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "lsp/completion.h"
#include "lsp/position.h"
#include "lsp/server.h"

static void add_text(cJSON *o, const char *key, str text) {
    char *copy = xstrndup(text.len ? text.ptr : "", text.len);
    cJSON_AddStringToObject(o, key, copy);
    xfree(copy);
}

static void add_ms(cJSON *o, double ms) {
    cJSON_AddNumberToObject(o, "ms", round(ms * 1000) / 1000);
}

static void add_sections(cJSON *o, const context_prompt *p) {
    cJSON *list = cJSON_AddArrayToObject(o, "sections");
    for (size_t i = 0; i < COUNTOF(p->sections); i++) {
        const context_section *s = &p->sections[i];
        if (!s->name) continue;
        cJSON *one = cJSON_CreateObject();
        cJSON_AddStringToObject(one, "name", s->name);
        cJSON_AddNumberToObject(one, "budget_bytes", (double)s->budget);
        cJSON_AddNumberToObject(one, "bytes", (double)s->bytes);
        cJSON_AddNumberToObject(one, "found", (double)s->found);
        cJSON_AddNumberToObject(one, "used", (double)s->chunks);
        add_ms(one, s->ms);
        cJSON_AddItemToArray(list, one);
    }
}

static void add_chunks(cJSON *o, const context_prompt *p) {
    cJSON *list = cJSON_AddArrayToObject(o, "chunks");
    for (size_t i = 0; i < p->n_chunks; i++) {
        const context_chunk *k = &p->chunks[i];
        cJSON *one = cJSON_CreateObject();
        add_text(one, "path", k->path);
        cJSON_AddStringToObject(one, "why", k->why);
        cJSON_AddNumberToObject(one, "score", round((double)k->score * 1000) / 1000);
        cJSON_AddNumberToObject(one, "bytes", (double)k->text.len);
        add_text(one, "text", k->text);
        cJSON_AddItemToArray(list, one);
    }
}

cJSON *explain_json(const context_prompt *p, double assemble_ms) {
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "reason", p->reason);
    cJSON_AddStringToObject(o, "scope", p->scope);
    cJSON_AddStringToObject(o, "shape", p->shape == SHAPE_BLOCK ? "block" : "line");
    add_text(o, "path", p->path);
    cJSON_AddNumberToObject(o, "secrets_masked", (double)p->secrets);
    cJSON_AddNumberToObject(o, "prefix_bytes", (double)p->prefix.len);
    cJSON_AddNumberToObject(o, "suffix_bytes", (double)p->suffix.len);
    cJSON_AddBoolToObject(o, "chosen_anew", p->chosen_anew);
    add_sections(o, p);
    add_chunks(o, p);
    add_text(o, "prefix", p->prefix);
    add_text(o, "suffix", p->suffix);
    add_ms(o, assemble_ms);
    return o;
}

void explain_request(server *s, const cJSON *params, reply *r) {
    lsp_inline_params in;
    err e = {{0}};
    status st = protocol_read_inline(params, &in, &e);
    document *d = st ? NULL : context_find(s->context, in.uri);
    if (!st && !d) st = err_set(&e, ERR_USAGE, "the document is not open");
    if (st) {
        reply_status(r, st, &e);
        return;
    }
    arena a;
    context_prompt p;
    context_request question;
    arena_init(&a);
    const model *m = server_model(s, ROLE_COMPLETION);
    completion_question(&s->settings, m->state == MODEL_READY ? &m->info : NULL, &question);
    question.offset = position_to_offset(d, s->encoding, in.position);
    question.invoked = true;
    double before = clock_ms();
    context_assemble(s->context, d, &question, &a, &p);
    cJSON *result = explain_json(&p, clock_ms() - before);
    cJSON_AddItemToObject(result, "lookups", enrich_lookups_json(s, in.uri));
    cJSON_AddItemToObject(result, "neighbours", enrich_neighbours_json(s, in.uri));
    reply_result(r, result);
    arena_deinit(&a);
}
