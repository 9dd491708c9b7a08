/* SPDX-License-Identifier: Apache-2.0 */
/* Server-sent events, as the HTML standard has them: lines end in LF, CR or CRLF, a line is a
 * field, an empty line ends an event, a line that begins with a colon is a comment.
 *
 * Invariants: `line` has the bytes of the unfinished line; `data` the event's lines, each followed
 * by a newline.  `broken` is final.  Pure. */
#include "mcp/sse.h"

void sse_init(sse_reader *r, const sse_hooks *hooks, size_t data_max) {
    *r = (sse_reader){.hooks = *hooks};
    strbuf_init(&r->line, data_max);
    strbuf_init(&r->data, data_max);
}

void sse_deinit(sse_reader *r) {
    strbuf_deinit(&r->line);
    strbuf_deinit(&r->data);
}

static void dispatch(sse_reader *r) {
    bool told = r->data.len > 0 || r->has_id;
    str data = strbuf_str(&r->data);
    if (data.len) data.len--; /* the last newline */
    if (told)
        r->hooks.event(r->hooks.ud,
                       &(sse_event){*r->type ? r->type : "message", data, r->id});
    strbuf_clear(&r->data);
    r->type[0] = 0;
    r->has_id = false;
}

static void keep(char *to, size_t room, str value) {
    if (value.len >= room || memchr(value.ptr, 0, value.len)) return;
    memcpy(to, value.ptr, value.len);
    to[value.len] = 0;
}

static void field(sse_reader *r, str name, str value) {
    int64_t ms;
    if (str_eq(name, STR("data"))) {
        strbuf_add_str(&r->data, value);
        strbuf_add_char(&r->data, '\n');
    } else if (str_eq(name, STR("event"))) {
        if (value.len) keep(r->type, sizeof r->type, value);
    } else if (str_eq(name, STR("id"))) {
        if (value.len)
            keep(r->id, sizeof r->id, value);
        else
            r->id[0] = 0;
        r->has_id = true;
    } else if (str_eq(name, STR("retry"))) {
        if (value.len && value.ptr[0] != '-' && value.ptr[0] != '+' && str_to_i64(value, &ms))
            r->hooks.retry(r->hooks.ud, ms);
    }
}

static void take_line(sse_reader *r) {
    str line = strbuf_str(&r->line);
    if (!r->begun && str_starts_with(line, STR("\xEF\xBB\xBF"))) line = str_sub(line, 3, line.len);
    r->begun = true;
    ptrdiff_t colon = str_find(line, STR(":"));
    if (!line.len) {
        dispatch(r);
    } else if (colon != 0) {
        str value = colon < 0 ? STR("") : str_sub(line, (size_t)colon + 1, line.len);
        if (value.len && value.ptr[0] == ' ') value = str_sub(value, 1, value.len);
        field(r, colon < 0 ? line : str_sub(line, 0, (size_t)colon), value);
    }
    r->broken = r->broken || r->data.overflow;
    strbuf_clear(&r->line);
}

bool sse_feed(sse_reader *r, str bytes) {
    size_t at = 0;
    while (at < bytes.len && !r->broken) {
        char c = bytes.ptr[at];
        if (c == '\n' && r->cr) { /* the second half of CRLF */
            r->cr = false;
            at++;
            continue;
        }
        r->cr = c == '\r';
        if (c == '\n' || c == '\r') {
            take_line(r);
            at++;
            continue;
        }
        size_t n = at;
        while (n < bytes.len && bytes.ptr[n] != '\n' && bytes.ptr[n] != '\r')
            n++;
        strbuf_add(&r->line, bytes.ptr + at, n - at);
        r->broken = r->line.overflow;
        at = n;
    }
    return !r->broken;
}
