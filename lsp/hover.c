/* SPDX-License-Identifier: Apache-2.0 */
/* Hovers: see hover.h.
 *
 * A name is looked for in its own document's tree, then in the symbol index, whose file, when it is
 * open, has the documentation.  The budget of both parses together is far below 20 ms.
 * Thread: loop. */
#include "lsp/hover.h"

#include <cjson/cJSON.h>

#include "engine/base/clock.h"
#include "engine/base/hash.h"
#include "engine/base/limits.h"
#include "lsp/actions.h"
#include "lsp/answer.h"
#include "lsp/position.h"
#include "lsp/server.h"

#define PARSE_US 4000
#define DEFINITIONS_MAX 1024
#define TEXT_BYTES (8u << 10) /* of a definition that a note is written about */
#define IDLE_MS 700.0
#define NOTE_TOKENS 160
#define NOTE_MS 60000

/* ---- what is under the cursor ---------------------------------------------------------------- */

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static str word_at(str text, size_t offset, size_t *from) {
    size_t a = offset, b = offset;
    while (a > 0 && is_word(text.ptr[a - 1]) && offset - a < 200)
        a--;
    while (b < text.len && is_word(text.ptr[b]) && b - offset < 200)
        b++;
    *from = a;
    bool number = b > a && text.ptr[a] >= '0' && text.ptr[a] <= '9';
    return number ? (str){0} : str_sub(text, a, b);
}

/* What is known of a definition; slices live in the arena or in documents. */
typedef struct {
    const char *kind, *language;
    str signature, doc, path, body;
    size_t line, lines; /* from 0; lines 0: not known */
} definition;

static const char *kind_of(const change_target *t) {
    return t->kind == TARGET_FUNCTION ? "function" : "type";
}

static void take_target(const document *d, const change_target *t, definition *out) {
    str text = document_text(d);
    size_t first = document_line_of(d, t->from), last = document_line_of(d, t->to);
    *out = (definition){
        .kind = kind_of(t),
        .language = document_language(d),
        .signature = str_trim(str_sub(text, t->from, MIN(t->body, t->from + 600))),
        .doc = str_sub(text, t->doc_from, t->doc_to),
        .path = document_path(d),
        .body = str_sub(text, t->from, t->to),
        .line = first,
        .lines = last - first + 1,
    };
}

/* In one document, by name; the one whose line is `line` when that is not SIZE_MAX. */
static bool find_in(document *d, str name, size_t line, definition *out) {
    change_target *all = xcalloc(DEFINITIONS_MAX, sizeof *all);
    size_t n = change_definitions(d, PARSE_US, all, DEFINITIONS_MAX);
    bool found = false;
    for (size_t i = 0; i < n && !found; i++) {
        if (!str_eq(all[i].name, name)) continue;
        size_t first = document_line_of(d, all[i].from), last = document_line_of(d, all[i].body);
        found = line == SIZE_MAX || (line >= first && line <= last);
        if (found) take_target(d, &all[i], out);
    }
    xfree(all);
    return found;
}

static document *open_file(server *s, str file, arena *a) {
    for (size_t i = 0; i < context_document_count(s->context); i++) {
        document *d = context_document_at(s->context, i);
        if (!document_hidden(d)[0] && str_eq(uri_path(document_uri(d), a), file)) return d;
    }
    return NULL;
}

static bool find_in_index(server *s, const document *from, str name, arena *a, definition *out) {
    if (!s->options.symbols || !s->settings.context.index) return false;
    str *roots = arena_alloc(a, (s->roots.count + 1) * sizeof *roots);
    for (size_t i = 0; i < s->roots.count; i++)
        roots[i] = str_of(s->roots.at[i]);
    symbol hit;
    if (!symbols_find(s->options.symbols, s->options.client, roots, s->roots.count, name, a, &hit,
                      1))
        return false;
    document *open = open_file(s, hit.path, a);
    if (open && find_in(open, name, hit.line, out)) return true;
    *out = (definition){.kind = hit.kind,
                        .language = document_language(from),
                        .signature = hit.signature,
                        .path = uri_relative(hit.path, roots, s->roots.count),
                        .line = hit.line};
    return true;
}

