/* SPDX-License-Identifier: Apache-2.0 */
/* gitignore patterns.
 *
 * A rule without a '/' (other than at its end) is matched with the last name of the path; any other
 * with the whole path.  `*` and `?` stop at '/', `**` between slashes is any number of folders.
 * Thread: any; a list is immutable once it is filled.
 */
#include "context/ignore.h"

#include "engine/base/limits.h"

static bool is_blank_end(str line) {
    if (!line.len || line.ptr[line.len - 1] != ' ') return false;
    size_t slashes = 0; /* "\ " at the end is a blank that counts */
    while (slashes + 1 < line.len && line.ptr[line.len - 2 - slashes] == '\\')
        slashes++;
    return slashes % 2 == 0;
}

static void add_rule(ignore_list *list, str line, size_t at) {
    if (line.len && line.ptr[line.len - 1] == '\r') line.len--;
    while (is_blank_end(line))
        line.len--;
    if (!line.len || line.ptr[0] == '#') return;
    ignore_rule r = {0};
    if (line.ptr[0] == '!') {
        r.negated = true;
        line = str_sub(line, 1, line.len);
        at++;
    }
    if (line.len > 1 && line.ptr[line.len - 1] == '/') {
        r.folder_only = true;
        line.len--;
    }
    r.anchored = line.len && memchr(line.ptr, '/', line.len) != NULL;
    if (line.len && line.ptr[0] == '/') {
        line = str_sub(line, 1, line.len);
        at++;
    }
    if (!line.len) return;
    r.at = (uint32_t)at;
    r.length = (uint32_t)line.len;
    vec_push(&list->rules, r);
}

bool ignore_add(ignore_list *list, str text) {
    if (text.len && memchr(text.ptr, '\0', text.len)) return false;
    if (text.len > LIMIT_IGNORE_BYTES) return false;
    size_t before = list->text ? strlen(list->text) : 0;
    if (before + text.len + 2 > 2 * (size_t)LIMIT_IGNORE_BYTES) return false;
    list->text = xrealloc(list->text, before + text.len + 2);
    if (text.len) memcpy(list->text + before, text.ptr, text.len);
    list->text[before + text.len] = '\n';
    list->text[before + text.len + 1] = '\0';
    str rest = {list->text + before, text.len}, line;
    if (str_starts_with(rest, STR("\xEF\xBB\xBF"))) rest = str_sub(rest, 3, rest.len);
    while (str_split(&rest, '\n', &line)) {
        if (list->rules.count >= LIMIT_IGNORE_RULES) return false;
        add_rule(list, line, (size_t)(line.ptr - list->text));
    }
    return true;
}

void ignore_deinit(ignore_list *list) {
    xfree(list->text);
    vec_free(&list->rules);
    *list = (ignore_list){0};
}

/* ---- matching -------------------------------------------------------------------------------- */

typedef struct {
    str glob, text;
    bool fold;
    int steps; /* left */
} matching;

static char lower(const matching *m, char c) {
    return m->fold && c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* [a-z], [!a], [^a]; *g is behind '[' and moves behind ']'.  -1: no class, '[' stands for itself.
 */
static int match_class(const matching *m, size_t *g, char c) {
    size_t i = *g;
    bool negated = false, hit = false;
    if (i < m->glob.len && (m->glob.ptr[i] == '!' || m->glob.ptr[i] == '^')) {
        negated = true;
        i++;
    }
    for (size_t first = i; i < m->glob.len && (m->glob.ptr[i] != ']' || i == first); i++) {
        char from = lower(m, m->glob.ptr[i]), to = from;
        if (i + 2 < m->glob.len && m->glob.ptr[i + 1] == '-' && m->glob.ptr[i + 2] != ']') {
            to = lower(m, m->glob.ptr[i + 2]);
            i += 2;
        }
        hit = hit || (c >= from && c <= to);
    }
    if (i >= m->glob.len) return -1;
    *g = i + 1;
    return hit != negated;
}

/* One character of the pattern that is not a star; moves *g behind it. */
static bool match_one(const matching *m, size_t *g, char c) {
    char want = m->glob.ptr[*g];
    if (want == '?') {
        (*g)++;
        return c != '/';
    }
    if (want == '[') {
        size_t behind = *g + 1;
        int in_class = match_class(m, &behind, c);
        if (in_class >= 0) {
            *g = behind;
            return in_class && c != '/';
        }
    }
    if (want == '\\' && *g + 1 < m->glob.len) want = m->glob.ptr[++(*g)];
    (*g)++;
    return lower(m, want) == c;
}

static bool match_from(matching *m, size_t g, size_t t, int depth);

/* A star at `g`: how much of the text does it take? */
static bool match_star(matching *m, size_t g, size_t t, int depth) {
    bool across = g + 1 < m->glob.len && m->glob.ptr[g + 1] == '*';
    bool at_name = g == 0 || m->glob.ptr[g - 1] == '/';
    size_t behind = g;
    while (behind < m->glob.len && m->glob.ptr[behind] == '*')
        behind++;
    across = across && at_name && (behind == m->glob.len || m->glob.ptr[behind] == '/');
    if (across && behind < m->glob.len && match_from(m, behind + 1, t, depth + 1))
        return true; /* no folder at all */
    for (;; t++) {
        if (match_from(m, behind, t, depth + 1)) return true;
        if (t >= m->text.len || (m->text.ptr[t] == '/' && !across)) return false;
    }
}

static bool match_from(matching *m, size_t g, size_t t, int depth) {
    if (depth > LIMIT_GLOB_STARS) return true;
    while (g < m->glob.len) {
        if (--m->steps <= 0) return true; /* too dear: counts as a match */
        if (m->glob.ptr[g] == '*') return match_star(m, g, t, depth);
        if (t >= m->text.len || !match_one(m, &g, lower(m, m->text.ptr[t]))) return false;
        t++;
    }
    return t == m->text.len;
}

static str last_name(str path) {
    ptrdiff_t slash = str_rfind_char(path, '/');
    return str_sub(path, slash < 0 ? 0 : (size_t)slash + 1, path.len);
}

ignore_answer ignore_match(const ignore_list *list, str path, bool folder) {
    for (size_t i = list->rules.count; i-- > 0;) {
        const ignore_rule *r = &list->rules.at[i];
        if (r->folder_only && !folder) continue;
        matching m = {.glob = {list->text + r->at, r->length},
                      .text = r->anchored ? path : last_name(path),
                      .fold = list->fold,
                      .steps = LIMIT_GLOB_STEPS};
        if (match_from(&m, 0, 0, 0)) return r->negated ? IGNORE_NO : IGNORE_YES;
    }
    return IGNORE_SILENT;
}
