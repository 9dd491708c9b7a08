/* SPDX-License-Identifier: Apache-2.0 */
/* See tools.h.
 *
 *     OFF ──tools_wake, tools_call──▶ UP (a host) ──tools_configure(false), close──▶ OFF
 *
 * The configuration that is in force is the last one in which every file could be read: half an
 * edit must not stop servers.  Thread: loop.
 */
#include "lsp/tools.h"

#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/vec.h"

#define NAME_BYTES 256
#define SEPARATOR "__"

typedef struct {
    char text[NAME_BYTES];
} tool_name;

typedef struct {
    uint64_t number, call; /* ours, the host's (0: it ended before it began) */
    mcp_done done;
    void *ud;
    tools *owner;
    uv_idle_t idle; /* only for a call that no server can take */
    bool has_idle;
} running;

struct tools {
    uv_loop_t *loop;
    tools_hooks hooks;
    char *workspace; /* "": none */
    bool enabled, built_in, closing;
    settings_list usual; /* patterns of built-in tools that are not spare */
    char *memory_file;
    own_options own; /* of the host */
    mcp_host *host;  /* NULL: OFF */
    uint64_t stamp;  /* of the files as they were read */
    VEC(running *) calls;
    uint64_t last;
    VEC(tool_name) names; /* of the last list */
    VEC(char *) asked;    /* servers that a person was asked about */
    size_t hosts_closing;
    void (*closed)(void *ud);
    void *closed_ud;
};

/* ---- configuration --------------------------------------------------------------------------- */

/* Of the files that describe servers: a change of any gives another number. */
static uint64_t stamp_of(const tools *t) {
    char **files = mcp_config_files(t->workspace[0] ? t->workspace : NULL);
    uint64_t h = 1;
    for (char **f = files; f && *f; f++) {
        h = file_stamp(h, *f);
        xfree(*f);
    }
    xfree(files);
    return h;
}

static bool has_own(const tools *t) {
    return t->built_in && t->workspace[0] && t->hooks.code;
}

static void read_files(tools *t) {
    mcp_config fresh;
    t->stamp = stamp_of(t);
    mcp_config_init(&fresh);
    mcp_config_discover(&fresh, t->workspace[0] ? t->workspace : NULL);
    if (has_own(t) && !mcp_config_find(&fresh, MCP_BUILT_IN_NAME))
        vec_push(&fresh.servers, mcp_definition_new_built_in());
    if (t->hooks.read) t->hooks.read(t->hooks.ud, &fresh);
    if (fresh.broken > 0 && mcp_server_count(t->host) > 0)
        log_info("mcp", "a file cannot be read: the servers stay as they were");
    else
        mcp_host_configure(t->host, &fresh);
    mcp_config_deinit(&fresh);
}

static void on_ask(void *ud, const mcp_question *q) {
    tools *t = ud;
    if (t->hooks.ask)
        t->hooks.ask(t->hooks.ud, q);
    else
        mcp_decide(t->host, q->id, MCP_DENY, NULL);
}

static void on_changed(void *ud, const char *server) {
    tools *t = ud;
    UNUSED(server);
    if (t->hooks.changed && !t->closing) t->hooks.changed(t->hooks.ud);
}

static void bring_up(tools *t) {
    if (t->host || !t->enabled || t->closing) return;
    char *state = mcp_folder(MCP_FOLDER_STATE), *cache = mcp_folder(MCP_FOLDER_CACHE);
    xfree(t->memory_file);
    t->memory_file = mcp_memory_file();
    t->own = (own_options){.workspace = t->workspace,
                           .privacy = t->hooks.privacy,
                           .memory_file = t->memory_file,
                           .search_path = getenv("PATH"),
                           .code = t->hooks.code,
                           .ud = t->hooks.ud};
    const mcp_options o = {.workspace = t->workspace[0] ? t->workspace : NULL,
                           .state_dir = state,
                           .cache_dir = cache,
                           .redis = getenv("INLINED_REDIS"),
                           .built_in = has_own(t) ? &t->own : NULL};
    const mcp_hooks hooks = {.ud = t, .ask = on_ask, .changed = on_changed};
    t->host = mcp_host_new(t->loop, &o, &hooks);
    read_files(t);
    xfree(state);
    xfree(cache);
}

