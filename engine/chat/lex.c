/* SPDX-License-Identifier: Apache-2.0 */
/* A template's text to tokens.
 *
 * With trim_blocks the newline behind a block tag or comment goes; with lstrip_blocks the blanks
 * before one that begins its line go.  `-` at a tag's edge takes all white space on that side, `+`
 * keeps what the two settings would take.  One newline at the template's end is not part of it.
 * Thread: any. */
#include "engine/base/limits.h"
#include "engine/base/utf8.h"
#include "engine/chat/node.h"

typedef struct {
    arena *a;
    str s;
    size_t at;
    int line;
    tokens *out;
    err *e;
    status status;
} lexer;

static void fail(lexer *x, const char *what) {
    if (x->status == OK)
        x->status = err_set(x->e, ERR_FORMAT, "chat template, line %d: %s", x->line, what);
}

static token *add(lexer *x, token_kind kind, str text) {
    tokens *t = x->out;
    if (t->count == t->cap) {
        size_t cap = t->cap ? 2 * t->cap : 256;
        token *more = arena_alloc(x->a, cap * sizeof *more);
        if (t->count) memcpy(more, t->at, t->count * sizeof *more);
        t->at = more;
        t->cap = cap;
    }
    t->at[t->count] = (token){.kind = kind, .line = x->line, .text = text};
    return &t->at[t->count++];
}

static char peek(const lexer *x, size_t ahead) {
    return x->at + ahead < x->s.len ? x->s.ptr[x->at + ahead] : '\0';
}

static void advance(lexer *x, size_t n) {
    for (; n && x->at < x->s.len; n--, x->at++)
        x->line += x->s.ptr[x->at] == '\n';
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

static bool is_name(char c, bool first) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (!first && c >= '0' && c <= '9');
}

/* ---- inside of tags -------------------------------------------------------------------------- */

static void escaped(lexer *x, strbuf *b) {
    static const char from[] = "ntrbfv0", to[] = "\n\t\r\b\f\v";
    char c = peek(x, 1);
    const char *known = c ? strchr(from, c) : NULL;
    if (known) {
        strbuf_add_char(b, to[known - from]);
    } else if (c == 'u' || c == 'x') {
        size_t digits = c == 'u' ? 4 : 2;
        uint32_t cp = 0;
        for (size_t i = 0; i < digits; i++) {
            const char *hex = "0123456789abcdef";
            char d = peek(x, 2 + i);
            const char *h = d ? strchr(hex, d | 0x20) : NULL;
            if (!h) {
                fail(x, "a string has a broken escape");
                return;
            }
            cp = cp * 16 + (uint32_t)(h - hex);
        }
        char bytes[4];
        strbuf_add(b, bytes, (size_t)utf8_encode(cp, bytes));
        advance(x, digits);
    } else {
        if (c != '\\' && c != '\'' && c != '"') strbuf_add_char(b, '\\');
        strbuf_add_char(b, c);
    }
    advance(x, 2);
}

static void string(lexer *x) {
    char quote = peek(x, 0);
    strbuf b;
    strbuf_init(&b, LIMIT_CHAT_TEMPLATE_BYTES);
    advance(x, 1);
    while (x->at < x->s.len && peek(x, 0) != quote && x->status == OK) {
        if (peek(x, 0) == '\\' && x->at + 1 < x->s.len) {
            escaped(x, &b);
        } else {
            strbuf_add_char(&b, peek(x, 0));
            advance(x, 1);
        }
    }
    if (peek(x, 0) != quote) fail(x, "a string does not end");
    advance(x, 1);
    (void)add(x, T_STRING, arena_str(x->a, strbuf_str(&b)));
    strbuf_deinit(&b);
}

static void number(lexer *x) {
    size_t from = x->at;
    bool real = false;
    while ((peek(x, 0) >= '0' && peek(x, 0) <= '9') || peek(x, 0) == '_' ||
           (!real && peek(x, 0) == '.' && peek(x, 1) >= '0' && peek(x, 1) <= '9')) {
        real |= peek(x, 0) == '.';
        advance(x, 1);
    }
    str text = str_sub(x->s, from, x->at);
    token *t = add(x, T_NUMBER, text);
    int64_t i = 0;
    double f = 0;
    if (!real && str_to_i64(text, &i))
        t->value = chat_int(i);
    else if (real && str_to_f64(text, &f))
        t->value = chat_float(f);
    else
        fail(x, "a number is too large");
}

static void mark(lexer *x) {
    static const char *const two[] = {"==", "!=", "<=", ">=", "//", "**"};
    str rest = str_sub(x->s, x->at, x->s.len);
    size_t n = 1;
    for (size_t i = 0; i < COUNTOF(two); i++)
        if (str_starts_with(rest, str_of(two[i]))) n = 2;
    if (n == 1 && !strchr("+-*/%~<>=.,:|()[]{}", rest.ptr[0])) {
        fail(x, "a character has no meaning here");
        return;
    }
    (void)add(x, T_MARK, str_sub(rest, 0, n));
    advance(x, n);
}

