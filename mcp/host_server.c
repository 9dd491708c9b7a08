/* SPDX-License-Identifier: Apache-2.0 */
/* One server of the host: starting it, hearing from it, and getting rid of it.
 *
 *     IDLE --use--> STARTING --lists--> READY <--> DEGRADED        DISABLED, UNTRUSTED: not
 * startable
 *       ^              |                  |
 *       |           refused, silent     exit      READY --unused--> DRAINING --> IDLE
 *       +--timer-- BACKOFF <--exit--------+
 *                   FAILED <--five exits in five minutes, refused, silent, not found
 * (what leads to DEGRADED, and out of it and of FAILED: host_health.c)
 *
 * A session never dies inside its own hooks: they set `broken`, and host_server_settle ends it
 * afterwards. A process outlives its session by the time that it takes to end it (`stopping`).
 * Thread: loop. */
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "mcp/catalogue_file.h"
#include "mcp/host_private.h"

extern char **environ;

#define BACKOFF_RESET_MS 60000 /* READY for so long: the next failure is a first one */

/* ---- state ----------------------------------------------------------------------------------- */

void host_server_set(server *s, mcp_state next, const char *why) {
    bool same = s->state == next && strcmp(s->why, why) == 0;
    snprintf(s->why, sizeof s->why, "%s", why);
    if (same) return;
    log_info("mcp", "server name=%s state=%s%s%s%s", s->def->name, mcp_state_name(next),
             *why ? " why=\"" : "", why, *why ? "\"" : "");
    s->state = next;
    s->since_ms = clock_ms();
    host_health_entered(s);
    if (s->host->hooks.changed && !s->host->closing)
        s->host->hooks.changed(s->host->hooks.ud, s->def->name);
}

static mcp_state first_state(const server *s, const char **why) {
    *why = "";
    if (s->def->disabled) return MCP_DISABLED;
    if (s->def->problem) {
        *why = s->def->problem;
        return MCP_FAILED;
    }
    bool foreign = s->def->scope == MCP_PROJECT || s->def->scope == MCP_IMPORTED;
    if (foreign && !approvals_has_server(s->host->approvals, s->hash)) {
        *why = "its start was not approved yet";
        return MCP_UNTRUSTED;
    }
    return MCP_IDLE;
}

/* ---- its catalogue --------------------------------------------------------------------------- */

/* Definitions that differ from those that were approved cannot be called.  `said`: by the server
 * itself, so that a tool which is seen for the first time is pinned.  What is only read from the
 * file of lists is not: it may be of an older program, and then the tools of the one that a person
 * approves would count as changed. */
static void check_pins(server *s, const catalogue_list *l, bool said) {
    for (size_t i = 0; i < l->tools.count; i++) {
        mcp_tool *t = &l->tools.at[i];
        const char *known = approvals_pin(s->host->approvals, s->hash, t->name);
        t->quarantined = known && strcmp(known, t->pin) != 0;
        if (!known && said)
            approvals_set_pin(s->host->approvals, s->hash, t->name, t->pin, t->definition);
    }
    if (said) approvals_save(s->host->approvals);
}

/* For the next time, before it is started; what it says is for one user only stays in memory. */
static void save_catalogue(const server *s) {
    const session *n = s->session;
    const catalogue_list *lists[LIST_COUNT];
    char *texts[] = {xstrdup(session_server_name(n)), xstrdup(session_server_version(n)),
                     xstrdup(session_instructions(n))};
    catalogue_facts facts = {texts[0], texts[1], texts[2], "", session_is_modern(n)};
    snprintf(facts.protocol, sizeof facts.protocol, "%s", session_protocol(n));
    for (int k = 0; k < LIST_COUNT; k++)
        lists[k] = session_list(n, (list_kind)k);
    if (!session_is_private(n)) catalogue_file_write(s->host->cache_dir, s->hash, lists, &facts);
    for (size_t i = 0; i < COUNTOF(texts); i++)
        xfree(texts[i]);
}