/* ---- life ------------------------------------------------------------------------------------ */

tools *tools_new(uv_loop_t *loop, const tools_hooks *hooks) {
    tools *t = xcalloc(1, sizeof *t);
    t->loop = loop;
    t->hooks = *hooks;
    t->workspace = xstrdup("");
    return t;
}

static void forget_asked(tools *t) {
    for (size_t i = 0; i < t->asked.count; i++)
        xfree(t->asked.at[i]);
    vec_clear(&t->asked);
}

static void finish_close(tools *t) {
    if (!t->closing || t->hosts_closing > 0) return;
    void (*closed)(void *ud) = t->closed;
    void *ud = t->closed_ud;
    forget_asked(t);
    vec_free(&t->asked);
    vec_free(&t->names);
    vec_free(&t->calls);
    xfree(t->workspace);
    xfree(t->memory_file);
    xfree(t);
    closed(ud);
}

static void on_host_closed(void *ud) {
    tools *t = ud;
    t->hosts_closing--;
    finish_close(t);
}

static void free_running(uv_handle_t *h) {
    running *r = h->data;
    tools *t = r->owner;
    xfree(r);
    t->hosts_closing--;
    finish_close(t);
}

/* Takes it out of the list. */
static void forget(tools *t, running *r) {
    for (size_t i = 0; i < t->calls.count; i++) {
        if (t->calls.at[i] != r) continue;
        vec_remove(&t->calls, i);
        break;
    }
    if (!r->has_idle) {
        xfree(r);
        return;
    }
    t->hosts_closing++;
    uv_close((uv_handle_t *)&r->idle, free_running);
}

static void take_down(tools *t) {
    for (size_t i = t->calls.count; i > 0; i--)
        tools_cancel(t, t->calls.at[i - 1]->number); /* the host's own end as it closes */
    if (!t->host) return;
    forget_asked(t); /* an answer to an open question would come to a host that is gone */
    t->hosts_closing++;
    mcp_host_close(t->host, on_host_closed, t);
    t->host = NULL;
}

void tools_close(tools *t, void (*closed)(void *ud), void *ud) {
    t->closing = true;
    t->closed = closed;
    t->closed_ud = ud;
    t->hosts_closing++; /* until we are through here */
    take_down(t);
    t->hosts_closing--;
    finish_close(t);
}

void tools_configure(tools *t, const char *workspace, bool enabled, bool built_in,
                     const settings_list *usual) {
    bool moved = strcmp(workspace, t->workspace) != 0 || built_in != t->built_in;
    t->enabled = enabled;
    t->built_in = built_in;
    t->usual = *usual;
    if (moved) {
        xfree(t->workspace);
        t->workspace = xstrdup(workspace);
    }
    if (t->host && (moved || !enabled)) take_down(t);
}

void tools_tick(tools *t) {
    if (t->host && stamp_of(t) != t->stamp) read_files(t);
}

/* ---- servers --------------------------------------------------------------------------------- */

static bool is_news(tools *t, const char *server) {
    for (size_t i = 0; i < t->asked.count; i++)
        if (!strcmp(t->asked.at[i], server)) return false;
    if (t->asked.count < LIMIT_MCP_SERVERS) vec_push(&t->asked, xstrdup(server));
    return true;
}

void tools_wake(tools *t) {
    bring_up(t);
    mcp_server_info s;
    for (size_t i = 0; t->host && mcp_server_at(t->host, i, &s); i++)
        if (s.state == MCP_IDLE || (s.state == MCP_UNTRUSTED && is_news(t, s.name)))
            mcp_server_start(t->host, s.name);
}

bool tools_are_starting(const tools *t) {
    mcp_server_info s;
    for (size_t i = 0; t->host && mcp_server_at(t->host, i, &s); i++)
        if (s.definition->transport == MCP_BUILT_IN) return s.state == MCP_STARTING;
    return false;
}

mcp_host *tools_host(tools *t) {
    return t->host;
}

