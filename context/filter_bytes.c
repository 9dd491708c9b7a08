/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes: what an editor can insert.
 *
 * Models emit single bytes, so an answer that was stopped early may end inside a character, and a
 * small one may emit control characters.  Everything from the first such byte on is cut: what comes
 * behind it is no better.  \r\n and \r become \n (the editor writes the document's own line ends).
 */
#include "context/filter.h"
#include "engine/base/limits.h"
#include "engine/base/utf8.h"

static bool is_wanted(uint32_t cp) {
    return cp == '\n' || cp == '\t' || cp == '\r' || (cp >= 0x20 && cp != 0x7f && cp != 0xFFFD);
}

static size_t wanted_bytes(str text) {
    size_t at = 0;
    while (at < text.len) {
        uint32_t cp;
        int n = utf8_decode(str_sub(text, at, text.len), &cp);
        if (!is_wanted(cp)) break;
        at += (size_t)n;
    }
    return at;
}

const char *filter_bytes(candidate *c) {
    str text = str_sub(c->text, 0, LIMIT_SUGGESTION_BYTES);
    text = str_sub(text, 0, wanted_bytes(text));
    if (text.len == 0) return "empty";
    char *copy = arena_alloc(c->a, text.len);
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        bool crlf = text.ptr[i] == '\r' && i + 1 < text.len && text.ptr[i + 1] == '\n';
        if (!crlf) copy[n++] = text.ptr[i] == '\r' ? '\n' : text.ptr[i];
    }
    c->text = (str){copy, n};
    return NULL;
}
