/* SPDX-License-Identifier: Apache-2.0 */
/* Reviews: a definition, a file, or what has changed since the last commit, piece by piece.
 *
 *     pieces (definitions; lines outside of them when only those changed)
 *        -> for each: what tools and other files know of it, then the model writes findings as JSON
 *           that fits a schema -> diagnostics
 *
 * Pieces are apart from each other, in order.  Findings of a piece are shown as soon as it is done.
 * What moves the text ends the review; what was found stays.  A model can only name lines of the
 * piece that it was shown.  Of an answer that was cut the whole findings count, and the person is
 * told.  Thread: loop.
 */
#include <cjson/cJSON.h>

#include "engine/base/limits.h"
#include "engine/base/utf8.h"
#include "lsp/actions.h"
#include "lsp/answer.h"
#include "lsp/findings.h"
#include "lsp/git.h"
#include "lsp/position.h"
#include "lsp/server.h"

#define PIECE_LINES 160 /* of one question; longer definitions are cut into such pieces */
#define AROUND_LINES 3  /* of a change outside of definitions */
#define CONTEXT_PART 2  /* of the context that other actions show: there are many pieces */

typedef struct {
    size_t first, last;  /* lines */
    change_target about; /* them, as part of a definition where there is one */
    char label[64];
} review_piece;

typedef struct {
    work *work;
    VEC(review_piece) pieces;
    size_t at, cut;   /* pieces; that the model's answer was cut at */
    uint64_t before;  /* number of the last finding of earlier reviews */
    git_command *git; /* NULL: it is not asked */
} review_work;

static void on_ended(void *own) {
    review_work *w = own;
    if (w->git) git_cancel(w->git);
    vec_free(&w->pieces);
    xfree(w);
}

/* ---- pieces ---------------------------------------------------------------------------------- */

/* `t`: the definition that the lines are of, or NULL. */
static void add_lines(review_work *w, const document *d, size_t first, size_t last,
                      const change_target *t) {
    str name = t ? t->name : (str){0};
    while (first <= last && w->pieces.count < LIMIT_REVIEW_PIECES) {
        review_piece p = {.first = first, .last = MIN(last, first + PIECE_LINES - 1)};
        p.about = t ? *t : (change_target){.kind = TARGET_LINES};
        p.about.from = document_line_start(d, p.first);
        p.about.to = document_line_start(d, p.last + 1);
        if (name.len)
            snprintf(p.label, sizeof p.label, "%.*s", (int)MIN(name.len, 60), name.ptr);
        else
            snprintf(p.label, sizeof p.label, "lines %zu-%zu", p.first + 1, p.last + 1);
        vec_push(&w->pieces, p);
        first = p.last + 1;
    }
}

typedef struct {
    size_t first, end; /* lines; `end` is the first behind */
} line_range;

static line_range of_span(const line_span *s) {
    return (line_range){s->first, s->first + MAX(s->count, 1)};
}

static bool touches(const line_span *spans, size_t n, line_range lines) {
    for (size_t i = 0; i < n; i++) {
        line_range s = of_span(&spans[i]);
        if (s.first < lines.end && s.end > lines.first) return true;
    }
    return false;
}

/* What changed between two definitions, with a few lines around it. */
static void add_between(review_work *w, const document *d, line_range gap, const line_span *spans,
                        size_t n) {
    line_range open = {0, 0}; /* a piece that further changes may belong to */
    for (size_t i = 0; i < n && gap.first < gap.end; i++) {
        line_range s = of_span(&spans[i]);
        if (s.first >= gap.end || s.end <= gap.first) continue;
        size_t first = MAX(s.first - MIN(s.first, AROUND_LINES), gap.first);
        size_t end = MIN(s.end + AROUND_LINES, gap.end);
        if (open.end && first <= open.end) {
            open.end = MAX(open.end, end);
            continue;
        }
        if (open.end) add_lines(w, d, open.first, open.end - 1, NULL);
        open = (line_range){first, end};
    }
    if (open.end) add_lines(w, d, open.first, open.end - 1, NULL);
}

