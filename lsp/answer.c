/* SPDX-License-Identifier: Apache-2.0 */
/* A model's words into code: see answer.h.
 *
 * Models are asked for one fenced block, and small ones forget the fence, its end, or the
 * indentation.  What is repaired here is only what cannot change a meaning: fences, the indentation
 * that all lines lack, line ends.  Thread: any; no state.
 */
#include "lsp/answer.h"

#include "engine/base/mem.h"

#define SAME_LINES_MAX 12

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

static str without_cr(str line) {
    return line.len && line.ptr[line.len - 1] == '\r' ? str_sub(line, 0, line.len - 1) : line;
}

/* ---- fences ---------------------------------------------------------------------------------- */

/* Length of the mark that begins a line, "```" or "~~~" or longer; 0: there is none. */
static size_t fence(str line, char *mark) {
    str t = str_trim(line);
    size_t n = 0;
    if (!t.len || (t.ptr[0] != '`' && t.ptr[0] != '~')) return 0;
    while (n < t.len && t.ptr[n] == t.ptr[0])
        n++;
    *mark = t.ptr[0];
    return n >= 3 ? n : 0;
}

/* The first block with anything in it; false: there is none.  *closed: its end was found. */
static bool find_block(str raw, str *block, bool *closed) {
    str rest = raw, line;
    size_t open = 0, start = 0;
    char mark = 0;
    *closed = false;
    while (rest.len) {
        size_t at = raw.len - rest.len;
        char now = 0;
        (void)str_split(&rest, '\n', &line);
        size_t n = fence(line, &now), behind = raw.len - rest.len;
        if (!open && n) {
            open = n;
            mark = now;
            start = behind;
        } else if (open && n >= open && now == mark && str_trim(line).len == n) {
            *block = str_sub(raw, start, at);
            *closed = true;
            if (str_trim(*block).len) return true;
            open = 0;
        }
    }
    if (!open) return false;
    *block = str_sub(raw, start, raw.len);
    *closed = false;
    return str_trim(*block).len > 0;
}

static bool is_only_fences(str raw) {
    str line;
    char mark;
    while (str_split(&raw, '\n', &line)) {
        if (str_trim(line).len && !fence(line, &mark)) return false;
    }
    return true;
}

/* ---- signs of trouble ------------------------------------------------------------------------ */

bool answer_has_template(str text) {
    for (size_t at = 0; at + 4 < text.len; at++) {
        if (text.ptr[at] != '<' || text.ptr[at + 1] != '|') continue;
        size_t n = at + 2;
        while (n < text.len && n < at + 40 && text.ptr[n] != '|' && text.ptr[n] > ' ')
            n++;
        if (n > at + 2 && n + 1 < text.len && text.ptr[n] == '|' && text.ptr[n + 1] == '>')
            return true;
    }
    static const char *const words[] = {"[INST]", "[/INST]", "<start_of_turn>", "<end_of_turn>"};
    for (size_t i = 0; i < COUNTOF(words); i++) {
        if (str_find(text, str_of(words[i])) >= 0) return true;
    }
    return false;
}

bool answer_runs_away(str text) {
    str last = {0};
    int same = 0;
    size_t end = text.len;
    while (end > 0 && same <= 2 * SAME_LINES_MAX) {
        ptrdiff_t lf = str_rfind_char(str_sub(text, 0, end - 1), '\n');
        str line = str_trim(str_sub(text, (size_t)(lf + 1), end));
        end = (size_t)(lf + 1);
        if (line.len < 2) continue; /* brackets may come in rows */
        if (last.len && !str_eq(line, last)) return false;
        last = line;
        same++;
    }
    return same > 2 * SAME_LINES_MAX;
}

static bool repeats(str text) {
    str rest = text, line, last = {0};
    int same = 0;
    while (str_split(&rest, '\n', &line)) {
        line = str_trim(line);
        if (line.len < 2) continue;
        same = last.len && str_eq(line, last) ? same + 1 : 0;
        if (same >= SAME_LINES_MAX) return true;
        last = line;
    }
    return false;
}

/* ---- shape ----------------------------------------------------------------------------------- */

/* Without blank lines at both ends. */
static str trim_lines(str text) {
    size_t from = 0;
    for (size_t i = 0; i < text.len && (is_blank(text.ptr[i]) || text.ptr[i] == '\n'); i++) {
        if (text.ptr[i] == '\n') from = i + 1;
    }
    size_t to = text.len;
    while (to > from && (is_blank(text.ptr[to - 1]) || text.ptr[to - 1] == '\n'))
        to--;
    return str_sub(text, from, to);
}