static void load_catalogue(server *s) {
    catalogue_facts facts = {0};
    if (!catalogue_file_read(s->host->cache_dir, s->hash, s->kept, &facts)) {
        for (int k = 0; k < LIST_COUNT; k++) { /* of a file that was broken half-way */
            catalogue_list_deinit(&s->kept[k]);
            catalogue_list_init(&s->kept[k]);
        }
        return;
    }
    s->name_said = facts.name;
    s->version_said = facts.version;
    s->instructions = facts.instructions;
    s->modern = facts.modern;
    memcpy(s->protocol, facts.protocol, sizeof s->protocol);
    check_pins(s, &s->kept[LIST_TOOLS], false);
}

server *host_server_new(mcp_host *h, mcp_definition *def) {
    server *s = xcalloc(1, sizeof *s);
    s->host = h;
    s->def = def;
    mcp_definition_hash(def, s->hash);
    for (int k = 0; k < LIST_COUNT; k++)
        catalogue_list_init(&s->kept[k]);
    load_catalogue(s);
    const char *why;
    s->state = first_state(s, &why);
    snprintf(s->why, sizeof s->why, "%s", why);
    return s;
}

void host_server_free(server *s) {
    mcp_host *h = s->host;
    cache_drop(h->cache, s);
    for (size_t i = 0; i < h->servers.count; i++) {
        if (h->servers.at[i] != s) continue;
        vec_remove(&h->servers, i);
        break;
    }
    for (int k = 0; k < LIST_COUNT; k++)
        catalogue_list_deinit(&s->kept[k]);
    vec_free(&s->calls);
    vec_free(&s->lost);
    mcp_definition_free(s->def);
    char **texts[] = {&s->stderr_tail,  &s->first_junk,   &s->name_said,
                      &s->version_said, &s->instructions, &s->oddities};
    for (size_t i = 0; i < COUNTOF(texts); i++)
        xfree(*texts[i]);
    xfree(s);
    host_maybe_closed(h);
}

const catalogue_list *host_server_list(const server *s, list_kind k) {
    bool ready = s->session && session_state_of(s->session) == SESSION_READY;
    return ready ? session_list(s->session, k) : &s->kept[k];
}

/* ---- what it says ---------------------------------------------------------------------------- */

static void on_send(void *ud, const session_message *m) {
    server *s = ud;
    if (s->quiet) return;
    if (s->http) {
        const mcp_tool *t =
            m->name ? catalogue_tool(session_list(s->session, LIST_TOOLS), m->name) : NULL;
        http_send(s->http, m, session_is_modern(s->session), session_protocol(s->session),
                  t ? cJSON_GetObjectItemCaseSensitive(t->definition, "inputSchema") : NULL);
        return;
    }
    bool sent = s->inside    ? inside_write(s->inside, m->line)
                : s->process ? host_health_write(s, m->line)
                             : true;
    if (sent) return;
    if (m->id) vec_push(&s->lost, m->id); /* told outside of the hook */
    if (s->state == MCP_READY) host_server_set(s, MCP_DEGRADED, "it does not read what it is sent");
    host_wake_at(s->host, clock_ms());
}

static void on_ready(server *s) {
    double now = clock_ms();
    s->ready_ms = now - s->begun_ms;
    s->used_ms = now;
    s->timeouts = 0;
    check_pins(s, session_list(s->session, LIST_TOOLS), true);
    save_catalogue(s);
    host_server_set(s, MCP_READY, "");
}

static void on_state(void *ud, session_state now, const char *why) {
    server *s = ud;
    if (now == SESSION_READY) {
        on_ready(s);
    } else if (now == SESSION_FAILED) {
        s->broken = true;
        snprintf(s->why, sizeof s->why, "%s", why);
        host_wake_at(s->host, clock_ms());
    }
}

static void on_changed(void *ud) {
    server *s = ud;
    host_results_forget(s);
    check_pins(s, session_list(s->session, LIST_TOOLS), true);
    save_catalogue(s);
    if (s->host->hooks.changed) s->host->hooks.changed(s->host->hooks.ud, s->def->name);
}

static void on_question(void *ud, const session_question *q) {
    server *s = ud;
    call *c = call_by_handle(s, q->call);
    if (c) c->life_ms = clock_ms();
    ask_session(s, q);
}

static void on_log(void *ud, const char *level, const char *text) {
    server *s = ud;
    for (size_t i = 0; i < s->calls.count; i++)
        s->calls.at[i]->life_ms = clock_ms();
    if (s->host->hooks.log) s->host->hooks.log(s->host->hooks.ud, s->def->name, level, text);
}

