/* SPDX-License-Identifier: Apache-2.0 */
/* Definitions of the names near the cursor, from the symbol index.
 *
 * Names are looked for from the cursor upwards, the nearest first; with a type come its members,
 * because they are what one writes next.  The definitions of one file make one piece, which reads
 * like an excerpt of that file.  Thread: loop.
 */
#include "context/retrieve_parts.h"
#include "context/words.h"

#define NEAR_BYTES 2048 /* above the cursor */
#define NAMES_MAX 48
#define SAME_NAME_MAX 4 /* more definitions say nothing */
#define MEMBERS_MAX 10
#define FILE_BYTES 600 /* of one piece */

typedef struct {
    str name;
    size_t distance; /* in lines */
} near_name;

typedef struct {
    str path; /* absolute */
    strbuf text;
    float score;
    uint32_t lines[64]; /* that are in it already */
    size_t n_lines;
} excerpt_of;

typedef struct {
    const asking *q;
    VEC(excerpt_of) files;
    symbols_view who;
} gathering;

str asking_path(const asking *q, str absolute) {
    for (size_t i = 0; i < q->c->roots.count; i++) {
        str root = str_of(q->c->roots.at[i]);
        if (root.len && str_starts_with(absolute, root) && absolute.len > root.len + 1 &&
            absolute.ptr[root.len] == '/')
            return str_sub(absolute, root.len + 1, absolute.len);
    }
    ptrdiff_t slash = str_rfind_char(absolute, '/');
    return str_sub(absolute, (size_t)(slash + 1), absolute.len);
}

/* The names above the cursor and on its line, nearest first; returns their number. */
static size_t names_near(const asking *q, near_name out[NAMES_MAX]) {
    size_t from = q->offset > NEAR_BYTES ? q->offset - NEAR_BYTES : 0, n = 0;
    for (size_t line = q->line + 1; line-- > 0 && n < NAMES_MAX;) {
        size_t start = document_line_start(q->d, line);
        str rest = document_line(q->d, line), word;
        while (n < NAMES_MAX && word_next(&rest, &word)) {
            bool twice = false;
            for (size_t i = 0; i < n && !twice; i++)
                twice = str_eq(out[i].name, word);
            if (!twice) out[n++] = (near_name){word, q->line - line};
        }
        if (start <= from) break;
    }
    return n;
}

static bool is_in_window(const asking *q, const symbol *s) {
    if (!q->d->file || !str_eq(s->path, str_of(q->d->file))) return false;
    size_t at = document_line_start(q->d, s->line);
    return at >= q->from && at < q->to;
}

static excerpt_of *file_of(gathering *g, str path) {
    for (size_t i = 0; i < g->files.count; i++)
        if (str_eq(g->files.at[i].path, path)) return &g->files.at[i];
    excerpt_of f = {.path = path};
    strbuf_init(&f.text, FILE_BYTES);
    vec_push(&g->files, f);
    return &g->files.at[g->files.count - 1];
}

static void add_definition(excerpt_of *f, const symbol *s) {
    for (size_t i = 0; i < f->n_lines; i++)
        if (f->lines[i] == s->line) return;
    if (f->n_lines == COUNTOF(f->lines) || f->text.len + s->signature.len + 68 > FILE_BYTES) return;
    f->lines[f->n_lines++] = s->line;
    for (int i = 0; i < MIN(s->indent, 64); i++)
        strbuf_add_char(&f->text, ' ');
    strbuf_add_str(&f->text, s->signature);
    strbuf_add_char(&f->text, '\n');
}

static void add_type(gathering *g, excerpt_of *f, const symbol *s) {
    symbol members[MEMBERS_MAX];
    add_definition(f, s);
    if (memchr(s->signature.ptr, '\n', s->signature.len)) return; /* it is there as a whole */
    size_t n = symbols_members(g->q->c->symbols, &g->who, s->path, s->name, g->q->arena,
                               members, MEMBERS_MAX);
    for (size_t i = 0; i < n; i++)
        add_definition(f, &members[i]);
}

static void add_name(gathering *g, const near_name *name) {
    const asking *q = g->q;
    symbol found[SAME_NAME_MAX + 1];
    size_t n = symbols_find(q->c->symbols, g->who.client, g->who.roots, g->who.n, name->name,
                            q->arena, found, COUNTOF(found));
    if (n == 0 || n > SAME_NAME_MAX) return;
    for (size_t i = 0; i < n; i++)
        if (is_in_window(q, &found[i])) return; /* the model sees it */
    for (size_t i = 0; i < n; i++) {
        if (privacy_hides(q->c->privacy, found[i].path, false)[0]) continue;
        excerpt_of *f = file_of(g, found[i].path);
        float score = 1.0f / (1.0f + (float)name->distance / 8.0f) / (float)n;
        f->score = MAX(f->score, score);
        if (!strcmp(found[i].kind, "type"))
            add_type(g, f, &found[i]);
        else
            add_definition(f, &found[i]);
    }
}

void find_definitions(const asking *q, piece_list *out) {
    if (!q->c->symbols) return;
    near_name names[NAMES_MAX];
    size_t n = names_near(q, names);
    gathering g = {.q = q, .who = context_view(q->c, q->arena)};
    for (size_t i = 0; i < n; i++)
        add_name(&g, &names[i]);
    for (size_t i = 0; i < g.files.count; i++) {
        excerpt_of *f = &g.files.at[i];
        if (f->text.len)
            vec_push(out, ((context_chunk){.path = asking_path(q, f->path),
                                           .text = arena_str(q->arena, strbuf_str(&f->text)),
                                           .score = f->score}));
        strbuf_deinit(&f->text);
    }
    vec_free(&g.files);
}
