/* SPDX-License-Identifier: Apache-2.0 */
/* Event streams: the same bytes, whole and in pieces, give the same events; and header values. */
#include "mcp/param_headers.h"
#include "mcp/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_event(void *ud, const sse_event *e) {
    strbuf_addf(ud, "%s %s ", e->type, e->id);
    strbuf_add_str(ud, e->data);
    strbuf_add_char(ud, ';');
}

static void on_retry(void *ud, int64_t ms) {
    strbuf_addf(ud, "%lld;", (long long)ms);
}

static bool read_all(strbuf *events, str text, size_t step) {
    sse_reader r;
    bool good = true;
    sse_init(&r, &(sse_hooks){events, on_event, on_retry}, 4096);
    for (size_t at = 0; at < text.len && good; at += step)
        good = sse_feed(&r, str_sub(text, at, at + step));
    sse_deinit(&r);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    str text = {(const char *)data, size};
    strbuf whole, cut;
    strbuf_init(&whole, 1u << 20);
    strbuf_init(&cut, 1u << 20);
    bool a = size && read_all(&whole, text, size), b = size && read_all(&cut, text, 3);
    ASSERT(a == b);
    if (a) ASSERT(str_eq(strbuf_str(&whole), strbuf_str(&cut)));
    strbuf_clear(&whole);
    param_header_value(&whole, text);
    for (size_t i = 0; i < whole.len; i++)
        ASSERT(whole.ptr[i] >= 0x20 && whole.ptr[i] <= 0x7E);
    strbuf_deinit(&whole);
    strbuf_deinit(&cut);
    return 0;
}
