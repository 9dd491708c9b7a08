/* SPDX-License-Identifier: Apache-2.0 */
/* The glue around proxy.c.
 *
 *     CONNECTING: every few milliseconds: connect; nobody there? whoever gets the lock beside the
 *                 socket starts a daemon and keeps the lock until it answers; the others wait
 *     CONNECTED:  bytes both ways; the daemon's end is a crash, and leads back to CONNECTING
 *
 * Five crashes within three minutes, or fifteen seconds without a connection, end it with one
 * sentence that names the daemon's log.  The daemon runs in a session of its own and outlives us.
 * Owns: loop, the two streams, the lock's descriptor.  Thread: main.
 */
#include "lsp/proxy_run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "lsp/proxy.h"
#include "lsp/runtime_dir.h"
#include "lsp/stream.h"

#define LOOK_MS 5.0         /* between two tries to connect */
#define PATIENCE_MS 15000.0 /* for a daemon to answer */
#define CRASHES 5
#define CRASH_MS 180000.0
#define TICK_MS 2000.0

typedef struct {
    const proxy_options *options;
    loop loop;
    loop_timer look, tick;
    loop_signal sigint, sigterm;
    proxy *proxy;
    stream *editor, *daemon;
    char socket[RUNTIME_PATH_BYTES], log[RUNTIME_PATH_BYTES], lock[RUNTIME_PATH_BYTES];
    int lock_fd;         /* -1: not ours */
    pid_t parent, child; /* child: the daemon that was started here; 0: none */
    bool started;        /* a daemon, for this connection */
    bool by_system;      /* the connection is to systemd's socket ... */
    bool system_refused; /* ... whose daemon is of another build */
    bool heard;          /* the daemon that is connected has said something */
    double connecting_ms;
    double crashes[CRASHES]; /* times, a ring */
    unsigned n_crashes;
    bool ending;
    int exit_code;
} relay;

static void end(relay *r, int exit_code) {
    if (r->ending) return;
    r->ending = true;
    r->exit_code = exit_code;
    loop_timer_stop(&r->look);
    if (r->daemon) stream_close(r->daemon);
    if (r->editor) stream_close(r->editor);
    if (!r->daemon && !r->editor) loop_stop(&r->loop);
}

static void give_up(relay *r, const char *why) {
    char sentence[400];
    snprintf(sentence, sizeof sentence, "inlined stops: %s; its log is %s", why, r->log);
    fprintf(stderr, "inlined: %s\n", sentence);
    proxy_tell(r->proxy, sentence);
    end(r, 1);
}

/* ---- starting a daemon ----------------------------------------------------------------------- */

static void unlock(relay *r) {
    if (r->lock_fd >= 0) close(r->lock_fd);
    r->lock_fd = -1;
}

/* In the child, between fork and exec: only what may be called there. */
static void become_daemon(int log_fd, char *const argv[]) {
    int null = open("/dev/null", O_RDWR);
    setsid();
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0) _exit(127);
    if (dup2(log_fd, STDERR_FILENO) < 0 || chdir("/")) _exit(127); /* holds nobody's folder */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv("/proc/self/exe", argv);
    _exit(127);
}

static void start_daemon(relay *r) {
    char idle[16], level[16], name[] = "inlined", listen[] = "--listen", leave[] = "--idle-exit";
    char file[] = "--log-file", detail[] = "--log-level", option[] = "--health", where[128];
    snprintf(idle, sizeof idle, "%d", r->options->idle_seconds);
    snprintf(level, sizeof level, "%s", r->options->log_level);
    snprintf(where, sizeof where, "%s", r->options->health ? r->options->health : "");
    char *const argv[] = {name,  listen, r->socket, leave, idle,
                          file,  r->log, detail,    level, r->options->health ? option : NULL,
                          where, NULL};
    int log_fd = open(r->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0) log_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    pid_t pid = log_fd < 0 ? -1 : fork();
    if (pid == 0) become_daemon(log_fd, argv);
    if (log_fd >= 0) close(log_fd);
    r->child = MAX(pid, 0);
    log_info("proxy", "started a daemon pid=%d socket=%s", (int)pid, r->socket);
}