static void on_progress(void *ud, int64_t handle, double done, double all, const char *text) {
    server *s = ud;
    call *c = call_by_handle(s, handle);
    if (!c) return;
    c->life_ms = clock_ms();
    const mcp_hooks *h = &s->host->hooks;
    for (size_t i = 0; h->progress && i < c->waiters.count; i++)
        h->progress(h->ud, c->waiters.at[i].id, done, all, text);
}

static void on_updated(void *ud, const char *uri) {
    server *s = ud;
    const mcp_hooks *h = &s->host->hooks;
    host_results_forget(s);
    if (h->resource_updated) h->resource_updated(h->ud, s->def->name, uri);
}

static void on_junk(void *ud, rpc_junk kind, str line) {
    server *s = ud;
    if (kind == RPC_JUNK_LATE) {
        s->late_answers++;
        return;
    }
    s->junk_lines++;
    if (s->first_junk) return;
    strbuf clean;
    strbuf_init(&clean, 4096);
    output_clean(&clean, str_sub(line, 0, 200));
    s->first_junk = clean.ptr ? strbuf_take(&clean) : NULL;
    strbuf_deinit(&clean);
}

/* ---- the process ----------------------------------------------------------------------------- */

static void on_bytes(void *ud, str bytes) {
    server *s = ud;
    if (!s->session) return;
    s->heard_ms = clock_ms();
    session_feed(s->session, bytes);
    host_server_settle(s);
    if (s->session) {
        calls_run(s);
        host_server_tick(s, clock_ms()); /* a list may have to be read again later */
    }
}

double host_backoff_ms(int failures, uint64_t chance) {
    static const double seconds[] = {0, 1, 2, 4, 8, 16};
    double ms = failures <= (int)COUNTOF(seconds) ? seconds[MAX(failures - 1, 0)] * 1000
                                                  : LIMIT_MCP_BACKOFF_MS;
    return ms * (0.8 + (double)(chance % 401) / 1000);
}

/* It ended without being asked to: again after a pause, but not for ever. */
static void crashed(server *s, const char *why) {
    double now = clock_ms();
    s->exits++;
    if (s->drain_ms > 0) { /* it was to end anyway */
        host_server_down(s, MCP_IDLE, MCP_SERVER_GONE, why);
        host_server_stop(s, THEN_IDLE);
        return;
    }
    if (s->state == MCP_READY && now - s->since_ms > BACKOFF_RESET_MS) s->failures = 0;
    s->failures++;
    if (s->n_crashes == LIMIT_MCP_CRASHES)
        memmove(s->crashes, s->crashes + 1, --s->n_crashes * sizeof s->crashes[0]);
    s->crashes[s->n_crashes++] = now;
    bool often = s->n_crashes == LIMIT_MCP_CRASHES && now - s->crashes[0] < LIMIT_MCP_CRASH_MS;
    s->retry_ms = now + host_backoff_ms(s->failures, clock_us());
    char text[sizeof s->why];
    snprintf(text, sizeof text, "%.200s%s", why,
             often ? "; it ended too often and is not started again by itself" : "");
    host_server_down(s, often ? MCP_FAILED : MCP_BACKOFF, MCP_SERVER_GONE, text);
    host_server_stop(s, THEN_IDLE);
}

static void on_ended(void *ud, const char *why) {
    server *s = ud;
    if (s->session && session_is_probing(s->session)) { /* an old server that our question ended */
        s->legacy_only = true;
        host_server_down(s, MCP_IDLE, MCP_SERVER_GONE, why);
        host_server_stop(s, THEN_START);
        return;
    }
    crashed(s, why);
}

typedef struct {
    uv_work_t work;
    mcp_host *host;
    orphans_tag tag;
} sweep;

static void sweep_now(uv_work_t *work) {
    const sweep *w = work->data;
    int n = orphans_end(w->tag);
    if (n) log_info("mcp", "ended what a server had left behind n=%d", n);
}

static void sweep_done(uv_work_t *work, int rc) {
    sweep *w = work->data;
    mcp_host *h = w->host;
    UNUSED(rc);
    xfree(w);
    h->sweeps--;
    host_maybe_closed(h);
}

