/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The parts of the host that its files share.  Thread: loop. */
#include "mcp/approvals.h"
#include "mcp/auth.h"
#include "mcp/cache.h"
#include "mcp/histogram.h"
#include "mcp/http.h"
#include "mcp/inside.h"
#include "mcp/orphans.h"
#include "mcp/output.h"
#include "mcp/process.h"
#include "mcp/redis.h"
#include "mcp/session.h"

typedef struct server server;

/* Somebody who waits for a call: more than one when equal look-ups were joined. */
typedef struct {
    uint64_t id;
    mcp_done done;
    void *ud;
    double until_ms; /* its deadline; 0: none */
} waiter;

typedef enum { CALL_QUEUED, CALL_LOOKING, CALL_ASKING, CALL_RUNNING, CALL_ENDED } call_state;

/* A call from mcp_call to its answers; in exactly one of server.calls and host.ended. */
typedef struct {
    mcp_host *host;
    server *server; /* NULL: there is no such server */
    call_state state;
    mcp_verb verb;
    char *name;
    cJSON *arguments;
    mcp_purpose purpose;
    bool approved;
    bool sent_back; /* the server's session was gone: it had no effect and waits again, once */
    bool shared;    /* equal calls may join it */
    char key[65];   /* of verb, name and arguments */
    bool cacheable; /* its result may be kept for a while */
    cJSON *cached;  /* ENDED: the result that was kept */
    double age_ms;  /* ENDED: of one that is not fresh; else 0 */
    uint64_t look;  /* the number of its question to Redis; 0: not asked */
    size_t output_max;
    uint64_t epoch; /* RUNNING: the server's, when it was sent */
    double queued_ms, idle_ms, total_ms;
    double begun_ms, life_ms; /* RUNNING: when, and the last sign of life */
    uint64_t queued_us, begun_us;
    int64_t handle; /* RUNNING: of the session */
    VEC(waiter) waiters;
    mcp_outcome outcome; /* ENDED, to be told at the next turn */
    char why[384];
} call;

/* Why a process is being ended. */
typedef enum { THEN_IDLE, THEN_START, THEN_FREE } then_do;

struct server {
    mcp_host *host;
    mcp_definition *def;
    char hash[65];
    mcp_state state;
    char why[384];
    session *session;
    process *process; /* or */
    http_link *http;  /* or */
    inside *inside;
    auth *auth;         /* beside http, unless its headers have an Authorization */
    bool authorizing;   /* its requests wait for a token */
    char auth_why[384]; /* why there is none; "" */
    bool quiet;         /* nothing is sent any more: the connection is going down */
    bool old_http;      /* its url speaks the old HTTP+SSE */
    bool http_refused;  /* the handshake was refused by HTTP itself */
    bool broken;        /* the session failed: to be settled outside of its hooks */
    bool denied;        /* a person said no to its start */
    bool legacy_only;   /* it ended when it was probed in the modern way */
    bool stopping;      /* its process is being ended; `then` says what follows */
    double drain_ms;    /* DRAINING, not yet `stopping`: until when its calls may end; else 0 */
    then_do then;
    uint64_t asked; /* question about its start that is open; 0: none */
    int open_questions;
    double begun_ms, since_ms, used_ms, ready_ms, retry_ms;
    int failures; /* in a row, for the pause */
    double crashes[LIMIT_MCP_CRASHES];
    size_t n_crashes;
    double heard_ms;   /* when the process wrote last */
    int64_t ping;      /* handle of one that is under way; 0: none */
    double ping_ms;    /* until when it may be answered */
    int probes;        /* DEGRADED: pings that were not answered */
    bool probe_lost;   /* DEGRADED: the last one did not arrive */
    double probe_ms;   /* DEGRADED: when the next one is due */
    uint64_t taken;    /* what the process had read when it was last looked at */
    double taken_ms;   /* since when it has read no more than that */
    uint64_t files;    /* FAILED: what its program was like */
    double look_ms;    /* FAILED: when to look at it again */
    int timeouts;      /* in a row */
    uint64_t epoch;    /* calls that may have changed something */
    double forgot_ms;  /* by the wall clock: when its kept results became untrue */
    int marked_pid;    /* of the process; 0: none */
    orphans_tag tag;   /* of the process and all that it starts */
    VEC(call *) calls; /* queued, asking and running; those that wait in order of urgency */
    VEC(int64_t) lost; /* ids of requests that could not be written */
    catalogue_list kept[LIST_COUNT]; /* what it offered when it last ran */
    char *stderr_tail, *first_junk, *name_said, *version_said, *instructions, *oddities;
    char protocol[16];
    bool modern;
    uint64_t starts, exits, junk_lines, late_answers, stderr_bytes;
    uint64_t n_calls, n_errors, n_timeouts, n_cancelled, n_cached;
    uint64_t took[MCP_TIME_BUCKETS + 1], took_us;
    histogram times;
};