static str indentation_of(str line) {
    size_t n = 0;
    while (n < line.len && (line.ptr[n] == ' ' || line.ptr[n] == '\t'))
        n++;
    return str_sub(line, 0, n);
}

/* The white space that all lines but blank ones begin with. */
static str shared_indentation(str text) {
    str rest = text, line, shared = {0};
    bool first = true;
    while (str_split(&rest, '\n', &line)) {
        if (!str_trim(line).len) continue;
        str own = indentation_of(line);
        size_t n = 0;
        while (!first && n < own.len && n < shared.len && own.ptr[n] == shared.ptr[n])
            n++;
        shared = first ? own : str_sub(shared, 0, n);
        first = false;
    }
    return shared;
}

static str behind_first_line(str text) {
    str line;
    (void)str_split(&text, '\n', &line);
    return text;
}

/* Whether only the first line came without its indentation: the others stand where those of the
 * original do. */
static bool is_placed(str text, const answer_place *at) {
    str rest = behind_first_line(text), old = behind_first_line(at->original);
    if (!at->indentation.len || indentation_of(text).len || !rest.len || !old.len) return false;
    return str_eq(shared_indentation(rest), shared_indentation(old));
}

/* Lines behind `indentation` instead of what they share; the first line's is in the document
 * already. */
static str reshape(str text, const answer_place *at, arena *a) {
    strbuf out;
    strbuf_init(&out, 16u << 20);
    str shared = shared_indentation(text), rest = text, line;
    bool first = true, placed = is_placed(text, at);
    while (str_split(&rest, '\n', &line)) {
        line = without_cr(line);
        bool blank = !str_trim(line).len;
        if (!first) strbuf_add_str(&out, str_of(at->eol));
        if (!first && !blank && !placed) strbuf_add_str(&out, at->indentation);
        if (!blank) strbuf_add_str(&out, str_sub(line, shared.len, line.len));
        first = false;
    }
    str made = arena_str(a, strbuf_str(&out));
    strbuf_deinit(&out);
    return made;
}

const char *answer_read_code(str raw, bool complete, const answer_place *at, arena *a,
                             answer_code *out) {
    bool closed = false;
    str block = {0};
    *out = (answer_code){0};
    if (!str_trim(raw).len) return "the model wrote nothing; nothing was changed";
    out->fenced = find_block(raw, &block, &closed);
    if (!out->fenced) block = is_only_fences(raw) ? (str){0} : raw;
    if (!closed && !complete)
        return "the model's answer ended in the middle; nothing was changed "
               "(inlined.actions.maxTokens allows longer ones)";
    if (answer_has_template(block) && !answer_has_template(at->original))
        return "the model wrote tokens of its own template; nothing was changed";
    if (repeats(block) && !repeats(at->original))
        return "the model repeats the same line for ever; nothing was changed";
    block = trim_lines(block);
    if (!block.len) return "the model wrote nothing; nothing was changed";
    out->code = reshape(block, at, a);
    return NULL;
}

/* ---- prose ----------------------------------------------------------------------------------- */

/* The words of a line, without what begins and ends a comment in any language. */
static str bare_line(str line) {
    static const char *const marks[] = {"/**", "/*", "*/", "///", "//", "\"\"\"", "'''", "--", "#"};
    line = str_trim(line);
    for (size_t i = 0; i < COUNTOF(marks); i++) {
        str m = str_of(marks[i]);
        if (str_starts_with(line, m)) line = str_trim(str_sub(line, m.len, line.len));
        if (m.len > 1 && str_ends_with(line, m))
            line = str_trim(str_sub(line, 0, line.len - m.len));
    }
    if (str_starts_with(line, STR("* ")) || str_eq(line, STR("*")))
        line = str_trim(str_sub(line, 1, line.len));
    return line;
}

static void add_wrapped(strbuf *out, str line, size_t columns) {
    str rest = line, word;
    size_t used = 0;
    while (str_split(&rest, ' ', &word)) {
        if (!word.len) continue;
        if (used && used + 1 + word.len > columns) {
            strbuf_add_char(out, '\n');
            used = 0;
        } else if (used) {
            strbuf_add_char(out, ' ');
            used++;
        }
        strbuf_add_str(out, word);
        used += word.len;
    }
}