/* Its group has ended; what has left the group is looked for on another thread. */
static void sweep_strays(const server *s) {
    sweep *w = xcalloc(1, sizeof *w);
    w->host = s->host;
    w->work.data = w;
    memcpy(w->tag, s->tag, sizeof w->tag);
    s->host->sweeps++;
    uv_queue_work(s->host->loop, &w->work, sweep_now, sweep_done);
}

static void on_closed(void *ud) {
    server *s = ud;
    s->process = NULL;
    s->http = NULL;
    s->inside = NULL;
    if (s->auth) { /* after the link, whose last request may want a header */
        auth *a = s->auth;
        s->auth = NULL;
        auth_close(a, on_closed, s);
        return;
    }
    if (s->marked_pid) {
        orphans_unmark(s->host->marks, s->marked_pid);
        sweep_strays(s);
    }
    s->marked_pid = 0;
    s->stopping = false;
    if (s->then == THEN_FREE) {
        host_server_free(s);
        return;
    }
    bool wanted = s->then == THEN_START || s->calls.count;
    s->then = THEN_IDLE;
    if (s->state == MCP_DRAINING && wanted)
        s->state = MCP_IDLE; /* only to start again, right now */
    else if (s->state == MCP_DRAINING)
        host_server_set(s, MCP_IDLE, "");
    if (wanted && s->state == MCP_IDLE) host_server_start(s);
    if (s->state == MCP_BACKOFF && s->calls.count) host_wake_at(s->host, s->retry_ms);
}

/* The process's last words stay readable. */
static void keep_stderr(server *s) {
    s->stderr_bytes += process_stderr_bytes(s->process);
    strbuf tail;
    strbuf_init(&tail, 1u << 16);
    process_stderr_tail(s->process, &tail, 2048);
    xfree(s->stderr_tail);
    s->stderr_tail = tail.ptr ? strbuf_take(&tail) : NULL;
    strbuf_deinit(&tail);
}

void host_server_stop(server *s, then_do then) {
    if (s->process || s->http || s->inside) {
        if (!s->stopping) {
            s->stopping = true;
            if (s->process) keep_stderr(s);
            if (s->process) process_stop(s->process);
            if (s->http) http_close(s->http);
            if (s->inside) inside_close(s->inside);
        }
        s->then = MAX(s->then, then);
        if (then == THEN_IDLE && s->state == MCP_IDLE) host_server_set(s, MCP_DRAINING, "");
    } else if (then == THEN_FREE) {
        host_server_free(s);
    } else if (then == THEN_START) {
        host_server_start(s);
    }
}

/* ---- the session's end ----------------------------------------------------------------------- */

static void keep_text(char **to, const char *text) {
    xfree(*to);
    *to = *text ? xstrdup(text) : NULL;
}

/* What it said is shown, and what it offered is known, while it does not run. */
static void keep_facts(server *s) {
    const session *n = s->session;
    keep_text(&s->name_said, session_server_name(n));
    keep_text(&s->version_said, session_server_version(n));
    keep_text(&s->instructions, session_instructions(n));
    keep_text(&s->oddities, session_oddities(n));
    snprintf(s->protocol, sizeof s->protocol, "%s", session_protocol(n));
    s->modern = session_is_modern(n);
    if (session_state_of(n) == SESSION_READY)
        for (int k = 0; k < LIST_COUNT; k++)
            session_take_list(s->session, (list_kind)k, &s->kept[k]);
}

void host_server_down(server *s, mcp_state next, mcp_outcome outcome, const char *why) {
    char text[sizeof s->why];
    snprintf(text, sizeof text, "%s", why);
    asks_forget(s->host, s, NULL);
    s->quiet = true;
    if (s->session) {
        keep_facts(s);
        session *n = s->session;
        s->session = NULL;
        if (s->ping) session_cancel(n, s->ping, "the server is being stopped");
        s->ping = 0;
        for (size_t i = s->calls.count; i-- > 0;) {
            call *c = s->calls.at[i];
            if (c->state != CALL_RUNNING) continue;
            session_cancel(n, c->handle, "the server is being stopped");
            call_fail(c, outcome,
                      outcome == MCP_SERVER_GONE ? "%s; the call may have had its effect" : "%s",
                      text);
        }
        session_mute(n);
        vec_push(&s->host->graves, n);
        host_wake_at(s->host, clock_ms());
    }
    s->broken = false;
    s->drain_ms = 0;
    vec_clear(&s->lost);
    bool restart = next == MCP_IDLE && outcome == MCP_SERVER_GONE;
    for (size_t i = s->calls.count; i-- > 0 && !restart;)
        call_fail(s->calls.at[i], outcome == MCP_CANCELLED ? outcome : MCP_NOT_STARTED, "%s", text);
    if (s->state == MCP_DISABLED || s->state == MCP_UNTRUSTED) return;
    if (restart) next = MCP_DRAINING; /* nobody should think that it rests */
    host_server_set(s, next, next == MCP_IDLE || restart ? "" : text);
}

