/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Server-sent events: bytes in, events out.  Pure.  Thread: one at a time. */
#include "engine/base/str.h"

typedef struct {
    const char *type; /* "message" when the stream names none */
    str data;         /* lines joined by newlines; may be empty */
    const char *id;   /* the last id of the stream; "" before the first */
} sse_event;

typedef struct {
    void *ud;
    /* Also for an event without data that has an id (a place to resume from). */
    void (*event)(void *ud, const sse_event *e);
    void (*retry)(void *ud, int64_t ms);
} sse_hooks;

typedef struct {
    sse_hooks hooks;
    strbuf line, data;
    char type[64], id[256]; /* longer ones are cut off, and do not count */
    bool has_id, cr, begun, broken;
} sse_reader;

/* data_max: bytes of one event. */
void sse_init(sse_reader *r, const sse_hooks *hooks, size_t data_max);
void sse_deinit(sse_reader *r); /* accepts a zeroed one */
/* False: an event is too large; the stream cannot go on. */
bool sse_feed(sse_reader *r, str bytes) MUST_USE;
