/* SPDX-License-Identifier: Apache-2.0 */
/* git as a child process.
 *
 *     git_ask -> WAITING -> (a turn of the timer) -> RUNNING -> done() -> ENDING -> freed
 *
 * A turn is a call of the one timer: it starts what waits while LIMIT_GIT_RUNNING allows, tells
 * what could not be started, and kills what is overdue; then it is armed for the next deadline.  So
 * done() is never called from inside git_ask.  A command is told at most once (`done` is NULL
 * afterwards and after git_cancel) and freed when its process is closed.
 * Owns: commands; itself until the last of them and the timer are closed.  Thread: loop. */
#include "lsp/git.h"

#include <stdlib.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/vec.h"
#include "mcp/process.h"

typedef enum { WAITING, RUNNING, ENDING } command_state;

struct git_command {
    git *owner;
    command_state state;
    char *folder;
    char *args[LIMIT_GIT_ARGS];
    size_t n_args;
    double ms_max, deadline_ms;
    git_done done; /* NULL: told, or nobody cares any more */
    void *ud;
    process *process;
    strbuf out;
    bool cut;
    err refused; /* set before it started */
    status refusal;
};

struct git {
    uv_loop_t *loop;
    uv_timer_t timer;
    char *search;
    VEC(git_command *) commands; /* in the order of the questions */
    size_t running;              /* with a process: RUNNING and ENDING */
    bool dying, timer_closed;
};

/* What every command begins with: nothing that a repository's configuration names is run, nothing
 * is fetched for a partial clone, and paths are written as they are. */
static const char *const always[] = {
    "--no-pager",           "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c",
    "core.quotePath=false", "-c", "protocol.allow=never"};

static void arm(git *g, double ms);

static void command_free(git_command *c) {
    for (size_t i = 0; i < c->n_args; i++)
        xfree(c->args[i]);
    xfree(c->folder);
    strbuf_deinit(&c->out);
    xfree(c);
}

static void free_when_empty(git *g) {
    if (!g->dying || !g->timer_closed || g->commands.count) return;
    vec_free(&g->commands);
    xfree(g->search);
    xfree(g);
}

static void forget(git_command *c) {
    git *g = c->owner;
    for (size_t i = 0; i < g->commands.count; i++) {
        if (g->commands.at[i] != c) continue;
        vec_remove(&g->commands, i);
        break;
    }
    command_free(c);
    free_when_empty(g);
}

/* Calls done(), unless that has been. */
static void tell(git_command *c, status s, const char *why) {
    git_done done = c->done;
    git_answer a = {.status = s, .why = why, .output = strbuf_str(&c->out), .cut = c->cut};
    c->done = NULL;
    log_debug("git", "command=%s status=%d bytes=%zu cut=%d why=\"%s\"",
              c->n_args ? c->args[0] : "", (int)s, a.output.len, (int)c->cut, why);
    if (done) done(c->ud, &a);
}

/* ---- the process ----------------------------------------------------------------------------- */

static void end(git_command *c) {
    c->state = ENDING;
    process_kill(c->process);
}

static void on_bytes(void *ud, str bytes) {
    git_command *c = ud;
    if (c->state != RUNNING) return;
    size_t room = c->out.max - c->out.len;
    strbuf_add_str(&c->out, str_sub(bytes, 0, room));
    if (bytes.len <= room) return;
    c->cut = true;
    end(c);
    tell(c, OK, "");
}

static void on_ended(void *ud, const char *why) {
    git_command *c = ud;
    int code = process_exit_code(c->process);
    strbuf words, sentence;
    strbuf_init(&words, 512);
    strbuf_init(&sentence, 1024);
    process_stderr_tail(c->process, &words, 400);
    if (code)
        strbuf_addf(&sentence, "git %s: %s%s%.*s", c->n_args ? c->args[0] : "", why,
                    words.len ? ": " : "", STR_ARG(strbuf_str(&words)));
    c->state = ENDING;
    process_kill(c->process);
    tell(c, code ? ERR_IO : OK, code ? sentence.ptr : "");
    strbuf_deinit(&words);
    strbuf_deinit(&sentence);
}

static void on_closed(void *ud) {
    git_command *c = ud;
    git *g = c->owner;
    g->running--;
    if (!g->dying) arm(g, 0);
    forget(c);
}

/* ---- starting -------------------------------------------------------------------------------- */

typedef VEC(const char *) texts;

/* Ours without git's own variables: an editor that a hook has started has them for another
 * repository. */
static void make_env(texts *out) {
    extern char **environ;
    for (char **e = environ; *e; e++) {
        if (!strncmp(*e, "GIT_", 4) && strncmp(*e, "GIT_EXEC_PATH=", 14) != 0) continue;
        if (!strncmp(*e, "LC_ALL=", 7)) continue;
        vec_push(out, (const char *)*e);
    }
    vec_push(out, (const char *)"GIT_OPTIONAL_LOCKS=0");
    vec_push(out, (const char *)"GIT_TERMINAL_PROMPT=0");
    vec_push(out, (const char *)"LC_ALL=C");
}

static bool is_diffing(const char *command) {
    return !strcmp(command, "diff") || !strcmp(command, "show") || !strcmp(command, "log");
}