/* ---- notes ----------------------------------------------------------------------------------- */

static uint64_t key_of(const server *s, str body) {
    const model *m = server_model(s, ROLE_EXPLAIN);
    return hash64(hash64(0, m->name, strlen(m->name)), body.ptr, body.len);
}

static const char *note_of(const server *s, uint64_t key) {
    for (size_t i = s->hovers.notes.count; i-- > 0;) {
        if (s->hovers.notes.at[i].key == key) return s->hovers.notes.at[i].text;
    }
    return NULL;
}

static void forget_wanted(server *s) {
    xfree(s->hovers.wanted.text);
    xfree(s->hovers.wanted.path);
    s->hovers.wanted.text = s->hovers.wanted.path = NULL;
}

static void want(server *s, const char *language, str path, str body) {
    if (s->settings.hover != HOVER_FULL || body.len > TEXT_BYTES || !body.len) return;
    uint64_t key = key_of(s, body);
    bool known = note_of(s, key) || (s->hovers.writing && s->hovers.written == key) ||
                 (s->hovers.wanted.text && s->hovers.wanted.key == key);
    if (known || context_has_secret(body)) return;
    forget_wanted(s);
    s->hovers.wanted.key = key;
    s->hovers.wanted.text = xstrndup(body.ptr, body.len);
    s->hovers.wanted.path = xstrndup(path.ptr ? path.ptr : "", path.len);
    s->hovers.wanted.language = language; /* static */
    s->hovers.wanted.since_ms = clock_ms();
}

void hover_rest(server *s, const document *d, const change_target *t) {
    if (t->kind == TARGET_LINES) return;
    want(s, document_language(d), document_path(d), str_sub(document_text(d), t->from, t->to));
}

static void on_written(void *ud, const agent_result *r) {
    server *s = ud;
    s->hovers.writing = NULL;
    if (r->status) return; /* asked again when somebody hovers again */
    arena a;
    arena_init(&a);
    str prose = answer_read_prose(r->text, 100, &a);
    if (s->hovers.notes.count >= LIMIT_HOVER_NOTES) {
        xfree(s->hovers.notes.at[0].text);
        vec_remove(&s->hovers.notes, 0);
    }
    hover_note note = {s->hovers.written, xstrndup(prose.len ? prose.ptr : "", prose.len)};
    vec_push(&s->hovers.notes, note);
    arena_deinit(&a);
}

static void write_note(server *s, const model *m) {
    strbuf user;
    strbuf_init(&user, 4 * TEXT_BYTES);
    strbuf_addf(&user, "From the file %s, language %s:\n````\n%s\n````\n", s->hovers.wanted.path,
                s->hovers.wanted.language, s->hovers.wanted.text);
    strbuf_add_str(&user, STR("Say in at most two sentences what this does. Plain text only.\n"));
    agent_message messages[] = {{"system", action_prompt_system()}, {"user", strbuf_str(&user)}};
    agent_order order = {.messages = messages,
                         .n_messages = COUNTOF(messages),
                         .model = &m->info,
                         .slot = m->slot,
                         .client = s->options.client,
                         .priority = PRIO_BACKGROUND,
                         .sampling = {.top_p = 1, .repeat_penalty = 1},
                         .tokens_max = NOTE_TOKENS,
                         .time_ms = NOTE_MS};
    err e;
    s->hovers.written = s->hovers.wanted.key;
    if (agent_start(&s->hovers.writing, s->options.agents, &order,
                    &(agent_hooks){.ud = s, .done = on_written}, &e))
        s->hovers.writing = NULL;
    forget_wanted(s);
    strbuf_deinit(&user);
}

