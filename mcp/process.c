/* SPDX-License-Identifier: Apache-2.0 */
/* Child processes over libuv.
 *
 *     RUNNING --(exit, or end of output)--> ended() ;  process_stop: STOPPING --> CLOSING -->
 * closed()
 *
 * The child leads a session of its own, so a signal to its group reaches what it has started, too.
 * Standard error is read whatever comes; only its tail is kept.  When the leader is gone, what is
 * left of its group is killed; output that somebody still holds open is waited for DRAIN_MS.
 * Owns three pipes, the process handle and a timer, all embedded; freed when the last is closed.
 * Thread: loop. */
#include "mcp/process.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/limits.h"
#include "engine/base/vec.h"
#include "mcp/output.h"

#define DRAIN_MS 200 /* for output that arrives after the exit */
#define NICENESS 5

typedef enum { RUNNING, STOPPING, CLOSING } process_state;

struct process {
    process_hooks hooks;
    process_state state;
    uv_process_t child;
    uv_pipe_t in, out, err;
    uv_timer_t timer;
    bool exited, out_ended, told, in_closed;
    int64_t exit_code;
    int signal, pid;
    int step;          /* STOPPING: 0 input closed, 1 SIGTERM sent, 2 SIGKILL sent */
    int open;          /* handles whose close callback has not run */
    uint64_t accepted; /* bytes for its input */
    uint64_t err_bytes;
    size_t err_len;
    char err_tail[2 * LIMIT_MCP_STDERR_BYTES];
    char buffer[LIMIT_READ_BYTES];
};

static void on_timer(uv_timer_t *t);

/* ---- closing --------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *h) {
    process *p = h->data;
    if (--p->open) return;
    p->hooks.closed(p->hooks.ud);
    xfree(p);
}

static void close_in(process *p) {
    if (p->in_closed) return;
    p->in_closed = true;
    uv_close((uv_handle_t *)&p->in, on_closed);
}

static void close_all(process *p) {
    if (p->state == CLOSING) return;
    p->state = CLOSING;
    close_in(p);
    uv_close((uv_handle_t *)&p->out, on_closed);
    uv_close((uv_handle_t *)&p->err, on_closed);
    uv_close((uv_handle_t *)&p->child, on_closed);
    uv_close((uv_handle_t *)&p->timer, on_closed);
}

static void arm(process *p, uint64_t ms) {
    uv_timer_start(&p->timer, on_timer, ms, 0);
}

static void tell_end(process *p) {
    if (p->told || p->state != RUNNING) return;
    p->told = true;
    char why[96];
    if (!p->exited)
        snprintf(why, sizeof why, "it closed its output");
    else if (p->signal)
        snprintf(why, sizeof why, "it was ended by signal %d (%s)", p->signal,
                 strsignal(p->signal));
    else
        snprintf(why, sizeof why, "it exited with code %lld", (long long)p->exit_code);
    p->hooks.ended(p->hooks.ud, why);
}

static void on_timer(uv_timer_t *t) {
    process *p = t->data;
    if (p->state == RUNNING) {
        tell_end(p);
    } else if (p->exited) {
        close_all(p);
    } else {
        kill(-p->pid, p->step == 0 ? SIGTERM : SIGKILL);
        kill(-p->pid, SIGCONT); /* one that is stopped would not hear the first */
        p->step++;
        arm(p, LIMIT_MCP_STOP_MS);
    }
}

static void on_child_exit(uv_process_t *child, int64_t code, int signal) {
    process *p = child->data;
    p->exited = true;
    p->exit_code = code;
    p->signal = signal;
    kill(-p->pid, SIGKILL); /* what it left behind */
    if (p->state == STOPPING)
        close_all(p);
    else if (p->out_ended)
        tell_end(p);
    else
        arm(p, DRAIN_MS);
}

void process_stop(process *p) {
    if (p->state != RUNNING) return;
    p->state = STOPPING;
    uv_read_stop((uv_stream_t *)&p->out);
    if (p->exited) {
        close_all(p);
        return;
    }
    close_in(p);
    arm(p, LIMIT_MCP_STOP_MS);
}

