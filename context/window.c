/* SPDX-License-Identifier: Apache-2.0 */
/* Prompt windows that keep the engine's KV cache useful.
 *
 * The engine reuses what two prompts have in common from their beginning.  A prefix window that
 * ends at the cursor and is always N bytes long would begin elsewhere after each key, and nothing
 * would be common.  So its left end is taken from a grid of a quarter of the window's size, counted
 * from the head of the file: typing moves the cursor, and only every N/4 bytes the window jumps.
 * The suffix uses the same grid counted from the end of the file, because typing before it moves
 * the file's end along with it.
 *
 *   prefix = imports (stable for the file) + signatures (stable in a function) + local window
 *
 * Imports and signatures are added only when they lie left of the window, from a quarter of the
 * budget that is always set aside in that case (so that their length does not move the window).
 */
#include "context/window.h"

#include "engine/base/limits.h"

static size_t boundary_after(const document *d, size_t offset) {
    while (offset < d->text.len && ((unsigned char)d->text.ptr[offset] & 0xC0) == 0x80)
        offset++;
    return offset;
}

size_t window_start(const document *d, size_t offset, size_t bytes_max) {
    if (offset <= bytes_max) return 0;
    size_t step = MAX(bytes_max / 4, 1);
    size_t grid = MIN((offset - bytes_max + step - 1) / step * step, offset);
    size_t line = document_line_of(d, grid);
    size_t start = document_line_start(d, line);
    if (start != grid) start = document_line_start(d, line + 1);
    size_t cursor_line = document_line_start(d, document_line_of(d, offset));
    return start <= cursor_line ? start : MIN(boundary_after(d, grid), offset);
}

size_t window_end(const document *d, size_t offset, size_t bytes_max) {
    size_t len = d->text.len;
    if (len - offset <= bytes_max) return len;
    size_t step = MAX(bytes_max / 4, 1);
    size_t from_end = (len - offset - bytes_max + step - 1) / step * step;
    size_t grid = from_end < len - offset ? len - from_end : offset;
    size_t start = document_line_start(d, document_line_of(d, grid));
    if (start > offset) return start;
    while (grid > offset && ((unsigned char)d->text.ptr[grid] & 0xC0) == 0x80)
        grid--;
    return grid;
}

/* A copy with \n line ends. */
static void add_lf(strbuf *out, str text) {
    while (text.len) {
        const char *cr = memchr(text.ptr, '\r', text.len);
        size_t n = cr ? (size_t)(cr - text.ptr) : text.len;
        strbuf_add(out, text.ptr, n);
        if (!cr) return;
        strbuf_add_char(out, '\n');
        n += 1 + (n + 1 < text.len && text.ptr[n + 1] == '\n');
        text = str_sub(text, n, text.len);
    }
}

/* Whole lines of `range` left of `limit`, at most `bytes_max` bytes. */
static str lines_of(const document *d, byte_range range, size_t limit, size_t bytes_max) {
    size_t to = MIN(range.to, limit);
    if (to <= range.from) return (str){0};
    if (to - range.from > bytes_max)
        to = document_line_start(d, document_line_of(d, range.from + bytes_max));
    return to <= range.from ? (str){0} : str_sub(document_text(d), range.from, to);
}

static void add_head(strbuf *out, const document *d, const outline *at, size_t start,
                     size_t budget) {
    add_lf(out, lines_of(d, at->imports, start, budget * 2 / 3));
    size_t left = budget / 3;
    for (size_t i = 0; i < at->n_signatures; i++) {
        if (at->signatures[i].from < at->imports.to) continue;
        str lines = lines_of(d, at->signatures[i], start, left);
        add_lf(out, lines);
        left -= lines.len;
    }
}

str window_prefix(const document *d, size_t offset, size_t bytes_max, arena *a) {
    bytes_max = MIN(bytes_max, LIMIT_WINDOW_BYTES);
    strbuf out;
    strbuf_init(&out, (size_t)2 * LIMIT_WINDOW_BYTES);
    size_t start = 0;
    if (offset > bytes_max) {
        start = window_start(d, offset, bytes_max - bytes_max / 4);
        outline lines;
        outline_find(d, offset, &lines);
        add_head(&out, d, &lines, start, bytes_max / 4);
    }
    add_lf(&out, str_sub(document_text(d), start, offset));
    str prefix = arena_str(a, strbuf_str(&out));
    strbuf_deinit(&out);
    return prefix;
}

str window_suffix(const document *d, size_t offset, size_t bytes_max, arena *a) {
    bytes_max = MIN(bytes_max, LIMIT_WINDOW_BYTES);
    strbuf out;
    strbuf_init(&out, (size_t)2 * LIMIT_WINDOW_BYTES);
    add_lf(&out, str_sub(document_text(d), offset, window_end(d, offset, bytes_max)));
    str suffix = arena_str(a, strbuf_str(&out));
    strbuf_deinit(&out);
    return suffix;
}
