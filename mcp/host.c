/* SPDX-License-Identifier: Apache-2.0 */
/* The host: its life, its configuration, its one timer, and what it tells about its servers.
 *
 * One timer stands for every deadline: host_wake_at moves it forward, a tick looks at everything
 * that may be due and computes the next time.  A tick that comes early does nothing.
 * Owns the servers (each frees itself when its process is gone).  Thread: loop. */
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "mcp/changes.h"
#include "mcp/host_private.h"

const char *mcp_state_name(mcp_state s) {
    static const char *const names[] = {
        [MCP_DISABLED] = "disabled", [MCP_UNTRUSTED] = "untrusted", [MCP_IDLE] = "idle",
        [MCP_STARTING] = "starting", [MCP_READY] = "ready",         [MCP_DEGRADED] = "degraded",
        [MCP_BACKOFF] = "backoff",   [MCP_FAILED] = "failed",       [MCP_DRAINING] = "draining",
    };
    return names[s];
}

const char *mcp_outcome_name(mcp_outcome o) {
    static const char *const names[] = {
        [MCP_OK] = "ok",
        [MCP_TOOL_ERROR] = "tool-error",
        [MCP_RPC_ERROR] = "rpc-error",
        [MCP_TIMEOUT] = "timeout",
        [MCP_IDLE_TIMEOUT] = "idle-timeout",
        [MCP_CANCELLED] = "cancelled",
        [MCP_SERVER_GONE] = "server-gone",
        [MCP_NOT_STARTED] = "not-started",
        [MCP_DENIED] = "denied",
        [MCP_BUSY] = "busy",
        [MCP_TOO_LARGE] = "too-large",
        [MCP_UNKNOWN] = "unknown",
    };
    return names[o];
}

/* ---- the timer ------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *t) {
    mcp_host *h = t->data;
    double now = clock_ms();
    h->due_ms = 0;
    for (size_t i = 0; i < h->graves.count; i++)
        session_free(h->graves.at[i]);
    vec_clear(&h->graves);
    call_tell_ended(h);
    for (size_t i = 0; i < h->servers.count; i++)
        host_server_tick(h->servers.at[i], now);
    asks_tick(h, now);
    call_tell_ended(h);
}

void host_wake_at(mcp_host *h, double when_ms) {
    if (uv_is_closing((uv_handle_t *)&h->timer)) return;
    double now = clock_ms();
    if (h->due_ms > now && h->due_ms <= when_ms) return;
    if (h->due_ms > 0 && h->due_ms < when_ms) when_ms = h->due_ms; /* late: the clock has jumped */
    h->due_ms = when_ms > now ? when_ms : now;
    uv_update_time(h->loop);
    uv_timer_start(&h->timer, on_timer, (uint64_t)(h->due_ms - now + 0.999), 0);
}

/* ---- life ------------------------------------------------------------------------------------ */

static char *copy(const char *text) {
    return text ? xstrdup(text) : NULL;
}

static void open_marks(mcp_host *h) {
    if (!h->state_dir) return;
    strbuf path;
    strbuf_init(&path, 1u << 16);
    strbuf_addf(&path, "%s/processes", h->state_dir);
    h->marks = strbuf_take(&path);
    mcp_folder_make(h->marks);
    orphans_sweep(h->marks);
}

mcp_host *mcp_host_new(uv_loop_t *loop, const mcp_options *options, const mcp_hooks *hooks) {
    mcp_host *h = xcalloc(1, sizeof *h);
    h->loop = loop;
    h->hooks = *hooks;
    h->workspace = copy(options->workspace);
    h->state_dir = copy(options->state_dir);
    h->cache_dir = copy(options->cache_dir);
    h->built_in = options->built_in;
    h->search_path = copy(options->search_path ? options->search_path : getenv("PATH"));
    if (h->state_dir) mcp_folder_make(h->state_dir);
    if (h->cache_dir) mcp_folder_make(h->cache_dir);
    h->approvals = approvals_open(h->state_dir);
    h->tokens = tokens_open(h->state_dir);
    h->spill = spill_new(h->cache_dir);
    h->cache = cache_new();
    open_marks(h);
    uv_timer_init(loop, &h->timer);
    h->timer.data = h;
    host_shared_open(h, options->redis);
    return h;
}

