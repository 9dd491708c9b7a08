/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The MCP host: servers that run beside us, what they offer, and calls to them.
 *
 * A host lives on one libuv loop and never blocks it.  Servers come from a configuration
 * (mcp/config.h); each is a child process or a URL, is started at its first use (or at once, when
 * it is `eager`) and is independent of all others.  Calls are queued per server, bounded in time
 * and number, and each ends in exactly one call of its `done`, never from inside mcp_call.  A call
 * that may have reached its server is never sent again.
 *
 * Whatever a server says is data: texts in answers and descriptions are cleaned of escapes and
 * invisible characters, and bounded.  Memory that hooks and `done` see is valid during the call.
 * Thread: the loop's only.
 */
#include <cjson/cJSON.h>
#include <uv.h>

#include "mcp/config.h"
#include "mcp/own.h"
#include "mcp/redis.h"

typedef struct mcp_host mcp_host;

typedef enum {
    MCP_DISABLED,  /* by configuration */
    MCP_UNTRUSTED, /* waits for somebody to approve its command or url */
    MCP_IDLE,      /* not running; the next use starts it */
    MCP_STARTING,  /* process or connection, then handshake, then lists */
    MCP_READY,
    MCP_DEGRADED, /* three time-outs in a row: only what a user asks for passes */
    MCP_BACKOFF,  /* it ended unexpectedly and may start again after a pause */
    MCP_FAILED,   /* it will not be started again by itself; `why` says what to do */
    MCP_DRAINING, /* being stopped */
} mcp_state;
enum { MCP_STATES = MCP_DRAINING + 1 };
const char *mcp_state_name(mcp_state s); /* "ready", ... */

/* ---- what a server offers -------------------------------------------------------------------- */

typedef struct {
    const char *name, *title, *description; /* cleaned; title and description may be "" */
    const cJSON *definition;                /* as the server sent it, every member kept */
    /* Its annotations, with the protocol's defaults where it gave none.  Hints, not promises. */
    bool annotated, read_only, destructive, idempotent, open_world;
    bool quarantined; /* its definition changed after it was approved: cannot be called */
    char pin[65];     /* SHA-256 of its canonical definition */
} mcp_tool;

typedef struct {
    const char *uri, *name, *mime; /* a template when `is_template` */
    bool is_template;
    const cJSON *definition;
} mcp_resource;

typedef struct {
    const char *name, *description;
    const cJSON *definition; /* with `arguments` */
} mcp_prompt;

enum { MCP_TIME_BUCKETS = 12 };
extern const double MCP_TIME_MS[MCP_TIME_BUCKETS]; /* their upper ends, milliseconds */

/* Times in microseconds; quantiles of the last minutes. */
typedef struct {
    uint64_t calls, errors, timeouts, cancelled, cache_hits;
    uint64_t p50_us, p90_us, p95_us, p99_us, max_us;
    uint64_t took[MCP_TIME_BUCKETS + 1], took_us; /* since the beginning: calls that were answered,
                                                     in each bucket and beyond the last */
} mcp_numbers;
/* What can be added of two servers: all but the quantiles. */
void mcp_numbers_add(mcp_numbers *to, const mcp_numbers *from);

typedef struct {
    const char *name;
    const mcp_definition *definition;
    mcp_state state;
    const char *why;      /* the sentence of BACKOFF, FAILED, UNTRUSTED; else "" */
    const char *protocol; /* "2025-11-25", ...; "": not known yet */
    bool modern;          /* speaks 2026-07-28 */
    const char *server_name, *server_version, *instructions;
    int64_t pid;        /* 0: no process */
    double ready_ms;    /* from start to ready, last time; 0: never */
    double retry_in_ms; /* BACKOFF: until it may start */
    double starting_ms; /* STARTING: for how long; else 0 */
    size_t tools, resources, prompts, catalogue_bytes;
    uint64_t starts, exits, junk_lines, stderr_bytes, late_answers;
    const char *first_junk;  /* the first line that was no message; "" */
    const char *stderr_tail; /* the last lines it wrote there; "" */
    const char *oddities;    /* deviations that were tolerated, "; " between them */
    mcp_numbers numbers;
} mcp_server_info;

/* ---- questions to a person ------------------------------------------------------------------- */

