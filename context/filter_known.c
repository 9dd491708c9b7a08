/* SPDX-License-Identifier: Apache-2.0 */
/* Known: a suggestion must not use what exists nowhere.
 *
 * Judged are plain calls, NAME(...) with nothing like '.' before the name, and in Python and
 * JavaScript members of the own object, self.NAME and this.NAME, unless they are assigned.  Such a
 * name must be known: it stands somewhere in the document or in the pieces of other places that
 * the prompt had, it is defined in the symbol index, or it belongs to the language.  A line that
 * uses an unknown name is dropped, and so is what follows it; the lines above it stay.
 *
 * A small model invents names that look right, and this is the one mistake that can be proven from
 * here.  Only in languages where a plain name must be defined or imported in the file, or in its
 * package (builtins.h has a list for those), and not where a file takes in all names of another
 * one.  Other members are not judged: they may come from a library.  Nor are short names,
 * definitions, and names in comments and strings.
 */
#include "context/builtins.h"
#include "context/filter.h"

#define NAME_MIN 3
#define SEARCH_BYTES (1u << 20) /* of the document, around the cursor */

static bool is_word(char ch) {
    return ch == '_' || ch == '$' || (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') ||
           (ch >= 'A' && ch <= 'Z') || (unsigned char)ch >= 0x80;
}

static bool has_word(str text, str word) {
    ptrdiff_t at;
    while ((at = str_find(text, word)) >= 0) {
        size_t from = (size_t)at, to = from + word.len;
        bool whole = (from == 0 || !is_word(text.ptr[from - 1])) &&
                     (to == text.len || !is_word(text.ptr[to]));
        if (whole) return true;
        text = str_sub(text, to, text.len);
    }
    return false;
}

static bool is_one_of(str word, const char *const *words) {
    for (; *words; words++)
        if (str_eq(word, str_of(*words))) return true;
    return false;
}

/* All names of another file come in, so no name is unknown. */
static bool takes_all(const candidate *c) {
    static const char *const marks[] = {"import *", "::*;", "::*,", "::*}", "import . \"", NULL};
    str text = document_text(c->d);
    for (const char *const *m = marks; *m; m++) {
        /* JavaScript's "import * as x" gives a name */
        if (m == marks && strcmp(c->d->language->name, "python") != 0) continue;
        if (str_find(text, str_of(*m)) >= 0) return true;
    }
    return false;
}

static bool is_known(const candidate *c, str name, str typed) {
    str text = document_text(c->d);
    size_t cursor = c->prompt->offset - typed.len; /* what the name itself has there says nothing */
    str before = str_sub(text, cursor > SEARCH_BYTES / 2 ? cursor - SEARCH_BYTES / 2 : 0, cursor);
    str after = str_sub(text, c->prompt->offset, c->prompt->offset + SEARCH_BYTES / 2);
    if (builtins_have(builtins_of(c->d->language), name)) return true;
    if (has_word(before, name) || has_word(after, name)) return true;
    for (size_t i = 0; i < c->prompt->n_chunks; i++)
        if (has_word(c->prompt->chunks[i].text, name)) return true;
    return c->symbols && symbols_knows(c->symbols, &c->who, name);
}

/* ---- calls ----------------------------------------------------------------------------------- */

/* The line up to a name, and behind it. */
typedef struct {
    str line; /* with what is typed before the cursor */
    size_t from, to;
} name_place;

/* Words that may stand before a call; behind any other word a name is being defined or typed. */
static bool may_follow(str word) {
    static const char *const words[] = {
        "and",    "assert", "await",  "case",  "defer", "default", "del",    "delete", "do",
        "elif",   "else",   "export", "from",  "go",    "if",      "in",     "is",     "lambda",
        "match",  "new",    "not",    "of",    "or",    "raise",   "return", "throw",  "typeof",
        "unsafe", "void",   "while",  "yield", "mut",   "move",    NULL};
    return is_one_of(word, words);
}

static bool is_statement(str word) {
    static const char *const words[] = {
        "and",    "assert", "async", "await",    "case", "catch",  "elif",   "else",
        "except", "for",    "func",  "function", "if",   "import", "in",     "interface",
        "lambda", "match",  "new",   "not",      "or",   "return", "switch", "throw",
        "typeof", "var",    "void",  "while",    "with", "yield",  NULL};
    return is_one_of(word, words);
}

/* A method's head in a class or an object: first on its line, which ends with '{', in the middle of
 * its arguments, or with a type behind them.  Rust's variants of an enumeration look alike. */
static bool is_head(const candidate *c, name_place p) {
    if (str_trim(str_sub(p.line, 0, p.from)).len || c->d->language->blocks == BLOCKS_INDENT)
        return false;
    str rest = str_trim(str_sub(p.line, p.to, p.line.len));
    return str_ends_with(rest, STR("{")) || str_ends_with(rest, STR("(")) ||
           str_ends_with(rest, STR(",")) || str_find(rest, STR("):")) >= 0 ||
           str_find(rest, STR(") {")) >= 0;
}

static bool is_plain_call(const candidate *c, name_place p) {
    str line = p.line, head = str_sub(line, 0, p.from);
    if (p.to == line.len || line.ptr[p.to] != '(') return false;
    if (p.to - p.from < NAME_MIN || is_statement(str_sub(line, p.from, p.to))) return false;
    if (language_in_string(c->d->language, head)) return false;
    if (language_comment_start(c->d->language, line) <= p.from) return false;
    if (str_starts_with(str_trim(line), STR("func "))) return false; /* of a receiver, in Go */
    bool glued = head.len && strchr(".:@#'\"`", head.ptr[head.len - 1]);
    str before = str_trim(head);
    if (glued || str_ends_with(before, STR(".")) || is_head(c, p)) return false;
    size_t at = before.len;
    while (at && is_word(before.ptr[at - 1]))
        at--;
    str word = str_sub(before, at, before.len);
    return !word.len || may_follow(word);
}

/* self.NAME and this.NAME, unless something is assigned to it. */
static bool is_own_member(const candidate *c, name_place p) {
    str head = str_sub(p.line, 0, p.from), rest = str_trim(str_sub(p.line, p.to, p.line.len));
    bool own = str_ends_with(head, STR("self.")) || str_ends_with(head, STR("this."));
    bool before =
        head.len > 5 && (is_word(head.ptr[head.len - 6]) || head.ptr[head.len - 6] == '.');
    bool assigned = str_starts_with(rest, STR(":")) ||
                    (str_starts_with(rest, STR("=")) && !str_starts_with(rest, STR("==")));
    if (!own || before || assigned || p.to - p.from < NAME_MIN) return false;
    if (!strcmp(c->d->language->name, "rust")) return false; /* methods of traits */
    return !language_in_string(c->d->language, head) &&
           language_comment_start(c->d->language, p.line) > p.from;
}

/* The next name that ends behind `from`. */
static bool next_name(str line, size_t from, name_place *p) {
    for (size_t i = from + 1; i <= line.len; i++) {
        if (!is_word(line.ptr[i - 1]) || (i < line.len && is_word(line.ptr[i]))) continue;
        size_t at = i - 1;
        while (at && is_word(line.ptr[at - 1]))
            at--;
        if (line.ptr[at] >= '0' && line.ptr[at] <= '9') continue;
        *p = (name_place){line, at, i};
        return true;
    }
    return false;
}

/* Whether the line uses something unknown; `typed` bytes of it stand before the cursor, and `above`
 * are the suggestion's lines before it. */
static bool uses_unknown(const candidate *c, str line, size_t typed, str above) {
    name_place p;
    for (size_t from = typed; next_name(line, from, &p); from = p.to) {
        str name = str_sub(line, p.from, p.to);
        str before = str_sub(line, MIN(typed, p.from), p.from);
        if (!is_plain_call(c, p) && !is_own_member(c, p)) continue;
        if (has_word(before, name) || has_word(above, name)) continue;
        size_t own = p.from < typed ? typed - p.from : 0;
        if (!is_known(c, name, str_sub(line, p.from, p.from + own))) return true;
    }
    return false;
}

const char *filter_known(candidate *c) {
    if (!builtins_of(c->d->language) || takes_all(c)) return NULL;
    if (!strcmp(c->prompt->scope, "comment") || !strcmp(c->prompt->scope, "string")) return NULL;
    if (!c->symbols && !strcmp(c->d->language->name, "go"))
        return NULL; /* a package is its files */
    str rest = c->text, line;
    size_t typed = c->before.len;
    while (str_split(&rest, '\n', &line)) {
        size_t at = (size_t)(line.ptr - c->text.ptr);
        str whole = typed
                        ? str_of(arena_printf(c->a, "%.*s%.*s", STR_ARG(c->before), STR_ARG(line)))
                        : line;
        if (uses_unknown(c, whole, typed, str_sub(c->text, 0, at))) {
            c->text = str_sub(c->text, 0, at ? at - 1 : 0);
            return str_trim(c->text).len ? NULL : "unknown-name";
        }
        typed = 0;
    }
    return NULL;
}