/* All definitions of the file (spans NULL), or what `spans` touch, outside of definitions, too. */
static void find_pieces(review_work *w, document *d, const line_span *spans, size_t n_spans) {
    change_target *all = xcalloc(LIMIT_REVIEW_PIECES, sizeof *all);
    size_t n = change_definitions(d, LIMIT_PARSE_SLICE_US, all, LIMIT_REVIEW_PIECES);
    size_t behind = 0, lines = document_line_count(d);
    for (size_t i = 0; i < n; i++) {
        line_range own = {MAX(document_line_of(d, all[i].from), behind),
                          document_line_of(d, all[i].to) + 1};
        add_between(w, d, (line_range){behind, own.first}, spans, n_spans);
        bool wanted = own.first < own.end && (!spans || touches(spans, n_spans, own));
        if (wanted) add_lines(w, d, own.first, own.end - 1, &all[i]);
        behind = MAX(behind, own.end);
    }
    add_between(w, d, (line_range){behind, lines}, spans, n_spans);
    if (!n && !spans) add_lines(w, d, 0, lines - 1, NULL);
    xfree(all);
}

/* ---- one piece ------------------------------------------------------------------------------- */

/* The findings of lines first..last, counted from 1. */
static cJSON *schema_of(size_t first, size_t last) {
    char text[900];
    snprintf(text, sizeof text,
             "{\"type\":\"object\",\"properties\":{\"findings\":{\"type\":\"array\",\"maxItems\":4,"
             "\"items\":{\"type\":\"object\",\"properties\":{"
             "\"line\":{\"type\":\"integer\",\"minimum\":%zu,\"maximum\":%zu},"
             "\"severity\":{\"enum\":[\"information\",\"hint\"]},"
             "\"message\":{\"type\":\"string\",\"minLength\":8,\"maxLength\":160},"
             "\"replacement\":{\"anyOf\":[{\"type\":\"null\"},{\"type\":\"string\","
             "\"maxLength\":300}]}},\"required\":[\"line\",\"severity\",\"message\","
             "\"replacement\"]}}},\"required\":[\"findings\"]}",
             first, last);
    return cJSON_Parse(text);
}

static void ask_next(review_work *w);

/* A replacement as it goes into the document: behind the line's own indentation. */
static char *placed(const document *d, size_t from, size_t to, const char *replacement) {
    str text = document_text(d);
    size_t line = document_line_start(d, document_line_of(d, from));
    answer_place at = {str_sub(text, from, to), str_sub(text, line, from), document_eol(d)};
    arena a;
    answer_code code;
    arena_init(&a);
    const char *why = answer_read_code(str_of(replacement), true, &at, &a, &code);
    bool same = why || str_eq(code.code, at.original);
    char *out = same ? NULL : xstrndup(code.code.ptr, code.code.len);
    arena_deinit(&a);
    return out;
}

static bool breaks_syntax(const document *d, const finding *f) {
    change_target lines = {.kind = TARGET_LINES, .from = f->from, .to = f->to};
    change_verdict v;
    change_judge(d, &lines, str_of(f->replacement), &v);
    return v.known && v.after > v.before;
}

static void take_finding(review_work *w, const review_piece *p, const cJSON *item) {
    server *s = work_server(w->work);
    document *d = work_document(w->work);
    const cJSON *line = protocol_get(item, "line"), *message = protocol_get(item, "message");
    const cJSON *fix = protocol_get(item, "replacement"), *kind = protocol_get(item, "severity");
    if (!cJSON_IsNumber(line) || !cJSON_IsString(message)) return;
    double number = line->valuedouble - 1;
    if (number < (double)p->first || number > (double)p->last) return;
    size_t at = (size_t)number;
    str text = document_line(d, at);
    size_t start = document_line_start(d, at), blank = 0;
    while (blank < text.len && (text.ptr[blank] == ' ' || text.ptr[blank] == '\t'))
        blank++;
    if (blank == text.len || answer_has_template(str_of(message->valuestring))) return;
    finding f = {.from = start + blank,
                 .to = start + text.len,
                 .severity = cJSON_IsString(kind) && !strcmp(kind->valuestring, "hint") ? 4 : 3,
                 .message = message->valuestring};
    if (cJSON_IsString(fix)) f.replacement = placed(d, f.from, f.to, fix->valuestring);
    f.breaks = f.replacement && breaks_syntax(d, &f);
    (void)findings_add(s, d, &f);
    xfree(f.replacement);
}

