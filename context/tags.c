/* SPDX-License-Identifier: Apache-2.0 */
/* Definitions by tree-sitter query.
 *
 * The signature of a function is its text up to the body, on one line; that of a type is all of it
 * while that is short, because its fields are what one wants to know, else its first line.  Queries
 * are compiled at first use and kept with the tagger.  Thread: the tagger's.
 */
#include "context/tags.h"

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/vec.h"

#define MATCHES_MAX 4096
#define SIGNATURE_BYTES 240 /* of one definition: about 60 tokens */
#define NAME_BYTES 120

typedef struct {
    TSQuery *query;
    bool tried;
} tag_query;

struct tagger {
    TSParser *parser;
    tag_query *queries; /* one per grammar of the build */
};

static const char *const kind_names[TAG_KINDS] = {"function", "type",      "macro", "constant",
                                                  "variable", "prototype", "field"};

const char *tag_kind_name(tag_kind kind) {
    return kind_names[kind];
}

tagger *tagger_new(void) {
    tagger *t = xcalloc(1, sizeof *t);
    t->parser = ts_parser_new();
    t->queries = xcalloc(grammars_count, sizeof *t->queries);
    return t;
}

void tagger_free(tagger *t) {
    if (!t) return;
    for (size_t i = 0; i < grammars_count; i++) {
        if (t->queries[i].query) ts_query_delete(t->queries[i].query);
    }
    xfree(t->queries);
    ts_parser_delete(t->parser);
    xfree(t);
}

static const TSQuery *query_of(tagger *t, const grammar *g) {
    tag_query *slot = &t->queries[g - grammars];
    if (!slot->tried) {
        uint32_t at;
        TSQueryError kind;
        slot->tried = true;
        slot->query = ts_query_new(g->get(), g->tags, (uint32_t)strlen(g->tags), &at, &kind);
        if (!slot->query) log_error("context", "bad tags query language=%s byte=%u", g->name, at);
    }
    return slot->query;
}

/* ---- signatures ------------------------------------------------------------------------------ */

typedef struct {
    const TSQuery *query;
    str text;
    arena *arena;
    VEC(tag) found;
} finding;

static str node_text(const finding *f, TSNode node) {
    return str_sub(f->text, ts_node_start_byte(node), ts_node_end_byte(node));
}

/* The node whose start ends the signature: a body somewhere below, or none. */
static bool find_body(TSNode node, int depth, TSNode *out) {
    static const char *const fields[] = {"body", "value", "right", "declaration"};
    TSNode body = ts_node_child_by_field_name(node, fields[0], (uint32_t)strlen(fields[0]));
    if (!ts_node_is_null(body)) {
        *out = body;
        return true;
    }
    for (size_t i = 1; i < COUNTOF(fields) && depth > 0; i++) {
        TSNode below =
            ts_node_child_by_field_name(node, fields[i], (uint32_t)strlen(fields[i]));
        if (!ts_node_is_null(below) && find_body(below, depth - 1, out)) return true;
    }
    return false;
}