void process_close_input(process *p) {
    close_in(p);
}

void process_kill(process *p) {
    if (p->state == RUNNING) process_stop(p);
    if (p->state != STOPPING) return;
    kill(-p->pid, SIGKILL);
    p->step = 2;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf) {
    process *p = h->data;
    UNUSED(hint);
    *buf = uv_buf_init(p->buffer, sizeof p->buffer);
}

static void on_out(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    process *p = stream->data;
    if (p->state != RUNNING) return;
    if (n > 0) {
        p->hooks.bytes(p->hooks.ud, (str){buf->base, (size_t)n});
    } else if (n < 0) {
        p->out_ended = true;
        uv_read_stop(stream);
        if (p->exited)
            tell_end(p);
        else
            arm(p, DRAIN_MS); /* its exit tells more, if it comes */
    }
}

static void on_err(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    process *p = stream->data;
    if (n < 0) uv_read_stop(stream);
    if (n <= 0) return;
    p->err_bytes += (uint64_t)n;
    str piece = {buf->base, (size_t)n};
    if (piece.len > LIMIT_MCP_STDERR_BYTES)
        piece = str_sub(piece, piece.len - LIMIT_MCP_STDERR_BYTES, piece.len);
    if (p->err_len + piece.len > sizeof p->err_tail) {
        size_t keep = MIN(p->err_len, LIMIT_MCP_STDERR_BYTES);
        memmove(p->err_tail, p->err_tail + p->err_len - keep, keep);
        p->err_len = keep;
    }
    memcpy(p->err_tail + p->err_len, piece.ptr, piece.len);
    p->err_len += piece.len;
}

typedef struct {
    uv_write_t req;
    char bytes[];
} pending_write;

static void on_written(uv_write_t *req, int rc) {
    UNUSED(rc); /* a broken pipe shows as the end of its output, or its exit */
    xfree(req->data);
}

bool process_write(process *p, str bytes) {
    if (p->state != RUNNING || p->in_closed) return true;
    if (p->in.write_queue_size + bytes.len > LIMIT_MCP_WRITE_BYTES) return false;
    pending_write *w = xmalloc(sizeof *w + bytes.len);
    memset(w, 0, sizeof *w);
    w->req.data = w;
    memcpy(w->bytes, bytes.ptr, bytes.len);
    uv_buf_t buf = uv_buf_init(w->bytes, (unsigned)bytes.len);
    p->accepted += bytes.len;
    if (uv_write(&w->req, (uv_stream_t *)&p->in, &buf, 1, on_written) < 0) xfree(w);
    return true;
}

/* ---- starting -------------------------------------------------------------------------------- */

