/* SPDX-License-Identifier: Apache-2.0 */
/* Calls: from an order to exactly one answer for each who waits.
 *
 *     LOOKING (in a shared cache) --a miss--> QUEUED; a hit: told, freed
 *     QUEUED --(room, and nothing to ask)--> RUNNING --answer, time--> told, freed
 *        |--(a question)--> ASKING --yes--> QUEUED
 *
 * Answers are told as they come.  Every other end goes through `ended` and is told at the next turn
 * of the loop, so that `done` never runs inside mcp_call or while a server is being taken apart.
 * A call that was sent is never sent again.  Thread: loop. */
#include <stdarg.h>

#include "engine/base/clock.h"
#include "engine/base/hash.h"
#include "engine/base/limits.h"
#include "mcp/canonical.h"
#include "mcp/host_private.h"

/* ---- limits by purpose ----------------------------------------------------------------------- */

static const struct {
    double idle_ms, total_ms;
    bool configurable; /* what the server's definition says counts */
} PURPOSES[] = {
    [MCP_FOR_USER] = {LIMIT_MCP_IDLE_MS, LIMIT_MCP_TOTAL_MS, true},
    [MCP_FOR_ACTION] = {3000, 9000, false},
    [MCP_FOR_MODEL] = {LIMIT_MCP_IDLE_MS, LIMIT_MCP_TOTAL_MS, true},
    [MCP_FOR_HOVER] = {300, 900, false},
    [MCP_FOR_BACKGROUND] = {10000, 30000, false},
};

static void set_limits(call *c, const mcp_order *o) {
    const mcp_definition *d = c->server ? c->server->def : NULL;
    c->idle_ms = PURPOSES[o->purpose].idle_ms;
    c->total_ms = PURPOSES[o->purpose].total_ms;
    if (d && PURPOSES[o->purpose].configurable) {
        if (d->idle_ms) c->idle_ms = d->idle_ms;
        if (d->total_ms) c->total_ms = d->total_ms;
    }
    if (o->idle_ms) c->idle_ms = o->idle_ms;
    if (o->total_ms) c->total_ms = o->total_ms;
}

/* ---- ends ------------------------------------------------------------------------------------ */

static void call_free(call *c) {
    vec_free(&c->waiters);
    cJSON_Delete(c->cached);
    cJSON_Delete(c->arguments);
    xfree(c->name);
    xfree(c);
}

static void leave(call *c) {
    server *s = c->server;
    if (!s) return;
    asks_forget(c->host, NULL, c);
    for (size_t i = 0; i < s->calls.count; i++) {
        if (s->calls.at[i] != c) continue;
        vec_remove(&s->calls, i);
        break;
    }
    s->used_ms = clock_ms();
    host_wake_at(c->host, s->used_ms + 1); /* others may have room now; it may become unused */
}

static void tell_waiters(call *c, const mcp_answer *a) {
    for (size_t i = 0; i < c->waiters.count; i++) {
        mcp_answer own = *a;
        own.call = c->waiters.at[i].id;
        c->waiters.at[i].done(c->waiters.at[i].ud, &own);
    }
}

void call_finish(call *c, const mcp_answer *a) {
    leave(c);
    c->state = CALL_ENDED;
    tell_waiters(c, a);
    call_free(c);
}

static void count(server *s, mcp_outcome outcome) {
    if (!s) return;
    s->n_calls++;
    s->n_timeouts += outcome == MCP_TIMEOUT || outcome == MCP_IDLE_TIMEOUT;
    s->n_cancelled += outcome == MCP_CANCELLED;
    s->n_errors += outcome != MCP_OK && outcome != MCP_CANCELLED;
}

void call_fail(call *c, mcp_outcome outcome, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    vsnprintf(c->why, sizeof c->why, fmt, args);
    va_end(args);
    leave(c);
    count(c->server, outcome);
    c->state = CALL_ENDED;
    c->outcome = outcome;
    c->server = NULL; /* it may be gone when the waiters are told */
    vec_push(&c->host->ended, c);
    host_wake_at(c->host, clock_ms());
}

/* ---- answers --------------------------------------------------------------------------------- */

