/* SPDX-License-Identifier: Apache-2.0 */
/* The facade of the module: owns the documents of one connection and the compiled scope queries.
 *
 * Documents are found by URI with a linear search over hashes: 4096 documents at most, and an
 * editor has tens.  Pointers to documents stay valid until context_close().  Thread: loop.
 */
#include "context/context.h"

#include "context/branch.h"
#include "context/context_private.h"
#include "context/retrieve.h"
#include "context/secret.h"
#include "engine/base/hash.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/utf8.h"

static void drop_roots(context *c);

context *context_new(void) {
    context *c = xcalloc(1, sizeof *c);
    c->queries = xcalloc(grammars_count, sizeof *c->queries);
    c->logprob_mean_min = c->logprob_token_min = -1e30f;
    c->privacy = privacy_new();
    return c;
}

void context_free(context *c) {
    if (!c) return;
    for (size_t i = 0; i < c->documents.count; i++)
        document_free(c->documents.at[i]);
    vec_free(&c->documents);
    for (size_t i = 0; i < grammars_count; i++) {
        if (c->queries[i].query) ts_query_delete(c->queries[i].query);
    }
    xfree(c->queries);
    syntax_trials_free(c->trials);
    privacy_free(c->privacy);
    branch_deinit(c);
    ring_deinit(c);
    drop_roots(c);
    vec_free(&c->roots);
    xfree(c);
}

void context_set_confidence(context *c, float mean_min, float token_min) {
    c->logprob_mean_min = mean_min;
    c->logprob_token_min = token_min;
}

void context_set_filters_off(context *c, uint32_t bits) {
    c->filters_off = bits;
}

/* ---- privacy --------------------------------------------------------------------------------- */

static void judge(context *c, document *d) {
    str path = d->file ? str_of(d->file) : str_of(d->path);
    d->hidden = privacy_hides(c->privacy, path, false);
}

const char *context_hides(context *c, str path) {
    return privacy_hides(c->privacy, path, false);
}

static void judge_all(context *c) {
    for (size_t i = 0; i < c->documents.count; i++)
        judge(c, c->documents.at[i]);
}

static void drop_roots(context *c) {
    for (size_t i = 0; i < c->roots.count; i++)
        xfree(c->roots.at[i]);
    vec_clear(&c->roots);
}

void context_set_roots(context *c, const str *roots, size_t n) {
    drop_roots(c);
    for (size_t i = 0; i < n && i < LIMIT_WORKSPACE_FOLDERS; i++)
        vec_push(&c->roots, xstrndup(roots[i].len ? roots[i].ptr : "", roots[i].len));
    branch_settle(c);
    privacy_set_roots(c->privacy, roots, n);
    judge_all(c);
}

void context_set_privacy(context *c, str deny_globs, bool respect_gitignore) {
    privacy_set_rules(c->privacy, deny_globs, respect_gitignore);
    judge_all(c);
}

bool context_refresh(context *c) {
    bool changed = privacy_refresh(c->privacy);
    if (changed) judge_all(c);
    return changed;
}

const char *context_trouble(const context *c) {
    return privacy_trouble(c->privacy);
}

bool context_has_secret(str text) {
    size_t start, end;
    return secret_next(text, 0, &start, &end);
}

void context_locate(context *c, document *d, str file) {
    xfree(d->file);
    d->file = xstrndup(file.len ? file.ptr : "", file.len);
    judge(c, d);
}

void context_rename(document *d, str path) {
    if (str_eq(document_path(d), path)) return;
    xfree(d->path);
    d->path = xstrndup(path.len ? path.ptr : "", path.len);
    selection_deinit(&d->selection);
}

/* ---- symbol index ---------------------------------------------------------------------------- */

void context_set_symbols(context *c, symbols *x, uint64_t client) {
    if (c->symbols != x) {
        for (size_t i = 0; i < c->documents.count; i++)
            c->documents.at[i]->indexed = false;
    }
    c->symbols = x;
    c->client = client;
}

symbols_view context_view(const context *c, arena *a) {
    str *roots = arena_alloc(a, (c->roots.count + 1) * sizeof *roots);
    for (size_t i = 0; i < c->roots.count; i++)
        roots[i] = str_of(c->roots.at[i]);
    return (symbols_view){.client = c->client, .roots = roots, .n = c->roots.count};
}

