/* SPDX-License-Identifier: Apache-2.0 */
/* Text of an open document with an incremental line index.
 *
 * The text is one flat buffer: an edit moves the tail with memmove, which costs about 2 ms at the
 * limit of 64 MiB and nothing that matters for real files, and lets everything else (windows, the
 * parser, searches) read plain slices.
 *
 * Invariants: the text is valid UTF-8; starts[0] == 0 and starts is strictly increasing; starts[i]
 * is directly behind a line end; the syntax tree (if any) has been told of every edit.
 *
 * A line end is \n, \r\n or a \r that no \n follows, so an edit can join or part two bytes that lie
 * just outside it: index_edit() therefore looks one byte further on both sides.  Thread: loop.
 */
#include "context/document.h"

#include "context/retrieve.h"
#include "engine/base/hash.h"
#include "engine/base/limits.h"
#include "engine/base/utf8.h"

/* How far the search for a line that is not blank goes. */
#define BLANK_LINES_MAX 256

/* Finds line ends in [at, end) of a text, in order.  The next \n is remembered, so that a text of
 * many \r alone is still read once. */
typedef struct {
    const char *base;
    size_t at, end;
    size_t next_lf; /* offset of the first \n at or behind `at`, or `end` */
} break_scan;

static void scan_init(break_scan *s, str text, size_t at, size_t end) {
    *s = (break_scan){.base = text.ptr, .at = at, .end = end, .next_lf = at};
    if (at >= end) return;
    const char *lf = memchr(text.ptr + at, '\n', end - at);
    s->next_lf = lf ? (size_t)(lf - text.ptr) : end;
}

/* Offset behind the next line end, false when there is none.  `*lone` says that it is \r alone;
 * `text_len` bounds the look at the byte behind a \r. */
static bool scan_next(break_scan *s, size_t text_len, size_t *behind, bool *lone) {
    if (s->at >= s->end) return false;
    const char *cr = memchr(s->base + s->at, '\r', s->next_lf - s->at);
    *lone = false;
    if (cr) {
        size_t next = (size_t)(cr - s->base) + 1;
        *lone = next >= text_len || s->base[next] != '\n';
        if (*lone) {
            *behind = s->at = next;
            return true;
        }
        if (next >= s->end) return false; /* its \n lies behind the range */
    } else if (s->next_lf >= s->end) {
        return false;
    }
    *behind = s->next_lf + 1;
    scan_init(s, (str){s->base, s->end}, *behind, s->end);
    return true;
}

static bool is_lone_cr(const document *d, size_t line) {
    if (line + 1 >= d->starts.count) return false;
    return d->text.ptr[d->starts.at[line + 1] - 1] == '\r';
}

static void index_all(document *d) {
    vec_clear(&d->starts);
    vec_push(&d->starts, 0);
    d->lone_cr = 0;
    break_scan scan;
    size_t behind;
    bool lone;
    scan_init(&scan, strbuf_str(&d->text), 0, d->text.len);
    while (scan_next(&scan, d->text.len, &behind, &lone)) {
        vec_push(&d->starts, (uint32_t)behind);
        d->lone_cr += lone;
    }
}

/* Where the index must be read again for an edit of [from, to): the line starts with numbers
 * [first, last) are replaced by the ones found in [lo, hi) of the new text. */
typedef struct {
    size_t first, last, lo, hi_old;
} index_range;

static index_range index_before_edit(document *d, size_t from, size_t to) {
    index_range r = {.lo = from, .hi_old = to};
    if (r.lo > 0 && d->text.ptr[r.lo - 1] == '\r') r.lo--;
    if (r.hi_old < d->text.len) r.hi_old++; /* the \n behind a \r that the edit touches */
    r.first = document_line_of(d, r.lo) + 1;
    /* A start equal to hi_old belongs to a line end that lies inside the range. */
    r.last = document_line_of(d, r.hi_old) + 1;
    for (size_t line = r.first; line < r.last; line++)
        d->lone_cr -= is_lone_cr(d, line - 1);
    return r;
}

static void index_after_edit(document *d, index_range r, size_t from, size_t to, size_t added) {
    VEC(uint32_t) fresh = {0};
    break_scan scan;
    size_t behind, hi = r.hi_old - to + from + added;
    bool lone;
    scan_init(&scan, strbuf_str(&d->text), r.lo, hi);
    while (scan_next(&scan, d->text.len, &behind, &lone)) {
        vec_push(&fresh, (uint32_t)behind);
        d->lone_cr += lone;
    }
    size_t tail = d->starts.count - r.last;
    size_t count = r.first + fresh.count + tail;
    vec_reserve(&d->starts, MAX(count, r.last + tail));
    memmove(d->starts.at + r.first + fresh.count, d->starts.at + r.last,
            tail * sizeof *d->starts.at);
    if (fresh.count) memcpy(d->starts.at + r.first, fresh.at, fresh.count * sizeof *fresh.at);
    d->starts.count = count;
    uint32_t shift = (uint32_t)(from + added - to); /* wraps for a shrinking text, as it should */
    for (size_t i = r.first + fresh.count; i < count; i++)
        d->starts.at[i] += shift;
    vec_free(&fresh);
}