/* How long the result of this tool may be kept; 0: not at all.  The configuration names it, or the
 * server is trusted and says that the tool only reads what is its own. */
static double keep_ms(const server *s, const call *c) {
    const mcp_tool *t =
        c->verb == MCP_CALL_TOOL ? catalogue_tool(host_server_list(s, LIST_TOOLS), c->name) : NULL;
    bool modern = s->session ? session_is_modern(s->session) : s->modern;
    if (c->verb == MCP_READ_RESOURCE) return modern || s->def->trusted ? LIMIT_MCP_CACHE_MS : 0;
    if (!t) return 0;
    for (size_t i = 0; i < s->def->cache.count; i++) {
        str value = str_of(s->def->cache.at[i].value);
        int64_t seconds;
        if (!mcp_pattern_matches(s->def->cache.at[i].name, c->name)) continue;
        if (str_ends_with(value, STR("s"))) value.len--;
        return str_to_i64(value, &seconds) && seconds > 0 ? (double)MIN(seconds, 86400) * 1000 : 0;
    }
    /* A person edits the files that our own tools read, without a call. */
    bool kept =
        s->def->trusted && s->def->transport != MCP_BUILT_IN && t->annotated && t->read_only;
    if (!kept) return 0;
    return t->open_world ? LIMIT_MCP_CACHE_OPEN_MS : LIMIT_MCP_CACHE_MS;
}

/* For how long a hover is content with a result that is no longer fresh: what changes elsewhere
 * (an issue, a page) is better known late than never. */
static double stale_ms(const server *s, const call *c) {
    const mcp_tool *t =
        c->verb == MCP_CALL_TOOL ? catalogue_tool(host_server_list(s, LIST_TOOLS), c->name) : NULL;
    bool may = t && s->def->trusted && t->annotated && t->read_only && t->open_world;
    return may ? LIMIT_MCP_CACHE_STALE_MS : 0;
}

/* The key of a failure, which is no key of a result. */
static void failure_key(const call *c, char out[static 65]) {
    memcpy(out, c->key, sizeof c->key);
    out[0] = '!';
}

static bool is_failed(const cJSON *result) {
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(result, "isError"));
}

/* What a server says of one result: `_meta` has a member no-store that is true, or a cache-control
 * with that word; with any prefix of a namespace, and however it is spelt. */
static bool must_not_be_kept(const cJSON *result) {
    const cJSON *m;
    cJSON_ArrayForEach(m, cJSON_GetObjectItemCaseSensitive(result, "_meta")) {
        const char *slash = strrchr(m->string, '/');
        str name = str_of(slash ? slash + 1 : m->string);
        bool no_store = str_eq(name, STR("no-store")) || str_eq(name, STR("noStore"));
        bool control = str_eq(name, STR("cache-control")) || str_eq(name, STR("cacheControl"));
        if (no_store && cJSON_IsTrue(m)) return true;
        if (control && cJSON_IsString(m) && strstr(m->valuestring, "no-store")) return true;
    }
    return false;
}

/* After an answer: keeps it, or forgets what it may have made untrue. */
static void keep_result(const call *c, const rpc_answer *from, bool good) {
    server *s = c->server;
    bool once = from->asked || must_not_be_kept(from->result); /* a person's word is for one call */
    if (!c->shared) {
        s->epoch++;
        host_results_forget(s);
    } else if (once) {
        return;
    } else if (good && c->cacheable && c->epoch == s->epoch) {
        double ms = keep_ms(s, c);
        const cJSON *ttl = cJSON_GetObjectItemCaseSensitive(from->result, "ttlMs");
        bool told = c->verb == MCP_READ_RESOURCE && session_is_modern(s->session);
        if (told) ms = cJSON_IsNumber(ttl) ? MIN(ttl->valuedouble, LIMIT_MCP_CACHE_MOST_MS) : 0;
        if (ms <= 0) return;
        cache_put(c->host->cache, s, c->key, from->result, from->bytes, clock_ms(),
                  (cache_life){ms, stale_ms(s, c)});
        host_shared_keep(c, from, ms);
    } else if (c->purpose == MCP_FOR_HOVER && is_failed(from->result)) {
        char key[65];
        failure_key(c, key);
        cache_put(c->host->cache, s, key, from->result, from->bytes, clock_ms(),
                  (cache_life){LIMIT_MCP_FAILED_MS, 0});
    }
}

