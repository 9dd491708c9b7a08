/* SPDX-License-Identifier: Apache-2.0 */
/* Work-done progress that the server starts.
 *
 *             report                   client said yes (or gave its own token: at once)
 *     NONE ----------> CREATING ---------------------------> SHOWN ---- end ---> NONE
 *                         | client said no, or end came before its answer
 *                         +----> NONE
 *
 * CREATING: window/workDoneProgress/create is out; the newest report waits in the struct.
 * SHOWN:    `begin` was sent; reports go out when the percentage moved.
 * The struct outlives the pending request, because rpc_free ends that first.  Thread: loop. */
#include "lsp/progress.h"

#include <cjson/cJSON.h>

#include "lsp/protocol.h"

void work_progress_init(work_progress *p, rpc *peer, const char *kind) {
    *p = (work_progress){.rpc = peer, .kind = kind};
}

void work_progress_init_task(work_progress *p, rpc *peer, unsigned serial, const cJSON *token) {
    bool given = cJSON_IsString(token) || cJSON_IsNumber(token);
    *p = (work_progress){.rpc = peer, .kind = "task", .serial = serial - 1};
    if (given) p->given = cJSON_Duplicate(token, true);
}

void work_progress_deinit(work_progress *p) {
    if (p->state == PROGRESS_CREATING) (void)rpc_drop(p->rpc, p->asking);
    if (p->state == PROGRESS_SHOWN) work_progress_end(p, p->message);
    cJSON_Delete(p->given);
    *p = (work_progress){0};
}

bool work_progress_is(const work_progress *p, const cJSON *token) {
    bool plain = cJSON_IsString(token) || cJSON_IsNumber(token); /* others take cJSON for ever */
    if (p->given) return plain && cJSON_Compare(p->given, token, true);
    return p->state != PROGRESS_NONE && cJSON_IsString(token) &&
           !strcmp(token->valuestring, p->token);
}

static void send(work_progress *p, const char *kind, const char *title, int percent) {
    cJSON *params =
        protocol_progress(p->token, kind, title, p->message[0] ? p->message : NULL, percent);
    if (p->given)
        cJSON_ReplaceItemInObjectCaseSensitive(params, "token", cJSON_Duplicate(p->given, true));
    rpc_notify(p->rpc, "$/progress", params);
}

static void on_created(void *ud, const rpc_answer *a) {
    work_progress *p = ud;
    bool show = a->status == OK && !p->ending;
    p->state = show ? PROGRESS_SHOWN : PROGRESS_NONE;
    p->ending = false;
    if (show) send(p, "begin", p->title, p->percent);
}

void work_progress_report(work_progress *p, const char *title, const char *message, int percent) {
    if (!p->rpc) return;
    bool moved = percent != p->percent || strcmp(message, p->message);
    p->percent = percent;
    snprintf(p->title, sizeof p->title, "%.150s", title);
    snprintf(p->message, sizeof p->message, "%.150s", message);
    if (p->state == PROGRESS_SHOWN && moved) send(p, "report", NULL, percent);
    if (p->state == PROGRESS_CREATING) p->ending = false;
    if (p->state != PROGRESS_NONE) return;
    p->ending = false;
    if (p->given) {
        p->state = PROGRESS_SHOWN;
        send(p, "begin", p->title, p->percent);
        return;
    }
    p->state = PROGRESS_CREATING;
    snprintf(p->token, sizeof p->token, "inlined-%s-%u", p->kind, ++p->serial);
    p->asking = rpc_request(p->rpc, "window/workDoneProgress/create",
                            protocol_progress_create(p->token), 0, on_created, p);
}

void work_progress_end(work_progress *p, const char *message) {
    if (!p->rpc || p->state == PROGRESS_NONE) return;
    snprintf(p->message, sizeof p->message, "%.150s", message);
    if (p->state == PROGRESS_CREATING) {
        p->ending = true;
        return;
    }
    send(p, "end", NULL, -1);
    p->state = PROGRESS_NONE;
}