status document_new(str uri, str path, const language *l, str text, int64_t version, document **out,
                    err *e) {
    document *d = xcalloc(1, sizeof *d);
    d->uri = xstrndup(uri.len ? uri.ptr : "", uri.len);
    d->path = xstrndup(path.len ? path.ptr : "", path.len);
    d->uri_hash = hash64(0, uri.ptr, uri.len);
    d->language = l;
    d->version = version;
    d->hidden = "";
    const grammar *g = language_grammar(l);
    if (g) d->tree = syntax_new(g);
    strbuf_init(&d->text, LIMIT_DOCUMENT_BYTES);
    vec_push(&d->starts, 0);

    status s = document_replace(d, text, e);
    if (s != OK) {
        document_free(d);
        return s;
    }
    *out = d;
    return OK;
}

document *document_fork(const document *d) {
    document *fork = xcalloc(1, sizeof *fork);
    fork->uri = xstrdup(d->uri);
    fork->path = xstrdup(d->path);
    fork->uri_hash = d->uri_hash;
    fork->language = d->language;
    fork->version = d->version;
    fork->hidden = d->hidden;
    if (d->file) fork->file = xstrdup(d->file);
    selection_copy(&fork->selection, &d->selection);
    if (d->tree) fork->tree = syntax_fork(d->tree);
    strbuf_init(&fork->text, LIMIT_DOCUMENT_BYTES);
    strbuf_add_str(&fork->text, strbuf_str(&d->text));
    vec_reserve(&fork->starts, d->starts.count);
    memcpy(fork->starts.at, d->starts.at, d->starts.count * sizeof *d->starts.at);
    fork->starts.count = d->starts.count;
    fork->lone_cr = d->lone_cr;
    return fork;
}

void document_free(document *d) {
    if (!d) return;
    syntax_free(d->tree);
    vec_free(&d->starts);
    strbuf_deinit(&d->text);
    xfree(d->uri);
    xfree(d->path);
    xfree(d->file);
    edit_log_clear(&d->edits);
    selection_deinit(&d->selection);
    context_set_notes(d, NULL, 0);
    vec_free(&d->notes);
    xfree(d);
}

static status too_large(const document *d, size_t bytes, err *e) {
    return err_set(e, ERR_LIMIT,
                   "%s would have %zu bytes; documents above %u MiB are not completed", d->uri,
                   bytes, LIMIT_DOCUMENT_BYTES >> 20);
}

/* The text itself when it is valid, else a repaired copy in `repaired`. */
static str valid_text(str text, strbuf *repaired) {
    strbuf_init(repaired, (size_t)3 * LIMIT_DOCUMENT_BYTES + 1);
    if (utf8_is_valid(text)) return text;
    utf8_sanitize(repaired, text);
    return strbuf_str(repaired);
}

status document_replace(document *d, str text, err *e) {
    if (text.len > LIMIT_DOCUMENT_BYTES) return too_large(d, text.len, e);
    strbuf repaired;
    str valid = valid_text(text, &repaired);
    status s = OK;
    if (valid.len > LIMIT_DOCUMENT_BYTES) {
        s = too_large(d, valid.len, e);
    } else {
        strbuf_clear(&d->text);
        strbuf_add_str(&d->text, valid);
        edit_log_clear(&d->edits);
        context_set_notes(d, NULL, 0); /* they were about another text */
        index_all(d);
        if (d->tree) syntax_reset(d->tree);
    }
    strbuf_deinit(&repaired);
    return s;
}

/* The lines [from, to] became `after - before` more lines. */
static void move_notes(document *d, size_t from, size_t to, size_t before, size_t after) {
    for (size_t i = 0; i < d->notes.count; i++) {
        line_note *n = &d->notes.at[i];
        if (n->line > to)
            n->line = n->line + after - before;
        else if (n->line > from)
            n->line = from;
    }
}

static bool is_boundary(const document *d, size_t offset) {
    return offset == d->text.len || ((unsigned char)d->text.ptr[offset] & 0xC0) != 0x80;
}