/* Fills the texts of an answer and tells it. */
static void tell_result(call *c, mcp_answer *a) {
    strbuf whole, cut;
    strbuf_init(&whole, SIZE_MAX / 2);
    strbuf_init(&cut, SIZE_MAX / 2);
    if (a->age_ms > 0) strbuf_addf(&whole, "[as it was %.0f s ago]\n", a->age_ms / 1000);
    output_text(&whole, a->result);
    uint64_t number = 0;
    bool large = whole.len > c->output_max;
    if (large) a->spill = spill_write(c->host->spill, strbuf_str(&whole), &number);
    if (a->spill && c->purpose == MCP_FOR_MODEL && c->host->built_in)
        strbuf_addf(&cut, "[%zu bytes, some are left out: read_output reads them, output %llu]\n",
                    whole.len, (unsigned long long)number);
    a->truncated = mcp_text_cut(&cut, strbuf_str(&whole), c->output_max);
    a->text = cut.ptr ? strbuf_str(&cut) : STR("");
    char first[256];
    if (a->outcome == MCP_TOOL_ERROR) {
        err e;
        err_set(&e, ERR_USAGE, "%.*s", (int)MIN(a->text.len, 250), a->text.ptr);
        snprintf(first, sizeof first, "%.250s", e.text);
        a->message = first;
    }
    tell_waiters(c, a);
    strbuf_deinit(&whole);
    strbuf_deinit(&cut);
}

void call_tell_ended(mcp_host *h) {
    for (size_t n = h->ended.count; n > 0 && h->ended.count; n--) {
        call *c = h->ended.at[0];
        vec_remove(&h->ended, 0);
        uint64_t now = clock_us();
        mcp_answer a = {
            .outcome = !c->cached             ? c->outcome
                       : is_failed(c->cached) ? MCP_TOOL_ERROR
                                              : MCP_OK,
            .message = c->cached ? NULL : c->why,
            .result = c->cached,
            .cached = c->cached != NULL,
            .age_ms = c->age_ms,
            .queue_us = (c->begun_us ? c->begun_us : now) - c->queued_us,
            .run_us = c->begun_us ? now - c->begun_us : 0,
        };
        if (c->cached)
            tell_result(c, &a);
        else
            tell_waiters(c, &a);
        call_free(c);
    }
}

static mcp_outcome outcome_of(status s) {
    switch (s) {
    case ERR_USAGE:
    case ERR_FORMAT: return MCP_RPC_ERROR;
    case ERR_LIMIT: return MCP_TOO_LARGE;
    case ERR_NOT_FOUND: return MCP_NOT_STARTED;
    case OK:
    case ERR_IO:
    case ERR_UNSUPPORTED:
    case ERR_DEVICE:
    case ERR_CANCELLED:
    case ERR_LATE: break;
    }
    return MCP_SERVER_GONE;
}

const double MCP_TIME_MS[MCP_TIME_BUCKETS] = {1,   2.5, 5,   10,   25,   50,
                                              100, 250, 500, 1000, 5000, 30000};

void mcp_numbers_add(mcp_numbers *to, const mcp_numbers *from) {
    to->calls += from->calls;
    to->errors += from->errors;
    to->timeouts += from->timeouts;
    to->cancelled += from->cancelled;
    to->cache_hits += from->cache_hits;
    to->took_us += from->took_us;
    for (size_t i = 0; i <= MCP_TIME_BUCKETS; i++)
        to->took[i] += from->took[i];
}

static void count_time(server *s, uint64_t us) {
    size_t i = 0;
    while (i < MCP_TIME_BUCKETS && (double)us > MCP_TIME_MS[i] * 1000)
        i++;
    s->took[i]++;
    s->took_us += us;
    histogram_add(&s->times, us, clock_ms());
}

