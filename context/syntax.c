/* SPDX-License-Identifier: Apache-2.0 */
/* Incremental parsing that never holds up the loop.
 *
 *              edit                    slice ends in time
 *   FRESH ------------> STALE ------------------------------> FRESH
 *                         |  brake: the text is copied          ^
 *                         v                                     | no edits meanwhile
 *                      PARSING --(slices on the copy)--> done --+
 *                                                         | edits meanwhile: told to the new
 *                                                         v tree, which is STALE again
 *
 * Usually a keystroke costs one slice of well under a millisecond.  When the brake stops a parse
 * (opening a file of a megabyte, pasting), the parser keeps its place and later slices go on with a
 * copy of the text as it was, so that a person who types on cannot starve the parse: the edits made
 * meanwhile are applied to the finished tree, and the parse after that is incremental.
 *
 * Points: tree-sitter ends rows at \n only; document_point() counts the same way.  Thread: loop.
 */
#include "context/syntax.h"

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/vec.h"

#define ERRORS_MAX 1000

struct syntax {
    const grammar *grammar;
    TSTree *tree; /* last finished tree, told of every edit; NULL: none */
    bool fresh;   /* `tree` is that of the text */
    /* PARSING, else all empty: */
    TSParser *parser;
    TSTree *old; /* what the parse started from; may be NULL */
    char *copy;  /* the text as it was, once the brake has stopped a slice */
    size_t copy_bytes;
    VEC(TSInputEdit) since; /* edits made to the text after `copy` */
};

/* The pieces of a text, read one after the other. */
typedef struct {
    str piece[6];
} pieces;

static const char *read_pieces(void *payload, uint32_t byte, TSPoint point, uint32_t *bytes) {
    const pieces *p = payload;
    size_t at = byte;
    UNUSED(point);
    for (size_t i = 0; i < COUNTOF(p->piece); i++) {
        if (at < p->piece[i].len) {
            *bytes = (uint32_t)(p->piece[i].len - at);
            return p->piece[i].ptr + at;
        }
        at -= p->piece[i].len;
    }
    *bytes = 0;
    return "";
}

static bool is_late(TSParseState *state) {
    return clock_us() >= *(const uint64_t *)state->payload;
}

static TSTree *parse(TSParser *parser, const TSTree *old, pieces *text, uint64_t deadline_us) {
    TSInput input = {.payload = text, .read = read_pieces, .encoding = TSInputEncodingUTF8};
    TSParseOptions options = {.payload = &deadline_us, .progress_callback = is_late};
    return ts_parser_parse_with_options(parser, old, input, options);
}

static TSParser *new_parser(const grammar *g) {
    TSParser *parser = ts_parser_new();
    if (ts_parser_set_language(parser, g->get())) return parser;
    ts_parser_delete(parser); /* a grammar with an ABI that the runtime does not read */
    return NULL;
}

static void drop_parse(syntax *s) {
    if (s->parser) ts_parser_delete(s->parser);
    if (s->old) ts_tree_delete(s->old);
    xfree(s->copy);
    s->parser = NULL;
    s->old = NULL;
    s->copy = NULL;
    s->copy_bytes = 0;
    vec_free(&s->since);
}

syntax *syntax_new(const grammar *g) {
    syntax *s = xcalloc(1, sizeof *s);
    s->grammar = g;
    return s;
}

syntax *syntax_fork(const syntax *s) {
    syntax *fork = syntax_new(s->grammar);
    if (s->tree) fork->tree = ts_tree_copy(s->tree);
    fork->fresh = s->fresh;
    return fork;
}

void syntax_free(syntax *s) {
    if (!s) return;
    syntax_reset(s);
    xfree(s);
}

void syntax_reset(syntax *s) {
    drop_parse(s);
    if (s->tree) ts_tree_delete(s->tree);
    s->tree = NULL;
    s->fresh = false;
}

void syntax_edit(syntax *s, const TSInputEdit *edit, size_t bytes_after) {
    s->fresh = false;
    if (bytes_after > LIMIT_PARSE_BYTES || s->since.count >= LIMIT_PARSE_EDITS) {
        syntax_reset(s);
        return;
    }
    if (s->tree) ts_tree_edit(s->tree, edit);
    if (s->parser) vec_push(&s->since, *edit);
}

/* One slice of the parse at hand; true when it is finished and `tree` is new. */
static bool parse_slice(syntax *s, str text, uint64_t deadline_us) {
    pieces input = {{s->copy ? (str){s->copy, s->copy_bytes} : text}};
    TSTree *done = parse(s->parser, s->old, &input, deadline_us);
    if (!done) {
        if (!s->copy) {
            s->copy = xstrndup(text.ptr, text.len);
            s->copy_bytes = text.len;
        }
        return false;
    }
    if (s->tree) ts_tree_delete(s->tree);
    s->tree = done;
    s->fresh = s->since.count == 0;
    for (size_t i = 0; i < s->since.count; i++)
        ts_tree_edit(s->tree, &s->since.at[i]);
    drop_parse(s);
    return true;
}

bool syntax_update(syntax *s, str text, uint64_t budget_us) {
    if (text.len > LIMIT_PARSE_BYTES) return false;
    uint64_t deadline_us = clock_us() + budget_us;
    while (!s->fresh) {
        if (!s->parser) {
            s->parser = new_parser(s->grammar);
            if (!s->parser) return false;
            s->old = s->tree ? ts_tree_copy(s->tree) : NULL;
        }
        if (!parse_slice(s, text, deadline_us)) return false;
    }
    return true;
}

const TSTree *syntax_tree(const syntax *s) {
    return s->fresh ? s->tree : NULL;
}

