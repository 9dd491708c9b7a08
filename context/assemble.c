/* SPDX-License-Identifier: Apache-2.0 */
/* A cursor becomes a prompt: whether to ask at all, then the windows.
 *
 * Reasons not to ask (context_prompt.reason), first match wins:
 *
 *   denied-file, ignored-file, privacy-unreadable   the file is hidden (context/privacy.h)
 *   secret          what is being typed looks like one (context/secret.h)
 *   mid-word        a word character follows the cursor           not when invoked
 *   mid-line        more than closing brackets and the like        not when invoked
 *                   follow on the line
 *   line-too-long   minified code or data
 *   empty-document  nothing is known about the file               not when invoked
 *   line-complete   the statement has ended (";" and all brackets  not when invoked
 *                   of the line closed)
 *
 * Comments and strings are completed, one line at a time.  Secrets in the windows are masked.
 * Thread: loop.
 */
#include "context/context_private.h"
#include "context/retrieve.h"
#include "context/secret.h"
#include "context/shape.h"
#include "context/window.h"
#include "engine/base/limits.h"

#define PREFIX_BYTES 4096 /* about 1,200 tokens of code */
#define SUFFIX_BYTES 1024
#define SECRET_LINES 60 /* above the cursor's, where a key block may have begun */

typedef struct {
    str before, after; /* of the cursor, on its line */
    char next;         /* first byte behind the cursor on its line, 0: none */
} cursor_line;

static cursor_line line_at(const document *d, size_t offset) {
    size_t line = document_line_of(d, offset);
    size_t start = document_line_start(d, line);
    str text = document_line(d, line);
    cursor_line at = {.before = str_sub(text, 0, offset - start),
                      .after = str_sub(text, offset - start, text.len)};
    at.next = at.after.len ? at.after.ptr[0] : 0;
    return at;
}

static bool is_word_byte(char c) {
    return c == '_' || c == '$' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

/* Blanks, closing brackets and quotes, blanks, at most one of :{;, and blanks. */
static bool is_closing_tail(str rest) {
    rest = str_trim(rest);
    size_t i = 0;
    while (i < rest.len && rest.ptr[i] && strchr(")>}]\"'`", rest.ptr[i]))
        i++;
    while (i < rest.len && (rest.ptr[i] == ' ' || rest.ptr[i] == '\t'))
        i++;
    if (i < rest.len && rest.ptr[i] && strchr(":{;,", rest.ptr[i])) i++;
    return i == rest.len;
}

static bool is_complete_statement(const document *d, const cursor_line *at) {
    str text = str_trim(at->before);
    if (!d->language->semicolons || str_trim(at->after).len || text.len == 0) return false;
    if (text.ptr[text.len - 1] != ';') return false;
    int open = 0; /* "for (int i = 0;" goes on */
    for (size_t i = 0; i < text.len; i++)
        open += (text.ptr[i] == '(') - (text.ptr[i] == ')');
    return open <= 0;
}

/* Whether a secret reaches up to the cursor. */
static bool is_in_secret(const document *d, size_t offset) {
    size_t line = document_line_of(d, offset);
    size_t from = document_line_start(d, line > SECRET_LINES ? line - SECRET_LINES : 0);
    str text = str_sub(document_text(d), from, offset);
    size_t start, end = 0;
    while (secret_next(text, end, &start, &end)) {
        if (end == text.len) return true;
    }
    return false;
}

static const char *reason_to_skip(const document *d, const context_request *rq,
                                  const cursor_line *at, scope_kind kind) {
    if (d->hidden[0]) return d->hidden;
    if (at->before.len + at->after.len > LIMIT_CURSOR_LINE_BYTES) return "line-too-long";
    if (is_in_secret(d, rq->offset)) return "secret";
    if (rq->invoked) return "";
    if (is_word_byte(at->next)) return "mid-word";
    if (!is_closing_tail(at->after)) return "mid-line";
    if (str_trim(document_text(d)).len == 0) return "empty-document";
    if (kind == SCOPE_CODE && is_complete_statement(d, at)) return "line-complete";
    return "";
}

static size_t cursor_offset(const document *d, size_t offset) {
    offset = MIN(offset, d->text.len);
    while (offset > 0 && offset < d->text.len &&
           ((unsigned char)d->text.ptr[offset] & 0xC0) == 0x80)
        offset--;
    /* Between \r and \n is inside a line end. */
    if (offset > 0 && offset < d->text.len && d->text.ptr[offset] == '\n' &&
        d->text.ptr[offset - 1] == '\r')
        offset--;
    return offset;
}

void context_assemble(context *c, document *d, const context_request *rq, arena *a,
                      context_prompt *out) {
    size_t offset = cursor_offset(d, rq->offset);
    cursor_line at = line_at(d, offset);
    scope_kind kind = scope_find(c, d, offset);

    *out = (context_prompt){.path = arena_str(a, document_path(d)),
                            .reason = reason_to_skip(d, rq, &at, kind),
                            .shape = SHAPE_LINE,
                            .indent = document_indent(at.before),
                            .tab_size = rq->tab_size,
                            .tabs = rq->tabs,
                            .scope = scope_name(kind),
                            .offset = offset,
                            .version = d->version};
    out->skip = out->reason[0] != '\0';
    if (out->skip) return;
    if (rq->multiline_allowed) out->shape = shape_find(d, offset, kind);
    size_t before = rq->prefix_bytes_max > 0 ? (size_t)rq->prefix_bytes_max : PREFIX_BYTES;
    size_t after = rq->suffix_bytes_max > 0 ? (size_t)rq->suffix_bytes_max : SUFFIX_BYTES;
    size_t masked;
    out->prefix = secret_mask(window_prefix(d, offset, before, a), a, &out->secrets);
    out->suffix = secret_mask(window_suffix(d, offset, after, a), a, &masked);
    out->secrets += masked;
    retrieve_visit(c, d, offset);
    if (rq->retrieval)
        retrieve(c, d, rq, window_start(d, offset, before), window_end(d, offset, after), a, out);
}
