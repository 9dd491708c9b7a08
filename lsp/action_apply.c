/* SPDX-License-Identifier: Apache-2.0 */
/* Edits that are ready when the menu is made: exact refactorings, imports, fixes of findings.
 *
 * A client with code action literals gets the edit in the menu.  The menu of others holds commands
 * only: the edit is the command's argument, comes back with it and, if the document is still the
 * same, is sent with workspace/applyEdit.  What comes back is the client's own and goes nowhere
 * else.  Thread: loop. */
#include <cjson/cJSON.h>

#include "engine/base/utf8.h"
#include "lsp/actions.h"
#include "lsp/server.h"

typedef struct {
    work *work;
    char label[160];
} apply_work;

void action_add_ready(server *s, const document *d, lsp_action *a, cJSON *list) {
    if (s->features.literals) {
        cJSON_AddItemToArray(list, protocol_action(&s->features, a));
        return;
    }
    cJSON *edit = a->edit;
    a->edit = NULL;
    if (!s->features.apply_edit) {
        cJSON_Delete(edit);
        return;
    }
    lsp_action_argument in = {.action = STR(ACTION_APPLY),
                              .uri = document_uri(d),
                              .has_version = true,
                              .version = document_version(d)};
    a->command = ACTION_COMMAND;
    a->argument = protocol_argument(&in);
    cJSON_AddStringToObject(a->argument, "label", a->title);
    cJSON_AddItemToObject(a->argument, "edit", edit);
    cJSON_AddItemToArray(list, protocol_action(&s->features, a));
}

void action_applied(work *w, const rpc_answer *a) {
    const cJSON *why = protocol_get(a->result, "failureReason");
    char sentence[300];
    if (a->status == OK && cJSON_IsTrue(protocol_get(a->result, "applied"))) {
        work_done(w, NULL, "done");
        return;
    }
    snprintf(sentence, sizeof sentence, "the editor did not make the change%s%.200s",
             a->status || cJSON_IsString(why) ? ": " : "",
             a->status             ? a->message
             : cJSON_IsString(why) ? why->valuestring
                                   : "");
    work_fail(w, LSP_REQUEST_FAILED, sentence);
}

static void on_applied(void *own, const rpc_answer *a) {
    apply_work *w = own;
    action_applied(w->work, a);
}

void action_apply_start(server *s, const action_place *at, const cJSON *argument,
                        const cJSON *token, reply *r) {
    const cJSON *edit = protocol_get(argument, "edit"), *label = protocol_get(argument, "label");
    if (!cJSON_IsObject(edit) || !at->in.has_version) {
        reply_error(r, RPC_INVALID_PARAMS, "the action needs the edit and the document's version");
        return;
    }
    apply_work *w = xcalloc(1, sizeof *w);
    snprintf(w->label, sizeof w->label, "%.150s",
             cJSON_IsString(label) ? label->valuestring : "inlined");
    w->label[utf8_complete_prefix(str_of(w->label))] = '\0';
    work *started = work_new(s, r,
                             &(work_order){.title = w->label,
                                           .role = ROLE_ACTIONS,
                                           .token = token,
                                           .document = at->document,
                                           .bound = true,
                                           .ended = xfree,
                                           .own = w});
    if (!started) return; /* and `w` is gone */
    w->work = started;
    work_request(w->work, "workspace/applyEdit",
                 protocol_apply(w->label, cJSON_Duplicate(edit, true)), on_applied);
}
