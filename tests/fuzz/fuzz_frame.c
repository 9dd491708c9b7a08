/* SPDX-License-Identifier: Apache-2.0 */
/* Framing under arbitrary bytes in arbitrary pieces.  The first byte chooses mode and piece
 * size; the same bytes in one piece must give the same messages. */
#include "engine/base/hash.h"
#include "mcp/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MESSAGE_MAX 4096

static uint64_t run(frame_mode mode, str in, size_t step, status *end) {
    frame_reader r;
    frame_reader_init(&r, mode, MESSAGE_MAX);
    uint64_t seen = 0;
    *end = OK;
    for (size_t at = 0; at < in.len && !*end; at += step) {
        frame_feed(&r, str_sub(in, at, at + step));
        bool got = true;
        while (got && !*end) {
            char *message;
            size_t len;
            err e;
            *end = frame_next(&r, &message, &len, &got, &e);
            if (!got) continue;
            ASSERT(len <= MESSAGE_MAX);
            seen = hash64(seen, &len, sizeof len);
            seen = hash64(seen, message, len);
        }
    }
    frame_reader_deinit(&r);
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1 || size > 60000) return 0;
    frame_mode mode = data[0] & 1 ? FRAME_LINES : FRAME_HEADERS;
    str in = {(const char *)data + 1, size - 1};
    status pieces, whole;
    uint64_t a = run(mode, in, (size_t)(data[0] >> 1) + 1, &pieces);
    uint64_t b = run(mode, in, in.len + 1, &whole);
    ASSERT(a == b && pieces == whole);
    return 0;
}