static void free_host(void *ud) {
    mcp_host *h = ud;
    void (*closed)(void *ud) = h->closed;
    void *closed_ud = h->closed_ud;
    for (size_t i = 0; i < h->graves.count; i++)
        session_free(h->graves.at[i]);
    approvals_free(h->approvals);
    tokens_free(h->tokens);
    spill_free(h->spill);
    cache_free(h->cache);
    xfree(h->marks);
    vec_free(&h->graves);
    vec_free(&h->servers);
    vec_free(&h->ended);
    vec_free(&h->questions);
    xfree(h->workspace);
    xfree(h->state_dir);
    xfree(h->cache_dir);
    xfree(h->search_path);
    xfree(h);
    if (closed) closed(closed_ud);
}

static void on_timer_closed(uv_handle_t *handle) {
    mcp_host *h = handle->data;
    if (h->redis)
        redis_close(h->redis, free_host, h);
    else
        free_host(h);
}

void host_maybe_closed(mcp_host *h) {
    if (!h->closing || h->servers.count || h->sweeps || uv_is_closing((uv_handle_t *)&h->timer))
        return;
    call_tell_ended(h);
    uv_close((uv_handle_t *)&h->timer, on_timer_closed);
}

void mcp_host_close(mcp_host *h, void (*closed)(void *ud), void *ud) {
    ASSERT(!h->closing);
    h->closed = closed;
    h->closed_ud = ud;
    for (size_t i = h->servers.count; i-- > 0;) {
        if (i >= h->servers.count) continue; /* one that had no process is gone already */
        host_server_down(h->servers.at[i], MCP_IDLE, MCP_CANCELLED, "the host is closing");
        host_server_stop(h->servers.at[i], THEN_FREE);
    }
    h->closing = true;
    host_maybe_closed(h);
}

/* ---- configuration --------------------------------------------------------------------------- */

server *host_find(const mcp_host *h, const char *name) {
    for (size_t i = 0; i < h->servers.count; i++) {
        server *s = h->servers.at[i];
        bool leaving = s->stopping && s->then == THEN_FREE;
        if (!leaving && strcmp(s->def->name, name) == 0) return s;
    }
    return NULL;
}

static bool same_texts(const void *a, const void *b, size_t na, size_t nb) {
    const char *const *x = a, *const *y = b;
    if (na != nb) return false;
    for (size_t i = 0; i < na; i++)
        if (strcmp(x[i], y[i]) != 0) return false;
    return true;
}

static bool same_pairs(const mcp_pairs *a, const mcp_pairs *b) {
    if (a->count != b->count) return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->at[i].name, b->at[i].name) != 0 ||
            strcmp(a->at[i].value, b->at[i].value) != 0)
            return false;
    return true;
}