static void on_answer(void *own, const agent_result *r) {
    review_work *w = own;
    server *s = work_server(w->work);
    document *d = work_document(w->work);
    const review_piece *p = &w->pieces.at[w->at];
    const cJSON *item;
    size_t last = document_line_start(d, p->last) + document_line(d, p->last).len;
    findings_drop(s, d, document_line_start(d, p->first), last);
    cJSON_ArrayForEach(item, protocol_get(r->json, "findings")) {
        take_finding(w, p, item);
    }
    s->findings_moved = false;
    findings_publish(s, d);
    w->cut += r->cut;
    w->at++;
    ask_next(w);
}

static void add_numbered(const document *d, const review_piece *p, strbuf *out) {
    strbuf_add_str(out, STR("````\n"));
    for (size_t i = p->first; i <= p->last; i++)
        strbuf_addf(out, "%zu: %.*s\n", i + 1, STR_ARG(document_line(d, i)));
    strbuf_add_str(out, STR("````\n"));
}

static void ask(review_work *w, const review_piece *p) {
    document *d = work_document(w->work);
    strbuf user;
    strbuf_init(&user, 4u << 20);
    strbuf_addf(&user, "File %.*s, language %s.\n", STR_ARG(document_path(d)),
                document_language(d));
    action_prompt_context(work_server(w->work), d, document_line_start(d, p->first), CONTEXT_PART,
                          &user);
    strbuf_add_str(&user, STR("The code, with line numbers:\n"));
    add_numbered(d, p, &user);
    strbuf_add_str(
        &user,
        STR("\nReview this code. Report real defects only: wrong results, crashes, leaks, missing "
            "checks, security, needless work. Each finding: the line, a severity (information for "
            "defects, hint for improvements), a message of one sentence, and as replacement the "
            "corrected line, without its number, or null. No findings is a good answer: "
            "{\"findings\":[]}.\n"));
    cJSON *schema = schema_of(p->first + 1, p->last + 1);
    work_ask(w->work, &(work_question){.system = action_prompt_system(),
                                       .user = strbuf_str(&user),
                                       .schema = schema,
                                       .about = &p->about,
                                       .answered = on_answer});
    cJSON_Delete(schema);
    strbuf_deinit(&user);
}

/* Those that are there: one that was told twice is one, and one whose line has moved on is none. */
static size_t count_found(const review_work *w) {
    server *s = work_server(w->work);
    size_t n = 0;
    const finding *f;
    for (size_t i = 0; (f = findings_at(s, i)); i++)
        n += f->document == work_document(w->work) && f->id > w->before;
    return n;
}

static void finish(review_work *w) {
    char message[200];
    size_t found = count_found(w), all = w->pieces.count;
    snprintf(message, sizeof message, "%zu findings in %zu pieces", found, all);
    if (w->cut) {
        snprintf(message, sizeof message,
                 "the review was cut in %zu of %zu pieces, with %zu findings so far; "
                 "inlined.actions.maxTokens allows longer answers",
                 w->cut, all, found);
        if (!found && w->cut == all) {
            work_fail(w->work, LSP_REQUEST_FAILED, message);
            return;
        }
        server_tell_user(work_server(w->work), MESSAGE_INFO, message);
    }
    cJSON *result = cJSON_CreateObject();
    cJSON_AddNumberToObject(result, "findings", (double)found);
    cJSON_AddNumberToObject(result, "pieces", (double)all);
    if (w->cut) cJSON_AddNumberToObject(result, "cut", (double)w->cut);
    work_done(w->work, result, message);
}