void host_server_settle(server *s) {
    if (!s->broken) return;
    char why[sizeof s->why];
    snprintf(why, sizeof why, "%s", s->why);
    if (s->http_refused && !s->old_http) { /* once in the way that came before */
        s->old_http = true;
        host_server_down(s, MCP_IDLE, MCP_SERVER_GONE, why);
        host_server_stop(s, THEN_START);
        return;
    }
    host_server_down(s, s->drain_ms > 0 ? MCP_IDLE : MCP_FAILED, MCP_SERVER_GONE, why);
    host_server_stop(s, THEN_IDLE);
}

/* ---- stopping by hand ------------------------------------------------------------------------ */

/* Its connection goes down now; calls that came meanwhile wait for it to start again. */
static void drained(server *s) {
    for (size_t i = s->calls.count; i-- > 0;) {
        call *c = s->calls.at[i];
        if (c->state != CALL_RUNNING) continue;
        session_cancel(s->session, c->handle, "the server is being stopped");
        call_fail(c, MCP_CANCELLED, "the server was stopped");
    }
    host_server_down(s, MCP_IDLE, MCP_SERVER_GONE, "the server was stopped");
    host_server_stop(s, THEN_IDLE);
}

void host_server_drain(server *s, const char *why) {
    if (s->drain_ms > 0) return;
    for (size_t i = s->calls.count; i-- > 0;)
        if (s->calls.at[i]->state != CALL_RUNNING)
            call_fail(s->calls.at[i], MCP_CANCELLED, "%s", why);
    if (!calls_running(s)) {
        host_server_down(s, MCP_IDLE, MCP_CANCELLED, why);
        host_server_stop(s, THEN_IDLE);
        return;
    }
    s->drain_ms = clock_ms() + MCP_DRAIN_MS;
    s->then = THEN_IDLE;
    host_server_set(s, MCP_DRAINING, "");
    host_wake_at(s->host, s->drain_ms);
}

static void drain_tick(server *s, double now_ms) {
    if (s->drain_ms <= 0) return;
    if (now_ms >= s->drain_ms || !calls_running(s))
        drained(s);
    else
        host_wake_at(s->host, s->drain_ms);
}

/* ---- starting -------------------------------------------------------------------------------- */

static bool may_download(const char *command) {
    static const char *const names[] = {"npx",    "bunx", "uvx",  "uv",   "docker",
                                        "podman", "go",   "pipx", "pnpm", "yarn"};
    const char *base = strrchr(command, '/');
    base = base ? base + 1 : command;
    for (size_t i = 0; i < COUNTOF(names); i++)
        if (strcmp(base, names[i]) == 0) return true;
    return false;
}

static bool passes_on(const mcp_definition *d, str name) {
    static const char *const always[] = {"HOME", "LANG",   "LOGNAME", "SHELL",
                                         "TERM", "TMPDIR", "TZ",      "USER"};
    for (size_t i = 0; i < COUNTOF(always); i++)
        if (str_eq(name, str_of(always[i]))) return true;
    if (str_starts_with(name, STR("LC_")) || str_starts_with(name, STR("XDG_"))) return true;
    for (size_t i = 0; i < d->env_passthrough.count; i++)
        if (str_eq(name, str_of(d->env_passthrough.at[i]))) return true;
    return false;
}

static bool sets(const mcp_definition *d, str name) {
    for (size_t i = 0; i < d->env.count; i++)
        if (str_eq(name, str_of(d->env.at[i].name))) return true;
    return false;
}