typedef enum {
    MCP_ASK_SERVER, /* may this server of a project start?  `text` is its whole command line */
    MCP_ASK_TOOL,   /* may this tool be called with these arguments? */
    MCP_ASK_FORM,   /* the server asks for values; `schema` is flat */
    MCP_ASK_URL,    /* the server asks that `text`, a URL, is opened */
    MCP_ASK_TEXT,   /* sampling: the server asks for text of a model; `data` has the request */
} mcp_ask;
typedef enum {
    MCP_DENY,
    MCP_ALLOW_ONCE,
    MCP_ALLOW_ALWAYS, /* remembered for the hash of the server, and of the tool */
    MCP_DISMISS,      /* no decision: a form is cancelled, not declined */
} mcp_decision;

typedef struct {
    uint64_t id;
    mcp_ask kind;
    const char *server, *tool;
    const char *text;
    const cJSON *data; /* arguments, schema or request */
} mcp_question;

typedef struct {
    void *ud;
    /* Answer with mcp_decide, now or later; after LIMIT_MCP_ASK_MS it counts as dismissed.
     * NULL: every question is denied. */
    void (*ask)(void *ud, const mcp_question *q);
    /* The state, or the catalogue, of a server has changed.  May be NULL, as all below. */
    void (*changed)(void *ud, const char *server);
    void (*log)(void *ud, const char *server, const char *level, const char *text);
    /* `all` <= 0: not known. */
    void (*progress)(void *ud, uint64_t call, double done, double all, const char *text);
    void (*resource_updated)(void *ud, const char *server, const char *uri);
} mcp_hooks;

/* ---- life ------------------------------------------------------------------------------------ */

typedef struct {
    const char *workspace; /* absolute: working folder of servers, root; NULL: the current one */
    const char *state_dir; /* approvals, pins, process marks (0700); NULL: nothing is remembered */
    const char *cache_dir; /* catalogues and spilled outputs; NULL: none are kept */
    const char *search_path;     /* PATH for commands; NULL: that of the environment */
    const own_options *built_in; /* of a server MCP_BUILT_IN; borrowed; NULL: it cannot start */
    const char *redis; /* address of a cache that daemons share (redis.h); NULL or "": none */
} mcp_options;

mcp_host *mcp_host_new(uv_loop_t *loop, const mcp_options *options, const mcp_hooks *hooks);
/* Takes the servers out of `config`.  Those that are the same go on undisturbed; others are started
 * and stopped as needed.  Can be called again at any time. */
void mcp_host_configure(mcp_host *h, mcp_config *config);
/* Ends every call, stops every server (end of input, SIGTERM, SIGKILL; whole process groups, at
 * most LIMIT_MCP_STOP_MS each step), closes every handle, frees the host, then calls `closed`. */
void mcp_host_close(mcp_host *h, void (*closed)(void *ud), void *ud);

bool mcp_host_redis(const mcp_host *h, redis_info *out); /* false: there is none */

size_t mcp_server_count(const mcp_host *h);
/* Both are false when there is no such server. */
bool mcp_server_at(mcp_host *h, size_t index, mcp_server_info *out) MUST_USE;
bool mcp_server_get(mcp_host *h, const char *server, mcp_server_info *out) MUST_USE;
void mcp_server_start(mcp_host *h, const char *server); /* also out of FAILED and BACKOFF */
enum { MCP_DRAIN_MS = 2000 };
/* Back to IDLE: calls that wait are cancelled, those that run have MCP_DRAIN_MS to be answered,
 * then they are cancelled, too.  Calls that come meanwhile start it again afterwards. */
void mcp_server_stop(mcp_host *h, const char *server);
void mcp_server_restart(mcp_host *h, const char *server);

/* Remembers that this server may start, under this command or url only, and that its tools, as they
 * are now, are known.  False: there is no such server. */
bool mcp_server_approve(mcp_host *h, const char *server);
/* Appends what has changed in a quarantined tool since it was approved, a line each: "- " what was,
 * "+ " what is.  False: it is not quarantined. */
bool mcp_tool_changes(mcp_host *h, const char *server, const char *tool, strbuf *out);
/* Takes back every approval of it: it counts at the next start. */
void mcp_server_forget(mcp_host *h, const char *server);

/* The catalogue, in a fixed order; of a server that has not run, as it was when it last did.
 * Pointers live until the loop turns.  NULL past the end. */