static bool is_program(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

status process_find(const process_options *o, strbuf *out, err *e) {
    bool relative = strchr(o->command, '/') && o->command[0] != '/';
    if (strchr(o->command, '/')) {
        if (relative && o->cwd) strbuf_addf(out, "%s/", o->cwd);
        strbuf_addf(out, "%s", o->command);
        if (is_program(out->ptr)) return OK;
        return err_set(e, ERR_NOT_FOUND, "there is no program %.300s", out->ptr);
    }
    str rest = str_of(o->search), folder;
    while (str_split(&rest, ':', &folder)) {
        strbuf_clear(out);
        strbuf_addf(out, "%.*s/%s", STR_ARG(folder), o->command);
        if (folder.len && is_program(out->ptr)) return OK;
    }
    return err_set(e, ERR_NOT_FOUND, "the program \"%.80s\" is not found; searched %.240s",
                   o->command, o->search && *o->search ? o->search : "nothing: PATH is empty");
}

static void open_pipe(process *p, uv_loop_t *loop, uv_pipe_t *pipe) {
    uv_pipe_init(loop, pipe, 0);
    pipe->data = p;
    p->open++;
}

static int spawn(process *p, uv_loop_t *loop, const process_options *o, const char *program) {
    char **args = xcalloc(o->n_args + 2, sizeof *args);
    char **env = xcalloc(o->n_env + 1, sizeof *env);
    args[0] = xstrdup(o->command);
    for (size_t i = 0; i < o->n_args; i++)
        args[i + 1] = xstrdup(o->args[i]);
    for (size_t i = 0; i < o->n_env; i++)
        env[i] = xstrdup(o->env[i]);
    /* The flags are an enumeration that is meant to be or-ed. */
    const int reads = UV_CREATE_PIPE | UV_READABLE_PIPE, writes = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
    uv_stdio_container_t stdio[3] = {
        {.flags = (uv_stdio_flags)reads, .data.stream = (uv_stream_t *)&p->in},
        {.flags = (uv_stdio_flags)writes, .data.stream = (uv_stream_t *)&p->out},
        {.flags = (uv_stdio_flags)writes, .data.stream = (uv_stream_t *)&p->err},
    };
    int rc = uv_spawn(loop, &p->child,
                      &(uv_process_options_t){
                          .exit_cb = on_child_exit,
                          .file = program,
                          .args = args,
                          .env = env,
                          .cwd = o->cwd,
                          .flags = UV_PROCESS_DETACHED, /* setsid: the group is ours to end */
                          .stdio_count = 3,
                          .stdio = stdio,
                      });
    for (size_t i = 0; args[i]; i++)
        xfree(args[i]);
    for (size_t i = 0; env[i]; i++)
        xfree(env[i]);
    xfree(args);
    xfree(env);
    return rc;
}

static void never_started(void *ud) {
    UNUSED(ud);
}

status process_start(process **out, uv_loop_t *loop, const process_options *o,
                     const process_hooks *hooks, err *e) {
    strbuf program;
    strbuf_init(&program, 1u << 16);
    status s = process_find(o, &program, e);
    if (s != OK) {
        strbuf_deinit(&program);
        return s;
    }
    process *p = xcalloc(1, sizeof *p);
    p->hooks = *hooks;
    open_pipe(p, loop, &p->in);
    open_pipe(p, loop, &p->out);
    open_pipe(p, loop, &p->err);
    uv_timer_init(loop, &p->timer);
    p->timer.data = p->child.data = p;
    p->open += 2;
    int rc = spawn(p, loop, o, program.ptr);
    if (rc < 0) {
        s = err_set(e, ERR_IO, "cannot start %.200s: %s", program.ptr, uv_strerror(rc));
        p->hooks.closed = never_started;
        close_all(p);
    } else {
        p->pid = p->child.pid;
        int ours = getpriority(PRIO_PROCESS, 0); /* typing comes first */
        setpriority(PRIO_PROCESS, (id_t)p->pid, MAX(ours, NICENESS));
        uv_read_start((uv_stream_t *)&p->out, on_alloc, on_out);
        uv_read_start((uv_stream_t *)&p->err, on_alloc, on_err);
        *out = p;
    }
    strbuf_deinit(&program);
    return s;
}

/* ---- facts ----------------------------------------------------------------------------------- */

int process_pid(const process *p) {
    return p->pid;
}

int process_exit_code(const process *p) {
    return p->exited && !p->signal ? (int)p->exit_code : -1;
}

size_t process_unread(const process *p) {
    return p->in_closed ? 0 : p->in.write_queue_size;
}

uint64_t process_taken(const process *p) {
    return p->accepted - process_unread(p);
}

uint64_t process_stderr_bytes(const process *p) {
    return p->err_bytes;
}

void process_stderr_tail(const process *p, strbuf *out, size_t bytes_max) {
    str tail = {p->err_tail, p->err_len};
    if (tail.len > bytes_max) {
        tail = str_sub(tail, tail.len - bytes_max, tail.len);
        ptrdiff_t line = str_find(tail, STR("\n"));
        if (line >= 0) tail = str_sub(tail, (size_t)line + 1, tail.len);
    }
    output_clean(out, str_trim(tail));
}
