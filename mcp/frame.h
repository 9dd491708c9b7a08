/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Framing: bytes to messages and back.  Pure: no I/O.
 *
 * Two modes: `Content-Length` header blocks (LSP) and one message per line (MCP over stdio).  The
 * read position moves only past whole messages; sizes are checked before anything is stored.  An
 * error is final: the stream has lost its frame and nothing after it can be trusted.
 * Thread: one at a time.
 */
#include "engine/base/status.h"
#include "engine/base/str.h"

typedef enum { FRAME_HEADERS, FRAME_LINES } frame_mode;

#define FRAME_EXCERPT_BYTES 1024

typedef struct {
    frame_mode mode;
    size_t message_max; /* bytes of one message */
    strbuf bytes;       /* not yet taken: [start, bytes.len) */
    size_t start;       /* where the next frame begins */
    size_t scanned;     /* bytes after `start` that were looked at without finding its end */
    size_t body, need; /* headers were read: the body is [start + body, start + need); need 0: no */
    status broken;
    bool resync; /* lines: too long a one is dropped and the stream goes on; set by the owner */
    bool dropping;    /* inside such a line */
    char excerpt[FRAME_EXCERPT_BYTES + 1]; /* its beginning and its end */
    size_t excerpt_head, excerpt_len;
} frame_reader;

void frame_reader_init(frame_reader *r, frame_mode mode, size_t message_max);
void frame_reader_deinit(frame_reader *r); /* accepts a zeroed reader */
/* Stores bytes; take all messages with frame_next before feeding again. */
void frame_feed(frame_reader *r, str bytes);
/* Gives the next whole message (valid, and writable, until the next call on `r`) or *got = false.
 * ERR_FORMAT: the headers are not what they should be; ERR_LIMIT: the message is too large.  With
 * `resync` ERR_LIMIT is not final: *message and *len are an excerpt of the line that was
 * dropped. */
status frame_next(frame_reader *r, char **message, size_t *len, bool *got, err *e) MUST_USE;
/* True when the stream may end here: nothing is half-read. */
bool frame_at_boundary(const frame_reader *r);
/* Appends a framed message. */
void frame_write(strbuf *out, frame_mode mode, str message);
