/* SPDX-License-Identifier: Apache-2.0 */
/* Framing: bytes in, whole messages out.  Pure.
 *
 *     bytes:  [ taken | header block | body ... | next frame ... ]
 *                     ^start         ^start+body  ^start+need
 *
 * Invariants: start <= bytes.len; need != 0 means that the header block at `start` was read and is
 * valid; bytes before `start` are dead and go away with the next frame_feed.  `broken` is final.
 * Thread: one at a time.
 */
#include "mcp/frame.h"

#include "engine/base/limits.h"

void frame_reader_init(frame_reader *r, frame_mode mode, size_t message_max) {
    *r = (frame_reader){.mode = mode, .message_max = message_max};
    /* One whole message, the headers of the next, and what one read brings with them. */
    strbuf_init(&r->bytes, message_max + LIMIT_HEADER_BYTES + LIMIT_READ_BYTES);
}

void frame_reader_deinit(frame_reader *r) {
    strbuf_deinit(&r->bytes);
}

void frame_feed(frame_reader *r, str bytes) {
    if (r->broken) return;
    if (r->start) {
        strbuf_splice(&r->bytes, 0, r->start, (str){0});
        r->start = 0;
    }
    strbuf_add_str(&r->bytes, bytes);
    if (r->bytes.overflow) r->broken = ERR_LIMIT;
}

static status broken(frame_reader *r, status code) {
    r->broken = code;
    return code;
}

/* ---- headers --------------------------------------------------------------------------------- */

/* Offset just after the blank line that ends the header block, or 0.  Lines end in \r\n; a bare \n
 * is taken as well, because tools and people write it. */
static size_t headers_end(str in, size_t from) {
    for (size_t i = from > 3 ? from - 3 : 0; i < in.len; i++) {
        if (in.ptr[i] != '\n') continue;
        if (i + 1 < in.len && in.ptr[i + 1] == '\n') return i + 2;
        if (i + 2 < in.len && in.ptr[i + 1] == '\r' && in.ptr[i + 2] == '\n') return i + 3;
    }
    return 0;
}

static bool is_header_name(str name) {
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
        if (!good && !(c >= '0' && c <= '9') && c != '_') return false;
    }
    return name.len > 0;
}

static status header_line(str line, int64_t *length, err *e) {
    ptrdiff_t colon = str_find(line, STR(":"));
    if (colon < 1 || !is_header_name(str_trim(str_sub(line, 0, (size_t)colon))))
        return err_set(e, ERR_FORMAT, "the stream has no LSP frame: \"%.*s\" is not a header",
                       (int)MIN(line.len, 60), line.ptr);
    str name = str_trim(str_sub(line, 0, (size_t)colon));
    str value = str_trim(str_sub(line, (size_t)colon + 1, line.len));
    if (!str_eq_ignore_case(name, STR("Content-Length"))) return OK; /* Content-Type, unknown */
    int64_t n;
    if (!value.len || value.ptr[0] < '0' || value.ptr[0] > '9' || !str_to_i64(value, &n))
        return err_set(e, ERR_FORMAT, "the frame's Content-Length \"%.*s\" is not a number",
                       (int)MIN(value.len, 60), value.ptr);
    if (*length >= 0 && *length != n)
        return err_set(e, ERR_FORMAT, "the frame has two different Content-Length headers");
    *length = n;
    return OK;
}

/* Reads lines that end inside `block`; *length stays as it is without a Content-Length. */
static status header_lines(frame_reader *r, str block, int64_t *length, err *e) {
    str rest = str_sub(block, 0, (size_t)(str_rfind_char(block, '\n') + 1)), line;
    while (str_split(&rest, '\n', &line)) {
        line = str_trim(line);
        status s = line.len ? header_line(line, length, e) : OK;
        if (s) return broken(r, s);
    }
    return OK;
}

/* What can never become headers is refused at once: a peer that sends JSON without a frame waits
 * for an answer and will not send the blank line that would end the block. */
static status headers_begin(frame_reader *r, str in, err *e) {
    int64_t length = -1;
    str text = str_trim(in);
    if (text.len && !is_header_name(str_sub(text, 0, 1)))
        return broken(r,
                      err_set(e, ERR_FORMAT, "the stream has no LSP frame: it begins with \"%.*s\"",
                              (int)MIN(in.len, 30), in.ptr));
    return header_lines(r, in, &length, e);
}

static status headers_read(frame_reader *r, str block, err *e) {
    int64_t length = -1;
    status s = header_lines(r, block, &length, e);
    if (s) return s;
    if (length < 0)
        return broken(r, err_set(e, ERR_FORMAT, "the frame has no Content-Length header"));
    if ((uint64_t)length > r->message_max)
        return broken(r, err_set(e, ERR_LIMIT,
                                 "the frame announces %lld bytes; at most %zu are accepted",
                                 (long long)length, r->message_max));
    r->body = block.len;
    r->need = block.len + (size_t)length;
    return OK;
}

