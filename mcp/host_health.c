/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a server that runs is well, and whether one that has failed may be tried again.
 *
 *     READY --three calls late, or 5 s nothing read--> DEGRADED --answers a call, a probe--> READY
 *                                                         |--three probes, six calls--> BACKOFF
 *     FAILED --its program or configuration changes--> IDLE
 *
 * A probe is a ping (in the modern era server/discover), sent while no call runs: the calls that
 * run are probes themselves.  After one, a single late call is enough to be DEGRADED again.
 * Thread: loop. */
#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "mcp/host_private.h"

#define ARGS_MAX 16 /* of a command, that may be files */

/* ---- it answers, or not ---------------------------------------------------------------------- */

/* True when it is time; else the host wakes up then. */
static bool is_due(const server *s, double now, double when) {
    if (now < when) host_wake_at(s->host, when);
    return now >= when;
}

static double probe_pause(const server *s) {
    double configured = s->def->ping_after_ms;
    return configured > 0 && configured < LIMIT_MCP_PROBE_MS ? configured : LIMIT_MCP_PROBE_MS;
}

static void give_up(server *s) {
    s->retry_ms = clock_ms();
    host_server_down(s, MCP_BACKOFF, MCP_SERVER_GONE, "it answers nothing any more");
    host_server_stop(s, THEN_IDLE);
}

void host_health_good(server *s) {
    s->timeouts = 0;
    if (s->state == MCP_DEGRADED) host_server_set(s, MCP_READY, "");
}

void host_health_bad(server *s) {
    s->timeouts++;
    if (s->timeouts >= 2 * LIMIT_MCP_TIMEOUTS)
        give_up(s);
    else if (s->timeouts >= LIMIT_MCP_TIMEOUTS && s->state == MCP_READY)
        host_server_set(s, MCP_DEGRADED, "several calls in a row were not answered in time");
}

static void probe_later(server *s, double now) {
    s->probe_ms = now + probe_pause(s);
    host_wake_at(s->host, s->probe_ms);
}

static void probe_failed(server *s) {
    s->probe_lost = false;
    if (++s->probes >= LIMIT_MCP_PROBES)
        give_up(s);
    else
        probe_later(s, clock_ms());
}

static void on_pong(void *ud, const rpc_answer *a) {
    server *s = ud;
    /* A refusal is a sign of life, too. */
    bool alive = a->status == OK || a->status == ERR_USAGE || a->status == ERR_FORMAT;
    if (alive && s->state == MCP_DEGRADED) {
        s->timeouts = MIN(s->timeouts, LIMIT_MCP_TIMEOUTS - 1);
        host_server_set(s, MCP_READY, "");
    }
    s->ping = 0;
    if (alive || s->state != MCP_DEGRADED) return;
    s->probe_lost = true; /* on its way: the tick judges, outside of the session's hook */
    host_wake_at(s->host, clock_ms());
}

static void ping(server *s, double now) {
    const char *method = session_is_modern(s->session) ? "server/discover" : "ping";
    s->ping_ms = now + LIMIT_MCP_PING_MS;
    s->ping = session_request(s->session, method, NULL, on_pong, s);
    host_wake_at(s->host, s->ping_ms);
}

/* A process that was silent for long may hang: better to know before it is given a call, because
 * one that was sent could not be sent again. */
bool host_health_ping_first(server *s) {
    double after = s->def->ping_after_ms ? s->def->ping_after_ms : LIMIT_MCP_PING_AFTER_MS;
    double now = clock_ms();
    if (s->state == MCP_DEGRADED) return false; /* somebody insists */
    if (s->ping) return true;
    if (!s->process || session_is_modern(s->session) || now < s->heard_ms + after ||
        calls_running(s))
        return false;
    ping(s, now);
    return true;
}

/* The time of a ping is up. */
static void ping_late(server *s) {
    session_cancel(s->session, s->ping, "timeout");
    s->ping = 0;
    if (s->state == MCP_DEGRADED) {
        probe_failed(s);
        return;
    }
    host_server_down(s, MCP_IDLE, MCP_SERVER_GONE, "it does not answer a ping");
    host_server_stop(s, THEN_START); /* nothing was sent to it: others may wait on */
}

