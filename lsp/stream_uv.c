/* SPDX-License-Identifier: Apache-2.0 */
/* Streams over libuv.
 *
 *     OPEN --- stream_close ---> FLUSHING --- written, or half a second ---> CLOSING ---> closed()
 *
 * OPEN:     bytes() and ended() may be called.
 * FLUSHING: nothing is read; writes that wait go out; new ones are dropped.
 * CLOSING:  waits for the close callbacks of the handles (and a file read that is under way).
 *
 * Pipes, sockets and terminals are libuv streams.  Plain files and devices (tests, /dev/null) have
 * no readiness: they are read in the thread pool and written directly.
 * Owns its handles and the buffers of pending writes.  Thread: loop.
 */
#include <errno.h>
#include <unistd.h>

#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "lsp/runtime_dir.h"
#include "lsp/stream.h"

#define FLUSH_MS 500.0

typedef enum { STREAM_OPEN, STREAM_FLUSHING, STREAM_CLOSING } stream_state;

typedef union {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_pipe_t pipe;
    uv_tty_t tty;
} uv_any;

struct stream {
    loop *loop;
    stream_hooks hooks;
    stream_state state;
    uv_any in, out;
    bool has_in, has_out;  /* libuv handles; both in `in` for a socket */
    int in_file, out_file; /* plain files, else -1 */
    bool file_reading, ended;
    uv_fs_t file_read;
    loop_timer flush;
    int closing; /* close callbacks still to come */
    char buffer[LIMIT_READ_BYTES];
};

static void close_when_written(stream *s);

static void end(stream *s, const char *why) {
    if (s->ended || s->state != STREAM_OPEN) return;
    s->ended = true;
    s->hooks.ended(s->hooks.ud, why);
}

static uv_stream_t *writer(stream *s) {
    return s->has_out ? &s->out.stream : s->has_in && s->out_file < 0 ? &s->in.stream : NULL;
}

/* ---- reading --------------------------------------------------------------------------------- */

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf) {
    stream *s = handle->data;
    UNUSED(hint);
    *buf = uv_buf_init(s->buffer, sizeof s->buffer);
}

static void on_read(uv_stream_t *handle, ssize_t n, const uv_buf_t *buf) {
    stream *s = handle->data;
    if (s->state != STREAM_OPEN) return;
    if (n > 0)
        s->hooks.bytes(s->hooks.ud, (str){buf->base, (size_t)n});
    else if (n < 0)
        end(s, n == UV_EOF ? NULL : uv_strerror((int)n));
}

static void file_read_next(stream *s);

static void on_file_read(uv_fs_t *req) {
    stream *s = req->data;
    ssize_t n = req->result;
    uv_fs_req_cleanup(req);
    s->file_reading = false;
    if (s->state != STREAM_OPEN) {
        close_when_written(s);
        return;
    }
    if (n > 0) {
        s->hooks.bytes(s->hooks.ud, (str){s->buffer, (size_t)n});
        if (s->state == STREAM_OPEN) file_read_next(s);
    } else {
        end(s, n == 0 ? NULL : uv_strerror((int)n));
    }
}

static void file_read_next(stream *s) {
    uv_buf_t buf = uv_buf_init(s->buffer, sizeof s->buffer);
    s->file_read.data = s;
    s->file_reading = true;
    uv_fs_read(&s->loop->uv, &s->file_read, s->in_file, &buf, 1, -1, on_file_read);
}

/* ---- writing --------------------------------------------------------------------------------- */

typedef struct {
    uv_write_t req;
    stream *stream;
    char bytes[];
} pending_write;

static void on_written(uv_write_t *req, int rc) {
    pending_write *w = req->data;
    stream *s = w->stream;
    xfree(w);
    if (rc < 0 && rc != UV_ECANCELED) end(s, uv_strerror(rc));
    close_when_written(s);
}

static void write_file(stream *s, str bytes) {
    while (bytes.len) {
        ssize_t n = write(s->out_file, bytes.ptr, bytes.len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            end(s, strerror(errno));
            return;
        }
        bytes = str_sub(bytes, (size_t)n, bytes.len);
    }
}

int stream_fd(const stream *s) {
    int fd = -1;
    if (!s->has_in) return s->in_file;
    return uv_fileno(&s->in.handle, &fd) ? -1 : fd;
}

void stream_write(stream *s, str bytes) {
    if (s->state != STREAM_OPEN || s->ended) return;
    uv_stream_t *to = writer(s);
    if (!to) {
        write_file(s, bytes);
        return;
    }
    if (to->write_queue_size + bytes.len > LIMIT_WRITE_QUEUE_BYTES) {
        end(s, "the editor does not read what it is sent");
        return;
    }
    pending_write *w = xmalloc(sizeof *w + bytes.len);
    memset(w, 0, sizeof *w);
    w->stream = s;
    w->req.data = w;
    memcpy(w->bytes, bytes.ptr, bytes.len);
    uv_buf_t buf = uv_buf_init(w->bytes, (unsigned)bytes.len);
    int rc = uv_write(&w->req, to, &buf, 1, on_written); /* writes at once what the pipe takes */
    if (rc < 0) {
        xfree(w);
        end(s, uv_strerror(rc));
    }
}

