/* SPDX-License-Identifier: Apache-2.0 */
/* See schema_walk.h.  Thread: any. */
#include "tests/lsp/schema_walk.h"

#include "engine/base/mem.h"

static uint32_t next(uint32_t *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* A byte that may come, tried from a random place on; -1: none. */
static int choose(const grammar_state *s, grammar_state *scratch, uint32_t *seed, bool hurry) {
    static const char closing[] = "\"]}e1ntalsu";
    for (const char *c = closing; hurry && *c; c++)
        if (grammar_accepts(s, (str){c, 1}, scratch)) return (unsigned char)*c;
    unsigned from = next(seed) % 256;
    for (unsigned i = 0; i < 256; i++) {
        char b = (char)((from + i) % 256);
        if (grammar_accepts(s, (str){&b, 1}, scratch)) return (unsigned char)b;
    }
    return -1;
}

bool schema_walk(const grammar *g, uint32_t *seed, strbuf *out, size_t max) {
    grammar_state *s = xmalloc(sizeof *s), *scratch = xmalloc(sizeof *scratch);
    bool ended = false;
    grammar_begin(s, g);
    while (out->len < max && s->n > 0) {
        ended = grammar_may_end(s) && (grammar_must_end(s) || next(seed) % 4 == 0);
        int byte = ended ? -1 : choose(s, scratch, seed, out->len > max / 4);
        if (byte < 0) break;
        char b = (char)byte;
        strbuf_add_char(out, b);
        if (!grammar_advance(s, (str){&b, 1})) break;
    }
    ended |= grammar_may_end(s);
    xfree(s);
    xfree(scratch);
    return ended;
}