/* True while a daemon that was started here may still answer. */
static bool child_lives(relay *r) {
    int how = 0;
    for (pid_t pid; (pid = waitpid(-1, &how, WNOHANG)) > 0;) { /* earlier ones, too: no zombies */
        if (WIFSIGNALED(how)) log_warn("proxy", "the daemon died signal=%d", WTERMSIG(how));
        if (pid == r->child) r->child = 0;
    }
    return r->child > 0;
}

static bool note_crash(relay *r) {
    double now = clock_ms(), oldest;
    r->crashes[r->n_crashes++ % CRASHES] = now;
    oldest = r->crashes[r->n_crashes % CRASHES];
    return r->n_crashes >= CRASHES && now - oldest < CRASH_MS;
}

/* ---- streams --------------------------------------------------------------------------------- */

static void connect_later(relay *r);

static void on_daemon_bytes(void *ud, str bytes) {
    relay *r = ud;
    err e;
    if (r->ending) return;
    r->heard = true;
    if (proxy_from_daemon(r->proxy, bytes, &e)) {
        log_warn("proxy", "%s", e.text);
        stream_close(r->daemon);
    }
}

static void on_daemon_ended(void *ud, const char *why) {
    relay *r = ud;
    log_info("proxy", "the daemon's stream ended why=\"%s\"", why ? why : "end of file");
    if (r->daemon) stream_close(r->daemon);
}

static void on_daemon_closed(void *ud) {
    relay *r = ud;
    r->daemon = NULL;
    if (r->ending) {
        if (!r->editor) loop_stop(&r->loop);
        return;
    }
    proxy_daemon_gone(r->proxy);
    r->system_refused |= r->by_system && !r->heard;
    if (!r->heard) /* a dying one's backlog took us, or another build's daemon did not want us */
        loop_timer_start(&r->look, LOOK_MS, 0);
    else if (note_crash(r))
        give_up(r, "the daemon ended five times within three minutes");
    else
        connect_later(r);
}

static void to_editor(void *ud, str framed) {
    relay *r = ud;
    if (r->editor) stream_write(r->editor, framed);
}

static void to_daemon(void *ud, str framed) {
    relay *r = ud;
    if (r->daemon) stream_write(r->daemon, framed);
}

static void on_editor_bytes(void *ud, str bytes) {
    relay *r = ud;
    err e;
    if (r->ending) return;
    if (proxy_from_editor(r->proxy, bytes, &e)) {
        fprintf(stderr, "inlined: %s; closing the connection\n", e.text);
        end(r, 1);
    } else if (proxy_exit_code(r->proxy) >= 0) {
        end(r, proxy_exit_code(r->proxy));
    }
}

static void on_editor_ended(void *ud, const char *why) {
    relay *r = ud;
    if (why) fprintf(stderr, "inlined: the editor's stream broke: %s\n", why);
    end(r, 1);
}

static void on_editor_closed(void *ud) {
    relay *r = ud;
    r->editor = NULL;
    if (!r->daemon) loop_stop(&r->loop);
}

/* ---- connecting ------------------------------------------------------------------------------ */

static void on_connected(relay *r, int fd) {
    err e;
    stream_hooks hooks = {
        .ud = r, .bytes = on_daemon_bytes, .ended = on_daemon_ended, .closed = on_daemon_closed};
    unlock(r);
    r->heard = false;
    if (stream_open(&r->daemon, &r->loop, fd, fd, &hooks, &e)) {
        close(fd);
        give_up(r, e.text);
        return;
    }
    log_info("proxy", "connected ms=%.0f", clock_ms() - r->connecting_ms);
    proxy_daemon_here(r->proxy);
    if (proxy_exit_code(r->proxy) >= 0) end(r, proxy_exit_code(r->proxy));
}

/* The daemon of this build; else the one that systemd has, or starts. */
static int look(relay *r) {
    char path[RUNTIME_PATH_BYTES];
    err e;
    int fd = runtime_connect(r->socket, &e);
    r->by_system = false;
    if (fd >= 0 || r->system_refused || r->options->socket) return fd;
    if (runtime_system_socket(path, &e) == OK) fd = runtime_connect(path, &e);
    r->by_system = fd >= 0;
    return fd;
}