/* ---- opening --------------------------------------------------------------------------------- */

static stream *stream_new(loop *l, const stream_hooks *hooks) {
    stream *s = xcalloc(1, sizeof *s);
    s->loop = l;
    s->hooks = *hooks;
    s->in_file = s->out_file = -1;
    return s;
}

static void start(stream *s) {
    loop_timer_init(s->loop, &s->flush, NULL, s);
    if (s->has_in)
        uv_read_start(&s->in.stream, on_alloc, on_read);
    else
        file_read_next(s);
}

/* Opens one direction; *file is set instead when the descriptor is no stream. */
static int open_side(stream *s, uv_any *side, bool *has, int *file, int fd) {
    int rc = 0;
    uv_handle_type type = uv_guess_handle(fd);
    if (type == UV_NAMED_PIPE || type == UV_TCP) {
        uv_pipe_init(&s->loop->uv, &side->pipe, 0); /* TCP sockets work as pipes once connected */
        *has = true;
        rc = uv_pipe_open(&side->pipe, fd);
    } else if (type == UV_TTY) {
        rc = uv_tty_init(&s->loop->uv, &side->tty, fd, 0);
        *has = rc == 0;
    } else if (type == UV_FILE) {
        *file = fd;
    } else {
        rc = UV_EBADF;
    }
    if (*has) {
        side->handle.data = s;
        s->loop->open++;
    }
    return rc;
}

status stream_open(stream **out, loop *l, int in_fd, int out_fd, const stream_hooks *hooks,
                   err *e) {
    stream *s = stream_new(l, hooks);
    int rc = open_side(s, &s->in, &s->has_in, &s->in_file, in_fd);
    if (!rc && out_fd != in_fd) rc = open_side(s, &s->out, &s->has_out, &s->out_file, out_fd);
    if (rc) {
        s->hooks.closed = NULL;
        loop_timer_init(s->loop, &s->flush, NULL, s);
        stream_close(s);
        return err_set(e, ERR_IO, "cannot use standard input and output: %s", uv_strerror(rc));
    }
    start(s);
    *out = s;
    return OK;
}

status stream_accept(stream **out, loop *l, uv_stream_t *listener, const stream_hooks *hooks,
                     err *e) {
    stream *s = stream_new(l, hooks);
    uv_pipe_init(&l->uv, &s->in.pipe, 0);
    s->has_in = true;
    s->in.handle.data = s;
    l->open++;
    int rc = uv_accept(listener, &s->in.stream);
    uv_os_fd_t fd;
    if (!rc && !uv_fileno(&s->in.handle, &fd) && !runtime_peer_is_ours(fd)) rc = UV_EACCES;
    if (rc) {
        s->hooks.closed = NULL;
        loop_timer_init(s->loop, &s->flush, NULL, s);
        stream_close(s);
        return err_set(e, ERR_IO, "cannot accept a connection: %s", uv_strerror(rc));
    }
    start(s);
    *out = s;
    return OK;
}

/* ---- closing --------------------------------------------------------------------------------- */

static void one_closed(void *ud) {
    stream *s = ud;
    if (--s->closing) return;
    if (s->hooks.closed) s->hooks.closed(s->hooks.ud);
    xfree(s);
}

static void on_closed(uv_handle_t *handle) {
    stream *s = handle->data;
    s->loop->open--;
    one_closed(s);
}

static void close_now(void *ud) {
    stream *s = ud;
    if (s->file_reading) {
        uv_cancel((uv_req_t *)&s->file_read); /* on_file_read comes back here */
        return;
    }
    if (s->state == STREAM_CLOSING) return;
    s->state = STREAM_CLOSING;
    s->closing = 1 + s->has_in + s->has_out;
    loop_timer_close(&s->flush, one_closed, s);
    if (s->has_in) uv_close(&s->in.handle, on_closed);
    if (s->has_out) uv_close(&s->out.handle, on_closed);
}

static void close_when_written(stream *s) {
    if (s->state != STREAM_FLUSHING) return;
    uv_stream_t *to = writer(s);
    if (!to || !to->write_queue_size || s->ended) close_now(s);
}

void stream_close(stream *s) {
    if (s->state != STREAM_OPEN) return;
    s->state = STREAM_FLUSHING;
    if (s->has_in) uv_read_stop(&s->in.stream);
    s->flush.fn = close_now;
    loop_timer_start(&s->flush, FLUSH_MS, 0);
    close_when_written(s);
}