const char *tools_slow_start(const tools *t) {
    mcp_server_info s;
    for (size_t i = 0; t->host && mcp_server_at(t->host, i, &s); i++)
        if (s.starting_ms >= LIMIT_MCP_SHOW_START_MS) return s.name;
    return NULL;
}

/* ---- tools ----------------------------------------------------------------------------------- */

static bool is_spare(const tools *t, const mcp_server_info *s, const char *tool) {
    if (s->definition->transport != MCP_BUILT_IN) return false;
    for (int i = 0; i < t->usual.count; i++)
        if (mcp_pattern_matches(t->usual.at[i], tool)) return false;
    return true;
}

size_t tools_list(tools *t, agent_tool *out, size_t max) {
    size_t n = 0;
    mcp_server_info s;
    bring_up(t);
    vec_clear(&t->names);
    vec_reserve(&t->names, max);
    for (size_t i = 0; t->host && mcp_server_at(t->host, i, &s); i++) {
        const mcp_tool *tool;
        for (size_t k = 0; n < max && (tool = mcp_tool_at(t->host, s.name, k)); k++) {
            tool_name *name = &t->names.at[n];
            int len =
                snprintf(name->text, sizeof name->text, "%s" SEPARATOR "%s", s.name, tool->name);
            if (tool->quarantined || len >= NAME_BYTES) continue;
            out[n++] = (agent_tool){
                .name = name->text,
                .description = tool->description,
                .schema = cJSON_GetObjectItemCaseSensitive(tool->definition, "inputSchema"),
                .spare = is_spare(t, &s, tool->name)};
        }
    }
    return n;
}

/* Which server and tool a name means; false: none.  Names of servers may hold the separator. */
static bool resolve(tools *t, const char *name, char server[NAME_BYTES], const char **tool) {
    for (const char *at = strstr(name, SEPARATOR); at; at = strstr(at + 1, SEPARATOR)) {
        mcp_server_info s;
        size_t n = (size_t)(at - name);
        if (n >= NAME_BYTES) return false;
        memcpy(server, name, n);
        server[n] = '\0';
        *tool = at + strlen(SEPARATOR);
        if (mcp_server_get(t->host, server, &s) && mcp_tool_find(t->host, server, *tool))
            return true;
    }
    return false;
}

static void on_answer(void *ud, const mcp_answer *a) {
    running *r = ud;
    mcp_done done = r->done;
    void *done_ud = r->ud;
    mcp_answer copy = *a;
    copy.call = r->number;
    forget(r->owner, r);
    done(done_ud, &copy);
}

static void on_idle(uv_idle_t *idle) {
    running *r = idle->data;
    on_answer(r, &(mcp_answer){.outcome = MCP_UNKNOWN,
                               .message = "no server that is ready has this tool",
                               .text = STR("")});
}

uint64_t tools_call(tools *t, const mcp_order *order, mcp_done done, void *ud) {
    char server[NAME_BYTES];
    const char *tool = NULL;
    running *r = xcalloc(1, sizeof *r);
    *r = (running){.number = ++t->last, .done = done, .ud = ud, .owner = t};
    uint64_t number = r->number;
    vec_push(&t->calls, r);
    bring_up(t);
    if (t->host && resolve(t, order->name, server, &tool)) {
        mcp_order o = *order;
        o.server = server;
        o.name = tool;
        r->call = mcp_call(t->host, &o, on_answer, r);
        return number;
    }
    r->has_idle = true;
    uv_idle_init(t->loop, &r->idle);
    r->idle.data = r;
    uv_idle_start(&r->idle, on_idle);
    return number;
}

static void on_nobody(void *ud, const mcp_answer *a) {
    UNUSED(ud);
    UNUSED(a);
}

void tools_cancel(tools *t, uint64_t call) {
    for (size_t i = 0; i < t->calls.count; i++) {
        running *r = t->calls.at[i];
        if (r->number != call) continue;
        r->done = on_nobody;
        if (r->call && t->host)
            mcp_cancel(t->host, r->call);
        else
            forget(t, r);
        return;
    }
}

void tools_decide(tools *t, uint64_t question, mcp_decision d, const cJSON *content) {
    if (t->host) mcp_decide(t->host, question, d, content);
}