static void make_args(const git_command *c, texts *out) {
    for (size_t i = 0; i < COUNTOF(always); i++)
        vec_push(out, always[i]);
    for (size_t i = 0; i < c->n_args; i++) {
        vec_push(out, (const char *)c->args[i]);
        if (i || !is_diffing(c->args[0])) continue;
        vec_push(out, (const char *)"--no-ext-diff");
        vec_push(out, (const char *)"--no-textconv");
        vec_push(out, (const char *)"--no-color");
    }
}

static void start(git_command *c) {
    git *g = c->owner;
    texts env = {0}, args = {0};
    make_env(&env);
    make_args(c, &args);
    const process_options o = {.command = "git",
                               .args = args.at,
                               .n_args = args.count,
                               .env = env.at,
                               .n_env = env.count,
                               .cwd = c->folder,
                               .search = g->search};
    const process_hooks hooks = {c, on_bytes, on_ended, on_closed};
    c->refusal = process_start(&c->process, g->loop, &o, &hooks, &c->refused);
    if (!c->refusal) {
        c->state = RUNNING;
        c->deadline_ms = clock_ms() + c->ms_max;
        g->running++;
    }
    vec_free(&env);
    vec_free(&args);
}

/* ---- turns ----------------------------------------------------------------------------------- */

static git_command *next_waiting(const git *g) {
    for (size_t i = 0; i < g->commands.count; i++)
        if (g->commands.at[i]->state == WAITING) return g->commands.at[i];
    return NULL;
}

static git_command *next_overdue(const git *g, double now) {
    for (size_t i = 0; i < g->commands.count; i++) {
        git_command *c = g->commands.at[i];
        if (c->state == RUNNING && c->deadline_ms <= now) return c;
    }
    return NULL;
}

static void start_waiting(git *g) {
    git_command *c;
    while (!g->dying && g->running < LIMIT_GIT_RUNNING && (c = next_waiting(g))) {
        if (!c->refusal) start(c);
        if (!c->refusal) continue;
        c->state = ENDING; /* done() may ask or cancel: this one is nobody's any more */
        tell(c, c->refusal, c->refused.text);
        forget(c);
    }
}

static void end_overdue(git *g) {
    git_command *c;
    char why[96];
    while (!g->dying && (c = next_overdue(g, clock_ms()))) {
        snprintf(why, sizeof why, "git %.40s took more than %.0f ms", c->n_args ? c->args[0] : "",
                 c->ms_max);
        end(c);
        tell(c, ERR_LIMIT, why);
    }
}

static void on_turn(uv_timer_t *t) {
    git *g = t->data;
    end_overdue(g);
    start_waiting(g);
    if (g->dying) return;
    double next = 1e300;
    for (size_t i = 0; i < g->commands.count; i++)
        if (g->commands.at[i]->state == RUNNING) next = MIN(next, g->commands.at[i]->deadline_ms);
    if (next < 1e300) arm(g, MAX(next - clock_ms(), 1.0));
}

static void arm(git *g, double ms) {
    uv_update_time(g->loop);
    uv_timer_start(&g->timer, on_turn, (uint64_t)ms, 0);
}

/* ---- public ---------------------------------------------------------------------------------- */

git *git_new(uv_loop_t *loop, const char *search) {
    git *g = xcalloc(1, sizeof *g);
    if (!search) search = getenv("PATH");
    g->loop = loop;
    g->search = xstrdup(search ? search : "");
    uv_timer_init(loop, &g->timer);
    g->timer.data = g;
    return g;
}

static void on_timer_closed(uv_handle_t *h) {
    git *g = h->data;
    g->timer_closed = true;
    free_when_empty(g);
}

void git_free(git *g) {
    if (!g) return;
    g->dying = true;
    for (size_t i = g->commands.count; i-- > 0;)
        git_cancel(g->commands.at[i]);
    uv_close((uv_handle_t *)&g->timer, on_timer_closed);
}

git_command *git_ask(git *g, const git_question *q, git_done done, void *ud) {
    git_command *c = xcalloc(1, sizeof *c);
    *c = (git_command){.owner = g, .done = done, .ud = ud};
    c->ms_max = (double)(q->ms_max ? MIN(q->ms_max, LIMIT_GIT_MS) : LIMIT_GIT_MS);
    strbuf_init(&c->out, q->bytes_max ? MIN(q->bytes_max, LIMIT_GIT_BYTES) : LIMIT_GIT_BYTES);
    c->folder = xstrdup(q->folder);
    ASSERT(q->n_args <= LIMIT_GIT_ARGS);
    for (; c->n_args < q->n_args; c->n_args++)
        c->args[c->n_args] = xstrdup(q->args[c->n_args]);
    if (g->commands.count >= LIMIT_GIT_WAITING)
        c->refusal = err_set(&c->refused, ERR_LIMIT, "git %.40s: %d commands wait already",
                             c->n_args ? c->args[0] : "", LIMIT_GIT_WAITING);
    vec_push(&g->commands, c);
    arm(g, 0);
    return c;
}

void git_cancel(git_command *c) {
    c->done = NULL;
    if (c->state == RUNNING)
        end(c);
    else if (c->state == WAITING)
        forget(c);
}