/* The environment of a child: a few names of ours, PATH, and what its definition sets. */
static void make_env(const server *s, arena *memory, mcp_texts *out) {
    const mcp_definition *d = s->def;
    vec_push(out, (const char *)arena_printf(memory, ORPHANS_VARIABLE "=%s", s->tag));
    for (char **e = environ; e && *e; e++) {
        str line = str_of(*e), name;
        if (!str_split(&line, '=', &name) || sets(d, name) || !passes_on(d, name)) continue;
        vec_push(out, (const char *)*e);
    }
    if (!sets(d, STR("PATH")) && s->host->search_path)
        vec_push(out, (const char *)arena_printf(memory, "PATH=%s", s->host->search_path));
    for (size_t i = 0; i < d->env.count; i++)
        vec_push(out, (const char *)arena_printf(memory, "%s=%s", d->env.at[i].name,
                                                 d->env.at[i].value));
}

const char *host_server_path(const server *s) {
    for (size_t i = 0; i < s->def->env.count; i++)
        if (strcmp(s->def->env.at[i].name, "PATH") == 0) return s->def->env.at[i].value;
    return s->host->search_path;
}

static status spawn(server *s, err *e) {
    arena memory;
    arena_init(&memory);
    mcp_texts env = {0};
    orphans_tag_make(s->tag);
    make_env(s, &memory, &env);
    const process_options o = {
        .command = s->def->command,
        .args = s->def->args.at,
        .n_args = s->def->args.count,
        .env = env.at,
        .n_env = env.count,
        .cwd = s->def->cwd ? s->def->cwd : s->host->workspace,
        .search = host_server_path(s),
    };
    const process_hooks hooks = {s, on_bytes, on_ended, on_closed};
    status st = process_start(&s->process, s->host->loop, &o, &hooks, e);
    if (st == OK) orphans_mark(s->host->marks, s->marked_pid = process_pid(s->process), s->tag);
    vec_free(&env);
    arena_deinit(&memory);
    return st;
}

/* ---- the url --------------------------------------------------------------------------------- */

static void on_refused(void *ud, int64_t id, const http_refusal *r) {
    server *s = ud;
    if (!s->session || !id) return;
    bool client_error = r->status >= 400 && r->status < 500;
    if (s->state == MCP_STARTING && (r->status == 401 || r->status == 403)) {
        char why[sizeof s->why];
        if (*s->auth_why)
            snprintf(why, sizeof why, "%.250s; see inlined mcp login %.80s", s->auth_why,
                     s->def->name);
        else
            snprintf(why, sizeof why, "it refuses its \"Authorization\" header (%s)", r->why);
        host_server_down(s, MCP_FAILED, MCP_NOT_STARTED, why);
        host_server_stop(s, THEN_IDLE);
        return;
    }
    if (s->state == MCP_STARTING && !session_is_probing(s->session) && client_error)
        s->http_refused = true;
    session_refused(s->session, id, r->code, r->why, r->data);
    host_server_settle(s);
    calls_run(s);
}

static void on_broken(void *ud, int64_t id, bool unsent, const char *why) {
    server *s = ud;
    if (!s->session) return;
    if (!id || (unsent && s->state == MCP_STARTING)) {
        crashed(s, why);
        return;
    }
    session_lost(s->session, id, unsent ? ERR_NOT_FOUND : ERR_IO, why);
    host_server_settle(s);
    calls_run(s);
}

/* Its session is over: it begins anew, and what was refused for that is asked again. */
static void on_session_gone(void *ud, int64_t id) {
    server *s = ud;
    if (!s->session) return;
    if (s->state == MCP_STARTING) {
        crashed(s, "it forgets its session at once");
        return;
    }
    call *c = call_by_handle(s, id);
    bool draining = s->drain_ms > 0;
    s->quiet = true;
    if (c && !c->sent_back && !draining) {
        session_cancel(s->session, c->handle, "");
        c->sent_back = true;
        c->state = CALL_QUEUED;
    }
    host_server_down(s, MCP_IDLE, MCP_SERVER_GONE, "its session ended");
    host_server_stop(s, draining ? THEN_IDLE : THEN_START);
}

static bool on_is_open(void *ud, int64_t id) {
    const server *s = ud;
    return s->session && session_waits_for(s->session, id);
}

static const char *find_output(void *ud, uint64_t number) {
    const mcp_host *h = ud;
    return spill_find(h->spill, number);
}