status document_edit(document *d, size_t from, size_t to, str text, err *e) {
    if (from > to || to > d->text.len)
        return err_set(e, ERR_USAGE, "edit of bytes %zu to %zu lies outside %s, which has %zu",
                       from, to, d->uri, d->text.len);
    if (!is_boundary(d, from) || !is_boundary(d, to))
        return err_set(e, ERR_USAGE, "edit of bytes %zu to %zu of %s splits a character", from, to,
                       d->uri);
    strbuf repaired;
    str valid = valid_text(text, &repaired);
    size_t bytes = d->text.len - (to - from) + valid.len;
    status s = OK;
    if (valid.len > LIMIT_DOCUMENT_BYTES || bytes > LIMIT_DOCUMENT_BYTES) {
        s = too_large(d, bytes, e);
    } else {
        TSInputEdit edit = {.start_byte = (uint32_t)from,
                            .old_end_byte = (uint32_t)to,
                            .new_end_byte = (uint32_t)(from + valid.len)};
        if (d->tree) {
            edit.start_point = document_point(d, from);
            edit.old_end_point = document_point(d, to);
        }
        edit_log_note(&d->edits, d, from, to, valid);
        size_t lines = d->starts.count;
        size_t first = document_line_of(d, from), last = document_line_of(d, to);
        index_range r = index_before_edit(d, from, to);
        strbuf_splice(&d->text, from, to, valid);
        index_after_edit(d, r, from, to, valid.len);
        edit_log_settle(&d->edits, d->starts.count);
        move_notes(d, first, last, lines, d->starts.count);
        if (d->tree) {
            edit.new_end_point = document_point(d, from + valid.len);
            syntax_edit(d->tree, &edit, d->text.len);
        }
    }
    strbuf_deinit(&repaired);
    return s;
}

void document_set_version(document *d, int64_t version) {
    d->version = version;
}

str document_text(const document *d) {
    return strbuf_str(&d->text);
}

str document_uri(const document *d) {
    return str_of(d->uri);
}

str document_path(const document *d) {
    return str_of(d->path);
}

int64_t document_version(const document *d) {
    return d->version;
}

const char *document_language(const document *d) {
    return d->language->name;
}

const char *document_hidden(const document *d) {
    return d->hidden;
}

bool document_has_syntax(const document *d) {
    return d->tree && d->text.len <= LIMIT_PARSE_BYTES;
}

size_t document_line_count(const document *d) {
    return d->starts.count;
}

size_t document_line_start(const document *d, size_t line) {
    return line < d->starts.count ? d->starts.at[line] : d->text.len;
}

str document_line(const document *d, size_t line) {
    str text = strbuf_str(&d->text);
    size_t from = document_line_start(d, line), to = document_line_start(d, line + 1);
    if (line + 1 < d->starts.count) {
        if (text.ptr[to - 1] == '\n') to--;
        if (to > from && text.ptr[to - 1] == '\r') to--;
    }
    return str_sub(text, from, to);
}

size_t document_line_of(const document *d, size_t offset) {
    size_t low = 0, high = d->starts.count;
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (d->starts.at[mid] <= offset)
            low = mid;
        else
            high = mid;
    }
    return low;
}

const char *document_eol(const document *d) {
    size_t crlf = 0, lines = MIN(d->starts.count, 1024); /* the first lines tell enough */
    for (size_t line = 1; line < lines; line++) {
        size_t at = d->starts.at[line];
        crlf += at >= 2 && d->text.ptr[at - 1] == '\n' && d->text.ptr[at - 2] == '\r';
    }
    return crlf * 2 > lines - 1 ? "\r\n" : "\n";
}

int document_indent(str line) {
    int columns = 0;
    for (size_t i = 0; i < line.len && columns < 1000; i++) {
        if (line.ptr[i] == ' ')
            columns++;
        else if (line.ptr[i] == '\t')
            columns = columns / 4 * 4 + 4;
        else
            break;
    }
    return columns;
}

size_t document_line_after(const document *d, size_t line) {
    for (size_t i = line + 1; i < d->starts.count && i <= line + BLANK_LINES_MAX; i++) {
        if (str_trim(document_line(d, i)).len > 0) return i;
    }
    return SIZE_MAX;
}

size_t document_line_before(const document *d, size_t line) {
    for (size_t i = MIN(line, d->starts.count); i-- > 0 && i + BLANK_LINES_MAX >= line;) {
        if (str_trim(document_line(d, i)).len > 0) return i;
    }
    return SIZE_MAX;
}

TSPoint document_point(const document *d, size_t offset) {
    if (d->lone_cr == 0) {
        size_t line = document_line_of(d, offset);
        return (TSPoint){(uint32_t)line, (uint32_t)(offset - d->starts.at[line])};
    }
    size_t row = 0, start = 0;
    const char *text = d->text.ptr;
    for (const char *lf; start < offset && (lf = memchr(text + start, '\n', offset - start)); row++)
        start = (size_t)(lf - text) + 1;
    return (TSPoint){(uint32_t)row, (uint32_t)(offset - start)};
}
