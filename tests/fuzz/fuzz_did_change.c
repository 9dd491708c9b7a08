/* SPDX-License-Identifier: Apache-2.0 */
/* Edits as an editor sends them, from arbitrary bytes: the line index must agree with the text, the
 * tree must parse, and assembling and finishing at any cursor must keep their promises.
 *
 * Input: byte 0 picks the language; then records of {kind, 2 bytes from, 1 byte length, 1 byte n,
 * n bytes of text, inserted 64 times with bit 6 of kind}; what is left when the records end is the
 * model's answer. */
#include "context/context.h"
#include "context/context_private.h"
#include "engine/base/limits.h"
#include "engine/base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const paths[] = {"a.py",  "a.c",  "a.ts",   "a.go",
                                    "a.txt", "a.rb", "a.yaml", "a.html"};

#define LARGE_BYTES 8192

typedef struct {
    const uint8_t *at;
    size_t left;
} bytes;

static uint8_t take_byte(bytes *b) {
    if (b->left == 0) return 0;
    b->left--;
    return *b->at++;
}

static str take_text(bytes *b, size_t n) {
    n = MIN(n, b->left);
    str s = {(const char *)b->at, n};
    b->at += n;
    b->left -= n;
    return s;
}

static void check_index(const document *d) {
    str text = document_text(d);
    ASSERT(utf8_is_valid(text));
    size_t lines = document_line_count(d), end = 0;
    for (size_t i = 0; i < lines; i++) {
        size_t start = document_line_start(d, i);
        str line = document_line(d, i);
        ASSERT(i == 0 ? start == 0 : start > end || start == end + 1 || start > 0);
        ASSERT(document_line_of(d, start) == i);
        ASSERT(line.len == 0 ||
               (!memchr(line.ptr, '\n', line.len) && !memchr(line.ptr, '\r', line.len)));
        size_t next = i + 1 < lines ? document_line_start(d, i + 1) : text.len;
        ASSERT(start + line.len <= next && next - start - line.len <= 2);
        ASSERT(i + 1 == lines || next > start + line.len);
        end = next;
    }
    ASSERT(end == text.len);
}

static void check_completion(context *c, document *d, size_t offset, str raw, bool block) {
    arena a;
    arena_init(&a);
    context_request rq = {.offset = offset,
                          .invoked = true,
                          .multiline_allowed = block,
                          .prefix_bytes_max = 64,
                          .suffix_bytes_max = 32};
    context_prompt p;
    context_assemble(c, d, &rq, &a, &p);
    ASSERT(p.offset <= document_text(d).len && (p.skip || p.prefix.len <= 64));
    ASSERT(utf8_is_valid(p.prefix) && utf8_is_valid(p.suffix));
    context_answer answer = {.raw = raw, .complete = block};
    context_suggestion s;
    context_finish(c, d, &p, &answer, &a, &s);
    ASSERT(s.shown == (s.reason[0] == '\0') && (!s.shown || s.text.len > 0));
    ASSERT(s.from == p.offset && s.to >= s.from && s.to <= document_text(d).len);
    ASSERT(!s.shown || (utf8_is_valid(s.text) && !memchr(s.text.ptr, '\r', s.text.len)));
    ASSERT(document_line_of(d, s.to) == document_line_of(d, s.from));
    arena_deinit(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    bytes in = {data, MIN(size, 4096)};
    static context *c; /* kept, because it compiles its queries once */
    if (!c) c = context_new();
    document *d;
    const char *path = paths[take_byte(&in) % COUNTOF(paths)];
    if (context_open(c, STR("u"), str_of(path), STR(""), STR(""), 0, &d, NULL) != OK) ASSERT(0);
    size_t cursor = 0;
    while (in.left > 5) {
        uint8_t kind = take_byte(&in);
        if (kind == 0xff) break;
        size_t from = take_byte(&in), gone;
        from = from << 8 | take_byte(&in);
        gone = take_byte(&in);
        str text = take_text(&in, take_byte(&in));
        size_t len = document_text(d).len;
        if (kind % 16 == 1) {
            if (document_replace(d, text, NULL) != OK) ASSERT(0);
        } else {
            from %= len + 3; /* a little outside, too */
            strbuf many;     /* large documents are judged by an excerpt */
            strbuf_init(&many, LARGE_BYTES);
            for (int i = 0; i < (kind & 0x40 && len < LARGE_BYTES ? 64 : 1); i++)
                strbuf_add_str(&many, text);
            status s = document_edit(d, from, from + gone, strbuf_str(&many), NULL);
            ASSERT(s == OK || s == ERR_USAGE);
            strbuf_deinit(&many);
            cursor = from;
        }
        check_index(d);
        if (kind % 4 == 2) context_parse(d, LIMIT_PARSE_SLICE_US);
    }
    check_completion(c, d, cursor, take_text(&in, in.left), size % 2);
    context_close(c, d);
    return 0;
}