static bool is_blank_char(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Runs of white space become one blank; cut at a character boundary. */
static str on_one_line(str text, arena *a) {
    char *out = arena_alloc(a, MIN(text.len, SIGNATURE_BYTES) + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.len && n < SIGNATURE_BYTES; i++) {
        char c = is_blank_char(text.ptr[i]) ? ' ' : text.ptr[i];
        if (c == ' ' && (n == 0 || out[n - 1] == ' ')) continue;
        out[n++] = c;
    }
    while (n > 0 && ((unsigned char)out[n - 1] & 0xC0) == 0x80 && text.len > SIGNATURE_BYTES)
        n--; /* perhaps a cut character: drop it whole */
    if (n > 0 && (unsigned char)out[n - 1] >= 0xC0) n--;
    while (n > 0 && out[n - 1] == ' ')
        n--;
    return (str){out, n};
}

static str head_line(str text) {
    const char *lf = text.len ? memchr(text.ptr, '\n', text.len) : NULL;
    return lf ? str_sub(text, 0, (size_t)(lf - text.ptr)) : text;
}

static str signature_of(const finding *f, tag_kind kind, TSNode node, size_t name_end) {
    str text = node_text(f, node);
    TSNode body;
    size_t start = ts_node_start_byte(node);
    bool has_body = find_body(node, 2, &body) && ts_node_start_byte(body) >= name_end;
    if (kind == TAG_TYPE && text.len <= SIGNATURE_BYTES) return arena_str(f->arena, text);
    if (kind == TAG_TYPE && has_body) text = str_sub(text, 0, ts_node_start_byte(body) - start);
    if (kind == TAG_TYPE || kind == TAG_VARIABLE || kind == TAG_CONSTANT || kind == TAG_FIELD)
        text = head_line(text);
    else if (has_body)
        text = str_sub(text, 0, ts_node_start_byte(body) - start);
    str one = on_one_line(text, f->arena);
    return one.len ? one : on_one_line(head_line(node_text(f, node)), f->arena);
}

/* ---- matches --------------------------------------------------------------------------------- */

static str capture_text(const finding *f, const TSQueryMatch *m, uint32_t id) {
    for (uint16_t i = 0; i < m->capture_count; i++) {
        if (m->captures[i].index == id) return node_text(f, m->captures[i].node);
    }
    return (str){0};
}

static bool predicates_hold(const finding *f, const TSQueryMatch *m) {
    uint32_t n, length;
    const TSQueryPredicateStep *s =
        ts_query_predicates_for_pattern(f->query, m->pattern_index, &n);
    for (uint32_t i = 0; i + 3 < n; i += 4) { /* name, capture, string, done */
        if (s[i + 1].type != TSQueryPredicateStepTypeCapture ||
            s[i + 2].type != TSQueryPredicateStepTypeString)
            return false;
        const char *name = ts_query_string_value_for_id(f->query, s[i].value_id, &length);
        str text = capture_text(f, m, s[i + 1].value_id), want;
        want.ptr = ts_query_string_value_for_id(f->query, s[i + 2].value_id, &length);
        want.len = length;
        bool holds = strcmp(name, "eq?") == 0 ? str_eq(text, want) : str_starts_with(text, want);
        if (!holds) return false;
    }
    return true;
}

static bool kind_of(const char *capture, uint32_t n, tag_kind *out) {
    for (int i = 0; i < TAG_KINDS; i++) {
        if (!str_eq((str){capture, n}, str_of(kind_names[i]))) continue;
        *out = (tag_kind)i;
        return true;
    }
    return false;
}

static int column_of(str text, size_t start) {
    size_t from = start;
    while (from > 0 && text.ptr[from - 1] != '\n' && start - from < 64)
        from--;
    int columns = 0;
    for (; from < start && (text.ptr[from] == ' ' || text.ptr[from] == '\t'); from++)
        columns = text.ptr[from] == '\t' ? (columns / 4 + 1) * 4 : columns + 1;
    return columns;
}

static void take_match(finding *f, const TSQueryMatch *m) {
    TSNode name = {{0}, 0, 0}, whole = {{0}, 0, 0};
    tag_kind kind = TAG_KINDS;
    for (uint16_t i = 0; i < m->capture_count; i++) {
        uint32_t n;
        const char *capture = ts_query_capture_name_for_id(f->query, m->captures[i].index, &n);
        if (str_eq((str){capture, n}, STR("name")))
            name = m->captures[i].node;
        else if (kind_of(capture, n, &kind))
            whole = m->captures[i].node;
    }
    if (ts_node_is_null(name) || ts_node_is_null(whole) || kind == TAG_KINDS) return;
    str text = node_text(f, name);
    if (text.len == 0 || text.len > NAME_BYTES || !predicates_hold(f, m)) return;
    tag t = {.name = arena_str(f->arena, text),
             .signature = signature_of(f, kind, whole, ts_node_end_byte(name)),
             .line = ts_node_start_point(whole).row,
             .end_line = ts_node_end_point(whole).row,
             .parent = TAG_NO_PARENT,
             .kind = (uint8_t)kind,
             .indent = (uint8_t)column_of(f->text, ts_node_start_byte(whole))};
    if (t.signature.len) vec_push(&f->found, t);
}

static int compare_tags(const void *a, const void *b) {
    const tag *x = a, *y = b;
    if (x->line != y->line) return x->line < y->line ? -1 : 1;
    if (x->end_line != y->end_line) return x->end_line > y->end_line ? -1 : 1;
    return (int)x->kind - (int)y->kind;
}

/* Two patterns may find the same thing: the first kind of tag_kind stays. */
static size_t drop_doubles(tag *tags, size_t n) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        bool twice = false;
        for (size_t k = kept; k-- > 0 && tags[k].line == tags[i].line && !twice;)
            twice = str_eq(tags[k].name, tags[i].name);
        if (!twice) tags[kept++] = tags[i];
    }
    return kept;
}

/* The innermost type around each definition. */
static void find_parents(tag *tags, size_t n) {
    for (size_t i = 0; i < n; i++) {
        for (size_t k = i; k-- > 0;) {
            if (tags[k].kind != TAG_TYPE || tags[k].end_line < tags[i].end_line ||
                tags[k].line == tags[i].line)
                continue;
            tags[i].parent = (uint16_t)k;
            break;
        }
    }
}

static bool is_late(TSParseState *state) {
    return clock_us() >= *(const uint64_t *)state->payload;
}

static const char *read_text(void *payload, uint32_t byte, TSPoint point, uint32_t *bytes) {
    const str *text = payload;
    UNUSED(point);
    *bytes = byte < text->len ? (uint32_t)(text->len - byte) : 0;
    return *bytes ? text->ptr + byte : "";
}

size_t tagger_find(tagger *t, const language *l, str text, uint64_t budget_us, arena *a,
                   tag **out) {
    const grammar *g = language_grammar(l);
    *out = NULL;
    if (!g || !g->tags[0] || text.len > LIMIT_PARSE_BYTES) return 0;
    finding f = {.query = query_of(t, g), .text = text, .arena = a};
    if (!f.query || !ts_parser_set_language(t->parser, g->get())) return 0;
    uint64_t deadline_us = clock_us() + budget_us;
    TSInput input = {.payload = &text, .read = read_text, .encoding = TSInputEncodingUTF8};
    TSParseOptions options = {.payload = &deadline_us, .progress_callback = is_late};
    ts_parser_reset(t->parser);
    TSTree *tree = ts_parser_parse_with_options(t->parser, NULL, input, options);
    if (!tree) return 0;
    TSQueryCursor *cursor = ts_query_cursor_new();
    TSQueryMatch match;
    ts_query_cursor_set_match_limit(cursor, MATCHES_MAX);
    ts_query_cursor_exec(cursor, f.query, ts_tree_root_node(tree));
    while (f.found.count < LIMIT_TAGS_FILE && ts_query_cursor_next_match(cursor, &match))
        take_match(&f, &match);
    ts_query_cursor_delete(cursor);
    ts_tree_delete(tree);
    size_t n = f.found.count;
    if (n) {
        qsort(f.found.at, n, sizeof *f.found.at, compare_tags);
        n = drop_doubles(f.found.at, n);
        find_parents(f.found.at, n);
        *out = arena_alloc(a, n * sizeof **out);
        memcpy(*out, f.found.at, n * sizeof **out);
    }
    vec_free(&f.found);
    return n;
}