typedef struct {
    uint64_t id;
    mcp_ask kind;
    server *server;
    call *call;      /* MCP_ASK_TOOL */
    bool login;      /* MCP_ASK_URL: it is ours, not the server's */
    uint64_t number; /* of the session's question */
    cJSON *schema;   /* MCP_ASK_FORM: for its defaults */
    double until_ms;
} asked;

struct mcp_host {
    uv_loop_t *loop;
    uv_timer_t timer;
    double due_ms; /* when the timer fires; 0: it does not run */
    mcp_hooks hooks;
    char *workspace, *state_dir, *cache_dir, *search_path;
    const own_options *built_in;
    char *marks; /* folder of the marks of running servers, or NULL */
    approvals *approvals;
    tokens *tokens;
    cache *cache;
    redis *redis;   /* NULL: none */
    char place[65]; /* with redis: where results that depend on this machine are found from */
    spill *spill;
    size_t sweeps; /* of what ended servers left behind, under way on another thread */
    VEC(server *) servers;
    VEC(call *) ended;     /* to be told at the next turn */
    VEC(session *) graves; /* silent, to be freed at the next turn */
    VEC(asked) questions;
    uint64_t last_id; /* of calls and questions */
    bool closing;
    void (*closed)(void *ud);
    void *closed_ud;
};

/* ---- host.c ---- */
void host_wake_at(mcp_host *h, double when_ms);
server *host_find(const mcp_host *h, const char *name);
void host_maybe_closed(mcp_host *h);

/* ---- host_server.c ---- */
server *host_server_new(mcp_host *h, mcp_definition *def); /* takes `def` */
void host_server_free(server *s);
void host_server_start(server *s); /* as far as its state allows */
/* Ends the connection: calls that run get `outcome`, those that wait get NOT_STARTED. */
/* The pause before start number `failures` after the first, 20 % more or less by `chance`: servers
 * that fell together do not rise together. */
double host_backoff_ms(int failures, uint64_t chance);
void host_server_down(server *s, mcp_state next, mcp_outcome outcome, const char *why);
void host_server_stop(server *s, then_do then);
/* As a person wants it: what waits is cancelled, what runs has MCP_DRAIN_MS to end. */
void host_server_drain(server *s, const char *why);
void host_server_settle(server *s); /* after anything that may have broken its session */
void host_server_tick(server *s, double now_ms);
const char *host_server_path(const server *s); /* where its command is looked for; may be NULL */
const catalogue_list *host_server_list(const server *s, list_kind k);
void host_server_set(server *s, mcp_state next, const char *why);

/* ---- host_health.c ---- */
/* An answer to a call came: it is well. */
void host_health_good(server *s);
/* One call more that was not answered in time. */
void host_health_bad(server *s);
void host_health_entered(server *s);         /* the state that it is in now */
bool host_health_write(server *s, str line); /* to its process; false: it reads nothing */
void host_health_tick(server *s, double now_ms);
/* Asks for a sign of life before it gets a call; true: wait for it. */
bool host_health_ping_first(server *s);
/* FAILED: it becomes IDLE when its program has changed since. */
void host_health_look(server *s);
void host_health_forgive(server *s); /* FAILED, BACKOFF: to IDLE, nothing is held against it */

/* ---- host_call.c ---- */
void call_finish(call *c, const mcp_answer *a); /* tells all waiters, frees it */
/* Takes it off its server; its waiters are told at the next turn. */
void call_fail(call *c, mcp_outcome outcome, const char *fmt, ...) PRINTF_LIKE(3, 4);
void calls_run(server *s); /* sends what may be sent */
void calls_tick(server *s, double now_ms);
size_t calls_running(const server *s);
void call_tell_ended(mcp_host *h);
call *call_by_handle(const server *s, int64_t handle);
/* Answers with a kept result (taken), at the next turn. */
void call_end_kept(call *c, cJSON *result);

/* ---- host_shared.c ---- */
void host_shared_open(mcp_host *h, const char *url);
void host_results_forget(server *s); /* its kept results, wherever they are */
bool host_shared_ask(call *c);       /* true: it is LOOKING now */
void host_shared_keep(const call *c, const rpc_answer *from, double ms);

/* ---- host_auth.c ---- */
/* Adds what a server behind a url needs for tokens, unless it has its own. */
void host_auth_open(server *s, http_hooks *hooks);

/* ---- host_ask.c ---- */
typedef enum { POLICY_ALLOW, POLICY_ASK, POLICY_DENY } policy;
policy policy_of(const call *c, const mcp_tool *t, const char **why);
void ask_server(server *s);
void ask_tool(call *c, const mcp_tool *t);
void ask_login(server *s, const char *url);
void asks_forget_login(server *s);
void ask_session(server *s, const session_question *q);
void asks_forget(mcp_host *h, const server *s, const call *c); /* one of them NULL */
void asks_tick(mcp_host *h, double now_ms);