const mcp_tool *mcp_tool_at(mcp_host *h, const char *server, size_t index);
const mcp_tool *mcp_tool_find(mcp_host *h, const char *server, const char *tool);
const mcp_resource *mcp_resource_at(mcp_host *h, const char *server, size_t index);
const mcp_prompt *mcp_prompt_at(mcp_host *h, const char *server, size_t index);

void mcp_decide(mcp_host *h, uint64_t question, mcp_decision d, const cJSON *content);

/* ---- calls ----------------------------------------------------------------------------------- */

typedef enum {
    MCP_CALL_TOOL,     /* `name` and `arguments` */
    MCP_READ_RESOURCE, /* `name` is the uri */
    MCP_GET_PROMPT,    /* `name` and `arguments` (texts) */
    MCP_COMPLETE,      /* `arguments` are the params of completion/complete */
} mcp_verb;

/* Why somebody waits: sets time limits, order in the queue, and what may be used. */
typedef enum {
    MCP_FOR_USER,
    MCP_FOR_ACTION, /* a code action or review: 3 s */
    MCP_FOR_MODEL,
    MCP_FOR_HOVER, /* 300 ms; cached or read-only, never starts a server */
    MCP_FOR_BACKGROUND,
} mcp_purpose;

typedef enum {
    MCP_OK,
    MCP_TOOL_ERROR,   /* the tool ran and says that it failed; the answer has its text */
    MCP_RPC_ERROR,    /* the server refused the request: `code`, `message` */
    MCP_TIMEOUT,      /* all the time for this call is used up */
    MCP_IDLE_TIMEOUT, /* no sign of life for too long */
    MCP_CANCELLED,
    MCP_SERVER_GONE, /* the server ended: the call may have had its effect */
    MCP_NOT_STARTED, /* the server is not there: the call surely had no effect */
    MCP_DENIED,      /* by a person, a rule, or because nobody could be asked */
    MCP_BUSY,        /* too many calls wait */
    MCP_TOO_LARGE,   /* the answer was larger than LIMIT_MCP_LINE_BYTES */
    MCP_UNKNOWN,     /* no such server, tool or prompt */
} mcp_outcome;
const char *mcp_outcome_name(mcp_outcome o); /* "ok", "timeout", ... */

typedef struct {
    const char *server, *name;
    mcp_verb verb;
    const cJSON *arguments; /* copied; NULL: {} */
    mcp_purpose purpose;
    uint32_t idle_ms, total_ms; /* 0: by purpose and configuration */
    /* From now on, waiting and starting included: then this caller is answered (TIMEOUT, or
     * NOT_STARTED when it was not sent), and the server is told to stop unless others wait for the
     * same.  0: none.  Several orders at once with one deadline are asked side by side, and what
     * has come by then is what there is. */
    uint32_t deadline_ms;
    size_t output_bytes; /* of its text, where less than by configuration; 0: as configured */
    bool approved;       /* the person who asks has seen tool and arguments: no question */
} mcp_order;

typedef struct {
    uint64_t call;
    mcp_outcome outcome;
    const char *message; /* one sentence unless OK */
    int code;            /* RPC_ERROR */
    const cJSON *result; /* OK, TOOL_ERROR: all of it, as the server sent it */
    str text;            /* of it, for a reader or a model: cleaned and cut to the server's limit */
    bool truncated;
    const char *spill; /* a file with the whole text when it was cut; NULL: none */
    bool cached;
    double
        age_ms; /* of a kept result that is not fresh any more; the text begins with it; else 0 */
    uint64_t queue_us, run_us;
    size_t bytes; /* of the answer on the wire */
} mcp_answer;
typedef void (*mcp_done)(void *ud, const mcp_answer *a);

/* Appends at most about `bytes_max` of `text`: 60 % from its beginning, 40 % from its end, cut
 * between characters, and a line in between that says how much is missing.  False: nothing was
 * cut. */
bool mcp_text_cut(strbuf *out, str text, size_t bytes_max);

/* Never fails by itself: what is wrong comes as an answer. */
uint64_t mcp_call(mcp_host *h, const mcp_order *order, mcp_done done, void *ud);
/* Ends it with MCP_CANCELLED, soon, unless it has ended. */
void mcp_cancel(mcp_host *h, uint64_t call);
