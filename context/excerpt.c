/* SPDX-License-Identifier: Apache-2.0 */
/* A piece of a document that can be judged alone.
 *
 * While somebody types, the text has an open bracket somewhere, and tree-sitter then works hard on
 * all that follows: measured 20 ms in 14 KB of Python, 400 ms in 110 KB of C, for each key.  A
 * suggestion must be tried several times, so it is tried in an excerpt of a few kilobytes:
 *
 *     class Big:                 head: headers of the blocks around, by indentation
 *         def method(self):      from
 *             ...                |     the largest block around the cursor that fits,
 *             x = |              |     or lines around the cursor when none fits
 *             ...                to
 *                                tail: closers of the head's brackets
 *
 * The excerpt need not be flawless.  It is parsed with and without the suggestion, and a fault of
 * the excerpt counts on both sides.  Everything is read from lines: no tree is needed, so a
 * document that is too large for one, or whose parse is late, is judged as well.  Thread: loop.
 */
#include "context/excerpt.h"

#include "context/bracket.h"
#include "context/shape.h"

#define EXCERPT_BYTES 3072
#define LEVELS_MAX 8
#define LINES_MAX 4000 /* how far up headers are looked for */

/* Lines of the blocks around the cursor, innermost first. */
typedef struct {
    size_t line[LEVELS_MAX];
    size_t count;
} levels;

static bool is_blank(const document *d, size_t line) {
    return str_trim(document_line(d, line)).len == 0;
}

/* A block, or a literal or call over several lines. */
static bool opens_group(const document *d, str text) {
    if (language_opens_block(d->language, text)) return true;
    text = str_trim(str_sub(text, 0, language_comment_start(d->language, text)));
    return text.len && memchr("([{", text.ptr[text.len - 1], 3);
}

/* Columns of the cursor's line; a blank one has those of the deeper neighbour above. */
static int indent_at(const document *d, size_t line) {
    int indent = document_indent(document_line(d, line));
    size_t above = document_line_before(d, line);
    if (!is_blank(d, line) || above == SIZE_MAX) return indent;
    str text = document_line(d, above);
    int deeper = document_indent(text) + opens_group(d, text);
    return MAX(indent, deeper);
}

static void find_levels(const document *d, size_t cursor_line, levels *out) {
    int indent = indent_at(d, cursor_line);
    size_t stop = cursor_line > LINES_MAX ? cursor_line - LINES_MAX : 0;
    out->count = 0;
    if (opens_group(d, document_line(d, cursor_line))) indent++; /* the cursor is on a header */
    for (size_t line = cursor_line + 1; line-- > stop && indent > 0 && out->count < LEVELS_MAX;) {
        str text = document_line(d, line);
        int columns = shape_header_indent(d, line, text);
        if (columns >= indent || !opens_group(d, text)) continue;
        indent = columns;
        line = shape_header_start(d, line, text);
        /* "} else {" and a lone "{" belong to what is above them. */
        bool middle = language_continues_block(d->language, document_line(d, line));
        if (middle || str_eq(str_trim(text), STR("{"))) {
            if (middle) indent++;
            continue;
        }
        out->line[out->count++] = line;
    }
}

/* The line behind the block whose header is on `line`: the first at the header's depth or above
 * that does not close it.  SIZE_MAX when it begins behind byte `limit`. */
static size_t block_end(const document *d, size_t header, size_t cursor_line, size_t limit) {
    int indent = document_indent(document_line(d, header));
    for (size_t line = cursor_line + 1; line < document_line_count(d); line++) {
        if (document_line_start(d, line) > limit) return SIZE_MAX;
        if (is_blank(d, line)) continue;
        str text = document_line(d, line);
        int columns = document_indent(text);
        if (columns < indent) return line;
        if (columns == indent && !language_continues_block(d->language, text)) return line;
    }
    return document_text(d).len > limit ? SIZE_MAX : document_line_count(d);
}

/* The first line of the least depth that closes nothing: text from there on never goes below it. */
static size_t shallowest_line(const document *d, size_t from, size_t to) {
    int least = 1 << 20;
    size_t best = from;
    for (size_t line = from; line <= to; line++) {
        str text = document_line(d, line);
        int columns = document_indent(text);
        if (columns >= least || str_trim(text).len == 0) continue;
        if (language_continues_block(d->language, text)) continue;
        least = columns;
        best = line;
    }
    return best;
}

