/* SPDX-License-Identifier: Apache-2.0 */
/* Unified diffs, read by the counts of their hunks' headers. */
#include "context/unified.h"

#include "engine/base/limits.h"

/* Digits off the front; false: there are none, or far too many. */
static bool take_number(str *s, size_t *out) {
    size_t n = 0;
    for (*out = 0; n < s->len && n < 9 && s->ptr[n] >= '0' && s->ptr[n] <= '9'; n++)
        *out = *out * 10 + (size_t)(s->ptr[n] - '0');
    *s = str_sub(*s, n, s->len);
    return n > 0;
}

/* "12,3" or "12", which means one line. */
static bool take_range(str *s, size_t *from, size_t *count) {
    *count = 1;
    if (!take_number(s, from)) return false;
    if (!str_starts_with(*s, STR(","))) return true;
    *s = str_sub(*s, 1, s->len);
    return take_number(s, count);
}

/* "@@ -12,3 +14 @@ ..." */
static bool read_hunk(unified_reader *r, str line) {
    size_t from;
    line = str_sub(line, 4, line.len);
    if (!take_range(&line, &from, &r->old_left) || !str_starts_with(line, STR(" +"))) return false;
    line = str_sub(line, 2, line.len);
    if (!take_range(&line, &from, &r->new_left) || !str_starts_with(line, STR(" @@"))) return false;
    r->new_line = from ? from - 1 : 0;
    return true;
}

/* A line of the hunk; UNIFIED_END: it is none, and the hunk is over. */
static unified_kind read_line(unified_reader *r, str line) {
    char first = line.len ? line.ptr[0] : ' ';
    if (first == '+' && r->new_left) {
        r->new_left--;
        r->new_line++;
        return UNIFIED_ADDED;
    }
    if (first == '-' && r->old_left) {
        r->old_left--;
        return UNIFIED_REMOVED;
    }
    if (first == ' ' && r->old_left && r->new_left) {
        r->old_left--;
        r->new_left--;
        r->new_line++;
        return UNIFIED_SAME;
    }
    r->old_left = r->new_left = 0;
    return UNIFIED_END;
}

unified_kind unified_next(unified_reader *r, str *line) {
    while (str_split(&r->rest, '\n', line)) {
        if (line->len && line->ptr[0] == '\\') continue; /* "\ No newline at end of file" */
        if (r->old_left || r->new_left) {
            unified_kind kind = read_line(r, *line);
            if (kind) return kind;
        }
        if (str_starts_with(*line, STR("diff --git "))) {
            r->path = (str){0};
            return UNIFIED_FILE;
        }
        if (str_starts_with(*line, STR("+++ "))) {
            bool plain = str_starts_with(*line, STR("+++ b/"));
            r->path = plain ? str_trim(str_sub(*line, 6, line->len)) : (str){0};
            return UNIFIED_FILE;
        }
        if (str_starts_with(*line, STR("@@ -")) && read_hunk(r, *line)) return UNIFIED_HUNK;
    }
    return UNIFIED_END;
}
