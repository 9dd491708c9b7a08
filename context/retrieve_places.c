/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of places: the ring of those that were visited, windows of open documents, recent edits,
 *
 *
 * The ring takes the lines around the cursor when it leaves for another document or for a place
 * more than LEAVE_LINES away, and when a document closes.  What is almost the same as a new piece
 * goes; what is too like the text around the cursor is not used, because the model would only
 * repeat it.
 * Thread: loop.
 */
#include "context/retrieve_parts.h"
#include "context/words.h"
#include "engine/base/limits.h"
#include "engine/base/utf8.h"

#define LEAVE_LINES 32
#define PIECE_LINES 16
#define PIECE_BYTES 700
#define SAME 0.9f     /* likeness of a piece that replaces another */
#define TOO_LIKE 0.5f /* likeness to the cursor's surroundings that makes it useless */
#define NEAR_LINES 15
#define NOTE_LINE_BYTES 80
#define OPEN_DOCUMENTS 20
#define OPEN_BYTES (256u << 10) /* read of all of them together */

static str lines_around(const document *d, size_t line, size_t lines) {
    size_t first = line > lines / 2 ? line - lines / 2 : 0;
    str text = str_sub(document_text(d), document_line_start(d, first),
                       document_line_start(d, first + lines));
    if (text.len > PIECE_BYTES) {
        ptrdiff_t lf = str_rfind_char(str_sub(text, 0, PIECE_BYTES), '\n');
        text = str_sub(text, 0, (size_t)(lf + 1));
    }
    return text;
}

str asking_near(const asking *q) {
    size_t first = q->line > NEAR_LINES ? q->line - NEAR_LINES : 0;
    return str_sub(document_text(q->d), document_line_start(q->d, first),
                   document_line_start(q->d, q->line + NEAR_LINES));
}

/* ---- ring ------------------------------------------------------------------------------------ */

static void ring_drop(context *c, size_t i) {
    xfree(c->ring.at[i].path);
    xfree(c->ring.at[i].uri);
    xfree(c->ring.at[i].text);
    vec_remove(&c->ring, i);
}

void ring_deinit(context *c) {
    while (c->ring.count)
        ring_drop(c, c->ring.count - 1);
    vec_free(&c->ring);
    xfree(c->visit.uri);
}

static void ring_add(context *c, const document *d, size_t line) {
    str text = lines_around(d, line, PIECE_LINES);
    if (d->hidden[0] || str_trim(text).len < 40) return;
    word_set words = {{0}};
    word_set_add(&words, text);
    for (size_t i = c->ring.count; i-- > 0;)
        if (word_set_likeness(&words, &c->ring.at[i].words) > SAME) ring_drop(c, i);
    if (c->ring.count >= LIMIT_RING_PIECES) ring_drop(c, 0);
    vec_push(&c->ring, ((ring_piece){.path = xstrdup(d->path),
                                     .uri = xstrdup(d->uri),
                                     .text = xstrndup(text.ptr, text.len),
                                     .words = words}));
}

void retrieve_visit(context *c, const document *d, size_t offset) {
    size_t line = document_line_of(d, offset);
    bool same = c->visit.uri && str_eq(str_of(c->visit.uri), document_uri(d));
    size_t away = line > c->visit.line ? line - c->visit.line : c->visit.line - line;
    if (same && away <= LEAVE_LINES) return;
    if (c->visit.uri) {
        const document *left = context_find(c, str_of(c->visit.uri));
        if (left) ring_add(c, left, c->visit.line);
    }
    xfree(c->visit.uri);
    c->visit.uri = xstrdup(d->uri);
    c->visit.line = line;
}

void retrieve_leave(context *c, const document *d) {
    if (c->visit.uri && str_eq(str_of(c->visit.uri), document_uri(d)))
        ring_add(c, d, c->visit.line);
}

/* Whether a piece is in the window; its document may have changed, so the text decides. */
static bool is_in_window(const asking *q, const char *uri, str text) {
    if (!str_eq(str_of(uri), document_uri(q->d))) return false;
    str window = str_sub(document_text(q->d), q->from, q->to), line;
    while (str_split(&text, '\n', &line)) {
        if (str_trim(line).len >= 12 && str_find(window, str_trim(line)) >= 0) return true;
    }
    return false;
}

