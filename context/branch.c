/* SPDX-License-Identifier: Apache-2.0 */
/* The branch's changes as pieces for the prompt: a hunk each, without its context lines, because
 * what was there and what stands there now is what they tell.  They stay in git's order.
 * Hidden files are left out when the diff is told and again when it is used, because rules change
 * meanwhile.  Thread: loop. */
#include "context/branch.h"

#include "context/retrieve_parts.h"
#include "context/unified.h"
#include "engine/base/limits.h"
#include "engine/base/utf8.h"

static void drop(context *c, size_t i) {
    branch_piece *p = &c->branch.at[i];
    xfree(p->folder);
    xfree(p->path);
    xfree(p->text);
    vec_remove(&c->branch, i);
}

static void drop_folder(context *c, str folder) {
    for (size_t i = c->branch.count; i-- > 0;)
        if (str_eq(str_of(c->branch.at[i].folder), folder)) drop(c, i);
}

void branch_deinit(context *c) {
    while (c->branch.count)
        drop(c, c->branch.count - 1);
    vec_free(&c->branch);
}

void branch_settle(context *c) {
    for (size_t i = c->branch.count; i-- > 0;) {
        bool known = false;
        for (size_t k = 0; k < c->roots.count && !known; k++)
            known = !strcmp(c->roots.at[k], c->branch.at[i].folder);
        if (!known) drop(c, i);
    }
}

static bool is_hidden(const context *c, str folder, str path) {
    strbuf full;
    strbuf_init(&full, LIMIT_PATH_BYTES);
    strbuf_addf(&full, "%.*s/%.*s", STR_ARG(folder), STR_ARG(path));
    bool hidden = full.overflow || privacy_hides(c->privacy, strbuf_str(&full), false)[0];
    strbuf_deinit(&full);
    return hidden;
}

/* Takes what `text` holds, and empties it. */
static void add(context *c, str folder, str path, strbuf *text) {
    str s = strbuf_str(text);
    if (path.len && s.len && utf8_is_valid(s) && utf8_is_valid(path) &&
        !is_hidden(c, folder, path)) {
        branch_piece p = {.folder = xstrndup(folder.ptr, folder.len),
                          .path = xstrndup(path.ptr, path.len),
                          .text = xstrndup(s.ptr, s.len)};
        word_set_add(&p.words, s);
        vec_push(&c->branch, p);
    }
    strbuf_clear(text);
}

void context_set_diff(context *c, str folder, str diff) {
    drop_folder(c, folder);
    c->branch_news++;
    unified_reader r = {.rest = str_sub(diff, 0, LIMIT_DIFF_BYTES)};
    unified_kind kind;
    str line, path = {0};
    strbuf text;
    strbuf_init(&text, LIMIT_NOTE_BYTES);
    size_t before = c->branch.count;
    while (c->branch.count - before < LIMIT_DIFF_PIECES && (kind = unified_next(&r, &line))) {
        if (kind == UNIFIED_FILE || kind == UNIFIED_HUNK) {
            add(c, folder, path, &text);
            path = r.path;
        } else if (kind != UNIFIED_SAME && text.len + line.len < text.max) {
            strbuf_add_str(&text, line);
            strbuf_add_char(&text, '\n');
        }
    }
    add(c, folder, path, &text);
    strbuf_deinit(&text);
}

void find_diff(const asking *q, piece_list *out) {
    word_set near = {{0}};
    word_set_add(&near, asking_near(q));
    str file = q->d->file ? str_of(q->d->file) : (str){0};
    for (size_t i = 0; i < q->c->branch.count; i++) {
        const branch_piece *p = &q->c->branch.at[i];
        str folder = str_of(p->folder), path = str_of(p->path);
        bool own = file.len == folder.len + 1 + path.len && str_starts_with(file, folder) &&
                   str_ends_with(file, path);
        if (own || str_eq(path, document_path(q->d)) || is_hidden(q->c, folder, path)) continue;
        vec_push(out,
                 ((context_chunk){.path = path,
                                  .text = str_of(p->text),
                                  .score = MIN(0.2f + word_set_likeness(&near, &p->words), 1.0f)}));
    }
}