static void on_answer(void *ud, const rpc_answer *from) {
    call *c = ud;
    server *s = c->server;
    uint64_t now = clock_us();
    mcp_answer a = {
        .outcome = from->status == OK ? is_failed(from->result) ? MCP_TOOL_ERROR : MCP_OK
                                      : outcome_of(from->status),
        .message = from->message,
        .code = from->code,
        .result = from->result,
        .bytes = from->bytes,
        .queue_us = c->begun_us - c->queued_us,
        .run_us = now - c->begun_us,
    };
    count(s, a.outcome);
    count_time(s, a.run_us);
    if (from->status == OK || from->status == ERR_USAGE) host_health_good(s);
    if (c->verb == MCP_CALL_TOOL || c->verb == MCP_READ_RESOURCE)
        keep_result(c, from, a.outcome == MCP_OK);
    if (from->status == OK) {
        leave(c);
        c->state = CALL_ENDED;
        tell_result(c, &a);
        call_free(c);
        return;
    }
    err e; /* the server's sentence: cleaned */
    bool unsure = a.outcome == MCP_SERVER_GONE && c->verb == MCP_CALL_TOOL;
    err_set(&e, ERR_USAGE, "%.300s%s", from->message ? from->message : "the connection ended",
            unsure ? "; the call may have had its effect" : "");
    a.message = e.text;
    call_finish(c, &a);
}

static void make_key(call *c) {
    char arguments[65];
    canonical_hash(c->arguments, arguments);
    sha256 h;
    sha256_init(&h);
    sha256_add(&h, &(char){(char)('a' + (int)c->verb)}, 1);
    sha256_add(&h, c->name, strlen(c->name) + 1);
    sha256_add(&h, arguments, 64);
    sha256_hex(&h, c->key);
}

/* Equal calls that surely have no effect need to be made only once at a time. */
static bool is_look_up(const server *s, const call *c) {
    if (c->verb != MCP_CALL_TOOL) return true;
    const mcp_tool *t = catalogue_tool(host_server_list(s, LIST_TOOLS), c->name);
    return t && t->annotated && t->read_only;
}

/* ---- sending --------------------------------------------------------------------------------- */

static cJSON *params_of(const call *c, const char **method) {
    static const char *const methods[] = {
        [MCP_CALL_TOOL] = "tools/call",
        [MCP_READ_RESOURCE] = "resources/read",
        [MCP_GET_PROMPT] = "prompts/get",
        [MCP_COMPLETE] = "completion/complete",
    };
    *method = methods[c->verb];
    if (c->verb == MCP_COMPLETE) return cJSON_Duplicate(c->arguments, true);
    cJSON *p = cJSON_CreateObject();
    cJSON_AddStringToObject(p, c->verb == MCP_READ_RESOURCE ? "uri" : "name", c->name);
    if (c->verb != MCP_READ_RESOURCE)
        cJSON_AddItemToObject(p, "arguments", cJSON_Duplicate(c->arguments, true));
    return p;
}

static void call_send(call *c) {
    const char *method;
    cJSON *params = params_of(c, &method);
    c->state = CALL_RUNNING;
    c->begun_ms = c->life_ms = clock_ms();
    c->begun_us = clock_us();
    c->epoch = c->server->epoch += !c->shared && c->verb == MCP_CALL_TOOL;
    c->handle = session_request(c->server->session, method, params, on_answer, c);
    session_freshen(c->server->session, c->begun_ms);
    host_wake_at(c->host, c->begun_ms + MIN(c->idle_ms, c->total_ms));
}

size_t calls_running(const server *s) {
    size_t n = 0;
    for (size_t i = 0; i < s->calls.count; i++)
        n += s->calls.at[i]->state == CALL_RUNNING;
    return n;
}

static size_t running_everywhere(const mcp_host *h) {
    size_t n = 0;
    for (size_t i = 0; i < h->servers.count; i++)
        n += calls_running(h->servers.at[i]);
    return n;
}