/* Tokens up to the closing `end`; true when a `-` or `+` (in *edge) stood before it. */
static void inside(lexer *x, const char *end, token_kind closing, char *edge) {
    int brackets = 0;
    *edge = '\0';
    while (x->status == OK) {
        while (is_space(peek(x, 0)))
            advance(x, 1);
        str rest = str_sub(x->s, x->at, x->s.len);
        if (!rest.len) {
            fail(x, "a tag does not end");
            return;
        }
        bool trims = (rest.ptr[0] == '-' || rest.ptr[0] == '+') &&
                     str_starts_with(str_sub(rest, 1, rest.len), str_of(end));
        if (brackets == 0 && (trims || str_starts_with(rest, str_of(end)))) {
            if (trims) *edge = rest.ptr[0];
            advance(x, 2 + (size_t)trims);
            (void)add(x, closing, STR(""));
            return;
        }
        if (strchr("([{", rest.ptr[0])) brackets++;
        if (strchr(")]}", rest.ptr[0]) && brackets) brackets--;
        if (is_name(rest.ptr[0], true)) {
            size_t n = 1;
            while (is_name(peek(x, n), false))
                n++;
            (void)add(x, T_NAME, str_sub(rest, 0, n));
            advance(x, n);
        } else if (rest.ptr[0] >= '0' && rest.ptr[0] <= '9') {
            number(x);
        } else if (rest.ptr[0] == '"' || rest.ptr[0] == '\'') {
            string(x);
        } else {
            mark(x);
        }
    }
}

/* ---- outside of tags ------------------------------------------------------------------------- */

static str right_trimmed(str s) {
    while (s.len && is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* Blanks between the beginning of the line and a block tag. */
static str line_stripped(str text, bool begins_line) {
    size_t n = text.len;
    while (n && (text.ptr[n - 1] == ' ' || text.ptr[n - 1] == '\t'))
        n--;
    return n             ? text.ptr[n - 1] == '\n' ? str_sub(text, 0, n) : text
           : begins_line ? str_sub(text, 0, 0)
                         : text;
}

/* Position of the next "{{", "{%" or "{#" from x->at, or the end. */
static size_t next_tag(const lexer *x) {
    for (size_t i = x->at; i + 1 < x->s.len; i++)
        if (x->s.ptr[i] == '{' && strchr("{%#", x->s.ptr[i + 1]) && x->s.ptr[i + 1]) return i;
    return x->s.len;
}

static void comment(lexer *x, char *edge) {
    ptrdiff_t end = str_find(str_sub(x->s, x->at, x->s.len), STR("#}"));
    if (end < 0) {
        fail(x, "a comment does not end");
        return;
    }
    char before = end > 0 ? x->s.ptr[x->at + (size_t)end - 1] : '\0';
    *edge = before == '-' || before == '+' ? before : '\0';
    advance(x, (size_t)end + 2);
}

/* One tag at x->at; `text` is what stands before it, and begins_line whether that begins a line. */
static void tag(lexer *x, str text, bool begins_line) {
    char kind = peek(x, 1), before = peek(x, 2), edge = '\0';
    if (before == '-')
        text = right_trimmed(text);
    else if (kind != '{' && before != '+')
        text = line_stripped(text, begins_line);
    if (text.len) (void)add(x, T_TEXT, text);
    bool has_edge = before == '-' || (before == '+' && kind != '{');
    advance(x, 2 + (size_t)has_edge);
    if (kind == '#') {
        comment(x, &edge);
    } else {
        (void)add(x, kind == '%' ? T_BEGIN : T_OPEN, STR(""));
        inside(x, kind == '%' ? "%}" : "}}", kind == '%' ? T_END : T_CLOSE, &edge);
    }
    if (edge == '-') {
        while (is_space(peek(x, 0)))
            advance(x, 1);
    } else if (kind != '{' && edge != '+' && peek(x, 0) == '\n') {
        advance(x, 1);
    }
}

status chat_lex(arena *a, str source, tokens *out, err *e) {
    strbuf b;
    strbuf_init(&b, source.len + 1);
    for (size_t i = 0; i < source.len; i++) { /* \r\n and \r are newlines */
        if (source.ptr[i] == '\r') {
            strbuf_add_char(&b, '\n');
            i += i + 1 < source.len && source.ptr[i + 1] == '\n';
        } else {
            strbuf_add_char(&b, source.ptr[i]);
        }
    }
    str s = arena_str(a, strbuf_str(&b));
    strbuf_deinit(&b);
    if (str_ends_with(s, STR("\n"))) s.len--;
    lexer x = {.a = a, .s = s, .line = 1, .out = out, .e = e};
    *out = (tokens){0};
    while (x.at < s.len && x.status == OK) {
        size_t from = x.at, to = next_tag(&x);
        bool begins_line = from == 0 || s.ptr[from - 1] == '\n';
        str text = str_sub(s, from, to);
        advance(&x, to - from);
        if (to < s.len)
            tag(&x, text, begins_line);
        else
            (void)add(&x, T_TEXT, text);
    }
    (void)add(&x, T_EOF, STR(""));
    return x.status;
}