static void probe(server *s, double now) {
    if (calls_running(s))
        probe_later(s, now);
    else if (is_due(s, now, s->probe_ms))
        ping(s, now);
}

/* ---- it reads, or not ------------------------------------------------------------------------ */

bool host_health_write(server *s, str line) {
    double now = clock_ms();
    if (!process_unread(s->process)) s->taken_ms = now;
    bool sent = process_write(s->process, line);
    if (process_unread(s->process)) host_wake_at(s->host, now + LIMIT_MCP_UNREAD_MS);
    return sent;
}

static void check_reading(server *s, double now) {
    uint64_t taken = process_taken(s->process);
    if (!process_unread(s->process)) return;
    if (taken != s->taken) s->taken_ms = now;
    s->taken = taken;
    bool late = is_due(s, now, s->taken_ms + LIMIT_MCP_UNREAD_MS);
    if (late && s->state == MCP_READY)
        host_server_set(s, MCP_DEGRADED, "it does not read what it is sent");
}

/* ---- it has failed --------------------------------------------------------------------------- */

/* Its program and the files among its arguments, or where its tokens are kept: another number when
 * one of them is written, comes, or goes. */
static uint64_t files_of(const server *s) {
    const mcp_definition *d = s->def;
    const process_options o = {.command = d->command,
                               .cwd = d->cwd ? d->cwd : s->host->workspace,
                               .search = host_server_path(s)};
    strbuf path;
    err e;
    uint64_t h = 1;
    strbuf_init(&path, 1u << 16);
    if (d->transport == MCP_STDIO) h = file_stamp(h, process_find(&o, &path, &e) ? "" : path.ptr);
    for (size_t i = 0; d->transport == MCP_STDIO && i < MIN(d->args.count, ARGS_MAX); i++) {
        const char *arg = d->args.at[i];
        strbuf_clear(&path);
        strbuf_addf(&path, "%s%s%s", *arg == '/' || !o.cwd ? "" : o.cwd, *arg == '/' ? "" : "/",
                    arg);
        h = file_stamp(h, path.ptr);
    }
    strbuf_clear(&path);
    strbuf_addf(&path, "%s/tokens.json", s->host->state_dir ? s->host->state_dir : "");
    if (d->url) h = file_stamp(h, path.ptr);
    strbuf_deinit(&path);
    return h;
}

void host_health_forgive(server *s) {
    if (s->def->problem) return; /* only another configuration helps */
    s->n_crashes = 0;
    s->failures = 0;
    host_server_set(s, MCP_IDLE, "");
}

void host_health_look(server *s) {
    double now = clock_ms();
    if (s->def->problem || s->def->transport == MCP_BUILT_IN) return;
    if (files_of(s) == s->files) {
        s->look_ms = now + LIMIT_MCP_LOOK_MS;
        host_wake_at(s->host, s->look_ms);
        return;
    }
    s->legacy_only = s->old_http = false; /* it may be another version */
    host_health_forgive(s);
}

/* ---- time ------------------------------------------------------------------------------------ */

void host_health_entered(server *s) {
    double now = clock_ms();
    s->probes = 0;
    s->probe_lost = false;
    if (s->state == MCP_DEGRADED) probe_later(s, now);
    if (s->state != MCP_FAILED || s->host->closing || s->def->problem) return;
    s->files = files_of(s);
    s->look_ms = now + LIMIT_MCP_LOOK_MS;
    host_wake_at(s->host, s->look_ms);
}

void host_health_tick(server *s, double now_ms) {
    if (s->session && s->ping && is_due(s, now_ms, s->ping_ms)) ping_late(s);
    if (s->session && s->probe_lost) probe_failed(s);
    if (s->process && s->session) check_reading(s, now_ms);
    if (s->state == MCP_DEGRADED && s->session && !s->ping) probe(s, now_ms);
    bool failed = s->state == MCP_FAILED && !s->host->closing && s->def->transport != MCP_BUILT_IN;
    if (failed && !s->def->problem && is_due(s, now_ms, s->look_ms)) host_health_look(s);
}