void find_recent(const asking *q, piece_list *out) {
    word_set near = {{0}};
    word_set_add(&near, asking_near(q));
    for (size_t i = 0; i < q->c->ring.count; i++) {
        const ring_piece *p = &q->c->ring.at[i];
        float like = word_set_likeness(&near, &p->words);
        const document *d = context_find(q->c, str_of(p->uri));
        if (like > TOO_LIKE || is_in_window(q, p->uri, str_of(p->text))) continue;
        if (d && d->hidden[0]) continue;
        vec_push(out, ((context_chunk){
                          .path = str_of(p->path), .text = str_of(p->text), .score = like}));
    }
}

/* ---- open documents -------------------------------------------------------------------------- */

static void best_window(const asking *q, const document *d, const word_set *near, size_t bytes,
                        piece_list *out) {
    size_t lines = document_line_count(d), best_line = 0;
    float best = 0.0f;
    for (size_t line = MIN(PIECE_LINES, lines) / 2; document_line_start(d, line) < bytes;
         line += PIECE_LINES / 2) {
        word_set words = {{0}};
        word_set_add(&words, lines_around(d, line, PIECE_LINES));
        float like = word_set_likeness(near, &words);
        if (like > best && like <= TOO_LIKE) {
            best = like;
            best_line = line;
        }
        if (line >= lines) break;
    }
    UNUSED(q);
    if (best > 0.0f)
        vec_push(out, ((context_chunk){.path = document_path(d),
                                       .text = lines_around(d, best_line, PIECE_LINES),
                                       .score = best}));
}

void find_open(const asking *q, piece_list *out) {
    word_set near = {{0}};
    size_t left = OPEN_BYTES, documents = 0;
    word_set_add(&near, asking_near(q));
    for (size_t i = q->c->documents.count; i-- > 0 && left && documents < OPEN_DOCUMENTS;) {
        const document *d = q->c->documents.at[i];
        if (d == q->d || d->hidden[0] || d->uri_hash == q->d->uri_hash) continue;
        size_t bytes = MIN(left, document_text(d).len);
        best_window(q, d, &near, bytes, out);
        left -= bytes;
        documents++;
    }
}

/* ---- edits, diagnostics ---------------------------------------------------------------------- */

static int newest_first(const void *a, const void *b) {
    const context_chunk *x = a, *y = b;
    return (x->score < y->score) - (x->score > y->score);
}

void find_edits(const asking *q, piece_list *out) {
    size_t first = out->count;
    for (size_t i = 0; i < q->c->documents.count; i++) {
        const document *d = q->c->documents.at[i];
        if (d->hidden[0]) continue;
        for (size_t k = 0; k < d->edits.places.count; k++) {
            const edit_place *p = &d->edits.places.at[k];
            size_t at = document_line_start(d, p->first);
            if (d->uri_hash == q->d->uri_hash && at >= q->from && at < q->to) continue;
            str diff = edit_place_diff(p, d, q->arena);
            if (diff.len)
                vec_push(out, ((context_chunk){.path = document_path(d),
                                               .text = diff,
                                               .score = (float)((double)p->at_us / 1e6)}));
        }
    }
    size_t n = out->count - first;
    if (n) qsort(out->at + first, n, sizeof *out->at, newest_first);
    for (size_t i = 0; i < n; i++)
        out->at[first + i].score = 1.0f / (1.0f + (float)i);
}

/* The line as it is now, and below it what was said of it. */
void find_diagnostics(const asking *q, piece_list *out) {
    for (size_t i = 0; i < q->d->notes.count; i++) {
        const line_note *note = &q->d->notes.at[i];
        size_t away = note->line > q->line ? note->line - q->line : q->line - note->line;
        str line = str_trim(document_line(q->d, note->line));
        line = str_sub(line, 0, NOTE_LINE_BYTES);
        line.len = utf8_complete_prefix(line);
        str text = str_of(arena_printf(q->arena, "%.*s\n^ %s\n", STR_ARG(line), note->text));
        vec_push(out, ((context_chunk){.path = document_path(q->d),
                                       .text = text,
                                       .score = 1.0f / (1.0f + (float)away / 4.0f)}));
    }
}
