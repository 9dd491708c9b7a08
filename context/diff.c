/* SPDX-License-Identifier: Apache-2.0 */
/* Differences of two texts.
 *
 * Lines first: what both texts begin and end with is taken off, and the rest goes through Myers'
 * greedy search for the shortest way, which keeps one row of ends per step.  Beyond DISTANCE_MAX
 * steps (two texts that have little in common) the whole rest is one difference: as right, only not
 * the smallest.  Then each difference is cut at both ends to the characters that differ.
 *
 * A line includes its end, \n, \r\n or \r.  Thread: any; no state.
 */
#include "context/change.h"
#include "engine/base/hash.h"
#include "engine/base/vec.h"

#define DISTANCE_MAX 600 /* lines added and removed; the rows of the search take 1.5 MB then */

typedef struct {
    size_t start, end; /* bytes */
    uint64_t hash;
} line;

typedef struct {
    str text;
    VEC(line) lines;
} lined;

static void read_lines(lined *l, str text) {
    l->text = text;
    for (size_t start = 0; start < text.len;) {
        size_t end = start;
        while (end < text.len && text.ptr[end] != '\n' && text.ptr[end] != '\r')
            end++;
        if (end < text.len)
            end += text.ptr[end] == '\r' && end + 1 < text.len && text.ptr[end + 1] == '\n' ? 2 : 1;
        line one = {start, end, hash64(0, text.ptr + start, end - start)};
        vec_push(&l->lines, one);
        start = end;
    }
}

static bool same_line(const lined *a, size_t i, const lined *b, size_t j) {
    line x = a->lines.at[i], y = b->lines.at[j];
    return x.hash == y.hash &&
           str_eq(str_sub(a->text, x.start, x.end), str_sub(b->text, y.start, y.end));
}

/* Lines [a, a_end) of the old text become lines [b, b_end) of the new one. */
typedef struct {
    size_t a, a_end, b, b_end;
} hunk;

typedef VEC(hunk) hunks;

static void add_step(hunks *out, hunk h) { /* comes from the end towards the start */
    hunk *last = out->count ? &out->at[out->count - 1] : NULL;
    if (last && last->a == h.a_end && last->b == h.b_end) {
        last->a = h.a;
        last->b = h.b;
    } else {
        vec_push(out, h);
    }
}

/* Ends of the furthest ways on the diagonals -d..d after d steps. */
typedef struct {
    int32_t *rows[DISTANCE_MAX + 1];
    int steps;
} ways;

static int32_t *row_of(const ways *w, int d) {
    return w->rows[d] + d;
}

/* Whether the way to diagonal k in step d comes from k + 1 (a line is new) or k - 1 (one is gone).
 */
static bool comes_down(const ways *w, int d, int k) {
    return k == -d || (k != d && row_of(w, d - 1)[k - 1] < row_of(w, d - 1)[k + 1]);
}

static bool search(ways *w, const lined *a, const lined *b, hunk in) {
    int32_t n = (int32_t)(in.a_end - in.a), m = (int32_t)(in.b_end - in.b);
    for (int d = 0; d <= DISTANCE_MAX; d++) {
        w->rows[d] = xmalloc((size_t)(2 * d + 1) * sizeof *w->rows[d]);
        w->steps = d;
        int32_t *row = row_of(w, d);
        for (int k = -d; k <= d; k += 2) {
            int32_t x = 0;
            if (d > 0)
                x = comes_down(w, d, k) ? row_of(w, d - 1)[k + 1] : row_of(w, d - 1)[k - 1] + 1;
            while (x < n && x - k < m && x - k >= 0 &&
                   same_line(a, in.a + (size_t)x, b, in.b + (size_t)(x - k)))
                x++;
            row[k] = x;
            if (x >= n && x - k >= m) return true;
        }
    }
    return false;
}

static void walk_back(const ways *w, hunk in, hunks *out) {
    int32_t x = (int32_t)(in.a_end - in.a), y = (int32_t)(in.b_end - in.b);
    for (int d = w->steps; d > 0; d--) {
        int k = x - y;
        bool down = comes_down(w, d, k);
        int from = down ? k + 1 : k - 1;
        int32_t px = row_of(w, d - 1)[from], py = px - from;
        int32_t sx = down ? px : px + 1, sy = down ? py + 1 : py;
        add_step(out, (hunk){in.a + (size_t)px, in.a + (size_t)sx, in.b + (size_t)py,
                             in.b + (size_t)sy});
        x = px;
        y = py;
    }
}