static status open_inside(server *s, err *e) {
    if (!s->host->built_in) return err_set(e, ERR_UNSUPPORTED, "there are no built-in tools here");
    own_options o = *s->host->built_in;
    o.outputs = find_output;
    o.outputs_ud = s->host;
    return inside_open(&s->inside, s->host->loop, &o, &(inside_hooks){s, on_bytes, on_closed}, e);
}

static status open_url(server *s) {
    http_hooks hooks = {.ud = s,
                        .bytes = on_bytes,
                        .refused = on_refused,
                        .broken = on_broken,
                        .session_gone = on_session_gone,
                        .is_open = on_is_open,
                        .closed = on_closed};
    bool old = s->def->transport == MCP_SSE || s->old_http;
    host_auth_open(s, &hooks);
    s->http = http_open(s->host->loop, s->def, old, &hooks);
    return OK;
}

static void open_session(server *s) {
    const mcp_definition *d = s->def;
    uint32_t normal =
        may_download(d->command ? d->command : "") ? LIMIT_MCP_START_SLOW_MS : LIMIT_MCP_START_MS;
    const session_options o = {
        .era = s->legacy_only || s->old_http || d->transport == MCP_SSE ? MCP_ERA_LEGACY : d->era,
        .http = d->transport == MCP_HTTP || d->transport == MCP_SSE,
        .forms = s->host->hooks.ask != NULL,
        .sampling = d->sampling && s->host->hooks.ask,
        .roots = d->roots,
        .start_ms = d->start_ms ? d->start_ms : normal,
    };
    const session_hooks hooks = {s,      on_send,     on_state,   on_changed, on_question,
                                 on_log, on_progress, on_updated, on_junk};
    s->session = session_new(&o, &hooks);
    session_start(s->session, clock_ms());
    host_server_tick(s, clock_ms());
}

void host_server_start(server *s) {
    if (s->stopping || s->drain_ms > 0) {
        s->then = MAX(s->then, THEN_START);
        return;
    }
    if (s->state == MCP_UNTRUSTED && !s->denied) ask_server(s);
    bool waits = s->state == MCP_BACKOFF && clock_ms() >= s->retry_ms;
    if (s->host->closing || (s->state != MCP_IDLE && !waits)) return;
    err e;
    s->begun_ms = clock_ms();
    s->starts++;
    host_server_set(s, MCP_STARTING, "");
    s->quiet = s->http_refused = false;
    status st = s->def->transport == MCP_STDIO      ? spawn(s, &e)
                : s->def->transport == MCP_BUILT_IN ? open_inside(s, &e)
                                                    : open_url(s);
    if (st != OK) {
        host_server_down(s, MCP_FAILED, MCP_NOT_STARTED, e.text);
        return;
    }
    open_session(s);
}

/* ---- time ------------------------------------------------------------------------------------ */

static void idle_check(server *s, double now) {
    uint32_t limit = s->def->idle_stop_ms ? s->def->idle_stop_ms : LIMIT_MCP_IDLE_STOP_MS;
    if (s->state != MCP_READY || s->calls.count || limit == UINT32_MAX || s->def->eager) return;
    if (now < s->used_ms + limit) {
        host_wake_at(s->host, s->used_ms + limit);
        return;
    }
    host_server_down(s, MCP_IDLE, MCP_CANCELLED, "unused");
    host_server_stop(s, THEN_IDLE);
}

void host_server_tick(server *s, double now_ms) {
    host_server_settle(s);
    for (size_t i = 0; s->session && i < s->lost.count; i++)
        session_lost(s->session, s->lost.at[i], ERR_NOT_FOUND, "it does not read what it is sent");
    vec_clear(&s->lost);
    if (s->session) {
        double next = session_tick(s->session, now_ms);
        if (next > 0) host_wake_at(s->host, next);
        host_server_settle(s);
    }
    host_health_tick(s, now_ms);
    calls_tick(s, now_ms);
    if (s->state == MCP_BACKOFF && s->calls.count && !s->stopping) {
        if (now_ms >= s->retry_ms)
            host_server_start(s);
        else
            host_wake_at(s->host, s->retry_ms);
    }
    calls_run(s);
    drain_tick(s, now_ms);
    idle_check(s, now_ms);
}
