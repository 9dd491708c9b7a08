/* SPDX-License-Identifier: Apache-2.0 */
/* Promises: each request is answered once, and each answer is one line in the log.
 *
 * Owns nothing but itself; the server counts open promises, and losing one shows as a count that is
 * not zero when the server closes (an ASSERT there).  Thread: loop. */
#include "lsp/reply.h"

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "lsp/server.h"

reply *reply_new(server *s, const rpc_id *id, const char *method) {
    reply *r = xcalloc(1, sizeof *r);
    r->server = s;
    r->id = *id;
    snprintf(r->method, sizeof r->method, "%.63s", method);
    r->received_ms = clock_ms();
    s->unanswered++;
    return r;
}

static void finish(reply *r, const char *outcome) {
    log_info("lsp", "request method=%s ms=%.1f outcome=%s%s%s", r->method,
             clock_ms() - r->received_ms, outcome, r->note[0] ? " " : "", r->note);
    ASSERT(r->server->unanswered > 0);
    r->server->unanswered--;
    xfree(r);
}

void reply_result(reply *r, cJSON *result) {
    rpc_reply(r->server->rpc, &r->id, result);
    finish(r, "ok");
}

void reply_error(reply *r, int code, const char *sentence) {
    rpc_reply_error(r->server->rpc, &r->id, code, sentence, NULL);
    char outcome[16];
    snprintf(outcome, sizeof outcome, "%d", code);
    finish(r, outcome);
}

void reply_status(reply *r, status s, const err *e) {
    int code = s == ERR_USAGE       ? RPC_INVALID_PARAMS
               : s == ERR_CANCELLED ? LSP_REQUEST_CANCELLED
                                    : LSP_REQUEST_FAILED;
    reply_error(r, code, e->text);
}

void reply_drop(reply *r) {
    reply_error(r, LSP_REQUEST_CANCELLED, "superseded or cancelled");
}

void reply_abandon(reply *r) {
    finish(r, "abandoned");
}
