/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A document with a cursor: the text of a case holds "@@" where the cursor is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "context/context.h"
#include "context/filter.h"

typedef struct {
    context *c;
    document *d;
    size_t offset;
    arena a;
} fixture;

static inline void fixture_init(fixture *f, const char *path, const char *text) {
    const char *at = strstr(text, "@@");
    ASSERT(at);
    *f = (fixture){.c = context_new(), .offset = (size_t)(at - text)};
    arena_init(&f->a);
    strbuf joined;
    strbuf_init(&joined, 64u << 20);
    strbuf_add(&joined, text, f->offset);
    strbuf_add_str(&joined, str_of(at + 2));
    err e;
    status s =
        context_open(f->c, STR("u"), str_of(path), STR(""), strbuf_str(&joined), 1, &f->d, &e);
    if (s != OK) fail_msg("%s", e.text);
    strbuf_deinit(&joined);
}

static inline void fixture_deinit(fixture *f) {
    arena_deinit(&f->a);
    context_free(f->c);
}

/* A build with a smaller INLINED_GRAMMARS cannot run the cases that need a tree. */
static inline bool fixture_is_left_out(const char *path) {
    const language *l = language_find(str_of(path), STR(""));
    if (l->blocks == BLOCKS_NONE || language_grammar(l)) return false;
    print_message("left out: a case in %s, whose grammar is not in this build\n", l->name);
    return true;
}

static inline context_prompt fixture_assemble(fixture *f, context_request rq) {
    context_prompt p;
    rq.offset = f->offset;
    context_assemble(f->c, f->d, &rq, &f->a, &p);
    return p;
}