/* The last line before `end` that begins something at the cursor's depth or above: what is before
 * it is complete.  `end` when there is none. */
static size_t last_sibling(const document *d, size_t cursor_line, size_t end) {
    int indent = document_indent(document_line(d, cursor_line));
    for (size_t line = end; line-- > cursor_line + 1;) {
        str text = document_line(d, line);
        if (str_trim(text).len == 0 || document_indent(text) > indent) continue;
        if (!language_continues_block(d->language, text)) return line;
    }
    return end;
}

/* Lines around the cursor: twice as much before it as behind. */
static void lines_around(const document *d, size_t line, excerpt *out) {
    size_t from = line, to = line + 1, start = document_line_start(d, line);
    while (from > 0 && start - document_line_start(d, from - 1) < EXCERPT_BYTES * 2 / 3)
        from--;
    from = shallowest_line(d, from, line);
    size_t end = document_line_start(d, to);
    while (to < document_line_count(d) && document_line_start(d, to + 1) - end < EXCERPT_BYTES / 3)
        to++;
    out->from = document_line_start(d, from);
    out->to = document_line_start(d, last_sibling(d, line, to));
}

/* The top level has no header: from the last line at the margin above that begins something, to the
 * next one below. */
static void top_level(const document *d, size_t cursor_line, excerpt *out) {
    size_t from = cursor_line;
    lines_around(d, cursor_line, out);
    while (from > 0 && document_line_start(d, from - 1) >= out->from) {
        str text = document_line(d, --from);
        if (text.len == 0 || document_indent(text) > 0) continue;
        if (language_continues_block(d->language, text) || text.ptr[0] == '{') continue;
        out->from = document_line_start(d, from);
        return;
    }
}

/* The header that begins on `line`: whole lines up to its opener. */
static str header_lines(const document *d, size_t line) {
    size_t last = line;
    while (last < line + 20 && !opens_group(d, document_line(d, last)))
        last++;
    return str_sub(document_text(d), document_line_start(d, line),
                   document_line_start(d, last + 1));
}

/* Headers left of the excerpt become its head; what they, and headers inside it whose blocks go on
 * behind it, have opened is closed by the tail. */
static void add_head(const document *d, const levels *around, size_t cursor_line, arena *a,
                     excerpt *out) {
    strbuf head;
    brackets b = {0};
    strbuf_init(&head, (size_t)1 << 20);
    for (size_t i = around->count; i-- > 0;) {
        size_t header = around->line[i];
        bool outside = document_line_start(d, header) < out->from;
        bool ends = block_end(d, header, cursor_line, out->to) != SIZE_MAX;
        str lines = header_lines(d, header);
        if (!ends) brackets_read(&b, d->language, lines);
        if (!outside) continue;
        strbuf_add_str(&head, lines);
        size_t behind = document_line_start(d, header) + lines.len; /* none of it twice */
        if (behind <= document_line_start(d, cursor_line)) out->from = MAX(out->from, behind);
    }
    char *closers = arena_alloc(a, b.depth + 2);
    size_t n = 0;
    if (b.depth) closers[n++] = '\n';
    for (size_t i = b.depth; i-- > 0;)
        closers[n++] = bracket_closer(b.open[i]);
    out->head = arena_str(a, strbuf_str(&head));
    out->tail = (str){closers, n};
    strbuf_deinit(&head);
}

void excerpt_find(const document *d, size_t offset, arena *a, excerpt *out) {
    size_t line = document_line_of(d, offset);
    *out = (excerpt){0};
    if (document_text(d).len <= EXCERPT_BYTES) {
        out->to = document_text(d).len;
        return;
    }
    levels around;
    find_levels(d, line, &around);
    if (around.count == 0) {
        top_level(d, line, out);
        return;
    }
    for (size_t i = around.count; i-- > 0;) { /* the outermost block that fits */
        size_t start = document_line_start(d, around.line[i]);
        if (offset - start > EXCERPT_BYTES) continue;
        size_t end = block_end(d, around.line[i], line, start + EXCERPT_BYTES);
        if (end == SIZE_MAX) continue;
        out->from = start;
        out->to = document_line_start(d, end);
        add_head(d, &around, line, a, out);
        return;
    }
    lines_around(d, line, out);
    add_head(d, &around, line, a, out);
}
