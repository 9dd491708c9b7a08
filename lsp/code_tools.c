/* SPDX-License-Identifier: Apache-2.0 */
/* See code_tools.h.
 *
 * Invariant: nothing that is hidden is told: it is in no index, its documents are passed over, and
 * files come from own.h, which has judged them.  A path is below the first root, in one spelling;
 * one that leads out is no file of the workspace.  Texts are parsed within one slice of the loop's
 * time.  Thread: loop. */
#include "lsp/code_tools.h"

#include <cjson/cJSON.h>

#include "engine/base/limits.h"
#include "lsp/findings.h"
#include "lsp/server.h"

#define FOUND_MAX 50   /* definitions of one name */
#define LISTED_MAX 500 /* definitions of one file */
#define FAULTS_MAX 20  /* of one file */

static str argument(const own_code_request *q, const char *name) {
    return str_of(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(q->arguments, name)));
}

/* Below the first root, as the tools write paths. */
static str shown_path(const code_view *v, str path) {
    str root = v->n_roots ? v->roots[0] : STR("");
    if (root.len && str_starts_with(path, root) && path.len > root.len && path.ptr[root.len] == '/')
        return str_sub(path, root.len + 1, path.len);
    return path;
}

/* "a/./b" and "a/b" are the same file; "" and what leads out are none. */
static str whole_path(const code_view *v, str path, arena *a) {
    str root = v->n_roots ? v->roots[0] : STR(""), rest = shown_path(v, path), part;
    strbuf out;
    strbuf_init(&out, LIMIT_PATH_BYTES);
    strbuf_add_str(&out, root);
    bool good = rest.len > 0 && rest.ptr[0] != '/';
    while (str_split(&rest, '/', &part)) {
        good &= !str_eq(part, STR(".."));
        if (part.len && !str_eq(part, STR("."))) strbuf_addf(&out, "/%.*s", STR_ARG(part));
    }
    str whole = good && !out.overflow ? arena_str(a, strbuf_str(&out)) : STR("");
    strbuf_deinit(&out);
    return whole;
}

/* ---- symbols --------------------------------------------------------------------------------- */

static bool find_symbol(const code_view *v, const own_code_request *q, arena *a, strbuf *out) {
    symbol found[FOUND_MAX];
    size_t n = symbols_find(v->symbols, v->client, v->roots, v->n_roots, argument(q, "name"), a,
                            found, FOUND_MAX);
    for (size_t i = 0; i < n; i++)
        strbuf_addf(out, "%.*s:%u: %s %.*s\n", STR_ARG(shown_path(v, found[i].path)),
                    found[i].line + 1, found[i].kind, STR_ARG(found[i].signature));
    if (!n) strbuf_addf(out, "nothing of that name is defined in the workspace\n");
    return true;
}

static bool list_symbols(const code_view *v, const own_code_request *q, arena *a, strbuf *out) {
    symbol *found = arena_alloc(a, LISTED_MAX * sizeof *found);
    str path = whole_path(v, argument(q, "path"), a);
    const symbols_view who = {.client = v->client, .roots = v->roots, .n = v->n_roots};
    size_t n = symbols_in_file(v->symbols, &who, path, a, found, LISTED_MAX);
    for (size_t i = 0; i < n; i++)
        strbuf_addf(out, "%u: %s%s %.*s\n", found[i].line + 1, found[i].parent.len ? "  " : "",
                    found[i].kind, STR_ARG(found[i].signature));
    if (n == LISTED_MAX) strbuf_addf(out, "(there are more)\n");
    if (!n) strbuf_addf(out, "no definitions of that file are known\n");
    return true;
}

static bool ask_index(const code_view *v, const own_code_request *q, strbuf *out, bool *busy) {
    symbols_stats stats;
    arena a;
    if (!v->symbols) {
        strbuf_addf(out, "the symbol index is switched off (inlined.context.index)");
        return false;
    }
    symbols_get_stats(v->symbols, &stats);
    *busy = !stats.scans || stats.busy;
    arena_init(&a);
    bool one = !strcmp(q->tool, "find_symbol");
    bool good = one ? find_symbol(v, q, &a, out) : list_symbols(v, q, &a, out);
    arena_deinit(&a);
    return good;
}

/* ---- diagnostics ----------------------------------------------------------------------------- */