static void on_look(void *ud) {
    relay *r = ud;
    int fd = look(r);
    if (fd >= 0) {
        on_connected(r, fd);
        return;
    }
    if (clock_ms() - r->connecting_ms > PATIENCE_MS) {
        give_up(r, "no daemon answers");
        return;
    }
    if (r->lock_fd < 0) {
        int lock = open(r->lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0)
            r->lock_fd = lock; /* look once more, then start one */
        else if (lock >= 0)
            close(lock);
    } else if (!r->started) {
        start_daemon(r);
        r->started = true;
    } else if (!child_lives(r)) { /* it never answered */
        r->started = false;
        if (note_crash(r)) {
            give_up(r, "the daemon does not start");
            return;
        }
    }
    loop_timer_start(&r->look, LOOK_MS, 0);
}

static void connect_later(relay *r) {
    r->connecting_ms = clock_ms();
    r->started = false;
    loop_timer_start(&r->look, 0, 0);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void on_tick(void *ud) {
    relay *r = ud;
    int64_t pid = r->options->client_pid;
    (void)child_lives(r);
    bool gone = getppid() != r->parent || (pid > 0 && kill((pid_t)pid, 0) && errno == ESRCH);
    if (gone) end(r, 1);
}

static void on_signal(void *ud) {
    end(ud, 1);
}

static status start(relay *r, err *e) {
    status s = runtime_dir(r->lock, e);
    if (s) return s;
    if (r->options->socket && strlen(r->options->socket) >= sizeof r->socket)
        return err_set(e, ERR_USAGE, "--socket: a socket's path has at most %zu bytes",
                       sizeof r->socket - 1);
    if (r->options->socket)
        snprintf(r->socket, sizeof r->socket, "%s", r->options->socket);
    else if ((s = runtime_socket(r->socket, e)))
        return s;
    snprintf(r->log, sizeof r->log, "%.80s/daemon.log", r->lock);
    snprintf(r->lock, sizeof r->lock, "%.*s.lock", RUNTIME_PATH_BYTES - 8, r->socket);
    int out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (out < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        return err_set(e, ERR_IO, "cannot use standard output: %s", strerror(errno));
    stream_hooks hooks = {
        .ud = r, .bytes = on_editor_bytes, .ended = on_editor_ended, .closed = on_editor_closed};
    return stream_open(&r->editor, &r->loop, STDIN_FILENO, out, &hooks, e);
}

int proxy_run(const proxy_options *options) {
    relay *r = xcalloc(1, sizeof *r);
    r->options = options;
    r->lock_fd = -1;
    r->parent = getppid();
    signal(SIGPIPE, SIG_IGN);
    loop_init(&r->loop);
    loop_timer_init(&r->loop, &r->look, on_look, r);
    loop_timer_init(&r->loop, &r->tick, on_tick, r);
    loop_timer_start(&r->tick, TICK_MS, TICK_MS);
    loop_signal_init(&r->loop, &r->sigint, SIGINT, on_signal, r);
    loop_signal_init(&r->loop, &r->sigterm, SIGTERM, on_signal, r);
    r->proxy = proxy_new(&(proxy_hooks){.ud = r, .to_editor = to_editor, .to_daemon = to_daemon});
    err e = {{0}};
    if (start(r, &e)) {
        fprintf(stderr, "inlined: %s\n", e.text);
        r->exit_code = 1;
    } else {
        connect_later(r);
        loop_run(&r->loop);
    }
    int exit_code = r->exit_code;
    (void)child_lives(r);
    unlock(r);
    loop_timer_close(&r->look, NULL, NULL);
    loop_timer_close(&r->tick, NULL, NULL);
    loop_signal_close(&r->sigint);
    loop_signal_close(&r->sigterm);
    loop_deinit(&r->loop);
    proxy_free(r->proxy);
    xfree(r);
    return exit_code;
}