/* In order. */
static void find_hunks(const lined *a, const lined *b, hunks *out) {
    hunk in = {0, a->lines.count, 0, b->lines.count};
    while (in.a < in.a_end && in.b < in.b_end && same_line(a, in.a, b, in.b)) {
        in.a++;
        in.b++;
    }
    while (in.a < in.a_end && in.b < in.b_end && same_line(a, in.a_end - 1, b, in.b_end - 1)) {
        in.a_end--;
        in.b_end--;
    }
    if (in.a == in.a_end && in.b == in.b_end) return;
    ways *w = xcalloc(1, sizeof *w);
    if (in.a == in.a_end || in.b == in.b_end || !search(w, a, b, in))
        vec_push(out, in);
    else
        walk_back(w, in, out);
    for (int i = 0; i <= w->steps; i++)
        xfree(w->rows[i]);
    xfree(w);
    for (size_t i = 0, j = out->count; i + 1 < j; i++) {
        hunk swap = out->at[i];
        out->at[i] = out->at[--j];
        out->at[j] = swap;
    }
}

/* ---- characters ------------------------------------------------------------------------------ */

/* Whether a text may be cut here. */
static bool is_cut(str t, size_t at) {
    if (at == 0 || at >= t.len) return true;
    if (t.ptr[at - 1] == '\r' && t.ptr[at] == '\n') return false;
    return ((unsigned char)t.ptr[at] & 0xC0) != 0x80;
}

/* Takes off what both pieces begin and end with; the pieces are [from, to) of their texts. */
static void trim(str a, size_t *a_from, size_t *a_to, str b, size_t *b_from, size_t *b_to) {
    size_t room = MIN(*a_to - *a_from, *b_to - *b_from), n = 0;
    while (n < room && a.ptr[*a_from + n] == b.ptr[*b_from + n])
        n++;
    while (n > 0 && !(is_cut(a, *a_from + n) && is_cut(b, *b_from + n)))
        n--;
    *a_from += n;
    *b_from += n;
    room -= n;
    n = 0;
    while (n < room && a.ptr[*a_to - n - 1] == b.ptr[*b_to - n - 1])
        n++;
    while (n > 0 && !(is_cut(a, *a_to - n) && is_cut(b, *b_to - n)))
        n--;
    *a_to -= n;
    *b_to -= n;
}

static size_t line_start(const lined *l, size_t i) {
    return i < l->lines.count ? l->lines.at[i].start : l->text.len;
}

size_t change_diff(str before, str after, arena *mem, text_edit **out) {
    lined a = {0}, b = {0};
    hunks found = {0};
    read_lines(&a, before);
    read_lines(&b, after);
    find_hunks(&a, &b, &found);
    *out = arena_alloc(mem, (found.count + 1) * sizeof **out);
    for (size_t i = 0; i < found.count; i++) {
        hunk h = found.at[i];
        size_t from = line_start(&a, h.a), to = line_start(&a, h.a_end);
        size_t text = line_start(&b, h.b), text_end = line_start(&b, h.b_end);
        trim(before, &from, &to, after, &text, &text_end);
        (*out)[i] = (text_edit){from, to, arena_str(mem, str_sub(after, text, text_end))};
    }
    size_t n = found.count;
    vec_free(&found);
    vec_free(&a.lines);
    vec_free(&b.lines);
    return n;
}

size_t change_lines(str before, str after, arena *mem, line_span **out) {
    lined a = {0}, b = {0};
    hunks found = {0};
    read_lines(&a, before);
    read_lines(&b, after);
    find_hunks(&a, &b, &found);
    *out = arena_alloc(mem, (found.count + 1) * sizeof **out);
    for (size_t i = 0; i < found.count; i++)
        (*out)[i] = (line_span){found.at[i].b, found.at[i].b_end - found.at[i].b};
    size_t n = found.count;
    vec_free(&found);
    vec_free(&a.lines);
    vec_free(&b.lines);
    return n;
}

void change_apply(str before, const text_edit *edits, size_t n, strbuf *out) {
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        ASSERT(edits[i].from >= at && edits[i].to >= edits[i].from && edits[i].to <= before.len);
        strbuf_add_str(out, str_sub(before, at, edits[i].from));
        strbuf_add_str(out, edits[i].text);
        at = edits[i].to;
    }
    strbuf_add_str(out, str_sub(before, at, before.len));
}