/* Sends, asks about, or refuses one call that waits. */
static void call_begin(call *c) {
    server *s = c->server;
    const mcp_tool *t = NULL;
    if (c->verb == MCP_CALL_TOOL) {
        t = catalogue_tool(host_server_list(s, LIST_TOOLS), c->name);
        if (!t) {
            call_fail(c, MCP_UNKNOWN, "server %s has no tool \"%.80s\"", s->def->name, c->name);
            return;
        }
    }
    if (!c->shared && is_look_up(s, c)) { /* what it is was not known before the server ran */
        make_key(c);
        c->shared = true;
        c->cacheable = keep_ms(s, c) > 0;
    }
    const char *why = "";
    switch (policy_of(c, t, &why)) {
    case POLICY_ALLOW:
        if (!host_shared_ask(c)) call_send(c);
        return;
    case POLICY_ASK: ask_tool(c, t); return;
    case POLICY_DENY: call_fail(c, MCP_DENIED, "%s", why); return;
    }
}

void calls_run(server *s) {
    if (s->state != MCP_READY && s->state != MCP_DEGRADED) return;
    size_t limit = s->def->concurrency ? s->def->concurrency : LIMIT_MCP_CALLS_SERVER;
    for (size_t i = 0; s->session && i < s->calls.count;) {
        call *c = s->calls.at[i];
        if (c->state == CALL_QUEUED) {
            if (calls_running(s) >= limit || running_everywhere(s->host) >= LIMIT_MCP_CALLS) return;
            if (host_health_ping_first(s)) return;
            call_begin(c);
        }
        i += i < s->calls.count && s->calls.at[i] == c; /* unless it left */
    }
}

/* ---- time ------------------------------------------------------------------------------------ */

static void timed_out(call *c, mcp_outcome outcome, double ms) {
    server *s = c->server;
    session_cancel(s->session, c->handle, "timeout");
    call_fail(c, outcome,
              outcome == MCP_TIMEOUT ? "no answer within %.1f s"
                                     : "no sign of life for %.1f s; the call may have its effect",
              ms / 1000);
    host_health_bad(s);
}

static void check_running(call *c, double now) {
    server *s = c->server;
    if (s->open_questions || s->authorizing)
        c->life_ms = now; /* it waits for a person, not the other way round */
    if (now >= c->begun_ms + c->total_ms)
        timed_out(c, MCP_TIMEOUT, c->total_ms);
    else if (now >= c->life_ms + c->idle_ms)
        timed_out(c, MCP_IDLE_TIMEOUT, c->idle_ms);
    else
        host_wake_at(c->host, MIN(c->begun_ms + c->total_ms, c->life_ms + c->idle_ms));
}

static void check_waiting(call *c, double now) {
    const server *s = c->server;
    bool patient = PURPOSES[c->purpose].configurable && s->state == MCP_STARTING;
    bool asking = c->state == CALL_ASKING || s->asked;
    double until = c->queued_ms + (asking || patient ? c->total_ms : c->idle_ms);
    if (now >= until)
        call_fail(c, MCP_NOT_STARTED, "it waited %.1f s and was not sent; server %s is %s",
                  (now - c->queued_ms) / 1000, s->def->name, mcp_state_name(s->state));
    else
        host_wake_at(c->host, until);
}

/* The waiter leaves; the last one takes the call with it. */
static void drop_waiter(call *c, size_t at, mcp_outcome outcome, const char *why) {
    if (c->waiters.count == 1) {
        if (c->state == CALL_RUNNING) session_cancel(c->server->session, c->handle, why);
        call_fail(c, outcome, "%s", why);
        return;
    }
    call *lone = xcalloc(1, sizeof *lone);
    lone->host = c->host;
    lone->queued_us = c->queued_us;
    vec_push(&lone->waiters, c->waiters.at[at]);
    vec_remove(&c->waiters, at);
    call_fail(lone, outcome, "%s", why);
}

/* Those whose deadline has passed leave.  True: the call went with them. */
static bool check_waiters(call *c, double now) {
    server *s = c->server;
    for (size_t i = c->waiters.count; i-- > 0;) {
        double until = c->waiters.at[i].until_ms;
        bool last = c->waiters.count == 1, sent = c->state == CALL_RUNNING;
        if (until > now) host_wake_at(c->host, until);
        if (until <= 0 || until > now) continue;
        bool late = last && sent && c->life_ms <= c->begun_ms && /* not a word, most of its time */
                    now - c->begun_ms >= c->idle_ms / 2;
        drop_waiter(c, i, sent ? MCP_TIMEOUT : MCP_NOT_STARTED,
                    sent ? "its time was up before an answer came"
                         : "its time was up before it could be sent");
        if (late) host_health_bad(s);
        if (last) return true;
    }
    return false;
}