const TSTree *syntax_stale_tree(const syntax *s) {
    return s->tree;
}

const grammar *syntax_grammar(const syntax *s) {
    return s->grammar;
}

/* Counts without recursion; sub-trees without errors are not entered. */
size_t syntax_errors(const TSTree *tree) {
    size_t count = 0;
    TSTreeCursor at = ts_tree_cursor_new(ts_tree_root_node(tree));
    for (bool more = true; more && count < ERRORS_MAX;) {
        TSNode node = ts_tree_cursor_current_node(&at);
        count += ts_node_is_error(node) || ts_node_is_missing(node);
        if (ts_node_has_error(node) && ts_tree_cursor_goto_first_child(&at)) continue;
        while (!(more = ts_tree_cursor_goto_next_sibling(&at)) && ts_tree_cursor_goto_parent(&at)) {
        }
    }
    ts_tree_cursor_delete(&at);
    return count;
}

/* `parser` gets one, for the caller to delete; NULL when there is no tree. */
static TSTree *parse_from_scratch(const grammar *g, const str text[6], uint64_t deadline_us,
                                  TSParser **parser) {
    *parser = NULL;
    if (clock_us() >= deadline_us) return NULL;
    pieces input;
    memcpy(input.piece, text, sizeof input.piece);
    TSParser *fresh = new_parser(g);
    TSTree *tree = fresh ? parse(fresh, NULL, &input, deadline_us) : NULL;
    if (tree)
        *parser = fresh;
    else if (fresh)
        ts_parser_delete(fresh);
    return tree;
}

TSTree *syntax_parse(const grammar *g, const str text[6], uint64_t deadline_us) {
    TSParser *parser;
    TSTree *tree = parse_from_scratch(g, text, deadline_us, &parser);
    if (parser) ts_parser_delete(parser);
    return tree;
}

bool syntax_count_errors(const grammar *g, const str text[6], uint64_t deadline_us,
                         size_t *errors) {
    TSTree *tree = syntax_parse(g, text, deadline_us);
    if (!tree) return false;
    *errors = syntax_errors(tree);
    ts_tree_delete(tree);
    return true;
}

/* ---- trials ---------------------------------------------------------------------------------- */

struct syntax_trials {
    const grammar *grammar;
    TSParser *parser;
    char *bytes; /* of the text around the place, in one piece */
    str before, after;
    TSTree *tree; /* of these two */
    size_t errors;
    TSPoint place;
};

/* Where a text that begins at `from` ends. */
static TSPoint point_behind(TSPoint from, str text) {
    for (const char *lf; text.len && (lf = memchr(text.ptr, '\n', text.len));) {
        text = str_sub(text, (size_t)(lf - text.ptr) + 1, text.len);
        from = (TSPoint){from.row + 1, 0};
    }
    from.column += (uint32_t)text.len;
    return from;
}

syntax_trials *syntax_trials_new(const grammar *g, const str around[4], uint64_t deadline_us) {
    const str text[6] = {around[0], around[1], around[2], around[3]};
    TSParser *parser;
    TSTree *tree = parse_from_scratch(g, text, deadline_us, &parser);
    if (!tree) return NULL;
    syntax_trials *t = xcalloc(1, sizeof *t);
    *t = (syntax_trials){
        .grammar = g, .parser = parser, .tree = tree, .errors = syntax_errors(tree)};
    size_t n = 0, middle = around[0].len + around[1].len;
    t->bytes = xmalloc(middle + around[2].len + around[3].len + 1);
    for (int i = 0; i < 4; n += around[i++].len)
        if (around[i].len) memcpy(t->bytes + n, around[i].ptr, around[i].len);
    t->before = (str){t->bytes, middle};
    t->after = (str){t->bytes + middle, n - middle};
    t->place = point_behind((TSPoint){0}, t->before);
    return t;
}

void syntax_trials_free(syntax_trials *t) {
    if (!t) return;
    ts_tree_delete(t->tree);
    ts_parser_delete(t->parser);
    xfree(t->bytes);
    xfree(t);
}

bool syntax_trials_are_of(const syntax_trials *t, const grammar *g, const str around[4]) {
    if (!t || t->grammar != g) return false;
    if (t->before.len != around[0].len + around[1].len) return false;
    if (t->after.len != around[2].len + around[3].len) return false;
    return str_starts_with(t->before, around[0]) && str_ends_with(t->before, around[1]) &&
           str_starts_with(t->after, around[2]) && str_ends_with(t->after, around[3]);
}

size_t syntax_trials_errors(const syntax_trials *t) {
    return t->errors;
}

bool syntax_trials_count(syntax_trials *t, const str inside[4], uint64_t deadline_us,
                         size_t *errors) {
    if (clock_us() >= deadline_us) return false;
    pieces text = {{t->before, inside[0], inside[1], inside[2], inside[3], t->after}};
    size_t bytes = 0;
    TSPoint end = t->place;
    for (int i = 0; i < 4; i++) {
        bytes += inside[i].len;
        end = point_behind(end, inside[i]);
    }
    uint32_t at = (uint32_t)t->before.len;
    TSInputEdit edit = {at, at, at + (uint32_t)bytes, t->place, t->place, end};
    TSTree *old = ts_tree_copy(t->tree);
    ts_tree_edit(old, &edit);
    TSTree *tree = parse(t->parser, old, &text, deadline_us);
    ts_tree_delete(old);
    if (!tree) {
        ts_parser_reset(t->parser); /* or the next trial would go on with this one */
        return false;
    }
    *errors = syntax_errors(tree);
    ts_tree_delete(tree);
    return true;
}