str answer_read_prose(str raw, size_t columns, arena *a) {
    enum { LINES_MAX = 24 };
    strbuf out;
    strbuf_init(&out, 1u << 20);
    str rest = raw, line;
    char mark;
    bool gap = false;
    int lines = 0;
    if (answer_has_template(raw) || repeats(raw)) rest = (str){0};
    while (lines < LINES_MAX && str_split(&rest, '\n', &line)) {
        if (fence(line, &mark)) continue;
        line = bare_line(line);
        if (!line.len) {
            gap = out.len > 0;
            continue;
        }
        if (out.len) strbuf_add_str(&out, gap ? STR("\n\n") : STR("\n"));
        add_wrapped(&out, line, columns);
        gap = false;
        lines++;
    }
    str made = arena_str(a, str_trim(strbuf_str(&out)));
    strbuf_deinit(&out);
    return made;
}

/* ---- comments -------------------------------------------------------------------------------- */

typedef struct {
    const char *language;
    const char *open, *line, *close; /* `open` and `close` "": every line has `line` */
    const char *forbidden, *instead; /* what must not stand in the text */
} comment_style;

/* clang-format off */
static const comment_style styles[] = {
    {"python", "\"\"\"", "", "\"\"\"", "\"\"\"", "'''"},
    {"c", "/* ", " * ", " */", "*/", "* /"},
    {"cpp", "/* ", " * ", " */", "*/", "* /"},
    {"javascript", "/**", " * ", " */", "*/", "* /"},
    {"typescript", "/**", " * ", " */", "*/", "* /"},
    {"tsx", "/**", " * ", " */", "*/", "* /"},
    {"java", "/**", " * ", " */", "*/", "* /"},
    {"php", "/**", " * ", " */", "*/", "* /"},
    {"css", "/* ", " * ", " */", "*/", "* /"},
    {"go", "", "// ", "", "", ""},
    {"rust", "", "/// ", "", "", ""},
    {"csharp", "", "/// ", "", "", ""},
    {"ruby", "", "# ", "", "", ""},
    {"bash", "", "# ", "", "", ""},
    {"lua", "", "-- ", "", "", ""},
};
/* clang-format on */

static str replace_all(str text, const char *what, const char *with, arena *a) {
    strbuf out;
    strbuf_init(&out, 4u << 20);
    ptrdiff_t at;
    while (what[0] && (at = str_find(text, str_of(what))) >= 0) {
        strbuf_add_str(&out, str_sub(text, 0, (size_t)at));
        strbuf_add_str(&out, str_of(with));
        text = str_sub(text, (size_t)at + strlen(what), text.len);
    }
    strbuf_add_str(&out, text);
    str made = arena_str(a, strbuf_str(&out));
    strbuf_deinit(&out);
    return made;
}

static void new_line(strbuf *out, str indentation, const char *eol, const char *lead) {
    str mark = str_of(lead);
    strbuf_add_str(out, str_of(eol));
    strbuf_add_str(out, indentation);
    strbuf_add_str(out, mark);
}

static void add_lines(strbuf *out, const comment_style *s, str prose, str indentation,
                      const char *eol) {
    bool several = str_find(prose, STR("\n")) >= 0, javadoc = !strcmp(s->open, "/**");
    str rest = prose, line;
    strbuf_add_str(out, str_of(s->open[0] ? s->open : s->line));
    if (javadoc && !several) strbuf_add_char(out, ' ');
    for (bool first = true; str_split(&rest, '\n', &line); first = false) {
        if (!first || (javadoc && several)) new_line(out, indentation, eol, s->line);
        if (!line.len) /* no blanks at the end */
            while (out->len && out->ptr[out->len - 1] == ' ')
                out->len--;
        strbuf_add_str(out, line);
    }
    if (several && javadoc)
        new_line(out, indentation, eol, s->close);
    else if (several && !strcmp(s->open, "\"\"\""))
        new_line(out, indentation, eol, s->close);
    else {
        /* A quote before the three of the end would be one of them. */
        if (s->close[0] == '"' && str_ends_with(prose, STR("\""))) strbuf_add_char(out, ' ');
        strbuf_add_str(out, str_of(s->close));
    }
}

str answer_comment(const char *language, str prose, str indentation, const char *eol, arena *a) {
    const comment_style *s = NULL;
    for (size_t i = 0; i < COUNTOF(styles); i++) {
        if (!strcmp(styles[i].language, language)) s = &styles[i];
    }
    if (!s || !prose.len) return (str){0};
    prose = replace_all(prose, s->forbidden, s->instead, a);
    if (!strcmp(language, "python")) prose = replace_all(prose, "\\", "\\\\", a);
    strbuf out;
    strbuf_init(&out, 4u << 20);
    add_lines(&out, s, prose, indentation, eol);
    str made = arena_str(a, strbuf_str(&out));
    strbuf_deinit(&out);
    return made;
}