static void ask_next(review_work *w) {
    document *d = work_document(w->work);
    for (; w->at < w->pieces.count; w->at++) {
        const review_piece *p = &w->pieces.at[w->at];
        str text = str_sub(document_text(d), document_line_start(d, p->first),
                           document_line_start(d, p->last + 1));
        if (!str_trim(text).len || context_has_secret(text)) continue;
        char message[120];
        snprintf(message, sizeof message, "%zu of %zu: %s", w->at + 1, w->pieces.count, p->label);
        work_progress_text(w->work, message, (int)(w->at * 100 / w->pieces.count));
        ask(w, p);
        return;
    }
    finish(w);
}

/* ---- against git ----------------------------------------------------------------------------- */

static void on_committed(void *own, const git_answer *a) {
    review_work *w = own;
    document *d = work_document(w->work);
    w->git = NULL;
    if (a->status == ERR_NOT_FOUND || a->cut) {
        work_fail(w->work, LSP_REQUEST_FAILED,
                  a->cut ? "the committed file is too large to compare with" : a->why);
        return;
    }
    strbuf before;
    arena mem;
    arena_init(&mem);
    strbuf_init(&before, (size_t)4 * LIMIT_DOCUMENT_BYTES);
    if (a->status == OK) utf8_sanitize(&before, a->output); /* else the file is new */
    line_span *spans;
    size_t n = change_lines(strbuf_str(&before), document_text(d), &mem, &spans);
    for (size_t i = 0; i < n; i++) /* what was taken out at the end is there */
        spans[i].first = MIN(spans[i].first, document_line_count(d) - 1);
    find_pieces(w, d, spans, n);
    arena_deinit(&mem);
    strbuf_deinit(&before);
    if (w->pieces.count)
        ask_next(w);
    else
        work_fail(w->work, LSP_REQUEST_FAILED, "nothing has changed since the last commit");
}

static void ask_git(review_work *w) {
    server *s = work_server(w->work);
    arena a;
    arena_init(&a);
    str path = uri_path(document_uri(work_document(w->work)), &a);
    ptrdiff_t slash = str_rfind_char(path, '/');
    if (!s->options.git || slash <= 0) {
        work_fail(w->work, LSP_REQUEST_FAILED, "git cannot be asked about this file");
    } else {
        const char *args[] = {
            "show",
            arena_printf(&a, "HEAD:./%.*s", STR_ARG(str_sub(path, (size_t)slash + 1, path.len)))};
        git_question q = {.folder = arena_str(&a, str_sub(path, 0, (size_t)slash)).ptr,
                          .args = args,
                          .n_args = COUNTOF(args)};
        work_progress_text(w->work, "asking git", -1);
        w->git = git_ask(s->options.git, &q, on_committed, w);
    }
    arena_deinit(&a);
}

void action_review_start(server *s, const action_place *at, const cJSON *token, reply *r) {
    review_work *w = xcalloc(1, sizeof *w);
    document *d = at->document;
    bool changes = str_eq(at->in.action, STR("reviewChanges"));
    bool file = changes || str_eq(at->in.action, STR("reviewFile"));
    change_target t = {0};
    if (!file && !change_find_target(d, at->from, at->to, LIMIT_PARSE_SLICE_US, &t)) {
        reply_error(r, LSP_REQUEST_FAILED, "there is nothing but blanks at this place");
        xfree(w);
        return;
    }
    char label[96] = "", title[160];
    if (!file) action_label(d, &t, label);
    snprintf(title, sizeof title, "Review %s", changes ? "the changes" : file ? "the file" : label);
    if (!file) add_lines(w, d, document_line_of(d, t.from), document_line_of(d, t.to), &t);
    w->before = s->findings.last;
    if (file && !changes) find_pieces(w, d, NULL, 0);
    work *started = work_new(s, r,
                             &(work_order){.title = title,
                                           .role = ROLE_REVIEW,
                                           .token = token,
                                           .document = d,
                                           .bound = true,
                                           .ended = on_ended,
                                           .own = w});
    if (!started) return; /* and `w` is gone */
    w->work = started;
    if (changes)
        ask_git(w);
    else
        ask_next(w);
}