/* What the index knows a document by. */
static str index_key(const document *d) {
    return d->file && d->file[0] == '/' ? str_of(d->file) : str_of(d->uri);
}

void context_index(context *c, document *d) {
    if (!c->symbols) return;
    if (d->hidden[0]) {
        context_index_closed(c, d);
        return;
    }
    if (d->indexed && d->indexed_version == d->version) return;
    symbols_document(c->symbols, c->client, index_key(d), d->language->name, document_text(d));
    d->indexed = true;
    d->indexed_version = d->version;
}

void context_index_closed(context *c, document *d) {
    if (c->symbols && d->indexed) symbols_document_closed(c->symbols, c->client, index_key(d));
    d->indexed = false;
}

/* ---- what others say ------------------------------------------------------------------------- */

bool context_note_at(const document *d, size_t index, context_note *out) {
    if (index >= d->notes.count) return false;
    *out = (context_note){d->notes.at[index].line, str_of(d->notes.at[index].text)};
    return true;
}

void context_set_notes(document *d, const context_note *notes, size_t n) {
    for (size_t i = 0; i < d->notes.count; i++)
        xfree(d->notes.at[i].text);
    vec_clear(&d->notes);
    d->notes_news++;
    for (size_t i = 0; i < n && i < LIMIT_NOTES; i++) {
        str text = str_sub(notes[i].text, 0, LIMIT_NOTE_BYTES);
        text.len = utf8_complete_prefix(text);
        vec_push(&d->notes, ((line_note){notes[i].line, xstrndup(text.ptr, text.len)}));
    }
}

/* ---- documents ------------------------------------------------------------------------------- */

static size_t index_of(const context *c, str uri) {
    uint64_t hash = hash64(0, uri.ptr, uri.len);
    for (size_t i = 0; i < c->documents.count; i++) {
        const document *d = c->documents.at[i];
        if (d->uri_hash == hash && str_eq(document_uri(d), uri)) return i;
    }
    return SIZE_MAX;
}

/* tidy: parameters (a document is just these) */
status context_open(context *c, str uri, str path, str language_id, str text, int64_t version,
                    document **out, err *e) {
    size_t known = index_of(c, uri);
    if (known == SIZE_MAX && c->documents.count >= LIMIT_DOCUMENTS)
        return err_set(e, ERR_LIMIT, "%u documents are open, the limit; close some",
                       LIMIT_DOCUMENTS);
    document *d;
    const language *l = language_find(path.len ? path : uri, language_id);
    status s = document_new(uri, path, l, text, version, &d, e);
    if (s != OK) return s;
    if (known == SIZE_MAX) {
        vec_push(&c->documents, d);
    } else {
        document_free(c->documents.at[known]);
        c->documents.at[known] = d;
    }
    judge(c, d);
    context_parse(
        d, LIMIT_PARSE_SLICE_US); /* what fits into one slice is ready before the first request */
    *out = d;
    return OK;
}

document *context_find(context *c, str uri) {
    size_t at = index_of(c, uri);
    return at == SIZE_MAX ? NULL : c->documents.at[at];
}

void context_close(context *c, document *d) {
    if (!d) return;
    size_t at = index_of(c, document_uri(d));
    ASSERT(at != SIZE_MAX);
    retrieve_leave(c, d);
    vec_remove(&c->documents, at);
    document_free(d);
}

size_t context_document_count(const context *c) {
    return c->documents.count;
}

document *context_document_at(const context *c, size_t i) {
    return c->documents.at[i];
}

bool context_parse(document *d, uint64_t budget_us) {
    return d->tree && syntax_update(d->tree, document_text(d), budget_us);
}

const TSQuery *context_query(context *c, const grammar *g) {
    scope_query *slot = &c->queries[g - grammars];
    if (!slot->tried) {
        uint32_t at;
        TSQueryError kind;
        slot->tried = true;
        slot->query = ts_query_new(g->get(), g->scopes, (uint32_t)strlen(g->scopes), &at, &kind);
        if (!slot->query) log_error("context", "bad scope query language=%s byte=%u", g->name, at);
    }
    return slot->query;
}