void calls_tick(server *s, double now_ms) {
    for (size_t i = s->calls.count; i-- > 0;) {
        if (i >= s->calls.count) continue; /* the server went down */
        call *c = s->calls.at[i];
        if (check_waiters(c, now_ms)) continue;
        if (c->state == CALL_RUNNING)
            check_running(c, now_ms);
        else
            check_waiting(c, now_ms);
    }
}

/* ---- orders ---------------------------------------------------------------------------------- */

static call *find_equal(const server *s, const call *c) {
    for (size_t i = 0; i < s->calls.count; i++) {
        call *other = s->calls.at[i];
        if (other->shared && other->approved == c->approved && other->purpose == c->purpose &&
            other->output_max == c->output_max && strcmp(other->key, c->key) == 0)
            return other;
    }
    return NULL;
}

void call_end_kept(call *c, cJSON *result) {
    leave(c);
    c->server->n_cached++;
    c->cached = result;
    c->state = CALL_ENDED;
    c->server = NULL;
    vec_push(&c->host->ended, c);
    host_wake_at(c->host, clock_ms());
}

static void on_refreshed(void *ud, const mcp_answer *a) {
    UNUSED(ud);
    UNUSED(a);
}

/* Asks for what a hover has just been told from memory, for the next one.  Nothing is started. */
static void refresh(const call *c) {
    const server *s = c->server;
    if (s->state != MCP_READY) return;
    for (size_t i = 0; i < s->calls.count; i++)
        if (s->calls.at[i]->shared && !strcmp(s->calls.at[i]->key, c->key)) return;
    mcp_call(c->host,
             &(mcp_order){.server = s->def->name,
                          .name = c->name,
                          .verb = c->verb,
                          .arguments = c->arguments,
                          .purpose = MCP_FOR_BACKGROUND},
             on_refreshed, NULL);
}

/* A hover gets what is old rather than nothing. */
static bool from_old(call *c) {
    const cJSON *kept = cache_get_stale(c->host->cache, c->server, c->key, clock_ms(), &c->age_ms);
    if (!kept) return false;
    cJSON *result = cJSON_Duplicate(kept, true);
    refresh(c);
    call_end_kept(c, result);
    return true;
}

/* Answers with a result that this daemon has kept. */
static bool from_cache(call *c) {
    server *s = c->server;
    const mcp_tool *t = catalogue_tool(host_server_list(s, LIST_TOOLS), c->name);
    const char *why;
    c->cacheable = c->shared && keep_ms(s, c) > 0;
    if (!c->shared || policy_of(c, t, &why) != POLICY_ALLOW) return false;
    const cJSON *kept = NULL;
    if (c->cacheable) kept = cache_get(c->host->cache, s, c->key, clock_ms());
    if (!kept && c->purpose == MCP_FOR_HOVER) {
        char key[65];
        failure_key(c, key);
        kept = cache_get(c->host->cache, s, key, clock_ms());
    }
    if (!kept) return c->cacheable && c->purpose == MCP_FOR_HOVER && from_old(c);
    call_end_kept(c, cJSON_Duplicate(kept, true));
    return true;
}

/* Why a call cannot even wait; false: it can. */
static bool refuse(call *c) {
    server *s = c->server;
    size_t waiting = s->calls.count - calls_running(s);
    double pause = s->retry_ms - clock_ms();
    if (s->state == MCP_FAILED) host_health_look(s);
    bool ready = s->state == MCP_READY || s->state == MCP_DEGRADED;
    if (s->state == MCP_DISABLED)
        call_fail(c, MCP_NOT_STARTED, "server %s is disabled", s->def->name);
    else if (s->state == MCP_FAILED)
        call_fail(c, MCP_NOT_STARTED, "server %s is not running: %s", s->def->name, s->why);
    else if (s->state == MCP_BACKOFF && pause > 0)
        call_fail(c, MCP_NOT_STARTED, "server %s is not running: %s; it starts again in %.1f s",
                  s->def->name, s->why, pause / 1000);
    else if (s->state == MCP_UNTRUSTED && (s->denied || !c->host->hooks.ask))
        call_fail(c, MCP_DENIED, "server %s of the project was not approved", s->def->name);
    else if (c->purpose == MCP_FOR_HOVER && !ready)
        call_fail(c, MCP_NOT_STARTED, "server %s does not run", s->def->name);
    else if (s->state == MCP_DEGRADED && c->purpose != MCP_FOR_USER)
        call_fail(c, MCP_NOT_STARTED, "server %s does not answer in time: %s", s->def->name,
                  s->why);
    else if (waiting >= LIMIT_MCP_QUEUE)
        call_fail(c, MCP_BUSY, "%zu calls wait for server %s already", waiting, s->def->name);
    else
        return false;
    return true;
}