static status next_by_headers(frame_reader *r, str in, char **message, size_t *len, err *e) {
    if (!r->need) {
        size_t end = headers_end(str_sub(in, 0, LIMIT_HEADER_BYTES), r->scanned);
        if (!end && in.len >= LIMIT_HEADER_BYTES)
            return broken(r,
                          err_set(e, ERR_FORMAT, "the frame's headers do not end within %d bytes",
                                  LIMIT_HEADER_BYTES));
        r->scanned = in.len;
        if (!end) return headers_begin(r, in, e);
        status s = headers_read(r, str_sub(in, 0, end), e);
        if (s) return s;
    }
    if (in.len < r->need) return OK;
    *message = r->bytes.ptr + r->start + r->body;
    *len = r->need - r->body;
    r->start += r->need;
    return OK;
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* A line is too long: its first and last bytes are kept, because they tell which request it
 * answers. `in` is what is here of it. */
static void drop_begin(frame_reader *r, str in) {
    r->dropping = true;
    r->excerpt_head = MIN(in.len, FRAME_EXCERPT_BYTES / 2);
    memcpy(r->excerpt, in.ptr, r->excerpt_head);
    r->excerpt_len = r->excerpt_head;
}

/* Keeps the last bytes of `piece` as the end of the excerpt. */
static void drop_tail(frame_reader *r, str piece) {
    size_t room = FRAME_EXCERPT_BYTES - r->excerpt_head;
    piece = str_sub(piece, piece.len > room ? piece.len - room : 0, piece.len);
    size_t tail = r->excerpt_len - r->excerpt_head, keep = MIN(tail, room - piece.len);
    char *at = r->excerpt + r->excerpt_head;
    memmove(at, at + tail - keep, keep);
    memcpy(at + keep, piece.ptr, piece.len);
    r->excerpt_len = r->excerpt_head + keep + piece.len;
}

static status drop_next(frame_reader *r, str in, char **message, size_t *len, err *e) {
    const char *end = memchr(in.ptr, '\n', in.len);
    size_t bytes = end ? (size_t)(end - in.ptr) : in.len;
    drop_tail(r, str_sub(in, 0, bytes));
    r->start += bytes + (end != NULL);
    r->scanned = 0;
    if (!end) return OK;
    r->dropping = false;
    r->excerpt[r->excerpt_len] = 0;
    *message = r->excerpt;
    *len = r->excerpt_len;
    return err_set(e, ERR_LIMIT, "a line has more than %zu bytes", r->message_max);
}

static status next_by_line(frame_reader *r, str in, char **message, size_t *len, err *e) {
    if (r->dropping) return drop_next(r, in, message, len, e);
    const char *end =
        in.len > r->scanned ? memchr(in.ptr + r->scanned, '\n', in.len - r->scanned) : NULL;
    size_t bytes = end ? (size_t)(end - in.ptr) : in.len;
    if (bytes > r->message_max) {
        if (!r->resync)
            return broken(r,
                          err_set(e, ERR_LIMIT, "a line has more than %zu bytes", r->message_max));
        drop_begin(r, str_sub(in, 0, bytes));
        return drop_next(r, in, message, len, e);
    }
    r->scanned = in.len;
    if (!end) return OK;
    *message = r->bytes.ptr + r->start;
    *len = bytes && in.ptr[bytes - 1] == '\r' ? bytes - 1 : bytes;
    r->start += bytes + 1;
    return OK;
}

/* ---- both ------------------------------------------------------------------------------------ */

status frame_next(frame_reader *r, char **message, size_t *len, bool *got, err *e) {
    *got = false;
    *message = NULL;
    if (r->broken)
        return err_set(e, r->broken, "the stream is broken: more bytes than a message may have");
    str in = str_sub(strbuf_str(&r->bytes), r->start, r->bytes.len);
    if (!in.len) return OK;
    status s = r->mode == FRAME_HEADERS ? next_by_headers(r, in, message, len, e)
                                        : next_by_line(r, in, message, len, e);
    if (s || !*message) return s;
    *got = true;
    r->scanned = r->need = r->body = 0;
    return OK;
}

bool frame_at_boundary(const frame_reader *r) {
    return r->start == r->bytes.len;
}

void frame_write(strbuf *out, frame_mode mode, str message) {
    if (mode == FRAME_HEADERS) strbuf_addf(out, "Content-Length: %zu\r\n\r\n", message.len);
    strbuf_add_str(out, message);
    if (mode == FRAME_LINES) strbuf_add_char(out, '\n');
}