static void add_line(strbuf *out, str path, size_t line, const char *kind, str text) {
    strbuf_addf(out, "%.*s:%zu: %s%.*s\n", STR_ARG(path), line + 1, kind, STR_ARG(text));
}

/* Returns how many there are. */
static size_t add_faults(strbuf *out, str path, str language, str text) {
    context_fault faults[FAULTS_MAX];
    size_t n = context_find_faults(path, language, text, LIMIT_PARSE_SLICE_US, faults, FAULTS_MAX);
    for (size_t i = 0; n != SIZE_MAX && i < n; i++) {
        if (faults[i].missing)
            add_line(out, path, faults[i].line, "syntax: missing ", str_of(faults[i].missing));
        else
            add_line(out, path, faults[i].line, "syntax: ", STR("this does not fit the grammar"));
    }
    return n == SIZE_MAX ? 0 : n;
}

static size_t add_findings(strbuf *out, const server *s, const document *d, str path) {
    static const char *const kinds[] = {"review: ", "review: error: ", "review: warning: "};
    const finding *f;
    size_t n = 0;
    for (size_t i = 0; (f = findings_at(s, i)) != NULL; i++) {
        if (f->document != d) continue;
        const char *kind = kinds[f->severity == 1 || f->severity == 2 ? f->severity : 0];
        add_line(out, path, document_line_of(d, f->from), kind, str_of(f->message));
        n++;
    }
    return n;
}

static size_t add_document(strbuf *out, const server *s, const document *d, str path) {
    context_note note;
    size_t n = 0;
    for (; context_note_at(d, n, &note); n++)
        add_line(out, path, note.line, "", note.text);
    n += add_findings(out, s, d, path);
    return n + add_faults(out, path, str_of(document_language(d)), document_text(d));
}

/* The open documents, or the one with this path; *seen: how many there were. */
static size_t add_documents(const code_view *v, str wanted, strbuf *out, size_t *seen, arena *a) {
    const server *s = v->server;
    size_t n = 0;
    for (size_t i = 0; s && i < context_document_count(s->context); i++) {
        const document *d = context_document_at(s->context, i);
        str path = uri_path(document_uri(d), a);
        if (document_hidden(d)[0] || (wanted.len && !str_eq(path, wanted))) continue;
        n += add_document(out, s, d, shown_path(v, path));
        ++*seen;
    }
    return n;
}

static bool diagnostics(const code_view *v, const own_code_request *q, strbuf *out) {
    str given = argument(q, "path");
    size_t seen = 0, n;
    arena a;
    arena_init(&a);
    str wanted = given.len ? whole_path(v, given, &a) : STR("");
    bool readable = !given.len || (wanted.len && !q->trouble);
    n = !given.len || wanted.len ? add_documents(v, wanted, out, &seen, &a) : 0;
    if (!seen && given.len && readable) {
        n = add_faults(out, shown_path(v, wanted), STR(""), q->file);
        seen = 1;
    }
    if (!seen && given.len)
        strbuf_addf(out, "%s", q->trouble ? q->trouble : "that is no file of the workspace");
    else if (!seen)
        strbuf_addf(out, "no document is open: name a \"path\"\n");
    else if (!n)
        strbuf_addf(out, "nothing is wrong there, as far as is known\n");
    arena_deinit(&a);
    return seen || !given.len;
}

bool code_tools_answer(const code_view *v, const own_code_request *q, strbuf *out, bool *busy) {
    *busy = false;
    return strcmp(q->tool, "diagnostics") ? ask_index(v, q, out, busy) : diagnostics(v, q, out);
}

bool code_tools_ask(const server *s, const own_code_request *q, strbuf *out, bool *busy) {
    arena a;
    arena_init(&a);
    str *roots = arena_alloc(&a, (s->roots.count + 1) * sizeof *roots);
    for (size_t i = 0; i < s->roots.count; i++)
        roots[i] = str_of(s->roots.at[i]);
    const code_view view = {.symbols = s->settings.context.index ? s->options.symbols : NULL,
                            .client = s->options.client,
                            .roots = roots,
                            .n_roots = s->roots.count,
                            .server = s};
    bool good = code_tools_answer(&view, q, out, busy);
    arena_deinit(&a);
    return good;
}
