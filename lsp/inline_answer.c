/* SPDX-License-Identifier: Apache-2.0 */
/* The shapes of answers, by the rules of both main clients:
 *
 *   ghost text   an insertion is an empty range at the cursor; a replacement goes on to the end of
 *                its line, since Neovim paints over what follows a range that is not empty
 *   menu         the range begins where the word at the cursor begins, because editors filter items
 *                by the word that is typed; its text repeats that word
 *
 * Nothing is an empty list, never null: that is what makes editors clear what they show.
 * Thread: loop. */
#include "lsp/inline_answer.h"

#include "lsp/position.h"
#include "lsp/server.h"

/* ---- found ----------------------------------------------------------------------------------- */

void inline_found_init(inline_found *f) {
    *f = (inline_found){.reason = ""};
    arena_init(&f->arena);
}

void inline_found_deinit(inline_found *f) {
    arena_deinit(&f->arena);
    *f = (inline_found){.reason = ""};
}

void inline_found_add_suggestion(inline_found *f, const suggestion *s) {
    if (f->count == CANDIDATES_MAX) return;
    for (size_t i = 0; i < f->count; i++) {
        if (str_eq(f->at[i].text, s->text)) return;
    }
    suggestion *to = &f->at[f->count++];
    *to = *s;
    to->text = arena_str(&f->arena, s->text);
}

/* Drops what a suggestion repeats of the text left of the cursor, so that it is an insertion. */
static suggestion narrowed(const document *d, const completion_result *r) {
    suggestion out = {r->offset, r->from, r->to, r->text};
    str lead = str_sub(document_text(d), r->from, r->offset);
    if (lead.len && str_starts_with(r->text, lead)) {
        out.text = str_sub(r->text, lead.len, r->text.len);
        out.from = r->offset;
    }
    return out;
}

void inline_found_add(inline_found *f, const document *d, const completion_result *r, bool best) {
    if (r->shown && r->text.len) {
        suggestion s = narrowed(d, r);
        inline_found_add_suggestion(f, &s);
    } else if (best) {
        f->reason = r->shown ? "empty" : r->reason;
        f->settled = r->engine && r->engine->status == OK && r->engine->finish != FINISH_TIME;
        snprintf(f->detail, sizeof f->detail, "%.255s", r->detail);
    }
}

/* ---- answers --------------------------------------------------------------------------------- */

void inline_answer_nothing(reply *r, bool menu, const char *reason, const char *detail, str uri) {
    server *s = r->server;
    size_t n = strlen(r->note);
    snprintf(r->note + n, sizeof r->note - n, "%sreason=%s", n ? " " : "", reason);
    reply_result(r, menu ? protocol_menu_list(NULL, 0) : protocol_inline_list(NULL, 0));
    server_tell_reason(s, reason, detail, uri);
}

/* The range goes on to the end of the line when it swallows anything. */
static suggestion to_line_end(const document *d, const suggestion *at, arena *a) {
    suggestion out = *at;
    if (at->to <= at->offset) return out;
    size_t line = document_line_of(d, at->offset);
    size_t end = MAX(document_line_start(d, line) + document_line(d, line).len, at->to);
    str tail = str_sub(document_text(d), at->to, end);
    out.text = str_of(arena_printf(a, "%.*s%.*s", STR_ARG(at->text), STR_ARG(tail)));
    out.to = end;
    return out;
}

suggestion suggestion_inserted(const document *d, const suggestion *s, arena *a) {
    suggestion out = to_line_end(d, s, a);
    if (strcmp(document_eol(d), "\r\n") != 0) return out;
    strbuf b;
    strbuf_init(&b, SIZE_MAX / 2);
    for (size_t i = 0; i < out.text.len; i++) {
        if (out.text.ptr[i] == '\n') strbuf_add_char(&b, '\r');
        strbuf_add_char(&b, out.text.ptr[i]);
    }
    out.text = arena_str(a, strbuf_str(&b));
    strbuf_deinit(&b);
    return out;
}

/* The range grows to the left, over text that the suggestion then repeats. */
static suggestion widened(const document *d, const suggestion *at, size_t from, arena *a) {
    suggestion out = *at;
    if (from >= at->from) return out;
    str lead = str_sub(document_text(d), from, at->from);
    out.from = from;
    out.text = str_of(arena_printf(a, "%.*s%.*s", STR_ARG(lead), STR_ARG(at->text)));
    return out;
}

static size_t word_start(const document *d, size_t offset) {
    str text = document_text(d);
    size_t at = offset;
    while (at > 0) {
        char c = text.ptr[at - 1];
        bool word = c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                    (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
        if (!word) break;
        at--;
    }
    return at;
}

void inline_answer(reply *r, const document *d, const inline_found *found, inline_shape shape) {
    server *s = r->server;
    lsp_inline_item items[CANDIDATES_MAX];
    arena a;
    arena_init(&a);
    for (size_t i = 0; i < found->count; i++) {
        suggestion item = to_line_end(d, &found->at[i], &a);
        if (shape.has_selected)
            item = widened(d, &item, position_to_offset(d, s->encoding, shape.selected_range.start),
                           &a);
        if (shape.menu) item = widened(d, &item, word_start(d, item.offset), &a);
        items[i] = (lsp_inline_item){.insert_text = item.text,
                                     .range = {position_of_offset(d, s->encoding, item.from),
                                               position_of_offset(d, s->encoding, item.to)}};
        memcpy(items[i].id, found->ids[i], sizeof items[i].id);
    }
    reply_result(r, shape.menu ? protocol_menu_list(items, found->count)
                               : protocol_inline_list(items, found->count));
    server_tell_reason(s, "", "", document_uri(d));
    arena_deinit(&a);
}