/* Only with a model that is loaded already: resting a cursor loads none. */
void hover_tick(server *s) {
    const model *m = server_model(s, ROLE_EXPLAIN);
    if (s->settings.hover != HOVER_FULL || !s->settings.enable) hover_stop(s);
    bool idle = !s->unanswered && clock_ms() > s->hovers.wanted.since_ms + IDLE_MS;
    if (!s->hovers.wanted.text || s->hovers.writing || !idle) return;
    if (s->state != SERVER_RUNNING || !s->settings.enable) return;
    if (m->state == MODEL_READY && m->info.chat) write_note(s, m);
}

void hover_stop(server *s) {
    if (s->hovers.writing) agent_cancel(s->hovers.writing);
    s->hovers.writing = NULL;
    forget_wanted(s);
}

void hover_deinit(server *s) {
    hover_stop(s);
    for (size_t i = 0; i < s->hovers.notes.count; i++)
        xfree(s->hovers.notes.at[i].text);
    vec_free(&s->hovers.notes);
}

/* ---- the answer ------------------------------------------------------------------------------ */

/* A longer fence than the code has. */
static void add_code(strbuf *out, const char *language, str code) {
    const char *mark = str_find(code, STR("```")) >= 0 ? "``````" : "```";
    strbuf_addf(out, "%s%s\n%.*s\n%s\n", mark, language, STR_ARG(code), mark);
}

static void describe(server *s, const definition *def, bool markdown, arena *a, strbuf *out) {
    str doc = answer_read_prose(def->doc, 100, a);
    if (markdown)
        add_code(out, def->language, def->signature);
    else
        strbuf_addf(out, "%.*s\n", STR_ARG(def->signature));
    if (doc.len) strbuf_addf(out, "\n%.*s\n", STR_ARG(doc));
    strbuf_addf(out, "\n%s%s, %.*s line %zu", markdown ? "*" : "", def->kind, STR_ARG(def->path),
                def->line + 1);
    if (def->lines) strbuf_addf(out, ", %zu lines", def->lines);
    strbuf_addf(out, "%s\n", markdown ? "*" : "");
    const char *note =
        s->settings.hover == HOVER_FULL && def->body.len ? note_of(s, key_of(s, def->body)) : NULL;
    if (note && note[0]) strbuf_addf(out, "%s%s (model)\n", markdown ? "\n---\n" : "\n", note);
}

static void answer(server *s, const definition *def, lsp_range range, reply *r) {
    strbuf text;
    arena a;
    arena_init(&a);
    strbuf_init(&text, 1u << 20);
    describe(s, def, s->features.markdown, &a, &text);
    str all = strbuf_str(&text);
    reply_result(r, protocol_hover(&s->features, all, range));
    strbuf_deinit(&text);
    arena_deinit(&a);
}

void hover_request(server *s, const cJSON *params, reply *r) {
    str uri;
    lsp_position where;
    err e = {{0}};
    status st = protocol_read_place(params, &uri, &where, &e);
    if (st) {
        reply_status(r, st, &e);
        return;
    }
    document *d = context_find(s->context, uri);
    bool silent = s->settings.hover == HOVER_OFF || !s->settings.enable || !d;
    if (silent || document_hidden(d)[0]) {
        reply_result(r, NULL);
        return;
    }
    size_t from;
    str word = word_at(document_text(d), position_to_offset(d, s->encoding, where), &from);
    lsp_range range = {position_of_offset(d, s->encoding, from),
                       position_of_offset(d, s->encoding, from + word.len)};
    definition def;
    arena a;
    arena_init(&a);
    bool found =
        word.len && (find_in(d, word, SIZE_MAX, &def) || find_in_index(s, d, word, &a, &def));
    if (found) {
        answer(s, &def, range, r);
        want(s, def.language, def.path, def.body);
    } else {
        reply_result(r, NULL);
    }
    arena_deinit(&a);
}