static bool same_text(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_oauth(const mcp_oauth *a, const mcp_oauth *b) {
    const char *const texts[][2] = {{a->client_id, b->client_id},
                                    {a->client_secret, b->client_secret},
                                    {a->issuer, b->issuer},
                                    {a->key, b->key},
                                    {a->client_document, b->client_document},
                                    {a->scope, b->scope},
                                    {a->assertion, b->assertion},
                                    {a->assertion_file, b->assertion_file},
                                    {a->idp_token_url, b->idp_token_url},
                                    {a->idp_client_id, b->idp_client_id},
                                    {a->idp_token, b->idp_token}};
    for (size_t i = 0; i < COUNTOF(texts); i++)
        if (!same_text(texts[i][0], texts[i][1])) return false;
    return a->off == b->off && a->grant == b->grant && a->port == b->port;
}

/* Whether a server that runs under `a` may go on under `b`. */
static bool same_server(const mcp_definition *a, const mcp_definition *b) {
    char ha[65], hb[65];
    mcp_definition_hash(a, ha);
    mcp_definition_hash(b, hb);
    return strcmp(ha, hb) == 0 && same_pairs(&a->env, &b->env) &&
           same_pairs(&a->headers, &b->headers) && same_oauth(&a->oauth, &b->oauth) &&
           a->disabled == b->disabled && a->era == b->era && a->roots == b->roots &&
           a->sampling == b->sampling && a->scope == b->scope && !a->problem == !b->problem &&
           same_texts(a->env_passthrough.at, b->env_passthrough.at, a->env_passthrough.count,
                      b->env_passthrough.count);
}

static void take_definition(mcp_host *h, mcp_definition *d) {
    server *old = host_find(h, d->name);
    bool more_time = old && old->def->start_ms != d->start_ms;
    if (old && same_server(old->def, d)) { /* limits and rules may differ: they apply from now on */
        mcp_definition_free(old->def);
        old->def = d;
        if (old->auth) oauth_moved(auth_machine(old->auth), d);
        if (old->state == MCP_FAILED && d->problem)
            host_server_set(old, MCP_FAILED, d->problem);
        else if (old->state == MCP_FAILED && more_time)
            host_health_forgive(old);
        return;
    }
    if (old) {
        host_server_down(old, MCP_IDLE, MCP_CANCELLED, "its configuration changed");
        host_server_stop(old, THEN_FREE);
    }
    if (h->servers.count >= LIMIT_MCP_SERVERS) {
        log_warn("mcp", "too many servers; one is left out name=%s", d->name);
        mcp_definition_free(d);
        return;
    }
    server *s = host_server_new(h, d);
    vec_push(&h->servers, s);
    if (d->eager) host_server_start(s);
}

void mcp_host_configure(mcp_host *h, mcp_config *config) {
    for (size_t i = h->servers.count; i-- > 0;) {
        server *s = i < h->servers.count ? h->servers.at[i] : NULL;
        if (!s || mcp_config_find(config, s->def->name)) continue;
        host_server_down(s, MCP_IDLE, MCP_CANCELLED, "it is no longer configured");
        host_server_stop(s, THEN_FREE);
    }
    for (size_t i = 0; i < config->servers.count; i++)
        take_definition(h, config->servers.at[i]);
    vec_clear(&config->servers);
    host_wake_at(h, clock_ms());
}

void mcp_server_start(mcp_host *h, const char *name) {
    server *s = host_find(h, name);
    if (!s) return;
    if (s->state == MCP_FAILED || s->state == MCP_BACKOFF) host_health_forgive(s);
    s->denied = false;
    host_server_start(s);
}

void mcp_server_stop(mcp_host *h, const char *name) {
    server *s = host_find(h, name);
    bool startable = s && s->state != MCP_DISABLED && s->state != MCP_UNTRUSTED;
    if (!startable || s->def->problem) return;
    host_server_drain(s, "the server was stopped");
}

void mcp_server_restart(mcp_host *h, const char *name) {
    server *s = host_find(h, name);
    if (!s) return;
    mcp_server_stop(h, name);
    if (s->stopping || s->drain_ms > 0)
        s->then = THEN_START;
    else
        mcp_server_start(h, name);
}

/* ---- approval -------------------------------------------------------------------------------- */

bool mcp_server_approve(mcp_host *h, const char *name) {
    server *s = host_find(h, name);
    if (!s) return false;
    approvals_add_server(h->approvals, s->hash, s->def->name);
    const catalogue_list *l = host_server_list(s, LIST_TOOLS);
    for (size_t i = 0; i < l->tools.count; i++) {
        approvals_set_pin(h->approvals, s->hash, l->tools.at[i].name, l->tools.at[i].pin,
                          l->tools.at[i].definition);
        l->tools.at[i].quarantined = false;
    }
    approvals_save(h->approvals);
    if (s->state == MCP_UNTRUSTED) host_server_set(s, MCP_IDLE, "");
    return true;
}

bool mcp_tool_changes(mcp_host *h, const char *name, const char *tool, strbuf *out) {
    const server *s = host_find(h, name);
    const mcp_tool *t = s ? catalogue_tool(host_server_list(s, LIST_TOOLS), tool) : NULL;
    const cJSON *before = t ? approvals_definition(h->approvals, s->hash, tool) : NULL;
    if (!t || !t->quarantined) return false;
    if (before) changes_show(out, before, t->definition);
    return true;
}

void mcp_server_forget(mcp_host *h, const char *name) {
    server *s = host_find(h, name);
    if (!s) return;
    approvals_remove_server(h->approvals, s->hash);
    approvals_save(h->approvals);
    if (s->def->url) tokens_forget(h->tokens, s->def->url);
}

/* ---- what there is --------------------------------------------------------------------------- */

size_t mcp_server_count(const mcp_host *h) {
    return h->servers.count;
}

static const char *text_or_none(const char *text) {
    return text ? text : "";
}

static void tell_session(const server *s, mcp_server_info *out) {
    const session *n = s->session;
    out->protocol = n ? session_protocol(n) : s->protocol;
    out->modern = n ? session_is_modern(n) : s->modern;
    out->server_name = n ? session_server_name(n) : text_or_none(s->name_said);
    out->server_version = n ? session_server_version(n) : text_or_none(s->version_said);
    out->instructions = n ? session_instructions(n) : text_or_none(s->instructions);
    out->oddities = n ? session_oddities(n) : text_or_none(s->oddities);
    out->tools = host_server_list(s, LIST_TOOLS)->tools.count;
    out->resources = host_server_list(s, LIST_RESOURCES)->resources.count +
                     host_server_list(s, LIST_TEMPLATES)->resources.count;
    out->prompts = host_server_list(s, LIST_PROMPTS)->prompts.count;
    for (int k = 0; k < LIST_COUNT; k++)
        out->catalogue_bytes += host_server_list(s, (list_kind)k)->bytes;
}

static void tell(server *s, mcp_server_info *out) {
    if (s->process) {
        strbuf tail;
        strbuf_init(&tail, 1u << 16);
        process_stderr_tail(s->process, &tail, 2048);
        xfree(s->stderr_tail);
        s->stderr_tail = tail.ptr ? strbuf_take(&tail) : NULL;
        strbuf_deinit(&tail);
    }
    double now = clock_ms(), wait = s->retry_ms - now;
    *out = (mcp_server_info){
        .name = s->def->name,
        .definition = s->def,
        .state = s->state,
        .why = s->why,
        .pid = s->process ? process_pid(s->process) : 0,
        .ready_ms = s->ready_ms,
        .retry_in_ms = s->state == MCP_BACKOFF && wait > 0 ? wait : 0,
        .starting_ms = s->state == MCP_STARTING ? now - s->begun_ms : 0,
        .starts = s->starts,
        .exits = s->exits,
        .junk_lines = s->junk_lines,
        .stderr_bytes = s->stderr_bytes + (s->process ? process_stderr_bytes(s->process) : 0),
        .late_answers = s->late_answers,
        .first_junk = text_or_none(s->first_junk),
        .stderr_tail = text_or_none(s->stderr_tail),
        .numbers = {.calls = s->n_calls,
                    .errors = s->n_errors,
                    .timeouts = s->n_timeouts,
                    .cancelled = s->n_cancelled,
                    .cache_hits = s->n_cached,
                    .p50_us = histogram_quantile(&s->times, 0.50),
                    .p90_us = histogram_quantile(&s->times, 0.90),
                    .p95_us = histogram_quantile(&s->times, 0.95),
                    .p99_us = histogram_quantile(&s->times, 0.99),
                    .max_us = histogram_max(&s->times),
                    .took_us = s->took_us},
    };
    memcpy(out->numbers.took, s->took, sizeof s->took);
    tell_session(s, out);
}

bool mcp_server_at(mcp_host *h, size_t index, mcp_server_info *out) {
    if (index >= h->servers.count) return false;
    tell(h->servers.at[index], out);
    return true;
}

bool mcp_server_get(mcp_host *h, const char *name, mcp_server_info *out) {
    server *s = host_find(h, name);
    if (s) tell(s, out);
    return s != NULL;
}

const mcp_tool *mcp_tool_at(mcp_host *h, const char *name, size_t index) {
    const server *s = host_find(h, name);
    const catalogue_list *l = s ? host_server_list(s, LIST_TOOLS) : NULL;
    return l && index < l->tools.count ? &l->tools.at[index] : NULL;
}

const mcp_tool *mcp_tool_find(mcp_host *h, const char *name, const char *tool) {
    const server *s = host_find(h, name);
    return s ? catalogue_tool(host_server_list(s, LIST_TOOLS), tool) : NULL;
}

const mcp_resource *mcp_resource_at(mcp_host *h, const char *name, size_t index) {
    const server *s = host_find(h, name);
    if (!s) return NULL;
    const catalogue_list *l = host_server_list(s, LIST_RESOURCES);
    if (index < l->resources.count) return &l->resources.at[index];
    index -= l->resources.count;
    l = host_server_list(s, LIST_TEMPLATES);
    return index < l->resources.count ? &l->resources.at[index] : NULL;
}

const mcp_prompt *mcp_prompt_at(mcp_host *h, const char *name, size_t index) {
    const server *s = host_find(h, name);
    const catalogue_list *l = s ? host_server_list(s, LIST_PROMPTS) : NULL;
    return l && index < l->prompts.count ? &l->prompts.at[index] : NULL;
}