/* Behind all that are as urgent. */
static void enqueue(call *c) {
    server *s = c->server;
    size_t at = s->calls.count;
    while (at > 0 && s->calls.at[at - 1]->state == CALL_QUEUED &&
           s->calls.at[at - 1]->purpose > c->purpose)
        at--;
    vec_push(&s->calls, c);
    memmove(s->calls.at + at + 1, s->calls.at + at, (s->calls.count - 1 - at) * sizeof c);
    s->calls.at[at] = c;
    s->used_ms = c->queued_ms;
}

static call *call_new(mcp_host *h, const mcp_order *o) {
    call *c = xcalloc(1, sizeof *c);
    c->host = h;
    c->server = o->server ? host_find(h, o->server) : NULL;
    c->verb = o->verb;
    c->name = xstrdup(o->name ? o->name : "");
    c->arguments = o->arguments ? cJSON_Duplicate(o->arguments, true) : cJSON_CreateObject();
    c->purpose = o->purpose;
    c->approved = o->approved;
    c->queued_ms = clock_ms();
    c->queued_us = clock_us();
    set_limits(c, o);
    size_t configured = c->server ? c->server->def->output_bytes : 0;
    c->output_max = configured ? configured : LIMIT_MCP_OUTPUT_BYTES;
    if (o->output_bytes) c->output_max = MIN(c->output_max, o->output_bytes);
    return c;
}

uint64_t mcp_call(mcp_host *h, const mcp_order *order, mcp_done done, void *ud) {
    ASSERT(!h->closing);
    uint64_t id = ++h->last_id;
    call *c = call_new(h, order);
    server *s = c->server;
    const waiter w = {id, done, ud, order->deadline_ms ? c->queued_ms + order->deadline_ms : 0};
    vec_push(&c->waiters, w);
    if (!s) {
        call_fail(c, MCP_UNKNOWN, "there is no MCP server \"%.80s\"",
                  order->server ? order->server : "");
        return id;
    }
    c->shared = is_look_up(s, c);
    if (c->shared) {
        make_key(c);
        call *equal = find_equal(s, c);
        if (equal) {
            vec_push(&equal->waiters, w);
            if (w.until_ms > 0) host_wake_at(h, w.until_ms);
            call_free(c);
            return id;
        }
    }
    if (from_cache(c) || refuse(c)) return id;
    enqueue(c);
    host_wake_at(h, c->queued_ms + c->idle_ms);
    if (w.until_ms > 0) host_wake_at(h, w.until_ms);
    if (host_shared_ask(c)) return id;
    host_server_start(s);
    calls_run(s);
    return id;
}

/* ---- cancelling ------------------------------------------------------------------------------ */

void mcp_cancel(mcp_host *h, uint64_t id) {
    for (size_t i = 0; i < h->servers.count; i++) {
        const server *s = h->servers.at[i];
        for (size_t k = 0; k < s->calls.count; k++) {
            call *c = s->calls.at[k];
            for (size_t w = 0; w < c->waiters.count; w++) {
                if (c->waiters.at[w].id != id) continue;
                drop_waiter(c, w, MCP_CANCELLED, "cancelled");
                return;
            }
        }
    }
}

call *call_by_handle(const server *s, int64_t handle) {
    for (size_t i = 0; handle && i < s->calls.count; i++)
        if (s->calls.at[i]->state == CALL_RUNNING && s->calls.at[i]->handle == handle)
            return s->calls.at[i];
    return NULL;
}
